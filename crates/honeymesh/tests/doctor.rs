//! `honeymesh doctor` for real: in a network namespace, before, beside and after a daemon, and without root.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, is_root};
use serde_json::Value;
use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output},
};

const TRAP: &str = "[[trap]]\nname = \"web\"\nservice = \"http\"\nlisten = [\"10.77.0.1:8080\"]\n";
/// Somebody without any power.
const NOBODY: u32 = 65_534;

fn doctor(net: &Net, binary: &Path, config: &Path, more: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", net.node)).arg(binary).args(["doctor", "--config"]).arg(config).args(more);
    command
}

fn ours() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_honeymesh"))
}

fn examine(net: &Net, config: &Path) -> (Option<i32>, Value) {
    let output = doctor(net, ours(), config, &["--json"]).output().unwrap();
    (output.status.code(), json(&output))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// The state and the detail of the check of this name.
fn check(report: &Value, area: &str, name: &str) -> (String, String) {
    let found = report["checks"].as_array().unwrap().iter().find(|check| check["area"] == area && check["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {area} {name} in {report:#}"));
    (found["state"].as_str().unwrap().into(), found["detail"].as_str().unwrap().into())
}

#[test]
fn before_beside_and_after_a_daemon_it_says_what_is_and_changes_nothing() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config(TRAP);
    let (code, report) = examine(&net, &config);
    assert_eq!((code, &report["ok"]), (Some(0), &true.into()), "{report:#}");
    let interface = &report["interfaces"][0];
    assert_eq!((&interface["mode"], &interface["driver"]), (&"native".into(), &"veth".into()), "{interface}");
    assert_eq!(interface["program"], Value::Null);
    assert!(check(&report, "port", "10.77.0.1:8080/tcp").1.contains("free for trap `web`"));
    assert!(report["features"].as_array().unwrap().iter().all(|feature| feature["state"] == "ok"), "{report:#}");
    assert!(!net.state_dir().exists() && !net.pin_dir.exists(), "it only looks");

    let daemon = net.start(&config);
    let (code, report) = examine(&net, &config);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(check(&report, "daemon", "process").1, "one runs and answers");
    assert_eq!(check(&report, "interface", &net.interface).1, "native: our program is on it already");
    assert!(check(&report, "port", "10.77.0.1:8080/tcp").1.starts_with("trap `web` has it"));
    assert!(net.told(&["status"]).contains("mode enforce"), "the daemon did not notice");

    daemon.kill();
    let (code, report) = examine(&net, &config);
    assert_eq!((code, check(&report, "daemon", "process").0.as_str()), (Some(0), "warn"));
    assert!(check(&report, "bpf", "pins").1.contains("1 links"), "{report:#}");
}

#[test]
fn what_is_in_the_way_is_named_with_its_owner_and_the_exit_code_says_so() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let taken = TRAP.replace(":8080", ":7777");
    let config = net.config(&taken);
    let text = fs::read_to_string(&config).unwrap().replace(&format!("\"{}\"", net.interface), "\"nope0\"");
    fs::write(&config, text).unwrap();
    let (code, report) = examine(&net, &config);
    assert_eq!((code, &report["ok"]), (Some(1), &false.into()));
    let (state, detail) = check(&report, "port", "10.77.0.1:7777/tcp");
    assert!(state == "fail" && detail.contains(&format!("process {}", std::process::id())), "{detail}");
    assert_eq!(check(&report, "interface", "nope0").0, "fail");
    let output = doctor(&net, ours(), &config, &[]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(words.contains("mend: stop") && words.contains("FEATURE") && words.contains("2 failed"), "{words}");
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
}

#[test]
fn without_root_it_says_what_it_could_not_look_at() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config(TRAP);
    let binary = net.dir.path().join("honeymesh");
    fs::copy(ours(), &binary).unwrap();
    for path in [net.dir.path(), &binary] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::create_dir(net.state_dir()).unwrap();
    fs::set_permissions(net.state_dir(), fs::Permissions::from_mode(0o700)).unwrap();
    let namespace = fs::File::open(Path::new("/run/netns").join(&net.node)).unwrap();
    let mut command = Command::new(&binary);
    command.args(["doctor", "--json", "--config"]).arg(&config).uid(NOBODY).gid(NOBODY);
    let output = std::thread::spawn(move || {
        nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        command.output().unwrap()
    });
    let output = output.join().unwrap();
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "what could not be looked at is no failure: {report:#}");
    for (area, name) in [("power", "capabilities"), ("bpf", "features not tried")] {
        assert_eq!(check(&report, area, name).0, "skip", "{area} {name}");
    }
    assert_eq!(report["interfaces"][0]["mode"], "native", "the driver is asked without any power");
}

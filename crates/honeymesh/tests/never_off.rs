//! Never silently off, with the real daemon: the keeper as a process, interfaces that come and go, sabotage, the release.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Daemon, Net, fails, is_root, sh};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Waits until `check` finds what it waits for.
fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A configuration that also wants `more` interfaces.
fn config(net: &Net, more: &str) -> PathBuf {
    let file = net.config("");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(&format!("[\"{}\"]", net.interface), &format!("[\"{}\", {more}]", net.interface))).unwrap();
    file
}

fn keeper_pid(net: &Net) -> i32 {
    i32::try_from(net.json(&["status"])["keeper"]["pid"].as_u64().unwrap()).unwrap()
}

fn interface(net: &Net, name: &str) -> Value {
    let status = net.json(&["status"]);
    status["interfaces"].as_array().unwrap().iter().find(|interface| interface["name"] == name).cloned().unwrap()
}

fn events(net: &Net) -> Vec<Value> {
    let text = net.told(&["events", "--kind", "audit", "--json", "--limit", "100"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn release(net: &Net, config: &Path) -> (i32, String) {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", net.node)).arg(env!("CARGO_BIN_EXE_honeymesh"));
    let output = command.args(["release", "--config"]).arg(config).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn the_keeper_is_a_process_without_power_that_ends_with_the_daemon_however_it_ends() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config("");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut daemon = net.start(&config);
        let pid = keeper_pid(&net);
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        assert_eq!(String::from_utf8_lossy(&words), "honeymesh\0keeper\0", "`ps` shows the role");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        for name in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:", "CapBnd:"] {
            assert_eq!(u64::from_str_radix(&field(name), 16).unwrap(), 0, "{name}");
        }
        assert_eq!(["NoNewPrivs:", "Seccomp:", "Threads:", "PPid:"].map(field), ["1", "2", "1", &daemon.child.id().to_string()]);
        assert!(fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() < 12, "it holds little");
        // What ends a whole service or terminal at once does not end it first.
        for each in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            kill(Pid::from_raw(pid), each).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(net.json(&["status"])["keeper"]["running"], true);
        daemon.signal(signal);
        common::wait(&mut daemon.child, Duration::from_secs(10));
        eventually("the keeper's end", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    }
    assert!(net.reaches());
}

#[test]
fn a_dead_keeper_is_told_loudly_and_the_kernel_goes_on() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let mut daemon = net.start(&net.config(""));
    net.told(&["ban", "10.77.0.2"]);
    kill(Pid::from_raw(keeper_pid(&net)), Signal::SIGKILL).unwrap();
    daemon.wait_for("the keeper has ended (signal: 9 (SIGKILL))");
    let status = net.json(&["status"]);
    assert_eq!(status["keeper"]["running"], false);
    assert!(
        status["warnings"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("the keeper has ended")),
        "{status}"
    );
    assert!(net.told(&["status"]).contains("keeper   ENDED: signal: 9"));
    eventually("its event", || events(&net).iter().any(|event| event["fields"]["keeper"] == "ended").then_some(()));
    assert!(!net.reaches(), "the ban holds");
    assert_eq!(interface(&net, &net.interface)["state"], "attached");
    // Without a keeper the daemon still sees what happens.
    sh(&format!("ip -n {} link del {}", net.node, net.interface));
    let why = eventually("the interface's end", || {
        (interface(&net, &net.interface)["state"] == "absent").then(|| net.json(&["status"])["warnings"].to_string())
    });
    assert!(why.contains("restart the daemon"), "{why}");
    eventually("its event", || events(&net).iter().any(|event| event["fields"]["state"] == "absent").then_some(()));
    assert!(daemon.stop().0.success());
}

#[test]
fn interfaces_that_come_vanish_and_are_made_anew_are_guarded_and_shown() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&config(&net, "\"late0\", \"veth*\""));
    let state = |name: &str| interface(&net, name)["state"].as_str().unwrap().to_owned();
    assert_eq!((state("late0"), state("veth*")), ("absent".into(), "absent".into()));
    let shown = net.told(&["status"]);
    assert!(shown.contains("NO: absent") && shown.contains("! interface late0 is not there"), "{shown}");
    net.told(&["ban", "10.78.0.2"]);
    for round in 0..3 {
        sh(&format!(
            "ip -n {node} link add late0 type veth peer name far0 netns {stranger}
             ip -n {node} addr add 10.78.0.1/24 dev late0; ip -n {node} link set late0 up
             ip -n {stranger} addr add 10.78.0.2/24 dev far0; ip -n {stranger} link set far0 up",
            node = net.node,
            stranger = net.stranger
        ));
        let attached = eventually("late0 is guarded", || Some(interface(&net, "late0")).filter(|late| late["attached"] == true));
        assert_eq!(attached["xdp_mode"], "native", "{round}");
        let drops = || net.json(&["bans"])[0]["drops"].as_u64().unwrap();
        let before = drops();
        net.stranger("timeout 0.5 bash -c '</dev/tcp/10.78.0.1/9'");
        eventually("its neighbour's ban holds there", || (drops() > before).then_some(()));
        sh(&format!("ip -n {} link del late0", net.node));
        eventually("late0 is gone", || (state("late0") == "absent").then_some(()));
    }
    sh(&format!("ip -n {} link add veth5 type veth peer name plain5", net.node));
    eventually("veth5 is guarded", || {
        let status = net.json(&["status"]);
        status["interfaces"].as_array().unwrap().iter().find(|one| one["name"] == "veth5" && one["attached"] == true).map(drop)
    });
    let told = events(&net);
    let of = |state: &str| {
        told.iter().filter(|event| event["fields"]["interface"] == "late0" && event["fields"]["state"] == state).count()
    };
    assert!(of("attached") >= 3 && of("absent") >= 3, "{told:?}");
    assert!(daemon.stop().0.success());
}

#[test]
fn an_interface_that_loses_the_program_gets_it_back_and_the_audit_says_so() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let mut daemon = net.start(&net.config(""));
    net.told(&["ban", "10.77.0.2"]);
    let version = fs::read_dir(&net.pin_dir).unwrap().next().unwrap().unwrap().file_name();
    let links = net.pin_dir.join(&version).join("links");
    let pin = fs::read_dir(&links).unwrap().next().unwrap().unwrap().path();
    // Whoever has power over the BPF file system can detach it: here by way of a second pin, in a directory of its own.
    let saboteur = PathBuf::from(format!("{}x", net.pin_dir.display()));
    fs::create_dir_all(saboteur.join(&version).join("links")).unwrap();
    fs::hard_link(&pin, saboteur.join(&version).join("links/pin")).unwrap();
    let told = honeymesh_xdp::release(&saboteur).unwrap();
    assert!(told[0].contains("detached"), "{told:?}");
    daemon.wait_for("the program had come off; it is on again");
    assert!(!net.reaches(), "the ban holds again");
    let audit = eventually("an audit that tells of it", || {
        let audit = net.json(&["status"])["audit"].clone();
        (audit["put_back"][0] == net.interface.as_str()).then_some(audit)
    });
    assert!(
        audit["took_us"].as_u64().unwrap() > 0
            && audit["every_seconds"] == 30
            && audit["detached"].as_array().unwrap().is_empty()
    );
    assert!(net.told(&["status"]).contains(&format!("the program back on {}: mended", net.interface)));
    let status = eventually("a probe", || Some(net.json(&["status"])).filter(|status| !status["probe"].is_null()));
    assert_eq!((&status["probe"]["ok"], &status["probe"]["failures"]), (&true.into(), &0.into()), "{status}");
    assert!(net.told(&["status"]).contains("probe    a banned source is dropped, another one is not: at"));
    assert!(daemon.stop().0.success());
}

#[test]
fn release_refuses_while_a_daemon_runs_and_then_leaves_nothing_behind() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config("");
    let daemon = net.start(&config);
    net.told(&["ban", "10.77.0.2"]);
    let (code, line) = release(&net, &config);
    assert!(
        code == 1 && line.contains(&format!("(process {})", daemon.child.id())) && line.contains("stop it first"),
        "{code} {line}"
    );
    assert!(!net.reaches());
    assert!(daemon.stop().0.success());
    assert!(!net.reaches(), "held");
    let (code, told) = release(&net, &config);
    assert!(code == 0 && told.contains(&format!("detached from {}, removed", net.interface)), "{code} {told}");
    assert!(net.reaches() && !net.pin_dir.exists());
    let shown = Command::new("ip").args(["-n", &net.node, "link", "show", "dev", &net.interface]).output().unwrap();
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("xdp"));
    let (code, told) = release(&net, &config);
    assert!(code == 0 && told.contains("nothing to release"), "{code} {told}");
    // By hand, the keeper says what it is for.
    let mut by_hand = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
    let (code, line) = fails({
        by_hand.arg("keeper").stdin(Stdio::null()).stderr(Stdio::piped());
        by_hand
    });
    assert!(code == 2 && line.contains("started by `honeymesh run`"), "{code} {line}");
    drop(Daemon::spawn(net.daemon_command(&config)));
}

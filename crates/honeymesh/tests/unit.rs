//! The files in `packaging/systemd`: systemd understands them, and the daemon starts with no more than its unit leaves it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, Rung, eventually, is_root, on_every_rung};
use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

on_every_rung! { the_daemon_works_with_no_more_than_its_unit_leaves_it }

/// What the unit says the program is.
const PROGRAM: &str = "/usr/local/bin/honeymesh";
/// Of a hundred: systemd's own judgement of what a service could still do, before the daemon gives its power away by itself.
const EXPOSURE_MAX: &str = "40";

fn packaged(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd").join(name)
}

fn unit() -> String {
    fs::read_to_string(packaged("honeymesh.service")).unwrap()
}

/// The words of a setting, which must be there.
fn setting(name: &str) -> Vec<String> {
    let unit = unit();
    let lines: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect();
    assert_eq!(lines.len(), 1, "{name}");
    lines[0].split_whitespace().map(str::to_owned).collect()
}

/// Runs a tool of systemd's, if there is one.
fn tool(name: &str, args: &[&str]) -> Option<Output> {
    match Command::new(name).args(args).env("SYSTEMD_PAGER", "").output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: {name} (Debian: systemd): {error}");
            None
        }
    }
}

fn shown(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn systemd_understands_every_line_of_the_unit_and_calls_it_guarded() {
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (dir.path().join("honeymesh.service"), dir.path().join("bad.service"));
    let text = unit().replace(PROGRAM, env!("CARGO_BIN_EXE_honeymesh"));
    assert!(!text.contains(PROGRAM));
    fs::write(&good, &text).unwrap();
    fs::write(&bad, text.replace("ProtectSystem=strict", "ProtectSystem=mostly")).unwrap();
    let verify = |unit: &Path| tool("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no", unit.to_str().unwrap()]);
    let Some(verified) = verify(&good) else { return };
    assert!(verified.status.success() && shown(&verified).is_empty(), "{}", shown(&verified));
    assert!(shown(&verify(&bad).unwrap()).contains("mostly"), "a line that is not understood would be told");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let judged =
        tool("systemd-analyze", &["security", "--offline=true", "--no-pager", &threshold, good.to_str().unwrap()]).unwrap();
    assert!(judged.status.success(), "{}", shown(&judged));
}

#[test]
fn systemd_makes_the_users_and_the_directories_that_the_daemon_wants() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let root = format!("--root={}", dir.path().display());
    let Some(made) = tool("systemd-sysusers", &[&root, packaged("honeymesh.sysusers").to_str().unwrap()]) else { return };
    assert!(made.status.success(), "{}", shown(&made));
    let passwd = fs::read_to_string(dir.path().join("etc/passwd")).unwrap();
    let number = |name: &str| -> u32 {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name));
        line.unwrap_or_else(|| panic!("{name} in {passwd}")).split(':').nth(2).unwrap().parse().unwrap()
    };
    let (daemon, trap) = (number("honeymesh"), number("honeymesh-trap"));
    assert!(daemon != trap && daemon != 0 && trap != 0 && passwd.lines().all(|line| line.ends_with("nologin")), "{passwd}");
    fs::write(dir.path().join("etc/passwd"), format!("root:x:0:0:root:/root:/bin/sh\n{passwd}")).unwrap();
    let group = fs::read_to_string(dir.path().join("etc/group")).unwrap();
    fs::write(dir.path().join("etc/group"), format!("root:x:0:\n{group}")).unwrap();
    let made = tool("systemd-tmpfiles", &[&root, "--create", packaged("honeymesh.tmpfiles").to_str().unwrap()]).unwrap();
    assert!(made.status.success(), "{}", shown(&made));
    let found = |path: &str| {
        let found = fs::metadata(dir.path().join(path)).unwrap();
        (found.uid(), found.mode() & 0o7777)
    };
    assert_eq!(found("var/lib/honeymesh"), (daemon, 0o710), "as the daemon leaves it: a start changes nothing");
    assert_eq!(found("etc/honeymesh"), (0, 0o755));
}

/// The daemon as the unit lets it be: only these capabilities, and a file system that is read only but for these places.
fn confined(net: &Net, config: &Path) -> Command {
    let capabilities: Vec<String> = setting("CapabilityBoundingSet")
        .iter()
        .map(|name| format!("+{}", name.strip_prefix("CAP_").unwrap().to_lowercase()))
        .collect();
    let bounding = format!("--bounding-set=-all,{}", capabilities.join(","));
    // The places of the unit are elsewhere in a test; the pins are where they are.
    let places = setting("ReadWritePaths");
    assert_eq!(places, ["/var/lib/honeymesh", "/etc/honeymesh", "-/sys/fs/bpf"]);
    assert_eq!(
        (setting("RuntimeDirectory"), setting("RuntimeDirectoryPreserve")),
        (vec!["honeymesh".into()], vec!["yes".into()])
    );
    let [state, keys] = [net.state_dir(), net.dir.path().join("etc")].map(|path| path.display().to_string());
    let script = format!(
        "set -e; mkdir -p /run/honeymesh
         for place in {state} {keys} /run/honeymesh; do mount --bind $place $place; done
         mount -o remount,bind,ro /
         if touch {dir}/no 2>/dev/null; then echo 'it is not read only' >&2; exit 9; fi
         exec setpriv --no-new-privs {bounding} {program} run --config {config}",
        dir = net.dir.path().display(),
        program = env!("CARGO_BIN_EXE_honeymesh"),
        config = config.display(),
    );
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", net.node)).args([
        "unshare",
        "--mount",
        "--propagation",
        "slave",
        "sh",
        "-c",
        &script,
    ]);
    command.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
    command
}

fn the_daemon_works_with_no_more_than_its_unit_leaves_it(rung: Rung) {
    let net = Net::on(rung);
    let keys = net.dir.path().join("etc");
    fs::create_dir(&keys).unwrap();
    // As systemd-tmpfiles has made it, for whom systemd-sysusers has made, or for the number of nobody's.
    fs::create_dir(net.state_dir()).unwrap();
    let user = nix::unistd::User::from_name("honeymesh").unwrap().map_or(65_521, |user| user.uid.as_raw());
    chown(net.state_dir(), Some(user), Some(user)).unwrap();
    let key = |name: &str| {
        let file = keys.join(name);
        assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&file).output().unwrap().status.success());
        file
    };
    let (old, new) = (key("m.key"), key("new.key"));
    let config = net.config(&format!(
        "[[trap]]\nname = \"web\"\nservice = \"http\"\nlisten = [\"0.0.0.0:80\"]\n[traps]\ndark = \"trap\"\n\
         [[cluster]]\nname = \"m\"\nkey_file = \"{}\"\nkey_grace = \"1s\"\n",
        old.display()
    ));
    let daemon = net.start_as(confined(&net, &config));
    let status = net.json(&["status"]);
    // Of nf_tables that it is not XDP, and nothing else.
    assert_eq!(status["warnings"].as_array().unwrap().len(), usize::from(!rung.is_xdp()), "{status}");
    assert_ne!(status["user"], "root");
    // Pinned where others see it, traps on low and dark ports, bans, and keys that are rewritten.
    if rung.is_xdp() {
        assert!(fs::read_dir(&net.pin_dir).unwrap().next().is_some());
    }
    let probe = eventually("a self-probe", || Some(net.json(&["status"])["probe"].clone()).filter(|probe| !probe.is_null()));
    assert_eq!((&probe["ok"], &probe["failures"]), (&true.into(), &0.into()), "{probe}");
    assert!(net.stranger("curl -s --max-time 15 http://10.77.0.1:80/"));
    eventually("the visitor's ban", || (!net.reaches()).then_some(()));
    net.told(&["key", "rotate", "m", "--new", new.to_str().unwrap()]);
    let digits = fs::read_to_string(&new).unwrap();
    eventually("the new key alone in its file", || {
        let text = fs::read_to_string(&old).unwrap();
        (text.lines().filter(|line| !line.starts_with('#')).eq([digits.trim()])).then_some(())
    });
    daemon.kill();
    assert!(!net.reaches(), "the kernel goes on");
    let daemon = net.start_as(confined(&net, &config));
    assert!(!net.reaches(), "adopted");
    assert!(daemon.stop().0.success());
}

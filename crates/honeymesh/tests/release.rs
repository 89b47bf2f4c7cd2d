//! `honeymesh release` after a daemon of each rung was killed: nothing is left behind, whatever has become of configuration and lock.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, Rung, eventually, is_root, sh};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The database and the socket; who the node is; what the API and the traps show.
const KEPT: [&str; 4] = ["honeymesh.", "identity.key", "api.", "traps"];

/// A daemon on the rung of this `attach` that bans, has traps on dark ports, and is killed with all its processes.
fn left_by(attach: &str) -> (Net, PathBuf) {
    let net = if attach == "nftables" { Net::on(Rung::Nftables) } else { Net::new() };
    let config = net.config("[traps]\ndark = \"trap\"\n");
    let text = fs::read_to_string(&config).unwrap();
    if attach != "nftables" {
        fs::write(&config, text.replace("[xdp]\n", &format!("[xdp]\nattach = \"{attach}\"\n"))).unwrap();
    }
    let daemon = net.start(&config);
    net.told(&["ban", "10.77.0.2"]);
    net.told(&["ban", "203.0.113.0/24"]);
    let status = net.json(&["status"]);
    assert_eq!(status["interfaces"][0]["xdp_mode"], attach, "{status}");
    daemon.kill();
    eventually("the end of its other processes", || processes(&net).is_empty().then_some(()));
    assert!(!net.reaches(), "the kernel goes on");
    (net, config)
}

/// Our processes in the node's network namespace.
fn processes(net: &Net) -> Vec<String> {
    let place = |path: &Path| fs::metadata(path).map(|found| found.ino()).ok();
    let ours = place(&Path::new("/run/netns").join(&net.node)).unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let inside = all.filter(|process| place(&process.join("ns/net")) == Some(ours));
    let named = inside.filter_map(|process| fs::read_to_string(process.join("comm")).ok());
    named.filter(|name| name.starts_with("honeymesh")).collect()
}

fn run(net: &Net, words: &[&str]) -> Output {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", net.node)).args(words).stdin(Stdio::null()).output().unwrap()
}

/// Exit code, and what is said.
fn release(net: &Net, words: &[&str]) -> (i32, String) {
    let output = run(net, &[&[env!("CARGO_BIN_EXE_honeymesh"), "release"], words].concat());
    (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn shown(net: &Net, words: &[&str]) -> String {
    let output = run(net, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lock of nf_tables for this network namespace.
fn lock(net: &Net) -> PathBuf {
    let number = fs::metadata(Path::new("/run/netns").join(&net.node)).unwrap().ino();
    format!("/run/honeymesh/nft-{number}.lock").into()
}

/// Nothing of ours is in this network namespace, and nothing is where pins and locks are.
fn nothing_is_left(net: &Net) {
    assert!(net.reaches(), "nobody drops");
    assert_eq!(shown(net, &["nft", "list", "tables"]), "");
    let links = shown(net, &["ip", "-d", "link"]);
    assert!(!links.contains("xdp") && !links.contains("prog/"), "{links}");
    assert!(!net.pin_dir.exists() && !lock(net).exists());
    assert!(processes(net).is_empty());
    // What is the daemon's to keep stays, and nothing else: docs/systemd.md says so.
    let kept = fs::read_dir(net.state_dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unknown: Vec<String> = kept.filter(|name| !KEPT.iter().any(|known| name.starts_with(known))).collect();
    assert_eq!(unknown, [""; 0]);
}

fn everything_goes(attach: &str) {
    if !is_root() {
        return;
    }
    let (net, config) = left_by(attach);
    let config = config.to_str().unwrap();
    let (code, told) = release(&net, &["--config", config]);
    assert_eq!(code, 0, "{told}");
    let expected: &[&str] = match attach {
        "nftables" => &["the nf_tables tables netdev honeymesh and inet honeymesh: removed"],
        // Both programs.
        _ => &["/links/", "/steering/", "removed"],
    };
    assert!(expected.iter().all(|words| told.contains(words)), "{told}");
    if attach != "nftables" {
        assert_eq!(told.matches(&format!("detached from {}, removed", net.interface)).count(), 2, "{told}");
    }
    nothing_is_left(&net);
    let (code, told) = release(&net, &["--config", config]);
    assert!(code == 0 && told.contains("nothing to release"), "{code} {told}");
    nothing_is_left(&net);
}

#[test]
fn after_native_xdp_nothing_is_left_behind() {
    everything_goes("native");
}

#[test]
fn after_generic_xdp_nothing_is_left_behind() {
    everything_goes("generic");
}

#[test]
fn after_nf_tables_nothing_is_left_behind() {
    everything_goes("nftables");
}

#[test]
fn tables_whose_lock_is_gone_are_found_all_the_same() {
    if !is_root() {
        return;
    }
    let (net, config) = left_by("nftables");
    fs::remove_file(lock(&net)).unwrap();
    let (code, told) = release(&net, &["--config", config.to_str().unwrap()]);
    assert!(code == 0 && told.contains("inet honeymesh: removed"), "{code} {told}");
    nothing_is_left(&net);
}

#[test]
fn a_configuration_that_is_broken_or_gone_is_worked_around_or_told_how_to() {
    if !is_root() {
        return;
    }
    let (net, config) = left_by("native");
    let (file, text) = (config.to_str().unwrap(), fs::read_to_string(&config).unwrap());
    let pins = net.pin_dir.to_str().unwrap();
    let without = text.lines().filter(|line| !line.starts_with("pin_dir")).collect::<Vec<_>>().join("\n");
    // Where they do not tell where the pins are, nothing is guessed.
    for (broken, why) in [
        (format!("{without}\n[scan\nports = 3\n"), "mend the TOML syntax here"),
        (text.replace(pins, "pins"), "`pins` is no absolute path"),
        (text.replace(&format!("\"{pins}\""), "7"), "write a text in quotes"),
    ] {
        fs::write(&config, broken).unwrap();
        let (code, told) = release(&net, &["--config", file]);
        assert!(code == 2 && told.contains(why) && told.contains("honeymesh release --pin-dir DIR"), "{code} {told}");
        assert!(!net.reaches(), "nothing was changed: {why}");
    }
    let gone = net.dir.path().join("gone.toml");
    let (code, told) = release(&net, &["--config", gone.to_str().unwrap()]);
    assert!(code == 2 && told.contains("No such file") && told.contains("--pin-dir DIR"), "{code} {told}");
    // Where they do, whatever else is wrong does not matter.
    fs::write(&config, text.clone() + "[scan]\nportz = 3\n[[cluster]]\nkey_file = \"/gone\"\n[bans\n").unwrap();
    let (code, told) = release(&net, &["--config", file]);
    assert!(code == 0 && told.contains("detached from"), "{code} {told}");
    nothing_is_left(&net);
}

#[test]
fn without_any_configuration_the_named_or_the_default_directory_is_looked_at() {
    if !is_root() {
        return;
    }
    let (net, config) = left_by("generic");
    fs::remove_file(&config).unwrap();
    let pins = net.pin_dir.to_str().unwrap();
    let (code, told) = release(&net, &["--pin-dir", pins, "--config", config.to_str().unwrap()]);
    assert!(code == 2 && told.contains("cannot be used with"), "{code} {told}");
    // In a mount namespace of its own, where nobody else's files are.
    let empty =
        "for d in /etc/honeymesh /var/lib/honeymesh; do [ -d $d ] && mount -t tmpfs t $d; done; mount -t bpf b /sys/fs/bpf";
    let line = format!("{empty}; exec {} release", env!("CARGO_BIN_EXE_honeymesh"));
    let output = run(&net, &["unshare", "--mount", "bash", "-c", &line]);
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && told.contains("there is no /etc/honeymesh/honeymesh.toml"), "{told}");
    assert!(told.contains("nothing to release below /sys/fs/bpf/honeymesh"), "{told}");
    assert!(!net.reaches(), "it was elsewhere");
    let (code, told) = release(&net, &["--pin-dir", pins]);
    assert!(code == 0 && told.contains("detached from"), "{code} {told}");
    nothing_is_left(&net);
}

#[test]
fn whoever_is_not_root_is_told_so_and_a_running_daemon_is_left_alone() {
    if !is_root() {
        return;
    }
    let net = Net::on(Rung::Nftables);
    let config = net.config("");
    let binary = net.dir.path().join("honeymesh");
    fs::copy(env!("CARGO_BIN_EXE_honeymesh"), &binary).unwrap();
    sh(&format!("chmod 755 {}; chmod 644 {}", binary.display(), config.display()));
    let words = ["setpriv", "--reuid=65534", "--clear-groups", binary.to_str().unwrap(), "release", "--config"];
    let output = run(&net, &[&words[..], &[config.to_str().unwrap()]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && told.contains("run this as root"), "{told}");
    let daemon = net.start(&config);
    net.told(&["ban", "10.77.0.2"]);
    // By another configuration, which does not know its socket.
    let other = net.dir.path().join("other.toml");
    fs::write(&other, fs::read_to_string(&config).unwrap().replace("/state\"", "/elsewhere\"")).unwrap();
    let (code, told) = release(&net, &["--config", other.to_str().unwrap()]);
    assert!(code == 1 && told.contains("another honeymesh already uses"), "{code} {told}");
    assert!(!net.reaches() && lock(&net).exists());
    assert!(daemon.stop().0.success());
    let (code, told) = release(&net, &["--config", config.to_str().unwrap()]);
    assert!(code == 0 && told.contains("removed"), "{code} {told}");
    nothing_is_left(&net);
}

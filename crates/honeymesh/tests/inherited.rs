//! No process of the daemon's keeps a descriptor that whoever started it had left open: it would be a way around its user and its files.
//! And a daemon that stays root is bound to its files, too.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Daemon, Net, Rung, eventually, is_root, on_every_rung};
use std::{
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Command, Stdio},
};

/// A file that nobody but root may read.
const SECRET: &str = "/etc/shadow";

/// Starts what it is told with that file open.
const WITH_SECRET: &str = "exec 9</etc/shadow; exec \"$@\"";

/// Does this process have it open?
fn holds(pid: u32) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|file| file == Path::new(SECRET))
}

/// What the kernel says of each process: its number, its parent's, and its name.
fn processes() -> Vec<(u32, u32, String)> {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let told = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some((pid, field("PPid:")?.parse().ok()?, field("Name:")?.to_owned()))
    };
    all.filter_map(told).collect()
}

/// A process and all that descend from it.
fn family(first: u32) -> Vec<(u32, String)> {
    let all = processes();
    let mut family: Vec<(u32, String)> =
        all.iter().filter(|(pid, ..)| *pid == first).map(|(pid, _, name)| (*pid, name.clone())).collect();
    let mut looked_at = 0;
    while let Some((parent, _)) = family.get(looked_at).cloned() {
        family.extend(all.iter().filter(|(_, of, _)| *of == parent).map(|(pid, _, name)| (*pid, name.clone())));
        looked_at += 1;
    }
    family
}

on_every_rung! { no_process_keeps_what_the_daemon_was_started_with }

fn no_process_keeps_what_the_daemon_was_started_with(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config("[[trap]]\nname = \"ssh\"\nservice = \"ssh\"\nlisten = [\"0.0.0.0:2222\"]\n");
    let daemon = net.daemon_command(&config);
    let mut command = Command::new("bash");
    command.args(["-c", WITH_SECRET, "-"]).arg(daemon.get_program()).args(daemon.get_args());
    command.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
    let mut daemon = Daemon::spawn(command);
    daemon.wait_for("ready");
    let family = family(daemon.child.id());
    let named = |name: &str| family.iter().filter(|(_, of)| of.starts_with(name)).count();
    let helper = if rung == Rung::Nftables { "honeymesh-nft" } else { "honeymesh-keep" };
    assert!(named("honeymesh-trap") == 2 && named(helper) == 1, "{family:?}");
    let holders: Vec<_> = family.iter().filter(|(pid, _)| holds(*pid)).collect();
    assert!(holders.is_empty(), "{holders:?} of {family:?}");
    assert!(daemon.stop().0.success());
}

#[test]
fn each_other_process_lets_go_of_it_by_itself() {
    if !is_root() {
        return;
    }
    for role in ["keeper", "nft-writer", "traps", "clerk"] {
        // Nobody says anything on its lines.
        let lines = [(); 2].map(|()| UnixStream::pair().unwrap());
        let [(_orders, orders), (_looks, looks)] = lines;
        let mut command = Command::new("bash");
        command.args(["-c", WITH_SECRET, "-", env!("CARGO_BIN_EXE_honeymesh"), role]).stderr(Stdio::null());
        let mut child = command.stdin(OwnedFd::from(orders)).stdout(OwnedFd::from(looks)).spawn().unwrap();
        drop(command);
        let pid = child.id();
        let runs = || fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|file| file.ends_with("honeymesh"));
        eventually(role, || (runs() && !holds(pid)).then_some(()));
        assert!(child.try_wait().unwrap().is_none(), "{role} waits for an order");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Root's files would be open to it, and its own code by way of `/proc`; but it does all its work, to the last.
#[test]
fn a_daemon_that_stays_root_writes_its_own_files_only_and_does_its_work_to_the_last() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config("");
    let text = fs::read_to_string(&config).unwrap().replace("[node]\n", "[node]\nuser = \"root\"\n");
    fs::write(&config, text.replace("[xdp]\n", "[xdp]\non_exit = \"release\"\n")).unwrap();
    let daemon = net.start(&config);
    let given = daemon.log.iter().find(|line| line.contains("power given away")).unwrap();
    let is_bound = given.contains("files restricted") || given.contains("this kernel cannot");
    assert!(is_bound && net.json(&["status"])["user"] == "root", "{given}");
    net.told(&["ban", "10.77.0.2"]);
    assert!(!net.reaches());
    let (status, log) = daemon.stop();
    assert!(status.success() && log.iter().any(|line| line.contains("the kernel is released")), "{log:?}");
    assert!(net.reaches() && fs::read_dir(&net.pin_dir).map_or(0, Iterator::count) == 0, "nothing is left");
}

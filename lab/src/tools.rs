//! The strangers' tools: curl, lftp, ssh, hping3, with deadlines.

use crate::{process::Outcome, topology::Host};
use anyhow::Result;
use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
    time::Duration,
};

/// How long after its own deadline a tool is stopped.
const GRACE: Duration = Duration::from_secs(5);

/// How long a visitor goes on talking to a trap that has stopped answering.
const VISIT_TIME_MAX: Duration = Duration::from_secs(4);

/// `curl` of a page; gives up after `time_max`.
///
/// # Errors
/// If curl cannot be started; its exit code is not judged.
pub fn curl(host: &Host, at: SocketAddr, path: &str, time_max: Duration) -> Result<Outcome> {
    let seconds = format!("{:.3}", time_max.as_secs_f64());
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--globoff", "--noproxy", "*", "--max-time", &seconds]);
    curl.arg(format!("http://{at}{path}"));
    host.run(&mut curl, time_max + GRACE)
}

/// `lftp` logs in at `at` and lists the directory.
///
/// # Errors
/// If lftp cannot be started; its exit code is not judged.
pub fn ftp_login(host: &Host, at: SocketAddr, user: &str, password: &str) -> Result<Outcome> {
    let settings = "set cmd:fail-exit yes; set net:timeout 3; set net:max-retries 1; set net:reconnect-interval-base 1";
    let script = format!("{settings}; set ftp:ssl-allow no; open -u {user},{password} ftp://{at}; ls; bye");
    let mut lftp = Command::new("lftp");
    // An empty home: nobody's settings, no history.
    lftp.env("HOME", "/nonexistent").args(["--norc", "-c", &script]);
    host.run(&mut lftp, VISIT_TIME_MAX)
}

/// `ssh` to `at`, without a person to ask.
///
/// # Errors
/// If ssh cannot be started; its exit code is not judged.
pub fn ssh(host: &Host, at: SocketAddr) -> Result<Outcome> {
    let mut ssh = Command::new("ssh");
    ssh.args(["-o", "BatchMode=yes"]);
    host.run(ssh_arguments(&mut ssh, at), VISIT_TIME_MAX)
}

/// The same with a password.
///
/// # Errors
/// If sshpass cannot be started; its exit code is not judged.
pub fn ssh_login(host: &Host, at: SocketAddr, password: &str) -> Result<Outcome> {
    let mut sshpass = Command::new("sshpass");
    sshpass.args(["-p", password, "ssh"]);
    host.run(ssh_arguments(&mut sshpass, at), VISIT_TIME_MAX)
}

fn ssh_arguments(command: &mut Command, at: SocketAddr) -> &mut Command {
    let options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=5", "ServerAliveInterval=2"];
    command.args(["-F", "/dev/null"]).args(options.iter().flat_map(|option| ["-o", *option]));
    command.args(["-p", &at.port().to_string(), &format!("root@{}", at.ip()), "id"])
}

/// `hping3` sends `count` SYNs to ascending ports from `first_port` on, each from the forged address `source` (IPv4).
///
/// # Errors
/// If hping3 cannot be started; that it gets no answer is expected.
pub fn hping_syns(host: &Host, source: IpAddr, target: IpAddr, first_port: u16, count: u32) -> Result<Outcome> {
    let mut hping = Command::new("hping3");
    hping.args(["-q", "-n", "-S", "-i", "u1000", "-c", &count.to_string(), "-p", &format!("++{first_port}")]);
    hping.args(["-a", &source.to_string(), &target.to_string()]);
    host.run(&mut hping, Duration::from_secs(30))
}

//! What a host's link really carries, seen with tcpdump.

use crate::{process::Task, process::wait_until, topology::Host};
use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// How long tcpdump may take to begin or to end.
const TCPDUMP_TIME_MAX: Duration = Duration::from_secs(10);

/// How long what is still on its way to tcpdump's file may take.
const SETTLE_TIME: Duration = Duration::from_millis(300);

/// A TCP segment that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// When: seconds since 1970.
    pub at: f64,
    /// From whom.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// tcpdump's letters: `S` SYN, `.` ACK, `R` RST, `F` FIN, `P` PSH.
    pub flags: String,
}

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    task: Task,
    seen: PathBuf,
    said: PathBuf,
}

impl Capture {
    /// Watches the TCP segments on `host`'s link. `name` names the capture's files under `scratch`.
    ///
    /// # Errors
    /// If tcpdump does not begin.
    pub fn start(host: &Host, scratch: &std::path::Path, name: &str) -> Result<Self> {
        let seen = scratch.join(format!("{name}.capture"));
        let said = scratch.join(format!("{name}.tcpdump"));
        let mut tcpdump = Command::new("tcpdump");
        // Unbuffered in every way, or the last packets would be missing; headers only, or the ring would hold few.
        tcpdump.args(["-i", "eth0", "-nn", "-tt", "-l", "--immediate-mode", "-s", "128", "-B", "16384", "-Z", "root", "tcp"]);
        tcpdump.stdin(Stdio::null()).stdout(fs::File::create(&seen)?).stderr(fs::File::create(&said)?);
        let task = host.spawn(&mut tcpdump)?;
        wait_until("tcpdump listens", TCPDUMP_TIME_MAX, || {
            Ok(fs::read_to_string(&said).unwrap_or_default().contains("listening on").then_some(()))
        })?;
        Ok(Self { task, seen, said })
    }

    /// Ends it and returns what it saw, in order.
    ///
    /// # Errors
    /// If its file cannot be read, or it missed packets.
    pub fn finish(self) -> Result<Vec<Segment>> {
        thread::sleep(SETTLE_TIME);
        self.task.ask_to_end(Signal::SIGINT, TCPDUMP_TIME_MAX);
        let said = fs::read_to_string(&self.said).context("failed to read what tcpdump said")?;
        ensure!(said.contains("\n0 packets dropped by kernel"), "tcpdump missed packets: {said}");
        let text = fs::read_to_string(&self.seen).context("failed to read what tcpdump saw")?;
        Ok(text.lines().filter_map(segment).collect())
    }
}

/// `1795428000.123456 IP 198.18.1.10.80 > 203.0.113.66.4567: Flags [S.], seq ...`
fn segment(line: &str) -> Option<Segment> {
    let mut words = line.split(' ');
    let at = words.next()?.parse().ok()?;
    let ("IP" | "IP6") = words.next()? else { return None };
    let from = endpoint(words.next()?)?;
    let to = endpoint(words.nth(1)?.trim_end_matches(':'))?;
    let flags = line.split_once("Flags [")?.1.split_once(']')?.0.to_owned();
    Some(Segment { at, from, to, flags })
}

fn endpoint(text: &str) -> Option<SocketAddr> {
    let (addr, port) = text.rsplit_once('.')?;
    Some(SocketAddr::new(addr.parse::<IpAddr>().ok()?, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcpdumps_lines_are_understood() {
        let line = "1795428000.123456 IP 198.18.1.10.80 > 203.0.113.66.4567: Flags [S.], seq 1, ack 2, win 3, length 0";
        let seen = segment(line).unwrap();
        assert_eq!((seen.from.to_string().as_str(), seen.to.port(), seen.flags.as_str()), ("198.18.1.10:80", 4567, "S."));
        let line = "1795428000.5 IP6 2001:db8:1::10.81 > 2001:db8:bad::66.1: Flags [R.], seq 0, length 0";
        assert_eq!(segment(line).unwrap().from, "[2001:db8:1::10]:81".parse().unwrap());
        assert_eq!(segment("1795428000.5 ARP, Request who-has 198.18.1.10"), None);
    }
}

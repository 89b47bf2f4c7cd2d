//! How long others take from what gives a stranger away to the entry in the kernel: fail2ban and `CrowdSec`, from the line in a log;
//! portsentry, from the connection. All enter into a set of nftables, and what nftables tells of it is the end; its telling takes part of
//! a millisecond, which is theirs here.

use super::{STAGE, crowdsec};
use crate::{Family, Host, Lab, Place, Task, connect, wait_until};
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// How long a ban may take to be seen.
pub const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// How long one may take to come up.
pub const START_TIME_MAX: Duration = Duration::from_secs(30);
/// Who follows a log looks every second or every ten, or so: each offence comes at another moment of it than the one before.
const UNEVEN: Duration = Duration::from_millis(1_130);
const PORT: u16 = 4_444;
/// Who is banned before anything is measured.
const FIRST: &str = "192.0.2.1";
/// The set that they enter into.
const SET: &str = "inet door banned";

/// Who is measured here, as one asks for it.
pub const NAMES: [&str; 3] = ["fail2ban", "portsentry", "crowdsec"];

/// The times of `rounds` bans, sorted, by name; of `only` one of [`NAMES`], or of all.
///
/// # Errors
/// One of them is not installed, does not come up or bans nobody.
pub fn measure(rounds: usize, unpacked: &Path, only: Option<&str>) -> Result<Vec<(&'static str, Vec<Duration>)>> {
    let lab = Lab::up()?;
    let host = lab.host(STAGE);
    for words in [vec!["add", "table", "inet", "door"], vec!["add", "set", "inet", "door", "banned", "{ type ipv4_addr; }"]] {
        host.run(Command::new("nft").args(words), START_TIME_MAX)?.checked()?;
    }
    let mut times = Vec::new();
    for name in NAMES.into_iter().filter(|name| only.is_none_or(|only| only == *name)) {
        times.extend(match name {
            "fail2ban" => vec![(name, fail2ban(&lab, &Bans::follow(host)?, rounds, unpacked)?)],
            "portsentry" => vec![(name, portsentry(&lab, &Bans::follow(host)?, rounds, unpacked)?)],
            _ => crowdsec::measure(&lab, rounds, unpacked)?,
        });
    }
    times.iter_mut().for_each(|(_, times)| times.sort_unstable());
    Ok(times)
}

/// One offence after the other, from an address each, whether or not the one before is banned yet; `offend` says when it was to be seen. How
/// long each took to be banned.
pub fn offences(rounds: Range<usize>, bans: &Bans, mut offend: impl FnMut(&str) -> Result<Instant>) -> Result<Vec<Duration>> {
    let addresses: Vec<String> = rounds.map(|round| format!("203.0.113.{}", round % 250 + 1)).collect();
    let mut said = Vec::new();
    for address in &addresses {
        said.push(offend(address)?);
        thread::sleep(UNEVEN);
    }
    let banned = bans.of(&addresses, SEEN_WITHIN)?;
    Ok(banned.into_iter().zip(said).map(|(banned, said)| banned.saturating_duration_since(said)).collect())
}

/// One offence that is not measured: it shows that all of it works, and that the log is followed. fail2ban takes some five seconds until then.
pub fn warm_up(bans: &Bans, offend: &mut impl FnMut(&str) -> Result<Instant>) -> Result<()> {
    offend(FIRST)?;
    bans.of_one(FIRST).map(drop)
}

/// Who was entered into a set, as it happens.
pub struct Bans {
    monitor: Child,
    seen: Receiver<(Instant, String)>,
}

impl Bans {
    /// Of all sets of a host, from now on.
    pub fn follow(host: &Host) -> Result<Self> {
        let mut nft = Command::new("nft");
        nft.args(["monitor", "new", "elements"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut monitor = host.namespace.inside(|| Ok(nft.spawn()?))?;
        let lines = monitor.stdout.take().context("nft's output")?;
        let (told, seen) = channel();
        thread::spawn(move || {
            let tell = |line: String| told.send((Instant::now(), line)).is_ok();
            BufReader::<ChildStdout>::new(lines).lines().map_while(Result::ok).all(tell)
        });
        // It says nothing of having begun.
        thread::sleep(Duration::from_secs(1));
        Ok(Self { monitor, seen })
    }

    /// When `address` was entered.
    pub fn of_one(&self, address: &str) -> Result<Instant> {
        let of = self.of(&[address.to_owned()], SEEN_WITHIN)?;
        of.first().copied().context("one address, one moment")
    }

    /// When each of `addresses` was first entered. It waits for `time_max` at most.
    pub fn of(&self, addresses: &[String], time_max: Duration) -> Result<Vec<Instant>> {
        let (deadline, mut entered) = (Instant::now() + time_max, BTreeMap::new());
        loop {
            if let Some(all) = addresses.iter().map(|address| entered.get(address).copied()).collect() {
                return Ok(all);
            }
            let Ok((at, line)) = self.seen.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                let missing: Vec<_> = addresses.iter().filter(|address| !entered.contains_key(*address)).collect();
                bail!("nobody has banned {missing:?} within {time_max:?}");
            };
            for address in named(&line, addresses) {
                entered.entry(address.clone()).or_insert(at);
            }
        }
    }
}

/// Those of `addresses` that a line of nftables' is about: it has all in one that were entered at once.
fn named<'a>(line: &str, addresses: &'a [String]) -> Vec<&'a String> {
    addresses.iter().filter(|address| line.split([' ', ',']).any(|word| word == *address)).collect()
}

impl Drop for Bans {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

/// A program of an unpacked package.
pub fn program(unpacked: &Path, path: &str) -> Result<PathBuf> {
    let program = unpacked.join(path);
    ensure!(program.is_file(), "{} is missing; run `cargo xtask setup --for bench-traps`", program.display());
    Ok(program)
}

/// As Debian has it, with the fastest of its ways to watch a file, and one line enough for a ban.
fn fail2ban(lab: &Lab, bans: &Bans, rounds: usize, unpacked: &Path) -> Result<Vec<Duration>> {
    let server = program(unpacked, "usr/bin/fail2ban-server")?;
    let place = lab.scratch().join("fail2ban");
    for folder in ["filter.d", "action.d"] {
        fs::create_dir_all(place.join(folder))?;
    }
    let [log, socket, pid] = ["log", "sock", "pid"].map(|name| place.join(name).display().to_string());
    let file = |name: &str, text: &str| fs::write(place.join(name), text);
    file("log", "")?;
    file(
        "fail2ban.conf",
        &format!("[Definition]\nloglevel = ERROR\nlogtarget = STDERR\nsocket = {socket}\npidfile = {pid}\ndbfile = None\n"),
    )?;
    file(
        "jail.conf",
        &format!(
            "[trap]\nenabled = true\nfilter = trap\naction = door\nlogpath = {log}\nbackend = auto\nmaxretry = 1\nusedns = no\n"
        ),
    )?;
    file("filter.d/trap.conf", "[Definition]\nfailregex = ^ visit from <HOST>$\ndatepattern = ^EPOCH\n")?;
    file("action.d/door.conf", &format!("[Definition]\nactionban = nft add element {SET} {{ <ip> }}\nactionunban = true\n"))?;
    let mut command = Command::new("/usr/bin/python3");
    command.env("PYTHONPATH", unpacked.join("usr/lib/python3/dist-packages")).arg(server);
    command.args(["-x", "-f", "-c"]).arg(&place).args(["-s", &socket, "-p", &pid, "start"]);
    let out = fs::File::create(place.join("out"))?;
    let _task = lab.host(STAGE).spawn(command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out))?;
    let began = || Ok(fs::read_to_string(place.join("out"))?.contains("Server ready").then_some(()));
    wait_until("fail2ban begins", START_TIME_MAX, began)?;
    let mut offend = |address: &str| {
        let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
        let said = Instant::now();
        OpenOptions::new().append(true).open(&log)?.write_all(format!("{now} visit from {address}\n").as_bytes())?;
        Ok(said)
    };
    warm_up(bans, &mut offend)?;
    offences(0..rounds, bans, &mut offend)
}

/// As Debian has it, with one connection enough for a ban. Its configuration has one place, so it gets an `/etc` of its own.
fn portsentry(lab: &Lab, bans: &Bans, rounds: usize, unpacked: &Path) -> Result<Vec<Duration>> {
    let program = program(unpacked, "usr/sbin/portsentry")?;
    let place = lab.scratch().join("portsentry");
    fs::create_dir_all(&place)?;
    let [ignore, history, blocked] = ["ignore", "history", "blocked"].map(|name| place.join(name).display().to_string());
    for file in [&ignore, &history] {
        fs::write(file, "")?;
    }
    let config = format!(
        "TCP_PORTS=\"{PORT}\"\nUDP_PORTS=\"{PORT}\"\nIGNORE_FILE=\"{ignore}\"\nHISTORY_FILE=\"{history}\"\nBLOCKED_FILE=\"{blocked}\"\n\
         RESOLVE_HOST = \"0\"\nBLOCK_UDP=\"1\"\nBLOCK_TCP=\"1\"\nKILL_ROUTE=\"nft add element {SET} {{ $TARGET$ }}\"\nSCAN_TRIGGER=\"0\"\n"
    );
    fs::write(place.join("portsentry.conf"), config)?;
    let script = format!(
        "mount -t tmpfs none /etc && mkdir /etc/portsentry && cp {}/portsentry.conf /etc/portsentry/ && {} -tcp && sleep 600",
        place.display(),
        program.display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", &script]);
    let _task: Task = lab.host(STAGE).spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let (at, address) = (STAGE.at(Family::V4, PORT), Place::Attacker.addr(Family::V4).to_string());
    let forget = || -> Result<()> {
        // It does nothing about whom it knows, and writes that down after the ban.
        let known = format!("{blocked}.tcp");
        wait_until("portsentry notes whom it has banned", SEEN_WITHIN, || {
            Ok(fs::read_to_string(&known).unwrap_or_default().contains(&address).then_some(()))
        })?;
        fs::write(&known, "")?;
        let flush = lab.host(STAGE).run(Command::new("nft").args(["flush", "set", "inet", "door", "banned"]), START_TIME_MAX)?;
        flush.checked().map(drop)
    };
    wait_until("portsentry listens", START_TIME_MAX, || {
        Ok(connect(lab.attacker(), at, Duration::from_secs(1))?.is_ok().then_some(()))
    })?;
    bans.of_one(&address)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        forget()?;
        let connected = lab.attacker().namespace.inside(|| {
            let _stream = std::net::TcpStream::connect_timeout(&at, SEEN_WITHIN)?;
            Ok(Instant::now())
        })?;
        times.push(bans.of_one(&address)?.saturating_duration_since(connected));
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_nftables_is_about_all_whom_it_enters_and_nobody_else() {
        let line = "add element ip crowdsec crowdsec-blacklists { 203.0.113.7 timeout 4h expires 4h, 203.0.113.21 timeout 4h expires 4h }";
        let asked = ["203.0.113.21", "203.0.113.2", "203.0.113.7"].map(str::to_owned);
        assert_eq!(named(line, &asked), ["203.0.113.21", "203.0.113.7"]);
        assert_eq!(named("add element inet door banned { 203.0.113.2 }", &asked), ["203.0.113.2"]);
    }
}

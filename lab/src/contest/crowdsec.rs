//! How long `CrowdSec` takes from the line in a log to the entry in the kernel: Debian's agent, which reads the log and keeps the decisions,
//! and Debian's bouncer, which asks for them every so often and enters them into a set of nftables of its own.
//!
//! Both run in the host's namespace, from where nothing is reached but the lab. Parsers and scenarios are those of the hub that Debian ships.

use super::others::{Bans, START_TIME_MAX, offences, program, warm_up};
use crate::{Host, Lab, Task, wait_until};
use anyhow::{Context, Result, anyhow, ensure};
use jiff::Timestamp;
use nix::sys::signal::Signal;
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Of the hub, what Debian's package has on for a log of sshd: its collections `linux` and `sshd`, and its one parser more.
const ITEMS: [&str; 8] = [
    "collections/crowdsecurity/linux.yaml",
    "collections/crowdsecurity/sshd.yaml",
    "parsers/s00-raw/crowdsecurity/syslog-logs.yaml",
    "parsers/s01-parse/crowdsecurity/sshd-logs.yaml",
    "parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml",
    "parsers/s02-enrich/crowdsecurity/whitelists.yaml",
    "scenarios/crowdsecurity/ssh-bf.yaml",
    "scenarios/crowdsecurity/ssh-slow-bf.yaml",
];
/// `ssh-bf` bans who fails once more than its bucket holds.
const SSH_BF_FAILURES: usize = 6;
/// A scenario for which one failure is enough, of the kind that the hub's own scenarios for exploits are.
const ONE_FAILURE: &str = "type: trigger\nname: contest/one-failure\ndescription: \"one failed password\"\n\
    filter: \"evt.Meta.log_type == 'ssh_failed-auth'\"\ngroupby: evt.Meta.source_ip\nblackhole: 1m\n\
    labels:\n service: ssh\n type: bruteforce\n remediation: true\n";
/// How often the bouncer is started anew in a run. It asks at the same moment of the agent's seconds for as long as it lives.
const BOUNCERS: u32 = 3;
/// How long one is given to take its tables away.
const END_TIME_MAX: Duration = Duration::from_secs(10);
/// How much of a log is shown when something failed.
const TAIL_LINES: usize = 12;
/// Its accounts' name and secret.
const KEY: &str = "contest";

/// One way of running it.
struct Way {
    name: &'static str,
    /// How many failed passwords earn a ban: the hub's `ssh-bf`, or [`ONE_FAILURE`].
    failures: usize,
    /// How often the bouncer asks: whole seconds.
    asks_every: Duration,
}

/// How often the bouncer asks as it is shipped (`update_frequency`).
const DEFAULT_PACE: Duration = Duration::from_secs(10);
/// How often it asks at best, and how often the agent hands over whom it has decided about.
const A_SECOND: Duration = Duration::from_secs(1);
/// The bouncer's own pace and a faster one, each with both scenarios.
const WAYS: [Way; 4] = [
    Way { name: "CrowdSec, `ssh-bf`, asked every 10 s", failures: SSH_BF_FAILURES, asks_every: DEFAULT_PACE },
    Way { name: "CrowdSec, `ssh-bf`, asked every second", failures: SSH_BF_FAILURES, asks_every: A_SECOND },
    Way { name: "CrowdSec, one failure, asked every 10 s", failures: 1, asks_every: DEFAULT_PACE },
    Way { name: "CrowdSec, one failure, asked every second", failures: 1, asks_every: A_SECOND },
];

/// The times of `rounds` bans each way.
///
/// # Errors
/// It is not installed, does not come up or bans nobody; then with the ends of its logs.
pub fn measure(lab: &Lab, rounds: usize, unpacked: &Path) -> Result<Vec<(&'static str, Vec<Duration>)>> {
    // Links are made to it.
    let unpacked = std::path::absolute(unpacked)?;
    (1..).zip(WAYS).map(|(number, way)| Ok((way.name, run(lab, number, &way, rounds, &unpacked)?))).collect()
}

fn run(lab: &Lab, number: usize, way: &Way, rounds: usize, unpacked: &Path) -> Result<Vec<Duration>> {
    let host = lab.host(super::STAGE);
    let place = lab.scratch().join(format!("crowdsec{number}"));
    let measured = configure(host, &place, way, unpacked).and_then(|()| {
        let _agent = agent(host, &place, unpacked)?;
        bans(host, &place, way, rounds, unpacked)
    });
    measured.map_err(|error| {
        let ends = ["agent", "bouncer"].map(|name| (name, tail(&place.join(name))));
        let ends =
            ends.into_iter().filter(|(_, end)| !end.is_empty()).map(|(name, end)| format!("\nits {name} said last:\n{end}"));
        anyhow!("{}: {error:#}{}", way.name, ends.collect::<String>())
    })
}

/// The last lines of a file, if it is there.
fn tail(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Everything that it reads, and accounts for both of its halves. As Debian has it, but that nothing is told to or asked of its makers.
fn configure(host: &Host, place: &Path, way: &Way, unpacked: &Path) -> Result<()> {
    let (shipped, hub) = (unpacked.join("etc/crowdsec"), unpacked.join("usr/share/crowdsec/hub"));
    fs::create_dir_all(place.join("data"))?;
    copied(&shipped.join("patterns"), &place.join("patterns"))?;
    for name in ["profiles.yaml", "simulation.yaml"] {
        copy(&shipped.join(name), &place.join(name))?;
    }
    // It takes an item for enabled when a link to it stands where its author's name is left out.
    for item in ITEMS {
        let (folder, name) = item.split_once("/crowdsecurity/").context("an item's author")?;
        fs::create_dir_all(place.join(folder))?;
        symlink(hub.join(item), place.join(folder).join(name))?;
    }
    if way.failures == 1 {
        fs::write(place.join("scenarios/one-failure.yaml"), ONE_FAILURE)?;
    }
    let (etc, hub) = (place.display(), hub.display());
    let config = format!(
        "common: {{daemonize: false, log_media: stdout, log_level: info, working_dir: {etc}}}\n\
         config_paths: {{config_dir: {etc}, data_dir: {etc}/data, simulation_path: {etc}/simulation.yaml, hub_dir: {hub}, \
         index_path: {hub}/.index.json, plugin_dir: {etc}/none, notification_dir: {etc}/none}}\n\
         crowdsec_service: {{acquisition_path: {etc}/acquis.yaml, parser_routines: 1}}\n\
         db_config: {{type: sqlite, db_path: {etc}/data/crowdsec.db, use_wal: true, flush: {{max_items: 5000, max_age: 7d}}}}\n\
         api:\n  client: {{credentials_path: {etc}/account.yaml}}\n  \
         server: {{listen_uri: \"127.0.0.1:8080\", profiles_path: {etc}/profiles.yaml}}\nprometheus: {{enabled: false}}\n"
    );
    fs::write(place.join("config.yaml"), config)?;
    fs::write(place.join("acquis.yaml"), format!("filenames: [{}]\nlabels: {{type: syslog}}\n", log(place).display()))?;
    for file in [log(place), place.join("account.yaml")] {
        fs::write(file, "")?;
    }
    let own = format!(
        "mode: nftables\napi_key: {KEY}\nupdate_frequency: {}s\nlog_mode: stdout\nlog_dir: {etc}\npid_dir: {etc}\n",
        way.asks_every.as_secs()
    );
    // Read after the shipped one, which it overrides.
    fs::write(place.join("bouncer.yaml.local"), own)?;
    copy(&shipped.join("bouncers/crowdsec-firewall-bouncer.yaml"), &place.join("bouncer.yaml"))?;
    let account = place.join("account.yaml").display().to_string();
    for words in [
        &["machines", "add", KEY, "--password", KEY, "--force", "--url", "http://127.0.0.1:8080", "--file", &account][..],
        &["bouncers", "add", KEY, "--key", KEY],
    ] {
        let mut cscli = Command::new(program(unpacked, "usr/bin/cscli")?);
        host.run(cscli.arg("-c").arg(place.join("config.yaml")).args(words), START_TIME_MAX)?.checked()?;
    }
    Ok(())
}

/// The log that it follows.
fn log(place: &Path) -> PathBuf {
    place.join("auth.log")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("failed to copy {}", from.display()))
}

/// A folder of files.
fn copied(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let files = fs::read_dir(from).with_context(|| format!("failed to read {}", from.display()))?;
    files.into_iter().try_for_each(|file| {
        let file = file?;
        copy(&file.path(), &to.join(file.file_name()))
    })
}

/// One of its programs, once its log has said `up`.
fn started(host: &Host, place: &Path, name: &str, command: &mut Command, up: &str) -> Result<Task> {
    let out = File::create(place.join(name))?;
    let mut task = host.spawn(command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out))?;
    wait_until(&format!("CrowdSec's {name} says {up:?}"), START_TIME_MAX, || {
        ensure!(task.ended().is_none(), "CrowdSec's {name} has ended");
        Ok(fs::read_to_string(place.join(name))?.contains(up).then_some(()))
    })?;
    Ok(task)
}

fn agent(host: &Host, place: &Path, unpacked: &Path) -> Result<Task> {
    let mut command = Command::new(program(unpacked, "usr/bin/crowdsec")?);
    // It logs in where it keeps its decisions once it follows the log.
    started(host, place, "agent", command.arg("-c").arg(place.join("config.yaml")), "/v1/watchers/login HTTP/1.1 200")
}

fn bouncer(host: &Host, place: &Path, unpacked: &Path) -> Result<Task> {
    let mut command = Command::new(program(unpacked, "usr/bin/crowdsec-firewall-bouncer")?);
    started(host, place, "bouncer", command.arg("-c").arg(place.join("bouncer.yaml")), "Processing new and deleted decisions")
}

/// `rounds` of them, with several bouncers one after the other.
fn bans(host: &Host, place: &Path, way: &Way, rounds: usize, unpacked: &Path) -> Result<Vec<Duration>> {
    let (mut times, mut log) = (Vec::new(), OpenOptions::new().append(true).open(log(place))?);
    let mut offend = |address: &str| {
        let at = Timestamp::now().strftime("%b %e %H:%M:%S");
        let line = format!("{at} stage sshd[77]: Failed password for invalid user admin from {address} port 4242 ssh2\n");
        let said = Instant::now();
        log.write_all(line.repeat(way.failures).as_bytes())?;
        Ok(said)
    };
    for part in 0..BOUNCERS {
        // The one before ended when it asked: each begins at another moment of the agent's beat, and its first offence of its own.
        let put_off = |beat: Duration| thread::sleep(beat * part / BOUNCERS);
        let of_all = |part: u32| rounds * part as usize / BOUNCERS as usize;
        put_off(A_SECOND);
        let bouncer = bouncer(host, place, unpacked)?;
        let bans = Bans::follow(host)?;
        put_off(way.asks_every);
        if part == 0 {
            warm_up(&bans, &mut offend)?;
        }
        times.extend(offences(of_all(part)..of_all(part + 1), &bans, &mut offend)?);
        bouncer.ask_to_end(Signal::SIGTERM, END_TIME_MAX);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_log_is_shown_and_one_that_is_not_there_is_empty() {
        let file = std::env::temp_dir().join(format!("hm-crowdsec-tail-{}", std::process::id()));
        assert_eq!(tail(&file), "");
        let text: Vec<String> = (0..TAIL_LINES + 5).map(|line| line.to_string()).collect();
        fs::write(&file, text.join("\n")).unwrap();
        assert_eq!(tail(&file), text[5..].join("\n"));
        fs::remove_file(&file).unwrap();
    }
}

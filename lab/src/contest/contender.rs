//! Who is measured: started as their documentation says, with everything on that all have.

use super::{
    STAGE,
    visit::{PASSWORD, Protocol},
};
use crate::{Family, Host, Lab, Node, NodeConfig, Task, connect, wait_until};
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    net::SocketAddr,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// How long one may take to come up.
const START_TIME_MAX: Duration = Duration::from_secs(30);
/// Who owns nothing: Cowrie refuses to run as root.
const NOBODY: u32 = 65_534;
const TELNET_PORT: u16 = 2_323;
/// How many sessions at once each is set to hold that has a limit: more than all visitors. OpenCanary drops a 65th at its Telnet otherwise.
const SESSIONS_MAX: usize = 4_096;

/// One that is up.
pub enum Contender<'lab> {
    /// Ours: it watches only, so that its visitors can come again.
    Own(Node<'lab>),
    /// Another one, with its log.
    Other { task: Task, log: Option<PathBuf>, protocols: &'static [Protocol] },
}

/// A moment, and how long a log was then.
pub struct Mark {
    at: Timestamp,
    log_bytes: u64,
}

impl<'lab> Contender<'lab> {
    pub const NAMES: [&'static str; 4] = ["HoneyMesh", "bare", "OpenCanary", "Cowrie"];

    /// Starts one of [`Contender::NAMES`].
    ///
    /// # Errors
    /// It is not installed, or does not come up.
    pub fn start(lab: &'lab Lab, name: &str, installed: &Path) -> Result<Self> {
        let contender = match name {
            "OpenCanary" => open_canary(lab.host(STAGE), lab.scratch(), installed)?,
            "bare" => bare(lab.host(STAGE))?,
            "Cowrie" => cowrie(lab.host(STAGE), lab.scratch(), installed)?,
            _ => own(lab)?,
        };
        for protocol in contender.protocols() {
            let at = contender.at(protocol);
            wait_until(&format!("{name} listens at {at}"), START_TIME_MAX, || {
                Ok(connect(lab.attacker(), at, Duration::from_secs(1))?.is_ok().then_some(()))
            })?;
        }
        Ok(contender)
    }

    pub fn protocols(&self) -> Vec<Protocol> {
        match self {
            Self::Own(_) => Protocol::ALL.to_vec(),
            Self::Other { protocols, .. } => protocols.to_vec(),
        }
    }

    #[expect(clippy::unused_self, reason = "all listen at the same ports, so that the visitors are the same")]
    pub fn at(&self, protocol: Protocol) -> SocketAddr {
        STAGE.at(Family::V4, port(protocol))
    }

    /// The processes it began with.
    pub fn roots(&self) -> Vec<u32> {
        match self {
            Self::Own(node) => node.pid().into_iter().collect(),
            Self::Other { task, .. } => vec![task.pid()],
        }
    }

    /// Where its log ends now.
    ///
    /// # Errors
    /// The log cannot be looked at.
    pub fn mark(&self) -> Result<Mark> {
        let log_bytes = match self {
            Self::Other { log: Some(log), .. } => {
                fs::metadata(log).with_context(|| format!("failed to look at {}", log.display()))?.len()
            }
            Self::Own(_) | Self::Other { log: None, .. } => 0,
        };
        Ok(Mark { at: Timestamp::now(), log_bytes })
    }

    /// How often the visitors' password stands in its log behind `mark`; `None`: it keeps none.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn kept(&self, mark: &Mark) -> Result<Option<usize>> {
        match self {
            Self::Own(node) => {
                let since = mark.at.to_string();
                let events = node.client(&["events", "--kind", "visit", "--since", &since, "--json"])?.checked()?;
                Ok(Some(events.stdout.lines().filter(|line| line.contains(&format!("\"password\":\"{PASSWORD}\""))).count()))
            }
            Self::Other { log: None, .. } => Ok(None),
            Self::Other { log: Some(log), .. } => {
                let failed = || format!("failed to read {}", log.display());
                let (mut file, mut text) = (File::open(log).with_context(failed)?, Vec::new());
                file.seek(SeekFrom::Start(mark.log_bytes)).with_context(failed)?;
                file.read_to_end(&mut text).with_context(failed)?;
                Ok(Some(String::from_utf8_lossy(&text).lines().filter(|line| line.contains(PASSWORD)).count()))
            }
        }
    }
}

const fn port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Ssh | Protocol::OpenSsh => crate::SSH_PORT,
        Protocol::Telnet => TELNET_PORT,
        Protocol::Ftp => crate::FTP_PORT,
        Protocol::Http => crate::HTTP_PORT,
    }
}

/// What it plays, for a process of this very program.
const BARE: [Protocol; 3] = [Protocol::Telnet, Protocol::Ftp, Protocol::Http];

/// Serves as the bare one, where this process is, until it is killed.
///
/// # Errors
/// A port is taken.
pub fn serve_barely() -> Result<()> {
    super::bare::serve(&BARE.map(|protocol| (protocol, STAGE.at(Family::V4, port(protocol)))))
}

fn bare(host: &Host) -> Result<Contender<'static>> {
    let task = host.spawn(Command::new(std::env::current_exe()?).arg("bare").stdin(Stdio::null()))?;
    Ok(Contender::Other { task, log: None, protocols: &BARE })
}

fn own(lab: &Lab) -> Result<Contender<'_>> {
    let config = NodeConfig::alone(STAGE)
        .with("node", "mode = \"observe\"")
        // The others do not wait, either.
        .with("traps", "delay_percent = 0")
        .with("traps", format!("sessions_max = {SESSIONS_MAX}"))
        .with("traps", format!("sessions_per_source_max = {SESSIONS_MAX}"))
        .with("[trap]", format!("name = \"telnet\"\nservice = \"telnet\"\nlet_in = 0\nlisten = [\"0.0.0.0:{TELNET_PORT}\"]"));
    let mut node = lab.node(config)?;
    node.start()?;
    Ok(Contender::Own(node))
}

/// A directory for it, and its standard output's file.
fn place(scratch: &Path, name: &str) -> Result<(PathBuf, File)> {
    let place = scratch.join(name);
    fs::create_dir_all(&place)?;
    let out = File::create(place.join("out"))?;
    Ok((place, out))
}

fn program(installed: &Path, name: &str) -> Result<PathBuf> {
    let program = installed.join(name).join("bin/twistd");
    ensure!(program.is_file(), "{} is missing; run `cargo xtask setup --for bench-traps`", program.display());
    Ok(program)
}

fn open_canary(host: &Host, scratch: &Path, installed: &Path) -> Result<Contender<'static>> {
    let program = program(installed, "opencanary")?;
    let (place, out) = place(scratch, "opencanary")?;
    let log = place.join("log");
    fs::write(&log, "")?;
    let handler = format!("{{\"class\":\"logging.FileHandler\",\"filename\":\"{}\"}}", log.display());
    let logger = format!(
        "{{\"class\":\"PyLogger\",\"kwargs\":{{\"formatters\":{{\"plain\":{{\"format\":\"%(message)s\"}}}},\"handlers\":{{\"file\":{handler}}}}}}}"
    );
    let config = format!(
        "{{\"device.node_id\":\"contest\",\"ip.ignorelist\":[],\"logger\":{logger},\
         \"ssh.enabled\":true,\"ssh.port\":{},\"ssh.version\":\"SSH-2.0-OpenSSH_9.2p1 Debian-2\",\
         \"ftp.enabled\":true,\"ftp.port\":{},\"ftp.banner\":\"FTP server ready\",\
         \"http.enabled\":true,\"http.port\":{},\"http.banner\":\"Apache/2.4.62 (Debian)\",\"http.skin\":\"basicLogin\",\
         \"telnet.enabled\":true,\"telnet.port\":{TELNET_PORT},\"telnet.banner\":\"\",\"telnet.max_connections\":{SESSIONS_MAX}}}",
        crate::SSH_PORT,
        crate::FTP_PORT,
        crate::HTTP_PORT
    );
    fs::write(place.join("opencanary.conf"), config)?;
    let mut twistd = Command::new(&program);
    twistd.args(["--pidfile", "pid", "-noy"]).arg(program.with_file_name("opencanary.tac")).current_dir(&place);
    let task = host.spawn(twistd.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out))?;
    Ok(Contender::Other { task, log: Some(log), protocols: &Protocol::ALL })
}

fn cowrie(host: &Host, scratch: &Path, installed: &Path) -> Result<Contender<'static>> {
    let program = program(installed, "cowrie")?;
    let (place, out) = place(scratch, "cowrie")?;
    for folder in ["etc", "var/log/cowrie", "var/lib/cowrie/tty", "var/lib/cowrie/downloads", "var/run"] {
        fs::create_dir_all(place.join(folder))?;
        let parts: Vec<&str> = folder.split('/').collect();
        for length in 1..=parts.len() {
            chown(place.join(parts[..length].join("/")), Some(NOBODY), Some(NOBODY))?;
        }
    }
    chown(&place, Some(NOBODY), Some(NOBODY))?;
    let endpoint = |name: &str, port: u16| format!("[{name}]\nenabled = true\nlisten_endpoints = tcp:{port}:interface=0.0.0.0\n");
    let config = endpoint("ssh", crate::SSH_PORT) + &endpoint("telnet", TELNET_PORT);
    fs::write(place.join("etc/cowrie.cfg"), format!("[honeypot]\nhostname = srv\n{config}"))?;
    let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
    let mut twistd = Command::new("setpriv");
    twistd.args([&user, &group, "--clear-groups", "env"]).arg(format!("HOME={}", place.display())).arg(&program);
    twistd.args(["--pidfile", "pid", "-n", "cowrie"]).current_dir(&place);
    let log = place.join("out");
    let task = host.spawn(twistd.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out))?;
    Ok(Contender::Other { task, log: Some(log), protocols: &[Protocol::Ssh, Protocol::OpenSsh, Protocol::Telnet] })
}

//! A daemon on a node of the lab: started, asked, killed, started again.

use crate::{
    config::{NodeConfig, key_file},
    namespace::Namespace,
    process::{self, Outcome, Task, wait_until},
    topology::Host,
    words::{self, Ban, Event},
};
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use std::{
    env, fs,
    fs::File,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

/// How long a daemon may take until it is ready.
const READY_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a client command may take.
const CLIENT_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a daemon may take to end when it is asked to.
const END_TIME_MAX: Duration = Duration::from_secs(15);

/// The binary under test: `HONEYMESH_BIN`, or `honeymesh` beside this program or one directory up, where cargo puts it.
///
/// # Errors
/// Says how to build it if it is not there.
pub fn binary() -> Result<PathBuf> {
    if let Some(given) = env::var_os("HONEYMESH_BIN") {
        return Ok(given.into());
    }
    let own = env::current_exe().context("failed to find out where this program is")?;
    let near = own.ancestors().skip(1).take(2).map(|dir| dir.join("honeymesh"));
    near.into_iter().find(|file| file.is_file()).context("no honeymesh binary here; run: cargo build -p honeymesh")
}

/// A daemon of the lab; killed when dropped.
#[derive(Debug)]
pub struct Node<'lab> {
    /// Where it runs.
    pub host: &'lab Host,
    /// What makes it different.
    pub config: NodeConfig,
    dir: PathBuf,
    pins: PathBuf,
    task: Option<Task>,
}

impl<'lab> Node<'lab> {
    /// Writes its files; starts nothing.
    pub(crate) fn prepare(host: &'lab Host, config: NodeConfig, dir: &Path, pins: PathBuf) -> Result<Self> {
        fs::create_dir_all(dir.join("state")).with_context(|| format!("failed to make {}", dir.display()))?;
        fs::set_permissions(dir.join("state"), fs::Permissions::from_mode(0o750))?;
        if let Some(key) = &config.key {
            let mut private = fs::OpenOptions::new();
            let mut file = private.write(true).create(true).truncate(true).mode(0o600).open(key_file(dir))?;
            std::io::Write::write_all(&mut file, key.as_bytes())?;
        }
        let node = Self { host, config, dir: dir.to_path_buf(), pins, task: None };
        fs::write(node.config_file(), node.config.toml(dir, &node.pins))?;
        Ok(node)
    }

    /// Its configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("honeymesh.toml")
    }

    /// Its control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join("state/honeymesh.sock")
    }

    /// Where it pins kernel objects.
    #[must_use]
    pub fn pins(&self) -> &Path {
        &self.pins
    }

    /// The directory that holds its state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.task.as_ref().map(Task::pid)
    }

    /// Its resident memory in KiB while it runs.
    #[must_use]
    pub fn resident_kib(&self) -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
    }

    /// What it logged since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Starts it and waits until it says that it is ready.
    ///
    /// # Errors
    /// With its log, if it ends or is not ready in time.
    pub fn start(&mut self) -> Result<()> {
        let mut command = match self.config.through.split_first() {
            Some((program, args)) => {
                let mut command = Command::new(program);
                command.args(args).arg(binary()?);
                command
            }
            None => Command::new(binary()?),
        };
        command.arg("run").arg("--config").arg(self.config_file());
        self.task = Some(start(&self.host.namespace, &mut command, &self.log_file())?);
        Ok(())
    }

    /// `kill -9`; the kernel's entries stay.
    pub fn kill(&mut self) {
        if let Some(task) = self.task.take() {
            task.kill();
        }
    }

    /// Asks it to end (SIGTERM) and waits. Returns how it ended, `None` if it had to be killed or did not run.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.task.take()?.ask_to_end(Signal::SIGTERM, END_TIME_MAX)
    }

    /// Runs a client command against it; `--socket` is added.
    ///
    /// # Errors
    /// If the client cannot be started; its exit code is not judged.
    pub fn client(&self, args: &[&str]) -> Result<Outcome> {
        let mut command = Command::new(binary()?);
        command.args(args).arg("--socket").arg(self.socket());
        process::run(&mut command, CLIENT_TIME_MAX)
    }

    /// Runs a client command that must succeed, with `--json`, and reads what it prints.
    ///
    /// # Errors
    /// If it fails or prints something else.
    pub fn ask<T: serde::de::DeserializeOwned>(&self, args: &[&str]) -> Result<T> {
        let args: Vec<_> = args.iter().copied().chain(["--json"]).collect();
        words::read(&self.client(&args)?.checked()?.stdout)
    }

    /// The bans in force.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn bans(&self) -> Result<Vec<Ban>> {
        self.ask(&["bans"])
    }

    /// The ban of exactly `subject`, if it is in force.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ban_of(&self, subject: &str) -> Result<Option<Ban>> {
        Ok(self.bans()?.into_iter().find(|ban| ban.subject == subject))
    }

    /// The newest events of a kind, oldest first.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn events(&self, kind: &str) -> Result<Vec<Event>> {
        let lines = self.client(&["events", "--kind", kind, "--limit", "10000", "--json"])?.checked()?.stdout;
        let mut events = lines.lines().map(words::read::<Event>).collect::<Result<Vec<_>>>()?;
        events.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        Ok(events)
    }

    /// The names of the mesh members that it believes alive, itself excluded.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn members(&self) -> Result<Vec<String>> {
        let peers: serde_json::Value = self.ask(&["peers"])?;
        Ok(alive(&peers, &self.config.name()))
    }
}

/// Starts a daemon inside `namespace`, logging to `log`, and waits until it says that it is ready.
pub(crate) fn start(namespace: &Namespace, command: &mut Command, log: &Path) -> Result<Task> {
    let file = File::create(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut task = namespace.inside(|| Task::spawn(command))?;
    let said = || fs::read_to_string(log).unwrap_or_default();
    let ready = wait_until("the daemon is ready", READY_TIME_MAX, || {
        if let Some(status) = task.ended() {
            bail!("the daemon ended: {status}");
        }
        Ok(is_ready(&said()).then_some(()))
    });
    ready.with_context(|| format!("a daemon in {} did not start; its log:\n{}", namespace.name(), said()))?;
    Ok(task)
}

/// Is the line there whose message is, or begins with, the word `ready`?
fn is_ready(log: &str) -> bool {
    let message = |line: &str| line.split_once(" INFO ").map(|(_, message)| message.trim().to_owned());
    log.lines().filter_map(message).any(|message| message.split(' ').next() == Some("ready"))
}

/// Names of members in whatever nesting of clusters the daemon prints them.
fn alive(peers: &serde_json::Value, own: &str) -> Vec<String> {
    use serde_json::Value;
    match peers {
        Value::Array(items) => items.iter().flat_map(|item| alive(item, own)).collect(),
        Value::Object(fields) => {
            let name = fields.get("name").or_else(|| fields.get("node")).and_then(Value::as_str);
            let up = fields.get("state").and_then(Value::as_str) == Some("alive");
            let own_entry = name.filter(|name| up && *name != own).map(str::to_owned);
            own_entry.into_iter().chain(fields.values().flat_map(|value| alive(value, own))).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_itself_says_ready() {
        assert!(is_ready("x\n2026-11-22T10:00:00Z  INFO ready node=edge-1 mode=enforce\n"));
        assert!(is_ready("2026-11-22T10:00:00Z  INFO ready\n"));
        assert!(!is_ready("2026-11-22T10:00:00Z  INFO not ready yet\n2026-11-22T10:00:00Z  WARN ready\n"));
    }
}

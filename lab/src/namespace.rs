//! A named network namespace, and doing things inside it.

use crate::process;
use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};
use std::{fs::File, path::PathBuf, process::Command, thread, time::Duration};

/// Where iproute2 keeps namespaces.
pub(crate) const NAMES: &str = "/run/netns";
/// How long one `ip` may take.
const IP_TIME_MAX: Duration = Duration::from_secs(20);

/// A network namespace that `ip netns` knows by name. Dropping it leaves the namespace: the estate takes it down.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Makes a new one.
    ///
    /// # Errors
    /// If the name is taken or this process may not make namespaces.
    pub fn create(name: &str) -> Result<Self> {
        ip(&["netns", "add", name])?;
        let path = PathBuf::from(NAMES).join(name);
        let file = File::open(&path).with_context(|| format!("failed to open {}", path.display()))?;
        Ok(Self { name: name.into(), file })
    }

    /// Its name, as `ip netns` and `nsenter --net=/run/netns/NAME` take it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does `what` on a thread of its own inside the namespace. Sockets and processes made there stay there.
    ///
    /// # Errors
    /// If the namespace cannot be entered, or `what` fails or panics.
    pub fn inside<T: Send>(&self, what: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let entered = scope.spawn(|| {
                setns(&self.file, CloneFlags::CLONE_NEWNET).with_context(|| format!("failed to enter {}", self.name))?;
                what()
            });
            entered.join().map_err(|_| anyhow!("a thread inside {} panicked", self.name))?
        })
    }

    /// The same for something that outlives the caller: a thread that stays inside.
    ///
    /// # Errors
    /// If the namespace's file cannot be shared.
    pub fn stay_inside(&self, what: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>> {
        let file = self.file.try_clone().context("failed to share a namespace")?;
        Ok(thread::spawn(move || {
            if setns(&file, CloneFlags::CLONE_NEWNET).is_ok() {
                what();
            }
        }))
    }

    /// Writes a network setting, for example `net/ipv4/ip_forward`.
    ///
    /// # Errors
    /// If there is no such setting or it takes no such value.
    pub fn set(&self, setting: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{setting}");
        self.inside(|| std::fs::write(&path, value).with_context(|| format!("failed to set {setting} to {value}")))
    }

    /// Runs a batch of `ip` commands, one a line, inside.
    ///
    /// # Errors
    /// With what `ip` said about the first line it refused.
    pub fn ip_batch(&self, lines: &[String]) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name, "-batch", "-"]);
        let outcome = process::run_with_input(&mut command, &(lines.join("\n") + "\n"), IP_TIME_MAX)?;
        outcome.checked().map(drop)
    }
}

/// Runs `ip` in this process' own namespace.
pub(crate) fn ip(args: &[&str]) -> Result<()> {
    process::run(Command::new("ip").args(args), IP_TIME_MAX)?.checked().map(drop)
}

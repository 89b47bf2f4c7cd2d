//! What the operator chose about the kernel.

use crate::Error;
use honeymesh_xdp_abi::PORTS_MAX;
use std::{path::PathBuf, time::Duration};

/// The most exact bans a kernel table may be sized for.
pub const MAX_BANS: u32 = 16_000_000;
/// The most entries the kernel may place by itself.
pub const BUDGET_MAX: u32 = 1_000_000;
/// The longest window of a scan.
pub const WINDOW_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Everything [`crate::Kernel::start`] needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The interfaces to guard, by name; at least one.
    pub interfaces: Vec<String>,
    /// How to attach.
    pub attach: Attach,
    /// Where on a BPF file system maps and links are pinned. Mounted there if nothing is: `/sys/fs/bpf` for a path
    /// below it, else the directory itself.
    pub pin_dir: PathBuf,
    /// How many exact bans of each address family the kernel holds, 1 to [`MAX_BANS`]. One more is [`Error::Full`].
    pub max_bans: u32,
    /// What a scan is and what it earns.
    pub scan: ScanOptions,
    /// What stays when the process ends.
    pub exit: OnExit,
}

impl Options {
    /// Are all values within their bounds?
    ///
    /// # Errors
    /// [`Error::Options`] names the first value that is not.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::Options(what.into()));
        if self.interfaces.is_empty() {
            return wrong("no interface is named: name at least one in [xdp] interfaces");
        }
        if !(1..=MAX_BANS).contains(&self.max_bans) {
            return wrong("[bans] max must be from 1 to 16000000");
        }
        if !self.pin_dir.is_absolute() {
            return wrong("the directory for pinned maps must be an absolute path such as /sys/fs/bpf/honeymesh");
        }
        self.scan.check()
    }
}

/// How the program is attached to an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// In the driver if it can, else in the network stack.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// In the network stack: slower, works everywhere.
    Generic,
}

/// What stays in force when the process ends, however it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExit {
    /// Everything is pinned: the kernel goes on enforcing until each ban's own end, and the next start adopts it.
    #[default]
    Hold,
    /// Nothing is pinned: with the process the program, the bans and the pins are gone.
    Release,
}

/// What a scan is and what it earns in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanOptions {
    /// Distinct dark ports from one source that make a scan: 1 to 16.
    pub ports: u8,
    /// Within this time: 1 ms to [`WINDOW_MAX`].
    pub window: Duration,
    /// What a scan earns that may be forged.
    pub spoofable: Spoofable,
    /// How long the kernel's own entries last.
    pub ttl: Duration,
    /// How many such entries there may be, 1 to [`BUDGET_MAX`]. One more is counted, reported and not placed.
    pub budget: u32,
}

impl ScanOptions {
    fn check(&self) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::Options(what.into()));
        if self.ports == 0 || usize::from(self.ports) > PORTS_MAX {
            return wrong("[scan] ports must be from 1 to 16");
        }
        if !(Duration::from_millis(1)..=WINDOW_MAX).contains(&self.window) {
            return wrong("[scan] window must be from 1ms to 24h");
        }
        if !(1..=BUDGET_MAX).contains(&self.budget) {
            return wrong("the budget of kernel-placed entries must be from 1 to 1000000");
        }
        Ok(())
    }
}

/// What a scan earns that might be forged (`[scan] spoofable`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spoofable {
    /// Silence on dark ports; served ports stay open, so a forged scan harms nobody.
    #[default]
    Dark,
    /// A full ban on this host.
    All,
    /// Nothing but a report.
    Off,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn options() -> Options {
        let scan = ScanOptions {
            ports: 3,
            window: Duration::from_secs(60),
            spoofable: Spoofable::Dark,
            ttl: Duration::from_secs(600),
            budget: 4_096,
        };
        Options {
            interfaces: vec!["lo".into()],
            attach: Attach::Auto,
            pin_dir: "/sys/fs/bpf/honeymesh".into(),
            max_bans: 1_000,
            scan,
            exit: OnExit::Hold,
        }
    }

    #[test]
    fn values_out_of_bounds_are_refused_by_name() {
        let refused = |change: fn(&mut Options)| {
            let mut options = options();
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert!(options().check().is_ok());
        assert!(refused(|options| options.interfaces.clear()).contains("[xdp] interfaces"));
        assert!(refused(|options| options.max_bans = 0).contains("[bans] max"));
        assert!(refused(|options| options.max_bans = MAX_BANS + 1).contains("[bans] max"));
        assert!(refused(|options| options.pin_dir = "bpf".into()).contains("absolute"));
        assert!(refused(|options| options.scan.ports = 0).contains("[scan] ports"));
        assert!(refused(|options| options.scan.ports = 17).contains("[scan] ports"));
        assert!(refused(|options| options.scan.window = Duration::ZERO).contains("[scan] window"));
        assert!(refused(|options| options.scan.budget = 0).contains("budget"));
    }
}

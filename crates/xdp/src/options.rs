//! What the operator chose about the kernel.

use crate::{Dark, Error, Flood};
use honeymesh_xdp_abi::PORTS_MAX;
use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

/// The most exact bans a kernel table may be sized for.
pub const MAX_BANS: u32 = 16_000_000;
/// The fewest IPv6 bans a table is sized for unless it holds fewer bans at all.
pub const V6_BANS_MIN: u32 = 65_536;
/// The most entries the kernel may place by itself.
pub const BUDGET_MAX: u32 = 1_000_000;
/// The fewest and the most probing sources that may be remembered.
pub const SOURCES: std::ops::RangeInclusive<u32> = 1_024..=1 << 20;
/// The longest window of a scan.
pub const WINDOW_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Sources that share a bucket.
const WAYS: u32 = 4;

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
    /// How many exact IPv4 bans the kernel holds, 1 to [`MAX_BANS`]. One more is [`Error::Full`].
    pub max_bans: u32,
    /// How many exact IPv6 (/64) bans, 1 to `max_bans`; `None`: a quarter of `max_bans`, but [`V6_BANS_MIN`] if it is that many.
    pub max_v6: Option<u32>,
    /// How exact bans are held.
    pub table: TableKind,
    /// What a scan is and what it earns.
    pub scan: ScanOptions,
    /// What happens when SYNs to dark ports are many.
    pub flood: Flood,
    /// What stays when the process ends.
    pub exit: OnExit,
    /// What a port does that nobody serves.
    pub dark: Dark,
    /// TCP and UDP ports that are refused as closed ports are, whatever `dark` says. Scans of them count.
    pub except: Vec<RangeInclusive<u16>>,
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
        if self.max_v6.is_some_and(|max| !(1..=self.max_bans).contains(&max)) {
            return wrong("[bans] max_v6 must be from 1 to [bans] max");
        }
        if !self.pin_dir.is_absolute() {
            return wrong("the directory for pinned maps must be an absolute path such as /sys/fs/bpf/honeymesh");
        }
        self.flood.check()?;
        self.scan.check()
    }
}

impl Options {
    /// How many exact IPv6 bans the kernel holds.
    #[must_use]
    pub fn v6_bans(&self) -> u32 {
        Self::v6_bans_of(self.max_bans, self.max_v6)
    }

    /// How many exact IPv6 bans a kernel holds with these two options.
    #[must_use]
    pub fn v6_bans_of(max_bans: u32, max_v6: Option<u32>) -> u32 {
        max_v6.unwrap_or_else(|| (max_bans / 4).max(V6_BANS_MIN)).min(max_bans)
    }
}

/// How exact bans are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableKind {
    /// In cache lines that user space writes through shared memory, without a system call.
    #[default]
    Buckets,
    /// In the kernel's own hash tables: slower, and the reference that the other is tested against.
    Hash,
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
    /// How many probing sources are remembered at least, within [`SOURCES`]; rounded up to four times a power of two, 144
    /// octets each. When a bucket is full, the source that is worth least gives way.
    pub sources: u32,
    /// Do datagrams to dark ports count?
    pub udp: bool,
    /// Does a keyed half of the dark ports go on answering silenced sources, so that their reactions prove them?
    pub oracle: bool,
}

impl ScanOptions {
    /// How many buckets of four sources that takes.
    pub(crate) fn buckets(&self) -> u32 {
        self.sources.clamp(*SOURCES.start(), *SOURCES.end()).div_ceil(WAYS).next_power_of_two()
    }

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
        if !SOURCES.contains(&self.sources) {
            return wrong("[scan] sources must be from 1024 to 1048576");
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
            sources: 65_536,
            udp: true,
            oracle: false,
        };
        Options {
            interfaces: vec!["lo".into()],
            attach: Attach::Auto,
            pin_dir: "/sys/fs/bpf/honeymesh".into(),
            max_bans: 1_000,
            max_v6: None,
            table: TableKind::Buckets,
            scan,
            flood: Flood::default(),
            exit: OnExit::Hold,
            dark: Dark::default(),
            except: Vec::new(),
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
        assert!(refused(|options| options.max_v6 = Some(1_001)).contains("[bans] max_v6"));
        assert!(refused(|options| options.pin_dir = "bpf".into()).contains("absolute"));
        assert!(refused(|options| options.scan.ports = 0).contains("[scan] ports"));
        assert!(refused(|options| options.scan.ports = 17).contains("[scan] ports"));
        assert!(refused(|options| options.scan.window = Duration::ZERO).contains("[scan] window"));
        assert!(refused(|options| options.scan.budget = 0).contains("budget"));
        assert!(refused(|options| options.scan.sources = 1_023).contains("[scan] sources"));
    }

    #[test]
    fn ipv6_bans_are_a_quarter_but_not_too_few_and_never_more_than_all() {
        let of = |max_bans, max_v6| Options { max_bans, max_v6, ..options() }.v6_bans();
        assert_eq!([of(1_000_000, None), of(100_000, None), of(1_000, None)], [250_000, 65_536, 1_000]);
        assert_eq!(of(1_000_000, Some(10)), 10);
    }
}

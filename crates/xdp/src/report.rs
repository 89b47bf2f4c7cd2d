//! What the kernel's side looks like, in plain values.

use honeymesh_types::Subject;
use honeymesh_xdp_abi::Counter;
use std::{fmt, time::Duration};

/// What another version of this program had left in the kernel, and a start has replaced. In words it is a whole sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Of what: `XDP programs and tables`, or `nf_tables' tables`.
    pub(crate) what: &'static str,
    /// The version that was there; of several the newest.
    pub version: u32,
    /// The one that is there now.
    pub own: u32,
}

impl Replaced {
    /// Has somebody gone back to an older program?
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        self.version > self.own
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, version, own } = self;
        let kind = if self.is_newer() { "a newer" } else { "an older" };
        write!(f, "the {what} of {kind} honeymesh (version {version}) were replaced by those of this one (version {own})")
    }
}

/// Sums over all CPUs since the tables were made. `packets` is the sum of the verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets the program judged.
    pub packets: u64,
    /// Verdict: passed to the stack.
    pub passed: u64,
    /// Verdict: dropped, for whatever reason: the sum of the `dropped_…`.
    pub dropped: u64,
    /// Dropped by an exact IPv4 ban.
    pub dropped_v4: u64,
    /// Dropped by an exact IPv6 (/64) ban.
    pub dropped_v6: u64,
    /// Dropped by a ban of a prefix.
    pub dropped_net: u64,
    /// Probes of dark ports by silenced sources.
    pub dropped_dark: u64,
    /// Probes at or beyond the scan threshold.
    pub dropped_scan: u64,
    /// Passed, but would have been dropped if the program were enforcing.
    pub would_drop: u64,
    /// Passed although a header was cut short or contradicts itself.
    pub malformed: u64,
    /// Passed with more IPv6 extension headers than are followed.
    pub extensions: u64,
    /// Neither IPv4 nor IPv6.
    pub not_ip: u64,
    /// Packets of banned sources that are on the allowlist.
    pub allowed: u64,
    /// IPv6 neighbour discovery of banned sources.
    pub neighbour: u64,
    /// Probes of dark ports, repeated ones included.
    pub knocks: u64,
    /// Records lost because the ring buffer was full.
    pub knocks_lost: u64,
    /// Sources that crossed the scan threshold.
    pub scans: u64,
    /// Sources not silenced because the budget was used up.
    pub budget_full: u64,
    /// Probes not counted because no scan state could be made.
    pub scan_state_lost: u64,
    /// Ports that count for a short while only, because there was no room for one that counts for a whole window. Where nf_tables drops.
    pub scan_rushed: u64,
    /// Packets behind more nested prefix bans than are followed.
    pub too_nested: u64,
    /// Verdict: dropped because of a lockdown.
    pub dropped_lockdown: u64,
    /// Verdict: taken by the program's own handshake: answered, or heard in silence.
    pub answered: u64,
    /// Connections to dark ports that were handed to the trap.
    pub steered: u64,
    /// Records that were not written because there were too many of late.
    pub knocks_limited: u64,
    /// Handshakes with the program itself that were finished.
    pub cookies_proven: u64,
    /// First octets of such connections that were told.
    pub cookie_payloads: u64,
    /// Probes of suspects that were let through to be refused.
    pub oracle_answered: u64,
    /// Packets that silent dark ports would have answered, dropped at the door of the network stack.
    pub silenced: u64,
    /// Verdict: SYNs of a flood that were neither answered nor passed.
    pub dropped_flood: u64,
    /// Segments that might have returned a cookie and passed unread, because too many wrong ones came of late.
    pub guesses_limited: u64,
}

impl Counters {
    /// All counters, given the sum of each.
    pub(crate) fn of(sum: impl Fn(Counter) -> u64) -> Self {
        use Counter::{DroppedDark, DroppedFlood, DroppedLockdown, DroppedNet, DroppedScan, DroppedV4, DroppedV6};
        let drops = [DroppedV4, DroppedV6, DroppedNet, DroppedDark, DroppedScan, DroppedLockdown, DroppedFlood];
        let dropped = drops.into_iter().map(&sum).sum();
        Self {
            packets: sum(Counter::Passed) + sum(Counter::Answered) + dropped,
            passed: sum(Counter::Passed),
            dropped,
            dropped_v4: sum(Counter::DroppedV4),
            dropped_v6: sum(Counter::DroppedV6),
            dropped_net: sum(Counter::DroppedNet),
            dropped_dark: sum(Counter::DroppedDark),
            dropped_scan: sum(Counter::DroppedScan),
            would_drop: sum(Counter::WouldDrop),
            malformed: sum(Counter::Malformed),
            extensions: sum(Counter::Extensions),
            not_ip: sum(Counter::NotIp),
            allowed: sum(Counter::Allowed),
            neighbour: sum(Counter::Neighbour),
            knocks: sum(Counter::Knocks),
            knocks_lost: sum(Counter::KnocksLost),
            scans: sum(Counter::Scans),
            budget_full: sum(Counter::BudgetFull),
            scan_state_lost: sum(Counter::ScanStateLost),
            scan_rushed: 0,
            too_nested: sum(Counter::TooNested),
            dropped_lockdown: sum(Counter::DroppedLockdown),
            answered: sum(Counter::Answered),
            steered: sum(Counter::Steered),
            knocks_limited: sum(Counter::KnocksLimited),
            cookies_proven: sum(Counter::CookiesProven),
            cookie_payloads: sum(Counter::CookiePayloads),
            oracle_answered: sum(Counter::OracleAnswered),
            silenced: sum(Counter::Silenced),
            dropped_flood: sum(Counter::DroppedFlood),
            guesses_limited: sum(Counter::GuessesLimited),
        }
    }
}

/// How the kernel's tables differ from what they should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Should be in the kernel and are not.
    pub missing: Vec<Subject>,
    /// Are in the kernel and should not be. Expired entries, and those the kernel placed by itself, do not count.
    pub extra: Vec<Subject>,
    /// Are in the kernel with another scope, reason, grade or end.
    pub different: Vec<Subject>,
    /// Interfaces that are there and without the program. The keeper puts it on again.
    pub detached: Vec<String>,
    /// Interfaces that are there and without the second program, though one is wanted. The keeper puts it on again.
    pub unsteered: Vec<String>,
    /// Somebody else changed what the kernel was told: settings, the allowlist, own addresses; of nf_tables also rules, chains and sets.
    /// It is said again.
    pub settings_changed: bool,
    /// A mode, a lockdown, an allowlist or own addresses that the kernel had refused are in force now. Nobody else had a hand in that.
    pub taken: bool,
}

impl Drift {
    /// Is the kernel as it should be?
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How full one of the kernel's tables is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Entries of user space, ended ones included until they are swept.
    pub held: usize,
    /// How many fit.
    pub limit: usize,
    /// Of those held, how many found no room in a cache line: all of them if the kernel's hash is the table.
    pub stashed: usize,
}

/// How full the kernel's ban tables are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Exact IPv4 bans.
    pub v4: Level,
    /// Exact IPv6 (/64) bans.
    pub v6: Level,
    /// Banned IPv4 prefixes.
    pub nets4: Level,
    /// Banned IPv6 prefixes, single addresses included.
    pub nets6: Level,
}

/// How packets of an interface are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
    /// Not at all: nf_tables drops at ingress.
    Nftables,
}

impl AttachMode {
    /// The word for users: `native`, `generic` or `nftables`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Nftables => "nftables",
        }
    }
}

impl std::fmt::Display for AttachMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where an interface that is to be guarded stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceState {
    /// The program sits on it.
    Attached,
    /// It is there, and no program sits on it.
    Detached,
    /// It is not there.
    Absent,
    /// Somebody else's program sits on it: the number of that program.
    Occupied(u32),
}

impl InterfaceState {
    /// The word for users.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attached => "attached",
            Self::Detached => "detached",
            Self::Absent => "absent",
            Self::Occupied(_) => "occupied",
        }
    }
}

/// Where an interface stands with the second program, which steers dark ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steered {
    /// None is wanted (dark ports refuse), or this kernel has no place for one.
    #[default]
    Unwanted,
    /// It is on the interface.
    On,
    /// It is not: dark ports are ordinary closed ports there.
    Off,
}

/// One interface that is to be guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceStatus {
    /// Its name, or the pattern that nothing fits.
    pub name: String,
    /// Its index; 0 if it is not there.
    pub index: u32,
    /// How the program sits on it, or sat on it last.
    pub mode: AttachMode,
    /// Is the program on it?
    pub attached: bool,
    /// The whole story.
    pub state: InterfaceState,
    /// Is the second program on it?
    pub steering: Steered,
}

/// What the program did with a frame that never was on a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestVerdict {
    /// Was it dropped?
    pub dropped: bool,
    /// The mean time of one run, as the kernel measured it.
    pub cost: Duration,
}

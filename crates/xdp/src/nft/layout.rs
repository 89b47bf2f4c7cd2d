//! What our two tables depend on: given this, every chain, rule and set follows.

use super::{
    memory::Span,
    side::Side,
    tier::{Class, Family, Tier},
};
use crate::{Dark, Error, Options, Spoofable, system};
use honeymesh_xdp_abi::PORTS_MAX;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// One in so many of `[scan] sources` is remembered by each set of each family: an entry here takes several times the memory of
/// one of the XDP program, and a source needs one in several sets.
const SOURCES_SHARE: u32 = 4;
/// The fewest sources that are remembered.
const SOURCES_MIN: u32 = 1_024;
/// Ranges of ports that are excepted; one more is an error, since each costs a probe a comparison.
const EXCEPT_MAX: usize = 256;
/// How long a port counts when there is no room for one that counts for a window. The shorter, the more newcomers are counted in a flood; but
/// a scan whose ports are farther apart is none then.
const RUSH_MS: u64 = 4_000;
/// The kernel removes ended entries of a set about once a second.
const REMOVED_WITHIN_S: u64 = 1;
/// A port counts as known a little longer than it counts, so that none counts twice.
const KNOWN_MS: u64 = 100;

/// What the rules depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The sets of prefixes there are.
    pub(super) tiers: BTreeSet<Tier>,
    /// Drop, or only count.
    pub(super) is_enforcing: bool,
    /// The interfaces whose packets the network stack's side judges: guarded ones, and those that stand on top of them.
    pub(super) carriers: Vec<String>,
    /// What is to be seen of dark ports; `None`: this kernel cannot ask for sockets.
    pub(super) scan: Option<Scan>,
    /// The ports of the loopback interface where the trap listens, IPv4 and IPv6.
    pub(super) traps: [Option<u16>; 2],
    /// Are there rules for a lockdown? They work while the set that says so has entries.
    pub(super) is_locked: bool,
    /// Is a daemon there that hears what is told? Without one nobody's reactions are weighed, so none are provoked.
    pub(super) is_heard: bool,
}

impl Layout {
    /// The prefix sets of one side.
    pub(super) fn tiers_of(&self, side: Side) -> BTreeSet<Tier> {
        self.tiers.iter().copied().filter(|tier| tier.class.sides().contains(&side)).collect()
    }

    /// Does the kernel silence sources by itself?
    pub(super) fn places(&self) -> bool {
        self.scan.as_ref().is_some_and(|scan| scan.earns != Earns::Report)
    }

    /// The longest prefixes first: who is banned twice is counted by the narrower ban.
    pub(super) fn longest_first(&self, class: Class, family: Family) -> impl Iterator<Item = Tier> {
        self.tiers.iter().rev().copied().filter(move |tier| tier.class == class && tier.family == family)
    }
}

/// What a scan that may be forged earns in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Earns {
    /// Silence on dark ports.
    Silence,
    /// A ban from everything.
    Ban,
    /// Nothing but a report.
    Report,
}

/// What dark ports do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Manner {
    Refuse,
    Silent,
    Trap,
}

/// What is to be seen of dark ports, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scan {
    /// Distinct ports that make a scan: 1 to [`PORTS_MAX`].
    pub(super) ports: u8,
    /// Within so long.
    pub(super) window_ms: u64,
    pub(super) earns: Earns,
    /// How long what it earns lasts.
    pub(super) ttl_ms: u64,
    /// How many of those there may be, of each family.
    pub(super) budget: u32,
    /// How many sources are remembered, of each family.
    pub(super) sources: u32,
    /// Do datagrams count?
    pub(super) udp: bool,
    /// Are some of a silenced source's SYNs to be answered, so that its reactions can be weighed?
    pub(super) oracle: bool,
    pub(super) manner: Manner,
    /// Ports that are closed ports, whatever the others do.
    pub(super) except: Vec<(u16, u16)>,
    /// The ports that this host sends from.
    pub(super) sends_from: SendsFrom,
}

/// The ports that this host sends from, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SendsFrom {
    /// The first and the last one that it takes by itself.
    pub(super) ports: (u16, u16),
    /// It forwards packets for others, and may translate their connections to its own addresses.
    pub(super) forwards: bool,
}

impl Scan {
    /// # Errors
    /// [`Error::Options`].
    pub(super) fn of(options: &Options) -> Result<Self, Error> {
        let except: Vec<(u16, u16)> = options.except.iter().map(|range| (*range.start(), *range.end())).collect();
        if except.len() > EXCEPT_MAX {
            return Err(Error::Options(format!("[traps] except must have at most {EXCEPT_MAX} ranges where nf_tables drops")));
        }
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let scan = &options.scan;
        Ok(Self {
            ports: scan.ports,
            window_ms: millis(scan.window),
            earns: match scan.spoofable {
                Spoofable::Dark => Earns::Silence,
                Spoofable::All => Earns::Ban,
                Spoofable::Off => Earns::Report,
            },
            ttl_ms: millis(scan.ttl),
            budget: scan.budget,
            sources: (scan.sources / SOURCES_SHARE).max(SOURCES_MIN),
            udp: scan.udp,
            oracle: scan.oracle && has_own_coins(),
            manner: match options.dark {
                Dark::Refuse => Manner::Refuse,
                Dark::Silent => Manner::Silent,
                Dark::Trap => Manner::Trap,
            },
            except,
            sends_from: sends_from(),
        })
    }

    /// Are the values such as [`Options::check`] lets through?
    pub(super) fn is_sound(&self) -> bool {
        (1..=PORTS_MAX).contains(&usize::from(self.ports))
            && self.budget > 0
            && self.sources > 0
            && self.except.len() <= EXCEPT_MAX
    }

    /// Are reactions weighed?
    pub(super) fn weighs(&self) -> bool {
        self.oracle && self.earns == Earns::Silence
    }

    /// How many ports are counted before the one that makes a scan.
    pub(super) fn slots(&self) -> usize {
        usize::from(self.ports).saturating_sub(1)
    }

    /// How long a port counts.
    pub(super) fn counts_ms(&self, span: Span) -> u64 {
        match span {
            Span::Window => self.window_ms,
            Span::Rush => self.window_ms.min(RUSH_MS),
        }
    }

    /// How long a port is known.
    pub(super) fn known_ms(&self, span: Span) -> u64 {
        self.counts_ms(span).saturating_add(KNOWN_MS)
    }

    /// How many newcomers are counted for a short while within a second, and at once: so few that their sets never run full of them. An
    /// entry takes its room until the kernel has removed it.
    pub(super) fn rush_per_second(&self) -> u32 {
        let seconds = self.known_ms(Span::Rush).div_ceil(1_000) + REMOVED_WITHIN_S + 1;
        (self.sources / u32::try_from(seconds).unwrap_or(u32::MAX)).max(1)
    }
}

/// Are the coins of this kernel's rules such as nobody can foresee? Older ones throw them by a sequence that whoever has seen
/// enough of it can go on with.
pub(super) fn has_own_coins() -> bool {
    const COINS_MIN: (u32, u32) = (5, 19);
    !system::is_older_than(COINS_MIN)
}

/// What this host sends from now.
pub(super) fn sends_from() -> SendsFrom {
    let [first, last] = crate::network::ephemeral_ports().map(|port| u16::try_from(port).unwrap_or(u16::MAX));
    SendsFrom { ports: (first, last), forwards: crate::network::forwards() }
}

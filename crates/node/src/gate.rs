//! Keeps a flood of forged packets from becoming a flood of events.

use alloc::collections::BTreeMap;
use core::{net::IpAddr, time::Duration};
use honeymesh_types::MonoTime;

/// How many sources are told apart. At the bound all of them are forgotten, and only the common budget holds back.
pub const KNOCK_SOURCES_MAX: usize = 4_096;
/// How many events of one topic one source causes within `SOURCE_WINDOW`; further ones are counted, not told.
pub const KNOCKS_PER_SOURCE: u32 = 16;
/// The same of datagrams to traps, which may be the pieces of one upload.
pub const DATAGRAMS_PER_SOURCE: u32 = 128;
/// How often the number of events that were not told is told.
pub const SUPPRESSED_REPORT_EVERY: Duration = Duration::from_secs(10);

/// The time in which one source's events are counted.
const SOURCE_WINDOW: Duration = Duration::from_secs(60);
/// Events of one topic a second, from all sources together.
const RATE: u64 = 50;
/// Events of one topic at once.
const BURST: u64 = 500;
const MICROS: u64 = 1_000_000;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// A probe of a dark port.
    Knock,
    /// A scan.
    Scan,
    /// Something of a mesh peer was refused.
    Refused,
    /// A connection to a dark port that may have been a mistake.
    Contact,
    /// A datagram to a trap, whose source may be forged.
    Datagram,
}

/// Decides which events are told.
pub(crate) struct Gate {
    sources: BTreeMap<(Topic, IpAddr), Seen>,
    buckets: [Bucket; 5],
    suppressed: u64,
    report_at: Option<MonoTime>,
}

struct Seen {
    since: MonoTime,
    told: u32,
}

/// Tokens in millionths, so that none is lost to rounding.
#[derive(Clone, Copy)]
struct Bucket {
    micro_tokens: u64,
    filled: MonoTime,
}

impl Gate {
    pub(crate) fn new(now: MonoTime) -> Self {
        let full = Bucket { micro_tokens: BURST * MICROS, filled: now };
        Self { sources: BTreeMap::new(), buckets: [full; 5], suppressed: 0, report_at: None }
    }

    /// May an event of `topic` about `source` be told? If not, it is counted.
    pub(crate) fn passes(&mut self, topic: Topic, source: IpAddr, now: MonoTime) -> bool {
        let told = self.source_passes(topic, source, now) && self.buckets[topic as usize].take(now);
        if !told {
            self.suppressed += 1;
            self.report_at.get_or_insert(now.plus(SUPPRESSED_REPORT_EVERY));
        }
        told
    }

    /// The number of events that were not told since the last report, when it is time to say so.
    pub(crate) fn report(&mut self, now: MonoTime) -> Option<u64> {
        self.report_at.take_if(|at| *at <= now)?;
        Some(core::mem::take(&mut self.suppressed))
    }

    pub(crate) const fn wake_at(&self) -> Option<MonoTime> {
        self.report_at
    }

    fn source_passes(&mut self, topic: Topic, source: IpAddr, now: MonoTime) -> bool {
        if self.sources.len() >= KNOCK_SOURCES_MAX && !self.sources.contains_key(&(topic, source)) {
            self.sources.clear();
        }
        let seen = self.sources.entry((topic, source)).or_insert(Seen { since: now, told: 0 });
        if now.since(seen.since) >= SOURCE_WINDOW {
            *seen = Seen { since: now, told: 0 };
        }
        seen.told = seen.told.saturating_add(1);
        seen.told <= if topic == Topic::Datagram { DATAGRAMS_PER_SOURCE } else { KNOCKS_PER_SOURCE }
    }
}

impl Bucket {
    fn take(&mut self, now: MonoTime) -> bool {
        let micros = u64::try_from(now.since(self.filled).as_micros()).unwrap_or(u64::MAX);
        self.micro_tokens = self.micro_tokens.saturating_add(micros.saturating_mul(RATE)).min(BURST * MICROS);
        self.filled = now;
        let taken = self.micro_tokens.checked_sub(MICROS);
        self.micro_tokens = taken.unwrap_or(self.micro_tokens);
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const START: MonoTime = MonoTime(5_000_000);

    fn source(index: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(index))
    }

    fn passed(gate: &mut Gate, sources: impl Iterator<Item = u32>, now: MonoTime) -> usize {
        sources.filter(|index| gate.passes(Topic::Knock, source(*index), now)).count()
    }

    #[test]
    fn one_source_is_told_a_few_times_a_minute() {
        let mut gate = Gate::new(START);
        assert_eq!(passed(&mut gate, [1; 100].into_iter(), START), KNOCKS_PER_SOURCE as usize);
        assert!(gate.passes(Topic::Scan, source(1), START), "another topic is another count");
        let datagrams = (0..200).filter(|_| gate.passes(Topic::Datagram, source(1), START)).count();
        assert_eq!(datagrams, DATAGRAMS_PER_SOURCE as usize);
        assert_eq!(passed(&mut gate, [1].into_iter(), START.plus(SOURCE_WINDOW)), 1);
    }

    #[test]
    fn a_flood_from_forged_sources_is_held_to_the_common_budget_and_counted() {
        let mut gate = Gate::new(START);
        assert_eq!(passed(&mut gate, 0..100_000, START), 500);
        let later = START.plus(Duration::from_secs(2));
        assert_eq!(passed(&mut gate, 200_000..300_000, later), 100, "two seconds refill two seconds' worth");
        assert!(gate.sources.len() <= KNOCK_SOURCES_MAX);
        assert_eq!(gate.report(later), None, "not yet");
        assert_eq!(gate.report(START.plus(SUPPRESSED_REPORT_EVERY)), Some(199_400));
        assert_eq!(gate.report(MonoTime::MAX), None, "told once");
    }
}

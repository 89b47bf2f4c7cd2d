//! What happened since the daemon started, counted from its events.

use honeymesh_types::{Event, EventKind};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// The most trap names that are counted one by one; further ones are counted together as `other`.
pub const NAMES_MAX: usize = 64;
/// Upper bounds of the buckets from evidence to ban, in seconds.
pub const DETECT_TO_BAN_BUCKETS_S: [f64; 12] = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 0.1, 1.0, 10.0];

/// Counters since the start. Labels are words of the house or names of the configuration, never a stranger's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CountsJson {
    /// Events by kind.
    pub events: BTreeMap<String, u64>,
    /// Visits by trap.
    pub visits: BTreeMap<String, u64>,
    /// Bans that began or grew, by reason.
    pub bans: BTreeMap<String, u64>,
    /// Bans that ended, by cause: `unban` or `expire`.
    pub ended: BTreeMap<String, u64>,
    /// From the evidence's arrival in user space to the kernel's entry.
    pub detect_to_ban: LatencyJson,
}

impl CountsJson {
    /// Counts one event.
    pub fn note(&mut self, event: &Event) {
        add(&mut self.events, event.kind.as_str());
        match event.kind {
            EventKind::Visit => add_bounded(&mut self.visits, event.trap.as_deref().unwrap_or("other")),
            EventKind::Ban => event.reasons.words().for_each(|word| add(&mut self.bans, word)),
            EventKind::Unban | EventKind::Expire => add(&mut self.ended, event.kind.as_str()),
            EventKind::Knock | EventKind::Scan | EventKind::Mesh | EventKind::Audit => {}
        }
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count = count.saturating_add(1),
        None => drop(counts.insert(name.into(), 1)),
    }
}

fn add_bounded(counts: &mut BTreeMap<String, u64>, name: &str) {
    let room = counts.len() < NAMES_MAX || counts.contains_key(name);
    add(counts, if room { name } else { "other" });
}

/// A histogram of durations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyJson {
    /// How many durations lie in each bucket of [`DETECT_TO_BAN_BUCKETS_S`], and last those beyond; not cumulative.
    pub buckets: Vec<u64>,
    /// The sum of all durations, in seconds.
    pub sum_seconds: f64,
    /// How many durations there were.
    pub count: u64,
}

impl Default for LatencyJson {
    fn default() -> Self {
        Self { buckets: vec![0; DETECT_TO_BAN_BUCKETS_S.len() + 1], sum_seconds: 0.0, count: 0 }
    }
}

impl LatencyJson {
    /// Counts one duration.
    pub fn note(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = DETECT_TO_BAN_BUCKETS_S.iter().position(|bound| seconds <= *bound).unwrap_or(DETECT_TO_BAN_BUCKETS_S.len());
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.sum_seconds += seconds;
        self.count = self.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::{banned, visit};

    #[test]
    fn events_are_counted_by_kind_trap_and_reason() {
        let mut counts = CountsJson::default();
        counts.note(&visit());
        counts.note(&visit());
        counts.note(&banned());
        assert_eq!(counts.events, BTreeMap::from([("ban".into(), 1), ("visit".into(), 2)]));
        assert_eq!(counts.visits, BTreeMap::from([("ssh".into(), 2)]));
        assert_eq!(counts.bans, BTreeMap::from([("scan".into(), 1), ("trap".into(), 1)]));
    }

    #[test]
    fn names_are_bounded() {
        let mut counts = CountsJson::default();
        for index in 0..1_000 {
            counts.note(&Event { trap: Some(format!("t{index}")), ..visit() });
        }
        assert_eq!((counts.visits.len(), counts.visits["other"]), (NAMES_MAX + 1, 1_000 - 64));
    }

    #[test]
    fn durations_fall_into_buckets() {
        let mut latency = LatencyJson::default();
        for micros in [5, 10, 11, 100_000_000] {
            latency.note(Duration::from_micros(micros));
        }
        assert_eq!((latency.buckets[0], latency.buckets[1], latency.buckets.last(), latency.count), (2, 1, Some(&1), 4));
        assert!((latency.sum_seconds - 100.000_026).abs() < 1e-9);
    }
}

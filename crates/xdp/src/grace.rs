//! Packets under way. One that has looked for a prefix before it was entered may look for a host after that has gone: it would find neither,
//! and pass. So where one stands in for the other, whoever goes waits until all such packets are through.

use crate::spot::Spot;
use honeymesh_types::Subject;
use rustix::thread::{MembarrierCommand, membarrier};
use std::{thread, time::Duration};

/// Prefixes that are remembered, and as many others; beyond it whoever may be stood in for by one is waited for once.
const REMEMBERED_MAX: usize = 256;
/// How long is waited where the kernel does not tell (without `CONFIG_MEMBARRIER`, or with `nohz_full`): a packet takes microseconds.
const UNTOLD: Duration = Duration::from_millis(20);

/// What was entered since all packets under way were waited for.
#[derive(Debug, Default)]
pub struct Newcomers {
    prefixes: Remembered,
    hosts: Remembered,
}

#[derive(Debug, Default)]
struct Remembered {
    subjects: Vec<Subject>,
    is_overfull: bool,
}

impl Remembered {
    fn add(&mut self, subject: &Subject) {
        self.is_overfull |= self.subjects.len() >= REMEMBERED_MAX;
        if !self.is_overfull {
            self.subjects.push(*subject);
        }
    }

    /// May one of them stand in for `subject`, or a part of it?
    fn overlap(&self, subject: &Subject) -> bool {
        self.is_overfull || self.subjects.iter().any(|one| one.overlaps(&subject.net()))
    }
}

impl Newcomers {
    /// `subject` was entered at `spot`.
    pub fn add(&mut self, spot: &Spot, subject: &Subject) {
        if spot.is_prefix() { &mut self.prefixes } else { &mut self.hosts }.add(subject);
    }

    /// `subject` is about to go from `spot`: waits for the packets that may not have seen what stands in for it in the other tables.
    pub fn make_way(&mut self, spot: &Spot, subject: &Subject) {
        if if spot.is_prefix() { &self.hosts } else { &self.prefixes }.overlap(subject) {
            *self = Self::default();
            pass();
        }
    }
}

/// Waits until every packet that is in the program now is through (an RCU grace period, some milliseconds).
pub fn pass() {
    if membarrier(MembarrierCommand::Global).is_err() {
        thread::sleep(UNTOLD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    fn waits(came: &[&str], goes: &str) -> bool {
        let mut newcomers = Newcomers::default();
        for came in came.iter().map(|text| subject(text)) {
            newcomers.add(&Spot::home(&came), &came);
        }
        let goes = subject(goes);
        newcomers.make_way(&Spot::home(&goes), &goes);
        !came.is_empty() && newcomers.prefixes.subjects.is_empty() && newcomers.hosts.subjects.is_empty()
    }

    #[test]
    fn whoever_is_stood_in_for_waits_and_nobody_else() {
        assert!(waits(&["192.0.2.0/24"], "192.0.2.7"));
        assert!(!waits(&["192.0.2.0/24"], "192.0.3.7"));
        assert!(!waits(&["192.0.2.7"], "192.0.2.7"));
        assert!(waits(&["192.0.2.7"], "192.0.2.0/24"));
        assert!(!waits(&["192.0.3.7", "203.0.113.0/24"], "192.0.2.0/24"));
        assert!(waits(&["2001:db8::/40"], "2001:db8:1:2::/64"));
        assert!(waits(&["2001:db8:1:2::/64"], "2001:db8::/40"));
        assert!(!waits(&[], "192.0.2.0/24"));
    }

    #[test]
    fn more_than_are_remembered_are_waited_for_once() {
        for (last, goes) in [("0/24", "192.0.2.7"), ("9", "192.0.2.0/24")] {
            let mut newcomers = Newcomers::default();
            for third in 0..=REMEMBERED_MAX {
                let came = subject(&format!("10.{}.{}.{last}", third >> 8, third & 255));
                newcomers.add(&Spot::home(&came), &came);
            }
            let sizes = |newcomers: &Newcomers| newcomers.prefixes.subjects.len() + newcomers.hosts.subjects.len();
            assert_eq!(sizes(&newcomers), REMEMBERED_MAX);
            let goes = subject(goes);
            newcomers.make_way(&Spot::home(&goes), &goes);
            assert!(sizes(&newcomers) == 0 && !newcomers.prefixes.is_overfull && !newcomers.hosts.is_overfull);
        }
    }
}

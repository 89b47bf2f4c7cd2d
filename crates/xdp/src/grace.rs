//! Packets under way. One that has looked for a prefix before it was entered may look for a host after that has gone: it would find neither,
//! and pass. So where one stands in for the other, whoever goes waits until all such packets are through.

use crate::spot::Spot;
use honeymesh_types::Subject;
use rustix::thread::{MembarrierCommand, membarrier};
use std::{thread, time::Duration};

/// Prefixes that are remembered; beyond it every entry that goes is waited for once.
const PREFIXES_MAX: usize = 256;
/// How long is waited where the kernel does not tell (without `CONFIG_MEMBARRIER`, or with `nohz_full`): a packet takes microseconds.
const UNTOLD: Duration = Duration::from_millis(20);

/// What was entered since all packets under way were waited for.
#[derive(Debug, Default)]
pub struct Newcomers {
    prefixes: Vec<Subject>,
    is_overfull: bool,
    is_any: bool,
}

impl Newcomers {
    /// `subject` was entered at `spot`.
    pub fn add(&mut self, spot: &Spot, subject: &Subject) {
        self.is_any = true;
        if !spot.is_prefix() || self.is_overfull {
            return;
        }
        self.is_overfull = self.prefixes.len() >= PREFIXES_MAX;
        if !self.is_overfull {
            self.prefixes.push(*subject);
        }
    }

    /// `subject` is about to go from `spot`: waits for the packets that may not have seen what stands in for it. A prefix waits for
    /// whatever came, since hosts are not remembered.
    pub fn make_way(&mut self, spot: &Spot, subject: &Subject) {
        let is_covered = || self.is_overfull || self.prefixes.iter().any(|prefix| subject.is_within(&prefix.net()));
        if if spot.is_prefix() { self.is_any } else { is_covered() } {
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
        let (had, goes) = (newcomers.is_any, subject(goes));
        newcomers.make_way(&Spot::home(&goes), &goes);
        had && !newcomers.is_any
    }

    #[test]
    fn whoever_is_stood_in_for_waits_and_nobody_else() {
        assert!(waits(&["192.0.2.0/24"], "192.0.2.7"));
        assert!(!waits(&["192.0.2.0/24"], "192.0.3.7"));
        assert!(!waits(&["192.0.2.7"], "192.0.2.7"));
        assert!(waits(&["192.0.2.7"], "192.0.2.0/24"));
        assert!(waits(&["2001:db8::/40"], "2001:db8:1:2::/64"));
        assert!(!waits(&[], "192.0.2.0/24"));
    }

    #[test]
    fn more_prefixes_than_are_remembered_are_waited_for_once() {
        let mut newcomers = Newcomers::default();
        for third in 0..=PREFIXES_MAX {
            let prefix = subject(&format!("10.{}.{}.0/24", third >> 8, third & 255));
            newcomers.add(&Spot::home(&prefix), &prefix);
        }
        let other = subject("192.0.2.7");
        assert!(newcomers.prefixes.len() == PREFIXES_MAX && newcomers.is_overfull);
        newcomers.make_way(&Spot::home(&other), &other);
        assert!(newcomers.prefixes.is_empty() && !newcomers.is_overfull && !newcomers.is_any);
    }
}

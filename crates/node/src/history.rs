//! Remembers the bans that ended last, so that `why` can say why somebody is not banned.

use crate::Past;
use alloc::{collections::VecDeque, vec::Vec};
use core::net::IpAddr;

/// How many ended bans are remembered; the oldest is forgotten first.
pub const HISTORY_MAX: usize = 1_024;

/// A ring of ended bans.
#[derive(Default)]
pub(crate) struct History {
    ring: VecDeque<Past>,
}

impl History {
    pub(crate) fn push(&mut self, past: Past) {
        if self.ring.len() >= HISTORY_MAX {
            self.ring.pop_front();
        }
        self.ring.push_back(past);
    }

    /// What covered `addr`, newest first.
    pub(crate) fn covering(&self, addr: IpAddr) -> Vec<Past> {
        self.ring.iter().rev().filter(|past| past.subject.contains(addr)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_types::{Subject, WallTime};

    #[test]
    fn the_newest_comes_first_and_the_oldest_is_forgotten() {
        let mut history = History::default();
        let subject: Subject = "203.0.113.0/24".parse().unwrap();
        for at in 0..=HISTORY_MAX as u64 {
            history.push(Past { subject, at: WallTime(at), how: "expired".into() });
        }
        let past = history.covering("203.0.113.9".parse().unwrap());
        assert_eq!((past.len(), past[0].at, past[HISTORY_MAX - 1].at), (HISTORY_MAX, WallTime(HISTORY_MAX as u64), WallTime(1)));
        assert!(history.covering("203.0.114.9".parse().unwrap()).is_empty());
    }
}

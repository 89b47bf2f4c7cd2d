//! Remembers unbans, so that a word of a peer that was said before one but arrives after it does not undo it.

use alloc::collections::{BTreeMap, BTreeSet};
use honeymesh_types::{Subject, WallTime};

/// How many unbans are remembered; the one that lies furthest back is forgotten first.
pub const LIFTED_MAX: usize = 100_000;

/// For each lifted subject, until when everything said about it was lifted.
#[derive(Default)]
pub(crate) struct Lifted {
    before: BTreeMap<Subject, WallTime>,
    order: BTreeSet<(WallTime, Subject)>,
}

impl Lifted {
    pub(crate) fn remember(&mut self, subject: Subject, before: WallTime) {
        let known = self.before.get(&subject).copied();
        if known.is_some_and(|known| known >= before) {
            return;
        }
        if let Some(known) = known {
            self.order.remove(&(known, subject));
        }
        self.before.insert(subject, before);
        self.order.insert((before, subject));
        if self.before.len() > LIFTED_MAX {
            self.forget_first();
        }
    }

    /// Was what was said about `subject` at `said` lifted since?
    pub(crate) fn covers(&self, subject: &Subject, said: WallTime) -> bool {
        self.before.get(subject).is_some_and(|before| said <= *before)
    }

    /// Forgets what was remembered about one subject. Whether there was anything.
    pub(crate) fn forget(&mut self, subject: &Subject) -> bool {
        let known = self.before.remove(subject);
        known.is_some_and(|before| self.order.remove(&(before, *subject)))
    }

    /// Forgets the unbans before which nothing can still be alive.
    pub(crate) fn forget_until(&mut self, dead: WallTime) {
        while self.order.first().is_some_and(|(before, _)| *before <= dead) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, subject)) = self.order.pop_first() {
            self.before.remove(&subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr};

    fn subject(index: u32) -> Subject {
        Subject::host(IpAddr::V4(Ipv4Addr::from_bits(index)))
    }

    #[test]
    fn the_latest_unban_of_a_subject_holds() {
        let mut lifted = Lifted::default();
        lifted.remember(subject(1), WallTime(50));
        lifted.remember(subject(1), WallTime(20));
        assert!(lifted.covers(&subject(1), WallTime(50)) && !lifted.covers(&subject(1), WallTime(51)));
        assert!(!lifted.covers(&subject(2), WallTime(0)));
        lifted.forget_until(WallTime(50));
        assert!(!lifted.covers(&subject(1), WallTime(0)) && lifted.order.is_empty());
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_what_lies_furthest_back() {
        let mut lifted = Lifted::default();
        let count = u32::try_from(LIFTED_MAX).unwrap() + 1;
        (0..count).for_each(|index| lifted.remember(subject(index), WallTime(u64::from(index))));
        assert_eq!((lifted.before.len(), lifted.order.len()), (LIFTED_MAX, LIFTED_MAX));
        assert!(!lifted.covers(&subject(0), WallTime(0)) && lifted.covers(&subject(count - 1), WallTime(0)));
    }
}

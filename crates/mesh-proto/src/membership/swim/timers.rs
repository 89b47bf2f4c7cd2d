//! The library's timers, delivered in the order in which they fall due.

use super::Ident;
use crate::peers::ShortId;
use alloc::collections::BTreeMap;
use foca::Timer;
use honeymesh_types::MonoTime;

/// Timers by time, then by the order the library asks for, then by age.
#[derive(Default)]
pub(super) struct Timers {
    pending: BTreeMap<(MonoTime, u8, u64), Timer<Ident>>,
    /// When each member that is down is to be forgotten: one time each, so that no flapping node piles them up.
    graves: BTreeMap<ShortId, (MonoTime, Ident)>,
    submitted: u64,
}

impl Timers {
    pub(super) fn submit(&mut self, timer: Timer<Ident>, at: MonoTime) {
        if let Timer::RemoveDown(ident) = timer {
            self.graves.insert(ident.short(), (at, ident));
        } else {
            self.submitted += 1;
            self.pending.insert((at, rank(&timer), self.submitted), timer);
        }
    }

    /// Takes out the first timer that is due.
    pub(super) fn due(&mut self, now: MonoTime) -> Option<Timer<Ident>> {
        match self.pending.first_entry() {
            Some(first) if first.key().0 <= now => Some(first.remove()),
            _ => self.grave(|at| at <= now).map(Timer::RemoveDown),
        }
    }

    /// Takes out the member that is next to be forgotten, due or not.
    pub(super) fn oldest_grave(&mut self) -> Option<Ident> {
        self.grave(|_| true)
    }

    fn grave(&mut self, is_due: impl Fn(MonoTime) -> bool) -> Option<Ident> {
        let (id, (at, ident)) = self.graves.iter().min_by_key(|(id, (at, _))| (*at, **id))?;
        let (id, at, ident) = (*id, *at, *ident);
        is_due(at).then(|| {
            self.graves.remove(&id);
            ident
        })
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> MonoTime {
        let pending = self.pending.first_key_value().map_or(MonoTime::MAX, |((at, ..), _)| *at);
        let grave = self.graves.values().map(|(at, _)| *at).min().unwrap_or(MonoTime::MAX);
        pending.min(grave)
    }
}

/// The library's own order among timers that are due together: a probe's second stage before the next probe.
const fn rank(timer: &Timer<Ident>) -> u8 {
    match timer {
        Timer::SendIndirectProbe { .. } => 0,
        Timer::ProbeRandomMember(_) => 1,
        Timer::ChangeSuspectToDown { .. } => 2,
        Timer::PeriodicAnnounce(_) => 3,
        Timer::PeriodicGossip(_) => 4,
        Timer::RemoveDown(_) => 5,
        Timer::PeriodicAnnounceDown(_) => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(fill: u8) -> Ident {
        Ident { node: [fill; 32], addr: "192.0.2.1:1".parse().unwrap(), incarnation: 0 }
    }

    #[test]
    fn timers_come_in_order_even_when_late() {
        let mut timers = Timers::default();
        timers.submit(Timer::PeriodicGossip(0), MonoTime(20));
        timers.submit(Timer::ProbeRandomMember(0), MonoTime(10));
        timers.submit(Timer::SendIndirectProbe { probed_id: ident(1), token: 0 }, MonoTime(10));
        assert_eq!((timers.next(), timers.due(MonoTime(9))), (MonoTime(10), None));
        let order: alloc::vec::Vec<u8> = core::iter::from_fn(|| timers.due(MonoTime(99))).map(|t| rank(&t)).collect();
        assert_eq!(order, [0, 1, 4]);
        assert_eq!(timers.next(), MonoTime::MAX);
    }

    #[test]
    fn a_flapping_member_has_one_grave() {
        let mut timers = Timers::default();
        for at in 1..100 {
            timers.submit(Timer::RemoveDown(ident(1)), MonoTime(at));
        }
        timers.submit(Timer::RemoveDown(ident(2)), MonoTime(50));
        assert_eq!(timers.oldest_grave(), Some(ident(2)));
        assert_eq!(timers.due(MonoTime(98)), None);
        assert_eq!(timers.due(MonoTime(99)), Some(Timer::RemoveDown(ident(1))));
        assert_eq!(timers.due(MonoTime::MAX), None);
    }
}

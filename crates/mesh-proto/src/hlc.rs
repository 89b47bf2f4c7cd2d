//! A hybrid logical clock: wall time that never runs backwards and orders what was said.

use crate::limits::FUTURE_MAX;
use core::fmt;
use honeymesh_types::WallTime;

/// When something was said: 48 bits of milliseconds since 1970 and a 16-bit counter, ordered as one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc(pub u64);

impl Hlc {
    /// Bits of the counter.
    const COUNTER_BITS: u32 = 16;
    /// The last counter of a millisecond.
    const COUNTER_MAX: u64 = (1 << Self::COUNTER_BITS) - 1;

    /// The first instant of a wall-clock millisecond.
    #[must_use]
    pub const fn at(wall: WallTime) -> Self {
        Self(wall.as_millis() << Self::COUNTER_BITS)
    }

    /// The wall-clock part.
    #[must_use]
    pub const fn wall(self) -> WallTime {
        WallTime::from_millis(self.0 >> Self::COUNTER_BITS)
    }

    /// The counter that orders what was said within one millisecond.
    #[must_use]
    pub const fn counter(self) -> u64 {
        self.0 & Self::COUNTER_MAX
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.wall().as_millis(), self.counter())
    }
}

/// The clock itself: remembers the latest time seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    latest: Hlc,
    /// Nothing more is said in the millisecond of `latest`: it is another node's, or that of an unban.
    is_closed: bool,
}

impl Clock {
    /// A time for something said now: later than everything this node has said or accepted, and in a later
    /// millisecond than everything it has accepted and every unban.
    pub(crate) fn tick(&mut self, wall: WallTime) -> Hlc {
        let next =
            if self.is_closed { (self.latest.0 | Hlc::COUNTER_MAX).saturating_add(1) } else { self.latest.0.saturating_add(1) };
        self.latest = Hlc(next).max(Hlc::at(wall));
        self.is_closed = false;
        self.latest
    }

    /// Nothing more is said in the present millisecond: an unban wins all of it.
    pub(crate) const fn close(&mut self) {
        self.is_closed = true;
    }

    /// Is `at` further ahead of the wall clock than any honest clock can be?
    pub(crate) fn is_future(at: Hlc, wall: WallTime) -> bool {
        at.wall() > wall.plus(FUTURE_MAX)
    }

    /// Takes note of a time that was accepted; times from the future do not move the clock.
    pub(crate) fn observe(&mut self, at: Hlc, wall: WallTime) {
        if at > self.latest && !Self::is_future(at, wall) {
            self.latest = at;
            self.is_closed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn ticks_grow_even_when_the_wall_clock_is_set_back() {
        let mut clock = Clock::default();
        let first = clock.tick(WallTime::from_millis(5_000));
        let second = clock.tick(WallTime::from_millis(1_000));
        assert!(second > first);
        assert_eq!((second.wall(), second.counter()), (WallTime::from_millis(5_000), 1));
    }

    #[test]
    fn what_was_accepted_is_older_than_what_is_said_next() {
        let mut clock = Clock::default();
        let wall = WallTime::from_millis(100_000);
        let ahead = Hlc::at(wall.plus(Duration::from_secs(30)));
        clock.observe(ahead, wall);
        let answer = clock.tick(wall);
        assert!(answer.wall() > ahead.wall(), "in a later millisecond, so that milliseconds alone tell the order");
        assert_eq!(clock.tick(wall), Hlc(answer.0 + 1), "what it says after that needs no other one");
    }

    #[test]
    fn nothing_follows_in_the_millisecond_of_an_unban() {
        let mut clock = Clock::default();
        let unban = clock.tick(WallTime::from_millis(5));
        clock.close();
        assert_eq!(clock.tick(WallTime::from_millis(5)), Hlc::at(WallTime::from_millis(6)));
        assert!(unban.wall() < clock.tick(WallTime::from_millis(5)).wall());
    }

    #[test]
    fn the_future_does_not_move_the_clock() {
        let mut clock = Clock::default();
        let wall = WallTime::from_millis(100_000);
        let last_honest = Hlc::at(wall.plus(FUTURE_MAX));
        let first_dishonest = Hlc::at(wall.plus(FUTURE_MAX + Duration::from_millis(1)));
        assert!(!Clock::is_future(last_honest, wall) && Clock::is_future(first_dishonest, wall));
        clock.observe(first_dishonest, wall);
        assert_eq!(clock.tick(wall), Hlc::at(wall));
    }

    #[test]
    fn a_counter_that_runs_over_borrows_the_next_millisecond() {
        let mut clock = Clock { latest: Hlc((7 << 16) | 0xffff), is_closed: false };
        assert_eq!(clock.tick(WallTime::from_millis(7)), Hlc(8 << 16));
    }
}

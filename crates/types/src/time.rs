//! Two clocks, never mixed: the wall clock dates things, the monotonic clock times them.

use core::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z. Dates records, bans and events; may step when the clock is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

/// Microseconds since boot, suspend included (`CLOCK_BOOTTIME`). Drives timers and rate limits; never steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(pub u64);

/// One reading of both clocks, taken by a carrier and handed to a decider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: WallTime,
    /// The monotonic clock.
    pub mono: MonoTime,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

macro_rules! clock {
    ($clock:ty) => {
        impl $clock {
            /// The end of time; additions saturate here.
            pub const MAX: Self = Self(u64::MAX);

            /// This time as whole milliseconds, rounded down.
            #[must_use]
            pub const fn as_millis(self) -> u64 {
                self.0 / 1_000
            }

            /// Milliseconds into a time; saturates.
            #[must_use]
            pub const fn from_millis(millis: u64) -> Self {
                Self(millis.saturating_mul(1_000))
            }

            /// The time `later` after this one; saturates.
            #[must_use]
            pub fn plus(self, later: Duration) -> Self {
                Self(self.0.saturating_add(micros(later)))
            }

            /// The time `earlier` before this one; saturates at zero.
            #[must_use]
            pub fn minus(self, earlier: Duration) -> Self {
                Self(self.0.saturating_sub(micros(earlier)))
            }

            /// How long after `earlier` this is; zero if it is not after it.
            #[must_use]
            pub const fn since(self, earlier: Self) -> Duration {
                Duration::from_micros(self.0.saturating_sub(earlier.0))
            }
        }
    };
}

clock!(WallTime);
clock!(MonoTime);

impl Now {
    /// The monotonic time at which the wall clock will show `wall`, if it does not step until then.
    #[must_use]
    pub fn mono_at(&self, wall: WallTime) -> MonoTime {
        self.mono.plus(wall.since(self.wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(WallTime::MAX.plus(Duration::MAX), WallTime::MAX);
        assert_eq!(MonoTime(5).minus(Duration::from_secs(1)), MonoTime(0));
        assert_eq!(MonoTime(5).since(MonoTime(9)), Duration::ZERO);
    }

    #[test]
    fn a_wall_deadline_becomes_a_monotonic_one() {
        let now = Now { wall: WallTime(1_000), mono: MonoTime(10) };
        assert_eq!(now.mono_at(WallTime(1_500)), MonoTime(510));
        assert_eq!(now.mono_at(WallTime(500)), MonoTime(10), "a deadline in the past is now");
    }
}

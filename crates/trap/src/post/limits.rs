//! How often something may happen, for each of very many: in a table that never grows.
//!
//! Those who share a place in the table share what is allowed. Which do is decided by a key that changes with each start, so
//! nobody can choose his neighbours; and a flood of forged sources uses up everybody's share, which the limit in all would do anyway.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};
use tokio::time::Instant;

/// Places in a table, 8 octets each.
pub(super) const SLOTS: usize = 8_192;

/// How often, and how often at once after a pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limiter {
    pub(super) a_second: u32,
    pub(super) at_once: u32,
}

/// Who has how much left (a token bucket each, kept as the time at which it is full again).
pub(super) struct Allowance {
    key: RandomState,
    began: Instant,
    /// Nanoseconds since then.
    full_at: Box<[u64]>,
    each: u64,
    burst: u64,
}

impl Allowance {
    pub(super) fn new(limiter: Limiter, slots: usize, began: Instant) -> Self {
        let each = nanos(Duration::from_secs(1)) / u64::from(limiter.a_second);
        let burst = each * u64::from(limiter.at_once);
        Self { key: RandomState::new(), began, full_at: vec![0; slots].into(), each, burst }
    }

    /// Takes one, if there is one left.
    pub(super) fn allows(&mut self, who: &impl Hash, now: Instant) -> bool {
        let now = nanos(now.saturating_duration_since(self.began));
        let slots = self.full_at.len() as u64;
        let slot = usize::try_from(self.key.hash_one(who) % slots).unwrap_or(0);
        let full_at = self.full_at[slot].max(now) + self.each;
        let is_left = full_at <= now + self.burst;
        if is_left {
            self.full_at[slot] = full_at;
        }
        is_left
    }
}

/// Enough for 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_a_steady_rate_each_apart() {
        let start = Instant::now();
        let mut allowance = Allowance::new(Limiter { a_second: 10, at_once: 5 }, SLOTS, start);
        let mut allowed = |who: u32, millis: u64| allowance.allows(&who, start + Duration::from_millis(millis));
        assert_eq!((0..20).filter(|_| allowed(1, 0)).count(), 5);
        assert!(allowed(2, 0), "another one");
        assert_eq!((0..1_000).filter(|millis| allowed(1, *millis)).count(), 9, "ten a second");
        assert_eq!((0..20).filter(|_| allowed(1, 60_000)).count(), 5);
    }
}

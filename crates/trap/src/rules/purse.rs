//! What the rules may cost: processor time, saved up while they rest.

use super::{RULE_SAVED_MAX, RULE_SHARE};
use nix::time::{ClockId, clock_gettime};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Time that may be spent. Whoever has something left may begin; what it then takes too much is owed.
#[derive(Debug)]
pub(super) struct Purse(Mutex<Saved>);

#[derive(Clone, Copy, Debug)]
struct Saved {
    left: Duration,
    owed: Duration,
    at: Instant,
}

impl Purse {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Saved { left: RULE_SAVED_MAX, owed: Duration::ZERO, at: Instant::now() }))
    }

    /// Is there something left?
    pub(super) fn has_some(&self) -> bool {
        self.change(Instant::now(), Duration::ZERO)
    }

    pub(super) fn spend(&self, taken: Duration) {
        self.change(Instant::now(), taken);
    }

    fn change(&self, now: Instant, taken: Duration) -> bool {
        let mut saved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *saved = saved.after(now, taken);
        saved.owed.is_zero() && !saved.left.is_zero()
    }
}

impl Saved {
    fn after(self, now: Instant, taken: Duration) -> Self {
        let earned = now.saturating_duration_since(self.at) / RULE_SHARE;
        let left = (self.left + earned).saturating_sub(self.owed).min(RULE_SAVED_MAX);
        let owed = self.owed.saturating_sub(self.left + earned);
        Self { left: left.saturating_sub(taken), owed: owed + taken.saturating_sub(left), at: now }
    }
}

/// The processor time that this thread has had: nobody pays for what others do meanwhile.
pub(super) fn worked() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_is_spent_too_much_is_owed_and_a_quarter_of_all_time_pays_it() {
        let begun = Instant::now();
        let full = Saved { left: RULE_SAVED_MAX, owed: Duration::ZERO, at: begun };
        let poor = full.after(begun, ms(350));
        assert_eq!((poor.left, poor.owed), (Duration::ZERO, ms(100)));
        let waited = poor.after(begun + ms(399), Duration::ZERO);
        assert!(waited.left.is_zero() && waited.owed < ms(1) && !waited.owed.is_zero(), "{waited:?}");
        let again = waited.after(begun + ms(440), Duration::ZERO);
        assert_eq!((again.left, again.owed), (ms(10), Duration::ZERO));
        let rich = again.after(begun + ms(1_000_000), ms(1));
        assert_eq!(rich.left, RULE_SAVED_MAX - ms(1), "no more is saved");
    }
}

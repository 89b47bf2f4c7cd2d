//! A token bucket: so many at once, so many a second.

use honeymesh_types::MonoTime;

/// Parts of a token: one for each microsecond of a second, so that no rate loses to rounding.
const PARTS: u64 = 1_000_000;

/// The most tokens that are owed: whoever has mended its ways is heard again after the time in which so many flow in. As many as
/// the fines for everything that may be checked for one peer at once.
pub(crate) const DEBT_MAX: u32 = 20_000;

/// How much of a budget is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    parts: u64,
    /// What a fine took that was not there: paid off before anything is taken again.
    debt: u64,
    at: MonoTime,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn full(burst: u32, now: MonoTime) -> Self {
        Self { parts: u64::from(burst) * PARTS, debt: 0, at: now }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, rate: u32, burst: u32, now: MonoTime) -> bool {
        self.fill(rate, burst, now);
        let enough = self.parts >= PARTS;
        if enough {
            self.parts -= PARTS;
        }
        enough
    }

    /// Takes so many tokens at once, for what should not have been sent at all. What is not there is owed, up to [`DEBT_MAX`].
    pub(crate) fn fine(&mut self, tokens: u32) {
        let fine = u64::from(tokens) * PARTS;
        let owed = fine.saturating_sub(self.parts);
        self.parts = self.parts.saturating_sub(fine);
        self.debt = self.debt.saturating_add(owed).min(u64::from(DEBT_MAX) * PARTS);
    }

    /// Would it be full by now? Then forgetting it changes nothing.
    pub(crate) fn is_full(mut self, rate: u32, burst: u32, now: MonoTime) -> bool {
        self.fill(rate, burst, now);
        self.parts == u64::from(burst) * PARTS
    }

    fn fill(&mut self, rate: u32, burst: u32, now: MonoTime) {
        let micros = now.0.saturating_sub(self.at.0);
        let earned = micros.saturating_mul(rate.into());
        let paid = earned.min(self.debt);
        self.debt -= paid;
        self.parts = self.parts.saturating_add(earned - paid).min(u64::from(burst) * PARTS);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::full(3, MonoTime(0));
        let taken = |bucket: &mut Bucket, now| (0..10).filter(|_| bucket.take(2, 3, now)).count();
        assert_eq!(taken(&mut bucket, MonoTime(0)), 3);
        assert_eq!(taken(&mut bucket, MonoTime::from_millis(499)), 0);
        assert_eq!(taken(&mut bucket, MonoTime::from_millis(1_000)), 2);
        assert_eq!(taken(&mut bucket, MonoTime::from_millis(3_600_000)), 3, "never more than the burst");
        assert!(!bucket.is_full(2, 3, MonoTime::from_millis(3_600_000)));
        assert!(bucket.is_full(2, 3, MonoTime::MAX));
    }

    #[test]
    fn a_fine_takes_what_is_there_and_the_rest_is_owed() {
        let mut bucket = Bucket::full(5, MonoTime(0));
        bucket.fine(3);
        assert!(bucket.take(0, 5, MonoTime(0)) && bucket.take(0, 5, MonoTime(0)) && !bucket.take(0, 5, MonoTime(0)));
        bucket.fine(4);
        assert!(!bucket.take(2, 5, MonoTime::from_millis(2_000)), "two seconds pay the debt");
        assert!(bucket.take(2, 5, MonoTime::from_millis(2_500)));
        bucket.fine(u32::MAX);
        assert!(!bucket.take(1_000, 5, MonoTime::from_millis(22_499)));
        assert!(bucket.take(1_000, 5, MonoTime::from_millis(22_501)), "not for ever");
    }

    #[test]
    fn a_time_that_steps_back_fills_nothing() {
        let mut bucket = Bucket::full(1, MonoTime::from_millis(5_000));
        assert!(bucket.take(1, 1, MonoTime::from_millis(5_000)));
        assert!(!bucket.take(1, 1, MonoTime::from_millis(1_000)));
        assert!(!bucket.take(1, 1, MonoTime::from_millis(5_500)));
    }
}

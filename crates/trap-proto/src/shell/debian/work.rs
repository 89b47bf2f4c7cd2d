//! How much a shell does for a stranger: whoever is let in must not keep a processor from the others.

use core::cell::Cell;
use honeymesh_types::WallTime;

/// Steps for one message. The dearest cost 1,800 instructions (`fuzz/tests/linear.rs`), so all of them some 15 million.
pub(crate) const MESSAGE_STEPS_MAX: u32 = 8_192;
/// Steps that a connection may have in hand.
const HELD_STEPS_MAX: u32 = 2 * MESSAGE_STEPS_MAX;
/// It gets a step every so many microseconds, of the dearest 36 million instructions in a second: about a hundredth of a processor.
const STEP_MICROSECONDS: u64 = 50;
/// Bytes that are read, compared or copied in one step.
pub(super) const STEP_BYTES: usize = 32;

/// What is left for one message.
#[derive(Debug)]
pub(crate) struct Work(Cell<u32>);

impl Default for Work {
    fn default() -> Self {
        Self(Cell::new(MESSAGE_STEPS_MAX))
    }
}

impl Work {
    /// Takes so many steps; `false` if that is more than is left, and then nothing is left.
    pub(super) fn take(&self, steps: usize) -> bool {
        let left = u32::try_from(steps).ok().and_then(|steps| self.0.get().checked_sub(steps));
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }

    /// The same for bytes that are looked at.
    pub(super) fn take_bytes(&self, bytes: usize) -> bool {
        self.take(1 + bytes / STEP_BYTES)
    }

    pub(super) const fn is_done(&self) -> bool {
        self.0.get() == 0
    }
}

/// What a connection may still do, over all its messages.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// Steps that it has used up and not got back yet.
    used: u32,
    at: WallTime,
}

impl Allowance {
    /// What the next message may do, at `now`.
    pub(crate) fn grant(&mut self, now: WallTime) -> Work {
        let since = now.0.saturating_sub(self.at.0) / STEP_MICROSECONDS;
        if since > 0 {
            self.used = self.used.saturating_sub(u32::try_from(since).unwrap_or(u32::MAX));
            self.at = now;
        }
        let granted = (HELD_STEPS_MAX - self.used).min(MESSAGE_STEPS_MAX);
        self.used += granted;
        Work(Cell::new(granted))
    }

    /// Takes back what a message has left.
    pub(crate) const fn put_back(&mut self, left: u32) {
        self.used = self.used.saturating_sub(left);
    }
}

impl Work {
    pub(crate) const fn left(&self) -> u32 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_gets_back_what_it_used_with_time_alone() {
        let (mut allowance, now) = (Allowance::default(), WallTime(1_796_040_000_000_000));
        let mut messages = 0;
        while allowance.grant(now).take(MESSAGE_STEPS_MAX as usize) {
            messages += 1;
        }
        assert_eq!(messages, HELD_STEPS_MAX / MESSAGE_STEPS_MAX);
        assert!(allowance.grant(now).is_done());
        let later = WallTime(now.0 + 1_000 * STEP_MICROSECONDS);
        let work = allowance.grant(later);
        assert!(work.take(400) && !work.is_done());
        allowance.put_back(work.left());
        assert_eq!(allowance.grant(later).left(), 600);
        assert!(!work.take(601) && work.is_done(), "more than there is leaves nothing");
    }
}

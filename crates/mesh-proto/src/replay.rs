//! A replay window: which counters of one sender were seen.

use crate::limits::REPLAY_WINDOW;

/// Words of the bitmap.
const WORDS: usize = 16;
const _: () = assert!(WORDS * 64 == 1_024 && REPLAY_WINDOW == 1_024);

/// The newest counter and a bit for each of the [`REPLAY_WINDOW`] counters up to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    newest: u64,
    seen: [u64; WORDS],
}

impl Window {
    /// Has this counter not been seen, and is it new enough to know?
    pub(crate) const fn is_fresh(&self, counter: u64) -> bool {
        if counter > self.newest {
            return true;
        }
        let (word, bit) = Self::place(counter);
        counter.saturating_add(REPLAY_WINDOW) > self.newest && self.seen[word] & bit == 0
    }

    /// Remembers a fresh counter.
    pub(crate) fn mark(&mut self, counter: u64) {
        if counter > self.newest {
            self.advance(counter);
        }
        let (word, bit) = Self::place(counter);
        self.seen[word] |= bit;
    }

    /// Forgets the counters that fall out behind the window, because their places are reused.
    fn advance(&mut self, newest: u64) {
        let first = (self.newest + 1).max(newest.saturating_sub(REPLAY_WINDOW - 1));
        for counter in first..=newest {
            let (word, bit) = Self::place(counter);
            self.seen[word] &= !bit;
        }
        self.newest = newest;
    }

    const fn place(counter: u64) -> (usize, u64) {
        let index = counter % REPLAY_WINDOW;
        ((index / 64) as usize, 1 << (index % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    #[test]
    fn each_counter_is_fresh_once_in_any_order() {
        let mut window = Window::default();
        for counter in [5, 3, 4, 1, 2, 1_000, 999, 2_000, 1_001] {
            assert!(window.is_fresh(counter), "{counter}");
            window.mark(counter);
            assert!(!window.is_fresh(counter), "{counter} again");
        }
        assert!(!window.is_fresh(2_000 - REPLAY_WINDOW), "just behind the window");
        assert!(window.is_fresh(2_000 - REPLAY_WINDOW + 1), "just inside the window");
    }

    #[test]
    fn the_last_counter_of_all_does_no_harm() {
        let mut window = Window::default();
        window.mark(u64::MAX - 1);
        assert!(window.is_fresh(u64::MAX));
        assert!(!window.is_fresh(1));
    }

    proptest! {
        #[test]
        fn nothing_is_accepted_twice(counters in prop::collection::vec(1_u64..3_000, 1..400)) {
            let (mut window, mut accepted) = (Window::default(), BTreeSet::new());
            for counter in counters {
                let newest = accepted.last().copied().unwrap_or(0);
                if window.is_fresh(counter) {
                    window.mark(counter);
                    prop_assert!(accepted.insert(counter));
                } else {
                    prop_assert!(accepted.contains(&counter) || counter + REPLAY_WINDOW <= newest);
                }
            }
        }
    }
}

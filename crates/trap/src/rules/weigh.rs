//! How long conditions take: tried out where rules are checked, not where they work.

use super::{RULE_LOOK_MAX, RuleProblem, Rules, purse::worked};
use std::time::Duration;

/// What is tried first, so that the rest is not tried if it would take long ...
const TRIED_FIRST: usize = 2 * 1_024;
/// ... and as much as is kept of a session unless told otherwise.
const TRIED_BYTES: usize = 64 * 1_024;

impl Rules {
    /// What would take the rules longer than a look may last, whatever is said: zeros alone.
    pub(super) fn weighed(&self) -> Vec<RuleProblem> {
        let tried = [TRIED_FIRST, TRIED_BYTES].into_iter().find_map(|length| {
            let took = self.tried(&vec![0; length]);
            (took > RULE_LOOK_MAX).then_some((length / 1_024, took.as_millis()))
        });
        let told = tried.map(|(kib, ms)| {
            let what =
                format!("{kib} KiB of zeros hold all traps up for {ms} ms; shorten what conditions go over again and again");
            RuleProblem { file: None, at: None, what }
        });
        told.into_iter().collect()
    }

    /// How long a look at it takes.
    fn tried(&self, said: &[u8]) -> Duration {
        let before = worked();
        if self.toll.allows(said) {
            let _whatever_it_finds = self.scanner.scan_mem(said);
        }
        worked().saturating_sub(before)
    }
}

//! How long conditions take: tried out where rules are checked, not where they work.

use super::{RULE_LOOK_MAX, RuleProblem, Rules, purse::worked};
use std::time::Duration;

/// What is tried first, so that the rest is not tried if it would take long ...
const TRIED_FIRST: usize = 2 * 1_024;
/// ... and as much as is kept of a session unless told otherwise.
const TRIED_BYTES: usize = 64 * 1_024;
/// What a trial may last while others have the processor, too: only processor time is judged, and a look that is cut short by the clock has
/// had less of it than it would take.
const TRIED_MAX: Duration = Duration::from_secs(2);

impl Rules {
    /// What would take the rules longer than a look may last, whatever is said: zeros alone.
    pub(super) fn weighed(&self) -> Vec<RuleProblem> {
        let tried = [TRIED_FIRST, TRIED_BYTES].into_iter().find_map(|length| {
            let took = self.tried(&vec![0; length]);
            (took > RULE_LOOK_MAX).then_some((length / 1_024, took.as_millis()))
        });
        let look = RULE_LOOK_MAX.as_millis();
        let told = tried.map(|(kib, ms)| {
            let what = format!(
                "{kib} KiB of zeros take {ms} ms, of {look} that a look may; shorten what conditions go over again and again"
            );
            RuleProblem { file: None, at: None, what }
        });
        told.into_iter().collect()
    }

    /// How long a look at it takes.
    fn tried(&self, said: &[u8]) -> Duration {
        let mut scanner = self.scanner.clone();
        scanner.set_scan_params(scanner.scan_params().clone().timeout_duration(Some(TRIED_MAX)));
        let before = worked();
        if self.toll.allows(said) {
            let _whatever_it_finds = scanner.scan_mem(said);
        }
        worked().saturating_sub(before)
    }
}

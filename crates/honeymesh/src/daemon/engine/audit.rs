//! Never silently off: the kernel's tables are compared with the ledger again and again, and mended.

use super::Engine;
use crate::daemon::enforcer::Enforcer;
use honeymesh_format::{AuditJson, time_micros};
use honeymesh_types::{EventKind, MonoTime, Now};
use honeymesh_xdp::Drift;
use std::time::Duration;

/// The first audit comes this long after the start.
const FIRST: Duration = Duration::from_secs(5);
/// The next ones come this long after each other.
const EVERY: Duration = Duration::from_secs(30);
/// An audit never takes more than one part in so many of the time: with a huge table they come less often.
const SHARE: u32 = 100;
/// How many subjects an event names.
const NAMED_MAX: usize = 8;

/// When the next audit is, and what the last one found.
#[derive(Debug)]
pub struct Audits {
    due: MonoTime,
    /// The last one.
    pub last: Option<AuditJson>,
    /// Entries that were missing or wrong, over all audits.
    pub drifted: u64,
}

impl Audits {
    /// The first one is due soon after the start.
    pub fn new(now: MonoTime) -> Self {
        Self { due: now.plus(FIRST), last: None, drifted: 0 }
    }

    /// When the next one is due.
    pub const fn due(&self) -> MonoTime {
        self.due
    }

    fn done(&mut self, began: Now, ended: MonoTime, drift: &Drift) {
        let took = ended.since(began.mono);
        self.due = ended.plus(EVERY.max(took.saturating_mul(SHARE)));
        let count = drift.missing.len() + drift.extra.len() + drift.different.len() + drift.detached.len();
        self.drifted = self.drifted.saturating_add(count as u64);
        self.last = Some(AuditJson {
            at: time_micros(began.wall),
            missing: drift.missing.len() as u64,
            extra: drift.extra.len() as u64,
            different: drift.different.len() as u64,
            detached: drift.detached.clone(),
        });
    }
}

impl<K: Enforcer> Engine<K> {
    /// Compares, mends, and tells what was wrong.
    pub(super) fn audit(&mut self) {
        let began = (self.clock)();
        let intent = self.node.intent();
        let drift = match self.kernel.audit(&intent, began) {
            Ok(drift) => drift,
            Err(error) => {
                self.trouble("an audit", None, &error);
                Drift::default()
            }
        };
        if !drift.is_none() {
            self.mend(&drift, &intent, began);
        }
        let ended = (self.clock)().mono;
        self.audits.done(began, ended, &drift);
    }

    fn mend(&mut self, drift: &Drift, intent: &[honeymesh_types::Enforcement], now: Now) {
        let mended = match self.kernel.reconcile(intent, now) {
            Ok(_) => true,
            Err(error) => {
                self.trouble("the mending of its table", None, &error);
                false
            }
        };
        let mut event = self.event(EventKind::Audit);
        for (name, subjects) in [("missing", &drift.missing), ("extra", &drift.extra), ("different", &drift.different)] {
            if let (Some(_), count) = (subjects.first(), subjects.len()) {
                let named: Vec<String> = subjects.iter().take(NAMED_MAX).map(ToString::to_string).collect();
                event.fields.insert(name.into(), count.to_string());
                event.fields.insert(format!("{name}_named"), named.join(" "));
            }
        }
        if !drift.detached.is_empty() {
            event.fields.insert("detached".into(), drift.detached.join(" "));
        }
        event.fields.insert("mended".into(), if mended { "yes" } else { "no" }.into());
        tracing::warn!(
            missing = drift.missing.len(),
            extra = drift.extra.len(),
            different = drift.different.len(),
            detached = drift.detached.join(" "),
            mended,
            "the audit found the kernel's tables different from the ledger"
        );
        self.publish(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audits_never_take_more_than_a_hundredth_of_the_time() {
        let mut audits = Audits::new(MonoTime(0));
        assert_eq!(audits.due(), MonoTime(0).plus(FIRST));
        let now = |ms| Now { mono: MonoTime::from_millis(ms), ..Now::default() };
        audits.done(now(5_000), MonoTime::from_millis(5_001), &Drift::default());
        assert_eq!(audits.due(), MonoTime::from_millis(35_001));
        audits.done(now(40_000), MonoTime::from_millis(41_000), &Drift::default());
        assert_eq!(audits.due(), MonoTime::from_millis(141_000));
    }
}

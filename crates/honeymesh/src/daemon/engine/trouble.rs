//! When the kernel refuses: loud, counted, and bounded in how often it is said.

use super::Engine;
use crate::daemon::enforcer::Enforcer;
use honeymesh_types::{Event, EventId, EventKind, MonoTime, Subject};
use honeymesh_xdp::Error;
use std::time::Duration;

/// At most one log line and one event in this time; the rest is only counted.
const EVERY: Duration = Duration::from_secs(1);

/// What the kernel refused so far.
#[derive(Debug, Default)]
pub struct Troubles {
    /// How often.
    pub refused: u64,
    /// The last words.
    pub last: Option<String>,
    told: Option<MonoTime>,
    untold: u64,
}

impl Troubles {
    /// Counts one. Gives how many were not told since the last that was, if this one may be told.
    fn note(&mut self, words: &str, now: MonoTime) -> Option<u64> {
        self.refused = self.refused.saturating_add(1);
        self.last = Some(words.into());
        if self.told.is_some_and(|told| now.since(told) < EVERY) {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

impl<K: Enforcer> Engine<K> {
    /// The kernel refused `what`: it is not in force until the next audit mends it, or what keeps it as wanted says it again.
    pub(super) fn trouble(&mut self, what: &str, subject: Option<Subject>, error: &Error) {
        let now = (self.clock)();
        let words = format!("the kernel refused {what}: {error}");
        let Some(untold) = self.troubles.note(&words, now.mono) else { return };
        let shown = subject.map(|subject| subject.to_string()).unwrap_or_default();
        tracing::error!(subject = %shown, untold, "{words}");
        let mut event = self.event(EventKind::Audit);
        event.subject = subject;
        event.source = subject.filter(Subject::is_host).map(|subject| subject.addr());
        event.fields.insert("refused".into(), what.into());
        event.fields.insert("error".into(), error.to_string());
        event.fields.insert("untold".into(), untold.to_string());
        self.publish(event);
    }

    /// An event of this node's body.
    pub(super) fn event(&self, kind: EventKind) -> Event {
        let now = (self.clock)();
        let mut random = [0; 16];
        // Without random bytes identities are still ordered by time; two in one millisecond might be the same.
        let _ = getrandom::fill(&mut random);
        Event::new(EventId::new(now.wall, u128::from_ne_bytes(random)), now.wall, self.node.name().clone(), kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_refusals_is_told_once_a_second_and_counted_whole() {
        let mut troubles = Troubles::default();
        let at = |ms: u64| MonoTime::from_millis(ms);
        assert_eq!(troubles.note("a", at(0)), Some(0));
        assert_eq!(troubles.note("b", at(10)), None);
        assert_eq!(troubles.note("c", at(999)), None);
        assert_eq!(troubles.note("d", at(1_000)), Some(2));
        assert_eq!((troubles.refused, troubles.last.as_deref()), (4, Some("d")));
    }
}

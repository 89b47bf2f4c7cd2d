//! Has the kernel room to count who probes dark ports? A flood of forged sources may take it, and that must not be silent.

use super::Engine;
use crate::daemon::enforcer::Enforcer;
use honeymesh_types::{EventKind, MonoTime};
use honeymesh_xdp::Counters;
use std::time::Duration;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);

/// What the last look saw.
#[derive(Debug, Default)]
pub struct Crowd {
    next: Option<MonoTime>,
    /// What had been counted by then.
    before: Option<Short>,
    /// What has come since the look before, if anything.
    now: Option<Short>,
}

/// Probes for which there was no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Short {
    /// Not counted at all.
    lost: u64,
    /// Counted for seconds only, because there was no room for longer.
    rushed: u64,
}

impl Short {
    const fn of(counters: &Counters) -> Self {
        Self { lost: counters.scan_state_lost, rushed: counters.scan_rushed }
    }

    fn since(self, before: Self) -> Option<Self> {
        let more = Self { lost: self.lost.saturating_sub(before.lost), rushed: self.rushed.saturating_sub(before.rushed) };
        (more != Self::default()).then_some(more)
    }

    fn words(self) -> String {
        format!(
            "the kernel has no room for all who probe dark ports (a flood of forged sources?): within {} s {} probes were not counted and {} \
             count for seconds only, so who begins to scan now is found later; [scan] sources makes more room",
            EVERY.as_secs(),
            self.lost,
            self.rushed
        )
    }
}

impl Crowd {
    /// For `status`, as long as it lasts.
    pub fn warning(&self) -> Option<String> {
        self.now.map(Short::words)
    }

    /// Takes what has been counted. What is there to tell: that it begins (`Some(Some(…))`), or that it is over (`Some(None)`)?
    fn see(&mut self, all: Short) -> Option<Option<Short>> {
        let more = self.before.replace(all).and_then(|before| all.since(before));
        let was = std::mem::replace(&mut self.now, more);
        (was.is_some() != more.is_some()).then_some(more)
    }
}

impl<K: Enforcer> Engine<K> {
    /// Looks if it is time to.
    pub(super) fn look_at_crowd(&mut self) {
        let now = (self.clock)().mono;
        if self.crowd.next.is_some_and(|next| next > now) {
            return;
        }
        self.crowd.next = Some(now.plus(EVERY));
        // Counters that cannot be read are told by `status`.
        let Ok(counters) = self.kernel.counters() else { return };
        let Some(news) = self.crowd.see(Short::of(&counters)) else { return };
        let mut event = self.event(EventKind::Audit);
        if let Some(short) = news {
            let why = short.words();
            tracing::warn!(lost = short.lost, rushed = short.rushed, "{why}");
            event
                .fields
                .extend([("lost", short.lost), ("rushed", short.rushed)].map(|(name, many)| (name.into(), many.to_string())));
            event.fields.insert("why".into(), why);
        } else {
            tracing::info!("the kernel has room again for all who probe dark ports");
        }
        event.fields.insert("scan_memory".into(), if news.is_some() { "full" } else { "room" }.into());
        self.publish(event);
    }
}

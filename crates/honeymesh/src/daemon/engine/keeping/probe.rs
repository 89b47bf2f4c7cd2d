//! What becomes of the self-probe's answers.

use super::{MODE_SETTLES, PROBE_MISSED};
use crate::daemon::{enforcer::Enforcer, engine::Engine};
use honeymesh_format::{ProbeJson, time_micros};
use honeymesh_types::EventKind;
use honeymesh_xdp::{PROBE_EVERY, Probed};

impl<K: Enforcer> Engine<K> {
    /// Judges a probe of the keeper's; a change for the worse or the better is told, and whatever is wrong is looked for at once. One that
    /// may tell of the mode before says nothing: what the one before it came to stays.
    pub(super) fn probed(&mut self, probed: &Probed) {
        let judged = self.kernel.probed(probed);
        let now = (self.clock)().mono;
        if self.keeping.mode_set.is_some_and(|set| now.since(set) < MODE_SETTLES) {
            self.keeping.probe_due = Some(now.plus(PROBE_MISSED));
            return;
        }
        self.judged(judged);
    }

    /// Runs a probe if one is due and no keeper does. It is in step with the mode, because both are said to the same process, in turn.
    pub(super) fn probe_if_due(&mut self) {
        let now = (self.clock)().mono;
        if self.keeping.is_kept() || self.keeping.probe_next.is_some_and(|next| next > now) {
            return;
        }
        self.keeping.probe_next = Some(now.plus(PROBE_EVERY));
        if let Some(judged) = self.kernel.probe() {
            self.judged(judged);
        }
    }

    fn judged(&mut self, judged: Result<(), String>) {
        let now = (self.clock)();
        let before = self.keeping.probe.take().unwrap_or_else(|| ProbeJson { ok: true, ..ProbeJson::default() });
        let failed = judged.err();
        let is_new = failed != self.keeping.probe_failed;
        self.keeping.probe_failed.clone_from(&failed);
        let (why, is_found) = match failed {
            Some(failed) => {
                let (why, is_found) = self.cause(failed);
                (Some(why), is_found)
            }
            None => (None, false),
        };
        // A failure that goes on, and that nothing can be done about, is told once; `status` goes on to show it.
        let is_news = is_new || is_found;
        if is_news && why.is_some() {
            self.audits.called_for(now.mono);
        }
        let probe = ProbeJson {
            at: time_micros(now.wall),
            ok: why.is_none(),
            every_seconds: PROBE_EVERY.as_secs(),
            runs: before.runs.saturating_add(1),
            failures: before.failures.saturating_add(u64::from(why.is_some())),
            why,
        };
        if is_news {
            self.tell_probe(&probe);
        }
        self.keeping.probe = Some(probe);
        self.keeping.probe_due = Some(now.mono.plus(PROBE_MISSED));
    }

    /// Looks for what made the probe fail, and mends it. What is to be said, and whether there was something to mend.
    fn cause(&mut self, why: String) -> (String, bool) {
        match self.kernel.guard() {
            Ok(found) => {
                let settings =
                    found.settings_changed.then_some("somebody else had changed the kernel's settings or rules (said again)");
                let missing = (!found.missing.is_empty()).then_some("its ban was gone from the table (entered again)");
                let taken = found.taken.then_some("what the kernel had refused is in force now");
                let causes: Vec<&str> = settings.into_iter().chain(taken).chain(missing).collect();
                self.audits.found(&found);
                match causes.as_slice() {
                    [] => (why, false),
                    causes => (format!("{why}: {}", causes.join(", ")), true),
                }
            }
            Err(error) => (format!("{why}, and its cause could not be looked for: {error}"), false),
        }
    }

    fn tell_probe(&mut self, probe: &ProbeJson) {
        let mut event = self.event(EventKind::Audit);
        event.fields.insert("probe".into(), if probe.ok { "ok" } else { "failed" }.into());
        match &probe.why {
            Some(why) => {
                tracing::error!("the self-probe failed: {why}");
                event.fields.insert("why".into(), why.clone());
            }
            None => tracing::warn!("the self-probe is fine again"),
        }
        self.publish(event);
    }
}

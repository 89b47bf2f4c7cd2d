//! Never silently off: the kernel's tables are compared with the ledger again and again, and mended.
//!
//! A huge table takes seconds to read, and no ban shall wait for that. So the intent is gathered a little at a time, the
//! table is read and compared on another thread, and what seems to differ is looked at again, subject by subject, by the one
//! owner of both sides: only that counts, and is mended at once.

use super::{Engine, Inner, keeping::PutBack};
use crate::daemon::enforcer::{Enforcer, Look};
use honeymesh_format::{AuditJson, time_micros};
use honeymesh_types::{Enforcement, EventKind, MonoTime, Now, Subject};
use honeymesh_xdp::{Drift, Error};
use std::{collections::VecDeque, ops::Bound, time::Duration};

/// The first audit comes this long after the start.
const FIRST: Duration = Duration::from_secs(5);
/// The next ones come this long after each other.
const EVERY: Duration = Duration::from_secs(30);
/// An audit never takes more than one part in so many of the time: with a huge table they come less often.
const SHARE: u32 = 20;
/// Subjects that are gathered between two inputs.
const GATHERED_PER_TURN: usize = 4_000;
/// Subjects that are looked at again between two inputs.
const MENDED_PER_TURN: usize = 100;
/// How many subjects an event names.
const NAMED_MAX: usize = 8;

/// Where the audit is, and what the last one found.
pub struct Audits {
    step: Step,
    look: Option<Look>,
    /// The last one.
    pub last: Option<AuditJson>,
    /// Entries that were missing or wrong, over all audits.
    pub drifted: u64,
    /// How many there were.
    audits: u64,
    /// How many tries failed.
    failed: u64,
    /// Until then the last audit's share of the time lasts.
    shared: MonoTime,
    /// Was the one before, or is the one to come, called for before that?
    is_called_early: bool,
    /// What was called for while one was under way that may have looked too early.
    called: Called,
    /// What was found and mended between two audits; the next one reports it.
    between: Drift,
}

/// Whether another audit is to follow the one that is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Called {
    /// Only when its time comes.
    #[default]
    No,
    /// Something is wrong: within the share of the time.
    Wrong,
    /// The ledger wants something else: at once.
    Ordered,
}

enum Step {
    /// Until then nothing is to be done.
    Rest(MonoTime),
    /// The intent is being gathered.
    Gather { began: Now, intent: Vec<Enforcement>, from: Bound<Subject> },
    /// The table is being read elsewhere.
    Read,
    /// What seems to differ is looked at again.
    Mend { began: Now, doubtful: VecDeque<Subject>, found: Drift, failed: Option<String> },
}

/// What was read elsewhere.
pub struct Looked {
    began: Now,
    entries: usize,
    drift: Result<Drift, Error>,
    look: Look,
}

#[cfg(test)]
impl Looked {
    /// Puts another answer in its place.
    pub(super) fn pretend(&mut self, drift: Drift) {
        self.drift = Ok(drift);
    }
}

impl Audits {
    /// The first one is due soon after the start.
    pub fn new(now: MonoTime, look: Option<Look>) -> Self {
        Self {
            step: Step::Rest(now.plus(FIRST)),
            look,
            last: None,
            drifted: 0,
            audits: 0,
            failed: 0,
            shared: MonoTime(0),
            is_called_early: false,
            called: Called::No,
            between: Drift::default(),
        }
    }

    /// Something is wrong: the next one begins now. But of those that are called for before the last one's share of the time
    /// is over, every other one waits for that, so that together they never take more than twice their share. While one is under way that has
    /// begun to read, or has read, the call is kept until it is done.
    pub fn called_for(&mut self, now: MonoTime) {
        let until = match &mut self.step {
            Step::Rest(until) => until,
            // It has not read yet, and will see whatever is wrong.
            Step::Gather { .. } => return,
            Step::Read | Step::Mend { .. } => return self.called = self.called.max(Called::Wrong),
        };
        let is_early = self.shared > now;
        if is_early && self.is_called_early {
            *until = self.shared.min(*until);
            return;
        }
        self.is_called_early = is_early;
        *until = MonoTime(0);
    }

    /// The ledger wants something else: the next one begins now, or as soon as the one is done that is under way. One that is still gathering
    /// what the ledger wants begins anew.
    fn ordered(&mut self) {
        match self.step {
            Step::Rest(_) | Step::Gather { .. } => self.step = Step::Rest(MonoTime(0)),
            Step::Read | Step::Mend { .. } => self.called = Called::Ordered,
        }
    }

    /// When there is something to do; `None` while something is done elsewhere.
    pub const fn due(&self) -> Option<MonoTime> {
        match self.step {
            Step::Rest(until) => Some(until),
            Step::Gather { .. } | Step::Mend { .. } => Some(MonoTime(0)),
            Step::Read => None,
        }
    }

    /// Something was found and mended while no audit was under way.
    pub fn found(&mut self, found: &Drift) {
        self.between.missing.extend(found.missing.iter().copied());
        self.between.settings_changed |= found.settings_changed;
        self.between.taken |= found.taken;
    }

    /// What an operator should know.
    pub fn warning(&self) -> Option<String> {
        let why = self.last.as_ref()?.failed.as_ref()?;
        Some(format!("the last audit could not be done, so nobody knows whether the kernel holds what the ledger wants: {why}"))
    }

    /// One is over; how long the next one is waited for.
    fn rest(&mut self, began: Now, ended: MonoTime) -> Duration {
        let share = ended.since(began.mono).saturating_mul(SHARE);
        let rest = EVERY.max(share);
        self.is_called_early &= began.mono < self.shared;
        self.shared = ended.plus(share);
        self.step = Step::Rest(ended.plus(rest));
        match std::mem::take(&mut self.called) {
            Called::No => {}
            Called::Wrong => self.called_for(ended),
            Called::Ordered => self.ordered(),
        }
        rest
    }

    /// One could not be done: the last one that could stays what is shown, and this is said beside it.
    fn undone(&mut self, began: Now, ended: MonoTime, found: &Drift, why: String) {
        self.rest(began, ended);
        self.failed = self.failed.saturating_add(1);
        self.drifted = self.drifted.saturating_add(differences(found));
        let last = self.last.take().unwrap_or_default();
        self.last = Some(AuditJson { failed: Some(why), audits_failed: self.failed, drifted: self.drifted, ..last });
    }

    fn done(&mut self, began: Now, ended: MonoTime, found: &Drift, put_back: PutBack) {
        let took = ended.since(began.mono);
        let rest = self.rest(began, ended);
        self.audits = self.audits.saturating_add(1);
        let put_back_count = (put_back.xdp.len() + put_back.tcx.len()) as u64;
        self.drifted = self.drifted.saturating_add(differences(found) + put_back_count);
        self.last = Some(AuditJson {
            at: time_micros(began.wall),
            missing: found.missing.len() as u64,
            extra: found.extra.len() as u64,
            different: found.different.len() as u64 + u64::from(found.settings_changed),
            detached: found.detached.clone(),
            put_back: put_back.xdp,
            unsteered: found.unsteered.clone(),
            steering_put_back: put_back.tcx,
            settings_changed: found.settings_changed,
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            every_seconds: rest.as_secs(),
            audits: self.audits,
            drifted: self.drifted,
            failed: None,
            audits_failed: self.failed,
        });
        tracing::debug!(took_us = took.as_micros(), "audit done");
    }
}

/// How many there are of every kind. What the kernel had refused is none: nobody else had a hand in it.
fn differences(found: &Drift) -> u64 {
    let entries = found.missing.len() + found.extra.len() + found.different.len();
    let off = found.detached.len() + found.unsteered.len();
    (entries + off + usize::from(found.settings_changed)) as u64
}

impl<K: Enforcer> Engine<K> {
    /// Makes the kernel equal to the ledger by an audit, now or as soon as the one is done that is under way.
    pub(super) fn audit_soon(&mut self) {
        self.audits.ordered();
    }

    /// Something was found and mended while no audit was under way: the next one, which comes at once, tells it, and looks for bans that went
    /// with it.
    pub(super) fn mended(&mut self, mended: &Drift) {
        if !mended.is_none() {
            self.audits.found(mended);
            self.audits.called_for((self.clock)().mono);
        }
    }

    /// Does the next little part of the audit, if it is due.
    pub(super) fn audit_some(&mut self) {
        let now = (self.clock)();
        match std::mem::replace(&mut self.audits.step, Step::Read) {
            Step::Rest(until) if until > now.mono => self.audits.step = Step::Rest(until),
            Step::Rest(_) => {
                self.refusals.audit_begins();
                self.audits.step = Step::Gather { began: now, intent: Vec::new(), from: Bound::Unbounded };
            }
            Step::Gather { began, intent, from } => self.gather(began, intent, from),
            Step::Read => {}
            Step::Mend { began, doubtful, found, failed } => self.mend_some(began, doubtful, found, failed),
        }
    }

    fn gather(&mut self, began: Now, mut intent: Vec<Enforcement>, from: Bound<Subject>) {
        let part: Vec<_> = self.node.intent_from(from).take(GATHERED_PER_TURN).collect();
        intent.extend(part.iter().filter_map(|(_, enforce)| *enforce));
        match part.last() {
            Some((last, _)) if part.len() == GATHERED_PER_TURN => {
                self.audits.step = Step::Gather { began, intent, from: Bound::Excluded(*last) };
            }
            _ => self.look(began, intent),
        }
    }

    /// Reads the table on another thread; [`Engine::looked`] goes on.
    fn look(&mut self, began: Now, intent: Vec<Enforcement>) {
        let Some(look) = self.audits.look.take() else {
            let why = "nobody reads the tables".to_owned();
            return self.mend_some(began, VecDeque::new(), Drift::default(), Some(why));
        };
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || {
            let drift = look(&intent, began);
            let entries = intent.len();
            drop(inner.send(Inner::Looked(Looked { began, entries, drift, look })));
        });
    }

    /// The table was read: whatever seems to differ is doubtful, because both sides went on.
    pub(super) fn looked(&mut self, looked: Looked) {
        let Looked { began, entries, drift, look } = looked;
        self.audits.look = Some(look);
        let mut failed = None;
        let doubtful = match drift {
            Ok(drift) => drift.missing.into_iter().chain(drift.extra).chain(drift.different).collect(),
            Err(error) => {
                self.trouble("an audit", None, &error);
                failed = Some(format!("the tables cannot be read: {error}"));
                VecDeque::new()
            }
        };
        tracing::debug!(entries, doubtful = doubtful.len(), "the kernel's tables were read");
        let found = match self.kernel.guard() {
            Ok(found) => found,
            Err(error) => {
                self.trouble("a look at its settings", None, &error);
                failed.get_or_insert_with(|| format!("the settings cannot be looked at: {error}"));
                Drift::default()
            }
        };
        if found.settings_changed {
            // Bans may have gone along with them since the tables were read.
            let now = (self.clock)().mono;
            self.audits.called_for(now);
        }
        self.audits.step = Step::Mend { began, doubtful, found, failed };
    }

    fn mend_some(&mut self, began: Now, mut doubtful: VecDeque<Subject>, mut found: Drift, failed: Option<String>) {
        for subject in doubtful.drain(..doubtful.len().min(MENDED_PER_TURN)).collect::<Vec<_>>() {
            let (what, now) = (self.node.enforcement(&subject), (self.clock)());
            match self.kernel.mend(&subject, what.as_ref(), now) {
                Ok(mut drift) => {
                    self.entry_settled(&subject);
                    found.missing.append(&mut drift.missing);
                    found.extra.append(&mut drift.extra);
                    found.different.append(&mut drift.different);
                }
                Err(error) => {
                    match what {
                        Some(_) => self.entry_refused(subject),
                        None => self.entry_settled(&subject),
                    }
                    if what.is_some() { &mut found.missing } else { &mut found.extra }.push(subject);
                    self.trouble("the mending of its table", Some(subject), &error);
                }
            }
        }
        if !doubtful.is_empty() {
            self.audits.step = Step::Mend { began, doubtful, found, failed };
            return;
        }
        let between = std::mem::take(&mut self.audits.between);
        found.missing.extend(between.missing);
        found.settings_changed |= between.settings_changed;
        found.taken |= between.taken;
        self.lock_withheld();
        if !found.is_none() {
            self.tell_drift(&found);
        }
        let ended = (self.clock)().mono;
        if let Some(why) = failed {
            return self.audits.undone(began, ended, &found, why);
        }
        self.refusals.audit_done();
        let put_back = std::mem::take(&mut self.keeping.put_back);
        self.audits.done(began, ended, &found, put_back);
    }

    fn tell_drift(&mut self, found: &Drift) {
        let mut event = self.event(EventKind::Audit);
        for (name, subjects) in [("missing", &found.missing), ("extra", &found.extra), ("different", &found.different)] {
            if !subjects.is_empty() {
                let named: Vec<String> = subjects.iter().take(NAMED_MAX).map(ToString::to_string).collect();
                event.fields.insert(name.into(), subjects.len().to_string());
                event.fields.insert(format!("{name}_named"), named.join(" "));
            }
        }
        if found.settings_changed {
            event.fields.insert("settings".into(), "somebody else changed them; said again".into());
        }
        if found.taken {
            event.fields.insert("taken".into(), "what the kernel had refused is in force now".into());
            tracing::warn!("what the kernel had refused is in force now");
        }
        if !found.detached.is_empty() {
            event.fields.insert("detached".into(), found.detached.join(" "));
        }
        if !found.unsteered.is_empty() {
            event.fields.insert("unsteered".into(), found.unsteered.join(" "));
        }
        if differences(found) == 0 {
            return self.publish(event);
        }
        tracing::warn!(
            missing = found.missing.len(),
            extra = found.extra.len(),
            different = found.different.len(),
            settings_changed = found.settings_changed,
            detached = found.detached.join(" "),
            unsteered = found.unsteered.join(" "),
            "the kernel was not as it should be; bans and settings are mended, a detached interface is the keeper's to mend"
        );
        self.publish(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audits_never_take_more_than_their_share_of_the_time() {
        let mut audits = Audits::new(MonoTime(0), None);
        assert_eq!(audits.due(), Some(MonoTime(0).plus(FIRST)));
        let now = |ms| Now { mono: MonoTime::from_millis(ms), ..Now::default() };
        audits.done(now(5_000), MonoTime::from_millis(5_001), &Drift::default(), PutBack::default());
        assert_eq!(audits.due(), Some(MonoTime::from_millis(35_001)));
        let put_back = PutBack { xdp: vec!["eth0".into()], tcx: vec!["eth0".into()] };
        audits.done(now(40_000), MonoTime::from_millis(45_000), &Drift::default(), put_back);
        assert_eq!(audits.due(), Some(MonoTime::from_millis(145_000)));
        let last = audits.last.unwrap();
        assert_eq!((last.took_us, last.every_seconds, last.audits, last.drifted), (5_000_000, 100, 2, 2));
    }

    #[test]
    fn a_call_while_one_is_under_way_is_kept_and_obeys_the_share_of_the_time_but_for_an_order() {
        let now = |ms| Now { mono: MonoTime::from_millis(ms), ..Now::default() };
        let at = MonoTime::from_millis;
        let mut audits = Audits::new(MonoTime(0), None);
        let mut busy = |call: fn(&mut Audits), began, ended| {
            audits.step = Step::Read;
            call(&mut audits);
            audits.done(now(began), at(ended), &Drift::default(), PutBack::default());
            audits.due()
        };
        let wrong: fn(&mut Audits) = |audits| audits.called_for(MonoTime(0));
        assert_eq!(busy(wrong, 40_000, 45_000), Some(MonoTime(0)), "at once");
        assert_eq!(busy(wrong, 45_000, 50_000), Some(at(150_000)), "the next one after the share of the time");
        assert_eq!(busy(Audits::ordered, 150_000, 155_000), Some(MonoTime(0)), "but an order does not wait");
        assert_eq!(busy(|_| {}, 155_000, 155_001), Some(at(185_001)), "and is forgotten when it is obeyed");
        audits.step = Step::Gather { began: now(0), intent: Vec::new(), from: Bound::Unbounded };
        audits.called_for(at(190_000));
        assert!(matches!(audits.step, Step::Gather { .. }), "it will see whatever is wrong");
        audits.ordered();
        assert!(matches!(audits.step, Step::Rest(MonoTime(0))), "what it has gathered is out of date");
    }

    #[test]
    fn an_audit_that_is_called_for_comes_at_once_and_the_next_one_only_after_the_share_of_the_time() {
        let mut audits = Audits::new(MonoTime(0), None);
        let now = |ms| Now { mono: MonoTime::from_millis(ms), ..Now::default() };
        let at = MonoTime::from_millis;
        audits.done(now(40_000), at(45_000), &Drift::default(), PutBack::default());
        audits.called_for(at(50_000));
        assert_eq!(audits.due(), Some(MonoTime(0)), "at once");
        audits.done(now(50_000), at(55_000), &Drift::default(), PutBack::default());
        audits.called_for(at(60_000));
        audits.called_for(at(70_000));
        assert_eq!(audits.due(), Some(at(155_000)), "twenty times as long as it took");
        audits.done(now(155_000), at(160_000), &Drift::default(), PutBack::default());
        audits.called_for(at(165_000));
        assert_eq!(audits.due(), Some(MonoTime(0)), "at once again");
        audits.done(now(165_000), at(165_001), &Drift::default(), PutBack::default());
        audits.called_for(at(170_000));
        assert_eq!(audits.due(), Some(MonoTime(0)), "one that was quick has no share left");
    }
}

//! Repair: finding out what a peer has and we have not, by asking.
//!
//! The side that asks remembers everything, the side that answers nothing. A session walks the hash trie from the
//! root, fetches what is missing, and pages through parts that are (nearly) empty here; at most [`WINDOW`] questions
//! are in flight, so the asker sets the pace. If a sketch of the peer's set has come that was too short to tell the difference, more
//! of it is asked for before the trie is walked. What the *peer* lacks is handed over at the end if it is little;
//! otherwise the peer is told to ask in its turn.

use crate::{
    RecordId,
    frame::{Answer, Bytes, Ids, Prefix, Question, Records, Stub, Tally},
    peers::ShortId,
    post::To,
    set::Set,
    sketch::{Difference, Growth, Symbol, Told},
    stream::StreamId,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;
use honeymesh_types::{MonoTime, Now, WallTime};

/// Questions in flight.
const WINDOW: usize = 64;
/// Questions that wait; beyond it the rest is left to the next session.
const TODO_MAX: usize = 8_192;
/// How long the first try of a question may take; doubled for each other try.
const ANSWER_AFTER: Duration = Duration::from_millis(300);
/// After so many tries without an answer the session is given up.
const TRIES_MAX: u32 = 5;
/// A session ends after this time, whatever is left to do.
const SESSION_MAX: Duration = Duration::from_secs(120);
/// Ids in one question for records: about as many as fit into one answer.
const FETCH_IDS: usize = 8;
/// Ids that wait to be fetched; beyond it the rest is left to the next session.
const MISSING_MAX: usize = 16_384;
/// Up to this many records are handed to the peer at the end of a session; if it lacks more, it is told to ask.
pub(crate) const GIFT_MAX: usize = 16;
/// Up to this many records learnt in one session are pushed on; what is learnt in bulk is not.
const PUSH_MAX: u32 = 16;
/// A part of the trie is paged through, not walked, if the peer has this many times what we have there.
const PAGE_RATIO: u32 = 4;
/// If more records are missing here than this, a stream is worth its handshake.
const LARGE: u32 = 1_000;
/// If of the 64 parts of the trie so many differ, there are some 200 differences at least.
const DIFFERENT_MANY: usize = 60;
/// Questions in flight on a stream, where an answer may be forty times as long.
const STREAM_WINDOW: usize = 8;
/// Ids in one question for records on a stream: about as many as fit into one answer.
const STREAM_FETCH_IDS: usize = 255;
/// How long an answer on a stream may take; then the session is given up.
const STREAM_ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Ids that wait to be fetched on a stream; beyond it the rest is left to the next session.
const STREAM_MISSING_MAX: usize = 262_144;

/// Something to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Task {
    Look(Prefix),
    Fetch(Vec<Stub>),
    Page(Prefix, Option<u64>),
    Members(Option<u64>),
    Symbols(u16),
}

/// A question on its way.
struct Flight {
    task: Task,
    tries: u32,
    due: MonoTime,
}

/// What an answer brought.
#[derive(Default)]
pub(crate) struct Haul<'a> {
    pub(crate) records: Option<Records<'a>>,
    pub(crate) members: Option<Records<'a>>,
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    GoesOn,
    Done,
    Failed,
}

/// One repair with one peer.
pub(crate) struct Session {
    /// Its name among those of this mesh.
    pub(crate) serial: u64,
    pub(crate) peer: ShortId,
    pub(crate) to: To,
    horizon: WallTime,
    ends: MonoTime,
    todo: Vec<Task>,
    missing: Vec<Stub>,
    /// The peer's sketch, as long as it may still tell the difference.
    growth: Option<Growth>,
    flying: BTreeMap<u32, Flight>,
    /// Answers whose records are being checked: as long as they are, they count as questions in flight.
    checking: usize,
    next_number: u32,
    lacks: BTreeSet<RecordId>,
    lacks_more: bool,
    /// What the peer lacks, if that is known and too much to hand over unasked.
    pub(crate) lacks_these: Vec<Stub>,
    learned: u32,
    /// Much is missing here: no other session may run beside this one.
    pub(crate) is_bulk: bool,
    /// So much is missing here that a stream is worth its handshake.
    pub(crate) is_large: bool,
    /// The stream that it goes over; `None`: datagrams.
    pub(crate) stream: Option<StreamId>,
    failed: bool,
}

/// What a session is to find out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Errand {
    /// In what the sets differ.
    pub(crate) records: bool,
    /// Whom the peer knows.
    pub(crate) members: bool,
    /// The records with these ids.
    pub(crate) fetch: Vec<Stub>,
    /// The same as `records`, by a sketch of the peer's set at this horizon, which has to grow first.
    pub(crate) growth: Option<(WallTime, Growth)>,
}

impl Session {
    pub(crate) fn new(peer: ShortId, to: To, errand: Errand, first_number: u32, now: Now) -> Self {
        let records = errand.records.then_some(Task::Look(Prefix::ROOT));
        let members = errand.members.then_some(Task::Members(None));
        let (horizon, growth) = errand.growth.map_or((now.wall, None), |(horizon, growth)| (horizon, Some(growth)));
        let symbols = growth.iter().flat_map(Growth::needs).map(Task::Symbols);
        Self {
            serial: 0,
            peer,
            to,
            horizon,
            ends: now.mono.plus(SESSION_MAX),
            todo: records.into_iter().chain(members).chain(symbols).collect(),
            missing: errand.fetch,
            growth,
            flying: BTreeMap::new(),
            checking: 0,
            next_number: first_number,
            lacks: BTreeSet::new(),
            lacks_more: false,
            lacks_these: Vec::new(),
            learned: 0,
            is_bulk: false,
            is_large: false,
            stream: None,
            failed: false,
        }
    }

    /// When an answer is overdue.
    pub(crate) fn wake_at(&self) -> MonoTime {
        let rest = if self.checking > 0 { self.ends } else { MonoTime::MAX };
        self.flying.values().map(|flight| flight.due).min().unwrap_or(rest)
    }

    /// An answer's records are being checked from now on. Gives the session's name.
    pub(crate) const fn await_check(&mut self) -> u64 {
        self.checking += 1;
        self.serial
    }

    /// They are.
    pub(crate) const fn checked(&mut self) {
        self.checking -= 1;
    }

    pub(crate) fn progress(&self) -> Progress {
        let is_asking = !self.todo.is_empty() || !self.missing.is_empty() || !self.flying.is_empty();
        let is_idle = !is_asking && self.checking == 0;
        match (self.failed, is_idle) {
            (true, _) => Progress::Failed,
            (false, true) => Progress::Done,
            (false, false) => Progress::GoesOn,
        }
    }

    /// May what is learnt now be pushed on?
    pub(crate) const fn learn(&mut self) -> bool {
        self.learned += 1;
        self.learned <= PUSH_MAX && !self.is_bulk
    }

    /// What the peer lacks, if it is little; `None` if it had better ask for itself.
    pub(crate) fn gift(&self) -> Option<&BTreeSet<RecordId>> {
        (!self.lacks_more).then_some(&self.lacks)
    }

    /// Asks what can be asked now, and asks again what went unanswered.
    pub(crate) fn pump(&mut self, set: &Set, now: MonoTime, mut ask: impl FnMut(u32, Question<'_>)) {
        self.failed |= now >= self.ends || self.flying.values().any(|f| f.due <= now && f.tries >= self.tries_max());
        if self.failed {
            return;
        }
        for (number, flight) in self.flying.iter_mut().filter(|(_, flight)| flight.due <= now) {
            flight.due = now.plus(ANSWER_AFTER * (1 << flight.tries));
            flight.tries += 1;
            put(&flight.task, self.horizon, set, |question| ask(*number, question));
        }
        let (window, within) = match self.stream {
            Some(_) => (STREAM_WINDOW, STREAM_ANSWER_WITHIN),
            None => (WINDOW, ANSWER_AFTER),
        };
        while self.flying.len() + self.checking < window
            && let Some(task) = self.next_task()
        {
            let number = self.next_number;
            self.next_number = self.next_number.wrapping_add(1);
            put(&task, self.horizon, set, |question| ask(number, question));
            self.flying.insert(number, Flight { task, tries: 1, due: now.plus(within) });
        }
    }

    /// On a stream nothing is lost: who does not answer is not asked again.
    const fn tries_max(&self) -> u32 {
        if self.stream.is_some() { 1 } else { TRIES_MAX }
    }

    /// Leaves the records to another session; what else it is to find out goes on.
    pub(crate) fn leave_records(&mut self) {
        let is_other = |task: &Task| matches!(task, Task::Members(_));
        self.todo.retain(is_other);
        self.flying.retain(|_, flight| is_other(&flight.task));
        self.missing.clear();
        (self.growth, self.is_bulk, self.is_large) = (None, false, false);
    }

    /// What to ask next: records as soon as they fill an answer, or if there is nothing else to find out.
    fn next_task(&mut self) -> Option<Task> {
        let at_once = if self.stream.is_some() { STREAM_FETCH_IDS } else { FETCH_IDS };
        if self.missing.len() >= at_once || (self.todo.is_empty() && self.flying.is_empty()) {
            let rest = self.missing.len().saturating_sub(at_once);
            let ids = self.missing.split_off(rest);
            if !ids.is_empty() {
                return Some(Task::Fetch(ids));
            }
        }
        self.todo.pop()
    }

    /// Takes an answer; `None` if it was not asked for.
    pub(crate) fn answer<'a>(&mut self, number: u32, answer: Answer<'a>, set: &Set) -> Option<Haul<'a>> {
        let flight = self.flying.remove(&number)?;
        let mut haul = Haul::default();
        match (flight.task, answer) {
            (_, Answer::Same) => {}
            (Task::Look(prefix), Answer::Children(children)) => self.compare(prefix, children.iter(), set),
            (Task::Look(prefix), Answer::Ids(ids)) => self.compare_ids(prefix, &ids, set),
            (Task::Fetch(ids), Answer::Records { handled, records }) => {
                haul.records = Some(records);
                if handled > 0 {
                    self.miss(ids.into_iter().skip(handled.into()));
                }
            }
            (Task::Page(prefix, after), Answer::Page { records, next }) => {
                haul.records = Some(records);
                if next > after {
                    self.plan(Task::Page(prefix, next));
                }
            }
            (Task::Members(after), Answer::Members { members, next }) => {
                haul.members = Some(members);
                if next > after {
                    self.plan(Task::Members(next));
                }
            }
            (Task::Symbols(from), Answer::Symbols(symbols)) => self.grow(from.into(), symbols.unpack(), set),
            _ => return None,
        }
        Some(haul)
    }

    /// Adds symbols to the peer's sketch. If they tell nothing, more are asked for; if there are no more, the trie is walked.
    fn grow(&mut self, from: usize, symbols: Vec<Symbol>, set: &Set) {
        let flying = self.flying.values().map(|flight| &flight.task);
        let expected = flying.chain(&self.todo).filter(|task| matches!(task, Task::Symbols(_))).count();
        let Some(growth) = &mut self.growth else { return };
        match growth.take(from, symbols, expected, set.hasher()) {
            Told::Waits => {}
            Told::Needs(more) => more.into_iter().for_each(|from| self.plan(Task::Symbols(from))),
            Told::All(difference) => self.settle(difference, set),
            Told::Nothing => {
                self.growth = None;
                self.plan(Task::Look(Prefix::ROOT));
            }
        }
    }

    /// Plans what to do about a difference that is known.
    fn settle(&mut self, difference: Difference, set: &Set) {
        self.growth = None;
        if difference.ours.len() > GIFT_MAX {
            self.lacks_these = difference.ours;
        } else {
            let ours: Vec<RecordId> = difference.ours.into_iter().flat_map(|stub| set.of_stub(stub)).collect();
            self.note_lacks(ours.into_iter());
        }
        self.miss(difference.theirs);
    }

    fn plan(&mut self, task: Task) {
        if self.todo.len() < TODO_MAX {
            self.todo.push(task);
        }
    }

    pub(crate) fn miss(&mut self, ids: impl IntoIterator<Item = Stub>) {
        let most = if self.stream.is_some() { STREAM_MISSING_MAX } else { MISSING_MAX };
        let room = most - self.missing.len().min(most);
        self.missing.extend(ids.into_iter().take(room));
    }

    /// Compares the children of a node of the trie and plans what to do about those that differ.
    fn compare(&mut self, prefix: Prefix, theirs: impl Iterator<Item = Tally>, set: &Set) {
        if !prefix.is_inner() {
            return;
        }
        let ours = set.children(prefix, self.horizon);
        let theirs: Vec<Tally> = theirs.collect();
        if prefix == Prefix::ROOT {
            self.is_large = is_large(&ours, &theirs);
        }
        for (number, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
            let child = prefix.child(number);
            if ours == theirs {
                continue;
            }
            if theirs.count == 0 {
                self.note_lacks(set.below(child, self.horizon).map(|(id, _)| *id));
            } else if theirs.count / PAGE_RATIO >= ours.count {
                self.is_bulk |= prefix == Prefix::ROOT && theirs.count > PUSH_MAX;
                self.plan(Task::Page(child, None));
            } else {
                self.plan(Task::Look(child));
            }
        }
    }

    /// Compares the ids below a leaf and plans to fetch what is missing. If the ids are the same although the tallies
    /// were not, two records share a stub: then the leaf is read as a whole.
    fn compare_ids(&mut self, prefix: Prefix, theirs: &Ids<'_>, set: &Set) {
        let theirs: BTreeSet<Stub> = theirs.iter().filter(|id| prefix.covers(id.range().0)).collect();
        let ours: BTreeSet<Stub> = set.below(prefix, self.horizon).map(|(id, _)| id.stub()).collect();
        if ours == theirs {
            self.plan(Task::Page(prefix, None));
            return;
        }
        self.note_lacks(set.below(prefix, self.horizon).map(|(id, _)| *id).filter(|id| !theirs.contains(&id.stub())));
        self.miss(theirs.difference(&ours).copied());
    }

    fn note_lacks(&mut self, ids: impl Iterator<Item = RecordId>) {
        for id in ids {
            if self.lacks.len() >= GIFT_MAX {
                self.lacks_more = true;
                return;
            }
            self.lacks.insert(id);
        }
    }
}

/// Is so much missing here that a stream is worth its handshake? Either the counts say so, or (after a split, when each side has
/// what the other lacks) hardly a part of the trie is the same.
fn is_large(ours: &[Tally], theirs: &[Tally]) -> bool {
    let sum = |counts: &mut dyn Iterator<Item = u32>| counts.fold(0, u32::saturating_add);
    let pairs = || ours.iter().zip(theirs);
    let missing = sum(&mut pairs().map(|(ours, theirs)| theirs.count.saturating_sub(ours.count)));
    let different = pairs().filter(|(ours, theirs)| ours != theirs).count();
    missing > LARGE || (different >= DIFFERENT_MANY && sum(&mut theirs.iter().map(|tally| tally.count)) > LARGE)
}

/// Puts a task into the words of the wire.
fn put(task: &Task, horizon: WallTime, set: &Set, ask: impl FnOnce(Question<'_>)) {
    let horizon_ms = horizon.as_millis();
    match task {
        Task::Look(prefix) => ask(Question::Look { prefix: *prefix, horizon_ms, mine: set.tally(*prefix, horizon) }),
        Task::Fetch(ids) => ask(Question::Fetch(Ids(Bytes(&Ids::pack(ids.iter().copied()))))),
        Task::Page(prefix, after) => ask(Question::Page { prefix: *prefix, horizon_ms, after: *after }),
        Task::Members(after) => ask(Question::Members { after: *after }),
        Task::Symbols(from) => ask(Question::Symbols { horizon_ms, from: *from }),
    }
}

#[cfg(test)]
mod tests;

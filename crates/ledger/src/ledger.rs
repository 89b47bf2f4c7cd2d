//! The ledger itself: who is banned and why.

mod door;
mod exit;
mod merge;
mod origin;
mod project;
mod read;
mod regroup;
mod room;
mod trust;

pub use door::CLAIMS_PEER_MAX;
pub use exit::{EXPIRE_BATCH_MAX, Whose};
pub use read::{Stats, Why};
pub use room::READMIT_BATCH_MAX;
pub use trust::Reconsidered;

use crate::{
    Cause, Change, ChangeKind, Class, Policy, Refusals,
    entry::{Entry, Sum},
    group::Groups,
    lifted::Lifted,
    origins::Origins,
    prefix::PrefixMap,
    protect::NeverBan,
    rank::Queue,
    slot::Slot,
    waiting::Waiting,
};
use alloc::vec::Vec;
use honeymesh_types::{Ban, Enforcement, Mode, Reasons, Subject, WallTime};
use project::Touched;
use regroup::Standing;

/// Who is banned and why. The only place where a ban starts, changes or ends.
pub struct Ledger {
    policy: Policy,
    never: NeverBan,
    bans: PrefixMap<Entry>,
    /// Each banned subject that has a place of its own once, in the queue of its class.
    queues: [Queue; Class::ALL.len()],
    /// Those for whom the entry of a group stands.
    grouped: [Queue; Class::HOSTS.len()],
    groups: Groups,
    touched: Touched,
    waiting: Waiting,
    /// Subjects that have a place again while more about them waits.
    joining: Vec<Subject>,
    origins: Origins,
    lifted: Lifted,
    /// What operators freed here, and until when peers' words do not count against it.
    held: Lifted,
    tally: Tally,
    refusals: Refusals,
}

/// Counts that are kept current, so that nobody has to walk the table for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    by_reason: [usize; REASONS],
    counting: usize,
    spoofable: usize,
    uncorroborated: usize,
}

const REASONS: usize = 5;

/// A ban with what the kernel must hold for it.
struct View {
    ban: Ban,
    enforce: Option<Enforcement>,
}

impl Ledger {
    /// An empty ledger with an empty never-ban set.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            never: NeverBan::default(),
            bans: PrefixMap::default(),
            queues: Default::default(),
            grouped: Default::default(),
            groups: Groups::default(),
            touched: Touched::default(),
            waiting: Waiting::default(),
            joining: Vec::new(),
            origins: Origins::default(),
            lifted: Lifted::default(),
            held: Lifted::default(),
            tally: Tally::default(),
            refusals: Refusals::default(),
        }
    }

    /// Changes the mode. Every ban's `enforced` follows at once: make the kernel equal to [`Self::intent`] afterwards.
    pub const fn set_mode(&mut self, mode: Mode) {
        self.policy.mode = mode;
    }

    /// The mode in force.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.policy.mode
    }

    /// The policy in force.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    fn view(&self, subject: &Subject) -> Option<View> {
        let entry = self.bans.get(subject)?;
        let ban = entry.ban(*subject, self.policy.mode, &self.origins);
        let enforce = entry.enforcement(*subject, self.policy.mode, &self.origins);
        Some(View { ban, enforce })
    }

    fn queue(&self, class: Class) -> &Queue {
        // One a class.
        &self.queues[class as usize]
    }

    /// The queue that `subject` is in or belongs into.
    fn queue_of(&mut self, subject: &Subject) -> &mut Queue {
        let class = Class::of(subject) as usize;
        match self.grouped.get_mut(class).filter(|_| self.groups.has_member(subject)) {
            Some(queue) => queue,
            None => &mut self.queues[class],
        }
    }

    /// How much of its table the bans and groups of a class take up.
    fn count(&self, class: Class) -> usize {
        let groups = if class.is_hosts() { 0 } else { self.groups.count(class) };
        self.queue(class).len() + groups
    }

    /// How many bans of a class take up nothing because a group stands for them.
    fn grouped(&self, class: Class) -> usize {
        self.grouped.get(class as usize).map_or(0, Queue::len)
    }

    /// Takes `subject` out of queue and counts, lets `edit` change its slots, and puts it back unless none is left.
    fn edit<T>(&mut self, subject: Subject, edit: impl FnOnce(&mut Vec<Slot>) -> T) -> T {
        self.touch(subject);
        let before = self.unlist(subject);
        let result = edit(&mut self.bans.get_or_insert(subject).slots);
        let after = self.list(subject);
        self.regroup(subject, before, after);
        result
    }

    fn unlist(&mut self, subject: Subject) -> Standing {
        let Some(entry) = self.bans.get(&subject) else { return Standing::default() };
        let sum = entry.sum(&self.origins);
        self.tally.remove(entry, &sum);
        let (rank, ends, standing) = (entry.rank(), entry.ends_next(), Standing::of(entry, &sum));
        self.queue_of(&subject).remove(rank, ends, subject);
        standing
    }

    fn list(&mut self, subject: Subject) -> Standing {
        let Some(entry) = self.bans.get(&subject).filter(|entry| !entry.slots.is_empty()) else {
            self.bans.remove(&subject);
            return Standing::default();
        };
        let sum = entry.sum(&self.origins);
        self.tally.add(entry, &sum);
        let (rank, ends, standing) = (entry.rank(), entry.ends_next(), Standing::of(entry, &sum));
        self.queue_of(&subject).insert(rank, ends, subject);
        standing
    }

    /// Removes the slots of `subject` that `goes` picks. `None`: there were none.
    fn remove(&mut self, subject: Subject, cause: Cause, goes: impl Fn(&Slot) -> bool) -> Option<Change> {
        if !self.bans.get(&subject)?.slots.iter().any(&goes) {
            return None;
        }
        let before = self.view(&subject)?;
        let gone: Vec<Slot> = self.edit(subject, |slots| slots.extract_if(.., |slot| goes(slot)).collect());
        let claims = gone.iter().map(|slot| slot.claim(subject, &self.origins)).collect();
        gone.iter().for_each(|slot| self.origins.release(slot.origin));
        let after = self.view(&subject);
        let kind = match (&after, cause) {
            (Some(_), _) => ChangeKind::Lowered,
            (None, Cause::Ended) => ChangeKind::Expired,
            (None, _) => ChangeKind::Lifted,
        };
        let enforce = after.as_ref().and_then(|view| view.enforce);
        let ban = after.map_or_else(|| before.ban.clone(), |view| view.ban);
        Some(Change {
            kind,
            cause,
            ban,
            before: Some(before.ban),
            claims,
            enforce,
            enforce_before: before.enforce,
            also: Vec::new(),
        })
    }

    /// The same change, with whatever gives way because of it.
    fn with_what_gives_way(&mut self, change: Option<Change>, now: WallTime) -> Option<Change> {
        let mut change = change?;
        change.also = self.shrink(now);
        Some(change)
    }
}

impl Tally {
    fn add(&mut self, entry: &Entry, sum: &Sum) {
        self.each_reason(sum.reasons, |count| *count += 1);
        self.counting += usize::from(sum.counts);
        self.spoofable += entry.spoofable();
        self.uncorroborated += usize::from(entry.waits_for_others(sum));
    }

    fn remove(&mut self, entry: &Entry, sum: &Sum) {
        self.each_reason(sum.reasons, |count| *count = count.saturating_sub(1));
        self.counting = self.counting.saturating_sub(usize::from(sum.counts));
        self.spoofable = self.spoofable.saturating_sub(entry.spoofable());
        self.uncorroborated = self.uncorroborated.saturating_sub(usize::from(entry.waits_for_others(sum)));
    }

    fn each_reason(&mut self, reasons: Reasons, change: impl Fn(&mut usize)) {
        let bits = Reasons::all().each();
        self.by_reason.iter_mut().zip(bits).filter(|(_, bit)| reasons.contains(*bit)).for_each(|(count, _)| change(count));
    }
}

#[cfg(test)]
mod tests;

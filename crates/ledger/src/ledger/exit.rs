//! The ways out: lifted, withdrawn, over, protected.

use super::Ledger;
use crate::{Cause, Change, Origin, Protected, Refusal, origins::OriginIndex, protect::NeverBan, rank::Queue, slot::Slot};
use alloc::vec::Vec;
use honeymesh_types::{ClusterName, Subject, WallTime};

/// How many subjects one call of [`Ledger::expire`] looks at; `wake_at` stays in the past while more are due.
pub const EXPIRE_BATCH_MAX: usize = 1_024;

/// Whose claims an unban lifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Everybody's, this node's own included.
    Everybodys,
    /// Everybody's but this node's own.
    Peers,
    /// Only those that came by this cluster.
    Cluster(&'a ClusterName),
    /// Only those of this one origin.
    One(&'a Origin),
}

impl Whose<'_> {
    fn includes(self, origin: &Origin) -> bool {
        match self {
            Self::Everybodys => true,
            Self::Peers => *origin != Origin::Local,
            Self::One(one) => origin == one,
            Self::Cluster(name) => matches!(origin, Origin::Peer { cluster, .. } if cluster == name),
        }
    }
}

impl Ledger {
    /// An unban: every claim of exactly `subject` that was last said at or before `before` goes. A claim that was said
    /// again after it stays, as if it began then. `None`: there was nothing to lift.
    ///
    /// Unless it is for one cluster or origin alone (whose mesh keeps such order itself), it is remembered for as long as a peer's word
    /// can live: what a peer said before it stays refused, however late it comes in.
    pub fn lift(&mut self, subject: &Subject, before: WallTime, whose: Whose<'_>, now: WallTime) -> Option<Change> {
        if !matches!(whose, Whose::Cluster(_) | Whose::One(_)) {
            self.lifted.forget_until(now.minus(self.policy.ttl.mesh));
            self.lifted.remember(*subject, before);
        }
        self.waiting.take_out(subject, |claim| claim.last <= before && whose.includes(&claim.origin));
        let origins = self.origins_of(subject, whose);
        let is_meant = |slot: &Slot| slot.since <= before && origins.contains(&slot.origin);
        let begins_later = |slot: &Slot| is_meant(slot) && slot.last > before;
        if self.bans.get(subject)?.slots.iter().any(begins_later) {
            self.edit(*subject, |slots| {
                slots.iter_mut().filter(|slot| begins_later(slot)).for_each(|slot| slot.since = slot.last);
            });
        }
        let change = self.remove(*subject, Cause::Withdrawn, is_meant);
        self.with_what_gives_way(change, now)
    }

    /// Takes back all claims of one origin on `subject`. `None`: it had none.
    pub fn withdraw(&mut self, subject: &Subject, origin: &Origin, now: WallTime) -> Option<Change> {
        self.waiting.take_out(subject, |claim| claim.origin == *origin);
        let origin = self.origins.find(origin)?;
        let change = self.remove(*subject, Cause::Withdrawn, |slot| slot.origin == origin);
        self.with_what_gives_way(change, now)
    }

    /// Ends the claims whose time is over, for at most [`EXPIRE_BATCH_MAX`] subjects, and hands over groups whose entries end
    /// soon, as many at most.
    pub fn expire(&mut self, now: WallTime) -> Vec<Change> {
        let mut changes = self.hand_over_due(now);
        let due = |ledger: &Self| ledger.next_end().filter(|(ends, _)| *ends <= now);
        for _ in 0..EXPIRE_BATCH_MAX {
            let Some((_, subject)) = due(self) else { break };
            let change = self.remove(subject, Cause::Ended, |slot| slot.until <= now);
            changes.extend(self.with_what_gives_way(change, now));
        }
        changes
    }

    fn hand_over_due(&mut self, now: WallTime) -> Vec<Change> {
        for _ in 0..EXPIRE_BATCH_MAX {
            let Some((_, block)) = self.groups.next_due().filter(|(due, _)| *due <= now) else { break };
            self.hand_over(block);
        }
        self.shrink(now)
    }

    /// When the next claim ends or the next group is handed over; in the past while [`Self::expire`] has more to do, `None` if
    /// nothing ever ends.
    #[must_use]
    pub fn wake_at(&self) -> Option<WallTime> {
        [self.next_end(), self.groups.next_due()].into_iter().flatten().map(|(at, _)| at).min()
    }

    fn next_end(&self) -> Option<(WallTime, Subject)> {
        let queues = self.queues.iter().chain(&self.grouped);
        queues.flat_map(Queue::next_ends).min().filter(|(ends, _)| *ends != WallTime::MAX)
    }

    /// Replaces the whole never-ban set. Bans that lie inside it now are lifted; what peers say about them waits for the end of
    /// the protection.
    pub fn protect(&mut self, all: &[Protected], now: WallTime) -> Vec<Change> {
        let never = NeverBan::new(all);
        let inside: Vec<Subject> = never
            .added_since(&self.never)
            .flat_map(|net| self.bans.within(&net).map(|(subject, _)| *subject).collect::<Vec<_>>())
            .collect();
        self.never = never;
        let (never, waiting) = (&self.never, &mut self.waiting);
        waiting.unprotect(|subject| never.holds(subject).is_some());
        let mut changes: Vec<Change> = inside.into_iter().filter_map(|subject| self.lift_protected(subject)).collect();
        changes.extend(self.shrink(now));
        changes
    }

    fn lift_protected(&mut self, subject: Subject) -> Option<Change> {
        let (net, why) = self.never.holds(&subject)?;
        let change = self.remove(subject, Cause::Protected { net, why }, |_| true);
        let refusal = Refusal::Protected { subject, net, why };
        change.iter().flat_map(|change| &change.claims).for_each(|claim| self.wait(claim.clone(), &refusal));
        change
    }

    fn origins_of(&self, subject: &Subject, whose: Whose<'_>) -> Vec<OriginIndex> {
        let slots = self.bans.get(subject).map(|entry| entry.slots.as_slice()).unwrap_or_default();
        slots
            .iter()
            .map(|slot| slot.origin)
            .filter(|origin| self.origins.origin(*origin).is_some_and(|origin| whose.includes(origin)))
            .collect()
    }
}

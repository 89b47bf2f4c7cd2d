//! A full table: what gives way, and what comes back.

use super::{Ledger, merge::Completes};
use crate::{Cause, Change, Claim, Class, Entered, Origin, Protection, Refusal, rank::Rank};
use alloc::vec::Vec;
use honeymesh_types::{Grade, Subject, WallTime};

/// How many claims one call of [`Ledger::readmit`] lets in; [`Ledger::has_readmissions`] stays true while more can.
pub const READMIT_BATCH_MAX: usize = 256;

impl Ledger {
    /// Makes room for a ban that is new. In a full table first whatever has ended goes, then the ban of the lowest rank that
    /// ends first, if it may give way to this claim: those that are only observed and forgeable ones, then those of peers
    /// (trusted less before trusted more, a lower grade before a higher). Then complete bans are grouped, which may be left to
    /// [`Self::group_pair_of`] if the newcomer completes the pair. Then this node's own of a lower grade give way; an operator's
    /// never. What gave way waits to come back.
    pub(super) fn make_room(&mut self, claim: &Claim, now: WallTime) -> Result<Option<Change>, Refusal> {
        let class = Class::of(&claim.subject);
        let max = self.policy.limit(class);
        if self.count(class) < max {
            return Ok(None);
        }
        if let Some(subject) = self.ended(class, now) {
            return Ok(self.remove(subject, Cause::Ended, |_| true));
        }
        let rank = Rank::of_claim(claim);
        let weakest = self.queue(class).weakest().filter(|(weakest, _)| weakest.yields_to(rank));
        match weakest {
            Some((weakest, victim)) if !weakest.is_own() => Ok(self.displace(victim)),
            _ if rank.is_worth_a_group() && self.group_some(class, now) => Ok(None),
            _ if self.completes_pair(claim, now) == Some(Completes::Ban) => Ok(None),
            Some((_, victim)) => Ok(self.displace(victim)),
            None => Err(Refusal::Full { class, max }),
        }
    }

    /// A subject of which nothing holds any more, if one of those that end first is.
    pub(super) fn ended(&self, class: Class, now: WallTime) -> Option<Subject> {
        let is_over =
            |subject: &Subject| self.bans.get(subject).is_some_and(|entry| entry.slots.iter().all(|slot| slot.until <= now));
        self.queue(class).next_ends().filter(|(ends, _)| *ends <= now).map(|(_, subject)| subject).find(is_over)
    }

    /// Keeps in mind what was refused, if a change of circumstances may let it in later. What an operator was refused is not:
    /// it must not come into force when nobody expects it.
    pub(super) fn wait(&mut self, claim: Claim, refusal: &Refusal) {
        match refusal {
            Refusal::Full { .. } if !(claim.is_local() && claim.grade == Grade::Operator) => self.waiting.for_room(claim),
            // Who has proved to be an operator is believed more than a peer, also after the session.
            Refusal::Protected { why, .. } if *why != Protection::Operator && claim.origin != Origin::Local => {
                self.waiting.for_end_of_protection(claim);
            }
            _ => {}
        }
    }

    /// Lets in what waited for room or for the end of a protection, the strongest first: where there is room now or a group would
    /// make some, where what is in the table has become weaker, and what is about a subject that has its place again. Looks at
    /// [`READMIT_BATCH_MAX`] subjects at most.
    pub fn readmit(&mut self, now: WallTime) -> Vec<Change> {
        let mut changes = Vec::new();
        for _ in 0..READMIT_BATCH_MAX {
            let Some(subject) = self.readmissible(now) else { break };
            for claim in self.waiting.take_for_room(&subject) {
                match self.try_enter(claim.clone(), now) {
                    Ok(Entered::Changed { change, displaced }) => {
                        changes.extend(displaced.map(|change| *change));
                        changes.push(Change { cause: Cause::Returned, ..*change });
                    }
                    Ok(_) => {}
                    Err(refusal) => self.wait(claim, &refusal),
                }
            }
        }
        changes
    }

    /// Would [`Self::readmit`] let something in?
    #[must_use]
    pub fn has_readmissions(&self, now: WallTime) -> bool {
        !self.joining.is_empty() || self.readmissible_class(now).is_some()
    }

    /// The next subject whose claims come in.
    fn readmissible(&mut self, now: WallTime) -> Option<Subject> {
        while let Some(subject) = self.joining.pop() {
            if self.waiting.knows(&subject) {
                return Some(subject);
            }
        }
        self.readmissible_class(now).and_then(|class| self.waiting.next(class))
    }

    fn readmissible_class(&self, now: WallTime) -> Option<Class> {
        let has_room = |class: Class| self.count(class) < self.policy.limit(class);
        let is_weaker =
            |class: Class, rank: Rank| self.queue(class).weakest().is_some_and(|(weakest, _)| weakest.yields_to(rank));
        let can_group = |class: Class, rank: Rank| rank.is_worth_a_group() && self.groupable(class, now).is_some();
        let lets_in = |class: &Class| {
            let strongest = self.waiting.strongest(*class);
            strongest.is_some_and(|rank| has_room(*class) || is_weaker(*class, rank) || can_group(*class, rank))
        };
        Class::ALL.into_iter().find(lets_in)
    }

    /// Remembers that a subject which had no place has one now, or the other one of its pair has: what waits about it may need no
    /// room any more.
    pub(super) fn note_place(&mut self, subject: Subject) {
        if self.waiting.knows(&subject) {
            self.joining.push(subject);
        }
    }
}

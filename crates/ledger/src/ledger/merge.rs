//! When groups are made in a full table, and what gives way if none can be.

use super::Ledger;
use crate::{
    Cause, Change, Claim, Class, Refusal,
    group::{self, HAND_OVER_AHEAD, PAIRS_LOOKED_MAX},
    rank::Rank,
};
use alloc::vec::Vec;
use honeymesh_types::{Scope, Subject, Trust, WallTime};

/// What a new claim completes a pair with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completes {
    /// A ban that has a place.
    Ban,
    /// Claims that wait for one.
    Waiting,
}

impl Ledger {
    /// Makes one group in `class`, if there is anything to make it of: takes the first complete pair and as much around it as
    /// is complete. False: nothing was changed.
    pub(super) fn group_some(&mut self, class: Class, now: WallTime) -> bool {
        let Some(pair) = self.groupable(class, now) else { return false };
        self.cover(self.widened(pair, now));
        true
    }

    /// A complete pair that can be grouped. Looks at [`PAIRS_LOOKED_MAX`] pairs.
    pub(super) fn groupable(&self, class: Class, now: WallTime) -> Option<Subject> {
        if !class.is_hosts() || !self.has_room_for_group(class) || !self.has_room_for_members(class, 2) {
            return None;
        }
        self.groups.pairs(class).take(PAIRS_LOOKED_MAX).find(|pair| self.is_complete(pair, now)).copied()
    }

    /// Would a new claim complete a pair that can be grouped?
    pub(super) fn completes_pair(&self, claim: &Claim, now: WallTime) -> Option<Completes> {
        let (subject, class, soon) = (claim.subject, Class::of(&claim.subject), now.plus(HAND_OVER_AHEAD));
        if !class.is_hosts() || !makes_member(claim, soon) || !Rank::of_claim(claim).is_worth_a_group() {
            return None;
        }
        let (pair, buddy) = (group::pair(&subject), group::buddy(&subject));
        if !self.has_room_for_group(class) || !self.has_room_for_members(class, 2) || !self.is_free(&pair) {
            return None;
        }
        if self.ends(&buddy).is_some_and(|until| until > soon) {
            return Some(Completes::Ban);
        }
        let would_join = |held: &Claim| makes_member(held, soon) && self.check(held, now).is_ok();
        self.waiting.about(&buddy).any(would_join).then_some(Completes::Waiting)
    }

    /// Groups the pair of a subject that was let in for it.
    pub(super) fn group_pair_of(&mut self, subject: &Subject, now: WallTime) {
        let (class, pair) = (Class::of(subject), group::pair(subject));
        let is_over = self.count(class) > self.policy.limit(class);
        if is_over && self.has_room_for_group(class) && self.is_free(&pair) && self.is_complete(&pair, now) {
            self.cover(self.widened(pair, now));
        }
    }

    /// Lets in what waited about the other one of a pair that a new claim completes.
    pub(super) fn bring_buddy(&mut self, claim: &Claim, now: WallTime, full: Refusal) -> Result<Vec<Change>, Refusal> {
        let Some(Completes::Waiting) = self.completes_pair(claim, now) else { return Err(full) };
        let buddy = group::buddy(&claim.subject);
        let mut changes = Vec::new();
        for held in self.waiting.take_for_room(&buddy) {
            let before = self.view(&buddy);
            if self.check(&held, now).is_ok()
                && let Ok(Some(place)) = self.put(held, now)
            {
                changes.extend(self.raised(buddy, before, place).map(|change| Change { cause: Cause::Returned, ..change }));
            }
        }
        Ok(changes)
    }

    /// Brings the tables of addresses and /64s back to their limits: what is over goes, then what nothing is enforced on or what
    /// may be forged, then groups are made, then the weakest waits. Returns what went.
    pub(super) fn shrink(&mut self, now: WallTime) -> Vec<Change> {
        let mut gone = Vec::new();
        for class in Class::HOSTS {
            while self.count(class) > self.policy.limit(class) {
                if let Some(subject) = self.ended(class, now) {
                    gone.extend(self.remove(subject, Cause::Ended, |_| true));
                    continue;
                }
                let weakest = self.queue(class).weakest().filter(|(rank, _)| !rank.is_operators());
                if weakest.is_some_and(|(rank, _)| rank.is_worth_a_group()) && self.group_some(class, now) {
                    continue;
                }
                let Some((_, subject)) = weakest else { break };
                gone.extend(self.displace(subject));
            }
        }
        gone
    }

    /// A ban gives way to others; it comes back when there is room.
    pub(super) fn displace(&mut self, victim: Subject) -> Option<Change> {
        let change = self.remove(victim, Cause::Displaced, |_| true);
        change.iter().flat_map(|change| &change.claims).for_each(|claim| self.waiting.for_room(claim.clone()));
        change
    }

    /// The widest complete block around a complete one.
    fn widened(&self, mut block: Subject, now: WallTime) -> Subject {
        let class = Class::of(&group::halves(&block)[0]);
        while let Some(wider) = group::wider(&block)
            && let Some(other) = group::halves(&wider).into_iter().find(|half| *half != block)
            && self.is_free(&wider)
            && self.is_complete(&other, now)
            && self.has_room_for_members(class, group::all(&wider).filter(|one| !self.groups.has_member(one)).count())
        {
            block = wider;
        }
        block
    }

    /// Is everybody in it banned for long enough?
    fn is_complete(&self, block: &Subject, now: WallTime) -> bool {
        let soon = now.plus(HAND_OVER_AHEAD);
        group::all(block).all(|member| self.ends(&member).is_some_and(|until| until > soon))
    }

    /// No more bans are in groups than may have entries of their own, so that a ledger never holds more than twice its limit.
    fn has_room_for_members(&self, class: Class, more: usize) -> bool {
        self.grouped(class) + more <= self.policy.limit(class)
    }
}

/// Would a ban that this claim alone makes be a member of a group, and for how long?
fn makes_member(claim: &Claim, soon: WallTime) -> bool {
    let counts = claim.is_local() || claim.trust >= Trust::Enforce;
    let lasts = claim.until.is_none_or(|until| until > soon);
    counts && lasts && claim.scope == Scope::All && !Rank::of_claim(claim).is_operators()
}

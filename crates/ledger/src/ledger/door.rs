//! The one door in.

use super::{Ledger, View};
use crate::{
    Cause, Change, ChangeKind, Claim, Entered, Origin, Refusal,
    claim::NOTE_BYTES_MAX,
    origins::{ORIGINS_MAX, OriginIndex, cut},
    rank::Rank,
    slot::Slot,
};
use alloc::{boxed::Box, vec, vec::Vec};
use honeymesh_types::{Reasons, Subject, Trust, WallTime};

/// How many peers' claims one subject keeps. At the bound a claim takes the place of the one that is trusted least and
/// ends first if it is itself trusted more or ends later; else it is refused.
pub const CLAIMS_PEER_MAX: usize = 32;

impl Ledger {
    /// The one door in: a verdict, an operator's order, a peer's record and the replay of the store all come through here.
    ///
    /// A claim of this node whose slot is known is joined to it and never shortens or lowers it. A peer has one word on a
    /// subject: the one it said last, whatever came in first.
    pub fn enter(&mut self, claim: Claim, now: WallTime) -> Entered {
        let claim = self.mend(claim);
        match self.try_enter(claim.clone(), now) {
            Ok(entered) => entered,
            Err(refusal) => {
                self.refusals.count(&refusal);
                self.wait(claim, &refusal);
                Entered::Refused(refusal)
            }
        }
    }

    pub(super) fn try_enter(&mut self, claim: Claim, now: WallTime) -> Result<Entered, Refusal> {
        self.check(&claim, now)?;
        let (displaced, mut also) = self.find_place(&claim, now)?;
        let subject = claim.subject;
        let before = self.view(&subject);
        if before.is_none() {
            self.note_place(subject);
        }
        let Some(place) = self.put(claim, now)? else { return Ok(Entered::Unchanged) };
        match self.raised(subject, before, place) {
            Some(change) => {
                self.group_pair_of(&subject, now);
                also.extend(self.shrink(now));
                Ok(Entered::Changed { change: Box::new(Change { also, ..change }), displaced: displaced.map(Box::new) })
            }
            None => Ok(Entered::Unchanged),
        }
    }

    /// Makes room for what needs a place: a ban that is new, or one that an operator takes out of its group. Returns what gave
    /// way, and what came back because the claim completes a pair with it.
    fn find_place(&mut self, claim: &Claim, now: WallTime) -> Result<(Option<Change>, Vec<Change>), Refusal> {
        let leaves_group = self.groups.has_member(&claim.subject) && Rank::of_claim(claim).is_operators();
        if self.bans.get(&claim.subject).is_some() && !leaves_group {
            return Ok((None, Vec::new()));
        }
        match self.make_room(claim, now) {
            Ok(displaced) => Ok((displaced, Vec::new())),
            Err(full) => self.bring_buddy(claim, now, full).map(|also| (None, also)),
        }
    }

    /// What the house adds or cuts whoever claims: peers say `mesh` and live no longer than allowed, words are bounded.
    fn mend(&self, mut claim: Claim) -> Claim {
        claim.last = claim.last.max(claim.since);
        if claim.origin != Origin::Local {
            claim.reasons |= Reasons::MESH;
            claim.since = claim.last;
            let longest = claim.last.plus(self.policy.ttl.mesh);
            claim.until = Some(claim.until.map_or(longest, |until| until.min(longest)));
        }
        claim.note = claim.note.map(|note| cut(&note, NOTE_BYTES_MAX).into());
        claim
    }

    pub(super) fn check(&self, claim: &Claim, now: WallTime) -> Result<(), Refusal> {
        let (subject, from_peer) = (claim.subject, claim.origin != Origin::Local);
        if let Some((net, why)) = self.never.holds(&subject) {
            return Err(Refusal::Protected { subject, net, why });
        }
        if claim.reasons.is_empty() {
            return Err(Refusal::NoReason { subject });
        }
        if claim.until.is_some_and(|until| until <= now) {
            return Err(Refusal::Expired { subject });
        }
        if from_peer && self.lifted.covers(&subject, claim.last) {
            return Err(Refusal::Lifted { subject });
        }
        if from_peer && claim.trust < Trust::Override && self.held.covers(&subject, claim.last) {
            return Err(Refusal::Held { subject });
        }
        if subject.prefix_len() == 0 {
            return Err(Refusal::Everybody { subject });
        }
        if subject.is_wide() && from_peer {
            return Err(Refusal::WideFromPeer { subject });
        }
        if subject.is_wide() && !claim.force {
            return Err(Refusal::TooWide { subject });
        }
        if claim.is_spoofable() && from_peer {
            return Err(Refusal::SpoofableFromPeer { subject });
        }
        // Before anything gives way for it.
        if !self.origins.has_room_for(&claim.origin) {
            return Err(Refusal::Origins { origins_max: ORIGINS_MAX });
        }
        self.check_budget(claim)
    }

    fn check_budget(&self, claim: &Claim) -> Result<(), Refusal> {
        let spoofable_max = self.policy.spoofable_max;
        let is_known = |slot: &Slot| slot.local && slot.is_spoofable() && slot.reasons == claim.reasons;
        let known = self.bans.get(&claim.subject).is_some_and(|entry| entry.slots.iter().any(is_known));
        if claim.is_spoofable() && !known && self.tally.spoofable >= spoofable_max {
            return Err(Refusal::SpoofableBudget { spoofable_max });
        }
        Ok(())
    }

    /// Joins or adds the claim. `None`: everything it says was known. Otherwise its place.
    pub(super) fn put(&mut self, claim: Claim, now: WallTime) -> Result<Option<usize>, Refusal> {
        let subject = claim.subject;
        let origin = self
            .origins
            .acquire(&claim.origin, &claim.origin_name, &claim.backing)
            .ok_or(Refusal::Origins { origins_max: ORIGINS_MAX })?;
        let slot = Slot::new(claim, origin);
        let vouched = self.bans.get(&subject).map_or_else(Vec::new, |entry| entry.vouched_with(&slot, &self.origins));
        let put = self.edit(subject, |slots| {
            let put = put_into(slots, slot, now);
            let newly = |slot: &&mut Slot| !slot.local && !slot.vouched && vouched.contains(&slot.origin);
            slots.iter_mut().filter(newly).for_each(|slot| slot.vouched = true);
            put
        });
        if put.is_released_now() {
            self.origins.release(origin);
        }
        match put {
            Put::Joined(place) | Put::Added(place) => Ok(Some(place)),
            Put::Replaced(place, old) => {
                self.origins.release(old);
                Ok(Some(place))
            }
            Put::Known => Ok(None),
            Put::NoPlace => Err(Refusal::Claims { subject, claims_max: CLAIMS_PEER_MAX }),
        }
    }

    pub(super) fn raised(&self, subject: Subject, before: Option<View>, place: usize) -> Option<Change> {
        let slot = self.bans.get(&subject)?.slots.get(place)?;
        let claims = vec![slot.claim(subject, &self.origins)];
        let View { ban, enforce } = self.view(&subject)?;
        let (before, enforce_before) = before.map_or((None, None), |view| (Some(view.ban), view.enforce));
        Some(Change {
            kind: ChangeKind::Raised,
            cause: Cause::Claimed,
            ban,
            before,
            claims,
            enforce,
            enforce_before,
            also: Vec::new(),
        })
    }
}

enum Put {
    Joined(usize),
    Added(usize),
    Replaced(usize, OriginIndex),
    Known,
    NoPlace,
}

impl Put {
    /// Was no new slot made, so that the origin is not referred to once more?
    const fn is_released_now(&self) -> bool {
        matches!(self, Self::Joined(_) | Self::Known | Self::NoPlace)
    }
}

fn put_into(slots: &mut Vec<Slot>, slot: Slot, now: WallTime) -> Put {
    let known = slots.iter_mut().enumerate().find(|(_, known)| known.is_same_place(&slot));
    if let Some((place, known)) = known {
        let before = known.clone();
        known.join(slot, now);
        return if *known == before { Put::Known } else { Put::Joined(place) };
    }
    if slot.local || slots.iter().filter(|slot| !slot.local).count() < CLAIMS_PEER_MAX {
        slots.reserve_exact(1);
        slots.push(slot);
        return Put::Added(slots.len() - 1);
    }
    replace_weakest(slots, slot)
}

fn replace_weakest(slots: &mut [Slot], slot: Slot) -> Put {
    let strength = |slot: &Slot| (slot.trust, slot.until, slot.origin);
    let weakest = slots.iter_mut().enumerate().filter(|(_, old)| !old.local).min_by_key(|(_, old)| strength(old));
    match weakest {
        Some((place, old)) if strength(old) < strength(&slot) => {
            let gone = old.origin;
            *old = slot;
            Put::Replaced(place, gone)
        }
        _ => Put::NoPlace,
    }
}

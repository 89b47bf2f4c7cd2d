//! A claim as it is kept: compact, because there may be millions.

use crate::{
    Backing, Claim, Origin, Quorum, Reach,
    origins::{OriginIndex, Origins},
};
use alloc::{boxed::Box, string::String};
use honeymesh_types::{EventId, Grade, Reasons, Scope, Subject, Trust, WallTime};

/// What few claims have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rare {
    note: Option<String>,
    evidence: Option<EventId>,
}

/// A claim without its subject; the origin is a place in [`Origins`], "for ever" is the end of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) since: WallTime,
    pub(crate) last: WallTime,
    pub(crate) until: WallTime,
    rare: Option<Box<Rare>>,
    pub(crate) origin: OriginIndex,
    pub(crate) reasons: Reasons,
    pub(crate) grade: Grade,
    pub(crate) scope: Scope,
    pub(crate) score: u8,
    pub(crate) trust: Trust,
    pub(crate) reach: Reach,
    pub(crate) local: bool,
    /// Repeats another cluster's word.
    pub(crate) hearsay: bool,
    /// Enough owners agreed with it within the window, once.
    pub(crate) vouched: bool,
    force: bool,
}

impl Slot {
    pub(crate) fn new(claim: Claim, origin: OriginIndex) -> Self {
        let rare = Rare { note: claim.note, evidence: claim.evidence };
        Self {
            since: claim.since,
            last: claim.last,
            until: claim.until.unwrap_or(WallTime::MAX),
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
            origin,
            reasons: claim.reasons,
            grade: claim.grade,
            scope: claim.scope,
            score: claim.score,
            trust: claim.trust,
            reach: claim.reach,
            local: claim.origin == Origin::Local,
            hearsay: claim.backing.hearsay,
            vouched: false,
            force: claim.force,
        }
    }

    pub(crate) fn claim(&self, subject: Subject, origins: &Origins) -> Claim {
        Claim {
            subject,
            origin: origins.origin(self.origin).cloned().unwrap_or(Origin::Local),
            origin_name: origins.name(self.origin).into(),
            reasons: self.reasons,
            grade: self.grade,
            scope: self.scope,
            score: self.score,
            since: self.since,
            last: self.last,
            until: self.end(),
            note: self.note().cloned(),
            evidence: self.rare.as_ref().and_then(|rare| rare.evidence),
            trust: self.trust,
            backing: Backing {
                owner: origins.owner_name(self.origin).cloned(),
                quorum: if self.local { Quorum::default() } else { origins.quorum(self.origin) },
                hearsay: self.hearsay,
            },
            reach: self.reach,
            force: self.force,
        }
    }

    pub(crate) fn end(&self) -> Option<WallTime> {
        (self.until != WallTime::MAX).then_some(self.until)
    }

    pub(crate) fn note(&self) -> Option<&String> {
        self.rare.as_ref().and_then(|rare| rare.note.as_ref())
    }

    pub(crate) fn is_spoofable(&self) -> bool {
        self.grade == Grade::Spoofable
    }

    /// Do both state the same thing, so that they are joined? A peer has one slot; this node has one a reason, and
    /// forgeable evidence never joins a proved claim, which it would prolong.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let same_claim = self.reasons == other.reasons && self.is_spoofable() == other.is_spoofable();
        self.origin == other.origin && (!self.local || same_claim)
    }

    /// A claim of this node: makes this slot say what both say, never shorter, never lower; the newcomer's words and
    /// evidence win, and what is over at `now` counts no more. A peer's: what it said last holds.
    pub(crate) fn join(&mut self, newer: Self, now: WallTime) {
        if !self.local && newer.last < self.last {
            return;
        }
        if !self.local || self.until <= now {
            // What others vouched for stays so when it is said again in time.
            let vouched = self.vouched && self.until > now;
            *self = Self { vouched, ..newer };
            return;
        }
        self.since = self.since.min(newer.since);
        self.last = self.last.max(newer.last);
        self.until = self.until.max(newer.until);
        self.reasons |= newer.reasons;
        self.grade = self.grade.max(newer.grade);
        self.scope = self.scope.max(newer.scope);
        self.score = self.score.max(newer.score);
        self.trust = newer.trust;
        self.reach = self.reach.max(newer.reach);
        self.force |= newer.force;
        self.join_rare(newer.rare);
    }

    fn join_rare(&mut self, newer: Option<Box<Rare>>) {
        let Some(newer) = newer else { return };
        let rare = self.rare.get_or_insert_default();
        rare.note = newer.note.or(rare.note.take());
        rare.evidence = newer.evidence.or(rare.evidence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_stays_small() {
        assert!(size_of::<Slot>() <= 48, "{}", size_of::<Slot>());
    }
}

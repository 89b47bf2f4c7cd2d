//! All claims on one subject, and what they add up to.

use crate::{
    CORROBORATION_MIN, Origin,
    origins::{OriginIndex, Origins},
    rank::Rank,
    slot::Slot,
};
use alloc::{string::String, vec::Vec};
use honeymesh_types::{Ban, Enforcement, Grade, Mode, NodeId, Reasons, Scope, Subject, Trust, WallTime};

/// What the claims that count add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) reasons: Reasons,
    pub(crate) grade: Grade,
    pub(crate) scope: Scope,
    pub(crate) since: WallTime,
    pub(crate) until: WallTime,
    /// Until when the widest scope holds: a forgeable claim never prolongs more than its own silence.
    pub(crate) until_widest: WallTime,
    /// Whether any claim counts. If none does, the sum is of all.
    pub(crate) counts: bool,
}

/// The claims on one subject; never empty while it is in the table.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) slots: Vec<Slot>,
}

impl Entry {
    pub(crate) fn rank(&self) -> Rank {
        self.slots.iter().map(Rank::of).max().unwrap_or(Rank::LOWEST)
    }

    /// When the first of the claims ends.
    pub(crate) fn ends_next(&self) -> WallTime {
        self.slots.iter().map(|slot| slot.until).min().unwrap_or(WallTime::MAX)
    }

    pub(crate) fn spoofable(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_spoofable()).count()
    }

    /// The claims that make the ban: those that count or, if none does, all.
    fn makers(&self, origins: &Origins) -> (bool, impl Iterator<Item = &Slot>) {
        let agreed = self.corroborators(origins) >= CORROBORATION_MIN;
        let counts = self.slots.iter().any(|slot| does_count(slot, agreed));
        (counts, self.slots.iter().filter(move |slot| !counts || does_count(slot, agreed)))
    }

    /// How many distinct nodes claim it, observed ones left out.
    fn corroborators(&self, origins: &Origins) -> usize {
        let voting = || self.slots.iter().filter(|slot| !slot.local && slot.trust >= Trust::Corroborate);
        let node = |slot: &Slot| node_of(slot.origin, origins);
        let is_first = |(place, slot): &(usize, &Slot)| !voting().take(*place).any(|earlier| node(earlier) == node(slot));
        voting().enumerate().filter(is_first).count()
    }

    /// Does the claim in `slot` make the ban, or is it only shown?
    pub(crate) fn counts(&self, slot: &Slot, origins: &Origins) -> bool {
        does_count(slot, self.corroborators(origins) >= CORROBORATION_MIN)
    }

    pub(crate) fn sum(&self, origins: &Origins) -> Sum {
        let (counts, makers) = self.makers(origins);
        let nothing = Sum {
            reasons: Reasons::empty(),
            grade: Grade::Spoofable,
            scope: Scope::Dark,
            since: WallTime::MAX,
            until: WallTime(0),
            until_widest: WallTime(0),
            counts,
        };
        makers.fold(nothing, add)
    }

    pub(crate) fn ban(&self, subject: Subject, mode: Mode, origins: &Origins) -> Ban {
        let sum = self.sum(origins);
        let (_, makers) = self.makers(origins);
        let note = makers.filter(|slot| slot.note().is_some()).max_by_key(|slot| (slot.last, slot.origin));
        Ban {
            subject,
            reasons: sum.reasons,
            grade: sum.grade,
            scope: sum.scope,
            origins: self.names(origins),
            since: sum.since,
            until: finite(sum.until),
            enforced: sum.counts && mode != Mode::Observe,
            note: note.and_then(Slot::note).cloned(),
        }
    }

    /// What the kernel must hold. Its deadline is that of the widest scope; what outlives it in a narrower scope is
    /// told to the kernel when the wider claim ends.
    pub(crate) fn enforcement(&self, subject: Subject, mode: Mode, origins: &Origins) -> Option<Enforcement> {
        let sum = self.sum(origins);
        let until = finite(sum.until_widest);
        (sum.counts && mode != Mode::Observe).then_some(Enforcement {
            subject,
            reasons: sum.reasons,
            grade: sum.grade,
            scope: sum.scope,
            until,
        })
    }

    fn names(&self, origins: &Origins) -> Vec<String> {
        let (_, makers) = self.makers(origins);
        let mut names: Vec<String> = makers.map(|slot| origins.name(slot.origin).into()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn does_count(slot: &Slot, agreed: bool) -> bool {
    slot.local
        || match slot.trust {
            Trust::Observe => false,
            Trust::Corroborate => agreed,
            Trust::Enforce | Trust::Override => true,
        }
}

fn node_of(origin: OriginIndex, origins: &Origins) -> Option<NodeId> {
    match origins.origin(origin) {
        Some(Origin::Peer { node, .. }) => Some(*node),
        Some(Origin::Local) | None => None,
    }
}

fn add(sum: Sum, slot: &Slot) -> Sum {
    let until_widest = match slot.scope.cmp(&sum.scope) {
        core::cmp::Ordering::Less => sum.until_widest,
        core::cmp::Ordering::Equal => sum.until_widest.max(slot.until),
        core::cmp::Ordering::Greater => slot.until,
    };
    Sum {
        reasons: sum.reasons | slot.reasons,
        grade: sum.grade.max(slot.grade),
        scope: sum.scope.max(slot.scope),
        since: sum.since.min(slot.since),
        until: sum.until.max(slot.until),
        until_widest,
        counts: sum.counts,
    }
}

fn finite(until: WallTime) -> Option<WallTime> {
    (until != WallTime::MAX).then_some(until)
}

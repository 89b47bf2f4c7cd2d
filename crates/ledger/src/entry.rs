//! All claims on one subject, and what they add up to.

use crate::{
    Corroboration,
    backing::{Owner, Testimony, agree_around, distinct},
    origins::{OriginIndex, Origins},
    rank::Rank,
    slot::Slot,
};
use alloc::{string::String, vec::Vec};
use honeymesh_types::{Ban, Enforcement, Grade, Mode, Reasons, Scope, Subject, Trust, WallTime};

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
        let owners = self.owners(origins);
        let counts = self.slots.iter().any(|slot| does_count(slot, owners, origins));
        (counts, self.slots.iter().filter(move |slot| !counts || does_count(slot, owners, origins)))
    }

    /// How many different owners bear witness to it.
    fn owners(&self, origins: &Origins) -> usize {
        if !self.slots.iter().any(needs_others) {
            return 0;
        }
        let all: Vec<Owner<'_>> = self.slots.iter().filter_map(|slot| testimony(slot, origins)).map(|(_, owner)| owner).collect();
        distinct(all.iter().copied())
    }

    /// Does the claim in `slot` make the ban, or is it only shown?
    pub(crate) fn counts(&self, slot: &Slot, origins: &Origins) -> bool {
        does_count(slot, self.owners(origins), origins)
    }

    /// Which peers' claims enough owners agree with once `newer` is in: those whose window it fills and, while others of them
    /// count already, its own.
    pub(crate) fn vouched_with(&self, newer: &Slot, origins: &Origins) -> Vec<OriginIndex> {
        let replaces = |slot: &&Slot| slot.origin == newer.origin && !slot.local;
        let is_old_news = self.slots.iter().find(replaces).is_some_and(|held| held.last > newer.last);
        let others = || self.slots.iter().filter(|slot| !replaces(slot));
        if is_old_news || !others().chain([newer]).any(needs_others) {
            return Vec::new();
        }
        let owners = self.owners(origins);
        let stands = others().any(|slot| needs_others(slot) && does_count(slot, owners, origins));
        let all: Vec<Testimony<'_>> = others().chain([newer]).filter_map(|slot| testimony(slot, origins)).collect();
        let fills = |slot: &&Slot| agree_around(slot.last, origins.quorum(slot.origin), &all);
        let waiting = others().filter(|slot| needs_others(slot) && !slot.vouched).filter(fills);
        let own = [newer].into_iter().filter(|slot| needs_others(slot) && (stands || fills(slot)));
        waiting.chain(own).map(|slot| slot.origin).collect()
    }

    /// How far it is from being corroborated; `None`: something counts, or nothing waits for others.
    pub(crate) fn corroboration(&self, origins: &Origins) -> Option<Corroboration> {
        if self.makers(origins).0 {
            return None;
        }
        let last = self.slots.iter().filter(|slot| needs_others(slot)).max_by_key(|slot| slot.last)?;
        let quorum = origins.quorum(last.origin);
        let begin = last.last.minus(quorum.window);
        let all: Vec<Testimony<'_>> = self.slots.iter().filter_map(|slot| testimony(slot, origins)).collect();
        let owners = distinct(all.iter().filter(|(said, _)| *said >= begin && *said <= last.last).map(|(_, owner)| *owner));
        let waits_until = last.last.plus(quorum.window).min(last.until);
        Some(Corroboration { owners, needed: quorum.owners.into(), waits_until })
    }

    /// Does nothing count, and would something if others agreed?
    pub(crate) fn waits_for_others(&self, sum: &Sum) -> bool {
        !sum.counts && self.slots.iter().any(needs_others)
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

/// Is it a peer's word that counts only if others say the same?
fn needs_others(slot: &Slot) -> bool {
    !slot.local && slot.trust == Trust::Corroborate
}

fn does_count(slot: &Slot, owners: usize, origins: &Origins) -> bool {
    slot.local
        || match slot.trust {
            Trust::Observe => false,
            Trust::Corroborate => slot.vouched && owners >= usize::from(origins.quorum(slot.origin).owners),
            Trust::Enforce | Trust::Override => true,
        }
}

/// What a claim weighs for others: nothing if it is merely observed, repeats somebody else, or could be forged.
fn testimony<'a>(slot: &Slot, origins: &'a Origins) -> Option<Testimony<'a>> {
    let is_witness = !slot.hearsay && !slot.is_spoofable() && (slot.local || slot.trust >= Trust::Corroborate);
    is_witness.then(|| origins.owner(slot.origin)).flatten().map(|owner| (slot.last, owner))
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

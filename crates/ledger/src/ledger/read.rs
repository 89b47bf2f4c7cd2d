//! What can be asked of the ledger.

use super::Ledger;
use crate::{Claim, Class, Corroboration, Protected, Reach, Refusals, slot::Slot};
use alloc::vec::Vec;
use core::{net::IpAddr, ops::Bound};
use honeymesh_types::{Ban, Mode, Reasons, Subject};

/// Everything the ledger knows about one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// All bans that cover it, narrowest first.
    pub bans: Vec<Ban>,
    /// All that protects it, narrowest first.
    pub protected: Vec<Protected>,
    /// The mode in force.
    pub mode: Mode,
}

/// The ledger in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Subjects that are banned.
    pub bans: usize,
    /// The most of them that have entries of their own in the kernel, prefixes left out.
    pub bans_max: usize,
    /// Groups of bans for each of which one prefix stands in the kernel.
    pub groups: usize,
    /// How many of the bans are in them.
    pub grouped: usize,
    /// Claims that wait for room or for the end of a protection.
    pub waiting: usize,
    /// Claims that were forgotten because too many waited.
    pub forgotten: u64,
    /// How many of them are meant to be in the kernel.
    pub enforced: usize,
    /// How many claims rest on forgeable evidence.
    pub spoofable: usize,
    /// The most of those.
    pub spoofable_max: usize,
    /// Bans on which nothing is enforced because too few owners agree.
    pub uncorroborated: usize,
    /// Bans per reason, in the contract's order: a ban for two reasons counts twice.
    pub by_reason: [(Reasons, usize); super::REASONS],
    /// Nets in the never-ban set.
    pub protected: usize,
    /// Origins that claim something.
    pub origins: usize,
    /// How often the door stayed shut.
    pub refusals: Refusals,
}

impl Ledger {
    /// The ban of exactly `subject`.
    #[must_use]
    pub fn ban(&self, subject: &Subject) -> Option<Ban> {
        self.view(subject).map(|view| view.ban)
    }

    /// All bans, in the order of their subjects.
    pub fn bans(&self) -> impl Iterator<Item = Ban> + '_ {
        self.bans_from(Bound::Unbounded)
    }

    /// The bans in the order of their subjects, beginning at `from`: a long list can be read in parts, each of which costs
    /// only what it reads.
    pub fn bans_from(&self, from: Bound<Subject>) -> impl Iterator<Item = Ban> + '_ {
        let ban = |(subject, entry): (&Subject, &crate::entry::Entry)| entry.ban(*subject, self.policy.mode, &self.origins);
        self.bans.iter_from(from).map(ban)
    }

    /// How many subjects are banned.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bans.len()
    }

    /// Is nobody banned?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bans.len() == 0
    }

    /// All claims on exactly `subject`, each with whether it counts for the ban.
    #[must_use]
    pub fn claims(&self, subject: &Subject) -> Vec<(Claim, bool)> {
        let Some(entry) = self.bans.get(subject) else { return Vec::new() };
        let each = entry.slots.iter();
        each.map(|slot| (slot.claim(*subject, &self.origins), entry.counts(slot, &self.origins))).collect()
    }

    /// How far exactly `subject` is from being corroborated; `None`: it is enforced, or waits for nobody.
    #[must_use]
    pub fn corroboration(&self, subject: &Subject) -> Option<Corroboration> {
        self.bans.get(subject)?.corroboration(&self.origins)
    }

    /// The subjects on which this node itself has claims that may travel and do not rest on forgeable evidence, in order.
    pub fn claimed_here(&self) -> impl Iterator<Item = Subject> + '_ {
        let travels = |slot: &Slot| slot.local && slot.reach == Reach::Mesh && !slot.is_spoofable();
        self.bans.iter().filter(move |(_, entry)| entry.slots.iter().any(travels)).map(|(subject, _)| *subject)
    }

    /// All bans that cover the whole of `subject` (itself included), narrowest first.
    #[must_use]
    pub fn covering(&self, subject: &Subject) -> Vec<Ban> {
        let ban = |(subject, entry): (&Subject, &crate::entry::Entry)| entry.ban(*subject, self.policy.mode, &self.origins);
        self.bans.covering(subject).map(ban).collect()
    }

    /// Everything about one address.
    #[must_use]
    pub fn why(&self, addr: IpAddr) -> Why {
        let bans = self.covering(&Subject::host(addr));
        Why { bans, protected: self.never.covering(addr), mode: self.policy.mode }
    }

    /// What protects all of `subject`, if anything does.
    #[must_use]
    pub fn protection(&self, subject: &Subject) -> Option<Protected> {
        self.never.holds(subject).map(|(net, why)| Protected { net: net.net(), why })
    }

    /// What inside `subject` is protected, in order: it passes even if `subject` is banned.
    #[must_use]
    pub fn protected_within(&self, subject: &Subject) -> Vec<Protected> {
        self.never.within(subject)
    }

    /// The whole never-ban set, in order.
    pub fn protected(&self) -> impl Iterator<Item = Protected> + '_ {
        self.never.iter()
    }

    /// The ledger in numbers; costs nothing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let observing = self.policy.mode == Mode::Observe;
        let mut by_reason = [(Reasons::empty(), 0); super::REASONS];
        let counts = Reasons::all().each().zip(self.tally.by_reason);
        by_reason.iter_mut().zip(counts).for_each(|(place, count)| *place = count);
        Stats {
            bans: self.len(),
            bans_max: self.policy.limit(Class::Hosts4).saturating_add(self.policy.limit(Class::Hosts6)),
            groups: self.groups.covers().len(),
            grouped: Class::HOSTS.into_iter().map(|class| self.grouped(class)).sum(),
            waiting: self.waiting.len(),
            forgotten: self.waiting.forgotten(),
            enforced: if observing { 0 } else { self.tally.counting },
            spoofable: self.tally.spoofable,
            spoofable_max: self.policy.spoofable_max,
            uncorroborated: self.tally.uncorroborated,
            by_reason,
            protected: self.never.len(),
            origins: self.origins.len(),
            refusals: self.refusals,
        }
    }
}

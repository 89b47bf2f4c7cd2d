//! What the kernel's tables must hold: the bans, with one prefix in the place of each group.

use super::Ledger;
use crate::{KernelChange, entry::Entry};
use alloc::{collections::BTreeMap, vec::Vec};
use core::{iter::from_fn, ops::Bound};
use honeymesh_types::{Enforcement, Mode, Subject};

/// What the kernel held when it was told last, for everything that may have changed since.
pub(super) type Touched = BTreeMap<Subject, Before>;

#[derive(Clone, Copy)]
pub(super) struct Before {
    held: Option<Enforcement>,
    was_group: bool,
}

/// In this order a member of a group is enforced at every moment, and no table holds more than its limit: whatever stands for
/// it in the new way stands before the old goes, and addresses go before others come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    BanGoes,
    GroupComes,
    MemberGoes,
    BanComes,
    GroupGoes,
}

impl Ledger {
    /// What the kernel must hold under the key `subject`, be it for its ban or for a group.
    #[must_use]
    pub fn enforcement(&self, subject: &Subject) -> Option<Enforcement> {
        match self.groups.get(subject) {
            Some(cover) => self.unless_observing(cover.enforcement(*subject)),
            None => self.own(subject, self.bans.get(subject)?),
        }
    }

    /// A ban's own entry.
    fn own(&self, subject: &Subject, entry: &Entry) -> Option<Enforcement> {
        let has_own = !self.groups.has_member(subject);
        has_own.then(|| entry.enforcement(*subject, self.policy.mode, &self.origins)).flatten()
    }

    fn unless_observing(&self, what: Enforcement) -> Option<Enforcement> {
        (self.policy.mode != Mode::Observe).then_some(what)
    }

    /// Everything the kernel must hold, in the order of the subjects; nothing in mode `observe`.
    pub fn intent(&self) -> impl Iterator<Item = Enforcement> + '_ {
        self.intent_from(Bound::Unbounded).filter_map(|(_, enforce)| enforce)
    }

    /// Every banned subject and every group in order, beginning at `from`, with what the kernel must hold for it: a part of the
    /// intent costs only what it reads.
    pub fn intent_from(&self, from: Bound<Subject>) -> impl Iterator<Item = (Subject, Option<Enforcement>)> + '_ {
        let mut bans = self.bans.iter_from(from).map(|(subject, entry)| (*subject, self.own(subject, entry))).peekable();
        let groups = self.groups.covers().range((from, Bound::Unbounded));
        let mut groups = groups.map(|(block, cover)| (*block, self.unless_observing(cover.enforcement(*block)))).peekable();
        from_fn(move || match (bans.peek(), groups.peek()) {
            (Some((subject, _)), Some((block, _))) if block < subject => groups.next(),
            (None, _) => groups.next(),
            _ => bans.next(),
        })
    }

    /// How the intent has changed since this was asked last, in an order that leaves no gap. What is never taken grows: take it
    /// after everything that changes bans, and after [`Self::set_mode`] or a start make the kernel equal to [`Self::intent`]
    /// besides.
    pub fn take_kernel_changes(&mut self) -> Vec<KernelChange> {
        let touched = core::mem::take(&mut self.touched);
        let mut changes: Vec<_> =
            touched.into_iter().filter_map(|(subject, before)| self.kernel_change(subject, before)).collect();
        changes.sort_by_key(|(step, _)| *step);
        changes.into_iter().map(|(_, change)| change).collect()
    }

    fn kernel_change(&self, subject: Subject, before: Before) -> Option<(Step, KernelChange)> {
        match self.enforcement(&subject) {
            held if held == before.held => None,
            Some(what) if self.groups.get(&subject).is_some() => Some((Step::GroupComes, KernelChange::Enforce(what))),
            // The key was a group's, and is a ban's own now.
            Some(what) if before.was_group => Some((Step::GroupGoes, KernelChange::Enforce(what))),
            Some(what) => Some((Step::BanComes, KernelChange::Enforce(what))),
            None if before.was_group => Some((Step::GroupGoes, KernelChange::Release(subject))),
            None if self.groups.has_member(&subject) => Some((Step::MemberGoes, KernelChange::Release(subject))),
            None => Some((Step::BanGoes, KernelChange::Release(subject))),
        }
    }

    /// What the kernel must hold for `subject` is about to change.
    pub(super) fn touch(&mut self, subject: Subject) {
        if !self.touched.contains_key(&subject) {
            let before = Before { held: self.enforcement(&subject), was_group: self.groups.get(&subject).is_some() };
            self.touched.insert(subject, before);
        }
    }
}

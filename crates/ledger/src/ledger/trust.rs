//! When somebody is believed otherwise than before, and when nobody but this node's operator is.

use super::Ledger;
use crate::{Backing, Change, Claim, Origin, origins::OriginIndex};
use alloc::vec::Vec;
use honeymesh_types::{Subject, Trust, WallTime};

/// What believing an origin otherwise did. What the kernel must hold is in [`Ledger::take_kernel_changes`] as ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconsidered {
    /// Subjects that are not enforced any more.
    pub withdrawn: Vec<Subject>,
    /// Subjects that are enforced now.
    pub enforced: Vec<Subject>,
    /// What gave way because of it.
    pub also: Vec<Change>,
}

impl Ledger {
    /// Believes what `origin` has said so far about each subject as `trust` says, backed as `backing` says. Claims of others stay as they are. Looks at every
    /// subject once; changes at most what one origin may claim.
    pub fn reconsider(
        &mut self,
        origin: &Origin,
        trust: impl Fn(&Subject) -> Trust,
        backing: &Backing,
        now: WallTime,
    ) -> Reconsidered {
        self.waiting.change(origin, |claim| Claim { trust: trust(&claim.subject), backing: backing.clone(), ..claim });
        let Some(index) = self.origins.find(origin) else { return Reconsidered::default() };
        let claims_it = |entry: &crate::entry::Entry| entry.slots.iter().any(|slot| slot.origin == index);
        let all: Vec<Subject> = self.bans.iter().filter(|(_, entry)| claims_it(entry)).map(|(subject, _)| *subject).collect();
        let before: Vec<_> = all.iter().map(|subject| self.take_off(*subject)).collect();
        self.origins.back(index, backing);
        let mut told = Reconsidered::default();
        for (subject, (standing, was_enforced)) in all.into_iter().zip(before) {
            self.retrust(&subject, index, trust(&subject));
            let after = self.list(subject);
            self.regroup(subject, standing, after);
            match (was_enforced, self.is_enforced(&subject)) {
                (true, false) => told.withdrawn.push(subject),
                (false, true) => told.enforced.push(subject),
                _ => {}
            }
        }
        told.also = self.shrink(now);
        told
    }

    fn take_off(&mut self, subject: Subject) -> (super::regroup::Standing, bool) {
        let was_enforced = self.is_enforced(&subject);
        self.touch(subject);
        (self.unlist(subject), was_enforced)
    }

    fn retrust(&mut self, subject: &Subject, index: OriginIndex, trust: Trust) {
        let slots = &mut self.bans.get_or_insert(*subject).slots;
        slots.iter_mut().filter(|slot| slot.origin == index).for_each(|slot| slot.trust = trust);
    }

    fn is_enforced(&self, subject: &Subject) -> bool {
        self.ban(subject).is_some_and(|ban| ban.enforced)
    }

    /// An operator of this node freed `subject` here: until `until` no peer's word on it comes in, unless that peer is trusted to
    /// override. Bounded like the memory of unbans.
    pub fn hold(&mut self, subject: Subject, until: WallTime, now: WallTime) {
        self.held.forget_until(now);
        self.held.remember(subject, until);
    }

    /// Ends that. Whether there was anything to end.
    pub fn unhold(&mut self, subject: &Subject) -> bool {
        self.held.forget(subject)
    }
}

//! Claims that would hold if there were room, or if their subject were not protected: they come in when that changes.

use crate::{Claim, Class, Origin, rank::Rank};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use honeymesh_types::{Reasons, Subject, WallTime};

/// How many claims wait for room; at the bound the one of the lowest rank that ends first is forgotten, and counted.
pub const WAITING_MAX: usize = 16_384;
/// How many claims wait for the end of a protection; at the bound further ones are forgotten, and counted.
pub const WAITING_PROTECTED_MAX: usize = 4_096;

/// The strongest is the last.
type Key = (Rank, WallTime, Subject, Origin, Reasons);

/// Claims that wait.
#[derive(Default)]
pub(crate) struct Waiting {
    for_room: [BTreeMap<Key, Claim>; Class::ALL.len()],
    /// Where the claims on each subject are among those.
    keys: BTreeMap<Subject, Vec<Key>>,
    protected: BTreeMap<Subject, Vec<Claim>>,
    protected_count: usize,
    forgotten: u64,
}

impl Waiting {
    pub(crate) fn len(&self) -> usize {
        self.for_room.iter().map(BTreeMap::len).sum::<usize>() + self.protected_count
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Claim> {
        self.for_room.iter().flat_map(BTreeMap::values).chain(self.protected.values().flatten())
    }

    /// How many were forgotten because too many waited.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Waits for room, together with what the same origin said before. Forgeable evidence does not: it is cheap to come by again.
    pub(crate) fn for_room(&mut self, claim: Claim) {
        if claim.is_spoofable() {
            return;
        }
        let subject = claim.subject;
        let is_same = |held: &Claim| held.origin == claim.origin && (!claim.is_local() || held.reasons == claim.reasons);
        let known = self.take_out(&subject, is_same);
        let claim = known.into_iter().fold(claim, united);
        let key = key(&claim);
        self.keys.entry(subject).or_default().push(key.clone());
        if let Some(waiting) = self.for_room.get_mut(Class::of(&subject) as usize) {
            waiting.insert(key, claim);
        }
        if self.for_room.iter().map(BTreeMap::len).sum::<usize>() > WAITING_MAX {
            self.forget_weakest();
        }
    }

    /// Waits for the end of a protection, in the place of what the same origin said before.
    pub(crate) fn for_end_of_protection(&mut self, claim: Claim) {
        let known = self.take_out(&claim.subject, |held| held.origin == claim.origin);
        let claim = known.into_iter().fold(claim, united);
        if self.protected_count >= WAITING_PROTECTED_MAX {
            self.forgotten = self.forgotten.saturating_add(1);
            return;
        }
        self.protected_count += 1;
        self.protected.entry(claim.subject).or_default().push(claim);
    }

    /// The subjects about which a claim of `origin` waits; one may come more than once.
    pub(crate) fn of<'a>(&'a self, origin: &'a Origin) -> impl Iterator<Item = Subject> + 'a {
        let waiting = self.for_room.iter().flat_map(BTreeMap::values).chain(self.protected.values().flatten());
        waiting.filter(move |claim| claim.origin == *origin).map(|claim| claim.subject)
    }

    /// The rank of the strongest that waits for room in `class`.
    pub(crate) fn strongest(&self, class: Class) -> Option<Rank> {
        self.for_room.get(class as usize)?.last_key_value().map(|((rank, ..), _)| *rank)
    }

    /// Does anything about `subject` wait for room?
    pub(crate) fn knows(&self, subject: &Subject) -> bool {
        self.keys.contains_key(subject)
    }

    /// What waits for room about `subject`.
    pub(crate) fn about(&self, subject: &Subject) -> impl Iterator<Item = &Claim> {
        let waiting = self.for_room.get(Class::of(subject) as usize);
        self.keys.get(subject).into_iter().flatten().filter_map(move |key| waiting?.get(key))
    }

    /// Whom the strongest claim that waits for room in `class` is about.
    pub(crate) fn next(&self, class: Class) -> Option<Subject> {
        self.for_room.get(class as usize)?.last_key_value().map(|((_, _, subject, ..), _)| *subject)
    }

    /// Everything about `subject` that waits for room, the strongest first; it waits no more.
    pub(crate) fn take_for_room(&mut self, subject: &Subject) -> Vec<Claim> {
        let mut keys = self.keys.remove(subject).unwrap_or_default();
        keys.sort_unstable_by(|one, other| other.cmp(one));
        let Some(waiting) = self.for_room.get_mut(Class::of(subject) as usize) else { return Vec::new() };
        keys.iter().filter_map(|key| waiting.remove(key)).collect()
    }

    /// What is protected no more waits for room from now on.
    pub(crate) fn unprotect(&mut self, is_protected: impl Fn(&Subject) -> bool) {
        let free: Vec<Subject> = self.protected.keys().filter(|subject| !is_protected(subject)).copied().collect();
        for subject in free {
            let claims = self.protected.remove(&subject).unwrap_or_default();
            self.protected_count -= claims.len();
            claims.into_iter().for_each(|claim| self.for_room(claim));
        }
    }

    /// The claims on `subject` that `goes` picks wait no more: they were lifted, withdrawn, or come in.
    pub(crate) fn take_out(&mut self, subject: &Subject, goes: impl Fn(&Claim) -> bool) -> Vec<Claim> {
        let mut gone = Vec::new();
        if let Some(claims) = self.protected.get_mut(subject) {
            gone.extend(claims.extract_if(.., |claim| goes(claim)));
            self.protected_count -= gone.len();
            if claims.is_empty() {
                self.protected.remove(subject);
            }
        }
        let Some(waiting) = self.for_room.get_mut(Class::of(subject) as usize) else { return gone };
        let keys = self.keys.get(subject).into_iter().flatten();
        let picked: Vec<Key> = keys.filter(|key| waiting.get(*key).is_some_and(&goes)).cloned().collect();
        for key in picked {
            gone.extend(waiting.remove(&key));
            forget_key(&mut self.keys, &key);
        }
        gone
    }

    /// What `origin` said is changed while it waits.
    pub(crate) fn change(&mut self, origin: &Origin, change: impl Fn(Claim) -> Claim) {
        let protected = self.protected.values_mut().flatten().filter(|claim| claim.origin == *origin);
        protected.for_each(|claim| *claim = change(claim.clone()));
        let keys = self.keys.values().flatten().filter(|(_, _, _, of, _)| of == origin);
        let subjects: BTreeSet<Subject> = keys.map(|(_, _, subject, ..)| *subject).collect();
        for subject in subjects {
            let places = self.keys.get(&subject).into_iter().flatten().filter(|(_, _, _, of, _)| of == origin);
            for key in places.cloned().collect::<Vec<_>>() {
                let held = self.for_room.get_mut(Class::of(&subject) as usize).and_then(|waiting| waiting.remove(&key));
                forget_key(&mut self.keys, &key);
                held.into_iter().for_each(|held| self.for_room(change(held)));
            }
        }
    }

    fn forget_weakest(&mut self) {
        let weakest = self.for_room.iter_mut().min_by(|one, other| order(one).cmp(&order(other)));
        if let Some((key, _)) = weakest.and_then(BTreeMap::pop_first) {
            self.forget_key(&key);
            self.forgotten = self.forgotten.saturating_add(1);
        }
    }

    fn forget_key(&mut self, key: &Key) {
        forget_key(&mut self.keys, key);
    }
}

/// What one origin says, from what it said before and now: of a peer the last word, of this node never shorter, never lower,
/// but what was over when it spoke again counts no more.
fn united(now: Claim, before: Claim) -> Claim {
    if before.until.is_some_and(|until| until <= now.last) {
        return now;
    }
    if !now.is_local() {
        return if before.last > now.last { before } else { now };
    }
    Claim {
        since: now.since.min(before.since),
        last: now.last.max(before.last),
        until: now.until.zip(before.until).map(|(now, before)| now.max(before)),
        grade: now.grade.max(before.grade),
        scope: now.scope.max(before.scope),
        score: now.score.max(before.score),
        reach: now.reach.max(before.reach),
        ..now
    }
}

fn key(claim: &Claim) -> Key {
    let ends = claim.until.unwrap_or(WallTime::MAX);
    (Rank::of_claim(claim), ends, claim.subject, claim.origin.clone(), claim.reasons)
}

/// By the weakest in it; an empty one comes last.
fn order(waiting: &BTreeMap<Key, Claim>) -> (bool, Option<&Key>) {
    let first = waiting.keys().next();
    (first.is_none(), first)
}

fn forget_key(keys: &mut BTreeMap<Subject, Vec<Key>>, key: &Key) {
    if let Some(of_subject) = keys.get_mut(&key.2) {
        of_subject.retain(|known| known != key);
        if of_subject.is_empty() {
            keys.remove(&key.2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr};
    use honeymesh_types::Grade;

    fn claim(index: u32, grade: Grade) -> Claim {
        let subject = Subject::host(IpAddr::V4(Ipv4Addr::from_bits(index)));
        Claim::local(subject, "here", Reasons::TRAP, grade, WallTime(0), Some(WallTime(u64::from(index) + 1)))
    }

    #[test]
    fn the_strongest_comes_back_first_and_the_weakest_is_forgotten_first() {
        let mut waiting = Waiting::default();
        let most = u32::try_from(WAITING_MAX).unwrap();
        (0..most).for_each(|index| waiting.for_room(claim(index, Grade::Payload)));
        waiting.for_room(claim(most, Grade::Hostile));
        waiting.for_room(claim(most + 1, Grade::Handshake));
        waiting.for_room(claim(most + 2, Grade::Spoofable));
        assert_eq!((waiting.len(), waiting.forgotten(), waiting.keys.len()), (WAITING_MAX, 2, WAITING_MAX));
        let mut next = || waiting.next(Class::Hosts4).map(|subject| waiting.take_for_room(&subject).remove(0));
        let order: Vec<Claim> = core::iter::from_fn(&mut next).take(2).collect();
        assert_eq!(order, [claim(most, Grade::Hostile), claim(most - 1, Grade::Payload)]);
    }

    #[test]
    fn an_origin_has_one_word_and_what_is_lifted_waits_no_more() {
        let mut waiting = Waiting::default();
        waiting.for_room(claim(1, Grade::Payload));
        waiting.for_room(Claim { until: None, ..claim(1, Grade::Payload) });
        waiting.for_end_of_protection(claim(2, Grade::Payload));
        waiting.for_end_of_protection(claim(2, Grade::Hostile));
        assert_eq!(waiting.len(), 2);
        waiting.take_out(&claim(1, Grade::Payload).subject, |_| true);
        assert!(waiting.strongest(Class::Hosts4).is_none() && waiting.keys.is_empty());
        waiting.unprotect(|_| true);
        assert!(waiting.strongest(Class::Hosts4).is_none());
        waiting.unprotect(|_| false);
        assert_eq!(waiting.take_for_room(&claim(2, Grade::Payload).subject).len(), 1);
        assert_eq!(waiting.len(), 0);
    }

    #[test]
    fn those_who_wait_for_the_end_of_a_protection_are_bounded() {
        let mut waiting = Waiting::default();
        let most = u32::try_from(WAITING_PROTECTED_MAX).unwrap();
        (0..=most).for_each(|index| waiting.for_end_of_protection(claim(index, Grade::Payload)));
        assert_eq!((waiting.len(), waiting.forgotten()), (WAITING_PROTECTED_MAX, 1));
    }
}

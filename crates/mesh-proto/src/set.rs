//! The set of records that a cluster agrees on: a CRDT, so that order, repetition and loss do not matter.
//!
//! Each (subject, origin, kind) is a slot in which the last writer wins, by time and then by id; pages of touches have a slot for
//! each page of an origin instead. An unban covers every
//! ban of exactly its subject that was said up to the end of its millisecond, whoever said it: a node that has heard
//! of an unban says nothing in that millisecond any more, so that only who has not heard of it can lose by that. What is superseded or covered leaves the set at
//! once, on every node alike; what is over leaves at its own time. Each origin keeps its newest bans and its newest
//! unbans up to a quota and the whole keeps its newest records up to a total: both are functions of the set alone, so
//! that nodes that have heard the same things hold the same set.

mod tallies;

use crate::{
    Hlc, Limits, RecordId, Said, Signed,
    cluster::ClusterTag,
    frame::{Prefix, Stub, Tally},
    limits::{GRACE, TOUCH_PAGES_MAX},
    sketch::{Hasher, Sketch, Symbol},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::net::{IpAddr, Ipv4Addr};
use honeymesh_types::{NodeId, Subject, WallTime};
use tallies::Tallies;

/// The most records that [`Set::expire`] removes at once.
const EXPIRE_MAX: usize = 4_096;

/// Bans, unbans and pages of touches have slots and quotas of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ban,
    Unban,
    /// A page of touches. Which one is in the place of the subject, since it is about many.
    Touches(u64),
}

impl Kind {
    /// The kinds that share a quota are the same here.
    const fn share(self) -> Self {
        match self {
            Self::Touches(_) => Self::Touches(0),
            one => one,
        }
    }
}

type Slot = (Subject, Kind, NodeId);
type Age = (Hlc, RecordId);

/// In the place of the subject, where pages are told apart by their number.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// No share of an origin is behind this one.
const LAST_SHARE: Kind = Kind::Touches(0);

/// What the set remembers of a record: its bytes, and what it would have to be read again for.
struct Entry {
    raw: Arc<[u8]>,
    slot: Slot,
    at: Hlc,
    leaves: WallTime,
}

/// What goes first when the set is full. An unban ranks behind every ban that it covers: if it went before them, they
/// would come back on one node and stay away on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    wall: WallTime,
    kind: Kind,
    age: Age,
}

impl Rank {
    const fn of(kind: Kind, age: Age) -> Self {
        Self { wall: age.0.wall(), kind, age }
    }
}

/// What became of a record that was offered to the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is in the set now.
    Entered {
        /// It took the place of a record of the same slot.
        replaced: bool,
        /// How many others had to leave because a quota was full.
        evicted: u32,
    },
    /// It was in the set already.
    Known,
    /// Something newer was said already.
    Superseded,
    /// It is older than everything that a full quota keeps.
    Quota,
}

/// The set of records of one cluster.
pub(crate) struct Set {
    records: BTreeMap<RecordId, Entry>,
    slots: BTreeMap<Slot, Age>,
    origins: BTreeMap<(NodeId, Kind), BTreeSet<Age>>,
    /// By when they leave the set.
    ends: BTreeSet<(WallTime, RecordId)>,
    tallies: Tallies,
    sketch: Sketch,
    origin_max: usize,
    total_max: usize,
}

impl Set {
    pub(crate) fn new(cluster: ClusterTag, limits: &Limits) -> Self {
        Self {
            records: BTreeMap::new(),
            slots: BTreeMap::new(),
            origins: BTreeMap::new(),
            ends: BTreeSet::new(),
            tallies: Tallies::new(cluster),
            sketch: Sketch::new(cluster),
            origin_max: limits.origin_records_max.max(1),
            total_max: limits.records_max.max(1),
        }
    }

    pub(crate) fn contains(&self, id: &RecordId) -> bool {
        self.records.contains_key(id)
    }

    /// A record's bytes.
    pub(crate) fn raw(&self, id: &RecordId) -> Option<&Arc<[u8]>> {
        self.records.get(id).map(|entry| &entry.raw)
    }

    /// Is a record in the set whose id begins so?
    pub(crate) fn contains_stub(&self, stub: Stub) -> bool {
        let (first, last) = stub.range();
        self.between(first, last, WallTime(0)).next().is_some()
    }

    /// Would this record enter? Cheap, so that it can be asked before the signature is verified.
    pub(crate) fn consider(&self, signed: &Signed) -> Result<(), Offer> {
        let (slot, age) = (slot(signed), (signed.record.at, signed.id()));
        if self.contains(&age.1) {
            return Err(Offer::Known);
        }
        if slot.1 == Kind::Ban && self.lifted_until(&signed.record.subject).is_some_and(|lifted| age.0.wall() <= lifted) {
            return Err(Offer::Superseded);
        }
        match self.slots.get(&slot) {
            Some(current) if *current > age => Err(Offer::Superseded),
            Some(_) => Ok(()),
            None if self.is_beyond_quota(&slot, age) => Err(Offer::Quota),
            None => Ok(()),
        }
    }

    /// Offers a verified record to the set.
    pub(crate) fn offer(&mut self, signed: &Signed) -> Offer {
        if let Err(refused) = self.consider(signed) {
            return refused;
        }
        let slot = slot(signed);
        let replaced = self.slots.get(&slot).copied().map(|age| self.remove(&age.1)).is_some();
        if slot.1 == Kind::Unban {
            self.lift(&signed.record.subject, signed.record.at.wall());
        }
        self.insert(signed, slot);
        Offer::Entered { replaced, evicted: self.enforce_quota(&slot) }
    }

    /// How long this origin's ban of a subject would hold if nobody replaced it: a ban that replaces it keeps the
    /// slot until then, so that no late copy of the older one comes back.
    pub(crate) fn slot_held_until(&self, subject: &Subject, origin: NodeId) -> Option<WallTime> {
        let age = self.slots.get(&(*subject, Kind::Ban, origin))?;
        self.records.get(&age.1).map(|entry| entry.leaves)
    }

    /// The records about exactly this subject, bans by origin, then unbans by origin.
    pub(crate) fn about(&self, subject: &Subject) -> impl Iterator<Item = &Arc<[u8]>> {
        let (first, last) = ((*subject, Kind::Ban, NodeId([0; 32])), (*subject, Kind::Unban, NodeId([0xff; 32])));
        self.slots.range(first..=last).filter_map(|(_, age)| self.records.get(&age.1)).map(|entry| &entry.raw)
    }

    /// What one origin says, bans first.
    pub(crate) fn of_origin(&self, origin: NodeId) -> impl Iterator<Item = &Arc<[u8]>> {
        let ages = self.origins.range((origin, Kind::Ban)..=(origin, LAST_SHARE)).flat_map(|(_, ages)| ages);
        ages.filter_map(|(_, id)| self.records.get(id)).map(|entry| &entry.raw)
    }

    /// Removes everything that one origin said.
    pub(crate) fn remove_origin(&mut self, origin: NodeId) {
        let shares = self.origins.range((origin, Kind::Ban)..=(origin, LAST_SHARE));
        let ids: Vec<RecordId> = shares.flat_map(|(_, ages)| ages.iter().map(|(_, id)| *id)).collect();
        ids.iter().for_each(|id| self.remove(id));
    }

    /// Removes what has left the set, and the grace with it. Bounded: what is left over goes next time.
    pub(crate) fn expire(&mut self, now: WallTime) {
        for _ in 0..EXPIRE_MAX {
            match self.ends.first() {
                Some((leaves, id)) if leaves.plus(GRACE) <= now => {
                    let id = *id;
                    self.remove(&id);
                }
                _ => return,
            }
        }
    }

    /// How many records have not left the set at `horizon`.
    pub(crate) fn count(&self, horizon: WallTime) -> usize {
        self.records.len() - self.gone(horizon).count()
    }

    /// What the records add up to that have not left the set at `horizon`.
    pub(crate) fn fingerprint(&self, horizon: WallTime) -> u128 {
        self.gone(horizon).fold(self.tallies.total(), |sum, id| sum.wrapping_sub(self.tallies.print(id)))
    }

    /// The first `len` symbols of a sketch of the records that have not left the set at `horizon`.
    pub(crate) fn symbols(&self, len: usize, horizon: WallTime) -> Vec<Symbol> {
        self.sketch.without(len, self.gone(horizon))
    }

    /// How sketches of this cluster are read.
    pub(crate) const fn hasher(&self) -> Hasher {
        self.sketch.hasher()
    }

    /// What the records below `prefix` add up to.
    pub(crate) fn tally(&self, prefix: Prefix, horizon: WallTime) -> Tally {
        if prefix == Prefix::ROOT {
            let count = u32::try_from(self.count(horizon)).unwrap_or(u32::MAX);
            return Tally { count, sum: tallies::short(self.fingerprint(horizon)) };
        }
        self.below(prefix, horizon).fold(Tally::default(), |tally, (id, _)| self.tallies.add(tally, id))
    }

    /// What the records below each child of `prefix` add up to.
    pub(crate) fn children(&self, prefix: Prefix, horizon: WallTime) -> [Tally; crate::frame::FANOUT] {
        if let Some(mut children) = self.tallies.children(prefix) {
            for id in self.gone(horizon).filter(|id| prefix.covers(id.short())) {
                self.tallies.subtract(&mut children[prefix.child_of(id.short())], id);
            }
            return children;
        }
        let mut children = [Tally::default(); crate::frame::FANOUT];
        for (id, _) in self.below(prefix, horizon) {
            let child = &mut children[prefix.child_of(id.short())];
            *child = self.tallies.add(*child, id);
        }
        children
    }

    /// The records below `prefix` in order of their ids.
    pub(crate) fn below(&self, prefix: Prefix, horizon: WallTime) -> impl Iterator<Item = (&RecordId, &Arc<[u8]>)> {
        let range = prefix.range();
        self.between(*range.start(), *range.end(), horizon)
    }

    /// The records between two short ids, both included.
    pub(crate) fn between(&self, first: u64, last: u64, horizon: WallTime) -> impl Iterator<Item = (&RecordId, &Arc<[u8]>)> {
        let range = RecordId::first(first)..=RecordId::last(last);
        self.records.range(range).filter(move |(_, entry)| entry.leaves > horizon).map(|(id, entry)| (id, &entry.raw))
    }

    /// The ids that begin so.
    pub(crate) fn of_stub(&self, stub: Stub) -> impl Iterator<Item = RecordId> {
        let (first, last) = stub.range();
        self.between(first, last, WallTime(0)).map(|(id, _)| *id)
    }

    /// The records that have left the set at `horizon`, but not the memory.
    fn gone(&self, horizon: WallTime) -> impl Iterator<Item = &RecordId> {
        self.ends.range(..=(horizon, RecordId([0xff; 32]))).map(|(_, id)| id)
    }

    /// The millisecond of the newest unban of a subject: bans up to its end are lifted.
    fn lifted_until(&self, subject: &Subject) -> Option<WallTime> {
        let (first, last) = ((*subject, Kind::Unban, NodeId([0; 32])), (*subject, Kind::Unban, NodeId([0xff; 32])));
        self.slots.range(first..=last).map(|(_, age)| age.0.wall()).max()
    }

    /// Removes the bans that an unban covers.
    fn lift(&mut self, subject: &Subject, until: WallTime) {
        let (first, last) = ((*subject, Kind::Ban, NodeId([0; 32])), (*subject, Kind::Ban, NodeId([0xff; 32])));
        let covered = self.slots.range(first..=last).filter(|(_, age)| age.0.wall() <= until);
        let ids: Vec<RecordId> = covered.map(|(_, age)| age.1).collect();
        for id in ids {
            self.remove(&id);
        }
    }

    fn insert(&mut self, signed: &Signed, slot: Slot) {
        let (id, at, leaves) = (signed.id(), signed.record.at, signed.record.leaves());
        self.slots.insert(slot, (at, id));
        self.origins.entry((slot.2, slot.1.share())).or_default().insert((at, id));
        self.ends.insert((leaves, id));
        self.tallies.insert(&id);
        self.sketch.insert(&id);
        self.records.insert(id, Entry { raw: signed.raw.clone(), slot, at, leaves });
    }

    fn remove(&mut self, id: &RecordId) {
        let Some(Entry { slot, at, leaves, .. }) = self.records.remove(id) else { return };
        self.slots.remove(&slot);
        self.ends.remove(&(leaves, *id));
        self.tallies.remove(id);
        self.sketch.remove(id);
        let share = (slot.2, slot.1.share());
        if let Some(ages) = self.origins.get_mut(&share) {
            ages.remove(&(at, *id));
            if ages.is_empty() {
                self.origins.remove(&share);
            }
        }
    }

    /// Is a newcomer older than everything that a full quota keeps?
    fn is_beyond_quota(&self, slot: &Slot, age: Age) -> bool {
        let share = self.origins.get(&(slot.2, slot.1.share()));
        let is_share_full = share.is_some_and(|ages| ages.len() >= self.share_max(slot.1) && ages.first() > Some(&age));
        is_share_full || (self.records.len() >= self.total_max && self.oldest() > Some(Rank::of(slot.1.share(), age)))
    }

    const fn share_max(&self, kind: Kind) -> usize {
        match kind {
            Kind::Ban | Kind::Unban => self.origin_max,
            Kind::Touches(_) => TOUCH_PAGES_MAX,
        }
    }

    /// Removes what is over a quota, oldest first.
    fn enforce_quota(&mut self, slot: &Slot) -> u32 {
        let mut evicted = 0;
        if let Some(ages) = self.origins.get(&(slot.2, slot.1.share())).filter(|ages| ages.len() > self.share_max(slot.1))
            && let Some((_, id)) = ages.first().copied()
        {
            self.remove(&id);
            evicted += 1;
        }
        while self.records.len() > self.total_max
            && let Some(oldest) = self.oldest()
        {
            self.remove(&oldest.age.1);
            evicted += 1;
        }
        evicted
    }

    /// The oldest record of all. Linear in the number of origins; asked for only when the set is full.
    fn oldest(&self) -> Option<Rank> {
        self.origins.iter().filter_map(|((_, kind), ages)| Some(Rank::of(*kind, *ages.first()?))).min()
    }
}

fn slot(signed: &Signed) -> Slot {
    let (subject, origin) = (signed.record.subject, signed.record.origin);
    match signed.record.said {
        Said::Ban { .. } => (subject, Kind::Ban, origin),
        Said::Unban => (subject, Kind::Unban, origin),
        Said::Touches { page, .. } => (Subject::host(NOBODY), Kind::Touches(page), origin),
    }
}

#[cfg(test)]
mod tests;

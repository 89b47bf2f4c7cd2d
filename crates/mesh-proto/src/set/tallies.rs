//! Sums of fingerprints, kept current for the two upper levels of the hash trie.

use crate::{
    RecordId,
    cluster::ClusterTag,
    frame::{FANOUT, Prefix, Tally},
};
use alloc::collections::BTreeMap;

/// Bits of an id that choose a bucket: two levels of the trie.
const BUCKET_BITS: u32 = 12;

/// Sums of fingerprints. A fingerprint is a keyed hash of a record's id, so that sets of different clusters never
/// compare equal; the key is no secret among the members of one cluster.
pub(super) struct Tallies {
    key: [u8; 32],
    total: u128,
    buckets: BTreeMap<u16, Tally>,
}

impl Tallies {
    pub(super) fn new(cluster: ClusterTag) -> Self {
        let key = blake3::derive_key("honeymesh 2026 mesh set fingerprint v1", &cluster.0);
        Self { key, total: 0, buckets: BTreeMap::new() }
    }

    /// A record's fingerprint.
    pub(super) fn print(&self, id: &RecordId) -> u128 {
        let hash = blake3::keyed_hash(&self.key, &id.0);
        hash.as_bytes().first_chunk().map_or(0, |head| u128::from_be_bytes(*head))
    }

    pub(super) const fn total(&self) -> u128 {
        self.total
    }

    pub(super) fn insert(&mut self, id: &RecordId) {
        let print = self.print(id);
        self.total = self.total.wrapping_add(print);
        let tally = self.buckets.entry(bucket(id)).or_default();
        *tally = Tally { count: tally.count.saturating_add(1), sum: tally.sum.wrapping_add(short(print)) };
    }

    pub(super) fn remove(&mut self, id: &RecordId) {
        let print = self.print(id);
        self.total = self.total.wrapping_sub(print);
        if let Some(tally) = self.buckets.get_mut(&bucket(id)) {
            *tally = Tally { count: tally.count.saturating_sub(1), sum: tally.sum.wrapping_sub(short(print)) };
            if tally.count == 0 {
                self.buckets.remove(&bucket(id));
            }
        }
    }

    /// A tally with one more record.
    pub(super) fn add(&self, tally: Tally, id: &RecordId) -> Tally {
        Tally { count: tally.count.saturating_add(1), sum: tally.sum.wrapping_add(short(self.print(id))) }
    }

    /// A tally with one record less.
    pub(super) fn subtract(&self, tally: &mut Tally, id: &RecordId) {
        tally.count = tally.count.saturating_sub(1);
        tally.sum = tally.sum.wrapping_sub(short(self.print(id)));
    }

    /// The tallies of the children of `prefix`, if it is one of those that are kept current.
    pub(super) fn children(&self, prefix: Prefix) -> Option<[Tally; FANOUT]> {
        if u32::from(prefix.len()) >= BUCKET_BITS {
            return None;
        }
        let (first, last) = (prefix.range().start() >> (64 - BUCKET_BITS), prefix.range().end() >> (64 - BUCKET_BITS));
        let buckets = u16::try_from(first).ok()?..=u16::try_from(last).ok()?;
        let mut children = [Tally::default(); FANOUT];
        for (bucket, tally) in self.buckets.range(buckets) {
            let child = &mut children[prefix.child_of(u64::from(*bucket) << (64 - BUCKET_BITS))];
            child.count = child.count.saturating_add(tally.count);
            child.sum = child.sum.wrapping_add(tally.sum);
        }
        Some(children)
    }
}

/// The half of a fingerprint, or of a sum of them, that tallies carry.
pub(super) const fn short(print: u128) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
    (print as u64)
}

fn bucket(id: &RecordId) -> u16 {
    u16::from_be_bytes([id.0[0], id.0[1]]) >> (u16::BITS - BUCKET_BITS)
}

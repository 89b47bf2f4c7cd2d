//! Parts of the space of record ids: the nodes of the hash trie.

use crate::RecordId;
use core::ops::RangeInclusive;
use serde::{Deserialize, Serialize};

/// Children of a node of the trie.
pub(crate) const FANOUT: usize = 64;
/// Bits of an id that choose a child.
const STEP_BITS: u8 = 6;
/// The deepest node: below it, ids are listed however many they are.
const LEN_MAX: u8 = 60;

/// All ids that begin with these bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Prefix {
    bits: u64,
    len: u8,
}

impl Prefix {
    /// All ids.
    pub(crate) const ROOT: Self = Self { bits: 0, len: 0 };

    /// Bits that are fixed.
    pub(crate) const fn len(self) -> u8 {
        self.len
    }

    /// Is it a node of the trie? Anything may come from the wire.
    pub(crate) const fn is_valid(self) -> bool {
        self.len <= LEN_MAX && self.len.is_multiple_of(STEP_BITS) && self.bits & self.free() == 0
    }

    /// Has it children?
    pub(crate) const fn is_inner(self) -> bool {
        self.len < LEN_MAX
    }

    /// The child of that number.
    pub(crate) const fn child(self, number: usize) -> Self {
        let len = self.len + STEP_BITS;
        Self { bits: self.bits | ((number as u64) << (64 - len)), len }
    }

    /// Which child an id below this prefix belongs to.
    pub(crate) const fn child_of(self, id: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "masked to six bits")]
        ((id >> (64 - self.len - STEP_BITS)) as usize & (FANOUT - 1))
    }

    /// Does the id begin with it?
    pub(crate) const fn covers(self, id: u64) -> bool {
        id & !self.free() == self.bits
    }

    /// Its first and last id, as short ones.
    pub(crate) const fn range(self) -> RangeInclusive<u64> {
        self.bits..=self.bits | self.free()
    }

    const fn free(self) -> u64 {
        match u64::MAX.checked_shr(self.len as u32) {
            Some(free) => free,
            None => 0,
        }
    }
}

/// The first 48 bits of a record's id: what lists of ids carry. Two records of one cluster hardly ever share them, and
/// if they do, repair reads the whole leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stub(u64);

impl Stub {
    /// Bytes on the wire.
    pub(crate) const BYTES: usize = 6;
    /// The first and the last there can be.
    pub(crate) const MIN: Self = Self(0);
    pub(crate) const MAX: Self = Self(u64::MAX);
    /// Bits of a short id that are left out.
    const FREE: u32 = 16;

    /// The stub of a short id.
    pub(crate) const fn of(short: u64) -> Self {
        Self(short >> Self::FREE)
    }

    /// As a number of 48 bits.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// The stub of that number, if it has at most 48 bits.
    pub(crate) const fn of_number(number: u64) -> Option<Self> {
        if number >> (u64::BITS - Self::FREE) == 0 { Some(Self(number)) } else { None }
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [a, b, c, d, e, f] = bytes;
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    pub(crate) const fn to_bytes(self) -> [u8; Self::BYTES] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// The first and the last short id that it may stand for.
    pub(crate) const fn range(self) -> (u64, u64) {
        (self.0 << Self::FREE, self.0 << Self::FREE | ((1 << Self::FREE) - 1))
    }
}

impl RecordId {
    /// Its first 64 bits: what the trie and cursors use.
    pub(crate) fn short(&self) -> u64 {
        self.0.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
    }

    /// Its first 48 bits.
    pub(crate) fn stub(&self) -> Stub {
        Stub::of(self.short())
    }

    /// The first id with these 64 bits.
    pub(crate) fn first(short: u64) -> Self {
        Self::filled(short, 0)
    }

    /// The last id with these 64 bits.
    pub(crate) fn last(short: u64) -> Self {
        Self::filled(short, 0xff)
    }

    fn filled(short: u64, fill: u8) -> Self {
        let mut id = [fill; 32];
        id[..8].copy_from_slice(&short.to_be_bytes());
        Self(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_divide_their_parent() {
        let mut prefix = Prefix::ROOT;
        let id = 0x0123_4567_89ab_cdef;
        while prefix.is_inner() {
            let number = prefix.child_of(id);
            let owners = (0..FANOUT).filter(|n| prefix.child(*n).covers(id)).count();
            assert_eq!(owners, 1, "{prefix:?}");
            prefix = prefix.child(number);
            assert!(prefix.covers(id) && prefix.range().contains(&id) && prefix.is_valid());
        }
        assert_eq!(prefix.len(), LEN_MAX);
    }

    #[test]
    fn what_is_no_node_is_known() {
        assert!(Prefix::ROOT.is_valid());
        for prefix in [Prefix { bits: 1, len: 6 }, Prefix { bits: 0, len: 7 }, Prefix { bits: 0, len: 66 }] {
            assert!(!prefix.is_valid(), "{prefix:?}");
        }
    }

    #[test]
    fn a_stub_stands_for_its_ids() {
        let stub = Stub::of(0x0123_4567_89ab_cdef);
        assert_eq!(Stub::from_bytes(stub.to_bytes()), stub);
        assert_eq!(stub.range(), (0x0123_4567_89ab_0000, 0x0123_4567_89ab_ffff));
        assert_eq!(Stub::of(u64::MAX).range().1, u64::MAX);
    }

    #[test]
    fn the_root_is_everything() {
        assert_eq!(Prefix::ROOT.range(), 0..=u64::MAX);
        assert!(Prefix::ROOT.covers(u64::MAX));
    }
}

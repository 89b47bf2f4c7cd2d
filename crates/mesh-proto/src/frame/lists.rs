//! Lists inside messages: byte strings that are read piece by piece.

use super::{Bytes, FANOUT, LIST_BYTES_MAX, Stub};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What a set, or a part of it, adds up to: how many records, and a sum of their fingerprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    pub(crate) sum: u64,
}

/// Items (records, members) one after the other, each behind its length in two bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Records<'a>(#[serde(borrow)] pub(crate) Bytes<'a>);

impl<'a> Records<'a> {
    /// The items, up to the first one that is cut short.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0.0;
        core::iter::from_fn(move || {
            let (len, tail) = rest.split_first_chunk::<2>()?;
            let (item, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            rest = tail;
            Some(item)
        })
    }
}

/// Packs items until a list is full.
#[derive(Debug)]
pub(crate) struct Packer {
    list: Vec<u8>,
    room: usize,
}

impl Default for Packer {
    fn default() -> Self {
        Self::with_room(LIST_BYTES_MAX)
    }
}

impl Packer {
    /// An empty list that may weigh so much.
    pub(crate) const fn with_room(room: usize) -> Self {
        Self { list: Vec::new(), room }
    }

    /// Adds an item; false if there is no room, and nothing changed.
    pub(crate) fn push(&mut self, item: &[u8]) -> bool {
        let Ok(len) = u16::try_from(item.len()) else { return false };
        if self.list.len() + 2 + item.len() > self.room {
            return false;
        }
        self.list.extend_from_slice(&len.to_be_bytes());
        self.list.extend_from_slice(item);
        true
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The list so far.
    pub(crate) fn list(&self) -> Records<'_> {
        Records(Bytes(&self.list))
    }
}

/// The tallies of the [`FANOUT`] children of a node of the trie.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Children<'a>(#[serde(borrow)] pub(crate) Bytes<'a>);

/// Bytes of one child's tally.
const TALLY_BYTES: usize = 12;
const _: () = assert!(FANOUT * TALLY_BYTES <= LIST_BYTES_MAX);

impl Children<'_> {
    /// The tallies as bytes.
    pub(crate) fn pack(tallies: &[Tally; FANOUT]) -> Vec<u8> {
        tallies.iter().flat_map(|t| t.count.to_be_bytes().into_iter().chain(t.sum.to_be_bytes())).collect()
    }

    /// The tallies in order of the children; fewer than [`FANOUT`] if the list was cut short.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Tally> + '_ {
        self.0.0.chunks_exact(TALLY_BYTES).take(FANOUT).filter_map(|bytes| {
            let (count, sum) = bytes.split_first_chunk()?;
            Some(Tally { count: u32::from_be_bytes(*count), sum: u64::from_be_bytes(*sum.first_chunk()?) })
        })
    }
}

/// Stubs of record ids.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ids<'a>(#[serde(borrow)] pub(crate) Bytes<'a>);

/// The most stubs in one list.
pub(crate) const IDS_MAX: usize = 192;
const _: () = assert!(IDS_MAX * Stub::BYTES <= LIST_BYTES_MAX);

impl Ids<'_> {
    /// Stubs as bytes.
    pub(crate) fn pack(ids: impl Iterator<Item = Stub>) -> Vec<u8> {
        ids.flat_map(Stub::to_bytes).collect()
    }

    /// The stubs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Stub> + '_ {
        self.0.0.chunks_exact(Stub::BYTES).filter_map(|bytes| bytes.first_chunk().map(|id| Stub::from_bytes(*id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_as_they_went_in() {
        let mut packer = Packer::default();
        assert!(packer.is_empty());
        for item in [&b"one"[..], b"", b"three"] {
            assert!(packer.push(item));
        }
        assert_eq!(packer.list().iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn a_full_list_takes_no_more_and_a_cut_one_ends_early() {
        let mut packer = Packer::default();
        while packer.push(&[7; 100]) {}
        let list = packer.list();
        assert_eq!(list.iter().count(), LIST_BYTES_MAX / 102);
        assert_eq!(Records(Bytes(&list.0.0[..150])).iter().count(), 1);
        assert_eq!(Records(Bytes(&[0xff, 0xff, 1])).iter().count(), 0);
    }

    #[test]
    fn tallies_and_ids_survive_packing() {
        let mut tallies = [Tally::default(); FANOUT];
        tallies[3] = Tally { count: 9, sum: u64::MAX };
        let packed = Children::pack(&tallies);
        assert!(Children(Bytes(&packed)).iter().eq(tallies));
        let stubs = [1 << 20, u64::MAX].map(Stub::of);
        let ids = Ids::pack(stubs.into_iter());
        assert!(Ids(Bytes(&ids)).iter().eq(stubs));
    }
}

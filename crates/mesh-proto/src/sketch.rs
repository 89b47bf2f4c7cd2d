//! Sketches: so many coded symbols tell in what two sets differ, if that is less, however large the sets are.
//!
//! A rateless invertible Bloom lookup table (Yang, Gilad, Alizadeh: *Practical Rateless Set Reconciliation*, SIGCOMM 2024).
//! Every id is in symbol 0 and, with a probability of 2/(n + 2), in symbol n, chosen by a keyed hash of the id. The symbols
//! of two sets are subtracted: what both have vanishes, a symbol with one id left gives it away, and taking that one out of
//! its other symbols uncovers more. Any prefix of the symbols is a sketch, so a longer one only needs the rest.
//!
//! About three symbols for every two ids are enough; how many exactly is a matter of luck, and so that it never is one of
//! correctness, whoever gets nothing out of a sketch walks the trie. Both hash and choice are keyed by the cluster: nobody
//! outside can aim, and a member that aims costs its peers a walk.

mod growth;
mod symbols;

pub(crate) use growth::{Growth, Told};
pub(crate) use symbols::{SYMBOLS_SENT, Symbols};

use crate::{RecordId, cluster::ClusterTag, frame::Stub};
use alloc::{vec, vec::Vec};

/// Symbols that are kept current: enough for 600 differences.
pub(crate) const SYMBOLS_KEPT: usize = 12 * SYMBOLS_SENT;
/// Bits of a stub's hash that a symbol carries.
const CHECK_BITS: u32 = 48;

/// What some ids add up to: a sum of the ids, one of their hashes, and how many they are (modulo 2^16: between two sets
/// that differ in less than that the difference is exact).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Symbol {
    sum: u64,
    check: u64,
    count: u16,
}

/// How ids are hashed in one cluster.
#[derive(Clone, Copy)]
pub(crate) struct Hasher([u8; 32]);

/// An id, and what is drawn from its hash.
#[derive(Clone, Copy)]
struct Item {
    stub: Stub,
    check: u64,
    draw: u64,
}

/// The symbols of a set, kept current.
pub(crate) struct Sketch {
    hasher: Hasher,
    symbols: Vec<Symbol>,
}

/// In what two sets differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// What only we have.
    pub(crate) ours: Vec<Stub>,
    /// What only they have.
    pub(crate) theirs: Vec<Stub>,
}

impl Difference {
    pub(crate) const fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.theirs.is_empty()
    }
}

impl Sketch {
    pub(crate) fn new(cluster: ClusterTag) -> Self {
        let hasher = Hasher(blake3::derive_key("honeymesh 2026 mesh sketch v1", &cluster.0));
        Self { hasher, symbols: vec![Symbol::default(); SYMBOLS_KEPT] }
    }

    pub(crate) fn insert(&mut self, id: &RecordId) {
        self.hasher.item(id.stub()).add(&mut self.symbols, 1);
    }

    pub(crate) fn remove(&mut self, id: &RecordId) {
        self.hasher.item(id.stub()).add(&mut self.symbols, u16::MAX);
    }

    /// The first `len` symbols, without some of the ids that are in them.
    pub(crate) fn without<'a>(&self, len: usize, ids: impl Iterator<Item = &'a RecordId>) -> Vec<Symbol> {
        let mut symbols = self.symbols.get(..len.min(SYMBOLS_KEPT)).unwrap_or_default().to_vec();
        for id in ids {
            self.hasher.item(id.stub()).add(&mut symbols, u16::MAX);
        }
        symbols
    }

    pub(crate) const fn hasher(&self) -> Hasher {
        self.hasher
    }
}

impl Hasher {
    fn item(self, stub: Stub) -> Item {
        let hash = blake3::keyed_hash(&self.0, &stub.to_bytes());
        let word =
            |at: usize| hash.as_bytes().get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_be_bytes(*word));
        Item { stub, check: word(0) >> (u64::BITS - CHECK_BITS), draw: word(8) }
    }

    /// In what two sets differ, by as many of their symbols as there are of both; `None` if those do not tell. Takes out at
    /// most as many ids as there are symbols, whatever is in them.
    pub(crate) fn difference(self, ours: &[Symbol], theirs: &[Symbol]) -> Option<Difference> {
        let mut left: Vec<Symbol> = ours.iter().zip(theirs).map(|(ours, theirs)| ours.minus(theirs)).collect();
        let mut found = Difference::default();
        let mut alone: Vec<usize> = (0..left.len()).collect();
        while let Some(at) = alone.pop() {
            let Some((item, count)) = left.get(at).and_then(|symbol| self.alone_in(symbol)) else { continue };
            let side = if count == 1 { &mut found.ours } else { &mut found.theirs };
            side.push(item.stub);
            if found.ours.len() + found.theirs.len() > left.len() {
                return None;
            }
            item.add(&mut left, count.wrapping_neg());
            alone.extend(item.places(left.len()));
        }
        left.iter().all(|symbol| *symbol == Symbol::default()).then_some(found)
    }

    /// The only id in a symbol, and on which side it is.
    fn alone_in(self, symbol: &Symbol) -> Option<(Item, u16)> {
        if symbol.count != 1 && symbol.count != u16::MAX {
            return None;
        }
        let item = self.item(Stub::of_number(symbol.sum)?);
        (item.check == symbol.check).then_some((item, symbol.count))
    }
}

impl Symbol {
    const fn minus(&self, other: &Self) -> Self {
        Self { sum: self.sum ^ other.sum, check: self.check ^ other.check, count: self.count.wrapping_sub(other.count) }
    }
}

impl Item {
    fn add(&self, symbols: &mut [Symbol], count: u16) {
        for place in self.places(symbols.len()) {
            if let Some(symbol) = symbols.get_mut(place) {
                symbol.sum ^= self.stub.number();
                symbol.check ^= self.check;
                symbol.count = symbol.count.wrapping_add(count);
            }
        }
    }

    /// The symbols below `len` that the id is in, in order. From symbol `i` on, the next one is beyond `j` with the
    /// probability (i + 1)(i + 2) / (j + 1)(j + 2), the product of all n/(n + 2) between: so it follows from one draw.
    fn places(&self, len: usize) -> impl Iterator<Item = usize> + use<> {
        let (mut place, mut state) = (0_u64, self.draw);
        core::iter::from_fn(move || {
            let here = usize::try_from(place).ok().filter(|here| *here < len)?;
            state = mixed(state);
            // From 1 to 2^32; the place is below a few thousand, so nothing overflows.
            let draw = (state >> 32) + 1;
            let wanted = (((place + 1) * (place + 2)) << 32).div_ceil(draw);
            let mut next = wanted.isqrt().saturating_sub(2).max(place + 1);
            // At most three steps: the root is that near.
            while (next + 1).saturating_mul(next + 2) < wanted {
                next += 1;
            }
            place = next;
            Some(here)
        })
    }
}

/// The next state of a `SplitMix64` generator, and its output at once.
const fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}

#[cfg(test)]
mod tests;

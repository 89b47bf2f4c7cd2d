//! What a value takes of Redis' memory, as `MEMORY USAGE` reckons it (`objectComputeSize` of `object.c`) on a 64-bit Debian with jemalloc.
//!
//! Told for values as they came in: what a text, a table or an allocation has to spare after it was changed is not known here.

use super::{List, PIECE_BYTES_MAX, Set, Sorted, Text, Value, packed};
use crate::redis::data::{
    number::{integer, text_of},
    order::{Order, Places, hash},
};

/// Octets of what stands before each value, and of an entry of a table (`robj`, `dictEntry`).
const OBJECT: usize = 16;
const ENTRY: usize = 24;
/// Octets of a table besides its places, of one place, and the fewest places (`dict`).
const TABLE: usize = 56;
const PLACE: usize = 8;
const PLACES_MIN: usize = 4;
/// Octets of a sorted set's two parts and of its list's beginning, and of a member of that besides its levels, and of a level
/// (`zset`, `zskiplist`, `zskiplistNode`).
const SORTED: usize = 16 + 32;
const SORTED_HEAD: usize = NODE + LEVELS_MAX * LEVEL;
const NODE: usize = 24;
const LEVEL: usize = 16;
const LEVELS_MAX: usize = 32;
/// Octets of a chain, and of a piece of it besides what it packs (`quicklist`, `quicklistNode`).
const CHAIN: usize = 40;
const PIECE: usize = 40;
/// Octets of a pack besides what is in it (`listpack.c`), and of a set of numbers (`intset.c`).
const PACK: usize = 7;
const NUMBERS: usize = 8;
/// The largest piece that the allocator gives in steps of sixteen octets; above it has four sizes from one power of two to the next.
const STEPS_BYTES_MAX: usize = 128;

/// What the allocator gives for so many octets.
const fn given(bytes: usize) -> usize {
    match bytes {
        0..=8 => 8,
        9..=STEPS_BYTES_MAX => bytes.next_multiple_of(16),
        _ => bytes.next_multiple_of((1 << (bytes - 1).ilog2()) / 4),
    }
}

/// What a text of so many octets takes by itself (`sds.c`).
const fn text(bytes: usize) -> usize {
    let head = match bytes {
        0..=31 => 1,
        32..=255 => 3,
        _ => 5,
    };
    given(head + bytes + 1)
}

/// What a key takes besides its value.
pub(in super::super::super) const fn of_key(key: &[u8]) -> usize {
    ENTRY + text(key.len())
}

/// A table of so many, the first of which take these octets.
fn table(all: usize, parts: impl Iterator<Item = usize>, samples: usize) -> usize {
    TABLE + PLACE * all.next_power_of_two().max(PLACES_MIN) + extended(all, parts, samples)
}

/// What all take if the others are as these first ones on the average.
fn extended(all: usize, parts: impl Iterator<Item = usize>, samples: usize) -> usize {
    let (count, bytes) = parts.take(samples).fold((0, 0), |(count, bytes), part| (count + 1, bytes + part));
    (bytes * all).checked_div(count).unwrap_or_default()
}

impl Text {
    fn weight(&self) -> usize {
        match self.encoding() {
            "int" => OBJECT,
            // It stands in one piece with its object.
            "embstr" => given(OBJECT + 3 + self.bytes.len() + 1),
            _ => OBJECT + text(self.bytes.len()),
        }
    }
}

impl List {
    fn weight(&self, samples: usize) -> usize {
        if !self.is_chained {
            return OBJECT + given(PACK + self.packed);
        }
        let sampled = self.pieces().take(samples);
        let (values, bytes) = sampled.fold((0, 0), |sum, (values, bytes)| (sum.0 + values, sum.1 + PIECE + given(PACK + bytes)));
        OBJECT + CHAIN + (bytes * self.len()).checked_div(values).unwrap_or_default()
    }

    /// How many values each piece of a chain has, and what they take there.
    fn pieces(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut left = self.values.iter().map(|value| packed(value)).peekable();
        core::iter::from_fn(move || {
            let (mut count, mut bytes) = (1, left.next()?);
            while let Some(more) = left.next_if(|more| PACK + bytes + more <= PIECE_BYTES_MAX) {
                (count, bytes) = (count + 1, bytes + more);
            }
            Some((count, bytes))
        })
    }
}

fn set(set: &Set, samples: usize) -> usize {
    let bytes = match set.places() {
        Places::Packed => given(PACK + set.names().map(|name| packed(name)).sum::<usize>()),
        Places::Numbers => {
            // They stand in their order: one of the ends is the widest.
            let ends = [set.names().next(), set.names().next_back()];
            let numbers = ends.into_iter().flatten().filter_map(|name| integer(name));
            let widest = numbers.map(|number| number.unsigned_abs() + u64::from(number >= 0)).max().unwrap_or_default();
            let each = match widest {
                0..=0x8000 => 2,
                0x8001..=0x8000_0000 => 4,
                _ => 8,
            };
            given(NUMBERS + each * set.len())
        }
        Places::Table => table(set.len(), set.names().map(|name| ENTRY + text(name.len())), samples),
    };
    OBJECT + bytes
}

fn fields(fields: &Order<alloc::vec::Vec<u8>>, samples: usize) -> usize {
    OBJECT
        + if fields.places() == Places::Table {
            table(fields.len(), fields.iter().map(|(name, value)| ENTRY + text(name.len()) + text(value.len())), samples)
        } else {
            given(PACK + fields.iter().map(|(name, value)| packed(name) + packed(value)).sum::<usize>())
        }
}

impl Sorted {
    fn weight(&self, samples: usize) -> usize {
        if !self.is_table {
            let parts = self.iter().map(|(name, score)| packed(name) + packed(text_of(score).as_bytes()));
            return OBJECT + given(PACK + parts.sum::<usize>());
        }
        // One of four members has another level: which, nobody can foresee.
        let levels = |name: &[u8]| (hash(name, !self.salt).trailing_zeros() as usize / 2 + 1).min(LEVELS_MAX);
        let part = |name: &[u8]| text(name.len()) + ENTRY + given(NODE + LEVEL * levels(name));
        OBJECT + SORTED + given(SORTED_HEAD) + table(self.len(), self.iter().map(|(name, _)| part(name)), samples)
    }
}

impl Value {
    /// Octets that Redis takes for it; of a table, and of a chain, so many parts are looked at.
    pub(in super::super::super) fn weight(&self, samples: usize) -> usize {
        match self {
            Self::Text(text) => text.weight(),
            Self::List(list) => list.weight(samples),
            Self::Set(value) => set(value, samples),
            Self::Hash(hash) => fields(&hash.fields, samples),
            Self::Sorted(sorted) => sorted.weight(samples),
        }
    }

    /// How many parts are looked at for that.
    pub(in super::super::super) fn weighed(&self, samples: usize) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::List(list) if !list.is_chained => 1,
            Self::Set(set) if set.places() == Places::Numbers => 1,
            Self::Set(set) if set.places() == Places::Table => set.len().min(samples),
            Self::Hash(hash) if hash.fields.places() == Places::Table => self.len().min(samples),
            Self::Sorted(sorted) if sorted.is_table => sorted.len().min(samples),
            _ => self.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// A real redis-server 8.0.2 told so much of each: the rest of them is in `crates/trap/tests/real/redis-memory.txt`.
    #[test]
    fn tables_take_what_a_real_one_takes() {
        let key = of_key(b"st");
        let mut members = Set::for_members(b"m0", 200, 1);
        assert!((0..200).all(|number| members.join(alloc::format!("m{number}").as_bytes())));
        assert_eq!(key + Value::Set(members).weight(5), 8_552);
        let mut sorted = Sorted::for_members(1, 70, 1);
        sorted.set(&[b'm'; 70], 1.0);
        // One of four has a level more: that is sixteen octets.
        let bytes = key + Value::Sorted(sorted).weight(5);
        assert!(bytes >= 976 && (bytes - 976).is_multiple_of(16) && bytes < 976 + 32 * 16, "{bytes}");
    }

    #[test]
    fn of_a_chain_so_many_pieces_are_looked_at_as_were_asked_for() {
        let mut list = List::default();
        let values = vec![vec![b'q'; 54]; 200];
        list.expect(values.iter());
        values.into_iter().for_each(|value| list.push(false, value));
        assert_eq!(list.pieces().collect::<vec::Vec<_>>(), [(146, 8_176), (54, 3_024)]);
        let list = Value::List(list);
        assert_eq!([5, 1].map(|samples| of_key(b"big") + list.weight(samples)), [11_432, 11_364]);
        assert_eq!((list.weighed(5), Value::text(b"a").weighed(5)), (200, 1));
    }

    #[test]
    fn the_allocator_has_four_sizes_between_powers_of_two() {
        let table = [(0, 8), (8, 8), (9, 16), (128, 128), (129, 160), (256, 256), (257, 320), (536, 640), (8_193, 10_240)];
        assert!(table.iter().all(|(bytes, size)| given(*bytes) == *size));
    }
}

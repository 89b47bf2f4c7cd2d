//! Names with values, in the order in which Redis would go through them.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

/// A name, kept once.
pub(in super::super) type Name = Arc<[u8]>;

/// What decides the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Places {
    /// As they came (a listpack).
    Packed,
    /// By their number: all of them are whole ones (an intset).
    Numbers,
    /// By a number that nobody can foresee (a hash table); with this one, every session has its own.
    Table,
}

/// Names with values.
#[derive(Clone, Debug)]
pub(in super::super) struct Order<V> {
    by_name: BTreeMap<Name, u64>,
    by_place: BTreeMap<u64, (Name, V)>,
    places: Places,
    salt: u64,
    /// Bytes of all names.
    bytes: usize,
}

/// Where a name is in a table that has this salt.
pub(in super::super) fn hash(name: &[u8], salt: u64) -> u64 {
    let sum = name.iter().fold(salt ^ 0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let sum = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let sum = (sum ^ (sum >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    sum ^ (sum >> 31)
}

impl<V> Order<V> {
    pub(in super::super) const fn new(places: Places, salt: u64) -> Self {
        Self { by_name: BTreeMap::new(), by_place: BTreeMap::new(), places, salt, bytes: 0 }
    }

    pub(in super::super) fn len(&self) -> usize {
        self.by_place.len()
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    pub(in super::super) const fn places(&self) -> Places {
        self.places
    }

    /// Bytes of all names.
    pub(in super::super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(in super::super) fn has(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    pub(in super::super) fn get(&self, name: &[u8]) -> Option<&V> {
        self.by_place.get(self.by_name.get(name)?).map(|(_, value)| value)
    }

    pub(in super::super) fn get_mut(&mut self, name: &[u8]) -> Option<&mut V> {
        self.by_place.get_mut(self.by_name.get(name)?).map(|(_, value)| value)
    }

    /// The first place that is free for it.
    fn free(&self, name: &[u8]) -> u64 {
        let mut place = match self.places {
            Places::Packed => return self.by_place.last_key_value().map_or(0, |(last, _)| last + 1),
            Places::Numbers => super::number::integer(name).unwrap_or_default().cast_unsigned() ^ (1 << 63),
            Places::Table => hash(name, self.salt),
        };
        while self.by_place.contains_key(&place) {
            place = place.wrapping_add(1);
        }
        place
    }

    /// The value that it had, if it was there.
    pub(in super::super) fn insert(&mut self, name: &[u8], value: V) -> Option<V> {
        if let Some(old) = self.get_mut(name) {
            return Some(core::mem::replace(old, value));
        }
        self.add(name.into(), value);
        None
    }

    fn add(&mut self, name: Name, value: V) {
        let place = self.free(&name);
        self.bytes += name.len();
        self.by_name.insert(Arc::clone(&name), place);
        self.by_place.insert(place, (name, value));
    }

    pub(in super::super) fn remove(&mut self, name: &[u8]) -> Option<V> {
        let place = self.by_name.remove(name)?;
        self.bytes -= name.len();
        self.by_place.remove(&place).map(|(_, value)| value)
    }

    pub(in super::super) fn names(&self) -> impl DoubleEndedIterator<Item = &Name> {
        self.by_place.values().map(|(name, _)| name)
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (&Name, &V)> {
        self.by_place.values().map(|(name, value)| (name, value))
    }

    /// From now on they are in another order.
    pub(in super::super) fn place(&mut self, places: Places) {
        if self.places == places {
            return;
        }
        let old = core::mem::take(&mut self.by_place);
        (self.places, self.bytes) = (places, 0);
        self.by_name.clear();
        old.into_values().for_each(|(name, value)| self.add(name, value));
    }
}

/// What one call of `SCAN` gives of a table, whose members are `parts` by their place: from `cursor` on, as many places as it takes for
/// `count` members; and the next cursor. So goes a table of Redis: by the bits of its places, the last first, so that one that
/// grows meanwhile gives nothing twice for that.
pub(in super::super) fn scanned<T>(mut parts: Vec<(u64, T)>, cursor: u64, count: usize) -> (u64, Vec<T>) {
    parts.sort_unstable_by_key(|(place, _)| *place);
    let bits = parts.len().next_power_of_two().max(4).trailing_zeros();
    let mask = (1_u64 << bits) - 1;
    let mut taken = Vec::new();
    let mut given: Vec<Option<T>> = Vec::new();
    let mut places = Vec::new();
    for (place, part) in parts {
        places.push(place >> (64 - bits));
        given.push(Some(part));
    }
    let mut cursor = cursor & mask;
    for _ in 0..count.saturating_mul(10).saturating_add(1) {
        let from = places.partition_point(|place| *place < cursor);
        let to = places.partition_point(|place| *place <= cursor);
        taken.extend(given[from..to].iter_mut().filter_map(Option::take));
        cursor = (cursor | !mask).reverse_bits().wrapping_add(1).reverse_bits() & mask;
        if cursor == 0 || taken.len() >= count {
            break;
        }
    }
    (cursor, taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn shown(order: &Order<()>) -> Vec<&[u8]> {
        order.names().map(|name| &**name).collect()
    }

    #[test]
    fn each_order_is_kept() {
        let mut order = Order::new(Places::Numbers, 1);
        for name in [&b"10"[..], b"-3", b"9", b"10"] {
            order.insert(name, ());
        }
        assert_eq!(shown(&order), [&b"-3"[..], b"9", b"10"]);
        order.place(Places::Packed);
        order.insert(b"a", ());
        order.insert(b"4", ());
        assert_eq!(shown(&order), [&b"-3"[..], b"9", b"10", b"a", b"4"]);
        assert!(order.remove(b"9").is_some() && order.remove(b"9").is_none());
        assert_eq!((order.len(), order.bytes()), (4, 6));
        order.place(Places::Table);
        assert!(order.has(b"a") && order.len() == 4 && order.bytes() == 6);
    }

    #[test]
    fn a_table_is_gone_through_in_parts_and_each_is_given_once() {
        let names: Vec<_> = (0..100).map(|number| format!("name{number}")).collect();
        let parts = || names.iter().map(|name| (hash(name.as_bytes(), 7), name.as_str())).collect::<Vec<_>>();
        let (mut cursor, mut all, mut calls) = (0, Vec::new(), 0);
        loop {
            let (next, some) = scanned(parts(), cursor, 10);
            assert!(some.len() >= 10 || next == 0);
            all.extend(some);
            (cursor, calls) = (next, calls + 1);
            if cursor == 0 {
                break;
            }
        }
        all.sort_unstable();
        let mut wanted: Vec<_> = names.iter().map(alloc::string::String::as_str).collect();
        wanted.sort_unstable();
        assert_eq!(all, wanted);
        assert!((5..=10).contains(&calls), "{calls}");
        assert_eq!(scanned(Vec::<(u64, ())>::new(), 77, 10).0, 0);
    }
}

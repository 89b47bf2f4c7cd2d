//! What one connection to a store of keys and values stored: bounded, and gone with it.

use alloc::{collections::BTreeMap, vec::Vec};

/// Keys that are kept.
const KEYS_MAX: usize = 64;
/// Bytes of all keys and values together.
const BYTES_MAX: usize = 64 * 1_024;
/// The longest key, in bytes: all of them must fit into one answer.
pub(crate) const KEY_BYTES_MAX: usize = 250;
/// The longest value, in bytes: it must fit into one answer.
pub(crate) const VALUE_BYTES_MAX: usize = 16 * 1_024;

/// Keys and values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
}

impl Store {
    pub(crate) const fn new() -> Self {
        Self { values: BTreeMap::new(), bytes: 0 }
    }

    /// Stores a value; `false`, and nothing is changed, if there is no room, as with a full `maxmemory`.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8]) -> bool {
        let before = self.values.get(key).map_or(0, |old| key.len() + old.len());
        let after = self.bytes - before + key.len() + value.len();
        if key.len() > KEY_BYTES_MAX
            || value.len() > VALUE_BYTES_MAX
            || after > BYTES_MAX
            || (before == 0 && self.values.len() >= KEYS_MAX)
        {
            return false;
        }
        self.bytes = after;
        self.values.insert(key.to_vec(), value.to_vec());
        true
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let removed = self.values.remove(key);
        self.bytes -= removed.as_ref().map_or(0, |value| key.len() + value.len());
        removed.is_some()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.values.keys().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_what_does_not_fit_changes_nothing() {
        let mut store = Store::default();
        assert!(store.set(b"a", &[b'x'; VALUE_BYTES_MAX]) && !store.set(b"a", &[b'x'; VALUE_BYTES_MAX + 1]));
        assert_eq!(store.get(b"a").map(<[u8]>::len), Some(VALUE_BYTES_MAX));
        assert!(store.remove(b"a") && !store.remove(b"a"));
        let stored = (0..1_000_u32).filter(|key| store.set(&key.to_be_bytes(), b"v")).count();
        assert_eq!((stored, store.len(), store.bytes), (KEYS_MAX, KEYS_MAX, KEYS_MAX * 5));
        store.clear();
        let large = (0..10_u8).filter(|key| store.set(&[*key], &[0; VALUE_BYTES_MAX - 1])).count();
        assert_eq!(large, 4);
    }
}

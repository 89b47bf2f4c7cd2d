//! What one connection stores, as Redis keeps it: bounded, and gone with it.

pub(super) mod glob;
pub(super) mod number;
pub(super) mod order;
pub(super) mod value;

use crate::store::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use alloc::{collections::BTreeMap, vec::Vec};
use order::{Order, Places};
use value::{Hash, Kind, List, Set, Sorted, Text, Value};

/// Keys that are kept, in all databases together.
const KEYS_MAX: usize = 64;
/// Elements of all lists, sets, hashes and sorted sets together.
const ELEMENTS_MAX: usize = 1_024;
/// Bytes of all keys, texts and elements together.
const BYTES_MAX: usize = 64 * 1_024;
/// The same with all that keeps them, about.
const HELD_BYTES_MAX: usize = 92 * 1_024;
/// The most of one list and the like, in bytes of the answer that gives all of it.
const WHOLE_BYTES_MAX: usize = 18 * 1_024;
/// What an element takes of an answer besides itself, in bytes: `$10\r\n` and a line's end. A number with it takes as much.
const FRAME_BYTES: usize = 10;

/// What Redis says at a bound of its own.
pub(super) const NO_MEMORY: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
pub(super) const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

/// What a command is refused with: the answer.
pub(super) type Refusal = &'static str;

/// One key's value, and until when it is there, in milliseconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) until_ms: Option<i64>,
}

/// Keys and values.
#[derive(Debug)]
pub(super) struct Data {
    databases: BTreeMap<i64, Order<Entry>>,
    /// The one that is spoken to.
    pub(super) selected: i64,
    /// Makes its own order of what has none.
    pub(super) salt: u64,
    keys: usize,
    elements: usize,
    bytes: usize,
    /// What all of it takes, in bytes.
    held: usize,
    /// Before this nothing is over.
    over_ms: i64,
    /// Keys that are watched, and whether one of them became another since.
    watched: Vec<(i64, Vec<u8>)>,
    is_touched: bool,
}

macro_rules! typed {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        pub(super) fn $name(&self, key: &[u8]) -> Result<Option<&$type>, Refusal> {
            match self.value(key) {
                None => Ok(None),
                Some(Value::$variant(value)) => Ok(Some(value)),
                Some(_) => Err(WRONG_TYPE),
            }
        }
    };
}

impl Data {
    pub(super) const fn new(salt: u64) -> Self {
        Self {
            databases: BTreeMap::new(),
            selected: 0,
            salt,
            keys: 0,
            elements: 0,
            bytes: 0,
            held: 0,
            over_ms: i64::MAX,
            watched: Vec::new(),
            is_touched: false,
        }
    }

    /// Tells whether this key becomes another from now on; further ones than have room are not looked after.
    pub(super) fn watch(&mut self, key: &[u8]) {
        if self.watched.len() < KEYS_MAX && key.len() <= KEY_BYTES_MAX {
            self.watched.push((self.selected, key.to_vec()));
        }
    }

    /// Whether one of them did; none is watched any more.
    pub(super) fn unwatch(&mut self) -> bool {
        self.watched.clear();
        core::mem::take(&mut self.is_touched)
    }

    fn touch(&mut self, key: &[u8]) {
        self.is_touched |= self.watched.iter().any(|(database, watched)| *database == self.selected && watched == key);
    }

    typed!(
        /// The text behind a key.
        text, Text, Text
    );
    typed!(
        /// The list behind a key.
        list, List, List
    );
    typed!(
        /// The set behind a key.
        set, Set, Set
    );
    typed!(
        /// The hash behind a key.
        hash, Hash, Hash
    );
    typed!(
        /// The sorted set behind a key.
        sorted, Sorted, Sorted
    );

    fn database(&self) -> Option<&Order<Entry>> {
        self.databases.get(&self.selected)
    }

    pub(super) fn entry(&self, key: &[u8]) -> Option<&Entry> {
        self.database()?.get(key)
    }

    pub(super) fn value(&self, key: &[u8]) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.database().is_some_and(|database| database.has(key))
    }

    /// Keys of the database that is spoken to.
    pub(super) fn len(&self) -> usize {
        self.database().map_or(0, Order::len)
    }

    /// The same with what is behind them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&order::Name, &Entry)> {
        self.database().into_iter().flat_map(Order::iter)
    }

    /// Each database with something in it: its number, how many keys it has, and until when those are there that are not for ever.
    pub(super) fn filled(&self) -> impl Iterator<Item = (i64, usize, Vec<i64>)> {
        let filled = self.databases.iter().filter(|(_, keys)| !keys.is_empty());
        filled.map(|(number, keys)| (*number, keys.len(), keys.iter().filter_map(|(_, entry)| entry.until_ms).collect()))
    }

    /// Whether so many elements and bytes more of a kind have room behind a key.
    pub(super) fn has_room(&self, key: &[u8], kind: Kind, elements: usize, bytes: usize) -> bool {
        let (known, whole) = match self.value(key) {
            None | Some(Value::Text(_)) => (self.has(key), 0),
            Some(value) => (true, value.bytes() + FRAME_BYTES * value.elements()),
        };
        let letters = key.len() + bytes;
        let held = letters + elements * kind.element_bytes() + if known { 0 } else { kind.key_bytes() };
        key.len() <= KEY_BYTES_MAX
            && (known || self.keys < KEYS_MAX)
            && self.elements + elements <= ELEMENTS_MAX
            && self.bytes + letters <= BYTES_MAX
            && self.held + held <= HELD_BYTES_MAX
            && whole + bytes + FRAME_BYTES * elements <= WHOLE_BYTES_MAX
    }

    /// Forgets what is over at `now_ms`.
    pub(super) fn forget(&mut self, now_ms: i64) {
        if now_ms < self.over_ms {
            return;
        }
        self.over_ms = i64::MAX;
        let selected = self.selected;
        let databases: Vec<i64> = self.databases.keys().copied().collect();
        for number in databases {
            self.selected = number;
            let times: Vec<(order::Name, i64)> =
                self.iter().filter_map(|(name, entry)| Some((order::Name::clone(name), entry.until_ms?))).collect();
            for (name, until_ms) in times {
                if until_ms <= now_ms {
                    self.remove(&name);
                } else {
                    self.over_ms = self.over_ms.min(until_ms);
                }
            }
        }
        self.selected = selected;
    }

    /// Says until when a key is there; `None`: for ever.
    pub(super) fn keep_until(&mut self, key: &[u8], until_ms: Option<i64>) {
        self.over_ms = self.over_ms.min(until_ms.unwrap_or(i64::MAX));
        self.touch(key);
        if let Some(entry) = self.databases.get_mut(&self.selected).and_then(|keys| keys.get_mut(key)) {
            entry.until_ms = until_ms;
        }
    }

    /// Puts something behind a key, whatever was there; what is empty is nothing.
    ///
    /// # Errors
    /// There is no room: nothing is changed.
    pub(super) fn put(&mut self, key: &[u8], entry: Entry) -> Result<(), Refusal> {
        let (elements, bytes) = (entry.value.elements(), entry.value.bytes());
        let is_text = matches!(entry.value, Value::Text(_));
        let held = key.len() + entry.value.held();
        let old = self
            .entry(key)
            .map_or((0, 0, 0), |old| (old.value.elements(), key.len() + old.value.bytes(), key.len() + old.value.held()));
        let fits = key.len() <= KEY_BYTES_MAX
            && (self.has(key) || self.keys < KEYS_MAX)
            && self.elements - old.0 + elements <= ELEMENTS_MAX
            && self.bytes - old.1 + key.len() + bytes <= BYTES_MAX
            && self.held - old.2 + held <= HELD_BYTES_MAX
            && (!is_text || bytes <= VALUE_BYTES_MAX)
            && (is_text || bytes + FRAME_BYTES * elements <= WHOLE_BYTES_MAX);
        if !fits {
            return Err(NO_MEMORY);
        }
        self.remove(key);
        self.touch(key);
        if !is_text && elements == 0 {
            return Ok(());
        }
        self.keys += 1;
        self.elements += elements;
        self.bytes += key.len() + bytes;
        self.held += held;
        self.over_ms = self.over_ms.min(entry.until_ms.unwrap_or(i64::MAX));
        let salt = self.salt;
        self.databases.entry(self.selected).or_insert_with(|| Order::new(Places::Table, salt)).insert(key, entry);
        Ok(())
    }

    /// Puts a text behind a key for ever.
    ///
    /// # Errors
    /// There is no room: nothing is changed.
    pub(super) fn put_text(&mut self, key: &[u8], text: &[u8]) -> Result<(), Refusal> {
        if text.len() > VALUE_BYTES_MAX {
            return Err(NO_MEMORY);
        }
        self.put(key, Entry { value: Value::text(text), until_ms: None })
    }

    /// Changes what is behind a key, or `new` if there is nothing; what is empty then is gone. Whether there is room was asked before.
    pub(super) fn change<R>(&mut self, key: &[u8], new: Option<Value>, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        let salt = self.salt;
        if let Some(value) = new.filter(|_| !self.has(key)) {
            self.keys += 1;
            self.elements += value.elements();
            self.bytes += key.len() + value.bytes();
            self.held += key.len() + value.held();
            let keys = self.databases.entry(self.selected).or_insert_with(|| Order::new(Places::Table, salt));
            keys.insert(key, Entry { value, until_ms: None });
        }
        let value = &mut self.databases.get_mut(&self.selected)?.get_mut(key)?.value;
        let before = (value.elements(), value.bytes(), value.held());
        let result = change(value);
        let after = (value.elements(), value.bytes(), value.held());
        let is_empty = !matches!(value, Value::Text(_)) && after.0 == 0;
        self.touch(key);
        self.elements = self.elements + after.0 - before.0;
        self.bytes = self.bytes + after.1 - before.1;
        self.held = self.held + after.2 - before.2;
        if is_empty {
            self.remove(key);
        }
        Some(result)
    }

    /// Takes what is behind a key.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<Entry> {
        let entry = self.databases.get_mut(&self.selected)?.remove(key)?;
        self.keys -= 1;
        self.elements -= entry.value.elements();
        self.bytes -= key.len() + entry.value.bytes();
        self.held -= key.len() + entry.value.held();
        self.touch(key);
        Some(entry)
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        self.take(key).is_some()
    }

    /// Forgets the database that is spoken to, or all.
    pub(super) fn clear(&mut self, all: bool) {
        if all {
            let selected = self.selected;
            for number in self.databases.keys().copied().collect::<Vec<_>>() {
                self.selected = number;
                self.clear(false);
            }
            self.selected = selected;
            return;
        }
        let names: Vec<order::Name> = self.iter().map(|(name, _)| order::Name::clone(name)).collect();
        for name in &names {
            self.remove(name);
        }
    }

    /// Each is called as the other was.
    pub(super) fn swap(&mut self, one: i64, other: i64) {
        let (first, second) = (self.databases.remove(&one), self.databases.remove(&other));
        self.databases.extend(first.map(|keys| (other, keys)));
        self.databases.extend(second.map(|keys| (one, keys)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_what_does_not_fit_changes_nothing() {
        let mut data = Data::new(1);
        assert!(
            data.put_text(b"a", &[b'x'; VALUE_BYTES_MAX]).is_ok() && data.put_text(b"a", &[b'x'; VALUE_BYTES_MAX + 1]).is_err()
        );
        assert_eq!(data.text(b"a").unwrap().map(|text| text.bytes.len()), Some(VALUE_BYTES_MAX));
        assert!(data.remove(b"a") && !data.remove(b"a") && data.put_text(&[b'k'; KEY_BYTES_MAX + 1], b"").is_err());
        let stored = (0..1_000_u32).filter(|key| data.put_text(&key.to_be_bytes(), b"v").is_ok()).count();
        assert_eq!((stored, data.len(), data.bytes), (KEYS_MAX, KEYS_MAX, KEYS_MAX * 5));
        data.clear(false);
        assert_eq!((data.keys, data.elements, data.bytes, data.held), (0, 0, 0, 0));
        let large = (0..10_u8).filter(|key| data.put_text(&[*key], &[0; VALUE_BYTES_MAX - 1]).is_ok()).count();
        assert_eq!(large, 4);
    }

    #[test]
    fn elements_are_counted_and_what_is_empty_is_gone() {
        let mut data = Data::new(1);
        let mut push = |key: &[u8]| {
            data.has_room(key, Kind::List, 1, 1)
                && data
                    .change(key, Some(Value::List(List::default())), |value| {
                        if let Value::List(list) = value {
                            list.push(true, b"x".to_vec());
                        }
                    })
                    .is_some()
        };
        assert_eq!((0..2_000).filter(|_| push(b"a")).count(), ELEMENTS_MAX);
        assert!(!push(b"b"));
        assert_eq!((data.elements, data.bytes), (ELEMENTS_MAX, ELEMENTS_MAX + 1));
        data.change(b"a", None, |value| {
            if let Value::List(list) = value {
                list.remove(&(0..ELEMENTS_MAX).collect::<Vec<_>>());
            }
        });
        assert_eq!((data.has(b"a"), data.keys, data.elements, data.bytes, data.held), (false, 0, 0, 0, 0));
        assert!(
            data.has_room(b"a", Kind::List, 1, WHOLE_BYTES_MAX - FRAME_BYTES)
                && !data.has_room(b"a", Kind::List, 1, WHOLE_BYTES_MAX),
            "one answer gives all"
        );
    }

    #[test]
    fn what_is_over_is_forgotten_in_every_database() {
        let mut data = Data::new(1);
        data.put_text(b"a", b"1").unwrap();
        data.keep_until(b"a", Some(10));
        data.selected = 3;
        data.put(b"b", Entry { value: Value::text(b"2"), until_ms: Some(20) }).unwrap();
        data.forget(9);
        assert_eq!(data.filled().collect::<Vec<_>>(), [(0, 1, [10].into()), (3, 1, [20].into())]);
        data.forget(10);
        assert_eq!(data.filled().collect::<Vec<_>>(), [(3, 1, [20].into())]);
        data.swap(3, 0);
        assert_eq!((data.has(b"b"), data.filled().next().map(|filled| filled.0)), (false, Some(0)));
        data.forget(20);
        assert_eq!((data.keys, data.bytes, data.held), (0, 0, 0));
    }
}

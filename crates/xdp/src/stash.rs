//! The kernel's hash tables behind the lines of exact bans.

use crate::{
    Error,
    bans::Stash,
    lines::low,
    tables::{found, read_error, write_error},
    wire::Wire,
};
use aya::maps::{HashMap, Map, MapData, MapError};
use honeymesh_xdp_abi::Way;

/// A key as the kernel's table has it.
pub(crate) trait HashKey: aya::Pod {
    fn of(key: u64) -> Self;
    fn number(self) -> u64;
}

impl HashKey for u32 {
    fn of(key: u64) -> Self {
        low(key)
    }

    fn number(self) -> u64 {
        self.into()
    }
}

impl HashKey for u64 {
    fn of(key: u64) -> Self {
        key
    }

    fn number(self) -> u64 {
        self
    }
}

/// One family's hash table.
pub(crate) struct HashTable<K> {
    map: HashMap<MapData, K, Wire<Way>>,
    words: &'static str,
    limit: u32,
}

impl<K: HashKey> HashTable<K> {
    pub(crate) fn open(map: Map, words: &'static str, limit: u32) -> Result<Self, MapError> {
        HashMap::try_from(map).map(|map| Self { map, words, limit })
    }
}

impl<K: HashKey> Stash for HashTable<K> {
    fn get(&self, key: u64) -> Result<Option<Way>, Error> {
        let way = found(self.map.get(&K::of(key), 0)).map_err(read_error(self.words))?;
        Ok(way.map(|Wire(way)| way))
    }

    fn put(&mut self, key: u64, way: Way) -> Result<(), Error> {
        self.map.insert(K::of(key), Wire(way), 0).map_err(write_error(self.words, self.limit, ""))
    }

    fn remove(&mut self, key: u64) -> Result<bool, Error> {
        let removed = found(self.map.remove(&K::of(key))).map_err(write_error(self.words, self.limit, ""))?;
        Ok(removed.is_some())
    }

    fn all(&self) -> Result<Vec<(u64, Way)>, Error> {
        let entries = self.map.iter().map(|entry| entry.map(|(key, Wire(way))| (key.number(), way)));
        entries.collect::<Result<_, MapError>>().map_err(read_error(self.words))
    }
}

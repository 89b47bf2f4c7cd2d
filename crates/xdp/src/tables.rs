//! The kernel's tables, opened.

use crate::{
    Counters, Error,
    load::Predecessor,
    spot::{Spot, Table},
    wire::Wire,
};
use aya::{
    Ebpf,
    maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray, RingBuf, lpm_trie::Key},
};
use honeymesh_xdp_abi::{AddressKey, BanEntry, Counter, CounterValues, NetKey4, NetKey6, Settings, SourceKey, table};
use std::{collections::BTreeSet, hash::Hash, io};

/// `BPF_ANY`: whether there is an entry or not.
const ANY: u64 = 0;
/// `BPF_NOEXIST`: only if there is none.
const NO_EXIST: u64 = 1;

type Entry = Wire<BanEntry>;
type Nets<K, V> = LpmTrie<MapData, K, V>;

/// Every table that user space reads or writes.
pub(crate) struct Tables {
    settings: Array<MapData, Wire<Settings>>,
    bans4: HashMap<MapData, u32, Entry>,
    bans6: HashMap<MapData, [u32; 2], Entry>,
    nets4: Nets<u32, Entry>,
    nets6: Nets<[u32; 4], Entry>,
    dark: HashMap<MapData, Wire<SourceKey>, Entry>,
    placed: HashMap<MapData, Wire<SourceKey>, Entry>,
    allow4: Nets<u32, u32>,
    allow6: Nets<[u32; 4], u32>,
    local: HashMap<MapData, Wire<AddressKey>, u32>,
    counters: PerCpuArray<MapData, Wire<CounterValues>>,
}

/// The tables of a loaded object, and the ring buffer.
pub(crate) fn open(object: &mut Ebpf) -> Result<(Tables, RingBuf<MapData>), Error> {
    let tables = Tables {
        settings: take(object, table::SETTINGS)?,
        bans4: take(object, table::BANS4)?,
        bans6: take(object, table::BANS6)?,
        nets4: take(object, table::NETS4)?,
        nets6: take(object, table::NETS6)?,
        dark: take(object, table::DARK)?,
        placed: take(object, table::PLACED)?,
        allow4: take(object, table::ALLOW4)?,
        allow6: take(object, table::ALLOW6)?,
        local: take(object, table::LOCAL)?,
        counters: take(object, table::COUNTERS)?,
    };
    Ok((tables, take(object, table::KNOCKS)?))
}

fn take<T: TryFrom<Map, Error = MapError>>(object: &mut Ebpf, name: &str) -> Result<T, Error> {
    let map = object.take_map(name).ok_or_else(|| Error::Refused(format!("the object lacks the table {name}")))?;
    T::try_from(map).map_err(|error| Error::Refused(format!("the table {name} is of another kind: {error}")))
}

/// The error of the kernel inside an error of aya.
fn os(error: MapError) -> io::Error {
    match error {
        MapError::SyscallError(error) => error.io_error,
        MapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

pub(crate) fn read_error(table: &'static str) -> impl Fn(MapError) -> Error {
    move |error| Error::Table { doing: "read", table, source: os(error) }
}

fn write_error(table: &'static str, limit: u32) -> impl Fn(MapError) -> Error {
    move |error| match os(error) {
        // Hashes say E2BIG, tries ENOSPC.
        full if matches!(full.raw_os_error(), Some(libc::E2BIG | libc::ENOSPC)) => Error::Full { table, limit },
        source => Error::Table { doing: "write", table, source },
    }
}

fn found<V>(result: Result<V, MapError>) -> Result<Option<V>, MapError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

const fn key4(key: &NetKey4) -> Key<u32> {
    Key::new(key.bits, key.addr)
}

const fn key6(key: &NetKey6) -> Key<[u32; 4]> {
    Key::new(key.bits, key.addr)
}

impl Tables {
    pub(crate) fn settings(&self) -> Result<Settings, Error> {
        self.settings.get(&0, 0).map(|Wire(settings)| settings).map_err(read_error("settings"))
    }

    pub(crate) fn set_settings(&mut self, settings: Settings) -> Result<(), Error> {
        self.settings.set(0, Wire(settings), 0).map_err(write_error("settings", 1))
    }

    /// The entry at exactly this spot.
    pub(crate) fn get(&self, spot: &Spot) -> Result<Option<BanEntry>, Error> {
        let entry = match spot {
            Spot::Bans4(key) => found(self.bans4.get(key, 0)),
            Spot::Bans6(key) => found(self.bans6.get(key, 0)),
            // A trie answers with the longest match, which may be a wider ban.
            Spot::Nets4(key) => found(self.nets4.get(&key4(key), 0)).map(|entry| entry.filter(|e| e.0.bits == key.bits)),
            Spot::Nets6(key) => found(self.nets6.get(&key6(key), 0)).map(|entry| entry.filter(|e| e.0.bits == key.bits)),
            Spot::Dark(key) => found(self.dark.get(&Wire(*key), 0)),
            Spot::Placed(key) => found(self.placed.get(&Wire(*key), 0)),
        };
        entry.map(|entry| entry.map(|Wire(entry)| entry)).map_err(read_error(spot.table().words()))
    }

    pub(crate) fn insert(&mut self, spot: &Spot, entry: BanEntry, limit: u32) -> Result<(), Error> {
        self.update(spot, entry, ANY).map_err(write_error(spot.table().words(), limit))
    }

    /// Inserts if there is no entry yet. Was there none?
    pub(crate) fn insert_new(&mut self, spot: &Spot, entry: BanEntry, limit: u32) -> Result<bool, Error> {
        match self.update(spot, entry, NO_EXIST) {
            Ok(()) => Ok(true),
            Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::EEXIST) => Ok(false),
            Err(error) => Err(write_error(spot.table().words(), limit)(error)),
        }
    }

    fn update(&mut self, spot: &Spot, entry: BanEntry, flags: u64) -> Result<(), MapError> {
        let entry = Wire(entry);
        match spot {
            Spot::Bans4(key) => self.bans4.insert(key, entry, flags),
            Spot::Bans6(key) => self.bans6.insert(key, entry, flags),
            Spot::Nets4(key) => self.nets4.insert(&key4(key), entry, flags),
            Spot::Nets6(key) => self.nets6.insert(&key6(key), entry, flags),
            Spot::Dark(key) => self.dark.insert(Wire(*key), entry, flags),
            Spot::Placed(key) => self.placed.insert(Wire(*key), entry, flags),
        }
    }

    /// Was there an entry?
    pub(crate) fn remove(&mut self, spot: &Spot) -> Result<bool, Error> {
        let removed = match spot {
            Spot::Bans4(key) => self.bans4.remove(key),
            Spot::Bans6(key) => self.bans6.remove(key),
            Spot::Nets4(key) => self.nets4.remove(&key4(key)),
            Spot::Nets6(key) => self.nets6.remove(&key6(key)),
            Spot::Dark(key) => self.dark.remove(&Wire(*key)),
            Spot::Placed(key) => self.placed.remove(&Wire(*key)),
        };
        found(removed).map(|gone| gone.is_some()).map_err(write_error(spot.table().words(), 0))
    }

    /// Every entry of one table.
    pub(crate) fn entries(&self, table: Table) -> Result<Vec<(Spot, BanEntry)>, Error> {
        match table {
            Table::Bans4 => all(self.bans4.iter(), Spot::Bans4),
            Table::Bans6 => all(self.bans6.iter(), Spot::Bans6),
            Table::Nets4 => all(self.nets4.iter(), net4),
            Table::Nets6 => all(self.nets6.iter(), net6),
            Table::Dark => all(self.dark.iter(), |Wire(key)| Spot::Dark(key)),
            Table::Placed => all(self.placed.iter(), |Wire(key)| Spot::Placed(key)),
        }
        .map_err(read_error(table.words()))
    }

    /// Makes the allowlist equal to these prefixes; what is missing is added before what is too much goes.
    pub(crate) fn set_allow(&mut self, nets4: &[NetKey4], nets6: &[NetKey6], limit: u32) -> Result<(), Error> {
        let (words4, words6) = ("allowed IPv4 prefixes", "allowed IPv6 prefixes");
        let wanted4 = nets4.iter().map(|net| (net.bits, net.addr)).collect();
        let wanted6 = nets6.iter().map(|net| (net.bits, net.addr)).collect();
        let (more4, less4) = difference(wanted4, keys(self.allow4.keys(), split).map_err(read_error(words4))?);
        let (more6, less6) = difference(wanted6, keys(self.allow6.keys(), split).map_err(read_error(words6))?);
        for (bits, addr) in more4 {
            self.allow4.insert(&Key::new(bits, addr), 1, 0).map_err(write_error(words4, limit))?;
        }
        for (bits, addr) in more6 {
            self.allow6.insert(&Key::new(bits, addr), 1, 0).map_err(write_error(words6, limit))?;
        }
        for (bits, addr) in less4 {
            found(self.allow4.remove(&Key::new(bits, addr))).map_err(write_error(words4, limit))?;
        }
        for (bits, addr) in less6 {
            found(self.allow6.remove(&Key::new(bits, addr))).map_err(write_error(words6, limit))?;
        }
        Ok(())
    }

    /// Makes the list of own addresses equal to these.
    pub(crate) fn set_local(&mut self, addrs: &[AddressKey], limit: u32) -> Result<(), Error> {
        let words = "own addresses";
        let wanted = addrs.iter().copied().collect();
        let (more, less) = difference(wanted, keys(self.local.keys(), |Wire(key)| key).map_err(read_error(words))?);
        for addr in more {
            self.local.insert(Wire(addr), 1, 0).map_err(write_error(words, limit))?;
        }
        for addr in less {
            found(self.local.remove(&Wire(addr))).map_err(write_error(words, limit))?;
        }
        Ok(())
    }

    /// Are there any own addresses?
    pub(crate) fn has_local(&self) -> Result<bool, Error> {
        self.local.keys().next().transpose().map(|key| key.is_some()).map_err(read_error("own addresses"))
    }

    pub(crate) fn counters(&self) -> Result<Counters, Error> {
        let cpus = self.counters.get(&0, 0).map_err(read_error("counters"))?;
        let sum = |counter: Counter| cpus.iter().map(|Wire(values)| values.0[counter as usize]).sum();
        Ok(Counters::of(sum))
    }
}

/// Every entry of one of user space's tables, through a handle that is not in [`Tables`].
pub(crate) fn read_all(table: Table, map: &Map) -> Result<Vec<(Spot, BanEntry)>, Error> {
    match table {
        Table::Bans4 => HashMap::<&MapData, u32, Entry>::try_from(map).and_then(|map| all(map.iter(), Spot::Bans4)),
        Table::Bans6 => HashMap::<&MapData, [u32; 2], Entry>::try_from(map).and_then(|map| all(map.iter(), Spot::Bans6)),
        Table::Nets4 => LpmTrie::<&MapData, u32, Entry>::try_from(map).and_then(|map| all(map.iter(), net4)),
        Table::Nets6 => LpmTrie::<&MapData, [u32; 4], Entry>::try_from(map).and_then(|map| all(map.iter(), net6)),
        Table::Dark => HashMap::<&MapData, Wire<SourceKey>, Entry>::try_from(map)
            .and_then(|map| all(map.iter(), |Wire(key)| Spot::Dark(key))),
        Table::Placed => HashMap::<&MapData, Wire<SourceKey>, Entry>::try_from(map)
            .and_then(|map| all(map.iter(), |Wire(key)| Spot::Placed(key))),
    }
    .map_err(read_error(table.words()))
}

const fn net4(key: Key<u32>) -> Spot {
    Spot::Nets4(NetKey4 { bits: key.prefix_len(), addr: key.data() })
}

const fn net6(key: Key<[u32; 4]>) -> Spot {
    Spot::Nets6(NetKey6 { bits: key.prefix_len(), addr: key.data() })
}

const fn split<K: aya::Pod>(key: Key<K>) -> (u32, K) {
    (key.prefix_len(), key.data())
}

fn all<K>(
    entries: impl Iterator<Item = Result<(K, Entry), MapError>>,
    spot: impl Fn(K) -> Spot,
) -> Result<Vec<(Spot, BanEntry)>, MapError> {
    entries.map(|entry| entry.map(|(key, Wire(entry))| (spot(key), entry))).collect()
}

fn keys<K, T: Ord>(keys: impl Iterator<Item = Result<K, MapError>>, of: impl Fn(K) -> T) -> Result<BTreeSet<T>, MapError> {
    keys.map(|key| key.map(&of)).collect()
}

/// What must be added to `present`, and what removed, to make it `wanted`.
fn difference<T: Ord + Copy + Hash>(wanted: BTreeSet<T>, present: BTreeSet<T>) -> (Vec<T>, Vec<T>) {
    (wanted.difference(&present).copied().collect(), present.difference(&wanted).copied().collect())
}

impl Tables {
    /// Copies the entries of a replaced ban table into its successor. How many did not fit.
    pub(crate) fn copy_from(&mut self, predecessor: &Predecessor) -> Result<usize, Error> {
        let Predecessor { name, map, .. } = predecessor;
        match *name {
            table::BANS4 => copy(map, &mut self.bans4),
            table::BANS6 => copy(map, &mut self.bans6),
            table::DARK => copy(map, &mut self.dark),
            table::PLACED => copy(map, &mut self.placed),
            // The others have one size.
            _ => Ok(0),
        }
        .map_err(read_error("replaced bans"))
    }
}

fn copy<K: aya::Pod>(from: &Map, to: &mut HashMap<MapData, K, Entry>) -> Result<usize, MapError> {
    let from: HashMap<&MapData, K, Entry> = from.try_into()?;
    let mut left = 0;
    for item in from.iter() {
        let (key, entry) = item?;
        left += usize::from(to.insert(key, entry, 0).is_err());
    }
    Ok(left)
}

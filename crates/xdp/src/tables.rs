//! The kernel's tables, opened.

mod spared;

use crate::{
    Counters, Error, Fill, Level, Options,
    area::Area,
    bans::{self, Bans, Capacity, Damage},
    compare::{self, Actual, Reader},
    counts::Counts,
    deadline,
    lines::{self, Lines, Shape, V4, V6},
    load::{self, NETS_MAX, Predecessor},
    spot::{Spot, Table},
    stash::{HashKey, HashTable},
    ticks::{Clock, Ticks},
    touch::{TOUCH_WINDOWS_MAX, TOUCH4_LEN, TOUCH6_LEN, Touch4, Touch6},
    wire::Wire,
};
use aya::{
    Ebpf,
    maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray, RingBuf, SockMap, lpm_trie::Key},
};
use honeymesh_xdp_abi::{
    AddressKey, AllowFilter, BanEntry, Counter, CounterValues, EXCEPT_WORDS, Header, NetKey4, NetKey6, Settings, SourceKey,
    TRAPS_MAX, Way, table,
};
pub(crate) use spared::{AllowWatch, Allowed, Local};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

/// `BPF_ANY`: whether there is an entry or not.
const ANY: u64 = 0;
/// `BPF_NOEXIST`: only if there is none.
const NO_EXIST: u64 = 1;

/// So many changes at once go everywhere in the tables, so that windows are not worth it.
const SPREAD_MIN: usize = 4_096;

/// What to do about a full table of prefixes.
const MEND_NETS: &str = "lift some, or merge them into wider ones";

type Entry = Wire<BanEntry>;
type Nets<K, V> = LpmTrie<MapData, K, V>;

/// Every table that user space reads or writes.
pub(crate) struct Tables {
    ticks: Ticks,
    settings: Array<MapData, Wire<Settings>>,
    bans4: Bans<V4, HashTable<u32>>,
    bans6: Bans<V6, HashTable<u64>>,
    nets4: Nets<u32, Entry>,
    nets6: Nets<[u32; 4], Entry>,
    touch4: Touch4,
    touch6: Touch6,
    placed: HashMap<MapData, Wire<SourceKey>, Entry>,
    allow4: Nets<u32, u32>,
    allow6: Nets<[u32; 4], u32>,
    allowed: Array<MapData, Wire<AllowFilter>>,
    local: HashMap<MapData, Wire<AddressKey>, u32>,
    counters: PerCpuArray<MapData, Wire<CounterValues>>,
    limits: [Level; 2],
    traps: SockMap<MapData>,
    except: Array<MapData, u64>,
}

/// The tables of a loaded object, adopted or new, and the ring buffer. The program takes the lines to have these headers.
pub(crate) fn open(
    object: &mut Ebpf,
    [header4, header6]: [Header; 2],
    options: &Options,
    ticks: Ticks,
) -> Result<(Tables, RingBuf<MapData>), Error> {
    let [stash4, stash6] = load::stashes(options);
    let capacity = |bans, stashed, table: Table, mend| Capacity { bans, stashed, words: table.words(), mend };
    let capacity4 = capacity(options.max_bans, stash4, Table::Bans4, "raise [bans] max or merge bans into prefixes");
    let capacity6 = capacity(options.v6_bans(), stash6, Table::Bans6, "raise [bans] max_v6 or merge bans into prefixes");
    let bans4 = open_bans(object, [table::LINES4, table::BANS4], header4, capacity4)?;
    let bans6 = open_bans(object, [table::LINES6, table::BANS6], header6, capacity6)?;
    let touch4 = Touch4::new(area(object, table::TOUCH4, TOUCH4_LEN, TOUCH_WINDOWS_MAX)?);
    let touch6 = Touch6::new(area(object, table::TOUCH6, TOUCH6_LEN, TOUCH_WINDOWS_MAX)?, *bans6.lines().header());
    let limit = |limit: u32| Level { limit: limit as usize, ..Level::default() };
    let mut tables = Tables {
        ticks,
        settings: take(object, table::SETTINGS)?,
        bans4,
        bans6,
        nets4: take(object, table::NETS4)?,
        nets6: take(object, table::NETS6)?,
        touch4,
        touch6,
        placed: take(object, table::PLACED)?,
        allow4: take(object, table::ALLOW4)?,
        allow6: take(object, table::ALLOW6)?,
        allowed: take(object, table::ALLOWED)?,
        local: take(object, table::LOCAL)?,
        counters: take(object, table::COUNTERS)?,
        limits: [limit(options.max_bans), limit(options.v6_bans())],
        traps: take(object, table::TRAPS)?,
        except: take(object, table::EXCEPT)?,
    };
    tables.survey_nets()?;
    tables.adopt_allow()?;
    Ok((tables, take(object, table::KNOCKS)?))
}

/// The memory of a mappable table.
fn area(object: &mut Ebpf, name: &str, len: usize, windows_max: usize) -> Result<Area, Error> {
    let refused = |why: &dyn std::fmt::Display| Error::Refused(format!("the table {name} cannot be mapped: {why}"));
    match object.map(name) {
        Some(Map::Array(data)) => Area::new(data.fd().as_fd(), len, windows_max).map_err(|error| refused(&error)),
        _ => Err(refused(&"it is no array")),
    }
}

/// One family's exact bans: adopted, or laid out anew.
fn open_bans<S: Shape, K: HashKey>(
    object: &mut Ebpf,
    [name, stash]: [&'static str; 2],
    header: Header,
    capacity: Capacity,
) -> Result<Bans<S, HashTable<K>>, Error> {
    let len = Header::elements(header.lines) as usize * size_of::<S::Line>();
    let area = area(object, name, len, lines::WINDOWS_MAX)?;
    // Soon all of it is gone through, and perhaps filled; see `Tables::rest`.
    area.spread();
    let lines = match Lines::<S>::found(&area) {
        Some(found) if found == header => Lines::of(area, header),
        _ => Lines::format(area, header),
    };
    let map = object.take_map(stash).ok_or_else(|| Error::Refused(format!("the object lacks the table {stash}")))?;
    let stash = HashTable::open(map, capacity.words, capacity.stashed);
    let stash = stash.map_err(|error| Error::Refused(format!("the table {name} is of another kind: {error}")))?;
    let (bans, damage) = Bans::adopt(lines, stash, capacity)?;
    if !damage.is_none() {
        let Damage { doubled, misplaced, unflagged, hidden } = damage;
        tracing::warn!(table = name, doubled, misplaced, unflagged, hidden, "a table of bans was left damaged, and is mended");
    }
    Ok(bans)
}

fn take<T: TryFrom<Map, Error = MapError>>(object: &mut Ebpf, name: &str) -> Result<T, Error> {
    let missing = || Error::Refused(format!("the object lacks the table {name}"));
    let map = object.take_map(table::in_object(name)).ok_or_else(missing)?;
    T::try_from(map).map_err(|error| Error::Refused(format!("the table {name} is of another kind: {error}")))
}

/// The error of the kernel inside an error of aya.
pub(crate) fn os(error: MapError) -> io::Error {
    match error {
        MapError::SyscallError(error) => error.io_error,
        MapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

pub(crate) fn read_error(table: &'static str) -> impl Fn(MapError) -> Error {
    move |error| Error::Table { doing: "read", table, source: os(error) }
}

pub(crate) fn write_error(table: &'static str, limit: u32, mend: &'static str) -> impl Fn(MapError) -> Error {
    move |error| match os(error) {
        // Hashes say E2BIG, tries ENOSPC.
        full if matches!(full.raw_os_error(), Some(libc::E2BIG | libc::ENOSPC)) => Error::Full { table, limit, mend },
        source => Error::Table { doing: "write", table, source },
    }
}

pub(crate) fn found<V>(result: Result<V, MapError>) -> Result<Option<V>, MapError> {
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
        self.settings.set(0, Wire(settings), 0).map_err(write_error("settings", 1, ""))
    }

    /// The kernel's clock as it is now.
    pub(crate) fn clock(&self) -> Clock {
        self.ticks.clock()
    }

    /// The entry at exactly this spot.
    pub(crate) fn get(&self, spot: &Spot) -> Result<Option<BanEntry>, Error> {
        let entry = match spot {
            Spot::Bans4(key) => return Ok(self.bans4.get((*key).into())?.map(|held| deadline::of_held(held, 32, &self.clock()))),
            Spot::Bans6(key) => return Ok(self.bans6.get(*key)?.map(|held| deadline::of_held(held, 64, &self.clock()))),
            // A trie answers with the longest match, which may be a wider ban.
            Spot::Nets4(key) => found(self.nets4.get(&key4(key), 0)).map(|entry| entry.filter(|e| e.0.bits == key.bits)),
            Spot::Nets6(key) => found(self.nets6.get(&key6(key), 0)).map(|entry| entry.filter(|e| e.0.bits == key.bits)),
            Spot::Placed(key) => found(self.placed.get(&Wire(*key), 0)),
        };
        entry.map(|entry| entry.map(|Wire(entry)| entry)).map_err(read_error(spot.table().words()))
    }

    /// Enters a ban, or changes it: its hits stay, and get those of `entry` besides. Was there none? What the kernel places
    /// is not for user space to enter.
    pub(crate) fn put(&mut self, spot: &Spot, entry: BanEntry, clock: &Clock) -> Result<bool, Error> {
        let hits = u32::try_from(entry.hits).unwrap_or(u32::MAX);
        match spot {
            Spot::Bans4(key) => self.bans4.put((*key).into(), deadline::life(&entry, clock), hits),
            Spot::Bans6(key) => self.bans6.put(*key, deadline::life(&entry, clock), hits),
            Spot::Nets4(_) | Spot::Nets6(_) | Spot::Placed(_) => self.put_net(spot, entry),
        }
    }

    fn put_net(&mut self, spot: &Spot, entry: BanEntry) -> Result<bool, Error> {
        let is_new = match self.update(spot, entry, NO_EXIST) {
            Ok(()) => true,
            Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::EEXIST) => false,
            Err(error) => return Err(write_error(spot.table().words(), NETS_MAX, MEND_NETS)(error)),
        };
        // Also where somebody else has entered it, so that nobody asked for it yet.
        self.touch(spot);
        if !is_new {
            let hits = self.get(spot)?.map_or(0, |held| held.hits).saturating_add(entry.hits);
            let entry = BanEntry { hits, ..entry };
            self.update(spot, entry, ANY).map_err(write_error(spot.table().words(), NETS_MAX, MEND_NETS))?;
        }
        Ok(is_new)
    }

    fn update(&mut self, spot: &Spot, entry: BanEntry, flags: u64) -> Result<(), MapError> {
        let entry = Wire(entry);
        match spot {
            Spot::Nets4(key) => self.nets4.insert(&key4(key), entry, flags),
            Spot::Nets6(key) => self.nets6.insert(&key6(key), entry, flags),
            Spot::Placed(key) => self.placed.insert(Wire(*key), entry, flags),
            Spot::Bans4(_) | Spot::Bans6(_) => Ok(()),
        }
    }

    /// A prefix is in its trie: the program must ask there from now on.
    fn touch(&mut self, spot: &Spot) {
        match spot {
            Spot::Nets4(key) => self.touch4.add(key),
            Spot::Nets6(key) => self.touch6.add(key),
            _ => {}
        }
    }

    /// Was there an entry?
    pub(crate) fn remove(&mut self, spot: &Spot) -> Result<bool, Error> {
        let removed = match spot {
            Spot::Bans4(key) => return self.bans4.remove((*key).into()),
            Spot::Bans6(key) => return self.bans6.remove(*key),
            Spot::Nets4(key) => self.nets4.remove(&key4(key)),
            Spot::Nets6(key) => self.nets6.remove(&key6(key)),
            Spot::Placed(key) => self.placed.remove(&Wire(*key)),
        };
        let is_gone = found(removed).map_err(write_error(spot.table().words(), 0, ""))?.is_some();
        match spot {
            Spot::Nets4(key) if is_gone => self.touch4.take(key),
            Spot::Nets6(key) if is_gone => self.touch6.take(key),
            _ => {}
        }
        Ok(is_gone)
    }

    /// Reads where many bans will go at once: memory answers for one while the next is asked for.
    pub(crate) fn warm(&self, spots: impl Iterator<Item = Spot> + Clone) {
        self.bans4
            .lines()
            .warm(spots.clone().filter_map(|spot| if let Spot::Bans4(key) = spot { Some(key.into()) } else { None }));
        self.bans6.lines().warm(spots.filter_map(|spot| if let Spot::Bans6(key) = spot { Some(key) } else { None }));
    }

    /// Every entry that the kernel placed.
    pub(crate) fn placed(&self) -> Result<Vec<(Spot, BanEntry)>, Error> {
        all(self.placed.iter(), |Wire(key)| Spot::Placed(key)).map_err(read_error(Table::Placed.words()))
    }

    /// What user space has in the kernel, for a comparison with what it should have.
    pub(crate) fn actual<T>(&self, compare: impl FnOnce(Actual<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let v4 = Reader { lines: self.bans4.lines(), stash: self.bans4.stash(), len: Some(self.bans4.len()) };
        let v6 = Reader { lines: self.bans6.lines(), stash: self.bans6.stash(), len: Some(self.bans6.len()) };
        let mut nets = all(self.nets4.iter(), net4).map_err(read_error(Table::Nets4.words()))?;
        nets.extend(all(self.nets6.iter(), net6).map_err(read_error(Table::Nets6.words()))?);
        compare(Actual { v4: &v4, v6: &v6, nets })
    }

    /// The lines of both families, for another thread to read.
    pub(crate) fn twin_lines(&self, windows_max: usize) -> io::Result<(Lines<V4>, Lines<V6>)> {
        Ok((self.bans4.lines().twin(windows_max)?, self.bans6.lines().twin(windows_max)?))
    }

    /// Maps the lines whole for so many changes or comparisons that it pays, until [`Tables::rest`].
    pub(crate) fn spread_for(&self, changes: usize, compared: usize) {
        if changes >= SPREAD_MIN || compared >= compare::BATCH {
            self.bans4.lines().spread();
            self.bans6.lines().spread();
        }
    }

    /// Lets go of what many changes have mapped, but for what single ones need.
    pub(crate) fn rest(&mut self) {
        self.bans4.rest();
        self.bans6.rest();
    }

    /// Removes exact bans whose end has come. How many went.
    pub(crate) fn sweep(&mut self, boot_ns: u64) -> Result<usize, Error> {
        let now = self.clock().tick(boot_ns);
        Ok(self.bans4.sweep(now)? + self.bans6.sweep(now)?)
    }

    /// Are the headers of the exact bans as they were, and the bits in front of the prefixes? A program that reads others finds nothing.
    pub(crate) fn is_intact(&self) -> bool {
        let has_headers = self.bans4.lines().is_intact() && self.bans6.lines().is_intact();
        has_headers && self.touch4.is_whole() && self.touch6.is_whole()
    }

    /// Writes them again.
    pub(crate) fn restore_fronts(&self) {
        self.bans4.lines().restore();
        self.bans6.lines().restore();
        self.touch4.restore();
        self.touch6.restore();
    }

    /// Counts the exact bans and what they depend on anew: somebody else has entered some, or taken some away. What of it no
    /// program could find goes.
    pub(crate) fn recount(&mut self) -> Result<(), Error> {
        let damage = [self.bans4.survey_again()?, self.bans6.survey_again()?];
        if damage.iter().any(|damage| !damage.is_none()) {
            tracing::warn!(ipv4 = ?damage[0], ipv6 = ?damage[1], "somebody has damaged the tables of bans; they are mended");
        }
        Ok(())
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            bans4: self.bans4.len(),
            bans6: self.bans6.len(),
            nets4: self.touch4.len(),
            nets6: self.touch6.len(),
            is_wide: self.touch6.is_wide(),
        }
    }

    pub(crate) fn fill(&self) -> Fill {
        let [v4, v6] = self.limits;
        let net = |held| Level { held, limit: NETS_MAX as usize, stashed: 0 };
        Fill {
            v4: Level { held: self.bans4.len(), stashed: self.bans4.stashed(), ..v4 },
            v6: Level { held: self.bans6.len(), stashed: self.bans6.stashed(), ..v6 },
            nets4: net(self.touch4.len()),
            nets6: net(self.touch6.len()),
        }
    }

    /// Learns which prefixes an earlier start has left. To the IPv6 filter bits are only added: the program that still runs may
    /// read it with another key.
    fn survey_nets(&mut self) -> Result<(), Error> {
        let nets4 = all(self.nets4.iter(), net4).map_err(read_error(Table::Nets4.words()))?;
        let nets6 = all(self.nets6.iter(), net6).map_err(read_error(Table::Nets6.words()))?;
        self.touch4.learn(nets4.iter().filter_map(|(spot, _)| if let Spot::Nets4(net) = spot { Some(*net) } else { None }));
        nets6.iter().for_each(|(spot, _)| self.touch(spot));
        Ok(())
    }

    /// Only the program of this start runs any more: bits of the IPv6 filter that another key has set may go.
    pub(crate) fn settle(&self) {
        self.touch6.settle();
    }

    /// Puts a listening socket where the steering finds it; the kernel takes it out when the socket is closed.
    pub(crate) fn set_trap(&mut self, index: u32, socket: BorrowedFd<'_>) -> Result<(), Error> {
        self.traps.set(index, &socket, ANY).map_err(write_error("trap sockets", TRAPS_MAX, "give one socket of each family"))
    }

    /// Says which ports are excepted.
    pub(crate) fn set_except(&mut self, words: &[u64]) -> Result<(), Error> {
        let mut indices = 0..;
        words.iter().zip(&mut indices).try_for_each(|(word, index)| self.except.set(index, word, 0)).map_err(write_error(
            "excepted ports",
            EXCEPT_WORDS,
            "name fewer ports",
        ))
    }

    pub(crate) fn counters(&self) -> Result<Counters, Error> {
        let cpus = self.counters.get(&0, 0).map_err(read_error("counters"))?;
        let sum = |counter: Counter| cpus.iter().map(|Wire(values)| values.0[counter as usize]).sum();
        Ok(Counters::of(sum))
    }
}

/// Every banned prefix, through handles that are not in [`Tables`].
pub(crate) fn read_nets(nets4: &Map, nets6: &Map) -> Result<Vec<(Spot, BanEntry)>, Error> {
    let mut nets = LpmTrie::<&MapData, u32, Entry>::try_from(nets4)
        .and_then(|map| all(map.iter(), net4))
        .map_err(read_error(Table::Nets4.words()))?;
    let nets6 = LpmTrie::<&MapData, [u32; 4], Entry>::try_from(nets6).and_then(|map| all(map.iter(), net6));
    nets.extend(nets6.map_err(read_error(Table::Nets6.words()))?);
    Ok(nets)
}

const fn net4(key: Key<u32>) -> Spot {
    Spot::Nets4(NetKey4 { bits: key.prefix_len(), addr: key.data() })
}

const fn net6(key: Key<[u32; 4]>) -> Spot {
    Spot::Nets6(NetKey6 { bits: key.prefix_len(), addr: key.data() })
}

fn all<K>(
    entries: impl Iterator<Item = Result<(K, Entry), MapError>>,
    spot: impl Fn(K) -> Spot,
) -> Result<Vec<(Spot, BanEntry)>, MapError> {
    entries.map(|entry| entry.map(|(key, Wire(entry))| (spot(key), entry))).collect()
}

impl Tables {
    /// Copies the entries of a replaced ban table into its successor. How many did not fit.
    pub(crate) fn copy_from(&mut self, predecessor: &Predecessor) -> Result<usize, Error> {
        let Predecessor { name, map, .. } = predecessor;
        match (*name, map) {
            (table::LINES4, Map::Array(data)) => self.bans4.take_in(lines_of::<V4>(data)?.into_iter()),
            (table::LINES6, Map::Array(data)) => self.bans6.take_in(lines_of::<V6>(data)?.into_iter()),
            (table::BANS4, map) => self.bans4.take_in(hashed::<u32>(map)?.into_iter()),
            (table::BANS6, map) => self.bans6.take_in(hashed::<u64>(map)?.into_iter()),
            (table::PLACED, map) => copy(map, &mut self.placed).map_err(read_error("replaced bans")),
            // The others have one size.
            _ => Ok(0),
        }
    }
}

fn lines_of<S: Shape>(data: &MapData) -> Result<Vec<(u64, Way)>, Error> {
    let elements = data.info().map_err(read_error("replaced bans"))?.max_entries();
    Ok(load::open_lines::<S>(data, elements).map_or_else(Vec::new, |lines| bans::entries(&lines)))
}

fn hashed<K: HashKey>(map: &Map) -> Result<Vec<(u64, Way)>, Error> {
    let map = HashMap::<&MapData, K, Wire<Way>>::try_from(map).map_err(read_error("replaced bans"))?;
    let entries = map.iter().map(|entry| entry.map(|(key, Wire(way))| (key.number(), way)));
    entries.collect::<Result<_, MapError>>().map_err(read_error("replaced bans"))
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

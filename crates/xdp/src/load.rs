//! The program and its tables into the kernel, with what an earlier start has pinned.

mod fixed;

use crate::{
    Error, OnExit, Options, TableKind,
    area::Area,
    lines::{self, Lines, V4, V6},
    pins::{self, Pins},
    steps, system,
    ticks::Ticks,
};
use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel,
    maps::{Map, MapData, MapInfo},
    programs::{ProgramError, Xdp},
};
use fixed::Fixed;
use honeymesh_xdp_abi::{
    AddressKey, AllowFilter, BanEntry, CounterValues, EXCEPT_WORDS, FloodMeter, Header, Line4, Line6, NetKey4, NetKey6,
    RecordLimits, STEPS, ScanBucket, Settings, SourceKey, TOUCH4_WORDS, TOUCH6_WORDS, TRAPS_MAX, Way, table,
};
use std::{os::fd::AsFd, path::PathBuf};

/// Allowed prefixes and banned prefixes that fit into the kernel's tables, of each family.
pub const NETS_MAX: u32 = 65_536;
/// Own addresses that fit into the kernel's table.
pub const LOCAL_MAX: u32 = 4_096;
/// IPv4 bans for each 49 lines: nearly half of their 196 ways are free when the table is full.
const PER_LINES4: u32 = 100;
/// IPv6 bans for each three lines: four of their nine ways are free when the table is full.
const PER_LINES6: u32 = 5;
/// Bans that fit into a hash table behind lines: about one of 300 finds both its lines full, and a few times that is room ...
const STASH_SHARE: u32 = 64;
/// ... but never less than this.
const STASH_MIN: u32 = 4_096;
/// Octets of the ring buffer: about 18,000 knocks.
const RING_LEN: u32 = 1 << 20;
/// How much of the verifier's log an error quotes, from its end.
const LOG_QUOTE_MAX: usize = 600;
/// How often the kernel is asked to verify a program that it gave up on because something disturbed it.
const LOADS_MAX: usize = 5;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/honeymesh.o"));

/// What a table must be like to be adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

const HASH: u32 = 1;
const ARRAY: u32 = 2;
const PROG_ARRAY: u32 = 3;
const PERCPU_ARRAY: u32 = 6;
const LPM_TRIE: u32 = 11;
const SOCKMAP: u32 = 15;
const RINGBUF: u32 = 27;
const NO_PREALLOC: u32 = 1;
const MAPPABLE: u32 = 1 << 10;

fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

fn shape<K, V>(kind: u32, max_entries: u32, flags: u32) -> Shape {
    Shape { kind, key_size: size::<K>(), value_size: size::<V>(), max_entries, flags }
}

/// The shape of every table under these options.
fn shapes(options: &Options) -> [(&'static str, Shape); table::ALL.len()] {
    let ([lines4, lines6], [stash4, stash6]) = (lines(options), stashes(options));
    let budget = options.scan.budget;
    [
        (table::SETTINGS, shape::<u32, Settings>(ARRAY, 1, 0)),
        (table::LINES4, shape::<u32, Line4>(ARRAY, Header::elements(lines4), MAPPABLE)),
        (table::LINES6, shape::<u32, Line6>(ARRAY, Header::elements(lines6), MAPPABLE)),
        (table::BANS4, shape::<u32, Way>(HASH, stash4, NO_PREALLOC)),
        (table::BANS6, shape::<u64, Way>(HASH, stash6, NO_PREALLOC)),
        (table::TOUCH4, shape::<u32, u64>(ARRAY, TOUCH4_WORDS, MAPPABLE)),
        (table::TOUCH6, shape::<u32, u64>(ARRAY, TOUCH6_WORDS, MAPPABLE)),
        (table::NETS4, shape::<NetKey4, BanEntry>(LPM_TRIE, NETS_MAX, NO_PREALLOC)),
        (table::NETS6, shape::<NetKey6, BanEntry>(LPM_TRIE, NETS_MAX, NO_PREALLOC)),
        (table::PLACED, shape::<SourceKey, BanEntry>(HASH, budget, NO_PREALLOC)),
        (table::ALLOW4, shape::<NetKey4, u32>(LPM_TRIE, NETS_MAX, NO_PREALLOC)),
        (table::ALLOW6, shape::<NetKey6, u32>(LPM_TRIE, NETS_MAX, NO_PREALLOC)),
        (table::ALLOWED, shape::<u32, AllowFilter>(ARRAY, 1, 0)),
        (table::LOCAL, shape::<AddressKey, u32>(HASH, LOCAL_MAX, NO_PREALLOC)),
        (table::SCANS, shape::<u32, ScanBucket>(ARRAY, options.scan.buckets(), 0)),
        (table::COUNTERS, shape::<u32, CounterValues>(PERCPU_ARRAY, 1, 0)),
        (table::KNOCKS, Shape { kind: RINGBUF, key_size: 0, value_size: 0, max_entries: RING_LEN, flags: 0 }),
        (table::TRAPS, shape::<u32, u32>(SOCKMAP, TRAPS_MAX, 0)),
        (table::EXCEPT, shape::<u32, u64>(ARRAY, EXCEPT_WORDS, 0)),
        (table::LIMITS, shape::<u32, RecordLimits>(PERCPU_ARRAY, 1, 0)),
        (table::FLOOD, shape::<u32, FloodMeter>(PERCPU_ARRAY, 1, 0)),
        (table::PROOFS, shape::<u32, u64>(ARRAY, 1, 0)),
        (table::STEPS, shape::<u32, u32>(PROG_ARRAY, STEPS, 0)),
    ]
}

/// How many lines the IPv4 and the IPv6 table have; none if the hash tables are to hold everything.
pub(crate) fn lines(options: &Options) -> [u32; 2] {
    match options.table {
        TableKind::Buckets => {
            [options.max_bans.saturating_mul(49).div_ceil(PER_LINES4), options.v6_bans().saturating_mul(3).div_ceil(PER_LINES6)]
        }
        TableKind::Hash => [0, 0],
    }
}

/// How many bans the IPv4 and the IPv6 hash table hold.
pub(crate) fn stashes(options: &Options) -> [u32; 2] {
    let behind = |bans: u32| (bans / STASH_SHARE).max(STASH_MIN).min(bans);
    let all = [options.max_bans, options.v6_bans()];
    match options.table {
        TableKind::Buckets => all.map(behind),
        TableKind::Hash => all,
    }
}

/// What [`load`] made.
pub(crate) struct Loaded {
    pub(crate) object: Ebpf,
    /// How the program takes the lines of IPv4 and of IPv6 to be laid out: as adopted tables are, or as new ones shall be.
    pub(crate) headers: [Header; 2],
    /// Tables of an earlier start that had another shape: their entries are still in force there, until the program is
    /// replaced.
    pub(crate) predecessors: Vec<Predecessor>,
    /// Were the settings adopted?
    pub(crate) is_adopted: bool,
    pub(crate) undo: Undo,
}

/// A table that was replaced, and the name of its successor.
pub(crate) struct Predecessor {
    pub(crate) name: &'static str,
    pub(crate) map: Map,
    /// Do its keys and values mean the same as its successor's?
    pub(crate) is_alike: bool,
}

/// Puts the pins back as they were, unless it is told that all went well.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    made: Vec<PathBuf>,
    moved: Vec<(PathBuf, PathBuf)>,
}

impl Drop for Undo {
    fn drop(&mut self) {
        for path in self.made.drain(..) {
            let _already_gone = pins::remove_file(&path);
        }
        for (aside, home) in self.moved.drain(..) {
            if let Err(error) = std::fs::rename(&aside, &home) {
                tracing::warn!(%error, path = %home.display(), "a pinned table could not be put back");
            }
        }
    }
}

impl Undo {
    /// All went well: what was moved aside may go.
    pub(crate) fn keep(mut self) {
        self.made.clear();
        for (aside, _) in self.moved.drain(..) {
            if let Err(error) = pins::remove_file(&aside) {
                tracing::warn!(%error, "a replaced table stays");
            }
        }
    }
}

/// Makes or adopts the tables and has the kernel verify the program.
pub(crate) fn load(options: &Options, pins: Option<&Pins>, ticks: &Ticks) -> Result<Loaded, Error> {
    let mut fixed = Fixed::new(options, ticks)?;
    let mut loader = EbpfLoader::new();
    // The program carries no type information, and needs none of the kernel's.
    loader.btf(None).verifier_log_level(VerifierLogLevel::STATS);
    let (mut undo, mut predecessors, mut is_adopted) = (Undo::default(), Vec::new(), false);
    for (name, shape) in shapes(options) {
        let in_object = table::in_object(name);
        loader.map_max_entries(in_object, shape.max_entries);
        let Some(pins) = pins else { continue };
        let path = pins.map(name);
        let fate = if path.exists() { fate(name, &path, shape, ticks)? } else { Fate::Make };
        match fate {
            Fate::Make => {}
            Fate::Replace { map, is_alike } => {
                tracing::info!(table = name, is_alike, "a pinned table has another shape and is replaced");
                set_aside(&path, &mut undo)?;
                predecessors.push(Predecessor { name, map, is_alike });
            }
            Fate::Adopt { map, header } => {
                is_adopted |= name == table::SETTINGS;
                fixed.adopt(name, map, header)?;
                loader.map_pin_path(in_object, path);
                continue;
            }
        }
        if options.exit == OnExit::Hold {
            undo.made.push(path.clone());
            loader.map_pin_path(in_object, path);
        }
    }
    fixed.tell(&mut loader);
    let mut object = loader.load(OBJECT).map_err(|error| refused(&error))?;
    let first = program(&mut object)?;
    verified(|| first.load())?;
    steps::load(&mut object)?;
    Ok(Loaded { object, headers: fixed.headers(), predecessors, is_adopted, undo })
}

/// What becomes of a pin.
enum Fate {
    Make,
    /// With what lines say of themselves.
    Adopt {
        map: MapData,
        header: Option<Header>,
    },
    Replace {
        map: Map,
        is_alike: bool,
    },
}

/// aya would adopt whatever is pinned under a name; a table of another shape would corrupt memory.
fn fate(name: &str, path: &std::path::Path, wanted: Shape, ticks: &Ticks) -> Result<Fate, Error> {
    let failed = |error| match system::errno(&error) {
        denied if system::is_denied(denied) => Error::Privilege { doing: format!("open {}", path.display()) },
        _ => Error::Refused(format!("{} is no table: {error}; remove it", path.display())),
    };
    let map = MapData::from_pin(path).map_err(failed)?;
    let found = of(&map.info().map_err(failed)?);
    let header = match name {
        table::LINES4 => header::<V4>(&map, found, ticks),
        table::LINES6 => header::<V6>(&map, found, ticks),
        _ => None,
    };
    let is_usable = header.is_some() || !matches!(name, table::LINES4 | table::LINES6);
    if !is_usable {
        tracing::warn!(
            table = name,
            "a pinned table of bans tells nothing of how it is laid out; it is made anew and filled again"
        );
    }
    if found == wanted && is_usable {
        return Ok(Fate::Adopt { map, header });
    }
    let is_alike = is_usable && Shape { max_entries: wanted.max_entries, ..found } == wanted;
    Ok(Fate::Replace { map: Map::from_map_data(map).map_err(failed)?, is_alike })
}

/// The header of a table of lines that says how it is laid out, with as many lines as there are elements for, and this clock.
fn header<S: crate::lines::Shape>(map: &MapData, shape: Shape, ticks: &Ticks) -> Option<Header> {
    let is_lines =
        (shape.kind, shape.key_size, shape.flags) == (ARRAY, size::<u32>(), MAPPABLE) && shape.value_size == size::<S::Line>();
    let header = *is_lines.then(|| open_lines::<S>(map, shape.max_entries)).flatten()?.header();
    (ticks.fit(&header) && Header::elements(header.lines) == shape.max_entries).then_some(header)
}

/// The lines of a map, if its header says that they are some.
pub(crate) fn open_lines<S: crate::lines::Shape>(map: &MapData, elements: u32) -> Option<Lines<S>> {
    let len = (elements as usize).saturating_mul(size_of::<S::Line>());
    let area = Area::new(map.fd().as_fd(), len, lines::WINDOWS_MAX).ok()?;
    Lines::<S>::found(&area).map(|header| Lines::of(area, header))
}

fn of(info: &MapInfo) -> Shape {
    let kind = info.map_type().map_or(u32::MAX, |kind| kind as u32);
    Shape {
        kind,
        key_size: info.key_size(),
        value_size: info.value_size(),
        max_entries: info.max_entries(),
        flags: info.map_flags(),
    }
}

fn set_aside(path: &std::path::Path, undo: &mut Undo) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("_replaced");
    let aside = path.with_file_name(name);
    pins::remove_file(&aside)?;
    std::fs::rename(path, &aside).map_err(|source| Error::Pin { doing: "move", path: path.to_owned(), source })?;
    undo.moved.push((aside, path.to_owned()));
    Ok(())
}

/// The XDP program of the object.
pub(crate) fn program(object: &mut Ebpf) -> Result<&mut Xdp, Error> {
    let missing = || Error::Refused(format!("the object lacks the XDP program {}", table::PROGRAM));
    object.program_mut(table::PROGRAM).ok_or_else(missing)?.try_into().map_err(|_| missing())
}

/// The program's descriptor, once it is loaded.
pub(crate) fn loaded_program(object: &Ebpf) -> Result<&aya::programs::ProgramFd, Error> {
    let missing = || Error::Refused("the program is not loaded".into());
    let program: &Xdp = object.program(table::PROGRAM).ok_or_else(missing)?.try_into().map_err(|_| missing())?;
    program.fd().map_err(|error| Error::Refused(error.to_string()))
}

/// Has the kernel verify a program. It gives up with `EAGAIN` when something wakes the thread meanwhile, and is asked again then, so
/// often as libbpf does it.
pub(crate) fn verified(mut load: impl FnMut() -> Result<(), ProgramError>) -> Result<(), Error> {
    let is_disturbed = |error: &ProgramError| system::errno(error) == Some(libc::EAGAIN);
    for _ in 1..LOADS_MAX {
        match load() {
            Err(error) if is_disturbed(&error) => {}
            other => return other.map_err(|error| refused(&error)),
        }
    }
    load().map_err(|error| refused(&error))
}

pub(crate) fn refused(error: &(dyn std::error::Error + 'static)) -> Error {
    if system::is_denied(system::errno(error)) {
        return Error::Privilege { doing: "load a kernel program".into() };
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    let start = text.char_indices().rev().nth(LOG_QUOTE_MAX).map_or(0, |(at, _)| at);
    Error::Refused(text.split_off(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_shape() {
        let options = crate::options::tests::options();
        let named: Vec<&str> = shapes(&options).iter().map(|(name, _)| *name).collect();
        assert_eq!(named, table::ALL);
    }

    #[test]
    fn a_load_that_was_disturbed_is_tried_again_but_not_for_ever_and_no_other() {
        let failed = |number: i32| {
            let call = "bpf_prog_load";
            Err(ProgramError::SyscallError(aya::sys::SyscallError { call, io_error: std::io::Error::from_raw_os_error(number) }))
        };
        let after = |disturbances: usize, then: i32| {
            let mut loads = 0;
            let ended = verified(|| {
                loads += 1;
                match then {
                    _ if loads <= disturbances => failed(libc::EAGAIN),
                    0 => Ok(()),
                    other => failed(other),
                }
            });
            (ended.is_ok(), loads)
        };
        assert_eq!(after(0, 0), (true, 1));
        assert_eq!(after(LOADS_MAX - 1, 0), (true, LOADS_MAX));
        assert_eq!(after(LOADS_MAX, 0), (false, LOADS_MAX));
        assert_eq!(after(1, libc::EINVAL), (false, 2));
    }
}

//! A forged flood against real scanners: who is still caught, and by which rule of eviction.

extern crate std;

use super::*;
use crate::testing::{HostKernel, Setting};
use alloc::{
    collections::{BTreeMap, BinaryHeap, VecDeque},
    vec::Vec,
};
use core::cmp::Reverse;

const SECOND: u64 = 1_000_000_000;
const SOURCES: u64 = 65_536;
/// Where the forged and the real come from.
const FORGED: u32 = 0x0a00_0000;
const REAL: u32 = 0xcb00_7100;

/// A table that remembers sources.
trait Memory {
    /// Counts a probe. Is the source at the threshold now?
    fn probe(&mut self, source: u32, port: u16, now_ns: u64) -> bool;
}

/// The table of the kernel's program.
struct Table(HostKernel);

impl Table {
    fn new(window_ns: u64) -> Self {
        let mut setting = Setting::default();
        setting.scan.bucket_mask = SOURCES / 4 - 1;
        setting.scan.window_ns = window_ns;
        let mut kernel = HostKernel::of(&setting);
        (kernel.ring, kernel.budget) = (0, 1 << 20);
        Self(kernel)
    }
}

impl Memory for Table {
    fn probe(&mut self, source: u32, port: u16, now_ns: u64) -> bool {
        self.0.now_ns.set(now_ns);
        let knock = KnockRecord {
            at_ns: 0,
            source: [0; 4],
            dest: [0; 4],
            source_port: 0,
            port,
            family: 4,
            kind: KIND_PROBE,
            fate: 0,
            transport: 6,
        };
        let probe = Probe { source: SourceKey::v4(source), bits: 32, knock };
        matches!(weigh(&probe, &&self.0, Gates::ENFORCING), Weight::Over)
    }
}

/// What was there before: as many sources, and the one unseen for longest gives way.
struct Lru {
    window_ns: u64,
    sources: BTreeMap<u32, (u64, Vec<(u16, u64)>)>,
    order: BTreeMap<u64, u32>,
    next: u64,
}

impl Lru {
    fn new(window_ns: u64) -> Self {
        Self { window_ns, sources: BTreeMap::new(), order: BTreeMap::new(), next: 0 }
    }
}

impl Memory for Lru {
    fn probe(&mut self, source: u32, port: u16, now_ns: u64) -> bool {
        self.next += 1;
        if !self.sources.contains_key(&source)
            && self.sources.len() as u64 >= SOURCES
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.sources.remove(&oldest);
        }
        let (order, ports) = self.sources.entry(source).or_default();
        self.order.remove(order);
        *order = self.next;
        self.order.insert(self.next, source);
        ports.retain(|(known, at)| *known != port && now_ns - at <= self.window_ns);
        ports.push((port, now_ns));
        ports.len() >= 3
    }
}

/// Packets a second, probes of each forged source and the time between them.
#[derive(Clone, Copy)]
struct Flood {
    rate: u64,
    ports: u16,
    gap_ns: u64,
}

/// Real scanners, each with a new port every so many nanoseconds.
struct Scanners<'a> {
    paces_ns: &'a [u64],
    /// When each is due: (time, scanner, number of the probe).
    due: BinaryHeap<Reverse<(u64, u32, u16)>>,
    /// How many probes each had sent when it was caught.
    caught: Vec<Option<u64>>,
}

impl<'a> Scanners<'a> {
    fn new(paces_ns: &'a [u64], start: u64) -> Self {
        let due = (0..).zip(paces_ns).map(|(index, _)| Reverse((start + u64::from(index) * 7_919_000, index, 1))).collect();
        Self { paces_ns, due, caught: alloc::vec![None; paces_ns.len()] }
    }

    /// Sends what is due until `now`.
    fn probe(&mut self, memory: &mut dyn Memory, now: u64) {
        while let Some(Reverse((at, index, count))) = self.due.pop() {
            if at > now {
                self.due.push(Reverse((at, index, count)));
                return;
            }
            if memory.probe(REAL + index, 1_000 + count, at) {
                self.caught[index as usize] = Some(count.into());
            } else {
                self.due.push(Reverse((at + self.paces_ns[index as usize], index, count + 1)));
            }
        }
    }
}

/// Forged sources, whose later probes come when their time has.
struct Forger {
    flood: Flood,
    number: u32,
    later: VecDeque<(u64, u32, u16)>,
}

impl Forger {
    fn probe(&mut self, memory: &mut dyn Memory, now: u64) {
        let Flood { ports, gap_ns, .. } = self.flood;
        let (source, left) = match self.later.front() {
            Some((at, ..)) if *at <= now => self.later.pop_front().map(|(_, source, left)| (source, left)).unwrap(),
            _ => {
                self.number += 1;
                (FORGED + self.number, ports)
            }
        };
        memory.probe(source, 20 + left, now);
        if left > 1 {
            self.later.push_back((now + gap_ns, source, left - 1));
        }
    }
}

/// Lets scanners scan through a flood for some seconds; how many probes each had sent when it was caught.
fn run(memory: &mut dyn Memory, flood: Flood, paces_ns: &[u64], seconds: u64) -> Vec<Option<u64>> {
    let start = 1_000 * SECOND;
    let mut scanners = Scanners::new(paces_ns, start);
    let mut forger = Forger { flood, number: 0, later: VecDeque::new() };
    for packet in 0..seconds * flood.rate {
        let now = start + packet * SECOND / flood.rate;
        scanners.probe(memory, now);
        forger.probe(memory, now);
    }
    scanners.caught
}

const WINDOW: u64 = 60 * SECOND;
/// 25 scanners of each pace: a new port every 10 ms, 100 ms, second, five seconds.
const PACES: [u64; 4] = [SECOND / 100, SECOND / 10, SECOND, 5 * SECOND];
const EACH: usize = 25;

fn paces() -> Vec<u64> {
    PACES.iter().flat_map(|pace| [*pace; EACH]).collect()
}

/// How many scanners of each pace were caught, and how many probes the slowest of them needed.
fn table(caught: &[Option<u64>]) -> Vec<(usize, u64)> {
    let row = |part: &[Option<u64>]| (part.iter().flatten().count(), part.iter().flatten().copied().max().unwrap_or(0));
    caught.chunks(EACH).map(row).collect()
}

#[test]
fn without_a_flood_the_third_port_of_everybody_is_the_last() {
    let (memory, paces) = (&mut Table::new(WINDOW), paces());
    let mut scanners = Scanners::new(&paces, 1_000 * SECOND);
    scanners.probe(memory, 1_020 * SECOND);
    assert_eq!(table(&scanners.caught), [(EACH, 3); 4]);
}

#[test]
fn five_million_forged_sources_hide_no_scanner_that_an_lru_would_lose() {
    let flood = Flood { rate: 50_000, ports: 1, gap_ns: 0 };
    let ours = table(&run(&mut Table::new(WINDOW), flood, &paces(), 110));
    let lru = table(&run(&mut Lru::new(WINDOW), flood, &paces(), 110));
    std::println!("one port each: ours {ours:?}, an LRU {lru:?}");
    assert_eq!([ours[0].0, ours[1].0, ours[2].0], [EACH; 3]);
    assert!(ours[3].0 >= EACH * 4 / 5 && lru[3].0 == 0, "the slow ones: {ours:?}, {lru:?}");
}

#[test]
fn forged_sources_with_two_ports_each_hide_most_of_them_neither() {
    for gap_ns in [0, 5 * SECOND] {
        let ours = table(&run(&mut Table::new(WINDOW), Flood { rate: 50_000, ports: 2, gap_ns }, &paces(), 110));
        std::println!("two ports each, {} ms apart: ours {ours:?}", gap_ns / 1_000_000);
        assert_eq!([ours[0].0, ours[1].0], [EACH; 2]);
        assert!(ours[2].0 >= EACH - 2 && ours[3].0 >= EACH / 2, "the slow ones: {ours:?}");
    }
}

#[test]
fn who_was_a_suspect_before_the_flood_is_one_after_it() {
    let flood = |memory: &mut dyn Memory| {
        for suspect in 0..100 {
            assert!(!memory.probe(REAL + suspect, 1, 1_000 * SECOND) && !memory.probe(REAL + suspect, 2, 1_010 * SECOND));
        }
        // Two million sources in twenty seconds.
        for forged in 0..2_000_000 {
            memory.probe(FORGED + forged, 20, 1_020 * SECOND + u64::from(forged) * 10_000);
        }
        (0..100).filter(|suspect| memory.probe(REAL + suspect, 3, 1_041 * SECOND)).count()
    };
    let (ours, lru) = (flood(&mut Table::new(WINDOW)), flood(&mut Lru::new(WINDOW)));
    std::println!("suspects that outlived two million sources: ours {ours}, an LRU {lru}");
    assert!(ours >= 90 && lru == 0, "{ours} {lru}");
}

/// One port every twenty minutes and a window of a day, while a hundred strangers a second knock once: the table holds those of
/// eleven minutes.
#[test]
fn a_port_every_twenty_minutes_is_a_scan_amid_the_noise() {
    let day = 24 * 3_600 * SECOND;
    let (noise, seconds) = (Flood { rate: 100, ports: 1, gap_ns: 0 }, 6 * 3_600);
    let paces = [20 * 60 * SECOND; 100];
    let ours = run(&mut Table::new(day), noise, &paces, seconds);
    let lru = run(&mut Lru::new(day), noise, &paces, seconds);
    let caught = |all: &[Option<u64>]| all.iter().flatten().count();
    let at_once = ours.iter().flatten().filter(|probes| **probes == 3).count();
    std::println!("a port every twenty minutes: ours {} ({at_once} by their third), an LRU {}", caught(&ours), caught(&lru));
    assert!(caught(&ours) >= 85 && caught(&lru) == 0);
}

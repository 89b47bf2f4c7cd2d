//! Tables in plain memory.

use super::*;
use crate::{
    area::{Area, Seen},
    compare::Reader,
    lines::{V4, V6},
};
use honeymesh_xdp_abi::{Header, LINE_LEN, SCOPE_ALL, SCOPE_DARK};
use honeymesh_xdp_program::bucket::{Glance, Hits, Line, find, glance};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering::Acquire},
    },
};

/// A hash table in plain memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plain(pub(crate) BTreeMap<u64, Way>);

impl Stash for Plain {
    fn get(&self, key: u64) -> Result<Option<Way>, Error> {
        Ok(self.0.get(&key).copied())
    }

    fn put(&mut self, key: u64, way: Way) -> Result<(), Error> {
        self.0.insert(key, way);
        Ok(())
    }

    fn remove(&mut self, key: u64) -> Result<bool, Error> {
        Ok(self.0.remove(&key).is_some())
    }

    fn all(&self) -> Result<Vec<(u64, Way)>, Error> {
        Ok(self.0.iter().map(|(key, way)| (*key, *way)).collect())
    }
}

pub(crate) struct Table<S> {
    pub(crate) bans: Bans<S, Plain>,
}

impl<S: Shape> Table<S> {
    pub(crate) fn new(lines: u32, bans: u32) -> Self {
        // Too few windows for the large ones: part of it is always away.
        let area = Area::zeroed(Header::elements(lines) as usize * LINE_LEN, 18);
        let multipliers = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];
        let lines = Lines::format(area, Header { lines, secret: 99, multipliers, ..Header::default() });
        let capacity = Capacity { bans, stashed: bans, words: "bans", mend: "" };
        Self { bans: Bans::adopt(lines, Plain::default(), capacity).unwrap().0 }
    }

    pub(crate) fn reader(&self) -> Reader<'_, S, Plain> {
        Reader { lines: self.bans.lines(), stash: self.bans.stash(), len: Some(self.bans.len()) }
    }
}

/// The program's reader over the writer's memory: the very code that runs in the kernel.
struct InMemory<'l, 'a, S: Shape> {
    lines: &'a Lines<S>,
    looks: &'l Looks<'a, S>,
    stash: &'a BTreeMap<u64, Stashed>,
    tick: u64,
}

/// What the kernel's hash table holds: its value is shared, so the program's hits are seen.
struct Stashed {
    life: Life,
    hits: AtomicU32,
}

/// Lines that a look has seen: their windows stay until it is over.
type Looks<'a, S> = RefCell<Vec<Seen<'a, <S as Shape>::Line>>>;

impl<S: Shape> Clone for InMemory<'_, '_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Shape> Copy for InMemory<'_, '_, S> {}

struct Row<'a, S: Shape>(&'a S::Line);

impl<S: Shape> Clone for Row<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Shape> Copy for Row<'_, S> {}

#[derive(Clone, Copy, Debug)]
struct Counter<'a>(&'a AtomicU32);

impl Hits for Counter<'_> {
    fn hit(self) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn index(way: u64) -> usize {
    usize::try_from(way).unwrap()
}

impl<'a, S: Shape> Line for Row<'a, S> {
    const WAYS: u64 = S::WAYS as u64;
    const IS_NARROW: bool = S::WAYS == 4;
    type Hits = Counter<'a>;

    fn key(self, way: u64) -> u64 {
        let key = S::key(self.0, index(way));
        std::sync::atomic::fence(Acquire);
        key
    }

    fn life(self, way: u64) -> u64 {
        let life = S::life(self.0, index(way));
        std::sync::atomic::fence(Acquire);
        life.0
    }

    fn hits(self, way: u64) -> Counter<'a> {
        Counter(S::hits(self.0, index(way)))
    }

    fn is_overflowed(self) -> bool {
        S::is_overflowed(self.0)
    }

    fn opaque(value: u64) -> u64 {
        value
    }
}

impl<'a, S: Shape> honeymesh_xdp_program::bucket::Bans for InMemory<'_, 'a, S> {
    type Line = Row<'a, S>;

    fn header(self) -> Option<Header> {
        Some(*self.lines.header())
    }

    fn line(self, element: u32) -> Option<Row<'a, S>> {
        assert!(element >= 1 && element <= self.lines.header().lines);
        let (line, seen) = self.lines.line(element).apart();
        self.looks.borrow_mut().push(seen);
        Some(Row(line))
    }

    fn front(self, element: u32, slot: u32) -> u16 {
        self.lines.front_at(element, slot)
    }

    fn stashed(self, key: u64) -> Option<(Life, Counter<'a>)> {
        self.stash.get(&key).map(|way| (way.life, Counter(&way.hits)))
    }

    fn jiffies(self) -> u64 {
        self.tick << self.lines.header().tick_shift
    }
}

/// A packet from `key` at `tick`: is it banned, and how? Its hit is counted.
fn packet<S: Shape>(bans: &mut Bans<S, Plain>, key: u64, tick: u64) -> Option<Life> {
    let copy = |(key, way): (&u64, &Way)| (*key, Stashed { life: Life(way.life), hits: AtomicU32::new(way.hits) });
    // Only what may be asked for: the table is copied for each packet.
    let stash: BTreeMap<u64, Stashed> = bans.stash.0.get_key_value(&key).map(copy).into_iter().collect();
    let looks = Looks::<S>::default();
    let table = InMemory { lines: &bans.lines, looks: &looks, stash: &stash, tick };
    let found = find(table, key);
    match (glance(table, key), found.map(|found| found.life.scope())) {
        (Glance::Unsure, _) | (Glance::Banned(_), Some(SCOPE_ALL)) | (Glance::Nothing, None | Some(SCOPE_DARK)) => {}
        (glance, found) => panic!("a glance at {key:x} tells {glance:?}, and a look {found:?}"),
    }
    if let Some(found) = &found {
        found.hits.hit();
    }
    let life = found.map(|found| found.life.of_ban());
    if let (Some(way), Some(stashed)) = (bans.stash.0.get_mut(&key), stash.get(&key)) {
        way.hits = stashed.hits.load(Relaxed);
    }
    life
}

/// What a table should hold.
#[derive(Default)]
struct Model(BTreeMap<u64, Held>);

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }
}

/// A run of random steps over a table and the model.
struct Run<S> {
    table: Bans<S, Plain>,
    model: Model,
    random: Random,
    keys: u64,
    tick: u64,
    refused: u64,
    high_stash: usize,
}

impl<S: Shape> Run<S> {
    fn new(lines: u32, bans: u32, keys: u64, seed: u64) -> Self {
        let table = Table::<S>::new(lines, bans).bans;
        Self { table, model: Model::default(), random: Random(seed), keys, tick: 1_000, refused: 0, high_stash: 0 }
    }

    /// Spread as addresses are: neighbours, and the same host part in many networks.
    fn key(&mut self) -> u64 {
        let number = self.random.below(self.keys) + 1;
        if number.is_multiple_of(2) { number } else { number << 12 & 0xffff_ffff | 5 }
    }

    fn step(&mut self) {
        let key = self.key();
        match self.random.below(100) {
            0..35 => self.raise(key),
            35..55 => self.lift(key),
            55..97 => self.send(key),
            97 => self.tick += self.random.below(20),
            98 if self.random.below(50) == 0 => self.sweep(),
            _ if self.random.below(500) == 0 => self.move_over(),
            _ => self.send(key),
        }
        self.high_stash = self.high_stash.max(self.table.stashed());
        assert_eq!(self.table.len(), self.model.0.len());
    }

    fn raise(&mut self, key: u64) {
        let expiry = match self.random.below(8) {
            0 => Life::FOREVER,
            _ => u32::try_from(self.tick + self.random.below(200)).unwrap(),
        };
        let reasons = u16::try_from(self.random.below(32)).unwrap();
        let life = Life::new(expiry, reasons, u8::from(self.random.below(2) == 0), 3);
        let hits = u32::try_from(self.random.below(3)).unwrap();
        let capacity = self.table.capacity;
        match self.table.put(key, life, hits) {
            Ok(is_new) => {
                let old = self.model.0.get(&key).map(|held| held.hits);
                assert_eq!(is_new, old.is_none());
                self.model.0.insert(key, Held { life, hits: old.unwrap_or(0) + hits });
            }
            Err(Error::Full { .. }) => {
                let is_full = self.model.0.len() >= capacity.bans as usize || self.table.stashed() >= capacity.stashed as usize;
                assert!(is_full && !self.model.0.contains_key(&key), "refused without need");
                self.refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(self.table.get(key).unwrap(), self.model.0.get(&key).copied());
    }

    fn lift(&mut self, key: u64) {
        assert_eq!(self.table.remove(key).unwrap(), self.model.0.remove(&key).is_some());
        assert_eq!(self.table.get(key).unwrap(), None);
    }

    fn send(&mut self, key: u64) {
        let held = self.model.0.get_mut(&key).filter(|held| held.life.is_live(self.tick));
        let wanted = held.map(|held| {
            held.hits += 1;
            held.life
        });
        assert_eq!(packet(&mut self.table, key, self.tick), wanted);
    }

    fn sweep(&mut self) {
        let before = self.model.0.len();
        self.model.0.retain(|_, held| held.life.is_live(self.tick));
        assert_eq!(self.table.sweep(self.tick).unwrap(), before - self.model.0.len());
    }

    /// Another process adopts the table, or moves everything into one of another size.
    fn move_over(&mut self) {
        let mut capacity = self.table.capacity;
        let lines = self.table.lines.twin(3).unwrap();
        let stash = Plain(std::mem::take(&mut self.table.stash.0));
        if self.random.below(2) == 0 {
            let (table, damage) = Bans::adopt(lines, stash, capacity).unwrap();
            assert!(damage.is_none(), "{damage:?}");
            self.table = table;
            return;
        }
        let count = 1 + u32::try_from(self.random.below(u64::from(lines.header().lines) * 2)).unwrap();
        capacity.stashed = capacity.bans;
        let mut table = Table::<S>::new(count, capacity.bans).bans;
        assert_eq!(table.take_in(entries(&lines).into_iter().chain(stash.0)).unwrap(), 0);
        self.table = table;
    }

    fn compare(&mut self) {
        let mut held: BTreeMap<u64, Held> = BTreeMap::new();
        let all = entries(&self.table.lines).into_iter().chain(self.table.stash.0.clone());
        for (key, way) in all {
            let twice = held.insert(key, Held { life: Life(way.life), hits: way.hits });
            assert!(twice.is_none(), "{key:x} is there twice");
        }
        assert_eq!(held, self.model.0);
        for key in self.model.0.keys().copied().collect::<Vec<_>>() {
            self.send(key);
        }
    }

    /// Lifts all; nothing may stay.
    fn empty(&mut self) {
        for key in self.model.0.keys().copied().collect::<Vec<_>>() {
            self.lift(key);
        }
        let lines = &self.table.lines;
        let flagged = (1..=lines.header().lines).filter(|element| S::is_overflowed(&lines.line(*element))).count();
        assert_eq!((self.table.len(), self.table.stashed(), flagged), (0, 0, 0), "no flag outlives who needed it");
    }
}

/// Lines, bans that fit, keys, steps.
const RUNS: [(u32, u32, u64, u32); 9] = [
    (1, 40, 60, 40_000),
    (2, 24, 40, 60_000),
    (7, 28, 200, 100_000),
    (64, 200, 300, 200_000),
    // Large enough to be asked for fronts.
    (5_000, 10_000, 15_000, 300_000),
    // At load 0.5, as tables are made; in the next they are asked for four times what fits.
    (500, 1_000, 1_500, 300_000),
    (500, 1_000, 4_000, 300_000),
    (500, 2_000, 4_000, 200_000),
    (5_000, 10_000, 12_000, 300_000),
];

fn differ<S: Shape>() {
    for (round, (lines, bans, keys, steps)) in RUNS.into_iter().enumerate() {
        let mut run = Run::<S>::new(lines, bans, keys, 77 + round as u64);
        for step in 0..steps {
            run.step();
            if step % 10_000 == 0 {
                run.compare();
            }
        }
        run.compare();
        run.empty();
        assert!(bans as u64 * 2 > keys || run.refused > 0, "it was never full");
    }
}

#[test]
fn millions_of_random_steps_leave_what_a_plain_map_holds_ipv4() {
    differ::<V4>();
}

#[test]
fn millions_of_random_steps_leave_what_a_plain_map_holds_ipv6() {
    differ::<V6>();
}

#[test]
fn a_table_filled_to_the_last_ban_refuses_the_next_and_hardly_needs_the_hash_table() {
    let mut table = Table::<V4>::new(25_000, 50_000).bans;
    let life = Life::new(Life::FOREVER, 1, 1, 1);
    for key in 1..=50_000_u64 {
        assert!(table.put(key.rotate_left(16) & 0xffff_ffff | key >> 16, life, 0).unwrap());
    }
    assert!(matches!(table.put(0xdead_beef, life, 0), Err(Error::Full { limit: 50_000, .. })));
    assert!(table.stashed() < 50, "{} of 50,000 found both lines full", table.stashed());
    assert!((1..=50_000_u64).all(|key| packet(&mut table, key.rotate_left(16) & 0xffff_ffff | key >> 16, 5) == Some(life)));
    assert_eq!(packet(&mut table, 0xdead_beef, 5), None);
}

#[test]
fn a_full_table_of_ipv6_bans_hardly_needs_the_hash_table_either() {
    let mut table = Table::<V6>::new(30_000, 50_000).bans;
    let life = Life::new(Life::FOREVER, 1, 1, 1);
    for key in 1..=50_000_u64 {
        assert!(table.put(key << 40 | 0x2001, life, 0).unwrap());
    }
    assert!(table.stashed() < 250, "{} of 50,000 found both lines full", table.stashed());
}

#[test]
fn a_table_that_has_seen_much_is_as_good_as_new() {
    let mut table = Table::<V4>::new(2_000, 4_000).bans;
    let life = Life::new(Life::FOREVER, 1, 1, 1);
    let mut random = Random(5);
    let mut held = std::collections::VecDeque::new();
    let mut stashed = 0;
    for step in 0..400_000_u32 {
        let key = random.below(0xffff_ffff) + 1;
        if held.len() == 4_000 {
            assert!(table.remove(held.pop_front().unwrap()).unwrap());
        }
        if table.put(key, life, 0).unwrap() {
            held.push_back(key);
        }
        if step == 8_000 {
            stashed = table.stashed();
        }
    }
    assert!(table.stashed() <= stashed + 40, "{} after {stashed}", table.stashed());
}

#[test]
fn a_banned_key_is_found_at_every_moment_while_others_push_it_around() {
    let mut table = Table::<V4>::new(64, 4_096).bans;
    let life = Life::new(Life::FOREVER, 1, 1, 1);
    let wanted: Vec<u64> = (1..=60).map(|number| number * 0x0101_0101).collect();
    wanted.iter().for_each(|key| assert!(table.put(*key, life, 0).unwrap()));
    let (lines, stop, homing) = (table.lines.twin(2).unwrap(), Arc::new(AtomicBool::new(false)), Arc::new(RwLock::new(())));
    // The reader has a hash table of its own, in which nothing is: the wanted must stay in lines.
    let (watched, stopped, at_home) = (wanted.clone(), stop.clone(), homing.clone());
    let reader = std::thread::spawn(move || {
        let (stash, mut looks) = (BTreeMap::new(), 0_u64);
        while !stopped.load(Relaxed) {
            let _nobody_goes_home = at_home.read().unwrap();
            for key in &watched {
                let seen = Looks::<V4>::default();
                let found = find(InMemory { lines: &lines, looks: &seen, stash: &stash, tick: 5 }, *key);
                let found = found.map(|found| found.life.of_ban());
                assert_eq!(found, Some(life), "{key:x} after {looks} looks");
                looks += 1;
            }
        }
        looks
    });
    let (mut random, mut moves) = (Random(3), 0);
    for _ in 0..20_000 {
        {
            // A ban never goes back by itself; here it is made to, while nobody looks.
            let _nobody_looks = homing.write().unwrap();
            for key in &wanted {
                table.remove(*key).unwrap();
                table.put(*key, life, 0).unwrap();
            }
        }
        let homes = |table: &Bans<V4, Plain>| wanted.iter().map(|key| table.lines.seat(*key)).collect::<Vec<_>>();
        let before = homes(&table);
        let others: Vec<u64> = (0..160).map(|_| random.below(0xffff_fff0) + 1).filter(|key| !wanted.contains(key)).collect();
        for key in &others {
            // Another life: whoever reads it for a wanted key has read too late.
            table.put(*key, Life::new(7, 9, 0, 2), 0).unwrap();
        }
        moves += homes(&table).iter().zip(&before).filter(|(now, before)| now != before).count();
        for key in &others {
            table.remove(*key).unwrap();
        }
    }
    stop.store(true, Relaxed);
    let looks = reader.join().unwrap();
    assert!(looks > 1_000 && moves > 10_000, "{looks} looks, {moves} moves");
}

#[test]
fn what_a_writer_left_in_the_middle_of_a_step_is_mended() {
    let mut table = Table::<V4>::new(8, 64).bans;
    let life = Life::new(50, 1, 1, 1);
    (1..=12_u64).for_each(|key| assert!(table.put(key << 8, life, 4).unwrap()));
    let lines = table.lines.twin(2).unwrap();
    let adopt = || Bans::<V4, Plain>::adopt(lines.twin(2).unwrap(), table.stash.clone(), table.capacity).unwrap();
    assert!(adopt().1.is_none());
    // A copy stands and its original is not gone; a life without a key; a flag that nobody needs.
    let (element, way, key) = {
        let mut at_home = None;
        lines.each(|element, way, key| {
            if lines.place(key).0 == element && lines.place(key).1 != element {
                at_home = Some((element, way, key));
            }
        });
        at_home.unwrap()
    };
    let to = lines.line(lines.place(key).1);
    let free = (0..V4::WAYS).find(|way| V4::key(&to, *way) == 0).unwrap();
    V4::set_overflowed(&lines.line(element), true);
    V4::set_life(&to, free, life);
    V4::set_key(&to, free, key);
    let (bans, damage) = adopt();
    assert_eq!((damage, bans.len()), (Damage { doubled: 1, ..Damage::default() }, 12));
    assert_eq!((V4::key(&to, free), V4::key(&lines.line(element), way)), (0, key));
    // A ban where no reader looks for it.
    let wrong = (1..=8).find(|element| ![lines.place(key).0, lines.place(key).1].contains(element)).unwrap();
    let free = (0..V4::WAYS).find(|way| V4::key(&lines.line(wrong), *way) == 0).unwrap();
    V4::set_key(&lines.line(wrong), free, key);
    assert_eq!(adopt().1, Damage { misplaced: 1, ..Damage::default() });
    assert!(adopt().1.is_none(), "once is enough");
    // A flag that is needed and is not there.
    (1..=8).for_each(|element| V4::set_overflowed(&lines.line(element), false));
    let needed = table.away.iter().filter(|away| **away > 0).count();
    assert_eq!(adopt().1.unflagged, needed);
}

#[test]
fn hits_stop_at_the_most_and_never_begin_again() {
    let mut table = Table::<V6>::new(4, 8).bans;
    let life = Life::new(Life::FOREVER, 1, 1, 1);
    table.put(7, life, HITS_MAX - 1).unwrap();
    table.put(7, life, 5).unwrap();
    assert_eq!(table.get(7).unwrap(), Some(Held { life, hits: HITS_MAX }));
}

/// What somebody else does to the lines: keys of others in free ways, and bans that are taken out.
fn meddle<S: Shape>(bans: &Bans<S, Plain>, random: &mut Random, foreign: u64) -> Option<u64> {
    let element = 1 + u32::try_from(random.below(u64::from(bans.lines.header().lines))).unwrap();
    let way = index(random.below(S::WAYS as u64));
    let line = bans.lines.line(element);
    match S::key(&line, way) {
        0 => {
            let (first, second) = bans.lines.place(foreign);
            let seat = [first, second].into_iter().find_map(|element| Some((element, bans.free(element)?)));
            if let Some((element, way)) = seat {
                S::set_life(&bans.lines.line(element), way, Life::new(Life::FOREVER, 1, 1, 1));
                S::set_key(&bans.lines.line(element), way, foreign);
            }
            None
        }
        key => {
            S::set_key(&line, way, 0);
            Some(key)
        }
    }
}

fn is_whole_after_meddling<S: Shape>() {
    const BANS: u64 = 180;
    let mut bans = Table::<S>::new(64, 300).bans;
    let life = Life::new(Life::FOREVER, 1, 1, 1);
    (1..=BANS).for_each(|key| assert!(bans.put(key << 9, life, 0).unwrap()));
    let (mut random, mut foreign) = (Random(7), 1_u64 << 30);
    let mut gone_at_all = 0;
    for round in 0..400 {
        let mut gone = Vec::new();
        for _ in 0..20 {
            foreign += 1;
            gone.extend(meddle(&bans, &mut random, foreign));
        }
        // As an audit finds it: who is too many, and who is missing.
        let extra: Vec<u64> = entries(&bans.lines).into_iter().map(|(key, _)| key).filter(|key| *key > BANS << 9).collect();
        bans.survey_again().unwrap();
        extra.into_iter().for_each(|key| assert!(bans.remove(key).unwrap(), "{round}"));
        gone_at_all += gone.len();
        gone.into_iter().filter(|key| *key <= BANS << 9).for_each(|key| assert!(bans.put(key, life, 0).unwrap(), "{round}"));
        assert_eq!(bans.len() as u64, BANS, "{round}");
        assert!((1..=BANS).all(|key| packet(&mut bans, key << 9, 5) == Some(life)), "{round}: a ban is hidden");
    }
    assert!(gone_at_all > 1_000, "{gone_at_all}");
    (1..=BANS).for_each(|key| assert!(bans.remove(key << 9).unwrap()));
    let flagged = (1..=64).filter(|element| S::is_overflowed(&bans.lines.line(*element))).count();
    assert_eq!((bans.len(), bans.stashed(), flagged), (0, 0, 0));
}

#[test]
fn whatever_somebody_else_enters_and_takes_out_no_ban_is_hidden_once_it_is_mended() {
    is_whole_after_meddling::<V4>();
    is_whole_after_meddling::<V6>();
}

#[test]
fn a_sweep_that_meets_what_was_never_entered_counts_anew() {
    let mut bans = Table::<V4>::new(8, 64).bans;
    bans.put(1 << 9, Life::new(Life::FOREVER, 1, 1, 1), 0).unwrap();
    for foreign in 2..=4_u64 {
        let (element, way) = (bans.lines.place(foreign << 9).0, index(foreign - 1));
        V4::set_life(&bans.lines.line(element), way, Life::new(3, 1, 1, 1));
        V4::set_key(&bans.lines.line(element), way, foreign << 9);
    }
    bans.sweep(50).unwrap();
    assert_eq!(bans.len(), 1, "one ban is left, and its gate stays open");
}

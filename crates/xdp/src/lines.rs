//! The lines of exact bans as atomics, for both families behind one trait.
#![expect(unsafe_code, reason = "the types promise to be made of atomics only")]

use crate::area::{Area, Cells, Seen, Walk};
use honeymesh_xdp_abi::{FRONTS, Front, Header, LINE_LEN, Life, Line4, Line6, Place, WAYS4, WAYS6};
use std::{
    io,
    marker::PhantomData,
    ops::Range,
    sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release},
};

/// Windows that stay mapped for the owner of a table, 4 MiB: all of a table for 100,000 bans; fronts of a million, and lines of
/// the last ones.
pub(crate) const WINDOWS_MAX: usize = 256;
/// Ways of a line of either family, at most.
const WAYS_MAX: usize = WAYS4;
/// How many look-ups are under way at once, where all is mapped.
const BATCH: usize = 32;
/// Lines that are gone through together: as many as a walk maps at once.
const PART: u32 = 1 << 12;

/// How one family's lines are laid out. Every store is a release: a reader that sees it sees all before it.
pub(crate) trait Shape: 'static {
    /// A line.
    type Line: Cells;
    const WAYS: usize;

    fn key(line: &Self::Line, way: usize) -> u64;
    fn set_key(line: &Self::Line, way: usize, key: u64);
    /// Without the line's flag.
    fn life(line: &Self::Line, way: usize) -> Life;
    /// The line's flag stays.
    fn set_life(line: &Self::Line, way: usize, life: Life);
    fn hits(line: &Self::Line, way: usize) -> &AtomicU32;
    fn is_overflowed(line: &Self::Line) -> bool;
    fn set_overflowed(line: &Self::Line, on: bool);
}

/// IPv4.
#[derive(Debug)]
pub(crate) struct V4;

/// IPv6.
#[derive(Debug)]
pub(crate) struct V6;

#[repr(C)]
struct WayCells {
    key: AtomicU32,
    hits: AtomicU32,
    life: AtomicU64,
}

/// [`Line4`].
#[repr(C, align(64))]
pub(crate) struct Cells4([WayCells; WAYS4]);

/// [`Line6`].
#[repr(C, align(64))]
pub(crate) struct Cells6 {
    keys: [AtomicU64; WAYS6],
    lives: [AtomicU64; WAYS6],
    hits: [AtomicU32; WAYS6],
    flags: AtomicU32,
}

/// [`Header`].
#[repr(C, align(64))]
struct HeaderCells([AtomicU64; LINE_LEN / 8]);

/// The [`Front`]s of some lines.
#[repr(C, align(64))]
struct FrontCells([AtomicU16; FRONTS as usize]);

const _: () = assert!(size_of::<FrontCells>() == LINE_LEN);
const _: () = assert!(size_of::<Cells4>() == size_of::<Line4>() && size_of::<Cells6>() == size_of::<Line6>());
const _: () = assert!(size_of::<HeaderCells>() == size_of::<Header>());

// SAFETY: atomics only.
unsafe impl Cells for Cells4 {}
// SAFETY: atomics only.
unsafe impl Cells for Cells6 {}
// SAFETY: atomics only.
unsafe impl Cells for HeaderCells {}
// SAFETY: atomics only.
unsafe impl Cells for FrontCells {}

impl Shape for V4 {
    type Line = Cells4;
    const WAYS: usize = WAYS4;

    fn key(line: &Cells4, way: usize) -> u64 {
        line.0[way].key.load(Relaxed).into()
    }

    fn set_key(line: &Cells4, way: usize, key: u64) {
        line.0[way].key.store(low(key), Release);
    }

    fn life(line: &Cells4, way: usize) -> Life {
        Life(line.0[way].life.load(Relaxed)).of_ban()
    }

    fn set_life(line: &Cells4, way: usize, life: Life) {
        let flag = if way == 0 { line.0[0].life.load(Relaxed) & Life::OVERFLOWED } else { 0 };
        line.0[way].life.store(life.of_ban().0 | flag, Release);
    }

    fn hits(line: &Cells4, way: usize) -> &AtomicU32 {
        &line.0[way].hits
    }

    fn is_overflowed(line: &Cells4) -> bool {
        line.0[0].life.load(Relaxed) & Life::OVERFLOWED != 0
    }

    fn set_overflowed(line: &Cells4, on: bool) {
        let life = Life(line.0[0].life.load(Relaxed)).of_ban().0;
        line.0[0].life.store(if on { life | Life::OVERFLOWED } else { life }, Release);
    }
}

impl Shape for V6 {
    type Line = Cells6;
    const WAYS: usize = WAYS6;

    fn key(line: &Cells6, way: usize) -> u64 {
        line.keys[way].load(Relaxed)
    }

    fn set_key(line: &Cells6, way: usize, key: u64) {
        line.keys[way].store(key, Release);
    }

    fn life(line: &Cells6, way: usize) -> Life {
        Life(line.lives[way].load(Relaxed)).of_ban()
    }

    fn set_life(line: &Cells6, way: usize, life: Life) {
        line.lives[way].store(life.of_ban().0, Release);
    }

    fn hits(line: &Cells6, way: usize) -> &AtomicU32 {
        &line.hits[way]
    }

    fn is_overflowed(line: &Cells6) -> bool {
        u64::from(line.flags.load(Relaxed)) & Life::OVERFLOWED != 0
    }

    fn set_overflowed(line: &Cells6, on: bool) {
        line.flags.store(if on { low(Life::OVERFLOWED) } else { 0 }, Release);
    }
}

/// The lower half of a word.
pub(crate) fn low(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0)
}

/// One family's lines, for one thread.
#[derive(Debug)]
pub(crate) struct Lines<S> {
    area: Area,
    header: Header,
    shape: PhantomData<fn() -> S>,
}

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// In this way of this element.
    Line { element: u32, way: usize },
    /// If anywhere, in the hash table.
    Stash,
    /// Nowhere.
    None,
}

impl<S: Shape> Lines<S> {
    /// The header of lines that an earlier start or [`Lines::format`] has laid out; `None` if they are none, or others.
    pub(crate) fn found(area: &Area) -> Option<Header> {
        let header = read_header(area)?;
        let fits = Header::elements(header.lines) as usize <= area.count::<S::Line>();
        let is_ours = header.ways as usize == S::WAYS;
        (fits && is_ours && header.is_sound()).then_some(header)
    }

    /// Lines with the header that was found.
    pub(crate) fn of(area: Area, header: Header) -> Self {
        area.needed_from::<FrontCells>(header.lines as usize + 1);
        Self { area, header, shape: PhantomData }
    }

    /// The same lines for another thread, which looks through so many windows at most.
    pub(crate) fn twin(&self, windows_max: usize) -> io::Result<Self> {
        Ok(Self::of(self.area.twin(windows_max)?, self.header))
    }

    /// For whoever goes through all of them in their order.
    pub(crate) fn walk(&self) -> Walk<'_> {
        self.area.walk()
    }

    /// For whoever goes everywhere, until [`Lines::rest`] or [`Lines::fold`].
    pub(crate) fn spread(&self) {
        self.area.spread();
    }

    /// Lets go what is mapped.
    pub(crate) fn fold(&mut self) {
        self.area.fold();
    }

    /// Lets go what is mapped, but for what single steps need.
    pub(crate) fn rest(&mut self) {
        self.area.rest();
    }

    /// A step is done, and nobody waits.
    pub(crate) fn ease(&self) {
        self.area.ease();
    }

    /// The header of lines of this family and version.
    pub(crate) fn sealed(header: Header) -> Header {
        let ways = u32::try_from(S::WAYS).unwrap_or(0);
        Header { magic: Header::MAGIC, version: honeymesh_xdp_abi::VERSION, ways, ..header }.sealed()
    }

    /// Writes the header over fresh memory.
    pub(crate) fn format(area: Area, header: Header) -> Self {
        let lines = Self::of(area, Self::sealed(header));
        lines.restore();
        lines
    }

    /// Writes the header again.
    pub(crate) fn restore(&self) {
        let cells = self.area.get::<HeaderCells>(0);
        for (cell, word) in cells.0.iter().zip(header_words(&self.header)) {
            cell.store(word, Release);
        }
    }

    pub(crate) const fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn line(&self, element: u32) -> Seen<'_, S::Line> {
        self.area.get(element as usize)
    }

    /// Has the memory still the header it was opened with?
    pub(crate) fn is_intact(&self) -> bool {
        read_header(&self.area) == Some(self.header)
    }

    /// Where a key is, if it is in a line.
    pub(crate) fn seat(&self, key: u64) -> Seat {
        if self.header.lines == 0 {
            return Seat::Stash;
        }
        let place = self.header.place(key);
        match self.seat_in(self.header.first(place), key) {
            Seat::Stash => self.seat_in(self.header.second(place), key),
            seat => seat,
        }
    }

    /// `Stash` means: look further.
    fn seat_in(&self, element: u32, key: u64) -> Seat {
        let line = self.line(element);
        match (0..S::WAYS).find(|way| S::key(&line, *way) == key) {
            Some(way) => Seat::Line { element, way },
            None if S::is_overflowed(&line) => Seat::Stash,
            None => Seat::None,
        }
    }

    /// Where many keys are, told with the index of each, in the order in which they lie in memory: first lines first, then the
    /// second lines of those that had to leave: so each part of memory is looked at twice at most, however many keys there are.
    /// Where all is mapped, in their own order.
    pub(crate) fn seats(&self, keys: &[u64], mut each: impl FnMut(usize, Seat)) {
        if self.header.lines == 0 {
            (0..keys.len()).for_each(|index| each(index, Seat::Stash));
            return;
        }
        if self.area.is_whole() {
            for (batch, first) in keys.chunks(BATCH).zip((0..).step_by(BATCH)) {
                self.warm(batch.iter().copied());
                batch.iter().zip(first..).for_each(|(key, index)| each(index, self.seat(*key)));
            }
            return;
        }
        let mut further = Vec::new();
        let all = 0..low(keys.len() as u64);
        let firsts = all.map(|index| (index, self.place(keys[index as usize]).0));
        for (index, element) in grouped(&firsts.collect::<Vec<_>>()) {
            match self.seat_in(element, keys[index as usize]) {
                Seat::Stash => further.push((index, self.place(keys[index as usize]).1)),
                seat => each(index as usize, seat),
            }
        }
        for (index, element) in grouped(&further) {
            each(index as usize, self.seat_in(element, keys[index as usize]));
        }
    }

    /// Reads the first lines of many keys at once, so that memory answers while the next is asked for.
    pub(crate) fn warm(&self, keys: impl Iterator<Item = u64>) {
        if self.header.lines > 0 {
            let first = |key| S::key(&self.line(self.header.first(self.header.place(key))), 0);
            std::hint::black_box(keys.map(first).fold(0, u64::wrapping_add));
        }
    }

    /// Does the front of its line let a key be seen that is there?
    pub(crate) fn is_shown(&self, element: u32, key: u64) -> bool {
        let front = self.front(element, key);
        front.is_in(self.fronts(front).0[front.slot as usize].load(Relaxed))
    }

    /// Lets a key be seen in a line.
    pub(crate) fn show(&self, element: u32, key: u64) {
        let front = self.front(element, key);
        self.fronts(front).0[front.slot as usize].fetch_or(front.mask(), Release);
    }

    /// Lets every key be seen that may have had to leave a line.
    pub(crate) fn show_all(&self, element: u32) {
        let front = self.front(element, 0);
        self.fronts(front).0[front.slot as usize].store(Front::FULL, Release);
    }

    /// Makes the front of a line what its keys and its flag ask for. Was something hidden?
    pub(crate) fn settle_front(&self, element: u32) -> bool {
        let line = self.line(element);
        let keys = (0..S::WAYS).map(|way| S::key(&line, way)).filter(|key| *key != 0);
        let word =
            if S::is_overflowed(&line) { Front::FULL } else { keys.fold(0, |word, key| word | self.front(element, key).mask()) };
        let front = self.front(element, 0);
        let before = self.fronts(front).0[front.slot as usize].swap(word, Release);
        word & !before != 0
    }

    /// A word of fronts, as the program reads it.
    #[cfg(test)]
    pub(crate) fn front_at(&self, element: u32, slot: u32) -> u16 {
        self.area.get::<FrontCells>(element as usize).0[slot as usize].load(Relaxed)
    }

    fn front(&self, element: u32, key: u64) -> Front {
        self.header.front(self.header.place(key), element)
    }

    fn fronts(&self, front: Front) -> Seen<'_, FrontCells> {
        self.area.get(front.element as usize)
    }

    pub(crate) fn place(&self, key: u64) -> (u32, u32) {
        let place: Place = self.header.place(key);
        (self.header.first(place), self.header.second(place))
    }

    /// Calls `each` with element, way and key of every way that is taken.
    pub(crate) fn each(&self, each: impl FnMut(u32, usize, u64)) {
        self.each_in(1..self.header.lines + 1, each);
    }

    /// Parts of the lines that are no longer than a walk maps at once.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Range<u32>> + use<S> {
        let end = self.header.lines + 1;
        (0..end.div_ceil(PART)).map(move |part| (part * PART).max(1)..((part + 1) * PART).min(end))
    }

    /// The same for some of them.
    pub(crate) fn each_in(&self, elements: Range<u32>, mut each: impl FnMut(u32, usize, u64)) {
        let _walk = self.walk();
        for element in elements {
            let keys: [u64; WAYS_MAX] = {
                let line = self.line(element);
                std::array::from_fn(|way| if way < S::WAYS { S::key(&line, way) } else { 0 })
            };
            for (way, key) in keys.into_iter().enumerate() {
                if key != 0 {
                    each(element, way, key);
                }
            }
        }
    }
}

/// Keys by the element that they are looked for in: those of one part of memory together.
fn grouped(all: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let group = |element: u32| (element / PART) as usize;
    let last = all.iter().map(|(_, element)| group(*element)).max().unwrap_or(0);
    let mut starts = vec![0_usize; last + 2];
    all.iter().for_each(|(_, element)| starts[group(*element) + 1] += 1);
    let mut sum = 0;
    starts.iter_mut().for_each(|start| {
        sum += *start;
        *start = sum;
    });
    let mut ordered = vec![(0, 0); all.len()];
    for one in all {
        let start = &mut starts[group(one.1)];
        ordered[*start] = *one;
        *start += 1;
    }
    ordered
}

fn header_words(header: &Header) -> [u64; LINE_LEN / 8] {
    let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let [first, second] = header.multipliers;
    [
        header.magic,
        pair(header.version, header.lines),
        header.secret,
        first,
        second,
        pair(header.tick_shift, header.ways),
        pair(header.jiffy_ns, header.reserved),
        header.seal,
    ]
}

fn read_header(area: &Area) -> Option<Header> {
    let cells = (area.count::<HeaderCells>() > 0).then(|| area.get::<HeaderCells>(0))?;
    let word = |index: usize| cells.0[index].load(Relaxed);
    let halves = |index: usize| (low(word(index)), low(word(index) >> 32));
    let ((version, lines), (tick_shift, ways), (jiffy_ns, reserved)) = (halves(1), halves(5), halves(6));
    let multipliers = [word(3), word(4)];
    let (magic, secret, seal) = (word(0), word(2), word(7));
    Some(Header { magic, version, lines, secret, multipliers, tick_shift, ways, jiffy_ns, reserved, seal })
}

//! The lines of exact bans as atomics, for both families behind one trait.
#![expect(unsafe_code, reason = "the types promise to be made of atomics only")]

use crate::area::{Area, Cells};
use honeymesh_xdp_abi::{FRONTS, Front, Header, LINE_LEN, Life, Line4, Line6, Place, WAYS4, WAYS6};
use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release},
    },
};

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

/// One family's lines, to read. Clones share them.
#[derive(Debug)]
pub(crate) struct Lines<S> {
    area: Arc<Area>,
    header: Header,
    shape: PhantomData<fn() -> S>,
}

impl<S> Clone for Lines<S> {
    fn clone(&self) -> Self {
        Self { area: self.area.clone(), header: self.header, shape: PhantomData }
    }
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
    /// Lines that an earlier start or [`Lines::format`] has laid out; `None` if the header does not say so.
    pub(crate) fn open(area: Arc<Area>) -> Option<Self> {
        let header = read_header(&area)?;
        let fits = Header::elements(header.lines) as usize <= area.cells::<S::Line>().len();
        let is_ours = header.ways as usize == S::WAYS;
        (fits && is_ours && header.is_sound()).then_some(Self { area, header, shape: PhantomData })
    }

    /// Writes the header over fresh memory.
    pub(crate) fn format(area: Arc<Area>, header: Header) -> Self {
        let ways = u32::try_from(S::WAYS).unwrap_or(0);
        let header = Header { magic: Header::MAGIC, version: honeymesh_xdp_abi::VERSION, ways, ..header }.sealed();
        let lines = Self { area, header, shape: PhantomData };
        lines.restore();
        lines
    }

    /// Writes the header again.
    pub(crate) fn restore(&self) {
        for (cell, word) in self.area.cells::<HeaderCells>().iter().flat_map(|cells| &cells.0).zip(header_words(&self.header)) {
            cell.store(word, Release);
        }
    }

    pub(crate) const fn header(&self) -> &Header {
        &self.header
    }

    /// Every element, the header's included.
    pub(crate) fn elements(&self) -> &[S::Line] {
        self.area.cells()
    }

    pub(crate) fn line(&self, element: u32) -> &S::Line {
        &self.elements()[element as usize]
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
        match (0..S::WAYS).find(|way| S::key(line, *way) == key) {
            Some(way) => Seat::Line { element, way },
            None if S::is_overflowed(line) => Seat::Stash,
            None => Seat::None,
        }
    }

    /// Reads the first lines of many keys at once, so that memory answers while the next is asked for.
    pub(crate) fn warm(&self, keys: impl Iterator<Item = u64>) {
        if self.header.lines > 0 {
            let first = |key| S::key(self.line(self.header.first(self.header.place(key))), 0);
            std::hint::black_box(keys.map(first).fold(0, u64::wrapping_add));
        }
    }

    /// Does the front of its line let a key be seen that is there?
    pub(crate) fn is_shown(&self, element: u32, key: u64) -> bool {
        let front = self.front(element, key);
        front.is_in(self.front_cell(front).load(Relaxed))
    }

    /// Lets a key be seen in a line.
    pub(crate) fn show(&self, element: u32, key: u64) {
        let front = self.front(element, key);
        self.front_cell(front).fetch_or(front.mask(), Release);
    }

    /// Lets every key be seen that may have had to leave a line.
    pub(crate) fn show_all(&self, element: u32) {
        self.front_cell(self.front(element, 0)).store(Front::FULL, Release);
    }

    /// Makes the front of a line what its keys and its flag ask for. Was something hidden?
    pub(crate) fn settle_front(&self, element: u32) -> bool {
        let line = self.line(element);
        let keys = (0..S::WAYS).map(|way| S::key(line, way)).filter(|key| *key != 0);
        let word =
            if S::is_overflowed(line) { Front::FULL } else { keys.fold(0, |word, key| word | self.front(element, key).mask()) };
        let before = self.front_cell(self.front(element, 0)).swap(word, Release);
        word & !before != 0
    }

    /// A word of fronts, as the program reads it.
    #[cfg(test)]
    pub(crate) fn front_at(&self, element: u32, slot: u32) -> u16 {
        self.area.cells::<FrontCells>()[element as usize].0[slot as usize].load(Relaxed)
    }

    fn front(&self, element: u32, key: u64) -> Front {
        self.header.front(self.header.place(key), element)
    }

    fn front_cell(&self, front: Front) -> &AtomicU16 {
        &self.area.cells::<FrontCells>()[front.element as usize].0[front.slot as usize]
    }

    pub(crate) fn place(&self, key: u64) -> (u32, u32) {
        let place: Place = self.header.place(key);
        (self.header.first(place), self.header.second(place))
    }

    /// Calls `each` with element, way and key of every way that is taken.
    pub(crate) fn each(&self, mut each: impl FnMut(u32, usize, u64)) {
        for element in 1..=self.header.lines {
            let line = self.line(element);
            for way in 0..S::WAYS {
                let key = S::key(line, way);
                if key != 0 {
                    each(element, way, key);
                }
            }
        }
    }
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
    let cells = area.cells::<HeaderCells>().first()?;
    let word = |index: usize| cells.0[index].load(Relaxed);
    let halves = |index: usize| (low(word(index)), low(word(index) >> 32));
    let ((version, lines), (tick_shift, ways), (jiffy_ns, reserved)) = (halves(1), halves(5), halves(6));
    let multipliers = [word(3), word(4)];
    let (magic, secret, seal) = (word(0), word(2), word(7));
    Some(Header { magic, version, lines, secret, multipliers, tick_shift, ways, jiffy_ns, reserved, seal })
}

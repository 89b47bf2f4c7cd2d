//! How an exact ban is found: one cache line, seldom a second, hardly ever a hash table.

use honeymesh_xdp_abi::{FRONT_LINES_MIN, Header, Life, SCOPE_ALL};

/// A line of a table, in memory that user space writes meanwhile.
pub trait Line: Copy {
    /// How many ways it has.
    const WAYS: u64;
    /// Are its keys of 32 bits, and its ways four?
    const IS_NARROW: bool;
    /// The counter of a way.
    type Hits: Hits;

    /// The key of the way at `index`, below [`Line::WAYS`]; beyond it some octets of the line.
    fn key(self, index: u64) -> u64;
    /// The life of a way; its flag may be set.
    fn life(self, way: u64) -> u64;
    /// The counter of a way.
    fn hits(self, way: u64) -> Self::Hits;
    /// Had some key to leave this line?
    fn is_overflowed(self) -> bool;
    /// `value`, in a way that the compiler cannot see through: a branch for each way costs more than the arithmetic
    /// that it would turn into branches again.
    fn opaque(value: u64) -> u64;
}

/// The packets that a ban has dropped.
pub trait Hits: Copy {
    /// One more, unless there are [`honeymesh_xdp_abi::HITS_MAX`] already.
    fn hit(self);
}

/// One family's exact bans.
pub trait Bans: Copy {
    /// Its lines.
    type Line: Line;

    /// Element 0; `None` if it cannot be read.
    fn header(self) -> Option<Header>;
    /// The line at an element.
    fn line(self, element: u32) -> Option<Self::Line>;
    /// A word of fronts; [`honeymesh_xdp_abi::Front::FULL`] if it cannot be read.
    fn front(self, element: u32, slot: u32) -> u16;
    /// The life and the counter of a key in the hash table.
    fn stashed(self, key: u64) -> Option<(Life, <Self::Line as Line>::Hits)>;
    /// The kernel's cheapest clock.
    fn jiffies(self) -> u64;
}

/// A live ban.
#[derive(Clone, Copy, Debug)]
pub struct Found<H> {
    /// What it is like.
    pub life: Life,
    /// Where its drops are counted.
    pub hits: H,
}

/// The live ban of a key, which must not be 0. The clock is read for a match only.
#[inline(always)]
pub fn find<B: Bans>(bans: B, key: u64) -> Option<Found<<B::Line as Line>::Hits>> {
    let header = bans.header()?;
    let found = match look(bans, &header, key) {
        Look::Here(found) => found,
        Look::Stashed => {
            let (life, hits) = bans.stashed(key)?;
            Found { life, hits }
        }
        Look::Nowhere => return None,
    };
    is_live(bans, &header, found.life).then_some(found)
}

/// What a key's lines tell.
#[derive(Clone, Copy, Debug)]
pub enum Glance<H> {
    /// Of a live ban of scope `all`: where its drops are counted.
    Banned(H),
    /// There is none, unless elsewhere than in this table.
    Nothing,
    /// Only [`find`] knows.
    Unsure,
}

/// Looks at the lines only, and at those only if the first one's front says that it is worth it. One ban in 25 is in its second line: few,
/// but whoever leaves those to a larger program pays more for them than for all the others.
#[inline(always)]
pub fn glance<B: Bans>(bans: B, key: u64) -> Glance<<B::Line as Line>::Hits> {
    let Some(header) = bans.header() else { return Glance::Unsure };
    let place = header.place(key);
    let element = header.first(place);
    if header.lines >= FRONT_LINES_MIN {
        let front = header.front(place, element);
        if !front.is_in(bans.front(front.element, front.slot)) {
            return Glance::Nothing;
        }
    }
    match look(bans, &header, key) {
        Look::Here(Found { life, hits }) if life.scope() >= SCOPE_ALL && is_live(bans, &header, life) => Glance::Banned(hits),
        Look::Here(_) | Look::Nowhere => Glance::Nothing,
        Look::Stashed => Glance::Unsure,
    }
}

#[inline(always)]
fn is_live(bans: impl Bans, header: &Header, life: Life) -> bool {
    life.is_live(bans.jiffies() >> (header.tick_shift & 63))
}

enum Look<H> {
    Here(Found<H>),
    /// If anywhere, then in the hash table.
    Stashed,
    Nowhere,
}

#[inline(always)]
fn look<B: Bans>(bans: B, header: &Header, key: u64) -> Look<<B::Line as Line>::Hits> {
    if header.lines == 0 {
        return Look::Stashed;
    }
    let place = header.place(key);
    let Some(line) = bans.line(header.first(place)) else { return Look::Stashed };
    match in_line(line, key) {
        Look::Stashed => {}
        done => return done,
    }
    match bans.line(header.second(place)) {
        Some(line) => in_line(line, key),
        None => Look::Stashed,
    }
}

/// `Stashed` means: look further.
#[inline(always)]
fn in_line<L: Line>(line: L, key: u64) -> Look<L::Hits> {
    let Some(way) = (if L::IS_NARROW { narrow(line, key) } else { wide(line, key) }) else {
        return if line.is_overflowed() { Look::Stashed } else { Look::Nowhere };
    };
    let life = Life(line.life(way));
    // A key that left meanwhile has left its way to another, whose life this may be: it is further on, if anywhere.
    if line.key(way) != key {
        return Look::Stashed;
    }
    Look::Here(Found { life, hits: line.hits(way) })
}

/// The way of a key of 32 bits, if it is among the four. One less than nothing has its top bit set, and one less than any
/// other 32 bits has not: so one branch asks for all four, and what is left are the two bits of the way's number.
#[inline(always)]
fn narrow<L: Line>(line: L, key: u64) -> Option<u64> {
    let is = |index| (line.key(index) ^ key).wrapping_sub(1);
    let (first, second, third, fourth) = (is(0), is(1), is(2), is(3));
    let (odd, upper) = (L::opaque(second | fourth), L::opaque(third | fourth));
    if L::opaque(first | odd | upper) >> 63 == 0 {
        return None;
    }
    Some(upper >> 62 & 2 | odd >> 63)
}

/// The way of a key, if it is in one.
#[inline(always)]
fn wide<L: Line>(line: L, key: u64) -> Option<u64> {
    let (mut way, mut is_here, mut index) = (0, 0, 0);
    while index < L::WAYS {
        let same = zero_bit::<L>(line.key(index) ^ key);
        is_here |= same;
        way += same * index;
        index += 1;
    }
    (L::opaque(is_here) != 0).then_some(way)
}

/// 1 for zero, else 0.
#[inline(always)]
fn zero_bit<L: Line>(value: u64) -> u64 {
    let value = L::opaque(value);
    // The top bit of this is set unless the value is zero; seen through, it would become a branch.
    let any = L::opaque(value | value.wrapping_neg());
    L::opaque(any >> 63) ^ 1
}

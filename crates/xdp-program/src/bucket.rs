//! How an exact ban is found: one cache line, seldom a second, hardly ever a hash table.

use honeymesh_xdp_abi::{Header, Life};

/// A line of a table, in memory that user space writes meanwhile.
pub trait Line: Copy {
    /// How many ways it has.
    const WAYS: u64;
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
    /// Another element.
    fn line(self, element: u32) -> Option<Self::Line>;
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
    found.life.is_live(bans.jiffies() >> (header.tick_shift & 63)).then_some(found)
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
    let (mut way, mut is_here, mut index) = (0, 0, 0);
    while index < L::WAYS {
        let same = same_bit::<L>(line.key(index), key);
        is_here |= same;
        way += same * index;
        index += 1;
    }
    if L::opaque(is_here) != 0 {
        let life = Life(line.life(way));
        // A key that left meanwhile has left its way to another, whose life this may be: it is further on, if anywhere.
        if same_bit::<L>(line.key(way), key) != 0 {
            return Look::Here(Found { life, hits: line.hits(way) });
        }
        return Look::Stashed;
    }
    if line.is_overflowed() { Look::Stashed } else { Look::Nowhere }
}

/// 1 if the keys are the same, else 0.
#[inline(always)]
fn same_bit<L: Line>(a: u64, b: u64) -> u64 {
    let difference = L::opaque(a ^ b);
    // The top bit of this is set unless there is no difference; seen through, it would become a branch.
    let any = L::opaque(difference | difference.wrapping_neg());
    L::opaque(any >> 63) ^ 1
}

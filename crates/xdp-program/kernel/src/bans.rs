//! The exact bans: lines of an array that user space writes through shared memory, and a hash table behind it.

use crate::{
    bindings::{Map, increment, jiffies, opaque},
    tables::{HM_BANS4, HM_BANS6, HM_HEADERS, HM_LINES4, HM_LINES6},
};
use core::ptr::NonNull;
use honeymesh_xdp_abi::{FRONTS, Front, HITS_MAX, Header, Life, Line4, Line6, WAYS4, WAYS6, Way};
use honeymesh_xdp_program::bucket::{Bans, Hits, Line};

/// A word of an array of bits; all ones if there is none.
#[inline(always)]
pub fn word(map: &Map<u32, u64>, index: u32) -> u64 {
    // SAFETY: a value of this type in a map; user space replaces it in one store.
    map.lookup(&index).map_or(u64::MAX, |word| unsafe { word.as_ptr().read_volatile() })
}

/// The counter of a ban.
#[derive(Clone, Copy)]
pub struct Counter(NonNull<u32>);

impl Hits for Counter {
    #[inline(always)]
    fn hit(self) {
        // SAFETY: inside a value of a map, which the verifier checks.
        if unsafe { self.0.as_ptr().read_volatile() } < HITS_MAX {
            increment(self.0);
        }
    }
}

/// Of its fields only those are read that are used.
#[inline(always)]
fn header(family: usize) -> Option<Header> {
    // The compiler must not take it for what is in the object.
    let headers = opaque((&raw const HM_HEADERS).expose_provenance() as u64) as *const Header;
    // SAFETY: there are two, plain data, and nothing changes them.
    Some(unsafe { headers.add(family).read() })
}

#[inline(always)]
fn front<L>(map: &Map<u32, L>, element: u32, slot: u32) -> u16 {
    // SAFETY: an element is so many words long, and the masked slot is among them; user space replaces one in one store.
    map.lookup(&element).map_or(Front::FULL, |words| unsafe {
        words.cast::<u16>().as_ptr().add(slot as usize & (FRONTS as usize - 1)).read_volatile()
    })
}

#[inline(always)]
fn stashed(way: NonNull<Way>) -> (Life, Counter) {
    // SAFETY: a value of this type in a map; user space replaces it whole.
    unsafe {
        let life = (&raw const (*way.as_ptr()).life).read_volatile();
        (Life(life), Counter(NonNull::new_unchecked(&raw mut (*way.as_ptr()).hits)))
    }
}

/// The exact bans of IPv4 addresses.
#[derive(Clone, Copy)]
pub struct Bans4;

/// A line of them.
#[derive(Clone, Copy)]
pub struct Row4(NonNull<Line4>);

impl Row4 {
    /// The masked way is inside the line.
    #[inline(always)]
    fn way(self, way: u64) -> *mut Way {
        // SAFETY: there are four.
        unsafe { self.0.cast::<Way>().as_ptr().add(way as usize & 3) }
    }
}

impl Line for Row4 {
    const WAYS: u64 = WAYS4 as u64;
    const IS_NARROW: bool = true;
    type Hits = Counter;

    #[inline(always)]
    fn key(self, index: u64) -> u64 {
        // SAFETY: inside the line; user space changes it in one store.
        unsafe { (&raw const (*self.way(index)).key).read_volatile().into() }
    }

    #[inline(always)]
    fn life(self, way: u64) -> u64 {
        // SAFETY: as above.
        unsafe { (&raw const (*self.way(way)).life).read_volatile() }
    }

    #[inline(always)]
    fn hits(self, way: u64) -> Counter {
        // SAFETY: as above.
        Counter(unsafe { NonNull::new_unchecked(&raw mut (*self.way(way)).hits) })
    }

    #[inline(always)]
    fn is_overflowed(self) -> bool {
        self.life(0) & Life::OVERFLOWED != 0
    }

    #[inline(always)]
    fn opaque(value: u64) -> u64 {
        opaque(value)
    }
}

impl Bans for Bans4 {
    type Line = Row4;

    #[inline(always)]
    fn header(self) -> Option<Header> {
        header(0)
    }

    #[inline(always)]
    fn line(self, element: u32) -> Option<Row4> {
        HM_LINES4.lookup(&element).map(Row4)
    }

    #[inline(always)]
    fn front(self, element: u32, slot: u32) -> u16 {
        front(&HM_LINES4, element, slot)
    }

    #[inline(always)]
    fn stashed(self, key: u64) -> Option<(Life, Counter)> {
        HM_BANS4.lookup(&(key as u32)).map(stashed)
    }

    #[inline(always)]
    fn jiffies(self) -> u64 {
        jiffies()
    }
}

/// The bans of /64s.
#[derive(Clone, Copy)]
pub struct Bans6;

/// A line of them.
#[derive(Clone, Copy)]
pub struct Row6(NonNull<Line6>);

impl Line for Row6 {
    const WAYS: u64 = WAYS6 as u64;
    const IS_NARROW: bool = false;
    type Hits = Counter;

    #[inline(always)]
    fn key(self, index: u64) -> u64 {
        // SAFETY: keys are first in the line, and a masked index is inside it; user space changes them in one store.
        unsafe { self.0.cast::<u64>().as_ptr().add(index as usize & 3).read_volatile() }
    }

    #[inline(always)]
    fn life(self, way: u64) -> u64 {
        // SAFETY: lives are next, and a masked way is inside the line.
        unsafe { self.0.cast::<u64>().as_ptr().add(WAYS6 + (way as usize & 3)).read_volatile() }
    }

    #[inline(always)]
    fn hits(self, way: u64) -> Counter {
        // SAFETY: counters are next, and a masked way is inside the line.
        Counter(unsafe { NonNull::new_unchecked(self.0.cast::<u32>().as_ptr().add(4 * WAYS6 + (way as usize & 3))) })
    }

    #[inline(always)]
    fn is_overflowed(self) -> bool {
        // SAFETY: inside the line.
        u64::from(unsafe { (&raw const (*self.0.as_ptr()).flags).read_volatile() }) & Life::OVERFLOWED != 0
    }

    #[inline(always)]
    fn opaque(value: u64) -> u64 {
        opaque(value)
    }
}

impl Bans for Bans6 {
    type Line = Row6;

    #[inline(always)]
    fn header(self) -> Option<Header> {
        header(1)
    }

    #[inline(always)]
    fn line(self, element: u32) -> Option<Row6> {
        HM_LINES6.lookup(&element).map(Row6)
    }

    #[inline(always)]
    fn front(self, element: u32, slot: u32) -> u16 {
        front(&HM_LINES6, element, slot)
    }

    #[inline(always)]
    fn stashed(self, key: u64) -> Option<(Life, Counter)> {
        HM_BANS6.lookup(&key).map(stashed)
    }

    #[inline(always)]
    fn jiffies(self) -> u64 {
        jiffies()
    }
}

//! Whose place in a bucket is whose: a source finds its own, or takes another's.
//!
//! A forged flood brings a new source with every packet, so what a newcomer may displace decides how long a real suspect is
//! remembered. An LRU forgets everybody at the speed of the flood. Here a newcomer takes the *newest* place, so that newcomers
//! mostly displace each other, except by chance: [`MOMENTS`] times in a window a keyed coin is thrown for each bucket, and what
//! is older than it says, up to [`HOLD`] windows, is given up. So the fast, who are done before the next newcomer, always find
//! a place; the slow keep theirs, and however fast the flood, it cannot make them lose it sooner. Each further port that was
//! seen doubles the age at which a place counts as new no more, and lets it grow old [`SUSPECT_BITS`] powers of two more
//! slowly: what is suspect stays. The figures are in `docs/kernel/scan.md`, the proof in `flood.rs`.

use super::window::{top_bit, zero_bit};
use crate::Scan;
use honeymesh_xdp_abi::{Mark, PORTS_MAX, TAKING, TICK_MASK, TICKS_AHEAD_MAX, WAYS};

/// The age, in windows, at which a place of a source with one port is given up to the next newcomer for certain.
const HOLD: u64 = 4;

/// How much more slowly, in powers of two, a place grows old for each further port of its source.
const SUSPECT_BITS: u64 = 6;

/// Beyond this many further ports it no longer matters: such a place is never given up for its age.
const SUSPECTS_MAX: u64 = 6;

/// How often a place is looked for when another CPU was faster. After that the probe goes uncounted.
const TAKES_MAX: u64 = 3;

/// How often it is looked whether another CPU has emptied the source's new place: it takes a few hundred nanoseconds. After
/// that the port may be emptied with it and go uncounted.
const SETTLES_MAX: u64 = 32;

/// How many ways there are, and so what stands for none.
pub(super) const NONE: u64 = WAYS as u64;

/// The index of the source's way, taken from another source if it has none. `None` if other CPUs were always faster.
#[inline(always)]
pub(super) fn own<S: Scan>(scan: S, print: u64, draw: u64, now: u64, window: u64) -> Option<u64> {
    let mut attempt = 0;
    while attempt < TAKES_MAX {
        let way = find(scan, print);
        if way < NONE {
            settle(scan, way, print);
            return Some(way);
        }
        let way = least(scan, draw, now, window);
        if seize(scan, way, print, now) {
            return Some(way);
        }
        attempt = S::opaque(attempt) + 1;
    }
    None
}

/// The index of the source's way, or [`NONE`].
#[inline(always)]
pub(super) fn find<S: Scan>(scan: S, print: u64) -> u64 {
    let (mut found, mut before) = (0, 1);
    let mut way = 0;
    while way < NONE {
        before &= differs_bit::<S>(scan.head(way) & !TAKING, print);
        found += before;
        way = S::opaque(way) + 1;
    }
    found
}

/// 1 if the two words differ, else 0.
#[inline(always)]
fn differs_bit<S: Scan>(one: u64, other: u64) -> u64 {
    let difference = S::opaque(one ^ other);
    top_bit::<S>(difference | difference.wrapping_neg())
}

/// Waits a moment if another CPU is emptying the way for this very source.
#[inline(always)]
fn settle<S: Scan>(scan: S, way: u64, print: u64) {
    let mut looks = 0;
    while looks < SETTLES_MAX && scan.head(way) == print | TAKING {
        looks = S::opaque(looks) + 1;
    }
}

/// The mark of a way.
#[inline(always)]
pub(super) fn mark<S: Scan>(scan: S, way: u64) -> Mark {
    Mark(scan.head(NONE + way))
}

/// Replaces the mark of a way, unless another CPU just did.
#[inline(always)]
pub(super) fn set_mark<S: Scan>(scan: S, way: u64, old: Mark, new: Mark) -> bool {
    scan.exchange_head(NONE + way, old.0, new.0) == old.0
}

/// The way that a newcomer takes. Without a branch: see [`Scan::opaque`].
#[inline(always)]
fn least<S: Scan>(scan: S, draw: u64, now: u64, window: u64) -> u64 {
    let (mut oldest, mut newest) = (u64::MAX >> 1, u64::MAX >> 1);
    let mut way = 0;
    while way < NONE {
        let mark = mark(scan, way);
        let age = age_of::<S>(mark, now);
        let more = mark.ports().wrapping_sub(1) & PORTS_MORE_MAX;
        // Nobody's place, and one whose ports have all left the window, are as old as can be.
        let is_free = zero_bit::<S>(mark.ports()) | top_bit::<S>((window + window / 2).wrapping_sub(age));
        let old = age >> (smaller::<S>(more, SUSPECTS_MAX) * SUSPECT_BITS) | is_free.wrapping_neg() & TICK_MASK;
        oldest = smaller::<S>(oldest, (TICK_MASK - old) << AGE | way);
        newest = smaller::<S>(newest, age << more << AGE | way);
        way = S::opaque(way) + 1;
    }
    let age = TICK_MASK - (oldest >> AGE);
    let is_given_up = top_bit::<S>((draw * window * HOLD).wrapping_sub(age << DRAW_BITS));
    let mask = S::opaque(is_given_up.wrapping_neg());
    (oldest & mask | newest & !mask) & (NONE - 1)
}

/// Where in a rank the age stands, above the index.
const AGE: u32 = 2;
/// The most ports that count as further ones: four bits.
const PORTS_MORE_MAX: u64 = PORTS_MAX as u64 - 1;

/// How long ago the source came in; what another CPU dated a moment later is of now.
#[inline(always)]
fn age_of<S: Scan>(mark: Mark, now: u64) -> u64 {
    let shifted = now.wrapping_sub(mark.tick()).wrapping_add(TICKS_AHEAD_MAX) & TICK_MASK;
    let age = shifted.wrapping_sub(TICKS_AHEAD_MAX);
    age & top_bit::<S>(age).wrapping_sub(1)
}

#[inline(always)]
fn smaller<S: Scan>(one: u64, other: u64) -> u64 {
    let mask = S::opaque(top_bit::<S>(one.wrapping_sub(other)).wrapping_neg());
    one & mask | other & !mask
}

/// How many bits a draw has.
const DRAW_BITS: u32 = 16;

/// A number from 0 to 65,535, another one for each bucket and sixty-fourth of the window, that only the holder of the secret
/// foresees.
#[inline(always)]
pub(super) const fn draw(secret: u64, bucket: u64, now: u64, window: u64) -> u64 {
    let moment = now / ((window / MOMENTS) | 1);
    let mixed = (secret ^ bucket ^ moment << 32).wrapping_mul(ODD);
    (mixed ^ mixed >> 32).wrapping_mul(ODD) >> (64 - DRAW_BITS)
}

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
/// How often in a window old places may be given up.
const MOMENTS: u64 = 64;
/// Takes the way, if no other CPU does. Its slots are emptied before it is the source's: what another source left there can
/// never count.
#[inline(always)]
fn seize<S: Scan>(scan: S, way: u64, print: u64, now: u64) -> bool {
    let old = scan.head(way);
    if old & TAKING != 0 || scan.exchange_head(way, old, print | TAKING) != old {
        return false;
    }
    let first = way * PORTS_MAX as u64;
    for index in 0..PORTS_MAX as u64 {
        scan.clear(first + index);
    }
    set_mark(scan, way, mark(scan, way), Mark::new(now, 0, 1));
    scan.exchange_head(way, print | TAKING, print);
    true
}

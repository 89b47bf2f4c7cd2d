//! The distinct ports of one source within the window: counted exactly, without a branch and without a lock.

use crate::Scan;
use honeymesh_xdp_abi::{PORTS_MAX, Slot, TICK_MASK, TICKS_AHEAD_MAX};

/// How often a port is entered again when another CPU took the same slot meanwhile. After that it goes uncounted.
const CLAIMS_MAX: usize = 3;

const SLOTS: u64 = PORTS_MAX as u64;

/// One source's part of a bucket.
#[derive(Clone, Copy)]
pub(super) struct Way<S> {
    pub(super) scan: S,
    /// The index of its first slot.
    pub(super) first: u64,
    /// What the source's slots are marked with.
    pub(super) tag: u64,
}

impl<S: Scan> Way<S> {
    #[inline(always)]
    fn slot(self, index: u64) -> u64 {
        self.scan.slot(self.first + index)
    }

    #[inline(always)]
    fn exchange(self, index: u64, old: u64, new: u64) -> u64 {
        self.scan.exchange(self.first + index, old, new)
    }

    /// The slot at `index` if it is of this source and within the window, else zero.
    #[inline(always)]
    pub(super) fn live(self, index: u64, now: u64, window: u64) -> u64 {
        let slot = self.slot(index);
        slot & live_bit(self, Slot(slot), now, window).wrapping_neg()
    }
}

/// What a source's probe changed.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// The distinct ports within the window before this probe, without its own.
    pub(super) others: u64,
    /// The distinct ports within the window now.
    pub(super) count: u64,
    /// This port was not among those of the window.
    pub(super) is_new: bool,
}

/// Remembers `port`. Exact also when several CPUs see the same source at once: a slot is taken in one step, by one, and
/// counted only afterwards, so that of two simultaneous probes at least one sees both.
#[inline(always)]
pub(super) fn see<S: Scan>(way: Way<S>, port: u16, now: u64, window: u64) -> Seen {
    let mut before = survey(way, port, now, window);
    for _ in 0..CLAIMS_MAX {
        // The port's own slot, else the first free one, else none: then there are enough for any threshold.
        let index = if before.own < SLOTS { before.own } else { before.free };
        if index >= SLOTS || claim(way, index, port, now, window) {
            break;
        }
        before = survey(way, port, now, window);
    }
    let after = survey(way, port, now, window);
    Seen { others: before.others, count: after.others + after.own_live, is_new: before.own_live == 0 }
}

/// The slots of a source, looked through with one port in mind.
#[derive(Clone, Copy)]
struct Survey {
    /// How many within the window hold another port.
    others: u64,
    /// The index of the port's own slot, or [`SLOTS`].
    own: u64,
    /// 1 if that is within the window, else 0.
    own_live: u64,
    /// The index of the first slot that is not within the window, or [`SLOTS`].
    free: u64,
}

/// Without a branch: see [`Scan::opaque`].
#[inline(always)]
fn survey<S: Scan>(way: Way<S>, port: u16, now: u64, window: u64) -> Survey {
    let mut survey = Survey { others: 0, own: 0, own_live: 0, free: 0 };
    // 1 until the slot that is looked for was met, so that each index counts the slots before it.
    let (mut before_own, mut before_free) = (1, 1);
    let mut index = 0;
    while index < SLOTS {
        let slot = Slot(way.slot(index));
        let (is_live, is_own) = (live_bit(way, slot, now, window), port_bit(way, slot, port));
        before_own &= is_own ^ 1;
        before_free &= is_live;
        survey.own += before_own;
        survey.free += before_free;
        survey.own_live |= is_live & is_own;
        survey.others += is_live & (is_own ^ 1);
        // Unrolled, the loop would keep sixteen slots on a stack of 512 octets.
        index = S::opaque(index) + 1;
    }
    survey
}

/// 1 if the slot is this source's and was probed within the `window` of ticks before `now`, else 0. A probe that another
/// CPU dated a moment later counts.
#[inline(always)]
fn live_bit<S: Scan>(way: Way<S>, slot: Slot, now: u64, window: u64) -> u64 {
    let age = now.wrapping_sub(slot.tick()).wrapping_add(TICKS_AHEAD_MAX) & TICK_MASK;
    mine_bit(way, slot) & (top_bit::<S>((window + TICKS_AHEAD_MAX).wrapping_sub(age)) ^ 1)
}

/// 1 if the slot is this source's and holds `port`, else 0.
#[inline(always)]
fn port_bit<S: Scan>(way: Way<S>, slot: Slot, port: u16) -> u64 {
    mine_bit(way, slot) & zero_bit::<S>(u64::from(slot.port() ^ port))
}

/// 1 if the slot is this source's, else 0. An empty slot is nobody's.
#[inline(always)]
fn mine_bit<S: Scan>(way: Way<S>, slot: Slot) -> u64 {
    zero_bit::<S>(slot.tag() ^ way.tag)
}

/// 1 if `value`, which has no top bit, is zero, else 0.
#[inline(always)]
pub(super) fn zero_bit<S: Scan>(value: u64) -> u64 {
    top_bit::<S>(S::opaque(value).wrapping_sub(1))
}

#[inline(always)]
pub(super) fn top_bit<S: Scan>(value: u64) -> u64 {
    S::opaque(S::opaque(value) >> 63)
}

/// Takes the slot if it still is the port's own or free.
#[inline(always)]
fn claim<S: Scan>(way: Way<S>, index: u64, port: u16, now: u64, window: u64) -> bool {
    let old = Slot(way.slot(index));
    let is_ours = port_bit(way, old, port) | (live_bit(way, old, now, window) ^ 1);
    is_ours == 1 && way.exchange(index, old.0, Slot::new(port, way.tag, now).0) == old.0
}

#[cfg(test)]
mod tests;

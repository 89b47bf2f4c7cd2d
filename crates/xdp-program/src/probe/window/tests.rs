//! The window, also where processors race and where the clock comes round.

use super::*;
use crate::testing::HostBucket;
use core::cell::Cell;

const TAG: u64 = 5;

/// A bucket that another CPU writes to just before each of the first exchanges, for the same source.
struct Contended {
    bucket: HostBucket,
    rivals: Cell<u16>,
}

impl Scan for &Contended {
    fn head(self, index: u64) -> u64 {
        Scan::head(&self.bucket, index)
    }

    fn exchange_head(self, index: u64, old: u64, new: u64) -> u64 {
        self.bucket.exchange_head(index, old, new)
    }

    fn slot(self, index: u64) -> u64 {
        Scan::slot(&self.bucket, index)
    }

    fn exchange(self, index: u64, old: u64, new: u64) -> u64 {
        if self.rivals.get() > 0 {
            let found = self.slot(index);
            self.bucket.exchange(index, found, Slot::new(1_000 + self.rivals.get(), TAG, 50).0);
            self.rivals.set(self.rivals.get() - 1);
        }
        self.bucket.exchange(index, old, new)
    }

    fn clear(self, index: u64) {
        self.bucket.clear(index);
    }

    fn opaque(value: u64) -> u64 {
        value
    }
}

fn contended(rivals: u16) -> Contended {
    Contended { bucket: HostBucket::default(), rivals: Cell::new(rivals) }
}

fn way(scan: &Contended) -> Way<&Contended> {
    Way { scan, first: 16, tag: TAG }
}

fn at(now: u64, scan: &Contended, port: u16) -> Seen {
    see(way(scan), port, now, 10)
}

#[test]
fn a_slot_that_another_cpu_took_is_left_to_it_and_both_ports_count() {
    let scan = contended(2);
    let seen = at(50, &scan, 22);
    assert_eq!((seen.count, seen.is_new), (3, true));
    assert_eq!([16, 17, 18, 19].map(|index| Slot((&scan).slot(index)).port()), [1_002, 1_001, 22, 0]);
}

#[test]
fn after_three_lost_races_the_rivals_count_and_the_port_does_not() {
    let seen = at(50, &contended(9), 22);
    assert_eq!((seen.count, seen.is_new), (3, true));
}

#[test]
fn a_port_known_already_is_refreshed_in_its_own_slot() {
    let scan = contended(0);
    assert_eq!([50, 60, 71].map(|now| at(now, &scan, 22).is_new), [true, false, true]);
    assert_eq!([15, 16, 17].map(|index| (&scan).slot(index)), [0, Slot::new(22, TAG, 71).0, 0]);
}

#[test]
fn a_slot_lives_for_the_window_also_where_the_clock_comes_round() {
    let scan = contended(0);
    let live = |tick, now| live_bit(way(&scan), Slot::new(22, TAG, tick), now, 10);
    for start in [100, TICK_MASK - 5, TICK_MASK] {
        let ages = [0, 1, 10, 11, TICK_MASK - TICKS_AHEAD_MAX, TICK_MASK - TICKS_AHEAD_MAX + 1, TICK_MASK];
        let lives = ages.map(|age| live(start, start + age));
        assert_eq!(lives, [1, 1, 1, 0, 0, 1, 1], "the last two are dated by a CPU whose clock is ahead");
    }
    assert_eq!(live_bit(way(&scan), Slot::EMPTY, 0, 10), 0);
    assert_eq!(live(0, 0), 1);
}

#[test]
fn a_window_of_a_day_is_exact_to_the_tick() {
    let day = honeymesh_xdp_abi::ticks(86_400_000_000_000);
    for start in [0, TICK_MASK - day / 2, TICK_MASK] {
        let scan = contended(0);
        let counts: [u64; 5] = [0, 1, day, day + 1, day + 2]
            .map(|passed| see(way(&scan), u16::try_from(passed % 60_000).unwrap(), start + passed, day).count);
        assert_eq!(counts, [1, 2, 3, 3, 3], "one port leaves as another comes");
    }
}

#[test]
fn what_is_marked_as_another_sources_never_counts() {
    let scan = contended(0);
    for (index, tag) in [(16, TAG + 1), (17, 0xfff), (18, 1)] {
        (&scan).exchange(index, 0, Slot::new(22, tag, 50).0);
    }
    let seen = at(50, &scan, 23);
    assert_eq!((seen.others, seen.count), (0, 1));
    let again = at(50, &scan, 22);
    assert_eq!((again.count, again.is_new), (2, true), "port 22 was the others'");
}

#[test]
fn a_slot_knows_its_port_and_an_empty_one_has_none() {
    let scan = contended(0);
    let same = |slot, port| port_bit(way(&scan), slot, port);
    assert_eq!([22, 23, 0].map(|port| same(Slot::new(22, TAG, 7), port)), [1, 0, 0]);
    assert_eq!((same(Slot::EMPTY, 0), same(Slot::new(0, TAG, 7), 0)), (0, 1));
}

//! Windows onto a file, which are mapped as windows onto a table are.

use super::*;
use std::{
    fs,
    os::fd::AsFd,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

#[repr(transparent)]
struct Word(AtomicU64);

// SAFETY: an atomic.
unsafe impl Cells for Word {}

impl Area {
    /// Zeros of our own, of which so many windows stay mapped.
    pub(crate) fn zeroed(len: usize, windows_max: usize) -> Self {
        let file = tempfile::tempfile().unwrap();
        file.set_len(len.next_multiple_of(page()) as u64).unwrap();
        Self::new(file.as_fd(), len, windows_max).unwrap()
    }

    /// How many windows are mapped.
    pub(crate) fn mapped(&self) -> usize {
        self.windows.mapped() + 1
    }
}

impl<'a, T: Cells> Seen<'a, T> {
    /// The cell for as long as what comes with it lives.
    pub(crate) fn apart(self) -> (&'a T, Seen<'a, T>) {
        // SAFETY: the caller, a test, looks only as long as it keeps the other half.
        (unsafe { self.cell.as_ref() }, self)
    }
}

/// Octets that this process has in memory of the place of an area, by the kernel's account.
fn resident(area: &Area) -> usize {
    let (from, to) = (area.base.as_ptr().addr(), area.base.as_ptr().addr() + area.reserved);
    let (mut sum, mut is_inside) = (0, false);
    for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        if let Some((start, _)) = line.split_once(' ').and_then(|(range, _)| range.split_once('-')) {
            let start = usize::from_str_radix(start, 16).unwrap();
            is_inside = (from..to).contains(&start);
        } else if let Some(size) = line.strip_prefix("Rss:").filter(|_| is_inside) {
            sum += size.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024;
        }
    }
    sum
}

const WORDS: usize = 2_000_000;

fn filled(windows_max: usize) -> Area {
    let area = Area::zeroed(WORDS * 8, windows_max);
    for index in 0..WORDS {
        area.get::<Word>(index).0.store(index as u64 * 3, Relaxed);
    }
    area
}

/// Somewhere, and somewhere else each time.
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
    usize::try_from(*state >> 33).unwrap() % WORDS
}

#[test]
fn what_was_stored_through_a_window_that_went_is_there_for_the_next_and_for_others() {
    let area = filled(4);
    let twin = area.twin(3).unwrap();
    let mut state = 5;
    for step in 0..20_000 {
        let index = random(&mut state);
        assert_eq!(area.get::<Word>(index).0.load(Relaxed) % 3, 0);
        area.get::<Word>(index).0.fetch_add(3, Relaxed);
        let seen = area.get::<Word>(index).0.load(Relaxed);
        assert_eq!(twin.get::<Word>(index).0.load(Relaxed), seen);
        assert!(area.mapped() <= 5 && twin.mapped() <= 4, "step {step}: {} and {}", area.mapped(), twin.mapped());
    }
    assert!(resident(&area) <= 5 * area.window && resident(&twin) <= 4 * twin.window);
}

#[test]
fn only_windows_are_resident_and_all_of_it_only_while_it_is_spread() {
    let mut area = filled(8);
    assert!(resident(&area) <= 9 * area.window, "{}", resident(&area));
    area.spread();
    let sum: u64 = (0..WORDS).map(|index| area.get::<Word>(index).0.load(Relaxed)).sum();
    assert_eq!(sum, 3 * (WORDS as u64 - 1) * WORDS as u64 / 2);
    assert_eq!(area.mapped(), area.reserved.div_ceil(area.window));
    assert!(resident(&area) >= WORDS * 8);
    area.ease();
    assert!(resident(&area) >= WORDS * 8, "until it is told");
    area.fold();
    assert_eq!((area.mapped(), resident(&area)), (1, area.window.min(resident(&area))));
    assert_eq!(area.get::<Word>(WORDS - 1).0.load(Relaxed), 3 * (WORDS as u64 - 1));
}

#[test]
fn a_walk_maps_long_runs_and_leaves_none() {
    let area = filled(32);
    {
        let _walk = area.walk();
        for index in 0..WORDS {
            assert_eq!(area.get::<Word>(index).0.load(Relaxed), index as u64 * 3);
            assert!(area.mapped() <= 33);
        }
    }
    assert_eq!(area.mapped(), 1);
}

#[test]
fn what_somebody_looks_at_stays_however_much_comes() {
    let area = filled(2);
    let held: Vec<_> = (0..40).map(|number| area.get::<Word>(number * 40_000)).collect();
    drop(area.walk());
    area.ease();
    assert!(held.iter().zip(0..).all(|(cell, number)| cell.0.load(Relaxed) == number * 40_000 * 3));
    drop(held);
    area.ease();
    assert!(area.mapped() <= 3, "{}", area.mapped());
}

#[test]
fn what_goes_is_a_part_at_a_time_and_the_rest_stays() {
    let area = filled(16);
    let (mut state, mut calls) = (9, 0);
    for step in 0..2_000 {
        let before = area.mapped();
        area.get::<Word>(random(&mut state));
        area.ease();
        calls += usize::from(area.mapped() < before);
        assert!(area.mapped() <= 17);
        // Until then those that lie together go together.
        assert!(step < 100 || area.mapped() >= 5, "{} of {before} stay", area.mapped());
    }
    assert!(calls < 1_200, "{calls} calls let something go");
}

#[test]
fn at_rest_all_of_it_is_mapped_if_it_fits_and_else_what_every_step_needs() {
    let mut area = filled(WORDS * 8 / WINDOW + 1);
    area.rest();
    assert!(area.is_whole());
    assert_eq!(area.mapped(), area.reserved.div_ceil(area.window));
    let mut area = filled(64);
    let first = WORDS - 4 * area.window / 8;
    area.needed_from::<Word>(first);
    area.rest();
    assert!((first..WORDS).all(|index| area.windows.is_mapped(index * 8 / area.window)));
    assert_eq!(area.mapped(), 6, "the first one, and what begins inside a window");
    {
        let _walk = area.walk();
        (0..WORDS).for_each(|index| drop(area.get::<Word>(index)));
    }
    assert!((first..WORDS).all(|index| area.windows.is_mapped(index * 8 / area.window)), "a walk leaves it");
    area.rest();
    assert_eq!(area.mapped(), 6);
}

#[test]
fn what_every_step_needs_stays_unless_it_is_more_than_half_of_the_room() {
    let mut area = filled(16);
    let first = WORDS - 4 * area.window / 8;
    area.fold();
    area.needed_from::<Word>(first);
    let mut state = 3;
    let needed = || (first..WORDS).step_by(area.window / 8);
    needed().for_each(|index| drop(area.get::<Word>(index)));
    for _ in 0..1_000 {
        area.get::<Word>(random(&mut state) / 2);
        area.ease();
    }
    assert!(needed().all(|index| area.windows.is_mapped(index * 8 / area.window)), "although nobody asked for them again");
    let area = filled(8);
    area.needed_from::<Word>(0);
    for _ in 0..1_000 {
        area.get::<Word>(random(&mut state));
        area.ease();
        assert!(area.mapped() <= 9);
    }
}

#[test]
#[should_panic(expected = "cells")]
fn there_is_nothing_behind_the_last_cell() {
    filled(2).get::<Word>(WORDS);
}

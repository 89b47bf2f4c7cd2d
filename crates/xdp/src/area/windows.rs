//! Which windows are mapped, and which go next: a part of the place after the other, in turns, because one call takes a whole
//! part away. Those that every step needs go only when they take more than half of the room.

use std::{cell::Cell, ops::Range};

/// Windows that a walk maps at once.
const STRIDE: usize = 16;
/// One in so many of the windows that may stay is let go before it is needed.
const EASE_SHARE: usize = 8;
/// What goes at once is one of so many parts of the place, and so about as large a part of what is mapped.
const PARTS: usize = 8;

/// Which windows are there. The first one always is, and is not counted.
#[derive(Debug)]
pub(super) struct Windows {
    mapped: Box<[Cell<bool>]>,
    /// How many are, and how many of those that every step needs.
    count: Cell<usize>,
    needed: Cell<usize>,
    most: usize,
    /// From this one on every step needs them.
    needed_from: Cell<usize>,
    /// Where the next part begins that goes.
    hand: Cell<usize>,
    is_walked: Cell<bool>,
    is_whole: Cell<bool>,
}

impl Windows {
    pub(super) fn new(count: usize, most: usize) -> Self {
        Self {
            mapped: vec![Cell::new(false); count].into(),
            count: Cell::new(0),
            needed: Cell::new(0),
            most: most.max(1),
            needed_from: Cell::new(usize::MAX),
            hand: Cell::new(1),
            is_walked: Cell::new(false),
            is_whole: Cell::new(false),
        }
    }

    pub(super) fn pin_first(&self) {
        self.mapped[..1].iter().for_each(|is| is.set(true));
    }

    /// From this window on every step needs one of them.
    pub(super) fn needed_from(&self, window: usize) {
        self.needed_from.set(window);
        self.needed.set(self.mapped.iter().skip(window.max(1)).filter(|is| is.get()).count());
    }

    /// Those that every step needs, if they are few enough to stay.
    pub(super) fn needed(&self) -> Option<Range<usize>> {
        let all = self.needed_from.get().max(1)..self.mapped.len();
        (!all.is_empty() && all.len() <= self.most / 2).then_some(all)
    }

    pub(super) fn is_mapped(&self, window: usize) -> bool {
        self.mapped[window].get()
    }

    /// May all of them stay mapped?
    pub(super) const fn fit(&self) -> bool {
        self.mapped.len() <= self.most + 1
    }

    /// Are walks on? Says how it was before.
    pub(super) fn stride(&self, on: bool) -> bool {
        self.is_walked.replace(on)
    }

    /// What is to be mapped so that this window is there.
    pub(super) fn missing(&self, window: usize) -> Range<usize> {
        let (first, count) = if self.is_walked.get() { (window / STRIDE * STRIDE, STRIDE) } else { (window, 1) };
        first.max(1)..(first + count).min(self.mapped.len())
    }

    /// These are mapped.
    pub(super) fn came(&self, run: Range<usize>) {
        for window in run {
            if !self.mapped[window].replace(true) {
                self.add(window, 1);
            }
        }
    }

    fn add(&self, window: usize, one: isize) {
        let needed = usize::from(window >= self.needed_from.get()).cast_signed() * one;
        self.count.set(self.count.get().saturating_add_signed(one));
        self.needed.set(self.needed.get().saturating_add_signed(needed));
    }

    /// How many may be mapped before so many more are.
    pub(super) const fn room_for(&self, more: usize) -> usize {
        self.most.saturating_sub(more)
    }

    /// How many may be mapped while nobody waits.
    pub(super) const fn at_ease(&self) -> usize {
        self.most - self.most / EASE_SHARE
    }

    /// The next part to go, if more than `most` are mapped; from now on it is away.
    pub(super) fn leaves(&self, most: usize) -> Option<Range<usize>> {
        while !self.is_whole.get() && self.count.get() > most {
            let all = self.mapped.len();
            // Whatever is more than half is there to be found.
            let end = if self.needed.get() > most / 2 { all } else { self.needed_from.get().min(all) };
            let first = if (1..end).contains(&self.hand.get()) { self.hand.get() } else { 1 };
            let part = first..(first + (end / PARTS).max(1)).min(end);
            self.hand.set(part.end);
            if self.leave(part.clone()) {
                return Some(part);
            }
        }
        None
    }

    /// These are away. Was one of them there?
    pub(super) fn leave(&self, run: Range<usize>) -> bool {
        let before = self.count.get();
        for window in run {
            if self.mapped[window].replace(false) {
                self.add(window, -1);
            }
        }
        self.count.get() < before
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole.get()
    }

    /// Everything is mapped.
    pub(super) fn all_came(&self) {
        self.came(1..self.mapped.len());
        self.is_whole.set(true);
    }

    /// Only the first one stays. Was there another?
    pub(super) fn all_leave(&self) -> bool {
        self.is_whole.set(false);
        self.leave(1..self.mapped.len())
    }

    /// How many are mapped besides the first.
    #[cfg(test)]
    pub(super) fn mapped(&self) -> usize {
        self.count.get()
    }
}

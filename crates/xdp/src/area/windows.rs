//! Which windows are mapped, and which go next: those that nobody has looked through since the last round (second chance), and
//! those that every step needs only when they take more than half of the room.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    ops::Range,
};

/// Windows that a walk maps at once.
const STRIDE: usize = 16;
/// One in so many of the windows that may stay is let go before it is needed.
const EASE_SHARE: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Away,
    /// Mapped, and not looked through since the last round.
    Old,
    /// Mapped.
    Fresh,
}

/// The state of each window. The first one is always there, and not counted.
#[derive(Debug)]
pub(super) struct Windows {
    states: Box<[Cell<State>]>,
    /// What was mapped at once, the oldest first; apart what begins with a window that every step needs. A later run may have
    /// taken in an earlier one.
    order: [RefCell<VecDeque<Range<usize>>>; 2],
    mapped: Cell<usize>,
    most: usize,
    /// From this one on every step needs them.
    needed_from: Cell<usize>,
    is_walked: Cell<bool>,
    is_whole: Cell<bool>,
}

impl Windows {
    pub(super) fn new(count: usize, most: usize) -> Self {
        Self {
            states: vec![Cell::new(State::Away); count].into(),
            order: Default::default(),
            mapped: Cell::new(0),
            most: most.max(1),
            needed_from: Cell::new(usize::MAX),
            is_walked: Cell::new(false),
            is_whole: Cell::new(false),
        }
    }

    pub(super) fn pin_first(&self) {
        self.states[..1].iter().for_each(|state| state.set(State::Fresh));
    }

    /// From this window on every step needs one of them.
    pub(super) fn needed_from(&self, window: usize) {
        self.needed_from.set(window);
    }

    /// Is it mapped, and known to be looked through?
    pub(super) fn is_fresh(&self, window: usize) -> bool {
        self.states[window].get() == State::Fresh
    }

    /// Are walks on? Says how it was before.
    pub(super) fn stride(&self, on: bool) -> bool {
        self.is_walked.replace(on)
    }

    /// What is to be mapped so that this window is there; `None` if it is there, and fresh from now on.
    pub(super) fn missing(&self, window: usize) -> Option<Range<usize>> {
        if self.states[window].get() != State::Away {
            self.states[window].set(State::Fresh);
            return None;
        }
        let (first, count) = if self.is_walked.get() { (window / STRIDE * STRIDE, STRIDE) } else { (window, 1) };
        Some(first.max(1)..(first + count).min(self.states.len()))
    }

    /// These are mapped.
    pub(super) fn came(&self, run: Range<usize>) {
        for state in &self.states[run.clone()] {
            self.mapped.set(self.mapped.get() + usize::from(state.get() == State::Away));
            state.set(State::Fresh);
        }
        self.order[usize::from(run.start >= self.needed_from.get())].borrow_mut().push_back(run);
    }

    /// How many may be mapped before so many more are.
    pub(super) const fn room_for(&self, more: usize) -> usize {
        self.most.saturating_sub(more)
    }

    /// How many may be mapped while nobody waits.
    pub(super) const fn at_ease(&self) -> usize {
        self.most - self.most / EASE_SHARE
    }

    /// The next to go, if more than `most` are mapped; from now on it is away.
    pub(super) fn leaves(&self, most: usize) -> Option<Range<usize>> {
        if self.is_whole.get() || self.mapped.get() <= most {
            return None;
        }
        let [others, needed] = &self.order;
        let is_much = needed.borrow().len() > most / 2;
        let first = if is_much { needed } else { others };
        let second = if is_much { others } else { needed };
        self.next_of(&mut first.borrow_mut()).or_else(|| self.next_of(&mut second.borrow_mut()))
    }

    fn next_of(&self, order: &mut VecDeque<Range<usize>>) -> Option<Range<usize>> {
        while let Some(run) = order.pop_front() {
            let states = &self.states[run.clone()];
            let has = |wanted| states.iter().any(|state| state.get() == wanted);
            if has(State::Fresh) {
                states.iter().filter(|state| state.get() == State::Fresh).for_each(|state| state.set(State::Old));
                order.push_back(run);
            } else if has(State::Old) {
                let gone = states.iter().filter(|state| state.replace(State::Away) != State::Away).count();
                self.mapped.set(self.mapped.get() - gone);
                return Some(run);
            }
        }
        None
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole.get()
    }

    /// Everything is mapped.
    pub(super) fn all_came(&self) {
        self.is_whole.set(true);
        self.states.iter().for_each(|state| state.set(State::Fresh));
    }

    /// Only the first one stays. Was there another?
    pub(super) fn all_leave(&self) -> bool {
        let were_any = self.is_whole.replace(false) || self.mapped.get() > 0;
        self.mapped.set(0);
        self.order.iter().for_each(|order| order.borrow_mut().clear());
        self.states.iter().skip(1).for_each(|state| state.set(State::Away));
        were_any
    }

    #[cfg(test)]
    pub(super) fn is_mapped(&self, window: usize) -> bool {
        self.states[window].get() != State::Away
    }

    /// How many are mapped besides the first.
    #[cfg(test)]
    pub(super) fn mapped(&self) -> usize {
        if self.is_whole.get() { self.states.len() - 1 } else { self.mapped.get() }
    }
}

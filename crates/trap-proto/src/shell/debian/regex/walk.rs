//! Looks for a pattern: all its ways at once, octet by octet (Thompson's and Pike's walk through the automaton that
//! `regex-automata` builds), so that an octet never costs more than the automaton has states, and each state that is visited is paid for.

use super::{Found, GROUPS_MAX, Regex};
use crate::shell::debian::work::Work;
use alloc::vec::Vec;
use regex_automata::{
    nfa::thompson::{NFA, State},
    util::primitives::StateID,
};

/// So many visits of states are one step of work.
pub(super) const VISITS_A_STEP: usize = 20;
/// Octets at which nothing begins, for the price of one visit.
const PASSED_A_VISIT: usize = 16;
/// Transitions of one state, or words of a way's memory, that are looked at for the price of one visit.
const WORDS_A_VISIT: usize = 8;
/// A place that was not reached.
const NOWHERE: u32 = u32::MAX;

/// Ways that are followed at one octet, the better first, and what each has seen.
struct Ways {
    order: Vec<StateID>,
    /// Where each state stands in `order`, if it does.
    place: Vec<u32>,
    /// For each state where its way began, and where its groups begin and end.
    seen: Vec<u32>,
}

impl Ways {
    fn new(states: usize, width: usize) -> Self {
        Self { order: Vec::with_capacity(states), place: alloc::vec![0; states], seen: alloc::vec![NOWHERE; states * width] }
    }

    /// `false`: a better way is there already.
    fn enter(&mut self, state: StateID) -> bool {
        let place = self.place[state.as_usize()] as usize;
        if self.order.get(place) == Some(&state) {
            return false;
        }
        self.place[state.as_usize()] = u32::try_from(self.order.len()).unwrap_or(u32::MAX);
        self.order.push(state);
        true
    }
}

/// What is still to be done at one octet.
enum Todo {
    Visit(StateID),
    /// A group's place is what it was before.
    PutBack(usize, u32),
}

/// Looks for one pattern, and keeps what it needs for that from one search to the next.
pub(in super::super) struct Walk<'r> {
    regex: &'r Regex,
    now: Ways,
    next: Ways,
    /// As long as the automaton has transitions without an octet, at most.
    todo: Vec<Todo>,
    /// What the way has seen that is followed.
    own: Vec<u32>,
    best: Vec<u32>,
    /// Visits that are not paid for yet.
    visits: usize,
}

impl<'r> Walk<'r> {
    pub(super) fn new(regex: &'r Regex) -> Self {
        let (states, width) = (regex.nfa.states().len(), regex.width());
        Self {
            regex,
            now: Ways::new(states, width),
            next: Ways::new(states, width),
            todo: Vec::new(),
            own: alloc::vec![NOWHERE; width],
            best: alloc::vec![NOWHERE; width],
            visits: 0,
        }
    }

    /// Whether it is anywhere in a text. If the work is used up it is nowhere.
    pub(in super::super) fn fits(&mut self, text: &[u8], work: &Work) -> bool {
        self.end(text, 0, true, work).is_some()
    }

    /// The first place from `from` on, and there the longest (with `-P` the one that is preferred). If the work is used up it is
    /// nowhere.
    pub(in super::super) fn find(&mut self, text: &[u8], from: usize, work: &Work) -> Option<Found> {
        let end = self.end(text, from, false, work)?;
        let place = |at: usize| self.best.get(at).filter(|place| **place != NOWHERE).map(|place| *place as usize);
        let mut found = Found { start: place(0)?, end, groups: [None; GROUPS_MAX] };
        for (number, group) in found.groups.iter_mut().enumerate() {
            *group = place(2 * number + 1).zip(place(2 * number + 2));
        }
        // What is only looked for before and behind it is no part of it.
        if self.regex.is_inner {
            (found.start, found.end) = found.groups[0]?;
        }
        Some(found)
    }

    /// Where the best way ends; what it has seen is in `best`.
    fn end(&mut self, text: &[u8], from: usize, is_any: bool, work: &Work) -> Option<usize> {
        let regex = self.regex;
        let is_anchored = regex.nfa.is_always_start_anchored();
        self.now.order.clear();
        self.next.order.clear();
        let (mut found, mut at) = (None, from);
        while at <= text.len() {
            if self.now.order.is_empty() {
                if found.is_some() || is_anchored && at > 0 {
                    break;
                }
                let passed = regex.passed(&text[at..]);
                self.visits += passed / PASSED_A_VISIT;
                at += passed;
            }
            if found.is_none() && (!is_anchored || at == 0) {
                self.own.fill(NOWHERE);
                self.own[0] = u32::try_from(at).unwrap_or(NOWHERE);
                self.visits +=
                    follow(&regex.nfa, &mut self.now, &mut self.todo, &mut self.own, text, at, regex.nfa.start_anchored());
            }
            if self.stepped(text, at, found.is_some()) {
                found = Some(at);
                if is_any {
                    break;
                }
            }
            let steps = self.visits / VISITS_A_STEP;
            self.visits %= VISITS_A_STEP;
            if steps > 0 && !work.take(steps) {
                return None;
            }
            core::mem::swap(&mut self.now, &mut self.next);
            self.next.order.clear();
            at += 1;
        }
        found
    }

    /// Follows all ways over one octet; `true` if a better one than any before ends in front of it.
    fn stepped(&mut self, text: &[u8], at: usize, mut has_best: bool) -> bool {
        let (nfa, width, byte) = (&self.regex.nfa, self.own.len(), text.get(at).copied());
        let mut is_found = false;
        for state in &self.now.order {
            let seen = &self.now.seen[state.as_usize() * width..][..width];
            self.visits += 1;
            let next = match nfa.state(*state) {
                // What was passed through without an octet has seen nothing.
                State::Look { .. } | State::Union { .. } | State::BinaryUnion { .. } | State::Capture { .. } | State::Fail => {
                    continue;
                }
                // Whatever comes now began further on.
                _ if has_best && seen[0] > self.best[0] => break,
                State::Match { .. } => {
                    self.best.copy_from_slice(seen);
                    (is_found, has_best) = (true, true);
                    if self.regex.is_first_best {
                        break;
                    }
                    continue;
                }
                State::ByteRange { trans } => byte.filter(|byte| trans.matches_byte(*byte)).map(|_| trans.next),
                State::Sparse(sparse) => {
                    self.visits += sparse.transitions.len() / WORDS_A_VISIT;
                    byte.and_then(|byte| sparse.matches_byte(byte))
                }
                State::Dense(dense) => byte.and_then(|byte| dense.matches_byte(byte)),
            };
            if let Some(next) = next {
                self.own.copy_from_slice(seen);
                self.visits += follow(nfa, &mut self.next, &mut self.todo, &mut self.own, text, at + 1, next);
            }
        }
        is_found
    }
}

/// Enters a state, and all that are reached from it without an octet; how many were visited.
fn follow(nfa: &NFA, ways: &mut Ways, todo: &mut Vec<Todo>, own: &mut [u32], text: &[u8], at: usize, state: StateID) -> usize {
    let mut visits = 0;
    todo.push(Todo::Visit(state));
    while let Some(next) = todo.pop() {
        let mut state = match next {
            Todo::Visit(state) => state,
            Todo::PutBack(slot, place) => {
                own[slot] = place;
                continue;
            }
        };
        loop {
            visits += 1;
            if !ways.enter(state) {
                break;
            }
            state = match nfa.state(state) {
                State::Look { look, next } if nfa.look_matcher().matches(*look, text, at) => *next,
                State::Union { alternates } => {
                    let Some((first, others)) = alternates.split_first() else { break };
                    todo.extend(others.iter().rev().map(|other| Todo::Visit(*other)));
                    *first
                }
                State::BinaryUnion { alt1, alt2 } => {
                    todo.push(Todo::Visit(*alt2));
                    *alt1
                }
                State::Capture { next, slot, .. } => {
                    // The first two are the whole pattern's, whose beginning is kept in the first place.
                    let slot = slot.as_usize().saturating_sub(1);
                    if slot > 0
                        && let Some(place) = own.get_mut(slot)
                    {
                        todo.push(Todo::PutBack(slot, *place));
                        *place = u32::try_from(at).unwrap_or(NOWHERE);
                    }
                    *next
                }
                State::Look { .. } | State::Fail => break,
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Match { .. } => {
                    visits += own.len() / WORDS_A_VISIT;
                    ways.seen[state.as_usize() * own.len()..][..own.len()].copy_from_slice(own);
                    break;
                }
            };
        }
    }
    visits
}

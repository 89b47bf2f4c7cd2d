//! Patterns of `grep`, `sed`, `awk` and `=~`: read as POSIX and GNU have them, made into automata of bounded size, and followed on all
//! their ways at once. Nothing goes back: an octet costs at most what the automaton has states, and each visit is paid for with work.

mod perl;
mod read;
mod walk;

pub(super) use read::{Syntax, Tool, Wrong, sed_byte};
pub(super) use walk::Walk;

use super::work::Work;
use alloc::vec::Vec;
use regex_automata::nfa::thompson::{NFA, State, WhichCaptures};
use regex_syntax::hir::{Hir, Look};

/// All patterns of one automaton together, in octets; what is longer is `Regular expression too big`, as all that is larger than a bound.
pub(super) const PATTERN_BYTES_MAX: usize = 1_024;
/// Groups inside of groups.
const DEPTH_MAX: u8 = 16;
/// Repetitions of repetitions, as in `a*+`.
const STACKED_MAX: usize = 4;
/// The most that `{n,m}` may say, as with GNU; how much of it there is room for, the automaton's size decides.
const REPEATS_MAX: u32 = 0x7fff;
/// Groups that a replacement can name.
pub(super) const GROUPS_MAX: usize = 9;
/// The largest automaton, in octets, also while it is built.
const AUTOMATON_BYTES_MAX: usize = 48 * 1_024;
/// Its states.
pub(super) const STATES_MAX: usize = 1_280;
/// What a search remembers of all ways at once, in places of a text: for each state where its way began, and where the groups are that
/// are asked for.
const PLACES_MAX: usize = 8_192;
/// What building an automaton costs in steps of work: at least, for so many octets of its pattern, and for so many states.
const BUILD_STEPS: usize = 4;
const BYTES_A_STEP: usize = 4;
const STATES_A_STEP: usize = 2;

/// What is asked of a pattern besides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wants {
    /// It is a whole line (`-x`), or whole words (`-w`).
    pub(super) line: bool,
    pub(super) word: bool,
    /// Groups whose places are told, from the first on.
    pub(super) groups: usize,
}

/// How patterns are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Regular expressions.
    Posix(Syntax),
    /// Texts that mean themselves.
    Fixed { folds: bool },
    /// Perl's, of which the preferred counts and not the longest.
    Perl { folds: bool },
}

/// An automaton.
pub(super) struct Regex {
    nfa: NFA,
    /// The octets with one of which whatever it finds begins, a bit for each.
    first: Option<[u64; 4]>,
    /// Groups whose places are told.
    kept: usize,
    /// Groups in its pattern.
    groups: usize,
    /// The way that is preferred counts, not the longest.
    is_first_best: bool,
    /// What it finds is its first group.
    is_inner: bool,
    warning: Option<&'static str>,
}

/// Where a pattern was found, and its groups.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    groups: [Option<(usize, usize)>; GROUPS_MAX],
}

impl Found {
    /// A group's place, or that of all of it, which has the number 0.
    pub(super) fn group(&self, number: usize) -> Option<(usize, usize)> {
        match number.checked_sub(1) {
            None => Some((self.start, self.end)),
            Some(at) => self.groups.get(at).copied().flatten(),
        }
    }
}

impl Regex {
    /// One automaton of all patterns: whichever fits.
    pub(super) fn new(patterns: &[&[u8]], kind: Kind, wants: Wants, work: &Work) -> Result<Self, Wrong> {
        let bytes = patterns.iter().map(|pattern| pattern.len() + 1).sum::<usize>();
        if bytes > PATTERN_BYTES_MAX + 1 || !work.take(BUILD_STEPS + bytes / BYTES_A_STEP) {
            return Err(Wrong::Large);
        }
        let (mut ways, mut groups, mut warning, mut is_inner) = (Vec::new(), 0, None, false);
        for pattern in patterns {
            ways.push(match kind {
                Kind::Posix(syntax) => {
                    let read = read::read(pattern, syntax, wants.groups > 0)?;
                    (groups, warning) = (read.groups, warning.or(read.repeats_nothing));
                    read.hir
                }
                Kind::Fixed { folds } => read::fixed(pattern, folds),
                Kind::Perl { folds } => {
                    let read = perl::read(pattern, folds)?;
                    is_inner = read.is_inner;
                    read.hir
                }
            });
        }
        let is_first_best = matches!(kind, Kind::Perl { .. });
        let kept = if is_inner { 1 } else { wants.groups.min(groups) };
        let nfa = built(&bounded(Hir::alternation(ways), wants), kept, work)?;
        let first = first(&nfa);
        Ok(Self { nfa, first, kept, groups, is_first_best, is_inner, warning })
    }

    pub(super) const fn groups(&self) -> usize {
        self.groups
    }

    pub(super) fn states(&self) -> usize {
        self.nfa.states().len()
    }

    /// What `grep` says of it and takes it all the same.
    pub(super) const fn warning(&self) -> Option<&'static str> {
        self.warning
    }

    /// What looks for it.
    pub(super) fn walk(&self) -> Walk<'_> {
        Walk::new(self)
    }

    /// Places that a way remembers.
    const fn width(&self) -> usize {
        1 + 2 * self.kept
    }

    /// Octets at which nothing begins.
    fn passed(&self, text: &[u8]) -> usize {
        let Some(first) = &self.first else { return 0 };
        text.iter().position(|byte| first[usize::from(*byte) / 64] >> (byte % 64) & 1 == 1).unwrap_or(text.len())
    }
}

fn bounded(hir: Hir, wants: Wants) -> Hir {
    let (before, behind) = match wants {
        Wants { line: true, .. } => (Look::Start, Look::End),
        Wants { word: true, .. } => (Look::WordStartHalfAscii, Look::WordEndHalfAscii),
        _ => return hir,
    };
    Hir::concat(alloc::vec![Hir::look(before), hir, Hir::look(behind)])
}

fn built(hir: &Hir, kept: usize, work: &Work) -> Result<NFA, Wrong> {
    let captures = if kept > 0 { WhichCaptures::All } else { WhichCaptures::None };
    let config = NFA::config().utf8(false).nfa_size_limit(Some(AUTOMATON_BYTES_MAX)).shrink(false).which_captures(captures);
    let nfa = NFA::compiler().configure(config).build_from_hir(hir);
    let states = nfa.as_ref().map_or(STATES_MAX, |nfa| nfa.states().len());
    let is_paid = work.take(states / STATES_A_STEP);
    nfa.ok().filter(|_| is_paid && states <= STATES_MAX && states * (1 + 2 * kept) <= PLACES_MAX).ok_or(Wrong::Large)
}

/// The octets with which something can begin; `None` if it can be found where there is none.
fn first(nfa: &NFA) -> Option<[u64; 4]> {
    let (mut first, mut seen) = ([0_u64; 4], alloc::vec![false; nfa.states().len()]);
    let mut todo = alloc::vec![nfa.start_anchored()];
    let mut mark = |from: u8, to: u8| (from..=to).for_each(|byte| first[usize::from(byte) / 64] |= 1 << (byte % 64));
    while let Some(state) = todo.pop() {
        if core::mem::replace(&mut seen[state.as_usize()], true) {
            continue;
        }
        match nfa.state(state) {
            State::ByteRange { trans } => mark(trans.start, trans.end),
            State::Sparse(sparse) => sparse.transitions.iter().for_each(|trans| mark(trans.start, trans.end)),
            State::Dense(_) | State::Match { .. } => return None,
            State::Look { next, .. } | State::Capture { next, .. } => todo.push(*next),
            State::Union { alternates } => todo.extend(alternates.iter()),
            State::BinaryUnion { alt1, alt2 } => todo.extend([*alt1, *alt2]),
            State::Fail => {}
        }
    }
    Some(first)
}

#[cfg(test)]
mod tests;

//! What a piece could cost the rules at most, reckoned before they look at it: boreal asks for the time too seldom.

use super::{
    RULE_MATCHES_MAX, RULE_STEPS_MAX,
    reach::{Pass, Reach},
};
use aho_corasick::AhoCorasick;
use boreal::statistics::CompiledString;
use std::collections::BTreeMap;

/// What comparing one string that shares its noticed octets with others costs, in steps.
const COMPARE_STEPS: u64 = 8;
/// Sharing that costs less than so many steps for each hit is not reckoned.
const SHARED_STEPS_MIN: u64 = 256;

/// Collects what strings may cost.
#[derive(Default)]
pub(super) struct Tolls {
    reaches: BTreeMap<Vec<u8>, Vec<Reach>>,
    shared: BTreeMap<Vec<u8>, u64>,
    passes: Vec<Pass>,
}

/// Finds out what a piece could cost.
#[derive(Debug)]
pub(super) struct Toll {
    finder: Option<AhoCorasick>,
    /// For each of the finder's patterns: what each hit costs, and what it sets off.
    hits: Vec<(u64, Vec<Reach>)>,
    passes: Vec<Pass>,
}

impl Tolls {
    /// Takes a string; `is_loose`: it has no fixed octets.
    pub(super) fn add(&mut self, string: &CompiledString, is_loose: bool) {
        if is_loose {
            self.passes.push(Pass::of(string));
            return;
        }
        for atom in &string.atoms {
            *self.shared.entry(atom.to_ascii_lowercase()).or_default() += COMPARE_STEPS;
        }
        let Some(reach) = Reach::of(string) else { return };
        for literal in &string.literals {
            self.reaches.entry(literal.to_ascii_lowercase()).or_default().push(reach);
        }
    }

    /// Everything taken, ready. `None` if there is too much of it for one automaton.
    pub(super) fn ready(self) -> Option<Toll> {
        let mut hits: BTreeMap<Vec<u8>, (u64, Vec<Reach>)> =
            self.reaches.into_iter().map(|(octets, reaches)| (octets, (0, reaches))).collect();
        for (octets, steps) in self.shared.into_iter().filter(|(_, steps)| *steps >= SHARED_STEPS_MIN) {
            hits.entry(octets).or_default().0 = steps;
        }
        hits.retain(|octets, _| !octets.is_empty());
        let finder = match hits.is_empty() {
            true => None,
            false => Some(AhoCorasick::builder().ascii_case_insensitive(true).build(hits.keys()).ok()?),
        };
        Some(Toll { finder, hits: hits.into_values().collect(), passes: self.passes })
    }
}

impl Toll {
    /// May the rules look at it: do they need [`RULE_STEPS_MAX`] at most, whatever is in it? Takes time linear in it.
    pub(super) fn allows(&self, piece: &[u8]) -> bool {
        let mut passes = self.passes.iter().map(|pass| pass.steps(piece.len(), RULE_MATCHES_MAX));
        let Some(mut left) = passes.try_fold(RULE_STEPS_MAX, u64::checked_sub) else { return false };
        let Some(finder) = &self.finder else { return true };
        for found in finder.find_overlapping_iter(piece) {
            let (shared, reaches) = &self.hits[found.pattern().as_usize()];
            let Some(rest) = left.checked_sub(*shared) else { return false };
            left = rest;
            for reach in reaches {
                let Some(rest) = left.checked_sub(reach.steps(found.end(), piece.len() - found.start())) else { return false };
                left = rest;
            }
        }
        true
    }
}

//! A sketch of a peer's set that grows until it tells the difference.

use super::{Difference, Hasher, SYMBOLS_KEPT, SYMBOLS_SENT, Symbol};
use alloc::{collections::BTreeMap, vec::Vec};

/// Our symbols, and as many of a peer's as have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    ours: Vec<Symbol>,
    theirs: Vec<Symbol>,
    /// Those that came before others, by where they belong.
    early: BTreeMap<usize, Vec<Symbol>>,
}

/// What a sketch tells so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// In what the sets differ.
    All(Difference),
    /// Nothing yet: symbols are still on their way.
    Waits,
    /// Nothing: these are needed besides, by where each answer begins.
    Needs(Vec<u16>),
    /// Nothing, and there are no more symbols.
    Nothing,
}

impl Growth {
    /// From all our symbols, at the horizon of the peer's first ones.
    pub(crate) const fn new(ours: Vec<Symbol>, theirs: Vec<Symbol>) -> Self {
        Self { ours, theirs, early: BTreeMap::new() }
    }

    /// What is needed first: as many symbols again as there are.
    pub(crate) fn needs(&self) -> Vec<u16> {
        let (from, to) = (self.theirs.len(), (self.theirs.len() * 2).min(SYMBOLS_KEPT));
        (from..to).step_by(SYMBOLS_SENT).filter_map(|from| u16::try_from(from).ok()).collect()
    }

    /// Takes symbols that were asked for, and says what all of them tell now.
    pub(crate) fn take(&mut self, from: usize, symbols: Vec<Symbol>, expected: usize, hasher: Hasher) -> Told {
        if symbols.len() < SYMBOLS_SENT {
            return Told::Nothing;
        }
        self.early.insert(from, symbols);
        while let Some(next) = self.early.remove(&self.theirs.len()) {
            self.theirs.extend(next);
        }
        if expected > 0 {
            return Told::Waits;
        }
        match hasher.difference(&self.ours, &self.theirs) {
            Some(difference) if !difference.is_empty() => Told::All(difference),
            Some(_) => Told::Nothing,
            None => Some(self.needs()).filter(|needs| !needs.is_empty()).map_or(Told::Nothing, Told::Needs),
        }
    }
}

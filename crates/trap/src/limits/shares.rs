//! Places by neighbourhood: who has most of them, and who there has been silent longest.
//!
//! Each step costs a few look-ups in ordered trees, and a place some 50 octets, however many are in.

use crate::neighbours::Neighbours;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Those who stay. A session has a *turn*, a number that grows: the lower it is, the longer ago it was heard.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Sessions by their turns, each neighbourhood's together.
    turns: BTreeMap<(Neighbours, u64), u64>,
    /// Places of each neighbourhood that has any.
    held: BTreeMap<Neighbours, usize>,
    /// The same by their number; of equals, whose turn is the lowest comes last.
    ranks: BTreeSet<(usize, Reverse<u64>, Neighbours)>,
    last_turn: u64,
}

impl Shares {
    /// So many stay.
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    /// A session that is in no neighbourhood yet; gives its turn.
    pub(super) fn enters(&mut self, neighbours: Neighbours, session: u64) -> u64 {
        self.last_turn += 1;
        let turn = self.last_turn;
        self.change(neighbours, |shares| {
            *shares.held.entry(neighbours).or_default() += 1;
            shares.turns.insert((neighbours, turn), session);
        });
        turn
    }

    /// One who stays was heard; gives its next turn.
    pub(super) fn speaks(&mut self, neighbours: Neighbours, turn: u64, session: u64) -> u64 {
        self.last_turn += 1;
        let next = self.last_turn;
        self.change(neighbours, |shares| {
            shares.turns.remove(&(neighbours, turn));
            shares.turns.insert((neighbours, next), session);
        });
        next
    }

    /// One who stayed does so no longer.
    pub(super) fn leaves(&mut self, neighbours: Neighbours, turn: u64) {
        self.change(neighbours, |shares| {
            if shares.turns.remove(&(neighbours, turn)).is_none() {
                return;
            }
            if let Some(held) = shares.held.get_mut(&neighbours) {
                *held -= 1;
                if *held == 0 {
                    shares.held.remove(&neighbours);
                }
            }
        });
    }

    /// Which session gives way to a newcomer: of the neighbourhood with most places, the one that was silent longest; `None` if the
    /// newcomer's own has as many, or one less: then the two would only change places, again and again.
    pub(super) fn gives_way(&self, newcomer: Neighbours) -> Option<u64> {
        let (most, Reverse(turn), greediest) = *self.ranks.last()?;
        let own = self.held.get(&newcomer).copied().unwrap_or_default();
        if own == 0 || own + 1 < most { self.turns.get(&(greediest, turn)).copied() } else { None }
    }

    /// Everybody has left; turns go on.
    pub(super) fn clear(&mut self) {
        self.turns.clear();
        self.held.clear();
        self.ranks.clear();
    }

    /// Keeps the ranks true.
    fn change(&mut self, neighbours: Neighbours, change: impl FnOnce(&mut Self)) {
        let before = self.rank(neighbours);
        change(self);
        let after = self.rank(neighbours);
        if before == after {
            return;
        }
        before.map(|rank| self.ranks.remove(&rank));
        after.map(|rank| self.ranks.insert(rank));
    }

    fn rank(&self, neighbours: Neighbours) -> Option<(usize, Reverse<u64>, Neighbours)> {
        let held = *self.held.get(&neighbours)?;
        let ((_, lowest), _) = self.turns.range((neighbours, 0)..=(neighbours, u64::MAX)).next()?;
        Some((held, Reverse(*lowest), neighbours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbours(host: u8) -> Neighbours {
        Neighbours::of([192, 0, host, 1].into())
    }

    #[test]
    fn whoever_was_silent_longest_where_most_are_gives_way_and_only_to_those_with_fewer() {
        let (a, b, c) = (neighbours(1), neighbours(2), neighbours(3));
        let mut shares = Shares::default();
        assert_eq!(shares.gives_way(a), None, "nobody is there");
        let first = shares.enters(a, 10);
        let second = shares.enters(a, 11);
        shares.enters(b, 20);
        assert_eq!(
            (shares.gives_way(a), shares.gives_way(b), shares.gives_way(c)),
            (None, None, Some(10)),
            "from one to two is no gain for b"
        );
        let first = shares.speaks(a, first, 10);
        assert_eq!(shares.gives_way(c), Some(11), "it has been silent longer now");
        shares.leaves(a, second);
        assert_eq!((shares.gives_way(c), shares.gives_way(a), shares.gives_way(b)), (Some(20), None, None), "of equals, too");
        shares.leaves(a, first);
        shares.leaves(a, first);
        assert_eq!((shares.len(), shares.gives_way(a)), (1, Some(20)));
        shares.clear();
        assert!(shares.len() == 0 && shares.held.is_empty() && shares.ranks.is_empty());
    }
}

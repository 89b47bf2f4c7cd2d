//! The live members by address, ready to be picked at random.

use crate::{peers::ShortId, post::To};
use alloc::{collections::BTreeMap, vec::Vec};
use core::{net::SocketAddr, ops::Bound};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// `floor(e^k)` for k = 0, 1, 2 ...: up to so many nodes, `k` is `ceil(ln N)`.
const EXP: [usize; 10] = [1, 2, 7, 20, 54, 148, 403, 1_096, 2_980, 8_103];

/// To how many members a new record is pushed in a cluster of `nodes`: `ceil(ln N) + 1`, the knee of the curve between
/// copies sent and time to reach everybody.
pub(crate) fn fanout(nodes: usize) -> usize {
    EXP.iter().position(|most| nodes <= *most).unwrap_or(EXP.len()) + 1
}

/// A random number below `bound`; zero if that is zero.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let product = u64::from(rng.next_u32()) * (bound as u64);
    usize::try_from(product >> 32).unwrap_or(0)
}

/// The live members.
#[derive(Default)]
pub(crate) struct Roster {
    live: Vec<(ShortId, SocketAddr)>,
    places: BTreeMap<ShortId, usize>,
}

impl Roster {
    pub(crate) const fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn contains(&self, id: ShortId) -> bool {
        self.places.contains_key(&id)
    }

    pub(crate) fn has_addr(&self, addr: SocketAddr) -> bool {
        self.live.iter().any(|(_, live)| *live == addr)
    }

    /// A member came, or moved.
    pub(crate) fn insert(&mut self, id: ShortId, addr: SocketAddr) {
        match self.places.get(&id) {
            Some(place) => self.live[*place].1 = addr,
            None => {
                self.places.insert(id, self.live.len());
                self.live.push((id, addr));
            }
        }
    }

    /// A member went.
    pub(crate) fn remove(&mut self, id: ShortId) {
        let Some(place) = self.places.remove(&id) else { return };
        self.live.swap_remove(place);
        if let Some((moved, _)) = self.live.get(place) {
            self.places.insert(*moved, place);
        }
    }

    /// One member at random.
    pub(crate) fn pick(&self, rng: &mut ChaCha8Rng) -> Option<To> {
        self.at(below(rng, self.live.len()))
    }

    /// Up to `wanted` different members at random, none of them in `except`.
    pub(crate) fn pick_many(&self, wanted: usize, except: &[ShortId], rng: &mut ChaCha8Rng) -> Vec<To> {
        let mut places: Vec<usize> = Vec::with_capacity(wanted.min(self.live.len()));
        // Floyd's sampling: every subset of that size is equally likely, and no list of all members is copied.
        let drawn = (wanted + except.len()).min(self.live.len());
        for limit in self.live.len() - drawn..self.live.len() {
            let place = below(rng, limit + 1);
            places.push(if places.contains(&place) { limit } else { place });
        }
        let allowed = places.into_iter().filter_map(|place| self.at(place));
        allowed.filter(|to| to.peer.is_none_or(|id| !except.contains(&id))).take(wanted).collect()
    }

    /// The `wanted` members that follow `me` in the order of identities, around the end. If every node tells its
    /// followers, nobody is left out by chance.
    pub(crate) fn followers(&self, me: ShortId, wanted: usize) -> Vec<To> {
        let (behind, ahead) = (self.places.range(..me), self.places.range((Bound::Excluded(me), Bound::Unbounded)));
        ahead.chain(behind).take(wanted).filter_map(|(_, place)| self.at(*place)).collect()
    }

    fn at(&self, place: usize) -> Option<To> {
        self.live.get(place).map(|(id, addr)| To { addr: *addr, peer: Some(*id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use rand_core::SeedableRng;

    fn addr(n: u64) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], u16::try_from(n).unwrap()))
    }

    fn roster(n: u64) -> Roster {
        let mut roster = Roster::default();
        (1..=n).for_each(|n| roster.insert(ShortId(n), addr(n)));
        roster
    }

    #[test]
    fn the_fanout_is_the_logarithm_and_one() {
        for (nodes, wanted) in [(1, 1), (2, 2), (3, 3), (7, 3), (8, 4), (64, 6), (128, 6), (500, 8), (1_024, 8), (4_096, 10)] {
            assert_eq!(fanout(nodes), wanted, "{nodes} nodes");
        }
    }

    #[test]
    fn picks_are_different_allowed_and_cover_everybody() {
        let (roster, mut rng) = (roster(20), ChaCha8Rng::seed_from_u64(1));
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let picks = roster.pick_many(5, &[ShortId(3)], &mut rng);
            let ids: BTreeSet<ShortId> = picks.iter().filter_map(|to| to.peer).collect();
            assert_eq!((ids.len(), ids.contains(&ShortId(3))), (5, false));
            seen.extend(ids);
        }
        assert_eq!(seen.len(), 19);
        assert_eq!(roster.pick_many(99, &[], &mut rng).len(), 20);
        assert!(Roster::default().pick_many(3, &[], &mut rng).is_empty());
        assert!(Roster::default().pick(&mut rng).is_none());
    }

    #[test]
    fn everybody_follows_somebody() {
        let roster = roster(5);
        let followers = |n: u64, wanted| {
            let ids = roster.followers(ShortId(n), wanted).into_iter().filter_map(|to| to.peer);
            ids.map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!((followers(0, 2), followers(3, 2), followers(9, 2)), ([1, 2].into(), [4, 5].into(), [1, 2].into()));
        assert_eq!(followers(4, 99), [5, 1, 2, 3]);
        assert!(Roster::default().followers(ShortId(1), 2).is_empty());
    }

    #[test]
    fn members_come_move_and_go() {
        let mut roster = roster(3);
        roster.insert(ShortId(1), addr(9));
        roster.remove(ShortId(2));
        roster.remove(ShortId(2));
        assert_eq!((roster.len(), roster.contains(ShortId(2))), (2, false));
        assert!(roster.has_addr(addr(9)) && !roster.has_addr(addr(1)) && roster.has_addr(addr(3)));
    }
}

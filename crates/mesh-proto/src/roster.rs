//! The live members by address, ready to be picked at random or by their place on the ring of identities.

use crate::{peers::ShortId, post::To, spread::Duty};
use alloc::{collections::BTreeMap, vec::Vec};
use core::{net::SocketAddr, ops::Bound};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// The most members among whom one node divides a duty.
pub(crate) const WIDTH_MAX: usize = 64;

/// Among how many members a duty is divided in a cluster of `nodes`: the root of their number, so that a record is
/// everywhere after two steps, and each node gets it once. Between 3 and [`WIDTH_MAX`].
pub(crate) fn width(nodes: usize) -> usize {
    let root = nodes.isqrt();
    (root + usize::from(root * root < nodes)).clamp(3, WIDTH_MAX)
}

/// To how many members at random something rare is pushed by each that learns it, so that nearly all hear of it whatever a
/// few of them do: the binary logarithm of their number, and one.
pub(crate) fn fanout(nodes: usize) -> usize {
    nodes.max(1).ilog2() as usize + 1
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
    /// The ring.
    places: BTreeMap<ShortId, usize>,
    /// The same members in an order that has nothing to do with the ring's.
    shuffled: BTreeMap<u64, ShortId>,
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
                self.shuffled.insert(shuffled(id), id);
                self.live.push((id, addr));
            }
        }
    }

    /// A member went.
    pub(crate) fn remove(&mut self, id: ShortId) {
        let Some(place) = self.places.remove(&id) else { return };
        self.shuffled.remove(&shuffled(id));
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

    /// The `wanted` members that follow `me` in an order that everybody shares and that has nothing to do with the ring's. If
    /// every node tells its follower, nobody is left out by chance, and a gap in the ring closes everywhere at once.
    pub(crate) fn followers(&self, me: ShortId, wanted: usize) -> Vec<To> {
        let (me, all) = (shuffled(me), &self.shuffled);
        let ahead = all.range((Bound::Excluded(me), Bound::Unbounded));
        let ids = ahead.chain(all.range(..me)).take(wanted).map(|(_, id)| id);
        ids.filter_map(|id| self.at(*self.places.get(id)?)).collect()
    }

    /// Divides a duty among at most `wide` members: whom to send to, and where the part of each ends. Nothing for nobody.
    pub(crate) fn divide(&self, duty: Duty, wide: usize) -> Vec<(To, ShortId)> {
        let Duty { after, until } = duty;
        let (from, to) = (Bound::Excluded(after), Bound::Excluded(until));
        let places: Vec<usize> = if after < until {
            self.places.range((from, to)).map(|(_, place)| *place).collect()
        } else {
            let ahead = self.places.range((from, Bound::Unbounded));
            ahead.chain(self.places.range(..until)).map(|(_, place)| *place).collect()
        };
        let parts = wide.min(places.len());
        let first = |part: usize| places.get(part * places.len() / parts).and_then(|place| self.at(*place));
        let end = |part: usize| first(part + 1).and_then(|to| to.peer).unwrap_or(until);
        (0..parts).filter_map(|part| Some((first(part)?, end(part)))).collect()
    }

    fn at(&self, place: usize) -> Option<To> {
        self.live.get(place).map(|(id, addr)| To { addr: *addr, peer: Some(*id) })
    }
}

/// Another place for an identity: an odd factor gives each its own.
const fn shuffled(id: ShortId) -> u64 {
    (id.0 ^ id.0 >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15).swap_bytes()
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
    fn a_duty_is_divided_by_the_root() {
        for (nodes, wanted) in [(1, 3), (9, 3), (10, 4), (16, 4), (128, 12), (1_024, 32), (4_096, 64), (100_000, WIDTH_MAX)] {
            assert_eq!(width(nodes), wanted, "{nodes} nodes");
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
    fn everybody_follows_somebody_in_another_order_than_the_rings() {
        // A node is not in its own roster.
        let followers_of = |n: u64| {
            let mut others = roster(50);
            others.remove(ShortId(n));
            let followers = others.followers(ShortId(n), 2).into_iter().filter_map(|to| to.peer);
            followers.map(|id| id.0).collect::<Vec<_>>()
        };
        let firsts: BTreeSet<u64> = (1..=50).map(|n| followers_of(n)[0]).collect();
        assert_eq!(firsts, (1..=50).collect());
        assert!((1..50).all(|n| followers_of(n)[1] == followers_of(followers_of(n)[0])[0]));
        assert!((1..50).filter(|n| followers_of(*n)[0] == n + 1).count() < 10);
        assert!(Roster::default().followers(ShortId(1), 2).is_empty());
    }

    /// Everybody whom a duty reaches, each as often as it is sent to.
    fn reach(nodes: u64, duty: Duty, wide: usize, reached: &mut Vec<u64>) {
        let mut others = roster(nodes);
        others.remove(duty.after);
        for (to, until) in others.divide(duty, wide) {
            let after = to.peer.unwrap();
            reached.push(after.0);
            reach(nodes, Duty { after, until }, wide, reached);
        }
    }

    #[test]
    fn a_duty_reaches_everybody_once_wherever_it_begins() {
        for nodes in [1, 2, 3, 10, 64] {
            for origin in 1..=nodes {
                let (mut reached, me) = (Vec::new(), ShortId(origin));
                reach(nodes, Duty { after: me, until: me }, width(64), &mut reached);
                reached.sort_unstable();
                assert_eq!(reached, (1..=nodes).filter(|n| *n != origin).collect::<Vec<_>>(), "{nodes} from {origin}");
            }
        }
        let mut reached = Vec::new();
        reach(10, Duty { after: ShortId(8), until: ShortId(3) }, 3, &mut reached);
        reached.sort_unstable();
        assert_eq!(reached, [1, 2, 9, 10]);
        assert!(roster(10).divide(Duty { after: ShortId(8), until: ShortId(9) }, 3).is_empty());
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

//! The live members by address, ready to be picked at random or by their place on the ring of identities.

use crate::{peers::ShortId, post::To, spread::Duty};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::{net::SocketAddr, ops::Bound};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// The most members among whom one node divides a duty.
pub(crate) const WIDTH_MAX: usize = 128;

/// Among how many members a duty is divided in a cluster of `nodes`: the root of their number, so that a record is
/// everywhere after two steps, and each node gets it once. Between 3 and [`WIDTH_MAX`].
pub(crate) fn width(nodes: usize) -> usize {
    let root = nodes.isqrt();
    (root + usize::from(root * root < nodes)).clamp(3, WIDTH_MAX)
}

/// How often a push is sent at once whose receiver is to hand it on to `others`: if it were lost, they would all wait for the sender
/// to notice, and the copies are few beside what they are for.
pub(crate) const fn copies(others: usize) -> usize {
    match others {
        0..12 => 1,
        12..64 => 2,
        _ => 3,
    }
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

/// A part of a duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Who is to do it.
    pub(crate) to: To,
    /// Where it ends.
    pub(crate) until: ShortId,
    /// To how many others it is to be handed on, as far as is known here.
    pub(crate) others: usize,
}

/// Members in the orders in which they are looked for.
#[derive(Clone, Default)]
pub(crate) struct Ring {
    live: Vec<(ShortId, SocketAddr)>,
    /// The ring.
    places: BTreeMap<ShortId, usize>,
    /// The same members in an order that has nothing to do with the ring's.
    shuffled: BTreeMap<u64, ShortId>,
}

impl Ring {
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

    fn remove(&mut self, id: ShortId) {
        let Some(place) = self.places.remove(&id) else { return };
        self.shuffled.remove(&shuffled(id));
        self.live.swap_remove(place);
        if let Some((moved, _)) = self.live.get(place) {
            self.places.insert(*moved, place);
        }
    }

    fn at(&self, place: usize) -> Option<To> {
        self.live.get(place).map(|(id, addr)| To { addr: *addr, peer: Some(*id) })
    }
}

/// The live members, this node left out. The ring is a node's own, and changed in place; or many nodes of one process share one in
/// which all of them are, each leaving itself out, and it is copied by the first of them that changes it.
#[derive(Default)]
pub(crate) struct Roster {
    ring: Arc<Ring>,
    /// This node, if it is in the ring.
    own: Option<ShortId>,
}

impl Roster {
    /// All of a ring that is shared but one, whose own this is.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn sharing(ring: &Arc<Ring>, own: ShortId) -> Self {
        let own = Some(own).filter(|own| ring.places.contains_key(own));
        Self { ring: Arc::clone(ring), own }
    }

    pub(crate) fn len(&self) -> usize {
        self.ring.live.len() - usize::from(self.own.is_some())
    }

    pub(crate) fn contains(&self, id: ShortId) -> bool {
        self.own != Some(id) && self.ring.places.contains_key(&id)
    }

    pub(crate) fn has_addr(&self, addr: SocketAddr) -> bool {
        self.ring.live.iter().any(|(id, live)| *live == addr && self.own != Some(*id))
    }

    /// The addresses of all of them; some share one.
    pub(crate) fn addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.ring.live.iter().filter(|(id, _)| self.own != Some(*id)).map(|(_, addr)| *addr)
    }

    /// A member came, or moved.
    pub(crate) fn insert(&mut self, id: ShortId, addr: SocketAddr) {
        Arc::make_mut(&mut self.ring).insert(id, addr);
    }

    /// A member went.
    pub(crate) fn remove(&mut self, id: ShortId) {
        if self.contains(id) {
            Arc::make_mut(&mut self.ring).remove(id);
        }
    }

    /// One member at random.
    pub(crate) fn pick(&self, rng: &mut ChaCha8Rng) -> Option<To> {
        self.other(below(rng, self.len()))
    }

    /// Up to `wanted` different members at random, none of them in `except`.
    pub(crate) fn pick_many(&self, wanted: usize, except: &[ShortId], rng: &mut ChaCha8Rng) -> Vec<To> {
        let mut places: Vec<usize> = Vec::with_capacity(wanted.min(self.len()));
        // Floyd's sampling: every subset of that size is equally likely, and no list of all members is copied.
        let drawn = (wanted + except.len()).min(self.len());
        for limit in self.len() - drawn..self.len() {
            let place = below(rng, limit + 1);
            places.push(if places.contains(&place) { limit } else { place });
        }
        let allowed = places.into_iter().filter_map(|place| self.other(place));
        allowed.filter(|to| to.peer.is_none_or(|id| !except.contains(&id))).take(wanted).collect()
    }

    /// The `wanted` members that follow `me` in an order that everybody shares and that has nothing to do with the ring's. If
    /// every node tells its follower, nobody is left out by chance, and a gap in the ring closes everywhere at once.
    pub(crate) fn followers(&self, me: ShortId, wanted: usize) -> Vec<To> {
        let (me, all) = (shuffled(me), &self.ring.shuffled);
        let ahead = all.range((Bound::Excluded(me), Bound::Unbounded));
        let others = ahead.chain(all.range(..me)).map(|(_, id)| *id).filter(|id| self.own != Some(*id));
        others.take(wanted).filter_map(|id| self.ring.at(*self.ring.places.get(&id)?)).collect()
    }

    /// Divides a duty among at most `wide` members. Nothing for nobody.
    pub(crate) fn divide(&self, duty: Duty, wide: usize) -> Vec<Part> {
        let Duty { after, until } = duty;
        let (from, to) = (Bound::Excluded(after), Bound::Excluded(until));
        let ring = &self.ring.places;
        let other = |(id, place): (&ShortId, &usize)| (self.own != Some(*id)).then_some(*place);
        let places: Vec<usize> = if after < until {
            ring.range((from, to)).filter_map(other).collect()
        } else {
            ring.range((from, Bound::Unbounded)).chain(ring.range(..until)).filter_map(other).collect()
        };
        let parts = wide.min(places.len());
        let begin = |part: usize| part * places.len() / parts;
        let first = |part: usize| places.get(begin(part)).and_then(|place| self.ring.at(*place));
        let end = |part: usize| first(part + 1).and_then(|to| to.peer).unwrap_or(until);
        let others = |part: usize| begin(part + 1) - begin(part) - 1;
        (0..parts).filter_map(|part| Some(Part { to: first(part)?, until: end(part), others: others(part) })).collect()
    }

    /// The member at a place among the others.
    fn other(&self, place: usize) -> Option<To> {
        let own = self.own.and_then(|own| self.ring.places.get(&own));
        self.ring.at(place + usize::from(own.is_some_and(|own| *own <= place)))
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
        for (nodes, wanted) in
            [(1, 3), (9, 3), (10, 4), (16, 4), (128, 12), (1_024, 32), (4_096, 64), (16_384, 128), (100_000, WIDTH_MAX)]
        {
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
        for Part { to, until, .. } in others.divide(duty, wide) {
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
    fn who_hands_on_to_many_is_sent_copies() {
        assert_eq!([0, 11, 12, 63, 64, 16_384].map(copies), [1, 1, 2, 2, 3, 3]);
        let mut others = roster(256);
        others.remove(ShortId(1));
        let parts = others.divide(Duty::of_origin(ShortId(1)), width(256));
        let counts: Vec<usize> = parts.iter().map(|part| part.others).collect();
        assert_eq!((parts.len(), counts.iter().sum::<usize>() + parts.len()), (16, 255));
        assert!(counts.iter().all(|others| (14..=15).contains(others)), "{counts:?}");
    }

    /// A roster of a node's own, and one that shares a ring in which the node itself is, are the same to it.
    #[test]
    fn a_shared_ring_without_oneself_is_ones_own_roster() {
        let all = roster(50);
        for me in (1..=50).map(ShortId) {
            let (shared, mut own) = (Roster::sharing(&all.ring, me), roster(50));
            own.remove(me);
            assert_eq!((shared.len(), shared.contains(me), shared.contains(ShortId(51))), (49, false, false));
            assert_eq!((shared.has_addr(addr(me.0)), shared.has_addr(addr(me.0 % 50 + 1))), (false, true));
            assert_eq!(shared.followers(me, 3), own.followers(me, 3));
            for duty in [Duty::of_origin(me), Duty { after: ShortId(9), until: ShortId(40) }] {
                assert_eq!(shared.divide(duty, 7), own.divide(duty, 7));
            }
            let mut rng = ChaCha8Rng::seed_from_u64(me.0);
            let picks = |rng: &mut ChaCha8Rng| (0..500).filter_map(|_| shared.pick(rng)?.peer).collect::<BTreeSet<_>>();
            let many = |rng: &mut ChaCha8Rng| shared.pick_many(60, &[], rng).into_iter().filter_map(|to| to.peer);
            let others: BTreeSet<ShortId> = (1..=50).map(ShortId).filter(|id| *id != me).collect();
            assert_eq!((picks(&mut rng), many(&mut rng).collect()), (others.clone(), others));
        }
        assert_eq!(Roster::sharing(&all.ring, ShortId(99)).len(), 50, "it is not in the ring");
    }

    #[test]
    fn whoever_changes_a_shared_ring_changes_its_own() {
        let all = roster(9);
        let (mut one, other) = (Roster::sharing(&all.ring, ShortId(1)), Roster::sharing(&all.ring, ShortId(2)));
        one.remove(ShortId(9));
        one.remove(ShortId(1));
        one.insert(ShortId(77), addr(77));
        assert_eq!((one.len(), one.contains(ShortId(9)), one.contains(ShortId(77))), (8, false, true));
        assert_eq!((other.len(), other.contains(ShortId(9)), other.contains(ShortId(77))), (8, true, false));
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

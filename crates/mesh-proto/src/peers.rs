//! The peers that have spoken to this node: their keys, replay windows, budgets and counts.

use crate::{
    PeerStats, Refusals, Refused,
    bucket::Bucket,
    envelope::{KeyId, SenderKey},
    limits::{CLOCK_SKEW_MAX, PEERS_MAX},
    replay::Window,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, btree_map::Entry},
    vec::Vec,
};
use core::net::SocketAddr;
use honeymesh_types::{NodeId, NodeName, Now, WallTime};

/// The first 64 bits of a node's identity: how it signs its envelopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct ShortId(pub(crate) u64);

impl ShortId {
    pub(crate) fn of(node: &[u8; 32]) -> Self {
        Self(node.first_chunk().map_or(0, |head| u64::from_be_bytes(*head)))
    }
}

/// One run of a peer: between two of its starts.
pub(crate) struct Run {
    pub(crate) salt: u64,
    pub(crate) key: KeyId,
    pub(crate) opener: SenderKey,
    pub(crate) window: Window,
    /// It has shown that it knows who we are.
    pub(crate) knows_us: bool,
}

/// A peer that has spoken to this node.
pub(crate) struct Peer {
    pub(crate) run: Run,
    /// The latest time its clock has shown us: a run that begins earlier is an old one, replayed.
    clock: WallTime,
    pub(crate) bucket: Bucket,
    pub(crate) stats: PeerStats,
}

impl Peer {
    /// Takes note of an accepted datagram.
    pub(crate) fn heard(&mut self, from: SocketAddr, clock: WallTime, now: Now) {
        self.clock = self.clock.max(clock.min(now.wall.plus(CLOCK_SKEW_MAX)));
        self.stats.heard = now.mono;
        self.stats.addr = from;
        self.stats.received += 1;
    }
}

/// All peers that have spoken to this node; at most [`PEERS_MAX`].
#[derive(Default)]
pub(crate) struct Peers(BTreeMap<ShortId, Box<Peer>>);

impl Peers {
    pub(crate) fn get(&self, id: ShortId) -> Option<&Peer> {
        self.0.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: ShortId) -> Option<&mut Peer> {
        self.0.get_mut(&id).map(Box::as_mut)
    }

    /// May a run begin whose first datagram shows this time? Its clock must be near ours and later than anything the
    /// peer has shown before, so that datagrams of an earlier run, once a later one was heard, open nothing.
    pub(crate) fn may_begin(&self, id: ShortId, clock: WallTime, now: WallTime) -> bool {
        let is_near = clock.plus(CLOCK_SKEW_MAX) >= now && clock <= now.plus(CLOCK_SKEW_MAX);
        // A time beyond what could have been accepted means that our own clock was set back since: forget it.
        let is_new = |peer: &Peer| clock > peer.clock || peer.clock > now.plus(CLOCK_SKEW_MAX);
        is_near && self.get(id).is_none_or(is_new)
    }

    /// A new run of a peer, known or not.
    pub(crate) fn begin(&mut self, id: ShortId, run: Run, from: SocketAddr, burst: u32, now: Now) -> &mut Peer {
        if !self.0.contains_key(&id) && self.0.len() >= PEERS_MAX {
            self.forget_one();
        }
        let stats = PeerStats {
            node: None,
            name: None,
            addr: from,
            heard: now.mono,
            received: 0,
            sent: 0,
            records_new: 0,
            refused: Refusals::default(),
        };
        let fresh = |run| Box::new(Peer { run, clock: WallTime(0), bucket: Bucket::full(burst, now.mono), stats });
        match self.0.entry(id) {
            Entry::Vacant(place) => place.insert(fresh(run)),
            Entry::Occupied(place) => {
                let peer = place.into_mut();
                peer.run = run;
                peer
            }
        }
    }

    fn forget_one(&mut self) {
        let quietest = self.0.iter().min_by_key(|(_, peer)| peer.stats.heard).map(|(id, _)| *id);
        quietest.and_then(|id| self.0.remove(&id));
    }

    /// The peer has begun a new life: it may not know us any more.
    pub(crate) fn reborn(&mut self, id: ShortId) {
        if let Some(peer) = self.0.get_mut(&id) {
            peer.run.knows_us = false;
        }
    }

    pub(crate) fn count_refused(&mut self, id: ShortId, why: Refused) {
        if let Some(peer) = self.0.get_mut(&id) {
            peer.stats.refused.count(why);
        }
    }

    /// What a peer calls itself, if it has introduced itself.
    pub(crate) fn name(&self, id: ShortId) -> Option<&NodeName> {
        self.0.get(&id).and_then(|peer| peer.stats.name.as_ref())
    }

    pub(crate) fn stats(&self) -> Vec<PeerStats> {
        self.0.values().map(|peer| peer.stats.clone()).collect()
    }
}

/// Binds a peer's whole identity to the short one it seals under.
pub(crate) fn bind(peer: &mut Peer, id: ShortId, node: &[u8; 32], name: &str) -> Result<(), Refused> {
    let is_other = peer.stats.node.is_some_and(|known| known.0 != *node);
    if ShortId::of(node) != id || is_other {
        return Err(Refused::Identity);
    }
    peer.stats.node = Some(NodeId(*node));
    peer.stats.name = name.parse().ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, KeyRing, cluster::ClusterTag, envelope::Vault};
    use core::time::Duration;
    use honeymesh_types::MonoTime;

    fn run(salt: u64) -> Run {
        let ring = KeyRing::new(Key::from_bytes([1; 32]));
        let vault = Vault::new(ClusterTag([0; 8]), &ring);
        let header_key = vault.primary().unwrap();
        let opener = vault.sender_key(header_key, ShortId(1), salt).unwrap();
        Run { salt, key: header_key, opener, window: Window::default(), knows_us: true }
    }

    fn at(secs: u64) -> Now {
        Now { wall: WallTime::from_millis(secs * 1_000), mono: MonoTime::from_millis(secs * 1_000) }
    }

    fn addr() -> SocketAddr {
        "192.0.2.1:7946".parse().unwrap()
    }

    #[test]
    fn a_run_begins_near_our_clock_and_after_everything_heard() {
        let (mut peers, id, now) = (Peers::default(), ShortId(1), at(10_000));
        let near = |secs: u64| WallTime::from_millis(secs * 1_000);
        assert!(peers.may_begin(id, near(10_090), now.wall) && peers.may_begin(id, near(9_910), now.wall));
        assert!(!peers.may_begin(id, near(10_091), now.wall) && !peers.may_begin(id, near(9_909), now.wall));
        peers.begin(id, run(1), addr(), 1, now).heard(addr(), near(10_000), now);
        assert!(!peers.may_begin(id, near(10_000), now.wall), "an older run, replayed");
        assert!(peers.may_begin(id, near(10_001), now.wall));
    }

    #[test]
    fn a_clock_that_ran_ahead_locks_nobody_out_for_longer_than_it_was_ahead() {
        let (mut peers, id, now) = (Peers::default(), ShortId(1), at(10_000));
        let mad = WallTime::from_millis(99_000_000);
        peers.begin(id, run(1), addr(), 1, now).heard(addr(), mad, now);
        let later = now.wall.plus(CLOCK_SKEW_MAX + Duration::from_millis(1));
        assert!(peers.may_begin(id, later, later));
    }

    #[test]
    fn a_restart_keeps_the_counts_and_forgets_that_it_knew_us() {
        let (mut peers, id) = (Peers::default(), ShortId(1));
        peers.begin(id, run(1), addr(), 1, at(1)).heard(addr(), WallTime(1), at(1));
        peers.begin(id, run(2), addr(), 1, at(2)).heard(addr(), WallTime(2), at(2));
        assert_eq!(peers.get(id).unwrap().stats.received, 2);
        peers.reborn(id);
        assert!(!peers.get(id).unwrap().run.knows_us);
    }

    #[test]
    fn the_table_is_bounded_and_the_quietest_goes_first() {
        let mut peers = Peers::default();
        for n in 0..PEERS_MAX as u64 + 5 {
            peers.begin(ShortId(n), run(1), addr(), 1, at(n));
        }
        assert_eq!(peers.0.len(), PEERS_MAX);
        assert!(peers.get(ShortId(4)).is_none() && peers.get(ShortId(5)).is_some());
    }

    #[test]
    fn an_identity_is_bound_once() {
        let mut peers = Peers::default();
        let mut node = [7; 32];
        let id = ShortId::of(&node);
        let peer = peers.begin(id, run(1), addr(), 1, at(1));
        assert_eq!(bind(peer, id, &[8; 32], "x"), Err(Refused::Identity), "does not fit the short one");
        assert_eq!(bind(peer, id, &node, "edge-1"), Ok(()));
        node[31] = 0;
        assert_eq!(bind(peer, id, &node, "edge-1"), Err(Refused::Identity), "somebody else with the same short one");
        assert_eq!(peers.name(id).unwrap().as_str(), "edge-1");
    }
}

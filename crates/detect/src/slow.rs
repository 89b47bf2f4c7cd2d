//! Slow, wide scans: one touch on each of many nodes, none of them a scan by itself.
//!
//! A touch is a finished handshake with a dark port: nobody forges it, and it may be a mistake. Each node remembers its own and what its
//! peers have told of theirs. A source that this node has met itself, and that enough others have met too, is a scan.

mod judge;

pub use judge::{Saw, SlowPolicy, Witness, judge_slow};

use alloc::collections::BTreeMap;
use core::time::Duration;
use honeymesh_types::{NodeId, Subject, WallTime};

/// How many touches of its own a node remembers. At the bound the oldest gives way, counted in [`Touches::lost`].
pub const TOUCHES_OWN_MAX: usize = 4_096;
/// How many touches one peer is remembered to have told in a cluster: more than an honest one has. At the bound further ones are not
/// taken in until older ones leave the window, counted in [`Told::lost`].
pub const TOUCHES_PEER_MAX: usize = 5_120;
/// How many touches of all peers of a cluster are remembered, some 12 MiB; at the bound as above.
pub const TOUCHES_TOLD_MAX: usize = 262_144;
/// How many peers of a cluster are heard; of further ones nothing is taken in, counted as above.
pub const TOUCHES_PEERS_MAX: usize = 1_024;

/// A touch is news again when it was noted longer ago than the window divided by this.
const NEWS_SHARE: u32 = 4;

/// The touches that one node has seen: when each port of it was touched last by each source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    seen: BTreeMap<(Subject, u16), WallTime>,
    lost: u64,
}

impl Touches {
    /// Touches that were forgotten for want of room while they still counted.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Is none remembered?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Notes a touch of this node's own. Is it worth telling: is it new, or was it noted long ago for such a window?
    pub fn note(&mut self, source: Subject, port: u16, now: WallTime, window: Duration) -> bool {
        if let Some(seen) = self.seen.get_mut(&(source, port)) {
            let is_news = now.since(*seen) > window / NEWS_SHARE;
            if is_news {
                *seen = now;
            }
            return is_news;
        }
        if self.seen.len() >= TOUCHES_OWN_MAX {
            self.make_room(now, window);
        }
        self.seen.insert((source, port), now);
        true
    }

    /// The ports that `source` has touched since then, with when.
    pub fn of(&self, source: Subject, since: WallTime) -> impl Iterator<Item = (u16, WallTime)> + '_ {
        let range = self.seen.range((source, 0)..=(source, u16::MAX));
        range.map(|((_, port), at)| (*port, *at)).filter(move |(_, at)| *at >= since)
    }

    /// Forgets what `source` has touched.
    pub fn forget(&mut self, source: Subject) {
        let ports: alloc::vec::Vec<u16> = self.of(source, WallTime(0)).map(|(port, _)| port).collect();
        for port in ports {
            self.seen.remove(&(source, port));
        }
    }

    /// Forgets what was before then.
    pub fn expire(&mut self, since: WallTime) {
        self.seen.retain(|_, at| *at >= since);
    }

    fn make_room(&mut self, now: WallTime, window: Duration) {
        self.expire(now.minus(window));
        if self.seen.len() < TOUCHES_OWN_MAX {
            return;
        }
        if let Some(oldest) = self.seen.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key) {
            self.seen.remove(&oldest);
            self.lost = self.lost.saturating_add(1);
        }
    }
}

/// What the peers of one cluster have told of theirs.
///
/// The latest time of each (peer, source, port) is remembered, so that order and repetition do not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    peers: BTreeMap<NodeId, Touches>,
    len: usize,
    lost: u64,
}

impl Told {
    /// Touches that were not taken in for want of room.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// How many are remembered.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Is none remembered?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Is anything remembered of what this peer told?
    #[must_use]
    pub fn knows(&self, peer: &NodeId) -> bool {
        self.peers.contains_key(peer)
    }

    /// A peer tells of a touch. Does that change anything?
    pub fn learn(&mut self, peer: NodeId, source: Subject, port: u16, at: WallTime) -> bool {
        let known = self.peers.get_mut(&peer);
        if let Some(seen) = known.and_then(|touches| touches.seen.get_mut(&(source, port))) {
            let is_later = at > *seen;
            *seen = at.max(*seen);
            return is_later;
        }
        let told = self.peers.get(&peer).map(Touches::len);
        let has_room = told.map_or(self.peers.len() < TOUCHES_PEERS_MAX, |told| told < TOUCHES_PEER_MAX);
        if !has_room || self.len >= TOUCHES_TOLD_MAX {
            self.lost = self.lost.saturating_add(1);
            return false;
        }
        self.peers.entry(peer).or_default().seen.insert((source, port), at);
        self.len += 1;
        true
    }

    /// The peers that `source` has touched since then, each with how many of its ports.
    pub fn of(&self, source: Subject, since: WallTime) -> impl Iterator<Item = (NodeId, usize)> + '_ {
        let counted = self.peers.iter().map(move |(peer, touches)| (*peer, touches.of(source, since).count()));
        counted.filter(|(_, ports)| *ports > 0)
    }

    /// Forgets everything that one peer has told.
    pub fn forget_peer(&mut self, peer: &NodeId) {
        if let Some(touches) = self.peers.remove(peer) {
            self.len -= touches.len();
        }
    }

    /// Forgets what was before then.
    pub fn expire(&mut self, since: WallTime) {
        self.peers.retain(|_, touches| {
            touches.expire(since);
            !touches.is_empty()
        });
        self.len = self.peers.values().map(Touches::len).sum();
    }
}

#[cfg(test)]
mod tests;

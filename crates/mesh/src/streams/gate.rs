//! How many callers may be inside.

use super::{PER_PEER_MAX, UNPROVEN_MAX, UNPROVEN_PER_SOURCE_MAX};
use honeymesh_types::NodeId;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[derive(Default)]
struct Counts {
    unproven: usize,
    by_source: BTreeMap<IpAddr, usize>,
    streams: usize,
    by_peer: BTreeMap<NodeId, usize>,
}

/// Counts who is inside. Every map has as many entries as there are streams at most.
#[derive(Clone)]
pub(super) struct Gate {
    counts: Arc<Mutex<Counts>>,
    streams_max: usize,
}

/// A caller that is not admitted yet. Gone when dropped.
pub(super) struct Pass {
    gate: Gate,
    source: IpAddr,
}

/// A stream with a known peer. Gone when dropped.
pub(super) struct Seat {
    gate: Gate,
    peer: NodeId,
}

/// An IPv6 caller has a whole /64 to call from.
fn source(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
    }
}

fn leave<K: Ord + Copy>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

impl Gate {
    pub(super) fn new(streams_max: usize) -> Self {
        Self { counts: Arc::default(), streams_max }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stranger calls.
    pub(super) fn enter(&self, ip: IpAddr) -> Option<Pass> {
        let (mut counts, source) = (self.counts(), source(ip));
        let same = counts.by_source.get(&source).copied().unwrap_or(0);
        if counts.unproven >= UNPROVEN_MAX || same >= UNPROVEN_PER_SOURCE_MAX || counts.streams >= self.streams_max {
            return None;
        }
        counts.unproven += 1;
        counts.by_source.insert(source, same + 1);
        Some(Pass { gate: self.clone(), source })
    }

    /// A stream whose peer is known.
    pub(super) fn seat(&self, peer: NodeId) -> Option<Seat> {
        let mut counts = self.counts();
        let same = counts.by_peer.get(&peer).copied().unwrap_or(0);
        if counts.streams >= self.streams_max || same >= PER_PEER_MAX {
            return None;
        }
        counts.streams += 1;
        counts.by_peer.insert(peer, same + 1);
        Some(Seat { gate: self.clone(), peer })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        counts.unproven -= 1;
        leave(&mut counts.by_source, self.source);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        counts.streams -= 1;
        leave(&mut counts.by_peer, self.peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_does_not_keep_the_others_out_and_all_have_a_bound() {
        let gate = Gate::new(64);
        let enter = |text: &str| gate.enter(text.parse().unwrap());
        let one: Vec<_> = (0..9).filter_map(|_| enter("192.0.2.1")).collect();
        assert_eq!(one.len(), UNPROVEN_PER_SOURCE_MAX);
        let net: Vec<_> = (0..9).filter_map(|n| enter(&format!("2001:db8::{n}"))).collect();
        assert_eq!(net.len(), UNPROVEN_PER_SOURCE_MAX, "a /64 is one source");
        let others: Vec<_> = (0..99).filter_map(|n| enter(&format!("198.51.100.{n}"))).collect();
        assert_eq!(one.len() + net.len() + others.len(), UNPROVEN_MAX);
        drop((one, net, others));
        assert!(enter("192.0.2.1").is_some() && gate.counts().by_source.is_empty());
    }

    #[test]
    fn one_peer_has_few_streams_and_all_have_a_bound() {
        let gate = Gate::new(6);
        let one: Vec<_> = (0..9).filter_map(|_| gate.seat(NodeId([1; 32]))).collect();
        let other: Vec<_> = (0..9).filter_map(|_| gate.seat(NodeId([2; 32]))).collect();
        assert_eq!((one.len(), other.len()), (PER_PEER_MAX, 2));
        assert!(gate.enter("192.0.2.1".parse().unwrap()).is_none(), "no room");
        drop((one, other));
        assert!(gate.seat(NodeId([1; 32])).is_some());
    }
}

//! What the authority has said, by node: bounded, and a revocation is never forgotten.

use super::Deed;
use crate::{Deeds, limits::TTL_MAX, peers::ShortId};
use alloc::{collections::BTreeMap, vec::Vec};
use honeymesh_types::WallTime;

/// Nodes about which anything is remembered. At the bound the one whose certificate ended longest ago (and longer than
/// any of its records can live) is forgotten; if there is none, a newcomer's certificate is refused and counted.
pub const REGISTER_NODES_MAX: usize = 4_096;
/// Revocations that are remembered, for ever. At the bound a further one is refused, loudly: a new authority is needed.
pub const REVOKED_MAX: usize = 4_096;

/// What was said about one node: the last of each kind.
#[derive(Default)]
struct Entry {
    certificate: Option<Deed>,
    judgement: Option<Deed>,
}

impl Entry {
    fn is_revoked(&self) -> bool {
        self.judgement.as_ref().is_some_and(|deed| matches!(deed.said, Deeds::Revoked { .. }))
    }

    fn place(&mut self, deed: &Deed) -> &mut Option<Deed> {
        if deed.is_certificate() { &mut self.certificate } else { &mut self.judgement }
    }

    fn held(&self, deed: &Deed) -> Option<&Deed> {
        if deed.is_certificate() { self.certificate.as_ref() } else { self.judgement.as_ref() }
    }

    fn deeds(&self) -> impl Iterator<Item = &Deed> {
        self.judgement.iter().chain(&self.certificate)
    }
}

/// What became of a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    New,
    Old,
    Full,
}

/// The register. See the constants for its bounds.
#[derive(Default)]
pub(crate) struct Register {
    nodes: BTreeMap<[u8; 32], Entry>,
    judged: usize,
    print: u64,
}

impl Register {
    pub(crate) fn certificate(&self, node: &[u8; 32]) -> Option<&Deed> {
        self.nodes.get(node)?.certificate.as_ref()
    }

    pub(crate) fn is_revoked(&self, node: &[u8; 32]) -> bool {
        self.nodes.get(node).is_some_and(Entry::is_revoked)
    }

    /// When the last word about a revocation of this node was said.
    pub(crate) fn judged_at(&self, node: &[u8; 32]) -> Option<WallTime> {
        Some(self.nodes.get(node)?.judgement.as_ref()?.rank().0)
    }

    /// The nodes whose identity begins so: one, but for a collision that somebody has worked for.
    pub(crate) fn nodes_of(&self, short: ShortId) -> impl Iterator<Item = [u8; 32]> {
        self.nodes.range(first(short)..).map(|(node, _)| *node).take_while(move |node| ShortId::of(node) == short)
    }

    /// Everybody about whom anything is known.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.nodes.keys()
    }

    /// Are these the bytes of a deed that counts? Cheap, before anything is read.
    pub(crate) fn contains(&self, raw: &[u8]) -> bool {
        // Version, cluster: then the node's key, as postcard writes it.
        let node = raw.get(9..).and_then(<[u8]>::first_chunk::<32>);
        let entry = node.and_then(|node| self.nodes.get(node));
        entry.is_some_and(|entry| entry.deeds().any(|deed| *deed.raw == *raw))
    }

    /// Would it take the place of what is held?
    pub(crate) fn is_news(&self, deed: &Deed) -> bool {
        let held = self.nodes.get(&deed.node.0).and_then(|entry| entry.held(deed));
        held.is_none_or(|held| deed.rank() > held.rank())
    }

    /// Takes in a deed that was verified.
    pub(crate) fn enter(&mut self, deed: Deed, now: WallTime) -> Entered {
        if !self.is_news(&deed) {
            return Entered::Old;
        }
        if !self.has_room(&deed, now) {
            return Entered::Full;
        }
        self.print ^= print(&deed);
        self.judged += usize::from(!deed.is_certificate() && self.judged_at(&deed.node.0).is_none());
        let place = self.nodes.entry(deed.node.0).or_default().place(&deed);
        if let Some(before) = place.replace(deed) {
            self.print ^= print(&before);
        }
        Entered::New
    }

    fn has_room(&mut self, deed: &Deed, now: WallTime) -> bool {
        if !deed.is_certificate() {
            return self.judged < REVOKED_MAX || self.judged_at(&deed.node.0).is_some();
        }
        let certified = || self.nodes.values().filter(|entry| entry.certificate.is_some()).count();
        if self.certificate(&deed.node.0).is_some() || self.nodes.len() < REGISTER_NODES_MAX || certified() < REGISTER_NODES_MAX {
            return true;
        }
        let over = |entry: &Entry| {
            let ends = entry.certificate.as_ref()?.rank().0;
            (entry.judgement.is_none() && ends.plus(TTL_MAX) < now).then_some(ends)
        };
        let oldest = self.nodes.iter().filter_map(|(node, entry)| Some((over(entry)?, *node))).min();
        let Some((_, node)) = oldest else { return false };
        let gone = self.nodes.remove(&node);
        gone.iter().flat_map(Entry::deeds).for_each(|deed| self.print ^= print(deed));
        true
    }

    /// What all of it adds up to: equal registers have equal fingerprints.
    pub(crate) const fn print(&self) -> u64 {
        self.print
    }

    /// The deeds about `node`.
    pub(crate) fn about(&self, node: &[u8; 32]) -> Vec<Deed> {
        self.nodes.get(node).into_iter().flat_map(Entry::deeds).cloned().collect()
    }

    /// All deeds in order of the nodes, from this short identity on.
    pub(crate) fn since(&self, short: ShortId) -> impl Iterator<Item = (ShortId, &Deed)> {
        let rest = self.nodes.range(first(short)..);
        rest.flat_map(|(node, entry)| entry.deeds().map(move |deed| (ShortId::of(node), deed)))
    }
}

fn first(short: ShortId) -> [u8; 32] {
    let mut node = [0; 32];
    node[..8].copy_from_slice(&short.0.to_be_bytes());
    node
}

fn print(deed: &Deed) -> u64 {
    blake3::hash(&deed.raw).as_bytes().first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

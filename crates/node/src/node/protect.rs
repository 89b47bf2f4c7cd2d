//! The never-ban set: the allowlist and what the network around the node is.

use super::{Node, change::By};
use crate::{NetworkFacts, Output};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};
use honeymesh_ledger::{Protected, Protection};
use honeymesh_mesh_proto::MemberChange;
use honeymesh_types::MonoTime;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// How long a mesh peer that went down stays in the never-ban set, so that a split can heal.
pub const PEER_GRACE: Duration = Duration::from_hours(1);
/// How many addresses of mesh peers are in the never-ban set; those of further peers are not, and are counted.
pub const PROTECTED_PEERS_MAX: usize = 4_096;

const LOOPBACK_V4: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8));
const LOOPBACK_V6: IpNet = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128));

/// The addresses of mesh peers, and what the never-ban set was last.
pub(super) struct Shield {
    /// Peers of the configuration: protected for ever.
    knocked: BTreeSet<IpAddr>,
    /// Members, with when they went down.
    members: BTreeMap<IpAddr, Option<MonoTime>>,
    /// When the first of those that are down is forgotten.
    forget_at: Option<MonoTime>,
    /// Whether something changed since the set was made.
    stale: bool,
    current: Vec<Protected>,
}

impl Shield {
    pub(super) fn new(knocked: BTreeSet<IpAddr>) -> Self {
        Self { knocked, members: BTreeMap::new(), forget_at: None, stale: true, current: Vec::new() }
    }

    /// Takes note of a member. False: there are too many, so this one is not protected.
    pub(super) fn member(&mut self, addr: IpAddr, change: MemberChange, now: MonoTime) -> bool {
        let is_known = self.members.contains_key(&addr);
        if !is_known && self.members.len() >= PROTECTED_PEERS_MAX {
            return false;
        }
        self.stale |= !is_known;
        let down = (change == MemberChange::Down).then_some(now);
        if self.members.insert(addr, down).flatten() != down {
            self.plan();
        }
        true
    }

    /// Forgets peers that went down long ago.
    pub(super) fn expire(&mut self, now: MonoTime) {
        if self.forget_at.is_some_and(|at| at <= now) {
            self.members.retain(|_, down| down.is_none_or(|since| since.plus(PEER_GRACE) > now));
            self.stale = true;
            self.plan();
        }
    }

    pub(super) const fn wake_at(&self) -> Option<MonoTime> {
        self.forget_at
    }

    fn plan(&mut self) {
        self.forget_at = self.members.values().flatten().min().map(|since| since.plus(PEER_GRACE));
    }

    /// The whole never-ban set as it was made last.
    pub(super) fn protected(&self) -> &[Protected] {
        &self.current
    }

    fn peers(&self) -> impl Iterator<Item = &IpAddr> {
        self.knocked.iter().chain(self.members.keys())
    }
}

impl Node {
    pub(super) fn network(&mut self, facts: NetworkFacts) {
        self.shield.stale |= facts != self.facts;
        self.facts = facts;
    }

    /// Makes the never-ban set anew if something in it changed. Returns how many bans were lifted for it.
    pub(super) fn refresh_shield(&mut self) -> usize {
        if !core::mem::take(&mut self.shield.stale) {
            return 0;
        }
        let all = self.never_ban();
        if all == self.shield.current {
            return 0;
        }
        let changes = self.ledger.protect(&all, self.now.wall);
        let mut nets: Vec<IpNet> = all.iter().map(|one| one.net).collect();
        nets.dedup();
        self.shield.current = all;
        self.out.push(Output::Protect(nets));
        changes.iter().for_each(|change| self.apply(change, &By::Itself));
        changes.len()
    }

    pub(super) const fn allow_changed(&mut self) {
        self.shield.stale = true;
    }

    /// The whole set, sorted, without duplicates.
    fn never_ban(&mut self) -> Vec<Protected> {
        let each = |why| move |addr: &IpAddr| Protected { net: IpNet::from(addr.to_canonical()), why };
        let allowed = self.allow.entries().into_iter().map(|entry| Protected { net: entry.net, why: Protection::Allowlist });
        let loopback = [LOOPBACK_V4, LOOPBACK_V6].map(|net| Protected { net, why: Protection::Own });
        let facts = &self.facts;
        let set: BTreeSet<Protected> = allowed
            .chain(loopback)
            .chain(facts.own.iter().map(each(Protection::Own)))
            .chain(facts.gateways.iter().map(each(Protection::Gateway)))
            .chain(facts.resolvers.iter().map(each(Protection::Resolver)))
            .chain(facts.operators.iter().map(each(Protection::Operator)))
            .chain(self.shield.peers().map(each(Protection::Peer)))
            .collect();
        set.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(index: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(index))
    }

    #[test]
    fn a_peer_that_comes_back_is_not_forgotten() {
        let (mut shield, now) = (Shield::new(BTreeSet::new()), MonoTime(7));
        for change in [MemberChange::Up, MemberChange::Down] {
            assert!(shield.member(peer(1), change, now) && shield.member(peer(2), change, now));
        }
        shield.member(peer(1), MemberChange::Up, now);
        assert_eq!(shield.wake_at(), Some(now.plus(PEER_GRACE)));
        shield.expire(now.plus(PEER_GRACE));
        assert_eq!((shield.peers().collect::<Vec<_>>(), shield.wake_at()), ([&peer(1)].into(), None));
    }

    #[test]
    fn the_number_of_protected_peers_is_bounded() {
        let mut shield = Shield::new(BTreeSet::new());
        let most = u32::try_from(PROTECTED_PEERS_MAX).unwrap();
        assert!((0..most).all(|index| shield.member(peer(index), MemberChange::Up, MonoTime(0))));
        assert!(!shield.member(peer(most), MemberChange::Up, MonoTime(0)));
        assert!(shield.member(peer(0), MemberChange::Down, MonoTime(0)), "known ones still change");
    }
}

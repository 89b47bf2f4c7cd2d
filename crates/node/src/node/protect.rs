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
    /// Whether something changed since the set was made.
    stale: bool,
    current: Vec<Protected>,
}

impl Shield {
    pub(super) fn new(knocked: BTreeSet<IpAddr>) -> Self {
        Self { knocked, members: BTreeMap::new(), stale: true, current: Vec::new() }
    }

    pub(super) fn member(&mut self, addr: IpAddr, change: MemberChange, now: MonoTime) {
        let down = (change == MemberChange::Down).then_some(now);
        self.stale |= !self.members.contains_key(&addr);
        self.members.insert(addr, down);
    }

    /// Forgets peers that went down long ago.
    pub(super) fn expire(&mut self, now: MonoTime) {
        let before = self.members.len();
        self.members.retain(|_, down| down.is_none_or(|since| since.plus(PEER_GRACE) > now));
        self.stale |= self.members.len() != before;
    }

    pub(super) fn wake_at(&self) -> Option<MonoTime> {
        self.members.values().flatten().min().map(|since| since.plus(PEER_GRACE))
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
        let changes = self.ledger.protect(&all);
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

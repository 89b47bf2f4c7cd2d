//! Which ban gives way in a full table, and among whom.

use crate::{Claim, slot::Slot};
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{IpAddr, Ipv4Addr};
use honeymesh_types::{Grade, PREFIX_V6_CUSTOMER, Subject, Trust, WallTime};

/// Whose word holds a ban; the first gives way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    /// Peers that are only observed: nothing is enforced on their word.
    Observed,
    /// Forgeable evidence of this node: a short silence on dark ports.
    Forgeable,
    /// Peers that need others to agree.
    Corroborating,
    /// Peers that are trusted.
    Trusted,
    /// This node's proofs and its operator.
    Own,
}

/// How readily a ban gives way in a full table: by whose word holds it, then by how sure that is. Only to a higher rank, never
/// to the same; what this node's operator said never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    holder: Holder,
    grade: Grade,
}

impl Rank {
    /// The rank of a ban that nobody's word holds.
    pub(crate) const LOWEST: Self = Self { holder: Holder::Observed, grade: Grade::Spoofable };

    pub(crate) fn of(slot: &Slot) -> Self {
        Self::new(slot.local, slot.trust, slot.grade)
    }

    pub(crate) fn of_claim(claim: &Claim) -> Self {
        Self::new(claim.is_local(), claim.trust, claim.grade)
    }

    const fn new(is_local: bool, trust: Trust, grade: Grade) -> Self {
        let holder = match (is_local, grade, trust) {
            (true, Grade::Spoofable, _) => Holder::Forgeable,
            (true, ..) => Holder::Own,
            (false, _, Trust::Observe) => Holder::Observed,
            (false, _, Trust::Corroborate) => Holder::Corroborating,
            (false, _, Trust::Enforce | Trust::Override) => Holder::Trusted,
        };
        Self { holder, grade }
    }

    /// May it give way to `other`?
    pub(crate) fn yields_to(self, other: Self) -> bool {
        !self.is_operators() && self < other
    }

    /// This node's operator said it.
    pub(crate) fn is_operators(self) -> bool {
        self.holder == Holder::Own && self.grade == Grade::Operator
    }

    /// This node's evidence that nobody can have forged, or its operator's word.
    pub(crate) fn is_own(self) -> bool {
        self.holder == Holder::Own
    }

    /// Is it worth an exact end of others? Not if nothing is enforced on it, or if it may be forged.
    pub(crate) fn is_worth_a_group(self) -> bool {
        self.holder > Holder::Forgeable
    }
}

/// Bans that share one table in the kernel, and so one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Single IPv4 addresses.
    Hosts4,
    /// IPv6 customers: a /64 each.
    Hosts6,
    /// IPv4 prefixes.
    Nets4,
    /// IPv6 prefixes that are no /64, and single addresses.
    Nets6,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Hosts4, Self::Hosts6, Self::Nets4, Self::Nets6];

    /// Where `subject` belongs.
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        match (subject.addr(), subject.prefix_len()) {
            (IpAddr::V4(_), 32) => Self::Hosts4,
            (IpAddr::V4(_), _) => Self::Nets4,
            (IpAddr::V6(_), PREFIX_V6_CUSTOMER) => Self::Hosts6,
            (IpAddr::V6(_), _) => Self::Nets6,
        }
    }

    /// The classes whose bans can be grouped.
    pub(crate) const HOSTS: [Self; 2] = [Self::Hosts4, Self::Hosts6];

    /// The class of the prefixes that stand for groups of it.
    pub(crate) const fn nets(self) -> Self {
        match self {
            Self::Hosts4 | Self::Nets4 => Self::Nets4,
            Self::Hosts6 | Self::Nets6 => Self::Nets6,
        }
    }

    /// Can its bans be grouped?
    pub(crate) fn is_hosts(self) -> bool {
        Self::HOSTS.contains(&self)
    }

    /// What is in it, in an operator's words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Hosts4 => "IPv4 addresses",
            Self::Hosts6 => "IPv6 /64s",
            Self::Nets4 => "IPv4 prefixes",
            Self::Nets6 => "IPv6 prefixes and addresses",
        }
    }

    /// How more of them fit.
    #[must_use]
    pub const fn mend(self) -> &'static str {
        match self {
            Self::Hosts4 => "raise `max` in [bans] or lift some",
            Self::Hosts6 => "raise `max_v6` in [bans] or lift some",
            Self::Nets4 | Self::Nets6 => "lift some",
        }
    }
}

/// The banned subjects of one class, each once: expiry queue and order of giving way in one.
#[derive(Default)]
pub(crate) struct Queue {
    order: BTreeSet<(Rank, WallTime, Subject)>,
    /// How many there are of each rank, so that only those in use are looked through.
    ranks: BTreeMap<Rank, usize>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// `ends`: when the first of the subject's claims ends.
    pub(crate) fn insert(&mut self, rank: Rank, ends: WallTime, subject: Subject) {
        if self.order.insert((rank, ends, subject)) {
            *self.ranks.entry(rank).or_insert(0) += 1;
        }
    }

    pub(crate) fn remove(&mut self, rank: Rank, ends: WallTime, subject: Subject) {
        if !self.order.remove(&(rank, ends, subject)) {
            return;
        }
        if let Some(count) = self.ranks.get_mut(&rank) {
            *count -= 1;
            if *count == 0 {
                self.ranks.remove(&rank);
            }
        }
    }

    /// What gives way first: of the lowest rank the one that ends first.
    pub(crate) fn weakest(&self) -> Option<(Rank, Subject)> {
        self.order.first().map(|(rank, _, subject)| (*rank, *subject))
    }

    /// What ends first of each rank.
    pub(crate) fn next_ends(&self) -> impl Iterator<Item = (WallTime, Subject)> {
        let first = Subject::host(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let of_rank = move |rank: &Rank| self.order.range((*rank, WallTime(0), first)..).next();
        self.ranks.keys().filter_map(of_rank).map(|(_, ends, subject)| (*ends, *subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_give_way_in_the_promised_order() {
        let peer = |trust, grade| Rank::new(false, trust, grade);
        let own = |grade| Rank::new(true, Trust::Override, grade);
        let order = [
            peer(Trust::Observe, Grade::Hostile),
            own(Grade::Spoofable),
            peer(Trust::Corroborate, Grade::Hostile),
            peer(Trust::Enforce, Grade::Reactive),
            peer(Trust::Override, Grade::Operator),
            own(Grade::Reactive),
            own(Grade::Handshake),
            own(Grade::Hostile),
            own(Grade::Operator),
        ];
        assert!(order.is_sorted());
        for (place, rank) in order.into_iter().enumerate() {
            assert!(!rank.yields_to(rank), "nothing gives way to its like: {rank:?}");
            assert!(order[place + 1..].iter().all(|higher| rank.yields_to(*higher) && !higher.yields_to(rank)));
        }
    }

    #[test]
    fn every_subject_belongs_to_the_table_it_is_kept_in() {
        let table = [
            ("192.0.2.1", Class::Hosts4),
            ("192.0.2.0/31", Class::Nets4),
            ("2001:db8::/64", Class::Hosts6),
            ("2001:db8::/48", Class::Nets6),
            ("2001:db8::1", Class::Nets6),
        ];
        for (subject, class) in table {
            assert_eq!(Class::of(&subject.parse().unwrap()), class, "{subject}");
        }
    }

    #[test]
    fn a_queue_knows_the_weakest_and_what_ends_first() {
        let mut queue = Queue::default();
        let subject = |text: &str| text.parse().unwrap();
        let (low, high) = (Rank::LOWEST, Rank::new(true, Trust::Override, Grade::Hostile));
        queue.insert(high, WallTime(1), subject("192.0.2.1"));
        queue.insert(low, WallTime(9), subject("192.0.2.2"));
        queue.insert(low, WallTime(5), subject("192.0.2.3"));
        assert_eq!(queue.weakest(), Some((low, subject("192.0.2.3"))));
        assert_eq!(queue.next_ends().min(), Some((WallTime(1), subject("192.0.2.1"))));
        queue.remove(high, WallTime(1), subject("192.0.2.1"));
        queue.remove(high, WallTime(1), subject("192.0.2.1"));
        assert_eq!((queue.next_ends().min().map(|(ends, _)| ends), queue.ranks.len(), queue.len()), (Some(WallTime(5)), 1, 2));
    }
}

//! Groups: aligned blocks of neighbours of whom every single one is banned, so that one prefix in the kernel's table can stand
//! for all of them.

use crate::Class;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::{net::IpAddr, ops::Bound, time::Duration};
use honeymesh_types::{Enforcement, Grade, PREFIX_V6_CUSTOMER, Reasons, Scope, Subject, WallTime};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// How many members a group has at most: a /24 of addresses, or a /56 of IPv6 /64s.
pub const GROUP_MAX: usize = 1 << WIDEST_BITS;
/// So long before a group's entry ends, those of its members that stay banned have entries again: nobody slips in between
/// while the node is busy.
pub const HAND_OVER_AHEAD: Duration = Duration::from_secs(2);
/// How many complete pairs one decision looks at to find one that a group can be made of.
pub(crate) const PAIRS_LOOKED_MAX: usize = 16;

const MEMBER_V4: u8 = 32;
const WIDEST_BITS: u8 = 8;

/// The one entry that stands for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cover {
    /// The earliest end of its members.
    pub(crate) until: WallTime,
    pub(crate) reasons: Reasons,
    pub(crate) grade: Grade,
    /// It is about to end: it stands only for the members that end with it, the others have entries of their own again.
    pub(crate) is_handed_over: bool,
}

impl Cover {
    pub(crate) fn enforcement(&self, subject: Subject) -> Enforcement {
        let until = (self.until != WallTime::MAX).then_some(self.until);
        Enforcement { subject, reasons: self.reasons, grade: self.grade, scope: Scope::All, until }
    }
}

/// The groups that there are, and the pairs of which more could be made.
#[derive(Default)]
pub(crate) struct Groups {
    covers: BTreeMap<Subject, Cover>,
    /// How many there are of each family.
    counts: [usize; 2],
    /// The length of the prefix that stands for each member.
    members: BTreeMap<Subject, u8>,
    dues: BTreeSet<(WallTime, Subject)>,
    /// Complete pairs of which at least one member has an entry of its own, of each family.
    pairs: [BTreeSet<Subject>; 2],
}

impl Groups {
    pub(crate) fn covers(&self) -> &BTreeMap<Subject, Cover> {
        &self.covers
    }

    pub(crate) fn get(&self, block: &Subject) -> Option<&Cover> {
        self.covers.get(block)
    }

    /// How many groups there are of the family of `class`.
    pub(crate) fn count(&self, class: Class) -> usize {
        self.counts[family(class)]
    }

    pub(crate) fn has_member(&self, subject: &Subject) -> bool {
        self.members.contains_key(subject)
    }

    /// The group whose entry stands for `member`.
    pub(crate) fn of(&self, member: &Subject) -> Option<Subject> {
        self.members.get(member).map(|bits| at(member, *bits, 0))
    }

    /// Every group that `member` lies in, narrowest first.
    pub(crate) fn around(&self, member: &Subject) -> Vec<Subject> {
        if self.covers.is_empty() {
            return Vec::new();
        }
        blocks(member).filter(|block| self.covers.contains_key(block)).collect()
    }

    /// The groups that lie inside `block`, itself left out.
    pub(crate) fn inside(&self, block: &Subject) -> Vec<Subject> {
        let behind = self.covers.range((Bound::Excluded(*block), Bound::Unbounded));
        behind.map(|(inner, _)| *inner).take_while(|inner| inner.is_within(&block.net())).collect()
    }

    /// For whom the entry of `block` itself stands, in order.
    pub(crate) fn members(&self, block: &Subject) -> Vec<Subject> {
        let within = self.members.range(*block..).take_while(|(member, _)| member.is_within(&block.net()));
        within.filter(|(_, bits)| **bits == block.prefix_len()).map(|(member, _)| *member).collect()
    }

    pub(crate) fn join(&mut self, member: Subject, block: &Subject) {
        self.members.insert(member, block.prefix_len());
    }

    pub(crate) fn leave(&mut self, member: &Subject) {
        self.members.remove(member);
    }

    /// Makes or changes the entry of `block`.
    pub(crate) fn set(&mut self, block: Subject, cover: Cover) {
        self.remove(&block);
        self.counts[family(Class::of(&block))] += 1;
        if cover.until != WallTime::MAX && !cover.is_handed_over {
            self.dues.insert((cover.until, block));
        }
        self.covers.insert(block, cover);
    }

    pub(crate) fn remove(&mut self, block: &Subject) {
        if let Some(cover) = self.covers.remove(block) {
            self.counts[family(Class::of(block))] -= 1;
            self.dues.remove(&(cover.until, *block));
        }
    }

    /// Which group is to be handed over next, and when.
    pub(crate) fn next_due(&self) -> Option<(WallTime, Subject)> {
        self.dues.first().map(|(until, block)| (until.minus(HAND_OVER_AHEAD), *block))
    }

    pub(crate) fn pairs(&self, class: Class) -> impl Iterator<Item = &Subject> {
        self.pairs[family(class)].iter()
    }

    pub(crate) fn set_pair(&mut self, pair: Subject, is_open: bool) {
        let pairs = &mut self.pairs[family(Class::of(&pair))];
        if is_open {
            pairs.insert(pair);
        } else {
            pairs.remove(&pair);
        }
    }
}

const fn family(class: Class) -> usize {
    match class {
        Class::Hosts4 | Class::Nets4 => 0,
        Class::Hosts6 | Class::Nets6 => 1,
    }
}

/// How long the prefix of a member is.
fn member_bits(subject: &Subject) -> u8 {
    if subject.addr().is_ipv4() { MEMBER_V4 } else { PREFIX_V6_CUSTOMER }
}

/// The prefix of `bits` bits that is the `index`th in or, for a shorter one, the 0th around `subject`.
fn at(subject: &Subject, bits: u8, index: u32) -> Subject {
    Subject::new(match subject.addr() {
        IpAddr::V4(addr) => {
            let offset = index.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpNet::V4(Ipv4Net::new_assert((addr.to_bits() | offset).into(), bits))
        }
        IpAddr::V6(addr) => {
            let offset = u128::from(index).checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpNet::V6(Ipv6Net::new_assert((addr.to_bits() | offset).into(), bits))
        }
    })
}

/// Every block that a member may be grouped in, narrowest first.
fn blocks(member: &Subject) -> impl Iterator<Item = Subject> + use<> {
    let (member, bits) = (*member, member_bits(member));
    (1..=WIDEST_BITS).map(move |wider| at(&member, bits - wider, 0))
}

/// The next wider block, unless that is wider than any group.
pub(crate) fn wider(block: &Subject) -> Option<Subject> {
    let bits = block.prefix_len().saturating_sub(1);
    (member_bits(block) - WIDEST_BITS <= bits).then(|| at(block, bits, 0))
}

/// The block of two that a member belongs to.
pub(crate) fn pair(member: &Subject) -> Subject {
    at(member, member_bits(member) - 1, 0)
}

/// The other one of a member's pair.
pub(crate) fn buddy(member: &Subject) -> Subject {
    let [one, other] = halves(&pair(member));
    if one == *member { other } else { one }
}

/// Is it a block of two?
pub(crate) fn is_pair(block: &Subject) -> bool {
    block.prefix_len() + 1 == member_bits(block)
}

pub(crate) fn halves(block: &Subject) -> [Subject; 2] {
    [0, 1].map(|index| at(block, block.prefix_len() + 1, index))
}

/// Everybody in a block, in order.
pub(crate) fn all(block: &Subject) -> impl Iterator<Item = Subject> + use<> {
    let (block, bits) = (*block, member_bits(block));
    let count = 1_u32 << (bits - block.prefix_len());
    (0..count).map(move |index| at(&block, bits, index))
}

/// How many that are.
pub(crate) fn size(block: &Subject) -> usize {
    1 << (member_bits(block) - block.prefix_len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    #[test]
    fn blocks_lie_around_their_members_in_both_families() {
        let table = [
            ("192.0.2.7", "192.0.2.6/31", "192.0.2.6/32", "192.0.2.0/24"),
            ("192.0.2.254", "192.0.2.254/31", "192.0.2.255/32", "192.0.2.0/24"),
            ("2001:db8:0:1ff::/64", "2001:db8:0:1fe::/63", "2001:db8:0:1fe::/64", "2001:db8:0:100::/56"),
            ("::/64", "::/63", "0:0:0:1::/64", "::/56"),
        ];
        for (member, two, other, widest) in table {
            let member = subject(member);
            assert_eq!((pair(&member), buddy(&member)), (subject(two), subject(other)));
            assert_eq!((blocks(&member).next(), blocks(&member).last()), (Some(subject(two)), Some(subject(widest))));
            assert_eq!((wider(&subject(widest)), size(&subject(widest))), (None, GROUP_MAX), "nothing wider is grouped");
            assert!(is_pair(&pair(&member)) && !is_pair(&subject(widest)));
        }
    }

    #[test]
    fn everybody_in_a_block_is_named_in_order() {
        let names = |block: &str| all(&subject(block)).map(|one| one.to_string()).collect::<Vec<_>>();
        assert_eq!(names("192.0.2.4/30"), ["192.0.2.4/32", "192.0.2.5/32", "192.0.2.6/32", "192.0.2.7/32"]);
        assert_eq!(names("2001:db8::/63"), ["2001:db8::/64", "2001:db8:0:1::/64"]);
        for widest in ["192.0.2.0/24", "2001:db8:0:100::/56"] {
            let everybody: Vec<Subject> = all(&subject(widest)).collect();
            assert!(
                everybody.len() == GROUP_MAX
                    && everybody.is_sorted()
                    && everybody.iter().all(|one| one.is_within(&subject(widest).net()))
            );
        }
        assert_eq!(halves(&subject("192.0.2.0/24")), [subject("192.0.2.0/25"), subject("192.0.2.128/25")]);
    }

    #[test]
    fn a_member_belongs_to_one_group_whatever_lies_around_it() {
        let mut groups = Groups::default();
        let cover = Cover { until: WallTime(9_000_000), reasons: Reasons::TRAP, grade: Grade::Payload, is_handed_over: false };
        for (block, from, to) in [("192.0.2.0/29", 0, 2), ("192.0.2.2/31", 2, 4)] {
            (from..to).for_each(|last| groups.join(subject(&alloc::format!("192.0.2.{last}")), &subject(block)));
            groups.set(subject(block), cover);
        }
        assert_eq!(groups.members(&subject("192.0.2.0/29")), [subject("192.0.2.0"), subject("192.0.2.1")]);
        assert_eq!(groups.of(&subject("192.0.2.3")), Some(subject("192.0.2.2/31")));
        assert_eq!(groups.around(&subject("192.0.2.3")), [subject("192.0.2.2/31"), subject("192.0.2.0/29")]);
        assert_eq!(groups.inside(&subject("192.0.2.0/29")), [subject("192.0.2.2/31")]);
        assert_eq!(groups.next_due(), Some((WallTime(7_000_000), subject("192.0.2.0/29"))));
        groups.set(subject("192.0.2.0/29"), Cover { is_handed_over: true, ..cover });
        groups.remove(&subject("192.0.2.2/31"));
        assert_eq!((groups.next_due(), groups.count(Class::Hosts4), groups.count(Class::Nets6)), (None, 1, 0));
        assert_eq!(groups.around(&subject("192.0.3.3")), vec![]);
    }
}

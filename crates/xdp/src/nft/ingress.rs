//! The rules before the network stack: who is banned is dropped.
//!
//! ```text
//! from_<interface> ─ goto entrance: count, then by protocol:
//!   v4, v6         one lookup for each length of prefix in use, the longest first
//!   v4_tagged, …   the same behind a second VLAN tag; the kernel takes the first one off
//!     hit_…        neighbour discovery and allowed sources pass; the rest is counted and dropped,
//!                  or only counted: then there is the chain `observing`, and with it the mode outlives the daemon
//!   whole4, …      of what nobody banned: what is broken is counted (whole.rs), and passes
//! ```
//!
//! The self-probe's own chains, before and behind these on the loopback interface, are in `probe.rs`.

mod whole;

use super::{
    expression::{Compare, Expression, Meta, Verdict, goto, is},
    layout::Layout,
    locked::LOCKED,
    probe,
    tier::{Class, Family, Tier},
};

/// The chain that exists only while nothing is dropped.
pub(super) const OBSERVING: &str = "observing";
/// Before a base chain's interface.
pub(super) const FROM: &str = "from_";
/// Before whatever else listens at ingress.
pub(super) const PRIORITY: i32 = -500;
/// Where every base chain leads.
pub(super) const ENTRANCE: &str = "entrance";
const TAGGED: &str = "tagged";

/// Counters, in the order in which they are asked for.
pub(super) const COUNTERS: [&str; 18] = [
    "packets",
    "dropped_v4",
    "dropped_v6",
    "dropped_net",
    "would_drop",
    "allowed",
    "neighbour",
    "not_ip",
    whole::MALFORMED,
    probe::CAME[0],
    probe::CAME[1],
    probe::CAME[2],
    probe::CAME[3],
    probe::PASSED[0],
    probe::PASSED[1],
    probe::PASSED[2],
    probe::PASSED[3],
    probe::ALLOWED,
];

/// A VLAN tag that is still in the packet: the network header begins with it.
const TAG_LEN: u32 = 4;
pub(super) const ETHERTYPE_IP: [u8; 2] = [8, 0];
pub(super) const ETHERTYPE_IP6: [u8; 2] = [0x86, 0xdd];
const ETHERTYPES_VLAN: [[u8; 2]; 2] = [[0x81, 0], [0x88, 0xa8]];

/// Chains that have the same rules for packets with and without a second tag.
struct Chains {
    lookups: &'static str,
    usual: &'static str,
    net: &'static str,
    excused: &'static str,
    whole: whole::Names,
    skip: u32,
    family: Family,
}

const CHAINS: [Chains; 4] = [
    Chains {
        lookups: "v4",
        usual: "hit_v4",
        net: "hit_net4",
        excused: "excused4",
        whole: whole::Names { header: "whole4", beyond: "beyond4", tcp: "tcp4", udp: "udp4" },
        skip: 0,
        family: Family::V4,
    },
    Chains {
        lookups: "v6",
        usual: "hit_v6",
        net: "hit_net6",
        excused: "excused6",
        whole: whole::Names { header: "whole6", beyond: "beyond6", tcp: "tcp6", udp: "udp6" },
        skip: 0,
        family: Family::V6,
    },
    Chains {
        lookups: "v4_tagged",
        usual: "hit_v4_tagged",
        net: "hit_net4_tagged",
        excused: "excused4_tagged",
        whole: whole::Names { header: "whole4_tagged", beyond: "beyond4_tagged", tcp: "tcp4_tagged", udp: "udp4_tagged" },
        skip: TAG_LEN,
        family: Family::V4,
    },
    Chains {
        lookups: "v6_tagged",
        usual: "hit_v6_tagged",
        net: "hit_net6_tagged",
        excused: "excused6_tagged",
        whole: whole::Names { header: "whole6_tagged", beyond: "beyond6_tagged", tcp: "tcp6_tagged", udp: "udp6_tagged" },
        skip: TAG_LEN,
        family: Family::V6,
    },
];

/// One rule: its chain and its steps.
pub(super) type Rule = (&'static str, Vec<Expression>);

/// The rules of this side.
pub(super) struct Ingress<'a>(pub(super) &'a Layout);

impl Ingress<'_> {
    /// The chains that are no interface's.
    pub(super) fn chains(&self) -> Vec<&'static str> {
        let mut names = vec![ENTRANCE, TAGGED];
        names.extend(CHAINS.iter().flat_map(|chains| [chains.lookups, chains.usual, chains.net, chains.excused]));
        names.extend(CHAINS.iter().flat_map(|chains| chains.whole.all()));
        names.extend(whole::CHAINS);
        names.extend((!self.0.is_enforcing).then_some(OBSERVING));
        names.extend(probe::CHAINS);
        names
    }

    /// Every rule of those chains, in order.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let mut rules = entry();
        for chains in &CHAINS {
            rules.extend(self.lookups(chains));
            rules.extend(whole::rules(self.0, chains));
            rules.extend(self.excuses(chains));
            let usual = if chains.family == Family::V4 { "dropped_v4" } else { "dropped_v6" };
            rules.extend(self.hit(chains.usual, chains.excused, usual));
            rules.extend(self.hit(chains.net, chains.excused, "dropped_net"));
        }
        rules.extend(whole::ends(self.0));
        if !self.0.is_enforcing {
            rules.push((OBSERVING, vec![Expression::Count("would_drop"), Expression::Verdict(Verdict::Accept)]));
        }
        rules.extend(probe::rules(self.0));
        rules
    }

    fn lookups(&self, chains: &Chains) -> Vec<Rule> {
        let to = |tier: Tier| if tier.is_usual() { chains.usual } else { chains.net };
        let rule = |tier: Tier| (chains.lookups, lookup(tier, chains.skip, Verdict::Goto(to(tier))));
        self.0.longest_first(Class::Ban, chains.family).map(rule).collect()
    }

    fn excuses(&self, chains: &Chains) -> Vec<Rule> {
        let discovery =
            (chains.family == Family::V6).then(|| (chains.excused, neighbour_discovery(chains.skip, Some("neighbour"))));
        let allow = |tier| (chains.excused, excuse(tier, chains.skip, "allowed"));
        let allowed = self.0.longest_first(Class::Allow, chains.family).map(allow);
        // Its frames have no tag.
        let probe = (chains.skip == 0).then(|| (chains.excused, probe::excuse(chains.family)));
        probe.into_iter().chain(discovery).chain(allowed).collect()
    }

    /// While a lockdown holds, bans are enforced whatever the mode before it was.
    fn hit(&self, chain: &'static str, excused: &'static str, counter: &'static str) -> Vec<Rule> {
        let drop = || vec![Expression::Count(counter), Expression::Verdict(Verdict::Drop)];
        let mut rules = vec![(chain, vec![Expression::Verdict(Verdict::Jump(excused))])];
        match (self.0.is_enforcing, self.0.is_locked) {
            (true, _) => rules.push((chain, drop())),
            (false, false) => rules.push((chain, vec![goto(OBSERVING)])),
            (false, true) => {
                let locked = vec![Expression::Meta(Meta::Protocol), Expression::InSet(LOCKED.into())];
                rules.push((chain, [locked, drop()].concat()));
                rules.push((chain, vec![goto(OBSERVING)]));
            }
        }
        rules
    }
}

/// What every packet meets first.
fn entry() -> Vec<Rule> {
    let mut rules: Vec<Rule> = vec![(ENTRANCE, vec![Expression::Count("packets")])];
    for (ethertype, to) in [(ETHERTYPE_IP, "v4"), (ETHERTYPE_IP6, "v6")] {
        rules.push((ENTRANCE, vec![Expression::Meta(Meta::Protocol), is(&ethertype), goto(to)]));
    }
    for vlan in ETHERTYPES_VLAN {
        rules.push((ENTRANCE, vec![Expression::Meta(Meta::Protocol), is(&vlan), goto(TAGGED)]));
    }
    // A chain of its own: `nft` 1.0.6 crashes on a rule that reads behind a tag it has compared before.
    for (ethertype, to) in [(ETHERTYPE_IP, "v4_tagged"), (ETHERTYPE_IP6, "v6_tagged")] {
        let inner = Expression::Header { offset: 2, len: 2 };
        rules.push((TAGGED, vec![inner, is(&ethertype), goto(to)]));
    }
    let is_there = vec![Expression::Header { offset: 0, len: TAG_LEN }, whole::any(TAG_LEN)];
    rules.push((TAGGED, [is_there, vec![Expression::Count("not_ip"), Expression::Verdict(Verdict::Accept)]].concat()));
    rules.push((TAGGED, vec![goto(whole::MALFORMED)]));
    rules.push((ENTRANCE, vec![Expression::Count("not_ip")]));
    rules
}

/// The source address under the tier's mask, looked up in its set.
pub(super) fn lookup(tier: Tier, skip: u32, verdict: Verdict) -> Vec<Expression> {
    let mut steps = vec![Expression::Header { offset: skip + tier.family.source_at(), len: tier.family.len().into() }];
    if tier.bits < tier.family.bits_max() {
        steps.push(Expression::Mask(tier.mask()));
    }
    steps.extend([Expression::InSet(tier.name().into()), Expression::Verdict(verdict)]);
    steps
}

/// Whoever is in the tier's set passes, and is counted.
pub(super) fn excuse(tier: Tier, skip: u32, counter: &'static str) -> Vec<Expression> {
    let mut steps = lookup(tier, skip, Verdict::Accept);
    steps.insert(steps.len() - 1, Expression::Count(counter));
    steps
}

/// ICMPv6 of types 133 to 137 with a hop limit that no router has lowered, without extension headers.
pub(super) fn neighbour_discovery(skip: u32, counter: Option<&'static str>) -> Vec<Expression> {
    let (icmp6, hop_limit_max) = (58, 255);
    let mut steps = vec![
        Expression::Header { offset: skip + 6, len: 2 },
        is(&[icmp6, hop_limit_max]),
        // The whole fixed part: type, code and checksum.
        Expression::Header { offset: skip + 40, len: 4 },
        Expression::Compare(Compare::AtLeast, vec![133, 0, 0, 0]),
        Expression::Compare(Compare::AtMost, vec![137, u8::MAX, u8::MAX, u8::MAX]),
    ];
    steps.extend(counter.map(Expression::Count));
    steps.push(Expression::Verdict(Verdict::Accept));
    steps
}

//! The rules: what our table looks like in the kernel, given interfaces, sets and mode.
//!
//! ```text
//! from_<interface> ─ goto entrance: count, then by protocol:
//!   v4, v6         one lookup for each length of prefix in use, the longest first
//!   v4_tagged, …   the same behind a second VLAN tag; the kernel takes the first one off
//!     hit_…        neighbour discovery and allowed sources pass; the rest is counted and dropped,
//!                  or only counted: then there is the chain `observing`, and with it the mode outlives the daemon
//! ```

use super::{
    bytes::{Attributes, Batch, Message},
    expression::{Compare, Expression, Verdict, counter},
    tier::{Class, Family, Tier},
    uapi::{COMMENT, COMMENT_LEN_MAX, chain, flag, message, object, rule, set, table},
};
use std::collections::BTreeSet;

/// The table, in the family `netdev`.
pub(super) const TABLE: &str = "honeymesh";
/// What says that it is ours, and of which version: `nft` prints it as the table's comment.
pub(super) const MARK: &str = "honeymesh bans, version 1";
/// The chain that exists only while nothing is dropped.
pub(super) const OBSERVING: &str = "observing";
/// Before a base chain's interface.
pub(super) const FROM: &str = "from_";
/// Before whatever else listens at ingress.
const PRIORITY: i32 = -500;

/// Counters, in the order in which they are asked for.
pub(super) const COUNTERS: [&str; 8] =
    ["packets", "dropped_v4", "dropped_v6", "dropped_net", "would_drop", "allowed", "neighbour", "not_ip"];

/// A VLAN tag that is still in the packet: the network header begins with it.
const TAG_LEN: u32 = 4;
const ETHERTYPE_IP: [u8; 2] = [8, 0];
const ETHERTYPE_IP6: [u8; 2] = [0x86, 0xdd];
const ETHERTYPES_VLAN: [[u8; 2]; 2] = [[0x81, 0], [0x88, 0xa8]];

/// Chains that have the same rules for packets with and without a second tag.
struct Chains {
    lookups: &'static str,
    usual: &'static str,
    net: &'static str,
    excused: &'static str,
    skip: u32,
    family: Family,
}

const CHAINS: [Chains; 4] = [
    Chains { lookups: "v4", usual: "hit_v4", net: "hit_net4", excused: "excused4", skip: 0, family: Family::V4 },
    Chains { lookups: "v6", usual: "hit_v6", net: "hit_net6", excused: "excused6", skip: 0, family: Family::V6 },
    Chains {
        lookups: "v4_tagged",
        usual: "hit_v4_tagged",
        net: "hit_net4_tagged",
        excused: "excused4_tagged",
        skip: TAG_LEN,
        family: Family::V4,
    },
    Chains {
        lookups: "v6_tagged",
        usual: "hit_v6_tagged",
        net: "hit_net6_tagged",
        excused: "excused6_tagged",
        skip: TAG_LEN,
        family: Family::V6,
    },
];

const ENTRANCE: &str = "entrance";
const TAGGED: &str = "tagged";

/// What the rules depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The sets there are.
    pub(super) tiers: BTreeSet<Tier>,
    /// Drop, or only count.
    pub(super) is_enforcing: bool,
}

/// One rule: its chain and its steps.
type Rule = (&'static str, Vec<Expression>);

impl Layout {
    /// The chains that are no interface's.
    pub(super) fn chains(&self) -> Vec<&'static str> {
        let mut names = vec![ENTRANCE, TAGGED];
        names.extend(CHAINS.iter().flat_map(|chains| [chains.lookups, chains.usual, chains.net, chains.excused]));
        names.extend((!self.is_enforcing).then_some(OBSERVING));
        names
    }

    /// Every rule of those chains, in order.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let mut rules = entry();
        for chains in &CHAINS {
            rules.extend(self.lookups(chains));
            rules.extend(self.excuses(chains));
            let usual = if chains.family == Family::V4 { "dropped_v4" } else { "dropped_v6" };
            rules.extend(self.hit(chains.usual, chains.excused, usual));
            rules.extend(self.hit(chains.net, chains.excused, "dropped_net"));
        }
        if !self.is_enforcing {
            rules.push((OBSERVING, vec![Expression::Count("would_drop"), Expression::Verdict(Verdict::Accept)]));
        }
        rules
    }

    /// The longest prefixes first: who is banned twice is counted by the narrower ban.
    fn tiers(&self, class: Class, family: Family) -> impl Iterator<Item = Tier> {
        self.tiers.iter().rev().copied().filter(move |tier| tier.class == class && tier.family == family)
    }

    fn lookups(&self, chains: &Chains) -> Vec<Rule> {
        let to = |tier: Tier| if tier.is_usual() { chains.usual } else { chains.net };
        let rule = |tier: Tier| (chains.lookups, lookup(tier, chains.skip, Verdict::Goto(to(tier))));
        self.tiers(Class::Ban, chains.family).map(rule).collect()
    }

    fn excuses(&self, chains: &Chains) -> Vec<Rule> {
        let discovery = (chains.family == Family::V6).then(|| (chains.excused, neighbour_discovery(chains.skip)));
        let allowed = self.tiers(Class::Allow, chains.family).map(|tier| {
            let mut steps = lookup(tier, chains.skip, Verdict::Accept);
            steps.insert(steps.len() - 1, Expression::Count("allowed"));
            (chains.excused, steps)
        });
        discovery.into_iter().chain(allowed).collect()
    }

    fn hit(&self, chain: &'static str, excused: &'static str, counter: &'static str) -> [Rule; 2] {
        let end = match self.is_enforcing {
            true => vec![Expression::Count(counter), Expression::Verdict(Verdict::Drop)],
            false => vec![Expression::Verdict(Verdict::Goto(OBSERVING))],
        };
        [(chain, vec![Expression::Verdict(Verdict::Jump(excused))]), (chain, end)]
    }
}

/// What every packet meets first.
fn entry() -> Vec<Rule> {
    let is = |value: &[u8]| Expression::Compare(Compare::Equal, value.into());
    let mut rules: Vec<Rule> = vec![(ENTRANCE, vec![Expression::Count("packets")])];
    for (ethertype, to) in [(ETHERTYPE_IP, "v4"), (ETHERTYPE_IP6, "v6")] {
        rules.push((ENTRANCE, vec![Expression::Protocol, is(&ethertype), Expression::Verdict(Verdict::Goto(to))]));
    }
    for vlan in ETHERTYPES_VLAN {
        rules.push((ENTRANCE, vec![Expression::Protocol, is(&vlan), Expression::Verdict(Verdict::Goto(TAGGED))]));
    }
    // A chain of its own: `nft` 1.0.6 crashes on a rule that reads behind a tag it has compared before.
    for (ethertype, to) in [(ETHERTYPE_IP, "v4_tagged"), (ETHERTYPE_IP6, "v6_tagged")] {
        let inner = Expression::Header { offset: 2, len: 2 };
        rules.push((TAGGED, vec![inner, is(&ethertype), Expression::Verdict(Verdict::Goto(to))]));
    }
    rules.push((TAGGED, vec![Expression::Count("not_ip")]));
    rules.push((ENTRANCE, vec![Expression::Count("not_ip")]));
    rules
}

/// The source address under the tier's mask, looked up in its set.
fn lookup(tier: Tier, skip: u32, verdict: Verdict) -> Vec<Expression> {
    let offset = match tier.family {
        Family::V4 => 12,
        Family::V6 => 8,
    };
    let mut steps = vec![Expression::Header { offset: skip + offset, len: tier.family.len().into() }];
    if tier.bits < tier.family.bits_max() {
        steps.push(Expression::Mask(tier.mask()));
    }
    steps.extend([Expression::InSet(tier.name()), Expression::Verdict(verdict)]);
    steps
}

/// ICMPv6 of types 133 to 137 with a hop limit that no router has lowered, without extension headers.
fn neighbour_discovery(skip: u32) -> Vec<Expression> {
    let (icmp6, hop_limit_max) = (58, 255);
    vec![
        Expression::Header { offset: skip + 6, len: 2 },
        Expression::Compare(Compare::Equal, vec![icmp6, hop_limit_max]),
        Expression::Header { offset: skip + 40, len: 1 },
        Expression::Compare(Compare::AtLeast, vec![133]),
        Expression::Compare(Compare::AtMost, vec![137]),
        Expression::Count("neighbour"),
        Expression::Verdict(Verdict::Accept),
    ]
}

/// A comment as `nft` keeps it in user data.
pub(super) fn comment(text: &str) -> Vec<u8> {
    let end = text.len().min(COMMENT_LEN_MAX - 1);
    let octets = text.as_bytes().get(..end).unwrap_or_default();
    let len = u8::try_from(octets.len() + 1).unwrap_or(u8::MAX);
    [&[COMMENT, len], octets, &[0]].concat()
}

/// The text of a comment.
pub(super) fn comment_text(userdata: &[u8]) -> Option<&str> {
    let (&[COMMENT, len], rest) = userdata.split_first_chunk::<2>()? else { return None };
    str::from_utf8(rest.get(..len.into())?).ok().map(|text| text.trim_end_matches('\0'))
}

pub(super) fn new_table(flags: u32) -> Message {
    Message::new(message::NEW_TABLE, flag::CREATE, |to| {
        to.text(table::NAME, TABLE).number(table::FLAGS, flags).bytes(table::USERDATA, &comment(MARK));
    })
}

pub(super) fn del_table() -> Message {
    Message::new(message::DEL_TABLE, 0, |to| {
        to.text(table::NAME, TABLE);
    })
}

pub(super) fn new_counter(name: &str) -> Message {
    Message::new(message::NEW_OBJECT, flag::CREATE, |to| {
        to.text(object::TABLE, TABLE).text(object::NAME, name).number(object::TYPE, object::COUNTER).nest(object::DATA, |_| ());
    })
}

pub(super) fn new_chain(name: &str) -> Message {
    Message::new(message::NEW_CHAIN, flag::CREATE, |to| {
        to.text(chain::TABLE, TABLE).text(chain::NAME, name);
    })
}

/// The chain that an interface's packets enter. One for each, so that an interface that vanishes takes only its own along.
pub(super) fn new_base_chain(interface: &str) -> Message {
    Message::new(message::NEW_CHAIN, flag::CREATE, |to| {
        to.text(chain::TABLE, TABLE).text(chain::NAME, &base_chain(interface)).text(chain::TYPE, "filter");
        to.number(chain::POLICY, libc::NF_ACCEPT.cast_unsigned());
        to.nest(chain::HOOK, |hook| {
            hook.number(chain::HOOK_NUMBER, chain::INGRESS).number(chain::HOOK_PRIORITY, PRIORITY.cast_unsigned());
            hook.text(chain::HOOK_DEVICE, interface);
        });
    })
}

pub(super) fn base_chain(interface: &str) -> String {
    format!("{FROM}{interface}")
}

pub(super) fn del_chain(name: &str) -> Message {
    Message::new(message::DEL_CHAIN, 0, |to| {
        to.text(chain::TABLE, TABLE).text(chain::NAME, name);
    })
}

/// Removes every rule of a chain.
pub(super) fn flush(chain: &str) -> Message {
    Message::new(message::DEL_RULE, 0, |to| {
        to.text(rule::TABLE, TABLE).text(rule::CHAIN, chain);
    })
}

pub(super) fn new_rule(chain: &str, steps: &[Expression]) -> Message {
    Message::new(message::NEW_RULE, flag::CREATE | flag::APPEND, |to| {
        to.text(rule::TABLE, TABLE).text(rule::CHAIN, chain);
        to.nest(rule::EXPRESSIONS, |list| steps.iter().for_each(|step| step.write(list)));
    })
}

/// The rule of every base chain.
pub(super) fn enter_rule(interface: &str) -> Message {
    new_rule(&base_chain(interface), &[Expression::Verdict(Verdict::Goto(ENTRANCE))])
}

pub(super) fn new_set(tier: Tier, id: u32) -> Message {
    Message::new(message::NEW_SET, flag::CREATE, |to| {
        to.text(set::TABLE, TABLE).text(set::NAME, &tier.name()).number(set::ID, id);
        to.number(set::FLAGS, if tier.class.is_ban() { set::TIMEOUTS } else { 0 });
        to.number(set::KEY_TYPE, tier.family.key_type()).number(set::KEY_LEN, tier.family.len().into());
        if tier.class.is_ban() {
            counter(to, set::EXPRESSION, 0);
        }
    })
}

pub(super) fn del_set(tier: Tier) -> Message {
    Message::new(message::DEL_SET, 0, |to| {
        to.text(set::TABLE, TABLE).text(set::NAME, &tier.name());
    })
}

/// Adds every rule of `layout` to chains that have none.
pub(super) fn add_rules(layout: &Layout, batch: &mut Batch) {
    for (chain, steps) in layout.rules() {
        batch.push(new_rule(chain, &steps));
    }
}

/// Writes the name of our table and of a set of it.
pub(super) fn set_name(to: &mut Attributes, tier: Tier, table: u16, set: u16) {
    to.text(table, TABLE).text(set, &tier.name());
}

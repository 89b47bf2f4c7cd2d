//! The rules within the network stack: probes of dark ports are seen, counted and silenced, and a lockdown lets in who may.
//!
//! ```text
//! arrived ─ by interface: carried ─ (lockdown holds: locked) ─ by protocol:
//!   tcp, udp        is it a probe? everything else passes, but for what silent ports do not answer (`talk`)
//!   probe           to this host, no socket takes it
//!     probe4, …     allowed sources pass; who is silenced is dropped
//!       weigh4, …   has its source touched enough ports? (weigh.rs)
//! ```
//!
//! A packet is a probe by the same rules as in the XDP program; `docs/kernel/fallback.md` says where they differ.

mod kin;
mod oracle;
mod talk;
mod weigh;

use super::{
    ask::{ACK, RST, TCP, UDP, any_socket, came_by, flags, later_fragment, port, range, to_own, whole_header},
    expression::{Compare, Expression, Meta, Register, Verdict, goto, is},
    ingress::{self, Rule},
    layout::{Earns, Layout, Manner, Scan},
    locked,
    tier::Class,
};
use honeymesh_xdp_abi::{ASKED_FROM, ASKED_FROM_MIN};
use kin::Kin;

/// Before the network stack follows connections, and before the rules that tell it not to.
pub(super) const PRIORITY: i32 = -310;
/// The base chain.
pub(super) const ARRIVED: &str = "arrived";
/// Where everything from a guarded interface goes.
const CARRIED: &str = "carried";
/// The chain that exists only while nothing is dropped.
const OBSERVING: &str = "observing";
const HIT_DARK: &str = "hit_dark";

/// Counters, in the order in which they are asked for.
pub(super) const COUNTERS: [&str; 16] = [
    "dropped_dark",
    "dropped_scan",
    "dropped_lockdown",
    "dropped_v4",
    "dropped_v6",
    "silenced",
    "would_drop",
    "allowed",
    "knocks",
    "knocks_limited",
    "scans",
    "budget_full",
    "scan_state_lost",
    "scan_rushed",
    "steered",
    "oracle_answered",
];

/// Datagrams from below it may be answers that come late.
const SOURCE_PORT_MIN: u16 = 1_024;
/// The destination ports of the classic traceroute.
const TRACEROUTE: (u16, u16) = (33_434, 33_689);

/// The rules of this side.
pub(super) struct Stack<'a> {
    layout: &'a Layout,
    scan: &'a Scan,
}

impl<'a> Stack<'a> {
    /// `None` where the kernel cannot ask for sockets.
    pub(super) fn of(layout: &'a Layout) -> Option<Self> {
        layout.scan.as_ref().map(|scan| Self { layout, scan })
    }

    /// The chains, the base chain among them.
    pub(super) fn chains(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = vec![ARRIVED];
        for (chain, _) in self.rules() {
            if !names.contains(&chain) {
                names.push(chain);
            }
        }
        // Where it leads to nothing for now.
        for chain in [CARRIED, "tcp", "udp", "probe", HIT_DARK, weigh::BELOW, weigh::BEYOND, weigh::TOLD] {
            if !names.contains(&chain) {
                names.push(chain);
            }
        }
        names
    }

    /// Every rule, in order.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self.layout.carriers.iter().map(|name| (ARRIVED, from(name))).collect();
        if self.layout.is_locked {
            rules.push((
                CARRIED,
                vec![Expression::Meta(Meta::Protocol), Expression::InSet(locked::LOCKED.into()), goto(locked::ENTRANCE)],
            ));
            rules.extend(locked::rules(self.layout));
        }
        rules.extend(self.placed_bans());
        rules.extend(self.by_protocol());
        rules.extend(self.probe());
        for kin in &Kin::ALL {
            rules.extend(self.judge(kin));
            rules.extend(oracle::rules(self.scan, self.layout, kin));
            rules.extend(weigh::rules(self.scan, self.layout, kin));
        }
        rules.extend(weigh::ends(self.scan, self.layout));
        rules.extend(oracle::ends(self.scan, self.layout));
        rules.extend(self.drop_or_count(HIT_DARK, "dropped_dark"));
        if self.scan.manner == Manner::Silent {
            rules.extend(talk::rules(self.scan, self.layout));
        }
        if !self.layout.is_enforcing {
            rules.push((OBSERVING, vec![Expression::Count("would_drop"), Expression::Verdict(Verdict::Accept)]));
        }
        rules
    }

    /// Where a scan earns a ban from everything, that holds here until the daemon has entered it before the network stack.
    fn placed_bans(&self) -> Vec<Rule> {
        if self.scan.earns != Earns::Ban {
            return Vec::new();
        }
        let mut rules = Vec::new();
        for kin in &Kin::ALL {
            let found = [kin.guard(), kin.source(), vec![Expression::InSet(kin.placed.name().into()), goto(kin.hit)]];
            rules.push((CARRIED, found.concat()));
            rules.extend(kin.neighbours().into_iter().map(|steps| (kin.hit, steps)));
            rules.extend(allowed(self.layout, kin, kin.hit));
            rules.extend(self.drop_or_count(kin.hit, kin.dropped));
        }
        rules
    }

    fn by_protocol(&self) -> Vec<Rule> {
        let mut rules = vec![
            (CARRIED, [later_fragment(), vec![Expression::Verdict(Verdict::Accept)]].concat()),
            (CARRIED, vec![Expression::Meta(Meta::Transport), is(&[TCP]), goto("tcp")]),
            (CARRIED, vec![Expression::Meta(Meta::Transport), is(&[UDP]), goto("udp")]),
            // Of a segment without a whole header nothing is known, and before the network stack it was counted.
            ("tcp", [whole_header(), flags(ACK | RST), vec![is(&[0]), goto("probe")]].concat()),
        ];
        if self.scan.udp {
            rules.extend([("udp", is_probe_like_an_answer()), ("udp", self.is_probing_datagram())]);
        }
        if self.scan.manner == Manner::Silent {
            rules.push(("tcp", [flags(RST), vec![is(&[0]), goto(talk::TALK)]].concat()));
            rules.push(("udp", vec![goto(talk::TALK)]));
        }
        rules
    }

    fn is_probing_datagram(&self) -> Vec<Expression> {
        vec![
            datagram_header(),
            Expression::Compare(Compare::AtLeast, from_port(SOURCE_PORT_MIN, 0)),
            port(),
            range(false, self.scan.sends_from.ports),
            range(false, TRACEROUTE),
            goto("probe"),
        ]
    }

    fn probe(&self) -> Vec<Rule> {
        let mut rules = vec![("probe", any_socket(Expression::Verdict(Verdict::Accept)))];
        for kin in &Kin::ALL {
            rules.push(("probe", [to_own(), kin.guard(), vec![goto(kin.probe)]].concat()));
        }
        rules
    }

    fn judge(&self, kin: &Kin) -> Vec<Rule> {
        let mut rules = allowed(self.layout, kin, kin.probe);
        let silenced = if oracle::is_on(self.scan, self.layout) { kin.silenced } else { HIT_DARK };
        let dark = self.layout.longest_first(Class::Dark, kin.family);
        rules.extend(dark.map(|tier| (kin.probe, ingress::lookup(tier, 0, Verdict::Goto(silenced)))));
        if self.scan.earns != Earns::Report {
            let found = vec![Expression::InSet(kin.placed.name().into()), goto(silenced)];
            rules.push((kin.probe, [kin.source(), found].concat()));
        }
        rules.push((kin.probe, vec![goto(kin.window.count)]));
        rules
    }

    fn drop_or_count(&self, chain: &'static str, counter: &'static str) -> Vec<Rule> {
        drop_or_count(self.layout, chain, counter)
    }
}

/// Loads the whole header of a datagram, which begins with its source port.
const fn datagram_header() -> Expression {
    Expression::Segment { offset: 0, len: 8, to: Register::FIRST }
}

/// The first or the last of all headers of datagrams from a port, for comparisons.
fn from_port(port: u16, rest: u8) -> Vec<u8> {
    [&port.to_be_bytes()[..], &[rest; 6]].concat()
}

/// From a well-known port, to one that nobody asks from ([`honeymesh_xdp_abi::is_asked_from`]).
fn is_probe_like_an_answer() -> Vec<Expression> {
    let (below, last) = (from_port(SOURCE_PORT_MIN - 1, u8::MAX), ASKED_FROM_MIN - 1);
    let mut rule = vec![datagram_header(), Expression::Compare(Compare::AtMost, below), port(), range(true, (0, last))];
    rule.extend(ASKED_FROM.map(|port| Expression::Compare(Compare::Differs, port.to_be_bytes().into())));
    rule.push(goto("probe"));
    rule
}

/// What is dropped while dropping.
fn drop_or_count(layout: &Layout, chain: &'static str, counter: &'static str) -> Vec<Rule> {
    let end = match layout.is_enforcing {
        true => vec![Expression::Count(counter), Expression::Verdict(Verdict::Drop)],
        false => vec![goto(OBSERVING)],
    };
    vec![(chain, end)]
}

/// Allowed sources pass.
fn allowed(layout: &Layout, kin: &Kin, chain: &'static str) -> Vec<Rule> {
    let rule = |tier| (chain, ingress::excuse(tier, 0, "allowed"));
    layout.longest_first(Class::Allow, kin.family).map(rule).collect()
}

/// Everything that came by this interface.
fn from(interface: &str) -> Vec<Expression> {
    [came_by(interface), vec![goto(CARRIED)]].concat()
}

/// Ports that are excepted go on to be answered.
fn excepted(scan: &Scan, chain: &'static str) -> Vec<Rule> {
    let one = |ports: &(u16, u16)| (chain, vec![port(), range(true, *ports), Expression::Verdict(Verdict::Accept)]);
    scan.except.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::{layout::sends_from, side::Side, tier::Tier};
    use std::collections::BTreeSet;

    /// `NFT_JUMP_STACK_SIZE`: the kernel refuses rules by which a packet may go through more chains.
    const CHAINS_MAX: usize = 16;

    fn layouts() -> impl Iterator<Item = Layout> {
        let bits = |bits: u8| [1, 2, 4].map(|bit| bits & bit != 0);
        let manners = [Manner::Refuse, Manner::Silent, Manner::Trap];
        let all = manners.into_iter().flat_map(|manner| [Earns::Silence, Earns::Ban, Earns::Report].map(|earns| (manner, earns)));
        all.flat_map(move |(manner, earns)| {
            (0..8).map(move |number| {
                let [is_enforcing, is_locked, oracle] = bits(number);
                let scan = Scan {
                    ports: 3,
                    window_ms: 60_000,
                    earns,
                    ttl_ms: 60_000,
                    budget: 8,
                    sources: 1_024,
                    udp: true,
                    oracle,
                    manner,
                    except: vec![(25, 25)],
                    sends_from: sends_from(),
                };
                let tiers = BTreeSet::from(Tier::USUAL);
                Layout {
                    tiers,
                    is_enforcing,
                    carriers: vec!["lo".into()],
                    scan: Some(scan),
                    traps: [Some(1); 2],
                    is_locked,
                    is_heard: true,
                }
            })
        })
    }

    /// How many chains a packet may go through from here on.
    fn depth(rules: &[Rule], chain: &str) -> usize {
        let leads_to =
            rules.iter().filter(|(from, _)| *from == chain).flat_map(|(_, steps)| steps).filter_map(|step| match step {
                Expression::Verdict(Verdict::Goto(to) | Verdict::Jump(to)) => Some(*to),
                _ => None,
            });
        1 + leads_to.collect::<BTreeSet<_>>().into_iter().map(|to| depth(rules, to)).max().unwrap_or(0)
    }

    #[test]
    fn no_packet_goes_through_more_chains_than_the_kernel_allows() {
        for layout in layouts() {
            assert!(!layout.tiers_of(Side::Ingress).is_empty());
            let depth = depth(&Stack::of(&layout).unwrap().rules(), ARRIVED);
            assert!((8..=CHAINS_MAX).contains(&depth), "{depth}: {layout:?}");
        }
    }
}

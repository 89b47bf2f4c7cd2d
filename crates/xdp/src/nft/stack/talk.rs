//! Dark ports that answer nothing at all: what the network stack would answer is dropped before it gets there, by the rules of
//! the XDP rungs' second program.

use super::{drop_or_count, excepted, kin::Kin};
use crate::nft::{
    ask::{any_socket, port, range, to_own},
    expression::{Expression, Verdict, goto},
    ingress::{self, Rule},
    layout::{Layout, Scan},
    tier::Class,
};

/// TCP with ACK, and datagrams that are no probes.
pub(super) const TALK: &str = "talk";
const HUSHED: &str = "hushed";

/// What a socket takes passes, and whoever is allowed; where this host forwards packets for others, also what may belong to a connection
/// that it translates: by the port, which is its client's where that is free.
pub(super) fn rules(scan: &Scan, layout: &Layout) -> Vec<Rule> {
    let mut rules = excepted(scan, TALK);
    if scan.sends_from.forwards {
        let (first, _) = scan.sends_from.ports;
        rules.push((TALK, vec![port(), range(true, (first, u16::MAX)), Expression::Verdict(Verdict::Accept)]));
    }
    rules.push((TALK, any_socket(Expression::Verdict(Verdict::Accept))));
    for kin in &Kin::ALL[..2] {
        let allowed = layout.longest_first(Class::Allow, kin.family);
        rules.extend(allowed.map(|tier| (TALK, [kin.family_guard(), ingress::lookup(tier, 0, Verdict::Accept)].concat())));
    }
    rules.push((TALK, [to_own(), vec![port(), goto(HUSHED)]].concat()));
    rules.extend(drop_or_count(layout, HUSHED, "silenced"));
    rules
}

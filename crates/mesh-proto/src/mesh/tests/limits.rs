//! What a member that was taken over gets of an honest node, in records, places in the set and signature checks; no times.
//!
//! Each attack lasts ten seconds, 20,000 records or datagrams, against node 2 of three. Node 3 is honest and is heard all the same.

use super::*;
use crate::Limits;
use alloc::{sync::Arc, vec::Vec};
use honeymesh_types::NodeId;

const ROUNDS: u32 = 100;
const PER_ROUND: u32 = 200;
const TRIED: u64 = (ROUNDS * PER_ROUND) as u64;
const SECONDS: u32 = 10;

/// Small enough to be reached, and with the proportions of the defaults.
fn limits() -> Limits {
    Limits {
        peer_rate: 100,
        peer_burst: 400,
        origin_rate: 50,
        origin_burst: 200,
        origin_records_max: 300,
        records_max: 1_000,
        guests_max: 0,
    }
}

fn wire() -> Wire {
    let limited = |n| crate::Config { limits: limits(), ..config(n, &[1]) };
    let mut wire = Wire::new((1..=3).map(limited).collect());
    wire.run(3_000);
    wire
}

/// What one attack cost node 2.
#[derive(Debug)]
struct Cost {
    /// Records that came in anew.
    accepted: u64,
    /// Places in its set.
    held: usize,
    /// Signatures that it verified: of records that came in, and bad ones.
    verified: u64,
    /// Records or datagrams refused, by whatever reason.
    refused: u64,
}

fn cost(wire: &mut Wire, before: &crate::MeshStats) -> Cost {
    let held = wire.mesh(2).len();
    let stats = wire.mesh(2).stats();
    let accepted = stats.records_new - before.records_new;
    let bad = stats.refused.of(Refused::RecordSignature) - before.refused.of(Refused::RecordSignature);
    Cost { accepted, held, verified: accepted + bad, refused: stats.refused.total() - before.refused.total() }
}

/// Feeds node 2 what `attack` makes for each round; time passes, and the honest go on. Node 3 says something in the middle of it.
fn under(wire: &mut Wire, attack: impl Fn(&mut Wire, u32) -> Vec<Vec<u8>>) -> Cost {
    let before = wire.mesh(2).stats();
    for round in 0..ROUNDS {
        for bytes in attack(wire, round) {
            let now = wire.now();
            let mut out = Vec::new();
            wire.mesh(2).datagram(addr(1), &bytes, now, &mut out);
        }
        if round == ROUNDS / 2 {
            wire.say(3, "198.51.100.3", ban(hour()));
        }
        wire.run(100);
    }
    let cost = cost(wire, &before);
    wire.run(20_000);
    assert!(wire.mesh(2).records(&subject("198.51.100.3")).len() == 1, "the honest are heard: {cost:?}");
    cost
}

/// Datagrams with records of round `round`, each about somebody new, signed by node 1 in the name of `origin`.
fn records(wire: &mut Wire, round: u32, origin: NodeId, ahead: Duration) -> Vec<Vec<u8>> {
    let now = wire.now();
    let at = crate::Hlc::at(now.wall.plus(ahead));
    let about = |n: u32| {
        let number = 0xc612_0000 + round * PER_ROUND + n;
        Statement { subject: Subject::host(core::net::IpAddr::from(number.to_be_bytes())), said: ban(hour()) }
    };
    let signed = |n| wire.mesh(1).insider_record(about(n), origin, at);
    let signed: Vec<Arc<[u8]>> = (0..PER_ROUND).filter_map(signed).collect();
    let mut out = Vec::new();
    wire.mesh(1).insider_push(addr(2), &signed, now, &mut out);
    sealed(out)
}

fn sealed(effects: Vec<Effect>) -> Vec<Vec<u8>> {
    let bytes = |effect| if let Effect::Send { bytes, .. } = effect { Some(bytes) } else { None };
    effects.into_iter().filter_map(bytes).collect()
}

/// What one origin may push in the time, and what repair fetches for the two honest records and the rogue's own few.
const fn pushed_max() -> u64 {
    let limits = Limits {
        peer_rate: 100,
        peer_burst: 400,
        origin_rate: 50,
        origin_burst: 200,
        origin_records_max: 300,
        records_max: 1_000,
        guests_max: 0,
    };
    (limits.origin_burst + limits.origin_rate * SECONDS) as u64
}

#[test]
fn a_flooding_member_gets_its_budget_and_its_quota() {
    let mut wire = wire();
    let me = wire.mesh(1).identity();
    let cost = under(&mut wire, |wire, round| records(wire, round, me, Duration::ZERO));
    assert!(cost.accepted <= pushed_max() + 1, "{cost:?} of {TRIED}");
    assert!(cost.held <= limits().origin_records_max + 1, "{cost:?}");
    assert!(cost.verified <= pushed_max() + 1, "{cost:?}");
    assert!(cost.refused > 0, "{cost:?}");
}

#[test]
fn a_replaying_member_gets_nothing() {
    let mut wire = wire();
    let me = wire.mesh(1).identity();
    let first = records(&mut wire, 0, me, Duration::ZERO);
    let now = wire.now();
    first.iter().for_each(|bytes| wire.mesh(2).datagram(addr(1), bytes, now, &mut Vec::new()));
    let before = wire.mesh(2).len();
    let cost = under(&mut wire, |_, _| first.iter().cycle().take(PER_ROUND as usize).cloned().collect());
    assert_eq!((cost.accepted, cost.verified, cost.held), (1, 1, before + 1), "only what node 3 said");
    assert!(cost.refused >= TRIED, "each is counted: {cost:?}");
}

#[test]
fn a_forging_member_gets_no_record_and_a_bounded_number_of_signature_checks() {
    let mut wire = wire();
    let honest = wire.mesh(3).identity();
    let cost = under(&mut wire, |wire, round| records(wire, round, honest, Duration::ZERO));
    assert_eq!((cost.accepted, cost.held), (1, 1), "{cost:?}");
    // Each check costs a token of the forger's own budget, and a fine of a hundred that it owes if it has not got them.
    let budget = u64::from(limits().peer_burst + limits().peer_rate * SECONDS);
    // Those of one datagram are charged together, before the first fine.
    assert!(cost.verified <= budget / 101 + 8, "{cost:?} of {TRIED}");
}

#[test]
fn a_member_from_the_future_gets_no_record_and_no_signature_check_and_moves_no_clock() {
    let mut wire = wire();
    let me = wire.mesh(1).identity();
    let cost = under(&mut wire, |wire, round| records(wire, round, me, Duration::from_secs(61)));
    assert_eq!((cost.accepted, cost.held, cost.verified), (1, 1, 1), "{cost:?}");
    let said = wire.say(2, WHO, ban(hour())).record.at.wall();
    assert!(said.since(wire.now().wall) < Duration::from_secs(1), "its clock was not pushed ahead");
}

#[test]
fn a_member_that_sends_garbage_gets_nothing() {
    let mut wire = wire();
    let cost = under(&mut wire, |wire, round| {
        let nonsense =
            |n: u32| (0..64 + n).map(|byte| (byte.wrapping_mul(167) ^ round ^ n).to_le_bytes()[0]).collect::<Vec<u8>>();
        let each = |n: u32| match n % 2 {
            0 => wire.mesh(1).insider_seal(&nonsense(n)).unwrap_or_default(),
            _ => nonsense(n),
        };
        (0..PER_ROUND).map(each).collect()
    });
    assert_eq!((cost.accepted, cost.held, cost.verified), (1, 1, 1), "{cost:?}");
    assert!(cost.refused >= TRIED - 1, "each is counted: {cost:?}");
}

//! What an honest node says to one that it has met, as its messages are inside.

use super::pair::{Pair, head};
use honeymesh_mesh_proto::{Said, Statement};
use honeymesh_types::{Grade, Reasons, Scope, Subject};
use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// One input for each different length of a message, and one with many of them.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut pair = Pair::met();
    let mut bodies = BTreeSet::new();
    for round in 0..400_u32 {
        pair.millis += 50;
        let (now, mut out) = (pair.now(), Vec::new());
        if round % 7 == 0 {
            let source = IpAddr::from([203, 0, 113, (round % 250).to_be_bytes()[3]]);
            let (reasons, grade, scope) = (Reasons::TRAP, Grade::Payload, Scope::All);
            let said = Said::Ban { reasons, grade, scope, ttl: Duration::from_secs(3_600), score: 50, note: None };
            let statement = Statement { subject: Subject::host(source), said };
            // Half of what is said is never heard, so that there is something to repair.
            let mut unheard = Vec::new();
            let _said = pair.honest.publish(statement, now, if round % 2 == 0 { &mut out } else { &mut unheard });
        }
        pair.honest.wake(now, &mut out);
        let mut said = pair.talk(out, true);
        let mut out = Vec::new();
        pair.insider.wake(now, &mut out);
        said.extend(pair.talk(out, false));
        bodies.extend(said.iter().filter_map(|datagram| pair.insider.insider_open(datagram)));
    }
    inputs(bodies, head(pair.now()).len())
}

fn inputs(bodies: BTreeSet<Vec<u8>>, head_bytes: usize) -> Vec<Vec<u8>> {
    let mut seen = BTreeSet::new();
    let mut inputs = Vec::new();
    for body in bodies {
        let Some((head, message)) = body.split_at_checked(head_bytes) else { continue };
        // Without an introduction, and of a kind and length that was not there yet.
        if head.last() == Some(&0) && seen.insert((message.first().copied(), message.get(1).copied(), message.len() / 64)) {
            let length = u16::try_from(message.len()).unwrap_or(0).to_le_bytes();
            inputs.push([&[0], &length[..], message].concat());
            inputs.push([&[6], &length[..], message].concat());
        }
    }
    for record in [
        &b"\x00\x01\x00\x03\x00\xff\x00\x08\x30\x00\x00\xcb\x00\x71\x07"[..],
        b"\x01\x00\xcb\x00\x71\x07",
        b"\x02\x01\x00\xff\x00\x08\x02\x00\xcb\x00\x71\x07\x17\x00\x01\x00",
    ] {
        inputs.push([&[3, u8::try_from(record.len()).unwrap_or(0), 0][..], record].concat());
    }
    inputs.push(Vec::from([7, 2, 0, 0xff, 0x0f]));
    inputs
}

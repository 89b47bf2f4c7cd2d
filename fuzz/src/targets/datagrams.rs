//! One datagram to each service over UDP.

use crate::{
    Input,
    talk::{NOW, bounded, trap},
};
use honeymesh_trap_proto::{
    DATAGRAM_ANSWER_BYTES_MAX, DATAGRAM_BYTES_MAX, Datagram, Leaves, NONCE_BYTES, Service, TRANSFER_BYTES,
};

const SERVICES: [&str; 7] = ["dns", "ntp", "snmp", "tftp", "sip", "ssdp", "memcached"];
/// So many answers to answers: the next one is silence. (memcached complains of what BIND answers, BIND of the complaint, and nobody of that.)
const TURNS_MAX: usize = 4;

/// `service | nonce's place, or 0 | datagram`.
pub(super) fn any(data: &[u8]) {
    let mut input = Input::new(data);
    let service = trap(SERVICES[input.below(SERVICES.len())], 0);
    let place = usize::from(input.byte());
    let bytes = input.take(DATAGRAM_BYTES_MAX);
    let nonce_at = (place > 0 && place + NONCE_BYTES <= bytes.len()).then_some(place);
    let reply = service.datagram(&Datagram { bytes, nonce_at, now: NOW, ..Datagram::default() });
    bounded(&reply.findings);
    assert!(reply.answer.len() <= bytes.len().min(DATAGRAM_ANSWER_BYTES_MAX), "an answer that is longer than what it answers");
    assert!(reply.nonce_at.is_none_or(|at| at + NONCE_BYTES <= reply.answer.len()), "a nonce outside of the answer");
    assert!(reply.leaves == Leaves::Asked || service.transfers(), "{} answers from another port", service.name());
    let again = service.datagram(&Datagram { bytes: &reply.answer, now: NOW, ..Datagram::default() }).answer;
    assert!(again.is_empty(), "{} answers its own kind", service.name());
    for other in SERVICES {
        fall_silent(service, trap(other, 0), reply.answer.clone());
    }
    if service.transfers() {
        transfer(service, bytes, reply.leaves);
    }
}

/// The same datagram where an answer has left from: whatever is known there, and what this one has left to be known.
fn transfer(service: &Service, bytes: &[u8], leaves: Leaves) {
    let left = if let Leaves::Own(transfer) = leaves { transfer.known } else { [0; TRANSFER_BYTES] };
    let claimed = bytes.first_chunk().copied().unwrap_or_default();
    for known in [left, claimed] {
        let hear = |bytes, known| service.datagram(&Datagram { bytes, transfer: Some(known), now: NOW, ..Datagram::default() });
        let reply = hear(bytes, known);
        bounded(&reply.findings);
        assert!(
            reply.answer.len() <= bytes.len().min(DATAGRAM_ANSWER_BYTES_MAX),
            "an answer that is longer than what it answers"
        );
        for other in [left, claimed] {
            assert!(hear(&reply.answer, other).answer.is_empty(), "two transfers go on");
        }
    }
}

/// Somebody forges the address of one trap in a datagram to another one.
fn fall_silent(one: &Service, other: &Service, mut said: Vec<u8>) {
    let mut turns = 0;
    for service in [other, one].into_iter().cycle() {
        if said.is_empty() {
            return;
        }
        turns += 1;
        assert!(turns < TURNS_MAX, "{} and {} go on: {said:?}", one.name(), other.name());
        said = service.datagram(&Datagram { bytes: &said, now: NOW, ..Datagram::default() }).answer;
    }
}

//! What every service over UDP keeps, whatever is sent to it.

use super::*;
use crate::{Definition, FIELD_BYTES_MAX, FIELDS_MAX, Persona, drive};
use alloc::{format, string::ToString, vec};
use honeymesh_types::Transport;
use proptest::prelude::*;

/// Each service that hears datagrams.
fn services() -> Vec<Service> {
    let define = |name: &str, transport: Option<&str>| {
        let transport = transport.map(ToString::to_string);
        Service::define(&Definition { service: name.to_string(), transport, ..Definition::default() }, &Persona::of([7; 32]))
            .unwrap()
    };
    let all = Service::NAMES.iter().filter(|name| **name != "script").map(|name| define(name, None));
    let services: Vec<Service> = all.chain([define("memcached", Some("udp"))]).collect();
    let heard: Vec<Service> = services.into_iter().filter(|service| service.transports().contains(&Transport::Udp)).collect();
    let names: Vec<&str> = heard.iter().map(Service::name).collect();
    assert_eq!(names, ["dns", "ntp", "snmp", "tftp", "sip", "ssdp", "memcached"]);
    heard
}

/// Something that one of them understands.
fn understood() -> impl Strategy<Value = Vec<u8>> {
    let sip =
        "INVITE sip:1@a SIP/2.0\r\nVia: x;branch=z\r\nFrom: <sip:2@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: 3\r\nCSeq: 1 INVITE\r\n";
    let words = prop_oneof![
        Just(b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03".to_vec()),
        Just(b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x01a\0\0\xff\0\x01\0\0\x29\x10\0\0\0\0\0\0\0".to_vec()),
        Just([&b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x011\x0210\x07in-addr\x04arpa\0\0\x0c\0\x01\0\0\x29\x10\0\0\0\0\0\0\x60\0\x0a\0\x08cookies!\0\x0c\0\x50"[..], &[0; 80]].concat()),
        Just([&b"\x23"[..], &[7; 47]].concat()),
        Just(b"\x17\0\x03\x2a\0\0\0\0".to_vec()),
        Just(b"\x30\x27\x02\x01\x01\x04\x06public\xa0\x1a\x02\x02\x12\x34\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\0\x05\0".to_vec()),
        Just(b"\x30\x27\x02\x01\0\x04\x06public\xa1\x1a\x02\x02\x12\x34\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x04\x01\x01\x01\0\x05\0".to_vec()),
        Just(b"\0\x01startup-config\0octet\0".to_vec()),
        Just(b"\0\x02a\0octet\0blksize\x001428\0".to_vec()),
        Just(b"\0\x03\0\x01block".to_vec()),
        Just(format!("{sip}Content-Length: 0\r\n\r\n").into_bytes()),
        Just(format!("{sip}X: {}\r\n\r\n", "y".repeat(500)).replace("INVITE", "OPTIONS").into_bytes()),
        Just(format!("M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nST: ssdp:all\r\nX: {}\r\n\r\n", "z".repeat(300)).into_bytes()),
        Just(b"\0\x01\0\0\0\x01\0\0set a 0 0 1\r\n1\r\nget a\r\nversion\r\nstats\r\n".to_vec()),
        Just(b"\0\x01\0\0\0\x01\0\0ms a 1\r\n1\r\nmg a v t O12345\r\nmn\r\n".to_vec()),
        Just(b"\0\x01\0\0\0\x01\0\0mg a v O12345678\r\n".to_vec()),
        Just(b"\0\x01\0\0\0\x01\0\0flush_all\r\n".to_vec()),
    ];
    // As it is, followed by something, cut short, or with one octet changed.
    (words, drive::noise(), any::<bool>(), any::<u16>(), any::<u8>(), 0_u8..4).prop_map(
        |(mut bytes, noise, more, at, byte, how)| {
            let place = usize::from(at) % bytes.len();
            match how {
                0 => bytes[place] = byte,
                1 => bytes.truncate(place),
                _ if more => bytes.extend_from_slice(&noise),
                _ => {}
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn no_datagram_breaks_a_service_or_gets_a_longer_answer(
        bytes in prop_oneof![drive::noise(), understood()],
        at in 0_usize..700,
        transfer in proptest::option::of(any::<[u8; TRANSFER_BYTES]>()),
        cut in 0_usize..70_000,
    ) {
        for service in services() {
            let nonce_at = (at + NONCE_BYTES <= bytes.len()).then_some(at);
            let reply = service.datagram(&Datagram { bytes: &bytes, cut, nonce_at, transfer, now: drive::NOW });
            prop_assert!(reply.answer.len() <= bytes.len() && reply.answer.len() <= DATAGRAM_ANSWER_BYTES_MAX, "{}", service.name());
            prop_assert!(reply.leaves == Leaves::Asked || service.transfers(), "{}", service.name());
            if let Some(at) = reply.nonce_at {
                prop_assert!(at + NONCE_BYTES <= reply.answer.len());
            }
            prop_assert!(reply.findings.fields.len() <= FIELDS_MAX);
            for value in reply.findings.fields.values() {
                prop_assert!(value.len() <= FIELD_BYTES_MAX && !value.chars().any(char::is_control), "{:?}", value);
            }
        }
    }

    /// Somebody forges the address of one trap in a datagram to another one.
    #[test]
    fn two_traps_that_are_set_on_each_other_fall_silent(bytes in understood()) {
        for one in services() {
            let first = one.datagram(&Datagram { bytes: &bytes, now: drive::NOW, ..Datagram::default() }).answer;
            for other in services() {
                let mut said = first.clone();
                let mut turns = 0;
                for service in [&other, &one].into_iter().cycle() {
                    if said.is_empty() {
                        break;
                    }
                    turns += 1;
                    // memcached complains of what BIND answers, BIND of the complaint, and nobody of that.
                    prop_assert!(turns < 4, "{} and {} go on: {:?}", one.name(), other.name(), said);
                    said = service.datagram(&Datagram { bytes: &said, now: drive::NOW, ..Datagram::default() }).answer;
                }
            }
        }
    }

    /// What a transfer says meets silence in every other one, whatever that waits for.
    #[test]
    fn two_transfers_that_are_set_on_each_other_fall_silent(
        bytes in understood(),
        one in any::<[u8; TRANSFER_BYTES]>(),
        other in any::<[u8; TRANSFER_BYTES]>(),
    ) {
        for service in services().iter().filter(|service| service.transfers()) {
            for first in [None, Some(one)] {
                let said = service.datagram(&Datagram { bytes: &bytes, transfer: first, ..Datagram::default() }).answer;
                let again = service.datagram(&Datagram { bytes: &said, transfer: Some(other), ..Datagram::default() }).answer;
                prop_assert!(again.is_empty(), "{said:?}: {again:?}");
            }
        }
    }
}

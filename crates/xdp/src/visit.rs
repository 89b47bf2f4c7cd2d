//! A record of a handshake that the program finished by itself, as the visit that it is.

use crate::record::{addr, octet, quad};
use honeymesh_types::{Now, SessionId, Signs, Transport, Visit};
use honeymesh_xdp_abi::{KIND_VISIT, KnockRecord, PAYLOAD_MAX, VisitRecord};
use std::{collections::BTreeMap, net::SocketAddr};

/// The name under which visits to dark ports are told, as if it were a trap's in the configuration.
const TRAP: &str = "dark";
/// The service that answered: the program, with a cookie.
const SERVICE: &str = "cookie";
/// Set in the sessions of this source of visits, so that they are none of a trap's.
const SESSION_FIRST: u64 = 1 << 63;

/// The visit in a record, the `index`th; `None` if it is none of this version's.
pub(crate) fn parse(octets: &[u8], index: u64, at: Now) -> Option<Visit> {
    if octets.len() != size_of::<VisitRecord>() || octet(octets, 45)? != KIND_VISIT {
        return None;
    }
    let family = octet(octets, 44)?;
    let port = |at: usize| crate::record::number(octets, at);
    let (bytes, captured) = (quad(octets, size_of::<KnockRecord>())?, quad(octets, size_of::<KnockRecord>() + 4)?);
    let captured = usize::try_from(captured.min(bytes)).unwrap_or(PAYLOAD_MAX).min(PAYLOAD_MAX);
    let payload = octets[size_of::<KnockRecord>() + 8..][..captured].to_vec();
    let is_cut = u64::from(bytes) > captured as u64;
    Some(Visit {
        at,
        session: SessionId(SESSION_FIRST | index),
        trap: TRAP.into(),
        service: SERVICE.into(),
        source: SocketAddr::new(addr(octets, 8, family)?, port(40)?),
        local: SocketAddr::new(addr(octets, 24, family)?, port(42)?),
        transport: Transport::Tcp,
        payload,
        bytes: bytes.into(),
        signs: if is_cut { Signs::DARK | Signs::TRUNCATED } else { Signs::DARK },
        fields: BTreeMap::new(),
        marks: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    /// A record as the kernel writes it.
    fn octets(bytes: u32, captured: u32) -> Vec<u8> {
        let mut octets = vec![0; size_of::<VisitRecord>()];
        let mut put = |at: usize, what: &[u8]| octets[at..at + what.len()].copy_from_slice(what);
        put(offset_of!(KnockRecord, source), &"2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets());
        put(offset_of!(KnockRecord, dest), &"2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        put(offset_of!(KnockRecord, source_port), &40_000_u16.to_ne_bytes());
        put(offset_of!(KnockRecord, port), &6_379_u16.to_ne_bytes());
        put(offset_of!(KnockRecord, family), &[6, KIND_VISIT]);
        put(offset_of!(VisitRecord, bytes), &bytes.to_ne_bytes());
        put(offset_of!(VisitRecord, captured), &captured.to_ne_bytes());
        put(offset_of!(VisitRecord, payload), b"PING\r\n");
        octets
    }

    #[test]
    fn a_visit_is_read_whole() {
        let visit = parse(&octets(6, 6), 3, Now::default()).unwrap();
        assert_eq!(
            (visit.source.to_string().as_str(), visit.local.to_string().as_str()),
            ("[2001:db8::7]:40000", "[2001:db8::1]:6379")
        );
        assert_eq!((visit.trap.as_str(), visit.service.as_str(), visit.transport), ("dark", "cookie", Transport::Tcp));
        assert_eq!((visit.payload.as_slice(), visit.bytes, visit.signs), (&b"PING\r\n"[..], 6, Signs::DARK));
        assert_eq!(visit.session, SessionId(1 << 63 | 3));
    }

    #[test]
    fn what_was_cut_short_says_so_and_no_length_is_believed() {
        let visit = parse(&octets(1_400, 128), 0, Now::default()).unwrap();
        assert_eq!((visit.payload.len(), visit.bytes, visit.signs), (128, 1_400, Signs::DARK | Signs::TRUNCATED));
        let silent = parse(&octets(0, u32::MAX), 0, Now::default()).unwrap();
        assert_eq!((silent.payload.len(), silent.bytes), (0, 0));
        assert_eq!(parse(&octets(u32::MAX, u32::MAX), 0, Now::default()).unwrap().payload.len(), 128);
    }

    #[test]
    fn what_is_no_record_is_none() {
        let mut whole = octets(6, 6);
        for len in 0..whole.len() {
            assert_eq!(parse(&whole[..len], 0, Now::default()), None, "{len} octets");
        }
        whole[45] = 0;
        assert_eq!(parse(&whole, 0, Now::default()), None);
    }
}

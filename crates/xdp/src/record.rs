//! A record of the ring buffer, read octet by octet.

use honeymesh_types::{Fate, Knock, KnockKind, Now, Transport};
use honeymesh_xdp_abi::{
    FAMILY_V4, FATE_ANSWERED, FATE_SILENT, FATE_SPENT, KIND_PROBE, KIND_SCAN, KIND_SUSPECT, KnockRecord, PORTS_MAX, ScanRecord,
    Slot, TRANSPORT_TCP, TRANSPORT_UDP, age, ticks,
};
use std::net::{IpAddr, Ipv6Addr};

/// The knock in a record; `None` if it is none of this version's.
pub(crate) fn parse(octets: &[u8], at: Now) -> Option<Knock> {
    if octets.len() != size_of::<KnockRecord>() && octets.len() != size_of::<ScanRecord>() {
        return None;
    }
    let family = octet(octets, 44)?;
    let is_scan = octets.len() == size_of::<ScanRecord>();
    let kind = match (octet(octets, 45)?, is_scan) {
        (KIND_SCAN, true) => KnockKind::Scan { ports: ports(octets)?, silenced: octet(octets, 46)? == 1 },
        (KIND_PROBE, false) => KnockKind::Probe,
        (KIND_SUSPECT, false) => KnockKind::Suspect { fate: fate(octet(octets, 46)?)? },
        _ => return None,
    };
    Some(Knock {
        at,
        source: addr(octets, 8, family)?,
        source_port: number(octets, 40)?,
        dest: addr(octets, 24, family)?,
        port: number(octets, 42)?,
        transport: transport(octet(octets, 47)?)?,
        kind,
    })
}

const fn fate(code: u8) -> Option<Fate> {
    match code {
        FATE_SILENT => Some(Fate::Silent),
        FATE_ANSWERED => Some(Fate::Answered),
        FATE_SPENT => Some(Fate::Spent),
        _ => None,
    }
}

const fn transport(code: u8) -> Option<Transport> {
    match code {
        TRANSPORT_TCP => Some(Transport::Tcp),
        TRANSPORT_UDP => Some(Transport::Udp),
        _ => None,
    }
}

/// The ports within the window of a [`ScanRecord`], the one probed longest ago first.
fn ports(octets: &[u8]) -> Option<Vec<u16>> {
    let now = ticks(u64::from_ne_bytes(*octets.first_chunk()?));
    let (words, _) = octets.get(size_of::<KnockRecord>()..)?.as_chunks::<8>();
    let mut slots: Vec<Slot> = words.iter().take(PORTS_MAX).map(|word| Slot(u64::from_ne_bytes(*word))).collect();
    slots.retain(|slot| *slot != Slot::EMPTY);
    slots.sort_by_key(|slot| std::cmp::Reverse(age(now, slot.tick())));
    Some(slots.into_iter().map(Slot::port).collect())
}

pub(crate) fn octet(octets: &[u8], at: usize) -> Option<u8> {
    octets.get(at).copied()
}

pub(crate) fn number(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|pair| u16::from_ne_bytes(*pair))
}

pub(crate) fn quad(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

pub(crate) fn addr(octets: &[u8], at: usize, family: u8) -> Option<IpAddr> {
    let addr = Ipv6Addr::from(*octets.get(at..)?.first_chunk::<16>()?);
    if family == FAMILY_V4 { addr.to_ipv4_mapped().map(IpAddr::V4) } else { Some(IpAddr::V6(addr)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_xdp_abi::TICK_BITS;
    use std::mem::offset_of;

    /// A record as the kernel writes it.
    fn octets(family: u8, kind: u8, slots: Option<&[u64]>) -> Vec<u8> {
        let mut octets = vec![0; size_of::<KnockRecord>()];
        octets[..8].copy_from_slice(&(40_u64 << TICK_BITS).to_ne_bytes());
        let mapped = |last| [&[0; 10][..], &[0xff, 0xff, 203, 0, 113, last]].concat();
        octets[offset_of!(KnockRecord, source)..][..16].copy_from_slice(&mapped(7));
        octets[offset_of!(KnockRecord, dest)..][..16].copy_from_slice(&mapped(1));
        octets[offset_of!(KnockRecord, source_port)..][..2].copy_from_slice(&40_000_u16.to_ne_bytes());
        octets[offset_of!(KnockRecord, port)..][..2].copy_from_slice(&22_u16.to_ne_bytes());
        octets[offset_of!(KnockRecord, family)] = family;
        octets[offset_of!(KnockRecord, kind)] = kind;
        octets[offset_of!(KnockRecord, fate)] = 1;
        octets[offset_of!(KnockRecord, transport)] = TRANSPORT_TCP;
        if let Some(slots) = slots {
            let mut all = [0; PORTS_MAX];
            all[..slots.len()].copy_from_slice(slots);
            octets.extend(all.iter().flat_map(|slot| slot.to_ne_bytes()));
        }
        octets
    }

    #[test]
    fn a_probe_is_read_whole() {
        let knock = parse(&octets(4, 0, None), Now::default()).unwrap();
        assert_eq!((knock.source.to_string().as_str(), knock.source_port), ("203.0.113.7", 40_000));
        assert_eq!((knock.dest.to_string().as_str(), knock.port), ("203.0.113.1", 22));
        assert_eq!(knock.kind, KnockKind::Probe);
        let v6 = parse(&octets(6, 0, None), Now::default()).unwrap();
        assert_eq!(v6.source.to_string(), "::ffff:203.0.113.7", "what came as IPv6 stays IPv6");
    }

    #[test]
    fn a_scan_tells_its_ports_in_the_order_they_were_probed() {
        let slots = [Slot::new(80, 1, 30).0, 0, Slot::new(22, 1, 10).0, Slot::new(443, 1, 20).0];
        let knock = parse(&octets(4, 1, Some(&slots)), Now::default()).unwrap();
        assert_eq!(knock.kind, KnockKind::Scan { ports: vec![22, 443, 80], silenced: true });
    }

    #[test]
    fn a_suspects_probe_tells_its_fate_and_a_datagram_its_transport() {
        let suspect = parse(&octets(4, KIND_SUSPECT, None), Now::default()).unwrap();
        assert_eq!((suspect.kind, suspect.transport), (KnockKind::Suspect { fate: Fate::Answered }, Transport::Tcp));
        let mut datagram = octets(4, KIND_PROBE, None);
        datagram[offset_of!(KnockRecord, transport)] = TRANSPORT_UDP;
        assert_eq!(parse(&datagram, Now::default()).unwrap().transport, Transport::Udp);
        datagram[offset_of!(KnockRecord, transport)] = 1;
        assert_eq!(parse(&datagram, Now::default()), None);
    }

    #[test]
    fn what_is_no_record_is_none() {
        let whole = octets(4, 1, Some(&[]));
        for len in 0..whole.len() {
            assert_eq!(parse(&whole[..len], Now::default()), None, "{len} octets");
        }
        assert_eq!(parse(&octets(4, 0, Some(&[])), Now::default()), None, "a probe with ports");
        let mut unmapped = octets(4, 0, None);
        unmapped[8] = 1;
        assert_eq!(parse(&unmapped, Now::default()), None, "IPv4 that is no mapped address");
    }
}

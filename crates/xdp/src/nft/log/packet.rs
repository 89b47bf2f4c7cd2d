//! The begin of a stranger's packet: two addresses and two ports, read octet by octet.

use honeymesh_types::Transport;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Extension headers that are followed: no more fit into what the kernel sends along.
const EXTENSIONS_MAX: usize = 16;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// Who sent it, and where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) source: IpAddr,
    pub(super) dest: IpAddr,
    pub(super) source_port: u16,
    pub(super) port: u16,
    pub(super) transport: Transport,
}

/// Reads a packet from its network header on. `None`: it is cut short, or nothing that the rules tell of.
pub(super) fn read(octets: &[u8]) -> Option<Seen> {
    match octets.first()? >> 4 {
        4 => read4(octets),
        6 => read6(octets),
        _ => None,
    }
}

fn read4(octets: &[u8]) -> Option<Seen> {
    let header_len = usize::from(octets.first()? & 0x0f) * 4;
    let source = Ipv4Addr::from(*octets.get(12..)?.first_chunk::<4>()?);
    let dest = Ipv4Addr::from(*octets.get(16..)?.first_chunk::<4>()?);
    let protocol = *octets.get(9)?;
    seen(source.into(), dest.into(), protocol, octets.get(header_len.max(20)..)?)
}

fn read6(octets: &[u8]) -> Option<Seen> {
    let source = Ipv6Addr::from(*octets.get(8..)?.first_chunk::<16>()?);
    let dest = Ipv6Addr::from(*octets.get(24..)?.first_chunk::<16>()?);
    let (mut next, mut rest) = (*octets.get(6)?, octets.get(40..)?);
    for _ in 0..EXTENSIONS_MAX {
        let len = match next {
            HOP_BY_HOP | ROUTING | DESTINATION => usize::from(*rest.get(1)?) * 8 + 8,
            FRAGMENT => 8,
            AUTHENTICATION => usize::from(*rest.get(1)?) * 4 + 8,
            _ => break,
        };
        next = *rest.first()?;
        rest = rest.get(len..)?;
    }
    seen(source.into(), dest.into(), next, rest)
}

fn seen(source: IpAddr, dest: IpAddr, protocol: u8, segment: &[u8]) -> Option<Seen> {
    let transport = match protocol {
        TCP => Transport::Tcp,
        UDP => Transport::Udp,
        _ => return None,
    };
    let [a, b, c, d] = *segment.first_chunk()?;
    let (source_port, port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Some(Seen { source, dest, source_port, port, transport })
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_xdp_program::testing::{Packet, SYN};

    const ETHERNET_LEN: usize = 14;

    fn of(packet: &Packet) -> Option<Seen> {
        read(&packet.build()[ETHERNET_LEN..])
    }

    #[test]
    fn both_families_and_transports_are_read_behind_options_and_extension_headers() {
        let far = |packet: Packet| packet.extension(0).extension(43).extension(60).extension_of(44, &[0, 0, 1, 0, 0, 0, 7]);
        for (packet, transport) in [
            (Packet::tcp("203.0.113.7", "192.0.2.1", 22, SYN), Transport::Tcp),
            (Packet::datagram("203.0.113.7", "192.0.2.1", 22).options(10), Transport::Udp),
            (Packet::tcp("2001:db8:1::7", "2001:db8::1", 22, SYN), Transport::Tcp),
            (far(Packet::datagram("2001:db8:1::7", "2001:db8::1", 22)), Transport::Udp),
            (
                Packet::tcp("2001:db8:1::7", "2001:db8::1", 22, SYN).extension_of(51, &[&[4][..], &[0; 22]].concat()),
                Transport::Tcp,
            ),
        ] {
            let wanted = Seen { source: packet.source, dest: packet.dest, source_port: 40_000, port: 22, transport };
            assert_eq!(of(&packet), Some(wanted));
        }
    }

    #[test]
    fn no_cut_and_no_wrong_octet_is_read_beyond() {
        let whole = Packet::tcp("2001:db8:1::7", "2001:db8::1", 22, SYN).extension(0).extension(60).build();
        let whole = &whole[ETHERNET_LEN..];
        for len in 0..40 + 16 + 4 {
            assert_eq!(read(&whole[..len]), None, "{len} octets");
        }
        for at in 0..whole.len() {
            for octet in [0, 44, 51, 60, 0xff] {
                let mut wrong = whole.to_vec();
                wrong[at] = octet;
                let _whatever = read(&wrong);
            }
        }
    }
}

//! The transport layer, and the IPv6 extension headers before it.

use crate::Frame;
use honeymesh_xdp_abi::{Counter, TRANSPORT_TCP, TRANSPORT_UDP, is_asked_from};

/// How many IPv6 extension headers are followed: each that RFC 8200 names as often as it allows. A packet with more passes
/// unread from there on, and is counted.
pub const EXTENSIONS_MAX: usize = 6;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const ICMP6: u8 = 58;
const DESTINATION: u8 = 60;

const TCP_LEN: usize = 20;
const TCP_FIN: u8 = 1;
const TCP_SYN: u8 = 1 << 1;
const TCP_RST: u8 = 1 << 2;
const TCP_ACK: u8 = 1 << 4;
const UDP_LEN: usize = 8;
const FRAGMENT_LEN: usize = 8;
/// From here on ports are no longer those of well-known services.
const SERVICES: u16 = 1_024;
/// Where the classic traceroute sends its datagrams to: one port after the other from its base on.
const TRACEROUTE: core::ops::RangeInclusive<u16> = 33_434..=33_689;
/// Router solicitation to redirect (RFC 4861).
const NEIGHBOUR_DISCOVERY: core::ops::RangeInclusive<u8> = 133..=137;

/// Where the transport header is.
#[derive(Clone, Copy)]
pub(crate) enum Payload {
    /// It begins at `offset`; the packet says that it ends at `end`.
    At { protocol: u8, offset: usize, end: usize },
    /// There is none to read: a later fragment, or something encrypted.
    Opaque,
    /// It cannot be found, for the reason the counter names.
    Lost(Counter),
}

/// What a packet asks of a port.
#[derive(Clone, Copy)]
pub(crate) struct Contact {
    pub(crate) source_port: u16,
    pub(crate) dest_port: u16,
    /// [`TRANSPORT_TCP`] or [`TRANSPORT_UDP`].
    pub(crate) transport: u8,
    flags: u8,
    has_options: bool,
}

impl Contact {
    /// The TCP or, if `udp` is looked at, UDP header of a payload: `Ok(None)` if it is none, the counter to raise if it is
    /// broken.
    #[inline(always)]
    pub(crate) fn read(frame: &impl Frame, payload: Payload, udp: bool) -> Result<Option<Self>, Counter> {
        match payload {
            Payload::At { protocol: TRANSPORT_TCP, offset, end } => Self::tcp(frame, offset, end).map(Some),
            Payload::At { protocol: TRANSPORT_UDP, offset, end } if udp => Self::udp(frame, offset, end).map(Some),
            Payload::Lost(counter) => Err(counter),
            _ => Ok(None),
        }
    }

    #[inline(always)]
    fn tcp(frame: &impl Frame, offset: usize, end: usize) -> Result<Self, Counter> {
        if offset + TCP_LEN > end {
            return Err(Counter::Malformed);
        }
        let header = frame.read::<TCP_LEN>(offset).ok_or(Counter::Malformed)?;
        let header_len = usize::from(header[12] >> 4) * 4;
        if header_len < TCP_LEN {
            return Err(Counter::Malformed);
        }
        let [a, b, c, d, ..] = header;
        Ok(Self { has_options: header_len > TCP_LEN, ..Self::new([a, b, c, d], TRANSPORT_TCP, header[13]) })
    }

    #[inline(always)]
    fn udp(frame: &impl Frame, offset: usize, end: usize) -> Result<Self, Counter> {
        if offset + UDP_LEN > end {
            return Err(Counter::Malformed);
        }
        let [a, b, c, d, ..] = frame.read::<UDP_LEN>(offset).ok_or(Counter::Malformed)?;
        Ok(Self::new([a, b, c, d], TRANSPORT_UDP, 0))
    }

    #[inline(always)]
    const fn new([a, b, c, d]: [u8; 4], transport: u8, flags: u8) -> Self {
        Self {
            source_port: u16::from_be_bytes([a, b]),
            dest_port: u16::from_be_bytes([c, d]),
            transport,
            flags,
            has_options: false,
        }
    }

    #[inline(always)]
    pub(crate) const fn is_udp(self) -> bool {
        self.transport == TRANSPORT_UDP
    }

    /// TCP: neither ACK nor RST, that is SYN, FIN, NULL, Xmas: only somebody sends those who has no connection here. An ACK
    /// scan's ACK and a Maimon scan's FIN with ACK are also what an innocent peer sends late, after a restart of this host;
    /// and this host's answer to them tells nothing of a port.
    ///
    /// UDP: not to where answers go that come late, because the innocent send them: a port that this host may have sent
    /// from (`ephemeral`, first and last), or from a well-known port, unless to a port that nobody asks from
    /// ([`is_asked_from`]); nor to where traceroutes go.
    #[inline(always)]
    pub(crate) fn is_probe(self, ephemeral: impl FnOnce() -> [u32; 2]) -> bool {
        if !self.is_udp() {
            return self.is_unconnected();
        }
        if TRACEROUTE.contains(&self.dest_port) {
            return false;
        }
        if self.source_port < SERVICES {
            return !is_asked_from(self.dest_port);
        }
        let ([first, last], port) = (ephemeral(), u32::from(self.dest_port));
        port < first || port > last
    }

    /// Neither ACK nor RST: of TCP, what no connection that stands ever sends.
    #[inline(always)]
    pub(crate) const fn is_unconnected(self) -> bool {
        self.flags & (TCP_ACK | TCP_RST) == 0
    }

    /// TCP's request for a connection, and nothing else.
    #[inline(always)]
    pub(crate) const fn is_syn(self) -> bool {
        !self.is_udp() && self.flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK) == TCP_SYN
    }

    /// TCP: it ends a connection at once, and nobody answers it.
    #[inline(always)]
    pub(crate) const fn is_reset(self) -> bool {
        !self.is_udp() && self.flags & TCP_RST != 0
    }

    /// TCP: can it be a part of a connection whose SYN-ACK granted no options? Nobody then sends any (RFC 7323, 3.2; RFC
    /// 2018, 3), while most other connections have time stamps in each segment.
    #[inline(always)]
    pub(crate) const fn is_plain_ack(self) -> bool {
        self.flags & (TCP_SYN | TCP_RST | TCP_ACK) == TCP_ACK && !self.has_options
    }
}

/// Follows at most [`EXTENSIONS_MAX`] extension headers from `offset` on.
#[inline(always)]
pub(crate) fn behind_extensions(frame: &impl Frame, first: u8, start: usize, end: usize) -> Payload {
    let mut protocol = first;
    let mut offset = start;
    for _ in 0..EXTENSIONS_MAX {
        let len = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION | AUTHENTICATION | FRAGMENT => {
                let Some([next, units, high, low]) = frame.read::<4>(offset) else {
                    return Payload::Lost(Counter::Malformed);
                };
                let is_fragment = protocol == FRAGMENT;
                if is_fragment && u16::from_be_bytes([high, low]) & 0xfff8 != 0 {
                    return Payload::Opaque;
                }
                let is_authentication = protocol == AUTHENTICATION;
                protocol = next;
                match (is_fragment, is_authentication) {
                    (true, _) => FRAGMENT_LEN,
                    (_, true) => (usize::from(units) + 2) * 4,
                    _ => (usize::from(units) + 1) * 8,
                }
            }
            _ => return Payload::At { protocol, offset, end },
        };
        offset += len;
    }
    match protocol {
        HOP_BY_HOP | ROUTING | DESTINATION | AUTHENTICATION | FRAGMENT => Payload::Lost(Counter::Extensions),
        _ => Payload::At { protocol, offset, end },
    }
}

/// Is it the number of an extension header that is followed?
#[inline(always)]
pub(crate) const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | DESTINATION | AUTHENTICATION | FRAGMENT)
}

/// Is there an ICMPv6 message of neighbour discovery at `offset`?
#[inline(always)]
pub(crate) fn is_neighbour_discovery(frame: &impl Frame, protocol: u8, offset: usize) -> bool {
    // The whole fixed header, because the kernel's verifier takes no comparison of a single octet with the end.
    protocol == ICMP6 && frame.read::<4>(offset).is_some_and(|[kind, ..]| NEIGHBOUR_DISCOVERY.contains(&kind))
}

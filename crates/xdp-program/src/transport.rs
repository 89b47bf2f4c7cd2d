//! The transport layer, and the IPv6 extension headers before it.

use crate::Frame;
use honeymesh_xdp_abi::Counter;

/// How many IPv6 extension headers are followed: each that RFC 8200 names as often as it allows. A packet with more passes
/// unread from there on, and is counted.
pub const EXTENSIONS_MAX: usize = 6;

const HOP_BY_HOP: u8 = 0;
const TCP: u8 = 6;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const ICMP6: u8 = 58;
const DESTINATION: u8 = 60;

const TCP_LEN: usize = 20;
const UDP: u8 = 17;
const UDP_LEN: usize = 8;
const TCP_FIN: u8 = 1;
const TCP_SYN: u8 = 1 << 1;
const TCP_RST: u8 = 1 << 2;
const TCP_ACK: u8 = 1 << 4;
const FRAGMENT_LEN: usize = 8;
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

/// What is needed of a TCP header.
#[derive(Clone, Copy)]
pub(crate) struct Tcp {
    pub(crate) source_port: u16,
    pub(crate) dest_port: u16,
    flags: u8,
}

impl Tcp {
    /// The TCP header of a payload: `Ok(None)` if it is none, the counter to raise if it is broken.
    #[inline(always)]
    pub(crate) fn read(frame: &impl Frame, payload: Payload) -> Result<Option<Self>, Counter> {
        let (offset, end) = match payload {
            Payload::At { protocol: TCP, offset, end } => (offset, end),
            Payload::Lost(counter) => return Err(counter),
            _ => return Ok(None),
        };
        if offset + TCP_LEN > end {
            return Err(Counter::Malformed);
        }
        let header = frame.read::<TCP_LEN>(offset).ok_or(Counter::Malformed)?;
        if usize::from(header[12] >> 4) * 4 < TCP_LEN {
            return Err(Counter::Malformed);
        }
        let source_port = u16::from_be_bytes([header[0], header[1]]);
        let dest_port = u16::from_be_bytes([header[2], header[3]]);
        Ok(Some(Self { source_port, dest_port, flags: header[13] }))
    }

    /// Neither ACK nor RST: SYN, FIN, NULL and Xmas, which only somebody sends who has no connection here.
    #[inline(always)]
    pub(crate) const fn is_probe(self) -> bool {
        self.flags & (TCP_ACK | TCP_RST) == 0
    }

    /// A SYN, as a connection begins with.
    #[inline(always)]
    pub(crate) const fn is_opening(self) -> bool {
        self.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN) == TCP_SYN
    }

    /// It ends a connection at once, and nobody answers it.
    #[inline(always)]
    pub(crate) const fn is_reset(self) -> bool {
        self.flags & TCP_RST != 0
    }
}

/// What is needed of a UDP header.
#[derive(Clone, Copy)]
pub(crate) struct Udp {
    pub(crate) source_port: u16,
    pub(crate) dest_port: u16,
}

impl Udp {
    /// The UDP header of a payload, if it is one and is whole.
    #[inline(always)]
    pub(crate) fn read(frame: &impl Frame, payload: Payload) -> Option<Self> {
        let Payload::At { protocol: UDP, offset, end } = payload else { return None };
        if offset + UDP_LEN > end {
            return None;
        }
        let [a, b, c, d, ..] = frame.read::<UDP_LEN>(offset)?;
        Some(Self { source_port: u16::from_be_bytes([a, b]), dest_port: u16::from_be_bytes([c, d]) })
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

/// Is there an ICMPv6 message of neighbour discovery at `offset`?
#[inline(always)]
pub(crate) fn is_neighbour_discovery(frame: &impl Frame, protocol: u8, offset: usize) -> bool {
    // The whole fixed header, because the kernel's verifier takes no comparison of a single octet with the end.
    protocol == ICMP6 && frame.read::<4>(offset).is_some_and(|[kind, ..]| NEIGHBOUR_DISCOVERY.contains(&kind))
}

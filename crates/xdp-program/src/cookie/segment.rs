//! A TCP segment in the one shape that the handshake takes: nothing optional before the TCP header.

use crate::{
    Frame, Kernel, Tuple4, Tuple6,
    frame::{self, Network},
    ip,
};
use honeymesh_xdp_abi::{AddressKey, FAMILY_V4, FAMILY_V6, KIND_VISIT, KnockRecord, TRANSPORT_TCP};

pub(super) const V4_LEN: usize = 20;
pub(super) const V6_LEN: usize = 40;
pub(super) const TCP_LEN: usize = 20;
const TCP_HEADER_LEN: u16 = 20;
const V4_AND_TCP_LEN: u16 = 40;
pub(super) const TCP: u8 = 6;

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 1 << 1;
pub(super) const RST: u8 = 1 << 2;
const PSH: u8 = 1 << 3;
pub(super) const ACK: u8 = 1 << 4;
const URG: u8 = 1 << 5;

/// A whole segment behind a plain network header.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) is_v4: bool,
    flags: u8,
    /// Where the network header is.
    pub(super) network: usize,
    /// Words as they stand in memory; IPv4 as the last of `::ffff:a.b.c.d`.
    pub(super) source: [u32; 4],
    pub(super) dest: [u32; 4],
    /// Both ports, as they stand in memory.
    pub(super) ports: u32,
    pub(super) seq: u32,
    pub(super) ack: u32,
    /// Where its options begin and how many octets they are.
    pub(super) options_len: usize,
    /// Where the payload is and how many octets it has.
    pub(super) payload: usize,
    pub(super) payload_len: u16,
}

impl Segment {
    /// `None` if it is cut short, contradicts itself or has anything optional before the TCP header.
    #[inline(always)]
    pub(super) fn read(frame: &impl Frame) -> Option<Self> {
        match frame::network(frame) {
            Network::V4(at) => {
                let header = frame.read::<V4_LEN>(at)?;
                let total_len = u16::from_be_bytes([header[2], header[3]]);
                let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
                if header[0] != 0x45 || is_fragment || header[9] != TCP || total_len < V4_AND_TCP_LEN {
                    return None;
                }
                let (AddressKey(source), AddressKey(dest)) =
                    (AddressKey::v4(u32::from_be(ip::word(&header, 12))), AddressKey::v4(u32::from_be(ip::word(&header, 16))));
                Self::tcp(frame, at, at + V4_LEN, total_len - V4_AND_TCP_LEN, (source, dest))
            }
            Network::V6(at) => {
                let header = frame.read::<V6_LEN>(at)?;
                let tcp_len = u16::from_be_bytes([header[4], header[5]]);
                if header[0] >> 4 != 6 || header[6] != TCP || tcp_len < TCP_HEADER_LEN {
                    return None;
                }
                Self::tcp(frame, at, at + V6_LEN, tcp_len - TCP_HEADER_LEN, (ip::words(&header, 8), ip::words(&header, 24)))
            }
            _ => None,
        }
    }

    /// The TCP header at `at`, and the `rest` octets behind its first 20.
    #[inline(always)]
    fn tcp(frame: &impl Frame, network: usize, at: usize, rest: u16, (source, dest): ([u32; 4], [u32; 4])) -> Option<Self> {
        let header = frame.read::<TCP_LEN>(at)?;
        let header_len = u16::from(header[12] >> 4) * 4;
        if header_len < TCP_HEADER_LEN || header_len - TCP_HEADER_LEN > rest {
            return None;
        }
        let options_len = header_len - TCP_HEADER_LEN;
        Some(Self {
            is_v4: at - network == V4_LEN,
            flags: header[13],
            network,
            source,
            dest,
            ports: ip::word(&header, 0),
            seq: u32::from_be(ip::word(&header, 4)),
            ack: u32::from_be(ip::word(&header, 8)),
            options_len: usize::from(options_len),
            payload: at + usize::from(header_len),
            payload_len: rest - options_len,
        })
    }

    /// A SYN and nothing else (the two flags of ECN aside), without data, from an address and to a port that can be
    /// answered?
    #[inline(always)]
    pub(super) fn is_plain_syn(&self) -> bool {
        let is_syn = self.flags & (FIN | SYN | RST | PSH | ACK | URG) == SYN && self.payload_len == 0;
        is_syn && self.source != self.dest && self.has_ports() && self.is_answerable()
    }

    #[inline(always)]
    const fn has_ports(&self) -> bool {
        let [a, b, c, d] = self.ports.to_ne_bytes();
        a | b != 0 && c | d != 0
    }

    /// Is the source neither a group nor nobody nor this very machine? (In IPv6 the latter two begin with 64 zeros.)
    #[inline(always)]
    const fn is_answerable(&self) -> bool {
        let [a, b, _, d] = self.source;
        if self.is_v4 { matches!(d.to_ne_bytes()[0], 1..=126 | 128..=223) } else { a.to_ne_bytes()[0] != 0xff && a | b != 0 }
    }

    /// An ACK, with or without PSH or FIN, and nothing else: no options either, since the SYN-ACK granted none?
    #[inline(always)]
    pub(super) const fn is_plain_ack(&self) -> bool {
        self.flags & (SYN | RST | ACK | URG) == ACK && self.options_len == 0
    }

    #[inline(always)]
    pub(super) const fn is_fin(&self) -> bool {
        self.flags & FIN != 0
    }

    /// Is it sent to this host, where no socket takes it?
    #[inline(always)]
    pub(super) fn is_dark<K: Kernel>(&self, kernel: &K) -> bool {
        if !kernel.is_local(&AddressKey(self.dest)) {
            return false;
        }
        let [a, b, c, d] = self.ports.to_ne_bytes();
        let (source_port, dest_port) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
        let is_served = if self.is_v4 {
            kernel.is_served4(&Tuple4 { source: self.source[3], dest: self.dest[3], source_port, dest_port })
        } else {
            kernel.is_served6(&Tuple6 { source: self.source, dest: self.dest, source_port, dest_port })
        };
        !is_served
    }

    /// What user space is told of it.
    #[inline(always)]
    pub(super) const fn knock(&self, at_ns: u64) -> KnockRecord {
        let [a, b, c, d] = self.ports.to_ne_bytes();
        KnockRecord {
            at_ns,
            source: self.source,
            dest: self.dest,
            source_port: u16::from_be_bytes([a, b]),
            port: u16::from_be_bytes([c, d]),
            family: if self.is_v4 { FAMILY_V4 } else { FAMILY_V6 },
            kind: KIND_VISIT,
            fate: 0,
            transport: TRANSPORT_TCP,
        }
    }
}

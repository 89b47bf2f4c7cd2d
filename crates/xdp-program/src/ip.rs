//! The network layer: IPv4 and IPv6 behind one trait, so that every rule is written once.

mod locked;

use crate::{
    Frame, Kernel, Tuple4, Tuple6,
    bucket::{self, Bans, Found, Glance, Hits, Line},
    transport::{self, Contact, Payload},
};
use honeymesh_xdp_abi::{AddressKey, Counter, FAMILY_V4, FAMILY_V6, Gates, NetKey4, NetKey6, SourceKey, Touch};

const V4_LEN: usize = 20;
/// The first octet of an IPv4 header without options.
const PLAIN: u8 = 0x45;
const V6_LEN: usize = 40;
const HOP_LIMIT_MAX: u8 = 255;

/// A packet's network header.
pub(crate) trait Ip: Copy {
    /// The family, as records tell it.
    const FAMILY: u8;
    /// The length of an address.
    const BITS: u32;
    /// How many of them an exact ban covers.
    const EXACT_BITS: u32;
    /// The gate of exact bans.
    const BANS: Gates;
    /// The gate of prefix bans.
    const NETS: Gates;
    /// The verdict counter of exact bans.
    const DROPPED: Counter;
    /// Where the drops of an exact ban are counted.
    type Hits<K: Kernel>: Hits;

    /// Where the transport header is.
    fn payload(&self, frame: &impl Frame) -> Payload;
    /// Whom it is counted for.
    fn source_key(&self) -> SourceKey;
    /// Source and destination, as records tell them.
    fn addresses(&self) -> (AddressKey, AddressKey);
    /// The source's live exact ban.
    fn ban<K: Kernel>(&self, kernel: &K) -> Option<Found<Self::Hits<K>>>;
    /// What the lines of the exact bans tell of the source.
    fn glance<K: Kernel>(&self, kernel: &K) -> Glance<Self::Hits<K>>;
    /// May some banned prefix contain the source? Bits in front of the trie, which is far slower, say mostly not.
    fn is_touched(&self, kernel: &impl Kernel, gates: Gates) -> bool;
    /// The longest banned prefix of the source, of at most `bits` bits.
    fn net<K: Kernel>(&self, kernel: &K, bits: u32) -> Option<K::Ban>;
    /// Is the source on the allowlist?
    fn is_allowed(&self, kernel: &impl Kernel) -> bool;
    /// Does a socket of this host answer it?
    fn is_served(&self, kernel: &impl Kernel, contact: &Contact) -> bool;
    /// Is it neighbour discovery, which no router ever forwards? Only without extension headers, as everybody sends it.
    fn is_neighbour_discovery(&self, frame: &impl Frame) -> bool;
}

/// An IPv4 header; addresses in network order.
#[derive(Clone, Copy)]
pub(crate) struct V4 {
    source: u32,
    dest: u32,
    payload: Payload,
}

impl V4 {
    /// Reads the header at `offset`. `None` if it is cut short or contradicts itself.
    #[inline(always)]
    pub(crate) fn read(frame: &impl Frame, offset: usize) -> Option<Self> {
        let header = frame.read::<V4_LEN>(offset)?;
        let header_len = usize::from(header[0] & 0xf) * 4;
        let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || header_len < V4_LEN || total_len < header_len {
            return None;
        }
        let is_later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
        let payload = if is_later_fragment {
            Payload::Opaque
        } else {
            Payload::At { protocol: header[9], offset: offset + header_len, end: offset + total_len }
        };
        Some(Self { source: word(&header, 12), dest: word(&header, 16), payload })
    }

    /// The header in these words, which are at `offset`, and the transport header right behind it. `None` if it has options, is
    /// one of a fragment, or is broken.
    #[inline(always)]
    pub(crate) const fn plain([first, second, third, source, dest]: [u32; V4_LEN / 4], offset: usize) -> Option<(Self, Payload)> {
        let ([version, _, high, low], [_, protocol, ..]) = (first.to_ne_bytes(), third.to_ne_bytes());
        let total_len = u16::from_be_bytes([high, low]) as usize;
        if version != PLAIN || total_len < V4_LEN || second & 0x3fff_u32.to_be() != 0 {
            return None;
        }
        let payload = Payload::At { protocol, offset: offset + V4_LEN, end: offset + total_len };
        Some((Self { source, dest, payload }, payload))
    }
}

impl Ip for V4 {
    const FAMILY: u8 = FAMILY_V4;
    const BITS: u32 = 32;
    const EXACT_BITS: u32 = 32;
    const BANS: Gates = Gates::BANS4;
    const NETS: Gates = Gates::NETS4;
    const DROPPED: Counter = Counter::DroppedV4;
    type Hits<K: Kernel> = <<K::Bans4 as Bans>::Line as Line>::Hits;

    #[inline(always)]
    fn payload(&self, _: &impl Frame) -> Payload {
        self.payload
    }

    #[inline(always)]
    fn source_key(&self) -> SourceKey {
        SourceKey::v4(u32::from_be(self.source))
    }

    #[inline(always)]
    fn addresses(&self) -> (AddressKey, AddressKey) {
        (AddressKey::v4(u32::from_be(self.source)), AddressKey::v4(u32::from_be(self.dest)))
    }

    /// 0.0.0.0 marks a free way; if it is banned, then as a prefix.
    #[inline(always)]
    fn ban<K: Kernel>(&self, kernel: &K) -> Option<Found<Self::Hits<K>>> {
        if self.source == 0 {
            return None;
        }
        bucket::find(kernel.bans4(), self.source.into())
    }

    /// 0.0.0.0 is not for a glance.
    #[inline(always)]
    fn glance<K: Kernel>(&self, kernel: &K) -> Glance<Self::Hits<K>> {
        if self.source == 0 { Glance::Unsure } else { bucket::glance(kernel.bans4(), self.source.into()) }
    }

    #[inline(always)]
    fn is_touched(&self, kernel: &impl Kernel, _: Gates) -> bool {
        let touch = Touch::v4(u32::from_be(self.source));
        touch.is_in(kernel.touch4(touch.word))
    }

    #[inline(always)]
    fn net<K: Kernel>(&self, kernel: &K, bits: u32) -> Option<K::Ban> {
        kernel.net4(&NetKey4 { bits, addr: self.source })
    }

    #[inline(always)]
    fn is_allowed(&self, kernel: &impl Kernel) -> bool {
        kernel.is_allowed4(self.source)
    }

    #[inline(always)]
    fn is_served(&self, kernel: &impl Kernel, contact: &Contact) -> bool {
        let (source_port, dest_port) = (contact.source_port.to_be(), contact.dest_port.to_be());
        let tuple = Tuple4 { source: self.source, dest: self.dest, source_port, dest_port };
        if contact.is_udp() { kernel.is_bound4(&tuple) } else { kernel.is_served4(&tuple) }
    }

    #[inline(always)]
    fn is_neighbour_discovery(&self, _: &impl Frame) -> bool {
        false
    }
}

/// An IPv6 header; addresses in network order.
#[derive(Clone, Copy)]
pub(crate) struct V6 {
    source: [u32; 4],
    dest: [u32; 4],
    next: u8,
    hop_limit: u8,
    offset: usize,
    end: usize,
}

impl V6 {
    /// Reads the header at `offset`. `None` if it is cut short or contradicts itself.
    #[inline(always)]
    pub(crate) fn read(frame: &impl Frame, offset: usize) -> Option<Self> {
        let header = frame.read::<V6_LEN>(offset)?;
        if header[0] >> 4 != 6 {
            return None;
        }
        let offset = offset + V6_LEN;
        // A length of zero stands for a jumbogram, whose real length is an option: then only the frame ends it.
        let end = match u16::from_be_bytes([header[4], header[5]]) {
            0 => usize::MAX,
            len => offset + usize::from(len),
        };
        Some(Self { source: words(&header, 8), dest: words(&header, 24), next: header[6], hop_limit: header[7], offset, end })
    }

    /// The header at `offset`, and the transport header right behind it. `None` if there are others in between, or it is broken.
    #[inline(always)]
    pub(crate) fn plain(frame: &impl Frame, offset: usize) -> Option<(Self, Payload)> {
        let ip = Self::read(frame, offset)?;
        let payload = Payload::At { protocol: ip.next, offset: ip.offset, end: ip.end };
        (!transport::is_extension(ip.next)).then_some((ip, payload))
    }

    /// The source's /64, as exact bans have it.
    #[inline(always)]
    fn key(&self) -> u64 {
        u64::from(self.source[1]) << 32 | u64::from(self.source[0])
    }
}

impl Ip for V6 {
    const FAMILY: u8 = FAMILY_V6;
    const BITS: u32 = 128;
    const EXACT_BITS: u32 = 64;
    const BANS: Gates = Gates::BANS6;
    const NETS: Gates = Gates::NETS6;
    const DROPPED: Counter = Counter::DroppedV6;
    type Hits<K: Kernel> = <<K::Bans6 as Bans>::Line as Line>::Hits;

    #[inline(always)]
    fn payload(&self, frame: &impl Frame) -> Payload {
        transport::behind_extensions(frame, self.next, self.offset, self.end)
    }

    #[inline(always)]
    fn source_key(&self) -> SourceKey {
        SourceKey::v6_words(self.source)
    }

    #[inline(always)]
    fn addresses(&self) -> (AddressKey, AddressKey) {
        (AddressKey(self.source), AddressKey(self.dest))
    }

    /// `::/64` marks a free way; if it is banned, then as a prefix.
    #[inline(always)]
    fn ban<K: Kernel>(&self, kernel: &K) -> Option<Found<Self::Hits<K>>> {
        let key = self.key();
        if key == 0 {
            return None;
        }
        bucket::find(kernel.bans6(), key)
    }

    /// `::/64` is not for a glance.
    #[inline(always)]
    fn glance<K: Kernel>(&self, kernel: &K) -> Glance<Self::Hits<K>> {
        let key = self.key();
        if key == 0 { Glance::Unsure } else { bucket::glance(kernel.bans6(), key) }
    }

    #[inline(always)]
    fn is_touched(&self, kernel: &impl Kernel, gates: Gates) -> bool {
        if gates.has(Gates::NETS6_WIDE) {
            return true;
        }
        let Some(header) = kernel.bans6().header() else { return true };
        let touch = Touch::v6(header.hash(self.source[0].into()));
        touch.is_in(kernel.touch6(touch.word))
    }

    #[inline(always)]
    fn net<K: Kernel>(&self, kernel: &K, bits: u32) -> Option<K::Ban> {
        kernel.net6(&NetKey6 { bits, addr: self.source })
    }

    #[inline(always)]
    fn is_allowed(&self, kernel: &impl Kernel) -> bool {
        kernel.is_allowed6(self.source)
    }

    #[inline(always)]
    fn is_served(&self, kernel: &impl Kernel, contact: &Contact) -> bool {
        let (source_port, dest_port) = (contact.source_port.to_be(), contact.dest_port.to_be());
        let tuple = Tuple6 { source: self.source, dest: self.dest, source_port, dest_port };
        if contact.is_udp() { kernel.is_bound6(&tuple) } else { kernel.is_served6(&tuple) }
    }

    #[inline(always)]
    fn is_neighbour_discovery(&self, frame: &impl Frame) -> bool {
        self.hop_limit == HOP_LIMIT_MAX && transport::is_neighbour_discovery(frame, self.next, self.offset)
    }
}

/// Four octets of a header as a word in the packet's own order.
#[inline(always)]
pub(crate) fn word<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

#[inline(always)]
pub(crate) fn words<const N: usize>(header: &[u8; N], at: usize) -> [u32; 4] {
    [word(header, at), word(header, at + 4), word(header, at + 8), word(header, at + 12)]
}

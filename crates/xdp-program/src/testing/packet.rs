//! Frames built octet by octet, so that a test says exactly what is on the wire.

use alloc::{vec, vec::Vec};
use core::net::IpAddr;

/// TCP flag.
pub const FIN: u8 = 1;
/// TCP flag.
pub const SYN: u8 = 1 << 1;
/// TCP flag.
pub const RST: u8 = 1 << 2;
/// TCP flag.
pub const PSH: u8 = 1 << 3;
/// TCP flag.
pub const ACK: u8 = 1 << 4;
/// TCP flag.
pub const URG: u8 = 1 << 5;

/// What follows the network header.
#[derive(Clone, Debug)]
pub enum Layer4 {
    /// A TCP header without options.
    Tcp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        port: u16,
        /// Flags.
        flags: u8,
    },
    /// A UDP header.
    Udp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        port: u16,
    },
    /// An ICMPv6 header and 20 octets.
    Icmp6 {
        /// Its type.
        kind: u8,
    },
    /// Any octets under any protocol number.
    Raw(u8, Vec<u8>),
}

/// A place among fragments.
#[derive(Clone, Copy, Debug)]
pub struct Fragment {
    /// Offset in units of 8 octets.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
}

/// A frame in the making. Both addresses are of one family.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub dest: IpAddr,
    /// VLAN tags by their EtherType, outermost first.
    pub vlans: Vec<u16>,
    /// IPv4 options in units of 4 octets: 0 to 10.
    pub option_words: u8,
    /// IPv4: place among fragments. (IPv6: add header 44 to `extensions`.)
    pub fragment: Option<Fragment>,
    /// IPv6 extension headers: protocol number and octets from the second on; the first octet is filled in.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// TTL or hop limit.
    pub hops: u8,
    /// What follows.
    pub layer4: Layer4,
}

impl Packet {
    /// A TCP segment from port 40,000.
    #[must_use]
    pub fn tcp(source: &str, dest: &str, port: u16, flags: u8) -> Self {
        Self::new(source, dest, Layer4::Tcp { source_port: 40_000, port, flags })
    }

    /// A UDP datagram from port 53, as a resolver's answer: never a probe.
    #[must_use]
    pub fn udp(source: &str, dest: &str, port: u16) -> Self {
        Self::new(source, dest, Layer4::Udp { source_port: 53, port })
    }

    /// A UDP datagram from port 40,000.
    #[must_use]
    pub fn datagram(source: &str, dest: &str, port: u16) -> Self {
        Self::new(source, dest, Layer4::Udp { source_port: 40_000, port })
    }

    /// Any packet.
    ///
    /// # Panics
    /// If an address is none: tests only.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test with a bad address must fail where it stands")]
    pub fn new(source: &str, dest: &str, layer4: Layer4) -> Self {
        let address = |text: &str| text.parse().expect("an address");
        Self {
            source: address(source),
            dest: address(dest),
            vlans: Vec::new(),
            option_words: 0,
            fragment: None,
            extensions: Vec::new(),
            hops: 64,
            layer4,
        }
    }

    /// With these VLAN tags, outermost first.
    #[must_use]
    pub fn vlans(mut self, kinds: &[u16]) -> Self {
        self.vlans = kinds.to_vec();
        self
    }

    /// With this many words of IPv4 options.
    #[must_use]
    pub fn options(mut self, words: u8) -> Self {
        self.option_words = words;
        self
    }

    /// As this IPv4 fragment.
    #[must_use]
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some(Fragment { offset, more });
        self
    }

    /// With one more IPv6 extension header of 8 octets (hop-by-hop 0, routing 43, destination 60).
    #[must_use]
    pub fn extension(mut self, protocol: u8) -> Self {
        self.extensions.push((protocol, vec![0; 7]));
        self
    }

    /// With one more IPv6 extension header, given from its second octet on.
    #[must_use]
    pub fn extension_of(mut self, protocol: u8, octets: &[u8]) -> Self {
        self.extensions.push((protocol, octets.to_vec()));
        self
    }

    /// With this TTL or hop limit.
    #[must_use]
    pub fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// The frame.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for (index, kind) in self.vlans.iter().enumerate() {
            frame.extend(kind.to_be_bytes());
            frame.extend([0, u8::try_from(index).unwrap_or(0) + 5]);
        }
        let (kind, network): (u16, Vec<u8>) = match (self.source, self.dest) {
            (IpAddr::V4(source), IpAddr::V4(dest)) => (0x0800, self.network_v4(source.octets(), dest.octets())),
            (IpAddr::V6(source), IpAddr::V6(dest)) => (0x86dd, self.network_v6(source.octets(), dest.octets())),
            _ => (0xffff, Vec::new()),
        };
        frame.extend(kind.to_be_bytes());
        frame.extend(network);
        frame
    }

    fn network_v4(&self, source: [u8; 4], dest: [u8; 4]) -> Vec<u8> {
        let (protocol, payload) = self.layer4.build();
        let header_len = 20 + u16::from(self.option_words) * 4;
        let total_len = header_len + u16::try_from(payload.len()).unwrap_or(u16::MAX);
        let place = self.fragment.map_or(0x4000, |at| at.offset | u16::from(at.more) << 13);
        let mut header = vec![0x45 + self.option_words, 0];
        header.extend(total_len.to_be_bytes());
        header.extend([0x12, 0x34]);
        header.extend(place.to_be_bytes());
        header.extend([self.hops, protocol, 0, 0]);
        header.extend(source);
        header.extend(dest);
        header.extend(core::iter::repeat_n(1, usize::from(self.option_words) * 4));
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        header.extend(payload);
        header
    }

    fn network_v6(&self, source: [u8; 16], dest: [u8; 16]) -> Vec<u8> {
        let (protocol, payload) = self.layer4.build();
        let mut body = Vec::new();
        for (index, (_, octets)) in self.extensions.iter().enumerate() {
            body.push(self.extensions.get(index + 1).map_or(protocol, |(next, _)| *next));
            body.extend(octets);
        }
        body.extend(payload);
        let mut header = vec![0x60, 0, 0, 0];
        header.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
        header.extend([self.extensions.first().map_or(protocol, |(first, _)| *first), self.hops]);
        header.extend(source);
        header.extend(dest);
        header.extend(body);
        header
    }
}

impl Layer4 {
    fn build(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Tcp { source_port, port, flags } => {
                let mut header = ports(*source_port, *port);
                header.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, *flags, 4, 0, 0, 0, 0, 0]);
                (6, header)
            }
            Self::Udp { source_port, port } => {
                let mut header = ports(*source_port, *port);
                header.extend([0, 8, 0, 0]);
                (17, header)
            }
            Self::Icmp6 { kind } => {
                let mut header = vec![*kind, 0, 0, 0];
                header.extend([0; 20]);
                (58, header)
            }
            Self::Raw(protocol, octets) => (*protocol, octets.clone()),
        }
    }
}

fn ports(source: u16, dest: u16) -> Vec<u8> {
    let mut octets = source.to_be_bytes().to_vec();
    octets.extend(dest.to_be_bytes());
    octets
}

fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

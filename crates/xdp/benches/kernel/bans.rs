//! Who is banned, who is not, and the frames they send.

use crate::common::ban;
use honeymesh_types::{Enforcement, Scope};
use honeymesh_xdp_program::testing::{ACK, HERE4, HERE6, Packet, SYN};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Range,
};

/// Banned addresses are in 10.0.0.0/8, or in 2001:db8:a00::/40, ...
pub const BANNED: u32 = 0x0a00_0000;
/// ... those that nobody has banned in 100.0.0.0/8, or in 2001:db8:6400::/40, ...
pub const GOOD: u32 = 0x6400_0000;
/// ... this far apart, so that neighbours in number are none in the tables.
pub const STEP: u32 = 0x9e_3779;
/// Attackers of a hot table.
pub const HOT: u32 = 1_000;
/// Clients that nobody has banned.
pub const CLIENTS: u32 = 10_000;
/// The shortest frame of Ethernet, without its checksum.
const FRAME_LEN_MIN: usize = 60;
/// The port that nobody serves.
pub const DARK_PORT: u16 = 9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// What is in a table.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub family: Family,
    pub bans: u32,
    /// Banned /24 prefixes besides, IPv4 only.
    pub nets: u32,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    pub family: Family,
    /// [`BANNED`] or [`GOOD`].
    pub base: u32,
    /// How many sources; `None`: any address at all.
    pub sources: Option<u32>,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A datagram, as floods send them.
    Udp,
    /// A segment of an established connection.
    Ack,
    /// A forged connection request.
    Syn,
}

/// The word that makes source number `number` differ from all others.
const fn word(base: u32, number: u32) -> u32 {
    base | number.wrapping_mul(STEP) & 0x00ff_ffff
}

/// Source number `number` of a family.
pub fn source(family: Family, base: u32, number: u32) -> IpAddr {
    let word = word(base, number);
    match family {
        Family::V4 => Ipv4Addr::from_bits(word).into(),
        Family::V6 => Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(word) << 64 | 1).into(),
    }
}

/// Banned subject number `number`, as text: an address, or a customer's /64.
pub fn subject(family: Family, number: u32) -> String {
    match source(family, BANNED, number) {
        IpAddr::V4(addr) => addr.to_string(),
        IpAddr::V6(addr) => format!("{}/64", Ipv6Addr::from_bits(addr.to_bits() >> 64 << 64)),
    }
}

/// The banned addresses or /64s as a set of another firewall has them: without the length of the prefix.
pub fn key(family: Family, number: u32) -> String {
    let subject = subject(family, number);
    subject.strip_suffix("/64").map(Into::into).unwrap_or(subject)
}

/// Banned prefix number `number`: a /24 of 11.0.0.0/8.
pub fn net(number: u32) -> String {
    format!("11.{}.{}.0/24", number >> 8 & 255, number & 255)
}

/// The bans `numbers` as the ledger hands them over.
pub fn enforcements(family: Family, numbers: Range<u32>) -> impl Iterator<Item = Enforcement> {
    numbers.map(move |number| ban(&subject(family, number), Scope::All, None))
}

/// All of a load.
pub fn all(load: &Load) -> Vec<Enforcement> {
    let nets = (0..load.nets).map(|number| ban(&net(number), Scope::All, None));
    enforcements(load.family, 0..load.bans).chain(nets).collect()
}

impl Traffic {
    /// A frame whose source is still empty, for the sender to fill in.
    pub fn frame(&self) -> Vec<u8> {
        match self.family {
            Family::V4 => self.frame_from("0.0.0.0"),
            Family::V6 => self.frame_from("2001:db8::1"),
        }
    }

    /// A frame from one source.
    pub fn frame_from(&self, source: &str) -> Vec<u8> {
        let here = if self.family == Family::V4 { HERE4 } else { HERE6 };
        let mut frame = match self.kind {
            Kind::Udp => Packet::udp(source, here, DARK_PORT),
            Kind::Ack => Packet::tcp(source, here, 443, ACK),
            Kind::Syn => Packet::tcp(source, here, DARK_PORT, SYN),
        }
        .build();
        frame.resize(frame.len().max(FRAME_LEN_MIN), 0);
        frame
    }
}

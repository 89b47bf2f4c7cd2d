//! The few expressions that our rules are made of.

mod write;

use std::borrow::Cow;
pub(super) use write::counter;

/// What a rule calls a chain or a set.
pub(super) type Name = Cow<'static, str>;

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop,
    Accept,
    /// To another chain, and back if that says nothing.
    Jump(&'static str),
    /// To another chain for good.
    Goto(&'static str),
}

/// How a register is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal = 0,
    Differs = 1,
    AtMost = 3,
    AtLeast = 5,
}

/// What is known of a packet besides its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meta {
    /// What kind of packet it is: two octets, as on Ethernet.
    Protocol = 1,
    /// The number that its sender has put on it, or some rule: four octets in the machine's order.
    Mark = 3,
    /// The name of the interface that it came by: 16 octets.
    Interface = 6,
    /// `NFPROTO_IPV4` or `NFPROTO_IPV6`: one octet.
    Family = 15,
    /// What follows the network header and its extensions: one octet.
    Transport = 16,
}

/// What is asked about the socket that takes the packet. Where there is none, the rule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketKey {
    /// May it take packets for others? One octet, which is there for every kind of socket.
    Transparent = 0,
    /// Is it bound to every address? The rule ends, too, if it is about to open or has closed.
    Wildcard = 2,
}

/// Where octets are loaded to: four octets each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(pub(super) u32);

impl Register {
    /// The first, with room for 16 octets.
    pub(super) const FIRST: Self = Self(1);
    /// Behind an IPv4 address in the first.
    pub(super) const BEHIND_V4: Self = Self(9);
    /// Behind an IPv6 address in the first.
    pub(super) const BEHIND_V6: Self = Self(12);
    /// Where coins are: behind whatever key is loaded.
    pub(super) const COIN: Self = Self(16);
}

/// Octets of an IPv6 extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExtensionHeader {
    /// Its number, as the header before tells it.
    pub(super) kind: u8,
    pub(super) offset: u32,
    pub(super) len: u32,
}

/// One step of a rule; a step that does not match ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Loads something about the packet.
    Meta(Meta),
    /// Loads octets of the network header, counted from its begin.
    Header { offset: u32, len: u32 },
    /// Loads octets of the transport header. Only a packet that has it goes on: no later fragment.
    Segment { offset: u32, len: u32, to: Register },
    /// Loads octets of the first IPv6 extension header of a kind. Only a packet that has one goes on.
    Extension(ExtensionHeader),
    /// Turns the first bit of the source port over, and back the next time. The checksum is left as it is.
    FlipSourcePort,
    /// Keeps the octets under the mask.
    Mask(Vec<u8>),
    /// Compares what is loaded.
    Compare(Compare, Vec<u8>),
    /// Is what is loaded within these two, or (if not `is_within`) outside?
    Range { is_within: bool, first: Vec<u8>, last: Vec<u8> },
    /// Is what is loaded in this set? Its entry counts the packet.
    InSet(Name),
    /// Is it not? This is also for sets whose entries let only one packet through, which count a look as one.
    NotIn(Name),
    /// Adds what is loaded to the set, for so long. Goes on if it is in it then; with `times`, only that many times, so that of
    /// several packets at once only one does.
    Add { set: Name, timeout_ms: u64, times: Option<u32> },
    /// Throws a coin: 0 or 1, by the kernel's own random numbers.
    ThrowCoin,
    /// Adds what is loaded to the map, with the coin that was thrown, for so long. Goes on if there was room.
    KeepCoin { map: Name, timeout_ms: u64 },
    /// Is what is loaded in this map, with a coin that shows this?
    CoinIs { map: Name, shows: u32 },
    /// Loads of which kind the destination is for this host: four octets.
    Destination,
    /// Loads something about the packet's socket.
    Socket(SocketKey),
    /// Goes on for so many packets a second.
    Limit { per_second: u64, burst: u32 },
    /// Tells user space of the packet.
    Log { prefix: &'static str },
    /// Gives the packet to the socket that listens at this port of the loopback interface, and ends the rule if none does.
    ToTrap { is_v4: bool, port: u16 },
    /// Counts the packet in an object of the table.
    Count(&'static str),
    /// Decides.
    Verdict(Verdict),
}

/// Compares for equality.
pub(super) fn is(octets: &[u8]) -> Expression {
    Expression::Compare(Compare::Equal, octets.into())
}

/// Goes to a chain for good.
pub(super) const fn goto(chain: &'static str) -> Expression {
    Expression::Verdict(Verdict::Goto(chain))
}

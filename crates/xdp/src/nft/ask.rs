//! What rules ask about a packet.

use super::{
    expression::{Compare, Expression, Meta, Register, SocketKey, is},
    uapi::FAMILY_IP4,
};

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;
/// Where the flags are in a TCP header, and the destination port in both.
pub(super) const FLAGS_AT: u32 = 13;
pub(super) const PORT_AT: u32 = 2;
/// Where a TCP header says how long it is, how many octets of it there are from there on at least, and how many words in all.
pub(super) const HEADER_LEN_AT: u32 = 12;
pub(super) const HEADER_REST_LEN: u32 = 8;
const HEADER_WORDS_MIN: u8 = 5;

/// The octets of an interface's name, with zeros behind it.
const NAME_LEN: usize = 16;

/// `RTN_LOCAL`: one of this host's own addresses.
const OWN: u32 = 2;

/// Loads those of these TCP flags that are set.
pub(super) fn flags(mask: u8) -> Vec<Expression> {
    vec![Expression::Segment { offset: FLAGS_AT, len: 1, to: Register::FIRST }, Expression::Mask(vec![mask])]
}

/// Goes on with a segment whose TCP header is whole: long enough, by what it says itself and by what there is of it.
pub(super) fn whole_header() -> Vec<Expression> {
    vec![Expression::Segment { offset: HEADER_LEN_AT, len: HEADER_REST_LEN, to: Register::FIRST }, long_enough()]
}

/// Does what is loaded, the rest of a TCP header from [`HEADER_LEN_AT`] on, say that the header is long enough? The length is in the first
/// half of the first octet, in words.
pub(super) fn long_enough() -> Expression {
    Expression::Compare(Compare::AtLeast, vec![HEADER_WORDS_MIN << 4, 0, 0, 0, 0, 0, 0, 0])
}

/// Is it a part of an IPv4 packet, and not the first? What lies behind its header is no transport header. (Of IPv6 the kernel
/// knows.)
pub(super) fn later_fragment() -> Vec<Expression> {
    let (offset, mask) = (6, vec![0x1f, 0xff]);
    vec![
        Expression::Meta(Meta::Family),
        is(&[FAMILY_IP4]),
        Expression::Header { offset, len: 2 },
        Expression::Mask(mask),
        Expression::Compare(Compare::Differs, vec![0; 2]),
    ]
}

/// Goes on with everything that came by this interface.
pub(super) fn came_by(interface: &str) -> Vec<Expression> {
    let mut name = interface.as_bytes().to_vec();
    name.resize(NAME_LEN, 0);
    vec![Expression::Meta(Meta::Interface), is(&name)]
}

/// Loads the destination port.
pub(super) fn port() -> Expression {
    Expression::Segment { offset: PORT_AT, len: 2, to: Register::FIRST }
}

pub(super) fn range(is_within: bool, (first, last): (u16, u16)) -> Expression {
    Expression::Range { is_within, first: first.to_be_bytes().into(), last: last.to_be_bytes().into() }
}

/// Goes on if some socket of this host takes the packet. The comparison always holds: without one, `nft` does not show the rule.
pub(super) fn any_socket(then: Expression) -> Vec<Expression> {
    vec![Expression::Socket(SocketKey::Transparent), Expression::Compare(Compare::AtMost, vec![1]), then]
}

/// Goes on if the packet is for one of this host's own addresses.
pub(super) fn to_own() -> Vec<Expression> {
    vec![Expression::Destination, is(&OWN.to_ne_bytes())]
}

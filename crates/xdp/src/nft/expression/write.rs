//! Expressions as netlink attributes.

use super::{Compare, Expression, ExtensionHeader, Register, Verdict};
use crate::nft::{
    bytes::Attributes,
    log::{GROUP, PAYLOAD_LEN},
    uapi::{FAMILY_IP4, FAMILY_IP6, element, object, rule},
};

/// The register of verdicts.
const REGISTER_VERDICT: u32 = 0;
const REGISTER: u32 = Register::FIRST.0;
/// `NFT_PAYLOAD_{NETWORK,TRANSPORT}_HEADER`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
/// `NFT_DYNSET_OP_ADD`.
const ADD: u32 = 0;
/// `NFT_NG_RANDOM`.
const RANDOM: u32 = 1;
/// `NFTA_FIB_F_DADDR` and `NFT_FIB_RESULT_ADDRTYPE`.
const DESTINATION: u32 = 2;
const KIND_OF_ADDRESS: u32 = 3;
/// Loopback, and the second half of registers that holds the port.
const LOOPBACK4: [u8; 4] = [127, 0, 0, 1];
const LOOPBACK6: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const REGISTER_PORT: u32 = 2;
/// Half a source port: its first bit.
const FIRST_BIT: [u8; 2] = [0x80, 0];
/// Seconds in which an entry lets only its packets through: longer than any entry lives.
const ONCE_SECONDS: u64 = 7 * 24 * 60 * 60;
/// `NFT_LOOKUP_F_INV`.
const INVERTED: u32 = 1;
/// `NFT_RANGE_NEQ`.
const OUTSIDE: u32 = 1;

impl Verdict {
    const fn code(&self) -> i32 {
        match self {
            Self::Drop => libc::NF_DROP,
            Self::Accept => libc::NF_ACCEPT,
            Self::Jump(_) => -3,
            Self::Goto(_) => -4,
        }
    }

    const fn chain(&self) -> Option<&'static str> {
        match self {
            Self::Drop | Self::Accept => None,
            Self::Jump(chain) | Self::Goto(chain) => Some(chain),
        }
    }
}

impl Expression {
    const fn name(&self) -> &'static str {
        match self {
            Self::Meta(_) => "meta",
            Self::Header { .. } | Self::Segment { .. } => "payload",
            Self::Extension(_) => "exthdr",
            Self::Mask(_) => "bitwise",
            Self::Compare(..) => "cmp",
            Self::Range { .. } => "range",
            Self::InSet(_) | Self::NotIn(_) => "lookup",
            Self::Add { .. } => "dynset",
            Self::Destination => "fib",
            Self::Socket(_) => "socket",
            Self::Limit { .. } => "limit",
            Self::Log { .. } => "log",
            Self::ToTrap { .. } => "tproxy",
            Self::ThrowCoin => "numgen",
            Self::KeepCoin { .. } => "dynset",
            Self::Count(_) => "objref",
            Self::Verdict(_) => "immediate",
            // Written as what it is made of.
            Self::FlipSourcePort | Self::CoinIs { .. } => "",
        }
    }

    /// Writes it as one element of a rule's list, or as several.
    pub(in crate::nft) fn write(&self, list: &mut Attributes) {
        match self {
            Self::FlipSourcePort => flip(list),
            Self::CoinIs { map, shows } => coin_is(list, map, *shows),
            Self::ToTrap { is_v4, port } => {
                let address = if *is_v4 { &LOOPBACK4[..] } else { &LOOPBACK6[..] };
                load(list, REGISTER, address);
                load(list, REGISTER_PORT, &port.to_be_bytes());
                one(list, self.name(), |data| self.fill(data));
            }
            _ => one(list, self.name(), |data| self.fill(data)),
        }
    }

    fn fill(&self, data: &mut Attributes) {
        match self {
            Self::Meta(what) => data.number(1, REGISTER).number(2, *what as u32),
            Self::Header { offset, len } => data.number(1, REGISTER).number(2, NETWORK_HEADER).number(3, *offset).number(4, *len),
            Self::Segment { offset, len, to } => {
                data.number(1, to.0).number(2, TRANSPORT_HEADER).number(3, *offset).number(4, *len)
            }
            Self::Extension(ExtensionHeader { kind, offset, len }) => {
                data.number(1, REGISTER).bytes(2, &[*kind]).number(3, *offset).number(4, *len)
            }
            Self::Mask(mask) => bitwise(data, mask, &vec![0; mask.len()]),
            Self::Compare(how, with) => data.number(1, REGISTER).number(2, *how as u32).nest(3, |inner| value(inner, with)),
            Self::Range { is_within, first, last } => {
                data.number(1, REGISTER).number(2, if *is_within { 0 } else { OUTSIDE });
                data.nest(3, |inner| value(inner, first)).nest(4, |inner| value(inner, last))
            }
            Self::InSet(set) => data.text(1, set).number(2, REGISTER),
            Self::NotIn(set) => data.text(1, set).number(2, REGISTER).number(5, INVERTED),
            Self::Add { set, timeout_ms, times } => add(data, set, *timeout_ms, *times),
            Self::ThrowCoin => data.number(1, Register::COIN.0).number(2, 2).number(3, RANDOM).number(4, 0),
            Self::KeepCoin { map, timeout_ms } => {
                data.text(1, map).number(3, ADD).number(4, REGISTER).number(5, Register::COIN.0).long(6, *timeout_ms)
            }
            Self::Destination => data.number(1, REGISTER).number(2, KIND_OF_ADDRESS).number(3, DESTINATION),
            Self::Socket(key) => data.number(1, *key as u32).number(2, REGISTER),
            Self::Limit { per_second, burst } => limit(data, *per_second, 1, *burst),
            Self::Log { prefix } => {
                data.bytes(1, &GROUP.to_be_bytes()).text(2, prefix).number(3, PAYLOAD_LEN).bytes(4, &1_u16.to_be_bytes())
            }
            Self::ToTrap { is_v4, .. } => {
                let family = if *is_v4 { FAMILY_IP4 } else { FAMILY_IP6 };
                data.number(1, family.into()).number(2, REGISTER).number(3, REGISTER_PORT)
            }
            Self::Count(counter) => data.number(1, object::COUNTER).text(2, counter),
            Self::Verdict(verdict) => data.number(1, REGISTER_VERDICT).nest(2, |inner| decide(inner, verdict)),
            Self::FlipSourcePort | Self::CoinIs { .. } => data,
        };
    }
}

fn one(list: &mut Attributes, name: &str, fill: impl FnOnce(&mut Attributes)) {
    list.nest(rule::LIST_ELEMENT, |all| named(all, name, fill));
}

fn named(all: &mut Attributes, name: &str, fill: impl FnOnce(&mut Attributes)) {
    all.text(rule::EXPRESSION_NAME, name);
    all.nest(rule::EXPRESSION_DATA, fill);
}

/// Loads a constant.
fn load(list: &mut Attributes, register: u32, octets: &[u8]) {
    one(list, "immediate", |data| {
        data.number(1, register).nest(2, |inner| value(inner, octets));
    });
}

fn flip(list: &mut Attributes) {
    Expression::Segment { offset: 0, len: 2, to: Register::FIRST }.write(list);
    one(list, "bitwise", |data| {
        bitwise(data, &[0xff; 2], &FIRST_BIT);
    });
    one(list, "payload", |data| {
        data.number(5, REGISTER).number(2, TRANSPORT_HEADER).number(3, 0).number(4, 2);
        data.number(6, 0).number(7, 0).number(8, 0);
    });
}

fn bitwise<'a>(data: &'a mut Attributes, mask: &[u8], xor: &[u8]) -> &'a mut Attributes {
    data.number(1, REGISTER).number(2, REGISTER).number(3, u32::try_from(mask.len()).unwrap_or(0));
    data.nest(4, |inner| value(inner, mask)).nest(5, |inner| value(inner, xor))
}

/// Looks a coin up, and compares it.
fn coin_is(list: &mut Attributes, map: &str, shows: u32) {
    one(list, "lookup", |data| {
        data.text(1, map).number(2, REGISTER).number(3, Register::COIN.0);
    });
    one(list, "cmp", |data| {
        data.number(1, Register::COIN.0).number(2, Compare::Equal as u32);
        data.nest(3, |inner| value(inner, &shows.to_ne_bytes()));
    });
}

/// An entry that is new is made with a limit of so many packets, which they use up: the kernel asks it under a lock.
fn add<'a>(data: &'a mut Attributes, set: &str, timeout_ms: u64, times: Option<u32>) -> &'a mut Attributes {
    data.text(1, set).number(3, ADD).number(4, REGISTER).long(6, timeout_ms);
    if let Some(times) = times {
        data.nest(7, |all| {
            named(all, "limit", |data| {
                limit(data, 1, ONCE_SECONDS, times);
            });
        });
    }
    data
}

fn limit(data: &mut Attributes, packets: u64, seconds: u64, burst: u32) -> &mut Attributes {
    data.long(1, packets).long(2, seconds).number(3, burst).number(4, 0).number(5, 0)
}

fn value(data: &mut Attributes, octets: &[u8]) {
    data.bytes(element::DATA_VALUE, octets);
}

fn decide(data: &mut Attributes, verdict: &Verdict) {
    data.nest(element::DATA_VERDICT, |inner| {
        inner.number(element::VERDICT_CODE, verdict.code().cast_unsigned());
        if let Some(chain) = verdict.chain() {
            inner.text(element::VERDICT_CHAIN, chain);
        }
    });
}

/// The counter that an entry of a set carries, with what it has counted already.
pub(in crate::nft) fn counter(attributes: &mut Attributes, kind: u16, packets: u64) {
    attributes.nest(kind, |all| {
        all.text(rule::EXPRESSION_NAME, "counter");
        all.nest(rule::EXPRESSION_DATA, |data| {
            data.long(object::COUNTER_BYTES, 0).long(object::COUNTER_PACKETS, packets);
        });
    });
}

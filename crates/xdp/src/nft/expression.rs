//! The few expressions that our rules are made of.

use super::{
    bytes::Attributes,
    uapi::{element, object, rule},
};

/// Registers: the verdict, and one of 16 octets.
const REGISTER_VERDICT: u32 = 0;
const REGISTER: u32 = 1;
/// `NFT_META_PROTOCOL`: what is inside, behind the one VLAN tag that the kernel has taken off.
const META_PROTOCOL: u32 = 1;
/// `NFT_PAYLOAD_NETWORK_HEADER`.
const NETWORK_HEADER: u32 = 1;

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

/// How a register is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal = 0,
    AtMost = 3,
    AtLeast = 5,
}

/// One step of a rule; a step that does not match ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Loads what kind of packet it is.
    Protocol,
    /// Loads octets of the network header, counted from its begin.
    Header { offset: u32, len: u32 },
    /// Keeps the octets under the mask.
    Mask(Vec<u8>),
    /// Compares what is loaded.
    Compare(Compare, Vec<u8>),
    /// Is what is loaded in this set? Its entry counts the packet.
    InSet(String),
    /// Counts the packet in an object of the table.
    Count(&'static str),
    /// Decides.
    Verdict(Verdict),
}

impl Expression {
    const fn name(&self) -> &'static str {
        match self {
            Self::Protocol => "meta",
            Self::Header { .. } => "payload",
            Self::Mask(_) => "bitwise",
            Self::Compare(..) => "cmp",
            Self::InSet(_) => "lookup",
            Self::Count(_) => "objref",
            Self::Verdict(_) => "immediate",
        }
    }

    /// Writes it as one element of a rule's list.
    pub(super) fn write(&self, list: &mut Attributes) {
        list.nest(rule::LIST_ELEMENT, |all| {
            all.text(rule::EXPRESSION_NAME, self.name());
            all.nest(rule::EXPRESSION_DATA, |data| self.fill(data));
        });
    }

    fn fill(&self, data: &mut Attributes) {
        match self {
            Self::Protocol => data.number(1, REGISTER).number(2, META_PROTOCOL),
            Self::Header { offset, len } => data.number(1, REGISTER).number(2, NETWORK_HEADER).number(3, *offset).number(4, *len),
            Self::Mask(mask) => {
                data.number(1, REGISTER).number(2, REGISTER).number(3, u32::try_from(mask.len()).unwrap_or(0));
                data.nest(4, |inner| value(inner, mask)).nest(5, |inner| value(inner, &vec![0; mask.len()]))
            }
            Self::Compare(how, with) => data.number(1, REGISTER).number(2, *how as u32).nest(3, |inner| value(inner, with)),
            Self::InSet(set) => data.text(1, set).number(2, REGISTER),
            Self::Count(counter) => data.number(1, object::COUNTER).text(2, counter),
            Self::Verdict(verdict) => data.number(1, REGISTER_VERDICT).nest(2, |inner| decide(inner, verdict)),
        };
    }
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
pub(super) fn counter(attributes: &mut Attributes, kind: u16, packets: u64) {
    attributes.nest(kind, |all| {
        all.text(rule::EXPRESSION_NAME, "counter");
        all.nest(rule::EXPRESSION_DATA, |data| {
            data.long(object::COUNTER_BYTES, 0).long(object::COUNTER_PACKETS, packets);
        });
    });
}

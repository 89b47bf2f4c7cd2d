//! What is inside an envelope: who speaks, what time it is there, and one message.
//!
//! Messages only grow: new variants at the end, new fields at the end. Lists are byte strings that are read piece
//! by piece, so that no length from the wire ever sizes an allocation.

mod bytes;
mod lists;
mod prefix;

use crate::{
    limits::DATAGRAM_BYTES_MAX,
    membership::{Ident, Known},
    peers::ShortId,
    sketch::Symbols,
};
use alloc::vec::Vec;
use core::net::SocketAddr;
use honeymesh_types::WallTime;
use serde::{Deserialize, Serialize};

pub(crate) use bytes::Bytes;
pub(crate) use lists::{Children, IDS_MAX, Ids, Packer, Records, Tally};
pub(crate) use prefix::{FANOUT, Prefix, Stub};

/// What a body may weigh.
pub(crate) const FRAME_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - crate::envelope::OVERHEAD_BYTES;
/// What a list in a message may weigh: the body without the longest hello and the longest fixed fields.
pub(crate) const LIST_BYTES_MAX: usize = FRAME_BYTES_MAX - 150;
/// What a packet of the membership protocol may weigh, so that a digest can travel with it.
pub(crate) const SWIM_BYTES_MAX: usize = LIST_BYTES_MAX - 48;

/// A body.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Frame<'a> {
    /// The sender's wall clock.
    pub(crate) clock_ms: u64,
    /// The sender knows who the receiver is: it need not introduce itself any more.
    pub(crate) known: bool,
    /// The sender's introduction.
    #[serde(borrow)]
    pub(crate) hello: Option<Hello<'a>>,
    #[serde(borrow)]
    pub(crate) message: Message<'a>,
}

/// Who a sender is, in full.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Hello<'a> {
    pub(crate) node: [u8; 32],
    pub(crate) name: &'a str,
}

/// Everything that nodes say to each other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message<'a> {
    /// A packet of the membership protocol, and a digest that travels with a probe.
    Swim {
        #[serde(borrow)]
        packet: Bytes<'a>,
        digest: Option<Digest>,
    },
    /// Let me in: here is who I am, and the address I found you at.
    Knock {
        me: Ident,
        at: SocketAddr,
        /// My certificate, if the cluster has an authority.
        #[serde(borrow)]
        certificate: Bytes<'a>,
    },
    /// Come in: here is who I am, the address I see you at, and what I know of you (you may have been declared down).
    Welcome {
        me: Ident,
        at: SocketAddr,
        you: Option<Known>,
        /// My certificate, if the cluster has an authority.
        #[serde(borrow)]
        certificate: Bytes<'a>,
    },
    /// New records. With `until`: hand them on to everybody on the ring of identities between you and there, and give me a
    /// receipt; else do with them as you like.
    Push {
        until: Option<ShortId>,
        #[serde(borrow)]
        records: Records<'a>,
    },
    /// What my set adds up to.
    Digest(Digest),
    /// A question that any member answers from what it has at hand, remembering nothing.
    Ask {
        number: u32,
        #[serde(borrow)]
        question: Question<'a>,
    },
    /// Its answer.
    Answer {
        number: u32,
        #[serde(borrow)]
        answer: Answer<'a>,
    },
    /// New records that I have: this is my receipt if you have just pushed them to me; ask if you have not got them.
    Have(#[serde(borrow)] Ids<'a>),
    /// Our sets differ: here is a sketch of mine, so that you can tell in what.
    Sketch {
        /// As in a digest.
        horizon_ms: u64,
        /// What all of it adds up to.
        mine: Tally,
        #[serde(borrow)]
        symbols: Symbols<'a>,
    },
    /// What the authority has signed about nodes: certificates and revocations, new ones or those that were asked for.
    Deeds {
        #[serde(borrow)]
        deeds: Records<'a>,
        /// There are more, from this node on.
        next: Option<u64>,
    },
    /// Which deeds do you know, from the node with this short identity on?
    DeedsFrom(u64),
    /// Have you these records?
    Confirm(#[serde(borrow)] Ids<'a>),
    /// I have these of those that you asked about.
    Confirmed(#[serde(borrow)] Ids<'a>),
}

/// What a set adds up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digest {
    /// Records that left the set up to this time, in milliseconds since 1970, are not counted.
    pub(crate) horizon_ms: u64,
    pub(crate) count: u32,
    pub(crate) fingerprint: [u8; 16],
    /// How many members are alive.
    pub(crate) members: u32,
    /// The receiver is known to be behind: it should not wait whether this passes by itself.
    pub(crate) hasten: bool,
    /// What the authority's deeds add up to.
    pub(crate) deeds: u64,
}

#[cfg(test)]
impl Digest {
    /// None takes more bytes.
    pub(crate) const LONGEST: Self =
        Self { horizon_ms: u64::MAX, count: u32::MAX, fingerprint: [0xff; 16], members: u32::MAX, hasten: true, deeds: u64::MAX };
}

/// A question. Every horizon must be near the receiver's clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Question<'a> {
    /// What is below this prefix? Here is what I have there.
    Look { prefix: Prefix, horizon_ms: u64, mine: Tally },
    /// The records with these ids.
    Fetch(#[serde(borrow)] Ids<'a>),
    /// The records below this prefix, after this id.
    Page { prefix: Prefix, horizon_ms: u64, after: Option<u64> },
    /// The members after this one.
    Members { after: Option<u64> },
    /// The symbols of your sketch from this one on.
    Symbols { horizon_ms: u64, from: u16 },
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer<'a> {
    /// The same as you have.
    Same,
    /// The tallies of the children of the prefix.
    Children(#[serde(borrow)] Children<'a>),
    /// The ids below the prefix.
    Ids(#[serde(borrow)] Ids<'a>),
    /// The records of the first `handled` ids, as far as they are still there.
    Records {
        handled: u8,
        #[serde(borrow)]
        records: Records<'a>,
    },
    /// Records in order of their ids, and after which id to go on.
    Page {
        #[serde(borrow)]
        records: Records<'a>,
        next: Option<u64>,
    },
    /// Members in order of their short ids, each one a length byte and a `membership::Known`; and where to go on.
    Members {
        #[serde(borrow)]
        members: Records<'a>,
        next: Option<u64>,
    },
    /// Symbols of a sketch, one after the other.
    Symbols(#[serde(borrow)] Symbols<'a>),
}

impl<'a> Frame<'a> {
    /// Reads a body. What follows the message is left for later versions.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        postcard::take_from_bytes(body).ok().map(|(frame, _extension)| frame)
    }

    /// Appends the body to a datagram.
    pub(crate) fn write(&self, datagram: Vec<u8>) -> Option<Vec<u8>> {
        postcard::to_extend(self, datagram).ok()
    }

    /// The sender's wall clock.
    pub(crate) const fn clock(&self) -> WallTime {
        WallTime::from_millis(self.clock_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(message: Message<'_>) -> Vec<u8> {
        let name = "n".repeat(honeymesh_types::NAME_BYTES_MAX);
        let hello = Hello { node: [0xff; 32], name: &name };
        Frame { clock_ms: u64::MAX, known: true, hello: Some(hello), message }.write(Vec::new()).unwrap()
    }

    #[test]
    fn the_fullest_list_fits_into_a_datagram() {
        let list = alloc::vec![0xff; LIST_BYTES_MAX];
        let number = u32::MAX;
        for message in [
            Message::Swim { packet: Bytes(&list[..SWIM_BYTES_MAX]), digest: Some(Digest::LONGEST) },
            Message::Push { until: Some(ShortId(u64::MAX)), records: Records(Bytes(&list)) },
            Message::Answer { number, answer: Answer::Page { records: Records(Bytes(&list)), next: Some(u64::MAX) } },
            Message::Answer { number, answer: Answer::Ids(Ids(Bytes(&list))) },
            Message::Ask { number, question: Question::Fetch(Ids(Bytes(&list))) },
            Message::Answer { number, answer: Answer::Symbols(Symbols(Bytes(&list))) },
            Message::Sketch {
                horizon_ms: u64::MAX,
                mine: Tally { count: u32::MAX, sum: u64::MAX },
                symbols: Symbols(Bytes(&list)),
            },
        ] {
            assert!(body(message).len() <= FRAME_BYTES_MAX);
        }
    }

    #[test]
    fn what_follows_a_message_is_left_for_later() {
        let mut bytes = body(Message::Push { until: None, records: Records(Bytes(&[])) });
        bytes.extend_from_slice(b"later");
        assert!(matches!(Frame::read(&bytes).unwrap().message, Message::Push { .. }));
    }

    proptest! {
        #[test]
        fn no_body_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(frame) = Frame::read(&bytes) {
                match frame.message {
                    Message::Push { records, .. } => prop_assert!(records.iter().count() <= bytes.len()),
                    Message::Answer { answer: Answer::Ids(ids), .. } => prop_assert!(ids.iter().count() <= bytes.len()),
                    _ => {}
                }
            }
        }
    }
}

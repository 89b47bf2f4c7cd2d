//! Streams: reliable, ordered links between two nodes, for what is too much for datagrams.
//!
//! The carrier makes them (TCP, TLS 1.3, both ends known by their identity keys) and knows nothing else about them; the mesh says
//! with [`StreamOrder`] what is to be done and hears with [`StreamEvent`] what became of it. A stream carries nothing until
//! both ends have shown, in its first frame each way, that they hold a key of the cluster: see [`proof`].

pub(crate) mod proof;
mod signer;

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};
use honeymesh_types::NodeId;

pub use signer::StreamSigner;

/// The longest frame on a proven stream, in bytes. A longer one ends the stream before anything is allocated for it.
pub const STREAM_FRAME_BYTES_MAX: usize = 64 << 10;
/// The longest frame before the other end has proven that it belongs here: a proof and not a byte more.
pub const STREAM_PROOF_BYTES: usize = 38;
/// Streams of one cluster at once, in and out; at the bound new ones are closed and counted.
pub const STREAMS_MAX: usize = 64;
/// What a list in a message on a stream may weigh, in bytes: so many records are checked and taken in one step.
pub(crate) const STREAM_LIST_BYTES_MAX: usize = 48 << 10;
/// The most stubs in one list on a stream.
pub(crate) const STREAM_IDS_MAX: usize = 8_000;
/// How long a stream may take from the order to dial to the other end's proof; then datagrams do.
pub const DIAL_MAX: Duration = Duration::from_secs(10);

const _: () = assert!(crate::limits::GUESTS_MAX <= STREAMS_MAX / 2);
const _: () = assert!(STREAM_LIST_BYTES_MAX + 64 <= STREAM_FRAME_BYTES_MAX);
const _: () = assert!(STREAM_IDS_MAX * crate::frame::Stub::BYTES <= STREAM_LIST_BYTES_MAX);

/// Names a stream of one cluster between carrier and mesh; the carrier never uses one again in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Which end of a stream a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It opened the stream.
    Dialer,
    /// It was called.
    Listener,
}

impl Role {
    /// The other end's.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Listener,
            Self::Listener => Self::Dialer,
        }
    }
}

/// What the carrier shall do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamOrder {
    /// Open a stream. Answered by [`StreamEvent::Opened`] or [`StreamEvent::Failed`].
    Dial {
        /// Where to.
        to: SocketAddr,
        /// Who must be there: anybody else is hung up on. `None`: whoever is; the proof shows whether it belongs here.
        expect: Option<NodeId>,
    },
    /// Send a frame. A stream that cannot take it ends.
    Send {
        /// On which stream.
        stream: StreamId,
        /// At most [`STREAM_FRAME_BYTES_MAX`] bytes.
        frame: Vec<u8>,
    },
    /// Send a frame if not much waits on that stream, and drop it otherwise: it is a datagram, which may be lost.
    Offer {
        /// On which stream.
        stream: StreamId,
        /// At most [`STREAM_FRAME_BYTES_MAX`] bytes.
        frame: Vec<u8>,
    },
    /// The other end has proven that it belongs here: read on, and longer frames.
    Admit(StreamId),
    /// End a stream. Frames under way may be lost.
    Close(StreamId),
}

/// What a stream does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamEvent {
    /// A stream is there; its first frame from the other end is read, and no other before [`StreamOrder::Admit`].
    Opened {
        /// Its name.
        stream: StreamId,
        /// Whose identity key the other end holds.
        peer: NodeId,
        /// Where the other end is: as dialled, or where it came from.
        addr: SocketAddr,
        /// Which end this node is.
        role: Role,
        /// A secret that only the two ends share and that belongs to this one session (RFC 8446, 7.5).
        binding: [u8; 32],
    },
    /// A stream could not be opened.
    Failed {
        /// Where to.
        to: SocketAddr,
    },
    /// A frame arrived; anything may be in it.
    Frame {
        /// On which stream.
        stream: StreamId,
        /// What.
        frame: Vec<u8>,
    },
    /// A stream has ended.
    Closed(StreamId),
}

/// What streams have done since the start, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Streams at once, now.
    pub open: u64,
    /// Streams whose both ends have proven that they belong here.
    pub proven: u64,
    /// Streams that were ended because the other end did not prove that it holds a key of this cluster.
    pub unproven: u64,
    /// Streams that were ended because too many were there.
    pub too_many: u64,
    /// Streams that could not be opened: nobody there, somebody else there, or not in time.
    pub failed: u64,
    /// Streams that were ended because of a frame that is no message.
    pub malformed: u64,
    /// Frames taken after the proof.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames handed out after the proof.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Large repairs that were begun on a stream.
    pub bulk: u64,
    /// Large repairs that were carried out wholly on a stream.
    pub bulk_done: u64,
    /// Large repairs that went over datagrams because no stream could be had.
    pub bulk_fallbacks: u64,
    /// Batches of signatures in which one was bad, so that they were checked one by one.
    pub batches_split: u64,
    /// Nodes that can only dial out and took this one for their relay ...
    pub guests_taken: u64,
    /// ... and left it again.
    pub guests_left: u64,
    /// Nodes that asked for that and were refused: too many guests, no certificate, or this node has no address itself.
    pub guests_refused: u64,
    /// Datagrams that this node handed on as a relay, both ways.
    pub relayed: u64,
    /// Datagrams that it did not hand on because there were too many for or from that guest.
    pub relay_limited: u64,
    /// Datagrams that it did not hand on because a guest sent them under another name, or to somebody who is no member.
    pub relay_refused: u64,
    /// Relays that this node has had, the spare ones included ...
    pub relays_taken: u64,
    /// ... and lost: ended, or nobody beyond them answered any more.
    pub relays_lost: u64,
}

impl StreamStats {
    /// Every count with its name, as tables and metrics show it.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 21] {
        [
            ("proven", self.proven),
            ("unproven", self.unproven),
            ("too_many", self.too_many),
            ("failed", self.failed),
            ("malformed", self.malformed),
            ("messages_received", self.received),
            ("received_bytes", self.received_bytes),
            ("messages_sent", self.sent),
            ("sent_bytes", self.sent_bytes),
            ("bulk", self.bulk),
            ("bulk_done", self.bulk_done),
            ("bulk_fallbacks", self.bulk_fallbacks),
            ("batches_split", self.batches_split),
            ("guests_taken", self.guests_taken),
            ("guests_left", self.guests_left),
            ("guests_refused", self.guests_refused),
            ("relayed", self.relayed),
            ("relay_limited", self.relay_limited),
            ("relay_refused", self.relay_refused),
            ("relays_taken", self.relays_taken),
            ("relays_lost", self.relays_lost),
        ]
    }
}

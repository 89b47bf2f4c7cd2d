//! What a mesh wants done, and whom it knows.

use crate::{Claims, Deed, RecordId, Refused, Signed, stream::StreamOrder};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use honeymesh_types::{NodeId, NodeName};

/// Something to be done or told. Carry them out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this datagram. It may be lost; the mesh does not depend on any single one.
    Send {
        /// Where to.
        to: SocketAddr,
        /// The sealed datagram; at most [`crate::limits::DATAGRAM_BYTES_MAX`] bytes.
        bytes: Vec<u8>,
    },
    /// Do this with a stream. Streams may fail at any time; what they carry is repaired another way.
    Stream(StreamOrder),
    /// Check these signatures, here or on another thread, and give the verdicts to [`crate::Mesh::checked`]. Only after
    /// [`crate::Mesh::check_elsewhere`]. Never lose one: what waits in it is asked of nobody else meanwhile.
    Check(Claims),
    /// A verified record of another node that has just entered the set. A ban in it may already be over
    /// ([`crate::Record::is_over`]) when it takes the place of a longer one of the same origin: then that one ends.
    Record {
        /// The record with the bytes it came in.
        signed: Signed,
    },
    /// The authority has said something new about a node: to be kept, and if it is a revocation, everything that came from
    /// that node is to be withdrawn. Its records have left the set, and its membership has ended.
    Deed {
        /// What.
        deed: Deed,
    },
    /// A join token was used: [`crate::Mesh::tokens`] is to be kept.
    Tokens,
    /// A member came or went.
    Member {
        /// The member as it is now.
        member: Member,
        /// Came or went.
        change: MemberChange,
    },
    /// A node that can only dial out took this one for its relay, or left: the address that it calls from is to be protected
    /// like a member's.
    Guest {
        /// Where it calls from: its own address, or its translator's.
        addr: IpAddr,
        /// Came or went.
        change: MemberChange,
    },
    /// Who has a record, by [`crate::Mesh::confirm`]: everybody has said so, or the time is over.
    Confirmed {
        /// Which record.
        id: RecordId,
        /// Who has it.
        confirmed: Vec<Member>,
        /// Who has not said that it has it: it lacks it, is down, or was not heard.
        unconfirmed: Vec<Member>,
    },
    /// A datagram, or something in it, was refused. Every refusal is counted; this tells of the first one in a datagram,
    /// and never of [`Refused::Unasked`], which honest peers cause when an answer comes late.
    Refused {
        /// Who sent the datagram.
        from: SocketAddr,
        /// Why.
        why: Refused,
    },
}

/// Whether a member came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberChange {
    /// It is alive.
    Up,
    /// It does not answer any more, or has left.
    Down,
}

/// How a member is doing, in this node's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// It answers.
    Alive,
    /// Somebody failed to reach it; counts as alive until it is declared down.
    Suspect,
    /// Declared down; knocked at until it is back or forgotten.
    Down,
}

/// Another node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub node: NodeId,
    /// What people call it; known once it has spoken to this node directly.
    pub name: Option<NodeName>,
    /// Where it is reached.
    pub addr: SocketAddr,
    /// How it is doing.
    pub state: MemberState,
    /// Which life of the node this is; grows at every restart and after every recovery from `Down`.
    pub incarnation: u64,
}

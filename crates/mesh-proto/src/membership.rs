//! Who is in the cluster: what the mesh needs to know of it, whatever protocol finds it out.

#[cfg(any(test, feature = "testing"))]
mod fixed;
mod swim;

use crate::{Member, MemberChange, MemberState, Refused, peers::ShortId};
use alloc::vec::Vec;
use core::net::SocketAddr;
use honeymesh_types::{MonoTime, NodeId, Now};
use serde::{Deserialize, Serialize};

#[cfg(any(test, feature = "testing"))]
pub(crate) use fixed::Fixed;
#[cfg(any(test, feature = "testing"))]
pub use fixed::FixedMembers;
pub(crate) use swim::Swim;

/// A node in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ident {
    pub(crate) node: [u8; 32],
    pub(crate) addr: SocketAddr,
    /// Grows with every start and every return from being declared down.
    pub(crate) incarnation: u64,
}

impl Ident {
    pub(crate) fn short(&self) -> ShortId {
        ShortId::of(&self.node)
    }
}

/// What is known about a node: its own life and what others say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) ident: Ident,
    /// How often the node has refuted a suspicion in this life.
    pub(crate) refuted: u16,
    pub(crate) state: State,
}

/// How a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Alive,
    Suspect,
    Down,
}

impl Known {
    /// The node as users see it.
    pub(crate) const fn member(&self) -> Member {
        let state = match self.state {
            State::Alive => MemberState::Alive,
            State::Suspect => MemberState::Suspect,
            State::Down => MemberState::Down,
        };
        let Ident { node, addr, incarnation } = self.ident;
        Member { node: NodeId(node), name: None, addr, state, incarnation }
    }

    /// The other way round.
    pub(crate) const fn of(member: &Member) -> Self {
        let state = match member.state {
            MemberState::Alive => State::Alive,
            MemberState::Suspect => State::Suspect,
            MemberState::Down => State::Down,
        };
        let ident = Ident { node: member.node.0, addr: member.addr, incarnation: member.incarnation };
        Self { ident, refuted: 0, state }
    }
}

/// What a membership protocol wants done, and what it has found out.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Packets to be sent.
    pub(crate) packets: Vec<Packet>,
    /// Who came, went, or began a new life.
    pub(crate) changes: Vec<Change>,
    /// Who has answered a probe.
    pub(crate) answered: Vec<ShortId>,
}

/// A packet of a membership protocol.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) to: Ident,
    pub(crate) bytes: Vec<u8>,
    /// Is it a probe, which is to be answered?
    pub(crate) is_probe: bool,
}

/// Who came, went, or began a new life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Came(Ident),
    Went(Ident),
    /// Alive before and after, but possibly elsewhere, and with nothing in its memory.
    Reborn(Ident),
}

impl Change {
    /// What users are told.
    pub(crate) const fn told(&self) -> Option<(Ident, MemberChange)> {
        match *self {
            Self::Came(ident) => Some((ident, MemberChange::Up)),
            Self::Went(ident) => Some((ident, MemberChange::Down)),
            Self::Reborn(_) => None,
        }
    }
}

/// Whether what is learnt is news to the others too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// It is: hand it on.
    HandOn,
    /// They know it already: it is they who told.
    Keep,
}

/// Is this node let in?
pub(crate) type Admits<'a> = &'a dyn Fn(&[u8; 32]) -> bool;

/// A membership protocol: finds out who is alive, tells everybody, and lets nobody be declared dead in silence.
pub(crate) trait Membership {
    /// This node as it introduces itself.
    fn me(&self) -> Ident;

    /// This node is reached at another address from now on.
    fn move_to(&mut self, addr: SocketAddr, now: Now, news: &mut News);

    /// Takes a packet of the protocol from an authenticated sender, by its whole identity.
    /// Nodes that are not let in are left out.
    fn packet(&mut self, sender: NodeId, packet: &[u8], admits: Admits<'_>, now: Now, news: &mut News) -> Result<(), Refused>;

    /// Takes over what somebody else knows. Returns how many were not known here before.
    /// Nodes that are not let in are left out.
    fn learn(&mut self, known: &[Known], admits: Admits<'_>, share: Share, now: Now, news: &mut News) -> Result<usize, Refused>;

    /// Does what has fallen due.
    fn wake(&mut self, now: Now, news: &mut News);

    /// There is, or is no longer, much news to be handed on: a split has healed.
    fn hurry(&mut self, is_hurried: bool);

    /// When something falls due next.
    fn wake_at(&self) -> MonoTime;

    /// What is known of one node.
    fn get(&self, id: ShortId) -> Option<Known>;

    /// Everything that is known, this node itself excluded, by short id from the one after `after`.
    fn list(&self, after: Option<ShortId>) -> Vec<Known>;

    /// Those who are down, by short id.
    fn down(&self) -> Vec<Known>;

    /// Is anybody known at this address, alive or down?
    fn has_addr(&self, addr: SocketAddr) -> bool;

    /// How many others are alive.
    fn live(&self) -> usize;
}

//! What a node wants done.

use crate::{Done, OrderId, Refused};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::net::SocketAddr;
use honeymesh_ledger::Claim;
use honeymesh_mesh_proto::{Claims, StreamOrder};
use honeymesh_types::{ClusterName, Enforcement, Event, Lockdown, Mode, NodeId, Reasons, Subject, WallTime};
use ipnet::IpNet;

/// Something to be carried out. Carry them out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Put this ban into the kernel, or change it there. In a full table it may be a prefix that stands for a group of bans.
    Enforce(Enforcement),
    /// Take this subject out of the kernel, if it is there.
    Release(Subject),
    /// The whole never-ban set for the kernel, sorted, without duplicates: replaces the one before.
    Protect(Vec<IpNet>),
    /// Whether the kernel drops what is banned (`false`: it only counts).
    Enforcing(bool),
    /// Whether the kernel lets in only who is allowed or connected, and until when. While it does, it drops what is banned
    /// whatever [`Output::Enforcing`] said last.
    Lockdown(Lockdown),
    /// Make the kernel equal to [`crate::Node::intent`]: so much changed at once that the difference is not told.
    Reconcile,
    /// Remember this.
    Keep(Keep),
    /// Send this datagram.
    Send {
        /// The place of the cluster in [`crate::Config::clusters`].
        cluster: usize,
        /// Where to.
        to: SocketAddr,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Do this with a stream.
    Stream {
        /// The place of the cluster in [`crate::Config::clusters`].
        cluster: usize,
        /// What.
        order: StreamOrder,
    },
    /// Check these signatures, on any thread, and give the verdicts back as [`crate::Input::Checked`]. Only after
    /// [`crate::Node::check_elsewhere`]; never lose one.
    Check {
        /// The place of the cluster in [`crate::Config::clusters`].
        cluster: usize,
        /// What.
        claims: Claims,
    },
    /// Store, stream and log this event.
    Tell(Event),
    /// Answer an order.
    Reply {
        /// Which.
        id: OrderId,
        /// What became of it.
        result: Result<Done, Refused>,
    },
}

/// What the store must remember so that [`crate::Node::restore`] gives the same state after a restart. The same type goes
/// out and, after a restart, in again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// A claim of this node as it stands. Replaces the one with the same [`Keep::claim_key`].
    Claim(Claim),
    /// The same where the claim stands already and was only said again: it may be kept a little later. Comes back in as a claim.
    Again(Claim),
    /// Forget the claim under this key ([`Keep::claim_key`]). Never comes back in.
    Forget {
        /// The claim's subject.
        subject: Subject,
        /// The claim's reasons.
        reasons: Reasons,
        /// Whether its evidence was forgeable.
        spoofable: bool,
    },
    /// An operator lifted this subject on this node: what peers said about it until `before` must not come back.
    Unbanned {
        /// The subject.
        subject: Subject,
        /// What was said at or before this time stays lifted.
        before: WallTime,
        /// From then on it may be forgotten. The same as `before`: the operator freed it on this node only, and until then peers'
        /// words are refused here unless they may override.
        expires: WallTime,
    },
    /// A signed record of a mesh, as received. Replaces nothing: it is its own identity.
    Record {
        /// The cluster it was said in.
        cluster: ClusterName,
        /// Whom it concerns.
        subject: Subject,
        /// The hash of its bytes.
        id: [u8; 32],
        /// Its bytes.
        raw: Arc<[u8]>,
        /// From then on it may be forgotten.
        expires: WallTime,
    },
    /// What operators changed in the allowlist, whole: replaces the one before.
    Allow {
        /// Nets they added.
        added: Vec<IpNet>,
        /// Nets of the configuration file they took out.
        removed: Vec<IpNet>,
    },
    /// Something small by name, whole: replaces the one before. What the names and values mean is the node's own business.
    Note {
        /// Its name.
        name: String,
        /// Its value; empty: it may be forgotten.
        value: String,
    },
    /// This node signed a ban of a canary and is believed no more. Replaces the one of the same node.
    Quarantined {
        /// Who.
        node: NodeId,
        /// The cluster it was said in.
        cluster: ClusterName,
        /// The canary net.
        net: IpNet,
        /// When it was noticed.
        since: WallTime,
        /// The proof.
        raw: Arc<[u8]>,
    },
    /// An operator believes it again: forget that. Never comes back in.
    Pardoned {
        /// Who.
        node: NodeId,
    },
    /// The mode an operator chose (a lockdown only once it is confirmed); replaces the one before. It holds until the configuration file says another mode than
    /// it said then.
    Mode {
        /// The mode.
        mode: Mode,
        /// What the configuration file said then.
        configured: Mode,
    },
}

impl Keep {
    /// What identifies a claim in the store: its subject, its reasons and whether its evidence was forgeable.
    #[must_use]
    pub fn claim_key(claim: &Claim) -> (Subject, Reasons, bool) {
        (claim.subject, claim.reasons, claim.is_spoofable())
    }
}

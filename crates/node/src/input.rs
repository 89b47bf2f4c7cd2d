//! What a node is fed.

use alloc::{string::String, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use honeymesh_ledger::Reach;
use honeymesh_mesh_proto::{Key, StreamEvent, Verdicts};
use honeymesh_types::{ClusterName, Knock, Mode, NodeName, Subject, Visit};
use ipnet::IpNet;

/// One thing that happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// The kernel saw a packet to a dark port.
    Knock(Knock),
    /// A trap was visited.
    Visit(Visit),
    /// A mesh datagram arrived; anything may be in it.
    Datagram {
        /// The place of the cluster in [`crate::Config::clusters`].
        cluster: usize,
        /// Where it came from.
        from: SocketAddr,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// A stream of a mesh did something.
    Stream {
        /// The place of the cluster in [`crate::Config::clusters`].
        cluster: usize,
        /// What.
        event: StreamEvent,
    },
    /// Signatures of a mesh were checked.
    Checked {
        /// The place of the cluster in [`crate::Config::clusters`].
        cluster: usize,
        /// What came of an [`crate::Output::Check`] of that cluster.
        verdicts: Verdicts,
    },
    /// An operator wants something.
    Order {
        /// Comes back in the reply.
        id: OrderId,
        /// What.
        order: Order,
    },
    /// The network around the node, whole: replaces what was told before.
    Network(NetworkFacts),
    /// It is time: [`crate::Node::wake_at`] has come. Harmless when it has not.
    Wake,
}

/// Ties a reply to its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// What an operator wants.
#[derive(Clone, Debug)]
pub enum Order {
    /// Ban somebody. Never shortens a ban that stands: lift it first.
    Ban {
        /// Whom.
        subject: Subject,
        /// For how long.
        lifetime: Lifetime,
        /// Why, in the operator's words.
        note: Option<String>,
        /// On this node only, or on all.
        reach: Reach,
        /// Whether a wide prefix is meant.
        force: bool,
    },
    /// Lift the ban of exactly this subject.
    Unban {
        /// Whose.
        subject: Subject,
        /// On this node only, or on all.
        reach: Reach,
        /// How long the reply may wait for all members to confirm; `None`: it waits for nobody.
        wait: Option<Duration>,
    },
    /// Never ban this net; bans inside it are lifted. Host bits are cleared.
    AllowAdd(IpNet),
    /// Take this net from the allowlist. Host bits are cleared.
    AllowRemove(IpNet),
    /// Believe a quarantined peer again: its name, its identity, or the first 8 digits of that and more.
    Pardon(String),
    /// Change the mode. A lockdown begins as [`Order::LockDown`] does.
    SetMode(Mode),
    /// Let in only who is allowed or connected, on trial: unless it is confirmed, the mode before comes back.
    LockDown {
        /// How long there is to confirm it, within [`crate::CONFIRM_WITHIN`]; `None`: [`crate::CONFIRM_WITHIN_DEFAULT`].
        within: Option<Duration>,
    },
    /// The lockdown under way is meant.
    ConfirmLockdown,
    /// Turn a node away, or take that back: for everybody in clusters whose authority's secret is here, else for this node.
    Revoke {
        /// Its name, or the beginning of its identity.
        who: String,
        /// Turn it away, or take it back.
        revoked: bool,
    },
    /// Make a token that lets one machine into a cluster.
    JoinToken {
        /// Which cluster.
        cluster: ClusterName,
        /// For how long it is good; at most seven days.
        ttl: Duration,
        /// Who will run that machine; `None`: its name.
        owner: Option<NodeName>,
        /// 32 fresh random bytes.
        secret: [u8; 32],
    },
    /// Change the keys of a cluster, one step at a time.
    Key {
        /// Which cluster.
        cluster: ClusterName,
        /// Which step.
        step: KeyStep,
    },
}

/// How long an operator's ban lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// As the policy says.
    #[default]
    Default,
    /// Until it is lifted.
    Forever,
    /// This long.
    For(Duration),
}

/// One step of a change of keys. Finish each on every node of the cluster before the next begins.
#[derive(Clone, Debug)]
pub enum KeyStep {
    /// The key opens from now on.
    Add(Key),
    /// The key seals from now on.
    Use(Key),
    /// The key opens no more.
    Retire(Key),
}

/// The network around the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// The node's own addresses.
    pub own: Vec<IpAddr>,
    /// The nets of its own links: a /64 there holds many owners.
    pub on_link: Vec<IpNet>,
    /// Its gateways.
    pub gateways: Vec<IpAddr>,
    /// Its resolvers.
    pub resolvers: Vec<IpAddr>,
    /// Addresses from which an operator is connected.
    pub operators: Vec<IpAddr>,
}

//! What a mesh must be told before it starts.

use crate::{KeyRing, Limits, Member};
use alloc::vec::Vec;
use core::{fmt, net::SocketAddr};
use honeymesh_types::{ClusterName, NodeId, NodeName};
use zeroize::Zeroizing;

/// What a mesh must be told before it starts. Nothing in it is checked again later: names and keys are valid by
/// their types, and an address list may be empty.
#[derive(Clone)]
pub struct Config {
    /// The cluster; records of any other cluster are refused.
    pub cluster: ClusterName,
    /// What people call this node.
    pub node_name: NodeName,
    /// The node's Ed25519 secret seed. Kept by the operator across restarts: it *is* the node.
    pub identity: Zeroizing<[u8; 32]>,
    /// Where peers reach this node. With an unspecified address (`0.0.0.0`, `::`) the node learns its address from
    /// the first peer it meets and is no member until then; with port 0 the port too.
    pub advertise: SocketAddr,
    /// This node can call others and nobody can call it: it takes part through streams to relays, which it finds among `join` and
    /// the members. `advertise` is not used.
    pub dial_out: bool,
    /// The cluster's keys; the first seals, all open.
    pub keys: KeyRing,
    /// Peers to knock at, for ever; at most [`crate::limits::JOIN_MAX`] are used.
    pub join: Vec<SocketAddr>,
    /// Members known from before: an earlier run's, kept by the store. They are taken note of at the first
    /// [`crate::Mesh::wake`]; at most [`crate::limits::MEMBERS_MAX`]. Usually empty.
    pub members: Vec<Member>,
    /// Who decides who is a member.
    pub admission: Admission,
    /// Budgets and quotas.
    pub limits: Limits,
    /// 64 random bits, fresh at every start: they separate this run's sealing keys from all others, so that the
    /// nonce counter may begin at zero. Repeating one breaks the cipher.
    pub boot_salt: u64,
    /// Seeds the choice of peers and all jitter. Need not be secret.
    pub seed: u64,
}

/// Who decides who is a member. The default: whoever holds the cluster's key is one.
#[derive(Clone, Default)]
pub struct Admission {
    /// The public key of the cluster's authority, the same on every member. With it only nodes with a certificate count.
    pub authority: Option<NodeId>,
    /// The authority's secret, where an operator wants to let nodes in; ignored if it is not the authority's.
    pub secret: Option<Zeroizing<[u8; 32]>>,
    /// This node's certificate, if it was given one; a damaged one counts as none.
    pub certificate: Option<Vec<u8>>,
    /// Who runs this node, for the certificate that the holder of the secret gives itself; `None`: the node's name.
    pub owner: Option<NodeName>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("authority", &self.authority).field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("cluster", &self.cluster)
            .field("node_name", &self.node_name)
            .field("advertise", &self.advertise)
            .field("join", &self.join)
            .finish_non_exhaustive()
    }
}

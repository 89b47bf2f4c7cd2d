//! What a node must be told before it starts.

use alloc::vec::Vec;
use core::time::Duration;
use honeymesh_detect::{ScanPolicy, SlowPolicy};
use honeymesh_ledger::{Policy, Quorum};
use honeymesh_types::{ClusterName, Grade, NodeId, NodeName, Trust};
use ipnet::IpNet;

/// What a node must be told before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// What people call this node.
    pub name: NodeName,
    /// Mode, lifetimes and bounds of the ban table.
    pub policy: Policy,
    /// What forgeable scans earn.
    pub scan: ScanPolicy,
    /// The clusters it belongs to; [`crate::Input::Datagram`] and [`crate::Output::Send`] name them by their place here.
    pub clusters: Vec<ClusterConfig>,
    /// The allowlist of the configuration file.
    pub allow: Vec<IpNet>,
    /// What is said about single peers.
    pub peers: Vec<PeerRule>,
    /// Nets that only a liar bans, because nothing in them ever speaks: see [`crate::Quarantined`]. They never leave the node.
    pub canaries: Vec<IpNet>,
    /// From which cluster into which other what this node enforces is said again.
    pub bridges: Vec<BridgeRule>,
    /// 64 random bits: makes event identities unique. Need not be secret.
    pub seed: u64,
}

/// One cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Its mesh.
    pub mesh: honeymesh_mesh_proto::Config,
    /// What its records may do here.
    pub trust: Trust,
    /// How many owners must agree, where they may only corroborate.
    pub quorum: Quorum,
    /// When touches of dark ports of several nodes are a scan; `None`: they are neither told nor heard here.
    pub slow: Option<SlowPolicy>,
}

/// How a peer is named in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerWord {
    /// By its identity.
    Key(NodeId),
    /// By what it calls itself, which is no proof: such a rule lowers trust and never raises it.
    Name(NodeName),
}

/// What is said about one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRule {
    /// Which.
    pub node: PeerWord,
    /// In which cluster; `None`: in all.
    pub cluster: Option<ClusterName>,
    /// What its records may do here, in the place of the cluster's trust.
    pub trust: Option<Trust>,
    /// Who runs it: all nodes of one owner count as one where several must agree.
    pub owner: Option<NodeName>,
}

impl PeerRule {
    pub(crate) const fn is_sure(&self) -> bool {
        matches!(self.node, PeerWord::Key(_))
    }
}

/// From one cluster into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeRule {
    /// What was said here ...
    pub from: ClusterName,
    /// ... is said again there.
    pub to: ClusterName,
    /// Only bans of these grades cross.
    pub grades: Vec<Grade>,
    /// How long they last there at most.
    pub ttl_max: Duration,
}

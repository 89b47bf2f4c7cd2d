//! What a node must be told before it starts.

use alloc::vec::Vec;
use honeymesh_detect::ScanPolicy;
use honeymesh_ledger::Policy;
use honeymesh_types::{NodeName, Trust};
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
}

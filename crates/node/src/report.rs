//! What can be read from a node.

use crate::Trial;
use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};
use core::net::IpAddr;
use honeymesh_ledger::{Claim, Corroboration, Protected, Stats};
use honeymesh_mesh_proto::{Admitted, CheckStats, Member, MeshStats, Record};
use honeymesh_types::{Ban, ClusterName, Mode, NodeId, NodeName, Subject, Trust, WallTime};
use ipnet::IpNet;

/// Everything the node knows about one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The address.
    pub addr: IpAddr,
    /// The mode in force.
    pub mode: Mode,
    /// All bans that cover it, narrowest first.
    pub bans: Vec<WhyBan>,
    /// Signed records about it that belong to no ban of today: unbans above all.
    pub records: Vec<WhyRecord>,
    /// All that protects it, narrowest first. What is protected is passed even if a wider ban covers it.
    pub protected: Vec<Protected>,
    /// What ended recently and covered it, newest first; bounded by [`crate::HISTORY_MAX`] over all addresses.
    pub past: Vec<Past>,
    /// The verdict in one sentence.
    pub verdict: String,
}

/// A ban with what holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyBan {
    /// The ban.
    pub ban: Ban,
    /// The prefix whose entry in the kernel stands for it, if it has none of its own: every one in that prefix is banned, and the
    /// table was full.
    pub group: Option<Subject>,
    /// If nothing is enforced because too few owners agree: how many do, and until when it waits for another.
    pub corroboration: Option<Corroboration>,
    /// Its claims, each with whether it counts for the ban (an observed one does not).
    pub claims: Vec<(Claim, bool)>,
    /// The signed records about its subject.
    pub records: Vec<WhyRecord>,
}

/// A signed record of a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyRecord {
    /// The cluster it was said in.
    pub cluster: ClusterName,
    /// What it says, who said it and when.
    pub record: Arc<Record>,
    /// Its bytes as received; the last 64 are the Ed25519 signature of the origin.
    pub raw: Arc<[u8]>,
}

/// A ban that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Whose.
    pub subject: Subject,
    /// When it ended.
    pub at: WallTime,
    /// How, in words: `expired`, `lifted by …`, `protected: …`.
    pub how: String,
}

/// The node in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What people call this node.
    pub name: NodeName,
    /// The mode in force.
    pub mode: Mode,
    /// If that is a lockdown which waits to be confirmed: when what comes back.
    pub trial: Option<Trial>,
    /// The ledger in numbers.
    pub ledger: Stats,
    /// What was seen and refused.
    pub counters: Counters,
    /// Peers that are believed no more.
    pub quarantined: usize,
    /// Per cluster: its name, its members that answer (this node left out), records in its set.
    pub clusters: Vec<(ClusterName, usize, usize)>,
}

/// What was seen since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Probes of dark ports.
    pub probes: u64,
    /// Scans: those the kernel reported, and those that finished handshakes prove.
    pub scans: u64,
    /// SYNs of silenced sources whose reactions were weighed.
    pub suspects: u64,
    /// Reports of traps.
    pub visits: u64,
    /// Of those: of dark ports, and perhaps a mistake.
    pub contacts: u64,
    /// Sources whose handshakes with dark ports were forgotten for want of room.
    pub contacts_forgotten: u64,
    /// Scans that only the touches of several nodes together have shown.
    pub slow_scans: u64,
    /// Pages of touches that this node said.
    pub touch_pages_said: u64,
    /// Pages of touches that peers said.
    pub touch_pages: u64,
    /// Touches that are remembered, this node's own and its peers'.
    pub touches: usize,
    /// Touches that were forgotten, not told or not taken in for want of room.
    pub touches_lost: u64,
    /// Datagrams that came in.
    pub datagrams: u64,
    /// Datagrams for a cluster that does not exist.
    pub datagrams_lost: u64,
    /// Records of peers that came to the door.
    pub records: u64,
    /// Records of nodes that are revoked on this node only: kept and handed on, but without effect here.
    pub records_set_aside: u64,
    /// Records of peers that the door refused.
    pub records_refused: u64,
    /// How the signatures of peers' records were checked, in all clusters together.
    pub checks: CheckStats,
    /// Records this node published.
    pub published: u64,
    /// Events about knocks, scans and refusals that were not told because there were too many.
    pub suppressed: u64,
    /// Stored claims and records that did not come back at start, because they were over, protected or damaged.
    pub not_restored: u64,
    /// Bans that were carried over a bridge.
    pub bridged: u64,
    /// Changes that were not looked at for a bridge because too many waited.
    pub bridge_lost: u64,
    /// Signed records of peers that ban a canary.
    pub canaries_banned: u64,
    /// Mesh peers that are not in the never-ban set because it holds the most of them already.
    pub peers_unprotected: u64,
}

/// One cluster as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// The cluster.
    pub cluster: ClusterName,
    /// What its records may do here.
    pub trust: Trust,
    /// This node's identity there.
    pub identity: NodeId,
    /// The public key of its authority, if it has one.
    pub authority: Option<NodeId>,
    /// How this node stands with it.
    pub own: Admitted,
    /// Whether the authority's secret is here.
    pub holds_authority: bool,
    /// What the authority has said about nodes, by identity.
    pub admissions: Vec<Admitted>,
    /// Nodes whose words count for nothing here, by an operator's order.
    pub revoked_here: Vec<NodeId>,
    /// The other nodes.
    pub members: Vec<Member>,
    /// What the words of each of them may do here, and who runs it if that was stated.
    pub judged: BTreeMap<NodeId, (Trust, Option<String>)>,
    /// What came in, went out and was refused.
    pub stats: MeshStats,
    /// A fingerprint of the whole set of records.
    pub fingerprint: u128,
}

/// Where an allowlisted net comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowSource {
    /// The configuration file.
    Config,
    /// An operator added it while the node ran.
    Operator,
}

/// One net of the allowlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowEntry {
    /// The net.
    pub net: IpNet,
    /// Where it comes from.
    pub source: AllowSource,
}

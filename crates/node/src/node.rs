//! The node: one input in, outputs out.

mod admission;
mod bridge;
mod change;
mod confirm;
mod dark;
mod evidence;
mod judgement;
mod lease;
mod lockdown;
mod mesh;
mod orders;
mod protect;
mod quarantine;
mod read;
mod restore;
mod room;
mod slow;
mod spread;
mod wake;

pub use admission::{REVOKED_HERE_MAX, WITHDRAW_BATCH_MAX};
pub use bridge::{BRIDGE_BATCH_MAX, BRIDGE_PAUSE, BRIDGE_PENDING_MAX};
pub use lease::{RENEW_BATCH_MAX, RENEW_PAUSE};
pub use lockdown::{CONFIRM_WITHIN, CONFIRM_WITHIN_DEFAULT, Trial};
pub use protect::{PEER_GRACE, PROTECTED_PEERS_MAX};
pub use quarantine::{QUARANTINED_MAX, Quarantined};
pub use slow::{TOUCHES_EVERY, TOUCHES_WAIT};

use crate::{
    Config, Counters, Input, NetworkFacts, Output, PeerRule,
    allow::Allow,
    gate::{Gate, Topic},
    history::History,
    outbox::Outbox,
};
use admission::Withdrawals;
use alloc::{collections::BTreeSet, string::String, vec::Vec};
use bridge::Bridges;
use confirm::Waiting;
use core::net::IpAddr;
use honeymesh_detect::{Detector, Handshakes, Reactions, ScanPolicy};
use honeymesh_ledger::{Ledger, Quorum};
use honeymesh_mesh_proto::Mesh;
use honeymesh_types::{ClusterName, Event, EventId, EventKind, Mode, NodeId, NodeName, Now, Subject, Trust, WallTime};
use ipnet::IpNet;
use lease::Renewals;
use protect::Shield;
use quarantine::Quarantine;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use slow::{Slow, SlowCluster};

/// A whole node without a body. See the crate's description.
pub struct Node {
    name: NodeName,
    /// The mode that the configuration file says.
    configured: Mode,
    /// A lockdown that waits to be confirmed.
    trial: Option<Trial>,
    scan: ScanPolicy,
    detector: Detector,
    handshakes: Handshakes,
    reactions: Reactions,
    slow: Slow,
    ledger: Ledger,
    clusters: Vec<Cluster>,
    rules: Vec<PeerRule>,
    canaries: Vec<IpNet>,
    quarantine: Quarantine,
    bridges: Bridges,
    facts: NetworkFacts,
    allow: Allow,
    shield: Shield,
    renewals: Renewals,
    gate: Gate,
    history: History,
    counters: Counters,
    withdrawals: Withdrawals,
    waiting: Vec<Waiting>,
    rng: ChaCha8Rng,
    now: Now,
    out: Outbox,
}

struct Cluster {
    name: ClusterName,
    trust: Trust,
    quorum: Quorum,
    mesh: Mesh,
    /// What is said and heard of touches, if they are exchanged here.
    slow: Option<SlowCluster>,
    /// Nodes whose words count for nothing here, by an operator's order.
    revoked_here: BTreeSet<NodeId>,
}

impl Node {
    /// A node that knows nothing yet. Call [`Self::restore`] next, with nothing on a first start.
    #[must_use]
    pub fn new(config: Config, now: Now) -> Self {
        let knocked = config.clusters.iter().flat_map(|cluster| cluster.mesh.join.iter().map(core::net::SocketAddr::ip));
        let shield = Shield::new(knocked.collect());
        let cluster = |config: crate::ClusterConfig| Cluster {
            name: config.mesh.cluster.clone(),
            trust: config.trust,
            quorum: config.quorum,
            mesh: Mesh::new(config.mesh, now),
            slow: config.slow.map(SlowCluster::new),
            revoked_here: BTreeSet::new(),
        };
        let clusters: Vec<Cluster> = config.clusters.into_iter().map(cluster).collect();
        Self {
            name: config.name,
            configured: config.policy.mode,
            trial: None,
            scan: config.scan,
            detector: Detector::new(),
            handshakes: Handshakes::new(config.scan.ports, config.scan.window),
            reactions: Reactions::default(),
            slow: Slow::default(),
            ledger: Ledger::new(config.policy),
            bridges: Bridges::new(config.bridges, &clusters),
            clusters,
            rules: config.peers,
            canaries: config.canaries.iter().map(crate::allow::canonical).collect(),
            quarantine: Quarantine::default(),
            facts: NetworkFacts::default(),
            allow: Allow::new(&config.allow),
            shield,
            renewals: Renewals::default(),
            gate: Gate::new(now.mono),
            history: History::default(),
            counters: Counters::default(),
            withdrawals: Withdrawals::default(),
            waiting: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            now,
            out: Outbox::default(),
        }
    }

    /// From now on signatures of peers' records come out as [`Output::Check`], to be checked on any thread; until then they are checked in
    /// [`Self::handle`]. See [`Mesh::check_elsewhere`].
    pub fn check_elsewhere(&mut self) {
        self.clusters.iter_mut().for_each(|cluster| cluster.mesh.check_elsewhere());
    }

    /// Takes one thing that happened and appends what is to be done for it to `out`. Cannot fail, block or panic: whatever
    /// is wrong with the input is counted or told.
    pub fn handle(&mut self, input: Input, now: Now, out: &mut Vec<Output>) {
        self.now = now;
        self.roll_back();
        match input {
            Input::Knock(knock) => self.knock(knock),
            Input::Visit(visit) => self.visit(visit),
            Input::Datagram { cluster, from, bytes } => self.datagram(cluster, from, &bytes),
            Input::Stream { cluster, event } => self.stream(cluster, event),
            Input::Checked { cluster, verdicts } => self.checked(cluster, verdicts),
            Input::Order { id, order } => self.order(id, order),
            Input::Network(facts) => self.network(facts),
            Input::Wake => self.wake(),
        }
        self.refresh_shield();
        self.readmit();
        self.project();
        self.out.flush(out);
    }

    /// Every cluster has these members and no others from now on: see [`Mesh::fix_members`]. Their addresses are not protected, as
    /// those of members that were met are.
    #[cfg(feature = "testing")]
    pub fn fix_members(&mut self, members: &honeymesh_mesh_proto::FixedMembers) {
        self.clusters.iter_mut().for_each(|cluster| cluster.mesh.fix_members(members));
    }

    /// What a source is banned as: see [`Subject::of_source`].
    fn subject_of(&self, source: IpAddr) -> Subject {
        Subject::of_source(source, &self.facts.on_link)
    }

    /// An event of now.
    fn event(&mut self, kind: EventKind) -> Event {
        self.event_at(kind, self.now.wall)
    }

    fn event_at(&mut self, kind: EventKind, at: WallTime) -> Event {
        let random = u128::from(self.rng.next_u64()) << 64 | u128::from(self.rng.next_u64());
        Event::new(EventId::new(at, random), at, self.name.clone(), kind)
    }

    /// Tells that something about `source` was refused, unless there was too much of that already.
    fn tell_refused(&mut self, source: IpAddr, fields: impl IntoIterator<Item = (&'static str, String)>) {
        if !self.gate_passes(Topic::Refused, source) {
            return;
        }
        let mut event = self.event(EventKind::Mesh);
        event.source = Some(source);
        event.fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.out.tell(event);
    }

    fn gate_passes(&mut self, topic: Topic, source: IpAddr) -> bool {
        let passes = self.gate.passes(topic, source, self.now.mono);
        self.counters.suppressed += u64::from(!passes);
        passes
    }
}

#[cfg(test)]
mod tests;

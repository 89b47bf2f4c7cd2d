//! A machine with a node on it: a kernel to enforce in, a store to remember in, and clocks of its own.

use honeymesh_mesh_proto::Member;
use honeymesh_node::{Config, Input, Keep, Node, Output};
use honeymesh_types::{Enforcement, Event, MonoTime, Now, Subject, WallTime};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// When the simulation begins, by true wall clock: 2026-01-01.
const EPOCH: WallTime = WallTime::from_millis(1_767_225_600_000);

/// What becomes of a node's store when it restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It is still there.
    Kept,
    /// It is gone; the node's identity key is not.
    Lost,
}

/// A machine.
pub(crate) struct Host {
    pub(crate) addr: SocketAddr,
    /// How to start the node again; salt and seeds are drawn anew.
    pub(crate) config: Config,
    pub(crate) node: Option<Node>,
    /// How far its wall clock is from the true one, in microseconds.
    pub(crate) skew_us: i64,
    pub(crate) kernel: BTreeMap<Subject, Enforcement>,
    store: Vec<Keep>,
    pub(crate) events: u64,
    /// For when a wake is already on its way.
    pub(crate) wake_due: Option<u64>,
}

impl Host {
    pub(crate) fn new(addr: SocketAddr, config: Config, skew_us: i64) -> Self {
        Self { addr, config, node: None, skew_us, kernel: BTreeMap::new(), store: Vec::new(), events: 0, wake_due: None }
    }

    /// This machine's clocks at a time of the simulation, in microseconds since its start.
    pub(crate) fn now(&self, micros: u64) -> Now {
        let wall = EPOCH.0.saturating_add(micros).saturating_add_signed(self.skew_us);
        Now { wall: WallTime(wall), mono: MonoTime(micros) }
    }

    /// Starts the node. What it wants sent comes back.
    pub(crate) fn start(&mut self, micros: u64) -> Vec<(SocketAddr, Vec<u8>)> {
        let now = self.now(micros);
        let mut node = Node::new(self.config.clone(), now);
        let mut out = Vec::new();
        node.restore(self.store.clone(), now, &mut out);
        node.handle(Input::Network(honeymesh_node::NetworkFacts::default()), now, &mut out);
        node.handle(Input::Wake, now, &mut out);
        self.node = Some(node);
        self.carry_out(out)
    }

    /// Stops the node, as by `kill -9`. The kernel goes on enforcing.
    pub(crate) fn stop(&mut self, memory: Memory) {
        self.node = None;
        self.wake_due = None;
        if memory == Memory::Lost {
            self.store.clear();
            self.kernel.clear();
        }
    }

    /// Gives the node an input. What it wants sent comes back.
    pub(crate) fn handle(&mut self, input: Input, micros: u64) -> Vec<(SocketAddr, Vec<u8>)> {
        let now = self.now(micros);
        let mut out = Vec::new();
        if let Some(node) = &mut self.node {
            node.handle(input, now, &mut out);
        }
        self.carry_out(out)
    }

    /// When the node wants to be woken.
    pub(crate) fn wake_at(&self) -> Option<MonoTime> {
        self.node.as_ref().and_then(Node::wake_at)
    }

    fn carry_out(&mut self, outputs: Vec<Output>) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sends = Vec::new();
        for output in outputs {
            match output {
                Output::Enforce(ban) => {
                    self.kernel.insert(ban.subject, ban);
                }
                Output::Release(subject) => {
                    self.kernel.remove(&subject);
                }
                Output::Reconcile => {
                    let intent = self.node.as_ref().map(Node::intent).unwrap_or_default();
                    self.kernel = intent.into_iter().map(|ban| (ban.subject, ban)).collect();
                }
                Output::Send { to, bytes, .. } => sends.push((to, bytes)),
                Output::Keep(keep) => self.keep(keep),
                Output::Tell(event) => self.tell(&event),
                Output::Protect(_) | Output::Enforcing(_) | Output::Lockdown(_) | Output::Reply { .. } => {}
            }
        }
        sends
    }

    /// Remembers as the store does.
    fn keep(&mut self, keep: Keep) {
        match &keep {
            Keep::Claim(claim) => self.forget(&Keep::claim_key(claim)),
            Keep::Forget { subject, reasons, spoofable } => {
                self.forget(&(*subject, *reasons, *spoofable));
                return;
            }
            Keep::Allow { .. } => self.store.retain(|kept| !matches!(kept, Keep::Allow { .. })),
            Keep::Mode { .. } => self.store.retain(|kept| !matches!(kept, Keep::Mode { .. })),
            Keep::Unbanned { .. } | Keep::Record { .. } => {}
        }
        self.store.push(keep);
    }

    fn forget(&mut self, key: &(Subject, honeymesh_types::Reasons, bool)) {
        self.store.retain(|kept| !matches!(kept, Keep::Claim(claim) if Keep::claim_key(claim) == *key));
    }

    const fn tell(&mut self, _event: &Event) {
        self.events += 1;
    }

    /// What the node bans, by its own account.
    pub(crate) fn bans(&self) -> BTreeSet<Subject> {
        self.node.iter().flat_map(|node| node.bans().map(|ban| ban.subject).collect::<Vec<_>>()).collect()
    }

    /// The other nodes as this one sees them.
    pub(crate) fn members(&self) -> Vec<Member> {
        let peers = self.node.iter().flat_map(Node::peers);
        peers.flat_map(|cluster| cluster.members).collect()
    }
}

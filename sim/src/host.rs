//! A machine with a node on it: a kernel to enforce in, a store to remember in, and clocks of its own.

use crate::rogue::Rogue;
use honeymesh_mesh_proto::{FixedMembers, Member, Mesh, Record, RecordId, StreamOrder};
use honeymesh_node::{Config, Input, Keep, Node, Output};
use honeymesh_types::{Enforcement, Event, MonoTime, NodeId, Now, Subject, WallTime};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
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

/// A machine: a node is on it, or a member that was taken over, or neither while it is down.
pub(crate) struct Host {
    pub(crate) addr: SocketAddr,
    pub(crate) identity: NodeId,
    /// How to start the node again; salt and seeds are drawn anew.
    pub(crate) config: Config,
    /// Who is in its cluster, if that is told from outside.
    pub(crate) fixed: Option<FixedMembers>,
    pub(crate) node: Option<Node>,
    pub(crate) rogue: Option<Rogue>,
    /// How far its wall clock is from the true one, in microseconds.
    pub(crate) skew_us: i64,
    /// How much its wall clock gains, in millionths.
    pub(crate) drift_ppm: i64,
    pub(crate) kernel: BTreeMap<Subject, Enforcement>,
    /// What the kernel has begun to drop since somebody looked.
    pub(crate) dropped: Vec<Subject>,
    store: Vec<Keep>,
    pub(crate) events: u64,
    /// Did its node ever run?
    pub(crate) has_started: bool,
    /// For when a wake is already on its way.
    pub(crate) wake_due: Option<u64>,
    /// What its node wants done with streams.
    pub(crate) orders: Vec<StreamOrder>,
    /// As a relay it takes guests and hands nothing on for them.
    pub(crate) swallows: bool,
}

impl Host {
    pub(crate) fn new(addr: SocketAddr, config: Config, skew_us: i64) -> Self {
        let now = Now { wall: EPOCH, mono: MonoTime(0) };
        Self {
            addr,
            identity: Mesh::new(config.clusters[0].mesh.clone(), now).identity(),
            config,
            fixed: None,
            node: None,
            rogue: None,
            skew_us,
            drift_ppm: 0,
            kernel: BTreeMap::new(),
            dropped: Vec::new(),
            store: Vec::new(),
            events: 0,
            has_started: false,
            wake_due: None,
            orders: Vec::new(),
            swallows: false,
        }
    }

    /// Nobody can reach it: it calls others.
    pub(crate) fn is_dial_out(&self) -> bool {
        self.config.clusters.first().is_some_and(|cluster| cluster.mesh.dial_out)
    }

    /// This machine's clocks at a time of the simulation, in microseconds since its start.
    pub(crate) fn now(&self, micros: u64) -> Now {
        let passed = i128::from(micros) * i128::from(1_000_000 + self.drift_ppm) / 1_000_000;
        let passed = u64::try_from(passed).unwrap_or(micros);
        let wall = EPOCH.0.saturating_add(passed).saturating_add_signed(self.skew_us);
        Now { wall: WallTime(wall), mono: MonoTime(micros) }
    }

    /// Starts the node. What it wants sent comes back.
    pub(crate) fn start(&mut self, micros: u64) -> Vec<(SocketAddr, Vec<u8>)> {
        let now = self.now(micros);
        if let Some(rogue) = &mut self.rogue {
            return rogue.wake(now);
        }
        let mut node = Node::new(self.config.clone(), now);
        if let Some(members) = &self.fixed {
            node.fix_members(members);
        }
        node.check_elsewhere();
        // An earlier run's members are for this start only, and there may be very many of them.
        self.config.clusters[0].mesh.members = Vec::new();
        let mut out = Vec::new();
        node.restore(self.store.clone(), now, &mut out);
        node.handle(Input::Network(honeymesh_node::NetworkFacts::default()), now, &mut out);
        node.handle(Input::Wake, now, &mut out);
        self.node = Some(node);
        self.carry_out(out, now)
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
        if let Some(rogue) = &mut self.rogue {
            return match input {
                Input::Datagram { from, bytes, .. } => rogue.hear(from, &bytes, now),
                _ => rogue.wake(now),
            };
        }
        let mut out = Vec::new();
        if let Some(node) = &mut self.node {
            node.handle(input, now, &mut out);
        }
        self.carry_out(out, now)
    }

    /// When the node wants to be woken.
    pub(crate) fn wake_at(&self) -> Option<MonoTime> {
        self.rogue.as_ref().map(Rogue::wake_at).or_else(|| self.node.as_ref().and_then(Node::wake_at))
    }

    /// Does what the node wants, and what follows from it: a check of signatures takes no time, and is answered in its turn.
    fn carry_out(&mut self, outputs: Vec<Output>, now: Now) -> Vec<(SocketAddr, Vec<u8>)> {
        let (mut sends, mut todo) = (Vec::new(), VecDeque::from(outputs));
        while let Some(output) = todo.pop_front() {
            match output {
                Output::Check { cluster, claims } => {
                    let (verdicts, mut out) = (claims.check(), Vec::new());
                    self.node.iter_mut().for_each(|node| {
                        node.handle(Input::Checked { cluster, verdicts: verdicts.clone() }, now, &mut out);
                    });
                    todo.extend(out);
                }
                Output::Enforce(ban) => {
                    if self.kernel.insert(ban.subject, ban).is_none() {
                        self.dropped.push(ban.subject);
                    }
                }
                Output::Release(subject) => {
                    self.kernel.remove(&subject);
                }
                Output::Reconcile => {
                    let intent = self.node.as_ref().map(Node::intent).unwrap_or_default();
                    self.dropped.extend(intent.iter().map(|ban| ban.subject));
                    self.kernel = intent.into_iter().map(|ban| (ban.subject, ban)).collect();
                }
                Output::Send { to, bytes, .. } => sends.push((to, bytes)),
                Output::Stream { order, .. } => self.orders.push(order),
                Output::Keep(keep) => self.keep(keep),
                Output::Tell(event) => self.tell(&event),
                Output::Protect(_) | Output::Enforcing(_) | Output::Lockdown(_) | Output::Reply { .. } => {}
            }
        }
        sends
    }

    /// Remembers as the store does.
    fn keep(&mut self, keep: Keep) {
        let keep = if let Keep::Again(claim) = keep { Keep::Claim(claim) } else { keep };
        match &keep {
            Keep::Claim(claim) => self.forget(&Keep::claim_key(claim)),
            Keep::Forget { subject, reasons, spoofable } => {
                self.forget(&(*subject, *reasons, *spoofable));
                return;
            }
            Keep::Allow { .. } => self.store.retain(|kept| !matches!(kept, Keep::Allow { .. })),
            Keep::Mode { .. } => self.store.retain(|kept| !matches!(kept, Keep::Mode { .. })),
            Keep::Note { name, .. } => {
                self.store.retain(|kept| !matches!(kept, Keep::Note { name: other, .. } if other == name));
            }
            Keep::Pardoned { node } => {
                self.store.retain(|kept| !matches!(kept, Keep::Quarantined { node: liar, .. } if liar == node));
                return;
            }
            Keep::Again(_) | Keep::Unbanned { .. } | Keep::Record { .. } | Keep::Quarantined { .. } => {}
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

    /// What this node itself has said last about somebody: a ban or, with `unban`, an unban.
    pub(crate) fn said(&self, subject: &Subject, unban: bool) -> Option<(Arc<Record>, RecordId)> {
        let why = self.node.as_ref()?.why(subject.addr());
        let all = why.bans.into_iter().flat_map(|ban| ban.records).chain(why.records);
        let own = all.filter(|known| known.record.origin == self.identity && known.record.subject == *subject);
        let last = own.filter(|known| known.record.is_ban() != unban).max_by_key(|known| known.record.at)?;
        Some((last.record, RecordId(*blake3::hash(&last.raw).as_bytes())))
    }

    /// The records that this machine remembers, running or not.
    pub(crate) fn remembered(&self) -> impl Iterator<Item = RecordId> + '_ {
        let record = |keep: &Keep| if let Keep::Record { id, .. } = keep { Some(RecordId(*id)) } else { None };
        self.store.iter().filter_map(record)
    }

    /// How many others this node believes to be alive.
    pub(crate) fn met(&self) -> usize {
        self.node.as_ref().and_then(|node| node.status().clusters.first().map(|cluster| cluster.1)).unwrap_or(0)
    }

    /// Something that its kernel drops although it must never be banned.
    pub(crate) fn unforgivable(&self) -> Option<Subject> {
        let never = self.node.as_ref()?.protected();
        self.kernel.keys().find(|subject| never.iter().any(|one| one.net.contains(&subject.net()))).copied()
    }

    /// The other nodes as this one sees them.
    pub(crate) fn members(&self) -> Vec<Member> {
        let peers = self.node.iter().flat_map(Node::peers);
        peers.flat_map(|cluster| cluster.members).collect()
    }
}

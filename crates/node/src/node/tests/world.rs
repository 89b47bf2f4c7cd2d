//! A few nodes on one simulated wire, each with its own store and kernel.

use super::*;

/// How long a datagram travels.
const FLIGHT: Duration = Duration::from_millis(5);

pub(super) struct Machine {
    pub(super) node: Node,
    pub(super) store: Store,
    /// Replies to orders that were not there at once.
    pub(super) replies: Vec<(OrderId, Result<Done, Refused>)>,
    pub(super) kernel: BTreeMap<Subject, honeymesh_types::Enforcement>,
    pub(super) told: Vec<Event>,
    pub(super) sent: usize,
    /// Where it listens, one address a cluster.
    doors: Vec<SocketAddr>,
    /// How far its wall clock is behind.
    pub(super) behind: Duration,
}

/// What a store keeps.
#[derive(Clone, Default)]
pub(super) struct Store {
    claims: BTreeMap<(Subject, Reasons, bool), honeymesh_ledger::Claim>,
    unbanned: BTreeMap<Subject, Keep>,
    records: BTreeMap<[u8; 32], Keep>,
    notes: BTreeMap<String, Keep>,
    allow: Option<Keep>,
    quarantined: BTreeMap<honeymesh_types::NodeId, Keep>,
    mode: Option<Keep>,
}

impl Store {
    pub(super) fn keep(&mut self, keep: Keep) {
        match keep {
            Keep::Claim(claim) | Keep::Again(claim) => drop(self.claims.insert(Keep::claim_key(&claim), claim)),
            Keep::Forget { subject, reasons, spoofable } => {
                let gone = self.claims.remove(&(subject, reasons, spoofable));
                assert!(gone.is_some(), "told to forget what was never kept: {subject} {reasons}");
            }
            Keep::Unbanned { subject, .. } => drop(self.unbanned.insert(subject, keep)),
            Keep::Record { id, .. } => drop(self.records.insert(id, keep)),
            Keep::Note { ref name, .. } => drop(self.notes.insert(name.clone(), keep)),
            Keep::Quarantined { node, .. } => drop(self.quarantined.insert(node, keep)),
            Keep::Pardoned { node } => drop(self.quarantined.remove(&node)),
            Keep::Allow { .. } => self.allow = Some(keep),
            Keep::Mode { .. } => self.mode = Some(keep),
        }
    }

    pub(super) fn all(&self) -> Vec<Keep> {
        let claims = self.claims.values().cloned().map(Keep::Claim);
        let rest = self
            .records
            .values()
            .chain(self.notes.values())
            .chain(self.unbanned.values())
            .chain(&self.allow)
            .chain(&self.mode)
            .chain(self.quarantined.values())
            .cloned();
        rest.chain(claims).collect()
    }

    pub(super) fn claims(&self) -> usize {
        self.claims.len()
    }
}

struct Flying {
    at: MonoTime,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

pub(super) struct World {
    pub(super) now: Now,
    pub(super) machines: Vec<Machine>,
    flying: Vec<Flying>,
    /// Nodes whose datagrams are lost, both ways.
    pub(super) cut: Vec<u8>,
}

impl Machine {
    pub(super) fn new(config: Config, store: Store, now: Now) -> (Self, Vec<Output>) {
        let doors = config.clusters.iter().map(|cluster| cluster.mesh.advertise).collect();
        let mut node = Node::new(config, now);
        let mut out = Vec::new();
        node.restore(store.all(), now, &mut out);
        node.handle(Input::Network(NetworkFacts::default()), now, &mut out);
        (
            Self {
                node,
                store,
                replies: Vec::new(),
                kernel: BTreeMap::new(),
                told: Vec::new(),
                sent: 0,
                doors,
                behind: Duration::ZERO,
            },
            out,
        )
    }

    pub(super) fn drops(&self, who: &str) -> bool {
        self.kernel.contains_key(&subject(who))
    }

    pub(super) fn told(&self, kind: EventKind) -> Vec<&Event> {
        self.told.iter().filter(|event| event.kind == kind).collect()
    }
}

impl World {
    /// Nodes 1, 2, … as configured, all started at once and given time to meet.
    pub(super) fn new(configs: Vec<Config>) -> Self {
        let mut world = Self { now: START, machines: Vec::new(), flying: Vec::new(), cut: Vec::new() };
        for config in configs {
            let (machine, out) = Machine::new(config, Store::default(), START);
            world.machines.push(machine);
            world.carry_out(world.machines.len() - 1, out);
        }
        world.run(Duration::from_secs(20));
        world.machines.iter_mut().for_each(|machine| machine.told.clear());
        world
    }

    /// `count` nodes of one cluster that trust each other.
    pub(super) fn friends(count: u8) -> Self {
        Self::new((1..=count).map(|index| member(index, key(1), Trust::Enforce)).collect())
    }

    pub(super) fn one(&self, index: u8) -> &Machine {
        &self.machines[usize::from(index) - 1]
    }

    pub(super) fn feed(&mut self, index: u8, input: Input) -> Vec<Output> {
        let place = usize::from(index) - 1;
        let mut out = Vec::new();
        let now = self.clock(place);
        self.machines[place].node.handle(input, now, &mut out);
        self.carry_out(place, out.clone());
        out
    }

    pub(super) fn order(&mut self, index: u8, order: Order) -> Result<Done, Refused> {
        match self.feed(index, Input::Order { id: OrderId(1), order }).pop() {
            Some(Output::Reply { result, .. }) => result,
            other => panic!("{other:?}"),
        }
    }

    /// Stops a node as `kill -9` would and starts it again with what its store kept; its kernel held on meanwhile.
    pub(super) fn restart(&mut self, index: u8, config: Config) {
        let place = usize::from(index) - 1;
        let store = self.machines[place].store.clone();
        let (mut machine, out) = Machine::new(config, store, self.now);
        machine.kernel = core::mem::take(&mut self.machines[place].kernel);
        self.machines[place] = machine;
        self.carry_out(place, out);
    }

    pub(super) fn run(&mut self, by: Duration) {
        let end = later(self.now, by);
        while let Some(next) = self.next().filter(|next| *next <= end.mono) {
            self.now = later(self.now, next.since(self.now.mono));
            self.wake();
            self.deliver();
        }
        self.now = end;
    }

    /// What time it is on a machine.
    fn clock(&self, place: usize) -> Now {
        Now { wall: self.now.wall.minus(self.machines[place].behind), mono: self.now.mono }
    }

    fn next(&self) -> Option<MonoTime> {
        let wakes = self.machines.iter().filter_map(|machine| machine.node.wake_at());
        wakes.chain(self.flying.iter().map(|one| one.at)).min().map(|next| next.max(self.now.mono))
    }

    fn wake(&mut self) {
        for place in 0..self.machines.len() {
            if self.machines[place].node.wake_at().is_some_and(|wake| wake <= self.now.mono) {
                let mut out = Vec::new();
                let now = self.clock(place);
                self.machines[place].node.handle(Input::Wake, now, &mut out);
                self.carry_out(place, out);
            }
        }
    }

    fn deliver(&mut self) {
        let now = self.now.mono;
        let landed: Vec<Flying> = self.flying.extract_if(.., |one| one.at <= now).collect();
        for Flying { from, to, bytes, .. } in landed {
            let door =
                |place: usize| self.machines[place].doors.iter().position(|door| *door == to).map(|cluster| (place, cluster));
            let Some((place, cluster)) = (0..self.machines.len()).find_map(door) else { continue };
            if !self.is_cut(from) && !self.is_cut(to) {
                self.feed(u8::try_from(place + 1).unwrap(), Input::Datagram { cluster, from, bytes });
            }
        }
    }

    fn is_cut(&self, addr: SocketAddr) -> bool {
        self.cut.iter().any(|index| address(*index).ip() == addr.ip())
    }

    fn carry_out(&mut self, place: usize, out: Vec<Output>) {
        for output in out {
            let machine = &mut self.machines[place];
            match output {
                Output::Enforce(what) => drop(machine.kernel.insert(what.subject, what)),
                Output::Release(subject) => drop(machine.kernel.remove(&subject)),
                Output::Reconcile => {
                    machine.kernel = machine.node.intent().into_iter().map(|what| (what.subject, what)).collect();
                }
                Output::Keep(keep) => machine.store.keep(keep),
                Output::Tell(event) => machine.told.push(event),
                Output::Send { cluster, to, bytes } => {
                    machine.sent += 1;
                    let from = machine.doors[cluster];
                    self.flying.push(Flying { at: self.now.mono.plus(FLIGHT), from, to, bytes });
                }
                // Here are no streams: what is large goes over datagrams. And signatures are checked in the nodes.
                Output::Stream { .. }
                | Output::Check { .. }
                | Output::Protect(_)
                | Output::Enforcing(_)
                | Output::Lockdown(_) => {}
                Output::Reply { id, result } => machine.replies.push((id, result)),
            }
        }
    }
}

/// Node `index` in one cluster.
pub(super) fn member(index: u8, keys: KeyRing, trust: Trust) -> Config {
    Config { clusters: vec![cluster(index, keys, trust)], ..config(index) }
}

/// Node `index` in several clusters, whose names are letters; a cluster's first node in `firsts` is everybody's door there.
pub(super) fn member_of(index: u8, clusters: &[(char, u8)]) -> Config {
    let one = |(letter, first): &(char, u8)| {
        let mut one = cluster(index, key(*letter as u8), Trust::Enforce);
        let port = 7_000 + *letter as u16;
        one.mesh.cluster = format!("{letter}").parse().unwrap();
        one.mesh.advertise = SocketAddr::new(address(index).ip(), port);
        one.mesh.join = if index == *first { Vec::new() } else { vec![SocketAddr::new(address(*first).ip(), port)] };
        one.mesh.boot_salt += u64::from(port) << 48;
        one
    };
    Config { clusters: clusters.iter().map(one).collect(), ..config(index) }
}

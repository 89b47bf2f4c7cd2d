//! The world: what happens, in order.

use crate::{
    Memory, Options, Start,
    dice::Dice,
    host::Host,
    network::{Network, Traffic},
};
use honeymesh_detect::ScanPolicy;
use honeymesh_mesh_proto::{Key, KeyRing, Limits, Member, MemberState, Mesh, MeshStats};
use honeymesh_node::{ClusterConfig, Config, Input, Lifetime, Order, OrderId, Policy, Reach};
use honeymesh_types::{Now, Subject, Trust, WallTime};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    str::FromStr,
    time::Duration,
};

/// The first port that nodes listen on.
const PORT: u16 = 7_946;
/// How many addresses the nodes share.
const ADDRESSES: usize = 16;
/// How far apart nodes start.
const START_APART: Duration = Duration::from_micros(997);

/// Something that happens at a time, in microseconds since the start; what is due together happens in the order in
/// which it was planned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: u64,
    number: u64,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Deliver { to: usize, from: SocketAddr, bytes: Rc<[u8]> },
    Wake(usize),
    Start(usize),
}

/// To whom, from where, what.
type Copied = (usize, SocketAddr, Rc<[u8]>);

/// Many nodes and the network between them.
pub struct World {
    options: Options,
    dice: Dice,
    hosts: Vec<Host>,
    places: BTreeMap<SocketAddr, usize>,
    network: Network,
    queue: BinaryHeap<Reverse<Event>>,
    planned: u64,
    handled: u64,
    micros: u64,
    trace: blake3::Hasher,
    /// Datagrams that are written down, to be played back later, and for how many of the first nodes.
    tape: Option<(usize, Vec<Copied>)>,
}

impl World {
    /// A world in which every node starts within its first moments.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut dice = Dice::new(options.seed);
        let network = Network::new(options, Dice::new(dice.number()));
        let mut world = Self {
            options: options.clone(),
            hosts: Vec::new(),
            places: BTreeMap::new(),
            network,
            queue: BinaryHeap::new(),
            planned: 0,
            handled: 0,
            micros: 0,
            trace: blake3::Hasher::new(),
            tape: None,
            dice,
        };
        let key = Key::from_bytes(world.dice.bytes());
        for place in 0..options.nodes {
            world.add(&key, place);
        }
        if let Start::Known { .. } = options.start {
            world.introduce();
        }
        world
    }

    fn add(&mut self, key: &Key, place: usize) {
        let config = self.config(key, place);
        let addr = config.clusters[0].mesh.advertise;
        let skew = i64::try_from(self.options.skew.as_micros()).unwrap_or(i64::MAX);
        let span = u64::try_from(skew.saturating_mul(2)).unwrap_or(u64::MAX);
        let offset = i64::try_from(self.dice.below(span + 1)).unwrap_or(i64::MAX) - skew;
        self.hosts.push(Host::new(addr, config, offset));
        self.places.insert(addr, place);
        let apart = START_APART * u32::try_from(place).unwrap_or(u32::MAX);
        self.plan(apart, What::Start(place));
    }

    fn config(&mut self, key: &Key, place: usize) -> Config {
        let doors = match self.options.start {
            Start::Join { doors } | Start::Known { doors } => doors,
        };
        let name = format!("node-{place}");
        let mesh = honeymesh_mesh_proto::Config {
            cluster: named("sim"),
            node_name: named(&name),
            identity: self.dice.bytes().into(),
            advertise: address(place),
            keys: KeyRing::new(key.clone()),
            join: (0..doors).filter(|door| *door != place).map(address).collect(),
            members: Vec::new(),
            limits: Limits::default(),
            boot_salt: self.dice.number(),
            seed: self.dice.number(),
        };
        Config {
            name: mesh.node_name.clone(),
            policy: Policy::default(),
            scan: ScanPolicy::default(),
            clusters: vec![ClusterConfig { mesh, trust: Trust::Enforce }],
            allow: Vec::new(),
            seed: self.dice.number(),
        }
    }

    /// Tells every node of every other, as if it had met them in an earlier run.
    fn introduce(&mut self) {
        let members: Vec<Member> = self.hosts.iter().map(|host| member(host, self.micros)).collect();
        for host in &mut self.hosts {
            host.config.clusters[0].mesh.members.clone_from(&members);
        }
    }

    /// Adds a node that seals with another key. Returns its place.
    pub fn add_stranger(&mut self) -> usize {
        let place = self.hosts.len();
        let key = Key::from_bytes(self.dice.bytes());
        self.network.plug_in();
        self.add(&key, place);
        place
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let until = self.micros + u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        while let Some(Reverse(event)) = self.queue.peek()
            && event.at <= until
        {
            let Some(Reverse(event)) = self.queue.pop() else { break };
            self.micros = event.at;
            self.happen(event.what);
        }
        self.micros = until;
    }

    /// Lets time pass until something holds, looking every 100 milliseconds. Returns how long that took.
    pub fn run_until(&mut self, most: Duration, holds: impl Fn(&Self) -> bool) -> Option<Duration> {
        let step = Duration::from_millis(100);
        let mut passed = Duration::ZERO;
        while passed <= most {
            if holds(self) {
                return Some(passed);
            }
            self.run(step);
            passed += step;
        }
        None
    }

    fn happen(&mut self, what: What) {
        self.handled += 1;
        match what {
            What::Start(place) => {
                self.note(b"start", place, &[]);
                let sends = self.hosts[place].start(self.micros);
                self.after(place, sends);
            }
            What::Deliver { to, from, bytes } => {
                self.note(b"deliver", to, &bytes);
                let input = Input::Datagram { cluster: 0, from, bytes: bytes.to_vec() };
                self.give(to, input);
            }
            What::Wake(place) => {
                self.hosts[place].wake_due = None;
                if self.hosts[place].wake_at().is_some_and(|at| at.0 <= self.micros) {
                    self.give(place, Input::Wake);
                } else {
                    self.plan_wake(place);
                }
            }
        }
    }

    fn give(&mut self, place: usize, input: Input) {
        let sends = self.hosts[place].handle(input, self.micros);
        self.after(place, sends);
    }

    /// Sends what is to be sent and plans when the node is to be woken.
    fn after(&mut self, place: usize, sends: Vec<(SocketAddr, Vec<u8>)>) {
        let from = self.hosts[place].addr;
        for (addr, bytes) in sends {
            let bytes: Rc<[u8]> = bytes.into();
            let to = self.places.get(&addr).copied();
            for delay in self.network.carry(place, to, &bytes) {
                if let Some(to) = to {
                    self.plan(delay, What::Deliver { to, from, bytes: bytes.clone() });
                }
            }
            if let (Some((listeners, tape)), Some(to)) = (&mut self.tape, to)
                && to < *listeners
            {
                tape.push((to, from, bytes));
            }
        }
        self.plan_wake(place);
    }

    fn plan_wake(&mut self, place: usize) {
        let Some(at) = self.hosts[place].wake_at() else { return };
        let at = at.0.max(self.micros + 1);
        if self.hosts[place].wake_due.is_none_or(|due| due > at) {
            self.hosts[place].wake_due = Some(at);
            self.plan(Duration::from_micros(at - self.micros), What::Wake(place));
        }
    }

    fn plan(&mut self, later: Duration, what: What) {
        self.planned += 1;
        let at = self.micros + u64::try_from(later.as_micros()).unwrap_or(u64::MAX);
        self.queue.push(Reverse(Event { at, number: self.planned, what }));
    }

    fn note(&mut self, what: &[u8], place: usize, bytes: &[u8]) {
        self.trace.update(what).update(&self.micros.to_be_bytes()).update(&(place as u64).to_be_bytes()).update(bytes);
    }

    /// An operator on one node bans somebody everywhere.
    pub fn ban(&mut self, place: usize, subject: Subject, lifetime: Lifetime) {
        let note = Some(format!("by node {place}"));
        self.order(place, Order::Ban { subject, lifetime, note, reach: Reach::Mesh, force: false });
    }

    /// An operator on one node unbans somebody everywhere.
    pub fn unban(&mut self, place: usize, subject: Subject) {
        self.order(place, Order::Unban { subject, reach: Reach::Mesh });
    }

    fn order(&mut self, place: usize, order: Order) {
        self.note(b"order", place, format!("{order:?}").as_bytes());
        self.give(place, Input::Order { id: OrderId(self.handled), order });
    }

    /// Gives a node a datagram that nobody sent.
    pub fn inject(&mut self, place: usize, from: SocketAddr, bytes: Vec<u8>) {
        self.note(b"inject", place, &bytes);
        self.give(place, Input::Datagram { cluster: 0, from, bytes });
    }

    /// Splits the network into sides; nodes hear only their own.
    pub fn split(&mut self, side: impl Fn(usize) -> usize) {
        self.network.split(side);
    }

    /// Ends a split.
    pub fn heal(&mut self) {
        self.network.split(|_| 0);
    }

    /// Kills a node.
    pub fn stop(&mut self, place: usize, memory: Memory) {
        self.note(b"stop", place, &[]);
        self.hosts[place].stop(memory);
        // Nothing may repeat the salt of an earlier run: see `honeymesh_mesh_proto::Config`.
        let (salt, seed) = (self.dice.number(), self.dice.number());
        let mesh = &mut self.hosts[place].config.clusters[0].mesh;
        (mesh.boot_salt, mesh.seed) = (salt, seed);
        mesh.members.clear();
    }

    /// Starts a killed node again.
    pub fn start(&mut self, place: usize) {
        self.happen(What::Start(place));
    }

    /// Writes down every datagram to the first `listeners` nodes from now on, lost ones too.
    pub fn record(&mut self, listeners: usize) {
        self.tape = Some((listeners, Vec::new()));
    }

    /// Delivers everything that was written down once more, as an eavesdropper could.
    pub fn replay(&mut self) {
        let (_, tape) = self.tape.take().unwrap_or_default();
        for (to, from, bytes) in tape {
            self.inject(to, from, bytes.to_vec());
        }
    }

    /// How many nodes there are, strangers included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Is there no node?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// What a node bans, by its own account.
    #[must_use]
    pub fn bans(&self, place: usize) -> BTreeSet<Subject> {
        self.hosts[place].bans()
    }

    /// Does this node's kernel hold a ban of exactly this subject?
    #[must_use]
    pub fn drops(&self, place: usize, subject: &Subject) -> bool {
        self.hosts[place].kernel.contains_key(subject)
    }

    /// How many nodes' kernels hold a ban of exactly this subject.
    #[must_use]
    pub fn dropping(&self, subject: &Subject) -> usize {
        self.hosts.iter().filter(|host| host.kernel.contains_key(subject)).count()
    }

    /// How many others each node believes to be alive, the least and the most.
    #[must_use]
    pub fn members(&self) -> (usize, usize) {
        let live = |host: &Host| host.members().iter().filter(|member| member.state != MemberState::Down).count();
        let counts: Vec<usize> = self.hosts.iter().filter(|host| host.node.is_some()).map(live).collect();
        (counts.iter().copied().min().unwrap_or(0), counts.iter().copied().max().unwrap_or(0))
    }

    /// What a node's mesh has counted, and the fingerprint of its set.
    #[must_use]
    pub fn mesh(&self, place: usize) -> Option<(MeshStats, u128)> {
        let report = self.hosts[place].node.as_ref()?.peers().into_iter().next()?;
        Some((report.stats, report.fingerprint))
    }

    /// What the network has carried.
    #[must_use]
    pub const fn traffic(&self) -> Traffic {
        self.network.traffic
    }

    /// How many events the nodes have told.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.hosts.iter().map(|host| host.events).sum()
    }

    /// How much has happened, and how long that took by the simulation's own clock.
    #[must_use]
    pub const fn passed(&self) -> (u64, Duration) {
        (self.handled, Duration::from_micros(self.micros))
    }

    /// A hash of everything that has happened: the same for the same options and script.
    #[must_use]
    pub fn trace(&self) -> String {
        self.trace.finalize().to_hex().to_string()
    }
}

/// The address of a node: some share one and differ in their ports, as behind a translator.
fn address(place: usize) -> SocketAddr {
    let (port, host) = (place / ADDRESSES, place % ADDRESSES);
    let host = u32::try_from(host).unwrap_or(0);
    SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0001 + host), PORT.saturating_add(u16::try_from(port).unwrap_or(u16::MAX))))
}

/// A node as another one would remember it from an earlier run.
fn member(host: &Host, micros: u64) -> Member {
    let now = Now { wall: WallTime(host.now(micros).wall.0.saturating_sub(1_000_000)), ..host.now(micros) };
    let mesh = Mesh::new(host.config.clusters[0].mesh.clone(), now);
    Member { state: MemberState::Alive, ..mesh.me() }
}

/// A name that is made here, of letters, digits and dashes.
#[expect(clippy::panic, reason = "a simulation with a bad name is a mistake in this file, and there is nobody to tell")]
fn named<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is no name"))
}

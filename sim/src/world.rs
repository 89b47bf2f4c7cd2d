//! The world: what happens, in order.

mod look;
mod rotate;
mod streams;
mod watch;

pub use rotate::Rotation;
pub use watch::Watch;

use crate::{
    Memory, Misdeed, Options, Start,
    dice::Dice,
    host::Host,
    network::Network,
    rogue::{Rogue, Victim},
};
use honeymesh_detect::ScanPolicy;
use honeymesh_mesh_proto::{FixedMembers, Key, KeyRing, Limits, Member, MemberState, Mesh, StreamEvent};
use honeymesh_node::{ClusterConfig, Config, Input, Lifetime, Order, OrderId, Policy, Quorum, Reach, SlowPolicy};
use honeymesh_types::{Knock, KnockKind, Now, SessionId, Signs, Subject, Transport, Trust, Visit, WallTime};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    str::FromStr,
    time::Duration,
};
use streams::Streams;

/// The first port that nodes listen on.
const PORT: u16 = 7_946;
/// How many addresses the nodes share.
const ADDRESSES: usize = 16;
/// How far apart nodes start, ...
const START_APART: Duration = Duration::from_micros(997);
/// ... unless all of them would take longer than this: then closer together, or the first would take the last for dead.
const START_WITHIN: Duration = Duration::from_secs(2);

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
    Stream { to: usize, event: StreamEvent },
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
    streams: Streams,
    queue: BinaryHeap<Reverse<Event>>,
    planned: u64,
    handled: u64,
    micros: u64,
    trace: blake3::Hasher,
    /// The key that seals, and the one that shall.
    keys: (Key, Option<Key>),
    /// Whom everybody may know from an earlier run, how many of them, and who picks.
    acquaintances: Option<(Vec<Member>, Option<usize>, Dice)>,
    /// Bans whose way is followed.
    watches: BTreeMap<Subject, Watch>,
    /// Datagrams that are written down, to be played back later, and for how many of the first nodes.
    tape: Option<(usize, Vec<Copied>)>,
}

impl World {
    /// A world in which every node starts within its first moments.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let mut dice = Dice::new(options.seed);
        let network = Network::new(options, Dice::new(dice.number()));
        let key = Key::from_bytes(dice.bytes());
        let mut world = Self {
            options: options.clone(),
            hosts: Vec::new(),
            places: BTreeMap::new(),
            network,
            streams: Streams::default(),
            queue: BinaryHeap::new(),
            planned: 0,
            handled: 0,
            micros: 0,
            trace: blake3::Hasher::new(),
            tape: None,
            keys: (key.clone(), None),
            acquaintances: None,
            watches: BTreeMap::new(),
            dice,
        };
        for place in 0..options.nodes {
            world.add(&key, place);
        }
        let members = || world.hosts.iter().map(|host| member(host, 0)).collect::<Vec<_>>();
        match options.start {
            Start::Join { .. } => {}
            Start::Known { view, .. } => world.acquaintances = Some((members(), view, Dice::new(options.seed))),
            Start::Fixed => {
                let fixed = FixedMembers::new(&members());
                world.hosts.iter_mut().for_each(|host| host.fixed = Some(fixed.clone()));
            }
        }
        world
    }

    fn add(&mut self, key: &Key, place: usize) {
        let config = self.config(key, place);
        let addr = config.clusters[0].mesh.advertise;
        let skew = i64::try_from(self.options.skew.as_micros()).unwrap_or(i64::MAX);
        let span = u64::try_from(skew.saturating_mul(2)).unwrap_or(u64::MAX);
        let offset = i64::try_from(self.dice.below(span + 1)).unwrap_or(i64::MAX) - skew;
        let mut host = Host::new(addr, config, offset);
        if self.options.drift_ppm > 0 {
            let drift = self.dice.below(2 * u64::from(self.options.drift_ppm) + 1);
            host.drift_ppm = i64::try_from(drift).unwrap_or(0) - i64::from(self.options.drift_ppm);
        }
        self.hosts.push(host);
        self.places.insert(addr, place);
        let share = |time: Duration, parts: usize| time / u32::try_from(parts.max(1)).unwrap_or(u32::MAX);
        let apart = START_APART.min(share(START_WITHIN, self.options.nodes));
        self.plan(apart * u32::try_from(place).unwrap_or(u32::MAX), What::Start(place));
    }

    fn config(&mut self, key: &Key, place: usize) -> Config {
        let doors = match self.options.start {
            Start::Join { doors } | Start::Known { doors, .. } => doors,
            Start::Fixed => 0,
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
            admission: honeymesh_mesh_proto::Admission::default(),
            limits: Limits::default(),
            dial_out: place < self.options.nodes && place + self.options.dial_out >= self.options.nodes,
            boot_salt: self.dice.number(),
            seed: self.dice.number(),
        };
        Config {
            name: mesh.node_name.clone(),
            policy: Policy::default(),
            scan: ScanPolicy::default(),
            clusters: vec![ClusterConfig {
                mesh,
                trust: Trust::Enforce,
                quorum: Quorum::default(),
                slow: Some(SlowPolicy::default()),
            }],
            allow: Vec::new(),
            peers: Vec::new(),
            canaries: Vec::new(),
            bridges: Vec::new(),
            seed: self.dice.number(),
        }
    }

    /// Tells a node of others, as if it had met them in an earlier run.
    fn introduce(&mut self, place: usize) {
        let Some((members, view, dice)) = &mut self.acquaintances else { return };
        if self.hosts[place].has_started {
            return;
        }
        self.hosts[place].has_started = true;
        let known = &mut self.hosts[place].config.clusters[0].mesh.members;
        match *view {
            Some(view) if view < members.len() => {
                let mut picked = BTreeSet::new();
                while picked.len() < view {
                    picked.insert(usize::try_from(dice.below(members.len() as u64)).unwrap_or(0));
                }
                *known = picked.into_iter().map(|other| members[other].clone()).collect();
            }
            _ => known.clone_from(members),
        }
    }

    /// Adds a member that can be told to misbehave towards all nodes there are. Returns its place.
    pub fn add_rogue(&mut self) -> usize {
        let place = self.hosts.len();
        let victims = self.hosts.iter().filter(|host| host.rogue.is_none());
        let victims = victims.map(|host| Victim { addr: host.addr, node: host.identity }).collect();
        let (key, dice) = (self.keys.0.clone(), Dice::new(self.dice.number()));
        self.network.plug_in();
        self.add(&key, place);
        let host = &mut self.hosts[place];
        let config = host.config.clusters[0].mesh.clone();
        host.rogue = Some(Rogue::new(config, victims, dice, host.now(self.micros)));
        place
    }

    /// A member that [`World::add_rogue`] has added begins to misbehave.
    pub fn misbehave(&mut self, place: usize, misdeed: Misdeed, lasts: Duration) {
        let host = &mut self.hosts[place];
        let now = host.now(self.micros);
        if let Some(rogue) = &mut host.rogue {
            rogue.begin(misdeed, lasts, now);
        }
        self.plan_wake(place);
    }

    /// Adds a node that seals with another key. Returns its place.
    pub fn add_stranger(&mut self) -> usize {
        let place = self.hosts.len();
        let key = Key::from_bytes(self.dice.bytes());
        self.network.plug_in();
        self.add(&key, place);
        place
    }

    /// A node that was added and has not started yet can only dial out.
    pub fn cut_off(&mut self, place: usize) {
        self.hosts[place].config.clusters[0].mesh.dial_out = true;
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
                self.introduce(place);
                let sends = self.hosts[place].start(self.micros);
                self.after(place, sends);
            }
            What::Deliver { to, from, bytes } => {
                self.note(b"deliver", to, &bytes);
                let input = Input::Datagram { cluster: 0, from, bytes: bytes.to_vec() };
                self.give(to, input);
            }
            What::Stream { to, event } => self.hear_stream(to, event),
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
        self.note_drops(place);
        self.order_streams(place);
        let (from, is_cut_off) = (self.hosts[place].addr, self.hosts[place].is_dial_out());
        for (addr, bytes) in sends {
            let bytes: Rc<[u8]> = bytes.into();
            let to = self.places.get(&addr).copied().filter(|to| !is_cut_off && !self.hosts[*to].is_dial_out());
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
        self.order(place, Order::Unban { subject, reach: Reach::Mesh, wait: None });
    }

    /// Somebody outside finishes a handshake with a dark port of a node and says nothing.
    pub fn touch(&mut self, place: usize, source: IpAddr, port: u16) {
        self.note(b"touch", place, &port.to_be_bytes());
        let visit = Visit {
            at: self.clocks(place),
            session: SessionId(self.handled),
            trap: "dark".into(),
            service: "any".into(),
            source: SocketAddr::new(source, 40_000),
            local: SocketAddr::new(self.hosts[place].addr.ip(), port),
            transport: Transport::Tcp,
            payload: Vec::new(),
            bytes: 0,
            signs: Signs::DARK,
            fields: BTreeMap::new(),
            marks: None,
        };
        self.give(place, Input::Visit(visit));
    }

    /// Somebody forges SYNs of an address to dark ports of a node, enough of them to be silenced.
    pub fn forge(&mut self, place: usize, source: IpAddr) {
        self.note(b"forge", place, &[]);
        let knock = |kind| Knock {
            at: self.clocks(place),
            source,
            source_port: 40_000,
            dest: self.hosts[place].addr.ip(),
            port: 23,
            transport: Transport::Tcp,
            kind,
        };
        let knocks = [knock(KnockKind::Probe), knock(KnockKind::Scan { ports: vec![21, 22, 23], silenced: true })];
        for knock in knocks {
            self.give(place, Input::Knock(knock));
        }
    }

    /// Loses so many datagrams in a thousand from now on.
    pub fn set_loss(&mut self, per_mille: u32) {
        self.note(b"loss", 0, &per_mille.to_be_bytes());
        self.network.set_loss(per_mille);
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
        self.cut_streams();
    }

    /// Ends a split.
    pub fn heal(&mut self) {
        self.network.split(|_| 0);
    }

    /// Kills a node.
    pub fn stop(&mut self, place: usize, memory: Memory) {
        self.note(b"stop", place, &[]);
        self.end_streams_of(place);
        self.hosts[place].stop(memory);
        self.watches.values_mut().for_each(|watch| watch.give_up(place));
        // Nothing may repeat the salt of an earlier run: see `honeymesh_mesh_proto::Config`.
        let (salt, seed) = (self.dice.number(), self.dice.number());
        let mesh = &mut self.hosts[place].config.clusters[0].mesh;
        (mesh.boot_salt, mesh.seed) = (salt, seed);
        mesh.members.clear();
    }

    /// Does this node run? A member that was taken over is no node.
    #[must_use]
    pub fn runs(&self, place: usize) -> bool {
        self.hosts[place].node.is_some()
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

//! Tests of the node: tables of inputs and outputs, and a few nodes wired by hand.

extern crate std;

mod admission;
mod alone;
mod bridge;
mod dark;
mod full;
mod hostile;
mod judgement;
mod lease;
mod lockdown;
mod relay;
mod restart;
mod slow;
mod together;
mod world;

use super::*;
use crate::{ClusterConfig, Done, Keep, Lifetime, Order, OrderId, Reach, Refused};
use alloc::{collections::BTreeMap, format, string::ToString, vec};
use core::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use honeymesh_ledger::{Policy, Ttls};
use honeymesh_mesh_proto::{Key, KeyRing};
use honeymesh_types::{Fate, Grade, Knock, KnockKind, Lockdown, MonoTime, Reasons, Scope, SessionId, Signs, Transport, Visit};

const ATTACKER: &str = "203.0.113.7";
const START: Now = Now { wall: WallTime(1_800_000_000_000_000), mono: MonoTime(1_000_000_000) };

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

fn later(now: Now, by: Duration) -> Now {
    Now { wall: now.wall.plus(by), mono: now.mono.plus(by) }
}

fn config(index: u8) -> Config {
    Config {
        name: format!("edge-{index}").parse().unwrap(),
        policy: Policy::default(),
        scan: ScanPolicy::default(),
        clusters: Vec::new(),
        allow: Vec::new(),
        peers: Vec::new(),
        canaries: Vec::new(),
        bridges: Vec::new(),
        seed: u64::from(index),
    }
}

/// Where node `index` listens.
fn address(index: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, index)), 7_946)
}

fn key(fill: u8) -> KeyRing {
    KeyRing::new(Key::from_bytes([fill; 32]))
}

/// A cluster as node `index` knows it; node 1 is everybody's door.
fn cluster(index: u8, keys: KeyRing, trust: Trust) -> ClusterConfig {
    ClusterConfig {
        mesh: honeymesh_mesh_proto::Config {
            cluster: "primary".parse().unwrap(),
            node_name: format!("edge-{index}").parse().unwrap(),
            identity: zeroize::Zeroizing::new([index; 32]),
            advertise: address(index),
            keys,
            members: Vec::new(),
            admission: honeymesh_mesh_proto::Admission::default(),
            join: if index == 1 { Vec::new() } else { vec![address(1)] },
            limits: honeymesh_mesh_proto::Limits::default(),
            dial_out: false,
            boot_salt: u64::from(index) << 32,
            seed: u64::from(index),
        },
        trust,
        quorum: Quorum::default(),
        slow: None,
    }
}

fn facts() -> NetworkFacts {
    NetworkFacts {
        own: vec![ip("192.0.2.10"), ip("2001:db8:aa::10")],
        on_link: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8:aa::/64".parse().unwrap()],
        gateways: vec![ip("192.0.2.1")],
        resolvers: vec![ip("192.0.2.53")],
        operators: vec![ip("198.51.100.99")],
    }
}

fn visit(source: &str, payload: &[u8]) -> Visit {
    Visit {
        at: START,
        session: SessionId(1),
        trap: "ssh".into(),
        service: "ssh".into(),
        source: SocketAddr::new(ip(source), 51_514),
        local: SocketAddr::new(ip("192.0.2.10"), 22),
        transport: Transport::Tcp,
        payload: payload.to_vec(),
        bytes: payload.len() as u64,
        signs: Signs::empty(),
        fields: BTreeMap::new(),
        marks: None,
    }
}

fn knock(source: &str, kind: KnockKind) -> Knock {
    Knock {
        at: START,
        source: ip(source),
        source_port: 40_000,
        dest: ip("192.0.2.10"),
        port: 23,
        transport: Transport::Tcp,
        kind,
    }
}

fn scan(source: &str, silenced: bool) -> Input {
    Input::Knock(knock(source, KnockKind::Scan { ports: vec![22, 23, 80], silenced }))
}

fn ban_order(who: &str) -> Order {
    Order::Ban { subject: subject(who), lifetime: Lifetime::Default, note: None, reach: Reach::Mesh, force: false }
}

fn unban_order(who: &str) -> Order {
    Order::Unban { subject: subject(who), reach: Reach::Mesh, wait: None }
}

/// A node with its clock.
struct Bench {
    node: Node,
    now: Now,
}

impl Bench {
    fn new(config: Config) -> Self {
        let mut bench = Self { node: Node::new(config, START), now: START };
        bench.node.restore(Vec::new(), START, &mut Vec::new());
        bench.feed(Input::Network(facts()));
        bench
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.node.handle(input, self.now, &mut out);
        out
    }

    fn order(&mut self, order: Order) -> (Vec<Output>, Result<Done, Refused>) {
        let mut out = self.feed(Input::Order { id: OrderId(9), order });
        match out.pop() {
            Some(Output::Reply { id: OrderId(9), result }) => (out, result),
            other => panic!("no reply at the end: {other:?}"),
        }
    }

    /// Lets time pass, waking the node whenever it wants.
    fn pass(&mut self, by: Duration) -> Vec<Output> {
        let end = later(self.now, by);
        let mut out = Vec::new();
        while let Some(wake) = self.node.wake_at().filter(|wake| *wake <= end.mono) {
            self.now = later(self.now, wake.since(self.now.mono));
            out.extend(self.feed(Input::Wake));
        }
        self.now = end;
        out
    }
}

/// Outputs as short words.
fn words(out: &[Output]) -> Vec<String> {
    out.iter().map(word).collect()
}

fn word(output: &Output) -> String {
    match output {
        Output::Enforce(what) => format!("enforce {} {}", what.subject, what.scope),
        Output::Release(subject) => format!("release {subject}"),
        Output::Protect(nets) => format!("protect {}", nets.len()),
        Output::Enforcing(on) => format!("enforcing {on}"),
        Output::Lockdown(Lockdown::Off) => "lockdown off".into(),
        Output::Lockdown(Lockdown::Until(_)) => "lockdown on trial".into(),
        Output::Lockdown(Lockdown::Confirmed) => "lockdown confirmed".into(),
        Output::Reconcile => "reconcile".into(),
        Output::Keep(Keep::Claim(claim)) => format!("keep {} {}", claim.subject, claim.reasons),
        Output::Keep(Keep::Again(claim)) => format!("again {} {}", claim.subject, claim.reasons),
        Output::Keep(Keep::Forget { subject, reasons, .. }) => format!("forget {subject} {reasons}"),
        Output::Keep(Keep::Unbanned { subject, .. }) => format!("unbanned {subject}"),
        Output::Keep(Keep::Record { subject, .. }) => format!("record {subject}"),
        Output::Keep(Keep::Note { name, .. }) => format!("note {name}"),
        Output::Keep(Keep::Allow { .. }) => "keep allow".into(),
        Output::Keep(Keep::Quarantined { node, .. }) => format!("quarantined {node:.8}"),
        Output::Keep(Keep::Pardoned { node }) => format!("pardoned {node:.8}"),
        Output::Keep(Keep::Mode { mode, .. }) => format!("keep {mode}"),
        Output::Send { .. } => "send".into(),
        Output::Stream { .. } => "stream".into(),
        Output::Check { .. } => "check".into(),
        Output::Tell(event) => format!("tell {}", event.kind),
        Output::Reply { .. } => "reply".into(),
    }
}

fn events(out: &[Output], kind: EventKind) -> Vec<&Event> {
    let event = |output: &'_ Output| matches!(output, Output::Tell(event) if event.kind == kind);
    out.iter()
        .filter(|output| event(output))
        .filter_map(|output| if let Output::Tell(event) = output { Some(event) } else { None })
        .collect()
}

fn field<'a>(event: &'a Event, name: &str) -> &'a str {
    event.fields.get(name).map_or("", String::as_str)
}

//! How long a late joiner takes: two whole nodes behind real sockets, everything but kernel table and store.

use super::*;
use crate::daemon::checks::{Checks, Done, Job};
use honeymesh_mesh::Options;
use honeymesh_mesh_proto::{Effect, Key, KeyRing, Limits, Mesh, Said, Statement};
use honeymesh_node::{ClusterConfig, Config, Input, Keep, Node, Output, Policy};
use honeymesh_types::{Grade, Reasons, Scope, Subject, Trust, WallTime};
use std::time::{Duration, Instant, SystemTime};

/// As many as the figure in docs/mesh/streams.md speaks of where code is optimised; few where it is not.
const BANS: u32 = if cfg!(debug_assertions) { 5_000 } else { 100_000 };
/// Twice what was measured on two cores, where code is optimised.
const WITHIN: Duration = if cfg!(debug_assertions) { Duration::from_secs(60) } else { Duration::from_millis(3_000) };
/// Who said them: no origin may say more than half of them.
const ORIGINS: u8 = 4;

fn now() -> Now {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let mono = START.get_or_init(Instant::now).elapsed();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Now { wall: WallTime(u64::try_from(wall.as_micros()).unwrap()), mono: MonoTime(u64::try_from(mono.as_micros()).unwrap() + 1) }
}

fn mesh_config(n: u8, advertise: SocketAddr, join: Vec<SocketAddr>) -> honeymesh_mesh_proto::Config {
    honeymesh_mesh_proto::Config {
        cluster: "m".parse().unwrap(),
        node_name: format!("node-{n}").parse().unwrap(),
        identity: [n; 32].into(),
        advertise,
        keys: KeyRing::new(Key::from_bytes([1; 32])),
        join,
        members: Vec::new(),
        admission: honeymesh_mesh_proto::Admission::default(),
        limits: Limits::default(),
        dial_out: false,
        boot_salt: u64::from(n),
        seed: u64::from(n),
    }
}

/// What some nodes have said, signed by each.
fn said() -> Vec<Keep> {
    let anywhere: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let mut kept = Vec::new();
    for origin in 0..ORIGINS {
        let mut mesh = Mesh::new(mesh_config(100 + origin, anywhere, Vec::new()), now());
        let mut out: Vec<Effect> = Vec::new();
        for number in 0..BANS / u32::from(ORIGINS) {
            let [_, _, c, d] = number.to_be_bytes();
            let subject: Subject = format!("{}.7.{c}.{d}", 60 + origin).parse().unwrap();
            let (reasons, grade, scope) = (Reasons::TRAP, Grade::Payload, Scope::All);
            let ttl = Duration::from_secs(3_600);
            let said = Said::Ban { reasons, grade, scope, ttl, score: 50, note: None };
            let signed = mesh.publish(Statement { subject, said }, now(), &mut out).unwrap();
            out.clear();
            let expires = signed.record.until();
            kept.push(Keep::Record { cluster: "m".parse().unwrap(), subject, id: signed.id().0, raw: signed.raw, expires });
        }
    }
    kept
}

/// A node and everything that carries for it.
struct House {
    node: Node,
    sender: Sender,
    datagrams: mpsc::Receiver<Datagram>,
    streams: Vec<Streams>,
    news: mpsc::Receiver<StreamNews>,
    checks: Checks,
    checked: mpsc::UnboundedReceiver<Done>,
    longest: Duration,
}

/// Ports that the kernel may choose for datagrams and have for streams of somebody else already.
const TAKEN_MAX: usize = 16;

/// A port for datagrams, and the same one for streams.
fn port_and_door() -> (Port, StreamDoor) {
    let both = || {
        let listen = "127.0.0.1:0".parse().unwrap();
        let options = Options { cluster: "m".parse().unwrap(), listen, datagram_bytes_max: 1_400, queue_max: QUEUE_MAX };
        let port = Port::bind(options).unwrap();
        let door = StreamDoor::bind(port.local()).ok()?;
        Some((port, door))
    };
    (0..TAKEN_MAX).find_map(|_| both()).unwrap()
}

impl House {
    fn open(n: u8, join: Vec<SocketAddr>) -> (Self, SocketAddr) {
        let (port, door) = port_and_door();
        let (addr, signer) = (port.local(), StreamSigner::new(&[n; 32].into()));
        let (senders, datagrams) = open(vec![port], now).unwrap();
        let (streams, news) = open_doors(vec![Door { cluster: "m".into(), door, signer }], &Handle::current()).unwrap();
        let config = Config {
            name: format!("node-{n}").parse().unwrap(),
            policy: Policy::default(),
            scan: honeymesh_detect::ScanPolicy::default(),
            clusters: vec![ClusterConfig {
                mesh: mesh_config(n, addr, join),
                trust: Trust::Enforce,
                quorum: honeymesh_node::Quorum::default(),
                slow: None,
            }],
            allow: Vec::new(),
            peers: Vec::new(),
            canaries: Vec::new(),
            bridges: Vec::new(),
            seed: n.into(),
        };
        let mut node = Node::new(config, now());
        node.check_elsewhere();
        let (done, checked) = mpsc::unbounded_channel();
        let checks = Checks::start(1, move |all| drop(done.send(all)));
        let sender = senders.into_iter().next().unwrap();
        (Self { node, sender, datagrams, streams, news, checks, checked, longest: Duration::ZERO }, addr)
    }

    fn take(&mut self, input: Input) {
        self.take_one(input);
        while let Some(done) = self.checks.next_here() {
            self.take_one(Input::Checked { cluster: 0, verdicts: done.verdicts });
        }
    }

    fn take_one(&mut self, input: Input) {
        let (began, mut out) = (Instant::now(), Vec::new());
        self.node.handle(input, now(), &mut out);
        self.longest = self.longest.max(began.elapsed());
        for output in out {
            match output {
                Output::Send { to, bytes, .. } => self.sender.send(to, &bytes),
                Output::Stream { order, .. } => obey(&self.streams[0], order),
                Output::Check { cluster, claims } => self.checks.add(Job { cluster, claims, evidence: MonoTime(0) }),
                _ => {}
            }
        }
    }

    async fn turn(&mut self) {
        let rest = self.node.wake_at().map_or(Duration::from_secs(1), |due| due.since(now().mono));
        tokio::select! {
            Some(datagram) = self.datagrams.recv() => {
                self.take(Input::Datagram { cluster: 0, from: datagram.from, bytes: datagram.bytes });
            }
            Some(done) = self.checked.recv() => self.take(Input::Checked { cluster: 0, verdicts: done.verdicts }),
            Some(news) = self.news.recv() => self.take(Input::Stream { cluster: 0, event: news.event }),
            () = tokio::time::sleep(rest) => self.take(Input::Wake),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_late_joiner_takes_everything_over_a_stream_with_every_signature_checked() {
    let (mut old, addr) = House::open(1, Vec::new());
    old.node.restore(said(), now(), &mut Vec::new());
    let all = old.node.bans().count();
    assert_eq!(all, BANS as usize);
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        while stopped.try_recv().is_err() {
            old.turn().await;
        }
        old.longest
    });
    let (mut new, _) = House::open(2, vec![addr]);
    let began = Instant::now();
    while new.node.peers()[0].stats.records < all {
        new.turn().await;
        assert!(began.elapsed() < WITHIN * 5, "{} of {all} after {:?}", new.node.peers()[0].stats.records, began.elapsed());
    }
    let took = began.elapsed();
    stop.send(()).unwrap();
    let serving_longest = serving.await.unwrap();
    let stats = new.node.peers()[0].stats.streams;
    eprintln!("{all} bans in {took:?}; the longest step took {:?} here and {serving_longest:?} there; {stats:?}", new.longest);
    assert_eq!((new.node.bans().count(), stats.bulk, stats.batches_split), (all, 1, 0));
    assert!(took < WITHIN, "{all} bans took {took:?}");
}

//! One node: a thread, a socket, and the daemon's own mesh.

use honeymesh_mesh_proto::{Claims, Config, Effect, Key, KeyRing, Limits, Mesh, Said, Statement, StreamEvent, StreamOrder};
use honeymesh_types::{Grade, MonoTime, Now, Reasons, Scope, Subject, WallTime};
use std::{
    collections::VecDeque,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

/// The longest sleep, so that orders and the end are noticed.
const NAP_MAX: Duration = Duration::from_millis(50);

/// Datagrams that are taken before signatures are checked.
const TAKEN_MAX: usize = 64;

/// A node has this record now.
pub struct Arrival {
    pub node: usize,
    pub subject: Subject,
    pub at: Instant,
}

/// A running node.
pub struct Node {
    pub addr: SocketAddr,
    /// Others that it holds for alive.
    pub live: Arc<AtomicUsize>,
    pub sent_bytes: Arc<AtomicU64>,
    pub records: Arc<AtomicUsize>,
    orders: mpsc::Sender<Vec<Subject>>,
    bell: UdpSocket,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// Starts a node that knocks at `join`.
    pub fn start(number: usize, join: Vec<SocketAddr>, began: Instant, arrivals: mpsc::Sender<Arrival>) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        grow(&socket);
        let addr = socket.local_addr().unwrap();
        let bell = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (orders, ordered) = mpsc::channel();
        let (live, sent_bytes, records) = Default::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let body = Body {
            number,
            bell: bell.local_addr().unwrap(),
            socket,
            began,
            ordered,
            arrivals,
            live: Arc::clone(&live),
            sent_bytes: Arc::clone(&sent_bytes),
            records: Arc::clone(&records),
            is_over: Arc::clone(&is_over),
        };
        let mut mesh = Mesh::new(config(number, addr, join), now(began));
        mesh.check_elsewhere();
        let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(move || body.live(mesh)).unwrap();
        Self { addr, live, sent_bytes, records, orders, bell, is_over, thread: Some(thread) }
    }

    /// Bans these.
    pub fn ban(&self, subjects: Vec<Subject>) {
        self.orders.send(subjects).unwrap();
        self.bell.send_to(&[], self.addr).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has panicked, or it ends now; the panic was printed.
            let _ = thread.join();
        }
    }
}

/// Asks the kernel for room, as the daemon does.
fn grow(socket: &UdpSocket) {
    use nix::sys::socket::{setsockopt, sockopt::RcvBuf};
    // What the kernel does not grant costs repairs.
    let _ = setsockopt(socket, RcvBuf, &(4 << 20));
}

fn config(number: usize, advertise: SocketAddr, join: Vec<SocketAddr>) -> Config {
    let mut identity = [7; 32];
    identity[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Config {
        cluster: "bench".parse().unwrap(),
        node_name: format!("node-{number}").parse().unwrap(),
        identity: identity.into(),
        advertise,
        keys: KeyRing::new(Key::from_bytes([1; 32])),
        join,
        members: Vec::new(),
        admission: honeymesh_mesh_proto::Admission::default(),
        limits: Limits::default(),
        dial_out: false,
        boot_salt: u64::from(std::process::id()) << 32 | number as u64,
        seed: number as u64,
    }
}

fn now(began: Instant) -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Now {
        wall: WallTime(u64::try_from(wall.as_micros()).unwrap()),
        mono: MonoTime(u64::try_from(began.elapsed().as_micros()).unwrap()),
    }
}

/// What is to be done.
#[derive(Default)]
struct Todo {
    effects: Vec<Effect>,
    claims: VecDeque<Claims>,
}

/// What the thread owns.
struct Body {
    number: usize,
    bell: SocketAddr,
    socket: UdpSocket,
    began: Instant,
    ordered: mpsc::Receiver<Vec<Subject>>,
    arrivals: mpsc::Sender<Arrival>,
    live: Arc<AtomicUsize>,
    sent_bytes: Arc<AtomicU64>,
    records: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Body {
    fn live(self, mut mesh: Mesh) {
        let (mut buffer, mut todo) = ([0; 2_048], Todo::default());
        while !self.is_over.load(Relaxed) {
            let nap = mesh.wake_at().since(now(self.began).mono).clamp(Duration::from_micros(50), NAP_MAX);
            self.socket.set_read_timeout(Some(nap)).unwrap();
            if self.take(&mut buffer, &mut mesh, &mut todo) {
                // What came meanwhile is taken before signatures are checked: the daemon checks those on another thread.
                self.socket.set_nonblocking(true).unwrap();
                let _ = (1..TAKEN_MAX).all(|_| self.take(&mut buffer, &mut mesh, &mut todo));
                self.socket.set_nonblocking(false).unwrap();
            }
            if mesh.wake_at() <= now(self.began).mono {
                mesh.wake(now(self.began), &mut todo.effects);
            }
            self.carry_out(&mut mesh, &mut todo);
            while let Some(claims) = todo.claims.pop_front() {
                mesh.checked(claims.check(), now(self.began), &mut todo.effects);
                self.carry_out(&mut mesh, &mut todo);
            }
            self.show(&mesh);
        }
    }

    /// Takes one datagram, and does at once what follows from it but checks. False: there is none.
    fn take(&self, buffer: &mut [u8], mesh: &mut Mesh, todo: &mut Todo) -> bool {
        match self.socket.recv_from(buffer) {
            Ok((_, from)) if from == self.bell => self.obey(mesh, todo),
            Ok((len, from)) => mesh.datagram(from, &buffer[..len], now(self.began), &mut todo.effects),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "node {}: {error}", self.number);
                return false;
            }
        }
        self.carry_out(mesh, todo);
        true
    }

    /// Each order by itself, and what it wants sent at once, as the daemon does.
    fn obey(&self, mesh: &mut Mesh, todo: &mut Todo) {
        for subject in self.ordered.try_iter().flatten() {
            let ttl = Duration::from_secs(3_600);
            let said = Said::Ban { reasons: Reasons::TRAP, grade: Grade::Payload, scope: Scope::All, ttl, score: 60, note: None };
            mesh.publish(Statement { subject, said }, now(self.began), &mut todo.effects).unwrap();
            self.carry_out(mesh, todo);
        }
    }

    fn carry_out(&self, mesh: &mut Mesh, todo: &mut Todo) {
        while !todo.effects.is_empty() {
            for effect in core::mem::take(&mut todo.effects) {
                self.carry_out_one(effect, mesh, todo);
            }
        }
    }

    fn carry_out_one(&self, effect: Effect, mesh: &mut Mesh, todo: &mut Todo) {
        match effect {
            // A full buffer loses it, as a network would.
            Effect::Send { to, bytes } => drop(self.socket.send_to(&bytes, to)),
            Effect::Check(claims) => todo.claims.push_back(claims),
            Effect::Record { signed } => {
                let arrival = Arrival { node: self.number, subject: signed.record.subject, at: Instant::now() };
                // Nobody listens any more when the measurement is over.
                let _ = self.arrivals.send(arrival);
            }
            // Here are no streams: what is large goes over datagrams.
            Effect::Stream(StreamOrder::Dial { to, .. }) => {
                mesh.stream(StreamEvent::Failed { to }, now(self.began), &mut todo.effects);
            }
            _ => {}
        }
    }

    fn show(&self, mesh: &Mesh) {
        self.live.store(mesh.live(), Relaxed);
        self.sent_bytes.store(mesh.sent_bytes(), Relaxed);
        self.records.store(mesh.len(), Relaxed);
    }
}

//! Streams: TCP on the number of the UDP port, TLS 1.3 with the nodes' identity keys, frames in both directions.
//!
//! Nothing here decides who may come: a stream is handed out as [`Event::Opened`] with the other end's key and a secret of the
//! session, one small frame of the other end is read, and then no more until [`Streams::admit`]. Every stage has a bound and a
//! deadline, and whoever runs into one is closed and counted.

mod gate;
mod link;
mod tls;

use crate::{StreamCounters, StreamTraffic, counters::count};
use gate::{Gate, Pass};
use honeymesh_types::NodeId;
use std::{
    collections::BTreeMap,
    fmt,
    io::{self},
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

/// How long TCP and TLS may take, of a caller and of who is called.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// How long a stream may wait to be admitted after that.
pub const PROOF_DEADLINE: Duration = Duration::from_secs(5);
/// How long a stream may be silent.
pub const IDLE_DEADLINE: Duration = Duration::from_secs(60);
/// How long one frame may take to arrive once it has begun, or to leave.
pub const FRAME_DEADLINE: Duration = Duration::from_secs(20);
/// How long what waits to leave may take once a stream is ended from this side.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// Streams that are not admitted yet, of all sources; more are closed at once.
pub const UNPROVEN_MAX: usize = 16;
/// Streams that are not admitted yet, of one source (an IPv4 address, an IPv6 /64).
pub const UNPROVEN_PER_SOURCE_MAX: usize = 4;
/// Streams with one identity.
pub const PER_PEER_MAX: usize = 4;
/// Streams that this node opens at once.
pub const DIALS_MAX: usize = 4;
/// Bytes of frames that wait to leave on one stream; while there are more, nothing is read from it.
pub const OUTGOING_PAUSE_BYTES: usize = 256 << 10;
/// Bytes of frames that wait to leave on one stream at most; one more frame ends it.
pub const OUTGOING_BYTES_MAX: usize = 2 << 20;
/// Frames that wait to be taken, of all streams; while there are as many, nothing is read.
pub const EVENTS_MAX: usize = 16;
/// How long the door rests after an accept that failed, so that a lasting failure does not keep a core busy.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Who a node is in a handshake. Holds or reaches the secret; nobody here sees it.
pub trait Identity: fmt::Debug + Send + Sync + 'static {
    /// The Ed25519 public key.
    fn node(&self) -> NodeId;
    /// Signs the end of a TLS 1.3 handshake; `None` for anything else.
    fn sign(&self, message: &[u8]) -> Option<[u8; 64]>;
}

/// What streams must be told.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Whose streams they are: for logs, and bound into each session.
    pub cluster: String,
    /// Who this node is.
    pub identity: Arc<dyn Identity>,
    /// The longest frame of an admitted stream, in bytes.
    pub frame_bytes_max: usize,
    /// The longest frame before that.
    pub proof_bytes_max: usize,
    /// Streams at once, in and out.
    pub streams_max: usize,
}

/// What a stream does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is there. One frame is read from it, and no other before [`Streams::admit`].
    Opened {
        /// Its name: never used again.
        stream: u64,
        /// The key of the other end, which has proven that it holds the secret to it.
        peer: NodeId,
        /// Where the other end is; IPv4 is never written as IPv6.
        addr: SocketAddr,
        /// Whether this node called.
        dialled: bool,
        /// A secret that only the two ends share: the TLS exporter of this session.
        binding: [u8; 32],
    },
    /// It could not be opened.
    Failed {
        /// Where to.
        to: SocketAddr,
    },
    /// A frame.
    Frame {
        /// Of which stream.
        stream: u64,
        /// What is in it.
        frame: Vec<u8>,
    },
    /// It has ended. Told of every stream that was opened.
    Closed {
        /// Which.
        stream: u64,
    },
}

/// What is shared by all tasks.
struct Shared {
    options: StreamOptions,
    tls: tls::Tls,
    gate: Gate,
    links: Mutex<BTreeMap<u64, link::Handle>>,
    next: AtomicU64,
    events: mpsc::Sender<Event>,
    counters: Arc<StreamCounters>,
    dials: Arc<Semaphore>,
}

/// One cluster's streams. Cheap to clone; the last one dropped ends them all.
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
    runtime: Handle,
}

/// One cluster's door for streams, bound but not yet open.
#[derive(Debug)]
pub struct StreamDoor {
    listener: StdListener,
    local: SocketAddr,
}

impl StreamDoor {
    /// Binds the door. Needs no runtime, so that it can be done before privileges are given up.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn bind(listen: SocketAddr) -> io::Result<Self> {
        let listener = StdListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        Ok(Self { listener, local })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Opens the door on this runtime. What happens comes out of the receiver, whose being full is what holds others back.
    ///
    /// # Errors
    /// The identity cannot be used, or the runtime cannot watch the socket.
    pub fn open(self, options: StreamOptions, runtime: &Handle) -> io::Result<(Streams, mpsc::Receiver<Event>)> {
        let (events, arriving) = mpsc::channel(EVENTS_MAX);
        let counters = Arc::new(StreamCounters::default());
        let shared = Arc::new(Shared {
            tls: tls::Tls::new(&options).map_err(io::Error::other)?,
            gate: Gate::new(options.streams_max),
            options,
            links: Mutex::default(),
            next: AtomicU64::new(1),
            events,
            counters,
            dials: Arc::new(Semaphore::new(DIALS_MAX)),
        });
        let _inside = runtime.enter();
        let listener = TcpListener::from_std(self.listener)?;
        runtime.spawn(accept(listener, Arc::downgrade(&shared)));
        Ok((Streams { shared, runtime: runtime.clone() }, arriving))
    }
}

impl Streams {
    /// Calls a node: [`Event::Opened`] or [`Event::Failed`] follows. Whoever is there must hold this key; without one it may be
    /// anybody.
    pub fn dial(&self, to: SocketAddr, expect: Option<NodeId>) {
        let shared = self.shared.clone();
        match shared.dials.clone().try_acquire_owned() {
            Ok(permit) => drop(self.runtime.spawn(call(shared, to, expect, permit))),
            Err(_) => drop(self.runtime.spawn(async move {
                count(&shared.counters.dials_refused);
                let _ = shared.events.send(Event::Failed { to }).await;
            })),
        }
    }

    /// Sends a frame; a stream on which too much waits ends instead.
    pub fn send(&self, stream: u64, frame: Vec<u8>) {
        let mut links = self.shared.links();
        if links.get(&stream).is_some_and(|link| !link.push(frame)) {
            count(&self.shared.counters.stuck);
            links.remove(&stream);
        }
    }

    /// Sends a frame that may be lost: it is dropped and counted while more than [`OUTGOING_PAUSE_BYTES`] wait on that stream.
    pub fn offer(&self, stream: u64, frame: Vec<u8>) {
        let links = self.shared.links();
        if links.get(&stream).is_some_and(|link| !link.has_room() || !link.push(frame)) {
            count(&self.shared.counters.offers_dropped);
        }
    }

    /// Reads on, and longer frames.
    pub fn admit(&self, stream: u64) {
        if let Some(link) = self.shared.links().get(&stream) {
            link.admit();
        }
    }

    /// Ends a stream.
    pub fn close(&self, stream: u64) {
        self.shared.links().remove(&stream);
    }

    /// What was carried and refused so far.
    #[must_use]
    pub fn traffic(&self) -> StreamTraffic {
        StreamTraffic { open: self.shared.links().len() as u64, ..self.shared.counters.read() }
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("cluster", &self.shared.options.cluster).finish_non_exhaustive()
    }
}

impl Shared {
    fn links(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, link::Handle>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets callers in until nobody takes what they say.
async fn accept(listener: TcpListener, shared: std::sync::Weak<Shared>) {
    loop {
        let Some(events) = shared.upgrade().map(|shared| shared.events.clone()) else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = events.closed() => return,
        };
        let Some(shared) = shared.upgrade() else { return };
        match accepted {
            Ok((tcp, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                match shared.gate.enter(from.ip()) {
                    Some(pass) => drop(tokio::spawn(serve(shared, tcp, from, pass))),
                    None => count(&shared.counters.refused),
                }
            }
            Err(error) => {
                count(&shared.counters.accept_failed);
                tracing::debug!(cluster = %shared.options.cluster, %error, "an accept failed");
                tokio::time::sleep(REST_AFTER_FAILURE).await;
            }
        }
    }
}

/// A caller, from its first byte to its last.
async fn serve(shared: Arc<Shared>, tcp: TcpStream, from: SocketAddr, pass: Pass) {
    let _ = tcp.set_nodelay(true);
    match timeout(HANDSHAKE_DEADLINE, shared.tls.accept(tcp)).await {
        Ok(Ok((io, peer, binding))) => {
            link::run(shared, io, link::Known { peer, addr: from, dialled: false, binding }, Some(pass)).await;
        }
        Ok(Err(error)) => {
            count(&shared.counters.handshakes_failed);
            tracing::debug!(cluster = %shared.options.cluster, %from, %error, "a stream was refused");
        }
        Err(_) => count(&shared.counters.handshakes_late),
    }
}

/// Calls a node.
async fn call(shared: Arc<Shared>, to: SocketAddr, expect: Option<NodeId>, permit: OwnedSemaphorePermit) {
    let called = timeout(HANDSHAKE_DEADLINE, async {
        let socket = if to.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
        let tcp = socket.connect(to).await?;
        let _ = tcp.set_nodelay(true);
        shared.tls.connect(tcp, to, expect).await
    });
    match called.await {
        Ok(Ok((io, peer, binding))) => {
            drop(permit);
            link::run(shared, io, link::Known { peer, addr: to, dialled: true, binding }, None).await;
        }
        failed => {
            count(&shared.counters.dials_failed);
            if let Ok(Err(error)) = failed {
                tracing::debug!(cluster = %shared.options.cluster, %to, %error, "no stream could be opened");
            }
            let _ = shared.events.send(Event::Failed { to }).await;
        }
    }
}

#[cfg(test)]
mod tests;

//! Datagrams of banned and of honest sources that never stop, and every one of them counted.

use super::{PATIENCE, Peer, backend::HERE, ip, wait};
use std::{
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const PORT: u16 = 9_999;
/// Banned by itself, banned with its /24, and honest.
pub const SOURCES: [&str; 3] = ["192.0.2.2", "198.51.100.9", "192.0.2.3"];
/// Which of them is honest.
const HONEST: usize = 2;
/// Honest packets that may be under way: so few that no queue overflows.
const UNDER_WAY_MAX: u64 = 48;

#[derive(Default)]
struct Counts {
    sent: [AtomicU64; 3],
    heard: [AtomicU64; 3],
    stop: AtomicBool,
    all_sent: AtomicBool,
}

impl Counts {
    fn under_way(&self) -> u64 {
        self.sent[HONEST].load(SeqCst) - self.heard[HONEST].load(SeqCst)
    }
}

/// The traffic, until it is ended.
pub struct Traffic {
    counts: Arc<Counts>,
    hearing: JoinHandle<()>,
    sending: JoinHandle<()>,
}

impl Traffic {
    /// From the far end of the cable `hm0`, `hm1`.
    pub fn start(peer: &Peer) -> Self {
        ip("route add 198.51.100.0/24 dev hm0");
        let counts = Arc::new(Counts::default());
        let socket = UdpSocket::bind((HERE, PORT)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (here, there) = (counts.clone(), counts.clone());
        let sending = peer.run(move || {
            ip("addr add 192.0.2.3/24 dev hm1");
            ip("addr add 198.51.100.9/32 dev hm1");
            thread::spawn(move || send(&there))
        });
        Self { counts, hearing: thread::spawn(move || hear(&here, &socket)), sending }
    }

    /// Waits until `more` packets of each source were sent from now on.
    pub fn flow(&self, more: u64) {
        let wanted: Vec<u64> = self.counts.sent.iter().map(|sent| sent.load(SeqCst) + more).collect();
        let is_sent = || self.counts.sent.iter().zip(&wanted).all(|(sent, wanted)| sent.load(SeqCst) >= *wanted);
        assert!(wait(is_sent), "the traffic stands still: {:?} of {wanted:?}", self.counts.sent);
    }

    /// Packets of each source that have come through so far.
    pub fn heard(&self) -> [u64; 3] {
        self.counts.heard.each_ref().map(|heard| heard.load(SeqCst))
    }

    /// Ends it. What was sent, and what has come through, of each source.
    pub fn end(self) -> ([u64; 3], [u64; 3]) {
        self.counts.stop.store(true, SeqCst);
        self.sending.join().unwrap();
        self.hearing.join().unwrap();
        (self.counts.sent.each_ref().map(|sent| sent.load(SeqCst)), self.counts.heard.each_ref().map(|heard| heard.load(SeqCst)))
    }
}

/// All in turn: a packet that is dropped must not make room for one that is not.
fn send(counts: &Counts) {
    let sockets = SOURCES.map(|from| {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.connect((HERE, PORT)).unwrap();
        socket
    });
    while !counts.stop.load(SeqCst) {
        if counts.under_way() >= UNDER_WAY_MAX {
            thread::yield_now();
            continue;
        }
        for (socket, sent) in sockets.iter().zip(&counts.sent) {
            // Counted first, so that nothing has arrived before it was sent.
            sent.fetch_add(1, SeqCst);
            if socket.send(b"x").is_err() {
                sent.fetch_sub(1, SeqCst);
            }
        }
    }
    counts.all_sent.store(true, SeqCst);
}

fn hear(counts: &Counts, socket: &UdpSocket) {
    let sources: [IpAddr; 3] = SOURCES.map(|from| from.parse().unwrap());
    let mut heard = Instant::now();
    while !counts.all_sent.load(SeqCst) || (counts.under_way() > 0 && heard.elapsed() < PATIENCE) {
        let Ok((_, from)) = socket.recv_from(&mut [0; 4]) else { continue };
        heard = Instant::now();
        let source = sources.iter().position(|source| *source == from.ip()).unwrap();
        counts.heard[source].fetch_add(1, SeqCst);
    }
}

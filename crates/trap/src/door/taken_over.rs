//! A trap that is kept while somebody has taken over the process that plays it.

use crate::{
    Household, Limits, Options, RoomLine, StatusReader, TrapOptions, TrapStatus, bind,
    line::{Arrivals, lines},
    wire::{self, ADMISSION_BYTES_MAX, Admission, Evidence},
};
use honeymesh_trap_proto::{Definition, Findings, Leaves, Persona, Service, TRANSFER_BYTES, Transfer};
use honeymesh_types::{Now, Signs, Visit};
use std::{io, net::SocketAddr, os::fd::OwnedFd, time::Duration};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for a datagram on loopback.
pub(super) const SILENCE: Duration = Duration::from_millis(150);

/// A trap that is kept, and what somebody has who took over the process that plays it.
pub(super) struct TakenOver {
    pub(super) address: SocketAddr,
    pub(super) visits: mpsc::Receiver<Visit>,
    pub(super) status: StatusReader,
    arrivals: Arrivals,
    evidence: OwnedFd,
    _rooms: RoomLine,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl TakenOver {
    pub(super) fn keep(listen: &str) -> Self {
        Self::playing("sip", listen)
    }

    pub(super) fn playing(service: &str, listen: &str) -> Self {
        let service =
            Service::define(&Definition { service: service.into(), ..Definition::default() }, &Persona::of([7; 32])).unwrap();
        let trap = TrapOptions { name: "bait".into(), service, listen: vec![listen.parse().unwrap()] };
        let bound = bind(Options { traps: vec![trap], dark: None, limits: Limits::default() }).unwrap();
        let (line, rooms) = lines().unwrap();
        let (visit_sender, visits) = mpsc::channel(1_024);
        let (address, status) = (bound.addresses()[0].1, bound.status());
        let household = Household { visits: visit_sender, news: mpsc::channel(1).0, clock: Now::default };
        let (shutdown, wanted) = oneshot::channel();
        let task = tokio::spawn(bound.keep(line, household, async move { drop(wanted.await) }));
        let (_, evidence) = rooms.try_clone().unwrap().into_descriptors();
        let arrivals = rooms.try_clone().unwrap().listen().unwrap().0;
        Self { address, visits, status, arrivals, evidence, _rooms: rooms, shutdown: Some(shutdown), task }
    }

    /// The next datagram as the process gets it: its number, the place of the nonce, its octets.
    pub(super) async fn datagram(&self) -> (u64, Option<u16>, Vec<u8>) {
        let (number, nonce_at, _, bytes) = self.whole_datagram().await;
        (number, nonce_at, bytes)
    }

    /// The same with what is known of its transfer.
    pub(super) async fn whole_datagram(&self) -> (u64, Option<u16>, Option<[u8; TRANSFER_BYTES]>, Vec<u8>) {
        let mut message = vec![0; ADMISSION_BYTES_MAX];
        let arrived = timeout(PATIENCE, self.arrivals.next(&mut message)).await.expect("nothing is handed over").unwrap();
        match arrived.unwrap() {
            (Admission::Datagram { number, port, nonce_at, transfer, bytes, .. }, None) => {
                assert_eq!(port, self.address.port(), "the process hears of the trap's port alone");
                (number, nonce_at, transfer, bytes)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next message, with its connection if there is one.
    pub(super) async fn admission(&self) -> (Admission, Option<OwnedFd>) {
        let mut message = vec![0; ADMISSION_BYTES_MAX];
        timeout(PATIENCE, self.arrivals.next(&mut message)).await.expect("nothing is handed over").unwrap().unwrap()
    }

    /// Waits until so many words were about nobody.
    pub(super) async fn until_strays(&self, strays: u64) {
        timeout(PATIENCE, async {
            while self.status.house().strays < strays {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .expect("its words are believed");
    }

    /// Is nothing handed over for a while?
    pub(super) async fn hears_nothing(&self) -> bool {
        let mut message = vec![0; ADMISSION_BYTES_MAX];
        timeout(SILENCE, self.arrivals.next(&mut message)).await.is_err()
    }

    /// The traps close.
    pub(super) async fn close(mut self) {
        drop(self.shutdown.take());
        // The process would end with its line.
        drop((self.evidence, self._rooms, self.arrivals));
        timeout(PATIENCE, self.task).await.expect("they do not close").unwrap().unwrap();
    }

    pub(super) fn say(&self, evidence: &Evidence<'_>) {
        rustix::io::write(&self.evidence, &evidence.to_bytes()).unwrap();
    }

    /// Gives whether there was.
    pub(super) fn say_if_there_is_room(&self, evidence: &Evidence<'_>) -> bool {
        rustix::io::write(&self.evidence, &evidence.to_bytes()).is_ok()
    }

    pub(super) fn answer(&self, number: u64, nonce_at: Option<u16>, bytes: &[u8]) {
        self.say(&Evidence::Answer { number, nonce_at, leaves: Leaves::Asked, bytes });
    }

    /// Answers from a port of its own, which waits so long.
    pub(super) fn answer_apart(&self, number: u64, wait_ms: u32, known: u8, bytes: &[u8]) {
        let leaves = Leaves::Own(Transfer { wait_ms, known: [known; TRANSFER_BYTES] });
        self.say(&Evidence::Answer { number, nonce_at: None, leaves, bytes });
    }

    pub(super) fn report(&self, number: u64, signs: Signs) {
        let body = wire::body(&Findings { signs, ..Findings::default() }, None, b"");
        for packet in wire::packets(number, 0, signs, &body) {
            rustix::io::write(&self.evidence, &packet).unwrap();
        }
    }

    pub(super) async fn visit(&mut self) -> Visit {
        timeout(PATIENCE, self.visits.recv()).await.expect("no visit came").expect("the trap is closed")
    }

    pub(super) fn status(&self) -> TrapStatus {
        self.status.read().remove(0)
    }

    pub(super) async fn eventually(&self, is_so: impl Fn(&TrapStatus) -> bool) {
        timeout(PATIENCE, async {
            while !is_so(&self.status()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("it never became so: {:?}", self.status()));
    }
}

pub(super) async fn client(to: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(to).await.unwrap();
    client
}

/// The next answer.
pub(super) async fn heard(client: &UdpSocket) -> Vec<u8> {
    let mut bytes = [0; 4_096];
    let length = timeout(PATIENCE, client.recv(&mut bytes)).await.expect("no answer came").unwrap();
    bytes[..length].to_vec()
}

/// Does no answer come for a while?
pub(super) async fn hears_nothing(client: &UdpSocket) -> bool {
    timeout(SILENCE, client.recv(&mut [0; 4_096])).await.is_err()
}

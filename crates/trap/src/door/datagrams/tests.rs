//! Datagrams against a process that answers too much, too often, to others, or not at all.

use crate::{
    Household, Limits, Options, RoomLine, StatusReader, TrapOptions, TrapStatus, bind,
    line::{Arrivals, lines},
    wire::{self, ADMISSION_BYTES_MAX, Admission, Evidence},
};
use honeymesh_trap_proto::{Definition, Findings, NONCE_BYTES, Persona, Service};
use honeymesh_types::{Now, Signs, Visit};
use std::{io, net::SocketAddr, os::fd::OwnedFd, time::Duration};
use tokio::{net::UdpSocket, sync::mpsc, task::JoinHandle, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for a datagram on loopback.
const SILENCE: Duration = Duration::from_millis(150);

/// A trap that is kept, and what somebody has who took over the process that plays it.
struct TakenOver {
    address: SocketAddr,
    visits: mpsc::Receiver<Visit>,
    status: StatusReader,
    arrivals: Arrivals,
    evidence: OwnedFd,
    _rooms: RoomLine,
    _task: JoinHandle<io::Result<()>>,
}

impl TakenOver {
    fn keep(listen: &str) -> Self {
        let service =
            Service::define(&Definition { service: "sip".into(), ..Definition::default() }, &Persona::of([7; 32])).unwrap();
        let trap = TrapOptions { name: "bait".into(), service, listen: vec![listen.parse().unwrap()] };
        let bound = bind(Options { traps: vec![trap], dark: None, limits: Limits::default() }).unwrap();
        let (line, rooms) = lines().unwrap();
        let (visit_sender, visits) = mpsc::channel(1_024);
        let (address, status) = (bound.addresses()[0].1, bound.status());
        let household = Household { visits: visit_sender, news: mpsc::channel(1).0, clock: Now::default };
        let task = tokio::spawn(bound.keep(line, household, std::future::pending()));
        let (_, evidence) = rooms.try_clone().unwrap().into_descriptors();
        let arrivals = rooms.try_clone().unwrap().listen().unwrap().0;
        Self { address, visits, status, arrivals, evidence, _rooms: rooms, _task: task }
    }

    /// The next datagram as the process gets it: its number, the place of the nonce, its octets.
    async fn datagram(&self) -> (u64, Option<u16>, Vec<u8>) {
        let mut message = vec![0; ADMISSION_BYTES_MAX];
        let arrived = timeout(PATIENCE, self.arrivals.next(&mut message)).await.expect("nothing is handed over").unwrap();
        match arrived.unwrap() {
            (Admission::Datagram { number, nonce_at, bytes, .. }, None) => (number, nonce_at, bytes),
            other => panic!("{other:?}"),
        }
    }

    fn say(&self, evidence: &Evidence<'_>) {
        rustix::io::write(&self.evidence, &evidence.to_bytes()).unwrap();
    }

    fn answer(&self, number: u64, nonce_at: Option<u16>, bytes: &[u8]) {
        self.say(&Evidence::Answer { number, nonce_at, bytes });
    }

    fn report(&self, number: u64, signs: Signs) {
        let body = wire::body(&Findings { signs, ..Findings::default() }, None, b"");
        for packet in wire::packets(number, 0, signs, &body) {
            rustix::io::write(&self.evidence, &packet).unwrap();
        }
    }

    async fn visit(&mut self) -> Visit {
        timeout(PATIENCE, self.visits.recv()).await.expect("no visit came").expect("the trap is closed")
    }

    fn status(&self) -> TrapStatus {
        self.status.read().remove(0)
    }

    async fn eventually(&self, is_so: impl Fn(&TrapStatus) -> bool) {
        timeout(PATIENCE, async {
            while !is_so(&self.status()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("it never became so: {:?}", self.status()));
    }
}

async fn client(to: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(to).await.unwrap();
    client
}

async fn heard(client: &UdpSocket) -> Option<Vec<u8>> {
    let mut bytes = [0; 4_096];
    let length = timeout(SILENCE, client.recv(&mut bytes)).await.ok()?.unwrap();
    Some(bytes[..length].to_vec())
}

#[tokio::test]
async fn a_process_that_was_taken_over_answers_once_to_the_sender_and_not_longer() {
    let kept = TakenOver::keep("127.0.0.1:0");
    let (one, other) = (client(kept.address).await, client(kept.address).await);
    one.send(b"12345678").await.unwrap();
    let (number, nonce_at, bytes) = kept.datagram().await;
    assert_eq!((nonce_at, bytes.as_slice()), (None, b"12345678".as_slice()));
    // Of numbers that nobody has.
    for stranger in [0, 1, number - 1, number + 1, u64::MAX] {
        kept.answer(stranger, None, b"x");
    }
    kept.answer(number, None, b"123456789");
    assert_eq!(heard(&one).await, None, "longer");
    kept.answer(number, None, b"1");
    assert_eq!(heard(&one).await, None, "it had its answer");
    one.send(b"abcdefgh").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, None, b"ABCDEFGH");
    kept.answer(number, None, b"again");
    assert_eq!(heard(&one).await.unwrap(), b"ABCDEFGH");
    assert_eq!(heard(&one).await, None, "once");
    one.send(b"").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, None, b"x");
    assert_eq!((heard(&one).await, heard(&other).await), (None, None), "nothing for nothing, and nobody else hears of it");
    kept.eventually(|status| (status.answered, status.answered_bytes, status.answers_refused) == (1, 8, 4)).await;
    assert_eq!(kept.status.house().strays, 5);
}

#[tokio::test]
async fn a_nonce_is_written_by_the_daemon_and_only_its_owner_brings_it_back() {
    let mut kept = TakenOver::keep("127.0.0.1:0");
    let (owner, forger) = (client(kept.address).await, client(kept.address).await);
    let long = [b'x'; 100];
    owner.send(&long).await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, Some(69), &long);
    assert_eq!(heard(&owner).await, None, "no room for it there");
    owner.send(&long).await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, Some(68), &long);
    let challenge = heard(&owner).await.unwrap();
    let nonce = &challenge[68..68 + NONCE_BYTES];
    assert!(nonce.iter().all(u8::is_ascii_hexdigit) && challenge[..68] == long[..68]);
    for (sender, place) in [(&owner, Some(2)), (&forger, None)] {
        sender.send(&[b"a ", nonce].concat()).await.unwrap();
        let (number, nonce_at, _) = kept.datagram().await;
        assert_eq!(nonce_at, place);
        // The process claims it in any case.
        kept.report(number, Signs::RETURNED | Signs::CREDENTIALS);
        let visit = kept.visit().await;
        assert_eq!(visit.signs.contains(Signs::RETURNED), place.is_some());
        assert_eq!((visit.source, visit.bytes), (sender.local_addr().unwrap(), 34));
    }
}

#[tokio::test]
async fn what_the_process_does_not_tell_is_told_with_what_was_sent() {
    let mut kept = TakenOver::keep("127.0.0.1:0");
    let guest = client(kept.address).await;
    guest.send(b"first").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.say(&Evidence::Over { session: number, lost: 1, fault: b"a.rs:1" });
    assert_eq!(kept.visit().await.payload, b"first");
    guest.send(b"second").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.say(&Evidence::Gone { status: 11 });
    assert_eq!(kept.visit().await.payload, b"second", "it died of it");
    kept.answer(number, None, b"x");
    guest.send(b"third").await.unwrap();
    let (number, ..) = kept.datagram().await;
    assert_eq!(kept.visit().await.payload, b"third", "it stands still");
    kept.report(number, Signs::BAIT);
    guest.send(b"fourth").await.unwrap();
    let (number, ..) = kept.datagram().await;
    for _ in 0..3 {
        kept.report(number, Signs::BAIT);
    }
    let visit = kept.visit().await;
    assert_eq!((visit.payload.as_slice(), visit.signs), (b"fourth".as_slice(), Signs::BAIT));
    assert!(timeout(SILENCE, kept.visits.recv()).await.is_err(), "each once");
    let status = kept.status();
    assert_eq!((status.datagrams, status.panics, status.reports_lost, status.answered), (4, 1, 1, 0));
    assert_eq!(heard(&guest).await, None);
}

#[tokio::test]
async fn a_flood_from_one_address_is_taken_and_answered_at_a_bounded_rate() {
    let kept = TakenOver::keep("127.0.0.1:0");
    let guest = client(kept.address).await;
    let began = tokio::time::Instant::now();
    for _ in 0..200 {
        guest.send(b"12345678").await.unwrap();
    }
    kept.eventually(|status| status.datagrams == 200).await;
    let status = kept.status();
    let taken = status.datagrams - status.datagrams_limited;
    let most = 64 + 32 * (began.elapsed().as_secs() + 1);
    assert!((64..=most).contains(&taken), "{status:?}");
    for _ in 0..taken {
        let (number, ..) = kept.datagram().await;
        kept.answer(number, None, b"x");
    }
    kept.eventually(|status| status.answered + status.answers_limited == taken).await;
}

#[tokio::test]
async fn an_answer_leaves_from_the_address_that_was_asked() {
    let kept = TakenOver::keep("0.0.0.0:0");
    let asked = SocketAddr::from(([127, 0, 0, 99], kept.address.port()));
    // A connected socket hears that address alone.
    let guest = client(asked).await;
    guest.send(b"12345678").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, None, b"here");
    assert_eq!(heard(&guest).await.unwrap(), b"here");
    let kept = TakenOver::keep("[::]:0");
    let guest = UdpSocket::bind("[::1]:0").await.unwrap();
    guest.connect(("::1", kept.address.port())).await.unwrap();
    guest.send(b"12345678").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, None, b"here");
    assert_eq!(heard(&guest).await.unwrap(), b"here");
}

//! Streams between real sockets, and what becomes of those who break the rules.

use super::*;
use ed25519_dalek::{Signer, SigningKey};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

#[derive(Debug)]
struct Seed(SigningKey);

impl Identity for Seed {
    fn node(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        Some(self.0.sign(message).to_bytes())
    }
}

fn node(n: u8) -> NodeId {
    Seed(SigningKey::from_bytes(&[n; 32])).node()
}

fn options(n: u8, cluster: &str) -> StreamOptions {
    StreamOptions {
        cluster: cluster.into(),
        identity: Arc::new(Seed(SigningKey::from_bytes(&[n; 32]))),
        frame_bytes_max: 1 << 16,
        proof_bytes_max: 38,
        streams_max: 64,
    }
}

struct End {
    streams: Streams,
    events: mpsc::Receiver<Event>,
    addr: SocketAddr,
}

fn end(n: u8) -> End {
    end_of(n, "m")
}

fn end_of(n: u8, cluster: &str) -> End {
    let door = StreamDoor::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = door.local();
    let (streams, events) = door.open(options(n, cluster), &Handle::current()).unwrap();
    End { streams, events, addr }
}

impl End {
    async fn next(&mut self) -> Event {
        timeout(Duration::from_secs(20), self.events.recv()).await.expect("nothing happens").unwrap()
    }

    async fn opened(&mut self) -> (u64, NodeId, [u8; 32]) {
        match self.next().await {
            Event::Opened { stream, peer, binding, .. } => (stream, peer, binding),
            other => panic!("{other:?}"),
        }
    }
}

/// Two ends that have admitted each other, and their names of the stream.
async fn joined() -> (End, u64, End, u64) {
    let (mut one, mut other) = (end(1), end(2));
    one.streams.dial(other.addr, Some(node(2)));
    let (mine, peer, binding) = one.opened().await;
    let (theirs, caller, same) = other.opened().await;
    assert_eq!((peer, caller, binding), (node(2), node(1), same), "both know whom they speak to, in one session");
    one.streams.send(mine, b"proof".to_vec());
    other.streams.send(theirs, b"proof".to_vec());
    assert_eq!(one.next().await, Event::Frame { stream: mine, frame: b"proof".to_vec() });
    assert_eq!(other.next().await, Event::Frame { stream: theirs, frame: b"proof".to_vec() });
    one.streams.admit(mine);
    other.streams.admit(theirs);
    (one, mine, other, theirs)
}

#[tokio::test]
async fn frames_travel_both_ways_in_order_and_the_end_is_told() {
    let (mut one, mine, mut other, theirs) = joined().await;
    for number in 0..50_u8 {
        one.streams.send(mine, vec![number; 1 + usize::from(number) * 1_000]);
    }
    for number in 0..50_u8 {
        assert_eq!(other.next().await, Event::Frame { stream: theirs, frame: vec![number; 1 + usize::from(number) * 1_000] });
    }
    other.streams.send(theirs, Vec::new());
    assert_eq!(one.next().await, Event::Frame { stream: mine, frame: Vec::new() });
    one.streams.close(mine);
    assert_eq!(other.next().await, Event::Closed { stream: theirs });
    assert_eq!(one.next().await, Event::Closed { stream: mine });
    assert_eq!((one.streams.traffic().open, other.streams.traffic().open), (0, 0));
}

#[tokio::test]
async fn what_may_be_lost_is_dropped_where_much_waits_and_the_stream_goes_on() {
    let (one, mine, mut other, theirs) = joined().await;
    one.streams.offer(mine, b"first".to_vec());
    assert_eq!(other.next().await, Event::Frame { stream: theirs, frame: b"first".to_vec() });
    // Nobody takes anything: queue, kernel and backlog fill, and then no more is taken in.
    let offers = 2_000_u64;
    for _ in 0..offers {
        one.streams.offer(mine, vec![7; 60_000]);
        tokio::task::yield_now().await;
    }
    let dropped = one.streams.traffic().offers_dropped;
    assert!(dropped > 0 && one.streams.traffic().stuck == 0, "{dropped} dropped");
    for _ in 0..offers - dropped {
        assert!(matches!(other.next().await, Event::Frame { .. }));
    }
    one.streams.send(mine, b"last".to_vec());
    assert_eq!(other.next().await, Event::Frame { stream: theirs, frame: b"last".to_vec() });
}

#[tokio::test]
async fn who_expects_nobody_in_particular_hears_who_is_there() {
    let (mut one, mut other) = (end(1), end(2));
    one.streams.dial(other.addr, None);
    assert_eq!((one.opened().await.1, other.opened().await.1), (node(2), node(1)));
}

#[tokio::test]
async fn whoever_holds_another_key_than_expected_is_hung_up_on() {
    let (mut one, mut other) = (end(1), end(2));
    one.streams.dial(other.addr, Some(node(3)));
    assert_eq!(one.next().await, Event::Failed { to: other.addr });
    assert_eq!(one.streams.traffic().dials_failed, 1);
    // In TLS 1.3 the one who is called may be done before the caller has looked at its key; it never gets a proof.
    let seen = timeout(Duration::from_millis(300), other.events.recv()).await;
    assert!(!matches!(seen, Ok(Some(Event::Frame { .. }))));
}

#[tokio::test]
async fn sessions_of_clusters_with_other_names_have_other_bindings() {
    let (mut one, mut other) = (end_of(1, "a"), end_of(2, "b"));
    one.streams.dial(other.addr, Some(node(2)));
    let ((_, _, mine), (_, _, theirs)) = (one.opened().await, other.opened().await);
    assert_ne!(mine, theirs);
}

#[tokio::test]
async fn nothing_more_is_read_before_admission_and_a_long_proof_ends_it() {
    let (mut one, mut other) = (end(1), end(2));
    one.streams.dial(other.addr, Some(node(2)));
    let ((mine, ..), (theirs, ..)) = (one.opened().await, other.opened().await);
    one.streams.send(mine, b"proof".to_vec());
    one.streams.send(mine, b"more".to_vec());
    assert_eq!(other.next().await, Event::Frame { stream: theirs, frame: b"proof".to_vec() });
    assert!(timeout(Duration::from_millis(200), other.events.recv()).await.is_err(), "read before admission");
    other.streams.admit(theirs);
    assert_eq!(other.next().await, Event::Frame { stream: theirs, frame: b"more".to_vec() });
    one.streams.dial(other.addr, Some(node(2)));
    let (long, ..) = one.opened().await;
    let (theirs, ..) = other.opened().await;
    one.streams.send(long, vec![0; 39]);
    assert_eq!(other.next().await, Event::Closed { stream: theirs });
    assert_eq!(other.streams.traffic().oversized, 1);
}

#[tokio::test]
async fn who_is_not_admitted_in_time_goes() {
    let (mut one, mut other) = (end(1), end(2));
    let began = Instant::now();
    one.streams.dial(other.addr, Some(node(2)));
    let ((mine, ..), (theirs, ..)) = (one.opened().await, other.opened().await);
    one.streams.send(mine, b"proof".to_vec());
    assert!(matches!(other.next().await, Event::Frame { .. }));
    assert_eq!(other.next().await, Event::Closed { stream: theirs });
    assert!(began.elapsed() >= PROOF_DEADLINE && other.streams.traffic().not_admitted == 1);
}

#[tokio::test]
async fn an_oversized_frame_ends_the_stream_before_it_is_read() {
    let (mut one, mine, mut other, theirs) = joined().await;
    one.streams.send(mine, vec![7; (1 << 16) + 1]);
    assert_eq!(other.next().await, Event::Closed { stream: theirs });
    assert_eq!(one.next().await, Event::Closed { stream: mine });
    assert_eq!(other.streams.traffic().oversized, 1);
}

#[tokio::test]
async fn who_takes_nothing_is_not_asked_for_more_and_ends() {
    let (mut one, mine, mut other, theirs) = joined().await;
    // Nobody takes the events of `other` any more: its queue fills, then the kernel's, then what waits here.
    for _ in 0..2_000 {
        one.streams.send(mine, vec![7; 60_000]);
        if one.streams.traffic().stuck == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(one.streams.traffic().stuck, 1);
    assert_eq!(one.next().await, Event::Closed { stream: mine });
    loop {
        match other.next().await {
            Event::Frame { .. } => {}
            end => break assert_eq!(end, Event::Closed { stream: theirs }),
        }
    }
}

#[tokio::test]
async fn garbage_and_old_versions_are_refused_and_counted() {
    let one = end(1);
    let mut tcp = TcpStream::connect(one.addr).await.unwrap();
    tcp.write_all(&[0xff; 5_000]).await.unwrap();
    let mut rest = Vec::new();
    let _ = tcp.read_to_end(&mut rest).await;
    assert!(rest.len() < 100, "an alert at most");
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let tcp = TcpStream::connect(one.addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    assert!(TlsConnector::from(Arc::new(client)).connect(name, tcp).await.is_err());
    while one.streams.traffic().handshakes_failed < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(one.streams.traffic().opened, 0);
}

#[tokio::test]
async fn a_caller_without_a_key_is_refused() {
    let mut one = end(1);
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let tcp = TcpStream::connect(one.addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    assert!(TlsConnector::from(Arc::new(client)).connect(name, tcp).await.is_err());
    assert!(timeout(Duration::from_millis(200), one.events.recv()).await.is_err());
    assert_eq!(one.streams.traffic().handshakes_failed, 1);
}

#[tokio::test]
async fn slow_callers_are_few_and_go_and_others_come_in_after_them() {
    let (mut one, mut other) = (end(1), end(2));
    let began = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..UNPROVEN_PER_SOURCE_MAX {
        let mut tcp = TcpStream::connect(one.addr).await.unwrap();
        tcp.write_all(&[22]).await.unwrap();
        slow.push(tcp);
    }
    let mut turned_away = TcpStream::connect(one.addr).await.unwrap();
    assert_eq!(turned_away.read(&mut [0; 8]).await.unwrap_or(0), 0, "closed at once");
    assert!(began.elapsed() < HANDSHAKE_DEADLINE && one.streams.traffic().refused == 1);
    for mut tcp in slow {
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    }
    assert!(began.elapsed() >= HANDSHAKE_DEADLINE);
    assert_eq!(one.streams.traffic().handshakes_late, UNPROVEN_PER_SOURCE_MAX as u64);
    other.streams.dial(one.addr, Some(node(1)));
    assert_eq!((one.opened().await.1, other.opened().await.1), (node(2), node(1)));
}

#[tokio::test]
async fn nobody_there_is_told() {
    let mut one = end(1);
    let nobody = StreamDoor::bind("127.0.0.1:0".parse().unwrap()).unwrap().local();
    one.streams.dial(nobody, Some(node(2)));
    assert_eq!(one.next().await, Event::Failed { to: nobody });
}

#[tokio::test]
async fn a_peer_that_is_gone_ends_the_stream() {
    let (mut one, mine, other, _) = joined().await;
    drop(other);
    assert_eq!(one.next().await, Event::Closed { stream: mine });
}

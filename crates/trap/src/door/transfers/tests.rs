//! Ports of their own, as a process opens them that may have been taken over.

use crate::{
    door::taken_over::{PATIENCE, TakenOver, client, hears_nothing},
    wire::Evidence,
};
use honeymesh_trap_proto::TRANSFER_BYTES;
use honeymesh_types::Signs;
use std::{io::ErrorKind, net::SocketAddr, time::Duration};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep, timeout},
};

/// The same as in the table of transfers.
const OF_SOURCE_MAX: usize = 16;
/// As long as one waits at most.
const LONG_MS: u32 = 63_000;

/// Somebody who hears whoever answers.
async fn guest(address: &str) -> UdpSocket {
    UdpSocket::bind(address).await.unwrap()
}

/// The next answer, and where it came from.
async fn answer(guest: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = [0; 4_096];
    let (length, from) = timeout(PATIENCE, guest.recv_from(&mut bytes)).await.expect("no answer came").unwrap();
    (bytes[..length].to_vec(), from)
}

/// Has nobody this port any more?
async fn is_closed(port: SocketAddr) -> bool {
    let end = Instant::now() + PATIENCE;
    loop {
        match UdpSocket::bind(port).await {
            Ok(_) => return true,
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < end => sleep(Duration::from_millis(5)).await,
            Err(_) => return false,
        }
    }
}

/// Somebody who has begun a transfer: where he is, and the port.
async fn begun(kept: &TakenOver, wait_ms: u32, known: u8) -> (UdpSocket, SocketAddr) {
    let guest = guest("127.0.0.1:0").await;
    guest.send_to(b"may I?", kept.address).await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer_apart(number, wait_ms, known, b"yes");
    let (said, port) = answer(&guest).await;
    assert_eq!((said.as_slice(), port.ip()), (b"yes".as_slice(), kept.address.ip()));
    assert_ne!(port.port(), kept.address.port());
    (guest, port)
}

#[tokio::test]
async fn an_answer_leaves_from_a_new_port_that_is_closed_then() {
    let kept = TakenOver::playing("tftp", "127.0.0.1:0");
    let (_guest, port) = begun(&kept, 0, 1).await;
    assert!(is_closed(port).await);
    kept.eventually(|status| (status.answered, status.answered_bytes, status.transfers) == (1, 3, 0)).await;
}

#[tokio::test]
async fn whoever_was_answered_is_heard_there_and_nobody_else() {
    let mut kept = TakenOver::playing("tftp", "127.0.0.1:0");
    let (guest, port) = begun(&kept, LONG_MS, 1).await;
    let same_address = client(port).await;
    same_address.send(b"me, too").await.unwrap();
    assert!(kept.hears_nothing().await);
    guest.send_to(b"first block", port).await.unwrap();
    let (number, nonce_at, known, bytes) = kept.whole_datagram().await;
    assert_eq!((nonce_at, known, bytes.as_slice()), (None, Some([1; TRANSFER_BYTES]), b"first block".as_slice()));
    kept.report(number, Signs::RULE);
    let visit = kept.visit().await;
    assert_eq!((visit.local, visit.source), (kept.address, guest.local_addr().unwrap()));
    assert_eq!(visit.fields["transfer_port"], port.port().to_string());
    kept.answer_apart(number, LONG_MS, 2, b"go on");
    assert_eq!(answer(&guest).await, (b"go on".to_vec(), port), "from the same port");
    guest.send_to(b"second", port).await.unwrap();
    let (number, _, known, _) = kept.whole_datagram().await;
    assert_eq!(known, Some([2; TRANSFER_BYTES]));
    kept.answer_apart(number, LONG_MS, 3, b"longer than that");
    kept.answer_apart(number, LONG_MS, 3, b"again");
    assert!(hears_nothing(&guest).await, "not longer, and once");
    guest.send_to(b"third", port).await.unwrap();
    let (number, _, known, _) = kept.whole_datagram().await;
    assert_eq!(known, Some([2; TRANSFER_BYTES]), "what was refused changes nothing");
    // It ends without a word.
    kept.answer_apart(number, 0, 3, b"");
    kept.say(&Evidence::Over { session: number, lost: 0, fault: b"" });
    assert!(is_closed(port).await);
    assert!(hears_nothing(&guest).await);
    kept.eventually(|status| (status.transfers, status.answers_refused, status.answered) == (1, 2, 2)).await;
}

#[tokio::test]
async fn only_a_service_that_has_transfers_answers_from_other_ports() {
    let kept = TakenOver::playing("sip", "127.0.0.1:0");
    let guest = guest("127.0.0.1:0").await;
    for wait_ms in [0, LONG_MS] {
        guest.send_to(b"may I?", kept.address).await.unwrap();
        let (number, ..) = kept.datagram().await;
        kept.answer_apart(number, wait_ms, 1, b"yes");
    }
    assert!(hears_nothing(&guest).await);
    kept.eventually(|status| (status.answers_refused, status.answered, status.transfers) == (2, 0, 0)).await;
    let kept = TakenOver::playing("tftp", "127.0.0.1:0");
    guest.send_to(b"may I?", kept.address).await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer_apart(number, LONG_MS, 1, b"");
    kept.eventually(|status| status.answers_refused == 1).await;
    assert!(hears_nothing(&guest).await, "silence opens no port");
}

#[tokio::test]
async fn a_transfer_ends_when_its_time_is_over_or_its_peer_is_gone() {
    let kept = TakenOver::playing("tftp", "127.0.0.1:0");
    let (_guest, port) = begun(&kept, 50, 1).await;
    assert!(is_closed(port).await, "its time");
    let (guest, port) = begun(&kept, LONG_MS, 1).await;
    guest.send_to(b"block", port).await.unwrap();
    let (number, ..) = kept.whole_datagram().await;
    drop(guest);
    // The kernel says to the answer that nobody is there.
    kept.answer_apart(number, LONG_MS, 1, b"go on");
    kept.say(&Evidence::Over { session: number, lost: 0, fault: b"" });
    assert!(is_closed(port).await, "its peer");
}

#[tokio::test]
async fn one_source_has_no_more_than_its_part_and_the_oldest_gives_way() {
    let kept = TakenOver::playing("tftp", "127.0.0.1:0");
    let (first, going) = begun(&kept, LONG_MS, 1).await;
    first.send_to(b"block", going).await.unwrap();
    kept.whole_datagram().await;
    let mut others = Vec::new();
    for _ in 0..OF_SOURCE_MAX {
        others.push(begun(&kept, LONG_MS, 1).await);
    }
    assert!(is_closed(others[0].1).await, "the oldest that has not gone on");
    for (guest, port) in others[1..].iter().chain([&(first, going)]) {
        guest.send_to(b"block", *port).await.unwrap();
        kept.whole_datagram().await;
    }
    let guest = guest("127.0.0.1:0").await;
    guest.send_to(b"may I?", kept.address).await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer_apart(number, LONG_MS, 1, b"yes");
    assert!(hears_nothing(&guest).await, "all have gone on: silence");
    kept.eventually(|status| (status.transfers, status.transfers_limited) == (1 + OF_SOURCE_MAX as u64, 2)).await;
}

#[tokio::test]
async fn a_transfer_leaves_from_the_address_that_was_asked_and_ends_with_the_traps() {
    let kept = TakenOver::playing("tftp", "0.0.0.0:0");
    let guest4 = guest("127.0.0.1:0").await;
    let asked = SocketAddr::from(([127, 0, 0, 99], kept.address.port()));
    guest4.send_to(b"may I?", asked).await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer_apart(number, LONG_MS, 1, b"yes");
    let (_, port) = answer(&guest4).await;
    assert_eq!(port.ip(), asked.ip());
    kept.close().await;
    assert!(is_closed(port).await);
    let kept = TakenOver::playing("tftp", "[::]:0");
    let guest6 = guest("[::1]:0").await;
    guest6.send_to(b"may I?", ("::1", kept.address.port())).await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer_apart(number, LONG_MS, 1, b"yes");
    let (_, port) = answer(&guest6).await;
    assert!(port.is_ipv6() && port.port() != kept.address.port());
    kept.close().await;
    assert!(is_closed(port).await);
}

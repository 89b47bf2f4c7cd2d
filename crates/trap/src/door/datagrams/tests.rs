//! Datagrams against a process that answers too much, too often, to others, or not at all.

use crate::{
    door::taken_over::{SILENCE, TakenOver, client, heard, hears_nothing},
    wire::Evidence,
};
use honeymesh_trap_proto::NONCE_BYTES;
use honeymesh_types::Signs;
use std::net::SocketAddr;
use tokio::{net::UdpSocket, time::timeout};

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
    assert!(hears_nothing(&one).await, "longer");
    kept.answer(number, None, b"1");
    assert!(hears_nothing(&one).await, "it had its answer");
    one.send(b"abcdefgh").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, None, b"ABCDEFGH");
    kept.answer(number, None, b"again");
    assert_eq!(heard(&one).await, b"ABCDEFGH");
    assert!(hears_nothing(&one).await, "once");
    one.send(b"").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, None, b"x");
    assert!(hears_nothing(&one).await && hears_nothing(&other).await, "nothing for nothing, and nobody else hears of it");
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
    assert!(hears_nothing(&owner).await, "no room for it there");
    owner.send(&long).await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, Some(68), &long);
    let challenge = heard(&owner).await;
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
    kept.say(&Evidence::Gone { status: 11, pause_ms: 10 });
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
    assert!(hears_nothing(&guest).await);
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
    assert_eq!(heard(&guest).await, b"here");
    let kept = TakenOver::keep("[::]:0");
    let guest = UdpSocket::bind("[::1]:0").await.unwrap();
    guest.connect(("::1", kept.address.port())).await.unwrap();
    guest.send(b"12345678").await.unwrap();
    let (number, ..) = kept.datagram().await;
    kept.answer(number, None, b"here");
    assert_eq!(heard(&guest).await, b"here");
}

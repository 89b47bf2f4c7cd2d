//! What arrives, in which order it is checked, and what it leaves behind.

use super::*;
use crate::{
    Key,
    frame::{Bytes, Records},
    testing::{addr, at, config},
};
use alloc::vec;

fn post(n: u8) -> Post {
    let config = config(n, &[]);
    let node = ed25519_dalek::SigningKey::from_bytes(&config.identity).verifying_key().to_bytes();
    Post::new(&config, NodeId(node))
}

fn message() -> Message<'static> {
    Message::Push { until: None, records: Records(Bytes(b"\0\x05hello")) }
}

fn datagram(post: &mut Post, peer: Option<ShortId>, now: Now) -> Vec<u8> {
    let mut out = Vec::new();
    post.send(To { addr: addr(9), peer }, message(), now, &mut out);
    match out.pop() {
        Some(Effect::Send { bytes, .. }) => bytes,
        other => panic!("it sends: {other:?}"),
    }
}

fn open(post: &mut Post, datagram: &[u8], now: Now) -> Result<ShortId, Refused> {
    let mut body = Vec::new();
    post.open(addr(1), datagram, now, &mut body).map(|(id, _)| id).map_err(|(why, _)| why)
}

#[test]
fn a_datagram_opens_once_and_introduces_its_sender() {
    let (mut one, mut other) = (post(1), post(2));
    let sent = datagram(&mut one, None, at(0));
    let id = open(&mut other, &sent, at(5)).unwrap();
    assert_eq!(id, ShortId::of(&one.node.0));
    assert_eq!(other.peers.name(id).unwrap().as_str(), "node-1");
    assert_eq!(open(&mut other, &sent, at(6)), Err(Refused::Replayed));
}

#[test]
fn who_is_known_stops_introducing_itself() {
    let (mut one, mut other) = (post(1), post(2));
    let (one_id, other_id) = (one.me, other.me);
    let first = datagram(&mut one, Some(other_id), at(0));
    open(&mut other, &first, at(0)).unwrap();
    let reply = datagram(&mut other, Some(one_id), at(0));
    open(&mut one, &reply, at(0)).unwrap();
    let second = datagram(&mut one, Some(other_id), at(0));
    assert!(second.len() + 32 < first.len(), "{} {}", second.len(), first.len());
    open(&mut other, &second, at(0)).unwrap();
}

#[test]
fn a_captured_datagram_of_an_earlier_run_opens_nothing_later() {
    let mut other = post(2);
    let captured = datagram(&mut post(1), None, at(0));
    let never_delivered = datagram(&mut post(1), None, at(1));
    open(&mut other, &captured, at(0)).unwrap();
    let mut restarted = Post { sealer: Sealer::new(&post(1).vault, post(1).me, 777), ..post(1) };
    let fresh = datagram(&mut restarted, None, at(1_000));
    open(&mut other, &fresh, at(1_000)).unwrap();
    for old in [captured.clone(), never_delivered] {
        assert_eq!(open(&mut other, &old, at(1_001)), Err(Refused::Clock));
    }
    let mut forgetful = post(3);
    assert_eq!(open(&mut forgetful, &captured, at(90_001)), Err(Refused::Clock), "too old for anybody");
    assert!(open(&mut forgetful, &captured, at(90_000)).is_ok());
}

#[test]
fn a_wrong_key_a_foreign_cluster_and_an_echo_are_told_apart() {
    let mut ours = post(2);
    let mut config_wrong = config(1, &[]);
    config_wrong.keys = KeyRing::new(Key::from_bytes([9; 32]));
    let mut wrong = Post::new(&config_wrong, NodeId([5; 32]));
    assert_eq!(open(&mut ours, &datagram(&mut wrong, None, at(0)), at(0)), Err(Refused::Key));
    let mut config_foreign = config(1, &[]);
    config_foreign.cluster = "other".parse().unwrap();
    let mut foreign = Post::new(&config_foreign, NodeId([5; 32]));
    assert_eq!(open(&mut ours, &datagram(&mut foreign, None, at(0)), at(0)), Err(Refused::Cluster));
    let echo = datagram(&mut ours, None, at(0));
    assert_eq!(open(&mut ours, &echo, at(0)), Err(Refused::Own));
    assert!(ours.peers.stats().is_empty(), "no stranger leaves a trace but a count");
    assert_eq!(ours.stats.received, 3);
}

#[test]
fn a_sender_that_is_not_who_it_seals_as_is_refused() {
    let (mut ours, honest) = (post(2), post(1));
    let mut liar = Post { node: NodeId([6; 32]), ..honest };
    assert_eq!(open(&mut ours, &datagram(&mut liar, None, at(0)), at(0)), Err(Refused::Identity));
}

#[test]
fn a_loud_peer_is_held_to_its_budget() {
    let (mut ours, mut loud) = (post(2), post(1));
    (ours.peer_rate, ours.peer_burst) = (10, 5);
    let verdicts: Vec<_> = (0..10).map(|_| open(&mut ours, &datagram(&mut loud, None, at(0)), at(0))).collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Err(Refused::PeerRate)).count(), 5);
    assert!(open(&mut ours, &datagram(&mut loud, None, at(500)), at(500)).is_ok());
}

#[test]
fn truncated_and_garbled_datagrams_of_every_length_are_refused() {
    let (mut ours, mut peer) = (post(2), post(1));
    let sent = datagram(&mut peer, None, at(0));
    for len in 0..sent.len() {
        assert!(open(&mut ours, &sent[..len], at(0)).is_err(), "{len}");
    }
    for len in 0..=1_500 {
        assert!(open(&mut ours, &vec![0x5a; len], at(0)).is_err(), "{len}");
    }
    assert!(ours.peers.stats().is_empty());
}

#[test]
fn an_opened_body_that_is_no_message_is_malformed() {
    let (mut ours, mut peer) = (post(2), post(1));
    for body in [&b""[..], b"\xff", b"\0\0\0\xff\xff\xff", &[0xff; 300]] {
        let datagram = peer.sealer.seal(crate::envelope::ANYBODY, |mut datagram| {
            datagram.extend_from_slice(body);
            Some(datagram)
        });
        let verdict = open(&mut ours, &datagram.unwrap(), at(0));
        assert!(matches!(verdict, Err(Refused::Malformed | Refused::Length)), "{verdict:?}");
    }
}

#[test]
fn keys_change_without_a_lost_datagram() {
    let (old, new) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]));
    let (mut ring, mut one, mut other) = (KeyRing::new(old.clone()), post(1), post(2));
    let exchange = |one: &mut Post, other: &mut Post| {
        let (there, back) = (datagram(one, None, at(0)), datagram(other, None, at(0)));
        open(other, &there, at(0)).and(open(one, &back, at(0)))
    };
    assert!(exchange(&mut one, &mut other).is_ok());
    ring.add(new.clone()).unwrap();
    one.rekey(&ring);
    other.rekey(&ring);
    assert!(exchange(&mut one, &mut other).is_ok());
    ring.promote(&new).unwrap();
    one.rekey(&ring);
    assert!(exchange(&mut one, &mut other).is_ok(), "one seals with the new key, the other with the old");
    other.rekey(&ring);
    let late = {
        let mut behind = post(1);
        (0..9).for_each(|_| drop(datagram(&mut behind, None, at(0))));
        datagram(&mut behind, None, at(0))
    };
    ring.retire(&old).unwrap();
    one.rekey(&ring);
    other.rekey(&ring);
    assert!(exchange(&mut one, &mut other).is_ok());
    assert_eq!(open(&mut other, &late, at(0)), Err(Refused::Key));
}

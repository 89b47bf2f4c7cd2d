//! Large repairs go over a stream, whatever becomes of it.

use crate::{
    Effect, Key, KeyRing, Mesh, Role, StreamEvent, StreamId, StreamOrder,
    testing::{Wire, addr, at, ban, config, hour, key, signed},
};
use alloc::{format, vec, vec::Vec};
use honeymesh_types::NodeId;

/// Many records of node `n`, put into its set as if they had been there for long.
fn fill(wire: &mut Wire, n: u8, count: u32, net: u8) {
    let now = wire.now();
    for number in 0..count {
        let [_, a, b, c] = number.to_be_bytes();
        let signed = signed(n, &format!("{net}.{a}.{b}.{c}"), ban(hour()), 0);
        wire.mesh(n).restore(&signed.raw, now).unwrap();
    }
}

fn streams(wire: &mut Wire, n: u8) -> crate::StreamStats {
    wire.mesh(n).stats().streams
}

/// Two nodes that have not met; the first one holds many records.
fn far_behind(count: u32) -> Wire {
    let mut wire = Wire::new(vec![config(1, &[]), config(2, &[1])]);
    fill(&mut wire, 1, count, 10);
    wire
}

#[test]
fn a_late_joiner_takes_much_over_a_stream() {
    let mut wire = far_behind(3_000);
    wire.run(1_000);
    assert_eq!(wire.mesh(2).len(), 3_000);
    let stats = streams(&mut wire, 2);
    assert_eq!((stats.bulk, stats.bulk_done, stats.bulk_fallbacks, stats.open), (1, 1, 0, 0));
    assert_eq!(streams(&mut wire, 1).open, 0, "closed when it was done");
    assert!(wire.sent.len() < 60, "{} datagrams", wire.sent.len());
    assert_eq!(wire.meshes[0].1.fingerprint(), wire.meshes[1].1.fingerprint());
}

#[test]
fn little_goes_over_datagrams() {
    let mut wire = far_behind(900);
    wire.run(3_000);
    assert_eq!(wire.mesh(2).len(), 900);
    assert_eq!(streams(&mut wire, 2), crate::StreamStats::default());
}

#[test]
fn after_a_split_each_side_takes_what_the_other_learnt() {
    let mut wire = Wire::joined(2);
    fill(&mut wire, 1, 2_500, 10);
    fill(&mut wire, 2, 2_500, 20);
    wire.run(15_000);
    assert_eq!((wire.mesh(1).len(), wire.mesh(2).len()), (5_000, 5_000));
    let both = [1, 2].map(|n| streams(&mut wire, n));
    assert!(both.iter().all(|stats| stats.bulk_done == 1), "{both:?}");
}

#[test]
fn without_a_stream_datagrams_do_and_that_is_counted() {
    let mut wire = far_behind(2_000);
    wire.no_streams = true;
    wire.run(10_000);
    assert_eq!(wire.mesh(2).len(), 2_000);
    let stats = streams(&mut wire, 2);
    assert_eq!((stats.bulk, stats.failed), (0, 1));
    assert!(stats.bulk_fallbacks > 0);
}

#[test]
fn a_stream_that_never_comes_is_given_up() {
    let mut wire = far_behind(2_000);
    wire.silent_streams = true;
    wire.run(9_000);
    assert!(wire.mesh(2).len() < 2_000, "it waits for the stream");
    wire.run(10_000);
    assert_eq!((wire.mesh(2).len(), streams(&mut wire, 2).failed), (2_000, 1));
}

#[test]
fn a_stream_that_is_cut_is_taken_up_where_it_was() {
    let mut wire = far_behind(9_000);
    wire.frames_left = 20;
    wire.run(1_000);
    let held = wire.mesh(2).len();
    assert!((1..9_000).contains(&held), "cut in the middle: {held}");
    let before = streams(&mut wire, 1).sent_bytes;
    wire.frames_left = usize::MAX;
    wire.run(5_000);
    assert_eq!((wire.mesh(2).len(), streams(&mut wire, 2).bulk), (9_000, 2));
    let again = streams(&mut wire, 1).sent_bytes - before;
    assert!(again < 9_000 * 150 - before / 2, "what had arrived was not sent again: {before} and {again} bytes");
}

/// A stream from node 1 to a stranger who holds that identity key but no key of the cluster.
fn opened(mesh: &mut Mesh, stream: u64, peer: u8) -> Vec<Effect> {
    let mut out = Vec::new();
    let peer = NodeId(key(peer).verifying_key().to_bytes());
    let (stream, binding) = (StreamId(stream), [3; 32]);
    mesh.stream(StreamEvent::Opened { stream, peer, addr: addr(9), role: Role::Listener, binding }, at(1), &mut out);
    out
}

fn frame(mesh: &mut Mesh, stream: u64, frame: &[u8]) -> Vec<Effect> {
    let mut out = Vec::new();
    mesh.stream(StreamEvent::Frame { stream: StreamId(stream), frame: frame.to_vec() }, at(1), &mut out);
    out
}

#[test]
fn who_does_not_prove_the_cluster_key_is_hung_up_on() {
    let mut mesh = Mesh::new(config(1, &[]), at(0));
    let close = Effect::Stream(StreamOrder::Close(StreamId(1)));
    for wrong in [&b""[..], &[0; 38], &[1, 0, 0], &[0; 60_000]] {
        assert!(matches!(opened(&mut mesh, 1, 9)[..], [Effect::Stream(StreamOrder::Send { .. })]));
        assert_eq!(frame(&mut mesh, 1, wrong), core::slice::from_ref(&close));
        assert!(frame(&mut mesh, 1, wrong).is_empty(), "it is gone");
    }
    assert_eq!((mesh.stats().streams.unproven, mesh.stats().streams.open), (4, 0));
}

#[test]
fn a_proof_with_another_clusters_key_is_none() {
    let mut mesh = Mesh::new(config(1, &[]), at(0));
    let mut other = Mesh::new(crate::Config { keys: KeyRing::new(Key::from_bytes([9; 32])), ..config(2, &[]) }, at(0));
    let mut out = Vec::new();
    let (stream, peer, binding) = (StreamId(1), mesh.identity(), [3; 32]);
    other.stream(StreamEvent::Opened { stream, peer, addr: addr(1), role: Role::Dialer, binding }, at(1), &mut out);
    let Some(Effect::Stream(StreamOrder::Send { frame: proof, .. })) = out.pop() else { panic!("no proof") };
    opened(&mut mesh, 1, 2);
    assert_eq!(frame(&mut mesh, 1, &proof), [Effect::Stream(StreamOrder::Close(StreamId(1)))]);
}

#[test]
fn what_is_no_message_ends_a_proven_stream() {
    for wrong in [&b""[..], &[1], &[2, 2, 2], &[1, 3, 0], &[0xff; 70]] {
        let (mut mesh, mut other) = (Mesh::new(config(1, &[]), at(0)), Mesh::new(config(2, &[]), at(0)));
        let mut out = Vec::new();
        let (stream, peer, binding) = (StreamId(1), mesh.identity(), [3; 32]);
        other.stream(StreamEvent::Opened { stream, peer, addr: addr(1), role: Role::Dialer, binding }, at(1), &mut out);
        let Some(Effect::Stream(StreamOrder::Send { frame: proof, .. })) = out.pop() else { panic!("no proof") };
        opened(&mut mesh, 1, 2);
        assert_eq!(frame(&mut mesh, 1, &proof), [Effect::Stream(StreamOrder::Admit(StreamId(1)))]);
        assert_eq!(frame(&mut mesh, 1, wrong), [Effect::Stream(StreamOrder::Close(StreamId(1)))], "{wrong:?}");
        assert_eq!(mesh.stats().streams.malformed, 1);
    }
}

#[test]
fn when_a_key_is_retired_every_stream_ends_and_what_was_under_way_comes_over_another() {
    let mut wire = far_behind(9_000);
    let new = Key::from_bytes([2; 32]);
    for n in [1, 2] {
        wire.mesh(n).add_key(new.clone()).unwrap();
        wire.mesh(n).use_key(&new).unwrap();
    }
    wire.mesh(2).check_elsewhere();
    wire.check_takes = 4;
    while wire.mesh(2).len() < 1_000 {
        wire.run(1);
    }
    assert_eq!([1, 2].map(|n| streams(&mut wire, n).open), [1, 1]);
    let (now, mut out) = (wire.now(), Vec::new());
    wire.mesh(1).retire_key(&Key::from_bytes([1; 32]), now, &mut out).unwrap();
    assert!(matches!(out[..], [Effect::Stream(StreamOrder::Close(_))]), "{out:?}");
    wire.carry(addr(1), out);
    assert_eq!([1, 2].map(|n| streams(&mut wire, n).open), [0, 0]);
    assert!(wire.mesh(2).len() < 9_000);
    wire.run(5_000);
    assert_eq!((wire.mesh(2).len(), streams(&mut wire, 2).bulk), (9_000, 2));
}

#[test]
fn streams_are_bounded_and_one_with_oneself_is_none() {
    let mut mesh = Mesh::new(config(1, &[]), at(0));
    for stream in 0..crate::STREAMS_MAX as u64 {
        assert!(matches!(opened(&mut mesh, stream, 9)[..], [Effect::Stream(StreamOrder::Send { .. })]));
    }
    assert_eq!(opened(&mut mesh, 999, 9), [Effect::Stream(StreamOrder::Close(StreamId(999)))]);
    assert_eq!((mesh.stats().streams.open, mesh.stats().streams.too_many), (64, 1));
    let mut mesh = Mesh::new(config(1, &[]), at(0));
    assert_eq!(opened(&mut mesh, 1, 1), [Effect::Stream(StreamOrder::Close(StreamId(1)))]);
}

#[test]
fn one_bad_record_in_a_page_keeps_no_good_one_out() {
    let mut mesh = Mesh::new(config(1, &[]), at(0));
    let mut packer = crate::frame::Packer::with_room(40_000);
    for number in 1..100_u8 {
        let mut raw = signed(2, &format!("192.0.2.{number}"), ban(hour()), 0).raw.to_vec();
        *raw.last_mut().unwrap() ^= u8::from(number == 50);
        packer.push(&raw);
    }
    let (sender, mut out) = (super::Sender { id: crate::peers::ShortId(2), addr: addr(2) }, Vec::new());
    mesh.hear(sender, packer.list(), crate::mesh::checks::Cause::Haul(0), at(0), &mut out);
    assert_eq!((out.len(), mesh.len(), mesh.stats().streams.batches_split), (98, 98, 1));
    assert_eq!(mesh.stats().refused.of(crate::Refused::RecordSignature), 1);
}

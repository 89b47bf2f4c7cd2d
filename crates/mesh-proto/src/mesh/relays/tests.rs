//! A node that can only dial out is a member like any other, and a relay is nobody's but its guests'.

use crate::{
    Config, Effect, Key, KeyRing, MemberState, Mesh, Refused, Role, StreamEvent, StreamId, StreamOrder, StreamStats,
    envelope::HEADER_BYTES,
    limits::GUEST_BURST,
    peers::ShortId,
    relay::{CARRIED, STILL_HERE},
    testing::{Wire, addr, at, ban, config, hour, key, subject},
};
use alloc::{vec, vec::Vec};
use core::net::SocketAddr;
use honeymesh_types::NodeId;

/// Nodes from here on can only dial out.
const BEHIND: u8 = 100;

fn is_behind(addr: SocketAddr) -> bool {
    (1..=3).all(|n| addr != self::addr(n)) && (BEHIND..=BEHIND + 5).any(|n| addr == self::addr(n))
}

/// Node `n`, which can only dial out.
fn behind(n: u8, join: &[u8]) -> Config {
    Config { dial_out: true, ..config(n, join) }
}

/// A wire on which nobody reaches who is behind a translator.
fn wire(configs: Vec<Config>) -> Wire {
    let mut wire = Wire::new(configs);
    wire.cut = |_, to| is_behind(to);
    wire
}

fn streams(wire: &mut Wire, n: u8) -> StreamStats {
    wire.mesh(n).stats().streams
}

/// Everybody knows everybody, alive.
fn all_met(wire: &Wire) -> bool {
    let others = wire.meshes.len() - 1;
    wire.meshes.iter().all(|(_, mesh)| mesh.live() == others)
}

/// Not one datagram left or reached a node behind a translator: all of it went over streams.
fn nothing_went_past_the_streams(wire: &Wire) -> bool {
    wire.sent.iter().all(|(from, to, _)| !is_behind(*from) && !is_behind(*to))
}

fn short(n: u8) -> ShortId {
    ShortId::of(&key(n).verifying_key().to_bytes())
}

#[test]
fn a_node_that_can_only_dial_out_is_a_member_and_bans_reach_it_and_come_from_it_at_once() {
    let mut wire = wire(vec![config(1, &[]), config(2, &[1]), config(3, &[1]), behind(BEHIND, &[1])]);
    wire.run(3_000);
    assert!(all_met(&wire));
    wire.say(2, "203.0.113.1", ban(hour()));
    wire.run(10);
    assert!(wire.all_see("203.0.113.1", "ban by node-2"), "{:?}", wire.views("203.0.113.1"));
    wire.say(BEHIND, "203.0.113.2", ban(hour()));
    wire.run(10);
    assert!(wire.all_see("203.0.113.2", "ban by node-100"), "{:?}", wire.views("203.0.113.2"));
    assert!(nothing_went_past_the_streams(&wire));
    let relay = wire.mesh(BEHIND).me().addr;
    assert!((1..=3).any(|n| relay == addr(n)), "its address is its relay's: {relay}");
    wire.run(3_000);
    assert_eq!(wire.mesh(BEHIND).relays.held.len(), 2, "it keeps a spare one");
    assert_eq!(streams(&mut wire, BEHIND).relays_lost, 0);
}

#[test]
fn two_that_can_only_dial_out_talk_through_one_relay_and_through_two() {
    for relays in [vec![config(1, &[])], vec![config(1, &[]), config(2, &[1])]] {
        let doors: Vec<u8> = (1..=relays.len()).map(|n| u8::try_from(n).unwrap()).collect();
        let last = *doors.last().unwrap();
        let guests = [behind(BEHIND, &[1]), behind(BEHIND + 1, &[last])];
        let mut wire = wire(relays.into_iter().chain(guests).collect());
        wire.run(4_000);
        assert!(all_met(&wire), "{} relays", doors.len());
        wire.say(BEHIND, "203.0.113.1", ban(hour()));
        wire.say(BEHIND + 1, "203.0.113.2", ban(hour()));
        wire.run(10);
        assert!(wire.all_see("203.0.113.1", "ban by node-100") && wire.all_see("203.0.113.2", "ban by node-101"));
        wire.run(20_000);
        assert!(all_met(&wire) && nothing_went_past_the_streams(&wire));
    }
}

/// A relay and its guest, which have met; and the guest's stream.
fn pair() -> (Wire, StreamId) {
    let mut wire = wire(vec![config(1, &[]), config(2, &[1]), behind(BEHIND, &[1])]);
    wire.run(2_000);
    assert!(all_met(&wire));
    let held = wire.mesh(BEHIND).relays.held.iter().find(|held| held.called == addr(1)).copied();
    (wire, held.unwrap().stream)
}

fn hear(mesh: &mut Mesh, stream: StreamId, frame: Vec<u8>, millis: u64) -> Vec<Effect> {
    let mut out = Vec::new();
    mesh.stream(StreamEvent::Frame { stream, frame }, at(millis), &mut out);
    out
}

fn carried(to: SocketAddr, datagram: &[u8]) -> Vec<u8> {
    let mut frame = postcard::to_extend(&to, vec![CARRIED]).unwrap();
    frame.extend_from_slice(datagram);
    frame
}

#[test]
fn a_guest_sends_in_its_own_name_and_to_members_only() {
    let (mut wire, stream) = pair();
    let millis = wire.millis;
    let own = wire.mesh(BEHIND).insider_seal(b"x").unwrap();
    let others = wire.mesh(2).insider_seal(b"x").unwrap();
    let relay = wire.mesh(1);
    let sent = |effects: Vec<Effect>| effects.into_iter().filter(|effect| matches!(effect, Effect::Send { .. })).count();
    assert_eq!(sent(hear(relay, stream, carried(addr(2), &own), millis)), 1);
    assert_eq!(sent(hear(relay, stream, carried(addr(2), &others), millis)), 0, "in another's name");
    assert_eq!(sent(hear(relay, stream, carried("198.51.100.7:53".parse().unwrap(), &own), millis)), 0, "to a stranger");
    assert_eq!(relay.stats().streams.relay_refused, 2);
    let garbage = hear(relay, stream, carried(addr(2), b"no datagram"), millis);
    assert!(garbage.contains(&Effect::Stream(StreamOrder::Close(stream))), "{garbage:?}");
}

#[test]
fn a_guest_that_floods_is_held_to_its_budget_and_keeps_nobody_else_out() {
    let (mut wire, stream) = pair();
    let millis = wire.millis;
    let own = wire.mesh(BEHIND).insider_seal(b"x").unwrap();
    let relay = wire.mesh(1);
    let floods = 3 * GUEST_BURST;
    let sent = (0..floods).map(|_| hear(relay, stream, carried(addr(2), &own), millis).len()).sum::<usize>();
    assert!(sent <= GUEST_BURST as usize, "{sent}");
    assert_eq!(relay.stats().streams.relay_limited, u64::from(floods) - sent as u64);
    wire.say(2, "203.0.113.1", ban(hour()));
    assert!(wire.all_see("203.0.113.1", "ban by node-2"), "what is for it has a budget of its own");
}

#[test]
fn a_member_that_floods_a_guest_is_held_to_the_guests_budget() {
    let (mut wire, _) = pair();
    let (now, guest, mut out) = (wire.now(), short(BEHIND), Vec::new());
    let to = crate::post::To { addr: addr(1), peer: Some(guest) };
    let floods = GUEST_BURST + 500;
    (0..floods).for_each(|_| wire.mesh(2).knock_at(to, now, &mut out));
    let before = wire.mesh(1).stats().streams.relayed;
    let mut handed_on = Vec::new();
    for effect in out {
        let Effect::Send { bytes, .. } = effect else { panic!("it sends") };
        wire.mesh(1).datagram(addr(2), &bytes, now, &mut handed_on);
    }
    let stats = wire.mesh(1).stats().streams;
    assert!(stats.relay_limited >= 500 && stats.relayed - before <= GUEST_BURST.into(), "{stats:?}");
    assert_eq!(stats.relay_limited + stats.relayed - before, floods.into());
    assert_eq!(handed_on.len() as u64, stats.relayed - before);
}

#[test]
fn nobody_but_a_member_gets_anything_through_to_a_guest() {
    let (mut wire, _) = pair();
    let (now, guest) = (wire.now(), short(BEHIND));
    let handed_on = |wire: &mut Wire, from: SocketAddr, bytes: &[u8]| {
        let mut out = Vec::new();
        wire.mesh(1).datagram(from, bytes, now, &mut out);
        out.iter().any(|effect| matches!(effect, Effect::Stream(StreamOrder::Offer { .. })))
    };
    let stranger = Config { keys: KeyRing::new(Key::from_bytes([9; 32])), ..config(7, &[]) };
    let sealed = |mesh: &mut Mesh| mesh.post.seal_to_for_tests(guest, &[0; 20]).unwrap();
    let wrong_key = sealed(&mut Mesh::new(stranger, now));
    let nowhere: SocketAddr = "198.51.100.7:53".parse().unwrap();
    assert!(!handed_on(&mut wire, nowhere, &wrong_key));
    let mut garbage = wire.mesh(2).post.seal_to_for_tests(guest, &[0; 20]).unwrap();
    *garbage.last_mut().unwrap() ^= 1;
    assert!(!handed_on(&mut wire, addr(2), &garbage), "forged");
    let mut out = Vec::new();
    let to = crate::post::To { addr: addr(1), peer: Some(guest) };
    wire.mesh(2).knock_at(to, now, &mut out);
    let Some(Effect::Send { bytes, .. }) = out.pop() else { panic!("it knocks") };
    assert!(handed_on(&mut wire, addr(2), &bytes));
    assert!(!handed_on(&mut wire, addr(2), &bytes), "played again");
    let refused = wire.mesh(1).stats().refused;
    assert_eq!([Refused::Key, Refused::Forged, Refused::Replayed].map(|why| refused.of(why)), [1, 1, 1]);
    assert_eq!(bytes[37..HEADER_BYTES], guest.0.to_be_bytes(), "the receiver is named where the relay looks for it");
}

#[test]
fn what_is_for_one_node_cannot_be_played_to_another() {
    let mut wire = Wire::joined(3);
    let now = wire.now();
    wire.say(1, "203.0.113.1", ban(hour()));
    let to_two = wire.sent.iter().find(|(from, to, _)| *from == addr(1) && *to == addr(2)).unwrap().2.clone();
    let mut out = Vec::new();
    wire.mesh(3).datagram(addr(1), &to_two, now, &mut out);
    assert_eq!(wire.mesh(3).stats().refused.of(Refused::Elsewhere), 1);
}

#[test]
fn who_has_not_asked_is_no_guest_and_who_is_no_relay_takes_none() {
    for wrong in [vec![CARRIED], vec![STILL_HERE], carried(addr(2), &[2; 60]), vec![4, 0]] {
        let mut relay = Mesh::new(config(1, &[]), at(0));
        let mut caller = Mesh::new(config(2, &[]), at(0));
        let (stream, binding) = (StreamId(1), [3; 32]);
        let proof = |mesh: &mut Mesh, peer, role| {
            let mut out = Vec::new();
            mesh.stream(StreamEvent::Opened { stream, peer, addr: addr(9), role, binding }, at(0), &mut out);
            match out.pop() {
                Some(Effect::Stream(StreamOrder::Send { frame, .. })) => frame,
                other => panic!("no proof: {other:?}"),
            }
        };
        let (at_relay, at_caller) = (relay.identity(), caller.identity());
        let shown = proof(&mut caller, at_relay, Role::Dialer);
        proof(&mut relay, at_caller, Role::Listener);
        assert_eq!(hear(&mut relay, stream, shown, 0), [Effect::Stream(StreamOrder::Admit(stream))]);
        assert_eq!(hear(&mut relay, stream, wrong, 0), [Effect::Stream(StreamOrder::Close(stream))]);
    }
    let mut none = config(1, &[]);
    none.limits.guests_max = 0;
    let mut wire = wire(vec![none, behind(BEHIND, &[1])]);
    wire.run(10_000);
    assert_eq!((wire.mesh(BEHIND).live(), streams(&mut wire, BEHIND).relays_taken), (0, 0));
    let refused = streams(&mut wire, 1).guests_refused;
    assert!((1..30).contains(&refused), "it asks again, but not all the time: {refused}");
}

#[test]
fn a_relay_has_so_many_guests_and_the_others_take_another() {
    let mut few = config(1, &[]);
    few.limits.guests_max = 2;
    let guests = (BEHIND..BEHIND + 4).map(|n| behind(n, &[1, 2]));
    let mut wire = wire([few, config(2, &[1])].into_iter().chain(guests).collect());
    wire.run(6_000);
    assert!(all_met(&wire));
    let at_one = wire.mesh(1).post.routes.guests.len();
    assert_eq!((at_one, wire.mesh(2).post.routes.guests.len()), (2, 4));
}

#[test]
fn when_the_relay_dies_the_spare_one_takes_over_and_nobody_takes_the_guest_for_dead() {
    let mut wire = wire(vec![config(1, &[]), config(2, &[1]), config(3, &[1]), behind(BEHIND, &[1])]);
    wire.run(4_000);
    assert_eq!(wire.mesh(BEHIND).me().addr, addr(1), "the only one it knew");
    wire.told.clear();
    // From now on nothing comes from or to node 1; who is on a stream with it notices at the next frame.
    wire.cut = |from, to| is_behind(to) || [from, to].contains(&addr(1));
    wire.run(2_000);
    assert_ne!(wire.mesh(BEHIND).me().addr, addr(1));
    wire.say(2, "203.0.113.1", ban(hour()));
    wire.say(BEHIND, "203.0.113.2", ban(hour()));
    wire.run(2_000);
    for (about, view) in [("203.0.113.1", "ban by node-2"), ("203.0.113.2", "ban by node-100")] {
        assert_eq!(wire.views(about)[1..], [view, view, view]);
    }
    wire.run(20_000);
    let guest = NodeId(key(BEHIND).verifying_key().to_bytes());
    let downs = wire.told.iter().filter(
        |(_, effect)| matches!(effect, Effect::Member { member, change: crate::MemberChange::Down } if member.node == guest),
    );
    assert!(downs.filter(|(at, _)| *at != addr(1)).count() == 0, "it was never away");
    for n in [2, 3] {
        let seen = wire.mesh(n).members().into_iter().find(|member| member.node == guest).unwrap();
        assert!(seen.state == MemberState::Alive && [addr(2), addr(3)].contains(&seen.addr), "{seen:?}");
    }
}

#[test]
fn the_address_that_a_guest_calls_from_is_told_and_taken_back() {
    let mut wire = wire(vec![config(1, &[]), behind(BEHIND, &[1])]);
    wire.run(2_000);
    let told = |wire: &Wire| {
        let of = |effect: &Effect| if let Effect::Guest { addr, change } = effect { Some((*addr, *change)) } else { None };
        wire.told.iter().filter(|(at, _)| *at == addr(1)).filter_map(|(_, effect)| of(effect)).collect::<Vec<_>>()
    };
    assert_eq!(told(&wire), [(addr(BEHIND).ip(), crate::MemberChange::Up)]);
    assert!(wire.mesh(1).has_peer_at(addr(BEHIND).ip()) && !wire.mesh(1).has_peer_at(addr(50).ip()));
    wire.cut = |_, _| true;
    wire.run(3_000);
    assert_eq!(told(&wire)[1..], [(addr(BEHIND).ip(), crate::MemberChange::Down)]);
    assert!(!wire.mesh(1).has_peer_at(addr(BEHIND).ip()));
    assert_eq!((streams(&mut wire, 1).guests_taken, streams(&mut wire, 1).guests_left), (1, 1));
}

#[test]
fn after_a_time_without_any_relay_it_comes_back_with_what_both_sides_said() {
    let mut wire = wire(vec![config(1, &[]), config(2, &[1]), behind(BEHIND, &[1])]);
    wire.run(3_000);
    wire.cut = |from, to| is_behind(to) || is_behind(from);
    wire.run(30_000);
    assert_eq!((wire.mesh(BEHIND).live(), wire.mesh(1).live()), (0, 1));
    wire.say(1, "203.0.113.1", ban(hour()));
    wire.say(BEHIND, "203.0.113.2", ban(hour()));
    wire.cut = |_, to| is_behind(to);
    wire.run(5_000);
    assert!(all_met(&wire));
    assert!(wire.all_see("203.0.113.1", "ban by node-1") && wire.all_see("203.0.113.2", "ban by node-100"));
}

#[test]
fn no_token_is_made_where_no_new_machine_can_ask() {
    let mut wire = wire(vec![config(1, &[]), behind(BEHIND, &[1])]);
    wire.run(2_000);
    let now = wire.now().wall;
    let made = wire.mesh(BEHIND).issue_token(hour(), None, [7; 32], now);
    assert_eq!(made.unwrap_err(), crate::IssueError::DialOut);
}

#[test]
fn a_large_repair_uses_the_stream_that_is_there_and_leaves_it_open() {
    let mut wire = wire(vec![config(1, &[]), behind(BEHIND, &[1])]);
    let now = wire.now();
    for number in 0..3_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let signed = crate::testing::signed(1, &alloc::format!("10.{a}.{b}.{c}"), ban(hour()), 0);
        wire.mesh(1).restore(&signed.raw, now).unwrap();
    }
    wire.run(3_000);
    assert_eq!(wire.mesh(BEHIND).len(), 3_000);
    let stats = streams(&mut wire, BEHIND);
    assert_eq!((stats.bulk_done, stats.relays_taken, stats.relays_lost), (1, 1, 0));
    wire.say(1, "203.0.113.1", ban(hour()));
    assert!(wire.all_see("203.0.113.1", "ban by node-1"));
    assert!(!wire.mesh(1).records(&subject("203.0.113.1")).is_empty());
}

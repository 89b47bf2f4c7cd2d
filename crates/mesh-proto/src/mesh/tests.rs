//! Whole meshes on a wire.

mod limits;
mod spreading;

use super::*;
use crate::{
    KeyRing, MemberChange, MemberState, Said,
    frame::{Bytes, Question, Tally},
    limits::TTL_MAX,
    testing::{Wire, addr, at, ban, config, hour, signed, subject},
};
use alloc::{collections::BTreeSet, format, string::ToString, vec};
use core::time::Duration;
use honeymesh_types::{Grade, Reasons, Scope};

const WHO: &str = "203.0.113.7";

fn count(wire: &Wire, matches: impl Fn(&Effect) -> bool) -> usize {
    wire.told.iter().filter(|(_, effect)| matches(effect)).count()
}

#[test]
fn nodes_meet_through_one_they_know() {
    let mut wire = Wire::new((1..=8).map(|n| config(n, &[1])).collect());
    wire.run(2_500);
    for (_, mesh) in &wire.meshes {
        let members = mesh.members();
        assert_eq!(members.len(), 7);
        assert!(members.iter().all(|member| member.state == MemberState::Alive));
    }
    assert_eq!(count(&wire, |effect| matches!(effect, Effect::Member { change: MemberChange::Up, .. })), 8 * 7);
    assert_eq!(count(&wire, |effect| matches!(effect, Effect::Refused { .. })), 0, "{:?}", wire.told);
}

#[test]
fn a_ban_reaches_everybody_at_once_and_an_unban_lifts_it() {
    let mut wire = Wire::joined(5);
    let said = wire.say(2, WHO, ban(hour()));
    assert!(wire.all_see(WHO, "ban by node-2"), "{:?}", wire.views(WHO));
    assert_eq!(count(&wire, |effect| matches!(effect, Effect::Record { signed } if *signed == said)), 4, "each once");
    wire.run(5);
    wire.say(4, WHO, Said::Unban);
    wire.run(5);
    assert!(wire.all_see(WHO, "unban by node-4"), "{:?}", wire.views(WHO));
    wire.run(5);
    wire.say(3, WHO, ban(hour()));
    wire.run(5);
    assert!(wire.all_see(WHO, "ban by node-3, unban by node-4"), "{:?}", wire.views(WHO));
}

#[test]
fn what_must_not_cross_is_refused_by_publish() {
    let mut mesh = Mesh::new(config(1, &[]), at(0));
    let graded = |grade| Said::Ban { reasons: Reasons::SCAN, grade, scope: Scope::Dark, ttl: hour(), score: 1, note: None };
    let before = mesh.clock;
    for (about, said, error) in [
        (WHO, graded(Grade::Spoofable), RecordError::Spoofable),
        ("10.0.0.0/15", graded(Grade::Operator), RecordError::TooWide),
        (WHO, ban(Duration::ZERO), RecordError::Ttl),
    ] {
        let mut out = Vec::new();
        assert_eq!(mesh.publish(Statement { subject: subject(about), said }, at(0), &mut out), Err(error));
        assert!(out.is_empty() && mesh.is_empty());
    }
    assert_eq!(mesh.clock.clone().tick(WallTime(0)), before.clone().tick(WallTime(0)), "the clock did not move");
}

#[test]
fn what_must_not_cross_is_refused_on_receipt() {
    let mut wire = Wire::joined(2);
    let graded =
        Said::Ban { reasons: Reasons::SCAN, grade: Grade::Spoofable, scope: Scope::Dark, ttl: hour(), score: 1, note: None };
    for (about, said, millis, why) in [
        (WHO, graded, 0, Refused::RecordSpoofable),
        ("10.0.0.0/15", ban(hour()), 0, Refused::RecordTooWide),
        (WHO, ban(hour()), 70_000, Refused::RecordFuture),
    ] {
        let bad = signed(1, about, said, millis);
        wire.mesh(1).push_on(&bad, None, None);
        wire.run(10);
        assert_eq!(wire.mesh(2).stats().refused.of(why), 1, "{why}");
    }
    let mut forged = signed(1, WHO, ban(hour()), 0).raw.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = Signed::new(crate::testing::record(1, WHO, ban(hour()), 0), forged.into(), crate::RecordId([0; 32]));
    wire.mesh(1).push_on(&forged, None, None);
    wire.run(10);
    assert_eq!(wire.mesh(2).stats().refused.of(Refused::RecordSignature), 1);
    assert!(wire.mesh(2).is_empty());
    assert_eq!(count(&wire, |effect| matches!(effect, Effect::Refused { .. })), 4);
}

#[test]
fn a_node_that_was_away_catches_up_both_ways() {
    let mut wire = Wire::joined(4);
    wire.cut = |from, to| (from == addr(4)) != (to == addr(4));
    wire.say(1, WHO, ban(hour()));
    wire.say(4, "203.0.113.8", ban(hour()));
    wire.run(100);
    assert!(!wire.all_see(WHO, "ban by node-1"));
    wire.cut = |_, _| false;
    wire.run(4_000);
    assert!(wire.all_see(WHO, "ban by node-1") && wire.all_see("203.0.113.8", "ban by node-4"));
    let prints: BTreeSet<u128> = wire.meshes.iter().map(|(_, mesh)| mesh.fingerprint()).collect();
    assert_eq!(prints.len(), 1);
}

#[test]
fn who_repairs_hands_over_what_the_other_lacks() {
    for missing in [3_u8, 60] {
        let mut wire = Wire::joined(2);
        wire.cut = |_, _| true;
        for n in 0..missing {
            wire.say(1, &format!("203.0.113.{n}"), ban(hour()));
        }
        wire.run(200);
        wire.cut = |_, _| false;
        let (now, mut out) = (wire.now(), Vec::new());
        let other = Sender { id: ShortId::of(&wire.mesh(2).identity().0), addr: addr(2) };
        let errand = crate::repair::Errand { records: true, ..Default::default() };
        wire.mesh(1).start(other, errand, now, &mut out);
        wire.carry(addr(1), out);
        assert_eq!(wire.mesh(2).len(), usize::from(missing), "at once, as a gift or by being told to ask");
    }
}

#[test]
fn who_was_declared_down_is_told_when_it_knocks_and_comes_back_at_once() {
    let mut wire = Wire::joined(8);
    for n in 2..=8 {
        let (now, mut out) = (wire.now(), Vec::new());
        let declared = Member { state: MemberState::Down, ..wire.mesh(n).me() };
        let mut news = crate::membership::News::default();
        let known = crate::membership::Known::of(&declared);
        wire.mesh(1).members.learn(&[known], &|_| true, crate::membership::Share::Keep, now, &mut news).unwrap();
        let seen = |wire: &mut Wire| wire.mesh(1).members().into_iter().find(|member| member.node == declared.node).unwrap();
        assert_eq!(seen(&mut wire).state, MemberState::Down);
        wire.mesh(n).knock_at(To { addr: addr(1), peer: None }, now, &mut out);
        wire.carry(addr(n), out);
        let back = seen(&mut wire);
        assert_eq!((back.state, back.incarnation), (MemberState::Alive, declared.incarnation + 1), "node {n}");
    }
}

#[test]
fn a_split_longer_than_any_suspicion_heals() {
    let mut wire = Wire::joined(4);
    wire.cut =
        |from, to| (from.port() == to.port()) && ((from == addr(1) || from == addr(2)) != (to == addr(1) || to == addr(2)));
    wire.run(120_000);
    wire.say(1, WHO, ban(hour()));
    wire.say(3, "203.0.113.8", ban(hour()));
    assert!(wire.mesh(1).members().iter().filter(|m| m.state == MemberState::Down).count() == 2);
    wire.cut = |_, _| false;
    wire.run(35_000);
    assert!(wire.all_see(WHO, "ban by node-1") && wire.all_see("203.0.113.8", "ban by node-3"));
    for (_, mesh) in &wire.meshes {
        assert!(mesh.members().iter().all(|member| member.state == MemberState::Alive), "{:?}", mesh.members());
    }
}

#[test]
fn a_late_joiner_gets_everything() {
    let mut wire = Wire::joined(2);
    for n in 0..1_500_u32 {
        wire.say(1, &format!("10.1.{}.{}", n / 256, n % 256), ban(hour()));
        if n % 30 == 0 {
            wire.run(6);
        }
    }
    wire.run(2_000);
    assert_eq!(wire.mesh(2).len(), 1_500);
    wire.meshes.push((addr(3), Mesh::new(config(3, &[1]), wire.now())));
    wire.sent.clear();
    wire.run(1_000);
    assert_eq!(wire.mesh(3).len(), 1_500);
    let pushed_on = wire.sent.iter().filter(|(from, _, bytes)| *from == addr(3) && bytes.len() > 200).count();
    assert!(pushed_on < 10, "what is learnt in bulk is not pushed on: {pushed_on}");
}

#[test]
fn a_wrong_key_learns_nothing_and_teaches_nothing() {
    let mut stranger = config(9, &[1, 2]);
    stranger.keys = KeyRing::new(Key::from_bytes([9; 32]));
    let mut wire = Wire::new(vec![config(1, &[]), config(2, &[1, 9]), stranger]);
    wire.run(2_000);
    wire.say(1, WHO, ban(hour()));
    wire.say(9, "203.0.113.8", ban(hour()));
    wire.run(10_000);
    assert!(wire.mesh(9).members().is_empty() && wire.mesh(9).records(&subject(WHO)).is_empty());
    assert_eq!((wire.mesh(1).members().len(), wire.mesh(1).len()), (1, 1));
    assert!(wire.mesh(1).stats().refused.of(Refused::Key) > 0 && wire.mesh(9).stats().refused.of(Refused::Key) > 0);
    assert!(wire.mesh(1).stats().peers.iter().all(|peer| peer.node != Some(NodeId([9; 32]))));
}

#[test]
fn keys_rotate_on_live_nodes_with_no_lost_record() {
    let new = Key::from_bytes([2; 32]);
    let old = Key::from_bytes([1; 32]);
    let mut wire = Wire::joined(3);
    let mut said = 0;
    let mut say = |wire: &mut Wire| {
        said += 1;
        let about = format!("203.0.113.{said}");
        wire.say(1 + said % 3, &about, ban(hour()));
        wire.run(10);
        assert!(wire.views(&about).iter().all(|view| !view.is_empty()), "{:?}", wire.views(&about));
    };
    for step in 0..3 {
        for n in 1..=3 {
            match step {
                0 => wire.mesh(n).add_key(new.clone()).unwrap(),
                1 => wire.mesh(n).use_key(&new).unwrap(),
                _ => {
                    let (now, mut out) = (wire.now(), Vec::new());
                    wire.mesh(n).retire_key(&old, now, &mut out).unwrap();
                    assert!(out.is_empty(), "there are no streams");
                }
            }
            say(&mut wire);
        }
    }
    assert_eq!(wire.meshes.iter().map(|(_, mesh)| mesh.stats().refused.total()).sum::<u64>(), 0);
}

#[test]
fn a_restart_without_state_gets_its_own_words_back() {
    let mut wire = Wire::joined(3);
    wire.say(2, WHO, ban(hour()));
    wire.run(100);
    let mut again = config(2, &[1]);
    again.boot_salt += 1;
    let now = wire.now();
    *wire.mesh(2) = Mesh::new(again, now);
    wire.told.clear();
    wire.run(3_000);
    assert!(wire.all_see(WHO, "ban by node-2"), "{:?}", wire.views(WHO));
    assert_eq!(
        count(&wire, |effect| matches!(effect, Effect::Record { signed } if signed.record.origin_name.as_str() == "node-2")),
        1
    );
    wire.say(2, WHO, Said::Unban);
    wire.run(100);
    assert!(wire.all_see(WHO, "unban by node-2"), "{:?}", wire.views(WHO));
}

#[test]
fn a_restart_restores_its_records_without_a_push() {
    let mut wire = Wire::joined(2);
    let said = wire.say(1, WHO, ban(hour()));
    let mut mesh = Mesh::new(config(3, &[]), wire.now());
    assert_eq!(mesh.restore(&said.raw, wire.now()).unwrap(), said);
    assert_eq!((mesh.len(), mesh.fingerprint()), (1, wire.mesh(1).fingerprint()));
    assert_eq!(mesh.restore(&said.raw[1..], wire.now()), Err(RecordError::Malformed));
    let newer = wire.say(1, WHO, Said::Unban);
    mesh.restore(&newer.raw, wire.now()).unwrap();
    assert_eq!(mesh.restore(&said.raw, wire.now()), Err(RecordError::Superseded));
}

#[test]
fn a_shorter_ban_replaces_a_longer_one_for_good() {
    let mut wire = Wire::joined(2);
    let long = wire.say(1, WHO, ban(hour()));
    wire.run(10);
    let short = wire.say(1, WHO, ban(Duration::from_secs(1)));
    wire.run(2_000);
    assert!(wire.all_see(WHO, ""), "{:?}", wire.views(WHO));
    let now = wire.now();
    assert_eq!(wire.mesh(2).restore(&long.raw, now), Err(RecordError::Superseded), "no late copy comes back");
    assert_eq!(short.record.linger + Duration::from_secs(1), hour() - Duration::from_millis(10));
}

#[test]
fn a_short_ban_that_comes_late_ends_the_longer_one_it_replaced() {
    let mut wire = Wire::joined(2);
    wire.say(1, WHO, ban(hour()));
    wire.run(10);
    wire.cut = |_, _| true;
    wire.say(1, WHO, ban(Duration::from_millis(100)));
    wire.run(200);
    wire.told.clear();
    wire.cut = |_, _| false;
    wire.run(3_000);
    let now = wire.now().wall;
    let ended = |effect: &Effect| matches!(effect, Effect::Record { signed } if signed.record.is_over(now));
    assert_eq!(count(&wire, ended), 1);
    assert!(wire.all_see(WHO, ""));
}

#[test]
fn expiry_causes_no_repairs() {
    let mut wire = Wire::joined(3);
    for n in 1..100 {
        wire.say(1, &format!("203.0.113.{n}"), ban(Duration::from_millis(5_000 + 50 * n)));
    }
    wire.run(3_000);
    let mended = |wire: &Wire| wire.meshes.iter().map(|(_, mesh)| mesh.stats()).map(|s| s.repairs + s.sketches).sum::<u64>();
    let before = mended(&wire);
    wire.run(140_000);
    assert_eq!(mended(&wire), before);
    assert!(wire.meshes.iter().all(|(_, mesh)| mesh.is_empty()));
}

#[test]
fn an_idle_mesh_is_quiet() {
    let mut wire = Wire::joined(8);
    wire.run(10_000);
    wire.sent.clear();
    wire.run(60_000);
    let bytes: usize = wire.sent.iter().map(|(_, _, bytes)| bytes.len()).sum();
    let rate = bytes / 60 / 8;
    assert!(rate < 600, "{rate} bytes a second and node");
}

#[test]
fn a_node_without_an_address_learns_it_from_the_first_peer() {
    let mut nameless = config(2, &[1]);
    nameless.advertise = "0.0.0.0:7946".parse().unwrap();
    let mut wire = Wire::new(vec![config(1, &[]), nameless]);
    wire.meshes[1].0 = addr(2);
    wire.run(1_000);
    assert_eq!(wire.meshes[1].1.me().addr, addr(2));
    assert_eq!(wire.mesh(1).members()[0].addr, addr(2));
    let mut first = config(1, &[]);
    first.advertise = "0.0.0.0:7946".parse().unwrap();
    let mut wire = Wire::new(vec![first, config(2, &[1])]);
    wire.meshes[0].0 = addr(1);
    wire.run(1_000);
    assert_eq!(wire.meshes[0].1.me().addr, addr(1), "told by who knocked");
    assert_eq!(wire.meshes[1].1.members().len(), 1);
}

#[test]
fn a_loud_origin_is_delayed_but_loses_nothing() {
    let mut limited = config(2, &[1]);
    (limited.limits.origin_rate, limited.limits.origin_burst) = (1, 5);
    let mut wire = Wire::new(vec![config(1, &[]), limited]);
    wire.run(1_000);
    for n in 1..50 {
        wire.say(1, &format!("203.0.113.{n}"), ban(hour()));
    }
    wire.run(20);
    assert!(wire.mesh(2).len() <= 6, "{}", wire.mesh(2).len());
    assert!(wire.mesh(2).stats().refused.of(Refused::OriginRate) > 0);
    wire.run(4_000);
    assert_eq!(wire.mesh(2).len(), 49, "repair asked for the rest at its own pace");
}

#[test]
fn bad_signatures_use_up_a_peers_budget() {
    let mut wire = Wire::joined(2);
    for n in 0..500_u32 {
        let mut raw = signed(7, WHO, ban(hour()), n.into()).raw.to_vec();
        *raw.last_mut().unwrap() ^= 1;
        let id = crate::RecordId::of(&raw);
        let forged = Signed::new(crate::testing::record(7, WHO, ban(hour()), n.into()), raw.into(), id);
        wire.mesh(1).push_on(&forged, None, None);
    }
    wire.run(200);
    let refused = wire.mesh(2).stats().refused;
    assert!((220..280).contains(&refused.of(Refused::RecordSignature)), "{:?}", refused.iter().collect::<Vec<_>>());
    assert!(refused.of(Refused::PeerRate) > 0);
}

#[test]
fn a_full_origin_converges_and_stays_quiet() {
    let limited = |n: u8| {
        let mut config = config(n, &[1]);
        config.limits.origin_records_max = 10;
        config
    };
    let mut wire = Wire::new((1..=3).map(limited).collect());
    wire.run(2_000);
    for n in 1..60 {
        wire.say(1, &format!("203.0.113.{n}"), ban(hour()));
        wire.run(3);
    }
    wire.run(10_000);
    assert!(wire.meshes.iter().all(|(_, mesh)| mesh.len() == 10));
    assert_eq!(wire.meshes.iter().map(|(_, mesh)| mesh.fingerprint()).collect::<BTreeSet<_>>().len(), 1);
    let before: u64 = wire.meshes.iter().map(|(_, mesh)| mesh.stats().repairs).sum();
    wire.run(10_000);
    assert_eq!(wire.meshes.iter().map(|(_, mesh)| mesh.stats().repairs).sum::<u64>(), before, "no storm");
}

#[test]
fn captured_datagrams_change_nothing_when_played_back() {
    let mut wire = Wire::joined(3);
    wire.say(1, WHO, ban(hour()));
    wire.run(10);
    wire.say(2, WHO, Said::Unban);
    wire.run(2_000);
    let captured = core::mem::take(&mut wire.sent);
    let prints: Vec<u128> = wire.meshes.iter().map(|(_, mesh)| mesh.fingerprint()).collect();
    let now = wire.now();
    for (from, to, bytes) in captured {
        let (_, mesh) = wire.meshes.iter_mut().find(|(addr, _)| *addr == to).unwrap();
        let mut out = Vec::new();
        mesh.datagram(from, &bytes, now, &mut out);
        assert_eq!(out, [Effect::Refused { from, why: Refused::Replayed }]);
    }
    assert_eq!(wire.meshes.iter().map(|(_, mesh)| mesh.fingerprint()).collect::<Vec<_>>(), prints);
}

#[test]
fn an_insiders_nonsense_is_counted_and_told_once_a_datagram() {
    let mut wire = Wire::joined(2);
    let junk = vec![0; 1_000];
    let now = wire.now();
    let mut out = Vec::new();
    let to = To { addr: addr(2), peer: None };
    let records = crate::frame::Records(crate::frame::Bytes(&junk));
    wire.mesh(1).post.send(to, Message::Push { until: None, records }, now, &mut out);
    wire.carry(addr(1), out);
    assert_eq!(wire.mesh(2).stats().refused.of(Refused::RecordMalformed), 500);
    assert_eq!(count(&wire, |effect| matches!(effect, Effect::Refused { .. })), 1);
}

/// Everything that nodes say to each other in a lively minute, opened.
fn overheard() -> Vec<Vec<u8>> {
    let mut wire = Wire::new((1..=4).map(|n| config(n, &[1])).collect());
    wire.run(3_000);
    wire.cut = |from, to| from == addr(4) || to == addr(4);
    for n in 0..200 {
        wire.say(1 + n % 3, &format!("203.0.113.{n}"), ban(hour()));
    }
    wire.run(15_000);
    wire.cut = |_, _| false;
    wire.run(45_000);
    opened(&wire)
}

/// What was sent, opened.
fn opened(wire: &Wire) -> Vec<Vec<u8>> {
    let vault = crate::envelope::Vault::new(crate::testing::tag(), &KeyRing::new(Key::from_bytes([1; 32])));
    let open = |datagram: &Vec<u8>| {
        let header = crate::envelope::Header::read(datagram, vault.cluster).unwrap();
        let mut body = Vec::new();
        vault.sender_key(header.key, header.sender, header.salt).unwrap().open(&header, datagram, &mut body).unwrap();
        body
    };
    wire.sent.iter().map(|(_, _, datagram)| open(datagram)).collect()
}

/// How many messages of a kind were sent.
fn sent(wire: &Wire, is_meant: impl Fn(&Message<'_>) -> bool) -> usize {
    opened(wire).iter().filter(|body| crate::frame::Frame::read(body).is_some_and(|frame| is_meant(&frame.message))).count()
}

/// A body with something wrong in it.
pub(super) fn bent(body: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=crate::roster::below(rng, 4) {
        let place = crate::roster::below(rng, body.len());
        match rng.next_u32() % 5 {
            0 => body.truncate(place.max(1)),
            1 => body.insert(place, 0xff),
            2 => drop(body.remove(place)),
            3 => body[place] ^= 1 << (rng.next_u32() % 8),
            _ => body[place] = [0, 1, 0x7f, 0x80, 0xff][crate::roster::below(rng, 5)],
        }
        if body.is_empty() {
            body.push(0);
        }
    }
    body
}

#[test]
fn nothing_that_an_insider_seals_does_harm() {
    let bodies = overheard();
    let kinds: BTreeSet<u32> = bodies.iter().filter_map(|body| kind(&crate::frame::Frame::read(body)?.message)).collect();
    assert_eq!(kinds.len(), 9, "every kind of message was overheard: {kinds:?}");
    let mut wire = Wire::joined(3);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for step in 0..40_000_u64 {
        let body = bent(&bodies[crate::roster::below(&mut rng, bodies.len())], &mut rng);
        let sealed = wire.mesh(1).post.seal_for_tests(&body);
        let now = at(wire.millis + step);
        let mut out = Vec::new();
        if let Some(datagram) = sealed {
            wire.mesh(2).datagram(addr(1), &datagram, now, &mut out);
        }
        wire.mesh(2).wake(now, &mut out);
        let sends = out.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count();
        assert!(sends < 200, "one datagram makes {sends}");
    }
    let stats = wire.mesh(2).stats();
    assert!(stats.refused.of(Refused::Malformed) > 1_000 && stats.refused.of(Refused::RecordSignature) > 10);
    assert!(wire.mesh(2).members().len() < 200, "{}", wire.mesh(2).members().len());
}

/// Which kind of message it is.
fn kind(message: &Message<'_>) -> Option<u32> {
    Some(match message {
        Message::Swim { .. } => 0,
        Message::Knock { .. } => 1,
        Message::Welcome { .. } => 2,
        Message::Push { .. } => 3,
        Message::Digest(_) => 4,
        Message::Ask { .. } => 5,
        Message::Answer { .. } => 6,
        Message::Have(_) => 7,
        Message::Sketch { .. } => 8,
        Message::Deeds { .. } => 9,
        Message::DeedsFrom(_) => 10,
        Message::Confirm(_) => 11,
        Message::Confirmed(_) => 12,
    })
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let run = || {
        let mut wire = Wire::joined(4);
        wire.say(2, WHO, ban(TTL_MAX));
        wire.run(3_000);
        (wire.sent, wire.told)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_wake_that_is_not_due_does_nothing() {
    let mut wire = Wire::joined(2);
    let now = wire.now();
    let mut out = Vec::new();
    if wire.mesh(1).wake_at() > now.mono {
        wire.mesh(1).wake(now, &mut out);
    }
    assert!(out.is_empty());
    assert_eq!(wire.mesh(1).identity().to_string().len(), 64);
}

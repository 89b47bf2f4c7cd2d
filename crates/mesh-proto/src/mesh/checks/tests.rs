//! What waits for a check has not happened yet, and waits within bounds.

use super::*;
use crate::{
    Config, Hlc, MeshStats, Said, Statement,
    limits::Limits,
    mesh::Mesh,
    testing::{Wire, addr, ban, config, hour, subject},
};
use alloc::{format, sync::Arc, vec};
use honeymesh_types::{NodeId, Subject};

const WHO: &str = "203.0.113.7";

/// Records of node `n` about many, said in the name of `origin`.
fn records(wire: &mut Wire, n: u8, origin: NodeId, numbers: core::ops::Range<u32>) -> Vec<Arc<[u8]>> {
    let at = Hlc::at(wire.now().wall);
    let about = |number: u32| {
        let subject = Subject::host(core::net::IpAddr::from((0xc612_0000 + number).to_be_bytes()));
        Statement { subject, said: ban(hour()) }
    };
    numbers.filter_map(|number| wire.mesh(n).insider_record(about(number), origin, at)).collect()
}

fn own(wire: &mut Wire, n: u8, numbers: core::ops::Range<u32>) -> Vec<Arc<[u8]>> {
    let me = wire.mesh(n).identity();
    records(wire, n, me, numbers)
}

/// Datagrams with these records from node `n`, for node 2, with a duty in them or not.
fn sealed(wire: &mut Wire, n: u8, records: &[Arc<[u8]>], duty: bool) -> Vec<Vec<u8>> {
    let (now, mut out) = (wire.now(), Vec::new());
    let until = duty.then(|| ShortId::of(&wire.mesh(2).identity().0)).map(Duty::none);
    for records in records.chunks(5) {
        let mut packer = crate::frame::Packer::default();
        assert!(records.iter().all(|raw| packer.push(raw)));
        let to = crate::post::To { addr: addr(2), peer: None };
        wire.mesh(n).post.send(to, Message::Push { until, records: packer.list() }, now, &mut out);
    }
    let bytes = |effect| if let Effect::Send { bytes, .. } = effect { Some(bytes) } else { None };
    out.into_iter().filter_map(bytes).collect()
}

/// Node 2 takes datagrams; what it wants comes back.
fn take(wire: &mut Wire, from: u8, datagrams: &[Vec<u8>]) -> Vec<Effect> {
    let (now, mut out) = (wire.now(), Vec::new());
    datagrams.iter().for_each(|bytes| wire.mesh(2).datagram(addr(from), bytes, now, &mut out));
    out
}

fn push(wire: &mut Wire, from: u8, records: &[Arc<[u8]>]) -> Vec<Effect> {
    let datagrams = sealed(wire, from, records, true);
    take(wire, from, &datagrams)
}

/// The claims among what node 2 wants.
fn claims(effects: &[Effect]) -> Vec<Claims> {
    effects.iter().filter_map(|effect| if let Effect::Check(claims) = effect { Some(claims.clone()) } else { None }).collect()
}

/// Gives node 2 the verdicts, and those about what follows from them; everything it wants but checks comes back.
fn answer(wire: &mut Wire, mut effects: Vec<Effect>) -> Vec<Effect> {
    let (now, mut done) = (wire.now(), Vec::new());
    while !effects.is_empty() {
        let mut out = Vec::new();
        claims(&effects).iter().for_each(|claims| wire.mesh(2).checked(claims.check(), now, &mut out));
        done.extend(effects.into_iter().filter(|effect| !matches!(effect, Effect::Check(_))));
        effects = out;
    }
    done
}

fn entered(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Record { .. })).count()
}

fn sends(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count()
}

/// A record with one bit of its signature turned.
fn bent(raw: &Arc<[u8]>) -> Arc<[u8]> {
    let mut raw = raw.to_vec();
    *raw.last_mut().unwrap() ^= 1;
    raw.into()
}

/// Three nodes that have met; the second one has its signatures checked elsewhere.
fn world() -> Wire {
    let mut wire = Wire::joined(3);
    wire.mesh(2).check_elsewhere();
    wire
}

fn stats(wire: &mut Wire) -> MeshStats {
    wire.mesh(2).stats()
}

#[test]
fn a_single_ban_is_handed_out_in_the_very_step_in_which_it_came() {
    let mut wire = world();
    let one = own(&mut wire, 1, 0..1);
    let out = push(&mut wire, 1, &one);
    assert!(matches!(&out[..], [Effect::Check(claims)] if claims.len() == 1), "{out:?}");
}

#[test]
fn before_its_check_a_record_is_not_entered_told_receipted_or_handed_on() {
    let mut wire = world();
    let few = own(&mut wire, 1, 0..5);
    let out = push(&mut wire, 1, &few);
    assert_eq!((claims(&out).len(), out.len(), wire.mesh(2).len()), (1, 1, 0));
    wire.millis += 5_000;
    let (now, mut woken) = (wire.now(), Vec::new());
    wire.mesh(2).flush(now, &mut woken);
    assert_eq!((sends(&woken), stats(&mut wire).checks.waiting), (0, 5), "however long it takes");
    let done = answer(&mut wire, out);
    assert_eq!((entered(&done), wire.mesh(2).len(), stats(&mut wire).checks.waiting), (5, 5, 0));
    assert!(sends(&done) > 0, "a receipt");
}

#[test]
fn what_comes_while_two_batches_are_out_is_gathered_into_the_next() {
    let mut wire = world();
    let many = own(&mut wire, 1, 0..150);
    let out = push(&mut wire, 1, &many);
    assert_eq!(claims(&out).iter().map(Claims::len).collect::<Vec<_>>(), [5, 5]);
    let (now, mut next) = (wire.now(), Vec::new());
    wire.mesh(2).checked(claims(&out)[0].check(), now, &mut next);
    assert_eq!(claims(&next).iter().map(Claims::len).collect::<Vec<_>>(), [140]);
    let rest = claims(&out)[1].clone();
    wire.mesh(2).checked(rest.check(), now, &mut next);
    answer(&mut wire, next);
    let checks = stats(&mut wire).checks;
    assert_eq!((wire.mesh(2).len(), checks.batches, checks.records, checks.largest), (150, 3, 150, 140));
    assert_eq!((checks.split, checks.overflows, checks.waiting), (0, 0, 0));
}

#[test]
fn a_forger_in_a_burst_spoils_no_honest_record_of_the_same_batch() {
    let mut wire = world();
    let (first, honest) = (own(&mut wire, 1, 900..910), own(&mut wire, 3, 0..60));
    let forged: Vec<_> = own(&mut wire, 1, 100..160).iter().map(bent).collect();
    let mut out = push(&mut wire, 1, &first);
    for (honest, forged) in honest.chunks(5).zip(forged.chunks(5)) {
        out.extend(push(&mut wire, 3, honest));
        out.extend(push(&mut wire, 1, forged));
    }
    assert_eq!(claims(&out).len(), 2, "the burst is one batch");
    let done = answer(&mut wire, out);
    assert_eq!((entered(&done), wire.mesh(2).len()), (70, 70), "every honest one, and none else");
    let stats = stats(&mut wire);
    assert_eq!((stats.refused.of(Refused::RecordSignature), stats.checks.split, stats.checks.largest), (60, 1, 120));
    let refused = |n: u8, wire: &mut Wire| {
        let node = wire.mesh(n).identity();
        let stats = wire.mesh(2).stats().peers.into_iter().find(|peer| peer.node == Some(node)).unwrap();
        stats.refused.of(Refused::RecordSignature)
    };
    assert_eq!((refused(1, &mut wire), refused(3, &mut wire)), (60, 0), "and only the forger is blamed");
}

/// Node 1 sends records in node 3's name, and no verdict comes back for long: what is checked is a part of its budget and one bound.
#[test]
fn a_forger_whose_verdicts_are_late_gets_no_more_checks_than_its_budget_and_the_bound_of_a_peer() {
    let limits = Limits { peer_rate: 100, peer_burst: 4_000, ..Limits::default() };
    let mut wire = Wire::new((1..=3).map(|n| Config { limits, ..config(n, &[1]) }).collect());
    wire.run(3_000);
    wire.mesh(2).check_elsewhere();
    let (honest, mut late) = (wire.mesh(3).identity(), Vec::new());
    for round in 0..40 {
        let forged = records(&mut wire, 1, honest, round * 200..round * 200 + 200);
        late.extend(push(&mut wire, 1, &forged));
        wire.millis += 50;
    }
    let waiting = stats(&mut wire).checks.waiting;
    assert!(waiting <= CHECK_PEER_MAX as u64 + 8, "{waiting} wait");
    answer(&mut wire, late);
    let stats = stats(&mut wire);
    let (bad, budget) = (stats.refused.of(Refused::RecordSignature), 4_000 + 100 * 2);
    assert!(bad <= budget / 101 + CHECK_PEER_MAX as u64 + 8, "{bad} checks for {budget}");
    assert!(bad >= CHECK_PEER_MAX as u64 && stats.checks.overflows > 0 && wire.mesh(2).is_empty());
}

#[test]
fn what_waits_is_bounded_and_at_the_bound_nothing_is_lost() {
    let limits = Limits { origin_burst: 20_000, ..Limits::default() };
    let mut wire = Wire::new((1..=30).map(|n| Config { limits, ..config(n, &[1]) }).collect());
    wire.run(4_000);
    wire.mesh(2).check_elsewhere();
    let (mut late, mut most) = (Vec::new(), 0);
    for n in (3..=30_u8).chain([1]) {
        let first = u32::from(n) * 1_000;
        let many = own(&mut wire, n, first..first + 190);
        late.extend(push(&mut wire, n, &many));
        most = most.max(wire.mesh(2).checker.queued);
    }
    assert!((CHECK_QUEUE_MAX - 200..=CHECK_QUEUE_MAX).contains(&most), "{most}");
    assert!(wire.mesh(2).len() > 2_000, "the oldest were checked at once: {}", wire.mesh(2).len());
    assert!(stats(&mut wire).checks.overflows > 0);
    answer(&mut wire, late);
    assert_eq!((wire.mesh(2).len(), stats(&mut wire).checks.waiting), (29 * 190, 0));
}

#[test]
fn the_same_bytes_are_checked_once_and_receipted_to_both_who_sent_them() {
    let mut wire = world();
    let few = own(&mut wire, 1, 0..5);
    let mut out = push(&mut wire, 1, &few);
    out.extend(push(&mut wire, 3, &few));
    assert_eq!(claims(&out).iter().map(Claims::len).collect::<Vec<_>>(), [5, 0]);
    let done = answer(&mut wire, out);
    let receipts = |to: u8| done.iter().filter(|effect| matches!(effect, Effect::Send { to: at, .. } if *at == addr(to))).count();
    assert_eq!((entered(&done), stats(&mut wire).checks.records), (5, 5));
    assert!(receipts(1) >= 1 && receipts(3) >= 1, "{done:?}");
}

#[test]
fn repeating_what_is_being_checked_fills_no_memory() {
    let mut wire = world();
    let few = own(&mut wire, 1, 0..5);
    let mut out = push(&mut wire, 1, &few);
    let more = own(&mut wire, 1, 5..10);
    out.extend(push(&mut wire, 1, &more));
    assert_eq!(claims(&out).len(), CHECK_BATCHES_MAX, "nothing more is handed out before a verdict");
    let mut most = 0;
    for _ in 0..CHECK_QUEUE_MAX + 500 {
        assert!(claims(&push(&mut wire, 3, &few)).is_empty());
        most = most.max(wire.mesh(2).checker.queue.len());
    }
    assert_eq!(most, CHECK_QUEUE_MAX, "as many as may wait, and no more");
    let done = answer(&mut wire, out);
    assert_eq!(entered(&done), 10, "nothing is lost by it");
    assert!(wire.mesh(2).checker.queue.is_empty() && wire.mesh(2).checker.same == 0);
}

#[test]
fn whoever_sends_the_same_bad_bytes_is_fined_as_if_they_were_checked_for_him() {
    let mut wire = world();
    let forged: Vec<_> = own(&mut wire, 1, 0..5).iter().map(bent).collect();
    let mut out = push(&mut wire, 1, &forged);
    out.extend(push(&mut wire, 3, &forged));
    out.extend(push(&mut wire, 3, &forged));
    answer(&mut wire, out);
    let blamed = stats(&mut wire).peers.iter().map(|peer| peer.refused.of(Refused::RecordSignature)).sum::<u64>();
    assert_eq!((blamed, stats(&mut wire).checks.records), (15, 5));
    assert_eq!(wire.mesh(2).checker.same, 0);
}

#[test]
fn who_is_turned_away_while_its_record_is_checked_has_said_nothing() {
    let mut wire = world();
    let one = own(&mut wire, 1, 0..1);
    let out = push(&mut wire, 1, &one);
    let (now, origin) = (wire.now(), wire.mesh(1).identity());
    // A cluster with an authority from this moment on, that has let nobody in.
    let admission = crate::Admission { authority: Some(NodeId([9; 32])), ..crate::Admission::default() };
    wire.mesh(2).admission =
        crate::admission::Admission::new(crate::testing::tag(), &admission, &"node-2".parse().unwrap(), now.mono);
    let done = answer(&mut wire, out);
    assert_eq!((entered(&done), wire.mesh(2).len()), (0, 0), "{origin}");
    assert_eq!(stats(&mut wire).refused.of(Refused::RecordUncertified), 1);
}

#[test]
fn verdicts_about_something_else_change_nothing() {
    let mut wire = world();
    let few = own(&mut wire, 1, 0..5);
    let out = push(&mut wire, 1, &few);
    // The node is started again while its checks are out: they were another life's.
    let (now, mut fresh) = (wire.now(), Vec::new());
    let mut again = Mesh::new(config(2, &[1]), now);
    again.check_elsewhere();
    again.checked(claims(&out)[0].check(), now, &mut fresh);
    assert!(fresh.is_empty() && again.is_empty());
    answer(&mut wire, out.clone());
    assert_eq!(wire.mesh(2).len(), 5);
    let twice = answer(&mut wire, out);
    assert_eq!((entered(&twice), wire.mesh(2).len()), (0, 5), "nor do verdicts that come twice");
}

/// A cluster in which every check takes some milliseconds, with losses.
fn slow(seed: u64) -> Wire {
    use rand_core::SeedableRng;
    let mut wire = Wire::new((1..=6).map(|n| config(n, &[1])).collect());
    wire.run(3_000);
    wire.meshes.iter_mut().for_each(|(_, mesh)| mesh.check_elsewhere());
    wire.check_takes = 7;
    wire.loss = Some((rand_chacha::ChaCha8Rng::seed_from_u64(seed), 10));
    for n in 0..120_u8 {
        wire.say(1 + n % 6, &format!("203.0.113.{n}"), ban(hour()));
        wire.run(2);
    }
    wire.say(2, WHO, Said::Unban);
    wire.run(15_000);
    wire
}

#[test]
fn with_slow_checks_and_loss_all_come_to_the_same_set_the_same_way_each_time() {
    let runs = [1, 1, 2].map(|seed| {
        let wire = slow(seed);
        assert!(wire.meshes.iter().all(|(_, mesh)| mesh.len() == 120), "seed {seed}");
        assert!(wire.all_see(WHO, "unban by node-2"), "seed {seed}: {:?}", wire.views(WHO));
        (wire.sent, wire.told)
    });
    assert!(runs[0] == runs[1] && runs[0].0 != runs[2].0);
}

#[test]
fn a_late_joiner_asks_for_no_more_pages_than_may_wait_for_their_check() {
    let mut wire = Wire::new(vec![config(1, &[]), config(2, &[1])]);
    let now = wire.now();
    for number in 0..20_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let signed = crate::testing::signed(1, &format!("10.{a}.{b}.{c}"), ban(hour()), 0);
        wire.mesh(1).restore(&signed.raw, now).unwrap();
    }
    wire.mesh(2).check_elsewhere();
    wire.check_takes = 5;
    let mut most = 0;
    while wire.mesh(2).len() < 20_000 {
        wire.run(1);
        most = most.max(stats(&mut wire).checks.waiting);
        assert!(wire.millis < 3_000, "{} records", wire.mesh(2).len());
    }
    wire.run(100);
    let streams = stats(&mut wire).streams;
    assert_eq!((streams.bulk, streams.bulk_done, streams.bulk_fallbacks), (1, 1, 0));
    assert!((1_000..=8 * 400).contains(&most), "{most} waited at once");
}

#[test]
fn a_stream_that_is_cut_while_its_pages_are_checked_loses_none_of_them() {
    let mut wire = Wire::new(vec![config(1, &[]), config(2, &[1])]);
    let now = wire.now();
    for number in 0..6_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let signed = crate::testing::signed(1, &format!("10.{a}.{b}.{c}"), ban(hour()), 0);
        wire.mesh(1).restore(&signed.raw, now).unwrap();
    }
    wire.mesh(2).check_elsewhere();
    (wire.check_takes, wire.frames_left) = (20, 14);
    wire.run(1_000);
    assert!((1..6_000).contains(&wire.mesh(2).len()), "{}", wire.mesh(2).len());
    assert_eq!(stats(&mut wire).checks.waiting, 0);
    wire.frames_left = usize::MAX;
    wire.run(8_000);
    assert_eq!((wire.mesh(2).len(), wire.mesh(1).fingerprint() == wire.mesh(2).fingerprint()), (6_000, true));
    assert!(subject(WHO).prefix_len() == 32);
}

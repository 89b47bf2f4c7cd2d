//! Nodes with and without a certificate, those that were turned away, and liars.

use super::*;
use crate::{
    Config, MemberState, Said, Statement,
    admission::CERTIFICATE_LIFE,
    cluster::ClusterTag,
    limits::CLOCK_SKEW_MAX,
    mesh::tests::bent,
    testing::{Wire, addr, at, ban, config, hour, key, subject, tag, wall},
};
use alloc::{format, string::String, vec, vec::Vec};
use core::time::Duration;
use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const WHO: &str = "203.0.113.7";
const OTHER: &str = "203.0.113.8";

fn authority() -> SigningKey {
    key(200)
}

fn id(n: u8) -> NodeId {
    NodeId(key(n).verifying_key().to_bytes())
}

fn name(n: u8) -> NodeName {
    format!("node-{n}").parse().unwrap()
}

/// Node `n` of a cluster with an authority; node 1 holds its secret.
fn governed(n: u8, join: &[u8]) -> Config {
    let secret = (n == 1).then(|| [200; 32].into());
    let admission = crate::Admission {
        authority: Some(NodeId(authority().verifying_key().to_bytes())),
        secret,
        ..crate::Admission::default()
    };
    Config { admission, ..config(n, join) }
}

fn certificate(n: u8, from: u64, until: u64, cluster: ClusterTag, by: &SigningKey) -> Arc<[u8]> {
    let said = Deeds::Certificate { name: name(n), owner: "ops".parse().unwrap(), from: wall(from), until: wall(until) };
    Deed::sign(id(n), said, cluster, by).unwrap().raw
}

fn revocation(n: u8, millis: u64) -> Arc<[u8]> {
    Deed::sign(id(n), Deeds::Revoked { at: wall(millis) }, tag(), &authority()).unwrap().raw
}

fn month() -> u64 {
    40 * 24 * 3_600 * 1_000
}

/// A wire of `nodes`; each has the certificate of its own, except those in `without`.
fn world(nodes: u8, without: &[u8]) -> Wire {
    let mut wire = Wire::new((1..=nodes).map(|n| governed(n, &[1])).collect());
    let now = wire.now();
    for n in (2..=nodes).filter(|n| !without.contains(n)) {
        assert!(wire.mesh(n).restore_deed(&certificate(n, 0, month(), tag(), &authority()), now));
    }
    wire.run(10_000);
    wire.told.clear();
    wire.sent.clear();
    wire
}

fn alive(wire: &mut Wire, n: u8) -> usize {
    wire.mesh(n).members().iter().filter(|member| member.state == MemberState::Alive).count()
}

fn refused(wire: &mut Wire, n: u8, why: Refused) -> u64 {
    wire.mesh(n).stats().refused.of(why)
}

fn revoke(wire: &mut Wire, n: u8, revoked: bool) {
    let (now, mut out) = (wire.now(), Vec::new());
    wire.mesh(1).revoke(id(n), revoked, now, &mut out).unwrap();
    wire.carry(addr(1), out);
}

#[test]
fn nodes_with_certificates_meet_and_certificates_travel() {
    let mut wire = world(4, &[]);
    for n in 1..=4 {
        assert_eq!(alive(&mut wire, n), 3, "node {n}");
        let all = wire.mesh(n).admissions();
        assert!(all.len() == 4 && all.iter().all(|one| one.standing == Standing::Certified), "node {n}: {all:?}");
    }
    assert_eq!(wire.mesh(4).admission(id(2)).owner.unwrap().as_str(), "ops");
    wire.say(3, WHO, ban(hour()));
    assert!(wire.all_see(WHO, "ban by node-3"));
}

#[test]
fn a_node_that_can_only_dial_out_shows_its_certificate_and_loses_its_relay_when_it_is_revoked() {
    let behind = |n| Config { dial_out: true, ..governed(n, &[1]) };
    let mut wire = Wire::new(vec![governed(1, &[]), governed(2, &[1]), behind(3), behind(4)]);
    wire.cut = |_, to| [addr(3), addr(4)].contains(&to);
    let now = wire.now();
    for n in [2, 3] {
        assert!(wire.mesh(n).restore_deed(&certificate(n, 0, month(), tag(), &authority()), now));
    }
    wire.run(10_000);
    assert_eq!([1, 2, 3, 4].map(|n| alive(&mut wire, n)), [2, 2, 2, 0], "4 has no certificate");
    assert!(wire.mesh(1).stats().streams.guests_refused > 0);
    wire.say(3, WHO, ban(hour()));
    wire.run(10);
    assert_eq!(wire.views(WHO), ["ban by node-3", "ban by node-3", "ban by node-3", ""]);
    revoke(&mut wire, 3, true);
    wire.run(2_000);
    let heard = wire.mesh(3).stats().received;
    wire.say(2, OTHER, ban(hour()));
    wire.run(3_000);
    assert_eq!(wire.views(OTHER)[2], "", "nothing is handed on to it");
    assert_eq!((wire.mesh(3).stats().received, wire.views(WHO)[..2].concat()), (heard, String::new()));
}

#[test]
fn who_has_no_certificate_changes_nothing() {
    let mut wire = world(4, &[4]);
    for n in 1..=3 {
        assert_eq!(alive(&mut wire, n), 2, "node {n}");
        assert!(wire.mesh(n).members().iter().all(|member| member.node != id(4)));
    }
    wire.say(2, OTHER, ban(hour()));
    let now = wire.now();
    let mut out = Vec::new();
    let said = wire.mesh(4).publish(Statement { subject: subject(WHO), said: ban(hour()) }, now, &mut out).unwrap();
    // The liar pushes its record to everybody, and so does a member whom it has talked into it.
    wire.mesh(4).insider_push(addr(2), core::slice::from_ref(&said.raw), now, &mut out);
    wire.carry(addr(4), out);
    let mut out = Vec::new();
    wire.mesh(3).insider_push(addr(2), &[said.raw], now, &mut out);
    wire.carry(addr(3), out);
    wire.run(3_000);
    let views = wire.views(WHO);
    assert_eq!(views[..3], ["", "", ""], "{views:?}");
    assert!(refused(&mut wire, 2, Refused::Uncertified) > 0 && refused(&mut wire, 2, Refused::RecordUncertified) > 0);
    assert_eq!(wire.views(OTHER)[3], "", "and it is told nothing");
}

#[test]
fn a_certificate_of_another_authority_cluster_or_time_lets_nobody_in() {
    let other = ClusterTag::of(&"other".parse().unwrap());
    let table = [
        (certificate(2, 0, month(), tag(), &key(99)), false),
        (certificate(2, 0, month(), other, &authority()), false),
        (certificate(2, month(), 2 * month(), tag(), &authority()), true),
    ];
    for (raw, is_kept) in table {
        let mut wire = Wire::new(vec![governed(1, &[]), governed(2, &[1])]);
        let now = wire.now();
        assert_eq!(wire.mesh(2).restore_deed(&raw, now), is_kept);
        wire.run(3_000);
        assert!(wire.mesh(1).members().is_empty());
    }
    assert!(Deed::read(&certificate(2, 0, 1, tag(), &authority()), tag()).is_ok());
    let backwards = Deeds::Certificate { name: name(2), owner: name(2), from: wall(5), until: wall(5) };
    assert_eq!(Deed::sign(id(2), backwards, tag(), &authority()), Err(DeedError::Malformed));
}

#[test]
fn an_admission_while_the_mesh_runs_takes_effect_at_once() {
    let mut wire = world(3, &[3]);
    let (now, mut out) = (wire.now(), Vec::new());
    let deed = wire.mesh(1).certify(id(3), &name(3), &name(3), now, &mut out).unwrap();
    wire.carry(addr(1), out);
    assert!(wire.mesh(3).restore_deed(&deed.raw, now));
    wire.run(8_000);
    assert_eq!((alive(&mut wire, 2), alive(&mut wire, 3)), (2, 2));
}

#[test]
fn a_revocation_ends_membership_and_takes_exactly_that_nodes_records() {
    let mut wire = world(4, &[]);
    wire.say(3, WHO, ban(hour()));
    wire.say(3, OTHER, ban(hour()));
    wire.say(2, OTHER, ban(hour()));
    wire.run(10);
    revoke(&mut wire, 3, true);
    wire.run(2_000);
    for n in [1, 2, 4] {
        let place = usize::from(n) - 1;
        assert_eq!((wire.views(WHO)[place].as_str(), wire.views(OTHER)[place].as_str()), ("", "ban by node-2"), "node {n}");
        assert_eq!(wire.mesh(n).admission(id(3)).standing, Standing::Revoked);
        let others: Vec<_> = wire.mesh(n).members().into_iter().filter(|one| one.state == MemberState::Alive).collect();
        assert_eq!(others.len(), 2, "node {n}: {others:?}");
    }
    // It goes on talking.
    let now = wire.now();
    let mut out = Vec::new();
    let said = wire.mesh(3).publish(Statement { subject: subject(WHO), said: ban(hour()) }, now, &mut out).unwrap();
    for to in [1, 2, 4] {
        wire.mesh(3).insider_push(addr(to), core::slice::from_ref(&said.raw), now, &mut out);
    }
    wire.carry(addr(3), out);
    let mut out = Vec::new();
    wire.mesh(4).insider_push(addr(2), &[said.raw], now, &mut out);
    wire.carry(addr(4), out);
    wire.run(10_000);
    assert_eq!(wire.views(WHO)[1], "");
    assert!(refused(&mut wire, 2, Refused::Revoked) > 0 && refused(&mut wire, 2, Refused::RecordRevoked) > 0);
    assert_eq!(alive(&mut wire, 2), 2, "its knocks do not bring it back");
}

#[test]
fn a_revocation_learned_before_the_records_refuses_them() {
    let mut wire = world(3, &[]);
    wire.cut = |from, to| from == addr(3) || to == addr(3);
    wire.say(2, WHO, ban(hour()));
    revoke(&mut wire, 2, true);
    let now = wire.now();
    assert!(wire.mesh(3).restore_deed(&revocation(2, 11_000), now));
    wire.cut = |_, _| false;
    wire.run(5_000);
    assert_eq!((wire.views(WHO)[0].as_str(), wire.views(WHO)[2].as_str()), ("", ""));
}

#[test]
fn a_restoration_lets_the_node_and_what_it_still_says_back_in() {
    let mut wire = world(3, &[]);
    wire.say(2, WHO, ban(hour()));
    revoke(&mut wire, 2, true);
    wire.run(2_000);
    assert_eq!(wire.views(WHO)[0], "");
    revoke(&mut wire, 2, false);
    let now = wire.now();
    for raw in wire.mesh(1).deeds_about(id(2)) {
        wire.mesh(2).restore_deed(&raw.raw, now);
    }
    wire.run(40_000);
    assert_eq!(alive(&mut wire, 1), 2);
    assert!(wire.all_see(WHO, "ban by node-2"), "{:?}", wire.views(WHO));
}

#[test]
fn a_node_that_was_away_learns_of_a_revocation_by_repair() {
    for seed in 0..8_u64 {
        let mut wire = world(5, &[]);
        wire.cut = |from, to| from == addr(5) || to == addr(5);
        wire.run(seed * 37);
        wire.say(3, WHO, ban(hour()));
        wire.say(4, WHO, ban(hour()));
        revoke(&mut wire, 3, true);
        wire.run(300);
        wire.cut = |_, _| false;
        wire.run(12_000);
        assert_eq!(wire.mesh(5).admission(id(3)).standing, Standing::Revoked, "seed {seed}");
        assert_eq!(wire.views(WHO)[4], "ban by node-4", "seed {seed}");
    }
}

#[test]
fn loss_and_duplicates_change_nothing() {
    for seed in 0..24 {
        let mut wire = world(6, &[6]);
        wire.loss = Some((ChaCha8Rng::seed_from_u64(seed), 30));
        wire.say(2, WHO, ban(hour()));
        revoke(&mut wire, 2, true);
        let (now, mut out) = (wire.now(), Vec::new());
        let deed = wire.mesh(1).certify(id(6), &name(6), &name(6), now, &mut out).unwrap();
        wire.carry(addr(1), out);
        wire.mesh(6).restore_deed(&deed.raw, now);
        wire.run(120_000);
        let views = wire.views(WHO);
        assert!(views.iter().enumerate().all(|(place, view)| place == 1 || view.is_empty()), "seed {seed}: {views:?}");
        for n in [1, 3, 4, 5, 6] {
            let stands = [2, 6].map(|other| wire.mesh(n).admission(id(other)).standing);
            assert_eq!(stands, [Standing::Revoked, Standing::Certified], "seed {seed}, node {n}");
        }
        let now = wire.now();
        // Who was turned away had lost what it could have learnt it from: for that node alone it is no replay.
        for (from, to, bytes) in core::mem::take(&mut wire.sent).into_iter().filter(|(_, to, _)| *to != addr(2)) {
            let Some((_, mesh)) = wire.meshes.iter_mut().find(|(addr, _)| *addr == to) else { continue };
            let mut out = Vec::new();
            mesh.datagram(from, &bytes, now, &mut out);
            assert!(
                out.iter().all(|effect| !matches!(effect, Effect::Deed { .. } | Effect::Record { .. })),
                "seed {seed} {from} {to} {out:?}"
            );
        }
    }
}

#[test]
fn records_are_judged_by_when_they_were_said() {
    let mut wire = Wire::new(vec![governed(1, &[]), governed(2, &[1])]);
    let now = wire.now();
    let ends = 6_000;
    wire.mesh(2).restore_deed(&certificate(2, 0, ends, tag(), &authority()), now);
    // Nobody renews it.
    wire.mesh(1).admission = Admission1::without_secret(&governed(1, &[]));
    wire.mesh(1).restore_deed(&certificate(1, 0, month(), tag(), &authority()), now);
    wire.run(3_000);
    let early = wire.say(2, WHO, ban(hour()));
    wire.run(u64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap() + ends);
    assert_eq!(wire.mesh(1).admission(id(2)).standing, Standing::Expired);
    assert_eq!(wire.views(WHO)[0], "ban by node-2", "what is held stays until its own end");
    let now = wire.now();
    let late = wire.mesh(2).publish(Statement { subject: subject(OTHER), said: ban(hour()) }, now, &mut Vec::new()).unwrap();
    assert_eq!(wire.mesh(1).restore(&late.raw, now), Err(crate::RecordError::Uncertified));
    assert!(wire.mesh(1).restore(&early.raw, now).is_ok());
}

use crate::admission::Admission as Admission1;

impl Admission1 {
    fn without_secret(config: &Config) -> Self {
        let admission = crate::Admission { secret: None, ..config.admission.clone() };
        Self::new(tag(), &admission, &config.node_name, at(0).mono)
    }
}

#[test]
fn certificates_of_members_are_renewed_where_the_secret_is() {
    let mut wire = Wire::new(vec![governed(1, &[]), governed(2, &[1])]);
    let now = wire.now();
    wire.mesh(2).restore_deed(&certificate(2, 0, 3_600_000, tag(), &authority()), now);
    wire.run(25_000);
    let until = |wire: &mut Wire, n: u8| wire.mesh(n).admission(id(2)).until.unwrap();
    assert!(until(&mut wire, 2) >= wall(0).plus(CERTIFICATE_LIFE), "the node itself knows");
    assert_eq!(until(&mut wire, 1), until(&mut wire, 2));
    assert_eq!(wire.mesh(2).admission(id(2)).owner.unwrap().as_str(), "ops", "who runs it stays");
    assert!(wire.mesh(1).deeds_about(id(2))[0].from() <= Some(wall(0)), "what it said before stays covered");
}

#[test]
fn only_the_holder_of_the_secret_signs() {
    let mut wire = world(2, &[]);
    let now = wire.now();
    let mut out = Vec::new();
    assert_eq!(wire.mesh(2).revoke(id(1), true, now, &mut out), Err(DeedError::NoSecret));
    assert_eq!(wire.mesh(2).certify(id(9), &name(9), &name(9), now, &mut out), Err(DeedError::NoSecret));
    assert!(out.is_empty() && wire.mesh(1).holds_authority() && !wire.mesh(2).holds_authority());
    let mut wrong = governed(3, &[]);
    wrong.admission.secret = Some([7; 32].into());
    assert!(!Mesh::new(wrong, at(0)).holds_authority(), "a secret that is not the authority's");
}

#[test]
fn damaged_deeds_do_no_harm() {
    let mut wire = world(3, &[]);
    let deeds: Vec<Arc<[u8]>> = vec![certificate(9, 0, month(), tag(), &authority()), revocation(2, 9_000)];
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let now = wire.now();
    for round in 0..4_000 {
        let raw = &deeds[round % 2];
        let bad = bent(raw, &mut rng);
        if deeds.iter().all(|deed| **deed != *bad) {
            assert!(!wire.mesh(1).restore_deed(&bad, now), "round {round}");
        }
    }
    assert_eq!(wire.mesh(1).admissions().len(), 3);
    let mut packer = Packer::default();
    packer.push(&deeds[1]);
    let good = crate::frame::Frame {
        clock_ms: now.wall.as_millis(),
        known: true,
        hello: None,
        message: Message::Deeds { deeds: packer.list(), next: Some(0) },
    };
    let body = good.write(Vec::new()).unwrap();
    for _ in 0..4_000 {
        let bad = bent(&body, &mut rng);
        let Some(sealed) = wire.mesh(3).post.seal_for_tests(&bad) else { continue };
        let mut out = Vec::new();
        wire.mesh(1).datagram(addr(3), &sealed, now, &mut out);
        assert!(out.len() < 20);
    }
}

#[test]
fn questions_are_metered() {
    let mut wire = world(2, &[]);
    let now = wire.now();
    let mut asked = 0;
    for _ in 0..500 {
        let mut out = Vec::new();
        let to = To { addr: addr(2), peer: None };
        wire.mesh(1).ask_deeds(to, ShortId(0), now, &mut out);
        asked += out.len();
    }
    assert!(asked <= 16, "{asked}");
}

#[test]
fn without_an_authority_nothing_changes() {
    let mut wire = Wire::joined(3);
    wire.say(2, WHO, ban(hour()));
    wire.say(2, WHO, Said::Unban);
    let now = wire.now();
    assert!(!wire.mesh(1).restore_deed(&certificate(2, 0, month(), tag(), &authority()), now));
    assert_eq!(wire.mesh(1).admission(id(2)).standing, Standing::Open);
    wire.run(u64::try_from(Duration::from_secs(3).as_millis()).unwrap());
    assert!(wire.sent.iter().all(|(_, _, bytes)| bytes.len() <= crate::limits::DATAGRAM_BYTES_MAX));
}

/// How many of the messages in these datagrams are receipts, or tell somebody of records.
fn receipts(out: &[Effect]) -> usize {
    let vault = crate::envelope::Vault::new(tag(), &crate::KeyRing::new(crate::Key::from_bytes([1; 32])));
    let is_receipt = |effect: &&Effect| {
        let Effect::Send { bytes, .. } = effect else { return false };
        let header = crate::envelope::Header::read(bytes, vault.cluster).unwrap();
        let mut body = Vec::new();
        vault.sender_key(header.key, header.sender, header.salt).unwrap().open(&header, bytes, &mut body).unwrap();
        matches!(crate::frame::Frame::read(&body).unwrap().message, Message::Have(_))
    };
    out.iter().filter(is_receipt).count()
}

#[test]
fn a_record_whose_origins_certificate_has_not_arrived_is_not_receipted_until_it_has() {
    let mut wire = world(3, &[3]);
    let now = wire.now();
    let record = wire.mesh(3).publish(Statement { subject: subject(WHO), said: ban(hour()) }, now, &mut Vec::new()).unwrap();
    let push = |wire: &mut Wire| {
        let (now, mut out, mut packer) = (wire.now(), Vec::new(), Packer::default());
        packer.push(&record.raw);
        let until = Some(crate::spread::Duty::none(ShortId::of(&id(2).0)));
        wire.mesh(1).post.send(To { addr: addr(2), peer: None }, Message::Push { until, records: packer.list() }, now, &mut out);
        let Some(Effect::Send { bytes, .. }) = out.pop() else { panic!("nothing is sent") };
        wire.mesh(2).datagram(addr(1), &bytes, now, &mut out);
        receipts(&out)
    };
    assert_eq!((push(&mut wire), wire.mesh(2).len()), (0, 0), "it shall come again");
    assert!(refused(&mut wire, 2, Refused::RecordUncertified) > 0);
    assert!(wire.mesh(2).restore_deed(&certificate(3, 0, month(), tag(), &authority()), now));
    assert_eq!((push(&mut wire), wire.mesh(2).len()), (1, 1));
}

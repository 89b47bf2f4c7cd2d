//! Where signatures are checked, and that none is forgotten.

use super::*;
use honeymesh_mesh_proto::{Effect, Key, KeyRing, Limits, Mesh, Said, Statement};
use honeymesh_types::{Grade, Now, Reasons, Scope, WallTime};
use std::{sync::mpsc::channel, time::Duration};

fn now() -> Now {
    Now { wall: WallTime::from_millis(1_767_225_600_000), mono: MonoTime(1) }
}

fn mesh(n: u8) -> Mesh {
    let config = honeymesh_mesh_proto::Config {
        cluster: "m".parse().unwrap(),
        node_name: format!("node-{n}").parse().unwrap(),
        identity: [n; 32].into(),
        advertise: format!("192.0.2.{n}:7946").parse().unwrap(),
        keys: KeyRing::new(Key::from_bytes([1; 32])),
        join: if n == 1 { Vec::new() } else { vec!["192.0.2.1:7946".parse().unwrap()] },
        dial_out: false,
        members: Vec::new(),
        admission: honeymesh_mesh_proto::Admission::default(),
        limits: Limits::default(),
        boot_salt: u64::from(n),
        seed: u64::from(n),
    };
    Mesh::new(config, now())
}

/// Carries datagrams between two meshes until there are none; what the second one wants checked comes back.
fn carry(meshes: &mut [Mesh; 2], mut todo: Vec<(usize, Effect)>) -> Vec<Claims> {
    let mut claims = Vec::new();
    while let Some((from, effect)) = todo.pop() {
        match effect {
            Effect::Check(found) => claims.push(found),
            Effect::Send { bytes, .. } => {
                let mut out = Vec::new();
                meshes[1 - from].datagram(format!("192.0.2.{}:7946", from + 1).parse().unwrap(), &bytes, now(), &mut out);
                todo.extend(out.into_iter().map(|effect| (1 - from, effect)));
            }
            _ => {}
        }
    }
    claims
}

/// What the second of two meshes that have met wants checked when the first one says so much.
fn claims(bans: u8) -> (Mesh, Vec<Claims>) {
    let mut meshes = [mesh(1), mesh(2)];
    let mut out = Vec::new();
    meshes[1].wake(now(), &mut out);
    carry(&mut meshes, out.into_iter().map(|effect| (1, effect)).collect());
    meshes[1].check_elsewhere();
    let mut out = Vec::new();
    for n in 0..bans {
        let subject = format!("203.0.113.{n}").parse().unwrap();
        let ttl = Duration::from_secs(3_600);
        let said = Said::Ban { reasons: Reasons::TRAP, grade: Grade::Payload, scope: Scope::All, ttl, score: 50, note: None };
        let later = Now { mono: MonoTime(1_000_000 * (1 + u64::from(n))), ..now() };
        meshes[0].publish(Statement { subject, said }, later, &mut out).unwrap();
    }
    let claims = carry(&mut meshes, out.into_iter().map(|effect| (0, effect)).collect());
    let [_, second] = meshes;
    (second, claims)
}

fn job(claims: &Claims) -> Job {
    Job { cluster: 3, claims: claims.clone(), evidence: MonoTime(7) }
}

#[test]
fn a_single_ban_is_checked_at_once_on_the_loop_unless_something_waits_there() {
    let (mut mesh, claims) = claims(1);
    let (done, all) = channel();
    let mut checks = Checks::start(1, move |one| drop(done.send(one)));
    checks.add(job(&claims[0]));
    let here = checks.next_here().unwrap();
    assert_eq!((here.cluster, here.evidence, all.try_recv().is_err()), (3, MonoTime(7), true));
    checks.crowded(true);
    checks.add(job(&claims[0]));
    assert!(checks.next_here().is_none());
    let there = all.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!((there.verdicts.clone(), there.evidence), (here.verdicts, MonoTime(7)));
    mesh.checked(there.verdicts, now(), &mut Vec::new());
    assert_eq!(mesh.len(), 1);
}

#[test]
fn a_full_queue_loses_nothing() {
    let (_, claims) = claims(2);
    let (done, all) = channel();
    let (go, gone) = channel::<()>();
    let mut checks = Checks::start(1, move |one| {
        let _ = gone.recv();
        let _ = done.send(one);
    });
    checks.crowded(true);
    (0..20).for_each(|_| checks.add(job(&claims[0])));
    let here = std::iter::from_fn(|| checks.next_here()).count();
    assert!((20 - CHECK_BATCHES_MAX - 1..=20 - CHECK_BATCHES_MAX).contains(&here), "{here} on the loop");
    drop(go);
    drop(checks);
    assert_eq!(all.iter().count() + here, 20, "the thread does what it has and ends");
}

#[test]
fn who_ends_does_not_wait_for_checks_and_their_verdicts_go_nowhere() {
    let (mesh, claims) = claims(2);
    let (done, all) = channel();
    let mut checks = Checks::start(1, move |one| drop(done.send(one)));
    checks.crowded(true);
    claims.iter().for_each(|claims| checks.add(job(claims)));
    drop(checks);
    assert!(all.iter().count() == claims.len() && mesh.is_empty(), "nothing came of them");
}

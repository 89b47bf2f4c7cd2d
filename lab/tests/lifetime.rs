//! How bans live and end: unbans, deadlines without a daemon, restarts, sudden death.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Ban, Family, Lab, NodeConfig, Place, Service, Trio, WEB_PORT, curl, fetch, wait_until};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

const SOON: Duration = Duration::from_secs(10);
/// So many bans are confirmed when it is killed, in the middle of more.
const STORM: usize = 40;
const DROPPED_AFTER: Duration = Duration::from_millis(500);

fn is_let_in(lab: &Lab, at: SocketAddr) -> bool {
    lab.attacker().namespace.inside(|| fetch(at, DROPPED_AFTER)).is_ok()
}

#[test]
fn an_unban_reaches_even_a_node_that_was_cut_off_and_is_not_undone() {
    let Some(_turn) = turn("an_unban_reaches_even_a_node_that_was_cut_off") else { return };
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, |config| config).unwrap();
    let subjects = Family::BOTH.map(|family| Place::Attacker.subject(family));
    for (family, subject) in Family::BOTH.into_iter().zip(&subjects) {
        curl(lab.attacker(), Place::Node(1).at(family, 8080), "/", DROPPED_AFTER).unwrap();
        trio.wait_banned(subject).unwrap();
    }
    // Node 3 holds the bans and does not hear of the unban: when it comes back it must not bring them with it.
    lab.cut(&[Place::Node(3)], &[Place::Node(1), Place::Node(2)]).unwrap();
    for subject in &subjects {
        trio.node(2).client(&["unban", subject]).unwrap().checked().unwrap();
    }
    wait_until("node1 and node2 are free of it", SOON, || {
        Ok((trio.node(1).bans()?.is_empty() && trio.node(2).bans()?.is_empty()).then_some(()))
    })
    .unwrap();
    assert_eq!(trio.node(3).bans().unwrap().len(), 2, "the cut cuts");
    lab.heal().unwrap();
    for subject in &subjects {
        trio.wait_free(subject).unwrap();
    }
    for _ in 0..8 {
        thread::sleep(Duration::from_millis(500));
        for node in trio.nodes() {
            assert_eq!(node.bans().unwrap(), [], "{}: it was undone", node.config.name());
        }
    }
    assert!(Trio::services().into_iter().all(|at| is_let_in(&lab, at)));
}

#[test]
fn a_short_ban_ends_on_time_with_the_daemon_killed() {
    let Some(_turn) = turn("a_short_ban_ends_on_time") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let mut node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    node.start().unwrap();
    let until = Family::BOTH.map(|family| {
        let subject = Place::Attacker.subject(family);
        node.client(&["ban", &subject, "--ttl", "4s"]).unwrap().checked().unwrap();
        node.ban_of(&subject).unwrap().unwrap().until.unwrap()
    });
    node.kill();
    let [at4, at6] = Family::BOTH.map(|family| Place::Node(1).at(family, WEB_PORT));
    assert!(!is_let_in(&lab, at4) && !is_let_in(&lab, at6), "the kernel goes on dropping");
    let the_end = |at: SocketAddr, until: Timestamp| {
        wait_until("the ban ends", SOON, || Ok(is_let_in(&lab, at).then_some(()))).unwrap();
        // The kernel's clock for deadlines is coarse.
        let early = Timestamp::now().duration_until(until);
        assert!(early < SignedDuration::from_secs(1), "{at}: it ended {early:?} too early");
    };
    let ends = [(at4, until[0]), (at6, until[1])];
    thread::scope(|scope| ends.map(|(at, until)| scope.spawn(move || the_end(at, until))).map(|end| end.join().unwrap()));
    node.start().unwrap();
    assert_eq!(node.bans().unwrap(), [], "over is over");
}

#[test]
fn bans_survive_a_restart_and_the_kernel_enforces_them_meanwhile() {
    let Some(_turn) = turn("bans_survive_a_restart") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let mut node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    node.start().unwrap();
    curl(lab.attacker(), Place::Node(1).at(Family::V4, 8080), "/", DROPPED_AFTER).unwrap();
    let subject = Place::Attacker.subject(Family::V4);
    let before = wait_until("the visitor is banned", SOON, || node.ban_of(&subject)).unwrap();
    node.client(&["ban", "192.0.2.0/24", "--ttl", "forever", "--note", "a note"]).unwrap().checked().unwrap();
    let ended = node.stop().expect("it ends when asked to");
    assert_eq!(ended.code(), Some(0), "{}", node.log());
    assert!(!is_let_in(&lab, Place::Node(1).at(Family::V4, WEB_PORT)), "on_exit = hold");
    node.start().unwrap();
    let after = node.ban_of(&subject).unwrap().expect("still banned");
    let same = |ban: &Ban| (ban.subject.clone(), ban.grade.clone(), ban.reasons.clone(), ban.since, ban.until);
    assert_eq!(same(&after), same(&before));
    let net = node.ban_of("192.0.2.0/24").unwrap().expect("the manual ban, too");
    assert_eq!((net.until, net.grade.as_str()), (None, "operator"));
    assert!(!is_let_in(&lab, Place::Node(1).at(Family::V4, WEB_PORT)));
}

#[test]
fn a_node_killed_in_a_storm_of_bans_keeps_every_ban_it_confirmed() {
    let Some(_turn) = turn("a_node_killed_in_a_storm") else { return };
    let lab = Lab::up().unwrap();
    let mut node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    node.start().unwrap();
    let (next, heard, over) = (AtomicU32::new(1), AtomicUsize::new(0), AtomicBool::new(false));
    let storm = |confirmed: &mut BTreeSet<String>| {
        while !over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let subject = format!("192.0.2.{}/32", number % 250);
            if node.client(&["ban", &subject]).is_ok_and(|outcome| outcome.ok()) {
                confirmed.insert(subject);
                heard.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let confirmed = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut own = BTreeSet::new();
                    storm(&mut own);
                    own
                })
            })
            .collect();
        let in_the_middle = wait_until("a storm", SOON * 3, || Ok((heard.load(Ordering::Relaxed) >= STORM).then_some(())));
        let pid = i32::try_from(node.pid().unwrap()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        thread::sleep(Duration::from_millis(100));
        over.store(true, Ordering::Relaxed);
        in_the_middle.unwrap();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<BTreeSet<_>>()
    });
    node.kill();
    node.start().unwrap();
    let kept: BTreeSet<_> = node.bans().unwrap().into_iter().filter(|ban| ban.enforced).map(|ban| ban.subject).collect();
    let lost: Vec<_> = confirmed.difference(&kept).collect();
    assert_eq!(lost, Vec::<&String>::new(), "of {}", confirmed.len());
}

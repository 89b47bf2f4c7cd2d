//! Slow, wide scans: touches of several nodes that add up, and everything that must not.

use super::{
    world::{World, member},
    *,
};
use crate::{PeerRule, PeerWord, TOUCHES_EVERY};
use honeymesh_detect::SlowPolicy;

const CANARY: &str = "240.1.2.3";
const HOUR: Duration = Duration::from_hours(1);

fn contact(source: &str, port: u16) -> Input {
    let local = SocketAddr::new(ip("192.0.2.10"), port);
    let visit = visit(source, b"");
    Input::Visit(Visit { trap: "dark".into(), service: "any".into(), local, signs: Signs::DARK, ..visit })
}

fn slow(index: u8, trust: Trust) -> Config {
    let mut config = member(index, key(1), trust);
    config.clusters[0].slow = Some(SlowPolicy::default());
    config.canaries = if index == 1 { vec!["240.1.0.0/16".parse().unwrap()] } else { Vec::new() };
    config
}

fn wary(count: u8, trust: Trust) -> World {
    World::new((1..=count).map(|index| slow(index, trust)).collect())
}

/// A source touches a port of a node, and there is time for word of it to go round.
fn touch(world: &mut World, index: u8, who: &str, port: u16) {
    world.feed(index, contact(who, port));
    world.run(TOUCHES_EVERY * 2);
}

fn who_drops(world: &World, who: &str) -> Vec<u8> {
    (1..).zip(&world.machines).filter(|(_, machine)| machine.drops(who)).map(|(index, _)| index).collect()
}

#[test]
fn one_touch_on_each_of_three_nodes_is_a_ban_on_all_and_says_why() {
    let mut world = wary(5, Trust::Enforce);
    touch(&mut world, 1, ATTACKER, 23);
    world.run(HOUR * 9);
    touch(&mut world, 2, ATTACKER, 23);
    world.run(HOUR * 9);
    assert_eq!(who_drops(&world, ATTACKER), []);
    touch(&mut world, 3, ATTACKER, 445);
    assert_eq!(who_drops(&world, ATTACKER), [1, 2, 3, 4, 5]);
    let why = world.one(3).node.why(ip(ATTACKER));
    assert!(why.verdict.starts_with("banned as 203.0.113.7/32 for "), "{}", why.verdict);
    let scan = world.one(3).told(EventKind::Scan)[0];
    let words = "slow scan: finished handshakes with 3 dark ports of 3 nodes within 24h: here 1, edge-";
    assert!(field(scan, "findings").starts_with(words), "{}", field(scan, "findings"));
    assert_eq!((scan.grade, field(scan, "ports"), field(scan, "witnesses")), (Some(Grade::Handshake), "445", "3"));
    for index in 1..=5 {
        let ban = world.one(index).node.why(ip(ATTACKER)).bans.remove(0);
        assert_eq!((ban.ban.grade, ban.ban.reasons.contains(Reasons::SCAN)), (Grade::Handshake, true));
        assert!(ban.claims.iter().any(|(claim, _)| claim.note.as_deref().is_some_and(|note| note.starts_with(words))));
    }
    assert_eq!(world.one(3).node.status().counters.slow_scans, 1);
}

#[test]
fn what_has_left_the_window_does_not_count() {
    let mut world = wary(3, Trust::Enforce);
    touch(&mut world, 1, ATTACKER, 23);
    world.run(HOUR * 25);
    touch(&mut world, 2, ATTACKER, 23);
    touch(&mut world, 3, ATTACKER, 23);
    assert_eq!(who_drops(&world, ATTACKER), []);
    assert_eq!(world.one(1).node.status().counters.touches, 2, "its own is forgotten");
}

#[test]
fn forged_syns_on_any_number_of_nodes_are_never_told_and_never_more_than_local_silence() {
    let mut world = wary(10, Trust::Enforce);
    for index in 1..=10 {
        world.feed(index, Input::Knock(knock(ATTACKER, KnockKind::Probe)));
        world.feed(index, scan(ATTACKER, true));
    }
    world.run(HOUR / 60);
    for index in 1..=10 {
        let ban = world.one(index).node.ban(&subject(ATTACKER)).unwrap();
        assert_eq!((ban.grade, ban.scope), (Grade::Spoofable, Scope::Dark));
        let counters = world.one(index).node.status().counters;
        assert_eq!((counters.touches, counters.touch_pages, counters.touch_pages_said), (0, 0, 0));
    }
    world.run(HOUR);
    assert_eq!(who_drops(&world, ATTACKER), []);
}

#[test]
fn a_liar_that_names_a_thousand_innocents_bans_nobody_not_even_whom_another_has_met() {
    for trust in [Trust::Corroborate, Trust::Enforce] {
        let mut world = wary(4, trust);
        for index in 0..1_000_u32 {
            // As its signed pages are all that others see, a liar is a node that was fed lies.
            world.feed(4, contact(&Ipv4Addr::from_bits(0x0a01_0000 + index).to_string(), 23));
        }
        world.run(Duration::from_mins(10));
        assert_eq!(world.one(1).node.status().counters.touches, 1_000, "all of it was heard");
        touch(&mut world, 1, "10.1.0.5", 443);
        touch(&mut world, 1, "10.1.0.5", 8_443);
        assert!(world.machines.iter().all(|machine| machine.kernel.is_empty()), "{trust}");
        touch(&mut world, 2, "10.1.0.5", 443);
        assert_eq!(who_drops(&world, "10.1.0.5").len(), 4, "met by two who do not lie, it is a scan on three words");
    }
}

#[test]
fn nodes_of_one_owner_are_one_witness_where_none_may_ban_alone() {
    let id = |index: u8| Node::new(member(index, key(1), Trust::Enforce), START).clusters[0].mesh.identity();
    let acme =
        |index| PeerRule { node: PeerWord::Key(id(index)), cluster: None, trust: None, owner: Some("acme".parse().unwrap()) };
    for (trust, banned) in [(Trust::Corroborate, false), (Trust::Enforce, true)] {
        let mut judge = slow(1, trust);
        judge.peers = vec![acme(2), acme(3)];
        // Only node 1 decides.
        let others = (2..=3).map(|index| {
            let mut other = slow(index, trust);
            other.clusters[0].slow = Some(SlowPolicy { witnesses: 16, ..SlowPolicy::default() });
            other
        });
        let mut world = World::new([judge].into_iter().chain(others).collect());
        (1..=3).for_each(|index| touch(&mut world, index, ATTACKER, 23));
        assert_eq!(world.one(1).drops(ATTACKER), banned, "{trust}");
    }
}

#[test]
fn whoever_is_only_observed_or_quarantined_or_turned_away_is_no_witness() {
    let mut world = wary(4, Trust::Enforce);
    world.feed(4, contact(CANARY, 23));
    touch(&mut world, 4, ATTACKER, 23);
    let liar = world.one(1).node.quarantined().next().unwrap();
    assert_eq!((liar.name.as_str(), liar.subject), ("edge-4", subject(CANARY)), "no packet ever came from there");
    touch(&mut world, 2, ATTACKER, 23);
    let others = world.feed(1, contact(ATTACKER, 23));
    assert!(!words(&others).iter().any(|word| word == "tell scan"), "two and a liar");
    // Nodes 2 and 4 know nothing of that canary, but nothing of node 1 yet either.
    let revoked = world.order(1, Order::Revoke { who: "edge-2".into(), revoked: true });
    assert!(revoked.is_ok());
    let mut observer = slow(1, Trust::Observe);
    observer.clusters[0].slow = Some(SlowPolicy::default());
    let mut world = World::new(vec![observer, slow(2, Trust::Enforce), slow(3, Trust::Enforce)]);
    world.run(HOUR / 60);
    for index in [2, 3, 1] {
        world.feed(index, contact(ATTACKER, 23));
        if index != 1 {
            world.run(TOUCHES_EVERY * 2);
        }
    }
    assert_eq!(world.one(1).node.status().counters.slow_scans, 0);
    world.run(TOUCHES_EVERY * 2);
    assert_eq!(who_drops(&world, ATTACKER), [2, 3], "but what it tells counts with those who believe it");
}

#[test]
fn a_node_that_was_turned_away_on_this_node_is_heard_no_more() {
    let mut world = wary(3, Trust::Enforce);
    touch(&mut world, 2, ATTACKER, 23);
    touch(&mut world, 3, ATTACKER, 23);
    world.order(1, Order::Revoke { who: "edge-2".into(), revoked: true }).unwrap();
    world.feed(1, contact(ATTACKER, 23));
    assert_eq!(world.one(1).node.status().counters.slow_scans, 0);
    world.order(1, Order::Revoke { who: "edge-2".into(), revoked: false }).unwrap();
    world.feed(1, contact(ATTACKER, 24));
    assert_eq!(world.one(1).node.status().counters.slow_scans, 1);
}

#[test]
fn who_was_freed_is_banned_only_for_what_comes_after() {
    let mut world = wary(4, Trust::Enforce);
    (1..=3).for_each(|index| touch(&mut world, index, ATTACKER, 23));
    assert_eq!(who_drops(&world, ATTACKER), [1, 2, 3, 4]);
    world.order(4, Order::Unban { subject: subject(ATTACKER), reach: Reach::Mesh, wait: None }).unwrap();
    world.run(HOUR / 60);
    assert_eq!(who_drops(&world, ATTACKER), []);
    touch(&mut world, 1, ATTACKER, 80);
    touch(&mut world, 2, ATTACKER, 80);
    assert_eq!(who_drops(&world, ATTACKER), [], "two after it, and all that was before");
    touch(&mut world, 4, ATTACKER, 80);
    assert_eq!(who_drops(&world, ATTACKER), [1, 2, 3, 4]);
}

#[test]
fn a_node_that_was_cut_off_comes_to_the_same_verdict() {
    let mut world = wary(4, Trust::Enforce);
    world.cut = vec![1];
    world.feed(1, contact(ATTACKER, 23));
    touch(&mut world, 2, ATTACKER, 23);
    touch(&mut world, 2, "203.0.113.99", 23);
    touch(&mut world, 3, ATTACKER, 23);
    assert_eq!(who_drops(&world, ATTACKER), []);
    world.cut.clear();
    world.run(Duration::from_mins(2));
    assert_eq!(who_drops(&world, ATTACKER), [1, 2, 3, 4]);
    let prints: Vec<u128> = world.machines.iter().map(|machine| machine.node.peers()[0].fingerprint).collect();
    assert!(prints.iter().all(|print| *print == prints[0]));
}

#[test]
fn whom_nobody_may_ban_is_neither_told_nor_banned() {
    let mut world = wary(3, Trust::Enforce);
    for index in 1..=3 {
        world.order(index, Order::AllowAdd("203.0.113.7/32".parse().unwrap())).unwrap();
        touch(&mut world, index, ATTACKER, 23);
        // A node knows the others as its peers, and itself not at all in these tests.
        touch(&mut world, index, if index == 2 { "198.18.0.1" } else { "198.18.0.2" }, 23);
        assert_eq!(world.one(index).node.status().counters.touch_pages_said, 0);
    }
    assert!(world.machines.iter().all(|machine| machine.node.bans().next().is_none()));
}

#[test]
fn a_flood_of_touches_is_a_page_every_ten_seconds_and_silence_costs_nothing() {
    let mut world = wary(3, Trust::Enforce);
    let quiet = |world: &mut World| {
        let before = world.one(2).sent;
        world.run(HOUR / 6);
        world.one(2).sent - before
    };
    let idle = quiet(&mut world);
    for index in 0..20_000_u32 {
        world.feed(1, contact(&Ipv4Addr::from_bits(0x0a01_0000 + index).to_string(), 23));
    }
    world.run(HOUR / 60);
    let counters = world.one(1).node.status().counters;
    assert!(counters.touch_pages_said <= 7, "{counters:?}");
    assert!(counters.touches_lost > 10_000 && counters.touches <= 4_096, "{counters:?}");
    world.run(HOUR);
    assert_eq!(world.one(1).node.status().counters.touch_pages_said, 4_096_u64.div_ceil(36));
    assert!(quiet(&mut world).abs_diff(idle) <= idle / 20, "quiet again");
}

#[test]
fn after_a_restart_what_others_told_is_there_again_and_own_touches_are_not() {
    let mut world = wary(3, Trust::Enforce);
    touch(&mut world, 2, ATTACKER, 23);
    touch(&mut world, 1, ATTACKER, 23);
    world.restart(1, slow(1, Trust::Enforce));
    world.run(HOUR / 30);
    let counters = world.one(1).node.status().counters;
    assert_eq!((counters.touches, counters.not_restored), (1, 0));
    touch(&mut world, 3, ATTACKER, 23);
    assert_eq!(who_drops(&world, ATTACKER), [1, 2, 3], "the others remember what it told");
}

//! Bridges between clusters.

use super::{
    world::{World, member_of},
    *,
};
use crate::{BRIDGE_BATCH_MAX, BridgeRule};

fn settle(world: &mut World) {
    world.run(Duration::from_secs(5));
}

fn bridge(from: &str, to: &str) -> BridgeRule {
    BridgeRule {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        grades: vec![Grade::Payload, Grade::Hostile],
        ttl_max: Duration::from_hours(2),
    }
}

fn bridged(index: u8, clusters: &[(char, u8)], bridges: &[(&str, &str)]) -> Config {
    let bridges = bridges.iter().map(|(from, to)| bridge(from, to)).collect();
    Config { bridges, ..member_of(index, clusters) }
}

/// Node 1 in `a`, node 2 in both, with a bridge from `a` to `b`, node 3 in `b`.
fn pair() -> World {
    let between = bridged(2, &[('a', 2), ('b', 2)], &[("a", "b")]);
    World::new(vec![member_of(1, &[('a', 2)]), between, member_of(3, &[('b', 2)])])
}

fn say(world: &mut World, index: u8, who: &str) {
    world.feed(index, Input::Visit(visit(who, b"x")));
    settle(world);
}

fn drops(world: &World, who: &str) -> Vec<bool> {
    world.machines.iter().map(|machine| machine.drops(who)).collect()
}

#[test]
fn what_the_bridge_enforces_crosses_as_its_own_word_and_an_unban_follows() {
    let mut world = pair();
    say(&mut world, 1, ATTACKER);
    assert_eq!(drops(&world, ATTACKER), [true, true, true]);
    let ban = world.one(3).node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!((ban.origins, ban.reasons, ban.grade), (vec!["edge-2".into()], Reasons::TRAP | Reasons::MESH, Grade::Payload));
    assert_eq!(ban.note.as_deref(), Some("by bridge from a"));
    assert!(ban.until.unwrap() <= world.now.wall.plus(Duration::from_hours(2)), "ttl_max");
    assert_eq!(world.one(2).node.status().counters.bridged, 1);
    world.order(1, unban_order(ATTACKER)).unwrap();
    settle(&mut world);
    assert_eq!(drops(&world, ATTACKER), [false, false, false]);
}

#[test]
fn nothing_crosses_the_other_way() {
    let mut world = pair();
    say(&mut world, 3, ATTACKER);
    assert_eq!(drops(&world, ATTACKER), [false, true, true]);
    assert_eq!(world.one(1).node.status().counters.records, 0);
}

#[test]
fn a_taken_back_bridge_leaves_what_the_other_cluster_said_itself() {
    let mut world = pair();
    say(&mut world, 1, ATTACKER);
    say(&mut world, 3, ATTACKER);
    world.order(2, Order::Unban { subject: subject(ATTACKER), reach: Reach::Here, wait: None }).unwrap();
    settle(&mut world);
    assert_eq!(drops(&world, ATTACKER), [true, false, true]);
    assert_eq!(world.one(3).node.ban(&subject(ATTACKER)).unwrap().origins, ["edge-3"]);
}

#[test]
fn only_named_grades_cross_and_a_bridge_that_only_observes_carries_nothing() {
    let mut world = pair();
    world.order(1, ban_order("203.0.113.1")).unwrap();
    settle(&mut world);
    assert_eq!(drops(&world, "203.0.113.1"), [true, true, false], "operator is not among them");
    say(&mut world, 1, ATTACKER);
    world.order(2, Order::SetMode(Mode::Observe)).unwrap();
    settle(&mut world);
    assert_eq!(drops(&world, ATTACKER), [true, false, false], "what it enforces no more is taken back");
    say(&mut world, 1, "203.0.113.3");
    assert!(!world.one(3).drops("203.0.113.3"));
    world.order(2, Order::SetMode(Mode::Enforce)).unwrap();
    settle(&mut world);
    assert!(world.one(3).drops(ATTACKER) && world.one(3).drops("203.0.113.3"));
}

#[test]
fn a_ring_of_three_clusters_makes_no_loop_and_each_ban_goes_one_hop() {
    let ring = vec![
        member_of(1, &[('a', 2)]),
        bridged(2, &[('a', 2), ('b', 2)], &[("a", "b")]),
        bridged(3, &[('b', 2), ('c', 3)], &[("b", "c")]),
        bridged(4, &[('c', 3), ('a', 2)], &[("c", "a")]),
        member_of(5, &[('b', 2)]),
        member_of(6, &[('c', 3)]),
    ];
    let mut world = World::new(ring);
    say(&mut world, 1, ATTACKER);
    world.run(Duration::from_mins(10));
    assert_eq!(drops(&world, ATTACKER), [true, true, true, true, true, false], "one hop from a is b, and c is two");
    let published: u64 = world.machines.iter().map(|machine| machine.node.status().counters.published).sum();
    assert_eq!(published, 2, "the word and its one repetition");
    world.order(1, unban_order(ATTACKER)).unwrap();
    settle(&mut world);
    assert_eq!(drops(&world, ATTACKER), [false; 6], "and nothing brings it back");
    world.run(Duration::from_mins(10));
    assert_eq!(drops(&world, ATTACKER), [false; 6]);
}

#[test]
fn two_bridges_against_each_other_do_not_keep_a_ban_alive() {
    let both = bridged(2, &[('a', 2), ('b', 2)], &[("a", "b"), ("b", "a")]);
    let twin = bridged(4, &[('a', 2), ('b', 2)], &[("a", "b"), ("b", "a")]);
    let mut all = vec![member_of(1, &[('a', 2)]), both, member_of(3, &[('b', 2)]), twin];
    all.iter_mut().for_each(|config| config.policy.ttl = Ttls::all(Duration::from_hours(1)));
    let mut world = World::new(all);
    say(&mut world, 1, ATTACKER);
    world.run(Duration::from_mins(1));
    let published = |world: &World| -> u64 { world.machines.iter().map(|one| one.node.status().counters.published).sum() };
    assert_eq!((drops(&world, ATTACKER), published(&world)), (vec![true; 4], 3), "each bridge said it once");
    world.cut = vec![1];
    world.run(Duration::from_mins(65));
    assert_eq!(drops(&world, ATTACKER)[1..], [false; 3], "it ends when what its origin said ends");
}

#[test]
fn the_bridges_own_evidence_takes_the_place_of_what_it_repeated() {
    let mut world = pair();
    say(&mut world, 1, ATTACKER);
    say(&mut world, 2, ATTACKER);
    let ban = world.one(3).node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!((ban.origins, ban.note), (vec!["edge-2".into()], None), "its own word now");
    world.order(1, Order::Unban { subject: subject(ATTACKER), reach: Reach::Here, wait: None }).unwrap();
    settle(&mut world);
    assert!(world.one(3).drops(ATTACKER));
}

#[test]
fn a_quarantined_peers_bans_are_taken_back_across_the_bridge() {
    let mut between = bridged(2, &[('a', 2), ('b', 2)], &[("a", "b")]);
    between.canaries = vec!["240.1.0.0/16".parse().unwrap()];
    let mut world = World::new(vec![member_of(1, &[('a', 2)]), between, member_of(3, &[('b', 2)])]);
    say(&mut world, 1, ATTACKER);
    assert!(world.one(3).drops(ATTACKER));
    say(&mut world, 1, "240.1.2.3");
    assert_eq!((drops(&world, ATTACKER), drops(&world, "240.1.2.3")), (vec![true, false, false], vec![true, false, false]));
}

#[test]
fn a_restart_neither_repeats_nor_forgets_what_crossed() {
    let mut world = pair();
    say(&mut world, 1, ATTACKER);
    let mut again = bridged(2, &[('a', 2), ('b', 2)], &[("a", "b")]);
    again.clusters.iter_mut().for_each(|cluster| cluster.mesh.boot_salt += world.now.mono.0);
    world.restart(2, again);
    world.run(Duration::from_secs(30));
    assert_eq!((world.one(2).node.status().counters.published, drops(&world, ATTACKER)), (0, vec![true; 3]));
    world.order(1, unban_order(ATTACKER)).unwrap();
    settle(&mut world);
    assert_eq!(drops(&world, ATTACKER), [false; 3]);
}

#[test]
fn a_flood_crosses_in_bounded_portions() {
    let mut world = pair();
    for index in 0..200_u8 {
        world.feed(1, Input::Visit(visit(&format!("203.0.113.{index}"), b"x")));
    }
    world.run(Duration::from_millis(600));
    let early = world.one(2).node.status().counters.bridged;
    assert!((1..=3 * BRIDGE_BATCH_MAX as u64).contains(&early), "{early}");
    world.run(Duration::from_secs(10));
    assert_eq!((world.one(2).node.status().counters.bridged, world.one(3).kernel.len()), (200, 200));
}

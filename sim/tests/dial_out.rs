//! Nodes that can only dial out are members like any other, whatever becomes of their relays.

use honeymesh_mesh_proto::StreamStats;
use honeymesh_node::Lifetime;
use honeymesh_sim::{Memory, Options, World, scenario::culprit};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// `nodes` nodes, of which the last `dial_out` can only do that. A tenth of all datagrams is lost, some come twice.
fn world(nodes: usize, dial_out: usize, seed: u64) -> World {
    let mut world = World::new(&Options { nodes, dial_out, seed, ..Options::default() });
    let met = world.run_until(30 * SECOND, |world| world.members() == (nodes - 1, nodes - 1));
    assert!(met.is_some(), "seed {seed}: not all have met: {:?}", world.members());
    // Time for spare relays.
    world.run(3 * SECOND);
    world
}

fn streams(world: &World, place: usize) -> StreamStats {
    world.mesh(place).map(|(stats, _)| stats.streams).unwrap_or_default()
}

/// Bans somebody on each of these nodes in turn; how long the slowest ban took to be in the kernel of all that run.
fn slowest_ban(world: &mut World, places: &[usize], running: usize, number: u32, seed: u64) -> Duration {
    let mut slowest = Duration::ZERO;
    for (number, place) in (number..).zip(places) {
        let subject = culprit(number);
        world.ban(*place, subject, Lifetime::Default);
        let mut took = Duration::ZERO;
        while world.dropping(&subject) < running {
            assert!(took < 10 * SECOND, "seed {seed}: the ban of node {place} is on {} of {running}", world.dropping(&subject));
            world.run(SECOND / 100);
            took += SECOND / 100;
        }
        slowest = slowest.max(took);
    }
    slowest
}

#[test]
fn bans_reach_a_node_that_can_only_dial_out_and_come_from_it_in_milliseconds() {
    for seed in 1..6 {
        let mut world = World::new(&Options { nodes: 12, dial_out: 3, seed, loss_per_mille: 0, ..Options::default() });
        world.run(10 * SECOND);
        assert_eq!(world.members(), (11, 11), "seed {seed}");
        let slowest = slowest_ban(&mut world, &[0, 9, 10, 11], 12, 0, seed);
        // Two steps of at most two ways and two streams of 40 ms each.
        assert!(slowest <= Duration::from_millis(320), "seed {seed}: {slowest:?}");
        assert!((9..12).all(|place| streams(&world, place).relays_taken >= 2), "seed {seed}: each has a spare relay");
    }
}

#[test]
fn they_hold_on_where_a_tenth_of_all_datagrams_is_lost() {
    for seed in 1..4 {
        let mut world = world(12, 3, seed);
        let lost: u64 = (9..12).map(|place| streams(&world, place).relays_lost).sum();
        world.run(60 * SECOND);
        assert_eq!(world.members(), (11, 11), "seed {seed}");
        let now: u64 = (9..12).map(|place| streams(&world, place).relays_lost).sum();
        assert_eq!(now, lost, "seed {seed}: no relay is left without need");
        slowest_ban(&mut world, &[0, 9, 10, 11], 12, 0, seed);
    }
}

#[test]
fn when_its_relay_dies_another_takes_over_within_seconds_and_the_two_go_on() {
    for seed in 1..6 {
        let mut world = world(8, 1, seed);
        let first = world.relay_of(7, 0).unwrap();
        world.stop(first, Memory::Kept);
        let by = if first == 0 { 1 } else { 0 };
        let changed = world.run_until(5 * SECOND, |world| world.relay_of(7, by).is_some_and(|relay| relay != first));
        assert!(changed.is_some_and(|took| took <= 2 * SECOND), "seed {seed}: {changed:?}");
        slowest_ban(&mut world, &[by, 7], 7, 0, seed);
        // The next one dies too, and the first comes back.
        let second = world.relay_of(7, by).unwrap();
        world.start(first);
        world.run(5 * SECOND);
        world.stop(second, Memory::Kept);
        let by = (0..7).find(|place| ![first, second].contains(place)).unwrap();
        world.run(3 * SECOND);
        slowest_ban(&mut world, &[by, first, 7], 7, 10, seed);
    }
}

#[test]
fn two_that_can_only_dial_out_talk_through_one_relay_and_through_two() {
    let (mut same, mut different) = (0, 0);
    for seed in 1..10 {
        let nodes = if seed < 4 { 3 } else { 5 };
        let mut world = world(nodes, 2, seed);
        let relays = [nodes - 2, nodes - 1].map(|place| world.relay_of(place, 0).unwrap_or(0));
        *(if relays[0] == relays[1] { &mut same } else { &mut different }) += 1;
        slowest_ban(&mut world, &[nodes - 2, nodes - 1, 0], nodes, 0, seed);
        assert_eq!(world.members(), (nodes - 1, nodes - 1), "seed {seed}");
    }
    assert!(same > 0 && different > 0, "both are played: {same} and {different}");
}

#[test]
fn a_relay_that_swallows_is_left_for_another() {
    for seed in 1..6 {
        let mut world = world(8, 1, seed);
        let bad = world.relay_of(7, if world.relay_of(7, 0) == Some(0) { 1 } else { 0 }).unwrap();
        let by = if bad == 0 { 1 } else { 0 };
        world.swallow(bad);
        let subject = culprit(1);
        world.ban(by, subject, Lifetime::Default);
        let changed = world
            .run_until(20 * SECOND, |world| world.relay_of(7, by).is_some_and(|relay| relay != bad) && world.drops(7, &subject));
        assert!(changed.is_some_and(|took| took <= 12 * SECOND), "seed {seed}: {changed:?}");
        world.run(3 * SECOND);
        slowest_ban(&mut world, &[by, 7], 8, 10, seed);
    }
}

#[test]
fn a_split_heals_for_both_sides_and_for_one_that_was_cut_off_alone() {
    for seed in 1..4 {
        let mut world = world(8, 2, seed);
        // Half of the nodes on each side, one that can only dial out on each.
        world.split(|place| place % 2);
        world.ban(0, culprit(1), Lifetime::Default);
        world.ban(1, culprit(2), Lifetime::Default);
        world.ban(6, culprit(3), Lifetime::Default);
        world.ban(7, culprit(4), Lifetime::Default);
        world.run(45 * SECOND);
        world.heal();
        let healed = |world: &World| (1..5).all(|number| world.dropping(&culprit(number)) == 8) && world.members() == (7, 7);
        let took = world.run_until(20 * SECOND, healed);
        assert!(took.is_some(), "seed {seed}: {:?}", world.members());
        // One has no relay at all for a while.
        world.split(|place| usize::from(place == 7));
        world.ban(0, culprit(5), Lifetime::Default);
        world.ban(7, culprit(6), Lifetime::Default);
        world.run(45 * SECOND);
        assert_eq!(world.met(7), 0, "seed {seed}");
        world.heal();
        let healed = |world: &World| (1..7).all(|number| world.dropping(&culprit(number)) == 8) && world.members() == (7, 7);
        let took = world.run_until(20 * SECOND, healed);
        assert!(took.is_some_and(|took| took <= 10 * SECOND), "seed {seed}: {took:?} {:?}", world.members());
    }
}

#[test]
fn a_stranger_who_can_only_dial_out_gets_no_relay() {
    for seed in 1..4 {
        let mut world = world(5, 1, seed);
        let taken = |world: &World| (0..5).map(|place| streams(world, place).guests_taken).sum::<u64>();
        let before = taken(&world);
        let stranger = world.add_stranger();
        world.cut_off(stranger);
        world.run(30 * SECOND);
        assert_eq!((world.met(stranger), taken(&world)), (0, before), "seed {seed}");
        let unproven: u64 = (0..5).map(|place| streams(&world, place).unproven).sum();
        assert!(unproven > 0, "seed {seed}: it was turned away for its proof");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = || {
        let mut world = world(6, 2, 7);
        world.ban(5, culprit(1), Lifetime::Default);
        world.run(5 * SECOND);
        world.trace()
    };
    assert_eq!(trace(), trace());
}

//! What the mesh promises, in worlds of many nodes.
//!
//! Every failure prints its seed and the command that replays it. `HONEYMESH_SIM_SEEDS` sets how many seeds the largest
//! test runs (100 unless said otherwise).

use honeymesh_mesh_proto::Refused;
use honeymesh_node::Lifetime;
use honeymesh_sim::{Memory, Options, Start, World, scenario, scenario::culprit};
use std::{
    num::NonZero,
    panic::resume_unwind,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);

fn joining(nodes: usize, seed: u64) -> Options {
    Options { nodes, seed, ..Options::default() }
}

fn acquainted(nodes: usize, seed: u64) -> Options {
    Options { start: Start::Known { doors: 3, view: None }, ..joining(nodes, seed) }
}

/// Runs the standard scenario and fails with the way to see it again.
fn assert_story(options: &Options, settle: Duration) -> scenario::Outcome {
    let outcome = scenario::standard(options, settle);
    let Options { nodes, seed, loss_per_mille, skew, start, .. } = options;
    let known = if matches!(start, Start::Known { .. }) { " --known" } else { "" };
    assert!(
        outcome.wrong.is_empty(),
        "seed {seed}: {:?}\nreplay: cargo run -p honeymesh-sim -- standard --seed {seed} --nodes {nodes} --loss {} --skew {} --millis {}{known}",
        outcome.wrong,
        loss_per_mille / 10,
        skew.as_secs(),
        settle.as_millis(),
    );
    outcome
}

/// 500 nodes, 10 per cent loss, many seeds. The nodes know each other from the start, because joining would cost ten times
/// the rest; `nodes_find_each_other` joins for real.
#[test]
fn every_ban_reaches_every_node_and_every_unban_wins() {
    let seeds = std::env::var("HONEYMESH_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(100);
    let slowest = on_every_core(seeds, |seed| assert_story(&acquainted(500, seed), SECOND / 2).slowest).into_iter().max();
    assert!(slowest.is_none_or(|slowest| slowest < 6 * SECOND), "{slowest:?}");
}

/// What comes of each seed from 1 on. Worlds know nothing of each other, so each core plays one after the other.
fn on_every_core<T: Send>(seeds: u64, play: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(1);
    let some = || {
        let own = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed <= seeds);
        own.map(&play).collect::<Vec<T>>()
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(some)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for options in [joining(64, 7), acquainted(500, 7)] {
        let trace = || assert_story(&options, SECOND).trace;
        assert_eq!(trace(), trace(), "{options:?}");
    }
    assert_ne!(assert_story(&joining(8, 1), SECOND).trace, assert_story(&joining(8, 2), SECOND).trace);
}

#[test]
fn nodes_find_each_other() {
    for (nodes, seed, most) in (1..=10).map(|seed| (64, seed, 8)).chain([(500, 1, 30)]) {
        let mut world = World::new(&joining(nodes, seed));
        // Under loss somebody is always suspected and now and then declared dead for a moment.
        let nearly_all = nodes - 1 - nodes / 50;
        let met = world.run_until(most * SECOND, |world| world.members().0 >= nearly_all);
        assert!(met.is_some(), "seed {seed}: {nodes} nodes, between {:?} met", world.members());
        let outcome = scenario::story(&mut world);
        assert!(outcome.wrong.is_empty(), "seed {seed}, {nodes} nodes: {:?}", outcome.wrong);
    }
}

#[test]
fn a_loss_of_three_in_ten_delays_but_loses_nothing() {
    for seed in 1..=5 {
        assert_story(&Options { loss_per_mille: 300, ..joining(64, seed) }, 5 * SECOND);
    }
}

#[test]
fn clocks_that_are_half_a_minute_wrong_change_nothing() {
    for seed in 1..=10 {
        assert_story(&Options { skew: 30 * SECOND, ..joining(64, seed) }, 5 * SECOND);
    }
}

#[test]
fn a_split_of_thirty_seconds_heals_with_both_sides_bans_everywhere() {
    for seed in 1..=5 {
        let mut world = World::new(&joining(64, seed));
        world.run(6 * SECOND);
        let (ours, theirs, lifted) = (culprit(1), culprit(2), culprit(3));
        world.ban(0, lifted, Lifetime::Default);
        world.run(4 * SECOND);
        assert_eq!(world.dropping(&lifted), 64, "seed {seed}");
        world.split(|place| place % 2);
        world.run(10 * SECOND);
        world.ban(2, ours, Lifetime::Default);
        world.ban(3, theirs, Lifetime::Default);
        world.unban(5, lifted);
        world.run(20 * SECOND);
        assert_eq!([ours, theirs, lifted].map(|who| world.dropping(&who)), [32, 32, 32], "seed {seed}: each side its own");
        world.heal();
        let healed = world.run_until(20 * SECOND, |world| [ours, theirs, lifted].map(|who| world.dropping(&who)) == [64, 64, 0]);
        assert!(healed.is_some(), "seed {seed}: {:?}", [ours, theirs, lifted].map(|who| world.dropping(&who)));
        let met = world.run_until(60 * SECOND, |world| world.members().0 >= 62);
        assert!(met.is_some(), "seed {seed}: between {:?} met again", world.members());
    }
}

#[test]
fn a_wrong_key_learns_nothing_and_teaches_nothing() {
    for seed in 1..=5 {
        let mut world = World::new(&joining(8, seed));
        let stranger = world.add_stranger();
        world.run(5 * SECOND);
        world.ban(1, culprit(1), Lifetime::Default);
        world.ban(stranger, culprit(2), Lifetime::Default);
        world.run(10 * SECOND);
        assert_eq!((world.dropping(&culprit(1)), world.dropping(&culprit(2))), (8, 1), "seed {seed}");
        assert!(world.drops(stranger, &culprit(2)) && !world.drops(stranger, &culprit(1)), "seed {seed}");
        assert_eq!(world.members(), (0, 7), "seed {seed}: nobody met the stranger");
        let (stats, _) = world.mesh(0).unwrap();
        assert!(stats.refused.of(Refused::Key) > 0, "seed {seed}: its knocks are counted");
    }
}

#[test]
fn restarts_with_and_without_memory_lose_no_ban_and_undo_no_unban() {
    for seed in 1..=10 {
        let mut world = World::new(&joining(16, seed));
        world.run(5 * SECOND);
        let (stays, goes, own) = (culprit(1), culprit(2), culprit(3));
        world.ban(4, stays, Lifetime::Default);
        world.ban(4, goes, Lifetime::Default);
        world.ban(5, own, Lifetime::Forever);
        world.run(4 * SECOND);
        for (place, memory) in [(4, Memory::Kept), (5, Memory::Lost), (6, Memory::Lost), (7, Memory::Kept)] {
            world.stop(place, memory);
        }
        world.unban(9, goes);
        world.run(5 * SECOND);
        for place in [4, 5, 6, 7] {
            world.start(place);
        }
        let wanted = [16, 0, 16];
        let settled = world.run_until(20 * SECOND, |world| [stays, goes, own].map(|who| world.dropping(&who)) == wanted);
        assert!(settled.is_some(), "seed {seed}: {:?}", [stays, goes, own].map(|who| world.dropping(&who)));
        world.run(5 * SECOND);
        assert_eq!([stays, goes, own].map(|who| world.dropping(&who)), wanted, "seed {seed}: and it stays so");
    }
}

#[test]
fn a_late_joiner_gets_every_ban() {
    let mut world = World::new(&joining(8, 3));
    world.run(3 * SECOND);
    world.stop(7, Memory::Lost);
    for number in 0..1_000 {
        world.ban((number % 7) as usize, culprit(number), Lifetime::Default);
        world.run(SECOND / 200);
    }
    world.run(2 * SECOND);
    world.start(7);
    let caught_up = world.run_until(20 * SECOND, |world| world.bans(7).len() == 1_000);
    assert!(caught_up.is_some(), "{} of 1000", world.bans(7).len());
    assert_eq!(world.mesh(7).unwrap().1, world.mesh(0).unwrap().1, "the same set");
}

#[test]
fn short_bans_end_everywhere_without_a_word() {
    let mut world = World::new(&Options { skew: SECOND, ..joining(16, 1) });
    world.run(4 * SECOND);
    world.ban(3, culprit(1), Lifetime::For(10 * SECOND));
    let spread = world.run_until(5 * SECOND, |world| world.dropping(&culprit(1)) == 16);
    assert!(spread.is_some());
    world.run(15 * SECOND);
    assert!((0..16).all(|place| !world.bans(place).contains(&culprit(1))));
}

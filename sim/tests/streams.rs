//! What is too much for datagrams goes over streams, whatever becomes of them.

use honeymesh_node::Lifetime;
use honeymesh_sim::{Memory, Options, World, scenario::culprit};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn world(nodes: usize, seed: u64) -> World {
    let mut world = World::new(&Options { nodes, seed, ..Options::default() });
    world.run(10 * SECOND);
    world
}

/// A node says much, no faster than others take it.
fn say(world: &mut World, place: usize, numbers: std::ops::Range<u32>) {
    for number in numbers {
        world.ban(place, culprit(number), Lifetime::Default);
        if number % 20 == 0 {
            world.run(SECOND / 10);
        }
    }
}

fn agree(world: &World, nodes: usize) -> bool {
    let prints: Vec<_> = (0..nodes).filter_map(|place| world.mesh(place).map(|(_, print)| print)).collect();
    prints.len() == nodes && prints.windows(2).all(|pair| pair[0] == pair[1])
}

fn counted(world: &World, nodes: usize, read: impl Fn(&honeymesh_mesh_proto::StreamStats) -> u64) -> u64 {
    (0..nodes).filter_map(|place| world.mesh(place)).map(|(stats, _)| read(&stats.streams)).sum()
}

#[test]
fn a_node_that_lost_its_memory_takes_it_back_over_one_stream() {
    for seed in 1..4 {
        let mut world = world(5, seed);
        say(&mut world, 0, 0..2_500);
        world.stop(4, Memory::Lost);
        world.run(5 * SECOND);
        world.start(4);
        assert!(world.run_until(20 * SECOND, |world| agree(world, 5)).is_some(), "seed {seed}");
        let (stats, _) = world.mesh(4).unwrap();
        assert_eq!((stats.records, stats.streams.bulk_done, stats.streams.open), (2_500, 1, 0), "seed {seed}");
    }
}

#[test]
fn a_split_heals_over_streams_even_if_it_splits_again_in_the_middle() {
    for seed in 1..4 {
        let mut world = world(6, seed);
        world.split(|place| place % 2);
        say(&mut world, 0, 0..2_000);
        say(&mut world, 1, 10_000..12_000);
        world.heal();
        // Until a stream is in the middle of its work.
        let begun = world.run_until(60 * SECOND, |world| counted(world, 6, |stats| stats.received_bytes) > 0);
        assert!(begun.is_some(), "seed {seed}: no stream");
        world.split(|place| place % 2);
        world.run(5 * SECOND);
        world.heal();
        assert!(world.run_until(90 * SECOND, |world| agree(world, 6)).is_some(), "seed {seed}");
        assert_eq!(world.bans(0).len(), 4_000, "seed {seed}");
        assert!(counted(&world, 6, |stats| stats.bulk_done) > 0, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_with_streams() {
    let trace = || {
        let mut world = world(4, 7);
        world.stop(3, Memory::Lost);
        say(&mut world, 0, 0..1_500);
        world.start(3);
        world.run(10 * SECOND);
        assert!(counted(&world, 4, |stats| stats.bulk) > 0);
        world.trace()
    };
    assert_eq!(trace(), trace());
}

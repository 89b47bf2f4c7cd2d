//! The standard scenario: bans, unbans, late copies; and what must be true in the end.

use crate::{Options, World};
use honeymesh_node::Lifetime;
use honeymesh_types::Subject;
use std::{net::Ipv4Addr, time::Duration};

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything that should have been true and was not.
    pub wrong: Vec<String>,
    /// A hash of everything that happened.
    pub trace: String,
    /// How long the slowest ban took to reach the last node.
    pub slowest: Duration,
}

/// A subject that nobody on the simulated network is.
#[must_use]
pub fn culprit(number: u32) -> Subject {
    Subject::host(Ipv4Addr::from_bits(0xcb00_7100 + number).into())
}

/// Bans from different nodes, some of them lifted again while one node is cut off, one banned anew, and datagrams
/// delivered once more in the end: every ban must be on every node, every unban must win, also on the node that comes
/// back with the old bans, and nothing that comes late may change that.
#[must_use]
pub fn standard(options: &Options, settle: Duration) -> Outcome {
    let mut world = World::new(options);
    world.run(settle);
    story(&mut world)
}

/// The most time that anything may take to reach everybody.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many nodes hear everything once more in the end.
const LISTENERS: usize = 8;

/// The story of [`standard`] in a world that has settled.
#[must_use]
pub fn story(world: &mut World) -> Outcome {
    let nodes = world.len();
    let mut wrong = Vec::new();
    let all @ [stays, goes, returns, contested] = [1, 2, 3, 4].map(culprit);
    world.record(LISTENERS);
    world.ban(0, stays, Lifetime::Default);
    world.ban(nodes / 2, goes, Lifetime::Default);
    world.ban(nodes / 3, returns, Lifetime::Forever);
    world.ban(nodes - 2, contested, Lifetime::Default);
    world.ban(nodes / 4, contested, Lifetime::Default);
    let slowest = world.run_until(PATIENCE, |world| all.iter().all(|s| world.dropping(s) == nodes));
    if slowest.is_none() {
        wrong.push(format!("a ban is missing somewhere: {:?} of {nodes}", all.map(|s| world.dropping(&s))));
    }
    let absent = nodes - 1;
    world.split(|place| usize::from(place == absent));
    world.unban(nodes / 5, goes);
    world.unban(nodes - 3, returns);
    world.unban(1, contested);
    // Only who has heard of the unban can mean to overrule it; otherwise clocks decide, and those may be wrong.
    let again = nodes / 6;
    let heard = world.run_until(PATIENCE, |world| !world.drops(again, &returns));
    world.ban(again, returns, Lifetime::Default);
    if heard.is_none() {
        wrong.push(format!("node {again} never heard of an unban"));
    }
    let holds = |world: &World, wanted: [usize; 4]| all.map(|s| world.dropping(&s)) == wanted;
    if world.run_until(PATIENCE, |world| holds(world, [nodes, 1, nodes, 1])).is_none() {
        wrong.push(format!("an unban did not win: {:?} of {nodes}, one cut off", all.map(|s| world.dropping(&s))));
    }
    world.heal();
    if world.run_until(PATIENCE, |world| holds(world, [nodes, 0, nodes, 0])).is_none() {
        wrong.push(format!("old bans came back: {:?} of {nodes}", all.map(|s| world.dropping(&s))));
    }
    world.replay();
    world.run(Duration::from_millis(500));
    if !holds(world, [nodes, 0, nodes, 0]) {
        wrong.push(format!("late copies changed something: {:?} of {nodes}", all.map(|s| world.dropping(&s))));
    }
    Outcome { wrong, trace: world.trace(), slowest: slowest.unwrap_or(Duration::MAX) }
}

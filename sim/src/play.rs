//! Plays a scenario with one seed: does what the timeline says, measures, and compares with the reference model.

mod deeds;
mod judge;
mod touches;
mod windows;

use crate::{
    World,
    dice::Dice,
    measure::Measure,
    model::Model,
    plan::{Act, Plan},
};
use honeymesh_types::Subject;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};
use touches::Touches;
use windows::Counting;

pub use windows::Cost;

/// How often something that is awaited is looked for, in a world of up to [`SMALL`] nodes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The same in a larger one, where looking costs more.
const LOOK_SELDOM: Duration = Duration::from_millis(250);
/// See [`LOOK_EVERY`].
const SMALL: usize = 128;
/// How long what was agreed on must stay so.
const STAYS: Duration = Duration::from_secs(2);

/// What came of a scenario with one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What was measured.
    pub values: BTreeMap<Measure, f64>,
    /// After how many milliseconds each node dropped each banned subject, sorted.
    pub arrivals: Vec<f64>,
    /// What each taken-over member cost.
    pub costs: Vec<Cost>,
    /// Everything that should have been true and was not.
    pub wrong: Vec<String>,
    /// How much happened.
    pub events: u64,
    /// A hash of everything that happened.
    pub trace: String,
}

/// Something that is awaited.
struct Awaited {
    measure: Measure,
    since: Duration,
    /// Which nodes must see it.
    places: Vec<usize>,
}

/// A scenario being played.
struct Player<'p> {
    plan: &'p Plan,
    world: World,
    model: Model,
    dice: Dice,
    /// How many honest nodes there are; the taken-over members come after them.
    honest: usize,
    /// Which subjects are banned, and which were lifted, the oldest first.
    standing: VecDeque<Subject>,
    lifted: VecDeque<Subject>,
    /// How many bans were said.
    said: u32,
    /// Bans whose way is followed.
    watched: BTreeSet<Subject>,
    /// When which nodes come back.
    returning: Vec<(Duration, Vec<usize>)>,
    /// Nodes that were killed without their state.
    forgetful: BTreeSet<usize>,
    touches: Touches,
    awaited: Vec<Awaited>,
    counting: Vec<Counting>,
    /// Of each ban, when half, 99 of 100 and all nodes had it, in milliseconds.
    spread: Vec<[f64; 3]>,
    run: Run,
}

/// Plays a scenario.
#[must_use]
pub fn play(plan: &Plan, seed: u64) -> Run {
    let mut player = Player::new(plan, seed);
    for act in &plan.acts {
        player.advance(act.at);
        player.act(act);
    }
    player.advance(plan.end);
    player.settle();
    player.close();
    player.run
}

impl<'p> Player<'p> {
    fn new(plan: &'p Plan, seed: u64) -> Self {
        let options = crate::Options { seed, ..plan.options.clone() };
        let mut world = World::new(&options);
        (0..plan.rogues()).for_each(|_| {
            world.add_rogue();
        });
        let run = Run {
            seed,
            values: BTreeMap::new(),
            arrivals: Vec::new(),
            costs: Vec::new(),
            wrong: Vec::new(),
            events: 0,
            trace: String::new(),
        };
        let mut player = Self {
            plan,
            world,
            model: Model::default(),
            // Not the world's own dice, which are of the same seed.
            dice: Dice::new(!seed),
            honest: options.nodes,
            standing: VecDeque::new(),
            lifted: VecDeque::new(),
            said: 0,
            watched: BTreeSet::new(),
            returning: Vec::new(),
            forgetful: BTreeSet::new(),
            touches: Touches::default(),
            awaited: Vec::new(),
            counting: Vec::new(),
            spread: Vec::new(),
            run,
        };
        if player.is_wanted(Measure::Meet) {
            player.awaited.push(Awaited { measure: Measure::Meet, since: Duration::ZERO, places: (0..options.nodes).collect() });
        }
        player
    }

    /// Does the scenario ask for this measure?
    fn is_wanted(&self, measure: Measure) -> bool {
        self.plan.expect.iter().chain(&self.plan.goal).any(|(wanted, _)| *wanted == measure)
    }

    fn now(&self) -> Duration {
        self.world.passed().1
    }

    /// Lets time pass; who is to come back does, and what is awaited is looked for.
    fn advance(&mut self, until: Duration) {
        while self.now() < until {
            let back = self.returning.iter().map(|(at, _)| *at).min();
            let counted = self.counting.iter().map(|counting| counting.until).min();
            let pause = if self.honest <= SMALL { LOOK_EVERY } else { LOOK_SELDOM };
            let look = (!self.awaited.is_empty()).then(|| self.now() + pause);
            let next = [back, counted, look].into_iter().flatten().fold(until, Duration::min).max(self.now());
            self.world.run(next - self.now());
            self.come_back();
            self.count_up();
            self.look();
        }
    }

    /// Notes what was awaited and has come.
    fn look(&mut self) {
        let awaited = std::mem::take(&mut self.awaited);
        for awaited in awaited {
            if self.has_come(&awaited) {
                self.worst(awaited.measure, crate::measure::millis(self.now() - awaited.since));
            } else {
                self.awaited.push(awaited);
            }
        }
    }

    /// Keeps the greatest value of a measure.
    fn worst(&mut self, measure: Measure, value: f64) {
        let kept = self.run.values.entry(measure).or_insert(value);
        *kept = kept.max(value);
    }

    fn act(&mut self, act: &Act) {
        self.carry_out(act.deed);
    }
}

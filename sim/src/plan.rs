//! A scenario as a file tells it: a world, a timeline, and what must hold.

mod reader;
mod steps;
mod wanted;

pub use reader::Problem;

use crate::{Memory, Misdeed, Options, Rotation, Start, measure::Measure};
use honeymesh_node::Lifetime;
use reader::{Document, Section};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The most nodes of a world.
pub const NODES_MAX: usize = 100_000;
/// The longest story.
pub const STORY_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How long every node may take, after the story, to drop exactly what it should, unless the file says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// A scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The name of its file, without `.toml`.
    pub name: String,
    /// What it is about, in one line.
    pub about: String,
    /// The world; the seed is set for each run.
    pub options: Options,
    /// With how many nodes and for how long it is run where time is short.
    pub quick: Quick,
    /// What happens, in order.
    pub(crate) acts: Vec<Act>,
    /// When the story is over.
    pub end: Duration,
    /// How long every node may take then to drop exactly what it should.
    pub patience: Duration,
    /// What must hold.
    pub expect: Vec<(Measure, f64)>,
    /// What the project wants to hold: told, not insisted on.
    pub goal: Vec<(Measure, f64)>,
}

/// A smaller run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quick {
    /// How many nodes.
    pub nodes: usize,
    /// How much of the story.
    pub end: Duration,
}

/// Something that happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    /// When, from the start of the world.
    pub(crate) at: Duration,
    /// What.
    pub(crate) deed: Deed,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A node bans subjects: new ones, or those that were lifted longest ago.
    Ban { node: Option<usize>, count: u32, lifetime: Lifetime, again: bool },
    /// A node unbans the subjects that were banned longest ago.
    Unban { node: Option<usize>, count: u32 },
    /// The network falls into so many parts.
    Split { groups: usize },
    /// It is whole again.
    Heal,
    /// Nodes are killed, as by `kill -9`, and come back after a while or with [`Deed::Restart`].
    Kill { whom: Whom, memory: Memory, back: Option<Duration> },
    /// All nodes that are down come back.
    Restart,
    /// So many datagrams in a thousand are lost from now on.
    Loss { per_mille: u32 },
    /// A step of a change of keys.
    Rotate(Rotation),
    /// The taken-over member of this number misbehaves.
    Rogue { number: usize, misdeed: Misdeed, lasts: Duration },
    /// A stranger of this number touches a node; the next one in turn unless named. Forged: its address alone does.
    Touch { node: Option<usize>, stranger: u32, forged: bool },
    /// What is sent is counted for a while.
    Meter { window: Window, lasts: Duration },
}

/// Which nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// This one.
    Node(usize),
    /// So many in a thousand of those that run, drawn anew.
    PerMille(u32),
}

/// What traffic is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// Nothing happens.
    Idle,
    /// Bans are said.
    Bans,
}

impl Plan {
    /// The folder of the scenarios that come with the simulator.
    #[must_use]
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
    }

    /// The scenarios that come with the simulator, by name.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn shipped() -> std::io::Result<Vec<String>> {
        let name = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned);
        let mut names: Vec<String> = std::fs::read_dir(Self::folder())?.filter_map(Result::ok).filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Reads a scenario: the name of one that comes with the simulator, or a path.
    ///
    /// # Errors
    /// The lines to show: the file cannot be read, or everything that is wrong in it.
    pub fn load(name: &str) -> Result<Self, Vec<String>> {
        let is_path = name.ends_with(".toml") || name.contains('/');
        let path = if is_path { PathBuf::from(name) } else { Self::folder().join(format!("{name}.toml")) };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let mend = "write a path or one of the names that `cargo xtask sim` lists";
            vec![format!("failed to read scenario {name}: {error}; {mend}")]
        })?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("scenario");
        Self::parse(stem, &text).map_err(|problems| problems.iter().map(|problem| problem.line(name)).collect())
    }

    /// Reads the text of a scenario.
    ///
    /// # Errors
    /// Everything that is wrong in it, in the order of the file.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let (doc, table) = Document::parse(text);
        let plan = Self::read(name, &Section::root(&doc, &table));
        let problems = doc.into_problems();
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }

    fn read(name: &str, root: &Section<'_, '_>) -> Self {
        let options = world(root);
        let about = root.text("about").unwrap_or_default();
        if about.is_empty() {
            root.wrong("`about` is missing; say in one line what the scenario is about");
        }
        let end = root.duration("end").unwrap_or(Duration::from_secs(10));
        let patience = root.duration("patience").unwrap_or(PATIENCE);
        let small = options.nodes.min(32);
        let quick = root.section("quick");
        let quick_run = Quick {
            nodes: quick.number("nodes", 3, options.nodes as u64).map_or(small, |nodes| usize::try_from(nodes).unwrap_or(small)),
            end: quick.duration("end").unwrap_or(end),
        };
        quick.finish();
        let acts = steps::read(root, options.nodes, end);
        let (expect, goal) = (wanted::read(&root.section("expect")), wanted::read(&root.section("goal")));
        let plan = Self { name: name.into(), about, options, quick: quick_run, acts, end, patience, expect, goal };
        plan.check_fixed(root);
        root.finish();
        plan
    }

    /// Where membership is given from outside, nobody joins, and there is nothing to measure of it.
    fn check_fixed(&self, root: &Section<'_, '_>) {
        if self.options.start != Start::Fixed {
            return;
        }
        if self.rogues() > 0 {
            root.wrong("a `rogue` joins, and with start = \"fixed\" nobody does; write start = \"known\"");
        }
        for (measure, _) in self.expect.iter().chain(&self.goal) {
            if matches!(measure, Measure::Meet | Measure::HealMembers | Measure::Unknown) {
                root.wrong(&format!("`{measure}` is about membership, and start = \"fixed\" has none; leave it out"));
            }
        }
    }

    /// The same scenario with another number of nodes. Steps that name a node that is not there name the last one.
    #[must_use]
    pub fn with_nodes(mut self, nodes: usize) -> Self {
        self.options.nodes = nodes.clamp(3, NODES_MAX);
        let last = self.options.nodes - 1;
        for act in &mut self.acts {
            match &mut act.deed {
                Deed::Ban { node: Some(node), .. }
                | Deed::Unban { node: Some(node), .. }
                | Deed::Touch { node: Some(node), .. } => *node = (*node).min(last),
                Deed::Kill { whom: Whom::Node(node), .. } => *node = (*node).min(last),
                Deed::Split { groups } => *groups = (*groups).min(self.options.nodes),
                _ => {}
            }
        }
        self
    }

    /// The scenario as it is run where time is short.
    #[must_use]
    pub fn quick(mut self) -> Self {
        let Quick { nodes, end } = self.quick;
        self.acts.retain(|act| act.at < end);
        self.end = self.end.min(end);
        self.with_nodes(nodes)
    }

    /// How many taken-over members take part.
    #[must_use]
    pub fn rogues(&self) -> usize {
        let number = |act: &Act| if let Deed::Rogue { number, .. } = act.deed { number + 1 } else { 0 };
        self.acts.iter().map(number).max().unwrap_or(0)
    }
}

fn world(root: &Section<'_, '_>) -> Options {
    let default = Options::default();
    let size = |number: Option<u64>, default: usize| number.map_or(default, |number| usize::try_from(number).unwrap_or(default));
    let nodes = size(root.number("nodes", 3, NODES_MAX as u64), 64);
    let doors = size(root.number("doors", 1, 64), 3);
    let view = root.number("view", 1, NODES_MAX as u64).map(|view| size(Some(view), 1));
    let start = root.choice("start", &["join", "known", "fixed"]).unwrap_or(0);
    if view.is_some() && start != 1 {
        root.wrong("`view` is how many others a node knows from the start; write start = \"known\" with it");
    }
    Options {
        nodes,
        seed: 0,
        loss_per_mille: root.per_mille("loss").unwrap_or(0),
        double_per_mille: root.per_mille("duplication").unwrap_or(default.double_per_mille),
        latency: root.span("latency").unwrap_or(default.latency),
        skew: root.duration("skew").unwrap_or(Duration::ZERO),
        drift_ppm: u32::try_from(root.number("drift_ppm", 0, 100_000).unwrap_or(0)).unwrap_or(0),
        dial_out: size(root.number("dial_out", 0, nodes.saturating_sub(1) as u64), 0),
        start: match start {
            0 => Start::Join { doors },
            1 => Start::Known { doors, view },
            _ => Start::Fixed,
        },
    }
}

#[cfg(test)]
mod tests;

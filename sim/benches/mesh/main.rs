//! What the mesh costs with real sockets beside others' gossip libraries: `cargo xtask bench mesh`.
//!
//! Every node is a thread with a UDP socket of its own on loopback and the daemon's own mesh in it. All contenders run in this one
//! sitting, one after the other, each with as many nodes in one process and records of about the same size. Times are wall time on a
//! machine that is shared by all nodes: with more nodes than processors they say what a loaded machine does, not what a network does.
//! Started by `cargo test` (without `--bench`) it is a smoke test of some seconds: few nodes, and every ban must arrive everywhere.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made should stop where it stands; its result is printed"
)]

mod contender;
mod iroh_gossip;
mod memberlist;
mod node;
mod ours;

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Nodes of the cluster in which single bans are timed.
    pub nodes: usize,
    /// Bans, one after the other.
    pub bans: usize,
    /// Nodes of the cluster that takes the import.
    pub nodes_burst: usize,
    /// Bans at once on one node.
    pub burst: usize,
    /// What a cluster has to settle before anything is measured.
    pub settle: Duration,
    /// How long a quiet cluster is watched.
    pub idle: Duration,
    /// How many bans the same nodes hold then besides.
    pub held: usize,
    /// How long anything may take.
    pub patience: Duration,
    /// Are others measured, too?
    pub has_competitors: bool,
}

const FULL: Plan = Plan {
    nodes: 128,
    bans: 100,
    nodes_burst: 16,
    burst: 10_000,
    settle: Duration::from_secs(3),
    idle: Duration::from_secs(15),
    held: 100_000,
    patience: Duration::from_secs(240),
    has_competitors: true,
};

const QUICK: Plan = Plan { bans: 30, held: 20_000, idle: Duration::from_secs(8), ..FULL };

const SMOKE: Plan = Plan {
    nodes: 8,
    bans: 4,
    nodes_burst: 4,
    burst: 200,
    settle: Duration::from_millis(500),
    idle: Duration::from_millis(500),
    held: 400,
    patience: Duration::from_secs(60),
    has_competitors: false,
};

/// What one contender showed: numbers by name, in milliseconds, bytes or seconds as the name says.
pub type Figures = BTreeMap<&'static str, f64>;

/// The rows of the table, and the goal of ours: at most this.
const ROWS: &[(&str, Option<f64>)] = &[
    ("all nodes see all, s", None),
    ("one ban to half of the nodes, ms, median", None),
    ("one ban to all nodes, ms, median", Some(10.0)),
    ("one ban to all nodes, ms, worst", Some(300.0)),
    ("bans that reached all nodes, of 100", None),
    ("bytes a ban a node", Some(700.0)),
    ("idle, bytes a second a node", Some(350.0)),
    ("many bans at once to all nodes, s", Some(2.0)),
    ("many bans at once, of 100 on the node with fewest", None),
    ("many bans at once, bytes a ban a node", None),
    ("idle with many bans held, bytes a second a node", Some(350.0)),
];

fn plan() -> Option<Plan> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
    if has("--bench") {
        return Some(if has("--quick") { QUICK } else { FULL });
    }
    let named: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let is_meant = named.is_empty() || named.iter().any(|name| "mesh_benchmark_smoke".contains(name.as_str()));
    (is_meant && !has("--list")).then_some(SMOKE)
}

fn main() -> ExitCode {
    let Some(plan) = plan() else { return ExitCode::SUCCESS };
    let ours = ours::measure(&plan);
    let complete = ours.get("bans that reached all nodes, of 100").is_some_and(|share| (share - 100.0).abs() < f64::EPSILON);
    if !plan.has_competitors {
        println!("mesh benchmark, smoke: {} nodes had every ban", plan.nodes);
        return if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let others = [("memberlist (Go)", memberlist::measure(&plan)), ("iroh-gossip", iroh_gossip::measure(&plan))];
    println!(
        "{} nodes, {} bans one by one; {} nodes, {} bans at once, then {} held\n",
        plan.nodes, plan.bans, plan.nodes_burst, plan.burst, plan.held
    );
    print!("{:<50} {:>12}", "", "HoneyMesh");
    others.iter().for_each(|(name, _)| print!(" {name:>16}"));
    println!(" {:>10}", "goal");
    for (row, goal) in ROWS {
        print!("{row:<50} {:>12}", shown(ours.get(row)));
        others
            .iter()
            .for_each(|(_, figures)| print!(" {:>16}", figures.as_ref().map_or("-".into(), |figures| shown(figures.get(row)))));
        println!(" {}", judged(ours.get(row), *goal));
    }
    for (name, figures) in &others {
        if let Err(why) = figures {
            println!("\n*** {name} was NOT measured: {why} ***");
        }
    }
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn shown(value: Option<&f64>) -> String {
    value.map_or("-".into(), |value| if *value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") })
}

fn judged(value: Option<&f64>, goal: Option<f64>) -> String {
    match (value, goal) {
        (Some(value), Some(goal)) => format!("{goal:>10} {}", if *value <= goal { "ok" } else { "FAILS" }),
        _ => String::new(),
    }
}

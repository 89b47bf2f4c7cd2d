//! Plays scenarios and reports.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "talking to a person on a terminal is this program's whole job")]

mod standard;

use clap::{Parser, Subcommand};
use honeymesh_sim::{
    plan::Plan,
    play::{Run, play},
    plot,
    report::Report,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

/// The most seeds of one call.
const SEEDS_MAX: u64 = 100_000;
/// Exit code of a bad command line or scenario.
const BAD_USAGE: u8 = 2;

/// Runs whole nodes over a bad network, all from one seed.
#[derive(Parser)]
#[command(arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the scenarios that come with the simulator
    List,
    /// Play a scenario with many seeds, report, and draw how bans spread
    Run(Arguments),
    /// Play the standard story of the acceptance tests once
    Standard(standard::Arguments),
}

#[derive(clap::Args)]
struct Arguments {
    /// The name of a scenario, or a path to one
    scenario: String,
    /// One seed, or A..B: from A to B, both included
    #[arg(long, default_value = "1..5", value_parser = seeds)]
    seeds: Seeds,
    /// Another number of nodes than the scenario says
    #[arg(long)]
    nodes: Option<usize>,
    /// Fewer nodes and a shorter story, as the tests play it
    #[arg(long, conflicts_with = "nodes")]
    quick: bool,
}

#[derive(Clone, Copy)]
struct Seeds {
    first: u64,
    last: u64,
}

fn seeds(text: &str) -> Result<Seeds, String> {
    let mend = || format!("`{text}` is no seed; write one number, or A..B with A not above B and {SEEDS_MAX} seeds at most");
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let seeds = first.parse().ok().zip(last.parse().ok()).map(|(first, last)| Seeds { first, last });
    seeds.filter(|seeds| seeds.first <= seeds.last && seeds.last - seeds.first < SEEDS_MAX).ok_or_else(mend)
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::List => list(),
        Command::Run(arguments) => run(&arguments),
        Command::Standard(arguments) => standard::run(&arguments),
    }
}

fn list() -> ExitCode {
    let names = Plan::shipped().unwrap_or_default();
    for name in &names {
        match Plan::load(name) {
            Ok(plan) => println!("{name:<14} {}", plan.about),
            Err(problems) => return refuse(&problems),
        }
    }
    println!("\ncargo xtask sim SCENARIO --seeds A..B [--nodes N]");
    ExitCode::SUCCESS
}

fn refuse(problems: &[String]) -> ExitCode {
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    ExitCode::from(BAD_USAGE)
}

fn run(arguments: &Arguments) -> ExitCode {
    let plan = match Plan::load(&arguments.scenario) {
        Ok(plan) if arguments.quick => plan.quick(),
        Ok(plan) => match arguments.nodes {
            Some(nodes) => plan.with_nodes(nodes),
            None => plan,
        },
        Err(problems) => return refuse(&problems),
    };
    let begun = Instant::now();
    let runs = play_all(&plan, arguments.seeds);
    let nodes = arguments.nodes.map(|nodes| format!(" --nodes {nodes}"));
    let flags = nodes.unwrap_or_else(|| if arguments.quick { " --quick".into() } else { String::new() });
    let report = Report { plan: &plan, runs, flags };
    print!("{report}");
    let events: u64 = report.runs.iter().map(|run| run.events).sum();
    println!("{events} events in {:.1} s", begun.elapsed().as_secs_f64());
    let drawn = draw(&plan, &report.runs);
    ExitCode::from(u8::from(!drawn || report.failed().next().is_some()))
}

/// Plays every seed, on all processors.
fn play_all(plan: &Plan, seeds: Seeds) -> Vec<Run> {
    let all: Vec<u64> = (seeds.first..=seeds.last).collect();
    let (next, runs) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(seed) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let run = play(plan, *seed);
            runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(run);
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(all.len());
    std::thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    let mut runs = runs.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    runs.sort_by_key(|run| run.seed);
    runs
}

/// Draws the plot. False: it could not be written.
fn draw(plan: &Plan, runs: &[Run]) -> bool {
    let title = format!("{}: how bans spread over {} nodes", plan.name, plan.options.nodes);
    let Some(svg) = plot::svg(&title, runs) else { return true };
    let path = folder().join(format!("{}.svg", plan.name));
    match std::fs::create_dir_all(folder()).and_then(|()| std::fs::write(&path, svg)) {
        Ok(()) => println!("plot: target/sim/{}.svg", plan.name),
        Err(error) => eprintln!("failed to write target/sim/{}.svg: {error}", plan.name),
    }
    path.exists()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/sim")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_one_or_from_one_to_another() {
        let read = |text| seeds(text).ok().map(|seeds| (seeds.first, seeds.last));
        assert_eq!([read("7"), read("1..20"), read("3..3")], [Some((7, 7)), Some((1, 20)), Some((3, 3))]);
        for bad in ["", "x", "5..1", "1..", "1..200000", "-1"] {
            assert!(seeds(bad).err().is_some_and(|error| error.contains("A..B")), "{bad}");
        }
    }
}

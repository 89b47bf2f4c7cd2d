//! Set-up, demo, test, bench, simulation, tidy: `cargo xtask COMMAND`.
#![expect(clippy::print_stdout, reason = "talking to a person on a terminal is this program's whole job")]

mod bench;
mod demo;
mod fuzz;
mod machine;
mod output;
mod setup;
mod sim;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use setup::{Install, Purpose};
use std::process::ExitCode;

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what building, testing and the demo need; says what it does, does nothing twice
    Setup {
        /// Only check; fail with the list of what is missing
        #[arg(long)]
        no_install: bool,
        /// Only what these need; default: everything but the benchmark's competitors
        #[arg(long = "for", value_name = "PURPOSE")]
        purposes: Vec<Purpose>,
    },
    /// Watch three nodes defend each other against real tools, in network namespaces on this machine
    Demo {
        /// End by itself after the story instead of staying up for a look around
        #[arg(long)]
        once: bool,
        /// Only check what is installed; install nothing
        #[arg(long)]
        no_install: bool,
    },
    /// Run every test, the end-to-end tests with the real binary included
    Test {
        /// Only check what is installed; install nothing
        #[arg(long)]
        no_install: bool,
        /// Run this program beside the tests, too, with the lowest priority, once they are built; it must succeed
        #[arg(long, value_name = "PROGRAM", conflicts_with = "cargo")]
        beside: Option<String>,
        /// Handed to `cargo test` instead of `--workspace`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        cargo: Vec<String>,
    },
    /// Measure; without a name: everything
    Bench {
        /// What to measure
        #[arg(value_parser = bench::names())]
        name: Option<String>,
        /// Small tables and few rounds: a minute instead of ten
        #[arg(long)]
        quick: bool,
        /// Write the kernel benchmark's tables into docs/performance.md
        #[arg(long, conflicts_with = "quick")]
        show: bool,
        /// Only check what is installed; install nothing
        #[arg(long)]
        no_install: bool,
    },
    /// Play a scenario on thousands of simulated nodes, report and plot; without a name: list the scenarios
    Sim {
        /// A scenario from sim/scenarios, without .toml, or a path to one
        scenario: Option<String>,
        /// One seed, or A..B: from A to B, both included
        #[arg(long, requires = "scenario")]
        seeds: Option<String>,
        /// Another number of nodes than the scenario says
        #[arg(long, requires = "scenario")]
        nodes: Option<usize>,
        /// Fewer nodes and a shorter story, as the tests play it
        #[arg(long, requires = "scenario", conflicts_with = "nodes")]
        quick: bool,
    },
    /// Throw hostile bytes at every parser for a while; what is found is printed with how to see it again
    Fuzz(fuzz::Fuzz),
    /// Check the house rules: arrows between crates, no_std deciders, unsafe, file sizes
    Tidy,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Setup { no_install, purposes } => setup::run(&setup::or_all(purposes), Install::unless(no_install))?,
        Command::Demo { once, no_install } => return demo::run(once, Install::unless(no_install)),
        Command::Test { no_install, beside, cargo } => return test::run(&cargo, beside.as_deref(), Install::unless(no_install)),
        Command::Bench { name, quick, show, no_install } => {
            let amount = match (quick, show) {
                (true, _) => bench::Amount::Quick,
                (_, true) => bench::Amount::Shown,
                _ => bench::Amount::Full,
            };
            bench::run(name.as_deref(), amount, Install::unless(no_install))?;
        }
        Command::Sim { scenario, seeds, nodes, quick } => {
            return sim::run(scenario.as_deref(), seeds.as_deref(), nodes, quick);
        }
        Command::Fuzz(fuzz) => return fuzz::run(&fuzz),
        Command::Tidy => return tidy::run(),
    }
    Ok(ExitCode::SUCCESS)
}

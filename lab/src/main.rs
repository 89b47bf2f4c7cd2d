//! The lab's command line: the demo, hosts to play with, and a broom.
#![expect(clippy::print_stdout, reason = "talking to a person on a terminal is this program's whole job")]

use clap::{Parser, Subcommand};
use honeymesh_lab::{Lab, Place, contest, reaction, story, sweep};
use std::{path::PathBuf, process::ExitCode, thread};

/// Hosts in network namespaces that attack and defend each other.
#[derive(Parser)]
#[command(name = "honeymesh-lab", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell the story: three nodes, an attacker, an honest client
    Demo {
        /// End after the story instead of staying up for a look around
        #[arg(long)]
        once: bool,
    },
    /// Measure how fast traps, mesh and kernels react: median and 99th percentile of many rounds
    Reaction {
        /// How many rounds
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=200))]
        rounds: u8,
    },
    /// Measure our traps beside OpenCanary and Cowrie
    Contest {
        /// Where these two are installed, each in a Python environment of its own
        #[arg(long)]
        installed: PathBuf,
        /// A few sessions only, to see that it works
        #[arg(long)]
        quick: bool,
        /// Writes the table there, too
        #[arg(long)]
        table: Option<PathBuf>,
        /// Only this one of HoneyMesh, bare, OpenCanary and Cowrie, or only the ways to the kernel (doors), or of these one of
        /// fail2ban, portsentry and crowdsec
        #[arg(long)]
        only: Option<String>,
        /// Only this protocol at them
        #[arg(long)]
        protocol: Option<contest::Protocol>,
    },
    /// Answer the contest's visitors and keep nothing, until killed: what no server can go below
    #[command(hide = true)]
    Bare,
    /// Only the hosts, without daemons, until Ctrl-C
    Hosts,
    /// Take down what killed labs left behind
    Sweep,
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Demo { once: true } => story::tell(story::After::End),
        Command::Demo { once: false } => story::tell(story::After::Stay),
        Command::Reaction { rounds } => react((*rounds).into()),
        Command::Contest { installed, quick, table, only, protocol } => {
            let amount = if *quick { contest::Amount::QUICK } else { contest::Amount::FULL };
            let choice = contest::Choice { only: only.clone(), protocol: *protocol };
            let text = contest::measure(amount, installed, &choice, |what| println!("{what}"))?;
            println!("{text}");
            table.as_ref().map_or(Ok(()), |table| Ok(std::fs::write(table, &text)?))
        }
        Command::Bare => contest::serve_barely(),
        Command::Hosts => hosts(),
        Command::Sweep => {
            println!("{} labs were left behind", sweep().len());
            Ok(())
        }
    }
}

fn hosts() -> anyhow::Result<()> {
    let lab = Lab::up()?;
    println!("{:<10} nsenter --net=/run/netns/{}", "router", lab.router().name());
    for place in Place::ALL {
        println!("{:<10} nsenter --net=/run/netns/{}", place.name(), lab.host(place).namespace.name());
    }
    println!("Ctrl-C takes everything down");
    loop {
        thread::park();
    }
}

fn react(rounds: usize) -> anyhow::Result<()> {
    let measured = reaction::measure(rounds)?;
    println!("from the report of node 1's trap to the entry in the kernel, {rounds} visits, half IPv4, half IPv6");
    for (number, times) in (1..).zip(&measured.entries) {
        let [median, p99, worst] = [50, 99, 100].map(|percent| reaction::percentile(times, percent).as_micros());
        println!("  node {number}: median {median:>6} µs, p99 {p99:>6} µs, worst {worst:>6} µs");
    }
    let [least, most] = [measured.answers.iter().min(), measured.answers.iter().max()].map(|count| count.copied().unwrap_or(0));
    println!("probes of dark ports answered, {} scanners, {} probes each", measured.answers.len(), measured.probes);
    println!("  at least {least}, at most {most}; the threshold is 3, so 2 are due");
    Ok(())
}

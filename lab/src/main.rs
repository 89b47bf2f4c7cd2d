//! The lab's command line: the demo, hosts to play with, and a broom.
#![expect(clippy::print_stdout, reason = "talking to a person on a terminal is this program's whole job")]

use clap::{Parser, Subcommand};
use honeymesh_lab::{Lab, Place, story, sweep};
use std::{process::ExitCode, thread};

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

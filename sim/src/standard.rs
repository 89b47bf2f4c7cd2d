//! The standard story of the acceptance tests, once.

use honeymesh_sim::{Options, Start, World, scenario};
use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// How many nodes.
    #[arg(long, default_value_t = 64)]
    nodes: usize,
    /// Decides everything that is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Datagrams lost, in per cent.
    #[arg(long, default_value_t = 10)]
    loss: u32,
    /// How long the nodes have to find each other before the story begins.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The same in milliseconds; goes before `--seconds`.
    #[arg(long)]
    millis: Option<u64>,
    /// How far each clock may be wrong, either way, in seconds.
    #[arg(long, default_value_t = 0)]
    skew: u64,
    /// Let every node know every other from the start.
    #[arg(long)]
    known: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let start = if arguments.known { Start::Known { doors: 3, view: None } } else { Start::Join { doors: 3 } };
    let options = Options {
        nodes: arguments.nodes.max(3),
        seed: arguments.seed,
        loss_per_mille: arguments.loss.saturating_mul(10),
        skew: Duration::from_secs(arguments.skew),
        start,
        ..Options::default()
    };
    let begun = Instant::now();
    let mut world = World::new(&options);
    world.run(arguments.millis.map_or(Duration::from_secs(arguments.seconds), Duration::from_millis));
    let settled = (begun.elapsed(), world.members(), world.passed(), world.traffic());
    let outcome = scenario::story(&mut world);
    let mut report = std::io::stdout().lock();
    let (handled, virtual_time) = world.passed();
    let written = writeln!(
        report,
        "seed {}: {} nodes, {} per cent loss\nsettled: {:?} real, members {:?}, {:?}, {:?}\nstory: slowest ban {:?}\nin all: {handled} events in {virtual_time:?}, {:?} real, {:?}, {} events told\ntrace {}\nwrong: {:?}",
        options.seed,
        options.nodes,
        arguments.loss,
        settled.0,
        settled.1,
        settled.2,
        settled.3,
        outcome.slowest,
        begun.elapsed(),
        world.traffic(),
        world.told(),
        outcome.trace,
        outcome.wrong,
    );
    ExitCode::from(u8::from(written.is_err() || !outcome.wrong.is_empty()))
}

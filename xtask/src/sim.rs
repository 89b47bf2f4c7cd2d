//! Runs the simulator of the mesh.

use crate::machine;
use anyhow::Result;
use std::process::ExitCode;

/// Plays a scenario, or lists the scenarios if none is named. The exit code is the simulator's own: 1 if a seed failed, 2 for
/// a scenario that cannot be read.
///
/// # Errors
/// If cargo cannot be started.
pub fn run(scenario: Option<&str>, seeds: Option<&str>, nodes: Option<usize>, quick: bool) -> Result<ExitCode> {
    let mut cargo = machine::cargo();
    cargo.args(["run", "--quiet", "--locked", "-p", "honeymesh-sim", "--"]);
    match scenario {
        None => cargo.arg("list"),
        Some(scenario) => cargo.args(["run", scenario]),
    };
    cargo.args(seeds.into_iter().flat_map(|seeds| ["--seeds", seeds]));
    cargo.args(nodes.into_iter().flat_map(|nodes| ["--nodes".into(), nodes.to_string()]));
    cargo.args(quick.then_some("--quick"));
    let code = cargo.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

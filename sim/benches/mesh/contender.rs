//! Another's library in a process of its own: what it is told, and what it tells.

use crate::{Figures, Plan, ROWS};
use std::{
    path::Path,
    process::{Command, Output},
};

/// How long others wait at most for a burst to be everywhere.
const PATIENCE_SECS_MAX: u64 = 180;

/// Runs a contender: it is told the numbers of the plan, and prints rows as `NAME: NUMBER`.
pub fn figures(program: &Path, plan: &Plan) -> Result<Figures, String> {
    let numbers = [plan.nodes, plan.bans, plan.nodes_burst, plan.burst].map(|n| n.to_string());
    let patience = plan.patience.as_secs().min(PATIENCE_SECS_MAX);
    let mut contender = Command::new(program);
    contender.args(numbers).arg(plan.idle.as_secs().to_string()).arg(patience.to_string());
    let output = run(&mut contender)?;
    Ok(read(&String::from_utf8_lossy(&output.stdout)))
}

/// The rows in a contender's words; lines that are none are left out.
fn read(text: &str) -> Figures {
    let known = |name: &str| ROWS.iter().map(|(row, _)| *row).find(|row| *row == name);
    let rows = text.lines().filter_map(|line| line.rsplit_once(": "));
    rows.filter_map(|(name, value)| Some((known(name)?, value.parse().ok()?))).collect()
}

/// Runs a program to its end; what it said last if it failed.
pub fn run(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("failed to run {name}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let last: Vec<&str> = text.lines().rev().take(5).collect();
    Err(format!("{name} failed: {}", last.join(" / ")))
}

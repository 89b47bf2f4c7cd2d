//! What the ban table costs beside everything else that drops packets on Linux: `cargo xtask bench kernel`.
//!
//! Makes its own namespaces, cables, traffic and competitors; needs root. Contenders take turns, figures are medians,
//! and ratios are worth more than nanoseconds. With `--quick` a minute, else less than ten. Started by `cargo test`
//! (without `--bench`) it is a smoke test of some seconds: small tables, one round, no figure kept, but every contender
//! must drop what it should and pass what it should.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made should stop where it stands; its result is printed"
)]

mod bans;
#[path = "../../tests/common/mod.rs"]
mod common;
mod contenders;
mod decision;
mod files;
mod goals;
mod host;
mod kept;
mod lookup;
mod memory;
mod netlink;
mod plan;
mod program;
mod results;
mod rows;
mod unwired;
mod windows;

use common::{Room, alone};
use plan::{Plan, Scale};
use results::Results;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(plan) = Plan::from_args(std::env::args().skip(1)) else { return ExitCode::SUCCESS };
    let mut results = Results::new(&plan);
    alone("kernel benchmark", |room: &Room| measure(room, &plan, &mut results));
    if results.sections.is_empty() {
        return ExitCode::SUCCESS;
    }
    for fault in &results.faults {
        println!("WRONG: {fault}");
    }
    if !results.faults.is_empty() {
        return ExitCode::FAILURE;
    }
    results.goals = goals::judge(&results);
    if plan.scale == Scale::Smoke {
        println!("kernel benchmark, smoke: every contender dropped what it should and passed what it should");
        results.absent.iter().for_each(|absent| println!("not among them: {absent}"));
    } else {
        println!("{}", results.text());
        files::keep(&results);
    }
    ExitCode::SUCCESS
}

fn measure(room: &Room, plan: &Plan, results: &mut Results) {
    let begun = std::time::Instant::now();
    let mut step = |name: &str, work: &mut dyn FnMut(&mut Results)| {
        plan.say(&format!("[{:>3} s] {name}", begun.elapsed().as_secs()));
        work(results);
    };
    match plan.scale {
        Scale::Table => return step("the daemon's side", &mut |results| windows::measure(room, plan, results)),
        Scale::Lookup => return step("lookup by size", &mut |results| lookup::measure(room, plan, results)),
        _ => {}
    }
    if plan.scale != Scale::Program {
        step("on the wire", &mut |results| rows::measure(room, plan, results));
    }
    if plan.scale == Scale::Hot {
        return;
    }
    step("without a wire", &mut |results| unwired::measure(room, plan, results));
    if matches!(plan.scale, Scale::Wire | Scale::Program) {
        return;
    }
    step("lookup by size", &mut |results| lookup::measure(room, plan, results));
    step("nothing is lost", &mut |results| kept::measure(room, plan, results));
    step("from decision to effect", &mut |results| decision::measure(room, plan, results));
    step("the daemon's side", &mut |results| windows::measure(room, plan, results));
}

/// The median.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which 99 of 100 lie.
fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

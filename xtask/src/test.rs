//! Runs every test, and refuses to call it a success if something was skipped that could have run.

mod examples;
mod programs;
mod side_by_side;
mod times;

use crate::{
    demo::{self, Profile},
    machine, output,
    setup::{self, Install, TEST},
};
use anyhow::Result;
use programs::Program;
use side_by_side::{AtOnce, Done, Job, Lane};
use std::{
    env,
    io::IsTerminal,
    process::{Command, ExitCode, Stdio},
    thread,
    time::Instant,
};

/// Has a test program say how long each test took, which needs a word in the environment, too: [`TIMED_BY`].
const TIMED: [&str; 3] = ["--show-output", "-Zunstable-options", "--report-time"];
/// The test harness takes this for the permission to be asked so.
const TIMED_BY: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");
/// How many tests a program runs at once is said here, and may be said from outside.
const THREADS: &str = "RUST_TEST_THREADS";
/// So many for each processor: most tests wait.
const THREADS_EACH_PROCESSOR: usize = 2;

/// Sets up, builds, tests: all programs side by side. `given` replaces `--workspace` for `cargo test`, which then runs what is
/// asked for; the daemon that the lab runs is built first. Testing the whole workspace builds it anyway, because its package has
/// integration tests, and building it before that would compile many crates twice: once without and once with what only tests
/// need of them. `other` is a program that is run beside all tests once they are built, and has to succeed, too.
///
/// # Errors
/// If the set-up or the build fails. Failing tests are an exit code.
pub fn run(given: &[String], other: Option<&str>, install: Install) -> Result<ExitCode> {
    setup::run(TEST, install)?;
    let must_run = machine::is_ci() || machine::is_root();
    if given.is_empty() {
        return whole(other, must_run);
    }
    demo::build(Profile::Dev)?;
    let mut cargo = machine::cargo();
    cargo.args(arguments(given));
    if std::io::stdout().is_terminal() {
        cargo.env("CARGO_TERM_COLOR", "always");
    }
    let watched = output::watch(&mut cargo)?;
    if !watched.status.success() {
        return Ok(ExitCode::FAILURE);
    }
    Ok(judge(&watched.skipped, must_run))
}

/// Every program with tests, and the examples in the documentation where there are any.
fn whole(other: Option<&str>, must_run: bool) -> Result<ExitCode> {
    let began = Instant::now();
    let built = programs::build()?;
    let mut jobs: Vec<Job> = built.iter().map(job).collect();
    jobs.extend(examples(&examples::packages(&built)?));
    jobs.extend(other.map(beside));
    let (programs, at_once) = (jobs.len(), AtOnce::here());
    println!("test: {programs} programs, {} at once; built in {} s", at_once.jobs, began.elapsed().as_secs());
    let began = Instant::now();
    let done = side_by_side::run(jobs, at_once, show)?;
    let tests: usize = done.iter().map(|done| times::count(&done.said)).sum();
    println!("test: {tests} tests of {programs} programs in {} s", began.elapsed().as_secs());
    times::slowest(&done).iter().for_each(|line| println!("{line}"));
    let broken: Vec<&Done> = done.iter().filter(|done| !done.watched.status.success()).collect();
    for done in &broken {
        eprintln!("test: failed ({}): {}; again: {}", done.watched.status, times::failed(&done.said).join(", "), done.again);
        times::why(&done.said).iter().for_each(|line| eprintln!("  {line}"));
    }
    if !broken.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let skipped: Vec<String> = done.into_iter().flat_map(|done| done.watched.skipped).collect();
    Ok(judge(&skipped, must_run))
}

fn job(program: &Program) -> Job {
    let mut command = program.command();
    command.args(TIMED).env(TIMED_BY.0, TIMED_BY.1).stdin(Stdio::null());
    if env::var_os(THREADS).is_none() {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        command.env(THREADS, (THREADS_EACH_PROCESSOR * processors).to_string());
    }
    Job {
        name: format!("{} {}", program.package, program.target),
        again: program.again(),
        lane: if program.is_lab() { Lane::Lab } else { Lane::Any },
        command,
    }
}

/// The examples of those packages that have any, which the documentation's own tool compiles and runs.
fn examples(packages: &[&str]) -> Option<Job> {
    if packages.is_empty() {
        println!("test: no documentation has an example");
        return None;
    }
    let mut words = vec!["test", "--locked", "--doc", "--no-fail-fast"];
    packages.iter().for_each(|package| words.extend(["-p", package]));
    words.extend(["--", "--show-output"]);
    let name = "examples in the documentation".to_owned();
    let again = format!("cargo {}", words.join(" "));
    Some(Job { name, again, lane: Lane::Beside, command: yielding(machine::cargo().args(words)) })
}

/// Whatever else is to be done meanwhile.
fn beside(program: &str) -> Job {
    Job { name: program.into(), again: program.into(), lane: Lane::Beside, command: yielding(&Command::new(program)) }
}

/// The same with the lowest priority: it computes while tests wait.
fn yielding(command: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(command.get_program()).args(command.get_args()).current_dir(machine::root()).stdin(Stdio::null());
    nice
}

/// What a program said stands in one piece, whatever ran beside it.
fn show(done: &Done) {
    println!("     Ran {} in {:.1} s: {}\n{}", done.name, done.took.as_secs_f64(), done.watched.status, done.said);
}

/// Whatever a passing test prints is shown, because a test that skips itself says so there.
fn arguments(given: &[String]) -> Vec<String> {
    let mut all = vec!["test".to_owned(), "--locked".into()];
    let (selection, harness) = match given.iter().position(|word| word == "--") {
        Some(at) => (&given[..at], &given[at + 1..]),
        None => (given, &[][..]),
    };
    if selection.is_empty() {
        all.extend(["--workspace".into(), "--no-fail-fast".into()]);
    }
    all.extend_from_slice(selection);
    all.extend(["--".into(), "--show-output".into()]);
    all.extend_from_slice(harness);
    all
}

fn judge(skipped: &[String], must_run: bool) -> ExitCode {
    if skipped.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("test: {} tests were skipped:", skipped.len());
    for line in skipped {
        eprintln!("  {line}");
    }
    if must_run {
        eprintln!("test: nothing may be skipped here (root, or CI=true)");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_run_of_those_packages_that_have_some() {
        assert!(examples(&[]).is_none());
        let again = examples(&["honeymesh-types", "honeymesh-format"]).unwrap().again;
        assert_eq!(again, "cargo test --locked --doc --no-fail-fast -p honeymesh-types -p honeymesh-format -- --show-output");
    }

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_given_replaces_the_whole_workspace() {
        assert_eq!(arguments(&[]), words("test --locked --workspace --no-fail-fast -- --show-output"));
        assert_eq!(arguments(&words("-p xtask")), words("test --locked -p xtask -- --show-output"));
        let both = arguments(&words("-p xtask -- tidy"));
        assert_eq!(both, words("test --locked -p xtask -- --show-output tidy"));
    }

    #[test]
    fn a_skipped_test_is_a_failure_where_it_could_have_run() {
        let skipped = ["SKIPPED: no root".to_owned()];
        assert_eq!(judge(&skipped, true), ExitCode::FAILURE);
        assert_eq!(judge(&skipped, false), ExitCode::SUCCESS);
        assert_eq!(judge(&[], true), ExitCode::SUCCESS);
    }
}

//! Runs every test, and refuses to call it a success if something was skipped that could have run.

use crate::{
    demo::{self, Profile},
    machine, output,
    setup::{self, Install, TEST},
};
use anyhow::Result;
use std::{io::IsTerminal, process::ExitCode};

/// Sets up, builds, tests. `given` replaces `--workspace` for `cargo test`; then the daemon that the lab runs is built
/// first. Testing the whole workspace builds it anyway, because its package has integration tests, and building it before
/// that would compile many crates twice: once without and once with what only tests need of them.
///
/// # Errors
/// If the set-up or the build fails. Failing tests are an exit code.
pub fn run(given: &[String], install: Install) -> Result<ExitCode> {
    setup::run(TEST, install)?;
    if !given.is_empty() {
        demo::build(Profile::Dev)?;
    }
    let mut cargo = machine::cargo();
    cargo.args(arguments(given));
    if std::io::stdout().is_terminal() {
        cargo.env("CARGO_TERM_COLOR", "always");
    }
    let watched = output::watch(&mut cargo)?;
    if !watched.status.success() {
        return Ok(ExitCode::FAILURE);
    }
    Ok(judge(&watched.skipped, machine::is_ci() || machine::is_root()))
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

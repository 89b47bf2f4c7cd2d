//! `honeymesh check`: every problem of a configuration, without starting anything.

use crate::{
    cli::Check,
    config::{
        self,
        problem::{Problem, Severity},
    },
    failure::Failure,
    output,
};
use honeymesh_format::{json_text, printable};
use serde::Serialize;
use std::path::Path;

/// A problem in JSON.
#[derive(Serialize)]
struct ProblemLine<'a> {
    file: String,
    line: Option<u32>,
    column: Option<u32>,
    severity: &'static str,
    message: &'a str,
}

/// What `check --json` prints.
#[derive(Serialize)]
struct Report<'a> {
    file: String,
    ok: bool,
    problems: Vec<ProblemLine<'a>>,
}

/// Validates the file: errors and warnings go to the standard error, one line each.
///
/// # Errors
/// The daemon would not start with it.
pub fn run(args: &Check) -> Result<(), Failure> {
    let problems = match config::load_with_rules(&args.config) {
        Ok(parsed) => parsed.problems,
        Err(problem) => vec![problem],
    };
    let ok = problems.iter().all(|problem| problem.severity == Severity::Warning);
    if args.json {
        output::say(&json(&args.config, &problems, ok)?)?;
        return if ok { Ok(()) } else { Err(Failure::Usage(Vec::new())) };
    }
    let lines =
        |severity| problems.iter().filter(move |problem| problem.severity == severity).map(|problem| problem.line(&args.config));
    lines(Severity::Warning).for_each(|line| output::complain(&line));
    if !ok {
        return Err(Failure::Config(lines(Severity::Error).collect()));
    }
    Ok(output::say(&summary(&args.config, problems.len()))?)
}

fn summary(file: &Path, warnings: usize) -> String {
    let file = file.display().to_string();
    let file = printable(&file);
    match warnings {
        0 => format!("{file}: ok"),
        1 => format!("{file}: ok, with 1 warning"),
        count => format!("{file}: ok, with {count} warnings"),
    }
}

fn json(file: &Path, problems: &[Problem], ok: bool) -> Result<String, Failure> {
    let line = |problem| line(file, problem);
    let report = Report { file: file.display().to_string(), ok, problems: problems.iter().map(line).collect() };
    json_text(&report).map_err(|error| Failure::Refused(error.to_string()))
}

fn line<'a>(file: &Path, problem: &'a Problem) -> ProblemLine<'a> {
    let (line, column) = problem.place.map(|place| (place.line, place.column)).unzip();
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    ProblemLine { file: problem.file(file).display().to_string(), line, column, severity, message: &problem.what }
}

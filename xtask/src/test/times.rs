//! How long tests took, from what their programs said.

use super::side_by_side::Done;
use std::time::Duration;

/// So many of the slowest are shown.
const SHOWN: usize = 10;

/// A test, how it ended, and how long it took in seconds.
#[derive(Clone, Debug, PartialEq)]
struct Test<'a> {
    name: &'a str,
    is_failed: bool,
    seconds: f64,
}

/// What stands in a line such as `test a::b ... ok <0.012s>`.
fn test(line: &str) -> Option<Test<'_>> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let (outcome, seconds) = rest.split_once(" <")?;
    let seconds = seconds.strip_suffix("s>")?.parse().ok()?;
    Some(Test { name, is_failed: outcome.starts_with("FAILED"), seconds })
}

/// How many tests a program has run.
pub fn count(said: &str) -> usize {
    said.lines().filter_map(test).count()
}

/// The tests that failed in it.
pub fn failed(said: &str) -> Vec<&str> {
    said.lines().filter_map(test).filter(|test| test.is_failed).map(|test| test.name).collect()
}

/// The slowest programs, and the slowest tests, in lines.
pub fn slowest(all: &[Done]) -> Vec<String> {
    let mut programs: Vec<(Duration, &str, usize)> =
        all.iter().map(|done| (done.took, done.name.as_str(), count(&done.said))).collect();
    programs.sort_by_key(|(took, ..)| std::cmp::Reverse(*took));
    let mut tests: Vec<(f64, &str, &str)> = Vec::new();
    for done in all {
        tests.extend(done.said.lines().filter_map(test).map(|test| (test.seconds, done.name.as_str(), test.name)));
    }
    tests.sort_by(|one, other| other.0.total_cmp(&one.0));
    let programs = programs.into_iter().map(|(took, name, tests)| format!("{:7.1} s  {name}, {tests} tests", took.as_secs_f64()));
    let tests = tests.into_iter().map(|(seconds, program, name)| format!("{seconds:7.1} s  {program} {name}"));
    let title = |of: &str| format!("test: the slowest {of}, beside others:");
    let part = |of: &str, lines: Vec<String>| [vec![title(of)], lines].concat();
    [part("programs", programs.take(SHOWN).collect()), part("tests", tests.take(SHOWN).collect())].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Watched;
    use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

    const SAID: &str = "running 3 tests\ntest a::b ... ok <0.012s>\ntest c - should panic ... FAILED <2.500s>\ntest d ... ignored\n\
        test result: FAILED. 1 passed; 1 failed\nsaid: test x ... ok <1.000s>\n";

    #[test]
    fn a_line_tells_name_outcome_and_time() {
        assert_eq!(test("test a::b ... ok <0.012s>"), Some(Test { name: "a::b", is_failed: false, seconds: 0.012 }));
        assert_eq!(test("test d ... ignored"), None);
        assert_eq!((count(SAID), failed(SAID)), (2, vec!["c - should panic"]));
    }

    #[test]
    fn the_slowest_stand_first_and_no_more_than_ten_are_shown() {
        let done = |name: &str, seconds| Done {
            name: name.into(),
            again: String::new(),
            took: Duration::from_secs(seconds),
            watched: Watched { status: ExitStatus::from_raw(0), skipped: vec![] },
            said: SAID.into(),
        };
        let lines = slowest(&(0..12).map(|index| done(&format!("p{index}"), index)).collect::<Vec<_>>());
        assert_eq!(lines.len(), 2 * (1 + SHOWN));
        assert_eq!(lines[1], "   11.0 s  p11, 2 tests");
        assert_eq!(lines[SHOWN + 2], "    2.5 s  p0 c - should panic");
    }
}

//! How long tests took and why some failed, from what their programs said.

use super::side_by_side::Done;
use std::time::Duration;

/// So many of the slowest are shown.
const SHOWN: usize = 10;
/// So many lines of a failed program are said again at the end, because whoever keeps a log may keep no more than its end.
const WHY_LINES_MAX: usize = 40;
/// The longest of those lines, in characters.
const WHY_COLUMNS_MAX: usize = 400;

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

/// What a program that failed said of its failures, from the first one on; if it told of none, its last words.
pub fn why(said: &str) -> Vec<String> {
    let lines: Vec<&str> = said.lines().collect();
    let told = lines.iter().rposition(|line| *line == "failures:");
    // Names stand in the last list of failures, and what they said in the one before.
    let told = told.and_then(|last| lines[..last].iter().rposition(|line| *line == "failures:").or(Some(last)));
    let begin = told.unwrap_or_else(|| lines.len().saturating_sub(WHY_LINES_MAX));
    let shown = lines[begin..].iter().filter(|line| !line.is_empty()).take(WHY_LINES_MAX);
    shown.map(|line| line.chars().take(WHY_COLUMNS_MAX).collect()).collect()
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
    fn why_a_program_failed_is_what_it_said_of_its_failures_or_its_last_words() {
        let said =
            "test a ... FAILED <1.0s>\n\nsuccesses:\n\nfailures:\n\n---- a stdout ----\n\npanicked: x\n\nfailures:\n    a\n";
        assert_eq!(why(said), ["failures:", "---- a stdout ----", "panicked: x", "failures:", "    a"]);
        assert_eq!(why("failures:\n    a\n"), ["failures:", "    a"]);
        let long: String = (0..100).map(|line| format!("{line}{}\n", "x".repeat(500))).collect();
        let told = why(&long);
        assert_eq!((told.len(), told[0].len(), &told[39][..3]), (WHY_LINES_MAX, WHY_COLUMNS_MAX, "99x"));
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

//! The threat model names, for each attack, the test that holds the answer: every name must be there, and every row must have one.

use super::Finding;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The threat model, relative to the root.
const MODEL: &str = "docs/threat-model.md";
/// The heading of its table of attacks.
const ATTACKS: &str = "## Attacks and answers";
/// A name in backticks that is at least so long, and is nothing but small letters, digits and underscores, is a test's.
const NAME_MIN: usize = 20;

/// Checks the threat model of the checkout.
pub fn check(root: &Path, files: &[PathBuf]) -> Vec<Finding> {
    let Ok(model) = fs::read_to_string(root.join(MODEL)) else {
        return vec![Finding::new(MODEL, "it cannot be read; it belongs to the project")];
    };
    let rust = files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    let sources: Vec<String> = rust.filter_map(|file| fs::read_to_string(root.join(file)).ok()).collect();
    findings(&model, |what| match what {
        Named::Test(name) => sources.iter().any(|source| source.contains(&format!("fn {name}("))),
        Named::File(path) => root.join(path).exists(),
    })
}

/// What stands in backticks.
enum Named<'a> {
    Test(&'a str),
    File(&'a str),
}

fn findings(model: &str, is_there: impl Fn(&Named<'_>) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_attacks = false;
    for (number, line) in model.lines().enumerate() {
        let place = || format!("{MODEL}:{}", number + 1);
        in_attacks = line == ATTACKS || in_attacks && !line.starts_with("## ");
        let named: Vec<Named<'_>> = line.split('`').skip(1).step_by(2).filter_map(named).collect();
        let missing = named.iter().filter(|what| !is_there(what));
        findings.extend(missing.map(|what| {
            let (Named::Test(name) | Named::File(name)) = what;
            Finding::new(place(), format!("`{name}` is nowhere; name the test or the file as it is called now"))
        }));
        let is_row = line.starts_with("| ") && !line.starts_with("| attack ");
        if in_attacks && is_row && named.is_empty() {
            findings.push(Finding::new(place(), "this attack names no test; write the one that holds the answer"));
        }
    }
    findings
}

fn named(text: &str) -> Option<Named<'_>> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if text.len() >= NAME_MIN && text.bytes().all(is_word) {
        return Some(Named::Test(text));
    }
    let is_file = ["crates/", "lab/", "sim/"].iter().any(|room| text.starts_with(room)) || text.ends_with(".rs");
    (is_file && text.contains('/') && text.starts_with(|first: char| first.is_ascii_lowercase()) && !text.starts_with("stream/"))
        .then_some(Named::File(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_test_and_a_test_that_is_gone_are_found() {
        let model = "## Attacks and answers\n| attack | answer | what is left |\n|---|---|---|\n\
            | one | held (`a_test_that_is_there_for_sure`) | nothing |\n| two | trust us | nothing |\n\
            | three | (`a_test_that_is_there_no_more`, `crates/x/y.rs`) | nothing |\n## Not promised\n| four | x | y |\n";
        let found = findings(model, |what| matches!(what, Named::Test("a_test_that_is_there_for_sure")));
        let said: Vec<String> = found.iter().map(|finding| format!("{} {}", finding.place, finding.what)).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("docs/threat-model.md:5 this attack names no test"), "{said:?}");
        assert!(said[1].contains("`a_test_that_is_there_no_more` is nowhere") && said[2].contains("`crates/x/y.rs`"), "{said:?}");
    }
}

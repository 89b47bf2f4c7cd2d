//! A configuration file: never hostile, but nobody's typing error may end in a panic.

use honeymesh::config::{parse, problem::Severity};
use std::path::Path;

/// What is wrong is told line by line, and the same text always comes to the same.
pub(super) fn file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parsed = parse(&text, "host-1");
    let lines = u32::try_from(text.lines().count().max(1)).unwrap_or(u32::MAX);
    for problem in &parsed.problems {
        let line = problem.line(Path::new("h.toml"));
        assert!(!line.contains('\n') && !line.chars().any(char::is_control), "a problem of more than one line: {line:?}");
        if let Some(place) = problem.place {
            assert!(place.line >= 1 && place.line <= lines + 1, "a problem behind the end: {line}");
        }
    }
    let has_errors = parsed.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(parsed.is_usable(), !has_errors);
    let again = parse(&text, "host-1");
    assert_eq!(parsed.config, again.config);
}

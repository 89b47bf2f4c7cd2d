//! What is wrong with a configuration: a place, what is there, and how to mend it.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

/// A place in a configuration file. Both numbers start at 1; columns count characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl Place {
    /// Where the byte range `span` begins in `text`; a range behind the end is the end.
    #[must_use]
    pub fn of(text: &str, span: &Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        Self { line: saturated(line), column: saturated(column) }
    }
}

fn saturated(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value with the place it was written at; `None` if it is a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Option<Place>,
}

impl<T> Placed<T> {
    /// A value that nobody wrote.
    pub const fn default_of(value: T) -> Self {
        Self { value, place: None }
    }
}

/// Whether the daemon would start all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It would not start.
    Error,
    /// It would start, but not as safely as it could.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// In another file than the configuration.
    pub file: Option<PathBuf>,
    /// Where it is written, unless it is something that is missing.
    pub place: Option<Place>,
    /// What is wrong, a semicolon, and how to mend it.
    pub what: String,
}

impl Problem {
    /// Something that keeps the daemon from starting.
    #[must_use]
    pub fn error(place: Option<Place>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Error, file: None, place, what: what.into() }
    }

    /// An unsafe choice.
    #[must_use]
    pub fn warning(place: Option<Place>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, file: None, place, what: what.into() }
    }

    /// The same in a file that the configuration names.
    #[must_use]
    pub fn in_file(self, file: PathBuf) -> Self {
        Self { file: Some(file), ..self }
    }

    /// Where it is, in a configuration that is in `file`.
    #[must_use]
    pub fn file<'a>(&'a self, file: &'a Path) -> &'a Path {
        self.file.as_deref().unwrap_or(file)
    }

    /// The problem as one line: `FILE:LINE:COL: what; how to mend`, with `warning:` in front of a warning.
    #[must_use]
    pub fn line(&self, file: &Path) -> String {
        let place = self.place.map_or_else(String::new, |place| format!("{place}:"));
        let warning = if self.severity == Severity::Warning { " warning:" } else { "" };
        crate::output::printable(&format!("{}:{place}{warning} {}", self.file(file).display(), self.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a = 1\n# ä\nbä = 2\n";
        let at = |needle: &str| Place::of(text, &(text.find(needle).unwrap()..text.len())).to_string();
        assert_eq!((at("a"), at("bä"), at("2")), ("1:1".into(), "3:1".into(), "3:6".into()));
        assert_eq!(Place::of(text, &(99..100)), Place { line: 4, column: 1 }, "behind the end is the end");
    }

    #[test]
    fn a_problem_is_one_line() {
        let file = Path::new("h.toml");
        let place = Some(Place { line: 2, column: 7 });
        assert_eq!(Problem::error(place, "x; y").line(file), "h.toml:2:7: x; y");
        assert_eq!(Problem::warning(None, "x; y").line(file), "h.toml: warning: x; y");
        assert_eq!(Problem::error(place, "x; y").in_file("a.yar".into()).line(file), "a.yar:2:7: x; y");
        assert_eq!(Problem::error(None, "a\nb").line(file).lines().count(), 1);
    }
}

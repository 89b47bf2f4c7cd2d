//! How a command fails: one line for a person, one exit code for a script.

use std::{fmt, process::ExitCode};

/// Why a command did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The daemon was reached and said no, or could not start: exit code 1.
    Refused(String),
    /// Bad usage or a bad configuration: exit code 2. One line each.
    Usage(Vec<String>),
    /// A bad configuration: exit code 2. One line each, which begins with the file and the place.
    Config(Vec<String>),
    /// No daemon answers: exit code 3.
    Unreachable(String),
    /// Whoever reads our output went away: nothing is wrong, nothing is said, exit code 0.
    ReaderGone,
}

impl Failure {
    /// A bad usage or configuration with one thing to say.
    #[must_use]
    pub fn usage(line: impl Into<String>) -> Self {
        Self::Usage(vec![line.into()])
    }

    /// The exit code of the contract.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Refused(_) => 1,
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Unreachable(_) => 3,
        }
    }

    /// Says it on the standard error, one line each, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let prefix = if matches!(self, Self::Config(_)) { "" } else { "honeymesh: " };
        for line in self.to_string().lines() {
            crate::output::complain(&format!("{prefix}{line}"));
        }
        ExitCode::from(self.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match self {
            Self::ReaderGone => Ok(()),
            Self::Refused(what) | Self::Unreachable(what) => f.write_str(&flat(what)),
            Self::Usage(lines) | Self::Config(lines) => {
                f.write_str(&lines.iter().map(|line| flat(line)).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    /// An error while writing the output.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Refused(format!("the output could not be written: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_the_exit_code_of_the_contract() {
        let refused = Failure::Refused("no".into());
        let all = [refused, Failure::usage("what?"), Failure::Unreachable("gone".into())];
        assert_eq!(all.map(|failure| failure.code()), [1, 2, 3]);
    }

    #[test]
    fn what_is_said_is_one_line_each() {
        assert_eq!(Failure::Refused("a\n b".into()).to_string(), "a b");
        assert_eq!(Failure::Usage(vec!["a\nb".into(), "c".into()]).to_string(), "a b\nc");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        assert_eq!(Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe)).code(), 0);
    }
}

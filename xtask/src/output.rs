//! Runs a program, passes its output on as it comes, and watches for lines that say something was skipped.

use crate::machine;
use anyhow::{Context, Result};
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

/// How a line begins that says a test was not run.
const SKIPPED: &str = "SKIPPED:";
/// The longest line that is looked at whole, in bytes; a longer one is passed on in pieces.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What a watched program came to.
pub struct Watched {
    /// How it ended.
    pub status: ExitStatus,
    /// The lines that say something was skipped.
    pub skipped: Vec<String>,
}

/// Runs `command`, its output passed on line by line.
///
/// # Errors
/// If it cannot be started or its output cannot be read.
pub fn watch(command: &mut Command) -> Result<Watched> {
    watch_into(command, std::io::stdout(), std::io::stderr())
}

/// The same, its output kept, both pipes' lines in the order in which they came, for whoever shows it whole.
///
/// # Errors
/// As [`watch`].
pub fn keep(command: &mut Command) -> Result<(Watched, String)> {
    let kept = Kept::default();
    let watched = watch_into(command, kept.clone(), kept.clone())?;
    let lines = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((watched, String::from_utf8_lossy(&lines).into_owned()))
}

/// Lines of both pipes.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn watch_into(command: &mut Command, out: impl Sink, err: impl Sink) -> Result<Watched> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("failed to start {}", machine::words(command)))?;
    let readers = readers(&mut child, out, err);
    let status = child.wait()?;
    let mut skipped = Vec::new();
    for reader in readers {
        skipped.extend(reader.join().unwrap_or_default());
    }
    Ok(Watched { status, skipped })
}

/// Where a reading thread passes lines on to.
trait Sink: Write + Send + 'static {}

impl<T: Write + Send + 'static> Sink for T {}

fn readers(child: &mut Child, out: impl Sink, err: impl Sink) -> Vec<JoinHandle<Vec<String>>> {
    let stdout = child.stdout.take().map(|pipe| thread::spawn(move || pass_on(pipe, out)));
    let stderr = child.stderr.take().map(|pipe| thread::spawn(move || pass_on(pipe, err)));
    stdout.into_iter().chain(stderr).collect()
}

fn pass_on(from: impl Read, mut to: impl Write) -> Vec<String> {
    let mut from = BufReader::new(from);
    let mut skipped = Vec::new();
    let mut line = Vec::new();
    while let Ok(1..) = from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
        if line.starts_with(SKIPPED.as_bytes()) {
            skipped.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        // A reader that has gone away must not end the tests.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        line.clear();
    }
    skipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_passed_on_and_skips_are_noticed() {
        let text = b"running 1 test\nSKIPPED: no root\n  SKIPPED: indented is quoted\nlast";
        let mut out = Vec::new();
        assert_eq!(pass_on(&text[..], &mut out), ["SKIPPED: no root"]);
        assert_eq!(out, text);
    }

    #[test]
    fn what_is_kept_is_all_that_was_said() {
        let (watched, said) = keep(Command::new("sh").args(["-c", "echo one; echo two >&2; echo SKIPPED: three"])).unwrap();
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        assert_eq!((lines.as_slice(), watched.skipped.len()), (["SKIPPED: three", "one", "two"].as_slice(), 1));
        assert!(watched.status.success());
    }

    #[test]
    fn both_pipes_are_watched() {
        let script = "echo SKIPPED: one; echo SKIPPED: two >&2; exit 3";
        let sh = &mut Command::new("sh");
        let mut watched = watch_into(sh.args(["-c", script]), std::io::sink(), std::io::sink()).unwrap();
        watched.skipped.sort();
        assert_eq!(watched.skipped, ["SKIPPED: one", "SKIPPED: two"]);
        assert_eq!(watched.status.code(), Some(3));
    }
}

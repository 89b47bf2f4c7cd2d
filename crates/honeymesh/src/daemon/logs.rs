//! The daemon's own log: to the standard error, one line each, for people or as JSON.
//!
//! Lines go through a bounded queue to a thread of their own, so that a reader of the log who is slow or stuck never
//! delays a ban. What finds the queue full is dropped and counted.
//!
//! Every record goes through one gate (`harmless`): whoever's words are in it, it is one line, and a terminal obeys nothing
//! of it but the colour of the level, which is put there behind the gate.

use crate::cli::LogFormat;
use honeymesh_format::{json_made_safe, printable};
use std::{
    io::{self, IsTerminal, Write},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    time::Duration,
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// What is logged unless `RUST_LOG` says otherwise.
const FILTER: &str = "info";
/// Lines that may wait for the standard error.
const LINES_MAX: usize = 8_192;
/// How long the end of the process waits for the last lines.
const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// Lines that were dropped because the queue was full.
static DROPPED: AtomicU64 = AtomicU64::new(0);
static QUEUE: OnceLock<SyncSender<Entry>> = OnceLock::new();

enum Entry {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Starts logging for the whole process. A second start is silently the first.
///
/// # Errors
/// `RUST_LOG` is not understood, or no thread can be started.
pub fn start(format: LogFormat) -> Result<(), String> {
    let wanted = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(FILTER))
        .map_err(|error| format!("RUST_LOG is not understood: {error}; write for example info or honeymesh=debug"))?;
    let (sender, lines) = mpsc::sync_channel(LINES_MAX);
    let thread = std::thread::Builder::new().name("log".into());
    thread.spawn(move || write(&lines)).map_err(|error| format!("the log's thread cannot be started: {error}"))?;
    drop(QUEUE.set(sender));
    let lines = Lines { is_json: matches!(format, LogFormat::Json), is_coloured: is_coloured() };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => builder.with_ansi(false).with_target(false).try_init(),
    };
    drop(started);
    Ok(())
}

/// Waits until what was logged so far is written, at most two seconds.
pub fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, flushed) = mpsc::sync_channel(1);
    if queue.try_send(Entry::Flush(done)).is_ok() {
        let _ = flushed.recv_timeout(FLUSH_DEADLINE);
    }
}

/// Log lines that were dropped so far because nobody read them fast enough.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

fn write(lines: &Receiver<Entry>) {
    while let Ok(entry) = lines.recv() {
        match entry {
            // A standard error that is gone is nobody's problem.
            Entry::Line(line) => drop(io::stderr().lock().write_all(&line)),
            Entry::Flush(done) => drop(done.try_send(())),
        }
    }
}

fn is_coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stderr().is_terminal()
}

/// A record as one line with nothing in it that is obeyed, its end included.
fn harmless(record: &[u8], is_json: bool) -> String {
    let record = String::from_utf8_lossy(record);
    let record = record.strip_suffix('\n').unwrap_or(&record);
    let safe = if is_json { json_made_safe(record) } else { printable(record) };
    format!("{safe}\n")
}

/// Levels as the log writes them, and their colours.
const LEVELS: [(&str, &str); 5] =
    [("ERROR", "\x1b[31m"), (" WARN", "\x1b[33m"), (" INFO", "\x1b[32m"), ("DEBUG", "\x1b[34m"), ("TRACE", "\x1b[35m")];

/// The line with its level, which stands behind the time, in colour.
fn coloured(line: &str) -> String {
    let split = line.split_once(' ').and_then(|(time, rest)| Some((time, rest.split_at_checked(5)?)));
    let found = split.and_then(|(time, (word, rest))| Some((time, LEVELS.iter().find(|(level, _)| *level == word)?, rest)));
    match found {
        Some((time, (level, colour), rest)) => format!("{time} {colour}{level}\x1b[0m{rest}"),
        None => line.to_owned(),
    }
}

/// Hands each record to the queue.
#[derive(Clone, Copy, Debug)]
struct Lines {
    is_json: bool,
    is_coloured: bool,
}

impl Write for Lines {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let line = harmless(record, self.is_json);
        let line = if self.is_coloured && !self.is_json { coloured(&line) } else { line };
        let queue = QUEUE.get();
        if let Some(Err(TrySendError::Full(_))) = queue.map(|queue| queue.try_send(Entry::Line(line.into_bytes()))) {
            DROPPED.fetch_add(1, Relaxed);
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_whoever_chose_its_words() {
        let forged = b"2026-11-30T05:00:00Z  WARN it broke: x\n<0>2026-11-30T05:00:00Z  INFO ready\x1b[2J\xe2\x80\xae\n";
        let line = harmless(forged, false);
        assert_eq!(line, "2026-11-30T05:00:00Z  WARN it broke: x\\n<0>2026-11-30T05:00:00Z  INFO ready\\x1b[2J\\u{202e}\n");
        let json = harmless("{\"error\":\"\u{9b}2J\u{2028}\u{202e}\u{7f}\"}\n".as_bytes(), true);
        assert_eq!(json, "{\"error\":\"\\u009b2J\\u2028\\u202e\\u007f\"}\n");
    }

    #[test]
    fn only_the_level_is_coloured() {
        assert_eq!(coloured("T  WARN x  INFO y\n"), "T \x1b[33m WARN\x1b[0m x  INFO y\n");
        assert_eq!(coloured("T ERROR x\n"), "T \x1b[31mERROR\x1b[0m x\n");
        assert_eq!(coloured("no level\n"), "no level\n");
    }
}

//! The daemon's own log: to the standard error, one line each, for people or as JSON.
//!
//! Lines go through a bounded queue to a thread of their own, so that a reader of the log who is slow or stuck never
//! delays a ban. What finds the queue full is dropped and counted.

use crate::cli::LogFormat;
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
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => builder.with_ansi(is_coloured()).with_target(false).try_init(),
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

/// Hands each line to the queue.
#[derive(Clone, Copy, Debug)]
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let queue = QUEUE.get();
        if let Some(Err(TrySendError::Full(_))) = queue.map(|queue| queue.try_send(Entry::Line(line.to_vec()))) {
            DROPPED.fetch_add(1, Relaxed);
        }
        Ok(line.len())
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

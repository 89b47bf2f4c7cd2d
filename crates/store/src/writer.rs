//! Writing: a handle for many, a thread for one.

mod apply;
mod retention;
mod worker;

pub(crate) use worker::Worker;

use crate::{Error, Write, queue::Queue};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

/// What the writer counts.
#[derive(Debug, Default)]
pub(crate) struct WriterStats {
    /// Events in the store.
    pub(crate) events: AtomicU64,
    /// Events that were not kept.
    pub(crate) dropped: AtomicU64,
    /// Other things that were not kept.
    pub(crate) lost: AtomicU64,
    /// Events deleted for their number or age.
    pub(crate) retired: AtomicU64,
    /// Different payloads in the store.
    pub(crate) payloads: AtomicU64,
    /// Bytes of all of them.
    pub(crate) payload_bytes: AtomicU64,
    /// Payloads deleted for their size together or their age.
    pub(crate) payloads_evicted: AtomicU64,
    failing: Mutex<Option<String>>,
}

impl WriterStats {
    /// Why the last batch failed, if it did.
    pub(crate) fn failing(&self) -> Option<String> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_failing(&self, why: Option<String>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

/// What is called with the outcome when everything sent before is committed, or could not be.
pub struct Ack(Box<dyn FnOnce(Result<(), Error>) + Send>);

impl Ack {
    /// An answer that runs `then` on the writer's thread: keep it short.
    #[must_use]
    pub fn new(then: impl FnOnce(Result<(), Error>) + Send + 'static) -> Self {
        Self(Box::new(then))
    }

    pub(crate) fn answer(self, outcome: Result<(), Error>) {
        (self.0)(outcome);
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ack(…)")
    }
}

/// A handle to write with.
#[derive(Clone, Debug)]
pub struct Writer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) stats: Arc<WriterStats>,
}

impl Writer {
    pub(crate) const fn new(queue: Arc<Queue>, stats: Arc<WriterStats>) -> Self {
        Self { queue, stats }
    }

    /// Hands something over to be kept. Order is preserved.
    ///
    /// An event never waits: with 16384 writes or 32 MiB of events waiting it is dropped. Anything else waits for room
    /// when 65536 writes wait, at most 5 seconds.
    ///
    /// # Errors
    /// [`Error::Dropped`] for an event, [`Error::Overloaded`] for anything else, [`Error::Closed`] when the store is.
    /// Nothing was kept, and it was counted; a caller may ignore it for an event and must tell it for anything else.
    pub fn send(&self, write: Write) -> Result<(), Error> {
        let is_event = write.is_event();
        self.queue.push(write).inspect_err(|_| {
            let counter = if is_event { &self.stats.dropped } else { &self.stats.lost };
            counter.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Hands something over that must be kept, if there is room for it at once. Never waits.
    ///
    /// # Errors
    /// There is no room, or the store is closed: the write comes back, and nothing was counted.
    pub fn try_keep(&self, write: Write) -> Result<(), Write> {
        self.queue.try_push_kept(write)
    }

    /// Has everything that this thread sent before committed at once, then answers.
    ///
    /// # Errors
    /// There was no room for the request itself, or the store is closed; `ack` is not called.
    pub fn sync_then(&self, ack: Ack) -> Result<(), Error> {
        self.queue.push_barrier(ack)
    }

    /// Has everything that this thread sent before committed, and waits for it.
    ///
    /// # Errors
    /// It could not be committed (the writer keeps trying), or not in time.
    pub fn sync(&self, patience: Duration) -> Result<(), Error> {
        let (answer, outcome) = mpsc::sync_channel(1);
        self.sync_then(Ack::new(move |result| drop(answer.send(result))))?;
        outcome.recv_timeout(patience).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => Error::Late,
            mpsc::RecvTimeoutError::Disconnected => Error::Closed,
        })?
    }
}

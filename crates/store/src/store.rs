//! The store as a whole: its file, its writer thread, its readers.

use crate::{
    Error, Reader, Writer,
    queue::Queue,
    schema,
    writer::{Worker, WriterStats},
};
use honeymesh_format::StoreJson;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

/// The database's name in the state directory.
pub const DATABASE_FILE: &str = "honeymesh.db";

/// How much of the past is kept. Checked after every batch and every minute; what is beyond is deleted oldest first,
/// a thousand events at a time, and the file shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At most so many events (a thousand or a tenth more for a moment).
    pub events_max: u64,
    /// No events older than this, and no payloads that were last seen before.
    pub age: Duration,
    /// Bytes of all different payloads together (those of one batch more for a moment); beyond, those go that were not
    /// seen for longest, and their events stay.
    pub payload_bytes_max: u64,
}

/// An open store. Dropping it commits what waits.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    queue: Arc<Queue>,
    stats: Arc<WriterStats>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens or makes `honeymesh.db` in `state_dir` and starts the writer thread.
    ///
    /// # Errors
    /// The file is of a newer layout, another program's, damaged, or cannot be opened. It is left as it is.
    pub fn open(state_dir: &Path, retention: Retention) -> Result<Self, Error> {
        let path = state_dir.join(DATABASE_FILE);
        let (queue, stats) = (Arc::<Queue>::default(), Arc::<WriterStats>::default());
        let worker = Worker::new(schema::open(&path)?, retention, queue.clone(), stats.clone())?;
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || worker.run())
            .map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(Self { path, queue, stats, thread: Some(thread) })
    }

    /// A handle to write with. Cheap to clone, usable from any thread.
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer::new(self.queue.clone(), self.stats.clone())
    }

    /// A connection of its own to read with. Open it before giving power away.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn reader(&self) -> Result<Reader, Error> {
        Reader::open(&self.path)
    }

    /// The store in numbers.
    #[must_use]
    pub fn status(&self) -> StoreJson {
        self.writer().status(&self.path)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

impl Writer {
    fn status(&self, path: &Path) -> StoreJson {
        let stats = &self.stats;
        StoreJson {
            events: stats.events.load(Ordering::Relaxed),
            file_bytes: std::fs::metadata(path).map_or(0, |meta| meta.len()),
            queue: self.queue.len() as u64,
            dropped: stats.dropped.load(Ordering::Relaxed),
            lost: stats.lost.load(Ordering::Relaxed),
            retired: stats.retired.load(Ordering::Relaxed),
            failing: stats.failing(),
            payloads: stats.payloads.load(Ordering::Relaxed),
            payload_bytes: stats.payload_bytes.load(Ordering::Relaxed),
            payloads_evicted: stats.payloads_evicted.load(Ordering::Relaxed),
        }
    }
}

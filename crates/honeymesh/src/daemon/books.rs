//! The store as the loop uses it: what the node wants kept becomes rows, and after a restart the rows become that again.
//!
//! The store's own queue lets the sender of what must be kept wait when the disk does not keep up. The loop must not
//! wait, so a thread of its own hands things over and waits in its place, behind a queue with a bound.

mod handover;
mod rows;

use crate::config::StoreSection;
use handover::Handover;
use honeymesh_api::{ExportSink, Page, Refusal, RefusalKind};
use honeymesh_format::{EventJson, EventQuery, ExportFormat, PayloadJson, StoreJson, base64_text, hash_text, time_micros};
use honeymesh_node::Keep;
use honeymesh_store::{Payload, Retention, Store, Write, Writer};
use honeymesh_types::Event;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

pub use handover::Committed;

/// Exports at the same time; one more is refused.
const EXPORTS_MAX: usize = 4;
/// How long a reader waits for what was told before it asked; then it is shown what there is.
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);
/// How long the end waits until everything is on the disk.
pub const END_PATIENCE: Duration = Duration::from_secs(10);

/// The open store with its writer.
#[derive(Debug)]
pub struct Books {
    store: Arc<Store>,
    writer: Writer,
    handover: Handover,
    exports: Arc<Semaphore>,
}

/// Reads the store from another thread, with a connection of its own.
#[derive(Clone, Debug)]
pub struct BooksReader(Arc<Store>);

impl Books {
    /// Opens the store in the state directory.
    ///
    /// # Errors
    /// In the store's words.
    pub fn open(state_dir: &Path, section: &StoreSection) -> Result<Self, String> {
        let retention =
            Retention { events_max: section.events_max, age: section.events_age, payload_bytes_max: section.payloads_max as u64 };
        let store = Store::open(state_dir, retention).map_err(|error| error.to_string())?;
        let writer = store.writer();
        let handover =
            Handover::start(writer.clone()).map_err(|error| format!("a thread for the store cannot be started: {error}"))?;
        Ok(Self { store: Arc::new(store), writer, handover, exports: Arc::new(Semaphore::new(EXPORTS_MAX)) })
    }

    /// Everything that was kept before.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn kept(&self) -> Result<Vec<Keep>, String> {
        let stored = self.store.reader().and_then(|reader| reader.stored()).map_err(|error| error.to_string())?;
        if stored.unreadable > 0 {
            tracing::error!(rows = stored.unreadable, "stored rows cannot be read and are left out");
        }
        Ok(rows::keeps(stored))
    }

    /// Keeps something. Never waits; what finds no room is counted and told loudly.
    pub fn keep(&self, keep: Keep) {
        rows::writes(keep).into_iter().for_each(|write| self.handover.keep(write));
    }

    /// Stores an event. Never waits; one that finds no room is counted by the store.
    pub fn tell(&self, event: Event) {
        let _ = self.writer.send(Write::Event(Box::new(event)));
    }

    /// Calls `then`, on another thread, when everything so far is on the disk or cannot be.
    pub fn when_committed(&self, then: impl FnOnce(Committed) + Send + 'static) {
        self.handover.when_committed(then);
    }

    /// Reads on another thread, once everything told so far can be read: whoever has seen something happen finds it. If the disk does
    /// not take it within a second, what there is is read.
    pub fn read(&self, read: impl FnOnce(BooksReader) + Send + 'static) {
        let (reader, (settle, settled)) = (self.reader(), oneshot::channel());
        self.when_committed(move |_or_not| {
            let _unless_nobody_waits = settle.send(());
        });
        tokio::spawn(async move {
            let _in_time_or_not = timeout(SETTLE_PATIENCE, settled).await;
            tokio::task::spawn_blocking(move || read(reader));
        });
    }

    /// The store in numbers.
    #[must_use]
    pub fn status(&self) -> StoreJson {
        let mut status = self.store.status();
        status.queue = status.queue.saturating_add(self.handover.waiting());
        status.lost = status.lost.saturating_add(self.handover.lost());
        status
    }

    /// A reader for another thread.
    #[must_use]
    pub fn reader(&self) -> BooksReader {
        BooksReader(self.store.clone())
    }

    /// Begins an export on a thread of its own; a failure breaks the download off.
    ///
    /// # Errors
    /// Too many are under way.
    pub fn export(&self, format: ExportFormat, query: EventQuery, mut sink: ExportSink) -> Result<(), Refusal> {
        let place = self.exports.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(RefusalKind::Busy, format!("{EXPORTS_MAX} exports are under way already; try again when one has ended"))
        })?;
        self.read(move |BooksReader(store)| {
            let _place = place;
            let exported = store.reader().and_then(|reader| honeymesh_store::export(&reader, format, &query, &mut sink));
            let ended =
                exported.map_err(|error| error.to_string()).and_then(|_| sink.finish().map_err(|error| error.to_string()));
            if let Err(error) = ended {
                tracing::info!("an export was broken off: {error}");
            }
        });
        Ok(())
    }

    /// Waits, at most ten seconds, until everything is on the disk.
    ///
    /// # Errors
    /// It could not be written, or not in time.
    pub fn end(self) -> Committed {
        let (sender, committed) = std::sync::mpsc::sync_channel(1);
        self.when_committed(move |outcome| drop(sender.send(outcome)));
        committed.recv_timeout(END_PATIENCE).unwrap_or_else(|_| Err("the disk did not take it in time".into()))
    }
}

impl BooksReader {
    /// What was sent with this SHA-256.
    ///
    /// # Errors
    /// It is not there (any more), or the file cannot be read.
    pub fn payload(&self, hash: [u8; 32]) -> Result<PayloadJson, Refusal> {
        let broken =
            |error: honeymesh_store::Error| Refusal::new(RefusalKind::Broken, format!("payloads cannot be read: {error}"));
        let payload = self.0.reader().and_then(|reader| reader.payload(hash)).map_err(broken)?;
        let Payload { bytes, first_seen, last_seen, count } = payload.ok_or_else(|| {
            Refusal::new(
                RefusalKind::NotFound,
                "no payload with this SHA-256 is kept here; `honeymesh events` tells those that are, and old ones go",
            )
        })?;
        Ok(PayloadJson {
            sha256: hash_text(hash),
            size: bytes.len() as u64,
            first_seen: time_micros(first_seen),
            last_seen: time_micros(last_seen),
            count,
            payload_base64: base64_text(&bytes),
        })
    }

    /// One page of events.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn page(&self, query: &EventQuery) -> Result<Page<EventJson>, Refusal> {
        let broken = |error: honeymesh_store::Error| Refusal::new(RefusalKind::Broken, format!("events cannot be read: {error}"));
        let page = self.0.reader().and_then(|reader| reader.events(query)).map_err(broken)?;
        let items = page.events.iter().map(EventJson::from).collect();
        Ok(Page { items, next: page.next.map(|next| next.to_string()) })
    }
}

//! The writer's thread: takes batches, commits them, deletes what is too old, and never gives up what must be kept.

use super::{
    Ack, WriterStats,
    apply::{self, Made, Repeats},
    retention,
};
use crate::{
    Error, Retention, Write,
    number::unsigned,
    queue::{Item, Queue},
};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// How long the writer waits before it tries again what could not be committed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often a closing writer tries what could not be committed.
const CLOSING_TRIES: u32 = 3;
/// How often age is looked at.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The one that writes.
#[derive(Debug)]
pub(crate) struct Worker {
    connection: Connection,
    retention: Retention,
    queue: Arc<Queue>,
    stats: Arc<WriterStats>,
    upkeep_at: Instant,
}

impl Worker {
    pub(crate) fn new(
        connection: Connection,
        retention: Retention,
        queue: Arc<Queue>,
        stats: Arc<WriterStats>,
    ) -> Result<Self, Error> {
        let events: i64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
        stats.events.store(unsigned(events), Ordering::Relaxed);
        let sum = "SELECT count(*), coalesce(sum(size), 0) FROM payloads";
        let (payloads, bytes): (i64, i64) = connection.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        stats.payloads.store(unsigned(payloads), Ordering::Relaxed);
        stats.payload_bytes.store(unsigned(bytes), Ordering::Relaxed);
        Ok(Self { connection, retention, queue, stats, upkeep_at: Instant::now() })
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut failures = 0;
        loop {
            self.upkeep();
            let patience = self.upkeep_at.saturating_duration_since(Instant::now());
            let batch = self.queue.take(patience);
            if batch.is_empty() && self.queue.is_closed() {
                return;
            }
            if batch.is_empty() || self.commit(batch) {
                failures = 0;
                continue;
            }
            failures += 1;
            if self.queue.is_closed() && failures >= CLOSING_TRIES {
                return self.give_up();
            }
            self.queue.pause(RETRY_PAUSE);
        }
    }

    /// Commits a batch and answers its barriers. If that fails, what must be kept goes back to the queue's front and
    /// events are dropped; false then.
    pub(super) fn commit(&mut self, batch: Vec<Item>) -> bool {
        let (writes, acks) = sort(batch);
        match self.transact(&writes) {
            Ok(done) => {
                self.stats.events.fetch_add(done.made.events, Ordering::Relaxed);
                self.stats.payloads.fetch_add(done.made.payloads, Ordering::Relaxed);
                self.stats.payload_bytes.fetch_add(done.made.payload_bytes, Ordering::Relaxed);
                self.stats.lost.fetch_add(done.lost, Ordering::Relaxed);
                self.stats.set_failing(None);
                acks.into_iter().for_each(|ack| ack.answer(Ok(())));
                true
            }
            Err(error) => {
                self.fail(writes, acks, &error.to_string());
                false
            }
        }
    }

    fn transact(&mut self, writes: &[Write]) -> rusqlite::Result<Done> {
        let mut done = Done::default();
        if writes.is_empty() {
            return Ok(done);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut repeats = Repeats::default();
        for write in writes {
            match apply::apply(&transaction, write, &mut repeats) {
                Ok(made) => done.add(made),
                Err(error) if concerns_the_disk(&error) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "a row could not be stored and was left out");
                    done.lost += 1;
                }
            }
        }
        repeats.count(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    fn fail(&self, writes: Vec<Write>, acks: Vec<Ack>, why: &str) {
        if self.stats.failing().is_none() {
            tracing::error!(why, "the store cannot write; bans stay in force, and are written when it can again");
        }
        self.stats.set_failing(Some(why.into()));
        let (events, kept): (Vec<_>, Vec<_>) = writes.into_iter().partition(Write::is_event);
        self.stats.dropped.fetch_add(events.len() as u64, Ordering::Relaxed);
        self.queue.put_back(kept);
        acks.into_iter().for_each(|ack| ack.answer(Err(Error::NotCommitted(why.into()))));
    }

    fn give_up(&self) {
        let mut lost = 0;
        loop {
            let (writes, acks) = sort(self.queue.take(Duration::ZERO));
            if writes.is_empty() && acks.is_empty() {
                break;
            }
            lost += writes.len() as u64;
            acks.into_iter().for_each(|ack| ack.answer(Err(Error::Closed)));
        }
        self.stats.lost.fetch_add(lost, Ordering::Relaxed);
        tracing::error!(lost, "the store closes without having written everything");
    }

    /// Deletes what is beyond the retention, a bounded number at a time; more next time.
    pub(super) fn upkeep(&mut self) {
        let aged = Instant::now() >= self.upkeep_at;
        let events = self.stats.events.load(Ordering::Relaxed);
        let payload_bytes = self.stats.payload_bytes.load(Ordering::Relaxed);
        let is_full = payload_bytes > self.retention.payload_bytes_max;
        if !aged && !is_full && events <= retention::tolerated(self.retention.events_max) {
            return;
        }
        let mut more = false;
        match retention::evict(&self.connection, self.retention, payload_bytes, aged) {
            Ok(evicted) => {
                more = evicted.more;
                self.stats.payloads.fetch_sub(evicted.payloads, Ordering::Relaxed);
                self.stats.payload_bytes.fetch_sub(evicted.bytes, Ordering::Relaxed);
                self.stats.payloads_evicted.fetch_add(evicted.payloads, Ordering::Relaxed);
            }
            Err(error) => tracing::warn!(%error, "payloads could not be deleted; trying again"),
        }
        match retention::enforce(&self.connection, self.retention, events, aged) {
            Ok(swept) => {
                self.stats.events.fetch_sub(swept.events, Ordering::Relaxed);
                self.stats.retired.fetch_add(swept.events, Ordering::Relaxed);
                match (swept.more || more, aged) {
                    (true, _) => self.upkeep_at = Instant::now(),
                    (false, true) => self.upkeep_at = Instant::now() + UPKEEP_INTERVAL,
                    (false, false) => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "old events could not be deleted; trying again in a minute");
                self.upkeep_at = Instant::now() + UPKEEP_INTERVAL;
            }
        }
    }
}

/// What a transaction did.
#[derive(Debug, Default)]
struct Done {
    made: Made,
    lost: u64,
}

impl Done {
    const fn add(&mut self, made: Made) {
        self.made.events += made.events;
        self.made.payloads += made.payloads;
        self.made.payload_bytes += made.payload_bytes;
    }
}

fn sort(batch: Vec<Item>) -> (Vec<Write>, Vec<Ack>) {
    let (mut writes, mut acks) = (Vec::with_capacity(batch.len()), Vec::new());
    for item in batch {
        match item {
            Item::Write(write) => writes.push(write),
            Item::Barrier(ack) => acks.push(ack),
        }
    }
    (writes, acks)
}

/// Would the next row fail too? Only what is wrong with this very row is left out and gone on without.
fn concerns_the_disk(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) | None
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reader, schema};
    use honeymesh_types::{Event, EventId, EventKind, WallTime};
    use std::{path::PathBuf, sync::mpsc};

    fn worker() -> (tempfile::TempDir, PathBuf, Worker) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("honeymesh.db");
        let retention = Retention { events_max: 1_000_000, age: Duration::from_secs(1 << 40), payload_bytes_max: 1 << 30 };
        let worker = Worker::new(schema::open(&path).unwrap(), retention, Arc::default(), Arc::default()).unwrap();
        (dir, path, worker)
    }

    fn event(number: u128, payload: usize) -> Item {
        let mut event = Event::new(EventId(number), WallTime(1), "n".parse().unwrap(), EventKind::Visit);
        event.payload = vec![1; payload];
        Item::Write(Write::Event(Box::new(event)))
    }

    fn setting(key: &str, bytes: usize) -> Item {
        Item::Write(Write::Meta { key: key.into(), value: "v".repeat(bytes) })
    }

    fn barrier() -> (Item, mpsc::Receiver<Result<(), Error>>) {
        let (answer, outcome) = mpsc::channel();
        (Item::Barrier(Ack::new(move |result| answer.send(result).unwrap())), outcome)
    }

    #[test]
    fn a_full_disk_drops_events_keeps_the_rest_and_mends_itself() {
        let (_dir, path, mut worker) = worker();
        let pages: i64 = worker.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        worker.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
        let (sync, outcome) = barrier();
        assert!(!worker.commit(vec![setting("mode", 100_000), event(1, 100_000), setting("allow", 10), sync]));
        assert!(matches!(outcome.recv().unwrap(), Err(Error::NotCommitted(_))));
        assert!(worker.stats.failing().unwrap().contains("full"), "{:?}", worker.stats.failing());
        assert_eq!(worker.stats.dropped.load(Ordering::Relaxed), 1);
        worker.connection.query_row("PRAGMA max_page_count = 100000", [], |_| Ok(())).unwrap();
        let again = worker.queue.take(Duration::ZERO);
        assert!(worker.commit(again));
        assert_eq!(worker.stats.failing(), None);
        let meta = Reader::open(&path).unwrap().stored().unwrap().meta;
        assert_eq!((meta["mode"].len(), meta["allow"].len()), (100_000, 10));
    }

    #[test]
    fn a_row_that_cannot_be_stored_does_not_hold_up_the_others() {
        let (_dir, path, mut worker) = worker();
        let trap = "CREATE TEMP TRIGGER no BEFORE INSERT ON main.meta WHEN new.key = 'bad' BEGIN SELECT raise(ABORT, 'no'); END";
        worker.connection.execute_batch(trap).unwrap();
        let (sync, outcome) = barrier();
        assert!(worker.commit(vec![setting("a", 1), setting("bad", 1), setting("b", 1), sync]));
        outcome.recv().unwrap().unwrap();
        let meta = Reader::open(&path).unwrap().stored().unwrap().meta;
        assert_eq!(meta.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(worker.stats.lost.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_closing_writer_that_cannot_write_gives_up_and_says_so() {
        let (_dir, _path, worker) = worker();
        worker.connection.pragma_update(None, "query_only", true).unwrap();
        let (queue, stats) = (worker.queue.clone(), worker.stats.clone());
        queue.push(Write::Meta { key: "k".into(), value: "v".into() }).unwrap();
        queue.close();
        worker.run();
        assert_eq!((stats.lost.load(Ordering::Relaxed), queue.len()), (1, 0));
    }
}

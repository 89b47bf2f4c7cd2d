//! The bounded queue before the writer: events give way, what must be kept waits.

use crate::{Ack, Error, Write};
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Rows in one transaction.
pub const BATCH_ROWS_MAX: usize = 500;
/// How long a row waits for others: what a crash of the daemon may cost of bans that are new or have become stronger.
const BATCH_WAIT: Duration = Duration::from_millis(50);
/// The same for events, and for claims that were only said again (a crash may cost the last tenth of their time): a transaction for each visit costs more than the visit.
const PATIENT_WAIT: Duration = Duration::from_millis(250);
/// Events are dropped while so many writes wait.
pub const EVENTS_QUEUED_MAX: usize = 16_384;
/// Events are dropped while the payloads and fields of those that wait hold so many bytes.
pub const EVENTS_QUEUED_BYTES_MAX: usize = 32 << 20;
/// Senders of what must be kept wait while so many writes wait.
pub const QUEUED_MAX: usize = 65_536;
/// How long they wait at most; then they are told that it was not kept.
pub const KEEP_PATIENCE: Duration = Duration::from_secs(5);

/// One thing in the queue.
#[derive(Debug)]
pub(crate) enum Item {
    Write(Write),
    /// Everything before it is to be committed at once, and then it is answered.
    Barrier(Ack),
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Item>,
    event_bytes: usize,
    barriers: usize,
    closed: bool,
    /// When what waits is to be written at the latest; `None`: nothing waits.
    due: Option<Instant>,
}

/// Many senders, one writer.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    drained: Condvar,
}

impl Queue {
    /// Enqueues a write. An event never waits; anything else waits for room up to [`KEEP_PATIENCE`].
    pub(crate) fn push(&self, write: Write) -> Result<(), Error> {
        if write.is_event() { self.push_event(write) } else { self.push_kept(Item::Write(write), KEEP_PATIENCE) }
    }

    pub(crate) fn push_barrier(&self, ack: Ack) -> Result<(), Error> {
        self.push_kept(Item::Barrier(ack), KEEP_PATIENCE)
    }

    /// The next batch, in order: at most [`BATCH_ROWS_MAX`] items, as soon as there are so many, a barrier waits, one has waited for
    /// 50 ms (events, and claims only said again: 250 ms), or the queue is closed. Empty after `patience` without any, or at the end.
    pub(crate) fn take(&self, patience: Duration) -> Vec<Item> {
        let waiting = self.lock();
        let idle = |waiting: &mut Waiting| waiting.items.is_empty() && !waiting.closed;
        let (mut waiting, _) = self.filled.wait_timeout_while(waiting, patience, idle).unwrap_or_else(PoisonError::into_inner);
        if waiting.items.is_empty() {
            return Vec::new();
        }
        // The time that is left may become shorter while it passes.
        while let Some(left) = waiting.left(Instant::now()) {
            (waiting, _) = self.filled.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
        }
        let batch = waiting.take();
        drop(waiting);
        self.drained.notify_all();
        batch
    }

    /// Puts writes back to the front, in order, after they could not be committed.
    pub(crate) fn put_back(&self, writes: Vec<Write>) {
        let mut waiting = self.lock();
        for write in writes.into_iter().rev() {
            waiting.items.push_front(Item::Write(write));
        }
        // Nothing waits for a time that is over where nothing waits: it would wake nobody ever after.
        if !waiting.items.is_empty() {
            waiting.is_due_in(Duration::ZERO);
        }
    }

    /// No more is taken in; the writer gets what is there.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until the queue is closed, at most so long.
    pub(crate) fn pause(&self, pause: Duration) {
        let open = |waiting: &mut Waiting| !waiting.closed;
        drop(self.drained.wait_timeout_while(self.lock(), pause, open));
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    fn push_event(&self, write: Write) -> Result<(), Error> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::Closed);
        }
        let bytes = waiting.event_bytes.saturating_add(write.weight());
        if waiting.items.len() >= EVENTS_QUEUED_MAX || bytes > EVENTS_QUEUED_BYTES_MAX {
            return Err(Error::Dropped);
        }
        waiting.event_bytes = bytes;
        self.enter(waiting, Item::Write(write));
        Ok(())
    }

    /// Enqueues what must be kept if there is room now; it comes back if there is none, or the queue is closed.
    pub(crate) fn try_push_kept(&self, write: Write) -> Result<(), Write> {
        let waiting = self.lock();
        if waiting.closed || waiting.items.len() >= QUEUED_MAX {
            return Err(write);
        }
        self.enter(waiting, Item::Write(write));
        Ok(())
    }

    fn push_kept(&self, item: Item, patience: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + patience;
        let mut waiting = self.lock();
        while waiting.items.len() >= QUEUED_MAX && !waiting.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Overloaded(waiting.items.len()));
            }
            (waiting, _) = self.drained.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.closed {
            return Err(Error::Closed);
        }
        waiting.barriers += usize::from(matches!(item, Item::Barrier(_)));
        self.enter(waiting, item);
        Ok(())
    }

    /// Wakes the writer when there is something to do now: the first item starts its time, one that has less makes it shorter, a full
    /// batch or a barrier ends it. In between it sleeps on.
    fn enter(&self, mut waiting: MutexGuard<'_, Waiting>, item: Item) {
        let wait = match &item {
            Item::Barrier(_) => Duration::ZERO,
            Item::Write(write) if write.is_patient() => PATIENT_WAIT,
            Item::Write(_) => BATCH_WAIT,
        };
        waiting.items.push_back(item);
        let wake = waiting.is_due_in(wait) || waiting.items.len() >= BATCH_ROWS_MAX;
        drop(waiting);
        if wake {
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic while the lock was held cannot leave the queue in pieces: every change is one push or pop.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Something waits that is to be written so soon. Tells whether that is sooner than before.
    fn is_due_in(&mut self, wait: Duration) -> bool {
        let due = Instant::now() + wait;
        let is_sooner = self.due.is_none_or(|before| due < before);
        if is_sooner {
            self.due = Some(due);
        }
        is_sooner
    }

    /// How long a batch may still wait for more; `None`: not at all.
    fn left(&self, now: Instant) -> Option<Duration> {
        let has_time = self.items.len() < BATCH_ROWS_MAX && self.barriers == 0 && !self.closed;
        let left = self.due?.saturating_duration_since(now);
        (has_time && !left.is_zero()).then_some(left)
    }

    fn take(&mut self) -> Vec<Item> {
        let count = self.items.len().min(BATCH_ROWS_MAX);
        let batch: Vec<Item> = self.items.drain(..count).collect();
        // What is left over has waited already.
        self.due = (!self.items.is_empty()).then(Instant::now);
        for item in &batch {
            match item {
                Item::Write(write) => self.event_bytes = self.event_bytes.saturating_sub(write.weight()),
                Item::Barrier(_) => self.barriers = self.barriers.saturating_sub(1),
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_types::{Event, EventId, EventKind, WallTime};

    fn event(payload: usize) -> Write {
        let mut event = Event::new(EventId(1), WallTime(0), "n".parse().unwrap(), EventKind::Visit);
        event.payload = vec![0; payload];
        Write::Event(Box::new(event))
    }

    fn kept() -> Write {
        Write::Meta { key: "k".into(), value: "v".into() }
    }

    fn claim() -> Box<crate::ClaimRow> {
        Box::new(crate::ClaimRow {
            subject: honeymesh_types::Subject::host(std::net::Ipv4Addr::LOCALHOST.into()),
            slot: "trap".into(),
            origin_name: "n".into(),
            reasons: honeymesh_types::Reasons::TRAP,
            grade: honeymesh_types::Grade::Hostile,
            scope: honeymesh_types::Scope::All,
            score: 90,
            since: WallTime(1),
            last: WallTime(2),
            until: None,
            note: None,
            evidence: None,
            meshed: true,
            force: false,
        })
    }

    #[test]
    fn events_give_way_by_number_and_by_bytes() {
        let queue = Queue::default();
        for _ in 0..EVENTS_QUEUED_MAX {
            queue.push(event(0)).unwrap();
        }
        assert!(matches!(queue.push(event(0)), Err(Error::Dropped)));
        queue.push(kept()).unwrap();
        let queue = Queue::default();
        queue.push(event(EVENTS_QUEUED_BYTES_MAX)).unwrap();
        assert!(matches!(queue.push(event(1)), Err(Error::Dropped)));
        assert_eq!(queue.take(Duration::ZERO).len(), 1);
        queue.push(event(1)).unwrap();
    }

    #[test]
    fn what_must_be_kept_waits_for_room_and_is_told_when_there_is_none() {
        let queue = std::sync::Arc::new(Queue::default());
        for _ in 0..QUEUED_MAX {
            queue.push(kept()).unwrap();
        }
        assert_eq!(queue.try_push_kept(kept()), Err(kept()));
        let refused = queue.push_kept(Item::Write(kept()), Duration::from_millis(1));
        assert!(matches!(refused, Err(Error::Overloaded(QUEUED_MAX))));
        let sender = std::thread::spawn({
            let queue = queue.clone();
            move || queue.push(kept())
        });
        assert_eq!(queue.take(Duration::ZERO).len(), BATCH_ROWS_MAX);
        sender.join().unwrap().unwrap();
    }

    #[test]
    fn a_barrier_ends_the_wait_and_order_is_kept() {
        let queue = Queue::default();
        queue.push(kept()).unwrap();
        queue.push_barrier(Ack::new(|_| {})).unwrap();
        let begin = Instant::now();
        let batch = queue.take(Duration::from_secs(60));
        assert!(matches!(batch.as_slice(), [Item::Write(_), Item::Barrier(_)]));
        assert!(begin.elapsed() < Duration::from_secs(30));
        queue.push(event(7)).unwrap();
        queue.put_back(vec![kept()]);
        assert!(matches!(queue.take(Duration::ZERO).as_slice(), [Item::Write(Write::Meta { .. }), Item::Write(Write::Event(_))]));
    }

    #[test]
    fn what_a_crash_may_cost_waits_for_less_time_than_what_was_seen() {
        let queue = Queue::default();
        let began = Instant::now();
        queue.push(event(0)).unwrap();
        assert_eq!(queue.take(Duration::from_secs(60)).len(), 1);
        assert!(began.elapsed() >= PATIENT_WAIT, "{:?}", began.elapsed());
        // What was only said again waits as long; what has become stronger does not, however long ago it was said first.
        queue.push(Write::Again(claim())).unwrap();
        assert!(queue.lock().due.unwrap() > Instant::now() + BATCH_WAIT);
        queue.push(Write::Claim(claim())).unwrap();
        let due = queue.lock().due.unwrap();
        assert!(due <= Instant::now() + BATCH_WAIT);
        assert_eq!(queue.take(Duration::from_secs(60)).len(), 2);
        queue.push(event(0)).unwrap();
        queue.push(kept()).unwrap();
        let due = queue.lock().due.unwrap();
        assert!(due <= Instant::now() + BATCH_WAIT, "the shorter time counts for both");
        assert_eq!(queue.take(Duration::from_secs(60)).len(), 2);
        assert!(queue.lock().due.is_none());
    }

    #[test]
    fn what_comes_after_a_batch_of_which_nothing_was_put_back_is_written_in_time() {
        let queue = std::sync::Arc::new(Queue::default());
        queue.put_back(Vec::new());
        let writer = std::thread::spawn({
            let queue = queue.clone();
            move || (queue.take(Duration::from_secs(60)).len(), Instant::now())
        });
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        queue.push_barrier(Ack::new(|_| {})).unwrap();
        let (taken, at) = writer.join().unwrap();
        assert!(taken == 1 && at.saturating_duration_since(began) < Duration::from_secs(30));
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_gives_what_it_has() {
        let queue = Queue::default();
        queue.push(kept()).unwrap();
        queue.close();
        assert!(queue.try_push_kept(kept()).is_err());
        assert!(matches!(queue.push(kept()), Err(Error::Closed)) && matches!(queue.push(event(0)), Err(Error::Closed)));
        assert_eq!(queue.take(Duration::from_secs(60)).len(), 1);
        assert!(queue.take(Duration::from_secs(60)).is_empty());
    }
}

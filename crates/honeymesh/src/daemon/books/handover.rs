//! The way into the store that never waits, and the thread that waits in the loop's place when the store has no room.

use honeymesh_store::{Ack, Write, Writer};
use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
        mpsc::{self, Receiver, Sender},
    },
};

/// Things that may wait here; one more is lost, counted and told. At 100 bytes or so each that is a bounded 100 MB, and
/// more than twice what all meshes may push in five minutes.
const WAITING_MAX: u64 = 1_000_000;

/// Whether everything handed over before is on the disk, or why not.
pub type Committed = Result<(), String>;

type Then = Box<dyn FnOnce(Committed) + Send>;

enum Job {
    Keep(Write),
    Sync(Then),
}

#[derive(Debug, Default)]
struct Counters {
    waiting: AtomicU64,
    lost: AtomicU64,
    /// Whether the last thing was lost: the loss is told once, until something gets through again.
    losing: AtomicBool,
}

/// The loop's end of the queue.
pub struct Handover {
    writer: Writer,
    jobs: Sender<Job>,
    counters: Arc<Counters>,
}

impl Handover {
    /// Starts the thread; it ends with the last handover.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(writer: Writer) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let counters = Arc::<Counters>::default();
        let (shared, theirs) = (counters.clone(), writer.clone());
        std::thread::Builder::new().name("handover".into()).spawn(move || run(&queue, &theirs, &shared))?;
        Ok(Self { writer, jobs, counters })
    }

    /// Hands something over to be kept: at once if the store has room and nothing waits here, which is nearly always.
    pub fn keep(&self, write: Write) {
        if self.counters.waiting.load(Acquire) > 0 {
            return self.enqueue(write);
        }
        match self.writer.try_keep(write) {
            Ok(()) => self.counters.losing.store(false, Relaxed),
            // The thread waits for room, or finds out what is wrong and counts it.
            Err(write) => self.enqueue(write),
        }
    }

    fn enqueue(&self, write: Write) {
        let fits = self.counters.waiting.fetch_add(1, Relaxed) < WAITING_MAX;
        if !fits || self.jobs.send(Job::Keep(write)).is_err() {
            self.counters.waiting.fetch_sub(1, Relaxed);
            self.counters.lose(&"too many wait");
        }
    }

    /// Calls `then` when everything handed over before is on the disk or cannot be.
    pub fn when_committed(&self, then: impl FnOnce(Committed) + Send + 'static) {
        if let Err(mpsc::SendError(Job::Sync(then))) = self.jobs.send(Job::Sync(Box::new(then))) {
            then(Err("the store has ended".into()));
        }
    }

    /// Things that wait.
    pub fn waiting(&self) -> u64 {
        self.counters.waiting.load(Relaxed)
    }

    /// Things that were lost before the store could count them.
    pub fn lost(&self) -> u64 {
        self.counters.lost.load(Relaxed)
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Counters {
    fn lose(&self, why: &dyn fmt::Display) {
        self.lost.fetch_add(1, Relaxed);
        self.tell(why);
    }

    fn tell(&self, why: &dyn fmt::Display) {
        if !self.losing.swap(true, Relaxed) {
            tracing::error!("what is in force will be forgotten at the next start: it cannot be stored: {why}");
        }
    }
}

fn run(queue: &Receiver<Job>, writer: &Writer, counters: &Counters) {
    // Since the last sync: whether something was lost, which no later sync may hide.
    let mut lost = None;
    while let Ok(job) = queue.recv() {
        match job {
            Job::Keep(write) => {
                let sent = writer.send(write);
                // Only now: until it is in the store's queue, nothing may overtake it.
                counters.waiting.fetch_sub(1, Release);
                match sent {
                    Ok(()) => counters.losing.store(false, Relaxed),
                    Err(error) => {
                        // The store has counted it.
                        counters.tell(&error);
                        lost = Some(error.to_string());
                    }
                }
            }
            Job::Sync(then) => sync(writer, then, lost.take()),
        }
    }
}

fn sync(writer: &Writer, then: Then, lost: Option<String>) {
    if let Some(why) = lost {
        return then(Err(why));
    }
    // Whichever comes first, the answer or the refusal of the request, takes it.
    let then = Arc::new(std::sync::Mutex::new(Some(then)));
    let answer = move |then: &std::sync::Mutex<Option<Then>>, outcome: Committed| {
        let waiting = then.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(then) = waiting {
            then(outcome);
        }
    };
    let shared = then.clone();
    let ack = Ack::new(move |outcome| answer(&shared, outcome.map_err(|error| error.to_string())));
    if let Err(error) = writer.sync_then(ack) {
        answer(&then, Err(error.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_store::{Retention, Store};
    use std::time::Duration;

    #[test]
    fn what_was_handed_over_is_on_the_disk_when_it_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let store =
            Store::open(dir.path(), Retention { events_max: 10, age: Duration::from_secs(1), payload_bytes_max: 1 << 20 })
                .unwrap();
        let handover = Handover::start(store.writer()).unwrap();
        for index in 0..1_000 {
            handover.keep(Write::Meta { key: format!("key-{index}"), value: "x".into() });
        }
        let (sender, committed) = mpsc::channel();
        handover.when_committed(move |outcome| sender.send(outcome).unwrap());
        committed.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
        assert_eq!(store.reader().unwrap().stored().unwrap().meta.len(), 1_000);
        assert_eq!((handover.waiting(), handover.lost()), (0, 0));
    }

    #[test]
    fn a_store_that_has_ended_is_no_success() {
        let dir = tempfile::tempdir().unwrap();
        let store =
            Store::open(dir.path(), Retention { events_max: 10, age: Duration::from_secs(1), payload_bytes_max: 1 << 20 })
                .unwrap();
        let handover = Handover::start(store.writer()).unwrap();
        drop(store);
        handover.keep(Write::Meta { key: "key".into(), value: "x".into() });
        let (sender, committed) = mpsc::channel();
        handover.when_committed(move |outcome| sender.send(outcome).unwrap());
        assert!(committed.recv_timeout(Duration::from_secs(20)).unwrap().is_err());
    }
}

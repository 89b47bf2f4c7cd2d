//! Signatures of peers' records are checked beside the loop, so that neither waits for the other.
//!
//! One thread, a bounded queue. A few signatures with nothing behind them are checked on the loop itself: to wake another thread and be
//! woken by it takes as long as that, and a single ban shall not wait. What order the verdicts come back in does not matter to the mesh.

use honeymesh_mesh_proto::{Claims, Verdicts, limits::CHECK_BATCHES_MAX};
use honeymesh_types::MonoTime;
use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

/// The thread's name.
const NAME: &str = "checks";
/// So many signatures are checked on the loop, if nothing else waits there: what one datagram holds.
const HERE_MAX: usize = 12;

/// Signatures to be checked.
#[derive(Debug)]
pub struct Job {
    /// The place of the cluster in the configuration.
    pub cluster: usize,
    /// What.
    pub claims: Claims,
    /// When the newest of them came into user space.
    pub evidence: MonoTime,
}

/// What came of it.
#[derive(Debug)]
pub struct Done {
    /// The place of the cluster in the configuration.
    pub cluster: usize,
    /// What came of its claims.
    pub verdicts: Verdicts,
    /// As it was.
    pub evidence: MonoTime,
}

impl Job {
    fn check(&self) -> Done {
        Done { cluster: self.cluster, verdicts: self.claims.check(), evidence: self.evidence }
    }
}

/// Where signatures are checked.
#[derive(Debug)]
pub struct Checks {
    /// To the thread; none if this machine gives none.
    jobs: Option<SyncSender<Job>>,
    /// What is to be checked on the loop.
    here: VecDeque<Job>,
    is_crowded: bool,
}

impl Checks {
    /// Starts the thread for so many clusters; `done` is called on it, and must not wait. It ends with this. Without a thread everything is
    /// checked on the loop, as [`Self::add`] does at the bound.
    pub fn start(clusters: usize, done: impl Fn(Done) + Send + 'static) -> Self {
        let (jobs, to_do) = sync_channel::<Job>(clusters * CHECK_BATCHES_MAX);
        let work = move |to_do: Receiver<Job>| to_do.iter().for_each(|job| done(job.check()));
        let started = thread::Builder::new().name(NAME.into()).spawn(move || work(to_do));
        let jobs = started.map(|_| jobs).inspect_err(|error| tracing::warn!(%error, "signatures are checked on the loop"));
        Self { jobs: jobs.ok(), here: VecDeque::new(), is_crowded: false }
    }

    /// Whether something else waits for the loop.
    pub const fn crowded(&mut self, is_crowded: bool) {
        self.is_crowded = is_crowded;
    }

    /// Takes signatures to be checked: to the thread, or for [`Self::next_here`] if they are few and nothing else waits, or if the
    /// queue is full, which no mesh brings about that keeps its own bound.
    pub fn add(&mut self, job: Job) {
        let is_quick = !self.is_crowded && job.claims.len() <= HERE_MAX;
        let sent = match &self.jobs {
            Some(jobs) if !is_quick => jobs.try_send(job).map_err(|back| match back {
                std::sync::mpsc::TrySendError::Full(job) | std::sync::mpsc::TrySendError::Disconnected(job) => job,
            }),
            _ => Err(job),
        };
        self.here.extend(sent.err());
    }

    /// Checks on the loop what is to be checked there.
    pub fn next_here(&mut self) -> Option<Done> {
        self.here.pop_front().map(|job| job.check())
    }
}

#[cfg(test)]
mod tests;

//! The honest client: fetches pages all the time and remembers every success and every failure.

use crate::{service::fetch, topology::Host};
use anyhow::Result;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

/// How long one request may take before it counts as failed.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(3);
/// The pause between two requests.
const PACE: Duration = Duration::from_millis(20);
/// The most requests that are remembered; the client stops there. At this pace, an hour and more.
const REQUESTS_MAX: usize = 200_000;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it began.
    pub at: SystemTime,
    /// To whom.
    pub to: SocketAddr,
    /// How long it took.
    pub took: Duration,
    /// What went wrong, if anything.
    pub error: Option<String>,
}

/// What the honest client has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every request.
    pub requests: Vec<Request>,
}

impl Report {
    /// Those that failed.
    #[must_use]
    pub fn failures(&self) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.error.is_some()).collect()
    }

    /// The slowest.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        self.requests.iter().map(|request| request.took).max().unwrap_or_default()
    }
}

/// A client that goes on until it is dropped.
#[derive(Debug)]
pub struct Honest {
    seen: Arc<Mutex<Report>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Honest {
    /// Fetches from each of `targets` in turn, from `host`.
    ///
    /// # Errors
    /// If its thread cannot be made.
    pub fn start(host: &Host, targets: Vec<SocketAddr>) -> Result<Self> {
        let seen = Arc::new(Mutex::new(Report::default()));
        let closing = Arc::new(AtomicBool::new(false));
        let (notes, stop) = (Arc::clone(&seen), Arc::clone(&closing));
        let thread = host.namespace.stay_inside(move || go_on(&targets, &notes, &stop))?;
        Ok(Self { seen, closing, thread: Some(thread) })
    }

    /// What it has seen so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it after the request it is at, and returns everything.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.end();
        self.report()
    }

    fn end(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        self.end();
    }
}

fn go_on(targets: &[SocketAddr], seen: &Mutex<Report>, closing: &AtomicBool) {
    for to in targets.iter().cycle().take(REQUESTS_MAX) {
        if closing.load(Ordering::Relaxed) {
            return;
        }
        let request = request(*to);
        seen.lock().unwrap_or_else(PoisonError::into_inner).requests.push(request);
        thread::sleep(PACE);
    }
}

fn request(to: SocketAddr) -> Request {
    let (at, began) = (SystemTime::now(), Instant::now());
    let error = fetch(to, REQUEST_TIME_MAX).err().map(|error| format!("{error:#}"));
    Request { at, to, took: began.elapsed(), error }
}

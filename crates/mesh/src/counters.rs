//! What a port has carried, and what it had to drop.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a port has carried, and what it had to drop. Shared between the port's task and whoever asks.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) received: AtomicU64,
    pub(crate) oversized: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) receive_failed: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) would_block: AtomicU64,
    pub(crate) send_failed: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams that were handed out.
    pub received: u64,
    /// Datagrams that were longer than allowed, and dropped.
    pub oversized: u64,
    /// Datagrams that were dropped because the queue was full.
    pub queue_full: u64,
    /// Receives that failed.
    pub receive_failed: u64,
    /// Datagrams that were given to the kernel.
    pub sent: u64,
    /// Datagrams that were dropped because the kernel would have made us wait.
    pub would_block: u64,
    /// Datagrams that the kernel refused: no route, no permission, no such address.
    pub send_failed: u64,
}

impl Counters {
    /// The counts now.
    #[must_use]
    pub fn read(&self) -> Traffic {
        Traffic {
            received: self.received.load(Relaxed),
            oversized: self.oversized.load(Relaxed),
            queue_full: self.queue_full.load(Relaxed),
            receive_failed: self.receive_failed.load(Relaxed),
            sent: self.sent.load(Relaxed),
            would_block: self.would_block.load(Relaxed),
            send_failed: self.send_failed.load(Relaxed),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

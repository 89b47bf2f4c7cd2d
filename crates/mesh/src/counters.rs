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

/// What streams have done, and what they refused. Shared between their tasks and whoever asks.
#[derive(Debug, Default)]
pub struct StreamCounters {
    pub(crate) opened: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) accept_failed: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) handshakes_late: AtomicU64,
    pub(crate) dials_refused: AtomicU64,
    pub(crate) dials_failed: AtomicU64,
    pub(crate) not_admitted: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) oversized: AtomicU64,
    pub(crate) stuck: AtomicU64,
    pub(crate) offers_dropped: AtomicU64,
    pub(crate) frames_received: AtomicU64,
}

/// The streams' counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTraffic {
    /// Streams at once, now.
    pub open: u64,
    /// Streams whose both ends know each other.
    pub opened: u64,
    /// Callers that were turned away because too many were there.
    pub refused: u64,
    /// Accepts that failed.
    pub accept_failed: u64,
    /// Callers whose handshake failed: another version, no key, garbage.
    pub handshakes_failed: u64,
    /// Callers whose handshake took too long.
    pub handshakes_late: u64,
    /// Calls that were not made because too many were under way.
    pub dials_refused: u64,
    /// Calls that came to nothing: nobody there, somebody else there, or not in time.
    pub dials_failed: u64,
    /// Streams that were not admitted in time.
    pub not_admitted: u64,
    /// Streams that were silent for too long, or slow with a frame.
    pub late: u64,
    /// Streams that ended because of a frame that was longer than allowed.
    pub oversized: u64,
    /// Streams that ended because the other end took too little.
    pub stuck: u64,
    /// Datagrams that were to go over a stream on which too much waited already.
    pub offers_dropped: u64,
    /// Frames that were handed out after admission.
    pub frames_received: u64,
}

impl StreamTraffic {
    /// Every count with its name, as tables and metrics show it.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("open", self.open),
            ("opened", self.opened),
            ("refused", self.refused),
            ("accept_failed", self.accept_failed),
            ("handshakes_failed", self.handshakes_failed),
            ("handshakes_late", self.handshakes_late),
            ("dials_refused", self.dials_refused),
            ("dials_failed", self.dials_failed),
            ("not_admitted", self.not_admitted),
            ("late", self.late),
            ("oversized", self.oversized),
            ("stuck", self.stuck),
            ("offers_dropped", self.offers_dropped),
            ("frames_received", self.frames_received),
        ]
    }
}

impl StreamCounters {
    /// The counts now; how many are open is known elsewhere.
    #[must_use]
    pub fn read(&self) -> StreamTraffic {
        StreamTraffic {
            open: 0,
            opened: self.opened.load(Relaxed),
            refused: self.refused.load(Relaxed),
            accept_failed: self.accept_failed.load(Relaxed),
            handshakes_failed: self.handshakes_failed.load(Relaxed),
            handshakes_late: self.handshakes_late.load(Relaxed),
            dials_refused: self.dials_refused.load(Relaxed),
            dials_failed: self.dials_failed.load(Relaxed),
            not_admitted: self.not_admitted.load(Relaxed),
            late: self.late.load(Relaxed),
            oversized: self.oversized.load(Relaxed),
            stuck: self.stuck.load(Relaxed),
            offers_dropped: self.offers_dropped.load(Relaxed),
            frames_received: self.frames_received.load(Relaxed),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

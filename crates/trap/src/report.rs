//! What was heard in a session, and how the process that plays tells it.

use crate::{line::Pipe, wire};
use honeymesh_trap_proto::Findings;
use honeymesh_types::{SessionId, Signs};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a session waits for room in a full pipe, and the daemon for room in its own queue, before a report is given up.
pub(crate) const REPORT_WAIT: Duration = Duration::from_millis(250);
/// Reports of one session while it talks; one more follows at its end.
pub(crate) const REPORTS_MAX: usize = 256;
/// Bytes of one session, captured or not; more end it.
pub(crate) const SESSION_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Who came where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stranger {
    pub(crate) session: SessionId,
    pub(crate) source: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// What a stranger sent since the last report.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    payload: Vec<u8>,
    bytes: u64,
    cut: bool,
}

impl Transcript {
    /// Takes `bytes`, of which no more than `room` are kept; returns the room that is left.
    pub(crate) fn take(&mut self, bytes: &[u8], room: usize) -> usize {
        let kept = bytes.len().min(room);
        self.payload.extend_from_slice(&bytes[..kept]);
        self.bytes += bytes.len() as u64;
        self.cut |= kept < bytes.len();
        room - kept
    }

    /// Counts bytes that are not kept, since nothing was said with them.
    pub(crate) const fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

/// Tells of one session.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    pub(crate) session: u64,
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) wait: Duration,
    pub(crate) lost: u32,
}

impl Teller {
    /// Reports, and waits a bounded time for room; what finds none is counted, and told at the end.
    pub(crate) async fn tell(&mut self, transcript: Transcript, findings: &Findings) {
        let signs = findings.signs | if transcript.cut { Signs::TRUNCATED } else { Signs::empty() };
        let body = wire::body(findings, &transcript.payload);
        let packets = wire::packets(self.session, transcript.bytes, signs, &body);
        if !matches!(timeout(self.wait, self.pipe.write(packets)).await, Ok(Ok(()))) {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// The session is over: waits for room as long as it takes, for until then it counts as open.
    pub(crate) async fn over(self, fault: &str) {
        let over = wire::Evidence::Over { session: self.session, lost: self.lost, fault: fault.as_bytes() };
        let _unless_nobody_reads = self.pipe.write(std::iter::once(over.to_bytes())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_counts_everything_and_keeps_what_there_is_room_for() {
        let mut transcript = Transcript::default();
        let room = transcript.take(b"abc", 5);
        assert_eq!((room, transcript.cut), (2, false));
        assert_eq!(transcript.take(b"defg", room), 0);
        assert_eq!((transcript.payload.as_slice(), transcript.bytes, transcript.cut), (b"abcde".as_slice(), 7, true));
        assert_eq!(transcript.take(b"", 0), 0);
    }
}

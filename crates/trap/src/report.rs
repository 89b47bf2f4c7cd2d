//! What was heard in a session, and how the process that plays tells it.

use crate::{line::Pipe, wire};
use honeymesh_detect::Sight;
use honeymesh_trap_proto::{FIELDS_MAX, Findings};
use honeymesh_types::{Marks, SessionId, Signs};
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
    pub(crate) payload: Vec<u8>,
    /// Bytes that came; of one session they are bounded, as are those of the next field.
    bytes: u32,
    /// The same for those that have said nothing yet, and may never.
    pending: u32,
    cut: bool,
}

impl Transcript {
    /// Takes `bytes`, of which no more than `room` are kept; returns the room that is left.
    pub(crate) fn take(&mut self, bytes: &[u8], room: usize) -> usize {
        self.take_said(bytes.len(), bytes, room)
    }

    /// The same where `came` bytes have said something else than themselves.
    pub(crate) fn take_said(&mut self, came: usize, said: &[u8], room: usize) -> usize {
        let kept = said.len().min(room);
        self.payload.extend_from_slice(&said[..kept]);
        self.count(came);
        self.cut |= kept < said.len();
        room - kept
    }

    /// Counts bytes that are not kept, since nothing was said with them.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.put_off(bytes);
        self.bytes = self.bytes.saturating_add(std::mem::take(&mut self.pending));
    }

    /// Counts them once something more comes: by themselves they are not worth a report.
    pub(crate) fn put_off(&mut self, bytes: usize) {
        self.pending = self.pending.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes == 0 && self.payload.is_empty()
    }

    /// Bytes that came, and no fewer than are kept: what was packed counts as what it was.
    fn bytes(&self) -> u64 {
        u64::from(self.bytes).max(self.payload.len() as u64)
    }
}

/// Adds what the recognisers saw to what the trap has noted, whose own facts stay; gives the rest.
pub(crate) fn add(Sight { marks, facts, bait }: Sight, findings: &mut Findings) -> Marks {
    for (name, fact) in facts {
        if findings.fields.len() < FIELDS_MAX {
            findings.fields.entry(name.to_owned()).or_insert(fact);
        }
    }
    findings.signs |= if bait { Signs::BAIT } else { Signs::empty() };
    marks
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
    pub(crate) async fn tell(&mut self, transcript: Transcript, findings: &Findings, marks: Option<&Marks>) {
        let signs = findings.signs | if transcript.cut { Signs::TRUNCATED } else { Signs::empty() };
        let body = wire::body(findings, marks, &transcript.payload);
        let packets = wire::packets(self.session, transcript.bytes(), signs, &body);
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
        transcript.put_off(30);
        assert_eq!(transcript.bytes(), 3, "nothing more was said");
        assert_eq!(transcript.take(b"defg", room), 0);
        assert_eq!((transcript.payload.as_slice(), transcript.bytes(), transcript.cut), (b"abcde".as_slice(), 37, true));
        assert_eq!(transcript.take(b"", 0), 0);
        let mut packed = Transcript::default();
        packed.take_said(2, b"unpacked", 100);
        assert_eq!((packed.bytes(), packed.is_empty()), (8, false));
    }
}

//! What was heard in a session, and how the process that plays tells it.

use crate::{line::Pipe, wire};
use honeymesh_detect::Sight;
use honeymesh_trap_proto::{FIELDS_MAX, Findings};
use honeymesh_types::{Marks, SessionId, Signs};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::timeout;

/// How long a session waits for room in a full pipe before it goes on, its report still to be told.
pub(crate) const REPORT_WAIT_MS: u32 = 250;
pub(crate) const REPORT_WAIT: Duration = Duration::from_millis(REPORT_WAIT_MS as u64);
/// How long the daemon waits for room in its own queue before it gives a report up. Meanwhile the pipe fills, and whoever plays keeps what
/// it cannot tell.
pub(crate) const VISIT_WAIT: Duration = Duration::from_secs(5);
/// Reports that a session keeps until there is room; further ones are given up, and counted.
pub(crate) const KEPT_REPORTS_MAX: u8 = 16;
/// What those of all sessions may hold, in octets; one that does not fit is given up, and counted.
pub(crate) const KEPT_BYTES_MAX: usize = 4 << 20;
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

    /// Takes over what another one has.
    pub(crate) fn append(&mut self, other: Self) {
        self.payload.extend_from_slice(&other.payload);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.pending = self.pending.saturating_add(other.pending);
        self.cut |= other.cut;
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

/// One that found no room yet.
#[derive(Debug)]
struct Kept {
    bytes: u64,
    signs: Signs,
    body: Vec<u8>,
    shelf: Arc<AtomicUsize>,
}

impl Kept {
    /// Gives nothing if there is no room left for it among those of all sessions.
    fn new(bytes: u64, signs: Signs, body: Vec<u8>, shelf: &Arc<AtomicUsize>) -> Option<Self> {
        let fits = |held: usize| held.checked_add(body.len()).filter(|held| *held <= KEPT_BYTES_MAX);
        shelf.try_update(Relaxed, Relaxed, fits).ok()?;
        Some(Self { bytes, signs, body, shelf: Arc::clone(shelf) })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.shelf.fetch_sub(self.body.len(), Relaxed);
    }
}

/// Those of one session, in order.
#[derive(Debug, Default)]
struct Shelf(VecDeque<Kept>);

/// Tells of one session, or of one datagram.
#[derive(Debug)]
pub(crate) struct Teller {
    session: u64,
    pub(crate) pipe: Arc<Pipe>,
    /// In milliseconds.
    wait_ms: u32,
    lost: u32,
    kept_max: u8,
    /// Those that found no room. Nearly always there are none, and a session that waits is to be small.
    kept: Option<Box<Shelf>>,
}

impl Teller {
    /// Of a session: what finds no room is kept until there is some, within bounds.
    pub(crate) const fn of_session(session: u64, pipe: Arc<Pipe>, wait_ms: u32) -> Self {
        Self { session, pipe, wait_ms, lost: 0, kept_max: KEPT_REPORTS_MAX, kept: None }
    }

    /// Of a datagram, of which nothing is expected any more after a while: what finds no room is given up.
    pub(crate) const fn of_datagram(number: u64, pipe: Arc<Pipe>) -> Self {
        Self { session: number, pipe, wait_ms: REPORT_WAIT_MS, lost: 0, kept_max: 0, kept: None }
    }

    /// Of which session it tells.
    pub(crate) const fn session(&self) -> u64 {
        self.session
    }

    /// Reports, and waits a bounded time for room; what finds none is told with the next, or at the end. What there is no room to keep
    /// is counted, and its number told at the end.
    pub(crate) async fn tell(&mut self, transcript: Transcript, findings: &Findings, marks: Option<&Marks>) {
        let signs = findings.signs | if transcript.cut { Signs::TRUNCATED } else { Signs::empty() };
        let body = wire::body(findings, marks, &transcript.payload);
        let bytes = transcript.bytes();
        let wait = Duration::from_millis(self.wait_ms.into());
        let told = async {
            self.tell_kept().await?;
            self.pipe.write(wire::packets(self.session, bytes, signs, &body)).await
        };
        if !matches!(timeout(wait, told).await, Ok(Ok(()))) {
            self.keep(bytes, signs, body);
        }
    }

    fn keep(&mut self, bytes: u64, signs: Signs, body: Vec<u8>) {
        let is_full = self.kept.as_ref().map_or(0, |kept| kept.0.len()) >= usize::from(self.kept_max);
        match if is_full { None } else { Kept::new(bytes, signs, body, self.pipe.shelf()) } {
            Some(report) => self.kept.get_or_insert_default().0.push_back(report),
            None => self.lost = self.lost.saturating_add(1),
        }
    }

    /// Tells those that were kept. If the waiting is given up, each is either told or still kept.
    async fn tell_kept(&mut self) -> io::Result<()> {
        while let Some(Kept { bytes, signs, body, .. }) = self.kept.as_ref().and_then(|kept| kept.0.front()) {
            self.pipe.write(wire::packets(self.session, *bytes, *signs, body)).await?;
            self.kept.as_mut().and_then(|kept| kept.0.pop_front());
        }
        self.kept = None;
        Ok(())
    }

    /// The session is over: waits for room as long as it takes, for until then it counts as open.
    pub(crate) async fn over(mut self, fault: &str) {
        let _unless_nobody_reads = self.tell_kept().await;
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

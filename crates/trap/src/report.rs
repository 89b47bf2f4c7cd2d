//! Hands visits over: bounded in memory and in time.

use crate::status::{Counters, count};
use honeymesh_trap_proto::Findings;
use honeymesh_types::{Now, SessionId, Signs, Transport, Visit};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How long a session waits for room in a full channel before it gives the report up.
pub(crate) const REPORT_WAIT: Duration = Duration::from_millis(250);

/// Where reports go.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    pub(crate) visits: mpsc::Sender<Visit>,
    pub(crate) clock: fn() -> Now,
    pub(crate) counters: Arc<Counters>,
    pub(crate) wait: Duration,
    /// The service that is played.
    pub(crate) played: &'static str,
    /// What is true of every report.
    pub(crate) signs: Signs,
}

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

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

impl Outlet {
    /// Reports, and waits a bounded time for room.
    pub(crate) async fn tell(&self, stranger: &Stranger, transcript: Transcript, findings: Findings) {
        let visit = self.visit(stranger, transcript, findings);
        self.told(self.visits.send_timeout(visit, self.wait).await.is_ok());
    }

    /// Reports if there is room: for those who were not let in, and must not hold up the others.
    pub(crate) fn tell_now(&self, stranger: &Stranger) {
        let visit = self.visit(stranger, Transcript::default(), Findings::default());
        self.told(self.visits.try_send(visit).is_ok());
    }

    fn told(&self, taken: bool) {
        count(if taken { &self.counters.reports } else { &self.counters.reports_lost });
    }

    fn visit(&self, stranger: &Stranger, transcript: Transcript, findings: Findings) -> Visit {
        let cut = if transcript.cut { Signs::TRUNCATED } else { Signs::empty() };
        Visit {
            at: (self.clock)(),
            session: stranger.session,
            trap: self.counters.name.clone(),
            service: self.played.to_string(),
            source: stranger.source,
            local: stranger.local,
            transport: Transport::Tcp,
            payload: transcript.payload,
            bytes: transcript.bytes,
            signs: findings.signs | cut | self.signs,
            fields: findings.fields,
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_report_nobody_takes_is_given_up_and_counted() {
        let (visits, mut taken) = mpsc::channel(1);
        let counters = Arc::new(Counters::default());
        let counters_of = Arc::clone(&counters);
        let outlet =
            Outlet { visits, clock: Now::default, counters: counters_of, wait: REPORT_WAIT, played: "t", signs: Signs::empty() };
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let stranger = Stranger { session: SessionId(1), source: nowhere, local: nowhere };
        outlet.tell(&stranger, Transcript::default(), Findings::default()).await;
        outlet.tell(&stranger, Transcript::default(), Findings::default()).await;
        outlet.tell_now(&stranger);
        let told = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!((told(&counters.reports), told(&counters.reports_lost)), (1, 2));
        assert!(taken.recv().await.is_some());
    }
}

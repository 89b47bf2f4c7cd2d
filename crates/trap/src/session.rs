//! One connection from its first byte to its last report.

use crate::{
    Limits,
    limits::Pass,
    report::{Outlet, Stranger, Transcript},
    status::count,
};
use honeymesh_trap_proto::{Findings, Flow, Session, Step};
use honeymesh_types::{Now, Signs};
use std::{
    io::{self, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

/// Bytes taken from the socket at once; the buffer lives only while there is something to read.
const READ_BYTES_MAX: usize = 4 * 1_024;
/// Bytes of one session, captured or not; more end it.
const SESSION_BYTES_MAX: u64 = 4 * 1_024 * 1_024;
/// How long the first report waits for something to tell. Whoever connects and stays silent or drips is told by then,
/// with what there is: its ban must not wait for the deadline that it sits out.
const FIRST_REPORT_WAIT: Duration = Duration::from_secs(2);
/// Reports of one session while it talks; one more follows at its end.
const REPORTS_MAX: usize = 256;
/// How long and how much is read and thrown away after the last answer, so that it arrives before the reset that
/// unread bytes cause.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1_024;

/// A session with everything it needs.
pub(crate) struct Conversation {
    pub(crate) stream: TcpStream,
    pub(crate) session: Box<dyn Session>,
    pub(crate) stranger: Stranger,
    pub(crate) outlet: Outlet,
    pub(crate) limits: Limits,
    pub(crate) stop: watch::Receiver<()>,
    pub(crate) pass: Pass,
}

/// What is known of the session so far.
struct Progress {
    transcript: Transcript,
    capture_room: usize,
    bytes: u64,
    reports: usize,
    first_report_by: Instant,
    ends: Instant,
}

impl Progress {
    fn take(&mut self, bytes: &[u8]) {
        self.capture_room = self.transcript.take(bytes, self.capture_room);
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The stranger closed, or the connection broke.
    Gone,
    /// The stranger took too long.
    Deadline,
    /// The protocol, or a limit, ended it.
    Ours,
    /// The traps are closing.
    Stopped,
    /// The stranger was banned meanwhile.
    Dismissed,
}

impl Conversation {
    /// Talks until somebody ends it. Whoever connected is reported at least once.
    pub(crate) async fn hold(mut self) {
        let counters = Arc::clone(&self.outlet.counters);
        count(&counters.sessions);
        let _open = Open::new(&counters.active);
        let mut progress = Progress {
            transcript: Transcript::default(),
            capture_room: self.limits.capture_bytes_max,
            bytes: 0,
            reports: 0,
            first_report_by: Instant::now() + FIRST_REPORT_WAIT,
            ends: Instant::now() + self.limits.session_deadline,
        };
        let end = self.talk(&mut progress).await;
        self.last_report(&mut progress, end).await;
        if end == End::Ours {
            self.linger().await;
        }
        drop(self.pass);
    }

    async fn talk(&mut self, progress: &mut Progress) -> End {
        let mut answer = Vec::new();
        let flow = self.guarded(|session| session.open(&mut answer)).unwrap_or(Flow::Close);
        if let Err(end) = self.follow(flow, &mut answer, progress).await {
            return end;
        }
        loop {
            if let Err(end) = self.wait(progress).await {
                return end;
            }
            let Some(bytes) = self.read() else { return End::Gone };
            if let Err(end) = self.heard(&bytes, &mut answer, progress).await {
                return end;
            }
        }
    }

    /// Waits for bytes, a deadline, a dismissal or the end of the traps.
    async fn wait(&mut self, progress: &mut Progress) -> Result<(), End> {
        let deadline = progress.ends.min(Instant::now() + self.limits.read_deadline);
        if progress.reports == 0 && progress.first_report_by < deadline {
            match self.ready_by(progress.first_report_by).await {
                Err(End::Deadline) => self.report(progress).await,
                ready => return ready,
            }
        }
        self.ready_by(deadline).await
    }

    async fn ready_by(&mut self, deadline: Instant) -> Result<(), End> {
        tokio::select! {
            ready = timeout_at(deadline, self.stream.readable()) => match ready {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(End::Gone),
                Err(_) => Err(End::Deadline),
            },
            _ = self.stop.changed() => Err(End::Stopped),
            () = self.pass.dismissed() => Err(End::Dismissed),
        }
    }

    /// What there is to read, which may be nothing yet; `None` at the end. The buffer is not kept across an await:
    /// a thousand idle sessions hold none.
    fn read(&self) -> Option<Vec<u8>> {
        let mut buffer = [0_u8; READ_BYTES_MAX];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => None,
            Ok(length) => Some(buffer[..length].to_vec()),
            Err(error) => (error.kind() == ErrorKind::WouldBlock).then(Vec::new),
        }
    }

    async fn heard(&mut self, bytes: &[u8], answer: &mut Vec<u8>, progress: &mut Progress) -> Result<(), End> {
        self.outlet.counters.bytes.fetch_add(bytes.len() as u64, Relaxed);
        progress.bytes += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let now: Now = (self.outlet.clock)();
            let step = self.guarded(|session| session.receive(rest, now.wall, answer));
            // A session that broke is closed; what broke it is kept.
            let step = step.unwrap_or(Step { taken: rest.len(), flow: Flow::Close });
            let taken = if step.flow == Flow::Close { rest.len() } else { step.taken.clamp(1, rest.len()) };
            let (heard, left) = rest.split_at(taken);
            progress.take(heard);
            if let Err(end) = self.follow(step.flow, answer, progress).await {
                // Read but not heard any more: still evidence.
                progress.take(left);
                return Err(end);
            }
            rest = left;
        }
        if progress.bytes >= SESSION_BYTES_MAX { Err(End::Ours) } else { Ok(()) }
    }

    /// Does what the protocol wants, in the order that matters: report, then answer.
    async fn follow(&mut self, flow: Flow, answer: &mut Vec<u8>, progress: &mut Progress) -> Result<(), End> {
        if flow != Flow::Continue {
            self.report(progress).await;
        }
        self.write(answer, progress.ends).await?;
        match flow {
            Flow::Close => Err(End::Ours),
            Flow::Telling if progress.reports >= REPORTS_MAX => Err(End::Ours),
            Flow::Telling | Flow::Continue => Ok(()),
        }
    }

    async fn write(&mut self, answer: &mut Vec<u8>, ends: Instant) -> Result<(), End> {
        if answer.is_empty() {
            return Ok(());
        }
        let deadline = ends.min(Instant::now() + self.limits.write_deadline);
        let written = timeout_at(deadline, self.stream.write_all(answer)).await;
        answer.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            // What was read before the connection broke may still be there: reading finds the end by itself.
            Ok(Err(error)) if is_half_closed(&error) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Deadline),
        }
    }

    async fn report(&mut self, progress: &mut Progress) {
        let findings = self.guarded(|session| session.findings()).unwrap_or_default();
        self.tell(progress, findings).await;
    }

    async fn tell(&mut self, progress: &mut Progress, findings: Findings) {
        progress.reports += 1;
        self.outlet.tell(&self.stranger, std::mem::take(&mut progress.transcript), findings).await;
    }

    /// Tells what was not told yet; a session of which nothing was told is told in any case.
    async fn last_report(&mut self, progress: &mut Progress, end: End) {
        let _ = self.guarded(|session| session.end());
        let mut findings = self.guarded(|session| session.findings()).unwrap_or_default();
        if end == End::Deadline && progress.bytes == 0 {
            findings.signs |= Signs::SILENT;
        }
        if progress.reports == 0 || !progress.transcript.is_empty() || !findings.is_empty() {
            self.tell(progress, findings).await;
        }
    }

    /// Calls the protocol so that a fault in it costs this session only; `None` if there was one. What the
    /// stranger sent is reported all the same, as malformed.
    fn guarded<T>(&mut self, call: impl FnOnce(&mut dyn Session) -> T) -> Option<T> {
        let session = &mut self.session;
        let outcome = catch_unwind(AssertUnwindSafe(|| call(session.as_mut())));
        if outcome.is_err() {
            count(&self.outlet.counters.panics);
            tracing::error!(trap = %self.outlet.counters.name, "a trap's protocol broke; its session is closed");
            self.session = Box::new(Broken);
        }
        outcome.ok()
    }

    async fn linger(&mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let drain = async {
            let mut left = LINGER_BYTES_MAX;
            while left > 0 && self.stream.readable().await.is_ok() {
                match self.stream.try_read(&mut [0; READ_BYTES_MAX]) {
                    Ok(0) => break,
                    Ok(length) => left = left.saturating_sub(length),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
        };
        tokio::select! {
            _ = timeout(LINGER, drain) => {}
            _ = self.stop.changed() => {}
            () = self.pass.dismissed() => {}
        }
    }
}

/// The stranger does not read any more, but may have written.
fn is_half_closed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// Takes the place of a session that broke.
struct Broken;

impl Session for Broken {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Close
    }

    fn receive(&mut self, bytes: &[u8], _now: honeymesh_types::WallTime, _answer: &mut Vec<u8>) -> Step {
        Step { taken: bytes.len(), flow: Flow::Close }
    }

    fn end(&mut self) {}

    fn findings(&mut self) -> Findings {
        Findings { signs: Signs::MALFORMED, ..Findings::default() }
    }
}

/// Counts a session as open while it lives, whatever ends it.
struct Open<'a>(&'a std::sync::atomic::AtomicU64);

impl<'a> Open<'a> {
    fn new(active: &'a std::sync::atomic::AtomicU64) -> Self {
        active.fetch_add(1, Relaxed);
        Self(active)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::{Dismisser, Entry, Gate},
        report::REPORT_WAIT,
        status::Counters,
    };
    use honeymesh_types::{SessionId, Visit, WallTime};
    use tokio::{
        io::AsyncReadExt,
        net::TcpListener,
        sync::mpsc::{Receiver, channel},
        task::JoinHandle,
    };

    /// Tells every byte, answers it with itself, breaks at `!` and closes at `.`. Talks without end at `?`.
    struct Echo;

    impl Session for Echo {
        fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
            answer.extend_from_slice(b">");
            Flow::Continue
        }

        fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
            assert_ne!(bytes[0], b'!', "a fault, as the test wants it");
            if bytes[0] == b'?' {
                answer.extend_from_slice(&[b'x'; 16 * 1_024]);
                return Step { taken: 1, flow: Flow::Continue };
            }
            answer.push(bytes[0]);
            Step { taken: 1, flow: if bytes[0] == b'.' { Flow::Close } else { Flow::Telling } }
        }

        fn end(&mut self) {}

        fn findings(&mut self) -> Findings {
            Findings::default()
        }
    }

    struct Held {
        client: TcpStream,
        visits: Receiver<Visit>,
        counters: Arc<Counters>,
        task: JoinHandle<()>,
        stop: Option<watch::Sender<()>>,
        dismisser: Dismisser,
    }

    async fn hold(room: usize, wait: Duration, limits: Limits) -> Held {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, source) = listener.accept().await.unwrap();
        let gate = Gate::new(&limits);
        let Entry::Admitted(pass) = gate.enter(source.ip()) else { panic!("no room") };
        let (sender, visits) = channel(room);
        let (stop, stopped) = watch::channel(());
        let counters = Arc::new(Counters::default());
        let conversation = Conversation {
            stranger: Stranger { session: SessionId(1), source, local: stream.local_addr().unwrap() },
            stream,
            session: Box::new(Echo),
            outlet: Outlet {
                visits: sender,
                clock: Now::default,
                counters: Arc::clone(&counters),
                wait,
                played: "t",
                signs: Signs::empty(),
            },
            limits,
            stop: stopped,
            pass,
        };
        Held { client, visits, counters, task: tokio::spawn(conversation.hold()), stop: Some(stop), dismisser: Dismisser(gate) }
    }

    async fn read(client: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        client.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn a_report_leaves_before_its_answer() {
        let mut held = hold(1, Duration::from_secs(3_600), Limits::default()).await;
        assert_eq!(read(&mut held.client, 1).await, b">");
        held.client.write_all(b"ab").await.unwrap();
        assert_eq!(read(&mut held.client, 1).await, b"a", "its report has found room");
        let unanswered = timeout(Duration::from_millis(50), held.client.read_u8()).await;
        assert!(unanswered.is_err(), "no answer to `b` while its report waits");
        assert_eq!(held.visits.recv().await.unwrap().payload, b"a");
        assert_eq!(held.visits.recv().await.unwrap().payload, b"b");
        assert_eq!(read(&mut held.client, 1).await, b"b");
    }

    #[tokio::test]
    async fn a_session_that_breaks_is_reported_and_costs_only_itself() {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(b"a!xyz").await.unwrap();
        assert_eq!(held.visits.recv().await.unwrap().payload, b"a");
        let broken = held.visits.recv().await.unwrap();
        assert_eq!((broken.payload.as_slice(), broken.signs), (b"!xyz".as_slice(), Signs::MALFORMED));
        assert_eq!(read(&mut held.client, 2).await, b">a");
        assert_eq!(held.client.read(&mut [0; 8]).await.unwrap(), 0, "and closed");
        drop(held.client);
        held.task.await.unwrap();
        assert_eq!((held.counters.panics.load(Relaxed), held.counters.active.load(Relaxed)), (1, 0));
    }

    #[tokio::test]
    async fn the_last_answer_arrives_although_more_was_sent() {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(&[b".".as_slice(), &[b'x'; 10_000]].concat()).await.unwrap();
        let mut answer = Vec::new();
        held.client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b">.");
        assert!(held.visits.recv().await.unwrap().bytes > 0);
    }

    #[tokio::test]
    async fn the_capture_is_bounded_over_all_reports_of_a_session() {
        let mut held = hold(64, REPORT_WAIT, Limits { capture_bytes_max: 3, ..Limits::default() }).await;
        held.client.write_all(b"abcde").await.unwrap();
        let mut told = Vec::new();
        for _ in 0..5 {
            let visit = held.visits.recv().await.unwrap();
            told.push((visit.payload, visit.bytes, visit.signs.contains(Signs::TRUNCATED)));
        }
        assert_eq!(told[2], (b"c".to_vec(), 1, false));
        assert_eq!(told[3..], [(vec![], 1, true), (vec![], 1, true)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stranger_is_told_long_before_its_deadline() {
        let begun = Instant::now();
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        let first = held.visits.recv().await.unwrap();
        assert_eq!((first.bytes, first.signs, begun.elapsed().as_secs()), (0, Signs::empty(), 2));
        let last = held.visits.recv().await.unwrap();
        assert_eq!((last.session, last.signs, begun.elapsed().as_secs()), (first.session, Signs::SILENT, 30));
        held.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_session_has_a_last_report() {
        let mut held = hold(REPORTS_MAX * 2, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(&[b'x'; REPORTS_MAX + 50]).await.unwrap();
        let mut reports = 0;
        while held.visits.recv().await.is_some() {
            reports += 1;
        }
        assert_eq!(reports, REPORTS_MAX + 1);
    }

    #[tokio::test]
    async fn an_open_session_is_told_when_the_traps_close() {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        assert_eq!(read(&mut held.client, 1).await, b">");
        held.stop = None;
        let visit = held.visits.recv().await.unwrap();
        assert_eq!((visit.bytes, visit.signs), (0, Signs::empty()));
        held.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_dismissed_stranger_is_told_and_left_after_its_answer() {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(b"a").await.unwrap();
        assert_eq!(held.visits.recv().await.unwrap().payload, b"a");
        held.dismisser.dismiss(&"127.0.0.1".parse().unwrap());
        let mut answer = Vec::new();
        held.client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b">a", "what was under way is finished, and nothing more is heard");
        held.task.await.unwrap();
        assert!(held.visits.recv().await.is_none(), "all was told before");
    }

    #[tokio::test]
    async fn a_stranger_that_takes_no_answer_is_left() {
        let limits = Limits { write_deadline: Duration::from_millis(50), ..Limits::default() };
        let mut held = hold(8, REPORT_WAIT, limits).await;
        // Nothing is read, so the answers fill both socket buffers.
        let flood = async { while held.client.write_all(&[b'?'; 1_024]).await.is_ok() {} };
        tokio::select! {
            ended = &mut held.task => ended.unwrap(),
            () = flood => held.task.await.unwrap(),
        }
        let sent = held.counters.bytes.load(Relaxed);
        assert!(sent < SESSION_BYTES_MAX, "ended by its deadline, not by the {sent} bytes it took");
        assert_eq!(held.visits.recv().await.unwrap().bytes, sent);
    }
}

//! One connection from its first byte to its last report.

use crate::{
    Limits,
    broken::Broken,
    report::{REPORTS_MAX, SESSION_BYTES_MAX, Teller, Transcript},
    tls::{REFUSAL, Tls},
};
use honeymesh_trap_proto::{Findings, Flow, Session, Step};
use honeymesh_types::{Signs, WallTime};
use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::oneshot,
    time::{Instant, sleep_until, timeout, timeout_at},
};

/// Bytes taken from the socket at once; the buffer lives only while there is something to read.
const READ_BYTES_MAX: usize = 4 * 1_024;
/// How long the first report waits for something to tell. Whoever connects and stays silent or drips is told by then,
/// with what there is: its ban must not wait for the deadline that it sits out.
const FIRST_REPORT_WAIT: Duration = Duration::from_secs(2);
/// How long and how much is read and thrown away after the last answer, so that it arrives before the reset that
/// unread bytes cause.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1_024;

/// A session with everything it needs.
pub(crate) struct Conversation {
    pub(crate) stream: TcpStream,
    pub(crate) session: Box<dyn Session>,
    pub(crate) teller: Teller,
    pub(crate) limits: Limits,
    /// Without it, TLS is refused.
    pub(crate) tls: Option<Tls>,
    /// Ready once the stranger is dismissed, or once the traps close and whoever could dismiss it is gone.
    pub(crate) dismissed: oneshot::Receiver<()>,
}

/// What is known of the session so far.
struct Progress {
    transcript: Transcript,
    capture_room: usize,
    bytes: u64,
    reports: usize,
    first_report_by: Instant,
    ends: Instant,
    /// Where the protocol broke.
    fault: String,
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
    pub(crate) async fn hold(mut self: Box<Self>) {
        let mut progress = Progress {
            transcript: Transcript::default(),
            capture_room: self.limits.capture_bytes_max,
            bytes: 0,
            reports: 0,
            first_report_by: Instant::now() + FIRST_REPORT_WAIT,
            ends: Instant::now() + self.limits.session_deadline,
            fault: String::new(),
        };
        let end = self.talk(&mut progress).await;
        Box::pin(self.leave(progress, end)).await;
    }

    /// Whatever is done besides waiting is boxed for as long as it takes: thousands that only wait hold no room for it.
    async fn talk(&mut self, progress: &mut Progress) -> End {
        if let Err(end) = Box::pin(self.greet(progress)).await {
            return end;
        }
        loop {
            if let Err(end) = self.wait(progress).await {
                return end;
            }
            if let Err(end) = Box::pin(self.read_and_answer(progress)).await {
                return end;
            }
        }
    }

    async fn greet(&mut self, progress: &mut Progress) -> Result<(), End> {
        let mut answer = Vec::new();
        let flow = self.guarded(progress, |session| session.open(&mut answer)).unwrap_or(Flow::Close);
        self.follow(flow, &mut answer, progress).await
    }

    async fn read_and_answer(&mut self, progress: &mut Progress) -> Result<(), End> {
        let Some(bytes) = self.read() else { return Err(End::Gone) };
        self.heard(&bytes, &mut Vec::new(), progress).await
    }

    async fn leave(mut self: Box<Self>, mut progress: Progress, end: End) {
        self.last_report(&mut progress, end).await;
        if end == End::Ours {
            self.linger().await;
        }
        drop(self.stream);
        self.teller.over(&progress.fault).await;
    }

    /// Waits for bytes, a deadline, a dismissal or the end of the traps.
    async fn wait(&mut self, progress: &mut Progress) -> Result<(), End> {
        let deadline = progress.ends.min(Instant::now() + self.limits.read_deadline);
        if progress.reports == 0 && progress.first_report_by < deadline {
            match self.ready_by(progress.first_report_by).await {
                Err(End::Deadline) => Box::pin(self.report(progress)).await,
                ready => return ready,
            }
        }
        self.ready_by(deadline).await
    }

    async fn ready_by(&mut self, deadline: Instant) -> Result<(), End> {
        // By hand, because what an idle session holds is what thousands hold: a future for each of these is three times as large.
        let mut sleep = pin!(sleep_until(deadline));
        poll_fn(|context| {
            if let Poll::Ready(end) = self.poll_dismissed(context) {
                return Poll::Ready(Err(end));
            }
            match self.stream.poll_read_ready(context) {
                Poll::Ready(ready) => Poll::Ready(ready.map_err(|_| End::Gone)),
                Poll::Pending => sleep.as_mut().poll(context).map(|()| Err(End::Deadline)),
            }
        })
        .await
    }

    /// Ready once, when it is to end: nobody asks again after that.
    fn poll_dismissed(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let dismissal = Pin::new(&mut self.dismissed).poll(context);
        dismissal.map(|dismissal| if dismissal.is_ok() { End::Dismissed } else { End::Stopped })
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
        progress.bytes += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let step = self.guarded(progress, |session| session.receive(rest, wall(), answer));
            // A session that broke is closed; what broke it is kept.
            let step = step.unwrap_or(Step { taken: rest.len(), flow: Flow::Close });
            let taken = if step.flow == Flow::Close { rest.len() } else { step.taken.clamp(1, rest.len()) };
            let (heard, left) = rest.split_at(taken);
            self.keep(heard, progress);
            if let Err(end) = self.go_on(step.flow, answer, progress).await {
                // Read but not heard any more: still evidence.
                progress.take(left);
                return Err(end);
            }
            rest = left;
        }
        if progress.bytes >= SESSION_BYTES_MAX { Err(End::Ours) } else { Ok(()) }
    }

    /// Keeps what was said with `heard`, which may be something else than `heard` itself. A handshake counts as said until the
    /// first report, so that whoever began one is known to have spoken.
    fn keep(&mut self, heard: &[u8], progress: &mut Progress) {
        match self.guarded(progress, |session| session.said()).flatten() {
            None => progress.take(heard),
            Some(said) if !said.is_empty() => progress.take(&said),
            Some(_) if progress.reports == 0 => progress.transcript.count(heard.len()),
            Some(_) => {}
        }
    }

    /// Does what the protocol wants, and what it put off until that was done.
    async fn go_on(&mut self, flow: Flow, answer: &mut Vec<u8>, progress: &mut Progress) -> Result<(), End> {
        self.follow(flow, answer, progress).await?;
        while let Some(flow) = self.guarded(progress, |session| session.resume(wall(), answer)).flatten() {
            self.keep(&[], progress);
            self.follow(flow, answer, progress).await?;
        }
        Ok(())
    }

    /// From the next byte on it is TLS: whoever cannot speak it says so, and closes.
    async fn start_tls(&mut self, answer: &mut Vec<u8>, progress: &mut Progress) -> Result<(), End> {
        let Some(tls) = &self.tls else {
            self.report(progress).await;
            answer.extend_from_slice(&REFUSAL);
            self.write(answer, progress.ends).await?;
            return Err(End::Ours);
        };
        let plain = std::mem::replace(&mut self.session, Box::new(Broken(Signs::empty())));
        self.session = tls.around(plain);
        Ok(())
    }

    /// Does what the protocol wants, in the order that matters: report, then answer.
    async fn follow(&mut self, flow: Flow, answer: &mut Vec<u8>, progress: &mut Progress) -> Result<(), End> {
        if matches!(flow, Flow::Telling | Flow::Close) {
            self.report(progress).await;
        }
        self.write(answer, progress.ends).await?;
        match flow {
            Flow::StartTls => self.start_tls(answer, progress).await,
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
        let findings = self.guarded(progress, |session| session.findings()).unwrap_or_default();
        self.tell(progress, findings).await;
    }

    async fn tell(&mut self, progress: &mut Progress, findings: Findings) {
        progress.reports += 1;
        self.teller.tell(std::mem::take(&mut progress.transcript), &findings).await;
    }

    /// Tells what was not told yet; a session of which nothing was told is told in any case.
    async fn last_report(&mut self, progress: &mut Progress, end: End) {
        let _ = self.guarded(progress, |session| session.end());
        let mut findings = self.guarded(progress, |session| session.findings()).unwrap_or_default();
        if end == End::Deadline && progress.bytes == 0 {
            findings.signs |= Signs::SILENT;
        }
        if progress.reports == 0 || !progress.transcript.is_empty() || !findings.is_empty() {
            self.tell(progress, findings).await;
        }
    }

    /// Calls the protocol so that a fault in it costs this session only; `None` if there was one. What the
    /// stranger sent is reported all the same, as malformed.
    fn guarded<T>(&mut self, progress: &mut Progress, call: impl FnOnce(&mut dyn Session) -> T) -> Option<T> {
        let session = &mut self.session;
        let outcome = catch_unwind(AssertUnwindSafe(|| call(session.as_mut())));
        if outcome.is_err() {
            progress.fault = fault();
            self.session = Box::new(Broken(Signs::MALFORMED));
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
            _ = &mut self.dismissed => {}
        }
    }
}

/// The stranger does not read any more, but may have written.
fn is_half_closed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

thread_local! {
    static FAULT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Where the panic was that has just been caught.
pub(crate) fn fault() -> String {
    FAULT.with(RefCell::take).unwrap_or_else(|| "at a place that nobody noted".to_owned())
}

/// From now on the place of a panic is noted for the session's last word, and nothing is printed: the words of a panic may have
/// a stranger's bytes in them, and where they are printed may be full.
pub fn note_faults() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        FAULT.with(|fault| *fault.borrow_mut() = place);
    }));
}

/// Only dates answers.
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    WallTime(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        line::{Heard, lines},
        report::REPORT_WAIT,
        wire::{Evidence, PACKET_BYTES_MAX, read_body},
    };
    use std::sync::Arc;
    use tokio::{io::AsyncReadExt, net::TcpListener, task::JoinHandle};

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
        heard: Heard,
        task: JoinHandle<()>,
        dismissal: Option<oneshot::Sender<()>>,
    }

    /// What was told, in one packet each.
    #[derive(Debug, PartialEq, Eq)]
    enum Told {
        Report { payload: Vec<u8>, bytes: u64, signs: Signs },
        Over { lost: u32, fault: String },
    }

    impl Held {
        async fn told(&self) -> Told {
            let mut packet = [0; PACKET_BYTES_MAX];
            let length = self.heard.next(&mut packet).await.unwrap().expect("the session is dropped");
            match Evidence::read(&packet[..length]).unwrap() {
                Evidence::Report { head, part } if head.body as usize == part.len() => {
                    let (findings, payload) = read_body(head.signs, part).unwrap();
                    Told::Report { payload, bytes: head.bytes, signs: findings.signs }
                }
                Evidence::Over { lost, fault, .. } => Told::Over { lost, fault: String::from_utf8(fault.to_vec()).unwrap() },
                other => panic!("{other:?}"),
            }
        }

        async fn payload(&self) -> Vec<u8> {
            match self.told().await {
                Told::Report { payload, .. } => payload,
                over @ Told::Over { .. } => panic!("{over:?}"),
            }
        }

        async fn reports(&self) -> Vec<Told> {
            let mut reports = Vec::new();
            loop {
                match self.told().await {
                    Told::Over { .. } => return reports,
                    report @ Told::Report { .. } => reports.push(report),
                }
            }
        }
    }

    fn is_over() -> Told {
        Told::Over { lost: 0, fault: String::new() }
    }

    /// A session whose pipe has room for so many packets.
    async fn hold(room: usize, wait: Duration, limits: Limits) -> Held {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (daemon, rooms) = lines().unwrap();
        let (admissions, evidence) = rooms.into_descriptors();
        rustix::pipe::fcntl_setpipe_size(&evidence, room * PACKET_BYTES_MAX).unwrap();
        let (_inward, heard) = daemon.listen().unwrap();
        let (_, pipe) = crate::RoomLine::of(admissions, evidence).listen().unwrap();
        let (dismissal, dismissed) = oneshot::channel();
        let teller = Teller { session: 1, pipe: Arc::new(pipe), wait, lost: 0 };
        let session = Box::new(Echo);
        let conversation = Box::new(Conversation { stream, session, teller, limits, tls: None, dismissed });
        Held { client, heard, task: tokio::spawn(conversation.hold()), dismissal: Some(dismissal) }
    }

    async fn read(client: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        client.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn a_session_that_waits_is_small() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (daemon, rooms) = lines().unwrap();
        let _inward = daemon.listen().unwrap();
        let (_, pipe) = rooms.listen().unwrap();
        let teller = Teller { session: 1, pipe: Arc::new(pipe), wait: REPORT_WAIT, lost: 0 };
        let (_dismissal, dismissed) = oneshot::channel();
        let limits = Limits::default();
        let session = Box::new(Echo);
        let conversation = Box::new(Conversation { stream: client, session, teller, limits, tls: None, dismissed });
        let held = size_of_val(&*conversation);
        let task = size_of_val(&conversation.hold());
        assert!(held <= 192 && task <= 416, "{held} octets, and {task} for what waits");
    }

    #[tokio::test]
    async fn a_report_leaves_before_its_answer() {
        let mut held = hold(1, Duration::from_secs(3_600), Limits::default()).await;
        assert_eq!(read(&mut held.client, 1).await, b">");
        held.client.write_all(b"ab").await.unwrap();
        assert_eq!(read(&mut held.client, 1).await, b"a", "its report has found room");
        let unanswered = timeout(Duration::from_millis(50), held.client.read_u8()).await;
        assert!(unanswered.is_err(), "no answer to `b` while its report waits");
        assert_eq!(held.payload().await, b"a");
        assert_eq!(held.payload().await, b"b");
        assert_eq!(read(&mut held.client, 1).await, b"b");
    }

    #[tokio::test]
    async fn a_report_that_finds_no_room_is_given_up_and_counted() {
        let mut held = hold(1, Duration::from_millis(20), Limits::default()).await;
        held.client.write_all(b"abc.").await.unwrap();
        assert_eq!(read(&mut held.client, 5).await, b">abc.", "it goes on all the same");
        assert_eq!(held.payload().await, b"a");
        drop(held.client.shutdown().await);
        assert_eq!(held.told().await, Told::Over { lost: 3, fault: String::new() });
    }

    #[tokio::test]
    async fn a_session_that_breaks_is_reported_and_costs_only_itself() {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(b"a!xyz").await.unwrap();
        assert_eq!(held.payload().await, b"a");
        assert_eq!(held.told().await, Told::Report { payload: b"!xyz".to_vec(), bytes: 4, signs: Signs::MALFORMED });
        assert_eq!(read(&mut held.client, 2).await, b">a");
        assert_eq!(held.client.read(&mut [0; 8]).await.unwrap(), 0, "and closed");
        drop(held.client.shutdown().await);
        assert_eq!(held.told().await, Told::Over { lost: 0, fault: "at a place that nobody noted".into() });
        held.task.await.unwrap();
    }

    #[tokio::test]
    async fn the_last_answer_arrives_although_more_was_sent() {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(&[b".".as_slice(), &[b'x'; 10_000]].concat()).await.unwrap();
        let mut answer = Vec::new();
        held.client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b">.");
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = held.heard.next(&mut packet).await.unwrap().unwrap();
        let Some(Evidence::Report { head, .. }) = Evidence::read(&packet[..length]) else { panic!("no report") };
        assert!(head.bytes > 1_000, "what was read and not heard any more is evidence, too: {}", head.bytes);
    }

    #[tokio::test]
    async fn the_capture_is_bounded_over_all_reports_of_a_session() {
        let mut held = hold(64, REPORT_WAIT, Limits { capture_bytes_max: 3, ..Limits::default() }).await;
        held.client.write_all(b"abcde").await.unwrap();
        let mut told = Vec::new();
        for _ in 0..5 {
            told.push(held.told().await);
        }
        let report = |payload: &[u8], signs| Told::Report { payload: payload.to_vec(), bytes: 1, signs };
        assert_eq!(told[2], report(b"c", Signs::empty()));
        assert_eq!(told[3..], [report(b"", Signs::TRUNCATED), report(b"", Signs::TRUNCATED)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stranger_is_told_long_before_its_deadline() {
        let begun = Instant::now();
        let held = hold(8, REPORT_WAIT, Limits::default()).await;
        let nothing = |signs| Told::Report { payload: Vec::new(), bytes: 0, signs };
        assert_eq!((held.told().await, begun.elapsed().as_secs()), (nothing(Signs::empty()), 2));
        assert_eq!((held.told().await, begun.elapsed().as_secs()), (nothing(Signs::SILENT), 30));
        held.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_session_has_a_last_report() {
        let mut held = hold(256, Duration::from_secs(60), Limits::default()).await;
        held.client.write_all(&[b'x'; REPORTS_MAX + 50]).await.unwrap();
        let reports = held.reports().await;
        assert_eq!(reports.len(), REPORTS_MAX + 1);
    }

    #[tokio::test]
    async fn an_open_session_is_told_when_the_traps_close() {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        assert_eq!(read(&mut held.client, 1).await, b">");
        held.dismissal = None;
        assert_eq!(held.told().await, Told::Report { payload: Vec::new(), bytes: 0, signs: Signs::empty() });
        assert_eq!(held.told().await, is_over());
        held.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_dismissed_stranger_is_told_and_left_after_its_answer() {
        let mut held = hold(8, REPORT_WAIT, Limits::default()).await;
        held.client.write_all(b"a").await.unwrap();
        assert_eq!(held.payload().await, b"a");
        held.dismissal.take().unwrap().send(()).unwrap();
        let mut answer = Vec::new();
        held.client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b">a", "what was under way is finished, and nothing more is heard");
        assert_eq!(held.told().await, is_over(), "all was told before");
        held.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_stranger_that_takes_no_answer_is_left() {
        let limits = Limits { write_deadline: Duration::from_millis(50), ..Limits::default() };
        let mut held = hold(256, REPORT_WAIT, limits).await;
        // Nothing is read, so the answers fill both socket buffers.
        let flood = async { while held.client.write_all(&[b'?'; 1_024]).await.is_ok() {} };
        tokio::select! {
            ended = &mut held.task => ended.unwrap(),
            () = flood => held.task.await.unwrap(),
        }
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = held.heard.next(&mut packet).await.unwrap().unwrap();
        let Some(Evidence::Report { head, .. }) = Evidence::read(&packet[..length]) else { panic!("no report") };
        assert!(
            head.bytes > 0 && head.bytes < SESSION_BYTES_MAX,
            "ended by its deadline, not by the {} bytes it took",
            head.bytes
        );
    }
}

//! One connection from its first byte to its last report.

mod drip;
mod errands;

pub(crate) use drip::Drip;

use crate::{
    Limits,
    beside::{Beside, Switchboard},
    broken::{Broken, fault},
    report::{REPORTS_MAX, SESSION_BYTES_MAX, Teller, Transcript, add},
    rules::Eyes,
    tls::{REFUSAL, Tls},
};
use honeymesh_detect::Tally;
use honeymesh_trap_proto::{DELAY_MS_MAX, Findings, Flow, Session, Step, overhear};
use honeymesh_types::{Marks, Signs, WallTime};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};
use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::oneshot,
    time::{Instant, Sleep, sleep_until, timeout, timeout_at},
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
/// What a segment holds on any path: IPv6's least packet (RFC 8200, section 5) without its headers.
const SEGMENT_BYTES: usize = 1_220;

/// What all sessions have in common.
pub(crate) struct Common {
    pub(crate) limits: Limits,
    pub(crate) recogniser: Eyes,
    /// Without it, TLS is refused.
    pub(crate) tls: Option<Tls>,
    /// What the daemon says of sessions' ports.
    pub(crate) switchboard: Arc<Switchboard>,
}

/// A session with everything it needs. Thousands that wait are to be small: what they have in common stands once.
pub(crate) struct Conversation {
    stream: TcpStream,
    session: Box<dyn Session>,
    /// How it is answered in a tarpit.
    drip: Option<Box<Drip>>,
    common: Arc<Common>,
    teller: Teller,
    /// Ready once the stranger is dismissed, or once the traps close and whoever could dismiss it is gone.
    dismissed: oneshot::Receiver<()>,
    /// Its port, once it has wanted one.
    beside: Option<Box<Beside>>,
    progress: Progress,
}

/// What is known of the session so far.
struct Progress {
    begun: Instant,
    transcript: Transcript,
    /// What was answered since the last report.
    answered: Tally,
    capture_room: usize,
    bytes: u64,
    reports: usize,
    /// Where the protocol broke.
    fault: Box<str>,
}

impl Progress {
    fn begins(capture_room: usize) -> Self {
        Self {
            begun: Instant::now(),
            transcript: Transcript::default(),
            answered: Tally::default(),
            capture_room,
            bytes: 0,
            reports: 0,
            fault: Box::default(),
        }
    }

    /// When the first report is due; `None` once it was told.
    fn first_report_by(&self) -> Option<Instant> {
        (self.reports == 0).then(|| self.begun + FIRST_REPORT_WAIT)
    }

    /// Notes an answer. A greeting is none: it says nothing of the stranger, and whoever stays silent is to cost nothing.
    fn answers(&mut self, answer: &[u8]) {
        if self.bytes > 0 {
            self.answered.add(answer);
        }
    }

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
    /// One that begins now.
    pub(crate) fn new(
        stream: TcpStream,
        session: Box<dyn Session>,
        drip: Option<Box<Drip>>,
        common: &Arc<Common>,
        teller: Teller,
        dismissed: oneshot::Receiver<()>,
    ) -> Box<Self> {
        let progress = Progress::begins(common.limits.capture_bytes_max);
        Box::new(Self { stream, session, drip, common: Arc::clone(common), teller, dismissed, beside: None, progress })
    }

    /// Talks until somebody ends it. Whoever connected is reported at least once.
    pub(crate) async fn hold(mut self: Box<Self>) {
        let end = if self.drip.is_none() { self.talk().await } else { Box::pin(self.talk_slowly()).await };
        Box::pin(self.leave(end)).await;
    }

    /// Whatever is done besides waiting is boxed for as long as it takes, and the waiting stands here and is done by hand: what an idle
    /// session holds is what thousands hold.
    async fn talk(&mut self) -> End {
        if let Err(end) = Box::pin(self.greet()).await {
            return end;
        }
        let mut deadline = self.deadline();
        // One for all waits, and only ever set to something earlier before it has ended: each setting costs a turn of the runtime's loop.
        let mut sleep = pin!(sleep_until(self.due(deadline)));
        loop {
            loop {
                let due = self.due(deadline);
                if due < sleep.deadline() {
                    sleep.as_mut().reset(due);
                }
                match poll_fn(|context| self.poll_ready(context, sleep.as_mut())).await {
                    Ok(()) => break,
                    Err(End::Deadline) if Instant::now() < due => sleep.as_mut().reset(due),
                    Err(End::Deadline) if due < deadline => Box::pin(self.report()).await,
                    Err(end) => return end,
                }
            }
            if let Err(end) = Box::pin(self.read_and_answer()).await {
                return end;
            }
            deadline = self.deadline();
        }
    }

    /// What is waited for no longer than: what must come, or the first report.
    fn due(&self, deadline: Instant) -> Instant {
        self.progress.first_report_by().map_or(deadline, |first| first.min(deadline))
    }

    async fn greet(&mut self) -> Result<(), End> {
        let mut answer = Vec::new();
        let flow = self.guarded(|session| session.open(&mut answer)).unwrap_or(Flow::Close);
        self.follow(flow, &mut answer).await
    }

    async fn read_and_answer(&mut self) -> Result<(), End> {
        let Some(bytes) = self.read().await else { return Err(End::Gone) };
        if let (0, Some(first)) = (self.progress.bytes, bytes.first()) {
            let session = std::mem::replace(&mut self.session, Box::new(Broken(Signs::empty())));
            self.session = overhear(session, *first);
        }
        self.heard(&bytes, &mut Vec::new()).await
    }

    async fn leave(mut self: Box<Self>, end: End) {
        self.last_report(end).await;
        if end == End::Ours {
            self.linger().await;
        }
        drop(self.stream);
        self.teller.over(&self.progress.fault).await;
    }

    /// When it is over in any case.
    fn ends(&self) -> Instant {
        self.progress.begun + self.common.limits.session_deadline
    }

    /// Until when something must come: as the protocol has it, or as all others.
    fn deadline(&mut self) -> Instant {
        let patience = self.guarded(|session| session.patience()).unwrap_or_default();
        let lasting = |ms: u32| Duration::from_millis(ms.into());
        let ends = patience.all_ms.map_or(self.ends(), |all| self.ends().min(self.progress.begun + lasting(all)));
        ends.min(Instant::now() + patience.silence_ms.map_or(self.common.limits.read_deadline, lasting))
    }

    /// Ready when there are bytes, or with the reason why there will be none: a dismissal, the end of the traps, or the end of `sleep`.
    fn poll_ready(&mut self, context: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Poll<Result<(), End>> {
        if let Poll::Ready(end) = self.poll_dismissed(context) {
            return Poll::Ready(Err(end));
        }
        match self.stream.poll_read_ready(context) {
            Poll::Ready(ready) => Poll::Ready(ready.map_err(|_| End::Gone)),
            Poll::Pending => sleep.poll(context).map(|()| Err(End::Deadline)),
        }
    }

    /// Ready once, when it is to end: nobody asks again after that.
    fn poll_dismissed(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let dismissal = Pin::new(&mut self.dismissed).poll(context);
        dismissal.map(|dismissal| if dismissal.is_ok() { End::Dismissed } else { End::Stopped })
    }

    /// What there is to read, which may be nothing yet; `None` at the end. The buffer is not kept across an await:
    /// a thousand idle sessions hold none. (Read so, less than there is room for means that there is no more, and nobody asks again.)
    async fn read(&mut self) -> Option<Vec<u8>> {
        poll_fn(|context| Poll::Ready(self.poll_read(context))).await
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Option<Vec<u8>> {
        let mut buffer = [0_u8; READ_BYTES_MAX];
        let mut buffer = ReadBuf::new(&mut buffer);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => (!buffer.filled().is_empty()).then(|| buffer.filled().to_vec()),
            Poll::Ready(Err(_)) => None,
            Poll::Pending => Some(Vec::new()),
        }
    }

    async fn heard(&mut self, bytes: &[u8], answer: &mut Vec<u8>) -> Result<(), End> {
        self.progress.bytes += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let step = self.guarded(|session| session.receive(rest, wall(), answer));
            // A session that broke is closed; what broke it is kept.
            let step = step.unwrap_or(Step { taken: rest.len(), flow: Flow::Close });
            rest = self.keep_step(step, rest);
            if let Err(end) = self.go_on(step.flow, answer).await {
                self.not_heard(rest);
                return Err(end);
            }
        }
        if self.progress.bytes >= SESSION_BYTES_MAX { Err(End::Ours) } else { Ok(()) }
    }

    /// Keeps what a step took; gives what is still to be heard.
    fn keep_step<'a>(&mut self, step: Step, bytes: &'a [u8]) -> &'a [u8] {
        let least = usize::from(step.flow != Flow::Close);
        let (heard, left) = bytes.split_at(step.taken.max(least).min(bytes.len()));
        self.keep(heard);
        if step.flow == Flow::Close {
            self.not_heard(left);
            return &[];
        }
        self.purge(step.flow, left)
    }

    /// Read but not heard any more: still evidence, unless it is encrypted.
    fn not_heard(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() && !self.guarded(|session| session.is_secret()).unwrap_or_default() {
            self.progress.take(bytes);
        }
    }

    /// What is still heard of what came together with a step: nothing, where a request for TLS drops it. It is evidence all the same.
    fn purge<'a>(&mut self, flow: Flow, left: &'a [u8]) -> &'a [u8] {
        let asks = flow == Flow::StartTls && !left.is_empty();
        if !asks || !self.guarded(|session| session.purges(left)).unwrap_or_default() {
            return left;
        }
        self.progress.take(left);
        &[]
    }

    /// Keeps what was said with `heard`, which may be something else than `heard` itself. A handshake counts as said until the
    /// first report, so that whoever began one is known to have spoken.
    fn keep(&mut self, heard: &[u8]) {
        match self.guarded(|session| session.said()).flatten() {
            None => self.progress.take(heard),
            Some(said) if !said.is_empty() => {
                self.progress.capture_room = self.progress.transcript.take_said(heard.len(), &said, self.progress.capture_room);
            }
            Some(_) if self.progress.reports == 0 => self.progress.transcript.count(heard.len()),
            Some(_) => self.progress.transcript.put_off(heard.len()),
        }
    }

    /// Does what the protocol wants, and what it put off until that was done.
    async fn go_on(&mut self, flow: Flow, answer: &mut Vec<u8>) -> Result<(), End> {
        self.follow(flow, answer).await?;
        while let Some(flow) = self.guarded(|session| session.resume(wall(), answer)).flatten() {
            self.keep(&[]);
            self.follow(flow, answer).await?;
        }
        Ok(())
    }

    /// From the next byte on it is TLS: whoever cannot speak it says so, and closes.
    async fn start_tls(&mut self, answer: &mut Vec<u8>) -> Result<(), End> {
        let Some(tls) = &self.common.tls else {
            self.report().await;
            answer.extend_from_slice(&REFUSAL);
            self.write(answer, SendFlags::MORE).await?;
            return Err(End::Ours);
        };
        let plain = std::mem::replace(&mut self.session, Box::new(Broken(Signs::empty())));
        self.session = tls.around(plain).ok_or(End::Ours)?;
        Ok(())
    }

    /// Does what the protocol wants, in the order that matters: report, then answer.
    async fn follow(&mut self, flow: Flow, answer: &mut Vec<u8>) -> Result<(), End> {
        if matches!(flow, Flow::Telling | Flow::Close) {
            self.report().await;
        }
        self.progress.answers(answer);
        self.keep_back(answer).await?;
        // What ends the connection goes out in one segment with its end, if it fits into one.
        let more = if flow == Flow::Close && answer.len() <= SEGMENT_BYTES { SendFlags::MORE } else { SendFlags::empty() };
        self.write(answer, more).await?;
        match flow {
            Flow::StartTls => self.start_tls(answer).await,
            Flow::Errand => Box::pin(self.errands(answer)).await,
            Flow::Close => Err(End::Ours),
            Flow::Telling if self.progress.reports >= REPORTS_MAX => Err(End::Ours),
            Flow::Telling | Flow::Continue => Ok(()),
        }
    }

    /// Waits as long as the service would before it answers, but for what it says at once. Nothing is read meanwhile: what the
    /// stranger goes on sending stays in the kernel's bounded buffer.
    async fn keep_back(&mut self, answer: &mut Vec<u8>) -> Result<(), End> {
        let pause = self.guarded(|session| session.pause()).unwrap_or_default();
        let wait_ms = u64::from(pause.ms.min(DELAY_MS_MAX)) * u64::from(self.common.limits.delay_percent) / 100;
        if wait_ms == 0 {
            return Ok(());
        }
        let kept = answer.split_off(pause.at.min(answer.len()));
        self.write(answer, SendFlags::empty()).await?;
        *answer = kept;
        let until = Instant::now() + Duration::from_millis(wait_ms);
        if let Some(first) = self.progress.first_report_by().filter(|first| *first < until) {
            self.pass(first.min(self.ends())).await?;
            self.report().await;
        }
        self.pass(until.min(self.ends())).await?;
        if until < self.ends() { Ok(()) } else { Err(End::Deadline) }
    }

    /// Lets time pass.
    async fn pass(&mut self, until: Instant) -> Result<(), End> {
        tokio::select! {
            () = sleep_until(until) => Ok(()),
            end = dismissed(&mut self.dismissed) => Err(end),
        }
    }

    /// `more`: whether something follows at once with which it goes out.
    async fn write(&mut self, answer: &mut Vec<u8>, more: SendFlags) -> Result<(), End> {
        if answer.is_empty() {
            return Ok(());
        }
        // At once, if there is room: the runtime would first wait to be told so, which costs a greeting a turn of its loop.
        if let Ok(sent) = send(&self.stream, answer, SendFlags::NOSIGNAL | SendFlags::DONTWAIT | more) {
            answer.drain(..sent);
        }
        if answer.is_empty() {
            return Ok(());
        }
        let deadline = self.ends().min(Instant::now() + self.common.limits.write_deadline);
        // Who is dismissed has no time to take it: his place may be another's already.
        let written = tokio::select! {
            written = timeout_at(deadline, self.stream.write_all(answer)) => written,
            end = dismissed(&mut self.dismissed) => return Err(end),
        };
        answer.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            // What was read before the connection broke may still be there: reading finds the end by itself.
            Ok(Err(error)) if is_half_closed(&error) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Deadline),
        }
    }

    async fn report(&mut self) {
        let findings = self.guarded(|session| session.findings()).unwrap_or_default();
        self.tell(findings).await;
    }

    async fn tell(&mut self, mut findings: Findings) {
        self.progress.reports += 1;
        let transcript = std::mem::take(&mut self.progress.transcript);
        let marks = self.recognise(&transcript, &mut findings);
        self.teller.tell(transcript, &findings, marks.as_ref()).await;
    }

    /// A fault in a recogniser costs the marks of this report and nothing else: the daemon then searches for known strings by itself.
    fn recognise(&mut self, transcript: &Transcript, findings: &mut Findings) -> Option<Marks> {
        let answered = std::mem::take(&mut self.progress.answered);
        let look = AssertUnwindSafe(|| self.common.recogniser.look(&transcript.payload, &findings.fields, &answered));
        match catch_unwind(look) {
            Ok(sight) => Some(add(sight, findings)),
            Err(_) => {
                self.progress.fault = fault().unwrap_or_else(|| "in a recogniser".to_owned()).into();
                None
            }
        }
    }

    /// Tells what was not told yet; a session of which nothing was told is told in any case.
    async fn last_report(&mut self, end: End) {
        let _ = self.guarded(|session| session.end());
        // What was not whole is told as it is.
        self.keep(&[]);
        let mut findings = self.guarded(|session| session.findings()).unwrap_or_default();
        if end == End::Deadline && self.progress.bytes == 0 {
            findings.signs |= Signs::SILENT;
        }
        if self.progress.reports == 0 || !self.progress.transcript.is_empty() || !findings.is_empty() {
            self.tell(findings).await;
        }
    }

    /// Calls the protocol so that a fault in it costs this session only; `None` if there was one. What the
    /// stranger sent is reported all the same, as malformed.
    fn guarded<T>(&mut self, call: impl FnOnce(&mut dyn Session) -> T) -> Option<T> {
        let session = &mut self.session;
        let outcome = catch_unwind(AssertUnwindSafe(|| call(session.as_mut())));
        if outcome.is_err() {
            self.progress.fault = fault().unwrap_or_else(|| "at a place that nobody noted".to_owned()).into();
            self.session = Box::new(Broken(Signs::MALFORMED));
        }
        outcome.ok()
    }

    /// Nothing is lost to a reset if it is closed now.
    fn has_heard_all(&mut self) -> bool {
        self.guarded(|session| session.has_heard_all()).unwrap_or_default() && is_quiet(&self.stream)
    }

    async fn linger(&mut self) {
        if self.stream.shutdown().await.is_err() || self.has_heard_all() {
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

/// Has nothing come that was not read yet?
fn is_quiet(stream: &TcpStream) -> bool {
    let seen = recv(stream, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!(seen, Err(Errno::AGAIN) | Ok((0, _)))
}

/// Ready once it is to end.
async fn dismissed(dismissal: &mut oneshot::Receiver<()>) -> End {
    if dismissal.await.is_ok() { End::Dismissed } else { End::Stopped }
}

/// The stranger does not read any more, but may have written.
fn is_half_closed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// Only dates answers.
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    WallTime(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;

//! One connection from its first byte to its last report.

mod drip;

pub(crate) use drip::Drip;

use crate::{
    Limits,
    broken::{Broken, fault},
    report::{REPORTS_MAX, SESSION_BYTES_MAX, Teller, Transcript, add},
    rules::Eyes,
    tls::{REFUSAL, Tls},
};
use honeymesh_detect::Tally;
use honeymesh_trap_proto::{DELAY_MS_MAX, Findings, Flow, Session, Step, overhear};
use honeymesh_types::{Marks, Signs, WallTime};
use rustix::net::{SendFlags, send};
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
    /// How it is answered in a tarpit.
    pub(crate) drip: Option<Box<Drip>>,
    pub(crate) recogniser: Arc<Eyes>,
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
    /// What was answered since the last report.
    answered: Tally,
    capture_room: usize,
    bytes: u64,
    reports: usize,
    first_report_by: Instant,
    ends: Instant,
    /// Where the protocol broke.
    fault: String,
}

impl Progress {
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
    /// Talks until somebody ends it. Whoever connected is reported at least once.
    pub(crate) async fn hold(mut self: Box<Self>) {
        let mut progress = Progress {
            transcript: Transcript::default(),
            answered: Tally::default(),
            capture_room: self.limits.capture_bytes_max,
            bytes: 0,
            reports: 0,
            first_report_by: Instant::now() + FIRST_REPORT_WAIT,
            ends: Instant::now() + self.limits.session_deadline,
            fault: String::new(),
        };
        let end = match self.drip.take() {
            None => self.talk(&mut progress).await,
            Some(drip) => Box::pin(self.talk_slowly(drip, &mut progress)).await,
        };
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
        let Some(bytes) = self.read().await else { return Err(End::Gone) };
        if let (0, Some(first)) = (progress.bytes, bytes.first()) {
            let session = std::mem::replace(&mut self.session, Box::new(Broken(Signs::empty())));
            self.session = overhear(session, *first);
        }
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
        let deadline = self.deadline(progress);
        if progress.reports == 0 && progress.first_report_by < deadline {
            match self.ready_by(progress.first_report_by).await {
                Err(End::Deadline) => Box::pin(self.report(progress)).await,
                ready => return ready,
            }
        }
        self.ready_by(deadline).await
    }

    /// Until when something must come: as the protocol has it, or as all others.
    fn deadline(&mut self, progress: &mut Progress) -> Instant {
        let patience = self.guarded(progress, |session| session.patience()).unwrap_or_default();
        let lasting = |ms: u32| Duration::from_millis(ms.into());
        let begun = progress.ends - self.limits.session_deadline;
        let ends = patience.all_ms.map_or(progress.ends, |all| progress.ends.min(begun + lasting(all)));
        ends.min(Instant::now() + patience.silence_ms.map_or(self.limits.read_deadline, lasting))
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

    async fn heard(&mut self, bytes: &[u8], answer: &mut Vec<u8>, progress: &mut Progress) -> Result<(), End> {
        progress.bytes += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let step = self.guarded(progress, |session| session.receive(rest, wall(), answer));
            // A session that broke is closed; what broke it is kept.
            let step = step.unwrap_or(Step { taken: rest.len(), flow: Flow::Close });
            rest = self.keep_step(step, rest, progress);
            if let Err(end) = self.go_on(step.flow, answer, progress).await {
                self.not_heard(rest, progress);
                return Err(end);
            }
        }
        if progress.bytes >= SESSION_BYTES_MAX { Err(End::Ours) } else { Ok(()) }
    }

    /// Keeps what a step took; gives what is still to be heard.
    fn keep_step<'a>(&mut self, step: Step, bytes: &'a [u8], progress: &mut Progress) -> &'a [u8] {
        let least = usize::from(step.flow != Flow::Close);
        let (heard, left) = bytes.split_at(step.taken.max(least).min(bytes.len()));
        self.keep(heard, progress);
        if step.flow == Flow::Close {
            self.not_heard(left, progress);
            return &[];
        }
        self.purge(step.flow, left, progress)
    }

    /// Read but not heard any more: still evidence, unless it is encrypted.
    fn not_heard(&mut self, bytes: &[u8], progress: &mut Progress) {
        if !bytes.is_empty() && !self.guarded(progress, |session| session.is_secret()).unwrap_or_default() {
            progress.take(bytes);
        }
    }

    /// What is still heard of what came together with a step: nothing, where a request for TLS drops it. It is evidence all the same.
    fn purge<'a>(&mut self, flow: Flow, left: &'a [u8], progress: &mut Progress) -> &'a [u8] {
        let asks = flow == Flow::StartTls && !left.is_empty();
        if !asks || !self.guarded(progress, |session| session.purges(left)).unwrap_or_default() {
            return left;
        }
        progress.take(left);
        &[]
    }

    /// Keeps what was said with `heard`, which may be something else than `heard` itself. A handshake counts as said until the
    /// first report, so that whoever began one is known to have spoken.
    fn keep(&mut self, heard: &[u8], progress: &mut Progress) {
        match self.guarded(progress, |session| session.said()).flatten() {
            None => progress.take(heard),
            Some(said) if !said.is_empty() => {
                progress.capture_room = progress.transcript.take_said(heard.len(), &said, progress.capture_room);
            }
            Some(_) if progress.reports == 0 => progress.transcript.count(heard.len()),
            Some(_) => progress.transcript.put_off(heard.len()),
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
        self.session = tls.around(plain).ok_or(End::Ours)?;
        Ok(())
    }

    /// Does what the protocol wants, in the order that matters: report, then answer.
    async fn follow(&mut self, flow: Flow, answer: &mut Vec<u8>, progress: &mut Progress) -> Result<(), End> {
        if matches!(flow, Flow::Telling | Flow::Close) {
            self.report(progress).await;
        }
        progress.answers(answer);
        self.keep_back(answer, progress).await?;
        self.write(answer, progress.ends).await?;
        match flow {
            Flow::StartTls => self.start_tls(answer, progress).await,
            Flow::Close => Err(End::Ours),
            Flow::Telling if progress.reports >= REPORTS_MAX => Err(End::Ours),
            Flow::Telling | Flow::Continue => Ok(()),
        }
    }

    /// Waits as long as the service would before it answers, but for what it says at once. Nothing is read meanwhile: what the
    /// stranger goes on sending stays in the kernel's bounded buffer.
    async fn keep_back(&mut self, answer: &mut Vec<u8>, progress: &mut Progress) -> Result<(), End> {
        let pause = self.guarded(progress, |session| session.pause()).unwrap_or_default();
        let wait_ms = u64::from(pause.ms.min(DELAY_MS_MAX)) * u64::from(self.limits.delay_percent) / 100;
        if wait_ms == 0 {
            return Ok(());
        }
        let kept = answer.split_off(pause.at.min(answer.len()));
        self.write(answer, progress.ends).await?;
        *answer = kept;
        let until = Instant::now() + Duration::from_millis(wait_ms);
        if progress.reports == 0 && progress.first_report_by < until {
            self.pass(progress.first_report_by.min(progress.ends)).await?;
            self.report(progress).await;
        }
        self.pass(until.min(progress.ends)).await?;
        if until < progress.ends { Ok(()) } else { Err(End::Deadline) }
    }

    /// Lets time pass.
    async fn pass(&mut self, until: Instant) -> Result<(), End> {
        tokio::select! {
            () = sleep_until(until) => Ok(()),
            end = dismissed(&mut self.dismissed) => Err(end),
        }
    }

    async fn write(&mut self, answer: &mut Vec<u8>, ends: Instant) -> Result<(), End> {
        if answer.is_empty() {
            return Ok(());
        }
        // At once, if there is room: the runtime would first wait to be told so, which costs a greeting a turn of its loop.
        if let Ok(sent) = send(&self.stream, answer, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            answer.drain(..sent);
        }
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

    async fn tell(&mut self, progress: &mut Progress, mut findings: Findings) {
        progress.reports += 1;
        let transcript = std::mem::take(&mut progress.transcript);
        let marks = self.recognise(progress, &transcript, &mut findings);
        self.teller.tell(transcript, &findings, marks.as_ref()).await;
    }

    /// A fault in a recogniser costs the marks of this report and nothing else: the daemon then searches for known strings by itself.
    fn recognise(&self, progress: &mut Progress, transcript: &Transcript, findings: &mut Findings) -> Option<Marks> {
        let answered = std::mem::take(&mut progress.answered);
        let look = AssertUnwindSafe(|| self.recogniser.look(&transcript.payload, &findings.fields, &answered));
        match catch_unwind(look) {
            Ok(sight) => Some(add(sight, findings)),
            Err(_) => {
                progress.fault = fault().unwrap_or_else(|| "in a recogniser".to_owned());
                None
            }
        }
    }

    /// Tells what was not told yet; a session of which nothing was told is told in any case.
    async fn last_report(&mut self, progress: &mut Progress, end: End) {
        let _ = self.guarded(progress, |session| session.end());
        // What was not whole is told as it is.
        self.keep(&[], progress);
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
            progress.fault = fault().unwrap_or_else(|| "at a place that nobody noted".to_owned());
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

//! What a session has done beside its own connection: a port is opened, somebody comes there, and brings or fetches something.
//!
//! What is brought is told by itself, so that the same file leaves the same octets whoever brings it and under whatever name; what was said
//! before is told first, and not sooner: whoever is told of is banned, and would bring nothing any more.

use super::{Conversation, End, READ_BYTES_MAX, wall};
use crate::{
    beside::Beside,
    report::{REPORTS_MAX, SESSION_BYTES_MAX, Transcript},
};
use honeymesh_trap_proto::{Done, Errand, Flow, GIVEN_BYTES_MAX};
use rustix::net::SendFlags;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// Steps of errands that follow one another without anything being heard in between: asking, waiting and moving are three.
const STEPS_MAX: usize = 8;

impl Conversation {
    /// Does what is wanted, one thing after the other, and answers each.
    pub(super) async fn errands(&mut self, answer: &mut Vec<u8>) -> Result<(), End> {
        let mut met = None;
        for _ in 0..STEPS_MAX {
            let Some(errand) = self.guarded(|session| session.errand()).flatten() else { return Ok(()) };
            let done = match errand {
                Errand::Listen => self.listen().await?,
                Errand::Await { ms } => self.meet(ms, &mut met).await?,
                Errand::Take => match met.take() {
                    Some(from) => self.take(from, answer).await?,
                    None => Done::Failed,
                },
                Errand::Give(bytes) => match met.take() {
                    Some(to) => self.give(to, &bytes).await?,
                    None => Done::Failed,
                },
            };
            let flow = self.guarded(|session| session.done(done, wall(), answer)).unwrap_or(Flow::Close);
            if !self.answers_errand(flow, answer).await? {
                return Ok(());
            }
        }
        Err(End::Ours)
    }

    /// Reports, then answers, as always; is there more to do?
    async fn answers_errand(&mut self, flow: Flow, answer: &mut Vec<u8>) -> Result<bool, End> {
        if matches!(flow, Flow::Telling | Flow::Close) {
            self.report().await;
        }
        self.progress.answers(answer);
        self.keep_back(answer).await?;
        self.write(answer, SendFlags::empty()).await?;
        match flow {
            Flow::Errand => Ok(true),
            Flow::Close | Flow::StartTls => Err(End::Ours),
            Flow::Telling if self.progress.reports >= REPORTS_MAX => Err(End::Ours),
            Flow::Telling | Flow::Continue => Ok(false),
        }
    }

    /// Errands of a tarpit: none is done.
    pub(super) fn refuse_errands(&mut self, answer: &mut Vec<u8>) -> Flow {
        let mut flow = Flow::Errand;
        for _ in 0..STEPS_MAX {
            if flow != Flow::Errand {
                return flow;
            }
            let Some(_) = self.guarded(|session| session.errand()).flatten() else { return Flow::Continue };
            flow = self.guarded(|session| session.done(Done::Failed, wall(), answer)).unwrap_or(Flow::Close);
        }
        Flow::Close
    }

    async fn listen(&mut self) -> Result<Done, End> {
        let (session, switchboard) = (self.teller.session(), Arc::clone(&self.common.switchboard));
        let mut beside = self.beside.take().unwrap_or_else(|| Box::new(Beside::new(session, &switchboard)));
        let pipe = Arc::clone(&self.teller.pipe);
        let at = self.meanwhile(self.ends(), beside.listen(&pipe)).await;
        self.beside = Some(beside);
        Ok(at?.flatten().map_or(Done::Failed, Done::Listening))
    }

    async fn meet(&mut self, ms: u32, met: &mut Option<TcpStream>) -> Result<Done, End> {
        let Some(mut beside) = self.beside.take() else { return Ok(Done::Failed) };
        let until = Instant::now() + Duration::from_millis(ms.into());
        let came = self.meanwhile(until, beside.met()).await;
        self.beside = Some(beside);
        *met = came?.flatten();
        Ok(if met.is_some() { Done::Met } else { Done::Failed })
    }

    /// Reads to the end. What broke it off tells what was there all the same.
    async fn take(&mut self, mut from: TcpStream, answer: &mut Vec<u8>) -> Result<Done, End> {
        let (mut brought, mut bytes) = (Transcript::default(), 0);
        let ended = loop {
            let until = Instant::now() + self.common.limits.read_deadline;
            let mut piece = Box::new([0; READ_BYTES_MAX]);
            match self.meanwhile(until, from.read(&mut piece[..])).await {
                Ok(Some(Ok(0))) => break Ok(true),
                Ok(Some(Ok(length))) => {
                    bytes += length as u64;
                    self.progress.bytes += length as u64;
                    self.progress.capture_room = brought.take(&piece[..length], self.progress.capture_room);
                    if self.progress.bytes >= SESSION_BYTES_MAX {
                        break Err(End::Ours);
                    }
                }
                Ok(Some(Err(_))) => break Ok(false),
                Ok(None) => break Err(End::Deadline),
                Err(end) => break Err(end),
            }
        };
        drop(from);
        self.set_apart(brought).await;
        let (is_whole, end) = match ended {
            Ok(is_whole) => (is_whole, None),
            Err(end) => (false, Some(end)),
        };
        let done = Done::Taken { bytes, is_whole };
        let Some(end) = end else { return Ok(done) };
        // Nobody hears the answer to that.
        let _ = self.guarded(|session| session.done(done, wall(), answer));
        answer.clear();
        self.report().await;
        Err(end)
    }

    /// What was said before is told; what was brought is what is told next. Where there is room for one report only, both are.
    async fn set_apart(&mut self, brought: Transcript) {
        if self.progress.reports + 1 < REPORTS_MAX {
            let findings = self.guarded(|session| session.findings()).unwrap_or_default();
            if !self.progress.transcript.is_empty() || !findings.is_empty() {
                self.tell(findings).await;
            }
        }
        self.progress.transcript.append(brought);
    }

    async fn give(&mut self, mut to: TcpStream, bytes: &[u8]) -> Result<Done, End> {
        let bytes = &bytes[..bytes.len().min(GIVEN_BYTES_MAX)];
        let until = Instant::now() + self.common.limits.write_deadline;
        let given = async {
            to.write_all(bytes).await?;
            to.shutdown().await
        };
        let given = self.meanwhile(until, given).await?;
        self.progress.answers(bytes);
        Ok(if matches!(given, Some(Ok(()))) { Done::Given } else { Done::Failed })
    }

    /// Waits for something that is not said here: until then, until the session is to end, and not beyond the time that it has. The first
    /// report is told when it is due.
    async fn meanwhile<T>(&mut self, until: Instant, what: impl Future<Output = T>) -> Result<Option<T>, End> {
        let mut what = std::pin::pin!(what);
        let ends = self.ends();
        loop {
            let wakes = self.progress.first_report_by().map_or(until, |first| first.min(until)).min(ends);
            let ready = tokio::select! {
                biased;
                end = super::dismissed(&mut self.dismissed) => return Err(end),
                ready = timeout_at(wakes, &mut what) => ready,
            };
            match ready {
                Ok(ready) => return Ok(Some(ready)),
                Err(_) if Instant::now() >= ends => return Err(End::Deadline),
                Err(_) if Instant::now() >= until => return Ok(None),
                Err(_) => self.report().await,
            }
        }
    }
}

//! A tarpit: what a trap says drips, a byte at a time, while what the stranger says is heard and told at once.
//!
//! No thread and no new memory for a drip, and what waits is bounded. What TLS needs until both sides have a key is said at once; what is said inside drips.

use super::{Conversation, End, dismissed, wall};
use honeymesh_trap_proto::{Babble, Flow, Step};
use rustix::net::SendFlags;
use std::{collections::VecDeque, io::ErrorKind, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Between two bytes.
const DRIP_EVERY: Duration = Duration::from_secs(3);
/// So much of it is kept at least, in percent: without a wait it would be no tarpit, but a flood.
const DRIP_PERCENT_MIN: u32 = 1;
/// Bytes that wait at most: they last for 51 minutes, which is longer than anybody stays; what does not fit is left out.
const WAITING_BYTES_MAX: usize = 1_024;

/// How a stranger is answered in a tarpit.
#[derive(Debug)]
pub(crate) struct Drip {
    /// What is said instead of everything else, without end.
    babble: Option<Babble>,
    /// What was answered and is not said yet.
    waiting: VecDeque<u8>,
    /// Something did not fit, and what follows it would be no record of TLS any more: nothing else is taken.
    is_full: bool,
    /// The protocol is over once all that is said.
    closes: bool,
    next: Instant,
}

/// What a tarpit wakes up for.
enum Wake {
    Drip,
    Bytes,
    FirstReport,
}

impl Drip {
    pub(crate) fn new(babble: Option<Babble>) -> Self {
        Self { babble, waiting: VecDeque::new(), is_full: false, closes: false, next: Instant::now() + DRIP_EVERY }
    }

    fn is_dry(&self) -> bool {
        self.babble.is_none() && self.waiting.is_empty()
    }

    /// What the protocol answered waits, unless something else is said for ever.
    /// What is sealed is of no use in part: behind a part nothing else is taken.
    fn take(&mut self, answer: &mut Vec<u8>, is_sealed: bool) {
        if self.babble.is_none() && !self.is_full {
            let room = WAITING_BYTES_MAX.saturating_sub(self.waiting.len());
            self.is_full = is_sealed && answer.len() > room;
            self.waiting.extend(answer.iter().take(room));
        }
        answer.clear();
    }
}

impl Conversation {
    /// Talks as [`Conversation::talk`] does, but answers a byte at a time.
    pub(super) async fn talk_slowly(&mut self) -> End {
        let Some(mut drip) = self.drip.take() else { return End::Ours };
        let mut answer = Vec::new();
        let flow = self.guarded(|session| session.open(&mut answer)).unwrap_or(Flow::Close);
        if let Err(end) = self.follow_slowly(flow, &mut answer, &mut drip).await {
            return end;
        }
        let mut silent_since = Instant::now();
        loop {
            if drip.closes && drip.is_dry() {
                return End::Ours;
            }
            let wake = match self.wake(&drip, silent_since).await {
                Ok(wake) => wake,
                Err(end) => return end,
            };
            let done = match wake {
                Wake::FirstReport => {
                    self.report().await;
                    Ok(())
                }
                Wake::Drip => self.let_fall(&mut drip),
                Wake::Bytes => {
                    silent_since = Instant::now();
                    match self.read().await {
                        Some(bytes) => self.heard_slowly(&bytes, &mut answer, &mut drip).await,
                        None => Err(End::Gone),
                    }
                }
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Who waits for a drip is not silent; who has heard everything is, after the usual time.
    async fn wake(&mut self, drip: &Drip, silent_since: Instant) -> Result<Wake, End> {
        let silent = silent_since + self.common.limits.read_deadline;
        let ends = if drip.is_dry() { self.ends().min(silent.max(drip.next)) } else { self.ends() };
        let first = self.progress.first_report_by();
        tokio::select! {
            end = dismissed(&mut self.dismissed) => Err(end),
            ready = self.stream.readable(), if !drip.closes => ready.map(|()| Wake::Bytes).map_err(|_| End::Gone),
            () = sleep_until(first.unwrap_or(ends)), if first.is_some() => Ok(Wake::FirstReport),
            () = sleep_until(drip.next), if !drip.is_dry() => Ok(Wake::Drip),
            () = sleep_until(ends) => Err(End::Deadline),
        }
    }

    /// One byte, if the stranger takes one.
    fn let_fall(&self, drip: &mut Drip) -> Result<(), End> {
        drip.next = Instant::now() + DRIP_EVERY * self.common.limits.delay_percent.max(DRIP_PERCENT_MIN) / 100;
        let byte = match &mut drip.babble {
            Some(babble) => babble.byte(),
            None => drip.waiting.front().copied().unwrap_or_default(),
        };
        match self.stream.try_write(&[byte]) {
            Ok(_) => {
                drip.waiting.pop_front();
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(End::Gone),
        }
    }

    async fn heard_slowly(&mut self, bytes: &[u8], answer: &mut Vec<u8>, drip: &mut Drip) -> Result<(), End> {
        self.progress.bytes += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() && !drip.closes {
            let step = self.guarded(|session| session.receive(rest, wall(), answer));
            let step = step.unwrap_or(Step { taken: rest.len(), flow: Flow::Close });
            rest = self.keep_step(step, rest);
            let followed = self.go_on_slowly(step.flow, answer, drip).await;
            if followed.is_err() {
                self.not_heard(rest);
                return followed;
            }
        }
        self.not_heard(rest);
        if self.progress.bytes >= crate::report::SESSION_BYTES_MAX { Err(End::Ours) } else { Ok(()) }
    }

    /// As [`Conversation::go_on`].
    async fn go_on_slowly(&mut self, flow: Flow, answer: &mut Vec<u8>, drip: &mut Drip) -> Result<(), End> {
        self.follow_slowly(flow, answer, drip).await?;
        while let Some(flow) = self.guarded(|session| session.resume(wall(), answer)).flatten() {
            self.keep(&[]);
            self.follow_slowly(flow, answer, drip).await?;
        }
        Ok(())
    }

    /// Reports at once; the answer, and the end, wait for their turn.
    async fn follow_slowly(&mut self, flow: Flow, answer: &mut Vec<u8>, drip: &mut Drip) -> Result<(), End> {
        let flow = if flow == Flow::Errand { self.refuse_errands(answer) } else { flow };
        if matches!(flow, Flow::Telling | Flow::Close) {
            self.report().await;
        }
        self.progress.answers(answer);
        // Who never gets a key never says what he came for; and at a byte every three seconds a certificate takes longer than anybody stays.
        let at_once = self.guarded(|session| session.agreement()).unwrap_or_default().min(answer.len());
        if at_once > 0 && drip.waiting.is_empty() {
            let rest = answer.split_off(at_once);
            self.write(answer, SendFlags::empty()).await?;
            *answer = rest;
        }
        let is_sealed = self.guarded(|session| session.is_secret()).unwrap_or_default();
        drip.take(answer, is_sealed);
        if flow == Flow::StartTls {
            self.start_tls(answer).await?;
        }
        drip.closes |= flow == Flow::Close;
        if flow == Flow::Telling && self.progress.reports >= crate::report::REPORTS_MAX { Err(End::Ours) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_nothing_waits_behind_babble() {
        let mut drip = Drip::new(None);
        for _ in 0..100 {
            drip.take(&mut vec![b'x'; 16 * 1_024], false);
        }
        assert_eq!(drip.waiting.len(), WAITING_BYTES_MAX);
        let mut drip = Drip::new(None);
        drip.take(&mut vec![b'x'; WAITING_BYTES_MAX + 1], true);
        drip.waiting.clear();
        drip.take(&mut vec![b'y'; 9], true);
        assert!(drip.waiting.is_empty(), "nothing behind a record that was cut");
        let ssh = honeymesh_trap_proto::Definition { service: "ssh".into(), ..Default::default() };
        let persona = honeymesh_trap_proto::Persona::of([7; 32]);
        let babble = honeymesh_trap_proto::Service::define(&ssh, &persona).unwrap().babble(7);
        let mut drip = Drip::new(babble);
        drip.take(&mut vec![b'x'; 99], false);
        assert!(drip.waiting.is_empty() && !drip.is_dry());
    }
}

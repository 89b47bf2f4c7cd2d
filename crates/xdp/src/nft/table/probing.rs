//! The self-probe, as the writer runs it.

use super::{Table, found};
use crate::nft::{
    locked::Lock,
    orders::Failure,
    probe::{CAME, Loopback, Outcome, PASSED},
    side::Side,
};
use std::{
    io, thread,
    time::{Duration, Instant},
};

/// Frames pass the loopback interface within the call that sends them, unless the processor has too much to do: ...
const WAIT: Duration = Duration::from_millis(500);
/// Where they did not come the last time, nobody is to wait so long for them again.
const WAIT_AGAIN: Duration = Duration::from_millis(100);
/// ... then they are looked for again so often.
const NAP: Duration = Duration::from_millis(2);

/// What was counted of each frame: before the rules, and behind them.
type Counts = [[u64; 4]; 2];

impl Table {
    /// Sends the frames and says what became of them. Changes nothing. The rules are compared whether frames can be sent or not.
    pub(in crate::nft) fn probe(&mut self, loopback: &io::Result<Loopback>) -> Result<Outcome, Failure> {
        let read = |error: io::Error| Failure::kernel("read", &error);
        let before = self.probe_counts().map_err(read)?;
        let sent = match loopback {
            Ok(loopback) => loopback.send(),
            Err(error) => Err(error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)),
        };
        let unsent = sent.err().map(|error| Failure::kernel("send the self-probe's frames through", &error));
        let after = if unsent.is_none() { self.await_frames(&before).map_err(read)? } else { before };
        let more = |which: usize| {
            let pairs = before.get(which).into_iter().flatten().zip(after.get(which).into_iter().flatten());
            let mut more = [false; 4];
            more.iter_mut().zip(pairs).for_each(|(more, (before, after))| *more = after > before);
            more
        };
        Ok(Outcome {
            unsent,
            came: more(0),
            passed: more(1),
            is_owed: self.owes,
            is_as_left: self.are_rules_as_left(&Side::BOTH).map_err(read)?,
            is_dropping: self.layout.is_enforcing || self.locked.left() != Lock::Off,
        })
    }

    /// Waits until all frames came to the rules and the last two out of them: those were sent last, so the others have been
    /// judged by then.
    fn await_frames(&mut self, before: &Counts) -> io::Result<Counts> {
        let began = Instant::now();
        let wait = if self.do_frames_pass { WAIT } else { WAIT_AGAIN };
        loop {
            let [came, passed] = self.probe_counts()?;
            let [came_before, passed_before] = before;
            let have_come = came.iter().zip(came_before).all(|(now, before)| now > before);
            let are_out = passed.iter().zip(passed_before).skip(2).all(|(now, before)| now > before);
            self.do_frames_pass = have_come && are_out;
            if self.do_frames_pass || began.elapsed() >= wait {
                return Ok([came, passed]);
            }
            thread::sleep(NAP);
        }
    }

    fn probe_counts(&mut self) -> io::Result<Counts> {
        let all = found::counters(&mut self.socket, Side::Ingress)?;
        Ok([CAME, PASSED].map(|names| names.map(|name| all.get(name).copied().unwrap_or(0))))
    }
}

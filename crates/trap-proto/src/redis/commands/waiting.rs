//! Commands that wait for what nobody will bring: there is one connection only.

use super::{Reply, Server};
use crate::redis::data::{
    Refusal,
    number::{double, integer},
};

const NO_TIME: Refusal = "-ERR timeout is not a float or out of range\r\n";
const TIME_RANGE: Refusal = "-ERR timeout is out of range\r\n";
const TIME_BELOW: Refusal = "-ERR timeout is negative\r\n";
const NO_WHOLE_TIME: Refusal = "-ERR timeout is not an integer or out of range\r\n";

/// The longest wait that has its answer, in milliseconds.
const WAIT_MS_MAX: u32 = 60_000;

/// How long a command waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Wait {
    /// So many milliseconds; then it has its answer.
    Some(u32),
    /// Longer than anybody is waited for here: nothing is answered any more, and what comes is only taken down.
    Forever,
}

/// How long a command may wait, as it says itself, in milliseconds; nought is for ever.
pub(super) fn timeout(word: &[u8]) -> Result<i64, Refusal> {
    const ROOM: f64 = 9_223_372_036_854_775_807.0;
    let milliseconds = double(word).ok_or(NO_TIME)? * 1_000.0;
    if milliseconds >= ROOM {
        return Err(TIME_RANGE);
    }
    if milliseconds <= -1.0 {
        return Err(TIME_BELOW);
    }
    #[expect(clippy::cast_possible_truncation, reason = "it has room")]
    let whole = milliseconds as i64;
    // Redis rounds up.
    #[expect(clippy::cast_precision_loss, reason = "only what is behind the point matters")]
    let is_more = milliseconds > whole as f64;
    Ok(whole.saturating_add(i64::from(is_more)))
}

/// How long that is; nought is for ever.
fn lasting(milliseconds: i64) -> Wait {
    match u32::try_from(milliseconds) {
        Ok(ms @ 1..=WAIT_MS_MAX) => Wait::Some(ms),
        _ => Wait::Forever,
    }
}

/// The same in whole milliseconds.
pub(super) fn waiting_time(word: &[u8]) -> Result<i64, Refusal> {
    integer(word).ok_or(NO_WHOLE_TIME).and_then(|time| if time < 0 { Err(TIME_BELOW) } else { Ok(time) })
}

impl Server {
    /// No replica ever says that it has something: that none has, later; or at once if none is wanted, in a transaction and in a script.
    /// `with_files`: before it that there is nothing here that is not in a file, of which there is none.
    pub(super) fn wait_for_replicas(&mut self, wanted: i64, milliseconds: i64, with_files: bool, reply: &mut Reply<'_>) {
        if wanted > 0 && self.may_wait {
            let wait = lasting(milliseconds);
            self.waits = Some(wait);
            if wait == Wait::Forever {
                return;
            }
        }
        if with_files {
            reply.array(2);
            reply.number(1);
        }
        reply.number(0);
    }

    /// What a command waits for never comes: that there is nothing, later; or at once in a transaction and in a script, where it is
    /// said as the command that does not wait says it.
    pub(super) fn wait(&mut self, milliseconds: i64, is_list: bool, reply: &mut Reply<'_>) {
        let wait = lasting(milliseconds);
        if !self.may_wait {
            return if is_list { reply.nil_list() } else { reply.nil() };
        }
        self.waits = Some(wait);
        if wait != Wait::Forever {
            reply.nil_list();
        }
    }
}

//! Until when a key is there.

use super::{
    REPEATED_BYTES_MAX, Reply, Server,
    stored::{SYNTAX, is, whole},
};
use crate::redis::data::Refusal;
use alloc::{format, vec::Vec};

const NX_WITH_OTHERS: Refusal = "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
const GT_AND_LT: Refusal = "-ERR GT and LT options at the same time are not compatible\r\n";

/// How a time is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// From now on, in units of so many milliseconds.
    In(i64),
    /// Since 1970, in units of so many milliseconds.
    Since(i64),
    /// At this moment, in milliseconds since 1970.
    At(i64),
}

/// How the time behind this option is said.
pub(super) fn until(option: &[u8]) -> Option<Until> {
    Some(match option {
        option if is(option, "ex") => Until::In(1_000),
        option if is(option, "px") => Until::In(1),
        option if is(option, "exat") => Until::Since(1_000),
        option if is(option, "pxat") => Until::Since(1),
        _ => return None,
    })
}

fn invalid(command: &[u8]) -> Refusal {
    match command {
        b"set" => "-ERR invalid expire time in 'set' command\r\n",
        b"setex" => "-ERR invalid expire time in 'setex' command\r\n",
        b"psetex" => "-ERR invalid expire time in 'psetex' command\r\n",
        b"getex" => "-ERR invalid expire time in 'getex' command\r\n",
        b"expire" => "-ERR invalid expire time in 'expire' command\r\n",
        b"pexpire" => "-ERR invalid expire time in 'pexpire' command\r\n",
        b"expireat" => "-ERR invalid expire time in 'expireat' command\r\n",
        _ => "-ERR invalid expire time in 'pexpireat' command\r\n",
    }
}

impl Server {
    fn moment(&self, kind: Until, time: i64) -> Option<i64> {
        match kind {
            Until::In(unit) => time.checked_mul(unit)?.checked_add(self.now_ms),
            Until::Since(unit) => time.checked_mul(unit),
            Until::At(moment) => Some(moment),
        }
    }

    /// The moment that is said, which is no earlier than Redis can remember.
    pub(super) fn until_ms(&self, command: &[u8], kind: Until, time: &[u8]) -> Result<i64, Refusal> {
        let time = whole(time)?;
        self.moment(kind, time).filter(|moment| time > 0 && *moment > 0).ok_or(invalid(command))
    }

    /// The same for a key; one that is over by then is gone.
    pub(super) fn kept_until(&mut self, key: &[u8], until_ms: i64) {
        if until_ms <= self.now_ms {
            self.data.remove(key);
        } else {
            self.data.keep_until(key, Some(until_ms));
        }
    }

    pub(super) fn expire(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let [key, time, options @ ..] = words else { return Err(SYNTAX) };
        let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
        for option in options {
            match option {
                option if is(option, "nx") => nx = true,
                option if is(option, "xx") => xx = true,
                option if is(option, "gt") => gt = true,
                option if is(option, "lt") => lt = true,
                option => {
                    reply.raw("-ERR Unsupported option ");
                    reply.repeat(option, REPEATED_BYTES_MAX);
                    reply.raw("\r\n");
                    return Ok(());
                }
            }
        }
        if nx && (xx || gt || lt) {
            return Err(NX_WITH_OTHERS);
        }
        if gt && lt {
            return Err(GT_AND_LT);
        }
        let kind = match command {
            b"expire" => Until::In(1_000),
            b"pexpire" => Until::In(1),
            b"expireat" => Until::Since(1_000),
            _ => Until::Since(1),
        };
        let moment = self.moment(kind, whole(time)?).ok_or(invalid(command))?;
        let Some(entry) = self.data.entry(key) else {
            reply.number(0);
            return Ok(());
        };
        let is_refused = match entry.until_ms {
            None => xx || gt,
            Some(until_ms) => nx || (gt && moment <= until_ms) || (lt && moment >= until_ms),
        };
        if !is_refused {
            self.kept_until(key, moment);
        }
        reply.number(usize::from(!is_refused));
        Ok(())
    }

    /// `TTL` and its kin.
    pub(super) fn time_left(&self, command: &[u8], key: &[u8], reply: &mut Reply<'_>) {
        let told = match self.data.entry(key).map(|entry| entry.until_ms) {
            None => -2,
            Some(None) => -1,
            Some(Some(until_ms)) => match command {
                b"ttl" => until_ms.saturating_sub(self.now_ms).saturating_add(500) / 1_000,
                b"pttl" => until_ms.saturating_sub(self.now_ms),
                b"expiretime" => until_ms.saturating_add(500) / 1_000,
                _ => until_ms,
            },
        };
        reply.raw(&format!(":{told}\r\n"));
    }
}

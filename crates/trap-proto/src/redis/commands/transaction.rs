//! Transactions: commands that wait for `EXEC`.

use super::{Meaning, NO_MEMORY, Server};
use alloc::{format, sync::Arc, vec::Vec};
use honeymesh_types::WallTime;

/// Commands that wait, and bytes of all their words.
const QUEUED_MAX: usize = 32;
const QUEUED_BYTES_MAX: usize = 32 * 1_024;
/// The longest answer to all of them, in bytes; what does not fit is answered as with full memory.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;

/// What waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    queued: Vec<Vec<Vec<u8>>>,
    bytes: usize,
    /// One of them cannot be run, so none will be.
    is_spoilt: bool,
}

impl Server {
    /// Whether it was about a transaction, and what it means.
    pub(super) fn transact(&mut self, command: &[u8], words: &[Vec<u8>], now: WallTime, answer: &mut Vec<u8>) -> Option<Meaning> {
        let is_open = self.transaction.is_some();
        let said = match (command, words.len()) {
            (b"multi", 1) if is_open => "-ERR MULTI calls can not be nested\r\n",
            (b"multi", 1) => {
                self.transaction = Some(Transaction::default());
                "+OK\r\n"
            }
            (b"exec", 1) => {
                self.execute(now, answer);
                return Some(Meaning::Plain);
            }
            (b"discard", 1) => match self.transaction.take() {
                Some(_) => {
                    self.data.unwatch();
                    "+OK\r\n"
                }
                None => "-ERR DISCARD without MULTI\r\n",
            },
            (b"watch", 2..) if is_open => "-ERR WATCH inside MULTI is not allowed\r\n",
            (b"watch", 2..) => {
                words.iter().skip(1).for_each(|key| self.data.watch(key));
                "+OK\r\n"
            }
            (b"unwatch", 1) if !is_open => {
                self.data.unwatch();
                "+OK\r\n"
            }
            (b"quit" | b"reset" | b"host:" | b"post", _) => return None,
            _ if is_open => return Some(self.queue(words, now, answer)),
            _ => return None,
        };
        answer.extend_from_slice(said.as_bytes());
        Some(Meaning::Plain)
    }

    /// A command waits if it could be run: that, and what it means, does not depend on what is stored, so an empty server tells it.
    fn queue(&mut self, words: &[Vec<u8>], now: WallTime, answer: &mut Vec<u8>) -> Meaning {
        let mut transaction = self.transaction.take().unwrap_or_default();
        let mut trial = Self::new(Arc::clone(&self.version), Arc::clone(&self.host), self.seed);
        let mut heard = Vec::new();
        let meaning = trial.run(words, now, &mut heard);
        let bytes = transaction.bytes + words.iter().map(Vec::len).sum::<usize>();
        let is_refused = heard.starts_with(b"-ERR unknown ") || heard.starts_with(b"-ERR wrong number of arguments");
        if is_refused {
            transaction.is_spoilt = true;
            answer.extend_from_slice(&heard);
        } else if transaction.queued.len() >= QUEUED_MAX || bytes > QUEUED_BYTES_MAX {
            transaction.is_spoilt = true;
            answer.extend_from_slice(NO_MEMORY.as_bytes());
        } else {
            transaction.queued.push(words.to_vec());
            transaction.bytes = bytes;
            answer.extend_from_slice(b"+QUEUED\r\n");
        }
        self.transaction = Some(transaction);
        meaning
    }

    fn execute(&mut self, now: WallTime, answer: &mut Vec<u8>) {
        let Some(transaction) = self.transaction.take() else {
            return answer.extend_from_slice(b"-ERR EXEC without MULTI\r\n");
        };
        let is_touched = self.data.unwatch();
        if transaction.is_spoilt {
            return answer.extend_from_slice(b"-EXECABORT Transaction discarded because of previous errors.\r\n");
        }
        let from = answer.len();
        if is_touched {
            return super::Reply { answer, is_resp3: self.is_resp3 }.nil_list();
        }
        answer.extend_from_slice(format!("*{}\r\n", transaction.queued.len()).as_bytes());
        let may_wait = core::mem::take(&mut self.may_wait);
        for words in &transaction.queued {
            let before = answer.len();
            let lower = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
            let _ = self.answered(&lower, words, now, answer);
            if answer.len() - from > ANSWER_BYTES_MAX {
                answer.truncate(before);
                answer.extend_from_slice(NO_MEMORY.as_bytes());
            }
        }
        self.may_wait = may_wait;
    }
}

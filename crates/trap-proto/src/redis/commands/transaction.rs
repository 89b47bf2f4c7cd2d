//! Transactions: commands that wait for `EXEC`.

use super::{Meaning, NO_MEMORY, Server, known::Named};
use alloc::{collections::BTreeSet, format, vec::Vec};
use honeymesh_types::WallTime;

/// Commands that wait, and bytes of all their words with what each takes besides itself.
const QUEUED_MAX: usize = 32;
const QUEUED_BYTES_MAX: usize = 32 * 1_024;
const WORD_BYTES: usize = 40;
/// The longest answer to all of them, in bytes; what does not fit is answered as with full memory.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// Keys that are watched, and bytes of the name of each; more are agreed to, and not counted.
const WATCHED_MAX: usize = 32;
const WATCHED_BYTES_MAX: usize = 128;

const FORBIDDEN: &str = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command \
    is no longer allowed for the following reason: no permission to execute the command or subcommand\r\n";

/// What waits, and which keys are watched meanwhile.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    is_open: bool,
    queued: Vec<Vec<Vec<u8>>>,
    bytes: usize,
    /// One of them cannot be run, so none will be.
    is_spoilt: bool,
    watched: BTreeSet<Vec<u8>>,
    /// How many are carried out just now.
    running: Option<usize>,
}

impl Transaction {
    pub(super) const fn new() -> Self {
        Self { is_open: false, queued: Vec::new(), bytes: 0, is_spoilt: false, watched: BTreeSet::new(), running: None }
    }

    /// How many commands are carried out just now, by one `EXEC`.
    pub(super) const fn running(&self) -> Option<usize> {
        self.running
    }

    pub(super) fn watched(&self) -> usize {
        self.watched.len()
    }

    pub(super) fn unwatch(&mut self) {
        self.watched.clear();
    }

    /// None of what waits will be run, so nothing of it is kept.
    fn spoil(&mut self) {
        (self.is_spoilt, self.queued, self.bytes) = (true, Vec::new(), 0);
    }

    fn watch(&mut self, keys: &[Vec<u8>]) {
        for key in keys {
            if self.watched.len() < WATCHED_MAX && key.len() <= WATCHED_BYTES_MAX {
                self.watched.insert(key.clone());
            }
        }
    }
}

impl Server {
    pub(super) const fn is_in_transaction(&self) -> bool {
        self.transaction.is_open
    }

    /// What waits will not be run.
    pub(super) fn spoil(&mut self) {
        if self.transaction.is_open {
            self.transaction.spoil();
        }
    }

    pub(super) fn end_transaction(&mut self) {
        self.data.unwatch();
        self.transaction = Transaction::new();
    }

    /// Whether it was about a transaction, or waits for its end. `EXEC` is none of these.
    pub(super) fn transact(&mut self, command: &[u8], words: &[Vec<u8>], answer: &mut Vec<u8>) -> bool {
        let is_open = self.transaction.is_open;
        let said = match command {
            b"multi" if is_open => "-ERR MULTI calls can not be nested\r\n",
            b"multi" => {
                self.transaction.is_open = true;
                "+OK\r\n"
            }
            b"discard" if is_open => {
                self.end_transaction();
                "+OK\r\n"
            }
            b"discard" => "-ERR DISCARD without MULTI\r\n",
            b"watch" if is_open => "-ERR WATCH inside MULTI is not allowed\r\n",
            b"watch" => {
                let keys = words.get(1..).unwrap_or_default();
                self.transaction.watch(keys);
                keys.iter().for_each(|key| self.data.watch(key));
                "+OK\r\n"
            }
            b"exec" | b"quit" | b"reset" => return false,
            _ if is_open => self.queue(words),
            _ => return false,
        };
        answer.extend_from_slice(said.as_bytes());
        true
    }

    /// A command waits for its turn, whatever will come of it.
    fn queue(&mut self, words: &[Vec<u8>]) -> &'static str {
        let waiting = &mut self.transaction;
        let bytes = waiting.bytes + words.iter().map(|word| word.len() + WORD_BYTES).sum::<usize>();
        if waiting.is_spoilt {
            return "+QUEUED\r\n";
        }
        if waiting.queued.len() >= QUEUED_MAX || bytes > QUEUED_BYTES_MAX {
            waiting.spoil();
            return NO_MEMORY;
        }
        waiting.queued.push(words.to_vec());
        waiting.bytes = bytes;
        "+QUEUED\r\n"
    }

    /// `EXEC`: each answer is given if answers are wanted when it is its turn, and what is told of channels always.
    pub(super) fn execute(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Meaning {
        let from = answer.len();
        if !self.transaction.is_open {
            answer.extend_from_slice(b"-ERR EXEC without MULTI\r\n");
            self.hush(from, answer);
            return Meaning::Plain;
        }
        let is_touched = self.data.unwatch();
        let transaction = core::mem::replace(&mut self.transaction, Transaction::new());
        if transaction.is_spoilt {
            answer.extend_from_slice(b"-EXECABORT Transaction discarded because of previous errors.\r\n");
            self.hush(from, answer);
            return Meaning::Plain;
        }
        if is_touched {
            super::Reply { answer, is_resp3: self.is_resp3 }.nil_list();
            self.hush(from, answer);
            return Meaning::Plain;
        }
        let count = transaction.queued.len();
        answer.extend_from_slice(format!("*{count}\r\n").as_bytes());
        self.hush(from, answer);
        self.transaction.running = Some(count);
        let may_wait = core::mem::take(&mut self.may_wait);
        let mut is_left = false;
        for words in &transaction.queued {
            let before = answer.len();
            let lower = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
            let arguments = words.get(1..).unwrap_or_default();
            if Named::said(&lower, arguments).is_ok_and(|named| !self.may_run(&named, arguments)) {
                answer.extend_from_slice(FORBIDDEN.as_bytes());
                self.hush(before, answer);
            } else {
                is_left |= self.carried_out(&lower, words, now, answer) == Meaning::Leave;
            }
            if answer.len() - from > ANSWER_BYTES_MAX {
                answer.truncate(before);
                answer.extend_from_slice(NO_MEMORY.as_bytes());
            }
        }
        self.may_wait = may_wait;
        self.end_transaction();
        if is_left { Meaning::Leave } else { Meaning::Plain }
    }
}

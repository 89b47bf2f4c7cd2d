//! What is asked of every command before it is carried out, in Redis' order (`processCommand` of `server.c`): whether there is such a
//! one, its words, what an administrator protects, whether somebody is known, whether a transaction takes it, what he may run, whether
//! a replica takes it, and whether he listens to channels.

use super::{
    REPEATED_BYTES_MAX, Reply, Server, clients::no_permission, known, known::Named, not_allowed, role::READ_ONLY, unknown,
};
use crate::store::VALUE_BYTES_MAX;
use alloc::vec::Vec;

/// What only an administrator allows of `MODULE`.
const PROTECTED: [&[u8]; 3] = [b"module|load", b"module|loadex", b"module|unload"];
/// What no script may run (`CMD_NOSCRIPT`). What has parts is meant with all of them but its `HELP`, where it has no bar.
const NO_SCRIPT: [&[u8]; 42] = [
    b"acl",
    b"auth",
    b"bgrewriteaof",
    b"bgsave",
    b"client",
    b"cluster|reset",
    b"config",
    b"debug",
    b"discard",
    b"eval",
    b"eval_ro",
    b"evalsha",
    b"evalsha_ro",
    b"exec",
    b"failover",
    b"fcall",
    b"fcall_ro",
    b"function",
    b"hello",
    b"latency",
    b"module",
    b"monitor",
    b"multi",
    b"psubscribe",
    b"psync",
    b"punsubscribe",
    b"quit",
    b"replconf",
    b"replicaof",
    b"reset",
    b"role",
    b"save",
    b"script",
    b"shutdown",
    b"slaveof",
    b"ssubscribe",
    b"subscribe",
    b"sunsubscribe",
    b"sync",
    b"unsubscribe",
    b"unwatch",
    b"watch",
];
/// What no transaction takes.
const NO_TRANSACTION: [&[u8]; 4] = [b"shutdown", b"save", b"sync", b"psync"];
/// What who listens to channels may say.
const LISTENING: [&[u8]; 9] =
    [b"ping", b"subscribe", b"ssubscribe", b"psubscribe", b"unsubscribe", b"sunsubscribe", b"punsubscribe", b"quit", b"reset"];
/// What anybody may say, whoever he is.
const ANYBODY: [&[u8]; 4] = [b"auth", b"hello", b"quit", b"reset"];

impl Server {
    /// Whether a command is refused before anything comes of it: that spoils the transaction it was for, and ends the one that it was
    /// to carry out. `command` is in small letters.
    pub(super) fn refuses(&mut self, command: &[u8], words: &[Vec<u8>], answer: &mut Vec<u8>) -> bool {
        let before = answer.len();
        self.refusal(command, words, &mut Reply { answer, is_resp3: self.is_resp3 });
        let is_refused = answer.len() > before;
        if is_refused && command == b"exec" {
            self.end_transaction();
            let said = answer.split_off(before);
            let reason = said.strip_prefix(b"-ERR ").or_else(|| said.strip_prefix(b"-")).unwrap_or(&said);
            answer.extend_from_slice(b"-EXECABORT Transaction discarded because of: ");
            answer.extend_from_slice(reason);
        } else if is_refused {
            self.spoil();
        }
        is_refused
    }

    /// Whether who is there may run a command: as it is asked once more when a transaction carries it out.
    pub(super) fn may_run(&self, command: &Named, arguments: &[Vec<u8>]) -> bool {
        let first = arguments.first().map(Vec::as_slice);
        ANYBODY.contains(&command.name.as_slice()) || self.users.may_run(self.who(), command, first)
    }

    fn refusal(&self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) {
        let [said, arguments @ ..] = words else { return };
        let named = match Named::said(command, arguments) {
            Ok(named) => named,
            Err(known::Fault::Command) => return unknown(said, arguments, reply),
            Err(_) => {
                known::objection(command, arguments, reply);
                return;
            }
        };
        let name = named.name.as_slice();
        if name == b"debug" {
            reply.raw(&not_allowed("DEBUG", "enable-debug-command"));
        } else if PROTECTED.contains(&name) {
            reply.raw(&not_allowed("MODULE", "enable-module-command"));
        } else if !self.is_let_in() && !ANYBODY.contains(&name) {
            reply.raw("-NOAUTH Authentication required.\r\n");
        } else if self.is_in_transaction() && NO_TRANSACTION.contains(&name) {
            reply.raw("-ERR Command not allowed inside a transaction\r\n");
        } else if !self.may_run(&named, arguments) {
            reply.raw("-NOPERM ");
            reply.repeat(&no_permission(self.who(), name), VALUE_BYTES_MAX);
            reply.raw("\r\n");
        } else if self.is_read_only_for(&named) {
            reply.raw(READ_ONLY);
        } else if self.is_listening() && !self.is_resp3 && !LISTENING.contains(&name) {
            reply.raw("-ERR Can't execute '");
            reply.repeat(name, REPEATED_BYTES_MAX);
            reply.raw("': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n");
        }
    }
}

/// What is asked of a command that a script runs (`scriptCall` of `script.c`): the error in Redis' words, if one is in the way.
pub(super) fn scripted(command: &[u8], arguments: &[Vec<u8>]) -> Result<Named, &'static str> {
    let named = Named::said(command, arguments).map_err(|fault| match fault {
        known::Fault::Words(_) => "Wrong number of args calling Redis command from script",
        known::Fault::Command | known::Fault::Part => "Unknown Redis command called from script",
    })?;
    let group = if named.name.ends_with(b"|help") { &named.name } else { command };
    if NO_SCRIPT.contains(&group) || NO_SCRIPT.contains(&named.name.as_slice()) {
        return Err("This Redis command is not allowed from script");
    }
    Ok(named)
}

/// The module for vectors counts the words of its commands when they are carried out.
pub(super) fn lacks_words(command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
    let is_short = arguments.is_empty() && command.starts_with(b"v");
    let named = is_short.then(|| Named::of(command)).flatten().filter(|named| named.name.starts_with(b"V"));
    named.is_some_and(|named| known::wrong_words(&named.name, reply))
}

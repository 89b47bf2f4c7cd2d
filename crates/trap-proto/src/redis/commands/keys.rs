//! Keys, whatever is behind them.

use super::{
    DATABASES, Reply, Server,
    stored::{NO_KEY, SYNTAX, is, whole},
};
use crate::{
    redis::data::{NO_MEMORY, Refusal, glob::fits, number::integer, order::Name, value::Value},
    store::KEY_BYTES_MAX,
};
use alloc::vec::Vec;

const NO_INDEX: Refusal = "-ERR DB index is out of range\r\n";
const THE_SAME: Refusal = "-ERR source and destination objects are the same\r\n";
const NO_FREQUENCY: Refusal = "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
    between policies at runtime LRU and LFU data will take some time to adjust.\r\n";
/// How often a small number is referred to: Redis has each once, and counts no further.
const SHARED: usize = 2_147_483_647;
const SHARED_BELOW: i64 = 10_000;

/// The database that a word says.
pub(super) fn database(word: &[u8]) -> Result<i64, Refusal> {
    let number = whole(word)?;
    if (0..DATABASES).contains(&number) { Ok(number) } else { Err(NO_INDEX) }
}

impl Server {
    /// Commands on keys.
    pub(super) fn keys(&mut self, command: &[u8], words: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        match (command, words) {
            (b"del" | b"unlink", keys) => {
                let removed = keys.iter().filter(|key| self.data.remove(key)).count();
                reply.number(removed);
            }
            (b"exists" | b"touch", keys) => reply.number(keys.iter().filter(|key| self.data.has(key)).count()),
            (b"keys", [pattern]) => {
                let mut left = self.steps.for_patterns();
                let names = self.data.iter().map(|(name, _)| name).filter(|name| fits(pattern, name, &mut left));
                let names: Vec<&Name> = names.collect();
                self.steps.tried(left)?;
                reply.list(names.into_iter().map(|name| &**name));
            }
            (b"dbsize", []) => reply.number(self.data.len()),
            (b"type", [key]) => {
                reply.raw("+");
                reply.raw(self.data.value(key).map_or("none", Value::name));
                reply.raw("\r\n");
            }
            (b"ttl" | b"pttl" | b"expiretime" | b"pexpiretime", [key]) => self.time_left(command, key, reply),
            (b"expire" | b"pexpire" | b"expireat" | b"pexpireat", words) => return self.expire(command, words, reply),
            (b"persist", [key]) => {
                let is_bound = self.data.entry(key).is_some_and(|entry| entry.until_ms.is_some());
                self.data.keep_until(key, None);
                reply.number(usize::from(is_bound));
            }
            (b"randomkey", []) => {
                let index = self.random(self.data.len());
                let name = self.data.iter().nth(index).map(|(name, _)| &**name);
                reply.bulk_or_nil(name);
            }
            (b"rename" | b"renamenx", [from, to]) => return self.renamed(from, to, command == b"renamenx", reply),
            (b"copy", [from, to, options @ ..]) => return self.copied(from, to, options, reply),
            (b"move", [key, to]) => return self.moved_away(key, to, reply),
            (b"swapdb", [one, other]) => {
                self.data.swap(database(one)?, database(other)?);
                reply.raw("+OK\r\n");
            }
            (b"flushdb" | b"flushall", _) => {
                self.data.clear(command == b"flushall");
                reply.raw("+OK\r\n");
            }
            (b"object", [sub, key]) => return self.told_of(sub, key, reply),
            _ => return Err(SYNTAX),
        }
        Ok(())
    }

    fn renamed(&mut self, from: &[u8], to: &[u8], is_new: bool, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let Some(kind) = self.data.value(from).map(Value::kind) else { return Err(NO_KEY) };
        let is_refused = is_new && self.data.has(to);
        if !is_refused && from != to {
            // Nothing else can keep it from its new name: it has room already.
            if to.len() > KEY_BYTES_MAX || !self.data.has_room(from, kind, 0, to.len()) {
                return Err(NO_MEMORY);
            }
            if let Some(entry) = self.data.take(from) {
                self.data.put(to, entry)?;
            }
        }
        match (is_new, is_refused) {
            (true, refused) => reply.number(usize::from(!refused)),
            (false, _) => reply.raw("+OK\r\n"),
        }
        Ok(())
    }

    fn copied(&mut self, from: &[u8], to: &[u8], options: &[Vec<u8>], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let (mut replaces, mut target, mut rest) = (false, self.data.selected, options);
        while let Some((option, behind)) = rest.split_first() {
            rest = match (option, behind) {
                (option, behind) if is(option, "replace") => {
                    replaces = true;
                    behind
                }
                (option, [number, behind @ ..]) if is(option, "db") => {
                    target = database(number)?;
                    behind
                }
                _ => return Err(SYNTAX),
            };
        }
        if target == self.data.selected && from == to {
            return Err(THE_SAME);
        }
        let Some(entry) = self.data.entry(from).cloned() else {
            reply.number(0);
            return Ok(());
        };
        let selected = core::mem::replace(&mut self.data.selected, target);
        let is_refused = !replaces && self.data.has(to);
        let done = if is_refused { Ok(()) } else { self.data.put(to, entry) };
        self.data.selected = selected;
        done?;
        reply.number(usize::from(!is_refused));
        Ok(())
    }

    fn moved_away(&mut self, key: &[u8], to: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let target = database(to)?;
        if target == self.data.selected {
            return Err(THE_SAME);
        }
        let source = core::mem::replace(&mut self.data.selected, target);
        let is_taken = self.data.has(key);
        self.data.selected = source;
        let entry = if is_taken { None } else { self.data.take(key) };
        let is_moved = entry.is_some();
        if let Some(entry) = entry {
            self.data.selected = target;
            let done = self.data.put(key, entry);
            self.data.selected = source;
            done?;
        }
        reply.number(usize::from(is_moved));
        Ok(())
    }

    fn told_of(&self, sub: &[u8], key: &[u8], reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let Some(value) = self.data.value(key) else {
            reply.nil();
            return Ok(());
        };
        match sub {
            sub if is(sub, "encoding") => reply.bulk(value.encoding().as_bytes()),
            sub if is(sub, "freq") => return Err(NO_FREQUENCY),
            sub if is(sub, "refcount") => {
                let is_shared = |text: &[u8]| integer(text).is_some_and(|number| (0..SHARED_BELOW).contains(&number));
                let is_shared = matches!(value, Value::Text(text) if !text.is_raw && is_shared(&text.bytes));
                reply.number(if is_shared { SHARED } else { 1 });
            }
            _ => reply.number(0),
        }
        Ok(())
    }
}

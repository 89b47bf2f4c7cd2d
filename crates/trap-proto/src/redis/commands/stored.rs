//! Commands on what is stored: which there are, and what all of them have in common.

use super::{Reply, Server};
use crate::redis::data::{
    NO_MEMORY, Refusal,
    number::{double, integer},
    order::hash,
    value::{Kind, Value},
};
use alloc::vec::Vec;

/// The longest answer to one command, in bytes; longer ones are answered as with full memory.
pub(in super::super) const REPLY_BYTES_MAX: usize = 20 * 1_024;
/// How many elements commands may look at, for each byte that was said, and before any was; further ones are answered as with full
/// memory, so that a large list costs its reader no less than its writer.
const STEPS_EACH: usize = 12;
const STEPS_AT_FIRST: usize = 16 * 1_024;
/// The most that can be saved up.
const STEPS_MAX: usize = 1 << 20;
/// How many steps of a pattern cost as much as an element, and for how many elements' worth one command may try patterns.
const PATTERN_STEPS_EACH: usize = 4;
const PATTERN_STEPS_MAX: usize = 8 * 1_024;
/// What is written into a hash or a text besides the command's words: a number.
const NUMBER_BYTES: usize = 40;

pub(super) const NO_INTEGER: Refusal = "-ERR value is not an integer or out of range\r\n";
pub(super) const NO_FLOAT: Refusal = "-ERR value is not a valid float\r\n";
pub(super) const NO_INDEX: Refusal = "-ERR index out of range\r\n";
pub(super) const NO_KEY: Refusal = "-ERR no such key\r\n";
pub(super) const NOT_POSITIVE: Refusal = "-ERR value is out of range, must be positive\r\n";
pub(super) const OUT_OF_RANGE: Refusal = "-ERR value is out of range\r\n";
pub(super) const OVERFLOW: Refusal = "-ERR increment or decrement would overflow\r\n";
pub(super) const SYNTAX: Refusal = "-ERR syntax error\r\n";
const NO_KEYS: Refusal = "-ERR numkeys should be greater than 0\r\n";

/// Elements that commands may still look at.
#[derive(Debug)]
pub(super) struct Steps(usize);

impl Steps {
    pub(super) const fn new() -> Self {
        Self(STEPS_AT_FIRST)
    }

    /// Something was said.
    pub(super) fn earn(&mut self, words: &[Vec<u8>]) {
        let bytes: usize = words.iter().map(|word| word.len() + 2).sum();
        self.0 = (self.0 + STEPS_EACH * bytes).min(STEPS_MAX);
    }

    /// How far patterns may be tried, in steps of their own; what is left of them is given back to [`Steps::tried`].
    pub(super) fn for_patterns(&self) -> usize {
        self.0.min(PATTERN_STEPS_MAX).saturating_mul(PATTERN_STEPS_EACH)
    }

    /// Patterns were tried, and so much was left.
    pub(super) fn tried(&mut self, left: usize) -> Result<(), Refusal> {
        let used = self.for_patterns() - left;
        self.spend(used.div_ceil(PATTERN_STEPS_EACH))?;
        if left == 0 { Err(NO_MEMORY) } else { Ok(()) }
    }

    /// So many elements are looked at.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Refusal> {
        self.0 = self.0.checked_sub(steps).ok_or(NO_MEMORY)?;
        Ok(())
    }
}

/// What a command is about.
#[derive(Clone, Copy)]
enum Family {
    Texts,
    Keys,
    Lists,
    Sets,
    Hashes,
    Sorted,
    Ranges,
    Unions,
    Scan,
    Sort,
}

fn family(command: &[u8]) -> Option<Family> {
    Some(match command {
        b"get" | b"set" | b"setnx" | b"setex" | b"psetex" | b"getset" | b"getdel" | b"getex" | b"append" | b"strlen"
        | b"incr" | b"decr" | b"incrby" | b"decrby" | b"incrbyfloat" | b"mget" | b"mset" | b"msetnx" | b"getrange"
        | b"substr" | b"setrange" | b"getbit" | b"setbit" | b"bitcount" => Family::Texts,
        b"del" | b"unlink" | b"exists" | b"touch" | b"keys" | b"dbsize" | b"type" | b"ttl" | b"pttl" | b"expiretime"
        | b"pexpiretime" | b"expire" | b"pexpire" | b"expireat" | b"pexpireat" | b"persist" | b"randomkey" | b"rename"
        | b"renamenx" | b"copy" | b"move" | b"swapdb" | b"flushdb" | b"flushall" | b"object" => Family::Keys,
        b"lpush" | b"rpush" | b"lpushx" | b"rpushx" | b"lpop" | b"rpop" | b"llen" | b"lrange" | b"lindex" | b"lset" | b"lrem"
        | b"ltrim" | b"linsert" | b"lmove" | b"rpoplpush" | b"lpos" | b"lmpop" | b"blpop" | b"brpop" | b"blmove" | b"blmpop"
        | b"brpoplpush" => Family::Lists,
        b"sadd" | b"srem" | b"smembers" | b"sismember" | b"smismember" | b"scard" | b"spop" | b"srandmember" | b"smove"
        | b"sinter" | b"sunion" | b"sdiff" | b"sinterstore" | b"sunionstore" | b"sdiffstore" | b"sintercard" => Family::Sets,
        b"hset" | b"hmset" | b"hsetnx" | b"hget" | b"hmget" | b"hgetall" | b"hdel" | b"hlen" | b"hkeys" | b"hvals"
        | b"hexists" | b"hincrby" | b"hincrbyfloat" | b"hstrlen" | b"hrandfield" => Family::Hashes,
        b"zadd" | b"zincrby" | b"zscore" | b"zmscore" | b"zcard" | b"zrank" | b"zrevrank" | b"zrem" | b"zpopmin" | b"zpopmax"
        | b"bzpopmin" | b"bzpopmax" | b"zmpop" | b"bzmpop" | b"zrandmember" => Family::Sorted,
        b"zrange" | b"zrevrange" | b"zrangebyscore" | b"zrevrangebyscore" | b"zrangebylex" | b"zrevrangebylex"
        | b"zrangestore" | b"zcount" | b"zlexcount" | b"zremrangebyrank" | b"zremrangebyscore" | b"zremrangebylex" => {
            Family::Ranges
        }
        b"zunion" | b"zinter" | b"zdiff" | b"zunionstore" | b"zinterstore" | b"zdiffstore" | b"zintercard" => Family::Unions,
        b"scan" | b"sscan" | b"hscan" | b"zscan" => Family::Scan,
        b"sort" | b"sort_ro" => Family::Sort,
        _ => return None,
    })
}

/// Whether it adds its words to what is behind its first one.
fn grows(command: &[u8]) -> bool {
    matches!(
        command,
        b"lpush"
            | b"rpush"
            | b"lpushx"
            | b"rpushx"
            | b"lset"
            | b"linsert"
            | b"sadd"
            | b"hset"
            | b"hmset"
            | b"hsetnx"
            | b"hincrby"
            | b"hincrbyfloat"
            | b"zadd"
            | b"zincrby"
    )
}

/// What such a command adds to.
fn kind(command: &[u8]) -> Kind {
    match command.first() {
        Some(b'h') => Kind::Hash,
        Some(b'z') => Kind::Sorted,
        Some(b's') => Kind::Set,
        _ => Kind::List,
    }
}

/// What a command pays for each element that it is about, in quarters of a step: nothing where it is done however many there are, or
/// takes away what it looks at.
fn price(command: &[u8], family: Family) -> usize {
    match (family, command) {
        (Family::Keys, b"copy") | (Family::Unions, _) => 24,
        (Family::Lists, b"lrange") => 6,
        (Family::Lists, b"lrem" | b"ltrim" | b"linsert" | b"lpos") => 4,
        (Family::Sets, b"smembers") => 8,
        (Family::Sets, b"spop" | b"srandmember") => 4,
        (Family::Sets, b"sinter" | b"sunion" | b"sdiff" | b"sinterstore" | b"sunionstore" | b"sdiffstore" | b"sintercard") => 24,
        (Family::Hashes, b"hgetall" | b"hkeys" | b"hvals") => 12,
        (Family::Hashes, b"hrandfield") | (Family::Sorted, b"zrandmember") => 8,
        (Family::Sorted, b"zrank" | b"zrevrank") => 1,
        (Family::Ranges | Family::Scan, _) => 12,
        (Family::Sort, _) => 4,
        _ => 0,
    }
}

/// A whole number.
pub(super) fn whole(word: &[u8]) -> Result<i64, Refusal> {
    integer(word).ok_or(NO_INTEGER)
}

/// A whole number that is not below nought; `refusal` if it is none.
pub(super) fn count(word: &[u8], refusal: Refusal) -> Result<usize, Refusal> {
    integer(word).and_then(|number| usize::try_from(number).ok()).ok_or(refusal)
}

/// Any number.
pub(super) fn float(word: &[u8]) -> Result<f64, Refusal> {
    double(word).ok_or(NO_FLOAT)
}

/// Words of a command.
pub(super) type Words = [Vec<u8>];

/// The keys whose number is said first, and what stands behind them.
pub(super) fn keys_of(words: &[Vec<u8>], too_many: Refusal) -> Result<(&Words, &Words), Refusal> {
    let (number, rest) = words.split_first().ok_or(SYNTAX)?;
    let number = count(number, NO_KEYS)?;
    if number == 0 {
        return Err(NO_KEYS);
    }
    rest.split_at_checked(number).ok_or(too_many)
}

/// What `from` and `to` mean of so many, which are counted from the end where they are below nought: the first, and how many.
pub(super) fn span(from: i64, to: i64, all: usize) -> (usize, usize) {
    let all_signed = i64::try_from(all).unwrap_or(i64::MAX);
    let of = |index: i64| if index < 0 { index.saturating_add(all_signed) } else { index };
    let (from, to) = (of(from).max(0), of(to).min(all_signed - 1));
    if from > to {
        return (0, 0);
    }
    (usize::try_from(from).unwrap_or_default(), usize::try_from(to - from + 1).unwrap_or_default())
}

/// Whether a word is this one, in whatever letters.
pub(super) fn is(word: &[u8], known: &str) -> bool {
    word.eq_ignore_ascii_case(known.as_bytes())
}

impl Server {
    /// Commands on what is stored; whether it was one.
    pub(super) fn stored(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let Some(family) = family(command) else { return false };
        let from = reply.answer.len();
        let done = self.admitted(command, family, arguments).and_then(|()| match family {
            Family::Texts => self.texts(command, arguments, reply),
            Family::Keys => self.keys(command, arguments, reply),
            Family::Lists => self.lists(command, arguments, reply),
            Family::Sets => self.sets(command, arguments, reply),
            Family::Hashes => self.hashes(command, arguments, reply),
            Family::Sorted => self.sorted(command, arguments, reply),
            Family::Ranges => self.ranges(command, arguments, reply),
            Family::Unions => self.unions(command, arguments, reply),
            Family::Scan => self.scan(command, arguments, reply),
            Family::Sort => self.sort(command, arguments, reply),
        });
        let refusal = match done {
            Ok(()) if reply.answer.len() - from <= REPLY_BYTES_MAX => return true,
            Ok(()) => NO_MEMORY,
            Err(refusal) => refusal,
        };
        reply.answer.truncate(from);
        reply.raw(refusal);
        true
    }

    /// Whether there is room for what a command adds, and for what it looks at.
    fn admitted(&mut self, command: &[u8], family: Family, arguments: &[Vec<u8>]) -> Result<(), Refusal> {
        if let Some((key, words)) = arguments.split_first().filter(|_| grows(command)) {
            let bytes = words.iter().map(Vec::len).sum::<usize>() + NUMBER_BYTES;
            let kind = kind(command);
            let elements = if matches!(kind, Kind::Hash | Kind::Sorted) { words.len().div_ceil(2) } else { words.len() };
            if !self.data.has_room(key, kind, elements, bytes) {
                return Err(NO_MEMORY);
            }
        }
        let price = price(command, family);
        let looked = |word: &Vec<u8>| self.data.value(word).map_or(1, Value::len);
        let elements = match (family, arguments) {
            _ if price == 0 => return Ok(()),
            (Family::Sort, [key, options @ ..]) => {
                let elements = looked(key);
                elements * ((elements + 2).ilog2() as usize + 1 + 4 * options.len())
            }
            (Family::Scan, _) if command == b"scan" => self.data.len(),
            _ => arguments.iter().map(looked).sum(),
        };
        self.steps.spend(elements * price / 4)
    }

    /// A number below `bound` that nobody can foresee.
    pub(super) fn random(&mut self, bound: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(hash(&[], self.chance).checked_rem(bound).unwrap_or_default()).unwrap_or_default()
    }

    /// Different numbers below `bound`, in their order: so many, or all there are.
    pub(super) fn some_of(&mut self, bound: usize, count: usize) -> Vec<usize> {
        let mut left = count.min(bound);
        let mut chosen = Vec::with_capacity(left);
        for index in 0..bound {
            if left > 0 && self.random(bound - index) < left {
                chosen.push(index);
                left -= 1;
            }
        }
        chosen
    }

    /// Numbers below `bound`, the same perhaps several times: as many as have room in an answer.
    pub(super) fn any_of(&mut self, bound: usize, count: usize) -> Result<Vec<usize>, Refusal> {
        if count > REPLY_BYTES_MAX / 5 {
            return Err(NO_MEMORY);
        }
        self.steps.spend(count)?;
        Ok((0..count).map(|_| self.random(bound)).collect())
    }
}

#[cfg(test)]
mod tests;

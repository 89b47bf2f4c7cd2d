//! What is asked of lists, sets, hashes and whatever else is not stored here, and what a server says of itself besides.

use super::{NO_MEMORY, REPEATED_BYTES_MAX, Reply, Server, clients::integer, known};
use alloc::{format, vec::Vec};

const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
/// Behind so many bytes of an answer further values are not there any more.
const MGET_BYTES_MAX: usize = 2 * 1_024;

/// What a command says of a key that is not there.
#[derive(Clone, Copy)]
enum Nothing {
    Number,
    Nil,
    List,
    Set,
    Map,
}

/// What commands say of a key that is not there, or is no list and the like.
const READS: [(Nothing, &str); 5] = [
    (
        Nothing::Number,
        "llen xlen scard zcard hlen hexists sismember zcount zlexcount hdel srem zrem lrem pfcount lpushx rpushx hstrlen zremrangebyscore",
    ),
    (Nothing::Nil, "hget lpop rpop lindex spop srandmember zscore zrank zrevrank hrandfield zrandmember"),
    (
        Nothing::List,
        "lrange zrange zrevrange zrangebyscore zrevrangebyscore hkeys hvals xrange xrevrange geopos geohash zpopmin zpopmax geosearch",
    ),
    (Nothing::Set, "smembers sinter sunion sdiff"),
    (Nothing::Map, "hgetall"),
];

impl Server {
    /// What the server says to commands with a word that they do not take; whether it was one.
    pub(super) fn objects(&self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let is_integer = |word: &Vec<u8>| integer(word).is_some();
        let is_one_of = |word: &Vec<u8>, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        let has = |words: &[Vec<u8>], wanted: &str| words.iter().any(|word| word.eq_ignore_ascii_case(wanted.as_bytes()));
        let said = match (command, arguments) {
            (b"auth", [_, _, _, ..]) => SYNTAX,
            (b"ping", [_, _, ..]) => "-ERR wrong number of arguments for 'ping' command\r\n",
            (b"shutdown", words) if !words.iter().all(|word| is_one_of(word, &["save", "nosave", "now", "force", "abort"])) => {
                SYNTAX
            }
            (b"shutdown", [word]) if is_one_of(word, &["abort"]) => "-ERR No shutdown in progress.\r\n",
            (b"shutdown", words) if has(words, "abort") || has(words, "save") && has(words, "nosave") => SYNTAX,
            (b"bgsave", [word]) if !is_one_of(word, &["schedule"]) => SYNTAX,
            (b"flushall" | b"flushdb", [word]) if !is_one_of(word, &["sync", "async"]) => SYNTAX,
            (b"slaveof" | b"replicaof", [host, port]) if is_one_of(host, &["no"]) && is_one_of(port, &["one"]) => return false,
            (b"slaveof" | b"replicaof", [_, port]) if integer(port).is_none_or(|port| !(0..=65_535).contains(&port)) => {
                "-ERR Invalid master port\r\n"
            }
            (b"scan", [cursor, ..]) if cursor.is_empty() || !cursor.iter().all(u8::is_ascii_digit) => "-ERR invalid cursor\r\n",
            (b"scan", [_, option, ..]) if !is_one_of(option, &["match", "count", "type"]) => SYNTAX,
            (b"expire" | b"pexpire" | b"expireat" | b"pexpireat", [_, time, ..]) if !is_integer(time) => NO_INTEGER,
            (b"wait", [replicas, time]) if !is_integer(replicas) || !is_integer(time) => NO_INTEGER,
            (b"swapdb", [first, _]) if !is_integer(first) => "-ERR invalid first DB index\r\n",
            (b"swapdb", [_, second]) if !is_integer(second) => "-ERR invalid second DB index\r\n",
            (b"replconf", [option, value, ..]) if is_one_of(option, &["listening-port"]) && !is_integer(value) => NO_INTEGER,
            _ => return false,
        };
        reply.raw(said);
        true
    }

    /// Commands on keys of kinds that are not stored; whether it was one.
    pub(super) fn other_keys(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let key = arguments.first().map(Vec::as_slice).unwrap_or_default();
        let is_there = self.store.get(key).is_some();
        if let Some((nothing, _)) = READS.iter().find(|(_, names)| names.split(' ').any(|name| name.as_bytes() == command)) {
            match nothing {
                _ if is_there => reply.raw(WRONG_TYPE),
                Nothing::Number => reply.raw(":0\r\n"),
                Nothing::Nil => reply.nil(),
                Nothing::List => reply.raw("*0\r\n"),
                Nothing::Set => reply.set(0),
                Nothing::Map => reply.map(0),
            }
            return true;
        }
        let values = arguments.len().saturating_sub(1);
        match command {
            b"lpush" | b"rpush" | b"sadd" | b"hset" | b"zadd" | b"pfadd" | b"xadd" if is_there => reply.raw(WRONG_TYPE),
            b"lpush" | b"rpush" | b"sadd" => reply.number(values),
            b"hset" | b"zadd" => reply.number(values / 2),
            b"pfadd" => reply.number(1),
            b"strlen" => reply.number(self.store.get(key).map_or(0, <[u8]>::len)),
            b"getrange" if !is_there => reply.bulk(b""),
            b"bitcount" if !is_there => reply.number(0),
            b"sort" if !is_there => reply.raw("*0\r\n"),
            b"dump" if !is_there => reply.nil(),
            b"persist" => reply.number(0),
            b"touch" => reply.number(arguments.iter().filter(|key| self.store.get(key).is_some()).count()),
            b"mget" => {
                let from = reply.answer.len();
                reply.raw(&format!("*{}\r\n", arguments.len()));
                for key in arguments {
                    match self.store.get(key) {
                        Some(value) if reply.answer.len() - from < MGET_BYTES_MAX => reply.bulk(value),
                        _ => reply.nil(),
                    }
                }
            }
            b"randomkey" => match self.store.keys(b"*").next() {
                Some(key) => reply.bulk(key),
                None => reply.nil(),
            },
            b"rename" if !is_there => reply.raw("-ERR no such key\r\n"),
            b"setnx" if is_there => reply.number(0),
            b"setnx" | b"setex" | b"psetex" | b"append" => self.written(command, arguments, reply),
            b"incr" | b"decr" => self.counted(key, if command == b"incr" { 1 } else { -1 }, reply),
            _ => return false,
        }
        true
    }

    fn written(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
        let ([key, .., value], is_appended) = (arguments, command == b"append") else { return };
        let before = self.store.get(key).filter(|_| is_appended).map(<[u8]>::to_vec).unwrap_or_default();
        let value = [before, value.clone()].concat();
        match (self.store.set(key, &value), command) {
            (false, _) => reply.raw(NO_MEMORY),
            (true, b"append") => reply.number(value.len()),
            (true, b"setnx") => reply.number(1),
            (true, _) => reply.raw("+OK\r\n"),
        }
    }

    fn counted(&mut self, key: &[u8], by: i64, reply: &mut Reply<'_>) {
        let before = self.store.get(key).map_or(Some(0), integer);
        match before.and_then(|before| before.checked_add(by)) {
            None => reply.raw(NO_INTEGER),
            Some(after) if self.store.set(key, format!("{after}").as_bytes()) => reply.raw(&format!(":{after}\r\n")),
            Some(_) => reply.raw(NO_MEMORY),
        }
    }

    /// What a server says of itself besides; whether it was asked that.
    pub(super) fn other_looks(&self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let sub = arguments.first().map(|sub| sub.to_ascii_lowercase()).unwrap_or_default();
        match (command, sub.as_slice()) {
            (group, b"help") if known::is_known(&[group, b"|help"].concat()) => known::help(group, reply),
            (b"slowlog", b"len") | (b"pubsub", b"numpat") => reply.raw(":0\r\n"),
            (b"publish" | b"wait" | b"spublish", _) => reply.raw(":0\r\n"),
            (b"slowlog" | b"latency", b"reset") => reply.raw(if command == b"slowlog" { "+OK\r\n" } else { ":0\r\n" }),
            (b"latency", b"latest" | b"history")
            | (b"pubsub", b"channels" | b"numsub" | b"shardchannels" | b"shardnumsub")
            | (b"function", b"list") => reply.raw("*0\r\n"),
            (b"memory", b"usage") | (b"object", b"encoding" | b"freq" | b"idletime" | b"refcount") => reply.nil(),
            (b"function", b"stats") => {
                reply.map(2);
                reply.bulk(b"running_script");
                reply.nil();
                reply.bulk(b"engines");
                reply.map(1);
                reply.bulk(b"LUA");
                reply.map(2);
                for name in ["libraries_count", "functions_count"] {
                    reply.bulk(name.as_bytes());
                    reply.raw(":0\r\n");
                }
            }
            (b"command", b"info") if arguments.len() == 2 && !known::is_known(&arguments[1].to_ascii_lowercase()) => {
                reply.raw("*1\r\n");
                reply.nil();
            }
            (b"command", b"getkeys") => match arguments.get(1).map(|name| name.to_ascii_lowercase()).as_deref() {
                Some(b"get" | b"set" | b"del" | b"type" | b"ttl") => {
                    reply.list(arguments.get(2..3).unwrap_or_default().iter().map(Vec::as_slice).collect());
                }
                _ => reply.raw("-ERR The command has no key arguments\r\n"),
            },
            (b"failover", _) => reply.raw("-ERR FAILOVER requires connected replicas.\r\n"),
            (b"replconf", b"") => reply.raw("+OK\r\n"),
            (b"replconf", b"listening-port" | b"ip-address" | b"capa" | b"ack" | b"getack" | b"rdb-only" | b"version") => {
                reply.raw("+OK\r\n");
            }
            (b"replconf", _) => {
                reply.raw("-ERR Unrecognized REPLCONF option: ");
                arguments.iter().take(1).for_each(|option| reply.repeat(option, REPEATED_BYTES_MAX));
                reply.raw("\r\n");
            }
            _ => return false,
        }
        true
    }
}

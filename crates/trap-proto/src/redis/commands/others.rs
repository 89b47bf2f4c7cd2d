//! What is asked of streams and whatever else is not stored here, and what a server says of itself besides.

use super::{
    REPEATED_BYTES_MAX, Reply, Server, known,
    stored::{NO_INTEGER, SYNTAX},
};
use crate::redis::data::{WRONG_TYPE, number::integer};
use alloc::vec::Vec;

/// What commands say of a key that is not there, and of any: what is behind it is of another kind.
const NUMBERS: [&[u8]; 2] = [b"xlen", b"pfcount"];
const LISTS: [&[u8]; 5] = [b"xrange", b"xrevrange", b"geopos", b"geohash", b"geosearch"];

impl Server {
    /// What the server says to commands with a word that they do not take; whether it was one.
    pub(super) fn objects(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let is_integer = |word: &Vec<u8>| integer(word).is_some();
        let is_one_of = |word: &Vec<u8>, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        let has = |words: &[Vec<u8>], wanted: &str| words.iter().any(|word| word.eq_ignore_ascii_case(wanted.as_bytes()));
        if self.of_replicas(command, arguments, reply) {
            return true;
        }
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
            (b"swapdb", [first, _]) if !is_integer(first) => "-ERR invalid first DB index\r\n",
            (b"swapdb", [_, second]) if !is_integer(second) => "-ERR invalid second DB index\r\n",
            (b"replconf", [option, value, ..]) if is_one_of(option, &["listening-port"]) && !is_integer(value) => NO_INTEGER,
            _ => return false,
        };
        reply.raw(said);
        true
    }

    /// Commands on keys of kinds that are not stored; whether it was one.
    pub(super) fn other_keys(&self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let is_there = self.data.has(arguments.first().map(Vec::as_slice).unwrap_or_default());
        match command {
            command if is_there && (NUMBERS.contains(&command) || LISTS.contains(&command)) => reply.raw(WRONG_TYPE),
            command if NUMBERS.contains(&command) => reply.number(0),
            command if LISTS.contains(&command) => reply.array(0),
            b"pfadd" | b"xadd" if is_there => reply.raw(WRONG_TYPE),
            b"pfadd" => reply.number(1),
            b"dump" if !is_there => reply.nil(),
            _ => return false,
        }
        true
    }

    /// What a server says of itself besides; whether it was asked that.
    pub(super) fn other_looks(&self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let sub = arguments.first().map(|sub| sub.to_ascii_lowercase()).unwrap_or_default();
        match (command, sub.as_slice()) {
            (group, b"help") if known::is_known(&[group, b"|help"].concat()) => known::help(group, reply),
            (b"slowlog", b"len") | (b"pubsub", b"numpat") => reply.raw(":0\r\n"),
            (b"publish" | b"spublish", _) => reply.raw(":0\r\n"),
            (b"slowlog" | b"latency", b"reset") => reply.raw(if command == b"slowlog" { "+OK\r\n" } else { ":0\r\n" }),
            (b"latency", b"latest" | b"history")
            | (b"pubsub", b"channels" | b"numsub" | b"shardchannels" | b"shardnumsub")
            | (b"function", b"list") => reply.raw("*0\r\n"),
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
                    reply.list(arguments.get(2..3).unwrap_or_default().iter().map(Vec::as_slice));
                }
                _ => reply.raw("-ERR The command has no key arguments\r\n"),
            },
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

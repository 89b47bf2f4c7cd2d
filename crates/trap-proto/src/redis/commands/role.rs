//! Whose replica the server is. It never reaches the one that it is told to follow, as a server behind a closed firewall does not: it goes
//! on trying, and takes no writes meanwhile (`replication.c`).

use super::{
    Reply, SETTING_BYTES_MAX, Server,
    known::Named,
    stored::{NO_INTEGER, SYNTAX},
    waiting::waiting_time,
};
use crate::{
    redis::{
        data::{Refusal, number::integer},
        info::Following,
    },
    text::safe_text,
};
use alloc::{format, string::String, vec::Vec};
use core::net::IpAddr;

/// What commands that write are refused with.
pub(super) const READ_ONLY: &str = "-READONLY You can't write against a read only replica.\r\n";
/// Said to whoever says again whom to follow.
const KNOWN_MASTER: &str = "+OK Already connected to specified master\r\n";
/// The category of commands that write (`CATEGORIES`): all of Redis' own are in it, and no others.
const WRITE: usize = 2;
/// Those of the module for vectors, which are in none.
const VECTORS: [&[u8]; 3] = [b"VADD", b"VREM", b"VSETATTR"];
/// Whether a replica refuses writes is one setting of two names.
pub(super) const READ_ONLY_SETTINGS: [&str; 2] = ["replica-read-only", "slave-read-only"];

/// The longest name of a host that is kept, in bytes.
const HOST_BYTES_MAX: usize = 1_024;
/// Whom it follows is one setting of two names, and so long at most, in bytes: Redis' own limit.
pub(super) const MASTER_SETTINGS: [&str; 2] = ["replicaof", "slaveof"];
const MASTER_SETTING_BYTES_MAX: usize = 255;
/// What commands for masters are refused with.
const NO_WAIT: &str = "-ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to \
    be writable (which is not the default) writes to replicas are just local and are not propagated.\r\n";
const NO_WAIT_AOF: &str = "-ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are \
    not propagated.\r\n";
const NO_AOF: &str = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n";
const NO_COUNT: &str = "-ERR value is out of range, must be positive\r\n";
const NO_FAILOVER: &str = "-ERR FAILOVER is not valid when server is a replica.\r\n";
const NO_LINK: &str = "-NOMASTERLINK Can't SYNC while not connected with my master\r\n";

/// Whom it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Master {
    host: Vec<u8>,
    port: String,
}

/// What it is, master or somebody's replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    master: Option<Master>,
    /// How often it became its own master again: each time its history has another name.
    turns: u64,
}

impl Role {
    pub(super) const fn new() -> Self {
        Self { master: None, turns: 0 }
    }

    /// As `HELLO` calls it.
    pub(super) const fn name(&self) -> &'static str {
        if self.master.is_some() { "replica" } else { "master" }
    }
}

impl Server {
    /// `REPLICAOF`, which was asked for its words before.
    pub(super) fn follow(&mut self, host: &[u8], port: &[u8], reply: &mut Reply<'_>) {
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            self.role.turns += u64::from(self.role.master.take().is_some());
            return reply.raw("+OK\r\n");
        }
        // Redis reads it up to the first NUL.
        let host = host.split(|byte| *byte == 0).next().unwrap_or_default();
        let host = host.get(..HOST_BYTES_MAX).unwrap_or(host).to_vec();
        let wanted = Master { host, port: safe_text(port, SETTING_BYTES_MAX) };
        let is_known = |old: &Master| old.host.eq_ignore_ascii_case(&wanted.host) && old.port == wanted.port;
        if self.role.master.as_ref().is_some_and(is_known) {
            return reply.raw(KNOWN_MASTER);
        }
        self.role.master = Some(wanted);
        reply.raw("+OK\r\n");
    }

    /// `ROLE`.
    pub(super) fn tell_role(&self, reply: &mut Reply<'_>) {
        let Some(Master { host, port }) = &self.role.master else {
            reply.array(3);
            reply.bulk(b"master");
            reply.number(0);
            return reply.array(0);
        };
        // What is refused at once is tried again each second, and so is what has a name, which nobody looks up from here.
        let address = core::str::from_utf8(host).ok().and_then(|host| host.parse::<IpAddr>().ok());
        let is_on_its_way = address.is_some_and(|address| !address.is_loopback() && !address.is_unspecified());
        let state = if is_on_its_way { "connecting" } else { "connect" };
        reply.array(5);
        reply.bulk(b"slave");
        reply.bulk(host);
        reply.raw(":");
        reply.raw(port);
        reply.raw("\r\n");
        reply.bulk(state.as_bytes());
        reply.integer(-1);
    }

    /// Whether a command is one that a replica does not take.
    pub(super) fn is_read_only_for(&self, command: &Named) -> bool {
        writes(command) && self.role.master.is_some() && self.is_replica_read_only()
    }

    /// Commands about replicas, of which there are none; whether it was one. In the order in which `replication.c` asks for words and role.
    pub(super) fn of_replicas(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let is_replica = self.role.master.is_some();
        let refused = match (command, arguments) {
            (b"sync" | b"psync", _) if is_replica => Err(NO_LINK),
            (b"failover", words) => Err(self.failover(words)),
            (b"wait", _) if is_replica => Err(NO_WAIT),
            (b"wait", [replicas, time]) => {
                integer(replicas).ok_or(NO_INTEGER).and_then(|replicas| Ok((replicas, waiting_time(time)?)))
            }
            (b"waitaof", [local, replicas, time]) => self.asks_of_files(local, replicas, time),
            _ => return false,
        };
        match refused {
            Err(words) => reply.raw(words),
            Ok((replicas, time)) => self.wait_for_replicas(replicas, time, command == b"waitaof", reply),
        }
        true
    }

    /// Why there is no `FAILOVER`.
    fn failover(&self, words: &[Vec<u8>]) -> Refusal {
        let is = |word: &[u8], wanted: &str| word.eq_ignore_ascii_case(wanted.as_bytes());
        if matches!(words, [word] if is(word, "abort")) {
            return "-ERR No failover in progress.\r\n";
        }
        let (mut rest, mut has_time, mut has_host, mut is_forced) = (words, false, false, false);
        loop {
            rest = match rest {
                [] => break,
                [word, time, rest @ ..] if is(word, "timeout") && !has_time => {
                    match integer(time) {
                        None => return NO_INTEGER,
                        Some(..=0) => return "-ERR FAILOVER timeout must be greater than 0\r\n",
                        Some(_) => has_time = true,
                    }
                    rest
                }
                [word, _, port, rest @ ..] if is(word, "to") && !has_host => {
                    if integer(port).is_none() {
                        return NO_INTEGER;
                    }
                    has_host = true;
                    rest
                }
                [word, rest @ ..] if is(word, "force") && !is_forced => {
                    is_forced = true;
                    rest
                }
                _ => return SYNTAX,
            };
        }
        if self.role.master.is_some() { NO_FAILOVER } else { "-ERR FAILOVER requires connected replicas.\r\n" }
    }

    /// `WAITAOF`: the server writes no file of what it was told. For how many replicas, and how long, is waited.
    fn asks_of_files(&self, local: &[u8], replicas: &[u8], time: &[u8]) -> Result<(i64, i64), Refusal> {
        let local = integer(local).ok_or(NO_INTEGER)?;
        if !(0..=1).contains(&local) {
            return Err("-ERR value is out of range, value must between 0 and 1\r\n");
        }
        let replicas = integer(replicas).filter(|replicas| *replicas >= 0).ok_or(NO_COUNT)?;
        let time = waiting_time(time)?;
        match (self.role.master.is_some(), local) {
            (true, _) => Err(NO_WAIT_AOF),
            (false, 1) => Err(NO_AOF),
            (false, _) => Ok((replicas, time)),
        }
    }

    /// Whom it follows, as a setting.
    pub(super) fn master_setting(&self) -> Vec<u8> {
        let said = |master: &Master| [&master.host[..], format!(" {}", master.port).as_bytes()].concat();
        let mut said = self.role.master.as_ref().map(said).unwrap_or_default();
        said.truncate(MASTER_SETTING_BYTES_MAX);
        said
    }

    /// What `INFO` says of it.
    pub(super) fn following(&self) -> Following<'_> {
        Following {
            master: self.role.master.as_ref().map(|master| (String::from_utf8_lossy(&master.host), master.port.as_str())),
            is_read_only: self.is_replica_read_only(),
            turns: self.role.turns,
            seed: self.seed,
        }
    }

    fn is_replica_read_only(&self) -> bool {
        self.settings.get(READ_ONLY_SETTINGS[0]).is_none_or(|value| value != "no")
    }
}

/// Whether a command writes.
pub(super) fn writes(command: &Named) -> bool {
    command.is_in(WRITE) || VECTORS.contains(&command.name.as_slice())
}

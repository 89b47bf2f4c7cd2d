//! Whose replica the server is. It never reaches the one that it is told to follow, as a server behind a closed firewall does not: it goes
//! on trying, and takes no writes meanwhile (`replication.c`).

use super::{Reply, SETTING_BYTES_MAX, Server, known::Named};
use crate::{redis::info::Following, text::safe_text};
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
        let writes = command.is_in(WRITE) || VECTORS.contains(&command.name.as_slice());
        writes && self.role.master.is_some() && self.is_replica_read_only()
    }

    /// What a replica refuses that a master does: the answer.
    pub(super) fn refused_as_replica(&self, command: &[u8]) -> Option<&'static str> {
        self.role.master.as_ref()?;
        match command {
            b"wait" => Some(NO_WAIT),
            b"failover" => Some(NO_FAILOVER),
            b"sync" | b"psync" => Some(NO_LINK),
            _ => None,
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

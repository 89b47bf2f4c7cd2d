//! Whose replica the server is. It never reaches the one that it is told to follow, as a server behind a closed firewall does not: it goes
//! on trying, and takes no writes meanwhile (`replication.c`).

use super::{Reply, SETTING_BYTES_MAX, Server, known::Named};
use crate::{redis::info::Following, text::safe_text};
use alloc::string::String;
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

/// Whom it follows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Master {
    host: String,
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
        let wanted = Master { host: safe_text(host, SETTING_BYTES_MAX), port: safe_text(port, SETTING_BYTES_MAX) };
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
        let is_on_its_way = host.parse::<IpAddr>().is_ok_and(|address| !address.is_loopback() && !address.is_unspecified());
        let state = if is_on_its_way { "connecting" } else { "connect" };
        reply.array(5);
        reply.bulk(b"slave");
        reply.bulk(host.as_bytes());
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

    /// What `INFO` says of it.
    pub(super) fn following(&self) -> Following<'_> {
        Following {
            master: self.role.master.as_ref().map(|master| (master.host.as_str(), master.port.as_str())),
            is_read_only: self.is_replica_read_only(),
            turns: self.role.turns,
            seed: self.seed,
        }
    }

    fn is_replica_read_only(&self) -> bool {
        self.settings.get(READ_ONLY_SETTINGS[0]).is_none_or(|value| value != "no")
    }
}

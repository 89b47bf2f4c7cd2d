//! What the server says of itself: the sections of `INFO`, as Debian's Redis says them.

use crate::{
    Persona,
    persona::{Era, Machine},
    text::filled,
};
use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// What a redis-server 8.0.2 of Debian 13 answered, with names where servers and moments differ.
const TEMPLATE: &str = include_str!("info.txt");
/// The server is started so many seconds after its machine.
const START_SECONDS: u64 = 6;
/// Connections that come to it in a second.
const CONNECTIONS_A_SECOND: u64 = 2;
/// What each of them says and hears on the average: commands, and bytes.
const COMMANDS_EACH: u64 = 4;
const RECEIVED_EACH: u64 = 93;
const SENT_EACH: u64 = 2_204;
/// The number of its first connection.
const FIRST_CONNECTION: u64 = 4;

/// Which machine the server runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) machine: Machine,
    pub(super) era: Era,
    /// Makes the names of its runs.
    pub(super) key: [u8; 32],
}

impl Host {
    pub(super) fn of(persona: &Persona) -> Self {
        Self { machine: persona.machine(), era: persona.era(), key: persona.key("redis") }
    }

    /// Since when the server runs, in seconds of its wall clock.
    pub(super) const fn started(&self, now: WallTime) -> u64 {
        now.0 / 1_000_000 - self.uptime(now)
    }

    const fn uptime(&self, now: WallTime) -> u64 {
        self.era.uptime(now).saturating_sub(START_SECONDS)
    }

    /// How many connections there were until `now`, this second's included.
    const fn connections(&self, now: WallTime) -> u64 {
        (self.uptime(now) + 1) * CONNECTIONS_A_SECOND
    }

    /// The number of a connection that comes at `now`: it grows from second to second, as with a server that others talk to, and
    /// `seed` tells which of its second's it is.
    pub(super) const fn connection(&self, now: WallTime, seed: u64) -> u64 {
        self.uptime(now) * CONNECTIONS_A_SECOND + seed % CONNECTIONS_A_SECOND + FIRST_CONNECTION
    }

    /// 40 digits that name what began when this server did: another one after each start of the machine.
    fn name(&self, of: &str, now: WallTime) -> String {
        let started = self.started(now).to_le_bytes();
        crate::text::hex(&crate::persona::derived(&self.key, &[of.as_bytes(), &started])[..20])
    }
}

/// What differs between two servers, or two moments.
pub(super) struct Facts<'a> {
    pub(super) version: &'a str,
    pub(super) host: &'a Host,
    pub(super) now: WallTime,
    /// Its lines about what is stored.
    pub(super) keyspace: &'a str,
    pub(super) following: Following<'a>,
}

/// Whose replica the server is.
pub(super) struct Following<'a> {
    /// Whom it follows: host and port.
    pub(super) master: Option<(Cow<'a, str>, &'a str)>,
    /// It takes no writes meanwhile.
    pub(super) is_read_only: bool,
    /// How often it became its own master again: each time what it tells replicas has another name.
    pub(super) turns: u64,
    /// Makes those names.
    pub(super) seed: u64,
}

impl Following<'_> {
    /// What the name of its history is made of at this turn.
    fn history(&self, host: &Host, turn: u64, now: WallTime) -> String {
        match turn {
            0 => host.name("replication", now),
            _ => host.name(&format!("replication {turn} {}", self.seed), now),
        }
    }

    /// The lines about the history before this one, if it has changed, and up to where it goes.
    fn before(&self, host: &Host, now: WallTime) -> (String, &'static str) {
        match self.turns.checked_sub(1) {
            None => ("0".repeat(40), "-1"),
            Some(turn) => (self.history(host, turn, now), "1"),
        }
    }
}

/// The sections named by `wanted` (in small letters), or all.
pub(super) fn text(facts: &Facts<'_>, wanted: &[Vec<u8>]) -> String {
    let all = wanted.is_empty() || wanted.iter().any(|name| matches!(name.as_slice(), b"default" | b"all" | b"everything"));
    let sections = TEMPLATE.split("\n\n").filter(|section| {
        let name = section.trim_start_matches("# ").split(['\n', '{']).next().unwrap_or_default();
        all || wanted.iter().any(|wanted| name.as_bytes().eq_ignore_ascii_case(wanted))
    });
    let shown: Vec<String> = sections.map(|section| fill(facts, section.trim_end()) + "\r\n").collect();
    shown.join("\r\n")
}

fn fill(facts: &Facts<'_>, section: &str) -> String {
    let (now, host) = (facts.now, facts.host);
    let uptime = host.uptime(now);
    let connections = host.connections(now);
    // A little more in one second, and less in another.
    let pace = CONNECTIONS_A_SECOND * COMMANDS_EACH - 2 + ((now.0 / 1_000_000).wrapping_mul(2_654_435_761) >> 7) % 5;
    let kib_a_second = |bytes: u64| {
        let hundredths = pace * bytes * 100 / COMMANDS_EACH / 1_024;
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    let memory = host.machine.memory_bytes();
    let numbers = [
        ("pid", host.era.pid("redis-server", now).into()),
        ("micros", now.0),
        ("uptime", uptime),
        ("days", uptime / 86_400),
        // Redis counts in 24 bits.
        ("clock", (now.0 / 1_000_000) & 0xff_ffff),
        ("memory", memory),
        ("saved", host.started(now)),
        ("connections", connections),
        ("commands", connections * COMMANDS_EACH),
        ("received", connections * RECEIVED_EACH),
        ("sent", connections * SENT_EACH),
        ("pace", pace),
        ("cycles", uptime * 10),
        ("loops", uptime * 2_110),
        ("system", uptime / 950),
        ("user", uptime / 1_210),
    ];
    let mut values: Vec<(&str, String)> = numbers.into_iter().map(|(name, number)| (name, number.to_string())).collect();
    let (before, second_offset) = facts.following.before(host, now);
    let gib = (memory * 100) >> 30;
    values.extend([
        ("version", facts.version.to_string()),
        ("kernel", host.era.kernel(now).release.to_string()),
        ("run", host.name("run", now)),
        ("replication", facts.following.history(host, facts.following.turns, now)),
        ("replication_before", before),
        ("second_offset", second_offset.to_string()),
        ("memory_human", format!("{}.{:02}G", gib / 100, gib % 100)),
        ("receiving", kib_a_second(RECEIVED_EACH)),
        ("sending", kib_a_second(SENT_EACH)),
        ("role", role(&facts.following)),
        ("keys", facts.keyspace.to_string()),
    ]);
    filled(section, &values)
}

fn role(following: &Following<'_>) -> String {
    match &following.master {
        None => "role:master".to_string(),
        Some((host, port)) => format!(
            "role:slave\nmaster_host:{host}\nmaster_port:{port}\nmaster_link_status:down\nmaster_last_io_seconds_ago:-1\n\
             master_sync_in_progress:0\nslave_read_repl_offset:0\nslave_repl_offset:0\nreplica_full_sync_buffer_size:0\n\
             replica_full_sync_buffer_peak:0\nmaster_link_down_since_seconds:-1\nslave_priority:100\nslave_read_only:{}\nreplica_announced:1",
            u8::from(following.is_read_only)
        ),
    }
}

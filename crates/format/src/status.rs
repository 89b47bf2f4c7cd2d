//! The node in numbers, in JSON.

use crate::{ClusterJson, CountsJson};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The node as `honeymesh status --json` and `GET /api/v1/status` show it. `/metrics` is made of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatusJson {
    /// The program's version.
    pub version: String,
    /// What people call this node.
    pub node: String,
    /// Whom the daemon runs as: a user's name, or its number if it has none.
    #[serde(default)]
    pub user: String,
    /// The mode in force: `observe`, `enforce` or `lockdown`.
    pub mode: String,
    /// With mode `lockdown`: whether it holds for good. Absent in other modes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockdown: Option<LockdownJson>,
    /// Whether traps, kernel program and mesh are all up.
    pub ready: bool,
    /// When the daemon started, microseconds.
    pub started: String,
    /// How long it has been running, in whole seconds.
    pub uptime_seconds: u64,
    /// What an operator should know and mend, one line each; empty when all is well.
    pub warnings: Vec<String>,
    /// The guarded interfaces.
    pub interfaces: Vec<InterfaceJson>,
    /// The bans in numbers.
    pub bans: BansJson,
    /// What the kernel program counted.
    pub kernel: CountersJson,
    /// The traps.
    pub traps: Vec<TrapJson>,
    /// The process that plays them.
    #[serde(default)]
    pub trap_process: Option<TrapProcessJson>,
    /// The clusters this node belongs to.
    pub clusters: Vec<ClusterJson>,
    /// Peers that are believed no more because they banned a canary.
    #[serde(default)]
    pub quarantined: u64,
    /// Bans on which nothing is enforced because too few owners say so.
    #[serde(default)]
    pub uncorroborated: u64,
    /// The last comparison of the kernel's tables with the ledger; null before the first.
    pub audit: Option<AuditJson>,
    /// The last self-probe; null before the first.
    #[serde(default)]
    pub probe: Option<ProbeJson>,
    /// The process that keeps the program on the interfaces.
    #[serde(default)]
    pub keeper: Option<KeeperJson>,
    /// The store.
    pub store: StoreJson,
    /// What happened since the daemon started.
    pub counts: CountsJson,
}

/// A lockdown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockdownJson {
    /// Whether an operator confirmed it.
    pub confirmed: bool,
    /// Until it is: in how many seconds it rolls back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back_in_seconds: Option<u64>,
    /// Until it is: to which mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back_to: Option<String>,
}

/// A guarded interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceJson {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// `native` (in the driver), `generic` (in the network stack), or `none` while the program is not on it.
    pub xdp_mode: String,
    /// Whether the program is still on it.
    pub attached: bool,
    /// `attached`, `detached` (there, and without a program), `absent` (not there), `occupied` (somebody else's program).
    #[serde(default)]
    pub state: String,
    /// Since when it has been like that, microseconds; at the earliest the daemon's start.
    #[serde(default)]
    pub since: String,
    /// The second program, which steers dark ports: `attached`, `detached` or `absent`; null while none is wanted.
    #[serde(default)]
    pub steering: Option<String>,
}

/// The bans in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BansJson {
    /// Bans in force, observed ones included.
    pub total: u64,
    /// Those that the kernel holds.
    pub enforced: u64,
    /// How many the kernel's tables hold at most, each with an entry of its own.
    pub capacity: u64,
    /// Entries in a full table that stand for whole groups of neighbours, one prefix each.
    #[serde(default)]
    pub groups: u64,
    /// Bans in those groups.
    #[serde(default)]
    pub grouped: u64,
    /// Bans by reason; a ban with two reasons counts for both.
    pub by_reason: BTreeMap<String, u64>,
    /// Bans that are meant to be in the kernel, and that it has refused; they are tried again with every audit.
    #[serde(default)]
    pub refused: u64,
    /// The entries for them: one stands for a whole group.
    #[serde(default)]
    pub refused_entries: u64,
}

impl BansJson {
    /// How many entries the kernel holds for them.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        match (self.enforced + self.refused).checked_sub(self.grouped) {
            Some(alone) => (alone + self.groups).saturating_sub(self.refused_entries),
            // Nothing is enforced while observing.
            None => 0,
        }
    }
}

/// What the kernel program counted since its tables were made. `packets` is the sum of the verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersJson {
    /// Packets judged.
    pub packets: u64,
    /// Passed to the network stack.
    pub passed: u64,
    /// Dropped, for whatever reason.
    pub dropped: u64,
    /// Dropped by an exact IPv4 ban.
    pub dropped_v4: u64,
    /// Dropped by an exact IPv6 ban.
    pub dropped_v6: u64,
    /// Dropped by a ban of a prefix.
    pub dropped_net: u64,
    /// Dropped probes of dark ports by silenced sources.
    pub dropped_dark: u64,
    /// Dropped probes at or beyond the scan threshold.
    pub dropped_scan: u64,
    /// Passed, but would have been dropped in mode `enforce`.
    pub would_drop: u64,
    /// Passed although a header was cut short or contradicts itself.
    pub malformed: u64,
    /// Packets of banned sources that passed because they are on the allowlist.
    pub allowed: u64,
    /// Probes of dark ports.
    pub knocks: u64,
    /// Reports of probes that were lost because the ring buffer was full.
    pub knocks_lost: u64,
    /// Sources that crossed the scan threshold.
    pub scans: u64,
    /// Sources that were not silenced because the budget for forgeable evidence was used up.
    pub budget_full: u64,
    /// Further counters by name.
    #[serde(flatten)]
    pub more: BTreeMap<String, u64>,
}

/// One trap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapJson {
    /// Its name in the configuration.
    pub name: String,
    /// What it plays.
    pub service: String,
    /// Where it listens: addresses with ports.
    pub listen: Vec<String>,
    /// Sessions open now.
    pub active: u64,
    /// Sessions begun.
    pub sessions: u64,
    /// Connections closed because a limit was reached.
    pub refused: u64,
    /// Sessions that were ended in a full house, so that somebody else could come in from a neighbourhood with fewer.
    #[serde(default)]
    pub gave_way: u64,
    /// Sessions held in the tarpit.
    #[serde(default)]
    pub slowed: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Reports handed over.
    #[serde(default)]
    pub reports: u64,
    /// Reports lost because nobody took them in time.
    pub reports_lost: u64,
    /// Sessions whose protocol broke, and connections that could not be accepted.
    pub errors: u64,
    /// What came and went over UDP, and transfers over either.
    pub datagrams: DatagramsJson,
}

/// The datagrams of a trap. No answer is longer than what it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatagramsJson {
    /// Those that came.
    pub received: u64,
    /// Those of them that were beyond a limit.
    pub limited: u64,
    /// Those of them that were answered.
    pub answered: u64,
    /// Octets of those answers.
    pub answered_bytes: u64,
    /// Answers that were not sent because there were too many for somebody.
    pub answers_limited: u64,
    /// Answers that were not sent because they were longer than what they answered, or not the first.
    pub answers_refused: u64,
    /// Transfers begun: answers that left from a port of their own, on which it was listened for more; over TCP, ports opened for data.
    pub transfers: u64,
    /// Transfers that were not begun for want of a place, or gave way to others; over TCP, ports that were not opened.
    pub transfers_limited: u64,
}

/// The process that plays the traps, and parses what strangers say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapProcessJson {
    /// Whether it runs.
    pub running: bool,
    /// Its process number, or that of the one before while another one is being started.
    pub pid: u32,
    /// How the last one before it ended; null if none has.
    pub ended: Option<String>,
    /// How many were started in place of one that ended, since the daemon's start.
    pub restarts: u64,
}

/// How the kernel's tables differed from the ledger, the last time that all was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditJson {
    /// When they were compared, microseconds; empty if that never succeeded.
    pub at: String,
    /// Bans that were not in the kernel.
    pub missing: u64,
    /// Entries in the kernel without a ban.
    pub extra: u64,
    /// Entries that differed from their ban.
    pub different: u64,
    /// Interfaces that were there and without the program. They are not mended yet.
    pub detached: Vec<String>,
    /// Interfaces on which the keeper had to put the program again since the audit before: mended.
    #[serde(default)]
    pub put_back: Vec<String>,
    /// Interfaces that were there and without the second program, though one is wanted. They are not mended yet.
    #[serde(default)]
    pub unsteered: Vec<String>,
    /// Interfaces on which the keeper had to put the second program again since the audit before: mended.
    #[serde(default)]
    pub steering_put_back: Vec<String>,
    /// Whether somebody else had changed the program's settings: mended.
    #[serde(default)]
    pub settings_changed: bool,
    /// How long the audit took.
    #[serde(default)]
    pub took_us: u64,
    /// How long after it the next one comes.
    #[serde(default)]
    pub every_seconds: u64,
    /// Audits since the start.
    #[serde(default)]
    pub audits: u64,
    /// Differences found since the start.
    #[serde(default)]
    pub drifted: u64,
    /// Why the last try to compare them failed; null if it did not. The rest is of the last one that succeeded.
    #[serde(default)]
    pub failed: Option<String>,
    /// Tries that failed since the start; they are not among the audits.
    #[serde(default)]
    pub audits_failed: u64,
}

/// The self-probe: whether a banned source is really dropped, and another one is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeJson {
    /// When it was run last, microseconds.
    pub at: String,
    /// Whether it came out as it should.
    pub ok: bool,
    /// What was wrong; null if nothing was.
    pub why: Option<String>,
    /// How often it is run.
    pub every_seconds: u64,
    /// How often it was run since the start.
    pub runs: u64,
    /// How often it failed since the start.
    pub failures: u64,
}

/// The process that keeps the programs on the interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperJson {
    /// Whether it runs.
    pub running: bool,
    /// Its process number.
    pub pid: u32,
    /// How it ended; null while it runs.
    pub ended: Option<String>,
    /// How many were started in place of one that ended, since the daemon's start.
    #[serde(default)]
    pub restarts: u64,
    /// Whether another one would be started if this one ended.
    #[serde(default)]
    pub warden: bool,
}

/// The store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreJson {
    /// Events it holds.
    pub events: u64,
    /// Size of the database file in bytes.
    pub file_bytes: u64,
    /// Writes that wait.
    pub queue: u64,
    /// Events that were dropped because too many writes waited, or because the disk refused them.
    pub dropped: u64,
    /// Bans, records and settings that could not be kept; anything but 0 means that a restart forgets something.
    pub lost: u64,
    /// Events deleted because of their number or their age.
    pub retired: u64,
    /// Why the last write failed; null when it did not.
    pub failing: Option<String>,
    /// Different payloads it holds.
    pub payloads: u64,
    /// Bytes of all of them.
    pub payload_bytes: u64,
    /// Payloads deleted because of their size together or their age; their events stay.
    pub payloads_evicted: u64,
}

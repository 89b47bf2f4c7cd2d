//! The node in numbers.

use crate::clerk::Counts;
use honeymesh_format::{
    AuditJson, BansJson, ClusterJson, CountersJson, CountsJson, DatagramsJson, InterfaceJson, KeeperJson, LockdownJson,
    ProbeJson, StatusJson, StoreJson, TrapJson, TrapProcessJson, time_micros,
};
use honeymesh_node::Status;
use honeymesh_trap::{HouseStatus, TrapStatus};
use honeymesh_types::{Mode, Now, WallTime};
use honeymesh_xdp::Counters;
use std::collections::BTreeMap;

/// Everything a status is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The brain in numbers.
    pub node: &'a Status,
    /// What the kernel counted.
    pub kernel: Counters,
    /// The guarded interfaces.
    pub interfaces: Vec<InterfaceJson>,
    /// The last self-probe.
    pub probe: Option<ProbeJson>,
    /// The keeper.
    pub keeper: Option<KeeperJson>,
    /// The traps.
    pub traps: Vec<TrapStatus>,
    /// What is counted of the process that plays them.
    pub house: HouseStatus,
    /// That process.
    pub trap_process: Option<TrapProcessJson>,
    /// The clusters.
    pub clusters: Vec<ClusterJson>,
    /// The last audit.
    pub audit: Option<AuditJson>,
    /// The store.
    pub store: StoreJson,
    /// Changes that the kernel refused, and entries that audits found missing or wrong, since the start.
    pub refused_and_drifted: (u64, u64),
    /// What happened since the start.
    pub counts: &'a CountsJson,
    /// Whom the daemon runs as.
    pub user: &'a str,
    /// Orders to the process that writes key files.
    pub clerk: Counts,
    /// What an operator should mend.
    pub warnings: Vec<String>,
    /// When the daemon started.
    pub started: WallTime,
    /// Whether everything is up.
    pub ready: bool,
    /// Now.
    pub now: Now,
}

/// The status as users read it.
#[must_use]
pub fn status(parts: Parts<'_>) -> StatusJson {
    let kernel = kernel(&parts);
    StatusJson {
        version: env!("CARGO_PKG_VERSION").into(),
        node: parts.node.name.to_string(),
        user: parts.user.to_owned(),
        mode: parts.node.mode.to_string(),
        lockdown: lockdown(parts.node, parts.now),
        ready: parts.ready,
        started: time_micros(parts.started),
        uptime_seconds: parts.now.wall.since(parts.started).as_secs(),
        warnings: parts.warnings,
        interfaces: parts.interfaces,
        bans: bans(parts.node),
        kernel,
        traps: parts.traps.iter().map(trap).collect(),
        trap_process: parts.trap_process,
        clusters: parts.clusters,
        quarantined: parts.node.quarantined as u64,
        uncorroborated: parts.node.ledger.uncorroborated as u64,
        audit: parts.audit,
        probe: parts.probe,
        keeper: parts.keeper,
        store: parts.store,
        counts: parts.counts.clone(),
    }
}

fn lockdown(node: &Status, now: Now) -> Option<LockdownJson> {
    // Rounded up: as long as it holds, it does not say 0.
    let left = node.trial.map(|trial| trial.until.since(now.mono).as_millis().div_ceil(1_000));
    (node.mode == Mode::Lockdown).then(|| LockdownJson {
        confirmed: node.trial.is_none(),
        rolls_back_in_seconds: left.map(|left| u64::try_from(left).unwrap_or(u64::MAX)),
        rolls_back_to: node.trial.map(|trial| trial.before.to_string()),
    })
}

fn bans(node: &Status) -> BansJson {
    let ledger = &node.ledger;
    BansJson {
        total: ledger.bans as u64,
        enforced: ledger.enforced as u64,
        capacity: ledger.bans_max as u64,
        groups: ledger.groups as u64,
        grouped: ledger.grouped as u64,
        by_reason: ledger.by_reason.iter().map(|(reason, count)| (reason.to_string(), *count as u64)).collect(),
    }
}

fn kernel(parts: &Parts<'_>) -> CountersJson {
    let counters = &parts.kernel;
    CountersJson {
        packets: counters.packets,
        passed: counters.passed,
        dropped: counters.dropped,
        dropped_v4: counters.dropped_v4,
        dropped_v6: counters.dropped_v6,
        dropped_net: counters.dropped_net,
        dropped_dark: counters.dropped_dark,
        dropped_scan: counters.dropped_scan,
        would_drop: counters.would_drop,
        malformed: counters.malformed,
        allowed: counters.allowed,
        knocks: counters.knocks,
        knocks_lost: counters.knocks_lost,
        scans: counters.scans,
        budget_full: counters.budget_full,
        more: more(parts),
    }
}

/// Counters without a place of their own in the contract's shape.
fn more(parts: &Parts<'_>) -> BTreeMap<String, u64> {
    let (counters, brain) = (&parts.kernel, &parts.node.counters);
    let (refused, drifted) = parts.refused_and_drifted;
    [
        ("audit_drifted", drifted),
        ("changes_refused", refused),
        ("extensions", counters.extensions),
        ("neighbour", counters.neighbour),
        ("not_ip", counters.not_ip),
        ("scan_state_lost", counters.scan_state_lost),
        ("too_nested", counters.too_nested),
        ("dropped_lockdown", counters.dropped_lockdown),
        ("answered", counters.answered),
        ("steered", counters.steered),
        ("knocks_limited", counters.knocks_limited),
        ("cookies_proven", counters.cookies_proven),
        ("cookie_payloads", counters.cookie_payloads),
        ("oracle_answered", counters.oracle_answered),
        ("silenced", counters.silenced),
        ("dark_contacts", brain.contacts),
        ("dark_contacts_forgotten", brain.contacts_forgotten),
        ("slow_scans", brain.slow_scans),
        ("touches", brain.touches as u64),
        ("touches_lost", brain.touches_lost),
        ("touch_pages", brain.touch_pages),
        ("touch_pages_said", brain.touch_pages_said),
        ("dropped_flood", counters.dropped_flood),
        ("guesses_limited", counters.guesses_limited),
        ("trap_strays", parts.house.strays),
        ("trap_overdue", parts.house.overdue),
        ("events_suppressed", brain.suppressed),
        ("not_restored", brain.not_restored),
        ("bans_waiting", parts.node.ledger.waiting as u64),
        ("bans_forgotten", parts.node.ledger.forgotten),
        ("peers_unprotected", brain.peers_unprotected),
        ("records_published", brain.published),
        ("records_bridged", brain.bridged),
        ("bridge_lost", brain.bridge_lost),
        ("canaries_banned", brain.canaries_banned),
        ("records_refused", brain.records_refused),
        ("signatures_checked", brain.checks.records),
        ("signature_batches", brain.checks.batches),
        ("signature_batches_split", brain.checks.split),
        ("signature_overflows", brain.checks.overflows),
        ("clerk_done", parts.clerk.done),
        ("clerk_refused", parts.clerk.refused),
        ("clerk_failed", parts.clerk.failed),
    ]
    .into_iter()
    .map(|(name, count)| (name.to_owned(), count))
    .collect()
}

/// The trap on dark ports has no address: it is met on every port that nobody serves.
fn listen(trap: &TrapStatus) -> Vec<String> {
    if trap.listen.is_empty() {
        return vec!["every dark TCP port".into()];
    }
    trap.listen.iter().map(ToString::to_string).collect()
}

fn trap(trap: &TrapStatus) -> TrapJson {
    TrapJson {
        name: trap.name.clone(),
        service: trap.service.into(),
        listen: listen(trap),
        active: trap.active,
        sessions: trap.sessions,
        refused: trap.refused,
        bytes: trap.bytes,
        reports_lost: trap.reports_lost,
        errors: trap.panics.saturating_add(trap.accept_errors),
        datagrams: DatagramsJson {
            received: trap.datagrams,
            limited: trap.datagrams_limited,
            answered: trap.answered,
            answered_bytes: trap.answered_bytes,
            answers_limited: trap.answers_limited,
            answers_refused: trap.answers_refused,
        },
    }
}

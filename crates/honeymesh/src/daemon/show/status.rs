//! The node in numbers.

use crate::clerk::Counts;
use honeymesh_format::{
    AuditJson, BansJson, ClusterJson, CountersJson, CountsJson, DatagramsJson, InterfaceJson, KeeperJson, LockdownJson,
    ProbeJson, StatusJson, StoreJson, TrapJson, TrapProcessJson, time_micros,
};
use honeymesh_mesh_proto::CheckStats;
use honeymesh_node::Status;
use honeymesh_trap::{HouseStatus, TrapStatus};
use honeymesh_types::{Mode, Now, WallTime};
use honeymesh_xdp::Counters;

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
    /// Bans that the kernel has refused by now, and the entries for them.
    pub refused_bans: (u64, u64),
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
        bans: bans(parts.node, parts.refused_bans),
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

/// `refused` are the bans that the kernel has refused, and the entries for them.
fn bans(node: &Status, refused: (u64, u64)) -> BansJson {
    let ledger = &node.ledger;
    let wanted = ledger.enforced as u64;
    let (refused, refused_entries) = (refused.0.min(wanted), refused.1);
    BansJson {
        total: ledger.bans as u64,
        enforced: wanted - refused,
        capacity: ledger.bans_max as u64,
        groups: ledger.groups as u64,
        grouped: ledger.grouped as u64,
        by_reason: ledger.by_reason.iter().map(|(reason, count)| (reason.to_string(), *count as u64)).collect(),
        refused,
        refused_entries,
    }
}

/// Here and below all counters are taken apart by name, so that a new one that is shown nowhere does not compile.
fn kernel(parts: &Parts<'_>) -> CountersJson {
    let Counters {
        packets,
        passed,
        dropped,
        dropped_v4,
        dropped_v6,
        dropped_net,
        dropped_dark,
        dropped_scan,
        would_drop,
        malformed,
        allowed,
        knocks,
        knocks_lost,
        scans,
        budget_full,
        extensions,
        not_ip,
        neighbour,
        scan_state_lost,
        scan_rushed,
        too_nested,
        dropped_lockdown,
        answered,
        steered,
        knocks_limited,
        cookies_proven,
        cookie_payloads,
        oracle_answered,
        silenced,
        dropped_flood,
        guesses_limited,
    } = parts.kernel;
    let further = [
        ("extensions", extensions),
        ("neighbour", neighbour),
        ("not_ip", not_ip),
        ("scan_state_lost", scan_state_lost),
        ("scan_rushed", scan_rushed),
        ("too_nested", too_nested),
        ("dropped_lockdown", dropped_lockdown),
        ("answered", answered),
        ("steered", steered),
        ("knocks_limited", knocks_limited),
        ("cookies_proven", cookies_proven),
        ("cookie_payloads", cookie_payloads),
        ("oracle_answered", oracle_answered),
        ("silenced", silenced),
        ("dropped_flood", dropped_flood),
        ("guesses_limited", guesses_limited),
    ];
    CountersJson {
        packets,
        passed,
        dropped,
        dropped_v4,
        dropped_v6,
        dropped_net,
        dropped_dark,
        dropped_scan,
        would_drop,
        malformed,
        allowed,
        knocks,
        knocks_lost,
        scans,
        budget_full,
        more: further.into_iter().chain(of_brain(&parts.node.counters)).chain(of_house(parts)).map(named).collect(),
    }
}

fn named((name, count): (&str, u64)) -> (String, u64) {
    (name.to_owned(), count)
}

/// What the brain counted. Counters without a place of their own in the contract's shape, as the kernel's further ones.
fn of_brain(counters: &honeymesh_node::Counters) -> Vec<(&'static str, u64)> {
    let honeymesh_node::Counters {
        // The kernel's and the events' counters say the same.
        probes: _,
        scans: _,
        visits: _,
        // Each cluster tells what it received and took in.
        datagrams: _,
        records: _,
        suspects,
        contacts,
        contacts_forgotten,
        slow_scans,
        touch_pages_said,
        touch_pages,
        touches,
        touches_lost,
        datagrams_lost,
        records_set_aside,
        records_refused,
        checks,
        published,
        suppressed,
        not_restored,
        bridged,
        bridge_lost,
        canaries_banned,
        peers_unprotected,
    } = *counters;
    let CheckStats { waiting, batches, records: signatures, largest, split, overflows } = checks;
    vec![
        ("suspects_weighed", suspects),
        ("dark_contacts", contacts),
        ("dark_contacts_forgotten", contacts_forgotten),
        ("slow_scans", slow_scans),
        ("touches", touches as u64),
        ("touches_lost", touches_lost),
        ("touch_pages", touch_pages),
        ("touch_pages_said", touch_pages_said),
        ("events_suppressed", suppressed),
        ("not_restored", not_restored),
        ("peers_unprotected", peers_unprotected),
        ("datagrams_of_no_cluster", datagrams_lost),
        ("records_published", published),
        ("records_bridged", bridged),
        ("bridge_lost", bridge_lost),
        ("canaries_banned", canaries_banned),
        ("records_refused", records_refused),
        ("records_set_aside", records_set_aside),
        ("signatures_checked", signatures),
        ("signature_batches", batches),
        ("signature_batch_largest", largest),
        ("signature_batches_split", split),
        ("signatures_waiting", waiting),
        ("signature_overflows", overflows),
    ]
}

/// What the roof, the ledger, the traps' process and the clerk counted.
fn of_house(parts: &Parts<'_>) -> Vec<(&'static str, u64)> {
    let (refused, drifted) = parts.refused_and_drifted;
    let Counts { done, refused: orders_refused, failed } = parts.clerk;
    // The process itself is shown apart.
    let HouseStatus { pid: _, restarts: _, strays, overdue, rules_cut } = parts.house;
    vec![
        ("audit_drifted", drifted),
        ("changes_refused", refused),
        ("trap_rules_cut", rules_cut),
        ("trap_strays", strays),
        ("trap_overdue", overdue),
        ("bans_waiting", parts.node.ledger.waiting as u64),
        ("bans_forgotten", parts.node.ledger.forgotten),
        ("clerk_done", done),
        ("clerk_refused", orders_refused),
        ("clerk_failed", failed),
    ]
}

/// The trap on dark ports has no address: it is met on every port that nobody serves.
fn listen(trap: &TrapStatus) -> Vec<String> {
    if trap.listen.is_empty() {
        return vec!["every dark TCP port".into()];
    }
    trap.listen.iter().map(ToString::to_string).collect()
}

fn trap(trap: &TrapStatus) -> TrapJson {
    let TrapStatus {
        name,
        service,
        listen: _,
        sessions,
        active,
        refused,
        gave_way,
        slowed,
        bytes,
        reports,
        reports_lost,
        panics,
        accept_errors,
        datagrams,
        datagrams_limited,
        answered,
        answered_bytes,
        answers_limited,
        answers_refused,
        transfers,
        transfers_limited,
    } = trap;
    TrapJson {
        name: name.clone(),
        service: (*service).into(),
        listen: listen(trap),
        active: *active,
        sessions: *sessions,
        refused: *refused,
        gave_way: *gave_way,
        slowed: *slowed,
        bytes: *bytes,
        reports: *reports,
        reports_lost: *reports_lost,
        errors: panics.saturating_add(*accept_errors),
        datagrams: DatagramsJson {
            received: *datagrams,
            limited: *datagrams_limited,
            answered: *answered,
            answered_bytes: *answered_bytes,
            answers_limited: *answers_limited,
            answers_refused: *answers_refused,
            transfers: *transfers,
            transfers_limited: *transfers_limited,
        },
    }
}

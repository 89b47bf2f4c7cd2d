//! Which metrics there are and what they are called. Names are added, never renamed or dropped.

use super::text::{Family, Text};
use honeymesh_format::{AuditJson, DETECT_TO_BAN_BUCKETS_S, LatencyJson, StatusJson};
use std::collections::BTreeMap;

/// Writes every family.
pub(super) fn write(text: &mut Text, status: &StatusJson, doors: &[(&'static str, u64)]) {
    node(text, status);
    bans(text, status);
    kernel(text, status);
    traps(text, status);
    mesh(text, status);
    store(text, status);
    api(text, doors);
}

fn node(text: &mut Text, status: &StatusJson) {
    text.gauge("build_info", "Always 1; the version is a label").sample(&[("version", &status.version)], 1);
    let mut mode = text.gauge("mode", "1 for the mode in force");
    for name in ["observe", "enforce", "lockdown"] {
        mode.sample(&[("mode", name)], u8::from(status.mode == name));
    }
    if let Some(left) = status.lockdown.as_ref().and_then(|lockdown| lockdown.rolls_back_in_seconds) {
        text.gauge("lockdown_rolls_back_seconds", "Until a lockdown ends that nobody has confirmed").sample(&[], left);
    }
    text.gauge("ready", "1 when traps, kernel program and mesh are up").sample(&[], u8::from(status.ready));
    text.gauge("uptime_seconds", "Seconds since the daemon started").sample(&[], status.uptime_seconds);
    text.gauge("warnings", "Things an operator should mend").sample(&[], status.warnings.len());
    counted(text.counter("events_total", "Events since the start, by kind"), "kind", &status.counts.events);
}

fn bans(text: &mut Text, status: &StatusJson) {
    let bans = &status.bans;
    counted(
        text.gauge("bans_active", "Bans in force, by reason; one with two reasons counts for both"),
        "reason",
        &bans.by_reason,
    );
    text.gauge("bans", "Bans in force").sample(&[], bans.total);
    text.gauge("bans_enforced", "Bans that the kernel holds").sample(&[], bans.enforced);
    text.gauge("bans_refused", "Bans that the kernel has refused").sample(&[], bans.refused);
    text.gauge("ban_entries_refused", "The entries for those").sample(&[], bans.refused_entries);
    text.gauge("bans_grouped", "Bans that an entry for a whole group of neighbours stands for").sample(&[], bans.grouped);
    text.gauge("ban_groups", "Such entries").sample(&[], bans.groups);
    counted(text.counter("bans_total", "Bans that began or grew since the start, by reason"), "reason", &status.counts.bans);
    counted(text.counter("unbans_total", "Bans that ended since the start, by cause"), "cause", &status.counts.ended);
    latency(text, &status.counts.detect_to_ban);
}

fn latency(text: &mut Text, latency: &LatencyJson) {
    let mut family = text.histogram("detect_to_ban_seconds", "From the evidence to the kernel's entry");
    let mut below = 0;
    for (bound, count) in DETECT_TO_BAN_BUCKETS_S.iter().zip(&latency.buckets) {
        below += count;
        family.suffixed("_bucket", &[("le", &bound.to_string())], below);
    }
    family.suffixed("_bucket", &[("le", "+Inf")], latency.count);
    family.suffixed("_sum", &[], latency.sum_seconds).suffixed("_count", &[], latency.count);
}

fn kernel(text: &mut Text, status: &StatusJson) {
    let kernel = &status.kernel;
    text.counter("xdp_packets_total", "Packets the kernel program judged, by verdict")
        .sample(&[("action", "pass")], kernel.passed)
        .sample(&[("action", "drop")], kernel.dropped);
    text.counter("xdp_drops_total", "Dropped packets, by what they matched")
        .sample(&[("list", "v4")], kernel.dropped_v4)
        .sample(&[("list", "v6")], kernel.dropped_v6)
        .sample(&[("list", "net")], kernel.dropped_net)
        .sample(&[("list", "dark")], kernel.dropped_dark)
        .sample(&[("list", "scan")], kernel.dropped_scan);
    let mut seen = text.counter("xdp_seen_total", "What else the kernel program counted");
    let named = [
        ("would_drop", kernel.would_drop),
        ("malformed", kernel.malformed),
        ("allowed", kernel.allowed),
        ("knocks", kernel.knocks),
        ("knocks_lost", kernel.knocks_lost),
        ("scans", kernel.scans),
        ("budget_full", kernel.budget_full),
    ];
    let more = kernel.more.iter().map(|(name, count)| (name.as_str(), *count));
    for (what, count) in named.into_iter().chain(more) {
        seen.sample(&[("what", what)], count);
    }
    text.gauge("xdp_map_entries", "Bans in the kernel's tables").sample(&[], status.bans.entries());
    text.gauge("xdp_map_capacity", "Bans the kernel's tables can hold").sample(&[], status.bans.capacity);
    let mut attached = text.gauge("xdp_attached", "1 if the program is on the interface");
    for interface in &status.interfaces {
        attached.sample(&[("interface", &interface.name), ("mode", &interface.xdp_mode)], u8::from(interface.attached));
    }
    let wanted = status.interfaces.iter().filter_map(|interface| Some((&interface.name, interface.steering.as_ref()?)));
    let mut steered = text.gauge("steering_attached", "1 if the second program, which steers dark ports, is on the interface");
    for (name, state) in wanted {
        steered.sample(&[("interface", name)], u8::from(state == "attached"));
    }
    let audit = status.audit.as_ref();
    let off = |audit: &AuditJson| (audit.detached.len() + audit.unsteered.len()) as u64;
    let drift = audit.map_or(0, |audit| audit.missing + audit.extra + audit.different + off(audit));
    text.gauge("audit_drift", "Differences between kernel and ledger at the last audit").sample(&[], drift);
    if let Some(audit) = audit {
        text.counter("audits_total", "Comparisons of kernel and ledger").sample(&[], audit.audits);
        text.gauge("audit_failed", "1 if the last try to compare kernel and ledger failed")
            .sample(&[], u8::from(audit.failed.is_some()));
        text.counter("audits_failed_total", "Tries to compare kernel and ledger that failed").sample(&[], audit.audits_failed);
        text.counter("audit_drifted_total", "Differences that audits found and mended").sample(&[], audit.drifted);
        text.gauge("audit_took_microseconds", "How long the last audit took").sample(&[], audit.took_us);
    }
    watched(text, status);
}

/// Whether somebody watches over the kernel program, and whether it still does what it should.
fn watched(text: &mut Text, status: &StatusJson) {
    if let Some(keeper) = &status.keeper {
        text.gauge("keeper_up", "1 while the process runs that keeps the program on the interfaces")
            .sample(&[], u8::from(keeper.running));
        text.gauge("keeper_warden_up", "1 while another keeper would be started if this one ended")
            .sample(&[], u8::from(keeper.warden));
        text.counter("keeper_restarts_total", "Keepers that were started in place of one that ended")
            .sample(&[], keeper.restarts);
    }
    if let Some(process) = &status.trap_process {
        text.gauge("trap_process_up", "1 while the process runs that plays the traps").sample(&[], u8::from(process.running));
        text.counter(
            "trap_process_restarts_total",
            "Processes that were started in place of one that ended while it played the traps",
        )
        .sample(&[], process.restarts);
    }
    if let Some(probe) = &status.probe {
        text.gauge("probe_ok", "1 if the last self-probe proved that bans are enforced").sample(&[], u8::from(probe.ok));
        text.counter("probes_total", "Self-probes, by result")
            .sample(&[("result", "ok")], probe.runs.saturating_sub(probe.failures))
            .sample(&[("result", "failed")], probe.failures);
    }
}

fn traps(text: &mut Text, status: &StatusJson) {
    type Part = (&'static str, &'static str, fn(&honeymesh_format::TrapJson) -> u64);
    let parts: [Part; 16] = [
        ("sessions_total", "Trap sessions begun", |trap| trap.sessions),
        ("sessions_refused_total", "Connections to traps closed because a limit was reached", |trap| trap.refused),
        ("sessions_gave_way_total", "Trap sessions ended for newcomers from neighbourhoods with fewer", |trap| trap.gave_way),
        ("sessions_slowed_total", "Trap sessions held in the tarpit", |trap| trap.slowed),
        ("trap_bytes_total", "Bytes that strangers sent to traps", |trap| trap.bytes),
        ("trap_reports_total", "Reports of traps that were handed over", |trap| trap.reports),
        ("trap_reports_lost_total", "Reports of traps that were lost", |trap| trap.reports_lost),
        ("trap_errors_total", "Trap sessions that broke", |trap| trap.errors),
        ("trap_datagrams_total", "Datagrams that came to traps", |trap| trap.datagrams.received),
        ("trap_datagrams_limited_total", "Datagrams to traps that were beyond a limit", |trap| trap.datagrams.limited),
        ("trap_answers_total", "Datagrams to traps that were answered", |trap| trap.datagrams.answered),
        ("trap_answered_bytes_total", "Bytes of the answers to datagrams", |trap| trap.datagrams.answered_bytes),
        ("trap_answers_limited_total", "Answers of traps that were not sent, for there were too many", |trap| {
            trap.datagrams.answers_limited
        }),
        ("trap_answers_refused_total", "Answers of traps that were longer than what they answered, and not sent", |trap| {
            trap.datagrams.answers_refused
        }),
        ("trap_transfers_total", "Ports of their own from which traps answered, or to which data was brought to them", |trap| {
            trap.datagrams.transfers
        }),
        ("trap_transfers_limited_total", "Transfers of traps that were not begun or gave way, for there were too many", |trap| {
            trap.datagrams.transfers_limited
        }),
    ];
    let mut active = text.gauge("sessions_active", "Trap sessions open now");
    for trap in &status.traps {
        active.sample(&[("trap", &trap.name)], trap.active);
    }
    for (name, help, read) in parts {
        let mut family = text.counter(name, help);
        for trap in &status.traps {
            family.sample(&[("trap", &trap.name)], read(trap));
        }
    }
    counted(text.counter("visits_total", "Reports of traps, by trap"), "trap", &status.counts.visits);
}

fn mesh(text: &mut Text, status: &StatusJson) {
    let mut members = text.gauge("mesh_members", "Members of a cluster, this node left out");
    for cluster in &status.clusters {
        members.sample(&[("cluster", &cluster.name), ("state", "alive")], cluster.members_alive);
        members.sample(&[("cluster", &cluster.name), ("state", "down")], cluster.members_down);
    }
    let mut records = text.gauge("mesh_records", "Records in a cluster's set");
    for cluster in &status.clusters {
        records.sample(&[("cluster", &cluster.name)], cluster.records);
    }
    text.gauge("mesh_quarantined", "Peers that are believed no more because they banned a canary")
        .sample(&[], status.quarantined);
    text.gauge("bans_uncorroborated", "Bans not enforced because too few owners say so").sample(&[], status.uncorroborated);
    let mut datagrams = text.counter("gossip_messages_total", "Mesh datagrams by direction");
    for cluster in &status.clusters {
        datagrams.sample(&[("cluster", &cluster.name), ("dir", "in")], cluster.received);
        datagrams.sample(&[("cluster", &cluster.name), ("dir", "out")], cluster.sent);
    }
    let mut open = text.gauge("mesh_streams", "Streams to other members");
    for cluster in &status.clusters {
        open.sample(&[("cluster", &cluster.name)], cluster.streams.get("open").copied().unwrap_or(0));
    }
    let mut streams = text.counter("mesh_streams_total", "What streams did and refused");
    for cluster in &status.clusters {
        for (what, count) in cluster.streams.iter().filter(|(what, _)| *what != "open") {
            streams.sample(&[("cluster", &cluster.name), ("what", what)], count);
        }
    }
    let mut refused = text.counter("gossip_rejected_total", "Mesh datagrams and records refused, by reason");
    for cluster in &status.clusters {
        for (why, count) in &cluster.refused {
            refused.sample(&[("cluster", &cluster.name), ("why", why)], count);
        }
    }
}

fn store(text: &mut Text, status: &StatusJson) {
    let store = &status.store;
    text.gauge("store_events", "Events in the store").sample(&[], store.events);
    text.gauge("store_bytes", "Size of the database file").sample(&[], store.file_bytes);
    text.gauge("store_queue_depth", "Writes that wait").sample(&[], store.queue);
    text.counter("store_dropped_total", "Events that were not stored").sample(&[], store.dropped);
    text.counter("store_lost_total", "Bans, records and settings that were not stored").sample(&[], store.lost);
    text.counter("store_retired_total", "Events deleted for their number or age").sample(&[], store.retired);
    text.gauge("store_payloads", "Different payloads in the store").sample(&[], store.payloads);
    text.gauge("store_payload_bytes", "Bytes of different payloads in the store").sample(&[], store.payload_bytes);
    text.counter("store_payloads_evicted_total", "Payloads deleted for their size together or their age")
        .sample(&[], store.payloads_evicted);
    text.gauge("store_failing", "1 while the store cannot write").sample(&[], u8::from(store.failing.is_some()));
}

fn api(text: &mut Text, doors: &[(&'static str, u64)]) {
    let is_gauge = |name: &str| name == "live_listeners";
    let mut counters = text.counter("api_total", "What the doors counted");
    for (what, count) in doors.iter().filter(|(name, _)| !is_gauge(name)) {
        counters.sample(&[("what", what)], count);
    }
    let mut gauges = text.gauge("api_now", "How the doors are used now");
    for (what, count) in doors.iter().filter(|(name, _)| is_gauge(name)) {
        gauges.sample(&[("what", what)], count);
    }
}

fn counted(mut family: Family<'_>, label: &str, counts: &BTreeMap<String, u64>) {
    for (name, count) in counts {
        family.sample(&[(label, name)], count);
    }
}

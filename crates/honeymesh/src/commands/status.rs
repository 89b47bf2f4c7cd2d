//! `honeymesh status`: the node in numbers.

use crate::{
    cli::Plain,
    client::Client,
    failure::Failure,
    output::{self, Table, Tone, printable, toned},
};
use honeymesh_format::{AuditJson, KeeperJson, LatencyJson, ProbeJson, StatusJson, TrapProcessJson, duration_text, json_pretty};
use hyper::Method;
use std::time::Duration;

/// Mode, uptime, interfaces, drops, bans, traps, members, audit.
pub async fn run(args: Plain) -> Result<(), Failure> {
    let status: StatusJson = Client::new(&args.socket).read(Method::GET, "/api/v1/status", None).await?;
    let text = match args.json {
        true => json_pretty(&status).map_err(|error| Failure::Refused(error.to_string()))?,
        false => words(&status, output::is_coloured()),
    };
    Ok(output::say(&text)?)
}

fn words(status: &StatusJson, coloured: bool) -> String {
    let mut lines = vec![head(status, coloured)];
    lines.extend(status.warnings.iter().map(|warning| toned(&format!("  ! {}", printable(warning)), Tone::Bad, coloured)));
    lines.push(kernel(status));
    lines.push(bans(status));
    lines.push(format!("audit    {}", audit(status.audit.as_ref())));
    lines.push(format!("probe    {}", probe(status.probe.as_ref())));
    lines.extend(status.keeper.as_ref().map(|keeper| format!("keeper   {}", kept(keeper))));
    lines.extend(status.trap_process.as_ref().map(|process| format!("traps    {}", played(process))));
    lines.push(store(status));
    for table in [interfaces(status), traps(status), datagrams(status), clusters(status)].into_iter().flatten() {
        lines.push(String::new());
        lines.push(table.render(coloured));
    }
    lines.join("\n")
}

fn head(status: &StatusJson, coloured: bool) -> String {
    let name = toned(&printable(&status.node), Tone::Bold, coloured);
    let tone = if status.mode == "enforce" { Tone::Good } else { Tone::Bad };
    let mode = toned(&printable(&mode(status)), tone, coloured);
    let ready = if status.ready { "" } else { ", not ready yet" };
    let uptime = duration_text(Duration::from_secs(status.uptime_seconds));
    let user = if status.user.is_empty() { String::new() } else { format!(", as user {}", printable(&status.user)) };
    format!("{name}: mode {mode}, up {uptime}{ready}{user}, version {}", printable(&status.version))
}

/// The mode in force, and what becomes of a lockdown that nobody has confirmed.
fn mode(status: &StatusJson) -> String {
    let left = status.lockdown.as_ref().and_then(|lockdown| lockdown.rolls_back_in_seconds);
    let trial = left.map(|left| format!(" (rolls back in {} unless confirmed)", duration_text(Duration::from_secs(left))));
    format!("{}{}", status.mode, trial.unwrap_or_default())
}

fn kernel(status: &StatusJson) -> String {
    let kernel = &status.kernel;
    let lost = if kernel.knocks_lost > 0 { format!(", {} reports lost", kernel.knocks_lost) } else { String::new() };
    let observed = if kernel.would_drop > 0 { format!(", {} would have been dropped", kernel.would_drop) } else { String::new() };
    format!(
        "kernel   {} packets, {} dropped{observed}, {} knocks, {} scans{lost}",
        kernel.packets, kernel.dropped, kernel.knocks, kernel.scans
    )
}

fn bans(status: &StatusJson) -> String {
    let bans = &status.bans;
    let by_reason: Vec<String> =
        bans.by_reason.iter().filter(|(_, count)| **count > 0).map(|(why, count)| format!("{why} {count}")).collect();
    let reasons = if by_reason.is_empty() { String::new() } else { format!(" ({})", printable(&by_reason.join(", "))) };
    let speed = speed(&status.counts.detect_to_ban)
        .map(|mean| format!(", from evidence to kernel {mean} on average"))
        .unwrap_or_default();
    let groups = match (bans.groups, bans.grouped) {
        (0, _) => String::new(),
        (groups, grouped) => format!(", {grouped} of them by {groups} prefixes"),
    };
    let refused = if bans.refused > 0 { format!(", {} REFUSED by the kernel", bans.refused) } else { String::new() };
    format!("bans     {} of {}{reasons}, {} enforced{refused}{groups}{speed}", bans.total, bans.capacity, bans.enforced)
}

/// The mean time from evidence to kernel entry; `None` if there was no ban yet.
fn speed(latency: &LatencyJson) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "a count of bans; a mean needs no 53 bits")]
    let mean = (latency.count > 0).then(|| latency.sum_seconds / latency.count as f64)?;
    Some(if mean < 1e-3 { format!("{:.0} µs", mean * 1e6) } else { format!("{:.1} ms", mean * 1e3) })
}

fn audit(audit: Option<&AuditJson>) -> String {
    let Some(audit) = audit else { return "none yet".into() };
    let Some(why) = &audit.failed else { return compared(audit) };
    let before = if audit.at.is_empty() { "none yet".into() } else { compared(audit) };
    format!("FAILED: {}; before that: {before}", printable(why))
}

/// What the last audit came to that could be done.
fn compared(audit: &AuditJson) -> String {
    let at = printable(&audit.at);
    let took = Duration::from_micros(audit.took_us).as_secs_f64() * 1e3;
    let every = format!("took {took:.1} ms, every {}", duration_text(Duration::from_secs(audit.every_seconds)));
    let mended = mended(audit);
    let off = off(audit);
    if mended.is_empty() && off.is_empty() {
        return format!("no drift at {at} ({every})");
    }
    let mended = if mended.is_empty() { String::new() } else { format!(" {}: mended", mended.join(", ")) };
    let off = if off.is_empty() { String::new() } else { format!(" NOT mended: {}", off.join(", ")) };
    let both = if mended.is_empty() || off.is_empty() { "" } else { ";" };
    format!("drift at {at}:{mended}{both}{off} ({every})")
}

/// Which programs an audit found off their interfaces.
fn off(audit: &AuditJson) -> Vec<String> {
    let both = [("the program", &audit.detached), ("the second program", &audit.unsteered)].into_iter();
    both.filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} is off {}", printable(&names.join(" "))))
        .collect()
}

/// What an audit found and mended.
fn mended(audit: &AuditJson) -> Vec<String> {
    // Changed settings count as one difference in the shape that scripts know.
    let different = audit.different.saturating_sub(u64::from(audit.settings_changed));
    let entries = audit.missing + audit.extra + different;
    let numbers = format!("{} missing, {} extra, {different} different", audit.missing, audit.extra);
    let settings = audit.settings_changed.then(|| "settings that somebody else had changed".to_owned());
    let both = [("the program", &audit.put_back), ("the second program", &audit.steering_put_back)].into_iter();
    let put_back = both.filter(|(_, names)| !names.is_empty());
    let put_back = put_back.map(|(what, names)| format!("{what} back on {}", printable(&names.join(" "))));
    (entries > 0).then_some(numbers).into_iter().chain(settings).chain(put_back).collect()
}

fn probe(probe: Option<&ProbeJson>) -> String {
    let Some(probe) = probe else { return "none yet".into() };
    let (at, every) = (printable(&probe.at), duration_text(Duration::from_secs(probe.every_seconds)));
    match &probe.why {
        None => format!("a banned source is dropped, another one is not: at {at}, every {every}"),
        Some(why) => format!("FAILED at {at}: {}", printable(why)),
    }
}

fn kept(keeper: &KeeperJson) -> String {
    match &keeper.ended {
        None => {
            let times = if keeper.restarts == 1 { "1 time" } else { &format!("{} times", keeper.restarts) };
            let again = if keeper.restarts > 0 { format!(", started again {times}") } else { String::new() };
            let alone = if keeper.warden { "" } else { ", and no other comes if it ends" };
            format!("process {}{again}{alone}", keeper.pid)
        }
        Some(how) => format!("ENDED: {}", printable(how)),
    }
}

fn played(process: &TrapProcessJson) -> String {
    let times = if process.restarts == 1 { "1 time" } else { &format!("{} times", process.restarts) };
    let again = if process.restarts > 0 { format!(", started again {times}") } else { String::new() };
    let ended = process.ended.as_ref().map(|how| format!(", the last one ended: {}", printable(how))).unwrap_or_default();
    let state = if process.running { format!("process {}", process.pid) } else { "BEING STARTED AGAIN".into() };
    format!("{state}{again}{ended}")
}

fn store(status: &StatusJson) -> String {
    let store = &status.store;
    let failing = store.failing.as_ref().map(|why| format!(", FAILING: {}", printable(why))).unwrap_or_default();
    format!("store    {} events, {} waiting, {} dropped{failing}", store.events, store.queue, store.dropped)
}

fn interfaces(status: &StatusJson) -> Option<Table> {
    let mut table = Table::new(&["INTERFACE", "XDP", "ATTACHED", "SINCE", "STEERED"]);
    for interface in &status.interfaces {
        let attached = if interface.attached { "yes".to_owned() } else { format!("NO: {}", interface.state) };
        let steered = match interface.steering.as_deref() {
            None => "-".to_owned(),
            Some("attached") => "yes".to_owned(),
            Some(state) => format!("NO: {state}"),
        };
        table.row([interface.name.clone(), interface.xdp_mode.clone(), attached, interface.since.clone(), steered]);
    }
    (!status.interfaces.is_empty()).then_some(table)
}

fn traps(status: &StatusJson) -> Option<Table> {
    let mut table = Table::new(&["TRAP", "SERVICE", "SESSIONS", "ACTIVE", "BYTES", "REFUSED", "GAVE WAY", "LISTEN"]);
    for trap in &status.traps {
        table.row([
            trap.name.clone(),
            trap.service.clone(),
            trap.sessions.to_string(),
            trap.active.to_string(),
            trap.bytes.to_string(),
            trap.refused.to_string(),
            trap.gave_way.to_string(),
            trap.listen.join(" "),
        ]);
    }
    (!status.traps.is_empty()).then_some(table)
}

/// Only of traps that got any.
fn datagrams(status: &StatusJson) -> Option<Table> {
    let mut table = Table::new(&["TRAP", "DATAGRAMS", "LIMITED", "ANSWERED", "NOT SENT", "TOO LONG"]);
    let of_udp: Vec<_> = status.traps.iter().filter(|trap| trap.datagrams.received > 0).collect();
    for trap in &of_udp {
        let counts = trap.datagrams;
        let numbers = [counts.received, counts.limited, counts.answered, counts.answers_limited, counts.answers_refused];
        let [received, limited, answered, not_sent, too_long] = numbers.map(|number| number.to_string());
        table.row([trap.name.clone(), received, limited, answered, not_sent, too_long]);
    }
    (!of_udp.is_empty()).then_some(table)
}

fn clusters(status: &StatusJson) -> Option<Table> {
    let mut table = Table::new(&["CLUSTER", "TRUST", "ALIVE", "DOWN", "RECORDS", "FINGERPRINT", "LISTEN"]);
    for cluster in &status.clusters {
        table.row([
            cluster.name.clone(),
            cluster.trust.clone(),
            cluster.members_alive.to_string(),
            cluster.members_down.to_string(),
            cluster.records.to_string(),
            cluster.fingerprint.chars().take(8).collect(),
            cluster.listen.clone(),
        ]);
    }
    (!status.clusters.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_format::LockdownJson;

    #[test]
    fn a_status_is_told_without_colour_codes_and_with_its_warnings() {
        let status = StatusJson {
            node: "edge-1".into(),
            mode: "observe".into(),
            warnings: vec!["drops nothing".into()],
            ..StatusJson::default()
        };
        let text = words(&status, false);
        assert!(text.starts_with("edge-1: mode observe, up 0s, not ready yet"), "{text}");
        assert!(text.contains("\n  ! drops nothing\n") && !text.contains('\x1b'));
    }

    #[test]
    fn a_lockdown_on_trial_says_how_long_it_lasts() {
        let lockdown = LockdownJson { rolls_back_in_seconds: Some(42), ..LockdownJson::default() };
        let trial = StatusJson { mode: "lockdown".into(), lockdown: Some(lockdown), ..StatusJson::default() };
        assert_eq!(mode(&trial), "lockdown (rolls back in 42s unless confirmed)");
        let confirmed = LockdownJson { confirmed: true, ..LockdownJson::default() };
        assert_eq!(mode(&StatusJson { lockdown: Some(confirmed), ..trial }), "lockdown");
    }

    #[test]
    fn the_mean_speed_has_a_unit_that_fits() {
        let latency = |sum_seconds, count| LatencyJson { sum_seconds, count, ..LatencyJson::default() };
        assert_eq!(speed(&latency(0.0, 0)), None);
        assert_eq!(speed(&latency(0.000_42, 2)).as_deref(), Some("210 µs"));
        assert_eq!(speed(&latency(0.02, 4)).as_deref(), Some("5.0 ms"));
    }

    #[test]
    fn drift_is_never_told_as_fine() {
        let clean = AuditJson { at: "T".into(), took_us: 1_234, every_seconds: 30, ..AuditJson::default() };
        assert_eq!(audit(Some(&clean)), "no drift at T (took 1.2 ms, every 30s)");
        let missing = AuditJson { missing: 1, put_back: vec!["eth1".into()], ..clean.clone() };
        let text = "drift at T: 1 missing, 0 extra, 0 different, the program back on eth1: mended (took 1.2 ms, every 30s)";
        assert_eq!(audit(Some(&missing)), text);
        let off = AuditJson { detached: vec!["eth0".into()], ..clean };
        assert_eq!(audit(Some(&off)), "drift at T: NOT mended: the program is off eth0 (took 1.2 ms, every 30s)");
        let both = audit(Some(&AuditJson { detached: vec!["eth0".into()], ..missing }));
        assert!(both.contains("eth1: mended; NOT mended: the program is off eth0"), "{both}");
        let steering =
            AuditJson { unsteered: vec!["eth0".into()], steering_put_back: vec!["eth1".into()], ..AuditJson::default() };
        let text = audit(Some(&steering));
        let failed = AuditJson { failed: Some("no answer".into()), ..off.clone() };
        let before = "drift at T: NOT mended: the program is off eth0 (took 1.2 ms, every 30s)";
        assert_eq!(audit(Some(&failed)), format!("FAILED: no answer; before that: {before}"));
        let first = AuditJson { failed: Some("no answer".into()), ..AuditJson::default() };
        assert_eq!(audit(Some(&first)), "FAILED: no answer; before that: none yet");
        assert!(text.contains("the second program back on eth1: mended; NOT mended: the second program is off eth0"), "{text}");
    }
}

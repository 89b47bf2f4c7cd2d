//! Whatever `status` counts is in the metrics, too. A new field of the status does not compile here until it is named, and then fails until it is
//! a metric, or has a reason not to be one.

use super::{families, text::Text};
use honeymesh_format::{
    AuditJson, BansJson, ClusterJson, CountersJson, CountsJson, DatagramsJson, InterfaceJson, KeeperJson, LatencyJson,
    LockdownJson, ProbeJson, StatusJson, StoreJson, TrapJson, TrapProcessJson,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Numbers that are no metrics by themselves, and why.
const NO_METRICS: [(&str, &str); 10] = [
    ("/interfaces/0/index", "a name"),
    ("/trap_process/pid", "a name"),
    ("/keeper/pid", "a name"),
    ("/kernel/packets", "the sum of the verdicts, which are"),
    ("/audit/missing", "in the sum `audit_drift`"),
    ("/audit/extra", "in the sum `audit_drift`"),
    ("/audit/different", "in the sum `audit_drift`"),
    ("/audit/every_seconds", "a setting"),
    ("/probe/every_seconds", "a setting"),
    ("/probe/runs", "the sum of `probes_total`"),
];

fn one(name: &str) -> BTreeMap<String, u64> {
    BTreeMap::from([(name.to_owned(), 0)])
}

/// A status with everything in it that can be. No field is left to a default.
fn whole() -> StatusJson {
    let text = String::new;
    StatusJson {
        version: text(),
        node: text(),
        user: text(),
        mode: "lockdown".into(),
        lockdown: Some(LockdownJson { confirmed: false, rolls_back_in_seconds: Some(0), rolls_back_to: None }),
        ready: true,
        started: text(),
        uptime_seconds: 0,
        warnings: Vec::new(),
        interfaces: vec![InterfaceJson {
            name: text(),
            index: 0,
            xdp_mode: text(),
            attached: true,
            state: text(),
            since: text(),
            steering: None,
        }],
        bans: BansJson {
            total: 0,
            enforced: 0,
            capacity: 0,
            groups: 0,
            grouped: 0,
            by_reason: one("trap"),
            refused: 0,
            refused_entries: 0,
        },
        kernel: kernel(),
        traps: vec![trap()],
        trap_process: Some(TrapProcessJson { running: true, pid: 0, ended: None, restarts: 0 }),
        clusters: vec![ClusterJson {
            name: text(),
            trust: text(),
            id: text(),
            authority: None,
            admission: text(),
            certificate: None,
            listen: text(),
            members_alive: 0,
            members_down: 0,
            records: 0,
            fingerprint: text(),
            received: 0,
            sent: 0,
            refused: one("key"),
            streams: BTreeMap::from([("open".into(), 0), ("opened".into(), 0)]),
        }],
        quarantined: 0,
        uncorroborated: 0,
        audit: Some(audit()),
        probe: Some(ProbeJson { at: text(), ok: true, why: None, every_seconds: 0, runs: 0, failures: 0 }),
        keeper: Some(KeeperJson { running: true, pid: 0, ended: None, restarts: 0, warden: true }),
        store: StoreJson {
            events: 0,
            file_bytes: 0,
            queue: 0,
            dropped: 0,
            lost: 0,
            retired: 0,
            failing: None,
            payloads: 0,
            payload_bytes: 0,
            payloads_evicted: 0,
        },
        counts: CountsJson {
            events: one("visit"),
            visits: one("ssh"),
            bans: one("trap"),
            ended: one("expire"),
            detect_to_ban: LatencyJson { buckets: vec![0], sum_seconds: 0.0, count: 0 },
        },
    }
}

fn kernel() -> CountersJson {
    CountersJson {
        packets: 0,
        passed: 0,
        dropped: 0,
        dropped_v4: 0,
        dropped_v6: 0,
        dropped_net: 0,
        dropped_dark: 0,
        dropped_scan: 0,
        would_drop: 0,
        malformed: 0,
        allowed: 0,
        knocks: 0,
        knocks_lost: 0,
        scans: 0,
        budget_full: 0,
        more: one("steered"),
    }
}

fn trap() -> TrapJson {
    TrapJson {
        name: String::new(),
        service: String::new(),
        listen: Vec::new(),
        active: 0,
        sessions: 0,
        refused: 0,
        gave_way: 0,
        slowed: 0,
        bytes: 0,
        reports: 0,
        reports_lost: 0,
        errors: 0,
        datagrams: DatagramsJson {
            received: 0,
            limited: 0,
            answered: 0,
            answered_bytes: 0,
            answers_limited: 0,
            answers_refused: 0,
            transfers: 0,
            transfers_limited: 0,
        },
    }
}

fn audit() -> AuditJson {
    AuditJson {
        at: String::new(),
        missing: 0,
        extra: 0,
        different: 0,
        detached: Vec::new(),
        put_back: Vec::new(),
        unsteered: Vec::new(),
        steering_put_back: Vec::new(),
        settings_changed: false,
        took_us: 0,
        every_seconds: 0,
        audits: 0,
        drifted: 0,
        failed: None,
        audits_failed: 0,
    }
}

/// Gives each number a value of its own, and tells where it is.
fn number(value: &mut Value, path: &str, found: &mut Vec<(String, u64)>) {
    match value {
        Value::Number(_) => {
            // So far apart that no sum of two is another one.
            let own = 1_000_003 + (1 << (found.len() % 20)) + 1_048_576 * found.len() as u64;
            *value = own.into();
            found.push((path.to_owned(), own));
        }
        Value::Array(all) => {
            all.iter_mut().enumerate().for_each(|(place, value)| number(value, &format!("{path}/{place}"), found));
        }
        Value::Object(all) => all.iter_mut().for_each(|(name, value)| number(value, &format!("{path}/{name}"), found)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[test]
fn every_counter_of_the_status_is_a_metric() {
    let (mut status, mut numbers) = (serde_json::to_value(whole()).unwrap(), Vec::new());
    number(&mut status, "", &mut numbers);
    assert!(numbers.len() > 70, "{}", numbers.len());
    let mut text = Text::default();
    families::write(&mut text, &serde_json::from_value(status).unwrap(), &[]);
    let text = text.into_string();
    let is_metric = |number: u64| text.lines().any(|line| !line.starts_with('#') && line.ends_with(&format!(" {number}")));
    let left_out: BTreeSet<&str> =
        numbers.iter().filter(|(_, number)| !is_metric(*number)).map(|(path, _)| path.as_str()).collect();
    let excused: BTreeSet<&str> = NO_METRICS.iter().map(|(path, _)| *path).collect();
    assert_eq!(left_out, excused, "what is left out of the metrics, and what may be");
}

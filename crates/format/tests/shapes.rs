//! The shapes of the contract, byte by byte: a failure here means that users' scripts break.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use honeymesh_format::{
    AllowJson, AuditJson, BanOrderJson, BansJson, CheckJson, ClusterJson, CountersJson, DoctorInterfaceJson, DoctorJson,
    DoneJson, FeatureJson, InterfaceJson, KeeperJson, PeerJson, ProbeJson, ProtectedJson, StatusJson, StoreJson, TrapJson,
    TrapProcessJson, WhyJson, json_text,
};
use std::collections::BTreeMap;

fn text<T: serde::Serialize>(value: &T) -> String {
    json_text(value).unwrap()
}

#[test]
fn an_empty_status_names_every_part() {
    let golden = concat!(
        r#"{"version":"","node":"","user":"","mode":"","ready":false,"started":"","uptime_seconds":0,"warnings":[],"interfaces":[],"#,
        r#""bans":{"total":0,"enforced":0,"capacity":0,"groups":0,"grouped":0,"by_reason":{},"refused":0,"refused_entries":0},"#,
        r#""kernel":{"packets":0,"passed":0,"dropped":0,"dropped_v4":0,"dropped_v6":0,"dropped_net":0,"dropped_dark":0,"dropped_scan":0,"#,
        r#""would_drop":0,"malformed":0,"allowed":0,"knocks":0,"knocks_lost":0,"scans":0,"budget_full":0},"#,
        r#""traps":[],"trap_process":null,"clusters":[],"quarantined":0,"uncorroborated":0,"audit":null,"probe":null,"keeper":null,"#,
        r#""store":{"events":0,"file_bytes":0,"queue":0,"dropped":0,"lost":0,"retired":0,"failing":null,"payloads":0,"payload_bytes":0,"payloads_evicted":0},"#,
        r#""counts":{"events":{},"visits":{},"bans":{},"ended":{},"#,
        r#""detect_to_ban":{"buckets":[0,0,0,0,0,0,0,0,0,0,0,0,0],"sum_seconds":0.0,"count":0}}}"#,
    );
    assert_eq!(text(&StatusJson::default()), golden);
}

#[test]
fn the_parts_of_a_status_are_named() {
    let (state, since) = ("attached".into(), "T".into());
    let steering = Some("detached".into());
    let interface =
        InterfaceJson { name: "eth0".into(), index: 2, xdp_mode: "native".into(), attached: true, state, since, steering };
    let golden =
        r#"{"name":"eth0","index":2,"xdp_mode":"native","attached":true,"state":"attached","since":"T","steering":"detached"}"#;
    assert_eq!(text(&interface), golden);
    let players = TrapProcessJson { running: true, pid: 7, ended: Some("signal: 9".into()), restarts: 2 };
    assert_eq!(text(&players), r#"{"running":true,"pid":7,"ended":"signal: 9","restarts":2}"#);
    let probe = r#"{"at":"","ok":false,"why":null,"every_seconds":0,"runs":0,"failures":0}"#;
    assert_eq!(text(&ProbeJson::default()), probe);
    assert_eq!(text(&KeeperJson::default()), r#"{"running":false,"pid":0,"ended":null,"restarts":0,"warden":false}"#);
    let trap = r#"{"name":"","service":"","listen":[],"active":0,"sessions":0,"refused":0,"gave_way":0,"slowed":0,"bytes":0,"reports":0,"reports_lost":0,"errors":0,"datagrams":{"received":0,"limited":0,"answered":0,"answered_bytes":0,"answers_limited":0,"answers_refused":0,"transfers":0,"transfers_limited":0}}"#;
    assert_eq!(text(&TrapJson::default()), trap);
    let audit = r#"{"at":"","missing":0,"extra":0,"different":0,"detached":[],"put_back":[],"unsteered":[],"steering_put_back":[],"settings_changed":false,"took_us":0,"every_seconds":0,"audits":0,"drifted":0,"failed":null,"audits_failed":0}"#;
    assert_eq!(text(&AuditJson::default()), audit);
    let cluster = concat!(
        r#"{"name":"","trust":"","id":"","authority":null,"admission":"","certificate":null,"listen":"","members_alive":0,"members_down":0,"records":0,"fingerprint":"","#,
        r#""received":0,"sent":0,"refused":{},"streams":{}}"#
    );
    assert_eq!(text(&ClusterJson::default()), cluster);
}

#[test]
fn peers_and_the_allowlist_are_named() {
    let peer = concat!(
        r#"{"cluster":"","name":null,"id":"","address":"","state":"","trust":"","admission":"","revoked":false,"certificate":null,"owner":null,"quarantine":null,"last_heard":null,"received":0,"sent":0,"#,
        r#""records":0,"refused":{}}"#
    );
    assert_eq!(text(&PeerJson::default()), peer);
    let allow = AllowJson { net: "10.0.0.0/8".into(), why: "allowlist".into(), source: Some("config".into()) };
    assert_eq!(text(&allow), r#"{"net":"10.0.0.0/8","why":"allowlist","source":"config"}"#);
    let own = AllowJson { net: "192.0.2.1/32".into(), why: "own".into(), source: None };
    assert_eq!(text(&own), r#"{"net":"192.0.2.1/32","why":"own"}"#);
}

#[test]
fn a_chain_is_named() {
    let golden = r#"{"address":"","banned":false,"enforced":false,"mode":"","verdict":"","bans":[],"protected":[],"records":[],"past":[],"events":[]}"#;
    assert_eq!(text(&WhyJson::default()), golden);
    assert_eq!(text(&ProtectedJson::default()), r#"{"net":"","why":""}"#);
}

#[test]
fn orders_and_answers_are_named_and_unknown_keys_refused() {
    let done = r#"{"detail":"","changed":false,"bans":[],"clusters":[]}"#;
    assert_eq!(text(&DoneJson::default()), done);
    let waited = DoneJson { confirmed: Some(vec!["edge-2".into()]), unconfirmed: Some(vec![]), ..DoneJson::default() };
    assert!(text(&waited).ends_with(r#""clusters":[],"confirmed":["edge-2"],"unconfirmed":[]}"#));
    let order: BanOrderJson = serde_json::from_str(r#"{"subject":"192.0.2.1"}"#).unwrap();
    assert_eq!(order, BanOrderJson { subject: "192.0.2.1".into(), ..BanOrderJson::default() });
    assert!(
        serde_json::from_str::<BanOrderJson>(r#"{"subject":"192.0.2.1","tll":"1h"}"#).is_err(),
        "a typo is told, not ignored"
    );
}

#[test]
fn further_kernel_counters_stand_beside_the_known_ones() {
    let counters = CountersJson { more: BTreeMap::from([("not_ip".into(), 3)]), ..CountersJson::default() };
    let json = text(&counters);
    assert!(json.ends_with(r#""budget_full":0,"not_ip":3}"#), "{json}");
    assert_eq!(serde_json::from_str::<CountersJson>(&json).unwrap(), counters);
    let _ = (BansJson::default(), StoreJson::default());
}

#[test]
fn a_doctors_words_are_named() {
    let doctor = DoctorJson {
        ok: true,
        checks: vec![CheckJson::default()],
        interfaces: vec![DoctorInterfaceJson::default()],
        features: vec![FeatureJson::default()],
    };
    let golden = concat!(
        r#"{"ok":true,"checks":[{"area":"","name":"","state":"","detail":"","matters":"","mend":null}],"#,
        r#""interfaces":[{"name":"","driver":null,"mode":"","why":"","program":null}],"#,
        r#""features":[{"name":"","kernel_min":"","needed":false,"state":"","brings":"","said":null}]}"#,
    );
    assert_eq!(text(&doctor), golden);
}

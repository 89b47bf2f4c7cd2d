//! How far peers are believed, with real processes: canary, quarantine, proof and pardon; and a bridge.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Lab, Node, NodeConfig, Place, Trio, binary, new_key, run, wait_until};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

const SOON: Duration = Duration::from_secs(20);
const LIE: &str = "192.0.2.200";
const TRUE: &str = "192.0.2.7/32";

fn is_enforced(node: &Node<'_>, subject: &str) -> anyhow::Result<bool> {
    Ok(node.ban_of(subject)?.is_some_and(|ban| ban.enforced))
}

fn wait_enforced(node: &Node<'_>, subject: &str, expected: bool) {
    let what = format!("{subject} is enforced on {}: {expected}", node.config.name());
    wait_until(&what, SOON, || Ok((is_enforced(node, subject)? == expected).then_some(()))).unwrap();
}

fn order(node: &Node<'_>, args: &[&str]) -> String {
    node.client(args).unwrap().checked().unwrap().stdout
}

/// The quarantine of node2 as `node` shows it, or null.
fn quarantine(node: &Node<'_>) -> Value {
    let peers: Value = node.ask(&["peers"]).unwrap();
    let liar = peers.as_array().into_iter().flatten().find(|peer| peer["name"] == "node2");
    liar.map_or(Value::Null, |peer| peer["quarantine"].clone())
}

fn verify(record: &str) -> honeymesh_lab::Outcome {
    run(Command::new(binary().unwrap()).args(["peers", "verify", record]), SOON).unwrap()
}

#[test]
fn who_bans_a_canary_is_quarantined_with_a_proof_that_holds_until_it_is_pardoned() {
    let Some(_turn) = turn("who_bans_a_canary") else { return };
    let lab = Lab::up().unwrap();
    let watcher = |config: NodeConfig| match config.place {
        Place::Node(1) => config.with("canary", "nets = [\"192.0.2.128/25\"]"),
        _ => config,
    };
    let mut trio = Trio::up(&lab, watcher).unwrap();
    order(trio.node(2), &["ban", "192.0.2.7"]);
    order(trio.node(3), &["ban", "192.0.2.8"]);
    trio.wait_banned(TRUE).unwrap();
    assert_eq!(quarantine(trio.node(1)), Value::Null);

    order(trio.node(2), &["ban", LIE]);
    wait_enforced(trio.node(1), TRUE, false);
    assert!(is_enforced(trio.node(1), "192.0.2.8/32").unwrap(), "the honest are believed");
    assert!(is_enforced(trio.node(3), TRUE).unwrap(), "each node judges for itself");
    let proof = quarantine(trio.node(1));
    assert_eq!(proof["subject"], "192.0.2.200/32");
    let record = proof["record_base64"].as_str().unwrap().to_owned();
    let proven = verify(&record).checked().unwrap().stdout;
    assert!(proven.starts_with("proven: node2 (") && proven.contains("signed the ban of 192.0.2.200/32"), "{proven}");
    let spoiled = if record.ends_with("A==") { record.replace("A==", "B==") } else { format!("AAAA{}", &record[4..]) };
    assert!(verify(&spoiled).checked().is_err(), "a changed record proves nothing");
    let shown = order(trio.node(1), &["peers"]);
    assert!(shown.contains("QUARANTINED") && shown.contains("node2 is believed no more since"), "{shown}");
    let status: Value = trio.node(1).ask(&["status"]).unwrap();
    assert_eq!(status["quarantined"], 1);
    assert!(status["warnings"].to_string().contains("is quarantined: it signed a word against the canary"), "{status}");
    let is_told = || {
        let told = order(trio.node(1), &["events", "--kind", "mesh", "--limit", "100", "--json"]);
        Ok(told.contains("\"change\":\"quarantined\"").then_some(()))
    };
    wait_until("the quarantine is among the events", SOON, is_told).unwrap();

    trio.node_mut(1).kill();
    trio.node_mut(1).start().unwrap();
    assert_eq!(quarantine(trio.node(1))["record_base64"], record.as_str(), "kept over a restart");
    assert!(!is_enforced(trio.node(1), TRUE).unwrap());

    let done = order(trio.node(1), &["peers", "pardon", "node2"]);
    assert!(done.contains("is believed again; 1 of its bans are enforced again"), "{done}");
    assert!(is_enforced(trio.node(1), TRUE).unwrap() && !is_enforced(trio.node(1), "192.0.2.200/32").unwrap());
    assert!(trio.node(1).client(&["peers", "pardon", "node2"]).unwrap().checked().is_err(), "only once");
}

/// Lines of a second cluster, whose key lies in `key`; node 2 is its door.
fn second(key: &Path) -> [String; 4] {
    let join = Place::Node(2).at(honeymesh_lab::Family::V4, 7_950);
    [
        "name = \"second\"".into(),
        "listen = \"0.0.0.0:7950\"".into(),
        format!("join = [\"{join}\"]"),
        format!("key_file = \"{}\"", key.display()),
    ]
}

#[test]
fn what_a_node_enforces_crosses_its_bridge_and_an_unban_follows() {
    let Some(_turn) = turn("what_a_node_enforces_crosses") else { return };
    let lab = Lab::up().unwrap();
    let key = lab.scratch().join("second.key");
    fs::write(&key, new_key(&lab).unwrap()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let joined = |config: NodeConfig| second(&key).into_iter().fold(config, |config, line| config.with("[cluster]", line));
    let change = |config: NodeConfig| match config.place {
        Place::Node(2) => ["from = \"lab\"", "to = \"second\"", "grades = [\"operator\", \"payload\", \"hostile\"]"]
            .into_iter()
            .fold(joined(config), |config, line| config.with("[bridge]", line)),
        Place::Node(3) => joined(NodeConfig::alone(config.place)),
        _ => config,
    };
    let trio = Trio::apart(&lab, &new_key(&lab).unwrap(), change).unwrap();
    let meet = |number: usize, others: &[&str]| {
        let met = || Ok((trio.node(number).members()? == others).then_some(()));
        wait_until(&format!("node{number} sees {others:?}"), SOON, met).unwrap();
    };
    meet(1, &["node2"]);
    meet(3, &["node2"]);
    order(trio.node(3), &["ban", "192.0.2.3"]);
    wait_enforced(trio.node(2), "192.0.2.3/32", true);
    order(trio.node(1), &["ban", "192.0.2.7"]);
    wait_enforced(trio.node(3), TRUE, true);
    let ban = trio.node(3).ban_of(TRUE).unwrap().unwrap();
    assert_eq!((ban.origins, ban.reasons.contains(&"mesh".into())), (vec!["node2".to_owned()], true));
    assert_eq!(trio.node(1).ban_of("192.0.2.3/32").unwrap(), None, "nothing crosses the other way");
    order(trio.node(1), &["unban", "192.0.2.7"]);
    trio.wait_free(TRUE).unwrap();
}

//! A full table: one prefix drops for neighbours who are all banned, and for nobody beside them.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Ban, Family, HTTP_PORT, Lab, Node, NodeConfig, Place, Service, WEB_PORT, wait_until};
use serde_json::Value;
use std::{process::Command, thread, time::Duration};

const SOON: Duration = Duration::from_secs(20);
/// Seconds after which who is dropped gives up, and who is to be served: a machine with other work serves twenty at once late.
const DROPPED_AFTER: &str = "0.5";
const SERVED_WITHIN: &str = "10";
/// A whole /28, and three who stand alone: more than the sixteen that the table has room for.
const BLOCK: std::ops::Range<u8> = 128..144;
const ALONE: [u8; 3] = [200, 202, 204];
/// Next to the block on both sides.
const BESIDE: [u8; 2] = [127, 144];

fn addr(last: u8) -> String {
    format!("203.0.113.{last}")
}

fn banned() -> impl Iterator<Item = u8> {
    BLOCK.chain(ALONE)
}

/// Is somebody with this address served on `port` within so many seconds?
fn is_served(lab: &Lab, last: u8, port: u16, patience: &str) -> bool {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--noproxy", "*", "--max-time", patience, "--interface", &addr(last)]);
    curl.arg(format!("http://{}/", Place::Node(1).at(Family::V4, port)));
    lab.attacker().run(&mut curl, SOON).unwrap().ok()
}

/// These are not served, and all others are.
fn drops(lab: &Lab, expected: &[u8], when: &str) {
    let patience = |last| if expected.contains(&last) { DROPPED_AFTER } else { SERVED_WITHIN };
    let dropped: Vec<u8> = thread::scope(|scope| {
        let asked: Vec<_> = banned()
            .chain(BESIDE)
            .map(|last| (last, scope.spawn(move || is_served(lab, last, WEB_PORT, patience(last)))))
            .collect();
        asked.into_iter().filter_map(|(last, served)| (!served.join().unwrap()).then_some(last)).collect()
    });
    assert_eq!(dropped, expected, "{when}");
}

fn visit(lab: &Lab, node: &Node<'_>, last: u8) -> Ban {
    is_served(lab, last, HTTP_PORT, SERVED_WITHIN);
    wait_until("the visitor is banned", SOON, || node.ban_of(&format!("{}/32", addr(last)))).unwrap()
}

/// An audit from now on that finds nothing to mend.
fn audited(node: &Node<'_>) {
    let audits = |status: &Value| status["audit"]["audits"].as_u64().unwrap_or(0);
    let before = audits(&node.ask(&["status"]).unwrap());
    let status: Value = wait_until("an audit", SOON * 3, || {
        let status = node.ask(&["status"])?;
        Ok((audits(&status) > before).then_some(status))
    })
    .unwrap();
    let audit = &status["audit"];
    assert_eq!((&audit["drifted"], &status["bans"]["groups"], &status["bans"]["grouped"]), (&0.into(), &1.into(), &16.into()));
}

fn a_full_table_drops_everybody(config: NodeConfig) {
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let link = |last| format!("addr add {}/24 dev eth0", addr(last));
    lab.attacker().namespace.ip_batch(&banned().chain(BESIDE).map(link).collect::<Vec<_>>()).unwrap();
    let mut node = lab.node(config.with("bans", "max = 16")).unwrap();
    node.start().unwrap();
    drops(&lab, &[], "nobody yet");
    banned().for_each(|last| assert!(visit(&lab, &node, last).enforced, "{last}"));
    let everybody: Vec<u8> = banned().collect();
    drops(&lab, &everybody, "all of them, and nobody beside them");
    let why: Value = node.ask(&["why", &addr(130)]).unwrap();
    assert_eq!(why["bans"][0]["group"]["prefix"], "203.0.113.128/28", "{why}");
    assert!(why["bans"][0]["group"]["drops"].as_u64().is_some_and(|drops| drops >= 16), "{why}");
    node.kill();
    drops(&lab, &everybody, "with the daemon dead");
    node.start().unwrap();
    drops(&lab, &everybody, "and after its restart");
    audited(&node);
    node.client(&["unban", &addr(130)]).unwrap().checked().unwrap();
    drops(&lab, &everybody.into_iter().filter(|last| *last != 130).collect::<Vec<_>>(), "one is let in");
}

#[test]
fn a_full_table_drops_everybody_and_no_neighbour() {
    let Some(_turn) = turn("a_full_table_drops_everybody") else { return };
    a_full_table_drops_everybody(NodeConfig::alone(Place::Node(1)));
}

#[test]
fn a_full_table_drops_everybody_and_no_neighbour_without_xdp() {
    let Some(_turn) = turn("a_full_table_drops_everybody_without_xdp") else { return };
    a_full_table_drops_everybody(NodeConfig::alone(Place::Node(1)).with("xdp", "attach = \"nftables\""));
}

//! Slow, wide scans with real processes: one connection to a dark port of each node.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Family, Host, Lab, NodeConfig, Place, Trio, wait_until};
use serde_json::Value;
use std::{net::TcpStream, thread, time::Duration};

const SOON: Duration = Duration::from_secs(30);
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);
/// Serves nothing.
const DARK_PORT: u16 = 9_999;
/// Longer than a node waits between two pages.
const TOLD: Duration = Duration::from_secs(13);

/// Connects to a dark port of a node, and says nothing.
fn touch(host: &Host, number: u8) {
    let at = Place::Node(number).at(Family::V4, DARK_PORT);
    let connected = || Ok(TcpStream::connect_timeout(&at, CONNECTED_WITHIN).map(drop)?);
    host.namespace.inside(connected).unwrap();
}

/// Pages that the third node has read.
fn pages(trio: &Trio<'_>) -> u64 {
    let status: Value = trio.node(3).ask(&["status"]).unwrap();
    status["kernel"]["touch_pages"].as_u64().unwrap()
}

#[test]
fn one_connection_to_a_dark_port_of_each_of_three_nodes_is_banned_on_all_of_them() {
    let Some(_turn) = turn("one_connection_to_a_dark_port_of_each") else { return };
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, |config: NodeConfig| config.with("traps", "dark = \"trap\"")).unwrap();
    let (attacker, honest) = (Place::Attacker.subject(Family::V4), Place::Honest.subject(Family::V4));
    for number in 1..=2 {
        touch(lab.attacker(), number);
        touch(lab.honest(), number);
        thread::sleep(TOLD);
        let told = || Ok((pages(&trio) == u64::from(number)).then_some(()));
        wait_until("the third node has heard of it", SOON, told).unwrap();
    }
    for node in trio.nodes() {
        assert_eq!((node.ban_of(&attacker).unwrap(), node.ban_of(&honest).unwrap()), (None, None), "two may be mistakes");
    }
    assert_eq!(pages(&trio), 2, "one of each");
    touch(lab.attacker(), 3);
    for node in trio.nodes() {
        let banned = || Ok(node.ban_of(&attacker)?.filter(|ban| ban.enforced && ban.scope == "all"));
        let ban = wait_until(&format!("{} drops it", node.config.name()), SOON, banned).unwrap();
        assert_eq!((ban.grade.as_str(), ban.reasons.contains(&"scan".to_owned())), ("handshake", true));
        let why = node.client(&["why", &Place::Attacker.addr(Family::V4).to_string()]).unwrap().checked().unwrap().stdout;
        let words = "slow scan: finished handshakes with 3 dark ports of 3 nodes within 24h: here 1, node";
        assert!(why.contains(words), "{why}");
        assert_eq!(node.ban_of(&honest).unwrap(), None);
    }
}

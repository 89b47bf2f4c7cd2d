//! The retransmission oracle with real scanners and forgers, and a flood of forged sources against a running daemon.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Family, Honest, Lab, NodeConfig, Place, Trio, forge_syns, scan_half_open, wait_until};
use std::{process::Command, thread, time::Duration};

const SOON: Duration = Duration::from_secs(15);
/// What a daemon may grow by while a flood runs: its books are bounded.
const GROWTH_MAX_KIB: u32 = 32 * 1_024;

fn oracle(config: NodeConfig) -> NodeConfig {
    config.with("scan", "oracle = true")
}

fn without_xdp(config: NodeConfig) -> NodeConfig {
    oracle(config).with("xdp", "attach = \"nftables\"")
}

#[test]
fn a_half_open_scan_is_proved_by_what_it_repeats_and_banned_everywhere() {
    let Some(_turn) = turn("a_half_open_scan_is_proved") else { return };
    a_scan_is_proved(oracle);
}

#[test]
fn the_same_without_xdp() {
    let Some(_turn) = turn("a_half_open_scan_is_proved_without_xdp") else { return };
    a_scan_is_proved(without_xdp);
}

fn a_scan_is_proved(config: fn(NodeConfig) -> NodeConfig) {
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, config).unwrap();
    for family in Family::BOTH {
        scan_half_open(lab.attacker(), Place::Node(1).addr(family), "1000-1299").unwrap();
        let subject = Place::Attacker.subject(family);
        for node in trio.nodes() {
            let proved = || Ok(node.ban_of(&subject)?.filter(|ban| ban.grade == "reactive"));
            let ban = wait_until("the ban is known", SOON, proved).unwrap();
            assert_eq!((ban.scope.as_str(), &ban.reasons.contains(&"scan".to_owned())), ("all", &true), "{ban:?}");
        }
    }
}

#[test]
fn forged_syns_repeated_or_not_prove_nothing_and_cost_the_forged_one_nothing() {
    let Some(_turn) = turn("forged_syns_repeated_or_not") else { return };
    forged_syns_prove_nothing(oracle);
}

#[test]
fn nor_do_they_without_xdp() {
    let Some(_turn) = turn("forged_syns_without_xdp") else { return };
    forged_syns_prove_nothing(without_xdp);
}

fn forged_syns_prove_nothing(config: fn(NodeConfig) -> NodeConfig) {
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, config).unwrap();
    let honest = Honest::start(lab.honest(), Trio::services()).unwrap();
    let (victim, target) = (Place::Honest.addr(Family::V4), Place::Node(1).addr(Family::V4));
    forge_syns(lab.attacker(), victim, target, 1000..1300).unwrap();
    forge_syns(lab.attacker(), victim, target, 1000..1300).unwrap();
    forge_syns(lab.attacker(), victim, target, (2000..2100).flat_map(|port| [port; 2])).unwrap();
    let subject = Place::Honest.subject(Family::V4);
    thread::sleep(Duration::from_secs(3));
    let ban = wait_until("node1 notices", SOON, || trio.node(1).ban_of(&subject)).unwrap();
    assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("spoofable", "dark"), "{ban:?}");
    for node in &trio.nodes()[1..] {
        assert_eq!(node.bans().unwrap(), [], "{}", node.config.name());
    }
    let report = honest.finish();
    assert!(report.failures().is_empty(), "{:?}", report.failures());
}

#[test]
fn a_flood_of_forged_sources_leaves_the_daemon_small_and_responsive() {
    let Some(_turn) = turn("a_flood_of_forged_sources") else { return };
    let lab = Lab::up().unwrap();
    let mut node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    node.start().unwrap();
    let target = Place::Node(1).addr(Family::V4).to_string();
    let before = node.resident_kib().unwrap();
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut hping = Command::new("hping3");
            hping.args(["-q", "-n", "-S", "--rand-source", "-i", "u10", "-c", "300000", "-p", "++1", &target]);
            lab.attacker().run(&mut hping, Duration::from_secs(60))
        });
        while !flood.is_finished() {
            node.client(&["status", "--json"]).unwrap().checked().unwrap();
            thread::sleep(Duration::from_millis(500));
        }
        flood.join().unwrap().unwrap();
    });
    let after = node.resident_kib().unwrap();
    assert!(after < before + GROWTH_MAX_KIB, "{before} KiB before, {after} KiB after");
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    let kernel = &status["kernel"];
    eprintln!("flood: {kernel}; {before} KiB before, {after} KiB after");
    assert!(kernel["knocks"].as_u64().unwrap() > 50_000, "{kernel}");
    scan_half_open(lab.attacker(), Place::Node(1).addr(Family::V4), "1000-1009").unwrap();
    let subject = Place::Attacker.subject(Family::V4);
    wait_until("a real scan is still seen", SOON, || node.ban_of(&subject)).unwrap();
}

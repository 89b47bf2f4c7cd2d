//! Scans: silence from the threshold on, and never a cost for the innocent.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{
    Capture, Family, Honest, Lab, NodeConfig, Place, Segment, Trio, WEB_PORT, fetch, forge_syns, hping_syns, scan_half_open,
    wait_until,
};
use std::{net::IpAddr, thread, time::Duration};

const SOON: Duration = Duration::from_secs(10);
/// The default of `[scan] ports`.
const THRESHOLD: usize = 3;

/// The answers that came from ports which serve nothing.
fn dark_answers(seen: &[Segment], target: IpAddr, dark: &std::ops::Range<u16>) -> usize {
    seen.iter().filter(|segment| segment.from.ip() == target && dark.contains(&segment.from.port())).count()
}

#[test]
fn a_half_open_scan_gets_silence_from_the_threshold_on_and_is_nobody_elses_business() {
    let Some(_turn) = turn("a_half_open_scan_gets_silence") else { return };
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, |config| config).unwrap();
    for family in Family::BOTH {
        let (target, dark) = (Place::Node(1).addr(family), 1000..1300);
        let capture = Capture::start(lab.attacker(), lab.scratch(), "attacker").unwrap();
        let scan = scan_half_open(lab.attacker(), target, "80,1000-1299").unwrap();
        let seen = capture.finish().unwrap();
        assert_eq!(dark_answers(&seen, target, &dark), THRESHOLD - 1, "{family:?}: the probe that crosses it gets none");
        assert_eq!(scan.open, [WEB_PORT], "{family:?}: a forgeable scan never closes a served port");
        assert!(scan.count("filtered") >= 298, "{family:?}: {scan:?}");

        let subject = Place::Attacker.subject(family);
        let ban = trio.node(1).ban_of(&subject).unwrap().expect("a ban where it was seen");
        assert_eq!((ban.grade.as_str(), ban.scope.as_str(), &ban.reasons), ("spoofable", "dark", &vec!["scan".to_owned()]));
        assert!(ban.until.is_some_and(|until| until.duration_since(ban.since).as_secs() <= 600), "short: {ban:?}");
        wait_until("node1 counts what it dropped", SOON, || {
            Ok(trio.node(1).ban_of(&subject)?.filter(|ban| ban.drops > 100).map(drop))
        })
        .unwrap();
        let reaches = || lab.attacker().namespace.inside(|| fetch(Place::Node(1).at(family, WEB_PORT), SOON));
        reaches().unwrap();
    }
    thread::sleep(Duration::from_secs(2));
    for node in &trio.nodes()[1..] {
        assert_eq!(node.bans().unwrap(), [], "{}: evidence that can be forged is never meshed", node.config.name());
    }
}

#[test]
fn knocks_below_the_threshold_cost_nothing() {
    let Some(_turn) = turn("knocks_below_the_threshold") else { return };
    let lab = Lab::up().unwrap();
    let mut node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    node.start().unwrap();
    let target = Place::Node(1).addr(Family::V4);
    let scan = scan_half_open(lab.attacker(), target, "1000-1001").unwrap();
    assert_eq!(scan.count("closed"), 2);
    wait_until("the knocks are told", SOON, || Ok((node.events("knock")?.len() >= 2).then_some(()))).unwrap();
    assert_eq!(node.bans().unwrap(), []);
}

#[test]
fn syns_with_the_honest_clients_address_cost_it_nothing() {
    let Some(_turn) = turn("syns_with_the_honest_clients_address") else { return };
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, |config| config).unwrap();
    let honest = Honest::start(lab.honest(), Trio::services()).unwrap();
    for family in Family::BOTH {
        let (victim, target) = (Place::Honest.addr(family), Place::Node(1).addr(family));
        // Dark ports, every trap, and the service that the victim really uses.
        let ports = (1000..1200).chain([2121, 2222, 2525, 8080, WEB_PORT]);
        forge_syns(lab.attacker(), victim, target, ports).unwrap();
        if family == Family::V4 {
            hping_syns(lab.attacker(), victim, target, 3000, 300).unwrap();
        }
        let subject = Place::Honest.subject(family);
        let ban = wait_until("node1 notices", SOON, || trio.node(1).ban_of(&subject)).unwrap();
        assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("spoofable", "dark"), "{family:?}: {ban:?}");
    }
    thread::sleep(Duration::from_secs(2));
    let report = honest.finish();
    assert!(report.requests.len() > 50, "{}", report.requests.len());
    assert!(report.failures().is_empty(), "{:?}", report.failures());
    for node in &trio.nodes()[1..] {
        assert_eq!(node.bans().unwrap(), [], "{}", node.config.name());
    }
}

#[test]
fn an_allowed_scanner_is_never_silenced_and_observing_drops_nothing() {
    let Some(_turn) = turn("an_allowed_scanner") else { return };
    let lab = Lab::up().unwrap();
    let config = NodeConfig::alone(Place::Node(1)).with("allow", "nets = [\"203.0.113.0/24\"]");
    let mut node = lab.node(config).unwrap();
    node.start().unwrap();
    let [v4, v6] = Family::BOTH.map(|family| Place::Node(1).addr(family));
    assert_eq!(scan_half_open(lab.attacker(), v4, "1000-1049").unwrap().count("closed"), 50, "allowed");
    assert_eq!(node.bans().unwrap(), []);
    assert_eq!(node.client(&["ban", "203.0.113.66"]).unwrap().code(), Some(1), "not even by order");

    node.client(&["mode", "observe"]).unwrap().checked().unwrap();
    assert_eq!(scan_half_open(lab.attacker(), v6, "1000-1049").unwrap().count("closed"), 50, "observed");
    node.client(&["mode", "enforce"]).unwrap().checked().unwrap();
    wait_until("what was observed is enforced", SOON, || {
        Ok(scan_half_open(lab.attacker(), v6, "1100-1110")?.states.get("filtered").filter(|count| **count >= 9).map(drop))
    })
    .unwrap();
}

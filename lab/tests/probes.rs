//! Scans of every kind, and as slow as one likes, against the real binary.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Ban, Family, Host, Lab, Node, NodeConfig, Place, Service, WEB_PORT, fetch, scan_from, wait_until};
use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
    thread,
    time::Duration,
};

const SOON: Duration = Duration::from_secs(10);
const DROPPED_AFTER: Duration = Duration::from_millis(700);
/// A window, and longer than it.
const SECOND: &str = "1s";
const LONGER: Duration = Duration::from_millis(1_200);
/// As nmap calls them: NULL, FIN, Xmas, UDP.
const KINDS: [&str; 4] = ["-sN", "-sF", "-sX", "-sU"];

fn at(family: Family, port: u16) -> SocketAddr {
    Place::Node(1).at(family, port)
}

/// What becomes of a connection: nothing is said over it.
fn connect(host: &Host, at: SocketAddr) -> Result<(), ErrorKind> {
    honeymesh_lab::connect(host, at, DROPPED_AFTER).unwrap()
}

/// The attacker gets one more address of this family, of a customer of its own, and the ban that would name it.
fn another(lab: &Lab, family: Family, number: usize) -> (IpAddr, String) {
    let (addr, subject) = match family {
        Family::V4 => (format!("203.0.113.{}", 70 + number), format!("203.0.113.{}/32", 70 + number)),
        Family::V6 => (format!("2001:db8:bad:{number}::66"), format!("2001:db8:bad:{number}::/64")),
    };
    let attacker = &lab.attacker().namespace;
    if family == Family::V6 {
        let by = Place::Attacker.addr(family);
        lab.router().ip_batch(&[format!("route add {subject} via {by}")]).unwrap();
    }
    let bits = if family == Family::V4 { 24 } else { 64 };
    attacker.ip_batch(&[format!("addr add {addr}/{bits} dev eth0")]).unwrap();
    (addr.parse().unwrap(), subject)
}

fn wait_silenced(node: &Node<'_>, subject: &str) -> Ban {
    wait_until("the source is silenced", SOON, || node.ban_of(subject)).unwrap()
}

#[test]
fn every_kind_of_stealthy_scan_gets_two_answers_and_then_silence() {
    let Some(_turn) = turn("every_kind_of_stealthy_scan") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let mut node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    node.start().unwrap();
    for family in Family::BOTH {
        for (number, kind) in (1..).zip(KINDS) {
            let (source, subject) = another(&lab, family, number);
            let scan = scan_from(lab.attacker(), source, kind, Place::Node(1).addr(family), "1000-1049").unwrap();
            assert_eq!((scan.count("closed"), scan.count("open|filtered")), (2, 48), "{family:?} {kind}: {:?}", scan.states);
            let ban = wait_silenced(&node, &subject);
            assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("spoofable", "dark"), "{family:?} {kind}: {ban:?}");
        }
        let served = lab.attacker().namespace.inside(|| fetch(at(family, WEB_PORT), SOON));
        served.unwrap();
    }
    assert_eq!(node.bans().unwrap().len(), 2 * KINDS.len(), "each source for itself");
}

#[test]
fn a_port_now_and_then_is_a_scan_in_a_days_window_over_restarts_and_without_a_daemon() {
    let Some(_turn) = turn("a_port_now_and_then_is_a_scan") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let node = |window: &str| {
        let config = NodeConfig::alone(Place::Node(1)).with("scan", format!("window = \"{window}\""));
        let mut node = lab.node(config).unwrap();
        node.start().unwrap();
        node
    };
    let probe = |port: u16| Family::BOTH.map(|family| connect(lab.attacker(), at(family, port)));
    let mut hasty = node(SECOND);
    for port in [1_001, 1_002, 1_003] {
        assert_eq!(probe(port), [Err(ErrorKind::ConnectionRefused); 2], "{port}: the one before has left the window");
        thread::sleep(LONGER);
    }
    assert_eq!(hasty.bans().unwrap(), []);
    hasty.kill();
    let mut patient = node("24h");
    assert_eq!(probe(1_004), [Err(ErrorKind::ConnectionRefused); 2], "with the port before it that is two");
    thread::sleep(LONGER);
    patient.kill();
    patient.start().unwrap();
    patient.kill();
    for port in [1_005, 1_006] {
        assert_eq!(probe(port), [Err(ErrorKind::TimedOut); 2], "{port}: nobody is there, and it gets no answer");
    }
    for family in Family::BOTH {
        let served = lab.attacker().namespace.inside(|| fetch(at(family, WEB_PORT), SOON));
        served.unwrap();
    }
    patient.start().unwrap();
    for family in Family::BOTH {
        let ban = wait_silenced(&patient, &Place::Attacker.subject(family));
        assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("spoofable", "dark"), "{family:?}: {ban:?}");
        let source = Some(Place::Attacker.addr(family));
        let ports = wait_until("the scan is told", SOON, || {
            Ok(patient.events("scan")?.into_iter().find(|scan| scan.source == source).map(|scan| scan.fields["ports"].clone()))
        });
        assert_eq!(ports.unwrap(), "1003,1004,1005", "{family:?}");
    }
}

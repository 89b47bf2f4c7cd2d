//! Dark ports: every one a trap, or every one silent, with the real binary and real tools.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Ban, Family, Host, Lab, Node, NodeConfig, Place, Service, WEB_PORT, curl, fetch, scan_connect, wait_until};
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

const SOON: Duration = Duration::from_secs(10);
const DROPPED_AFTER: Duration = Duration::from_millis(700);
/// Serves nothing.
const DARK_PORT: u16 = 9_999;
/// The web service's, the API's and the traps' ports are elsewhere.
const SWEEP: &str = "10000-12099";
const SWEPT: u32 = 2_100;

fn node<'lab>(lab: &'lab Lab, mode: &str, dark: &str) -> Node<'lab> {
    let config = NodeConfig::alone(Place::Node(1))
        .with("node", format!("mode = \"{mode}\""))
        .with("traps", format!("dark = \"{dark}\""))
        .with("traps", "except = [25, \"6000-6063\"]");
    let mut node = lab.node(config).unwrap();
    node.start().unwrap();
    node
}

fn at(family: Family, port: u16) -> SocketAddr {
    Place::Node(1).at(family, port)
}

/// What becomes of a connection: nothing is said over it.
fn connect(host: &Host, at: SocketAddr) -> Result<(), ErrorKind> {
    let connected = || Ok(TcpStream::connect_timeout(&at, DROPPED_AFTER).map(drop).map_err(|error| error.kind()));
    host.namespace.inside(connected).unwrap()
}

fn is_served(host: &Host, at: SocketAddr) -> bool {
    host.namespace.inside(|| fetch(at, DROPPED_AFTER)).is_ok()
}

fn wait_banned(node: &Node<'_>, subject: &str) -> Ban {
    let full = |ban: &Ban| ban.scope == "all" && ban.enforced;
    wait_until(&format!("{subject} is banned"), SOON, || Ok(node.ban_of(subject)?.filter(full))).unwrap()
}

fn free(node: &Node<'_>, subject: &str) {
    node.client(&["unban", subject]).unwrap().checked().unwrap();
    wait_until(&format!("{subject} is free"), SOON, || Ok(node.ban_of(subject)?.is_none().then_some(()))).unwrap();
}

#[test]
fn a_dark_port_is_played_an_honest_mistake_is_forgiven_and_scans_and_attacks_are_banned() {
    let Some(_turn) = turn("a_dark_port_is_played") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let node = node(&lab, "enforce", "trap");
    for family in Family::BOTH {
        let page = curl(lab.honest(), at(family, DARK_PORT), "/wrong/port", SOON).unwrap();
        assert!(page.stdout.contains("404 Not Found"), "{family:?}: {page:?}");
        assert!(is_served(lab.honest(), at(family, WEB_PORT)), "{family:?}");
        let refused = connect(lab.honest(), at(family, 6_000));
        assert_eq!(refused, Err(ErrorKind::ConnectionRefused), "{family:?}: excepted");

        let subject = Place::Attacker.subject(family);
        let scan = scan_connect(lab.attacker(), Place::Node(1).addr(family), SWEEP).unwrap();
        assert_eq!((scan.count("open"), scan.count("filtered")), (3, SWEPT - 3), "{family:?}: as many as prove a scan");
        let ban = wait_banned(&node, &subject);
        assert_eq!((ban.grade.as_str(), ban.reasons.as_slice()), ("handshake", ["scan".to_owned()].as_slice()), "{family:?}");
        assert!(!is_served(lab.attacker(), at(family, WEB_PORT)), "{family:?}: all its packets are dropped");
        free(&node, &subject);

        curl(lab.attacker(), at(family, 31_337), "/shell?cmd=cat+/etc/passwd", DROPPED_AFTER).unwrap();
        let ban = wait_banned(&node, &subject);
        assert!(ban.grade == "hostile" && ban.reasons.contains(&"trap".to_owned()), "{family:?}: {ban:?}");
        assert_eq!(node.ban_of(&Place::Honest.subject(family)).unwrap(), None, "{family:?}: one wrong port is no scan");
    }
    wait_until("both visits are remembered", SOON, || {
        let visits = node.events("visit")?;
        let told = |source: Place, port: u16, fact: &str| {
            let source = source.addr(Family::V6);
            let mut own = visits.iter().filter(|visit| visit.source == Some(source) && visit.port == Some(port));
            own.any(|visit| visit.trap.as_deref() == Some("dark") && visit.fields.values().any(|value| value == fact))
        };
        let both = told(Place::Honest, DARK_PORT, "/wrong/port") && told(Place::Attacker, 31_337, "/shell?cmd=cat+/etc/passwd");
        Ok(both.then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", node.events("visit")));
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    let dark = status["traps"].as_array().unwrap().iter().find(|trap| trap["name"] == "dark").unwrap();
    assert_eq!((&dark["service"], &dark["listen"][0]), (&"any".into(), &"every dark TCP port".into()));
    assert!(dark["sessions"].as_u64() >= Some(10) && status["kernel"]["steered"].as_u64() >= Some(10), "{status}");
}

#[test]
fn while_only_watched_a_sweep_finds_every_port_open() {
    let Some(_turn) = turn("while_only_watched_a_sweep_finds_every_port_open") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let node = node(&lab, "observe", "trap");
    let family = Family::V4;
    let scan = scan_connect(lab.attacker(), Place::Node(1).addr(family), &format!("25,6000,{WEB_PORT},{SWEEP}")).unwrap();
    assert_eq!((scan.count("open"), scan.count("closed")), (SWEPT + 1, 2), "{:?}", scan.states);
    let ban = wait_until("the scan is proven", SOON, || {
        Ok(node.ban_of(&Place::Attacker.subject(family))?.filter(|ban| ban.grade == "handshake"))
    });
    assert!(!ban.unwrap().enforced);
    assert!(is_served(lab.attacker(), at(family, WEB_PORT)));
}

#[test]
fn a_killed_daemon_leaves_dark_ports_closed_and_the_next_one_makes_them_traps_again() {
    let Some(_turn) = turn("a_killed_daemon_leaves_dark_ports_closed") else { return };
    let lab = Lab::up().unwrap();
    let host = lab.host(Place::Node(1));
    let _web = Service::start(host, WEB_PORT).unwrap();
    let mut node = node(&lab, "enforce", "trap");
    for round in 0..2 {
        for family in Family::BOTH {
            let page = curl(lab.honest(), at(family, DARK_PORT), "/", SOON).unwrap();
            assert!(page.stdout.contains("<html"), "{round} {family:?}: {page:?}");
        }
        node.kill();
        for family in Family::BOTH {
            assert_eq!(connect(lab.honest(), at(family, DARK_PORT)), Err(ErrorKind::ConnectionRefused), "{round} {family:?}");
            assert!(is_served(lab.honest(), at(family, WEB_PORT)), "{round} {family:?}");
        }
        node.start().unwrap();
    }
    let later = Service::start(host, DARK_PORT).unwrap();
    for family in Family::BOTH {
        assert!(is_served(lab.honest(), at(family, DARK_PORT)), "{family:?}: a later service is found at once");
    }
    drop(later);
    thread::sleep(Duration::from_millis(50));
    assert!(curl(lab.honest(), at(Family::V4, DARK_PORT), "/", SOON).unwrap().stdout.contains("<html"), "a trap again");
    assert_eq!(node.bans().unwrap(), []);
}

#[test]
fn silent_dark_ports_answer_nothing_and_served_ones_as_always() {
    let Some(_turn) = turn("silent_dark_ports_answer_nothing") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let _node = node(&lab, "enforce", "silent");
    for family in Family::BOTH {
        assert_eq!(connect(lab.honest(), at(family, DARK_PORT)), Err(ErrorKind::TimedOut), "{family:?}");
        assert_eq!(connect(lab.honest(), at(family, 25)), Err(ErrorKind::ConnectionRefused), "{family:?}: excepted");
        assert!(is_served(lab.honest(), at(family, WEB_PORT)), "{family:?}");
    }
    let scan = scan_connect(lab.attacker(), Place::Node(1).addr(Family::V4), &format!("{WEB_PORT},{SWEEP}")).unwrap();
    assert_eq!((scan.open.as_slice(), scan.count("filtered")), ([WEB_PORT].as_slice(), SWEPT), "{:?}", scan.states);
}

//! Traps: every real tool that finishes a handshake earns a full ban on every node, over IPv4 and IPv6.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{
    Event, FTP_PORT, Family, HTTP_PORT, Honest, Host, Lab, Place, SCRIPT_PORT, SSH_PORT, Trio, WEB_PORT, curl, fetch, ftp_login,
    scan_connect, ssh, wait_until,
};
use std::{collections::BTreeMap, time::Duration};

const SOON: Duration = Duration::from_secs(10);
const DROPPED_AFTER: Duration = Duration::from_millis(700);

/// A stranger's tool, and what the traps must have understood of it.
struct Visitor {
    name: &'static str,
    touch: fn(&Host, Family),
    trap: &'static str,
    grades: &'static [&'static str],
    /// The value of some named fact, if the tool said something worth remembering.
    fact: Option<&'static str>,
}

const VISITORS: &[Visitor] = &[
    Visitor { name: "nmap -sT", touch: connect_scan, trap: "script", grades: &["handshake", "payload"], fact: None },
    Visitor { name: "curl", touch: open_page, trap: "http", grades: &["payload", "hostile"], fact: Some("/admin?id=1") },
    Visitor { name: "lftp", touch: log_in, trap: "ftp", grades: &["hostile"], fact: Some("s3cret") },
    Visitor { name: "ssh", touch: shell, trap: "ssh", grades: &["payload", "hostile"], fact: Some("SSH-2.0-OpenSSH") },
];

fn connect_scan(attacker: &Host, family: Family) {
    scan_connect(attacker, Place::Node(1).addr(family), &SCRIPT_PORT.to_string()).unwrap();
}

fn open_page(attacker: &Host, family: Family) {
    curl(attacker, Place::Node(1).at(family, HTTP_PORT), "/admin?id=1", DROPPED_AFTER).unwrap();
}

fn log_in(attacker: &Host, family: Family) {
    ftp_login(attacker, Place::Node(1).at(family, FTP_PORT), "root", "s3cret").unwrap();
}

fn shell(attacker: &Host, family: Family) {
    ssh(attacker, Place::Node(1).at(family, SSH_PORT)).unwrap();
}

fn facts(events: &[Event]) -> Vec<BTreeMap<String, String>> {
    events.iter().map(|event| event.fields.clone()).collect()
}

/// A visit as the node remembers it: the right trap, and the fact among the fields of some report.
fn is_remembered(events: &[Event], visitor: &Visitor, family: Family) -> bool {
    let source = Place::Attacker.addr(family);
    let mut own = events.iter().filter(|event| event.source == Some(source) && event.trap.as_deref() == Some(visitor.trap));
    match visitor.fact {
        None => own.next().is_some(),
        Some(fact) => own.any(|event| event.fields.values().any(|value| value.contains(fact))),
    }
}

#[test]
fn every_tool_that_finishes_a_handshake_is_banned_everywhere_and_no_honest_request_fails() {
    let Some(_turn) = turn("every_tool_that_finishes_a_handshake") else { return };
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, |config| config).unwrap();
    let honest = Honest::start(lab.honest(), Trio::services()).unwrap();
    for visitor in VISITORS {
        for family in Family::BOTH {
            let case = format!("{} over {family:?}", visitor.name);
            let subject = Place::Attacker.subject(family);
            (visitor.touch)(lab.attacker(), family);
            let bans = trio.wait_banned(&subject).unwrap_or_else(|error| panic!("{case}: {error:#}"));
            for ban in &bans {
                assert!(visitor.grades.contains(&ban.grade.as_str()), "{case}: {ban:?}");
                assert!(ban.origins.contains(&"node1".to_owned()), "{case}: {ban:?}");
            }
            assert!(bans[0].reasons.contains(&"trap".to_owned()), "{case}: {:?}", bans[0]);
            wait_until(&format!("{case} is remembered"), SOON, || {
                Ok(is_remembered(&trio.node(1).events("visit")?, visitor, family).then_some(()))
            })
            .unwrap_or_else(|error| panic!("{error:#}: {:?}", facts(&trio.node(1).events("visit").unwrap())));
            nobody_lets_it_in(&lab, &trio, family, &case);
            trio.node(3).client(&["unban", &subject]).unwrap().checked().unwrap();
            trio.wait_free(&subject).unwrap_or_else(|error| panic!("{case}: {error:#}"));
        }
    }
    let report = honest.finish();
    assert!(report.requests.len() > 50 && report.failures().is_empty(), "{:?}", report.failures());
}

/// Not even the two nodes that it never touched, and they count what they dropped.
fn nobody_lets_it_in(lab: &Lab, trio: &Trio<'_>, family: Family, case: &str) {
    for number in [1_u8, 2, 3] {
        let at = Place::Node(number).at(family, WEB_PORT);
        assert!(lab.attacker().namespace.inside(|| fetch(at, DROPPED_AFTER)).is_err(), "{case}: {at} let it in");
        let ban = trio.node(usize::from(number)).ban_of(&Place::Attacker.subject(family)).unwrap().expect("still banned");
        assert!(ban.drops > 0, "{case}: node{number} counts no drop");
    }
}

#[test]
fn why_prints_the_chain_on_a_node_that_never_saw_the_stranger() {
    let Some(_turn) = turn("why_prints_the_chain") else { return };
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, |config| config).unwrap();
    open_page(lab.attacker(), Family::V4);
    trio.wait_banned(&Place::Attacker.subject(Family::V4)).unwrap();
    let addr = Place::Attacker.addr(Family::V4).to_string();
    let chain: serde_json::Value = trio.node(3).ask(&["why", &addr]).unwrap();
    let words = chain.to_string();
    for link in ["node1", "payload", "signature", "203.0.113.66/32"] {
        assert!(words.contains(link), "{link} is missing in {words}");
    }
    let text = trio.node(3).client(&["why", &addr]).unwrap().checked().unwrap().stdout;
    assert!(text.contains("node1"), "{text}");
    let honest = Place::Honest.addr(Family::V4).to_string();
    let not = trio.node(3).client(&["why", &honest]).unwrap().checked().unwrap().stdout;
    assert!(not.contains("not banned"), "{not}");
    let exported = trio.node(1).client(&["export", "--format", "jsonl"]).unwrap().checked().unwrap().stdout;
    assert!(exported.lines().any(|line| line.contains("\"visit\"") && line.contains("203.0.113.66")), "{exported}");
}

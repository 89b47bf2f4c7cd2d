//! Traps: every real tool that finishes a handshake earns a full ban on every node, over IPv4 and IPv6.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{
    Event, FTP_PORT, Family, HTTP_PORT, Honest, Host, Lab, Place, SCRIPT_PORT, SSH_PORT, Trio, WEB_PORT, curl, fetch, ftp_login,
    scan_connect, ssh, ssh_login, wait_until,
};
use std::{collections::BTreeMap, thread, time::Duration};

const SOON: Duration = Duration::from_secs(10);
const DROPPED_AFTER: Duration = Duration::from_millis(700);

/// How long a visitor's kernel is given to repeat what was dropped; by then it has tried several times.
const LINGER_TIME: Duration = Duration::from_secs(3);

/// A stranger's tool, and what the traps must have understood of it.
struct Visitor {
    name: &'static str,
    touch: fn(&Host, Family),
    trap: &'static str,
    grades: &'static [&'static str],
    /// The value of some named fact, if the tool said something worth remembering.
    fact: Option<&'static str>,
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

/// One visitor, both families, a fresh lab.
fn is_banned_everywhere(visitor: &Visitor) {
    let Some(_turn) = turn(visitor.name) else { return };
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, |config| config).unwrap();
    let honest = Honest::start(lab.honest(), Trio::services()).unwrap();
    // Both at once: each family is a source of its own, and a tool that gets no answer any more takes seconds to see it.
    thread::scope(|scope| {
        for family in Family::BOTH {
            let (lab, trio) = (&lab, &trio);
            scope.spawn(move || {
                (visitor.touch)(lab.attacker(), family);
                is_banned_and_remembered(lab, trio, visitor, family);
            });
        }
    });
    stays_free(&trio, visitor);
    let report = honest.finish();
    assert!(report.requests.len() > 50 && report.failures().is_empty(), "{:?}", report.failures());
}

fn is_banned_and_remembered(lab: &Lab, trio: &Trio<'_>, visitor: &Visitor, family: Family) {
    let case = format!("{} over {family:?}", visitor.name);
    let bans = trio.wait_banned(&Place::Attacker.subject(family)).unwrap_or_else(|error| panic!("{case}: {error:#}"));
    for ban in &bans {
        assert!(visitor.grades.contains(&ban.grade.as_str()), "{case}: {ban:?}");
        assert_eq!(ban.origins, ["node1"], "{case}: {ban:?}");
    }
    assert_eq!(bans[0].reasons, ["trap"], "{case}");
    assert!(bans[1].reasons.contains(&"mesh".to_owned()), "{case}: {:?}", bans[1]);
    wait_until(&format!("{case} is remembered"), SOON, || {
        Ok(is_remembered(&trio.node(1).events("visit")?, visitor, family).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", facts(&trio.node(1).events("visit").unwrap())));
    nobody_lets_it_in(lab, trio, family, &case);
}

#[test]
fn a_connect_scan_of_a_trap_is_banned_everywhere() {
    is_banned_everywhere(&Visitor {
        name: "nmap -sT",
        touch: |attacker, family| drop(scan_connect(attacker, Place::Node(1).addr(family), &SCRIPT_PORT.to_string()).unwrap()),
        trap: "script",
        grades: &["handshake"],
        fact: None,
    });
}

#[test]
fn curl_on_the_http_trap_is_banned_everywhere() {
    is_banned_everywhere(&Visitor {
        name: "curl",
        touch: |attacker, family| {
            drop(curl(attacker, Place::Node(1).at(family, HTTP_PORT), "/admin?id=1", DROPPED_AFTER).unwrap());
        },
        trap: "http",
        grades: &["payload", "hostile"],
        fact: Some("/admin?id=1"),
    });
}

#[test]
fn a_password_on_the_ftp_trap_is_hostile_and_banned_everywhere() {
    is_banned_everywhere(&Visitor {
        name: "lftp",
        touch: |attacker, family| drop(ftp_login(attacker, Place::Node(1).at(family, FTP_PORT), "root", "s3cret").unwrap()),
        trap: "ftp",
        grades: &["hostile"],
        fact: Some("s3cret"),
    });
}

#[test]
fn ssh_on_the_ssh_trap_is_banned_everywhere() {
    is_banned_everywhere(&Visitor {
        name: "ssh",
        touch: |attacker, family| drop(ssh(attacker, Place::Node(1).at(family, SSH_PORT)).unwrap()),
        trap: "ssh",
        grades: &["payload", "hostile"],
        fact: Some("SSH-2.0-OpenSSH"),
    });
}

/// It is told with its first password, before that is answered, and not before.
#[test]
fn a_password_on_the_ssh_trap_is_hostile_and_banned_everywhere() {
    is_banned_everywhere(&Visitor {
        name: "sshpass",
        touch: |attacker, family| drop(ssh_login(attacker, Place::Node(1).at(family, SSH_PORT), "s3cret").unwrap()),
        trap: "ssh",
        grades: &["hostile"],
        fact: Some("s3cret"),
    });
}

/// An unban is not undone by what the tool, or its kernel, had still to say to the trap.
fn stays_free(trio: &Trio<'_>, visitor: &Visitor) {
    for subject in Family::BOTH.map(|family| Place::Attacker.subject(family)) {
        trio.node(3).client(&["unban", &subject]).unwrap().checked().unwrap();
        trio.wait_free(&subject).unwrap_or_else(|error| panic!("{}: {error:#}", visitor.name));
    }
    thread::sleep(LINGER_TIME);
    for node in trio.nodes() {
        assert_eq!(node.bans().unwrap(), [], "{} after {}", node.config.name(), visitor.name);
    }
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
    curl(lab.attacker(), Place::Node(1).at(Family::V4, HTTP_PORT), "/", DROPPED_AFTER).unwrap();
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
    wait_until("the visit is exported", SOON, || {
        let exported = trio.node(1).client(&["export", "--format", "jsonl"])?.checked()?.stdout;
        Ok(exported.lines().any(|line| line.contains("\"visit\"") && line.contains("203.0.113.66")).then_some(()))
    })
    .unwrap();
}

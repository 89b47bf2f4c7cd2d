//! Datagram traps of the real daemon, at their usual ports: real clients, a scanner, and a flood with a forged source.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Event, Family, Honest, Lab, Node, NodeConfig, Outcome, Place, Service, WEB_PORT, wait_until};
use std::{fs, net::IpAddr, process::Command, time::Duration};

const SOON: Duration = Duration::from_secs(20);
/// A scanner waits for answers that do not come.
const SCAN: Duration = Duration::from_secs(150);
const TRAPS: [(&str, u16); 6] = [("dns", 53), ("ntp", 123), ("snmp", 161), ("tftp", 69), ("sip", 5_060), ("ssdp", 1_900)];
/// Forged datagrams, a few thousand a second.
const FORGED: u64 = 20_000;

/// Lines of one section that hold all traps: each begins another one.
fn traps() -> String {
    let one = |(name, port): &(&str, u16)| {
        format!("name = \"{name}\"\nservice = \"{name}\"\nlisten = [\"0.0.0.0:{port}\", \"[::]:{port}\"]\n")
    };
    TRAPS.iter().map(one).collect::<Vec<_>>().join("\n[[trap]]\n")
}

fn up(lab: &Lab) -> Node<'_> {
    let mut node = lab.node(NodeConfig::alone(Place::Node(1)).with("[trap]", traps())).unwrap();
    node.start().unwrap();
    node
}

fn here(family: Family) -> IpAddr {
    Place::Node(1).addr(family)
}

fn said(lab: &Lab, program: &str, arguments: &[&str], time_max: Duration) -> String {
    let Outcome { stdout, stderr, .. } = lab.attacker().run(Command::new(program).args(arguments), time_max).unwrap();
    stdout + &stderr
}

fn told(node: &Node<'_>, trap: &str, is: impl Fn(&Event) -> bool) -> Event {
    let own = |visit: &Event| visit.trap.as_deref() == Some(trap) && is(visit);
    wait_until("the visit is told", SOON, || Ok(node.events("visit")?.into_iter().find(own)))
        .unwrap_or_else(|error| panic!("{trap}: {error:#}: {:?}", node.events("visit")))
}

/// What a trap counted of datagrams.
fn datagrams(node: &Node<'_>, trap: &str, what: &str) -> u64 {
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    let own = |one: &&serde_json::Value| one["name"] == trap;
    let found =
        status["traps"].as_array().and_then(|traps| traps.iter().find(own)).and_then(|one| one["datagrams"][what].as_u64());
    found.unwrap_or_else(|| panic!("{trap} {what}: {status}"))
}

#[test]
fn real_clients_are_answered_and_only_who_brings_a_nonce_back_is_banned_for_all() {
    let Some(_turn) = turn("real_clients_are_answered") else { return };
    let lab = Lab::up().unwrap();
    let node = up(&lab);
    for family in Family::BOTH {
        let server = here(family).to_string();
        let refused = said(&lab, "dig", &["+tries=1", "+time=3", &format!("@{server}"), "example.com"], SOON);
        assert!(refused.contains("status: REFUSED"), "{refused}");
        let time = said(&lab, "ntpdate", &["-q", &server], SOON);
        assert!(time.contains(&server), "{time}");
        let subject = Place::Attacker.subject(family);
        let ban = wait_until("it is silenced", SOON, || node.ban_of(&subject)).unwrap();
        assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("spoofable", "dark"));
    }
    told(&node, "dns", |visit| visit.fields.get("qname").is_some_and(|name| name == "example.com"));
    told(&node, "ntp", |visit| visit.fields.get("request").is_some_and(|name| name == "client"));
    let target = format!("sip:1000@{}", here(Family::V4));
    said(&lab, "sipsak", &["-U", "-C", "sip:a@192.0.2.7:5060", "-u", "1000", "-a", "s3cret", "-s", &target], SOON);
    let tried = told(&node, "sip", |visit| visit.fields.contains_key("digest"));
    assert_eq!((tried.fields["username"].as_str(), tried.grade.as_deref()), ("1000", Some("hostile")));
    let ban = node.ban_of(&Place::Attacker.subject(Family::V4)).unwrap().unwrap();
    assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("hostile", "all"));
    let other = node.ban_of(&Place::Attacker.subject(Family::V6)).unwrap().unwrap();
    assert_eq!(other.scope, "dark", "it never brought a nonce back");
}

#[test]
fn a_scanner_takes_them_for_what_they_play() {
    let Some(_turn) = turn("a_scanner_takes_them_for_what_they_play") else { return };
    let lab = Lab::up().unwrap();
    let node = up(&lab);
    let ports = "53,123,161,5060";
    let server = here(Family::V4).to_string();
    let scanned = said(&lab, "nmap", &["-sU", "-sV", "-Pn", "-n", "--max-retries", "1", "-p", ports, &server], SCAN);
    eprintln!("{scanned}");
    for product in ["53/udp   open", "123/udp  open  ntp", "161/udp  open", "5060/udp open  sip", "Asterisk PBX 22.7.0"] {
        assert!(scanned.contains(product), "{product}: {scanned}");
    }
    assert!(!scanned.to_lowercase().contains("honey"), "{scanned}");
    for (trap, _) in TRAPS {
        assert_eq!(datagrams(&node, trap, "answers_refused"), 0, "{trap}");
    }
}

#[test]
fn a_flood_with_a_forged_source_floods_nobody() {
    let Some(_turn) = turn("a_flood_with_a_forged_source_floods_nobody") else { return };
    let lab = Lab::up().unwrap();
    let host = lab.host(Place::Node(1));
    let _web = Service::start(host, WEB_PORT).unwrap();
    let node = up(&lab);
    let honest = Honest::start(lab.honest(), vec![Place::Node(1).at(Family::V4, WEB_PORT)]).unwrap();
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03isc\x03org\0\0\xff\0\x01";
    let file = std::env::temp_dir().join(format!("honeymesh-query-{}", std::process::id()));
    fs::write(&file, query).unwrap();
    let victim = Place::Honest.addr(Family::V4).to_string();
    let strangers = |lab: &Lab| {
        let table = lab.honest().namespace.inside(|| Ok(fs::read_to_string("/proc/thread-self/net/snmp")?)).unwrap();
        let lines: Vec<&str> = table.lines().filter(|line| line.starts_with("Udp:")).collect();
        let at = lines[0].split(' ').position(|name| name == "NoPorts").unwrap();
        lines[1].split(' ').nth(at).unwrap().parse::<u64>().unwrap()
    };
    let before = strangers(&lab);
    let began = std::time::Instant::now();
    let (count, length) = (FORGED.to_string(), query.len().to_string());
    let mut hping = Command::new("hping3");
    hping.args(["-q", "-n", "--udp", "-a", &victim, "-p", "53", "-i", "u100", "-c", &count, "-d", &length, "-E"]);
    hping.arg(&file).arg(here(Family::V4).to_string());
    lab.attacker().run(&mut hping, Duration::from_secs(60)).unwrap();
    fs::remove_file(&file).unwrap();
    let took = began.elapsed().as_secs();
    std::thread::sleep(Duration::from_secs(1));
    let (received, answered) = (datagrams(&node, "dns", "received"), datagrams(&node, "dns", "answered"));
    let octets = datagrams(&node, "dns", "answered_bytes");
    let reached = strangers(&lab) - before;
    eprintln!("{received} forged datagrams in {took} s, {answered} answered with {octets} octets, {reached} reached the victim");
    let answered_max = 64 + 32 * (took + 2);
    assert!(received > 2 * answered_max, "{received} came, too few to show anything in {took} s");
    assert!(answered > 0 && answered <= answered_max, "{answered} in {took} s");
    assert!(octets <= answered * query.len() as u64);
    assert!(reached > 0 && reached <= answered);
    assert_eq!(datagrams(&node, "dns", "answers_refused"), 0);
    let ban = node.ban_of(&Place::Honest.subject(Family::V4)).unwrap().unwrap();
    assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("spoofable", "dark"), "the victim is served on");
    let report = honest.finish();
    assert!(report.failures().is_empty() && report.requests.len() > 20, "{:?}", report.failures());
}

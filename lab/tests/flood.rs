//! A forged flood of connections to dark ports against the real binary: real strangers are heard, and nothing grows.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{
    Event, Family, FarEnd, Honest, Host, Lab, Node, NodeConfig, Place, Service, Task, WEB_PORT, curl, wait_until,
};
use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

const SOON: Duration = Duration::from_secs(20);
/// A flood takes a core; whatever must happen during it may wait for that core.
const IN_A_FLOOD: Duration = Duration::from_secs(60);
/// From how many SYNs a second on the program answers by itself.
const SYNS_PER_SECOND: usize = 50;
/// What may be half open at most: what comes until a CPU notices the flood, which it does anew after a pause of the sender.
const SOCKETS_MAX: usize = 20 * SYNS_PER_SECOND;
/// Forged handshakes that are begun while everything else happens.
const FORGED_MIN: u64 = 60_000;
/// What a daemon may grow by while the flood runs: its books are bounded.
const GROWTH_MAX_KIB: u32 = 32 * 1_024;
/// Serves nothing.
const DARK_PORT: u16 = 9_999;
const ATTACK: &str = "/shell?cmd=cat+/etc/passwd";
/// `GET /shell?cmd=cat+/etc/passwd HTTP/1.1`, as far as whole groups of three octets go.
const ATTACK_BASE64: &str = "R0VUIC9zaGVsbD9jbWQ9Y2F0Ky9ldGMvcGFzc3dkIEhUVFAvMS4x";

fn at(family: Family, port: u16) -> SocketAddr {
    Place::Node(1).at(family, port)
}

/// A program on the first CPU that this test may use. Each CPU tells a flood for itself, and a packet stays on the CPU
/// that it was sent on.
fn on_one_cpu(program: &str) -> Command {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let first: String = allowed.chars().take_while(char::is_ascii_digit).collect();
    let mut command = Command::new("taskset");
    command.args(["-c", &first, program]);
    command
}

/// SYNs from everywhere to one dark port after the other; they end when the test does, or by themselves.
fn flood(lab: &Lab) -> Task {
    let mut hping = on_one_cpu("hping3");
    hping.args(["-q", "-n", "-S", "--rand-source", "-i", "u50", "-c", "3000000", "-p", "++20000"]);
    hping.arg(Place::Node(1).addr(Family::V4).to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    lab.attacker().spawn(&mut hping).unwrap()
}

/// What becomes of an attack on a dark port: how curl ends, without having heard anything.
fn attacked(host: &Host, at: SocketAddr) -> Option<i32> {
    let mut curl = on_one_cpu("curl");
    curl.args(["-gsS", "--noproxy", "*", "--max-time", "20", &format!("http://{at}{ATTACK}")]);
    let heard = host.run(&mut curl, IN_A_FLOOD).unwrap();
    assert!(heard.stdout.is_empty(), "{heard:?}");
    heard.code()
}

/// An attack in the flood: its words go out, and the answer to them is a reset.
fn attack(host: &Host, at: SocketAddr) {
    assert_eq!(attacked(host, at), Some(56), "{at}: it spoke and was reset");
}

/// The TCP sockets of a host, half open and closed ones included, but for those of its web service, which is busy.
fn sockets(host: &Host) -> usize {
    let web = format!(":{WEB_PORT:04X}");
    let is_other = |line: &&str| line.split_whitespace().nth(1).is_some_and(|local| !local.ends_with(&web));
    let count = |name: &str| {
        let table = fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap();
        table.lines().skip(1).filter(is_other).count()
    };
    host.namespace.inside(|| Ok(count("tcp") + count("tcp6"))).unwrap()
}

fn counter(node: &Node<'_>, name: &str) -> u64 {
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    status["kernel"][name].as_u64().unwrap_or_else(|| panic!("{name}: {status}"))
}

/// What a real stranger's visit to `port` was told as.
fn visit(node: &Node<'_>, source: Place, family: Family, port: u16, path: &str) -> Event {
    let own = |visit: &Event| {
        let words = visit.payload_base64.as_deref().unwrap_or_default();
        visit.source == Some(source.addr(family)) && visit.port == Some(port) && words.starts_with(path)
    };
    wait_until("the visit is told", IN_A_FLOOD, || Ok(node.events("visit")?.into_iter().find(own)))
        .unwrap_or_else(|error| panic!("{error:#}: {:?}", node.events("visit")))
}

fn wait_banned(node: &Node<'_>, subject: &str) {
    wait_until("the stranger is banned", IN_A_FLOOD, || {
        Ok(node.ban_of(subject)?.filter(|ban| ban.scope == "all" && ban.enforced))
    })
    .unwrap();
}

#[test]
fn in_a_forged_flood_a_real_stranger_is_heard_and_banned_and_nothing_grows() {
    let Some(_turn) = turn("in_a_forged_flood_a_real_stranger_is_heard") else { return };
    let lab = Lab::up().unwrap();
    let host = lab.host(Place::Node(1));
    let _web = Service::start(host, WEB_PORT).unwrap();
    let _far = FarEnd::up(&lab, Place::Node(1)).unwrap();
    let config = NodeConfig::alone(Place::Node(1)).with("traps", "dark = \"trap\"");
    let mut node = lab.node(config.with("traps", format!("flood_syns_per_second = {SYNS_PER_SECOND}"))).unwrap();
    node.start().unwrap();
    let (sockets_before, kib_before) = (sockets(host), node.resident_kib().unwrap());
    let is_bounded = || {
        let (sockets, kib) = (sockets(host) - sockets_before, node.resident_kib().unwrap());
        assert!(sockets <= SOCKETS_MAX, "{sockets} more sockets");
        assert!(kib <= kib_before + GROWTH_MAX_KIB, "{kib_before} KiB before, {kib} KiB in the flood");
    };
    let honest = Honest::start(lab.honest(), Family::BOTH.map(|family| at(family, WEB_PORT)).to_vec()).unwrap();
    let mut flood = flood(&lab);
    let answered = |least: u64| Ok((counter(&node, "answered") >= least).then_some(()));
    wait_until("the program answers the flood by itself", IN_A_FLOOD, || answered(5_000)).unwrap();

    for (port, family) in (31_337..).zip(Family::BOTH) {
        is_bounded();
        let subject = Place::Attacker.subject(family);
        attack(lab.attacker(), at(family, port));
        let told = visit(&node, Place::Attacker, family, port, ATTACK_BASE64);
        assert_eq!((told.trap.as_deref(), told.fields["service"].as_str()), (Some("dark"), "cookie"), "{told:?}");
        wait_banned(&node, &subject);
        assert_eq!(node.ban_of(&Place::Honest.subject(family)).unwrap(), None, "{family:?}");
    }
    wait_until("the flood was one", IN_A_FLOOD, || answered(FORGED_MIN)).unwrap();
    is_bounded();
    assert_eq!(flood.ended(), None, "all of it was in the flood");
    drop(flood);
    let report = honest.finish();
    assert!(report.failures().is_empty() && report.requests.len() > 20, "{:?}", report.failures());
    let (proven, heard) = (counter(&node, "cookies_proven"), counter(&node, "cookie_payloads"));
    assert!((2..10).contains(&proven) && heard == 2, "{proven} handshakes were finished, {heard} spoke");
    assert_eq!(node.bans().unwrap().len(), 2, "nobody whose address was forged is banned");

    for family in Family::BOTH {
        let page = wait_until("dark ports are traps with a voice again", SOON, || {
            let page = curl(lab.honest(), at(family, DARK_PORT), "/wrong", SOON)?;
            Ok(page.ok().then_some(page.stdout))
        });
        assert!(page.unwrap().contains("404 Not Found"), "{family:?}");
        let subject = Place::Attacker.subject(family);
        node.client(&["unban", &subject]).unwrap().checked().unwrap();
        curl(lab.attacker(), at(family, 8_080), "/", Duration::from_secs(2)).unwrap();
        wait_banned(&node, &subject);
    }
    is_bounded();
    eprintln!(
        "flood: {} answered, {} dropped; {} more sockets, {kib_before} KiB before, {} KiB after",
        counter(&node, "answered"),
        counter(&node, "dropped_flood"),
        sockets(host) - sockets_before,
        node.resident_kib().unwrap()
    );
}

#[test]
fn when_the_daemon_is_killed_in_a_forged_flood_dark_ports_are_closed_until_the_next_one_hears() {
    let Some(_turn) = turn("when_the_daemon_is_killed_in_a_forged_flood") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let _far = FarEnd::up(&lab, Place::Node(1)).unwrap();
    let config = NodeConfig::alone(Place::Node(1)).with("traps", "dark = \"trap\"");
    let mut node = lab.node(config.with("traps", format!("flood_syns_per_second = {SYNS_PER_SECOND}"))).unwrap();
    node.start().unwrap();
    let honest = Honest::start(lab.honest(), Family::BOTH.map(|family| at(family, WEB_PORT)).to_vec()).unwrap();
    let mut flood = flood(&lab);
    let in_flood = |node: &Node<'_>| {
        let before = counter(node, "answered");
        wait_until("the program answers the flood by itself", IN_A_FLOOD, || {
            Ok((counter(node, "answered") >= before + 2_000).then_some(()))
        })
        .unwrap();
    };
    in_flood(&node);
    node.kill();
    for (port, family) in (31_337..).zip(Family::BOTH) {
        assert_eq!(attacked(lab.attacker(), at(family, port)), Some(7), "{family:?}: refused");
    }
    node.start().unwrap();
    in_flood(&node);
    for (port, family) in (41_337..).zip(Family::BOTH) {
        attack(lab.attacker(), at(family, port));
        visit(&node, Place::Attacker, family, port, ATTACK_BASE64);
        wait_banned(&node, &Place::Attacker.subject(family));
    }
    assert_eq!(flood.ended(), None, "all of it was in the flood");
    drop(flood);
    let report = honest.finish();
    assert!(report.failures().is_empty() && report.requests.len() > 20, "{:?}", report.failures());
}

//! A machine without XDP: nf_tables drops whoever is banned, through a process that can do nothing else.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{
    Capture, Family, Lab, Node, NodeConfig, Place, Segment, Service, WEB_PORT, curl, fetch, scan_half_open, wait_until,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{fs, net::SocketAddr, time::Duration};

const SOON: Duration = Duration::from_secs(10);
const DROPPED_AFTER: Duration = Duration::from_millis(500);

fn config() -> NodeConfig {
    NodeConfig::alone(Place::Node(1)).with("xdp", "attach = \"nftables\"")
}

fn is_let_in(lab: &Lab, at: SocketAddr) -> bool {
    lab.attacker().namespace.inside(|| fetch(at, DROPPED_AFTER)).is_ok()
}

/// A line of a process' status.
fn status(pid: u32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(|value| value.trim().to_owned())
}

/// The process that writes to nf_tables for `node`.
fn writer(node: &Node<'_>) -> u32 {
    let parent = node.pid().unwrap().to_string();
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = all.filter(|pid| status(*pid, "PPid") == Some(parent.clone()));
    let mut children: Vec<(String, u32)> = children.filter_map(|pid| Some((status(pid, "Name")?, pid))).collect();
    children.sort_unstable();
    let names: Vec<&str> = children.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["honeymesh-nft", "honeymesh-trapw"], "its writer, and the warden of the traps");
    children[0].1
}

fn table(lab: &Lab) -> String {
    let mut nft = std::process::Command::new("nft");
    nft.args(["list", "tables"]);
    lab.host(Place::Node(1)).run(&mut nft, SOON).unwrap().checked().unwrap().stdout
}

#[test]
fn a_visitor_is_banned_dropped_and_let_in_again_without_xdp() {
    let Some(_turn) = turn("a_visitor_is_banned_without_xdp") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let mut node = lab.node(config()).unwrap();
    node.start().unwrap();
    assert!(node.log().contains("ready") && node.log().contains("eth0:nftables"), "{}", node.log());
    for family in Family::BOTH {
        let (at, subject) = (Place::Node(1).at(family, WEB_PORT), Place::Attacker.subject(family));
        assert!(is_let_in(&lab, at), "{family:?}: a stranger is welcome");
        curl(lab.attacker(), Place::Node(1).at(family, 8080), "/", DROPPED_AFTER).unwrap();
        wait_until("the visitor is banned", SOON, || node.ban_of(&subject)).unwrap();
        assert!(!is_let_in(&lab, at), "{family:?}: and is not any more");
        let ban = node.ban_of(&subject).unwrap().unwrap();
        assert!(ban.drops > 0 && ban.enforced, "{ban:?}");
        let honest = lab.honest().namespace.inside(|| fetch(at, SOON));
        assert!(honest.is_ok(), "{family:?}: others are not touched");
        node.client(&["unban", &subject]).unwrap().checked().unwrap();
        assert!(is_let_in(&lab, at), "{family:?}: forgiven");
    }
    let shown: serde_json::Value = node.ask(&["status"]).unwrap();
    assert_eq!(shown["interfaces"][0]["xdp_mode"], "nftables", "{shown}");
    assert!(shown["warnings"].to_string().contains("a dropped packet costs several times as much"), "{shown}");
    assert!(shown["kernel"]["dropped"].as_u64().unwrap() > 0, "{shown}");
    // The daemon has no power at all, the other process has one: CAP_NET_ADMIN.
    let powers = |pid| ["CapEff", "CapPrm", "CapBnd"].map(|set| status(pid, set).unwrap().trim_start_matches('0').to_owned());
    assert_eq!(powers(node.pid().unwrap()), ["", "", ""]);
    assert_eq!(powers(writer(&node)), ["1000", "1000", "1000"]);
    assert_eq!(status(writer(&node), "Uid"), Some("65522\t65522\t65522\t65522".into()), "it owns nothing");
    assert_eq!([status(writer(&node), "Seccomp"), status(writer(&node), "NoNewPrivs")], [Some("2".into()), Some("1".into())]);
}

#[test]
fn bans_hold_without_a_daemon_and_end_on_time() {
    let Some(_turn) = turn("bans_hold_without_a_daemon") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let mut node = lab.node(config()).unwrap();
    node.start().unwrap();
    let [at4, at6] = Family::BOTH.map(|family| Place::Node(1).at(family, WEB_PORT));
    let [subject4, subject6] = Family::BOTH.map(|family| Place::Attacker.subject(family));
    node.client(&["ban", &subject4, "--ttl", "4s"]).unwrap().checked().unwrap();
    node.client(&["ban", &subject6]).unwrap().checked().unwrap();
    node.kill();
    assert!(!is_let_in(&lab, at4) && !is_let_in(&lab, at6), "the kernel goes on dropping");
    wait_until("the ban ends", SOON, || Ok(is_let_in(&lab, at4).then_some(()))).unwrap();
    assert!(!is_let_in(&lab, at6), "the other one has not ended");
    node.start().unwrap();
    assert_eq!((node.ban_of(&subject4).unwrap(), is_let_in(&lab, at6)), (None, false));
    assert!(node.ban_of(&subject6).unwrap().unwrap().drops > 0, "its drops are adopted");
    node.client(&["mode", "observe"]).unwrap().checked().unwrap();
    assert!(is_let_in(&lab, at6), "observing");
    node.client(&["mode", "enforce"]).unwrap().checked().unwrap();
    assert!(!is_let_in(&lab, at6), "enforcing again");
    assert_eq!(node.stop().expect("it ends when asked to").code(), Some(0), "{}", node.log());
    assert!(!is_let_in(&lab, at6), "on_exit = hold");
}

#[test]
fn a_scan_is_silenced_from_its_third_port_on_and_told_and_served_ports_stay_open() {
    let Some(_turn) = turn("a_scan_is_silenced_without_xdp") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let mut node = lab.node(config()).unwrap();
    node.start().unwrap();
    for family in Family::BOTH {
        let (target, subject) = (Place::Node(1).addr(family), Place::Attacker.subject(family));
        let capture = Capture::start(lab.attacker(), lab.scratch(), "attacker").unwrap();
        let scan = scan_half_open(lab.attacker(), target, "80,1000-1299").unwrap();
        let seen = capture.finish().unwrap();
        let is_dark = |segment: &&Segment| segment.from.ip() == target && (1_000..1_300).contains(&segment.from.port());
        assert_eq!(seen.iter().filter(is_dark).count(), 2, "{family:?}: the probe that crosses the threshold gets no answer");
        assert_eq!(scan.open, [WEB_PORT], "{family:?}");
        assert!(scan.count("filtered") >= 298, "{family:?}: {scan:?}");
        let ban = wait_until("the scan is told", SOON, || node.ban_of(&subject)).unwrap();
        assert_eq!((ban.grade.as_str(), ban.scope.as_str(), &ban.reasons), ("spoofable", "dark", &vec!["scan".to_owned()]));
        wait_until("its drops are counted", SOON, || Ok(node.ban_of(&subject)?.filter(|ban| ban.drops > 100).map(drop))).unwrap();
        let told = node.events("scan").unwrap();
        let told: Vec<_> = told.iter().filter(|event| event.source == Some(Place::Attacker.addr(family))).collect();
        assert_eq!(told.len(), 1, "{family:?}: {told:?}");
        assert_eq!(told[0].fields["ports"].split(',').count(), 3, "{family:?}: {told:?}");
        assert!(is_let_in(&lab, Place::Node(1).at(family, WEB_PORT)), "{family:?}: served ports stay open");
    }
    let subject = Place::Attacker.subject(Family::V4);
    node.kill();
    let scan = scan_half_open(lab.attacker(), Place::Node(1).addr(Family::V4), "2000-2009").unwrap();
    assert_eq!(scan.count("filtered"), 10, "silence needs no daemon");
    node.start().unwrap();
    assert_eq!(node.ban_of(&subject).unwrap().unwrap().scope, "dark");
    let shown: serde_json::Value = node.ask(&["status"]).unwrap();
    assert!(shown["kernel"]["scans"].as_u64() == Some(2) && shown["kernel"]["dropped_dark"].as_u64() > Some(500), "{shown}");
}

#[test]
fn a_lockdown_rolls_back_by_itself_with_the_daemon_killed() {
    let Some(_turn) = turn("a_lockdown_rolls_back_without_xdp") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let mut node = lab.node(config()).unwrap();
    node.start().unwrap();
    let at = Family::BOTH.map(|family| Place::Node(1).at(family, WEB_PORT));
    node.client(&["mode", "lockdown", "--confirm-within", "10s"]).unwrap().checked().unwrap();
    assert!(at.iter().all(|at| !is_let_in(&lab, *at)), "strangers get nothing");
    let shown = node.client(&["status"]).unwrap().checked().unwrap().stdout;
    assert!(shown.contains("lockdown") && shown.contains("rolls back in"), "{shown}");
    node.kill();
    assert!(!is_let_in(&lab, at[0]), "whoever lives");
    let over = Duration::from_secs(30);
    wait_until("the kernel's clock ends it", over, || Ok(at.iter().all(|at| is_let_in(&lab, *at)).then_some(()))).unwrap();
    node.start().unwrap();
    node.client(&["mode", "lockdown", "--confirm-within", "1m"]).unwrap().checked().unwrap();
    node.client(&["mode", "lockdown", "--confirm"]).unwrap().checked().unwrap();
    node.kill();
    node.start().unwrap();
    assert!(!is_let_in(&lab, at[0]), "a confirmed one outlives restarts");
    node.client(&["mode", "enforce"]).unwrap().checked().unwrap();
    assert!(at.iter().all(|at| is_let_in(&lab, *at)));
}

#[test]
fn an_interface_that_comes_late_is_guarded_at_once_and_told() {
    let Some(_turn) = turn("an_interface_that_comes_late_without_xdp") else { return };
    let lab = Lab::up().unwrap();
    let host = lab.host(Place::Node(1));
    let mut node = lab.node(config()).unwrap();
    let text = fs::read_to_string(node.config_file()).unwrap();
    fs::write(node.config_file(), text.replace("[\"eth0\"]", "[\"eth0\", \"late*\"]")).unwrap();
    node.start().unwrap();
    let ip = |words: &str| {
        let mut ip = std::process::Command::new("ip");
        ip.args(words.split(' '));
        host.run(&mut ip, SOON).unwrap().checked().unwrap();
    };
    let told = |state: &str| {
        let all = node.events("audit").unwrap();
        let is_it = |event: &&honeymesh_lab::Event| event.fields.get("interface").is_some_and(|name| name.starts_with("late"));
        Ok(all.iter().filter(is_it).any(|event| event.fields["state"] == state).then_some(()))
    };
    ip("link add late0 type veth peer name far0");
    wait_until("it is told", SOON, || told("attached")).unwrap();
    let shown: serde_json::Value = node.ask(&["status"]).unwrap();
    let late = shown["interfaces"].as_array().unwrap().iter().find(|one| one["name"] == "late0").unwrap();
    assert_eq!((&late["xdp_mode"], &late["state"]), (&"nftables".into(), &"attached".into()), "{shown}");
    ip("link del late0");
    wait_until("it is told, too", SOON, || told("absent")).unwrap();
}

#[test]
fn where_xdp_is_too_old_nftables_takes_over_loudly_and_xdp_takes_it_back() {
    let Some(_turn) = turn("where_xdp_is_too_old") else { return };
    let lab = Lab::up().unwrap();
    let mut node = lab.node(NodeConfig::alone(Place::Node(1)).through(&["setarch", "--uname-2.6"])).unwrap();
    node.start().unwrap();
    assert!(node.log().contains("XDP cannot be used here (kernel 2.6."), "{}", node.log());
    let shown = node.client(&["status"]).unwrap().checked().unwrap().stdout;
    assert!(shown.contains("nftables") && shown.contains("XDP cannot be used here"), "{shown}");
    assert!(table(&lab).contains("netdev honeymesh") && table(&lab).contains("inet honeymesh"));
    assert_eq!(node.stop().expect("it ends").code(), Some(0));
    // The machine is mended: the rung above is free again.
    node.config.through = &[];
    node.start().unwrap();
    let shown: serde_json::Value = node.ask(&["status"]).unwrap();
    assert_eq!(shown["interfaces"][0]["xdp_mode"], "native", "{shown}");
    assert!(!table(&lab).contains("honeymesh"), "nothing drops twice");
}

#[test]
fn with_release_the_table_goes_and_without_its_writer_the_daemon_ends() {
    let Some(_turn) = turn("with_release_the_table_goes") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let at = Place::Node(1).at(Family::V4, WEB_PORT);
    let mut node = lab.node(config().with("xdp", "on_exit = \"release\"")).unwrap();
    node.start().unwrap();
    node.client(&["ban", &Place::Attacker.subject(Family::V4)]).unwrap().checked().unwrap();
    assert!(!is_let_in(&lab, at));
    // As systemd stops a service: everybody in it at once. Only the daemon heeds it.
    kill(Pid::from_raw(writer(&node).cast_signed()), Signal::SIGTERM).unwrap();
    node.client(&["ban", "192.0.2.7"]).unwrap().checked().unwrap();
    assert_eq!(node.stop().expect("it ends").code(), Some(0), "{}", node.log());
    assert!(is_let_in(&lab, at) && !table(&lab).contains("honeymesh"));
    node.start().unwrap();
    kill(Pid::from_raw(writer(&node).cast_signed()), Signal::SIGKILL).unwrap();
    wait_until("the daemon says why it ends", SOON, || Ok(node.log().contains("writes to nf_tables broke").then_some(())))
        .unwrap();
}

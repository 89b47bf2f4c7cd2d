//! Tables of another version of ours give way to this one's in one step, with the bans in them: no banned packet comes through meanwhile
//! and no honest one is lost. What is not ours stays.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    Room, alone,
    backend::{Kind, Stage, full, intent, nft, unhindered},
    ip,
    tool::tool,
    traffic::{SOURCES, Traffic},
    wait,
};
use honeymesh_types::Enforcement;
use honeymesh_xdp::{Error, Nft, OnExit, now, release_nft};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Packets of each source before, while and after a version gives way.
const PACKETS: u64 = 4_000;
/// A banned address that nobody sends from.
const QUIET: &str = "203.0.113.7";

fn bans() -> Vec<Enforcement> {
    intent(&[full(SOURCES[0]), full("198.51.100.0/24"), full(QUIET)])
}

/// Has the real tool make these tables.
fn make(rules: &str) {
    let mut tool = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    tool.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(tool.wait().unwrap().success(), "{rules}");
}

/// What another version might have made: the address in a set like ours, the prefix in one that this version cannot read, rules of its own.
fn others(version: u32) -> String {
    format!(
        r#"table netdev honeymesh {{
            comment "honeymesh bans, version {version}"
            set ban4_32 {{ type ipv4_addr; flags timeout; counter; elements = {{
                192.0.2.2 counter packets 1000000 bytes 1 timeout 2h expires 1h comment "scan spoofable", 198.51.100.254, 203.0.113.7 }} }}
            set wide {{ type ipv4_addr; flags interval; elements = {{ 198.51.100.0/24 }} }}
            chain guard {{ type filter hook ingress device "hm0" priority -500; ip saddr @ban4_32 drop; ip saddr @wide drop; }}
        }}
        table inet honeymesh {{
            comment "honeymesh dark ports, version {version}"
            chain anything {{ type filter hook input priority 0; }}
        }}"#
    )
}

/// The marks of both tables.
fn marks() -> Vec<String> {
    let shown = ["netdev", "inet"].map(|family| tool(&format!("list table {family} honeymesh")).unwrap_or_default());
    let lines = shown.iter().flat_map(|text| text.lines().filter(|line| line.trim().starts_with("comment \"honeymesh")));
    lines.map(|line| line.trim().trim_start_matches("comment ").trim_matches('"').to_owned()).collect()
}

fn marked(version: u32) -> Vec<String> {
    vec![format!("honeymesh bans, version {version}"), format!("honeymesh dark ports, version {version}")]
}

fn start(room: &Room) -> Nft {
    unhindered(|| nft(&room.options(&["hm0"])))
}

#[test]
fn an_older_and_a_newer_versions_tables_give_way_under_traffic_without_a_gap() {
    for version in [0, 2] {
        alone("another version's tables", |room| {
            let stage = Stage::new(room, Kind::Nft);
            make(&others(version));
            let traffic = Traffic::start(&stage.peer);
            traffic.flow(PACKETS);
            let mut nft = start(room);
            assert_eq!((nft.replaced().unwrap().version, nft.replaced().unwrap().is_newer()), (version, version > 1));
            traffic.flow(PACKETS / 4);
            nft.reconcile(&bans(), now()).unwrap();
            assert_eq!(marks(), marked(version), "the others go on until then");
            nft.attach().unwrap();
            assert_eq!(marks(), marked(1));
            traffic.flow(PACKETS);
            assert!(nft.drops(&SOURCES[0].parse().unwrap()) > 1_000_000 + PACKETS / 2, "hits go on");
            assert!(nft.drops(&"198.51.100.0/24".parse().unwrap()) > PACKETS / 2);
            assert!(nft.interfaces().iter().all(|one| one.attached) && nft.guard().unwrap().is_none());
            assert!(nft.reconcile(&bans(), now()).unwrap().is_none());
            let (sent, heard) = traffic.end();
            assert_eq!(heard, [0, 0, sent[2]], "of {sent:?}");
            eprintln!("version {version}: of {sent:?} {heard:?} came through");
            nft.attach().unwrap();
            nft.release().unwrap();
            assert_eq!(tool("list tables").unwrap(), "");
        });
    }
}

#[test]
fn a_start_that_ends_before_leaves_the_others_as_they_were() {
    alone("an unfinished replacement", |room| {
        let _stage = Stage::new(room, Kind::Nft);
        make(&others(7));
        let before = tool("-s list ruleset").unwrap();
        for exit in [OnExit::Hold, OnExit::Release] {
            let mut options = room.options(&["hm0"]);
            options.exit = exit;
            let mut nft = unhindered(|| nft(&options));
            nft.set_allow(&["192.0.2.3/32".parse().unwrap()]).unwrap();
            nft.set_enforcing(false).unwrap();
            nft.reconcile(&bans(), now()).unwrap();
            nft.guard().unwrap();
            assert!(!nft.has_allow(), "it is not in the kernel");
            assert!(nft.lift(&QUIET.parse().unwrap()).unwrap() && !nft.lift(&QUIET.parse().unwrap()).unwrap());
            drop(nft);
            drop(unhindered(|| nft_lock(room)));
            assert_eq!(tool("-s list ruleset").unwrap(), before, "{exit:?}");
        }
    });
}

/// Somebody who comes when the writer before has ended.
fn nft_lock(room: &Room) -> Result<Nft, Error> {
    nft(&room.options(&["hm0"]))
}

#[test]
fn what_another_version_tells_in_our_words_is_kept_without_an_order() {
    alone("carried", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let rules = others(2).replace("set wide", "set allow4_32 { type ipv4_addr; elements = { 203.0.113.9 }; }\nset wide");
        let set = "set ban4_24 { type ipv4_addr; flags timeout; counter; elements = { 203.0.113.0 }; }";
        make(&rules.replace("chain guard", &format!("chain observing {{ }}\n{set}\nchain guard")));
        let mut nft = start(room);
        nft.attach().unwrap();
        let shown = tool("-s list table netdev honeymesh").unwrap();
        assert!(shown.contains("chain observing") && shown.contains("203.0.113.9") && !shown.contains("wide"), "{shown}");
        assert_eq!(nft.drops(&SOURCES[0].parse().unwrap()), 1_000_000);
        nft.set_enforcing(true).unwrap();
        assert!(stage.drops(&nft, QUIET) && stage.drops(&nft, "203.0.113.8") && !stage.drops(&nft, "203.0.113.9"));
        // An hour that was left is what is left.
        let hour = Enforcement { reasons: honeymesh_types::Reasons::SCAN, ..full(SOURCES[0]) };
        assert!(nft.mend(&hour.subject, Some(&hour), now()).unwrap().is_none());
        nft.release().unwrap();
    });
}

#[test]
fn tables_of_two_versions_give_way_together() {
    alone("two versions", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = start(room);
        nft.reconcile(&bans(), now()).unwrap();
        drop(nft);
        wait(|| tool("delete table inet honeymesh").is_ok());
        make("table inet honeymesh { comment \"honeymesh dark ports, version 3\"; }");
        let mut nft = start(room);
        assert_eq!(nft.replaced().unwrap().version, 3);
        nft.lift(&QUIET.parse().unwrap()).unwrap();
        nft.attach().unwrap();
        assert_eq!(marks(), marked(1));
        assert!(stage.drops(&nft, "198.51.100.7") && !stage.drops(&nft, QUIET));
        nft.release().unwrap();
    });
}

#[test]
fn more_bans_than_go_into_one_step_follow_at_once() {
    alone("many bans", |room| {
        let stage = Stage::new(room, Kind::Nft);
        make(&others(2));
        let mut options = room.options(&["hm0"]);
        options.max_bans = 70_000;
        let mut nft = nft(&options).unwrap();
        let many = (0..66_000_u32).map(|n| full(&format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)));
        let all: Vec<Enforcement> = many.chain(bans()).collect();
        nft.reconcile(&all, now()).unwrap();
        nft.attach().unwrap();
        assert!(stage.drops(&nft, "10.0.0.0") && stage.drops(&nft, "10.1.1.200") && stage.drops(&nft, "198.51.100.7"));
        let drift = nft.reconcile(&all, now()).unwrap();
        assert_eq!((drift.missing.len(), drift.extra.len(), drift.different.len()), (0, 0, 0));
        options.max_bans = 3;
        drop(nft);
        assert!(unhindered(release_nft));
        make(&others(2));
        let mut nft = unhindered(|| common::backend::nft(&options));
        assert!(
            matches!(nft.raise(&full("10.0.0.1"), now()).unwrap_err(), Error::Full { limit: 3, .. }),
            "the bound holds before, too"
        );
        nft.attach().unwrap();
        nft.release().unwrap();
    });
}

#[test]
fn an_interface_that_ends_in_that_moment_is_no_reason_to_stay_with_the_others() {
    alone("a lost interface", |room| {
        let stage = Stage::new(room, Kind::Nft);
        ip("link add gone0 type veth peer name far0");
        make(&others(2));
        let mut nft = nft(&room.options(&["hm0", "gone0"])).unwrap();
        nft.reconcile(&bans(), now()).unwrap();
        ip("link del gone0");
        nft.attach().unwrap();
        assert!(stage.drops(&nft, QUIET));
        let there: Vec<bool> = nft.interfaces().iter().map(|one| one.attached).collect();
        assert_eq!(there, [true, false]);
        nft.release().unwrap();
    });
}

#[test]
fn what_only_looks_like_ours_is_refused_and_left_alone_and_release_takes_any_versions() {
    alone("foreign marks", |room| {
        let _stage = Stage::new(room, Kind::Nft);
        let foreign = [
            "honeymesh bans",
            "honeymesh bans, version 1.5",
            "honeymesh bans, version 01",
            "honeymesh dark ports, version 1",
            "my bans, version 1",
        ];
        for mark in foreign {
            make(&format!("table netdev honeymesh {{ comment \"{mark}\"; set ban4_32 {{ type ipv4_addr; }}; }}"));
            make("table inet honeymesh { comment \"honeymesh dark ports, version 8\"; }");
            let before = tool("list ruleset").unwrap();
            assert!(matches!(unhindered_error(room), Error::ForeignTable), "{mark}");
            assert_eq!(tool("list ruleset").unwrap(), before);
            assert!(release_nft().unwrap(), "the one that is ours");
            let left = tool("list tables").unwrap();
            assert_eq!(left.trim(), "table netdev honeymesh", "{mark}");
            make("delete table netdev honeymesh");
        }
        make(&others(12));
        assert!(release_nft().unwrap() && !release_nft().unwrap());
        assert_eq!(tool("list tables").unwrap(), "");
    });
}

/// What a start fails with once the writer of the one before has ended.
fn unhindered_error(room: &Room) -> Error {
    let mut failed = None;
    assert!(wait(|| {
        failed = nft(&room.options(&["hm0"])).err();
        !matches!(failed, Some(Error::InUse { .. }))
    }));
    failed.unwrap()
}

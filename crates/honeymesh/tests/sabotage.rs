//! Bans taken out of the kernel behind the daemon's back: the self-probe notices, the audit mends, both say so.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use aya::maps::{Array, Map, MapData};
use common::{Net, eventually, is_root, sh};
use serde_json::Value;
use std::path::Path;

fn events(net: &Net) -> Vec<Value> {
    let text = net.told(&["events", "--kind", "audit", "--json", "--limit", "100"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Empties every line of a table, past the daemon.
fn empty(table: &Path) {
    let mut lines = Array::<_, [u8; 64]>::try_from(Map::Array(MapData::from_pin(table).unwrap())).unwrap();
    for element in 1..lines.len() {
        lines.set(element, [0; 64], 0).unwrap();
    }
}

#[test]
fn bans_that_somebody_takes_out_of_the_kernel_are_noticed_by_the_probe_and_back_at_once() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config("[bans]\nmax = 1000\n"));
    for banned in ["10.77.0.2", "fd78::/64"] {
        net.told(&["ban", banned]);
    }
    let audits = eventually("a first audit", || net.json(&["status"])["audit"]["audits"].as_u64().filter(|audits| *audits > 0));
    assert!(!net.reaches());
    for table in ["HM_LINES4", "HM_LINES6"] {
        empty(&net.pins().join("maps").join(table));
    }
    assert!(net.reaches(), "the ban was there, and nowhere else");
    let found = eventually("an audit that tells of it", || {
        let audit = net.json(&["status"])["audit"].clone();
        (audit["audits"].as_u64() > Some(audits) && audit["missing"].as_u64() > Some(0)).then_some(audit)
    });
    assert_eq!((&found["missing"], &found["extra"]), (&4.into(), &0.into()), "both, and the probe's own: {found}");
    assert!(!net.reaches(), "it holds again");
    let told = events(&net);
    assert!(told.iter().any(|event| event["fields"]["probe"] == "failed"), "{told:?}");
    let probe = net.json(&["status"])["probe"].clone();
    assert_eq!(probe["failures"], 1, "{probe}");
    assert!(daemon.stop().0.success());
}

#[test]
fn without_xdp_the_probe_proves_in_its_sandbox_notices_emptied_sets_and_an_accept_and_bans_are_back_at_once() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config("[bans]\nmax = 1000\n");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[xdp]\n", "[xdp]\nattach = \"nftables\"\n")).unwrap();
    // Tables that nobody owns, as before Linux 6.9: everybody with power may change them.
    for (family, mark) in [("netdev", "bans"), ("inet", "dark ports")] {
        let table = format!("add table {family} honeymesh {{ comment \"honeymesh {mark}, version 1\"; }}");
        sh(&format!("nsenter --net=/run/netns/{} nft '{table}'", net.node));
    }
    let daemon = net.start(&config);
    for banned in ["10.77.0.2", "fd78::/64"] {
        net.told(&["ban", banned]);
    }
    let probe =
        |what: &str, is: fn(&Value) -> bool| eventually(what, || Some(net.json(&["status"])["probe"].clone()).filter(&is));
    // The first comes soon, and the next half a minute after it: in between only the probe can notice.
    eventually("a first audit", || net.json(&["status"])["audit"]["audits"].as_u64().filter(|audits| *audits > 0));
    let proved = probe("a first proof", |probe| probe["runs"].as_u64() > Some(0));
    assert_eq!((&proved["ok"], &proved["failures"]), (&true.into(), &0.into()), "{proved}");
    assert!(!net.reaches());
    for (number, damage, says) in [
        (1, "flush set netdev honeymesh ban4_32", "a banned IPv4 source was let through"),
        (2, "insert rule netdev honeymesh entrance accept", "a banned IPv6 source was let through"),
    ] {
        sh(&format!("nsenter --net=/run/netns/{} nft {damage}", net.node));
        assert!(net.reaches(), "{damage}");
        eventually("the stranger is kept out again", || (!net.reaches()).then_some(()));
        let failed = eventually("it is told", || {
            let told = events(&net);
            let failures = told.iter().filter(|event| event["fields"]["probe"] == "failed").count();
            (failures == number).then_some(told)
        });
        let why = failed.iter().filter_map(|event| event["fields"]["why"].as_str()).any(|why| why.contains(says));
        assert!(why, "{damage}: {failed:?}");
        probe("it proves again", |probe| probe["ok"] == true);
    }
    assert_eq!(net.json(&["status"])["probe"]["failures"], 2);
    assert!(daemon.stop().0.success());
    sh(&format!("nsenter --net=/run/netns/{} nft delete table netdev honeymesh", net.node));
}

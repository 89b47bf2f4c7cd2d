//! What the kernel refuses is answered with an error, told by the self-probe, and in force as soon as the kernel takes it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, eventually, is_root, sh};
use serde_json::Value;
use std::path::PathBuf;

fn events(net: &Net) -> Vec<Value> {
    events_of(net, "audit")
}

fn events_of(net: &Net, kind: &str) -> Vec<Value> {
    let text = net.told(&["events", "--kind", kind, "--json", "--limit", "100"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn nft(net: &Net, words: &str) {
    sh(&format!("nsenter --net=/run/netns/{} nft '{words}'", net.node));
}

/// An empty table of ours that nobody owns, as before Linux 6.9: everybody with power may change it.
fn add_ours(net: &Net, family: &str, what: &str) {
    nft(net, &format!("add table {family} honeymesh {{ comment \"honeymesh {what}, version 1\"; }}"));
}

fn config(net: &Net) -> PathBuf {
    let config = net.config("[bans]\nmax = 1000\n");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[xdp]\n", "[xdp]\nattach = \"nftables\"\n")).unwrap();
    add_ours(net, "netdev", "bans");
    add_ours(net, "inet", "dark ports");
    config
}

fn has_told(net: &Net, field: &str) -> bool {
    events(net).iter().any(|event| event["fields"][field].is_string())
}

#[test]
fn a_mode_that_the_kernel_refuses_is_no_success_and_is_in_force_as_soon_as_the_kernel_takes_it() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&config(&net));
    net.told(&["ban", "10.77.0.2"]);
    net.told(&["mode", "observe"]);
    assert!(net.reaches());
    // Every change concerns both tables, and one of them is somebody else's now.
    nft(&net, "delete table inet honeymesh; add table inet honeymesh");
    let (code, said) = net.refused(&["mode", "enforce"]);
    assert!(code == 1 && said.contains("not in force: the kernel refused the mode"), "{code} {said}");
    let status = net.json(&["status"]);
    assert_eq!(status["mode"], "enforce", "it is what is wanted");
    let probe =
        eventually("the self-probe fails", || Some(net.json(&["status"])["probe"].clone()).filter(|probe| probe["ok"] == false));
    assert!(probe["why"].as_str().unwrap().contains("a banned IPv4 source was let through"), "{probe}");
    assert!(net.reaches() && events(&net).iter().any(|event| event["fields"]["refused"] == "the mode"));
    nft(&net, "delete table inet honeymesh");
    eventually("it drops", || (!net.reaches()).then_some(()));
    eventually("it is told", || has_told(&net, "taken").then_some(()));
    eventually("it proves", || (net.json(&["status"])["probe"]["ok"] == true).then_some(()));
    assert!(daemon.stop().0.success());
    nft(&net, "delete table netdev honeymesh");
}

#[test]
fn a_table_that_a_ban_put_back_is_told_and_its_other_bans_are_back_at_once() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&config(&net));
    net.told(&["ban", "10.77.0.2"]);
    // The first comes soon, and the next half a minute after it.
    eventually("a first audit", || net.json(&["status"])["audit"]["audits"].as_u64().filter(|audits| *audits > 0));
    assert!(!net.reaches() && !has_told(&net, "settings"));
    nft(&net, "delete table netdev honeymesh");
    net.told(&["ban", "203.0.113.9"]);
    eventually("the stranger is kept out again", || (!net.reaches()).then_some(()));
    let audit = eventually("it is told", || {
        Some(net.json(&["status"])["audit"].clone()).filter(|audit| audit["settings_changed"] == true)
    });
    assert!(audit["missing"].as_u64() > Some(0) && has_told(&net, "settings"), "{audit}");
    assert!(daemon.stop().0.success());
    sh(&format!("nsenter --net=/run/netns/{} nft flush ruleset || true", net.node));
}

/// What is shown as enforced, and the numbers of enforced and refused bans.
fn held(net: &Net) -> (Vec<String>, [u64; 2]) {
    let bans = net.json(&["bans"]);
    let enforced = bans.as_array().unwrap().iter().filter(|ban| ban["enforced"] == true);
    let status = net.json(&["status"])["bans"].clone();
    let counts = ["enforced", "refused"].map(|name| status[name].as_u64().unwrap_or(0));
    (enforced.map(|ban| ban["subject"].as_str().unwrap().to_owned()).collect(), counts)
}

#[test]
fn a_ban_that_the_kernel_refuses_is_no_success_and_nowhere_shown_as_enforced_until_the_kernel_takes_it() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&config(&net));
    net.told(&["ban", "10.77.0.2"]);
    assert_eq!(held(&net), (vec!["10.77.0.2/32".into()], [1, 0]));
    // Somebody else's table in the place of ours.
    nft(&net, "delete table netdev honeymesh; add table netdev honeymesh");
    let (code, said) = net.refused(&["ban", "203.0.113.9"]);
    assert!(code == 1 && said.contains("not in force: the kernel refused a ban"), "{code} {said}");
    let told = events_of(&net, "ban");
    let event = told.iter().find(|event| event["fields"]["refused"].is_string()).unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!((&event["source"], &event["fields"]["enforced"]), (&"203.0.113.9".into(), &"false".into()), "{event}");
    let one = net.json(&["bans", "--subject", "203.0.113.9"])[0].clone();
    assert_eq!((&one["enforced"], &one["refused"]), (&false.into(), &true.into()), "{one}");
    assert!(net.told(&["why", "203.0.113.9"]).contains("NOT enforced: the kernel has refused it"));
    // The one before went with the table, and cannot be put back.
    eventually("an audit that cannot mend", || (held(&net) == (Vec::new(), [0, 2])).then_some(()));
    assert!(net.reaches() && net.told(&["status"]).contains("0 enforced, 2 REFUSED by the kernel"));
    nft(&net, "delete table netdev honeymesh");
    eventually("both are taken", || (held(&net).1 == [2, 0]).then_some(()));
    assert!(!net.reaches());
    assert!(daemon.stop().0.success());
    nft(&net, "delete table netdev honeymesh");
}

//! The mesh: splits that heal, strangers with a wrong key, latecomers.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Lab, NodeConfig, Place, Trio, new_key, wait_until};
use std::{thread, time::Duration};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_split_of_thirty_seconds_heals_with_both_sides_bans_on_all_nodes() {
    let Some(_turn) = turn("a_split_of_thirty_seconds") else { return };
    let lab = Lab::up().unwrap();
    let trio = Trio::up(&lab, |config| config).unwrap();
    lab.cut(&[Place::Node(1)], &[Place::Node(2), Place::Node(3)]).unwrap();
    for (number, subject) in [(1, "192.0.2.1"), (2, "192.0.2.2")] {
        trio.node(number).client(&["ban", subject]).unwrap().checked().unwrap();
    }
    thread::sleep(Duration::from_secs(30));
    assert_eq!(trio.node(1).members().unwrap(), Vec::<String>::new(), "thirty seconds are enough to be missed");
    assert_eq!(trio.node(1).ban_of("192.0.2.2/32").unwrap(), None);
    assert_eq!(trio.node(3).ban_of("192.0.2.1/32").unwrap(), None);
    assert!(trio.node(3).ban_of("192.0.2.2/32").unwrap().is_some());
    lab.heal().unwrap();
    wait_until("both bans are everywhere", SOON, || {
        for node in trio.nodes() {
            if node.bans()?.len() < 2 {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .unwrap();
    wait_until("everybody sees everybody again", SOON, || {
        let seen = trio.nodes().iter().map(|node| Ok(node.members()?.len())).collect::<anyhow::Result<Vec<_>>>()?;
        Ok((seen == [2, 2, 2]).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_node_with_a_wrong_key_learns_nothing_and_teaches_nothing() {
    let Some(_turn) = turn("a_node_with_a_wrong_key") else { return };
    let lab = Lab::up().unwrap();
    let wrong = new_key(&lab).unwrap();
    let stranger = Place::Node(3);
    let change = |config: NodeConfig| if config.place == stranger { NodeConfig::new(stranger, &wrong) } else { config };
    let trio = Trio::apart(&lab, &new_key(&lab).unwrap(), change).unwrap();
    wait_until("the two with the same key meet", SOON, || {
        Ok((trio.node(1).members()? == ["node2"] && trio.node(2).members()? == ["node1"]).then_some(()))
    })
    .unwrap();
    trio.node(1).client(&["ban", "192.0.2.1"]).unwrap().checked().unwrap();
    trio.node(3).client(&["ban", "192.0.2.3"]).unwrap().checked().unwrap();
    wait_until("node2 learns", SOON, || trio.node(2).ban_of("192.0.2.1/32")).unwrap();
    thread::sleep(Duration::from_secs(5));
    let bans = |number: usize| trio.node(number).bans().unwrap().into_iter().map(|ban| ban.subject).collect::<Vec<_>>();
    assert_eq!((bans(1), bans(2)), (vec!["192.0.2.1/32".into()], vec!["192.0.2.1/32".to_owned()]));
    assert_eq!(bans(3), ["192.0.2.3/32"]);
    assert_eq!(trio.node(3).members().unwrap(), Vec::<String>::new());
    assert_eq!(
        (trio.node(1).members().unwrap(), trio.node(2).members().unwrap()),
        (vec!["node2".into()], vec!["node1".to_owned()])
    );
    let status: serde_json::Value = trio.node(1).ask(&["status"]).unwrap();
    assert!(status["clusters"][0]["refused"].as_object().is_some_and(|refused| !refused.is_empty()), "it is counted: {status}");
}

#[test]
fn a_latecomer_learns_everything() {
    let Some(_turn) = turn("a_latecomer_learns_everything") else { return };
    let lab = Lab::up().unwrap();
    let mut trio = Trio::up(&lab, |config| config).unwrap();
    trio.node_mut(3).kill();
    for number in 1..=60 {
        let reaches = trio.node(1 + number % 2).client(&["ban", &format!("192.0.2.{number}")]).unwrap();
        reaches.checked().unwrap();
    }
    trio.node(1).client(&["unban", "192.0.2.60"]).unwrap().checked().unwrap();
    trio.node_mut(3).start().unwrap();
    wait_until("node3 has all 59 bans", SOON, || Ok((trio.node(3).bans()?.len() == 59).then_some(()))).unwrap();
    assert_eq!(trio.node(3).ban_of("192.0.2.60/32").unwrap(), None);
}

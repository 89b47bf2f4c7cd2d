//! A node that lets nothing in and sends no datagram out takes part all the same, and survives its relay.

#![cfg(test)]

mod common;

use anyhow::Result;
use common::turn;
use honeymesh_lab::{Family, Lab, MESH_PORT, Place, Trio, run_with_input, wait_until};
use std::{
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(20);
/// The node that nobody reaches.
const BEHIND: Place = Place::Node(3);

/// Nothing new comes in, and out goes TCP alone, as behind a strict firewall with a translator.
const ONLY_TCP_OUT: &str = "table inet behind {
    chain in { type filter hook input priority 0; policy drop
        iif lo accept
        ct state established,related accept
        meta l4proto ipv6-icmp accept
    }
    chain out { type filter hook output priority 0; policy accept
        oifname eth0 meta l4proto udp counter drop
    }
}
";

fn close_the_door(lab: &Lab) -> Result<()> {
    let mut nft = Command::new("nft");
    nft.args(["-f", "-"]);
    lab.host(BEHIND).namespace.inside(|| run_with_input(&mut nft, ONLY_TCP_OUT, SOON)?.checked().map(drop))
}

/// The node behind whose address the others reach node 3, as node `number` says.
fn relay_of_three(trio: &Trio<'_>, number: usize) -> Result<Option<usize>> {
    let peers: Vec<serde_json::Value> = trio.node(number).ask(&["peers"])?;
    let address = peers.iter().find(|peer| peer["name"] == "node3").and_then(|peer| peer["address"].as_str());
    let at = |place: u8| Place::Node(place).at(Family::V4, MESH_PORT).to_string();
    Ok([1, 2].into_iter().find(|place| address == Some(&at(*place))).map(usize::from))
}

/// A ban on one node is in the kernel of another.
fn reaches(trio: &Trio<'_>, from: usize, to: usize, subject: &str) -> Duration {
    let begun = Instant::now();
    trio.node(from).client(&["ban", subject]).unwrap().checked().unwrap();
    let what = format!("the ban of node{from} is enforced on node{to}");
    let held = || Ok(trio.node(to).ban_of(&format!("{subject}/32"))?.filter(|ban| ban.enforced));
    wait_until(&what, SOON, held).unwrap();
    begun.elapsed()
}

/// Three nodes that have met, of which nobody reaches the third.
fn up(lab: &Lab) -> Result<Trio<'_>> {
    close_the_door(lab)?;
    Trio::up(lab, |config| match config.place {
        BEHIND => config.with("cluster", "dial_out = true"),
        _ => config,
    })
}

#[test]
fn a_node_that_only_dials_out_over_tcp_takes_part() {
    let Some(_turn) = turn("a_node_that_only_dials_out") else { return };
    let lab = Lab::up().unwrap();
    let trio = up(&lab).unwrap();
    let door = BEHIND.at(Family::V4, MESH_PORT);
    let called =
        lab.host(Place::Node(1)).namespace.inside(|| Ok(TcpStream::connect_timeout(&door, Duration::from_secs(1)).is_ok()));
    assert!(!called.unwrap(), "nobody reaches it");

    let (there, back) = (reaches(&trio, 1, 3, "192.0.2.1"), reaches(&trio, 3, 2, "192.0.2.2"));
    trio.wait_banned("192.0.2.2/32").unwrap();
    trio.node(3).client(&["unban", "192.0.2.1", "--wait", "5s"]).unwrap().checked().unwrap();
    trio.wait_free("192.0.2.1/32").unwrap();
    eprintln!("there {there:?}, back {back:?}");
}

#[test]
fn a_node_that_only_dials_out_survives_its_relay() {
    let Some(_turn) = turn("a_node_that_only_dials_out_survives") else { return };
    let lab = Lab::up().unwrap();
    let mut trio = up(&lab).unwrap();
    let relay = relay_of_three(&trio, 1).unwrap().expect("it has the address of one of the others");
    let other = 3 - relay;
    trio.node_mut(relay).kill();
    let killed = Instant::now();
    wait_until("the other one is its relay", SOON, || Ok((relay_of_three(&trio, other)? == Some(other)).then_some(()))).unwrap();
    let took_over = killed.elapsed();
    let (after, after_back) = (reaches(&trio, other, 3, "192.0.2.3"), reaches(&trio, 3, other, "192.0.2.4"));
    eprintln!("relay killed, another after {took_over:?}; there {after:?}, back {after_back:?}");

    trio.node_mut(relay).start().unwrap();
    wait_until("all see all again", SOON, || {
        let seen = trio.nodes().iter().map(|node| Ok(node.members()?.len())).collect::<Result<Vec<_>>>()?;
        Ok((seen == [2, 2, 2]).then_some(()))
    })
    .unwrap();
    for subject in ["192.0.2.3/32", "192.0.2.4/32"] {
        trio.wait_banned(subject).unwrap();
    }
}

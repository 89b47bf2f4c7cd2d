//! The program without a wire: `BPF_PROG_TEST_RUN`, one kind of packet after the other.

use crate::{
    bans::{BANNED, Family, enforcements, source},
    common::{Room, ban, net_of},
    contenders::{OURS, VARIANTS, options},
    median,
    plan::Plan,
    program::Empty,
    results::{Results, Section},
};
use honeymesh_types::Scope;
use honeymesh_xdp::{Kernel, now};
use honeymesh_xdp_program::testing::{ACK, HERE4, HERE6, Packet, SYN};
use std::net::TcpListener;

const SERVED: u16 = 4_480;
const XDP_PASS: u32 = 2;
const IN_ALL: &str = "in all";
const ABOVE: &str = "above empty";

/// Names and frames.
fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let source = source(Family::V4, BANNED, 77).to_string();
    vec![
        ("pass: UDP", Packet::udp("203.0.113.9", HERE4, 53).build()),
        ("pass: TCP ACK", Packet::tcp("203.0.113.9", HERE4, SERVED, ACK).build()),
        ("pass: TCP ACK, IPv6", Packet::tcp("2001:db8:fee::9", HERE6, SERVED, ACK).build()),
        ("pass: SYN to a served port", Packet::tcp("203.0.113.9", HERE4, SERVED, SYN).build()),
        ("drop: banned IPv4", Packet::udp(&source, HERE4, 53).build()),
        ("drop: banned IPv6 /64", Packet::udp("2001:db8:bad:7::9", HERE6, 53).build()),
        ("drop: banned /24", Packet::udp("198.51.100.9", HERE4, 53).build()),
        ("drop: probe of a silenced source", Packet::tcp("203.0.113.66", HERE4, 23, SYN).build()),
        ("a repeated probe, counted", Packet::tcp("203.0.113.10", HERE4, 23, SYN).build()),
    ]
}

fn kernel(room: &Room, plan: &Plan) -> Kernel {
    let bans = plan.size_decision;
    let options = options(&VARIANTS[0], &room.options(&["lo"]), "lo", bans + 1_000);
    let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
    let nets = ["198.51.100.0/24", "2001:db8:bad:7::/64", "2001:db8:cafe::/48"].map(|net| ban(net, Scope::All, None));
    let dark = ban("203.0.113.66", Scope::Dark, None);
    let intent: Vec<_> = enforcements(Family::V4, 0..bans).chain(nets).chain([dark]).collect();
    kernel.reconcile(&intent, now()).unwrap();
    kernel.set_local(&[HERE4.parse().unwrap(), HERE6.parse().unwrap()]).unwrap();
    kernel.set_allow(&[net_of("192.0.2.0/24")]).unwrap();
    kernel
}

pub fn measure(room: &Room, plan: &Plan, results: &mut Results) {
    let _socket = TcpListener::bind(("::", SERVED)).unwrap();
    let kernel = kernel(room, plan);
    let empty = Empty::new(XDP_PASS);
    let cases = cases();
    let mut floor = Vec::new();
    let mut costs = vec![Vec::new(); cases.len()];
    for _ in 0..plan.rounds {
        floor.push(empty.cost(&cases[0].1, plan.repeat));
        for ((name, frame), costs) in cases.iter().zip(&mut costs) {
            let verdict = kernel.try_frame(frame, plan.repeat).unwrap();
            if verdict.dropped != name.starts_with("drop") && !name.contains("repeated") {
                results.faults.push(format!("{OURS}: `{name}` without a wire was judged otherwise"));
            }
            costs.push(verdict.cost.as_nanos() as f64);
        }
    }
    let floor = median(floor);
    let mut section =
        Section::new(format!("{OURS} without a wire, {} bans", crate::rows::size(plan.size_decision)), "ns a packet");
    section.enter("empty program", IN_ALL, floor);
    for ((name, _), costs) in cases.iter().zip(costs) {
        let cost = median(costs);
        section.enter(name, IN_ALL, cost);
        section.enter(name, ABOVE, cost - floor);
    }
    results.sections.push(section);
}

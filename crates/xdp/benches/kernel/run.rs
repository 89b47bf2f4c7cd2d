//! The program without a wire: `BPF_PROG_TEST_RUN`.

use crate::{
    BANS, banned,
    common::{Room, ban, net_of},
    median,
    program::Empty,
};
use honeymesh_types::{Scope, Subject};
use honeymesh_xdp::{Kernel, OnExit, now};
use honeymesh_xdp_program::testing::{ACK, HERE4, HERE6, Packet, SYN};
use std::net::TcpListener;

const ROUNDS: usize = 7;
const REPEAT: u32 = 100_000;
const SERVED: u16 = 4_480;
const XDP_PASS: u32 = 2;

/// A kernel on `interface` with [`BANS`] bans.
pub fn kernel(room: &Room, interface: &str) -> Kernel {
    let mut options = room.options(&[interface]);
    options.max_bans = BANS + 1_000;
    options.exit = OnExit::Release;
    let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
    let exact = (0..BANS).map(|number| ban(&banned(number).to_string(), Scope::All, None));
    let nets = ["198.51.100.0/24", "2001:db8:bad:7::/64", "2001:db8:cafe::/48"].map(|net| ban(net, Scope::All, None));
    let dark = ban("203.0.113.66", Scope::Dark, None);
    kernel.reconcile(&exact.chain(nets).chain([dark]).collect::<Vec<_>>(), now()).unwrap();
    kernel.set_local(&[HERE4.parse().unwrap(), HERE6.parse().unwrap()]).unwrap();
    kernel.set_allow(&[net_of("192.0.2.0/24")]).unwrap();
    kernel
}

/// Names and frames.
fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let source = banned(77).to_string();
    vec![
        ("pass: UDP", Packet::udp("203.0.113.9", HERE4, 53).build()),
        ("pass: TCP ACK", Packet::tcp("203.0.113.9", HERE4, SERVED, ACK).build()),
        ("pass: TCP ACK, IPv6", Packet::tcp("2001:db8:fee::9", HERE6, SERVED, ACK).build()),
        ("pass: SYN to a served port", Packet::tcp("203.0.113.9", HERE4, SERVED, SYN).build()),
        ("drop: banned IPv4", Packet::udp(&source, HERE4, 53).build()),
        ("drop: banned IPv6 /64", Packet::udp("2001:db8:bad:7::9", HERE6, 53).build()),
        ("drop: banned /24", Packet::udp("198.51.100.9", HERE4, 53).build()),
        ("drop: probe of a silenced source", Packet::tcp("203.0.113.66", HERE4, 23, SYN).build()),
        ("pass: a repeated probe, counted", Packet::tcp("203.0.113.10", HERE4, 23, SYN).build()),
    ]
}

pub fn print(room: &Room) {
    let _socket = TcpListener::bind(("::", SERVED)).unwrap();
    let kernel = kernel(room, "lo");
    assert!(kernel.drops(&"198.51.100.0/24".parse::<Subject>().unwrap()) == 0);
    let empty = Empty::new(XDP_PASS);
    let cases = cases();
    let mut floor = Vec::new();
    let mut costs = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        floor.push(empty.cost(&cases[0].1, REPEAT));
        for ((_, frame), costs) in cases.iter().zip(&mut costs) {
            costs.push(kernel.try_frame(frame, REPEAT).unwrap().cost.as_nanos() as f64);
        }
    }
    let floor = median(floor);
    println!("{:<36} {:>7} {:>12}", "without a wire, ns per packet", "in all", "above empty");
    println!("{:<36} {:>7.0}", "empty program", floor);
    for ((name, _), costs) in cases.iter().zip(costs) {
        let cost = median(costs);
        println!("{name:<36} {cost:>7.0} {:>12.0}", cost - floor);
    }
    println!();
}

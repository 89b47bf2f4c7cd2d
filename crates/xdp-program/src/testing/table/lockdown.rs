//! Lockdown: who else gets in, and when it is over.

use super::*;
use crate::testing::{Connection, Stage};

const DROP: &[Counter] = &[Counter::DroppedLockdown];
const FRIEND4: &str = "198.51.100.9";
const FRIEND6: &str = "2001:db8:f:1::9";
const STRANGER4: &str = "203.0.113.77";
const STRANGER6: &str = "2001:db8:bad:77::1";
/// Who is asked and does not answer: for IPv4, for IPv6.
const SILENT4: &str = "203.0.113.78";
const SILENT6: &str = "2001:db8:bad:78::1";
const NEIGHBOUR: &str = "fe80::77";

fn locked() -> Setting {
    let one = |stage, peer, peer_port, port| Connection { stage, peer, peer_port, port };
    let each = [(STRANGER4, SILENT4), (STRANGER6, SILENT6)].into_iter().flat_map(|(peer, silent)| {
        [
            one(Stage::Established, peer, 40_001, 4_491),
            one(Stage::Opening, silent, 443, 40_002),
            one(Stage::Closed, peer, 40_003, 4_492),
            one(Stage::Datagrams, peer, 123, 40_004),
        ]
    });
    Setting {
        allow: vec!["198.51.100.0/24", "2001:db8:f::/48"],
        lockdown: Some(End::Later),
        connections: each.collect(),
        ..Setting::default()
    }
}

fn both(name: &str, counts: &[Counter], packet: impl Fn(&'static str, &'static str) -> Packet) -> [Step; 2] {
    [(STRANGER4, HERE4), (STRANGER6, HERE6)]
        .map(|(from, to)| Step::new(&alloc::format!("{name} of {from}"), packet(from, to).build(), counts))
}

fn tcp(from: &str, to: &str, source_port: u16, port: u16, flags: u8) -> Packet {
    Packet::new(from, to, Layer4::Tcp { source_port, port, flags })
}

fn udp(from: &str, to: &str, source_port: u16, port: u16) -> Packet {
    Packet::new(from, to, Layer4::Udp { source_port, port })
}

pub(super) fn strangers() -> Script {
    let elsewhere = |from: &str| if from == STRANGER4 { "198.18.0.1" } else { "2001:db8:e::1" };
    let steps = [
        both("SYN to a served port", DROP, |from, to| Packet::tcp(from, to, SERVED, SYN)),
        both("SYN to a dark port", DROP, |from, to| Packet::tcp(from, to, 23, SYN)),
        both("ACK to a served port", DROP, |from, to| Packet::tcp(from, to, SERVED, ACK)),
        both("RST", DROP, |from, to| Packet::tcp(from, to, SERVED, RST)),
        both("UDP", DROP, |from, to| Packet::udp(from, to, 53)),
        both("UDP from another port of a peer", DROP, |from, to| udp(from, to, 124, 40_004)),
        both("TCP from another port of a peer", DROP, |from, to| tcp(from, to, 40_009, 4_491, ACK)),
        both("what is forwarded", DROP, move |from, _| tcp(from, elsewhere(from), 40_001, 4_491, ACK)),
        both("another protocol", DROP, |from, to| Packet::new(from, to, Layer4::Raw(47, vec![0; 8]))),
        both("a header cut short", DROP, |from, to| Packet::new(from, to, Layer4::Raw(6, vec![0; 8]))),
    ];
    let mut steps: Vec<Step> = steps.into_iter().flatten().collect();
    let far = Packet::udp(STRANGER6, HERE6, 53);
    let far = (0..7).fold(far, |packet, _| packet.extension(60));
    let later = |packet: Packet| packet.fragment(185, false);
    steps.extend([
        Step::new("ping", Packet::new(STRANGER4, HERE4, Layer4::Raw(1, vec![8; 8])).build(), DROP),
        Step::new("ping, IPv6", Packet::new(STRANGER6, HERE6, Layer4::Icmp6 { kind: 128 }).build(), DROP),
        Step::new("later fragment", later(udp(STRANGER4, HERE4, 123, 40_004)).build(), DROP),
        Step::new("behind too many headers", far.build(), DROP),
        Step::new("in a VLAN", Packet::tcp(STRANGER4, HERE4, SERVED, SYN).vlans(&[VLAN]).build(), DROP),
    ]);
    script("in a lockdown a stranger gets nothing", locked(), steps)
}

pub(super) fn connections() -> Script {
    let silent = |from: &str| if from == STRANGER4 { SILENT4 } else { SILENT6 };
    let steps = [
        both("data of a connection", PASS, |from, to| tcp(from, to, 40_001, 4_491, ACK | PSH)),
        both("its end", PASS, |from, to| tcp(from, to, 40_001, 4_491, ACK | FIN)),
        both("its reset", PASS, |from, to| tcp(from, to, 40_001, 4_491, RST)),
        both("answer to our SYN", PASS, |from, to| tcp(silent(from), to, 443, 40_002, SYN | ACK)),
        both("both open at once", PASS, |from, to| tcp(silent(from), to, 443, 40_002, SYN)),
        both("last ACK", PASS, |from, to| tcp(from, to, 40_003, 4_492, ACK)),
        both("a closed connection opened anew", DROP, |from, to| tcp(from, to, 40_003, 4_492, SYN)),
        both("a standing connection opened anew", DROP, |from, to| tcp(from, to, 40_001, 4_491, SYN)),
        both("answer to our datagram", PASS, |from, to| udp(from, to, 123, 40_004)),
    ];
    script(
        "in a lockdown connections that stand go on, and this host may open new ones",
        locked(),
        steps.into_iter().flatten().collect(),
    )
}

pub(super) fn shared_ports() -> Script {
    const SHARED: u16 = 4_493;
    let one = |peer| Connection { stage: Stage::Datagrams, peer, peer_port: 5_000, port: SHARED };
    let setting = Setting { connections: vec![one(STRANGER4), one(STRANGER6)], bound: vec![SHARED], ..locked() };
    let steps = [
        both("a datagram of a peer", PASS, |from, to| udp(from, to, 5_000, SHARED)),
        both("a datagram from its other port", DROP, |from, to| udp(from, to, 5_001, SHARED)),
        both("a datagram from its port with the first bit turned over", DROP, |from, to| udp(from, to, 5_000 ^ 0x8000, SHARED)),
    ];
    script(
        "in a lockdown a connected peer goes on, also where an open socket has the same port",
        setting,
        steps.into_iter().flatten().collect(),
    )
}

pub(super) fn lifelines() -> Script {
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06]);
    arp.extend([0; 28]);
    let icmp = |kind: u8| Packet::new(STRANGER4, HERE4, Layer4::Raw(1, vec![kind, 4, 0, 0, 0, 0, 5, 0])).build();
    let icmp6 = |from, kind, hops| Packet::new(from, HERE6, Layer4::Icmp6 { kind }).hops(hops).build();
    let mut steps = vec![
        Step::new("ARP", arp, NOT_IP),
        Step::new("DHCP", udp(STRANGER4, HERE4, 67, 68).build(), PASS),
        Step::new("DHCP's other way", udp(STRANGER4, HERE4, 68, 67).build(), DROP),
        Step::new("DHCPv6 of a neighbour", udp(NEIGHBOUR, HERE6, 547, 546).build(), PASS),
        Step::new("DHCPv6 from afar", udp(STRANGER6, HERE6, 547, 546).build(), DROP),
        Step::new(
            "listener query",
            Packet::new(NEIGHBOUR, HERE6, Layer4::Icmp6 { kind: 130 }).hops(1).extension(0).build(),
            PASS,
        ),
        Step::new("listener query from afar", icmp6(STRANGER6, 130, 1), DROP),
        Step::new("routed listener query", icmp6(NEIGHBOUR, 130, 2), DROP),
        Step::new("router advertisement", icmp6(NEIGHBOUR, 134, 255), PASS),
        Step::new("routed advertisement", icmp6(STRANGER6, 134, 254), DROP),
    ];
    steps.extend([3, 11, 12].map(|kind| Step::new("ICMP error", icmp(kind), PASS)));
    steps.extend([0, 5, 8, 13].map(|kind| Step::new("other ICMP", icmp(kind), DROP)));
    steps.extend([1, 2, 3, 4].map(|kind| Step::new("ICMPv6 error", icmp6(STRANGER6, kind, 60), PASS)));
    steps.extend([5, 128, 129].map(|kind| Step::new("other ICMPv6", icmp6(STRANGER6, kind, 60), DROP)));
    script("in a lockdown the host keeps its link, its address and its MTU", locked(), steps)
}

pub(super) fn friends() -> Script {
    let setting =
        Setting { bans: vec![("198.51.100.0/24", SCOPE_ALL, End::Never), (STRANGER4, SCOPE_ALL, End::Later)], ..locked() };
    let allowed = &[Counter::Passed, Counter::Allowed][..];
    let steps = vec![
        Step::new("SYN", syn4(FRIEND4, SERVED), allowed),
        Step::new("SYN, IPv6", syn6(FRIEND6, SERVED), PASS),
        Step::new("SYN to a dark port, IPv6", syn6(FRIEND6, 23), PASS),
        Step::new("UDP, IPv6", Packet::udp(FRIEND6, HERE6, 53).build(), PASS),
        Step::new("forwarded, IPv6", Packet::udp(FRIEND6, "2001:db8:e::1", 53).build(), PASS),
        Step::new("a later fragment", Packet::udp(FRIEND4, HERE4, 53).fragment(185, false).build(), allowed),
        Step::new("a banned peer's connection", tcp(STRANGER4, HERE4, 40_001, 4_491, ACK).build(), &[Counter::DroppedV4]),
    ];
    script("in a lockdown the allowlist passes, and bans go on", setting, steps)
}

pub(super) fn over() -> Script {
    let setting = Setting { lockdown: Some(End::Past), ..locked() };
    let steps = vec![
        Step::new("SYN", syn4(STRANGER4, SERVED), PASS),
        Step::new("UDP", Packet::udp(STRANGER6, HERE6, 53).build(), PASS),
        knock("a probe", syn4(STRANGER4, 23), 23),
    ];
    script("a lockdown whose end has come holds nobody back, whoever is there to end it", setting, steps)
}

pub(super) fn confirmed() -> Script {
    let setting = Setting { lockdown: Some(End::Never), ..locked() };
    let steps = vec![
        Step::new("SYN", syn4(STRANGER4, SERVED), DROP),
        Step::new("data", tcp(STRANGER4, HERE4, 40_001, 4_491, ACK).build(), PASS),
    ];
    script("a confirmed lockdown has no end", setting, steps)
}

pub(super) fn from_observing() -> Script {
    let bans = vec![("198.18.0.7", SCOPE_ALL, End::Later)];
    let setting = Setting { enforcing: false, bans, ..locked() };
    let steps = vec![
        Step::new("a banned source", Packet::udp("198.18.0.7", HERE4, 53).build(), &[Counter::DroppedV4]),
        Step::new("SYN", syn4(STRANGER4, SERVED), DROP),
    ];
    script("a lockdown enforces, also where the mode before only observed", setting, steps)
}

pub(super) fn back_to_observing() -> Script {
    let bans = vec![("198.18.0.7", SCOPE_ALL, End::Later)];
    let setting = Setting { enforcing: false, bans, lockdown: Some(End::Past), ..locked() };
    let would = &[Counter::Passed, Counter::WouldDrop][..];
    let steps = vec![
        Step::new("a banned source", Packet::udp("198.18.0.7", HERE4, 53).build(), would),
        Step::new("SYN", syn4(STRANGER4, SERVED), PASS),
    ];
    script("with its end the mode before holds again", setting, steps)
}

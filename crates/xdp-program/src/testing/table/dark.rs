//! Dark ports that answer nothing, and dark ports that are traps.

use super::*;
use honeymesh_xdp_abi::Gates;

/// A port in the middle of those that hosts send from.
const SENT_FROM: u16 = 40_000;
/// One that Linux does not send from by itself, and others do.
const SENT_FROM_ELSEWHERE: u16 = 63_000;
/// A port that behaves as closed, whatever dark ports do.
const EXCEPTED: u16 = 25;
/// A UDP port with a socket.
const BOUND: u16 = 4_481;
/// One of those that hosts send from, with a socket.
const BOUND_HIGH: u16 = 40_100;
/// On the allowlist.
const FRIEND: &str = "203.0.113.99";

const SILENCED: &[Counter] = &[Counter::DroppedDark];
const PROBED: &[Counter] = &[Counter::DroppedDark, Counter::Knocks];

fn setting(dark: Gates) -> Setting {
    Setting { dark, allow: vec![FRIEND], bound: vec![BOUND, BOUND_HIGH], except: vec![EXCEPTED], ..Setting::default() }
}

pub(super) fn silent() -> Script {
    let tcp = |port, flags| Packet::tcp("203.0.113.1", HERE4, port, flags).build();
    let udp = |port| Packet::udp("203.0.113.1", HERE4, port).build();
    let told = |name: &str, frame, port| Step::new(name, frame, PROBED).telling(Tell::Knock(port));
    script(
        "silent dark ports answer nothing, and count all the same",
        setting(Gates::SILENT),
        vec![
            told("SYN", tcp(23, SYN), 23),
            told("FIN", tcp(24, FIN), 24),
            Step::new("ACK: the second program drops it", tcp(23, ACK), PASS),
            Step::new("RST", tcp(23, RST), PASS),
            Step::new("UDP: so with this", udp(53), PASS),
            Step::new("served", tcp(SERVED, SYN), PASS),
            Step::new("served, ACK", tcp(SERVED, ACK), PASS),
            Step::new("allowed", syn4(FRIEND, 23), &[Counter::Passed, Counter::Allowed]),
            Step::new("not for us", Packet::tcp("203.0.113.5", "192.0.2.2", 23, SYN).build(), PASS),
            Step::new("broadcast", Packet::udp("203.0.113.5", "255.255.255.255", 67).build(), PASS),
            knock("excepted", Packet::tcp("203.0.113.6", HERE4, EXCEPTED, SYN).build(), EXCEPTED),
            told("SYN, IPv6", syn6("2001:db8:bad:1::1", 23), 23),
            Step::new("served, IPv6", syn6("2001:db8:bad:1::1", SERVED), PASS),
            Step::new(
                "neighbour discovery",
                Packet::new("2001:db8::2", HERE6, Layer4::Icmp6 { kind: 135 }).hops(255).build(),
                PASS,
            ),
            Step::new("third port", tcp(80, SYN), AT_THRESHOLD).telling(Tell::Scan(vec![23, 24, 80], true)),
        ],
    )
}

pub(super) fn silent_observing() -> Script {
    script(
        "while observing silent ports answer",
        Setting { enforcing: false, ..setting(Gates::SILENT) },
        vec![
            Step::new("SYN", syn4("203.0.113.1", 23), &[Counter::Passed, Counter::WouldDrop, Counter::Knocks])
                .telling(Tell::Knock(23)),
        ],
    )
}

pub(super) fn traps() -> Script {
    let crossing = &[Counter::Passed, Counter::Knocks, Counter::Scans][..];
    script(
        "of dark ports that are traps the one that crosses the threshold is the last to be reached",
        setting(Gates::TRAPS),
        vec![
            knock("first port", syn4("203.0.113.1", 21), 21),
            knock("second port", syn4("203.0.113.1", 22), 22),
            Step::new("third port", syn4("203.0.113.1", 23), crossing).telling(Tell::Scan(vec![21, 22, 23], true)),
            Step::new("fourth port", syn4("203.0.113.1", 24), SILENCED),
            Step::new("its handshake goes on", Packet::tcp("203.0.113.1", HERE4, 23, ACK).build(), PASS),
            Step::new("and it speaks", Packet::tcp("203.0.113.1", HERE4, 23, ACK | PSH).build(), PASS),
            Step::new("served", syn4("203.0.113.1", SERVED), PASS),
        ],
    )
}

/// A packet at the door of the network stack, and whether it must go to the trap.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What it is.
    pub name: &'static str,
    /// The frame.
    pub frame: Vec<u8>,
    /// Must it be steered?
    pub steered: bool,
}

/// What the offers meet: traps on dark ports, and nobody banned.
#[must_use]
pub fn offers_setting() -> Setting {
    setting(Gates::TRAPS)
}

/// Everything that may come to the door. Each from a source of its own as far as it matters.
#[must_use]
pub fn offers() -> Vec<Offer> {
    let offer = |name, packet: Packet, steered| Offer { name, frame: packet.build(), steered };
    let tcp = |last: u8, port, flags| Packet::tcp(&alloc::format!("203.0.113.{last}"), HERE4, port, flags);
    let tcp6 = |last: u8, port, flags| Packet::tcp(&alloc::format!("2001:db8:bad:{last}::1"), HERE6, port, flags);
    vec![
        offer("SYN", tcp(1, 23, SYN), true),
        offer("SYN, IPv6", tcp6(1, 23, SYN), true),
        offer("the lowest port", tcp(2, 1, SYN), true),
        offer("the highest port", tcp(3, 65_535, SYN), true),
        offer("a port that this host sends from", tcp(4, SENT_FROM, SYN), true),
        offer("SYN with PSH and URG", tcp(5, 23, SYN | PSH | URG), true),
        offer("options", tcp(6, 23, SYN).options(10), true),
        offer("extension headers", tcp6(6, 23, SYN).extension(0).extension(60), true),
        offer("tagged", tcp(7, 23, SYN).vlans(&[VLAN]), true),
        offer("tagged twice", tcp(8, 23, SYN).vlans(&[QINQ, VLAN]), true),
        offer("tagged, IPv6", tcp6(8, 23, SYN).vlans(&[VLAN]), true),
        offer("served", tcp(9, SERVED, SYN), false),
        offer("served, IPv6", tcp6(9, SERVED, SYN), false),
        offer("excepted", tcp(10, EXCEPTED, SYN), false),
        offer("excepted, IPv6", tcp6(10, EXCEPTED, SYN), false),
        offer("allowed", Packet::tcp(FRIEND, HERE4, 23, SYN), false),
        offer("not for us", Packet::tcp("203.0.113.11", "192.0.2.2", 23, SYN), false),
        offer("not for us, IPv6", Packet::tcp("2001:db8:bad:11::1", "2001:db8::2", 23, SYN), false),
        offer("FIN", tcp(12, 23, FIN), false),
        offer("NULL", tcp(13, 23, 0), false),
        offer("Xmas", tcp(14, 23, FIN | PSH | URG), false),
        offer("SYN and FIN", tcp(15, 23, SYN | FIN), false),
        offer("ACK", tcp(16, 23, ACK), false),
        offer("SYN-ACK", tcp(17, 23, SYN | ACK), false),
        offer("RST", tcp(18, 23, RST), false),
        offer("later fragment", tcp(19, 23, SYN).fragment(1, false), false),
        offer("UDP", Packet::udp("203.0.113.20", HERE4, 23), false),
        offer("no TCP header", Packet::new("203.0.113.21", HERE4, Layer4::Raw(6, vec![0; 4])), false),
    ]
}

/// What the hushed packets meet: silent dark ports, of a host that forwards for others or does not.
#[must_use]
pub fn hushed_setting(forwards: bool) -> Setting {
    Setting { forwards, ..setting(Gates::SILENT) }
}

/// Packets at the door of silent dark ports; `steered` says which must be dropped there. What may be translated for others passes only
/// where the host forwards.
#[must_use]
pub fn hushed(forwards: bool) -> Vec<Offer> {
    let offer = |name, packet: Packet, steered| Offer { name, frame: packet.build(), steered };
    let tcp = |port, flags| Packet::tcp("203.0.113.1", HERE4, port, flags);
    let udp = |port| Packet::udp("203.0.113.1", HERE4, port);
    let udp6 = |port| Packet::udp("2001:db8:bad:1::1", HERE6, port);
    vec![
        offer("ACK", tcp(23, ACK), true),
        offer("SYN-ACK", tcp(23, SYN | ACK), true),
        offer("RST", tcp(23, RST), false),
        offer("UDP", udp(53), true),
        offer("UDP, tagged", udp(53).vlans(&[VLAN]), true),
        offer("UDP with a socket", udp(BOUND), false),
        offer("UDP to a port that hosts send from", udp(SENT_FROM), !forwards),
        offer("ACK to a port that hosts send from", tcp(SENT_FROM, ACK), !forwards),
        offer("ACK to a port that only others send from", tcp(SENT_FROM_ELSEWHERE, ACK), !forwards),
        offer("UDP to a port that hosts send from, IPv6", udp6(SENT_FROM), !forwards),
        offer("UDP to a port that this host sends from, bound", udp(BOUND_HIGH), false),
        offer("SYN to a port that this host sends from", tcp(SENT_FROM, SYN), true),
        offer("served, ACK", tcp(SERVED, ACK), false),
        offer("excepted, ACK", tcp(EXCEPTED, ACK), false),
        offer("excepted, UDP", udp(EXCEPTED), false),
        offer("allowed", Packet::udp(FRIEND, HERE4, 53), false),
        offer("allowed, ACK", Packet::tcp(FRIEND, HERE4, 23, ACK), false),
        offer("not for us", Packet::udp("203.0.113.5", "192.0.2.2", 53), false),
        offer("broadcast", Packet::udp("203.0.113.5", "255.255.255.255", 67), false),
        offer("UDP, IPv6", udp6(53), true),
        offer("UDP with a socket, IPv6", udp6(BOUND), false),
        offer("ACK, IPv6", Packet::tcp("2001:db8:bad:1::1", HERE6, 23, ACK), true),
        offer("neighbour discovery", Packet::new("2001:db8::2", HERE6, Layer4::Icmp6 { kind: 135 }).hops(255), false),
    ]
}

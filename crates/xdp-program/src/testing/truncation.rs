//! Every packet kind, cut at every length from the Ethernet header on.

use super::{
    packet::{Layer4, Packet, SYN},
    table::{End, HERE4, HERE6, Script, Setting, Step, Tell, cut},
};
use alloc::{format, vec, vec::Vec};
use honeymesh_xdp_abi::{Counter, SCOPE_ALL};

/// The shortest frame that the kernel's test run takes.
const LEN_MIN: usize = 14;

/// What comes of a frame that is at least this long, until the next entry.
type From = (usize, &'static [Counter]);

struct Kind {
    name: &'static str,
    packet: Packet,
    from: Vec<From>,
    tell: Tell,
}

const PASS: &[Counter] = &[Counter::Passed];
const CUT: &[Counter] = &[Counter::Passed, Counter::Malformed];
const KNOCK: &[Counter] = &[Counter::Passed, Counter::Knocks];
const NET: &[Counter] = &[Counter::DroppedNet];

/// The script of all of them. Each kind has a source of its own, because whole probes are counted.
pub(super) fn script() -> Script {
    let setting = Setting {
        bans: vec![
            ("198.51.100.1", SCOPE_ALL, End::Later),
            ("198.51.100.0/24", SCOPE_ALL, End::Later),
            ("2001:db8:bad:7::/64", SCOPE_ALL, End::Later),
        ],
        ..Setting::default()
    };
    let steps = kinds().into_iter().flat_map(cuts).collect();
    Script { name: "every packet kind, cut at every length", setting, steps, hits: Vec::new() }
}

fn cuts(kind: Kind) -> Vec<Step> {
    let frame = kind.packet.build();
    (LEN_MIN..=frame.len())
        .map(|len| {
            let counts = kind.from.iter().rev().find(|(from, _)| *from <= len).map_or(CUT, |(_, counts)| counts);
            let tell = if counts == KNOCK { kind.tell.clone() } else { Tell::Nothing };
            cut(format!("{} cut at {len}", kind.name), frame[..len].to_vec(), counts, tell)
        })
        .collect()
}

fn kinds() -> Vec<Kind> {
    let tcp4 = |source: &str| Packet::tcp(source, HERE4, 23, SYN);
    let tcp6 = |source: &str| Packet::tcp(source, HERE6, 23, SYN);
    let kind = |name, packet, from: &[From]| Kind { name, packet, from: from.to_vec(), tell: Tell::Knock(23) };
    vec![
        kind("SYN", tcp4("203.0.113.1"), &[(54, KNOCK)]),
        kind("SYN in a VLAN", tcp4("203.0.113.2").vlans(&[0x8100]), &[(58, KNOCK)]),
        kind("SYN in QinQ", tcp4("203.0.113.3").vlans(&[0x88a8, 0x8100]), &[(62, KNOCK)]),
        kind(
            "SYN under three tags",
            tcp4("203.0.113.4").vlans(&[0x88a8, 0x8100, 0x8100]),
            &[(22, &[Counter::Passed, Counter::NotIp])],
        ),
        kind("SYN behind options", tcp4("203.0.113.5").options(10), &[(94, KNOCK)]),
        kind("first fragment", tcp4("203.0.113.6").fragment(0, true), &[(54, KNOCK)]),
        kind("later fragment", tcp4("203.0.113.7").fragment(3, true), &[(34, PASS)]),
        kind("UDP", Packet::datagram("203.0.113.8", HERE4, 23), &[(42, KNOCK)]),
        kind("banned SYN", tcp4("198.51.100.1"), &[(34, &[Counter::DroppedV4])]),
        kind("banned later fragment", tcp4("198.51.100.1").fragment(9, false), &[(34, &[Counter::DroppedV4])]),
        kind("SYN of a banned prefix", tcp4("198.51.100.2").vlans(&[0x8100]), &[(38, NET)]),
        kind("SYN, IPv6", tcp6("2001:db8:bad:1::1"), &[(74, KNOCK)]),
        kind("SYN in QinQ, IPv6", tcp6("2001:db8:bad:2::1").vlans(&[0x88a8, 0x8100]), &[(82, KNOCK)]),
        kind("SYN behind three headers", tcp6("2001:db8:bad:3::1").extension(0).extension(43).extension(60), &[(98, KNOCK)]),
        kind("later fragment, IPv6", tcp6("2001:db8:bad:4::1").extension_of(44, &[0, 0, 80, 0, 0, 0, 1]), &[(58, PASS)]),
        kind("UDP, IPv6", Packet::datagram("2001:db8:bad:5::1", HERE6, 23), &[(62, KNOCK)]),
        kind("banned SYN, IPv6", tcp6("2001:db8:bad:7::1").extension(0), &[(54, &[Counter::DroppedV6])]),
        kind(
            "banned neighbour discovery",
            Packet::new("2001:db8:bad:7::1", HERE6, Layer4::Icmp6 { kind: 135 }).hops(255),
            &[(54, &[Counter::DroppedV6]), (58, &[Counter::Passed, Counter::Neighbour])],
        ),
    ]
}

//! Bans of addresses and prefixes, their ends, and who is exempt.

use super::*;
use alloc::format;

pub(super) fn quiet() -> Script {
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06]);
    arp.extend([0; 28]);
    let setting = Setting { local: Vec::new(), ..Setting::default() };
    script(
        "a host without bans and addresses passes everything",
        setting,
        vec![
            Step::new("ARP", arp, NOT_IP),
            Step::new("SYN", syn4("203.0.113.1", 1), PASS),
            Step::new("SYN, IPv6", syn6("2001:db8:bad::1", 1), PASS),
            Step::new("UDP", Packet::udp("203.0.113.1", HERE4, 53).build(), PASS),
            Step::new("three tags", Packet::tcp("203.0.113.1", HERE4, 1, SYN).vlans(&[QINQ, VLAN, VLAN]).build(), NOT_IP),
        ],
    )
}

pub(super) fn exact_bans() -> Script {
    let setting = Setting {
        bans: vec![("203.0.113.7", SCOPE_ALL, End::Later), ("2001:db8:bad:7::/64", SCOPE_ALL, End::Never)],
        ..Setting::default()
    };
    let v4 = |counts: &[Counter], packet: Packet| Step::new("banned IPv4", packet.build(), counts);
    let v6 = |counts: &[Counter], packet: Packet| Step::new("banned IPv6", packet.build(), counts);
    let (by4, by6) = (&[Counter::DroppedV4][..], &[Counter::DroppedV6][..]);
    let mut script = script(
        "an exact ban drops whatever the source sends, and nobody else's",
        setting,
        vec![
            v4(by4, Packet::tcp("203.0.113.7", HERE4, SERVED, SYN)),
            v4(by4, Packet::tcp("203.0.113.7", HERE4, SERVED, ACK | PSH)),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53)),
            v4(by4, Packet::udp("203.0.113.7", "198.51.100.1", 53)),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).vlans(&[VLAN])),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).vlans(&[QINQ, VLAN])),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).options(10)),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).fragment(0, true)),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).fragment(185, false)),
            v4(by4, Packet::new("203.0.113.7", HERE4, Layer4::Raw(47, vec![0; 8]))),
            v6(by6, Packet::tcp("2001:db8:bad:7::1", HERE6, SERVED, SYN)),
            v6(by6, Packet::udp("2001:db8:bad:7:ffff::1", HERE6, 53).extension(0).extension(60)),
            v6(by6, Packet::udp("2001:db8:bad:7::2", HERE6, 53).vlans(&[VLAN, VLAN])),
            Step::new("next address", Packet::udp("203.0.113.8", HERE4, 53).build(), PASS),
            Step::new("next prefix", Packet::udp("2001:db8:bad:8::1", HERE6, 53).build(), PASS),
            Step::new("towards the banned", Packet::udp("203.0.113.8", "203.0.113.7", 53).build(), PASS),
        ],
    );
    script.hits = vec![("203.0.113.7", 10), ("2001:db8:bad:7::/64", 3)];
    script
}

pub(super) fn every_packet() -> Script {
    let setting = Setting {
        bans: vec![("203.0.113.7", SCOPE_ALL, End::Later), ("2001:db8:bad:7::/64", SCOPE_ALL, End::Later)],
        ..Setting::default()
    };
    let (by4, by6) = (&[Counter::DroppedV4][..], &[Counter::DroppedV6][..]);
    let v4 = |name: &str, packet: Packet| Step::new(name, packet.build(), by4);
    let v6 = |name: &str, packet: Packet| Step::new(name, packet.build(), by6);
    let udp4 = |dest: &str| Packet::udp("203.0.113.7", dest, 53);
    let udp6 = |dest: &str| Packet::udp("2001:db8:bad:7::1", dest, 53);
    let fragment6 = |offset: u8| udp6(HERE6).extension_of(44, &[0, 0, offset, 0, 0, 0, 9]);
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06]);
    arp.extend([0; 28]);
    let mut garbage = udp4(HERE4).build();
    garbage[14] = 0x4f;
    garbage.truncate(60);
    script(
        "whatever a banned source sends, wherever to, is dropped, and only what is no IP or no packet passes",
        setting,
        vec![
            v4("to a forwarded address", udp4("172.17.0.2")),
            v4("to a multicast address", udp4("224.0.0.251")),
            v4("in two tags of the customer", udp4(HERE4).vlans(&[VLAN, VLAN])),
            v4("options in a tag", udp4(HERE4).options(10).vlans(&[QINQ])),
            v4("a last fragment to a forwarded address", udp4("172.17.0.2").fragment(1_000, false)),
            v4("reset of a connection", Packet::tcp("203.0.113.7", HERE4, SERVED, RST | ACK)),
            v4("end of a connection", Packet::tcp("203.0.113.7", HERE4, SERVED, FIN | ACK)),
            v4("ICMP", Packet::new("203.0.113.7", HERE4, Layer4::Raw(1, vec![8, 0, 0, 0, 0, 0, 0, 0]))),
            v4("IPsec", Packet::new("203.0.113.7", HERE4, Layer4::Raw(50, vec![0; 8]))),
            v4("no payload", Packet::new("203.0.113.7", HERE4, Layer4::Raw(255, Vec::new()))),
            v6("to a forwarded address", udp6("2001:db8:66::2")),
            v6("to a multicast address", udp6("ff02::fb")),
            v6("a first fragment", fragment6(1)),
            v6("a later fragment", fragment6(8)),
            v6("each extension header once", udp6(HERE6).extension(0).extension(43).extension(60)),
            v6("more of them than are followed", (0..7).fold(udp6(HERE6), |packet, _| packet.extension(60))),
            v6("an unknown protocol", Packet::new("2001:db8:bad:7::1", HERE6, Layer4::Raw(253, vec![0; 8]))),
            v6("two tags", udp6(HERE6).vlans(&[QINQ, VLAN])),
            Step::new("ARP", arp.clone(), NOT_IP),
            Step::new("three tags", udp4(HERE4).vlans(&[QINQ, VLAN, VLAN]).build(), NOT_IP),
            Step::new("a header longer than the packet says", garbage, MALFORMED),
            Step::new("somebody else", Packet::udp("203.0.113.6", "172.17.0.2", 53).build(), PASS),
        ],
    )
}

pub(super) fn ends() -> Script {
    let setting = Setting {
        bans: vec![
            ("203.0.113.7", SCOPE_ALL, End::Past),
            ("2001:db8:bad:7::/64", SCOPE_ALL, End::Past),
            ("198.51.100.0/24", SCOPE_ALL, End::Past),
            ("203.0.113.0/24", SCOPE_DARK, End::Past),
            ("203.0.113.9", SCOPE_DARK, End::Past),
        ],
        ..Setting::default()
    };
    let mut script = script(
        "an entry whose end has come drops nothing, whoever is there to remove it",
        setting,
        vec![
            Step::new("IPv4", Packet::udp("203.0.113.7", HERE4, 53).build(), PASS),
            Step::new("IPv6", Packet::udp("2001:db8:bad:7::1", HERE6, 53).build(), PASS),
            Step::new("prefix", Packet::udp("198.51.100.4", HERE4, 53).build(), PASS),
            knock("silence", syn4("203.0.113.9", 23), 23),
        ],
    );
    script.hits = vec![("203.0.113.7", 0), ("198.51.100.0/24", 0)];
    script
}

pub(super) fn prefixes() -> Script {
    let setting = Setting {
        bans: vec![
            ("198.51.100.0/24", SCOPE_ALL, End::Later),
            ("2001:db8:bad::/48", SCOPE_ALL, End::Later),
            ("2001:db8:cafe::1", SCOPE_ALL, End::Later),
        ],
        ..Setting::default()
    };
    let by_net = &[Counter::DroppedNet][..];
    let mut script = script(
        "a prefix is banned from its first to its last address",
        setting,
        vec![
            Step::new("first", Packet::udp("198.51.100.0", HERE4, 53).build(), by_net),
            Step::new("last", Packet::udp("198.51.100.255", HERE4, 53).build(), by_net),
            Step::new("before", Packet::udp("198.51.99.255", HERE4, 53).build(), PASS),
            Step::new("behind", Packet::udp("198.51.101.0", HERE4, 53).build(), PASS),
            Step::new("first, IPv6", Packet::udp("2001:db8:bad::", HERE6, 53).build(), by_net),
            Step::new("last, IPv6", Packet::udp("2001:db8:bad:ffff:ffff::", HERE6, 53).build(), by_net),
            Step::new("behind, IPv6", Packet::udp("2001:db8:bae::", HERE6, 53).build(), PASS),
            Step::new("one address", Packet::udp("2001:db8:cafe::1", HERE6, 53).build(), by_net),
            Step::new("its neighbour", Packet::udp("2001:db8:cafe::2", HERE6, 53).build(), PASS),
        ],
    );
    script.hits = vec![("198.51.100.0/24", 2), ("2001:db8:bad::/48", 2), ("2001:db8:cafe::1", 1)];
    script
}

pub(super) fn nested_prefixes() -> Script {
    let setting = Setting {
        bans: vec![
            ("198.51.0.0/16", SCOPE_ALL, End::Later),
            ("198.51.100.0/24", SCOPE_ALL, End::Past),
            ("198.51.100.64/26", SCOPE_DARK, End::Later),
            ("2001:db8::/32", SCOPE_ALL, End::Never),
            ("2001:db8:1::/48", SCOPE_DARK, End::Later),
            ("2001:db8:1::7", SCOPE_ALL, End::Past),
        ],
        ..Setting::default()
    };
    let mut script = script(
        "a narrower prefix that has ended or is narrower in scope does not shield from the wider ban",
        setting,
        vec![
            Step::new("inside all three", Packet::udp("198.51.100.65", HERE4, 53).build(), &[Counter::DroppedNet]),
            Step::new("IPv6", Packet::udp("2001:db8:1::7", HERE6, 53).build(), &[Counter::DroppedNet]),
        ],
    );
    script.hits = vec![("198.51.0.0/16", 1), ("198.51.100.64/26", 0), ("2001:db8::/32", 1)];
    script
}

/// A wide ban around as many prefixes as can contain each other, every one of them ended or narrower in scope.
pub(super) fn deeply_nested_prefixes() -> Script {
    let (v4, v6) = (|bits| format!("64.0.0.0/{bits}"), |bits| format!("4000::/{bits}"));
    // The table lives as long as the test: so may its words.
    let within = (2..32).flat_map(|bits| [v4(bits), v6(bits)]).chain(["0.0.0.0/1".into(), "::/1".into()]);
    let within = within.zip((0..).map(|number| number % 4 < 2)).map(|(net, has_ended)| {
        let (scope, end) = if has_ended { (SCOPE_ALL, End::Past) } else { (SCOPE_DARK, End::Later) };
        (&*net.leak(), scope, end)
    });
    let around = ["0.0.0.0/0", "::/0"].map(|net| (net, SCOPE_ALL, End::Later));
    let mut script = script(
        "a ban holds behind every prefix that can be within it and has ended or is narrower in scope",
        Setting { bans: within.chain(around).collect(), ..Setting::default() },
        vec![
            Step::new("IPv4", Packet::udp("64.0.0.1", HERE4, 53).build(), &[Counter::DroppedNet]),
            Step::new("IPv6", Packet::udp("4000::1", HERE6, 53).build(), &[Counter::DroppedNet]),
        ],
    );
    script.hits = vec![("0.0.0.0/0", 1), ("::/0", 1), ("64.0.0.0/31", 0)];
    script
}

pub(super) fn allowed() -> Script {
    let setting = Setting {
        bans: vec![
            ("203.0.113.7", SCOPE_ALL, End::Later),
            ("198.51.100.0/24", SCOPE_ALL, End::Later),
            ("203.0.113.8", SCOPE_DARK, End::Later),
            ("2001:db8:bad:7::/64", SCOPE_ALL, End::Later),
        ],
        allow: vec!["203.0.113.0/28", "198.51.100.9", "2001:db8:bad:7::9", "2001:db8:feed::/48"],
        ..Setting::default()
    };
    let allow = &[Counter::Passed, Counter::Allowed][..];
    let mut script = script(
        "the allowlist wins over every ban, and allowed sources are no scanners",
        setting,
        vec![
            Step::new("exact", syn4("203.0.113.7", SERVED), allow),
            Step::new("one of a prefix", Packet::udp("198.51.100.9", HERE4, 53).build(), allow),
            Step::new("another of it", Packet::udp("198.51.100.8", HERE4, 53).build(), &[Counter::DroppedNet]),
            Step::new("silence", syn4("203.0.113.8", 23), allow),
            Step::new("one of a /64", syn6("2001:db8:bad:7::9", SERVED), allow),
            Step::new("another of it", syn6("2001:db8:bad:7::8", SERVED), &[Counter::DroppedV6]),
            Step::new("probe 1", syn4("203.0.113.9", 21), allow),
            Step::new("probe 2", syn4("203.0.113.9", 22), allow),
            Step::new("probe 3", syn4("203.0.113.9", 23), allow),
            Step::new("probe 4", syn4("203.0.113.9", 24), allow),
            Step::new("probe 1", syn6("2001:db8:feed::1", 21), allow),
            Step::new("probe 2", syn6("2001:db8:feed::1", 22), allow),
            Step::new("probe 3", syn6("2001:db8:feed::1", 23), allow),
        ],
    );
    script.hits = vec![("203.0.113.7", 0), ("198.51.100.0/24", 1), ("203.0.113.8", 0), ("2001:db8:bad:7::/64", 1)];
    script
}

pub(super) fn neighbour_discovery() -> Script {
    let setting = Setting { bans: vec![("2001:db8:bad:7::/64", SCOPE_ALL, End::Later)], ..Setting::default() };
    let icmp = |kind, hops| Packet::new("2001:db8:bad:7::1", HERE6, Layer4::Icmp6 { kind }).hops(hops);
    let (passed, dropped) = (&[Counter::Passed, Counter::Neighbour][..], &[Counter::DroppedV6][..]);
    let mut steps: Vec<Step> =
        (133..=137).map(|kind| Step::new("neighbour discovery", icmp(kind, 255).build(), passed)).collect();
    steps.extend([
        Step::new("routed, so forged", icmp(135, 254).build(), dropped),
        Step::new("echo request", icmp(128, 255).build(), dropped),
        Step::new("below the range", icmp(132, 255).build(), dropped),
        Step::new("above the range", icmp(138, 255).build(), dropped),
        Step::new("with an extension header", icmp(135, 255).extension(0).build(), dropped),
        Step::new("UDP", Packet::udp("2001:db8:bad:7::1", HERE6, 53).hops(255).build(), dropped),
    ]);
    script("a banned neighbour still resolves addresses", setting, steps)
}

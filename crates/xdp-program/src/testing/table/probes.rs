//! What is a probe, where the threshold lies, and headers that make it hard to see.

use super::*;

pub(super) fn probes() -> Script {
    let from = |source: &str, flags| Packet::tcp(source, HERE4, 23, flags).build();
    script(
        "a probe is TCP without ACK and RST, to an own address, on a port without a socket",
        Setting::default(),
        vec![
            knock("SYN", from("203.0.113.1", SYN), 23),
            knock("FIN", from("203.0.113.2", FIN), 23),
            knock("NULL", from("203.0.113.3", 0), 23),
            knock("Xmas", from("203.0.113.4", FIN | PSH | URG), 23),
            Step::new("ACK", from("203.0.113.5", ACK), PASS),
            Step::new("SYN-ACK", from("203.0.113.5", SYN | ACK), PASS),
            Step::new("RST", from("203.0.113.5", RST), PASS),
            Step::new("Maimon", from("203.0.113.5", FIN | ACK), PASS),
            Step::new("not for us", Packet::tcp("203.0.113.5", "192.0.2.2", 23, SYN).build(), PASS),
            Step::new("broadcast", Packet::tcp("203.0.113.5", "255.255.255.255", 23, SYN).build(), PASS),
            Step::new("served", syn4("203.0.113.5", SERVED), PASS),
            Step::new("served, IPv6", syn6("2001:db8:bad:5::1", SERVED), PASS),
            Step::new("not for us, IPv6", Packet::tcp("2001:db8:bad:5::1", "2001:db8::2", 23, SYN).build(), PASS),
            knock("IPv6", syn6("2001:db8:bad:1::1", 23), 23),
            knock("port 0", syn4("203.0.113.6", 0), 0),
            Step::new("the same port again", syn4("203.0.113.6", 0), KNOCK),
            Step::new("and again", syn4("203.0.113.6", 0), KNOCK),
            Step::new("and again", syn4("203.0.113.6", 0), KNOCK),
            knock("first fragment", Packet::tcp("203.0.113.10", HERE4, 23, SYN).fragment(0, true).build(), 23),
            Step::new("later fragment", Packet::tcp("203.0.113.11", HERE4, 23, SYN).fragment(1, false).build(), PASS),
            knock("options", Packet::tcp("203.0.113.12", HERE4, 23, SYN).options(10).build(), 23),
            knock("tagged", Packet::tcp("203.0.113.13", HERE4, 23, SYN).vlans(&[QINQ, VLAN]).build(), 23),
        ],
    )
}

pub(super) fn threshold_v4() -> Script {
    script(
        "the packet that crosses the threshold is dropped, and dark ports stay silent from then on",
        Setting::default(),
        vec![
            knock("first port", syn4("203.0.113.1", 21), 21),
            Step::new("the same again", syn4("203.0.113.1", 21), KNOCK),
            knock("second port", syn4("203.0.113.1", 65_535), 65_535),
            Step::new("third port", syn4("203.0.113.1", 23), AT_THRESHOLD).telling(Tell::Scan(vec![21, 23, 65_535], true)),
            Step::new("fourth port", syn4("203.0.113.1", 24), &[Counter::DroppedDark]),
            Step::new("first port", syn4("203.0.113.1", 21), &[Counter::DroppedDark]),
            Step::new("served port", syn4("203.0.113.1", SERVED), PASS),
            Step::new("ACK", Packet::tcp("203.0.113.1", HERE4, 24, ACK).build(), PASS),
            Step::new("UDP", Packet::datagram("203.0.113.1", HERE4, 24).build(), &[Counter::DroppedDark]),
            Step::new("UDP, served", Packet::datagram("203.0.113.1", HERE4, SERVED).build(), PASS),
            knock("another source", syn4("203.0.113.2", 24), 24),
        ],
    )
}

pub(super) fn threshold_v6() -> Script {
    script(
        "an IPv6 scan counts by customer prefix, over all its addresses",
        Setting::default(),
        vec![
            knock("first address", syn6("2001:db8:bad:1::1", 21), 21),
            knock("second address", syn6("2001:db8:bad:1:a::2", 22), 22),
            knock("another prefix", syn6("2001:db8:bad:2::1", 23), 23),
            Step::new("third address", syn6("2001:db8:bad:1:b::3", 23), AT_THRESHOLD).telling(Tell::Scan(vec![21, 22, 23], true)),
            Step::new("fourth address", syn6("2001:db8:bad:1:c::4", 24), &[Counter::DroppedDark]),
            Step::new("served port", syn6("2001:db8:bad:1::1", SERVED), PASS),
        ],
    )
}

pub(super) fn threshold_of_one() -> Script {
    let mut setting = Setting::default();
    setting.scan.ports = 1;
    script(
        "with a threshold of one no probe is answered",
        setting,
        vec![
            Step::new("SYN", syn4("203.0.113.1", 21), AT_THRESHOLD).telling(Tell::Scan(vec![21], true)),
            Step::new("again", syn4("203.0.113.1", 21), &[Counter::DroppedDark]),
        ],
    )
}

pub(super) fn served_ports_stay_open() -> Script {
    let mut steps: Vec<Step> = (0..6).map(|_| Step::new("forged SYN", syn4("203.0.113.1", SERVED), PASS)).collect();
    steps.push(knock("dark", syn4("203.0.113.1", 23), 23));
    script("a served port is never a probe, however often it is asked", Setting::default(), steps)
}

pub(super) fn link_local_neighbours() -> Script {
    let setting = Setting { bans: vec![("fe80::bad", SCOPE_DARK, End::Later)], ..Setting::default() };
    script(
        "link-local neighbours are counted and silenced one by one, although they share one /64",
        setting,
        vec![
            knock("first", syn6("fe80::1", 21), 21),
            knock("second", syn6("fe80::2", 22), 22),
            knock("third", syn6("fe80::3", 23), 23),
            Step::new("the silenced one", syn6("fe80::bad", 21), &[Counter::DroppedDark]),
        ],
    )
}

pub(super) fn odd_headers() -> Script {
    let v4 = |name: &str, at: usize, octet: u8, counts: &[Counter]| {
        let mut frame = syn4("203.0.113.1", SERVED);
        frame[at] = octet;
        Step::new(name, frame, counts)
    };
    let odd = |name: &str, packet: Packet, at: usize, octet: u8| {
        let mut frame = packet.build();
        frame[at] = octet;
        Step::new(name, frame, MALFORMED)
    };
    let v6 = |packet: Packet| packet.build();
    let many = |count: usize| {
        (0..count).fold(Packet::tcp("2001:db8:bad:9::1", HERE6, 23, SYN), |packet, _| packet.extension(60)).build()
    };
    let tcp6 = |source: &str| Packet::tcp(source, HERE6, 23, SYN);
    script(
        "headers that contradict themselves pass and are counted; long ones are followed",
        Setting::default(),
        vec![
            v4("IPv4 that says 5", 14, 0x55, MALFORMED),
            v4("IPv4 header of 16 octets", 14, 0x44, MALFORMED),
            v4("IPv4 shorter than its header", 17, 19, MALFORMED),
            v4("TCP beyond the packet's end", 17, 39, MALFORMED),
            v4("TCP header of 16 octets", 46, 0x40, MALFORMED),
            odd("UDP beyond the packet's end", Packet::datagram("203.0.113.1", HERE4, 23), 17, 27),
            odd("UDP beyond the end, IPv6", Packet::datagram("2001:db8:bad::1", HERE6, 23), 19, 7),
            odd("shorter than its options", Packet::tcp("203.0.113.1", HERE4, 23, SYN).options(10), 17, 59),
            odd("TCP beyond the end, behind options", Packet::tcp("203.0.113.1", HERE4, 23, SYN).options(10), 17, 79),
            odd("TCP header of 16 octets, behind options", Packet::tcp("203.0.113.1", HERE4, 23, SYN).options(10), 86, 0x40),
            odd("UDP beyond the end, behind options", Packet::datagram("203.0.113.1", HERE4, 23).options(3), 17, 39),
            odd("TCP header of 16 octets, IPv6", Packet::tcp("2001:db8:bad::1", HERE6, 23, SYN), 66, 0x4f),
            odd("TCP header of 16 octets, behind a header", tcp6("2001:db8:bad::1").extension(60), 74, 0x4f),
            odd("in QinQ, IPv4 that says 6", Packet::tcp("203.0.113.1", HERE4, 23, SYN).vlans(&[QINQ, VLAN]), 22, 0x65),
            odd("in QinQ, TCP header of 16 octets", Packet::tcp("203.0.113.1", HERE4, 23, SYN).vlans(&[QINQ, VLAN]), 54, 0x4f),
            odd("in QinQ, UDP beyond the end", Packet::datagram("203.0.113.1", HERE4, 23).vlans(&[QINQ, VLAN]), 25, 27),
            odd("in QinQ, IPv6 that says 4", tcp6("2001:db8:bad::1").vlans(&[QINQ, VLAN]), 22, 0x4f),
            odd("in QinQ, TCP beyond the end, IPv6", tcp6("2001:db8:bad::1").vlans(&[QINQ, VLAN]), 27, 19),
            Step::new(
                "IPv6 that says 4",
                {
                    let mut frame = syn6("2001:db8:bad::1", 23);
                    frame[14] = 0x40;
                    frame
                },
                MALFORMED,
            ),
            Step::new(
                "TCP beyond the end, IPv6",
                {
                    let mut frame = syn6("2001:db8:bad::1", 23);
                    frame[19] = 19;
                    frame
                },
                MALFORMED,
            ),
            knock(
                "a jumbogram's length of zero",
                {
                    let mut frame = syn6("2001:db8:bad:1::1", 23);
                    frame[19] = 0;
                    frame
                },
                23,
            ),
            knock("six extension headers", many(6), 23),
            Step::new("seven", many(7), &[Counter::Passed, Counter::Extensions]),
            knock("hop-by-hop of 24 octets", v6(tcp6("2001:db8:bad:2::1").extension_of(0, &[&[2][..], &[0; 22]].concat())), 23),
            knock("routing", v6(tcp6("2001:db8:bad:3::1").extension(43)), 23),
            knock("authentication", v6(tcp6("2001:db8:bad:4::1").extension_of(51, &[&[4][..], &[0; 22]].concat())), 23),
            knock("first fragment", v6(tcp6("2001:db8:bad:5::1").extension_of(44, &[0, 0, 1, 0, 0, 0, 7])), 23),
            Step::new("later fragment", v6(tcp6("2001:db8:bad:6::1").extension_of(44, &[0, 0, 8, 0, 0, 0, 7])), PASS),
            Step::new("encrypted", v6(Packet::new("2001:db8:bad:6::1", HERE6, Layer4::Raw(50, vec![0; 24]))), PASS),
            Step::new("no next header", v6(Packet::new("2001:db8:bad:6::1", HERE6, Layer4::Raw(59, vec![]))), PASS),
            Step::new(
                "extension beyond the frame",
                v6(tcp6("2001:db8:bad:6::1").extension_of(60, &[255, 0, 0, 0, 0, 0, 0])),
                MALFORMED,
            ),
        ],
    )
}

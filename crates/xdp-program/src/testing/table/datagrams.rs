//! Datagrams to dark ports: which are probes, and that those of both transports count together.

use super::*;

fn udp4(source: &str, port: u16) -> Vec<u8> {
    Packet::datagram(source, HERE4, port).build()
}

fn udp_from(source: &str, source_port: u16, port: u16) -> Vec<u8> {
    Packet::new(source, HERE4, Layer4::Udp { source_port, port }).build()
}

pub(super) fn probes() -> Script {
    script(
        "a datagram is a probe unless it may be an answer that comes late, or a traceroute",
        Setting::default(),
        vec![
            knock("dark", udp4("203.0.113.1", 161), 161),
            Step::new("the same port again", udp4("203.0.113.1", 161), KNOCK),
            knock("below the ports that we send from", udp4("203.0.113.2", 32_767), 32_767),
            Step::new("the first port that we send from", udp4("203.0.113.2", 32_768), PASS),
            Step::new("the last port that we send from", udp4("203.0.113.2", 60_999), PASS),
            knock("above the ports that we send from", udp4("203.0.113.2", 61_000), 61_000),
            Step::new("from a resolver", udp_from("203.0.113.3", 53, 5_060), PASS),
            Step::new("from the last well-known port", udp_from("203.0.113.3", 1_023, 5_060), PASS),
            Step::new("to the first port of a privileged client", udp_from("203.0.113.3", 111, 512), PASS),
            Step::new("from a resolver that asks from its own port", udp_from("203.0.113.3", 53, 53), PASS),
            Step::new("from a DHCP server", udp_from("203.0.113.3", 67, 68), PASS),
            Step::new("from a clock", udp_from("203.0.113.3", 123, 123), PASS),
            knock("from a port of anybody's", udp_from("203.0.113.3", 1_024, 5_060), 5_060),
            knock("like a resolver's answer, to where nobody asks from", udp_from("203.0.113.8", 53, 511), 511),
            knock("like a clock's", udp_from("203.0.113.8", 123, 161), 161),
            Step::new("served", udp4("203.0.113.4", SERVED), PASS),
            Step::new("not for us", Packet::datagram("203.0.113.4", "192.0.2.2", 161).build(), PASS),
            Step::new("multicast", Packet::datagram("203.0.113.4", "224.0.0.251", 5_353).build(), PASS),
            knock("IPv6", Packet::datagram("2001:db8:bad:1::1", HERE6, 161).build(), 161),
            Step::new("served, IPv6", Packet::datagram("2001:db8:bad:1::1", HERE6, SERVED).build(), PASS),
            knock("first fragment", Packet::datagram("203.0.113.5", HERE4, 161).fragment(0, true).build(), 161),
            Step::new("later fragment", Packet::datagram("203.0.113.6", HERE4, 161).fragment(1, false).build(), PASS),
        ],
    )
}

pub(super) fn threshold() -> Script {
    script(
        "ports of both transports count together, and one port on both counts once",
        Setting::default(),
        vec![
            knock("UDP", udp4("203.0.113.1", 443), 443),
            Step::new("the same port by TCP", syn4("203.0.113.1", 443), KNOCK),
            knock("another port by TCP", syn4("203.0.113.1", 80), 80),
            Step::new("a third port by UDP", udp4("203.0.113.1", 161), AT_THRESHOLD)
                .telling(Tell::Scan(vec![80, 161, 443], true)),
            Step::new("UDP", udp4("203.0.113.1", 162), &[Counter::DroppedDark]),
            Step::new("TCP", syn4("203.0.113.1", 23), &[Counter::DroppedDark]),
            Step::new("a late answer", udp_from("203.0.113.1", 53, 5_162), PASS),
            Step::new("what only looks like one", udp_from("203.0.113.1", 53, 162), &[Counter::DroppedDark]),
            Step::new("UDP, served", udp4("203.0.113.1", SERVED), PASS),
        ],
    )
}

pub(super) fn switched_off() -> Script {
    let setting = Setting { udp: false, bans: vec![("203.0.113.7", SCOPE_DARK, End::Later)], ..Setting::default() };
    script(
        "with UDP switched off no datagram is looked at",
        setting,
        vec![
            Step::new("dark", udp4("203.0.113.1", 161), PASS),
            Step::new("silenced", udp4("203.0.113.7", 161), PASS),
            Step::new("cut short", udp4("203.0.113.1", 161)[..38].to_vec(), PASS),
        ],
    )
}

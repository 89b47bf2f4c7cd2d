//! Connections to dark ports: mistakes are forgiven, scans and attacks are not.

use super::*;

const FIREFOX: &[u8] = b"GET / HTTP/1.1\r\nHost: 192.0.2.10:8081\r\nUser-Agent: Mozilla/5.0 Firefox/128.0\r\n\r\n";

fn contact(source: &str, port: u16, payload: &[u8]) -> Input {
    let local = SocketAddr::new(ip("192.0.2.10"), port);
    Input::Visit(Visit { trap: "dark".into(), service: "any".into(), local, signs: Signs::DARK, ..visit(source, payload) })
}

#[test]
fn one_connection_or_an_ordinary_request_to_a_wrong_port_earns_nothing() {
    for payload in [b"".as_slice(), FIREFOX, b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-OpenSSH_9.2\r\n"] {
        let mut bench = Bench::new(config(1));
        for _ in 0..50 {
            let out = bench.feed(contact(ATTACKER, 8_081, payload));
            assert!(words(&out).iter().all(|word| word == "tell visit"), "{:?}", words(&out));
        }
        assert_eq!(bench.node.ban(&subject(ATTACKER)), None, "{payload:?}");
        assert_eq!(bench.node.status().counters.contacts, 50);
    }
}

#[test]
fn handshakes_with_so_many_dark_ports_are_a_proven_scan() {
    let mut config = config(1);
    config.clusters.push(cluster(1, key(1), Trust::Enforce));
    let mut bench = Bench::new(config);
    let first = bench.feed(contact(ATTACKER, 21, b""));
    let event = events(&first, EventKind::Visit)[0];
    assert_eq!((event.grade, event.port, field(event, "dark_ports")), (Some(Grade::Handshake), Some(21), "1 of 3"));
    assert_eq!(event.trap.as_deref(), Some("dark"));
    bench.feed(contact(ATTACKER, 8_081, FIREFOX));
    let out = bench.feed(contact(ATTACKER, 23, b""));
    let said: Vec<String> = words(&out).into_iter().filter(|word| word != "send").collect();
    assert_eq!(
        said,
        [
            "enforce 203.0.113.7/32 all",
            "keep 203.0.113.7/32 scan",
            "record 203.0.113.7/32",
            "tell visit",
            "tell scan",
            "tell ban"
        ]
    );
    let scan = events(&out, EventKind::Scan)[0];
    assert_eq!((scan.grade, field(scan, "ports")), (Some(Grade::Handshake), "21,8081,23"));
    let ban = bench.node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!((ban.grade, ban.reasons, ban.scope), (Grade::Handshake, Reasons::SCAN, Scope::All));
    assert_eq!(field(events(&out, EventKind::Ban)[0], "evidence"), scan.id.to_string());
}

#[test]
fn neither_time_nor_a_neighbour_nor_forged_probes_add_up_to_a_scan() {
    let mut bench = Bench::new(config(1));
    for port in 1..200 {
        bench.feed(contact(ATTACKER, port, b""));
        bench.pass(Duration::from_secs(31));
    }
    assert_eq!(bench.node.ban(&subject(ATTACKER)), None, "never three within a minute");
    for (index, source) in ["203.0.113.8", "203.0.113.9", "203.0.113.10"].into_iter().enumerate() {
        bench.feed(contact(source, 21 + u16::try_from(index).unwrap(), b""));
        assert_eq!(bench.node.ban(&subject(source)), None);
    }
    // One honest connection does not vouch for the rest of a forged scan.
    bench.feed(contact(ATTACKER, 443, b""));
    bench.feed(scan(ATTACKER, true));
    let ban = bench.node.ban(&subject(ATTACKER)).unwrap();
    assert_eq!((ban.grade, ban.scope), (Grade::Spoofable, Scope::Dark));
}

#[test]
fn an_attack_on_a_dark_port_is_an_attack_as_on_any_trap() {
    let attacks: [(&[u8], Signs); 3] = [
        (b"${jndi:ldap://x/a}", Signs::empty()),
        (b"USER root\r\nPASS toor\r\n", Signs::CREDENTIALS),
        (b"GET /shell?cmd=cat+/etc/passwd HTTP/1.1\r\n\r\n", Signs::empty()),
    ];
    for (payload, signs) in attacks {
        let mut bench = Bench::new(config(1));
        let Input::Visit(visit) = contact(ATTACKER, 31_337, payload) else { panic!() };
        let out = bench.feed(Input::Visit(Visit { signs: signs | Signs::DARK, ..visit }));
        assert_eq!(
            words(&out),
            ["enforce 203.0.113.7/32 all", "keep 203.0.113.7/32 trap", "tell visit", "tell ban"],
            "{payload:?}"
        );
        assert_eq!(bench.node.ban(&subject(ATTACKER)).unwrap().grade, Grade::Hostile);
    }
}

#[test]
fn a_customer_prefix_is_one_source_and_the_threshold_is_the_operators() {
    let mut config = config(1);
    config.scan.ports = 2;
    let mut bench = Bench::new(config);
    bench.feed(contact("2001:db8:5::1", 21, b""));
    bench.feed(contact("2001:db8:5::2", 22, b""));
    assert_eq!(bench.node.ban(&subject("2001:db8:5::/64")).unwrap().grade, Grade::Handshake);
}

#[test]
fn what_is_protected_is_told_and_not_banned() {
    let mut bench = Bench::new(config(1));
    let out: Vec<Output> = [21, 22, 23].into_iter().flat_map(|port| bench.feed(contact("192.0.2.1", port, b""))).collect();
    assert!(field(events(&out, EventKind::Scan)[0], "refused").contains("gateway"));
    assert!(bench.node.intent().is_empty());
}

#[test]
fn a_sweep_that_is_only_watched_does_not_flood_the_store() {
    let mut config = config(1);
    config.policy.mode = Mode::Observe;
    let mut bench = Bench::new(config);
    let told: usize = (1..=10_000).map(|port| bench.feed(contact(ATTACKER, port, b"")).len()).sum();
    assert!(told < 100, "{told} outputs");
    assert_eq!(bench.node.status().counters.contacts, 10_000);
    assert!(bench.node.status().counters.suppressed > 9_000);
    assert!(bench.node.ban(&subject(ATTACKER)).is_some_and(|ban| !ban.enforced));
}

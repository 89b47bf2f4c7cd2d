//! Scans in the real kernel: datagrams, floods, windows of any length, nobody at home, and the oracle's coin.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{Peer, Room, alone, flood::Wire, hour, wait};
use honeymesh_types::{Fate, Knock, KnockKind, Scope, Transport};
use honeymesh_xdp::{Kernel, Knocks, OnExit, ScanOptions, now};
use honeymesh_xdp_program::testing::{HERE4, HERE6, Packet, SYN};
use nix::{ifaddrs::getifaddrs, sys::socket::LinkAddr};
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

const ANSWERS_MAX: usize = 64;

/// A kernel on loopback whose program is only tried out.
fn tried(room: &Room, change: impl FnOnce(&mut ScanOptions)) -> (Kernel, Knocks) {
    let mut options = room.options(&["lo"]);
    options.exit = OnExit::Release;
    change(&mut options.scan);
    let (mut kernel, knocks) = Kernel::start(&options).unwrap();
    kernel.set_local(&[HERE4.parse().unwrap()]).unwrap();
    (kernel, knocks)
}

fn syn(kernel: &Kernel, source: &str, port: u16) -> bool {
    let here = if source.contains(':') { HERE6 } else { HERE4 };
    kernel.try_frame(&Packet::tcp(source, here, port, SYN).build(), 1).unwrap().dropped
}

fn all(knocks: &mut Knocks) -> Vec<Knock> {
    std::iter::from_fn(|| knocks.next(now())).collect()
}

#[test]
fn datagrams_to_dark_ports_are_refused_twice_and_never_again() {
    alone("datagrams over the wire", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let served = UdpSocket::bind("192.0.2.1:5300").unwrap();
        served.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (mut kernel, mut knocks) = Kernel::start(&room.options(&["hm0"])).unwrap();
        kernel.set_local(&["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]).unwrap();
        let ask = |to: &'static str, port: u16| {
            peer.run(move || {
                let to = SocketAddr::new(to.parse().unwrap(), port);
                let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
                socket.connect(to).unwrap();
                socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                socket.send(b"?").unwrap();
                socket.recv(&mut [0; 8]).unwrap_err().kind()
            })
        };
        for to in ["192.0.2.1", "2001:db8::1"] {
            assert_eq!([161, 500].map(|port| ask(to, port)), [ErrorKind::ConnectionRefused; 2], "{to}");
            assert_eq!([1_194, 5_060].map(|port| ask(to, port)), [ErrorKind::WouldBlock; 2], "{to}: silence");
        }
        ask("192.0.2.1", 5_300);
        assert!(served.recv(&mut [0; 8]).is_ok(), "served ports stay open");
        let told = all(&mut knocks);
        assert_eq!(told.len(), 6);
        assert!(told.iter().all(|knock| knock.transport == Transport::Udp), "{told:?}");
        assert_eq!(told[2].kind, KnockKind::Scan { ports: vec![161, 500, 1_194], silenced: true });
        kernel.release().unwrap();
    });
}

#[test]
fn what_the_host_may_have_asked_for_is_no_probe_as_soon_as_it_may_have() {
    alone("the ports that this host sends from", |room| {
        let (mut kernel, mut knocks) = tried(room, |_| {});
        let ask = |kernel: &Kernel, port| kernel.try_frame(&Packet::datagram("203.0.113.7", HERE4, port).build(), 1).unwrap();
        ask(&kernel, 20_000);
        assert_eq!(all(&mut knocks).len(), 1);
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "15000 60999").unwrap();
        kernel.set_local(&[HERE4.parse().unwrap()]).unwrap();
        ask(&kernel, 20_001);
        assert_eq!(all(&mut knocks).len(), 0);
    });
}

#[test]
fn while_nobody_is_there_the_probe_that_crosses_is_still_the_last_that_is_answered() {
    alone("no daemon", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let (mut kernel, knocks) = Kernel::start(&room.options(&["hm0"])).unwrap();
        kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        drop((kernel, knocks));
        let connect = |port: u16| {
            peer.run(move || {
                let to = SocketAddr::new("192.0.2.1".parse().unwrap(), port);
                TcpStream::connect_timeout(&to, Duration::from_millis(300)).unwrap_err().kind()
            })
        };
        assert_eq!([21, 22].map(connect), [ErrorKind::ConnectionRefused; 2]);
        assert_eq!([23, 24, 25].map(connect), [ErrorKind::TimedOut; 3]);
        let (kernel, mut knocks) = Kernel::start(&room.options(&["hm0"])).unwrap();
        let scans = all(&mut knocks).into_iter().filter(|knock| matches!(knock.kind, KnockKind::Scan { .. })).count();
        assert_eq!((scans, connect(26)), (1, ErrorKind::TimedOut), "and the next daemon learns of it");
        kernel.release().unwrap();
    });
}

/// What the peer hears at these ports, each asked once at the same time: how many refuse, and how many are silent.
fn asked(peer: &Peer, to: &'static str, ports: std::ops::Range<u16>) -> [usize; 2] {
    peer.run(move || {
        std::thread::scope(|scope| {
            let ask = |port| {
                let to = SocketAddr::new(to.parse().unwrap(), port);
                TcpStream::connect_timeout(&to, Duration::from_millis(700)).unwrap_err().kind()
            };
            let asking: Vec<_> = ports.map(|port| scope.spawn(move || ask(port))).collect();
            let answers: Vec<_> = asking.into_iter().map(|one| one.join().unwrap()).collect();
            [ErrorKind::ConnectionRefused, ErrorKind::TimedOut]
                .map(|wanted| answers.iter().filter(|answer| **answer == wanted).count())
        })
    })
}

#[test]
fn while_nobody_is_there_the_oracle_answers_no_more_than_it_may_and_the_next_daemon_weighs_all_of_it() {
    alone("the oracle without a daemon", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let mut options = room.options(&["hm0"]);
        options.scan.oracle = true;
        let start = || {
            let (mut kernel, knocks) = Kernel::start(&options).unwrap();
            kernel.set_local(&["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]).unwrap();
            (kernel, knocks)
        };
        let (kernel, mut knocks) = start();
        // Whom the kernel silenced before the daemon died, and whom it silences while there is none.
        let scan = |to| [21, 22, 23].map(|port| asked(&peer, to, port..port + 1));
        assert_eq!(scan("192.0.2.1"), [[1, 0], [1, 0], [0, 1]]);
        assert!(wait(|| all(&mut knocks).iter().any(|knock| matches!(knock.kind, KnockKind::Scan { .. }))));
        drop((kernel, knocks));
        assert_eq!(scan("2001:db8::1"), [[1, 0], [1, 0], [0, 1]], "the one that crosses gets no answer");
        for to in ["192.0.2.1", "2001:db8::1"] {
            let [refused, silent] = asked(&peer, to, 1_000..1_250);
            assert_eq!((refused, refused + silent), (ANSWERS_MAX, 250), "{to}");
            assert_eq!(asked(&peer, to, 2_000..2_050), [0, 50], "{to}: no answer is left");
        }
        let (kernel, mut knocks) = start();
        let told = all(&mut knocks);
        for source in ["192.0.2.2", "2001:db8::2"] {
            let source = source.parse::<std::net::IpAddr>().unwrap();
            let says = |wanted| {
                let is_one = |knock: &&Knock| knock.source == source && knock.kind == KnockKind::Suspect { fate: wanted };
                told.iter().filter(is_one).count()
            };
            assert_eq!(says(Fate::Answered), ANSWERS_MAX, "{source}: each answer is told to the next daemon");
            // By the coin: sixty-four heads come with fewer tails once in a hundred thousand times.
            assert!(says(Fate::Silent) > 23, "{source}: and those on the other side, of which some {ANSWERS_MAX} were asked");
        }
        assert_eq!(kernel.counters().unwrap().oracle_answered, 2 * ANSWERS_MAX as u64);
        kernel.release().unwrap();
    });
}

#[test]
fn windows_from_a_millisecond_to_a_day_are_kept() {
    alone("windows", |room| {
        let (kernel, _knocks) = tried(room, |scan| scan.window = Duration::from_millis(1));
        for port in 1..=40 {
            assert!(!syn(&kernel, "203.0.113.7", port), "the port before has left the window");
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(kernel);
        let (kernel, _knocks) = tried(room, |scan| scan.window = Duration::from_secs(86_400));
        let dropped = [1, 2, 3].map(|port| {
            std::thread::sleep(Duration::from_millis(10));
            syn(&kernel, "203.0.113.7", port)
        });
        assert_eq!(dropped, [false, false, true]);
    });
}

#[test]
fn the_state_of_a_slow_scanner_outlives_the_daemon() {
    alone("state across a restart", |room| {
        let mut options = room.options(&["lo"]);
        options.scan.window = Duration::from_secs(86_400);
        let (mut kernel, knocks) = Kernel::start(&options).unwrap();
        kernel.set_local(&[HERE4.parse().unwrap()]).unwrap();
        assert_eq!([1, 2].map(|port| syn(&kernel, "203.0.113.7", port)), [false, false]);
        drop((kernel, knocks));
        let (kernel, _knocks) = Kernel::start(&options).unwrap();
        assert!(syn(&kernel, "203.0.113.7", 3), "the third port in a day");
        kernel.release().unwrap();
    });
}

/// Somebody who is always banned: when this one's frame is counted, all frames before it were judged.
const SENTINEL: &str = "198.51.100.254";

/// Sends a SYN from each of `count` sources, IPv4 and IPv6 customers in turn, to a dark port, out of the peer's end of a cable, and last a
/// datagram of the [`SENTINEL`]'s.
fn flood(peer: &Peer, hardware: [u8; 6], count: u32) {
    peer.run(move || {
        let wire = Wire::out_of("hm1");
        let mut frame4 = Packet::tcp("10.0.0.0", HERE4, 23, SYN).build();
        let mut frame6 = Packet::tcp("2001:db8::1", HERE6, 23, SYN).build();
        let mut last = Packet::udp(SENTINEL, HERE4, 9).build();
        for frame in [&mut frame4, &mut frame6, &mut last] {
            frame[..6].copy_from_slice(&hardware);
        }
        for source in 0..count / 2 {
            frame4[26..30].copy_from_slice(&(0x0a00_0000 + source).to_be_bytes());
            // What is behind the first 32 bits: each a /64 of its own.
            frame6[26..30].copy_from_slice(&source.to_be_bytes());
            wire.send(&frame4);
            wire.send(&frame6);
        }
        wire.send(&last);
    });
}

fn link_address(interface: &str) -> LinkAddr {
    let mut all = getifaddrs().unwrap().filter(|found| found.interface_name == interface);
    all.find_map(|found| found.address.and_then(|address| address.as_link_addr().copied())).unwrap()
}

#[test]
fn three_hundred_thousand_forged_sources_neither_hide_a_suspect_nor_bury_the_reader() {
    alone("forged flood", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let mut options = room.options(&["hm0"]);
        options.scan.sources = 65_536;
        let (mut kernel, mut knocks) = Kernel::start(&options).unwrap();
        kernel.set_local(&[HERE4, HERE6].map(|addr| addr.parse().unwrap())).unwrap();
        let suspects: Vec<String> =
            (1..=25).flat_map(|last| [format!("203.0.113.{last}"), format!("2001:db8:bad:{last}::1")]).collect();
        for suspect in &suspects {
            assert_eq!([1, 2].map(|port| syn(&kernel, suspect, port)), [false, false]);
        }
        all(&mut knocks);
        let hardware = link_address("hm0").addr().unwrap();
        kernel.raise(&hour(SENTINEL, Scope::All), now()).unwrap();
        let before = kernel.counters().unwrap();
        flood(&peer, hardware, 300_000);
        assert!(wait(|| kernel.drops(&SENTINEL.parse().unwrap()) == 1), "the last frame was not judged");
        let after = kernel.counters().unwrap();
        let seen = after.knocks - before.knocks;
        let told = u64::try_from(all(&mut knocks).len()).unwrap();
        assert!(seen > 200_000, "{seen} probes are no flood");
        assert_eq!((after.scans - before.scans, after.scan_state_lost), (0, 0), "nobody is taken for a scanner");
        assert_eq!(told + (after.knocks_limited - before.knocks_limited) + (after.knocks_lost - before.knocks_lost), seen);
        assert!(told < seen / 4, "{told} records of {seen} probes");
        let caught = suspects.iter().filter(|suspect| syn(&kernel, suspect, 3)).count();
        assert!(caught >= 45, "{caught} of 50 suspects are remembered");
        let scans = all(&mut knocks).into_iter().filter(|knock| matches!(knock.kind, KnockKind::Scan { .. })).count();
        assert_eq!(scans, caught, "and every scan is told");
        kernel.release().unwrap();
    });
}

/// What becomes of SYNs of a silenced source to these ports.
fn fates(kernel: &Kernel, knocks: &mut Knocks, source: &str, ports: std::ops::Range<u16>) -> Vec<Fate> {
    let told = |port| {
        let dropped = syn(kernel, source, port);
        let told = all(knocks);
        let [Knock { kind: KnockKind::Suspect { fate }, .. }] = told[..] else { return None };
        assert_eq!(dropped, fate != Fate::Answered, "port {port}");
        Some(fate)
    };
    ports.map(told).collect::<Option<_>>().unwrap()
}

#[test]
fn the_oracle_answers_a_keyed_half_of_the_ports_sixty_four_times() {
    alone("the oracle's coin", |room| {
        let (kernel, mut knocks) = tried(room, |scan| scan.oracle = true);
        let silenced = |source| {
            assert_eq!([1, 2, 3].map(|port| syn(&kernel, source, port)), [false, false, true]);
        };
        silenced("203.0.113.1");
        silenced("203.0.113.2");
        all(&mut knocks);
        let first = fates(&kernel, &mut knocks, "203.0.113.1", 100..140);
        let answered = first.iter().filter(|fate| **fate == Fate::Answered).count();
        assert!((5..=35).contains(&answered) && !first.contains(&Fate::Spent), "{first:?}");
        assert_eq!(fates(&kernel, &mut knocks, "203.0.113.1", 100..140)[..20], first[..20], "the coin is thrown once a port");
        assert_ne!(fates(&kernel, &mut knocks, "203.0.113.2", 100..140), first, "and for each source anew");
        let more = fates(&kernel, &mut knocks, "203.0.113.1", 200..500);
        let all_answers = [&first[..], &more].concat().iter().filter(|fate| **fate == Fate::Answered).count() + answered;
        assert_eq!((more.last(), all_answers), (Some(&Fate::Spent), ANSWERS_MAX));
        let before = kernel.counters().unwrap().oracle_answered;
        fates(&kernel, &mut knocks, "203.0.113.1", 500..600);
        assert_eq!(kernel.counters().unwrap().oracle_answered, before, "no answer is left");
        let datagram = Packet::datagram("203.0.113.1", HERE4, 161).build();
        assert!(kernel.try_frame(&datagram, 1).unwrap().dropped && all(&mut knocks).is_empty(), "only SYNs are answered");
    });
}

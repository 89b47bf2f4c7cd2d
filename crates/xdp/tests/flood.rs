//! Floods and real clients over a cable: the program shakes hands by itself, and nothing of a connection stays.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use aya::maps::{HashMap, Map, MapData};
use common::{PATIENCE, Peer, Room, alone, backend::Kind, flood::Wire, ip, wait};
use honeymesh_types::Visit;
use honeymesh_xdp::{Dark, Flood, Kernel, Knocks, OnExit, Seen, now};
use honeymesh_xdp_abi::{BanEntry, SourceKey, table};
use honeymesh_xdp_program::testing::{Packet, SYN, syn_with};
use nix::{
    sched::{CpuSet, sched_getcpu, sched_setaffinity},
    unistd::Pid,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const HERE: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
/// The handshakes that are begun and never finished.
const FORGED: u32 = 50_000;

/// A guarded host whose dark ports are traps, and a neighbour.
struct Scene {
    kernel: Kernel,
    knocks: Knocks,
    /// What the driver sends back arrives only at an end that has a program too.
    far: Kernel,
    peer: Peer,
}

impl Scene {
    fn new(room: &Room, syns_per_second: u32) -> Self {
        Self::on(Kind::Xdp, room, syns_per_second)
    }

    fn on(kind: Kind, room: &Room, syns_per_second: u32) -> Self {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        // The addresses of crafted frames.
        ip("link set hm0 address 02:00:00:00:00:01");
        peer.run(|| ip("link set hm1 address 02:00:00:00:00:02"));
        let mut options = room.options(&["hm1"]);
        (options.pin_dir, options.exit) = (room.pin_dir().with_file_name("far"), OnExit::Release);
        let far = peer.run(move || Kernel::start(&options).unwrap().0);
        let mut options = room.options(&["hm0"]);
        options.scan.ports = 16;
        options.flood = Flood::Cookie { syns_per_second };
        options.dark = Dark::Trap;
        let (mut kernel, knocks) = kind.kernel(&options).unwrap();
        kernel.set_local(&HERE.map(|addr| addr.parse().unwrap())).unwrap();
        Self { kernel, knocks, far, peer }
    }

    fn connect(&self, to: &str, port: u16) -> Result<TcpStream, ErrorKind> {
        let to = SocketAddr::new(to.parse().unwrap(), port);
        self.peer.run(move || TcpStream::connect_timeout(&to, Duration::from_secs(3)).map_err(|error| error.kind()))
    }

    fn visits(&mut self) -> Vec<Visit> {
        let visit = |seen| if let Seen::Visit(visit) = seen { Some(visit) } else { None };
        std::iter::from_fn(|| self.knocks.see(now())).filter_map(visit).collect()
    }

    /// The next visit with payload to `port`. Waits for it.
    fn said(&mut self, port: u16) -> Visit {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(visit) = self.visits().into_iter().find(|visit| visit.local.port() == port && visit.bytes > 0) {
                return visit;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("nothing was said to port {port}: {:?}", self.kernel.counters().unwrap());
    }

    fn end(self) {
        self.kernel.release().unwrap();
        self.far.release().unwrap();
    }
}

/// A SYN from somewhere to `port`.
fn forged(n: u32, port: u16) -> Vec<u8> {
    let source = format!("10.{}.{}.{}", n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff);
    syn_with(&Packet::tcp(&source, HERE[0], port, SYN), n, 1)
}

#[test]
fn a_real_client_connects_to_any_dark_port_and_its_first_words_are_told() {
    // What answers sends in another way on each.
    for kind in [Kind::Xdp, Kind::Generic] {
        a_real_client_connects(kind);
    }
}

fn a_real_client_connects(kind: Kind) {
    alone("real clients", |room| {
        let mut scene = Scene::on(kind, room, 1);
        for here in HERE {
            for port in [1, 23, 31_337, 65_535] {
                let mut stream = scene.connect(here, port).unwrap();
                let (client, here) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
                let words = format!("GET /shell?cmd=id&port={port} HTTP/1.1\r\n\r\n");
                stream.write_all(words.as_bytes()).unwrap();
                let visit = scene.said(port);
                assert_eq!((visit.local, visit.source, visit.payload.as_slice()), (here, client, words.as_bytes()));
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let ended = stream.read(&mut [0; 16]).map_err(|error| error.kind());
                assert_eq!(ended, Err(ErrorKind::ConnectionReset), "and that was all");
            }
        }
        let counters = scene.kernel.counters().unwrap();
        assert_eq!(counters.cookie_payloads, 8);
        assert!((8..=16).contains(&counters.cookies_proven), "each CPU counts for itself: {counters:?}");
        scene.end();
    });
}

#[test]
fn a_client_that_waits_for_a_banner_is_told_without_words_and_again_when_it_speaks() {
    alone("silent client", |room| {
        let mut scene = Scene::new(room, 1);
        let mut stream = scene.connect(HERE[0], 22).unwrap();
        assert!(wait(|| scene.kernel.counters().unwrap().cookies_proven == 1));
        let told = scene.visits();
        assert_eq!(told.iter().map(|visit| (visit.local.port(), visit.bytes)).collect::<Vec<_>>(), [(22, 0)]);
        stream.write_all(b"SSH-2.0-x\r\n").unwrap();
        assert_eq!(scene.said(22).payload, b"SSH-2.0-x\r\n");
        scene.end();
    });
}

#[test]
fn curl_is_heard() {
    alone("curl", |room| {
        let mut scene = Scene::new(room, 1);
        let run = |url: &'static str| move || Command::new("curl").args(["-gsm", "10", url]).status().unwrap().code();
        for url in ["http://192.0.2.1:8081/shell?cmd=id", "http://[2001:db8::1]:8081/shell?cmd=id"] {
            let code = scene.peer.run(run(url));
            assert_eq!(code, Some(56), "it sent its request and was reset");
            assert!(scene.said(8_081).payload.starts_with(b"GET /shell?cmd=id HTTP/1.1\r\nHost: "));
        }
        scene.end();
    });
}

/// The sockets of this network namespace, as the kernel counts and lists them.
fn sockets() -> (Vec<String>, usize) {
    let read = |name: &str| std::fs::read_to_string(Path::new("/proc/thread-self/net").join(name)).unwrap();
    let stat = read("sockstat") + &read("sockstat6");
    // What is behind `alloc` and `mem` is the whole machine's.
    let own =
        stat.lines().filter_map(|line| line.split(" orphan").next()).filter(|line| line.contains("TCP") || line.contains("used"));
    (own.map(str::to_owned).collect(), read("tcp").lines().count() + read("tcp6").lines().count())
}

/// How many entries there are that a stranger could cause: those the program placed, and bans. (The table of probing
/// sources is of a fixed size and forgets.)
fn entries(room: &Room, kernel: &Kernel) -> (usize, usize) {
    const KEY: usize = size_of::<SourceKey>();
    const VALUE: usize = size_of::<BanEntry>();
    let path = room.pin_dir().join(format!("v{}/maps/{}", honeymesh_xdp_abi::VERSION, table::PLACED));
    let map = Map::HashMap(MapData::from_pin(path).unwrap());
    (HashMap::<_, [u8; KEY], [u8; VALUE]>::try_from(map).unwrap().keys().count(), kernel.bans())
}

#[test]
fn fifty_thousand_forged_handshakes_leave_no_socket_and_no_entry() {
    alone("forged handshakes", |room| {
        let mut scene = Scene::new(room, 1);
        let (sockets_before, entries_before) = (sockets(), entries(room, &scene.kernel));
        let before = scene.kernel.counters().unwrap();
        scene.peer.run(|| {
            let wire = Wire::out_of("hm1");
            // Each port of a host, once or less.
            (0..FORGED).for_each(|n| wire.send(&forged(n, u16::try_from(n + 1).unwrap())));
        });
        let judged = |kernel: &Kernel| {
            let after = kernel.counters().unwrap();
            (after.answered - before.answered) + (after.dropped_flood - before.dropped_flood)
        };
        assert!(wait(|| judged(&scene.kernel) >= u64::from(FORGED) * 9 / 10), "{} of {FORGED}", judged(&scene.kernel));
        let after = scene.kernel.counters().unwrap();
        assert!(after.answered - before.answered >= 10_000, "{after:?}");
        assert_eq!((after.cookies_proven, after.scans, after.dropped_scan), (0, 0, 0), "nobody is accused");
        assert_eq!((sockets(), entries(room, &scene.kernel)), (sockets_before, entries_before));
        assert!(scene.visits().is_empty());
        let mut stream = scene.connect(HERE[1], 4_711).unwrap();
        stream.write_all(b"still here").unwrap();
        assert_eq!(scene.said(4_711).payload, b"still here", "and whoever is real is heard");
        scene.end();
    });
}

#[test]
fn the_victim_of_forged_syns_proves_nothing_by_its_resets() {
    alone("victim", |room| {
        let mut scene = Scene::new(room, 1);
        let before = scene.kernel.counters().unwrap();
        scene.peer.run(|| {
            let wire = Wire::out_of("hm1");
            for port in 1_000..1_010 {
                wire.send(&syn_with(&Packet::tcp("192.0.2.2", HERE[0], port, SYN), 7, 1));
            }
        });
        let done = |kernel: &Kernel| {
            let after = kernel.counters().unwrap();
            (after.answered - before.answered, after.passed - before.passed)
        };
        assert!(
            wait(|| done(&scene.kernel).0 == 10 && done(&scene.kernel).1 >= 10),
            "{:?}: ten resets came",
            done(&scene.kernel)
        );
        assert_eq!(scene.kernel.counters().unwrap().cookies_proven, 0);
        assert!(scene.visits().is_empty());
        scene.end();
    });
}

#[test]
fn a_flood_switches_the_stack_off_and_its_end_switches_it_on_again() {
    alone("switch-over", |room| {
        let mut scene = Scene::new(room, 100);
        // One CPU counts for itself: all packets of this test come from one.
        scene.peer.run(|| {
            let mut here = CpuSet::new();
            here.set(sched_getcpu().unwrap()).unwrap();
            sched_setaffinity(Pid::from_raw(0), &here).unwrap();
        });
        let refused = |scene: &Scene| scene.connect(HERE[0], 99).err() == Some(ErrorKind::ConnectionRefused);
        assert!(refused(&scene), "the stack says what it says: here, that nobody listens");
        scene.peer.run(|| {
            let wire = Wire::out_of("hm1");
            (0..1_000).for_each(|n| wire.send(&forged(n, 99)));
        });
        let mut stream = scene.connect(HERE[0], 99).unwrap();
        stream.write_all(b"in the flood").unwrap();
        assert_eq!(scene.said(99).payload, b"in the flood");
        let counters = scene.kernel.counters().unwrap();
        assert!(counters.answered > 700, "{counters:?}");
        let asked_now_and_then = || {
            // Each try is a SYN, too: too many of them would be a flood of their own.
            std::thread::sleep(Duration::from_millis(50));
            refused(&scene)
        };
        assert!(wait(asked_now_and_then), "it is over");
        scene.end();
    });
}

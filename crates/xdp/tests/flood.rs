//! Floods and real clients over a cable: the program shakes hands by itself, and nothing of a connection stays.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use aya::maps::{HashMap, Map, MapData};
use common::{
    PATIENCE, Peer, Room, alone,
    backend::Kind,
    flood::Wire,
    hour, ip,
    traps::{accepted, arm, close, is_idle, talk, traps},
    wait,
};
use honeymesh_types::{Scope, Visit};
use honeymesh_xdp::{Dark, Flood, Kernel, Knocks, OnExit, Seen, now};
use honeymesh_xdp_abi::{BanEntry, SourceKey, table};
use honeymesh_xdp_program::testing::{Packet, SYN, syn_with};
use nix::{
    sched::{CpuSet, sched_getcpu, sched_setaffinity},
    sys::socket::{Backlog, Shutdown, listen, shutdown},
    unistd::Pid,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
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
    traps: [TcpListener; 2],
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
        let (kernel, knocks, traps) = guard(kind, room, syns_per_second);
        Self { kernel, knocks, traps, far, peer }
    }

    /// What the kernel does with all of a process that is killed; what is left of the scene.
    fn killed(self) -> (Kernel, Peer) {
        let Self { kernel, knocks, traps, far, peer } = self;
        drop((kernel, knocks));
        close(traps);
        (far, peer)
    }

    fn connect(&self, to: &str, port: u16) -> Result<TcpStream, ErrorKind> {
        connect(&self.peer, to, port)
    }

    /// The trap for connections to this address.
    fn trap(&self, to: &str) -> &TcpListener {
        &self.traps[usize::from(to.contains(':'))]
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

/// The guarded host, with its traps.
fn guard(kind: Kind, room: &Room, syns_per_second: u32) -> (Kernel, Knocks, [TcpListener; 2]) {
    let mut options = room.options(&["hm0"]);
    options.scan.ports = 16;
    options.flood = Flood::Cookie { syns_per_second };
    options.dark = Dark::Trap;
    let (mut kernel, knocks) = kind.kernel(&options).unwrap();
    kernel.set_local(&HERE.map(|addr| addr.parse().unwrap())).unwrap();
    let traps = traps();
    arm(&mut kernel, &traps);
    (kernel, knocks, traps)
}

fn connect(peer: &Peer, to: &str, port: u16) -> Result<TcpStream, ErrorKind> {
    let to = SocketAddr::new(to.parse().unwrap(), port);
    peer.run(move || TcpStream::connect_timeout(&to, Duration::from_secs(3)).map_err(|error| error.kind()))
}

/// Does nothing answer there for a moment?
fn is_silent(peer: &Peer, to: &str, port: u16) -> bool {
    let to = SocketAddr::new(to.parse().unwrap(), port);
    let connected = peer.run(move || TcpStream::connect_timeout(&to, Duration::from_millis(700)));
    connected.is_err_and(|error| error.kind() == ErrorKind::TimedOut)
}

/// All SYNs come from one CPU, because each counts for itself.
fn on_one_cpu(peer: &Peer) {
    peer.run(|| {
        let mut here = CpuSet::new();
        here.set(sched_getcpu().unwrap()).unwrap();
        sched_setaffinity(Pid::from_raw(0), &here).unwrap();
    });
}

/// A flood of SYNs to one port.
fn flood(peer: &Peer, syns: u32, port: u16) {
    peer.run(move || {
        let wire = Wire::out_of("hm1");
        (0..syns).for_each(|n| wire.send(&forged(n, port)));
    });
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
fn a_flood_switches_the_traps_sockets_off_and_its_end_switches_them_on_again() {
    alone("switch-over", |room| {
        let mut scene = Scene::new(room, 100);
        on_one_cpu(&scene.peer);
        let served = HERE.map(|here| TcpListener::bind((here, 80)).unwrap());
        let serves = |scene: &Scene| {
            for (service, here) in served.iter().zip(HERE) {
                talk(scene.connect(here, 80).unwrap(), accepted(service).0);
            }
        };
        let is_trapped = |scene: &Scene, here: &str| {
            let client = scene.connect(here, 99).unwrap();
            if is_idle(scene.trap(here)) {
                return false;
            }
            let (stranger, _) = accepted(scene.trap(here));
            assert_eq!(stranger.local_addr().unwrap(), client.peer_addr().unwrap());
            talk(client, stranger);
            true
        };
        assert!(HERE.iter().all(|here| is_trapped(&scene, here)), "below the rate the traps' sockets take them");
        serves(&scene);
        for here in HERE {
            flood(&scene.peer, 1_000, 98);
            // What came before the flood was noticed has nobody behind it.
            let mut stream = scene.connect(here, 99).unwrap();
            stream.write_all(b"in the flood").unwrap();
            assert_eq!(scene.said(99).payload, b"in the flood");
            assert!(scene.traps.iter().all(is_idle), "without a socket");
            serves(&scene);
        }
        let counters = scene.kernel.counters().unwrap();
        assert!(counters.answered > 700, "{counters:?}");
        let asked_now_and_then = || {
            // Each try is a SYN, too: too many of them would be a flood of their own.
            std::thread::sleep(Duration::from_millis(50));
            is_trapped(&scene, HERE[0])
        };
        assert!(wait(asked_now_and_then), "it is over");
        scene.end();
    });
}

#[test]
fn when_the_daemon_dies_in_a_flood_dark_ports_are_closed_at_once_bans_hold_and_the_next_one_answers_again() {
    alone("a death in a flood", |room| {
        let mut scene = Scene::new(room, 1);
        let _served = HERE.map(|here| TcpListener::bind((here, 80)).unwrap());
        let them = ["192.0.2.2", "2001:db8::2"];
        for (round, [free, banned]) in [[0, 1], [1, 0]].into_iter().enumerate() {
            for (here, port) in HERE.into_iter().zip([31_337, 4_711]) {
                scene.connect(here, port).unwrap().write_all(b"who is there?").unwrap();
                assert_eq!(scene.said(port).payload, b"who is there?", "{round} {here}");
            }
            scene.kernel.raise(&hour(them[banned], Scope::All), now()).unwrap();
            let before = scene.kernel.counters().unwrap();
            let (far, peer) = scene.killed();
            flood(&peer, 2_000, 99);
            for port in [31_337, 23] {
                assert_eq!(connect(&peer, HERE[free], port).unwrap_err(), ErrorKind::ConnectionRefused, "{round}: {port}");
            }
            assert!(connect(&peer, HERE[free], 80).is_ok(), "{round}: served");
            for port in [80, 31_337] {
                assert!(is_silent(&peer, HERE[banned], port), "{round}: banned, {port}");
            }
            let (kernel, knocks, traps) = guard(Kind::Xdp, room, 1);
            scene = Scene { kernel, knocks, traps, far, peer };
            let after = scene.kernel.counters().unwrap();
            let whole = [after.answered - before.answered, after.dropped_flood - before.dropped_flood];
            assert_eq!(whole, [0, 0], "{round}: nobody answered while nobody listened");
            assert!(after.passed - before.passed >= 2_000 && after.packets > after.passed, "{round}: {after:?}");
            assert!(scene.kernel.lift(&them[banned].parse().unwrap()).unwrap());
            scene.visits();
        }
        let mut stream = scene.connect(HERE[0], 31_337).unwrap();
        stream.write_all(b"and now?").unwrap();
        assert_eq!(scene.said(31_337).payload, b"and now?", "the next one answers again");
        scene.end();
    });
}

#[test]
fn a_handshake_that_outlives_the_trap_is_refused_as_on_a_closed_port_and_told_to_the_next() {
    alone("a handshake that outlives its trap", |room| {
        let mut scene = Scene::new(room, 1);
        let both = [31_337, 4_711].into_iter().flat_map(|port| [(port, false), (port + 1, true)]);
        for (here, (port, is_only_shut)) in [HERE[0], HERE[0], HERE[1], HERE[1]].into_iter().zip(both) {
            let mut stream = scene.connect(here, port).unwrap();
            // The bare ACK has come, too, before nobody is there.
            assert!(wait(|| !scene.visits().is_empty()));
            if is_only_shut {
                for trap in &scene.traps {
                    shutdown(trap.as_raw_fd(), Shutdown::Both).unwrap();
                }
            } else {
                close(std::mem::replace(&mut scene.traps, traps()));
            }
            stream.write_all(b"too late").unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let ended = stream.read(&mut [0; 16]).map_err(|error| error.kind());
            assert_eq!(ended, Err(ErrorKind::ConnectionReset), "{here}: the stack's reset");
            assert_eq!(connect(&scene.peer, here, port).unwrap_err(), ErrorKind::ConnectionRefused, "{here}");
            assert_eq!(scene.said(port).payload, b"too late", "{here}");
            if is_only_shut {
                scene.traps.iter().for_each(|trap| listen(trap, Backlog::new(16).unwrap()).unwrap());
            } else {
                arm(&mut scene.kernel, &scene.traps);
            }
            assert!(scene.connect(here, port).is_ok(), "{here}: and answered again");
        }
        scene.end();
    });
}

//! Dark ports as traps, and dark ports that are silent: on real interfaces, with real connections.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    Peer, Room, alone, forward,
    traps::{accepted, arm, close, talk, traps},
};
use honeymesh_xdp::{Dark, InterfaceState, Kernel, Knocks, OnExit, Options, Steered, now};
use honeymesh_xdp_program::testing::{Offer, Packet, SERVED, SYN, offers, offers_setting};
use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{AddressFamily, Backlog, Shutdown, SockFlag, SockType, bind, listen, send, shutdown, socket},
};
use std::{
    collections::BTreeSet,
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(10);
/// Times that ports which did not answer are swept again.
const SWEEPS: usize = 8;
/// Ports in one of those sweeps: they are one argument of a command.
const ASKED_AGAIN: usize = 10_000;
const HERE: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// A guarded host with one neighbour, 192.0.2.2 and 2001:db8::2, and the trap's two sockets.
struct Scene {
    peer: Peer,
    traps: [TcpListener; 2],
}

impl Scene {
    fn new() -> Self {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        Self { peer, traps: traps() }
    }

    fn arm(&self, kernel: &mut Kernel) {
        arm(kernel, &self.traps);
    }

    /// Connects from the neighbour: what the first to accept says, or why not.
    fn connect(&self, to: &str, port: u16) -> Result<TcpStream, ErrorKind> {
        let to = SocketAddr::new(to.parse().unwrap(), port);
        self.peer.run(move || TcpStream::connect_timeout(&to, Duration::from_millis(500)).map_err(|error| error.kind()))
    }

    /// Is a connection to this port accepted by the trap, and does its own address tell the port?
    fn is_trapped(&self, to: &str, port: u16) -> bool {
        let Ok(client) = self.connect(to, port) else { return false };
        let trap = &self.traps[usize::from(to.contains(':'))];
        let (stranger, from) = accepted(trap);
        assert_eq!(from, client.local_addr().unwrap());
        let met = stranger.local_addr().unwrap();
        assert_eq!((met.ip(), met.port()), (to.parse::<IpAddr>().unwrap(), port));
        talk(client, stranger);
        true
    }
}

fn options(room: &Room, interface: &str, dark: Dark) -> Options {
    let mut options = room.options(&[interface]);
    options.scan.ports = 16;
    options.dark = dark;
    options.except = vec![25..=25, 6_000..=6_100];
    options
}

fn start(room: &Room, dark: Dark) -> (Kernel, Knocks) {
    let (mut kernel, knocks) = Kernel::start(&options(room, "hm0", dark)).unwrap();
    kernel.set_local(&HERE.map(|addr| addr.parse().unwrap())).unwrap();
    (kernel, knocks)
}

#[test]
fn a_listener_that_is_shut_leaves_closed_ports_and_hears_again_without_a_word() {
    alone("shut listener", |room| {
        let scene = Scene::new();
        let (mut kernel, _knocks) = start(room, Dark::Trap);
        scene.arm(&mut kernel);
        let mut ports = 23..;
        for round in 0..2 {
            for to in HERE {
                assert!(scene.is_trapped(to, ports.next().unwrap()), "{round} {to}");
            }
            for trap in &scene.traps {
                shutdown(trap.as_raw_fd(), Shutdown::Both).unwrap();
            }
            for to in HERE {
                let refused = scene.connect(to, ports.next().unwrap()).unwrap_err();
                assert_eq!(refused, ErrorKind::ConnectionRefused, "{round} {to}");
            }
            for trap in &scene.traps {
                listen(trap, Backlog::new(16).unwrap()).unwrap();
            }
        }
        kernel.release().unwrap();
    });
}

fn wait(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Sends frames from the neighbour's end of the cable.
fn raw() -> OwnedFd {
    let address = getifaddrs().unwrap().filter(|link| link.interface_name == "hm1");
    let link = *address.filter_map(|link| link.address?.as_link_addr().copied()).next().as_ref().unwrap();
    let wire = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).unwrap();
    bind(wire.as_raw_fd(), &link).unwrap();
    wire
}

#[test]
fn every_packet_of_the_table_is_steered_or_left_alone_in_the_kernel() {
    alone("the table of offers", |room| {
        let scene = Scene::new();
        let setting = offers_setting();
        let (mut kernel, _knocks) = Kernel::start(&options(room, "hm0", Dark::Trap)).unwrap();
        kernel.set_local(&setting.local.iter().map(|addr| addr.parse().unwrap()).collect::<Vec<_>>()).unwrap();
        kernel.set_allow(&setting.allow.iter().map(|net| common::net_of(net)).collect::<Vec<_>>()).unwrap();
        let _served = TcpListener::bind(("::", SERVED)).unwrap();
        scene.arm(&mut kernel);
        let steered = |kernel: &Kernel| kernel.counters().unwrap().steered;
        let mut mark = 0_u8;
        let mut wrong = Vec::new();
        for Offer { name, frame, steered: wanted } in offers() {
            // A packet that is surely steered goes behind it, from a source of its own.
            mark += 1;
            let marker = Packet::tcp(&format!("198.51.100.{mark}"), HERE[0], 7, SYN).build();
            let before = steered(&kernel);
            scene.peer.run(move || {
                let wire = raw();
                for frame in [frame, marker] {
                    send(wire.as_raw_fd(), &frame, nix::sys::socket::MsgFlags::empty()).unwrap();
                }
            });
            let expected = before + 1 + u64::from(wanted);
            assert!(wait(|| steered(&kernel) > before), "{name}: nothing arrives");
            if !wait_briefly(|| steered(&kernel) == expected) {
                wrong.push((name, steered(&kernel) - before - 1));
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        kernel.release().unwrap();
    });
}

/// Is it so, and does it stay so for a moment?
fn wait_briefly(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..500 {
        if is_so() {
            std::thread::sleep(Duration::from_millis(3));
            return is_so();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

#[test]
fn a_connection_to_any_dark_port_reaches_the_trap_and_served_ports_do_not_notice() {
    alone("dark ports as traps", |room| {
        let scene = Scene::new();
        let served = ["192.0.2.1:80", "[2001:db8::1]:80"].map(|address| TcpListener::bind(address).unwrap());
        let (mut kernel, mut knocks) = start(room, Dark::Trap);
        assert_eq!(scene.connect(HERE[0], 23).unwrap_err(), ErrorKind::ConnectionRefused, "nobody is there yet");
        scene.arm(&mut kernel);
        for to in HERE {
            for port in [23, 1, 443, 40_000, 65_535] {
                assert!(scene.is_trapped(to, port), "{to} {port}");
            }
            for port in [25, 6_000, 6_100] {
                assert_eq!(scene.connect(to, port).unwrap_err(), ErrorKind::ConnectionRefused, "{to} {port} is excepted");
            }
            assert!(scene.is_trapped(to, 6_101), "{to}");
            let client = scene.connect(to, 80).unwrap();
            let (server, _) = accepted(&served[usize::from(to.contains(':'))]);
            talk(client, server);
        }
        assert_eq!(kernel.counters().unwrap().steered, 12);
        assert!(knocks.next(now()).is_some(), "they are told as probes, too");
        kernel.release().unwrap();
        assert_eq!(scene.connect(HERE[0], 23).unwrap_err(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_service_that_starts_later_is_found_at_once_and_its_port_is_a_trap_again_when_it_ends() {
    alone("a later service", |room| {
        let scene = Scene::new();
        let (mut kernel, _knocks) = start(room, Dark::Trap);
        scene.arm(&mut kernel);
        for (to, address) in [(HERE[0], "0.0.0.0:8080"), (HERE[1], "[::]:8080")] {
            assert!(scene.is_trapped(to, 8_080));
            let service = TcpListener::bind(address).unwrap();
            let client = scene.connect(to, 8_080).unwrap();
            talk(client, accepted(&service).0);
            close([service]);
            assert!(scene.is_trapped(to, 8_080));
        }
        kernel.release().unwrap();
    });
}

#[test]
fn sources_on_the_allowlist_are_refused_as_usual() {
    alone("allowed sources", |room| {
        let scene = Scene::new();
        let (mut kernel, _knocks) = start(room, Dark::Trap);
        scene.arm(&mut kernel);
        kernel.set_allow(&["192.0.2.2/32".parse().unwrap()]).unwrap();
        assert_eq!(scene.connect(HERE[0], 23).unwrap_err(), ErrorKind::ConnectionRefused);
        assert!(scene.is_trapped(HERE[1], 23));
        kernel.release().unwrap();
    });
}

#[test]
fn the_port_that_crosses_the_threshold_is_the_last_that_gets_an_answer() {
    alone("threshold with traps", |room| {
        let scene = Scene::new();
        let mut options = options(room, "hm0", Dark::Trap);
        options.scan.ports = 3;
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        kernel.set_local(&HERE.map(|addr| addr.parse().unwrap())).unwrap();
        scene.arm(&mut kernel);
        let _served = TcpListener::bind("0.0.0.0:80").unwrap();
        for to in HERE {
            assert_eq!([21, 22, 23].map(|port| scene.is_trapped(to, port)), [true; 3], "{to}: so many handshakes prove a scan");
            assert_eq!([24, 21].map(|port| scene.connect(to, port).unwrap_err()), [ErrorKind::TimedOut; 2], "{to}");
        }
        assert!(scene.connect(HERE[0], 80).is_ok());
        kernel.release().unwrap();
    });
}

#[test]
fn when_the_trap_dies_dark_ports_are_closed_and_the_next_start_arms_them_again() {
    alone("a trap that dies", |room| {
        let mut scene = Scene::new();
        let _served = TcpListener::bind("0.0.0.0:80").unwrap();
        let pin = || std::fs::read_dir(room.pins().join("steering")).unwrap().next().unwrap().unwrap().metadata().unwrap().ino();
        let (mut kernel, knocks) = start(room, Dark::Trap);
        scene.arm(&mut kernel);
        assert!(scene.is_trapped(HERE[0], 23));
        let first = pin();
        // As the kernel does with all of a killed process.
        drop((kernel, knocks));
        close(std::mem::replace(&mut scene.traps, traps()));
        for to in HERE {
            assert_eq!(scene.connect(to, 23).unwrap_err(), ErrorKind::ConnectionRefused);
        }
        assert!(scene.connect(HERE[0], 80).is_ok());
        let (mut kernel, _knocks) = start(room, Dark::Trap);
        scene.arm(&mut kernel);
        assert!(scene.is_trapped(HERE[0], 23) && scene.is_trapped(HERE[1], 23));
        assert_eq!(pin(), first, "the same link, with a new program");
        kernel.release().unwrap();
    });
}

#[test]
fn when_dark_ports_are_no_traps_any_more_the_second_program_comes_off() {
    alone("no traps any more", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, Dark::Trap);
        scene.arm(&mut kernel);
        assert!(scene.is_trapped(HERE[0], 23));
        drop((kernel, knocks));
        let (mut kernel, _knocks) = start(room, Dark::Refuse);
        scene.arm(&mut kernel);
        assert_eq!(scene.connect(HERE[0], 23).unwrap_err(), ErrorKind::ConnectionRefused);
        assert_eq!(std::fs::read_dir(room.pins().join("steering")).unwrap().count(), 0);
        assert!(kernel.audit(&[], now()).unwrap().is_none());
        kernel.release().unwrap();
        assert!(!room.pins().exists());
    });
}

#[test]
fn a_start_that_fails_leaves_no_second_program() {
    alone("a failed start with traps", |room| {
        let scene = Scene::new();
        let mut options = options(room, "hm0", Dark::Trap);
        options.interfaces.insert(0, "lo".into());
        options.attach = honeymesh_xdp::Attach::Native;
        assert!(Kernel::start(&options).is_err());
        assert!(!room.pins().exists());
        options.exit = OnExit::Release;
        options.interfaces = vec!["hm0".into()];
        let (mut kernel, knocks) = Kernel::start(&options).unwrap();
        kernel.set_local(&HERE.map(|addr| addr.parse().unwrap())).unwrap();
        scene.arm(&mut kernel);
        assert!(scene.is_trapped(HERE[0], 23));
        drop((kernel, knocks));
        assert!(wait(|| scene.connect(HERE[0], 23).is_err_and(|kind| kind == ErrorKind::ConnectionRefused)), "it went along");
    });
}

#[test]
fn an_interface_that_vanished_is_absent_and_no_drift() {
    alone("a vanished interface with traps", |room| {
        let _scene = Scene::new();
        let (kernel, _knocks) = start(room, Dark::Trap);
        assert!(kernel.audit(&[], now()).unwrap().is_none());
        assert_eq!(kernel.interfaces()[0].steering, Steered::On);
        common::ip("link del hm0");
        let seen = kernel.interfaces();
        assert_eq!((seen[0].state, seen[0].steering), (InterfaceState::Absent, Steered::Off));
        assert!(kernel.audit(&[], now()).unwrap().is_none());
        kernel.release().unwrap();
    });
}

#[test]
fn on_loopback_with_generic_xdp_dark_ports_are_traps_too() {
    alone("traps on loopback", |room| {
        let traps = traps();
        let (mut kernel, _knocks) = Kernel::start(&options(room, "lo", Dark::Trap)).unwrap();
        kernel.set_local(&["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]).unwrap();
        arm(&mut kernel, &traps);
        for (trap, to) in traps.iter().zip(["127.0.0.1:23", "[::1]:23"]) {
            let client = TcpStream::connect(to).unwrap();
            let (server, _) = accepted(trap);
            assert_eq!(server.local_addr().unwrap(), to.parse().unwrap());
            talk(client, server);
        }
        kernel.release().unwrap();
    });
}

/// Ports that nmap's greppable output calls open.
fn open_ports(told: &str) -> BTreeSet<u16> {
    let words = told.split([' ', ',', '\t']);
    words.filter_map(|word| word.split_once("/open/tcp/")?.0.parse().ok()).collect()
}

#[test]
fn nmap_finds_every_one_of_the_65535_ports_open() {
    alone("a sweep of all ports", |room| {
        let scene = Scene::new();
        let (mut kernel, _knocks) = start(room, Dark::Trap);
        // Only watched, so that the whole sweep can be seen.
        kernel.set_enforcing(false).unwrap();
        scene.arm(&mut kernel);
        let trap = scene.traps[0].try_clone().unwrap();
        let (met, ports) = mpsc::channel();
        std::thread::spawn(move || {
            // Ends when nobody listens any more.
            while trap.accept().is_ok_and(|(stranger, _)| met.send(stranger.local_addr().unwrap().port()).is_ok()) {}
        });
        let sweep = |ports: &str| {
            let mut nmap = Command::new("nmap");
            nmap.args(["-sT", "-n", "-Pn", "-T4", "-p", ports, "-oG", "-", "192.0.2.1"]);
            let told = scene.peer.run(move || nmap.output().unwrap());
            open_ports(&String::from_utf8_lossy(&told.stdout))
        };
        let excepted = [25..=25, 6_000..=6_100];
        let mut missing: BTreeSet<u16> =
            (1..=u16::MAX).filter(|port| !excepted.iter().any(|range| range.contains(port))).collect();
        let (mut open, mut met) = (BTreeSet::new(), BTreeSet::new());
        let mut asked = "1-65535".to_owned();
        // A connection finds the queue full when the machine has other work: nmap sees no answer, or it sees one and the trap never
        // meets it, because the last packet of the handshake found no room. Those ports are asked again.
        for _ in 0..SWEEPS {
            open.extend(sweep(&asked));
            met.extend(std::iter::from_fn(|| ports.recv_timeout(Duration::from_secs(1)).ok()));
            let are_excepted = |ports: &BTreeSet<u16>| !ports.contains(&25) && !ports.contains(&6_050);
            assert!(are_excepted(&open) && are_excepted(&met), "excepted");
            missing.retain(|port| !open.contains(port) || !met.contains(port));
            if missing.is_empty() {
                break;
            }
            asked = missing.iter().take(ASKED_AGAIN).map(u16::to_string).collect::<Vec<_>>().join(",");
        }
        assert_eq!(missing, BTreeSet::new(), "are not open, or were not met");
        kernel.release().unwrap();
    });
}

/// What `nmap -sA` says of these ports: `unfiltered` ones answer a segment that belongs to no connection.
fn acknowledged(scene: &Scene, to: &'static str, ports: &'static str) -> Vec<String> {
    let told = scene.peer.run(move || {
        let family = if to.contains(':') { "-6" } else { "-4" };
        let options = [family, "-sA", "-Pn", "-n", "--max-retries", "0", "--host-timeout", "30s", "-oG", "-", "-p", ports, to];
        Command::new("nmap").args(options).output().unwrap().stdout
    });
    let told = String::from_utf8(told).unwrap();
    let list = told.split("Ports: ").nth(1).unwrap_or_default();
    let list = list.split('\t').next().unwrap_or_default();
    list.split(", ")
        .filter_map(|port| port.split_once('/'))
        .filter(|(_, rest)| rest.starts_with("unfiltered"))
        .map(|(port, _)| port.to_owned())
        .collect()
}

#[test]
fn silent_dark_ports_answer_nothing_to_whom_nothing_can_belong_unless_this_host_forwards_for_others() {
    alone("silent ports of a router", |room| {
        let scene = Scene::new();
        for (forwards, answering) in [(false, &[][..]), (true, &["40000", "63000"])] {
            forward(forwards);
            let (kernel, _knocks) = start(room, Dark::Silent);
            for to in HERE {
                assert_eq!(acknowledged(&scene, to, "23,1024,40000,63000"), answering, "{to}, forwards: {forwards}");
            }
            // Answers to this host's own words come in, wherever they go.
            let asked = UdpSocket::bind("[::]:40001").unwrap();
            scene.peer.run(|| UdpSocket::bind(("::", 0)).unwrap().send_to(b"hello", "[2001:db8::1]:40001").unwrap());
            asked.set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(asked.recv(&mut [0; 16]).unwrap(), 5);
            kernel.release().unwrap();
        }
    });
}

#[test]
fn silent_dark_ports_answer_nothing_over_tcp_or_udp_and_served_ones_as_always() {
    alone("silent ports", |room| {
        let scene = Scene::new();
        let service = TcpListener::bind("[::]:80").unwrap();
        let datagrams = UdpSocket::bind("[::]:5353").unwrap();
        let (kernel, _knocks) = start(room, Dark::Silent);
        let udp = |to: &str, port| {
            let to = SocketAddr::new(to.parse().unwrap(), port);
            scene.peer.run(move || {
                let socket = UdpSocket::bind(("::", 0)).unwrap();
                let to = if let SocketAddr::V4(v4) = to { SocketAddr::new(v4.ip().to_ipv6_mapped().into(), port) } else { to };
                socket.connect(to).unwrap();
                socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                socket.send(b"hello").unwrap();
                socket.recv(&mut [0; 16]).map_err(|error| error.kind())
            })
        };
        for to in HERE {
            assert_eq!(scene.connect(to, 23).unwrap_err(), ErrorKind::TimedOut, "{to}");
            assert_eq!(scene.connect(to, 25).unwrap_err(), ErrorKind::ConnectionRefused, "{to}: excepted");
            assert_eq!(udp(to, 53), Err(ErrorKind::WouldBlock), "{to}: no ICMP comes");
            assert_eq!(udp(to, 25), Err(ErrorKind::ConnectionRefused), "{to}: excepted");
            let client = scene.connect(to, 80).unwrap();
            talk(client, accepted(&service).0);
            let _ = udp(to, 5_353);
            assert_eq!(datagrams.recv(&mut [0; 16]).unwrap(), 5, "{to}");
        }
        let counters = kernel.counters().unwrap();
        assert!(counters.dropped_dark >= 4, "{counters:?}");
        kernel.release().unwrap();
    });
}

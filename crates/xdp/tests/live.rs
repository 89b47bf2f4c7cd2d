//! The program on real interfaces: attached, adopted, replaced, released, while packets flow.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{PATIENCE, Peer, Room, alone, hour, ip, pins_in, wait};
use honeymesh_types::{KnockKind, Scope};
use honeymesh_xdp::{Attach, AttachMode, Error, Kernel, Knocks, OnExit, now};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

const PORT: u16 = 5_353;

/// A guarded host with one neighbour, 192.0.2.2 and 2001:db8::2.
struct Scene {
    peer: Peer,
    socket: UdpSocket,
}

impl Scene {
    fn new() -> Self {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let socket = UdpSocket::bind(("::", PORT)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { peer, socket }
    }

    /// Datagrams to our socket.
    fn send(&self, to: &'static str, count: usize) {
        self.peer.run(move || {
            let socket = UdpSocket::bind(("::", 0)).unwrap();
            let to = SocketAddr::new(to.parse().unwrap(), PORT);
            let to = if let SocketAddr::V4(v4) = to { SocketAddr::new(v4.ip().to_ipv6_mapped().into(), PORT) } else { to };
            for _ in 0..count {
                socket.send_to(b"hello", to).unwrap();
            }
        });
    }

    /// Did a datagram arrive? Waits for it.
    fn hears(&self, from: &'static str) -> bool {
        self.send(from, 1);
        self.socket.recv(&mut [0; 16]).is_ok()
    }

    /// Was a datagram dropped by the ban? Waits for its counter.
    fn is_dropped(&self, kernel: &Kernel, to: &'static str) -> bool {
        let before = kernel.counters().unwrap().dropped;
        self.send(to, 1);
        wait(|| kernel.counters().unwrap().dropped > before) && self.is_silent()
    }

    fn is_silent(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let silent = self.socket.recv(&mut [0; 16]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        self.socket.set_nonblocking(false).unwrap();
        silent
    }
}

/// What `ip` says of the interface's XDP program: nothing, `xdp` (native) or `xdpgeneric`.
fn shown(interface: &str) -> String {
    let output = Command::new("ip").args(["link", "show", "dev", interface]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().find(|word| word.starts_with("xdp")).unwrap_or_default().to_owned()
}

fn start(room: &Room, interface: &str) -> (Kernel, Knocks) {
    Kernel::start(&room.options(&[interface])).unwrap()
}

#[test]
fn a_ban_cuts_real_traffic_off_in_native_mode_and_lifting_it_lets_it_in() {
    alone("native veth", |room| {
        let scene = Scene::new();
        let (mut kernel, _knocks) = start(room, "hm0");
        let status = &kernel.interfaces()[0];
        assert_eq!((status.name.as_str(), status.mode, status.attached), ("hm0", AttachMode::Native, true));
        assert_eq!(shown("hm0"), "xdp");
        assert!(scene.hears("192.0.2.1") && scene.hears("2001:db8::1"));
        for (to, subject) in [
            ("192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "192.0.2.0/30"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:db8::1", "2001:db8::2"),
        ] {
            kernel.raise(&hour(subject, Scope::All), now()).unwrap();
            assert!(scene.is_dropped(&kernel, to), "{subject}");
            assert!(kernel.drops(&subject.parse().unwrap()) > 0, "{subject}");
            kernel.lift(&subject.parse().unwrap()).unwrap();
            assert!(scene.hears(to), "{subject} was lifted");
        }
        kernel.release().unwrap();
    });
}

#[test]
fn without_native_support_auto_falls_back_and_native_says_how_to_mend_it() {
    alone("generic fallback", |room| {
        let mut options = room.options(&["lo"]);
        options.attach = Attach::Native;
        let error = Kernel::start(&options).unwrap_err();
        assert!(matches!(error, Error::NotNative { .. }), "{error}");
        assert!(error.to_string().contains("set [xdp] attach = \"auto\" or \"generic\""), "{error}");
        assert_eq!(shown("lo"), "");
        let (kernel, _knocks) = start(room, "lo");
        assert_eq!((kernel.interfaces()[0].mode, shown("lo").as_str()), (AttachMode::Generic, "xdpgeneric"));
        kernel.release().unwrap();
        assert_eq!(shown("lo"), "");
    });
}

#[test]
fn a_scan_over_the_wire_is_answered_twice_and_never_again() {
    alone("scan over the wire", |room| {
        let scene = Scene::new();
        let served = TcpListener::bind("0.0.0.0:80").unwrap();
        let (mut kernel, mut knocks) = start(room, "hm0");
        kernel.set_local(&["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]).unwrap();
        let connect = |port: u16| {
            scene.peer.run(move || {
                let to = SocketAddr::new("192.0.2.1".parse().unwrap(), port);
                TcpStream::connect_timeout(&to, Duration::from_millis(300)).map(drop).map_err(|error| error.kind())
            })
        };
        assert_eq!([21, 22].map(connect), [Err(ErrorKind::ConnectionRefused); 2]);
        assert_eq!([23, 24].map(connect), [Err(ErrorKind::TimedOut); 2]);
        assert_eq!(connect(80), Ok(()), "served ports stay open");
        drop(served);
        let mut readable = [PollFd::new(knocks.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut readable, PollTimeout::ZERO).unwrap(), 1, "the descriptor is readable");
        let told: Vec<_> = std::iter::from_fn(|| knocks.next(now())).collect();
        let kinds: Vec<_> = told.iter().map(|knock| (knock.port, knock.kind.clone())).collect();
        let scan = KnockKind::Scan { ports: vec![21, 22, 23], silenced: true };
        assert_eq!(kinds, [(21, KnockKind::Probe), (22, KnockKind::Probe), (23, scan)]);
        assert!(told.iter().all(|knock| knock.source.to_string() == "192.0.2.2" && knock.dest.to_string() == "192.0.2.1"));
        let mut quiet = [PollFd::new(knocks.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut quiet, PollTimeout::ZERO).unwrap(), 0, "and no more once it is empty");
        kernel.release().unwrap();
    });
}

#[test]
fn held_bans_drop_while_nobody_is_there_and_are_adopted_with_hits_and_knocks() {
    alone("adoption", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        kernel.set_enforcing(true).unwrap();
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        kernel.raise(&hour("2001:db8:5::/48", Scope::Dark), now()).unwrap();
        assert!(scene.is_dropped(&kernel, "192.0.2.1"));
        let hits = kernel.drops(&"192.0.2.2".parse().unwrap());
        drop((kernel, knocks));
        assert_eq!(shown("hm0"), "xdp");
        scene.send("192.0.2.1", 3);
        let (mut kernel, _knocks) = start(room, "hm0");
        assert_eq!((kernel.bans(), kernel.interfaces()[0].mode), (2, AttachMode::Native));
        assert!(wait(|| kernel.drops(&"192.0.2.2".parse().unwrap()) == hits + 3) && scene.is_silent());
        assert!(kernel.lift(&"192.0.2.2".parse().unwrap()).unwrap());
        assert!(scene.hears("192.0.2.1"));
        kernel.release().unwrap();
    });
}

#[test]
fn knocks_that_nobody_read_wait_for_the_next_start() {
    alone("waiting knocks", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        drop((kernel, knocks));
        scene.peer.run(|| TcpStream::connect("192.0.2.1:23").unwrap_err());
        let (kernel, mut knocks) = start(room, "hm0");
        assert_eq!(knocks.next(now()).map(|knock| knock.port), Some(23));
        kernel.release().unwrap();
    });
}

#[test]
fn the_mode_is_adopted_so_that_observing_never_drops_in_between() {
    alone("adopted mode", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.set_enforcing(false).unwrap();
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        drop((kernel, knocks));
        let (kernel, _knocks) = start(room, "hm0");
        assert!(scene.hears("192.0.2.1"));
        assert_eq!((kernel.counters().unwrap().dropped, kernel.drops(&"192.0.2.2".parse().unwrap())), (0, 1));
        kernel.release().unwrap();
    });
}

#[test]
fn restarts_under_a_flood_let_not_one_packet_through() {
    alone("restarts under a flood", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopping, count) = (stop.clone(), sent.clone());
        let flood = scene.peer.run(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            std::thread::spawn(move || {
                while !stopping.load(Ordering::Relaxed) {
                    count.fetch_add(u64::from(socket.send_to(b"flood", ("192.0.2.1", PORT)).is_ok()), Ordering::Relaxed);
                }
            })
        });
        let mut last = (kernel, knocks);
        for round in 0..8_u32 {
            drop(last);
            let mut options = room.options(&["hm0"]);
            // Every other time the table has another size, so that the bans move.
            options.max_bans = 1_000 + round % 2;
            last = Kernel::start(&options).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        flood.join().unwrap();
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent > 1_000, "{sent} packets is no flood");
        assert!(scene.is_dropped(&last.0, "192.0.2.1"), "one more, behind all of them");
        assert!(last.0.counters().unwrap().dropped > sent / 2, "they did arrive");
        last.0.release().unwrap();
    });
}

#[test]
fn release_leaves_nothing_behind() {
    alone("release", |room| {
        let scene = Scene::new();
        let (mut kernel, _knocks) = start(room, "hm0");
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        assert!(room.pins().join("maps/HM_BANS4").exists() && room.pins().join("links").exists());
        kernel.release().unwrap();
        assert!(!room.pins().exists());
        assert_eq!(shown("hm0"), "");
        assert!(scene.hears("192.0.2.1"));
    });
}

#[test]
fn with_release_on_exit_nothing_outlives_the_process_and_held_bans_are_taken_along() {
    alone("release on exit", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        drop((kernel, knocks));
        let mut options = room.options(&["hm0"]);
        options.exit = OnExit::Release;
        let (kernel, knocks) = Kernel::start(&options).unwrap();
        assert_eq!((kernel.bans(), room.pins().exists()), (1, false));
        assert!(scene.is_dropped(&kernel, "192.0.2.1"));
        drop((kernel, knocks));
        assert_eq!(shown("hm0"), "");
        assert!(scene.hears("192.0.2.1"));
    });
}

#[test]
fn a_second_program_on_the_interface_is_a_clear_error_and_changes_nothing() {
    alone("second program", |room| {
        let scene = Scene::new();
        let (kernel, _knocks) = start(room, "hm0");
        let mut options = room.options(&["lo", "hm0"]);
        options.pin_dir = room.pin_dir().with_file_name("others");
        for attach in [Attach::Auto, Attach::Native, Attach::Generic] {
            options.attach = attach;
            options.interfaces = if attach == Attach::Native { vec!["hm0".into()] } else { vec!["lo".into(), "hm0".into()] };
            let error = Kernel::start(&options).unwrap_err();
            assert!(matches!(&error, Error::Occupied { interface, .. } if interface == "hm0"), "{attach:?}: {error}");
            assert!(
                error.to_string().contains("`honeymesh` (number ") && error.to_string().contains("honeymesh release"),
                "{error}"
            );
            assert_eq!(shown("lo"), "", "the interface before it was released again");
            assert!(!pins_in(&options.pin_dir).exists(), "no empty directory stays");
        }
        let same = Kernel::start(&room.options(&["hm0"])).unwrap_err();
        assert!(matches!(same, Error::InUse { .. }), "{same}");
        assert!(same.to_string().contains(&format!("(process {}: `", std::process::id())), "it is named: {same}");
        assert!(kernel.interfaces()[0].attached && scene.hears("192.0.2.1"));
        kernel.release().unwrap();
    });
}

#[test]
fn an_interface_that_is_not_named_any_more_is_released() {
    alone("dropped interface", |room| {
        let _scene = Scene::new();
        drop(Kernel::start(&room.options(&["hm0", "lo"])).unwrap());
        assert_eq!([shown("hm0"), shown("lo")], ["xdp", "xdpgeneric"]);
        let (kernel, _knocks) = start(room, "lo");
        assert_eq!([shown("hm0"), shown("lo")], ["", "xdpgeneric"]);
        kernel.release().unwrap();
    });
}

#[test]
fn an_interface_that_vanished_is_audited_and_guarded_again_when_it_is_back() {
    alone("vanished interface", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let (kernel, knocks) = start(room, "hm0");
        assert!(kernel.audit(&[], now()).unwrap().is_none());
        ip("link del hm0");
        assert_eq!(kernel.audit(&[], now()).unwrap().detached, [""; 0], "what is not there cannot be guarded");
        assert_eq!(kernel.interfaces()[0].state, honeymesh_xdp::InterfaceState::Absent);
        let gone = Kernel::start(&room.options(&["hm0"])).unwrap_err();
        assert!(matches!(gone, Error::NoSuchInterface { .. }), "{gone}");
        peer.cable("hm0", "hm1");
        drop((kernel, knocks));
        let (kernel, _knocks) = start(room, "hm0");
        assert!(kernel.interfaces()[0].attached);
        assert_eq!(shown("hm0"), "xdp");
        assert_eq!(std::fs::read_dir(room.pins().join("links")).unwrap().count(), 1, "the dead link's pin is gone");
        kernel.release().unwrap();
    });
}

#[test]
fn another_mode_is_taken_up_by_attaching_anew() {
    alone("changed mode", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        drop((kernel, knocks));
        let mut options = room.options(&["hm0"]);
        options.attach = Attach::Generic;
        let (kernel, _knocks) = Kernel::start(&options).unwrap();
        assert_eq!((kernel.interfaces()[0].mode, shown("hm0").as_str()), (AttachMode::Generic, "xdpgeneric"));
        assert!(scene.is_dropped(&kernel, "192.0.2.1"));
        kernel.release().unwrap();
    });
}

#[test]
fn the_link_of_another_version_is_taken_over_and_its_pins_go() {
    alone("another version", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        drop((kernel, knocks));
        std::fs::rename(room.pins(), room.pin_dir().join("v0")).unwrap();
        let (mut kernel, _knocks) = start(room, "hm0");
        assert_eq!((kernel.bans(), shown("hm0").as_str()), (0, "xdp"));
        assert!(!room.pin_dir().join("v0").exists() && room.pins().join("links").exists());
        assert!(scene.hears("192.0.2.1"), "its bans come back from the ledger");
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        assert!(scene.is_dropped(&kernel, "192.0.2.1"));
        kernel.release().unwrap();
    });
}

#[test]
fn a_link_that_two_versions_have_pinned_stays_on() {
    alone("twice pinned link", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        drop((kernel, knocks));
        let links = |version: &str| room.pin_dir().join(version).join("links");
        let current = format!("v{}", honeymesh_xdp_abi::VERSION);
        let pin = std::fs::read_dir(links(&current)).unwrap().next().unwrap().unwrap().file_name();
        for other in ["v0", "v9"] {
            std::fs::create_dir_all(links(other)).unwrap();
            std::fs::hard_link(links(&current).join(&pin), links(other).join(&pin)).unwrap();
        }
        let (kernel, _knocks) = start(room, "hm0");
        assert!(scene.is_dropped(&kernel, "192.0.2.1"));
        assert!(!links("v0").exists() && !links("v9").exists());
        assert!(links(&current).join(&pin).exists());
        kernel.release().unwrap();
    });
}

#[test]
fn a_pinned_table_of_another_shape_is_never_adopted() {
    alone("foreign table", |room| {
        let scene = Scene::new();
        drop(start(room, "hm0"));
        let (bans, allow) = (room.pins().join("maps/HM_BANS4"), room.pins().join("maps/HM_ALLOW4"));
        std::fs::remove_file(&bans).unwrap();
        std::fs::rename(&allow, &bans).unwrap();
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
        let foreign = inode(&bans);
        // A start that fails puts it back where it was ...
        let mut options = room.options(&["hm0"]);
        options.attach = Attach::Native;
        options.interfaces.insert(0, "lo".into());
        assert!(matches!(Kernel::start(&options).unwrap_err(), Error::NotNative { .. }));
        assert_eq!(inode(&bans), foreign);
        assert!(!allow.exists());
        // ... and one that succeeds replaces it.
        let (mut kernel, _knocks) = start(room, "hm0");
        assert_ne!(inode(&bans), foreign);
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        assert!(scene.is_dropped(&kernel, "192.0.2.1"));
        assert_eq!(std::fs::read_dir(room.pins().join("maps")).unwrap().count(), honeymesh_xdp_abi::table::ALL.len());
        kernel.release().unwrap();
    });
}

#[test]
fn a_table_of_another_size_keeps_its_bans() {
    alone("resized table", |room| {
        let scene = Scene::new();
        let (mut kernel, knocks) = start(room, "hm0");
        kernel.raise(&hour("192.0.2.2", Scope::All), now()).unwrap();
        kernel.raise(&hour("203.0.113.1", Scope::All), now()).unwrap();
        drop((kernel, knocks));
        let mut options = room.options(&["hm0"]);
        options.max_bans = 5_000;
        let (kernel, knocks) = Kernel::start(&options).unwrap();
        assert_eq!(kernel.bans(), 2);
        assert!(scene.is_dropped(&kernel, "192.0.2.1"));
        drop((kernel, knocks));
        options.max_bans = 1;
        let (kernel, _knocks) = Kernel::start(&options).unwrap();
        assert_eq!(kernel.bans(), 1, "what does not fit is left out, and said");
        kernel.release().unwrap();
    });
}

#[test]
fn the_usual_place_is_mounted_if_nothing_is() {
    alone("mounting", |room| {
        let _nothing_was_mounted = nix::mount::umount2("/sys/fs/bpf", nix::mount::MntFlags::MNT_DETACH);
        let mut options = room.options(&["lo"]);
        options.pin_dir = format!("/sys/fs/bpf/honeymesh-test-{}", std::process::id()).into();
        let (kernel, _knocks) = Kernel::start(&options).unwrap();
        assert!(pins_in(&options.pin_dir).join("maps/HM_BANS4").exists());
        kernel.release().unwrap();
        assert!(!options.pin_dir.exists());
    });
}

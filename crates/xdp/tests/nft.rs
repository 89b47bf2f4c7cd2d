//! What only the nftables back end has: a table that others see and may touch, and a process that writes.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    Peer, alone,
    backend::{HERE, HERE6, Kind, SENTINEL, Stage, brief, full, nft, nft_again, unhindered},
    ban, ip,
    tool::{tool, unowned},
    wait,
};
use honeymesh_types::{Enforcement, Grade, Lockdown, Reasons, Scope};
use honeymesh_xdp::{AttachMode, Dark, Error, InterfaceState, Kernel, Nft, NftEnds, NftWriter, OnExit, now, release_nft};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    process::Command,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// What `nft` says of our table before the network stack, without owner, times and counts.
fn shown() -> String {
    table("netdev")
}

/// The same of both tables.
fn both_shown() -> String {
    [table("netdev"), table("inet")].join("\n")
}

fn table(family: &str) -> String {
    let text = tool(&format!("-s list table {family} honeymesh")).unwrap();
    let lines = text.lines().map(steady).filter(|line| !line.is_empty() && line != "flags owner");
    lines.collect::<Vec<_>>().join("\n")
}

/// What is said, in whatever order.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split([' ', '\n', ',']).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words
}

fn steady(line: &str) -> String {
    let line = line.split(" # progname").next().unwrap_or_default().trim();
    if !line.contains("expires") && !line.starts_with("elements") {
        return line.to_owned();
    }
    let mut words = line.split(' ');
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "timeout" | "expires" => drop(words.next()),
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

#[test]
fn the_real_tool_reads_the_table_as_it_is_meant() {
    alone("golden table", |room| {
        let mut nft = nft(&room.options(&["lo"])).unwrap();
        let what =
            Enforcement { reasons: Reasons::TRAP | Reasons::SCAN, grade: Grade::Hostile, ..ban("203.0.113.7", Scope::All, None) };
        nft.raise(&what, now()).unwrap();
        nft.raise(&brief("203.0.113.0/24", Duration::from_secs(3_600)), now()).unwrap();
        nft.raise(&ban("2001:db8:1:2::/64", Scope::All, None), now()).unwrap();
        nft.raise(&ban("198.51.100.1", Scope::Dark, None), now()).unwrap();
        nft.set_allow(&["192.0.2.0/28", "2001:db8::1"].map(common::net_of)).unwrap();
        let wanted = [include_str!("golden/nft.txt").trim_end(), include_str!("golden/nft_inet.txt").trim_end()];
        let found = [table("netdev"), table("inet")];
        assert!(found == wanted, "{}\n{}", found[0], found[1]);
        nft.set_enforcing(false).unwrap();
        for observing in [table("netdev"), table("inet")] {
            assert!(observing.contains("chain observing {\ncounter name \"would_drop\" accept"), "{observing}");
            let others = observing.replace("counter name \"probe_honest6_out\" drop", "");
            assert!(!others.contains("drop\n}"), "but for the self-probe's frames: {observing}");
        }
        nft.release().unwrap();
        assert_eq!(tool("list tables").unwrap(), "");
    });
}

#[test]
fn a_table_of_somebody_else_is_refused_and_left_alone() {
    alone("foreign table", |room| {
        tool("add table netdev honeymesh").unwrap();
        tool("add set netdev honeymesh ban4_32 { type ipv4_addr; }").unwrap();
        let before = shown();
        let error = nft(&room.options(&["lo"])).unwrap_err();
        assert!(matches!(error, Error::ForeignTable), "{error}");
        assert!(error.to_string().contains("nft list table netdev honeymesh"), "{error}");
        assert!(!release_nft().unwrap());
        assert_eq!(shown(), before);
    });
}

#[test]
fn a_second_daemon_in_the_same_network_is_refused() {
    alone("second daemon", |room| {
        let first = nft(&room.options(&["lo"])).unwrap();
        let error = nft(&room.options(&["lo"])).unwrap_err();
        assert!(matches!(error, Error::InUse { .. }), "{error}");
        first.release().unwrap();
    });
}

#[test]
fn flushing_all_rules_does_not_take_a_running_nodes_bans_where_tables_can_be_owned() {
    alone("flush ruleset", |room| {
        let mut nft = nft(&room.options(&["lo"])).unwrap();
        nft.raise(&full("203.0.113.7"), now()).unwrap();
        tool("add table inet other").unwrap();
        tool("flush ruleset").unwrap();
        assert!(tool("list table inet other").is_err(), "it is gone");
        // On Linux 6.9 and later a table is owned and still outlives its owner; before that it is made anew.
        let is_owned = shown().contains("203.0.113.7");
        assert_eq!(nft.guard().unwrap().is_none(), is_owned);
        assert_eq!(tool("delete table netdev honeymesh").is_err(), is_owned);
        nft.release().unwrap();
    });
}

#[test]
fn whatever_is_changed_behind_its_back_is_mended() {
    alone("tampering", |room| {
        let mut nft = unowned(room, &["lo"]);
        nft.raise(&full("203.0.113.7"), now()).unwrap();
        nft.set_allow(&[common::net_of("192.0.2.1")]).unwrap();
        nft.set_lockdown(Lockdown::Confirmed).unwrap();
        let whole = both_shown();
        for damage in [
            "flush chain netdev honeymesh v4",
            "insert rule netdev honeymesh entrance accept",
            "flush chain netdev honeymesh from_lo",
            "delete element netdev honeymesh allow4_32 { 192.0.2.1 }",
            "add element netdev honeymesh allow4_32 { 203.0.113.7 }",
            "flush table netdev honeymesh",
            "flush chain inet honeymesh weigh4",
            "insert rule inet honeymesh arrived accept",
            "delete element inet honeymesh allow4_32 { 192.0.2.1 }",
            "add element inet honeymesh allow4_32 { 203.0.113.7 }",
            "flush set inet honeymesh locked",
            "delete element netdev honeymesh locked { ip }",
            "flush table inet honeymesh",
            // An element that stands for everybody.
            "add element netdev honeymesh ban4_32 { * }",
            "add element netdev honeymesh allow4_32 { * }",
            "add element inet honeymesh allow4_32 { * }",
            "add element inet honeymesh placed6_64 { * }",
            "add element inet honeymesh slot4_1 { * timeout 60s }",
            // What a set is, and not what is in it.
            "add set netdev honeymesh ban4_32 { type ipv4_addr; flags timeout; counter; timeout 1s; }",
            "add set netdev honeymesh ban4_32 { type ipv4_addr; flags timeout; counter; gc-interval 9d; }",
            // Chains that nobody asked for.
            "add chain netdev honeymesh x { type filter hook ingress device lo priority -600; policy drop; }",
            "add chain inet honeymesh x { type filter hook input priority 0; policy drop; }",
            "add chain inet honeymesh x",
        ] {
            tool(damage).unwrap();
            assert_ne!(both_shown(), whole, "{damage}");
            assert!(nft.guard().unwrap().settings_changed, "{damage}");
            assert_eq!(both_shown(), whole, "{damage}");
            assert!(nft.guard().unwrap().is_none(), "{damage}: once is enough");
        }
        for anew in [
            "add set inet honeymesh placed4_32 { type ipv4_addr; flags timeout,dynamic; size 1; counter; }",
            "delete table inet honeymesh",
        ] {
            tool(anew).unwrap();
            assert!(nft.guard().unwrap().settings_changed, "{anew}");
            assert_eq!(words(&both_shown()), words(&whole), "{anew}: new sets are in another order, and so are their entries");
            assert!(nft.guard().unwrap().is_none(), "{anew}: once is enough");
        }
        nft.release().unwrap();
    });
}

#[test]
fn a_table_that_is_deleted_comes_back_with_the_next_ban_and_its_bans_with_the_next_audit() {
    alone("deleted table", |room| {
        let mut nft = unowned(room, &["lo"]);
        let intent = [full("203.0.113.7"), full("203.0.113.8"), full("198.51.100.0/24")];
        nft.set_allow(&[common::net_of("192.0.2.1")]).unwrap();
        intent[..1].iter().chain(&intent[2..]).for_each(|what| nft.raise(what, now()).unwrap());
        tool("flush ruleset").unwrap();
        nft.raise(&intent[1], now()).unwrap();
        let text = shown();
        assert!(text.contains("203.0.113.8") && text.contains("192.0.2.1") && text.contains("chain from_lo"), "{text}");
        let auditor = nft.take_auditor().unwrap();
        assert!(nft.take_auditor().is_none());
        let drift = thread::scope(|scope| scope.spawn(move || auditor.audit(&intent, now()).unwrap()).join().unwrap());
        assert_eq!(drift.missing.len(), 2, "{drift:?}");
        for subject in &drift.missing {
            let what = intent.iter().find(|what| what.subject == *subject);
            assert_eq!(nft.mend(subject, what, now()).unwrap().missing, [*subject]);
        }
        assert!(nft.guard().unwrap().settings_changed, "that the table was gone is told");
        assert!(nft.reconcile(&intent, now()).unwrap().is_none(), "and once is enough");
        nft.release().unwrap();
    });
}

#[test]
fn an_interface_that_vanished_is_told_and_guarded_again_when_it_is_back() {
    alone("vanished interface", |room| {
        let mut stage = Stage::new(room, Kind::Nft);
        let mut options = room.options(&["lo", "hm0"]);
        options.max_bans = 10;
        let mut nft = nft(&options).unwrap();
        let status = nft.interfaces();
        assert!(status.iter().all(|interface| interface.attached && interface.mode == AttachMode::Nftables), "{status:?}");
        ip("link del hm0");
        assert!(nft.guard().unwrap().detached.is_empty(), "what is not there is not off");
        assert_eq!(nft.interfaces()[1].state, InterfaceState::Absent);
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).expect("the others are still guarded");
        stage.peer = Peer::new();
        stage.peer.cable("hm0", "hm1");
        assert!(nft.guard().unwrap().detached.is_empty());
        assert!(nft.guard().unwrap().is_none() && nft.interfaces()[1].attached);
        nft.raise(&full("203.0.113.7"), now()).unwrap();
        assert!(stage.drops(&nft, "203.0.113.7"));
        nft.release().unwrap();
    });
}

#[test]
fn an_interface_that_is_not_named_any_more_is_released_and_unused_sets_go() {
    alone("fewer interfaces", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let mut first = nft(&room.options(&["lo", "hm0"])).unwrap();
        first.raise(&full("203.0.113.0/24"), now()).unwrap();
        first.lift(&"203.0.113.0/24".parse().unwrap()).unwrap();
        first.raise(&full("198.51.0.0/16"), now()).unwrap();
        assert!(shown().contains("ban4_24") && shown().contains("from_hm0"));
        drop(first);
        let second = nft_again(&room.options(&["lo"]));
        let text = shown();
        assert!(!text.contains("ban4_24") && !text.contains("from_hm0") && text.contains("ban4_16"), "{text}");
        second.release().unwrap();
    });
}

#[test]
fn with_release_on_exit_the_table_goes_with_the_daemon_and_otherwise_release_takes_it() {
    alone("release on exit", |room| {
        let mut options = room.options(&["lo"]);
        options.exit = OnExit::Release;
        let mut first = nft(&options).unwrap();
        first.raise(&full("203.0.113.7"), now()).unwrap();
        drop(first);
        assert!(wait(|| tool("list tables").unwrap().is_empty()), "{:?}", tool("list tables"));
        drop(nft_again(&room.options(&["lo"])));
        assert!(shown().contains("chain from_lo"));
        assert!(unhindered(release_nft) && !release_nft().unwrap());
        assert_eq!(tool("list tables").unwrap(), "");
    });
}

#[test]
fn an_xdp_program_of_an_earlier_start_is_taken_off() {
    alone("after XDP", |room| {
        let (mut kernel, knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.raise(&full("203.0.113.7"), now()).unwrap();
        drop((kernel, knocks));
        let nft = nft(&room.options(&["lo"])).unwrap();
        assert!(room.pins().exists(), "not before the bans are in");
        nft.take_xdp_off(&room.options(&["lo"]));
        assert!(!room.pins().exists());
        let output = Command::new("ip").args(["link", "show", "dev", "lo"]).output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).contains("xdp"));
        nft.release().unwrap();
    });
}

#[test]
fn beside_another_xdp_program_bans_still_drop() {
    alone("beside another", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut others = room.options(&["hm0"]);
        others.pin_dir = room.pin_dir().with_file_name("others");
        others.exit = OnExit::Release;
        let (_theirs, _knocks) = Kernel::start(&others).unwrap();
        let occupied = Kernel::start(&room.options(&["hm0"])).unwrap_err().to_string();
        assert!(occupied.contains("[xdp] attach = \"nftables\""), "{occupied}");
        let mut nft = nft(&room.options(&["hm0"])).unwrap();
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
        nft.raise(&full("203.0.113.7"), now()).unwrap();
        assert!(stage.drops(&nft, "203.0.113.7"));
        nft.release().unwrap();
    });
}

#[test]
fn dark_ports_are_traps_as_long_as_the_trap_listens() {
    alone("traps without XDP", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut options = room.options(&["hm0"]);
        (options.dark, options.except) = (Dark::Trap, vec![25..=25]);
        let mut nft = nft(&options).unwrap();
        let [v4, v6] = ["127.0.0.1:0", "[::1]:0"].map(|at| TcpListener::bind(at).unwrap());
        nft.arm(Some(v4.as_fd()), Some(v6.as_fd())).unwrap();
        let connect = |to: &str, port| {
            let to = SocketAddr::new(to.parse().unwrap(), port);
            stage.peer.run(move || TcpStream::connect_timeout(&to, Duration::from_millis(400)).map_err(|error| error.kind()))
        };
        for (trap, to) in [(&v4, HERE), (&v6, HERE6)] {
            // Also the probe that crosses the threshold: it is the last.
            for port in [21, 22, 23] {
                let mut near = connect(to, port).unwrap();
                let (mut far, from) = trap.accept().unwrap();
                assert_eq!(
                    (far.local_addr().unwrap(), from),
                    (SocketAddr::new(to.parse().unwrap(), port), near.local_addr().unwrap())
                );
                near.write_all(b"hello").unwrap();
                far.read_exact(&mut [0; 5]).unwrap();
            }
            assert_eq!(connect(to, 24).unwrap_err(), ErrorKind::TimedOut, "{to}");
        }
        assert_eq!(nft.counters().unwrap().steered, 6);
        for subject in ["192.0.2.2", "2001:db8::2"] {
            nft.set_allow(&[]).unwrap();
            assert!(nft.lift(&subject.parse().unwrap()).unwrap());
        }
        // What was counted before is forgotten with other sizes.
        drop(nft);
        options.scan.sources = 65_536;
        let mut nft = nft_again(&options);
        nft.arm(Some(v4.as_fd()), Some(v6.as_fd())).unwrap();
        assert_eq!(connect(HERE, 25).unwrap_err(), ErrorKind::ConnectionRefused, "excepted");
        drop((v4, v6));
        assert_eq!(connect(HERE, 26).unwrap_err(), ErrorKind::ConnectionRefused, "nobody plays");
        nft.release().unwrap();
    });
}

#[test]
fn packets_that_come_through_the_bridge_of_a_guarded_interface_are_judged_and_others_are_not() {
    alone("on top", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let elsewhere = Peer::new();
        ip("link add hm2 type veth peer name hm3");
        ip(&format!("link set hm3 netns {}", elsewhere.tid()));
        ip("addr add 198.51.100.1/24 dev hm2");
        ip("link set hm2 up");
        elsewhere.run(|| {
            ip("addr add 198.51.100.2/24 dev hm3");
            ip("link set hm3 up");
        });
        let mut nft = nft(&room.options(&["hm0"])).unwrap();
        let mut lookout = nft.lookout().unwrap();
        let scan = |peer: &Peer, to: &'static str, port: u16| {
            let to = SocketAddr::new(to.parse().unwrap(), port);
            peer.run(move || TcpStream::connect_timeout(&to, Duration::from_millis(400)).unwrap_err().kind())
        };
        // A link takes a moment to come up.
        while scan(&elsewhere, "198.51.100.1", 21) != ErrorKind::ConnectionRefused {}
        assert_eq!([21, 22, 23].map(|port| scan(&elsewhere, "198.51.100.1", port)), [ErrorKind::ConnectionRefused; 3]);
        ip("link add br0 type bridge");
        ip("addr flush dev hm0");
        ip("link set hm0 master br0");
        ip("addr add 192.0.2.1/24 dev br0");
        ip("link set br0 up");
        nft.look_after(lookout.look().unwrap()).unwrap();
        assert!(table("inet").contains("iifname \"br0\" goto carried") && !table("inet").contains("hm2"));
        assert_eq!([21, 22, 23].map(|port| scan(&stage.peer, HERE, port))[2], ErrorKind::TimedOut, "the bridge");
        nft.release().unwrap();
    });
}

#[test]
fn an_interface_that_is_made_anew_or_comes_late_is_guarded_with_the_next_look() {
    alone("late interfaces", |room| {
        let mut stage = Stage::new(room, Kind::Nft);
        let mut nft = nft(&room.options(&["lo", "hm*"])).unwrap();
        let mut lookout = nft.lookout().unwrap();
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
        nft.raise(&full("203.0.113.7"), now()).unwrap();
        let names =
            |seen: Vec<honeymesh_xdp::InterfaceStatus>| seen.into_iter().map(|one| (one.name, one.attached)).collect::<Vec<_>>();
        // Gone and back between two looks: only its number tells.
        ip("link del hm0");
        stage.peer = Peer::new();
        stage.peer.cable("hm0", "hm1");
        let seen = nft.look_after(lookout.look().unwrap()).unwrap();
        assert_eq!(names(seen), [("lo".into(), true), ("hm0".into(), true)]);
        assert!(stage.drops(&nft, "203.0.113.7"));
        ip("link del hm0");
        let seen = nft.look_after(lookout.look().unwrap()).unwrap();
        assert_eq!(names(seen), [("lo".into(), true), ("hm*".into(), false)]);
        ip("link add hm9 type veth peer name far9");
        let seen = nft.look_after(lookout.look().unwrap()).unwrap();
        assert_eq!(names(seen), [("lo".into(), true), ("hm9".into(), true)]);
        assert!(shown().contains("device \"hm9\"") && !shown().contains("hm0"), "{}", shown());
        assert!(table("inet").contains("iifname \"hm9\""));
        assert!(nft.guard().unwrap().is_none());
        nft.release().unwrap();
    });
}

#[test]
fn an_interface_that_comes_is_announced_and_nobody_waits_for_the_next_look() {
    alone("announced interfaces", |room| {
        let mut nft = nft(&room.options(&["lo", "hm0"])).unwrap();
        let (mut lookout, (waiting, woken)) = (nft.lookout().unwrap(), mpsc::channel());
        // So long that only an announcement ends it.
        let looking = thread::spawn(move || {
            while waiting.send(lookout.look().unwrap()).is_ok() {
                lookout.wait(Duration::from_secs(3_600));
            }
        });
        let mut next = |is_there: bool| loop {
            let seen = nft.look_after(woken.recv_timeout(common::PATIENCE).expect("no look")).unwrap();
            if seen[1].attached == is_there {
                return;
            }
        };
        for _ in 0..3 {
            ip("link add hm0 type veth peer name hm1");
            next(true);
            assert!(shown().contains("device \"hm0\""), "{}", shown());
            ip("link del hm0");
            next(false);
        }
        drop(woken);
        ip("link add hm0 type veth peer name hm1");
        looking.join().unwrap();
        let lookout = nft.lookout().unwrap();
        let is_patient = (0..20).any(|_| {
            let start = Instant::now();
            lookout.wait(Duration::from_millis(100));
            start.elapsed() >= Duration::from_millis(100)
        });
        assert!(is_patient, "what was heard is heard once");
        nft.release().unwrap();
    });
}

#[test]
fn a_writer_that_is_gone_or_talks_nonsense_is_an_error_that_says_so() {
    alone("no writer", |room| {
        let gone = Nft::start(&room.options(&["lo"]), |ends| {
            drop(ends);
            Ok(())
        });
        assert!(gone.unwrap_err().to_string().starts_with("cannot hear from the process that writes"), "closed at once");
        let nonsense = Nft::start(&room.options(&["lo"]), |NftEnds { orders, looks: _ }| {
            thread::spawn(move || {
                let mut buffer = [0; 4_096];
                let fd = std::os::fd::AsRawFd::as_raw_fd(&orders);
                nix::sys::socket::recv(fd, &mut buffer, nix::sys::socket::MsgFlags::empty()).unwrap();
                nix::sys::socket::send(fd, &[0xff; 64], nix::sys::socket::MsgFlags::empty()).unwrap();
            });
            Ok(())
        });
        assert!(matches!(nonsense.unwrap_err(), Error::Nftables { .. }));
    });
}

#[test]
fn a_writer_that_no_audit_can_be_had_of_ends() {
    alone("no looks", |room| {
        let (mut writer, mut looks_line) = (None, None);
        let start = |NftEnds { orders, looks }| {
            use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
            let (ours, writers) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
            looks_line = Some((looks, ours));
            writer = Some(thread::spawn(|| NftWriter::open(orders, writers).unwrap().run()));
            Ok(())
        };
        let mut nft = Nft::start(&room.options(&["lo"]), start).unwrap();
        let auditor = nft.take_auditor().unwrap();
        nft.raise(&ban("203.0.113.1", Scope::All, None), now()).unwrap();
        let (looks, _writers_looks) = looks_line.take().unwrap();
        drop(looks);
        let error = auditor.audit(&[], now()).unwrap_err().to_string();
        assert!(error.starts_with("cannot hear from the process that writes"), "{error}");
        assert!(nft.raise(&ban("203.0.113.2", Scope::All, None), now()).is_err(), "so the daemon notices");
        writer.unwrap().join().unwrap().unwrap();
        drop(nft);
        assert!(shown().contains("203.0.113.1"), "and the kernel goes on");
        assert!(unhindered(release_nft));
    });
}

#[test]
fn a_writer_that_hears_nonsense_ends_and_leaves_the_bans() {
    alone("nonsense", |room| {
        drop(nft(&room.options(&["lo"])).unwrap());
        let pair = || {
            use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
        };
        let ((ours, orders), (_looks, looks)) = (pair(), pair());
        let writer = thread::spawn(|| NftWriter::open(orders, looks).unwrap().run());
        let fd = std::os::fd::AsRawFd::as_raw_fd(&ours);
        nix::sys::socket::send(fd, &[0xff; 200], nix::sys::socket::MsgFlags::empty()).unwrap();
        assert!(writer.join().unwrap().is_err());
        assert!(shown().contains("chain from_lo"));
        assert!(unhindered(release_nft));
    });
}

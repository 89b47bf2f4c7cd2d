//! What only the nftables back end has: a table that others see and may touch, and a process that writes.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    Peer, Room, alone,
    backend::{Kind, Stage, brief, full, nft},
    ban, hour, ip,
};
use honeymesh_types::{Enforcement, Grade, Reasons, Scope};
use honeymesh_xdp::{AttachMode, Error, Kernel, Nft, NftEnds, NftWriter, OnExit, now, release_nft};
use std::{process::Command, thread, time::Duration};

/// Runs the real tool.
fn tool(words: &str) -> Result<String, String> {
    let output = Command::new("nft").args(words.split(' ')).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// What `nft` says of our table, without owner, times and counts.
fn shown() -> String {
    let text = tool("-s list table netdev honeymesh").unwrap();
    let lines = text.lines().map(steady).filter(|line| !line.is_empty() && line != "flags owner");
    lines.collect::<Vec<_>>().join("\n")
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

/// A table of ours that nobody owns, as kernels before 6.9 have it.
fn unowned(room: &Room, interfaces: &[&str]) -> Nft {
    let words = ["add", "table", "netdev", "honeymesh", "{ comment \"honeymesh bans, version 1\"; }"];
    assert!(Command::new("nft").args(words).status().unwrap().success());
    nft(&room.options(interfaces)).unwrap()
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
        let wanted = include_str!("golden/nft.txt").trim_end();
        let found = shown();
        assert!(found == wanted, "{found}");
        nft.set_enforcing(false).unwrap();
        let observing = shown();
        assert!(observing.contains("chain observing {\ncounter name \"would_drop\" accept"), "{observing}");
        assert!(!observing.contains("drop\n}"), "{observing}");
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
        let whole = shown();
        for damage in [
            "flush chain netdev honeymesh v4",
            "insert rule netdev honeymesh entrance accept",
            "flush chain netdev honeymesh from_lo",
            "delete element netdev honeymesh allow4_32 { 192.0.2.1 }",
            "add element netdev honeymesh allow4_32 { 203.0.113.7 }",
            "flush table netdev honeymesh",
        ] {
            tool(damage).unwrap();
            assert_ne!(shown(), whole, "{damage}");
            assert!(nft.guard().unwrap().settings_changed, "{damage}");
            assert_eq!(shown(), whole, "{damage}");
            assert!(nft.guard().unwrap().is_none(), "{damage}: once is enough");
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
        assert!(nft.reconcile(&intent, now()).unwrap().is_none());
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
        assert_eq!(nft.guard().unwrap().detached, ["hm0"]);
        assert!(!nft.interfaces()[1].attached);
        nft.raise(&ban("198.51.100.254", Scope::All, None), now()).expect("the others are still guarded");
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
        thread::sleep(Duration::from_millis(100));
        let second = nft(&room.options(&["lo"])).unwrap();
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
        thread::sleep(Duration::from_millis(200));
        assert_eq!(tool("list tables").unwrap(), "");
        drop(nft(&room.options(&["lo"])).unwrap());
        thread::sleep(Duration::from_millis(100));
        assert!(shown().contains("chain from_lo"));
        assert!(release_nft().unwrap() && !release_nft().unwrap());
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
        nft.raise(&ban("198.51.100.254", Scope::All, None), now()).unwrap();
        nft.raise(&full("203.0.113.7"), now()).unwrap();
        assert!(stage.drops(&nft, "203.0.113.7"));
        nft.release().unwrap();
    });
}

#[test]
fn silences_of_dark_ports_are_kept_and_drop_nothing() {
    alone("dark scope", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = nft(&room.options(&["hm0"])).unwrap();
        nft.raise(&ban("198.51.100.254", Scope::All, None), now()).unwrap();
        let dark = hour("203.0.113.7", Scope::Dark);
        nft.raise(&dark, now()).unwrap();
        assert!(!stage.drops(&nft, "203.0.113.7"));
        assert!(nft.mend(&dark.subject, Some(&dark), now()).unwrap().is_none());
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
fn a_writer_that_hears_nonsense_ends_and_leaves_the_bans() {
    alone("nonsense", |room| {
        drop(nft(&room.options(&["lo"])).unwrap());
        thread::sleep(Duration::from_millis(100));
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
        assert!(release_nft().unwrap());
    });
}

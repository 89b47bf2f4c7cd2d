//! The self-probe where nf_tables drops: it proves with real frames, finds every sabotage, and nobody else hears of it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands")]
#![expect(unsafe_code, reason = "only the raw call takes a capability from one thread alone")]

mod common;

use common::{
    Room, alone,
    backend::{Kind, Stage, full, nft, nft_again},
    hour, ip, net_of, wait,
};
use honeymesh_types::{Lockdown, Scope};
use honeymesh_xdp::{Nft, NftEnds, NftWriter, now};
use std::{
    fs,
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
    thread,
    time::Duration,
};

/// Runs the real tool, which must do it; what it shows.
fn tool(words: &str) -> String {
    common::tool::tool(words).unwrap_or_else(|why| panic!("{words}: {why}"))
}

/// Tables of ours that nobody owns, with the probe.
fn unowned(room: &Room, interfaces: &[&str]) -> Nft {
    probing(common::tool::unowned(room, interfaces))
}

fn probing(mut nft: Nft) -> Nft {
    nft.begin_probing().unwrap();
    nft.set_allow(&[]).unwrap();
    nft
}

fn probe(nft: &mut Nft) -> Result<(), String> {
    nft.probe().unwrap()
}

/// A number of the network stack's, by the title of its line and its own.
fn counted(file: &str, title: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with(title)).map(str::split_whitespace);
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    names.zip(values).find(|(found, _)| *found == name).unwrap().1.parse().unwrap()
}

fn counted6(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/snmp6").unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
}

#[test]
fn it_proves_that_a_banned_source_is_dropped_and_another_is_not_and_nobody_sees_it() {
    alone("self-probe by nf_tables", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = nft(&room.options(&["hm0"])).unwrap();
        assert!(nft.probe().is_none(), "not before it was begun");
        let mut nft = probing(nft);
        let before = nft.counters().unwrap();
        let seen =
            || [counted("snmp", "Ip:", "InReceives"), counted("netstat", "IpExt:", "InNoRoutes"), counted6("Ip6InReceives")];
        let stack = seen();
        for _ in 0..40 {
            assert_eq!(probe(&mut nft), Ok(()));
        }
        let more: Vec<u64> = seen().into_iter().zip(stack).map(|(after, before)| after - before).collect();
        assert!(more.iter().all(|more| *more < 20), "the network stack sees the cable's own packets only: {more:?}");
        assert!(nft.take_knocks().unwrap().next(now()).is_none());
        let after = nft.counters().unwrap();
        assert_eq!((after.dropped, after.dropped_v4, after.would_drop), (0, 0, 0), "users");
        assert!(after.packets < before.packets + 20, "the cable's own packets are counted, those of probes are not: {after:?}");
        assert!(nft.take_auditor().unwrap().audit(&[], now()).unwrap().is_none(), "no audit takes it for drift");
        assert!(nft.reconcile(&[], now()).unwrap().is_none(), "nor is it mended");
        drop(stage);

        // Its ban cannot be lifted, and banning everybody does not touch its honest source.
        assert!(!nft.lift(&"192.0.0.8".parse().unwrap()).unwrap());
        nft.raise(&hour("192.0.0.8", Scope::Dark), now()).unwrap();
        for everybody in ["0.0.0.0/0", "::/0"] {
            nft.raise(&full(everybody), now()).unwrap();
        }
        assert_eq!(probe(&mut nft), Ok(()));
        nft.release().unwrap();
    });
}

#[test]
fn a_later_start_goes_on_with_it_and_modes_and_allowances_are_expected() {
    alone("modes of the self-probe", |room| {
        let mut nft = probing(nft(&room.options(&["lo"])).unwrap());
        assert_eq!(probe(&mut nft), Ok(()), "also where the loopback interface itself is guarded");
        drop(nft);
        let mut nft = probing(nft_again(&room.options(&["lo"])));
        assert_eq!(probe(&mut nft), Ok(()));
        nft.set_enforcing(false).unwrap();
        assert_eq!(probe(&mut nft), Ok(()), "while only observing, nothing may be dropped");
        nft.set_lockdown(Lockdown::Confirmed).unwrap();
        assert_eq!(probe(&mut nft), Ok(()), "while locked down, bans are enforced whatever else was said");
        nft.set_lockdown(Lockdown::Off).unwrap();
        assert_eq!(probe(&mut nft), Ok(()));
        nft.set_enforcing(true).unwrap();
        for everybody in [&["0.0.0.0/0"][..], &["::/0"], &["0.0.0.0/0", "::/0"]] {
            nft.set_allow(&everybody.iter().map(|net| net_of(net)).collect::<Vec<_>>()).unwrap();
            assert_eq!(probe(&mut nft), Ok(()), "who is allowed is let through: {everybody:?}");
        }
        let counters = nft.counters().unwrap();
        let all = (counters.packets, counters.dropped, counters.would_drop, counters.allowed);
        assert_eq!(all, (0, 0, 0, 0), "{counters:?}");
        nft.release().unwrap();
        assert!(Command::new("nft").args(["list", "tables"]).output().unwrap().stdout.is_empty(), "nothing stays");
    });
}

#[test]
fn whatever_is_done_to_the_rules_is_found_out_and_said_and_once_mended_it_proves_again() {
    alone("sabotage", |room| {
        let _stage = Stage::new(room, Kind::Nft);
        let mut nft = unowned(room, &["hm0"]);
        // So that there is a set for somebody to add to.
        nft.set_allow(&[net_of("2001:db8::9")]).unwrap();
        assert_eq!(probe(&mut nft), Ok(()));
        let (leak4, leak6) = ("a banned IPv4 source was let through", "a banned IPv6 source was let through");
        let (changed, nothing) = ("chains, rules or sets of nf_tables are not as they were left", "nothing could be proved");
        ip("link set lo down");
        assert!(probe(&mut nft).unwrap_err().contains("Network is down"));
        tool("flush chain netdev honeymesh from_hm0");
        let why = probe(&mut nft).unwrap_err();
        assert!(why.contains("Network is down") && why.contains(changed), "also without a proof by frames: {why}");
        assert!(nft.guard().unwrap().settings_changed);
        assert!(!probe(&mut nft).unwrap_err().contains(changed));
        ip("link set lo up");
        assert_eq!(probe(&mut nft), Ok(()));
        for (damage, says) in [
            ("flush set netdev honeymesh ban4_32", leak4),
            ("delete element netdev honeymesh ban6_64 { 100:: }", leak6),
            ("flush table netdev honeymesh", nothing),
            ("flush chain netdev honeymesh v4", leak4),
            ("insert rule netdev honeymesh entrance accept", leak6),
            ("insert rule netdev honeymesh hit_v4 accept", leak4),
            ("insert rule netdev honeymesh probe_in accept", leak4),
            ("add element netdev honeymesh allow6_128 { 100::8 }", leak6),
            ("insert rule netdev honeymesh v6 drop", "an IPv6 source that is not banned was dropped"),
            // What the frames do not meet.
            ("insert rule netdev honeymesh from_hm0 accept", changed),
            ("flush chain netdev honeymesh from_hm0", changed),
            ("delete chain netdev honeymesh from_hm0", changed),
            // A chain of the name that hangs nowhere, elsewhere, or too late, or drops what it says nothing about.
            ("delete chain netdev honeymesh from_hm0 ; add chain netdev honeymesh from_hm0", changed),
            (
                "delete chain netdev honeymesh from_hm0 ; \
                 add chain netdev honeymesh from_hm0 { type filter hook ingress device lo priority -500 ; }",
                changed,
            ),
            (
                "delete chain netdev honeymesh from_hm0 ; \
                 add chain netdev honeymesh from_hm0 { type filter hook ingress device hm0 priority 9 ; }",
                changed,
            ),
            ("add chain netdev honeymesh from_hm0 { policy drop ; }", changed),
            ("delete chain inet honeymesh arrived ; add chain inet honeymesh arrived", changed),
            ("delete chain netdev honeymesh probe_in ; add chain netdev honeymesh probe_in", changed),
            ("delete chain netdev honeymesh probe_out ; add chain netdev honeymesh probe_out", changed),
            ("insert rule inet honeymesh arrived accept", changed),
            // An element that stands for everybody, another kind of set, a chain too much.
            ("add element netdev honeymesh ban4_32 { * }", changed),
            ("add element netdev honeymesh allow6_128 { * }", leak6),
            ("add element inet honeymesh allow6_128 { * }", changed),
            ("add set netdev honeymesh ban6_64 { type ipv6_addr; flags timeout; counter; timeout 1s; }", changed),
            ("add set inet honeymesh placed4_32 { type ipv4_addr; flags timeout,dynamic; size 1; counter; }", changed),
            ("add chain netdev honeymesh x { type filter hook ingress device hm0 priority -600 ; policy drop ; }", changed),
            ("delete table inet honeymesh", changed),
            ("add table netdev honeymesh { flags dormant ; }", nothing),
            ("delete table netdev honeymesh", nothing),
        ] {
            tool(damage);
            let why = probe(&mut nft).unwrap_err();
            assert!(why.contains(says), "{damage}: {why}");
            let drift = nft.guard().unwrap();
            assert!(drift.settings_changed || !drift.missing.is_empty(), "{damage}: {drift:?}");
            assert_eq!(probe(&mut nft), Ok(()), "{damage}: mended");
            for (chain, hangs) in [
                ("netdev honeymesh from_hm0", "hook ingress device \"hm0\" priority -500; policy accept;"),
                ("netdev honeymesh probe_in", "hook ingress device \"lo\" priority -501; policy accept;"),
                ("inet honeymesh arrived", "hook prerouting priority -310; policy accept;"),
            ] {
                assert!(tool(&format!("-y list chain {chain}")).contains(hangs), "{damage}: {chain} hangs where it should");
            }
        }
        nft.release().unwrap();
    });
}

#[test]
fn its_honest_source_is_no_key_for_whoever_forges_it_in_a_lockdown_or_from_a_banned_prefix() {
    alone("forged honest source", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = probing(nft(&room.options(&["hm0"])).unwrap());
        nft.raise(&full(common::backend::SENTINEL), now()).unwrap();
        let forged = [("192.0.0.31", "192.0.0.0/24"), ("100:0:0:1::1f", "100:0:0:1::/64")];
        assert!(forged.iter().all(|(source, _)| !stage.drops(&nft, source)), "nobody has said anything about it yet");
        stage.hush(&nft);
        nft.set_lockdown(Lockdown::Confirmed).unwrap();
        // The sentinel may be dropped before the network stack has counted what came just before it.
        assert!(forged.iter().all(|(source, _)| wait(|| stage.drops(&nft, source))), "a lockdown keeps it out");
        assert_eq!(probe(&mut nft), Ok(()));
        nft.set_lockdown(Lockdown::Off).unwrap();
        for (_, prefix) in forged {
            nft.raise(&full(prefix), now()).unwrap();
        }
        // Somebody's own rule puts the very mark on whatever comes.
        tool("add table netdev others");
        tool("add chain netdev others marks { type filter hook ingress device hm0 priority -600 ; policy accept ; }");
        for marks in ["add chain netdev others empty", "add rule netdev others marks meta mark set 0x484d5052"] {
            tool(marks);
            assert_eq!(forged.map(|(source, _)| stage.drops(&nft, source)), [true; 2], "a ban holds: {marks}");
            assert_eq!(probe(&mut nft), Ok(()));
        }
        nft.release().unwrap();
    });
}

#[test]
fn somebody_elses_rules_before_and_behind_ours_do_not_deceive_it() {
    alone("others' rules", |room| {
        let mut nft = probing(nft(&room.options(&["lo"])).unwrap());
        tool("add table netdev others");
        for (chain, priority) in [("before", "-600"), ("behind", "100")] {
            let rest = format!("{{ type filter hook ingress device lo priority {priority} ; policy accept ; }}");
            tool(&format!("add chain netdev others {chain} {rest}"));
            tool(&format!("add rule netdev others {chain} accept"));
        }
        assert_eq!(probe(&mut nft), Ok(()), "an accept of theirs is none of ours");
        tool("flush chain netdev others before");
        tool("add rule netdev others before ip saddr 192.0.0.0/24 drop");
        assert!(probe(&mut nft).unwrap_err().contains("nothing could be proved with a banned IPv4 source"));
        nft.release().unwrap();
    });
}

#[test]
fn what_this_host_says_to_itself_is_not_touched_even_with_the_mark_and_a_banned_source() {
    alone("honest loopback", |room| {
        let mut nft = probing(nft(&room.options(&["lo"])).unwrap());
        ip("addr add 192.0.0.9/32 dev lo");
        ip("addr add 192.0.0.31/32 dev lo");
        let listener = TcpListener::bind("192.0.0.9:0").unwrap();
        drop(TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::from_secs(5)).unwrap());
        let (here, there) = (UdpSocket::bind("192.0.0.9:0").unwrap(), UdpSocket::bind("192.0.0.31:0").unwrap());
        here.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for _ in 0..3 {
            assert_eq!(probe(&mut nft), Ok(()));
            there.send_to(b"hello", here.local_addr().unwrap()).unwrap();
            assert_eq!(here.recv(&mut [0; 64]).unwrap(), 5, "and never what a probe sends");
        }
        nft.release().unwrap();
    });
}

/// This thread gives up `CAP_NET_RAW`; the others keep it.
fn give_up_raw() {
    const VERSION: u32 = 0x2008_0522;
    const NET_RAW: u32 = 13;
    let head: [u32; 2] = [VERSION, 0];
    let mut sets = [[0_u32; 3]; 2];
    // SAFETY: header and sets are live and have the lengths of this version.
    let read = unsafe { libc::syscall(libc::SYS_capget, head.as_ptr(), sets.as_mut_ptr()) };
    sets[0].iter_mut().for_each(|set| *set &= !(1 << NET_RAW));
    // SAFETY: as above; the kernel only reads them.
    let written = unsafe { libc::syscall(libc::SYS_capset, head.as_ptr(), sets.as_ptr()) };
    assert_eq!((read, written), (0, 0));
}

#[test]
fn without_the_power_to_send_frames_bans_are_dropped_and_the_proof_says_what_it_lacks() {
    alone("no frames", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let nft = Nft::start(&room.options(&["hm0"]), |NftEnds { orders, looks }| {
            thread::spawn(|| {
                give_up_raw();
                NftWriter::open(orders, looks).unwrap().run()
            });
            Ok(())
        });
        let mut nft = probing(nft.unwrap());
        nft.raise(&full(common::backend::SENTINEL), now()).unwrap();
        nft.raise(&full("203.0.113.7"), now()).unwrap();
        assert!(stage.drops(&nft, "203.0.113.7"));
        let why = probe(&mut nft).unwrap_err();
        assert!(why.contains("no permission to send the self-probe's frames"), "{why}");
        assert!(!why.contains("not as they were left"), "{why}");
        nft.release().unwrap();
    });
}

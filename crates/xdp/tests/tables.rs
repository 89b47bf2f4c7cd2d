//! Bans in the real kernel's tables: raised, changed, lifted, compared.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    alone,
    backend::in_time,
    ban, hour,
    seats::{Seats, crowds, seats},
};
use honeymesh_types::{Enforcement, Grade, Now, Reasons, Scope};
use honeymesh_xdp::{Error, Kernel, now};
use honeymesh_xdp_program::testing::{HERE4, HERE6, Packet, SYN, Setting};
use std::time::Duration;

fn send(kernel: &Kernel, packet: &Packet) -> bool {
    kernel.try_frame(&packet.build(), 1).unwrap().dropped
}

fn drops(kernel: &Kernel, subject: &str) -> u64 {
    kernel.drops(&subject.parse().unwrap())
}

#[test]
fn a_changed_scope_leaves_one_entry_and_keeps_the_hits() {
    alone("changed scope", |room| {
        let (mut kernel, ..) = room.kernel(&Setting::default());
        let probe = Packet::tcp("203.0.113.7", HERE4, 23, SYN);
        for scope in [Scope::Dark, Scope::All, Scope::Dark, Scope::All] {
            let before = drops(&kernel, "203.0.113.7");
            kernel.raise(&hour("203.0.113.7", scope), now()).unwrap();
            assert_eq!((drops(&kernel, "203.0.113.7"), kernel.bans()), (before, 1));
            assert!(send(&kernel, &probe));
            assert_eq!(send(&kernel, &Packet::udp("203.0.113.7", HERE4, 53)), scope == Scope::All);
            assert!(kernel.audit(&[hour("203.0.113.7", scope)], now()).unwrap().is_none());
        }
        assert_eq!(drops(&kernel, "203.0.113.7"), 6);
        assert!(kernel.lift(&"203.0.113.7".parse().unwrap()).unwrap());
        assert!(!kernel.lift(&"203.0.113.7".parse().unwrap()).unwrap());
        assert_eq!((kernel.bans(), send(&kernel, &Packet::udp("203.0.113.7", HERE4, 53))), (0, false));
    });
}

#[test]
fn what_the_kernel_placed_becomes_the_ledgers_when_raised_and_goes_when_lifted() {
    alone("placed entries", |room| {
        let (mut kernel, ..) = room.kernel(&Setting::default());
        let scan = |kernel: &Kernel| [21, 22, 23, 24].map(|port| send(kernel, &Packet::tcp("203.0.113.7", HERE4, port, SYN)));
        assert_eq!(scan(&kernel), [false, false, true, true]);
        assert_eq!((drops(&kernel, "203.0.113.7"), kernel.bans()), (2, 0));
        assert!(kernel.audit(&[], now()).unwrap().is_none(), "the kernel's own entries are no drift");
        kernel.raise(&hour("203.0.113.7", Scope::Dark), now()).unwrap();
        assert_eq!((drops(&kernel, "203.0.113.7"), kernel.bans()), (2, 1));
        assert!(kernel.lift(&"203.0.113.7".parse().unwrap()).unwrap());
        assert_eq!(drops(&kernel, "203.0.113.7"), 0);
        let scan6 = |kernel: &Kernel| [21, 22, 23].map(|port| send(kernel, &Packet::tcp("2001:db8:bad:1::7", HERE6, port, SYN)));
        assert_eq!(scan6(&kernel), [false, false, true]);
        assert!(kernel.lift(&"2001:db8:bad:1::7".parse().unwrap()).unwrap(), "the silence of its /64 goes with the address");
        assert_eq!(drops(&kernel, "2001:db8:bad:1::/64"), 0);
    });
}

#[test]
fn an_entry_ends_by_itself_and_is_swept_when_the_kernel_placed_it() {
    alone("expiry", |room| {
        let probe = |kernel: &Kernel, port| send(kernel, &Packet::tcp("203.0.113.7", HERE4, port, SYN));
        let datagram = |kernel: &Kernel| send(kernel, &Packet::udp("203.0.113.8", HERE4, 53));
        let ((mut kernel, dropped), life) = in_time(|life| {
            let mut setting = Setting::default();
            setting.scan.ttl_ns = life.as_nanos().try_into().unwrap();
            let (mut kernel, ..) = room.kernel(&setting);
            kernel.raise(&ban("203.0.113.8", Scope::All, Some(now().wall.plus(life))), now()).unwrap();
            let dropped = ([21, 22, 23].map(|port| probe(&kernel, port)), datagram(&kernel));
            (kernel, dropped)
        });
        assert_eq!(dropped, ([false, false, true], true));
        // A ban ends up to two ticks of the kernel's cheap clock late.
        std::thread::sleep(life + Duration::from_millis(150));
        assert!(!datagram(&kernel));
        assert!(kernel.audit(&[], now()).unwrap().is_none(), "what has ended is no drift");
        assert_eq!((kernel.bans(), drops(&kernel, "203.0.113.8"), drops(&kernel, "203.0.113.7")), (1, 1, 1));
        assert_eq!((kernel.sweep(now()).unwrap(), kernel.sweep(now()).unwrap()), (2, 0));
        assert_eq!((kernel.bans(), drops(&kernel, "203.0.113.8"), drops(&kernel, "203.0.113.7")), (0, 0, 0));
        assert!(probe(&kernel, 21), "its ports are still in the window");
        assert_eq!(kernel.counters().unwrap().dropped_scan, 2);
    });
}

#[test]
fn raising_makes_room_in_the_budget_once_a_minute() {
    alone("sweeping while raising", |room| {
        let (mut kernel, ..) = room.kernel(&Setting::default());
        let later = |seconds| {
            let (now, more) = (now(), Duration::from_secs(seconds));
            Now { wall: now.wall.plus(more), mono: now.mono.plus(more) }
        };
        kernel.raise(&ban("203.0.113.1", Scope::All, None), later(0)).unwrap();
        for port in 21..=23 {
            send(&kernel, &Packet::tcp("203.0.113.7", HERE4, port, SYN));
        }
        kernel.raise(&ban("203.0.113.2", Scope::All, None), later(61)).unwrap();
        assert_eq!(drops(&kernel, "203.0.113.7"), 1, "its ten minutes are not over");
        kernel.raise(&ban("203.0.113.3", Scope::All, None), later(601)).unwrap();
        assert_eq!(drops(&kernel, "203.0.113.7"), 0);
    });
}

#[test]
fn a_ban_that_has_ended_already_is_removed_instead() {
    alone("ended ban", |room| {
        let (mut kernel, ..) = room.kernel(&Setting::default());
        kernel.raise(&hour("203.0.113.8", Scope::All), now()).unwrap();
        kernel.raise(&ban("203.0.113.8", Scope::All, Some(now().wall)), now()).unwrap();
        assert_eq!(kernel.bans(), 0);
    });
}

#[test]
fn a_full_table_says_so_and_changes_nothing() {
    alone("full table", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = 2;
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        for subject in ["203.0.113.1", "203.0.113.2", "2001:db8:1::/64"] {
            kernel.raise(&hour(subject, Scope::All), now()).unwrap();
        }
        let error = kernel.raise(&hour("203.0.113.3", Scope::All), now()).unwrap_err();
        assert!(matches!(error, Error::Full { limit: 2, .. }), "{error}");
        let words = "the kernel's table of IPv4 bans is full at 2 entries; raise [bans] max or merge bans into prefixes";
        assert_eq!(error.to_string(), words);
        let error = [3, 4].map(|net| kernel.raise(&hour(&format!("2001:db8:{net}::/64"), Scope::All), now()));
        assert!(error[0].is_ok() && error[1].as_ref().unwrap_err().to_string().contains("raise [bans] max_v6"), "{error:?}");
        kernel.lift(&"2001:db8:3::/64".parse().unwrap()).unwrap();
        assert_eq!((kernel.bans(), drops(&kernel, "203.0.113.3")), (3, 0));
        kernel.raise(&hour("203.0.113.2", Scope::All), now()).expect("what is there can still be changed");
        kernel.lift(&"203.0.113.1".parse().unwrap()).unwrap();
        kernel.raise(&hour("203.0.113.3", Scope::All), now()).unwrap();
        let fill = kernel.fill();
        assert_eq!((fill.v4.held, fill.v4.limit, fill.v6.held, fill.nets4.held), (2, 2, 1, 0));
        kernel.release().unwrap();
    });
}

#[test]
fn an_auditor_finds_drift_from_another_thread_and_each_subject_is_mended_alone() {
    alone("auditor", |room| {
        let (mut kernel, ..) = room.kernel(&Setting::default());
        let auditor = kernel.take_auditor().unwrap();
        assert!(kernel.take_auditor().is_none());
        let all = ["203.0.113.1", "198.51.100.0/24", "2001:db8:1::/64", "2001:db8::/32"].map(|subject| hour(subject, Scope::All));
        let dark = hour("203.0.113.2", Scope::Dark);
        all.iter().chain([&dark]).for_each(|what| kernel.raise(what, now()).unwrap());
        let intent = [&all[..], &[dark]].concat();
        let look = |auditor: honeymesh_xdp::Auditor, intent: Vec<Enforcement>| {
            std::thread::spawn(move || (auditor.audit(&intent, now()).unwrap(), auditor)).join().unwrap()
        };
        let (drift, auditor) = look(auditor, intent.clone());
        assert!(drift.is_none(), "{drift:?}");
        kernel.lift(&all[0].subject).unwrap();
        kernel.raise(&hour("203.0.113.9", Scope::All), now()).unwrap();
        kernel.raise(&Enforcement { scope: Scope::All, ..dark }, now()).unwrap();
        let (drift, auditor) = look(auditor, intent.clone());
        assert_eq!((drift.missing, drift.extra.len(), drift.different), (vec![all[0].subject], 1, vec![dark.subject]));

        assert_eq!(kernel.mend(&all[0].subject, Some(&all[0]), now()).unwrap().missing, [all[0].subject]);
        assert_eq!(kernel.mend(&drift.extra[0], None, now()).unwrap().extra, drift.extra);
        assert_eq!(kernel.mend(&dark.subject, Some(&dark), now()).unwrap().different, [dark.subject]);
        assert!(kernel.mend(&dark.subject, Some(&dark), now()).unwrap().is_none(), "once is enough");
        assert!(kernel.mend(&"192.0.2.99".parse().unwrap(), None, now()).unwrap().is_none());
        assert!(look(auditor, intent).0.is_none() && kernel.guard().unwrap().is_none());
        assert_eq!(kernel.bans(), 5);
    });
}

#[test]
fn reconcile_makes_the_kernel_equal_and_audit_only_looks() {
    alone("reconcile", |room| {
        let (mut kernel, ..) = room.kernel(&Setting::default());
        for (subject, scope) in [("203.0.113.1", Scope::All), ("198.51.100.0/24", Scope::All), ("2001:db8:1::/64", Scope::Dark)] {
            kernel.raise(&hour(subject, scope), now()).unwrap();
        }
        let better =
            Enforcement { grade: Grade::Hostile, reasons: Reasons::SCAN | Reasons::TRAP, ..hour("203.0.113.1", Scope::All) };
        let intent =
            [better, hour("2001:db8:1::/64", Scope::All), hour("2001:db8:2::9", Scope::All), hour("203.0.113.9", Scope::Dark)];
        let names = |subjects: &[honeymesh_types::Subject]| subjects.iter().map(ToString::to_string).collect::<Vec<_>>();
        let looked = kernel.audit(&intent, now()).unwrap();
        let mended = kernel.reconcile(&intent, now()).unwrap();
        assert_eq!(looked, mended);
        assert_eq!(names(&mended.missing), ["203.0.113.9/32", "2001:db8:2::9/128"]);
        assert_eq!(names(&mended.extra), ["198.51.100.0/24"]);
        assert_eq!(names(&mended.different), ["203.0.113.1/32", "2001:db8:1::/64"]);
        assert!(kernel.audit(&intent, now()).unwrap().is_none());
        assert_eq!(kernel.bans(), 4);
        assert!(!send(&kernel, &Packet::udp("198.51.100.7", HERE4, 53)), "what was extra drops no more");
        assert!(send(&kernel, &Packet::udp("2001:db8:2::9", HERE6, 53)), "what was missing drops");
    });
}

#[test]
fn the_allowlist_and_the_own_addresses_become_exactly_what_is_given() {
    alone("allowlist", |room| {
        let (mut kernel, mut knocks, _sockets) = room.kernel(&Setting::default());
        kernel.raise(&hour("203.0.113.0/24", Scope::All), now()).unwrap();
        let passes = |kernel: &Kernel, last: u8| !send(kernel, &Packet::udp(&format!("203.0.113.{last}"), HERE4, 53));
        let nets = |texts: &[&str]| texts.iter().map(|text| common::net_of(text)).collect::<Vec<_>>();
        kernel.set_allow(&nets(&["203.0.113.7", "203.0.113.16/28", "2001:db8::/32"])).unwrap();
        assert_eq!([7, 8, 17].map(|last| passes(&kernel, last)), [true, false, true]);
        kernel.set_allow(&nets(&["203.0.113.8", "::ffff:203.0.113.9/128"])).unwrap();
        assert_eq!([7, 8, 17, 9].map(|last| passes(&kernel, last)), [false, true, false, true]);
        kernel.set_allow(&[]).unwrap();
        assert_eq!([7, 8, 9].map(|last| passes(&kernel, last)), [false; 3]);
        kernel.set_local(&["192.0.2.99".parse().unwrap()]).unwrap();
        send(&kernel, &Packet::tcp("198.51.100.1", HERE4, 23, SYN));
        assert_eq!(knocks.next(now()), None, "no longer our address");
        send(&kernel, &Packet::tcp("198.51.100.1", "192.0.2.99", 23, SYN));
        assert_eq!(knocks.next(now()).map(|knock| knock.dest.to_string()).as_deref(), Some("192.0.2.99"));
        kernel.set_local(&[]).unwrap();
        send(&kernel, &Packet::tcp("198.51.100.1", "192.0.2.99", 24, SYN));
        assert_eq!(knocks.next(now()), None);
    });
}

#[test]
fn sixty_thousand_bans_fit_and_are_compared() {
    alone("many bans", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = 60_000;
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        let until = Some(now().wall.plus(Duration::from_secs(3_600)));
        let intent: Vec<Enforcement> = (0..60_000_u32)
            .map(|n| ban(&std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).to_string(), Scope::All, until))
            .collect();
        let drift = kernel.reconcile(&intent, now()).unwrap();
        assert_eq!((drift.missing.len(), kernel.bans()), (60_000, 60_000));
        assert!(kernel.audit(&intent, now()).unwrap().is_none());
        assert!(send(&kernel, &Packet::udp("10.0.234.95", HERE4, 53)));
        assert!(!send(&kernel, &Packet::udp("10.0.234.96", HERE4, 53)));
        kernel.release().unwrap();
    });
}

#[test]
fn bans_that_have_ended_make_room_in_a_full_table() {
    alone("room in a full table", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = 2;
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        let soon = Some(now().wall.plus(Duration::from_millis(1)));
        for subject in ["203.0.113.1", "203.0.113.2"] {
            kernel.raise(&ban(subject, Scope::All, soon), now()).unwrap();
        }
        std::thread::sleep(Duration::from_millis(250));
        kernel.raise(&hour("203.0.113.3", Scope::All), now()).unwrap();
        assert_eq!(kernel.bans(), 1);
        kernel.release().unwrap();
    });
}

#[test]
fn what_has_no_key_in_a_line_is_banned_all_the_same() {
    alone("all zeros", |room| {
        let (mut kernel, ..) = room.kernel(&Setting::default());
        for (subject, packet) in [
            ("0.0.0.0", Packet::udp("0.0.0.0", HERE4, 53)),
            ("::/64", Packet::udp("::9", HERE6, 53)),
            ("fe80::/64", Packet::udp("fe80::9", HERE6, 53)),
            ("2001::/16", Packet::udp("2001:5::1", HERE6, 53)),
            ("0.0.0.0/0", Packet::udp("203.0.113.1", HERE4, 53)),
        ] {
            assert!(!send(&kernel, &packet), "{subject}");
            kernel.raise(&hour(subject, Scope::All), now()).unwrap();
            assert!(send(&kernel, &packet), "{subject}");
            assert_eq!(drops(&kernel, subject), 1, "{subject}");
            assert!(kernel.audit(&[hour(subject, Scope::All)], now()).unwrap().is_none(), "{subject}");
            assert!(kernel.lift(&subject.parse().unwrap()).unwrap());
            assert!(!send(&kernel, &packet), "{subject}");
        }
    });
}

/// What exact bans and the bits before the tries are in.
const BAN_TABLES: [&str; 6] = ["HM_LINES4", "HM_LINES6", "HM_BANS4", "HM_BANS6", "HM_TOUCH4", "HM_TOUCH6"];

/// The memory that the kernel charges for a table.
fn charged(pin: &std::path::Path) -> u64 {
    use std::os::fd::{AsFd, AsRawFd};
    let map = aya::maps::MapData::from_pin(pin).unwrap();
    let text = std::fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", map.fd().as_fd().as_raw_fd())).unwrap();
    let octets = text.lines().find_map(|line| line.strip_prefix("memlock:")).unwrap();
    octets.trim().parse().unwrap()
}

/// The processor time of this thread.
fn spent() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

#[test]
fn a_million_bans_are_restored_audited_and_swept() {
    alone("a million bans", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = 1_000_000;
        let (mut kernel, _knocks) = Kernel::prepare(&options).unwrap();
        let until = Some(now().wall.plus(Duration::from_secs(3_600)));
        let subject = |n: u32| honeymesh_types::Subject::host(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into());
        let what = |n| Enforcement { subject: subject(n), until, ..ban("203.0.113.1", Scope::All, None) };
        let mut intent: Vec<Enforcement> = (0..1_000_000).map(what).collect();
        let timed = |name: &str, start: Duration| eprintln!("a million bans: {name} {:?} of processor time", spent() - start);
        let start = spent();
        let drift = kernel.reconcile(&intent, now()).unwrap();
        timed("restored in", start);
        assert_eq!((drift.missing.len(), kernel.bans()), (1_000_000, 1_000_000));
        assert!(kernel.fill().v4.stashed < 1_000, "{:?}", kernel.fill());
        let start = spent();
        let drift = kernel.audit(&intent, now()).unwrap();
        timed("audited in", start);
        assert!(drift.is_none());
        assert!(matches!(kernel.raise(&hour("203.0.113.1", Scope::All), now()), Err(Error::Full { .. })));
        let octets: u64 = BAN_TABLES.iter().map(|name| charged(&room.pins().join("maps").join(name))).sum();
        assert!(octets <= 45_000_000, "{octets} octets for a million bans, and for as many /64s as fit");
        eprintln!("a million bans: {octets} octets");
        let start = spent();
        assert_eq!(kernel.sweep(Now { mono: now().mono.plus(Duration::from_secs(3_601)), ..now() }).unwrap(), 1_000_000);
        timed("swept in", start);
        intent.truncate(10);
        assert_eq!(kernel.audit(&intent, now()).unwrap().missing.len(), 10);
        kernel.attach().unwrap();
        kernel.release().unwrap();
    });
}

/// The `n`th of ten million addresses that follow no order: multiplication by an odd number meets each of 2^24 once.
fn scattered(n: u32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from_bits(0x0b00_0000 + (n.wrapping_mul(0x9e_3779) & 0xff_ffff))
}

#[test]
fn the_largest_table_takes_ten_million_bans_each_of_which_drops_and_no_more() {
    const BANS: u32 = 10_000_000;
    alone("ten million bans", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = BANS;
        options.max_v6 = Some(1_000);
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        let (now, until) = (now(), Some(now().wall.plus(Duration::from_secs(3_600))));
        let what = |n| Enforcement {
            subject: honeymesh_types::Subject::host(scattered(n).into()),
            until,
            ..ban("203.0.113.1", Scope::All, None)
        };
        let start = spent();
        let intent: Vec<Enforcement> = (0..BANS).map(what).collect();
        assert_eq!(kernel.reconcile(&intent, now).unwrap().missing.len(), BANS as usize);
        drop(intent);
        eprintln!("ten million bans: restored in {:?} of processor time", spent() - start);
        let fill = kernel.fill();
        assert_eq!((kernel.bans(), fill.v4.held), (BANS as usize, BANS as usize));
        assert!(fill.v4.stashed < BANS as usize / 1_000, "{fill:?}");
        let error = kernel.raise(&what(BANS), now).unwrap_err();
        assert!(matches!(error, Error::Full { .. }), "{error}");
        let is_dropped = |n| is_dropped(&kernel, scattered(n).into());
        let start = spent();
        assert!((0..BANS).all(is_dropped), "a ban leaks");
        eprintln!("ten million bans: each tried in {:?} of processor time", spent() - start);
        assert!(!(BANS..0xff_ffff).step_by(103).any(is_dropped), "somebody who is not banned is dropped");
        let octets: u64 = BAN_TABLES.iter().map(|name| charged(&room.pins().join("maps").join(name))).sum();
        eprintln!("ten million bans: {octets} octets, {} in the hash table beside", fill.v4.stashed);
        assert!(octets <= 45 * u64::from(BANS), "{octets} octets for ten million bans");
        for n in (0..BANS).step_by(100_003) {
            assert!(kernel.lift(&what(n).subject).unwrap() && !send(&kernel, &Packet::udp(&scattered(n).to_string(), HERE4, 53)));
        }
        kernel.release().unwrap();
    });
}

/// The `n`th of IPv6 sources, each of a /64 of its own, that follow no order.
fn scattered6(n: u32) -> std::net::Ipv6Addr {
    let net = u128::from(n.wrapping_mul(0x9e37_79b9));
    std::net::Ipv6Addr::from_bits(0x2a00 << 112 | net << 64 | 7)
}

#[test]
fn every_ban_of_a_full_table_of_both_families_drops_and_nobody_else_is_dropped() {
    const BANS: u32 = 1_000_000;
    alone("a full table", |room| {
        let mut options = room.options(&["lo"]);
        (options.max_bans, options.max_v6) = (BANS, Some(BANS));
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        let (now, until) = (now(), Some(now().wall.plus(Duration::from_secs(3_600))));
        let what = |subject| Enforcement { subject, until, ..ban("203.0.113.1", Scope::All, None) };
        let sources = |n| [scattered(n).into(), scattered6(n).into()];
        let subjects = |n| sources(n).map(|addr| honeymesh_types::Subject::of_source(addr, &[]));
        let intent: Vec<Enforcement> = (0..BANS).flat_map(subjects).map(what).collect();
        assert_eq!(kernel.reconcile(&intent, now).unwrap().missing.len(), 2 * BANS as usize);
        let is_full = |error: Result<(), Error>| matches!(error, Err(Error::Full { .. }));
        assert!(subjects(BANS).into_iter().all(|subject| is_full(kernel.raise(&what(subject), now))));
        let start = spent();
        for n in 0..BANS {
            assert_eq!(sources(n).map(|from| is_dropped(&kernel, from)), [true; 2], "{:?} leak", sources(n));
        }
        for n in BANS..BANS + BANS / 10 {
            assert_eq!(sources(n).map(|from| is_dropped(&kernel, from)), [false; 2], "{:?} are not banned", sources(n));
        }
        eprintln!("2 x {BANS} bans and a tenth as many others: each tried in {:?} of processor time", spent() - start);
        assert!(intent.iter().all(|what| kernel.drops(&what.subject) == 1), "each has dropped its packet");
        for (seats, words) in seats(&room.pins()).iter().zip(["IPv4", "IPv6"]) {
            let counts = [&seats.first, &seats.second, &seats.stashed].map(Vec::len);
            eprintln!("{words}: first line, second line, hash table: {counts:?}");
            assert!(counts.iter().sum::<usize>() == BANS as usize && counts[1] > 0, "{words}: {counts:?}");
        }
        kernel.release().unwrap();
    });
}

fn is_dropped(kernel: &Kernel, from: std::net::IpAddr) -> bool {
    send(kernel, &Packet::udp(&from.to_string(), if from.is_ipv4() { HERE4 } else { HERE6 }, 53))
}

#[test]
fn the_kernel_finds_bans_in_their_second_line_and_in_the_hash_table_beside() {
    // Of few lines, which are asked at once, and of so many that their fronts are asked first.
    for (max_bans, with_fronts) in [(40, false), (9_000, true)] {
        alone("other seats", |room| {
            let mut options = room.options(&["lo"]);
            (options.max_bans, options.max_v6) = (max_bans, Some(max_bans));
            let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
            let empty = seats(&room.pins());
            assert!(empty.iter().all(|seats| (seats.header.lines >= honeymesh_xdp_abi::FRONT_LINES_MIN) == with_fronts));
            let crowds = crowds([&empty[0].header, &empty[1].header]);
            // One of them is not banned, although its line is full of others.
            let others = crowds.each_ref().map(|crowd| crowd.at_home[0]);
            let crowds = crowds.each_ref().map(|crowd| crowd.all().split_off(1));
            // Then as many as have room, each of which makes some line fuller.
            let more = (11..max_bans).map(|n| [scattered(n).into(), scattered6(n).into()]);
            let subject = |addr| honeymesh_types::Subject::of_source(addr, &[]);
            for addr in crowds.concat().into_iter().chain(more.flatten()) {
                kernel.raise(&hour(&subject(addr).to_string(), Scope::All), now()).unwrap();
            }
            let seats = seats(&room.pins());
            for (seats, ways) in seats.iter().zip([honeymesh_xdp_abi::WAYS4, honeymesh_xdp_abi::WAYS6]) {
                let counts = [&seats.first, &seats.second, &seats.stashed].map(Vec::len);
                assert!(counts[1] > 0 && counts[2] >= 7 - ways, "{max_bans}: {counts:?}");
            }
            let tried = |kernel: &Kernel, all: &[std::net::IpAddr], dropped: bool, hits: u64| {
                for from in all {
                    assert_eq!(
                        (is_dropped(kernel, *from), kernel.drops(&subject(*from))),
                        (dropped, hits),
                        "{from} of {max_bans}"
                    );
                }
            };
            for Seats { first, second, stashed, .. } in &seats {
                [first, second, stashed].iter().for_each(|all| tried(&kernel, all, true, 1));
            }
            tried(&kernel, &others, false, 0);
            // Their lines' flags stay as long as somebody depends on them.
            for Seats { second, stashed, .. } in &seats {
                for from in stashed.iter().chain(second).step_by(2) {
                    assert!(kernel.lift(&subject(*from)).unwrap());
                    tried(&kernel, &[*from], false, 0);
                }
                stashed.iter().chain(second).skip(1).step_by(2).for_each(|from| tried(&kernel, &[*from], true, 2));
            }
            kernel.release().unwrap();
        });
    }
}

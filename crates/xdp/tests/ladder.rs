//! One table of cases for every rung: whoever is banned is dropped, on real packets, and nobody else.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;
#[path = "ladder/neighbours.rs"]
mod neighbours;

use common::{
    alone,
    backend::{Backend, HERE, HERE6, Kind, LATE_MAX, Stage, brief, datagram, full, in_time, intent},
    ban, hour,
};
use honeymesh_types::{Enforcement, Grade, KnockKind, Lockdown, Reasons, Scope, Transport};
use honeymesh_xdp::{Drift, Error, now};
use honeymesh_xdp_program::testing::{Packet, SYN};
use neighbours::banned_neighbours_are_still_found_and_find_us;
use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Each case becomes a test of each rung.
macro_rules! cases {
    ($($case:ident)+) => {
        mod xdp { $( #[test] fn $case() { super::on(super::Kind::Xdp, stringify!($case), super::$case); } )+ }
        mod generic { $( #[test] fn $case() { super::on(super::Kind::Generic, stringify!($case), super::$case); } )+ }
        mod nftables { $( #[test] fn $case() { super::on(super::Kind::Nft, stringify!($case), super::$case); } )+ }
    };
}

cases! {
    a_ban_drops_until_it_is_lifted
    a_ban_ends_by_itself
    a_refresh_and_a_change_keep_the_hits
    an_ended_ban_is_removed
    the_allowlist_wins
    prefixes_nest_and_end_one_by_one
    ipv6_is_banned_by_customer_and_narrower_and_wider
    observing_only_counts
    tags_fragments_and_options_hide_nobody
    banned_neighbours_are_still_found_and_find_us
    held_bans_drop_while_nobody_is_there_and_are_adopted
    the_mode_is_adopted
    release_leaves_nothing
    drift_is_found_and_healed
    a_full_table_says_so
    a_hundred_thousand_bans_are_restored_and_adopted
    restarts_under_a_flood_let_nothing_through
    a_scan_is_answered_twice_and_never_again
    datagrams_to_dark_ports_are_refused_twice_and_never_again
    while_nobody_is_there_the_probe_that_crosses_is_the_first_that_gets_no_answer
    what_the_kernel_silenced_gives_way_to_what_is_ordered
    a_silence_drops_probes_and_nothing_else
    an_allowed_source_may_scan
    a_lockdown_keeps_connections_and_ends_by_itself_with_nobody_there
    a_confirmed_lockdown_is_adopted_and_friends_get_in
    a_prefix_and_what_it_stands_for_change_places_and_let_nothing_through
}

/// What becomes of a connection to here.
fn connect(stage: &Stage<'_>, to: &'static str, port: u16) -> Result<(), ErrorKind> {
    stage.peer.run(move || {
        let to = SocketAddr::new(to.parse().unwrap(), port);
        TcpStream::connect_timeout(&to, ANSWERED_WITHIN).map(drop).map_err(|error| error.kind())
    })
}

const REFUSED: Result<(), ErrorKind> = Err(ErrorKind::ConnectionRefused);
const SILENT: Result<(), ErrorKind> = Err(ErrorKind::TimedOut);
const ANSWERED_WITHIN: Duration = Duration::from_millis(600);

fn on(kind: Kind, name: &str, case: fn(&mut Stage<'_>)) {
    alone(name, |room| case(&mut Stage::new(room, kind)));
}

fn a_ban_drops_until_it_is_lifted(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    for (source, subject) in [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1::7", "2001:db8:1::/64"),
        ("2001:db8:1::7", "2001:db8:1::7"),
    ] {
        assert!(!stage.drops(&*kernel, source), "{subject} is not banned yet");
        kernel.raise(&full(subject)).unwrap();
        assert!(stage.drops(&*kernel, source), "{subject}");
        assert_eq!(kernel.drops(subject), 1, "{subject}");
        assert!(!stage.drops(&*kernel, "203.0.114.7") && !stage.drops(&*kernel, "2001:db8:2::7"), "nobody else");
        assert!(kernel.lift(subject) && !kernel.lift(subject), "{subject}");
        assert!(!stage.drops(&*kernel, source), "{subject} was lifted");
    }
    kernel.release();
}

fn a_ban_ends_by_itself(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    let sources = ["203.0.113.8", "203.0.113.17", "2001:db8:1::9"].map(datagram);
    let (dropped, life) = in_time(|life| {
        for subject in ["203.0.113.8", "203.0.113.16/28", "2001:db8:1::/64"] {
            kernel.raise(&brief(subject, life)).unwrap();
        }
        stage.dropped(&*kernel, &sources)
    });
    assert_eq!(dropped, 3);
    thread::sleep(life + LATE_MAX);
    assert_eq!(stage.dropped(&*kernel, &sources), 0);
    assert!(kernel.audit(&intent(&[])).is_none(), "what has ended is no drift");
    kernel.raise(&full("203.0.113.8")).unwrap();
    assert!(stage.drops(&*kernel, "203.0.113.8"), "and may come again");
    kernel.release();
}

fn a_refresh_and_a_change_keep_the_hits(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    let (dropped, life) = in_time(|life| {
        kernel.lift("203.0.113.7");
        kernel.raise(&brief("203.0.113.7", life)).unwrap();
        let dropped = stage.drops(&*kernel, "203.0.113.7");
        kernel.raise(&full("203.0.113.7")).unwrap();
        dropped
    });
    assert!(dropped);
    thread::sleep(life + LATE_MAX);
    assert!(stage.drops(&*kernel, "203.0.113.7"), "the later end counts");
    assert_eq!(kernel.drops("203.0.113.7"), 2);
    for scope in [Scope::Dark, Scope::All] {
        kernel.raise(&hour("203.0.113.7", scope)).unwrap();
        assert_eq!(kernel.drops("203.0.113.7"), 2);
        assert_eq!(stage.drops(&*kernel, "203.0.113.7"), scope == Scope::All, "a datagram to a served host");
    }
    kernel.release();
}

fn an_ended_ban_is_removed(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    kernel.raise(&full("203.0.113.8")).unwrap();
    kernel.raise(&brief("203.0.113.8", Duration::ZERO)).unwrap();
    assert!(!stage.drops(&*kernel, "203.0.113.8"));
    assert!(kernel.audit(&intent(&[])).is_none());
    kernel.release();
}

fn the_allowlist_wins(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    for subject in ["203.0.113.0/24", "203.0.113.7", "2001:db8:1::/64"] {
        kernel.raise(&full(subject)).unwrap();
    }
    let passes = |kernel: &dyn common::backend::Backend, source: &str| !stage.drops(kernel, source);
    kernel.set_allow(&["203.0.113.7", "203.0.113.16/28", "2001:db8::/32"]);
    let sources = ["203.0.113.7", "203.0.113.8", "203.0.113.17", "2001:db8:1::1"];
    assert_eq!(sources.map(|source| passes(&*kernel, source)), [true, false, true, true]);
    assert!(kernel.counters().allowed >= 3);
    kernel.set_allow(&["203.0.113.8", "::ffff:203.0.113.9/128"]);
    assert_eq!(sources.map(|source| passes(&*kernel, source)), [false, true, false, false]);
    assert!(passes(&*kernel, "203.0.113.9"), "a mapped address is its IPv4 address");
    kernel.set_allow(&[]);
    assert_eq!(sources.map(|source| passes(&*kernel, source)), [false; 4]);
    kernel.release();
}

fn prefixes_nest_and_end_one_by_one(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    for subject in ["203.0.0.0/16", "203.0.113.0/24", "203.0.113.7"] {
        kernel.raise(&full(subject)).unwrap();
    }
    let (counts, life) = in_time(|life| {
        kernel.lift("203.0.113.0/28");
        kernel.raise(&brief("203.0.113.0/28", life)).unwrap();
        (stage.drops(&*kernel, "203.0.113.8"), kernel.drops("203.0.113.0/28"))
    });
    assert_eq!(counts, (true, 1), "the narrowest counts");
    thread::sleep(life + LATE_MAX);
    for (lifted, counts) in [("203.0.113.7", "203.0.113.0/24"), ("203.0.113.0/24", "203.0.0.0/16")] {
        assert!(stage.drops(&*kernel, "203.0.113.7") && kernel.drops(lifted) == 1, "{lifted}");
        assert!(kernel.lift(lifted));
        let before = kernel.drops(counts);
        assert!(stage.drops(&*kernel, "203.0.113.8"), "{counts} still holds");
        assert_eq!(kernel.drops(counts), before + 1);
        if lifted == "203.0.113.7" {
            kernel.lift("203.0.113.0/24");
            kernel.raise(&full("203.0.113.0/24")).unwrap();
        }
    }
    assert!(kernel.lift("203.0.0.0/16"));
    assert!(!stage.drops(&*kernel, "203.0.113.7"));
    kernel.release();
}

fn ipv6_is_banned_by_customer_and_narrower_and_wider(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    let sources = ["2001:db8:1:2::9", "2001:db8:1:2:ffff::1", "2001:db8:1:3::9", "2001:db8:2::9"];
    for (subject, dropped) in [
        ("2001:db8:1:2::9", [true, false, false, false]),
        ("2001:db8:1:2::/64", [true, true, false, false]),
        ("2001:db8:1::/48", [true, true, true, false]),
        ("2001:db8::/32", [true; 4]),
    ] {
        kernel.raise(&full(subject)).unwrap();
        assert_eq!(sources.map(|source| stage.drops(&*kernel, source)), dropped, "{subject}");
        kernel.lift(subject);
    }
    kernel.release();
}

fn observing_only_counts(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    kernel.raise(&full("203.0.113.7")).unwrap();
    kernel.set_enforcing(false);
    assert!(stage.drops(&*kernel, "203.0.113.7"), "it is counted ...");
    let counters = kernel.counters();
    assert_eq!((counters.dropped, counters.would_drop), (0, 2), "... and not dropped, nor is the sentinel");
    assert_eq!(kernel.drops("203.0.113.7"), 1);
    kernel.set_enforcing(true);
    assert!(stage.drops(&*kernel, "203.0.113.7"));
    assert_eq!((kernel.counters().dropped, kernel.counters().would_drop), (2, 2));
    kernel.release();
}

fn tags_fragments_and_options_hide_nobody(stage: &mut Stage<'_>) {
    const VLAN: u16 = 0x8100;
    const SERVICE: u16 = 0x88a8;
    let mut kernel = stage.start();
    kernel.raise(&full("203.0.113.7")).unwrap();
    kernel.raise(&full("2001:db8:1::/64")).unwrap();
    let plain = || [datagram("203.0.113.7"), datagram("2001:db8:1::7")];
    for vlans in [&[][..], &[VLAN], &[SERVICE], &[SERVICE, VLAN], &[VLAN, VLAN]] {
        let frames = plain().map(|packet| packet.vlans(vlans));
        assert_eq!(stage.dropped(&*kernel, &frames), 2, "{vlans:x?}");
    }
    let [v4, v6] = plain();
    let odd = [v4.options(3), datagram("203.0.113.7").fragment(100, true), v6.extension(0)];
    assert_eq!(stage.dropped(&*kernel, &odd), 3);
    let connected = Packet::tcp("203.0.113.7", HERE, 443, 0x10);
    assert_eq!(
        stage.dropped(&*kernel, &[connected, Packet::tcp("203.0.113.7", "198.18.0.9", 80, SYN)]),
        2,
        "also what is forwarded"
    );
    let good = [datagram("203.0.113.9").vlans(&[SERVICE, VLAN]), datagram("2001:db8:2::7").vlans(&[VLAN])];
    assert_eq!(stage.dropped(&*kernel, &good), 0);
    kernel.release();
}

fn held_bans_drop_while_nobody_is_there_and_are_adopted(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    let bans = [full("203.0.113.7"), full("203.0.113.128/25"), full("2001:db8:1::/64"), hour("203.0.113.9", Scope::Dark)];
    bans.iter().for_each(|what| kernel.raise(what).unwrap());
    let sources = ["203.0.113.7", "203.0.113.130", "2001:db8:1::1"].map(datagram);
    assert_eq!(stage.dropped(&*kernel, &sources), 3);
    // As with kill -9: nobody says goodbye.
    drop(kernel);
    let octets: Vec<_> = sources.iter().map(Packet::build).collect();
    stage.peer.run(move || octets.iter().for_each(|frame| common::wire::send("hm1", frame)));
    let mut kernel = stage.start();
    assert!(kernel.audit(&intent(&bans)).is_none(), "nothing was forgotten or changed");
    assert_eq!(stage.dropped(&*kernel, &sources), 3);
    assert_eq!(["203.0.113.7", "203.0.113.128/25", "2001:db8:1::/64"].map(|subject| kernel.drops(subject)), [3; 3]);
    assert!(kernel.lift("203.0.113.7"));
    assert!(!stage.drops(&*kernel, "203.0.113.7"));
    kernel.release();
}

fn the_mode_is_adopted(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    kernel.raise(&full("203.0.113.7")).unwrap();
    kernel.set_enforcing(false);
    drop(kernel);
    let kernel = stage.start();
    assert!(stage.drops(&*kernel, "203.0.113.7"));
    assert_eq!(kernel.counters().dropped, 0, "not even in between");
    kernel.release();
}

fn release_leaves_nothing(stage: &mut Stage<'_>) {
    let socket = UdpSocket::bind((HERE, 53)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut kernel = stage.start();
    kernel.raise(&full("192.0.2.2")).unwrap();
    kernel.release();
    stage.peer.run(|| UdpSocket::bind(("192.0.2.2", 0)).unwrap().send_to(b"hello", (HERE, 53)).unwrap());
    assert_eq!(socket.recv(&mut [0; 16]).unwrap(), 5);
    let tables = std::process::Command::new("nft").args(["list", "tables"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&tables.stdout), "");
    assert!(!stage.room.pins().exists());
}

fn drift_is_found_and_healed(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    for (subject, scope) in [("203.0.113.1", Scope::All), ("198.51.100.0/25", Scope::All), ("2001:db8:1::/64", Scope::Dark)] {
        kernel.raise(&hour(subject, scope)).unwrap();
    }
    let better = Enforcement { grade: Grade::Hostile, reasons: Reasons::SCAN | Reasons::TRAP, ..full("203.0.113.1") };
    let wanted = intent(&[better, full("2001:db8:1::/64"), full("2001:db8:2::9"), hour("203.0.113.9", Scope::Dark)]);
    let names = |subjects: &[honeymesh_types::Subject]| subjects.iter().map(ToString::to_string).collect::<Vec<_>>();
    let looked = kernel.audit(&wanted);
    let mended = kernel.reconcile(&wanted);
    assert_eq!(looked, mended);
    assert_eq!(names(&mended.missing), ["203.0.113.9/32", "2001:db8:2::9/128"]);
    assert_eq!(names(&mended.extra), ["198.51.100.0/25"]);
    assert_eq!(names(&mended.different), ["203.0.113.1/32", "2001:db8:1::/64"]);
    assert!(kernel.reconcile(&wanted).is_none() && kernel.guard().is_none(), "once is enough");
    assert!(!stage.drops(&*kernel, "198.51.100.7") && stage.drops(&*kernel, "2001:db8:2::9"));
    // An end that was said again to nobody: each audit puts it right.
    let later = ban("203.0.113.1", Scope::All, Some(honeymesh_xdp::now().wall.plus(Duration::from_secs(90_000))));
    assert_eq!(kernel.mend(&later).different, [later.subject]);
    assert!(kernel.mend(&later).is_none());
    kernel.release();
}

fn a_full_table_says_so(stage: &mut Stage<'_>) {
    stage.max_bans = 3;
    let mut kernel = stage.start();
    for subject in ["203.0.113.1", "203.0.113.2", "2001:db8:1::/64"] {
        kernel.raise(&full(subject)).unwrap();
    }
    let error = kernel.raise(&full("203.0.113.3")).unwrap_err();
    assert!(matches!(error, Error::Full { limit: 3, .. }), "{error}");
    assert!(!stage.drops(&*kernel, "203.0.113.3"));
    assert!(kernel.raise(&full("203.0.113.2")).is_ok(), "what is there can still be changed");
    assert!(kernel.lift("203.0.113.1"));
    kernel.raise(&full("203.0.113.3")).unwrap();
    assert!(stage.drops(&*kernel, "203.0.113.3"));
    assert!(error.to_string().contains("raise [bans] max"), "{error}");
    kernel.release();
}

fn a_hundred_thousand_bans_are_restored_and_adopted(stage: &mut Stage<'_>) {
    stage.max_bans = 200_000;
    let mut kernel = stage.start();
    let until = Some(honeymesh_xdp::now().wall.plus(Duration::from_secs(3_600)));
    let many: Vec<_> =
        (0..100_000_u32).map(|n| ban(&Ipv4Addr::from_bits(0x0a00_0000 + n).to_string(), Scope::All, until)).collect();
    let wanted = intent(&many);
    let start = Instant::now();
    assert_eq!(kernel.reconcile(&wanted).missing.len(), 100_000);
    eprintln!("{:?}: 100,000 bans restored in {:?}", stage.kind, start.elapsed());
    assert!(stage.drops(&*kernel, "10.1.134.159") && !stage.drops(&*kernel, "10.1.134.160"));
    drop(kernel);
    let mut kernel = stage.start();
    let start = Instant::now();
    let Drift { missing, extra, different, .. } = kernel.reconcile(&wanted);
    let differ = [missing, extra, different].map(|subjects| (subjects.len(), subjects.first().copied()));
    assert_eq!(differ, [(0, None); 3]);
    assert!(kernel.reconcile(&wanted).is_none());
    eprintln!("{:?}: 100,000 bans compared in {:?}", stage.kind, start.elapsed());
    assert!(stage.drops(&*kernel, "10.0.0.0"));
    kernel.release();
}

/// How many packets may have been judged by nf_tables on a processor that stood still between two sets; a gap lets hundreds through.
const INTERRUPTED_MAX: usize = 8;

/// Somebody who sends from `192.0.2.2` as fast as he can, and our socket, which must never hear of it.
struct Flood {
    socket: UdpSocket,
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Flood {
    fn start(stage: &Stage<'_>) -> Self {
        let socket = UdpSocket::bind((HERE, 53)).unwrap();
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopping, count) = (stop.clone(), sent.clone());
        let thread = stage.peer.run(move || {
            let socket = UdpSocket::bind(("192.0.2.2", 0)).unwrap();
            thread::spawn(move || {
                while !stopping.load(Ordering::Relaxed) {
                    count.fetch_add(u64::from(socket.send_to(b"flood", (HERE, 53)).is_ok()), Ordering::Relaxed);
                }
            })
        });
        let start = Instant::now();
        while sent.load(Ordering::Relaxed) < 2_000 {
            assert!(start.elapsed() < Duration::from_secs(20), "a link takes a moment to come up, but not so long");
            thread::sleep(Duration::from_millis(1));
        }
        Self { socket, sent, stop, thread }
    }

    /// Ends it. How many packets came through?
    fn end(self, stage: &Stage<'_>, kernel: &dyn Backend) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        assert!(stage.drops(kernel, "192.0.2.2"), "one more, behind all of them");
        let sent = self.sent.load(Ordering::Relaxed);
        assert!(sent > 1_000 && kernel.counters().dropped > sent / 2, "{sent} packets are no flood");
        self.socket.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| self.socket.recv(&mut [0; 16]).ok()).count()
    }
}

fn restarts_under_a_flood_let_nothing_through(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    kernel.raise(&full("192.0.2.2")).unwrap();
    let flood = Flood::start(stage);
    for _ in 0..5 {
        drop(kernel);
        kernel = stage.start();
        // What changes rules or the entry itself opens no gap either.
        kernel.raise(&full("192.0.2.2")).unwrap();
        kernel.raise(&full("203.0.113.0/24")).unwrap();
        kernel.set_allow(&["198.51.100.0/30"]);
    }
    assert_eq!(flood.end(stage, &*kernel), 0);
    kernel.release();
}

fn a_prefix_and_what_it_stands_for_change_places_and_let_nothing_through(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    let prefix = intent(&[full("192.0.2.0/24")]);
    let members: Vec<Enforcement> = (0..=255).map(|last| full(&format!("192.0.2.{last}"))).collect();
    let members = intent(&members);
    kernel.reconcile(&prefix);
    let flood = Flood::start(stage);
    // Memory is written so fast that a gap would be found by few packets only.
    let rounds = if stage.kind == Kind::Nft { 20 } else { 200 };
    for _ in 0..rounds {
        assert_eq!((kernel.reconcile(&members).extra.len(), kernel.reconcile(&prefix).extra.len()), (1, 256));
    }
    // The program's packets under way are waited for; nf_tables' are in nobody's hand.
    let (through, most) = (flood.end(stage, &*kernel), if stage.kind == Kind::Nft { INTERRUPTED_MAX } else { 0 });
    assert!(through <= most, "{through} came through");
    kernel.release();
}

fn a_scan_is_answered_twice_and_never_again(stage: &mut Stage<'_>) {
    let _served = TcpListener::bind("[::]:80").unwrap();
    let mut kernel = stage.start();
    for (to, from) in [(HERE, "192.0.2.2"), (HERE6, "2001:db8::2")] {
        assert_eq!([21, 22, 21].map(|port| connect(stage, to, port)), [REFUSED; 3], "{to}");
        assert_eq!([23, 24, 21].map(|port| connect(stage, to, port)), [SILENT; 3], "{to}");
        assert_eq!(connect(stage, to, 80), Ok(()), "{to}: served ports stay open");
        let told = stage.told();
        let mut kinds: Vec<_> = told.iter().map(|knock| (knock.port, knock.kind.clone())).collect();
        // In the order in which they were met last, by a clock in which some meet at once.
        if let Some((_, KnockKind::Scan { ports, .. })) = kinds.last_mut() {
            ports.sort_unstable();
        }
        let scan = (23, KnockKind::Scan { ports: kinds.iter().map(|(port, _)| *port).collect(), silenced: true });
        assert_eq!(kinds, [(21, KnockKind::Probe), (22, KnockKind::Probe), scan], "{to}");
        assert!(told.iter().all(|knock| knock.source.to_string() == from && knock.dest.to_string() == to), "{told:?}");
    }
    let counters = kernel.counters();
    assert_eq!((counters.scans, counters.dropped_scan), (2, 2));
    assert!(counters.dropped_dark >= 4 && counters.knocks >= 8, "{counters:?}");
    assert!(kernel.drops("192.0.2.2") >= 3, "the silence counts what it drops");
    assert!(kernel.audit(&intent(&[])).is_none(), "the kernel's own silences are no drift");
    kernel.release();
}

fn datagrams_to_dark_ports_are_refused_twice_and_never_again(stage: &mut Stage<'_>) {
    let kernel = stage.start();
    let ask = |(from, port): (u16, u16)| {
        stage.peer.run(move || {
            let socket = UdpSocket::bind(("0.0.0.0", from)).unwrap();
            socket.connect((HERE, port)).unwrap();
            socket.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
            socket.send(b"?").unwrap();
            socket.recv(&mut [0; 8]).unwrap_err().kind()
        })
    };
    assert_eq!([(53, 5_060), (53, 512), (123, 123), (67, 68)].map(ask), [ErrorKind::ConnectionRefused; 4], "late answers");
    assert_eq!([(0, 161), (53, 69)].map(ask), [ErrorKind::ConnectionRefused; 2], "nobody asks from port 69");
    assert_eq!([(0, 1_194), (0, 5_060), (123, 19)].map(ask), [ErrorKind::WouldBlock; 3], "silence");
    assert_eq!(connect(stage, HERE, 22), SILENT, "of both transports");
    assert!(stage.told().iter().all(|knock| knock.transport == Transport::Udp));
    kernel.release();
}

fn while_nobody_is_there_the_probe_that_crosses_is_the_first_that_gets_no_answer(stage: &mut Stage<'_>) {
    let kernel = stage.start();
    assert_eq!(connect(stage, HERE, 21), REFUSED);
    drop(kernel);
    assert_eq!(connect(stage, HERE, 22), REFUSED);
    let kernel = stage.start();
    drop(kernel);
    assert_eq!([23, 24].map(|port| connect(stage, HERE, port)), [SILENT; 2], "its count outlives a restart");
    let kernel = stage.start();
    assert_eq!(connect(stage, HERE, 25), SILENT, "and so does its silence");
    kernel.release();
}

fn what_the_kernel_silenced_gives_way_to_what_is_ordered(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    for (to, subject, other) in [(HERE, "192.0.2.2", "192.0.2.3"), (HERE6, "2001:db8::2", "2001:db8:0:1::/64")] {
        assert_eq!([21, 22, 23].map(|port| connect(stage, to, port)), [REFUSED, REFUSED, SILENT]);
        let hits = kernel.drops(subject);
        assert!(hits > 0 && kernel.drops(other) == 0, "{subject}");
        kernel.raise(&hour(subject, Scope::Dark)).unwrap();
        assert!(kernel.drops(subject) >= hits, "{subject}: what it dropped stays counted");
        assert!(kernel.mend(&hour(subject, Scope::Dark)).is_none(), "{subject}");
        assert_eq!(connect(stage, to, 24), SILENT, "{subject}");
        assert!(kernel.lift(subject) && !kernel.lift(subject), "{subject}: one entry");
    }
    kernel.release();
}

fn a_silence_drops_probes_and_nothing_else(stage: &mut Stage<'_>) {
    let _served = TcpListener::bind("[::]:80").unwrap();
    let mut kernel = stage.start();
    for (to, subject) in [(HERE, "192.0.2.0/28"), (HERE, "192.0.2.2"), (HERE6, "2001:db8::/64"), (HERE6, "2001:db8::2")] {
        kernel.raise(&hour(subject, Scope::Dark)).unwrap();
        assert_eq!((connect(stage, to, 23), connect(stage, to, 80)), (SILENT, Ok(())), "{subject}");
        assert!(kernel.drops(subject) > 0, "{subject}");
        assert!(kernel.lift(subject));
        assert_eq!(connect(stage, to, 23), REFUSED, "{subject}: lifted");
    }
    kernel.release();
}

fn an_allowed_source_may_scan(stage: &mut Stage<'_>) {
    let mut kernel = stage.start();
    kernel.set_allow(&["192.0.2.0/30", "2001:db8::2"]);
    for to in [HERE, HERE6] {
        assert_eq!([21, 22, 23, 24].map(|port| connect(stage, to, port)), [REFUSED; 4], "{to}");
    }
    assert!(stage.told().is_empty() && kernel.counters().knocks == 0);
    kernel.release();
}

fn a_lockdown_keeps_connections_and_ends_by_itself_with_nobody_there(stage: &mut Stage<'_>) {
    let served = TcpListener::bind("[::]:80").unwrap();
    let mut kernel = stage.start();
    kernel.set_enforcing(false);
    let stands = stage.peer.run(|| TcpStream::connect((HERE, 80)).unwrap());
    let (mut near, mut far) = (served.accept().unwrap().0, stands);
    kernel.set_lockdown(Lockdown::Until(now().mono.plus(Duration::from_secs(60))));
    assert_eq!([80, 23].map(|port| connect(stage, HERE, port)), [SILENT; 2]);
    assert_eq!(connect(stage, HERE6, 80), SILENT);
    far.write_all(b"still here").unwrap();
    near.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    near.read_exact(&mut [0; 10]).unwrap();
    assert!(kernel.counters().dropped_lockdown >= 3 && stage.told().is_empty(), "strangers are only counted");
    kernel.raise(&full("203.0.113.7")).unwrap();
    let before = kernel.counters();
    stage.drops(&*kernel, "203.0.113.7");
    assert!(kernel.counters().dropped_v4 > before.dropped_v4, "bans go on, whatever the mode before was");
    // Prolonged means: from now on so much more, or less.
    kernel.set_lockdown(Lockdown::Until(now().mono.plus(Duration::from_secs(3))));
    assert_eq!(connect(stage, HERE, 80), SILENT);
    drop(kernel);
    let start = Instant::now();
    while connect(stage, HERE, 80) != Ok(()) {
        assert!(start.elapsed() < Duration::from_secs(20), "nobody needs to be there to end it");
    }
    assert_eq!(connect(stage, HERE, 23), REFUSED, "the mode before holds again");
    stage.start().release();
}

fn a_confirmed_lockdown_is_adopted_and_friends_get_in(stage: &mut Stage<'_>) {
    let _served = TcpListener::bind("[::]:80").unwrap();
    let mut kernel = stage.start();
    kernel.set_lockdown(Lockdown::Until(now().mono.plus(Duration::from_secs(60))));
    kernel.set_lockdown(Lockdown::Confirmed);
    drop(kernel);
    let mut kernel = stage.start();
    assert_eq!([HERE, HERE6].map(|to| connect(stage, to, 80)), [SILENT; 2]);
    kernel.set_allow(&["192.0.2.2", "2001:db8::/64"]);
    assert_eq!([HERE, HERE6].map(|to| connect(stage, to, 80)), [Ok(()); 2]);
    assert_eq!(connect(stage, HERE, 23), REFUSED, "a friend learns what is closed");
    kernel.set_allow(&[]);
    assert_eq!(connect(stage, HERE, 80), SILENT);
    assert!(kernel.guard().is_none(), "nothing is to be mended");
    kernel.set_lockdown(Lockdown::Off);
    assert_eq!((connect(stage, HERE, 80), connect(stage, HERE, 23)), (Ok(()), REFUSED));
    kernel.release();
}

//! A daemon with as many bans as its table has room for: how long it takes to enter them, to restart with them and to audit them, what it
//! takes of memory, how soon it answers meanwhile, and that a banned source is dropped all the time.
//!
//! `cargo xtask bench bans` runs it with the release build and a million, whose figures count: docs/performance.md.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{
    Daemon, Net, eventually, in_namespace, is_root,
    orders::{family, order},
};
use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Bans that are entered: every other one of IPv6.
const BANS: u32 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
/// Connections over which they are entered.
const ORDERERS: u32 = 4;

/// A banned and an honest sender of each family, in the stranger's namespace.
const BANNED: [&str; 2] = ["10.77.0.2", "fd77::2"];
const HONEST: [&str; 2] = ["10.77.0.3", "fd77::3"];
const PORT: u16 = 4_002;

/// As users bring lists of them: in the order of addresses, both families mixed.
fn subject(number: u32) -> String {
    if number.is_multiple_of(2) {
        return Ipv4Addr::from_bits(0x6400_0000 + number / 2 * 7).to_string();
    }
    format!("{}/64", Ipv6Addr::from_bits(0x2a00_u128 << 112 | u128::from(number / 2 * 11) << 64))
}

/// Who is asked all the time, and how long the longest answer took, in microseconds.
struct Asked {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<[Duration; 2]>,
}

impl Asked {
    /// `status`, and `bans` of one subject, each by a process of its own as users do.
    fn start(net: &Arc<Net>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (net, stopped) = (net.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut longest = [Duration::ZERO; 2];
            while !stopped.load(Relaxed) {
                for (longest, args) in longest.iter_mut().zip([&["status"][..], &["bans", "--subject", "10.77.0.2"]]) {
                    let asked = Instant::now();
                    net.json(args);
                    *longest = asked.elapsed().max(*longest);
                }
                thread::sleep(Duration::from_millis(100));
            }
            longest
        });
        Self { stop, thread }
    }

    fn end(self) -> [Duration; 2] {
        self.stop.store(true, Relaxed);
        self.thread.join().unwrap()
    }
}

/// Datagrams of all senders, all the time.
struct Traffic {
    stop: Arc<AtomicBool>,
    /// Sent and heard, of banned and honest ones.
    counts: Arc<[[AtomicU64; 2]; 2]>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    fn start(net: &Net) -> Self {
        let link = format!("s{}", &net.interface[1..]);
        common::sh(&format!(
            "ip -n {0} addr add {1}/24 dev {link}; ip -n {0} addr add {2}/64 dev {link} nodad",
            net.stranger, HONEST[0], HONEST[1]
        ));
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(<[[AtomicU64; 2]; 2]>::default()));
        let socket = in_namespace(&net.node, || UdpSocket::bind(("::", PORT)).unwrap()).join().unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (stopped, sent) = (stop.clone(), counts.clone());
        let send = move || {
            let sockets = [BANNED, HONEST].map(|all| all.map(|from| UdpSocket::bind((from, 0)).unwrap()));
            while !stopped.load(Relaxed) {
                for (who, sockets) in sockets.iter().enumerate() {
                    for (socket, to) in sockets.iter().zip(["10.77.0.1", "fd77::1"]) {
                        sent[0][who].fetch_add(u64::from(socket.send_to(b"?", (to, PORT)).is_ok()), Relaxed);
                    }
                }
                thread::sleep(Duration::from_millis(1));
            }
        };
        let (stopped, heard) = (stop.clone(), counts.clone());
        let hear = move || {
            while !stopped.load(Relaxed) {
                let Ok((_, from)) = socket.recv_from(&mut [0; 8]) else { continue };
                let is_honest = HONEST.contains(&&*from.ip().to_canonical().to_string());
                heard[1][usize::from(is_honest)].fetch_add(1, Relaxed);
            }
        };
        let threads = vec![in_namespace(&net.stranger, send), thread::spawn(hear)];
        Self { stop, counts, threads }
    }

    fn end(self) -> [[u64; 2]; 2] {
        self.stop.store(true, Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.counts.each_ref().map(|counts| counts.each_ref().map(|count| count.load(Relaxed)))
    }
}

/// What all processes have resident, and what is their own, in MB.
fn memory(daemon: &Daemon) -> [u64; 2] {
    let of = |field: &str| {
        let each = family(daemon.child.id()).into_iter().filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.lines().find_map(|line| line.strip_prefix(field))?.trim().trim_end_matches(" kB").parse::<u64>().ok()
        });
        each.sum::<u64>() / 1_000
    };
    [of("VmRSS:"), of("RssAnon:")]
}

fn audit(net: &Net) -> serde_json::Value {
    let audits = || net.json(&["status"])["audit"]["audits"].as_u64().unwrap_or(0);
    let before = audits();
    let start = Instant::now();
    while audits() == before {
        assert!(start.elapsed() < Duration::from_secs(120), "no audit for two minutes");
        thread::sleep(Duration::from_millis(200));
    }
    net.json(&["status"])["audit"].clone()
}

#[test]
fn very_many_bans_are_entered_kept_audited_and_enforced_over_a_restart_while_the_daemon_answers() {
    if !is_root() {
        return;
    }
    let net = Arc::new(Net::new());
    let config = net.config("[bans]\nmax = 1000000\nmax_v6 = 600000\n");
    let daemon = net.start(&config);
    BANNED.iter().for_each(|who| drop(net.told(&["ban", who, "--ttl", "7d"])));
    println!("{BANS} bans, without any: {:?} MB resident, own", memory(&daemon));
    let asked = Asked::start(&net);
    let start = Instant::now();
    let orderers: Vec<_> = (0..ORDERERS)
        .map(|first| (net.socket(), (first..BANS).step_by(ORDERERS as usize)))
        .map(|(socket, numbers)| thread::spawn(move || order(&socket, numbers.map(subject), "7d")))
        .collect();
    orderers.into_iter().for_each(|orderer| orderer.join().unwrap());
    println!(
        "entered in {:?}; meanwhile status, bans of one took at most {:?}; {:?} MB",
        start.elapsed(),
        asked.end(),
        memory(&daemon)
    );
    let held = || net.json(&["status"])["bans"]["enforced"].as_u64().unwrap();
    assert_eq!(held(), u64::from(BANS) + 2);
    let asked = Asked::start(&net);
    let told = audit(&net);
    println!("audit {told}; meanwhile {:?}; {:?} MB", asked.end(), memory(&daemon));
    assert!(["missing", "extra", "different"].iter().all(|kind| told[kind] == 0), "{told}");
    let start = Instant::now();
    let all = net.told(&["bans", "--json"]);
    println!("all bans listed in {:?}: {} MB; {:?} MB", start.elapsed(), all.len() / 1_000_000, memory(&daemon));
    // A ban a line, and the brackets.
    assert_eq!(all.lines().count(), BANS as usize + 2 + 2);

    let traffic = Traffic::start(&net);
    eventually("traffic", || (traffic.counts[1][1].load(Relaxed) > 100).then_some(()));
    daemon.kill();
    let start = Instant::now();
    let daemon = net.start(&config);
    println!("started again in {:?}; {:?} MB", start.elapsed(), memory(&daemon));
    assert_eq!(held(), u64::from(BANS) + 2);
    let asked = Asked::start(&net);
    let told = audit(&net);
    println!("audit after the start {told}; meanwhile {:?}; {:?} MB", asked.end(), memory(&daemon));
    assert!(["missing", "extra", "different"].iter().all(|kind| told[kind] == 0), "{told}");
    let [sent, heard] = traffic.end();
    println!("sent (banned, honest): {sent:?}, heard: {heard:?}");
    assert!(heard[0] == 0 && heard[1] > 0, "{heard:?} of {sent:?}");
    let start = Instant::now();
    assert!(daemon.stop().0.success());
    println!("stopped in {:?}", start.elapsed());
}

//! No gap: the daemon is stopped, killed and started again under traffic that never stops, and every packet is counted.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Daemon, Net, in_namespace, is_root, sh};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    net::UdpSocket,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Packets of each source.
const PACKETS_MIN: u64 = 100_000;
/// Packets of the honest source that may be under way: so few that no queue of the machine overflows.
const UNDER_WAY_MAX: u64 = 48;
/// How long the last packets may be under way.
const PATIENCE: Duration = Duration::from_secs(10);
const TO: &str = "10.77.0.1:9999";
const BANNED: &str = "10.77.0.2";
const HONEST: &str = "10.77.0.3";

/// What was sent and what arrived, of the banned and of the honest source.
#[derive(Default)]
struct Counts {
    sent: [AtomicU64; 2],
    heard: [AtomicU64; 2],
    stop: AtomicBool,
}

/// Both sources send in turn: a packet that is dropped must not make room for one that is not.
fn send(counts: &Counts) {
    let sockets = [BANNED, HONEST].map(|from| UdpSocket::bind((from, 0)).unwrap());
    while !counts.stop.load(SeqCst) {
        if counts.sent[1].load(SeqCst) >= counts.heard[1].load(SeqCst) + UNDER_WAY_MAX {
            std::thread::yield_now();
            continue;
        }
        for (socket, sent) in sockets.iter().zip(&counts.sent) {
            sent.fetch_add(u64::from(socket.send_to(b"x", TO).is_ok()), SeqCst);
        }
    }
}

fn hear(counts: &Counts, socket: &UdpSocket) {
    let mut room = [0; 4];
    while !counts.stop.load(SeqCst) || (counts.heard[1].load(SeqCst) < counts.sent[1].load(SeqCst)) {
        let Ok((_, from)) = socket.recv_from(&mut room) else {
            if counts.stop.load(SeqCst) {
                return;
            }
            continue;
        };
        let source = usize::from(from.ip().to_string() == HONEST);
        counts.heard[source].fetch_add(1, SeqCst);
    }
}

fn start_traffic(net: &Net, counts: &Arc<Counts>) -> [JoinHandle<()>; 2] {
    let (here, there) = (counts.clone(), counts.clone());
    let socket = in_namespace(&net.node, || UdpSocket::bind(TO).unwrap()).join().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    [in_namespace(&net.node, move || hear(&here, &socket)), in_namespace(&net.stranger, move || send(&there))]
}

/// The same configuration with another size of the table.
fn resize(config: &Path, max: u32) {
    let text = fs::read_to_string(config).unwrap();
    let text: String = text.lines().filter(|line| !line.starts_with("max = ")).map(|line| format!("{line}\n")).collect();
    fs::write(config, text.replace("[bans]\n", &format!("[bans]\nmax = {max}\n"))).unwrap();
}

#[test]
fn restarts_and_kills_under_traffic_leak_no_banned_packet_and_lose_no_honest_one() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config("[bans]\nmax = 1000\n");
    sh(&format!("ip -n {} addr add {HONEST}/24 dev s{}", net.stranger, &net.interface[1..]));
    let mut daemon = net.start(&config);
    net.told(&["ban", BANNED]);
    let counts = Arc::new(Counts::default());
    let [hearing, sending] = start_traffic(&net, &counts);

    let stop = |daemon: Daemon| assert!(daemon.stop().0.success());
    for round in 0..6 {
        match round % 3 {
            0 => stop(daemon),
            1 => daemon.kill(),
            _ => {
                // The keeper first, then the daemon: neither holds up what the kernel does.
                let keeper = net.json(&["status"])["keeper"]["pid"].as_i64().unwrap();
                kill(Pid::from_raw(i32::try_from(keeper).unwrap()), Signal::SIGKILL).unwrap();
                daemon.kill();
            }
        }
        // Another size of the table, so that the bans move; and the same once more.
        resize(&config, [1_000, 5_000, 5_000][round % 3]);
        daemon = net.start(&config);
    }
    let began = Instant::now();
    while counts.sent[0].load(SeqCst).min(counts.sent[1].load(SeqCst)) < PACKETS_MIN {
        assert!(began.elapsed() < 12 * PATIENCE, "the traffic stands still: {:?}", counts.sent);
        std::thread::sleep(Duration::from_millis(10));
    }
    counts.stop.store(true, SeqCst);
    sending.join().unwrap();
    hearing.join().unwrap();
    let [banned, honest] = [0, 1].map(|source| (counts.sent[source].load(SeqCst), counts.heard[source].load(SeqCst)));
    eprintln!("6 restarts: of {} banned packets {} came through, of {} honest ones {}", banned.0, banned.1, honest.0, honest.1);
    assert_eq!(banned.1, 0, "leaked, of {}", banned.0);
    assert_eq!(honest.0 - honest.1, 0, "lost, of {}", honest.0);
    assert!(banned.0 >= PACKETS_MIN && honest.0 >= PACKETS_MIN);
    stop(daemon);
}

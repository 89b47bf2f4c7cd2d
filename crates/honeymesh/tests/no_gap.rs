//! No gap: the daemon is stopped, killed, upgraded and started again under traffic of both families that never stops, and
//! every packet is counted.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Daemon, Net, Rung, in_namespace, is_root, on_every_rung, sh};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Packets of each source.
const PACKETS_MIN: u64 = 60_000;
/// Packets of the honest sources that may be under way: so few that no queue of the machine overflows.
const UNDER_WAY_MAX: u64 = 48;
/// How long the last packets may be under way.
const PATIENCE: Duration = Duration::from_secs(10);
const PORT: u16 = 9_999;
/// Who sends whom: the banned one of each family, and the honest one behind it.
const SOURCES: [(&str, &str); 4] =
    [("10.77.0.2", "10.77.0.1"), ("10.77.0.3", "10.77.0.1"), ("fd78::2", "fd77::1"), ("fd77::3", "fd77::1")];
const BANNED: [usize; 2] = [0, 2];
const HONEST: [usize; 2] = [1, 3];

/// What was sent and what arrived, of each source.
#[derive(Default)]
struct Counts {
    sent: [AtomicU64; 4],
    heard: [AtomicU64; 4],
    stop: AtomicBool,
    /// The last packet was sent.
    all_sent: AtomicBool,
}

impl Counts {
    /// Honest packets that have not arrived yet.
    fn under_way(&self) -> u64 {
        HONEST.iter().map(|source| self.sent[*source].load(SeqCst) - self.heard[*source].load(SeqCst)).sum()
    }

    fn wait_sent(&self, least: u64) {
        let began = Instant::now();
        while self.sent.iter().any(|sent| sent.load(SeqCst) < least) {
            assert!(began.elapsed() < 12 * PATIENCE, "the traffic stands still: {:?}", self.sent);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// All send in turn: a packet that is dropped must not make room for one that is not.
fn send(counts: &Counts) {
    let sockets = SOURCES.map(|(from, to)| {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.connect((to, PORT)).unwrap();
        socket
    });
    while !counts.stop.load(SeqCst) {
        if counts.under_way() >= UNDER_WAY_MAX {
            std::thread::yield_now();
            continue;
        }
        for (socket, sent) in sockets.iter().zip(&counts.sent) {
            // Counted first, so that nothing has arrived before it was sent.
            sent.fetch_add(1, SeqCst);
            if socket.send(b"x").is_err() {
                sent.fetch_sub(1, SeqCst);
            }
        }
    }
}

fn hear(counts: &Counts, socket: &UdpSocket) {
    let sources: [IpAddr; 4] = SOURCES.map(|(from, _)| from.parse().unwrap());
    let (mut room, mut heard) = ([0; 4], Instant::now());
    while !counts.all_sent.load(SeqCst) || counts.under_way() > 0 {
        let Ok((_, from)) = socket.recv_from(&mut room) else {
            if counts.all_sent.load(SeqCst) && heard.elapsed() > PATIENCE {
                return;
            }
            continue;
        };
        heard = Instant::now();
        let source = sources.iter().position(|source| *source == from.ip().to_canonical()).unwrap();
        counts.heard[source].fetch_add(1, SeqCst);
    }
}

fn start_traffic(net: &Net, counts: &Arc<Counts>) -> [JoinHandle<()>; 2] {
    let (here, there) = (counts.clone(), counts.clone());
    let everywhere = SocketAddr::new("::".parse().unwrap(), PORT);
    let socket = in_namespace(&net.node, move || UdpSocket::bind(everywhere).unwrap()).join().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    [in_namespace(&net.node, move || hear(&here, &socket)), in_namespace(&net.stranger, move || send(&there))]
}

/// The same configuration with another kind or size of the tables.
fn with_tables(config: &Path, tables: &str) {
    let text = fs::read_to_string(config).unwrap();
    fs::write(config, text.split_once("[bans]\n").unwrap().0.to_owned() + "[bans]\n" + tables + "\n").unwrap();
}

/// The directories of pins, one for each version.
fn versions(pins: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(pins).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.is_dir()).collect()
}

/// How a daemon ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It is asked to.
    Stopped,
    /// `kill -9`.
    Killed,
    /// The keeper, or the process that writes to nf_tables, first, then the daemon: neither holds up what the kernel does.
    BothKilled,
    /// `kill -9`, and what it has pinned is another version's for the next one: that has to fill tables of its own.
    Replaced(u32),
}

const ROUNDS: [(End, &str); 6] = [
    (End::Stopped, "max = 1000"),
    (End::Killed, "max = 5000"),
    (End::Replaced(1), "max = 5000"),
    (End::BothKilled, "max = 5000"),
    (End::Killed, "max = 5000\ntable = \"hash\""),
    (End::Replaced(99), "max = 5000"),
];

/// What its links can differ in: the tables are those of the rung above.
const ROUNDS_OF_GENERIC: [(End, &str); 4] = [
    (End::Stopped, "max = 1000"),
    (End::Killed, "max = 5000"),
    (End::Replaced(1), "max = 5000"),
    (End::BothKilled, "max = 5000"),
];

/// Its tables have one kind and one version.
const ROUNDS_OF_NFTABLES: [(End, &str); 4] =
    [(End::Stopped, "max = 1000"), (End::Killed, "max = 5000"), (End::BothKilled, "max = 5000"), (End::Stopped, "max = 5000")];

/// The process that writes to nf_tables: the daemon's child of that name.
fn writer(daemon: &Daemon) -> String {
    let parent = format!("\nPPid:\t{}\n", daemon.child.id());
    let is_it = |pid: &String| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.starts_with("Name:\thoneymesh-nft\n") && status.contains(&parent)
    };
    let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    all.into_iter().find(is_it).unwrap()
}

/// It is a user who owns nothing, in no other group, with one power, and opens nothing more.
fn expect_nobody(writer: &str) {
    let status = fs::read_to_string(format!("/proc/{writer}/status")).unwrap();
    let line = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!([line("Uid"), line("Gid"), line("Groups")], ["65522 65522 65522 65522", "65522 65522 65522 65522", ""]);
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(line(set), "0000000000001000", "{set}");
    }
    assert_eq!([line("CapInh"), line("CapAmb")], ["0000000000000000"; 2]);
    assert_eq!([line("NoNewPrivs"), line("Seccomp")], ["1", "2"]);
}

on_every_rung! { restarts_kills_and_upgrades_under_traffic_leak_no_banned_packet_and_lose_no_honest_one }

fn restarts_kills_and_upgrades_under_traffic_leak_no_banned_packet_and_lose_no_honest_one(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config("[bans]\nmax = 1000\n");
    let (far, node) = (format!("s{}", &net.interface[1..]), &net.node);
    sh(&format!("ip -n {0} addr add 10.77.0.3/24 dev {far}; ip -n {0} addr add fd77::3/64 dev {far} nodad", net.stranger));
    // A customer of its own, for an IPv6 ban is a /64.
    sh(&format!("ip -n {} addr add fd78::2/64 dev {far} nodad", net.stranger));
    sh(&format!("ip -n {node} -6 route add fd78::/64 dev {}", net.interface));
    let mut daemon = net.start(&config);
    for source in BANNED {
        net.told(&["ban", SOURCES[source].0]);
    }
    let counts = Arc::new(Counts::default());
    let [hearing, sending] = start_traffic(&net, &counts);

    let rounds = match rung {
        Rung::Highest => &ROUNDS[..],
        Rung::Generic => &ROUNDS_OF_GENERIC,
        Rung::Nftables => &ROUNDS_OF_NFTABLES,
    };
    if !rung.is_xdp() {
        expect_nobody(&writer(&daemon));
    }
    let mut least = 0;
    for &(end, tables) in rounds {
        // Some of the traffic is between any two of them.
        least += PACKETS_MIN / 12;
        counts.wait_sent(least);
        match end {
            End::Stopped => assert!(daemon.stop().0.success()),
            End::Killed | End::Replaced(_) => daemon.kill(),
            End::BothKilled => {
                let helper = if rung.is_xdp() {
                    net.json(&["status"])["keeper"]["pid"].as_i64().unwrap().to_string()
                } else {
                    writer(&daemon)
                };
                kill(Pid::from_raw(helper.parse().unwrap()), Signal::SIGKILL).unwrap();
                daemon.kill();
            }
        }
        let own = if rung.is_xdp() { versions(&net.pin_dir) } else { Vec::new() };
        if let End::Replaced(other) = end {
            fs::rename(&own[0], own[0].with_file_name(format!("v{other}"))).unwrap();
        }
        with_tables(&config, tables);
        daemon = net.start(&config);
        if rung.is_xdp() {
            assert_eq!((versions(&net.pin_dir), own.len()), (own, 1), "{end:?}: whatever was there, it is one version's now");
        }
        assert_eq!(net.json(&["bans"]).as_array().unwrap().len(), BANNED.len(), "{end:?}");
    }
    counts.wait_sent(PACKETS_MIN);
    counts.stop.store(true, SeqCst);
    sending.join().unwrap();
    counts.all_sent.store(true, SeqCst);
    hearing.join().unwrap();
    let of = |source: usize| (counts.sent[source].load(SeqCst), counts.heard[source].load(SeqCst));
    for (index, (source, _)) in SOURCES.iter().enumerate() {
        eprintln!("{rung:?}: {} restarts: of {} packets of {source} {} came through", rounds.len(), of(index).0, of(index).1);
    }
    assert_eq!(BANNED.map(|source| of(source).1), [0; 2], "leaked, of {:?}", counts.sent);
    assert_eq!(HONEST.map(|source| of(source).0 - of(source).1), [0; 2], "lost, of {:?}", counts.sent);
    assert!(daemon.stop().0.success());
}

/// The same configuration on another rung.
fn with_rung(config: &Path, attach: &str) {
    let text = fs::read_to_string(config).unwrap();
    let (before, after) = text.split_once("[xdp]\nattach = \"").unwrap();
    let rest = after.split_once('\n').unwrap().1;
    fs::write(config, format!("{before}[xdp]\nattach = \"{attach}\"\n{rest}")).unwrap();
}

/// Where other tables take over, those that hold the lockdown are not let go of before the new ones hold it.
#[test]
fn a_confirmed_lockdown_has_no_gap_where_rung_or_tables_change() {
    if !is_root() {
        return;
    }
    let net = Net::on(Rung::Nftables);
    let config = net.config(&format!("[allow]\nnets = [\"{}\", \"{}\"]\n", SOURCES[HONEST[0]].0, SOURCES[HONEST[1]].0));
    let (far, node) = (format!("s{}", &net.interface[1..]), &net.node);
    sh(&format!("ip -n {0} addr add 10.77.0.3/24 dev {far}; ip -n {0} addr add fd77::3/64 dev {far} nodad", net.stranger));
    sh(&format!("ip -n {} addr add fd78::2/64 dev {far} nodad", net.stranger));
    sh(&format!("ip -n {node} -6 route add fd78::/64 dev {}", net.interface));
    let mut daemon = net.start(&config);
    net.told(&["mode", "lockdown", "--confirm-within", "30s"]);
    net.told(&["mode", "lockdown", "--confirm"]);
    let counts = Arc::new(Counts::default());
    let [hearing, sending] = start_traffic(&net, &counts);
    let (mut least, mut ready) = (0, Vec::new());
    for attach in ["generic", "nftables", "generic", "other tables", "nftables"] {
        least += 2_000;
        counts.wait_sent(least);
        assert!(daemon.stop().0.success());
        match attach {
            "other tables" => {
                let own = net.pins();
                fs::rename(&own, own.with_file_name("v99")).unwrap();
            }
            rung => with_rung(&config, rung),
        }
        daemon = Daemon::spawn(net.daemon_command(&config));
        ready.push(daemon.wait_for("ready"));
        eprintln!("{attach}: {:?} heard of {:?}", counts.heard, counts.sent);
    }
    counts.wait_sent(least + 2_000);
    counts.stop.store(true, SeqCst);
    sending.join().unwrap();
    counts.all_sent.store(true, SeqCst);
    hearing.join().unwrap();
    let of = |source: usize| (counts.sent[source].load(SeqCst), counts.heard[source].load(SeqCst));
    assert_eq!(BANNED.map(|source| of(source).1), [0; 2], "let in, of {:?}", counts.sent);
    assert_eq!(HONEST.map(|source| of(source).0 - of(source).1), [0; 2], "lost, of {:?}", counts.sent);
    assert!(ready.iter().all(|line| line.contains("mode=lockdown")), "whatever the configuration file says: {ready:?}");
    // Nobody who is on the never-ban set was kept out, and leaving ends it here, too.
    assert!(!net.reaches());
    net.told(&["mode", "enforce"]);
    assert!(net.reaches() && daemon.stop().0.success());
}

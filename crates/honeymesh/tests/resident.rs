//! The memory of the whole appliance with every service on, as `ps` and as the kernel's proportional account have it.
//!
//! `cargo xtask bench memory` runs it with the release build, whose figures count: docs/performance.md.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and this one tells what it measures"
)]

mod common;

use common::{
    Net, eventually, is_root,
    orders::{family, order},
};
use honeymesh_trap_proto::Service;
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

/// The most that all processes together may have resident at rest, in kB: the sum of what `ps` shows of each.
const RESIDENT_MAX: u64 = if cfg!(debug_assertions) { 36_000 } else { 30_000 };
/// The same, where what several have in common is divided among them.
const PROPORTIONAL_MAX: u64 = if cfg!(debug_assertions) { 24_000 } else { 20_000 };
/// Of that, what is the processes' own, whatever the build: no code.
const OWN_MAX: u64 = 15_000;
/// Windows onto the tables: twice 4 MiB for the exact bans, twice 128 KiB for prefixes, each with its first, and the ring in
/// which the kernel tells what it saw, which is mapped twice.
const MAPS_MAX: u64 = 2 * 4_096 + 2 * 128 + 6 * 16 + 2 * 1_032;
/// The most that a ban may add, in octets: the ledger's and the mesh's part of it, and what the store and an audit took once.
const OCTETS_A_BAN_MAX: u64 = 1_100;
/// What a list of all bans may leave, in kB: pages of it.
const LIST_MAX: u64 = 20_000;
/// Bans that are entered.
const BANS: u32 = 100_000;
/// Connections over which they are entered.
const ORDERERS: u32 = 4;
/// So long after the start it is over, and what only it needed was let go.
const REST: Duration = Duration::from_secs(9);
const FIRST_PORT: u16 = 20_001;

/// Memory in kB.
#[derive(Clone, Debug, Default)]
struct Resident {
    name: String,
    rss: u64,
    pss: u64,
    anon: u64,
    /// Tables of the kernel.
    maps: u64,
}

impl Resident {
    fn of(pid: u32) -> Self {
        let read = |what: &str| fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let (status, sums) = (read("status"), read("smaps_rollup"));
        let mut is_map = false;
        let mut maps = 0;
        for line in read("smaps").lines() {
            if line.split_once(' ').is_some_and(|(range, _)| range.contains('-')) {
                is_map = line.contains("bpf-map");
            } else if line.starts_with("Rss:") && is_map {
                maps += field(line, "Rss:");
            }
        }
        let (rss, anon, pss) = (field(&status, "VmRSS:"), field(&status, "RssAnon:"), field(&sums, "Pss:"));
        Self { name: read("comm").trim().into(), rss, pss, anon, maps }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            name: "all".into(),
            rss: self.rss + other.rss,
            pss: self.pss + other.pss,
            anon: self.anon + other.anon,
            maps: self.maps + other.maps,
        }
    }
}

/// Tells each process, and adds them up.
fn measure(when: &str, daemon: u32) -> Resident {
    let each: Vec<Resident> = family(daemon).into_iter().map(Resident::of).collect();
    let all = each.iter().cloned().reduce(Resident::plus).unwrap();
    println!("{when}, kB:             rss     pss    anon  tables");
    for Resident { name, rss, pss, anon, maps } in each.iter().chain([&all]) {
        println!("  {name:<16} {rss:>7} {pss:>7} {anon:>7} {maps:>7}");
    }
    assert!(each.len() >= 5, "daemon, player, keeper and the two wardens: {each:?}");
    all
}

/// Every service there is, dark ports, a cluster, the API.
fn everything(net: &Net, bans_max: u32) -> String {
    let key = net.dir.path().join("mesh.key");
    assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&key).output().unwrap().status.success());
    let traps = (FIRST_PORT..).zip(Service::NAMES).map(|(port, name)| {
        let more = match *name {
            "dns" | "sip" | "memcached" => "transport = \"both\"\n",
            "script" => "[[trap.rule]]\nregex = \"^PING (?<what>.*)$\"\nanswer = \"+PONG\\r\\n\"\n",
            _ => "",
        };
        format!("[[trap]]\nname = \"{name}\"\nservice = \"{name}\"\nlisten = [\"0.0.0.0:{port}\", \"[::]:{port}\"]\n{more}")
    });
    let traps: String = traps.collect();
    format!(
        "[bans]\nmax = {bans_max}\n[traps]\ndark = \"trap\"\n[[cluster]]\nname = \"m\"\nlisten = \"10.77.0.1:7946\"\nkey_file = \"{}\"\n{traps}",
        key.display()
    )
}

/// One after the other says something to each trap that speaks TCP.
fn visit_all(net: &Net) {
    let visits = || {
        for port in (FIRST_PORT..).take(Service::NAMES.len()) {
            let Ok(mut stream) = TcpStream::connect(SocketAddr::from(([10, 77, 0, 1], port))) else { continue };
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut answer = [0; 4_096];
            for said in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "USER root\r\n", "PASS toor\r\n"] {
                let _it_may_have_left = stream.write_all(said.as_bytes());
                let _it_may_be_silent = stream.read(&mut answer);
            }
        }
    };
    common::in_namespace(&net.stranger, visits).join().unwrap();
}

fn subject(number: u32) -> String {
    std::net::Ipv4Addr::from_bits(0x6400_0000 + number * 7).to_string()
}

fn holds(when: &str, all: &Resident, bans: u64) {
    let more = bans * OCTETS_A_BAN_MAX / 1_024;
    assert!(all.maps <= MAPS_MAX, "{when}: {} kB of tables, {MAPS_MAX} are documented", all.maps);
    assert!(all.anon <= OWN_MAX + more, "{when}: {} kB of its own, {} are documented", all.anon, OWN_MAX + more);
    assert!(all.pss <= PROPORTIONAL_MAX + more, "{when}: {} kB, {} are documented", all.pss, PROPORTIONAL_MAX + more);
    assert!(all.rss <= RESIDENT_MAX + more, "{when}: {} kB, {} are documented", all.rss, RESIDENT_MAX + more);
}

#[test]
fn every_service_is_on_and_little_is_resident_also_after_many_bans_and_an_audit() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config(&everything(&net, 1_000_000)));
    let pid = daemon.child.id();
    thread::sleep(REST);
    holds("at rest", &measure("at rest", pid), 0);
    // Whoever comes is only looked at, so that all of it is heard.
    net.told(&["mode", "observe"]);
    visit_all(&net);
    let visited = measure("after a visit to each service", pid);
    assert!(visited.anon <= OWN_MAX && visited.maps <= MAPS_MAX, "{visited:?}");
    net.told(&["mode", "enforce"]);
    let orderers: Vec<_> = (0..ORDERERS)
        .map(|first| (net.socket(), (first..BANS).step_by(ORDERERS as usize)))
        .map(|(socket, numbers)| thread::spawn(move || order(&socket, numbers.map(subject), "7d")))
        .collect();
    orderers.into_iter().for_each(|orderer| orderer.join().unwrap());
    let audits = || net.json(&["status"])["audit"]["audits"].as_u64().unwrap_or(0);
    let before = audits();
    eventually("an audit of all bans", || (audits() > before).then_some(()));
    let all = measure("after 100,000 bans and an audit", pid);
    assert!(all.anon <= OWN_MAX + u64::from(BANS) * OCTETS_A_BAN_MAX / 1_024 && all.maps <= MAPS_MAX, "{all:?}");
    // While all of them are listed the tables are mapped whole, and not afterwards.
    assert_eq!(net.json(&["bans"]).as_array().unwrap().len(), BANS as usize + 1, "and whoever visited");
    let listed = measure("after a list of all", pid);
    assert!(listed.maps <= MAPS_MAX && listed.anon <= all.anon + LIST_MAX, "{listed:?} and before {all:?}");
}

#[test]
fn room_for_ten_million_bans_takes_no_more_of_it() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config(&everything(&net, 10_000_000)));
    thread::sleep(REST);
    holds("with room for ten million", &measure("with room for ten million bans", daemon.child.id()), 0);
}

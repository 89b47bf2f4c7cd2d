//! Scans where nf_tables drops: windows, what outlives a start, and scanners amid a flood of forged sources.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    PATIENCE, alone,
    backend::{HERE, Kind, SENTINEL, Stage, nft, nft_again},
    ban,
    flood::Wire,
    tool::tool,
    wait,
};
use honeymesh_types::Scope;
use honeymesh_xdp::{Dark, Nft, now};
use honeymesh_xdp_program::testing::{Packet, SYN};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// SYNs, each from its source to its port.
fn syns(all: impl IntoIterator<Item = (String, u16)>) -> Vec<Packet> {
    all.into_iter().map(|(source, port)| Packet::tcp(&source, HERE, port, SYN)).collect()
}

#[test]
fn a_flood_of_forged_sources_is_counted_hides_no_suspect_and_makes_nobody_a_scanner() {
    alone("forged flood", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut options = room.options(&["hm0"]);
        // Nobody is forgotten while this lasts, however busy the machine is.
        options.scan.window = Duration::from_secs(3_600);
        let mut nft = nft(&options).unwrap();
        let mut knocks = nft.take_knocks().unwrap();
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
        let suspects: Vec<String> = (1..=50).map(|last| format!("203.0.113.{last}")).collect();
        let of_suspects = |port| syns(suspects.iter().map(|suspect| (suspect.clone(), port)));
        assert_eq!(stage.dropped(&nft, &[of_suspects(21), of_suspects(22)].concat()), 0);
        // More than there is room for: 1,024 sources.
        let forged = syns((0..5_000_u16).map(|number| (format!("10.0.{}.{}", number >> 8, number & 0xff), 23)));
        for some in forged.chunks(500) {
            assert_eq!(stage.dropped(&nft, some), 0, "nobody is taken for a scanner");
        }
        let counters = nft.counters().unwrap();
        assert_eq!((counters.knocks, counters.scans), (5_100, 0));
        // The suspects had their room already, and all others what was left.
        let rest = 5_000 - (1_024 - 50);
        assert_eq!(
            counters.scan_state_lost + counters.scan_rushed,
            rest,
            "the rest counts for a short while or not at all, and that is told"
        );
        assert!(counters.scan_rushed > 0, "{counters:?}");
        assert_eq!(stage.dropped(&nft, &of_suspects(23)), 50, "whoever was known is caught by the third port");
        let told = std::iter::from_fn(|| knocks.next(now())).count() as u64;
        let counters = nft.counters().unwrap();
        let seen = counters.knocks - counters.scan_state_lost;
        assert_eq!(told + counters.knocks_limited + counters.knocks_lost, seen, "told, or counted as not told");
        nft.release().unwrap();
    });
}

#[test]
fn a_port_counts_again_when_its_window_is_over_and_never_twice_within() {
    alone("window", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut options = room.options(&["hm0"]);
        options.scan.window = Duration::from_millis(1_500);
        let mut nft = nft(&options).unwrap();
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
        let probe = |nft: &Nft, ports: &[u16]| stage.dropped(nft, &syns(ports.iter().map(|port| ("203.0.113.7".into(), *port))));
        for round in 0..3 {
            assert_eq!(probe(&nft, &[21, 22, 21, 22, 21]), 0, "{round}");
            thread::sleep(Duration::from_millis(1_700));
        }
        assert_eq!(probe(&nft, &[21, 22, 23, 21]), 2);
        nft.release().unwrap();
    });
}

#[test]
fn what_is_remembered_of_a_scan_stays_when_the_options_change_and_goes_only_with_its_size() {
    alone("changed options", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut options = room.options(&["hm0"]);
        let probe = |nft: &Nft, port| stage.dropped(nft, &syns([("203.0.113.7".into(), port)]));
        let start = |options: &honeymesh_xdp::Options| {
            let mut nft = nft_again(options);
            nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
            nft
        };
        options.scan.ports = 4;
        let nft = start(&options);
        assert_eq!([21, 22].map(|port| probe(&nft, port)), [0; 2]);
        drop(nft);
        (options.scan.ports, options.scan.udp, options.dark) = (3, false, Dark::Silent);
        let nft = start(&options);
        assert_eq!((probe(&nft, 23), nft.counters().unwrap().scans), (1, 1), "the third port");
        assert!(!tool("list table inet honeymesh").unwrap().contains("slot4_3"), "what nobody asks for is gone");
        drop(nft);
        (options.scan.sources, options.scan.budget, options.dark) = (65_536, 65, Dark::Refuse);
        let nft = start(&options);
        assert_eq!(probe(&nft, 24), 0, "other sizes are other sets");
        nft.release().unwrap();
    });
}

/// Somebody who sends SYNs in the names of others, and a scanner among them, until both are told to stop.
struct Storm {
    stop: Arc<AtomicBool>,
    probed: Arc<AtomicU32>,
    threads: Vec<JoinHandle<()>>,
}

/// Forged sources: many times more than there is room for.
const FORGED: u32 = 1 << 24;
const SCANNER: &str = "203.0.113.7";
/// The ports of the scanner's probes, which are a millisecond apart.
const PROBED: std::ops::Range<u16> = 1_000..41_000;

impl Storm {
    fn new() -> Self {
        Self { stop: Arc::default(), probed: Arc::default(), threads: Vec::new() }
    }

    /// `ports_each`: how many ports each forged source touches.
    fn forge(&mut self, stage: &Stage<'_>, ports_each: u16) {
        let stop = self.stop.clone();
        self.threads.push(stage.peer.run(move || {
            let wire = Wire::out_of("hm1");
            thread::spawn(move || {
                let mut frame = Packet::tcp("10.0.0.0", HERE, 23, SYN).build();
                for number in (0..FORGED).cycle().take_while(|_| !stop.load(Relaxed)) {
                    frame[26..30].copy_from_slice(&(0x0a00_0000 + number).to_be_bytes());
                    summed(&mut frame);
                    for port in 23..23 + ports_each {
                        frame[36..38].copy_from_slice(&port.to_be_bytes());
                        wire.send(&frame);
                    }
                }
            })
        }));
    }

    fn scan(&mut self, stage: &Stage<'_>) {
        let (stop, probed) = (self.stop.clone(), self.probed.clone());
        self.threads.push(stage.peer.run(move || {
            let wire = Wire::out_of("hm1");
            thread::spawn(move || {
                for port in PROBED.take_while(|_| !stop.load(Relaxed)) {
                    wire.send(&Packet::tcp(SCANNER, HERE, port, SYN).build());
                    probed.fetch_add(1, Relaxed);
                    thread::sleep(Duration::from_millis(1));
                }
            })
        }));
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// Sets an IPv4 header's checksum right.
fn summed(frame: &mut [u8]) {
    frame[24..26].fill(0);
    let words = frame[14..34].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    frame[24..26].copy_from_slice(&(!u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()).to_be_bytes());
}

/// A scanner who begins when every set is full, for an hour, of sources that do not exist. How many probes he gets answered.
fn silenced_amid(ports_each: u16) {
    alone("a scanner in a flood", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut options = room.options(&["hm0"]);
        (options.scan.window, options.scan.sources) = (Duration::from_secs(3_600), 65_536);
        let mut nft = nft(&options).unwrap();
        let mut knocks = nft.take_knocks().unwrap();
        let mut storm = Storm::new();
        storm.forge(&stage, ports_each);
        let is_lost = |nft: &Nft, least| nft.counters().unwrap().scan_state_lost > least;
        assert!(wait(|| is_lost(&nft, 50_000)), "the sets do not fill: {:?}", nft.counters());
        storm.scan(&stage);
        let (start, scanner) = (Instant::now(), SCANNER.parse().unwrap());
        // That it is told is not asked for: among so many records, which are limited and may be lost (both counted), it may be one of those.
        while nft.drops(&scanner) == 0 {
            assert!(start.elapsed() < 3 * PATIENCE, "silenced, never: {:?}", nft.counters());
            while knocks.next(now()).is_some() {}
            thread::sleep(Duration::from_millis(1));
        }
        let (probed, took) = (storm.probed.load(Relaxed), start.elapsed());
        let before = nft.counters().unwrap();
        assert!(wait(|| is_lost(&nft, before.scan_state_lost)), "the flood goes on");
        drop(storm);
        let counters = nft.counters().unwrap();
        eprintln!("{ports_each} ports each: silenced after {probed} probes, {took:?}, in a flood of {} probes", counters.knocks);
        assert_eq!(counters.scans, 1, "nobody else is taken for a scanner");
        nft.release().unwrap();
    });
}

#[test]
fn a_scanner_who_begins_in_a_flood_of_forged_sources_is_silenced_all_the_same() {
    silenced_amid(1);
}

#[test]
fn a_scanner_who_begins_in_a_flood_of_sources_that_touch_two_ports_each_is_silenced_all_the_same() {
    silenced_amid(2);
}

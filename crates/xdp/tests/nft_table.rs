//! The decision function's table of crafted packets, without XDP: as real frames over a cable, judged by nf_tables.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    Peer, Room, Sockets, alone,
    backend::HARDWARE,
    counted::{heard, moved},
    forward, ip,
};
use honeymesh_types::Scope;
use honeymesh_xdp::{Knocks, Nft, now};
use honeymesh_xdp_abi::Counter;
use honeymesh_xdp_program::{
    decide,
    testing::{
        End, HostKernel, Mutator, Offer, Packet, Script, Setting, Slice, Step, Tell, hushed, hushed_setting, offers,
        offers_setting, scripts,
    },
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use std::{
    net::TcpListener,
    os::fd::AsFd,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(10);
/// Somebody who is always banned: when this one's frame is counted, all frames before it were judged.
const SENTINEL: &str = "198.18.99.254";
/// It goes to nobody here, so that only its ban sees it.
const ELSEWHERE: &str = "198.18.99.1";

/// What this back end does not count: it follows no headers, and walks over no prefixes.
const UNCOUNTED: [Counter; 2] = [Counter::Extensions, Counter::TooNested];

/// Headers that are cut short.
const CUT: &str = "every packet kind, cut at every length";
/// What comes of those of banned sources here: the source alone is asked for, whatever else there is. From how many octets of it on, and until
/// the whole header is there.
const BANNED_AND_CUT: [(&str, std::ops::Range<usize>, Counter); 5] = [
    ("banned SYN cut", 30..34, Counter::DroppedV4),
    ("banned later fragment cut", 30..34, Counter::DroppedV4),
    ("SYN of a banned prefix cut", 34..38, Counter::DroppedNet),
    ("banned SYN, IPv6 cut", 38..54, Counter::DroppedV6),
    ("banned neighbour discovery cut", 38..54, Counter::DroppedV6),
];
/// A VLAN tag and two octets behind it: of what has less behind its Ethernet header the kernel has thrown the frame away before any rule.
const TAG_LEN_MIN: usize = 14 + 6;

/// The shortest frame that can be sent.
const FRAME_LEN_MIN: usize = 14;
/// Damaged frames in all, ...
const DAMAGED: usize = 20_000;
/// ... so many at once, ...
const BATCH: usize = 50;
/// ... and so many of them are broken at least.
const BROKEN_MIN: u64 = 2_000;

const DROPS: [Counter; 6] = [
    Counter::DroppedV4,
    Counter::DroppedV6,
    Counter::DroppedNet,
    Counter::DroppedDark,
    Counter::DroppedScan,
    Counter::DroppedLockdown,
];

/// What comes of a packet here where that is not what comes of it on the other rungs, and why.
const DIFFERENT: &[(&str, &str, &[Counter])] = &[
    // The network stack knows its own addresses, whoever is told of them.
    ("a host without bans and addresses passes everything", "SYN", KNOCK),
    ("a host without bans and addresses passes everything", "SYN, IPv6", KNOCK),
    // Bans are looked up whatever the rest of the header says.
    (EVERY_PACKET, "a header longer than the packet says", &[Counter::DroppedV4]),
    // A tag is taken off by the interface of its VLAN, and there is none: nobody would answer either.
    (PROBES, "tagged", &[Counter::Passed]),
    (STRANGERS, "in a VLAN", &[Counter::Passed]),
    // Two tables, so two looks: a banned source that is only observed comes to the second one.
    (OBSERVING, "banned and probing: it would not have come so far", &[Counter::Passed, Counter::WouldDrop, Counter::Knocks]),
    // The network stack throws away what is not as it should be before the rules about probes see it, ...
    (ODD_HEADERS, "a jumbogram's length of zero", &[Counter::Passed]),
    (ODD_HEADERS, "hop-by-hop of 24 octets", &[Counter::Passed]),
    // ... and follows any number of headers, but none that authenticates.
    (ODD_HEADERS, "seven", &[Counter::Passed, Counter::Knocks]),
    (ODD_HEADERS, "authentication", &[Counter::Passed]),
    // One program instead of two.
    (SILENT, "ACK: the second program drops it", &[Counter::Passed, Counter::Silenced]),
    (SILENT, "UDP: so with this", &[Counter::Passed, Counter::Silenced]),
    // No expression tells a connection that this host opens from one that stands.
    (CONNECTIONS, "both open at once of 203.0.113.77", &[Counter::DroppedLockdown]),
    (CONNECTIONS, "both open at once of 2001:db8:bad:77::1", &[Counter::DroppedLockdown]),
];
const KNOCK: &[Counter] = &[Counter::Passed, Counter::Knocks];
const EVERY_PACKET: &str = "whatever a banned source sends, wherever to, is dropped, and only what is no IP or no packet passes";
const PROBES: &str = "a probe is TCP without ACK and RST, to an own address, on a port without a socket";
const STRANGERS: &str = "in a lockdown a stranger gets nothing";
const OBSERVING: &str = "while observing nothing is dropped or placed, and everything is counted";
const ODD_HEADERS: &str = "headers that contradict themselves pass and are counted; long ones are followed";
const SILENT: &str = "silent dark ports answer nothing, and count all the same";
const CONNECTIONS: &str = "in a lockdown connections that stand go on, and this host may open new ones";
/// An entry counts its packets before it is asked who may pass all the same.
const HITS_OF_ALLOWED: &str = "the allowlist wins over every ban, and allowed sources are no scanners";

/// A frame that is in a VLAN, by its first tag.
fn is_tagged(frame: &[u8]) -> bool {
    matches!(frame.get(12..14), Some([0x81, 0] | [0x88, 0xa8]))
}

/// Does the kernel throw it away before any rule sees it?
fn never_comes(frame: &[u8]) -> bool {
    is_tagged(frame) && frame.len() < TAG_LEN_MIN
}

/// What must come of it; `None` says that it may tell what it likes.
fn wanted(script: &Script, step: &Step) -> (Vec<(Counter, u64)>, Option<Tell>) {
    let cut = BANNED_AND_CUT
        .iter()
        .find(|(name, lens, _)| script.name == CUT && step.name.starts_with(name) && lens.contains(&step.frame.len()));
    let different = DIFFERENT.iter().find(|(name, one, _)| *name == script.name && *one == step.name);
    let counts = different.map_or(&step.counts[..], |(.., counts)| counts);
    let counts = cut.map_or(counts, |(.., counter)| std::slice::from_ref(counter));
    // There is no interface of its VLAN, so nobody would answer.
    let counts = if script.name == CUT && is_tagged(&step.frame) && counts == KNOCK { &[Counter::Passed] } else { counts };
    let counts = if never_comes(&step.frame) { &[Counter::Passed] } else { counts };
    let counts = Counter::ALL.iter().filter(|counter| counts.contains(counter) && !UNCOUNTED.contains(counter));
    let tell = if is_tagged(&step.frame) { Tell::Nothing } else { step.tell.clone() };
    (counts.map(|counter| (*counter, 1)).collect(), different.is_none().then_some(tell))
}

fn run(script: &Script) -> Vec<String> {
    let mut wrong = Vec::new();
    alone(script.name, |room| {
        let (mut host, mut knocks, _sockets) = Host::new(room, &script.setting);
        wrong = script.steps.iter().filter_map(|next| step(&mut host, &mut knocks, next, script)).collect();
        for (subject, hits) in &script.hits {
            let got = host.nft.drops(&subject.parse().unwrap());
            if got != *hits && script.name != HITS_OF_ALLOWED {
                wrong.push(format!("hits of {subject}: {got}, not {hits}"));
            }
        }
    });
    wrong.into_iter().map(|wrong| format!("{}: {wrong}", script.name)).collect()
}

/// A guarded host, and the cable's other end.
struct Host {
    peer: Peer,
    nft: Nft,
    is_dropping: bool,
}

impl Host {
    fn new(room: &Room, setting: &Setting) -> (Self, Knocks, Sockets) {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        ip(&format!("link set hm0 address {HARDWARE}"));
        // Nobody there speaks by himself, and frames from one processor stay in their order.
        peer.run(|| {
            std::fs::write("/proc/sys/net/ipv6/conf/hm1/disable_ipv6", "1").unwrap();
            ip("link set hm1 arp off");
            let mut one = CpuSet::new();
            one.set(0).unwrap();
            sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        });
        let (mut nft, knocks, sockets) = room.nft(setting);
        nft.raise(&common::ban(SENTINEL, Scope::All, None), now()).unwrap();
        (Self { peer, nft, is_dropping: drops_bans(setting) }, knocks, sockets)
    }

    /// What a frame moves, or `None` if the sentinel behind it is not counted as it should be.
    fn judge(&mut self, frame: &[u8]) -> Option<Vec<(Counter, u64)>> {
        self.judge_all(&[frame.to_vec()])
    }

    /// What some frames move together.
    fn judge_all(&mut self, frames: &[Vec<u8>]) -> Option<Vec<(Counter, u64)>> {
        let sentinel = SENTINEL.parse().unwrap();
        let (before, drops) = (self.nft.counters().unwrap(), self.nft.drops(&sentinel));
        let frames = [frames, &[Packet::udp(SENTINEL, ELSEWHERE, 9).build()]].concat();
        self.peer.run(move || common::wire::send_all("hm1", frames.iter().map(Vec::as_slice)));
        let start = Instant::now();
        while self.nft.drops(&sentinel) == drops {
            assert!(start.elapsed() < PATIENCE, "the sentinel was not dropped");
            std::thread::sleep(Duration::from_millis(1));
        }
        // An entry counts its packet a moment before the rule does.
        std::thread::sleep(Duration::from_millis(2));
        let mut after = self.nft.counters().unwrap();
        let (sentinels, least) = match self.is_dropping {
            true => (&mut after.dropped_v4, before.dropped_v4),
            false => (&mut after.would_drop, before.would_drop),
        };
        *sentinels = sentinels.checked_sub(1).filter(|others| *others >= least)?;
        let mut got = moved(&before, &after);
        // The cable's own packets pass, too.
        got.retain(|(counter, _)| *counter != Counter::Passed);
        if !got.iter().any(|(counter, _)| DROPS.contains(counter)) {
            got.insert(0, (Counter::Passed, 1));
        }
        Some(got)
    }
}

/// Is the sentinel dropped, or would it only be?
fn drops_bans(setting: &Setting) -> bool {
    setting.enforcing || setting.lockdown.is_some_and(|end| end != End::Past)
}

fn step(host: &mut Host, knocks: &mut Knocks, step: &Step, script: &Script) -> Option<String> {
    let Some(got) = host.judge(&step.frame) else {
        return Some(format!("{}: the sentinel was not counted as it should be", step.name));
    };
    let told = heard(knocks);
    let (want, tell) = wanted(script, step);
    let is_right = got == want && tell.as_ref().is_none_or(|tell| *tell == told);
    (!is_right).then(|| format!("{}: {got:?} {told:?}, not {want:?} {tell:?}", step.name))
}

#[test]
fn every_packet_of_the_table_gets_its_verdict_counters_and_records_from_nf_tables() {
    let wrong: Vec<String> = scripts().iter().flat_map(run).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Extension headers: behind them the rules go by what the kernel has found.
const EXTENSIONS: [u8; 5] = [0, 43, 44, 51, 60];

/// Has it an IPv6 header that extension headers follow?
fn is_extended(frame: &[u8]) -> bool {
    let mut at = 12;
    while matches!(frame.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8])) {
        at += 4;
    }
    frame.get(at..at + 2) == Some(&[0x86, 0xdd]) && frame.get(at + 8).is_some_and(|next| EXTENSIONS.contains(next))
}

/// How many of these are no IP, and how many broken, as the XDP program has it.
fn judged(kernel: &HostKernel, frames: &[Vec<u8>]) -> [u64; 2] {
    let counted = || [Counter::NotIp, Counter::Malformed].map(|counter| kernel.counted(counter));
    let before = counted();
    for frame in frames {
        let _verdict = decide(&Slice(frame), &kernel);
    }
    let after = counted();
    [after[0] - before[0], after[1] - before[1]]
}

#[test]
fn of_twenty_thousand_damaged_packets_as_many_are_counted_as_broken_as_by_the_xdp_program() {
    alone("damaged packets without XDP", |room| {
        let (mut host, mut knocks, _sockets) = Host::new(room, &Setting::default());
        let kernel = HostKernel::of(&Setting::default());
        let whole: Vec<Vec<u8>> = scripts().into_iter().flat_map(|script| script.steps).map(|step| step.frame).collect();
        let (mut mutator, mut broken) = (Mutator::new(11), 0);
        for _ in 0..DAMAGED / BATCH {
            let damaged = std::iter::repeat_with(|| {
                let frame = &whole[mutator.below(whole.len())];
                mutator.damage(frame, FRAME_LEN_MIN)
            });
            let is_judged = |frame: &Vec<u8>| frame.len() >= FRAME_LEN_MIN && !never_comes(frame) && !is_extended(frame);
            let frames: Vec<Vec<u8>> = damaged.filter(is_judged).take(BATCH).collect();
            let got = host.judge_all(&frames).unwrap();
            while knocks.next(now()).is_some() {}
            let of = |counter| got.iter().find(|(moved, _)| *moved == counter).map_or(0, |(_, count)| *count);
            let wanted = judged(&kernel, &frames);
            assert_eq!([of(Counter::NotIp), of(Counter::Malformed)], wanted, "not IP, and broken, of {frames:02x?}");
            broken += wanted[1];
        }
        assert!(broken > BROKEN_MIN, "{broken}");
    });
}

/// What comes of offers, one by one: was `counter` moved by it, or the one that counts probes?
fn offered(host: &mut Host, offers: Vec<Offer>, counters: &[Counter]) -> Vec<String> {
    // The kernel takes tags off only for an interface that has them.
    let untagged = offers.into_iter().filter(|offer| !offer.name.contains("tagged"));
    let wrong = |offer: Offer| {
        let got = host.judge(&offer.frame).unwrap();
        let is_taken = got.iter().any(|(counter, _)| counters.contains(counter));
        (is_taken != offer.steered).then(|| format!("{}: {got:?}", offer.name))
    };
    untagged.filter_map(wrong).collect()
}

#[test]
fn whatever_silent_ports_would_answer_is_dropped() {
    alone("silent ports", |room| {
        for forwards in [false, true] {
            forward(forwards);
            let (mut host, _knocks, _sockets) = Host::new(room, &hushed_setting(forwards));
            let wrong = offered(&mut host, hushed(forwards), &[Counter::Silenced, Counter::DroppedDark]);
            assert!(wrong.is_empty(), "forwards: {forwards}\n{}", wrong.join("\n"));
        }
    });
}

#[test]
fn connections_to_dark_ports_and_nothing_else_go_to_the_trap() {
    alone("steering without XDP", |room| {
        let (mut host, _knocks, _sockets) = Host::new(room, &offers_setting());
        let [v4, v6] = ["127.0.0.1:0", "[::1]:0"].map(|at| TcpListener::bind(at).unwrap());
        host.nft.arm(Some(v4.as_fd()), Some(v6.as_fd())).unwrap();
        let wrong = offered(&mut host, offers(), &[Counter::Steered]);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

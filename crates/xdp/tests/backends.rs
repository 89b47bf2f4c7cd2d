//! Both tables of exact bans side by side in the real kernel: cache lines, and the kernel's plain hash as the reference.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    Room, alone, ip, pins_in,
    seats::{Seats, crowds, seats},
};
use honeymesh_types::{Enforcement, Grade, Lockdown, Now, Reasons, Scope, Subject};
use honeymesh_xdp::{Error, Kernel, OnExit, Spoofable, TableKind, now};
use honeymesh_xdp_program::testing::{ACK, HERE4, HERE6, Mutator, Packet, SYN};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Operations and packets of one run. There are three.
const STEPS: usize = 700_000;
const COMPARE_EVERY: usize = 50_000;
/// The life of a ban that ends during the run. There is one at a time.
const SHORT: Duration = Duration::from_millis(250);
/// How often packets go to whoever is in a second line or in the hash table.
const SEATS_EVERY: usize = 5_000;
/// So many packets of them there must be, with room for so many bans at least.
const OTHER_SEATS_MIN: usize = 25;
const CROWDED_MIN: u32 = 100;
/// How often a run that stood still at the wrong moment is begun again.
const TORN_MAX: usize = 3;
/// How near its end a packet may be dropped by one table and not by the other, because the kernel's clock went on between the two.
const UNSURE: Duration = Duration::from_millis(120);

struct Pair {
    lines: Kernel,
    hash: Kernel,
    intent: BTreeMap<Subject, Enforcement>,
    random: Mutator,
    subjects: Vec<Subject>,
    /// Where the lines are pinned.
    pins: PathBuf,
    /// A packet was judged by one table before a ban ended and by the other one afterwards, because this thread stood still between the
    /// two: what they have counted differs from then on.
    is_torn: bool,
    /// The last ban that ends during the run, and when it does.
    short: Option<(Subject, Now)>,
    did: Did,
}

/// How often something happened that makes a run worth its name.
#[derive(Debug, Default)]
struct Did {
    refused: usize,
    sent: usize,
    dropped: usize,
    /// Packets of a source whose ban had ended before.
    after_end: usize,
    rules: usize,
    /// Packets of IPv4 and of IPv6 sources whose ban was in its second line, and in the hash table beside the lines.
    second: [usize; 2],
    stashed: [usize; 2],
}

fn kernel(room: &Room, table: TableKind, max_bans: u32, interface: &str) -> Kernel {
    let mut options = room.options(&[interface]);
    // Where the lines' bans are is read from what is pinned.
    match table {
        TableKind::Buckets => options.exit = OnExit::Hold,
        TableKind::Hash => (options.exit, options.pin_dir) = (OnExit::Release, room.pin_dir().with_extension("hash")),
    }
    // Whoever scans is told and not silenced: only what this test enters is in the tables.
    options.scan.spoofable = Spoofable::Off;
    // Room for everybody: who gives way to a newcomer depends on a key that each kernel draws for itself.
    options.scan.sources = 65_536;
    (options.table, options.max_bans, options.max_v6) = (table, max_bans, Some(max_bans / 2));
    let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
    kernel.set_local(&[HERE4.parse().unwrap(), HERE6.parse().unwrap()]).unwrap();
    kernel
}

/// Sources, some of which share a prefix, and prefixes around them.
fn subjects() -> Vec<Subject> {
    let v4 = (0..150_u32).map(|n| format!("10.{}.{}.{}", n % 3, n * 7 % 256, n % 11));
    let v6 = (0..80_u32).map(|n| format!("2001:db8:{}:{n:x}::/64", n % 5));
    let nets = ["10.0.0.0/24", "10.1.0.0/16", "10.2.0.0/15", "2001:db8:1::/48", "2001:db8:2::/47", "2001:db8:3:3::7", "0.0.0.0"];
    v4.chain(v6).chain(nets.map(str::to_owned)).map(|text| text.parse().unwrap()).collect()
}

/// Is it in lines, or beside them? Prefixes are in tries.
fn is_exact(subject: &Subject) -> bool {
    Subject::of_source(subject.addr(), &[]) == *subject
}

impl Pair {
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, mut act: impl FnMut(&mut Kernel) -> T) -> T {
        let (lines, hash) = (act(&mut self.lines), act(&mut self.hash));
        assert_eq!(lines, hash, "lines and hash");
        lines
    }

    fn subject(&mut self) -> Subject {
        loop {
            let subject = self.subjects[self.random.below(self.subjects.len())];
            // Whoever stands in for others is waited for, some milliseconds each time: prefixes come and go more rarely.
            if is_exact(&subject) || self.random.below(8) == 0 {
                return subject;
            }
        }
    }

    fn step(&mut self) {
        let subject = self.subject();
        match self.random.below(40) {
            0..22 => self.raise(subject),
            22..37 => self.lift(subject),
            37 if self.random.below(50) == 0 => self.reconcile(),
            38 if self.random.below(100) == 0 => self.rules(),
            39 if self.short.is_some_and(|(_, end)| now().mono.since(end.mono) > UNSURE) => self.see_an_end(),
            _ => self.send(subject),
        }
    }

    fn raise(&mut self, subject: Subject) {
        let scope = if self.random.below(3) == 0 { Scope::Dark } else { Scope::All };
        let now = now();
        let life = match self.random.below(60) {
            0 if self.short.is_none() => Some(SHORT),
            0..20 => None,
            20..40 => Some(Duration::from_secs(3_600)),
            _ => Some(Duration::from_secs(900)),
        };
        let until = life.map(|life| now.wall.plus(life));
        let reasons = if self.random.below(2) == 0 { Reasons::SCAN } else { Reasons::TRAP | Reasons::MESH };
        let what = Enforcement { subject, reasons, grade: Grade::Payload, scope, until };
        let entered = self.both(|kernel| match kernel.raise(&what, now) {
            Ok(()) => true,
            Err(Error::Full { .. }) => false,
            Err(error) => panic!("{error}"),
        });
        if entered {
            self.intent.insert(subject, what);
            if life == Some(SHORT) {
                self.short = Some((subject, Now { wall: now.wall.plus(SHORT), mono: now.mono.plus(SHORT) }));
            }
        } else {
            assert!(!self.intent.contains_key(&subject), "what is there can be changed");
            self.did.refused += 1;
        }
    }

    fn lift(&mut self, subject: Subject) {
        let was_there = self.both(|kernel| kernel.lift(&subject).unwrap());
        let meant = self.intent.remove(&subject);
        // What has ended may have made room for another.
        let ended = meant.is_some_and(|what| what.until.is_some_and(|end| end <= now().wall));
        assert!(was_there == meant.is_some() || ended, "{subject}");
    }

    /// A ban has ended: its packets pass, unless another holds, and what is left of it goes.
    fn see_an_end(&mut self) {
        let Some((subject, _)) = self.short else { return };
        for _ in 0..8 {
            self.send(subject);
            self.did.after_end += 1;
        }
        self.short = None;
        let now = now();
        self.both(|kernel| kernel.sweep(now).unwrap());
        self.intent.retain(|subject, what| {
            let is_prefix = Subject::host(subject.addr()) != *subject;
            is_prefix || what.until.is_none_or(|end| end > now.wall)
        });
    }

    /// Other sources that are never banned, a lockdown, or no enforcement at all; in a quarter of them as at the start.
    fn rules(&mut self) {
        const ALLOW: [&[&str]; 4] =
            [&[], &["10.0.0.0/25"], &["10.1.7.1/32", "2001:db8:1::/56"], &["10.0.0.0/8", "2001:db8::/32"]];
        let nets: Vec<ipnet::IpNet> = ALLOW[self.random.below(4)].iter().map(|net| net.parse().unwrap()).collect();
        let hour = now().mono.plus(Duration::from_secs(3_600));
        let lockdown = [Lockdown::Off, Lockdown::Off, Lockdown::Confirmed, Lockdown::Until(hour)][self.random.below(4)];
        let is_enforcing = self.random.below(4) > 0;
        self.both(|kernel| kernel.set_allow(&nets).unwrap());
        self.both(|kernel| kernel.set_lockdown(lockdown).unwrap());
        self.both(|kernel| kernel.set_enforcing(is_enforcing).unwrap());
        for _ in 0..20 {
            let subject = self.subject();
            self.send(subject);
        }
        self.did.rules += 1;
    }

    /// Another set of bans at once, as after a restart.
    fn reconcile(&mut self) {
        let keep = self.random.below(3);
        self.intent = std::mem::take(&mut self.intent)
            .into_iter()
            .filter(|(subject, _)| subject.prefix_len() as usize % 3 != keep)
            .collect();
        let (intent, now): (Vec<_>, _) = (self.intent.values().copied().collect(), now());
        let drift = self.both(|kernel| kernel.reconcile(&intent, now).unwrap());
        assert!(drift.missing.is_empty() && drift.different.is_empty(), "{drift:?}");
    }

    fn send(&mut self, subject: Subject) {
        if self.is_unsure(&subject) {
            return;
        }
        let text = subject.addr().to_string();
        let (here, text) =
            if subject.addr().is_ipv4() { (HERE4, text) } else { (HERE6, format!("{}7", text.trim_end_matches("7"))) };
        let packet = match self.random.below(7) {
            0 => Packet::tcp(&text, here, 23, SYN),
            1 => Packet::udp(&text, here, 53).vlans(&[0x8100]),
            2 => Packet::tcp(&text, here, 443, ACK),
            3 => Packet::udp(&text, here, 53).fragment(0, true),
            4 => Packet::udp(&text, here, 53).fragment(8, false),
            _ => Packet::udp(&text, here, 53),
        };
        let mut frame = packet.build();
        if self.random.below(4) == 0 {
            // A frame that is too short is none for the kernel.
            frame = self.random.damage(&frame, 14);
        }
        let [dropped, by_hash] = [&self.lines, &self.hash].map(|kernel| kernel.try_frame(&frame, 1).unwrap().dropped);
        if dropped != by_hash && self.is_unsure(&subject) {
            self.is_torn = true;
            return;
        }
        assert_eq!(dropped, by_hash, "lines and hash of {text}");
        self.both(|kernel| kernel.drops(&subject));
        (self.did.sent, self.did.dropped) = (self.did.sent + 1, self.did.dropped + usize::from(dropped));
    }

    /// Is a ban that covers `subject` near its end?
    fn is_unsure(&self, subject: &Subject) -> bool {
        self.short.is_some_and(|(short, end)| {
            let (since, until) = (now().mono.since(end.mono), end.mono.since(now().mono));
            (short.contains(subject.addr()) || subject.contains(short.addr())) && since < UNSURE && until < UNSURE
        })
    }

    /// Packets of all whose ban is where few are.
    fn send_to_other_seats(&mut self) {
        for (family, Seats { second, stashed, .. }) in seats(&self.pins).into_iter().enumerate() {
            self.did.second[family] += second.len();
            self.did.stashed[family] += stashed.len();
            for addr in second.into_iter().chain(stashed) {
                self.send(Subject::of_source(addr, &[]));
            }
        }
    }

    fn compare(&mut self) {
        let (intent, now): (Vec<_>, _) = (self.intent.values().copied().collect(), now());
        let drift = self.both(|kernel| kernel.audit(&intent, now).unwrap());
        assert!(drift.is_none(), "{drift:?}");
        self.both(|kernel| kernel.counters().unwrap());
        let bans = self.both(|kernel| kernel.bans());
        assert!(bans <= self.intent.len(), "{bans} bans where {} are meant", self.intent.len());
        for subject in self.subjects.clone() {
            self.both(|kernel| kernel.drops(&subject));
        }
    }
}

/// A run that did not stand still at the wrong moment.
fn run(room: &Room, max_bans: u32, seed: u64) -> Pair {
    for torn in 0..=TORN_MAX {
        ip("link add ours type veth peer name theirs");
        let pair = run_once(room, max_bans, seed + torn as u64 * 1_000);
        if !pair.is_torn {
            return pair;
        }
        drop(pair);
        ip("link del ours");
        std::fs::remove_dir_all(room.pins()).unwrap();
    }
    panic!("this machine stood still at the end of a ban {TORN_MAX} times");
}

fn run_once(room: &Room, max_bans: u32, seed: u64) -> Pair {
    let (lines, hash) = (kernel(room, TableKind::Buckets, max_bans, "ours"), kernel(room, TableKind::Hash, max_bans, "theirs"));
    let pins = pins_in(&room.pin_dir());
    let headers = seats(&pins).map(|seats| seats.header);
    let crowds = crowds(headers.each_ref()).into_iter().flat_map(|crowd| crowd.all()).map(|addr| Subject::of_source(addr, &[]));
    let (intent, random, subjects) = (BTreeMap::new(), Mutator::new(seed), subjects().into_iter().chain(crowds).collect());
    let did = Did::default();
    let mut pair = Pair { lines, hash, intent, random, subjects, pins, is_torn: false, short: None, did };
    for step in 0..STEPS {
        pair.step();
        if step % SEATS_EVERY == 0 {
            pair.send_to_other_seats();
        }
        if pair.is_torn {
            return pair;
        }
        if step % COMPARE_EVERY == 0 {
            pair.compare();
        }
    }
    pair.compare();
    eprintln!("{max_bans} bans at most: {:?}", pair.did);
    let Did { sent, dropped, after_end, rules, second, stashed, .. } = pair.did;
    assert!(sent > STEPS / 20 && dropped > sent / 10 && dropped < sent && after_end > 20 && rules > 50, "{:?}", pair.did);
    // Where the table is full of others, few of a crowd are in it at once.
    let stashed_min = if max_bans < CROWDED_MIN { 0 } else { OTHER_SEATS_MIN };
    assert!(
        second.iter().all(|sent| *sent >= OTHER_SEATS_MIN) && stashed.iter().all(|sent| *sent >= stashed_min),
        "{:?}",
        pair.did
    );
    pair
}

// Of few lines, which are asked at once, of so many that their fronts are asked first, and full all the time. Each is a test of its
// own, so that they run side by side.

#[test]
fn lines_and_hash_say_the_same_of_every_packet_with_room_to_spare() {
    alone("both tables", |room| assert_eq!(run(room, 400, 11).did.refused, 0));
}

#[test]
fn lines_and_hash_say_the_same_of_every_packet_with_fronts() {
    alone("both tables, with fronts", |room| assert_eq!(run(room, 10_000, 13).did.refused, 0));
}

#[test]
fn lines_and_hash_say_the_same_of_every_packet_when_they_are_full_all_the_time() {
    alone("both tables, full", |room| {
        let did = run(room, 24, 12).did;
        assert!(did.refused > 10_000, "{did:?}");
    });
}

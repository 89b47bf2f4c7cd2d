//! Both tables of exact bans side by side in the real kernel: cache lines, and the kernel's plain hash as the reference.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{Room, alone, ip};
use honeymesh_types::{Enforcement, Grade, Reasons, Scope, Subject};
use honeymesh_xdp::{Error, Kernel, OnExit, Spoofable, TableKind, now};
use honeymesh_xdp_program::testing::{ACK, HERE4, HERE6, Mutator, Packet, SYN};
use std::{collections::BTreeMap, time::Duration};

/// Operations and packets of one run.
const STEPS: usize = 30_000;
const AUDIT_EVERY: usize = 5_000;

struct Pair {
    lines: Kernel,
    hash: Kernel,
    intent: BTreeMap<Subject, Enforcement>,
    random: Mutator,
    subjects: Vec<Subject>,
    refused: usize,
}

fn kernel(room: &Room, table: TableKind, max_bans: u32, interface: &str) -> Kernel {
    let mut options = room.options(&[interface]);
    options.exit = OnExit::Release;
    // Whoever scans is told and not silenced: only what this test enters is in the tables.
    options.scan.spoofable = Spoofable::Off;
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

impl Pair {
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, mut act: impl FnMut(&mut Kernel) -> T) -> T {
        let (lines, hash) = (act(&mut self.lines), act(&mut self.hash));
        assert_eq!(lines, hash, "lines and hash");
        lines
    }

    fn subject(&mut self) -> Subject {
        self.subjects[self.random.below(self.subjects.len())]
    }

    fn step(&mut self) {
        let subject = self.subject();
        match self.random.below(20) {
            0..4 => self.raise(subject),
            4..6 => {
                let was_there = self.both(|kernel| kernel.lift(&subject).unwrap());
                assert_eq!(was_there, self.intent.remove(&subject).is_some());
            }
            6 if self.random.below(40) == 0 => self.reconcile(),
            _ => self.send(subject),
        }
    }

    fn raise(&mut self, subject: Subject) {
        let scope = if self.random.below(3) == 0 { Scope::Dark } else { Scope::All };
        let until = [None, Some(3_600), Some(90)][self.random.below(3)];
        let until = until.map(|seconds| now().wall.plus(Duration::from_secs(seconds)));
        let reasons = if self.random.below(2) == 0 { Reasons::SCAN } else { Reasons::TRAP | Reasons::MESH };
        let what = Enforcement { subject, reasons, grade: Grade::Payload, scope, until };
        let now = now();
        let entered = self.both(|kernel| match kernel.raise(&what, now) {
            Ok(()) => true,
            Err(Error::Full { .. }) => false,
            Err(error) => panic!("{error}"),
        });
        if entered {
            self.intent.insert(subject, what);
        } else {
            assert!(!self.intent.contains_key(&subject), "what is there can be changed");
            self.refused += 1;
        }
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
        self.both(|kernel| kernel.try_frame(&frame, 1).unwrap().dropped);
        self.both(|kernel| kernel.drops(&subject));
    }

    fn compare(&mut self) {
        let (intent, now): (Vec<_>, _) = (self.intent.values().copied().collect(), now());
        let drift = self.both(|kernel| kernel.audit(&intent, now).unwrap());
        assert!(drift.is_none(), "{drift:?}");
        self.both(|kernel| kernel.counters().unwrap());
        assert_eq!(self.both(|kernel| kernel.bans()), self.intent.len());
        for subject in self.subjects.clone() {
            self.both(|kernel| kernel.drops(&subject));
        }
    }
}

fn run(room: &Room, max_bans: u32, seed: u64) -> Pair {
    ip("link add ours type veth peer name theirs");
    let (lines, hash) = (kernel(room, TableKind::Buckets, max_bans, "ours"), kernel(room, TableKind::Hash, max_bans, "theirs"));
    let (intent, random, subjects) = (BTreeMap::new(), Mutator::new(seed), subjects());
    let mut pair = Pair { lines, hash, intent, random, subjects, refused: 0 };
    for step in 0..STEPS {
        pair.step();
        if step % AUDIT_EVERY == 0 {
            pair.compare();
        }
    }
    pair.compare();
    pair
}

#[test]
fn lines_and_hash_say_the_same_of_every_packet_with_room_to_spare() {
    alone("both tables", |room| {
        // Of few lines, which are asked at once, and of so many that their fronts are asked first.
        for max_bans in [400, 10_000] {
            let pair = run(room, max_bans, 11);
            assert_eq!(pair.refused, 0);
            let dropped = pair.lines.counters().unwrap().dropped;
            assert!(dropped > 5_000, "{dropped}");
            ip("link del ours");
        }
    });
}

#[test]
fn lines_and_hash_say_the_same_of_every_packet_when_they_are_full_all_the_time() {
    alone("both tables, full", |room| {
        let pair = run(room, 24, 12);
        assert!(pair.refused > 100, "{}", pair.refused);
    });
}

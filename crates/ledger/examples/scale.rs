//! Measures the ledger with a million bans: time a call and memory a ban.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, run by hand")]

use honeymesh_ledger::{Claim, Entered, Ledger, Origin, Policy, Protected, Protection, Whose};
use honeymesh_types::{Grade, NodeId, Reasons, Subject, Trust, WallTime};
use std::{net::Ipv4Addr, time::Instant};

const COUNT: u32 = 1_000_000;

fn subject(index: u32) -> Subject {
    Subject::host(Ipv4Addr::from(index.wrapping_mul(2_654_435_761)).into())
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn timed(what: &str, count: u32, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    let nanos = start.elapsed().as_nanos() / u128::from(count);
    println!("{what}: {nanos} ns each");
}

fn main() {
    let now = WallTime(1_800_000_000_000_000);
    let mut ledger = Ledger::new(Policy { bans_max: 2_000_000, ..Policy::default() });
    let empty = resident_bytes();
    timed("enter", COUNT, || {
        for index in 0..COUNT {
            let until = Some(WallTime(now.0 + 1_000_000 + u64::from(index)));
            let claim = Claim::local(subject(index), "edge-1", Reasons::TRAP, Grade::Payload, now, until);
            let origin = Origin::Peer { cluster: "primary".parse().unwrap(), node: NodeId([(index % 100) as u8; 32]) };
            assert!(matches!(ledger.enter(Claim { origin, trust: Trust::Enforce, ..claim }, now), Entered::Changed { .. }));
            drop(ledger.take_kernel_changes());
        }
    });
    println!("memory: {} bytes a ban", (resident_bytes() - empty) / u64::from(COUNT));
    timed("why", COUNT, || (0..COUNT).for_each(|index| drop(ledger.why(subject(index + 7).addr()))));
    timed("bans", COUNT, || assert_eq!(ledger.bans().count(), COUNT as usize));
    timed("intent", COUNT, || assert_eq!(ledger.intent().count(), COUNT as usize));
    timed("lift", 1_000, || (0..1_000).for_each(|index| drop(ledger.lift(&subject(index), now, Whose::Everybodys, now))));
    let net = Protected { net: "10.0.0.0/8".parse().unwrap(), why: Protection::Allowlist };
    timed("protect a /8", 1, || println!("lifted {}", ledger.protect(&[net], now).len()));
    timed("expire", COUNT, || {
        while !ledger.expire(WallTime::MAX).is_empty() {
            drop(ledger.take_kernel_changes());
        }
    });
}

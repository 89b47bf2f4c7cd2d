//! What packets of a table of cases moved and told.

use honeymesh_types::{Knock, KnockKind};
use honeymesh_xdp::{Counters, Knocks, now};
use honeymesh_xdp_abi::Counter;
use honeymesh_xdp_program::testing::Tell;

/// Every counter by the name the decision function gives it.
fn values(counters: &Counters) -> Vec<(Counter, u64)> {
    let of = |counter: &Counter| match counter {
        Counter::Passed => counters.passed,
        Counter::DroppedV4 => counters.dropped_v4,
        Counter::DroppedV6 => counters.dropped_v6,
        Counter::DroppedNet => counters.dropped_net,
        Counter::DroppedDark => counters.dropped_dark,
        Counter::DroppedScan => counters.dropped_scan,
        Counter::WouldDrop => counters.would_drop,
        Counter::Malformed => counters.malformed,
        Counter::Extensions => counters.extensions,
        Counter::NotIp => counters.not_ip,
        Counter::Allowed => counters.allowed,
        Counter::Neighbour => counters.neighbour,
        Counter::Knocks => counters.knocks,
        Counter::KnocksLost => counters.knocks_lost,
        Counter::Scans => counters.scans,
        Counter::BudgetFull => counters.budget_full,
        Counter::ScanStateLost => counters.scan_state_lost,
        Counter::TooNested => counters.too_nested,
        Counter::DroppedLockdown => counters.dropped_lockdown,
        Counter::Answered => counters.answered,
        Counter::Steered => counters.steered,
        Counter::KnocksLimited => counters.knocks_limited,
        Counter::CookiesProven => counters.cookies_proven,
        Counter::CookiePayloads => counters.cookie_payloads,
        Counter::OracleAnswered => counters.oracle_answered,
        Counter::Silenced => counters.silenced,
        Counter::DroppedFlood => counters.dropped_flood,
        Counter::GuessesLimited => counters.guesses_limited,
    };
    Counter::ALL.iter().map(|counter| (*counter, of(counter))).collect()
}

/// What moved, and by how much.
pub fn moved(before: &Counters, after: &Counters) -> Vec<(Counter, u64)> {
    let pairs = values(before).into_iter().zip(values(after));
    pairs.map(|((counter, before), (_, after))| (counter, after - before)).filter(|(_, delta)| *delta > 0).collect()
}

/// What one packet told.
pub fn heard(knocks: &mut Knocks) -> Tell {
    let told: Vec<Knock> = std::iter::from_fn(|| knocks.next(now())).collect();
    match told.as_slice() {
        [] => Tell::Nothing,
        [Knock { port, kind: KnockKind::Probe, .. }] => Tell::Knock(*port),
        [Knock { kind: KnockKind::Scan { ports, silenced }, .. }] => {
            let mut ports = ports.clone();
            ports.sort_unstable();
            Tell::Scan(ports, *silenced)
        }
        [Knock { port, kind: KnockKind::Suspect { fate }, .. }] => Tell::Suspect(*port, *fate as u8),
        more => panic!("one packet told {more:?}"),
    }
}

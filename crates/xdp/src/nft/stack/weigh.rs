//! How many distinct ports has a source touched within the window? Sets alone answer that.
//!
//! A port that is new takes the first slot that its source has free; an entry in a slot lives as long as the window. So each
//! stands for one distinct port within the last window. With `ports - 1` of them taken the next new port is the one that makes a scan,
//! and that very packet is dropped.

use super::{drop_or_count, excepted, kin::Kin, oracle};
use crate::nft::{
    ask::{ACK, FLAGS_AT, RST, TCP},
    expression::{Expression, Meta, Register, Verdict, goto, is},
    ingress::Rule,
    layout::{Earns, Layout, Manner, Scan},
    log::{CROSSED, PROBED, SILENCED},
    memory,
};

/// Where probes end that are answered, ...
pub(super) const BELOW: &str = "below";
/// ... those that are not, ...
pub(super) const BEYOND: &str = "beyond";
/// ... and those that are told before they are answered.
pub(super) const TOLD: &str = "told";
/// Where probes end up that could not be counted, because a set is full.
const LOST: &str = "lost";
/// Where a source ends up that was silenced in this moment.
const PLACED: &str = "placed";
/// Where one ends up that is over the threshold for the first time and cannot be silenced.
const CROSSING: &str = "crossing";
/// Where connections go to the trap.
pub(super) const OFFERED: &str = "offered";

/// What is told in a second, as by the XDP program of each processor.
const PROBES_PER_SECOND: u64 = 2_000;
const SCANS_PER_SECOND: u64 = 1_000;
const BURST: u32 = 1_000;

const FIN: u8 = 1;
const SYN: u8 = 2;

/// The chains of one kind of source.
pub(super) fn rules(scan: &Scan, layout: &Layout, kin: &Kin) -> Vec<Rule> {
    let mut rules = vec![(kin.weigh, vec![Expression::Count("knocks")])];
    if scan.slots() == 0 {
        rules.push((kin.weigh, vec![goto(kin.over)]));
    } else {
        rules.extend(counted(scan, kin));
    }
    rules.extend(over(scan, layout, kin));
    rules
}

/// Is the port new? The order matters: whoever sees the first slot taken also sees the port that took it.
fn counted(scan: &Scan, kin: &Kin) -> Vec<Rule> {
    let (first, more, slot) = (memory::first(kin.family), memory::more(kin.family), memory::slot(kin.family, 1));
    let mut rules = vec![(kin.weigh, [kin.source(), vec![not_in(&slot), goto(kin.newcomer)]].concat())];
    for (chain, set) in [(kin.weigh, &more), (kin.newcomer, &first)] {
        let note = vec![not_in(&first), not_in(&more), only_new(set, scan.known_ms()), goto(kin.fresh)];
        rules.push((chain, [kin.source_and_port(), note].concat()));
        rules.push((chain, [kin.source_and_port(), vec![not_in(&first), not_in(&more), goto(LOST)]].concat()));
        rules.push((chain, vec![goto(kin.again)]));
    }
    for number in 1..=scan.slots() {
        let taken = only_new(&memory::slot(kin.family, number), scan.window_ms);
        rules.push((kin.fresh, [kin.source(), vec![taken, goto(TOLD)]].concat()));
    }
    // A slot's set may be full: only whoever is in all of them has touched so many.
    for number in 1..=scan.slots() {
        rules.push((kin.fresh, [kin.source(), vec![not_in(&memory::slot(kin.family, number)), goto(LOST)]].concat()));
    }
    rules.push((kin.fresh, vec![goto(kin.over)]));
    rules.push((kin.again, [kin.source(), vec![not_in(&memory::over(kin.family)), goto(BELOW)]].concat()));
    rules.push((kin.again, vec![goto(kin.over)]));
    rules
}

/// At the threshold or over it.
fn over(scan: &Scan, layout: &Layout, kin: &Kin) -> Vec<Rule> {
    let mut rules = Vec::new();
    if scan.earns != Earns::Report && layout.is_enforcing {
        let place = Expression::Add { set: kin.placed.name().into(), timeout_ms: scan.ttl_ms, times: None };
        rules.extend(oracle::suspect(scan, kin));
        rules.push((kin.over, [kin.source(), vec![place, goto(PLACED)]].concat()));
        rules.push((kin.over, vec![Expression::Count("budget_full")]));
    }
    let crosses = only_new(&memory::over(kin.family), scan.window_ms);
    rules.push((kin.over, [kin.source(), vec![crosses, goto(CROSSING)]].concat()));
    rules.push((kin.over, vec![goto(BEYOND)]));
    rules
}

/// What all kinds share.
pub(super) fn ends(scan: &Scan, layout: &Layout) -> Vec<Rule> {
    let mut rules = tell(TOLD, PROBED, PROBES_PER_SECOND, BELOW);
    rules.extend([(LOST, vec![Expression::Count("scan_state_lost")]), (LOST, vec![goto(BELOW)])]);
    for (chain, prefix) in [(PLACED, SILENCED), (CROSSING, CROSSED)] {
        rules.push((chain, vec![Expression::Count("scans")]));
        rules.extend(tell(chain, prefix, SCANS_PER_SECOND, BEYOND));
    }
    match scan.manner {
        Manner::Refuse => {}
        Manner::Silent => {
            rules.extend(excepted(scan, BELOW));
            rules.extend(drop_or_count(layout, BELOW, "dropped_dark"));
        }
        Manner::Trap => {
            rules.push((BELOW, vec![goto(OFFERED)]));
            // The probe that crosses is the last that is played: a scan is proved by as many handshakes as make one.
            rules.push((BEYOND, [is_bare_syn(), vec![goto(OFFERED)]].concat()));
            rules.extend(offered(scan, layout));
        }
    }
    if scan.earns != Earns::Report {
        rules.extend(drop_or_count(layout, BEYOND, "dropped_scan"));
    }
    rules
}

/// Tells user space as long as there is not too much of it.
fn tell(chain: &'static str, prefix: &'static str, per_second: u64, then: &'static str) -> Vec<Rule> {
    vec![
        (chain, vec![Expression::Limit { per_second, burst: BURST }, Expression::Log { prefix }, goto(then)]),
        (chain, vec![Expression::Count("knocks_limited")]),
        (chain, vec![goto(then)]),
    ]
}

/// A connection to a dark port goes to the trap. Without a trap the port is closed.
fn offered(scan: &Scan, layout: &Layout) -> Vec<Rule> {
    let mut rules = excepted(scan, OFFERED);
    for (kin, port) in [(&Kin::ALL[0], layout.traps[0]), (&Kin::ALL[1], layout.traps[1]), (&Kin::ALL[2], layout.traps[1])] {
        let Some(port) = port else { continue };
        let give = vec![
            Expression::ToTrap { is_v4: kin.family == crate::nft::tier::Family::V4, port },
            Expression::Count("steered"),
            Expression::Verdict(Verdict::Accept),
        ];
        rules.push((OFFERED, [kin.guard(), is_bare_syn(), give].concat()));
    }
    rules.push((OFFERED, vec![Expression::Verdict(Verdict::Accept)]));
    rules
}

/// A connection's first packet.
pub(super) fn is_bare_syn() -> Vec<Expression> {
    let (offset, mask) = (FLAGS_AT, SYN | ACK | RST | FIN);
    vec![
        Expression::Meta(Meta::Transport),
        is(&[TCP]),
        Expression::Segment { offset, len: 1, to: Register::FIRST },
        Expression::Mask(vec![mask]),
        is(&[SYN]),
    ]
}

fn not_in(set: &str) -> Expression {
    Expression::NotIn(set.to_owned().into())
}

fn only_new(set: &str, timeout_ms: u64) -> Expression {
    Expression::Add { set: set.to_owned().into(), timeout_ms, times: Some(1) }
}

//! How many distinct ports has a source touched within the window? Sets alone answer that.
//!
//! A port that is new takes the first slot that its source has free; an entry in a slot lives as long as the window. So each
//! stands for one distinct port within the last window. With `ports - 1` of them taken the next new port is the one that makes a scan,
//! and that very packet is dropped.
//!
//! A flood of forged sources fills the sets for a whole window. Whom they have no room for is counted a second time over, in sets of the same
//! kind whose entries live for seconds, and into which so few newcomers are let that they never run full: so whoever goes on
//! probing is among them soon, and from then on every further port of his counts.

use super::{
    drop_or_count, excepted,
    kin::{Count, Kin},
    oracle,
};
use crate::nft::{
    ask::{ACK, FLAGS_AT, RST, TCP},
    expression::{Expression, Meta, Register, Verdict, goto, is},
    ingress::Rule,
    layout::{Earns, Layout, Manner, Scan},
    log::{CROSSED, PROBED, SILENCED},
    memory::{self, Span},
};
use std::iter::{once, repeat};

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
    let mut rules = vec![(kin.window.count, vec![Expression::Count("knocks")])];
    if scan.slots() == 0 {
        rules.push((kin.window.count, vec![goto(kin.over)]));
    } else {
        for span in Span::BOTH {
            rules.extend(Way::of(scan, kin, span).rules(kin));
        }
        rules.push((kin.again, [kin.source(), vec![not_in(&memory::over(kin.family)), goto(BELOW)]].concat()));
        rules.push((kin.again, vec![goto(kin.over)]));
    }
    rules.extend(over(scan, layout, kin));
    rules
}

/// One way to count: for a window, or for a short while.
struct Way<'a> {
    chains: &'a Count,
    first: String,
    more: String,
    slots: Vec<String>,
    /// How long a port is known, and how long it counts.
    known_ms: u64,
    counts_ms: u64,
    /// How many newcomers are let in within a second; `None`: as many as there is room for.
    newcomers: Option<u32>,
    /// Where a probe goes for which there was no room.
    lost: &'static str,
}

impl<'a> Way<'a> {
    fn of(scan: &Scan, kin: &'a Kin, span: Span) -> Self {
        let (chains, lost) = match span {
            Span::Window => (&kin.window, kin.rush.count),
            Span::Rush => (&kin.rush, LOST),
        };
        Self {
            chains,
            first: memory::first(kin.family, span),
            more: memory::more(kin.family, span),
            slots: (1..=scan.slots()).map(|number| memory::slot(kin.family, span, number)).collect(),
            known_ms: scan.known_ms(span),
            counts_ms: scan.counts_ms(span),
            newcomers: (span == Span::Rush).then(|| scan.rush_per_second()),
            lost,
        }
    }

    /// Is the port new? The order matters: whoever sees the first slot taken also sees the port that took it.
    fn rules(&self, kin: &Kin) -> Vec<Rule> {
        let Self { chains, first, more, slots, .. } = self;
        let mut rules = Vec::new();
        for (slot, chain) in slots.iter().zip(once(chains.newcomer).chain(repeat(chains.known))) {
            rules.push((chains.count, [kin.source(), vec![not_in(slot), goto(chain)]].concat()));
        }
        rules.push((chains.count, vec![goto(chains.taken)]));
        let is_new = || [kin.source_and_port(), vec![not_in(first), not_in(more)]].concat();
        // Whatever comes now is over the threshold, and takes no room from others.
        rules.extend([(chains.taken, [is_new(), vec![goto(kin.over)]].concat()), (chains.taken, vec![goto(kin.again)])]);
        let limit = self.newcomers.map(|newcomers| Expression::Limit { per_second: newcomers.into(), burst: newcomers });
        for (chain, set, limit) in [(chains.known, more, None), (chains.newcomer, first, limit)] {
            let note = vec![only_new(set, self.known_ms), goto(chains.fresh)];
            rules.push((chain, [is_new(), limit.into_iter().collect(), note].concat()));
            rules.push((chain, [is_new(), vec![goto(self.lost)]].concat()));
            rules.push((chain, vec![goto(kin.again)]));
        }
        if self.newcomers.is_some() {
            rules.push((chains.fresh, vec![Expression::Count("scan_rushed")]));
        }
        for slot in slots {
            rules.push((chains.fresh, [kin.source(), vec![only_new(slot, self.counts_ms), goto(TOLD)]].concat()));
        }
        // A slot's set may be full: only whoever is in all of them has touched so many.
        for slot in slots {
            rules.push((chains.fresh, [kin.source(), vec![not_in(slot), goto(self.lost)]].concat()));
        }
        rules.push((chains.fresh, vec![goto(kin.over)]));
        rules
    }
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

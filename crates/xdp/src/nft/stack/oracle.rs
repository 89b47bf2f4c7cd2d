//! The retransmission oracle: some of a silenced source's SYNs are answered, so that user space sees how it reacts.
//!
//! For each port that it tries a coin is thrown, once, and kept: the kernel's own random number, so there is no key to be found out by
//! whoever is answered himself.
//!
//! Whoever forges the source must find nothing that is told of one side of the coin only. So coins of both sides are in one map, which may
//! be full; what is told is limited before any coin is looked at; a port is answered once, and told as what its coin says ever after; and
//! no coin is thrown after the last answer.

use super::{HIT_DARK, kin::Kin, weigh::is_bare_syn};
use crate::nft::{
    expression::{Expression, Verdict, goto},
    ingress::Rule,
    layout::{Layout, Scan},
    log::{SUSPECT_ANSWERED, SUSPECT_SILENT},
    memory,
};
use honeymesh_xdp_abi::ANSWERS_MAX;

/// Coins that are thrown for a source in one silence: as many ports as its reactions are remembered of.
const COINS_MAX: u32 = 128;
/// What is told of suspects in a second, and at once.
const PER_SECOND: u64 = 2_000;
const BURST: u32 = 1_000;
/// What a coin shows.
const SILENT: u32 = 0;
const ANSWERED: u32 = 1;
/// A source's answers in one silence, without the last.
const ANSWERS_BEFORE_LAST: u32 = 63;
const _: () = assert!(ANSWERS_BEFORE_LAST as u64 + 1 == ANSWERS_MAX);
/// Where SYNs end whose coin says silence, ...
const UNANSWERED: &str = "oracle_silent";
/// ... those to ports that were answered once, and are told as what their coin says, ...
const AGAIN: &str = "oracle_again";
/// ... and those that are let through to be answered.
const LET: &str = "oracle_let";

/// Are reactions weighed?
pub(super) fn is_on(scan: &Scan, layout: &Layout) -> bool {
    scan.weighs() && layout.is_enforcing && layout.is_heard
}

/// What makes a source a suspect, before it is silenced. Without room it is silenced all the same.
pub(super) fn suspect(scan: &Scan, kin: &Kin) -> Option<Rule> {
    let note = Expression::Add { set: memory::suspect(kin.family).into(), timeout_ms: scan.ttl_ms, times: None };
    scan.weighs().then(|| (kin.over, [kin.source(), vec![note]].concat()))
}

/// The chains of one kind of source.
pub(super) fn rules(scan: &Scan, layout: &Layout, kin: &Kin) -> Vec<Rule> {
    if !is_on(scan, layout) {
        return Vec::new();
    }
    let is_in = |set: String| Expression::InSet(set.into());
    let within = Expression::Limit { per_second: PER_SECOND, burst: BURST };
    let shows = |chain, shows, to| {
        let coin = Expression::CoinIs { map: memory::coin(kin.family).into(), shows };
        (chain, [kin.source_and_port(), vec![coin, goto(to)]].concat())
    };
    let only = |set: String, times| Expression::Add { set: set.into(), timeout_ms: scan.ttl_ms, times: Some(times) };
    let keep = Expression::KeepCoin { map: memory::coin(kin.family).into(), timeout_ms: scan.ttl_ms };
    let mut throw = [kin.source(), vec![only(memory::thrown(kin.family), COINS_MAX)]].concat();
    throw.extend([kin.source_and_port(), vec![Expression::ThrowCoin, keep, goto(kin.thrown)]].concat());
    let answers = only(memory::answered(kin.family), ANSWERS_BEFORE_LAST);
    let spent = Expression::Add { set: memory::spent(kin.family).into(), timeout_ms: scan.ttl_ms, times: None };
    vec![
        (
            kin.silenced,
            [is_bare_syn(), kin.source(), vec![is_in(memory::suspect(kin.family)), within, goto(kin.oracle)]].concat(),
        ),
        (kin.silenced, vec![goto(HIT_DARK)]),
        shows(kin.oracle, SILENT, UNANSWERED),
        shows(kin.oracle, ANSWERED, AGAIN),
        (kin.oracle, [kin.source(), vec![is_in(memory::spent(kin.family)), goto(HIT_DARK)]].concat()),
        (kin.oracle, throw),
        (kin.oracle, vec![goto(HIT_DARK)]),
        // As it is kept: of two packets at once, one coin counts.
        shows(kin.thrown, SILENT, UNANSWERED),
        shows(kin.thrown, ANSWERED, kin.answered),
        (kin.thrown, vec![goto(HIT_DARK)]),
        (kin.answered, [kin.source(), vec![answers, goto(LET)]].concat()),
        // With its last answer the source is done, in this very packet: no coin after it is told, whatever it would show. Of two packets at
        // once one is the last.
        (kin.answered, [kin.source(), vec![spent, only(memory::last(kin.family), 1), goto(LET)]].concat()),
        (kin.answered, vec![goto(AGAIN)]),
    ]
}

/// What all kinds share.
pub(super) fn ends(scan: &Scan, layout: &Layout) -> Vec<Rule> {
    if !is_on(scan, layout) {
        return Vec::new();
    }
    let tell = |prefix| Expression::Log { prefix };
    vec![
        (UNANSWERED, vec![tell(SUSPECT_SILENT), goto(HIT_DARK)]),
        (AGAIN, vec![tell(SUSPECT_ANSWERED), goto(HIT_DARK)]),
        // By the network stack, which refuses, also where dark ports are traps: nobody answers a reset. A trap's SYN-ACK is answered by
        // whose address was forged, and how many packets he has sent can be asked for.
        (LET, vec![Expression::Count("oracle_answered"), tell(SUSPECT_ANSWERED), Expression::Verdict(Verdict::Accept)]),
    ]
}

//! When the same source was met by enough.

use crate::{Intent, Verdict};
use alloc::{collections::BTreeSet, format, string::String, vec, vec::Vec};
use core::{ops::RangeInclusive, time::Duration};
use honeymesh_types::{Grade, NodeId, Reasons, Scope};

/// The score of a slow scan at the lowest threshold.
const SCORE_BASE: u8 = 30;
/// What each touch adds.
const SCORE_PER_TOUCH: u8 = 5;
/// The most that touches alone can score.
const SCORE_MAX: u8 = 80;
/// How many peers a finding names.
const NAMED_MAX: usize = 5;

/// What the operator decided about slow scans in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowPolicy {
    /// How many witnesses must have met a source, this node among them; see [`SlowPolicy::WITNESSES`].
    pub witnesses: u8,
    /// Within this time.
    pub window: Duration,
}

impl SlowPolicy {
    /// What may be asked for.
    pub const WITNESSES: RangeInclusive<u8> = 2..=16;
}

impl Default for SlowPolicy {
    /// Three witnesses within a day: two others beside this node, so that one liar changes nothing.
    fn default() -> Self {
        Self { witnesses: 3, window: Duration::from_secs(24 * 60 * 60) }
    }
}

/// As whom a peer counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// As itself: it is trusted to ban alone, or nobody has stated who runs it.
    Node(NodeId),
    /// As whoever runs it, together with all the others that he runs.
    Owner(String),
}

/// That a peer has met the source, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saw {
    /// As whom it counts.
    pub witness: Witness,
    /// What people call it.
    pub name: String,
    /// Is it trusted to ban alone? Else as many owners must have met the source as can ban together.
    pub alone: bool,
    /// How many of its ports.
    pub ports: usize,
}

/// Judges a source that has touched `own` ports of this node and those of others: `None`, if that may still be mistakes.
///
/// * Without a touch of this node's own there is no verdict, whatever others say.
/// * So many different witnesses as the policy says, this node among them, and `touches` in all.
/// * What the peers say counts for no more than what they could do anyway: one of them is trusted to ban alone, or at least `quorum`
///   different ones of them have met it. So lies of fewer than could ban an innocent outright ban nobody here either.
#[must_use]
pub fn judge_slow(own: usize, others: &[Saw], touches: usize, quorum: usize, policy: SlowPolicy) -> Option<Verdict> {
    let witnesses: BTreeSet<&Witness> = others.iter().map(|saw| &saw.witness).collect();
    let total = own + others.iter().map(|saw| saw.ports).sum::<usize>();
    let is_enough = own > 0 && total >= touches && witnesses.len() + 1 >= usize::from(policy.witnesses);
    let may_speak = others.iter().any(|saw| saw.alone) || witnesses.len() >= quorum;
    (is_enough && may_speak).then(|| Verdict {
        grade: Grade::Handshake,
        reasons: Reasons::SCAN,
        scope: Scope::All,
        score: score(total),
        entropy_millibits: 0,
        findings: vec![finding(own, others, total, policy)],
        reckoning: Vec::new(),
        intent: Intent::Attack,
    })
}

fn score(touches: usize) -> u8 {
    let touches = u8::try_from(touches).unwrap_or(u8::MAX);
    SCORE_BASE.saturating_add(touches.saturating_mul(SCORE_PER_TOUCH)).min(SCORE_MAX)
}

fn finding(own: usize, others: &[Saw], total: usize, policy: SlowPolicy) -> String {
    let mut named: Vec<String> = others.iter().take(NAMED_MAX).map(|saw| format!("{} {}", saw.name, saw.ports)).collect();
    if others.len() > NAMED_MAX {
        named.push(format!("{} more nodes", others.len() - NAMED_MAX));
    }
    let (nodes, window) = (others.len() + 1, hours(policy.window));
    format!(
        "slow scan: finished handshakes with {total} dark ports of {nodes} nodes within {window}: here {own}, {}",
        named.join(", ")
    )
}

fn hours(window: Duration) -> String {
    let secs = window.as_secs();
    match (secs.is_multiple_of(3_600), secs.is_multiple_of(60)) {
        (true, _) => format!("{}h", secs / 3_600),
        (false, true) => format!("{}m", secs / 60),
        (false, false) => format!("{secs}s"),
    }
}

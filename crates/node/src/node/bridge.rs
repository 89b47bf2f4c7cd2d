//! Bridges: what one cluster said and this node enforces, said again in another by this node, one hop far.
//!
//! The record that crosses is this node's own word, marked by the reason `mesh`: it repeats another cluster. What is marked never
//! crosses again, so no loop of bridges can keep a ban alive. When this node enforces the ban no more, for whatever reason, it takes back
//! its own record and nothing else: bans that the other cluster made itself stay.

use super::{Cluster, Node, change::is_much_later, judgement::is_hearsay, spread::own_record};
use crate::BridgeRule;
use alloc::{collections::BTreeSet, format, vec::Vec};
use core::time::Duration;
use honeymesh_ledger::{Claim, Origin};
use honeymesh_mesh_proto::{Record, Said, limits::TTL_MAX};
use honeymesh_types::{Mode, MonoTime, Reasons, Subject};

/// How many subjects are looked at at once, ...
pub const BRIDGE_BATCH_MAX: usize = 32;
/// ... and the pause after that: 128 a second at most.
pub const BRIDGE_PAUSE: Duration = Duration::from_millis(250);
/// How many subjects wait to be looked at. At the bound further ones are counted and do not cross until they change again.
pub const BRIDGE_PENDING_MAX: usize = 65_536;
/// How long a record lasts that takes another back: as short as there is.
const TAKEN_BACK: Duration = Duration::from_millis(1);

/// A bridge by the places of its clusters.
struct Rule {
    from: usize,
    to: usize,
    rule: BridgeRule,
}

/// All bridges of this node.
#[derive(Default)]
pub(super) struct Bridges {
    rules: Vec<Rule>,
    pending: BTreeSet<Subject>,
    paused_until: Option<MonoTime>,
}

impl Bridges {
    /// Bridges between clusters that this node is in; others do nothing.
    pub(super) fn new(rules: Vec<BridgeRule>, clusters: &[Cluster]) -> Self {
        let place = |name| clusters.iter().position(|known| known.name == name);
        let resolved = |rule: BridgeRule| Some(Rule { from: place(rule.from.clone())?, to: place(rule.to.clone())?, rule });
        let rules = rules.into_iter().filter_map(resolved).filter(|rule| rule.from != rule.to).collect();
        Self { rules, ..Self::default() }
    }

    /// Something changed about `subject`. Whether it will be looked at.
    #[must_use]
    pub(super) fn touch(&mut self, subject: Subject) -> bool {
        if self.rules.is_empty() || subject.is_wide() {
            return true;
        }
        if self.pending.len() >= BRIDGE_PENDING_MAX && !self.pending.contains(&subject) {
            return false;
        }
        self.pending.insert(subject);
        true
    }

    /// When there is something to look at.
    pub(super) fn wake_at(&self, now: MonoTime) -> Option<MonoTime> {
        let has_work = !self.pending.is_empty();
        has_work.then(|| self.paused_until.unwrap_or(now))
    }
}

impl Node {
    /// Remembers to look whether `subject` must cross.
    pub(super) fn touch_bridges(&mut self, subject: Subject) {
        self.counters.bridge_lost += u64::from(!self.bridges.touch(subject));
    }

    /// The same for everybody: what this node enforces has changed as a whole.
    pub(super) fn touch_all_bridges(&mut self) {
        if !self.bridges.rules.is_empty() {
            let all: Vec<Subject> = self.ledger.bans().map(|ban| ban.subject).collect();
            all.into_iter().for_each(|subject| self.touch_bridges(subject));
        }
    }

    /// Carries over what is due.
    pub(super) fn cross(&mut self) {
        if self.bridges.paused_until.is_some_and(|until| until > self.now.mono) {
            return;
        }
        let has_work = !self.bridges.pending.is_empty();
        self.bridges.paused_until = has_work.then(|| self.now.mono.plus(BRIDGE_PAUSE));
        let to: BTreeSet<usize> = self.bridges.rules.iter().map(|rule| rule.to).collect();
        for _ in 0..BRIDGE_BATCH_MAX {
            let Some(subject) = self.bridges.pending.pop_first() else { return };
            to.iter().for_each(|to| self.cross_into(*to, subject));
        }
    }

    fn cross_into(&mut self, to: usize, subject: Subject) {
        // What this node says on its own account is in every cluster already.
        if self.word(&subject).is_some() {
            return;
        }
        let own = self.clusters.get(to).and_then(|known| own_record(known, &subject));
        let said = match (self.crossing(to, &subject), own) {
            (Some(said), None) => said,
            (Some(said), Some(own)) if is_hearsay(&own.record) && self.is_more(&said, &own.record) => said,
            (None, Some(own)) if is_hearsay(&own.record) => taken_back(&own.record),
            _ => return,
        };
        let is_ban = matches!(&said, Said::Ban { ttl, .. } if *ttl > TAKEN_BACK);
        if self.say(to, subject, said).is_some() {
            self.counters.bridged += u64::from(is_ban);
        }
    }

    /// What crosses into a cluster about `subject`: the union of the claims that count and may cross. `None`: nothing.
    fn crossing(&self, to: usize, subject: &Subject) -> Option<Said> {
        let is_enforced = self.ledger.ban(subject).is_some_and(|ban| ban.enforced);
        if !is_enforced || self.held_mode() == Mode::Observe || self.is_canary(subject) {
            return None;
        }
        let claims = self.ledger.claims(subject);
        let each = self.bridges.rules.iter().filter(|rule| rule.to == to).flat_map(|rule| {
            let may_cross = move |(claim, counts): &&(Claim, bool)| *counts && self.may_cross(rule, claim);
            claims.iter().filter(may_cross).map(move |(claim, _)| (rule, claim))
        });
        each.filter_map(|(rule, claim)| self.repeat(rule, claim)).reduce(unite)
    }

    fn may_cross(&self, rule: &Rule, claim: &Claim) -> bool {
        let me = self.clusters.get(rule.to).map(|known| known.mesh.identity());
        let came_by = matches!(&claim.origin, Origin::Peer { cluster, node } if *cluster == rule.rule.from && Some(*node) != me);
        came_by && !claim.backing.hearsay && rule.rule.grades.contains(&claim.grade)
    }

    fn repeat(&self, rule: &Rule, claim: &Claim) -> Option<Said> {
        let left = claim.until.map_or(TTL_MAX, |until| until.since(self.now.wall));
        let ttl = left.min(rule.rule.ttl_max).min(TTL_MAX);
        let note = Some(format!("by bridge from {}", self.clusters.get(rule.from)?.name));
        let Claim { reasons, grade, scope, score, .. } = claim;
        let (reasons, grade, scope, score) = (*reasons | Reasons::MESH, *grade, *scope, *score);
        (ttl > TAKEN_BACK).then_some(Said::Ban { reasons, grade, scope, ttl, score, note })
    }

    /// Is it stronger than what was carried over before, or much longer?
    fn is_more(&self, said: &Said, own: &Record) -> bool {
        let (Said::Ban { grade, scope, ttl, .. }, Said::Ban { grade: known, scope: widest, .. }) = (said, &own.said) else {
            return true;
        };
        grade > known || scope > widest || is_much_later(Some(own.until()), Some(self.now.wall.plus(*ttl)), self.now.wall)
    }
}

fn unite(one: Said, other: Said) -> Said {
    match (one, other) {
        (
            Said::Ban { reasons, grade, scope, ttl, score, note },
            Said::Ban { reasons: more, grade: other, scope: wider, ttl: longer, score: higher, .. },
        ) => Said::Ban {
            reasons: reasons | more,
            grade: grade.max(other),
            scope: scope.max(wider),
            ttl: ttl.max(longer),
            score: score.max(higher),
            note,
        },
        (one, _) => one,
    }
}

/// The same ban, over at once: takes the place of the one that was said.
fn taken_back(own: &Record) -> Said {
    match own.said.clone() {
        Said::Ban { reasons, grade, scope, score, note, .. } => Said::Ban { reasons, grade, scope, ttl: TAKEN_BACK, score, note },
        other @ (Said::Unban | Said::Touches { .. }) => other,
    }
}

//! One change of the ledger, carried to kernel, store and listeners.

use super::Node;
use crate::{Keep, Output, Past};
use alloc::{
    format,
    string::{String, ToString},
};
use core::time::Duration;
use honeymesh_ledger::{Cause, Change, ChangeKind, Claim, KernelChange, Origin};
use honeymesh_types::{Ban, ClusterName, Event, EventKind, Grade, NodeId, NodeName, Reasons, WallTime};

/// A later end is worth telling when it is later by more than this share of what was left.
const LATER_SHARE: u32 = 10;

/// On whose word something changed.
pub(super) enum By {
    /// What this node saw, or the passing of time.
    Itself,
    /// An operator of this node.
    Operator,
    /// A node was turned away: what people call it.
    Revocation(String),
    /// A record of a mesh.
    Peer {
        /// The cluster it came by.
        cluster: ClusterName,
        /// What its origin calls itself.
        name: NodeName,
        /// Who signed it.
        node: NodeId,
    },
}

impl By {
    fn words(&self, own: &NodeName) -> String {
        match self {
            Self::Itself => own.to_string(),
            Self::Operator => "operator".into(),
            Self::Revocation(name) => format!("the revocation of {name}"),
            Self::Peer { name, .. } => name.to_string(),
        }
    }

    fn describe(&self, own: &NodeName, event: &mut Event) {
        event.fields.insert("by".into(), self.words(own));
        if let Self::Peer { cluster, node, .. } = self {
            event.fields.insert("cluster".into(), cluster.to_string());
            event.fields.insert("origin".into(), node.to_string());
        }
    }
}

impl Node {
    /// Carries out what the ledger decided. The kernel is told at the end of the input: [`Self::project`].
    pub(super) fn apply(&mut self, change: &Change, by: &By) {
        self.keep_claims(change);
        self.touch_bridges(change.ban.subject);
        if change.is_gone() {
            self.renewals.cancel(&change.ban.subject);
            let how = self.how(change, by);
            self.history.push(Past { subject: change.ban.subject, at: self.now.wall, how });
        }
        if change.kind != ChangeKind::Raised || is_material(change.before.as_ref(), &change.ban, self.now.wall) {
            self.tell_change(change, by);
        }
        change.also.iter().for_each(|also| self.apply_returned(also));
    }

    /// Tells the kernel how the ledger's intent has changed.
    pub(super) fn project(&mut self) {
        for change in self.ledger.take_kernel_changes() {
            self.out.push(match change {
                KernelChange::Enforce(what) => Output::Enforce(what),
                KernelChange::Release(subject) => Output::Release(subject),
            });
        }
    }

    fn keep_claims(&mut self, change: &Change) {
        let is_stronger = is_material(change.before.as_ref(), &change.ban, self.now.wall);
        for claim in change.claims.iter().filter(|claim| claim.is_local()) {
            self.out.keep(match change.kind {
                // What a person says is always news.
                ChangeKind::Raised if is_stronger || claim.grade == Grade::Operator => Keep::Claim(claim.clone()),
                ChangeKind::Raised => Keep::Again(claim.clone()),
                _ => forget(claim),
            });
        }
    }

    fn how(&self, change: &Change, by: &By) -> String {
        match change.cause {
            Cause::Ended => "expired".into(),
            Cause::Protected { net, why } => format!("lifted: {net} is {}", why.words()),
            Cause::Displaced => "gave way: the ban table was full; it comes back when there is room".into(),
            Cause::Returned => "came back: there is room for it, or its subject is protected no more".into(),
            Cause::Claimed | Cause::Withdrawn => format!("lifted by {}", by.words(&self.name)),
        }
    }

    fn tell_change(&mut self, change: &Change, by: &By) {
        let kind = match (change.kind, change.cause) {
            (ChangeKind::Raised, _) => EventKind::Ban,
            (_, Cause::Ended) => EventKind::Expire,
            _ => EventKind::Unban,
        };
        let mut event = self.event(kind);
        describe_ban(&change.ban, &mut event);
        if change.cause == Cause::Returned {
            event.fields.insert("how".into(), self.how(change, by));
        }
        if kind != EventKind::Ban {
            event.reasons = change.claims.iter().fold(Reasons::empty(), |all, claim| all | claim.reasons);
            event.fields.insert("how".into(), self.how(change, by));
        }
        if change.kind == ChangeKind::Lowered {
            event.fields.insert("still".into(), change.ban.reasons.to_string());
        }
        if let (EventKind::Ban, Some(claim)) = (kind, change.claims.first()) {
            describe_claim(claim, &mut event);
        }
        if kind != EventKind::Expire {
            by.describe(&self.name, &mut event);
        }
        self.out.tell(event);
    }
}

/// What the store is told about a claim that went.
pub(super) fn forget(claim: &Claim) -> Keep {
    Keep::Forget { subject: claim.subject, reasons: claim.reasons, spoofable: claim.is_spoofable() }
}

fn describe_ban(ban: &Ban, event: &mut Event) {
    event.source = ban.subject.is_host().then(|| ban.subject.addr());
    event.subject = Some(ban.subject);
    event.reasons = ban.reasons;
    event.grade = Some(ban.grade);
    event.scope = Some(ban.scope);
    event.until = ban.until;
    event.fields.insert("enforced".into(), ban.enforced.to_string());
}

fn describe_claim(claim: &Claim, event: &mut Event) {
    event.score = (claim.score > 0).then_some(claim.score);
    let evidence = claim.evidence.filter(|_| claim.origin == Origin::Local).map(|id| ("evidence", id.to_string()));
    let note = claim.note.clone().map(|note| ("note", note));
    event.fields.extend(evidence.into_iter().chain(note).map(|(name, value)| (name.into(), value)));
}

/// Did the ban grow so much that others should hear of it, and that a crash should not undo it?
fn is_material(before: Option<&Ban>, after: &Ban, now: WallTime) -> bool {
    let Some(before) = before else { return true };
    !before.reasons.contains(after.reasons)
        || after.grade > before.grade
        || after.scope > before.scope
        || after.enforced != before.enforced
        || is_much_later(before.until, after.until, now)
}

/// Is `after` later than `before` by more than a tenth of what was left then?
pub(super) fn is_much_later(before: Option<WallTime>, after: Option<WallTime>, now: WallTime) -> bool {
    match (before, after) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => after.since(before) > left(after, now) / LATER_SHARE,
    }
}

fn left(until: WallTime, now: WallTime) -> Duration {
    until.since(now)
}

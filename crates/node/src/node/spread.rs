//! What this node says to its meshes, and when it says it again.

use super::{Cluster, Node, change::is_much_later, judgement::is_hearsay};
use alloc::vec::Vec;
use honeymesh_ledger::{Claim, Reach};
use honeymesh_mesh_proto::{Record, Said, Signed, Statement, limits::TTL_MAX};
use honeymesh_types::{ClusterName, Mode, Reasons, Subject, WallTime};

/// What this node has to say about a subject: the union of its claims that may travel.
pub(super) struct Word {
    pub(super) said: Said,
    pub(super) until: Option<WallTime>,
    pub(super) by_operator: bool,
}

impl Node {
    /// Says the ban of `subject` to every mesh to which that is news. Returns the clusters that know it now.
    pub(super) fn spread(&mut self, subject: Subject) -> Vec<ClusterName> {
        let Some(word) = self.word(&subject) else { return Vec::new() };
        let mut told = Vec::new();
        for cluster in 0..self.clusters.len() {
            if !self.is_news(cluster, &subject, &word) || self.say(cluster, subject, word.said.clone()).is_some() {
                told.extend(self.clusters.get(cluster).map(|known| known.name.clone()));
            }
        }
        self.schedule(subject, &word);
        told
    }

    /// Everything this node may say is looked at in the next wakes: what the meshes know already is not said again.
    pub(super) fn renew_all(&mut self) {
        let subjects: Vec<Subject> = self.ledger.claimed_here().collect();
        subjects.into_iter().for_each(|subject| self.renewals.set(subject, self.now.wall));
    }

    /// Signs, keeps and pushes. `None`: the mesh would not say it; that is told.
    pub(super) fn say(&mut self, cluster: usize, subject: Subject, said: Said) -> Option<Signed> {
        let mut effects = Vec::new();
        let result = self.clusters.get_mut(cluster)?.mesh.publish(Statement { subject, said }, self.now, &mut effects);
        match result {
            Ok(signed) => {
                self.counters.published += 1;
                self.keep_record(cluster, &signed);
                self.take_effects(cluster, effects);
                Some(signed)
            }
            Err(why) => {
                let name = self.cluster_name(cluster);
                self.tell_refused(subject.addr(), [("cluster", name), ("refused", alloc::format!("not published: {why}"))]);
                None
            }
        }
    }

    /// `None`: there is nothing to say, or this node only observes.
    pub(super) fn word(&self, subject: &Subject) -> Option<Word> {
        let may_travel = |claim: &Claim| claim.is_local() && claim.reach == Reach::Mesh && !claim.is_spoofable();
        let mut claims = self.ledger.claims(subject).into_iter().map(|(claim, _)| claim).filter(may_travel);
        if self.held_mode() == Mode::Observe || subject.is_wide() || self.is_canary(subject) {
            return None;
        }
        let first = claims.next()?;
        let union = claims.fold(first, unite);
        let ttl = union.until.map_or(TTL_MAX, |until| until.since(self.now.wall)).min(TTL_MAX);
        let Claim { reasons, grade, scope, score, note, until, .. } = union;
        let by_operator = reasons.contains(Reasons::MANUAL);
        let said = Said::Ban { reasons, grade, scope, ttl, score, note };
        (!ttl.is_zero()).then_some(Word { said, until, by_operator })
    }

    /// Does the mesh not know it (any more: an unban takes a ban out of the set), or less of it, or for much shorter?
    fn is_news(&self, cluster: usize, subject: &Subject, word: &Word) -> bool {
        let own = self.clusters.get(cluster).and_then(|known| own_record(known, subject));
        own.is_none_or(|own| is_hearsay(&own.record) || self.says_more(subject, word, &own.record))
    }

    fn says_more(&self, subject: &Subject, word: &Word, own: &Record) -> bool {
        let (Said::Ban { reasons, grade, scope, .. }, Said::Ban { reasons: known, grade: best, scope: widest, .. }) =
            (&word.said, &own.said)
        else {
            return true;
        };
        !known.contains(*reasons) || grade > best || scope > widest || self.is_due(subject, word, own)
    }

    /// A ban that fits into one record is said again when it ends much later; one that outlives its lease, before that ends.
    fn is_due(&self, subject: &Subject, word: &Word, own: &Record) -> bool {
        match self.outlives(word, own) {
            true => self.now.wall >= self.due_at(word, subject, own.at.wall()),
            false => is_much_later(Some(own.until()), word.until, self.now.wall),
        }
    }
}

/// What this node says about `subject` in a cluster, if it is not over.
pub(super) fn own_record(known: &Cluster, subject: &Subject) -> Option<Signed> {
    let own = |signed: &Signed| signed.record.is_ban() && signed.record.origin == known.mesh.identity();
    known.mesh.records(subject).into_iter().find(own)
}

fn unite(mut all: Claim, one: Claim) -> Claim {
    all.reasons |= one.reasons;
    all.grade = all.grade.max(one.grade);
    all.scope = all.scope.max(one.scope);
    all.score = all.score.max(one.score);
    all.until = all.until.zip(one.until).map(|(a, b)| a.max(b));
    all.note = all.note.or(one.note);
    all
}

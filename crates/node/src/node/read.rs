//! What can be asked of a node.

use super::{Cluster, Node};
use crate::{AllowEntry, Counters, PeerReport, Status, Why, WhyBan, WhyRecord};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{net::IpAddr, ops::Bound};
use honeymesh_ledger::Protected;
use honeymesh_mesh_proto::{CheckStats, Member, MemberState, Signed};
use honeymesh_types::{Ban, Enforcement, Mode, NodeId, NodeName, Subject, Trust};

impl Node {
    /// What people call this node.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    /// The mode in force.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.ledger.mode()
    }

    /// All bans, in the order of their subjects.
    pub fn bans(&self) -> impl Iterator<Item = Ban> + '_ {
        self.ledger.bans()
    }

    /// The bans in the order of their subjects, beginning at `from`: a long list can be read in parts, each of which costs
    /// only what it reads.
    pub fn bans_from(&self, from: Bound<Subject>) -> impl Iterator<Item = Ban> + '_ {
        self.ledger.bans_from(from)
    }

    /// The ban of exactly `subject`.
    #[must_use]
    pub fn ban(&self, subject: &Subject) -> Option<Ban> {
        self.ledger.ban(subject)
    }

    /// The bans that cover all of `subject`, narrowest first.
    #[must_use]
    pub fn covering(&self, subject: &Subject) -> Vec<Ban> {
        self.ledger.covering(subject)
    }

    /// Everything the kernel must hold, in the order of the subjects; nothing in mode `observe`.
    #[must_use]
    pub fn intent(&self) -> Vec<Enforcement> {
        self.ledger.intent().collect()
    }

    /// Every banned subject and every group in order, beginning at `from`, with what the kernel must hold for it: a part of the
    /// intent costs only what it reads.
    pub fn intent_from(&self, from: Bound<Subject>) -> impl Iterator<Item = (Subject, Option<Enforcement>)> + '_ {
        self.ledger.intent_from(from)
    }

    /// What the kernel must hold for exactly `subject`, a ban or a group.
    #[must_use]
    pub fn enforcement(&self, subject: &Subject) -> Option<Enforcement> {
        self.ledger.enforcement(subject)
    }

    /// Under which subject the kernel must hold the ban of `subject`: its group's if there is one, else its own.
    #[must_use]
    pub fn entry_of(&self, subject: &Subject) -> Subject {
        self.ledger.group_of(subject).unwrap_or(*subject)
    }

    /// The never-ban set, sorted.
    #[must_use]
    pub fn protected(&self) -> Vec<Protected> {
        self.ledger.protected().collect()
    }

    /// The allowlist, sorted.
    #[must_use]
    pub fn allow(&self) -> Vec<AllowEntry> {
        self.allow.entries()
    }

    /// The node in numbers.
    #[must_use]
    pub fn status(&self) -> Status {
        let alive = |cluster: &Cluster| cluster.mesh.members().iter().filter(|member| member.state != MemberState::Down).count();
        let cluster = |cluster: &Cluster| (cluster.name.clone(), alive(cluster), cluster.mesh.len());
        let (touches, touches_lost) = self.count_touches();
        Status {
            name: self.name.clone(),
            mode: self.mode(),
            trial: self.trial,
            ledger: self.ledger.stats(),
            counters: Counters {
                contacts_forgotten: self.handshakes.forgotten(),
                checks: self.checks(),
                touches,
                touches_lost,
                ..self.counters
            },
            quarantined: self.quarantine.len(),
            clusters: self.clusters.iter().map(cluster).collect(),
        }
    }

    fn checks(&self) -> CheckStats {
        let all = self.clusters.iter().map(|cluster| cluster.mesh.checks());
        all.fold(CheckStats::default(), CheckStats::with)
    }

    /// The clusters, in the order of the configuration.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerReport> {
        let report = |(place, cluster): (usize, &Cluster)| PeerReport {
            judged: self.judged(place, &cluster.mesh.members()),
            cluster: cluster.name.clone(),
            trust: cluster.trust,
            identity: cluster.mesh.identity(),
            authority: cluster.mesh.authority(),
            own: cluster.mesh.admission(cluster.mesh.identity()),
            holds_authority: cluster.mesh.holds_authority(),
            admissions: cluster.mesh.admissions(),
            revoked_here: cluster.revoked_here.iter().copied().collect(),
            members: cluster.mesh.members(),
            stats: cluster.mesh.stats(),
            fingerprint: cluster.mesh.fingerprint(),
        };
        self.clusters.iter().enumerate().map(report).collect()
    }

    fn judged(&self, cluster: usize, members: &[Member]) -> BTreeMap<NodeId, (Trust, Option<String>)> {
        let judged = |member: &Member| {
            let name = member.name.as_ref();
            let (trust, owner) = (self.trust_in(cluster, &member.node, name), self.owner_of(cluster, &member.node, name));
            (member.node, (trust, owner))
        };
        members.iter().map(judged).collect()
    }

    /// The whole chain behind one address: why it is banned, or why it is not.
    #[must_use]
    pub fn why(&self, addr: IpAddr) -> Why {
        let addr = addr.to_canonical();
        let known = self.ledger.why(addr);
        let bans: Vec<WhyBan> = known.bans.into_iter().map(|ban| self.why_ban(ban)).collect();
        let mut why = Why {
            addr,
            mode: known.mode,
            records: self.other_records(addr, &bans),
            bans,
            protected: known.protected,
            past: self.history.covering(addr),
            verdict: String::new(),
        };
        why.verdict = verdict(&why);
        why
    }

    fn why_ban(&self, ban: Ban) -> WhyBan {
        let (claims, records) = (self.ledger.claims(&ban.subject), self.records(&ban.subject));
        let corroboration = self.ledger.corroboration(&ban.subject);
        WhyBan { corroboration, group: self.ledger.group_of(&ban.subject).filter(|_| ban.enforced), ban, claims, records }
    }

    /// Records about what `addr` would be banned as, where there is no such ban.
    fn other_records(&self, addr: IpAddr, bans: &[WhyBan]) -> Vec<WhyRecord> {
        let subjects = BTreeSet::from([Subject::host(addr), self.subject_of(addr), Subject::of_source(addr, &[])]);
        let others = subjects.iter().filter(|subject| bans.iter().all(|why| why.ban.subject != **subject));
        others.flat_map(|subject| self.records(subject)).collect()
    }

    fn records(&self, subject: &Subject) -> Vec<WhyRecord> {
        let of = |cluster: &Cluster| {
            let name = cluster.name.clone();
            let record = move |signed: Signed| WhyRecord { cluster: name.clone(), record: signed.record, raw: signed.raw };
            cluster.mesh.records(subject).into_iter().map(record).collect::<Vec<_>>()
        };
        self.clusters.iter().flat_map(of).collect()
    }
}

fn verdict(why: &Why) -> String {
    match (why.protected.first(), why.bans.first(), why.past.first()) {
        (Some(by), None, _) => format!("not banned, and never will be: {} is {}", by.net, by.why.words()),
        (Some(by), Some(_), _) => format!("passed although a ban covers it: {} is {}", by.net, by.why.words()),
        (None, Some(_), _) => banned(why),
        (None, None, Some(past)) => format!("not banned: the ban of {} ended ({})", past.subject, past.how),
        (None, None, None) => "not banned: nothing is known against it".into(),
    }
}

fn banned(why: &Why) -> String {
    let Some(WhyBan { ban, group, corroboration, .. }) = why.bans.iter().find(|why| why.ban.enforced).or(why.bans.first()) else {
        return String::new();
    };
    let origins = ban.origins.join(", ");
    let entry = group.map(|group| format!(", enforced by the entry of {group}")).unwrap_or_default();
    let base = format!("banned as {} for {} ({}), scope {}, by {origins}{entry}", ban.subject, ban.reasons, ban.grade, ban.scope);
    match (ban.enforced, why.mode, corroboration) {
        (true, ..) => base,
        (false, Mode::Observe, _) => format!("not dropped (mode observe), else {base}"),
        (false, _, Some(waits)) => format!("not dropped ({} of {} owners say so), else {base}", waits.owners, waits.needed),
        (false, _, None) => format!("not dropped (no trusted claim yet), else {base}"),
    }
    .to_string()
}

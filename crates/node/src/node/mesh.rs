//! What the meshes hear, and what it means here.

use super::{Node, change::By};
use crate::{Keep, Output};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use honeymesh_ledger::{Change, Claim, Entered, Origin, Reach, Whose};
use honeymesh_mesh_proto::{Effect, Hlc, Member, MemberChange, Record, Said, Signed, StreamEvent, Verdicts};
use honeymesh_types::{EventKind, Trust, WallTime};

impl Node {
    pub(super) fn datagram(&mut self, cluster: usize, from: SocketAddr, bytes: &[u8]) {
        self.counters.datagrams += 1;
        let mut effects = Vec::new();
        match self.clusters.get_mut(cluster) {
            Some(known) => known.mesh.datagram(from, bytes, self.now, &mut effects),
            None => self.counters.datagrams_lost += 1,
        }
        self.take_effects(cluster, effects);
    }

    pub(super) fn stream(&mut self, cluster: usize, event: StreamEvent) {
        let mut effects = Vec::new();
        if let Some(known) = self.clusters.get_mut(cluster) {
            known.mesh.stream(event, self.now, &mut effects);
        }
        self.take_effects(cluster, effects);
    }

    pub(super) fn checked(&mut self, cluster: usize, verdicts: Verdicts) {
        let mut effects = Vec::new();
        if let Some(known) = self.clusters.get_mut(cluster) {
            known.mesh.checked(verdicts, self.now, &mut effects);
        }
        self.take_effects(cluster, effects);
    }

    pub(super) fn take_effects(&mut self, cluster: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, bytes } => self.out.push(Output::Send { cluster, to, bytes }),
                Effect::Stream(order) => self.out.push(Output::Stream { cluster, order }),
                Effect::Check(claims) => self.out.push(Output::Check { cluster, claims }),
                Effect::Record { signed } => self.hear(cluster, &signed),
                Effect::Tokens => self.keep_tokens(cluster),
                Effect::Deed { deed } => self.deed(cluster, &deed),
                Effect::Member { member, change } => self.member(cluster, &member, change),
                Effect::Guest { addr, change } => self.protect_peer(addr, change),
                Effect::Confirmed { id, confirmed, unconfirmed } => self.confirmed(cluster, id, &confirmed, &unconfirmed),
                Effect::Refused { from, why } => {
                    let name = self.cluster_name(cluster);
                    self.tell_refused(from.ip(), [("cluster", name), ("refused", why.to_string())]);
                }
            }
        }
    }

    /// A peer's record that is new to this node.
    fn hear(&mut self, cluster: usize, signed: &Signed) {
        if let Said::Touches { .. } = &signed.record.said {
            return self.hear_touches(cluster, signed);
        }
        self.counters.records += 1;
        self.keep_record(cluster, signed);
        if self.is_set_aside(cluster, &signed.record.origin) {
            return;
        }
        self.test_by_canary(cluster, signed);
        let Some(by) = self.by_peer(cluster, &signed.record) else { return };
        match self.admit(cluster, &signed.record) {
            Heard::Changed(changes) => changes.iter().for_each(|change| self.apply(change, &by)),
            Heard::Nothing => {}
            Heard::Refused(why) => {
                let addr = signed.record.subject.addr();
                let subject = signed.record.subject.to_string();
                let origin = signed.record.origin.to_string();
                let name = self.cluster_name(cluster);
                self.tell_refused(addr, [("cluster", name), ("origin", origin), ("subject", subject), ("refused", why)]);
            }
        }
    }

    /// Takes a verified record to the ledger. Tells nobody.
    pub(super) fn admit(&mut self, cluster: usize, record: &Record) -> Heard {
        if record.is_unban() {
            return self.admit_unban(cluster, record);
        }
        let Some(claim) = self.claim_of(cluster, record) else { return Heard::Nothing };
        if record.is_over(self.now.wall) {
            return Heard::of(self.ledger.withdraw(&claim.subject, &claim.origin, self.now.wall));
        }
        match self.ledger.enter(claim, self.now.wall) {
            Entered::Changed { change, displaced } => {
                Heard::Changed(displaced.into_iter().chain([change]).map(|change| *change).collect())
            }
            Entered::Unchanged => Heard::Nothing,
            Entered::Refused(refusal) => {
                self.counters.records_refused += 1;
                Heard::Refused(refusal.to_string())
            }
        }
    }

    /// An unban lifts what was said before it: everybody's claims, this node's own included. From a cluster that is only
    /// observed it lifts no more than what that cluster said.
    fn admit_unban(&mut self, cluster: usize, record: &Record) -> Heard {
        let Some(known) = self.clusters.get(cluster) else { return Heard::Nothing };
        let origin = Origin::Peer { cluster: known.name.clone(), node: record.origin };
        let trust = self.trust_of(cluster, record);
        let whose = match trust {
            // Whom nobody believes may take back no more than what he said himself.
            Trust::Observe if known.trust > Trust::Observe => Whose::One(&origin),
            Trust::Observe => Whose::Cluster(&known.name),
            Trust::Corroborate | Trust::Enforce | Trust::Override => Whose::Everybodys,
        };
        let is_for_all = whose == Whose::Everybodys;
        let change = self.ledger.lift(&record.subject, end_of(record.at), whose, self.now.wall);
        if is_for_all {
            self.forgive_touches(record.subject);
        }
        Heard::of(change)
    }

    fn claim_of(&self, cluster: usize, record: &Record) -> Option<Claim> {
        let Said::Ban { reasons, grade, scope, score, note, .. } = &record.said else { return None };
        let known = self.clusters.get(cluster)?;
        let said_at = record.at.wall();
        Some(Claim {
            subject: record.subject,
            origin: Origin::Peer { cluster: known.name.clone(), node: record.origin },
            origin_name: record.origin_name.to_string(),
            reasons: *reasons,
            grade: *grade,
            scope: *scope,
            score: *score,
            since: said_at,
            last: said_at,
            until: Some(record.until()),
            note: note.clone(),
            evidence: None,
            trust: self.trust_of(cluster, record),
            backing: self.backing_of_record(cluster, record),
            reach: Reach::Here,
            force: false,
        })
    }

    pub(super) fn keep_record(&mut self, cluster: usize, signed: &Signed) {
        let Some(known) = self.clusters.get(cluster) else { return };
        self.out.keep(Keep::Record {
            cluster: known.name.clone(),
            subject: signed.record.subject,
            id: signed.id().0,
            raw: signed.raw.clone(),
            expires: signed.record.until(),
        });
    }

    /// Takes note that a peer at this address came or went. Several may share one: translators, relays, several clusters.
    fn protect_peer(&mut self, addr: IpAddr, change: MemberChange) {
        let is_there = change == MemberChange::Down && self.clusters.iter().any(|cluster| cluster.mesh.has_peer_at(addr));
        let change = if is_there { MemberChange::Up } else { change };
        let is_protected = self.shield.member(addr, change, self.now.mono);
        self.counters.peers_unprotected += u64::from(!is_protected);
    }

    fn member(&mut self, cluster: usize, member: &Member, change: MemberChange) {
        self.protect_peer(member.addr.ip(), change);
        let mut event = self.event(EventKind::Mesh);
        event.source = Some(member.addr.ip());
        event.source_port = Some(member.addr.port());
        let word = match change {
            MemberChange::Up => "up",
            MemberChange::Down => "down",
        };
        let name = member.name.as_ref().map(|name| ("member", name.to_string()));
        let fixed = [("cluster", self.cluster_name(cluster)), ("change", word.into()), ("origin", member.node.to_string())];
        event.fields = fixed.into_iter().chain(name).map(|(name, value)| (name.into(), value)).collect();
        self.out.tell(event);
    }

    pub(super) fn by_peer(&self, cluster: usize, record: &Record) -> Option<By> {
        let cluster = self.clusters.get(cluster)?.name.clone();
        Some(By::Peer { cluster, name: record.origin_name.clone(), node: record.origin })
    }

    pub(super) fn cluster_name(&self, cluster: usize) -> String {
        self.clusters.get(cluster).map(|known| known.name.to_string()).unwrap_or_default()
    }
}

/// What a record did to the ledger.
pub(super) enum Heard {
    /// It changed bans.
    Changed(Vec<Change>),
    /// It said nothing new.
    Nothing,
    /// The door stayed shut.
    Refused(String),
}

impl Heard {
    fn of(change: Option<Change>) -> Self {
        change.map_or(Self::Nothing, |change| Self::Changed([change].into()))
    }
}

/// The last microsecond of the millisecond in which something was said: an unban covers what was said in its own.
pub(super) fn end_of(at: Hlc) -> WallTime {
    at.wall().plus(Duration::from_micros(999))
}

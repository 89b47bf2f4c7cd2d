//! Nodes that are turned away: what they said goes, here and, if the authority says so, everywhere.

use super::{Node, change::By};
use crate::{Done, Keep, Refused};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;
use honeymesh_ledger::Origin;
use honeymesh_mesh_proto::{Deed, Deeds, Signed, TOKEN_LIFE_MAX_SECS};
use honeymesh_types::{ClusterName, EventKind, NodeId, NodeName, Subject};

/// Bans of a node that was turned away that are withdrawn at once; the rest follows in the next wakes, which are due at once.
pub const WITHDRAW_BATCH_MAX: usize = 1_024;
/// Nodes that an operator can turn away on this node alone, in one cluster; one more is refused.
pub const REVOKED_HERE_MAX: usize = 1_024;

/// Names of notes begin so.
const DEED: &str = "deed.";
const REVOKED: &str = "revoked.";
const TOKENS: &str = "tokens.";
/// The least of an identity that names a node.
const PREFIX_DIGITS_MIN: usize = 4;

/// Bans that are still to be withdrawn.
#[derive(Default)]
pub(super) struct Withdrawals(VecDeque<Withdrawal>);

struct Withdrawal {
    origin: Origin,
    name: String,
    subjects: Vec<Subject>,
}

impl Node {
    /// The authority of a cluster has said something new.
    pub(super) fn deed(&mut self, cluster: usize, deed: &Deed) {
        let Some(known) = self.clusters.get(cluster) else { return };
        let (name, me) = (known.name.clone(), known.mesh.identity());
        let kind = if deed.is_certificate() { "certificate" } else { "judgement" };
        self.out.keep(Keep::Note { name: format!("{DEED}{name}.{}.{kind}", deed.node), value: hex(&deed.raw) });
        let called = self.called(cluster, &deed.node);
        if matches!(deed.said, Deeds::Revoked { .. }) && deed.node != me {
            self.withdraw_all(cluster, deed.node, &called);
            self.forget_touches(cluster, &deed.node);
        }
        let change = match deed.said {
            Deeds::Certificate { .. } => "admitted",
            Deeds::Revoked { .. } => "revoked",
            Deeds::Restored { .. } => "restored",
        };
        let mut event = self.event(EventKind::Mesh);
        let fields =
            [("cluster", name.to_string()), ("change", change.into()), ("member", called), ("origin", deed.node.to_string())];
        event.fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.out.tell(event);
    }

    /// What is remembered of join tokens has changed.
    pub(super) fn keep_tokens(&mut self, cluster: usize) {
        if let Some(known) = self.clusters.get(cluster) {
            self.out.keep(Keep::Note { name: format!("{TOKENS}{}", known.name), value: known.mesh.tokens() });
        }
    }

    /// An operator wants to let a machine in.
    pub(super) fn order_token(
        &mut self,
        cluster: ClusterName,
        ttl: Duration,
        owner: Option<NodeName>,
        secret: [u8; 32],
    ) -> Result<Done, Refused> {
        let Some(place) = self.clusters.iter().position(|known| known.name == cluster) else {
            return Err(Refused::UnknownCluster(cluster));
        };
        let Some(known) = self.clusters.get_mut(place) else { return Err(Refused::UnknownCluster(cluster)) };
        let ttl = ttl.clamp(Duration::from_secs(1), Duration::from_secs(TOKEN_LIFE_MAX_SECS));
        let token = known.mesh.issue_token(ttl, owner, secret, self.now.wall)?;
        self.keep_tokens(place);
        let mut event = self.audit("join token", "made");
        event.fields.insert("cluster".into(), cluster.to_string());
        self.out.tell(event);
        Ok(Done::Token { token, ttl })
    }

    /// An operator turns a node away, or takes it back.
    pub(super) fn order_revoke(&mut self, who: String, revoked: bool) -> Result<Done, Refused> {
        let (node, clusters) = self.find_node(who)?;
        let called = clusters.first().map(|cluster| self.called(*cluster, &node)).unwrap_or_default();
        let (mut everywhere, mut here, mut bans) = (Vec::new(), Vec::new(), 0);
        for cluster in clusters {
            let Some(known) = self.clusters.get(cluster) else { continue };
            let name = known.name.clone();
            bans += self.ledger.claimed_by(&Origin::Peer { cluster: name.clone(), node }).len();
            if known.mesh.holds_authority() {
                self.revoke_everywhere(cluster, node, revoked)?;
                everywhere.push(name);
            } else {
                self.revoke_here(cluster, node, revoked, &called)?;
                here.push(name);
            }
        }
        let mut event = self.audit("peers", if revoked { "revoked" } else { "restored" });
        event.fields.insert("member".into(), called.clone());
        event.fields.insert("origin".into(), node.to_string());
        self.out.tell(event);
        Ok(Done::Revoked { node: format!("{called} ({:.8})", node.to_string()), revoked, everywhere, here, bans })
    }

    /// A node that is taken back and whose certificate has ended meanwhile gets a new one.
    fn revoke_everywhere(&mut self, cluster: usize, node: NodeId, revoked: bool) -> Result<(), Refused> {
        let Some(known) = self.clusters.get_mut(cluster) else { return Ok(()) };
        let mut effects = Vec::new();
        let done = known.mesh.revoke(node, revoked, self.now, &mut effects);
        let admitted = known.mesh.admission(node);
        if let (Ok(()), false, crate::Standing::Expired, Some(name), Some(owner)) =
            (&done, revoked, admitted.standing, &admitted.name, &admitted.owner)
        {
            known.mesh.certify(node, name, owner, self.now, &mut effects)?;
        }
        self.take_effects(cluster, effects);
        Ok(done?)
    }

    /// The node's words stay in the set, so that all nodes hold the same, but they count for nothing here.
    fn revoke_here(&mut self, cluster: usize, node: NodeId, revoked: bool, called: &str) -> Result<(), Refused> {
        let Some(known) = self.clusters.get_mut(cluster) else { return Ok(()) };
        if revoked && known.revoked_here.len() >= REVOKED_HERE_MAX && !known.revoked_here.contains(&node) {
            return Err(Refused::RevokedFull(REVOKED_HERE_MAX));
        }
        let changed = if revoked { known.revoked_here.insert(node) } else { known.revoked_here.remove(&node) };
        let all: Vec<String> = known.revoked_here.iter().map(ToString::to_string).collect();
        let note = Keep::Note { name: format!("{REVOKED}{}", known.name), value: all.join(" ") };
        let records = if changed && !revoked { known.mesh.records_of(node) } else { Vec::new() };
        self.out.keep(note);
        if revoked {
            self.withdraw_all(cluster, node, called);
        } else {
            self.finish_withdrawals(cluster, node);
            records.iter().for_each(|signed| self.hear_again(cluster, signed));
        }
        Ok(())
    }

    fn hear_again(&mut self, cluster: usize, signed: &Signed) {
        let heard = self.admit(cluster, &signed.record);
        if let (super::mesh::Heard::Changed(changes), Some(by)) = (heard, self.by_peer(cluster, &signed.record)) {
            changes.iter().for_each(|change| self.apply(change, &by));
        }
    }

    /// Does the word of this node count for nothing here?
    pub(super) fn is_set_aside(&mut self, cluster: usize, origin: &NodeId) -> bool {
        let aside = self.clusters.get(cluster).is_some_and(|known| known.revoked_here.contains(origin));
        self.counters.records_set_aside += u64::from(aside);
        aside
    }

    fn withdraw_all(&mut self, cluster: usize, node: NodeId, called: &str) {
        let Some(known) = self.clusters.get(cluster) else { return };
        let origin = Origin::Peer { cluster: known.name.clone(), node };
        let subjects = self.ledger.claimed_by(&origin);
        if !subjects.is_empty() {
            self.withdrawals.0.push_back(Withdrawal { origin, name: called.into(), subjects });
            self.withdraw_some();
        }
    }

    /// Withdraws what is still to be withdrawn of one node.
    fn finish_withdrawals(&mut self, cluster: usize, node: NodeId) {
        let Some(known) = self.clusters.get(cluster) else { return };
        let origin = Origin::Peer { cluster: known.name.clone(), node };
        let mut all: Vec<Withdrawal> = Vec::new();
        self.withdrawals.0.retain_mut(|one| {
            let is_meant = one.origin == origin;
            if is_meant {
                all.push(Withdrawal {
                    origin: origin.clone(),
                    name: core::mem::take(&mut one.name),
                    subjects: core::mem::take(&mut one.subjects),
                });
            }
            !is_meant
        });
        for one in all {
            one.subjects.iter().for_each(|subject| self.withdraw(subject, &one.origin, &one.name));
        }
    }

    /// Withdraws a batch.
    pub(super) fn withdraw_some(&mut self) {
        for _ in 0..WITHDRAW_BATCH_MAX {
            let Some(first) = self.withdrawals.0.front_mut() else { return };
            let Some(subject) = first.subjects.pop() else {
                self.withdrawals.0.pop_front();
                continue;
            };
            let (origin, name) = (first.origin.clone(), first.name.clone());
            self.withdraw(&subject, &origin, &name);
        }
    }

    fn withdraw(&mut self, subject: &Subject, origin: &Origin, name: &str) {
        if let Some(change) = self.ledger.withdraw(subject, origin, self.now.wall) {
            self.apply(&change, &By::Revocation(name.into()));
        }
    }

    pub(super) fn has_withdrawals(&self) -> bool {
        !self.withdrawals.0.is_empty()
    }

    /// What was known of admissions before the restart: needed before the records, which are judged by it.
    pub(super) fn restore_notes(&mut self, kept: &[Keep]) {
        let now = self.now;
        for keep in kept {
            let Keep::Note { name, value } = keep else { continue };
            let restored = if let Some(rest) = name.strip_prefix(DEED) {
                let cluster = rest.split('.').next().unwrap_or_default();
                let known = self.clusters.iter_mut().find(|known| known.name.as_str() == cluster);
                known.zip(unhex(value)).is_some_and(|(known, raw)| known.mesh.restore_deed(&raw, now))
            } else if let Some(cluster) = name.strip_prefix(REVOKED) {
                let nodes: BTreeSet<NodeId> = value.split_whitespace().filter_map(node_id).take(REVOKED_HERE_MAX).collect();
                let known = self.clusters.iter_mut().find(|known| known.name.as_str() == cluster);
                known.map(|known| known.revoked_here = nodes).is_some()
            } else if let Some(cluster) = name.strip_prefix(TOKENS) {
                let known = self.clusters.iter_mut().find(|known| known.name.as_str() == cluster);
                known.map(|known| known.mesh.restore_tokens(value)).is_some()
            } else {
                continue;
            };
            self.counters.not_restored += u64::from(!restored);
        }
    }

    /// Who is meant, and in which clusters it is known.
    fn find_node(&self, who: String) -> Result<(NodeId, Vec<usize>), Refused> {
        let mut found: BTreeMap<NodeId, Vec<usize>> = BTreeMap::new();
        let prefix = who.to_ascii_lowercase();
        for (place, cluster) in self.clusters.iter().enumerate() {
            let is_meant = |node: &NodeId| {
                let is_prefix = prefix.len() >= PREFIX_DIGITS_MIN && node.to_string().starts_with(&prefix);
                is_prefix || self.called(place, node) == who
            };
            for node in self.known_nodes(place).into_iter().filter(is_meant) {
                if node == cluster.mesh.identity() {
                    return Err(Refused::OwnNode(who));
                }
                found.entry(node).or_default().push(place);
            }
        }
        if found.len() > 1 {
            let name = |(node, places): (&NodeId, &Vec<usize>)| {
                let called = places.first().map(|place| self.called(*place, node)).unwrap_or_default();
                format!("{called} ({:.16})", node.to_string())
            };
            return Err(Refused::AmbiguousNode { nodes: found.iter().map(name).collect::<Vec<_>>().join(", "), who });
        }
        found.pop_first().ok_or(Refused::UnknownNode(who))
    }

    /// Members, whoever the authority has spoken of, and whoever is set aside.
    fn known_nodes(&self, cluster: usize) -> BTreeSet<NodeId> {
        let Some(known) = self.clusters.get(cluster) else { return BTreeSet::new() };
        let members = known.mesh.members().into_iter().map(|member| member.node);
        let admitted = known.mesh.admissions().into_iter().map(|one| one.node);
        members.chain(admitted).chain(known.revoked_here.iter().copied()).chain([known.mesh.identity()]).collect()
    }

    /// What a node is called: by its certificate, by itself, or by its identity.
    fn called(&self, cluster: usize, node: &NodeId) -> String {
        let Some(known) = self.clusters.get(cluster) else { return String::new() };
        let certified = known.mesh.admission(*node).name;
        let own = (*node == known.mesh.identity()).then(|| self.name.clone());
        let member = || known.mesh.members().into_iter().find(|member| member.node == *node).and_then(|member| member.name);
        certified.or(own).or_else(member).map_or_else(|| format!("{:.8}", node.to_string()), |name| name.to_string())
    }

    /// Who runs a node, as its certificate in this cluster says; without one, its identity: nobody else then runs it.
    #[must_use]
    pub fn owner(&self, cluster: &ClusterName, node: &NodeId) -> String {
        let known = self.clusters.iter().find(|known| known.name == *cluster);
        let owner = known.and_then(|known| known.mesh.admission(*node).owner);
        owner.map_or_else(|| node.to_string(), |owner| owner.to_string())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok()).collect()
}

fn node_id(text: &str) -> Option<NodeId> {
    unhex(text)?.try_into().ok().map(NodeId)
}

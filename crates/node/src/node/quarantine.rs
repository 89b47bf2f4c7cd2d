//! Quarantine: who bans an address that only a liar bans is believed no more, until the operator pardons him.
//!
//! Only a record that the liar signed himself counts, so nobody can frame another; and the record is the proof, kept and shown.

use super::{Node, change::By, slow::named_in};
use crate::{Done, Keep, Refused};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
};
use honeymesh_mesh_proto::{Signed, verify_record};
use honeymesh_types::{ClusterName, EventKind, NodeId, NodeName, Subject, Trust, WallTime};
use ipnet::IpNet;

/// How many liars are remembered. Of further ones every record about a canary stays unbelieved, their others do not, and they are
/// counted: nobody is forgotten for a newcomer, so that made-up identities do not free a real liar.
pub const QUARANTINED_MAX: usize = 1_024;
/// The fewest digits of an identity that name a node.
const ID_DIGITS_MIN: usize = 8;

/// Somebody who is believed no more, with the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Who signed it.
    pub node: NodeId,
    /// What it calls itself.
    pub name: NodeName,
    /// The cluster it was said in.
    pub cluster: ClusterName,
    /// Whom the record bans.
    pub subject: Subject,
    /// The canary net that this lies in.
    pub net: IpNet,
    /// When it was said.
    pub said_at: WallTime,
    /// When it was noticed here.
    pub since: WallTime,
    /// The record as received: whoever has it can verify the signature ([`verify_record`]).
    pub raw: Arc<[u8]>,
}

/// Everybody who is believed no more.
#[derive(Default)]
pub(super) struct Quarantine {
    held: BTreeMap<NodeId, Quarantined>,
}

impl Quarantine {
    pub(super) fn holds(&self, node: &NodeId) -> bool {
        self.held.contains_key(node)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// The one whom an operator means: by the whole identity, its first digits, or a name that only one has.
    fn find(&self, word: &str) -> Result<NodeId, Refused> {
        let is_meant = |liar: &&Quarantined| {
            let id = liar.node.to_string();
            liar.name.as_str() == word || (word.len() >= ID_DIGITS_MIN && id.starts_with(&word.to_ascii_lowercase()))
        };
        let mut meant = self.held.values().filter(is_meant);
        let first = meant.next().ok_or_else(|| Refused::NotQuarantined(word.into()))?;
        match meant.next() {
            None => Ok(first.node),
            Some(_) => Err(Refused::Ambiguous(word.into())),
        }
    }
}

impl Node {
    /// Everybody who is believed no more, by identity.
    pub fn quarantined(&self) -> impl Iterator<Item = &Quarantined> {
        self.quarantine.held.values()
    }

    /// Does this record prove that its signer lies?
    pub(super) fn test_by_canary(&mut self, cluster: usize, signed: &Signed) {
        let record = &signed.record;
        let named = named_in(record).into_iter();
        let Some((subject, net)) = named.filter_map(|one| Some((one, self.canary_of(&one)?))).next() else { return };
        let Some(known) = self.clusters.get(cluster).filter(|known| known.mesh.identity() != record.origin) else { return };
        self.counters.canaries_banned += 1;
        if self.quarantine.holds(&record.origin) || self.quarantine.len() >= QUARANTINED_MAX {
            return;
        }
        let liar = Quarantined {
            node: record.origin,
            name: record.origin_name.clone(),
            cluster: known.name.clone(),
            subject,
            net,
            said_at: record.at.wall(),
            since: self.now.wall,
            raw: signed.raw.clone(),
        };
        self.quarantine.held.insert(liar.node, liar.clone());
        self.out.keep(Keep::Quarantined {
            node: liar.node,
            cluster: liar.cluster.clone(),
            net,
            since: liar.since,
            raw: liar.raw.clone(),
        });
        let (withdrawn, _) = self.believe_anew(&liar.node, &liar.name);
        self.tell_quarantine(&liar, "quarantined", withdrawn);
    }

    /// An operator believes somebody again.
    pub(super) fn order_pardon(&mut self, word: &str) -> Result<Done, Refused> {
        let node = self.quarantine.find(word)?;
        let Some(liar) = self.quarantine.held.remove(&node) else { return Err(Refused::NotQuarantined(word.into())) };
        self.out.keep(Keep::Pardoned { node });
        let (_, enforced) = self.believe_anew(&node, &liar.name);
        self.tell_quarantine(&liar, "pardoned", enforced);
        Ok(Done::Pardoned { node, name: liar.name, enforced })
    }

    /// What the node has said so far is believed as the rules say now. How many subjects are enforced no more, and how many from now on.
    fn believe_anew(&mut self, node: &NodeId, name: &NodeName) -> (usize, usize) {
        let (mut withdrawn, mut enforced) = (0, 0);
        for cluster in 0..self.clusters.len() {
            let Some(origin) = self.origin_in(cluster, *node) else { continue };
            let (trust, backing) = (self.trust_in(cluster, node, Some(name)), self.backing_of(cluster, node, Some(name)));
            let canaries = &self.canaries;
            let is_canary = |subject: &Subject| canaries.iter().any(|net| net.contains(&subject.net()));
            let believed = |subject: &Subject| if is_canary(subject) { Trust::Observe } else { trust };
            let told = self.ledger.reconsider(&origin, believed, &backing, self.now.wall);
            told.also.iter().for_each(|change| self.apply(change, &By::Itself));
            told.withdrawn.iter().chain(&told.enforced).for_each(|subject| self.touch_bridges(*subject));
            (withdrawn, enforced) = (withdrawn + told.withdrawn.len(), enforced + told.enforced.len());
        }
        (withdrawn, enforced)
    }

    fn tell_quarantine(&mut self, liar: &Quarantined, change: &str, bans: usize) {
        let mut event = self.event(EventKind::Mesh);
        event.subject = Some(liar.subject);
        let why = format!("it signed a word against {}, which lies in the canary net {}", liar.subject, liar.net);
        let fields: [(&str, String); 6] = [
            ("cluster", liar.cluster.to_string()),
            ("change", change.into()),
            ("member", liar.name.to_string()),
            ("origin", liar.node.to_string()),
            ("why", why),
            ("bans", bans.to_string()),
        ];
        event.fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.out.tell(event);
    }

    /// Takes back what the store kept, if the proof still holds.
    pub(super) fn restore_quarantined(&mut self, cluster: ClusterName, net: IpNet, since: WallTime, raw: Arc<[u8]>) {
        match verify_record(&raw) {
            Ok(record) if self.quarantine.len() < QUARANTINED_MAX => {
                let subject = named_in(&record).into_iter().find(|one| net.contains(&one.net())).unwrap_or(record.subject);
                let (node, name, said_at) = (record.origin, record.origin_name, record.at.wall());
                self.quarantine.held.insert(node, Quarantined { node, name, cluster, subject, net, said_at, since, raw });
            }
            _ => self.counters.not_restored += 1,
        }
    }
}

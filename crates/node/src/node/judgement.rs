//! How far the signer of a record is believed here: the cluster's trust, unless something was said about this very peer.

use super::Node;
use crate::{PeerRule, PeerWord};
use alloc::string::{String, ToString};
use honeymesh_ledger::{Backing, Origin, Quorum};
use honeymesh_mesh_proto::{Record, Said};
use honeymesh_types::{ClusterName, NodeId, NodeName, Reasons, Subject, Trust};

impl Node {
    /// What a record may do here.
    pub(super) fn trust_of(&self, cluster: usize, record: &Record) -> Trust {
        if record.is_ban() && self.is_canary(&record.subject) {
            return Trust::Observe;
        }
        self.trust_in(cluster, &record.origin, Some(&record.origin_name))
    }

    /// What the words of a node may do here.
    pub(super) fn trust_in(&self, cluster: usize, node: &NodeId, name: Option<&NodeName>) -> Trust {
        let Some(known) = self.clusters.get(cluster) else { return Trust::Observe };
        if self.quarantine.holds(node) {
            return Trust::Observe;
        }
        let rules = || self.rules_on(&known.name, node, name);
        let by_key = rules().filter(|rule| rule.is_sure()).find_map(|rule| rule.trust);
        let by_name = rules().filter(|rule| !rule.is_sure()).filter_map(|rule| rule.trust).min();
        let trust = by_key.unwrap_or(known.trust);
        // A name is what a node calls itself: it may cost trust, and never earns any.
        by_key.or_else(|| by_name.map(|lower| lower.min(trust))).unwrap_or(trust)
    }

    /// Who runs a node, in one word for all its nodes. `None`: it is its own owner. The one place that knows.
    pub(super) fn owner_of(&self, cluster: usize, node: &NodeId, name: Option<&NodeName>) -> Option<String> {
        let known = self.clusters.get(cluster)?;
        let rules = || self.rules_on(&known.name, node, name);
        let sure = rules().filter(|rule| rule.is_sure()).find_map(|rule| rule.owner.as_ref());
        let certified = || known.mesh.admission(*node).owner.map(|owner| owner.to_string());
        // What the operator says of a key, then what the authority has signed, then what goes by a name.
        sure.map(ToString::to_string).or_else(certified).or_else(|| {
            let named = rules().find_map(|rule| rule.owner.as_ref());
            named.map(ToString::to_string)
        })
    }

    /// Who stands behind a node, and who must agree with it.
    pub(super) fn backing_of(&self, cluster: usize, node: &NodeId, name: Option<&NodeName>) -> Backing {
        let quorum = self.clusters.get(cluster).map_or_else(Quorum::default, |known| known.quorum);
        Backing { owner: self.owner_of(cluster, node, name), quorum, hearsay: false }
    }

    /// Who stands behind a record.
    pub(super) fn backing_of_record(&self, cluster: usize, record: &Record) -> Backing {
        Backing { hearsay: is_hearsay(record), ..self.backing_of(cluster, &record.origin, Some(&record.origin_name)) }
    }

    pub(super) fn origin_in(&self, cluster: usize, node: NodeId) -> Option<Origin> {
        Some(Origin::Peer { cluster: self.clusters.get(cluster)?.name.clone(), node })
    }

    fn rules_on<'a>(
        &'a self,
        cluster: &'a ClusterName,
        node: &'a NodeId,
        name: Option<&'a NodeName>,
    ) -> impl Iterator<Item = &'a PeerRule> + 'a {
        self.rules.iter().filter(move |rule| rule.cluster.as_ref().is_none_or(|only| only == cluster)).filter(move |rule| {
            match &rule.node {
                PeerWord::Key(key) => key == node,
                PeerWord::Name(wanted) => Some(wanted) == name,
            }
        })
    }

    /// Is this an address that only a liar bans?
    pub(super) fn is_canary(&self, subject: &Subject) -> bool {
        self.canary_of(subject).is_some()
    }

    /// The canary net that `subject` lies in.
    pub(super) fn canary_of(&self, subject: &Subject) -> Option<ipnet::IpNet> {
        self.canaries.iter().find(|net| net.contains(&subject.net())).copied()
    }
}

/// Did its signer repeat what another cluster said? Nobody says `mesh` of what he saw himself.
pub(super) fn is_hearsay(record: &Record) -> bool {
    matches!(&record.said, Said::Ban { reasons, .. } if reasons.contains(Reasons::MESH))
}

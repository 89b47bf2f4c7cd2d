//! What was received, sent and refused, counted.

use alloc::vec::Vec;
use core::{fmt, net::SocketAddr};
use honeymesh_types::{MonoTime, NodeId, NodeName};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $word:literal),+ $(,)?) => {
        /// Why a datagram, or one record in it, was refused. Nothing of it was used.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refused { $($(#[$doc])* $variant),+ }

        impl Refused {
            /// Every reason, in the order in which they are checked.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// A short word for tables and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

reasons! {
    /// A request to join that names no token of ours, or does not open.
    Join "join",
    /// More requests to join than are looked at.
    JoinRate "join_rate",
    /// The datagram is too short or too long to be one.
    Length "length",
    /// The datagram is of a version this node does not speak.
    Version "version",
    /// The datagram belongs to another cluster.
    Cluster "cluster",
    /// Sealed with a key that is not in the ring: almost always a peer with a wrong key file.
    Key "key",
    /// It claims to come from this node itself.
    Own "own",
    /// It is for another node: its sender takes this address for that one's, or somebody plays it here.
    Elsewhere "elsewhere",
    /// It was received before, or is older than the replay window.
    Replayed "replayed",
    /// The seal does not open: damaged or forged.
    Forged "forged",
    /// A first datagram whose sender's clock is too far from ours, or which is older than one already seen.
    Clock "clock",
    /// The sender's whole identity does not fit the short one it seals under.
    Identity "identity",
    /// The peer sends more datagrams than its budget allows.
    PeerRate "peer_rate",
    /// The body is no message this node understands.
    Malformed "malformed",
    /// The sender has no valid certificate of the cluster's authority.
    Uncertified "uncertified",
    /// The authority has revoked the sender.
    Revoked "revoked",
    /// A certificate or revocation that the authority has not signed, or that cannot be read.
    DeedInvalid "deed_invalid",
    /// The register of admissions is full.
    DeedsFull "deeds_full",
    /// The member list is full.
    MembersFull "members_full",
    /// An answer that was not asked for, or no longer.
    Unasked "unasked",
    /// A record that cannot be read, or breaks a length limit.
    RecordMalformed "record_malformed",
    /// A record that was signed for another cluster.
    RecordCluster "record_cluster",
    /// A record about evidence that may be forged: it never crosses the mesh.
    RecordSpoofable "record_spoofable",
    /// A record about a prefix wider than /16 (IPv4) or /32 (IPv6).
    RecordTooWide "record_too_wide",
    /// A record that claims to live longer than the cap.
    RecordTtl "record_ttl",
    /// A record from more than a minute in the future.
    RecordFuture "record_future",
    /// A record that was over long ago.
    RecordOver "record_over",
    /// No certificate is known that covers the time at which its origin said it.
    RecordUncertified "record_uncertified",
    /// The authority has revoked its origin.
    RecordRevoked "record_revoked",
    /// The record's origin says more than its budget allows.
    OriginRate "origin_rate",
    /// The origin's signature does not fit the record.
    RecordSignature "record_signature",
    /// Older than everything a full set, or its origin's full share of it, keeps.
    Quota "quota",
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One counter per [`Refused`] reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; Refused::ALL.len()]);

impl Refusals {
    pub(crate) const fn count(&mut self, why: Refused) {
        self.0[why as usize] = self.0[why as usize].saturating_add(1);
    }

    /// How often for this reason.
    #[must_use]
    pub const fn of(&self, why: Refused) -> u64 {
        self.0[why as usize]
    }

    /// How often for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason that occurred, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Refused, u64)> + '_ {
        Refused::ALL.iter().copied().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// What happened in a mesh since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeshStats {
    /// Datagrams that arrived, refused ones included.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Datagrams handed out to be sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// What was refused, from known peers and strangers together.
    pub refused: Refusals,
    /// Records of other nodes that entered the set.
    pub records_new: u64,
    /// Records that left the set because a quota was full.
    pub records_evicted: u64,
    /// Records that were not pushed because too many waited; repair delivers them.
    pub pushes_dropped: u64,
    /// Datagrams of records that were sent again because no receipt came.
    pub pushes_again: u64,
    /// Datagrams of records to members that had been declared down a short while ago, the first time.
    pub pushes_to_gone: u64,
    /// Members that had been declared down a short while ago and are sent nothing any more, because others went after them.
    pub gone_dropped: u64,
    /// Probes of members that were sent again because no answer came.
    pub probes_again: u64,
    /// Sketches that were sent because digests differed.
    pub sketches: u64,
    /// Repairs that were started because digests differed.
    pub repairs: u64,
    /// Repairs that ended because the other side stopped answering.
    pub repairs_failed: u64,
    /// How signatures were checked.
    pub checks: CheckStats,
    /// What streams did.
    pub streams: crate::stream::StreamStats,
    /// Records in the set, unbans included.
    pub records: usize,
    /// Per peer, by identity.
    pub peers: Vec<PeerStats>,
}

/// How signatures of peers' records were checked since the start, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckStats {
    /// Records that wait for a check or are being checked, now.
    pub waiting: u64,
    /// Batches that were checked.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// The most in one batch.
    pub largest: u64,
    /// Batches in which one of several was bad, so that they were checked again in parts.
    pub split: u64,
    /// Batches that the mesh checked itself because too much waited.
    pub overflows: u64,
}

impl CheckStats {
    /// Those of two meshes together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            batches: self.batches + other.batches,
            records: self.records + other.records,
            largest: self.largest.max(other.largest),
            split: self.split + other.split,
            overflows: self.overflows + other.overflows,
        }
    }
}

/// What happened between this node and one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStats {
    /// Who; `None` until it has introduced itself.
    pub node: Option<NodeId>,
    /// What people call it, if it has introduced itself.
    pub name: Option<NodeName>,
    /// Where its last datagram came from.
    pub addr: SocketAddr,
    /// When its last datagram was accepted.
    pub heard: MonoTime,
    /// Datagrams that were accepted from it.
    pub received: u64,
    /// Datagrams that were sent to it.
    pub sent: u64,
    /// New records it delivered, its own or others'.
    pub records_new: u64,
    /// What was refused of what it sent.
    pub refused: Refusals,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_one_by_one() {
        let mut refusals = Refusals::default();
        refusals.count(Refused::Length);
        refusals.count(Refused::Quota);
        refusals.count(Refused::Quota);
        assert_eq!((refusals.of(Refused::Quota), refusals.total()), (2, 3));
        assert_eq!(refusals.iter().collect::<Vec<_>>(), [(Refused::Length, 1), (Refused::Quota, 2)]);
    }
}

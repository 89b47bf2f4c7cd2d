//! The bytes of a deed: `version(1) | body (postcard) | extension (ignored) | Ed25519 signature of the authority(64)`.
//!
//! The signature covers a domain label and everything before itself.

use crate::cluster::ClusterTag;
use alloc::{sync::Arc, vec::Vec};
use core::{fmt, time::Duration};
use ed25519_dalek::{SIGNATURE_LENGTH, Signature, Signer, SigningKey, VerifyingKey};
use honeymesh_types::{NodeId, NodeName, WallTime};
use serde::{Deserialize, Serialize};

/// The only version there is.
const VERSION: u8 = 1;
/// Signed in front of every deed, so that no signature made for another purpose can be one.
const DOMAIN: &[u8] = b"honeymesh admission deed v1\0";
/// The longest deed, in bytes: two names of 63 bytes, and room for later fields.
pub(crate) const DEED_BYTES_MAX: usize = 400;

/// What the authority says about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deeds {
    /// It is a member.
    Certificate {
        /// What people call it.
        name: NodeName,
        /// Who runs it.
        owner: NodeName,
        /// From then on.
        from: WallTime,
        /// Until then.
        until: WallTime,
    },
    /// It is none any more, whatever certificate it has.
    Revoked {
        /// Since then; the latest word counts.
        at: WallTime,
    },
    /// Its revocation is over: its certificate counts again.
    Restored {
        /// Since then; the latest word counts.
        at: WallTime,
    },
}

/// What the authority of a cluster has signed about one node. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Deed {
    /// About whom.
    pub node: NodeId,
    /// What.
    pub said: Deeds,
    /// Its bytes as signed and received: what is stored and handed on.
    pub raw: Arc<[u8]>,
}

/// Why a deed is none, or could not be made. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeedError {
    /// It cannot be read, is too long, or ends before it begins.
    #[error("the certificate or revocation cannot be read")]
    Malformed,
    /// It was signed for another cluster.
    #[error("the certificate or revocation belongs to another cluster")]
    Cluster,
    /// The authority has not signed it.
    #[error("the cluster's authority has not signed this certificate or revocation")]
    Signature,
    /// This node does not hold the authority's secret.
    #[error("this node does not hold the secret of the cluster's authority; do it where [[cluster]] authority_file is set")]
    NoSecret,
    /// The register is full.
    #[error("the register of admissions is full (4096 nodes, 4096 of them revoked); move to a new authority")]
    Full,
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    cluster: [u8; 8],
    node: [u8; 32],
    #[serde(borrow)]
    said: Words<'a>,
}

#[derive(Serialize, Deserialize)]
enum Words<'a> {
    Certificate { name: &'a str, owner: &'a str, from_ms: u64, until_ms: u64 },
    Revoked { at_ms: u64 },
    Restored { at_ms: u64 },
}

impl Deed {
    /// Signs a deed.
    pub(crate) fn sign(node: NodeId, said: Deeds, cluster: ClusterTag, authority: &SigningKey) -> Result<Self, DeedError> {
        let words = match &said {
            Deeds::Certificate { name, owner, from, until } => Words::Certificate {
                name: name.as_str(),
                owner: owner.as_str(),
                from_ms: from.as_millis(),
                until_ms: until.as_millis(),
            },
            Deeds::Revoked { at } => Words::Revoked { at_ms: at.as_millis() },
            Deeds::Restored { at } => Words::Restored { at_ms: at.as_millis() },
        };
        let body = Body { cluster: cluster.0, node: node.0, said: words };
        let mut raw = postcard::to_extend(&body, Vec::from([VERSION])).map_err(|_| DeedError::Malformed)?;
        let signature = authority.sign(&[DOMAIN, &raw].concat());
        raw.extend_from_slice(&signature.to_bytes());
        Self::read(&raw, cluster)
    }

    /// Reads a deed without believing it: everything but its signature is checked.
    pub(crate) fn read(raw: &[u8], cluster: ClusterTag) -> Result<Self, DeedError> {
        if raw.len() > DEED_BYTES_MAX || raw.first() != Some(&VERSION) {
            return Err(DeedError::Malformed);
        }
        let (unsigned, _) = raw.split_last_chunk::<SIGNATURE_LENGTH>().ok_or(DeedError::Malformed)?;
        let body = unsigned.get(1..).ok_or(DeedError::Malformed)?;
        let (body, _extension) = postcard::take_from_bytes::<Body<'_>>(body).map_err(|_| DeedError::Malformed)?;
        if body.cluster != cluster.0 {
            return Err(DeedError::Cluster);
        }
        let said = match body.said {
            Words::Certificate { name, owner, from_ms, until_ms } if from_ms < until_ms => Deeds::Certificate {
                name: name.parse().map_err(|_| DeedError::Malformed)?,
                owner: owner.parse().map_err(|_| DeedError::Malformed)?,
                from: WallTime::from_millis(from_ms),
                until: WallTime::from_millis(until_ms),
            },
            Words::Certificate { .. } => return Err(DeedError::Malformed),
            Words::Revoked { at_ms } => Deeds::Revoked { at: WallTime::from_millis(at_ms) },
            Words::Restored { at_ms } => Deeds::Restored { at: WallTime::from_millis(at_ms) },
        };
        Ok(Self { node: NodeId(body.node), said, raw: raw.into() })
    }

    /// Has the authority signed it? Expensive (about 0.1 ms), so it comes last.
    pub(crate) fn verify(&self, authority: &NodeId) -> Result<(), DeedError> {
        let (unsigned, signature) = self.raw.split_last_chunk::<SIGNATURE_LENGTH>().ok_or(DeedError::Malformed)?;
        let key = VerifyingKey::from_bytes(&authority.0).map_err(|_| DeedError::Signature)?;
        let signature = Signature::from_bytes(signature);
        key.verify_strict(&[DOMAIN, unsigned].concat(), &signature).map_err(|_| DeedError::Signature)
    }

    /// Is it a certificate (and not a word about one)?
    #[must_use]
    pub const fn is_certificate(&self) -> bool {
        matches!(self.said, Deeds::Certificate { .. })
    }

    /// Which of two of a kind about one node counts: the greater.
    pub(crate) fn rank(&self) -> (WallTime, [u8; 32]) {
        let (Deeds::Certificate { until: at, .. } | Deeds::Revoked { at } | Deeds::Restored { at }) = self.said;
        (at, *blake3::hash(&self.raw).as_bytes())
    }

    /// A certificate's name, owner and end.
    pub(crate) const fn certificate(&self) -> Option<(&NodeName, &NodeName, WallTime)> {
        match &self.said {
            Deeds::Certificate { name, owner, until, .. } => Some((name, owner, *until)),
            Deeds::Revoked { .. } | Deeds::Restored { .. } => None,
        }
    }

    /// When a certificate begins.
    pub(crate) const fn from(&self) -> Option<WallTime> {
        match &self.said {
            Deeds::Certificate { from, .. } => Some(*from),
            Deeds::Revoked { .. } | Deeds::Restored { .. } => None,
        }
    }

    /// Is it a certificate that is valid at `at`, give or take `skew`?
    pub(crate) fn covers(&self, at: WallTime, skew: Duration) -> bool {
        matches!(self.said, Deeds::Certificate { from, until, .. } if from <= at.plus(skew) && at <= until.plus(skew))
    }
}

impl fmt::Debug for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deed").field("node", &self.node).field("said", &self.said).finish_non_exhaustive()
    }
}

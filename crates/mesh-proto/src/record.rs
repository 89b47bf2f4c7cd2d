//! Records: what a node says about a subject, signed so that nobody else can have said it.

pub(crate) mod signature;
mod touch;
pub(crate) mod wire;

use crate::{
    Hlc, Refused,
    limits::{GRACE, TTL_MAX},
};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::{fmt, time::Duration};
use honeymesh_types::{Grade, NodeId, NodeName, Reasons, Scope, Subject, WallTime};

pub use touch::Touch;

/// A record's identity: the BLAKE3 hash of its bytes, signature included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub [u8; 32]);

impl RecordId {
    /// The identity of these bytes.
    pub(crate) fn of(raw: &[u8]) -> Self {
        Self(*blake3::hash(raw).as_bytes())
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&NodeId(self.0), f)
    }
}

/// What this node wants to say; the mesh adds who and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// About whom.
    pub subject: Subject,
    /// What.
    pub said: Said,
}

/// What is said about a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Ban it.
    Ban {
        /// Why.
        reasons: Reasons,
        /// How sure; never `spoofable`.
        grade: Grade,
        /// Which packets.
        scope: Scope,
        /// For how long from when it was said, in whole milliseconds; at least one, at most [`TTL_MAX`].
        ttl: Duration,
        /// How hostile it looks: 0 to 100.
        score: u8,
        /// The operator's words; at most [`crate::limits::NOTE_BYTES_MAX`] bytes.
        note: Option<String>,
    },
    /// Lifts every ban of exactly this subject, by any origin, that was said up to the end of the same millisecond. Who
    /// has heard of it says nothing in that millisecond any more.
    Unban,
    /// These sources have finished handshakes with dark ports of this node: too few for a ban, perhaps each a mistake. The record's
    /// subject is the first of them. Says nothing against anybody by itself.
    Touches {
        /// Which page of its origin: a later word about the same one replaces it.
        page: u64,
        /// How long from when it was said they count, in whole milliseconds; at least one, at most [`TTL_MAX`].
        ttl: Duration,
        /// The touches, IPv4 first; one at least, [`crate::limits::TOUCH_PAGE_BYTES_MAX`] at most.
        touches: Vec<Touch>,
    },
}

impl Said {
    /// What it is, in one word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ban { .. } => "ban",
            Self::Unban => "unban",
            Self::Touches { .. } => "touches",
        }
    }
}

/// A statement with who said it and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// About whom.
    pub subject: Subject,
    /// Who says it.
    pub origin: NodeId,
    /// What the origin calls itself: a claim, not an identity.
    pub origin_name: NodeName,
    /// When it was said.
    pub at: Hlc,
    /// What is said.
    pub said: Said,
    /// How long after its end a ban keeps its slot: until the bans of the same origin that it replaced would have
    /// ended too, so that none of them comes back. Zero for an unban.
    pub(crate) linger: Duration,
}

impl Record {
    /// When what it says ends: a ban's end, or the time until which an unban is remembered.
    #[must_use]
    pub fn until(&self) -> WallTime {
        match &self.said {
            Said::Ban { ttl, .. } | Said::Touches { ttl, .. } => self.at.wall().plus(*ttl),
            Said::Unban => self.leaves(),
        }
    }

    /// Is it over at `now`?
    #[must_use]
    pub fn is_over(&self, now: WallTime) -> bool {
        self.until() <= now
    }

    /// Is it a ban?
    #[must_use]
    pub const fn is_ban(&self) -> bool {
        matches!(self.said, Said::Ban { .. })
    }

    /// Does it lift bans?
    #[must_use]
    pub const fn is_unban(&self) -> bool {
        matches!(self.said, Said::Unban)
    }

    /// When it leaves the set: for a ban, its end and what it lingers; an unban outlives every ban it can lift,
    /// and the grace in which those are still handed around.
    pub(crate) fn leaves(&self) -> WallTime {
        match &self.said {
            Said::Ban { ttl, .. } => self.at.wall().plus(*ttl).plus(self.linger),
            Said::Touches { ttl, .. } => self.at.wall().plus(*ttl),
            Said::Unban => self.at.wall().plus(TTL_MAX).plus(GRACE).plus(GRACE),
        }
    }
}

/// A record and the very bytes it was signed and received in. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub record: Arc<Record>,
    /// Its bytes as received, signature included: what is stored and handed on, never re-encoded.
    pub raw: Arc<[u8]>,
    id: RecordId,
}

impl Signed {
    pub(crate) fn new(record: Record, raw: Arc<[u8]>, id: RecordId) -> Self {
        Self { record: Arc::new(record), raw, id }
    }

    /// Its identity.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        self.id
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("record", &self.record).field("raw_bytes", &self.raw.len()).finish()
    }
}

/// Why a record is not accepted. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read, or breaks a length limit.
    #[error("the record cannot be read")]
    Malformed,
    /// It was signed for another cluster.
    #[error("the record belongs to another cluster")]
    Cluster,
    /// Its evidence may be forged.
    #[error("evidence that may be forged (grade spoofable) never crosses the mesh")]
    Spoofable,
    /// Its prefix is too wide.
    #[error("a prefix wider than /16 (IPv4) or /32 (IPv6) never crosses the mesh")]
    TooWide,
    /// It claims to live longer than the cap, or not at all.
    #[error("the record's lifetime is not between one millisecond and seven days")]
    Ttl,
    /// It is from the future.
    #[error("the record is dated more than a minute ahead of this node's clock")]
    Future,
    /// It was over long ago.
    #[error("the record is over")]
    Over,
    /// No certificate covers it.
    #[error("no certificate is known that covers the time at which its origin said it")]
    Uncertified,
    /// Its origin is revoked.
    #[error("the cluster's authority has revoked its origin")]
    Revoked,
    /// The signature does not fit.
    #[error("the origin's signature does not fit the record")]
    Signature,
    /// A newer record of the same slot, or an unban, is in the set already.
    #[error("something newer was said already")]
    Superseded,
    /// It is older than everything a full set, or its origin's full share of it, keeps.
    #[error("the set is full of newer records")]
    Quota,
}

impl RecordError {
    /// Under which reason a peer's record is counted; `None` if it is merely old news.
    pub(crate) const fn refused(self) -> Option<Refused> {
        match self {
            Self::Malformed => Some(Refused::RecordMalformed),
            Self::Cluster => Some(Refused::RecordCluster),
            Self::Spoofable => Some(Refused::RecordSpoofable),
            Self::TooWide => Some(Refused::RecordTooWide),
            Self::Ttl => Some(Refused::RecordTtl),
            Self::Future => Some(Refused::RecordFuture),
            Self::Over => Some(Refused::RecordOver),
            Self::Uncertified => Some(Refused::RecordUncertified),
            Self::Revoked => Some(Refused::RecordRevoked),
            Self::Signature => Some(Refused::RecordSignature),
            Self::Quota => Some(Refused::Quota),
            Self::Superseded => None,
        }
    }
}

//! Admission: whom the cluster's authority has let in, and whom it has turned away.
//!
//! A cluster may have an authority: an Ed25519 key whose public half every member knows. What it signs about nodes are
//! [`Deed`]s: a certificate lets a node in for a time, a revocation turns it away until a restoration. All of them together are
//! a small set of their own, in which per node and kind the last one counts: they are pushed when they are new, and walked
//! through when a digest shows that two nodes know different ones.
//!
//! Whether a record is acceptable is a function of the record and of those deeds, never of the time at which it arrives: its
//! origin must have had a certificate *when it was said*, and must not be revoked. So nodes that know the same deeds keep the
//! same records.

mod deed;
pub(crate) mod join;
mod register;
pub(crate) mod token;

use crate::{
    RecordError, Refused, bucket::Bucket, cluster::ClusterTag, config::Admission as Config, limits::CLOCK_SKEW_MAX,
    peers::ShortId,
};
use alloc::vec::Vec;
use core::time::Duration;
use ed25519_dalek::SigningKey;
use honeymesh_types::{MonoTime, NodeId, NodeName, Now, WallTime};

pub use deed::{Deed, DeedError, Deeds};
pub use join::{Granted, JoinRefused, Joining};
pub(crate) use register::{Entered, Register};
pub use register::{REGISTER_NODES_MAX, REVOKED_MAX};
pub use token::{JoinToken, TOKEN_LIFE_MAX_SECS, TOKENS_MAX, TokenError};

/// How long a certificate is valid that the authority makes.
pub const CERTIFICATE_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// A certificate that ends sooner than this is renewed by whoever holds the authority's secret, while its node is a member.
pub const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often the holder of the secret looks for certificates to renew.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Certificates that are renewed at once; the rest waits for the next look.
pub(crate) const RENEWALS_MAX: usize = 16;
/// Questions about deeds a second, ...
const ASKS_PER_SECOND: u32 = 4;
/// ... and at once.
const ASKS_BURST: u32 = 16;

/// The public half of an Ed25519 secret.
#[must_use]
pub fn public_key(secret: &[u8; 32]) -> NodeId {
    NodeId(SigningKey::from_bytes(secret).verifying_key().to_bytes())
}

/// How a node stands with the authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The cluster has no authority: whoever holds its key is a member.
    Open,
    /// It has a certificate that is valid now.
    Certified,
    /// Its certificate is over, or not valid yet.
    Expired,
    /// No certificate of it is known.
    Uncertified,
    /// The authority has revoked it.
    Revoked,
}

/// What is known of one node's admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Who.
    pub node: NodeId,
    /// How it stands now.
    pub standing: Standing,
    /// What its certificate calls it.
    pub name: Option<NodeName>,
    /// Who runs it, as its certificate says: nodes of one owner have one voice where distinct owners are asked for.
    pub owner: Option<NodeName>,
    /// When its certificate ends.
    pub until: Option<WallTime>,
}

/// Admission in one cluster.
pub(crate) struct Admission {
    cluster: ClusterTag,
    authority: Option<NodeId>,
    secret: Option<SigningKey>,
    owner: NodeName,
    pub(crate) register: Register,
    asks: Bucket,
    renew_at: MonoTime,
}

impl Admission {
    pub(crate) fn new(cluster: ClusterTag, config: &Config, name: &NodeName, now: MonoTime) -> Self {
        let secret = config.secret.as_ref().map(|secret| SigningKey::from_bytes(secret));
        Self {
            cluster,
            authority: config.authority,
            // A secret that is not the authority's admits nobody.
            secret: secret.filter(|secret| Some(NodeId(secret.verifying_key().to_bytes())) == config.authority),
            owner: config.owner.clone().unwrap_or_else(|| name.clone()),
            register: Register::default(),
            asks: Bucket::full(ASKS_BURST, now),
            renew_at: now,
        }
    }

    pub(crate) const fn authority(&self) -> Option<NodeId> {
        self.authority
    }

    pub(crate) const fn holds_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// How this node stands at `now`.
    pub(crate) fn standing(&self, node: &[u8; 32], now: WallTime) -> Standing {
        if self.authority.is_none() {
            return Standing::Open;
        }
        if self.register.is_revoked(node) {
            return Standing::Revoked;
        }
        match self.register.certificate(node) {
            None => Standing::Uncertified,
            Some(certificate) if certificate.covers(now, CLOCK_SKEW_MAX) => Standing::Certified,
            Some(_) => Standing::Expired,
        }
    }

    /// May this node be a member now?
    pub(crate) fn admits(&self, node: &[u8; 32], now: WallTime) -> bool {
        matches!(self.standing(node, now), Standing::Open | Standing::Certified)
    }

    /// May whoever seals under this short identity speak of more than itself?
    pub(crate) fn check_sender(&self, sender: ShortId, now: WallTime) -> Result<(), Refused> {
        if self.authority.is_none() {
            return Ok(());
        }
        let mut why = Refused::Uncertified;
        for node in self.register.nodes_of(sender) {
            match self.standing(&node, now) {
                Standing::Open | Standing::Certified => return Ok(()),
                Standing::Revoked => why = Refused::Revoked,
                Standing::Expired | Standing::Uncertified => {}
            }
        }
        Err(why)
    }

    /// May this origin have said something at `at`?
    pub(crate) fn check_record(&self, origin: &NodeId, at: WallTime) -> Result<(), RecordError> {
        if self.authority.is_none() {
            return Ok(());
        }
        if self.register.is_revoked(&origin.0) {
            return Err(RecordError::Revoked);
        }
        let certificate = self.register.certificate(&origin.0);
        let is_covered = certificate.is_some_and(|certificate| certificate.covers(at, Duration::ZERO));
        if is_covered { Ok(()) } else { Err(RecordError::Uncertified) }
    }

    /// Reads a deed and takes it into the register if it is news.
    pub(crate) fn take(&mut self, raw: &[u8], now: WallTime) -> Result<Option<Deed>, Refused> {
        let Some(authority) = self.authority else { return Err(Refused::DeedInvalid) };
        if self.register.contains(raw) {
            return Ok(None);
        }
        let deed = Deed::read(raw, self.cluster).map_err(|_| Refused::DeedInvalid)?;
        if !self.register.is_news(&deed) {
            return Ok(None);
        }
        deed.verify(&authority).map_err(|_| Refused::DeedInvalid)?;
        self.enter(deed, now)
    }

    fn enter(&mut self, deed: Deed, now: WallTime) -> Result<Option<Deed>, Refused> {
        match self.register.enter(deed.clone(), now) {
            Entered::New => Ok(Some(deed)),
            Entered::Old => Ok(None),
            Entered::Full => Err(Refused::DeedsFull),
        }
    }

    /// Signs and enters a certificate of a node, valid from `from` (or as long as its present one) for [`CERTIFICATE_LIFE`].
    pub(crate) fn certify(&mut self, node: NodeId, name: &NodeName, owner: &NodeName, now: WallTime) -> Result<Deed, DeedError> {
        let secret = self.secret.as_ref().ok_or(DeedError::NoSecret)?;
        let fresh = now.minus(CLOCK_SKEW_MAX);
        let from = self.register.certificate(&node.0).and_then(Deed::from).map_or(fresh, |from| from.min(fresh));
        let said = Deeds::Certificate { name: name.clone(), owner: owner.clone(), from, until: now.plus(CERTIFICATE_LIFE) };
        let deed = Deed::sign(node, said, self.cluster, secret)?;
        self.entered(deed, now)
    }

    /// Signs and enters a revocation, or the end of one.
    pub(crate) fn judge(&mut self, node: NodeId, revoked: bool, now: WallTime) -> Result<Deed, DeedError> {
        let secret = self.secret.as_ref().ok_or(DeedError::NoSecret)?;
        let after = self.register.judged_at(&node.0).map_or(WallTime(0), |at| at.plus(Duration::from_millis(1)));
        let at = now.max(after);
        let said = if revoked { Deeds::Revoked { at } } else { Deeds::Restored { at } };
        let deed = Deed::sign(node, said, self.cluster, secret)?;
        self.entered(deed, now)
    }

    fn entered(&mut self, deed: Deed, now: WallTime) -> Result<Deed, DeedError> {
        match self.register.enter(deed.clone(), now) {
            Entered::New | Entered::Old => Ok(deed),
            Entered::Full => Err(DeedError::Full),
        }
    }

    /// The owner that this node's own certificate is to name.
    pub(crate) const fn owner(&self) -> &NodeName {
        &self.owner
    }

    /// May one more question be asked?
    pub(crate) fn may_ask(&mut self, now: Now) -> bool {
        self.authority.is_some() && self.asks.take(ASKS_PER_SECOND, ASKS_BURST, now.mono)
    }

    /// When certificates are to be looked at for renewal.
    pub(crate) const fn wake_at(&self) -> MonoTime {
        if self.secret.is_some() { self.renew_at } else { MonoTime::MAX }
    }

    /// Which of these nodes need a new certificate now; empty if it is not time to look.
    pub(crate) fn due(&mut self, members: impl Iterator<Item = NodeId>, now: Now) -> Vec<(NodeId, NodeName, NodeName)> {
        if self.secret.is_none() || self.renew_at > now.mono {
            return Vec::new();
        }
        self.renew_at = now.mono.plus(RENEW_EVERY);
        let ends_soon = |node: NodeId| {
            let (name, owner, until) = self.register.certificate(&node.0)?.certificate()?;
            let soon = until <= now.wall.plus(RENEW_BEFORE) && self.standing(&node.0, now.wall) == Standing::Certified;
            soon.then(|| (node, name.clone(), owner.clone()))
        };
        members.filter_map(ends_soon).take(RENEWALS_MAX).collect()
    }

    /// Everything about one node.
    pub(crate) fn of(&self, node: NodeId, now: WallTime) -> Admitted {
        let certificate = self.register.certificate(&node.0).and_then(Deed::certificate);
        Admitted {
            node,
            standing: self.standing(&node.0, now),
            name: certificate.map(|(name, ..)| name.clone()),
            owner: certificate.map(|(_, owner, _)| owner.clone()),
            until: certificate.map(|(.., until)| until),
        }
    }

    /// Everybody whom the authority has said anything about, by identity.
    pub(crate) fn all(&self, now: WallTime) -> Vec<Admitted> {
        self.register.nodes().map(|node| self.of(NodeId(*node), now)).collect()
    }
}

#[cfg(test)]
mod tests;

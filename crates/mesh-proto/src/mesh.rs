//! The mesh of one cluster: everything that arrives, leaves or falls due goes through here.

use crate::{Config, Effect, Key, KeyRingError, Member, MeshStats, RecordError, Signed, Statement};
use alloc::vec::Vec;
use core::net::SocketAddr;
use honeymesh_types::{MonoTime, NodeId, Now, Subject};

/// The mesh of one cluster. See the crate's description.
pub struct Mesh {
    config: Config,
}

impl Mesh {
    /// A mesh that knows nobody yet; call [`Mesh::wake`] at once to knock at the configured peers.
    #[must_use]
    pub fn new(config: Config, _now: Now) -> Self {
        Self { config }
    }

    /// Takes a datagram. Anything may be in it; what is refused is counted and changes nothing else.
    pub fn datagram(&mut self, _from: SocketAddr, _bytes: &[u8], _now: Now, _out: &mut Vec<Effect>) {}

    /// Does everything that has fallen due.
    pub fn wake(&mut self, _now: Now, _out: &mut Vec<Effect>) {}

    /// When [`Mesh::wake`] must be called next. Later is harmless, earlier does nothing.
    #[must_use]
    pub fn wake_at(&self) -> MonoTime {
        MonoTime::MAX
    }

    /// Says something: signs it, puts it into this node's own slot and pushes it at once.
    ///
    /// # Errors
    /// [`RecordError::Spoofable`], [`RecordError::TooWide`], [`RecordError::Ttl`] (zero); nothing was changed. A
    /// longer lifetime than [`crate::limits::TTL_MAX`] and a longer note are cut instead: a ban that must hold
    /// longer is said again before it ends.
    pub fn publish(&mut self, _statement: Statement, _now: Now, _out: &mut Vec<Effect>) -> Result<Signed, RecordError> {
        Err(RecordError::Malformed)
    }

    /// Puts a stored record back at start-up, checked like one from a peer but not pushed.
    ///
    /// # Errors
    /// Whatever a peer's record would be refused for, and [`RecordError::Superseded`]; the store may forget it.
    pub fn restore(&mut self, _raw: &[u8], _now: Now) -> Result<Signed, RecordError> {
        Err(RecordError::Malformed)
    }

    /// Takes note of members known from before (the store, or a simulation that starts in the middle).
    pub fn introduce(&mut self, _members: &[Member], _now: Now, _out: &mut Vec<Effect>) {}

    /// Adds a key that opens, but does not seal yet.
    ///
    /// # Errors
    /// The ring is full; nothing was changed.
    pub fn add_key(&mut self, key: Key) -> Result<(), KeyRingError> {
        self.config.keys.add(key)
    }

    /// Makes a key of the ring the one that seals.
    ///
    /// # Errors
    /// The key was not added before; nothing was changed.
    pub fn use_key(&mut self, key: &Key) -> Result<(), KeyRingError> {
        self.config.keys.promote(key)
    }

    /// Forgets a key: what is sealed with it does not open any more.
    ///
    /// # Errors
    /// It is the one that seals, or unknown; nothing was changed.
    pub fn retire_key(&mut self, key: &Key) -> Result<(), KeyRingError> {
        self.config.keys.retire(key)
    }

    /// The other nodes, dead ones included, by identity.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        Vec::new()
    }

    /// What is said about exactly this subject and is not over: bans by origin, then unbans.
    #[must_use]
    pub fn records(&self, _subject: &Subject) -> Vec<Signed> {
        Vec::new()
    }

    /// Records in the set, unbans included.
    #[must_use]
    pub fn len(&self) -> usize {
        0
    }

    /// Is the set empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A fingerprint of the whole set: equal sets of one cluster have equal fingerprints.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        0
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> MeshStats {
        MeshStats::default()
    }

    /// Who this node is: its public key.
    #[must_use]
    pub fn identity(&self) -> NodeId {
        NodeId(ed25519_dalek::SigningKey::from_bytes(&self.config.identity).verifying_key().to_bytes())
    }
}

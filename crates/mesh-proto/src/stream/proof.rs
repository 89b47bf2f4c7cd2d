//! The proof that an end of a stream holds a key of the cluster: the first frame each way.
//!
//! `kind(1) = 0 | version(1) | key id(4) | tag(32)`. The tag is BLAKE3 keyed with a key made of the cluster key, over the
//! cluster, who proves, both identities and the session's binding: it fits one end of one session and nothing else, so that
//! nobody in between can pass it on, and it tells nothing about the key.

use super::{Role, STREAM_PROOF_BYTES};
use crate::{Key, KeyRing, cluster::ClusterTag, envelope::KeyId};
use alloc::vec::Vec;
use honeymesh_types::NodeId;

/// What kind of frame a proof is.
const KIND: u8 = 0;
/// The only version there is.
const VERSION: u8 = 1;
/// Separates this use of the cluster key from all others.
const CONTEXT: &str = "honeymesh 2026 mesh stream proof v1";

/// One session of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) cluster: ClusterTag,
    pub(crate) dialer: NodeId,
    pub(crate) listener: NodeId,
    pub(crate) binding: [u8; 32],
}

impl Session {
    fn tag(&self, key: &Key, role: Role) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&blake3::derive_key(CONTEXT, key.bytes()));
        hasher.update(&self.cluster.0).update(&[u8::from(role == Role::Listener)]);
        hasher.update(&self.dialer.0).update(&self.listener.0).update(&self.binding).finalize()
    }

    /// The proof of the end in this role, with the key that seals.
    pub(crate) fn prove(&self, ring: &KeyRing, role: Role) -> Option<Vec<u8>> {
        let key = ring.keys().first()?;
        let head = [KIND, VERSION];
        Some([&head[..], &KeyId::of(key).0, self.tag(key, role).as_bytes()].concat())
    }

    /// Is this the proof of the end in this role, with any key of the ring? Takes the same time whichever byte is wrong.
    pub(crate) fn is_proven(&self, ring: &KeyRing, role: Role, frame: &[u8]) -> bool {
        let Some(([kind, version, id @ ..], tag)) = frame.split_first_chunk::<6>() else { return false };
        let key = ring.keys().iter().find(|key| KeyId::of(key).0 == *id);
        let is_ours = frame.len() == STREAM_PROOF_BYTES && (*kind, *version) == (KIND, VERSION);
        is_ours && key.is_some_and(|key| self.tag(key, role) == *tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tag;

    fn session() -> Session {
        Session { cluster: tag(), dialer: NodeId([1; 32]), listener: NodeId([2; 32]), binding: [3; 32] }
    }

    fn ring(fill: u8) -> KeyRing {
        KeyRing::new(Key::from_bytes([fill; 32]))
    }

    #[test]
    fn a_proof_fits_one_end_of_one_session_and_nothing_else() {
        let proof = session().prove(&ring(1), Role::Dialer).unwrap();
        assert!(session().is_proven(&ring(1), Role::Dialer, &proof));
        assert!(!session().is_proven(&ring(1), Role::Listener, &proof), "handed back");
        assert!(!session().is_proven(&ring(2), Role::Dialer, &proof), "another key");
        let others = [
            Session { cluster: ClusterTag([9; 8]), ..session() },
            Session { dialer: NodeId([9; 32]), ..session() },
            Session { listener: NodeId([9; 32]), ..session() },
            Session { binding: [9; 32], ..session() },
        ];
        assert!(others.iter().all(|other| !other.is_proven(&ring(1), Role::Dialer, &proof)), "handed on");
        for byte in 0..proof.len() {
            let mut damaged = proof.clone();
            damaged[byte] ^= 1;
            assert!(!session().is_proven(&ring(1), Role::Dialer, &damaged), "byte {byte}");
        }
        assert!(!session().is_proven(&ring(1), Role::Dialer, &[&proof[..], &[0]].concat()));
        assert!(!session().is_proven(&ring(1), Role::Dialer, &[]));
    }

    #[test]
    fn while_keys_change_either_one_proves() {
        let mut both = ring(1);
        both.add(Key::from_bytes([2; 32])).unwrap();
        let old = session().prove(&both, Role::Listener).unwrap();
        both.promote(&Key::from_bytes([2; 32])).unwrap();
        let new = session().prove(&both, Role::Listener).unwrap();
        assert_ne!(old, new);
        assert!(session().is_proven(&both, Role::Listener, &old) && session().is_proven(&both, Role::Listener, &new));
    }

    #[test]
    fn the_bytes_are_fixed() {
        let proof = session().prove(&ring(1), Role::Dialer).unwrap();
        assert_eq!(proof.len(), STREAM_PROOF_BYTES);
        let hex: alloc::string::String = proof.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
        assert_eq!(hex, "00011a316d204fe508b88f3c4e11a1350239286928a71b70fb6fa60d76eb941a65dfacef7bc1");
    }
}

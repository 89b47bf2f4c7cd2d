//! The keys by which a host is known: made from the trap's secret, so that they are the same after each start.

use super::wire::put_string;
use alloc::vec::Vec;
use core::fmt;
use ed25519_dalek::{Signer, SigningKey};
use p256::ecdsa;
use sha2::{Digest, Sha256};

/// How the host proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostKeyKind {
    Ecdsa,
    Ed25519,
}

impl HostKeyKind {
    /// In the order in which a server tells its keys.
    pub(super) const ALL: [Self; 2] = [Self::Ecdsa, Self::Ed25519];

    /// By its name in the offer.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa-sha2-nistp256",
            Self::Ed25519 => "ssh-ed25519",
        }
    }
}

/// The host's keys.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct HostKeys {
    ecdsa: ecdsa::SigningKey,
    ed25519: SigningKey,
}

impl HostKeys {
    /// The keys that belong to this secret.
    pub(super) fn of(secret: &[u8; 32]) -> Self {
        let mut number = derived(secret, "ecdsa");
        // Odd and below 2^255, and so a number that the curve takes for a key.
        number[0] &= 0x7f;
        number[31] |= 1;
        #[expect(clippy::expect_used, reason = "neither zero nor as large as the curve's order")]
        let ecdsa = ecdsa::SigningKey::from_slice(&number).expect("a key");
        Self { ecdsa, ed25519: SigningKey::from_bytes(&derived(secret, "ed25519")) }
    }

    /// The public key as it is told (RFC 4253, 5656 and 8709).
    pub(super) fn public(&self, kind: HostKeyKind) -> Vec<u8> {
        let mut blob = Vec::new();
        put_string(&mut blob, kind.name().as_bytes());
        match kind {
            HostKeyKind::Ecdsa => {
                put_string(&mut blob, b"nistp256");
                put_string(&mut blob, self.ecdsa.verifying_key().to_sec1_point(false).as_bytes());
            }
            HostKeyKind::Ed25519 => put_string(&mut blob, self.ed25519.verifying_key().as_bytes()),
        }
        blob
    }

    /// A signature of `message`, as it is told.
    pub(super) fn sign(&self, kind: HostKeyKind, message: &[u8]) -> Vec<u8> {
        let mut blob = Vec::new();
        put_string(&mut blob, kind.name().as_bytes());
        match kind {
            HostKeyKind::Ecdsa => {
                let signature: ecdsa::Signature = self.ecdsa.sign(message);
                let (r, s) = signature.split_bytes();
                let mut numbers = Vec::new();
                super::wire::put_mpint(&mut numbers, &r);
                super::wire::put_mpint(&mut numbers, &s);
                put_string(&mut blob, &numbers);
            }
            HostKeyKind::Ed25519 => put_string(&mut blob, &self.ed25519.sign(message).to_bytes()),
        }
        blob
    }
}

fn derived(secret: &[u8; 32], name: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"honeymesh ssh host key: ").chain_update(name).chain_update(secret).finalize().into()
}

impl fmt::Debug for HostKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostKeys")
    }
}

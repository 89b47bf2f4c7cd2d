//! The keys by which a host is known: made from the trap's secret, so that they are the same after each start.

use super::{RsaHash, RsaHostKey, SshCurves, curves::Curves, wire::put_string};
use alloc::{sync::Arc, vec::Vec};
use core::fmt;
use ed25519_dalek::{Signer, SigningKey};
use p256::ecdsa;
use sha2::{Digest, Sha256};

/// Debian 13's offer, and what it is without an RSA key.
const WITH_RSA: &str = "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519";
const WITHOUT_RSA: &str = "ecdsa-sha2-nistp256,ssh-ed25519";

/// How the host proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostKeyKind {
    Rsa(RsaHash),
    Ecdsa,
    Ed25519,
}

impl HostKeyKind {
    /// In the order of the offer.
    const ALL: [Self; 4] = [Self::Rsa(RsaHash::Sha512), Self::Rsa(RsaHash::Sha256), Self::Ecdsa, Self::Ed25519];

    /// By its name in the offer.
    fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Rsa(RsaHash::Sha512) => "rsa-sha2-512",
            Self::Rsa(RsaHash::Sha256) => "rsa-sha2-256",
            Self::Ecdsa => "ecdsa-sha2-nistp256",
            Self::Ed25519 => "ssh-ed25519",
        }
    }
}

/// The host's keys.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct HostKeys {
    pub(super) rsa: Option<RsaHostKey>,
    ecdsa: ecdsa::SigningKey,
    ed25519: SigningKey,
    /// How Curve25519 is worked out, for the key before and for the exchange of keys.
    pub(super) curves: Curves,
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
        let ed25519 = SigningKey::from_bytes(&derived(secret, "ed25519"));
        Self { rsa: None, ecdsa, ed25519, curves: Curves::default() }
    }

    /// From now on this library works Curve25519 out.
    pub(super) fn leave_to(&mut self, library: &Arc<dyn SshCurves>) {
        self.curves = Curves::of(library, &self.ed25519);
    }

    /// What is offered, in a server's order.
    pub(super) const fn offer(&self) -> &'static str {
        if self.rsa.is_some() { WITH_RSA } else { WITHOUT_RSA }
    }

    /// One kind for each key that there is, in the order in which a server tells them.
    pub(super) fn kinds(&self) -> impl Iterator<Item = HostKeyKind> + use<> {
        let rsa = self.rsa.as_ref().map(|_| HostKeyKind::Rsa(RsaHash::Sha512));
        rsa.into_iter().chain([HostKeyKind::Ecdsa, HostKeyKind::Ed25519])
    }

    /// By its name in the offer, if it is offered.
    pub(super) fn named(&self, name: &[u8]) -> Option<HostKeyKind> {
        HostKeyKind::named(name).filter(|kind| self.rsa.is_some() || !matches!(kind, HostKeyKind::Rsa(_)))
    }

    /// The public key as it is told (RFC 4253, 5656 and 8709); nothing of a key that is not there.
    pub(super) fn public(&self, kind: HostKeyKind) -> Vec<u8> {
        if let HostKeyKind::Rsa(_) = kind {
            return self.rsa.as_ref().map_or_else(Vec::new, |rsa| rsa.public().to_vec());
        }
        let mut blob = Vec::new();
        put_string(&mut blob, kind.name().as_bytes());
        match kind {
            HostKeyKind::Rsa(_) => {}
            HostKeyKind::Ecdsa => {
                put_string(&mut blob, b"nistp256");
                put_string(&mut blob, self.ecdsa.verifying_key().to_sec1_point(false).as_bytes());
            }
            HostKeyKind::Ed25519 => put_string(&mut blob, self.ed25519.verifying_key().as_bytes()),
        }
        blob
    }

    /// A signature of `message`, as it is told; `None` without the key.
    pub(super) fn sign(&self, kind: HostKeyKind, message: &[u8]) -> Option<Vec<u8>> {
        let mut blob = Vec::new();
        put_string(&mut blob, kind.name().as_bytes());
        match kind {
            HostKeyKind::Rsa(hash) => put_string(&mut blob, &self.rsa.as_ref()?.sign(hash, message)?),
            HostKeyKind::Ecdsa => {
                let signature: ecdsa::Signature = self.ecdsa.sign(message);
                let (r, s) = signature.split_bytes();
                let mut numbers = Vec::new();
                super::wire::put_mpint(&mut numbers, &r);
                super::wire::put_mpint(&mut numbers, &s);
                put_string(&mut blob, &numbers);
            }
            HostKeyKind::Ed25519 => put_string(&mut blob, &self.curves.sign(&self.ed25519, message)),
        }
        Some(blob)
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

//! Curve25519 by the library of whoever carries the traps: what RFC 7748 and RFC 8032 say, in a third of the time that it takes here.

use super::dice::Dice;
use alloc::sync::Arc;
use core::fmt;
use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{Signer, SigningKey};

const X25519_BYTES: usize = 32;
const SEED_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// A library's Curve25519. What it gives is bit for bit what is worked out here without one.
pub trait SshCurves: Send + Sync {
    /// The public value of a secret, and what the secret makes of theirs (RFC 7748); `None`: theirs makes it known to everybody.
    fn x25519(&self, ours: &[u8; X25519_BYTES], theirs: &[u8; X25519_BYTES]) -> Option<([u8; X25519_BYTES], [u8; X25519_BYTES])>;

    /// Who signs with the key that this seed is (RFC 8032); `None`: it cannot.
    fn ed25519(&self, seed: &[u8; SEED_BYTES]) -> Option<Arc<dyn SshSigner>>;
}

/// Signs with an Ed25519 key that it holds.
pub trait SshSigner: Send + Sync {
    /// A signature of `message`; `None`: it cannot sign.
    fn sign(&self, message: &[u8]) -> Option<[u8; SIGNATURE_BYTES]>;
}

/// How it is worked out.
#[derive(Clone, Default)]
pub(super) struct Curves {
    library: Option<Arc<dyn SshCurves>>,
    signer: Option<Arc<dyn SshSigner>>,
}

impl Curves {
    /// By this library, for the host that has this key.
    pub(super) fn of(library: &Arc<dyn SshCurves>, key: &SigningKey) -> Self {
        Self { library: Some(Arc::clone(library)), signer: library.ed25519(key.as_bytes()) }
    }

    /// Our public value and the secret; `None` if theirs is none, or one that makes the secret known to everybody.
    pub(super) fn x25519(&self, theirs: &[u8], dice: &mut Dice) -> Option<([u8; X25519_BYTES], [u8; X25519_BYTES])> {
        let theirs: [u8; X25519_BYTES] = theirs.try_into().ok()?;
        let ours = dice.bytes();
        if let Some(library) = &self.library {
            return library.x25519(&ours, &theirs);
        }
        let secret = MontgomeryPoint(theirs).mul_clamped(ours).to_bytes();
        (secret != [0; X25519_BYTES]).then(|| (MontgomeryPoint::mul_base_clamped(ours).to_bytes(), secret))
    }

    /// A signature by the host's key.
    pub(super) fn sign(&self, key: &SigningKey, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let signature = self.signer.as_ref().and_then(|signer| signer.sign(message));
        signature.unwrap_or_else(|| key.sign(message).to_bytes())
    }
}

/// All come to the same.
impl PartialEq for Curves {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Curves {}

impl fmt::Debug for Curves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Curves")
    }
}

//! The node's identity as a stream's handshake needs it.

use ed25519_dalek::{Signer, SigningKey};
use honeymesh_types::NodeId;
use zeroize::Zeroizing;

/// What a TLS 1.3 end signs to show that it holds its key begins so (RFC 8446, 4.4.3).
const PADDING: [u8; 64] = [b' '; 64];
const CLIENT: &[u8] = b"TLS 1.3, client CertificateVerify\0";
const SERVER: &[u8] = b"TLS 1.3, server CertificateVerify\0";

/// Signs handshakes of streams with the node's identity key, and nothing else: whoever has it can neither read the key nor
/// have a record signed. Wiped from memory when dropped.
pub struct StreamSigner(SigningKey);

impl StreamSigner {
    /// From the node's Ed25519 seed: [`crate::Config::identity`].
    #[must_use]
    pub fn new(identity: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(identity))
    }

    /// Who signs.
    #[must_use]
    pub fn identity(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    /// Signs the end of a TLS 1.3 handshake; `None` for anything else.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        let rest = message.strip_prefix(&PADDING)?;
        let is_handshake = rest.starts_with(CLIENT) || rest.starts_with(SERVER);
        is_handshake.then(|| self.0.sign(message).to_bytes())
    }
}

impl core::fmt::Debug for StreamSigner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("StreamSigner").field(&self.identity()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_handshakes_are_signed() {
        let signer = StreamSigner::new(&Zeroizing::new([1; 32]));
        let handshake = [&PADDING[..], CLIENT, &[7; 48]].concat();
        let signature = ed25519_dalek::Signature::from_bytes(&signer.sign(&handshake).unwrap());
        assert!(signer.0.verifying_key().verify_strict(&handshake, &signature).is_ok());
        for other in [&b""[..], &PADDING, b"honeymesh mesh record v1\0", &handshake[1..]] {
            assert!(signer.sign(other).is_none(), "{other:?}");
        }
    }
}

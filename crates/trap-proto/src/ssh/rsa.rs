//! The host's RSA key. Whoever carries the traps holds it and signs with it: numbers of that size are its library's business.

use super::wire::{put_mpint, put_string};
use crate::{
    ber::{tagged, value},
    exactly::Reader,
};
use alloc::{sync::Arc, vec::Vec};
use core::fmt;

/// What is signed is hashed by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaHash {
    /// SHA-256 (`rsa-sha2-256`).
    Sha256,
    /// SHA-512 (`rsa-sha2-512`).
    Sha512,
}

/// Signs with a private key that it alone holds.
pub trait RsaSigner: Send + Sync {
    /// A signature of `message` by PKCS #1, version 1.5 (RFC 8332); `None`: it cannot sign.
    fn sign(&self, hash: RsaHash, message: &[u8]) -> Option<Vec<u8>>;
}

/// A host's RSA key: the public one as SSH tells it, and who signs with the other.
#[derive(Clone)]
pub struct RsaHostKey {
    public: Vec<u8>,
    signer: Arc<dyn RsaSigner>,
}

impl RsaHostKey {
    /// Of a public key in DER, as certificates have it (RFC 5280, `SubjectPublicKeyInfo`); `None`: it is no RSA key.
    #[must_use]
    pub fn new(public: &[u8], signer: Arc<dyn RsaSigner>) -> Option<Self> {
        let mut info = Reader(tagged(&mut Reader(public), 0x30)?);
        value(&mut info)?;
        let key = tagged(&mut info, 3)?.strip_prefix(&[0])?;
        let mut numbers = Reader(tagged(&mut Reader(key), 0x30)?);
        let (modulus, exponent) = (tagged(&mut numbers, 2)?, tagged(&mut numbers, 2)?);
        let mut public = Vec::new();
        put_string(&mut public, b"ssh-rsa");
        put_mpint(&mut public, exponent);
        put_mpint(&mut public, modulus);
        Some(Self { public, signer })
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    pub(super) fn sign(&self, hash: RsaHash, message: &[u8]) -> Option<Vec<u8>> {
        self.signer.sign(hash, message)
    }
}

/// One key has one signature.
impl PartialEq for RsaHostKey {
    fn eq(&self, other: &Self) -> bool {
        self.public == other.public
    }
}

impl Eq for RsaHostKey {}

impl fmt::Debug for RsaHostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaHostKey")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ber::{ber, sequence};

    /// Signs with nothing but the message's length.
    struct Toy;

    impl RsaSigner for Toy {
        fn sign(&self, hash: RsaHash, message: &[u8]) -> Option<Vec<u8>> {
            (!message.is_empty()).then(|| alloc::vec![hash as u8, u8::try_from(message.len()).unwrap_or(u8::MAX)])
        }
    }

    /// A key that nobody can check.
    pub(in super::super) fn toy() -> RsaHostKey {
        let numbers = sequence(0x30, &[ber(2, &[0, 0x91, 1, 2]), ber(2, &[1, 0, 1])]);
        let info = sequence(0x30, &[ber(0x30, b""), ber(3, &[&[0][..], &numbers].concat())]);
        RsaHostKey::new(&info, Arc::new(Toy)).unwrap()
    }

    #[test]
    fn a_public_key_is_told_as_ssh_tells_it() {
        assert_eq!(toy().public(), b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\0\x04\0\x91\x01\x02");
        for broken in [&b""[..], b"\x30\0", b"\x30\x05\x30\0\x03\x01\x01", b"\x30\x07\x30\0\x03\x03\0\x30\0"] {
            assert_eq!(RsaHostKey::new(broken, Arc::new(Toy)), None);
        }
    }
}

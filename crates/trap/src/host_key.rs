//! The RSA key by which the machine is known over SSH. It is kept like the certificate: nothing here makes such a key from a seed.

use crate::identity::{IdentityError, block};
use honeymesh_trap_proto::{RsaHash, RsaHostKey, RsaSigner};
use rcgen::{KeyPair, PKCS_RSA_SHA512, RsaKeySize};
use rustls::{
    SignatureScheme,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject},
    sign::SigningKey,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The machine's RSA key for SSH.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshIdentity {
    /// DER, PKCS #8 or #1.
    key: Vec<u8>,
}

impl SshIdentity {
    /// A new key of 3072 bits, as `ssh-keygen -A` makes it. Takes a few tenths of a second.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn make() -> Result<Self, IdentityError> {
        Ok(Self { key: KeyPair::generate_rsa_for(&PKCS_RSA_SHA512, RsaKeySize::_3072)?.serialize_der() })
    }

    /// Reads a private key as PEM (`BEGIN PRIVATE KEY` or `BEGIN RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// It is none, or none of RSA.
    pub fn from_pem(pem: &[u8]) -> Result<Self, IdentityError> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| IdentityError::Content(error.to_string()))?;
        let identity = Self { key: key.secret_der().to_vec() };
        identity.host_key()?;
        Ok(identity)
    }

    /// As PEM, from which it can be read again: a secret.
    #[must_use]
    pub fn to_pem(&self) -> String {
        block("PRIVATE KEY", &self.key)
    }

    /// The key as a trap has it.
    ///
    /// # Errors
    /// It is no RSA key.
    pub fn host_key(&self) -> Result<RsaHostKey, IdentityError> {
        let wrong = |error: &str| IdentityError::Content(error.to_owned());
        let key = PrivateKeyDer::try_from(self.key.clone()).map_err(wrong)?;
        let key = any_supported_type(&key).map_err(|error| wrong(&error.to_string()))?;
        let public = key.public_key().ok_or_else(|| wrong("a key without its public half"))?;
        RsaHostKey::new(public.as_ref(), Arc::new(Signer(Arc::clone(&key)))).ok_or_else(|| wrong("no RSA key"))
    }
}

/// Signs in the TLS library, which blinds what it does with the key.
struct Signer(Arc<dyn SigningKey>);

impl RsaSigner for Signer {
    fn sign(&self, hash: RsaHash, message: &[u8]) -> Option<Vec<u8>> {
        let scheme = match hash {
            RsaHash::Sha256 => SignatureScheme::RSA_PKCS1_SHA256,
            RsaHash::Sha512 => SignatureScheme::RSA_PKCS1_SHA512,
        };
        self.0.choose_scheme(&[scheme])?.sign(message).ok()
    }
}

/// Says what it is, and not the key.
impl std::fmt::Debug for SshIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SshIdentity")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TlsIdentity;
    use std::time::Duration;

    #[test]
    fn a_key_is_the_same_after_a_restart_and_not_shown() {
        let made = SshIdentity::make().unwrap();
        let read = SshIdentity::from_pem(made.to_pem().as_bytes()).unwrap();
        assert_eq!((read.host_key().unwrap(), read), (made.host_key().unwrap(), made.clone()));
        assert!(made.host_key().unwrap() != SshIdentity::make().unwrap().host_key().unwrap());
        assert_eq!(format!("{made:?}"), "SshIdentity");
    }

    #[test]
    fn what_is_no_rsa_key_is_refused() {
        let elliptic = KeyPair::generate().unwrap().serialize_pem();
        for pem in ["junk", &elliptic, &elliptic[..99]] {
            assert!(SshIdentity::from_pem(pem.as_bytes()).is_err(), "{pem}");
        }
        let both = TlsIdentity::make("a", Duration::ZERO).unwrap().to_pem();
        assert!(SshIdentity::from_pem(both.as_bytes()).is_ok(), "the key among other things");
    }
}

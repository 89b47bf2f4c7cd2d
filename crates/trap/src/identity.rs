//! What the machine shows to whoever speaks TLS: a certificate such as the machine's own software makes, and its key.

use base64::{Engine, engine::general_purpose::STANDARD};
use honeymesh_trap_proto::TlsManner;
use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use rustls::{
    ALL_VERSIONS, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS12,
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How long a certificate lasts that Debian's `ssl-cert` makes.
const LIFETIME: Duration = Duration::from_hours(3_650 * 24);
/// What SQL Server speaks where TLS is in packets of TDS.
const OLD_VERSIONS: &[&SupportedProtocolVersion] = &[&TLS12];
/// The longest name that a certificate's subject can have, in bytes (RFC 5280, `ub-common-name`).
pub const NAME_BYTES_MAX: usize = 64;

/// A certificate and its key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsIdentity {
    /// X.509, DER.
    certificate: Vec<u8>,
    /// PKCS #8, DER.
    key: Vec<u8>,
}

/// Why there is no identity. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The library said no.
    #[error("a key or certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The text is something else.
    #[error("it holds not what it should: {0}")]
    Content(String),
}

impl TlsIdentity {
    /// A self-signed certificate of the machine `name`, as Debian's `ssl-cert` makes it: RSA with 2048 bits, the name as subject
    /// and alternative name, ten years from `since` on, counted from 1970. Takes a tenth of a second.
    ///
    /// # Errors
    /// The name cannot stand in a certificate, or there is no randomness.
    pub fn make(name: &str, since: Duration) -> Result<Self, IdentityError> {
        let short: String = name.chars().take(NAME_BYTES_MAX).collect();
        let mut params = CertificateParams::new([short.clone()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, short);
        params.is_ca = IsCa::ExplicitNoCa;
        params.not_before = date_time_ymd(1970, 1, 1) + since;
        params.not_after = params.not_before + LIFETIME;
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let certificate = params.self_signed(&pair)?;
        Ok(Self { certificate: certificate.der().to_vec(), key: pair.serialize_der() })
    }

    /// Reads a certificate and its key, each as PEM, in any order.
    ///
    /// # Errors
    /// One of them is missing or damaged, or they do not fit together.
    pub fn from_pem(pem: &[u8]) -> Result<Self, IdentityError> {
        let wrong = |error: &dyn std::fmt::Display| IdentityError::Content(error.to_string());
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|error| wrong(&error))?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| wrong(&error))?;
        let identity = Self { certificate: certificate.to_vec(), key: key.secret_der().to_vec() };
        identity.config(TlsManner::Usual).map_err(|error| wrong(&error))?;
        Ok(identity)
    }

    /// Both as PEM: the certificate can be read from it again, and so can the key, so the file is a secret.
    #[must_use]
    pub fn to_pem(&self) -> String {
        block("CERTIFICATE", &self.certificate) + &block("PRIVATE KEY", &self.key)
    }

    /// What a server needs: TLS 1.2 and 1.3, and what its manner adds.
    pub(crate) fn config(&self, manner: TlsManner) -> Result<ServerConfig, rustls::Error> {
        let key = PrivateKeyDer::try_from(self.key.clone()).map_err(|error| rustls::Error::General(error.into()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(if manner == TlsManner::Tds { OLD_VERSIONS } else { ALL_VERSIONS })?
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(self.certificate.clone())], key)?;
        config.alpn_protocols = manner.protocol().map(|name| name.as_bytes().to_vec()).into_iter().collect();
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        if manner.has_tickets() {
            config.ticketer = aws_lc_rs::Ticketer::new()?;
        } else {
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

/// A block of PEM.
pub(crate) fn block(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..(at + 64).min(text.len())]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Says what it is, and not the key.
impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsIdentity").field("certificate_bytes", &self.certificate.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_the_same_after_a_restart_and_shows_no_key() {
        let made = TlsIdentity::make("srv01", Duration::from_secs(1_773_738_681)).unwrap();
        assert_eq!(TlsIdentity::from_pem(made.to_pem().as_bytes()).unwrap(), made);
        assert!(!format!("{made:?}").contains("key:"));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let [one, other] = [(), ()].map(|()| TlsIdentity::make("a", Duration::ZERO).unwrap());
        let mixed = TlsIdentity { key: other.key, ..one.clone() };
        assert!(TlsIdentity::from_pem(mixed.to_pem().as_bytes()).is_err());
        assert!(TlsIdentity::from_pem(b"junk").is_err());
        assert!(TlsIdentity::from_pem(&one.to_pem().as_bytes()[..900]).is_err());
    }
}

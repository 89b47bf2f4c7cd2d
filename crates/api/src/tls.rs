//! TLS for people: version 1.3 with AES-256-GCM and nothing else, with a certificate made at the first start.

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The certificate's file in the state directory, PEM, mode 0644.
const CERTIFICATE_FILE: &str = "api.crt";
/// Its private key, PEM, mode 0600.
const KEY_FILE: &str = "api.key";

/// What the HTTPS door needs to speak TLS.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    fingerprint: String,
    created: bool,
}

/// Why TLS cannot be spoken. An existing certificate or key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Only one half is there.
    #[error("{} is there but {} is not; put it back, or delete both to have new ones made", .there.display(), .missing.display())]
    Half {
        /// The file that exists.
        there: PathBuf,
        /// The file that does not.
        missing: PathBuf,
    },
    /// A file holds something else.
    #[error("{} cannot be used: {why}; put a PEM file there, or delete {CERTIFICATE_FILE} and {KEY_FILE} to have new ones made", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system said no.
    #[error("{} cannot be read or written: {source}; check the owner and mode of [node] state_dir", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The library said no.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

impl Tls {
    /// Reads `api.crt` and `api.key` in `state_dir`, or makes a self-signed pair for `names` (host names and addresses;
    /// `localhost`, `127.0.0.1` and `::1` are always added) if neither exists. An operator's own pair may be put in
    /// their place.
    ///
    /// # Errors
    /// The pair is incomplete, damaged, does not fit together, or cannot be written.
    pub fn load_or_create(state_dir: &Path, names: &[String]) -> Result<Self, TlsError> {
        let (certificate, key) = (state_dir.join(CERTIFICATE_FILE), state_dir.join(KEY_FILE));
        let half = |there: &PathBuf, missing: &PathBuf| TlsError::Half { there: there.clone(), missing: missing.clone() };
        let created = match (certificate.exists(), key.exists()) {
            (true, true) => false,
            (true, false) => return Err(half(&certificate, &key)),
            (false, true) => return Err(half(&key, &certificate)),
            (false, false) => {
                create(&certificate, &key, names)?;
                true
            }
        };
        Self::load(&certificate, &key, created)
    }

    /// The SHA-256 fingerprint of the certificate, as browsers and `openssl x509 -fingerprint -sha256` show it:
    /// `AB:CD:…`.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Was the certificate made just now?
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.created
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    fn load(certificate: &Path, key: &Path, created: bool) -> Result<Self, TlsError> {
        let content = |path: &Path, why: String| TlsError::Content { path: path.into(), why };
        let pem = read(certificate)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| content(certificate, error.to_string()))?;
        let first = chain.first().ok_or_else(|| content(certificate, "it holds no certificate".into()))?;
        let fingerprint = fingerprint(first);
        let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| content(key, error.to_string()))?;
        let config = server_config(chain, secret).map_err(|error| content(key, error.to_string()))?;
        Ok(Self { config: Arc::new(config), fingerprint, created })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// The one cipher suite: everything that speaks TLS 1.3 and is worth talking to has it.
fn provider() -> CryptoProvider {
    CryptoProvider { cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384], ..aws_lc_rs::default_provider() }
}

fn server_config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digits: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(":")
}

fn create(certificate: &Path, key: &Path, names: &[String]) -> Result<(), TlsError> {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?;
    let signed = params(names)?.self_signed(&pair)?;
    write(key, pair.serialize_pem().as_bytes(), 0o600)?;
    write(certificate, signed.pem().as_bytes(), 0o644)
}

/// Valid for as long as dates can be written: it is trusted by its fingerprint, and a machine whose clock is not yet
/// set must be able to make it.
fn params(names: &[String]) -> Result<CertificateParams, TlsError> {
    let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(Into::into).into();
    all.extend(names.iter().filter(|name| !name.is_empty()).cloned());
    all.sort_unstable();
    all.dedup();
    let mut params = CertificateParams::new(all)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("honeymesh", String::as_str));
    params.distinguished_name.push(DnType::OrganizationName, "HoneyMesh self-signed");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Io { path: path.into(), source })
}

/// Writes a new file that is whole or not there.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TlsError> {
    let io = |source| TlsError::Io { path: path.into(), source };
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part).map_err(io)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&part, path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_pair_is_made_once_with_its_modes_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let made = Tls::load_or_create(dir.path(), &["edge-1".into(), "192.0.2.1".into()]).unwrap();
        assert!(made.is_new());
        assert_eq!((mode(&dir.path().join("api.key")), mode(&dir.path().join("api.crt"))), (0o600, 0o644));
        let loaded = Tls::load_or_create(dir.path(), &[]).unwrap();
        assert!(!loaded.is_new());
        assert_eq!(loaded.fingerprint(), made.fingerprint());
        assert_eq!(made.fingerprint().len(), 32 * 3 - 1);
    }

    #[test]
    fn half_a_pair_and_damage_are_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        Tls::load_or_create(dir.path(), &[]).unwrap();
        let key = dir.path().join("api.key");
        let good = fs::read(&key).unwrap();
        fs::write(&key, "junk").unwrap();
        let error = Tls::load_or_create(dir.path(), &[]).unwrap_err().to_string();
        assert!(error.contains("api.key cannot be used"), "{error}");
        assert_eq!(fs::read(&key).unwrap(), b"junk");
        fs::remove_file(&key).unwrap();
        let error = Tls::load_or_create(dir.path(), &[]).unwrap_err().to_string();
        assert!(error.contains("api.crt is there but"), "{error}");
        fs::write(&key, good).unwrap();
        fs::write(dir.path().join("api.crt"), "").unwrap();
        assert!(Tls::load_or_create(dir.path(), &[]).unwrap_err().to_string().contains("holds no certificate"));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Tls::load_or_create(one.path(), &[]).unwrap();
        Tls::load_or_create(other.path(), &[]).unwrap();
        fs::copy(other.path().join("api.key"), one.path().join("api.key")).unwrap();
        assert!(matches!(Tls::load_or_create(one.path(), &[]), Err(TlsError::Content { .. })));
    }

    #[test]
    fn there_is_one_version_and_one_cipher() {
        let suites: Vec<_> = provider().cipher_suites.iter().map(|suite| suite.suite()).collect();
        assert_eq!(suites, [rustls::CipherSuite::TLS13_AES_256_GCM_SHA384]);
    }
}

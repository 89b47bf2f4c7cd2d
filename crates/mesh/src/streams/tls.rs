//! TLS 1.3 with raw public keys (RFC 7250): no names, no certificates, no authority; each end is its Ed25519 key.

use super::{Identity, StreamOptions};
use honeymesh_types::NodeId;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureAlgorithm,
    SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, Signer, SigningKey},
    version::TLS13,
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// In front of the key itself in its description (RFC 8410).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What both ends must speak.
const ALPN: &[u8] = b"honeymesh/1";
/// Separates this use of the session's secret from all others.
const EXPORTER: &[u8] = b"EXPORTER-honeymesh-mesh-stream-v1";

/// A session: the stream, who is at the other end, and the secret of the session.
pub(super) type Session = (TlsStream<TcpStream>, NodeId, [u8; 32]);

/// Makes sessions.
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    key: Arc<CertifiedKey>,
    server: TlsAcceptor,
    cluster: Vec<u8>,
}

impl Tls {
    pub(super) fn new(options: &StreamOptions) -> Result<Self, Error> {
        let provider = CryptoProvider {
            cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384],
            ..aws_lc_rs::default_provider()
        };
        let provider = Arc::new(provider);
        let own = CertificateDer::from(spki(&options.identity.node()));
        let key = Arc::new(CertifiedKey::new(vec![own], Arc::new(Key(options.identity.clone()))));
        let verifier = Arc::new(Verifier { expect: None, algorithms: provider.signature_verification_algorithms });
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key.clone())));
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let server = TlsAcceptor::from(Arc::new(server));
        Ok(Self { provider, key, server, cluster: options.cluster.clone().into_bytes() })
    }

    /// Lets somebody in.
    pub(super) async fn accept(&self, tcp: TcpStream) -> io::Result<Session> {
        self.session(self.server.accept(tcp).await?.into())
    }

    /// Calls somebody, who must hold this key if one is given.
    pub(super) async fn connect(&self, tcp: TcpStream, to: SocketAddr, expect: Option<NodeId>) -> io::Result<Session> {
        let algorithms = self.provider.signature_verification_algorithms;
        let mut client = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { expect, algorithms }))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(self.key.clone())));
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        let connector = TlsConnector::from(Arc::new(client));
        self.session(connector.connect(ServerName::IpAddress(to.ip().into()), tcp).await?.into())
    }

    fn session(&self, io: TlsStream<TcpStream>) -> io::Result<Session> {
        let (_, session) = io.get_ref();
        if session.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::other("the other end speaks another protocol"));
        }
        let end = session.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
        let peer = end.and_then(node).ok_or_else(|| io::Error::other("the other end has shown no key"))?;
        let binding = match &io {
            TlsStream::Client(io) => io.get_ref().1.export_keying_material([0; 32], EXPORTER, Some(&self.cluster)),
            TlsStream::Server(io) => io.get_ref().1.export_keying_material([0; 32], EXPORTER, Some(&self.cluster)),
        };
        let binding = binding.map_err(io::Error::other)?;
        Ok((io, peer, binding))
    }
}

fn spki(node: &NodeId) -> Vec<u8> {
    [&SPKI_HEAD[..], &node.0].concat()
}

/// The key of an end, if it is described as it should be.
fn node(end: &CertificateDer<'_>) -> Option<NodeId> {
    let key = end.as_ref().strip_prefix(&SPKI_HEAD)?;
    key.try_into().ok().map(NodeId)
}

/// The node's own key, which is elsewhere.
#[derive(Debug)]
struct Key(Arc<dyn Identity>);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ED25519).then(|| Box::new(Key(self.0.clone())) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(spki(&self.0.node()).into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.sign(message).ok_or_else(|| Error::General("this key signs handshakes only".into()))?;
        Ok(signature.to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Believes a key that is shown, if it is the one expected; that the other end holds it, TLS proves.
#[derive(Debug)]
struct Verifier {
    expect: Option<NodeId>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn check(&self, end: &CertificateDer<'_>) -> Result<(), Error> {
        let node = node(end).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if self.expect.is_some_and(|expect| expect != node) {
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        Ok(())
    }

    fn verify(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(end.as_ref()), signed, &self.algorithms)
    }
}

/// TLS 1.2 is not spoken: this is never asked.
fn never<T>() -> Result<T, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".into()))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _end: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _end: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

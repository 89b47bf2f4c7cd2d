//! An HTTP client for both doors that shows everything it got.

use super::{House, TOKEN, anybody::Anybody};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::HeaderMap,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
};
use sha2::{Digest, Sha256};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// What came before the body ended or broke off.
    pub(crate) body: String,
    /// Whether the body ended as it should.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The words of a refusal; checks that it is a whole problem.
    pub(crate) fn detail(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!((&problem["type"], &problem["status"]), (&"about:blank".into(), &self.status.as_u16().into()));
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// A request to be sent through either door.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Ask {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.into(), headers: vec![("host", "localhost".into())], body: String::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn control(self, house: &House) -> Answer {
        let stream = UnixStream::connect(&house.socket).await.unwrap();
        self.finish(stream).await.unwrap()
    }

    /// Through HTTPS with the token.
    pub(crate) async fn https(self, house: &House) -> Answer {
        self.header("authorization", &format!("Bearer {TOKEN}")).https_bare(house).await
    }

    /// Through HTTPS as it is.
    pub(crate) async fn https_bare(self, house: &House) -> Answer {
        self.finish(tls(house, client_config()).await.unwrap()).await.unwrap()
    }

    /// Through HTTPS with the token; an error if the connection broke before the answer began.
    pub(crate) async fn try_https(self, house: &House) -> hyper::Result<Answer> {
        let stream = tls(house, client_config()).await.unwrap();
        self.header("authorization", &format!("Bearer {TOKEN}")).finish(stream).await
    }

    /// The head of the answer; its body can be read piece by piece.
    pub(crate) async fn stream(self, house: &House) -> hyper::Response<Incoming> {
        let stream = UnixStream::connect(&house.socket).await.unwrap();
        let (mut sender, request) = self.begin(stream).await;
        let response = sender.send_request(request).await.unwrap();
        // The connection ends with its sender.
        std::mem::forget(sender);
        response
    }

    async fn finish<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) -> hyper::Result<Answer> {
        let (mut sender, request) = self.begin(stream).await;
        let (head, mut body) = sender.send_request(request).await?.into_parts();
        let mut answer = Answer { status: head.status, headers: head.headers, body: String::new(), whole: true };
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => answer.body.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
                Err(_) => answer.whole = false,
            }
        }
        Ok(answer)
    }

    async fn begin<S>(self, stream: S) -> (SendRequest<Full<Bytes>>, Request<Full<Bytes>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        (sender, request.body(Full::new(Bytes::from(self.body))).unwrap())
    }
}

/// Today's client: everything the library knows.
pub(crate) fn client_config() -> ClientConfig {
    client_with(aws_lc_rs::default_provider(), rustls::ALL_VERSIONS)
}

/// A client that knows only this much.
pub(crate) fn client_with(provider: CryptoProvider, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth()
}

/// A TLS connection to the house whose certificate has the fingerprint that was printed.
pub(crate) async fn tls(house: &House, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(house.https).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let digits: Vec<String> = Sha256::digest(&certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(digits.join(":"), house.fingerprint);
    Ok(stream)
}

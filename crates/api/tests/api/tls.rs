//! TLS 1.3 with AES-256-GCM, and nothing else.

use crate::house::{Ask, House, TOKEN, client};
use hyper::StatusCode;
use rustls::{
    CipherSuite, ProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};
use std::process::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn only(suite: CipherSuite) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|known| known.suite() == suite);
    assert_eq!(provider.cipher_suites.len(), 1);
    provider
}

#[tokio::test]
async fn today_is_spoken_and_yesterday_is_not() {
    let house = House::open();
    let stream = client::tls(&house, client::client_config()).await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session.negotiated_cipher_suite().unwrap().suite(), CipherSuite::TLS13_AES_256_GCM_SHA384);
    let old = client::tls(&house, client::client_with(aws_lc_rs::default_provider(), &[&TLS12])).await.unwrap_err();
    assert!(old.to_string().contains("ProtocolVersion"), "{old}");
    for suite in [CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256] {
        let weak = client::tls(&house, client::client_with(only(suite), &[&TLS13])).await.unwrap_err();
        assert!(weak.to_string().contains("HandshakeFailure"), "{suite:?}: {weak}");
    }
    assert_eq!(house.counted("handshakes_failed"), 3);
    assert_eq!(Ask::get("/api/v1/status").https(&house).await.status, StatusCode::OK);
}

#[tokio::test]
async fn plain_http_gets_no_answer() {
    let house = House::open();
    let mut stream = tokio::net::TcpStream::connect(house.https).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
}

/// What a command said, standard output and error together; `None`, loudly, if it is not installed.
async fn said(program: &'static str, args: Vec<String>) -> Option<(bool, String)> {
    let run = move || Command::new(program).args(args).stdin(std::process::Stdio::null()).output();
    match tokio::task::spawn_blocking(run).await.unwrap() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
        }
        Err(_) => {
            eprintln!("SKIPPED: {program} is not installed");
            None
        }
    }
}

#[tokio::test]
async fn openssl_agrees() {
    let house = House::open();
    let ask = |more: &[&str]| {
        let address = house.https.to_string();
        let args = ["s_client", "-connect", &address].into_iter().chain(more.iter().copied());
        said("openssl", args.map(Into::into).collect())
    };
    let Some((_, today)) = ask(&[]).await else { return };
    assert!(today.contains("TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384"), "{today}");
    for refused in [["-tls1_2", "-quiet"], ["-ciphersuites", "TLS_AES_128_GCM_SHA256"]] {
        let (success, text) = ask(&refused).await.unwrap();
        assert!(!success && text.contains("alert"), "{refused:?}: {text}");
    }
}

#[tokio::test]
async fn curl_gets_in_with_the_token_over_http_1_and_2() {
    let house = House::open();
    let url = format!("https://{}/api/v1/status", house.https);
    for version in ["--http1.1", "--http2"] {
        let auth = format!("Authorization: Bearer {TOKEN}");
        let args = ["-sS", "-k", version, "--max-time", "30", "-w", " %{http_code}", "-H", &auth, &url];
        let Some((success, text)) = said("curl", args.map(Into::into).into()).await else { return };
        assert!(success && text.contains("\"node\":\"edge-1\"") && text.ends_with(" 200"), "{version}: {text}");
    }
}

//! Real clients at the web traps, in the clear and behind TLS.

use crate::support::{Traps, printed, run, run_with};
use honeymesh_types::{Signs, Visit};

/// The next report with a JA4, of the trap.
async fn hello(traps: &mut Traps, trap: &str) -> Visit {
    traps.visit_where(|visit| visit.trap == trap && visit.fields.contains_key("ja4")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_speaks_tls_of_both_versions_and_what_it_asked_is_told_in_the_clear() {
    let mut traps = Traps::usual();
    for (option, version) in [("--tlsv1.3", "TLSv1_3"), ("--tls-max=1.2", "TLSv1_2")] {
        let url = format!("https://shop.example:{}/admin?x=y", traps.port("https"));
        let resolve = format!("shop.example:{}:127.0.0.1", traps.port("https"));
        let option: Vec<&str> = option.split('=').collect();
        let arguments = [&["-sS", "-i", "-k", "--resolve", &resolve, "-u", "admin:s3cret"], &option[..], &[&url]].concat();
        let output = run("curl", &arguments).await;
        assert!(printed(&output).starts_with("HTTP/1.1 200 OK\r\n"), "{}", printed(&output));
        let told = hello(&mut traps, "https").await;
        assert_eq!((told.fields["sni"].as_str(), told.fields["alpn"].as_str()), ("shop.example", "h2,http/1.1"));
        assert!(told.fields["ja4"].starts_with(if version == "TLSv1_3" { "t13d" } else { "t12d" }), "{:?}", told.fields);
        assert!(told.payload.starts_with(&[0x16, 3, 1]) && told.signs.is_empty(), "the hello itself, before any answer");
        let asked = traps.visit_where(|visit| visit.session == told.session).await;
        assert!(asked.payload.starts_with(b"GET /admin?x=y HTTP/1.1\r\n"), "{:?}", asked.payload);
        assert_eq!((asked.fields["path"].as_str(), asked.fields["password"].as_str()), ("/admin?x=y", "s3cret"));
        assert_eq!((asked.fields["tls_version"].as_str(), asked.signs), (version, Signs::CREDENTIALS));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_one_that_the_machine_made_for_itself() {
    let traps = Traps::usual();
    let port = traps.port("https").to_string();
    let output = run("nmap", &["-sV", "-Pn", "-n", "-p", &port, "--script", "ssl-cert", "127.0.0.1"]).await;
    let said = printed(&output);
    for line in [
        "ssl/http nginx",
        "Subject: commonName=srv01",
        "Issuer: commonName=srv01",
        "Public Key type: rsa",
        "Public Key bits: 2048",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.to_lowercase().contains("honey") && !said.to_lowercase().contains("rustls"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_and_python_agree_with_the_trap() {
    let mut traps = Traps::usual();
    let address = format!("127.0.0.1:{}", traps.port("https"));
    let lines = ["GET / HTTP/1.0\r\n\r\n"];
    let openssl = run_with("openssl", &["s_client", "-connect", &address, "-servername", "a.example", "-ign_eof"], &lines).await;
    let said = printed(&openssl);
    assert!(said.contains("HTTP/1.1 200 OK") && said.contains("<form method=\"post\"") && said.contains("TLSv1.3"), "{said}");
    assert_eq!(hello(&mut traps, "https").await.fields["sni"], "a.example");
    let script = format!(
        "import ssl,urllib.request as u; c=ssl._create_unverified_context(); print(u.urlopen('https://{address}/', context=c).status)"
    );
    let python = run("python3", &["-c", &script]).await;
    assert_eq!(printed(&python).trim(), "200");
    assert!(hello(&mut traps, "https").await.fields["ja4"].starts_with("t13i"), "an address is no name");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_of_the_last_century_gets_the_alert_that_openssl_gives_and_is_fingerprinted() {
    let mut traps = Traps::usual();
    let address = format!("127.0.0.1:{}", traps.port("https"));
    let old = ["s_client", "-connect", &address, "-tls1", "-cipher", "ALL:@SECLEVEL=0"];
    let output = run("openssl", &old).await;
    assert!(printed(&output).contains("alert protocol version"), "{}", printed(&output));
    let told = hello(&mut traps, "https").await;
    assert!(told.fields["ja4"].starts_with("t10i"), "{:?}", told.fields);
    let end = traps.visit_where(|visit| visit.fields.contains_key("tls_error")).await;
    assert_eq!((end.session, end.signs), (told.session, Signs::empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_port_speaks_tls_to_whoever_begins_with_it() {
    let mut traps = Traps::usual();
    let url = format!("https://localhost:{}/.env", traps.port("any"));
    let output = run("curl", &["-sS", "-k", "-o", "/dev/null", "-w", "%{http_code}", "-A", "probe", &url]).await;
    assert_eq!(printed(&output), "404");
    let told = hello(&mut traps, "any").await;
    assert_eq!((told.fields["protocol"].as_str(), told.fields["sni"].as_str()), ("tls", "localhost"));
    let asked = traps.visit_where(|visit| visit.session == told.session).await;
    assert_eq!((asked.fields["protocol"].as_str(), asked.fields["path"].as_str()), ("http", "/.env"));
    assert!(asked.payload.starts_with(b"GET /.env HTTP/1.1\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_tls_to_a_service_in_the_clear_is_fingerprinted_all_the_same() {
    let mut traps = Traps::usual();
    for trap in ["http", "ssh", "redis"] {
        let url = format!("https://localhost:{}/", traps.port(trap));
        let output = run("curl", &["-sS", "-k", "-m", "3", &url]).await;
        assert!(!output.status.success());
        assert!(hello(&mut traps, trap).await.fields["ja4"].starts_with("t13d"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_behind_tls_is_heard_and_kept_within_bounds() {
    let mut traps = Traps::usual();
    let url = format!("https://localhost:{}/", traps.port("https"));
    let body = "x".repeat(100_000);
    let output = run("curl", &["-sS", "-k", "-o", "/dev/null", "-w", "%{http_code}", "-d", &body, &url]).await;
    assert_eq!(printed(&output), "200");
    let told = hello(&mut traps, "https").await;
    let posted = traps.visit_where(|visit| visit.session == told.session).await;
    assert!(posted.bytes > 100_000 && posted.signs.contains(Signs::TRUNCATED), "{} {:?}", posted.bytes, posted.signs);
    assert!(posted.payload.starts_with(b"POST / HTTP/1.1\r\n") && posted.payload.ends_with(b"xxxxxxxxxx"));
}

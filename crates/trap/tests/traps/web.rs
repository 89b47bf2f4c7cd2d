//! Real clients at the web traps, in the clear and behind TLS.

use crate::support::{Traps, nmap, nmap_without, printed, run, run_with};
use honeymesh_trap_proto::Definition;
use honeymesh_types::{Signs, Visit};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The next report with a JA4, of the trap.
async fn hello(traps: &mut Traps, trap: &str) -> Visit {
    traps.visit_where(|visit| visit.trap == trap && visit.fields.contains_key("ja4")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_without_more_is_told_when_it_goes_and_soon_if_it_stays() {
    let mut traps = Traps::usual();
    let address = format!("127.0.0.1:{}", traps.port("https"));
    for stays in [false, true] {
        let hold = if stays { "time.sleep(4)" } else { "pass" };
        let script = format!(
            "import socket,ssl,time; i,o=ssl.MemoryBIO(),ssl.MemoryBIO(); c=ssl._create_unverified_context(); t=c.wrap_bio(i,o,server_hostname='x.example')\n\
             try: t.do_handshake()\nexcept ssl.SSLWantReadError: pass\n\
             h,p='{address}'.split(':'); s=socket.create_connection((h,int(p))); s.sendall(o.read()); s.recv(1); {hold}"
        );
        let client = tokio::spawn(async move { run("python3", &["-c", &script]).await });
        let told = hello(&mut traps, "https").await;
        assert_eq!(told.fields["sni"], "x.example");
        assert!(!(stays && client.is_finished()), "it is still there");
        assert!(told.payload.is_empty() && told.bytes > 200 && told.signs.is_empty(), "{told:?}");
        assert!(client.await.unwrap().status.success());
    }
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
        assert!(told.payload.starts_with(b"GET /admin?x=y HTTP/1.1\r\n"), "{:?}", told.payload);
        assert!(told.bytes > told.payload.len() as u64, "the handshake counts");
        assert_eq!((told.fields["path"].as_str(), told.fields["password"].as_str()), ("/admin?x=y", "s3cret"));
        assert_eq!((told.fields["tls_version"].as_str(), told.signs), (version, Signs::CREDENTIALS));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_one_that_the_machine_made_for_itself() {
    let traps = Traps::usual();
    let port = traps.port("https").to_string();
    let expected = [
        "ssl/http nginx",
        "Subject: commonName=srv01",
        "Issuer: commonName=srv01",
        "Public Key type: rsa",
        "Public Key bits: 2048",
    ];
    let scan = ["-sV", "-Pn", "-n", "-p", &port, "--script", "ssl-cert", "127.0.0.1"];
    nmap_without(&scan, &expected, &["rustls"]).await;
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
    assert_eq!((told.fields["tls_error"].as_str(), told.signs), ("protocol version", Signs::empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_hello_is_malformed_and_kept_as_it_came() {
    let mut traps = Traps::usual();
    for trap in ["https", "any"] {
        let script = format!(
            "import socket; s=socket.create_connection(('127.0.0.1',{})); s.sendall(bytes.fromhex('160301000702000003aabbcc')); s.settimeout(15); print(s.recv(99).hex())",
            traps.port(trap)
        );
        let output = run("python3", &["-c", &script]).await;
        assert!(printed(&output).starts_with("15030"), "an alert: {}", printed(&output));
        let told = traps.visit_where(|visit| visit.trap == trap && visit.bytes > 0).await;
        assert!(told.signs.contains(Signs::MALFORMED), "{told:?}");
        assert!(told.payload.starts_with(&[0x16, 3, 1, 0, 7, 2]), "{:?}", told.payload);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_port_speaks_tls_to_whoever_begins_with_it() {
    let mut traps = Traps::usual();
    let url = format!("https://localhost:{}/.env", traps.port("any"));
    let output = run("curl", &["-sS", "-k", "-o", "/dev/null", "-w", "%{http_code}", "-A", "probe", &url]).await;
    assert_eq!(printed(&output), "404");
    let told = hello(&mut traps, "any").await;
    assert_eq!((told.fields["protocol"].as_str(), told.fields["sni"].as_str()), ("http", "localhost"));
    assert_eq!((told.fields["path"].as_str(), told.fields["tls_version"].as_str()), ("/.env", "TLSv1_3"));
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
    let posted = hello(&mut traps, "https").await;
    assert!(posted.bytes > 100_000 && posted.signs.contains(Signs::TRUNCATED), "{} {:?}", posted.bytes, posted.signs);
    assert!(posted.payload.starts_with(b"POST / HTTP/1.1\r\n") && posted.payload.ends_with(b"xxxxxxxxxx"));
}

/// The traps of one web service on loopback, under its name.
fn web(service: &str, site: Option<&str>) -> Traps {
    Traps::one(&Definition { service: service.into(), site: site.map(Into::into), ..Definition::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_looks_at_the_docker_engine_and_tells_what_it_wants_to_run() {
    let mut traps = web("docker", None);
    let url = format!("http://127.0.0.1:{}", traps.port("docker"));
    let version = printed(&run("curl", &["-sS", &format!("{url}/version")]).await);
    assert!(version.contains("\"Version\":\"26.1.5+dfsg1\"") && version.contains("\"Os\":\"linux\""), "{version}");
    let info = printed(&run("curl", &["-sS", &format!("{url}/v1.45/info")]).await);
    assert!(info.contains("Debian GNU/Linux 13 (trixie)"), "{info}");
    let wanted = "{\"Image\":\"alpine\",\"Cmd\":[\"chroot\",\"/mnt\",\"sh\",\"-c\",\"id\"],\
        \"HostConfig\":{\"Privileged\":true,\"Binds\":[\"/:/mnt\"]}}";
    let create = ["-sS", "-H", "Content-Type: application/json", "-d", wanted, &format!("{url}/v1.45/containers/create")];
    let created = printed(&run("curl", &create).await);
    assert!(created.contains("\"Id\":\"") && created.contains("\"Warnings\":[]"), "{created}");
    let visit = traps.visit_where(|visit| visit.fields.contains_key("image") && visit.fields.contains_key("command")).await;
    assert_eq!((visit.fields["image"].as_str(), visit.fields["privileged"].as_str()), ("alpine", "true"));
    assert_eq!(visit.fields["command"], "[\"chroot\",\"/mnt\",\"sh\",\"-c\",\"id\"]");
    assert!(visit.signs.contains(Signs::RULE));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_tells_its_version_and_whoever_asks_for_more_gives_his_token_away() {
    let mut traps = web("kubernetes", None);
    let server = format!("https://127.0.0.1:{}", traps.port("kubernetes"));
    let version = run("curl", &["-sS", "-k", &format!("{server}/version")]).await;
    assert!(printed(&version).contains("\"gitVersion\": \"v1.34.2\""), "{}", printed(&version));
    let token = "Authorization: Bearer s3cret-token";
    let pods = run("curl", &["-sS", "-k", "-H", token, &format!("{server}/api/v1/pods")]).await;
    assert!(printed(&pods).contains("Unauthorized"), "{}", printed(&pods));
    let visit = traps.visit_where(|visit| visit.fields.get("path").is_some_and(|path| path == "/api/v1/pods")).await;
    assert_eq!((visit.fields["password"].as_str(), visit.signs), ("s3cret-token", Signs::CREDENTIALS));
    let plain = run("curl", &["-sS", &server.replace("https", "http")]).await;
    assert!(printed(&plain).contains("Client sent an HTTP request to an HTTPS server."), "{}", printed(&plain));
}

#[tokio::test(flavor = "multi_thread")]
async fn hydra_guesses_at_the_forms_and_is_always_refused() {
    let table = [
        ("wordpress", "/wp-login.php:log=^USER^&pwd=^PASS^:S=wp-admin/profile"),
        ("router", "/cgi-bin/luci/:luci_username=^USER^&luci_password=^PASS^:F=Invalid username"),
        ("ci", "/j_spring_security_check:j_username=^USER^&j_password=^PASS^:F=loginError"),
    ];
    for (site, form) in table {
        let mut traps = web("http", Some(site));
        let port = traps.port("http").to_string();
        let arguments = ["-l", "admin", "-p", "s3cret", "-s", &port, "-t", "1", "-I", "127.0.0.1", "http-post-form", form];
        let output = run("hydra", &arguments).await;
        assert!(printed(&output).contains("0 valid password"), "{site}: {}", printed(&output));
        assert_eq!(traps.tries("http", 1).await, [("admin".to_owned(), "s3cret".to_owned())], "{site}");
    }
}

/// Scans at once: each takes a while, and more would take the processor from those that they ask.
const SCANS_AT_ONCE: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn nmap_calls_each_site_what_it_plays() {
    let table: [(_, _, &[&str]); 6] = [
        ("http", Some("plain"), &["nginx"]),
        ("http", Some("basic"), &["Restricted"]),
        ("http", Some("wordpress"), &["Apache httpd 2.4.71 ((Debian))", "WordPress 6.8.12"]),
        ("http", Some("object-store"), &["MinIO"]),
        ("http", Some("ci"), &["Jetty"]),
        ("docker", None, &["docker  Docker 26.1.5+dfsg1"]),
    ];
    let places = Arc::new(Semaphore::new(SCANS_AT_ONCE));
    let scans = table.map(|(service, site, expected)| {
        let places = Arc::clone(&places);
        tokio::spawn(async move {
            let _place = places.acquire().await.unwrap();
            let traps = web(service, site);
            let port = traps.port(service).to_string();
            let scripts = "http-title,http-generator,http-auth,http-server-header";
            nmap(&["-sV", "-Pn", "-n", "-p", &port, "--script", scripts, "127.0.0.1"], expected).await;
        })
    });
    for scan in scans {
        scan.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_waits_for_leave_comes_in_chunks_and_is_put_together() {
    let mut traps = web("elasticsearch", None);
    let url = format!("http://127.0.0.1:{}/users/_search", traps.port("elasticsearch"));
    let body = "{\"query\":{\"script\":{\"script\":\"new java.io.File('/')\"}}}";
    let headers = ["-H", "Expect: 100-continue", "-H", "Transfer-Encoding: chunked", "-H", "Content-Type: application/json"];
    let output = run("curl", &[&["-sS", "-v"], &headers[..], &["-d", body, &url]].concat()).await;
    assert!(printed(&output).contains("100 Continue") && printed(&output).contains("script_exception"), "{}", printed(&output));
    let visit = traps.visit().await;
    assert!(visit.signs.contains(Signs::RULE) && visit.fields["script"].contains("java.io.File"), "{:?}", visit.fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_buckets_understands_that_it_may_not_see_them_and_tells_its_key() {
    let mut traps = web("http", Some("object-store"));
    let host = format!("127.0.0.1:{}", traps.port("http"));
    let options = [
        "-c",
        "/dev/null",
        "--no-ssl",
        "--access_key=AKIAEXAMPLE",
        "--secret_key=s3cret",
        "--host",
        &host,
        "--host-bucket",
        &host,
    ];
    for asked in [&["ls"][..], &["ls", "s3://backup"], &["get", "s3://backup/dump.sql", "-"]] {
        let output = run("s3cmd", &[&options[..], asked].concat()).await;
        let refused = if asked[0] == "ls" { "S3 error: 403 (InvalidAccessKeyId)" } else { "S3 error: 403 (Forbidden)" };
        assert!(!output.status.success() && printed(&output).contains(refused), "{asked:?}: {}", printed(&output));
    }
    for path in ["/", "/backup/", "/backup/dump.sql"] {
        let asks = |visit: &Visit| visit.fields.get("path").and_then(|path| path.split('?').next()) == Some(path);
        let told = traps.visit_where(|visit| asks(visit) && visit.signs.contains(Signs::CREDENTIALS)).await;
        assert_eq!(told.fields["username"], "AKIAEXAMPLE");
        assert!(told.fields["authorization"].starts_with("AWS4-HMAC-SHA256 Credential="), "{:?}", told.fields);
    }
}

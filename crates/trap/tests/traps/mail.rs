//! Real mail clients and password guessers at the mail traps.

use crate::support::{Traps, nmap, printed, run, run_with};
use honeymesh_types::Signs;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// What Dovecot sends to whoever asked for TLS and goes on in the clear.
const DOVECOT_ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 80];

fn owned(user: &str, password: &str) -> Vec<(String, String)> {
    vec![(user.into(), password.into())]
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_logs_in_each_way_and_gives_its_credentials_away() {
    let mut traps = Traps::usual();
    let server = format!("127.0.0.1:{}", traps.port("smtp"));
    for way in ["PLAIN", "LOGIN"] {
        let arguments =
            ["--server", &server, "--to", "a@example.com", "--auth", way, "--auth-user", "root", "--auth-password", "toor"];
        let said = printed(&run("swaks", &arguments).await);
        assert!(said.contains(".localdomain ESMTP Postfix (Debian)") && said.contains("535 5.7.8 Error"), "{said}");
        assert_eq!(traps.tries("smtp", 1).await, owned("root", "toor"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_of_swaks_is_taken_down_and_goes_nowhere() {
    let mut traps = Traps::usual();
    let server = format!("127.0.0.1:{}", traps.port("smtp"));
    let arguments =
        ["--server", &server, "--from", "spam@example.org", "--to", "one@example.com,two@example.com", "--body", "buy this"];
    let said = printed(&run("swaks", &[&arguments[..], &["--header", "Subject: Invoice"]].concat()).await);
    assert!(said.contains("250 2.0.0 Ok: queued as "), "{said}");
    let visit = traps.visit_where(|visit| visit.signs.contains(Signs::RULE)).await;
    let fields = ["sender", "recipients", "subject"].map(|name| visit.fields[name].as_str());
    assert_eq!(fields, ["spam@example.org", "one@example.com two@example.com", "Invoice"]);
    assert!(visit.fields["body"].starts_with("buy this") && visit.payload.ends_with(b"buy this\r\n\r\n\r\n.\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hydra_gives_its_passwords_away_at_each_mail_server() {
    let mut traps = Traps::usual();
    for service in ["smtp", "pop3", "imap"] {
        let url = format!("{service}://127.0.0.1:{}", traps.port(service));
        let output = run("hydra", &["-I", "-t", "1", "-l", "root", "-p", "hunter2", &url]).await;
        assert!(printed(&output).contains("0 valid password"), "{}", printed(&output));
        assert_eq!(traps.tries(service, 1).await, owned("root", "hunter2"), "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_gives_its_own_away_at_the_mailboxes_and_medusa_fails_at_their_tls_as_at_a_real_dovecots() {
    let mut traps = Traps::usual();
    for service in ["pop3", "imap"] {
        let port = traps.port(service).to_string();
        let said = printed(&run("medusa", &["-h", "127.0.0.1", "-n", &port, "-u", "admin", "-p", "a b", "-M", service]).await);
        assert!(said.contains("tlsv1 alert protocol version"), "{said}");
        // There is no CRAM-MD5, which curl would pick, and keep the password.
        let url = format!("{service}://127.0.0.1:{port}");
        let output = run("curl", &["-sS", "-u", "admin:a\"b\\c", &url]).await;
        assert_eq!(output.status.code(), Some(67), "login denied: {}", printed(&output));
        assert_eq!(traps.tries(service, 1).await, owned("admin", "a\"b\\c"), "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_them_for_postfix_and_dovecot() {
    let traps = Traps::usual();
    let ports = ["smtp", "pop3", "imap"].map(|trap| traps.port(trap).to_string()).join(",");
    let expected = ["Postfix smtpd", "Dovecot pop3d", "Dovecot imapd"];
    nmap(&["-sV", "--script", "default", "-Pn", "-n", "-p", &ports, "127.0.0.1"], &expected).await;
}

/// What openssl said, having gone over to TLS as `how` tells it, and typed `lines` there.
async fn inside(port: u16, how: &[&str], lines: &[&str]) -> String {
    let server = format!("127.0.0.1:{port}");
    printed(&run_with("openssl", &[&["s_client", "-quiet", "-connect", &server], how].concat(), lines).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_curl_and_openssl_go_over_to_tls_and_give_their_credentials_away() {
    let mut traps = Traps::usual();
    for (trap, way) in [("smtp", "--tls"), ("smtps", "--tls-on-connect")] {
        let server = format!("127.0.0.1:{}", traps.port(trap));
        let login = ["--auth", "PLAIN", "--auth-user", "root", "--auth-password", "toor"];
        let said = printed(&run("swaks", &[&["--server", &server, "--to", "a@example.com", way], &login[..]].concat()).await);
        assert!(said.contains("TLS started with cipher TLSv1.3") && said.contains("535 5.7.8 Error"), "{said}");
        let visit = traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await;
        let fields = ["username", "password", "tls_version"].map(|name| visit.fields[name].as_str());
        assert_eq!((visit.trap.as_str(), fields), (trap, ["root", "toor", "TLSv1_3"]));
        assert!(visit.fields["ja4"].starts_with("t13") && visit.payload.ends_with(b"AUTH PLAIN AHJvb3QAdG9vcg==\r\n"));
    }
    for (trap, scheme, more) in
        [("imap", "imap", "--ssl-reqd"), ("imaps", "imaps", "-k"), ("pop3", "pop3", "--ssl-reqd"), ("pop3s", "pop3s", "-k")]
    {
        let url = format!("{scheme}://127.0.0.1:{}", traps.port(trap));
        let output = run("curl", &["-sS", "-k", more, "--login-options", "AUTH=PLAIN", "-u", "admin:one", &url]).await;
        assert_eq!(output.status.code(), Some(67), "login denied: {}", printed(&output));
        let visit = traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await;
        assert_eq!((visit.trap.as_str(), visit.fields["password"].as_str()), (trap, "one"));
        assert!(visit.fields.contains_key("ja4"), "{:?}", visit.fields);
    }
    let said =
        inside(traps.port("imap"), &["-starttls", "imap", "-alpn", "imap"], &["a LOGIN root toor\r\n", "b LOGOUT\r\n"]).await;
    assert!(said.contains("a NO [AUTHENTICATIONFAILED]") && said.contains("CN = srv01"), "{said}");
}

/// The strings that a man in the middle puts in front of the handshake (CVE-2011-0411).
#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_behind_a_request_for_tls_is_told_and_not_heard() {
    let mut traps = Traps::usual();
    let script = format!(
        "import socket,ssl\n\
         c=ssl._create_unverified_context()\n\
         def ask(port,greet,ask):\n\
         \x20s=socket.create_connection(('127.0.0.1',port)); s.recv(999)\n\
         \x20if greet: s.sendall(greet); s.recv(999)\n\
         \x20s.sendall(ask); print(s.recv(99)); return s\n\
         t=c.wrap_socket(ask({},b'EHLO a\\r\\n',b'STARTTLS\\r\\nRSET\\r\\n'))\n\
         t.sendall(b'EHLO inside\\r\\n'); print(t.recv(999)); t.sendall(b'VRFY root\\r\\n'); print(t.recv(99))\n\
         s=ask({},b'',b'a STARTTLS\\r\\nb NOOP\\r\\n'); print(s.recv(99), s.recv(9))\n",
        traps.port("smtp"),
        traps.port("imap")
    );
    let said = printed(&run("python3", &["-c", &script]).await);
    assert!(
        said.contains("220 2.0.0 Ready to start TLS") && said.contains("b'250-") && said.contains("252 2.0.0 root"),
        "{said}"
    );
    assert!(said.contains(r"\x15\x03\x03\x00\x02\x02P'"), "Dovecot takes it for TLS: {said}");
    let visit = traps.visit_where(|visit| visit.trap == "smtp" && visit.fields.contains_key("injected")).await;
    assert_eq!((visit.fields["injected"].as_str(), visit.fields["client"].as_str()), (r"RSET\u{d}\u{a}", "inside"));
    assert!(
        visit.signs.contains(Signs::MALFORMED) && visit.payload.starts_with(b"EHLO a\r\nSTARTTLS\r\nRSET\r\nEHLO inside\r\n")
    );
    let visit = traps.visit_where(|visit| visit.trap == "imap" && visit.fields.contains_key("tls_error")).await;
    assert!(visit.signs.contains(Signs::MALFORMED) && visit.payload.ends_with(b"b NOOP\r\n"), "{visit:?}");
}

/// OpenSSL judges a record's head as a whole, and says nothing to what it takes for HTTP; Dovecot then has words of its own.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_in_the_clear_is_left_with_the_fifth_byte_and_not_before() {
    let mut traps = Traps::usual();
    for (said, words) in [("b NOO", &DOVECOT_ALERT[..]), ("GET /", b""), ("\x16\x02\x01\0\x05", &DOVECOT_ALERT)] {
        let mut stream = TcpStream::connect(traps.address("imap")).await.unwrap();
        stream.write_all(b"a STARTTLS\r\n").await.unwrap();
        let (mut heard, ready) = (Vec::new(), b"a OK Begin TLS negotiation now.\r\n");
        while !heard.ends_with(ready) {
            assert!(stream.read_buf(&mut heard).await.unwrap() > 0);
        }
        heard.clear();
        let (head, last) = said.as_bytes().split_at(4);
        stream.write_all(head).await.unwrap();
        let silence = timeout(Duration::from_millis(300), stream.read_buf(&mut heard)).await;
        assert!(silence.is_err(), "{said:?}: {heard:?}");
        stream.write_all(last).await.unwrap();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, words, "{said:?}");
        let visit = traps.visit_where(|visit| visit.fields.contains_key("tls_error")).await;
        assert_eq!((visit.fields["tls_error"].as_str(), visit.payload.ends_with(said.as_bytes())), ("none", true), "{visit:?}");
    }
    let mut stream = TcpStream::connect(traps.address("imap")).await.unwrap();
    stream.write_all(b"a STARTTLS\r\nb").await.unwrap();
    stream.shutdown().await.unwrap();
    let visit = traps.visit_where(|visit| visit.fields.contains_key("tls_error")).await;
    assert!(visit.signs.contains(Signs::MALFORMED) && visit.payload.ends_with(b"STARTTLS\r\nb"), "{visit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_reads_the_machines_certificate_at_each() {
    let traps = Traps::usual();
    for trap in ["smtps", "pop3s", "imaps"] {
        let port = traps.port(trap).to_string();
        let said = nmap(&["-sV", "--script", "ssl-cert", "-Pn", "-n", "-p", &port, "127.0.0.1"], &["commonName=srv01"]).await;
        assert!(said.contains("ssl/"), "{said}");
    }
}

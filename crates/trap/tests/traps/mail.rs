//! Real mail clients and password guessers at the mail traps.

use crate::support::{Traps, nmap, printed, run, run_with};
use honeymesh_types::Signs;

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
async fn swaks_digest_can_be_checked_against_a_password() {
    let mut traps = Traps::usual();
    let server = format!("127.0.0.1:{}", traps.port("smtp"));
    let arguments =
        ["--server", &server, "--to", "a@example.com", "--auth", "CRAM-MD5", "--auth-user", "root", "--auth-password", "toor"];
    let said = printed(&run("swaks", &arguments).await);
    assert!(said.contains("535 5.7.8 Error"), "{said}");
    let visit = traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await;
    assert_eq!(visit.fields["username"], "root");
    let command = ["dgst", "-md5", "-hmac", "toor"];
    let digest = printed(&run_with("openssl", &command, &[&visit.fields["challenge"]]).await);
    assert!(digest.trim_end().ends_with(&visit.fields["response"]), "{digest} {:?}", visit.fields);
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
async fn medusa_and_curl_give_theirs_away_at_the_mailboxes() {
    let mut traps = Traps::usual();
    for service in ["pop3", "imap"] {
        let port = traps.port(service).to_string();
        run("medusa", &["-h", "127.0.0.1", "-n", &port, "-u", "admin", "-p", "one two", "-M", service]).await;
        assert_eq!(traps.tries(service, 1).await, owned("admin", "one two"), "{service}");
        // curl picks CRAM-MD5 unless it is told otherwise.
        let url = format!("{service}://127.0.0.1:{port}");
        let output = run("curl", &["-sS", "--login-options", "AUTH=PLAIN", "-u", "admin:a\"b\\c", &url]).await;
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

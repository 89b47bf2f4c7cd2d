//! nmap's version and script scans over all services: each is taken for what it plays, and all for one machine.

use super::real::{host, playing};
use honeymesh_trap_proto::{Definition, Service};
use std::{process::Stdio, sync::Arc, time::Duration};
use tokio::{process::Command, sync::Semaphore, time::timeout};

/// How long a scan may take on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(150);
/// Scans at once, and tries until one sees all: an answer that comes late is taken for the answer to another probe.
const AT_ONCE: usize = 3;
const TRIES: usize = 3;

/// A service, scripts that ask it besides, and what nmap must say.
const SCANS: &[(&str, &str, &[&str])] = &[
    ("ssh", "ssh-hostkey,ssh2-enum-algos,ssh-auth-methods", &["OpenSSH 10.0p2 Debian 7+deb13u4 (protocol 2.0)", "(ED25519)"]),
    ("http", "http-title,http-server-header,http-methods", &["http", "nginx"]),
    ("https", "ssl-cert,http-title", &["ssl/http", "nginx", "commonName=srv01"]),
    ("ftp", "ftp-anon,ftp-syst", &["vsftpd 3.0.5"]),
    ("telnet", "telnet-encryption", &["telnet"]),
    ("smtp", "smtp-commands,smtp-open-relay", &["Postfix smtpd", "{host}.localdomain"]),
    ("pop3", "pop3-capabilities", &["Dovecot pop3d"]),
    ("imap", "imap-capabilities", &["Dovecot imapd"]),
    ("redis", "redis-info", &["Redis key-value store 8.0.2"]),
    ("memcached", "memcached-info", &["Memcached 1.6.38"]),
    ("mysql", "mysql-info", &["MariaDB", "11.8.9-MariaDB-0+deb13u1"]),
    ("postgresql", "default", &["PostgreSQL DB"]),
    ("vnc", "vnc-info", &["VNC (protocol 3.8)"]),
    ("elasticsearch", "http-title", &["Elasticsearch REST API 8.19.8"]),
    ("docker", "docker-version", &["Docker 26.1.5+dfsg1"]),
    ("mssql", "ms-sql-ntlm-info", &["Microsoft SQL Server"]),
    ("smb", "smb-protocols", &["Samba smbd"]),
    ("rdp", "rdp-ntlm-info", &["Microsoft Terminal Services"]),
    ("ldap", "ldap-rootdse", &["ldap"]),
    ("mongodb", "mongodb-info", &["MongoDB"]),
    ("mqtt", "mqtt-subscribe", &["mqtt"]),
    ("adb", "default", &["Android Debug Bridge"]),
];

/// What no scan may say of anything.
const TELLING: [&str; 9] = ["honey", "cowrie", "kippo", "dionaea", "twisted", "rustls", "opencanary", "conpot", "srv04"];

async fn scan(port: u16, scripts: &str) -> String {
    let port = port.to_string();
    let mut command = Command::new("nmap");
    command.args(["-sV", "-Pn", "-n", "--disable-arp-ping", "-p", &port, "--script", scripts, "127.0.0.1"]);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output).await.expect("nmap does not end").expect("install nmap");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_each_service_for_what_it_plays() {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let scans: Vec<_> = SCANS
        .iter()
        .map(|(service, scripts, expected)| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move {
                let _turn = gate.acquire().await.unwrap();
                let traps = playing(&Definition { service: (*service).into(), ..Definition::default() });
                let mut said = String::new();
                for _ in 0..TRIES {
                    said = scan(traps.port("trap"), scripts).await;
                    let lower = said.to_lowercase();
                    assert!(TELLING.iter().all(|word| !lower.contains(word)), "{service}: {said}");
                    if expected.iter().all(|words| said.contains(&words.replace("{host}", host()))) {
                        return None;
                    }
                }
                Some(format!("{service}: not all of {expected:?}: {said}"))
            })
        })
        .collect();
    let mut missed = Vec::new();
    for scan in scans {
        missed.extend(scan.await.unwrap());
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// A new service comes with its line in the table, or is one of those that nmap cannot name or that are spoken in datagrams.
#[test]
fn every_service_is_scanned() {
    const ELSEWHERE: [&str; 10] = ["dns", "ntp", "snmp", "tftp", "sip", "ssdp", "kubernetes", "modbus", "script", "any"];
    for name in Service::NAMES {
        assert!(ELSEWHERE.contains(name) || SCANS.iter().any(|(service, ..)| service == name), "{name}");
    }
}

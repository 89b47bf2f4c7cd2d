//! nmap's version and script scans over all services: each is taken for what it plays, and all for one machine.

use crate::support::{Traps, quick};
use honeymesh_trap::{Limits, Options, TrapOptions};
use honeymesh_trap_proto::{Definition, Persona, Service};
use std::{process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// How long a scan of everything may take on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(400);
/// Scans until one sees all, at most: an answer that comes late is taken for the answer to another probe.
const TRIES: usize = 3;
/// nmap tries by the port what a service may be, so they listen where one expects them, on an address of their own.
const ADDRESS: &str = "127.78.0.1";

/// A service, its port, and what nmap must say of it.
const SCANS: &[(&str, u16, &str)] = &[
    ("ssh", 22, "OpenSSH 10.0p2 Debian 7+deb13u4 (protocol 2.0)"),
    ("http", 80, "nginx"),
    // uhttpd does not name itself: what it says is below.
    ("http/router", 8080, "open http-proxy"),
    ("https", 443, "open ssl/http nginx"),
    // This nmap knows the answers of Kubernetes 1.2 only.
    ("kubernetes", 6443, "open ssl/sun-sr-https?"),
    ("ftp", 21, "vsftpd 3.0.5"),
    ("telnet", 23, "BusyBox telnetd"),
    ("smtp", 25, "Postfix smtpd"),
    ("pop3", 110, "Dovecot pop3d"),
    ("imap", 143, "Dovecot imapd"),
    ("redis", 6379, "Redis key-value store 8.0.2"),
    ("memcached", 11_211, "Memcached 1.6.38"),
    // This nmap knows of MariaDB what its script asks.
    ("mysql", 3306, "open mysql?"),
    ("postgresql", 5432, "PostgreSQL DB"),
    ("vnc", 5900, "VNC (protocol 3.8)"),
    // This nmap knows the headers of Elasticsearch 7 only.
    ("elasticsearch", 9200, "open wap-wsp?"),
    ("docker", 2375, "Docker 26.1.5+dfsg1"),
    ("mssql", 1433, "Microsoft SQL Server"),
    ("smb", 445, "Samba smbd"),
    ("rdp", 3389, "Microsoft Terminal Service"),
    // As it takes slapd 2.6 for.
    ("ldap", 389, "OpenLDAP 2.2.X - 2.3.X"),
    // This nmap asks in words that MongoDB unlearned.
    ("mongodb", 27_017, "mongod"),
];

/// What the machine is called, as its certificate says.
const HOST: &str = "srv01";

/// What scripts must say: one name for the machine wherever one is told, and what a Debian 13 with these services says.
const SCRIPTS: &str = "http-title,http-server-header,ssl-cert,smtp-commands,ftp-anon,redis-info,mysql-info,banner,ldap-rootdse";
const SAID: &[&str] = &[
    "commonName=srv01",
    "220 srv01.localdomain ESMTP",
    "smtp-commands: srv01.localdomain",
    "Version: 11.8.9-MariaDB-0+deb13u1 from Debian",
    "namingContexts: dc=localdomain",
    "X-elastic-product: Elasticsearch",
    "\"number\" : \"8.19.8\",",
    "LuCI - Lua Configuration Interface</a>",
    "\"message\": \"forbidden: User \"system:anonymous\" cannot get path \"/\"\",",
    "http-title: ",
];

/// What no scan may say of anything.
const TELLING: [&str; 8] = ["honey", "cowrie", "kippo", "dionaea", "twisted", "rustls", "opencanary", "conpot"];

fn everything() -> Traps {
    let persona = Persona::of([7; 32]).named(HOST).unwrap();
    let trap = |(name, port, _): &(&str, u16, &str)| {
        let (service, site) = name.split_once('/').map_or((*name, None), |(service, site)| (service, Some(site)));
        let definition = Definition { service: service.into(), site: site.map(Into::into), ..Definition::default() };
        let listen = vec![format!("{ADDRESS}:{port}").parse().unwrap()];
        TrapOptions { name: (*name).into(), service: Service::define(&definition, &persona).unwrap(), listen }
    };
    let limits = Limits { sessions_per_source_max: 1_000, ..quick() };
    Traps::open(Options { traps: SCANS.iter().map(trap).collect(), dark: None, limits })
}

async fn scan() -> String {
    let ports = SCANS.iter().map(|(_, port, _)| port.to_string()).collect::<Vec<_>>().join(",");
    let mut command = Command::new("nmap");
    command.args(["-sV", "-Pn", "-n", "-p", &ports, "--script", SCRIPTS, ADDRESS]);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output).await.expect("nmap does not end").expect("install nmap");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether nmap's line about a port says it.
fn is_taken_for(said: &str, port: u16, words: &str) -> bool {
    let plain = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    said.lines().filter(|line| line.starts_with(&format!("{port}/tcp "))).any(|line| plain(line).contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_each_service_for_what_it_plays_and_all_for_one_machine() {
    let _traps = everything();
    let mut missed = Vec::new();
    for _ in 0..TRIES {
        let said = scan().await;
        let lower = said.to_lowercase();
        assert!(TELLING.iter().all(|word| !lower.contains(word)), "{said}");
        let named =
            SCANS.iter().filter(|(_, port, words)| !is_taken_for(&said, *port, words)).map(|(name, ..)| (*name).to_owned());
        let words = SAID.iter().filter(|words| !said.contains(**words)).map(|words| (*words).to_owned());
        missed = named.chain(words).collect();
        if missed.is_empty() {
            return;
        }
        missed.push(said);
    }
    panic!("{}", missed.join("\n"));
}

/// A new service comes with its line in the table, or is one that is scanned in its own tests, or spoken to in datagrams: of those
/// this nmap has no question for TFTP, and asks for UPnP in fewer octets than any answer has.
#[test]
fn every_service_is_scanned() {
    const ELSEWHERE: [&str; 14] =
        ["dns", "ntp", "snmp", "tftp", "sip", "ssdp", "modbus", "mqtt", "adb", "script", "any", "smtps", "pop3s", "imaps"];
    for name in Service::NAMES {
        assert!(ELSEWHERE.contains(name) || SCANS.iter().any(|(service, ..)| service == name), "{name}");
    }
}

//! Real clients where nobody says what is served: on a trap that plays whatever is spoken, and on dark ports.

use crate::support::{Traps, printed, quick, run_with};
use honeymesh_trap::{DARK, Options, bind};
use honeymesh_trap_proto::{Bait, Persona};
use honeymesh_types::{Signs, Visit};
use socket2::SockRef;
use std::{collections::BTreeMap, net::SocketAddr};

/// A client, and what it gives away once it is played what it speaks.
struct Client {
    protocol: &'static str,
    program: &'static str,
    /// With `HOST` and `PORT` in them.
    arguments: &'static [&'static str],
    typed: &'static [&'static str],
    /// What it says of the answer.
    says: &'static str,
    told: &'static [(&'static str, &'static str)],
}

/// SSH without a configuration or a memory.
const SSH: &[&str] = &[
    "-p",
    "s3cret",
    "ssh",
    "-F",
    "/dev/null",
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "NumberOfPasswordPrompts=1",
    "-o",
    "PreferredAuthentications=password",
    "-p",
    "PORT",
    "root@HOST",
    "true",
];

const PYMONGO: &str = "import pymongo\nc = pymongo.MongoClient('HOST', PORT, username='root', password='hunter2', \
    authMechanism='SCRAM-SHA-256', serverSelectionTimeoutMS=5000)\n\
    try: c.list_database_names()\nexcept pymongo.errors.OperationFailure as e: print(e)";

/// Those that speak first. A value that ends with `*` is how the field begins.
const CLIENTS: &[Client] = &[
    Client {
        protocol: "ssh",
        program: "sshpass",
        arguments: SSH,
        typed: &[],
        says: "Permission denied",
        told: &[("username", "root"), ("password", "s3cret"), ("method", "password"), ("client", "SSH-2.0-OpenSSH_*")],
    },
    Client {
        protocol: "smb",
        program: "smbclient",
        arguments: &["-L", "HOST", "-p", "PORT", "-U", "CORP\\admin%hunter2"],
        typed: &[],
        says: "NT_STATUS_LOGON_FAILURE",
        told: &[("username", "admin"), ("domain", "CORP"), ("hash", "admin::CORP:*")],
    },
    Client {
        protocol: "rdp",
        program: "hydra",
        arguments: &["-I", "-t", "1", "-l", "admin", "-p", "hunter2", "rdp://HOST:PORT"],
        typed: &[],
        says: "0 valid password",
        told: &[("username", "admin"), ("password", "hunter2")],
    },
    Client {
        protocol: "postgresql",
        program: "psql",
        arguments: &["--no-psqlrc", "postgresql://postgres:hunter2@HOST:PORT/shop", "-c", "SELECT 1"],
        typed: &[],
        says: "FATAL:  password authentication failed for user \"postgres\"",
        told: &[("username", "postgres"), ("password", "hunter2"), ("database", "shop")],
    },
    Client {
        protocol: "mssql",
        program: "tsql",
        arguments: &["-H", "HOST", "-p", "PORT", "-U", "sa", "-P", "Winter2026!"],
        typed: &["SELECT 1\n", "GO\n"],
        says: "Login failed for user 'sa'.",
        told: &[("username", "sa"), ("password", "Winter2026!")],
    },
    Client {
        protocol: "ldap",
        program: "ldapwhoami",
        arguments: &["-x", "-H", "ldap://HOST:PORT", "-D", "cn=admin,dc=example,dc=org", "-w", "hunter2"],
        typed: &[],
        says: "ldap_bind: Invalid credentials (49)",
        told: &[("username", "cn=admin,dc=example,dc=org"), ("password", "hunter2")],
    },
    Client {
        protocol: "mongodb",
        program: "/usr/bin/python3",
        arguments: &["-c", PYMONGO],
        typed: &[],
        says: "Authentication failed.",
        told: &[("username", "root"), ("proof", "*")],
    },
    Client {
        protocol: "redis",
        program: "redis-cli",
        arguments: &["-h", "HOST", "-p", "PORT", "AUTH", "admin", "hunter2"],
        typed: &[],
        says: "WRONGPASS",
        told: &[("username", "admin"), ("password", "hunter2")],
    },
];

impl Client {
    async fn run(&self, at: SocketAddr) -> String {
        let filled = |text: &&str| text.replace("HOST", &at.ip().to_string()).replace("PORT", &at.port().to_string());
        let arguments: Vec<String> = self.arguments.iter().map(filled).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        printed(&run_with(self.program, &arguments, self.typed).await)
    }

    fn is_told(&self, fields: &BTreeMap<String, String>) -> bool {
        let is_it = |(name, value): &(&str, &str)| {
            let told = fields.get(*name);
            match value.strip_suffix('*') {
                Some(begin) => told.is_some_and(|told| told.starts_with(begin) && told.len() > begin.len()),
                None => told.is_some_and(|told| told == value),
            }
        };
        fields.get("protocol").is_some_and(|protocol| protocol == self.protocol) && self.told.iter().all(is_it)
    }
}

/// All that is told of one session, until somebody has tried to log in there and `is_told` is satisfied; a client may need several.
async fn told(traps: &mut Traps, trap: &str, is_told: impl Fn(&BTreeMap<String, String>) -> bool) -> BTreeMap<String, String> {
    let mut sessions: BTreeMap<u64, (BTreeMap<String, String>, Signs)> = BTreeMap::new();
    loop {
        let visit = traps.visit_where(|visit| visit.trap == trap).await;
        let (fields, signs) = sessions.entry(visit.session.0).or_insert((BTreeMap::new(), Signs::empty()));
        fields.extend(visit.fields);
        *signs |= visit.signs;
        if signs.contains(Signs::CREDENTIALS) && is_told(fields) {
            return fields.clone();
        }
    }
}

/// The traps of the usual machine, and where its dark ports are answered.
fn dark() -> (Traps, SocketAddr) {
    let bait = Bait::like([].iter(), &Persona::of([7; 32]));
    let bound = bind(Options { traps: Vec::new(), dark: Some(bait), limits: quick() }).unwrap();
    let at = SockRef::from(&bound.dark_sockets()[0].unwrap()).local_addr().unwrap().as_socket().unwrap();
    (Traps::of(bound), at)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_first_is_played_what_it_speaks_and_gives_its_credentials_away() {
    let mut traps = Traps::usual();
    let at = traps.address("any");
    for client in CLIENTS {
        let said = client.run(at).await;
        assert!(said.contains(client.says), "{}: {said}", client.protocol);
        let fields = told(&mut traps, "any", |fields| client.is_told(fields)).await;
        eprintln!("{}: {fields:?}", client.protocol);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_dark_port_it_is_the_same() {
    let (mut traps, at) = dark();
    for client in CLIENTS {
        let said = client.run(at).await;
        assert!(said.contains(client.says), "{}: {said}", client.protocol);
        told(&mut traps, DARK, |fields| client.is_told(fields)).await;
    }
}

/// A protocol in which the server speaks first cannot be known before: nothing is said to these clients, nothing is made up
/// of what they are, and that they came is told. (swaks takes its leave.)
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_server_waits_in_vain_and_is_told_of() {
    const SWAKS: &[&str] = &["--server", "HOST:PORT", "--to", "a@example.com", "--timeout", "2s", "-au", "root", "-ap", "toor"];
    const MARIADB: &[&str] = &["--no-defaults", "-h", "HOST", "-P", "PORT", "-u", "root", "--password=x", "--connect-timeout=2"];
    for (program, arguments, says) in [("swaks", SWAKS, "Timeout"), ("mariadb", MARIADB, "ERROR 2013")] {
        let traps = Traps::usual();
        let client = Client { protocol: "", program, arguments, typed: &[], says, told: &[] };
        let said = client.run(traps.address("any")).await;
        assert!(said.contains(says), "{program}: {said}");
        let visits = traps.close().await;
        assert!(!visits.is_empty(), "{program}");
        for Visit { payload, signs, fields, .. } in visits {
            assert!([&b""[..], b"QUIT\r\n"].contains(&payload.as_slice()), "{program}: {}", payload.escape_ascii());
            assert_eq!((signs, fields.get("protocol")), (Signs::empty(), None), "{program}");
        }
    }
    // Whoever types anyway, as one does at a login that does not come, is understood.
    let mut traps = Traps::usual();
    let port = traps.port("any").to_string();
    let said = printed(&run_with("busybox", &["telnet", "127.0.0.1", &port], &["root\r", "xc3511\r"]).await);
    assert!(!said.contains("login"), "{said}");
    let visit = traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await;
    let told = ["username", "password", "protocol"].map(|name| visit.fields.get(name).map(String::as_str));
    assert_eq!((visit.trap.as_str(), told), ("any", [Some("root"), Some("xc3511"), None]));
}

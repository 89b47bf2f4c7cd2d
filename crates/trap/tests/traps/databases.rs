//! Real clients and password guessers at the databases and at VNC.

use crate::support::{Traps, each_service, nmap, printed, quick, run};
use honeymesh_trap::{Limits, Options, TrapOptions};
use honeymesh_trap_proto::{Definition, Persona, Service};
use honeymesh_types::{Signs, Visit};
use std::{collections::BTreeMap, path::PathBuf};
use tokio::{io::AsyncReadExt, net::TcpStream};

async fn login(traps: &mut Traps, trap: &str) -> Visit {
    traps.visit_where(|visit| visit.trap == trap && visit.signs.contains(Signs::CREDENTIALS)).await
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A file that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("honeymesh-{name}-{}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn digest(algorithm: &str, content: &[u8]) -> Vec<u8> {
    let input = Scratch::new(&format!("digest-{algorithm}-{}", content.len()), content);
    let output = run("openssl", &["dgst", algorithm, "-binary", input.path()]).await;
    assert!(output.status.success(), "{}", printed(&output));
    output.stdout
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

async fn mariadb(port: u16, password: &str) -> String {
    let (port, password) = (port.to_string(), format!("--password={password}"));
    let arguments = ["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", "backup", &password, "-e", "SELECT 1", "shop"];
    printed(&run("mariadb", &arguments).await)
}

/// The number of a connection, as a greeting tells it.
async fn connection_number(port: u16) -> u32 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let mut greeting = vec![0; usize::from(head[0])];
    stream.read_exact(&mut greeting).await.unwrap();
    let end = 2 + greeting[1..].iter().position(|byte| *byte == 0).unwrap();
    u32::from_le_bytes(greeting[end..end + 4].try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadbs_connections_are_numbered_as_they_come() {
    // Room for all of them: whoever has left may be counted for a while.
    let traps = Traps::open(each_service(Limits { sessions_per_source_max: 100, ..quick() }));
    let mut last = connection_number(traps.port("mysql")).await;
    for _ in 0..5 {
        for _ in 0..5 {
            let mut elsewhere = TcpStream::connect(("127.0.0.1", traps.port("telnet"))).await.unwrap();
            // What telnet sends first tells that this connection is counted.
            elsewhere.read_exact(&mut [0]).await.unwrap();
        }
        let next = connection_number(traps.port("mysql")).await;
        assert!((1..=2).contains(&next.wrapping_sub(last)), "{next} behind {last}");
        last = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mariadb_sends_can_be_checked_against_a_password() {
    let mut traps = Traps::usual();
    let said = mariadb(traps.port("mysql"), "hunter2").await;
    assert!(said.contains("ERROR 1045 (28000): Access denied for user 'backup'@'localhost' (using password: YES)"), "{said}");
    let fields = login(&mut traps, "mysql").await.fields;
    let told = ["username", "database", "plugin"].map(|name| fields[name].as_str());
    assert_eq!(told, ["backup", "shop", "mysql_native_password"]);
    assert!(fields["client"].contains("_client_name=libmariadb") && fields["client"].contains("program_name="), "{fields:?}");
    // SHA1(password) XOR SHA1(salt + SHA1(SHA1(password)))
    let once = digest("-sha1", b"hunter2").await;
    let salted = [bytes(&fields["salt"]), digest("-sha1", &once).await].concat();
    assert_eq!(bytes(&fields["scramble"]), xor(&once, &digest("-sha1", &salted).await));
    let empty = mariadb(traps.port("mysql"), "").await;
    assert!(empty.contains("(using password: NO)"), "{empty}");
    assert_eq!(login(&mut traps, "mysql").await.fields["password"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_of_version_8_gets_the_scramble_of_its_own_plugin() {
    let definition = Definition { service: "mysql".into(), banner: Some("8.4.8".into()), ..Definition::default() };
    let mut traps = Traps::one(&definition);
    let said = mariadb(traps.port("mysql"), "hunter2").await;
    assert!(said.contains("ERROR 1045 (28000): Access denied"), "{said}");
    let fields = login(&mut traps, "mysql").await.fields;
    assert_eq!(fields["plugin"], "caching_sha2_password");
    // SHA256(password) XOR SHA256(SHA256(SHA256(password)) + salt)
    let once = digest("-sha256", b"hunter2").await;
    let twice = digest("-sha256", &once).await;
    let salted = [twice, bytes(&fields["salt"])].concat();
    assert_eq!(bytes(&fields["scramble"]), xor(&once, &digest("-sha256", &salted).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_gives_its_password_away() {
    let mut traps = Traps::usual();
    let address = format!("postgresql://postgres:hunter2@127.0.0.1:{}/shop?application_name=probe", traps.port("postgresql"));
    let said = printed(&run("psql", &["--no-psqlrc", &address, "-c", "SELECT 1"]).await);
    assert!(said.contains("FATAL:  password authentication failed for user \"postgres\""), "{said}");
    let fields = login(&mut traps, "postgresql").await.fields;
    let told = ["username", "password"].map(|name| fields[name].as_str());
    assert_eq!(told, ["postgres", "hunter2"]);
}

/// MariaDB's older line, as its container images have it.
fn older_mysql() -> Definition {
    let banner = Some("5.5.5-10.11.14-MariaDB-ubu2204".into());
    Definition { service: "mysql".into(), banner, ..Definition::default() }
}

/// Their PostgreSQL modules know its usual port only, so `psql` alone stands for that.
#[tokio::test(flavor = "multi_thread")]
async fn hydra_and_medusa_give_their_tries_at_mysql_away() {
    let mut traps = Traps::usual();
    let url = format!("mysql://127.0.0.1:{}", traps.port("mysql"));
    let said = printed(&run("hydra", &["-I", "-t", "1", "-l", "root", "-p", "hunter2", &url]).await);
    assert!(said.contains("0 valid password"), "{said}");
    assert_eq!(login(&mut traps, "mysql").await.fields["username"], "root");
    // It leaves a server of today alone, real or not.
    let mut traps = Traps::one(&older_mysql());
    let port = traps.port("mysql").to_string();
    let said = printed(&run("medusa", &["-h", "127.0.0.1", "-n", &port, "-u", "admin", "-p", "x", "-M", "mysql"]).await);
    assert_eq!(login(&mut traps, "mysql").await.fields["username"], "admin", "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hydra_sends_to_vnc_can_be_checked_against_a_password() {
    let mut traps = Traps::usual();
    let url = format!("vnc://127.0.0.1:{}", traps.port("vnc"));
    let said = printed(&run("hydra", &["-I", "-t", "1", "-p", "hunter2", &url]).await);
    assert!(said.contains("0 valid password"), "{said}");
    is_made_with(*b"hunter2\0", &login(&mut traps, "vnc").await.fields).await;
}

/// The answer to VNC's challenge is DES with the password as key, each of its bytes turned round.
async fn is_made_with(password: [u8; 8], fields: &BTreeMap<String, String>) {
    let key: String = password.iter().map(|byte| format!("{:02x}", byte.reverse_bits())).collect();
    let challenge = Scratch::new("challenge", &bytes(&fields["challenge"]));
    let des = ["enc", "-des-ecb", "-nopad", "-provider", "legacy", "-provider", "default", "-K", &key, "-in", challenge.path()];
    let output = run("openssl", &des).await;
    assert!(output.status.success(), "{}", printed(&output));
    assert_eq!(output.stdout, bytes(&fields["response"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_them_for_what_they_play() {
    let traps = Traps::usual();
    let ports = ["mysql", "vnc"].map(|trap| traps.port(trap).to_string()).join(",");
    // This nmap knows no MariaDB of today, real or not, but by what its scripts learn.
    let expected = ["11.8.9-MariaDB-0+deb13u1 from Debian", "VNC (protocol 3.8)"];
    nmap(&["-sV", "--script", "default", "-Pn", "-n", "-p", &ports, "127.0.0.1"], &expected).await;
    // Anywhere else nmap finds TLS first, and nothing inside, as it does of a real one.
    let service = Service::define(&Definition { service: "postgresql".into(), ..Definition::default() }, &Persona::of([7; 32]));
    let usual_port = vec![([127, 91, 0, 1], 5_432).into()];
    let postgresql = TrapOptions { name: "postgresql".into(), service: service.unwrap(), listen: usual_port };
    let _traps = Traps::open(Options { traps: vec![postgresql], dark: None, limits: quick() });
    nmap(&["-sV", "-Pn", "-n", "-p", "5432", "127.91.0.1"], &["PostgreSQL DB 9.6.0 or later"]).await;
    let older = Traps::one(&older_mysql());
    nmap(&["-sV", "-Pn", "-n", "-p", &older.port("mysql").to_string(), "127.0.0.1"], &["MySQL 5.5.5-10.11.14-MariaDB-ubu2204"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_and_openssl_log_in_inside_tls() {
    let mut traps = Traps::usual();
    let port = traps.port("postgresql");
    let address = format!("postgresql://postgres:hunter2@127.0.0.1:{port}/shop?sslmode=require");
    let said = printed(&run("psql", &["--no-psqlrc", &address, "-c", "SELECT 1"]).await);
    assert!(said.contains("FATAL:  password authentication failed for user \"postgres\""), "{said}");
    let first = traps.visit_where(|visit| visit.fields.contains_key("tls_version")).await.fields;
    assert_eq!((first["tls_version"].as_str(), first["ja4"].starts_with("t13")), ("TLSv1_3", true));
    let fields = login(&mut traps, "postgresql").await.fields;
    assert_eq!(["username", "password"].map(|name| fields[name].as_str()), ["postgres", "hunter2"]);
    let server = format!("127.0.0.1:{port}");
    for way in [&["-starttls", "postgres"][..], &["-alpn", "postgresql"], &["-alpn", "foo"]] {
        let said = printed(&run("openssl", &[&["s_client", "-connect", &server], way].concat()).await);
        assert_eq!(said.contains("CN = srv01"), way != ["-alpn", "foo"], "{said}");
    }
    let script = format!(
        "import socket,ssl\ns=ssl._create_unverified_context().wrap_socket(socket.create_connection(('127.0.0.1',{port})))\nprint(s.recv(9))"
    );
    assert_eq!(printed(&run("python3", &["-c", &script]).await), "b''\n", "who names no protocol inside is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_logs_in_inside_tls() {
    let mut traps = Traps::usual();
    let port = traps.port("mysql").to_string();
    let arguments =
        ["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", "root", "--password=hunter2", "--ssl", "-e", "SELECT 1"];
    let said = printed(&run("mariadb", &arguments).await);
    assert!(said.contains("ERROR 1698 (28000): Access denied for user 'root'@'localhost'"), "{said}");
    let fields = login(&mut traps, "mysql").await.fields;
    assert_eq!((fields["username"].as_str(), fields["plugin"].as_str()), ("root", "mysql_native_password"));
    assert!(fields["scramble"].len() == 40 && fields["ja4"].starts_with("t1"), "{fields:?}");
}

/// `password`, as VNC's programs keep it (DES with a key that is the same everywhere).
const KEPT_PASSWORD: [u8; 8] = [0xdb, 0xd8, 0x3c, 0xfd, 0x72, 0x7a, 0x14, 0x58];

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_refused_and_its_answer_can_be_checked() {
    let mut traps = Traps::usual();
    let folder = std::env::temp_dir().join(format!("honeymesh-viewer-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let [kept, picture] = ["passwd", "picture.jpg"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    std::fs::write(&kept, KEPT_PASSWORD).unwrap();
    // It counts screens from this port on.
    let screen = format!("127.0.0.1:{}", traps.port("vnc") - 5_900);
    let output = run("vncsnapshot", &["-passwd", &kept, &screen, &picture]).await;
    let has_picture = std::fs::exists(&picture).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(!has_picture && printed(&output).contains("authentication failed"), "{}", printed(&output));
    is_made_with(*b"password", &login(&mut traps, "vnc").await.fields).await;
}

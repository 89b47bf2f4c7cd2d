//! Uploads to the FTP trap by real clients, on ports of their own; and who gets nothing there.

use crate::support::{Traps, printed, quick, run};
use honeymesh_trap::{Limits, Options, TrapOptions};
use honeymesh_trap_proto::{Definition, Persona, Service};
use honeymesh_types::{Shape, Signs, Visit};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(20);
/// An executable, as the recognisers know one.
const PROGRAM: &[u8] = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0";

fn traps(limits: Limits) -> Traps {
    let service = Service::define(&Definition { service: "ftp".into(), ..Definition::default() }, &Persona::of([7; 32])).unwrap();
    let trap = |name: &str, listen: &str| TrapOptions {
        name: name.into(),
        service: service.clone(),
        listen: vec![listen.parse().unwrap()],
    };
    Traps::open(Options { traps: vec![trap("ftp", "127.0.0.1:0"), trap("ftp6", "[::1]:0")], dark: None, limits })
}

/// A file to bring, with something of its own behind the program's head; it goes with this.
struct Brought(PathBuf);

impl Brought {
    fn new(more: &str) -> Self {
        let path = std::env::temp_dir().join(format!("honeymesh-ftp-{more}-{}", std::process::id()));
        std::fs::write(&path, [PROGRAM, more.as_bytes()].concat()).unwrap();
        Self(path)
    }
}

impl Drop for Brought {
    fn drop(&mut self) {
        let _unless_it_is_gone = std::fs::remove_file(&self.0);
    }
}

async fn upload(traps: &mut Traps) -> Visit {
    traps.visit_where(|visit| visit.signs.contains(Signs::UPLOAD)).await
}

/// Who speaks FTP by hand.
struct Client(TcpStream);

impl Client {
    async fn of(traps: &Traps, trap: &str) -> Self {
        let mut client = Self(TcpStream::connect(traps.address(trap)).await.unwrap());
        assert!(client.line().await.starts_with("220 "));
        client
    }

    async fn inside(traps: &Traps, trap: &str) -> Self {
        let mut client = Self::of(traps, trap).await;
        assert!(client.says("USER anonymous").await.starts_with("331 "));
        assert!(client.says("PASS a@b").await.starts_with("230 "));
        assert!(client.says("CWD incoming").await.starts_with("250 "));
        client
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.push(timeout(PATIENCE, self.0.read_u8()).await.expect("no answer").unwrap());
        }
        String::from_utf8(line).unwrap()
    }

    async fn says(&mut self, words: &str) -> String {
        self.0.write_all(format!("{words}\r\n").as_bytes()).await.unwrap();
        self.line().await
    }

    /// A port for data.
    async fn port(&mut self) -> Option<SocketAddr> {
        let said = self.says("EPSV").await;
        let port = said.strip_prefix("229 Entering Extended Passive Mode (|||")?.strip_suffix("|)\r\n")?.parse().unwrap();
        Some(SocketAddr::new(self.0.peer_addr().unwrap().ip(), port))
    }
}

async fn from(own: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(own.parse::<IpAddr>().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_brings_a_file_however_it_opens_its_port() {
    let mut traps = traps(quick());
    let file = Brought::new("curl");
    let path = file.0.to_str().unwrap();
    let cases: [(&str, &str, &[&str]); 4] = [
        ("ftp", "127.0.0.1", &[]),
        ("ftp", "127.0.0.1", &["--disable-epsv"]),
        ("ftp6", "[::1]", &[]),
        ("ftp", "127.0.0.1", &["-a"]),
    ];
    let mut payloads = Vec::new();
    for (turn, (trap, host, more)) in cases.into_iter().enumerate() {
        let url = format!("ftp://{host}:{}/incoming/bot{turn}.elf", traps.port(trap));
        let curl = run("curl", &[&["-sS", "-g", "-m", "20", "-T", path, &url], more].concat()).await;
        assert!(curl.status.success(), "{trap} {more:?}: {}", printed(&curl));
        let said = traps.visit_where(|visit| visit.fields.contains_key("password")).await;
        assert_eq!((said.fields["username"].as_str(), said.fields["password"].as_str()), ("anonymous", "ftp@example.com"));
        assert!(said.payload.starts_with(b"USER anonymous\r\nPASS ftp@example.com\r\n"));
        assert!(said.signs.is_empty(), "a name that everybody has is no guess: {:?}", said.signs);
        let brought = upload(&mut traps).await;
        assert_eq!((brought.trap.as_str(), brought.session, brought.signs), (trap, said.session, Signs::UPLOAD));
        assert_eq!(brought.payload, [PROGRAM, b"curl"].concat(), "the file and nothing else");
        assert_eq!(brought.fields["upload"], format!("/incoming/bot{turn}.elf"));
        assert_eq!((brought.fields["upload_bytes"].as_str(), brought.bytes), ("28", 28));
        assert!(brought.marks.as_ref().unwrap().shapes.contains_key(&Shape::Executable), "it is known for what it is");
        assert!(brought.fields["file"].starts_with("ELF 32-bit"), "{:?}", brought.fields);
        payloads.push(brought.payload);
    }
    assert!(payloads.windows(2).all(|two| two[0] == two[1]), "stored once");
    assert_eq!((traps.status("ftp").transfers, traps.status("ftp6").transfers), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn lftp_lists_brings_and_looks_again() {
    let mut traps = traps(quick());
    let file = Brought::new("lftp");
    for (trap, host) in [("ftp", "127.0.0.1"), ("ftp6", "[::1]")] {
        let script = format!(
            "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 10; set ftp:ssl-allow no; open ftp://{host}:{}; ls; cd incoming; \
             mkdir d; put {} -o x.bin; ls; mv x.bin y.bin; ls; rm y.bin; rmdir d; ls; bye",
            traps.port(trap),
            file.0.display()
        );
        let lftp = run("lftp", &["--norc", "-c", &script]).await;
        let said = printed(&lftp);
        assert!(lftp.status.success(), "{said}");
        assert!(said.contains(" incoming") && said.contains(" pub"), "{said}");
        assert_eq!(
            (said.matches("  28 ").count(), said.matches(" x.bin").count(), said.matches(" y.bin").count()),
            (2, 1, 1),
            "{said}"
        );
        let brought = upload(&mut traps).await;
        assert_eq!((brought.fields["upload"].as_str(), brought.payload), ("/incoming/x.bin", [PROGRAM, b"lftp"].concat()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_else_connects_to_the_port_gets_nothing_and_is_not_heard() {
    let mut traps = traps(quick());
    let mut client = Client::inside(&traps, "ftp").await;
    let at = client.port().await.unwrap();
    let mut thief = from("127.0.0.66", at).await;
    let _unless_it_is_shut = thief.write_all(b"stolen").await;
    let heard = timeout(PATIENCE, thief.read(&mut [0; 64])).await.expect("the thief is kept");
    assert!(matches!(heard, Ok(0) | Err(_)), "{heard:?}");
    let mut data = from("127.0.0.1", at).await;
    client.0.write_all(b"STOR mine\r\n").await.unwrap();
    assert_eq!(client.line().await, "150 Ok to send data.\r\n");
    data.write_all(b"honest work").await.unwrap();
    drop(data);
    assert_eq!(client.line().await, "226 Transfer complete.\r\n");
    let brought = upload(&mut traps).await;
    assert_eq!(brought.payload, b"honest work");
    assert!(TcpStream::connect(at).await.is_err(), "a port is for one connection");
    drop(client);
    let left = traps.close().await;
    assert!(left.iter().all(|visit| visit.source.ip() == IpAddr::from([127, 0, 0, 1])), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_or_is_too_long_is_told_with_what_there_was() {
    let mut traps = traps(Limits { read_deadline: Duration::from_secs(1), capture_bytes_max: 8_192, ..quick() });
    let mut client = Client::inside(&traps, "ftp").await;
    let mut data = TcpStream::connect(client.port().await.unwrap()).await.unwrap();
    assert!(client.says("STOR cut").await.starts_with("150 "));
    data.write_all(&[b'a'; 1_000]).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    // A reset: nothing is waited for.
    data.set_zero_linger().unwrap();
    drop(data);
    assert_eq!(client.line().await, "426 Failure reading network stream.\r\n");
    let cut = upload(&mut traps).await;
    assert_eq!((cut.payload.len(), cut.fields["upload_bytes"].as_str()), (1_000, "1000"));

    let mut data = TcpStream::connect(client.port().await.unwrap()).await.unwrap();
    assert!(client.says("APPE cut").await.starts_with("150 "));
    data.write_all(&[b'b'; 20_000]).await.unwrap();
    drop(data);
    assert_eq!(client.line().await, "226 Transfer complete.\r\n");
    assert_eq!(client.says("SIZE cut").await, "213 21000\r\n");
    let long = upload(&mut traps).await;
    assert!(long.signs.contains(Signs::TRUNCATED) && long.payload.len() < 8_192 && long.bytes == 20_000, "{:?}", long.signs);

    // Whoever then says no more.
    let data = TcpStream::connect(client.port().await.unwrap()).await.unwrap();
    assert!(client.says("STOR silent").await.starts_with("150 "));
    let silent = upload(&mut traps).await;
    assert_eq!((silent.fields["upload"].as_str(), silent.bytes), ("/incoming/silent", 0));
    assert!(timeout(PATIENCE, client.0.read_u8()).await.unwrap().is_err(), "the session is over");
    drop(data);
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_few_and_who_gets_none_is_told_so() {
    let traps = traps(quick());
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::inside(&traps, "ftp").await);
    }
    for (place, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.port().await.is_some(), place < 4, "{place}");
    }
    assert_eq!(clients[4].says("PASV").await, "425 Failed to establish connection.\r\n");
    assert_eq!(clients[4].says("STOR a").await, "425 Use PORT or PASV first.\r\n");
    assert_eq!(traps.status("ftp").transfers_limited, 2);
    drop(clients.remove(0));
    let reached = async {
        while clients[3].port().await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("no place is ever free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_waits_for_nothing_that_cannot_come() {
    let mut traps = traps(quick());
    let mut client = Client::inside(&traps, "ftp").await;
    let at = client.port().await.unwrap();
    // Who asks for the list and then brings no connection is told after two seconds, as every guest.
    client.0.write_all(b"LIST\r\n").await.unwrap();
    let told = timeout(Duration::from_secs(10), traps.visit()).await.expect("it is never told");
    assert!(told.payload.ends_with(b"LIST\r\n"), "{:?}", told.payload);
    let mut data = TcpStream::connect(at).await.unwrap();
    assert_eq!(client.line().await, "150 Here comes the directory listing.\r\n");
    let mut listing = String::new();
    timeout(PATIENCE, data.read_to_string(&mut listing)).await.unwrap().unwrap();
    assert_eq!((listing.as_str(), client.line().await.as_str()), ("", "226 Directory send OK.\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_finds_an_upload_folder_and_nothing_that_no_server_has() {
    let traps = traps(quick());
    let port = traps.port("ftp").to_string();
    let said =
        printed(&run("nmap", &["-sV", "-Pn", "-n", "-p", &port, "--script", "ftp-anon,ftp-syst,ftp-bounce", "127.0.0.1"]).await);
    assert!(said.contains("Anonymous FTP login allowed (FTP code 230)"), "{said}");
    assert!(said.contains("incoming") && said.contains("[NSE: writeable]") && said.contains("vsftpd 3.0.5"), "{said}");
    assert!(!said.contains("bounce working"), "{said}");
}

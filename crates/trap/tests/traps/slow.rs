//! Slow strangers, and traps that are slow on purpose.

use crate::support::{Traps, each_service, is_alone, play_alone, printed, quick, run};
use honeymesh_trap::Limits;
use honeymesh_types::Signs;
use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

async fn connect_from(source: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// How long an honest visitor waits for the login page.
async fn page(to: SocketAddr) -> Duration {
    let begun = Instant::now();
    let mut stream = connect_from(Ipv4Addr::new(127, 9, 9, 9), to).await;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&answer));
    begun.elapsed()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// One byte now and then keeps a stranger below the read deadline; the session's ends it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn eight_hundred_that_drip_are_held_for_their_time_and_honest_visitors_notice_nothing() {
    const CROWD: u16 = 800;
    // Its memory is the process', in which other tests run.
    if !is_alone() {
        play_alone("slow::eight_hundred_that_drip_are_held_for_their_time_and_honest_visitors_notice_nothing").await;
        return;
    }
    let lasts = Duration::from_secs(4);
    let limits = Limits { read_deadline: Duration::from_secs(2), session_deadline: lasts, ..Limits::default() };
    let mut traps = Traps::open(each_service(limits));
    let (to, before) = (traps.address("http"), resident_kib());
    let mut crowd = Vec::new();
    for index in 0..CROWD {
        let [high, low] = index.to_be_bytes();
        let mut stream = connect_from(Ipv4Addr::new(127, 2, high, low), to).await;
        crowd.push(tokio::spawn(async move {
            let begun = Instant::now();
            while stream.write_all(b"G").await.is_ok() {
                sleep(Duration::from_millis(700)).await;
            }
            begun.elapsed()
        }));
    }
    let (mut waits, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < lasts / 2 {
        waits.push(page(to).await);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(traps.status("http").refused, 0, "there was room for everybody");
    let grown = resident_kib().saturating_sub(before);
    waits.sort();
    eprintln!(
        "{CROWD} that drip: {grown} KiB for both ends; honest visitors waited {:?} (median), {:?} (worst)",
        waits[waits.len() / 2],
        waits[waits.len() - 1]
    );
    assert!(waits[waits.len() / 2] < Duration::from_millis(250), "{waits:?}");
    assert!(grown < 32 * 1_024, "{grown} KiB");
    for one in crowd {
        let held = one.await.unwrap();
        assert!(held < lasts * 3, "{held:?}");
    }
    let mut told = 0;
    while told < CROWD {
        let visit = traps.visit_where(|visit| visit.payload.starts_with(b"G") && !visit.payload.starts_with(b"GE")).await;
        told += u16::from(visit.bytes > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tarpit_tells_a_password_long_before_it_answers() {
    let mut traps = Traps::tarpits(each_service(quick()));
    let mut stream = TcpStream::connect(traps.address("ftp")).await.unwrap();
    stream.write_all(b"USER root\r\nPASS toor\r\n").await.unwrap();
    let visit = traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await;
    assert_eq!((visit.fields["username"].as_str(), visit.fields["password"].as_str()), ("root", "toor"));
    // Asked of the kernel itself: not a byte of the answer is there.
    let stream = stream.into_std().unwrap();
    assert_eq!(stream.peek(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut stream = TcpStream::from_std(stream).unwrap();
    let mut answer = vec![0; 20];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"220 (vsFTPd 3.0.5)\r\n", "and it plays on");
    assert_eq!(traps.status("ftp").slowed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tarpit_holds_a_few_of_each_source_and_plays_to_the_others() {
    let traps = Traps::tarpits(each_service(Limits::default()));
    let mut inside = Vec::new();
    for _ in 0..6 {
        inside.push(TcpStream::connect(traps.address("ftp")).await.unwrap());
    }
    let mut greeting = vec![0; 20];
    inside[5].read_exact(&mut greeting).await.unwrap();
    assert_eq!(greeting, b"220 (vsFTPd 3.0.5)\r\n");
    let status = traps.status("ftp");
    assert_eq!((status.slowed, status.sessions, status.refused), (4, 6, 0));
}

/// What each service over TCP is asked with that does not speak first.
const QUESTIONS: &[(&str, &[u8])] = &[
    ("http", b"GET / HTTP/1.0\r\n\r\n"),
    ("elasticsearch", b"GET / HTTP/1.0\r\n\r\n"),
    ("docker", b"GET /version HTTP/1.0\r\n\r\n"),
    ("redis", b"INFO\r\n"),
    ("memcached", b"stats\r\n"),
    ("postgresql", b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0"),
    ("dns", b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01"),
    ("sip", b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"),
    ("mssql", b"\x12\x01\0\x2f\0\0\x01\0\0\0\x1a\0\x06\x01\0\x20\0\x01\x02\0\x21\0\x01\x03\0\x22\0\x04\x04\0\x26\0\x01\xff\x11\0\0\0\0\0\x02\0\0\0\0\0\0"),
    ("smb", b"\0\0\0\x45\xffSMBr\0\0\0\0\x08\x01\xc8\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\0\xff\xff\0\0\0\x22\0\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0"),
    ("rdp", b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x01\0\0\0"),
    ("ldap", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"),
    ("mongodb", b"\x3b\0\0\0\x3c\x30\0\0\xff\xff\xff\xff\xd4\x07\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff\x14\0\0\0\x10buildinfo\0\x01\0\0\0\0"),
    ("mqtt", b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd"),
    ("modbus", b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01"),
    ("adb", b"CNXN\x01\0\0\x01\0\0\x10\0\x07\0\0\0\x32\x02\0\0\xbc\xb1\xa7\xb1host::\0"),
    ("any", b"GET / HTTP/1.0\r\n\r\n"),
];
/// Those that are spoken behind TLS from the first byte on.
const BEHIND_TLS: [&str; 5] = ["https", "kubernetes", "smtps", "pop3s", "imaps"];
/// Between two bytes, at one percent of the usual wait.
const DRIP: Duration = Duration::from_millis(30);

/// How each is asked; `None`: it is spoken to in datagrams alone.
fn question(service: &str) -> Option<&'static [u8]> {
    let asked = QUESTIONS.iter().find(|(name, _)| *name == service).map(|(_, question)| *question);
    if matches!(service, "ntp" | "snmp" | "tftp" | "ssdp") { None } else { asked.or(Some(b"")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_over_tcp_drips_in_a_tarpit() {
    const BYTES: u32 = 4;
    let mut options = each_service(quick());
    // `dns` and `sip` listen for datagrams on the same port.
    let traps = Traps::tarpits({
        options.traps.retain(|trap| !trap.name.ends_with('6'));
        options
    });
    for (number, &service) in (1..).zip(honeymesh_trap_proto::Service::NAMES) {
        let Some(question) = question(service).filter(|_| !BEHIND_TLS.contains(&service)) else { continue };
        let begun = Instant::now();
        // Each from elsewhere: a source has few places in tarpits.
        let mut stream = connect_from(Ipv4Addr::new(127, 4, 0, number), traps.address(service)).await;
        stream.write_all(question).await.unwrap();
        let mut answer = vec![0; BYTES as usize];
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read_exact(&mut answer)).await;
        read.unwrap_or_else(|_| panic!("{service} says nothing")).unwrap_or_else(|error| panic!("{service}: {error}"));
        // However slow this machine is: no sooner.
        assert!(begun.elapsed() >= DRIP * (BYTES - 1), "{service}: {:?} for {}", begun.elapsed(), answer.escape_ascii());
        assert_eq!(traps.status(service).slowed, 1, "{service}");
    }
}

/// A handshake is not what a stranger is to be held with: without it nothing is learnt of him.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_ends_in_a_tarpit_and_what_is_said_inside_drips() {
    for service in BEHIND_TLS {
        let mut options = each_service(quick());
        options.traps.retain(|trap| trap.name == service);
        let mut traps = Traps::tarpits(options);
        let inside = TcpStream::connect(traps.address(service)).await.unwrap();
        let counted = async {
            while traps.status(service).slowed == 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), counted).await.unwrap_or_else(|_| panic!("{service} is not counted"));
        assert_eq!(traps.status(service).slowed, 1, "{service}");
        drop(inside);
        for version in ["-tls1_2", "-tls1_3"] {
            let address = traps.address(service).to_string();
            let said = printed(&run("openssl", &["s_client", "-brief", version, "-connect", &address]).await);
            assert!(said.contains("CONNECTION ESTABLISHED") && said.contains("srv01"), "{service}: {said}");
        }
        let hello = traps.visit_where(|visit| visit.fields.contains_key("ja4")).await;
        assert!(hello.fields["ja4"].starts_with("t1"), "{service}: {:?}", hello.fields);
    }
    let mut options = each_service(quick());
    options.traps.retain(|trap| trap.name == "https");
    let mut traps = Traps::tarpits(options);
    // The page does not come whole, and is no broken record either.
    let url = format!("https://127.0.0.1:{}/", traps.port("https"));
    let said = printed(&run("curl", &["-sSk", "-m", "8", &url]).await);
    assert!(said.contains("timed out"), "{said}");
    let visit = traps.visit_where(|visit| visit.payload.starts_with(b"GET / ")).await;
    // An address is no name of a server.
    assert!(visit.fields["ja4"].starts_with("t13i"), "{:?}", visit.fields);
}

/// OpenSSH reads lines before the greeting, and waits for it as long as it may.
#[tokio::test(flavor = "multi_thread")]
async fn ssh_reads_babble_and_is_told() {
    let mut traps = Traps::tarpits(each_service(Limits { session_deadline: Duration::from_secs(8), ..quick() }));
    let port = traps.port("ssh").to_string();
    let options =
        ["-F", "/dev/null", "-v", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    let said = printed(&run("ssh", &[&options[..], &["-p", &port, "root@127.0.0.1", "true"]].concat()).await);
    assert!(said.contains("kex_exchange_identification: banner line 0:"), "{said}");
    assert!(!said.contains("remote software version"), "{said}");
    let visit = traps.visit_where(|visit| visit.fields.contains_key("client")).await;
    assert!(visit.fields["client"].starts_with("SSH-2.0-OpenSSH"), "{:?}", visit.fields);
}

/// Who types by hand is told of as silent or half through after two seconds; his password is a report of its own, when it comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_humans_first_password_is_told_as_soon_as_it_is_typed() {
    let mut traps = Traps::open(each_service(Limits::default()));
    for (trap, typed) in [("telnet", ["", "root\r\n", "toor\r\n"]), ("ftp", ["USER ro", "ot\r\n", "PASS toor\r\n"])] {
        let mut stream = TcpStream::connect(traps.address(trap)).await.unwrap();
        let [before, after, password] = typed;
        stream.write_all(before.as_bytes()).await.unwrap();
        let first = traps.visit_where(|visit| visit.trap == trap).await;
        assert!(!first.signs.contains(Signs::CREDENTIALS), "{trap}: {first:?}");
        for words in [after, password] {
            stream.write_all(words.as_bytes()).await.unwrap();
        }
        let visit = traps.visit_where(|visit| visit.trap == trap).await;
        assert!(visit.signs.contains(Signs::CREDENTIALS), "the next that is told: {trap}: {visit:?}");
        assert_eq!((visit.fields["username"].as_str(), visit.fields["password"].as_str()), ("root", "toor"));
        assert_eq!(traps.status(trap).active, 1, "{trap}: while he is still in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_told_seconds_before_curl_hears_that_it_is_wrong() {
    let mut traps = Traps::open(each_service(Limits::default()));
    let url = format!("ftp://root:toor@127.0.0.1:{}/", traps.port("ftp"));
    let begun = Instant::now();
    let client = tokio::spawn(async move { (run("curl", &["-sS", &url]).await.status.code(), begun.elapsed()) });
    traps.visit_where(|visit| visit.signs.contains(Signs::CREDENTIALS)).await;
    let told = begun.elapsed();
    let (code, refused) = client.await.unwrap();
    assert_eq!(code, Some(67), "login denied");
    assert!(refused - told > Duration::from_secs(1) && refused > Duration::from_secs(2), "told {told:?}, refused {refused:?}");
}

//! Strangers that break off, drip, stay silent, flood or come in crowds.

use crate::support::{Traps, clock, each_service, is_alone, play_alone, quick};
use honeymesh_trap::{Limits, Options, TrapOptions, bind};
use honeymesh_trap_proto::{Definition, Persona, Service};
use honeymesh_types::{SessionId, Signs};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

const SHORT: Duration = Duration::from_millis(150);
/// So short that no test waits long, and long enough for a few bytes of whoever is slow.
const LONGER: Duration = Duration::from_secs(1);

async fn connect_from(source: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Closes with a reset, as a connect scan does.
fn reset(stream: TcpStream) -> SocketAddr {
    let address = stream.local_addr().unwrap();
    stream.set_zero_linger().unwrap();
    drop(stream);
    address
}

async fn line(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_right_after_the_handshake_is_reported_with_the_right_source() {
    let mut traps = Traps::usual();
    for trap in ["ssh", "http", "ftp", "script", "http6"] {
        let to = traps.address(trap);
        let source = reset(TcpStream::connect(to).await.unwrap());
        let visit = traps.visit().await;
        assert_eq!((visit.trap.as_str(), visit.source, visit.local, visit.bytes), (trap, source, to, 0));
        assert_eq!(visit.signs, Signs::empty(), "closed at once is not silent until the deadline");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_talks_as_its_rules_say() {
    let mut traps = Traps::usual();
    let mut stream = TcpStream::connect(traps.address("script")).await.unwrap();
    assert_eq!(line(&mut stream).await, "220 mail ESMTP Postfix\r\n");
    stream.write_all(b"ehlo bot\r\nfoo\r\nVRFY root\r\n").await.unwrap();
    for answer in ["250 mail\r\n", "502 5.5.2 Error: command not recognized\r\n", "252 2.0.0\r\n"] {
        assert_eq!(line(&mut stream).await, answer);
    }
    let hostile = traps.visit().await;
    assert_eq!((hostile.signs, hostile.payload.as_slice()), (Signs::RULE, b"ehlo bot\r\nfoo\r\nVRFY root\r\n".as_slice()));
    assert_eq!((hostile.fields["client"].as_str(), hostile.fields["argument"].as_str()), ("bot", "root"));
    stream.write_all(b"QUIT\r\n").await.unwrap();
    assert_eq!(line(&mut stream).await, "221 2.0.0 Bye\r\n");
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
    let last = traps.visit().await;
    assert_eq!((last.session, last.payload.as_slice()), (hostile.session, b"QUIT\r\n".as_slice()));
    drop(stream);
    // What is handed over is counted right behind it.
    while traps.status("script").reports < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    let status = traps.status("script");
    assert_eq!((status.sessions, status.bytes, status.reports, status.refused), (1, 32, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_at_the_read_deadline() {
    let mut traps = Traps::open(each_service(Limits { read_deadline: SHORT, ..Limits::default() }));
    let mut silent = TcpStream::connect(traps.address("http")).await.unwrap();
    let visit = traps.visit().await;
    assert_eq!((visit.bytes, visit.signs), (0, Signs::SILENT));
    assert_eq!(silent.read(&mut [0; 9]).await.unwrap(), 0, "closed");
    // Longer than it takes to begin to speak.
    let mut traps = Traps::open(each_service(Limits { read_deadline: LONGER, ..Limits::default() }));
    let mut half = TcpStream::connect(traps.address("http")).await.unwrap();
    half.write_all(b"GET /half").await.unwrap();
    let visit = traps.visit().await;
    assert_eq!(
        (visit.payload.as_slice(), visit.signs, visit.fields["request"].as_str()),
        (b"GET /half".as_slice(), Signs::empty(), "GET /half")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_drip_ends_at_the_session_deadline() {
    let limits = Limits { read_deadline: Duration::from_secs(60), session_deadline: LONGER * 2, ..Limits::default() };
    let mut traps = Traps::open(each_service(limits));
    let mut stream = TcpStream::connect(traps.address("http")).await.unwrap();
    let drip = async {
        while stream.write_all(b"G").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let (visit, ()) = tokio::join!(traps.visit(), drip);
    assert!(visit.bytes > 0 && visit.payload.iter().all(|byte| *byte == b'G'));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_source_gets_its_share_and_its_first_refusal_is_told() {
    let mut traps = Traps::open(each_service(Limits { sessions_per_source_max: 3, ..Limits::default() }));
    let (greedy, other) = (Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2));
    let to = traps.address("ftp");
    let mut inside = Vec::new();
    for _ in 0..3 {
        let mut stream = connect_from(greedy, to).await;
        assert_eq!(line(&mut stream).await, "220 (vsFTPd 3.0.5)\r\n");
        inside.push(stream);
    }
    for _ in 0..5 {
        assert_eq!(connect_from(greedy, to).await.read(&mut [0; 9]).await.unwrap_or(0), 0, "refused");
    }
    let told = traps.visit_where(|visit| visit.session == SessionId(4)).await;
    assert_eq!((told.source.ip(), told.bytes), (IpAddr::V4(greedy), 0));
    assert_eq!(line(&mut connect_from(other, to).await).await, "220 (vsFTPd 3.0.5)\r\n", "others come in");
    let status = traps.status("ftp");
    assert_eq!((status.refused, status.sessions), (5, 4));
    drop(inside);
    while traps.status("ftp").active > 0 {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(line(&mut connect_from(greedy, to).await).await, "220 (vsFTPd 3.0.5)\r\n", "and it again, once it left");
}

/// Places in the house that one neighbourhood fills.
const HOUSE: usize = 48;

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbourhood_that_fills_the_house_keeps_nobody_else_out_and_is_told_whole() {
    let limits = Limits { sessions_max: HOUSE, sessions_per_source_max: 4, ..quick() };
    let mut traps = Traps::open(each_service(limits));
    let to = traps.address("ftp");
    let greeting = "220 (vsFTPd 3.0.5)\r\n";
    let mut crowd = Vec::new();
    for index in 0..u8::try_from(HOUSE).unwrap() {
        let mut stream = connect_from(Ipv4Addr::new(127, 8, 0, 1 + index / 4), to).await;
        assert_eq!(line(&mut stream).await, greeting);
        crowd.push(stream);
    }
    assert_eq!(connect_from(Ipv4Addr::new(127, 8, 0, 99), to).await.read(&mut [0; 9]).await.unwrap_or(0), 0, "no more of them");
    // The first of them speaks: it is not the first to go.
    crowd[0].write_all(b"USER root\r\n").await.unwrap();
    assert!(line(&mut crowd[0]).await.starts_with("331"));
    crowd[0].write_all(b"PASS toor\r\n").await.unwrap();
    let mut told = vec![traps.visit().await];
    while !told.iter().any(|visit| visit.fields.get("password").is_some_and(|password| password == "toor")) {
        told.push(traps.visit().await);
    }
    let mut others = Vec::new();
    for third in 1..=8 {
        let mut stream = connect_from(Ipv4Addr::new(127, 8, third, 1), to).await;
        assert_eq!(line(&mut stream).await, greeting, "whoever comes from elsewhere is served");
        others.push(stream);
    }
    for gone in &mut crowd[1..=8] {
        assert_eq!(gone.read(&mut [0; 9]).await.unwrap_or(0), 0, "those who were silent longest have left");
    }
    assert!(line(&mut crowd[0]).await.starts_with("530"), "and who spoke is played to");
    let status = traps.status("ftp");
    assert_eq!((status.gave_way, status.refused, status.sessions), (8, 1, HOUSE as u64 + 8));
    while traps.status("ftp").active > HOUSE as u64 {
        sleep(Duration::from_millis(5)).await;
    }
    drop((crowd, others));
    told.append(&mut traps.close().await);
    let mut sessions: Vec<u64> = told.iter().map(|visit| visit.session.0).collect();
    sessions.sort_unstable();
    sessions.dedup();
    assert!(sessions.into_iter().eq(1..=HOUSE as u64 + 9), "each is told, whoever was refused or gave way, too");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_strangers_are_bounded() {
    // Its memory is the process', in which other tests run.
    if !is_alone() {
        play_alone("sockets::a_thousand_idle_strangers_are_bounded").await;
        return;
    }
    let limits = Limits { sessions_max: 600, sessions_per_source_max: 100_000, ..Limits::default() };
    let mut traps = Traps::open(each_service(limits));
    let before = resident_kib();
    let mut crowd = Vec::new();
    for index in 0..1_000_u16 {
        let [high, low] = index.to_be_bytes();
        crowd.push(connect_from(Ipv4Addr::new(127, 1, high, low), traps.address("http")).await);
    }
    // Everybody who did not get in is reported, and whoever gave way, so nobody hides in the crowd.
    for _ in 0..400 {
        let visit = traps.visit().await;
        assert_eq!((visit.bytes, visit.signs), (0, Signs::empty()));
    }
    let mut status = traps.status("http");
    while status.refused + status.gave_way < 400 || status.active > 600 {
        sleep(Duration::from_millis(5)).await;
        status = traps.status("http");
    }
    assert_eq!((status.active, status.refused + status.gave_way, status.reports_lost), (600, 400, 0));
    assert!(status.gave_way >= 62, "the last of four /24 has as many as the others: {status:?}");
    let grown = resident_kib().saturating_sub(before);
    eprintln!("1,000 connections, 600 open: {grown} KiB for both ends");
    assert!(grown < 32 * 1_024, "{grown} KiB");
    assert_eq!(traps.close().await.len(), 600, "the others are told when the traps close");
    drop(crowd);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_traps_close_when_nobody_listens_to_them() {
    let bound = bind(each_service(Limits::default())).unwrap();
    let (sender, visits) = mpsc::channel(1);
    drop(visits);
    timeout(Duration::from_secs(10), bound.run(sender, clock, std::future::pending())).await.expect("they stay open").unwrap();
}

fn trap_on(address: SocketAddr) -> Options {
    let service = Service::define(&Definition { service: "ssh".into(), ..Definition::default() }, &Persona::of([7; 32])).unwrap();
    Options {
        traps: vec![TrapOptions { name: "bait".into(), service, listen: vec![address] }],
        dark: None,
        limits: Limits::default(),
    }
}

#[test]
fn an_address_that_cannot_be_bound_is_named_with_the_mend() {
    let taken = bind(trap_on("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = taken.addresses()[0].1;
    let error = bind(trap_on(address)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("trap `bait` cannot listen on {address}: Address already in use")), "{error}");
    assert!(error.contains("another program has this port"), "{error}");
    let error = bind(trap_on("192.0.2.1:2222".parse().unwrap())).unwrap_err().to_string();
    assert!(error.contains("this machine does not have the address"), "{error}");
}

/// Times that a port is asked for.
const PORTS_TRIED: usize = 10;

#[test]
fn both_wildcards_can_have_the_same_port() {
    // The port that the kernel gave to one may be another program's on the other: then another one is asked for.
    let both = (0..PORTS_TRIED).find_map(|_| {
        let v4 = bind(trap_on("0.0.0.0:0".parse().unwrap())).unwrap();
        let port = v4.addresses()[0].1.port();
        let v6 = bind(trap_on(SocketAddr::new("::".parse().unwrap(), port))).ok()?;
        Some((v6.addresses()[0].1.port(), port))
    });
    let (v6, v4) = both.expect("a port that both can have");
    assert_eq!(v6, v4);
}

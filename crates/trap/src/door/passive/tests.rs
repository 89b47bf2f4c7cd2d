//! Ports of sessions, as a process wants them that may have been taken over.

use crate::{
    door::taken_over::{PATIENCE, SILENCE, TakenOver},
    limits::PORTS_MAX,
    wire::{Admission, Evidence},
};
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    time::{Instant, pause, resume, sleep, timeout},
};

/// The same as in the table of ports.
const OF_SOURCE_MAX: usize = 4;
const OF_SESSION_MAX: usize = 256;
/// Any number of a wish: the daemon says it again.
const WISH: u16 = 0x0102;
const WISHES_OF_SESSION_MAX: u64 = 512;

async fn from(own: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if to.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    socket.bind(own.parse().unwrap())?;
    socket.connect(to).await
}

/// Somebody who is in, and the number of his session.
async fn guest(kept: &TakenOver, own: &str) -> (TcpStream, u64) {
    let stream = from(own, kept.address).await.unwrap();
    match kept.admission().await {
        (Admission::Admit { session, .. }, Some(_)) => (stream, session),
        other => panic!("{other:?}"),
    }
}

/// Wants a port for a session: where it is.
async fn port(kept: &TakenOver, session: u64) -> Option<SocketAddr> {
    kept.say(&Evidence::Listen { session, wish: WISH });
    match kept.admission().await {
        (Admission::Listening { session: of, wish: WISH, at }, None) if of == session => at,
        other => panic!("{other:?}"),
    }
}

/// Does nobody listen there any more, after a moment? Nobody connects to see it, who might be taken for whom the port waits for.
async fn is_closed(port: SocketAddr) -> bool {
    let closed = async {
        while TcpListener::bind(port).is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed).await.is_ok()
}

#[tokio::test]
async fn who_a_session_belongs_to_is_handed_over_once_and_nobody_else_is() {
    for (listen, own) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        let kept = TakenOver::playing("ftp", listen);
        let (_guest, session) = guest(&kept, own).await;
        let at = port(&kept, session).await.unwrap();
        assert_eq!(at.ip(), kept.address.ip(), "where he came to");
        assert_ne!(at.port(), kept.address.port());
        if listen.starts_with('1') {
            let mut other = from("127.0.0.2:0", at).await.unwrap();
            let end = timeout(PATIENCE, other.read(&mut [0; 8])).await.unwrap();
            assert!(matches!(end, Ok(0) | Err(_)), "he is shut out: {end:?}");
            assert!(kept.hears_nothing().await, "and not handed over");
        }
        let _data = from(own, at).await.unwrap();
        match kept.admission().await {
            (Admission::Join { session: of, wish }, Some(_)) => assert_eq!((of, wish), (session, WISH)),
            other => panic!("{other:?}"),
        }
        assert!(is_closed(at).await, "for one connection");
        kept.eventually(|status| (status.transfers, status.transfers_limited) == (1, 0)).await;
    }
}

#[tokio::test]
async fn there_are_ports_for_those_only_who_are_in_and_may_have_them() {
    let kept = TakenOver::playing("ftp", "127.0.0.1:0");
    let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
    for nobody in [0, session + 1, u64::MAX, (1 << 48) + 1] {
        kept.say(&Evidence::Listen { session: nobody, wish: WISH });
    }
    kept.until_strays(4).await;
    assert!(kept.hears_nothing().await);
    let kept = TakenOver::playing("telnet", "127.0.0.1:0");
    let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
    kept.say(&Evidence::Listen { session, wish: WISH });
    kept.until_strays(1).await;
    assert!(kept.hears_nothing().await, "a service that wants none has none");
    assert_eq!(kept.status().transfers, 0);
}

#[tokio::test]
async fn a_session_has_one_port_and_it_closes_when_the_session_ends() {
    let kept = TakenOver::playing("ftp", "127.0.0.1:0");
    let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
    let first = port(&kept, session).await.unwrap();
    let second = port(&kept, session).await.unwrap();
    assert!(is_closed(first).await, "another one takes its place");
    drop(from("127.0.0.2:0", second).await.unwrap());
    kept.say(&Evidence::Over { session, lost: 0, fault: b"" });
    assert!(is_closed(second).await);
    kept.say(&Evidence::Listen { session, wish: WISH });
    kept.until_strays(1).await;
    // The process is gone, and with it all its sessions.
    let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
    let third = port(&kept, session).await.unwrap();
    kept.say(&Evidence::Gone { status: 9, pause_ms: 10 });
    assert!(is_closed(third).await);
}

#[tokio::test]
async fn one_source_has_a_part_of_the_ports_and_all_together_so_many() {
    let kept = TakenOver::playing("ftp", "127.0.0.1:0");
    let mut guests = Vec::new();
    for _ in 0..=OF_SOURCE_MAX {
        guests.push(guest(&kept, "127.0.0.1:0").await);
    }
    for (place, (_, session)) in guests.iter().enumerate() {
        assert_eq!(port(&kept, *session).await.is_some(), place < OF_SOURCE_MAX);
    }
    kept.eventually(|status| (status.transfers, status.transfers_limited) == (OF_SOURCE_MAX as u64, 1)).await;
    for place in OF_SOURCE_MAX..=PORTS_MAX {
        let (stream, session) = guest(&kept, &format!("127.1.{place}.1:0")).await;
        assert_eq!(port(&kept, session).await.is_some(), place < PORTS_MAX, "{place}");
        guests.push((stream, session));
    }
    kept.say(&Evidence::Over { session: guests[0].1, lost: 0, fault: b"" });
    let (_stream, session) = guest(&kept, "127.0.2.1:0").await;
    assert!(port(&kept, session).await.is_some(), "a place is free again");
}

#[tokio::test]
async fn whoever_wants_ports_without_end_gets_so_many_one_after_the_other() {
    let kept = TakenOver::playing("ftp", "127.0.0.1:0");
    let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
    let mut last = None;
    for turn in 0..OF_SESSION_MAX + 20 {
        let at = port(&kept, session).await;
        assert_eq!(at.is_some(), turn < OF_SESSION_MAX, "{turn}");
        last = at.or(last);
    }
    assert!(is_closed(last.unwrap()).await);
    // Nobody reads what is said of them: nothing is kept back for him, and others are let in.
    for _ in 0..2_000 {
        kept.say_if_there_is_room(&Evidence::Listen { session, wish: WISH });
    }
    sleep(SILENCE).await;
    let _another = from("127.0.0.9:0", kept.address).await.unwrap();
}

/// Wants so many ports for a session, as fast as they are heard: how long that takes.
async fn wants_without_end(kept: &TakenOver, session: u64, wishes: u32) -> Duration {
    pause();
    let begun = Instant::now();
    for _ in 0..wishes {
        while !kept.say_if_there_is_room(&Evidence::Listen { session, wish: WISH }) {
            sleep(Duration::from_millis(1)).await;
        }
    }
    let took = begun.elapsed();
    resume();
    took
}

#[tokio::test]
async fn wishes_without_end_cost_no_processor() {
    const WISHES: u32 = 10_000;
    for others in [0, OF_SOURCE_MAX] {
        let kept = TakenOver::playing("ftp", "127.0.0.1:0");
        let mut guests = Vec::new();
        for _ in 0..others {
            let (stream, session) = guest(&kept, "127.0.0.1:0").await;
            assert!(port(&kept, session).await.is_some());
            guests.push(stream);
        }
        let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
        let took = wants_without_end(&kept, session, WISHES).await;
        assert!(took >= Duration::from_secs(9), "with {others} others it took {took:?}");
        kept.until_strays(u64::from(WISHES) - WISHES_OF_SESSION_MAX).await;
    }
}

#[tokio::test]
async fn a_port_to_which_only_others_come_is_closed() {
    let kept = TakenOver::playing("ftp", "127.0.0.1:0");
    let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
    let at = port(&kept, session).await.unwrap();
    let others = async {
        while from("127.0.0.2:0", at).await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, others).await.expect("it stays open");
    let told = kept.admission().await.0;
    assert_eq!(told, Admission::Listening { session, wish: WISH, at: None }, "the session waits no longer");
    let again = port(&kept, session).await;
    assert!(again.is_some_and(|again| again != at), "the session may have another");
}

#[tokio::test]
async fn a_port_is_open_as_long_as_its_session() {
    let kept = TakenOver::playing("ftp", "127.0.0.1:0");
    let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
    let at = port(&kept, session).await.unwrap();
    pause();
    sleep(Duration::from_secs(290)).await;
    resume();
    let _data = from("127.0.0.1:0", at).await.expect("it has closed");
    assert!(matches!(kept.admission().await, (Admission::Join { session: of, wish: WISH }, Some(_)) if of == session));
}

#[tokio::test]
async fn ports_close_with_the_traps() {
    let kept = TakenOver::playing("ftp", "127.0.0.1:0");
    let (_guest, session) = guest(&kept, "127.0.0.1:0").await;
    let at = port(&kept, session).await.unwrap();
    kept.close().await;
    assert!(is_closed(at).await);
}

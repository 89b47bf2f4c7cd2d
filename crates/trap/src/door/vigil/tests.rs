//! Listeners of dark ports while nobody plays.

use super::UNPLAYED_MAX;
use crate::{
    Household, Limits, News, Options, Room, RoomLine, TrapOptions,
    bind::{Plays, bind},
    door::taken_over::PATIENCE,
    line::lines,
};
use honeymesh_trap_proto::{Bait, Definition, Persona, Service};
use honeymesh_types::{Now, Visit};
use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

/// A trap by name, the traps on dark ports, and the ends of the lines that a process would have.
struct Kept {
    named: SocketAddr,
    /// Where dark ports are handed to, in place of the kernel program; it plays as on a port without a service of its own.
    dark: Vec<SocketAddr>,
    rooms: RoomLine,
    news: mpsc::Receiver<News>,
    /// Room for all that is told.
    _visits: mpsc::Receiver<Visit>,
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

fn ftp() -> Service {
    Service::define(&Definition { service: "ftp".into(), ..Definition::default() }, &Persona::of([7; 32])).unwrap()
}

fn bait() -> Bait {
    Bait::like([].iter(), &Persona::of([7; 32]))
}

fn keep() -> Kept {
    let trap = TrapOptions { name: "bait".into(), service: ftp(), listen: vec!["127.0.0.1:0".parse().unwrap()] };
    let bound = bind(Options { traps: vec![trap], dark: Some(bait()), limits: Limits::default() }).unwrap();
    let (line, rooms) = lines().unwrap();
    let ((visit_sender, visits), (news_sender, news)) = (mpsc::channel(64), mpsc::channel(64));
    let listeners = bound.traps.iter().filter(|trap| trap.plays.is_dark()).flat_map(|trap| &trap.listeners);
    let (named, dark) = (bound.addresses()[0].1, listeners.map(|listener| listener.local_addr().unwrap()).collect());
    let household = Household { visits: visit_sender, news: news_sender, clock: Now::default };
    let (shutdown, wanted) = oneshot::channel();
    let task = tokio::spawn(bound.keep(line, household, async move { drop(wanted.await) }));
    Kept { named, dark, rooms, news, _visits: visits, shutdown, task }
}

impl Kept {
    /// A process begins to play, in a task.
    fn play(&self) -> JoinHandle<io::Result<()>> {
        let plays = vec![Plays::One(ftp()), Plays::Bait(bait())];
        let room = Room::of(plays, Limits::default(), &[], None, None).unwrap();
        tokio::spawn(room.listen(self.rooms.try_clone().unwrap()).unwrap().run())
    }

    async fn told(&mut self, wanted: News) {
        let heard = timeout(PATIENCE, self.news.recv()).await.expect("nothing is told").unwrap();
        assert_eq!(heard, wanted);
    }

    async fn ends(&mut self, player: JoinHandle<io::Result<()>>, pause: Duration) {
        player.abort();
        assert!(player.await.unwrap_err().is_cancelled());
        assert!(self.rooms.tell_gone(9, pause));
        self.told(News::Ended { status: 9 }).await;
    }

    async fn close(self) {
        drop((self.shutdown, self.rooms));
        timeout(PATIENCE, self.task).await.expect("it does not close").unwrap().unwrap();
        for dark in self.dark {
            assert_eq!(TcpStream::connect(dark).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
    }
}

fn began() -> News {
    News::Began { pid: std::process::id() }
}

/// Whoever plays has it; who is only let go hears nothing.
async fn is_played_to(mut guest: TcpStream) {
    guest.readable().await.unwrap();
    assert!(guest.read(&mut [0; 64]).await.unwrap() > 4, "a greeting");
}

#[tokio::test]
async fn a_process_that_is_soon_there_again_closes_nothing_and_loses_nobody() {
    let mut kept = keep();
    let mut player = kept.play();
    let named = TcpStream::connect(kept.named).await.unwrap();
    is_played_to(named).await;
    for _ in 0..4 {
        kept.ends(player, UNPLAYED_MAX / 25).await;
        let mut guests = Vec::new();
        for dark in &kept.dark {
            guests.push(TcpStream::connect(dark).await.expect("still open"));
        }
        player = kept.play();
        kept.told(began()).await;
        for guest in guests {
            // Nothing is said to it before it speaks; it speaks HTTP.
            guest.writable().await.unwrap();
            guest.try_write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            is_played_to(guest).await;
        }
    }
    kept.close().await;
}

#[tokio::test]
async fn a_pause_too_long_closes_dark_ports_at_once_and_traps_by_name_never() {
    let mut kept = keep();
    let mut player = kept.play();
    for _ in 0..3 {
        kept.ends(player, 2 * UNPLAYED_MAX).await;
        kept.told(News::Closed).await;
        for dark in &kept.dark {
            // The doors are shut in the same turn as it is told, or in the next.
            timeout(PATIENCE, async {
                while TcpStream::connect(dark).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            })
            .await
            .expect("it stays open");
            assert_eq!(TcpStream::connect(dark).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        let waits = TcpStream::connect(kept.named).await.expect("a trap by name is served");
        player = kept.play();
        kept.told(began()).await;
        is_played_to(waits).await;
        for dark in kept.dark.clone() {
            let open = async {
                loop {
                    match TcpStream::connect(dark).await {
                        Ok(guest) => return guest,
                        Err(_) => tokio::task::yield_now().await,
                    }
                }
            };
            let guest = timeout(PATIENCE, open).await.expect("it stays closed");
            guest.try_write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            is_played_to(guest).await;
        }
    }
    kept.close().await;
}

#[tokio::test]
async fn without_a_word_of_the_pause_they_close_after_a_moment_and_the_traps_can_end_meanwhile() {
    let mut kept = keep();
    let player = kept.play();
    kept.ends(player, Duration::ZERO).await;
    // An end after an end puts nothing off: whatever began in between has not told that it plays.
    assert!(kept.rooms.tell_gone(9, Duration::ZERO));
    kept.told(News::Ended { status: 9 }).await;
    kept.told(News::Closed).await;
    kept.close().await;
}

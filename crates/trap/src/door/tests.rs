//! The daemon's side against a process that dies, that stands still, or that was taken over.

use super::*;
use crate::{Limits, Options, RoomLine, StatusReader, TrapOptions, bind, line::Arrivals, wire};
use honeymesh_trap_proto::{Definition, Findings, Persona, Service};
use std::{collections::BTreeMap, net::SocketAddr, os::fd::OwnedFd};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout as within},
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Until another one begins to play.
const PAUSE: Duration = Duration::from_millis(10);

/// Doors that are kept, and the ends of the lines that a process would have.
struct Kept {
    address: SocketAddr,
    visits: mpsc::Receiver<Visit>,
    news: mpsc::Receiver<News>,
    status: StatusReader,
    rooms: RoomLine,
    task: JoinHandle<io::Result<()>>,
}

fn service(name: &str) -> Service {
    Service::define(&Definition { service: name.into(), ..Definition::default() }, &Persona::of([7; 32])).unwrap()
}

fn keep(limits: Limits) -> Kept {
    let trap = TrapOptions { name: "bait".into(), service: service("ftp"), listen: vec!["127.0.0.1:0".parse().unwrap()] };
    let bound = bind(Options { traps: vec![trap], dark: None, limits }).unwrap();
    let (line, rooms) = lines().unwrap();
    let ((visit_sender, visits), (news_sender, news)) = (mpsc::channel(64), mpsc::channel(64));
    let (address, status) = (bound.addresses()[0].1, bound.status());
    let household = Household { visits: visit_sender, news: news_sender, clock: Now::default };
    let task = tokio::spawn(bound.keep(line, household, std::future::pending()));
    Kept { address, visits, news, status, rooms, task }
}

impl Kept {
    /// A process begins to play, in a task.
    fn play(&self) -> JoinHandle<io::Result<()>> {
        let room = Room::of(vec![Plays::One(service("ftp"))], Limits::default(), &[], None, None).unwrap();
        tokio::spawn(room.listen(self.rooms.try_clone().unwrap()).unwrap().run())
    }

    /// The lines as somebody has them who took the process over.
    fn take_over(&self) -> (Arrivals, OwnedFd) {
        let (_, evidence) = self.rooms.try_clone().unwrap().into_descriptors();
        (self.rooms.try_clone().unwrap().listen().unwrap().0, evidence)
    }

    async fn visit(&mut self) -> Visit {
        within(PATIENCE, self.visits.recv()).await.expect("no visit came").expect("the doors are closed")
    }

    async fn no_visit(&mut self) {
        let silence = within(Duration::from_millis(200), self.visits.recv()).await;
        assert!(silence.is_err(), "{silence:?}");
    }
}

async fn line(client: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let byte =
            within(PATIENCE, client.read_u8()).await.expect("no answer").unwrap_or_else(|error| panic!("{error}: {line:?}"));
        line.push(byte);
    }
    String::from_utf8(line).unwrap()
}

async fn logs_in(client: &mut TcpStream) {
    client.write_all(b"USER root\r\nPASS toor\r\n").await.unwrap();
    assert!(line(client).await.starts_with("331"));
    assert!(line(client).await.starts_with("530"));
}

async fn eventually(mut is_so: impl FnMut() -> bool) {
    within(PATIENCE, async {
        while !is_so() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("it never became so");
}

#[tokio::test]
async fn when_whoever_plays_dies_its_guests_are_told_and_another_one_plays_for_those_who_come() {
    let mut kept = keep(Limits::default());
    let first = kept.play();
    let mut guest = TcpStream::connect(kept.address).await.unwrap();
    assert!(line(&mut guest).await.starts_with("220"));
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(guest.read(&mut [0; 8]).await.unwrap(), 0, "the session has ended with it");
    assert!(kept.rooms.tell_gone(9, PAUSE));
    let told = kept.visit().await;
    assert_eq!((told.bytes, told.source.ip(), told.trap.as_str()), (0, [127, 0, 0, 1].into(), "bait"));
    assert_eq!(kept.news.recv().await, Some(News::Ended { status: 9 }));

    // Somebody comes while nobody plays, and one after that.
    let mut early = TcpStream::connect(kept.address).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    let _second = kept.play();
    assert_eq!(kept.news.recv().await, Some(News::Began { pid: std::process::id() }));
    for _ in 0..2 {
        assert!(line(&mut early).await.starts_with("220"), "whoever waited is played to");
        logs_in(&mut early).await;
        assert_eq!(kept.visit().await.fields["password"], "toor");
        early = TcpStream::connect(kept.address).await.unwrap();
    }
    assert_eq!(kept.status.house().restarts, 1);
}

#[tokio::test]
async fn nobody_is_a_hiding_place_while_nobody_plays() {
    let mut kept = keep(Limits { sessions_max: 3, ..Limits::default() });
    let crowd: Vec<_> = (0..5).map(|_| std::net::TcpStream::connect(kept.address).unwrap()).collect();
    for _ in 0..2 {
        assert_eq!(kept.visit().await.bytes, 0, "no room: told at once");
    }
    assert!(kept.rooms.tell_gone(11, PAUSE));
    for _ in 0..3 {
        assert_eq!(kept.visit().await.bytes, 0, "never handed over: told, too");
    }
    drop(crowd);
    let status = &kept.status.read()[0];
    assert_eq!((status.active, status.refused, status.reports), (0, 2, 5));
}

#[tokio::test]
async fn a_process_that_was_taken_over_can_accuse_nobody_but_its_guests() {
    let mut kept = keep(Limits::default());
    let (arrivals, evidence) = kept.take_over();
    let _guest = TcpStream::connect(kept.address).await.unwrap();
    let (admission, connection) = arrivals.next(&mut vec![0; wire::ADMISSION_BYTES_MAX]).await.unwrap().unwrap();
    let Admission::Admit { session, .. } = admission else { panic!("{admission:?}") };
    assert!(connection.is_some());
    let say = |session, bytes, payload: &[u8]| {
        let fields = BTreeMap::from([("source".to_owned(), "203.0.113.9".to_owned())]);
        let body = wire::body(&Findings { fields, ..Findings::default() }, None, payload);
        for packet in wire::packets(session, bytes, honeymesh_types::Signs::all(), &body) {
            rustix::io::write(&evidence, &packet).unwrap();
        }
    };
    // About strangers that it makes up, and garbage.
    for session in [0, session + 1, u64::MAX] {
        say(session, 1, b"x");
    }
    for garbage in [&b"\xff\xff"[..], &[2; 5], &[3; 4_096], b"\x04\x01"] {
        rustix::io::write(&evidence, garbage).unwrap();
    }
    kept.no_visit().await;
    // About its guest it can lie, but not about who that is.
    say(session, 1, b"x");
    let visit = kept.visit().await;
    assert_eq!((visit.source.ip(), visit.trap.as_str(), visit.service.as_str()), ([127, 0, 0, 1].into(), "bait", "ftp"));
    // More than a session can have.
    say(session, SESSION_BYTES_MAX * 2, b"x");
    say(session, 0, b"more than was heard");
    say(session, 200_000, &[b'x'; 100_000]);
    kept.no_visit().await;
    for _ in 0..REPORTS_MAX {
        say(session, 0, b"");
        kept.visit().await;
    }
    // And not without end.
    for _ in 0..3 {
        say(session, 0, b"");
        kept.no_visit().await;
    }
    assert!(kept.status.house().strays > 10, "{:?}", kept.status.house());
    let over = Evidence::Over { session, lost: 0, fault: b"\x1b[2Jforged\nline" };
    rustix::io::write(&evidence, &over.to_bytes()).unwrap();
    eventually(|| kept.status.read()[0].active == 0).await;
    say(session, 1, b"x");
    kept.no_visit().await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_tells_an_end_keeps_no_place_for_ever() {
    let mut kept = keep(Limits { sessions_max: 1, ..Limits::default() });
    let (arrivals, _evidence) = kept.take_over();
    let _guest = std::net::TcpStream::connect(kept.address).unwrap();
    let _taken = arrivals.next(&mut vec![0; wire::ADMISSION_BYTES_MAX]).await.unwrap().unwrap();
    let told = kept.visits.recv().await.unwrap();
    assert_eq!(told.bytes, 0, "it is told when it is given up");
    assert_eq!((kept.status.house().overdue, kept.status.read()[0].active), (1, 0));
    let _next = std::net::TcpStream::connect(kept.address).unwrap();
    assert!(arrivals.next(&mut vec![0; wire::ADMISSION_BYTES_MAX]).await.unwrap().is_some(), "the place is free");
}

#[tokio::test]
async fn without_anybody_who_could_play_the_doors_close_with_an_error() {
    let kept = keep(Limits::default());
    drop(kept.rooms);
    let ended = within(PATIENCE, kept.task).await.unwrap().unwrap();
    assert!(ended.unwrap_err().to_string().contains("nobody plays any more"));
}

#[tokio::test]
async fn what_waits_for_room_when_the_traps_close_is_told_once_there_is_some_and_else_counted() {
    for is_read in [true, false] {
        let trap = TrapOptions { name: "bait".into(), service: service("ftp"), listen: vec!["127.0.0.1:0".parse().unwrap()] };
        let bound = bind(Options { traps: vec![trap], dark: None, limits: Limits::default() }).unwrap();
        let (line_in, rooms) = lines().unwrap();
        let (address, status) = (bound.addresses()[0].1, bound.status());
        // Room for one visit.
        let (visit_sender, mut visits) = mpsc::channel(1);
        let household = Household { visits: visit_sender, news: mpsc::channel(1).0, clock: Now::default };
        let (shutdown, wanted) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(bound.keep(line_in, household, async move { drop(wanted.await) }));
        let room = Room::of(vec![Plays::One(service("ftp"))], Limits::default(), &[], None, None).unwrap();
        let playing = tokio::spawn(room.listen(rooms).unwrap().run());
        let mut guests = Vec::new();
        for told in [1, 2] {
            let mut guest = TcpStream::connect(address).await.unwrap();
            assert!(line(&mut guest).await.starts_with("220"));
            logs_in(&mut guest).await;
            // The octets are counted before there is room for the visit.
            eventually(|| status.read()[0].bytes == told * 22).await;
            guests.push(guest);
        }
        assert_eq!((status.read()[0].reports, status.read()[0].reports_lost), (1, 0), "one is told, and one waits");
        drop(shutdown);
        sleep(Duration::from_millis(50)).await;
        let mut heard = 0;
        while is_read && within(PATIENCE, visits.recv()).await.expect("they do not close").is_some() {
            heard += 1;
        }
        within(PATIENCE, task).await.expect("they do not close").unwrap().unwrap();
        playing.await.unwrap().unwrap();
        let status = &status.read()[0];
        let expected = if is_read { (2, 2, 0) } else { (0, 1, 1) };
        assert_eq!((heard, status.reports, status.reports_lost), expected);
    }
}

#[tokio::test]
async fn what_stands_in_the_pipe_behind_a_report_without_room_is_counted_too() {
    const GUESTS: u64 = 6;
    const TYPED: u64 = "USER root\r\nPASS toor\r\n".len() as u64;
    let limits = Limits { delay_percent: 1, ..Limits::default() };
    let trap = TrapOptions { name: "bait".into(), service: service("ftp"), listen: vec!["127.0.0.1:0".parse().unwrap()] };
    let bound = bind(Options { traps: vec![trap], dark: None, limits }).unwrap();
    let (line_in, rooms) = lines().unwrap();
    let (address, status) = (bound.addresses()[0].1, bound.status());
    // Room for each guest's first word. Whoever was never told of is counted at the end in any case; these were.
    let (visit_sender, visits) = mpsc::channel(usize::try_from(GUESTS).unwrap());
    let household = Household { visits: visit_sender, news: mpsc::channel(1).0, clock: Now::default };
    let (shutdown, wanted) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(bound.keep(line_in, household, async move { drop(wanted.await) }));
    let room = Room::of(vec![Plays::One(service("ftp"))], limits, &[], None, None).unwrap();
    let playing = tokio::spawn(room.listen(rooms).unwrap().run());
    let mut guests = Vec::new();
    for _ in 0..GUESTS {
        let mut guest = TcpStream::connect(address).await.unwrap();
        assert!(line(&mut guest).await.starts_with("220"));
        logs_in(&mut guest).await;
        guests.push(guest);
    }
    eventually(|| status.read()[0].reports == GUESTS).await;
    // A report leaves before the answer: when that is here, it stands in the pipe, and one of them waits for room.
    for guest in &mut guests {
        logs_in(guest).await;
    }
    eventually(|| status.read()[0].bytes > GUESTS * TYPED).await;
    assert_eq!((status.read()[0].bytes, status.read()[0].reports_lost), ((GUESTS + 1) * TYPED, 0), "one of them is heard");
    drop(shutdown);
    within(PATIENCE, task).await.expect("they do not close").unwrap().unwrap();
    playing.await.unwrap().unwrap();
    let after = &status.read()[0];
    assert_eq!((after.reports, after.reports_lost, after.bytes), (GUESTS, GUESTS, 2 * GUESTS * TYPED));
    drop(visits);
}

//! A door before which somebody waits.

use super::*;
use crate::{
    Household, Limits, RoomLine,
    bind::Plays,
    door::taken_over::PATIENCE,
    limits::Gate,
    line::lines,
    post::Post,
    status::{Counters, House},
};
use honeymesh_trap_proto::{Definition, Persona, Service};
use honeymesh_types::Now;
use std::sync::atomic::Ordering::Relaxed;
use tokio::{sync::mpsc, time::timeout as within};

fn service(name: &str) -> Service {
    Service::define(&Definition { service: name.into(), ..Definition::default() }, &Persona::of([7; 32])).unwrap()
}

/// A door before which so many wait, and what lets it close; its sessions are counted.
fn door(waiting: usize) -> (Door, watch::Sender<()>, Arc<Counters>, RoomLine, Vec<std::net::TcpStream>) {
    let counters = Arc::new(Counters { name: "bait".into(), service: "ftp", ..Counters::default() });
    let shared = Shared {
        gate: Gate::new(&Limits { sessions_per_source_max: 2 * ENTRIES_PER_TURN, ..Limits::default() }),
        post: Post::new().unwrap(),
        capture_bytes_max: 0,
        traps: vec![(Plays::One(service("ftp")), Arc::clone(&counters))],
        house: Arc::new(House::default()),
        household: Household { visits: mpsc::channel(1).0, news: mpsc::channel(1).0, clock: Now::default },
    };
    let (line, rooms) = lines().unwrap();
    let (stop, stopped) = watch::channel(());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let guests = (0..waiting).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let door = Door {
        listener: awaited(Arc::new(listener), Interest::READABLE).unwrap(),
        address,
        trap: 0,
        is_slow: false,
        inward: Arc::new(line.listen().unwrap().0),
        shared: Arc::new(shared),
        shutter: None,
        stop: stopped,
    };
    (door, stop, counters, rooms, guests)
}

#[tokio::test]
async fn a_turn_at_a_door_lets_in_a_bounded_number_and_ends_when_it_is_to_close() {
    let waiting = ENTRIES_PER_TURN + 3;
    let (door, stop, counters, _rooms, _guests) = door(waiting);
    let let_in = || counters.sessions.load(Relaxed);
    door.let_in(door.listener.readable().await.unwrap()).await;
    assert_eq!(let_in(), ENTRIES_PER_TURN as u64);
    stop.send(()).unwrap();
    door.let_in(door.listener.readable().await.unwrap()).await;
    assert_eq!(let_in(), ENTRIES_PER_TURN as u64 + 1, "the one who was there, and nobody else");
}

#[tokio::test]
async fn a_door_that_is_to_close_lets_nobody_in_however_many_wait() {
    for _ in 0..30 {
        let (door, stop, counters, _rooms, _guests) = door(8);
        drop(door.listener.readable().await.unwrap());
        drop(stop);
        within(PATIENCE, door.keep()).await.unwrap();
        assert_eq!(counters.sessions.load(Relaxed), 0);
    }
}

//! Every packet of a banned source: of connections that stand, of those that the machine only passes on, and of an interface that has just come.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, Rung, eventually, in_namespace, on_every_rung, sh};
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

on_every_rung! {
    a_ban_cuts_connections_that_stand_to_the_node_and_through_it_and_an_unban_lets_them_go_on
    an_interface_that_comes_lets_a_banned_source_in_for_less_than_a_second
}

/// Long enough for a packet that is not dropped.
const MOMENT: Duration = Duration::from_millis(300);
const PORT: u16 = 4_000;
/// The node itself, and a guest behind it.
const HERE: [&str; 2] = ["10.77.0.1", "fd77::1"];
const BEHIND: [&str; 2] = ["10.66.0.2", "fd66::2"];

/// Gives back whatever it hears, to everybody.
fn echo(namespace: &str, at: [&'static str; 2]) {
    let listen = move || at.map(|at| TcpListener::bind((at, PORT)).unwrap());
    for listener in in_namespace(namespace, listen).join().unwrap() {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
    }
}

/// A namespace behind the node, as a container's is; gone when dropped.
struct Guest(String);

impl Guest {
    fn of(net: &Net) -> Self {
        let (node, stranger, guest) = (&net.node, &net.stranger, format!("{}g", net.node));
        sh(&format!(
            "ip netns add {guest}
             ip link add inside netns {node} type veth peer name eth0 netns {guest}
             ip -n {node} addr add 10.66.0.1/24 dev inside; ip -n {node} addr add fd66::1/64 dev inside nodad
             ip -n {node} link set inside up
             ip -n {guest} addr add 10.66.0.2/24 dev eth0; ip -n {guest} addr add fd66::2/64 dev eth0 nodad
             ip -n {guest} link set eth0 up
             ip -n {guest} route add default via 10.66.0.1; ip -n {guest} -6 route add default via fd66::1
             ip -n {stranger} route add 10.66.0.0/24 via 10.77.0.1; ip -n {stranger} -6 route add fd66::/64 via fd77::1"
        ));
        let forward = || {
            for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                std::fs::write(format!("/proc/sys/net/{switch}"), "1").unwrap();
            }
        };
        in_namespace(node, forward).join().unwrap();
        Self(guest)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// A connection, and what has come back over it.
struct Talk(SocketAddr, TcpStream);

impl Talk {
    fn to(net: &Net, addr: &str) -> Self {
        let at = SocketAddr::new(addr.parse().unwrap(), PORT);
        let stream = in_namespace(&net.stranger, move || TcpStream::connect_timeout(&at, Duration::from_secs(10)).unwrap());
        let stream = stream.join().unwrap();
        stream.set_read_timeout(Some(MOMENT)).unwrap();
        Self(at, stream)
    }

    fn say(&mut self, words: &str) {
        self.1.write_all(words.as_bytes()).unwrap();
    }

    /// What came back within a moment.
    fn heard(&mut self) -> Option<String> {
        let mut octets = [0; 64];
        match self.1.read(&mut octets) {
            Ok(len) => Some(String::from_utf8_lossy(&octets[..len]).into_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{}: {error}", self.0),
        }
    }
}

fn a_ban_cuts_connections_that_stand_to_the_node_and_through_it_and_an_unban_lets_them_go_on(rung: Rung) {
    let net = Net::on(rung);
    let guest = Guest::of(&net);
    echo(&net.node, HERE);
    echo(&guest.0, BEHIND);
    let daemon = net.start(&net.config(""));
    let mut talks: Vec<Talk> = HERE.into_iter().chain(BEHIND).map(|addr| Talk::to(&net, addr)).collect();
    for talk in &mut talks {
        talk.say("before");
        assert_eq!(eventually("an echo", || talk.heard()), "before", "{}", talk.0);
    }
    for banned in ["10.77.0.2", "fd77::2"] {
        net.told(&["ban", banned]);
    }
    let drops =
        || -> Vec<u64> { net.json(&["bans"]).as_array().unwrap().iter().map(|ban| ban["drops"].as_u64().unwrap()).collect() };
    for talk in &mut talks {
        let before: u64 = drops().iter().sum();
        talk.say("during");
        eventually("it is dropped", || (drops().iter().sum::<u64>() > before).then_some(()));
        assert_eq!(talk.heard(), None, "{}: nothing of it arrives", talk.0);
    }
    assert!(drops().len() == 2 && drops().iter().all(|drops| *drops > 0), "{:?}", drops());
    for banned in ["10.77.0.2", "fd77::2"] {
        net.told(&["unban", banned]);
    }
    for talk in &mut talks {
        assert_eq!(eventually("the echo of what was held up", || talk.heard()), "during", "{}", talk.0);
    }
    assert!(daemon.stop().0.success());
}

/// How often an interface comes: the middle one of so many does not depend on what else the machine was doing once or twice.
const TIMES: usize = 5;
/// Whoever is banned, and whoever is not, behind the interface that comes; where both send to.
const SENDERS: [&str; 2] = ["10.78.0.2", "10.78.0.3"];
const LATE: (&str, u16) = ("10.78.0.1", 4_001);

/// What two senders do, by their own clock: each datagram tells when it was sent, so however late whoever measures wakes up is no matter.
#[derive(Default)]
struct Senders {
    stop: AtomicBool,
    /// When the last datagram was sent that came through, in microseconds since the begin; of each sender.
    last: [AtomicU64; 2],
}

impl Senders {
    /// Both send all the time: as soon as there is something to send by.
    fn send(&self, began: Instant) {
        let mut sockets: [Option<UdpSocket>; 2] = [None, None];
        while !self.stop.load(Relaxed) {
            for (socket, from) in sockets.iter_mut().zip(SENDERS) {
                *socket = socket.take().or_else(|| UdpSocket::bind((from, 0)).ok());
                let stamp = u64::try_from(began.elapsed().as_micros()).unwrap();
                let _nothing_there_yet = socket.as_ref().map(|socket| socket.send_to(&stamp.to_be_bytes(), LATE));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn hear(&self, socket: &UdpSocket) {
        let mut stamp = [0; 8];
        while !self.stop.load(Relaxed) {
            let Ok((_, from)) = socket.recv_from(&mut stamp) else { continue };
            let sender = SENDERS.iter().position(|sender| *sender == from.ip().to_string()).unwrap();
            self.last[sender].fetch_max(u64::from_be_bytes(stamp), Relaxed);
        }
    }
}

/// An interface comes, and goes again. How long after it was there a datagram of the banned source was sent that came through.
fn let_in(net: &Net, drops: &dyn Fn() -> u64) -> Duration {
    let (began, senders) = (Instant::now(), Arc::new(Senders::default()));
    let (sending, hearing) = (senders.clone(), senders.clone());
    let socket = in_namespace(&net.node, || UdpSocket::bind(("0.0.0.0", LATE.1)).unwrap()).join().unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let threads =
        [in_namespace(&net.stranger, move || sending.send(began)), in_namespace(&net.node, move || hearing.hear(&socket))];
    let before = drops();
    let (node, stranger) = (&net.node, &net.stranger);
    sh(&format!("ip -n {node} link add late0 type veth peer name far0 netns {stranger}"));
    let came = began.elapsed();
    sh(&format!(
        "ip -n {node} addr add {}/24 dev late0; ip -n {node} link set late0 up
         ip -n {stranger} addr add {}/24 dev far0; ip -n {stranger} addr add {}/24 dev far0; ip -n {stranger} link set far0 up",
        LATE.0, SENDERS[0], SENDERS[1]
    ));
    eventually("the first drop", || (drops() > before).then_some(()));
    let dropped = u64::try_from(began.elapsed().as_micros()).unwrap();
    eventually("something of the honest one that was sent later", || (senders.last[1].load(Relaxed) > dropped).then_some(()));
    senders.stop.store(true, Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    sh(&format!("ip -n {node} link del late0"));
    Duration::from_micros(senders.last[0].load(Relaxed)).saturating_sub(came)
}

fn an_interface_that_comes_lets_a_banned_source_in_for_less_than_a_second(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config("");
    let text = fs::read_to_string(&config).unwrap();
    let named = format!("[\"{}\"", net.interface);
    fs::write(&config, text.replace(&named, &format!("{named}, \"late0\""))).unwrap();
    let daemon = net.start(&config);
    net.told(&["ban", SENDERS[0]]);
    let drops = || net.json(&["bans"])[0]["drops"].as_u64().unwrap();
    let mut all: Vec<Duration> = (0..TIMES).map(|_| let_in(&net, &drops)).collect();
    all.sort_unstable();
    eprintln!("{rung:?}: interfaces that came let the banned source in for {all:?}");
    assert!(all[TIMES / 2] < Duration::from_secs(1), "{all:?}");
    let told = net.told(&["events", "--kind", "audit", "--json", "--limit", "100"]);
    let of = |state: &str| {
        let all = told.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        all.filter(|event| event["fields"]["interface"] == "late0" && event["fields"]["state"] == state).count()
    };
    assert!(of("attached") >= TIMES && of("absent") >= TIMES - 1, "{told}");
    assert!(daemon.stop().0.success());
}

//! Every packet of a banned source: of connections that stand, and of those that the machine only passes on.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, Rung, eventually, in_namespace, on_both_rungs, sh};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

on_both_rungs! { a_ban_cuts_connections_that_stand_to_the_node_and_through_it_and_an_unban_lets_them_go_on }

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

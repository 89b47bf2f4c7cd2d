//! Every packet of a banned source: of connections that stand, of those that the machine only passes on, and of an interface that has just come.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "every_packet/containers.rs"]
mod containers;

use common::{Net, Rung, eventually, in_namespace, on_every_rung, sh};
use containers::published_and_outward_connections_of_a_container_are_cut_for_banned_sources_only;
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

on_every_rung! {
    a_ban_cuts_connections_that_stand_to_the_node_and_through_it_and_an_unban_lets_them_go_on
    an_interface_that_comes_lets_a_banned_source_in_for_less_than_a_second_and_is_told_of_by_then
    an_interface_that_flaps_lets_no_packet_of_a_banned_source_through
    published_and_outward_connections_of_a_container_are_cut_for_banned_sources_only
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

/// How often an interface comes. Every other time the one before has just been taken away, so that it is made anew.
const TIMES: usize = 6;
/// How soon packets of an interface that comes are judged, and it is told that they are.
const WITHIN: Duration = Duration::from_secs(1);
/// The most that [`Withheld`] may add to that.
const WITHHELD_MAX: Duration = Duration::from_secs(2);
/// Where the senders send to.
const LATE_PORT: u16 = 4_001;
/// Who is banned, and who is not, of both families.
type Sources = [&'static str; 4];
/// Behind the interface that comes, and behind the one that is always there.
const LATE: Sources = ["10.78.0.2", "fd78::2", "10.78.0.3", "fd78::3"];
const FLAPPING: Sources = ["10.77.0.2", "fd77::2", "10.77.0.3", "fd77::3"];
const BANNED: [usize; 2] = [0, 1];
const HONEST: [usize; 2] = [2, 3];

/// Within this every time, whatever else this machine does: interfaces are made and taken away under one lock for all namespaces, and
/// processors are shared, of which [`Withheld`] sees but a part. More than half of the tries take no longer than [`WITHIN`].
const AT_ALL: Duration = Duration::from_secs(10);

/// How long this machine has kept somebody waiting who asked for a millisecond: whoever shares its processors with others cannot be
/// quicker than they let him, and what is asserted of the daemon is not asserted of them.
struct Withheld {
    stop: Arc<AtomicBool>,
    micros: Arc<AtomicU64>,
}

impl Withheld {
    const ASKED: Duration = Duration::from_millis(1);
    /// As late as this is everybody woken now and then.
    const USUAL: Duration = Duration::from_millis(5);

    fn watch() -> Self {
        let (stop, micros) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, sum) = (stop.clone(), micros.clone());
        std::thread::spawn(move || {
            while !stopped.load(Relaxed) {
                let asked = Instant::now();
                std::thread::sleep(Self::ASKED);
                let late = asked.elapsed().saturating_sub(Self::ASKED);
                if late > Self::USUAL {
                    sum.fetch_add(u64::try_from(late.as_micros()).unwrap(), Relaxed);
                }
            }
        });
        Self { stop, micros }
    }

    fn so_far(&self) -> Duration {
        Duration::from_micros(self.micros.load(Relaxed))
    }

    /// What may have taken `WITHIN` at most, where it began with so much withheld.
    fn bound(&self, before: Duration) -> Duration {
        WITHIN + self.so_far().saturating_sub(before).min(WITHHELD_MAX)
    }
}

impl Drop for Withheld {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// What senders do, by their own clock: each datagram tells when it was sent, so however late whoever measures wakes up is no matter.
struct Senders {
    from: Sources,
    began: Instant,
    stop: AtomicBool,
    sent: [AtomicU64; 4],
    /// How many came through, and when the last of them was sent, in microseconds since the begin.
    heard: [AtomicU64; 4],
    last: [AtomicU64; 4],
}

/// Senders at work; they end when this is dropped.
struct Sending(Arc<Senders>, Vec<std::thread::JoinHandle<()>>);

impl Senders {
    fn start(net: &Net, from: Sources) -> Sending {
        let senders = Arc::new(Self {
            from,
            began: Instant::now(),
            stop: AtomicBool::new(false),
            sent: Default::default(),
            heard: Default::default(),
            last: Default::default(),
        });
        let socket = in_namespace(&net.node, || UdpSocket::bind(("::", LATE_PORT)).unwrap()).join().unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (sending, hearing) = (senders.clone(), senders.clone());
        let threads =
            vec![in_namespace(&net.stranger, move || sending.send()), in_namespace(&net.node, move || hearing.hear(&socket))];
        Sending(senders, threads)
    }

    /// All send all the time: as soon as there is something to send by.
    fn send(&self) {
        let mut sockets: [Option<UdpSocket>; 4] = [None, None, None, None];
        while !self.stop.load(Relaxed) {
            for ((socket, from), sent) in sockets.iter_mut().zip(self.from).zip(&self.sent) {
                *socket = socket.take().or_else(|| UdpSocket::bind((from, 0)).ok());
                let to = format!("{}1", from.trim_end_matches(|last: char| last.is_ascii_digit()));
                let stamp = self.now().to_be_bytes();
                let went = socket.as_ref().is_some_and(|socket| socket.send_to(&stamp, (&*to, LATE_PORT)).is_ok());
                sent.fetch_add(u64::from(went), Relaxed);
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn hear(&self, socket: &UdpSocket) {
        let mut stamp = [0; 8];
        while !self.stop.load(Relaxed) {
            let Ok((_, from)) = socket.recv_from(&mut stamp) else { continue };
            let from = from.ip().to_canonical().to_string();
            let Some(sender) = self.from.iter().position(|sender| *sender == from) else { continue };
            self.heard[sender].fetch_add(1, Relaxed);
            self.last[sender].fetch_max(u64::from_be_bytes(stamp), Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap()
    }

    /// Waits for a datagram of each honest one that is sent from now on.
    fn honest_ones_get_in(&self) {
        let now = self.now();
        for sender in HONEST {
            eventually(self.from[sender], || (self.last[sender].load(Relaxed) > now).then_some(()));
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.stop.store(true, Relaxed);
        self.1.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// What was told of an interface's state, and when.
fn told_of(net: &Net, interface: &str, state: &str) -> Vec<SystemTime> {
    let text = net.told(&["events", "--kind", "audit", "--json", "--limit", "100"]);
    let all = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of = all.filter(|event| event["fields"]["interface"] == interface && event["fields"]["state"] == state);
    of.map(|event| time(event["at"].as_str().unwrap())).collect()
}

fn time(text: &str) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(honeymesh_format::parse_time(text).unwrap().0)
}

fn shown(net: &Net, interface: &str) -> bool {
    let status = net.json(&["status"]);
    status["interfaces"].as_array().unwrap().iter().any(|one| one["name"] == interface && one["attached"] == true)
}

fn drops_of(net: &Net, subject: &str) -> u64 {
    net.json(&["bans", "--subject", subject])[0]["drops"].as_u64().unwrap()
}

/// An interface comes. How long after it was there datagrams of banned sources were sent that came through, and how long it took until
/// an event and `status` had told that it is guarded.
fn comes(net: &Net, anew: bool) -> [Duration; 3] {
    let sending = Senders::start(net, LATE);
    let senders = &sending.0;
    let before = BANNED.map(|sender| drops_of(net, LATE[sender]));
    let (node, stranger) = (&net.node, &net.stranger);
    let gone = if anew { format!("ip -n {node} link del late0; ") } else { String::new() };
    // Whoever guards may be done before the command that makes it is.
    let (came, came_at) = (senders.began.elapsed(), SystemTime::now());
    sh(&format!("{gone}ip -n {node} link add late0 type veth peer name far0 netns {stranger}"));
    let addrs: String = LATE.iter().map(|addr| format!("ip -n {stranger} addr add {addr}{} dev far0\n", net_of(addr))).collect();
    sh(&format!(
        "ip -n {node} addr add 10.78.0.1/24 dev late0; ip -n {node} addr add fd78::1/64 dev late0 nodad
         {addrs} ip -n {node} link set late0 up; ip -n {stranger} link set far0 up"
    ));
    eventually("late0 in status", || shown(net, "late0").then_some(()));
    let shown = senders.began.elapsed().saturating_sub(came);
    for (sender, before) in BANNED.into_iter().zip(before) {
        eventually("the first drop", || (drops_of(net, LATE[sender]) > before).then_some(()));
    }
    senders.honest_ones_get_in();
    let since_then = || told_of(net, "late0", "attached").into_iter().filter_map(|at| at.duration_since(came_at).ok()).min();
    let told = eventually("an event of late0", since_then);
    let last = BANNED.map(|sender| senders.last[sender].load(Relaxed)).into_iter().max().unwrap();
    [Duration::from_micros(last).saturating_sub(came), told, shown]
}

fn net_of(addr: &str) -> &'static str {
    if addr.contains(':') { "/64 nodad" } else { "/24" }
}

fn an_interface_that_comes_lets_a_banned_source_in_for_less_than_a_second_and_is_told_of_by_then(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config("");
    let text = fs::read_to_string(&config).unwrap();
    let named = format!("[\"{}\"", net.interface);
    fs::write(&config, text.replace(&named, &format!("{named}, \"late0\""))).unwrap();
    let daemon = net.start(&config);
    BANNED.iter().for_each(|sender| drop(net.told(&["ban", LATE[*sender]])));
    let withheld = Withheld::watch();
    let mut tries = [const { Vec::new() }; 4];
    for round in 0..TIMES {
        let (anew, before) = (round % 2 == 1, withheld.so_far());
        let [let_in, told, shown] = comes(&net, anew);
        let bound = withheld.bound(before);
        eprintln!("{rung:?}: let in for {let_in:?}, told after {told:?}, in status after {shown:?} (at most {bound:?})");
        tries[0].push((let_in, bound));
        tries[1].push((told, bound));
        tries[2].push((shown, bound));
        if anew {
            let before = withheld.so_far();
            let gone_at = SystemTime::now();
            sh(&format!("ip -n {} link del late0", net.node));
            let since_then =
                || told_of(&net, "late0", "absent").into_iter().filter_map(|at| at.duration_since(gone_at).ok()).min();
            let told = eventually("an event of its end", since_then);
            tries[3].push((told, withheld.bound(before)));
            eventually("its end in status", || (!self::shown(&net, "late0")).then_some(()));
        }
    }
    for (what, tries) in ["let in", "told", "shown", "told of its end"].into_iter().zip(&tries) {
        let in_time = tries.iter().filter(|(took, bound)| took < bound).count();
        let longest = tries.iter().map(|(took, _)| *took).max().unwrap();
        assert!(2 * in_time > tries.len() && longest < AT_ALL, "{what}: {tries:?}");
    }
    assert!(daemon.stop().0.success());
}

/// How often an interface goes down and up again; the last time so often at once.
const FLAPS: usize = 5;
const FLAPS_AT_ONCE: usize = 20;

fn an_interface_that_flaps_lets_no_packet_of_a_banned_source_through(rung: Rung) {
    let net = Net::on(rung);
    let (node, stranger, at) = (&net.node, &net.stranger, &net.interface);
    let link = format!("s{}", &at[1..]);
    HONEST
        .into_iter()
        .for_each(|sender| sh(&format!("ip -n {stranger} addr add {}{} dev {link}", FLAPPING[sender], net_of(FLAPPING[sender]))));
    let keep = format!("/proc/sys/net/ipv6/conf/{at}/keep_addr_on_down");
    in_namespace(node, move || fs::write(keep, "1").unwrap()).join().unwrap();
    let daemon = net.start(&net.config(""));
    BANNED.iter().for_each(|sender| drop(net.told(&["ban", FLAPPING[*sender]])));
    let sending = Senders::start(&net, FLAPPING);
    let senders = &sending.0;
    senders.honest_ones_get_in();
    for flap in 0..FLAPS {
        let times = if flap + 1 == FLAPS { FLAPS_AT_ONCE } else { 1 };
        sh(&format!("for _ in $(seq {times}); do ip -n {node} link set {at} down; ip -n {node} link set {at} up; done"));
        let counts = || BANNED.map(|sender| (drops_of(&net, FLAPPING[sender]), senders.sent[sender].load(Relaxed)));
        let before = counts();
        senders.honest_ones_get_in();
        eventually("drops after it came up", || {
            let all = counts().into_iter().zip(before);
            all.clone().all(|(now, before)| now.0 > before.0 + 20 && now.1 > before.1 + 20).then_some(())
        });
        let heard = BANNED.map(|sender| senders.heard[sender].load(Relaxed));
        assert_eq!(heard, [0, 0], "packets of banned sources that came through, flap {flap}");
    }
    assert!(shown(&net, at), "{}", net.told(&["status"]));
    drop(sending);
    assert!(daemon.stop().0.success());
}

//! Crowds in the traps: many who say nothing, and many who say a little, for as long as they may.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{EVENTUALLY, Net, eventually, in_namespace, is_root, sh};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Connections of the silent crowd, where a process may have so many.
const CROWD: usize = 20_000;
/// Descriptors of this test, and of the process that plays, besides them.
const BESIDES: usize = 300;
/// The most that one of them may cost, in octets resident, of all processes together: on a quiet machine it costs some 1,890, on a busy
/// one up to 150 more.
const OCTETS_EACH_MAX: usize = 2_200;
/// From so many addresses they come.
const SOURCES: usize = 40;
const PORTS: [u16; 4] = [2_121, 2_222, 8_080, 2_323];
/// Who says nothing for so long is let go: longer than they stand there.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// So many leave at once, ...
const LEAVE_AT_ONCE: usize = 200;
/// ... and of all no more farewells are lost.
const UNHEARD_MAX: u64 = 1_000;
/// By then all of the silent crowd were told.
const TOLD_BY: Duration = Duration::from_secs(5);
/// So many of them come at once, ...
const AT_ONCE: usize = 2_000;
/// ... when so few writes wait.
const WAIT_MAX: u64 = 100;
/// So often it is looked whether little is resident.
const LOOKS_MAX: usize = 60;
const DRIPPING: usize = 1_000;
const DRIP_EVERY: Duration = Duration::from_millis(400);

/// One crowd at a time: this process has descriptors for no more.
static ALONE: Mutex<()> = Mutex::new(());

/// As many descriptors as the machine lets a process have, up to what the crowd needs; how large a crowd that makes.
fn crowd() -> usize {
    let wanted = (CROWD + BESIDES) as u64;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let allowed = if setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted.max(hard)).is_ok() {
        wanted
    } else {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        hard
    };
    let crowd = usize::try_from(allowed).unwrap() - BESIDES;
    if crowd < CROWD {
        eprintln!("a process may have {allowed} descriptors here: the crowd is {crowd} instead of {CROWD}");
    }
    assert!(crowd >= 10_000, "a process may have {allowed} descriptors here, too few for a crowd");
    crowd
}

fn config(net: &Net, more: &str) -> PathBuf {
    let services = ["ftp", "ssh", "http", "telnet"].iter().zip(PORTS);
    let traps = services
        .map(|(name, port)| format!("[[trap]]\nname = \"{name}\"\nservice = \"{name}\"\nlisten = [\"0.0.0.0:{port}\"]\n"));
    net.config(&format!("[traps]\n{more}\n{}", traps.collect::<String>()))
}

fn sources(net: &Net) {
    let outer = format!("s{}", &net.interface[1..]);
    let lines: Vec<String> =
        (0..SOURCES).map(|index| format!("ip -n {} addr add 10.77.0.{}/24 dev {outer}", net.stranger, 100 + index)).collect();
    sh(&lines.join("\n"));
}

/// One who comes from one of the addresses to one of the traps.
fn visitor(index: usize) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from: SocketAddr = format!("10.77.0.{}:0", 100 + index % SOURCES).parse().unwrap();
    socket.bind(&from.into()).unwrap();
    let to: SocketAddr = format!("10.77.0.1:{}", PORTS[index / SOURCES % PORTS.len()]).parse().unwrap();
    socket.connect_timeout(&to.into(), Duration::from_secs(10)).unwrap();
    socket.into()
}

/// Memory that is these processes' own, in octets; what they share with the kernel and with each other is not.
fn resident(net: &Net, daemon: u32) -> usize {
    let player = net.json(&["status"])["trap_process"]["pid"].as_u64().unwrap();
    let own = |pid: u64| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
    };
    own(u64::from(daemon)) + own(player)
}

fn active(status: &Value) -> u64 {
    status["traps"].as_array().unwrap().iter().map(|trap| trap["active"].as_u64().unwrap()).sum()
}

#[test]
fn a_silent_crowd_is_held_in_little_memory_and_hinders_nobody() {
    if !is_root() {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let crowd = crowd();
    let net = Net::new();
    sources(&net);
    let limits = format!(
        "sessions_max = {}\nsessions_per_source_max = {}\nread_deadline = \"{}s\"\nsession_deadline = \"10m\"",
        crowd + 100,
        crowd.div_ceil(SOURCES),
        SILENCE_MAX.as_secs()
    );
    let daemon = net.start(&config(&net, &limits));
    net.told(&["mode", "observe"]);
    let before = resident(&net, daemon.child.id());
    // A machine with other work keeps what is told later than it hears it, and what waits meanwhile takes memory that is no connection's.
    let mut visitors = Vec::new();
    for first in (0..crowd).step_by(AT_ONCE) {
        let some = first..crowd.min(first + AT_ONCE);
        visitors.extend(in_namespace(&net.stranger, move || some.map(visitor).collect::<Vec<_>>()).join().unwrap());
        eventually("they are in, and what was told is kept", || {
            let status = net.json(&["status"]);
            let waits = status["store"]["queue"].as_u64().unwrap();
            (active(&status) == visitors.len() as u64 && waits <= WAIT_MAX).then_some(())
        });
    }
    // Each is told once, two seconds later, that it is there and says nothing; then nothing more happens. On a machine with other work
    // the telling is over later: so the bound has to hold at some time and, after as long again, still.
    let each = || (resident(&net, daemon.child.id()) - before) / crowd;
    thread::sleep(TOLD_BY);
    let mut seen = Vec::new();
    eventually("little is resident", || {
        seen.push(each());
        thread::sleep(Duration::from_millis(500));
        let is_little = seen.last().is_some_and(|each| *each <= OCTETS_EACH_MAX);
        assert!(is_little || seen.len() < LOOKS_MAX, "octets for each of {crowd}: {seen:?}");
        is_little.then_some(())
    });
    thread::sleep(TOLD_BY);
    assert_eq!(active(&net.json(&["status"])), crowd as u64, "all of them are in all the while");
    let each = each();
    println!("{crowd} idle connections: {each} octets each");
    assert!(each <= OCTETS_EACH_MAX, "{each} octets for each of {crowd}, which had been less: {seen:?}");

    assert!(net.reaches(), "what the machine serves is served");
    assert!(net.stranger("curl -s -m 10 http://10.77.0.1:8080/ -u root:toor"), "and others are played to");
    eventually("what they say is told", || net.told(&["events", "--json"]).contains("\"password\":\"toor\"").then_some(()));
    let greedy = in_namespace(&net.stranger, || visitor(0)).join().unwrap();
    eventually("one source has no more than its share", || {
        let traps = net.json(&["status"])["traps"].clone();
        traps.as_array().unwrap().iter().any(|trap| trap["refused"].as_u64().unwrap() > 0).then_some(())
    });
    // They leave by and by: of so many farewells at once the kernel's queues lose some. Who is not heard is let go by the deadline of the
    // silent.
    drop(greedy);
    let mut inside = visitors.len() as u64;
    for some in visitors.chunks(LEAVE_AT_ONCE) {
        some.iter().for_each(|visitor| drop(visitor.shutdown(Shutdown::Write)));
        inside -= some.len() as u64;
        eventually("they leave", || (active(&net.json(&["status"])) <= inside + UNHEARD_MAX).then_some(()));
    }
    let deadline = Instant::now() + SILENCE_MAX + EVENTUALLY;
    while active(&net.json(&["status"])) > 0 {
        assert!(Instant::now() < deadline, "all have left");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn those_who_drip_are_held_to_the_deadline_and_no_longer() {
    if !is_root() {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let net = Net::new();
    sources(&net);
    let limits = "sessions_max = 2000\nsessions_per_source_max = 100\nread_deadline = \"5s\"\nsession_deadline = \"20s\"";
    let _daemon = net.start(&config(&net, limits));
    net.told(&["mode", "observe"]);
    let over = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&over);
    // A letter of a request now and then, so that no wait for one is long.
    let dripping = in_namespace(&net.stranger, move || {
        let mut visitors: Vec<TcpStream> = (0..DRIPPING).map(|index| visitor(index % SOURCES + 2 * SOURCES)).collect();
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'a'));
        for letter in request {
            if flag.load(Ordering::Relaxed) {
                break;
            }
            visitors.iter_mut().for_each(|one| drop(one.write_all(&[*letter])));
            thread::sleep(DRIP_EVERY);
        }
        visitors
    });
    eventually("all are in", || (active(&net.json(&["status"])) == DRIPPING as u64).then_some(()));
    let began = Instant::now();
    assert!(net.reaches(), "what the machine serves is served");
    assert!(net.stranger("curl -s -m 10 http://10.77.0.1:8080/ -u root:toor"), "and others are played to");
    eventually("all are let go", || (active(&net.json(&["status"])) == 0).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(35), "{:?}", began.elapsed());
    over.store(true, Ordering::Relaxed);
    for mut visitor in dripping.join().unwrap() {
        visitor.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let ended = visitor.read(&mut [0; 512]);
        assert!(matches!(ended, Ok(0)) || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    }
}

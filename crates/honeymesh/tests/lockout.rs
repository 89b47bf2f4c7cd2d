//! Nobody can lock the operator out, not even the operator; and a lockdown locks everybody else out, for as long as it should.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{Daemon, Net, Rung, connect_from, eventually, in_namespace, is_root, on_every_rung, sh};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::{
    collections::VecDeque,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

on_every_rung! {
    a_lockdown_lets_in_friends_and_what_is_connected_and_rolls_back_by_itself
    a_trial_ends_on_time_with_the_daemon_killed_and_is_never_taken_up_again
    a_confirmed_lockdown_holds_over_restarts_until_it_is_left
    nobody_locks_the_operator_out_not_even_the_operator
    whoever_is_known_stays_protected_while_the_daemon_can_open_nothing
    an_operator_over_https_cannot_ban_himself_and_is_protected_while_he_works
    no_ban_that_covers_whoever_is_never_banned_stops_his_packets_and_it_stops_his_neighbours
}

/// Where the node echoes what it is sent.
const ECHO4: &str = "10.77.0.1:7778";
const ECHO6: &str = "[fd77::1]:7778";
/// Addresses in the stranger's namespace.
const STRANGER: &str = "10.77.0.2";
const STRANGER6: &str = "fd77::2";
const FRIEND: &str = "10.77.0.3";
const FRIEND6: &str = "fd77::3";
/// Nobody's at first.
const OPERATOR: &str = "10.77.0.5";

/// How long a connection may take that gets in.
const PATIENCE: Duration = Duration::from_millis(900);

/// A host with an echo service, a stranger, and a friend beside him.
fn scene(rung: Rung) -> Net {
    let net = Net::on(rung);
    let link = format!("s{}", &net.interface[1..]);
    sh(&format!("ip -n {0} addr add {FRIEND}/24 dev {link}; ip -n {0} addr add {FRIEND6}/64 dev {link} nodad", net.stranger));
    in_namespace(&net.node, || {
        let listeners = [ECHO4, ECHO6].map(|at| TcpListener::bind(at).unwrap());
        for listener in listeners {
            std::thread::spawn(move || {
                listener.incoming().flatten().for_each(|stream| drop(std::thread::spawn(|| echo(stream))));
            });
        }
    })
    .join()
    .unwrap();
    net
}

fn echo(mut stream: TcpStream) {
    let mut octet = [0];
    while stream.read_exact(&mut octet).is_ok() && stream.write_all(&octet).is_ok() {}
}

/// A connection from one of the addresses in the stranger's namespace.
fn connection(net: &Net, from: &'static str, to: &'static str) -> Option<TcpStream> {
    let open = move || connect_from(from, to.parse().unwrap(), PATIENCE);
    in_namespace(&net.stranger, open).join().unwrap().filter(lives)
}

/// A scan with this source.
fn scan(net: &Net, from: &'static str) {
    let knock =
        move |port| drop(connect_from(from, SocketAddr::new("10.77.0.1".parse().unwrap(), port), Duration::from_millis(20)));
    in_namespace(&net.stranger, move || (1..40).for_each(knock)).join().unwrap();
}

/// Does it still carry data both ways?
fn lives(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    stream.write_all(b"x").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

fn gets_in(net: &Net, from: &'static str) -> bool {
    connection(net, from, if from.contains(':') { ECHO6 } else { ECHO4 }).is_some()
}

/// Can the node itself reach somebody?
fn gets_out(net: &Net) -> bool {
    let listener = in_namespace(&net.stranger, || TcpListener::bind((STRANGER, 9_999)).unwrap()).join().unwrap();
    let reached = in_namespace(&net.node, || {
        TcpStream::connect_timeout(&SocketAddr::new(STRANGER.parse().unwrap(), 9_999), PATIENCE).is_ok()
    });
    let reached = reached.join().unwrap();
    drop(listener);
    reached
}

fn a_lockdown_lets_in_friends_and_what_is_connected_and_rolls_back_by_itself(rung: Rung) {
    let net = scene(rung);
    let _daemon = net.start(&net.config(&format!("[allow]\nnets = [\"{FRIEND}\", \"{FRIEND6}\"]")));
    let standing =
        [(STRANGER, ECHO4), (STRANGER6, ECHO6)].map(|(from, to)| eventually("a first connection", || connection(&net, from, to)));
    let began = Instant::now();
    let told = net.told(&["mode", "lockdown", "--confirm-within", "20s"]);
    assert!(told.contains("ON TRIAL: enforce comes back in 20s") && told.contains("allowlist 2"), "{told}");
    assert!(standing.iter().all(lives), "connections that stand go on");
    assert!(!gets_in(&net, STRANGER) && !gets_in(&net, STRANGER6), "a stranger gets nothing");
    assert!(gets_in(&net, FRIEND) && gets_in(&net, FRIEND6) && gets_out(&net));
    let status = net.json(&["status"]);
    assert_eq!((&status["mode"], &status["lockdown"]["rolls_back_to"]), (&"lockdown".into(), &"enforce".into()));
    assert!(status["kernel"]["dropped_lockdown"].as_u64().unwrap() > 1, "{status}");
    assert!(net.told(&["status"]).contains("lockdown (rolls back in "));
    assert!(began.elapsed() < Duration::from_secs(20), "this machine is too slow for this test");
    eventually("the roll-back", || gets_in(&net, STRANGER).then_some(()));
    assert!(began.elapsed() >= Duration::from_secs(20) && standing.iter().all(lives));
    assert_eq!(net.json(&["status"])["mode"], "enforce");
    let (code, line) = net.refused(&["mode", "lockdown", "--confirm"]);
    assert!(code == 1 && line.contains("no lockdown to confirm"), "{line}");
    let audits = net.told(&["events", "--kind", "audit"]);
    assert!(audits.contains("not confirmed in time"), "{audits}");
}

fn a_trial_ends_on_time_with_the_daemon_killed_and_is_never_taken_up_again(rung: Rung) {
    let net = scene(rung);
    let config = net.config("");
    let daemon = net.start(&config);
    let began = Instant::now();
    net.told(&["mode", "lockdown", "--confirm-within", "5s"]);
    daemon.kill();
    assert!(!gets_in(&net, STRANGER), "the kernel goes on locking");
    eventually("the kernel's own end", || gets_in(&net, STRANGER).then_some(()));
    assert!(began.elapsed() >= Duration::from_secs(5));
    let daemon = net.start(&config);
    net.told(&["mode", "lockdown"]);
    assert!(!gets_in(&net, STRANGER));
    daemon.kill();
    let _daemon = net.start(&config);
    assert_eq!(net.json(&["status"])["mode"], "enforce");
    assert!(gets_in(&net, STRANGER), "a trial is not restored");
}

fn a_confirmed_lockdown_holds_over_restarts_until_it_is_left(rung: Rung) {
    let net = scene(rung);
    let config = net.config("");
    let daemon = net.start(&config);
    net.told(&["mode", "lockdown", "--confirm-within", "5s"]);
    net.told(&["mode", "lockdown", "--confirm"]);
    std::thread::sleep(Duration::from_secs(6));
    assert!(!gets_in(&net, STRANGER), "it rolls back no more");
    assert!(daemon.stop().0.success() && !gets_in(&net, STRANGER), "nor does it end with the daemon");
    let _daemon = net.start(&config);
    let status = net.json(&["status"]);
    assert_eq!((&status["mode"], &status["lockdown"]["confirmed"]), (&"lockdown".into(), &true.into()));
    assert!(!gets_in(&net, STRANGER));
    net.told(&["allow", "add", FRIEND]);
    assert!(gets_in(&net, FRIEND) && !gets_in(&net, STRANGER), "the allowlist is live");
    net.told(&["mode", "enforce"]);
    assert!(gets_in(&net, STRANGER), "leaving is immediate");
}

/// What the system's records of sessions and resolvers are for one daemon: files of ours, in a mount namespace of its own.
struct Sessions {
    utmp: PathBuf,
    resolv_conf: PathBuf,
}

impl Sessions {
    fn none(net: &Net) -> Self {
        let files = Self { utmp: net.dir.path().join("utmp"), resolv_conf: net.dir.path().join("resolv.conf") };
        [&files.utmp, &files.resolv_conf].into_iter().for_each(|file| fs::write(file, []).unwrap());
        files
    }

    fn start(&self, net: &Net, config: &std::path::Path) -> Daemon {
        self.start_with(net, config, 1_024)
    }

    /// The daemon may open so many files; whoever it starts may ask for more.
    fn start_with(&self, net: &Net, config: &std::path::Path, files: u32) -> Daemon {
        // The file that names resolvers may be a link to a place that is not there, once /run is empty.
        let script = format!(
            "set -e; ulimit -S -n {files}; mount -t tmpfs none /run; touch /run/utmp; mount --bind {} /run/utmp
             resolv=$(readlink -m /etc/resolv.conf); mkdir -p ${{resolv%/*}}; [ -e $resolv ] || touch $resolv; mount --bind {} $resolv
             exec {} run --config {}",
            self.utmp.display(),
            self.resolv_conf.display(),
            env!("CARGO_BIN_EXE_honeymesh"),
            config.display()
        );
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", net.node)).args(["unshare", "--mount", "bash", "-c", &script]);
        command.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
        net.start_as(command)
    }

    /// As sshd writes it for a session with a terminal, one from each address; this process stands for the sessions'.
    fn log_in(&self, from: &[&str]) {
        let record = |from: &&str| {
            let mut record = vec![0; 384];
            record[..2].copy_from_slice(&7_i16.to_ne_bytes());
            record[4..8].copy_from_slice(&std::process::id().to_ne_bytes());
            record[76..76 + from.len()].copy_from_slice(from.as_bytes());
            record
        };
        fs::write(&self.utmp, from.iter().flat_map(record).collect::<Vec<u8>>()).unwrap();
    }

    fn log_out(&self) {
        fs::write(&self.utmp, []).unwrap();
    }
}

fn is_protected(net: &Net, net_text: &str, why: &str) -> bool {
    net.json(&["allow", "list"]).as_array().unwrap().iter().any(|one| one["net"] == net_text && one["why"] == why)
}

fn nobody_locks_the_operator_out_not_even_the_operator(rung: Rung) {
    let net = scene(rung);
    let key = net.dir.path().join("m.key");
    let made = Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&key).output().unwrap();
    assert!(made.status.success());
    let cluster = |join: &str| {
        let file = key.display();
        format!("[[cluster]]\nname = \"m\"\njoin = [\"{join}:7946\"]\nkey_file = \"{file}\"\ntrust = \"override\"\n")
    };
    let sessions = Sessions::none(&net);
    let other = net.other_config(&cluster("10.77.0.1"));
    let config = net.config(&format!("[bans]\nmax = 16\n{}", cluster(STRANGER)));
    let (_daemon, _other) = (sessions.start(&net, &config), net.start_other(&other));
    eventually("the members' meeting", || (net.json(&["peers"])[0]["state"] == "alive").then_some(()));

    // The system records a session: from then on it is never banned, in ledger and kernel.
    let began = Instant::now();
    sessions.log_in(&[OPERATOR]);
    eventually("the session's protection", || is_protected(&net, "10.77.0.5/32", "operator").then_some(()));
    eprintln!("a session was protected after {:?}", began.elapsed());

    // The operator himself.
    for who in [OPERATOR, "10.77.0.1", "10.77.0.254", "127.0.0.1", "::1", STRANGER] {
        let (code, line) = net.refused(&["ban", who, "--force"]);
        assert!(code == 1 && line.contains("is never banned"), "{who}: {line}");
    }
    for who in ["0.0.0.0/0", "::/0"] {
        assert!(net.refused(&["ban", who, "--force"]).1.contains("is everybody"), "{who}");
    }
    let told = net.told(&["ban", "10.0.0.0/8", "--force"]);
    assert!(told.contains("keeps passing: ") && told.contains("10.77.0.5/32 (operator)"), "{told}");

    // A peer whose word overrides, and a flood of bans that fills the table: of no neighbours, who would share a prefix.
    let ban = |who: &str| {
        Command::new(env!("CARGO_BIN_EXE_honeymesh"))
            .args(["ban", who, "--socket"])
            .arg(net.dir.path().join("other/honeymesh.sock"))
            .output()
            .unwrap()
    };
    assert!(ban(OPERATOR).status.success(), "nothing protects the operator there");
    eventually("the peer's word", || (!net.json(&["why", OPERATOR])["records"].as_array().unwrap().is_empty()).then_some(()));
    (0..24).for_each(|index| assert!(ban(&format!("203.0.113.{}", index * 2)).status.success()));
    eventually("the flood's arrival", || (net.json(&["bans"]).as_array().unwrap().len() == 17).then_some(()));
    net.told(&["ban", "198.51.100.1"]);
    assert_eq!(net.json(&["bans", "--subject", OPERATOR]).as_array().unwrap().len(), 1, "only the wide one that covers him");
    let link = format!("s{}", &net.interface[1..]);
    sh(&format!("ip -n {0} addr add {OPERATOR}/24 dev {link}; ip -n {0} addr add 10.77.0.4/24 dev {link}", net.stranger));
    let session = connection(&net, OPERATOR, ECHO4).unwrap();
    assert!(!gets_in(&net, "10.77.0.4"), "allow beats drop, for nobody else");

    // A scan with the operator's address, forged or not.
    scan(&net, OPERATOR);
    assert!(lives(&session) && gets_in(&net, OPERATOR));

    // A lockdown while connected.
    net.told(&["mode", "lockdown", "--confirm-within", "30s"]);
    net.told(&["mode", "lockdown", "--confirm"]);
    net.told(&["unban", "10.0.0.0/8"]);
    assert!(lives(&session) && gets_in(&net, OPERATOR) && !gets_in(&net, "10.77.0.4"));

    // With the session its protection ends.
    sessions.log_out();
    eventually("the end of the protection", || (!is_protected(&net, "10.77.0.5/32", "operator")).then_some(()));
    assert!(lives(&session) && !gets_in(&net, OPERATOR), "what stands goes on, what is new stays outside");
}

/// So many open files are more than the daemon needs, and fewer than it lets clients in.
const DESCRIPTORS: u32 = 100;
/// Clients that come and say nothing.
const CROWD: usize = 400;

/// Clients that take every descriptor that the daemon has left, until this is dropped.
struct Crowd(Option<std::thread::JoinHandle<()>>, Arc<AtomicBool>);

impl Crowd {
    fn at(door: &std::path::Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let address = UnixAddr::new(door).unwrap();
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let come = move || {
            let mut all = VecDeque::new();
            while !stopped.load(Ordering::Relaxed) {
                if all.len() == CROWD {
                    all.pop_front();
                }
                // Does not wait where the queue before the door is full.
                all.push_back(socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap());
                if connect(all[all.len() - 1].as_raw_fd(), &address).is_err() {
                    all.pop_back();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        Self(Some(std::thread::spawn(come)), stop)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
        let _ = self.0.take().unwrap().join();
    }
}

fn whoever_is_known_stays_protected_while_the_daemon_can_open_nothing(rung: Rung) {
    let net = scene(rung);
    let sessions = Sessions::none(&net);
    sessions.log_in(&[OPERATOR]);
    let mut daemon = sessions.start_with(&net, &net.config(""), DESCRIPTORS);
    let link = format!("s{}", &net.interface[1..]);
    sh(&format!("ip -n {0} addr add {OPERATOR}/24 dev {link}; ip -n {0} addr add 10.77.0.4/24 dev {link}", net.stranger));
    net.told(&["ban", "10.77.0.4/31"]);
    let holds = || gets_in(&net, OPERATOR) && !gets_in(&net, "10.77.0.4");
    assert!(holds());
    let crowd = Crowd::at(&net.socket());
    // Several looks, of which some see everything: clients that say nothing are shown out, and others come.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        assert!(gets_in(&net, OPERATOR), "who is logged in is known, after {:?}", began.elapsed());
    }
    assert!(holds(), "and nobody else");
    daemon.wait_for("who is logged in cannot be looked at");
    drop(crowd);
    let kinds = |why: &str| net.json(&["allow", "list"]).as_array().unwrap().iter().filter(|one| one["why"] == why).count();
    assert!(kinds("own") > 2 && kinds("gateway") == 1 && kinds("operator") == 1, "{}", net.told(&["allow", "list"]));
    let warnings = || net.json(&["status"])["warnings"].to_string();
    assert!(warnings().contains("this cannot be looked at: "), "{}", warnings());
    let told = |log: &[String]| log.iter().filter(|line| line.contains("who is logged in cannot be looked at")).count();
    sessions.log_out();
    eventually("the next look", || (!is_protected(&net, "10.77.0.5/32", "operator")).then_some(()));
    assert!(!gets_in(&net, OPERATOR));
    eventually("the end of the warning", || (!warnings().contains("this cannot be looked at")).then_some(()));
    let (status, log) = daemon.stop();
    assert!(status.success() && told(&log) == 1, "{log:?}");
}

/// Whom nobody bans, and why: one of each kind and family. All but the node's own are the stranger's to speak from, and those, too.
const NEVER: [(&str, &str); 10] = [
    ("gateway", "10.77.0.254"),
    ("gateway", "fd77::fe"),
    ("resolver", "10.77.0.53"),
    ("resolver", "fd77::53"),
    ("peer", "10.77.0.7"),
    ("peer", "fd77::7"),
    ("operator", OPERATOR),
    ("operator", "fd77::5"),
    ("own", "10.77.0.6"),
    ("own", "fd77::6"),
];
/// The usual gateway of IPv6, a neighbour of his, and the node, where they all speak on the link alone.
const ON_LINK: [&str; 3] = ["fe80::fe", "fe80::bad", "fe80::1"];

/// Gives everybody his addresses, and the node its routes.
fn populate(net: &Net) {
    let (node, stranger, at, link) = (&net.node, &net.stranger, &net.interface, format!("s{}", &net.interface[1..]));
    let [gateway, neighbour, here] = ON_LINK;
    for (_, addr) in NEVER {
        let rest = if addr.contains(':') { "/64 nodad" } else { "/24" };
        sh(&format!("ip -n {stranger} addr add {addr}{rest} dev {link}"));
    }
    // Who speaks from the node's own address can hear no answer about the link, so all of it is known there.
    sh(&format!(
        "ip -n {node} addr add 10.77.0.6/24 dev {at}; ip -n {node} addr add fd77::6/64 dev {at} nodad
         ip -n {node} addr add {here}/64 dev {at} nodad
         ip -n {stranger} addr add {gateway}/64 dev {link} nodad; ip -n {stranger} addr add {neighbour}/64 dev {link} nodad
         ip -n {node} -6 route add default via fd77::fe; ip -n {node} -6 route add default via {gateway} dev {at} metric 4096
         mac=$(ip -n {node} -br link show {at} | awk '{{ print $3 }}')
         for to in 10.77.0.1 fd77::1 {here}; do ip -n {stranger} neigh replace $to lladdr $mac dev {link} nud permanent; done"
    ));
    let at = at.clone();
    let listen_to_oneself = move || {
        for (of, switch, value) in [(&*at, "accept_local", "1"), (&at, "rp_filter", "0"), ("all", "rp_filter", "0")] {
            fs::write(format!("/proc/sys/net/ipv4/conf/{of}/{switch}"), value).unwrap();
        }
    };
    in_namespace(node, listen_to_oneself).join().unwrap();
}

/// Does the node hear a datagram? Addresses of the link have the interfaces' names behind them.
fn is_heard(net: &Net, from: &str, to: &str) -> bool {
    let (from, to) = (from.to_owned(), to.to_owned());
    let there = to.clone();
    let socket = in_namespace(&net.node, move || UdpSocket::bind((&*there, 0)).unwrap()).join().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let link = format!("s{}", &net.interface[1..]);
    // The same address of the link, by the sender's interface.
    let to = to.split_once('%').map_or_else(|| to.clone(), |(addr, _)| format!("{addr}%{link}"));
    let send = move || UdpSocket::bind((&*from, 0)).unwrap().send_to(b"?", (&*to, port)).unwrap();
    in_namespace(&net.stranger, send).join().unwrap();
    socket.recv(&mut [0; 8]).is_ok()
}

fn no_ban_that_covers_whoever_is_never_banned_stops_his_packets_and_it_stops_his_neighbours(rung: Rung) {
    let net = scene(rung);
    populate(&net);
    let sessions = Sessions::none(&net);
    sessions.log_in(&[OPERATOR, "fd77::5"]);
    fs::write(&sessions.resolv_conf, "nameserver 10.77.0.53\nnameserver fd77::53\n").unwrap();
    let key = net.dir.path().join("m.key");
    assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&key).output().unwrap().status.success());
    let cluster = format!(
        "[[cluster]]\nname = \"m\"\nlisten = \"[::]:7946\"\njoin = [\"10.77.0.7:7946\", \"[fd77::7]:7946\"]\nkey_file = \"{}\"\n",
        key.display()
    );
    let _daemon = sessions.start(&net, &net.config(&cluster));
    for (why, addr) in NEVER {
        assert!(is_protected(&net, &format!("{addr}/{}", if addr.contains(':') { 128 } else { 32 }), why), "{addr} is {why}");
    }
    let link = format!("s{}", &net.interface[1..]);
    let on_link = |from: &str| is_heard(&net, &format!("{from}%{link}"), &format!("{}%{}", ON_LINK[2], net.interface));
    let neighbours = [STRANGER, STRANGER6];
    let all_get_in = |when: &str| {
        for (why, addr) in NEVER {
            let to = if addr.contains(':') { "fd77::1" } else { "10.77.0.1" };
            // To its own address the node answers by itself, and not by the cable.
            assert!(is_heard(&net, addr, to) && (why == "own" || gets_in(&net, addr)), "{when}: {why} {addr}");
        }
        assert!(on_link(ON_LINK[0]), "{when}: the gateway on the link");
    };
    all_get_in("nobody is banned");
    assert!(neighbours.iter().all(|from| gets_in(&net, from)) && on_link(ON_LINK[1]), "so far");
    // A single customer's prefix, which is kept with exact bans, then prefixes around it, then all of them.
    let (narrow, wide) = (["10.77.0.0/24", "fd77::/64", "fe80::/64"], ["10.77.0.0/16", "fd77::/48", "fe80::/10"]);
    for covering in [&narrow[..], &wide, &[narrow, wide].concat()] {
        covering.iter().for_each(|subject| drop(net.told(&["ban", subject, "--force"])));
        all_get_in(covering[0]);
        assert!(!neighbours.iter().any(|from| gets_in(&net, from)) && !on_link(ON_LINK[1]), "{covering:?}");
        // The narrowest counts.
        let bans = net.json(&["bans"]);
        let counts = |subject: &&str| bans.as_array().unwrap().iter().any(|ban| ban["subject"] == *subject && ban["drops"] != 0);
        assert!(covering[..3].iter().all(counts), "{bans}");
        covering.iter().for_each(|subject| drop(net.told(&["unban", subject])));
        assert!(neighbours.iter().all(|from| gets_in(&net, from)) && on_link(ON_LINK[1]), "{covering:?} are lifted");
    }
}

#[test]
fn an_order_over_ssh_does_not_ban_the_one_who_gives_it() {
    if !is_root() {
        return;
    }
    let net = scene(Rung::Highest);
    let _daemon = net.start(&net.config(""));
    let over_ssh = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
        command
            .args(args)
            .arg("--socket")
            .arg(net.socket())
            .env("SSH_CONNECTION", format!("{FRIEND} 51514 10.77.0.1 22"))
            .output()
            .unwrap()
    };
    for who in [FRIEND, "10.77.0.0/24"] {
        let output = over_ssh(&["ban", who]);
        let line = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && line.contains("you are connected from 10.77.0.3"), "{who}: {line}");
    }
    assert!(over_ssh(&["ban", "10.77.0.9"]).status.success());
    let locked = String::from_utf8(over_ssh(&["mode", "lockdown"]).stdout).unwrap();
    assert!(locked.contains("your address 10.77.0.3 is not on the never-ban set"), "{locked}");
    net.told(&["mode", "enforce"]);
    net.told(&["allow", "add", FRIEND]);
    assert!(over_ssh(&["ban", "10.77.0.0/24"]).status.success() && gets_in(&net, FRIEND));
    let locked = String::from_utf8(over_ssh(&["mode", "lockdown"]).stdout).unwrap();
    assert!(!locked.contains("WARNING"), "{locked}");
}

/// What the API says to somebody who has the token, and in what status.
fn asked(net: &Net, token: &std::path::Path, from: &str, rest: &str) -> (String, String) {
    let token = fs::read_to_string(token).unwrap();
    let base = if from.contains(':') { "https://[fd77::1]:8443" } else { "https://10.77.0.1:8443" };
    let line = format!(
        "curl -gsk -m 5 --interface {from} -H 'Authorization: Bearer {}' -w '\\n%{{http_code}}' {}",
        token.trim(),
        rest.replace("BASE", base)
    );
    let output = Command::new("ip").args(["netns", "exec", &net.stranger, "sh", "-c", &line]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

fn an_operator_over_https_cannot_ban_himself_and_is_protected_while_he_works(rung: Rung) {
    let net = scene(rung);
    let config = net.config("");
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("127.0.0.1:8443", "[::]:8443")).unwrap();
    let _daemon = net.start(&config);
    let token = net.state_dir().join("api.token");
    let ban = |from: &str, subject: &str| {
        asked(&net, &token, from, &format!("--json '{{\"subject\":\"{subject}\",\"force\":true}}' BASE/api/v1/bans"))
    };
    for (own, other, around) in [(STRANGER, FRIEND, "10.77.0.0/28"), (STRANGER6, FRIEND6, "fd77::/64")] {
        // His first word is such a ban already: nothing knows him yet.
        for subject in [own, around] {
            let (status, told) = ban(own, subject);
            assert!(status == "409" && told.contains("you are connected from") && told.contains("allow"), "{status} {told}");
        }
        let why = |addr: &str| net.json(&["why", addr]);
        eventually("the protection of who has the token", || (why(own)["protected"][0]["why"] == "operator").then_some(()));
        assert_eq!(net.json(&["bans"]).as_array().unwrap().len(), 0, "nothing was banned");
        // Others cannot, either, as long as he works; and what covers him spares him.
        assert!(net.refused(&["ban", own]).1.contains("is never banned"));
        net.told(&["ban", around, "--force"]);
        assert!(gets_in(&net, own) && !gets_in(&net, other), "he keeps passing, and nobody else");
        let (status, told) = asked(&net, &token, own, &format!("-X DELETE BASE/api/v1/bans/{around}"));
        assert_eq!(status, "200", "{told}");
        // Whoever has no token is nobody.
        let wrong = net.dir.path().join("wrong");
        fs::write(&wrong, "0".repeat(64)).unwrap();
        assert_eq!(asked(&net, &wrong, other, "BASE/api/v1/status").0, "401");
        assert!(why(other)["protected"].as_array().unwrap().is_empty());
        // With something that lasts he may: he keeps passing whether he says something or not.
        assert_eq!(asked(&net, &token, own, &format!("--json '{{\"net\":\"{own}\"}}' BASE/api/v1/allow")).0, "200");
        let (status, told) = ban(own, around);
        assert_eq!(status, "200", "{told}");
        assert!(gets_in(&net, own) && !gets_in(&net, other));
        net.told(&["unban", around]);
    }
}

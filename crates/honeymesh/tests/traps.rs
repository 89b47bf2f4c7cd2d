//! The process that plays the traps, for real: what it is, what it holds, and what becomes of it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Daemon, Net, eventually, in_namespace, is_root, wait};
use honeymesh_trap::{LEAVING_MAX, MEMORY_BESIDES, SESSION_HELD_BYTES_MAX, SESSION_PEAK_BYTES_MAX, SESSION_TLS_BYTES_MAX};
use nix::{
    fcntl::OFlag,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const TRAP: &str = "[[trap]]\nname = \"web\"\nservice = \"http\"\nlisten = [\"0.0.0.0:8080\"]\n";

/// The number of the process that plays.
fn player(net: &Net) -> i32 {
    let process = &net.json(&["status"])["trap_process"];
    assert_eq!(process["running"], true, "{process}");
    i32::try_from(process["pid"].as_i64().unwrap()).unwrap()
}

/// A line of what the kernel says of a process.
fn proc_line(pid: i32, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a descriptor is open for: to be read, to be written, or both.
fn open_for(pid: i32, descriptor: &OsStr) -> OFlag {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", descriptor.display())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    OFlag::from_bits_truncate(i32::from_str_radix(flags, 8).unwrap()) & OFlag::O_ACCMODE
}

fn parent(pid: i32) -> i32 {
    proc_line(pid, "PPid").parse().unwrap()
}

fn end(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// Another process plays.
fn next_player(net: &Net, before: i32) -> i32 {
    eventually("another process plays", || {
        let process = net.json(&["status"])["trap_process"].clone();
        let pid = i32::try_from(process["pid"].as_i64().unwrap()).unwrap();
        (process["running"] == true && pid != before).then_some(pid)
    })
}

fn is_banned(net: &Net) -> bool {
    net.json(&["bans"]).as_array().unwrap().iter().any(|ban| ban["subject"] == "10.77.0.2/32")
}

#[test]
fn strangers_bytes_are_parsed_by_a_process_that_owns_nothing_and_can_do_nothing_else() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config(TRAP));
    let player = player(&net);
    let warden = parent(player);
    assert_eq!(parent(warden), i32::try_from(daemon.child.id()).unwrap());
    for (pid, name) in [(player, "honeymesh-trap"), (warden, "honeymesh-trapw")] {
        assert_eq!(proc_line(pid, "Name"), name);
        let mut pipes = 0;
        let (user, group) = (proc_line(pid, "Uid"), proc_line(pid, "Gid"));
        assert!(!user.split(' ').any(|id| id == "0") && !group.split(' ').any(|id| id == "0"), "{name}: {user} {group}");
        assert_eq!(proc_line(pid, "Groups"), "", "{name}");
        for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
            assert_eq!(proc_line(pid, set), "0000000000000000", "{name}: {set}");
        }
        assert_eq!((proc_line(pid, "NoNewPrivs").as_str(), proc_line(pid, "Seccomp").as_str()), ("1", "2"), "{name}");
        assert_eq!(proc_line(pid, "Threads"), "1", "{name}");
        for descriptor in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let descriptor = descriptor.unwrap();
            let what = fs::read_link(descriptor.path()).unwrap();
            let what = what.to_str().unwrap();
            if what.starts_with("pipe:") {
                pipes += 1;
                assert_eq!(open_for(pid, &descriptor.file_name()), OFlag::O_WRONLY, "{name} can only say something by {what}");
            }
            let is_line = ["socket:", "pipe:", "anon_inode:[event"].iter().any(|kind| what.starts_with(kind));
            assert!(is_line, "{name} holds {what}");
        }
        assert!(pipes > 0, "{name} tells of strangers by a pipe");
        assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"", "{name}");
    }
    let limits = fs::read_to_string(format!("/proc/{player}/limits")).unwrap();
    assert!(limits.lines().any(|line| line.starts_with("Max open files") && line.contains(" 1344 ")), "{limits}");
    assert!(limits.lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 ")), "{limits}");
    // 1,024 sessions and those on their way out, each with what it captures, what its protocol and its TLS may hold; one that has more for a moment; the rest.
    let each = 65_536 + SESSION_HELD_BYTES_MAX + SESSION_TLS_BYTES_MAX;
    let memory = format!(" {} ", (1_024 + LEAVING_MAX) * each + SESSION_PEAK_BYTES_MAX + MEMORY_BESIDES);
    assert!(limits.lines().any(|line| line.starts_with("Max address space") && line.contains(&memory)), "{memory}: {limits}");
    assert!(net.told(&["status"]).contains(&format!("traps    process {player}")));
    assert!(daemon.stop().0.success());
    eventually("both end with the daemon", || (!fs::exists(format!("/proc/{warden}")).unwrap()).then_some(()));
}

#[test]
fn a_confined_process_speaks_tls_with_a_certificate_that_stays() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config(
        "[traps]\nhost = \"shop.example.org\"\n[[trap]]\nname = \"web\"\nservice = \"https\"\nlisten = [\"0.0.0.0:4443\"]\n",
    );
    let said = net.dir.path().join("said");
    let curl = format!("curl -sv -k -m 5 https://10.77.0.1:4443/ -u root:toor >{} 2>&1", said.display());
    let mut certificates = Vec::new();
    for _ in 0..2 {
        let daemon = net.start(&config);
        assert!(net.stranger(&curl), "{}", fs::read_to_string(&said).unwrap());
        let text = fs::read_to_string(&said).unwrap();
        assert!(text.contains("HTTP/1.1 200 OK") && text.contains("subject: CN=shop"), "{text}");
        certificates.push(text.lines().find(|line| line.contains("start date")).unwrap().to_owned());
        eventually("it is banned for what it said", || is_banned(&net).then_some(()));
        eventually("it is kept what it said", || {
            let events = net.told(&["events", "--json"]);
            (events.contains("\"password\":\"toor\"") && events.contains("\"ja4\":\"t13i")).then_some(())
        });
        net.told(&["unban", "10.77.0.2"]);
        assert!(daemon.stop().0.success());
    }
    assert_eq!(certificates[0], certificates[1]);
    let file = fs::metadata(net.state_dir().join("traps.pem")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&file) & 0o777, 0o600);
}

/// Each of a machine's host keys, as `ssh-keyscan` sees them.
fn host_keys(net: &Net) -> BTreeSet<String> {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", net.stranger));
    let output =
        command.args(["ssh-keyscan", "-T", "15", "-p", "2022", "-t", "ed25519,ecdsa,rsa", "10.77.0.1"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The machine's name is none of the configuration's, so that it is the seed, and what is kept, that makes it and its keys.
#[test]
fn a_machine_has_the_keys_and_the_name_after_a_start_that_it_had_before() {
    if !is_root() {
        return;
    }
    let traps = "[[trap]]\nname = \"shell\"\nservice = \"ssh\"\nlisten = [\"0.0.0.0:2022\"]\n\
        [[trap]]\nname = \"mail\"\nservice = \"smtp\"\nlisten = [\"0.0.0.0:2025\"]\n";
    let mut machines = BTreeSet::new();
    let start = |net: &Net, config: &Path| {
        let daemon = net.start(config);
        // Whoever looks is not dropped before all is seen.
        net.told(&["mode", "observe"]);
        let keys = eventually("it is asked for all its keys", || Some(host_keys(net)).filter(|keys| keys.len() == 3));
        let mut greeting = [0; 200];
        let length = connect(net, "10.77.0.1:2025").unwrap().read(&mut greeting).unwrap();
        let greeting = String::from_utf8(greeting[..length].to_vec()).unwrap();
        assert!(daemon.stop().0.success());
        (keys, greeting.split(' ').nth(1).unwrap().to_owned())
    };
    for _ in 0..2 {
        let net = Net::new();
        let config = net.config(traps);
        let (before, after) = (start(&net, &config), start(&net, &config));
        assert_eq!(before, after);
        machines.insert(before.0);
    }
    assert_eq!(machines.len(), 2, "another node's are others");
    assert!(machines.first().unwrap().is_disjoint(machines.last().unwrap()));
}

#[test]
fn a_trap_that_dies_of_what_it_was_sent_is_there_again_and_nobody_who_was_in_it_is_forgotten() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config(TRAP));
    let mut before = player(&net);
    // Somebody is in, and nothing is told of it: whoever plays stands still.
    kill(Pid::from_raw(before), Signal::SIGSTOP).unwrap();
    let mut visitor = Command::new("nsenter");
    visitor.arg(format!("--net=/run/netns/{}", net.stranger)).args(["bash", "-c", "exec 3<>/dev/tcp/10.77.0.1/8080; sleep 20"]);
    let mut visitor = visitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("it is in", || (net.json(&["status"])["traps"][0]["active"] == 1).then_some(()));
    assert!(!is_banned(&net));
    end(before);
    eventually("it is banned for having been there", || is_banned(&net).then_some(()));
    before = next_player(&net, before);
    let status = net.json(&["status"]);
    assert_eq!((&status["trap_process"]["restarts"], &status["traps"][0]["active"]), (&1.into(), &0.into()), "{status}");
    assert!(status["trap_process"]["ended"].as_str().unwrap().contains("signal: 9"), "{status}");
    let _ended = (visitor.kill(), visitor.wait());

    net.told(&["unban", "10.77.0.2"]);
    let said = net.dir.path().join("said");
    let curl = format!("curl -sv -m 5 http://10.77.0.1:8080/ -u root:toor >{} 2>&1", said.display());
    assert!(net.stranger(&curl), "the trap plays again: {}", fs::read_to_string(said).unwrap());
    eventually("it is banned for what it said", || is_banned(&net).then_some(()));
    eventually("what it said is kept", || net.told(&["events", "--json"]).contains("\"password\":\"toor\"").then_some(()));

    assert_eq!(net.json(&["status"])["warnings"].as_array().unwrap().len(), 0);
    for _ in 0..3 {
        end(before);
        before = next_player(&net, before);
    }
    let warnings = net.json(&["status"])["warnings"].to_string();
    assert!(warnings.contains("ends again and again, the last time by signal: 9"), "{warnings}");
    let events = eventually("the loop is an event", || {
        let text = net.told(&["events", "--json"]);
        text.contains("crash_loop").then_some(text)
    });
    let ends: Vec<Value> =
        events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"]["traps"].clone()).collect();
    assert!(ends.contains(&"ended".into()) && ends.contains(&"crash_loop".into()), "{ends:?}");
    let (ended, log) = daemon.stop();
    assert!(ended.success() && log.iter().any(|line| line.contains("ends again and again")), "{log:?}");
}

/// So many are in when the daemon is stopped.
const LAST_GUESTS: usize = 24;

/// Each of them says a line and hears an answer.
fn say(guests: &mut [TcpStream], line: impl Fn(usize) -> String, answer: &str) {
    guests.iter_mut().enumerate().for_each(|(index, guest)| guest.write_all(line(index).as_bytes()).unwrap());
    for guest in guests {
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n") {
            let mut byte = [0];
            guest.read_exact(&mut byte).unwrap();
            heard.extend(byte);
        }
        assert!(heard.starts_with(answer.as_bytes()), "{}", String::from_utf8_lossy(&heard));
    }
}

#[test]
fn what_strangers_have_typed_when_the_daemon_is_stopped_is_kept_and_earns_its_ban() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let trap = "[[trap]]\nname = \"files\"\nservice = \"ftp\"\nlisten = [\"0.0.0.0:2121\"]\n";
    let config = net.config(&format!("{trap}[traps]\nsessions_per_source_max = 100\n"));
    let mut daemon = net.start(&config);
    // Nobody is dropped before all has been said.
    net.told(&["mode", "observe"]);
    for round in 0..4 {
        let connect = || (0..LAST_GUESTS).map(|_| TcpStream::connect("10.77.0.1:2121").unwrap()).collect::<Vec<_>>();
        let mut guests = in_namespace(&net.stranger, connect).join().unwrap();
        say(&mut guests, |_| String::new(), "220 ");
        // While the daemon stands still the first passwords wait in the traps' pipe; the second users are not told of before the end.
        daemon.signal(Signal::SIGSTOP);
        say(&mut guests, |index| format!("USER first{round}x{index}\r\n"), "331 ");
        say(&mut guests, |index| format!("PASS word{round}x{index}\r\n"), "530 ");
        say(&mut guests, |index| format!("USER last{round}x{index}\r\n"), "331 ");
        daemon.signal(Signal::SIGTERM);
        daemon.signal(Signal::SIGCONT);
        let (ended, log) = daemon.stop();
        assert!(ended.success(), "{log:?}");
        let amiss: Vec<_> = log.iter().filter(|line| line.contains("nobody takes") || line.contains("left behind")).collect();
        assert!(amiss.is_empty(), "an orderly stop: {amiss:?}");
        daemon = net.start(&config);
        let events = net.told(&["events", "--limit", "10000", "--json"]);
        for what in ["first", "word", "last"] {
            let words = (0..LAST_GUESTS).map(|index| format!("\"{what}{round}x{index}\""));
            let lost: Vec<_> = words.filter(|word| !events.contains(word)).collect();
            assert!(lost.is_empty(), "in round {round} these are lost: {lost:?}");
        }
        assert!(is_banned(&net), "what is told last earns its ban as well");
        net.told(&["unban", "10.77.0.2"]);
    }
}

/// Dark ports as traps; the kernel program answers from the first SYN on.
fn flooded(net: &Net) -> PathBuf {
    let config = net.config("[scan]\nports = 16\n[traps]\ndark = \"trap\"\nflood_syns_per_second = 1\n");
    // On a veth only what this mode sends back arrives at an end without a program.
    let text = fs::read_to_string(&config).unwrap().replace("[xdp]\n", "[xdp]\nattach = \"generic\"\n");
    fs::write(&config, text).unwrap();
    config
}

/// The stranger connects.
fn connect(net: &Net, to: &str) -> Result<TcpStream, ErrorKind> {
    let to: SocketAddr = to.parse().unwrap();
    let connect = move || TcpStream::connect_timeout(&to, Duration::from_secs(2)).map_err(|error| error.kind());
    in_namespace(&net.stranger, connect).join().unwrap()
}

/// The stranger says something on a dark port, and the daemon tells that the kernel program heard it.
fn is_heard(net: &Net, port: u16) {
    let mut stream = connect(net, &format!("10.77.0.1:{port}")).unwrap();
    stream.write_all(b"who is there?").unwrap();
    eventually("what was said is told", || {
        let events = net.told(&["events", "--json"]);
        let heard = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap();
            let is_said = event["payload_base64"] == "d2hvIGlzIHRoZXJlPw==" && event["port"] == port;
            is_said && event["fields"]["service"] == "cookie"
        };
        events.lines().any(heard).then_some(())
    });
}

#[test]
fn when_the_daemon_ends_in_a_flood_dark_ports_are_closed_bans_hold_and_the_next_one_hears_again() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = flooded(&net);
    let ends: [fn(Daemon); 2] = [Daemon::kill, |daemon| assert!(daemon.stop().0.success())];
    for (round, (end, port)) in ends.into_iter().zip([31_337, 4_711]).enumerate() {
        let daemon = net.start(&config);
        is_heard(&net, port);
        net.told(&["ban", "fd77::2"]);
        let answered = net.json(&["status"])["kernel"]["answered"].clone();
        end(daemon);
        for port in [port, 23] {
            assert_eq!(connect(&net, &format!("10.77.0.1:{port}")).unwrap_err(), ErrorKind::ConnectionRefused, "{round}: {port}");
        }
        assert!(net.reaches(), "{round}: the served port does not notice");
        assert_eq!(connect(&net, &format!("[fd77::1]:{port}")).unwrap_err(), ErrorKind::TimedOut, "{round}: banned");
        let daemon = net.start(&config);
        assert_eq!(net.json(&["status"])["kernel"]["answered"], answered, "{round}: nobody answered meanwhile");
        is_heard(&net, port + 1);
        daemon.kill();
    }
}

#[test]
fn when_only_the_player_dies_dark_ports_are_traps_again_before_anybody_gives_up() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let mut daemon = net.start(&net.config("[scan]\nports = 16\n[traps]\ndark = \"trap\"\n"));
    let mut before = player(&net);
    for port in [21, 22] {
        end(before);
        // Whoever comes meanwhile waits for the next one, and is greeted by it.
        let mut guest = connect(&net, &format!("10.77.0.1:{port}")).unwrap();
        assert!(net.reaches(), "the served port does not notice");
        guest.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(guest.read(&mut [0; 64]).unwrap() > 4, "{port}: a greeting");
        before = next_player(&net, before);
    }
    // Nobody starts another one: the daemon ends, and with it the traps' doors.
    end(parent(before));
    assert!(!wait(&mut daemon.child, Duration::from_secs(10)).success());
    assert_eq!(connect(&net, "10.77.0.1:21").unwrap_err(), ErrorKind::ConnectionRefused);
    assert!(net.reaches());
}

#[test]
fn without_anybody_who_could_start_the_trap_again_the_daemon_ends_with_an_error() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let mut daemon = net.start(&net.config(TRAP));
    let player = player(&net);
    end(parent(player));
    let ended = wait(&mut daemon.child, Duration::from_secs(10));
    assert!(!ended.success(), "so that it is started again");
    eventually("whoever played ends, too", || (!fs::exists(format!("/proc/{player}")).unwrap()).then_some(()));
}

#[test]
fn a_user_who_is_nobody_here_is_named_with_the_mend() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    for (user, said) in [("nobody-of-that-name", "useradd --system"), ("root", "is root")] {
        let (code, line) = net.start_fails(&net.config(&format!("{TRAP}[traps]\nuser = \"{user}\"\n")));
        assert!(code == 2 && line.contains("[traps] user") && line.contains(said), "{code}: {line}");
    }
}

#[test]
fn it_is_not_started_by_hand() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
    let output = command.arg("traps").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("is started by `honeymesh run`"), "{said}");
}

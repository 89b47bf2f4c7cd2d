//! The daemon for real: a kernel, a network namespace of its own, a stranger, and the binary as its client.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Daemon, Net, Rung, eventually, fails, in_namespace, is_root, on_every_rung, wait};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

on_every_rung! {
    the_allowlist_and_the_mode_hold_at_once_and_after_a_restart
    a_restart_keeps_bans_and_the_kernel_never_lets_go_in_between
    on_exit_release_leaves_the_kernel_as_it_was
    a_daemon_killed_in_a_storm_of_bans_forgets_none_that_it_confirmed
    a_forever_ban_and_a_short_one_end_as_told
    a_visit_to_a_trap_is_a_ban_in_the_kernel_with_its_latency_told
}

const TRAP: &str = "[[trap]]\nname = \"web\"\nservice = \"http\"\nlisten = [\"0.0.0.0:8080\", \"[::]:8080\"]\n";

fn subjects(bans: &Value) -> BTreeSet<String> {
    bans.as_array().unwrap().iter().map(|ban| ban["subject"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_operator_bans_asks_why_lifts_and_exports() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config(TRAP));

    let status = net.json(&["status"]);
    assert_eq!((&status["node"], &status["mode"], &status["ready"]), (&"roof".into(), &"enforce".into(), &true.into()));
    assert_eq!(status["interfaces"][0]["name"], net.interface.as_str());
    assert_eq!(status["traps"][0]["listen"][1], "[::]:8080");
    assert!(net.told(&["status"]).contains("roof: mode enforce"));

    assert!(net.reaches(), "the stranger is nobody's enemy yet");
    let ban = net.json(&["ban", "10.77.0.2", "--note", "a test", "--ttl", "1h"]);
    assert_eq!((&ban["changed"], &ban["bans"][0]["subject"]), (&true.into(), &"10.77.0.2/32".into()));
    assert!(!net.reaches(), "banned");
    let bans = net.json(&["bans"]);
    let ban = &bans[0];
    assert_eq!((&ban["grade"], &ban["scope"], &ban["enforced"]), (&"operator".into(), &"all".into(), &true.into()));
    assert_eq!((&ban["reasons"][0], &ban["note"], &ban["origins"][0]), (&"manual".into(), &"a test".into(), &"roof".into()));
    assert!(ban["drops"].as_u64().unwrap() > 0, "{ban}");
    assert_eq!(net.json(&["bans", "--subject", "10.77.0.0/24"]).as_array().unwrap().len(), 1);
    assert_eq!(net.json(&["bans", "--subject", "10.78.0.0/24"]).as_array().unwrap().len(), 0);

    let why = net.json(&["why", "10.77.0.2"]);
    assert_eq!((&why["banned"], &why["enforced"]), (&true.into(), &true.into()));
    assert_eq!(why["bans"][0]["claims"][0]["note"], "a test");
    assert!(net.told(&["why", "10.77.0.2"]).contains("note: a test"));
    assert!(net.told(&["why", "10.77.0.9"]).contains("not banned"));

    let (code, line) = net.refused(&["ban", "10.77.0.1"]);
    assert!(code == 1 && line.contains("never banned"), "{line}");
    let (code, line) = net.refused(&["ban", "10.0.0.0/8"]);
    assert!(code == 1 && line.contains("--force"), "{line}");
    let (code, line) = net.refused(&["unban", "192.0.2.77", "--local"]);
    assert!(code == 1 && line.contains("was not banned"), "{line}");

    let unban = net.json(&["unban", "10.77.0.2", "--wait", "2s"]);
    assert_eq!((&unban["changed"], &unban["confirmed"][0]), (&true.into(), &"roof".into()));
    assert!(net.reaches(), "lifted");
    assert!(net.told(&["why", "10.77.0.2"]).contains("lifted by"));

    let events = eventually("the unban's event", || {
        let text = net.told(&["events", "--json"]);
        text.contains("\"unban\"").then_some(text)
    });
    let kinds: Vec<Value> = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone()).collect();
    assert!(kinds.contains(&"ban".into()) && kinds.contains(&"unban".into()), "{kinds:?}");
    let csv = net.told(&["export", "--format", "csv"]);
    assert!(csv.starts_with("id,at,node") || csv.starts_with("\"id\""), "{csv}");
    let array: Value = serde_json::from_str(&net.told(&["export", "--format", "json"])).unwrap();
    let lines = net.told(&["export", "--format", "jsonl", "--subject", "10.77.0.2"]);
    assert!(array.as_array().unwrap().len() >= lines.lines().count() && lines.lines().count() >= 2);
    let file = net.dir.path().join("out.jsonl");
    net.told(&["export", "--format", "jsonl", "--output", file.to_str().unwrap()]);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), array.as_array().unwrap().len());
    assert_eq!(net.told(&["peers", "--json"]).trim(), "[]");

    let (ended, log) = daemon.stop();
    assert!(ended.success(), "{log:?}");
    assert!(!net.socket().exists(), "the control socket is removed");
    assert_eq!(net.client(&["status"]).status.code(), Some(3));
}

fn a_visit_to_a_trap_is_a_ban_in_the_kernel_with_its_latency_told(rung: Rung) {
    let net = Net::on(rung);
    let _daemon = net.start(&net.config(TRAP));
    let mut follower = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
    let mut follower =
        Daemon::spawn_reading_stdout(follower.args(["events", "--follow", "--json", "--socket"]).arg(net.socket()));
    net.stranger("curl -s -m 3 http://10.77.0.1:8080/admin -u root:toor");
    let line = follower.wait_for("\"kind\":\"ban\"");
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["subject"], "10.77.0.2/32");
    let latency_us: u64 = event["fields"]["latency_us"].as_str().unwrap().parse().unwrap();
    assert!(latency_us < 1_000_000, "{latency_us} µs from evidence to kernel");
    assert!(!net.reaches(), "banned everywhere");
    let status = net.json(&["status"]);
    assert_eq!(status["counts"]["detect_to_ban"]["count"].as_u64().unwrap(), 1, "{status}");
    let why = net.json(&["why", "10.77.0.2"]);
    assert!(why["events"].as_array().unwrap().iter().any(|event| event["kind"] == "visit"), "{why}");
}

fn the_allowlist_and_the_mode_hold_at_once_and_after_a_restart(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config(TRAP);
    let daemon = net.start(&config);
    net.told(&["ban", "10.77.0.2"]);
    assert!(!net.reaches());
    net.told(&["mode", "observe"]);
    assert!(net.reaches(), "observe drops nothing");
    assert_eq!(net.json(&["bans"])[0]["enforced"], false);
    assert!(daemon.stop().0.success());

    let daemon = net.start(&config);
    assert_eq!(net.json(&["status"])["mode"], "observe", "kept over the restart");
    assert!(net.reaches());
    net.told(&["mode", "enforce"]);
    assert!(!net.reaches(), "enforce drops again");
    let (code, line) = net.refused(&["mode", "lockdown", "--confirm-within", "1s"]);
    assert!(code == 1 && line.contains("within 5s to 1h"), "{line}");

    let allowed = net.told(&["allow", "add", "10.77.0.2"]);
    assert!(allowed.contains("1 bans inside it were lifted") || allowed.contains("on the allowlist"), "{allowed}");
    assert!(net.reaches());
    assert_eq!(net.refused(&["ban", "10.77.0.2"]).0, 1);
    assert!(daemon.stop().0.success());

    let _daemon = net.start(&config);
    let list = net.json(&["allow", "list"]);
    let mine = list.as_array().unwrap().iter().find(|entry| entry["net"] == "10.77.0.2/32").unwrap();
    assert_eq!((&mine["why"], &mine["source"]), (&"allowlist".into(), &"operator".into()));
    assert!(list.as_array().unwrap().iter().any(|entry| entry["why"] == "gateway" && entry["net"] == "10.77.0.254/32"), "{list}");
    net.told(&["allow", "remove", "10.77.0.2"]);
    net.told(&["ban", "10.77.0.2"]);
    assert!(!net.reaches());
}

fn a_restart_keeps_bans_and_the_kernel_never_lets_go_in_between(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config(TRAP);
    let daemon = net.start(&config);
    let given = ["10.77.0.2", "203.0.113.0/24", "2001:db8:1::/64"];
    given.iter().for_each(|subject| drop(net.told(&["ban", subject, "--ttl", "2h"])));
    let before = subjects(&net.json(&["bans"]));
    let (ended, log) = daemon.stop();
    assert!(ended.success() && log.iter().any(|line| line.contains("goes on enforcing")), "{log:?}");
    assert!(!net.reaches(), "the kernel holds without a daemon");
    let daemon = net.start(&config);
    assert_eq!(subjects(&net.json(&["bans"])), before);
    assert!(!net.reaches());
    daemon.kill();
    assert!(!net.reaches(), "nor does a killed daemon open a gap");
    let _daemon = net.start(&config);
    assert_eq!(subjects(&net.json(&["bans"])), before, "after kill -9 too");
    let audit = eventually("the first audit", || net.json(&["status"])["audit"].as_object().cloned());
    assert_eq!((&audit["missing"], &audit["extra"], &audit["different"]), (&0.into(), &0.into(), &0.into()));
}

fn on_exit_release_leaves_the_kernel_as_it_was(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config("");
    let text = fs::read_to_string(&config).unwrap().replace("pin_dir", "on_exit = \"release\"\npin_dir");
    fs::write(&config, text).unwrap();
    let daemon = net.start(&config);
    net.told(&["ban", "10.77.0.2"]);
    assert!(!net.reaches());
    assert!(daemon.stop().0.success());
    assert!(net.reaches(), "released");
    assert!(!net.pin_dir.exists());
}

fn a_daemon_killed_in_a_storm_of_bans_forgets_none_that_it_confirmed(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config("");
    let daemon = net.start(&config);
    let heard = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (socket, heard) = (net.socket(), Arc::clone(&heard));
            std::thread::spawn(move || {
                let mut confirmed = Vec::new();
                for host in 1..=250 {
                    let subject = format!("198.18.{client}.{host}");
                    let mut ban = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
                    let ban = ban.args(["ban", &subject, "--socket"]).arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
                    if !ban.status().unwrap().success() {
                        return confirmed;
                    }
                    confirmed.push(format!("{subject}/32"));
                    heard.fetch_add(1, Ordering::Relaxed);
                }
                confirmed
            })
        })
        .collect();
    eventually("a storm", || (heard.load(Ordering::Relaxed) >= 40).then_some(()));
    daemon.kill();
    let confirmed: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert!(confirmed.len() < 1_000, "the storm was cut in the middle: {}", confirmed.len());
    let _daemon = net.start(&config);
    let kept = subjects(&net.json(&["bans"]));
    let lost: Vec<_> = confirmed.iter().filter(|subject| !kept.contains(*subject)).collect();
    assert!(lost.is_empty(), "of {} confirmed bans these are lost: {lost:?}", confirmed.len());
    eprintln!("{} bans were confirmed before kill -9; {} are there after it", confirmed.len(), kept.len());
}

fn a_forever_ban_and_a_short_one_end_as_told(rung: Rung) {
    let net = Net::on(rung);
    let _daemon = net.start(&net.config(""));
    net.told(&["ban", "192.0.2.1", "--ttl", "forever"]);
    assert!(net.told(&["bans"]).contains("forever"));
    net.told(&["ban", "10.77.0.2", "--ttl", "5s"]);
    assert!(!net.reaches());
    eventually("the short ban's end", || (subjects(&net.json(&["bans"])).len() == 1).then_some(()));
    assert!(net.reaches());
    assert!(net.told(&["why", "10.77.0.2"]).contains("expired"));
}

#[test]
fn what_keeps_it_from_starting_is_one_line_with_the_mend_and_the_right_code() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config(TRAP));

    let (code, line) = net.start_fails(&net.config(TRAP));
    assert!(code == 1 && line.contains("another daemon"), "a second one: {code} {line}");

    let other = |more: &str| {
        let text = fs::read_to_string(net.config(more)).unwrap();
        let text =
            text.replace("/state\"", "/other\"").replace(net.pin_dir.to_str().unwrap(), &format!("{}o", net.pin_dir.display()));
        let file = net.dir.path().join("other.toml");
        fs::write(&file, text).unwrap();
        net.start_fails(&file)
    };
    let (code, line) = other(&format!("{TRAP}#"));
    assert!(
        code == 1 && line.contains("trap `web`") && line.contains("0.0.0.0:8080") && line.contains("ss -ltunp"),
        "{code} {line}"
    );
    let (code, line) = other("");
    assert!(code == 1 && line.contains("[api] listen") && line.contains("127.0.0.1:8443"), "{code} {line}");
    let (code, line) = other("[[trap]]\nname = \"t\"\nservice = \"ftp\"\nlisten = [\"192.0.2.1:21\"]\n");
    assert!(code == 2 && line.contains("192.0.2.1:21"), "an address it does not have: {code} {line}");
    assert!(daemon.stop().0.success());

    let config = net.config("");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&net.interface, "eth9x")).unwrap();
    let (code, line) = net.start_fails(&config);
    assert!(code == 2 && line.contains("interface `eth9x` does not exist") && line.contains(&net.interface), "{code} {line}");

    let key = net.dir.path().join("m.key");
    assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&key).output().unwrap().status.success());
    let cluster = |listen: &str| format!("[[cluster]]\nname = \"m\"\nlisten = \"{listen}\"\nkey_file = \"{}\"\n", key.display());
    let taken = in_namespace(&net.node, || std::net::UdpSocket::bind("0.0.0.0:7946").unwrap()).join().unwrap();
    let (code, line) = net.start_fails(&net.config(&cluster("0.0.0.0:7946")));
    assert!(
        code == 1 && line.contains("cluster `m`") && line.contains("0.0.0.0:7946") && line.contains("ss -ulpn"),
        "{code} {line}"
    );
    drop(taken);
    let (code, line) = net.start_fails(&net.config(&cluster("192.0.2.5:7946")));
    assert!(code == 2 && line.contains("no such address"), "{code} {line}");
}

#[test]
fn two_nodes_share_bans_also_while_their_key_changes() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let key = |name: &str| {
        let file = net.dir.path().join(name);
        assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&file).output().unwrap().status.success());
        file
    };
    let (new, files) = (key("new.key"), [key("one.key"), net.dir.path().join("other.key")]);
    fs::copy(&files[0], &files[1]).unwrap();
    let cluster = |file: &std::path::Path, join: &str| {
        let file = file.display();
        format!("[[cluster]]\nname = \"m\"\njoin = [\"{join}:7946\"]\nkey_file = \"{file}\"\nkey_grace = \"1s\"\n")
    };
    let other_config = net.other_config(&cluster(&files[1], "10.77.0.1"));
    let config = net.config(&cluster(&files[0], "10.77.0.2"));
    let (daemon, other) = (net.start(&config), net.start_other(&other_config));
    eventually("the members' meeting", || (net.json(&["peers"])[0]["state"] == "alive").then_some(()));
    assert_eq!(net.json(&["peers"])[0]["name"], "cellar");
    assert_eq!(net.refused(&["ban", "10.77.0.2"]).0, 1, "a mesh peer is never banned");

    net.told(&["ban", "203.0.113.50", "--note", "from the roof"]);
    let ban = eventually("the ban's arrival", || net.other_json(&["bans"]).as_array().unwrap().first().cloned());
    let origins = (&ban["subject"], &ban["origins"][0], &ban["enforced"]);
    assert_eq!(origins, (&"203.0.113.50/32".into(), &"roof".into(), &true.into()));
    let why = net.other_json(&["why", "203.0.113.50"]);
    assert_eq!(why["bans"][0]["records"][0]["origin"], "roof", "{why}");
    net.told(&["ban", "203.0.113.51", "--local"]);

    let rotated = net.json(&["key", "rotate", "m", "--new", new.to_str().unwrap()]);
    assert!(rotated["detail"].as_str().unwrap().contains("every other member before"), "{rotated}");
    let (code, line) = net.refused(&["key", "rotate", "m", "--new", new.to_str().unwrap()]);
    assert!(code == 1 && line.contains("under way"), "{line}");
    assert_eq!(net.refused(&["key", "rotate", "x", "--new", new.to_str().unwrap()]).0, 1);
    net.other_json(&["key", "rotate", "m", "--new", new.to_str().unwrap()]);
    for host in 100..130 {
        net.told(&["ban", &format!("203.0.113.{host}")]);
        std::thread::sleep(Duration::from_millis(100));
    }
    let all = eventually("all bans' arrival", || Some(subjects(&net.other_json(&["bans"]))).filter(|all| all.len() >= 31));
    assert!(!all.contains("203.0.113.51/32"), "what is local stays local");
    let keys = |file: &std::path::Path| {
        let text = fs::read_to_string(file).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let only_new = || files.iter().all(|file| keys(file) == keys(&new)).then_some(());
    eventually("the old keys' end", only_new);

    let unban = net.json(&["unban", "203.0.113.50", "--wait", "10s"]);
    assert_eq!((&unban["confirmed"], &unban["unconfirmed"]), (&serde_json::json!(["roof", "cellar"]), &serde_json::json!([])));
    assert!(!subjects(&net.other_json(&["bans"])).contains("203.0.113.50/32"), "whoever confirms has it");
    assert!(daemon.stop().0.success());
    let _daemon = net.start(&config);
    eventually("the meeting under the new key", || (net.json(&["peers"])[0]["state"] == "alive").then_some(()));
    assert!(other.stop().0.success());
}

#[test]
fn a_late_joiner_takes_much_over_a_stream() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let file = net.dir.path().join("m.key");
    assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&file).output().unwrap().status.success());
    let cluster =
        |join: &str| format!("[[cluster]]\nname = \"m\"\njoin = [\"{join}:7946\"]\nkey_file = \"{}\"\n", file.display());
    let other_config = net.other_config(&cluster("10.77.0.1"));
    let daemon = net.start(&net.config(&cluster("10.77.0.2")));
    // More than datagrams are used for.
    let bans = 1_100;
    for number in 0..bans {
        net.told(&["ban", &format!("198.18.{}.{}", number / 250, number % 250)]);
    }
    let other = net.start_other(&other_config);
    eventually("all bans' arrival", || (net.other_json(&["bans"]).as_array().unwrap().len() == bans).then_some(()));
    // The last ban is there before the stream that brought it is over.
    let is_done = |status: Value| status["clusters"][0]["streams"]["bulk_done"] == 1;
    eventually("the stream's end", || is_done(net.other_json(&["status"])).then_some(()));
    let (here, there) = (net.json(&["status"]), net.other_json(&["status"]));
    let count = |status: &Value, what: &str| status["clusters"][0]["streams"][what].as_u64().unwrap();
    assert_eq!((count(&there, "bulk_done"), count(&there, "bulk_fallbacks")), (1, 0), "{there}");
    assert_eq!((count(&here, "proven"), count(&here, "unproven"), count(&there, "proven")), (1, 0, 1), "{here}");
    assert!(count(&there, "received_bytes") > 100 * bans as u64, "{there}");
    assert!(daemon.stop().0.success() && other.stop().0.success());
}

#[test]
fn systemd_is_told_when_it_is_ready_and_that_it_lives() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let path = net.dir.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = net.daemon_command(&net.config(""));
    let daemon = Daemon::spawn({
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
        command
    });
    let mut heard = String::new();
    while !heard.contains("READY=1") || heard.matches("WATCHDOG=1").count() < 3 {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        if heard.contains("READY=1") {
            assert!(net.socket().exists(), "ready only when everything is up");
        }
    }
    assert!(daemon.stop().0.success());
}

#[test]
fn without_privileges_it_says_what_it_needs() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config("");
    fs::set_permissions(net.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let state = net.state_dir();
    fs::create_dir(&state).unwrap();
    let nobody = 65_534;
    nix::unistd::chown(&state, Some(nobody.into()), Some(nobody.into())).unwrap();
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", net.node)).args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(env!("CARGO_BIN_EXE_honeymesh")).args(["run", "--config"]).arg(&config).stderr(Stdio::piped());
    let (code, line) = fails(command);
    assert!(code == 1 && line.contains("CAP_BPF") && line.contains("root"), "{code} {line}");
}

#[test]
fn after_the_start_no_thread_has_a_capability() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let mut daemon = net.start(&net.config(TRAP));
    // `nsenter` became the daemon: the child is it.
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap();
    let mut threads = 0;
    for task in tasks {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        for name in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
            assert_eq!(u64::from_str_radix(&field(name), 16).unwrap(), 0, "{}", field("Name:"));
        }
        assert_eq!((field("NoNewPrivs:").as_str(), field("Seccomp:").as_str()), ("1", "2"), "{}", field("Name:"));
        threads += 1;
    }
    assert!(threads >= 4, "{threads}");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for("SIGHUP");
    daemon.signal(Signal::SIGINT);
    assert!(wait(&mut daemon.child, Duration::from_secs(10)).success());
}

//! A daemon that is not root once it is up: who it is, whose its files are, and that it does its whole work all the same.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Daemon, Net, eventually, fails, is_root, wait};
use honeymesh::clerk::{ANSWER_LEN, Answer, Counts, KeyFile, ORDER_LEN, Order, Outcome, tell_files};
use honeymesh_mesh_proto::{Key, KeyRing};
use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{MetadataExt, PermissionsExt, chown, symlink},
            net::UnixStream,
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Whom the daemon becomes on this machine, by name and number, and with which group.
fn user() -> (String, u32, u32) {
    let group = nix::unistd::Group::from_name("honeymesh").unwrap().map(|group| group.gid.as_raw());
    match nix::unistd::User::from_name("honeymesh").unwrap() {
        Some(user) => (user.name, user.uid.as_raw(), user.gid.as_raw()),
        None => ("65521".into(), 65_521, group.unwrap_or(65_521)),
    }
}

/// A value of `/proc/PID/task/TID/status` of every thread.
fn of_all_threads(pid: u32, name: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let statuses = threads.map(|task| fs::read_to_string(task.path().join("status")).unwrap());
    let value = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim).map(str::to_owned));
        line.unwrap()
    };
    let mut all: Vec<String> = statuses.map(value).collect();
    all.sort();
    all.dedup();
    all
}

/// The processes below the daemon, by what `ps` calls them.
fn family(pid: u32) -> BTreeMap<String, u32> {
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse::<u32>().ok()
    };
    let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).map(|name| name.trim().to_owned());
    let parents: Vec<(u32, u32)> = all.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let children: Vec<u32> = parents.iter().filter(|(_, parent)| *parent == pid).map(|(pid, _)| *pid).collect();
    let grandchildren = parents.iter().filter(|(_, parent)| children.contains(parent)).map(|(pid, _)| *pid);
    children.iter().copied().chain(grandchildren).filter_map(|pid| Some((name(pid).ok()?, pid))).collect()
}

/// Whose each file in the state directory is, itself included.
fn owners(dir: &Path) -> BTreeMap<String, u32> {
    let uid = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
    let files = fs::read_dir(dir).unwrap().flatten().map(|file| (file.file_name().into_string().unwrap(), uid(&file.path())));
    files.chain([(".".to_owned(), uid(dir))]).collect()
}

fn key(net: &Net, name: &str) -> PathBuf {
    let file = net.dir.path().join(name);
    assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&file).output().unwrap().status.success());
    file
}

fn cluster(file: &Path) -> String {
    format!("[[cluster]]\nname = \"m\"\nkey_file = \"{}\"\nkey_grace = \"1s\"\n", file.display())
}

/// A client that is not root, from where it can be reached.
fn as_nobody(net: &Net, args: &[&str]) -> (Option<i32>, String) {
    let binary = net.dir.path().join("honeymesh");
    if !binary.exists() {
        fs::copy(env!("CARGO_BIN_EXE_honeymesh"), &binary).unwrap();
    }
    let mut command = Command::new(binary);
    let output = command.args(args).arg("--socket").arg(net.socket()).uid(65_534).gid(65_534).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const TRAP: &str = "[[trap]]\nname = \"web\"\nservice = \"http\"\nlisten = [\"0.0.0.0:80\"]\n[traps]\ndark = \"trap\"\n";

#[test]
fn the_daemon_is_nobody_once_it_is_up_and_does_its_whole_work() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let (name, uid, gid) = user();
    let config = net.config(&format!("{}{TRAP}", cluster(&key(&net, "m.key"))));
    let daemon = net.start(&config);
    let pid = daemon.child.id();
    let proof = daemon.log.iter().find(|line| line.contains("power given away")).unwrap();
    assert!(proof.contains(&format!("of user {uid}, capabilities 0 (bounding 0)")), "{proof}");
    assert!(proof.ends_with("files restricted") || proof.contains("this kernel cannot"), "{proof}");
    assert_eq!(of_all_threads(pid, "Uid"), [[uid; 4].map(|uid| uid.to_string()).join("\t")]);
    assert_eq!(of_all_threads(pid, "Gid"), [[gid; 4].map(|gid| gid.to_string()).join("\t")]);
    assert_eq!(of_all_threads(pid, "Groups"), [""]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(of_all_threads(pid, set), ["0000000000000000"], "{set}");
    }
    assert_eq!((of_all_threads(pid, "NoNewPrivs"), of_all_threads(pid, "Seccomp")), (vec!["1".into()], vec!["2".into()]));
    assert_eq!(net.json(&["status"])["user"], name.as_str());
    assert!(net.told(&["status"]).contains(&format!("as user {name}")));
    assert!(owners(&net.state_dir()).iter().all(|(_, owner)| *owner == uid), "{:?}", owners(&net.state_dir()));

    // Who is root has no capability either, and nobody else has the daemon's user.
    let family = family(pid);
    let names: Vec<&str> = family.keys().map(String::as_str).collect();
    assert_eq!(names, ["honeymesh-clerk", "honeymesh-keep", "honeymesh-trap", "honeymesh-trapw", "honeymesh-ward"]);
    for (who, pid) in family {
        let is_root = !who.starts_with("honeymesh-trap");
        assert_eq!(of_all_threads(pid, "Uid")[0].starts_with("0\t"), is_root, "{who}");
        assert!(!of_all_threads(pid, "Uid")[0].starts_with(&format!("{uid}\t")), "{who}");
        assert_eq!(of_all_threads(pid, "CapEff"), ["0000000000000000"], "{who}");
    }

    // Bans, the kernel, the store, the control socket.
    assert!(net.stranger("curl -s --max-time 15 http://10.77.0.1:80/"), "a low port, bound before");
    eventually("the visitor's ban", || (!net.reaches()).then_some(()));
    net.told(&["unban", "10.77.0.2"]);
    assert!(net.reaches());
    net.told(&["ban", "10.77.0.2", "--note", "a test"]);
    assert!(!net.reaches());
    let (code, line) = as_nobody(&net, &["bans"]);
    assert!(code == Some(3) && line.to_lowercase().contains("permission denied"), "{code:?} {line}");
    eventually("the events in the store", || (net.told(&["events", "--json"]).contains("visit")).then_some(()));
    let file = net.dir.path().join("export.jsonl");
    net.told(&["export", "--format", "jsonl", "--output", file.to_str().unwrap()]);
    assert!(fs::read_to_string(file).unwrap().contains("\"visit\""));
    let status = eventually("probe and audit", || {
        let status = net.json(&["status"]);
        (!status["probe"].is_null() && !status["audit"].is_null()).then_some(status)
    });
    assert_eq!((&status["probe"]["ok"], &status["warnings"]), (&true.into(), &Value::Array(Vec::new())), "{status}");

    // Sudden death, adoption, an orderly end, and everything off.
    daemon.kill();
    assert!(!net.reaches(), "the kernel goes on");
    let daemon = net.start(&config);
    assert!(!net.reaches(), "adopted");
    assert_eq!(net.json(&["bans"])[0]["note"], "a test");
    let (status, log) = daemon.stop();
    assert!(status.success() && !net.socket().exists(), "{log:?}");
    assert!(!net.reaches(), "held");
    let mut release = Command::new("nsenter");
    release.arg(format!("--net=/run/netns/{}", net.node)).arg(env!("CARGO_BIN_EXE_honeymesh"));
    assert!(release.args(["release", "--config"]).arg(&config).output().unwrap().status.success());
    assert!(net.reaches());
}

#[test]
fn what_an_older_daemon_kept_as_root_is_taken_over_and_nothing_is_lost() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let (name, uid, _) = user();
    let with = |user: &str| {
        let config = net.config("");
        let text = fs::read_to_string(&config).unwrap().replace("[node]\n", &format!("[node]\n{user}\n"));
        fs::write(&config, text).unwrap();
        config
    };
    let daemon = net.start(&with("user = \"root\""));
    assert_eq!(net.json(&["status"])["user"], "root");
    assert!(net.json(&["status"])["warnings"].to_string().contains("the daemon stays root"));
    net.told(&["ban", "10.77.0.2", "--note", "by root"]);
    let id = |net: &Net| fs::read_to_string(net.state_dir().join("identity.key")).unwrap();
    let identity = id(&net);
    // Without a last word, so that the database's journal must be taken over, too.
    daemon.kill();
    assert!(owners(&net.state_dir()).values().all(|owner| *owner == 0));
    // Root's, with a second name somewhere: that may be anybody's file.
    fs::write(net.dir.path().join("precious"), "").unwrap();
    fs::hard_link(net.dir.path().join("precious"), net.state_dir().join("api.linked")).unwrap();

    let mut daemon = net.start(&with(""));
    assert_eq!(net.json(&["status"])["user"], name.as_str());
    assert_eq!((net.json(&["bans"])[0]["note"].as_str(), id(&net)), (Some("by root"), identity.clone()));
    assert!(!net.reaches());
    let mut owned = owners(&net.state_dir());
    assert_eq!(owned.remove("api.linked"), Some(0));
    assert!(owned.values().all(|owner| *owner == uid), "{owned:?}");
    assert!(daemon.log.iter().any(|line| line.contains("has a second name")), "{:?}", daemon.log);
    net.told(&["ban", "203.0.113.9", "--note", "by another"]);
    // Another one that would take the files away meanwhile is refused.
    let (code, line) = net.start_fails(&with("user = \"root\""));
    assert!(code == 1 && line.contains("another daemon already listens at"), "{code} {line}");
    daemon.signal(Signal::SIGTERM);
    assert!(wait(&mut daemon.child, Duration::from_secs(10)).success());

    let daemon = net.start(&with("user = \"root\""));
    assert_eq!(net.json(&["bans"]).as_array().unwrap().len(), 2, "and back");
    assert_eq!(owners(&net.state_dir()).remove("honeymesh.db"), Some(0));
    assert!(daemon.stop().0.success());
}

#[test]
fn links_in_the_daemons_directory_lead_the_next_start_nowhere() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config("");
    assert!(net.start(&config).stop().0.success());
    let (made, good) = (net.dir.path().join("made"), net.dir.path().join("good"));
    for name in ["honeymesh.sock.lock", "honeymesh.db", "identity.key", "api.token", "api.key"] {
        let file = net.state_dir().join(name);
        let before = fs::read(&file).unwrap();
        // What the link leads to is as good as what it replaces, so that nothing but the link can be what is refused.
        fs::write(&good, &before).unwrap();
        fs::set_permissions(&good, fs::Permissions::from_mode(0o600)).unwrap();
        for target in [&made, &good] {
            fs::remove_file(&file).unwrap();
            symlink(target, &file).unwrap();
            assert_ne!(net.start_fails(&config).0, 0, "{name}");
        }
        let metadata = fs::metadata(&good).unwrap();
        assert!(fs::read(&good).unwrap() == before && (metadata.uid(), metadata.mode() & 0o777) == (0, 0o600), "{name}");
        fs::remove_file(&file).unwrap();
        fs::copy(&good, &file).unwrap();
        chown(&file, Some(user().1), None).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(!made.exists());
    assert!(net.start(&config).stop().0.success());
}

#[test]
fn no_link_in_the_daemons_directory_leads_root_to_a_key_or_token() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    assert!(net.start(&net.config("")).stop().0.success());
    // Root's, and good: with them the start would go on, if it followed.
    let (good, token) = (key(&net, "good.key"), net.dir.path().join("good.token"));
    fs::copy(net.state_dir().join("api.token"), &token).unwrap();
    let authority = net.dir.path().join("good.authority");
    let made =
        Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["authority", "new", "--json"]).arg(&authority).output().unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let public = made["authority"].as_str().unwrap();
    let cluster = |key: &Path, secret: &Path| {
        format!("{}authority = \"{public}\"\nauthority_file = \"{}\"\n", cluster(key), secret.display())
    };
    assert!(net.start(&net.config(&cluster(&good, &authority))).stop().0.success());
    let planted = |name: &str, target: &Path| {
        let link = net.state_dir().join(name);
        symlink(target, &link).unwrap();
        link
    };
    let (key_link, secret_link, way) =
        (planted("m.key", &good), planted("m.authority", &authority), planted("way", net.dir.path()));
    for more in [cluster(&key_link, &authority), cluster(&good, &secret_link), cluster(&way.join("good.key"), &authority)] {
        let config = net.config(&more);
        let (code, line) = net.start_fails(&config);
        assert!(code == 2 && line.contains("root does not follow") && line.contains("name the file itself"), "{code} {line}");
        let check = Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["check", "--config"]).arg(&config).output().unwrap();
        assert_eq!(check.status.code(), Some(2), "and `check` says so before");
    }
    fs::remove_file(net.state_dir().join("api.token")).unwrap();
    planted("api.token", &token);
    let (code, line) = net.start_fails(&net.config(""));
    assert!(code == 2 && line.contains("[api] token_file") && line.contains("root does not follow"), "{code} {line}");
}

/// The daemon's command behind another one.
fn through(words: &[&str], command: &Command) -> Command {
    let all: Vec<_> = command.get_args().collect();
    let (enter, daemon) = all.split_at(1);
    let mut through = Command::new(command.get_program());
    through.args(enter).args(words).args(daemon);
    through.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
    through
}

#[test]
fn where_files_cannot_be_given_away_the_daemon_stays_root_and_says_so_and_insisting_is_an_error() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    // As on a file system that has no owners, or where root is not let (NFS).
    let without_chown = ["setpriv", "--bounding-set=-chown"];
    let config = net.config("");
    let mut daemon = Daemon::spawn(through(&without_chown, &net.daemon_command(&config)));
    daemon.wait_for("ready");
    let status = net.json(&["status"]);
    let warnings = status["warnings"].to_string();
    assert_eq!(status["user"], "root");
    assert!(warnings.contains("stays root") && warnings.contains("cannot be given to user"), "{warnings}");
    assert_eq!(of_all_threads(daemon.child.id(), "CapEff"), ["0000000000000000"]);
    assert!(owners(&net.state_dir()).values().all(|owner| *owner == 0));
    assert!(daemon.stop().0.success());
    let text = fs::read_to_string(&config).unwrap().replace("[node]\n", "[node]\nuser = \"daemon\"\n");
    fs::write(&config, text).unwrap();
    let (code, line) = fails(through(&without_chown, &net.daemon_command(&config)));
    assert!(code == 1 && line.contains("cannot be given to user `daemon`") && line.contains("chown -R"), "{code} {line}");
    assert!(owners(&net.state_dir()).values().all(|owner| *owner == 0));
}

#[test]
fn resolvers_that_are_written_down_elsewhere_stay_protected() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    // An /etc of its own, in which the file is a link to a place that the daemon otherwise may not read.
    let (etc, place) = (net.dir.path().join("etc"), net.dir.path().join("resolver"));
    common::sh(&format!("cp -a /etc {0}; rm -f {0}/resolv.conf; mkdir {1}; chmod 755 {1}", etc.display(), place.display()));
    let file = place.join("resolv.conf");
    symlink(&file, etc.join("resolv.conf")).unwrap();
    // Whoever keeps such a file puts a new one in its place.
    let write = |resolver: &str| {
        fs::write(place.join("new"), format!("nameserver {resolver}\n")).unwrap();
        fs::rename(place.join("new"), &file).unwrap();
    };
    write("192.0.2.53");
    let script = format!("mount --bind {} /etc && exec \"$@\"", etc.display());
    let words = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", &script, "sh"];
    let config = net.config("");
    let mut daemon = Daemon::spawn(through(&words, &net.daemon_command(&config)));
    daemon.wait_for("ready");
    let resolvers = || {
        let all = net.json(&["allow", "list"]);
        let of = |entry: &Value| {
            entry["why"]
                .as_str()
                .unwrap()
                .contains("resolver")
                .then(|| entry["net"].as_str().unwrap().trim_end_matches("/32").to_owned())
        };
        all.as_array().unwrap().iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(resolvers(), ["192.0.2.53"]);
    // They are looked at every second.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(resolvers(), ["192.0.2.53"]);
    write("192.0.2.54");
    eventually("the new resolver", || (resolvers() == ["192.0.2.54"]).then_some(()));
    assert!(daemon.stop().0.success());
}

#[test]
fn who_cannot_be_become_is_told_and_insisting_is_an_error() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    fs::set_permissions(net.dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let config = net.config("");
    let daemon = net.start(&config);
    let status = net.json(&["status"]);
    assert_eq!(status["user"], "root");
    let warning = status["warnings"].to_string();
    assert!(warning.contains("stays root") && warning.contains(&format!("chmod o+x {}", net.dir.path().display())), "{warning}");
    assert_eq!(of_all_threads(daemon.child.id(), "CapEff"), ["0000000000000000"]);
    assert!(daemon.stop().0.success());
    for (user, part) in [("nobody", "chmod o+x"), ("no-such-user", "useradd --system"), ("", "it is empty")] {
        let text = fs::read_to_string(net.config("")).unwrap().replace("[node]\n", &format!("[node]\nuser = \"{user}\"\n"));
        fs::write(&config, text).unwrap();
        let (code, line) = net.start_fails(&config);
        assert!(code == 2 && line.contains("[node] user") && line.contains(part), "{code} {line}");
    }
    // One who can be become owns the directory from then on, and whoever comes after him is told what to do.
    fs::set_permissions(net.dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let text = fs::read_to_string(net.config(TRAP)).unwrap().replace("[node]\n", "[node]\nuser = \"daemon\"\n");
    fs::write(&config, text).unwrap();
    let daemon = net.start(&config);
    let named = nix::unistd::User::from_name("daemon").unwrap().unwrap();
    assert_eq!(net.json(&["status"])["user"], "daemon");
    assert!(of_all_threads(daemon.child.id(), "Uid")[0].starts_with(&format!("{}\t", named.uid)));
    assert!(owners(&net.state_dir()).values().all(|owner| *owner == named.uid.as_raw()));
    assert!(daemon.stop().0.success());
    let (code, line) = net.start_fails(&net.config(TRAP));
    assert!(code == 1 && line.contains("belongs to another user (daemon); run chown -R"), "{code} {line}");
    fs::remove_dir_all(net.state_dir()).unwrap();
    // Nor may both be one: who meets strangers could signal the other then.
    let text = fs::read_to_string(net.config("[traps]\nuser = \"nobody\"")).unwrap();
    fs::write(&config, text.replace("[node]\n", "[node]\nuser = \"nobody\"\n")).unwrap();
    let (code, line) = net.start_fails(&config);
    assert!(code == 2 && line.contains("whom the daemon becomes"), "{code} {line}");
}

#[test]
fn roots_key_files_are_rewritten_by_the_clerk_and_stay_roots() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let (file, new) = (key(&net, "m.key"), key(&net, "new.key"));
    let daemon = net.start(&net.config(&cluster(&file)));
    net.told(&["key", "rotate", "m", "--new", new.to_str().unwrap()]);
    let keys = |file: &Path| {
        let text = fs::read_to_string(file).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    eventually("the old key's end", || (keys(&file) == keys(&new)).then_some(()));
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (0, 0o600));
    let counts =
        |net: &Net| ["clerk_done", "clerk_refused", "clerk_failed"].map(|name| net.json(&["status"])["kernel"][name].as_u64());
    eventually("three steps", || (counts(&net) == [Some(3), Some(0), Some(0)]).then_some(()));

    // Without a clerk the change goes on, and somebody must write it down.
    let clerk = i32::try_from(family(daemon.child.id())["honeymesh-clerk"]).unwrap();
    kill(nix::unistd::Pid::from_raw(clerk), Signal::SIGKILL).unwrap();
    eventually("its end is told", || {
        net.json(&["status"])["warnings"].to_string().contains("nobody writes key files").then_some(())
    });
    let third = key(&net, "third.key");
    let told = net.json(&["key", "rotate", "m", "--new", third.to_str().unwrap()]);
    assert!(told["detail"].as_str().unwrap().contains("put the new key there yourself"), "{told}");
    assert_eq!(keys(&file), keys(&new));
    // Who may not read the file cannot have the daemon read it.
    assert_eq!(as_nobody(&net, &["key", "rotate", "m", "--new", third.to_str().unwrap()]).0, Some(1));
    assert!(daemon.stop().0.success());
}

/// A clerk, and whoever has taken over the daemon at the other end of its line.
fn clerk(files: &[KeyFile]) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
    command.arg("clerk").stdin(Stdio::from(OwnedFd::from(theirs))).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    let mut line = ours;
    tell_files(&mut line, files).unwrap();
    (child, line)
}

fn answered(line: &mut UnixStream) -> Answer {
    let mut octets = [0; ANSWER_LEN];
    line.read_exact(&mut octets).unwrap();
    Answer::decode(&octets).unwrap()
}

#[test]
fn whoever_has_taken_the_daemon_over_gets_nothing_of_the_clerk_but_keys_in_key_files() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = KeyFile { cluster: "m".parse().unwrap(), path: dir.path().join("m.key") };
    fs::write(&file.path, "as it was").unwrap();
    let precious = dir.path().join("precious");
    fs::write(&precious, "as it was").unwrap();
    let (mut child, mut line) = clerk(std::slice::from_ref(&file));
    assert_eq!(answered(&mut line), Answer { outcome: Outcome::Done, counts: Counts::default() });
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(of_all_threads(child.id(), set), ["0000000000000000"]);
    }
    assert_eq!(
        (of_all_threads(child.id(), "Seccomp"), of_all_threads(child.id(), "Threads")),
        (vec!["2".into()], vec!["1".into()])
    );

    let good = Order { place: 0, keys: KeyRing::new(Key::from_bytes([7; 32])) };
    let mut orders: Vec<[u8; ORDER_LEN]> = Vec::new();
    for (at, octet) in
        [(0, 0), (0, 9), (1, 1), (1, 255), (2, 0), (2, 4), (2, 255), (3, 1), (4, b'\n'), (5, b'/'), (ORDER_LEN - 1, 1)]
    {
        let mut order = *good.encode();
        order[at] = octet;
        orders.push(order);
    }
    orders.extend([[0; ORDER_LEN], [0xff; ORDER_LEN], [b'/'; ORDER_LEN]]);
    for (number, order) in orders.iter().enumerate() {
        line.write_all(order).unwrap();
        let refused = u64::try_from(number).unwrap() + 1;
        assert_eq!(answered(&mut line), Answer { outcome: Outcome::Refused, counts: Counts { refused, ..Counts::default() } });
    }
    assert_eq!(fs::read(&file.path).unwrap(), b"as it was");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);

    // What is in the way of the new file is not followed.
    symlink(&precious, file.path.with_extension("part")).unwrap();
    line.write_all(&*good.encode()).unwrap();
    assert_eq!(answered(&mut line).outcome, Outcome::Done);
    assert!(fs::read_to_string(&file.path).unwrap().ends_with(&format!("{}\n", "07".repeat(32))));
    assert_eq!(fs::read(&precious).unwrap(), b"as it was");
    // What cannot be done is told, and the clerk goes on.
    fs::create_dir_all(file.path.with_extension("part").join("in the way")).unwrap();
    line.write_all(&*good.encode()).unwrap();
    let answer = answered(&mut line);
    assert_eq!((answer.outcome, answer.counts.failed), (Outcome::Failed(libc::EEXIST), 1));
    // Half an order is none, and without a daemon there is no clerk.
    line.write_all(&good.encode()[..100]).unwrap();
    drop(line);
    assert!(wait(&mut child, Duration::from_secs(10)).success());
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert_eq!(said.matches("REFUSED").count(), 4, "loud, and less and less often: {said}");
    // By hand, it says what it is for.
    let mut by_hand = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
    by_hand.arg("clerk").stdin(Stdio::null()).stderr(Stdio::piped());
    let (code, line) = fails(by_hand);
    assert!(code == 2 && line.contains("started by `honeymesh run`"), "{code} {line}");
}

//! The scene: this test binary starts itself again; the child confines itself and prints what came of its tries.

use crate::{
    attacks, duties,
    outside::{Outside, expect_refused},
};
use honeymesh_sandbox::{Capability, Files, Role, Sandbox, User, confine, narrow};
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// Tells the child which scene to play, and where its directory is.
const SCENE: &str = "HONEYMESH_SANDBOX_SCENE";
const DIRECTORY: &str = "HONEYMESH_SANDBOX_DIRECTORY";
/// Tells it, if it is set, to do without Landlock, as on a kernel that has none.
const WITHOUT_LANDLOCK: &str = "HONEYMESH_SANDBOX_WITHOUT_LANDLOCK";

/// What a try came to: `ok`, or the error's name.
pub type Outcome = Result<(), nix::errno::Errno>;

pub fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: confinement from full power: needs root");
    }
    root
}

/// Plays `scene` in a child and returns what it printed: a line `name outcome` each.
pub fn play(scene: &str) -> BTreeMap<String, String> {
    play_with(scene, &[])
}

/// The same, with these variables set for the child.
pub fn play_with(scene: &str, set: &[&str]) -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    // Another user finds the way to what is in it.
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .envs(set.iter().map(|name| (name, "1")))
        .args(["--exact", "scene::child", "--ignored", "--nocapture"])
        .env(SCENE, scene)
        .env(DIRECTORY, directory.path())
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let (said, faults) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines = said.lines().filter_map(|line| line.strip_prefix("RESULT ")?.split_once(' '));
    let results: BTreeMap<_, _> = lines.map(|(name, outcome)| (name.to_string(), outcome.to_string())).collect();
    assert!(results.contains_key("end"), "the scene broke off: {said}\n{faults}");
    results
}

pub fn print(name: &str, outcome: &str) {
    // Not println!: a forked child must not go through the test harness's capture.
    let mut out = std::io::stdout();
    writeln!(out, "\nRESULT {name} {outcome}").unwrap();
    out.flush().unwrap();
}

pub fn print_outcome(name: &str, outcome: Outcome) {
    print(name, &outcome.map_or_else(|error| format!("{error:?}"), |()| "ok".into()));
}

/// The other half of every test here; does nothing unless it is started by one.
#[test]
#[ignore = "started by the other tests, in a process of its own"]
fn child() {
    match std::env::var(SCENE).as_deref() {
        Ok("crowd") => crowd(),
        Ok("alone") => alone(),
        Ok("files") => crate::files::scene(),
        Ok("blocked") => blocked(),
        Ok("keep") => keep(),
        Ok("power") => power(),
        Ok("keeper") => keeper(),
        Ok("warden") => warden(),
        Ok("nft_writer") => nft_writer(),
        Ok("trap") => trap(),
        Ok("user") => crate::other_user::node(),
        Ok("clerk") => crate::other_user::clerk(),
        _ => eprintln!("SKIPPED: not started by a test"),
    }
}

pub fn directory() -> PathBuf {
    std::env::var_os(DIRECTORY).unwrap().into()
}

/// Many threads are there before, busy and idle; what they have must go as well.
fn crowd() {
    let running = Arc::new(AtomicBool::new(true));
    let idle: Vec<_> = (0..8).map(|_| thread::spawn(|| thread::park_timeout(Duration::from_secs(60)))).collect();
    let busy = {
        let running = Arc::clone(&running);
        // Starts threads all the time: some of them while the others are being asked.
        thread::spawn(move || {
            while running.load(Relaxed) {
                thread::spawn(|| thread::sleep(Duration::from_millis(1))).join().unwrap();
            }
        })
    };
    let (map, door) = (duties::Map::create(), duties::Door::open(&directory()));
    let report = confine(Role::Node).unwrap();
    print("report", &format!("{report:?}").replace(' ', ""));
    print("threads", if report.threads >= 10 { "many" } else { "few" });
    print("report_line", if report.to_string().contains("seccomp on") { "ok" } else { "wrong" });
    prove();
    attacks::all(print_outcome);
    duties::all(&directory(), door, map.as_ref(), print_outcome);
    running.store(false, Relaxed);
    drop((idle, busy));
    print("end", "ok");
}

/// One thread, as in `main` before the runtime: a forked process has only the one that forked.
fn alone() {
    // SAFETY: the child only runs what this test has written, and ends without going back into the harness.
    match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Parent { child } => {
            nix::sys::wait::waitpid(child, None).unwrap();
        }
        nix::unistd::ForkResult::Child => {
            let (map, door) = (duties::Map::create(), duties::Door::open(&directory()));
            let report = confine(Role::Node).unwrap();
            print("threads", if report.threads == 1 { "one" } else { "more" });
            attacks::all(print_outcome);
            duties::all(&directory(), door, map.as_ref(), print_outcome);
            prove();
            print("end", "ok");
            // SAFETY: ends the process at once; nothing of it is needed any more.
            unsafe { libc::_exit(0) };
        }
    }
}

/// What the kernel says, read here and not by the crate.
pub fn prove() {
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else { continue };
        for line in status.lines() {
            let (key, value) = line.split_once(':').unwrap();
            let of_all = lines.entry(key.into()).or_insert_with(|| value.trim().into());
            if *of_all != value.trim() {
                *of_all = "differs".into();
            }
        }
    }
    for key in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid", "Gid", "Groups"] {
        print(key, &lines[key]);
    }
}

/// A thread that blocks every signal cannot be asked, and must not be forgotten.
fn blocked() {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let deaf = thread::Builder::new().name("deaf".into()).spawn(move || {
        nix::sys::signal::SigSet::all().thread_block().unwrap();
        ready.send(()).unwrap();
        thread::sleep(Duration::from_secs(30));
    });
    is_ready.recv().unwrap();
    let error = confine(Role::Node).unwrap_err().to_string();
    print("error", if error.contains("(`deaf`) does not answer") { "named" } else { &error });
    drop(deaf);
    print("end", "ok");
    std::process::exit(0);
}

fn keep() {
    let report = Sandbox::of(Role::Node).keep(Capability::CAP_NET_BIND_SERVICE).confine().unwrap();
    print("capabilities", &format!("{:x} {:x}", report.capabilities, report.bounding));
    print_outcome("low_port", attacks::low_port());
    print("end", "ok");
}

/// With every capability kept, the filter stands alone.
fn power() {
    let mut sandbox = Sandbox::of(Role::Node);
    for capability in caps() {
        sandbox = sandbox.keep(capability);
    }
    let report = sandbox.confine().unwrap();
    print("capabilities", if report.capabilities.count_ones() > 30 { "kept" } else { "gone" });
    attacks::all(print_outcome);
    print("end", "ok");
}

/// A process of its own, of one thread, with a socket that was open before and a directory to remove files from.
fn keeper() {
    // SAFETY: the child only runs what this test has written, and ends without going back into the harness.
    if let nix::unistd::ForkResult::Parent { child } = unsafe { nix::unistd::fork() }.unwrap() {
        nix::sys::wait::waitpid(child, None).unwrap();
        return;
    }
    let map = duties::Map::create();
    let (pin, other) = (directory().join("pins/7_native"), directory().join("other"));
    fs::create_dir(directory().join("pins")).unwrap();
    for file in [&pin, &other] {
        fs::write(file, "x").unwrap();
    }
    let (one, two) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let outside = Outside::open(&directory().join("outside"));
    let files = Files { read: vec!["/proc/self".into()], write: vec![directory().join("pins")] };
    let report = Sandbox::of(Role::Keeper).files(files).confine().unwrap();
    print_held(&report);
    outside.tell(|name, outcome| print_outcome(&format!("keeper_{name}"), outcome));
    print("capabilities", &format!("{:x} {:x}", report.capabilities, report.bounding));
    let errno = |error: std::io::Error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0));
    print_outcome("say", one.send(b"x").and_then(|_| two.recv(&mut [0; 1])).map(drop).map_err(errno));
    print_outcome("remove_pin", fs::remove_file(pin).map_err(errno));
    print_outcome("remove_other", fs::remove_file(other).map_err(errno));
    print_outcome("write_pin", fs::write(directory().join("pins/8_native"), "x").map_err(errno));
    thread::sleep(Duration::from_millis(1));
    print_outcome("bpf_map", map.map_or(Err(nix::errno::Errno::ENODEV), |map| map.works()));
    attacks::on_keeper(|name, outcome| print_outcome(&format!("attack_{name}"), outcome));
    print("end", "ok");
    // SAFETY: ends the process at once; nothing of it is needed any more.
    unsafe { libc::_exit(0) };
}

/// A process of one thread that may make a copy of itself; the copy gives that up, too, and is a keeper.
fn warden() {
    use nix::unistd::{ForkResult, fork};
    // SAFETY: the child only runs what this test has written, and ends without going back into the harness.
    if let ForkResult::Parent { child } = unsafe { fork() }.unwrap() {
        nix::sys::wait::waitpid(child, None).unwrap();
        return;
    }
    let (pins, outside) = (directory().join("pins"), Outside::open(&directory().join("outside")));
    fs::create_dir(&pins).unwrap();
    let files = Files { read: vec!["/proc/self".into()], write: vec![pins] };
    let report = Sandbox::of(Role::Warden).files(files).confine().unwrap();
    print_held(&report);
    outside.tell(|name, outcome| print_outcome(&format!("warden_{name}"), outcome));
    print("capabilities", &format!("{:x} {:x}", report.capabilities, report.bounding));
    attacks::on_keeper(|name, outcome| print_outcome(&format!("warden_{name}"), outcome));
    print_outcome("warden_thread", attacks::thread());
    // SAFETY: one thread, and the copy ends below.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => {
            let ended = nix::sys::wait::waitpid(child, None);
            print("waited", if ended == Ok(nix::sys::wait::WaitStatus::Exited(child, 7)) { "ok" } else { "wrong" });
            print("end", "ok");
        }
        Ok(ForkResult::Child) => {
            narrow(Role::Keeper).unwrap();
            outside.tell(|name, outcome| print_outcome(&format!("keeper_{name}"), outcome));
            attacks::on_keeper(|name, outcome| print_outcome(&format!("keeper_{name}"), outcome));
            print_outcome("keeper_thread", attacks::thread());
            // SAFETY: its answer is looked at; in a copy it would be 0.
            print_outcome("keeper_copy", unsafe { fork() }.map(drop));
            // SAFETY: ends the process at once; nothing of it is needed any more.
            unsafe { libc::_exit(7) };
        }
        Err(errno) => print("end", &format!("{errno:?}")),
    }
    // SAFETY: ends the process at once; nothing of it is needed any more.
    unsafe { libc::_exit(0) };
}

/// A process that was just started, with its sockets open, and a thread that it starts afterwards.
fn nft_writer() {
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
    // SAFETY: the child only runs what this test has written, and ends without going back into the harness.
    if let nix::unistd::ForkResult::Parent { child } = unsafe { nix::unistd::fork() }.unwrap() {
        nix::sys::wait::waitpid(child, None).unwrap();
        return;
    }
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter).unwrap();
    let packets = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
    let (one, two) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let (own, closed) = (directory().join("own"), directory().join("closed"));
    for (file, mode) in [(&own, 0o666), (&closed, 0o600)] {
        fs::write(file, "x").unwrap();
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let [by_address, by_message] = attacks::forged(&packets);
    print_outcome("forged_before", by_address.and(by_message));
    let files = Files { read: vec!["/proc/self".into()], write: Vec::new() };
    let user = User { user: 65_521, group: 65_522 };
    let sandbox = Sandbox::of(Role::NftWriter).keep(Capability::CAP_NET_ADMIN).user(user);
    let sandbox = if std::env::var_os(WITHOUT_LANDLOCK).is_some() { sandbox } else { sandbox.files(files) };
    let report = sandbox.confine().unwrap();
    print("capabilities", &format!("{:x} {:x}", report.capabilities, report.bounding));
    print("reported", if report.is(user) { "ok" } else { "wrong" });
    print_held(&report);
    prove();
    let errno = |error: std::io::Error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0));
    print_outcome("say", one.send(b"x").and_then(|_| two.recv(&mut [0; 1])).map(drop).map_err(errno));
    let said = nix::sys::socket::send(std::os::fd::AsRawFd::as_raw_fd(&netlink), &[0; 16], nix::sys::socket::MsgFlags::empty());
    print_outcome("netlink", said.map(drop));
    let [by_address, by_message] = attacks::forged(&packets);
    print_outcome("forged_by_address", by_address);
    print_outcome("forged_by_message", by_message);
    print_outcome("thread", thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap()).map_err(errno));
    print_outcome("make_file", fs::File::create(directory().join("new")).map(drop).map_err(errno));
    print_outcome("remove_file", fs::remove_file(&own).map_err(errno));
    attacks::on_nft_writer(&own, &closed, |name, outcome| print_outcome(&format!("attack_{name}"), outcome));
    print("end", "ok");
    // SAFETY: ends the process at once; nothing of it is needed any more.
    unsafe { libc::_exit(0) };
}

/// A process of one thread that may make a copy of itself; the copy gives that up, too, and plays with a stranger.
fn trap() {
    use std::io::Read;
    // SAFETY: the child only runs what this test has written, and ends without going back into the harness.
    if let nix::unistd::ForkResult::Parent { child } = unsafe { nix::unistd::fork() }.unwrap() {
        nix::sys::wait::waitpid(child, None).unwrap();
        return;
    }
    let map = duties::Map::create();
    let door = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = std::net::TcpStream::connect(door.local_addr().unwrap()).unwrap();
    let (mut stranger, _) = door.accept().unwrap();
    nix::unistd::setgroups(&[]).unwrap();
    nix::unistd::setresgid(65_534.into(), 65_534.into(), 65_534.into()).unwrap();
    nix::unistd::setresuid(65_534.into(), 65_534.into(), 65_534.into()).unwrap();
    let files = Files { read: vec!["/proc/self".into()], write: Vec::new() };
    let report = Sandbox::of(Role::TrapWarden).files(files).confine().unwrap();
    print("capabilities", &format!("{:x}", report.capabilities));
    attacks::on_keeper(|name, outcome| print_outcome(&format!("warden_{name}"), outcome));
    attacks::on_trap(|name, outcome| print_outcome(&format!("warden_{name}"), outcome));
    let errno = |error: std::io::Error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0));
    print_outcome("warden_read_file", fs::read("/etc/hosts").map(drop).map_err(errno));
    let status = honeymesh_sandbox::in_a_copy(|| {
        narrow(Role::Trap).unwrap();
        attacks::on_keeper(|name, outcome| print_outcome(&format!("trap_{name}"), outcome));
        attacks::on_trap(|name, outcome| print_outcome(&format!("trap_{name}"), outcome));
        print_outcome("trap_thread", attacks::thread());
        print_outcome("trap_read_file", fs::read("/etc/hosts").map(drop).map_err(errno));
        print_outcome("trap_read_own", fs::read("/proc/self/status").map(drop).map_err(errno));
        print_outcome("trap_bpf_map", map.as_ref().map_or(Err(nix::errno::Errno::ENODEV), duties::Map::works));
        print_outcome("trap_accept", door.accept().map(drop).map_err(errno));
        print_outcome("trap_connect", std::net::TcpStream::connect("127.0.0.1:9").map(drop).map_err(errno));
        print_outcome("trap_bind", std::net::UdpSocket::bind("127.0.0.1:0").map(drop).map_err(errno));
        print_outcome("hear", client.write_all(b"x").and_then(|()| stranger.read_exact(&mut [0])).map_err(errno));
        7
    });
    print("status", &format!("{status:?}"));
    let broken = honeymesh_sandbox::in_a_copy(|| std::process::abort());
    print("aborted", &format!("{:?}", broken.map(|status| status & 0x7f != 0)));
    print("end", "ok");
    // SAFETY: ends the process at once; nothing of it is needed any more.
    unsafe { libc::_exit(0) };
}

/// Does Landlock hold, which closes files that only it closes?
pub fn print_held(report: &honeymesh_sandbox::Report) {
    print("held", if report.files == honeymesh_sandbox::Restriction::Held { "yes" } else { "no" });
}

/// The same as its scene's test reads it.
pub fn is_held(results: &BTreeMap<String, String>) -> bool {
    let is_held = results["held"] == "yes";
    if !is_held {
        eprintln!("SKIPPED: files that are closed by Landlock alone: this kernel has none");
    }
    is_held
}

fn caps() -> impl Iterator<Item = Capability> {
    use Capability::*;
    [
        CAP_SYS_ADMIN,
        CAP_NET_ADMIN,
        CAP_NET_RAW,
        CAP_BPF,
        CAP_PERFMON,
        CAP_SYS_PTRACE,
        CAP_SYS_MODULE,
        CAP_SYS_BOOT,
        CAP_SYS_TIME,
        CAP_SYSLOG,
        CAP_SETUID,
        CAP_SETGID,
        CAP_SETPCAP,
        CAP_MKNOD,
        CAP_SYS_CHROOT,
        CAP_KILL,
        CAP_DAC_READ_SEARCH,
        CAP_DAC_OVERRIDE,
        CAP_CHOWN,
        CAP_FOWNER,
        CAP_SYS_RESOURCE,
        CAP_SYS_RAWIO,
        CAP_SYS_PACCT,
        CAP_SYS_NICE,
        CAP_IPC_LOCK,
        CAP_IPC_OWNER,
        CAP_NET_BIND_SERVICE,
        CAP_NET_BROADCAST,
        CAP_FSETID,
        CAP_SETFCAP,
        CAP_LINUX_IMMUTABLE,
        CAP_SYS_TTY_CONFIG,
        CAP_AUDIT_WRITE,
    ]
    .into_iter()
}

pub fn expect_all(results: &BTreeMap<String, String>, names: &[&str], outcome: &str) {
    for name in names {
        assert_eq!(results.get(*name).map(String::as_str), Some(outcome), "{name}");
    }
}

pub fn expect_confined(results: &BTreeMap<String, String>) {
    expect_all(results, attacks::REFUSED, "EPERM");
    expect_all(results, attacks::ABSENT, "ENOSYS");
    expect_all(results, &["low_port"], "EACCES");
    expect_all(results, duties::NAMES, "ok");
    expect_all(results, &["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"], "0000000000000000");
    expect_all(results, &["NoNewPrivs"], "1");
    expect_all(results, &["Seccomp"], "2");
}

#[test]
fn a_process_of_many_threads_gives_everything_away_and_still_works() {
    if !is_root() {
        return;
    }
    let results = play("crowd");
    expect_confined(&results);
    expect_all(&results, &["threads"], "many");
    expect_all(&results, &["report_line"], "ok");
}

#[test]
fn so_does_a_process_of_one_thread() {
    if !is_root() {
        return;
    }
    let results = play("alone");
    expect_confined(&results);
    expect_all(&results, &["threads"], "one");
}

#[test]
fn a_thread_that_cannot_be_asked_is_an_error_with_its_name() {
    if !is_root() {
        return;
    }
    expect_all(&play("blocked"), &["error"], "named");
}

#[test]
fn a_capability_can_be_kept_by_name() {
    if !is_root() {
        return;
    }
    let results = play("keep");
    expect_all(&results, &["capabilities"], "400 400");
    expect_all(&results, &["low_port"], "ok");
}

#[test]
fn the_filter_refuses_the_same_to_a_process_with_every_capability() {
    if !is_root() {
        return;
    }
    let results = play("power");
    expect_all(&results, &["capabilities"], "kept");
    expect_all(&results, attacks::REFUSED, "EPERM");
    expect_all(&results, attacks::ABSENT, "ENOSYS");
    expect_all(&results, &["low_port"], "ok");
}

#[test]
fn a_keeper_may_attach_and_speak_and_nothing_else() {
    if !is_root() {
        return;
    }
    let mut results = play("keeper");
    expect_all(&results, &["capabilities"], "0 0");
    expect_all(&results, &["say", "remove_pin"], "ok");
    // A pin is made by another call; no file is.
    expect_all(&results, &["write_pin"], "EPERM");
    expect_all(&results, &["bpf_map"], "EPERM");
    let is_held = is_held(&results);
    expect_refused(&mut results, "keeper", is_held, false);
    if is_held {
        expect_all(&results, &["remove_other"], "EACCES");
    }
    // Allowed: the kernel looks at the descriptor, and there is none.
    assert!(["EBADF", "EINVAL"].contains(&results.remove("attack_link_create").unwrap().as_str()));
    let attacks: Vec<_> = results.iter().filter(|(name, _)| name.starts_with("attack_")).collect();
    assert!(attacks.len() > 40, "{}", attacks.len());
    for (name, outcome) in attacks {
        assert!(["EPERM", "ENOSYS"].contains(&outcome.as_str()), "{name}: {outcome}");
    }
}

#[test]
fn a_warden_may_only_copy_itself_and_its_copy_not_even_that() {
    if !is_root() {
        return;
    }
    let mut results = play("warden");
    expect_all(&results, &["capabilities"], "0 0");
    expect_all(&results, &["waited", "end"], "ok");
    let is_held = is_held(&results);
    for who in ["warden", "keeper"] {
        expect_refused(&mut results, who, is_held, false);
        let create = results.remove(&format!("{who}_link_create")).unwrap();
        assert!(["EBADF", "EINVAL"].contains(&create.as_str()), "allowed: there is no such descriptor; {create}");
        let attacks: Vec<_> = results.iter().filter(|(name, _)| name.starts_with(&format!("{who}_"))).collect();
        assert!(attacks.len() > 40, "{}", attacks.len());
        for (name, outcome) in attacks {
            assert!(["EPERM", "ENOSYS"].contains(&outcome.as_str()), "{name}: {outcome}");
        }
    }
    assert!(results.contains_key("keeper_copy") && results.contains_key("warden_thread"));
}

#[test]
fn a_writer_of_nf_tables_keeps_one_capability_and_may_only_speak() {
    if !is_root() {
        return;
    }
    for without in [false, true] {
        let results = if without { play_with("nft_writer", &[WITHOUT_LANDLOCK]) } else { play("nft_writer") };
        expect_nft_writer(&results);
        // Landlock closes what everybody may read; its user alone closes what is root's.
        let is_held = results["held"] == "yes";
        assert!(!(without && is_held));
        expect_all(&results, &["attack_read_closed"], "EACCES");
        expect_all(&results, &["attack_read_own"], if is_held { "EACCES" } else { "ok" });
    }
}

fn expect_nft_writer(results: &BTreeMap<String, String>) {
    expect_all(results, &["capabilities"], "1000 1000");
    expect_all(results, &["CapEff", "CapPrm", "CapBnd"], "0000000000001000");
    expect_all(results, &["CapInh", "CapAmb"], "0000000000000000");
    expect_all(results, &["Uid"], "65521\t65521\t65521\t65521");
    expect_all(results, &["say", "netlink", "thread", "reported", "end"], "ok");
    expect_all(results, &["make_file"], "EPERM");
    expect_all(results, &["remove_file"], "ENOSYS");
    let attacks: Vec<_> =
        results.iter().filter(|(name, _)| name.starts_with("attack_") && !name.starts_with("attack_read_closed")).collect();
    assert!(attacks.len() > 60, "{}", attacks.len());
    for (name, outcome) in attacks.into_iter().filter(|(name, _)| *name != "attack_read_own") {
        assert!(["EPERM", "ENOSYS"].contains(&outcome.as_str()), "{name}: {outcome}");
    }
    // Its packet socket sends by no interface that it is not bound to.
    expect_all(results, &["forged_before"], "ok");
    expect_all(results, &["forged_by_address"], "EPERM");
    expect_all(results, &["forged_by_message"], "ENOSYS");
}

#[test]
fn whoever_parses_strangers_bytes_can_hear_and_answer_and_nothing_else() {
    if !is_root() {
        return;
    }
    let results = play("trap");
    expect_all(&results, &["capabilities"], "0");
    expect_all(&results, &["hear", "end"], "ok");
    expect_all(&results, &["status"], "Ok(1792)");
    expect_all(&results, &["aborted"], "Ok(true)");
    for who in ["warden", "trap"] {
        let attacks: Vec<_> = results.iter().filter(|(name, _)| name.starts_with(&format!("{who}_"))).collect();
        assert!(attacks.len() > 45, "{}", attacks.len());
        for (name, outcome) in attacks {
            // The warden may: there is no such descriptor.
            if name == "warden_copy_descriptor" && outcome == "EBADF" {
                continue;
            }
            // Landlock says EACCES to the warden, which may open what is in its own directory of /proc.
            let refused = ["EPERM", "ENOSYS"].contains(&outcome.as_str()) || name == "warden_read_file" && outcome == "EACCES";
            assert!(refused, "{name}: {outcome}");
        }
    }
}

//! A node that is another user than the one who started it, and the clerk, which writes for it what is not that user's.

use crate::{
    attacks, duties,
    outside::{Outside, expect_refused},
    scene::{Outcome, directory, expect_all, expect_confined, is_held, is_root, play, print, print_held, print_outcome, prove},
};
use honeymesh_sandbox::{Files, Role, Sandbox, User};
use nix::errno::Errno;
use std::{
    fs,
    io::Write,
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        net::{UnixDatagram, UnixStream},
    },
    path::Path,
    thread,
    time::Duration,
};

/// Nobody's number, on any machine.
const USER: User = User { user: 65_521, group: 65_522 };

fn outcome<T>(result: std::io::Result<T>) -> Outcome {
    result.map(drop).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
}

/// Root's things, and a directory of the user's own, in which links lead to them.
fn arrange(root: &Path) {
    let open = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(root, 0o711);
    for (name, mode) in [("secret", 0o600), ("shown", 0o644)] {
        fs::write(root.join(name), "root's").unwrap();
        open(&root.join(name), mode);
    }
    for name in ["closed", "own"] {
        fs::create_dir(root.join(name)).unwrap();
        open(&root.join(name), 0o700);
    }
    fs::write(root.join("closed/file"), "root's").unwrap();
    fs::write(root.join("own/given"), "root's").unwrap();
    open(&root.join("own/given"), 0o600);
    symlink(root.join("secret"), root.join("own/link")).unwrap();
    chown(root.join("own"), Some(USER.user), Some(USER.group)).unwrap();
}

/// Many threads, as a daemon has when it gives its power away; all of them must be somebody else then.
pub fn node() {
    let root = directory();
    arrange(&root);
    let door = UnixDatagram::bind(root.join("door")).unwrap();
    // It can make none any more; its user closes the door to one that it has.
    let socket = UnixDatagram::unbound().unwrap();
    fs::set_permissions(root.join("door"), fs::Permissions::from_mode(0o600)).unwrap();
    let held = fs::File::open(root.join("secret")).unwrap();
    let (map, own) = (duties::Map::create(), duties::Door::open(&root.join("own")));
    print_outcome("try", outcome(USER.try_on()));
    print("still", if nix::unistd::geteuid().is_root() { "root" } else { "other" });
    let idle = thread::spawn(move || {
        thread::park_timeout(Duration::from_secs(60));
        fs::read("/etc/shadow").map_err(|error| error.kind())
    });
    let report = Sandbox::of(Role::Node).user(USER).confine().unwrap();
    print("reported", if report.is(USER) { "ok" } else { "wrong" });
    prove();
    attacks::all(print_outcome);
    duties::all(&root.join("own"), own, map.as_ref(), print_outcome);
    roots_files(&root, &socket);
    roots_processes();
    // What it held before, it holds.
    print_outcome("held", outcome(std::io::read_to_string(held)));
    idle.thread().unpark();
    let other = idle.join().unwrap().err() == Some(std::io::ErrorKind::PermissionDenied);
    print("other_thread", if other { "refused" } else { "open" });
    drop(door);
    print("end", "ok");
}

fn roots_files(root: &Path, socket: &UnixDatagram) {
    let (secret, shown, own) = (root.join("secret"), root.join("shown"), root.join("own"));
    let tell = |name: &str, result| print_outcome(&format!("file_{name}"), result);
    tell("shadow", outcome(fs::read("/etc/shadow")));
    tell("secret", outcome(fs::read(&secret)));
    tell("given", outcome(fs::read(own.join("given"))));
    tell("through_a_link", outcome(fs::read(own.join("link"))));
    tell("write", outcome(fs::write(&shown, "x")));
    tell("write_through_a_link", outcome(fs::OpenOptions::new().append(true).open(own.join("link"))));
    tell("remove", outcome(fs::remove_file(&secret)));
    tell("list", outcome(fs::read_dir(root.join("closed"))));
    tell("inside", outcome(fs::read(root.join("closed/file"))));
    tell("make", outcome(fs::File::create("/etc/honeymesh-escape")));
    tell("door", outcome(socket.connect(root.join("door"))));
    tell("memory", outcome(fs::File::open("/proc/1/mem")));
    tell("environment", outcome(fs::read("/proc/1/environ")));
    tell("descriptors", outcome(fs::read_dir("/proc/1/fd")));
    let tell = |name: &str, result| print_outcome(&format!("change_{name}"), result);
    tell("mode", outcome(fs::set_permissions(&secret, fs::Permissions::from_mode(0o666))));
    tell("owner", outcome(chown(&secret, Some(USER.user), None)));
    fs::write(own.join("mine"), "x").unwrap();
    tell("giving_away", outcome(chown(own.join("mine"), Some(0), None)));
    print("read_shown", if fs::read(shown).is_ok() { "ok" } else { "refused" });
}

fn roots_processes() {
    let tell = |name: &str, result: nix::Result<()>| print_outcome(&format!("change_{name}"), result);
    for (name, process) in [("init", 1), ("whoever_started_it", nix::unistd::getppid().as_raw())] {
        tell(&format!("kill_{name}"), nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), None));
    }
    let (user, group) = (nix::unistd::Uid::from_raw(0), nix::unistd::Gid::from_raw(0));
    tell("setuid_root", nix::unistd::setuid(user));
    tell("setresuid_root", nix::unistd::setresuid(user, user, user));
    tell("setgid_root", nix::unistd::setgid(group));
    tell("setgroups_root", nix::unistd::setgroups(&[group]));
    nix::unistd::setfsuid(user);
    tell("setfsuid_root", outcome(fs::read("/etc/shadow")).map_err(|_| Errno::EPERM));
}

/// A process of one thread, with one line that was open before and a directory to write in.
pub fn clerk() {
    // SAFETY: the child only runs what this test has written, and ends without going back into the harness.
    if let nix::unistd::ForkResult::Parent { child } = unsafe { nix::unistd::fork() }.unwrap() {
        nix::sys::wait::waitpid(child, None).unwrap();
        return;
    }
    let (keys, other) = (directory().join("keys"), directory().join("other"));
    fs::create_dir(&keys).unwrap();
    fs::write(&other, "x").unwrap();
    let map = duties::Map::create();
    let (one, two) = UnixStream::pair().unwrap();
    let (mut one, mut two) = (fs::File::from(std::os::fd::OwnedFd::from(one)), fs::File::from(std::os::fd::OwnedFd::from(two)));
    let outside = Outside::open(&directory().join("outside"));
    let files = Files { read: vec!["/proc/self".into()], write: vec![keys.clone()] };
    let report = Sandbox::of(Role::Clerk).files(files).confine().unwrap();
    print_held(&report);
    outside.tell(|name, outcome| print_outcome(&format!("clerk_{name}"), outcome));
    print("capabilities", &format!("{:x} {:x}", report.capabilities, report.bounding));
    print_outcome("say", outcome(one.write_all(b"x").and_then(|()| std::io::Read::read_exact(&mut two, &mut [0]))));
    let replaced = fs::write(keys.join("part"), "y").and_then(|()| {
        let directory = fs::File::open(&keys)?;
        nix::fcntl::renameat(&directory, "part", &directory, "key").map_err(std::io::Error::from)
    });
    print_outcome("replace", outcome(replaced));
    thread::sleep(Duration::from_millis(1));
    print_outcome("write_other", outcome(fs::write(&other, "y")));
    print_outcome("read_other", outcome(fs::read("/etc/shadow")));
    print_outcome("bpf_map", map.map_or(Err(Errno::ENODEV), |map| map.works()));
    attacks::on_keeper(|name, outcome| print_outcome(&format!("attack_{name}"), outcome));
    print("end", "ok");
    // SAFETY: ends the process at once; nothing of it is needed any more.
    unsafe { libc::_exit(0) };
}

#[test]
fn a_daemon_that_was_taken_over_as_another_user_gets_nothing_of_roots() {
    if !is_root() {
        return;
    }
    let results = play("user");
    expect_all(&results, &["try", "reported", "held", "read_shown"], "ok");
    expect_all(&results, &["still"], "root");
    expect_confined(&results);
    expect_all(&results, &["Uid"], "65521\t65521\t65521\t65521");
    expect_all(&results, &["Gid"], "65522\t65522\t65522\t65522");
    expect_all(&results, &["Groups"], "");
    expect_all(&results, &["other_thread"], "refused");
    let of = |kind: &str| results.iter().filter(|(name, _)| name.starts_with(kind)).collect::<Vec<_>>();
    assert_eq!((of("file_").len(), of("change_").len()), (14, 10));
    for (name, outcome) in of("file_") {
        assert_eq!(outcome, "EACCES", "{name}");
    }
    for (name, outcome) in of("change_") {
        assert_eq!(outcome, "EPERM", "{name}");
    }
}

#[test]
fn a_clerk_may_replace_files_where_it_was_told_to_and_nothing_else() {
    if !is_root() {
        return;
    }
    let mut results = play("clerk");
    expect_all(&results, &["capabilities"], "0 0");
    expect_all(&results, &["say", "replace"], "ok");
    expect_all(&results, &["bpf_map"], "ENOSYS");
    let is_held = is_held(&results);
    expect_refused(&mut results, "clerk", is_held, true);
    if is_held {
        expect_all(&results, &["write_other", "read_other"], "EACCES");
    }
    // Allowed: the kernel looks at the path, and there is none.
    assert_eq!(results.remove("attack_rename").as_deref(), Some("EFAULT"));
    let attacks: Vec<_> = results.iter().filter(|(name, _)| name.starts_with("attack_")).collect();
    assert!(attacks.len() > 40, "{}", attacks.len());
    for (name, outcome) in attacks {
        assert!(["EPERM", "ENOSYS"].contains(&outcome.as_str()), "{name}: {outcome}");
    }
}

//! What is kept: the state directory, what an earlier start pinned, and whether a daemon runs.

use super::finding::{Area, Finding, State};
use crate::{
    config::Config,
    daemon::{
        owner::{NAME, Owner, name_of},
        state_dir::IDENTITY_FILE,
    },
};
use honeymesh_xdp::doctor::PinFacts;
use nix::{
    sys::statvfs::statvfs,
    unistd::{AccessFlags, access},
};
use std::{
    io,
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
};

/// With less room than this the store soon stops keeping events.
const FREE_WARN: u64 = 1 << 30;
/// With less than this nothing can be kept.
const FREE_FAIL: u64 = 32 << 20;

/// Is there a daemon behind the control socket?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Daemon {
    Runs,
    Absent,
    /// A socket without anybody behind it.
    Gone,
    /// This process may not ask.
    Denied,
}

/// Knocks at the control socket.
pub fn daemon(socket: &Path) -> Daemon {
    match UnixStream::connect(socket) {
        Ok(_) => Daemon::Runs,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Daemon::Absent,
            io::ErrorKind::PermissionDenied => Daemon::Denied,
            _ => Daemon::Gone,
        },
    }
}

pub fn judge_daemon(daemon: &Daemon) -> Finding {
    let matters = "bans are made by a daemon that runs; those that are in the kernel already end on time without one";
    let finding = |state, detail: &str| Finding::new(Area::Daemon, "process", state, detail, matters);
    match daemon {
        Daemon::Runs => finding(State::Ok, "one runs and answers"),
        Daemon::Absent => finding(State::Ok, "none runs"),
        Daemon::Gone => finding(State::Warn, "its control socket is there, but nobody answers: it was killed, or it hangs")
            .mend("look into its log, then start it again; the next start clears the socket away"),
        Daemon::Denied => finding(State::Skip, "this process may not ask").mend("run doctor as root or in the group honeymesh"),
    }
}

/// What is pinned, and whether the next start can work with it.
pub fn pins(facts: &PinFacts, dir: &Path, daemon: &Daemon) -> Finding {
    let matters = "pinned tables and links keep enforcing while no daemon runs, and the next start adopts them";
    let dir = dir.display();
    let finding = |state, detail: String| Finding::new(Area::Bpf, "pins", state, detail, matters);
    if !facts.is_readable {
        return finding(State::Skip, format!("{dir} cannot be looked into")).mend("run doctor as root");
    }
    if let Some(holder) = facts.holder.filter(|_| *daemon != Daemon::Runs) {
        return finding(
            State::Fail,
            format!("process {holder} works with {dir}, but answers at no control socket of this configuration"),
        )
        .mend(format!("stop process {holder}, or give this node a [xdp] pin_dir of its own"));
    }
    let versions: Vec<String> = facts.versions.iter().map(|version| format!("version {version}")).collect();
    match facts.versions.as_slice() {
        [] if !facts.is_bpffs => finding(State::Ok, format!("{dir}: no BPF file system there yet; a start mounts one")),
        [] => finding(State::Ok, format!("{dir}: nothing is pinned")),
        [version] if *version == facts.version => {
            finding(State::Ok, format!("{dir}: tables of this version ({version}), {} links", facts.links))
        }
        _ => finding(State::Warn, format!("{dir}: {}; this program works with version {}", versions.join(", "), facts.version))
            .mend("the next start takes the links over without a gap and removes the other versions"),
    }
}

/// What was seen of the state directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub dir: PathBuf,
    /// `None`: it does not exist, or cannot be looked at.
    pub mode: Option<u32>,
    pub is_hidden: bool,
    pub is_directory: bool,
    pub is_writable: bool,
    /// The owner, and whether a daemon works with a directory of his.
    pub owner: (u32, bool),
    pub identity_mode: Option<u32>,
    /// Octets free for us where it is, or would be.
    pub free: Option<u64>,
}

/// Looks at the state directory, and makes nothing.
pub fn look(config: &Config) -> Look {
    let dir = config.node.state_dir.as_path();
    let existing = dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let free = statvfs(existing).ok().map(|fs| fs.blocks_available().saturating_mul(fs.fragment_size()));
    let mut look = Look { dir: dir.into(), free, is_writable: access(existing, AccessFlags::W_OK).is_ok(), ..Look::default() };
    match std::fs::metadata(dir) {
        Ok(metadata) => {
            look.mode = Some(metadata.mode() & 0o7777);
            look.is_directory = metadata.is_dir();
            let owner = Owner::of(metadata.uid(), metadata.gid());
            // Who is not root cannot tell whose it may be.
            let is_root = nix::unistd::geteuid().is_root();
            let fits = !is_root || Owner::oneself().may_follow(metadata.uid()) || owner.is_named(config.node.user.as_ref());
            look.owner = (metadata.uid(), fits);
        }
        Err(error) => look.is_hidden = error.kind() == io::ErrorKind::PermissionDenied,
    }
    look.identity_mode = std::fs::metadata(dir.join(IDENTITY_FILE)).ok().map(|metadata| metadata.mode() & 0o7777);
    look
}

/// Judges it.
pub fn judge(look: &Look) -> Vec<Finding> {
    let mut findings = vec![directory(look)];
    findings.extend(look.identity_mode.map(|mode| identity(look, mode)));
    findings.extend(look.free.map(free));
    findings
}

fn directory(look: &Look) -> Finding {
    let shown = look.dir.display();
    let matters = "the node's identity and its memory are there; whoever can write to it can become this node";
    let finding = |state, detail: String| Finding::new(Area::State, "state_dir", state, detail, matters);
    let Some(mode) = look.mode else {
        return match (look.is_hidden, look.is_writable) {
            (true, _) => finding(State::Skip, format!("{shown} cannot be looked at")).mend("run doctor as root"),
            (_, true) => finding(State::Ok, format!("{shown} is not there yet; the first start makes it")),
            (_, false) => finding(State::Skip, format!("{shown} is not there yet, and this process could not make it"))
                .mend("run doctor as root"),
        };
    };
    let (owner, fits) = look.owner;
    match mode {
        _ if !look.is_directory => finding(State::Fail, format!("{shown} is no directory")).mend("set [node] state_dir"),
        mode if mode & 0o022 != 0 => {
            finding(State::Fail, format!("others can write to {shown} (mode {mode:04o})")).mend(format!("chmod 700 {shown}"))
        }
        _ if !fits => finding(State::Fail, format!("{shown} belongs to user {}", name_of(owner)))
            .mend(format!("chown -R {NAME} {shown}, or whom [node] user names")),
        mode if !look.is_writable => {
            finding(State::Skip, format!("{shown} (mode {mode:04o}) is not this user's")).mend("run doctor as root")
        }
        mode => finding(State::Ok, format!("{shown} (mode {mode:04o}, of user {})", name_of(owner))),
    }
}

/// Whom the daemon becomes once it is up. Tried, where this process has the power to.
pub fn user(config: &Config) -> Finding {
    let matters = "whoever takes the daemon over has what its user may do, and no more";
    let finding = |state, detail: String| Finding::new(Area::Power, "user", state, detail, matters);
    if !nix::unistd::geteuid().is_root() {
        return finding(State::Skip, "only root can try whom the daemon becomes".into()).mend("run doctor as root");
    }
    let mut warnings = Vec::new();
    match Owner::choose(config, &mut warnings) {
        Err(failure) => finding(State::Fail, failure.to_string()).mend("name another user, or leave [node] user out"),
        Ok(owner) => match warnings.pop() {
            Some(warning) => finding(State::Warn, warning).mend("do what the line says, and restart the daemon"),
            None => finding(State::Ok, format!("the daemon becomes user {}", owner.name())),
        },
    }
}

fn identity(look: &Look, mode: u32) -> Finding {
    let file = look.dir.join(IDENTITY_FILE);
    let matters = "whoever reads it can speak as this node";
    let finding = |state, detail: String| Finding::new(Area::State, "identity", state, detail, matters);
    match mode & 0o077 {
        0 => finding(State::Ok, format!("{} (mode {mode:04o})", file.display())),
        _ => finding(State::Fail, format!("others can read {} (mode {mode:04o})", file.display()))
            .mend(format!("chmod 600 {}; if somebody may have read it, delete it: the node gets a new identity", file.display())),
    }
}

fn free(octets: u64) -> Finding {
    let matters = "without room no event is kept, and bans are forgotten at the next start";
    let finding = |state| Finding::new(Area::State, "disk", state, format!("{} MiB free", octets >> 20), matters);
    match octets {
        ..FREE_FAIL => finding(State::Fail).mend("make room, or set [node] state_dir elsewhere"),
        FREE_FAIL..FREE_WARN => finding(State::Warn).mend("make room, or keep fewer events: [store] events_max, events_age"),
        _ => finding(State::Ok),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong, the finding's name, and how it is judged.
    type Change = (fn(&mut Look), &'static str, State);

    fn good() -> Look {
        Look {
            dir: "/var/lib/honeymesh".into(),
            mode: Some(0o700),
            is_hidden: false,
            is_directory: true,
            is_writable: true,
            owner: (0, true),
            identity_mode: Some(0o600),
            free: Some(8 << 30),
        }
    }

    #[test]
    fn pretended_directories_are_judged() {
        assert!(judge(&good()).iter().all(|finding| finding.state == State::Ok));
        let change: [Change; 9] = [
            (|look| look.mode = Some(0o777), "state_dir", State::Fail),
            (|look| look.is_directory = false, "state_dir", State::Fail),
            (|look| look.owner = (1_000, false), "state_dir", State::Fail),
            (|look| look.is_writable = false, "state_dir", State::Skip),
            (|look| (look.mode, look.is_hidden) = (None, true), "state_dir", State::Skip),
            (|look| (look.mode, look.is_writable) = (None, false), "state_dir", State::Skip),
            (|look| look.identity_mode = Some(0o640), "identity", State::Fail),
            (|look| look.free = Some(100 << 20), "disk", State::Warn),
            (|look| look.free = Some(1 << 20), "disk", State::Fail),
        ];
        for (change, name, state) in change {
            let mut look = good();
            change(&mut look);
            let bad: Vec<_> = judge(&look).into_iter().filter(|finding| finding.state != State::Ok).collect();
            assert!(bad.len() == 1 && bad[0].name == name && bad[0].state == state && bad[0].mend.is_some(), "{bad:?}");
        }
        let absent = Look { mode: None, identity_mode: None, ..good() };
        assert!(judge(&absent).iter().all(|finding| finding.state == State::Ok), "the first start makes it");
    }

    #[test]
    fn pins_of_others_are_told_from_our_own() {
        let facts = |versions: &[u32], holder| PinFacts {
            is_readable: true,
            is_bpffs: true,
            versions: versions.into(),
            version: 2,
            links: 1,
            holder,
        };
        let state = |facts: PinFacts, daemon| pins(&facts, Path::new("/sys/fs/bpf/honeymesh"), &daemon).state;
        assert_eq!(state(facts(&[], None), Daemon::Absent), State::Ok);
        assert_eq!(state(facts(&[2], Some(7)), Daemon::Runs), State::Ok);
        assert_eq!(state(facts(&[2], Some(7)), Daemon::Absent), State::Fail);
        assert_eq!(state(facts(&[1], None), Daemon::Absent), State::Warn);
        assert_eq!(state(facts(&[1, 2], None), Daemon::Absent), State::Warn);
        assert_eq!(state(PinFacts { is_readable: false, ..facts(&[], None) }, Daemon::Absent), State::Skip);
    }

    #[test]
    fn a_socket_without_a_daemon_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        assert_eq!(daemon(&socket), Daemon::Absent);
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(daemon(&socket), Daemon::Runs);
        drop(listener);
        assert_eq!(daemon(&socket), Daemon::Gone);
        assert_eq!(judge_daemon(&Daemon::Gone).state, State::Warn);
    }
}

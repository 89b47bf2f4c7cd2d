//! The warden: starts the keeper, waits for its end, and starts another one.
//!
//! It is what `honeymesh keeper` is first. It gives its power away as the keeper does, and keeps three calls more: it may make
//! a copy of itself, wait for that, and open a line to it. The copy is the keeper; it gives up these three as well. So nothing
//! is executed and nothing is opened a second time: all keepers, one after the other, have the descriptors that the daemon
//! handed over once, and the links that their predecessors made, which each tells the warden first of all.
//!
//! That is bounded: keepers that end again and again are not worth starting, and then there is none.

use super::{
    Keeper, is_over,
    kit::{self, Kit},
    say,
    words::Word,
};
use crate::{
    INTERFACES_MAX,
    netlink::{Announcements, Netlink},
    pins, system,
};
use nix::{
    errno::Errno,
    sys::{
        signal::{SigSet, Signal},
        socket::{AddressFamily, SockFlag, SockType, socketpair},
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, fork},
};
use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

/// So many keepers are started in place of others ...
const RESTARTS_MAX: usize = 5;
/// ... within this time.
const RESTARTS_WITHIN: Duration = Duration::from_secs(60);
/// Links that are remembered for the next keeper: of both programs for every interface, and as many that have come off since.
/// When there are so many, those that have come off go; one that finds no room then is pinned only.
const LINKS_MAX: usize = 4 * INTERFACES_MAX;

/// The warden, before it has begun.
#[derive(Debug)]
pub struct Warden {
    socket: OwnedFd,
    kit: Kit,
    netlink: Netlink,
    announcements: Announcements,
    restarts: VecDeque<Instant>,
}

/// What became of a keeper.
enum Next {
    /// The daemon is gone, and the keeper after it.
    Over,
    /// Another one is needed.
    Another,
}

impl Warden {
    /// Takes what the daemon hands over through `socket`, and opens everything that will ever be needed.
    ///
    /// # Errors
    /// The socket is none, or what came is nonsense; or the kernel gives no netlink socket.
    pub fn receive(socket: OwnedFd) -> io::Result<Self> {
        let kit = kit::receive(socket.as_fd())?;
        let (netlink, announcements) = (Netlink::open()?, Announcements::open()?);
        Ok(Self { socket, kit, netlink, announcements, restarts: VecDeque::new() })
    }

    /// The directories that the keeper must be able to write to: where links are pinned.
    #[must_use]
    pub fn directories(&self) -> Vec<PathBuf> {
        self.kit.directory.iter().flat_map(|directory| pins::places(directory)).collect()
    }

    /// Does this kernel (older than 5.19) want `CAP_BPF` for what the keeper does? A newer one wants no capability at all.
    #[must_use]
    pub fn needs_capability() -> bool {
        system::is_older_than((5, 19))
    }

    /// Keeps the signals off that end a terminal's or a service's processes all at once: warden and keeper end when the daemon
    /// has.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn outlast_signals(&self) -> io::Result<()> {
        let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
        Ok(signals.thread_block()?)
    }

    /// Sees to it that there is a keeper, until the daemon is gone. Returns in the warden and in every keeper. `narrow` is run by
    /// each keeper before it begins: it gives up what only the warden needs.
    ///
    /// # Errors
    /// In a keeper, that of `narrow`. In the warden: keepers ended too often, or none can be started any more.
    pub fn run(mut self, narrow: impl Fn() -> io::Result<()>) -> io::Result<()> {
        loop {
            let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
            match start()? {
                ForkResult::Child => {
                    drop(ours);
                    narrow()?;
                    return self.keep(theirs);
                }
                ForkResult::Parent { child } => {
                    drop(theirs);
                    if let Next::Over = self.watch(&ours, child)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// In the child: the keeper's work.
    fn keep(self, heirs: OwnedFd) -> io::Result<()> {
        // A keeper that was killed may have left half an answer.
        self.netlink.drain();
        Keeper::of(self.socket, self.kit, (self.netlink, self.announcements), Some(heirs))?.run();
        Ok(())
    }

    /// In the parent: gathers the links that the keeper makes, until it has ended.
    fn watch(&mut self, line: &OwnedFd, child: Pid) -> io::Result<Next> {
        loop {
            let links = kit::receive_links(line.as_fd())?;
            if links.is_empty() {
                break;
            }
            if self.kit.links.len() >= LINKS_MAX {
                self.kit.links.retain(crate::link::Link::is_attached);
            }
            let room = LINKS_MAX.saturating_sub(self.kit.links.len());
            self.kit.links.extend(links.into_iter().take(room));
        }
        let status = wait(child)?;
        if is_over(self.socket.as_fd()) {
            return Ok(Next::Over);
        }
        self.may_start_another(Instant::now())?;
        say(self.socket.as_fd(), &Word::Ended { status });
        Ok(Next::Another)
    }

    fn may_start_another(&mut self, now: Instant) -> io::Result<()> {
        self.restarts.retain(|at| now.saturating_duration_since(*at) < RESTARTS_WITHIN);
        if self.restarts.len() >= RESTARTS_MAX {
            let within = RESTARTS_WITHIN.as_secs();
            return Err(io::Error::other(format!("it ended more than {RESTARTS_MAX} times within {within} s")));
        }
        self.restarts.push_back(now);
        Ok(())
    }
}

/// Makes a copy of this process.
#[expect(unsafe_code, reason = "after a fork only what the child holds may be relied on")]
fn start() -> io::Result<ForkResult> {
    // SAFETY: the warden has one thread, so no lock is held by one that the child lacks.
    Ok(unsafe { fork() }?)
}

/// How a child ended, as wait(2) tells it.
fn wait(child: Pid) -> io::Result<i32> {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(code << 8),
            Ok(WaitStatus::Signaled(_, signal, dumped)) => return Ok(signal as i32 | i32::from(dumped) << 7),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

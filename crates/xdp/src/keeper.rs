//! The keeper: a third, tiny process that keeps the program on the interfaces.
//!
//! It watches the wanted interfaces. One that appears, was made anew, flapped, or from which somebody took the program,
//! gets it within a second; where somebody put another program into our link, ours is put back; dead pins go. And every ten
//! seconds it runs the self-probe, which a process that sees strangers' bytes must not be able to do: the same call can put
//! frames onto the wire.
//!
//! It is told nothing but what it gets at its start, and it takes no orders: whatever happens on its socket is its end. It says
//! what it did in [`Word`]s; nobody has to listen. No byte from a network ever reaches it.

mod guard;
mod kit;
mod words;

pub use words::{Place, Why, Word};

pub(crate) use kit::send as send_kit;
pub(crate) use words::WORD_LEN;

use crate::{
    Fared, PROBE_EVERY, Probed, bpf,
    netlink::{Announcements, Netlink},
    system,
};
use guard::Guard;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        socket::{MsgFlags, send},
    },
};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How often the interfaces are looked at, whether anything was announced or not: somebody who replaces a program inside
/// a link is not announced.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After a look, announcements are gathered for so long: a storm of them costs no more than this.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// The first probe comes so long after the start: until then the never-ban set may still be on its way.
const PROBE_FIRST: Duration = Duration::from_secs(1);
/// `XDP_DROP` and `XDP_PASS`.
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// The keeper, before it has begun.
#[derive(Debug)]
pub struct Keeper {
    socket: OwnedFd,
    guard: Guard,
    directory: Option<PathBuf>,
    netlink: Netlink,
    announcements: Announcements,
}

impl Keeper {
    /// Takes what the daemon hands over through `socket`, and opens everything that it will ever need.
    ///
    /// # Errors
    /// The socket is none, or what came is nonsense; or the kernel gives no netlink socket.
    pub fn receive(socket: OwnedFd) -> io::Result<Self> {
        let kit = kit::receive(socket.as_fd())?;
        let directory = kit.directory.clone();
        let (netlink, announcements) = (Netlink::open()?, Announcements::open()?);
        Ok(Self { socket, guard: Guard::new(kit)?, directory, netlink, announcements })
    }

    /// The directory that it must be able to write to: where links are pinned.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Does this kernel (older than 5.19) want `CAP_BPF` for what the keeper does? A newer one wants no capability at all.
    #[must_use]
    pub fn needs_capability() -> bool {
        system::is_older_than((5, 19))
    }

    /// Keeps the signals off that end a terminal's or a service's processes all at once: the keeper ends when the daemon has.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn outlast_signals(&self) -> io::Result<()> {
        let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
        Ok(signals.thread_block()?)
    }

    /// Keeps, until the daemon is gone.
    pub fn run(mut self) {
        // Whoever waits for it to begin may rely on the first look.
        let first = self.look();
        self.say(&Word::Began);
        first.iter().for_each(|word| self.say(word));
        let mut probe_due = Instant::now() + PROBE_FIRST;
        while !self.is_over() {
            self.wait(probe_due);
            self.announcements.drain();
            self.look().iter().for_each(|word| self.say(word));
            if Instant::now() >= probe_due {
                probe_due = Instant::now() + PROBE_EVERY;
                self.say(&Word::Probed(self.probe()));
            }
            thread::sleep(LOOK_PAUSE);
        }
        self.guard.end();
    }

    fn look(&mut self) -> Vec<Word> {
        self.guard.look(&self.netlink, &|| is_over(self.socket.as_fd())).unwrap_or_else(|error| {
            eprintln!("honeymesh keeper: cannot look at the interfaces: {error}");
            Vec::new()
        })
    }

    fn probe(&self) -> Probed {
        Probed::run(|frame| match bpf::test_run(self.guard.program(), frame) {
            Ok(XDP_DROP) => Fared::Dropped,
            Ok(XDP_PASS) => Fared::Passed,
            _ => Fared::Failed,
        })
    }

    /// Until something was announced, the daemon is gone, or it is time to look anyway.
    fn wait(&self, probe_due: Instant) {
        let mut both = [PollFd::new(self.announcements.as_fd(), PollFlags::POLLIN), end_of(self.socket.as_fd())];
        let patience = PollTimeout::try_from(LOOK_EVERY.min(probe_due.saturating_duration_since(Instant::now())))
            .unwrap_or(PollTimeout::ZERO);
        let _interrupted_or_not = poll(&mut both, patience);
    }

    fn is_over(&self) -> bool {
        is_over(self.socket.as_fd())
    }

    /// A daemon that does not listen misses it: what is true now it sees for itself.
    fn say(&self, word: &Word) {
        let _full_or_gone = send(self.socket.as_raw_fd(), &word.encode(), MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
    }
}

fn end_of(socket: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(socket, PollFlags::POLLIN)
}

/// Anything at all on the socket is the end: there is nothing that the keeper could be told.
fn is_over(socket: BorrowedFd<'_>) -> bool {
    !matches!(poll(&mut [end_of(socket)], PollTimeout::ZERO), Ok(0) | Err(nix::errno::Errno::EINTR))
}

//! The keeper: a tiny process of its own that keeps the programs on the interfaces.
//!
//! It watches the wanted interfaces. One that appears, was made anew, flapped, or from which somebody took a program, gets it
//! within a second: the first program, and the one that steers dark ports if one is wanted. Where somebody put another
//! program into our link, ours is put back; dead pins go. And every ten seconds it runs the self-probe, which a process that
//! sees strangers' bytes must not be able to do: the same call can put frames onto the wire.
//!
//! It is the child of a [`Warden`], which does nothing but wait for its end and then start another one.
//!
//! It is told nothing but what it gets at its start, and it takes no orders: whatever happens on its socket is its end. It says
//! what it did in [`Word`]s; nobody has to listen. No byte from a network ever reaches it.

mod guard;
mod kit;
mod warden;
mod wire;
mod words;

pub use warden::Warden;
pub use words::{Place, Why, Word};

pub(crate) use kit::{Told, send as send_kit};
pub(crate) use wire::receive_into;
pub(crate) use words::WORD_LEN;

use crate::{
    Fared, PROBE_EVERY, Probed, bpf,
    netlink::{Announcements, Netlink},
};
use guard::{Guard, Said};
use kit::Kit;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
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
/// Words with a link that wait until the daemon's socket has room; of more, the daemon never hears, and tells their interfaces
/// as ones without the second program.
const UNSAID_MAX: usize = 512;
/// `XDP_DROP` and `XDP_PASS`.
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// The keeper, before it has begun.
#[derive(Debug)]
pub struct Keeper {
    socket: OwnedFd,
    guard: Guard,
    netlink: Netlink,
    announcements: Announcements,
    unsaid: Vec<Said>,
    probe_every: Duration,
}

impl Keeper {
    /// Takes what the daemon hands over through `socket`, and opens everything that it will ever need. There is no warden
    /// behind this one.
    ///
    /// # Errors
    /// The socket is none, or what came is nonsense; or the kernel gives no netlink socket.
    pub fn receive(socket: OwnedFd) -> io::Result<Self> {
        let kit = kit::receive(socket.as_fd())?;
        Self::of(socket, kit, (Netlink::open()?, Announcements::open()?), None)
    }

    fn of(socket: OwnedFd, kit: Kit, sockets: (Netlink, Announcements), heirs: Option<OwnedFd>) -> io::Result<Self> {
        let (netlink, announcements) = sockets;
        Ok(Self { socket, guard: Guard::new(kit, heirs)?, netlink, announcements, unsaid: Vec::new(), probe_every: PROBE_EVERY })
    }

    /// With another time between two probes than [`PROBE_EVERY`]: tests do not wait that long.
    #[must_use]
    pub const fn probing_every(mut self, probe_every: Duration) -> Self {
        self.probe_every = probe_every;
        self
    }

    /// Keeps, until the daemon is gone.
    pub fn run(mut self) {
        if !self.is_over() {
            self.guard.pin_kept();
        }
        // Whoever waits for it to begin may rely on the first look.
        let first = self.look();
        say(self.socket.as_fd(), &Word::Began { pid: std::process::id() });
        let kept = self.guard.kept();
        self.say_all(kept.into_iter().chain(first));
        let mut probe_due = Instant::now() + PROBE_FIRST;
        while !self.is_over() {
            self.wait(probe_due);
            self.announcements.drain();
            let (unsaid, seen) = (std::mem::take(&mut self.unsaid), self.look());
            self.say_all(unsaid.into_iter().chain(seen));
            if Instant::now() >= probe_due {
                probe_due = Instant::now() + self.probe_every;
                say(self.socket.as_fd(), &Word::Probed(self.probe()));
            }
            thread::sleep(LOOK_PAUSE);
        }
        self.guard.end();
    }

    fn look(&mut self) -> Vec<Said> {
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

    /// Until something was announced, the daemon or the warden is gone, or it is time to look anyway.
    fn wait(&mut self, probe_due: Instant) {
        let heirs = self.guard.heirs().map(|heirs| end_of(heirs.as_fd()));
        let mut all: Vec<PollFd<'_>> = [PollFd::new(self.announcements.as_fd(), PollFlags::POLLIN), end_of(self.socket.as_fd())]
            .into_iter()
            .chain(heirs)
            .collect();
        let patience = PollTimeout::try_from(LOOK_EVERY.min(probe_due.saturating_duration_since(Instant::now())))
            .unwrap_or(PollTimeout::ZERO);
        let _interrupted_or_not = poll(&mut all, patience);
        let is_alone = all.get(2).and_then(PollFd::any).unwrap_or(false);
        if is_alone {
            self.guard.disinherit();
            say(self.socket.as_fd(), &Word::Alone);
        }
    }

    fn is_over(&self) -> bool {
        is_over(self.socket.as_fd())
    }

    /// A daemon that does not listen misses a word: what is true now it sees for itself. But of the second program it sees
    /// nothing without the link, so a word that brings one is said again.
    fn say_all(&mut self, said: impl Iterator<Item = Said>) {
        for (word, link) in said {
            let told = say_with(self.socket.as_fd(), &word, link.as_ref().map(crate::LinkHandle::fd));
            if !told && link.is_some() && self.unsaid.len() < UNSAID_MAX {
                self.unsaid.push((word, link));
            }
        }
    }
}

fn say(socket: BorrowedFd<'_>, word: &Word) {
    let _full_or_gone = say_with(socket, word, None);
}

/// Was it taken?
fn say_with(socket: BorrowedFd<'_>, word: &Word, link: Option<BorrowedFd<'_>>) -> bool {
    wire::send(socket, &word.encode(), link.as_slice()).is_ok()
}

fn end_of(socket: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(socket, PollFlags::POLLIN)
}

/// Anything at all on the socket is the end: there is nothing that the keeper could be told.
fn is_over(socket: BorrowedFd<'_>) -> bool {
    !matches!(poll(&mut [end_of(socket)], PollTimeout::ZERO), Ok(0) | Err(Errno::EINTR))
}

//! One program on one interface, through a link that outlives whoever made it.

use crate::{AttachMode, bpf, system::Interface};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

/// Where on an interface a program sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// The first program, at XDP.
    Xdp(AttachMode),
    /// The second program, at the door of the network stack (tcx).
    Tcx,
}

/// One interface that a program sits on. Unpinned, the link comes off with the last that holds it.
#[derive(Debug)]
pub(crate) struct Link {
    interface: Interface,
    seat: Seat,
    fd: Arc<OwnedFd>,
}

impl Link {
    pub(crate) fn new(interface: Interface, seat: Seat, fd: OwnedFd) -> Self {
        Self { interface, seat, fd: Arc::new(fd) }
    }

    pub(crate) const fn interface(&self) -> &Interface {
        &self.interface
    }

    pub(crate) const fn seat(&self) -> Seat {
        self.seat
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn handle(&self) -> LinkHandle {
        LinkHandle(Arc::clone(&self.fd))
    }

    /// The kernel takes a link off when its interface goes.
    pub(crate) fn is_attached(&self) -> bool {
        bpf::link_interface(self.fd()).is_ok_and(|index| index == self.interface.index)
    }

    pub(crate) fn name(&self) -> &str {
        &self.interface.name
    }

    /// Takes the program off at once. An interface that is gone has taken it along.
    pub(crate) fn detach(&self) {
        if let Err(error) = bpf::link_detach(self.fd()) {
            tracing::debug!(interface = self.name(), %error, "nothing to detach");
        }
    }
}

/// A link of the second program, to ask the kernel about: netlink does not tell who sits at the door of the network stack.
/// As long as one of these lives, an unpinned link stays on.
#[derive(Clone, Debug)]
pub struct LinkHandle(Arc<OwnedFd>);

impl LinkHandle {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(Arc::new(fd))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The interface that the program of this number is on through this link, if it is.
    pub(crate) fn steers(&self, program: u32) -> Option<u32> {
        let facts = bpf::link_facts(self.fd()).ok()?;
        (facts.is_steering && facts.program == program && facts.interface != 0).then_some(facts.interface)
    }
}

//! What may be asked of the writer, and what it answers: nothing else passes between the two processes.

use super::{element::Element, tier::Class};
use ipnet::IpNet;
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, Shutdown, recv, send, shutdown},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

/// Entries in one order or answer; whoever has more sends several.
pub(super) const PER_ORDER_MAX: usize = 512;
/// Octets of one order or answer.
const DATAGRAM_LEN_MAX: usize = 96 * 1_024;
/// Longest explanation that a failure carries.
const WHAT_LEN_MAX: usize = 200;

/// An order to the writer. It answers each with one [`Answer`], [`Order::Dump`] with several.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    /// Make or adopt the table and put it before these interfaces. The first order, and given once.
    Open { interfaces: Vec<String>, max_bans: u32, releases: bool },
    /// Enter bans, or change them in place; if nothing stands for any of them, they `are_new`, which is faster.
    Raise { all: Vec<Element>, are_new: bool },
    /// Remove whatever stands for these.
    Lift(Vec<IpNet>),
    /// Make the allowlist equal to all prefixes of these orders up to and with the `last`.
    Allow { nets: Vec<IpNet>, is_last: bool },
    /// Drop, or only count.
    Enforcing(bool),
    /// What stands for this prefix?
    Held(IpNet),
    /// Everything that stands.
    Dump,
    /// Is everything but the bans as it should be? Mends it. Which of the interfaces there are now, in their order.
    Guard { present: Vec<bool> },
    /// The counters.
    Counters,
    /// Remove the table.
    Release,
}

/// What the writer says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is done; for how many entries.
    Done(u32),
    /// Entries, and whether more follow.
    Elements { all: Vec<Element>, is_last: bool },
    /// What [`Order::Guard`] found.
    Guarded { absent: Vec<String>, is_changed: bool },
    /// The counters in their order.
    Counted(Vec<u64>),
    /// It was not done.
    Failed(Failure),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// The kernel's error number, 0 if it said none.
    pub(super) errno: i32,
    /// What was tried, or which it is about.
    pub(super) what: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FailureKind {
    /// No room for more entries of the class; these are exact ones or prefixes.
    Full { class: Class, is_usual: bool, limit: u32 },
    /// A table of that name is somebody else's.
    Foreign,
    /// Another writer holds the table.
    InUse,
    /// The kernel said no.
    Kernel,
    /// The order made no sense.
    Order,
}

impl Failure {
    pub(super) fn kernel(what: &str, error: &io::Error) -> Self {
        Self::new(FailureKind::Kernel, error.raw_os_error().unwrap_or(0), what)
    }

    pub(super) fn new(kind: FailureKind, errno: i32, what: &str) -> Self {
        Self { kind, errno, what: what.chars().take(WHAT_LEN_MAX).collect() }
    }
}

/// One end of the pair of sockets between daemon and writer. Messages stay whole (`SOCK_SEQPACKET`) and are bounded.
#[derive(Debug)]
pub(super) struct Line {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Line {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, buffer: vec![0; DATAGRAM_LEN_MAX] }
    }

    pub(super) fn say(&self, what: &impl Serialize) -> io::Result<()> {
        let octets = postcard::to_allocvec(what).map_err(io::Error::other)?;
        if octets.len() > DATAGRAM_LEN_MAX {
            return Err(Errno::EMSGSIZE.into());
        }
        send(self.fd.as_raw_fd(), &octets, MsgFlags::MSG_NOSIGNAL)?;
        Ok(())
    }

    /// Ends the conversation for both sides.
    pub(super) fn close(&self) {
        let _closed_already = shutdown(self.fd.as_raw_fd(), Shutdown::Both);
    }

    /// The next message; `None` once the other end is closed.
    pub(super) fn hear<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let len = loop {
            match recv(self.fd.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_TRUNC) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        if len == 0 {
            return Ok(None);
        }
        let octets = self.buffer.get(..len).ok_or(Errno::EMSGSIZE)?;
        postcard::from_bytes(octets).map(Some).map_err(io::Error::other)
    }
}

//! What may be asked of the writer, and what it answers: nothing else passes between the two processes.

use super::{
    element::Element,
    lasting::State,
    layout::{Scan, SendsFrom},
    locked::Lock,
    probe::Outcome,
    tier::Class,
};
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
/// Interfaces of an order, and the octets of a name with its zero.
pub(super) const CARRIERS_MAX: usize = 1_024;
const INTERFACE_LEN_MAX: usize = 16;
/// Longest explanation that a failure carries.
const WHAT_LEN_MAX: usize = 200;

/// An order to the writer. It answers each with one [`Answer`], [`Order::Dump`] with several.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    /// Make or adopt the tables. The first order, and given once.
    Open { network: Network, max_bans: u32, releases: bool, scan: Scan },
    /// Enter bans, or change them in place; if nothing stands for any of them, they `are_new`, which is faster.
    Raise { all: Vec<Element>, are_new: bool },
    /// Remove whatever stands for these.
    Lift(Vec<IpNet>),
    /// Make the allowlist equal to all prefixes of these orders up to and with the `last`. It, the mode and the lockdown stay wanted
    /// if the kernel refuses them.
    Allow { nets: Vec<IpNet>, is_last: bool },
    /// Drop, or only count.
    Enforcing(bool),
    /// Let in only who is allowed or connected.
    Lockdown(Lock),
    /// Connections to dark ports are for whoever listens at these ports of the loopback interface, IPv4 and IPv6.
    Arm([Option<u16>; 2]),
    /// What stands for this prefix?
    Held(IpNet),
    /// Everything that stands.
    Dump,
    /// Is everything but the bans as it should be, with this network? Mends it.
    Guard(Network, Depth),
    /// The counters.
    Counters,
    /// Run the self-probe's frames through the rules.
    Probe,
    /// Remove the tables.
    Release,
    /// Put the tables in the place of another version's, with all that was ordered so far. Answered like [`Order::Open`].
    Attach,
}

/// How much [`Order::Guard`] reads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Depth {
    /// Everything but the bans. With a large never-ban set that takes a while, in which nobody is banned.
    Whole,
    /// Not the never-ban set: what was last known of it is believed.
    Rules,
}

/// What the network is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Network {
    /// The interfaces that are to be guarded and that there are.
    pub(super) interfaces: Vec<String>,
    /// Those, and the ones that take packets from them to the network stack: bridges, bonds, VLANs.
    pub(super) carriers: Vec<String>,
    /// What this host sends from.
    pub(super) sends_from: SendsFrom,
}

impl Network {
    /// May it be believed? Names are the kernel's, and bounded.
    pub(super) fn is_sound(&self) -> bool {
        let is_name = |name: &String| (1..INTERFACE_LEN_MAX).contains(&name.len());
        [&self.interfaces, &self.carriers].iter().all(|names| names.len() <= CARRIERS_MAX && names.iter().all(is_name))
    }
}

/// What the writer says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It is done, for how many entries, and how things stand now.
    Done { count: u32, state: State },
    /// Entries, and whether more follow.
    Elements { all: Vec<Element>, is_last: bool },
    /// What [`Order::Open`] came to: are probes of dark ports seen, and reactions to silence weighed? And which version's tables go on
    /// until [`Order::Attach`]: then both is only hoped.
    Opened { sees_probes: bool, weighs: bool, replaces: Option<u32> },
    /// What [`Order::Guard`] came to: the interfaces that are guarded now, and what was refused of all that was to be said.
    Guarded { guarded: Vec<String>, refused: Option<Failure>, state: State },
    /// The counters in their order.
    Counted(Vec<u64>),
    /// What [`Order::Probe`] came to.
    Probed(Outcome),
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

    /// What the kernel said.
    pub(super) fn error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }

    pub(super) fn new(kind: FailureKind, errno: i32, what: &str) -> Self {
        Self { kind, errno, what: what.chars().take(WHAT_LEN_MAX).collect() }
    }
}

/// One end of the pair of sockets between daemon and writer. Messages stay whole (`SOCK_SEQPACKET`) and are bounded.
#[derive(Debug)]
pub(super) struct Line {
    fd: OwnedFd,
    /// The line whose conversation ends with this one's.
    other: Option<OwnedFd>,
    buffer: Vec<u8>,
}

impl Line {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, other: None, buffer: vec![0; DATAGRAM_LEN_MAX] }
    }

    /// One whose [`Line::close`] closes `other`, too.
    pub(super) fn closing(fd: OwnedFd, other: &Self) -> io::Result<Self> {
        Ok(Self { other: Some(other.fd.try_clone()?), ..Self::new(fd) })
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
        for fd in [Some(&self.fd), self.other.as_ref()].into_iter().flatten() {
            let _closed_already = shutdown(fd.as_raw_fd(), Shutdown::Both);
        }
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

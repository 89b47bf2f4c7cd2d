//! What sits on which interface, asked of the kernel over a netlink route socket. Asking needs no power.
//!
//! Nothing here sees a packet: the only speaker is the kernel, and what it says is still read with every bound checked.

mod message;
pub(crate) mod octets;

pub(crate) use message::Seen;

/// How many interfaces a datagram tells of, in an answer to question 4; for tests only.
#[cfg(feature = "testing")]
pub(crate) fn interfaces(octets: &[u8]) -> usize {
    message::read(octets, 4).seen.len()
}

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket},
};
use std::{
    cell::Cell,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

/// `RTMGRP_LINK`: interfaces that come, go or change.
const GROUP_LINKS: u32 = 1;
/// Room for one answer; the kernel sends no longer ones unless it is asked to.
const ANSWER_LEN_MAX: usize = 32 * 1_024;
/// Datagrams of one list of all interfaces; what comes after is left out, and wanted names that were in it count as absent.
const LIST_PARTS_MAX: usize = 4_096;
/// Announcements that are thrown away at a time: only *that* something changed counts.
const ANNOUNCEMENTS_MAX: usize = 1_024;

/// A socket to ask on. It belongs to the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Netlink {
    fd: OwnedFd,
    sequence: Cell<u32>,
}

impl Netlink {
    /// Opens a socket.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { fd: open(0)?, sequence: Cell::new(0) })
    }

    /// The interface of this name; `None` if there is none.
    pub(crate) fn named(&self, name: &str) -> io::Result<Option<Seen>> {
        let sequence = self.next();
        self.ask(&message::question(sequence, Some(name)))?;
        let mut room = vec![0; ANSWER_LEN_MAX];
        // An answer that is left over from a question that went wrong is passed over.
        for _ in 0..LIST_PARTS_MAX {
            let answer = message::read(self.hear(&mut room)?, sequence);
            match answer.error {
                Some(libc::ENODEV) => return Ok(None),
                Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
                None => {}
            }
            if let Some(seen) = answer.seen.into_iter().next() {
                return Ok(Some(seen));
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    /// All interfaces.
    pub(crate) fn all(&self) -> io::Result<Vec<Seen>> {
        let sequence = self.next();
        self.ask(&message::question(sequence, None))?;
        let (mut all, mut room) = (Vec::new(), vec![0; ANSWER_LEN_MAX]);
        for _ in 0..LIST_PARTS_MAX {
            let mut answer = message::read(self.hear(&mut room)?, sequence);
            all.append(&mut answer.seen);
            match answer.error {
                Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
                None if answer.is_last => break,
                None => {}
            }
        }
        Ok(all)
    }

    /// Throws away what is left of an answer that whoever asked did not live to hear: the kernel goes on with it as long as
    /// it is read.
    pub(crate) fn drain(&self) {
        let mut room = vec![0; ANSWER_LEN_MAX];
        for _ in 0..LIST_PARTS_MAX {
            if self.hear(&mut room).is_err() {
                return;
            }
        }
    }

    fn next(&self) -> u32 {
        self.sequence.set(self.sequence.get().wrapping_add(1));
        self.sequence.get()
    }

    fn ask(&self, question: &[u8]) -> io::Result<()> {
        send(self.fd.as_raw_fd(), question, MsgFlags::empty())?;
        Ok(())
    }

    /// The kernel answers while it is asked, so there is nothing to wait for.
    fn hear<'a>(&self, room: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let len = recv(self.fd.as_raw_fd(), room, MsgFlags::MSG_DONTWAIT)?;
        Ok(room.get(..len).unwrap_or_default())
    }
}

/// A socket that becomes readable when an interface comes, goes or changes.
#[derive(Debug)]
pub(crate) struct Announcements(OwnedFd);

impl Announcements {
    /// Listens from now on.
    pub(crate) fn open() -> io::Result<Self> {
        open(GROUP_LINKS).map(Self)
    }

    /// Throws away what was announced: whoever wants to know looks. Announcements that the kernel had to drop end in the
    /// same look.
    pub(crate) fn drain(&self) {
        let mut room = [0; 64];
        for _ in 0..ANNOUNCEMENTS_MAX {
            match recv(self.0.as_raw_fd(), &mut room, MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Announcements {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn open(groups: u32) -> io::Result<OwnedFd> {
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_seen_by_name_and_in_the_list() {
        let netlink = Netlink::open().unwrap();
        let lo = netlink.named("lo").unwrap().unwrap();
        assert_eq!((lo.name.as_str(), lo.index), ("lo", 1));
        assert!(netlink.all().unwrap().contains(&lo));
        assert_eq!(netlink.named("nope0").unwrap(), None);
        assert_eq!(netlink.named("lo").unwrap(), Some(lo), "an error leaves nothing behind");
    }
}

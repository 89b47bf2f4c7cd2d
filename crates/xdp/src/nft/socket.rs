//! The netlink socket: batches in, dumps out, errors told apart.

use super::{
    bytes::{Batch, Incoming, Message, Messages},
    uapi::{DONE, ERROR, flag},
};
use crate::MAX_BANS;
use nix::sys::{
    socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, send, setsockopt, socket, sockopt,
    },
    time::TimeVal,
};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

/// How long the kernel may take to answer; it does so within the call that asks.
const ANSWER_WAIT_SECONDS: i64 = 10;
/// The most a datagram from the kernel has: it fills pages up to 32 KiB, and an error quotes the message it is about.
const DATAGRAM_LEN_MAX: usize = 1 << 18;
/// Room for one batch on its way in, and for the answers to it.
const BUFFER_LEN: usize = 16 << 20;
/// How often a dump is begun anew when the tables change under it.
const DUMP_TRIES: usize = 8;
/// Chains, rules, sets or counters of all tables of a family that are taken from one dump, ...
pub(super) const THINGS_MAX: usize = 65_536;
/// ... and entries of a set: more than there may be bans. What is beyond is not kept, and the dump has failed.
pub(super) const ENTRIES_MAX: usize = MAX_BANS as usize + THINGS_MAX;

/// A netlink socket of nf_tables. Needs `CAP_NET_ADMIN` with every message, not only to be opened.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    pub(super) fn open() -> io::Result<Self> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_WAIT_SECONDS, 0))?;
        // Without the privilege the first message is refused anyway, with a better word.
        let _smaller = setsockopt(&fd, sockopt::SndBufForce, &BUFFER_LEN);
        let _smaller = setsockopt(&fd, sockopt::RcvBufForce, &BUFFER_LEN);
        Ok(Self { fd, sequence: 0, buffer: vec![0; DATAGRAM_LEN_MAX] })
    }

    /// Does all of `batch`, or nothing and tells the first error.
    pub(super) fn commit(&mut self, batch: Batch) -> io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let first = self.sequence.wrapping_add(1);
        let (octets, last) = batch.write(first);
        self.sequence = last.wrapping_add(1);
        self.send(&octets)?;
        let mut failed = None;
        loop {
            let done = self.receive(|message| {
                let of_ours = message.sequence.wrapping_sub(first) <= last.wrapping_sub(first);
                if message.kind != ERROR || !of_ours {
                    return false;
                }
                if message.errno() != 0 {
                    failed.get_or_insert(message.errno());
                }
                // An error of the opening mark is one of the whole batch: nothing else comes.
                message.sequence == last || (message.sequence == first && message.errno() != 0)
            })?;
            if done {
                return failed.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)));
            }
        }
    }

    /// Asks for one thing; `None` if it is not there.
    pub(super) fn get<T>(
        &mut self,
        message: &Message,
        mut read: impl FnMut(&Incoming<'_>) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let sequence = self.ask(message)?;
        let (mut found, mut failed) = (None, 0);
        while !self.receive(|message| {
            if message.sequence != sequence {
                return false;
            }
            match message.kind {
                ERROR => failed = message.errno(),
                _ => found = read(message),
            }
            true
        })? {}
        match failed {
            0 => Ok(found),
            libc::ENOENT => Ok(None),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Asks for everything of a kind, and takes no more than `max`. Begins anew if somebody changed the tables meanwhile, and says so
    /// after a few times.
    pub(super) fn dump<T>(
        &mut self,
        max: usize,
        ask: impl Fn() -> Message,
        mut read: impl FnMut(&Incoming<'_>, &mut Vec<T>),
    ) -> io::Result<Vec<T>> {
        for _ in 0..DUMP_TRIES {
            let (all, is_whole) = self.dump_once(max, &ask(), &mut read)?;
            if is_whole {
                return Ok(all);
            }
        }
        Err(io::Error::from_raw_os_error(libc::EINTR))
    }

    fn dump_once<T>(
        &mut self,
        max: usize,
        ask: &Message,
        read: &mut impl FnMut(&Incoming<'_>, &mut Vec<T>),
    ) -> io::Result<(Vec<T>, bool)> {
        let sequence = self.ask(ask)?;
        let (mut all, mut is_whole, mut failed) = (Vec::new(), true, 0);
        while !self.receive(|message| {
            if message.sequence != sequence {
                return false;
            }
            is_whole &= message.flags & flag::DUMP_INTERRUPTED == 0;
            match message.kind {
                DONE => failed = message.errno(),
                ERROR if message.errno() != 0 => failed = message.errno(),
                ERROR => {}
                // The kernel says the rest all the same: it is heard out.
                _ if all.len() > max => {}
                _ => read(message, &mut all),
            }
            matches!(message.kind, DONE | ERROR)
        })? {}
        match failed {
            0 if all.len() > max => Err(io::Error::from_raw_os_error(libc::E2BIG)),
            0 => Ok((all, is_whole)),
            libc::EINTR | libc::EAGAIN => Ok((all, false)),
            // A table that is not there has nothing in it.
            libc::ENOENT => Ok((Vec::new(), true)),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    fn ask(&mut self, message: &Message) -> io::Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut octets = Vec::new();
        message.write(self.sequence, &mut octets);
        self.send(&octets)?;
        Ok(self.sequence)
    }

    fn send(&self, octets: &[u8]) -> io::Result<()> {
        send(self.fd.as_raw_fd(), octets, MsgFlags::empty())?;
        Ok(())
    }

    /// Takes one datagram. Did `take` say of any of its messages that it was the last?
    fn receive(&mut self, mut take: impl FnMut(&Incoming<'_>) -> bool) -> io::Result<bool> {
        let (len, from) = recvfrom::<NetlinkAddr>(self.fd.as_raw_fd(), &mut self.buffer)?;
        if from.is_none_or(|from| from.pid() != 0) {
            // Not the kernel.
            return Ok(false);
        }
        let mut is_done = false;
        for message in Messages(&self.buffer[..len]) {
            is_done |= take(&message);
        }
        Ok(is_done)
    }
}

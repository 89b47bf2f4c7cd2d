//! What the rules saw, as the kernel's packet log tells it: probes of dark ports, and scans.
//!
//! Only binding to the log's group needs power. What is read is the begin of strangers' packets, so whoever reads has none: this is the
//! daemon's, and the process that writes never sees it.

mod packet;
mod recent;

use super::{
    bytes::{Incoming, Message, Messages},
    uapi::{self, ERROR},
};
use honeymesh_types::{Fate, Knock, KnockKind, Now};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::{
        socket::{
            AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, send, setsockopt, socket,
            sockopt,
        },
        time::TimeVal,
    },
};
use recent::Recent;
use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The log's group: `hm`. Each network namespace has its own.
pub(super) const GROUP: u16 = u16::from_be_bytes(*b"hm");
/// Octets of a packet that come along: two addresses, extension headers in moderation, ports.
pub(super) const PAYLOAD_LEN: u32 = 128;
/// What the rules call a packet: a probe below the threshold, ...
pub(super) const PROBED: &str = "honeymesh probe";
/// ... one that crossed it and had its source silenced, ...
pub(super) const SILENCED: &str = "honeymesh scan";
/// ... and one that crossed it, and that is all.
pub(super) const CROSSED: &str = "honeymesh scan, told only";
/// A silenced source's SYN whose port's coin says silence, ...
pub(super) const SUSPECT_SILENT: &str = "honeymesh suspect, silent";
/// ... and one whose port's coin says an answer: the first one to this port goes on to be answered.
pub(super) const SUSPECT_ANSWERED: &str = "honeymesh suspect, answered";

/// How long the kernel may take to bind.
const ANSWER_WAIT_SECONDS: i64 = 10;
/// One record and its headers; a longer datagram is cut and unreadable.
const DATAGRAM_LEN_MAX: usize = 8 * 1_024;
/// Room for records that wait to be read.
const BUFFER_LEN: usize = 2 << 20;
/// Receives that may fail one after the other before the next readiness is waited for.
const FAILURES_MAX: usize = 16;

/// The reader of the log. Its descriptor is readable while records wait.
#[derive(Debug)]
pub(crate) struct Log {
    fd: OwnedFd,
    buffer: Vec<u8>,
    waiting: VecDeque<Record>,
    recent: Recent,
    next_number: Option<u32>,
    lost: Arc<AtomicU64>,
    unreadable: u64,
}

/// A packet that was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    kind: Kind,
    seen: packet::Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Probe,
    Scan { silenced: bool },
    Suspect { fate: Fate },
}

impl Log {
    /// Binds to the group. Needs `CAP_NET_ADMIN`, and is the last that does.
    ///
    /// # Errors
    /// No privilege, no such log in this kernel, or somebody else has the group.
    pub(crate) fn open(window: Duration) -> io::Result<Self> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_WAIT_SECONDS, 0))?;
        let _smaller = setsockopt(&fd, sockopt::RcvBufForce, &BUFFER_LEN);
        let mut log = Self {
            fd,
            buffer: vec![0; DATAGRAM_LEN_MAX],
            waiting: VecDeque::new(),
            recent: Recent::new(window),
            next_number: None,
            lost: Arc::default(),
            unreadable: 0,
        };
        for (sequence, message) in (1..).zip(configuration()) {
            log.configure(sequence, &message)?;
        }
        fcntl(&log.fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(log)
    }

    fn configure(&mut self, sequence: u32, message: &Message) -> io::Result<()> {
        let mut octets = Vec::new();
        message.write(sequence, &mut octets);
        send(self.fd.as_raw_fd(), &octets, MsgFlags::empty())?;
        loop {
            let len = self.receive()?;
            let mut answers = Messages(self.buffer.get(..len).unwrap_or_default());
            match answers.find(|answer| answer.kind == ERROR && answer.sequence == sequence).map(|answer| answer.errno()) {
                None => {}
                Some(0) => return Ok(()),
                Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    /// Records that the kernel made and nobody could take, because too many waited.
    pub(crate) fn lost(&self) -> Arc<AtomicU64> {
        self.lost.clone()
    }

    /// Records that made no sense, and were skipped.
    pub(crate) const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The next record as a knock, if one waits; never blocks.
    pub(crate) fn next(&mut self, now: Now) -> Option<Knock> {
        let mut failures = 0;
        while self.waiting.is_empty() {
            match self.receive() {
                Ok(len) => self.take(len),
                Err(Errno::EINTR) => {}
                // What is lost is told by the numbers of those that come.
                Err(Errno::ENOBUFS) if failures < FAILURES_MAX => failures += 1,
                Err(_) => return None,
            }
        }
        let record = self.waiting.pop_front()?;
        Some(self.knock(&record, now))
    }

    fn knock(&mut self, record: &Record, at: Now) -> Knock {
        let packet::Seen { source, dest, source_port, port, transport } = record.seen;
        let kind = match record.kind {
            Kind::Probe => {
                self.recent.note(source, port, at.mono);
                KnockKind::Probe
            }
            Kind::Scan { silenced } => KnockKind::Scan { ports: self.recent.take(source, port, at.mono), silenced },
            Kind::Suspect { fate } => KnockKind::Suspect { fate },
        };
        Knock { at, source, source_port, dest, port, transport, kind }
    }

    /// A datagram's length; 0 if it came from somebody else than the kernel.
    fn receive(&mut self) -> Result<usize, Errno> {
        let (len, from) = recvfrom::<NetlinkAddr>(self.fd.as_raw_fd(), &mut self.buffer)?;
        Ok(if from.is_some_and(|from| from.pid() == 0) { len } else { 0 })
    }

    fn take(&mut self, len: usize) {
        let octets = self.buffer.get(..len).unwrap_or_default();
        for message in Messages(octets).filter(|message| message.kind == uapi::log::SUBSYSTEM << 8 | uapi::log::PACKET) {
            let parts = message.attributes();
            if let Some(number) = parts.number(uapi::log::NUMBER) {
                let lost = self.next_number.map_or(0, |next| number.wrapping_sub(next));
                self.lost.fetch_add(lost.into(), Ordering::Relaxed);
                self.next_number = Some(number.wrapping_add(1));
            }
            match read(&message) {
                Some(record) => self.waiting.push_back(record),
                None => self.unreadable = self.unreadable.saturating_add(1),
            }
        }
    }
}

fn read(message: &Incoming<'_>) -> Option<Record> {
    let parts = message.attributes();
    let kind = match parts.text(uapi::log::PREFIX)? {
        PROBED => Kind::Probe,
        SILENCED => Kind::Scan { silenced: true },
        CROSSED => Kind::Scan { silenced: false },
        SUSPECT_SILENT => Kind::Suspect { fate: Fate::Silent },
        SUSPECT_ANSWERED => Kind::Suspect { fate: Fate::Answered },
        _ => return None,
    };
    Some(Record { kind, seen: packet::read(parts.bytes(uapi::log::PAYLOAD)?)? })
}

/// How many records a datagram of the log has; for tests only.
#[cfg(feature = "testing")]
pub(crate) fn records(octets: &[u8]) -> usize {
    let ours = |message: &Incoming<'_>| message.kind == uapi::log::SUBSYSTEM << 8 | uapi::log::PACKET;
    Messages(octets).filter(ours).filter_map(|message| read(&message)).count()
}

/// Where a logged packet came from and went to; for tests only.
#[cfg(feature = "testing")]
pub(crate) fn ends(octets: &[u8]) -> Option<(std::net::SocketAddr, std::net::SocketAddr)> {
    let seen = packet::read(octets)?;
    Some(((seen.source, seen.source_port).into(), (seen.dest, seen.port).into()))
}

/// The group is ours; records come at once, numbered, and with the begin of their packet.
fn configuration() -> [Message; 2] {
    let [a, b, c, d] = PAYLOAD_LEN.to_be_bytes();
    let bind = Message::about_log(GROUP, |to| {
        to.bytes(uapi::log::CONFIG_COMMAND, &[uapi::log::BIND]);
    });
    let shape = Message::about_log(GROUP, |to| {
        to.bytes(uapi::log::CONFIG_MODE, &[a, b, c, d, uapi::log::COPY_PACKET, 0]);
        to.number(uapi::log::CONFIG_THRESHOLD, 1).bytes(uapi::log::CONFIG_FLAGS, &uapi::log::FLAG_NUMBERED.to_be_bytes());
    });
    [bind, shape]
}

impl AsFd for Log {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Log {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::bytes::Attributes;

    /// A record as the kernel sends it.
    fn record(number: u32, prefix: &str, port: u16) -> Vec<u8> {
        let packet =
            [&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 203, 0, 113, 7, 192, 0, 2, 1, 0x9c, 0x40][..], &port.to_be_bytes()];
        let mut attributes = Attributes::default();
        attributes.text(uapi::log::PREFIX, prefix).number(uapi::log::NUMBER, number);
        attributes.bytes(uapi::log::PAYLOAD, &packet.concat());
        let body = [&[2, 0, 0, 0][..], attributes.octets()].concat();
        let len = u32::try_from(16 + body.len()).unwrap();
        let kind = (uapi::log::SUBSYSTEM << 8 | uapi::log::PACKET).to_ne_bytes();
        [&len.to_ne_bytes()[..], &kind, &[0; 10], &body].concat()
    }

    fn log() -> Log {
        let (_theirs, ours) = std::os::unix::net::UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        Log {
            fd: ours.into(),
            buffer: vec![0; DATAGRAM_LEN_MAX],
            waiting: VecDeque::new(),
            recent: Recent::new(Duration::from_secs(60)),
            next_number: None,
            lost: Arc::default(),
            unreadable: 0,
        }
    }

    fn hear(log: &mut Log, octets: &[u8]) -> Option<Knock> {
        log.buffer[..octets.len()].copy_from_slice(octets);
        log.take(octets.len());
        log.next(Now::default())
    }

    #[test]
    fn a_scan_tells_the_ports_that_were_told_before_it() {
        let mut log = log();
        let probe = hear(&mut log, &record(0, PROBED, 21)).unwrap();
        assert_eq!((probe.source.to_string().as_str(), probe.source_port), ("203.0.113.7", 40_000));
        assert_eq!((probe.dest.to_string().as_str(), probe.port, probe.kind), ("192.0.2.1", 21, KnockKind::Probe));
        hear(&mut log, &record(1, PROBED, 23)).unwrap();
        let scan = hear(&mut log, &record(2, SILENCED, 22)).unwrap();
        assert_eq!(scan.kind, KnockKind::Scan { ports: vec![21, 23, 22], silenced: true });
        let again = hear(&mut log, &record(3, CROSSED, 80)).unwrap();
        assert_eq!(again.kind, KnockKind::Scan { ports: vec![80], silenced: false }, "a source begins anew");
        assert_eq!((log.lost.load(Ordering::Relaxed), log.unreadable), (0, 0));
    }

    #[test]
    fn a_gap_in_the_numbers_is_what_was_lost() {
        let mut log = log();
        for number in [u32::MAX - 1, u32::MAX, 3, 4, 9] {
            hear(&mut log, &record(number, PROBED, 21)).unwrap();
        }
        assert_eq!(log.lost.load(Ordering::Relaxed), 3 + 4);
    }

    #[test]
    fn what_is_no_record_of_ours_is_counted_and_what_is_cut_short_ends_quietly() {
        let mut log = log();
        assert_eq!(hear(&mut log, &record(0, "somebody else's", 21)), None);
        assert_eq!(log.unreadable, 1);
        let whole = record(1, PROBED, 21);
        for len in 0..whole.len() {
            assert_eq!(hear(&mut log, &whole[..len]), None, "{len} octets");
        }
        for at in 0..whole.len() {
            for octet in [0, 1, 3, 0x7f, 0xff] {
                let mut wrong = whole.clone();
                wrong[at] = octet;
                let _whatever = hear(&mut log, &wrong);
            }
        }
        assert!(hear(&mut log, &whole).is_some());
    }
}

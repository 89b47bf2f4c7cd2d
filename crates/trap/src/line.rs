//! The two lines between the daemon and the process that plays: strangers go in, evidence comes out, and never the other way.
//!
//! In: a local socket that is shut in the other direction, one message a packet, a connection attached to each stranger's.
//! Out: a pipe in packet mode. Both are bounded by the kernel; nothing is queued in either process.

use crate::{
    Setting,
    wire::{ADMISSION_BYTES_MAX, Admission, Evidence, PACKET_BYTES_MAX},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, Shutdown, SocketFlags, SocketType, recv, recvmsg, send, sendmsg, shutdown, socketpair,
    },
    pipe::{PipeFlags, fcntl_setpipe_size, pipe_with},
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::sleep,
};

/// What the evidence pipe holds, in octets, if the kernel grants so much: a page each packet, however short.
const PIPE_BYTES: usize = 1 << 20;
/// The part of the setting in one message.
const SETTING_PART: usize = ADMISSION_BYTES_MAX - 64;
/// The longest setting, in octets; longer ones are refused on both ends.
const SETTING_BYTES_MAX: usize = 16 << 20;
/// How often a full line is tried again where it cannot be looked at.
const ROOM_PAUSE: Duration = Duration::from_millis(20);
/// How long the process may take to begin.
const BEGIN_MAX: Duration = Duration::from_secs(10);

/// The daemon's ends.
#[derive(Debug)]
pub struct Line {
    admissions: OwnedFd,
    evidence: OwnedFd,
    /// Who plays already.
    begun: Option<u32>,
}

/// The ends of the process that plays.
#[derive(Debug)]
pub struct RoomLine {
    admissions: OwnedFd,
    evidence: OwnedFd,
}

/// Makes both lines.
///
/// # Errors
/// No descriptors are left.
pub fn lines() -> io::Result<(Line, RoomLine)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    shutdown(&theirs, Shutdown::Write)?;
    let (read, write) = pipe_with(PipeFlags::DIRECT | PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // Not granted where the user's pipes hold much already: then it is shorter, and full sooner.
    let _as_long_as_it_is = fcntl_setpipe_size(&write, PIPE_BYTES);
    Ok((Line { admissions: ours, evidence: read, begun: None }, RoomLine { admissions: theirs, evidence: write }))
}

impl Line {
    /// Tells the process what to play, and waits until it does. Gives its process number.
    ///
    /// # Errors
    /// It has ended, does not begin in time, or the setting is too long.
    pub fn begin(&mut self, setting: &Setting) -> io::Result<u32> {
        let bytes = setting.to_bytes()?;
        if bytes.len() > SETTING_BYTES_MAX {
            return Err(io::Error::other(format!(
                "the traps' definitions are {} octets long; {SETTING_BYTES_MAX} can be told",
                bytes.len()
            )));
        }
        let parts = bytes.chunks(SETTING_PART).collect::<Vec<_>>();
        for (index, part) in parts.iter().enumerate() {
            let message = Admission::Setting { part: part.to_vec(), is_last: index + 1 == parts.len() };
            send(&self.admissions, &message.to_bytes(), SendFlags::NOSIGNAL)?;
        }
        let pid = self.first_word()?;
        self.begun = Some(pid);
        Ok(pid)
    }

    /// Who plays already, if that was waited for.
    pub(crate) const fn begun(&self) -> Option<u32> {
        self.begun
    }

    fn first_word(&self) -> io::Result<u32> {
        let patience = Timespec { tv_sec: BEGIN_MAX.as_secs().cast_signed(), tv_nsec: 0 };
        if poll(&mut [PollFd::new(&self.evidence, PollFlags::IN)], Some(&patience))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not begin"));
        }
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = rustix::io::read(&self.evidence, &mut packet)?;
        match Evidence::read(&packet[..length]) {
            Some(Evidence::Hello { pid }) => Ok(pid),
            Some(Evidence::Gone { status, .. }) => {
                Err(io::Error::other(format!("it ended as it began: wait status {status:#x}")))
            }
            _ => Err(io::Error::other("it ended before it began")),
        }
    }

    /// Both ends for the runtime.
    pub(crate) fn listen(self) -> io::Result<(Inward, Heard)> {
        rustix::io::ioctl_fionbio(&self.admissions, true)?;
        Ok((Inward(self.admissions), Heard(awaited(self.evidence, Interest::READABLE)?)))
    }
}

/// Where strangers go in. The runtime looks at it only while there is no room: else each that is taken would wake it, to say
/// that there is room for one more.
#[derive(Debug)]
pub(crate) struct Inward(OwnedFd);

impl Inward {
    /// Hands a message over, with a connection or without one; waits for room as long as it takes.
    ///
    /// # Errors
    /// Nobody is there any more.
    pub(crate) async fn hand(&self, message: &Admission, connection: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = message.to_bytes();
        match hand_now(self.0.as_fd(), &bytes, connection) {
            Err(Errno::AGAIN) => self.hand_when_there_is_room(&bytes, connection).await,
            done => Ok(done?),
        }
    }

    async fn hand_when_there_is_room(&self, bytes: &[u8], connection: Option<BorrowedFd<'_>>) -> io::Result<()> {
        // A copy: one descriptor is looked at once, and several may wait here.
        let Ok(waiting) = self.0.try_clone().and_then(|copy| awaited(copy, Interest::WRITABLE)) else {
            // None is left: then it is tried again and again.
            loop {
                sleep(ROOM_PAUSE).await;
                match hand_now(self.0.as_fd(), bytes, connection) {
                    Err(Errno::AGAIN) => {}
                    done => return Ok(done?),
                }
            }
        };
        loop {
            let mut ready = waiting.writable().await?;
            match ready.try_io(|socket| Ok(hand_now(socket.get_ref().as_fd(), bytes, connection)?)) {
                Ok(done) => return done,
                Err(_would_block) => {}
            }
        }
    }
}

impl Inward {
    /// Hands a message over, if there is room at once.
    ///
    /// # Errors
    /// There is none, or nobody is there any more.
    pub(crate) fn try_hand(&self, message: &Admission) -> io::Result<()> {
        Ok(hand_now(self.0.as_fd(), &message.to_bytes(), None)?)
    }
}

fn hand_now(socket: BorrowedFd<'_>, bytes: &[u8], connection: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
    let attached: Vec<BorrowedFd<'_>> = connection.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !attached.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&attached));
    }
    match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        // So many connections are on their way that the kernel wants some of them taken first.
        Err(Errno::TOOMANYREFS) => Err(Errno::AGAIN),
        sent => sent.map(drop),
    }
}

/// Where evidence comes out.
#[derive(Debug)]
pub(crate) struct Heard(AsyncFd<OwnedFd>);

impl Heard {
    /// The next packet; `None` once nobody can write any more. Nothing is lost if the waiting is given up.
    pub(crate) async fn next(&self, packet: &mut [u8; PACKET_BYTES_MAX]) -> io::Result<Option<usize>> {
        // Whoever always has something to say must not keep the doors shut.
        tokio::task::consume_budget().await;
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|pipe| Ok(rustix::io::read(pipe.get_ref(), &mut packet[..])?)) {
                Ok(read) => return read.map(|length| (length > 0).then_some(length)),
                Err(_would_block) => {}
            }
        }
    }

    /// The next packet, if there is one at once.
    pub(crate) fn now(&self, packet: &mut [u8; PACKET_BYTES_MAX]) -> Option<usize> {
        rustix::io::read(self.0.get_ref(), &mut packet[..]).ok().filter(|length| *length > 0)
    }
}

impl RoomLine {
    /// Takes over descriptors that were handed to this process.
    #[must_use]
    pub const fn of(admissions: OwnedFd, evidence: OwnedFd) -> Self {
        Self { admissions, evidence }
    }

    /// The descriptors, to hand them to another process: where strangers come from, where evidence goes.
    #[must_use]
    pub fn into_descriptors(self) -> (OwnedFd, OwnedFd) {
        (self.admissions, self.evidence)
    }

    /// The same lines once more.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { admissions: self.admissions.try_clone()?, evidence: self.evidence.try_clone()? })
    }

    /// Waits for what is to be played.
    ///
    /// # Errors
    /// The daemon is gone, or what came is nothing that it says.
    pub fn setting(&self) -> io::Result<Setting> {
        let (mut bytes, mut message) = (Vec::new(), vec![0; ADMISSION_BYTES_MAX]);
        loop {
            let length = recv(&self.admissions, &mut message[..], RecvFlags::empty())?.0;
            let Some(Admission::Setting { part, is_last }) = Admission::read(&message[..length]) else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "nobody says what to play"));
            };
            bytes.extend_from_slice(&part);
            if bytes.len() > SETTING_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "what is to be played is too long"));
            }
            if is_last {
                return Setting::read(&bytes);
            }
        }
    }

    /// Is the daemon gone, or does it want an end?
    #[must_use]
    pub fn is_over(&self) -> bool {
        let peeked = recv(&self.admissions, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        matches!(peeked, Ok((0, _))) || peeked.is_err_and(|errno| errno != Errno::AGAIN && errno != Errno::INTR)
    }

    /// Tells that the process that played has ended, as wait(2) says, and that another one begins after this `pause`. `false` if the pipe
    /// is full and it is not told: try again; whoever begins next tells the end, too, but not the pause.
    #[must_use]
    pub fn tell_gone(&self, status: i32, pause: Duration) -> bool {
        let pause_ms = pause.as_millis().try_into().unwrap_or(u32::MAX);
        rustix::io::write(&self.evidence, &Evidence::Gone { status, pause_ms }.to_bytes()).is_ok()
    }

    /// Both ends for the runtime.
    pub(crate) fn listen(self) -> io::Result<(Arrivals, Pipe)> {
        rustix::io::ioctl_fionbio(&self.admissions, true)?;
        Ok((Arrivals(awaited(self.admissions, Interest::READABLE)?), Pipe::new(self.evidence)?))
    }
}

/// Where strangers come from.
#[derive(Debug)]
pub(crate) struct Arrivals(AsyncFd<OwnedFd>);

impl Arrivals {
    /// The next message, with its connection if there is one; `None` at the end. Nothing is lost if the waiting is given up.
    pub(crate) async fn next(&self, message: &mut [u8]) -> io::Result<Option<(Admission, Option<OwnedFd>)>> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|socket| Ok(take_now(socket.get_ref().as_fd(), message)?)) {
                Ok(Ok((0, _))) => return Ok(None),
                Ok(Ok((length, connection))) => match Admission::read(&message[..length]) {
                    Some(admission) => return Ok(Some((admission, connection))),
                    None => return Err(io::Error::new(io::ErrorKind::InvalidData, "the daemon says what is not understood")),
                },
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}

fn take_now(socket: BorrowedFd<'_>, message: &mut [u8]) -> Result<(usize, Option<OwnedFd>), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let taken = recvmsg(socket, &mut [IoSliceMut::new(message)], &mut control, RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT)?;
    let connection = control.drain().find_map(|attached| match attached {
        RecvAncillaryMessage::ScmRights(mut connections) => connections.next(),
        _ => None,
    });
    Ok((taken.bytes, connection))
}

/// Where evidence goes.
#[derive(Debug)]
pub(crate) struct Pipe {
    pipe: AsyncFd<OwnedFd>,
    /// The packets of one report are not mixed with those of another.
    turn: tokio::sync::Mutex<()>,
    /// Octets of the reports that found no room yet.
    shelf: Arc<AtomicUsize>,
}

impl Pipe {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self { pipe: awaited(pipe, Interest::WRITABLE)?, turn: tokio::sync::Mutex::new(()), shelf: Arc::default() })
    }

    /// How many octets those reports hold that found no room yet.
    pub(crate) const fn shelf(&self) -> &Arc<AtomicUsize> {
        &self.shelf
    }

    /// Writes packets one after the other, and waits for room as long as it takes. Whoever gives the waiting up may have written
    /// the first of them; the reader forgets those when the next report begins.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub(crate) async fn write(&self, packets: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        for packet in packets {
            self.write_one(&packet).await?;
        }
        Ok(())
    }

    async fn write_one(&self, packet: &[u8]) -> io::Result<()> {
        loop {
            let mut ready = self.pipe.writable().await?;
            match ready.try_io(|pipe| Ok(rustix::io::write(pipe.get_ref(), packet)?)) {
                Ok(written) => return written.map(drop),
                Err(_would_block) => {}
            }
        }
    }
}

#[expect(deprecated, reason = "the other way is unsafe; an owned descriptor stays open as long as it is awaited")]
pub(crate) fn awaited<T: AsRawFd>(descriptor: T, what: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(descriptor, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{OFlags, fcntl_getfl};

    #[test]
    fn nothing_goes_the_other_way() {
        let (line, rooms) = lines().unwrap();
        let (admissions, evidence) = rooms.into_descriptors();
        assert_eq!(send(&line.admissions, b"in", SendFlags::NOSIGNAL), Ok(2));
        assert_eq!(recv(&admissions, &mut [0_u8; 8][..], RecvFlags::empty()).unwrap().0, 2);
        assert_eq!(send(&admissions, b"out", SendFlags::NOSIGNAL), Err(Errno::PIPE), "strangers only go in");
        let (mut space, part) = (SendAncillaryBuffer::new(&mut []), [IoSlice::new(b"out")]);
        assert_eq!(sendmsg(&admissions, &part, &mut space, SendFlags::NOSIGNAL), Err(Errno::PIPE));
        let mode = |end: &OwnedFd| fcntl_getfl(end).unwrap() & OFlags::RWMODE;
        assert_eq!((mode(&evidence), mode(&line.evidence)), (OFlags::WRONLY, OFlags::RDONLY), "evidence only comes out");
        assert_eq!(rustix::io::read(&evidence, &mut [0; 8]), Err(Errno::BADF));
        assert_eq!(rustix::io::write(&line.evidence, b"x"), Err(Errno::BADF));
    }
}

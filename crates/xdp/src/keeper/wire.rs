//! Datagrams with descriptors, between the daemon, the warden and the keeper.

use nix::{
    cmsg_space,
    errno::Errno,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
};
use std::{
    io::{IoSlice, IoSliceMut},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

/// Descriptors in one datagram; the kernel passes at most 253.
pub(crate) const DESCRIPTORS_MAX: usize = 250;
/// The longest datagram, in octets: 256 names and a path, or as many links.
const TEXT_LEN_MAX: usize = 16 * 1_024;

/// Sends without waiting.
pub(crate) fn send(socket: BorrowedFd<'_>, octets: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let descriptors: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let (parts, rights) = ([IoSlice::new(octets)], [ControlMessage::ScmRights(&descriptors)]);
    let rights = if descriptors.is_empty() { &[] } else { &rights[..] };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(socket.as_raw_fd(), &parts, rights, flags, None).map(|_| ())
}

/// Waits for a datagram; an empty one is the end.
pub(super) fn receive(socket: BorrowedFd<'_>) -> Result<(Vec<u8>, Vec<OwnedFd>), Errno> {
    let mut text = vec![0; TEXT_LEN_MAX];
    loop {
        match receive_into(socket, &mut text, MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok((len, descriptors)) => {
                text.truncate(len);
                return Ok((text, descriptors));
            }
        }
    }
}

/// Takes a datagram: its length, and what came with it.
#[expect(unsafe_code, reason = "descriptors arrive as plain numbers")]
pub(crate) fn receive_into(socket: BorrowedFd<'_>, octets: &mut [u8], flags: MsgFlags) -> Result<(usize, Vec<OwnedFd>), Errno> {
    let mut rights = cmsg_space!([RawFd; DESCRIPTORS_MAX]);
    let mut parts = [IoSliceMut::new(octets)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut rights), flags | MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            // SAFETY: the kernel has just made these descriptors for us, and nobody else knows them.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    Ok((message.bytes, descriptors))
}

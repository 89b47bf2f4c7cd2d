//! Frames onto a cable, whatever they say about their sender.
#![expect(unsafe_code, reason = "packet sockets have no safe address type among this crate's dependencies")]

use nix::{
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};
use std::os::fd::AsRawFd;

/// Sends one whole Ethernet frame from an interface of this thread's network namespace.
pub fn send(interface: &str, frame: &[u8]) {
    let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
    // SAFETY: a link-layer address is plain numbers, for which zeros are values.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
    to.sll_ifindex = i32::try_from(if_nametoindex(interface).unwrap()).unwrap();
    let len = libc::socklen_t::try_from(size_of_val(&to)).unwrap();
    // SAFETY: frame and address are live and as long as is said; the kernel only reads them.
    let sent = unsafe { libc::sendto(fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, (&raw const to).cast(), len) };
    assert_eq!(usize::try_from(sent).ok(), Some(frame.len()), "{}", std::io::Error::last_os_error());
}

//! Frames onto a cable, whatever they say about their sender.
#![expect(unsafe_code, reason = "packet sockets have no safe address type among this crate's dependencies")]

use super::PATIENCE;
use nix::{
    errno::Errno,
    ifaddrs::getifaddrs,
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, socket},
};
use std::{
    os::fd::{AsRawFd, OwnedFd},
    time::Instant,
};

/// Sends one whole Ethernet frame from an interface of this thread's network namespace; waits while the queue is full.
pub fn send(interface: &str, frame: &[u8]) {
    send_all(interface, [frame]);
}

/// The same with several, in their order.
pub fn send_all<'a>(interface: &str, frames: impl IntoIterator<Item = &'a [u8]>) {
    let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
    // SAFETY: a link-layer address is plain numbers, for which zeros are values.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
    to.sll_ifindex = i32::try_from(if_nametoindex(interface).unwrap()).unwrap();
    let len = libc::socklen_t::try_from(size_of_val(&to)).unwrap();
    for frame in frames {
        // SAFETY: frame and address are live and as long as is said; the kernel only reads them.
        let send = || unsafe { libc::sendto(fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, (&raw const to).cast(), len) };
        let start = Instant::now();
        while usize::try_from(send()) != Ok(frame.len()) {
            let error = std::io::Error::last_os_error();
            assert!(error.raw_os_error() == Some(libc::ENOBUFS) && start.elapsed() < PATIENCE, "{error}");
            std::thread::yield_now();
        }
    }
}

/// Hears what comes by an interface of this thread's network namespace.
pub struct Ear(OwnedFd);

impl Ear {
    pub fn new(interface: &str) -> Self {
        let mut links = getifaddrs().unwrap().filter(|link| link.interface_name == interface);
        let link = links.find_map(|link| link.address?.as_link_addr().copied()).unwrap();
        let ear = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll).unwrap();
        bind(ear.as_raw_fd(), &link).unwrap();
        Self(ear)
    }

    /// Source port and flags of each TCP segment, untagged and without options of IP, from [`super::backend::HERE`] or
    /// [`super::backend::HERE6`] so far.
    pub fn segments(&mut self) -> Vec<(u16, u8)> {
        let mut frame = [0; 2_048];
        let mut all = Vec::new();
        loop {
            match recv(self.0.as_raw_fd(), &mut frame, MsgFlags::MSG_DONTWAIT) {
                Ok(len) => all.extend(segment(&frame[..len])),
                Err(Errno::EAGAIN) => return all,
                Err(errno) => panic!("{errno}"),
            }
        }
    }
}

fn segment(frame: &[u8]) -> Option<(u16, u8)> {
    let here6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let is_v4 = frame.get(12..14)? == [0x08, 0x00] && frame.get(23) == Some(&6) && frame.get(26..30)? == [192, 0, 2, 1];
    let is_v6 = frame.get(12..14)? == [0x86, 0xdd] && frame.get(20) == Some(&6) && frame.get(22..38)? == here6;
    let tcp = if is_v4 {
        frame.get(34..)?
    } else if is_v6 {
        frame.get(54..)?
    } else {
        return None;
    };
    Some((u16::from_be_bytes([*tcp.first()?, *tcp.get(1)?]), *tcp.get(13)?))
}

/// An untagged TCP frame without options of IP and without data, with the checksum that a network stack insists on.
pub fn summed(mut frame: Vec<u8>) -> Vec<u8> {
    let (addresses, at) = if frame[12..14] == [0x08, 0x00] { (26..34, 34) } else { (22..54, 54) };
    let len = u32::try_from(frame.len() - at).unwrap();
    let pairs = frame[addresses].iter().chain(&frame[at..]).copied().collect::<Vec<u8>>();
    let words = pairs.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])));
    let mut sum = words.sum::<u32>() + 6 + len;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    frame[at + 16..at + 18].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
    frame
}

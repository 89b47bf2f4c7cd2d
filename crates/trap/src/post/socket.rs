//! Sockets for datagrams: to which address one came, and an answer from the same.

use honeymesh_trap_proto::DATAGRAM_BYTES_MAX;
use nix::{
    libc,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recv, recvmsg, sendmsg, setsockopt, sockopt},
};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    os::fd::AsRawFd,
};
use tokio::io::Interest;

/// Where a datagram came to, and where its answer leaves from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) address: SocketAddr,
    /// The interface, which an answer from a link-local address needs.
    interface: u32,
    /// It came to this machine alone, and not to everybody.
    pub(crate) may_answer: bool,
}

#[cfg(test)]
impl Local {
    /// Where one datagram of a test came to.
    pub(super) fn of_tests() -> Self {
        Self { address: ([127, 0, 0, 1], 5_060).into(), interface: 0, may_answer: true }
    }
}

/// What came.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) source: SocketAddr,
    pub(crate) local: Local,
    pub(crate) bytes: Vec<u8>,
    /// How many octets more it had.
    pub(crate) cut: usize,
}

/// A socket that says to which address each datagram came; IPv6 only where IPv6 is asked for.
pub(crate) fn bound(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    } else {
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A socket with a port of its own for one who was heard, at the address where he was heard: nobody else reaches it. Its datagrams may be cut
/// into fragments on their way, as those of the server that is played.
pub(crate) fn connected(local: Local, peer: SocketAddr) -> io::Result<UdpSocket> {
    let own = match local.address.ip() {
        IpAddr::V4(own) => SocketAddr::from((own, 0)),
        IpAddr::V6(own) => SocketAddr::V6(SocketAddrV6::new(own, 0, 0, local.interface)),
    };
    let socket = Socket::new(Domain::for_address(own), Type::DGRAM, Some(Protocol::UDP))?;
    if own.is_ipv6() {
        socket.set_only_v6(true)?;
    } else {
        set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DONT)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&own.into())?;
    socket.connect(&peer.into())?;
    Ok(socket.into())
}

/// The next datagram of the one peer: its octets, and how many more it had. Nothing is lost if the waiting is given up.
pub(crate) async fn heard(socket: &tokio::net::UdpSocket) -> io::Result<(Vec<u8>, usize)> {
    let receive = || {
        let mut bytes = [0_u8; DATAGRAM_BYTES_MAX];
        let length = recv(socket.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC)?;
        Ok(kept(&bytes, length))
    };
    // An error is the other end's word that nobody is there, and wakes nobody who only reads.
    socket.async_io(Interest::READABLE | Interest::ERROR, receive).await
}

/// What is there of a datagram, and how much is not.
fn kept(bytes: &[u8; DATAGRAM_BYTES_MAX], length: usize) -> (Vec<u8>, usize) {
    (bytes[..length.min(DATAGRAM_BYTES_MAX)].to_vec(), length.saturating_sub(DATAGRAM_BYTES_MAX))
}

/// The next datagram. Nothing is lost if the waiting is given up.
pub(crate) async fn arrival(socket: &tokio::net::UdpSocket, bound: SocketAddr) -> io::Result<Arrived> {
    socket.async_io(Interest::READABLE, || receive(socket, bound)).await
}

fn receive(socket: &tokio::net::UdpSocket, bound: SocketAddr) -> io::Result<Arrived> {
    let mut bytes = [0_u8; DATAGRAM_BYTES_MAX];
    // An IPv6 address and an interface need the most room.
    let mut control = nix::cmsg_space!(libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    // With the second flag the kernel tells how long it was.
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
    let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, "a datagram from nowhere");
    let source = received.address.as_ref().and_then(address).ok_or_else(unknown)?;
    let local = received.cmsgs()?.find_map(|message| local(&message, bound.port())).ok_or_else(unknown)?;
    let length = received.bytes;
    let (bytes, cut) = kept(&bytes, length);
    Ok(Arrived { source, local, bytes, cut })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

fn local(message: &ControlMessageOwned, port: u16) -> Option<Local> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            let [own, dest] = [info.ipi_spec_dst, info.ipi_addr].map(|address| Ipv4Addr::from(u32::from_be(address.s_addr)));
            // Whatever was sent to everybody would be answered by everybody.
            Some(Local { address: SocketAddr::from((dest, port)), interface: 0, may_answer: own == dest && !dest.is_multicast() })
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let dest = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            let interface = if dest.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
            Some(Local { address: SocketAddr::from((dest, port)), interface, may_answer: !dest.is_multicast() })
        }
        _ => None,
    }
}

/// Sends an answer from the address that was asked, now or never.
pub(crate) fn answer(socket: &tokio::net::UdpSocket, local: Local, dest: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let none = libc::in_addr { s_addr: 0 };
    let (v4, v6);
    let control = match local.address.ip() {
        IpAddr::V4(own) => {
            let own = libc::in_addr { s_addr: u32::from(own).to_be() };
            v4 = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: own, ipi_addr: none };
            ControlMessage::Ipv4PacketInfo(&v4)
        }
        IpAddr::V6(own) => {
            let own = libc::in6_addr { s6_addr: own.octets() };
            v6 = libc::in6_pktinfo { ipi6_addr: own, ipi6_ifindex: local.interface };
            ControlMessage::Ipv6PacketInfo(&v6)
        }
    };
    let dest = SockaddrStorage::from(dest);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg(socket.as_raw_fd(), &[IoSlice::new(bytes)], &[control], flags, Some(&dest))?;
    Ok(())
}

//! Real sockets in the stages that a script of packets asks for.

use super::ip;
use honeymesh_xdp_program::testing::{Connection, HERE4, HERE6, Stage};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket,
    sockopt::{ReuseAddr, ReusePort},
};
use std::{
    any::Any,
    io::Read,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
    process::Command,
};

/// Makes all of them within this network namespace, where both ends are our own, and keeps them.
pub fn make(all: &[Connection]) -> Vec<Box<dyn Any + Send>> {
    for here in [HERE4, HERE6] {
        address(here);
    }
    all.iter().map(one).collect()
}

fn address(addr: &str) {
    let defended = if addr.contains(':') { " nodad" } else { "" };
    ip(&format!("addr replace {addr} dev lo{defended}"));
}

fn one(connection: &Connection) -> Box<dyn Any + Send> {
    let peer: IpAddr = connection.peer.parse().unwrap();
    let here: IpAddr = if peer.is_ipv4() { HERE4 } else { HERE6 }.parse().unwrap();
    let (peer, here) = (SocketAddr::new(peer, connection.peer_port), SocketAddr::new(here, connection.port));
    match connection.stage {
        Stage::Established => Box::new(established(here, peer)),
        Stage::Closed => {
            closed(here, peer);
            Box::new(())
        }
        Stage::Opening => Box::new(opening(here, peer)),
        Stage::Datagrams => {
            ip(&format!("route replace {} dev lo", peer.ip()));
            let socket = datagrams(here);
            socket.connect(peer).unwrap();
            Box::new(socket)
        }
    }
}

/// The peer's own end is an address of this namespace too.
fn established(here: SocketAddr, peer: SocketAddr) -> (TcpStream, TcpStream) {
    address(&peer.ip().to_string());
    let listener = listener(here);
    let near = bound(peer);
    connect(near.as_raw_fd(), &SockaddrStorage::from(here)).unwrap();
    (TcpStream::from(near), listener.accept().unwrap().0)
}

/// Whoever closes first remembers the connection for a while.
fn closed(here: SocketAddr, peer: SocketAddr) {
    let (mut theirs, ours) = established(here, peer);
    drop(ours);
    assert_eq!(theirs.read(&mut [0; 8]).unwrap(), 0);
}

/// The peer must not answer: its address is nobody's, on a link that leads nowhere.
fn opening(here: SocketAddr, peer: SocketAddr) -> OwnedFd {
    let add = "link add silent type veth peer name unheard";
    let _there_already = Command::new("ip").args(add.split(' ')).output().unwrap();
    ip("link set silent arp off up");
    ip("link set unheard arp off up");
    ip(&format!("route replace {} dev silent", peer.ip()));
    let opening = bound(here);
    nix::fcntl::fcntl(&opening, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    let _in_progress = connect(opening.as_raw_fd(), &SockaddrStorage::from(peer));
    opening
}

fn listener(at: SocketAddr) -> TcpListener {
    let socket = bound(at);
    nix::sys::socket::listen(&socket, nix::sys::socket::Backlog::new(8).unwrap()).unwrap();
    TcpListener::from(socket)
}

/// For datagrams; others may be bound to the same port.
pub fn datagrams(at: SocketAddr) -> UdpSocket {
    let socket = reusable(at, SockType::Datagram);
    bind(socket.as_raw_fd(), &SockaddrStorage::from(at)).unwrap();
    UdpSocket::from(socket)
}

fn reusable(at: SocketAddr, kind: SockType) -> OwnedFd {
    let family = if at.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&socket, ReuseAddr, &true).unwrap();
    socket
}

fn bound(at: SocketAddr) -> OwnedFd {
    let socket = reusable(at, SockType::Stream);
    setsockopt(&socket, ReusePort, &true).unwrap();
    bind(socket.as_raw_fd(), &SockaddrStorage::from(at)).unwrap();
    socket
}

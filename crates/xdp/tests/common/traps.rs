//! The trap's two listeners, and whoever comes to them.

use super::{PATIENCE, wait};
use honeymesh_xdp::Kernel;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{Backlog, listen},
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
};

/// The state of a listening socket, as the kernel lists it.
const LISTEN: &str = "0A";

/// Where no stranger reaches them but through the program, with room for a whole sweep.
pub fn traps() -> [TcpListener; 2] {
    ["127.0.0.1:0", "[::1]:0"].map(|address| {
        let trap = TcpListener::bind(address).unwrap();
        listen(&trap, Backlog::new(4_096).unwrap()).unwrap();
        trap
    })
}

/// Dark ports are given to them.
pub fn arm(kernel: &mut Kernel, traps: &[TcpListener; 2]) {
    kernel.arm(Some(traps[0].as_fd()), Some(traps[1].as_fd())).unwrap();
}

/// Closes them, as the end of their process does. A test beside this one may be starting a program, and has a copy of every
/// descriptor until it has become one: so this waits until the kernel knows them no more.
pub fn close(listeners: impl IntoIterator<Item = TcpListener>) {
    for listener in listeners {
        let port = format!(":{:04X}", listener.local_addr().unwrap().port());
        drop(listener);
        let is_there = || {
            let sockets = ["tcp", "tcp6"].map(|name| std::fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap());
            sockets.iter().flat_map(|table| table.lines()).any(|line| {
                let fields: Vec<_> = line.split_whitespace().collect();
                fields[1].ends_with(&port) && fields[3] == LISTEN
            })
        };
        assert!(wait(|| !is_there()), "{port} stays");
    }
}

/// Who comes next, and from where. Whoever does not come at all must not hold the others up.
pub fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let patience = PollTimeout::try_from(PATIENCE).unwrap();
    let comes = poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], patience).unwrap();
    assert_eq!(comes, 1, "nobody comes to {}", listener.local_addr().unwrap());
    listener.accept().unwrap()
}

/// Does nobody wait to be let in?
pub fn is_idle(listener: &TcpListener) -> bool {
    poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 0
}

/// Both ways, and the end.
pub fn talk(mut client: TcpStream, mut server: TcpStream) {
    let mut heard = [0; 5];
    client.write_all(b"hello").unwrap();
    server.read_exact(&mut heard).unwrap();
    server.write_all(&heard).unwrap();
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    drop(server);
    assert_eq!(client.read(&mut heard).unwrap(), 0);
}

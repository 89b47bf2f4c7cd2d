//! What no server can go below: one thread that answers the visitors what they wait for, knows nothing and keeps nothing.

use super::visit::Protocol;
use anyhow::Result;
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
};
use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

/// Events taken at once.
const EVENTS: usize = 256;
/// The most of a request that is read at once.
const REQUEST_BYTES_MAX: usize = 4_096;

/// What is answered: first of all, and to each thing that is said. After the last answer the connection is closed.
const fn answers(protocol: Protocol) -> (&'static str, &'static [&'static str]) {
    match protocol {
        Protocol::Ftp => ("220 ready\r\n", &["331 And the password?\r\n", "530 Login incorrect.\r\n", "221 Goodbye.\r\n"]),
        Protocol::Telnet => ("login: ", &["Password: ", "Login incorrect\r\n"]),
        Protocol::Http => ("", &["HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]),
        // Nobody answers SSH in three lines.
        Protocol::Ssh | Protocol::OpenSsh => ("", &[]),
    }
}

struct Talk {
    stream: TcpStream,
    left: &'static [&'static str],
}

/// Serves for ever.
///
/// # Errors
/// A port is taken, or the kernel gives no event queue.
pub fn serve(at: &[(Protocol, SocketAddr)]) -> Result<()> {
    let queue = epoll::create(CreateFlags::CLOEXEC)?;
    let mut doors = Vec::new();
    for (protocol, address) in at {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        epoll::add(&queue, &listener, EventData::new_u64(doors.len() as u64), EventFlags::IN)?;
        doors.push((*protocol, listener));
    }
    let mut talks: HashMap<u64, Talk> = HashMap::new();
    let (mut last, mut events): (_, Vec<Event>) = (doors.len() as u64, Vec::with_capacity(EVENTS));
    loop {
        epoll::wait(&queue, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let number = event.data.u64();
            let door = usize::try_from(number).ok().and_then(|number| doors.get(number));
            if let Some((protocol, listener)) = door {
                while let Ok((mut stream, _)) = listener.accept() {
                    let (greeting, left) = answers(*protocol);
                    last += 1;
                    let is_there = stream.set_nonblocking(true).is_ok()
                        && stream.set_nodelay(true).is_ok()
                        && (greeting.is_empty() || stream.write_all(greeting.as_bytes()).is_ok());
                    if is_there && epoll::add(&queue, &stream, EventData::new_u64(last), EventFlags::IN).is_ok() {
                        talks.insert(last, Talk { stream, left });
                    }
                }
            } else if talks.get_mut(&number).is_some_and(|talk| !talk.goes_on()) {
                // The queue forgets what is closed.
                talks.remove(&number);
            }
        }
    }
}

impl Talk {
    fn goes_on(&mut self) -> bool {
        match self.stream.read(&mut [0; REQUEST_BYTES_MAX]) {
            Ok(0) => false,
            Ok(_) => {
                let Some((answer, left)) = self.left.split_first() else { return false };
                self.left = left;
                self.stream.write_all(answer.as_bytes()).is_ok() && !left.is_empty()
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

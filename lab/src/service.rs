//! A real service on a node: a small web server that real clients use, and a client that measures it.

use crate::topology::Host;
use anyhow::{Context, Result, bail};
use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// What it serves.
const PAGE: &str = "an ordinary page\n";
/// How long a client may take to say what it wants.
const CLIENT_TIME_MAX: Duration = Duration::from_secs(5);
/// The most bytes of an answer that a client takes.
const ANSWER_BYTES_MAX: u64 = 1 << 16;

/// A running web server; ends when dropped.
#[derive(Debug)]
pub struct Service {
    closing: Arc<AtomicBool>,
}

impl Service {
    /// Serves `port` on every address of `host`, IPv4 and IPv6.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start(host: &Host, port: u16) -> Result<Self> {
        let listener = host.namespace.inside(|| {
            TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).with_context(|| format!("failed to listen on port {port}"))
        })?;
        listener.set_nonblocking(true)?;
        let closing = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closing);
        thread::spawn(move || accept(&listener, &seen));
        Ok(Self { closing })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

fn accept(listener: &TcpListener, closing: &AtomicBool) {
    while !closing.load(Ordering::Relaxed) {
        match listener.accept() {
            // One thread each: a client that is cut off in the middle must not hold up the others.
            Ok((client, _)) => drop(thread::spawn(move || serve(client))),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn serve(client: TcpStream) {
    let served = || -> std::io::Result<()> {
        client.set_nonblocking(false)?;
        client.set_read_timeout(Some(CLIENT_TIME_MAX))?;
        let mut lines = BufReader::new(&client);
        let mut line = String::new();
        while lines.read_line(&mut line)? > 2 {
            line.clear();
        }
        let length = PAGE.len();
        write!(&client, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{PAGE}")
    };
    // A client that goes away has what it wanted.
    let _ = served();
}

/// Fetches the page. To be called inside the client's namespace.
///
/// # Errors
/// If connecting or the answer takes longer than `time_max`, or the answer is not the page.
pub fn fetch(from: SocketAddr, time_max: Duration) -> Result<()> {
    let mut server = TcpStream::connect_timeout(&from, time_max).with_context(|| format!("failed to connect to {from}"))?;
    server.set_read_timeout(Some(time_max))?;
    server.write_all(b"GET / HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    server.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).with_context(|| format!("failed to read from {from}"))?;
    if !answer.starts_with("HTTP/1.1 200 ") || !answer.ends_with(PAGE) {
        bail!("{from} answered something else: {answer:?}");
    }
    Ok(())
}

/// What becomes of a connection from `host` over which nothing is said.
///
/// # Errors
/// If the host cannot be entered; a connection that fails is an answer.
pub fn connect(host: &Host, at: SocketAddr, time_max: Duration) -> Result<std::result::Result<(), ErrorKind>> {
    host.namespace.inside(|| Ok(TcpStream::connect_timeout(&at, time_max).map(drop).map_err(|error| error.kind())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_served_and_silence_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let closing = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closing);
        let server = thread::spawn(move || accept(&listener, &seen));
        fetch(at, CLIENT_TIME_MAX).unwrap();
        closing.store(true, Ordering::Relaxed);
        server.join().unwrap();
        assert!(fetch(at, Duration::from_millis(200)).is_err());
    }
}

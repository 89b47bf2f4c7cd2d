//! One cluster's socket.

use crate::{Counters, counters::count};
use honeymesh_types::ClusterName;
use nix::sys::socket::{setsockopt, sockopt::RcvBuf};
use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    sync::mpsc::{self, error::TrySendError},
};

/// What is asked of the kernel for datagrams that wait, in bytes; it gives what its own limit allows.
const KERNEL_BUFFER_BYTES: usize = 4 << 20;
/// How long the port rests after a receive that failed, so that a lasting failure does not keep a core busy.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// What a port must be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whose datagrams it carries: for errors and logs.
    pub cluster: ClusterName,
    /// Where it listens. Port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// The longest datagram; a longer one is dropped and counted.
    pub datagram_bytes_max: usize,
    /// How many datagrams may wait to be taken; more are dropped and counted. At least one.
    pub queue_max: usize,
}

/// Why a port could not be opened. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be had.
    #[error("failed to open the mesh port of cluster `{cluster}` on {listen}: {source}; {}", mend(.source, .listen))]
    Bind {
        /// The cluster.
        cluster: ClusterName,
        /// The address.
        listen: SocketAddr,
        /// What the kernel says.
        source: io::Error,
    },
}

/// What an operator can do about it.
fn mend(error: &io::Error, listen: &SocketAddr) -> String {
    let port = listen.port();
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!("`ss -ulpn 'sport = :{port}'` shows who has it: stop that, or choose another `listen` for this cluster")
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address: `ip address` shows those it has".into(),
        ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose another `listen` for this cluster".into(),
        _ => "check `listen` of this cluster".into(),
    }
}

/// A datagram that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where it came from; IPv4 is never written as IPv6.
    pub from: SocketAddr,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// One cluster's socket, bound but not yet read.
#[derive(Debug)]
pub struct Port {
    socket: std::net::UdpSocket,
    local: SocketAddr,
    options: Options,
}

impl Port {
    /// Binds the socket. Needs no runtime, so that it can be done before privileges are given up.
    ///
    /// # Errors
    /// The address cannot be had: the error names cluster, address and mend.
    pub fn bind(options: Options) -> Result<Self, Error> {
        match bound(options.listen) {
            Ok((socket, local)) => Ok(Self { socket, local, options }),
            Err(source) => Err(Error::Bind { cluster: options.cluster, listen: options.listen, source }),
        }
    }

    /// Where it listens, with the port that the kernel chose if it was to choose.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Begins to read, in a task of its own that ends when the receiver is dropped. Must be called inside a runtime.
    ///
    /// # Errors
    /// No descriptor is left, or the runtime cannot watch the socket.
    pub fn open(self) -> io::Result<(Sender, mpsc::Receiver<Datagram>)> {
        // Sent through a descriptor of its own: the runtime's idea of when a socket can be written comes late.
        let sending = Arc::new(self.socket.try_clone()?);
        let socket = UdpSocket::from_std(self.socket)?;
        let counters = Arc::new(Counters::default());
        let (queue, datagrams) = mpsc::channel(self.options.queue_max.max(1));
        let sender = Sender { socket: sending, is_v6: self.local.is_ipv6(), counters: counters.clone() };
        tokio::spawn(receive(socket, queue, self.options, counters));
        Ok((sender, datagrams))
    }
}

fn bound(listen: SocketAddr) -> io::Result<(std::net::UdpSocket, SocketAddr)> {
    let socket = std::net::UdpSocket::bind(listen)?;
    socket.set_nonblocking(true)?;
    // Less than was asked for means more loss in a burst, which repair makes good.
    if let Err(error) = setsockopt(&socket, RcvBuf, &KERNEL_BUFFER_BYTES) {
        tracing::debug!(%listen, %error, "the kernel keeps its default receive buffer");
    }
    let local = socket.local_addr()?;
    Ok((socket, local))
}

/// Reads until nobody takes what is read.
async fn receive(socket: UdpSocket, queue: mpsc::Sender<Datagram>, options: Options, counters: Arc<Counters>) {
    // One byte more than allowed shows that a datagram was longer.
    let mut buffer = vec![0; options.datagram_bytes_max + 1];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = queue.closed() => return,
        };
        match received {
            Ok((len, _)) if len > options.datagram_bytes_max => count(&counters.oversized),
            Ok((len, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                match queue.try_send(Datagram { from, bytes: buffer[..len].to_vec() }) {
                    Ok(()) => count(&counters.received),
                    Err(TrySendError::Full(_)) => count(&counters.queue_full),
                    Err(TrySendError::Closed(_)) => return,
                }
            }
            Err(error) => {
                count(&counters.receive_failed);
                tracing::debug!(cluster = %options.cluster, %error, "a receive failed");
                tokio::time::sleep(REST_AFTER_FAILURE).await;
            }
        }
    }
}

/// Sends datagrams. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    socket: Arc<std::net::UdpSocket>,
    is_v6: bool,
    counters: Arc<Counters>,
}

impl Sender {
    /// Sends a datagram now or never: what the kernel does not take at once is dropped and counted.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        match self.socket.send_to(bytes, self.reachable(to)) {
            Ok(_) => count(&self.counters.sent),
            Err(error) if error.kind() == ErrorKind::WouldBlock => count(&self.counters.would_block),
            Err(error) => {
                count(&self.counters.send_failed);
                tracing::trace!(%to, %error, "a datagram was not sent");
            }
        }
    }

    /// What was carried and dropped so far.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// An IPv6 socket reaches IPv4 by its mapped address.
    fn reachable(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(v4) if self.is_v6 => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
            _ => to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(listen: &str) -> Options {
        Options {
            cluster: "primary_mesh".parse().unwrap(),
            listen: listen.parse().unwrap(),
            datagram_bytes_max: 1_400,
            queue_max: 2,
        }
    }

    fn port(listen: &str) -> Port {
        Port::bind(options(listen)).unwrap()
    }

    #[tokio::test]
    async fn a_datagram_arrives_and_one_comes_back() {
        let (one, other) = (port("127.0.0.1:0"), port("127.0.0.1:0"));
        let (here, there) = (one.local(), other.local());
        let ((from_one, mut to_one), (from_other, mut to_other)) = (one.open().unwrap(), other.open().unwrap());
        from_one.send(there, b"hello");
        assert_eq!(to_other.recv().await.unwrap(), Datagram { from: here, bytes: b"hello".to_vec() });
        from_other.send(here, b"");
        assert_eq!(to_one.recv().await.unwrap(), Datagram { from: there, bytes: Vec::new() });
        assert_eq!((from_one.counters().read().sent, from_one.counters().read().received), (1, 1));
    }

    #[tokio::test]
    async fn a_socket_for_both_families_reaches_both_and_tells_them_apart() {
        let (both, four) = (port("[::]:0"), port("127.0.0.1:0"));
        let (both_port, four_addr) = (both.local().port(), four.local());
        let ((from_both, mut to_both), (from_four, mut to_four)) = (both.open().unwrap(), four.open().unwrap());
        from_four.send(SocketAddr::from(([127, 0, 0, 1], both_port)), b"four");
        assert_eq!(to_both.recv().await.unwrap().from, four_addr, "not ::ffff:127.0.0.1");
        from_both.send(four_addr, b"both");
        assert_eq!(to_four.recv().await.unwrap().from.port(), both_port);
    }

    #[tokio::test]
    async fn what_is_too_long_or_too_much_is_dropped_and_counted() {
        let (one, other) = (port("127.0.0.1:0"), port("127.0.0.1:0"));
        let there = other.local();
        let ((from_one, _to_one), (from_other, mut to_other)) = (one.open().unwrap(), other.open().unwrap());
        from_one.send(there, &[0; 1_401]);
        for n in 0..10_u8 {
            from_one.send(there, &[n; 1_400]);
        }
        let counters = from_other.counters();
        let seen = |traffic: crate::Traffic| traffic.oversized + traffic.received + traffic.queue_full;
        while seen(counters.read()) < 11 {
            tokio::task::yield_now().await;
        }
        let traffic = counters.read();
        assert_eq!((traffic.oversized, traffic.received, traffic.queue_full), (1, 2, 8));
        assert_eq!((to_other.recv().await.unwrap().bytes[0], to_other.recv().await.unwrap().bytes[0]), (0, 1));
    }

    #[tokio::test]
    async fn what_the_kernel_refuses_is_counted() {
        let (sender, _datagrams) = port("127.0.0.1:0").open().unwrap();
        sender.send("[2001:db8::1]:1".parse().unwrap(), b"a socket for IPv4 cannot send this");
        assert_eq!(sender.counters().read().send_failed, 1);
    }

    #[tokio::test]
    async fn the_port_is_free_again_when_nobody_listens_any_more() {
        let first = port("127.0.0.1:0");
        let listen = first.local().to_string();
        drop(first.open().unwrap());
        while Port::bind(options(&listen)).is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn an_address_that_cannot_be_had_names_the_mend() {
        let taken = port("127.0.0.1:0");
        let listen = taken.local().to_string();
        for (listen, mend) in [(listen.as_str(), "ss -ulpn"), ("192.0.2.77:0", "no such address")] {
            let error = Port::bind(options(listen)).unwrap_err().to_string();
            let start = format!("failed to open the mesh port of cluster `primary_mesh` on {listen}: ");
            assert!(error.starts_with(&start) && error.contains(mend), "{error}");
        }
    }
}

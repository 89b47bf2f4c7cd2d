//! A way to a server, on which something is said and heard: a connection, or datagrams.

use super::wire::{Layer, Wire};
use honeymesh_types::Transport;
use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU16, Ordering},
};
use tokio::net::{TcpStream, UdpSocket};

/// The most that is heard at once, in bytes: more than any datagram has.
const CHUNK_BYTES: usize = 64 * 1_024;

/// A way to a server.
pub enum Line {
    Connection(Box<Wire>),
    /// Each thing said is one datagram. Whoever answers is spoken to from then on: TFTP goes on at another port.
    Datagrams(UdpSocket, SocketAddr, Moved),
}

/// Whether what was heard last came from elsewhere than what was said last went to.
type Moved = bool;

impl Line {
    pub async fn open(over: Transport, address: SocketAddr) -> io::Result<Self> {
        match over {
            Transport::Tcp => Ok(Self::Connection(Box::new(Wire::clear(TcpStream::connect(address).await?)))),
            Transport::Udp => Ok(Self::Datagrams(UdpSocket::bind(SocketAddr::from((somebody(), 0))).await?, address, false)),
        }
    }

    /// Does a server speak first here?
    pub const fn can_be_greeted(&self) -> bool {
        matches!(self, Self::Connection(_))
    }

    /// Did the answer come from another port than the one that was asked?
    pub const fn has_moved(&self) -> bool {
        matches!(self, Self::Datagrams(_, _, true))
    }

    /// Lays something over a connection.
    pub async fn lay(&mut self, layer: &Layer) {
        if let Self::Connection(wire) = self {
            wire.lay(layer).await;
        }
    }

    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Connection(wire) => wire.write(bytes).await,
            Self::Datagrams(socket, to, moved) => {
                *moved = false;
                socket.send_to(bytes, *to).await.map(drop)
            }
        }
    }

    /// What comes next: nothing at the end of a connection.
    pub async fn hear(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Connection(wire) => Ok(wire.read().await.unwrap_or_default()),
            Self::Datagrams(socket, to, moved) => {
                let mut chunk = vec![0; CHUNK_BYTES];
                let (length, from) = socket.recv_from(&mut chunk).await?;
                *moved |= from != *to;
                *to = from;
                chunk.truncate(length);
                Ok(chunk)
            }
        }
    }
}

/// Another sender of datagrams each time, in a network of its own: what servers allow to one is not used up by another's questions.
fn somebody() -> [u8; 4] {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    [127, 77 + high % 128, low, 1]
}

//! Datagrams of all clusters on their way to the one loop, each with its cluster and the time it was taken.

use honeymesh_mesh::Port;
use honeymesh_types::{MonoTime, Now};
use std::{io, net::SocketAddr};
use tokio::sync::mpsc;

pub use honeymesh_mesh::Sender;

/// Datagrams of all clusters that may wait for the loop; beyond it each cluster's own queue fills, then the kernel's.
pub const DATAGRAMS_MAX: usize = 1_024;
/// Datagrams of one cluster that may wait before that; further ones are dropped and counted.
pub const QUEUE_MAX: usize = 4_096;

/// A datagram that arrived.
#[derive(Debug)]
pub struct Datagram {
    /// The place of the cluster in the configuration.
    pub cluster: usize,
    /// Where it came from.
    pub from: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it was taken.
    pub at: MonoTime,
}

/// Opens all ports on the current runtime: their sending ends in the same order, and one queue of what arrives.
///
/// # Errors
/// No descriptor is left.
pub fn open(ports: Vec<Port>, clock: fn() -> Now) -> io::Result<(Vec<Sender>, mpsc::Receiver<Datagram>)> {
    let (joint, datagrams) = mpsc::channel(DATAGRAMS_MAX);
    let open = |(cluster, port): (usize, Port)| {
        let (sender, arriving) = port.open()?;
        tokio::spawn(forward(cluster, arriving, joint.clone(), clock));
        Ok(sender)
    };
    let senders = ports.into_iter().enumerate().map(open).collect::<io::Result<_>>()?;
    Ok((senders, datagrams))
}

/// Ends when either side is gone.
async fn forward(
    cluster: usize,
    mut arriving: mpsc::Receiver<honeymesh_mesh::Datagram>,
    joint: mpsc::Sender<Datagram>,
    clock: fn() -> Now,
) {
    while let Some(honeymesh_mesh::Datagram { from, bytes }) = arriving.recv().await {
        if joint.send(Datagram { cluster, from, bytes, at: clock().mono }).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_mesh::Options;

    fn clock() -> Now {
        Now { mono: MonoTime(7), ..Now::default() }
    }

    fn port(cluster: &str) -> Port {
        let listen = "127.0.0.1:0".parse().unwrap();
        Port::bind(Options { cluster: cluster.parse().unwrap(), listen, datagram_bytes_max: 1_400, queue_max: 4 }).unwrap()
    }

    #[tokio::test]
    async fn datagrams_of_all_clusters_arrive_in_one_queue_with_their_cluster_and_time() {
        let ports = vec![port("a"), port("b")];
        let addrs: Vec<SocketAddr> = ports.iter().map(Port::local).collect();
        let (senders, mut datagrams) = open(ports, clock).unwrap();
        senders[0].send(addrs[1], b"to b");
        let datagram = datagrams.recv().await.unwrap();
        let expected = (1, addrs[0], &b"to b"[..], MonoTime(7));
        assert_eq!((datagram.cluster, datagram.from, &datagram.bytes[..], datagram.at), expected);
        senders[1].send(addrs[0], b"to a");
        assert_eq!(datagrams.recv().await.unwrap().cluster, 0);
    }
}

//! Datagrams and streams of all clusters on their way to the one loop, each with its cluster and the time it was taken.

use honeymesh_mesh::{Event, Identity, Port, StreamDoor, StreamOptions, Streams};
use honeymesh_mesh_proto::{
    Role, STREAM_FRAME_BYTES_MAX, STREAM_PROOF_BYTES, STREAMS_MAX, StreamEvent, StreamId, StreamOrder, StreamSigner,
};
use honeymesh_types::{MonoTime, NodeId, Now};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{runtime::Handle, sync::mpsc};

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

/// Events of the streams of all clusters that may wait for the loop; beyond it nothing is read from any stream.
pub const STREAM_EVENTS_MAX: usize = 4;

/// One cluster's door for streams, and who opens it.
#[derive(Debug)]
pub struct Door {
    /// The cluster's name.
    pub cluster: String,
    /// Where it is met.
    pub door: StreamDoor,
    /// Signs handshakes.
    pub signer: StreamSigner,
}

/// What a stream did.
#[derive(Debug)]
pub struct StreamNews {
    /// The place of the cluster in the configuration.
    pub cluster: usize,
    /// What.
    pub event: StreamEvent,
}

#[derive(Debug)]
struct Signs(StreamSigner);

impl Identity for Signs {
    fn node(&self) -> NodeId {
        self.0.identity()
    }

    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.0.sign(message)
    }
}

/// Opens all doors: the work is done on `runtime`, what happens comes in one queue.
///
/// # Errors
/// No descriptor is left.
pub fn open_doors(doors: Vec<Door>, runtime: &Handle) -> io::Result<(Vec<Streams>, mpsc::Receiver<StreamNews>)> {
    let (joint, news) = mpsc::channel(STREAM_EVENTS_MAX);
    let open = |(cluster, door): (usize, Door)| {
        let options = StreamOptions {
            cluster: door.cluster,
            identity: Arc::new(Signs(door.signer)),
            frame_bytes_max: STREAM_FRAME_BYTES_MAX,
            proof_bytes_max: STREAM_PROOF_BYTES,
            streams_max: STREAMS_MAX,
        };
        let (streams, arriving) = door.door.open(options, runtime)?;
        runtime.spawn(forward_events(cluster, arriving, joint.clone()));
        Ok(streams)
    };
    let streams = doors.into_iter().enumerate().map(open).collect::<io::Result<_>>()?;
    Ok((streams, news))
}

async fn forward_events(cluster: usize, mut arriving: mpsc::Receiver<Event>, joint: mpsc::Sender<StreamNews>) {
    while let Some(event) = arriving.recv().await {
        if joint.send(StreamNews { cluster, event: heard(event) }).await.is_err() {
            return;
        }
    }
}

/// The carrier's words in the mesh's.
fn heard(event: Event) -> StreamEvent {
    match event {
        Event::Opened { stream, peer, addr, dialled, binding } => {
            let role = if dialled { Role::Dialer } else { Role::Listener };
            StreamEvent::Opened { stream: StreamId(stream), peer, addr, role, binding }
        }
        Event::Failed { to } => StreamEvent::Failed { to },
        Event::Frame { stream, frame } => StreamEvent::Frame { stream: StreamId(stream), frame },
        Event::Closed { stream } => StreamEvent::Closed(StreamId(stream)),
    }
}

/// Does what the mesh wants done with a stream.
pub fn obey(streams: &Streams, order: StreamOrder) {
    match order {
        StreamOrder::Dial { to, expect } => streams.dial(to, expect),
        StreamOrder::Send { stream, frame } => streams.send(stream.0, frame),
        StreamOrder::Offer { stream, frame } => streams.offer(stream.0, frame),
        StreamOrder::Admit(stream) => streams.admit(stream.0),
        StreamOrder::Close(stream) => streams.close(stream.0),
    }
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
mod bulk;

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

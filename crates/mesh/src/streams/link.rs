//! One stream: frames in, frames out, each behind its length in four bytes.

use super::{
    CLOSE_DEADLINE, Event, FRAME_DEADLINE, IDLE_DEADLINE, OUTGOING_BYTES_MAX, OUTGOING_PAUSE_BYTES, PROOF_DEADLINE, Shared,
    gate::Pass,
};
use crate::counters::count;
use honeymesh_types::NodeId;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::{Notify, mpsc},
    time::{Duration, timeout},
};
use tokio_rustls::TlsStream;

/// Who is at the other end.
pub(super) struct Known {
    pub(super) peer: NodeId,
    pub(super) addr: SocketAddr,
    pub(super) dialled: bool,
    pub(super) binding: [u8; 32],
}

/// What waits to leave, in bytes.
#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    less: Notify,
}

/// How a stream is reached. Dropped, the stream ends.
pub(super) struct Handle {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    backlog: Arc<Backlog>,
    admitted: Arc<Notify>,
    dropped: Arc<Notify>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.dropped.notify_one();
    }
}

impl Handle {
    /// Takes a frame, unless too much waits already: the queue is bounded by bytes.
    pub(super) fn push(&self, frame: Vec<u8>) -> bool {
        let len = frame.len();
        let has_room = self.backlog.bytes.fetch_add(len, SeqCst) + len <= OUTGOING_BYTES_MAX;
        has_room && self.frames.send(frame).is_ok()
    }

    /// Does little wait to leave?
    pub(super) fn has_room(&self) -> bool {
        self.backlog.bytes.load(SeqCst) <= OUTGOING_PAUSE_BYTES
    }

    pub(super) fn admit(&self) {
        self.admitted.notify_one();
    }
}

/// Why a stream ends.
enum End {
    Over,
    Late,
    Oversized,
    NotAdmitted,
}

/// Carries frames until either side has had enough.
pub(super) async fn run(shared: Arc<Shared>, io: TlsStream<TcpStream>, known: Known, pass: Option<Pass>) {
    let Some(_seat) = shared.gate.seat(known.peer) else {
        count(&shared.counters.refused);
        if known.dialled {
            let _ = shared.events.send(Event::Failed { to: known.addr }).await;
        }
        return;
    };
    let stream = shared.next.fetch_add(1, SeqCst);
    let (frames, outgoing) = mpsc::unbounded_channel();
    let (backlog, admitted, dropped) = (Arc::new(Backlog::default()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    shared
        .links()
        .insert(stream, Handle { frames, backlog: backlog.clone(), admitted: admitted.clone(), dropped: dropped.clone() });
    count(&shared.counters.opened);
    let Known { peer, addr, dialled, binding } = known;
    let opened = Event::Opened { stream, peer, addr, dialled, binding };
    if shared.events.send(opened).await.is_ok() {
        let (reading, writing) = tokio::io::split(io);
        let ended = tokio::select! {
            ended = read(&shared, stream, reading, &backlog, &admitted, pass) => ended,
            ended = write(writing, outgoing, &backlog) => ended,
            () = closed(&dropped) => Ok(End::Over),
            () = shared.events.closed() => Ok(End::Over),
        };
        match ended {
            Ok(End::Over) => {}
            Ok(End::Late) => count(&shared.counters.late),
            Ok(End::Oversized) => count(&shared.counters.oversized),
            Ok(End::NotAdmitted) => count(&shared.counters.not_admitted),
            Err(error) => tracing::debug!(cluster = %shared.options.cluster, %addr, %error, "a stream broke"),
        }
    }
    shared.links().remove(&stream);
    let _ = shared.events.send(Event::Closed { stream }).await;
}

/// A stream that was ended from this side still has a moment for what waits to leave.
async fn closed(dropped: &Notify) {
    dropped.notified().await;
    tokio::time::sleep(CLOSE_DEADLINE).await;
}

async fn read(
    shared: &Shared,
    stream: u64,
    mut io: ReadHalf<TlsStream<TcpStream>>,
    backlog: &Backlog,
    admitted: &Notify,
    pass: Option<Pass>,
) -> io::Result<End> {
    match proof(shared, stream, &mut io, admitted).await {
        Ok(None) => {}
        Ok(Some(end)) => return Ok(end),
        Err(error) => return Err(error),
    }
    drop(pass);
    loop {
        backlog.wait_for_room().await;
        match frame(&mut io, shared.options.frame_bytes_max, IDLE_DEADLINE).await? {
            Ok(frame) => {
                count(&shared.counters.frames_received);
                if shared.events.send(Event::Frame { stream, frame }).await.is_err() {
                    return Ok(End::Over);
                }
            }
            Err(end) => return Ok(end),
        }
    }
}

/// The one small frame that is read of a stranger; then it waits to be admitted.
async fn proof(
    shared: &Shared,
    stream: u64,
    io: &mut ReadHalf<TlsStream<TcpStream>>,
    admitted: &Notify,
) -> io::Result<Option<End>> {
    let proven = async {
        match frame(io, shared.options.proof_bytes_max, PROOF_DEADLINE).await? {
            Ok(frame) => {
                if shared.events.send(Event::Frame { stream, frame }).await.is_err() {
                    return Ok(Some(End::Over));
                }
                admitted.notified().await;
                Ok(None)
            }
            Err(end) => Ok(Some(end)),
        }
    };
    timeout(PROOF_DEADLINE, proven).await.unwrap_or(Ok(Some(End::NotAdmitted)))
}

/// One frame. Nothing is allocated for one that is too long.
async fn frame(
    io: &mut ReadHalf<TlsStream<TcpStream>>,
    bytes_max: usize,
    patience: Duration,
) -> io::Result<Result<Vec<u8>, End>> {
    let mut len = [0; 4];
    match timeout(patience, io.read_exact(&mut len)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Err(End::Over)),
        Ok(Err(error)) => return Err(error),
        Err(_) => return Ok(Err(End::Late)),
    }
    let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
    if len > bytes_max {
        return Ok(Err(End::Oversized));
    }
    let mut frame = vec![0; len];
    match timeout(FRAME_DEADLINE, io.read_exact(&mut frame)).await {
        Ok(read) => read.map(|_| Ok(frame)),
        Err(_) => Ok(Err(End::Late)),
    }
}

async fn write(
    mut io: WriteHalf<TlsStream<TcpStream>>,
    mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
    backlog: &Backlog,
) -> io::Result<End> {
    while let Some(frame) = outgoing.recv().await {
        let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let written = timeout(FRAME_DEADLINE, async {
            io.write_all(&len.to_be_bytes()).await?;
            io.write_all(&frame).await?;
            io.flush().await
        });
        match written.await {
            Ok(written) => written?,
            Err(_) => return Ok(End::Late),
        }
        backlog.left(frame.len());
    }
    let _ = timeout(FRAME_DEADLINE, io.shutdown()).await;
    Ok(End::Over)
}

impl Backlog {
    fn left(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, SeqCst);
        self.less.notify_one();
    }

    /// Who does not take what it asked for is not asked what else it wants.
    async fn wait_for_room(&self) {
        while self.bytes.load(SeqCst) > OUTGOING_PAUSE_BYTES {
            self.less.notified().await;
        }
    }
}

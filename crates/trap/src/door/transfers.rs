//! Transfers on the daemon's side: an answer leaves from a port of its own, and whoever got it is heard there for a while.

use super::{Hearing, Shared};
use crate::{
    line::Inward,
    post::{Arrived, Begun, Ear, Letter, Local, connected, heard},
    status::count,
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    net::UdpSocket,
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Keeps transfers while strangers are let in.
pub(super) struct Keeping {
    pub(super) inward: Arc<Inward>,
    pub(super) stop: watch::Receiver<()>,
    /// As many as there are places.
    pub(super) open: JoinSet<()>,
}

impl Keeping {
    pub(super) fn new(inward: &Arc<Inward>, stop: &watch::Receiver<()>) -> Self {
        Self { inward: Arc::clone(inward), stop: stop.clone(), open: JoinSet::new() }
    }

    /// All end, because nobody is let in any more.
    pub(super) async fn end(mut self) {
        while self.open.join_next().await.is_some() {}
    }
}

/// One of them.
struct Transfer {
    ear: Ear,
    id: u64,
    /// Who alone is heard, and where he asked.
    source: SocketAddr,
    local: Local,
    until: watch::Receiver<Instant>,
    inward: Arc<Inward>,
    shared: Arc<Shared>,
    stop: watch::Receiver<()>,
}

impl Hearing {
    /// Answers from a new port, and listens there.
    pub(super) fn begin_transfer(&mut self, letter: &Letter, begun: Begun, said: &[u8]) -> io::Result<()> {
        let counters = &self.shared.traps[letter.ear.trap].1;
        if begun.has_displaced {
            count(&counters.transfers_limited);
        }
        let (id, opened) = (begun.id, open(letter, said));
        let (Some(keeping), Ok((socket, port))) = (self.keeping.as_mut(), &opened) else {
            self.shared.post.end_transfer(id);
            return opened.and(Err(io::ErrorKind::NotConnected.into()));
        };
        count(&counters.transfers);
        let transfer = Transfer {
            ear: Ear { socket: Arc::clone(socket), transfer: Some((id, *port)), ..letter.ear },
            id,
            source: letter.source,
            local: letter.local,
            until: begun.until,
            inward: Arc::clone(&keeping.inward),
            shared: Arc::clone(&self.shared),
            stop: keeping.stop.clone(),
        };
        // Those that are over are forgotten when others begin.
        while keeping.open.try_join_next().is_some() {}
        keeping.open.spawn(transfer.keep());
        Ok(())
    }
}

/// A socket from which the answer has left, and its port.
fn open(letter: &Letter, said: &[u8]) -> io::Result<(Arc<UdpSocket>, u16)> {
    let socket = connected(letter.local, letter.source)?;
    socket.send(said)?;
    let port = socket.local_addr()?.port();
    Ok((Arc::new(UdpSocket::from_std(socket)?), port))
}

impl Transfer {
    async fn keep(mut self) {
        loop {
            let until = *self.until.borrow_and_update();
            tokio::select! {
                arrived = heard(&self.ear.socket) => match arrived {
                    Ok((bytes, cut)) => {
                        let arrived = Arrived { source: self.source, local: self.local, bytes, cut };
                        self.shared.take_letter(arrived, &self.ear, &self.inward);
                    }
                    // The other end says that nobody is there any more.
                    Err(_) => break,
                },
                changed = self.until.changed() => if changed.is_err() { break },
                () = sleep_until(until) => break,
                _ = self.stop.changed() => break,
            }
        }
        self.shared.post.end_transfer(self.id);
    }
}

#[cfg(test)]
mod tests;

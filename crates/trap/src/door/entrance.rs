//! One door: a listening socket, who comes through it, and whom it is handed over to.

use super::{
    HAND_WAIT, Mailbox, Shared,
    vigil::{Shutter, close, open_again},
};
use crate::{
    bind::Trap,
    limits::Entry,
    line::{Inward, awaited},
    post::Ear,
    report::Stranger,
    status::count,
    wire::Admission,
};
use rustix::net::{SocketFlags, acceptfrom_with};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{
        Interest,
        unix::{AsyncFd, AsyncFdReadyGuard},
    },
    net::UdpSocket,
    sync::watch,
    task::yield_now,
    time::{sleep, timeout},
};

/// Connections that one door lets in between two turns of the others.
pub(super) const ENTRIES_PER_TURN: usize = 32;
/// How long to wait after a failed `accept`: without descriptors or memory, trying at once again only burns the CPU.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long to wait before a listener that cannot be opened again is tried once more.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// One listening socket.
pub(super) struct Door {
    listener: AsyncFd<Arc<TcpListener>>,
    address: SocketAddr,
    trap: usize,
    is_slow: bool,
    inward: Arc<Inward>,
    shared: Arc<Shared>,
    /// Of a door to dark ports: whether it is to be shut.
    shutter: Option<Shutter>,
    stop: watch::Receiver<()>,
}

/// All doors and mailboxes; those of dark ports are shut by the `shutter`.
pub(super) fn doors(
    traps: Vec<Trap>,
    inward: &Arc<Inward>,
    shared: &Arc<Shared>,
    shutter: &Shutter,
    stop: &watch::Receiver<()>,
) -> io::Result<(Vec<Door>, Vec<Mailbox>)> {
    let (mut doors, mut mailboxes) = (Vec::new(), Vec::new());
    for (trap, Trap { plays, listeners, sockets, is_slow, .. }) in traps.into_iter().enumerate() {
        for listener in listeners {
            let address = listener.local_addr()?;
            let (inward, shared, stop) = (Arc::clone(inward), Arc::clone(shared), stop.clone());
            let listener = awaited(Arc::new(listener), Interest::READABLE)?;
            let shutter = plays.is_dark().then(|| shutter.clone());
            doors.push(Door { listener, address, trap, is_slow, inward, shared, shutter, stop });
        }
        for socket in sockets {
            let address = socket.local_addr()?;
            let (inward, shared, stop) = (Arc::clone(inward), Arc::clone(shared), stop.clone());
            let socket = Arc::new(UdpSocket::from_std(socket)?);
            let ear = Ear { trap, socket, has_transfers: plays.at(address.port()).transfers(), transfer: None };
            mailboxes.push(Mailbox { ear, address, inward, shared, stop });
        }
    }
    Ok((doors, mailboxes))
}

/// `accept(2)`, without waiting. The connection stays out of this runtime's loop: another process will wait for it.
pub(super) fn accept_now(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, source) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let source = source.and_then(|source| SocketAddr::try_from(source).ok());
    Ok((stream.into(), source.ok_or(io::ErrorKind::ConnectionAborted)?))
}

impl Door {
    /// Lets in whoever comes, until the doors close.
    pub(super) async fn keep(mut self) {
        loop {
            tokio::select! {
                // The end first: while somebody waits the listener is always ready, and each who is let in may wait to be handed over.
                biased;
                _ = self.stop.changed() => break,
                () = shut(&mut self.shutter) => match self.stay_shut().await {
                    Some(open) => self = open,
                    None => break,
                },
                ready = self.listener.readable() => match ready {
                    Ok(ready) => self.let_in(ready).await,
                    Err(error) => self.failed(&error).await,
                },
            }
        }
    }

    /// Lets in whoever waits, a bounded number before it is somebody else's turn. Nobody is asked again who has just said that nobody
    /// waits: each connection comes alone, nearly always.
    async fn let_in(&self, mut ready: AsyncFdReadyGuard<'_, Arc<TcpListener>>) {
        for _ in 0..ENTRIES_PER_TURN {
            match ready.try_io(|listener| accept_now(listener.get_ref())) {
                Ok(Ok((stream, source))) => self.greet(&stream, source).await,
                Ok(Err(error)) => return self.failed(&error).await,
                Err(_nobody_waits) => return,
            }
            if self.stop.has_changed().unwrap_or(true) {
                break;
            }
        }
        yield_now().await;
    }

    async fn greet(&self, stream: &TcpStream, source: SocketAddr) {
        // The address comes from `accept`: whoever reset the connection meanwhile has no other.
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        let local = stream.local_addr().unwrap_or(self.address);
        let (_, counters) = &self.shared.traps[self.trap];
        match self.shared.gate.enter(source, local, self.trap) {
            entered @ (Entry::Admitted(stranger) | Entry::AdmittedInstead(stranger, _)) => {
                if let Entry::AdmittedInstead(_, trap) = entered {
                    count(&self.shared.traps[trap].1.gave_way);
                }
                count(&counters.sessions);
                count(&counters.active);
                self.hand_over(stream, &stranger).await;
            }
            Entry::Refused(stranger) => {
                count(&counters.refused);
                self.shared.tell_now(self.trap, &stranger);
            }
            Entry::RefusedAgain => count(&counters.refused),
        }
    }

    /// Shuts the listener, so that the kernel refuses dark ports, and whoever waits to be accepted; opens it again once somebody plays.
    /// `None` if the doors close before that.
    async fn stay_shut(self) -> Option<Self> {
        let Self { listener, address, trap, is_slow, inward, shared, shutter, mut stop } = self;
        let mut shutter = shutter?;
        // The runtime is told of it anew afterwards: to it, one that was shut stays ready for ever.
        let listener = listener.into_inner();
        close(&listener);
        tokio::select! {
            biased;
            _ = stop.changed() => return None,
            () = shutter.opens() => {}
        }
        loop {
            match open_again(&listener).and_then(|()| awaited(Arc::clone(&listener), Interest::READABLE)) {
                Ok(listener) => {
                    return Some(Self { listener, address, trap, is_slow, inward, shared, shutter: Some(shutter), stop });
                }
                Err(error) => tracing::error!(%error, "dark ports stay closed: their listener cannot be opened again yet"),
            }
            tokio::select! {
                biased;
                _ = stop.changed() => return None,
                () = sleep(REOPEN_PAUSE) => {}
            }
        }
    }

    /// Whoever cannot be handed over in time is let go, and told: no crowd is a hiding place. So is whoever waits when dark ports close.
    async fn hand_over(&self, stream: &TcpStream, stranger: &Stranger) {
        let session = stranger.session.0;
        let trap = u16::try_from(self.trap).unwrap_or(u16::MAX);
        let port = stranger.local.port();
        let admission = if self.is_slow && self.shared.gate.slow_down(session) {
            count(&self.shared.traps[self.trap].1.slowed);
            Admission::AdmitSlow { session, trap, port }
        } else {
            Admission::Admit { session, trap, port }
        };
        let mut shutter = self.shutter.clone();
        let is_handed_over = tokio::select! {
            biased;
            handed = timeout(HAND_WAIT, self.inward.hand(&admission, Some(stream.as_fd()))) => matches!(handed, Ok(Ok(()))),
            () = shut(&mut shutter) => false,
        };
        if is_handed_over {
            self.shared.gate.is_handed_over(session);
        } else {
            count(&self.shared.traps[self.trap].1.refused);
            self.shared.let_go(self.shared.gate.leave(session).into_iter().collect());
        }
    }

    /// A connection that died in the queue is nothing; everything else is scarcity, which passes.
    async fn failed(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        let (_, counters) = &self.shared.traps[self.trap];
        count(&counters.accept_errors);
        tracing::debug!(trap = %counters.name, %error, "cannot accept");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Waits until this door is to be shut; for ever, if it is none that is ever shut.
async fn shut(shutter: &mut Option<Shutter>) {
    match shutter {
        Some(shutter) => shutter.shuts().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;

//! Ports of their own for sessions that have data brought to them, as FTP has in its passive mode.
//!
//! The process that plays can open nothing. It says for which session it wants a port; who may connect there, where it opens, how long
//! and how many is decided here, from what is known of that session and of no word of the process'.

use super::{HAND_WAIT, Hearing, Shared};
use crate::{
    bind::listener,
    limits::{Grant, Wish},
    line::{Inward, awaited},
    status::count,
    wire::Admission,
};
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    sync::Arc,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::watch,
    time::timeout,
};

/// Connections that the kernel keeps for one.
const BACKLOG: i32 = 4;
/// Others who connect to a port are shut out, so many of them; then it closes.
const OTHERS_MAX: usize = 16;

/// An open one.
struct Passive {
    listener: AsyncFd<TcpListener>,
    at: SocketAddr,
    grant: Grant,
    /// Which of its session's wishes it is.
    wish: u16,
    inward: Arc<Inward>,
    shared: Arc<Shared>,
    stop: watch::Receiver<()>,
}

impl Hearing {
    /// A session wants a port.
    pub(super) async fn listen(&mut self, session: u64, wish: u16) {
        let shared = Arc::clone(&self.shared);
        let granted =
            shared.gate.wants_port(session, |guest| shared.traps[guest.trap].0.at(guest.stranger.local.port()).opens_ports());
        let (trap, opened) = match granted {
            Wish::Stray => return self.stray().await,
            Wish::Leaving { trap } => {
                count(&self.shared.traps[trap].1.transfers_limited);
                self.no_port(session, wish);
                return self.rest().await;
            }
            Wish::Full { trap } => (trap, None),
            Wish::Granted(grant) => (grant.trap, self.open(grant, wish)),
        };
        let counters = &self.shared.traps[trap].1;
        let (Some(passive), Some(keeping)) = (opened, self.keeping.as_mut()) else {
            count(&counters.transfers_limited);
            return self.no_port(session, wish);
        };
        count(&counters.transfers);
        // Those that are over are forgotten when others begin.
        while keeping.open.try_join_next().is_some() {}
        keeping.open.spawn(passive.keep());
    }

    fn open(&self, grant: Grant, wish: u16) -> Option<Passive> {
        let (session, number, trap) = (grant.stranger.session.0, grant.number, grant.trap);
        let opened = self.keeping.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into()).and_then(|keeping| {
            let mut own = grant.stranger.local;
            own.set_port(0);
            let listener = listener(own, BACKLOG)?;
            let at = listener.local_addr()?;
            let (inward, shared, stop) = (Arc::clone(&keeping.inward), Arc::clone(&self.shared), keeping.stop.clone());
            Ok(Passive { listener: awaited(listener, Interest::READABLE)?, at, grant, wish, inward, shared, stop })
        });
        opened
            .inspect_err(|error: &io::Error| {
                self.shared.gate.forget_port(session, number);
                tracing::debug!(trap = %self.shared.traps[trap].1.name, %error, "a session's port cannot be opened");
            })
            .ok()
    }

    /// Tells that there is none. Whoever is not told waits a moment in vain.
    fn no_port(&self, session: u64, wish: u16) {
        if let Some(keeping) = &self.keeping {
            let _unless_there_is_no_room = keeping.inward.try_hand(&Admission::Listening { session, wish, at: None });
        }
    }
}

impl Passive {
    async fn keep(self) {
        let Self { listener, at, grant, wish, inward, shared, mut stop } = self;
        let (session, source) = (grant.stranger.session.0, grant.stranger.source.ip());
        let has_joined = tokio::select! {
            has_joined = meet(listener, at, (session, wish), source, &inward) => has_joined,
            // The session is to end or wants another port, or all do.
            _ = grant.closed => return,
            _ = stop.changed() => false,
        };
        // Whoever has joined keeps the place as long as his session lasts, or until it wants another port or gives way.
        if has_joined {
            shared.gate.port_is_met(session, grant.number);
        } else {
            shared.gate.forget_port(session, grant.number);
            // Whoever waits for somebody there waits in vain.
            let closed = Admission::Listening { session, wish, at: None };
            let _unless_there_is_no_room = inward.try_hand(&closed);
        }
    }
}

/// Tells where the port is, waits for the one who may connect as long as the session lasts, as vsftpd's own port does, and hands him over. Gives whether he was.
async fn meet(
    listener: AsyncFd<TcpListener>,
    at: SocketAddr,
    (session, wish): (u64, u16),
    source: IpAddr,
    inward: &Inward,
) -> bool {
    let listening = Admission::Listening { session, wish, at: Some(at) };
    if !matches!(timeout(HAND_WAIT, inward.hand(&listening, None)).await, Ok(Ok(()))) {
        return false;
    }
    let came = come(&listener, source).await;
    // It is closed before anything is heard of whoever came.
    drop(listener);
    let Some(connection) = came else { return false };
    let join = Admission::Join { session, wish };
    matches!(timeout(HAND_WAIT, inward.hand(&join, Some(connection.as_fd()))).await, Ok(Ok(())))
}

/// The first connection from there; all others are closed, unheard. `None`: too many of them came, or the kernel gives no more.
async fn come(listener: &AsyncFd<TcpListener>, source: IpAddr) -> Option<TcpStream> {
    for _ in 0..=OTHERS_MAX {
        let (stream, from) = loop {
            let mut ready = listener.readable().await.ok()?;
            match ready.try_io(|listener| super::entrance::accept_now(listener.get_ref())) {
                Ok(Ok(came)) => break came,
                // It has gone again.
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Ok(Err(_)) => return None,
                Err(_nobody_waits) => {}
            }
        };
        if from.ip().to_canonical() == source {
            return Some(stream);
        }
    }
    None
}

#[cfg(test)]
mod tests;

//! What a session has beside its connection: the port that the daemon opens for it, and the connection that comes to that.

use crate::{line::Pipe, report::REPORT_WAIT, wire::Evidence};
use std::{
    collections::HashMap,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpStream, sync::mpsc, time::timeout};

/// How long the daemon may take to say whether a port is open.
const PORT_WAIT: Duration = Duration::from_secs(2);
/// Calls that wait for one session: that its port is open, and that somebody has come there; and the same of a port before.
const CALLS_MAX: usize = 4;

/// What the daemon says of a session's port.
#[derive(Debug)]
pub(crate) enum Call {
    /// It is open there, or there is none.
    Listening(Option<SocketAddr>),
    /// Somebody has come to the port of this number.
    Join(u16, OwnedFd),
}

/// Passes calls on to those sessions that have asked for a port: none that waits holds anything for it.
#[derive(Debug, Default)]
pub(crate) struct Switchboard(Mutex<HashMap<u64, mpsc::Sender<Call>>>);

impl Switchboard {
    /// Passes one on. It is thrown away, and its connection closed, if nobody waits for it.
    pub(crate) fn call(&self, session: u64, call: Call) {
        if let Some(calls) = self.lines().get(&session) {
            let _unless_it_does_not_listen = calls.try_send(call);
        }
    }

    /// No update is left half done, so a holder who panicked spoils nothing.
    fn lines(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Call>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session's port.
#[derive(Debug)]
pub(crate) struct Beside {
    session: u64,
    switchboard: Arc<Switchboard>,
    calls: mpsc::Receiver<Call>,
    port: u16,
}

impl Beside {
    pub(crate) fn new(session: u64, switchboard: &Arc<Switchboard>) -> Self {
        let (sender, calls) = mpsc::channel(CALLS_MAX);
        switchboard.lines().insert(session, sender);
        Self { session, switchboard: Arc::clone(switchboard), calls, port: 0 }
    }

    /// Has a port opened, in place of the one before: where it is.
    pub(crate) async fn listen(&mut self, pipe: &Pipe) -> Option<SocketAddr> {
        // Whoever came to the port before has come in vain.
        while self.calls.try_recv().is_ok() {}
        self.port = 0;
        let wish = Evidence::Listen { session: self.session }.to_bytes();
        timeout(REPORT_WAIT, pipe.write(std::iter::once(wish))).await.ok()?.ok()?;
        let said = async {
            loop {
                match self.calls.recv().await? {
                    Call::Listening(at) => return at,
                    Call::Join(..) => {}
                }
            }
        };
        let at = timeout(PORT_WAIT, said).await.ok()??;
        self.port = at.port();
        Some(at)
    }

    /// Waits until somebody comes to the port.
    pub(crate) async fn met(&mut self) -> Option<TcpStream> {
        loop {
            match self.calls.recv().await? {
                Call::Join(port, connection) if port == self.port => return TcpStream::from_std(connection.into()).ok(),
                _ => {}
            }
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.switchboard.lines().remove(&self.session);
    }
}

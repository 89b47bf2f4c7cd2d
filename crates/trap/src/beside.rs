//! What a session has beside its connection: the port that the daemon opens for it, and the connection that comes to that.

use crate::{limits::PORTS_OF_SESSION_MAX, line::Pipe, report::REPORT_WAIT, wire::Evidence};
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

/// What the daemon says of the port of one of a session's wishes, by the wish's number.
#[derive(Debug)]
pub(crate) enum Call {
    /// It is open there, or there is none.
    Listening(u16, Option<SocketAddr>),
    /// Somebody has come to it.
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
    /// Ports that it has asked for: the last one's number.
    wishes: u16,
    /// That one is open.
    is_open: bool,
}

impl Beside {
    pub(crate) fn new(session: u64, switchboard: &Arc<Switchboard>) -> Self {
        let (sender, calls) = mpsc::channel(CALLS_MAX);
        switchboard.lines().insert(session, sender);
        Self { session, switchboard: Arc::clone(switchboard), calls, wishes: 0, is_open: false }
    }

    /// Has a port opened, in place of the one before: where it is.
    pub(crate) async fn listen(&mut self, pipe: &Pipe) -> Option<SocketAddr> {
        // Whoever came to the port before has come in vain.
        while self.calls.try_recv().is_ok() {}
        self.is_open = false;
        // The daemon would give no more, and take whoever asks without end for one who was taken over.
        if self.wishes >= PORTS_OF_SESSION_MAX {
            return None;
        }
        self.wishes += 1;
        let wish = Evidence::Listen { session: self.session, wish: self.wishes }.to_bytes();
        timeout(REPORT_WAIT, pipe.write(std::iter::once(wish))).await.ok()?.ok()?;
        let said = async {
            loop {
                match self.calls.recv().await? {
                    Call::Listening(wish, at) if wish == self.wishes => return at,
                    // The answer to a wish before, for which it was waited long enough.
                    _ => {}
                }
            }
        };
        let at = timeout(PORT_WAIT, said).await.ok()??;
        self.is_open = true;
        Some(at)
    }

    /// Waits until somebody comes to the port.
    pub(crate) async fn met(&mut self) -> Option<TcpStream> {
        loop {
            match self.calls.recv().await? {
                Call::Join(wish, connection) if self.is_open && wish == self.wishes => {
                    return TcpStream::from_std(connection.into()).ok();
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Heard, lines};
    use crate::wire::PACKET_BYTES_MAX;
    use std::net::Ipv4Addr;

    const SESSION: u64 = 7;

    struct Asked {
        beside: Beside,
        switchboard: Arc<Switchboard>,
        pipe: Pipe,
        heard: Heard,
    }

    fn asked() -> Asked {
        let (daemon, rooms) = lines().unwrap();
        let (switchboard, pipe, heard) = (Arc::default(), rooms.listen().unwrap().1, daemon.listen().unwrap().1);
        Asked { beside: Beside::new(SESSION, &switchboard), switchboard, pipe, heard }
    }

    /// The number of the next wish.
    async fn wish(heard: &Heard) -> u16 {
        let mut packet = [0; PACKET_BYTES_MAX];
        let length = heard.next(&mut packet).await.unwrap().unwrap();
        match Evidence::read(&packet[..length]) {
            Some(Evidence::Listen { session: SESSION, wish }) => wish,
            other => panic!("{other:?}"),
        }
    }

    fn at(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    #[tokio::test(start_paused = true)]
    async fn the_late_answer_to_a_wish_is_not_that_to_the_next() {
        let Asked { mut beside, switchboard, pipe, heard } = asked();
        assert_eq!(beside.listen(&pipe).await, None, "nobody answers in time");
        let first = wish(&heard).await;
        let daemon = async {
            let second = wish(&heard).await;
            switchboard.call(SESSION, Call::Listening(first, Some(at(1))));
            switchboard.call(SESSION, Call::Listening(second, Some(at(2))));
        };
        assert_eq!(tokio::join!(beside.listen(&pipe), daemon).0, Some(at(2)));
        let (own, other) = std::os::unix::net::UnixStream::pair().unwrap();
        switchboard.call(SESSION, Call::Join(first, own.into()));
        assert!(timeout(PORT_WAIT, beside.met()).await.is_err(), "whoever came to that port has come in vain");
        drop(other);
    }
}

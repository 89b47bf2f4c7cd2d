//! The two doors: who is let in, how many at once, and how long they may take.

mod admission;
mod connection;
mod stall;
#[cfg(feature = "testing")]
pub mod testing;

use crate::{ControlSocket, Desk, Presence, Stats, Tls, Token, attempts::Attempts, router, stats::count};
use admission::{Admission, Place};
use connection::Speech;
use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// How long open connections may take to end when the door closes.
const GRACE: Duration = Duration::from_millis(500);
/// How long a door waits after it could not accept, so that a lack of descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much a door bears. What goes beyond is closed at once and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of one door at the same time.
    pub connections_max: usize,
    /// Connections of one source (an IPv4 address, an IPv6 /64) at the same time.
    pub connections_per_source_max: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
}

impl Default for Limits {
    /// 256 connections, 32 of one source, 5 seconds.
    fn default() -> Self {
        Self { connections_max: 256, connections_per_source_max: 32, handshake: Duration::from_secs(5) }
    }
}

/// Everything behind the doors.
#[derive(Clone, Debug)]
pub struct Api {
    desk: Desk,
    limits: Limits,
    stats: Arc<Stats>,
    presence: Arc<Presence>,
}

impl Api {
    /// An API that asks `desk`.
    #[must_use]
    pub fn new(desk: Desk, limits: Limits) -> Self {
        Self { desk, limits, stats: Arc::default(), presence: Arc::default() }
    }

    /// The same, which notes there from where operators speak over HTTPS.
    #[must_use]
    pub fn noting(self, presence: Arc<Presence>) -> Self {
        Self { presence, ..self }
    }

    /// What the doors counted.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Serves HTTPS until `shutdown`: TLS 1.3, a bearer token for everything but the page itself. Must be called in a
    /// Tokio runtime; the listener may have been bound before one existed.
    ///
    /// # Errors
    /// The listener cannot be used with the runtime. Nothing that a client does ends the door.
    pub async fn serve_https(
        &self,
        listener: std::net::TcpListener,
        tls: &Tls,
        token: Token,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let app = router::App::https(self.desk.clone(), self.stats.clone(), token, Attempts::default(), self.presence.clone());
        let (speech, acceptor) = (Speech::new(router::router(app)), TlsAcceptor::from(tls.config()));
        let handshake = self.limits.handshake;
        self.serve(
            || async { listener.accept().await.map(|(stream, peer)| (stream, peer.ip().to_canonical())) },
            |stream: TcpStream, source, stop| {
                let (speech, acceptor, stats) = (speech.clone(), acceptor.clone(), self.stats.clone());
                async move {
                    let _ = stream.set_nodelay(true);
                    match tokio::time::timeout(handshake, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => speech.over_tls(stream, source, stop).await,
                        Ok(Err(_)) | Err(_) => count(&stats.handshakes_failed),
                    }
                }
            },
            shutdown,
        )
        .await;
        Ok(())
    }

    /// Serves the control socket until `shutdown`: the same router without a token, and what only an operator on this
    /// machine may do.
    ///
    /// # Errors
    /// The socket cannot be used with the runtime. Nothing that a client does ends the door.
    pub async fn serve_control(&self, socket: &ControlSocket, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let listener = socket.listener()?;
        let app = router::App::control(self.desk.clone(), self.stats.clone());
        let speech = Speech::new(router::router(app));
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let all = Limits { connections_per_source_max: self.limits.connections_max, ..self.limits };
        Self { limits: all, ..self.clone() }
            .serve(
                || async { listener.accept().await.map(|(stream, _)| (stream, here)) },
                |stream, source, stop| {
                    let speech = speech.clone();
                    async move { speech.plainly(stream, source, stop).await }
                },
                shutdown,
            )
            .await;
        Ok(())
    }

    /// Accepts until `shutdown`, then lets open connections end for a moment and breaks off the rest.
    async fn serve<S, A, C>(
        &self,
        accept: impl Fn() -> A,
        converse: impl Fn(S, IpAddr, watch::Receiver<bool>) -> C,
        shutdown: impl Future<Output = ()>,
    ) where
        A: Future<Output = io::Result<(S, IpAddr)>>,
        C: Future<Output = ()> + Send + 'static,
    {
        let admission = Admission::new(self.limits);
        let (stop, stopped) = watch::channel(false);
        let mut talks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = accept() => {
                    if let Some((stream, source, place)) = self.admit(accepted, &admission).await {
                        let talk = converse(stream, source, stopped.clone());
                        talks.spawn(async move { talk.await; drop(place); });
                    }
                }
                Some(_) = talks.join_next() => {}
            }
        }
        let _ = stop.send(true);
        let _ = tokio::time::timeout(GRACE, async { while talks.join_next().await.is_some() {} }).await;
    }

    async fn admit<S>(&self, accepted: io::Result<(S, IpAddr)>, admission: &Admission) -> Option<(S, IpAddr, Place)> {
        match accepted {
            Ok((stream, source)) => {
                count(&self.stats.connections);
                let place = admission.enter(source);
                if place.is_none() {
                    count(&self.stats.connections_refused);
                }
                place.map(|place| (stream, source, place))
            }
            Err(error) => {
                count(&self.stats.accept_errors);
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

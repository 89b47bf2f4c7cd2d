//! HTTP on one connection, with a limit on everything a client can be slow or large with.

use super::stall::Stall;
use crate::router::Source;
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{net::IpAddr, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::watch,
};
use tokio_rustls::server::TlsStream;

/// How long a request's head may take, and how long a connection may idle before the next one.
const HEAD_DEADLINE: Duration = Duration::from_secs(15);
/// The largest head of an HTTP/1.1 request, and of an HTTP/2 request.
const HEAD_BYTES_MAX: u32 = 16 << 10;
/// HTTP/2 requests under way on one connection.
const STREAMS_MAX: u32 = 32;
/// How often an HTTP/2 client must show that it is alive.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Speaks HTTP with clients.
#[derive(Clone, Debug)]
pub(super) struct Speech(Router);

impl Speech {
    pub(super) const fn new(router: Router) -> Self {
        Self(router)
    }

    pub(super) async fn over_tls(self, stream: TlsStream<TcpStream>, source: IpAddr, stop: watch::Receiver<bool>) {
        let speaks_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let builder = Builder::new(TokioExecutor::new());
        let builder = if speaks_h2 { builder.http2_only() } else { builder.http1_only() };
        self.talk(builder, stream, source, stop).await;
    }

    pub(super) async fn plainly(self, stream: UnixStream, source: IpAddr, stop: watch::Receiver<bool>) {
        self.talk(Builder::new(TokioExecutor::new()).http1_only(), stream, source, stop).await;
    }

    /// Over a line that has no ends in this machine's network.
    #[cfg(feature = "testing")]
    pub(super) async fn over(self, stream: tokio::io::DuplexStream, source: IpAddr, stop: watch::Receiver<bool>) {
        self.talk(Builder::new(TokioExecutor::new()).http1_only(), stream, source, stop).await;
    }

    async fn talk<S>(self, mut builder: Builder<TokioExecutor>, stream: S, source: IpAddr, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        limit(&mut builder);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(Stall::new(stream)), service(self.0, source)));
        tokio::select! {
            // How a client ends its connection is its own affair; every request was counted.
            _ = connection.as_mut() => return,
            _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

fn limit(builder: &mut Builder<TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE).max_buf_size(HEAD_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
}

/// The router as a service that knows where its requests come from.
fn service(router: Router, source: IpAddr) -> TowerToHyperService<Router> {
    TowerToHyperService::new(router.layer(axum::Extension(Source(source))))
}

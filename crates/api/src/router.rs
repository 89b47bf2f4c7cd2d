//! The one router: which path asks what, and what every answer carries.

mod auth;
mod body;
mod export;
mod headers;
mod live;
mod metrics;
mod orders;
mod page;
mod params;
mod problem;
mod reads;

use crate::{Desk, Presence, Refusal, RefusalKind, Request, Response, Stats, Token, attempts::Attempts};
use axum::{
    Router, middleware,
    routing::{delete, get, post, put},
};
use problem::Problem;
use std::{net::IpAddr, sync::Arc, time::Instant};
use tokio::sync::Semaphore;

/// Listeners of the live stream at the same time, over both doors of one [`App`].
const LISTENERS_MAX: usize = 32;

/// Where a request comes from; put there by the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) IpAddr);

/// Through which door.
#[derive(Debug)]
enum Door {
    /// HTTPS: the token is asked for.
    Https { token: Token, attempts: Attempts, presence: Arc<Presence> },
    /// The control socket: whoever may open it is an operator.
    Control,
}

/// What the routes share.
#[derive(Clone, Debug)]
pub(crate) struct App {
    desk: Desk,
    stats: Arc<Stats>,
    door: Arc<Door>,
    listeners: Arc<Semaphore>,
}

impl App {
    pub(crate) fn https(desk: Desk, stats: Arc<Stats>, token: Token, attempts: Attempts, presence: Arc<Presence>) -> Self {
        Self::new(desk, stats, Door::Https { token, attempts, presence })
    }

    pub(crate) fn control(desk: Desk, stats: Arc<Stats>) -> Self {
        Self::new(desk, stats, Door::Control)
    }

    fn new(desk: Desk, stats: Arc<Stats>, door: Door) -> Self {
        Self { desk, stats, door: Arc::new(door), listeners: Arc::new(Semaphore::new(LISTENERS_MAX)) }
    }

    async fn ask(&self, request: Request) -> Result<Response, Problem> {
        self.desk.ask(request).await.map_err(Problem::from)
    }

    /// An operator is still there, over HTTPS: not banned for as long.
    fn note(&self, Source(source): Source) {
        if let Door::Https { presence, .. } = &*self.door {
            presence.note(source, Instant::now());
        }
    }

    /// Only the control socket may do this.
    fn control_only(&self) -> Result<(), Problem> {
        match *self.door {
            Door::Control => Ok(()),
            Door::Https { .. } => Err(Refusal::new(
                RefusalKind::Forbidden,
                "keys are changed on the node itself only; use `honeymesh key rotate` there",
            )
            .into()),
        }
    }
}

/// The brain answered something that was not asked: a fault in this program.
fn mismatch() -> Problem {
    Refusal::new(RefusalKind::Broken, "the daemon answered another question; this is a bug, please report it").into()
}

/// Every route of both doors.
pub(crate) fn router(app: App) -> Router {
    let guarded = api()
        .route("/metrics", get(metrics::metrics))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), auth::guard));
    page::routes().merge(guarded).layer(middleware::from_fn_with_state(app.clone(), headers::dress)).with_state(app)
}

fn api() -> Router<App> {
    Router::new()
        .route("/api/v1/status", get(reads::status))
        .route("/api/v1/bans", get(reads::bans).post(orders::ban))
        .route("/api/v1/bans/{subject}", delete(orders::unban))
        .route("/api/v1/bans/{subject}/{prefix_len}", delete(orders::unban_prefix))
        .route("/api/v1/events", get(reads::events))
        .route("/api/v1/events/stream", get(live::stream))
        .route("/api/v1/payloads/{hash}", get(reads::payload))
        .route("/api/v1/why/{address}", get(reads::why))
        .route("/api/v1/allow", get(reads::allow).post(orders::allow))
        .route("/api/v1/allow/{net}", delete(orders::disallow))
        .route("/api/v1/allow/{net}/{prefix_len}", delete(orders::disallow_prefix))
        .route("/api/v1/peers", get(reads::peers))
        .route("/api/v1/join-tokens", post(orders::join_token))
        .route("/api/v1/peers/revoke", post(orders::revoke))
        .route("/api/v1/quarantine/{node}", delete(orders::pardon))
        .route("/api/v1/mode", put(orders::mode))
        .route("/api/v1/keys/rotate", post(orders::rotate))
        .route("/api/v1/export", get(export::export))
}

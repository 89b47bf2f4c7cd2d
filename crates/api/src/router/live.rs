//! The live stream: server-sent events.

use super::{
    App, Source,
    params::{self, Pairs},
    problem::Problem,
};
use crate::{EVENTS_PAGE_MAX, LiveEvent, Request, Response, stats::count};
use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response as HttpResponse, Sse, sse},
};
use futures_util::{Stream, StreamExt, stream};
use honeymesh_format::{EventJson, EventQuery, Order, json_text};
use honeymesh_types::EventId;
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        broadcast::{self, error::RecvError},
    },
    time::timeout,
};

/// A comment is sent this often when nothing happens, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams events from now on. With the header `Last-Event-ID`, what was missed since then comes first, at most
/// [`EVENTS_PAGE_MAX`] events. A listener that is too slow is sent `event: lag` with the number it missed.
pub(super) async fn stream(
    State(app): State<App>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    Query(pairs): Query<Pairs>,
) -> Result<HttpResponse, Problem> {
    let mut query = EventQuery::default();
    params::each(&pairs, "subject kind", |key, text| match key {
        "subject" | "kind" => params::event_condition(&mut query, key, text),
        _ => Ok(false),
    })?;
    let place = app.listeners.clone().try_acquire_owned().map_err(|_| crowded())?;
    // Listening begins before the past is asked for, so that nothing falls between.
    let live = app.desk.live();
    let missed = match headers.get("last-event-id") {
        Some(last) => missed(&app, last, query).await?,
        None => VecDeque::new(),
    };
    let listener = Listener::new(app, source, live, missed, query, place);
    let keep_alive = sse::KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    // The first comment makes the head of the answer leave at once.
    let hello = stream::iter([Ok(sse::Event::default().comment("listening"))]);
    let mut response = Sse::new(hello.chain(listener.into_stream())).keep_alive(keep_alive).into_response();
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn crowded() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many listeners of the live stream; close one").retry_after(KEEP_ALIVE)
}

async fn missed(app: &App, last: &HeaderValue, query: EventQuery) -> Result<VecDeque<EventJson>, Problem> {
    let after: EventId = params::value("Last-Event-ID", last.to_str().unwrap_or_default())?;
    let past = EventQuery { after: Some(after), limit: Some(EVENTS_PAGE_MAX), order: Order::Oldest, ..query };
    match app.ask(Request::Events(past)).await? {
        Response::Events(page) => Ok(page.items.into()),
        _ => Err(super::mismatch()),
    }
}

/// One listener.
struct Listener {
    app: App,
    source: Source,
    live: broadcast::Receiver<Arc<LiveEvent>>,
    missed: VecDeque<EventJson>,
    /// What was sent from the past and may come again from the present.
    sent: Vec<String>,
    query: EventQuery,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    fn new(
        app: App,
        source: Source,
        live: broadcast::Receiver<Arc<LiveEvent>>,
        missed: VecDeque<EventJson>,
        query: EventQuery,
        place: OwnedSemaphorePermit,
    ) -> Self {
        count(&app.stats.live_listeners);
        let sent = missed.iter().map(|event| event.id.clone()).collect();
        Self { app, source, live, missed, sent, query, _place: place }
    }

    fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        stream::unfold(self, |mut listener| async move { Some((Ok(listener.next().await?), listener)) })
    }

    /// The next thing to send; `None` when the daemon stops.
    async fn next(&mut self) -> Option<sse::Event> {
        if let Some(event) = self.missed.pop_front() {
            return Some(past(&event));
        }
        loop {
            self.app.note(self.source);
            // Whoever listens is there although nothing happens.
            let Ok(heard) = timeout(KEEP_ALIVE, self.live.recv()).await else { continue };
            match heard {
                Ok(live) if self.wants(&live) => return Some(present(&live)),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    self.app.stats.live_missed.fetch_add(missed, Ordering::Relaxed);
                    return Some(sse::Event::default().event("lag").data(format!("{{\"missed\":{missed}}}")));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn wants(&self, live: &LiveEvent) -> bool {
        self.query.matches(&live.event) && (self.sent.is_empty() || !self.sent.contains(&live.event.id.to_string()))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.app.stats.live_listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

fn past(event: &EventJson) -> sse::Event {
    sse::Event::default().id(&event.id).data(json_text(event).unwrap_or_default())
}

fn present(live: &LiveEvent) -> sse::Event {
    sse::Event::default().id(live.event.id.to_string()).data(&live.json)
}

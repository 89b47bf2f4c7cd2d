//! Questions that change nothing.

use super::{
    App,
    body::json,
    mismatch,
    params::{self, Pairs},
    problem::Problem,
};
use crate::{BANS_PAGE_MAX, BansQuery, EVENTS_PAGE_MAX, Page, Refusal, Request, Response};
use axum::{
    extract::{Path, Query, State},
    http::{HeaderValue, Uri, header},
    response::Response as HttpResponse,
};
use honeymesh_format::{EventQuery, parse_hash};
use serde::Serialize;

/// Events in an answer unless `limit` says otherwise.
const EVENTS_PAGE_DEFAULT: u64 = 100;

type Answer = Result<HttpResponse, Problem>;

pub(super) async fn status(State(app): State<App>) -> Answer {
    match app.ask(Request::Status).await? {
        Response::Status(status) => Ok(json(&*status)),
        _ => Err(mismatch()),
    }
}

pub(super) async fn bans(State(app): State<App>, uri: Uri, Query(pairs): Query<Pairs>) -> Answer {
    let mut query = BansQuery::default();
    params::each(&pairs, "subject after limit", |key, text| {
        match key {
            "subject" => query.subject = Some(params::value(key, text)?),
            "after" => query.after = Some(params::value(key, text)?),
            "limit" => query.limit = usize::try_from(params::limit(text, BANS_PAGE_MAX as u64)?).unwrap_or(BANS_PAGE_MAX),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    match app.ask(Request::Bans(query)).await? {
        Response::Bans(bans) => Ok(page(&uri, &pairs, &bans)),
        _ => Err(mismatch()),
    }
}

pub(super) async fn events(State(app): State<App>, uri: Uri, Query(pairs): Query<Pairs>) -> Answer {
    let mut query = EventQuery { limit: Some(EVENTS_PAGE_DEFAULT), ..EventQuery::default() };
    params::each(&pairs, "since until subject kind limit after order", |key, text| {
        if key == "limit" {
            query.limit = Some(params::limit(text, EVENTS_PAGE_MAX)?);
            return Ok(true);
        }
        params::event_condition(&mut query, key, text)
    })?;
    match app.ask(Request::Events(query)).await? {
        Response::Events(events) => Ok(page(&uri, &pairs, &events)),
        _ => Err(mismatch()),
    }
}

pub(super) async fn payload(State(app): State<App>, Path(hash): Path<String>) -> Answer {
    let hash =
        parse_hash(&hash).ok_or_else(|| Refusal::bad("hash: a payload is named by the 64 hexadecimal digits of its SHA-256"))?;
    match app.ask(Request::Payload(hash)).await? {
        Response::Payload(payload) => Ok(json(&*payload)),
        _ => Err(mismatch()),
    }
}

pub(super) async fn why(State(app): State<App>, Path(address): Path<String>) -> Answer {
    match app.ask(Request::Why(params::value("address", &address)?)).await? {
        Response::Why(why) => Ok(json(&*why)),
        _ => Err(mismatch()),
    }
}

pub(super) async fn allow(State(app): State<App>) -> Answer {
    match app.ask(Request::AllowList).await? {
        Response::Allow(nets) => Ok(json(&nets)),
        _ => Err(mismatch()),
    }
}

pub(super) async fn peers(State(app): State<App>) -> Answer {
    match app.ask(Request::Peers).await? {
        Response::Peers(peers) => Ok(json(&peers)),
        _ => Err(mismatch()),
    }
}

/// A page as an array; the way to the next one is in the header `Link` (RFC 8288).
fn page<T: Serialize>(uri: &Uri, pairs: &Pairs, page: &Page<T>) -> HttpResponse {
    let mut response = json(&page.items);
    let link = page.next.as_ref().map(|after| format!("<{}?{}>; rel=\"next\"", uri.path(), next_query(pairs, after)));
    if let Some(value) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    response
}

fn next_query(pairs: &Pairs, after: &str) -> String {
    let kept = pairs.iter().filter(|(key, _)| key != "after").map(|(key, text)| (key.as_str(), text.as_str()));
    let parts: Vec<String> =
        kept.chain([("after", after)]).map(|(key, text)| format!("{}={}", escaped(key), escaped(text))).collect();
    parts.join("&")
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

//! `/metrics` for Prometheus: made of the status and of the doors' own counters, at the moment it is asked for.
//!
//! Labels are words of the house or names of the configuration; never an address, a user name or anything else that
//! a stranger chose.

#[cfg(test)]
mod complete;
mod families;
mod text;

use super::{App, mismatch, problem::Problem};
use crate::{Request, Response};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response as HttpResponse},
};
use text::Text;

/// The text format of Prometheus.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(State(app): State<App>) -> Result<HttpResponse, Problem> {
    let Response::Status(status) = app.ask(Request::Status).await? else { return Err(mismatch()) };
    let mut text = Text::default();
    families::write(&mut text, &status, &app.stats.all());
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text.into_string()).into_response())
}

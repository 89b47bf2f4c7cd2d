//! The forensic export: a download that is never held in memory.

use super::{
    App, mismatch,
    params::{self, Pairs},
    problem::Problem,
};
use crate::{Request, Response, export::export_pipe};
use axum::{
    body::Body,
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response as HttpResponse},
};
use honeymesh_format::{EventQuery, ExportFormat, Order};

pub(super) async fn export(State(app): State<App>, Query(pairs): Query<Pairs>) -> Result<HttpResponse, Problem> {
    let mut query = EventQuery { order: Order::Oldest, ..EventQuery::default() };
    let mut format = None;
    params::each(&pairs, "format since until subject kind limit order", |key, text| {
        match key {
            "format" => format = Some(params::value::<ExportFormat>(key, text)?),
            "limit" => query.limit = Some(params::limit(text, u64::MAX)?),
            _ => return params::event_condition(&mut query, key, text),
        }
        Ok(true)
    })?;
    let format = format.ok_or_else(|| Problem::bad("`format` is missing; give json, jsonl or csv"))?;
    let (sink, source) = export_pipe();
    match app.ask(Request::Export { format, query, sink }).await? {
        Response::Exporting => {
            let name = format!("attachment; filename=\"honeymesh-events.{}\"", format.as_str());
            let headers = [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
            Ok((headers, Body::from_stream(source.into_stream())).into_response())
        }
        _ => Err(mismatch()),
    }
}

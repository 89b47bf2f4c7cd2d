//! JSON bodies in and out.

use super::problem::Problem;
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use honeymesh_format::json_text;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// The largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;
/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Reads a body as JSON.
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let bytes = tokio::time::timeout(BODY_DEADLINE, axum::body::to_bytes(body, BODY_BYTES_MAX))
        .await
        .map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the request's body took longer than 10 seconds; send it at once")
        })?
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the request's body was cut short or is larger than 16 KiB"))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::bad(format!("the request's body is not the JSON that is expected here: {error}")))
}

/// Writes an answer as JSON.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Response {
    match json_text(value) {
        Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response(),
        Err(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the answer cannot be written: {error}")).into_response()
        }
    }
}

//! Refusals as RFC 9457 problems.

use crate::{Refusal, RefusalKind};
use axum::{
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use honeymesh_format::{ProblemJson, json_text, printable};
use std::time::Duration;

/// The longest piece of a request that is quoted in an answer, in characters.
const QUOTED_CHARS_MAX: usize = 100;

/// Why a request is answered with no.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    retry_after: Option<Duration>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None }
    }

    pub(super) fn bad(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail.to_string())
    }

    pub(super) const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            RefusalKind::Bad => StatusCode::BAD_REQUEST,
            RefusalKind::Forbidden => StatusCode::FORBIDDEN,
            RefusalKind::NotFound => StatusCode::NOT_FOUND,
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Busy | RefusalKind::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            RefusalKind::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, refusal.detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json_text(&ProblemJson::new(self.status.as_u16(), title, &self.detail)).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, ProblemJson::MEDIA_TYPE)], body).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"honeymesh\""));
        }
        response
    }
}

/// A stranger's words, short and safe to show.
pub(super) fn quoted(text: &str) -> String {
    printable(text).chars().take(QUOTED_CHARS_MAX).collect()
}

pub(super) async fn not_found(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("there is no `{}` here; the API begins at /api/v1/status, the metrics are at /metrics", quoted(uri.path())),
    )
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let (method, path) = (quoted(method.as_str()), quoted(uri.path()));
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("`{method}` cannot be done to `{path}`; the header Allow names what can"),
    )
}

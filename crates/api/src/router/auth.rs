//! The bearer token at the HTTPS door.

use super::{App, Door, Source, problem::Problem};
use crate::stats::count;
use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::time::Instant;

/// Lets a request pass that comes by the control socket or has the token, whose source is an operator's from then on. A missing and a wrong token get the very
/// same answer; a source with too many wrong ones is told to wait.
pub(super) async fn guard(
    State(app): State<App>,
    Extension(source): Extension<Source>,
    request: Request,
    next: Next,
) -> Response {
    match check(&app, source, request.headers()) {
        Ok(()) => {
            app.note(source);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn check(app: &App, Source(source): Source, headers: &HeaderMap) -> Result<(), Problem> {
    let Door::Https { token, attempts, .. } = &*app.door else { return Ok(()) };
    let Some(presented) = bearer(headers) else { return Err(unauthorized()) };
    let now = Instant::now();
    if let Some(wait) = attempts.wait(source, now) {
        count(&app.stats.auth_limited);
        let detail = "too many wrong tokens from your address; wait, or use the command line on the node itself";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait));
    }
    if token.is(presented) {
        return Ok(());
    }
    count(&app.stats.auth_failed);
    attempts.failed(source, now);
    tracing::info!(%source, "a wrong API token was presented");
    Err(unauthorized())
}

fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "a valid token is needed: send the header `Authorization: Bearer TOKEN` with what is in [api] token_file",
    )
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

//! The embedded page: four files, no framework. They hold no secret, so they need no token.

use super::App;
use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// Path, media type and content of every file.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("../../page/index.html")),
    ("/app.js", "text/javascript; charset=utf-8", include_str!("../../page/app.js")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../../page/style.css")),
    ("/favicon.svg", "image/svg+xml", include_str!("../../page/favicon.svg")),
];

pub(super) fn routes() -> Router<App> {
    FILES.into_iter().fold(Router::new(), |router, (path, media_type, content)| {
        router.route(path, get(move || async move { file(media_type, content) }))
    })
}

fn file(media_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_inline_and_nothing_from_elsewhere() {
        let html = FILES[0].2;
        for forbidden in ["<style", "style=", "onclick", "onload", "javascript:", "http://", "https://"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/app.js\"").count());
        let script = FILES[1].2;
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "http://", "https://"]
        {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
        assert!(!FILES[2].2.contains("url(") && !FILES[2].2.contains("@import"));
    }
}

//! An object store that speaks S3: MinIO, which lets nobody in.

use super::{
    super::{reply::Reply, request::Method},
    Visit, escaped,
};
use alloc::{format, string::String};

pub(super) fn respond(visit: &Visit<'_>) -> Reply {
    let path = visit.path();
    match path {
        "/minio/health/live" | "/minio/health/ready" | "/minio/health/cluster" if is_read(visit) => {
            headers(visit, "200 OK", "", String::new())
        }
        // A browser is sent to the console, which listens on a port of its own that is not open to strangers.
        "/" if is_read(visit) && visit.asked.browser && !visit.asked.authorized => {
            let host = visit.host();
            let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
            let scheme = if visit.house.secure { "https" } else { "http" };
            headers(visit, "307 Temporary Redirect", "", String::new()).with("Location", format!("{scheme}://{name}:9001"))
        }
        _ if path.starts_with("/minio/") => {
            error(visit, "400 Bad Request", "InvalidRequest", "Invalid Request (invalid method or path)")
        }
        _ if visit.asked.authorized => {
            error(visit, "403 Forbidden", "InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.")
        }
        _ if visit.asked.method == Method::Trace => error(
            visit,
            "405 Method Not Allowed",
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        ),
        _ => error(visit, "403 Forbidden", "AccessDenied", "Access Denied."),
    }
}

fn is_read(visit: &Visit<'_>) -> bool {
    matches!(visit.asked.method, Method::Get | Method::Head)
}

fn error(visit: &Visit<'_>, status: &'static str, code: &str, text: &str) -> Reply {
    let path = visit.path();
    let mut parts = path.trim_start_matches('/').splitn(2, '/').map(|part| escaped(part).chars().take(300).collect::<String>());
    let (bucket, key) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let named = |tag: &str, value: &str| if value.is_empty() { String::new() } else { format!("<{tag}>{value}</{tag}>") };
    let resource: String = escaped(path).chars().take(600).collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{text}</Message>{}{}<Resource>{resource}</Resource>\
         <RequestId>{}</RequestId><HostId>{}</HostId></Error>",
        named("Key", &key),
        named("BucketName", &bucket),
        request_id(visit),
        visit.digits("minio host", 64)
    );
    headers(visit, status, "application/xml", body)
}

/// Hexadecimal nanoseconds, as MinIO numbers requests.
fn request_id(visit: &Visit<'_>) -> String {
    let below = u64::from_str_radix(&visit.own_digits("minio request", 4), 16).unwrap_or_default() % 1_000;
    format!("{:X}", visit.frame.now.0.saturating_mul(1_000).saturating_add(below))
}

fn headers(visit: &Visit<'_>, status: &'static str, kind: &'static str, body: String) -> Reply {
    let length = format!("{}", body.len());
    let mut reply = Reply::new(status, "", body).with("Accept-Ranges", "bytes").with("Content-Length", length);
    if !kind.is_empty() {
        reply = reply.with("Content-Type", kind);
    }
    reply
        .with("Server", String::from(visit.frame.banner))
        .with("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        .with("Vary", "Origin")
        .with("Vary", "Accept-Encoding")
        .with("X-Amz-Id-2", visit.digits("minio host", 64))
        .with("X-Amz-Request-Id", request_id(visit))
        .with("X-Content-Type-Options", "nosniff")
        .with("X-Xss-Protection", "1; mode=block")
}

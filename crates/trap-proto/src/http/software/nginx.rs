//! nginx, as Debian 13 ships it: it tells its name and not its version. Compared with nginx 1.26.3.

use super::{super::reply::Reply, Frame, Refusal, http_date, length, line, lines};
use alloc::{format, string::String};

/// Headers that it writes before `Connection`.
const EARLY: [&str; 2] = ["Last-Modified", "Location"];

pub(super) fn head(head: &mut String, reply: &Reply, frame: &Frame<'_>, chunked: bool) {
    line(head, "Server", frame.banner);
    line(head, "Date", &http_date(frame.now));
    if !reply.kind.is_empty() {
        line(head, "Content-Type", reply.kind);
    }
    if !chunked && !reply.made {
        length(head, "Content-Length", reply);
    }
    lines(head, reply.headers.iter().filter(|(name, _)| EARLY.contains(name)));
    if chunked {
        line(head, "Transfer-Encoding", "chunked");
    }
    line(head, "Connection", if frame.keep_alive { "keep-alive" } else { "close" });
    lines(head, reply.headers.iter().filter(|(name, _)| !EARLY.contains(name)));
}

pub(super) fn refusal(refusal: Refusal, frame: &Frame<'_>) -> Reply {
    let (status, title, more) = match refusal {
        Refusal::BadRequest | Refusal::MissingHost => ("400 Bad Request", "400 Bad Request", ""),
        Refusal::HeadTooLarge => {
            ("400 Bad Request", "400 Request Header Or Cookie Too Large", "Request Header Or Cookie Too Large")
        }
        Refusal::BodyTooLarge => ("413 Request Entity Too Large", "413 Request Entity Too Large", ""),
        Refusal::TargetTooLong => ("414 Request-URI Too Large", "414 Request-URI Too Large", ""),
        Refusal::NotImplemented => ("501 Not Implemented", "501 Not Implemented", ""),
        Refusal::Version => ("505 HTTP Version Not Supported", "505 HTTP Version Not Supported", ""),
        Refusal::Unsecured => (
            "400 Bad Request",
            "400 The plain HTTP request was sent to HTTPS port",
            "The plain HTTP request was sent to HTTPS port",
        ),
    };
    let heading = if more.is_empty() { title } else { status };
    Reply::new(status, "text/html", html(title, heading, more, frame.banner))
}

/// One of its own pages.
pub(in crate::http) fn page(status: &'static str, banner: &str) -> Reply {
    let title = if status.starts_with("401") { "401 Authorization Required" } else { status };
    Reply::new(status, "text/html", html(title, title, "", banner))
}

/// A part of a page that has parts; of several at once the whole page.
pub(super) fn part(mut reply: Reply, range: &str, frame: &Frame<'_>) -> Reply {
    let Some(at) = reply.headers.iter().position(|(name, _)| *name == "Accept-Ranges") else { return reply };
    let Some(range) = range.strip_prefix("bytes=").filter(|range| !range.contains(',')) else { return reply };
    let whole = reply.body.len();
    let number = |digits: &str| digits.trim().parse::<usize>().ok();
    let asked = match range.trim().split_once('-').map(|(from, to)| (number(from), from.trim(), number(to), to.trim())) {
        Some((Some(from), _, Some(to), _)) if from <= to => Some((from, to)),
        Some((Some(from), _, None, "")) => Some((from, usize::MAX)),
        Some((None, "", Some(last), _)) => Some((whole.saturating_sub(last), usize::MAX)),
        _ => None,
    };
    match asked {
        Some((from, to)) if from < whole => {
            let end = to.min(whole - 1) + 1;
            let part = reply.body.get(from..end).unwrap_or_default().to_vec();
            reply.headers[at] = ("Content-Range", format!("bytes {from}-{}/{whole}", end - 1).into());
            reply.status = "206 Partial Content";
            reply.body = part.into();
            reply
        }
        _ => page("416 Requested Range Not Satisfiable", frame.banner).with("Content-Range", format!("bytes */{whole}")),
    }
}

fn html(title: &str, heading: &str, more: &str, banner: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!("<center>{more}</center>\r\n") };
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{heading}</h1></center>\r\n{more}\
         <hr><center>{banner}</center>\r\n</body>\r\n</html>\r\n"
    )
}

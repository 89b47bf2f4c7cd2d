//! Apache httpd, as Debian 13 ships it. Compared with Apache 2.4.71.

use super::{
    super::{reply::Reply, request::Method, sites::escaped},
    Frame, Refusal, http_date, line, lines,
};
use alloc::{format, string::String};
use core::fmt::Write;

pub(super) fn head(head: &mut String, reply: &Reply, frame: &Frame<'_>, chunked: bool) {
    line(head, "Date", &http_date(frame.now));
    line(head, "Server", frame.banner);
    lines(head, &reply.headers);
    if !chunked && !reply.made && (frame.method != Method::Head || reply.status.starts_with("200")) {
        let _ = write!(head, "Content-Length: {}\r\n", reply.body.len());
    }
    if reply.headers.iter().any(|(name, _)| *name == "Connection") {
        // The application has said it.
    } else if !frame.keep_alive {
        line(head, "Connection", "close");
    } else if frame.keep_alive_said {
        let _ = write!(head, "Keep-Alive: timeout=5, max={}\r\n", frame.requests_left);
        line(head, "Connection", "Keep-Alive");
    }
    if chunked {
        line(head, "Transfer-Encoding", "chunked");
    }
    if !reply.kind.is_empty() {
        line(head, "Content-Type", reply.kind);
    }
}

const UNREADABLE: &str = "Your browser sent a request that this server could not understand.<br />\n";

pub(super) fn refusal(refusal: Refusal, frame: &Frame<'_>) -> Reply {
    // It does not know yet which of its names was asked.
    let own = format!("{}.{}", frame.own_name, frame.own_domain);
    let frame = Frame { host: &own, ..*frame };
    match refusal {
        Refusal::BadRequest | Refusal::MissingHost | Refusal::Version => page("400 Bad Request", UNREADABLE, &frame),
        Refusal::HeadTooLarge => {
            page("400 Bad Request", &format!("{UNREADABLE}Size of a request header field exceeds server limit."), &frame)
        }
        Refusal::BodyTooLarge => page(
            "413 Request Entity Too Large",
            "The requested resource does not allow request data with this request, or the amount of data provided in\nthe request exceeds the capacity limit.",
            &frame,
        ),
        Refusal::TargetTooLong => page(
            "414 Request-URI Too Long",
            "The requested URL's length exceeds the capacity\nlimit for this server.<br />\n",
            &frame,
        ),
        Refusal::NotImplemented => page("400 Bad Request", UNREADABLE, &frame),
        Refusal::Unsecured => page(
            "400 Bad Request",
            &format!(
                "{UNREADABLE}Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n Instead use the HTTPS scheme to access this URL, please.<br />\n"
            ),
            &frame,
        ),
    }
}

/// What it says to a target that it cannot read.
pub(super) fn unreadable(frame: &Frame<'_>) -> Reply {
    page("400 Bad Request", UNREADABLE, frame)
}

/// What it says to what it is expected to do and cannot.
pub(super) fn unexpected(expected: &str, frame: &Frame<'_>) -> Reply {
    let text = format!(
        "The expectation given in the Expect request-header\nfield could not be met by this server.\nThe client sent<pre>\n    \
         Expect: {}\n</pre>\n</p><p>Only the 100-continue expectation is supported.",
        escaped(expected)
    );
    page("417 Expectation Failed", &text, frame)
}

/// One of its own pages.
pub(in crate::http) fn page(status: &'static str, text: &str, frame: &Frame<'_>) -> Reply {
    let heading = status.split_once(' ').map_or(status, |(_, heading)| heading);
    let port = if frame.secure { 443 } else { 80 };
    let host = frame.host.split(':').next().unwrap_or_default();
    let host: String = host.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_')).collect();
    let body = format!(
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n<html><head>\n\
         <title>{status}</title>\n</head><body>\n<h1>{heading}</h1>\n<p>{text}</p>\n<hr>\n\
         <address>{} Server at {host} Port {port}</address>\n</body></html>\n",
        frame.banner
    );
    Reply::new(status, "text/html; charset=iso-8859-1", body)
}

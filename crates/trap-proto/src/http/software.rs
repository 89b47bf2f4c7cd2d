//! The servers: in which order they write headers, how they end connections, and what they say to what they cannot read.

mod apache;
mod nginx;

use super::{
    date::http_date,
    reply::{Frame, Refusal, Reply},
    request::{Asked, Method, Version},
    target::{self, Fault},
};
use alloc::{borrow::Cow, format, string::String, vec::Vec};
use core::fmt::Write;

pub(super) use apache::page as apache_page;
pub(super) use nginx::page as nginx_page;

/// Longer answers of a Go program that does not say their length come in chunks, in bytes.
const GO_BUFFER_BYTES: usize = 2_048;

/// A web server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Software {
    #[default]
    Nginx,
    Apache,
    /// OpenWrt's.
    Uhttpd,
    /// Java's, as Jenkins has it.
    Jetty,
    /// The one in Go's standard library.
    Go,
    /// Java's, as Elasticsearch has it.
    Netty,
}

impl Software {
    /// The most that a body may have, in bytes.
    pub(super) const fn body_bytes_max(self) -> u64 {
        match self {
            Self::Nginx => 1 << 20,
            _ => 3 << 20,
        }
    }

    /// What it says to a target that it does not even look for; the connection ends with it.
    pub(super) fn objection(self, asked: &Asked, frame: &Frame<'_>) -> Option<Reply> {
        let is_everything = asked.path == "*" && asked.verb == "OPTIONS";
        match (self, target::fault(&asked.path)) {
            (Self::Nginx, Some(_)) => Some(nginx::refusal(Refusal::BadRequest, frame)),
            (Self::Nginx, None) if is_everything => Some(nginx::refusal(Refusal::BadRequest, frame)),
            (Self::Apache, Some(Fault::Root | Fault::Percent)) => Some(apache::unreadable(frame)),
            (Self::Apache, _) => asked.expects.as_ref().map(|expected| apache::unexpected(expected, frame)),
            _ => None,
        }
    }

    /// The part of a page that is asked for, where the server gives parts.
    pub(super) fn part(self, reply: Reply, asked: &Asked, frame: &Frame<'_>) -> Reply {
        match &asked.range {
            Some(range) if self == Self::Nginx && reply.status.starts_with("200") => nginx::part(reply, range, frame),
            _ => reply,
        }
    }

    /// Writes an answer.
    pub(super) fn write(self, reply: &Reply, frame: &Frame<'_>, answer: &mut Vec<u8>) {
        if frame.version == Version::Simple {
            answer.extend_from_slice(&reply.body);
            return;
        }
        let chunked = self.is_chunked(reply, frame);
        let version = match (self, frame.version) {
            // They answer in the version they were asked in.
            (Self::Go | Self::Uhttpd | Self::Netty, Version::Http10) => "1.0",
            // So does PHP, where it says something else than that all is well.
            (Self::Apache, Version::Http10) if reply.kind.ends_with("UTF-8") && !reply.status.starts_with("200") => "1.0",
            _ => "1.1",
        };
        let mut head = format!("HTTP/{version} {}\r\n", reply.status);
        match self {
            Self::Nginx => nginx::head(&mut head, reply, frame, chunked),
            Self::Apache => apache::head(&mut head, reply, frame, chunked),
            Self::Uhttpd => uhttpd(&mut head, reply, frame, chunked),
            Self::Jetty => jetty(&mut head, reply, frame, chunked),
            Self::Go => go(&mut head, reply, frame, chunked),
            Self::Netty => netty(&mut head, reply, frame),
        }
        answer.extend_from_slice(head.as_bytes());
        answer.extend_from_slice(b"\r\n");
        if frame.method == Method::Head {
            return;
        }
        if chunked && !reply.body.is_empty() {
            answer.extend_from_slice(format!("{:x}\r\n", reply.body.len()).as_bytes());
            answer.extend_from_slice(&reply.body);
            answer.extend_from_slice(b"\r\n0\r\n\r\n");
        } else if chunked {
            answer.extend_from_slice(b"0\r\n\r\n");
        } else {
            answer.extend_from_slice(&reply.body);
        }
    }

    fn is_chunked(self, reply: &Reply, frame: &Frame<'_>) -> bool {
        frame.version == Version::Http11
            && !frame.is_endless
            && match self {
                Self::Go => reply.made && (reply.streamed || reply.body.len() > GO_BUFFER_BYTES),
                Self::Nginx | Self::Apache => reply.made && frame.method != Method::Head,
                _ => reply.made,
            }
    }

    /// What it says to what it cannot read. The connection ends with it.
    pub(super) fn refusal(self, refusal: Refusal, frame: &Frame<'_>) -> Reply {
        match self {
            Self::Nginx => nginx::refusal(refusal, frame),
            Self::Apache => apache::refusal(refusal, frame),
            Self::Uhttpd => match refusal {
                Refusal::BodyTooLarge => {
                    Reply::made("413 Request Entity Too Large", "text/html", "<h1>Request Entity Too Large</h1>")
                }
                _ => Reply::made("400 Bad Request", "text/html", "<h1>Bad Request</h1>"),
            },
            Self::Jetty => {
                let (status, title, why) = jetty_words(refusal);
                let body = format!("<h1>Bad Message {title}</h1><pre>reason: {why}</pre>");
                Reply::new(status, "", body).with("Content-Type", "text/html;charset=iso-8859-1")
            }
            Self::Go => {
                let (status, text) = go_words(refusal);
                Reply::new(status, "", text)
            }
            Self::Netty => {
                let body = "{\"error\":{\"root_cause\":[{\"type\":\"illegal_argument_exception\",\"reason\":\"invalid version format: \"}],\
                     \"type\":\"illegal_argument_exception\",\"reason\":\"invalid version format: \"},\"status\":400}";
                Reply::new("400 Bad Request", "application/json", body)
            }
        }
    }

    /// Writes a refusal.
    pub(super) fn refuse(self, refusal: Refusal, frame: &Frame<'_>, answer: &mut Vec<u8>) {
        let reply = self.refusal(refusal, frame);
        if self != Self::Go {
            self.write(&reply, frame, answer);
            return;
        }
        // Written past everything else, without a date or a length.
        let head = match refusal {
            Refusal::Unsecured => "HTTP/1.0 400 Bad Request\r\n\r\n".into(),
            _ => format!("HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n", reply.status),
        };
        answer.extend_from_slice(head.as_bytes());
        answer.extend_from_slice(&reply.body);
    }
}

fn jetty_words(refusal: Refusal) -> (&'static str, &'static str, &'static str) {
    match refusal {
        Refusal::HeadTooLarge => ("431 Request Header Fields Too Large", "431", "Request Header Fields Too Large"),
        Refusal::BodyTooLarge => ("413 Payload Too Large", "413", "Payload Too Large"),
        Refusal::TargetTooLong => ("414 URI Too Long", "414", "URI Too Long"),
        Refusal::NotImplemented => ("501 Not Implemented", "501", "Unsupported Transfer-Encoding"),
        Refusal::Version => ("505 HTTP Version Not Supported", "505", "Unknown Version"),
        Refusal::MissingHost => ("400 Bad Request", "400", "No Host"),
        Refusal::BadRequest | Refusal::Unsecured => ("400 Bad Request", "400", "Bad Request"),
    }
}

const UNSUPPORTED_VERSION: &str = "505 HTTP Version Not Supported: unsupported protocol version";
const MISSING_HOST: &str = "400 Bad Request: missing required Host header";

fn go_words(refusal: Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::HeadTooLarge | Refusal::TargetTooLong => {
            ("431 Request Header Fields Too Large", "431 Request Header Fields Too Large")
        }
        Refusal::BodyTooLarge => ("413 Request Entity Too Large", "413 Request Entity Too Large"),
        Refusal::NotImplemented => ("501 Not Implemented", "Unsupported transfer encoding"),
        Refusal::Version => (UNSUPPORTED_VERSION, UNSUPPORTED_VERSION),
        Refusal::BadRequest => ("400 Bad Request", "400 Bad Request"),
        Refusal::MissingHost => (MISSING_HOST, MISSING_HOST),
        Refusal::Unsecured => ("400 Bad Request", "Client sent an HTTP request to an HTTPS server.\n"),
    }
}

/// One line.
fn line(head: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = write!(head, "{name}: {value}\r\n");
}

fn lines<'a>(head: &mut String, headers: impl IntoIterator<Item = &'a (&'static str, Cow<'static, str>)>) {
    for (name, value) in headers {
        line(head, name, value);
    }
}

fn length(head: &mut String, name: &str, reply: &Reply) {
    let _ = write!(head, "{name}: {}\r\n", reply.body.len());
}

fn uhttpd(head: &mut String, reply: &Reply, frame: &Frame<'_>, chunked: bool) {
    line(head, "Connection", if frame.keep_alive { "Keep-Alive" } else { "close" });
    if chunked {
        line(head, "Transfer-Encoding", "chunked");
    }
    if frame.keep_alive {
        line(head, "Keep-Alive", "timeout=20");
    }
    lines(head, &reply.headers);
    if !reply.kind.is_empty() {
        line(head, "Content-Type", reply.kind);
    }
    if !chunked && !reply.made {
        length(head, "Content-Length", reply);
    }
}

fn jetty(head: &mut String, reply: &Reply, frame: &Frame<'_>, chunked: bool) {
    line(head, "Server", "Jetty(12.0.25)");
    line(head, "Date", &http_date(frame.now));
    lines(head, &reply.headers);
    if chunked {
        line(head, "Transfer-Encoding", "chunked");
    } else {
        length(head, "Content-Length", reply);
    }
    if !frame.keep_alive {
        line(head, "Connection", "close");
    }
}

fn go(head: &mut String, reply: &Reply, frame: &Frame<'_>, chunked: bool) {
    lines(head, &reply.headers);
    line(head, "Date", &http_date(frame.now));
    let has_length = reply.headers.iter().any(|(name, _)| *name == "Content-Length")
        || reply.status.starts_with("204")
        || reply.status.starts_with("304")
        || reply.status.starts_with("101");
    if !chunked && !has_length {
        length(head, "Content-Length", reply);
    }
    if !reply.kind.is_empty() {
        line(head, "Content-Type", reply.kind);
    }
    match (frame.keep_alive, frame.version) {
        (false, Version::Http11) => line(head, "Connection", "close"),
        (true, Version::Http10) => line(head, "Connection", "keep-alive"),
        _ => {}
    }
    if chunked {
        line(head, "Transfer-Encoding", "chunked");
    }
}

fn netty(head: &mut String, reply: &Reply, frame: &Frame<'_>) {
    lines(head, &reply.headers);
    if !reply.kind.is_empty() {
        line(head, "content-type", reply.kind);
    }
    length(head, "content-length", reply);
    if !frame.keep_alive && frame.version == Version::Http11 {
        line(head, "connection", "close");
    }
}

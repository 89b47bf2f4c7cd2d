//! An answer as an application gives it, before its server puts it into bytes.

use super::request::{Method, Version};
use alloc::{borrow::Cow, string::String, vec::Vec};
use honeymesh_types::WallTime;

/// Why a server refuses a request before any application sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    /// HTTP/1.1 without a `Host`.
    MissingHost,
    HeadTooLarge,
    BodyTooLarge,
    TargetTooLong,
    NotImplemented,
    Version,
    /// What is said in the clear to a port that speaks TLS.
    Unsecured,
}

/// Names and values, in their order.
pub(super) type Headers = Vec<(&'static str, Cow<'static, str>)>;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    /// Number and reason.
    pub(super) status: &'static str,
    /// Its `Content-Type`, where the server puts it; empty if the headers have it, or none.
    pub(super) kind: &'static str,
    /// In their order.
    pub(super) headers: Headers,
    pub(super) body: Cow<'static, [u8]>,
    /// Made by a program, so that the server does not know its length before.
    pub(super) made: bool,
    /// Sent on while it is made, however short it is.
    pub(super) streamed: bool,
}

impl Reply {
    /// One whose length is known.
    pub(super) fn new(status: &'static str, kind: &'static str, body: impl Into<Body>) -> Self {
        Self { status, kind, headers: Vec::new(), body: body.into().0, made: false, streamed: false }
    }

    /// One that a program makes.
    pub(super) fn made(status: &'static str, kind: &'static str, body: impl Into<Body>) -> Self {
        Self { made: true, ..Self::new(status, kind, body) }
    }

    /// The same with a remark at the end of its page, if it is a page and no error's.
    pub(super) fn remark(&mut self, remark: &str) {
        const END: &[u8] = b"</body>";
        let is_page = !remark.is_empty() && self.status.starts_with("200");
        if let Some(place) = is_page.then(|| memchr::memmem::rfind(&self.body, END)).flatten() {
            let (page, end) = self.body.split_at(place);
            self.body = Cow::Owned([page, remark.as_bytes(), end].concat());
        }
    }

    /// More headers.
    pub(super) fn and(mut self, headers: Headers) -> Self {
        self.headers.extend(headers);
        self
    }

    /// One more header.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The bytes of an answer.
pub(super) struct Body(Cow<'static, [u8]>);

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text.into_bytes()))
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

/// What the form of an answer depends on besides the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// What the server calls itself.
    pub(super) banner: &'a str,
    pub(super) now: WallTime,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    /// The stranger has said that it wants to go on.
    pub(super) keep_alive_said: bool,
    /// A body ends with the connection alone.
    pub(super) is_endless: bool,
    /// Requests that this connection may still have.
    pub(super) requests_left: usize,
    /// The `Host` that was asked, as far as known.
    pub(super) host: &'a str,
    /// The machine's own name.
    pub(super) own_name: &'a str,
    /// The same with its domain.
    pub(super) own_domain: &'a str,
    pub(super) secure: bool,
}

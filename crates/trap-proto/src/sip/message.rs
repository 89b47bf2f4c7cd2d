//! A SIP message: a line, headers, and what follows them.

use alloc::vec::Vec;

/// Headers that are looked at.
const HEADERS_MAX: usize = 64;
/// Headers that may be written with one letter (RFC 3261, 7.3.3).
const COMPACT: [(&str, &str); 6] =
    [("v", "via"), ("f", "from"), ("t", "to"), ("i", "call-id"), ("l", "content-length"), ("m", "contact")];

/// What somebody has sent.
pub(super) enum Message<'a> {
    Request(Request<'a>),
    Response,
    KeepAlive,
    Broken,
}

/// A request, in its own octets.
pub(super) struct Request<'a> {
    pub(super) method: &'a [u8],
    pub(super) uri: &'a [u8],
    headers: Vec<(&'a [u8], &'a [u8])>,
}

/// Reads what came, as far as it can be read.
pub(super) fn read(bytes: &[u8]) -> Message<'_> {
    if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Message::KeepAlive;
    }
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.by_ref().find(|line| !line.is_empty()).unwrap_or_default();
    if first.starts_with(b"SIP/2.0 ") {
        return Message::Response;
    }
    let mut words = first.split(|byte| *byte == b' ');
    let (Some(method), Some(uri), Some(b"SIP/2.0"), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Message::Broken;
    };
    let is_method = !method.is_empty() && method.iter().all(u8::is_ascii_uppercase);
    if !is_method || uri.is_empty() {
        return Message::Broken;
    }
    let header = |line: &'_ [u8]| line.iter().position(|byte| *byte == b':');
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| header(line).map(|colon| (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii())))
        .take(HEADERS_MAX)
        .collect();
    Message::Request(Request { method, uri, headers })
}

impl<'a> Request<'a> {
    /// All values of a header (its long name in small letters), in their order.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let short = COMPACT.iter().find(|(_, long)| *long == name).map_or(name, |(short, _)| short);
        let is = move |written: &[u8]| [name, short].iter().any(|name| written.eq_ignore_ascii_case(name.as_bytes()));
        self.headers.iter().filter(move |(written, _)| is(written)).map(|(_, value)| *value)
    }

    /// The first value of a header.
    pub(super) fn header(&self, name: &'static str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// Has it everything that an answer repeats?
    pub(super) fn can_be_answered(&self) -> bool {
        ["via", "from", "to", "call-id", "cseq"].iter().all(|name| self.header(name).is_some())
    }

    /// How many octets follow the headers.
    pub(super) fn body_bytes(&self) -> usize {
        let length = self.header("content-length").and_then(|value| core::str::from_utf8(value).ok()?.parse().ok());
        length.unwrap_or(0)
    }
}

/// The name of `"Bob" <sip:bob@host>;tag=1` or of `sip:bob@host`.
pub(super) fn user(address: &[u8]) -> Option<&[u8]> {
    let colon = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| {
        let at = address.windows(scheme.len()).position(|part| part.eq_ignore_ascii_case(scheme.as_bytes()))?;
        Some(at + scheme.len())
    })?;
    let rest = &address[colon..];
    let end = rest.iter().position(|byte| matches!(byte, b'@' | b'>' | b';'))?;
    (rest[end] == b'@' && end > 0).then(|| &rest[..end])
}

/// The value of a parameter such as `;branch=…`.
pub(super) fn parameter<'a>(value: &'a [u8], name: &str) -> Option<&'a [u8]> {
    value.split(|byte| *byte == b';').skip(1).find_map(|part| {
        let (written, value) = part.split_at(part.iter().position(|byte| *byte == b'=')?);
        let end = value.iter().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(value.len());
        written.trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then(|| &value[1..end])
    })
}

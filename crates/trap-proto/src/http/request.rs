//! The head of a request: read as strictly as nginx reads it, refused with nginx's statuses.

use super::{
    body::Body,
    credentials::{self, Credentials},
    fingerprint::fingerprint,
    reply::Refusal,
    software::Software,
};
use crate::Findings;
use alloc::{borrow::Cow, format, string::String, vec::Vec};
use honeymesh_types::Signs;
use httparse::{EMPTY_HEADER, Header, ParserConfig, Request, Status};

/// The longest line of a head, in bytes: nginx's own limit.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1_024;
/// The longest head, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// The most that is kept of what an expectation or a part is written like, in characters.
const TEXT_CHARS_MAX: usize = 100;
/// The most header lines.
const HEADERS_MAX: usize = 100;

/// What an answer depends on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// The method as it was written.
    pub(super) verb: String,
    /// The target without its query.
    pub(super) path: String,
    /// What follows the first question mark.
    pub(super) query: String,
    pub(super) host: String,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    /// The stranger has said so itself.
    pub(super) keep_alive_said: bool,
    /// It said how long its body is in two ways.
    pub(super) is_said_twice: bool,
    /// The stranger waits for leave to send its body.
    pub(super) expects_continue: bool,
    /// It expects something else.
    pub(super) expects: Option<String>,
    /// The part of the page that it wants.
    pub(super) range: Option<String>,
    pub(super) content: Content,
    /// It came with credentials.
    pub(super) authorized: bool,
    /// It came with a cookie.
    pub(super) cookie: bool,
    /// It calls itself a browser.
    pub(super) browser: bool,
}

/// What kind of body it says that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A form; many tools forget to say that they send one.
    Form,
    Json,
    Xml,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Trace,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// A request line without a version is answered without a head.
    Simple,
    Http10,
    Http11,
}

impl Version {
    const fn text(self) -> &'static [u8] {
        match self {
            Self::Simple => b"0.9",
            Self::Http10 => b"1.0",
            Self::Http11 => b"1.1",
        }
    }
}

/// A head as far as it goes, byte by byte, so that it is refused as early as nginx refuses it.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    line_start: usize,
    lines: usize,
    /// The space behind the method was seen.
    method_ended: bool,
    software: Software,
}

/// What one more byte made of a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Complete,
    Refused(Refusal),
}

impl Head {
    /// The next one that a server reads.
    pub(super) fn of(software: Software) -> Self {
        Self { software, ..Self::default() }
    }

    pub(super) fn push(&mut self, byte: u8) -> Step {
        // Empty lines before a request are skipped (RFC 9112, section 2.2).
        if self.bytes.is_empty() && matches!(byte, b'\r' | b'\n') {
            return Step::More;
        }
        self.bytes.push(byte);
        if byte == b'\n' {
            return self.line_ended();
        }
        if self.lines == 0 && !self.may_begin(byte) {
            return Step::Refused(Refusal::BadRequest);
        }
        self.too_large()
    }

    fn too_large(&self) -> Step {
        let line_too_long = self.bytes.len() - self.line_start > LINE_BYTES_MAX;
        match (self.lines, line_too_long || self.bytes.len() > HEAD_BYTES_MAX) {
            (_, false) => Step::More,
            (0, true) => Step::Refused(Refusal::TargetTooLong),
            (_, true) => Step::Refused(Refusal::HeadTooLarge),
        }
    }

    /// A method is upper case up to the first space: another protocol shows in its first bytes. Apache waits for the line.
    fn may_begin(&mut self, byte: u8) -> bool {
        let reads_lines = self.software == Software::Apache;
        let sound = reads_lines || self.method_ended || byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-');
        self.method_ended |= byte == b' ' && self.bytes.len() > 1;
        sound || self.method_ended
    }

    fn line_ended(&mut self) -> Step {
        let line = self.bytes.get(self.line_start..).unwrap_or_default().trim_ascii_end();
        let (first, empty) = (self.lines == 0, line.is_empty());
        // It is strict with what stands between words and lines, too (`HttpProtocolOptions Strict`).
        let is_loose = !self.bytes.ends_with(b"\r\n") || (first && line.windows(2).any(|pair| pair == b"  "));
        if self.software == Software::Apache && is_loose {
            return Step::Refused(Refusal::BadRequest);
        }
        let verdict = if first { request_line(line, self.software) } else { Step::More };
        self.line_start = self.bytes.len();
        self.lines += 1;
        match (verdict, empty) {
            (Step::More, true) => Step::Complete,
            (Step::More, false) => self.too_large(),
            (verdict, _) => verdict,
        }
    }

    /// The first line, for the record of a request that could not be read.
    pub(super) fn request_line(&self) -> &[u8] {
        self.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end()
    }
}

/// Checks a request line. A line of two words is HTTP/0.9, whole with its first line.
fn request_line(line: &[u8], software: Software) -> Step {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (method, target, version) = (words.next(), words.next(), words.next());
    let sound_target = target.is_some_and(|target| target.starts_with(b"/") || target.windows(3).any(|part| part == b"://"));
    match (method, version) {
        // Apache looks for what a proxy is asked for as for any other page.
        (Some(b"CONNECT"), Some(b"HTTP/1.0" | b"HTTP/1.1")) if software == Software::Apache => Step::More,
        _ if !sound_target && target != Some(b"*") => Step::Refused(Refusal::BadRequest),
        (Some(b"GET"), None) => Step::Complete,
        (_, Some(b"HTTP/2.0")) if sound_target && software == Software::Apache => Step::More,
        (_, Some([b'H', b'T', b'T', b'P', b'/', version @ ..])) if sound_target && is_newer(version) => {
            Step::Refused(Refusal::Version)
        }
        (_, Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ ..])) if is_number(minor) => Step::More,
        _ => Step::Refused(Refusal::BadRequest),
    }
}

/// A version of two or more before its point, if it has one.
fn is_newer(version: &[u8]) -> bool {
    let digits = version.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = version.get(digits..).unwrap_or_default();
    (rest.is_empty() || rest.starts_with(b".")) && (digits > 1 || matches!(version.first(), Some(b'2'..=b'9')))
}

fn is_number(digits: &[u8]) -> bool {
    (1..=2).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

/// Reads a complete head: notes what is worth noting, says what was asked and what body follows.
///
/// # Errors
/// The status nginx refuses it with; what could be read is noted.
pub(super) fn read(head: &[u8], software: Software, findings: &mut Findings) -> Result<(Asked, Body), Refusal> {
    let readable = readable(head, software);
    let head = readable.as_ref();
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let mut config = ParserConfig::default();
    config.allow_multiple_spaces_in_request_line_delimiters(true);
    match config.parse_request(&mut request, head) {
        Ok(Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        // The head is complete, so what httparse would wait for is a request line without a version.
        Ok(Status::Partial) | Err(_) => return simple(head, findings),
    }
    let method = request.method.unwrap_or_default();
    let target = request.path.unwrap_or_default();
    let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
    note_request(method, target.as_bytes(), version, findings);
    findings.note("hm_http", fingerprint(method, version.text(), request.headers).as_bytes());
    let credentials = note_headers(request.headers, findings);
    let mut asked = asked(method, target, version, request.headers, credentials);
    checked_host(version, request.headers, software)?;
    if method == "CONNECT" && software == Software::Apache && !target.contains('/') {
        asked.host = target.into();
    }
    if software == Software::Apache && asked.is_said_twice {
        findings.signs |= Signs::MALFORMED;
        asked.keep_alive = false;
        return Ok((asked, Body::chunked(software.body_bytes_max())));
    }
    body(request.headers, software.body_bytes_max(), findings).map(|body| (asked, body))
}

/// The head as a parser that knows two versions and no octets above 127 can read it: the server's own reader is more patient.
fn readable(head: &[u8], software: Software) -> Cow<'_, [u8]> {
    let end = head.iter().position(|byte| *byte == b'\n').unwrap_or(head.len());
    let (line, rest) = head.split_at(end);
    let version = line.trim_ascii_end();
    let is_later = version.len() > 8
        && matches!(version[version.len() - 8..], [b'H', b'T', b'T', b'P', b'/', b'1'..=b'2', b'.', b'0'..=b'9'])
        && !matches!(version[version.len() - 3..], [b'1', b'.', b'0' | b'1']);
    let is_nameless =
        |line: &[u8]| !line.is_empty() && line.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let drops = software == Software::Nginx && rest.split(|byte| *byte == b'\n').any(|line| is_nameless(line.trim_ascii_end()));
    if !is_later && !drops && line.is_ascii() {
        return Cow::Borrowed(head);
    }
    let (line, version) = if is_later { version.split_at(version.len() - 8) } else { (line, &[][..]) };
    let mut readable = Vec::with_capacity(head.len() + 16);
    for byte in line {
        if byte.is_ascii() {
            readable.push(*byte);
        } else {
            readable.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    if !version.is_empty() {
        readable.extend_from_slice(b"HTTP/1.1\r");
    }
    let lines = rest.split_inclusive(|byte| *byte == b'\n').filter(|line| !(drops && is_nameless(line.trim_ascii_end())));
    lines.for_each(|line| readable.extend_from_slice(line));
    Cow::Owned(readable)
}

/// `GET /path` without a version.
fn simple(head: &[u8], findings: &mut Findings) -> Result<(Asked, Body), Refusal> {
    let mut words = head.trim_ascii_end().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some(b"GET"), Some(target), None) => {
            note_request("GET", target, Version::Simple, findings);
            let path = String::from_utf8_lossy(target);
            Ok((asked("GET", &path, Version::Simple, &[], false), Body::counted(0)))
        }
        _ => Err(Refusal::BadRequest),
    }
}

fn note_request(method: &str, target: &[u8], version: Version, findings: &mut Findings) {
    findings.note("method", method.as_bytes());
    findings.note("path", target);
    findings.note("version", version.text());
}

/// Notes the headers that tell something; true if they had credentials.
fn note_headers(headers: &[Header<'_>], findings: &mut Findings) -> bool {
    let named = [
        ("host", "host"),
        ("user-agent", "user_agent"),
        ("content-type", "content_type"),
        ("referer", "referer"),
        ("cookie", "cookie"),
        ("x-forwarded-for", "x_forwarded_for"),
        ("x-registry-auth", "registry_auth"),
    ];
    for (header, field) in named {
        if let Some(value) = value(headers, header) {
            findings.note(field, value);
        }
    }
    let Some(authorization) = value(headers, "authorization") else { return false };
    match credentials::basic(authorization) {
        Some(credentials) => note_credentials(&credentials, findings),
        None => {
            findings.note("authorization", authorization);
            if let Some(credentials) = credentials::other_scheme(authorization) {
                note_credentials(&credentials, findings);
            }
        }
    }
    true
}

/// Notes what was offered to log in with, if there was a password.
pub(super) fn note_credentials(credentials: &Credentials, findings: &mut Findings) {
    if let Some(username) = &credentials.username {
        findings.note("username", username);
    }
    if let Some(password) = &credentials.password {
        findings.note("password", password);
        findings.signs |= Signs::CREDENTIALS;
    }
}

fn asked(method: &str, target: &str, version: Version, headers: &[Header<'_>], authorized: bool) -> Asked {
    let connection = value(headers, "connection").unwrap_or_default().to_ascii_lowercase();
    let text = |name: &str| -> Option<String> {
        Some(String::from_utf8_lossy(value(headers, name)?).chars().take(TEXT_CHARS_MAX).collect())
    };
    let says = |word: &[u8]| connection.split(|byte| *byte == b',').any(|part| part.trim_ascii() == word);
    Asked {
        method: match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "TRACE" => Method::Trace,
            _ => Method::Other,
        },
        verb: method.into(),
        path: path_of(target),
        query: target.split_once('?').map_or("", |(_, query)| query).into(),
        host: String::from_utf8_lossy(value(headers, "host").unwrap_or_default()).into_owned(),
        version,
        keep_alive_said: says(b"keep-alive"),
        is_said_twice: is_said_twice(headers),
        keep_alive: if version == Version::Http11 { !says(b"close") } else { says(b"keep-alive") },
        expects: text("expect").filter(|text| !text.eq_ignore_ascii_case("100-continue")),
        range: text("range"),
        expects_continue: value(headers, "expect").is_some_and(|text| text.eq_ignore_ascii_case(b"100-continue")),
        content: content(value(headers, "content-type")),
        cookie: value(headers, "cookie").is_some(),
        browser: value(headers, "user-agent").is_some_and(|agent| memchr::memmem::find(agent, b"Mozilla").is_some()),
        authorized,
    }
}

fn content(kind: Option<&[u8]>) -> Content {
    let Some(kind) = kind.map(<[u8]>::to_ascii_lowercase) else { return Content::Form };
    let has = |word: &[u8]| memchr::memmem::find(&kind, word).is_some();
    match () {
        () if kind.starts_with(b"application/x-www-form-urlencoded") => Content::Form,
        () if has(b"json") => Content::Json,
        () if has(b"xml") => Content::Xml,
        () => Content::Other,
    }
}

/// The path of a target in origin or absolute form, without its query.
fn path_of(target: &str) -> String {
    let origin = match target.split_once("://") {
        Some((_, behind)) => behind.find('/').map_or("/", |slash| &behind[slash..]),
        None => target,
    };
    origin.split(['?', '#']).next().unwrap_or_default().into()
}

/// The first value of a header.
fn value<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

fn values<'a>(headers: &[Header<'a>], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

fn checked_host(version: Version, headers: &[Header<'_>], software: Software) -> Result<(), Refusal> {
    let is_name = |host: &[u8]| host.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_~:[]%".contains(byte));
    let mut hosts = values(headers, "host");
    match (hosts.next(), hosts.next(), version) {
        (None, _, Version::Http11) => Err(Refusal::MissingHost),
        (_, Some(_), _) => Err(Refusal::BadRequest),
        (Some(b""), ..) if matches!(software, Software::Nginx | Software::Apache) => Err(Refusal::BadRequest),
        (Some(host), ..) if software == Software::Apache && !is_name(host) => Err(Refusal::BadRequest),
        (Some(host), ..) if host.iter().any(|byte| *byte <= b' ' || *byte == b'/') => Err(Refusal::BadRequest),
        _ => Ok(()),
    }
}

/// A length beside chunks, which Apache believes, and closes behind them (RFC 9112, section 6.1).
fn is_said_twice(headers: &[Header<'_>]) -> bool {
    let mut encodings = values(headers, "transfer-encoding");
    let is_chunked = encodings.next().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) && encodings.next().is_none();
    is_chunked && values(headers, "content-length").next().is_some()
}

/// What body follows. Both ways of saying so at once is how requests are smuggled.
fn body(headers: &[Header<'_>], bytes_max: u64, findings: &mut Findings) -> Result<Body, Refusal> {
    let mut lengths = values(headers, "content-length");
    let mut encodings = values(headers, "transfer-encoding");
    match (lengths.next(), lengths.next(), encodings.next(), encodings.next()) {
        (None, _, None, _) => Ok(Body::counted(0)),
        (Some(length), None, None, _) => match number(length) {
            Some(bytes) if bytes > bytes_max => Err(Refusal::BodyTooLarge),
            Some(bytes) => Ok(Body::counted(bytes)),
            None => Err(Refusal::BadRequest),
        },
        (None, _, Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::chunked(bytes_max)),
        (None, _, Some(_), None) => Err(Refusal::NotImplemented),
        _ => {
            findings.signs |= Signs::MALFORMED;
            Err(Refusal::BadRequest)
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Too many digits are too many bytes.
    Some(core::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}

//! TLS around a session: what comes in is opened and given to it, what it answers is sealed.
//!
//! What is kept of a hello is what was read in it: its bytes are noise, unless they are broken.
//!
//! It stands here and not among the protocols, because TLS needs randomness and a clock, which those do without. A hello alone is
//! not told at once: whoever is banned for it never shows what it came for. What it says next, its end, a failure or two seconds
//! tell it.

use crate::TlsIdentity;
use honeymesh_trap_proto::{
    Findings, Flow, Heard, HelloReader, Patience, Pause, RECORD_HEAD_BYTES, Session, Step, TdsEnvelope, TlsManner,
};
use honeymesh_types::{Signs, WallTime};
use rustls::{PeerIncompatible, PeerMisbehaved, ServerConfig, ServerConnection};
use std::{
    io::{self, Read, Write},
    sync::Arc,
};

/// Fatal alert `handshake_failure` in a record of TLS 1.2, as a server without a common cipher sends it.
pub(crate) const REFUSAL: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 40];
/// Fatal alert `unexpected_message`, as OpenSSL 3.5 sends it to whoever begins with something else than a hello.
const UNEXPECTED: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 10];
/// Reasons of alerts.
const UNEXPECTED_MESSAGE: u8 = 10;
const RECORD_OVERFLOW: u8 = 22;
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
const INAPPROPRIATE_FALLBACK: u8 = 86;
const MISSING_EXTENSION: u8 = 109;
const UNRECOGNIZED_NAME: u8 = 112;
/// The longest record whose plaintext can be whole, in bytes.
const RECORD_BYTES_MAX: u16 = 16 * 1_024;
/// The kind of a hello.
const CLIENT_HELLO: u8 = 1;
/// Versions that are spoken begin here: TLS 1.2.
const OLDEST: u16 = 0x0303;
const SSL_3: u16 = 0x0300;
/// The first byte of TLS, and the second: SSL 3 and all that came after it.
const HANDSHAKE: u8 = 0x16;
const VERSION: u8 = 3;
/// Plaintext taken from the library at once.
const READ_BYTES_MAX: usize = 4 * 1_024;

/// Speaks TLS as this machine, in each manner.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Vec<(TlsManner, Arc<ServerConfig>)>>);

impl Tls {
    /// # Errors
    /// The certificate and the key cannot be used.
    pub(crate) fn of(identity: &TlsIdentity) -> io::Result<Self> {
        let config = |manner| Ok((manner, Arc::new(identity.config(manner).map_err(io::Error::other)?)));
        Ok(Self(Arc::new(TlsManner::ALL.into_iter().map(config).collect::<io::Result<_>>()?)))
    }

    /// A session whose stranger has asked for TLS; `None` without its manner.
    pub(crate) fn around(&self, mut inner: Box<dyn Session>) -> Option<Box<dyn Session>> {
        let unread = inner.unread();
        let (_, config) = self.0.iter().find(|(manner, _)| *manner == inner.tls())?;
        let mut inside = Inside {
            needs_protocol: inner.tls() == TlsManner::Postgresql && !unread.is_empty(),
            envelope: (inner.tls() == TlsManner::Tds).then(TdsEnvelope::default),
            left: None,
            config: Arc::clone(config),
            state: State::Hello(Box::default()),
            findings: Findings::default(),
            waiting: Vec::new(),
            said: None,
            agreed: false,
            agreement: 0,
            pause_ms: 0,
            inner,
        };
        // A byte or three, of a hello that cannot be whole yet.
        let _ = inside.hello(&unread, WallTime(0), &mut Vec::new());
        Some(Box::new(inside))
    }
}

struct Inside {
    inner: Box<dyn Session>,
    config: Arc<ServerConfig>,
    state: State,
    /// PostgreSQL closes on who begins with TLS and names no protocol inside.
    needs_protocol: bool,
    /// The packets around the handshake, where it has any.
    envelope: Option<TdsEnvelope>,
    /// TLS is over: answers in the clear.
    left: Option<Vec<u8>>,
    findings: Findings,
    /// Opened, and not heard by the session yet.
    waiting: Vec<u8>,
    /// What the last bytes said.
    said: Option<Vec<u8>>,
    /// Both sides have a key.
    agreed: bool,
    /// How much of the last answer led to that.
    agreement: usize,
    /// How long the last answer is kept back: all of it, since nobody sees how much of it the session would say at once.
    pause_ms: u32,
}

enum State {
    /// The hello comes in: its reader, and its bytes.
    Hello(Box<(HelloReader, Vec<u8>)>),
    Talking(Box<ServerConnection>),
    Over,
}

impl Inside {
    fn hello(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let State::Hello(hello) = &mut self.state else { return Step { taken: bytes.len(), flow: Flow::Close } };
        let (reader, raw) = &mut **hello;
        for (index, byte) in bytes.iter().enumerate() {
            raw.push(*byte);
            if raw.len() < RECORD_HEAD_BYTES {
                continue;
            }
            let heard = if raw.len() == RECORD_HEAD_BYTES { head(reader, raw) } else { reader.push(*byte) };
            let hello = match heard {
                Heard::More => continue,
                Heard::Whole => reader.hello(),
                Heard::Other => None,
            };
            match &hello {
                Some(hello) => hello.note(&mut self.findings),
                None => {
                    self.findings.signs |= Signs::MALFORMED;
                    self.said = Some(raw.clone());
                }
            }
            if let Some(alert) = raw.first_chunk().and_then(objection) {
                answer.extend_from_slice(&alert);
                return Step { taken: index + 1, flow: self.no_hello() };
            }
            if !is_tls(raw) {
                self.inner.misses_tls(raw, answer);
                return Step { taken: index + 1, flow: self.no_tls() };
            }
            if raw.get(RECORD_HEAD_BYTES).is_some_and(|kind| *kind != CLIENT_HELLO) {
                answer.extend_from_slice(&UNEXPECTED);
                return Step { taken: index + 1, flow: self.no_hello() };
            }
            if hello.as_ref().is_some_and(|hello| hello.fell_back() && hello.newest() == OLDEST) {
                answer.extend_from_slice(&alert(OLDEST, INAPPROPRIATE_FALLBACK));
                return Step { taken: index + 1, flow: self.gives_up("inappropriate fallback") };
            }
            let (raw, newest) = (std::mem::take(raw), hello.map_or(OLDEST, |hello| hello.newest()));
            return Step { taken: index + 1, flow: self.begin(&raw, newest, now, answer) };
        }
        Step { taken: bytes.len(), flow: Flow::Continue }
    }

    /// What came is no TLS at all.
    fn no_tls(&mut self) -> Flow {
        self.gives_up("none")
    }

    /// It is TLS, and begins with something else than a hello.
    fn no_hello(&mut self) -> Flow {
        self.gives_up("broken")
    }

    fn gives_up(&mut self, why: &str) -> Flow {
        self.state = State::Over;
        self.findings.fields.insert("tls_error".to_owned(), why.to_owned());
        Flow::Close
    }

    /// Answers the hello.
    fn begin(&mut self, hello: &[u8], newest: u16, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.state = State::Over;
        if newest < OLDEST {
            self.findings.fields.insert("tls_error".to_owned(), "protocol version".to_owned());
            answer.extend_from_slice(&too_old(newest));
            return Flow::Close;
        }
        match ServerConnection::new(Arc::clone(&self.config)) {
            Ok(mut connection) => {
                connection.set_buffer_limit(None);
                self.state = State::Talking(Box::new(connection));
                self.open(hello, now, answer)
            }
            Err(_) => Flow::Close,
        }
    }

    /// Opens records, gives what was in them to the session, and seals its answers.
    fn open(&mut self, sealed: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let State::Talking(connection) = &mut self.state else { return Flow::Close };
        let opened = unseal(connection, sealed, &mut self.waiting);
        let was_agreed = std::mem::replace(&mut self.agreed, !connection.is_handshaking());
        let mut flow = Flow::Continue;
        if self.agreed && !was_agreed {
            note_agreement(connection, &mut self.findings);
            sealed_into(connection, answer);
            // A packet around it is the last.
            self.agreement = if self.envelope.is_some() { usize::MAX } else { answer.len() };
            let mut words = Vec::new();
            flow = if self.needs_protocol && connection.alpn_protocol().is_none() {
                Flow::Close
            } else {
                self.inner.open(&mut words)
            };
            self.seal(&words);
        }
        if flow != Flow::Close {
            let served = self.serve(now);
            flow = if served == Flow::Continue { flow } else { served };
        }
        if let Err(error) = &opened {
            self.broke(error);
            flow = Flow::Close;
            if let (Some(why), false) = (openssl_says(error), self.agreed) {
                self.state = State::Over;
                answer.extend_from_slice(&alert(OLDEST, why));
            }
        } else if opened == Ok(Peer::Gone) && self.waiting.is_empty() {
            flow = Flow::Close;
        }
        if flow == Flow::Close {
            // Opened, and not heard any more.
            self.said.get_or_insert_default().append(&mut self.waiting);
        }
        self.flush(flow, answer);
        flow
    }

    /// The session hears what waits for it, up to the first step that wants more of the carrier than to go on.
    fn serve(&mut self, now: WallTime) -> Flow {
        let mut words = Vec::new();
        if self.waiting.is_empty() {
            return Flow::Continue;
        }
        let step = self.inner.receive(&self.waiting, now, &mut words);
        self.pause_ms = self.inner.pause().ms;
        let taken = if step.flow == Flow::Close { self.waiting.len() } else { step.taken.clamp(1, self.waiting.len()) };
        let plain: Vec<u8> = self.waiting.drain(..taken).collect();
        // Which may have a disguise of its own.
        let said = self.inner.said().unwrap_or(plain);
        self.said.get_or_insert_default().extend(said);
        if self.inner.leaves_tls() {
            self.left = Some(words);
        } else {
            self.seal(&words);
        }
        // No TLS inside TLS.
        if step.flow == Flow::StartTls { Flow::Close } else { step.flow }
    }

    fn seal(&mut self, words: &[u8]) {
        if let State::Talking(connection) = &mut self.state {
            // Writes into memory.
            let _ = connection.writer().write_all(words);
        }
    }

    fn flush(&mut self, flow: Flow, answer: &mut Vec<u8>) {
        let State::Talking(connection) = &mut self.state else { return };
        if let Some(words) = &mut self.left {
            answer.append(words);
            return;
        }
        if flow == Flow::Close && self.agreed && self.inner.tls().says_farewell() {
            connection.send_close_notify();
        }
        sealed_into(connection, answer);
    }

    /// Somebody speaks no TLS, or one that is not spoken here.
    fn broke(&mut self, error: &rustls::Error) {
        let word = match error {
            rustls::Error::PeerIncompatible(why) => format!("{why:?}"),
            rustls::Error::AlertReceived(alert) => format!("{alert:?}"),
            _ => {
                self.findings.signs |= Signs::MALFORMED;
                "broken".to_owned()
            }
        };
        self.findings.fields.insert("tls_error".to_owned(), word.chars().take(TLS_ERROR_CHARS_MAX).collect());
    }
}

/// The longest word for what went wrong.
const TLS_ERROR_CHARS_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    There,
    Gone,
}

/// Whether bytes may be the beginning of TLS.
fn is_tls(bytes: &[u8]) -> bool {
    bytes.iter().zip([HANDSHAKE, VERSION]).all(|(byte, expected)| *byte == expected)
}

/// A record's head, which is judged as a whole.
fn head(reader: &mut HelloReader, head: &[u8]) -> Heard {
    head.iter().map(|byte| reader.push(*byte)).find(|heard| *heard != Heard::More).unwrap_or(Heard::More)
}

/// The alert that OpenSSL answers to whoever speaks nothing newer (taken from 3.5.9): SSL 3 has no common cipher, and the others
/// are told that it is the version.
const fn too_old(newest: u16) -> [u8; 7] {
    alert(newest, if newest == SSL_3 { HANDSHAKE_FAILURE } else { PROTOCOL_VERSION })
}

/// A fatal alert in a record of this version.
const fn alert(version: u16, why: u8) -> [u8; 7] {
    let [major, minor] = version.to_be_bytes();
    [0x15, major, minor, 0, 2, 2, why]
}

/// What OpenSSL 3.5 objects to in a record's head: one that is too long, another kind of record than a hello's, and a hello of SSL 2, which asks for something
/// that is no more. `None`: nothing, or it takes it for no TLS at all.
const fn objection(head: &[u8; RECORD_HEAD_BYTES]) -> Option<[u8; 7]> {
    match *head {
        [HANDSHAKE, VERSION, _, high, low] if u16::from_be_bytes([high, low]) > RECORD_BYTES_MAX => {
            Some(alert(OLDEST, RECORD_OVERFLOW))
        }
        [0x80..=0xff, _, CLIENT_HELLO, 0, 2] => Some(alert(OLDEST, PROTOCOL_VERSION)),
        [0x80..=0xff, _, CLIENT_HELLO, VERSION, minor @ 0..=2] => Some(too_old(u16::from_be_bytes([VERSION, minor]))),
        [kind, VERSION, minor, ..] if kind != HANDSHAKE => Some(alert(u16::from_be_bytes([VERSION, minor]), UNEXPECTED_MESSAGE)),
        _ => None,
    }
}

/// Where OpenSSL gives another reason than the library that speaks here.
const fn openssl_says(error: &rustls::Error) -> Option<u8> {
    match error {
        rustls::Error::PeerIncompatible(
            PeerIncompatible::KeyShareExtensionRequired
            | PeerIncompatible::NamedGroupsExtensionRequired
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
        ) => Some(MISSING_EXTENSION),
        rustls::Error::PeerMisbehaved(PeerMisbehaved::ServerNameMustContainOneHostName) => Some(UNRECOGNIZED_NAME),
        _ => None,
    }
}

/// What is ready to be sent.
fn sealed_into(connection: &mut ServerConnection, answer: &mut Vec<u8>) {
    while connection.wants_write() && connection.write_tls(answer).is_ok_and(|bytes| bytes > 0) {}
}

/// Opens as much as there is, up to the first that cannot be opened.
fn unseal(connection: &mut ServerConnection, mut sealed: &[u8], waiting: &mut Vec<u8>) -> Result<Peer, rustls::Error> {
    let mut peer = Peer::There;
    loop {
        // Reads from memory.
        let read = connection.read_tls(&mut sealed).unwrap_or(0);
        let state = connection.process_new_packets()?;
        let mut buffer = [0; READ_BYTES_MAX];
        while let Ok(length @ 1..) = connection.reader().read(&mut buffer) {
            waiting.extend_from_slice(&buffer[..length]);
        }
        if state.peer_has_closed() {
            peer = Peer::Gone;
        }
        if read == 0 || sealed.is_empty() {
            return Ok(peer);
        }
    }
}

fn note_agreement(connection: &ServerConnection, findings: &mut Findings) {
    let version = connection.protocol_version().and_then(|version| version.as_str().map(str::to_owned));
    let cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str().map(str::to_owned));
    for (name, value) in [("tls_version", version), ("tls_cipher", cipher)] {
        if let Some(value) = value {
            findings.fields.insert(name.to_owned(), value);
        }
    }
}

impl Session for Inside {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        self.agreement = 0;
        if self.left.is_some() {
            let step = self.inner.receive(bytes, now, answer);
            self.pause_ms = self.inner.pause().ms;
            return step;
        }
        if self.envelope.is_some() { self.unwrap(bytes, now, answer) } else { self.record(bytes, now, answer) }
    }

    fn end(&mut self) {
        self.inner.end();
        // What was not whole: a hello, or what was said inside.
        let mut left = match &mut self.state {
            State::Hello(hello) => {
                let head = std::mem::take(&mut hello.1);
                if !is_tls(&head) {
                    self.findings.signs |= Signs::MALFORMED;
                    let _ = self.no_tls();
                }
                head
            }
            _ => std::mem::take(&mut self.waiting),
        };
        // And a packet around it.
        left.extend(self.envelope.as_ref().map(TdsEnvelope::held).unwrap_or_default());
        left.extend(self.inner.said().unwrap_or_default());
        if !left.is_empty() {
            self.said.get_or_insert_default().append(&mut left);
        }
    }

    fn findings(&mut self) -> Findings {
        let mut findings = std::mem::take(&mut self.findings);
        let theirs = self.inner.findings();
        findings.signs |= theirs.signs;
        findings.fields.extend(theirs.fields);
        findings
    }

    fn resume(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        match &self.state {
            State::Talking(_) if !self.waiting.is_empty() => {
                self.said = Some(Vec::new());
                let flow = self.serve(now);
                self.flush(flow, answer);
                Some(flow)
            }
            _ => None,
        }
    }

    fn pause(&mut self) -> Pause {
        Pause { at: 0, ms: std::mem::take(&mut self.pause_ms) }
    }

    fn patience(&self) -> Patience {
        self.inner.patience()
    }

    fn said(&mut self) -> Option<Vec<u8>> {
        self.said.take()
    }

    fn agreement(&self) -> usize {
        if self.agreed { self.agreement } else { usize::MAX }
    }

    fn is_secret(&self) -> bool {
        self.left.is_none() && matches!(self.state, State::Talking(_))
    }
}

impl Inside {
    /// Takes a packet around the handshake, and what is in it; the answer is packed in the same way.
    fn unwrap(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let mut records = Vec::new();
        let before = self.envelope.as_ref().map(TdsEnvelope::held).unwrap_or_default();
        let opened = self.envelope.as_mut().and_then(|envelope| envelope.open(bytes, &mut records));
        self.said = Some(Vec::new());
        let Some(taken) = opened else {
            self.state = State::Over;
            self.findings.signs |= Signs::MALFORMED;
            self.said = Some([before.as_slice(), bytes].concat());
            self.envelope = None;
            return Step { taken: bytes.len(), flow: Flow::Close };
        };
        let (mut sealed, mut at, mut flow) = (Vec::new(), 0, Flow::Continue);
        while at < records.len() && flow == Flow::Continue {
            let step = self.record(&records[at..], now, &mut sealed);
            (at, flow) = (at + step.taken, step.flow);
        }
        if flow == Flow::Close && !self.agreed {
            // Unpacked, and not heard any more.
            self.said.get_or_insert_default().extend_from_slice(records.get(at..).unwrap_or_default());
        }
        TdsEnvelope::seal(&sealed, answer);
        if self.agreed {
            self.envelope = None;
        }
        Step { taken, flow }
    }

    /// Takes what is TLS.
    fn record(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        match &self.state {
            State::Hello(_) => {
                self.said = Some(Vec::new());
                self.hello(bytes, now, answer)
            }
            State::Talking(_) => {
                self.said = Some(Vec::new());
                Step { taken: bytes.len(), flow: self.open(bytes, now, answer) }
            }
            State::Over => Step { taken: bytes.len(), flow: Flow::Close },
        }
    }
}

//! A telephone exchange: Asterisk, which asks everybody who they are and lets nobody in (RFC 3261, 7616), over UDP and TCP.
//!
//! Registrations and calls get a challenge; what a password makes of it is kept with it, so that guesses can be checked against it
//! (`digest` is what hashcat's mode 11400 reads). Over UDP the challenge's nonce is the carrier's: who brings it back is where it
//! says it is.

mod answer;
mod digest;
mod message;
mod session;

use crate::{
    BannerError, Findings, Session,
    datagram::{Datagram, NONCE_BYTES, Reply, room},
    packets::ByPacket,
    persona::derived,
    service::checked_banner,
    text::{hex, random_bytes},
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use answer::Answer;
use honeymesh_types::{Signs, Transport, WallTime};
use message::{Message, Request};

/// Asterisk's long-term version.
const SERVER: &str = "Asterisk PBX 22.7.0";
const REALM: &str = "asterisk";
/// What scanners call themselves.
const TOOLS: [&str; 8] =
    ["friendly-scanner", "sipvicious", "sundayddr", "sip-scan", "sipcli", "vaxsipuseragent", "pplsip", "sipptk"];

/// A telephone exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sip {
    server: String,
    realm: String,
    /// Makes what no stranger can foretell: what a challenge is marked with, and tags.
    secret: [u8; 32],
    transports: &'static [Transport],
}

impl Default for Sip {
    /// Asterisk with its usual realm.
    fn default() -> Self {
        Self {
            server: SERVER.to_string(),
            realm: REALM.to_string(),
            secret: [0; 32],
            transports: &[Transport::Udp, Transport::Tcp],
        }
    }
}

/// What becomes of a request.
struct Turn {
    findings: Findings,
    /// The answers that there are, the fullest first.
    answers: Vec<Answer>,
}

impl Sip {
    /// With an operator's `Server` header.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(server: &str) -> Result<Self, BannerError> {
        Ok(Self { server: checked_banner(server)?, ..Self::default() })
    }

    /// In another realm, which a challenge names: quotes and backslashes in it are left out.
    #[must_use]
    pub fn in_realm(self, realm: &str) -> Self {
        Self {
            realm: realm.chars().filter(|letter| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\')).collect(),
            ..self
        }
    }

    /// With this secret behind its challenges: without one of its own, whoever has seen one exchange knows all.
    #[must_use]
    pub(crate) fn keeping(self, secret: [u8; 32]) -> Self {
        Self { secret, ..self }
    }

    /// Over these transports.
    #[must_use]
    pub fn over(self, transports: &'static [Transport]) -> Self {
        Self { transports, ..self }
    }

    /// Over which transports it is spoken to.
    pub(crate) const fn transports(&self) -> &'static [Transport] {
        self.transports
    }

    /// A new connection over TCP; `seed` makes the nonce, and the connection's challenges its own.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        let own = self.clone().keeping(derived(&self.secret, &[b"connection", &seed.to_le_bytes()]));
        ByPacket::new(session::SipSession::new(own, hex(&random_bytes::<{ NONCE_BYTES / 2 }>(seed))))
    }

    /// A datagram and what is said to it.
    pub(crate) fn datagram(&self, datagram: &Datagram<'_>) -> Reply {
        let known = datagram.nonce_at.and_then(|at| datagram.bytes.get(at..at + NONCE_BYTES));
        let turn = match message::read(datagram.bytes) {
            Message::Request(request) => self.turn(&request, known, datagram.now, 0),
            Message::Response => return Reply::silent(noted("response", Signs::empty())),
            // Keeps a way through address translation open.
            Message::KeepAlive => return Reply::silent(noted("keep-alive", Signs::empty())),
            Message::Broken => return Reply::silent(noted("broken", Signs::MALFORMED)),
        };
        let room = room(datagram);
        let (answer, nonce_at) = match turn.answers.into_iter().find(|answer| answer.bytes.len() <= room) {
            Some(answer) => (answer.bytes, answer.nonce_at),
            None => (Vec::new(), None),
        };
        Reply { findings: turn.findings, answer, nonce_at, ..Reply::default() }
    }

    /// A request, with the nonce that its sender was sent and brings back, if it does; `count` is which of its connection it is.
    fn turn(&self, request: &Request<'_>, known: Option<&[u8]>, now: WallTime, count: u64) -> Turn {
        let mut findings = Findings::default();
        note(request, &mut findings);
        if let Some(tried) = digest::note(request, &mut findings)
            && known.is_some_and(|known| tried.ends_with(known))
        {
            findings.signs |= Signs::RETURNED;
        }
        let answers = match request.method {
            b"ACK" => Vec::new(),
            _ if !request.can_be_answered() => {
                findings.signs |= Signs::MALFORMED;
                Vec::new()
            }
            b"OPTIONS" => answer::capabilities(self, request),
            b"BYE" | b"CANCEL" => answer::plain("481 Call/Transaction Does Not Exist", self, request),
            _ => answer::challenge(self, request, now, count),
        };
        Turn { findings, answers }
    }
}

fn noted(what: &str, signs: Signs) -> Findings {
    let mut findings = Findings { signs, ..Findings::default() };
    findings.note("message", what.as_bytes());
    findings
}

fn note(request: &Request<'_>, findings: &mut Findings) {
    findings.note("method", request.method);
    findings.note("uri", request.uri);
    if let Some(from) = request.header("from").and_then(message::user) {
        findings.note("caller", from);
    }
    let to = request.header("to").and_then(message::user).or_else(|| message::user(request.uri));
    match (request.method, to) {
        (b"INVITE", to) => {
            // Nobody honest calls through an exchange that he does not know.
            findings.signs |= Signs::RULE;
            if let Some(number) = message::user(request.uri).or(to) {
                findings.note("number", number);
            }
        }
        (b"REGISTER", Some(extension)) => findings.note("extension", extension),
        _ => {}
    }
    let Some(agent) = request.header("user-agent") else { return };
    findings.note("user_agent", agent);
    let agent = String::from_utf8_lossy(agent).to_ascii_lowercase();
    if let Some(tool) = TOOLS.iter().find(|tool| agent.contains(**tool)) {
        findings.note("tool", tool.as_bytes());
        findings.signs |= Signs::RULE;
    }
}

#[cfg(test)]
mod tests;

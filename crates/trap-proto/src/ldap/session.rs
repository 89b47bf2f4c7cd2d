//! One connection to a directory trap.

use super::{
    Ldap,
    controls::Controls,
    dn,
    entry::{self, Entry},
    sasl::{Challenge, Said},
};
use crate::{
    Findings, Flow,
    ber::{self, Head, ber, sequence, tagged, value},
    exactly::Reader,
    packets::Packets,
    text::random_bytes,
};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

/// The longest request, in bytes.
const MESSAGE_BYTES_MAX: usize = 32 * 1_024;

pub(super) const NO_SUCH_OBJECT: u8 = 32;
pub(super) const STRONGER_AUTH_REQUIRED: u8 = 8;
pub(super) const PROTOCOL_ERROR: u8 = 2;

pub(super) const INVALID_DN: u8 = 34;
pub(super) const UNWILLING: u8 = 53;
const OPERATIONS_ERROR: u8 = 1;

/// Said before a connection is ended.
const DISCONNECTION: &[u8] = b"1.3.6.1.4.1.1466.20036";

pub(super) const AUTHENTICATE: &str = "modifications require authentication";
pub(super) const DECODING: &str = "decoding error";
pub(super) const DECODING_ATTRIBUTES: &str = "decoding attrs error";

pub(super) const BIND: u8 = 0x60;
const UNBIND: u8 = 0x42;
const ABANDON: u8 = 0x50;

/// Whether there is such an operation.
const fn is_known(operation: u8) -> bool {
    matches!(operation, UNBIND | ABANDON) || reply_to(operation).is_some()
}

/// The tag of what is answered to an operation, if anything is.
const fn reply_to(operation: u8) -> Option<u8> {
    match operation {
        0x60 | 0x66 | 0x68 | 0x6c | 0x6e => Some(operation + 1),
        0x63 => Some(0x65),
        0x4a => Some(0x6b),
        0x77 => Some(0x78),
        _ => None,
    }
}

/// One connection to a directory trap.
pub(super) struct LdapSession {
    pub(super) ldap: Ldap,
    seed: u64,
    /// How many challenges were made.
    drawn: u64,
    /// A login that is under way.
    pub(super) challenge: Option<Challenge>,
    /// What Cyrus SASL said last on this connection.
    pub(super) said: Said,
    message: Vec<u8>,
    /// How long the message is, once its head is whole.
    whole: Option<usize>,
    pub(super) findings: Findings,
}

impl LdapSession {
    pub(super) fn new(ldap: Ldap, seed: u64) -> Self {
        let findings = Findings::default();
        Self { ldap, seed, drawn: 0, challenge: None, said: Said::default(), message: Vec::new(), whole: None, findings }
    }

    /// For one challenge, and no other.
    pub(super) fn draw<const N: usize>(&mut self) -> [u8; N] {
        self.drawn += 1;
        random_bytes(self.seed.wrapping_add(self.drawn))
    }

    /// One request; `None` if it is broken.
    fn request(&mut self, message: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(tagged(&mut Reader(message), 0x30)?);
        let id = tagged(&mut reader, 2).filter(|id| (1..=4).contains(&id.len()))?;
        let (operation, content) = value(&mut reader)?;
        if self.challenge.is_some() && operation != BIND && is_known(operation) {
            self.note(id, operation, content, now);
            return Some(self.in_progress(id, operation, answer));
        }
        let list = tagged(&mut reader, 0xa0);
        let controls = match (Controls::read(operation, list), reply_to(operation)) {
            (None, _) => {
                self.note(id, operation, content, now);
                self.disconnect("decoding controls error", answer);
                return None;
            }
            (Some(Err((code, said))), Some(reply)) => {
                self.note(id, operation, content, now);
                self.done(id, reply, code, b"", said, answer);
                return Some(Flow::Telling);
            }
            (Some(controls), _) => controls.unwrap_or_default(),
        };
        let flow = self.operate(id, operation, content, &controls, now, answer);
        flow.map_err(|said| self.disconnect(said, answer)).ok()
    }

    /// Whoever is being asked who he is can ask for nothing else (RFC 4511, 4.2.1): slapd says so before it reads what he asks for, and to
    /// what is otherwise not answered.
    fn in_progress(&self, id: &[u8], operation: u8, answer: &mut Vec<u8>) -> Flow {
        let (id, reply) = reply_to(operation).map_or((&[0][..], 0x30), |reply| (id, reply));
        self.done(id, reply, OPERATIONS_ERROR, b"", "SASL bind in progress", answer);
        if operation == UNBIND { Flow::Close } else { Flow::Telling }
    }

    /// Takes down what was asked for, though it is refused before anybody looks at it: nothing is said. A login that was under way is
    /// over if it is what is refused.
    fn note(&mut self, id: &[u8], operation: u8, content: &[u8], now: WallTime) {
        if operation == BIND {
            // What cannot be read has nothing more in it.
            let _ = self.note_bind(content);
            self.challenge = None;
            return;
        }
        let said = self.said.clone();
        let _ = self.operate(id, operation, content, &Controls::default(), now, &mut Vec::new());
        self.said = said;
    }

    /// What is asked for; else what is said of one that cannot be read.
    fn operate(
        &mut self,
        id: &[u8],
        operation: u8,
        content: &[u8],
        controls: &Controls<'_>,
        now: WallTime,
        answer: &mut Vec<u8>,
    ) -> Result<Flow, &'static str> {
        let mut parts = Reader(content);
        match operation {
            BIND => self.bind(id, content, now, answer),
            UNBIND => Ok(Flow::Close),
            ABANDON => Ok(Flow::Continue),
            0x63 => self.search(id, content, controls, answer),
            0x77 => self.extended(id, content, answer).ok_or(DECODING),
            0x6e => self.compare(id, content, controls, answer).ok_or(DECODING),
            0x66 | 0x68 | 0x6c => {
                let name = tagged(&mut parts, 4);
                name.and_then(|name| self.change(id, operation, name, parts.0, answer)).ok_or(DECODING)
            }
            0x4a => self.change(id, operation, content, &[], answer).ok_or(DECODING),
            _ => Err("unknown LDAP request"),
        }
    }

    /// Says why the connection ends.
    pub(super) fn disconnect(&self, said: &str, answer: &mut Vec<u8>) {
        let notice = [&[0x0a, 1, PROTOCOL_ERROR, 4, 0][..], &ber(4, said.as_bytes()), &ber(0x8a, DISCONNECTION)].concat();
        self.send(&[0], 0x78, &notice, answer);
    }

    /// An entry by its name, as names are compared.
    pub(super) fn entry(&self, name: &str) -> Option<Entry> {
        let is = |own: &str| dn::normal(own.as_bytes()).is_some_and(|own| own == name);
        match name {
            "" => Some(entry::root(&self.ldap)),
            _ if is(&self.ldap.suffix()) => Some(entry::suffix(&self.ldap)),
            _ => is(entry::SUBSCHEMA).then(entry::schema),
        }
    }

    /// What there is of a name that is not there.
    pub(super) fn matched(&self, name: &str) -> Vec<u8> {
        let suffix = self.ldap.suffix();
        let own = dn::normal(suffix.as_bytes()).unwrap_or_default();
        if name.strip_suffix(&own).is_some_and(|before| before.ends_with(',')) { suffix.into_bytes() } else { Vec::new() }
    }

    /// Appends a result.
    pub(super) fn done(&self, id: &[u8], operation: u8, code: u8, matched: &[u8], said: &str, answer: &mut Vec<u8>) {
        let content = [&[0x0a, 1, code][..], &ber(4, matched), &ber(4, said.as_bytes())].concat();
        self.send(id, operation, &content, answer);
    }

    /// Appends one message.
    pub(super) fn send(&self, id: &[u8], operation: u8, content: &[u8], answer: &mut Vec<u8>) {
        answer.extend(sequence(0x30, &[ber(2, id), ber(operation, content)]));
    }

    fn broken(&mut self) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        Flow::Close
    }
}

impl Packets for LdapSession {
    /// The longest answer to one, in bytes: the whole root DSE, or a challenge.
    const REPLY_BYTES_MAX: usize = 4 * 1_024;

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.message.push(byte);
        let whole = match self.whole {
            Some(whole) => whole,
            None => match ber::head(&self.message) {
                Head::Open if self.message[0] == 0x30 => return Flow::Continue,
                Head::Whole { tag: 0x30, head, content } if (3..=MESSAGE_BYTES_MAX).contains(&content) => head + content,
                _ => return self.broken(),
            },
        };
        self.whole = Some(whole);
        if self.message.len() < whole {
            return Flow::Continue;
        }
        self.whole = None;
        let message = core::mem::take(&mut self.message);
        self.request(&message, now, answer).unwrap_or_else(|| self.broken())
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

#[cfg(test)]
mod tests;

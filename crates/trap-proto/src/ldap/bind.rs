//! Logins: what is taken down of each, and in which order slapd finds fault with it.

use super::{
    dn,
    session::{DECODING, INVALID_DN, LdapSession, PROTOCOL_ERROR, UNWILLING},
};
use crate::{
    Flow,
    ber::{ber, signed, tagged, value},
    exactly::Reader,
    ntlm::{self, Answer},
};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

pub(super) const METHOD_NOT_SUPPORTED: u8 = 7;
const INVALID_CREDENTIALS: u8 = 49;

const SIMPLE: u8 = 0x80;
const SASL: u8 = 0xa3;
/// The protocol's version that is spoken, and the one before it.
const VERSION: i32 = 3;
const VERSION_OLD: i32 = 2;

/// A bind request.
struct Bind<'a> {
    version: i32,
    name: &'a [u8],
    method: u8,
    secret: &'a [u8],
}

impl<'a> Bind<'a> {
    /// Reads it; `None` if it is broken.
    fn read(content: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let version = signed(tagged(&mut reader, 2)?)?;
        let name = tagged(&mut reader, 4)?;
        let (method, secret) = value(&mut reader)?;
        Some(Self { version, name, method, secret })
    }

    /// A mechanism, and what is said in it.
    fn mechanism(&self) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        let mut parts = Reader(self.secret);
        let mechanism = tagged(&mut parts, 4)?;
        Some((mechanism, tagged(&mut parts, 4)))
    }
}

impl LdapSession {
    /// A bind request; else what is said of one that cannot be read. Whatever becomes of it, another login that was under way is over,
    /// unless this one goes on with it.
    pub(super) fn bind(&mut self, id: &[u8], content: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Result<Flow, &'static str> {
        self.note_bind(content);
        let challenge = self.challenge.take();
        let bind = Bind::read(content).ok_or(DECODING)?;
        let Bind { version, name, method, secret } = bind;
        let said = bind.mechanism();
        if method == SASL && said.is_none() {
            if version >= VERSION {
                return Err(DECODING);
            }
            self.bound(id, PROTOCOL_ERROR, DECODING, &[], answer);
            self.findings.signs |= Signs::MALFORMED;
            return Ok(Flow::Close);
        }
        let (code, said) = match (method, said) {
            _ if dn::normal(name).is_none() => (INVALID_DN, "invalid DN"),
            _ if version == VERSION_OLD => (PROTOCOL_ERROR, "historical protocol version requested, use LDAPv3 instead"),
            _ if version != VERSION => (PROTOCOL_ERROR, "requested protocol version not supported"),
            (SIMPLE, _) if !secret.is_empty() => (INVALID_CREDENTIALS, ""),
            (SIMPLE, _) if name.is_empty() => (0, ""),
            (SIMPLE, _) => (UNWILLING, "unauthenticated bind (DN with no password) disallowed"),
            (SASL, Some((mechanism, token))) => return Ok(self.sasl(id, challenge, mechanism, token, now, answer)),
            _ => (METHOD_NOT_SUPPORTED, "unknown authentication method"),
        };
        self.bound(id, code, said, &[], answer);
        Ok(Flow::Telling)
    }

    /// Takes down whose login it is and how he would prove it, before anything of it is judged, and as far as it can be read.
    pub(super) fn note_bind(&mut self, content: &[u8]) -> Option<()> {
        let bind = Bind::read(content)?;
        match bind.method {
            SIMPLE => self.note_simple(bind.name, bind.secret),
            SASL => {
                if !bind.name.is_empty() {
                    self.findings.note("entry", bind.name);
                }
                let (mechanism, token) = bind.mechanism()?;
                self.note_sasl(mechanism, token);
            }
            _ => self.note_other(bind.name, bind.secret),
        }
        Some(())
    }

    /// A name and a password.
    pub(super) fn note_simple(&mut self, name: &[u8], password: &[u8]) {
        self.findings.note("username", name);
        if !name.is_empty() || !password.is_empty() {
            self.findings.note("password", password);
            self.findings.signs |= Signs::CREDENTIALS;
        }
    }

    /// Methods that slapd does not have: Kerberos 4, and Microsoft's, which has NTLM's messages in it.
    fn note_other(&mut self, name: &[u8], token: &[u8]) {
        self.findings.note("username", name);
        if !token.is_empty() {
            self.findings.note("response", token);
        }
        if let Some(message) = ntlm::find(token) {
            match Answer::read(message) {
                Some(theirs) if ntlm::kind(message) == Some(3) => {
                    self.findings.note("username", &theirs.username);
                    self.findings.note("domain", &theirs.domain);
                }
                _ => ntlm::note_negotiate(message, &mut self.findings),
            }
        }
        if !name.is_empty() || !token.is_empty() {
            self.findings.signs |= Signs::CREDENTIALS;
        }
    }

    /// A bind's answer, with the server's part of a SASL login if there is one.
    pub(super) fn bound(&self, id: &[u8], code: u8, said: impl AsRef<[u8]>, token: &[u8], answer: &mut Vec<u8>) {
        self.send(id, 0x61, &[&[0x0a, 1, code, 4, 0][..], &ber(4, said.as_ref()), token].concat(), answer);
    }
}

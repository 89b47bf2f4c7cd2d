//! Logins.

use super::{
    dn,
    entry::MECHANISMS,
    session::{INVALID_DN, LdapSession},
};
use crate::{
    Flow,
    ber::{ber, number, tagged, value},
    exactly::Reader,
    ntlm::{self, Answer},
    text::base64,
};
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::{Signs, WallTime};

const PROTOCOL_ERROR: u8 = 2;
const METHOD_NOT_SUPPORTED: u8 = 7;
const INAPPROPRIATE: u8 = 48;
const IN_PROGRESS: u8 = 14;
const INVALID_CREDENTIALS: u8 = 49;
const UNWILLING: u8 = 53;
const OTHER: u8 = 80;

const SUCCESSFUL: &str = "SASL(0): successful result: ";
/// Of an unknown mechanism's name so much is repeated, in bytes; the rest is cut.
const MECHANISM_BYTES_MAX: usize = 256;
/// DIGEST-MD5's nonce, before it is base64.
const NONCE_BYTES: usize = 32;
/// Of a moment only so much is in a challenge of CRAM-MD5, in seconds: Cyrus SASL's own number.
const CRAM_SECONDS: u64 = 0x00ff_ffff;
const NO_USER: &str = "SASL(-13): user not found: no secret in database";

/// What an answer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Text, of this mechanism.
    Text(&'static str, String),
    /// NTLM's.
    Ntlm([u8; 8]),
    /// None: this mechanism's client speaks first.
    Nothing(&'static str),
}

impl LdapSession {
    /// A bind request; `None` if it is broken.
    pub(super) fn bind(&mut self, id: &[u8], content: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(content);
        let version = number(tagged(&mut reader, 2)?)?;
        let name = tagged(&mut reader, 4)?;
        let (method, secret) = value(&mut reader)?;
        if version != 3 {
            self.note_simple(name, if method == 0x80 { secret } else { &[] });
            let said = match version {
                2 => "historical protocol version requested, use LDAPv3 instead",
                _ => "requested protocol version not supported",
            };
            return Some(self.bound(id, PROTOCOL_ERROR, said, &[], answer));
        }
        if method != 0xa3 {
            // What was begun is given up (RFC 4513, section 5.2.1.2).
            self.challenge = None;
        }
        match method {
            0x80 if secret.is_empty() && name.is_empty() => {
                self.findings.note("username", b"");
                Some(self.bound(id, 0, "", &[], answer))
            }
            0x80 => {
                self.note_simple(name, secret);
                if dn::normal(name).is_none() {
                    return Some(self.bound(id, INVALID_DN, "invalid DN", &[], answer));
                }
                if secret.is_empty() {
                    let said = "unauthenticated bind (DN with no password) disallowed";
                    return Some(self.bound(id, UNWILLING, said, &[], answer));
                }
                Some(self.bound(id, INVALID_CREDENTIALS, "", &[], answer))
            }
            0xa3 => {
                let mut parts = Reader(secret);
                let mechanism = tagged(&mut parts, 4)?;
                let token = tagged(&mut parts, 4);
                Some(self.sasl(id, mechanism, token, now, answer))
            }
            _ => Some(self.bound(id, METHOD_NOT_SUPPORTED, "unknown authentication method", &[], answer)),
        }
    }

    fn note_simple(&mut self, name: &[u8], password: &[u8]) {
        self.findings.note("username", name);
        self.findings.note("password", password);
        if !name.is_empty() {
            self.findings.signs |= Signs::CREDENTIALS;
        }
    }

    fn sasl(&mut self, id: &[u8], mechanism: &[u8], token: Option<&[u8]>, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.findings.note("mechanism", mechanism);
        match (self.challenge.take(), token) {
            (Some(challenge), Some(token)) if challenge.is_of(mechanism) => self.answered(id, &challenge, token, answer),
            _ if mechanism.is_empty() => self.bound(id, METHOD_NOT_SUPPORTED, "no SASL mechanism provided", &[], answer),
            (_, token) if [&b"PLAIN"[..], b"LOGIN"].iter().any(|clear| mechanism.eq_ignore_ascii_case(clear)) => {
                // Not without TLS; but then the password has been said.
                let mut parts = token.unwrap_or_default().splitn(3, |byte| *byte == 0).skip(1);
                if let (Some(name), Some(password)) = (parts.next(), parts.next()) {
                    self.note_simple(name, password);
                }
                let said = "SASL(-16): encryption needed to use mechanism: security flags do not match required";
                self.bound(id, INAPPROPRIATE, said, &[], answer)
            }
            (_, token) => match MECHANISMS.iter().find(|name| name.as_bytes().eq_ignore_ascii_case(mechanism)) {
                Some(mechanism) => match (*mechanism, token) {
                    ("NTLM", Some(token)) => self.challenge_ntlm(id, token, answer),
                    (mechanism, Some(token)) if mechanism.starts_with("SCRAM") => self.scram(id, mechanism, token, answer),
                    (mechanism, None) if mechanism == "NTLM" || mechanism.starts_with("SCRAM") => {
                        self.challenge = Some(Challenge::Nothing(mechanism));
                        self.bound_with(id, IN_PROGRESS, SUCCESSFUL, &ber(0x87, &[]), answer)
                    }
                    ("CRAM-MD5", Some(token @ [_, ..])) => {
                        self.note_cram("", token);
                        let said = "SASL(-5): bad protocol / cancel: Remote sent first but mech does not allow it.";
                        self.bound(id, OTHER, said, &[], answer)
                    }
                    (mechanism, _) => self.challenge_text(id, mechanism, now, answer),
                },
                None => {
                    self.findings.signs |= Signs::CREDENTIALS;
                    let why = match mechanism {
                        b"ANONYMOUS" => b"security flags do not match required".to_vec(),
                        b"EXTERNAL" => Vec::new(),
                        other => [b"Couldn't find mech ", as_in_c(other)].concat(),
                    };
                    self.bound(id, METHOD_NOT_SUPPORTED, [b"SASL(-4): no mechanism available: ", &why[..]].concat(), &[], answer)
                }
            },
        }
    }

    /// Says who wants to log in before anything is asked of him: `n,,n=name,r=nonce`.
    fn scram(&mut self, id: &[u8], mechanism: &str, token: &[u8], answer: &mut Vec<u8>) -> Flow {
        let name = token.split(|byte| *byte == b',').find_map(|part| part.strip_prefix(b"n="));
        self.findings.note("username", name.unwrap_or_default());
        self.findings.signs |= Signs::CREDENTIALS;
        if name.is_none() {
            let said = format!("SASL(-5): bad protocol / cancel: Invalid {mechanism} input");
            return self.bound(id, OTHER, said, &[], answer);
        }
        self.bound(id, INVALID_CREDENTIALS, NO_USER, &[], answer)
    }

    /// A name and a response; `false` if it has no two parts.
    fn note_cram(&mut self, challenge: &str, token: &[u8]) -> bool {
        self.findings.signs |= Signs::CREDENTIALS;
        let at = token.iter().rposition(|byte| *byte == b' ');
        self.findings.note("username", &token[..at.unwrap_or(token.len())]);
        self.findings.note("challenge", challenge.as_bytes());
        self.findings.note("response", at.and_then(|at| token.get(at + 1..)).unwrap_or_default());
        at.is_some()
    }

    fn challenge_text(&mut self, id: &[u8], mechanism: &'static str, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let host = self.full_name();
        let text = if mechanism == "CRAM-MD5" {
            let random = u32::from_le_bytes(self.draw());
            format!("<{random}.{}@{host}>", now.0 / 1_000_000 % CRAM_SECONDS)
        } else {
            let nonce = base64(&self.draw::<NONCE_BYTES>());
            format!(
                "nonce=\"{nonce}\",realm=\"{host}\",qop=\"auth,auth-int,auth-conf\",cipher=\"rc4-40,rc4-56,rc4,des,3des\",\
                 maxbuf=65536,charset=utf-8,algorithm=md5-sess"
            )
        };
        let flow = self.bound(id, IN_PROGRESS, SUCCESSFUL, text.as_bytes(), answer);
        self.challenge = Some(Challenge::Text(mechanism, text));
        flow
    }

    fn challenge_ntlm(&mut self, id: &[u8], token: &[u8], answer: &mut Vec<u8>) -> Flow {
        ntlm::note_negotiate(token, &mut self.findings);
        if !token.starts_with(b"NTLMSSP\0") {
            let said = "SASL(-5): bad protocol / cancel: client didn't issue valid NTLM request";
            return self.bound(id, OTHER, said, &[], answer);
        }
        // Cyrus SASL's own shape: the machine's whole name, and nothing more about it.
        let name: Vec<u8> = self.full_name().to_uppercase().encode_utf16().flat_map(u16::to_le_bytes).collect();
        let [low, high] = u16::try_from(name.len()).unwrap_or(0).to_le_bytes();
        let head = [b"NTLMSSP\0\x02\0\0\0", &[low, high, low, high][..], b"\x30\0\0\0\x95\xff\x02\0"].concat();
        let drawn = self.draw();
        self.challenge = Some(Challenge::Ntlm(drawn));
        self.bound(id, IN_PROGRESS, SUCCESSFUL, &[head.as_slice(), &drawn, &[0; 16], &name].concat(), answer)
    }

    fn answered(&mut self, id: &[u8], challenge: &Challenge, token: &[u8], answer: &mut Vec<u8>) -> Flow {
        match challenge {
            Challenge::Ntlm(drawn) => match ntlm::find(token).and_then(|message| Some((message, Answer::read(message)?))) {
                Some((message, theirs)) => theirs.note(message, *drawn, &mut self.findings),
                None => self.findings.signs |= Signs::MALFORMED,
            },
            Challenge::Text("CRAM-MD5", text) => {
                if !self.note_cram(text, token) {
                    let said = "SASL(-5): bad protocol / cancel: need authentication name";
                    return self.bound(id, OTHER, said, &[], answer);
                }
            }
            Challenge::Text(_, text) => {
                let name = memchr::memmem::find(token, b"username=\"").map(|at| &token[at + 10..]);
                let name = name.and_then(|rest| rest.split(|byte| *byte == b'"').next());
                self.findings.note("username", name.unwrap_or_default());
                self.findings.note("challenge", text.as_bytes());
                self.findings.note("response", token);
                if let Some(said) = digest_fault(token) {
                    self.findings.signs |= Signs::CREDENTIALS;
                    return self.bound(id, INVALID_CREDENTIALS, said, &[], answer);
                }
            }
            Challenge::Nothing("NTLM") => return self.challenge_ntlm(id, token, answer),
            Challenge::Nothing(mechanism) => return self.scram(id, mechanism, token, answer),
        }
        self.findings.signs |= Signs::CREDENTIALS;
        self.bound(id, INVALID_CREDENTIALS, NO_USER, &[], answer)
    }

    /// A bind's answer, with the server's part of a SASL login if there is one.
    fn bound(&self, id: &[u8], code: u8, said: impl AsRef<[u8]>, token: &[u8], answer: &mut Vec<u8>) -> Flow {
        let token = if token.is_empty() { Vec::new() } else { ber(0x87, token) };
        self.bound_with(id, code, said, &token, answer)
    }

    fn bound_with(&self, id: &[u8], code: u8, said: impl AsRef<[u8]>, token: &[u8], answer: &mut Vec<u8>) -> Flow {
        self.send(id, 0x61, &[&[0x0a, 1, code, 4, 0][..], &ber(4, said.as_ref()), token].concat(), answer);
        Flow::Telling
    }

    fn full_name(&self) -> String {
        let (host, domain) = (self.ldap.machine.host.as_str(), self.ldap.machine.domain.as_str());
        if domain.is_empty() { String::from(host) } else { format!("{host}.{domain}") }
    }
}

/// A stranger's text as C repeats it: its octets as they are, up to a zero.
fn as_in_c(text: &[u8]) -> &[u8] {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    &text[..text.len().min(MECHANISM_BYTES_MAX)]
}

/// What is wrong with an answer to DIGEST-MD5, if it is not the name.
fn digest_fault(token: &[u8]) -> Option<&'static str> {
    if !token.contains(&b'=') {
        return Some("SASL(-13): authentication failure: Parse error");
    }
    let has = |name: &[u8]| memchr::memmem::find(token, name).is_some();
    (!has(b"nonce=")).then_some("SASL(-13): authentication failure: required parameters missing: nonce")
}

impl Challenge {
    /// Does a client go on with the mechanism that it was for?
    fn is_of(&self, mechanism: &[u8]) -> bool {
        match self {
            Self::Text(own, _) | Self::Nothing(own) => mechanism.eq_ignore_ascii_case(own.as_bytes()),
            Self::Ntlm(_) => mechanism.eq_ignore_ascii_case(b"NTLM"),
        }
    }
}

//! What mail servers' logins share: SASL as a refusing server plays it (RFC 4422; PLAIN, LOGIN).
//!
//! Debian's Dovecot, which answers for its Postfix, too, offers no others unless it is told to; who finds CRAM-MD5 takes it, and keeps
//! his password to himself.

use crate::{
    Findings,
    text::{base64, unbase64},
};
use alloc::{string::String, vec::Vec};
use honeymesh_types::Signs;

/// How one logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Login,
}

/// One try that is under way.
pub(crate) struct Exchange {
    mechanism: Mechanism,
    /// LOGIN's first answer.
    username: Option<Vec<u8>>,
}

/// What the server says next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// This challenge, already encoded.
    Ask(String),
    /// The try is over: refuse it. What was offered is noted.
    Tried,
    /// The stranger gave it up.
    Aborted,
    /// Nothing that can be decoded.
    Broken,
}

impl Exchange {
    /// The mechanism of this name, if there is one.
    pub(crate) fn begin(name: &[u8]) -> Option<Self> {
        let mechanism = match name.to_ascii_uppercase().as_slice() {
            b"PLAIN" => Mechanism::Plain,
            b"LOGIN" => Mechanism::Login,
            _ => return None,
        };
        Some(Self { mechanism, username: None })
    }

    /// The first challenge, or what comes of an initial response (`=` is an empty one).
    pub(crate) fn open(&mut self, initial: Option<&[u8]>, findings: &mut Findings) -> Turn {
        match (self.mechanism, initial) {
            (_, Some(b"=")) => self.take(b"", findings),
            (_, Some(initial)) => self.take(initial, findings),
            (Mechanism::Plain, None) => Turn::Ask(String::new()),
            (Mechanism::Login, None) => Turn::Ask(base64(b"Username:")),
        }
    }

    /// Takes an answer.
    pub(crate) fn take(&mut self, answer: &[u8], findings: &mut Findings) -> Turn {
        if answer == b"*" {
            return Turn::Aborted;
        }
        let Some(said) = unbase64(answer) else { return Turn::Broken };
        match self.mechanism {
            Mechanism::Login if self.username.is_none() => {
                findings.note("username", &said);
                self.username = Some(said);
                return Turn::Ask(base64(b"Password:"));
            }
            Mechanism::Login => {
                findings.note("username", self.username.as_deref().unwrap_or_default());
                findings.note("password", &said);
            }
            Mechanism::Plain => note_plain(&said, findings),
        }
        findings.note("mechanism", self.name());
        findings.signs |= Signs::CREDENTIALS;
        Turn::Tried
    }

    const fn name(&self) -> &'static [u8] {
        match self.mechanism {
            Mechanism::Plain => b"PLAIN",
            Mechanism::Login => b"LOGIN",
        }
    }
}

/// `authorization NUL name NUL password` (RFC 4616).
fn note_plain(said: &[u8], findings: &mut Findings) {
    let mut parts = said.splitn(3, |byte| *byte == 0).skip(1);
    findings.note("username", parts.next().unwrap_or_default());
    findings.note("password", parts.next().unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(name: &str, answers: &[&str]) -> (Turn, Findings) {
        let mut findings = Findings::default();
        let mut exchange = Exchange::begin(name.as_bytes()).unwrap();
        let mut turn = exchange.open(None, &mut findings);
        for answer in answers {
            turn = exchange.take(answer.as_bytes(), &mut findings);
        }
        (turn, findings)
    }

    #[test]
    fn each_mechanism_gives_the_stranger_away() {
        for (name, answers) in [("PLAIN", &["AHJvb3QAdG9vcg=="][..]), ("login", &["cm9vdA==", "dG9vcg"])] {
            let (turn, findings) = tried(name, answers);
            assert_eq!((turn, findings.signs), (Turn::Tried, Signs::CREDENTIALS));
            assert_eq!((findings.fields["username"].as_str(), findings.fields["password"].as_str()), ("root", "toor"));
        }
    }

    #[test]
    fn what_is_given_up_or_broken_is_no_try() {
        assert_eq!(tried("LOGIN", &["*"]).0, Turn::Aborted);
        assert_eq!(tried("PLAIN", &["not base64!"]), (Turn::Broken, Findings::default()));
        assert!([&b"GSSAPI"[..], b"CRAM-MD5"].iter().all(|name| Exchange::begin(name).is_none()));
    }
}

//! What mail servers' logins share: SASL as a refusing server plays it (RFC 4422; PLAIN, LOGIN, CRAM-MD5).

use crate::{
    Findings,
    text::{base64, unbase64},
};
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// How one logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Login,
    CramMd5,
}

/// One try that is under way.
pub(crate) struct Exchange {
    mechanism: Mechanism,
    /// LOGIN's first answer.
    username: Option<Vec<u8>>,
    challenge: String,
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
    /// The mechanism of this name, if there is one. `challenge` is what CRAM-MD5 asks, as [`challenge`] makes it.
    pub(crate) fn begin(name: &[u8], challenge: String) -> Option<Self> {
        let mechanism = match name.to_ascii_uppercase().as_slice() {
            b"PLAIN" => Mechanism::Plain,
            b"LOGIN" => Mechanism::Login,
            b"CRAM-MD5" => Mechanism::CramMd5,
            _ => return None,
        };
        Some(Self { mechanism, username: None, challenge })
    }

    /// The first challenge, or what comes of an initial response (`=` is an empty one).
    pub(crate) fn open(&mut self, initial: Option<&[u8]>, findings: &mut Findings) -> Turn {
        match (self.mechanism, initial) {
            (_, Some(b"=")) => self.take(b"", findings),
            (_, Some(initial)) => self.take(initial, findings),
            (Mechanism::Plain, None) => Turn::Ask(String::new()),
            (Mechanism::Login, None) => Turn::Ask(base64(b"Username:")),
            (Mechanism::CramMd5, None) => Turn::Ask(base64(self.challenge.as_bytes())),
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
            Mechanism::CramMd5 => self.note_digest(&said, findings),
        }
        findings.note("mechanism", self.name());
        findings.signs |= Signs::CREDENTIALS;
        Turn::Tried
    }

    fn note_digest(&self, said: &[u8], findings: &mut Findings) {
        let space = said.iter().rposition(|byte| *byte == b' ').unwrap_or(said.len());
        findings.note("username", &said[..space]);
        findings.note("response", said.get(space + 1..).unwrap_or_default());
        findings.note("challenge", self.challenge.as_bytes());
    }

    const fn name(&self) -> &'static [u8] {
        match self.mechanism {
            Mechanism::Plain => b"PLAIN",
            Mechanism::Login => b"LOGIN",
            Mechanism::CramMd5 => b"CRAM-MD5",
        }
    }
}

/// `authorization NUL name NUL password` (RFC 4616).
fn note_plain(said: &[u8], findings: &mut Findings) {
    let mut parts = said.splitn(3, |byte| *byte == 0).skip(1);
    findings.note("username", parts.next().unwrap_or_default());
    findings.note("password", parts.next().unwrap_or_default());
}

/// A challenge nobody saw before, as Dovecot makes it.
pub(crate) fn challenge(nonce: [u8; 8], now: WallTime, host: &str) -> String {
    format!("<{}.{}@{host}>", u64::from_le_bytes(nonce) >> 1, now.0 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(name: &str, answers: &[&str]) -> (Turn, Findings) {
        let mut findings = Findings::default();
        let mut exchange = Exchange::begin(name.as_bytes(), "<1.2@mail>".into()).unwrap();
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
        let (_, findings) = tried("cram-md5", &[&base64(b"a b 0123456789abcdef")]);
        let fields = ["username", "response", "challenge"].map(|name| findings.fields[name].as_str());
        assert_eq!(fields, ["a b", "0123456789abcdef", "<1.2@mail>"]);
    }

    #[test]
    fn what_is_given_up_or_broken_is_no_try() {
        assert_eq!(tried("LOGIN", &["*"]).0, Turn::Aborted);
        assert_eq!(tried("PLAIN", &["not base64!"]), (Turn::Broken, Findings::default()));
        assert!(Exchange::begin(b"GSSAPI", String::new()).is_none());
    }
}

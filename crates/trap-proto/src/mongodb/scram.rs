//! SCRAM's first half (RFC 5802): the challenge, and what proves the password, for whoever wants to check guesses.

use super::Mongodb;
use crate::{Findings, text::base64};
use alloc::{format, string::String, vec::Vec};
use hmac::{Hmac, KeyInit, Mac};
use honeymesh_types::Signs;
use sha2::Sha256;

/// The longest of its messages, in bytes.
const MESSAGE_BYTES_MAX: usize = 512;

/// A conversation that has begun: the client's first message without its head, and ours.
pub(super) struct Scram {
    begun: String,
}

impl Scram {
    /// Answers a client's first message; `None` if it is broken.
    pub(super) fn begin(
        mechanism: &[u8],
        first: &[u8],
        nonce: &[u8],
        mongodb: &Mongodb,
        findings: &mut Findings,
    ) -> Option<(Self, String)> {
        let text = core::str::from_utf8(first).ok().filter(|text| text.len() <= MESSAGE_BYTES_MAX)?;
        let bare = text.split_once(',')?.1.split_once(',')?.1;
        let (user, theirs) = bare.strip_prefix("n=")?.split_once(",r=")?;
        let (bytes, rounds) = match mechanism {
            b"SCRAM-SHA-1" => (16, 10_000),
            b"SCRAM-SHA-256" => (28, 15_000),
            _ => return None,
        };
        findings.note("username", user.replace("=2C", ",").replace("=3D", "=").as_bytes());
        findings.note("mechanism", mechanism);
        findings.signs |= Signs::CREDENTIALS;
        let salt = base64(salt(mongodb, user).get(..bytes)?);
        let answer = format!("r={theirs}{},s={salt},i={rounds}", base64(nonce));
        Some((Self { begun: format!("{bare},{answer}") }, answer))
    }

    /// Takes down the proof with all that it proves.
    pub(super) fn end(self, last: &[u8], findings: &mut Findings) {
        let at = memchr::memmem::rfind(last, b",p=").unwrap_or(last.len());
        findings.note("auth_message", &[self.begun.as_bytes(), b",", &last[..at]].concat());
        findings.note("proof", last.get(at + 3..).unwrap_or_default());
        findings.signs |= Signs::CREDENTIALS;
    }
}

/// Each user's own, the same every time.
fn salt(mongodb: &Mongodb, user: &str) -> Vec<u8> {
    let key = mongodb.persona.key("mongodb salts");
    Hmac::<Sha256>::new_from_slice(&key).map_or_else(
        |_| key.to_vec(),
        |mut mac| {
            mac.update(user.as_bytes());
            mac.finalize().into_bytes().to_vec()
        },
    )
}

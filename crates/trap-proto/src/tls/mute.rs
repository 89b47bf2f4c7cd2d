//! Whoever speaks in the clear to a server that speaks TLS from the first byte on, and has no words for it.

use super::RECORD_HEAD_BYTES;
use crate::{Findings, Flow, Session, Step};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

/// The second byte of a record.
const VERSION: u8 = 3;
/// Why OpenSSL ends it where a record comes that is no hello's.
const UNEXPECTED_MESSAGE: u8 = 10;
/// What OpenSSL takes for HTTP, and says nothing to.
const WEB: [&[u8]; 5] = [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"CONNE"];
/// What Dovecot 2.4.1 with OpenSSL 3.5 sends to whoever goes on in the clear: a fatal `internal_error`.
pub(crate) const DOVECOT_ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 80];

/// Whether OpenSSL takes this, where a record's head would be, for HTTP.
pub(crate) fn is_web(head: &[u8]) -> bool {
    WEB.iter().any(|method| head.starts_with(method))
}

/// Reads a head's worth, says its last words and closes.
pub(crate) struct Mute {
    head: Vec<u8>,
    last_words: &'static [u8],
    findings: Findings,
}

impl Mute {
    pub(crate) fn saying(last_words: &'static [u8]) -> Self {
        Self { head: Vec::new(), last_words, findings: Findings::default() }
    }
}

impl Session for Mute {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        Step::by_byte_until_full(bytes, answer, usize::MAX, |byte, answer| {
            self.head.push(byte);
            self.findings.signs |= Signs::MALFORMED;
            if self.head.len() < RECORD_HEAD_BYTES {
                return Flow::Continue;
            }
            match *self.head {
                // A record, but of no kind that begins.
                [_, VERSION, minor, ..] => answer.extend_from_slice(&[0x15, VERSION, minor, 0, 2, 2, UNEXPECTED_MESSAGE]),
                _ if is_web(&self.head) => {}
                _ => answer.extend_from_slice(self.last_words),
            }
            self.head.clear();
            Flow::Close
        })
    }

    fn end(&mut self) {}

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive;

    #[test]
    fn who_speaks_in_the_clear_is_left_as_openssl_leaves_him() {
        let talk = |bytes: &[u8]| drive::whole(&mut Mute::saying(&DOVECOT_ALERT), bytes);
        let noop = talk(b"a NOOP\r\n");
        assert_eq!((noop.answer.as_slice(), noop.flow, noop.findings.signs), (&DOVECOT_ALERT[..], Flow::Close, Signs::MALFORMED));
        assert_eq!((talk(b"GET / HTTP/1.0\r\n\r\n").answer.len(), talk(b"QUI").flow), (0, Flow::Continue));
    }
}

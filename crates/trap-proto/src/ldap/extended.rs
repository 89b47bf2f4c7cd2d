//! Extended operations: those that slapd has, and what it says to who may not use them.

use super::session::{AUTHENTICATE, LdapSession, PROTOCOL_ERROR, STRONGER_AUTH_REQUIRED};
use crate::{
    Flow,
    ber::{tagged, value},
    exactly::Reader,
};
use alloc::vec::Vec;
use honeymesh_types::Signs;

const CANNOT_CANCEL: u8 = 119;

const PASSWORD: &[u8] = b"1.3.6.1.4.1.4203.1.11.1";
const CANCEL: &[u8] = b"1.3.6.1.1.8";
const BEGIN: &[u8] = b"1.3.6.1.1.21.1";
const END: &[u8] = b"1.3.6.1.1.21.3";
const WHO_AM_I: &[u8] = b"1.3.6.1.4.1.4203.1.11.3";

impl LdapSession {
    /// An extended request; `None` if it cannot be read.
    pub(super) fn extended(&mut self, id: &[u8], content: &[u8], answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(content);
        let name = tagged(&mut reader, 0x80)?;
        let has_value = !reader.0.is_empty();
        self.findings.note("extension", name);
        match name {
            PASSWORD => {
                self.note_password(tagged(&mut reader, 0x81).unwrap_or_default());
                let said = "only authenticated users may change passwords";
                self.done(id, 0x78, STRONGER_AUTH_REQUIRED, b"", said, answer);
            }
            BEGIN => self.done(id, 0x78, STRONGER_AUTH_REQUIRED, b"", AUTHENTICATE, answer),
            END if !has_value => self.done(id, 0x78, PROTOCOL_ERROR, b"", "request data expected", answer),
            CANCEL if has_value => self.done(id, 0x78, CANNOT_CANCEL, b"", "message ID not found", answer),
            WHO_AM_I if has_value => self.done(id, 0x78, PROTOCOL_ERROR, b"", "no request data expected", answer),
            WHO_AM_I => self.send(id, 0x78, &[10, 1, 0, 4, 0, 4, 0, 0x8b, 0], answer),
            _ => self.done(id, 0x78, PROTOCOL_ERROR, b"", "unsupported extended operation", answer),
        }
        Some(Flow::Telling)
    }

    /// Whose password is to be changed, from what, and into what (RFC 3062): whoever would is hostile.
    fn note_password(&mut self, asked: &[u8]) {
        self.findings.signs |= Signs::RULE;
        let mut parts = Reader(tagged(&mut Reader(asked), 0x30).unwrap_or_default());
        while let Some((tag, said)) = value(&mut parts) {
            let name = match tag {
                0x80 => "username",
                0x81 => "password",
                0x82 => "new_password",
                _ => continue,
            };
            self.findings.note(name, said);
            if !said.is_empty() {
                self.findings.signs |= Signs::CREDENTIALS;
            }
        }
    }
}

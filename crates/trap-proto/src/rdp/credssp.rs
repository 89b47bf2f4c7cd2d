//! CredSSP's requests, inside TLS: a version, and the tokens of a login by NTLM (MS-CSSP).

use crate::{
    ber::{ber, number, sequence, tagged},
    exactly::Reader,
    spnego,
};
use alloc::vec::Vec;

/// The newest version that is spoken.
const VERSION_MAX: u32 = 6;
/// `STATUS_LOGON_FAILURE`.
const REFUSED: [u8; 5] = [0, 0xc0, 0, 0, 0x6d];

/// The version that a request says; `None` if it is none.
pub(super) fn version(request: &[u8]) -> Option<u32> {
    let mut parts = Reader(tagged(&mut Reader(request), 0x30)?);
    number(tagged(&mut Reader(tagged(&mut parts, 0xa0)?), 2)?)
}

/// An answer with this token, wrapped as the request's was.
pub(super) fn go_on(request: &[u8], version: u32, token: &[u8]) -> Vec<u8> {
    let token = if spnego::is_wrapped(request) { spnego::go_on(token) } else { token.to_vec() };
    let tokens = ber(0xa1, &ber(0x30, &ber(0x30, &ber(0xa0, &ber(4, &token)))));
    sequence(0x30, &[spoken(version), tokens])
}

/// The last answer: nobody is let in. Whose version has no word for that is left without one.
pub(super) fn refuse(version: u32) -> Vec<u8> {
    if matches!(version, 0..=2 | 5) {
        return Vec::new();
    }
    sequence(0x30, &[spoken(version), ber(0xa4, &ber(2, &REFUSED))])
}

fn spoken(version: u32) -> Vec<u8> {
    ber(0xa0, &ber(2, &[u8::try_from(version.min(VERSION_MAX)).unwrap_or(6)]))
}

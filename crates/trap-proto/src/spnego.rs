//! How a login by NTLM is offered and wrapped (RFC 4178).

use crate::ber::{ber, sequence};
use alloc::vec::Vec;

const NTLMSSP: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// What servers say in place of a name that nobody reads.
const HINT: &[u8] = b"not_defined_in_RFC4178@please_ignore";

/// How one may log in here: by NTLM.
pub(crate) fn offer() -> Vec<u8> {
    let kinds = ber(0xa0, &ber(0x30, &ber(6, NTLMSSP)));
    let hint = ber(0xa3, &ber(0x30, &ber(0xa0, &ber(0x1b, HINT))));
    sequence(0x60, &[ber(6, SPNEGO), ber(0xa0, &sequence(0x30, &[kinds, hint]))])
}

/// The next step of a login by NTLM; without a token, the wish for one.
pub(crate) fn go_on(token: &[u8]) -> Vec<u8> {
    let state = ber(0xa0, &ber(0x0a, &[1]));
    let token = if token.is_empty() { Vec::new() } else { ber(0xa2, &ber(4, token)) };
    ber(0xa1, &sequence(0x30, &[state, ber(0xa1, &ber(6, NTLMSSP)), token]))
}

/// Its end.
pub(crate) fn accepted() -> Vec<u8> {
    ber(0xa1, &ber(0x30, &ber(0xa0, &ber(0x0a, &[0]))))
}

/// Is an NTLM message in it wrapped so?
pub(crate) fn is_wrapped(token: &[u8]) -> bool {
    memchr::memmem::find(token, SPNEGO).is_some()
}

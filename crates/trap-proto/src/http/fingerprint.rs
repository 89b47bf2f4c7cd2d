//! Which client it was, by how it writes a request: method, version, and the names of the headers in their order and case.

use crate::text::hex;
use httparse::Header;
use sha2::{Digest, Sha256};

/// Digits of the digest that are kept.
const DIGITS: usize = 12;

/// The first twelve digits of the SHA-256 digest over method, version and names, each followed by a line feed.
pub(super) fn fingerprint(method: &str, version: &[u8], headers: &[Header<'_>]) -> alloc::string::String {
    let mut digest = Sha256::new();
    let names = headers.iter().map(|header| header.name.as_bytes());
    for part in [method.as_bytes(), version].into_iter().chain(names) {
        digest.update(part);
        digest.update(b"\n");
    }
    let mut digits = hex(&digest.finalize());
    digits.truncate(DIGITS);
    digits
}

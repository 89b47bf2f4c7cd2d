//! The answer to DIGEST-MD5 (RFC 2831), as Cyrus SASL reads it: in which order it finds fault with one.

use super::sasl::{Code, Fault};
use alloc::{format, vec::Vec};

/// The longest answer that is looked at, in bytes.
const BYTES_MAX: usize = 4_096;
/// The least that a client must say it can take at once, in bytes.
const BUFFER_BYTES_MIN: u64 = 16;

/// What an answer has said so far.
#[derive(Default)]
struct Answer {
    username: Option<Vec<u8>>,
    authorization: Vec<u8>,
    nonce: Option<Vec<u8>>,
    count: u64,
    has_cnonce: bool,
    has_uri: bool,
    has_response: bool,
    has_realm: bool,
    has_qop: bool,
    has_buffer: bool,
}

/// What is wrong with an answer to the challenge with this nonce; at last that there is no such user.
pub(super) fn fault(nonce: &str, token: &[u8]) -> Fault {
    read(nonce, token).unwrap_or_else(|fault| fault)
}

fn read(nonce: &str, token: &[u8]) -> Result<Fault, Fault> {
    let wrong = |words: &str| Fault::new(Code::Authentication, words);
    if token.is_empty() {
        return Err(wrong("input expected in DIGEST-MD5, step 2"));
    }
    if token.len() > BYTES_MAX {
        return Err(Fault(Code::BadProtocol, None));
    }
    // As C reads it.
    let mut rest = token.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut answer = Answer::default();
    while !rest.is_empty() {
        let (name, value, behind) = pair(rest).ok_or_else(|| wrong("Parse error"))?;
        if name.is_empty() {
            break;
        }
        answer.take(name, value)?;
        rest = behind;
    }
    let missing = [
        ("username", answer.username.is_none()),
        ("nonce", answer.nonce.is_none()),
        ("noncecount", answer.count == 0),
        ("cnonce", !answer.has_cnonce),
        ("digesturi", !answer.has_uri),
        ("response", !answer.has_response),
    ];
    if let Some((name, _)) = missing.iter().find(|(_, is_missing)| *is_missing) {
        return Err(wrong(&format!("required parameters missing: {name}")));
    }
    if answer.nonce.as_deref() != Some(nonce.as_bytes()) {
        return Err(wrong("nonce changed: authentication aborted"));
    }
    Ok(Fault::of_names(&answer.username.unwrap_or_default(), &answer.authorization))
}

impl Answer {
    fn take(&mut self, name: &[u8], value: Vec<u8>) -> Result<(), Fault> {
        let wrong = |words: &str| Fault::new(Code::Authentication, words);
        let again = |had: &mut bool, words: &str| match core::mem::replace(had, true) {
            true => Err(Fault::new(Code::Failure, format!("duplicate {words}: authentication aborted"))),
            false => Ok(()),
        };
        match name.to_ascii_lowercase().as_slice() {
            b"username" => self.username = Some(value),
            b"authzid" => self.authorization = value,
            b"nonce" => self.nonce = Some(value),
            b"cnonce" => self.has_cnonce = true,
            b"response" => self.has_response = true,
            b"nc" => self.count = number(&value, 16).ok_or_else(|| wrong("error converting hex to int"))?,
            b"realm" => again(&mut self.has_realm, "realm")?,
            b"qop" => again(&mut self.has_qop, "qop")?,
            b"digest-uri" => {
                again(&mut self.has_uri, "digest-uri")?;
                if !value.get(..5).is_some_and(|service| service.eq_ignore_ascii_case(b"ldap/")) {
                    return Err(wrong("bad digest-uri: doesn't match service"));
                }
            }
            b"maxbuf" => {
                if core::mem::replace(&mut self.has_buffer, true) {
                    return Err(wrong("duplicate maxbuf: authentication aborted"));
                }
                let bytes = number(&value, 10).ok_or_else(|| wrong("invalid maxbuf parameter"))?;
                if bytes <= BUFFER_BYTES_MIN {
                    return Err(wrong("maxbuf parameter too small"));
                }
            }
            b"charset" if !value.eq_ignore_ascii_case(b"utf-8") => {
                return Err(Fault::new(Code::Failure, "client doesn't support UTF-8"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, radix).ok()
}

/// The next `name=value`, and what stands behind it and its comma. Without a name it is the end; `None` if it cannot be read.
fn pair(text: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let text = text.iter().position(|byte| !is_blank(*byte) && *byte != b',').map_or(&[][..], |at| &text[at..]);
    if text.is_empty() {
        return Some((&[], Vec::new(), &[]));
    }
    let (name, behind) = text.split_at(text.iter().position(|byte| !is_of_token(*byte)).unwrap_or(text.len()));
    let (value, behind) = match unblanked(behind).strip_prefix(b"=").map(unblanked)? {
        [b'"', quoted @ ..] => unquoted(quoted)?,
        plain => {
            let (value, behind) = plain.split_at(plain.iter().position(|byte| !is_of_token(*byte)).unwrap_or(plain.len()));
            (value.to_vec(), behind)
        }
    };
    match unblanked(behind) {
        [] => Some((name, value, &[])),
        [b',', behind @ ..] => Some((name, value, behind)),
        _ => None,
    }
}

/// A text up to the quote that ends it, without its backslashes, and what stands behind that quote.
fn unquoted(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut value, mut rest) = (Vec::new(), quoted);
    loop {
        rest = match rest {
            [b'"', behind @ ..] => return Some((value, behind)),
            [b'\\', byte, behind @ ..] | [byte, behind @ ..] => {
                value.push(*byte);
                behind
            }
            [] => return None,
        };
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn unblanked(text: &[u8]) -> &[u8] {
    text.iter().position(|byte| !is_blank(*byte)).map_or(&[], |at| &text[at..])
}

/// Whether a word may have it.
const fn is_of_token(byte: u8) -> bool {
    byte > b' '
        && !matches!(
            byte,
            0x7f | b'('
                | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'\''
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
                | b'{'
                | b'}'
        )
}

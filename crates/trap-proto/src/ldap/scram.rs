//! SCRAM's first message (RFC 5802), as Cyrus SASL reads it: in which order it finds fault with one.

use super::sasl::{Code, Fault};
use alloc::{format, vec::Vec};

/// The shortest and the longest message that are looked at, in bytes.
const BYTES_MIN: usize = 10;
const BYTES_MAX: usize = 2_048;

/// What is wrong with a message; at last that there is no such user.
pub(super) fn fault(mechanism: &str, token: &[u8]) -> Fault {
    read(mechanism, token).unwrap_or_else(|fault| fault)
}

fn read(mechanism: &str, token: &[u8]) -> Result<Fault, Fault> {
    let is_broken = |words: &str| Fault::new(Code::BadProtocol, format!("{words} {mechanism} input"));
    let comma = || is_broken("',' expected in");
    let nonce = || is_broken("Nonce expected after the username in");
    match token.len() {
        0 => return Err(Fault::new(Code::BadProtocol, format!("{mechanism} input expected"))),
        1..BYTES_MIN => return Err(is_broken("Invalid")),
        BYTES_MIN..=BYTES_MAX => {}
        _ => {
            let words = format!("{mechanism} input longer than (MAX_CLIENTIN_LEN) bytes");
            return Err(Fault::new(Code::BadProtocol, words));
        }
    }
    if token.contains(&0) {
        return Err(is_broken("NULs found in"));
    }
    let bound = match token {
        [b'p', b'=', rest @ ..] => {
            let at = rest.iter().position(|byte| *byte == b',');
            &rest[at.ok_or_else(|| is_broken("Channel binding name must be terminated by a comma in"))?..]
        }
        [b'p', ..] => return Err(is_broken("The initial 'p' needs to be followed by '=' in")),
        [b'n' | b'y', rest @ ..] => rest,
        _ => {
            let words = format!("The initial {mechanism} client response needs to start with 'y', 'n' or 'p'");
            return Err(Fault::new(Code::BadProtocol, words));
        }
    };
    let mut rest = bound.strip_prefix(b",").ok_or_else(comma)?;
    let mut authorization = Vec::new();
    if let Some(named) = rest.strip_prefix(b"a=") {
        let at = named.iter().position(|byte| *byte == b',').ok_or_else(|| is_broken("At least nonce is expected in"))?;
        let (name, behind) = named.split_at(at);
        authorization = decoded(name).ok_or_else(|| is_broken("Invalid authorization identity encoding in"))?;
        rest = behind;
    }
    let rest = rest.strip_prefix(b",").ok_or_else(comma)?;
    if rest.starts_with(b"m=") {
        return Err(Fault::new(Code::BadProtocol, format!("Unsupported mandatory extension to {mechanism}")));
    }
    let named = rest.strip_prefix(b"n=").ok_or_else(|| is_broken("Username (n=) expected in"))?;
    let (name, behind) = named.split_at(named.iter().position(|byte| *byte == b',').ok_or_else(nonce)?);
    let name = decoded(name).ok_or_else(|| is_broken("Invalid username encoding in"))?;
    if !behind.starts_with(b",r=") {
        return Err(nonce());
    }
    Ok(Fault::of_names(&name, &authorization))
}

/// A name with its commas and equals signs; `None` if it is none.
fn decoded(name: &[u8]) -> Option<Vec<u8>> {
    let (mut decoded, mut rest) = (Vec::new(), name);
    while let [byte, behind @ ..] = rest {
        rest = behind;
        decoded.push(match (byte, behind) {
            (b'=', [b'2', b'C', ..]) => b',',
            (b'=', [b'3', b'D', ..]) => b'=',
            (b'=', _) => return None,
            (byte, _) => *byte,
        });
        if *byte == b'=' {
            rest = &behind[2..];
        }
    }
    Some(decoded)
}

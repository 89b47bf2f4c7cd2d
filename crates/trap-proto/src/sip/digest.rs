//! What a stranger's password makes of a challenge, in a form that guesses can be checked against.

use super::message::Request;
use crate::Findings;
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::Signs;

/// Parameters that are looked at.
const PARAMETERS_MAX: usize = 32;

/// Notes the try, if there is one, and gives the nonce that it answers.
pub(super) fn note<'a>(request: &Request<'a>, findings: &mut Findings) -> Option<&'a [u8]> {
    let value = request.header("authorization").or_else(|| request.header("proxy-authorization"))?;
    let (scheme, rest) = value.split_at(value.iter().position(|byte| *byte == b' ')?);
    if !scheme.eq_ignore_ascii_case(b"digest") {
        findings.note("authorization", value);
        return None;
    }
    let parameters = parameters(rest);
    let get = |name: &str| {
        parameters.iter().find(|(written, _)| written.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
    };
    for name in ["username", "realm", "nonce", "response"] {
        findings.note(name, get(name).unwrap_or_default());
    }
    if get("response").is_some_and(|response| !response.is_empty()) {
        findings.signs |= Signs::CREDENTIALS;
        findings.note("digest", crackable(request.method, get).as_bytes());
    }
    get("nonce")
}

/// The line that hashcat's mode 11400 reads; who talked to whom is left out, it does not matter there.
fn crackable<'a>(method: &[u8], get: impl Fn(&str) -> Option<&'a [u8]>) -> String {
    let text = |name: &str| String::from_utf8_lossy(get(name).unwrap_or_default()).into_owned();
    let uri = text("uri");
    let (scheme, target) = uri.split_once(':').unwrap_or(("", &uri));
    let parts = ["cnonce", "nc", "qop"].map(text);
    format!(
        "$sip$***{}*{}*{}*{scheme}*{target}**{}*{}*MD5*{}",
        text("username"),
        text("realm"),
        String::from_utf8_lossy(method),
        text("nonce"),
        parts.join("*"),
        text("response")
    )
}

/// `a="1, 2", b=3`.
fn parameters(mut rest: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    while found.len() < PARAMETERS_MAX {
        let Some(equals) = rest.iter().position(|byte| *byte == b'=') else { break };
        let (name, behind) = (rest[..equals].trim_ascii(), rest[equals + 1..].trim_ascii_start());
        let (value, behind) = match behind.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = quoted.iter().position(|byte| *byte == b'"').unwrap_or(quoted.len());
                (&quoted[..end], quoted.get(end + 1..).unwrap_or_default())
            }
            None => {
                let end = behind.iter().position(|byte| *byte == b',').unwrap_or(behind.len());
                (behind[..end].trim_ascii(), &behind[end..])
            }
        };
        found.push((name, value));
        let comma = behind.iter().position(|byte| *byte == b',').unwrap_or(behind.len());
        rest = behind.get(comma + 1..).unwrap_or_default();
    }
    found
}

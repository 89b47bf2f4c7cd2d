//! Finds a member in JSON without reading all of it: strangers' JSON is often broken, and still tells.

use alloc::vec::Vec;

/// Strings that are looked at, keys and values together.
const STRINGS_MAX: usize = 512;
/// The longest value that is taken, in bytes.
const VALUE_BYTES_MAX: usize = 4 * 1_024;

/// The text of the first member of this name, at any depth: a string without its quotation marks and escapes, anything else as
/// it stands there. `None` if there is none.
pub(super) fn member(json: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut at = 0;
    for _ in 0..STRINGS_MAX {
        at += memchr::memchr(b'"', json.get(at..)?)?;
        let end = string_end(json, at)?;
        let is_it = json.get(at + 1..end - 1).is_some_and(|key| key.eq_ignore_ascii_case(name.as_bytes()));
        let behind = skip_space(json, end);
        if is_it && json.get(behind) == Some(&b':') {
            return value(json, skip_space(json, behind + 1));
        }
        at = end;
    }
    None
}

fn skip_space(json: &[u8], at: usize) -> usize {
    let space = json.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    at + space
}

/// Where a string that begins at `at` is over, its quotation mark included; the end of everything if it is never.
fn string_end(json: &[u8], at: usize) -> Option<usize> {
    let mut escaped = false;
    for (index, byte) in json.iter().enumerate().skip(at + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}

fn value(json: &[u8], at: usize) -> Option<Vec<u8>> {
    match json.get(at)? {
        b'"' => {
            let end = string_end(json, at).map_or(json.len(), |end| end - 1);
            Some(unescaped(json.get(at + 1..end)?))
        }
        b'[' | b'{' => Some(json.get(at..nested_end(json, at))?.to_vec()),
        _ => {
            let plain = json.get(at..)?.iter().take_while(|byte| !matches!(byte, b',' | b'}' | b']')).take(VALUE_BYTES_MAX);
            Some(plain.copied().collect::<Vec<_>>().trim_ascii().to_vec())
        }
    }
}

fn nested_end(json: &[u8], at: usize) -> usize {
    let (mut depth, mut index) = (0_usize, at);
    while let Some(byte) = json.get(index).filter(|_| index - at < VALUE_BYTES_MAX) {
        match byte {
            b'"' => index = string_end(json, index).unwrap_or(json.len()) - 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        index += 1;
        if depth == 0 {
            break;
        }
    }
    index.min(at + VALUE_BYTES_MAX).min(json.len())
}

/// Common escapes undone; others stay as they are.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if bytes.len() >= VALUE_BYTES_MAX {
            break;
        }
        match (byte, rest.as_slice().first()) {
            (b'\\', Some(escaped @ (b'"' | b'\\' | b'/' | b'n' | b't' | b'r'))) => {
                rest.next();
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    other => *other,
                });
            }
            _ => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_are_found_at_any_depth_and_in_broken_text() {
        type Case = (&'static [u8], &'static str, Option<&'static [u8]>);
        let table: [Case; 10] = [
            (b"{\"user\":\"a\",\"Password\" : \"b\\\"c\\n\"}", "password", Some(b"b\"c\n")),
            (b"{\"HostConfig\":{\"Binds\":[\"/:/mnt\",\"]\"]}}", "Binds", Some(b"[\"/:/mnt\",\"]\"]")),
            (b"{\"a\":1, \"b\": true}", "b", Some(b"true")),
            (b"[{\"x\":{\"y\":[1,{\"z\":2}]}},3]", "x", Some(b"{\"y\":[1,{\"z\":2}]}")),
            (b"{\"Image\":\"alp", "Image", Some(b"alp")),
            (b"{\"Cmd\":[\"sh\",\"-c", "Cmd", Some(b"[\"sh\",\"-c")),
            (b"{\"value\":\"Image\"}", "Image", None),
            (b"", "x", None),
            (b"\"\\", "x", None),
            (b"{\"x\":", "x", None),
        ];
        for (json, name, expected) in table {
            assert_eq!(member(json, name).as_deref(), expected, "{:?}", core::str::from_utf8(json));
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(json in "[\\[\\]{}\":,\\\\a ]{0,80}") {
            for name in ["a", "", "\""] {
                if let Some(value) = member(json.as_bytes(), name) {
                    prop_assert!(value.len() <= VALUE_BYTES_MAX);
                }
            }
        }
    }
}

//! Names of entries (RFC 4514) as they are compared.

use super::schema;
use alloc::{format, string::String, vec::Vec};

/// Parts of a name that are looked at; one with more is none.
const PARTS_MAX: usize = 64;

/// A name in one way of writing, such as `cn=a,dc=b`; `None` if it is none.
pub(super) fn normal(name: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(name).ok()?;
    if text.trim().is_empty() {
        return Some(String::new());
    }
    let mut parts = Vec::new();
    for (separator, part) in split(text)? {
        let (attribute, value) = part.split_once('=')?;
        let attribute = schema::find(attribute.trim().as_bytes())?;
        let value = folded(&unescaped(value.trim())?);
        if value.is_empty() || attribute.name == "c" && value.len() != 2 {
            return None;
        }
        parts.push((separator, format!("{}={}", attribute.name, escaped(&value))));
    }
    let mut name = String::new();
    for (separator, part) in parts {
        name.push_str(separator);
        name.push_str(&part);
    }
    Some(name)
}

/// Its parts, each with what stands before it.
fn split(text: &str) -> Option<Vec<(&'static str, &str)>> {
    let (mut parts, mut start, mut before) = (Vec::new(), 0, "");
    let (mut is_escaped, mut is_quoted) = (false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' | ';' | '+' if !is_quoted => {
                parts.push((before, &text[start..at]));
                before = if letter == '+' { "+" } else { "," };
                start = at + 1;
            }
            _ => {}
        }
        if parts.len() >= PARTS_MAX {
            return None;
        }
    }
    parts.push((before, &text[start..]));
    (!is_escaped && !is_quoted).then_some(parts)
}

/// A value without its quotes and escapes.
fn unescaped(value: &str) -> Option<String> {
    // In hexadecimal: nothing here is written so.
    if value.starts_with('#') {
        return None;
    }
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let (mut bytes, mut rest) = (Vec::new(), value.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                digit if digit.is_ascii_hexdigit() => {
                    let pair = [digit, rest.next()?];
                    u8::from_str_radix(core::str::from_utf8(&pair).ok()?, 16).ok()?
                }
                other => other,
            },
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A value in which nothing looks like the end of its part.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            ',' | '+' | '\\' => escaped.push_str(&format!("\\{:02x}", u32::from(letter))),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Text as text is compared: in small letters, with one space between words.
pub(super) fn folded(text: &str) -> String {
    let mut folded = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(&word.to_lowercase());
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_many_ways_is_one() {
        for name in ["dc=a b,dc=org", "DC = A  B ; domainComponent=\"org\"", "0.9.2342.19200300.100.1.25=\\61 b,dc=org"] {
            assert_eq!(normal(name.as_bytes()).as_deref(), Some("dc=a b,dc=org"), "{name}");
        }
        assert_eq!(normal(b"cn=a+o=B").as_deref(), Some("cn=a+o=b"));
        assert_eq!(normal(b"cn=a\\,b").as_deref(), Some("cn=a\\2cb"), "no two parts");
        assert_eq!(normal(b"cn=\"a+b\\\\\"").as_deref(), Some("cn=a\\2bb\\5c"));
        assert_eq!(normal(b" ").as_deref(), Some(""));
        for name in ["a", "foo=a", "dc=", ",dc=a", "dc=a,", "c=germany", "dc=#00", "dc=\"a", "dc=a\\"] {
            assert_eq!(normal(name.as_bytes()), None, "{name}");
        }
        assert_eq!(normal("dc=a,".repeat(200).as_bytes()), None);
    }
}

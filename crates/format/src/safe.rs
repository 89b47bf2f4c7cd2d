//! Text from strangers, made safe to show: what a terminal, a log or a reader's eye would obey is escaped.
//!
//! Which characters those are, [`is_unsafe`] and [`honeymesh_types::Censor`] say, for every sink.

use honeymesh_types::{Censor, is_shown_as_it_is};
use std::{borrow::Cow, fmt::Write as _};

pub use honeymesh_types::is_unsafe;

/// The text with every [`is_unsafe`] character, and towers of combining marks, written as escapes: `\n`, `\r`, `\t`, `\0`,
/// `\x1b`, `\u{202e}`. Everything else, a backslash too, stays as it is, so this is for eyes and not for reading back.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if is_shown_as_it_is(text) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut censor = Censor::default();
    for c in text.chars() {
        match censor.refuses(c) {
            true => push_escape(&mut safe, c),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// As [`printable`], but the text may have several lines.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    if text.split('\n').all(is_shown_as_it_is) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(printable).collect::<Vec<_>>().join("\n"))
}

/// `name=value` as one word of a line for people, [`printable`]. A value with blanks or quotes in it stands in quotes, its own
/// quotes as `\u{22}`: nobody's value can pose as another fact.
#[must_use]
pub fn pair(name: &str, value: &str) -> String {
    let (name, safe) = (printable(name), printable(value));
    match safe.contains(|c: char| c == '"' || c.is_whitespace()) {
        true => format!("{name}=\"{}\"", safe.replace('"', "\\u{22}")),
        false => format!("{name}={safe}"),
    }
}

/// Bytes as text: valid UTF-8 as [`printable`] shows it, every other byte as `\x80` to `\xff`.
#[must_use]
pub fn printable_bytes(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        safe.push_str(&printable(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\x{byte:02x}");
        }
    }
    safe
}

fn push_escape(safe: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = match c {
        '\n' => safe.write_str("\\n"),
        '\r' => safe.write_str("\\r"),
        '\t' => safe.write_str("\\t"),
        '\0' => safe.write_str("\\0"),
        c if u32::from(c) < 0x80 => write!(safe, "\\x{:02x}", u32::from(c)),
        c => write!(safe, "\\u{{{:x}}}", u32::from(c)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_the_rest_is_left_alone() {
        let table = [
            ("plain ä 漢 👍 C:\\temp", "plain ä 漢 👍 C:\\temp"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\0"),
            ("\x1b[31mred\x7f", "\\x1b[31mred\\x7f"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
            ("user\u{202e}gpj.exe\u{2066}", "user\\u{202e}gpj.exe\\u{2066}"),
            ("a\u{200b}b\u{feff}\u{e0041}", "a\\u{200b}b\\u{feff}\\u{e0041}"),
            ("z\u{301}\u{301}\u{301}\u{301}\u{301}", "z\u{301}\u{301}\u{301}\u{301}\\u{301}"),
        ];
        for (given, shown) in table {
            assert_eq!(printable(given), shown);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_bytes() {
        assert_eq!(printable_bytes(b"ok\xff\xfe\x1b\xc3\xa4"), "ok\\xff\\xfe\\x1bä");
    }

    #[test]
    fn no_value_poses_as_another_fact() {
        let table = [
            ("root", "username=root"),
            ("/a?b=c", "username=/a?b=c"),
            ("root grade=spoofable", "username=\"root grade=spoofable\""),
            ("x\" kind=ban \"", "username=\"x\\u{22} kind=ban \\u{22}\""),
            ("a\u{3000}b", "username=\"a\u{3000}b\""),
            ("a\nban", "username=a\\nban"),
        ];
        for (value, shown) in table {
            assert_eq!(pair("username", value), shown);
        }
    }

    #[test]
    fn lines_stay_lines_and_nothing_else_does() {
        assert_eq!(printable_lines("a\nb\r\n\x1b"), "a\nb\\r\n\\x1b");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_gets_through(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,20}|.{0,20}") {
            prop_assert!(!printable_bytes(&bytes).chars().any(is_unsafe));
            prop_assert!(!printable(&text).chars().any(is_unsafe));
        }
    }
}

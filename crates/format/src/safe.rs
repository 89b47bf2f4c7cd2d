//! Text from strangers, made safe to show: what a terminal, a log or a reader's eye would obey is escaped.

use std::{borrow::Cow, fmt::Write as _};

/// Is this a character that a terminal obeys, that ends a line, or that is invisible or reorders its
/// neighbours? C0, DEL and C1 controls, line and paragraph separators, bidi marks and overrides, zero-width and
/// tag characters.
#[must_use]
pub const fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// The text with every [`is_unsafe`] character written as an escape: `\n`, `\r`, `\t`, `\0`, `\x1b`, `\u{202e}`.
/// Everything else, a backslash too, stays as it is, so this is for eyes and not for reading back.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push(&mut safe, c);
    }
    Cow::Owned(safe)
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

fn push(safe: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = match c {
        '\n' => safe.write_str("\\n"),
        '\r' => safe.write_str("\\r"),
        '\t' => safe.write_str("\\t"),
        '\0' => safe.write_str("\\0"),
        c if !is_unsafe(c) => safe.write_char(c),
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
        ];
        for (given, shown) in table {
            assert_eq!(printable(given), shown);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_bytes() {
        assert_eq!(printable_bytes(b"ok\xff\xfe\x1b\xc3\xa4"), "ok\\xff\\xfe\\x1bä");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_gets_through(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,20}|.{0,20}") {
            prop_assert!(!printable_bytes(&bytes).chars().any(is_unsafe));
            prop_assert!(!printable(&text).chars().any(is_unsafe));
        }
    }
}

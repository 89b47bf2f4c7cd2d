//! Makes a stranger's bytes harmless to read: in a log, on a terminal, in a table.

use alloc::{string::String, vec::Vec};
use base64::{
    Engine, engine::DecodePaddingMode, engine::general_purpose::GeneralPurpose, engine::general_purpose::GeneralPurposeConfig,
};
use core::fmt::Write;

const CUT: &str = "…";

/// `bytes` as text of at most `bytes_max` bytes: broken UTF-8 becomes `U+FFFD`; control characters and those
/// that hide or reorder text become `\u{1b}` and the like; what does not fit is cut and ends in `…`.
///
/// A backslash stays as it is (`DOMAIN\user` must be readable); the captured payload has the exact bytes.
#[must_use]
pub fn safe_text(bytes: &[u8], bytes_max: usize) -> String {
    let mut text = String::new();
    let room = bytes_max.saturating_sub(CUT.len());
    let mut cut_at = 0;
    for chunk in bytes.utf8_chunks() {
        let broken = if chunk.invalid().is_empty() { None } else { Some(char::REPLACEMENT_CHARACTER) };
        for character in chunk.valid().chars().chain(broken) {
            push_safe(&mut text, character);
            if text.len() <= room {
                cut_at = text.len();
            }
            if text.len() > bytes_max {
                text.truncate(cut_at);
                if bytes_max >= CUT.len() {
                    text.push_str(CUT);
                }
                return text;
            }
        }
    }
    text
}

fn push_safe(text: &mut String, character: char) {
    if is_treacherous(character) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", character.escape_unicode());
    } else {
        text.push(character);
    }
}

/// Controls, line and paragraph separators, and what is invisible or changes the direction of text.
fn is_treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What `text` encodes, padded or not; `None` if it is no base64.
pub(crate) fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient.with_decode_allow_trailing_bits(true));
    engine.decode(text.trim_ascii()).ok()
}

/// `bytes` as base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// `bytes` as pairs of small hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A template with its names in braces replaced, and with the line ends of the net. A name that is not given stays.
pub(crate) fn filled(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::with_capacity(template.len() + template.len() / 8);
    let mut rest = template;
    while let Some(at) = rest.find(['{', '\n']) {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        let name = found.strip_prefix('{').and_then(|found| found.split_once('}'));
        let value = name.and_then(|(name, after)| Some((values.iter().find(|(known, _)| *known == name)?.1.as_str(), after)));
        match value {
            Some((value, after)) => {
                text.push_str(&value.replace('\n', "\r\n"));
                rest = after;
            }
            None => {
                text.push_str(if found.starts_with('\n') { "\r\n" } else { "{" });
                rest = &found[1..];
            }
        }
    }
    text + rest
}

/// Bytes that nobody can guess without the seed's entropy: splitmix64, good enough for cookies that guard nothing.
pub(crate) fn random_bytes<const N: usize>(seed: u64) -> [u8; N] {
    let mut state = seed;
    let mut bytes = [0; N];
    for chunk in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ mixed >> 31).to_le_bytes()[..chunk.len()]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_is_made_harmless() {
        let table: [(&[u8], &str); 9] = [
            (b"root", "root"),
            (b"DOMAIN\\admin", "DOMAIN\\admin"),
            ("pässwörd ✓".as_bytes(), "pässwörd ✓"),
            (b"a\r\nb\tc\0", "a\\u{d}\\u{a}b\\u{9}c\\u{0}"),
            (b"\x1b[2J", "\\u{1b}[2J"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"\xc2\x9b31m", "\\u{9b}31m"),
            ("\u{202e}txt".as_bytes(), "\\u{202e}txt"),
            (b"", ""),
        ];
        for (bytes, text) in table {
            assert_eq!(safe_text(bytes, 100), text, "{bytes:?}");
        }
    }

    #[test]
    fn encodings_are_read_and_written() {
        assert_eq!((base64(b"a:b"), hex(b"\x00\xfe")), ("YTpi".to_string(), "00fe".to_string()));
        assert_eq!(
            (unbase64(b"YTpiYw"), unbase64(b" YTpiYw== "), unbase64(b"?")),
            (Some(b"a:bc".to_vec()), Some(b"a:bc".to_vec()), None)
        );
    }

    #[test]
    fn templates_are_filled() {
        let values = [("a", "1".to_string()), ("b", "x\ny".to_string())];
        assert_eq!(filled("{a}-{b}\n{c}{a", &values), "1-x\r\ny\r\n{c}{a");
    }

    #[test]
    fn text_is_cut_between_characters_and_says_so() {
        assert_eq!(safe_text(b"12345678", 8), "12345678");
        assert_eq!(safe_text(b"123456789", 8), "12345…");
        assert_eq!(safe_text("äöüäö".as_bytes(), 8), "äö…", "never inside a character");
        assert_eq!(safe_text(b"12\x1b\x1b", 10), "12…", "never inside an escape");
        assert_eq!(safe_text(b"1234", 2), "".to_string(), "no room for the mark");
    }
}

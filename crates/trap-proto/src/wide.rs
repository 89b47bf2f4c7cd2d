//! Text in UTF-16, as Windows' protocols write it.

use alloc::{string::String, vec::Vec};

/// `text` in UTF-16, its low octet first.
pub(crate) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// What UTF-16 says, in UTF-8; what is broken becomes `U+FFFD`, an odd octet at the end is left out.
pub(crate) fn narrow(bytes: &[u8]) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_after_both_ways_and_broken_text_is_marked() {
        assert_eq!(wide("sä"), b"s\0\xe4\0");
        assert_eq!(narrow(&wide("sä✓😀")), "sä✓😀".as_bytes());
        assert_eq!(narrow(b"a\0\0\xd8b"), "a\u{fffd}".as_bytes());
    }
}

//! Makes a stranger's bytes harmless to read: in a log, on a terminal, in a table.

use alloc::{string::String, vec::Vec};
use base64::{
    Engine, engine::DecodePaddingMode, engine::general_purpose::GeneralPurpose, engine::general_purpose::GeneralPurposeConfig,
};
use core::fmt::Write;
use honeymesh_types::Censor;
use sha2::{Digest, Sha256};

const CUT: &str = "…";
/// What SHA-256 gives at once.
const BLOCK_BYTES: usize = 32;
/// In front of what [`random_bytes`] hashes.
const RANDOM_LABEL: &[u8] = b"honeymesh random 1: ";

/// `bytes` as text of at most `bytes_max` bytes: broken UTF-8 becomes `U+FFFD`; whatever must not be shown
/// ([`honeymesh_types::is_unsafe`], towers of combining marks) becomes `\u{1b}` and the like; what does not fit is cut and
/// ends in `…`. What was made safe already stays as it is.
#[must_use]
pub fn safe_text(bytes: &[u8], bytes_max: usize) -> String {
    written(bytes, bytes_max, |text, _| text.push(char::REPLACEMENT_CHARACTER), false)
}

/// As [`safe_text`], and nothing is lost but what is cut: a byte that is no UTF-8 becomes `\u{dc80}` to `\u{dcff}` (no
/// character has these numbers), and a backslash that stands before `u{` becomes `\u{5c}`, so that every `\u{…}` is one of
/// ours. Any other backslash stays as it is: `DOMAIN\user` must be readable.
#[must_use]
pub fn kept_text(bytes: &[u8], bytes_max: usize) -> String {
    written(bytes, bytes_max, |text, byte| push_escape(text, 0xdc00 | u32::from(byte)), true)
}

fn written(bytes: &[u8], bytes_max: usize, broken: impl Fn(&mut String, u8), keeps_backslash: bool) -> String {
    if let Some(plain) = plain(bytes).filter(|plain| plain.len() <= bytes_max && !(keeps_backslash && plain.contains("\\u{"))) {
        return plain.into();
    }
    weighed(bytes, bytes_max, broken, keeps_backslash)
}

/// The same, character by character.
fn weighed(bytes: &[u8], bytes_max: usize, broken: impl Fn(&mut String, u8), keeps_backslash: bool) -> String {
    let mut text = String::new();
    let mut cut = Cut { bytes_max, at: 0 };
    let mut censor = Censor::default();
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        for (place, character) in valid.char_indices() {
            let is_ours = keeps_backslash && character == '\\' && valid[place + 1..].starts_with("u{");
            match censor.refuses(character) || is_ours {
                true => push_escape(&mut text, u32::from(character)),
                false => text.push(character),
            }
            if cut.is_due(&mut text) {
                return text;
            }
        }
        let invalid = if keeps_backslash { chunk.invalid() } else { &chunk.invalid()[..chunk.invalid().len().min(1)] };
        for byte in invalid {
            broken(&mut text, *byte);
            if cut.is_due(&mut text) {
                return text;
            }
        }
    }
    text
}

/// Printable ASCII, which almost everything is, needs no second look.
fn plain(bytes: &[u8]) -> Option<&str> {
    let is_plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    core::str::from_utf8(bytes).ok().filter(|_| is_plain)
}

/// Where a text ends that gets too long.
struct Cut {
    bytes_max: usize,
    /// The last place at which the mark of a cut still fits.
    at: usize,
}

impl Cut {
    /// Cuts `text` if it is too long; never inside a character or an escape.
    fn is_due(&mut self, text: &mut String) -> bool {
        if text.len() <= self.bytes_max.saturating_sub(CUT.len()) {
            self.at = text.len();
        }
        if text.len() <= self.bytes_max {
            return false;
        }
        text.truncate(self.at);
        if self.bytes_max >= CUT.len() {
            text.push_str(CUT);
        }
        true
    }
}

fn push_escape(text: &mut String, number: u32) {
    // Writing to a String cannot fail.
    let _ = write!(text, "\\u{{{number:x}}}");
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

/// Bytes that nobody can guess without the seed's entropy, and of which some tell nothing of the others, nor of the seed: SHA-256
/// of a label, the seed and a count, block after block.
pub(crate) fn random_bytes<const N: usize>(seed: u64) -> [u8; N] {
    let mut bytes = [0; N];
    for (count, chunk) in (0_u64..).zip(bytes.chunks_mut(BLOCK_BYTES)) {
        let hash = Sha256::new().chain_update(RANDOM_LABEL).chain_update(seed.to_le_bytes());
        let block: [u8; BLOCK_BYTES] = hash.chain_update(count.to_le_bytes()).finalize().into();
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    bytes
}

/// The next number below `bound` of a seed, which goes on; 0 if the bound is.
pub(crate) fn random_below(seed: &mut u64, bound: u32) -> u32 {
    let number = u64::from_le_bytes(random_bytes(*seed));
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    u32::try_from(number.checked_rem(u64::from(bound)).unwrap_or_default()).unwrap_or_default()
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

    /// What `kept_text` was made of.
    fn unkept(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("\\u{") {
            let (number, after) = after.split_once('}').unwrap();
            let number = u32::from_str_radix(number, 16).unwrap();
            bytes.extend_from_slice(before.as_bytes());
            match char::from_u32(number) {
                Some(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                None => bytes.push(number.to_le_bytes()[0]),
            }
            rest = after;
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    #[test]
    fn nothing_is_lost_by_what_is_kept_as_text() {
        let table: [(&[u8], &str); 7] = [
            (b"DOMAIN\\user echo -e \\x41", "DOMAIN\\user echo -e \\x41"),
            (b"\x1b]0;x\x07", "\\u{1b}]0;x\\u{7}"),
            (b"\\u{1b}", "\\u{5c}u{1b}"),
            (b"\xff\xc0\xaf\xed\xa0\x80", "\\u{dcff}\\u{dcc0}\\u{dcaf}\\u{dced}\\u{dca0}\\u{dc80}"),
            ("a\u{200d}\u{202e}\u{fffd}".as_bytes(), "a\\u{200d}\\u{202e}\u{fffd}"),
            ("z\u{301}\u{301}\u{301}\u{301}\u{301}".as_bytes(), "z\u{301}\u{301}\u{301}\u{301}\\u{301}"),
            (b"\\", "\\"),
        ];
        for (bytes, text) in table {
            assert_eq!((kept_text(bytes, 100).as_str(), unkept(text).as_slice()), (text, bytes));
            assert_eq!(safe_text(text.as_bytes(), 100), text, "what was made safe stays as it is");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_kept_comes_back_and_can_be_shown(bytes: Vec<u8>, words in "(.|\\\\u\\{|[\u{300}-\u{36f}]){0,30}") {
            for bytes in [bytes, words.into_bytes()] {
                let text = kept_text(&bytes, usize::MAX);
                proptest::prop_assert_eq!(unkept(&text), bytes);
                proptest::prop_assert!(honeymesh_types::is_shown_as_it_is(&text));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn what_needs_no_second_look_would_come_out_of_it_the_same(words in "([ -~]|\\\\u\\{|\n|ä){0,12}", bytes_max in 0_usize..16) {
            let bytes = words.as_bytes();
            for keeps in [false, true] {
                let looked_at = weighed(bytes, bytes_max, |_, _| {}, keeps);
                proptest::prop_assert_eq!(written(bytes, bytes_max, |_, _| {}, keeps), looked_at);
            }
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

    /// What splitmix64 makes of a state.
    fn mixed(state: u64) -> u64 {
        let one = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let two = (one ^ one >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        two ^ two >> 31
    }

    /// The state that it was made of: each step can be gone back.
    fn unmixed(made: u64) -> u64 {
        let unshifted = |value: u64, by: u32| (0..64 / by).fold(value, |found, _| value ^ found >> by);
        let inverse = |odd: u64| (0..6).fold(odd, |found, _| found.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(found))));
        let two = unshifted(made, 31).wrapping_mul(inverse(0x94d0_49bb_1331_11eb));
        unshifted(unshifted(two, 27).wrapping_mul(inverse(0xbf58_476d_1ce4_e5b9)), 30)
    }

    #[test]
    fn random_bytes_tell_nothing_of_those_behind_them_or_of_their_seed() {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        assert_eq!([0, 7, u64::MAX].map(|state| unmixed(mixed(state))), [0, 7, u64::MAX]);
        for seed in [0, 7, u64::MAX] {
            let bytes: [u8; 72] = random_bytes(seed);
            let words: Vec<u64> = bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
            for pair in words.windows(2) {
                assert_ne!(pair[1], mixed(unmixed(pair[0]).wrapping_add(STEP)), "the next of splitmix64");
            }
            assert_eq!((random_bytes::<5>(seed), bytes[..32] == bytes[32..64]), (*bytes.first_chunk().unwrap(), false));
            assert_ne!(bytes, random_bytes(seed.wrapping_add(1)));
        }
        assert_eq!(
            hex(&random_bytes::<40>(7)),
            "2f319bc25de8d294a5a1bd91b6300b40df81fadd17e0d24ba19c2aa98159903e8a7a82a5378a73ab"
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

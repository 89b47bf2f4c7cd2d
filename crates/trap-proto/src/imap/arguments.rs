//! A command's words: atoms, quoted strings and literals (RFC 3501, section 4).

use alloc::vec::Vec;

/// Words of one command.
pub(super) const WORDS_MAX: usize = 32;
/// The longest literal that is taken, in bytes: names and passwords are shorter.
pub(super) const LITERAL_BYTES_MAX: u64 = 4_096;

/// What stands at a line's end: so many bytes follow that are one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) bytes: u64,
    /// The stranger does not wait for leave to send it (`{5+}`).
    pub(super) at_once: bool,
}

/// Why a line has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Appends the words of `line`; the literal, if it ends in one.
pub(super) fn read(line: &[u8], words: &mut Vec<Vec<u8>>) -> Result<Option<Literal>, Broken> {
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Ok(None);
        }
        if words.len() >= WORDS_MAX {
            return Err(Broken);
        }
        if let Some(announced) = rest.strip_prefix(b"{") {
            return literal(announced).map(Some).ok_or(Broken);
        }
        let (word, behind) = if let Some(quoted) = rest.strip_prefix(b"\"") { quoted_word(quoted)? } else { atom(rest) };
        words.push(word);
        rest = behind;
    }
}

fn literal(text: &[u8]) -> Option<Literal> {
    let text = text.strip_suffix(b"}")?;
    let (digits, at_once) = text.strip_suffix(b"+").map_or((text, false), |digits| (digits, true));
    let bytes = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Literal { bytes, at_once })
}

fn atom(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let (word, behind) = text.split_at(end);
    (word.to_vec(), behind)
}

fn quoted_word(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Broken> {
    let mut word = Vec::new();
    let mut rest = text;
    loop {
        match rest {
            [] => return Err(Broken),
            [b'"', behind @ ..] => return Ok((word, behind)),
            [b'\\', byte, behind @ ..] | [byte, behind @ ..] => {
                word.push(*byte);
                rest = behind;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<(Vec<Vec<u8>>, Option<Literal>), Broken> {
        let mut words = Vec::new();
        read(line.as_bytes(), &mut words).map(|literal| (words, literal))
    }

    #[test]
    fn words_are_read_in_each_of_their_forms() {
        let table: [(&str, &[&str]); 4] = [
            ("a LOGIN root toor", &["a", "LOGIN", "root", "toor"]),
            (r#"a login "ro ot" "t\"o\\r""#, &["a", "login", "ro ot", "t\"o\\r"]),
            ("  ", &[]),
            ("a \"\"  b", &["a", "", "b"]),
        ];
        for (line, expected) in table {
            let expected: Vec<Vec<u8>> = expected.iter().map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(words(line), Ok((expected, None)), "{line}");
        }
        assert_eq!(words("{4}").unwrap().1, Some(Literal { bytes: 4, at_once: false }));
        assert_eq!(words("{4+}").unwrap().1, Some(Literal { bytes: 4, at_once: true }));
    }

    #[test]
    fn broken_words_are_told() {
        for line in ["a \"b", "a {x}", "a {4", "a {99999999999999999999}", "a \"b\\"] {
            assert_eq!(words(line), Err(Broken), "{line}");
        }
        assert_eq!(words(&"x ".repeat(WORDS_MAX + 1)), Err(Broken));
    }
}

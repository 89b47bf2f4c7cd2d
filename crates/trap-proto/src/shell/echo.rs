//! `echo`, with `-n` and `-e`.

use alloc::vec::Vec;

/// Appends what `echo` prints of the words behind it; `newline` is what ends a line.
pub(super) fn echo(words: &[&[u8]], newline: &[u8], out: &mut Vec<u8>) {
    let (mut ends, mut escapes) = (true, false);
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        let Some(letters) = options(word) else { break };
        ends &= !letters.contains(&b'n');
        escapes |= letters.contains(&b'e');
        rest = behind;
    }
    let text = rest.join(&b' ');
    if escapes {
        unescape(&text, out);
    } else {
        out.extend_from_slice(&text);
    }
    if ends {
        out.extend_from_slice(newline);
    }
}

fn options(word: &[u8]) -> Option<&[u8]> {
    let letters = word.strip_prefix(b"-").filter(|letters| !letters.is_empty())?;
    letters.iter().all(|letter| matches!(letter, b'n' | b'e' | b'E')).then_some(letters)
}

fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match rest {
            [b'\\', b'x', high, low, further @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, further),
                _ => (*first, behind),
            },
            [b'\\', b'0', digits @ ..] => octal(digits),
            [b'\\', b'n', further @ ..] => (b'\n', further),
            [b'\\', b'r', further @ ..] => (b'\r', further),
            [b'\\', b't', further @ ..] => (b'\t', further),
            [b'\\', b'\\', further @ ..] => (b'\\', further),
            _ => (*first, behind),
        };
        out.push(byte);
        rest = behind;
    }
}

/// Up to three octal digits, and what follows them.
fn octal(digits: &[u8]) -> (u8, &[u8]) {
    let count = digits.iter().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
    let (number, behind) = digits.split_at(count);
    (number.iter().fold(0, |value: u8, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')), behind)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_bashs() {
        let table: [(&[u8], &[u8]); 5] =
            [(b"\\x41\\0102", b"AB"), (b"\\0", b"\0"), (b"\\01011", b"A1"), (b"\\102", b"\\102"), (b"a\\tb\\\\", b"a\tb\\")];
        for (text, printed) in table {
            let mut out = Vec::new();
            echo(&[b"-ne", text], b"\n", &mut out);
            assert_eq!(out, printed, "{}", text.escape_ascii());
        }
    }
}

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
    let stops = escapes && unescape(&text, Escapes::Echo, out);
    if !escapes {
        out.extend_from_slice(&text);
    }
    if ends && !stops {
        out.extend_from_slice(newline);
    }
}

fn options(word: &[u8]) -> Option<&[u8]> {
    let letters = word.strip_prefix(b"-").filter(|letters| !letters.is_empty())?;
    letters.iter().all(|letter| matches!(letter, b'n' | b'e' | b'E')).then_some(letters)
}

/// Whose escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `echo -e`: octal digits stand behind a nought.
    Echo,
    /// `$'…'`.
    Quoted,
    /// What `printf` prints.
    Printf,
    /// What `printf %b` is given: octal digits with a nought or without.
    Argument,
    /// dash's `echo`, and what its `printf` prints: no hexadecimal digits.
    DashEcho,
    Dash,
}

impl Escapes {
    const fn is_dash(self) -> bool {
        matches!(self, Self::DashEcho | Self::Dash)
    }
}

/// `\u0041` and `\U00000041`, up to so many digits, and what follows them.
fn unicode(digits: &[u8], most: usize) -> Option<(char, &[u8])> {
    let count = digits.iter().take(most).take_while(|digit| hex(**digit).is_some()).count();
    let (number, behind) = digits.split_at(count);
    let number = number.iter().fold(0_u32, |sum, digit| sum << 4 | u32::from(hex(*digit).unwrap_or(0)));
    (count > 0).then(|| Some((char::from_u32(number)?, behind)))?
}

/// Appends a text with its escapes worked out; `true` if one of them ends all output.
pub(super) fn unescape(text: &[u8], whose: Escapes, out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let named = match rest {
            [b'\\', b'u', digits @ ..] if !whose.is_dash() => unicode(digits, 4),
            [b'\\', b'U', digits @ ..] if !whose.is_dash() => unicode(digits, 8),
            _ => None,
        };
        if let Some((letter, behind)) = named {
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            rest = behind;
            continue;
        }
        let (byte, behind) = match rest {
            [b'\\', b'x', ..] if whose.is_dash() => (*first, behind),
            [b'\\', b'x', high, low, further @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                (hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0), further)
            }
            [b'\\', b'x', digit, further @ ..] if hex(*digit).is_some() => (hex(*digit).unwrap_or(0), further),
            [b'\\', b'0', digits @ ..] if matches!(whose, Escapes::Echo | Escapes::DashEcho | Escapes::Argument) => octal(digits),
            [b'\\', digits @ ..]
                if !matches!(whose, Escapes::Echo | Escapes::DashEcho) && matches!(digits.first(), Some(b'0'..=b'7')) =>
            {
                octal(digits)
            }
            [b'\\', b'c', ..] if whose != Escapes::Quoted => return true,
            [b'\\', quote @ (b'\'' | b'"'), further @ ..] if matches!(whose, Escapes::Quoted | Escapes::Printf) => {
                (*quote, further)
            }
            [b'\\', letter, further @ ..] => match control(*letter) {
                Some(byte) => (byte, further),
                None => (*first, behind),
            },
            _ => (*first, behind),
        };
        out.push(byte);
        rest = behind;
    }
    false
}

const fn control(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 7,
        b'b' => 8,
        b'e' | b'E' => 0x1b,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        _ => return None,
    })
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
        let table: [(&[u8], &[u8]); 8] = [
            (b"\\x41\\0102", b"AB"),
            (b"\\0", b"\0"),
            (b"\\01011", b"A1"),
            (b"\\102", b"\\102"),
            (b"a\\tb\\\\", b"a\tb\\"),
            (b"\\x4g", b"\x04g"),
            (b"\\e[m\\v\\q", b"\x1b[m\x0b\\q"),
            (b"a\\cb", b"a"),
        ];
        for (text, printed) in table {
            let mut out = Vec::new();
            echo(&[b"-ne", text], b"\n", &mut out);
            assert_eq!(out, printed, "{}", text.escape_ascii());
        }
    }
}

//! Takes a script to words.

use super::Stop;
use alloc::{format, string::String, vec::Vec};

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Name(Vec<u8>),
    Number(f64),
    Text(Vec<u8>),
    /// A keyword or a sign.
    Sign(&'static str),
    End,
}

const KEYWORDS: [&str; 21] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not", "or", "repeat",
    "return", "then", "true", "until", "while",
];
/// The longer ones first.
const SIGNS: [&str; 25] = [
    "...", "..", "==", "~=", "<=", ">=", "+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(", ")", "{", "}", "[", "]", ";",
    ":", ",",
];

/// A script while it is read.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    pub(super) line: u32,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    #[cfg(test)]
    pub(super) const fn left(&self) -> usize {
        self.text.len() - self.at
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn refuse<T>(&self, words: &str, near: &[u8]) -> Result<T, Stop> {
        Err(Stop::Compile(format!("{words} near '{}'", String::from_utf8_lossy(near)), self.line))
    }

    /// The next word, and how it is written.
    pub(super) fn next(&mut self) -> Result<(Word, &'a [u8]), Stop> {
        self.skip()?;
        let from = self.at;
        let word = match self.rest() {
            [] => return Ok((Word::End, b"<eof>")),
            [b'"' | b'\'', ..] => self.quoted()?,
            [b'[', b'[', ..] => Word::Text(self.long(2)?),
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => self.number()?,
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => self.name(),
            rest => match SIGNS.iter().chain(&["."]).find(|sign| rest.starts_with(sign.as_bytes())) {
                Some(sign) => {
                    self.at += sign.len();
                    Word::Sign(sign)
                }
                // Nothing goes on with that.
                None => {
                    self.at += 1;
                    Word::Sign("")
                }
            },
        };
        Ok((word, self.text.get(from..self.at).unwrap_or_default()))
    }

    /// White space and remarks.
    fn skip(&mut self) -> Result<(), Stop> {
        loop {
            match self.rest() {
                [b'-', b'-', b'[', b'[', ..] => {
                    self.long(4)?;
                }
                [b'-', b'-', ..] => self.at += self.rest().iter().take_while(|byte| **byte != b'\n').count(),
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0b => {
                    self.line += u32::from(*byte == b'\n');
                    self.at += 1;
                }
                _ => return Ok(()),
            }
        }
    }

    /// What stands between double brackets.
    fn long(&mut self, begin: usize) -> Result<Vec<u8>, Stop> {
        let inside = self.rest().get(begin..).unwrap_or_default();
        let Some(length) = memchr::memmem::find(inside, b"]]") else {
            let what = if begin == 4 { "unfinished long comment" } else { "unfinished long string" };
            return self.refuse(what, b"<eof>");
        };
        let inside = &inside[..length];
        self.line += u32::try_from(inside.iter().filter(|byte| **byte == b'\n').count()).unwrap_or_default();
        self.at += begin + length + 2;
        Ok(inside.strip_prefix(b"\n").unwrap_or(inside).to_vec())
    }

    fn quoted(&mut self) -> Result<Word, Stop> {
        let (from, quote) = (self.at, self.rest()[0]);
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match *self.rest() {
                [] => return self.refuse("unfinished string", b"<eof>"),
                [b'\n', ..] => return self.refuse("unfinished string", &self.text[from..self.at]),
                [b'\\', a, ..] => {
                    self.at += 2;
                    self.escaped(a, from, &mut text)?;
                }
                [b'\\'] => self.at += 1,
                [byte, ..] => {
                    self.at += 1;
                    if byte == quote {
                        return Ok(Word::Text(text));
                    }
                    text.push(byte);
                }
            }
        }
    }

    /// What stands behind a backslash.
    fn escaped(&mut self, byte: u8, from: usize, text: &mut Vec<u8>) -> Result<(), Stop> {
        text.push(match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            b'0'..=b'9' => {
                let more = self.rest().iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
                let digits = self.text[self.at - 1..self.at + more].iter();
                let number = digits.fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
                self.at += more;
                match u8::try_from(number) {
                    Ok(byte) => byte,
                    Err(_) => return self.refuse("escape sequence too large", &self.text[from..self.at - more - 2]),
                }
            }
            other => {
                self.line += u32::from(other == b'\n');
                other
            }
        });
        Ok(())
    }

    fn number(&mut self) -> Result<Word, Stop> {
        let rest = self.rest();
        let mut length = 0;
        while let Some(byte) = rest.get(length) {
            let is_sign = matches!(byte, b'+' | b'-') && matches!(rest.get(length.wrapping_sub(1)), Some(b'e' | b'E'));
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || (is_sign && !rest.starts_with(b"0x"))) {
                break;
            }
            length += 1;
        }
        self.at += length;
        match number(&rest[..length]) {
            Some(number) => Ok(Word::Number(number)),
            None => self.refuse("malformed number", &rest[..length]),
        }
    }

    fn name(&mut self) -> Word {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        self.at += length;
        let name = &rest[..length];
        match KEYWORDS.iter().find(|keyword| keyword.as_bytes() == name) {
            Some(keyword) => Word::Sign(keyword),
            None => Word::Name(name.to_vec()),
        }
    }
}

/// What a number is written like.
pub(super) fn number(digits: &[u8]) -> Option<f64> {
    let text = core::str::from_utf8(digits).ok()?.trim();
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        // Up to 32 bits, which a number has room for.
        return u32::from_str_radix(digits, 16).ok().map(f64::from);
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse().ok().filter(|_| is_plain)
}

//! `printf`, as bash and dash have it.

use super::{Output, Voice, run::Run};
use crate::shell::echo::{Escapes, unescape};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// What `printf` prints of one argument.
#[derive(Clone, Copy, Default)]
struct Shape {
    is_left: bool,
    has_zeros: bool,
    has_plus: bool,
    has_blank: bool,
    is_other: bool,
    width: usize,
    precision: Option<usize>,
}

/// The widest that is filled up, and the most digits behind a point.
const WIDTH_MAX: usize = 512;
const DIGITS_MAX: usize = 60;

impl Run<'_, '_> {
    pub(super) fn printf(&mut self, words: &[&[u8]], output: &mut Output) {
        let words = words.strip_prefix(&[&b"--"[..]]).unwrap_or(words);
        let (format, mut rest) = match words {
            [b"-v", name, format, rest @ ..] => {
                let mut own = Output::default();
                self.printf(&[&[*format][..], rest].concat(), &mut own);
                self.place.memory.set(name, &own.out);
                return;
            }
            [format, rest @ ..] => (*format, rest),
            [] => {
                output.status = 2;
                return output.complain("printf: usage: printf [-v var] format [arguments]\n");
            }
        };
        loop {
            let (before, printed) = (rest.len(), output.out.len());
            let stops = self.once(format, &mut rest, output);
            let bytes = output.out.len().saturating_sub(printed) + format.len();
            if !self.shell.work.take_bytes(bytes) || stops || rest.is_empty() || rest.len() == before || output.is_full() {
                return;
            }
        }
    }

    /// A format once, with these words.
    pub(super) fn print_once(&self, format: &[u8], words: &[&[u8]], output: &mut Output) {
        let mut words = words;
        let _ = self.once(format, &mut words, output);
    }

    fn once<'w>(&self, format: &[u8], words: &mut &'w [&'w [u8]], output: &mut Output) -> bool {
        let mut at = 0;
        let whose = if self.shell.voice.get() == Voice::Dash { Escapes::Dash } else { Escapes::Printf };
        while at < format.len() {
            let percent = memchr::memchr(b'%', &format[at..]).map_or(format.len(), |next| at + next);
            if unescape(&format[at..percent], whose, &mut output.out) || output.is_full() {
                return true;
            }
            let Some(spec) = format.get(percent + 1..) else { break };
            let mut next = || match words.split_first() {
                Some((word, behind)) => {
                    *words = behind;
                    *word
                }
                None => b"",
            };
            let (length, shape, letter) = shape(spec, &mut next);
            at = percent + 1 + length;
            match letter {
                b'%' => output.out.push(b'%'),
                b'b' => {
                    let mut text = Vec::new();
                    let stops = unescape(next(), Escapes::Argument, &mut text);
                    output.out.extend(filled(&text, shape, letter));
                    if stops {
                        return true;
                    }
                }
                letter if b"diuoxXcsqeEfFgGa".contains(&letter) => {
                    let word = next();
                    let text = self.converted(letter, word, shape, output);
                    output.out.extend(filled(&text, shape, letter));
                }
                odd => {
                    let text = format!("printf: `{}': invalid format character", crate::safe_text(&[odd], 4));
                    self.shell.refuse(&text, output);
                    return true;
                }
            }
        }
        false
    }

    fn converted(&self, letter: u8, word: &[u8], shape: Shape, output: &mut Output) -> Vec<u8> {
        let cut = |text: &[u8]| text[..shape.precision.unwrap_or(text.len()).min(text.len())].to_vec();
        match letter {
            b'c' => return word.iter().take(1).copied().collect(),
            b's' => return cut(word),
            b'q' => return quoted(word),
            _ => {}
        }
        if b"eEfFgGa".contains(&letter) {
            let text = String::from_utf8_lossy(word).trim().to_string();
            let number: f64 = text.parse().unwrap_or_else(|_| {
                if !text.is_empty() {
                    self.invalid(word, output);
                }
                0.0
            });
            return signed(real(letter, number.abs(), shape), number.is_sign_negative() && number != 0.0, shape);
        }
        let number = self.number(word, output);
        let digits = match letter {
            b'd' | b'i' => number.unsigned_abs().to_string(),
            b'u' => number.cast_unsigned().to_string(),
            b'x' => format!("{}{number:x}", if shape.is_other && number != 0 { "0x" } else { "" }),
            b'X' => format!("{}{number:X}", if shape.is_other && number != 0 { "0X" } else { "" }),
            _ => format!("{}{number:o}", if shape.is_other { "0" } else { "" }),
        };
        let least = shape.precision.unwrap_or(0).min(DIGITS_MAX);
        let digits = format!("{digits:0>least$}");
        signed(
            digits,
            number < 0 && matches!(letter, b'd' | b'i'),
            if matches!(letter, b'd' | b'i') { shape } else { Shape::default() },
        )
    }

    fn number(&self, word: &[u8], output: &mut Output) -> i64 {
        let text = String::from_utf8_lossy(word).to_string();
        let plain = text.trim_start();
        if let Some(letter) = plain.strip_prefix(['\'', '"']) {
            return letter.chars().next().map_or(0, |letter| i64::from(u32::from(letter)));
        }
        let (sign, digits) = match plain.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, plain.strip_prefix('+').unwrap_or(plain)),
        };
        let (base, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(digits) => (16, digits),
            None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
            None => (10, digits),
        };
        let good = digits.bytes().take_while(|digit| char::from(*digit).is_digit(base)).count();
        if good < digits.len() || digits.is_empty() && !plain.is_empty() {
            self.invalid(word, output);
        }
        let value =
            i128::from_str_radix(&digits[..good], base).unwrap_or(if good == 0 { 0 } else { i128::from(i64::MAX) }) * sign;
        // Up to what fits without a sign, it goes round.
        if value > i128::from(u64::MAX) || value < i128::from(i64::MIN) {
            return if sign < 0 { i64::MIN } else { i64::MAX };
        }
        i64::try_from(value).unwrap_or_else(|_| u64::try_from(value).map_or(0, u64::cast_signed))
    }

    fn invalid(&self, word: &[u8], output: &mut Output) {
        self.shell.refuse(&format!("printf: {}: invalid number", crate::safe_text(word, 100)), output);
    }
}

fn signed(digits: String, is_negative: bool, shape: Shape) -> Vec<u8> {
    let sign = match shape {
        _ if is_negative => "-",
        Shape { has_plus: true, .. } => "+",
        Shape { has_blank: true, .. } => " ",
        _ => "",
    };
    format!("{sign}{digits}").into_bytes()
}

/// A number that is no whole one, without its sign.
fn real(letter: u8, number: f64, shape: Shape) -> String {
    let digits = shape.precision.unwrap_or(6).min(DIGITS_MAX);
    let with_power = |digits: usize| {
        let text = format!("{number:.digits$e}");
        let (head, power) = text.split_once('e').unwrap_or((&text, "0"));
        let power: i32 = power.parse().unwrap_or(0);
        (head.to_string(), power)
    };
    let shown = |head: &str, power: i32| format!("{head}e{}{:02}", if power < 0 { '-' } else { '+' }, power.unsigned_abs());
    let text = match letter.to_ascii_lowercase() {
        b'f' => format!("{number:.digits$}"),
        b'e' => {
            let (head, power) = with_power(digits);
            shown(&head, power)
        }
        _ => {
            let digits = digits.max(1);
            let (head, power) = with_power(digits - 1);
            let trim = |text: &str| match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
                false => text.to_string(),
            };
            match usize::try_from(i64::try_from(digits).unwrap_or(0) - 1 - i64::from(power)) {
                Ok(behind) if power >= -4 => trim(&format!("{number:.behind$}")),
                _ => shown(&trim(&head), power),
            }
        }
    };
    if letter.is_ascii_uppercase() { text.to_ascii_uppercase() } else { text }
}

/// As it can be typed again.
fn quoted(word: &[u8]) -> Vec<u8> {
    if word.is_empty() {
        return b"''".to_vec();
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(byte) || *byte >= 0x80;
    word.iter().flat_map(|byte| if is_plain(byte) { alloc::vec![*byte] } else { alloc::vec![b'\\', *byte] }).collect()
}

/// How long a conversion is behind its `%`, what it wants, and its letter.
fn shape<'w>(spec: &[u8], next: &mut dyn FnMut() -> &'w [u8]) -> (usize, Shape, u8) {
    let (mut shape, mut at) = (Shape::default(), 0);
    while let Some(flag @ (b'-' | b'0' | b'+' | b' ' | b'#')) = spec.get(at) {
        shape.is_left |= *flag == b'-';
        shape.has_zeros |= *flag == b'0';
        shape.has_plus |= *flag == b'+';
        shape.has_blank |= *flag == b' ';
        shape.is_other |= *flag == b'#';
        at += 1;
    }
    let number = |text: &[u8]| core::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<i64>().ok());
    let mut amount = |at: &mut usize| {
        if spec.get(*at) == Some(&b'*') {
            *at += 1;
            return number(next()).unwrap_or(0);
        }
        let length = spec[*at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = &spec[*at..*at + length];
        *at += length;
        if digits.is_empty() { 0 } else { number(digits).unwrap_or(i64::MAX) }
    };
    let width = amount(&mut at);
    shape.is_left |= width < 0;
    shape.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
    if spec.get(at) == Some(&b'.') {
        at += 1;
        shape.precision = usize::try_from(amount(&mut at)).ok();
    }
    while matches!(spec.get(at), Some(b'l' | b'h' | b'j' | b'z' | b'L')) {
        at += 1;
    }
    let letter = spec.get(at).copied().unwrap_or(b'%');
    ((at + 1).min(spec.len()), shape, letter)
}

fn filled(text: &[u8], shape: Shape, letter: u8) -> Vec<u8> {
    let missing = shape.width.min(WIDTH_MAX).saturating_sub(text.len());
    let zeros = shape.has_zeros && !shape.is_left && !matches!(letter, b's' | b'b' | b'c' | b'q');
    if zeros {
        let sign = usize::from(matches!(text.first(), Some(b'-' | b'+' | b' ')));
        return [&text[..sign], &b"0".repeat(missing), &text[sign..]].concat();
    }
    let fill = b" ".repeat(missing);
    if shape.is_left { [text, &fill].concat() } else { [&fill, text].concat() }
}

//! `test`, `[` and what is simple of `[[`.

use super::{
    Output,
    glob::Glob,
    regex::{Kind, Regex, Syntax, Tool, Wants},
    run::Run,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Parentheses and `!` inside of each other.
const DEPTH_MAX: u8 = 8;

/// What is still to be looked at.
struct Asked<'a, 'b> {
    rest: &'b [&'a [u8]],
    /// Patterns mean something behind `=`.
    is_double: bool,
    depth: u8,
    trouble: Option<String>,
}

impl Run<'_, '_> {
    pub(super) fn test(&mut self, name: &[u8], words: &[&[u8]], output: &mut Output) {
        let end: &[u8] = match name {
            b"[" => b"]",
            b"[[" => b"]]",
            _ => b"",
        };
        let words = match words.split_last() {
            Some((last, before)) if !end.is_empty() && *last == end => before,
            _ if !end.is_empty() => {
                self.shell.refuse("[: missing `]'", output);
                output.status = 2;
                return;
            }
            _ => words,
        };
        let mut asked = Asked { rest: words, is_double: name == b"[[", depth: 0, trouble: None };
        let answer = !words.is_empty() && self.either(&mut asked);
        let name = String::from_utf8_lossy(name).to_string();
        let trouble = asked.trouble.or_else(|| (!asked.rest.is_empty()).then(|| "too many arguments".to_string()));
        output.status = u32::from(!answer);
        if let Some(trouble) = trouble {
            self.shell.refuse(&format!("{name}: {trouble}"), output);
            output.status = 2;
        }
    }

    fn either(&self, asked: &mut Asked<'_, '_>) -> bool {
        let mut answer = self.both(asked);
        while let [b"-o" | b"||", rest @ ..] = asked.rest {
            asked.rest = rest;
            answer |= self.both(asked);
        }
        answer
    }

    fn both(&self, asked: &mut Asked<'_, '_>) -> bool {
        let mut answer = self.one(asked);
        while let [b"-a" | b"&&", rest @ ..] = asked.rest {
            asked.rest = rest;
            answer &= self.one(asked);
        }
        answer
    }

    fn one(&self, asked: &mut Asked<'_, '_>) -> bool {
        if asked.depth >= DEPTH_MAX {
            asked.rest = &[];
            return false;
        }
        match asked.rest {
            [left, operator, right, rest @ ..] if is_binary(operator) => {
                asked.rest = rest;
                self.compared(left, operator, right, asked)
            }
            [b"!", rest @ ..] if !rest.is_empty() => {
                asked.rest = rest;
                asked.depth += 1;
                let answer = !self.one(asked);
                asked.depth -= 1;
                answer
            }
            [b"(", rest @ ..] if !rest.is_empty() => {
                asked.rest = rest;
                asked.depth += 1;
                let answer = self.either(asked);
                asked.depth -= 1;
                asked.rest = asked.rest.strip_prefix(&[&b")"[..]]).unwrap_or(asked.rest);
                answer
            }
            [[b'-', letter], word, rest @ ..] => {
                asked.rest = rest;
                match self.is_so(*letter, word) {
                    Some(answer) => answer,
                    None => {
                        asked.trouble = Some(format!("-{}: unary operator expected", char::from(*letter)));
                        false
                    }
                }
            }
            [word, rest @ ..] => {
                asked.rest = rest;
                !word.is_empty()
            }
            [] => false,
        }
    }

    fn is_so(&self, letter: u8, word: &[u8]) -> Option<bool> {
        let is_folder = || {
            let path = self.place.resolve(word, &self.shell.home());
            path.is_some_and(|path| self.shell.is_folder(&path, self.place))
        };
        let is_there = || self.shell.is_there(word, self.place);
        Some(match letter {
            b'z' => word.is_empty(),
            b'n' => !word.is_empty(),
            b'd' => is_folder(),
            b'f' => is_there() && !is_folder(),
            b'e' | b'r' => is_there(),
            b's' => is_there() && self.shell.content(word, self.place).map_or_else(|_| is_folder(), |content| content.length > 0),
            b'w' => {
                is_there()
                    && (self.shell.is_root()
                        || self
                            .place
                            .resolve(word, &self.shell.home())
                            .is_some_and(|path| self.shell.may_write(&path, self.place).is_ok()))
            }
            b'x' => is_folder() || self.shell.is_program(word, self.place),
            b'L' | b'h' => matches!(word, b"/bin" | b"/sbin" | b"/lib" | b"/lib64" | b"/etc/os-release"),
            b't' => self.shell.has_terminal(),
            b'p' | b'S' | b'b' | b'c' | b'u' | b'g' | b'k' | b'O' | b'G' | b'N' => false,
            _ => return None,
        })
    }

    fn compared(&self, left: &[u8], operator: &[u8], right: &[u8], asked: &mut Asked<'_, '_>) -> bool {
        let work = &self.shell.work;
        let number = |word: &[u8]| core::str::from_utf8(word).ok().and_then(|word| word.trim().parse::<i64>().ok());
        match operator {
            b"=" | b"==" if asked.is_double => Glob::new(right, work).fits(left, work),
            b"!=" if asked.is_double => !Glob::new(right, work).fits(left, work),
            b"=~" => {
                let kind = Kind::Posix(Syntax { tool: Tool::Bash, is_extended: true, folds: false });
                Regex::new(&[right], kind, Wants::default(), work).is_ok_and(|regex| regex.walk().fits(left, work))
            }
            b"=" | b"==" => left == right,
            b"!=" => left != right,
            b"<" => left < right,
            b">" => left > right,
            b"-nt" | b"-ot" | b"-ef" => left == right && operator == b"-ef",
            _ => {
                let (Some(one), Some(other)) = (number(left), number(right)) else {
                    let wrong = if number(left).is_none() { left } else { right };
                    asked.trouble = Some(format!("{}: integer expression expected", crate::safe_text(wrong, 100)));
                    return false;
                };
                match operator {
                    b"-eq" => one == other,
                    b"-ne" => one != other,
                    b"-lt" => one < other,
                    b"-le" => one <= other,
                    b"-gt" => one > other,
                    _ => one >= other,
                }
            }
        }
    }
}

fn is_binary(word: &[u8]) -> bool {
    const OPERATORS: [&[u8]; 15] =
        [b"=", b"==", b"!=", b"=~", b"<", b">", b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge", b"-nt", b"-ot", b"-ef"];
    OPERATORS.contains(&word)
}

/// What `printf` prints of one argument.
#[derive(Clone, Copy, Default)]
struct Shape {
    is_left: bool,
    has_zeros: bool,
    width: usize,
    precision: Option<usize>,
}

/// The widest that is filled up.
const WIDTH_MAX: usize = 512;

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
            let before = rest.len();
            let stops = self.once(format, &mut rest, output);
            if stops || rest.is_empty() || rest.len() == before || output.is_full() || !self.shell.work.take_bytes(format.len()) {
                return;
            }
        }
    }

    fn once<'w>(&self, format: &[u8], words: &mut &'w [&'w [u8]], output: &mut Output) -> bool {
        let mut at = 0;
        while at < format.len() {
            let percent = memchr::memchr(b'%', &format[at..]).map_or(format.len(), |next| at + next);
            if crate::shell::echo::unescape(&format[at..percent], crate::shell::echo::Escapes::Printf, &mut output.out) {
                return true;
            }
            let Some(spec) = format.get(percent + 1..) else { break };
            let (length, shape, letter) = shape(spec);
            at = percent + 1 + length;
            if letter == b'%' {
                output.out.push(b'%');
                continue;
            }
            let (word, behind) = words.split_first().map_or((&b""[..], *words), |(word, behind)| (*word, behind));
            *words = behind;
            if letter == b'b' {
                if crate::shell::echo::unescape(word, crate::shell::echo::Escapes::Echo, &mut output.out) {
                    return true;
                }
                continue;
            }
            let text = self.converted(letter, word, shape, output);
            output.out.extend(filled(&text, shape, letter));
        }
        false
    }

    fn converted(&self, letter: u8, word: &[u8], shape: Shape, output: &mut Output) -> Vec<u8> {
        let text = String::from_utf8_lossy(word).to_string();
        let mut number = || {
            let plain = text.trim();
            let parsed = match plain.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16).ok(),
                None if plain.starts_with('\'') => plain.as_bytes().get(1).copied().map(i64::from),
                None if plain.len() > 1 && plain.starts_with('0') => i64::from_str_radix(plain, 8).ok(),
                None => plain.parse().ok(),
            };
            if parsed.is_none() && !plain.is_empty() {
                let end = plain.bytes().take_while(|byte| byte.is_ascii_digit()).count();
                self.shell.refuse(&format!("printf: {}: invalid number", crate::safe_text(word, 100)), output);
                return plain[..end].parse().unwrap_or(0);
            }
            parsed.unwrap_or(0)
        };
        match letter {
            b'd' | b'i' | b'u' => number().to_string().into_bytes(),
            b'x' => format!("{:x}", number()).into_bytes(),
            b'X' => format!("{:X}", number()).into_bytes(),
            b'o' => format!("{:o}", number()).into_bytes(),
            b'c' => word.iter().take(1).copied().collect(),
            _ => word[..shape.precision.unwrap_or(word.len()).min(word.len())].to_vec(),
        }
    }
}

/// How long a conversion is behind its `%`, what it wants, and its letter.
fn shape(spec: &[u8]) -> (usize, Shape, u8) {
    let (mut shape, mut at) = (Shape::default(), 0);
    while let Some(flag @ (b'-' | b'0' | b'+' | b' ' | b'#')) = spec.get(at) {
        shape.is_left |= *flag == b'-';
        shape.has_zeros |= *flag == b'0';
        at += 1;
    }
    let digits = |at: usize| spec[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = |at: usize, length: usize| core::str::from_utf8(&spec[at..at + length]).ok().and_then(|text| text.parse().ok());
    let length = digits(at);
    shape.width = number(at, length).unwrap_or(0);
    at += length;
    if spec.get(at) == Some(&b'.') {
        let length = digits(at + 1);
        shape.precision = Some(number(at + 1, length).unwrap_or(0));
        at += 1 + length;
    }
    let letter = spec.get(at).copied().unwrap_or(b'%');
    ((at + 1).min(spec.len()), shape, letter)
}

fn filled(text: &[u8], shape: Shape, letter: u8) -> Vec<u8> {
    let missing = shape.width.min(WIDTH_MAX).saturating_sub(text.len());
    let zeros = shape.has_zeros && !shape.is_left && letter != b's';
    let fill = core::iter::repeat_n(if zeros { b'0' } else { b' ' }, missing);
    match shape.is_left {
        true => text.iter().copied().chain(fill).collect(),
        false => fill.chain(text.iter().copied()).collect(),
    }
}

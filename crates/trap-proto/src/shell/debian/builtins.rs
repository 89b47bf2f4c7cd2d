//! What bash does itself.

use super::{
    Output, Voice,
    run::{Leaving, Run},
};
use crate::shell::echo::echo;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// bash's own words.
pub(super) const KEYWORDS: [&[u8]; 17] = [
    b"if",
    b"then",
    b"else",
    b"elif",
    b"fi",
    b"case",
    b"esac",
    b"for",
    b"while",
    b"until",
    b"do",
    b"done",
    b"in",
    b"function",
    b"{",
    b"}",
    b"[[",
];
const BUILTINS: [&[u8]; 56] = [
    b".",
    b":",
    b"[",
    b"alias",
    b"bg",
    b"bind",
    b"break",
    b"builtin",
    b"caller",
    b"cd",
    b"command",
    b"compgen",
    b"complete",
    b"continue",
    b"declare",
    b"dirs",
    b"disown",
    b"echo",
    b"enable",
    b"eval",
    b"exec",
    b"exit",
    b"export",
    b"false",
    b"fc",
    b"fg",
    b"getopts",
    b"hash",
    b"help",
    b"history",
    b"jobs",
    b"kill",
    b"let",
    b"local",
    b"logout",
    b"popd",
    b"printf",
    b"pushd",
    b"pwd",
    b"read",
    b"readonly",
    b"return",
    b"set",
    b"shift",
    b"shopt",
    b"source",
    b"test",
    b"times",
    b"trap",
    b"true",
    b"type",
    b"typeset",
    b"ulimit",
    b"umask",
    b"unset",
    b"wait",
];
/// Those that say nothing and do nothing that could be seen.
const QUIET: [&[u8]; 23] = [
    b":",
    b"true",
    b"alias",
    b"unalias",
    b"bg",
    b"fg",
    b"bind",
    b"complete",
    b"disown",
    b"enable",
    b"hash",
    b"jobs",
    b"shopt",
    b"trap",
    b"wait",
    b"times",
    b"history",
    b"popd",
    b"pushd",
    b"fc",
    b"compgen",
    b"getopts",
    b"caller",
];

pub(super) fn is_builtin(name: &[u8]) -> bool {
    BUILTINS.contains(&name) || QUIET.contains(&name)
}

/// What bash does itself, and its own words.
pub(super) fn names() -> impl Iterator<Item = &'static [u8]> {
    BUILTINS.into_iter().chain(KEYWORDS)
}

pub(super) fn is_quiet(name: &[u8]) -> bool {
    QUIET.contains(&name)
}

impl Run<'_, '_> {
    /// Does what is built in; `false` if it is not. `before` is the status of the command before.
    pub(super) fn builtin(&mut self, words: &[&[u8]], before: u32, output: &mut Output) -> bool {
        let Some((name, arguments)) = words.split_first() else { return true };
        match *name {
            b"exit" | b"logout" => self.exit(arguments, before, output),
            b"return" => {
                output.status = arguments.first().map_or(before, |word| number(word).unwrap_or(2));
                self.leaving = Some(Leaving::Return);
            }
            b"break" | b"continue" if self.loops == 0 => {
                if self.shell.voice.get() != Voice::Dash {
                    let name = String::from_utf8_lossy(name).to_string();
                    self.shell.refuse(&format!("{name}: only meaningful in a `for', `while', or `until' loop"), output);
                    output.status = 0;
                }
            }
            b"break" => self.leaving = Some(Leaving::Break(count(arguments))),
            b"continue" => self.leaving = Some(Leaving::Continue(count(arguments))),
            b"false" => output.status = 1,
            b"cd" => self.shell.cd(arguments, self.place, output),
            b"pwd" => output.say(&format!("{}\n", self.place.path(&self.shell.home()))),
            b"echo" if self.shell.voice.get() == Voice::Dash => self.dash_echo(arguments, output),
            b"echo" => echo(arguments, b"\n", &mut output.out),
            b"printf" => self.printf(arguments, output),
            b"test" | b"[" | b"[[" => self.test(name, arguments, output),
            b"read" => self.read(arguments, output),
            b"export" | b"declare" | b"local" | b"readonly" | b"typeset" => self.declare(name, arguments, output),
            b"unset" => self.unset(arguments, output),
            b"set" => self.set_words(arguments, output),
            b"shift" => self.shift(arguments, output),
            b"let" => {
                let (whose, sums) = match arguments {
                    [b"((", sums @ ..] => ("((: ", sums),
                    sums => ("let: ", sums),
                };
                let value = sums.iter().map(|word| self.sum_of(word, whose, output)).last().flatten();
                output.status = u32::from(value.unwrap_or(0) == 0);
            }
            b"eval" => {
                let text = arguments.join(&b' ');
                self.here(&text, output);
                output.status = self.place.memory.status;
            }
            b"." | b"source" => self.source_file(name, arguments, output),
            b"command" => self.command_builtin(arguments, output),
            b"type" => self.types(arguments, output),
            b"builtin" | b"exec" if arguments.is_empty() => {}
            b"builtin" => return self.builtin(arguments, before, output),
            b"exec" => {
                let words: Vec<Vec<u8>> = arguments.iter().map(|word| word.to_vec()).collect();
                self.command(&words, output);
                if self.leaving.is_none() {
                    self.leaving = Some(Leaving::Exit(output.status));
                }
            }
            b"umask" if arguments.is_empty() => output.say("0022\n"),
            b"ulimit" => match arguments.first() {
                Some(&b"-n") if arguments.len() == 1 => output.say("1024\n"),
                Some(&b"-c") if arguments.len() == 1 => output.say("0\n"),
                None => output.say("unlimited\n"),
                _ => {}
            },
            b"umask" => {}
            b"kill" => self.kill(arguments, output),
            b"trap" => self.trap(arguments),
            name => return self.quiet(name, arguments, output),
        }
        true
    }

    fn exit(&mut self, arguments: &[&[u8]], before: u32, output: &mut Output) {
        let status = match arguments.first() {
            None => before,
            Some(word) => number(word).unwrap_or_else(|| {
                let word = crate::safe_text(word, 100);
                self.shell.refuse(&format!("exit: {word}: numeric argument required"), output);
                2
            }),
        };
        output.status = status;
        self.leaving = Some(Leaving::Exit(status));
    }

    /// dash works escapes out without being asked, and knows `-n` alone.
    fn dash_echo(&self, arguments: &[&[u8]], output: &mut Output) {
        let (ends, words) = match arguments {
            [b"-n", rest @ ..] => (false, rest),
            rest => (true, rest),
        };
        let stops = crate::shell::echo::unescape(&words.join(&b' '), crate::shell::echo::Escapes::DashEcho, &mut output.out);
        if ends && !stops {
            output.out.push(b'\n');
        }
    }

    fn set_words(&mut self, arguments: &[&[u8]], output: &mut Output) {
        match arguments {
            [] => {
                for (name, value) in self.exported() {
                    output.say(&format!("{name}={value}\n"));
                }
            }
            [b"--", words @ ..] => {
                let first = self.place.memory.arguments.first().cloned().unwrap_or_else(|| b"bash".to_vec());
                let words: Vec<Vec<u8>> = core::iter::once(first).chain(words.iter().map(|word| word.to_vec())).collect();
                self.place.memory.with_arguments(&words);
            }
            _ => {}
        }
    }

    fn shift(&mut self, arguments: &[&[u8]], output: &mut Output) {
        let by = arguments.first().map_or(1, |word| number(word).unwrap_or(1));
        let by = usize::try_from(by).unwrap_or(1);
        let words = &mut self.place.memory.arguments;
        if words.len() > by {
            words.drain(1..=by);
        } else {
            output.status = 1;
        }
    }

    fn source_file(&mut self, name: &[u8], arguments: &[&[u8]], output: &mut Output) {
        let Some(file) = arguments.first() else {
            let name = String::from_utf8_lossy(name).to_string();
            self.shell.refuse(&format!("{name}: filename argument required"), output);
            output.status = 2;
            return output.complain(&format!("{name}: usage: {name} filename [arguments]\n"));
        };
        match self.shell.content(file, self.place) {
            Ok(content) => {
                self.here(&content.bytes, output);
                output.status = self.place.memory.status;
            }
            Err(what) => self.shell.refuse(&format!("{}: {what}", crate::safe_text(file, 200)), output),
        }
    }
}

pub(super) fn number(word: &[u8]) -> Option<u32> {
    let number: i64 = core::str::from_utf8(word).ok()?.trim().parse().ok()?;
    u32::try_from(number & 0xff).ok()
}

fn count(arguments: &[&[u8]]) -> u32 {
    arguments.first().and_then(|word| number(word)).unwrap_or(1).max(1)
}

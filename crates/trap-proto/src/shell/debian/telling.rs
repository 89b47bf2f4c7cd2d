//! bash's own commands that tell of commands and processes: `type`, `command`, `kill`, `trap`, and those that do nothing here.

use super::{
    Output, Voice,
    builtins::{KEYWORDS, is_builtin},
    programs,
    run::{Leaving, Run},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// The names of signals, from the first on.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
    "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
const KILL_USAGE: &str = "kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]\n";
/// What a killed process ends with.
const KILLED: u32 = 137;

impl Run<'_, '_> {
    pub(super) fn command_builtin(&mut self, arguments: &[&[u8]], output: &mut Output) {
        match arguments {
            [option @ (b"-v" | b"-V"), names @ ..] => {
                let mut is_found = false;
                for name in names {
                    let text = if *option == b"-v" { self.where_is(name) } else { self.described(name) };
                    match text {
                        Some(text) => {
                            is_found = true;
                            output.say(&format!("{text}\n"));
                        }
                        None if *option == b"-V" => {
                            self.shell.refuse(&format!("command: {}: not found", crate::safe_text(name, 200)), output);
                        }
                        None => {}
                    }
                }
                output.status = u32::from(!is_found);
            }
            [b"-p", words @ ..] | words => {
                let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
                self.command(&words, output);
            }
        }
    }

    /// What `command -v` says of a name.
    fn where_is(&self, name: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(name).to_string();
        if is_builtin(name) || KEYWORDS.contains(&name) || self.has_function(name) {
            return Some(text);
        }
        self.file_of_program(name)
    }

    fn file_of_program(&self, name: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(name).to_string();
        match name.contains(&b'/') {
            true => self.shell.is_program(name, self.place).then_some(text),
            false => self.shell.work.take(2).then(|| programs::path_of(&text))?,
        }
    }

    /// What `type` says of a name.
    fn described(&self, name: &[u8]) -> Option<String> {
        let text = crate::safe_text(name, 200);
        Some(if KEYWORDS.contains(&name) {
            format!("{text} is a shell keyword")
        } else if self.has_function(name) {
            format!("{text} is a function")
        } else if is_builtin(name) {
            format!("{text} is a shell builtin")
        } else {
            format!("{text} is {}", self.file_of_program(name)?)
        })
    }

    pub(super) fn types(&mut self, arguments: &[&[u8]], output: &mut Output) {
        let (mut rest, mut letter) = (arguments, b' ');
        while let [[b'-', letters @ ..], behind @ ..] = rest
            && !letters.is_empty()
        {
            (rest, letter) = (behind, letters[0]);
        }
        for name in rest {
            let file = self.file_of_program(name);
            let is_own = is_builtin(name) || self.has_function(name) || KEYWORDS.contains(name);
            let text = match letter {
                b't' if KEYWORDS.contains(name) => Some("keyword".to_string()),
                b't' if self.has_function(name) => Some("function".to_string()),
                b't' if is_builtin(name) => Some("builtin".to_string()),
                b't' => file.map(|_| "file".to_string()),
                b'p' | b'P' => file.filter(|_| letter == b'P' || !is_own),
                _ => self.described(name),
            };
            match text {
                Some(text) => output.say(&format!("{text}\n")),
                None if matches!(letter, b't' | b'p' | b'P') => output.status = u32::from(!is_own || letter != b'p'),
                None => {
                    self.shell.refuse(&format!("type: {}: not found", crate::safe_text(name, 200)), output);
                }
            }
        }
    }

    pub(super) fn kill(&mut self, arguments: &[&[u8]], output: &mut Output) {
        let mut rest = arguments;
        match rest {
            [] => {
                output.status = 2;
                return output.complain(KILL_USAGE);
            }
            [b"-l", numbers @ ..] => return signals(numbers, output),
            [b"-s" | b"-n", _, behind @ ..] => rest = behind,
            [[b'-', signal @ ..], behind @ ..] if !signal.is_empty() => {
                let text = String::from_utf8_lossy(signal).to_ascii_uppercase();
                let text = text.strip_prefix("SIG").unwrap_or(&text).to_string();
                if text.parse::<u8>().is_err() && !SIGNALS.contains(&text.as_str()) {
                    let signal = crate::safe_text(signal, 100);
                    return self.shell.refuse(&format!("kill: {signal}: invalid signal specification"), output);
                }
                rest = behind;
            }
            _ => {}
        }
        for word in rest {
            let shown = crate::safe_text(word, 100);
            match core::str::from_utf8(word).ok().and_then(|word| word.parse::<i64>().ok()) {
                None if shown.starts_with('%') => self.shell.refuse(&format!("kill: {shown}: no such job"), output),
                None => self.shell.refuse(&format!("kill: {shown}: arguments must be process or job IDs"), output),
                Some(pid) if u32::try_from(pid) == Ok(self.shell.own_pid(self.place)) => {
                    if arguments[0] == b"-9" || arguments[0] == b"-KILL" {
                        self.leaving = Some(Leaving::Exit(KILLED));
                    }
                }
                Some(pid) if pid > 0 && !u32::try_from(pid).is_ok_and(|pid| self.shell.has_process(pid, self.place)) => {
                    self.shell.refuse(&format!("kill: ({pid}) - No such process"), output);
                }
                Some(_) => {}
            }
        }
    }

    /// `trap … EXIT` is done at the end, any other never.
    pub(super) fn trap(&mut self, arguments: &[&[u8]]) {
        if let [text, signals @ ..] = arguments
            && signals.iter().any(|signal| matches!(*signal, b"EXIT" | b"0"))
        {
            self.last_words = (*text != b"-" && !text.is_empty()).then(|| text.to_vec());
        }
    }

    /// What does nothing that could be seen, but for what it complains of; `false` if it is not built in.
    pub(super) fn quiet(&mut self, name: &[u8], arguments: &[&[u8]], output: &mut Output) -> bool {
        let is_dash = self.shell.voice.get() == Voice::Dash;
        let has_jobs = self.shell.voice.get() == Voice::Login;
        match name {
            _ if is_dash
                && !matches!(
                    name,
                    b":" | b"true" | b"alias" | b"unalias" | b"bg" | b"fg" | b"hash" | b"jobs" | b"times" | b"wait"
                ) =>
            {
                return false;
            }
            b"times" => output.say("0m0.002s 0m0.001s\n0m0.000s 0m0.000s\n"),
            b"fg" | b"bg" if !has_jobs && !is_dash => {
                self.shell.refuse(&format!("{}: no job control", String::from_utf8_lossy(name)), output);
            }
            b"fg" | b"bg" => {
                let name = String::from_utf8_lossy(name).to_string();
                self.shell.refuse(
                    &format!(
                        "{name}: {}: no such job",
                        arguments.first().map_or("current".into(), |word| crate::safe_text(word, 100))
                    ),
                    output,
                );
            }
            b"bind" if !has_jobs => {
                self.shell.refuse("bind: warning: line editing not enabled", output);
                output.status = 0;
            }
            b"popd" => self.shell.refuse("popd: directory stack empty", output),
            b"pushd" if arguments.is_empty() => self.shell.refuse("pushd: no other directory", output),
            b"dirs" => {
                let (path, home) = (self.place.path(&self.shell.home()), self.shell.home());
                let path = path.strip_prefix(&home).map_or_else(|| path.clone(), |rest| format!("~{rest}"));
                output.say(&format!("{path}\n"));
            }
            b"help" => match arguments.first() {
                None => output.say("GNU bash, version 5.2.37(1)-release (x86_64-pc-linux-gnu)\n"),
                Some(name) if is_builtin(name) || KEYWORDS.contains(name) => {
                    output.say(&format!("{0}: {0}\n", crate::safe_text(name, 100)));
                }
                Some(name) => {
                    let name = crate::safe_text(name, 100);
                    self.shell.refuse(
                        &format!("help: no help topics match `{name}'.  Try `help help' or `man -k {name}' or `info {name}'."),
                        output,
                    );
                }
            },
            name => return super::builtins::is_quiet(name),
        }
        true
    }
}

/// `kill -l`.
fn signals(numbers: &[&[u8]], output: &mut Output) {
    if numbers.is_empty() {
        let all = (1..).zip(SIGNALS).map(|(number, name)| (number, format!("SIG{name}")));
        let real = (34..65).map(|number| match number {
            34 => (34, "SIGRTMIN".to_string()),
            35..50 => (number, format!("SIGRTMIN+{}", number - 34)),
            64 => (64, "SIGRTMAX".to_string()),
            _ => (number, format!("SIGRTMAX-{}", 64 - number)),
        });
        for (at, (number, name)) in all.chain(real).enumerate() {
            output.say(&format!("{number:>2}) {name}{}", if at % 5 == 4 { "\n" } else { "\t" }));
        }
        return output.say("\n");
    }
    for number in numbers {
        let number = super::builtins::number(number).unwrap_or(0) & 0x7f;
        let name = usize::try_from(number).ok().and_then(|number| SIGNALS.get(number.checked_sub(1)?));
        name.into_iter().for_each(|name| output.say(&format!("{name}\n")));
    }
}

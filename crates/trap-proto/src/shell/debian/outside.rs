//! What bash starts: shells, programs that start others, files that somebody brought.

use super::{NOT_FOUND, Output, Reads, Voice, programs, run::Run};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

const CANNOT_RUN: u32 = 126;
/// Steps for a name that stands for no program: every table was looked through.
const UNKNOWN_STEPS: usize = 128;
/// Lines of `yes` and numbers of `seq` that are printed.
const LINES_MAX: u64 = 4_096;
/// What a busybox of Debian can do, as far as it is listed.
const APPLETS: [&str; 120] = [
    "[",
    "[[",
    "acpid",
    "adjtimex",
    "ar",
    "arch",
    "arp",
    "arping",
    "ascii",
    "ash",
    "awk",
    "base64",
    "basename",
    "bc",
    "blkdiscard",
    "blkid",
    "blockdev",
    "brctl",
    "bunzip2",
    "bzcat",
    "bzip2",
    "cal",
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "chroot",
    "chvt",
    "clear",
    "cmp",
    "cp",
    "cpio",
    "crc32",
    "cttyhack",
    "cut",
    "date",
    "dc",
    "dd",
    "df",
    "diff",
    "dirname",
    "dmesg",
    "dos2unix",
    "du",
    "echo",
    "ed",
    "egrep",
    "env",
    "expand",
    "expr",
    "false",
    "fgrep",
    "find",
    "fold",
    "free",
    "ftpget",
    "ftpput",
    "getopt",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hexdump",
    "hostname",
    "id",
    "ifconfig",
    "ip",
    "kill",
    "killall",
    "less",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mknod",
    "mktemp",
    "more",
    "mount",
    "mv",
    "nc",
    "netstat",
    "nproc",
    "nslookup",
    "od",
    "paste",
    "patch",
    "pidof",
    "ping",
    "printf",
    "ps",
    "pwd",
    "rm",
    "rmdir",
    "route",
    "sed",
    "seq",
    "sh",
    "sha1sum",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "strings",
    "tac",
    "tail",
    "tar",
    "tee",
    "telnet",
    "test",
    "tftp",
    "timeout",
    "top",
    "touch",
    "tr",
    "traceroute",
    "true",
    "tty",
    "uname",
    "uniq",
    "wget",
];

impl Run<'_, '_> {
    /// A command that is none of bash's own.
    pub(super) fn outside(&mut self, words: &[&[u8]], output: &mut Output) {
        let Some((path, arguments)) = words.split_first() else { return };
        let name = programs::plain(path);
        if name.contains(&b'/') {
            return self.start_file(path, words, output);
        }
        if *path == name && name.is_empty() {
            return self.not_found(name, output);
        }
        match name {
            b"sh" | b"bash" | b"dash" | b"rbash" => self.other_shell(name, arguments, output),
            b"sudo" | b"nohup" | b"nice" | b"ionice" | b"timeout" | b"time" | b"env" | b"setsid" | b"stdbuf" | b"su" => {
                self.starts(name, words, output);
            }
            b"busybox" => self.busybox(arguments, output),
            b"xargs" => self.xargs(arguments, output),
            b"find" => self.find(words, output),
            b"crontab" => self.crontab(arguments, output),
            b"seq" | b"yes" => self.counted(name, arguments, output),
            b"which" => self.which(arguments, output),
            b"expr" => self.expr(arguments, output),
            b"tar" | b"gzip" | b"gunzip" | b"unzip" | b"bzip2" | b"xz" | b"cpio" | b"chpasswd" | b"python3" | b"perl" => {
                self.unpack(name, arguments, output);
            }
            b"scp" => self.scp(arguments, output),
            b"echo" | b"printf" | b"test" | b"[" | b"pwd" | b"true" | b"false" | b"kill" => {
                let words: Vec<&[u8]> = [&[name], arguments].concat();
                let _ = self.builtin(&words, 0, output);
            }
            _ => {
                let words: Vec<&[u8]> = [&[name], arguments].concat();
                let is_done = self.text_program(name, &words, output)
                    || self.shell.file_program(name, &words, self.place, output)
                    || self.told(name, &words, output)
                    || self.shell.machine(&words, self.place, output)
                    || self.shell.program(&words, self.place, output);
                if !is_done {
                    let _ = self.shell.work.take(UNKNOWN_STEPS);
                    self.not_found(path, output);
                }
            }
        }
    }

    fn not_found(&self, name: &[u8], output: &mut Output) {
        let name = crate::safe_text(name, 200);
        let what = match (name.contains('/'), self.shell.voice.get()) {
            (true, Voice::Dash) | (false, Voice::Dash) => "not found",
            (true, _) => "No such file or directory",
            (false, _) => "command not found",
        };
        self.shell.refuse(&format!("{name}: {what}"), output);
        output.status = NOT_FOUND;
    }

    /// A file by its path: a script that somebody wrote is run, a program of his says nothing.
    fn start_file(&mut self, path: &[u8], words: &[&[u8]], output: &mut Output) {
        let shell = self.shell;
        let whole = self.place.resolve(path, &shell.home()).unwrap_or_default();
        let what = if shell.is_folder(&whole, self.place) {
            "Is a directory"
        } else if !shell.is_there(path, self.place) {
            return self.not_found(path, output);
        } else if !shell.is_program(path, self.place) {
            "Permission denied"
        } else {
            let content = shell.content(path, self.place).unwrap_or_default();
            if !content.bytes.starts_with(b"\x7fELF") {
                let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
                let is_dash = content.bytes.starts_with(b"#!/bin/sh");
                let voice = if is_dash { Voice::Dash } else { Voice::Inner };
                self.program_text(&content.bytes, voice, &words, output);
                output.status = self.place.memory.status;
            }
            return;
        };
        shell.refuse(&format!("{}: {what}", crate::safe_text(path, 200)), output);
        output.status = CANNOT_RUN;
    }

    fn other_shell(&mut self, name: &[u8], arguments: &[&[u8]], output: &mut Output) {
        let is_dash = matches!(name, b"sh" | b"dash");
        let voice = if is_dash { Voice::Dash } else { Voice::Inner };
        let (mut rest, mut given) = (arguments, None);
        let mut is_command = false;
        while let [option, behind @ ..] = rest
            && option.len() > 1
            && matches!(option[0], b'-' | b'+')
        {
            rest = behind;
            is_command |= !option.starts_with(b"--") && option.contains(&b'c');
            if *option == b"-o" {
                rest = rest.get(1..).unwrap_or_default();
            }
            if *option == b"--version" && !is_dash {
                return output.say("GNU bash, version 5.2.37(1)-release (x86_64-pc-linux-gnu)\nCopyright (C) 2022 Free Software Foundation, Inc.\nLicense GPLv3+: GNU GPL version 3 or later <http://gnu.org/licenses/gpl.html>\n\nThis is free software; you are free to change and redistribute it.\nThere is NO WARRANTY, to the extent permitted by law.\n");
            }
            if *option == b"-s" {
                given = Some(rest);
                rest = &[];
            }
        }
        if is_command {
            let Some((text, words)) = rest.split_first() else {
                output.status = 2;
                let name = if is_dash { "sh: 0: -c requires an argument\n" } else { "bash: -c: option requires an argument\n" };
                return output.complain(name);
            };
            let own =
                if words.is_empty() { alloc::vec![name.to_vec()] } else { words.iter().map(|word| word.to_vec()).collect() };
            self.program_text(text, voice, &own, output);
            output.status = self.place.memory.status;
            return;
        }
        let text = match rest.first() {
            Some(file) => match self.shell.content(file, self.place) {
                Ok(content) => content.bytes,
                Err(what) => {
                    let file = crate::safe_text(file, 200);
                    let short = if what == "No such file or directory" { "No such file" } else { what };
                    output.status = if is_dash { 2 } else { NOT_FOUND };
                    return output.complain(&match is_dash {
                        true => format!("sh: 0: cannot open {file}: {short}\n"),
                        false => format!("bash: {file}: {what}\n"),
                    });
                }
            },
            None => match self.read_all(Reads::Commands) {
                Some((bytes, _)) => bytes,
                None => return,
            },
        };
        let own: Vec<&[u8]> = match given {
            Some(given) => core::iter::once(name).chain(given.iter().copied()).collect(),
            None if rest.is_empty() => alloc::vec![name],
            None => rest.to_vec(),
        };
        let words: Vec<Vec<u8>> = own.iter().map(|word| word.to_vec()).collect();
        if !text.starts_with(b"\x7fELF") {
            self.program_text(&text, voice, &words, output);
            output.status = self.place.memory.status;
        }
    }

    /// Programs that start others.
    fn starts(&mut self, name: &[u8], words: &[&[u8]], output: &mut Output) {
        let takes_value = takes_value(name);
        let mut rest = &words[1..];
        while let [word, behind @ ..] = rest
            && word.len() > 1
            && word[0] == b'-'
        {
            if name == b"sudo" && (*word == b"-l" || *word == b"--list") {
                return self.sudo_list(output);
            }
            let wants = word.len() == 2 && takes_value.contains(&word[1]);
            rest = if wants { behind.get(1..).unwrap_or_default() } else { behind };
        }
        if name == b"timeout" {
            rest = rest.get(1..).unwrap_or_default();
        }
        if name == b"su" {
            let text = words.iter().position(|word| *word == b"-c").and_then(|at| words.get(at + 1));
            if let Some(text) = text {
                self.program_text(text, Voice::Inner, &[b"bash".to_vec()], output);
                output.status = self.place.memory.status;
            }
            return;
        }
        let (variables, exported) = (self.place.memory.variables().to_vec(), self.place.memory.exported().to_vec());
        while let [word, behind @ ..] = rest
            && matches!(name, b"env" | b"sudo")
            && let Some(at) = memchr::memchr(b'=', word).filter(|at| *at > 0)
        {
            self.place.memory.set(&word[..at], &word[at + 1..]);
            self.place.memory.export(&word[..at]);
            rest = behind;
        }
        if rest.is_empty() {
            return match name {
                b"env" => self.exported().iter().for_each(|(name, value)| output.say(&format!("{name}={value}\n"))),
                b"nohup" => {
                    output.status = 125;
                    output.complain("nohup: missing operand\nTry 'nohup --help' for more information.\n");
                }
                _ => {}
            };
        }
        let is_known = programs::path_of(&String::from_utf8_lossy(programs::plain(rest[0]))).is_some()
            || rest[0].contains(&b'/')
            || matches!(name, b"sudo" | b"time");
        if !is_known {
            output.status = NOT_FOUND;
            let (name, what) = (String::from_utf8_lossy(name), crate::safe_text(rest[0], 200));
            return output.complain(&match name.as_ref() {
                "env" => format!("env: \u{2018}{what}\u{2019}: No such file or directory\n"),
                "nohup" | "setsid" => format!("{name}: failed to run command '{what}': No such file or directory\n"),
                _ => format!("{name}: failed to run command \u{2018}{what}\u{2019}: No such file or directory\n"),
            });
        }
        let words: Vec<Vec<u8>> = rest.iter().map(|word| word.to_vec()).collect();
        self.command(&words, output);
        if matches!(name, b"env" | b"sudo") {
            self.place.memory.restore(variables);
            self.place.memory.restore_exported(exported);
        }
        if name == b"time" {
            output.complain("\nreal\t0m0.002s\nuser\t0m0.001s\nsys\t0m0.001s\n");
        }
    }

    fn sudo_list(&self, output: &mut Output) {
        let (user, host) = (self.shell.user(), self.shell.persona.host());
        output.say(&format!(
            "Matching Defaults entries for {user} on {host}:\n    env_reset, mail_badpass, \
             secure_path=/usr/local/sbin\\:/usr/local/bin\\:/usr/sbin\\:/usr/bin\\:/sbin\\:/bin, use_pty\n\n\
             User {user} may run the following commands on {host}:\n    (ALL : ALL) ALL\n"
        ));
    }

    fn busybox(&mut self, arguments: &[&[u8]], output: &mut Output) {
        match arguments {
            [] => output.say(programs::BUSYBOX),
            [b"--list", ..] => APPLETS.iter().for_each(|applet| output.say(&format!("{applet}\n"))),
            [b"ash", rest @ ..] => self.other_shell(b"sh", rest, output),
            [applet, ..] if APPLETS.iter().any(|known| known.as_bytes() == *applet) => {
                if !self.builtin(arguments, 0, output) {
                    self.outside(arguments, output);
                }
            }
            [name, ..] => {
                output.status = NOT_FOUND;
                output.complain(&format!("{}: applet not found\n", crate::safe_text(name, 200)));
            }
        }
    }

    fn counted(&mut self, name: &[u8], arguments: &[&[u8]], output: &mut Output) {
        let room = super::INNER_BYTES_MAX;
        if name == b"yes" {
            let line = if arguments.is_empty() { b"y".to_vec() } else { arguments.join(&b' ') };
            if !self.shell.work.take_bytes(room) {
                return;
            }
            while output.out.len() < room {
                output.out.extend(line.iter().chain(b"\n"));
            }
            return;
        }
        let numbers: Vec<i64> =
            arguments.iter().filter_map(|word| core::str::from_utf8(word).ok()?.parse::<i64>().ok()).collect();
        let (first, step, last) = match numbers.as_slice() {
            [last] => (1, 1, *last),
            [first, last] => (*first, 1, *last),
            [first, step, last] if *step != 0 => (*first, *step, *last),
            _ => {
                output.status = 1;
                return output.complain("seq: missing operand\nTry 'seq --help' for more information.\n");
            }
        };
        let mut number = first;
        for _ in 0..LINES_MAX {
            let is_over = if step > 0 { number > last } else { number < last };
            if is_over || output.out.len() > room || !self.shell.work.take(1) {
                return;
            }
            output.say(&format!("{number}\n"));
            number = number.saturating_add(step);
        }
    }

    fn which(&self, arguments: &[&[u8]], output: &mut Output) {
        let names: Vec<&&[u8]> = arguments.iter().filter(|word| !word.starts_with(b"-")).collect();
        output.status = u32::from(names.is_empty());
        for name in names {
            match programs::path_of(&String::from_utf8_lossy(programs::plain(name))) {
                Some(path) => output.say(&format!("{path}\n")),
                None => output.status = 1,
            }
        }
    }

    fn expr(&mut self, arguments: &[&[u8]], output: &mut Output) {
        let text = arguments.join(&b' ');
        match (arguments, crate::shell::arithmetic::value(&text)) {
            ([left, b"=", right], _) => {
                output.status = u32::from(left != right);
                output.say(if left == right { "1\n" } else { "0\n" });
            }
            (_, Some(value)) => {
                output.status = u32::from(value == 0);
                output.say(&format!("{value}\n"));
            }
            _ => {
                output.status = 2;
                output.complain("expr: syntax error\n");
            }
        }
    }

    /// What takes a file or its input apart, and shows nothing of it.
    fn unpack(&mut self, name: &[u8], arguments: &[&[u8]], output: &mut Output) {
        let shown = String::from_utf8_lossy(name).to_string();
        let packed =
            |word: &&&[u8]| [&b".gz"[..], b".tgz", b".tar", b".xz", b".bz2", b".zip"].iter().any(|end| word.ends_with(end));
        let file = arguments.iter().find(packed).copied();
        if name == b"tar" && arguments.is_empty() {
            output.status = 2;
            return output.complain(
                "tar: You must specify one of the '-Acdtrux', '--delete' or '--test-label' options\n\
                 Try 'tar --help' or 'tar --usage' for more information.\n",
            );
        }
        if let Some(file) = file.filter(|file| !self.shell.is_there(file, self.place)) {
            let is_made = name == b"tar" && arguments.first().is_some_and(|word| word.contains(&b'c'));
            if !is_made {
                output.status = if name == b"tar" { 2 } else { 1 };
                let file = crate::safe_text(file, 200);
                output.complain(&match name {
                    b"tar" => format!(
                        "tar (child): {file}: Cannot open: No such file or directory\ntar (child): Error is not recoverable: exiting now\n\
                         tar: Child returned status 2\ntar: Error is not recoverable: exiting now\n"
                    ),
                    _ => format!("{shown}: {file}: No such file or directory\n"),
                });
            }
            return;
        }
        let reads = match name {
            b"tar" => file.is_none() && arguments.iter().any(|word| word.contains(&b'x') || *word == b"-"),
            b"python3" | b"perl" => arguments.is_empty() || arguments == [b"-"],
            _ => file.is_none() && !arguments.iter().any(|word| self.shell.is_there(word, self.place)),
        };
        if reads {
            let _ = self.read_all(Reads::File);
        }
    }

    /// What tells of the shell itself, and of its time.
    fn told(&mut self, name: &[u8], words: &[&[u8]], output: &mut Output) -> bool {
        match name {
            b"printenv" => {
                let all = self.exported();
                let wanted = words.get(1).map(|word| String::from_utf8_lossy(word).to_string());
                for (name, value) in all.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == name)) {
                    output.say(&if wanted.is_some() { format!("{value}\n") } else { format!("{name}={value}\n") });
                }
            }
            b"tty" => {
                output.status = u32::from(!self.shell.has_terminal());
                output.say(if self.shell.has_terminal() { "/dev/pts/0\n" } else { "not a tty\n" });
            }
            b"date" => self.shell.date_program(words, self.place, output),
            b"basename" => {
                let word = words.get(1).copied().unwrap_or_default();
                let base = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                let base = words.get(2).and_then(|end| base.strip_suffix(*end)).unwrap_or(base);
                output.say(&format!("{}\n", crate::safe_text(base, 300)));
            }
            b"dirname" => {
                let word = String::from_utf8_lossy(words.get(1).copied().unwrap_or_default()).to_string();
                let folder = word.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
                output.say(&format!("{folder}\n"));
            }
            b"top" => self.shell.top(words, self.place, output),
            _ => return false,
        }
        true
    }
}

/// The options of programs that start others which want a value.
const fn takes_value(name: &[u8]) -> &'static [u8] {
    match name {
        b"sudo" => b"ugphCrtTD",
        b"nice" | b"ionice" => b"ncp",
        b"env" => b"uCS",
        b"timeout" => b"sk",
        b"stdbuf" => b"ioe",
        _ => b"",
    }
}

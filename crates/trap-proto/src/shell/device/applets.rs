//! What the device's programs print.

use super::{
    Ash, NESTING_MAX, NOT_FOUND, OUTPUT_BYTES_MAX, Outcome, ROW_STEPS,
    files::{self, Content, HEAD_BYTES_MAX},
    programs, shown,
};
use crate::shell::{echo::echo, fetch::wanted, filter::filter, paths::split, words::downloads};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Where programs are that nobody brought: one that is not known there is none.
const PROGRAM_FOLDERS: [&[u8]; 5] = [b"/bin/", b"/sbin/", b"/usr/", b"/etc/", b"/lib/"];
/// What `dd` takes at once if nobody says how much.
const BLOCK_BYTES: u64 = 512;
/// The most of a program that is shown to who asks for so many bytes: behind its head there is nothing.
const PROGRAM_BYTES_MAX: u64 = 512;

impl Ash<'_> {
    /// Answers a command that has words.
    pub(super) fn dispatch(&mut self, words: &[&[u8]], input: Option<&[u8]>) -> Outcome {
        self.inside.status = 0;
        let [word, arguments @ ..] = words else { return Outcome::Prompt };
        if matches!(*word, b"exit" | b"logout") {
            return self.leave();
        }
        let name = PROGRAM_FOLDERS.iter().find_map(|folder| word.strip_prefix(*folder)).map(last_part);
        match name {
            Some(name) if programs::is_installed(&String::from_utf8_lossy(name), self.telnet) => {
                self.applet(name, arguments, input);
            }
            Some(_) => self.not_found(word),
            None if word.contains(&b'/') => self.brought(word),
            None if programs::is_builtin(word) => self.builtin(word, arguments),
            None if *word == b"busybox" || programs::is_applet(word) => self.applet(word, arguments, input),
            None => self.not_found(word),
        }
        Outcome::Prompt
    }

    /// The inner shell first; what is caught leaves none.
    fn leave(&mut self) -> Outcome {
        if self.captures > 0 || self.nesting > 0 {
            return Outcome::Prompt;
        }
        if self.inside.depth == 0 {
            return Outcome::Exit;
        }
        self.inside.depth -= 1;
        Outcome::Prompt
    }

    fn not_found(&mut self, word: &[u8]) {
        self.refuse(&format!("{}: not found", shown(word)));
        self.inside.status = NOT_FOUND;
    }

    /// A file that somebody brought, or says that he did: it runs.
    fn brought(&mut self, word: &[u8]) {
        let path = self.path(word);
        if let Some(content) = self.read(&path) {
            self.script(&content);
        }
    }

    /// A script's lines; what is no text, or is not there as a whole, is silent.
    fn script(&mut self, content: &Content) {
        if content.bytes <= HEAD_BYTES_MAX as u64 && content.head.is_ascii() && self.nesting < NESTING_MAX {
            let head = content.head.clone();
            self.apart(|ash| ash.inner(&head));
        }
    }

    /// Runs what belongs to another process: it leaves no shell.
    fn apart(&mut self, run: impl FnOnce(&mut Self)) {
        let (files_at, on_terminal) = (self.inside.files.at().to_string(), self.on_terminal);
        run(self);
        self.on_terminal = on_terminal;
        if self.inside.files.at() != files_at {
            self.inside.files.go(files_at);
        }
    }

    fn builtin(&mut self, word: &[u8], arguments: &[&[u8]]) {
        match (word, arguments) {
            (b"cd" | b"chdir", _) => self.go(arguments),
            (b"pwd", _) => {
                let at = format!("{}\n", self.inside.files.at());
                self.print(at);
            }
            (b"help", _) => self.print(programs::HELP),
            (b"export", [setting, ..]) => {
                if let Some((name, value)) = super::assignment(setting) {
                    self.set(name, value);
                }
            }
            (b"eval" | b"exec" | b"command", [_, ..]) => {
                let _ = self.dispatch(arguments, None);
            }
            (b"read", _) => self.inside.status = 1,
            _ => {}
        }
    }

    fn go(&mut self, arguments: &[&[u8]]) {
        let target = match arguments {
            [] => Some(files::HOME.to_string()),
            [b"-", ..] => self.inside.files.before(),
            [word, ..] => Some(self.path(word)),
        };
        let word = arguments.first().copied().unwrap_or_default();
        match target {
            Some(path) if self.inside.files.is_folder(&path) => self.inside.files.go(path),
            Some(path) if self.inside.files.is_there(&path, self.telnet) => {
                self.refuse(&format!("cd: can't cd to {}: Not a directory", shown(word)));
            }
            _ => self.refuse(&format!("cd: can't cd to {}: No such file or directory", shown(word))),
        }
    }

    fn read(&self, path: &str) -> Option<Content> {
        self.inside.files.read(path, self.telnet, self.now)
    }

    fn line(&mut self, text: &str) {
        self.print(format!("{text}\n"));
    }

    fn applet(&mut self, name: &[u8], arguments: &[&[u8]], input: Option<&[u8]>) {
        match (name, arguments) {
            (b"busybox", _) => self.busybox(arguments, input),
            (b"echo", _) => {
                let mut text = Vec::new();
                echo(arguments, b"\n", &mut text);
                self.print(text);
            }
            (b"sh" | b"ash", _) => self.shell(arguments, input),
            (b"cat", []) => self.print(input.unwrap_or_default()),
            (b"cat", _) => arguments.iter().filter(|word| !word.starts_with(b"-")).for_each(|word| self.cat(word)),
            (b"dd", _) => self.dd(arguments, input),
            (b"ls", _) => self.list_files(arguments),
            (b"head" | b"tail" | b"grep" | b"wc" | b"cut", _) => self.filtered(name, arguments, input),
            (b"[" | b"[[" | b"test", _) => self.test(arguments),
            (b"false", _) => self.inside.status = 1,
            (b"cp" | b"mv", _) => self.copy(name == b"mv", arguments),
            (b"rm" | b"rmdir", _) => self.remove(name, arguments),
            (b"mkdir" | b"touch", _) => self.make(name == b"mkdir", arguments),
            (b"wget" | b"tftp" | b"ftpget", _) => self.fetch(name, arguments),
            (b"kill" | b"killall", _) => self.kill(name == b"killall", arguments),
            _ => self.about(name, arguments),
        }
    }

    /// Programs that tell what the device is.
    fn about(&mut self, name: &[u8], arguments: &[&[u8]]) {
        let device = self.device();
        let text = match (name, arguments) {
            (b"uname", _) => return self.uname(arguments),
            (b"hostname", []) => format!("{}\n", self.telnet.host),
            (b"mount", []) => files::mounted(),
            (b"df", _) => self.df(arguments),
            (b"uptime", _) => format!("{}\n", device.uptime(self.now)),
            (b"ifconfig", _) => device.interfaces.clone(),
            (b"ps", _) => device.processes.clone(),
            (b"id", []) => "uid=0(root) gid=0(root)\n".into(),
            (b"id", [b"-u" | b"-g", ..]) => "0\n".into(),
            (b"whoami", _) => "root\n".into(),
            _ => return,
        };
        self.print(text);
    }

    fn busybox(&mut self, arguments: &[&[u8]], input: Option<&[u8]>) {
        match arguments {
            [] => {
                let text = format!("{}\n{}", self.device().multi_call(), programs::functions());
                self.print(text);
            }
            [b"--list", ..] => self.print(programs::list()),
            // busybox inside busybox is no probe.
            [b"busybox" | b"/bin/busybox", ..] => {}
            [name, rest @ ..] if programs::is_applet(name) => self.applet(name, rest, input),
            [name, ..] => {
                let text = format!("{}: applet not found\n", shown(name));
                self.fail(NOT_FOUND, &text);
            }
        }
    }

    fn shell(&mut self, arguments: &[&[u8]], input: Option<&[u8]>) {
        match arguments {
            // One that reads from a program says nothing.
            [] | [b"-i" | b"-l" | b"-s", ..] if input.is_some() => {}
            [] | [b"-i" | b"-l" | b"-s", ..] => {
                self.inside.depth = (self.inside.depth + 1).min(super::DEPTH_MAX);
                let greeting = self.device().greeting();
                self.print(greeting);
            }
            [b"-c", line, ..] => self.apart(|ash| ash.inner(line)),
            [file, ..] => {
                let path = self.path(file);
                match self.read(&path) {
                    Some(content) => self.script(&content),
                    None => {
                        let text = format!("sh: can't open '{}': No such file or directory\n", shown(file));
                        self.fail(2, &text);
                    }
                }
            }
        }
    }

    fn cat(&mut self, word: &[u8]) {
        let path = self.path(word);
        if self.inside.files.is_folder(&path) {
            return self.fail(1, "cat: read error: Is a directory\n");
        }
        match self.read(&path) {
            Some(content) => self.print(content.head),
            None => self.fail(1, &format!("cat: can't open '{}': No such file or directory\n", shown(word))),
        }
    }

    /// `dd if=… of=… bs=… count=…`; without `if` it would wait, and is told nothing.
    fn dd(&mut self, arguments: &[&[u8]], input: Option<&[u8]>) {
        let of = |name: &[u8]| arguments.iter().find_map(|word| word.strip_prefix(name));
        let number = |name: &[u8]| core::str::from_utf8(of(name)?).ok()?.parse::<u64>().ok();
        let content = match of(b"if=") {
            Some(word) => match self.read(&self.path(word)) {
                Some(content) => content,
                None => return self.fail(1, &format!("dd: can't open '{}': No such file or directory\n", shown(word))),
            },
            None => match input {
                Some(input) => Content { head: input.to_vec(), bytes: input.len() as u64 },
                None => return,
            },
        };
        let block = number(b"bs=").filter(|block| *block > 0).unwrap_or(BLOCK_BYTES);
        let bytes = number(b"count=").map_or(content.bytes, |count| count.saturating_mul(block).min(content.bytes));
        let text = beginning(&content, bytes);
        match of(b"of=") {
            Some(word) => {
                let path = self.path(word);
                if let Some(why) = self.inside.files.refuses(&path, self.telnet) {
                    return self.fail(1, &format!("dd: can't open '{}': {why}\n", shown(word)));
                }
                self.inside.files.keep(&path, Content { head: text, bytes });
            }
            None => self.print(text),
        }
        let records = format!("{}+{}", bytes / block, u8::from(bytes % block > 0));
        self.fail(0, &format!("{records} records in\n{records} records out\n"));
    }

    /// Filters that are given files, or what comes through a pipe.
    fn filtered(&mut self, name: &[u8], arguments: &[&[u8]], input: Option<&[u8]>) {
        let (options, operands) = operands(name, arguments);
        let mut text = Vec::new();
        for word in &operands {
            let path = self.path(word);
            match self.read(&path) {
                Some(content) => match bytes_wanted(&options) {
                    Some(bytes) => text.extend(beginning(&content, bytes.min(content.bytes))),
                    None => text.extend(content.head),
                },
                None => self.fail(1, &format!("{}: {}: No such file or directory\n", shown(name), shown(word))),
            }
        }
        let text = if operands.is_empty() { input.unwrap_or_default().to_vec() } else { text };
        if let Some(bytes) = bytes_wanted(&options) {
            let end = usize::try_from(bytes).unwrap_or(usize::MAX).min(text.len());
            return self.print(&text[..end]);
        }
        let words: Vec<&[u8]> = core::iter::once(name).chain(options).collect();
        let printed = filter(&words, &text).unwrap_or_default();
        if name == b"grep" && printed.is_empty() {
            self.inside.status = 1;
        }
        self.print(printed);
    }

    fn test(&mut self, arguments: &[&[u8]]) {
        let arguments = match arguments {
            [rest @ .., b"]" | b"]]"] => rest,
            all => all,
        };
        let (negated, arguments) = match arguments {
            [b"!", rest @ ..] => (true, rest),
            all => (false, all),
        };
        let is_there = |word: &[u8]| self.inside.files.is_there(&self.path(word), self.telnet);
        let holds = match arguments {
            [b"-d", word] => self.inside.files.is_folder(&self.path(word)),
            [b"-f", word] => is_there(word) && !self.inside.files.is_folder(&self.path(word)),
            [b"-e" | b"-x" | b"-r" | b"-w", word] => is_there(word),
            [b"-s", word] => self.read(&self.path(word)).is_some_and(|content| content.bytes > 0),
            [b"-z", word] => word.is_empty(),
            [b"-n", word] => !word.is_empty(),
            [one, b"=" | b"==" | b"-eq", other] => one == other,
            [one, b"!=" | b"-ne", other] => one != other,
            [word] => !word.is_empty(),
            _ => false,
        };
        self.inside.status = u32::from(holds == negated);
    }

    fn copy(&mut self, moves: bool, arguments: &[&[u8]]) {
        let words: Vec<&[u8]> = arguments.iter().copied().filter(|word| !word.starts_with(b"-")).collect();
        let [from, .., to] = words.as_slice() else {
            let usage = programs::usage(b"cp", self.telnet).unwrap_or_default();
            return self.fail(1, &usage);
        };
        let (source, mut path) = (self.path(from), self.path(to));
        let Some(content) = self.read(&source) else {
            let complaint = if moves { "mv: can't rename" } else { "cp: can't stat" };
            return self.fail(1, &format!("{complaint} '{}': No such file or directory\n", shown(from)));
        };
        if self.inside.files.is_folder(&path) {
            path = format!("{}/{}", path.trim_end_matches('/'), split(&source).1);
        }
        if let Some(why) = self.inside.files.refuses(&path, self.telnet) {
            return self.fail(1, &format!("cp: can't create '{}': {}\n", shown(to), reason(why)));
        }
        if moves {
            self.inside.files.remove(&source);
        }
        self.inside.files.keep(&path, content);
    }

    fn remove(&mut self, name: &[u8], arguments: &[&[u8]]) {
        let is_forced = arguments.iter().any(|word| word.starts_with(b"-") && word.contains(&b'f'));
        for word in arguments.iter().filter(|word| !word.starts_with(b"-")) {
            let path = self.path(word);
            let is_pattern = word.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
            let is_there = self.inside.files.is_there(&path, self.telnet);
            if !self.inside.files.remove(&path) && !is_there && !is_forced && !is_pattern {
                let complaint = if name == b"rm" { "can't remove " } else { "" };
                self.fail(1, &format!("{}: {complaint}'{}': No such file or directory\n", shown(name), shown(word)));
            }
        }
    }

    fn make(&mut self, is_folder: bool, arguments: &[&[u8]]) {
        let parents = arguments.iter().any(|word| word.starts_with(b"-") && word.contains(&b'p'));
        for word in arguments.iter().filter(|word| !word.starts_with(b"-")) {
            let path = self.path(word);
            let exists = self.inside.files.is_there(&path, self.telnet);
            match (is_folder, self.inside.files.refuses(&path, self.telnet)) {
                (true, _) if exists && parents => {}
                (true, _) if exists => {
                    self.fail(1, &format!("mkdir: can't create directory '{}': File exists\n", shown(word)));
                }
                (true, Some("nonexistent directory")) if parents && !path.starts_with("/proc/") => self.inside.files.make(&path),
                (true, Some(why)) => {
                    self.fail(1, &format!("mkdir: can't create directory '{}': {}\n", shown(word), reason(why)));
                }
                (true, None) => self.inside.files.make(&path),
                (false, _) if exists => {}
                (false, Some(why)) => self.fail(1, &format!("touch: {}: {}\n", shown(word), reason(why))),
                (false, None) => self.inside.files.write(&path, b"", false),
            }
        }
    }

    /// What fetches says what busybox does where no name is known and no way leads out.
    fn fetch(&mut self, name: &[u8], arguments: &[&[u8]]) {
        let words: Vec<&[u8]> = core::iter::once(name).chain(arguments.iter().copied()).collect();
        let named = arguments.iter().flat_map(|word| downloads(word)).next().map(<[u8]>::to_vec);
        let lone = || arguments.iter().rfind(|word| !word.starts_with(b"-")).map(|word| [b"http://", *word].concat());
        let meant = named.or_else(|| wanted(&words).into_iter().next()).or_else(|| lone().filter(|_| name == b"wget"));
        let Some(address) = meant else {
            let usage = programs::usage(name, self.telnet).unwrap_or_default();
            return self.fail(1, &usage);
        };
        let text = shown(&address);
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", &text));
        let place = rest.split('/').next().unwrap_or_default();
        let place = place.rsplit('@').next().unwrap_or(place);
        let (host, port) = place.split_once(':').unwrap_or((
            place,
            match scheme {
                "https" => "443",
                "ftp" => "21",
                _ => "80",
            },
        ));
        let name = shown(name);
        let is_number = host.split('.').count() == 4 && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !is_number {
            return self.fail(1, &format!("{name}: bad address '{host}'\n"));
        }
        let is_quiet = arguments.iter().any(|word| word.starts_with(b"-") && !word.starts_with(b"--") && word.contains(&b'q'));
        if name == "wget" && !is_quiet {
            self.fail(1, &format!("Connecting to {place} ({host}:{port})\n"));
        }
        let what = if name == "tftp" { "sendto".to_string() } else { format!("can't connect to remote host ({host})") };
        self.fail(1, &format!("{name}: {what}: Network is unreachable\n"));
    }

    fn kill(&mut self, by_name: bool, arguments: &[&[u8]]) {
        for word in arguments.iter().filter(|word| !word.starts_with(b"-")) {
            let word = shown(word);
            let runs = |line: &str| {
                let mut words = line.split_ascii_whitespace();
                match by_name {
                    true => words.nth(4).is_some_and(|program| split(program.trim_start_matches('-')).1 == word),
                    false => words.next() == Some(&word),
                }
            };
            if !self.device().processes.lines().any(runs) {
                let text = match by_name {
                    true => format!("killall: {word}: no process killed\n"),
                    false => format!("sh: can't kill pid {word}: No such process\n"),
                };
                self.fail(1, &text);
            }
        }
    }

    fn uname(&mut self, arguments: &[&[u8]]) {
        let letters: Vec<u8> = arguments.iter().filter_map(|word| word.strip_prefix(b"-")).flatten().copied().collect();
        if let Some(odd) = letters.iter().find(|letter| !b"amnrspvio".contains(letter)) {
            let name = format!(
                "{} multi-call binary.\n\nUsage: uname [-amnrspvio]\n\nPrint system information\n",
                self.device().busybox
            );
            return self.fail(1, &format!("uname: invalid option -- '{}'\n{name}", char::from(*odd)));
        }
        let device = self.device();
        let (release, build) = device.kernel.split_once(' ').unwrap_or_default();
        let all = letters.contains(&b'a');
        let parts = [
            (b's', "Linux"),
            (b'n', &*self.telnet.host),
            (b'r', release),
            (b'v', build),
            (b'm', device.machine),
            (b'p', "unknown"),
            (b'i', "unknown"),
            (b'o', "GNU/Linux"),
        ];
        let wanted = |letter: u8, part: &str| {
            if all { part != "unknown" } else { letters.contains(&letter) || letters.is_empty() && letter == b's' }
        };
        let text =
            parts.iter().filter(|(letter, part)| wanted(*letter, part)).map(|(_, part)| *part).collect::<Vec<_>>().join(" ");
        self.line(&text);
    }

    fn df(&self, arguments: &[&[u8]]) -> String {
        let human = arguments.iter().any(|word| word.starts_with(b"-") && word.contains(&b'h'));
        let size = |kib: u64| match kib {
            _ if !human => format!("{kib}"),
            0 => "0".to_string(),
            1..1_024 => format!("{kib}.0K"),
            kib => format!("{}.{}M", kib / 1_024, kib % 1_024 * 10 / 1_024),
        };
        let head = if human {
            "Filesystem                Size      Used Available Use% Mounted on\n"
        } else {
            "Filesystem           1K-blocks      Used Available Use% Mounted on\n"
        };
        files::disks(self.telnet).into_iter().fold(head.to_string(), |text, (name, at, all, used)| {
            text + &format!(
                "{name:<20} {:>9} {:>9} {:>9} {:>3}% {at}\n",
                size(all),
                size(used),
                size(all - used),
                (used * 100).div_ceil(all.max(1))
            )
        })
    }

    fn list_files(&mut self, arguments: &[&[u8]]) {
        let letters: Vec<u8> = arguments.iter().filter_map(|word| word.strip_prefix(b"-")).flatten().copied().collect();
        let has = |letter: u8| letters.contains(&letter);
        let words: Vec<&[u8]> = arguments.iter().copied().filter(|word| !word.starts_with(b"-")).collect();
        let words = if words.is_empty() { alloc::vec![&b"."[..]] } else { words };
        let several = words.len() > 1;
        let files = &self.inside.files;
        let (mut printed, mut missing) = (String::new(), String::new());
        for word in words {
            if !self.takes(1) || printed.len() >= OUTPUT_BYTES_MAX {
                break;
            }
            let path = self.path(word);
            if !files.is_there(&path, self.telnet) {
                missing += &format!("ls: {}: No such file or directory\n", shown(word));
                continue;
            }
            let is_content = files.is_folder(&path) && !has(b'd');
            let mut names: Vec<(String, String)> = match is_content {
                true => files.names(&path, self.telnet).into_iter().map(|name| (join(&path, &name), name)).collect(),
                false => alloc::vec![(path.clone(), shown(word))],
            };
            if is_content {
                names.retain(|(_, name)| has(b'a') || has(b'A') || !name.starts_with('.'));
            }
            if is_content && has(b'a') {
                names.splice(0..0, [(path.clone(), ".".into()), (split(&path).0.to_string(), "..".into())]);
            }
            if several && is_content {
                printed += &format!("{}{}:\n", if printed.is_empty() { "" } else { "\n" }, shown(word));
            }
            printed += &if has(b'l') {
                let all = names.iter().take_while(|_| self.takes(ROW_STEPS));
                let rows: String = all.map(|(path, name)| files.row(path, name, self.telnet, self.now)).collect();
                if is_content { format!("total {}\n{rows}", names.len() * 4) } else { rows }
            } else if self.on_terminal && !has(b'1') {
                programs::columns(&names.into_iter().map(|(_, name)| name).collect::<Vec<_>>())
            } else {
                names.iter().map(|(_, name)| format!("{name}\n")).collect()
            };
        }
        if !missing.is_empty() {
            self.fail(1, &missing);
        }
        self.print(printed);
    }
}

fn join(path: &str, name: &str) -> String {
    format!("{}/{name}", path.trim_end_matches('/'))
}

/// What a program says where the shell says that there is no folder.
fn reason(why: &str) -> &str {
    if why == "nonexistent directory" { "No such file or directory" } else { why }
}

fn last_part(word: &[u8]) -> &[u8] {
    word.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The first bytes of a file; of a program there is nothing behind its head.
fn beginning(content: &Content, bytes: u64) -> Vec<u8> {
    let mut text = content.head.clone();
    let wanted = bytes.min(content.bytes);
    let length = wanted.min(PROGRAM_BYTES_MAX.max(text.len() as u64));
    text.resize(usize::try_from(length).unwrap_or_default(), 0);
    text
}

/// `-c 52` or `-c52` of `head`.
fn bytes_wanted(options: &[&[u8]]) -> Option<u64> {
    let digits = match options {
        [b"-c", digits, ..] => digits,
        [word, ..] => word.strip_prefix(b"-c")?,
        [] => return None,
    };
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// A filter's words without the files that it is given, and these.
fn operands<'a>(name: &[u8], arguments: &[&'a [u8]]) -> (Vec<&'a [u8]>, Vec<&'a [u8]>) {
    let (mut options, mut operands) = (Vec::new(), Vec::new());
    let mut pattern = name == b"grep";
    let mut rest = arguments;
    while let [word, behind @ ..] = rest {
        rest = behind;
        match *word {
            b"-n" | b"-c" | b"-f" | b"-d" | b"-m" if name != b"grep" && name != b"wc" => {
                options.push(*word);
                if let [value, further @ ..] = rest {
                    options.push(value);
                    rest = further;
                }
            }
            option if option.starts_with(b"-") => options.push(option),
            word if pattern => {
                options.push(word);
                pattern = false;
            }
            word => operands.push(word),
        }
    }
    (options, operands)
}

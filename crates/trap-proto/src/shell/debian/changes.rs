//! Programs that make, take away and move files. What they change is the stranger's own view of the machine.

use super::{
    Output, Place, Shell,
    options::{Known, Options},
    text::Content,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

const MISSING: &str = "No such file or directory";
/// Folders that anybody may write in.
const FOR_ALL: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run/lock"];

/// What stands in a shell's line about a file, and where it is.
struct Named {
    shown: String,
    path: String,
}

impl Shell<'_> {
    /// Does what changes files; `false` if it is none of it.
    pub(super) fn file_program(&self, name: &[u8], words: &[&[u8]], place: &mut Place, output: &mut Output) -> bool {
        match name {
            b"rm" => self.rm(words, place, output),
            b"rmdir" => self.rmdir(words, place, output),
            b"mkdir" => self.mkdir(words, place, output),
            b"touch" => self.touch(words, place, output),
            b"mv" | b"cp" | b"ln" | b"install" => self.moves(name, words, place, output),
            b"chmod" | b"chown" | b"chgrp" => self.chmod(name, words, place, output),
            b"chattr" => self.chattr(words, place, output),
            b"stat" | b"du" | b"file" | b"readlink" | b"realpath" | b"lsattr" => self.looks(name, words, place, output),
            b"mktemp" => self.mktemp(words, place, output),
            b"truncate" | b"shred" | b"unlink" => {}
            _ => return false,
        }
        true
    }

    fn named(&self, word: &[u8], place: &Place) -> Named {
        Named {
            shown: crate::safe_text(word, 200),
            path: place.resolve(word, &self.home()).unwrap_or_else(|| "/".to_string() + "?"),
        }
    }

    /// Whether a file can be made or changed there.
    pub(super) fn may_write(&self, path: &str, place: &Place) -> Result<(), &'static str> {
        let above = path.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above });
        if self.is_folder(path, place) {
            return Err("Is a directory");
        }
        if !self.is_folder(above, place) {
            let is_file = self.is_path_there(above, place);
            return Err(if is_file { "Not a directory" } else { MISSING });
        }
        let is_own = crate::shell::paths::is_within(path, &self.home())
            || FOR_ALL.iter().any(|folder| crate::shell::paths::is_within(path, folder));
        if self.is_root() || is_own || place.disk.has_made(above) { Ok(()) } else { Err("Permission denied") }
    }

    pub(super) fn is_path_there(&self, path: &str, place: &Place) -> bool {
        place.disk.file(path).is_some() || self.is_folder(path, place) || self.is_known(path, place)
    }

    pub(super) fn is_there(&self, word: &[u8], place: &Place) -> bool {
        place.resolve(word, &self.home()).is_some_and(|path| self.is_path_there(&path, place))
    }

    pub(super) fn is_folder_word(&self, word: &[u8], place: &Place) -> bool {
        place.resolve(word, &self.home()).is_some_and(|path| self.is_folder(&path, place))
    }

    pub(super) fn is_program(&self, word: &[u8], place: &Place) -> bool {
        let Some(path) = place.resolve(word, &self.home()) else { return false };
        match place.disk.file(&path) {
            Some(file) => file.is_program(),
            None => super::programs::is_program(&path) && !place.disk.is_gone(&path),
        }
    }

    /// What a file holds, or why it cannot be read.
    pub(super) fn content(&self, word: &[u8], place: &Place) -> Result<Content, &'static str> {
        let whole = |bytes: Vec<u8>| Content { length: bytes.len() as u64, bytes };
        let path = place.resolve(word, &self.home()).ok_or("File name too long")?;
        if let Some(file) = place.disk.file(&path) {
            return Ok(Content { bytes: file.bytes.clone(), length: file.length });
        }
        if place.disk.is_gone(&path) {
            return Err(MISSING);
        }
        if path == "/dev/null" {
            return Ok(Content::default());
        }
        if path == "/proc/self/exe" || super::programs::is_program(&path) {
            let size = super::programs::size(self.persona, path.rsplit('/').next().unwrap_or_default());
            return Ok(Content { length: size, bytes: super::elf::head(size) });
        }
        let mut own = Output::default();
        self.cat(word, place, &mut own);
        match own.status {
            0 => Ok(whole(own.out)),
            _ if own.err.ends_with(b"Is a directory\n") => Err("Is a directory"),
            _ if own.err.ends_with(b"Permission denied\n") => Err("Permission denied"),
            _ if self.is_known(&path, place) => Ok(Content::default()),
            _ => Err(MISSING),
        }
    }

    fn options<'a>(&self, words: &[&'a [u8]], letters: &'static str, least: usize, output: &mut Output) -> Option<Options<'a>> {
        const LONG: &[(&str, u8)] = &[
            ("force", b'f'),
            ("recursive", b'r'),
            ("verbose", b'v'),
            ("parents", b'p'),
            ("mode", b'm'),
            ("no-preserve-root", b'f'),
        ];
        let options = Options::read(words, &Known { letters, long: LONG, wrong: 1 }, output)?;
        let name = crate::safe_text(words.first().copied().unwrap_or_default(), 64);
        let what = match (options.words.as_slice(), name.as_str()) {
            (given, _) if given.len() >= least => return Some(options),
            _ if options.has(b'f') && name == "rm" => return None,
            ([one], "mv" | "cp") => format!("missing destination file operand after '{}'", crate::safe_text(one, 200)),
            ([one], "chmod" | "chown" | "chgrp") => {
                format!("missing operand after \u{2018}{}\u{2019}", crate::safe_text(one, 200))
            }
            (_, "mv" | "cp" | "touch" | "ln") => "missing file operand".to_string(),
            _ => "missing operand".to_string(),
        };
        output.status = 1;
        output.complain(&format!("{name}: {what}\nTry '{name} --help' for more information.\n"));
        None
    }

    fn rm(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        let Some(options) = self.options(words, "rRfivdI", 1, output) else { return };
        let is_deep = options.has(b'r') || options.has(b'R');
        for word in &options.words {
            let Named { shown, path } = self.named(word, place);
            let last = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let what = if matches!(last, b"." | b"..") {
                self.fail(&format!("rm: refusing to remove '.' or '..' directory: skipping '{shown}'\n"), output);
                continue;
            } else if path == "/" && is_deep {
                let text =
                    "rm: it is dangerous to operate recursively on '/'\nrm: use --no-preserve-root to override this failsafe\n";
                self.fail(text, output);
                continue;
            } else if !self.is_path_there(&path, place) {
                if options.has(b'f') {
                    continue;
                }
                MISSING
            } else if self.is_folder(&path, place) && !is_deep {
                "Is a directory"
            } else if !self.may_take(&path, place) {
                "Permission denied"
            } else {
                if options.has(b'v') {
                    let kind = if self.is_folder(&path, place) { "directory " } else { "" };
                    output.say(&format!("removed {kind}'{shown}'\n"));
                }
                self.take_away(&path, place);
                continue;
            };
            self.fail(&format!("rm: cannot remove '{shown}': {what}\n"), output);
        }
    }

    pub(super) fn may_take(&self, path: &str, place: &Place) -> bool {
        self.is_root()
            || place.disk.has_made(path)
            || place.disk.file(path).is_some()
            || crate::shell::paths::is_within(path, &self.home()) && path != self.home()
    }

    pub(super) fn take_away(&self, path: &str, place: &mut Place) {
        let was_there = self.is_known(path, place) || self.is_folder(path, place) && !place.disk.has_made(path);
        place.disk.unmake(path);
        place.disk.remove(path, was_there);
    }

    fn rmdir(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        let Some(options) = self.options(words, "pv", 1, output) else { return };
        for word in &options.words {
            let Named { shown, path } = self.named(word, place);
            let what = if !self.is_path_there(&path, place) {
                MISSING
            } else if !self.is_folder(&path, place) {
                "Not a directory"
            } else if !place.disk.has_made(&path) || !self.names_in(&path, place).is_empty() {
                "Directory not empty"
            } else {
                self.take_away(&path, place);
                continue;
            };
            self.fail(&format!("rmdir: failed to remove '{shown}': {what}\n"), output);
        }
    }

    /// `mkdir`: folders that can be entered.
    fn mkdir(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        let Some(options) = self.options(words, "pvm:", 1, output) else { return };
        for word in &options.words {
            let Named { shown, path } = self.named(word, place);
            if self.is_path_there(&path, place) {
                if !options.has(b'p') || !self.is_folder(&path, place) {
                    self.fail(&format!("mkdir: cannot create directory \u{2018}{shown}\u{2019}: File exists\n"), output);
                }
                continue;
            }
            let parts: Vec<&str> = path.split('/').skip(1).collect();
            let first = if options.has(b'p') { 1 } else { parts.len() };
            for end in first..=parts.len() {
                let path = format!("/{}", parts[..end].join("/"));
                if self.is_folder(&path, place) {
                    continue;
                }
                if let Err(what) = self.may_write(&path, place) {
                    self.fail(&format!("mkdir: cannot create directory \u{2018}{shown}\u{2019}: {what}\n"), output);
                    break;
                }
                place.disk.bring_back(&path);
                if options.has(b'v') {
                    output.say(&format!("mkdir: created directory '{shown}'\n"));
                }
                place.disk.make(path);
            }
        }
    }

    fn touch(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        let Some(options) = self.options(words, "acmr:t:d:h", 1, output) else { return };
        for word in &options.words {
            let Named { shown, path } = self.named(word, place);
            if self.is_path_there(&path, place) {
                continue;
            }
            match self.may_write(&path, place) {
                Ok(()) => place.disk.write(&path, b"", 0, true),
                Err(what) => self.fail(&format!("touch: cannot touch '{shown}': {what}\n"), output),
            }
        }
    }

    fn mktemp(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        place.memory.drawn += 1;
        let drawn = self.persona.key(&format!("mktemp {} {}", self.now.0, place.memory.drawn));
        let letters: String = drawn
            .iter()
            .take(10)
            .map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[usize::from(byte % 52)]))
            .collect();
        let path = format!("/tmp/tmp.{letters}");
        if words.iter().any(|word| *word == b"-d") {
            place.disk.make(path.clone());
        } else {
            place.disk.write(&path, b"", 0, false);
        }
        output.say(&format!("{path}\n"));
    }

    fn moves(&self, name: &[u8], words: &[&[u8]], place: &mut Place, output: &mut Output) {
        let Some(options) = self.options(words, "rRfinvpaLPsuTt:m:o:g:dHlx", 2, output) else { return };
        let name = String::from_utf8_lossy(name).to_string();
        let Some((last, sources)) = options.words.split_last() else { return };
        let target = self.named(last, place);
        let into_folder = self.is_folder(&target.path, place);
        for word in sources {
            let source = self.named(word, place);
            let is_folder = self.is_folder(&source.path, place);
            let is_link = name == "ln" && options.has(b's');
            if !self.is_path_there(&source.path, place) && !is_link {
                let what = if name == "ln" { "failed to access" } else { "cannot stat" };
                self.fail(&format!("{name}: {what} '{}': {MISSING}\n", source.shown), output);
                continue;
            }
            if is_folder && name == "cp" && !["r", "R", "a"].iter().any(|letter| options.has(letter.as_bytes()[0])) {
                self.fail(&format!("cp: -r not specified; omitting directory '{}'\n", source.shown), output);
                continue;
            }
            let base = source.path.rsplit('/').next().unwrap_or_default();
            let to = if into_folder { format!("{}/{base}", target.path.trim_end_matches('/')) } else { target.path.clone() };
            let may = if is_folder { Ok(()) } else { self.may_write(&to, place) };
            if let Err(what) = may {
                let doing = match name.as_str() {
                    "ln" => "failed to create symbolic link",
                    "cp" => "cannot create regular file",
                    _ => "cannot move",
                };
                let shown = if name == "mv" {
                    format!("'{}' to '{}'", source.shown, target.shown)
                } else {
                    format!("'{}'", target.shown)
                };
                self.fail(&format!("{name}: {doing} {shown}: {what}\n"), output);
                continue;
            }
            if is_folder {
                place.disk.make(to);
            } else {
                let content = self.content(word, place).unwrap_or_default();
                let is_program = self.is_program(word, place);
                place.disk.write(&to, &content.bytes, content.length, false);
                if let Some(file) = place.disk.file_mut(&to) {
                    file.mode |= if is_program { 0o111 } else { 0 };
                    file.link = is_link.then(|| source.shown.clone());
                }
            }
            if name == "mv" {
                self.take_away(&source.path, place);
            }
        }
    }

    fn chmod(&self, name: &[u8], words: &[&[u8]], place: &mut Place, output: &mut Output) {
        // A mode may begin with `-`.
        let mode = words
            .get(1)
            .copied()
            .filter(|word| word.len() > 1 && word[0] == b'-' && word[1..].iter().all(|byte| b"rwxst".contains(byte)));
        let kept: Vec<&[u8]> =
            if mode.is_some() { [&words[..1], &[b"a-".as_slice()], &words[2..]].concat() } else { words.to_vec() };
        let Some(options) = self.options(&kept, "RfvchLHP", 2, output) else { return };
        let name = String::from_utf8_lossy(name).to_string();
        let Some((mode, files)) = options.words.split_first() else { return };
        let digits = core::str::from_utf8(mode).ok().and_then(|mode| u16::from_str_radix(mode, 8).ok()).map(|mode| mode & 0o7777);
        let runs = mode.contains(&b'x').then(|| !mode.contains(&b'-'));
        let changed = |before: u16| match (digits, runs) {
            (Some(mode), _) => mode,
            (None, Some(true)) => before | 0o111,
            (None, Some(false)) => before & !0o111,
            (None, None) => before,
        };
        if name == "chmod" && !is_mode(mode) {
            let mode = crate::safe_text(mode, 100);
            return self.fail(
                &format!("chmod: invalid mode: \u{2018}{mode}\u{2019}\nTry 'chmod --help' for more information.\n"),
                output,
            );
        }
        if name != "chmod" {
            let user = String::from_utf8_lossy(mode).split([':', '.']).next().unwrap_or_default().to_string();
            let is_known = user.is_empty()
                || user.bytes().all(|byte| byte.is_ascii_digit())
                || self.passwd().lines().any(|line| line.split(':').next() == Some(&user));
            if !is_known && name == "chown" {
                return self.fail(&format!("chown: invalid user: \u{2018}{}\u{2019}\n", crate::safe_text(mode, 100)), output);
            }
        }
        for word in files {
            let Named { shown, path } = self.named(word, place);
            if !self.is_path_there(&path, place) {
                if options.has(b'f') {
                    output.status = 1;
                } else {
                    self.fail(&format!("{name}: cannot access '{shown}': {MISSING}\n"), output);
                }
            } else if name != "chmod" {
            } else if let Some(file) = place.disk.file_mut(&path) {
                file.mode = changed(file.mode);
            } else if let Some(folder) = place.disk.folder_mut(&path) {
                folder.mode = changed(folder.mode);
            }
        }
    }

    fn chattr(&self, words: &[&[u8]], place: &Place, output: &mut Output) {
        for word in words[1..].iter().filter(|word| !matches!(word.first(), Some(b'-' | b'+' | b'='))) {
            let Named { shown, path } = self.named(word, place);
            if !self.is_path_there(&path, place) {
                self.fail(&format!("chattr: {MISSING} while trying to stat {shown}\n"), output);
            }
        }
    }

    /// Programs that look at a file without reading it: they say what is not there, and little of the rest.
    fn looks(&self, name: &[u8], words: &[&[u8]], place: &Place, output: &mut Output) {
        let name = String::from_utf8_lossy(name).to_string();
        for word in words[1..].iter().filter(|word| !word.starts_with(b"-")) {
            let Named { shown, path } = self.named(word, place);
            if self.is_path_there(&path, place) {
                match name.as_str() {
                    "file" => output.say(&format!("{shown}: {}\n", self.kind(word, &path, place))),
                    "realpath" => output.say(&format!("{path}\n")),
                    "du" => output.say(&format!("4\t{shown}\n")),
                    _ => {}
                }
                continue;
            }
            match name.as_str() {
                "readlink" => output.status = 1,
                "realpath" => output.say(&format!("{path}\n")),
                "file" => output.say(&format!("{shown}: cannot open `{shown}' ({MISSING})\n")),
                "stat" => self.fail(&format!("stat: cannot statx '{shown}': {MISSING}\n"), output),
                "lsattr" => self.fail(&format!("lsattr: {MISSING} while trying to stat {shown}\n"), output),
                _ => self.fail(&format!("{name}: cannot access '{shown}': {MISSING}\n"), output),
            }
        }
    }

    fn kind(&self, word: &[u8], path: &str, place: &Place) -> &'static str {
        if self.is_folder(path, place) {
            return "directory";
        }
        let content = self.content(word, place).unwrap_or_default();
        match content.bytes.as_slice() {
            [] => "empty",
            bytes if bytes.starts_with(b"\x7fELF") => {
                "ELF 64-bit LSB pie executable, x86-64, version 1 (SYSV), dynamically linked, interpreter /lib64/ld-linux-x86-64.so.2, for GNU/Linux 3.2.0, stripped"
            }
            bytes if bytes.starts_with(b"#!") => "POSIX shell script, ASCII text executable",
            bytes if bytes.is_ascii() => "ASCII text",
            _ => "data",
        }
    }
}

/// Whether `chmod` takes it for a mode.
fn is_mode(mode: &[u8]) -> bool {
    let is_part = |part: &[u8]| {
        let who = part.iter().take_while(|byte| b"ugoa".contains(byte)).count();
        matches!(part.get(who), Some(b'+' | b'-' | b'=')) && part[who..].iter().all(|byte| b"+-=rwxXstugo".contains(byte))
    };
    !mode.is_empty() && mode.len() <= 5 && mode.iter().all(|byte| matches!(byte, b'0'..=b'7'))
        || mode.split(|byte| *byte == b',').all(is_part)
}

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

pub(super) const MISSING: &str = "No such file or directory";
/// What an entry of a folder costs that is told of, in steps.
const ENTRY_STEPS: usize = 8;
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
            b"mv" | b"cp" | b"ln" | b"install" => self.moves(&String::from_utf8_lossy(name), words, place, output),
            b"chmod" | b"chown" | b"chgrp" => self.chmod(&String::from_utf8_lossy(name), words, place, output),
            b"stat" => self.stat(words, place, output),
            b"readlink" => self.readlink(words, place, output),
            b"realpath" => self.realpath(words, place, output),
            b"du" => self.du(words, place, output),
            b"unlink" => self.unlink(words, place, output),
            b"truncate" => self.truncate(words, place, output),
            b"shred" => self.shred(words, place, output),
            b"chattr" => self.chattr(words, place, output),
            b"file" | b"lsattr" => self.looks(name, words, place, output),
            b"mktemp" => self.mktemp(words, place, output),
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
            if file.link.is_some() {
                let target = self.real_path(path.as_bytes(), true, place).map_err(|_| MISSING)?;
                return if target == path { Err(MISSING) } else { self.content(target.as_bytes(), place) };
            }
            return Ok(Content { bytes: file.bytes.clone(), length: file.length });
        }
        if self.is_folder(&path, place) {
            return Err("Is a directory");
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
            // It may be in a folder that a link of the stranger's own leads to.
            _ => match self.spot(word, true, place) {
                Ok(real) if real != path => self.content(real.as_bytes(), place),
                _ => Err(MISSING),
            },
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
            } else if self.is_folder(&path, place) && !is_deep && !options.has(b'd') {
                "Is a directory"
            } else if self.is_folder(&path, place) && !is_deep && !self.names_in(&path, place).is_empty() {
                "Directory not empty"
            } else if !self.may_take(&path, place) {
                "Permission denied"
            } else {
                if options.has(b'v') {
                    self.tell_removed(&shown, &path, place, output);
                }
                self.take_away(&path, place);
                continue;
            };
            self.fail(&format!("rm: cannot remove '{shown}': {what}\n"), output);
        }
    }

    /// What is in a folder is told before it.
    fn tell_removed(&self, shown: &str, path: &str, place: &Place, output: &mut Output) {
        if !self.work.take(ENTRY_STEPS) || output.is_full() {
            return;
        }
        let is_folder = self.is_folder(path, place);
        for name in if is_folder { self.names_in(path, place) } else { Vec::new() } {
            let inside = |folder: &str| format!("{}/{name}", folder.trim_end_matches('/'));
            self.tell_removed(&inside(shown), &inside(path), place, output);
        }
        output.say(&format!("removed {}'{shown}'\n", if is_folder { "directory " } else { "" }));
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
            let Named { shown, mut path } = self.named(word, place);
            let mut shown = shown.trim_end_matches('/').to_string();
            loop {
                if options.has(b'v') {
                    output.say(&format!("rmdir: removing directory, '{shown}'\n"));
                }
                let what = if !self.is_path_there(&path, place) {
                    MISSING
                } else if !self.is_folder(&path, place) {
                    "Not a directory"
                } else if !place.disk.has_made(&path) || !self.names_in(&path, place).is_empty() {
                    "Directory not empty"
                } else {
                    self.take_away(&path, place);
                    // Those above follow.
                    let Some((above, _)) = shown.rsplit_once('/').filter(|(above, _)| options.has(b'p') && !above.is_empty())
                    else {
                        break;
                    };
                    shown = above.to_string();
                    path = path.rsplit_once('/').map_or("/", |(above, _)| above).to_string();
                    continue;
                };
                let text = if path.len() < self.named(word, place).path.len() { "directory " } else { "" };
                self.fail(&format!("rmdir: failed to remove {text}'{shown}': {what}\n"), output);
                break;
            }
        }
    }

    /// `mkdir`: folders that can be entered.
    fn mkdir(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        let Some(options) = self.options(words, "pvm:", 1, output) else { return };
        if let Some(mode) = options.value(b'm').filter(|mode| super::modes::Change::read(mode).is_none()) {
            return self.fail(&format!("mkdir: invalid mode \u{2018}{}\u{2019}\n", crate::safe_text(mode, 100)), output);
        }
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
                    let shown = if end == parts.len() { shown.clone() } else { shown_above(&shown, parts.len() - end) };
                    output.say(&format!("mkdir: created directory '{shown}'\n"));
                }
                place.disk.make(path.clone());
                let given = options.value(b'm').filter(|_| end == parts.len()).and_then(super::modes::Change::read);
                if let (Some(given), Some(folder)) = (given, place.disk.folder_mut(&path)) {
                    folder.mode = given.of(0o777, true);
                }
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
                if name == "file" {
                    let kind = match self.link_target(path.as_bytes(), place) {
                        Ok(target) => format!("symbolic link to {target}"),
                        Err(_) => self.kind(word, &path, place).to_string(),
                    };
                    output.say(&format!("{shown}: {kind}\n"));
                }
                continue;
            }
            match name.as_str() {
                "file" => output.say(&format!("{shown}: cannot open `{shown}' ({MISSING})\n")),
                _ => self.fail(&format!("lsattr: {MISSING} while trying to stat {shown}\n"), output),
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

/// A path as it was given, so many names shorter.
fn shown_above(shown: &str, names: usize) -> String {
    let mut shown = shown.trim_end_matches('/');
    for _ in 0..names {
        shown = shown.rsplit_once('/').map_or(shown, |(above, _)| above.trim_end_matches('/'));
    }
    shown.to_string()
}

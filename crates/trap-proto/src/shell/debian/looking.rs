//! Programs that tell what lies somewhere: `stat`, `readlink`, `realpath` and `du`, as coreutils has them.

use super::{
    Output, Place, Shell,
    changes::MISSING,
    filing::Seen,
    options::{Known, Options},
};
use crate::{
    calendar::Moment,
    shell::paths::{resolved, split},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Directives in one format; what stands behind them is not printed.
const DIRECTIVES_MAX: usize = 64;
/// The widest field, in columns; wider ones are as wide.
const WIDTH_MAX: usize = 200;
/// What an entry costs that is told of or counted, in steps.
const ENTRY_STEPS: usize = 8;
const BLOCK_BYTES: u64 = 4_096;
/// Blocks as `stat` counts them.
const SECTOR_BYTES: u64 = 512;
/// The number of the disk's first partition, as virtio has it, and of what is in memory.
const DISK: (u64, u64) = (254, 1);
const MEMORY: (u64, u64) = (0, 34);
/// Inodes that ext4 has for itself, and from where on files get theirs.
const FIRST_INODE: u64 = 131_073;
const INODES: u64 = 900_000;

/// The moments of a file, in seconds since 1970, with nanoseconds.
struct Times {
    read: (u64, u64),
    changed: (u64, u64),
    born: (u64, u64),
}

impl Shell<'_> {
    pub(super) fn stat(&self, words: &[&[u8]], place: &Place, output: &mut Output) {
        const LONG: &[(&str, u8)] =
            &[("format", b'c'), ("printf", b'='), ("dereference", b'L'), ("terse", b't'), ("file-system", b'f')];
        let Some(options) = Options::read(words, &Known { letters: "Lftc:=:", long: LONG, wrong: 1 }, output) else { return };
        if options.words.is_empty() {
            return self.fail("stat: missing operand\nTry 'stat --help' for more information.\n", output);
        }
        for word in &options.words {
            if output.is_full() || !self.work.take(ENTRY_STEPS) {
                return;
            }
            let shown = crate::safe_text(word, 200);
            let follows = options.has(b'L');
            let found = self.spot(word, follows, place).and_then(|path| {
                let seen = self.look_at(&path, follows, place).map_err(|_| MISSING)?;
                Ok((path, seen))
            });
            let (path, seen) = match found {
                Ok(found) => found,
                Err(what) => {
                    let text = if options.has(b'f') {
                        format!("stat: cannot read file system information for '{shown}': {what}\n")
                    } else {
                        format!("stat: cannot statx '{shown}': {what}\n")
                    };
                    self.fail(&text, output);
                    continue;
                }
            };
            if options.has(b'f') {
                let form = options.value(b'c').or(options.value(b'='));
                self.stat_system(&shown, &path, form, output);
                continue;
            }
            let is_dated = place.disk.file(&path).is_some_and(|file| file.is_dated);
            let whole = Stat { shell: self, shown, is_dated, target: self.link_target(path.as_bytes(), place).ok(), path, seen };
            match (options.value(b'c'), options.value(b'=')) {
                (Some(form), _) => output.say(&format!("{}\n", whole.formatted(form, false))),
                (None, Some(form)) => output.say(&whole.formatted(form, true)),
                _ if options.has(b't') => {
                    output.say(&format!("{}\n", whole.formatted(b"%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o", false)));
                }
                _ => output.say(&whole.shown()),
            }
        }
    }

    fn stat_system(&self, shown: &str, path: &str, form: Option<&[u8]>, output: &mut Output) {
        let room = self.room(path);
        let kind = if room.is_disk { "ext2/ext3" } else { "tmpfs" };
        if let Some(form) = form {
            let text = String::from_utf8_lossy(form).into_owned();
            let values = [
                ("%T", kind.to_string()),
                ("%n", shown.to_string()),
                ("%b", room.blocks.to_string()),
                ("%f", room.free.to_string()),
                ("%a", room.available.to_string()),
                ("%s", BLOCK_BYTES.to_string()),
                ("%S", BLOCK_BYTES.to_string()),
                ("%c", room.nodes.to_string()),
                ("%d", room.nodes_free.to_string()),
                ("%i", format!("{:x}", room.id)),
                ("%l", "255".to_string()),
            ];
            let text = values.iter().fold(text, |text, (name, value)| text.replace(name, value));
            return output.say(&format!("{text}\n"));
        }
        output.say(&format!(
            "  File: \"{shown}\"\n    ID: {:<8x} Namelen: 255     Type: {kind}\nBlock size: {BLOCK_BYTES:<10} Fundamental block size: \
             {BLOCK_BYTES}\nBlocks: Total: {:<10} Free: {:<10} Available: {}\nInodes: Total: {:<10} Free: {}\n",
            room.id, room.blocks, room.free, room.available, room.nodes, room.nodes_free
        ));
    }

    /// The moments of something: what a stranger made is as old as it looks, what is the machine's was read within a day.
    fn times(&self, path: &str, seen: &Seen, is_dated: bool) -> Times {
        let fraction = |what: &str, at: u64| self.persona.number(&format!("{what} of {path} {at}")) % 1_000_000_000;
        let changed = (seen.changed, if is_dated { 0 } else { fraction("change", seen.changed) });
        if !self.own_row(path) {
            return Times { read: changed, changed, born: changed };
        }
        let born = self.itself("/lost+found").changed;
        let now = self.now.0 / 1_000_000;
        let read = now.saturating_sub(1 + self.persona.number(&format!("read {path}")) % 80_000).max(seen.changed);
        Times { read: (read, fraction("read", read)), changed, born: (born, fraction("birth", born)) }
    }

    pub(super) fn readlink(&self, words: &[&[u8]], place: &Place, output: &mut Output) {
        const LONG: &[(&str, u8)] = &[
            ("canonicalize", b'f'),
            ("canonicalize-existing", b'e'),
            ("canonicalize-missing", b'm'),
            ("no-newline", b'n'),
            ("verbose", b'v'),
        ];
        let Some(options) = Options::read(words, &Known { letters: "femnqsvz", long: LONG, wrong: 1 }, output) else { return };
        if options.words.is_empty() {
            return self.fail("readlink: missing operand\nTry 'readlink --help' for more information.\n", output);
        }
        let end = if options.has(b'n') && options.words.len() == 1 { "" } else { "\n" };
        for word in &options.words {
            if output.is_full() || !self.work.take(1) {
                return;
            }
            let told = match () {
                () if options.has(b'm') => self.real(word, 'm', place),
                () if options.has(b'e') => self.real(word, 'e', place),
                () if options.has(b'f') => self.real(word, 'f', place),
                () => self.spot(word, false, place).and_then(|path| match self.link_target(path.as_bytes(), place) {
                    Ok(target) => Ok(target),
                    Err(_) if self.is_path_there(&path, place) => Err("Invalid argument"),
                    Err(_) => Err(MISSING),
                }),
            };
            match told {
                Ok(path) => output.say(&format!("{path}{end}")),
                Err(what) if options.has(b'v') => {
                    self.fail(&format!("readlink: {}: {what}\n", crate::safe_text(word, 200)), output);
                }
                Err(_) => output.status = 1,
            }
        }
    }

    /// The path behind all links: `m` whether or not it is there, `e` if it is, `f` if what it is in is.
    fn real(&self, word: &[u8], manner: char, place: &Place) -> Result<String, &'static str> {
        let plain = || resolved(word, &place.path(&self.home()), &self.home()).ok_or("File name too long");
        let path = plain()?;
        match self.real_path(path.as_bytes(), true, place) {
            Ok(path) if manner == 'e' && !self.is_path_there(&path, place) => Err(MISSING),
            Ok(path) => Ok(path),
            Err(_) if manner == 'm' => Ok(path),
            Err(_) => self.spot(word, true, place),
        }
    }

    pub(super) fn realpath(&self, words: &[&[u8]], place: &Place, output: &mut Output) {
        const LONG: &[(&str, u8)] = &[
            ("canonicalize-existing", b'e'),
            ("canonicalize-missing", b'm'),
            ("strip", b's'),
            ("no-symlinks", b's'),
            ("quiet", b'q'),
        ];
        let Some(options) = Options::read(words, &Known { letters: "emsLPqz", long: LONG, wrong: 1 }, output) else { return };
        if options.words.is_empty() {
            return self.fail("realpath: missing operand\nTry 'realpath --help' for more information.\n", output);
        }
        for word in &options.words {
            if output.is_full() || !self.work.take(1) {
                return;
            }
            let manner = if options.has(b'm') {
                'm'
            } else if options.has(b'e') {
                'e'
            } else {
                'f'
            };
            let told = if options.has(b's') {
                resolved(word, &place.path(&self.home()), &self.home()).ok_or("File name too long")
            } else {
                self.real(word, manner, place)
            };
            match told {
                Ok(path) => output.say(&format!("{path}\n")),
                Err(_) if options.has(b'q') => output.status = 1,
                Err(what) => self.fail(&format!("realpath: {}: {what}\n", crate::safe_text(word, 200)), output),
            }
        }
    }

    pub(super) fn du(&self, words: &[&[u8]], place: &Place, output: &mut Output) {
        const LONG: &[(&str, u8)] = &[
            ("all", b'a'),
            ("summarize", b's'),
            ("human-readable", b'h'),
            ("total", b'c'),
            ("bytes", b'b'),
            ("max-depth", b'd'),
            ("apparent-size", b'A'),
        ];
        let Some(options) = Options::read(words, &Known { letters: "abchkmsxSd:AlLDH", long: LONG, wrong: 1 }, output) else {
            return;
        };
        let deepest = if options.has(b's') { Some(0) } else { options.number(b'd') };
        let manner = Du {
            shell: self,
            place,
            shows_files: options.has(b'a'),
            deepest: deepest.unwrap_or(usize::MAX),
            in_bytes: options.has(b'b'),
            by_length: options.has(b'b') || options.has(b'A'),
            for_people: options.has(b'h'),
            unit: if options.has(b'm') { 1_048_576 } else { 1_024 },
        };
        let given: Vec<&[u8]> = if options.words.is_empty() { alloc::vec![b"."] } else { options.words.clone() };
        let (mut all, mut counted) = (0, Vec::new());
        for word in given {
            let shown = crate::safe_text(word, 200);
            match self.spot(word, false, place) {
                // What was counted is counted once.
                Ok(path) if counted.contains(&path) => {}
                Ok(path) if self.look_at(&path, false, place).is_ok() => {
                    all = manner.count(&shown, &path, 0, output).saturating_add(all);
                    counted.push(path);
                }
                Ok(_) => self.fail(&format!("du: cannot access '{shown}': {MISSING}\n"), output),
                Err(what) => self.fail(&format!("du: cannot access '{shown}': {what}\n"), output),
            }
        }
        if options.has(b'c') {
            output.say(&format!("{}\ttotal\n", manner.amount(all)));
        }
    }
}

/// What `stat` knows of something.
struct Stat<'a, 'b> {
    shell: &'a Shell<'b>,
    shown: String,
    path: String,
    /// Where it leads, if it is a link.
    target: Option<String>,
    seen: Seen,
    /// Its time was set, to the second.
    is_dated: bool,
}

impl Stat<'_, '_> {
    fn kind(&self) -> &'static str {
        match self.seen.mode & 0o170_000 {
            0o040_000 => "directory",
            0o120_000 => "symbolic link",
            0o020_000 => "character special file",
            0o060_000 => "block special file",
            _ if self.seen.size == 0 => "regular empty file",
            _ => "regular file",
        }
    }

    fn device(&self) -> (u64, u64) {
        if self.shell.room(&self.path).is_disk { DISK } else { MEMORY }
    }

    fn inode(&self) -> u64 {
        match self.path.as_str() {
            "/" => 2,
            "/lost+found" => 11,
            path => FIRST_INODE + self.shell.persona.number(&format!("inode {path}")) % INODES,
        }
    }

    fn sectors(&self) -> u64 {
        // A short link stands in its inode.
        if self.seen.is_link() { 0 } else { self.seen.size.div_ceil(BLOCK_BYTES) * (BLOCK_BYTES / SECTOR_BYTES) }
    }

    fn named(&self) -> String {
        let target = self.target.as_ref().map(|target| format!(" -> '{target}'"));
        format!("'{}'{}", self.shown, target.filter(|_| self.seen.is_link()).unwrap_or_default())
    }

    /// What is printed without a format.
    fn shown(&self) -> String {
        let name = match &self.target {
            Some(target) if self.seen.is_link() => format!("{} -> {target}", self.shown),
            _ => self.shown.clone(),
        };
        let form = "  File: NAME\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\nDevice: %Hd,%Ld\tInode: %-11i Links: %h\n\
                    Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z\n Birth: %w\n";
        self.formatted(form.as_bytes(), false).replacen("NAME", &name, 1)
    }

    fn formatted(&self, form: &[u8], escapes: bool) -> String {
        let form = String::from_utf8_lossy(form).into_owned();
        let (mut text, mut rest) = (String::new(), form.as_str());
        for _ in 0..DIRECTIVES_MAX {
            let Some(at) = rest.find(['%', '\\']) else {
                text.push_str(rest);
                return text;
            };
            text.push_str(&rest[..at]);
            let (sign, behind) = rest[at..].split_at(1);
            rest = behind;
            if sign == "\\" {
                let Some(letter) = rest.chars().next().filter(|_| escapes) else {
                    text.push('\\');
                    continue;
                };
                rest = &rest[letter.len_utf8()..];
                match letter {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'e' => text.push('\x1b'),
                    '\\' | '"' => text.push(letter),
                    other => text.extend(['\\', other]),
                }
                continue;
            }
            let flags = rest.bytes().take_while(|byte| b"-0123456789. #+'".contains(byte)).count();
            let (given, behind) = rest.split_at(flags);
            let mut letters = behind.chars();
            let first = letters.next();
            let (name, length) = match (first, letters.next()) {
                (Some(high @ ('H' | 'L')), Some(letter @ ('d' | 'r'))) => (String::from_iter([high, letter]), 2),
                (Some(letter), _) => (letter.to_string(), letter.len_utf8()),
                (None, _) => {
                    text.push('%');
                    continue;
                }
            };
            rest = &behind[length..];
            text.push_str(&padded(&self.value(&name), given));
        }
        text
    }

    fn value(&self, name: &str) -> String {
        let Seen { mode, links, owner, group, size, .. } = &self.seen;
        let times = self.shell.times(&self.path, &self.seen, self.is_dated);
        let (major, minor) = self.device();
        match name {
            "a" => format!("{:o}", mode & 0o7777),
            "A" => self.seen.rights(),
            "b" => self.sectors().to_string(),
            "B" => SECTOR_BYTES.to_string(),
            "d" => (major << 8 | minor).to_string(),
            "D" => format!("{:x}", major << 8 | minor),
            "Hd" => major.to_string(),
            "Ld" => minor.to_string(),
            "f" => format!("{mode:x}"),
            "F" => self.kind().to_string(),
            "g" => group.0.to_string(),
            "G" => group.1.clone(),
            "h" => links.to_string(),
            "i" => self.inode().to_string(),
            "m" => if self.shell.room(&self.path).is_disk { "/" } else { split(&self.path).0 }.to_string(),
            "n" => self.shown.clone(),
            "N" => self.named(),
            "o" => BLOCK_BYTES.to_string(),
            "s" => size.to_string(),
            "t" | "T" | "r" | "R" | "Hr" | "Lr" => "0".to_string(),
            "u" => owner.0.to_string(),
            "U" => owner.1.clone(),
            "w" => clock(times.born),
            "W" => times.born.0.to_string(),
            "x" => clock(times.read),
            "X" => times.read.0.to_string(),
            "y" | "z" => clock(times.changed),
            "Y" | "Z" => times.changed.0.to_string(),
            "%" => "%".to_string(),
            "C" => "?".to_string(),
            _ => "?".to_string(),
        }
    }
}

/// A moment as `stat` prints it.
fn clock((seconds, fraction): (u64, u64)) -> String {
    let Moment { year, month, day, hour, minute, second, .. } = Moment::of(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{fraction:09} +0000")
}

/// A value in a field that was described so: `-` to the left, `0` filled with noughts, its width, `.` how much of it.
fn padded(value: &str, given: &str) -> String {
    let (flags, cut) = given.split_once('.').map_or((given, None), |(flags, cut)| (flags, cut.parse::<usize>().ok()));
    let value: String = value.chars().take(cut.unwrap_or(usize::MAX)).collect();
    let width = flags.trim_start_matches(['-', '0', ' ', '#', '+', '\'']).parse::<usize>().unwrap_or(0).min(WIDTH_MAX);
    if flags.contains('-') {
        format!("{value:<width$}")
    } else if flags.starts_with('0') {
        format!("{value:0>width$}")
    } else {
        format!("{value:>width$}")
    }
}

/// How `du` counts and shows.
struct Du<'a, 'b> {
    shell: &'a Shell<'b>,
    place: &'a Place,
    shows_files: bool,
    deepest: usize,
    in_bytes: bool,
    by_length: bool,
    for_people: bool,
    unit: u64,
}

impl Du<'_, '_> {
    /// The bytes of something and of all that is in it; shown, where that is wanted.
    fn count(&self, shown: &str, path: &str, depth: usize, output: &mut Output) -> u64 {
        if !self.shell.work.take(ENTRY_STEPS) || output.is_full() {
            return 0;
        }
        let Ok(seen) = self.shell.look_at(path, false, self.place) else { return 0 };
        let mut bytes = match () {
            () if self.by_length => seen.size,
            () if seen.is_link() => 0,
            () => seen.size.div_ceil(BLOCK_BYTES) * BLOCK_BYTES,
        };
        if seen.is_folder() {
            for name in self.shell.names_in(path, self.place) {
                let inside = |folder: &str| format!("{}/{name}", folder.trim_end_matches('/'));
                bytes = bytes.saturating_add(self.count(&inside(shown), &inside(path), depth + 1, output));
            }
        }
        if depth <= self.deepest && (depth == 0 || seen.is_folder() || self.shows_files) {
            output.say(&format!("{}\t{shown}\n", self.amount(bytes)));
        }
        bytes
    }

    fn amount(&self, bytes: u64) -> String {
        if !self.for_people {
            return if self.in_bytes { bytes } else { bytes.div_ceil(self.unit) }.to_string();
        }
        let (mut unit, mut letter) = (1, "");
        for (size, name) in [(1_u64 << 10, "K"), (1 << 20, "M"), (1 << 30, "G"), (1 << 40, "T")] {
            if bytes >= size {
                (unit, letter) = (size, name);
            }
        }
        let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(unit));
        if letter.is_empty() {
            bytes.to_string()
        } else if tenths < 100 {
            format!("{}.{}{letter}", tenths / 10, tenths % 10)
        } else {
            format!("{}{letter}", bytes.div_ceil(unit))
        }
    }
}

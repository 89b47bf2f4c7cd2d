//! Programs that move, copy and link files: `mv`, `cp`, `ln` and `install`, as coreutils has them.

use super::{
    Output, Place, Shell,
    changes::MISSING,
    filing::Fault,
    options::{Known, Options},
};
use crate::shell::paths::{PATH_BYTES_MAX, is_within, split};
use alloc::{
    format,
    string::{String, ToString},
};

/// What an entry of a folder that is copied costs besides the copy, in steps.
const ENTRY_STEPS: usize = 8;
const LONG: &[(&str, u8)] = &[
    ("force", b'f'),
    ("interactive", b'i'),
    ("no-clobber", b'n'),
    ("verbose", b'v'),
    ("recursive", b'r'),
    ("archive", b'a'),
    ("preserve", b'p'),
    ("symbolic", b's'),
    ("target-directory", b't'),
    ("no-target-directory", b'T'),
    ("update", b'u'),
    ("mode", b'm'),
    ("directory", b'd'),
];

/// Where one of the sources is, or is to be: the path, and what is shown of it.
struct Spot {
    shown: String,
    path: String,
}

/// How a program goes about it.
struct Manner<'a> {
    name: &'a str,
    /// It says what it does.
    tells: bool,
    /// What is there stays.
    spares: bool,
    /// Folders are taken with what is in them.
    is_deep: bool,
    /// Rights and times are kept.
    keeps: bool,
    follows: bool,
}

impl Shell<'_> {
    /// The real path of a word, or why nothing can be there.
    pub(super) fn spot(&self, word: &[u8], follows: bool, place: &Place) -> Result<String, &'static str> {
        let path = place.resolve(word, &self.home()).ok_or("File name too long")?;
        self.real_path(path.as_bytes(), follows, place).map_err(|fault| self.why(fault, &path, place))
    }

    /// What C says of a fault under this path.
    fn why(&self, fault: Fault, path: &str, place: &Place) -> &'static str {
        match fault {
            Fault::Denied => "Permission denied",
            Fault::Wrong => "File name too long",
            Fault::Missing | Fault::Other => {
                let mut above = split(path).0;
                while above.len() > 1 && !self.is_path_there(above, place) {
                    above = split(above).0;
                }
                if self.is_folder(above, place) { MISSING } else { "Not a directory" }
            }
        }
    }

    /// Whether something is there, be it a link that leads nowhere.
    fn is_there_at(&self, path: &str, place: &Place) -> bool {
        self.look_at(path, false, place).is_ok()
    }

    pub(super) fn moves(&self, name: &str, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        let letters = match name {
            "mv" => "finvuTt:bS:Z",
            "cp" => "abdfHilLnPpRrsS:t:TuvxZ",
            "ln" => "bdFfiLnPrst:TvS:",
            _ => "bcCdDg:m:o:psS:t:TvZ",
        };
        let Some(options) = Options::read(words, &Known { letters, long: LONG, wrong: 1 }, output) else { return };
        let manner = Manner {
            name,
            tells: options.has(b'v'),
            spares: options.has(b'n') && matches!(name, "mv" | "cp"),
            is_deep: ["r", "R", "a"].iter().any(|letter| options.has(letter.as_bytes()[0])),
            keeps: options.has(b'a') || options.has(b'p'),
            follows: !["r", "R", "a", "d", "P"].iter().any(|letter| options.has(letter.as_bytes()[0])) || options.has(b'L'),
        };
        if name == "install" && options.has(b'd') {
            return self.install_folders(&options, place, output);
        }
        let Some((sources, target)) = self.sources(&manner, &options, output) else { return };
        let is_single = options.has(b'T') || name == "ln" && options.has(b'n');
        let into = self.folder_meant(target, place).filter(|_| !is_single);
        if into.is_none() && (sources.len() > 1 || options.has(b't')) {
            let what = match self.spot(target, true, place) {
                Ok(path) if self.is_there_at(&path, place) => "Not a directory",
                Ok(_) => MISSING,
                Err(what) => what,
            };
            let kind = if options.has(b't') { "target directory" } else { "target" };
            return self.fail(&format!("{name}: {kind} '{}': {what}\n", crate::safe_text(target, 200)), output);
        }
        for word in sources {
            if !self.work.take(ENTRY_STEPS) {
                return;
            }
            let to = self.target(word, target, into.as_deref(), place);
            match name {
                "mv" => self.mv(word, to, &manner, place, output),
                "ln" => self.ln(word, to, &options, place, output),
                "install" => {
                    let (path, before) = (to.1.clone(), output.status);
                    output.status = 0;
                    self.cp_word(word, to, &manner, place, output);
                    if let Ok(path) = path.map_err(drop)
                        && output.status == 0
                    {
                        self.set_mode(&path, options.value(b'm'), place);
                    }
                    output.status = output.status.max(before);
                }
                _ => self.cp_word(word, to, &manner, place, output),
            }
        }
    }

    /// What is to be moved, and where to; `None`: something is missing, and that was said.
    fn sources<'a>(
        &self,
        manner: &Manner<'_>,
        options: &Options<'a>,
        output: &mut Output,
    ) -> Option<(alloc::vec::Vec<&'a [u8]>, &'a [u8])> {
        let name = manner.name;
        let what = match (options.words.as_slice(), options.value(b't')) {
            ([], _) => "missing file operand".to_string(),
            (all, Some(folder)) => return Some((all.to_vec(), folder)),
            ([one], None) if name == "ln" => return Some((alloc::vec![*one], b".")),
            ([one], None) => format!("missing destination file operand after '{}'", crate::safe_text(one, 200)),
            ([sources @ .., last], None) => return Some((sources.to_vec(), last)),
        };
        self.fail(&format!("{name}: {what}\nTry '{name} --help' for more information.\n"), output);
        None
    }

    /// The real path of the folder that a word means, if it is one.
    fn folder_meant(&self, word: &[u8], place: &Place) -> Option<String> {
        self.spot(word, true, place).ok().filter(|path| self.is_folder(path, place))
    }

    /// Where a source goes: what is shown of it, and the path, or why there is none.
    fn target(&self, word: &[u8], last: &[u8], into: Option<&str>, place: &Place) -> (String, Result<String, &'static str>) {
        let shown = crate::safe_text(last, 200);
        let Some(folder) = into else { return (shown, self.spot(last, false, place)) };
        let name = place.resolve(word, &self.home()).map(|path| split(&path).1.to_string()).unwrap_or_default();
        let inside = |folder: &str| format!("{}/{name}", folder.trim_end_matches('/'));
        let shown = if last == b"." && into.is_some() { format!("./{name}") } else { inside(&shown) };
        (shown, Ok(inside(folder)))
    }

    fn source(&self, word: &[u8], manner: &Manner<'_>, place: &Place, output: &mut Output) -> Option<Spot> {
        let shown = crate::safe_text(word, 200);
        let what = match self.spot(word, manner.follows && manner.name != "mv", place) {
            Ok(path) if self.is_there_at(&path, place) => return Some(Spot { shown, path }),
            Ok(path) => self.why(Fault::Missing, &path, place),
            Err(what) => what,
        };
        self.fail(&format!("{}: cannot stat '{shown}': {what}\n", manner.name), output);
        None
    }

    fn mv(
        &self,
        word: &[u8],
        (shown, to): (String, Result<String, &'static str>),
        manner: &Manner<'_>,
        place: &mut Place,
        output: &mut Output,
    ) {
        let Some(from) = self.source(word, manner, place, output) else { return };
        let cannot = |what: &str| format!("mv: cannot move '{}' to '{shown}': {what}\n", from.shown);
        let is_folder = self.is_real_folder(&from.path, place);
        let to = match to {
            Ok(_) if !is_folder && shown.ends_with('/') => return self.fail(&cannot("Not a directory"), output),
            Ok(to) => to,
            Err(what) => return self.fail(&cannot(what), output),
        };
        let other = self.look_at(&to, false, place).ok();
        if from.path == to {
            return self.fail(&format!("mv: '{}' and '{shown}' are the same file\n", from.shown), output);
        }
        if is_folder && is_within(&to, &from.path) {
            return self.fail(&format!("mv: cannot move '{}' to a subdirectory of itself, '{shown}'\n", from.shown), output);
        }
        match &other {
            Some(_) if manner.spares => return,
            Some(other) if is_folder && !other.is_folder() => {
                let text = format!("mv: cannot overwrite non-directory '{shown}' with directory '{}'\n", from.shown);
                return self.fail(&text, output);
            }
            Some(other) if !is_folder && other.is_folder() => {
                return self.fail(&format!("mv: cannot overwrite directory '{shown}' with non-directory\n"), output);
            }
            Some(_) if is_folder && (!place.disk.has_made(&to) || !self.names_in(&to, place).is_empty()) => {
                return self.fail(&format!("mv: cannot overwrite '{shown}': Directory not empty\n"), output);
            }
            None => {
                if let Err(what) = self.may_write(&to, place) {
                    return self.fail(&cannot(what), output);
                }
            }
            Some(_) => {}
        }
        if let Err(fault) = self.rename(from.path.as_bytes(), to.as_bytes(), true, place) {
            let what = if fault == Fault::Wrong { "File name too long" } else { "Permission denied" };
            return self.fail(&cannot(what), output);
        }
        if manner.tells {
            output.say(&format!("renamed '{}' -> '{shown}'\n", from.shown));
        }
    }

    fn is_real_folder(&self, path: &str, place: &Place) -> bool {
        self.look_at(path, false, place).is_ok_and(|seen| seen.is_folder())
    }

    fn cp_word(
        &self,
        word: &[u8],
        (shown, to): (String, Result<String, &'static str>),
        manner: &Manner<'_>,
        place: &mut Place,
        output: &mut Output,
    ) {
        let name = manner.name;
        let Some(from) = self.source(word, manner, place, output) else { return };
        let is_folder = self.is_real_folder(&from.path, place);
        if is_folder && !manner.is_deep {
            let text = if name == "install" { "omitting directory" } else { "-r not specified; omitting directory" };
            return self.fail(&format!("{name}: {text} '{}'\n", from.shown), output);
        }
        let to = match to {
            Ok(_) if !is_folder && shown.ends_with('/') => {
                return self.fail(&format!("{name}: cannot create regular file '{shown}': Not a directory\n"), output);
            }
            Ok(path) => Spot { shown, path },
            Err(what) => {
                let kind = if is_folder { "directory" } else { "regular file" };
                return self.fail(&format!("{name}: cannot create {kind} '{shown}': {what}\n"), output);
            }
        };
        if from.path == to.path {
            return self.fail(&format!("{name}: '{}' and '{}' are the same file\n", from.shown, to.shown), output);
        }
        if is_folder && is_within(&to.path, &from.path) {
            let text = format!("{name}: cannot copy a directory, '{}', into itself, '{}'\n", from.shown, to.shown);
            return self.fail(&text, output);
        }
        self.cp(&from, &to, manner, place, output);
    }

    /// Copies one thing, and what is in it.
    fn cp(&self, from: &Spot, to: &Spot, manner: &Manner<'_>, place: &mut Place, output: &mut Output) {
        let name = manner.name;
        if !self.work.take(ENTRY_STEPS) || output.is_full() {
            return;
        }
        let Ok(seen) = self.look_at(&from.path, false, place) else { return };
        let other = self.look_at(&to.path, true, place).ok();
        match &other {
            Some(other) if seen.is_folder() && !other.is_folder() => {
                let text = format!("{name}: cannot overwrite non-directory '{}' with directory '{}'\n", to.shown, from.shown);
                return self.fail(&text, output);
            }
            Some(other) if !seen.is_folder() && other.is_folder() => {
                return self.fail(&format!("{name}: cannot overwrite directory '{}' with non-directory\n", to.shown), output);
            }
            Some(_) if manner.spares && !seen.is_folder() => return,
            _ => {}
        }
        if !self.may_read(&from.path) {
            let what = if seen.is_folder() { "access" } else { "open" };
            let reading = if seen.is_folder() { "" } else { " for reading" };
            return self.fail(&format!("{name}: cannot {what} '{}'{reading}: Permission denied\n", from.shown), output);
        }
        let is_merged = seen.is_folder() && other.is_some();
        let may = if to.path.len() > PATH_BYTES_MAX { Err("File name too long") } else { self.may_write(&to.path, place) };
        if !is_merged && let Err(what) = may {
            let kind = if seen.is_folder() { "directory" } else { "regular file" };
            return self.fail(&format!("{name}: cannot create {kind} '{}': {what}\n", to.shown), output);
        }
        if manner.tells && !is_merged {
            output.say(&format!("'{}' -> '{}'\n", from.shown, to.shown));
        }
        let mode = u16::try_from(seen.mode & 0o7777).unwrap_or_default();
        if !seen.is_folder() {
            let content = self.content(from.path.as_bytes(), place).unwrap_or_default();
            let link = if manner.follows { None } else { self.link_target(from.path.as_bytes(), place).ok() };
            place.disk.write(&to.path, &content.bytes, content.length, false);
            if let Some(file) = place.disk.file_mut(&to.path) {
                file.link = link;
                if other.is_none() || manner.keeps {
                    file.mode = if manner.keeps { mode } else { mode & !super::filing::UMASK & 0o777 };
                }
                if manner.keeps {
                    file.changed = seen.changed;
                }
            }
            return;
        }
        if !is_merged {
            place.disk.bring_back(&to.path);
            place.disk.make(to.path.clone());
            if let Some(folder) = place.disk.folder_mut(&to.path) {
                folder.mode = if manner.keeps { mode } else { mode & !super::filing::UMASK & 0o777 };
            }
        }
        for entry in self.names_in(&from.path, place) {
            let inside = |spot: &Spot| Spot {
                shown: format!("{}/{entry}", spot.shown.trim_end_matches('/')),
                path: format!("{}/{entry}", spot.path.trim_end_matches('/')),
            };
            self.cp(&inside(from), &inside(to), manner, place, output);
        }
    }

    fn ln(
        &self,
        word: &[u8],
        (shown, to): (String, Result<String, &'static str>),
        options: &Options<'_>,
        place: &mut Place,
        output: &mut Output,
    ) {
        let source = crate::safe_text(word, 200);
        let is_link = options.has(b's');
        let (kind, arrow) = if is_link { ("symbolic", "->") } else { ("hard", "=>") };
        let from = self.spot(word, false, place);
        if !is_link {
            let what = match &from {
                Ok(path) if self.is_real_folder(path, place) => {
                    return self.fail(&format!("ln: {source}: hard link not allowed for directory\n"), output);
                }
                Ok(path) if self.is_there_at(path, place) => "",
                Ok(_) => MISSING,
                Err(what) => what,
            };
            if !what.is_empty() {
                return self.fail(&format!("ln: failed to access '{source}': {what}\n"), output);
            }
        }
        let is_there = to.as_ref().is_ok_and(|path| self.is_there_at(path, place));
        let done = match (&to, is_there) {
            (Err(what), _) => Err(*what),
            (Ok(path), true) if !options.has(b'f') || self.is_real_folder(path, place) => Err("File exists"),
            (Ok(path), true) if !self.may_take(path, place) => Err("Permission denied"),
            (Ok(path), _) => {
                if is_there {
                    self.take_away(path, place);
                }
                self.may_write(path, place)
            }
        };
        let made = done.and_then(|()| {
            let path = to.as_ref().map_err(|what| *what)?.as_bytes();
            let made = match &from {
                _ if is_link => self.make_link(word, path, place),
                Ok(from) => self.make_name(from.as_bytes(), path, place),
                Err(_) => return Err(MISSING),
            };
            made.map_err(|_| "No space left on device")
        });
        match made {
            Ok(()) if options.has(b'v') => output.say(&format!("'{shown}' {arrow} '{source}'\n")),
            Ok(()) => {}
            Err(what) => {
                let behind = if is_link || what == "File exists" { String::new() } else { format!(" => '{source}'") };
                self.fail(&format!("ln: failed to create {kind} link '{shown}'{behind}: {what}\n"), output);
            }
        }
    }

    fn install_folders(&self, options: &Options<'_>, place: &mut Place, output: &mut Output) {
        for word in &options.words {
            let Some(path) = place.resolve(word, &self.home()) else { continue };
            let parts: alloc::vec::Vec<&str> = path.split('/').skip(1).collect();
            for end in 1..=parts.len() {
                let path = format!("/{}", parts[..end].join("/"));
                if self.is_folder(&path, place) {
                    continue;
                }
                if let Err(what) = self.may_write(&path, place) {
                    let shown = crate::safe_text(word, 200);
                    self.fail(&format!("install: cannot create directory '{shown}': {what}\n"), output);
                    break;
                }
                if options.has(b'v') {
                    output.say(&format!("install: creating directory '{}'\n", crate::safe_text(word, 200)));
                }
                place.disk.bring_back(&path);
                place.disk.make(path);
            }
        }
    }

    fn set_mode(&self, path: &str, mode: Option<&[u8]>, place: &mut Place) {
        if let Some(file) = place.disk.file_mut(path) {
            let given = mode.and_then(super::modes::Change::read);
            file.mode = given.map_or(0o755, |change| change.of(0, false));
        }
    }
}

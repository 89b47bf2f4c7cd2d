//! `find`, of findutils 4.10, over what a stranger sees of the machine.

use super::{COMMAND_STEPS, NOT_FOUND, Output, files::Row, glob::Glob, programs, run::Run};
use crate::shell::paths::split;
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::OnceCell;

/// Files that are looked at, how deep they lie, and how deep an expression goes.
const FILES_MAX: usize = 512;
const DEPTH_MAX: usize = 16;
const NESTING_MAX: u8 = 12;
const DAY_SECONDS: u64 = 86_400;

/// A file on the way.
struct Found {
    shown: String,
    path: String,
    depth: usize,
    /// Worked out once something asks for it: it is dear.
    row: OnceCell<Row>,
    is_folder: bool,
}

enum Asked {
    Not(Box<Asked>),
    Both(Box<Asked>, Box<Asked>),
    Either(Box<Asked>, Box<Asked>),
    Name {
        pattern: Vec<u8>,
        folds: bool,
        is_path: bool,
    },
    Kind(Vec<u8>),
    /// Which bits, and how: all of them (`-`), one of them (`/`), or no others.
    Rights(u32, u8),
    /// How many, and `+` for more, `-` for less.
    Size(u64, u8, u64),
    Days(u64, u8),
    NewerThan(u64),
    Owner(String),
    Empty,
    So(bool),
    Print(u8),
    Form(Vec<u8>),
    Delete,
    Run {
        words: Vec<Vec<u8>>,
        together: bool,
    },
    Quit,
}

/// What is asked, and how deep.
struct Search {
    asked: Asked,
    least: usize,
    most: usize,
    folders_last: bool,
}

struct Reader<'a, 'b> {
    words: &'b [&'a [u8]],
    search: Search,
    acts: bool,
    nesting: u8,
    /// When the file behind `-newer` was changed.
    changed: &'b dyn Fn(&[u8]) -> Option<u64>,
}

impl Run<'_, '_> {
    pub(super) fn find(&mut self, words: &[&[u8]], output: &mut Output) {
        let mut rest = &words[1..];
        while matches!(rest.first(), Some(&(b"-H" | b"-L" | b"-P"))) {
            rest = &rest[1..];
        }
        let is_expression = |word: &&[u8]| word.len() > 1 && word.starts_with(b"-") || matches!(*word, b"(" | b"!");
        let end = rest.iter().position(is_expression).unwrap_or(rest.len());
        let (starts, expression) = rest.split_at(end);
        let (shell, place) = (self.shell, &*self.place);
        let changed = |word: &[u8]| {
            let path = place.resolve(word, &shell.home())?;
            Some(if shell.is_folder(&path, place) { shell.itself(&path).changed } else { shell.row_of(&path, place)?.changed })
        };
        let search = match read(expression, &changed) {
            Ok(search) => search,
            Err(what) => {
                output.status = 1;
                return output.complain(&format!("find: {what}\n"));
            }
        };
        let starts = if starts.is_empty() { &[&b"."[..]][..] } else { starts };
        let (mut waiting, mut status) = (Vec::new(), 0);
        for start in starts {
            let shown = crate::safe_text(start, 200);
            let there = self.place.resolve(start, &self.shell.home()).and_then(|path| self.found(shown.clone(), path, 0));
            match there {
                Some(found) => waiting.push(found),
                None => {
                    status = 1;
                    output.complain(&format!("find: \u{2018}{shown}\u{2019}: No such file or directory\n"));
                }
            }
        }
        waiting.reverse();
        let mut all = self.walked(waiting, search.most);
        if search.folders_last {
            all.reverse();
        }
        let mut together: Vec<Vec<u8>> = Vec::new();
        for found in all.iter().filter(|found| found.depth >= search.least) {
            if output.is_full() || self.leaving.is_some() || self.shell.work.is_done() {
                break;
            }
            let goes_on = self.answers(&search.asked, found, &mut together, &mut status, output).is_some();
            if !goes_on {
                break;
            }
        }
        if let (Some(words), false) = (run_together(&search.asked), together.is_empty()) {
            let words = words.iter().filter(|word| *word != b"{}").cloned().chain(together).collect::<Vec<_>>();
            self.start_found(&words, output);
        }
        output.status = status;
    }

    /// What waits, each with what is in it behind it.
    fn walked(&self, mut waiting: Vec<Found>, most: usize) -> Vec<Found> {
        let mut all = Vec::new();
        while let Some(found) = waiting.pop() {
            if all.len() >= FILES_MAX || !self.shell.work.take(1) {
                break;
            }
            let is_folder = found.is_folder && found.depth < most.min(DEPTH_MAX);
            let names = if is_folder { self.shell.bare_names(&found.path, self.place) } else { Vec::new() };
            let inside: Vec<Found> = names
                .iter()
                .rev()
                .filter_map(|name| {
                    let under = |folder: &str| format!("{}/{name}", folder.trim_end_matches('/'));
                    self.found(under(&found.shown), under(&found.path), found.depth + 1)
                })
                .collect();
            waiting.extend(inside);
            all.push(found);
        }
        all
    }

    fn found(&self, shown: String, path: String, depth: usize) -> Option<Found> {
        let (shell, place) = (self.shell, &*self.place);
        let is_folder = shell.is_folder(&path, place) && (depth == 0 || !shell.is_link(&path));
        let row = OnceCell::new();
        if depth == 0 && !is_folder {
            let _ = row.set(shell.row_of(&path, place)?);
        }
        Some(Found { shown, path, depth, row, is_folder })
    }

    fn row<'f>(&self, found: &'f Found) -> &'f Row {
        found.row.get_or_init(|| match found.is_folder {
            true => self.shell.itself(&found.path),
            false => self.shell.row_of(&found.path, self.place).unwrap_or_else(|| self.shell.itself(&found.path)),
        })
    }

    /// `None`: nothing further is looked for.
    fn answers(
        &mut self,
        asked: &Asked,
        found: &Found,
        together: &mut Vec<Vec<u8>>,
        status: &mut u32,
        output: &mut Output,
    ) -> Option<bool> {
        Some(match asked {
            Asked::Not(one) => !self.answers(one, found, together, status, output)?,
            Asked::Both(one, other) => {
                self.answers(one, found, together, status, output)? && self.answers(other, found, together, status, output)?
            }
            Asked::Either(one, other) => {
                self.answers(one, found, together, status, output)? || self.answers(other, found, together, status, output)?
            }
            Asked::Print(end) => {
                output.say(&found.shown);
                output.out.push(*end);
                true
            }
            Asked::Form(form) => {
                self.print_found(form, found, output);
                true
            }
            Asked::Delete if found.shown == "." => true,
            Asked::Delete => {
                let name = if found.is_folder { &b"rmdir"[..] } else { b"rm" };
                let mut own = Output::default();
                self.shell.file_program(name, &[name, found.path.as_bytes()], self.place, &mut own);
                if own.status != 0 {
                    *status = 1;
                    let what = String::from_utf8_lossy(&own.err).trim_end().rsplit(": ").next().unwrap_or_default().to_string();
                    output.complain(&format!("find: cannot delete \u{2018}{}\u{2019}: {what}\n", found.shown));
                }
                own.status == 0
            }
            Asked::Run { together: true, .. } => {
                together.push(found.shown.clone().into_bytes());
                true
            }
            Asked::Run { words, .. } => {
                let shown = found.shown.as_bytes();
                let put = |word: &Vec<u8>| {
                    let mut parts = memchr::memmem::find_iter(word, b"{}").peekable();
                    if parts.peek().is_none() { word.clone() } else { replaced(word, shown) }
                };
                let words: Vec<Vec<u8>> = words.iter().map(put).collect();
                self.start_found(&words, output) == 0
            }
            Asked::Quit => return None,
            asked => self.is_asked(asked, found),
        })
    }

    fn start_found(&mut self, words: &[Vec<u8>], output: &mut Output) -> u32 {
        if !self.shell.work.take(COMMAND_STEPS) {
            return 1;
        }
        let name = String::from_utf8_lossy(programs::plain(&words[0])).to_string();
        if programs::path_of(&name).is_none() && !self.shell.is_there(&words[0], self.place) {
            output.complain(&format!("find: \u{2018}{}\u{2019}: No such file or directory\n", crate::safe_text(&words[0], 200)));
            return NOT_FOUND;
        }
        self.command(words, output);
        output.status
    }

    fn is_asked(&self, asked: &Asked, found: &Found) -> bool {
        let compare = |how: &u8, one: u64, other: u64| match how {
            b'+' => one > other,
            b'-' => one < other,
            _ => one == other,
        };
        let now = self.shell.now.0 / 1_000_000;
        match asked {
            Asked::Name { pattern, folds, is_path } => {
                let name = if *is_path { &*found.shown } else { split(&found.shown).1 };
                let name = if name.is_empty() { &found.shown } else { name };
                let name = if *folds { name.to_ascii_lowercase() } else { name.to_string() };
                let work = &self.shell.work;
                Glob::new(pattern, work).fits(name.as_bytes(), work)
            }
            Asked::Kind(kinds) => kinds.contains(&if found.is_folder { b'd' } else { kind(self.row(found)) }),
            Asked::Rights(bits, how) => match how {
                b'-' => rights(self.row(found)) & bits == *bits,
                b'/' => *bits == 0 || rights(self.row(found)) & bits != 0,
                _ => rights(self.row(found)) == *bits,
            },
            Asked::Size(count, how, unit) => compare(how, self.row(found).bytes.div_ceil(*unit), *count),
            Asked::Days(count, how) => compare(how, now.saturating_sub(self.row(found).changed) / DAY_SECONDS, *count),
            Asked::NewerThan(than) => self.row(found).changed > *than,
            Asked::Owner(owner) => self.row(found).owner == *owner,
            Asked::Empty if found.is_folder => self.shell.bare_names(&found.path, self.place).is_empty(),
            Asked::Empty => self.row(found).bytes == 0,
            Asked::So(answer) => *answer,
            _ => true,
        }
    }

    /// `-printf`.
    fn print_found(&self, form: &[u8], found: &Found, output: &mut Output) {
        let mut plain = Vec::new();
        let _ = crate::shell::echo::unescape(form, crate::shell::echo::Escapes::Printf, &mut plain);
        let mut rest = plain.as_slice();
        while let [byte, behind @ ..] = rest {
            rest = behind;
            let (b'%', [letter, behind @ ..]) = (*byte, behind) else {
                output.out.push(*byte);
                continue;
            };
            rest = behind;
            let row = self.row(found);
            let text = match letter {
                b'p' => found.shown.clone(),
                b'f' => split(&found.shown).1.to_string(),
                b'h' => split(&found.shown).0.to_string(),
                b's' => row.bytes.to_string(),
                b'u' => row.owner.clone(),
                b'g' => row.group.clone(),
                b'm' => format!("{:o}", rights(row)),
                b'M' => row.rights.clone(),
                b'y' => char::from(kind(row)).to_string(),
                b'd' => found.depth.to_string(),
                b'%' => "%".to_string(),
                _ => String::new(),
            };
            output.say(&text);
        }
    }
}

/// The command behind `-exec … +`.
fn run_together(asked: &Asked) -> Option<&Vec<Vec<u8>>> {
    match asked {
        Asked::Run { words, together: true } => Some(words),
        Asked::Not(one) => run_together(one),
        Asked::Both(one, other) | Asked::Either(one, other) => run_together(one).or_else(|| run_together(other)),
        _ => None,
    }
}

fn replaced(word: &[u8], by: &[u8]) -> Vec<u8> {
    let (mut new, mut from) = (Vec::new(), 0);
    for at in memchr::memmem::find_iter(word, b"{}") {
        new.extend_from_slice(&word[from..at]);
        new.extend_from_slice(by);
        from = at + 2;
    }
    new.extend_from_slice(&word[from..]);
    new
}

fn kind(row: &Row) -> u8 {
    match row.rights.as_bytes().first() {
        Some(b'-') | None => b'f',
        Some(kind) => *kind,
    }
}

/// `rwxr-xr-x` as bits.
fn rights(row: &Row) -> u32 {
    let bits = row.rights.bytes().skip(1).take(9);
    let bits = bits.fold(0, |sum, letter| sum << 1 | u32::from(!matches!(letter, b'-' | b'T' | b'S')));
    bits | if row.rights.ends_with(['t', 'T']) { 0o1000 } else { 0 }
}

fn read<'b>(words: &'b [&[u8]], changed: &'b dyn Fn(&[u8]) -> Option<u64>) -> Result<Search, String> {
    let search = Search { asked: Asked::So(true), least: 0, most: DEPTH_MAX, folders_last: false };
    let mut reader = Reader { words, search, acts: false, nesting: 0, changed };
    let asked = if words.is_empty() { Asked::So(true) } else { reader.either()? };
    if let Some(word) = reader.words.first() {
        return Err(match *word {
            b")" => "you have too many ')'".to_string(),
            word => format!("paths must precede expression: `{}'", crate::safe_text(word, 200)),
        });
    }
    let asked = if reader.acts { asked } else { Asked::Both(Box::new(asked), Box::new(Asked::Print(b'\n'))) };
    Ok(Search { asked, ..reader.search })
}

impl<'a> Reader<'a, '_> {
    fn either(&mut self) -> Result<Asked, String> {
        let mut asked = self.both()?;
        while let [b"-o" | b"-or", rest @ ..] = self.words {
            self.words = rest;
            asked = Asked::Either(Box::new(asked), Box::new(self.both()?));
        }
        Ok(asked)
    }

    fn both(&mut self) -> Result<Asked, String> {
        let mut asked = self.one()?;
        loop {
            match self.words {
                [b"-a" | b"-and", rest @ ..] => self.words = rest,
                [] | [b"-o" | b"-or" | b")", ..] => return Ok(asked),
                _ => {}
            }
            asked = Asked::Both(Box::new(asked), Box::new(self.one()?));
        }
    }

    fn value(&mut self, name: &[u8]) -> Result<&'a [u8], String> {
        let missing = || format!("missing argument to `{}'", crate::safe_text(name, 100));
        let (value, rest) = self.words.split_first().ok_or_else(missing)?;
        self.words = rest;
        Ok(value)
    }

    fn one(&mut self) -> Result<Asked, String> {
        if self.nesting >= NESTING_MAX {
            return Err("the expression is too complex".to_string());
        }
        self.nesting += 1;
        let Some((word, rest)) = self.words.split_first() else {
            return Err("expected an expression after '!'".to_string());
        };
        self.words = rest;
        let asked = match *word {
            b"!" | b"-not" => Asked::Not(Box::new(self.one()?)),
            b"(" => {
                let asked = self.either()?;
                let [b")", rest @ ..] = self.words else {
                    return Err("invalid expression; I was expecting to find a ')' somewhere but did not see one.".to_string());
                };
                self.words = rest;
                asked
            }
            name => self.named(name)?,
        };
        self.nesting -= 1;
        Ok(asked)
    }

    fn named(&mut self, name: &[u8]) -> Result<Asked, String> {
        let pattern = |word: &[u8], folds: bool| if folds { word.to_ascii_lowercase() } else { word.to_vec() };
        Ok(match name {
            b"-name" | b"-iname" | b"-path" | b"-ipath" | b"-wholename" => {
                let folds = name.starts_with(b"-i");
                let is_path = !name.ends_with(b"-name") && !name.ends_with(b"iname");
                Asked::Name { pattern: pattern(self.value(name)?, folds), folds, is_path }
            }
            b"-type" | b"-xtype" => {
                let kinds = self.value(name)?;
                if let Some(odd) = kinds.iter().find(|kind| !b"fdlbcps,".contains(kind)) {
                    return Err(format!("Unknown argument to -type: {}", crate::safe_text(&[*odd], 4)));
                }
                Asked::Kind(kinds.to_vec())
            }
            b"-maxdepth" | b"-mindepth" => {
                let word = self.value(name)?;
                let Some(depth) = super::options::number(word) else {
                    let (name, word) = (crate::safe_text(name, 20), crate::safe_text(word, 100));
                    return Err(format!(
                        "Expected a positive decimal integer argument to {name}, but got \u{2018}{word}\u{2019}"
                    ));
                };
                if name == b"-maxdepth" {
                    self.search.most = depth;
                } else {
                    self.search.least = depth;
                }
                Asked::So(true)
            }
            b"-perm" => self.rights()?,
            b"-size" => {
                let (count, how, unit) = amount(self.value(name)?);
                let unit = unit_bytes(unit);
                Asked::Size(count, how, unit)
            }
            b"-mtime" | b"-ctime" | b"-atime" => {
                let (count, how, _) = amount(self.value(name)?);
                Asked::Days(count, how)
            }
            b"-mmin" | b"-cmin" | b"-amin" => {
                let (count, how, _) = amount(self.value(name)?);
                Asked::Days(count / 1_440, how)
            }
            b"-newer" | b"-anewer" | b"-cnewer" => {
                let word = self.value(name)?;
                let missing = || format!("\u{2018}{}\u{2019}: No such file or directory", crate::safe_text(word, 200));
                Asked::NewerThan((self.changed)(word).ok_or_else(missing)?)
            }
            b"-user" => Asked::Owner(String::from_utf8_lossy(self.value(name)?).into_owned()),
            b"-group" => {
                self.value(name)?;
                Asked::So(true)
            }
            b"-empty" => Asked::Empty,
            b"-true" | b"-readable" | b"-noleaf" | b"-xdev" | b"-mount" | b"-depth" | b"-daystart" | b"-prune" | b"-follow" => {
                self.search.folders_last |= name == b"-depth";
                Asked::So(true)
            }
            b"-false" => Asked::So(false),
            b"-executable" => Asked::Rights(0o111, b'/'),
            name => self.act(name)?,
        })
    }

    fn act(&mut self, name: &[u8]) -> Result<Asked, String> {
        let asked = match name {
            b"-print" => Asked::Print(b'\n'),
            b"-print0" => Asked::Print(0),
            b"-printf" => Asked::Form(self.value(name)?.to_vec()),
            b"-delete" => {
                self.search.folders_last = true;
                Asked::Delete
            }
            b"-quit" => return Ok(Asked::Quit),
            b"-exec" | b"-execdir" | b"-ok" => {
                let end = self.words.iter().position(|word| matches!(*word, b";" | b"+")).filter(|end| *end > 0);
                let missing = || format!("missing argument to `{}'", crate::safe_text(name, 20));
                let end = end.ok_or_else(missing)?;
                let words = self.words[..end].iter().map(|word| word.to_vec()).collect();
                let together = self.words[end] == b"+";
                self.words = &self.words[end + 1..];
                Asked::Run { words, together }
            }
            name => return Err(format!("unknown predicate `{}'", crate::safe_text(name, 100))),
        };
        self.acts = true;
        Ok(asked)
    }

    fn rights(&mut self) -> Result<Asked, String> {
        let word = self.value(b"-perm")?;
        let (how, mode) = match word {
            [how @ (b'-' | b'/'), mode @ ..] => (*how, mode),
            mode => (b'=', mode),
        };
        let text = String::from_utf8_lossy(mode).into_owned();
        let invalid = || format!("invalid mode \u{2018}{}\u{2019}", crate::safe_text(word, 100));
        if let Ok(bits) = u32::from_str_radix(&text, 8) {
            return Ok(Asked::Rights(bits & 0o7777, how));
        }
        let mut bits = 0;
        for part in text.split(',') {
            let (who, what) = part.split_once(['+', '=']).ok_or_else(invalid)?;
            for letter in what.chars() {
                let one = match letter {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    's' => 0o6000,
                    't' => 0o1000,
                    _ => return Err(invalid()),
                };
                let of =
                    |letter: char, mask: u32| if who.contains(letter) || who.is_empty() || who.contains('a') { mask } else { 0 };
                bits |= one & (of('u', 0o4700) | of('g', 0o2070) | of('o', 0o1007));
            }
        }
        Ok(Asked::Rights(bits, how))
    }
}

/// How many bytes the unit of a size has.
const fn unit_bytes(unit: &[u8]) -> u64 {
    match unit {
        b"c" => 1,
        b"w" => 2,
        b"k" => 1_024,
        b"M" => 1_048_576,
        b"G" => 1_073_741_824,
        _ => 512,
    }
}

/// `+5k`: the number, how it is meant, and its unit.
fn amount(word: &[u8]) -> (u64, u8, &[u8]) {
    let (how, rest) = match word {
        [how @ (b'+' | b'-'), rest @ ..] => (*how, rest),
        rest => (b'=', rest),
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = rest.split_at(digits);
    (core::str::from_utf8(number).ok().and_then(|text| text.parse().ok()).unwrap_or(0), how, unit)
}

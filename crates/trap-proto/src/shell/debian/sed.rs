//! What bots use of `sed`: substitutions, and lines that are printed or left out.

use super::{
    Output,
    lines::lines,
    options::{Known, Options},
    regex::{Found, Kind, Regex, STATES_MAX, Syntax, Tool, Wants, Wrong, sed_byte},
    run::Run,
    work::Work,
};
use alloc::{format, string::String, vec::Vec};

/// Commands of one script.
const COMMANDS_MAX: usize = 32;
const NONE_BEFORE: &str = "no previous regular expression";

enum Place {
    Line(usize),
    Last,
    Fits(Regex),
}

enum Act {
    Substitute(Substitution),
    Delete,
    Print,
    Quit,
    Number,
}

struct Substitution {
    from: Regex,
    to: Vec<u8>,
    /// The first that is replaced, counted from 1.
    nth: usize,
    all: bool,
    prints: bool,
}

struct Command {
    from: Option<Place>,
    to: Option<Place>,
    not: bool,
    act: Act,
    /// Between its two places.
    is_inside: bool,
}

impl Run<'_, '_> {
    pub(super) fn sed(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known {
            letters: "nEre:f:isuzb",
            long: &[("quiet", b'n'), ("silent", b'n'), ("regexp-extended", b'E'), ("expression", b'e'), ("in-place", b'i')],
            wrong: 1,
        };
        // A suffix may stand behind `-i`.
        let words: Vec<&[u8]> = words.iter().map(|word| if word.starts_with(b"-i") { &b"-i"[..] } else { word }).collect();
        let Some(options) = Options::read(&words, &known, output) else { return };
        let mut files = options.words.clone();
        let mut scripts: Vec<&[u8]> = options.values(b'e').collect();
        if scripts.is_empty() {
            if files.is_empty() {
                output.status = 1;
                return output.complain("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n");
            }
            scripts.push(files.remove(0));
        }
        let script = scripts.join(&b'\n');
        let extended = options.has(b'E') || options.has(b'r');
        if !self.shell.work.take_bytes(script.len() * 8) {
            return;
        }
        let mut reader = Reader { rest: &script, extended, states: 0, last: None, work: &self.shell.work };
        let mut commands = match reader.commands() {
            Ok(commands) => commands,
            // It may be that there was no work left to find out.
            Err(_) if self.shell.work.is_done() => return,
            Err(what) => {
                // That is found out when the script is run.
                let at = if what == NONE_BEFORE { 0 } else { script.len() - reader.rest.len() };
                output.status = 1;
                return output.complain(&format!("sed: -e expression #1, char {at}: {what}\n"));
            }
        };
        let Some(given) = self.given(&files, "sed: can't read ", "", output) else { return };
        if output.status != 0 {
            output.status = 2;
        }
        let mut own = Output::default();
        let texts: Vec<&[u8]> = given.iter().map(|(_, content)| content.bytes.as_slice()).collect();
        self.edit(&texts, &mut commands, options.has(b'n'), &mut own);
        if options.has(b'i') {
            if let [file] = files.as_slice()
                && let Some(path) = self.place.resolve(file, &self.shell.home())
                && self.shell.may_write(&path, self.place).is_ok()
                && !given.is_empty()
            {
                self.place.disk.write(&path, &own.out, own.out.len() as u64, false);
            }
        } else {
            output.out.append(&mut own.out);
        }
    }

    fn edit(&self, texts: &[&[u8]], commands: &mut [Command], is_quiet: bool, output: &mut Output) {
        let all: Vec<&[u8]> = texts.iter().flat_map(|text| lines(text)).collect();
        let ends = texts.last().is_none_or(|text| text.ends_with(b"\n"));
        for (at, line) in all.iter().enumerate() {
            let (number, is_last) = (at + 1, at + 1 == all.len());
            let end: &[u8] = if is_last && !ends { b"" } else { b"\n" };
            let mut line = line.to_vec();
            let (mut is_shown, mut is_end) = (!is_quiet, false);
            for command in commands.iter_mut() {
                if !self.shell.work.take_bytes(line.len() * 2) {
                    return;
                }
                if self.applies(command, &line, number, is_last) == command.not {
                    continue;
                }
                match &command.act {
                    Act::Substitute(substitution) => {
                        let is_changed = self.substitute(&mut line, substitution);
                        if is_changed && substitution.prints {
                            output.out.extend(line.iter().chain(end));
                        }
                    }
                    Act::Delete => {
                        is_shown = false;
                        break;
                    }
                    Act::Print => output.out.extend(line.iter().chain(end)),
                    Act::Number => output.say(&format!("{number}\n")),
                    Act::Quit => is_end = true,
                }
            }
            if is_shown {
                output.out.extend(line.iter().chain(end));
            }
            if is_end || output.is_full() {
                return;
            }
        }
    }

    fn applies(&self, command: &mut Command, line: &[u8], number: usize, is_last: bool) -> bool {
        let is_at = |place: &Place| match place {
            Place::Line(wanted) => *wanted == number,
            Place::Last => is_last,
            Place::Fits(regex) => regex.walk().fits(line, &self.shell.work),
        };
        match (&command.from, &command.to) {
            (None, _) => true,
            (Some(from), None) => is_at(from),
            (Some(from), Some(to)) => {
                if command.is_inside {
                    command.is_inside = !(is_at(to) || matches!(to, Place::Line(end) if *end <= number));
                    return true;
                }
                let begins = is_at(from);
                command.is_inside = begins && !matches!(to, Place::Line(end) if *end <= number);
                begins
            }
        }
    }

    fn substitute(&self, line: &mut Vec<u8>, what: &Substitution) -> bool {
        let (mut new, mut at, mut count, mut is_changed) = (Vec::new(), 0, 0, false);
        let (mut walk, mut last) = (what.from.walk(), None);
        while at <= line.len()
            && let Some(found) = walk.find(line, at, &self.shell.work)
        {
            new.extend_from_slice(&line[at..found.start]);
            let is_empty = found.end == found.start;
            // Nothing, right behind what was found before, is not found.
            if !is_empty || last != Some(found.start) {
                count += 1;
                if count >= what.nth {
                    put(&what.to, line, &found, &mut new);
                    is_changed = true;
                } else {
                    new.extend_from_slice(&line[found.start..found.end]);
                }
            }
            (at, last) = (found.end, Some(found.end));
            if is_empty {
                new.extend(line.get(at));
                at += 1;
            }
            if is_changed && !what.all
                || new.len() > super::INNER_BYTES_MAX
                || !self.shell.work.take_bytes(found.end - found.start)
            {
                break;
            }
        }
        new.extend_from_slice(line.get(at..).unwrap_or_default());
        *line = new;
        is_changed
    }
}

/// What is put in: `&` and `\1` are what was found. No more than one command may print, and what is found once.
fn put(to: &[u8], line: &[u8], found: &Found, new: &mut Vec<u8>) {
    let mut rest = to;
    while let [first, behind @ ..] = rest {
        if new.len() > super::INNER_BYTES_MAX {
            return;
        }
        let (group, further) = match rest {
            [b'\\', digit @ b'0'..=b'9', further @ ..] => (Some(usize::from(digit - b'0')), further),
            [b'\\', escaped, further @ ..] => {
                let (byte, length) = sed_byte(*escaped, further).unwrap_or((*escaped, 0));
                new.push(byte);
                (None, &further[length..])
            }
            [b'&', ..] => (Some(0), behind),
            _ => {
                new.push(*first);
                (None, behind)
            }
        };
        if let Some((start, end)) = group.and_then(|number| found.group(number)) {
            new.extend_from_slice(&line[start..end]);
        }
        rest = further;
    }
}

/// The highest group that a replacement names.
fn named(to: &[u8]) -> usize {
    let (mut highest, mut rest) = (0, to);
    while let [first, behind @ ..] = rest {
        rest = match (first, behind) {
            (b'\\', [digit @ b'1'..=b'9', further @ ..]) => {
                highest = highest.max(usize::from(digit - b'0'));
                further
            }
            (b'\\', [_, further @ ..]) => further,
            _ => behind,
        };
    }
    highest
}

/// Reads a script; what is wrong with it is told in GNU's words.
struct Reader<'a> {
    rest: &'a [u8],
    extended: bool,
    /// Of all automata of the script.
    states: usize,
    /// The pattern before, which an empty one stands for, and whether upper and lower case are alike in it.
    last: Option<(Vec<u8>, bool)>,
    work: &'a Work,
}

impl Reader<'_> {
    fn commands(&mut self) -> Result<Vec<Command>, String> {
        let mut commands = Vec::new();
        loop {
            while let [b' ' | b'\t' | b'\n' | b'\r' | b';', behind @ ..] = self.rest {
                self.rest = behind;
            }
            if self.rest.is_empty() {
                return Ok(commands);
            }
            if commands.len() >= COMMANDS_MAX {
                return Err(Wrong::Large.text().into());
            }
            let (from, mut to) = (self.place()?, None);
            if let Some(behind) = self.rest.strip_prefix(b",") {
                self.rest = behind;
                to = self.place()?;
                if to.is_none() {
                    return Err("unexpected `,'".into());
                }
            }
            self.rest = self.rest.trim_ascii_start();
            let not = self.rest.first() == Some(&b'!');
            self.rest = self.rest[usize::from(not)..].trim_ascii_start();
            let Some((letter, behind)) = self.rest.split_first() else { return Err("missing command".into()) };
            self.rest = behind;
            let act = match letter {
                b'p' => Act::Print,
                b'd' => Act::Delete,
                b'q' => Act::Quit,
                b'=' => Act::Number,
                b's' => Act::Substitute(self.substitution()?),
                _ => return Err(format!("unknown command: `{}'", crate::safe_text(&[*letter], 4))),
            };
            commands.push(Command { from, to, not, act, is_inside: false });
        }
    }

    fn place(&mut self) -> Result<Option<Place>, String> {
        let (end, behind) = match self.rest {
            [b'0'..=b'9', ..] => {
                let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let (digits, behind) = self.rest.split_at(digits);
                self.rest = behind;
                let number = core::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                return number.map(|number| Some(Place::Line(number))).ok_or_else(|| "invalid usage of line address 0".into());
            }
            [b'$', behind @ ..] => {
                self.rest = behind;
                return Ok(Some(Place::Last));
            }
            [b'/', behind @ ..] => (b'/', behind),
            [b'\\', end, behind @ ..] => (*end, behind),
            _ => return Ok(None),
        };
        self.rest = behind;
        let pattern = self.until(end, true).ok_or("unterminated address regex")?;
        let folds = self.rest.first() == Some(&b'I');
        self.rest = &self.rest[usize::from(folds)..];
        Ok(Some(Place::Fits(self.regex(pattern, folds, 0)?)))
    }

    fn regex(&mut self, pattern: Vec<u8>, folds: bool, groups: usize) -> Result<Regex, String> {
        let (pattern, folds) = match self.last.take() {
            None if pattern.is_empty() => return Err(NONE_BEFORE.into()),
            Some(last) if pattern.is_empty() => last,
            _ => (pattern, folds),
        };
        let kind = Kind::Posix(Syntax { tool: Tool::Sed, is_extended: self.extended, folds });
        let wants = Wants { groups, ..Wants::default() };
        let regex = Regex::new(&[&pattern], kind, wants, self.work).map_err(Wrong::text)?;
        self.last = Some((pattern, folds));
        self.states += regex.states();
        if self.states > STATES_MAX {
            return Err(Wrong::Large.text().into());
        }
        if groups > regex.groups() {
            return Err(format!("invalid reference \\{groups} on `s' command's RHS"));
        }
        Ok(regex)
    }

    /// What stands before the next `end` that has no backslash before it, and in a pattern is in no bracket. `None`, and nothing is
    /// left, if there is none.
    fn until(&mut self, end: u8, is_pattern: bool) -> Option<Vec<u8>> {
        let mut part = Vec::new();
        loop {
            let rest = core::mem::take(&mut self.rest);
            self.rest = match rest {
                [b'\\', escaped, behind @ ..] => {
                    if *escaped != end {
                        part.push(b'\\');
                    }
                    part.push(*escaped);
                    behind
                }
                [byte, behind @ ..] if *byte == end => {
                    self.rest = behind;
                    return Some(part);
                }
                [b'[', behind @ ..] if is_pattern => {
                    let length = bracket_bytes(behind)?;
                    part.extend_from_slice(&rest[..=length]);
                    &behind[length..]
                }
                [byte, behind @ ..] => {
                    part.push(*byte);
                    behind
                }
                [] => return None,
            };
        }
    }

    fn substitution(&mut self) -> Result<Substitution, String> {
        let open = "unterminated `s' command";
        let (between, behind) = self.rest.split_first().ok_or(open)?;
        self.rest = behind;
        let from = self.until(*between, true).ok_or(open)?;
        let to = self.until(*between, false).ok_or(open)?;
        let (mut nth, mut all, mut prints, mut folds) = (None, false, false, false);
        while let Some((flag, behind)) = self.rest.split_first() {
            if matches!(flag, b'}' | b'#') {
                break;
            }
            self.rest = behind;
            match flag {
                b'g' => all = true,
                b'p' => prints = true,
                b'i' | b'I' => folds = true,
                b'0'..=b'9' => {
                    let digit = usize::from(flag - b'0');
                    nth = Some(nth.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit));
                }
                b';' | b'\n' => break,
                b' ' | b'\t' | b'\r' => {}
                _ => return Err("unknown option to `s'".into()),
            }
        }
        if nth == Some(0) {
            return Err("number option to `s' command may not be zero".into());
        }
        Ok(Substitution { from: self.regex(from, folds, named(&to))?, to, nth: nth.unwrap_or(1), all, prints })
    }
}

/// How long a bracket is behind its `[`, with its end.
fn bracket_bytes(inside: &[u8]) -> Option<usize> {
    let mut at = usize::from(inside.first() == Some(&b'^'));
    at += usize::from(inside.get(at) == Some(&b']'));
    loop {
        at += match inside.get(at..)? {
            [b']', ..] => return Some(at + 1),
            [b'[', kind @ (b':' | b'.' | b'='), named @ ..] => 4 + memchr::memmem::find(named, &[*kind, b']'])?,
            [_, ..] => 1,
            [] => return None,
        };
    }
}

//! What bots use of `sed`: substitutions, and lines that are printed or left out.

use super::{
    Output,
    lines::lines,
    options::{Known, Options},
    regex::{Found, GROUPS_MAX, Regex},
    run::Run,
};
use alloc::{format, vec::Vec};

/// Commands of one script.
const COMMANDS_MAX: usize = 32;

enum Place {
    Line(usize),
    Last,
    Fits(Regex),
}

enum Act {
    Substitute { from: Regex, to: Vec<u8>, all: bool, prints: bool },
    Delete,
    Print,
    Quit,
    Number,
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
        let Some(mut commands) = self.shell.work.take_bytes(script.len() * 8).then(|| read(&script, extended)).flatten() else {
            output.status = 1;
            let letter = script.first().copied().unwrap_or(b' ');
            return output
                .complain(&format!("sed: -e expression #1, char 1: unknown command: `{}'\n", crate::safe_text(&[letter], 4)));
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
                self.place.memory.write(&path, &own.out, own.out.len() as u64, false);
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
                    Act::Substitute { from, to, all, prints } => {
                        let is_changed = self.substitute(&mut line, from, to, *all);
                        if is_changed && *prints {
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
            Place::Fits(regex) => regex.find(line, 0, &self.shell.work).is_some(),
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

    fn substitute(&self, line: &mut Vec<u8>, from: &Regex, to: &[u8], all: bool) -> bool {
        let (mut new, mut at, mut is_changed) = (Vec::new(), 0, false);
        while let Some(found) = from.find(line, at, &self.shell.work) {
            let (Some(start), Some(end)) = (found[0], found[1]) else { break };
            new.extend_from_slice(&line[at..start]);
            put(to, line, &found, &mut new);
            is_changed = true;
            at = end;
            if end == start {
                new.extend(line.get(at));
                at += 1;
            }
            if !all || at > line.len() || new.len() > super::INNER_BYTES_MAX {
                break;
            }
        }
        new.extend_from_slice(line.get(at..).unwrap_or_default());
        *line = new;
        is_changed
    }
}

/// What is put in: `&` and `\1` are what was found.
fn put(to: &[u8], line: &[u8], found: &Found, new: &mut Vec<u8>) {
    let group = |number: usize, new: &mut Vec<u8>| {
        if let (Some(Some(start)), Some(Some(end))) = (found.get(2 * number), found.get(2 * number + 1)) {
            new.extend_from_slice(line.get(*start..*end).unwrap_or_default());
        }
    };
    let mut rest = to;
    while let [first, behind @ ..] = rest {
        rest = match rest {
            [b'\\', digit @ b'0'..=b'9', further @ ..] if usize::from(digit - b'0') < GROUPS_MAX => {
                group(usize::from(digit - b'0'), new);
                further
            }
            [b'\\', b'n', further @ ..] => {
                new.push(b'\n');
                further
            }
            [b'\\', b't', further @ ..] => {
                new.push(b'\t');
                further
            }
            [b'\\', escaped, further @ ..] => {
                new.push(*escaped);
                further
            }
            [b'&', ..] => {
                group(0, new);
                behind
            }
            _ => {
                new.push(*first);
                behind
            }
        };
    }
}

/// A script; `None` if it has what is not known here.
fn read(script: &[u8], extended: bool) -> Option<Vec<Command>> {
    let (mut commands, mut rest) = (Vec::new(), script);
    loop {
        rest = rest.trim_ascii_start();
        rest = rest.strip_prefix(b";").unwrap_or(rest).trim_ascii_start();
        if rest.is_empty() {
            return Some(commands);
        }
        if commands.len() >= COMMANDS_MAX {
            return None;
        }
        let (from, mut to) = (place(&mut rest, extended)?, None);
        if let Some(behind) = rest.strip_prefix(b",") {
            rest = behind;
            to = place(&mut rest, extended)?;
        }
        rest = rest.trim_ascii_start();
        let not = rest.first() == Some(&b'!');
        rest = rest[usize::from(not)..].trim_ascii_start();
        let (letter, behind) = rest.split_first()?;
        rest = behind;
        let act = match letter {
            b'p' => Act::Print,
            b'd' => Act::Delete,
            b'q' => Act::Quit,
            b'=' => Act::Number,
            b's' => substitution(&mut rest, extended)?,
            _ => return None,
        };
        commands.push(Command { from, to, not, act, is_inside: false });
    }
}

#[expect(clippy::option_option, reason = "no place, or a script that is none")]
fn place(rest: &mut &[u8], extended: bool) -> Option<Option<Place>> {
    match rest {
        [b'0'..=b'9', ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = core::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
            *rest = &rest[digits..];
            Some(Some(Place::Line(number)))
        }
        [b'$', behind @ ..] => {
            *rest = behind;
            Some(Some(Place::Last))
        }
        [b'/', behind @ ..] => {
            let (pattern, further) = until(behind, b'/')?;
            *rest = further;
            Some(Some(Place::Fits(Regex::new(&pattern, extended, false)?)))
        }
        _ => Some(None),
    }
}

/// What stands before the next `end` that has no backslash before it, and what is behind.
fn until(text: &[u8], end: u8) -> Option<(Vec<u8>, &[u8])> {
    let (mut part, mut at) = (Vec::new(), 0);
    loop {
        match text.get(at..)? {
            [b'\\', escaped, ..] if *escaped == end => {
                part.push(end);
                at += 2;
            }
            [b'\\', escaped, ..] => {
                part.extend([b'\\', *escaped]);
                at += 2;
            }
            [byte, behind @ ..] if *byte == end => return Some((part, behind)),
            [byte, ..] => {
                part.push(*byte);
                at += 1;
            }
            [] => return None,
        }
    }
}

fn substitution(rest: &mut &[u8], extended: bool) -> Option<Act> {
    let (between, behind) = rest.split_first()?;
    let (from, behind) = until(behind, *between)?;
    let (to, behind) = until(behind, *between)?;
    let flags = behind.iter().take_while(|byte| matches!(byte, b'g' | b'p' | b'i' | b'I' | b'0'..=b'9')).count();
    let (flags, behind) = behind.split_at(flags);
    *rest = behind;
    let folds = flags.contains(&b'i') || flags.contains(&b'I');
    Some(Act::Substitute {
        from: Regex::new(&from, extended, folds)?,
        to,
        all: flags.contains(&b'g'),
        prints: flags.contains(&b'p'),
    })
}

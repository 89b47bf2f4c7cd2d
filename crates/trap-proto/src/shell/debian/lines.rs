//! Programs that work line by line: `grep`, `cut`, `tr`, `sort` and `uniq`.

use super::{
    Output,
    options::{Known, Options},
    regex::{Kind, PATTERN_BYTES_MAX, Regex, Syntax, Tool, Walk, Wants, Wrong},
    run::Run,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Lines of a text; one that ends without a line feed is one, too.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

const GREP: Known = Known {
    letters: "ivcnlLqsoEFGPwxhHrRam:e:f:A:B:C:zU",
    long: &[
        ("ignore-case", b'i'),
        ("invert-match", b'v'),
        ("count", b'c'),
        ("line-number", b'n'),
        ("files-with-matches", b'l'),
        ("quiet", b'q'),
        ("silent", b'q'),
        ("no-messages", b's'),
        ("only-matching", b'o'),
        ("extended-regexp", b'E'),
        ("fixed-strings", b'F'),
        ("perl-regexp", b'P'),
        ("word-regexp", b'w'),
        ("line-regexp", b'x'),
        ("no-filename", b'h'),
        ("recursive", b'r'),
        ("text", b'a'),
        ("max-count", b'm'),
        ("regexp", b'e'),
        ("after-context", b'A'),
        ("before-context", b'B'),
        ("line-buffered", b'U'),
    ],
    wrong: 2,
};

impl Run<'_, '_> {
    pub(super) fn grep(&mut self, name: &[u8], words: &[&[u8]], output: &mut Output) {
        let Some(options) = Options::read(words, &GREP, output) else { return };
        let mut files = options.words.clone();
        let mut patterns: Vec<&[u8]> = options.values(b'e').collect();
        if patterns.is_empty() {
            if files.is_empty() {
                output.status = 2;
                return output.complain("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n");
            }
            patterns.push(files.remove(0));
        }
        let regex = match self.regex(&patterns, name, &options) {
            Ok(regex) => regex,
            // It may be that there was no work left to find out.
            Err(_) if self.shell.work.is_done() => return,
            Err(wrong) => {
                output.status = 2;
                return output.complain(&format!("grep: {}\n", wrong.text()));
            }
        };
        if let Some(warning) = regex.warning() {
            output.complain(&format!("grep: warning: {warning}\n"));
        }
        let mut walk = regex.walk();
        let is_deep = options.has(b'r') || options.has(b'R');
        if is_deep && files.iter().all(|file| self.shell.is_folder_word(file, self.place)) {
            // What lies in folders is not looked through.
            output.status = 1;
            return;
        }
        let mut own = Output::default();
        let given = self.given(&files, "grep: ", "", &mut own);
        if !options.has(b's') {
            output.complain_bytes(&own.err);
        }
        let Some(given) = given else { return };
        let is_wrong = own.status != 0;
        let names_files = (files.len() > 1 || is_deep || options.has(b'H')) && !options.has(b'h');
        let mut is_found = false;
        for (file, content) in &given {
            let file = if file.is_empty() { "(standard input)" } else { file };
            let prefix = if names_files { format!("{file}:") } else { String::new() };
            let count = self.grep_one(&content.bytes, &mut walk, &options, &prefix, output);
            is_found |= count > 0;
            if options.has(b'l') && count > 0 {
                output.say(&format!("{file}\n"));
            } else if options.has(b'c') && !options.has(b'q') {
                output.say(&format!("{prefix}{count}\n"));
            }
        }
        output.status = match (is_found, is_wrong) {
            (true, false) => 0,
            (false, false) => 1,
            (true, true) if options.has(b'q') => 0,
            _ => 2,
        };
    }

    /// All patterns as one: lines in which any of them is fit.
    fn regex(&self, patterns: &[&[u8]], name: &[u8], options: &Options<'_>) -> Result<Regex, Wrong> {
        let folds = options.has(b'i');
        let kind = if options.has(b'P') {
            Kind::Perl { folds }
        } else if options.has(b'F') || name == b"fgrep" {
            Kind::Fixed { folds }
        } else {
            Kind::Posix(Syntax { tool: Tool::Grep, is_extended: options.has(b'E') || name == b"egrep", folds })
        };
        let wants = Wants { line: options.has(b'x'), word: options.has(b'w'), groups: 0 };
        // Each has an octet at least in what they may be together.
        let parts = patterns.iter().flat_map(|pattern| pattern.split(|byte| *byte == b'\n')).take(PATTERN_BYTES_MAX + 2);
        let parts: Vec<&[u8]> = parts.collect();
        if options.has(b'P') && parts.len() > 1 {
            return Err(Wrong::Perl("the -P option only supports a single pattern"));
        }
        Regex::new(&parts, kind, wants, &self.shell.work)
    }

    /// How many lines fit; they are printed, unless only their number counts.
    fn grep_one(&self, text: &[u8], walk: &mut Walk<'_>, options: &Options<'_>, prefix: &str, output: &mut Output) -> usize {
        let is_silent = ["c", "q", "l", "L"].iter().any(|letter| options.has(letter.as_bytes()[0]));
        let (most, wants) = (options.number(b'm').unwrap_or(usize::MAX), !options.has(b'v'));
        let after = options.number(b'A').or_else(|| options.number(b'C')).unwrap_or(0);
        let before = options.number(b'B').or_else(|| options.number(b'C')).unwrap_or(0);
        let all: Vec<&[u8]> = lines(text).collect();
        let (mut count, mut shown_to) = (0, 0);
        for (at, line) in all.iter().enumerate() {
            if count >= most || !self.shell.work.take_bytes(line.len() * 4) {
                break;
            }
            if walk.fits(line, &self.shell.work) != wants {
                continue;
            }
            count += 1;
            if is_silent {
                continue;
            }
            if options.has(b'o') {
                self.only(line, at, walk, prefix, options, output);
                continue;
            }
            let (from, to) = (at.saturating_sub(before).max(shown_to), at.saturating_add(after).saturating_add(1).min(all.len()));
            for (number, line) in all.iter().enumerate().take(to).skip(from) {
                output.say(prefix);
                if options.has(b'n') {
                    output.say(&format!("{}{}", number + 1, if number == at { ":" } else { "-" }));
                }
                output.out.extend(line.iter().chain(b"\n"));
            }
            shown_to = to.max(shown_to);
        }
        count
    }

    fn only(&self, line: &[u8], number: usize, walk: &mut Walk<'_>, prefix: &str, options: &Options<'_>, output: &mut Output) {
        let mut from = 0;
        while from <= line.len()
            && !output.is_full()
            && let Some(found) = walk.find(line, from, &self.shell.work)
        {
            if found.end > found.start {
                output.say(prefix);
                if options.has(b'n') {
                    output.say(&format!("{}:", number + 1));
                }
                output.out.extend(line[found.start..found.end].iter().chain(b"\n"));
            }
            from = found.end + usize::from(found.end == found.start);
        }
    }

    pub(super) fn sort(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known {
            letters: "nrubfhk:t:dgMiVso:",
            long: &[("numeric-sort", b'n'), ("reverse", b'r'), ("unique", b'u'), ("key", b'k'), ("human-numeric-sort", b'h')],
            wrong: 2,
        };
        let Some(options) = Options::read(words, &known, output) else { return };
        let mut own = Output::default();
        let given = self.given(&options.words, "sort: cannot read: ", "", &mut own);
        output.complain_bytes(&own.err);
        let Some(given) = given else { return };
        if own.status != 0 {
            output.status = 2;
            return;
        }
        let mut all: Vec<&[u8]> = given.iter().flat_map(|(_, content)| lines(&content.bytes)).collect();
        if !self.shell.work.take(all.len() * 2) {
            return;
        }
        let key_word = options.value(b'k').map(|word| String::from_utf8_lossy(word).to_string()).unwrap_or_default();
        let column =
            key_word.split(|letter: char| !letter.is_ascii_digit()).next().and_then(|digits| digits.parse::<usize>().ok());
        let between = options.value(b't').and_then(|word| word.first()).copied();
        let key = |line: &'_ [u8]| -> Vec<u8> {
            match (column, between) {
                (None, _) => line.to_vec(),
                (Some(column), Some(between)) => {
                    line.split(|byte| *byte == between).skip(column.saturating_sub(1)).collect::<Vec<_>>().join(&between)
                }
                (Some(column), None) => {
                    let parts = line.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
                    parts.skip(column.saturating_sub(1)).collect::<Vec<_>>().join(&b' ')
                }
            }
        };
        let by_number = options.has(b'n') || options.has(b'g') || options.has(b'h') || key_word.contains('n');
        if by_number {
            all.sort_by_cached_key(|line| (amount(&key(line)), line.to_vec()));
        } else if options.has(b'f') {
            all.sort_by_cached_key(|line| key(line).to_ascii_lowercase());
        } else {
            all.sort_by_cached_key(|line| (key(line), line.to_vec()));
        }
        if options.has(b'r') || key_word.contains('r') {
            all.reverse();
        }
        if options.has(b'u') {
            all.dedup_by(|one, other| if by_number { amount(&key(one)) == amount(&key(other)) } else { key(one) == key(other) });
        }
        all.iter().for_each(|line| output.out.extend(line.iter().chain(b"\n")));
    }

    pub(super) fn uniq(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known {
            letters: "cduif:s:w:",
            long: &[("count", b'c'), ("repeated", b'd'), ("unique", b'u'), ("ignore-case", b'i')],
            wrong: 1,
        };
        let Some(options) = Options::read(words, &known, output) else { return };
        let Some(given) = self.given(&options.words, "uniq: ", "", output) else { return };
        let mut runs: Vec<(usize, &[u8])> = Vec::new();
        for line in given.iter().flat_map(|(_, content)| lines(&content.bytes)) {
            match runs.last_mut() {
                Some((count, before)) if *before == line || options.has(b'i') && before.eq_ignore_ascii_case(line) => *count += 1,
                _ => runs.push((1, line)),
            }
        }
        for (count, line) in runs {
            if options.has(b'd') && count < 2 || options.has(b'u') && count > 1 {
                continue;
            }
            if options.has(b'c') {
                output.say(&format!("{count:>7} "));
            }
            output.out.extend(line.iter().chain(b"\n"));
        }
    }
}

/// The number that a text begins with, in thousandths.
fn amount(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (sign, text) = text.strip_prefix(b"-").map_or((1, text), |rest| (-1, rest));
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).take(15);
    let whole = digits.fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let behind = text.iter().skip_while(|byte| byte.is_ascii_digit()).skip(1).take(3);
    let part = behind
        .take_while(|byte| byte.is_ascii_digit())
        .fold((0_i64, 100), |(sum, unit), digit| (sum + i64::from(digit - b'0') * unit, unit / 10));
    sign * (whole * 1_000 + part.0)
}

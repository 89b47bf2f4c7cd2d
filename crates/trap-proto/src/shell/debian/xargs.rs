//! `xargs`, of findutils.

use super::{
    COMMAND_STEPS, INNER_BYTES_MAX, NOT_FOUND, Output, Reads, programs,
    run::{Run, Source},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Words that are given to a command at once, and how often it is started.
const WORDS_MAX: usize = 128;
const RUNS_MAX: usize = 64;

/// What it is asked to do.
struct Wanted<'a> {
    at_once: usize,
    mark: Option<Vec<u8>>,
    /// Words end here, and quotes mean nothing.
    between: Option<u8>,
    shows: bool,
    not_empty: bool,
    command: &'a [&'a [u8]],
}

impl Run<'_, '_> {
    pub(super) fn xargs(&mut self, arguments: &[&[u8]], output: &mut Output) {
        let Some(wanted) = wanted(arguments, output) else { return };
        let Some((bytes, _)) = self.read_all(Reads::File) else { return };
        let (given, is_broken) = given(&bytes, &wanted);
        let command: Vec<Vec<u8>> = match wanted.command {
            [] => alloc::vec![b"echo".to_vec()],
            words => words.iter().map(|word| word.to_vec()).collect(),
        };
        let before = core::mem::replace(&mut self.input, Source::Nothing);
        let is_none = given.is_empty() && !is_broken && !wanted.not_empty && wanted.mark.is_none();
        let mut status = if is_none { self.start(&command, &wanted, output) } else { 0 };
        let at_once = if wanted.mark.is_some() { 1 } else { wanted.at_once };
        for words in given.chunks(at_once).take(RUNS_MAX) {
            let run: Option<Vec<Vec<u8>>> = match &wanted.mark {
                Some(mark) => command.iter().map(|word| self.with(word, mark, &words[0])).collect(),
                None => Some(command.iter().cloned().chain(words.iter().cloned()).collect()),
            };
            let Some(run) = run.filter(|_| self.shell.work.take(COMMAND_STEPS)) else {
                output.complain("xargs: argument line too long\n");
                status = 1;
                break;
            };
            status = status.max(self.start(&run, &wanted, output));
            if status > 123 || self.leaving.is_some() || output.is_full() {
                break;
            }
        }
        if is_broken {
            output
                .complain("xargs: unmatched double quote; by default quotes are special to xargs unless you use the -0 option\n");
            status = 1;
        }
        self.input = before;
        output.status = status;
    }

    /// Starts the command once; what `xargs` ends with for it.
    fn start(&mut self, run: &[Vec<u8>], wanted: &Wanted<'_>, output: &mut Output) -> u32 {
        if wanted.shows {
            output.complain_bytes(&run.join(&b' '));
            output.complain("\n");
        }
        let name = String::from_utf8_lossy(programs::plain(&run[0])).to_string();
        let is_there = programs::path_of(&name).is_some() || self.shell.is_there(&run[0], self.place);
        if !is_there {
            output.complain(&format!("xargs: {}: No such file or directory\n", crate::safe_text(&run[0], 200)));
            return NOT_FOUND;
        }
        self.command(run, output);
        match output.status {
            0 => 0,
            255 => 124,
            _ => 123,
        }
    }

    /// A word with every mark in it replaced; `None` if that is more than is done.
    fn with(&self, word: &[u8], mark: &[u8], by: &[u8]) -> Option<Vec<u8>> {
        let (mut new, mut rest) = (Vec::new(), word);
        while let Some(at) = memchr::memmem::find(rest, mark).filter(|_| !mark.is_empty()) {
            if new.len() > INNER_BYTES_MAX || !self.shell.work.take_bytes(at + by.len()) {
                return None;
            }
            new.extend_from_slice(&rest[..at]);
            new.extend_from_slice(by);
            rest = &rest[at + mark.len()..];
        }
        new.extend_from_slice(rest);
        Some(new)
    }
}

fn wanted<'a>(arguments: &'a [&'a [u8]], output: &mut Output) -> Option<Wanted<'a>> {
    let mut wanted = Wanted { at_once: WORDS_MAX, mark: None, between: None, shows: false, not_empty: false, command: arguments };
    while let [option, behind @ ..] = wanted.command
        && option.len() > 1
        && option[0] == b'-'
    {
        wanted.command = behind;
        match *option {
            b"--" => break,
            b"--null" => wanted.between = Some(0),
            b"--no-run-if-empty" => wanted.not_empty = true,
            b"--verbose" => wanted.shows = true,
            _ => {}
        }
        if option.starts_with(b"--") {
            continue;
        }
        for (at, letter) in option.iter().enumerate().skip(1) {
            match letter {
                b'0' => wanted.between = Some(0),
                b'r' => wanted.not_empty = true,
                b't' => wanted.shows = true,
                b'i' => wanted.mark = Some(b"{}".to_vec()),
                b'n' | b'L' | b'I' | b'P' | b'd' | b'E' | b's' | b'a' => {
                    let value = match (&option[at + 1..], wanted.command) {
                        ([], [value, behind @ ..]) => {
                            wanted.command = behind;
                            *value
                        }
                        ([], []) => return refused(&format!("option requires an argument -- '{}'", char::from(*letter)), output),
                        (value, _) => value,
                    };
                    take_value(&mut wanted, *letter, value, output)?;
                    break;
                }
                b'x' | b'p' | b'o' => {}
                odd => return refused(&format!("invalid option -- '{}'", crate::safe_text(&[*odd], 4)), output),
            }
        }
    }
    Some(wanted)
}

fn take_value(wanted: &mut Wanted<'_>, letter: u8, value: &[u8], output: &mut Output) -> Option<()> {
    match letter {
        b'n' | b'L' | b'P' | b's' => {
            let Some(number) = core::str::from_utf8(value).ok().and_then(|digits| digits.parse::<u64>().ok()) else {
                let value = crate::safe_text(value, 100);
                return refused(&format!("invalid number \"{value}\" for -{} option", char::from(letter)), output);
            };
            if number == 0 && letter != b'P' {
                return refused(&format!("value 0 for -{} option should be >= 1", char::from(letter)), output);
            }
            if letter == b'n' || letter == b'L' {
                wanted.at_once = usize::try_from(number).unwrap_or(WORDS_MAX).clamp(1, WORDS_MAX);
            }
        }
        b'I' => wanted.mark = Some(value.to_vec()),
        b'd' => {
            let mut plain = Vec::new();
            let _ = crate::shell::echo::unescape(value, crate::shell::echo::Escapes::Quoted, &mut plain);
            wanted.between = plain.first().copied();
        }
        _ => {}
    }
    Some(())
}

fn refused<T>(what: &str, output: &mut Output) -> Option<T> {
    output.status = 1;
    output.complain(&format!("xargs: {what}\nTry 'xargs --help' for more information.\n"));
    None
}

/// The words that were read, or lines where each is a word; and whether a quote was left open.
fn given(bytes: &[u8], wanted: &Wanted<'_>) -> (Vec<Vec<u8>>, bool) {
    if let Some(between) = wanted.between {
        let bytes = bytes.strip_suffix(&[between]).unwrap_or(bytes);
        let all = bytes.split(|byte| *byte == between).map(<[u8]>::to_vec);
        return (all.filter(|_| !bytes.is_empty()).collect(), false);
    }
    let (mut all, mut word, mut quote) = (Vec::new(), None::<Vec<u8>>, None);
    let by_line = wanted.mark.is_some();
    let mut rest = bytes;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match (*byte, quote) {
            (byte, Some(open)) if byte == open => quote = None,
            (b'\n', Some(_)) => return (all, true),
            (byte, Some(_)) => word.get_or_insert_default().push(byte),
            (b'\'' | b'"', None) => {
                quote = Some(*byte);
                word.get_or_insert_default();
            }
            (b'\\', None) => {
                if let [escaped, behind @ ..] = rest {
                    word.get_or_insert_default().push(*escaped);
                    rest = behind;
                }
            }
            (b' ' | b'\t', None) if by_line && word.is_none() => {}
            (b' ' | b'\t', None) if !by_line => all.extend(word.take()),
            (b'\n', None) => all.extend(word.take()),
            (byte, None) => word.get_or_insert_default().push(byte),
        }
    }
    all.extend(word);
    (all, quote.is_some())
}

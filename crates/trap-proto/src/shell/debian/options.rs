//! The options of GNU programs, and what they say of others.

use super::Output;
use alloc::{format, vec::Vec};

/// What stands behind a program's name.
pub(super) struct Options<'a> {
    flags: Vec<(u8, &'a [u8])>,
    /// What is no option.
    pub(super) words: Vec<&'a [u8]>,
}

/// What a program takes: its letters, with `:` behind those that want a value, and long names for some.
pub(super) struct Known {
    pub(super) letters: &'static str,
    pub(super) long: &'static [(&'static str, u8)],
    /// The status of who gives others.
    pub(super) wrong: u32,
}

impl<'a> Options<'a> {
    /// `None`: that was said; nothing is to be done.
    pub(super) fn read(words: &[&'a [u8]], known: &Known, output: &mut Output) -> Option<Self> {
        let (name, arguments) = words.split_first()?;
        let name = crate::safe_text(name.rsplit(|byte| *byte == b'/').next().unwrap_or_default(), 64);
        let mut options = Self { flags: Vec::new(), words: Vec::new() };
        let mut rest = arguments;
        while let [word, behind @ ..] = rest {
            rest = behind;
            if *word == b"--" {
                options.words.extend_from_slice(rest);
                break;
            }
            let wrong = if let Some(long) = word.strip_prefix(b"--") {
                options.long(long, known, &mut rest, &name, output)?
            } else if word.len() > 1 && word[0] == b'-' {
                options.short(&word[1..], known, &mut rest)
            } else {
                options.words.push(word);
                None
            };
            if let Some(wrong) = wrong {
                output.status = known.wrong;
                output.complain(&format!("{name}: {wrong}\nTry '{name} --help' for more information.\n"));
                return None;
            }
        }
        Some(options)
    }

    /// Takes letters; what is wrong with one of them.
    fn short(&mut self, mut letters: &'a [u8], known: &Known, rest: &mut &[&'a [u8]]) -> Option<alloc::string::String> {
        while let [letter, behind @ ..] = letters {
            let at = known.letters.bytes().position(|known| known == *letter && known != b':');
            let Some(at) = at else {
                return Some(format!("invalid option -- '{}'", crate::safe_text(&[*letter], 4)));
            };
            let wants = known.letters.as_bytes().get(at + 1) == Some(&b':');
            if !wants {
                self.flags.push((*letter, b""));
                letters = behind;
                continue;
            }
            let value = match (behind, &*rest) {
                ([], [next, further @ ..]) => {
                    let next = *next;
                    *rest = further;
                    next
                }
                ([], []) => return Some(format!("option requires an argument -- '{}'", char::from(*letter))),
                (behind, _) => behind,
            };
            self.flags.push((*letter, value));
            return None;
        }
        None
    }

    #[expect(clippy::option_option, reason = "nothing is to be done, or nothing is wrong")]
    fn long(
        &mut self,
        word: &'a [u8],
        known: &Known,
        rest: &mut &[&'a [u8]],
        name: &str,
        output: &mut Output,
    ) -> Option<Option<alloc::string::String>> {
        let (long, value) = match memchr::memchr(b'=', word) {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        match long {
            b"help" => {
                output.say(&format!("Usage: {name} [OPTION]... [FILE]...\n"));
                return None;
            }
            b"version" => {
                output.say(&format!("{name} (GNU coreutils) 9.7\n"));
                return None;
            }
            b"color" | b"colour" => return Some(None),
            _ => {}
        }
        let found = known.long.iter().find(|(known, _)| known.as_bytes() == long);
        let Some((_, letter)) = found else {
            return Some(Some(format!("unrecognized option '--{}'", crate::safe_text(long, 64))));
        };
        let at = known.letters.bytes().position(|known| known == *letter);
        let wants = at.and_then(|at| known.letters.as_bytes().get(at + 1)) == Some(&b':');
        let value = match (value, &*rest) {
            (None, [next, further @ ..]) if wants => {
                let next = *next;
                *rest = further;
                next
            }
            (value, _) => value.unwrap_or_default(),
        };
        self.flags.push((*letter, value));
        Some(None)
    }

    pub(super) fn has(&self, letter: u8) -> bool {
        self.flags.iter().any(|(known, _)| *known == letter)
    }

    /// The value that was given last.
    pub(super) fn value(&self, letter: u8) -> Option<&'a [u8]> {
        self.flags.iter().rev().find(|(known, _)| *known == letter).map(|(_, value)| *value)
    }

    pub(super) fn values(&self, letter: u8) -> impl Iterator<Item = &'a [u8]> {
        self.flags.iter().filter(move |(known, _)| *known == letter).map(|(_, value)| *value)
    }

    pub(super) fn number(&self, letter: u8) -> Option<usize> {
        number(self.value(letter)?)
    }
}

pub(super) fn number(word: &[u8]) -> Option<usize> {
    let text = core::str::from_utf8(word).ok()?.trim();
    let (digits, factor) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1_024),
        b'm' | b'M' => (&text[..text.len() - 1], 1_024 * 1_024),
        b'g' | b'G' => (&text[..text.len() - 1], 1_024 * 1_024 * 1_024),
        b'c' | b'b' if text.len() > 1 => (&text[..text.len() - 1], 1),
        _ => (text, 1),
    };
    digits.parse::<usize>().ok()?.checked_mul(factor)
}

//! Arrays, what is given to variables, and files that commands stand for.

use super::{
    Output,
    memory::BETWEEN,
    run::{Run, Source},
};
use crate::shell::syntax::{Assigned, Assignment};
use alloc::{format, vec::Vec};

/// The elements of an array, at most.
const ELEMENTS_MAX: usize = 64;
/// Files that stand for commands, in one command: `<(…)`. Further ones are not made.
const FILES_MAX: usize = 4;
/// The number of the first of them.
const FIRST_NUMBER: usize = 63;

/// A file that stands for a command.
pub(super) struct Passed {
    path: alloc::string::String,
    /// What reads it once it is written: `>(…)`.
    reader: Option<Vec<u8>>,
}

impl Run<'_, '_> {
    /// The elements of `name[@]`, or what a script was given.
    pub(super) fn elements(&self, name: &[u8]) -> Vec<Vec<u8>> {
        let Some(at) = memchr::memchr(b'[', name) else {
            return self.place.memory.arguments.iter().skip(1).cloned().collect();
        };
        let value = self.place.memory.variable(&name[..at]);
        let value = value.filter(|value| !value.is_empty());
        value.map_or_else(Vec::new, |value| value.split(|byte| *byte == BETWEEN).map(<[u8]>::to_vec).collect())
    }

    /// The value of `name[1]`.
    pub(super) fn element(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let at = memchr::memchr(b'[', name)?;
        let index = &name[at + 1..name.len() - 1];
        let all = self.elements(name);
        if matches!(index, b"@" | b"*") {
            return (!all.is_empty()).then(|| all.join(&b' '));
        }
        let at = self.sum(index, &mut Output::default()).unwrap_or(0);
        let count = i64::try_from(all.len()).unwrap_or(0);
        all.get(usize::try_from(if at < 0 { at.saturating_add(count) } else { at }).ok()?).cloned()
    }

    /// Gives values to names, one after the other.
    pub(super) fn give_values(&mut self, assignments: &[Assignment], output: &mut Output) {
        for one in assignments {
            if self.leaving.is_some() {
                return;
            }
            let name = &one.name;
            let before = self.place.memory.variable(name).map(<[u8]>::to_vec);
            let value = match (&one.value, &one.index) {
                (Assigned::Several(words), _) => {
                    let mut all = if one.appends { before.into_iter().collect() } else { Vec::new() };
                    all.extend(self.fields(words, output).into_iter().take(ELEMENTS_MAX));
                    all.join(&BETWEEN)
                }
                (Assigned::One(word), Some(index)) => {
                    let value = self.whole(word, output);
                    let mut all = before.map_or_else(Vec::new, |_| self.elements(&[name.as_slice(), b"["].concat()));
                    let at = self.sum(index, output).and_then(|at| usize::try_from(at).ok()).unwrap_or(0).min(ELEMENTS_MAX);
                    all.resize(all.len().max(at + 1), Vec::new());
                    all[at] = value;
                    all.join(&BETWEEN)
                }
                (Assigned::One(word), None) => {
                    let value = self.whole(word, output);
                    if one.appends { [before.unwrap_or_default(), value].concat() } else { value }
                }
            };
            if self.is_readonly(name, output) {
                return;
            }
            self.place.memory.set(name, &value);
        }
    }

    /// The path by which a command's output is read, or its input written.
    pub(super) fn file_of(&mut self, text: &[u8], is_written: bool, output: &mut Output) -> Vec<u8> {
        if self.passed.len() >= FILES_MAX {
            return Vec::new();
        }
        let path = format!("/dev/fd/{}", FIRST_NUMBER - self.passed.len());
        let mut own = Output::default();
        if !is_written {
            let input = core::mem::replace(&mut self.input, Source::Nothing);
            self.inner(text, &mut own);
            self.input = input;
            output.complain_bytes(&own.err);
        }
        self.place.disk.write(&path, &own.out, own.out.len() as u64 + own.beyond, false);
        let bytes = path.clone().into_bytes();
        self.passed.push(Passed { path, reader: is_written.then(|| text.to_vec()) });
        bytes
    }

    /// The command is over for which files stood for others: they are gone, and who reads them has read them.
    pub(super) fn pass_on(&mut self, from: usize, output: &mut Output) {
        for Passed { path, reader } in self.passed.split_off(from.min(self.passed.len())) {
            if let (Some(reader), Some(file)) = (reader, self.place.disk.file(&path)) {
                let source = Source::of(&file.bytes, file.length);
                let input = core::mem::replace(&mut self.input, source);
                self.inner(&reader, output);
                self.input = input;
            }
            self.place.disk.remove(&path, false);
        }
    }
}

//! bash's own commands about variables: `read`, `declare` and its kin, `unset`, and what other programs are given.

use super::{
    Output,
    run::{Leaving, Run},
};
use crate::shell::syntax::name_bytes;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Variables that are fixed; further ones can be set.
const FIXED_MAX: usize = 16;
/// What bash knows and other programs do not get.
const BASHS_OWN: [&str; 8] = ["BASH", "BASH_VERSION", "EUID", "UID", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE"];

impl Run<'_, '_> {
    pub(super) fn read(&mut self, arguments: &[&[u8]], output: &mut Output) {
        let (mut rest, mut is_raw, mut array) = (arguments, false, None);
        while let [option, behind @ ..] = rest
            && option.len() > 1
            && option[0] == b'-'
        {
            rest = behind;
            is_raw |= option.contains(&b'r');
            if option.last().is_some_and(|letter| b"ptnNdaui".contains(letter)) {
                array = rest.first().filter(|_| option.ends_with(b"a")).copied().or(array);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        let line = self.read_line();
        if self.leaving.is_some() {
            return;
        }
        output.status = u32::from(line.is_none());
        let mut line = line.unwrap_or_default();
        if !is_raw {
            let mut is_escaped = false;
            line.retain(|byte| {
                is_escaped = *byte == b'\\' && !is_escaped;
                !is_escaped
            });
        }
        let separators = self.separators();
        let names = if rest.is_empty() { &[&b"REPLY"[..]][..] } else { rest };
        if let Some(name) = array {
            let parts = line.split(|byte| separators.contains(byte)).filter(|part| !part.is_empty());
            let value = parts.collect::<Vec<_>>().join(&super::memory::BETWEEN);
            return self.place.memory.set(name, &value);
        }
        if rest.is_empty() {
            return self.place.memory.set(b"REPLY", &line);
        }
        let is_blank = |byte: &u8| separators.contains(byte) && byte.is_ascii_whitespace();
        let mut left = line.as_slice();
        for (at, name) in names.iter().enumerate() {
            left = &left[left.iter().take_while(|byte| is_blank(byte)).count()..];
            if at + 1 == names.len() {
                let end = left.iter().rposition(|byte| !is_blank(byte)).map_or(0, |end| end + 1);
                // One that ends the last word alone is none of it.
                let (word, tail) =
                    left[..end].split_at(left[..end].iter().position(|byte| separators.contains(byte)).unwrap_or(end));
                self.place.memory.set(name, if tail.len() == 1 { word } else { &left[..end] });
                break;
            }
            let end = left.iter().position(|byte| separators.contains(byte)).unwrap_or(left.len());
            self.place.memory.set(name, &left[..end]);
            left = &left[end..];
            left = &left[left.iter().take_while(|byte| is_blank(byte)).count()..];
            if left.first().is_some_and(|byte| separators.contains(byte)) {
                left = &left[1..];
            }
        }
    }

    /// What words fall apart at.
    pub(super) fn separators(&self) -> Vec<u8> {
        self.place.memory.variable(b"IFS").map_or_else(|| b" \t\n".to_vec(), <[u8]>::to_vec)
    }

    /// Whether a variable is fixed; whoever wants to change it is told.
    pub(super) fn is_readonly(&mut self, name: &[u8], output: &mut Output) -> bool {
        let is_fixed = self.fixed.iter().any(|fixed| fixed == name);
        if is_fixed {
            self.shell.refuse(&format!("{}: readonly variable", crate::safe_text(name, 100)), output);
            self.leaving = Some(Leaving::Broken(1));
        }
        is_fixed
    }

    pub(super) fn unset(&mut self, arguments: &[&[u8]], output: &mut Output) {
        for name in arguments.iter().filter(|word| !word.starts_with(b"-")) {
            if self.fixed.iter().any(|fixed| fixed == name) {
                self.shell.refuse(&format!("unset: {}: cannot unset: readonly variable", crate::safe_text(name, 100)), output);
                continue;
            }
            self.place.memory.unset(name);
            self.forget_function(name);
        }
    }

    pub(super) fn declare(&mut self, builtin: &[u8], arguments: &[&[u8]], output: &mut Output) {
        let words: Vec<&[u8]> = arguments.iter().filter(|word| !word.starts_with(b"-")).copied().collect();
        let has = |letter: u8| arguments.iter().any(|word| word.starts_with(b"-") && word.contains(&letter));
        if words.is_empty() && builtin != b"local" {
            for (name, value) in self.exported() {
                output.say(&format!("declare -x {name}=\"{value}\"\n"));
            }
            return;
        }
        for word in words {
            let length = name_bytes(word);
            let (name, value) = (&word[..length], word.get(length + 1..));
            if length == 0 || !matches!(word.get(length), None | Some(b'=')) {
                let (builtin, word) = (String::from_utf8_lossy(builtin).to_string(), crate::safe_text(word, 100));
                self.shell.refuse(&format!("{builtin}: `{word}': not a valid identifier"), output);
                continue;
            }
            if builtin != b"export" && builtin != b"readonly" {
                self.localize(name);
            }
            if let Some(value) = value
                && !self.is_readonly(name, output)
            {
                let value =
                    if has(b'i') { self.sum(value, output).unwrap_or(0).to_string().into_bytes() } else { value.to_vec() };
                self.place.memory.set(name, &value);
            }
            if builtin == b"export" && !has(b'n') || has(b'x') {
                self.place.memory.export(name);
            }
            if (builtin == b"readonly" || has(b'r')) && self.fixed.len() < FIXED_MAX {
                self.fixed.push(name.to_vec());
            }
        }
    }

    /// What other programs are given: the environment, with what was exported since.
    pub(super) fn exported(&self) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_string();
        let set = self.place.memory.variables();
        let usual = self.environment().into_iter().filter(|(name, _)| !BASHS_OWN.contains(name));
        let usual = usual.map(|(name, value)| match set.iter().find(|(known, _)| known == name.as_bytes()) {
            Some((_, value)) => (name.to_string(), text(value)),
            None => (name.to_string(), value),
        });
        let usual: Vec<(String, String)> = usual.collect();
        let is_new =
            |name: &[u8]| self.place.memory.is_exported(name) && !usual.iter().any(|(known, _)| known.as_bytes() == name);
        let new: Vec<_> = set.iter().filter(|(name, _)| is_new(name)).map(|(name, value)| (text(name), text(value))).collect();
        usual.into_iter().chain(new).collect()
    }
}

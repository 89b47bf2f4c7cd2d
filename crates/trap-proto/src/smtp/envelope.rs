//! One letter: who sends it, to whom, and how it begins.

use crate::{FIELD_BYTES_MAX, Findings};
use alloc::vec::Vec;

/// Recipients of one letter: Postfix's own limit.
pub(super) const RECIPIENTS_MAX: usize = 1_000;
/// The longest letter, in bytes: Postfix's own limit.
pub(super) const LETTER_BYTES_MAX: u64 = 10_240_000;

/// One letter so far. Holds its first bytes only; the carrier's transcript has more.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    sender: Option<Vec<u8>>,
    /// As they are noted: one after the other, as many as a field holds.
    recipients: Vec<u8>,
    recipients_count: usize,
    begins: Vec<u8>,
    subject: Vec<u8>,
    bytes: u64,
    in_body: bool,
    /// Something is to be noted before findings are taken: to note all recipients at each one would cost their square.
    pub(super) is_unnoted: bool,
}

impl Envelope {
    pub(super) fn from(&mut self, sender: &[u8]) {
        self.sender = Some(sender[..sender.len().min(FIELD_BYTES_MAX)].to_vec());
    }

    pub(super) const fn has_sender(&self) -> bool {
        self.sender.is_some()
    }

    pub(super) const fn has_recipients(&self) -> bool {
        self.recipients_count > 0
    }

    /// Takes a recipient if one more is allowed.
    pub(super) fn to(&mut self, recipient: &[u8]) -> bool {
        if self.recipients_count >= RECIPIENTS_MAX {
            return false;
        }
        self.recipients_count += 1;
        if self.recipients.len() <= FIELD_BYTES_MAX {
            if !self.recipients.is_empty() {
                self.recipients.push(b' ');
            }
            self.recipients.extend_from_slice(recipient);
        }
        true
    }

    /// Takes a line of the letter; a dot in front of another was doubled (RFC 5321, 4.5.2).
    pub(super) fn line(&mut self, line: &[u8]) {
        self.text(line.strip_prefix(b".").unwrap_or(line));
    }

    /// Bytes so far, each line with its end.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes a line of the letter as it is.
    pub(super) fn text(&mut self, line: &[u8]) {
        self.bytes = self.bytes.saturating_add(line.len() as u64 + 2);
        if !self.in_body {
            match line.split_at_checked(8) {
                Some((name, subject)) if name.eq_ignore_ascii_case(b"subject:") => self.subject = subject.trim_ascii().to_vec(),
                _ => self.in_body = line.is_empty(),
            }
        } else if self.begins.len() <= FIELD_BYTES_MAX {
            self.begins.extend_from_slice(line);
            self.begins.push(b'\n');
        }
    }

    pub(super) const fn is_too_long(&self) -> bool {
        self.bytes > LETTER_BYTES_MAX
    }

    /// Notes what was not noted yet.
    pub(super) fn note_new(&mut self, findings: &mut Findings) {
        if core::mem::take(&mut self.is_unnoted) {
            self.note(findings);
        }
    }

    pub(super) fn note(&self, findings: &mut Findings) {
        if let Some(sender) = &self.sender {
            findings.note("sender", sender);
        }
        let facts = [("recipients", &self.recipients), ("subject", &self.subject), ("body", &self.begins)];
        for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
            findings.note(name, value);
        }
    }
}

/// The address of `FROM:<address> ...` or `TO:<address> ...` with what the client forgot or added; `None`: another syntax.
pub(super) fn address<'a>(argument: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (said, rest) = argument.split_at_checked(word.len())?;
    let rest = rest.trim_ascii_start();
    if !said.eq_ignore_ascii_case(word) || rest.is_empty() {
        return None;
    }
    match rest.strip_prefix(b"<") {
        Some(rest) => rest.iter().position(|byte| *byte == b'>').map(|end| &rest[..end]),
        None => rest.split(|byte| *byte == b' ').next(),
    }
}

/// The size that `SIZE=` declares (RFC 1870), if it is one.
pub(super) fn declared_size(argument: &[u8]) -> Option<u64> {
    let words = argument.split(|byte| *byte == b' ');
    let sizes = words.filter_map(|word| word.split_at_checked(5)).filter(|(name, _)| name.eq_ignore_ascii_case(b"size="));
    sizes.filter_map(|(_, digits)| core::str::from_utf8(digits).ok()?.parse().ok()).next()
}

//! Names and passwords in what somebody says who is not answered.

use crate::Findings;
use alloc::vec::Vec;
use honeymesh_types::Signs;

/// The longest line that is looked at, in bytes.
const LINE_BYTES_MAX: usize = 512;
/// Names that machines type who do not wait to be asked for one.
const TYPED: [&[u8]; 12] = [
    b"root",
    b"admin",
    b"administrator",
    b"default",
    b"guest",
    b"pi",
    b"service",
    b"supervisor",
    b"support",
    b"tech",
    b"ubuntu",
    b"user",
];

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Overheard {
    line: Vec<u8>,
    name: Option<Vec<u8>>,
    /// The very first line was a name: the next is its password.
    is_typed: bool,
    /// Some line has ended.
    goes_on: bool,
}

impl Overheard {
    /// Takes a byte; `true` if it ended a line with a password.
    pub(super) fn byte(&mut self, byte: u8, findings: &mut Findings) -> bool {
        if byte != b'\n' {
            if self.line.len() <= LINE_BYTES_MAX {
                self.line.push(byte);
            }
            return false;
        }
        let line = core::mem::take(&mut self.line);
        let is_first = !core::mem::replace(&mut self.goes_on, true);
        line.len() <= LINE_BYTES_MAX && self.line(line.trim_ascii(), is_first, findings)
    }

    fn line(&mut self, line: &[u8], is_first: bool, findings: &mut Findings) -> bool {
        if core::mem::take(&mut self.is_typed) && !line.is_empty() {
            return self.password(line, findings);
        }
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        let behind = line.get(first.len()..).unwrap_or_default().trim_ascii();
        match second {
            None if is_first && TYPED.contains(&first) => {
                self.name(first, findings);
                self.is_typed = true;
                false
            }
            Some(_) if first.eq_ignore_ascii_case(b"USER") => {
                self.name(behind, findings);
                false
            }
            Some(_) if first.eq_ignore_ascii_case(b"PASS") => self.password(behind, findings),
            // RFC 9051: behind the client's own mark, each word perhaps between quotes.
            Some(login) if login.eq_ignore_ascii_case(b"LOGIN") => {
                let mut arguments = words.map(plain);
                let (Some(name), Some(password)) = (arguments.next(), arguments.next()) else { return false };
                self.name(name, findings);
                self.password(password, findings)
            }
            _ => false,
        }
    }

    fn name(&mut self, name: &[u8], findings: &mut Findings) {
        findings.note("username", name);
        self.name = Some(name.to_vec());
    }

    fn password(&self, password: &[u8], findings: &mut Findings) -> bool {
        if let Some(name) = &self.name {
            findings.note("username", name);
        }
        findings.note("password", password);
        findings.signs |= Signs::CREDENTIALS;
        true
    }
}

fn plain(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).unwrap_or(word)
}

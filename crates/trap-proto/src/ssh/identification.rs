//! The stranger's first line, read as OpenSSH reads it: byte by byte.

use alloc::vec::Vec;

/// The longest identification line that OpenSSH reads before it gives up, in bytes.
const LINE_BYTES_MAX: usize = 8_192;

pub(super) const INVALID: &str = "Invalid SSH identification string.\r\n";
pub(super) const MAJOR_DIFFERS: &str = "Protocol major versions differ.\r\n";

/// The line so far.
#[derive(Default)]
pub(super) struct Identification {
    pub(super) line: Vec<u8>,
    /// A carriage return was seen: only a line feed may follow.
    ending: bool,
}

/// What a byte amounted to.
pub(super) enum Heard {
    More,
    Line,
    Invalid,
}

impl Identification {
    pub(super) fn push(&mut self, byte: u8) -> Heard {
        match byte {
            b'\n' => Heard::Line,
            b'\r' => {
                self.ending = true;
                Heard::More
            }
            b'\0' => Heard::Invalid,
            _ if self.ending || self.line.len() >= LINE_BYTES_MAX => Heard::Invalid,
            _ => {
                self.line.push(byte);
                Heard::More
            }
        }
    }

    /// What OpenSSH says about a whole line: nothing if it will do.
    pub(super) fn objection(&self) -> Option<&'static str> {
        let text = self.line.strip_prefix(b"SSH-");
        let Some((major, minor, software)) = text.and_then(version) else { return Some(INVALID) };
        match (major, minor) {
            _ if software.is_empty() => Some(INVALID),
            (b"2", _) | (b"1", b"99") => None,
            _ => Some(MAJOR_DIFFERS),
        }
    }
}

/// `2.0-software` in its three parts.
fn version(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    let dot = text.iter().position(|byte| *byte == b'.').filter(|dot| *dot < dash)?;
    let (major, minor) = (text.get(..dot)?, text.get(dot + 1..dash)?);
    let number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    (number(major) && number(minor)).then_some((major, minor, text.get(dash + 1..)?))
}

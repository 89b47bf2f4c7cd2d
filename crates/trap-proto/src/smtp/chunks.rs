//! A letter in pieces of an announced length (`BDAT`, RFC 3030), as Postfix 3.10 takes it.

use super::envelope::{Envelope, LETTER_BYTES_MAX};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// The longest line that is put together; a longer one is taken for several.
const LINE_BYTES_MAX: usize = 2_048;

pub(super) const SYNTAX: &str = "521 5.5.4 Syntax: BDAT count [LAST]\r\n";
pub(super) const TOO_LARGE: &str = "552 5.3.4 Chunk exceeds message size limit\r\n";
const NULL: &str = "551 5.7.1 Null BDAT request\r\n";

/// What a command announces: bytes, and whether they are the last. `None`: another syntax.
pub(super) fn read(argument: &[u8]) -> Option<(u64, bool)> {
    let mut words = argument.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let digits = words.next().filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let bytes = core::str::from_utf8(digits).ok()?.parse::<u64>().ok().filter(|bytes| i64::try_from(*bytes).is_ok())?;
    match (words.next(), words.next()) {
        (None, _) => Some((bytes, false)),
        (Some(last), None) if last.eq_ignore_ascii_case(b"LAST") => Some((bytes, true)),
        _ => None,
    }
}

/// How far such a letter is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    None,
    Open,
    /// What comes up to the last piece is thrown away.
    Broken,
}

/// A letter in pieces.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    coming: Option<Coming>,
    /// The line that is not whole yet.
    line: Vec<u8>,
}

/// The piece that is coming.
#[derive(Debug)]
struct Coming {
    bytes: u64,
    missing: u64,
    is_last: bool,
    /// Why it is thrown away.
    refusal: Option<String>,
}

/// What became of a piece.
pub(super) enum Piece {
    /// It was taken, or not, and this is said.
    Said(String),
    /// It was the last of a letter that was taken.
    Letter,
}

impl Chunks {
    /// Whether one has begun, so that commands about the next letter come too early.
    pub(super) fn has_begun(&self) -> bool {
        self.state != State::None
    }

    /// Bytes that are still to come.
    pub(super) fn missing(&self) -> u64 {
        self.coming.as_ref().map_or(0, |coming| coming.missing)
    }

    /// A piece is announced.
    pub(super) fn announce(&mut self, bytes: u64, is_last: bool, envelope: &Envelope) {
        let refusal = match self.state {
            State::Broken => Some(format!("551 5.0.0 Discarded {bytes} bytes after earlier error\r\n")),
            _ if !envelope.has_sender() => Some("503 5.5.1 Error: need RCPT command\r\n".to_string()),
            _ if !envelope.has_recipients() => Some("554 5.5.1 Error: no valid recipients\r\n".to_string()),
            _ if bytes == 0 && !is_last => Some(NULL.to_string()),
            _ if envelope.bytes() + bytes > LETTER_BYTES_MAX => Some(TOO_LARGE.to_string()),
            _ => None,
        };
        self.coming = Some(Coming { bytes, missing: bytes, is_last, refusal });
    }

    /// Takes a byte of it.
    pub(super) fn push(&mut self, byte: u8, envelope: &mut Envelope) {
        let Some(coming) = &mut self.coming else { return };
        coming.missing = coming.missing.saturating_sub(1);
        if coming.refusal.is_some() {
            return;
        }
        if byte == b'\n' || self.line.len() >= LINE_BYTES_MAX {
            let line = core::mem::take(&mut self.line);
            envelope.text(line.strip_suffix(b"\r").unwrap_or(&line));
        }
        if byte != b'\n' {
            self.line.push(byte);
        }
    }

    /// The piece is whole.
    pub(super) fn end(&mut self, envelope: &mut Envelope) -> Piece {
        let Some(coming) = self.coming.take() else { return Piece::Said(String::new()) };
        if let Some(refusal) = coming.refusal {
            self.line.clear();
            self.state = if coming.is_last { State::None } else { State::Broken };
            if coming.is_last {
                *envelope = Envelope::default();
            }
            return Piece::Said(refusal);
        }
        if !coming.is_last {
            self.state = State::Open;
            return Piece::Said(format!("250 2.0.0 Ok: {} bytes\r\n", coming.bytes));
        }
        self.flush(envelope);
        self.state = State::None;
        Piece::Letter
    }

    /// What was not whole, at the end of everything.
    pub(super) fn flush(&mut self, envelope: &mut Envelope) {
        let line = core::mem::take(&mut self.line);
        if !line.is_empty() {
            envelope.text(&line);
        }
    }
}

//! A command that reads what the stranger still sends: it goes on once all of that has come.
//!
//! It is run again then, with what it reads, from where it was; what it has printed already is not printed anew.

use super::channel::{Channel, Runs};
use crate::shell::debian::{INPUT_BYTES_MAX, Output, Place, Reads};
use alloc::vec::Vec;

/// The longest command that goes on, in bytes; a longer one ends with its input.
const COMMAND_BYTES_MAX: usize = 4 * 1_024;
/// The longest line of scp's own, in bytes.
const COPY_LINE_BYTES_MAX: usize = 1_024;

/// Nods of scp's other end for one file: that it is there, that it has heard of the file, that it has it.
const FILE_NODS: usize = 3;

/// A command, as it was when it began to read.
pub(super) struct Held {
    command: Vec<u8>,
    place: Place,
    /// What it had printed and complained of, in bytes.
    printed: (usize, usize),
    /// The beginning of what came, and the length of all of it.
    kept: Vec<u8>,
    length: u64,
    copy: Option<Copy>,
    /// Bytes after which it goes on, though more may come.
    nods: Option<usize>,
    /// What it reads is shown as it comes, or is commands, which have been run.
    kind: Reads,
}

/// What scp says next: a line about a file, the file, or the nought behind it.
enum Copy {
    Line(Vec<u8>),
    File(u64),
    Nought,
}

impl Held {
    /// What a command waits for that began at `place`.
    pub(super) fn new(command: &[u8], place: Place, kind: Reads, output: &Output) -> Self {
        Self {
            command: if command.len() > COMMAND_BYTES_MAX { Vec::new() } else { command.to_vec() },
            place,
            printed: (output.out.len(), output.err.len()),
            kept: Vec::new(),
            length: 0,
            copy: (kind == Reads::Copy).then(|| Copy::Line(Vec::new())),
            nods: (kind == Reads::Nods).then_some(FILE_NODS),
            kind,
        }
    }

    /// Takes some of the input. Returns how often scp's end nods.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let room = INPUT_BYTES_MAX.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length = self.length.saturating_add(bytes.len() as u64);
        self.copy.as_mut().map_or(0, |copy| copy.take(bytes))
    }

    /// Whether it is nods that it waits for; and whether all have come.
    pub(super) fn nods(&self) -> Option<bool> {
        self.nods.map(|nods| self.length >= nods as u64)
    }

    /// The command and where it goes on, with all of its input; and what it has printed before.
    pub(super) fn ready(mut self) -> (Vec<u8>, Place, (usize, usize)) {
        if self.kind == Reads::Commands {
            self.place.bring(Vec::new(), 0);
        } else {
            if self.kind == Reads::Echo {
                self.printed.0 += self.kept.len();
            }
            self.place.bring(self.kept, self.length);
        }
        (self.command, self.place, self.printed)
    }
}

impl Copy {
    fn take(&mut self, mut bytes: &[u8]) -> usize {
        let mut nods = 0;
        while let [first, behind @ ..] = bytes {
            match self {
                Self::Line(line) => {
                    bytes = behind;
                    if *first != b'\n' {
                        if (*first > 2 || !line.is_empty()) && line.len() < COPY_LINE_BYTES_MAX {
                            line.push(*first);
                        }
                        continue;
                    }
                    nods += 1;
                    let size = line.split(|byte| *byte == b' ').nth(1).filter(|_| line.first() == Some(&b'C'));
                    let size = size.and_then(|size| core::str::from_utf8(size).ok()?.parse().ok());
                    *self = match size {
                        Some(0) => Self::Nought,
                        Some(size) => Self::File(size),
                        None => Self::Line(Vec::new()),
                    };
                }
                Self::File(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[taken..];
                    *left -= taken as u64;
                    if *left == 0 {
                        *self = Self::Nought;
                    }
                }
                Self::Nought => {
                    bytes = behind;
                    nods += 1;
                    *self = Self::Line(Vec::new());
                }
            }
        }
        nods
    }
}

impl Channel {
    /// A command waits for its input.
    pub(super) fn hold(&mut self, held: Held, kind: Reads) {
        self.held = Some(held);
        self.runs = match kind {
            Reads::File | Reads::Copy | Reads::Nods => Runs::File,
            Reads::Echo => Runs::Echo,
            Reads::Commands => Runs::Commands,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scp_is_nodded_to_for_each_line_and_each_file() {
        let talk = b"T1 0 1 0\nD0755 0 a\nC0644 5 b\nab\ncd\0C0600 0 c\n\0E\n";
        for piece in [1, 3, talk.len()] {
            let mut held = Held::new(b"scp -t x", Place::default(), Reads::Copy, &Output::default());
            let nods: usize = talk.chunks(piece).map(|piece| held.take(piece)).sum();
            assert_eq!(nods, 7, "in pieces of {piece}");
            assert!(matches!(&held.copy, Some(Copy::Line(line)) if line.is_empty()));
        }
        let mut held = Held::new(b"scp -t x", Place::default(), Reads::Copy, &Output::default());
        held.take(&[b'C'; 100_000]);
        assert!(
            held.kept.len() == INPUT_BYTES_MAX
                && matches!(&held.copy, Some(Copy::Line(line)) if line.len() == COPY_LINE_BYTES_MAX)
        );
    }
}

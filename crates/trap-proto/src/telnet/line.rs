//! From telnet's bytes to a terminal's lines: commands taken out, keys echoed, line ends read.

use alloc::vec::Vec;

/// The longest line a terminal takes, in bytes; further ones are lost, as with a real terminal.
pub(super) const LINE_BYTES_MAX: usize = 4_096;

const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;
/// WILL, WON'T, DO and DON'T: an option follows.
const OPTION_COMMANDS: core::ops::RangeInclusive<u8> = 251..=254;

/// What telnetd makes of the stream so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stream {
    #[default]
    Data,
    /// A carriage return came: a line feed or NUL right behind belongs to it (RFC 854).
    Returned,
    Command,
    Option,
    Sub,
    SubCommand,
}

/// What a byte amounted to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Nothing yet.
    None,
    /// A line without its end.
    Line(Vec<u8>),
    /// Control-C: the line is given up.
    Interrupt,
    /// Control-D on an empty line.
    End,
}

/// The terminal's line so far.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    stream: Stream,
    held: Vec<u8>,
}

impl Terminal {
    /// Takes a byte and echoes it unless `secret`.
    pub(super) fn push(&mut self, byte: u8, secret: bool, answer: &mut Vec<u8>) -> Key {
        let state = core::mem::take(&mut self.stream);
        match (state, byte) {
            (Stream::Data | Stream::Returned, IAC) => self.stream = Stream::Command,
            (Stream::Returned, b'\n' | 0) => {}
            (Stream::Data | Stream::Returned, byte) => return self.key(byte, secret, answer),
            (Stream::Command, IAC) => return self.key(IAC, secret, answer),
            (Stream::Command, SB) => self.stream = Stream::Sub,
            (Stream::Command, byte) if OPTION_COMMANDS.contains(&byte) => self.stream = Stream::Option,
            (Stream::Command | Stream::Option, _) => {}
            (Stream::Sub, IAC) => self.stream = Stream::SubCommand,
            (Stream::SubCommand, SE) => {}
            (Stream::Sub | Stream::SubCommand, _) => self.stream = Stream::Sub,
        }
        Key::None
    }

    fn key(&mut self, byte: u8, secret: bool, answer: &mut Vec<u8>) -> Key {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    self.stream = Stream::Returned;
                }
                answer.extend_from_slice(b"\r\n");
                return Key::Line(core::mem::take(&mut self.held));
            }
            0 => {}
            3 => {
                self.held.clear();
                answer.extend_from_slice(b"^C\r\n");
                return Key::Interrupt;
            }
            4 if self.held.is_empty() => return Key::End,
            8 | 0x7f => {
                if self.held.pop().is_some() && !secret {
                    answer.extend_from_slice(b"\x08 \x08");
                }
            }
            _ => self.typed(byte, secret, answer),
        }
        Key::None
    }

    fn typed(&mut self, byte: u8, secret: bool, answer: &mut Vec<u8>) {
        if self.held.len() >= LINE_BYTES_MAX {
            return;
        }
        self.held.push(byte);
        match byte {
            _ if secret => {}
            0..32 if byte != b'\t' => answer.extend_from_slice(&[b'^', byte + b'@']),
            // Data that looks like a command is sent twice.
            IAC => answer.extend_from_slice(&[IAC, IAC]),
            _ => answer.push(byte),
        }
    }

    /// No more bytes will come: what was not ended, if anything.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let held = core::mem::take(&mut self.held);
        (!held.is_empty()).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn lines(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut terminal, mut echo) = (Terminal::default(), Vec::new());
        let mut lines = Vec::new();
        for byte in bytes {
            if let Key::Line(line) = terminal.push(*byte, false, &mut echo) {
                lines.push(line);
            }
        }
        lines.extend(terminal.finish());
        (lines, echo)
    }

    #[test]
    fn every_line_end_ends_exactly_one_line() {
        for end in ["\r\n", "\r\0", "\r", "\n"] {
            let text = ["root", "toor", "x"].map(|word| alloc::format!("{word}{end}")).concat();
            assert_eq!(lines(text.as_bytes()).0, [b"root".to_vec(), b"toor".to_vec(), b"x".to_vec()], "{end:?}");
        }
        assert_eq!(lines(b"a\r\r\nb").0, [b"a".to_vec(), b"".to_vec(), b"b".to_vec()]);
    }

    #[test]
    fn commands_are_taken_out_wherever_they_stand() {
        let text = b"\xff\xfb\x1fr\xff\xfa\x1f\0\x50\xff\xff\0\x18\xff\xf0o\xff\xfd\x03o\xff\xf1t\xff\xff\r\n";
        assert_eq!(lines(text).0, [b"root\xff".to_vec()]);
        assert_eq!(lines(b"a\r\xff\xfb\x01\nb").0, [b"a".to_vec(), b"".to_vec(), b"b".to_vec()], "not right behind");
    }

    #[test]
    fn keys_are_echoed_as_a_terminal_does() {
        assert_eq!(lines(b"rox\x7fot\r").1, b"rox\x08 \x08ot\r\n");
        assert_eq!(lines(b"\x01\xff\xff\n").1, b"^A\xff\xff\r\n");
        assert_eq!(lines(b"ab\x03c\n"), (vec![b"c".to_vec()], b"ab^C\r\nc\r\n".to_vec()));
        let (long, echo) = lines(&vec![b'x'; LINE_BYTES_MAX + 9]);
        assert_eq!((long[0].len(), echo.len()), (LINE_BYTES_MAX, LINE_BYTES_MAX));
    }
}

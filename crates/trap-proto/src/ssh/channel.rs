//! One channel to the shell: its window, its terminal, and what runs in it.

use super::{
    MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_REQUEST,
    editor::{Editor, LINE_BYTES_MAX, Stroke},
    wire::{message, put_string},
};
use super::{held::Held, sftp::Sftp};
use crate::shell::debian::{OUTPUT_BYTES_MAX, Place};
use alloc::{boxed::Box, vec::Vec};

/// Shells inside the first; further ones are not counted.
const INNER_MAX: usize = 9;
/// Bytes that wait for the stranger's window to open; what does not fit is lost.
const WAITING_BYTES_MAX: usize = OUTPUT_BYTES_MAX;
const COMPLAINTS_BYTES_MAX: usize = 4 * 1_024;
/// What a channel says at once, in bytes, to the end of a piece.
const FLUSHED_BYTES_MAX: usize = 9 * 1_024;
/// Packets that are smaller than this are sent all the same, in bytes: nobody can make many of little.
const PACKET_BYTES_MIN: u32 = 1_024;
/// The longest piece of output in one packet, in bytes.
const PIECE_BYTES_MAX: usize = 8 * 1_024;
/// What bash says to the terminal before its prompt, and behind the line.
pub(super) const PASTES: &[u8] = b"\x1b[?2004h";
const PASTES_NO_MORE: &[u8] = b"\x1b[?2004l\r";
/// `SSH_EXTENDED_DATA_STDERR`.
const STDERR: u32 = 1;

/// What runs in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// Nothing yet.
    Nothing,
    /// A shell with a terminal, which echoes and prompts.
    Terminal,
    /// A shell without one, or a program that reads commands.
    Commands,
    /// A program that writes its input to a file.
    File,
    /// A program that gives its input back.
    Echo,
    /// The subsystem `sftp`.
    Files,
    /// A program that asks for passwords, without showing them.
    Asking,
    /// It has ended; nothing is heard any more.
    Ended,
}

/// One channel.
pub(super) struct Channel {
    /// Its number at the stranger's.
    pub(super) theirs: u32,
    /// Bytes that the stranger still takes.
    pub(super) window: u32,
    /// The longest packet that he takes, in bytes.
    packet: u32,
    /// Bytes of his that were taken since his window was opened last.
    pub(super) taken: u32,
    pub(super) has_terminal: bool,
    pub(super) runs: Runs,
    /// What is typed at a prompt.
    pub(super) editor: Editor,
    /// What is sent to anything else.
    line: Vec<u8>,
    /// Whether bash runs on the terminal, and the shells in it: those that are no bash.
    pub(super) is_shell: bool,
    pub(super) inner: Vec<bool>,
    /// What was typed so far where passwords are asked for.
    pub(super) answers: Vec<Vec<u8>>,
    /// A carriage return ended the last line: a line feed right behind belongs to it.
    returned: bool,
    pub(super) waiting: Vec<u8>,
    complaints: Vec<u8>,
    /// It ends with this once nothing waits any more.
    ending: Option<u32>,
    /// The stranger has said that he sends no more: then sshd hears of the end before the last of the output.
    pub(super) is_deaf: bool,
    /// Where the stranger is.
    pub(super) place: Place,
    /// A command that reads.
    pub(super) held: Option<Held>,
    /// What serves files.
    pub(super) files: Option<Box<Sftp>>,
}

/// What a byte amounted to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    None,
    Line(Vec<u8>),
    /// Control-C: the line is given up.
    Interrupt,
    /// Control-D on an empty line.
    End,
    /// Control-L: prompt and line are shown anew.
    Clear,
    /// Tab: the word before the cursor is completed.
    Complete,
    /// What it can become is shown, or not.
    Show(bool),
}

impl Channel {
    pub(super) fn new(theirs: u32, window: u32, packet: u32) -> Self {
        Self {
            theirs,
            window,
            packet,
            taken: 0,
            has_terminal: false,
            runs: Runs::Nothing,
            editor: Editor::default(),
            line: Vec::new(),
            is_shell: false,
            inner: Vec::new(),
            answers: Vec::new(),
            returned: false,
            waiting: Vec::new(),
            complaints: Vec::new(),
            ending: None,
            is_deaf: false,
            place: Place::default(),
            held: None,
            files: None,
        }
    }

    /// Whether bash has the terminal, which tells it to mark what is pasted as long as it reads a line.
    pub(super) fn pastes(&self) -> bool {
        self.runs == Runs::Terminal && self.inner.last() != Some(&true)
    }

    /// A shell was started in the shell.
    pub(super) fn enter(&mut self, is_bash: bool) {
        if self.inner.len() < INNER_MAX {
            self.inner.push(!is_bash);
        }
    }

    /// Takes a byte of a command; at a prompt it is echoed into `echo`.
    pub(super) fn key(&mut self, byte: u8, echo: &mut Vec<u8>) -> Key {
        let returned = core::mem::take(&mut self.returned);
        let (is_pasting, pastes) = (self.editor.is_pasting() || self.editor.asks(), self.pastes());
        match (byte, self.runs == Runs::Terminal) {
            (b'\n', true) if returned => Key::None,
            (b'\n' | b'\r', true) if !is_pasting => {
                self.returned = byte == b'\r';
                self.editor.unmark(echo);
                echo.extend_from_slice(b"\r\n");
                echo.extend_from_slice(if pastes { PASTES_NO_MORE } else { b"" });
                Key::Line(self.editor.take())
            }
            (b'\n', false) => Key::Line(core::mem::take(&mut self.line)),
            (3, true) => {
                self.editor.drop_line();
                echo.extend_from_slice(b"^C");
                if pastes {
                    echo.extend([PASTES_NO_MORE, PASTES, PASTES_NO_MORE].concat());
                }
                echo.extend_from_slice(b"\r\n");
                Key::Interrupt
            }
            (byte, true) => match self.editor.key(byte, echo) {
                Stroke::Edit => Key::None,
                Stroke::End => {
                    echo.extend_from_slice(&if pastes { [PASTES_NO_MORE, b"\r\n"].concat() } else { Vec::new() });
                    Key::End
                }
                Stroke::Clear => Key::Clear,
                Stroke::Complete => Key::Complete,
                Stroke::Show(is_shown) => Key::Show(is_shown),
            },
            (byte, false) => {
                if self.line.len() < LINE_BYTES_MAX {
                    self.line.push(byte);
                }
                Key::None
            }
        }
    }

    /// Takes a byte for a program that reads from the terminal, which shows it unless it is `secret`.
    pub(super) fn typed_key(&mut self, byte: u8, secret: bool, echo: &mut Vec<u8>) -> Key {
        let returned = core::mem::take(&mut self.returned);
        let mut show = |text: &[u8]| {
            if !secret {
                echo.extend_from_slice(text);
            }
        };
        match byte {
            b'\n' if returned => {}
            b'\n' | b'\r' => {
                self.returned = byte == b'\r';
                show(b"\r\n");
                return Key::Line(core::mem::take(&mut self.line));
            }
            3 => {
                self.line.clear();
                echo.extend_from_slice(b"^C\r\n");
                return Key::Interrupt;
            }
            4 if self.line.is_empty() => return Key::End,
            4 => {}
            8 | 0x7f if self.line.pop().is_some() => show(b"\x08 \x08"),
            8 | 0x7f => {}
            0x15 => {
                self.line.drain(..).for_each(|_| show(b"\x08 \x08"));
            }
            byte if self.line.len() < LINE_BYTES_MAX => {
                self.line.push(byte);
                match byte {
                    0..32 if byte != b'\t' => show(&[b'^', byte + b'@']),
                    byte => show(&[byte]),
                }
            }
            _ => {}
        }
        Key::None
    }

    /// No more will come: a line without an end.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        let line = if self.runs == Runs::Terminal { self.editor.take() } else { core::mem::take(&mut self.line) };
        (!line.is_empty()).then_some(line)
    }

    /// What the program prints: it waits for [`Channel::flush`].
    pub(super) fn print(&mut self, text: &[u8]) {
        let translated;
        let text = if self.has_terminal {
            translated = with_returns(text);
            &translated
        } else {
            text
        };
        append(&mut self.waiting, text, WAITING_BYTES_MAX);
    }

    /// The same with what it complains of.
    pub(super) fn complain(&mut self, text: &[u8]) {
        append(&mut self.complaints, text, COMPLAINTS_BYTES_MAX);
    }

    /// The program ends: its status, and the channel's end, once nothing waits any more.
    pub(super) fn finish(&mut self, status: u32) {
        self.runs = Runs::Ended;
        self.ending = Some(status);
    }

    /// The stranger takes so many bytes more.
    pub(super) fn open_window(&mut self, bytes: u32) {
        self.window = self.window.saturating_add(bytes);
    }

    /// The stranger has closed it: what closes it here, unless that was said.
    pub(super) fn close(&mut self) -> Option<Vec<u8>> {
        let is_closed = self.runs == Runs::Ended && self.ending.is_none();
        (!is_closed).then(|| self.message(MSG_CHANNEL_CLOSE, |_| {}))
    }

    /// Whether [`Self::flush`] would say something.
    pub(super) fn is_due(&self) -> bool {
        let waits = !self.waiting.is_empty() || !self.complaints.is_empty();
        if waits { self.window > 0 } else { self.ending.is_some() }
    }

    /// What waits, as messages, as far as the window is open and not more than is said at once; then the end, if it has come.
    pub(super) fn flush(&mut self, messages: &mut Vec<Vec<u8>>) {
        let mut said = 0;
        while said < FLUSHED_BYTES_MAX
            && let Some(data) = self.piece(false)
        {
            said += data.len();
            messages.push(self.message(MSG_CHANNEL_DATA, |out| put_string(out, &data)));
        }
        while said < FLUSHED_BYTES_MAX
            && let Some(data) = self.piece(true)
        {
            said += data.len();
            messages.push(self.message(MSG_CHANNEL_EXTENDED_DATA, |out| {
                out.extend_from_slice(&STDERR.to_be_bytes());
                put_string(out, &data);
            }));
        }
        if let (Some(status), true) = (self.ending, self.waiting.is_empty() && self.complaints.is_empty()) {
            self.ending = None;
            let told = self.message(MSG_CHANNEL_REQUEST, |out| {
                put_string(out, b"exit-status");
                out.push(0);
                out.extend_from_slice(&status.to_be_bytes());
            });
            let end = self.message(MSG_CHANNEL_EOF, |_| {});
            messages.extend(if self.is_deaf { [told, end] } else { [end, told] });
            messages.push(self.message(MSG_CHANNEL_CLOSE, |_| {}));
        }
    }

    /// The next piece that fits into the window.
    fn piece(&mut self, complaints: bool) -> Option<Vec<u8>> {
        let waiting = if complaints { &mut self.complaints } else { &mut self.waiting };
        let fits = usize::try_from(self.window.min(self.packet.max(PACKET_BYTES_MIN))).unwrap_or(usize::MAX);
        let bytes = waiting.len().min(fits).min(PIECE_BYTES_MAX);
        self.window -= u32::try_from(bytes).unwrap_or(self.window);
        (bytes > 0).then(|| waiting.drain(..bytes).collect())
    }

    fn message(&self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        message(kind, |out| {
            out.extend_from_slice(&self.theirs.to_be_bytes());
            write(out);
        })
    }
}

fn append(waiting: &mut Vec<u8>, text: &[u8], bytes_max: usize) {
    let room = bytes_max.saturating_sub(waiting.len());
    waiting.extend_from_slice(&text[..text.len().min(room)]);
}

/// As a terminal shows it: each line feed with a carriage return before it.
fn with_returns(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    for byte in text {
        if *byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_waits_for_the_window_and_the_end_waits_for_it() {
        let mut channel = Channel::new(7, 3, 100);
        let mut messages = Vec::new();
        channel.print(b"abcdef");
        channel.finish(1);
        channel.flush(&mut messages);
        assert_eq!((messages.len(), messages[0].as_slice()), (1, &b"\x5e\0\0\0\x07\0\0\0\x03abc"[..]));
        channel.open_window(9);
        channel.flush(&mut messages);
        let kinds: Vec<u8> = messages.iter().map(|message| message[0]).collect();
        assert_eq!(kinds, [MSG_CHANNEL_DATA, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_REQUEST, MSG_CHANNEL_CLOSE]);
        channel.open_window(u32::MAX);
        channel.flush(&mut messages);
        assert_eq!(messages.len(), 5, "it ends once");
    }

    #[test]
    fn a_terminal_echoes_and_lines_end_in_every_way() {
        let mut channel = Channel::new(0, 0, 0);
        channel.runs = Runs::Terminal;
        let (mut echo, mut lines) = (Vec::new(), Vec::new());
        for byte in b"ix\x7fd\r\nls\rx\x03w\n\x04" {
            match channel.key(*byte, &mut echo) {
                Key::None => {}
                key => lines.push(key),
            }
        }
        let line = |text: &[u8]| Key::Line(text.to_vec());
        assert_eq!(lines, [line(b"id"), line(b"ls"), Key::Interrupt, line(b"w"), Key::End]);
        let off = "\x1b[?2004l\r";
        let expected = alloc::format!("ix\x08\x1b[Kd\r\n{off}ls\r\n{off}x^C{off}\x1b[?2004h{off}\r\nw\r\n{off}{off}\r\n");
        assert_eq!(crate::drive::said(&echo), expected);
        for _ in 0..9_000 {
            let _ = channel.key(b'x', &mut echo);
        }
        assert_eq!(channel.rest().map(|line| line.len()), Some(LINE_BYTES_MAX));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut channel = Channel::new(0, 0, 0);
        for _ in 0..20 {
            channel.print(&[b'x'; 4_096]);
            channel.complain(&[b'x'; 4_096]);
        }
        assert_eq!((channel.waiting.len(), channel.complaints.len()), (WAITING_BYTES_MAX, COMPLAINTS_BYTES_MAX));
    }
}

//! The line that is being typed, as bash's readline edits and shows it.

use alloc::{collections::VecDeque, vec::Vec};

/// The longest line that is typed, in bytes; further ones are lost.
pub(super) const LINE_BYTES_MAX: usize = 4_096;
/// Lines that are remembered, and the longest of them, in bytes.
const HISTORY_MAX: usize = 16;
const REMEMBERED_BYTES_MAX: usize = 256;
/// The longest sequence of an unusual key, in bytes; what comes behind is typed.
const SEQUENCE_BYTES_MAX: usize = 16;

/// What a terminal is shown before it is asked again, in bytes: behind that, keys are heard and not echoed.
const ECHO_BYTES_MAX: usize = 16 * 1_024;
const BELL: &[u8] = &[7];
const FORWARD: &[u8] = b"\x1b[C";
const ESCAPE: u8 = 0x1b;
const CLEAR_BEHIND: &[u8] = b"\x1b[K";

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    /// The line has changed, or not.
    Edit,
    /// Control-D on an empty line.
    End,
    /// Control-L: the screen was cleared; prompt and line are to be shown anew.
    Clear,
}

/// The line and those before it.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: Vec<u8>,
    /// Where the next character goes.
    at: usize,
    history: VecDeque<Vec<u8>>,
    /// Which of them is shown, counted from the newest on; 0: none.
    shown: usize,
    /// What was typed before one was shown.
    kept: Vec<u8>,
    /// Columns of the prompt.
    prompt: usize,
    sequence: Option<Vec<u8>>,
}

impl Editor {
    /// A prompt so wide was shown.
    pub(super) fn begin(&mut self, prompt: usize) {
        self.prompt = prompt;
    }

    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// The line is over; it is remembered if it is not empty.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let line = core::mem::take(&mut self.line);
        (self.at, self.shown) = (0, 0);
        self.sequence = None;
        let is_new = self.history.back().is_none_or(|last| *last != line);
        if !line.trim_ascii().is_empty() && line.len() <= REMEMBERED_BYTES_MAX && is_new {
            if self.history.len() == HISTORY_MAX {
                self.history.pop_front();
            }
            self.history.push_back(line.clone());
        }
        line
    }

    /// The line is given up.
    pub(super) fn drop_line(&mut self) {
        self.line.clear();
        (self.at, self.shown) = (0, 0);
        self.sequence = None;
    }

    /// The lines so far, for `history`.
    pub(super) fn history(&self) -> impl Iterator<Item = &[u8]> {
        self.history.iter().map(Vec::as_slice)
    }

    /// Takes a key; what the terminal shows goes into `echo`.
    pub(super) fn key(&mut self, byte: u8, echo: &mut Vec<u8>) -> Stroke {
        if let Some(sequence) = &mut self.sequence {
            sequence.push(byte);
            let is_over = match sequence.as_slice() {
                [b'[' | b'O'] => false,
                [b'[', .., last] => (0x40..=0x7e).contains(last) || sequence.len() >= SEQUENCE_BYTES_MAX,
                _ => true,
            };
            if is_over {
                let sequence = self.sequence.take().unwrap_or_default();
                self.unusual(&sequence, echo);
            }
            return Stroke::Edit;
        }
        match byte {
            ESCAPE => self.sequence = Some(Vec::new()),
            1 => self.go(0, echo),
            2 => self.left(echo),
            4 if self.line.is_empty() => return Stroke::End,
            4 => self.delete(echo),
            5 => self.go(self.line.len(), echo),
            6 => self.right(echo),
            8 | 0x7f => self.erase(self.before(), echo),
            b'\t' => put(echo, BELL),
            0x0b => {
                self.line.truncate(self.at);
                put(echo, CLEAR_BEHIND);
            }
            0x0c => {
                put(echo, b"\x1b[H\x1b[2J");
                return Stroke::Clear;
            }
            0x0e => self.browse(self.shown.wrapping_sub(1), echo),
            0x10 => self.browse(self.shown + 1, echo),
            0x15 => self.erase(0, echo),
            0x17 => self.erase(self.word(), echo),
            byte if byte < b' ' => {}
            byte => self.insert(byte, echo),
        }
        Stroke::Edit
    }

    fn unusual(&mut self, sequence: &[u8], echo: &mut Vec<u8>) {
        match sequence {
            [b'[' | b'O', b'A'] => self.browse(self.shown + 1, echo),
            [b'[' | b'O', b'B'] => self.browse(self.shown.wrapping_sub(1), echo),
            [b'[' | b'O', b'C'] => self.right(echo),
            [b'[' | b'O', b'D'] => self.left(echo),
            [b'[' | b'O', b'H'] | b"[1~" | b"[7~" => self.go(0, echo),
            [b'[' | b'O', b'F'] | b"[4~" | b"[8~" => self.go(self.line.len(), echo),
            b"[3~" => self.delete(echo),
            _ => put(echo, BELL),
        }
    }

    fn insert(&mut self, byte: u8, echo: &mut Vec<u8>) {
        if self.line.len() >= LINE_BYTES_MAX {
            return;
        }
        // A terminal makes room for a character; what goes on with one is none.
        if self.at < self.line.len() && !is_continued(byte) {
            put(echo, b"\x1b[1@");
        }
        self.line.insert(self.at, byte);
        self.at += 1;
        put(echo, &[byte]);
    }

    /// Takes what is before the cursor away, from `from` on.
    fn erase(&mut self, from: usize, echo: &mut Vec<u8>) {
        if from == self.at {
            return put(echo, BELL);
        }
        let columns = columns(&self.line[from..self.at]);
        let end = self.at;
        self.go(from, echo);
        self.line.drain(from..end);
        self.close_up(columns, echo);
    }

    fn delete(&mut self, echo: &mut Vec<u8>) {
        let end = self.behind();
        if end == self.at {
            return put(echo, BELL);
        }
        self.line.drain(self.at..end);
        self.close_up(1, echo);
    }

    /// So many columns at the cursor are gone.
    fn close_up(&self, columns: usize, echo: &mut Vec<u8>) {
        if self.at == self.line.len() {
            put(echo, CLEAR_BEHIND);
        } else {
            put(echo, alloc::format!("\x1b[{columns}P").as_bytes());
        }
    }

    fn left(&mut self, echo: &mut Vec<u8>) {
        if self.at == 0 { put(echo, BELL) } else { self.go(self.before(), echo) }
    }

    fn right(&mut self, echo: &mut Vec<u8>) {
        if self.at == self.line.len() { put(echo, BELL) } else { self.go(self.behind(), echo) }
    }

    /// Goes there by the shorter way, as readline does: from the left edge if that is nearer.
    fn go(&mut self, to: usize, echo: &mut Vec<u8>) {
        if echo.len() >= ECHO_BYTES_MAX {
            self.at = to;
            return;
        }
        let (now, then) = (self.prompt + columns(&self.line[..self.at]), self.prompt + columns(&self.line[..to]));
        if then > now {
            put(echo, &FORWARD.repeat(then - now));
        } else if now - then > then {
            put(echo, b"\r");
            put(echo, &FORWARD.repeat(then));
        } else {
            put(echo, &[8].repeat(now - then));
        }
        self.at = to;
    }

    /// Shows the line that is so far back; 0 is the one that was typed.
    fn browse(&mut self, shown: usize, echo: &mut Vec<u8>) {
        if shown > self.history.len() {
            return put(echo, BELL);
        }
        if self.shown == 0 {
            self.kept.clone_from(&self.line);
        }
        let line = match shown {
            0 => core::mem::take(&mut self.kept),
            back => self.history.get(self.history.len() - back).cloned().unwrap_or_default(),
        };
        self.shown = shown;
        let same = line.iter().zip(&self.line).take_while(|(one, other)| one == other).count();
        self.go(same, echo);
        put(echo, &line[same..]);
        if columns(&line) < columns(&self.line) {
            put(echo, CLEAR_BEHIND);
        }
        self.at = line.len();
        self.line = line;
    }

    /// Where the character before the cursor begins, and where the one at it ends.
    fn before(&self) -> usize {
        self.line[..self.at].iter().rposition(|byte| !is_continued(*byte)).unwrap_or(0)
    }

    fn behind(&self) -> usize {
        let rest = self.line.get(self.at + 1..).unwrap_or_default();
        let further = rest.iter().take_while(|byte| is_continued(**byte)).count();
        (self.at + 1 + further).min(self.line.len())
    }

    /// Where the word before the cursor begins.
    fn word(&self) -> usize {
        let text = &self.line[..self.at];
        let end = text.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |at| at + 1);
        text[..end].iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1)
    }
}

fn put(echo: &mut Vec<u8>, bytes: &[u8]) {
    if echo.len() < ECHO_BYTES_MAX {
        echo.extend_from_slice(bytes);
    }
}

/// A byte of UTF-8 that begins no character.
const fn is_continued(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn columns(text: &[u8]) -> usize {
    text.iter().filter(|byte| !is_continued(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;
    use proptest::prelude::*;

    /// Keys, and what bash 5.2 echoes behind a prompt of three columns.
    #[test]
    fn keys_are_echoed_as_readline_does() {
        let table: [(&[u8], &[u8], &[u8]); 14] = [
            (b"id\x7fx", b"id\x08\x1b[Kx", b"ix"),
            (b"ix\x15", b"ix\x08\x08\x1b[K", b""),
            (b"echo abc def\x17", b"echo abc def\x08\x08\x08\x1b[K", b"echo abc "),
            (b"echo abc \x01", b"echo abc \r\x1b[C\x1b[C\x1b[C", b"echo abc "),
            (b"abc\x01\x05", b"abc\x08\x08\x08\x1b[C\x1b[C\x1b[C", b"abc"),
            (b"abc\x1b[D\x1b[DZ", b"abc\x08\x08\x1b[1@Z", b"aZbc"),
            (b"abc\x02\x0b", b"abc\x08\x1b[K", b"ab"),
            (b"ab\x1b[C\tc", b"ab\x07\x07c", b"abc"),
            (b"sleep 1\x15", b"sleep 1\r\x1b[C\x1b[C\x1b[C\x1b[K", b""),
            (b"abc\x02\x02\x04", b"abc\x08\x08\x1b[1P", b"ac"),
            (b"\x15\x1bx\x1b[24~", b"\x07\x07\x07", b""),
            (b"a\x1bOHb\x1b[Fc", b"a\x08\x1b[1@b\x1b[Cc", b"bac"),
            ("é\x7f".as_bytes(), "é\x08\x1b[K".as_bytes(), b""),
            (b"a\x12\x00\x1b[200~b", b"a\x07b", b"ab"),
        ];
        for (keys, echoed, line) in table {
            let (mut editor, mut echo) = (Editor::default(), Vec::new());
            editor.begin(3);
            keys.iter().for_each(|key| assert_eq!(editor.key(*key, &mut echo), Stroke::Edit));
            assert_eq!((said(&echo), said(editor.line())), (said(echoed), said(line)), "{:?}", said(keys));
        }
    }

    #[test]
    fn lines_come_back() {
        let (mut editor, mut echo) = (Editor::default(), Vec::new());
        editor.begin(3);
        for line in [&b"first"[..], b"", b"echo a", b"echo a"] {
            line.iter().for_each(|key| assert_eq!(editor.key(*key, &mut echo), Stroke::Edit));
            assert_eq!(editor.take(), line);
        }
        assert_eq!(editor.history().map(said).collect::<Vec<_>>(), ["first", "echo a"]);
        let mut show = |keys: &[u8]| {
            let mut echo = Vec::new();
            for key in keys {
                let _ = editor.key(*key, &mut echo);
            }
            (said(&echo), said(editor.line()))
        };
        assert_eq!(show(b"ex\x1b[A"), ("ex\x08cho a".into(), "echo a".into()));
        assert_eq!(show(b"\x1b[A"), ("\r\x1b[C\x1b[C\x1b[Cfirst\x1b[K".into(), "first".into()));
        assert_eq!(show(b"\x1b[A"), ("\x07".into(), "first".into()));
        assert_eq!(show(b"\x1b[B\x1b[B").1, "ex");
        assert_eq!(show(b"\x1b[B"), ("\x07".into(), "ex".into()));
        assert_eq!(
            (editor.key(0x0c, &mut echo), {
                editor.drop_line();
                editor.key(4, &mut echo)
            }),
            (Stroke::Clear, Stroke::End)
        );
    }

    fn key() -> impl Strategy<Value = u8> {
        prop_oneof![proptest::sample::select(b"\x1b[AD\x01\x17\x7f\x04 \r\xc3\xa9".to_vec()), any::<u8>()]
    }

    proptest! {
        #[test]
        fn no_keys_break_it_and_it_is_bounded(keys in proptest::collection::vec(key(), 0..400)) {
            let mut editor = Editor::default();
            for key in keys {
                let mut echo = Vec::new();
                if key == b'\r' {
                    drop(editor.take());
                } else {
                    let _ = editor.key(key, &mut echo);
                }
                prop_assert!(editor.at <= editor.line.len() && editor.history.len() <= HISTORY_MAX);
                prop_assert!(echo.len() <= ECHO_BYTES_MAX + 4 * LINE_BYTES_MAX);
            }
        }
    }
}

//! The line that is being typed, as bash's readline edits and shows it.

use crate::shell::debian::Completion;
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
/// What ends what is pasted, how many names are shown without a question, and where a tabulator leads.
const PASTE_END: &[u8] = b"\x1b[201~";
const SHOWN_MAX: usize = 99;
const TAB: usize = 8;
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
    /// The word before the cursor is to be completed.
    Complete,
    /// What it can become is to be shown, though it is much; or it is not.
    Show(bool),
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
    /// What is being pasted.
    pasted: Option<Vec<u8>>,
    /// What was pasted last and is still marked: from where to where.
    marked: Option<(usize, usize)>,
    /// A Tab that changed nothing was the last key.
    tabbed: bool,
    /// Whoever typed it is asked whether much is to be shown.
    asks: bool,
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
        (self.pasted, self.marked, self.tabbed, self.asks) = (None, None, false, false);
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
        (self.pasted, self.marked, self.tabbed, self.asks) = (None, None, false, false);
    }

    /// The lines so far, for `history`.
    pub(super) fn history(&self) -> impl Iterator<Item = &[u8]> {
        self.history.iter().map(Vec::as_slice)
    }

    /// Whether the next byte is none of a key's, whatever it is.
    pub(super) const fn is_pasting(&self) -> bool {
        self.pasted.is_some()
    }

    /// Something else is shown next: what was pasted is marked no more.
    pub(super) fn unmark(&mut self, echo: &mut Vec<u8>) {
        let Some((from, to)) = self.marked.take() else { return };
        let text = self.line[from..to].to_vec();
        let lines = memchr::memchr_iter(b'\n', &text).count();
        if lines == 0 {
            self.go(from, echo);
        } else {
            // Up to where it begins, and to its column.
            put(echo, &b"\x1b[A".repeat(lines));
            let last = text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            let (now, then) = (columns(last), self.prompt + columns(&self.line[..from]));
            put(echo, &if then > now { FORWARD.repeat(then - now) } else { [8].repeat(now - then) });
        }
        put(echo, &shown(&text, self.prompt + columns(&self.line[..from]), b"", b""));
        self.at = to;
    }

    /// Takes a byte of what is pasted; at its end it is shown, marked.
    fn paste(&mut self, byte: u8, echo: &mut Vec<u8>) {
        let Some(pasted) = &mut self.pasted else { return };
        if pasted.len() >= LINE_BYTES_MAX + PASTE_END.len() {
            // What is too much is lost, but for the end.
            pasted.remove(LINE_BYTES_MAX);
        }
        pasted.push(byte);
        let Some(text) = pasted.strip_suffix(PASTE_END) else { return };
        let room = LINE_BYTES_MAX - self.line.len();
        let text: Vec<u8> = text.iter().take(room).map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect();
        self.pasted = None;
        let (from, to) = (self.at, self.at + text.len());
        put(echo, &shown(&text, self.prompt + columns(&self.line[..from]), b"\x1b[7m", b"\x1b[27m"));
        self.line.splice(from..from, text);
        self.at = to;
        self.marked = Some((from, to));
    }

    pub(super) fn before_cursor(&self) -> &[u8] {
        &self.line[..self.at]
    }

    /// Completes the word before the cursor; `Some` if what it can become is to be shown, behind which prompt and line stand anew.
    pub(super) fn complete(&mut self, completion: &Completion, is_shown: bool, echo: &mut Vec<u8>) -> Option<Vec<u8>> {
        let Completion { typed, names } = completion;
        let Some(first) = names.first() else {
            put(echo, BELL);
            return None;
        };
        let alike = |one: &str, other: &str| {
            one.chars().zip(other.chars()).take_while(|(one, other)| one == other).map(|(one, _)| one.len_utf8()).sum::<usize>()
        };
        let length = names.iter().map(|name| alike(first, name)).min().unwrap_or(0);
        let more = first.get(*typed..length).unwrap_or_default();
        if is_shown || more.is_empty() && names.len() > 1 && self.tabbed {
            self.tabbed = false;
            self.asks = names.len() > SHOWN_MAX && !is_shown;
            return Some(match self.asks {
                true => alloc::format!("\r\nDisplay all {} possibilities? (y or n)", names.len()).into_bytes(),
                false => Vec::new(),
            });
        }
        self.tabbed = more.is_empty() && names.len() > 1;
        if names.len() > 1 {
            put(echo, BELL);
        }
        for byte in more.bytes() {
            if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"/._-+:,@%".contains(&byte) {
                self.insert(b'\\', echo);
            }
            self.insert(byte, echo);
        }
        if names.len() == 1 && !first.ends_with('/') {
            self.insert(b' ', echo);
        }
        None
    }

    /// Whether it is asked whether much is to be shown.
    pub(super) const fn asks(&self) -> bool {
        self.asks
    }

    /// Takes a key; what the terminal shows goes into `echo`.
    pub(super) fn key(&mut self, byte: u8, echo: &mut Vec<u8>) -> Stroke {
        if self.is_pasting() {
            self.paste(byte, echo);
            return Stroke::Edit;
        }
        if self.asks {
            self.asks = !matches!(byte, b'y' | b'Y' | b' ' | b'n' | b'N' | 0x7f);
            return if self.asks { Stroke::Edit } else { Stroke::Show(matches!(byte, b'y' | b'Y' | b' ')) };
        }
        self.unmark(echo);
        if byte != b'\t' {
            self.tabbed = false;
        }
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
            b'\t' => return Stroke::Complete,
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
            b"[200~" => self.pasted = Some(Vec::new()),
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

/// What was pasted, as it is shown from a column on, each line between these.
fn shown(text: &[u8], column: usize, before: &[u8], behind: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (before.to_vec(), column);
    for byte in text {
        match byte {
            b'\n' => {
                out.extend([behind, b"\r\n\r", before].concat());
                at = 0;
            }
            b'\t' => {
                let next = (at / TAB + 1) * TAB;
                out.extend(b" ".repeat(next - at));
                at = next;
            }
            byte if *byte < b' ' => {
                out.extend([b'^', byte + b'@']);
                at += 2;
            }
            byte => {
                out.push(*byte);
                at += usize::from(!is_continued(*byte));
            }
        }
    }
    // Nothing is marked behind the last line feed.
    if !before.is_empty() && out.ends_with(before) {
        out.truncate(out.len() - before.len());
    } else {
        out.extend_from_slice(behind);
    }
    out
}

/// Names in columns, as readline shows what a word can become: each is filled up, the last of a line, too.
pub(super) fn in_columns(names: &[alloc::string::String], columns: usize) -> Vec<u8> {
    let wide = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) + 2;
    let fits = columns / wide;
    let across = if fits > 1 && fits * wide == columns { fits - 1 } else { fits.max(1) };
    let down = names.len().div_ceil(across);
    let mut text = b"\r\n".to_vec();
    for row in 0..down {
        for name in names.iter().skip(row).step_by(down) {
            text.extend_from_slice(name.as_bytes());
            text.extend(b" ".repeat(if across > 1 { wide - name.chars().count() } else { 0 }));
        }
        text.extend_from_slice(b"\r\n");
    }
    text
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
        let table: [(&[u8], &[u8], &[u8]); 15] = [
            (b"id\x7fx", b"id\x08\x1b[Kx", b"ix"),
            (b"ix\x15", b"ix\x08\x08\x1b[K", b""),
            (b"echo abc def\x17", b"echo abc def\x08\x08\x08\x1b[K", b"echo abc "),
            (b"echo abc \x01", b"echo abc \r\x1b[C\x1b[C\x1b[C", b"echo abc "),
            (b"abc\x01\x05", b"abc\x08\x08\x08\x1b[C\x1b[C\x1b[C", b"abc"),
            (b"abc\x1b[D\x1b[DZ", b"abc\x08\x08\x1b[1@Z", b"aZbc"),
            (b"abc\x02\x0b", b"abc\x08\x1b[K", b"ab"),
            (b"ab\x1b[Cc", b"ab\x07c", b"abc"),
            (b"\x1b[200~echo p\x1b[201~x", b"\x1b[7mecho p\x1b[27m\r\x1b[C\x1b[C\x1b[Cecho px", b"echo px"),
            (b"\x1b[200~a\tb\rc\x1b[201~", b"\x1b[7ma    b\x1b[27m\r\n\r\x1b[7mc\x1b[27m", b"a\tb\nc"),
            (b"sleep 1\x15", b"sleep 1\r\x1b[C\x1b[C\x1b[C\x1b[K", b""),
            (b"abc\x02\x02\x04", b"abc\x08\x08\x1b[1P", b"ac"),
            (b"\x15\x1bx\x1b[24~", b"\x07\x07\x07", b""),
            (b"a\x1bOHb\x1b[Fc", b"a\x08\x1b[1@b\x1b[Cc", b"bac"),
            ("é\x7f".as_bytes(), "é\x08\x1b[K".as_bytes(), b""),
        ];
        for (keys, echoed, line) in table {
            let (mut editor, mut echo) = (Editor::default(), Vec::new());
            editor.begin(3);
            keys.iter().for_each(|key| assert_eq!(editor.key(*key, &mut echo), Stroke::Edit));
            assert_eq!((said(&echo), said(editor.line())), (said(echoed), said(line)), "{:?}", said(keys));
        }
    }

    /// As bash 5.2 does it in a folder with these four behind a prompt of six columns.
    #[test]
    fn words_are_completed_as_readline_does() {
        use alloc::string::ToString;
        let names = ["alpha", "alpine", "beta file", "sub/"];
        let mut told = Vec::new();
        for keys in [&b"cat al\t\t\tp\t"[..], b"cat be\t", b"cd s\t", b"cat z\t"] {
            let (mut editor, mut echo) = (Editor::default(), Vec::new());
            editor.begin(6);
            for key in keys {
                if editor.key(*key, &mut echo) != Stroke::Complete {
                    continue;
                }
                let word = said(editor.before_cursor()).rsplit(' ').next().unwrap().to_string();
                let names: Vec<_> = names.iter().filter(|name| name.starts_with(&word)).map(ToString::to_string).collect();
                if editor.complete(&Completion { typed: word.len(), names: names.clone() }, false, &mut echo).is_some() {
                    echo.extend(in_columns(&names, 80));
                }
            }
            told.push(said(&echo));
        }
        assert_eq!(told, ["cat al\x07p\x07\r\nalpha   alpine  \r\np\x07", "cat beta\\ file ", "cd sub/", "cat z\x07"]);
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

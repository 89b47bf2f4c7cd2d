//! What services of lines share: bytes become lines, or pieces of an announced length, and each is answered.

use crate::{
    ANSWER_BYTES_MAX, Findings, Flow, Pause, Session, Step,
    line::{Line, Lines},
};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

/// What a service of lines says to each of them.
pub(crate) trait Dialogue: Send {
    /// The longest line that is looked at, in bytes; the rest of a longer one is skipped, and it is called malformed.
    const LINE_BYTES_MAX: usize;
    /// The longest answer to one line or byte, in bytes.
    const REPLY_BYTES_MAX: usize;

    /// The greeting, if the service speaks first.
    fn greet(&mut self, _answer: &mut Vec<u8>) {}

    /// Answers a line without its end.
    fn line(&mut self, line: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow;

    /// How many bytes that are no line come now; asked after each line and each such piece.
    fn announced(&self) -> u64 {
        0
    }

    /// Takes one of them; `last` with the last one.
    fn piece(&mut self, _byte: u8, _last: bool, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    /// How long the answer to the last line or byte is kept back, in milliseconds; asked once after each.
    fn wait_ms(&mut self) -> u32 {
        0
    }

    /// No more bytes will come, and an unfinished line was answered.
    fn finish(&mut self) {}

    fn findings(&mut self) -> &mut Findings;
}

/// One connection to a service of lines.
pub(crate) struct Talk<D> {
    lines: Lines,
    /// Bytes of a piece that are still to come.
    piece: u64,
    over: bool,
    pause: Pause,
    dialogue: D,
}

impl<D: Dialogue> Talk<D> {
    pub(crate) const fn new(dialogue: D) -> Self {
        Self { lines: Lines::new(D::LINE_BYTES_MAX), piece: 0, over: false, pause: Pause { at: 0, ms: 0 }, dialogue }
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.over {
            return Flow::Close;
        }
        let at = answer.len();
        let flow = if self.piece > 0 {
            self.piece -= 1;
            self.dialogue.piece(byte, self.piece == 0, answer)
        } else {
            let Some(line) = self.lines.push(byte) else { return Flow::Continue };
            self.line(&line, now, answer)
        };
        if self.piece == 0 {
            self.piece = self.dialogue.announced();
        }
        self.over = flow == Flow::Close;
        self.pause = Pause::behind(&answer[..at], self.dialogue.wait_ms());
        flow
    }

    fn line(&mut self, line: &Line, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if line.cut {
            self.dialogue.findings().signs |= Signs::MALFORMED;
        }
        self.dialogue.line(&line.bytes, now, answer)
    }
}

impl<D: Dialogue> Session for Talk<D> {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        self.dialogue.greet(answer);
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - D::REPLY_BYTES_MAX;
        Step::by_byte_until_paused(bytes, answer, full, |byte, answer| (self.byte(byte, now, answer), self.pause.ms > 0))
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
    }

    fn end(&mut self) {
        if let (Some(line), false) = (self.lines.finish(), self.over) {
            let _ = self.line(&line, WallTime::default(), &mut Vec::new());
        }
        self.dialogue.finish();
        self.over = true;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(self.dialogue.findings())
    }
}

/// The first word, and what stands behind it and its spaces.
pub(crate) fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim_ascii_start())
}

//! What services of lines share: bytes become lines, or pieces of an announced length, and each is answered.

use crate::{
    ANSWER_BYTES_MAX, Findings, Flow, Pause, Session, Step, TlsManner,
    line::{Line, Lines},
    tls::is_web,
};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

/// What a service of lines says to each of them.
pub(crate) trait Dialogue: Send {
    /// The longest line that is looked at, in bytes; the rest of a longer one is skipped, and it is called malformed.
    const LINE_BYTES_MAX: usize;
    /// The longest answer to one line or byte, in bytes.
    const REPLY_BYTES_MAX: usize;
    /// [`Session::tls`].
    const TLS: TlsManner = TlsManner::Usual;
    /// [`Session::purges`].
    const PURGES: bool = false;
    /// [`Session::misses_tls`].
    const NO_TLS: &[u8] = &[];

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

    /// How many bytes came together with a line, behind it; told before the line.
    fn behind(&mut self, _bytes: usize) {}

    /// Both sides have a key, after the line that was answered with [`Flow::StartTls`].
    fn secured(&mut self) {}

    /// Whether what came together with the last line is still heard, though it was the last that is answered.
    fn hears_on(&self) -> bool {
        false
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
    /// TLS was asked for.
    asked: bool,
    pause: Pause,
    dialogue: D,
}

impl<D: Dialogue> Talk<D> {
    pub(crate) const fn new(dialogue: D) -> Self {
        Self {
            lines: Lines::new(D::LINE_BYTES_MAX),
            piece: 0,
            over: false,
            asked: false,
            pause: Pause { at: 0, ms: 0 },
            dialogue,
        }
    }

    /// Takes a byte with which `behind` more came.
    fn byte(&mut self, byte: u8, behind: usize, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.over {
            return Flow::Close;
        }
        let at = answer.len();
        let flow = if self.piece > 0 {
            self.piece -= 1;
            self.dialogue.piece(byte, self.piece == 0, answer)
        } else {
            let Some(line) = self.lines.push(byte) else { return Flow::Continue };
            // The rest of a line that is too long did not come behind it.
            self.dialogue.behind(if line.cut { 0 } else { behind });
            self.line(&line, now, answer)
        };
        if self.piece == 0 {
            self.piece = self.dialogue.announced();
        }
        self.over = flow == Flow::Close;
        self.asked = flow == Flow::StartTls;
        self.pause = Pause::behind(&answer[..at], self.dialogue.wait_ms());
        flow
    }

    /// Lines that nobody answers any more.
    fn hear_on(&mut self, bytes: &[u8], now: WallTime) {
        for byte in bytes {
            if let Some(line) = self.lines.push(*byte) {
                let _ = self.line(&line, now, &mut Vec::new());
            }
        }
        let _ = self.dialogue.wait_ms();
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
        if core::mem::take(&mut self.asked) {
            self.dialogue.secured();
        } else {
            self.dialogue.greet(answer);
        }
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - D::REPLY_BYTES_MAX;
        let mut behind = bytes.len();
        let step = Step::by_byte_until_paused(bytes, answer, full, |byte, answer| {
            behind -= 1;
            (self.byte(byte, behind, now, answer), self.pause.ms > 0)
        });
        if step.flow == Flow::Close && self.dialogue.hears_on() {
            self.hear_on(&bytes[step.taken..], now);
        }
        step
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

    fn tls(&self) -> TlsManner {
        D::TLS
    }

    fn purges(&mut self, behind: &[u8]) -> bool {
        if D::PURGES {
            let findings = self.dialogue.findings();
            findings.note("injected", behind);
            findings.signs |= Signs::MALFORMED;
        }
        D::PURGES
    }

    fn misses_tls(&mut self, head: &[u8], answer: &mut Vec<u8>) {
        if !is_web(head) {
            answer.extend_from_slice(D::NO_TLS);
        }
    }
}

/// The first word, and what stands behind it and its spaces.
pub(crate) fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim_ascii_start())
}

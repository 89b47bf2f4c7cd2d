//! How an answer is written, in RESP2 or in RESP3.

use crate::{ANSWER_BYTES_MAX, redis::data::number::text_of};
use alloc::{format, vec::Vec};

/// Behind so many bytes nothing more is written: such an answer is too long, and taken back.
const WRITTEN_BYTES_MAX: usize = 2 * ANSWER_BYTES_MAX;

/// An answer in RESP2, or in RESP3.
pub(super) struct Reply<'a> {
    pub(super) answer: &'a mut Vec<u8>,
    pub(super) is_resp3: bool,
}

impl Reply<'_> {
    pub(super) fn raw(&mut self, text: &str) {
        if self.answer.len() > WRITTEN_BYTES_MAX {
            return;
        }
        self.answer.extend_from_slice(text.as_bytes());
    }

    /// A stranger's word within an error: as C prints it, in one line.
    pub(super) fn repeat(&mut self, word: &[u8], bytes_max: usize) {
        let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len()).min(bytes_max);
        self.answer.extend(word[..end].iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    }

    /// A sign, a number, and the line's end.
    fn head(&mut self, sign: u8, number: usize) {
        if self.answer.len() > WRITTEN_BYTES_MAX {
            return;
        }
        let mut digits = [0; 20];
        let (mut at, mut rest) = (digits.len(), number);
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.answer.push(sign);
        self.answer.extend_from_slice(&digits[at..]);
        self.answer.extend_from_slice(b"\r\n");
    }

    pub(super) fn number(&mut self, number: usize) {
        self.head(b':', number);
    }

    pub(super) fn integer(&mut self, number: i64) {
        self.raw(&format!(":{number}\r\n"));
    }

    pub(super) fn double(&mut self, number: f64) {
        if self.is_resp3 {
            self.raw(&format!(",{}\r\n", text_of(number)));
        } else {
            self.bulk(text_of(number).as_bytes());
        }
    }

    pub(super) fn bulk(&mut self, bytes: &[u8]) {
        if self.answer.len() > WRITTEN_BYTES_MAX {
            return;
        }
        // Most are short, and there may be a thousand: these are written in one piece.
        let Some(length) = u8::try_from(bytes.len()).ok().filter(|length| *length < 10) else {
            self.head(b'$', bytes.len());
            self.answer.extend_from_slice(bytes);
            self.answer.extend_from_slice(b"\r\n");
            return;
        };
        let end = bytes.len() + 4;
        let mut frame = [b'$', b'0' + length, b'\r', b'\n', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        frame[4..end].copy_from_slice(bytes);
        frame[end..end + 2].copy_from_slice(b"\r\n");
        self.answer.extend_from_slice(&frame[..end + 2]);
    }

    /// A text, or that there is none.
    pub(super) fn bulk_or_nil(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.nil(),
        }
    }

    /// Text for people.
    pub(super) fn verbatim(&mut self, text: &str) {
        if self.is_resp3 {
            self.raw(&format!("={}\r\ntxt:{text}\r\n", text.len() + 4));
        } else {
            self.bulk(text.as_bytes());
        }
    }

    pub(super) fn nil(&mut self) {
        self.raw(if self.is_resp3 { "_\r\n" } else { "$-1\r\n" });
    }

    /// No values, where several would be.
    pub(super) fn nil_list(&mut self) {
        self.raw(if self.is_resp3 { "_\r\n" } else { "*-1\r\n" });
    }

    /// Something with so many parts that was not asked for.
    pub(super) fn push(&mut self, parts: usize) {
        self.head(if self.is_resp3 { b'>' } else { b'*' }, parts);
    }

    /// So many values follow.
    pub(super) fn array(&mut self, values: usize) {
        self.head(b'*', values);
    }

    /// So many different values follow.
    pub(super) fn set(&mut self, values: usize) {
        self.head(if self.is_resp3 { b'~' } else { b'*' }, values);
    }

    /// So many pairs follow.
    pub(super) fn map(&mut self, pairs: usize) {
        if self.is_resp3 {
            self.head(b'%', pairs);
        } else {
            self.head(b'*', pairs * 2);
        }
    }

    /// The only module, which comes with the server.
    pub(super) fn modules(&mut self) {
        self.raw("*1\r\n");
        self.map(4);
        self.bulk(b"name");
        self.bulk(b"vectorset");
        self.bulk(b"ver");
        self.raw(":1\r\n");
        self.bulk(b"path");
        self.bulk(b"");
        self.bulk(b"args");
        self.raw("*0\r\n");
    }

    pub(super) fn list<'w>(&mut self, words: impl ExactSizeIterator<Item = &'w [u8]>) {
        self.array(words.len());
        words.for_each(|word| self.bulk(word));
    }
}

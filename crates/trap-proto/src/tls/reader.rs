//! Puts a hello together from the records it comes in.

use super::{HANDSHAKE, Hello, RECORD_HEAD_BYTES};
use alloc::vec::Vec;

/// The longest hello with the heads of its records, in bytes; a longer one is none.
pub const HELLO_BYTES_MAX: usize = 16 * 1_024;
/// A message's head: kind, length.
const MESSAGE_HEAD_BYTES: usize = 4;
const CLIENT_HELLO: u8 = 1;

/// What one more byte made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Heard {
    /// More must come.
    More,
    /// This was the last byte.
    Whole,
    /// It is no hello, and never becomes one.
    Other,
}

/// A hello while it comes in, over as many records as the stranger likes.
#[derive(Debug, Default)]
pub struct HelloReader {
    head: [u8; RECORD_HEAD_BYTES],
    head_bytes: usize,
    /// Bytes of the record that are still to come.
    left: usize,
    bytes: usize,
    message: Vec<u8>,
}

impl HelloReader {
    /// Takes one byte.
    pub fn push(&mut self, byte: u8) -> Heard {
        self.bytes += 1;
        if self.bytes > HELLO_BYTES_MAX {
            return Heard::Other;
        }
        if self.left == 0 { self.head(byte) } else { self.content(byte) }
    }

    /// The hello; `None` before it is whole, or if it is broken inside.
    #[must_use]
    pub fn hello(&self) -> Option<Hello> {
        Hello::read(self.message.get(MESSAGE_HEAD_BYTES..)?)
    }

    fn head(&mut self, byte: u8) -> Heard {
        let fits = match self.head_bytes {
            0 => byte == HANDSHAKE,
            1 => byte == 3,
            2 => byte <= 4,
            _ => true,
        };
        if let Some(place) = self.head.get_mut(self.head_bytes) {
            *place = byte;
        }
        self.head_bytes += 1;
        if self.head_bytes == RECORD_HEAD_BYTES {
            let [_, _, _, high, low] = self.head;
            self.head_bytes = 0;
            self.left = usize::from(u16::from_be_bytes([high, low]));
            return if self.left == 0 { Heard::Other } else { Heard::More };
        }
        if fits { Heard::More } else { Heard::Other }
    }

    fn content(&mut self, byte: u8) -> Heard {
        self.left -= 1;
        self.message.push(byte);
        match self.message.as_slice() {
            [kind, ..] if *kind != CLIENT_HELLO => Heard::Other,
            [_, a, b, c, rest @ ..] if rest.len() >= u32::from_be_bytes([0, *a, *b, *c]) as usize => Heard::Whole,
            _ => Heard::More,
        }
    }
}

//! Messages of the debugging bridge: a head of 24 bytes and a body of at most 4 KiB.

use alloc::vec::Vec;

/// The longest body, in bytes: what this Android has room for, and says so.
pub(super) const BODY_BYTES_MAX: usize = 4 * 1_024;
const HEAD_BYTES: usize = 24;

pub(super) const CNXN: u32 = u32::from_le_bytes(*b"CNXN");
pub(super) const AUTH: u32 = u32::from_le_bytes(*b"AUTH");
pub(super) const OPEN: u32 = u32::from_le_bytes(*b"OPEN");
pub(super) const OKAY: u32 = u32::from_le_bytes(*b"OKAY");
pub(super) const CLSE: u32 = u32::from_le_bytes(*b"CLSE");
pub(super) const WRTE: u32 = u32::from_le_bytes(*b"WRTE");

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) command: u32,
    pub(super) first: u32,
    pub(super) second: u32,
    pub(super) body: Vec<u8>,
}

/// Collects one message at a time.
#[derive(Default)]
pub(super) struct Messages {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Messages {
    /// Takes one byte; the message that it ends. An error is a head that is none.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Message>, ()> {
        if self.head.len() < HEAD_BYTES {
            self.head.push(byte);
            if self.head.len() < HEAD_BYTES {
                return Ok(None);
            }
            if self.word(5) != !self.word(0) || self.length() > BODY_BYTES_MAX {
                return Err(());
            }
        } else {
            self.body.push(byte);
        }
        Ok(if self.body.len() >= self.length() { Some(self.whole()) } else { None })
    }

    fn whole(&mut self) -> Message {
        let (command, first, second) = (self.word(0), self.word(1), self.word(2));
        self.head.clear();
        Message { command, first, second, body: core::mem::take(&mut self.body) }
    }

    /// No more bytes will come: the message of which the head is there.
    pub(super) fn finish(&mut self) -> Option<Message> {
        (self.head.len() == HEAD_BYTES).then(|| self.whole())
    }

    fn length(&self) -> usize {
        usize::try_from(self.word(3)).unwrap_or(usize::MAX)
    }

    fn word(&self, index: usize) -> u32 {
        let bytes = self.head.get(4 * index..4 * index + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(bytes.unwrap_or_default())
    }
}

/// Appends a message.
pub(super) fn write(command: u32, first: u32, second: u32, body: &[u8], answer: &mut Vec<u8>) {
    let body = &body[..body.len().min(BODY_BYTES_MAX)];
    let sum = body.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    let length = u32::try_from(body.len()).unwrap_or_default();
    for word in [command, first, second, length, sum, !command] {
        answer.extend_from_slice(&word.to_le_bytes());
    }
    answer.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_are_written() {
        let mut bytes = Vec::new();
        write(OPEN, 7, 0, b"shell:id\0", &mut bytes);
        write(OKAY, 1, 2, b"", &mut bytes);
        let mut messages = Messages::default();
        let read: Vec<Message> = bytes.iter().filter_map(|byte| messages.push(*byte).unwrap()).collect();
        assert_eq!((read[0].command, read[0].first, read[0].body.as_slice()), (OPEN, 7, &b"shell:id\0"[..]));
        assert_eq!((read[1].command, read[1].second, read.len()), (OKAY, 2, 2));
        assert_eq!(bytes[..4], *b"OPEN");
        let mut long = Vec::new();
        write(WRTE, 1, 1, b"", &mut long);
        long[12..16].copy_from_slice(&4_097_u32.to_le_bytes());
        assert!(long[..23].iter().all(|byte| messages.push(*byte) == Ok(None)));
        assert_eq!(messages.push(long[23]), Err(()), "nothing is reserved for what is too long");
    }
}

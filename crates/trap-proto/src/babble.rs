//! What a tarpit says before a greeting that never comes.
//!
//! An SSH server may send lines before its identification (RFC 4253, section 4.2), and clients read them without end.

use crate::text::random_below;

/// Characters of a line, at least, and how many more it may have.
const LINE_BYTES_MIN: u32 = 3;
const LINE_BYTES_MORE: u32 = 30;
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Lines without sense and without end, one byte after the other, in sixteen bytes of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Babble {
    seed: u64,
    /// Bytes of this line that are still to come, its end among them.
    left: u32,
}

impl Babble {
    pub(crate) fn new(seed: u64) -> Self {
        let mut babble = Self { seed, left: 0 };
        babble.begin();
        babble
    }

    /// The next byte. No line is an identification.
    pub fn byte(&mut self) -> u8 {
        let byte = match self.left {
            2 => b'\r',
            0 | 1 => b'\n',
            _ => usize::try_from(random_below(&mut self.seed, 32)).ok().and_then(|at| LETTERS.get(at)).copied().unwrap_or(b'a'),
        };
        if self.left <= 1 {
            self.begin();
        } else {
            self.left -= 1;
        }
        byte
    }

    fn begin(&mut self) {
        self.left = LINE_BYTES_MIN + random_below(&mut self.seed, LINE_BYTES_MORE) + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn lines_have_no_end_and_none_is_a_greeting() {
        let mut babble = Babble::new(7);
        let said: Vec<u8> = (0..20_000).map(|_| babble.byte()).collect();
        let lines: Vec<&[u8]> = said.split_inclusive(|byte| *byte == b'\n').collect();
        assert!(
            lines.len() > 500
                && lines[..lines.len() - 1].iter().all(|line| line.ends_with(b"\r\n") && (5..=255).contains(&line.len()))
        );
        assert!(lines.iter().all(|line| !line.starts_with(b"SSH-") && line.is_ascii()));
        assert_ne!(said[..50], (0..50).map(|_| Babble::new(8).byte()).collect::<Vec<u8>>()[..]);
    }
}

//! Collects a number of bytes that was decided before: heads of packets, and packets of a checked length.

use alloc::vec::Vec;

/// The bytes so far, and how many it takes.
pub(crate) struct Exactly {
    held: Vec<u8>,
    wanted: usize,
}

impl Exactly {
    /// Wants `wanted` bytes; whoever asks has bounded that. Nothing is reserved for what did not come yet.
    pub(crate) const fn new(wanted: usize) -> Self {
        Self { held: Vec::new(), wanted }
    }

    /// Takes one; all of them, if this was the last.
    pub(crate) fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        self.held.push(byte);
        (self.held.len() >= self.wanted).then(|| core::mem::take(&mut self.held))
    }

    /// Nothing of it is there yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What is there of it.
    pub(crate) fn held(&self) -> &[u8] {
        &self.held
    }

    /// Goes on with another number.
    pub(crate) fn want(&mut self, wanted: usize) {
        self.held.clear();
        self.wanted = wanted;
    }
}

/// Reads a stranger's structure from its front; every part may be missing.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    /// Up to a NUL, which is taken, too.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.0)?;
        let text = self.bytes(end);
        self.bytes(1)?;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_collected_to_the_number_and_read_from_the_front() {
        let mut exactly = Exactly::new(2);
        assert_eq!((exactly.push(1), exactly.push(2)), (None, Some(alloc::vec![1, 2])));
        exactly.want(1);
        assert_eq!(exactly.push(3), Some(alloc::vec![3]));
        let mut reader = Reader(b"ab\0cd");
        assert_eq!((reader.text(), reader.text(), reader.byte(), reader.bytes(9)), (Some(&b"ab"[..]), None, Some(b'c'), None));
    }
}

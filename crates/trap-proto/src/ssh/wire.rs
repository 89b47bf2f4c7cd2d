//! SSH's data types (RFC 4251, section 5), written and read.

use alloc::vec::Vec;

/// Appends a string: its length, then its bytes.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nothing that is written here comes near 4 GiB.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a positive number given as big-endian bytes, without leading zeros, and with one if it would look negative.
pub(super) fn put_mpint(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    let sign: &[u8] = if digits.first().is_some_and(|first| *first >= 0x80) { &[0] } else { &[] };
    put_string(out, &[sign, digits].concat());
}

/// The payload of a message: its number, and what `write` appends.
pub(super) fn message(kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut payload = alloc::vec![kind];
    write(&mut payload);
    payload
}

/// Whether OpenSSH takes it for a string of C's.
pub(super) fn is_text(string: &[u8]) -> bool {
    !string.split_last().is_some_and(|(_, before)| before.contains(&0))
}

/// Reads a stranger's message from its front; every part may be missing.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.byte().map(|byte| byte != 0)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }

    /// A string that OpenSSH takes for one of C's: a nought stands at its end, if at all.
    pub(super) fn c_string(&mut self) -> Option<&'a [u8]> {
        self.string().filter(|string| is_text(string))
    }

    /// Nothing is left.
    pub(super) const fn end(&self) -> Option<()> {
        if self.0.is_empty() { Some(()) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4251, section 5.
    #[test]
    fn numbers_are_written_as_the_standard_shows() {
        let table: [(&[u8], &[u8]); 4] = [
            (&[0, 0], &[0, 0, 0, 0]),
            (&[0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7], &[0, 0, 0, 8, 0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7]),
            (&[0x80], &[0, 0, 0, 2, 0, 0x80]),
            (&[0, 1], &[0, 0, 0, 1, 1]),
        ];
        for (number, expected) in table {
            let mut out = Vec::new();
            put_mpint(&mut out, number);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn what_is_written_is_read_and_a_lying_length_is_not() {
        let bytes = message(7, |out| put_string(out, b"ab"));
        let mut fields = Fields(&bytes);
        assert_eq!((fields.byte(), fields.string(), fields.byte()), (Some(7), Some(&b"ab"[..]), None));
        assert_eq!(Fields(&[0, 0, 0, 9, 1]).string(), None);
        assert_eq!(Fields(&[1, 2, 3]).number(), None);
    }
}

//! TLS whose handshake is carried in packets of TDS, as SQL Server has it (MS-TDS, 3.2.5.2).

use crate::exactly::Exactly;
use alloc::vec::Vec;

/// Kind, status, length with the head itself, connection, number, window.
const HEAD_BYTES: usize = 8;
/// The kind of a packet that carries the handshake: a pre-login.
const PRELOGIN: u8 = 0x12;
/// The longest packet, in bytes, before another length is agreed upon.
const PACKET_BYTES_MAX: usize = 4_096;
/// The status of a message's last packet.
const LAST: u8 = 1;

/// The packets around a handshake: what is in those that come, and those that go.
pub struct TdsEnvelope {
    coming: Exactly,
    /// The head of what comes, once it is whole.
    head: Vec<u8>,
}

impl Default for TdsEnvelope {
    fn default() -> Self {
        Self { coming: Exactly::new(HEAD_BYTES), head: Vec::new() }
    }
}

impl TdsEnvelope {
    /// Takes bytes up to the end of a packet, and appends what was in it to `tls`. How many it took; `None`: they are no such packet.
    pub fn open(&mut self, bytes: &[u8], tls: &mut Vec<u8>) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            let Some(whole) = self.coming.push(*byte) else { continue };
            if !self.head.is_empty() {
                tls.extend_from_slice(&whole);
                *self = Self::default();
                return Some(index + 1);
            }
            let [PRELOGIN, _, high, low, ..] = *whole else { return None };
            let bytes = usize::from(u16::from_be_bytes([high, low]));
            if !(HEAD_BYTES + 1..=PACKET_BYTES_MAX).contains(&bytes) {
                return None;
            }
            self.head = whole;
            self.coming.want(bytes - HEAD_BYTES);
        }
        Some(bytes.len())
    }

    /// What was taken of a packet that is not whole: evidence, if it never becomes that.
    #[must_use]
    pub fn held(&self) -> Vec<u8> {
        [&self.head, self.coming.held()].concat()
    }

    /// Appends the packets that carry this.
    pub fn seal(tls: &[u8], answer: &mut Vec<u8>) {
        let mut parts = tls.chunks(PACKET_BYTES_MAX - HEAD_BYTES).peekable();
        let mut number = 0_u8;
        while let Some(part) = parts.next() {
            let [high, low] = u16::try_from(HEAD_BYTES + part.len()).unwrap_or(u16::MAX).to_be_bytes();
            let status = if parts.peek().is_none() { LAST } else { 0 };
            number = number.wrapping_add(1);
            answer.extend_from_slice(&[PRELOGIN, status, high, low, 0, 0, number, 0]);
            answer.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_packet_of_a_handshake_is_refused() {
        for bytes in [&b"\x10\x01\0\x09\0\0\0\0x"[..], b"\x12\x01\0\x08\0\0\0\0", b"\x12\x01\x10\x01\0\0\0\0"] {
            assert_eq!(TdsEnvelope::default().open(bytes, &mut Vec::new()), None);
        }
        let mut envelope = TdsEnvelope::default();
        for piece in [&b"\x12\x01\0\x0c\0\0"[..], b"\0\0ab", b"c"] {
            assert_eq!(envelope.open(piece, &mut Vec::new()), Some(piece.len()));
        }
        assert_eq!(envelope.held(), b"\x12\x01\0\x0c\0\0\0\0abc");
        assert_eq!((envelope.open(b"d", &mut Vec::new()), envelope.held().len()), (Some(1), 0));
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened_however_it_is_cut(tls in proptest::collection::vec(any::<u8>(), 1..9_000), cut in 1_usize..600) {
            let (mut sealed, mut opened, mut envelope) = (Vec::new(), Vec::new(), TdsEnvelope::default());
            TdsEnvelope::seal(&tls, &mut sealed);
            for mut piece in sealed.chunks(cut) {
                while !piece.is_empty() {
                    let taken = envelope.open(piece, &mut opened).unwrap();
                    piece = &piece[taken..];
                }
            }
            prop_assert_eq!(opened, tls);
        }
    }
}

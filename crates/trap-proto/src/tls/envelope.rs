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
    is_head: bool,
}

impl Default for TdsEnvelope {
    fn default() -> Self {
        Self { coming: Exactly::new(HEAD_BYTES), is_head: true }
    }
}

impl TdsEnvelope {
    /// Takes bytes up to the end of a packet, and appends what was in it to `tls`. How many it took; `None`: they are no such packet.
    pub fn open(&mut self, bytes: &[u8], tls: &mut Vec<u8>) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            let Some(whole) = self.coming.push(*byte) else { continue };
            if !self.is_head {
                tls.extend_from_slice(&whole);
                *self = Self::default();
                return Some(index + 1);
            }
            let [PRELOGIN, _, high, low, ..] = *whole else { return None };
            let bytes = usize::from(u16::from_be_bytes([high, low]));
            if !(HEAD_BYTES + 1..=PACKET_BYTES_MAX).contains(&bytes) {
                return None;
            }
            self.is_head = false;
            self.coming.want(bytes - HEAD_BYTES);
        }
        Some(bytes.len())
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

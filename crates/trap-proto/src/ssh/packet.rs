//! SSH's unencrypted binary packets (RFC 4253, section 6), cut from a stream with bounded memory.

use alloc::vec::Vec;

/// The longest packet that OpenSSH takes, without its length field, in bytes.
const PACKET_BYTES_MAX: u32 = 256 * 1_024;
/// The part of a packet that is kept; the rest is skipped.
const PACKET_KEPT_BYTES_MAX: usize = 8 * 1_024;
/// What an unencrypted packet with its length field is a multiple of, in bytes.
const BLOCK_BYTES: u32 = 8;
const PADDING_BYTES_MIN: usize = 4;
const LENGTH_BYTES: usize = 4;

/// A packet that no SSH implementation would send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

/// One packet without length and padding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) payload: Vec<u8>,
    /// It was longer than what is kept.
    pub(super) cut: bool,
}

impl Packet {
    /// The message number.
    pub(super) fn kind(&self) -> Option<u8> {
        self.payload.first().copied()
    }
}

/// Collects one packet at a time.
#[derive(Default)]
pub(super) struct Packets {
    held: Vec<u8>,
    /// Bytes of this packet that were seen, kept or not, with its length field.
    seen: usize,
    /// Its length without the length field, once that is known.
    length: usize,
}

impl Packets {
    /// Takes one byte; the packet, if this byte ended one.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Packet>, Corrupt> {
        if self.held.len() < PACKET_KEPT_BYTES_MAX {
            self.held.push(byte);
        }
        self.seen += 1;
        if self.seen == LENGTH_BYTES {
            self.length = length(&self.held)?;
        }
        if self.seen < LENGTH_BYTES || self.seen < LENGTH_BYTES + self.length {
            return Ok(None);
        }
        let whole = core::mem::take(self);
        whole.packet().map(Some).ok_or(Corrupt)
    }

    fn packet(self) -> Option<Packet> {
        let padding = usize::from(*self.held.get(LENGTH_BYTES)?);
        let payload_bytes = self.length.checked_sub(padding + 1)?;
        if padding < PADDING_BYTES_MIN || payload_bytes == 0 {
            return None;
        }
        let start = LENGTH_BYTES + 1;
        let end = (start + payload_bytes).min(self.held.len());
        Some(Packet { payload: self.held.get(start..end)?.to_vec(), cut: end < start + payload_bytes })
    }
}

fn length(held: &[u8]) -> Result<usize, Corrupt> {
    let field = held.first_chunk::<LENGTH_BYTES>().ok_or(Corrupt)?;
    let length = u32::from_be_bytes(*field);
    let sound = (5..=PACKET_BYTES_MAX).contains(&length) && (length + 4).is_multiple_of(BLOCK_BYTES);
    if sound { usize::try_from(length).map_err(|_| Corrupt) } else { Err(Corrupt) }
}

/// `payload` as a packet, padded with zeros as OpenSSH pads before there are keys.
pub(super) fn framed(payload: &[u8]) -> Vec<u8> {
    let block = 8;
    let padding = PADDING_BYTES_MIN + (block - (LENGTH_BYTES + 1 + payload.len() + PADDING_BYTES_MIN) % block) % block;
    let length = u32::try_from(1 + payload.len() + padding).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(LENGTH_BYTES + 1 + payload.len() + padding);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.push(u8::try_from(padding).unwrap_or(u8::MAX));
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len() + padding, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(bytes: &[u8]) -> Result<Vec<Packet>, Corrupt> {
        let mut packets = Packets::default();
        bytes.iter().filter_map(|byte| packets.push(*byte).transpose()).collect()
    }

    #[test]
    fn what_is_framed_is_cut_again() {
        for length in [1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000] {
            let payload = alloc::vec![7_u8; length];
            let bytes = framed(&payload);
            assert!(bytes.len().is_multiple_of(8) && bytes[4] >= 4, "{length}");
            assert_eq!(
                cut(&[bytes.clone(), bytes].concat()).unwrap(),
                [(); 2].map(|()| Packet { payload: payload.clone(), cut: false })
            );
        }
    }

    #[test]
    fn impossible_lengths_are_corrupt() {
        for length in [0_u32, 1, 4, 5, 13, PACKET_BYTES_MAX + 4, u32::MAX] {
            assert_eq!(cut(&length.to_be_bytes()), Err(Corrupt), "{length}");
        }
        let eats_itself = [0, 0, 0, 12, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(cut(&eats_itself), Err(Corrupt), "more padding than packet");
        let no_padding = [0, 0, 0, 12, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(cut(&no_padding), Err(Corrupt));
    }

    #[test]
    fn a_long_packet_is_cut_and_does_not_disturb_the_next() {
        let long = framed(&alloc::vec![2; 100_000]);
        let packets = cut(&[long, framed(&[9])].concat()).unwrap();
        assert_eq!((packets[0].cut, packets[0].payload.len()), (true, PACKET_KEPT_BYTES_MAX - 5));
        assert_eq!(packets[1], Packet { payload: alloc::vec![9], cut: false });
    }
}

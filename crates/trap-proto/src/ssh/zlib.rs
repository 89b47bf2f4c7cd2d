//! `zlib@openssh.com` (RFC 4253, section 6.2), which begins once somebody is let in.
//!
//! What comes is unpacked with a bound; what goes is put into blocks that are not compressed, which is as good a stream.

use alloc::{boxed::Box, vec, vec::Vec};
use miniz_oxide::{
    DataFormat, MZError, MZFlush,
    inflate::stream::{InflateState, inflate},
};

/// The longest payload that a packet unpacks to, in bytes; a longer one is corrupt.
const UNPACKED_BYTES_MAX: usize = 35_000;
/// A zlib stream's first two bytes, at the usual level.
const HEAD: [u8; 2] = [0x78, 0x9c];
/// The longest block, in bytes.
const BLOCK_BYTES_MAX: usize = 0xffff;

/// The stranger's stream: some 43 KiB.
pub(super) struct Unpacker(Box<InflateState>);

impl Unpacker {
    pub(super) fn new() -> Self {
        Self(InflateState::new_boxed(DataFormat::Zlib))
    }

    /// A packet's payload; `None` if it is none or too long.
    pub(super) fn unpack(&mut self, packed: &[u8]) -> Option<Vec<u8>> {
        let mut payload = vec![0; UNPACKED_BYTES_MAX + 1];
        let done = inflate(&mut self.0, packed, &mut payload, MZFlush::Sync);
        let is_whole = done.bytes_consumed == packed.len() && done.bytes_written <= UNPACKED_BYTES_MAX;
        let is_sound = matches!(done.status, Ok(_) | Err(MZError::Buf));
        payload.truncate(done.bytes_written);
        (is_whole && is_sound && !payload.is_empty()).then(|| payload.as_slice().to_vec())
    }
}

/// Our stream.
#[derive(Default)]
pub(super) struct Packer {
    has_begun: bool,
}

impl Packer {
    /// A payload as the stream's next blocks.
    pub(super) fn pack(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut packed = if self.has_begun { Vec::new() } else { HEAD.to_vec() };
        self.has_begun = true;
        for block in payload.chunks(BLOCK_BYTES_MAX) {
            let bytes = u16::try_from(block.len()).unwrap_or_default();
            packed.push(0);
            packed.extend_from_slice(&bytes.to_le_bytes());
            packed.extend_from_slice(&(!bytes).to_le_bytes());
            packed.extend_from_slice(block);
        }
        packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_packet_by_packet() {
        let (mut packer, mut unpacker) = (Packer::default(), Unpacker::new());
        for payload in [&b"one"[..], b"two", &[7; 30_000]] {
            assert_eq!(unpacker.unpack(&packer.pack(payload)).as_deref(), Some(payload));
        }
        assert_eq!(unpacker.unpack(b"\xff\xff\xff"), None);
    }

    #[test]
    fn a_bomb_is_no_payload() {
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&[0; 1_000_000], 9);
        assert!(bomb.len() < 2_000);
        assert_eq!(Unpacker::new().unpack(&bomb), None);
    }
}

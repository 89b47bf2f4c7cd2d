//! UMAC (RFC 4418) with tags of 64 and 128 bits, as OpenSSH has them: most of its list of MACs is made of it.

use aes::{
    Aes128,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use alloc::{vec, vec::Vec};

/// Message bytes that one run of the first layer takes.
const CHUNK_BYTES: usize = 1_024;
/// Four bytes of tag for each of these.
const TAG_PART_BYTES: usize = 4;
/// The prime of the second layer, 2^64 - 59, and of the third, 2^36 - 5.
const P64: u128 = (1 << 64) - 59;
const MARKER: u64 = u64::MAX - 59;
const P36: u64 = (1 << 36) - 5;
/// Words from here on are escaped in the second layer.
const WORD_MAX: u64 = 0xffff_ffff_0000_0000;
const L2_MASK: u64 = 0x01ff_ffff_01ff_ffff;

/// A keyed UMAC; its tags are 8 or 16 bytes long.
pub(super) struct Umac {
    pad: Aes128,
    tag_bytes: usize,
    /// The first layer's key, as words.
    l1: Vec<u32>,
    l2: Vec<u64>,
    l3: Vec<[u64; 8]>,
    l3_masks: Vec<u32>,
}

impl Umac {
    pub(super) const KEY_BYTES: usize = 16;

    /// With a tag of `tag_bytes`: 8 or 16.
    pub(super) fn new(key: &[u8; Self::KEY_BYTES], tag_bytes: usize) -> Self {
        let aes = Aes128::new(key.into());
        let runs = tag_bytes / TAG_PART_BYTES;
        let words =
            |bytes: Vec<u8>| bytes.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]])).collect();
        let pad_key: [u8; 16] = derive(&aes, 0, 16).try_into().unwrap_or_default();
        let l2 = longs(&derive(&aes, 2, runs * 24));
        let l3 = longs(&derive(&aes, 3, runs * 64));
        Self {
            pad: Aes128::new(&pad_key.into()),
            tag_bytes,
            l1: words(derive(&aes, 1, CHUNK_BYTES + (runs - 1) * 16)),
            // Only the first of three keys is ever used: the others are for messages of 16 MiB and more.
            l2: l2.iter().step_by(3).map(|key| key & L2_MASK).collect(),
            l3: l3.as_chunks::<8>().0.iter().map(|keys| keys.map(|key| key % P36)).collect(),
            l3_masks: words(derive(&aes, 4, runs * 4)),
        }
    }

    /// The tag of `message` under a packet's number; its first `tag_bytes` bytes count.
    pub(super) fn tag(&self, number: u64, message: &[u8]) -> [u8; 16] {
        let mut tag = self.one_time_pad(number);
        for (run, part) in tag.chunks_mut(TAG_PART_BYTES).take(self.tag_bytes / TAG_PART_BYTES).enumerate() {
            let hash = self.hash(run, message).to_be_bytes();
            part.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte ^= hashed);
        }
        tag
    }

    fn one_time_pad(&self, number: u64) -> [u8; 16] {
        let (nonce, index) = if self.tag_bytes == 8 { (number & !1, usize::from(number & 1 == 1)) } else { (number, 0) };
        let mut block = [0; 16];
        block[..8].copy_from_slice(&nonce.to_be_bytes());
        let mut block = block.into();
        self.pad.encrypt_block(&mut block);
        let mut pad = [0; 16];
        pad[..self.tag_bytes].copy_from_slice(&block[index * 8..index * 8 + self.tag_bytes]);
        pad
    }

    fn hash(&self, run: usize, message: &[u8]) -> u32 {
        let key = &self.l1[run * 4..run * 4 + CHUNK_BYTES / 4];
        let hashed = if message.len() <= CHUNK_BYTES {
            u128::from(first_layer(key, message))
        } else {
            message.chunks(CHUNK_BYTES).fold(1, |sum, chunk| second_layer(self.l2[run], sum, first_layer(key, chunk)))
        };
        let words = hashed.to_be_bytes();
        let sum = words.as_chunks::<2>().0.iter().zip(self.l3[run]).fold(0_u64, |sum, (word, key)| {
            // At most 8 · 2^16 · 2^36.
            sum + u64::from(u16::from_be_bytes(*word)) * key
        });
        low(sum % P36) ^ self.l3_masks[run]
    }
}

/// `NH` of one chunk, padded with zeros to a multiple of 32 bytes.
fn first_layer(key: &[u32], chunk: &[u8]) -> u64 {
    let bits = chunk.len() as u64 * 8;
    let mut sum = bits;
    let mut padded = [0; 32];
    // Nothing at all is hashed as a group of zeros.
    let chunk = if chunk.is_empty() { &[0; 32] } else { chunk };
    for (at, group) in chunk.chunks(32).enumerate() {
        let group = if let Some(whole) = group.first_chunk::<32>() {
            whole
        } else {
            padded[..group.len()].copy_from_slice(group);
            &padded
        };
        let word = |index: usize| {
            u32::from_le_bytes([group[index * 4], group[index * 4 + 1], group[index * 4 + 2], group[index * 4 + 3]])
        };
        for index in 0..4 {
            let left = word(index).wrapping_add(key[at * 8 + index]);
            let right = word(index + 4).wrapping_add(key[at * 8 + index + 4]);
            sum = sum.wrapping_add(u64::from(left) * u64::from(right));
        }
    }
    sum
}

/// One step of `POLY`; `sum` begins with 1 and stays below the prime.
fn second_layer(key: u64, sum: u128, word: u64) -> u128 {
    let times = |sum: u128, plus: u64| (u128::from(key) * sum + u128::from(plus)) % P64;
    if word >= WORD_MAX { times(times(sum, MARKER), word - 59) } else { times(sum, word) }
}

/// RFC 4418's `KDF`.
fn derive(aes: &Aes128, index: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes.next_multiple_of(16)];
    for (block, counter) in out.chunks_mut(16).zip(1_u64..) {
        let mut input = [0; 16];
        input[..8].copy_from_slice(&index.to_be_bytes());
        input[8..].copy_from_slice(&counter.to_be_bytes());
        let mut input = input.into();
        aes.encrypt_block(&mut input);
        block.copy_from_slice(&input);
    }
    out.truncate(bytes);
    out
}

fn longs(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|long| u64::from_be_bytes(*long)).collect()
}

/// The low half.
fn low(number: u64) -> u32 {
    let [_, _, _, _, bytes @ ..] = number.to_be_bytes();
    u32::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::hex;

    /// RFC 4418, appendix.
    #[test]
    fn tags_are_those_of_the_standard() {
        let number = u64::from_be_bytes(*b"bcdefghi");
        let umac = Umac::new(b"abcdefghijklmnop", 8);
        let table: [(Vec<u8>, &str); 6] = [
            (Vec::new(), "6e155fad26900be1"),
            (b"a".repeat(3), "44b5cb542f220104"),
            (b"a".repeat(1 << 10), "26bf2f5d60118bd9"),
            (b"a".repeat(1 << 15), "27f8ef643b0d118d"),
            (b"abc".to_vec(), "d4d7b9f6bd4fbfcf"),
            (b"abc".repeat(500), "d4cf26ddefd5c01a"),
        ];
        for (message, tag) in table {
            assert_eq!(hex(&umac.tag(number, &message)[..8]), tag, "{} bytes", message.len());
        }
        let long = Umac::new(b"abcdefghijklmnop", 16);
        assert_eq!(hex(&long.tag(number, b"")), "32fedb100c79ad58f07ff7643cc60465");
    }
}

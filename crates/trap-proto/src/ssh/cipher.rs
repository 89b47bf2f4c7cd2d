//! The ciphers of OpenSSH's list: one direction of a connection, sealed or opened packet by packet.

use super::mac::{Mac, MacKind};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm, KeyInit, Nonce, Tag};
use alloc::{boxed::Box, vec::Vec};
use chacha20::{
    ChaCha20,
    cipher::{KeyIvInit, StreamCipher, StreamCipherSeek},
};
use ctr::Ctr128BE;
use poly1305::Poly1305;

/// A packet's length field, in bytes.
pub(super) const LENGTH_BYTES: usize = 4;
const POLY_KEY_BYTES: usize = 32;
/// Where the second block of ChaCha20's stream begins; the first one is Poly1305's key.
const SECOND_BLOCK: u64 = 64;
const AEAD_TAG_BYTES: usize = 16;

/// Which cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CipherKind {
    ChaChaPoly,
    Aes128Gcm,
    Aes256Gcm,
    Aes128Ctr,
    Aes192Ctr,
    Aes256Ctr,
}

impl CipherKind {
    /// By its name in the offer.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"chacha20-poly1305@openssh.com" => Self::ChaChaPoly,
            b"aes128-gcm@openssh.com" => Self::Aes128Gcm,
            b"aes256-gcm@openssh.com" => Self::Aes256Gcm,
            b"aes128-ctr" => Self::Aes128Ctr,
            b"aes192-ctr" => Self::Aes192Ctr,
            b"aes256-ctr" => Self::Aes256Ctr,
            _ => return None,
        })
    }

    /// Whether it authenticates what it encrypts, so that no MAC is agreed upon.
    pub(super) const fn is_aead(self) -> bool {
        matches!(self, Self::ChaChaPoly | Self::Aes128Gcm | Self::Aes256Gcm)
    }

    pub(super) const fn key_bytes(self) -> usize {
        match self {
            Self::ChaChaPoly => 64,
            Self::Aes256Gcm | Self::Aes256Ctr => 32,
            Self::Aes192Ctr => 24,
            Self::Aes128Gcm | Self::Aes128Ctr => 16,
        }
    }

    pub(super) const fn iv_bytes(self) -> usize {
        match self {
            Self::ChaChaPoly => 0,
            Self::Aes128Gcm | Self::Aes256Gcm => 12,
            _ => 16,
        }
    }

    const fn block_bytes(self) -> usize {
        if matches!(self, Self::ChaChaPoly) { 8 } else { 16 }
    }
}

/// What a direction agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) cipher: CipherKind,
    /// None with a cipher that authenticates by itself.
    pub(super) mac: Option<MacKind>,
    /// `zlib@openssh.com`: from the login on.
    pub(super) zlib: bool,
}

/// The keys of one direction.
pub(super) struct Keys {
    kind: CipherKind,
    cipher: Cipher,
    mac: Option<Mac>,
}

enum Cipher {
    ChaCha { main: [u8; 32], length: [u8; 32] },
    Gcm128(Box<Aes128Gcm>, [u8; 12]),
    Gcm256(Box<Aes256Gcm>, [u8; 12]),
    Ctr128(Box<Ctr128BE<Aes128>>),
    Ctr192(Box<Ctr128BE<Aes192>>),
    Ctr256(Box<Ctr128BE<Aes256>>),
}

impl Keys {
    /// `None` if one of the keys is too short.
    pub(super) fn new(suite: Suite, key: &[u8], iv: &[u8], mac_key: &[u8]) -> Option<Self> {
        let cipher = match suite.cipher {
            CipherKind::ChaChaPoly => {
                let (main, length) = key.split_first_chunk()?;
                Cipher::ChaCha { main: *main, length: *length.first_chunk()? }
            }
            CipherKind::Aes128Gcm => Cipher::Gcm128(Box::new(Aes128Gcm::new_from_slice(key).ok()?), iv.try_into().ok()?),
            CipherKind::Aes256Gcm => Cipher::Gcm256(Box::new(Aes256Gcm::new_from_slice(key).ok()?), iv.try_into().ok()?),
            CipherKind::Aes128Ctr => Cipher::Ctr128(Box::new(Ctr128BE::new_from_slices(key, iv).ok()?)),
            CipherKind::Aes192Ctr => Cipher::Ctr192(Box::new(Ctr128BE::new_from_slices(key, iv).ok()?)),
            CipherKind::Aes256Ctr => Cipher::Ctr256(Box::new(Ctr128BE::new_from_slices(key, iv).ok()?)),
        };
        let mac = match suite.mac {
            Some(kind) => Some(Mac::new(kind, mac_key)?),
            None => None,
        };
        Some(Self { kind: suite.cipher, cipher, mac })
    }

    pub(super) const fn block_bytes(&self) -> usize {
        self.kind.block_bytes()
    }

    pub(super) fn tag_bytes(&self) -> usize {
        self.mac.as_ref().map_or(AEAD_TAG_BYTES, |mac| mac.kind.tag_bytes())
    }

    /// Whether the length field stands outside of what is padded to whole blocks.
    pub(super) fn is_length_apart(&self) -> bool {
        self.mac.as_ref().is_none_or(|mac| mac.kind.covers_sent)
    }

    /// How many bytes tell a packet's length.
    pub(super) fn head_bytes(&self) -> usize {
        if self.is_length_apart() { LENGTH_BYTES } else { self.block_bytes() }
    }

    /// The length in a packet's head; a head that has to be opened for that is opened in place.
    pub(super) fn length(&mut self, number: u32, head: &mut [u8]) -> Option<u32> {
        let mut field: [u8; LENGTH_BYTES] = *head.first_chunk()?;
        match &self.cipher {
            Cipher::ChaCha { length, .. } => chacha(length, number).apply_keystream(&mut field),
            _ if self.is_length_apart() => {}
            _ => {
                self.stream(head);
                field = *head.first_chunk()?;
            }
        }
        Some(u32::from_be_bytes(field))
    }

    /// Opens a whole packet of which [`Keys::length`] has seen the head; afterwards its padding length, payload and
    /// padding stand behind the length field. `None` if somebody changed it.
    pub(super) fn open(&mut self, number: u32, packet: &mut [u8]) -> Option<()> {
        let (sent, tag) = packet.split_at_mut_checked(packet.len().checked_sub(self.tag_bytes())?)?;
        let (length, body) = sent.split_at_mut_checked(LENGTH_BYTES)?;
        match &mut self.cipher {
            Cipher::ChaCha { main, .. } => {
                let mut stream = chacha(main, number);
                let poly = poly1305(&mut stream);
                if poly.compute_unpadded(sent).as_slice() != tag {
                    return None;
                }
                stream.try_seek(SECOND_BLOCK).ok()?;
                stream.apply_keystream(sent.get_mut(LENGTH_BYTES..)?);
            }
            Cipher::Gcm128(gcm, iv) => {
                gcm.decrypt_inout_detached(&Nonce::from(*iv), length, body.into(), &Tag::try_from(&*tag).ok()?).ok()?;
                count(iv);
            }
            Cipher::Gcm256(gcm, iv) => {
                gcm.decrypt_inout_detached(&Nonce::from(*iv), length, body.into(), &Tag::try_from(&*tag).ok()?).ok()?;
                count(iv);
            }
            _ => return self.open_with_mac(number, packet),
        }
        Some(())
    }

    fn open_with_mac(&mut self, number: u32, packet: &mut [u8]) -> Option<()> {
        let (sent, tag) = packet.split_at_mut_checked(packet.len().checked_sub(self.tag_bytes())?)?;
        let covers_sent = self.is_length_apart();
        let opened_bytes = self.head_bytes();
        if !covers_sent {
            self.stream(sent.get_mut(opened_bytes..)?);
        }
        if !self.mac.as_ref()?.tag(number, sent).starts_with(tag) {
            return None;
        }
        if covers_sent {
            self.stream(sent.get_mut(LENGTH_BYTES..)?);
        }
        Some(())
    }

    /// Seals the packet that begins at `start` and reaches to the end of `out`, and appends its tag.
    pub(super) fn seal(&mut self, number: u32, out: &mut Vec<u8>, start: usize) -> Option<()> {
        let packet = out.get_mut(start..)?;
        let (length, body) = packet.split_at_mut_checked(LENGTH_BYTES)?;
        match &mut self.cipher {
            Cipher::ChaCha { main, length: length_key } => {
                chacha(length_key, number).apply_keystream(length);
                let mut stream = chacha(main, number);
                let poly = poly1305(&mut stream);
                stream.try_seek(SECOND_BLOCK).ok()?;
                stream.apply_keystream(body);
                let tag = poly.compute_unpadded(packet);
                out.extend_from_slice(&tag);
            }
            Cipher::Gcm128(gcm, iv) => {
                let tag = gcm.encrypt_inout_detached(&Nonce::from(*iv), length, body.into()).ok()?;
                count(iv);
                out.extend_from_slice(&tag);
            }
            Cipher::Gcm256(gcm, iv) => {
                let tag = gcm.encrypt_inout_detached(&Nonce::from(*iv), length, body.into()).ok()?;
                count(iv);
                out.extend_from_slice(&tag);
            }
            _ => return self.seal_with_mac(number, out, start),
        }
        Some(())
    }

    fn seal_with_mac(&mut self, number: u32, out: &mut Vec<u8>, start: usize) -> Option<()> {
        let tag_bytes = self.tag_bytes();
        let tag = if self.is_length_apart() {
            self.stream(out.get_mut(start + LENGTH_BYTES..)?);
            self.mac.as_ref()?.tag(number, out.get(start..)?)
        } else {
            let tag = self.mac.as_ref()?.tag(number, out.get(start..)?);
            self.stream(out.get_mut(start..)?);
            tag
        };
        out.extend_from_slice(&tag[..tag_bytes]);
        Some(())
    }

    fn stream(&mut self, bytes: &mut [u8]) {
        match &mut self.cipher {
            Cipher::Ctr128(ctr) => ctr.apply_keystream(bytes),
            Cipher::Ctr192(ctr) => ctr.apply_keystream(bytes),
            Cipher::Ctr256(ctr) => ctr.apply_keystream(bytes),
            Cipher::ChaCha { .. } | Cipher::Gcm128(..) | Cipher::Gcm256(..) => {}
        }
    }
}

/// The stream of one packet: with the packet's number as its nonce (OpenSSH's PROTOCOL.chacha20poly1305).
fn chacha(key: &[u8; 32], number: u32) -> ChaCha20 {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&number.to_be_bytes());
    ChaCha20::new(key.into(), &nonce.into())
}

fn poly1305(stream: &mut ChaCha20) -> Poly1305 {
    let mut key = [0; POLY_KEY_BYTES];
    stream.apply_keystream(&mut key);
    Poly1305::new(&key.into())
}

/// GCM's invocation counter (RFC 5647, section 7.1).
fn count(iv: &mut [u8; 12]) {
    if let Some(counter) = iv.last_chunk_mut::<8>() {
        *counter = u64::from_be_bytes(*counter).wrapping_add(1).to_be_bytes();
    }
}

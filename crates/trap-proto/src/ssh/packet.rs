//! SSH's binary packets (RFC 4253, section 6), cut from a stream with bounded memory, and written to it.

use super::{
    cipher::{Keys, LENGTH_BYTES},
    dice::Dice,
    zlib::{Packer, Unpacker},
};
use alloc::vec::Vec;

/// The longest packet that is taken, without its length field and its tag, in bytes: what RFC 4253 asks of everybody. OpenSSH
/// takes 256 KiB; nobody sends that before a login.
const PACKET_BYTES_MAX: u32 = 35_000;
/// What an unencrypted packet with its length field is a multiple of, in bytes.
const PLAIN_BLOCK_BYTES: usize = 8;
const PADDING_BYTES_MIN: usize = 4;

/// A packet that no SSH implementation would send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Corrupt {
    /// Its padding is shorter than four bytes, of which OpenSSH complains.
    Padding(u8),
    /// Anything else, at which it falls silent.
    Other,
}

/// The stranger's direction: collects one packet at a time. Nothing is reserved for what did not come yet.
#[derive(Default)]
pub(super) struct Incoming {
    held: Vec<u8>,
    /// The whole packet's length on the wire, once its head is known; 0 before.
    wanted: usize,
    keys: Option<Keys>,
    unpacker: Option<Unpacker>,
    /// Packets so far: the number of the next one.
    number: u32,
}

impl Incoming {
    /// Takes as many of `bytes` as belong to this packet, and says how many; its payload, if that was all of it.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, Result<Option<Vec<u8>>, Corrupt>) {
        let mut taken = 0;
        loop {
            let target = if self.wanted == 0 { self.head_bytes() } else { self.wanted };
            let more = (target - self.held.len()).min(bytes.len() - taken);
            self.held.extend_from_slice(&bytes[taken..taken + more]);
            taken += more;
            if self.held.len() < target {
                return (taken, Ok(None));
            }
            if self.wanted > 0 {
                let payload = self.payload();
                self.wanted = 0;
                if payload.is_ok() {
                    self.held = Vec::new();
                }
                self.number = self.number.wrapping_add(1);
                return (taken, payload.map(Some));
            }
            let Some(wanted) = self.length() else { return (taken, Err(Corrupt::Other)) };
            self.wanted = wanted;
        }
    }

    /// Is what comes encrypted?
    pub(super) const fn is_secret(&self) -> bool {
        self.keys.is_some()
    }

    /// What has come of a packet that was never whole, or was none; nothing if it came encrypted.
    pub(super) fn left(&mut self) -> Vec<u8> {
        let held = core::mem::take(&mut self.held);
        if self.keys.is_none() { held } else { Vec::new() }
    }

    /// The number of the packet that was taken last.
    pub(super) const fn last_number(&self) -> u32 {
        self.number.wrapping_sub(1)
    }

    /// From the next packet on, payloads are packed, in a new stream.
    pub(super) fn unpack(&mut self) {
        self.unpacker = Some(Unpacker::new());
    }

    /// From the next packet on, these keys, and payloads as they are; with the strict exchange packets are counted anew.
    pub(super) fn rekey(&mut self, keys: Keys, strict: bool) {
        self.keys = Some(keys);
        self.unpacker = None;
        if strict {
            self.number = 0;
        }
    }

    fn head_bytes(&self) -> usize {
        self.keys.as_ref().map_or(PLAIN_BLOCK_BYTES, Keys::head_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        let (length, block, is_apart, tag) = match &mut self.keys {
            Some(keys) => {
                (keys.length(self.number, &mut self.held)?, keys.block_bytes(), keys.is_length_apart(), keys.tag_bytes())
            }
            None => (u32::from_be_bytes(*self.held.first_chunk()?), PLAIN_BLOCK_BYTES, false, 0),
        };
        let bytes = usize::try_from(length).ok()?;
        let padded = if is_apart { bytes } else { bytes + LENGTH_BYTES };
        let is_sound = (5..=PACKET_BYTES_MAX).contains(&length) && padded.is_multiple_of(block);
        is_sound.then_some(LENGTH_BYTES + bytes + tag)
    }

    fn payload(&mut self) -> Result<Vec<u8>, Corrupt> {
        let tag = self.keys.as_ref().map_or(0, Keys::tag_bytes);
        if let Some(keys) = &mut self.keys {
            keys.open(self.number, &mut self.held).ok_or(Corrupt::Other)?;
        }
        let padding = *self.held.get(LENGTH_BYTES).ok_or(Corrupt::Other)?;
        if usize::from(padding) < PADDING_BYTES_MIN {
            return Err(Corrupt::Padding(padding));
        }
        let end = self.held.len().checked_sub(usize::from(padding) + tag);
        let payload = end.and_then(|end| self.held.get(LENGTH_BYTES + 1..end)).filter(|payload| !payload.is_empty());
        let payload = payload.ok_or(Corrupt::Other)?;
        match &mut self.unpacker {
            Some(unpacker) => unpacker.unpack(payload).ok_or(Corrupt::Other),
            None => Ok(payload.to_vec()),
        }
    }
}

/// Our direction.
#[derive(Default)]
pub(super) struct Outgoing {
    keys: Option<Keys>,
    packer: Option<Packer>,
    number: u32,
}

impl Outgoing {
    /// Appends `payload` as a packet: padded with zeros before there are keys, as OpenSSH does, and with random bytes then.
    pub(super) fn send(&mut self, payload: &[u8], dice: &mut Dice, out: &mut Vec<u8>) {
        match &mut self.packer {
            Some(packer) => {
                let packed = packer.pack(payload);
                self.frame(&packed, dice, out);
            }
            None => self.frame(payload, dice, out),
        }
    }

    fn frame(&mut self, payload: &[u8], dice: &mut Dice, out: &mut Vec<u8>) {
        let (block, apart) = match &self.keys {
            Some(keys) => (keys.block_bytes(), if keys.is_length_apart() { LENGTH_BYTES } else { 0 }),
            None => (PLAIN_BLOCK_BYTES, 0),
        };
        let filled = (LENGTH_BYTES + 1 + payload.len() - apart) % block;
        let padding = if block - filled < PADDING_BYTES_MIN { 2 * block - filled } else { block - filled };
        let start = out.len();
        out.extend_from_slice(&u32::try_from(1 + payload.len() + padding).unwrap_or(u32::MAX).to_be_bytes());
        out.push(u8::try_from(padding).unwrap_or(u8::MAX));
        out.extend_from_slice(payload);
        let padded_at = out.len();
        out.resize(padded_at + padding, 0);
        if let Some(keys) = &mut self.keys {
            dice.fill(&mut out[padded_at..]);
            // It fails for packets of gigabytes only.
            let _never = keys.seal(self.number, out, start);
        }
        self.number = self.number.wrapping_add(1);
    }

    /// The same as with [`Incoming::unpack`].
    pub(super) fn pack(&mut self) {
        self.packer = Some(Packer::default());
    }

    /// The same as with [`Incoming::rekey`].
    pub(super) fn rekey(&mut self, keys: Keys, strict: bool) {
        self.keys = Some(keys);
        self.packer = None;
        if strict {
            self.number = 0;
        }
    }
}

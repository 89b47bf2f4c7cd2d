//! The MACs of OpenSSH's list, for the ciphers that do not authenticate by themselves.

use super::umac::Umac;
use alloc::boxed::Box;
use hmac::{Hmac, KeyInit};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// The longest tag, in bytes.
pub(super) const TAG_BYTES_MAX: usize = 64;

/// Which MAC, and whether it covers what is sent (encrypt-then-mac) or what is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MacKind {
    hash: Hash,
    pub(super) covers_sent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Umac64,
    Umac128,
    Sha1,
    Sha256,
    Sha512,
}

impl MacKind {
    /// By its name in the offer.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let (hash, covers_sent) = match name {
            b"umac-64-etm@openssh.com" => (Hash::Umac64, true),
            b"umac-128-etm@openssh.com" => (Hash::Umac128, true),
            b"hmac-sha2-256-etm@openssh.com" => (Hash::Sha256, true),
            b"hmac-sha2-512-etm@openssh.com" => (Hash::Sha512, true),
            b"hmac-sha1-etm@openssh.com" => (Hash::Sha1, true),
            b"umac-64@openssh.com" => (Hash::Umac64, false),
            b"umac-128@openssh.com" => (Hash::Umac128, false),
            b"hmac-sha2-256" => (Hash::Sha256, false),
            b"hmac-sha2-512" => (Hash::Sha512, false),
            b"hmac-sha1" => (Hash::Sha1, false),
            _ => return None,
        };
        Some(Self { hash, covers_sent })
    }

    pub(super) const fn key_bytes(self) -> usize {
        match self.hash {
            Hash::Umac64 | Hash::Umac128 => Umac::KEY_BYTES,
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }

    pub(super) const fn tag_bytes(self) -> usize {
        match self.hash {
            Hash::Umac64 => 8,
            Hash::Umac128 => 16,
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }
}

/// A keyed MAC.
pub(super) struct Mac {
    pub(super) kind: MacKind,
    keyed: Keyed,
}

enum Keyed {
    Umac(Box<Umac>),
    Sha1(Box<Hmac<Sha1>>),
    Sha256(Box<Hmac<Sha256>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl Mac {
    /// `None` if the key is not as long as [`MacKind::key_bytes`] says.
    pub(super) fn new(kind: MacKind, key: &[u8]) -> Option<Self> {
        let keyed = match kind.hash {
            Hash::Umac64 | Hash::Umac128 => Keyed::Umac(Box::new(Umac::new(key.first_chunk()?, kind.tag_bytes()))),
            Hash::Sha1 => Keyed::Sha1(Box::new(Hmac::new_from_slice(key).ok()?)),
            Hash::Sha256 => Keyed::Sha256(Box::new(Hmac::new_from_slice(key).ok()?)),
            Hash::Sha512 => Keyed::Sha512(Box::new(Hmac::new_from_slice(key).ok()?)),
        };
        Some(Self { kind, keyed })
    }

    /// The tag of a packet; its first [`MacKind::tag_bytes`] bytes count.
    pub(super) fn tag(&self, number: u32, packet: &[u8]) -> [u8; TAG_BYTES_MAX] {
        let mut tag = [0; TAG_BYTES_MAX];
        match &self.keyed {
            Keyed::Umac(umac) => put(&mut tag, &umac.tag(u64::from(number), packet)),
            Keyed::Sha1(hmac) => put(&mut tag, &hash(hmac.as_ref().clone(), number, packet)),
            Keyed::Sha256(hmac) => put(&mut tag, &hash(hmac.as_ref().clone(), number, packet)),
            Keyed::Sha512(hmac) => put(&mut tag, &hash(hmac.as_ref().clone(), number, packet)),
        }
        tag
    }
}

fn hash<M: hmac::Mac>(mut hmac: M, number: u32, packet: &[u8]) -> hmac::digest::Output<M> {
    hmac.update(&number.to_be_bytes());
    hmac.update(packet);
    hmac.finalize().into_bytes()
}

fn put(tag: &mut [u8; TAG_BYTES_MAX], bytes: &[u8]) {
    tag[..bytes.len()].copy_from_slice(bytes);
}

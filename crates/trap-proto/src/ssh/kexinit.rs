//! SSH's `KEXINIT` (RFC 4253, section 7.1): ours as Debian sends it, the stranger's as fields, and what both can do.

use super::{
    MSG_KEXINIT,
    cipher::{CipherKind, Suite},
    exchange::Method,
    hostkey::{HostKeyKind, HostKeys},
    mac::MacKind,
    wire::{Fields, message, put_string},
};
use crate::{Findings, text::hex};
use alloc::{string::String, vec::Vec};
use md5::{Digest, Md5};

pub(super) const COOKIE_BYTES: usize = 16;
/// Name lists in a `KEXINIT`.
const LISTS: usize = 10;

const CIPHERS: &str =
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr";
const MACS: &str = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
    hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,\
    hmac-sha2-512,hmac-sha1";
const COMPRESSION: &str = "none,zlib@openssh.com";
const METHODS: &str = "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,\
    curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521";

/// Said among the methods: that the server tells more after the exchange, and that it keeps to the strict one.
const MARKS: &str = ",ext-info-s,kex-strict-s-v00@openssh.com";
const CLIENT_STRICT: &[u8] = b"kex-strict-c-v00@openssh.com";
const CLIENT_EXT_INFO: &[u8] = b"ext-info-c";

/// Our `KEXINIT`'s payload. Captured from Debian 13's sshd (1:10.0p1-7+deb13u4), which leaves the marks out of all but the first.
pub(super) fn ours(cookie: [u8; COOKIE_BYTES], keys: &HostKeys, is_first: bool) -> Vec<u8> {
    let methods = String::from(METHODS) + if is_first { MARKS } else { "" };
    message(MSG_KEXINIT, |out| {
        out.extend_from_slice(&cookie);
        for list in [&methods, keys.offer(), CIPHERS, CIPHERS, MACS, MACS, COMPRESSION, COMPRESSION, "", ""] {
            put_string(out, list.as_bytes());
        }
        // No guessed packet follows, and four reserved bytes.
        out.extend_from_slice(&[0; 5]);
    })
}

/// The name lists of a stranger's `KEXINIT`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer<'a> {
    lists: [&'a [u8]; LISTS],
    /// A packet follows that guesses what will be agreed upon.
    guesses: bool,
}

/// What both sides can do, by the stranger's preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) method: Method,
    pub(super) host_key: HostKeyKind,
    /// From the stranger, and to him.
    pub(super) incoming: Suite,
    pub(super) outgoing: Suite,
    pub(super) strict: bool,
    pub(super) ext_info: bool,
    /// The next packet was sent for an agreement that did not come about.
    pub(super) guessed_wrong: bool,
}

/// Reads a `KEXINIT`; `None` if it is none, or more than that.
pub(super) fn read(payload: &[u8]) -> Option<Offer<'_>> {
    let mut fields = Fields(payload.get(1 + COOKIE_BYTES..)?);
    let mut lists = [[].as_slice(); LISTS];
    for list in &mut lists {
        *list = fields.string()?;
    }
    let guesses = fields.flag()?;
    (fields.0.len() == 4).then_some(Offer { lists, guesses })
}

impl Offer<'_> {
    /// The lists of the client's direction, and their HASSH (Salesforce's fingerprint of SSH clients).
    pub(super) fn note(&self, findings: &mut Findings) {
        let [kex, keys, ciphers, _, macs, _, compression, ..] = self.lists;
        let named = [
            ("kex_algorithms", kex),
            ("host_key_algorithms", keys),
            ("ciphers", ciphers),
            ("macs", macs),
            ("compression", compression),
        ];
        for (name, list) in named {
            findings.note(name, list);
        }
        findings.note("hassh", self.hassh().as_bytes());
    }

    pub(super) fn hassh(&self) -> String {
        let [kex, _, ciphers, _, macs, _, compression, ..] = self.lists;
        hex(&Md5::digest([kex, ciphers, macs, compression].join(b";".as_slice())))
    }

    /// `None` if there is a list of which nothing can be done.
    pub(super) fn agree(&self, keys: &HostKeys) -> Option<Agreed> {
        let [methods, host_keys, ciphers_in, ciphers_out, macs_in, macs_out, zlib_in, zlib_out, ..] = self.lists;
        let suite = |ciphers, macs, zlib| {
            let cipher = first(ciphers, CipherKind::named)?;
            let mac = if cipher.is_aead() { None } else { Some(first(macs, MacKind::named)?) };
            Some(Suite { cipher, mac, zlib: first(zlib, compresses)? })
        };
        let (method, host_key) = (first(methods, Method::named)?, first(host_keys, |name| keys.named(name))?);
        let guess_is_right = leads(methods, METHODS) && leads(host_keys, keys.offer());
        Some(Agreed {
            method,
            host_key,
            incoming: suite(ciphers_in, macs_in, zlib_in)?,
            outgoing: suite(ciphers_out, macs_out, zlib_out)?,
            strict: names(methods).any(|name| name == CLIENT_STRICT),
            ext_info: names(methods).any(|name| name == CLIENT_EXT_INFO),
            guessed_wrong: self.guesses && !guess_is_right,
        })
    }
}

fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
}

/// The first of the stranger's names that means something here.
fn first<T>(list: &[u8], named: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    names(list).find_map(named)
}

/// Whether both lists begin with the same name.
fn leads(list: &[u8], ours: &str) -> bool {
    names(list).next() == names(ours.as_bytes()).next()
}

fn compresses(name: &[u8]) -> Option<bool> {
    match name {
        b"none" => Some(false),
        b"zlib@openssh.com" => Some(true),
        _ => None,
    }
}

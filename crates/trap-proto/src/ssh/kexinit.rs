//! SSH's `KEXINIT` (RFC 4253, section 7.1): ours as Debian sends it, the stranger's as fields.

use super::{MSG_KEXINIT, packet::framed};
use crate::Findings;
use alloc::{format, string::String, vec::Vec};
use md5::{Digest, Md5};

pub(super) const COOKIE_BYTES: usize = 16;
/// Name lists in a `KEXINIT`.
const LISTS: usize = 10;

const CIPHERS: &str =
    "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com";
const MACS: &str = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
    hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,\
    hmac-sha2-512,hmac-sha1";
const COMPRESSION: &str = "none,zlib@openssh.com";

/// Captured from Debian 12's sshd (1:9.2p1-2+deb12u10) with its three usual host keys.
const OURS: [&str; LISTS] = [
    "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,\
     ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,\
     diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256,\
     kex-strict-s-v00@openssh.com",
    "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519",
    CIPHERS,
    CIPHERS,
    MACS,
    MACS,
    COMPRESSION,
    COMPRESSION,
    "",
    "",
];

/// Our `KEXINIT` as a packet.
pub(super) fn ours(cookie: [u8; COOKIE_BYTES]) -> Vec<u8> {
    let mut payload = alloc::vec![MSG_KEXINIT];
    payload.extend_from_slice(&cookie);
    for list in OURS {
        payload.extend_from_slice(&u32::try_from(list.len()).unwrap_or(0).to_be_bytes());
        payload.extend_from_slice(list.as_bytes());
    }
    // No guessed packet follows, and four reserved bytes.
    payload.extend_from_slice(&[0; 5]);
    framed(&payload)
}

/// The name lists of a stranger's `KEXINIT`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer<'a> {
    lists: [&'a [u8]; LISTS],
}

/// Reads a `KEXINIT`; `None` if it is none. Bytes behind the reserved ones are tolerated.
pub(super) fn read(payload: &[u8]) -> Option<Offer<'_>> {
    let mut rest = payload.get(1 + COOKIE_BYTES..)?;
    let mut lists = [[].as_slice(); LISTS];
    for list in &mut lists {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        (*list, rest) = behind.split_at_checked(length)?;
    }
    (rest.len() >= 5).then_some(Offer { lists })
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

    fn hassh(&self) -> String {
        let [kex, _, ciphers, _, macs, _, compression, ..] = self.lists;
        let digest = Md5::digest([kex, ciphers, macs, compression].join(b";".as_slice()));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_as_long_as_the_captured_one() {
        let bytes = ours([0; COOKIE_BYTES]);
        assert_eq!((bytes.len(), &bytes[..6]), (1_136, [0, 0, 0x04, 0x6c, 11, 20].as_slice()));
    }

    #[test]
    fn what_is_no_offer_is_refused_at_every_length() {
        let bytes = ours([0; COOKIE_BYTES]);
        let payload = &bytes[5..bytes.len() - 11];
        for length in 0..payload.len() {
            assert_eq!(read(&payload[..length]), None, "{length}");
        }
        assert_eq!(read(payload).map(|offer| offer.lists), Some(OURS.map(str::as_bytes)));
        let mut lying = payload.to_vec();
        lying[17] = 0xff;
        assert_eq!(read(&lying), None, "a list longer than its packet");
    }
}

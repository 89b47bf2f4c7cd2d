//! Cluster keys: 256 bits that every member of a cluster knows, and the ring that lets them change.

use crate::limits::KEYS_MAX;
use alloc::{string::String, vec::Vec};
use core::fmt;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A cluster key: 256 random bits. Wiped from memory when dropped; never printed.
///
/// As text it is 64 hexadecimal digits on one line, so that it can be compared, typed and pasted.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; KEY_BYTES]);

/// Why a text is no key. Never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The wrong length.
    #[error("a key is 64 hexadecimal digits on one line, but {0} characters were found; `honeymesh key new FILE` makes one")]
    Length(usize),
    /// A character that is no hexadecimal digit.
    #[error(
        "a key is 64 hexadecimal digits on one line, but character {0} is something else; `honeymesh key new FILE` makes one"
    )]
    Digit(usize),
}

impl Key {
    /// A key from 32 random bytes. The mesh has no random source: the caller asks the system for them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// A key from its text form. White space around it (the newline at the end of a file) is ignored.
    ///
    /// # Errors
    /// Anything but 64 hexadecimal digits; the error does not repeat what was given.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let digits = text.trim();
        if let Some(at) = digits.chars().position(|c| !c.is_ascii_hexdigit()) {
            return Err(KeyError::Digit(at + 1));
        }
        if digits.len() != 2 * KEY_BYTES {
            return Err(KeyError::Length(digits.len()));
        }
        let mut key = Self([0; KEY_BYTES]);
        for (byte, pair) in key.0.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = pair.iter().fold(0, |value, digit| value << 4 | nibble(*digit));
        }
        Ok(key)
    }

    /// The text form: 64 hexadecimal digits, no newline.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let digits = b"0123456789abcdef";
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        for byte in self.0 {
            text.push(char::from(digits[usize::from(byte >> 4)]));
            text.push(char::from(digits[usize::from(byte & 15)]));
        }
        text
    }

    /// 32 bytes for another purpose, which tell nothing of the key or of those for a third purpose: HKDF-SHA256 (RFC 5869)
    /// without a salt, `info` being `honeymesh derive v1` and the purpose.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        // Fails only for more than 255 times 32 bytes.
        let _ = Hkdf::<Sha256>::new(None, &self.0).expand_multi_info(&[b"honeymesh derive v1", purpose], derived.as_mut_slice());
        derived
    }

    pub(crate) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// The value of a hexadecimal digit that was checked before.
const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10) & 15,
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The keys of one cluster: the first seals, all of them open. Never empty.
///
/// A key is changed without losing a message in three steps, each finished on every node before the next begins:
/// add the new one everywhere, use it everywhere, retire the old one everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRing(Vec<Key>);

/// Why a ring did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The ring is full; nothing was changed.
    #[error("the key ring already holds {KEYS_MAX} keys; retire one first")]
    Full,
    /// The key is not in the ring; nothing was changed.
    #[error("this key is not in the ring; add it first")]
    Unknown,
    /// The key that seals cannot be retired; nothing was changed.
    #[error("this key is the one in use; use another one first")]
    InUse,
}

impl KeyRing {
    /// A ring with one key.
    #[must_use]
    pub fn new(primary: Key) -> Self {
        Self([primary].into())
    }

    /// The keys, the one that seals first.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Adds a key that opens but does not seal yet. Adding one that is there already changes nothing.
    ///
    /// # Errors
    /// [`KeyRingError::Full`] beyond [`KEYS_MAX`] keys.
    pub fn add(&mut self, key: Key) -> Result<(), KeyRingError> {
        if self.0.contains(&key) {
            return Ok(());
        }
        if self.0.len() >= KEYS_MAX {
            return Err(KeyRingError::Full);
        }
        self.0.push(key);
        Ok(())
    }

    /// Makes a key of the ring the one that seals.
    ///
    /// # Errors
    /// [`KeyRingError::Unknown`] if it was not added before.
    pub fn promote(&mut self, key: &Key) -> Result<(), KeyRingError> {
        let at = self.0.iter().position(|known| known == key).ok_or(KeyRingError::Unknown)?;
        self.0[..=at].rotate_right(1);
        Ok(())
    }

    /// Takes a key out of the ring: it neither seals nor opens any more.
    ///
    /// # Errors
    /// [`KeyRingError::InUse`] for the key that seals, [`KeyRingError::Unknown`] for a stranger.
    pub fn retire(&mut self, key: &Key) -> Result<(), KeyRingError> {
        match self.0.iter().position(|known| known == key) {
            None => Err(KeyRingError::Unknown),
            Some(0) => Err(KeyRingError::InUse),
            Some(at) => {
                self.0.remove(at);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    fn key(fill: u8) -> Key {
        Key::from_bytes([fill; 32])
    }

    #[test]
    fn what_is_derived_is_the_same_for_the_same_key_and_purpose_only() {
        let derived = |byte, purpose: &[u8]| *Key::from_bytes([byte; 32]).derive(purpose);
        assert_eq!(derived(1, b"a"), derived(1, b"a"));
        assert_ne!(derived(1, b"a"), derived(1, b"b"));
        assert_ne!(derived(1, b"a"), derived(2, b"a"));
        assert_ne!(derived(1, b"a"), [0; 32]);
    }

    #[test]
    fn a_key_survives_its_text_form_and_a_newline() {
        let key = Key::from_bytes(core::array::from_fn(|i| u8::try_from(i * 8).unwrap()));
        assert_eq!(key.to_text().len(), 64);
        assert_eq!(Key::parse(&format!("{}\n", *key.to_text())).unwrap(), key);
        assert_eq!(Key::parse(&key.to_text().to_uppercase()).unwrap(), key);
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        for (text, error) in [
            ("", KeyError::Length(0)),
            ("abcd", KeyError::Length(4)),
            (&"a".repeat(65), KeyError::Length(65)),
            (&format!("{}g", "a".repeat(63)), KeyError::Digit(64)),
            (&format!("{}\n{}", "a".repeat(32), "a".repeat(32)), KeyError::Digit(33)),
            ("ключ", KeyError::Digit(1)),
        ] {
            assert_eq!(Key::parse(text), Err(error), "{text:?}");
            assert!(text.is_empty() || !error.to_string().contains(text), "{text:?} leaks");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", KeyRing::new(key(0xab))), "KeyRing([Key(..)])");
    }

    #[test]
    fn a_ring_rotates_in_three_steps() {
        let mut ring = KeyRing::new(key(1));
        assert_eq!(ring.promote(&key(2)), Err(KeyRingError::Unknown));
        ring.add(key(2)).unwrap();
        ring.add(key(2)).unwrap();
        assert_eq!(ring.keys(), [key(1), key(2)]);
        assert_eq!(ring.retire(&key(1)), Err(KeyRingError::InUse));
        ring.promote(&key(2)).unwrap();
        assert_eq!(ring.keys(), [key(2), key(1)]);
        ring.retire(&key(1)).unwrap();
        assert_eq!(ring.keys(), [key(2)]);
        assert_eq!(ring.retire(&key(1)), Err(KeyRingError::Unknown));
    }

    #[test]
    fn a_ring_is_bounded() {
        let mut ring = KeyRing::new(key(0));
        for fill in 1..u8::try_from(KEYS_MAX).unwrap() {
            ring.add(key(fill)).unwrap();
        }
        assert_eq!(ring.add(key(99)), Err(KeyRingError::Full));
    }
}

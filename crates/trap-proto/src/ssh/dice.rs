//! The session's random bytes, from a secret and the session's seed.

use sha2::{Digest, Sha256};

/// Bytes that nobody can guess without the trap's secret: SHA-256 over the secret, the session's seed and a counter.
pub(super) struct Dice {
    key: [u8; 32],
    counter: u64,
}

impl Dice {
    /// `secret` is the trap's own; `seed` differs between its sessions.
    pub(super) fn new(secret: &[u8; 32], seed: u64) -> Self {
        let key = Sha256::new().chain_update(b"honeymesh ssh dice").chain_update(secret).chain_update(seed.to_be_bytes());
        Self { key: key.finalize().into(), counter: 0 }
    }

    /// Fills `out` with bytes that were never given before.
    pub(super) fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            self.counter += 1;
            let block = Sha256::new().chain_update(self.key).chain_update(self.counter.to_be_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }

    /// So many of them.
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_come_twice_and_secret_and_seed_both_matter() {
        let mut dice = Dice::new(&[1; 32], 7);
        let (one, two) = (dice.bytes::<40>(), dice.bytes::<40>());
        assert_ne!(one, two);
        assert_eq!(Dice::new(&[1; 32], 7).bytes(), one);
        assert_ne!(Dice::new(&[1; 32], 8).bytes(), one);
        assert_ne!(Dice::new(&[2; 32], 7).bytes(), one);
    }
}

//! Damage from a seed: the same seed gives the same damage.

use alloc::vec::Vec;

/// A source of damage (xorshift64*).
#[derive(Clone, Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// From a seed; zero is taken as one.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// A number below `bound` (at least 1).
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % bound.max(1)
    }

    /// A damaged copy: some octets changed, sometimes cut short or made longer; never shorter than `len_min`.
    pub fn damage(&mut self, frame: &[u8], len_min: usize) -> Vec<u8> {
        let mut copy = frame.to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(copy.len());
            copy[at] = match self.below(4) {
                0 => 0,
                1 => 0xff,
                2 => copy[at] ^ (1 << self.below(8)),
                _ => u8::try_from(self.below(256)).unwrap_or(0),
            };
        }
        match self.below(4) {
            0 => copy.truncate(len_min.max(self.below(copy.len()))),
            1 => copy.resize(copy.len() + self.below(200), 0xa5),
            _ => {}
        }
        copy
    }
}

//! Which sources a banned prefix may touch: bits in front of the tries, so that good traffic hardly ever asks them.

/// Words of the IPv4 map: one bit for each /24.
pub const TOUCH4_WORDS: u32 = 1 << 18;
/// Words of the IPv6 filter.
pub const TOUCH6_WORDS: u32 = 1 << 10;
/// Prefixes of at least this length are in the IPv6 filter, by their first 32 bits; for shorter ones
/// [`crate::Gates::NETS6_WIDE`] asks the trie about everybody.
pub const TOUCH6_BITS: u32 = 32;

/// A bit of a map or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The element of the array of words.
    pub word: u32,
    /// The bit in it.
    pub bit: u32,
}

impl Touch {
    /// The bit of an IPv4 address (as a number, first octet highest): exact.
    #[must_use]
    #[inline(always)]
    pub const fn v4(addr: u32) -> Self {
        Self { word: addr >> 14, bit: addr >> 8 & 63 }
    }

    /// The bit of the first 32 bits of an IPv6 address, given their [`crate::Header::hash`].
    #[must_use]
    #[inline(always)]
    pub const fn v6(hash: u64) -> Self {
        Self { word: (hash >> 54) as u32, bit: (hash >> 48) as u32 & 63 }
    }

    /// Is it set in its word?
    #[must_use]
    #[inline(always)]
    pub const fn is_in(self, word: u64) -> bool {
        word >> self.bit & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_has_a_word() {
        assert_eq!(Touch::v4(u32::MAX), Touch { word: TOUCH4_WORDS - 1, bit: 63 });
        assert_eq!(Touch::v6(u64::MAX), Touch { word: TOUCH6_WORDS - 1, bit: 63 });
        assert_eq!(Touch::v4(0x0000_01ff), Touch { word: 0, bit: 1 });
        assert!(Touch { word: 0, bit: 3 }.is_in(8) && !Touch { word: 0, bit: 2 }.is_in(8));
    }
}

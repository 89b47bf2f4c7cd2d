//! Which sources the allowlist may name: bits in front of its tries, so that a drop hardly ever asks them.

/// Words of each of the three parts of an [`AllowFilter`]: a bit for each value of 16 bits.
pub const ALLOW_WORDS: usize = 1 << 10;

/// Bits that are set for every allowed address; a few others may be set, too. User space replaces it whole: whatever mixture
/// of old and new a reader meets, an address that both allow is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct AllowFilter {
    /// By the first 16 bits of an IPv4 address: exact to a /16.
    v4: [u64; ALLOW_WORDS],
    /// By the two halves of the first 32 bits of an IPv6 address, combined: prefixes of at least 32 bits.
    v6: [u64; ALLOW_WORDS],
    /// By the first 16 bits of an IPv6 address: shorter prefixes.
    short6: [u64; ALLOW_WORDS],
}

/// A bit of the filter: the word in its part, and the mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowBit {
    /// Below [`ALLOW_WORDS`].
    pub word: u32,
    /// One bit.
    pub mask: u64,
}

impl AllowBit {
    const fn of(value: u32) -> Self {
        Self { word: value >> 6 & 0x3ff, mask: 1 << (value & 63) }
    }

    /// The bit of an IPv4 address (as a number, first octet highest).
    #[must_use]
    #[inline(always)]
    pub const fn v4(addr: u32) -> Self {
        Self::of(addr >> 16)
    }

    /// The bit of an IPv6 address, given its first 32 bits as a number.
    #[must_use]
    #[inline(always)]
    pub const fn v6(first: u32) -> Self {
        Self::of((first ^ first >> 16) & 0xffff)
    }

    /// The bit of an IPv6 address among the shorter prefixes.
    #[must_use]
    #[inline(always)]
    pub const fn short6(first: u32) -> Self {
        Self::of(first >> 16)
    }
}

impl AllowFilter {
    /// Nobody is allowed.
    pub const EMPTY: Self = Self { v4: [0; ALLOW_WORDS], v6: [0; ALLOW_WORDS], short6: [0; ALLOW_WORDS] };

    /// Sets the bits of an IPv4 prefix of `bits` bits.
    pub fn allow4(&mut self, addr: u32, bits: u32) {
        span(&mut self.v4, addr >> 16, bits);
    }

    /// Sets the bits of an IPv6 prefix of `bits` bits, given its first 32 bits as a number.
    pub fn allow6(&mut self, first: u32, bits: u32) {
        if bits >= 32 {
            set(&mut self.v6, AllowBit::v6(first));
        } else {
            span(&mut self.short6, first >> 16, bits);
        }
    }

    /// May the IPv4 address be allowed?
    #[must_use]
    pub fn may_allow4(&self, addr: u32) -> bool {
        has(&self.v4, AllowBit::v4(addr))
    }

    /// May the IPv6 address be allowed that begins with these 32 bits?
    #[must_use]
    pub fn may_allow6(&self, first: u32) -> bool {
        has(&self.v6, AllowBit::v6(first)) || has(&self.short6, AllowBit::short6(first))
    }
}

/// Sets the bits of a prefix whose first 16 bits are `first`.
fn span(part: &mut [u64; ALLOW_WORDS], first: u32, bits: u32) {
    let width = 16_u32.saturating_sub(bits);
    let first = first & 0xffff & u32::MAX << width;
    for value in first..first + (1 << width) {
        set(part, AllowBit::of(value));
    }
}

fn set(part: &mut [u64; ALLOW_WORDS], bit: AllowBit) {
    if let Some(word) = part.get_mut(bit.word as usize) {
        *word |= bit.mask;
    }
}

fn has(part: &[u64; ALLOW_WORDS], bit: AllowBit) -> bool {
    part.get(bit.word as usize).is_some_and(|word| word & bit.mask != 0)
}

const _: () = assert!(size_of::<AllowFilter>() == 3 * 8 * ALLOW_WORDS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_a_prefix_covers_may_be_allowed_and_few_others() {
        let mut filter = AllowFilter::EMPTY;
        assert!(!filter.may_allow4(0xc000_0201) && !filter.may_allow6(0x2001_0db8));
        filter.allow4(0xc000_0201, 32);
        filter.allow4(0x0a00_0000, 8);
        assert!([0xc000_0201, 0x0a00_0001, 0x0aff_ffff].iter().all(|addr| filter.may_allow4(*addr)));
        assert!(![0xc001_0201, 0x0b00_0000, 0x09ff_ffff, 0].iter().any(|addr| filter.may_allow4(*addr)));
        filter.allow6(0x2001_0db8, 64);
        filter.allow6(0xfe80_0000, 10);
        assert!([0x2001_0db8, 0xfe80_0000, 0xfebf_ffff].iter().all(|first| filter.may_allow6(*first)));
        assert!(![0x2001_0db9, 0xfec0_0000, 0xfe7f_ffff, 0].iter().any(|first| filter.may_allow6(*first)));
    }

    #[test]
    fn no_prefix_at_all_is_everybody() {
        let mut filter = AllowFilter::EMPTY;
        filter.allow4(0, 0);
        filter.allow6(0, 0);
        for value in [0, 1, 0x7fff_ffff, u32::MAX] {
            assert!(filter.may_allow4(value) && filter.may_allow6(value));
        }
    }

    #[test]
    fn a_prefix_with_host_bits_set_covers_its_whole_range() {
        let mut filter = AllowFilter::EMPTY;
        filter.allow4(0xac1f_0101, 12);
        filter.allow6(0x2a05_1234, 13);
        assert!(filter.may_allow4(0xac10_0000) && filter.may_allow4(0xac1f_ffff) && !filter.may_allow4(0xac20_0000));
        assert!(filter.may_allow6(0x2a00_0000) && filter.may_allow6(0x2a07_ffff) && !filter.may_allow6(0x2a08_0000));
    }
}

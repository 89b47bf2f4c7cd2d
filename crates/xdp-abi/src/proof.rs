//! The sources of the self-probe that must pass.
//!
//! They are on the allowlist, so that a probe proves something whatever is banned around them. But who is allowed passes a lockdown,
//! so the program heeds that only for frames of a test run, and whoever forges these sources gets nothing; unless the operator's own
//! list covers them, which their entry says then.

/// What an entry of the allowlist says: its sources are allowed, but for those of the self-probe.
pub const ALLOWED: u32 = 1;
/// The same, and this one of the self-probe is allowed to everybody.
pub const ALLOWED_TO_ALL: u32 = 2;

/// In the block of protocol assignments (RFC 6890): nobody's.
pub const HONEST4: [u8; 4] = [192, 0, 0, 31];
/// In the dummy prefix (RFC 9780).
pub const HONEST6: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 31];

/// Is this the probe's IPv4 source? A word in network order.
#[must_use]
#[inline(always)]
pub const fn is_honest4(addr: u32) -> bool {
    addr == u32::from_ne_bytes(HONEST4)
}

/// Is this the probe's IPv6 source? Words in network order.
#[must_use]
#[inline(always)]
pub const fn is_honest6(addr: [u32; 4]) -> bool {
    const WORDS: [u32; 4] = [
        u32::from_ne_bytes([HONEST6[0], HONEST6[1], HONEST6[2], HONEST6[3]]),
        u32::from_ne_bytes([HONEST6[4], HONEST6[5], HONEST6[6], HONEST6[7]]),
        u32::from_ne_bytes([HONEST6[8], HONEST6[9], HONEST6[10], HONEST6[11]]),
        u32::from_ne_bytes([HONEST6[12], HONEST6[13], HONEST6[14], HONEST6[15]]),
    ];
    addr[0] == WORDS[0] && addr[1] == WORDS[1] && addr[2] == WORDS[2] && addr[3] == WORDS[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_are_these_and_no_others() {
        assert!(is_honest4(u32::from_ne_bytes([192, 0, 0, 31])) && !is_honest4(u32::from_ne_bytes([192, 0, 0, 8])));
        let words = |octets: [u8; 16]| {
            let word = |at: usize| u32::from_ne_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
            [word(0), word(4), word(8), word(12)]
        };
        assert!(is_honest6(words([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 31])));
        assert!(!is_honest6(words([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 31])));
        assert!(!is_honest6([0; 4]));
    }
}

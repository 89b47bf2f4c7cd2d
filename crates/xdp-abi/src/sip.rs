//! SipHash (Aumasson and Bernstein, 2012): its state and its round, and the fast variant for what is hashed per packet.

/// The state that a key begins with.
#[must_use]
#[inline(always)]
pub const fn sip_start(key: [u64; 2]) -> [u64; 4] {
    [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ]
}

/// One round.
#[must_use]
#[inline(always)]
pub const fn sip_round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

/// SipHash-1-3, the variant of Rust's own hash tables, of two words. The length is fixed, so no block for it is needed.
#[must_use]
#[inline(always)]
pub const fn siphash(key: [u64; 2], first: u64, second: u64) -> u64 {
    let mut state = sip_start(key);
    state[3] ^= first;
    state = sip_round(state);
    state[0] ^= first;
    state[3] ^= second;
    state = sip_round(state);
    state[0] ^= second;
    state[2] ^= 0xff;
    state = sip_round(sip_round(sip_round(state)));
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

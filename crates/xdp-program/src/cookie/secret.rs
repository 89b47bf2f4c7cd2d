//! The cookie: a keyed hash of a connection and of the time, as a TCP sequence number.
//!
//! SipHash-2-4 (Aumasson, Bernstein 2012) under the 128 secret bits of [`honeymesh_xdp_abi::Settings`], over addresses,
//! ports, the client's first sequence number and the time in buckets. 31 bits of it are sent, and the bucket's lowest
//! bit, so that a check needs one hash and not one for each bucket that is good. The bucket is what ages a cookie: the
//! secret need not change for that.

use super::segment::Segment;
use honeymesh_xdp_abi::{sip_round, sip_start};

/// A bucket of time is 2^33 ns, 8.6 s. A cookie is good in its own and the next: for 8.6 to 17.2 s.
pub const BUCKET_BITS: u32 = 33;
/// The longest that a cookie is good.
pub(super) const LIFE_NS_MAX: u64 = 2 << BUCKET_BITS;

/// What tells this use of the secret from others, and IPv4 from IPv6: above any bucket.
const USE_V4: u64 = 0xc4 << 56;
const USE_V6: u64 = 0xc6 << 56;

/// The bucket of a time.
#[inline(always)]
pub(super) const fn bucket(now_ns: u64) -> u64 {
    now_ns >> BUCKET_BITS
}

/// The bucket that a cookie is of, if it is good now: this one or the one before.
#[inline(always)]
pub(super) const fn bucket_of(cookie: u32, now_ns: u64) -> u64 {
    let now = bucket(now_ns);
    now.wrapping_sub((now ^ cookie as u64) & 1)
}

/// The cookie of the connection that began with the sequence number `first`.
#[inline(always)]
pub(super) fn cookie(segment: &Segment, first: u32, key: [u64; 2], bucket: u64) -> u32 {
    let [a, b, c, source] = segment.source;
    let [d, e, f, dest] = segment.dest;
    let ports = pair(segment.ports, first);
    let hash = if segment.is_v4 {
        siphash(&[pair(source, dest), ports, bucket | USE_V4], key)
    } else {
        siphash(&[pair(a, b), pair(c, source), pair(d, e), pair(f, dest), ports, bucket | USE_V6], key)
    };
    low(hash) & !1 | low(bucket) & 1
}

#[inline(always)]
const fn low(word: u64) -> u32 {
    let [a, b, c, d, ..] = word.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[inline(always)]
const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// SipHash-2-4 of `words`, each as its eight octets in little-endian order.
#[inline(never)]
fn siphash<const N: usize>(words: &[u64; N], key: [u64; 2]) -> u64 {
    let mut state = sip_start(key);
    for word in words {
        state = absorb(state, *word);
    }
    state = absorb(state, (N as u64) << 59);
    state[2] ^= 0xff;
    state = sip_round(sip_round(sip_round(sip_round(state))));
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

#[inline(always)]
const fn absorb([a, b, c, d]: [u64; 4], word: u64) -> [u64; 4] {
    let [a, b, c, d] = sip_round(sip_round([a, b, c, d ^ word]));
    [a ^ word, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::hash::Hasher;

    /// The standard library's own SipHash-2-4, which it has deprecated but not removed.
    #[expect(deprecated, reason = "nothing else in the standard library is SipHash-2-4 by contract")]
    fn theirs(words: &[u64], key: [u64; 2]) -> u64 {
        let mut hasher = core::hash::SipHasher::new_with_keys(key[0], key[1]);
        words.iter().for_each(|word| hasher.write(&word.to_le_bytes()));
        hasher.finish()
    }

    #[test]
    fn it_is_siphash_2_4() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        // From the paper's reference code, for the octets 0 to 7.
        assert_eq!(siphash(&[0x0706_0504_0302_0100], key), 0x93f5_f579_9a93_2462);
        let mut seed = 1_u64;
        for _ in 0..1_000 {
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                seed
            };
            let (key, words) = ([next(), next()], [next(), next(), next(), next(), next(), next()]);
            assert_eq!(siphash(&words, key), theirs(&words, key));
            assert_eq!(siphash(words.first_chunk::<3>().unwrap(), key), theirs(&words[..3], key));
        }
    }

    #[test]
    fn a_cookie_is_good_in_its_bucket_and_the_next_and_in_no_other() {
        for made in [0_u64, 1, 6, 7, 1 << 20] {
            let sent = (made & 1) as u32 | 0x1234_5670;
            let good: alloc::vec::Vec<u64> = (made..made + 6).filter(|now| bucket_of(sent, now << BUCKET_BITS) == made).collect();
            assert_eq!(good, [made, made + 1]);
        }
    }
}

//! Streamlined NTRU Prime 761: the server's half, encapsulation, as OpenSSH's `sntrup761x25519-sha512` needs it.
//!
//! After the reference implementation (NTRU Prime, round 3). Polynomials are over `x^761 - x - 1`, modulo 4,591.

use alloc::{vec, vec::Vec};
use sha2::{Digest, Sha512};

const P: usize = 761;
const Q: i32 = 4_591;
const Q_UNSIGNED: u16 = 4_591;
const Q_HALF: i32 = 2_295;
/// Coefficients that are not zero in a short polynomial.
const WEIGHT: usize = 286;

/// The client's key, in bytes.
pub(super) const PUBLIC_KEY_BYTES: usize = 1_158;
/// From here on a limit gives a byte away.
const LIMIT_BYTES: u32 = 16_384;
/// What has to be random, in bytes.
pub(super) const RANDOM_BYTES: usize = 4 * P;

/// A fresh secret for the owner of `public_key`, and what tells it him; `None` if that is no key.
pub(super) fn encapsulate(public_key: &[u8; PUBLIC_KEY_BYTES], random: &[u8; RANDOM_BYTES]) -> Option<(Vec<u8>, [u8; 32])> {
    let limits = vec![Q_UNSIGNED; P];
    let key: Vec<i32> = decode(public_key, &limits)?.into_iter().map(|coefficient| i32::from(coefficient) - Q_HALF).collect();
    let short = short(random);
    let rounded: Vec<i32> = multiply(&key, &short).into_iter().map(round).collect();
    let mut ciphertext = encode(rounded.into_iter().map(third).collect(), vec![Q_UNSIGNED.div_ceil(3); P]);
    let short_bytes = encode_short(&short);
    let hashed_short = hash(3, &[&short_bytes]);
    let confirm = hash(2, &[&hashed_short, &hash(4, &[public_key])]);
    ciphertext.extend_from_slice(&confirm);
    let secret = hash(1, &[&hashed_short, &ciphertext]);
    Some((ciphertext, secret))
}

/// The first half of SHA-512 behind a byte that says what for.
fn hash(purpose: u8, parts: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha512::new_with_prefix([purpose]);
    parts.iter().for_each(|part| sha.update(part));
    let digest: [u8; 64] = sha.finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// A random polynomial with [`WEIGHT`] coefficients of 1 or -1: random numbers that carry the coefficients, sorted.
fn short(random: &[u8; RANDOM_BYTES]) -> Vec<i32> {
    let words = random.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    let mut carriers: Vec<u32> =
        words.enumerate().map(|(at, word)| if at < WEIGHT { word & !1 } else { word & !3 | 1 }).collect();
    carriers.sort_unstable();
    carriers
        .into_iter()
        .map(|carrier| match carrier & 3 {
            0 => -1,
            1 => 0,
            _ => 1,
        })
        .collect()
}

/// The product in the ring; `short` has few coefficients that are not zero.
fn multiply(key: &[i32], short: &[i32]) -> Vec<i32> {
    let mut product = vec![0_i32; 2 * P - 1];
    for (at, sign) in short.iter().enumerate().filter(|(_, sign)| **sign != 0) {
        product[at..at + P].iter_mut().zip(key).for_each(|(sum, coefficient)| *sum += sign * coefficient);
    }
    // x^761 = x + 1.
    for at in (P..2 * P - 1).rev() {
        let over = product[at];
        product[at - P] += over;
        product[at - P + 1] += over;
    }
    product.truncate(P);
    product.into_iter().map(centered).collect()
}

/// Modulo 4,591, between -2,295 and 2,295.
fn centered(number: i32) -> i32 {
    (number + Q_HALF).rem_euclid(Q) - Q_HALF
}

/// To the nearest multiple of three.
fn round(number: i32) -> i32 {
    number - ((number + 1).rem_euclid(3) - 1)
}

fn third(number: i32) -> u16 {
    u16::try_from((number + Q_HALF) / 3).unwrap_or_default()
}

/// Four coefficients a byte, from -1 on.
fn encode_short(short: &[i32]) -> Vec<u8> {
    let bits = |group: &[i32]| group.iter().rev().fold(0_u8, |byte, sign| byte << 2 | u8::try_from(sign + 1).unwrap_or_default());
    short.chunks(4).map(bits).collect()
}

/// Numbers below their limits as bytes: neighbours are multiplied together, and low bytes put out, until one is left.
fn encode(numbers: Vec<u16>, limits: Vec<u16>) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut numbers, mut limits) = (numbers, limits);
    while numbers.len() > 1 {
        let mut next = (Vec::new(), Vec::new());
        for (pair, limit) in numbers.chunks(2).zip(limits.chunks(2)) {
            let ([low, high], [low_limit, high_limit]) = (pair, limit) else {
                next.0.extend_from_slice(pair);
                next.1.extend_from_slice(limit);
                continue;
            };
            let mut number = u32::from(*low) + u32::from(*high) * u32::from(*low_limit);
            let mut limit = u32::from(*low_limit) * u32::from(*high_limit);
            while limit >= LIMIT_BYTES {
                out.push(number.to_le_bytes()[0]);
                number >>= 8;
                limit = limit.div_ceil(256);
            }
            next.0.push(u16::try_from(number).unwrap_or_default());
            next.1.push(u16::try_from(limit).unwrap_or_default());
        }
        (numbers, limits) = next;
    }
    let (mut number, mut limit) = (numbers.first().copied().unwrap_or_default(), limits.first().copied().unwrap_or(1));
    while limit > 1 {
        out.push(number.to_le_bytes()[0]);
        number >>= 8;
        limit = limit.div_ceil(256);
    }
    out
}

/// The numbers that [`encode`] has written; `None` if there are too few bytes. Each is below its limit, whatever they say.
fn decode(bytes: &[u8], limits: &[u16]) -> Option<Vec<u16>> {
    match limits {
        [] => return Some(Vec::new()),
        [limit] => {
            let number = bytes
                .iter()
                .take(if *limit > 256 { 2 } else { 1 })
                .rev()
                .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
            return Some(vec![u16::try_from(number % u32::from(*limit)).ok()?]);
        }
        _ => {}
    }
    let mut rest = bytes;
    let mut lows = Vec::new();
    let mut next = Vec::new();
    for pair in limits.chunks(2) {
        let [low, high] = pair else {
            next.extend_from_slice(pair);
            continue;
        };
        let (mut number, mut factor, mut limit) = (0_u32, 1_u32, u32::from(*low) * u32::from(*high));
        while limit >= LIMIT_BYTES {
            let (byte, behind) = rest.split_first()?;
            rest = behind;
            number += u32::from(*byte) * factor;
            factor <<= 8;
            limit = limit.div_ceil(256);
        }
        lows.push((number, factor));
        next.push(u16::try_from(limit).ok()?);
    }
    let highs = decode(rest, &next)?;
    let mut numbers = Vec::with_capacity(limits.len());
    for (at, pair) in limits.chunks(2).enumerate() {
        let high = u32::from(*highs.get(at)?);
        let [low_limit, high_limit] = pair else {
            numbers.push(u16::try_from(high).ok()?);
            continue;
        };
        let (low, factor) = lows.get(at)?;
        let number = low + factor * high;
        numbers.push(u16::try_from(number % u32::from(*low_limit)).ok()?);
        numbers.push(u16::try_from(number / u32::from(*low_limit) % u32::from(*high_limit)).ok()?);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That what is made of them is what others expect is shown by OpenSSH, which agrees on this method by itself
    /// (`crates/trap/tests/traps/ssh.rs`).
    #[test]
    fn numbers_are_as_long_as_the_standard_says_and_read_again() {
        for (limit, bytes) in [(Q_UNSIGNED, PUBLIC_KEY_BYTES), (Q_UNSIGNED.div_ceil(3), 1_007)] {
            let limits = vec![limit; P];
            let numbers: Vec<u16> = (0..761).map(|at: u16| at.wrapping_mul(7_919) % limit).collect();
            let encoded = encode(numbers.clone(), limits.clone());
            assert_eq!((encoded.len(), decode(&encoded, &limits)), (bytes, Some(numbers)));
            assert_eq!(decode(&encoded[..bytes / 2], &limits), None, "too few bytes");
        }
    }

    #[test]
    fn a_short_polynomial_has_its_weight_and_rounding_keeps_within_one() {
        let mut random = [0; RANDOM_BYTES];
        super::super::dice::Dice::new(&[1; 32], 2).fill(&mut random);
        let short = short(&random);
        assert_eq!((short.len(), short.iter().filter(|sign| **sign != 0).count()), (P, WEIGHT));
        assert!((-Q_HALF..=Q_HALF).all(|number| round(number) % 3 == 0 && (round(number) - number).abs() <= 1));
        assert!((-9_999..9_999).all(|number| centered(number).abs() <= Q_HALF && (centered(number) - number) % Q == 0));
    }

    #[test]
    fn any_bytes_are_a_key() {
        for byte in [0, 0x7f, 0xff] {
            let answer = encapsulate(&[byte; PUBLIC_KEY_BYTES], &[3; RANDOM_BYTES]).unwrap();
            assert_eq!(answer.0.len(), 1_039);
        }
    }
}

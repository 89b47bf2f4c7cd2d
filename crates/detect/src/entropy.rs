//! Shannon entropy without floating point: the same bits on every machine.

use alloc::{boxed::Box, vec::Vec};

/// How many bytes one window of [`entropy_window_max_millibits`] holds.
pub const ENTROPY_WINDOW_BYTES: usize = 256;
/// How many bytes one window of [`entropy_short_max_millibits`] holds.
pub const ENTROPY_SHORT_BYTES: usize = 64;

/// Fractional bits of the logarithms.
const FRACTION_BITS: u32 = 32;
/// Entropy is told in thousandths of a bit.
const MILLI: u128 = 1_000;
/// The entropy of bytes that are all equally frequent.
const MILLIBITS_MAX: u16 = 8_000;

/// Shannon's entropy of `bytes` in bits per byte times 1,000, rounded: 0 for nothing or one repeated byte, 8,000 when
/// all byte values are equally frequent. Takes time linear in `bytes`.
#[must_use]
pub fn entropy_millibits(bytes: &[u8]) -> u16 {
    Census::of(bytes).millibits()
}

/// How often each byte value occurs.
#[derive(Clone, Debug)]
pub(crate) struct Census([u32; 256]);

impl Census {
    /// Counts `bytes`; beyond 2^32 - 1 of one value it counts no further.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut census = Self([0; 256]);
        census.add(bytes);
        census
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let count = &mut self.0[usize::from(*byte)];
            *count = count.saturating_add(1);
        }
    }

    /// Does it occur at all?
    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize] > 0
    }

    /// Does any of them?
    pub(crate) fn has_any(&self, bytes: &[u8]) -> bool {
        bytes.iter().any(|byte| self.has(*byte))
    }

    /// How many there are of all of these together.
    pub(crate) fn sum(&self, bytes: &[u8]) -> u64 {
        bytes.iter().map(|byte| u64::from(self.0[usize::from(*byte)])).sum()
    }

    /// The entropy, as [`entropy_millibits`] has it.
    pub(crate) fn millibits(&self) -> u16 {
        let n = self.0.iter().map(|count| u64::from(*count)).sum();
        millibits(n, self.0.iter().map(|count| weigh(u64::from(*count))).sum())
    }
}

/// The highest entropy of any [`ENTROPY_WINDOW_BYTES`] consecutive bytes: finds an encrypted part inside much padding. The
/// whole entropy when there are no more bytes than that. Takes time linear in `bytes`.
#[must_use]
pub fn entropy_window_max_millibits(bytes: &[u8]) -> u16 {
    window_max(bytes, ENTROPY_WINDOW_BYTES)
}

/// The same with windows of [`ENTROPY_SHORT_BYTES`]: finds a key or shellcode that is shorter still. No more than 6,000.
#[must_use]
pub fn entropy_short_max_millibits(bytes: &[u8]) -> u16 {
    window_max(bytes, ENTROPY_SHORT_BYTES)
}

/// `size` is no more than [`ENTROPY_WINDOW_BYTES`].
fn window_max(bytes: &[u8], size: usize) -> u16 {
    let Some((first, rest)) = bytes.split_at_checked(size) else { return entropy_millibits(bytes) };
    let mut window = Window::default();
    first.iter().for_each(|byte| window.add(*byte));
    let mut least_surprise = window.surprise;
    for (gone, come) in bytes.iter().zip(rest) {
        if gone != come {
            window.remove(*gone);
            window.add(*come);
            least_surprise = least_surprise.min(window.surprise);
        }
    }
    millibits(size as u64, u128::from(least_surprise))
}

/// What a trap said to one stranger, as far as its entropy needs it: few bytes as they are, many as counts.
#[derive(Clone, Debug, Default)]
pub struct Tally(Option<Box<Heap>>);

#[derive(Clone, Debug)]
enum Heap {
    Few(Vec<u8>),
    /// With the highest entropy of a window of those that were kept as they are before.
    Many(Box<Census>, u16),
}

/// So many bytes are kept as they are: counts take [`TALLY_BYTES_MAX`]. In so many the windows of [`Tally::millibits`] are looked for: a page
/// is not to cost what a stranger's bytes do.
const TALLY_FEW_MAX: usize = 1_024;
/// The most memory that a tally holds, in bytes.
pub const TALLY_BYTES_MAX: usize = 1_024;

impl Tally {
    /// Counts `bytes`; beyond 2^32 - 1 of one value it counts no further.
    pub fn add(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let heap = self.0.get_or_insert_with(|| Box::new(Heap::Few(Vec::new())));
        match &mut **heap {
            Heap::Few(few) if few.len() + bytes.len() <= TALLY_FEW_MAX => {
                // No more than is needed: thousands of sessions wait behind their banner.
                few.reserve_exact(bytes.len());
                few.extend_from_slice(bytes);
            }
            Heap::Few(few) => {
                // However they came, it is the same bytes that are looked at.
                let (first, rest) = bytes.split_at(TALLY_FEW_MAX - few.len());
                few.extend_from_slice(first);
                let (mut census, window) = (Box::new(Census::of(few)), entropy_window_max_millibits(few));
                census.add(rest);
                **heap = Heap::Many(census, window);
            }
            Heap::Many(census, _) => census.add(bytes),
        }
    }

    /// The entropy of everything that was counted, as [`entropy_millibits`] has it, and that of a window of the first 1,024 bytes, as
    /// [`entropy_window_max_millibits`] has it; `None` if that is nothing.
    #[must_use]
    pub fn millibits(&self) -> Option<(u16, u16)> {
        Some(match &**self.0.as_ref()? {
            Heap::Few(few) => {
                let whole = entropy_millibits(few);
                (whole, if few.len() <= ENTROPY_WINDOW_BYTES { whole } else { entropy_window_max_millibits(few) })
            }
            Heap::Many(census, window) => (census.millibits(), *window),
        })
    }
}

/// Byte counts of a sliding window with the sum of c * log2(c) over them kept current.
struct Window {
    counts: [u16; 256],
    surprise: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { counts: [0; 256], surprise: 0 }
    }
}

impl Window {
    fn add(&mut self, byte: u8) {
        let count = &mut self.counts[usize::from(byte)];
        self.surprise += step(*count);
        *count += 1;
    }

    /// It is in the window.
    fn remove(&mut self, byte: u8) {
        let count = &mut self.counts[usize::from(byte)];
        *count = count.saturating_sub(1);
        self.surprise -= step(*count);
    }
}

/// By how much c * log2(c) grows with the next one; for every count a window that is not full can hold.
fn step(count: u16) -> u64 {
    STEPS.get(usize::from(count)).copied().unwrap_or_default()
}

static STEPS: [u64; ENTROPY_WINDOW_BYTES] = steps();

const fn steps() -> [u64; ENTROPY_WINDOW_BYTES] {
    let mut steps = [0; ENTROPY_WINDOW_BYTES];
    let mut count = 0;
    while count < ENTROPY_WINDOW_BYTES {
        steps[count] = WEIGHTED[count + 1] - WEIGHTED[count];
        count += 1;
    }
    steps
}

/// c * log2(c) for every count a window can hold.
static WEIGHTED: [u64; ENTROPY_WINDOW_BYTES + 1] = weighted();

/// c * log2(c) for any count; most are small, and logarithms are dear.
fn weigh(count: u64) -> u128 {
    let known = usize::try_from(count).ok().and_then(|count| WEIGHTED.get(count));
    known.map_or_else(|| u128::from(count) * u128::from(log2(count)), |weight| u128::from(*weight))
}

const fn weighted() -> [u64; ENTROPY_WINDOW_BYTES + 1] {
    let mut table = [0; ENTROPY_WINDOW_BYTES + 1];
    let mut count = 1;
    while count <= ENTROPY_WINDOW_BYTES {
        table[count] = count as u64 * log2(count as u64);
        count += 1;
    }
    table
}

/// log2(n) - (sum of c * log2(c)) / n, in thousandths, rounded.
fn millibits(n: u64, surprise: u128) -> u16 {
    if n == 0 {
        return 0;
    }
    let n_wide = u128::from(n);
    let bits = (n_wide * u128::from(log2(n))).saturating_sub(surprise) * MILLI / n_wide;
    let rounded = (bits + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS;
    u16::try_from(rounded).unwrap_or(MILLIBITS_MAX).min(MILLIBITS_MAX)
}

/// The binary logarithm with [`FRACTION_BITS`] fractional bits, by repeated squaring; 0 for 0 and 1.
const fn log2(n: u64) -> u64 {
    let Some(whole) = n.checked_ilog2() else { return 0 };
    // The mantissa in [1, 2), with 63 fractional bits.
    let mut mantissa = (n as u128) << (63 - whole);
    let mut result = (whole as u64) << FRACTION_BITS;
    let mut bit = FRACTION_BITS;
    while bit > 0 {
        bit -= 1;
        mantissa = (mantissa * mantissa) >> 63;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            result |= 1 << bit;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    fn every_byte_times(n: usize) -> Vec<u8> {
        (0..=255_u8).flat_map(|byte| vec![byte; n]).collect()
    }

    #[test]
    fn known_vectors_have_their_entropy() {
        let cases: [(Vec<u8>, u16); 9] = [
            (vec![], 0),
            (b"a".to_vec(), 0),
            (vec![0; 100_000], 0),
            (b"ab".to_vec(), 1_000),
            (b"aabb".to_vec(), 1_000),
            (b"abcd".to_vec(), 2_000),
            (b"aab".to_vec(), 918),
            (every_byte_times(1), 8_000),
            (every_byte_times(777), 8_000),
        ];
        for (bytes, expected) in cases {
            assert_eq!(entropy_millibits(&bytes), expected, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn a_ciphertext_hidden_in_padding_is_found_by_the_window() {
        let mut bytes = vec![b'A'; 20_000];
        bytes.extend(every_byte_times(1));
        bytes.extend(vec![b'A'; 20_000]);
        assert!(entropy_millibits(&bytes) < 200);
        assert_eq!(entropy_window_max_millibits(&bytes), 8_000);
    }

    fn with_floats(bytes: &[u8]) -> f64 {
        let n = bytes.len() as f64;
        let share = |byte| bytes.iter().filter(|other| **other == byte).count() as f64 / n;
        (0..=255_u8).map(share).filter(|p| *p > 0.0).map(|p| -p * p.log2()).sum()
    }

    proptest! {
        #[test]
        fn it_agrees_with_floating_point(bytes in proptest::collection::vec(any::<u8>(), 1..600)) {
            let expected = with_floats(&bytes) * 1_000.0;
            prop_assert!((f64::from(entropy_millibits(&bytes)) - expected).abs() <= 0.5 + 1e-3);
        }

        #[test]
        fn a_tally_has_the_entropy_of_what_it_counted(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..900), 0..5)) {
            let mut tally = Tally::default();
            pieces.iter().for_each(|piece| tally.add(piece));
            let whole = pieces.concat();
            let first = &whole[..whole.len().min(TALLY_FEW_MAX)];
            let expected = (entropy_millibits(&whole), entropy_window_max_millibits(first));
            prop_assert_eq!(tally.millibits(), (!whole.is_empty()).then_some(expected));
        }

        #[test]
        fn the_short_window_is_the_highest_of_all_short_windows(bytes in proptest::collection::vec(0_u8..8, 0..200)) {
            let slow = bytes.windows(ENTROPY_SHORT_BYTES).map(entropy_millibits).max();
            prop_assert_eq!(entropy_short_max_millibits(&bytes), slow.unwrap_or_else(|| entropy_millibits(&bytes)));
        }

        #[test]
        fn the_window_is_the_highest_of_all_windows(bytes in proptest::collection::vec(0_u8..8, 0..400)) {
            let slow = bytes.windows(ENTROPY_WINDOW_BYTES).map(entropy_millibits).max();
            prop_assert_eq!(entropy_window_max_millibits(&bytes), slow.unwrap_or_else(|| entropy_millibits(&bytes)));
        }
    }
}

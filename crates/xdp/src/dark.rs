//! What ports do that nobody serves, and which of them are left alone.

use std::ops::RangeInclusive;

/// What a port does that no socket listens on (`[traps] dark`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dark {
    /// The network stack refuses, as it always does.
    #[default]
    Refuse,
    /// It answers nothing, TCP or UDP.
    Silent,
    /// It is a trap: TCP connections go to the sockets of [`crate::Kernel::arm`]. Needs Linux 6.6.
    Trap,
}

/// The words of the table of excepted ports.
pub(crate) fn except_words(ports: &[RangeInclusive<u16>]) -> Vec<u64> {
    let mut words = vec![0; honeymesh_xdp_abi::EXCEPT_WORDS as usize];
    for port in ports.iter().cloned().flatten() {
        let bit = honeymesh_xdp_abi::except_at(port);
        if let Some(word) = words.get_mut(bit.index as usize) {
            *word |= bit.mask;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges_of_ports_are_excepted_and_no_others() {
        let words = except_words(&[25..=25, 60_000..=65_535, 0..=0]);
        let excepted = |port: u16| {
            let bit = honeymesh_xdp_abi::except_at(port);
            words[bit.index as usize] & bit.mask != 0
        };
        assert_eq!(
            [0, 1, 24, 25, 26, 59_999, 60_000, 65_535].map(excepted),
            [true, false, false, true, false, false, true, true]
        );
    }
}

//! What ports do that nobody serves, and which of them are left alone.

use std::{fs, ops::RangeInclusive};

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

/// The kernel's default of `net.ipv4.ip_local_port_range`, for a machine where it cannot be read.
const EPHEMERAL_USUAL: [u32; 2] = [32_768, 60_999];

/// The ports that this machine sends from, of the thread's own network namespace.
pub(crate) fn ephemeral() -> [u32; 2] {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range(&text).unwrap_or(EPHEMERAL_USUAL)
}

fn range(text: &str) -> Option<[u32; 2]> {
    let mut numbers = text.split_whitespace().map(|word| word.parse::<u16>().ok());
    let (first, last) = (numbers.next()??, numbers.next()??);
    (first <= last).then_some([first.into(), last.into()])
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
    fn the_range_of_sending_ports_is_read_and_never_empty() {
        assert_eq!(range("32768\t60999\n"), Some([32_768, 60_999]));
        assert_eq!([range(""), range("1"), range("9 1"), range("1 70000"), range("a b")], [None; 5]);
        assert!(ephemeral()[0] <= ephemeral()[1]);
    }

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

//! What the steering of dark ports is told: which sockets take connections, and which ports are left alone.

/// Index of the socket that takes IPv4 connections.
pub const TRAP_V4: u32 = 0;
/// Index of the socket that takes IPv6 connections.
pub const TRAP_V6: u32 = 1;
/// How many sockets there are.
pub const TRAPS_MAX: u32 = 2;

/// Words of the table of excepted ports: one bit a port.
pub const EXCEPT_WORDS: u32 = 65_536 / 64;

/// Where the bit of a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceptBit {
    /// The index of its word.
    pub index: u32,
    /// The bit in it.
    pub mask: u64,
}

/// Where the bit of `port` is; it is set if the port is excepted.
#[must_use]
#[inline(always)]
pub const fn except_at(port: u16) -> ExceptBit {
    ExceptBit { index: (port >> 6) as u32, mask: 1 << (port & 63) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_has_a_bit_of_its_own() {
        let mut seen = [0_u64; EXCEPT_WORDS as usize];
        for port in 0..=u16::MAX {
            let ExceptBit { index, mask } = except_at(port);
            let word = &mut seen[usize::try_from(index).unwrap()];
            assert_eq!(*word & mask, 0);
            *word |= mask;
        }
        assert!(seen.iter().all(|word| *word == u64::MAX));
    }
}

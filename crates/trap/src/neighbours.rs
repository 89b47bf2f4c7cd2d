//! Who lives next to whom: sources that are likely one and the same's, and that suffer together.

use std::net::IpAddr;

/// Host bits of an IPv4 /24 and of an IPv6 /48.
const V4_HOST_BITS: u32 = 32 - 24;
const V6_HOST_BITS: u32 = 128 - 48;
/// Stands before an IPv6 prefix: no IPv4 prefix has this bit.
const V6: u64 = 1 << 48;

/// A neighbourhood: an IPv4 /24, an IPv6 /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Neighbours(u64);

impl Neighbours {
    /// That of an address; IPv4-mapped IPv6 is IPv4.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits() >> V4_HOST_BITS)),
            IpAddr::V6(v6) => Self(V6 | u64::try_from(v6.to_bits() >> V6_HOST_BITS).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbourhoods_are_prefixes() {
        let same = |one: &str, two: &str| Neighbours::of(one.parse().unwrap()) == Neighbours::of(two.parse().unwrap());
        assert!(same("192.0.2.1", "192.0.2.200") && same("192.0.2.1", "::ffff:192.0.2.77"));
        assert!(!same("192.0.2.1", "192.0.3.1"));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("2001:db8:1::1", "2001:db8:2::1"));
        // The same number, but for the mark.
        assert!(!same("192.0.2.1", "0:c0:2::1") && !same("0.0.0.0", "::"));
    }
}

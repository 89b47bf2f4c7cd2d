//! Keys: addresses and prefixes as the kernel's tables hold them.

/// A source IPv6 address counts and is banned by its first 64 bits: a customer's prefix.
pub const PREFIX_V6_BITS: u8 = 64;

/// The first 10 bits of `fe80::/10`, where every neighbour shares the first 64 bits.
const LINK_LOCAL: u32 = 0xfe80 >> 6;

/// Family of a [`SourceKey`] that holds an IPv4 address.
const FAMILY_ADDRESS: u32 = 4;
/// Family of a [`SourceKey`] that holds the first half of an IPv6 address.
const FAMILY_PREFIX: u32 = 6;
/// Family of a [`SourceKey`] that holds the second half of a link-local IPv6 address.
const FAMILY_NEIGHBOUR: u32 = 0xfe80;

/// Whom a scan is counted for and who is silenced: an IPv4 address, an IPv6 /64, or one link-local neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct SourceKey {
    family: u32,
    high: u32,
    low: u32,
}

impl SourceKey {
    /// The key of an IPv4 address (as a number, first octet highest).
    #[must_use]
    #[inline(always)]
    pub const fn v4(addr: u32) -> Self {
        Self { family: FAMILY_ADDRESS, high: 0, low: addr }
    }

    /// The key of an IPv6 address: its /64, but link-local neighbours one by one, because they all share one /64.
    #[must_use]
    pub const fn v6(addr: u128) -> Self {
        Self::v6_words(network_words(addr))
    }

    /// The same, of an address as it stands in a packet: four words in network order.
    #[must_use]
    #[inline(always)]
    pub const fn v6_words(addr: [u32; 4]) -> Self {
        let [a, b, c, d] = addr;
        let (family, high, low) =
            if u32::from_be(a) >> 22 == LINK_LOCAL { (FAMILY_NEIGHBOUR, c, d) } else { (FAMILY_PREFIX, a, b) };
        Self { family, high: u32::from_be(high), low: u32::from_be(low) }
    }

    /// The key as two words, for a hash: the address or half of it, and in 32 bits the family.
    #[must_use]
    #[inline(always)]
    pub const fn words(self) -> [u64; 2] {
        [(self.high as u64) << 32 | self.low as u64, self.family as u64]
    }

    /// Is `addr` one of the addresses that are keyed one by one?
    #[must_use]
    pub const fn is_link_local(addr: u128) -> bool {
        u32::from_be(network_words(addr)[0]) >> 22 == LINK_LOCAL
    }

    /// The first address the key stands for: `Ok` an IPv6 address, `Err` an IPv4 address, `None` if it is no key of
    /// this version.
    #[must_use]
    pub const fn address(self) -> Option<Result<u128, u32>> {
        let pair = (self.high as u128) << 32 | self.low as u128;
        match self.family {
            FAMILY_ADDRESS => Some(Err(self.low)),
            FAMILY_PREFIX => Some(Ok(pair << 64)),
            FAMILY_NEIGHBOUR => Some(Ok((LINK_LOCAL as u128) << 118 | pair)),
            _ => None,
        }
    }
}

/// The four words of an IPv6 address as they stand in a packet: in network order, highest first.
#[must_use]
pub const fn network_words(addr: u128) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = addr.to_be_bytes();
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
        u32::from_ne_bytes([i, j, k, l]),
        u32::from_ne_bytes([m, n, o, p]),
    ]
}

/// One of the host's own addresses: IPv6, or IPv4 as `::ffff:a.b.c.d`, in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct AddressKey(pub [u32; 4]);

impl AddressKey {
    /// The key of an IPv4 address.
    #[must_use]
    pub const fn v4(addr: u32) -> Self {
        Self([0, 0, 0xffff_u32.to_be(), addr.to_be()])
    }

    /// The key of an IPv6 address.
    #[must_use]
    pub const fn v6(addr: u128) -> Self {
        Self(network_words(addr))
    }

    /// The address as an IPv6 number.
    #[must_use]
    pub const fn number(self) -> u128 {
        let [a, b, c, d] = self.0;
        (u32::from_be(a) as u128) << 96
            | (u32::from_be(b) as u128) << 64
            | (u32::from_be(c) as u128) << 32
            | u32::from_be(d) as u128
    }
}

/// An IPv4 prefix as the kernel's longest-prefix-match trie wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct NetKey4 {
    /// Prefix length: 0 to 32.
    pub bits: u32,
    /// The address in network order.
    pub addr: u32,
}

impl NetKey4 {
    /// The prefix of `addr` that is `bits` long. Host bits are not cleared.
    #[must_use]
    pub const fn new(addr: u32, bits: u32) -> Self {
        Self { bits, addr: addr.to_be() }
    }
}

/// An IPv6 prefix as the kernel's longest-prefix-match trie wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct NetKey6 {
    /// Prefix length: 0 to 128.
    pub bits: u32,
    /// The address in network order.
    pub addr: [u32; 4],
}

impl NetKey6 {
    /// The prefix of `addr` that is `bits` long. Host bits are not cleared.
    #[must_use]
    pub const fn new(addr: u128, bits: u32) -> Self {
        Self { bits, addr: network_words(addr) }
    }
}

const _: () = assert!(size_of::<SourceKey>() == 12);
const _: () = assert!(size_of::<AddressKey>() == 16);
const _: () = assert!(size_of::<NetKey4>() == 8);
const _: () = assert!(size_of::<NetKey6>() == 20);

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv6Addr;

    fn number(text: &str) -> u128 {
        text.parse::<Ipv6Addr>().unwrap().to_bits()
    }

    #[test]
    fn a_customer_prefix_is_one_source_and_families_never_meet() {
        let (here, there) = (number("2001:db8::1"), number("2001:db8::ffff:0:0:2"));
        assert_eq!(SourceKey::v6(here), SourceKey::v6(there));
        assert_ne!(SourceKey::v6(here), SourceKey::v6(number("2001:db8:0:1::1")));
        assert_ne!(SourceKey::v4(0x0102_0304), SourceKey::v6(0x0102_0304 << 64), "0:0:102:304::/64 is not 1.2.3.4");
    }

    #[test]
    fn link_local_neighbours_are_counted_one_by_one() {
        assert_ne!(SourceKey::v6(number("fe80::1")), SourceKey::v6(number("fe80::2")));
        assert_ne!(SourceKey::v6(number("fe80::1")), SourceKey::v6(number("::1")));
        assert!(!SourceKey::is_link_local(number("fec0::1")) && SourceKey::is_link_local(number("febf::1")));
    }

    #[test]
    fn a_key_tells_its_first_address() {
        assert_eq!(SourceKey::v4(0xcb00_7107).address(), Some(Err(0xcb00_7107)));
        assert_eq!(SourceKey::v6(number("2001:db8:1:2::9")).address(), Some(Ok(number("2001:db8:1:2::"))));
        assert_eq!(SourceKey::v6(number("fe80::9")).address(), Some(Ok(number("fe80::9"))));
        assert_eq!(SourceKey { family: 7, high: 0, low: 0 }.address(), None);
    }

    #[test]
    fn keys_are_in_network_order() {
        assert_eq!(NetKey4::new(0xcb00_7100, 24).addr.to_ne_bytes(), [203, 0, 113, 0]);
        assert_eq!(AddressKey::v4(0x7f00_0001).number(), number("::ffff:127.0.0.1"));
        assert_eq!(AddressKey::v6(number("2001:db8::1")).number(), number("2001:db8::1"));
        assert_eq!(NetKey6::new(number("2001:db8::"), 32).addr[0].to_ne_bytes(), [0x20, 1, 0xd, 0xb8]);
    }
}

//! Where in the kernel's tables a ban has its place.

use honeymesh_types::{PREFIX_V6_CUSTOMER, Subject};
use honeymesh_xdp_abi::{Gates, NetKey4, NetKey6, SourceKey};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One of the kernel's ban tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Bans4,
    Bans6,
    Nets4,
    Nets6,
    Placed,
}

impl Table {
    /// By which the program asks for it.
    pub(crate) const fn gates(self) -> Gates {
        match self {
            Self::Bans4 => Gates::BANS4,
            Self::Bans6 => Gates::BANS6,
            Self::Nets4 => Gates::NETS4,
            Self::Nets6 => Gates::NETS6.with(Gates::NETS6_WIDE, true),
            // Every probe asks for it.
            Self::Placed => Gates(0),
        }
    }

    /// What it holds, in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Bans4 => "IPv4 bans",
            Self::Bans6 => "IPv6 bans",
            Self::Nets4 => "IPv4 prefix bans",
            Self::Nets6 => "IPv6 prefix bans",
            Self::Placed => "sources the kernel silenced",
        }
    }
}

/// A key in one of the ban tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spot {
    /// The address in network order.
    Bans4(u32),
    /// The first 8 octets as they stand in a packet.
    Bans6(u64),
    Nets4(NetKey4),
    Nets6(NetKey6),
    Placed(SourceKey),
}

impl Spot {
    /// Where a ban belongs, whatever its scope. All zeros mark a free way, so such a key is a prefix.
    pub(crate) fn home(subject: &Subject) -> Self {
        match subject.net() {
            IpNet::V4(net) => match net.addr().to_bits().to_be() {
                addr if addr != 0 && net.prefix_len() == 32 => Self::Bans4(addr),
                _ => Self::Nets4(NetKey4::new(net.addr().to_bits(), net.prefix_len().into())),
            },
            IpNet::V6(net) => match half(net.addr()) {
                half if half != 0 && net.prefix_len() == PREFIX_V6_CUSTOMER => Self::Bans6(half),
                _ => Self::Nets6(NetKey6::new(net.addr().to_bits(), net.prefix_len().into())),
            },
        }
    }

    /// Where the kernel's own entry for a subject may be. It silences whole /64s, so the entry it placed for one of their
    /// addresses counts as that address's too.
    pub(crate) fn placed(subject: &Subject) -> Option<Self> {
        placed(subject).map(Self::Placed)
    }

    /// Everywhere an entry for this subject may be.
    pub(crate) fn all(subject: &Subject) -> Vec<Self> {
        let mut spots = vec![Self::home(subject)];
        spots.extend(Self::placed(subject));
        spots
    }

    /// Where no ban of this subject belongs, but somebody else may have entered one that drops all the same: an exact one's in a trie.
    pub(crate) fn astray(subject: &Subject) -> Option<Self> {
        let of_trie = match subject.net() {
            IpNet::V4(net) => Self::Nets4(NetKey4::new(net.addr().to_bits(), net.prefix_len().into())),
            IpNet::V6(net) => Self::Nets6(NetKey6::new(net.addr().to_bits(), net.prefix_len().into())),
        };
        (of_trie != Self::home(subject)).then_some(of_trie)
    }

    /// Is it one of the tries'?
    pub(crate) const fn is_prefix(&self) -> bool {
        matches!(self, Self::Nets4(_) | Self::Nets6(_))
    }

    pub(crate) const fn table(&self) -> Table {
        match self {
            Self::Bans4(_) => Table::Bans4,
            Self::Bans6(_) => Table::Bans6,
            Self::Nets4(_) => Table::Nets4,
            Self::Nets6(_) => Table::Nets6,
            Self::Placed(_) => Table::Placed,
        }
    }

    /// Whom the entry stands for; `None` if the key is none that this version makes.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Bans4(addr) => v4(u32::from_be(*addr), 32),
            Self::Bans6(half) => v6(u128::from(u64::from_be(*half)) << 64, PREFIX_V6_CUSTOMER.into()),
            Self::Nets4(key) => v4(u32::from_be(key.addr), key.bits),
            Self::Nets6(key) => v6(honeymesh_xdp_abi::AddressKey(key.addr).number(), key.bits),
            Self::Placed(source) => match source.address()? {
                Err(addr) => v4(addr, 32),
                Ok(addr) if SourceKey::is_link_local(addr) => v6(addr, 128),
                Ok(addr) => v6(addr, PREFIX_V6_CUSTOMER.into()),
            },
        }
    }
}

/// The key of a subject that is exactly what the kernel counts as one source.
fn source(subject: &Subject) -> Option<SourceKey> {
    match subject.net() {
        IpNet::V4(net) => (net.prefix_len() == 32).then(|| SourceKey::v4(net.addr().to_bits())),
        IpNet::V6(net) => {
            let addr = net.addr().to_bits();
            let own = if SourceKey::is_link_local(addr) { 128 } else { PREFIX_V6_CUSTOMER };
            (net.prefix_len() == own).then(|| SourceKey::v6(addr))
        }
    }
}

/// The key under which the kernel silences a subject by itself.
fn placed(subject: &Subject) -> Option<SourceKey> {
    source(subject).or_else(|| match subject.net() {
        IpNet::V6(net) if net.prefix_len() == 128 => Some(SourceKey::v6(net.addr().to_bits())),
        _ => None,
    })
}

fn half(addr: Ipv6Addr) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = addr.octets();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

fn v4(addr: u32, bits: u32) -> Option<Subject> {
    let net = Ipv4Net::new(Ipv4Addr::from_bits(addr), u8::try_from(bits).ok()?).ok()?;
    Some(Subject::new(IpNet::V4(net)))
}

fn v6(addr: u128, bits: u32) -> Option<Subject> {
    let net = Ipv6Net::new(Ipv6Addr::from_bits(addr), u8::try_from(bits).ok()?).ok()?;
    Some(Subject::new(IpNet::V6(net)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(subject: &str) -> Vec<Table> {
        Spot::all(&subject.parse().unwrap()).iter().map(Spot::table).collect()
    }

    #[test]
    fn each_subject_has_its_places() {
        use Table::{Bans4, Bans6, Nets4, Nets6, Placed};
        assert_eq!(tables("203.0.113.7"), [Bans4, Placed]);
        assert_eq!(tables("203.0.113.0/24"), [Nets4]);
        assert_eq!(tables("0.0.0.0"), [Nets4, Placed], "all zeros mark a free way");
        assert_eq!(tables("2001:db8:1:2::/64"), [Bans6, Placed]);
        assert_eq!(tables("2001:db8:1:2::9"), [Nets6, Placed], "one address of a silenced /64");
        assert_eq!(tables("2001:db8::/48"), [Nets6]);
        assert_eq!(tables("::/64"), [Nets6, Placed]);
        assert_eq!(tables("fe80::9"), [Nets6, Placed], "a link-local neighbour is a source of its own");
        assert_eq!(tables("fe80::/64"), [Bans6], "but their common /64 is none");
    }

    #[test]
    fn every_place_tells_whom_it_stands_for() {
        for text in
            ["203.0.113.7", "203.0.113.0/24", "0.0.0.0/0", "0.0.0.0", "2001:db8:1:2::/64", "2001:db8::/48", "::/0", "fe80::9"]
        {
            let subject: Subject = text.parse().unwrap();
            for spot in Spot::all(&subject) {
                assert_eq!(spot.subject(), Some(subject), "{spot:?}");
            }
        }
        let one: Subject = "2001:db8:1:2::9".parse().unwrap();
        let told: Vec<_> = Spot::all(&one).iter().filter_map(Spot::subject).map(|subject| subject.to_string()).collect();
        assert_eq!(told, ["2001:db8:1:2::9/128", "2001:db8:1:2::/64"]);
    }
}

//! How bans lie in sets: one hash set for each length of prefix, so that prefixes nest and each ban ends by itself.
//!
//! An interval set would hold all prefixes at once, but refuses one that lies within another. A length that nobody
//! uses has no set and costs no packet anything.

use super::{side::Side, uapi::set};
use honeymesh_types::PREFIX_V6_CUSTOMER;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What being in a set means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Class {
    /// Every packet is dropped.
    Ban,
    /// Only probes of dark ports are dropped.
    Dark,
    /// Never dropped.
    Allow,
    /// Like [`Class::Dark`], and the kernel's own: nobody ordered it.
    Placed,
}

impl Class {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Ban, "ban"), (Self::Dark, "dark"), (Self::Allow, "allow"), (Self::Placed, "placed")];

    const fn word(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Dark => "dark",
            Self::Allow => "allow",
            Self::Placed => "placed",
        }
    }

    /// In which of our tables its sets are: those who ask for it cannot see the other's.
    pub(super) const fn sides(self) -> &'static [Side] {
        match self {
            Self::Ban => &[Side::Ingress],
            Self::Dark | Self::Placed => &[Side::Stack],
            Self::Allow => &Side::BOTH,
        }
    }

    /// The table that its entries are read from.
    pub(super) const fn home(self) -> Side {
        match self {
            Self::Ban | Self::Allow => Side::Ingress,
            Self::Dark | Self::Placed => Side::Stack,
        }
    }

    /// Is it something that the ledger ordered, which ends by itself and counts its packets?
    pub(super) const fn is_ban(self) -> bool {
        matches!(self, Self::Ban | Self::Dark)
    }
}

/// The address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::V4 => "4",
            Self::V6 => "6",
        }
    }

    pub(super) const fn bits_max(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// Octets of an address.
    pub(super) const fn len(self) -> u8 {
        self.bits_max() / 8
    }

    /// Where the source address begins in the network header.
    pub(super) const fn source_at(self) -> u32 {
        match self {
            Self::V4 => 12,
            Self::V6 => 8,
        }
    }

    pub(super) const fn of(net: &IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }

    pub(super) const fn key_type(self) -> u32 {
        match self {
            Self::V4 => set::TYPE_IPV4,
            Self::V6 => set::TYPE_IPV6,
        }
    }
}

/// One set: everything of one class and family with one length of prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tier {
    pub(super) class: Class,
    pub(super) family: Family,
    pub(super) bits: u8,
}

impl Tier {
    /// The sets that are always there: single IPv4 addresses and customers' IPv6 prefixes.
    pub(super) const USUAL: [Self; 2] = [
        Self { class: Class::Ban, family: Family::V4, bits: 32 },
        Self { class: Class::Ban, family: Family::V6, bits: PREFIX_V6_CUSTOMER },
    ];

    /// The sets of what the kernel places by itself: IPv4 addresses, IPv6 customers, and neighbours on the link.
    pub(super) const PLACED: [Self; 3] = [
        Self { class: Class::Placed, family: Family::V4, bits: 32 },
        Self { class: Class::Placed, family: Family::V6, bits: PREFIX_V6_CUSTOMER },
        Self { class: Class::Placed, family: Family::V6, bits: 128 },
    ];

    /// What the kernel would have placed for a source with this prefix: for an address its customer.
    pub(super) fn placed(net: &IpNet) -> Option<(Self, IpNet)> {
        let (tier, net) = match net {
            IpNet::V4(v4) if v4.prefix_len() == 32 => (Self::PLACED[0], *net),
            IpNet::V6(v6) if v6.prefix_len() == 128 && v6.network().is_unicast_link_local() => (Self::PLACED[2], *net),
            IpNet::V6(v6) if matches!(v6.prefix_len(), 128 | PREFIX_V6_CUSTOMER) => {
                (Self::PLACED[1], Self::PLACED[1].net(&v6.network().octets())?)
            }
            _ => return None,
        };
        Some((tier, net))
    }

    pub(super) fn of(class: Class, net: &IpNet) -> Self {
        Self { class, family: Family::of(net), bits: net.prefix_len() }
    }

    /// Is it one of [`Tier::USUAL`], whose entries the bound on bans is about, not the bound on prefixes?
    pub(super) fn is_usual(self) -> bool {
        Self::USUAL.contains(&self)
    }

    /// The set's name, for example `ban4_32`.
    pub(super) fn name(self) -> String {
        format!("{}{}_{}", self.class.word(), self.family.word(), self.bits)
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (head, bits) = name.split_once('_')?;
        let bits: u8 = bits.parse().ok()?;
        let all = Class::ALL
            .iter()
            .flat_map(|(class, word)| Family::BOTH.map(|family| (*class, family, format!("{word}{}", family.word()))));
        let (class, family, _) = all.into_iter().find(|(.., word)| word == head)?;
        (bits <= family.bits_max()).then_some(Self { class, family, bits })
    }

    /// The mask of its prefix, as octets.
    pub(super) fn mask(self) -> Vec<u8> {
        (0..self.family.len())
            .map(|octet| u8::MAX.checked_shl((octet * 8 + 8).saturating_sub(self.bits).into()).unwrap_or(0))
            .collect()
    }

    /// A set's key as a prefix.
    pub(super) fn net(self, key: &[u8]) -> Option<IpNet> {
        let addr = match self.family {
            Family::V4 => Ipv4Addr::from(*key.first_chunk::<4>()?).into(),
            Family::V6 => Ipv6Addr::from(*key.first_chunk::<16>()?).into(),
        };
        IpNet::new(addr, self.bits).ok().map(|net| net.trunc())
    }
}

/// A prefix as a set's key.
pub(super) fn key(net: &IpNet) -> Vec<u8> {
    match net {
        IpNet::V4(net) => net.network().octets().into(),
        IpNet::V6(net) => net.network().octets().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_tier_and_nothing_else_is_one() {
        for class in [Class::Ban, Class::Dark, Class::Allow, Class::Placed] {
            for (family, bits) in [(Family::V4, 0), (Family::V4, 32), (Family::V6, 64), (Family::V6, 128)] {
                let tier = Tier { class, family, bits };
                assert_eq!(Tier::parse(&tier.name()), Some(tier));
            }
        }
        for name in ["ban4_33", "ban6_129", "ban5_1", "ban4", "ban4_", "drop4_32", "ban4_-1", "ban4_3_2"] {
            assert_eq!(Tier::parse(name), None, "{name}");
        }
    }

    #[test]
    fn what_the_kernel_places_for_a_source_is_found_by_its_address_and_its_customer() {
        let placed = |net: &str| Tier::placed(&net.parse().unwrap()).map(|(tier, net)| (tier.name(), net.to_string()));
        let found = |set: &str, net: &str| Some((set.to_owned(), net.to_owned()));
        assert_eq!(placed("203.0.113.7/32"), found("placed4_32", "203.0.113.7/32"));
        assert_eq!(placed("2001:db8:1:2::7/128"), found("placed6_64", "2001:db8:1:2::/64"));
        assert_eq!(placed("2001:db8:1:2::/64"), found("placed6_64", "2001:db8:1:2::/64"));
        assert_eq!(placed("fe80::7/128"), found("placed6_128", "fe80::7/128"));
        assert_eq!((placed("203.0.113.0/24"), placed("2001:db8::/32")), (None, None));
    }

    #[test]
    fn masks_and_keys_are_octets_in_the_wires_order() {
        let tier = |net: &str| Tier::of(Class::Ban, &net.parse().unwrap());
        assert_eq!(tier("0.0.0.0/0").mask(), [0; 4]);
        assert_eq!(tier("10.0.0.0/9").mask(), [255, 128, 0, 0]);
        assert_eq!(tier("192.0.2.1/32").mask(), [255; 4]);
        assert_eq!(tier("2001:db8::/64").mask(), [[255; 8], [0; 8]].concat());
        for text in ["0.0.0.0/0", "10.128.0.0/9", "192.0.2.1/32", "2001:db8:1::/48", "::/0"] {
            let net: IpNet = text.parse().unwrap();
            assert_eq!(tier(text).net(&key(&net)), Some(net));
        }
        assert_eq!(tier("192.0.2.1/32").net(&[1, 2]), None);
    }
}

//! Where in the kernel's tables a ban has its place.

use honeymesh_types::{PREFIX_V6_CUSTOMER, Scope, Subject};
use honeymesh_xdp_abi::{NetKey4, NetKey6, SourceKey, network_words};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One of the kernel's ban tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Bans4,
    Bans6,
    Nets4,
    Nets6,
    Dark,
    Placed,
}

impl Table {
    /// Those that user space fills.
    pub(crate) const OURS: [Self; 5] = [Self::Bans4, Self::Bans6, Self::Nets4, Self::Nets6, Self::Dark];

    /// What it holds, in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Bans4 => "IPv4 bans",
            Self::Bans6 => "IPv6 bans",
            Self::Nets4 => "IPv4 prefix bans",
            Self::Nets6 => "IPv6 prefix bans",
            Self::Dark => "silenced sources",
            Self::Placed => "sources the kernel silenced",
        }
    }
}

/// A key in one of the ban tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spot {
    Bans4(u32),
    Bans6([u32; 2]),
    Nets4(NetKey4),
    Nets6(NetKey6),
    Dark(SourceKey),
    Placed(SourceKey),
}

impl Spot {
    /// Where a ban of this scope belongs.
    pub(crate) fn home(subject: &Subject, scope: Scope) -> Self {
        match (subject.net(), scope) {
            (IpNet::V4(net), Scope::All) if net.prefix_len() == 32 => Self::Bans4(net.addr().to_bits().to_be()),
            (IpNet::V6(net), Scope::All) if net.prefix_len() == PREFIX_V6_CUSTOMER => Self::Bans6(half(net.addr())),
            (_, Scope::Dark) if let Some(source) = source(subject) => Self::Dark(source),
            (IpNet::V4(net), _) => Self::Nets4(NetKey4::new(net.addr().to_bits(), net.prefix_len().into())),
            (IpNet::V6(net), _) => Self::Nets6(NetKey6::new(net.addr().to_bits(), net.prefix_len().into())),
        }
    }

    /// Everywhere an entry for this subject may be. The kernel silences whole /64s, so the entry it placed for one of
    /// their addresses counts as that address's too.
    pub(crate) fn all(subject: &Subject) -> Vec<Self> {
        let mut spots = vec![Self::home(subject, Scope::All)];
        let dark = Self::home(subject, Scope::Dark);
        if !spots.contains(&dark) {
            spots.push(dark);
        }
        spots.extend(placed(subject).map(Self::Placed));
        spots
    }

    pub(crate) const fn table(&self) -> Table {
        match self {
            Self::Bans4(_) => Table::Bans4,
            Self::Bans6(_) => Table::Bans6,
            Self::Nets4(_) => Table::Nets4,
            Self::Nets6(_) => Table::Nets6,
            Self::Dark(_) => Table::Dark,
            Self::Placed(_) => Table::Placed,
        }
    }

    /// Whom the entry stands for; `None` if the key is none that this version makes.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Bans4(addr) => v4(u32::from_be(*addr), 32),
            Self::Bans6([high, low]) => {
                let addr = u128::from(u32::from_be(*high)) << 96 | u128::from(u32::from_be(*low)) << 64;
                v6(addr, PREFIX_V6_CUSTOMER.into())
            }
            Self::Nets4(key) => v4(u32::from_be(key.addr), key.bits),
            Self::Nets6(key) => v6(honeymesh_xdp_abi::AddressKey(key.addr).number(), key.bits),
            Self::Dark(source) | Self::Placed(source) => match source.address()? {
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

fn half(addr: Ipv6Addr) -> [u32; 2] {
    let [high, low, ..] = network_words(addr.to_bits());
    [high, low]
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
        use Table::{Bans4, Bans6, Dark, Nets4, Nets6, Placed};
        assert_eq!(tables("203.0.113.7"), [Bans4, Dark, Placed]);
        assert_eq!(tables("203.0.113.0/24"), [Nets4]);
        assert_eq!(tables("2001:db8:1:2::/64"), [Bans6, Dark, Placed]);
        assert_eq!(tables("2001:db8:1:2::9"), [Nets6, Placed], "one address of a silenced /64");
        assert_eq!(tables("2001:db8::/48"), [Nets6]);
        assert_eq!(tables("fe80::9"), [Nets6, Dark, Placed], "a link-local neighbour is a source of its own");
        assert_eq!(tables("fe80::/64"), [Bans6, Nets6], "but their common /64 is none");
    }

    #[test]
    fn every_place_tells_whom_it_stands_for() {
        for text in ["203.0.113.7", "203.0.113.0/24", "0.0.0.0/0", "2001:db8:1:2::/64", "2001:db8::/48", "::/0", "fe80::9"] {
            let subject: Subject = text.parse().unwrap();
            for spot in Spot::all(&subject) {
                assert_eq!(spot.subject(), Some(subject), "{spot:?}");
            }
        }
        let one: Subject = "2001:db8:1:2::9".parse().unwrap();
        let told: Vec<_> = Spot::all(&one).iter().filter_map(Spot::subject).map(|subject| subject.to_string()).collect();
        assert_eq!(told, ["2001:db8:1:2::9/128", "2001:db8:1:2::/64"]);
    }

    #[test]
    fn the_scope_chooses_the_table() {
        let home = |text: &str, scope| Spot::home(&text.parse().unwrap(), scope).table();
        assert_eq!([home("203.0.113.7", Scope::All), home("203.0.113.7", Scope::Dark)], [Table::Bans4, Table::Dark]);
        assert_eq!([home("2001:db8::9", Scope::All), home("2001:db8::9", Scope::Dark)], [Table::Nets6, Table::Nets6]);
    }
}

//! Who is banned: an IP prefix, always written and compared in its one canonical form.

use core::{fmt, net::IpAddr, str::FromStr};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The widest prefix that is banned without `--force`: /16 for IPv4.
pub const PREFIX_V4_MIN: u8 = 16;
/// The widest prefix that is banned without `--force`: /32 for IPv6.
pub const PREFIX_V6_MIN: u8 = 32;
/// A customer's prefix: what an IPv6 source is banned by unless it is a neighbour.
pub const PREFIX_V6_CUSTOMER: u8 = 64;

/// An IPv4 or IPv6 prefix with its host bits cleared; IPv4-mapped IPv6 is IPv4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(IpNet);

/// Why a text is no subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// Neither an address nor a prefix.
    #[error("`{0}` is neither an IP address nor a prefix such as 203.0.113.0/24")]
    Syntax(alloc::string::String),
    /// Bits are set behind the prefix length: probably a typing error, so it is not guessed.
    #[error("`{given}` has host bits set; write {canonical} if the whole prefix is meant")]
    HostBits {
        /// The text as given.
        given: alloc::string::String,
        /// The prefix it would stand for.
        canonical: Subject,
    },
}

impl Subject {
    /// A prefix as a subject; host bits are cleared.
    #[must_use]
    pub fn new(net: IpNet) -> Self {
        match net.trunc() {
            IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.network().to_ipv4_mapped() {
                Some(v4) => Self(IpNet::V4(Ipv4Net::new_assert(v4, v6.prefix_len() - 96))),
                None => Self(IpNet::V6(v6)),
            },
            net => Self(net),
        }
    }

    /// Exactly one address.
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        Self(IpNet::from(addr.to_canonical()))
    }

    /// What a source is banned as: the address for IPv4, its /64 for IPv6, unless that /64 touches one of
    /// `neighbours` (our own links, where a /64 holds many owners): then the address alone.
    #[must_use]
    pub fn of_source(addr: IpAddr, neighbours: &[IpNet]) -> Self {
        match addr.to_canonical() {
            IpAddr::V4(_) => Self::host(addr),
            IpAddr::V6(v6) => {
                let customer = Self::new(IpNet::V6(Ipv6Net::new_assert(v6, PREFIX_V6_CUSTOMER)));
                let shared =
                    v6.is_unicast_link_local() || v6.is_loopback() || neighbours.iter().any(|net| customer.overlaps(net));
                if shared { Self::host(addr) } else { customer }
            }
        }
    }

    /// The prefix.
    #[must_use]
    pub const fn net(&self) -> IpNet {
        self.0
    }

    /// The first address.
    #[must_use]
    pub fn addr(&self) -> IpAddr {
        self.0.network()
    }

    /// The prefix length in bits.
    #[must_use]
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Is it exactly one address?
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }

    /// Does it cover `addr`?
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.0.contains(&addr.to_canonical())
    }

    /// Does it lie wholly inside `net`?
    #[must_use]
    pub fn is_within(&self, net: &IpNet) -> bool {
        net.contains(&self.0)
    }

    /// Do it and `net` share an address?
    #[must_use]
    pub fn overlaps(&self, net: &IpNet) -> bool {
        net.contains(&self.0) || self.0.contains(net)
    }

    /// Is it too wide to ban without `--force`?
    #[must_use]
    pub const fn is_wide(&self) -> bool {
        match self.0 {
            IpNet::V4(net) => net.prefix_len() < PREFIX_V4_MIN,
            IpNet::V6(net) => net.prefix_len() < PREFIX_V6_MIN,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&alloc::format!("{}", self.0))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    /// `203.0.113.7`, `203.0.113.0/24`, `2001:db8::1`, `2001:db8::/64`. An address alone is that one address.
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if let Ok(addr) = text.parse::<IpAddr>() {
            return Ok(Self::host(addr));
        }
        let net: IpNet = text.parse().map_err(|_| SubjectError::Syntax(text.into()))?;
        if net.trunc() != net {
            return Err(SubjectError::HostBits { given: text.into(), canonical: Self::new(net) });
        }
        Ok(Self::new(net))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_alone_is_one_host() {
        assert_eq!(subject("203.0.113.7").to_string(), "203.0.113.7/32");
        assert_eq!(subject("2001:DB8::1").to_string(), "2001:db8::1/128");
        assert_eq!(subject("::ffff:203.0.113.7"), subject("203.0.113.7"), "mapped is IPv4");
        assert_eq!(subject("::ffff:203.0.113.0/120"), subject("203.0.113.0/24"));
    }

    #[test]
    fn host_bits_and_nonsense_are_refused_with_the_mend() {
        let error = "203.0.113.7/24".parse::<Subject>().unwrap_err().to_string();
        assert_eq!(error, "`203.0.113.7/24` has host bits set; write 203.0.113.0/24 if the whole prefix is meant");
        for bad in ["", "x", "203.0.113.7/33", "203.0.113", "1.2.3.4/-1", "::/129", "203.0.113.7 "] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_ipv6_source_is_its_customer_prefix_unless_it_is_a_neighbour() {
        let source = "2001:db8:1:2::99".parse().unwrap();
        assert_eq!(Subject::of_source(source, &[]).to_string(), "2001:db8:1:2::/64");
        let link = "2001:db8:1:2::/64".parse().unwrap();
        assert_eq!(Subject::of_source(source, &[link]).to_string(), "2001:db8:1:2::99/128");
        assert!(Subject::of_source("fe80::1".parse().unwrap(), &[]).is_host());
        assert_eq!(Subject::of_source("203.0.113.7".parse().unwrap(), &[]).to_string(), "203.0.113.7/32");
    }

    #[test]
    fn wide_prefixes_are_known() {
        assert!(subject("10.0.0.0/15").is_wide() && !subject("10.0.0.0/16").is_wide());
        assert!(subject("2001:d00::/24").is_wide() && !subject("2001:db8::/32").is_wide());
    }
}

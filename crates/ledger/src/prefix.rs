//! A map by prefix that finds what covers an address without scanning.

use alloc::collections::BTreeMap;
use core::{net::IpAddr, ops::Bound};
use honeymesh_types::Subject;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const LENGTHS_V4: usize = 33;
const LENGTHS_V6: usize = 129;

/// A sorted map of prefixes. It counts the prefix lengths in use, so that a covering look-up probes only those.
pub(crate) struct PrefixMap<V> {
    map: BTreeMap<Subject, V>,
    used_v4: [u32; LENGTHS_V4],
    used_v6: [u32; LENGTHS_V6],
}

impl<V> Default for PrefixMap<V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), used_v4: [0; LENGTHS_V4], used_v6: [0; LENGTHS_V6] }
    }
}

impl<V> PrefixMap<V> {
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Subject, &V)> {
        self.map.iter()
    }

    /// All in order, beginning at `from`.
    pub(crate) fn iter_from(&self, from: Bound<Subject>) -> impl Iterator<Item = (&Subject, &V)> {
        self.map.range((from, Bound::Unbounded))
    }

    pub(crate) fn get(&self, subject: &Subject) -> Option<&V> {
        self.map.get(subject)
    }

    pub(crate) fn remove(&mut self, subject: &Subject) -> Option<V> {
        let gone = self.map.remove(subject)?;
        if let Some(count) = self.used(subject) {
            *count = count.saturating_sub(1);
        }
        Some(gone)
    }

    /// Everything that holds all of `subject`, narrowest first, `subject` itself included.
    pub(crate) fn covering(&self, subject: &Subject) -> impl Iterator<Item = (&Subject, &V)> {
        let (addr, longest) = (subject.addr(), subject.prefix_len());
        let used: &[u32] = if addr.is_ipv4() { &self.used_v4 } else { &self.used_v6 };
        let lengths = (0..=longest).rev().filter(move |len| used.get(usize::from(*len)).is_some_and(|count| *count > 0));
        lengths.filter_map(move |len| self.map.get_key_value(&wider(addr, len)))
    }

    /// Everything that lies wholly within `net`, in order. What sorts behind `net` begins with what is inside it, so no upper
    /// bound is needed, which for some IPv6 nets would be an IPv4-mapped address and sort elsewhere.
    pub(crate) fn within(&self, net: &Subject) -> impl Iterator<Item = (&Subject, &V)> {
        let net = *net;
        self.map.range(net..).take_while(move |(subject, _)| subject.is_within(&net.net()))
    }

    fn used(&mut self, subject: &Subject) -> Option<&mut u32> {
        let len = usize::from(subject.prefix_len());
        if subject.addr().is_ipv4() { self.used_v4.get_mut(len) } else { self.used_v6.get_mut(len) }
    }
}

impl<V: Default> PrefixMap<V> {
    pub(crate) fn get_or_insert(&mut self, subject: Subject) -> &mut V {
        if !self.map.contains_key(&subject)
            && let Some(count) = self.used(&subject)
        {
            *count = count.saturating_add(1);
        }
        self.map.entry(subject).or_default()
    }
}

fn wider(addr: IpAddr, len: u8) -> Subject {
    match addr {
        IpAddr::V4(v4) => Subject::new(IpNet::V4(Ipv4Net::new_assert(v4, len))),
        IpAddr::V6(v6) => Subject::new(IpNet::V6(Ipv6Net::new_assert(v6, len))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    fn map(all: &[&str]) -> PrefixMap<()> {
        let mut map = PrefixMap::default();
        for one in all {
            map.get_or_insert(subject(one));
        }
        map
    }

    fn texts<'a>(found: impl Iterator<Item = (&'a Subject, &'a ())>) -> Vec<alloc::string::String> {
        found.map(|(subject, ())| alloc::format!("{subject}")).collect()
    }

    #[test]
    fn covering_goes_from_narrow_to_wide_and_keeps_the_families_apart() {
        let map = map(&["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "10.1.2.4/32", "::/0", "2001:db8::/32"]);
        assert_eq!(texts(map.covering(&subject("10.1.2.3"))), ["10.1.2.3/32", "10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"]);
        assert_eq!(texts(map.covering(&subject("10.1.0.0/16"))), ["10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"]);
        assert_eq!(texts(map.covering(&subject("2001:db8::1"))), ["2001:db8::/32", "::/0"]);
    }

    #[test]
    fn reading_goes_on_from_where_it_stopped() {
        let map = map(&["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "::/0"]);
        let from = |bound| texts(map.iter_from(bound));
        assert_eq!(from(Bound::Unbounded).len(), 4);
        assert_eq!(from(Bound::Excluded(subject("10.1.0.0/16"))), ["10.2.0.0/16", "::/0"]);
        assert_eq!(from(Bound::Included(subject("10.1.0.0/17"))), ["10.2.0.0/16", "::/0"]);
    }

    #[test]
    fn within_finds_the_inside_and_nothing_wider_or_beside() {
        let map = map(&[
            "10.0.0.0/8",
            "10.0.0.0/16",
            "10.0.0.0/24",
            "10.0.0.0/32",
            "10.0.255.255/32",
            "10.1.0.0/32",
            "9.255.255.255/32",
        ]);
        assert_eq!(texts(map.within(&subject("10.0.0.0/16"))), ["10.0.0.0/16", "10.0.0.0/24", "10.0.0.0/32", "10.0.255.255/32"]);
    }

    #[test]
    fn a_net_that_ends_among_the_mapped_addresses_is_searched_too() {
        let map = map(&["::/80", "::/96", "::5/128", "1.2.3.4/32", "255.255.255.255/32", "2001:db8::/32"]);
        assert_eq!(texts(map.within(&subject("::/80"))), ["::/80", "::/96", "::5/128"]);
        assert_eq!(texts(map.within(&subject("::/0"))), ["::/80", "::/96", "::5/128", "2001:db8::/32"]);
    }

    #[test]
    fn removed_lengths_are_probed_no_more() {
        let mut map = map(&["10.0.0.0/8", "10.0.0.1/32"]);
        map.remove(&subject("10.0.0.0/8"));
        map.remove(&subject("10.0.0.0/8"));
        assert_eq!((map.used_v4[8], map.used_v4[32], map.len()), (0, 1, 1));
    }
}

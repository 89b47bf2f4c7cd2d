//! Prefixes as bytes that sort: so that a B-tree finds what lies inside a prefix, and what covers it.

use honeymesh_types::{Event, Subject};
use ipnet::IpNet;
use std::net::IpAddr;

/// A family byte and the address: 5 bytes for IPv4, 17 for IPv6, so that the families never mix.
fn key(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(v4) => [&[4], v4.octets().as_slice()].concat(),
        IpAddr::V6(v6) => [&[6], v6.octets().as_slice()].concat(),
    }
}

/// The first and the last address of a prefix.
pub(crate) fn range(subject: Subject) -> (Vec<u8>, Vec<u8>) {
    (key(subject.net().network()), key(subject.net().broadcast()))
}

/// Whom an event concerns: its own prefix, else its source.
pub(crate) fn of_event(event: &Event) -> Option<(Vec<u8>, Vec<u8>)> {
    event.subject.or_else(|| event.source.map(Subject::host)).map(range)
}

/// The first addresses of all wider prefixes around `subject`, without duplicates and without its own.
pub(crate) fn ancestors(subject: Subject) -> Vec<Vec<u8>> {
    let net = subject.net();
    let own = key(net.network());
    let mut keys: Vec<_> = (0..net.prefix_len())
        .filter_map(|len| IpNet::new(net.network(), len).ok())
        .map(|wider| key(wider.network()))
        .filter(|key| *key != own)
        .collect();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    #[test]
    fn keys_sort_as_addresses_do_and_families_do_not_mix() {
        let (first, last) = range(subject("10.0.0.0/8"));
        assert!(first < key("10.1.2.3".parse().unwrap()) && key("10.1.2.3".parse().unwrap()) < last);
        assert!(last < key("11.0.0.0".parse().unwrap()));
        let (first, last) = range(subject("::/0"));
        let v4 = key("203.0.113.7".parse().unwrap());
        assert!(!(first <= v4 && v4 <= last));
    }

    #[test]
    fn ancestors_are_the_few_networks_around() {
        let around = ancestors(subject("203.0.113.7"));
        assert!(around.contains(&key("203.0.113.0".parse().unwrap())) && around.contains(&key("0.0.0.0".parse().unwrap())));
        assert!(around.len() <= 32 && ancestors(subject("2001:db8::1")).len() <= 128);
        assert!(ancestors(subject("0.0.0.0/0")).is_empty());
    }
}

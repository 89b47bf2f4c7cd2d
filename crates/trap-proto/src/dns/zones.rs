//! The zones that BIND has of itself, so that nobody's questions about private addresses reach the root (RFC 6303, 7534, 8375, 9462).

use super::{ANY, DS, NS, SOA, message::Question, names::Names};
use alloc::{vec, vec::Vec};

/// A zone's numbers in BIND's own zones: serial, refresh, retry, expire, minimum.
pub(super) const SOA_NUMBERS: &[u8] = b"\0\0\0\0\0\0\x70\x80\0\0\x1c\x20\0\x09\x3a\x80\0\x01\x51\x80";
pub(super) const DAY: [u8; 4] = [0, 1, 0x51, 0x80];
const NOW: [u8; 4] = [0; 4];

/// Networks of IPv4 that BIND answers for, by their first octets; of two more, [`networks`] knows the second octet's range.
const NETWORKS: [&[&[u8]]; 9] = [
    &[b"10"],
    &[b"127"],
    &[b"0"],
    &[b"192", b"168"],
    &[b"169", b"254"],
    &[b"192", b"0", b"2"],
    &[b"198", b"51", b"100"],
    &[b"203", b"0", b"113"],
    &[b"255", b"255", b"255", b"255"],
];
/// Networks of IPv6 by their first digits, but for `::` and `::1`.
const DIGITS: [&[u8]; 6] = [b"fd", b"fe8", b"fe9", b"fea", b"feb", b"20010db8"];
/// Digits of an address of IPv6.
const ADDRESS_DIGITS: usize = 32;

/// A question about a name in such a zone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Own {
    /// The labels that the zone has of the name.
    labels: usize,
    /// The name is the zone's own.
    pub(super) is_zone: bool,
}

/// What an answer has of records.
#[derive(Default)]
pub(super) struct Records {
    pub(super) answers: Vec<Vec<u8>>,
    pub(super) authority: Vec<Vec<u8>>,
}

/// Whether a name is in one of them.
pub(super) fn own(question: &Question<'_>) -> Option<Own> {
    let mut labels: Vec<Vec<u8>> = question.labels().iter().map(|label| label.to_ascii_lowercase()).collect();
    labels.reverse();
    let reversed: Vec<&[u8]> = labels.iter().map(Vec::as_slice).collect();
    let zone = match reversed.as_slice() {
        [b"arpa", b"in-addr", octets @ ..] => networks(octets)? + 2,
        [b"arpa", b"ip6", digits @ ..] => prefixes(digits)? + 2,
        [b"arpa", b"home" | b"resolver", ..] => 2,
        [b"arpa", b"as112", b"empty", ..] => 3,
        _ => return None,
    };
    Some(Own { labels: zone, is_zone: zone == labels.len() })
}

/// How many of these octets are a network's.
fn networks(octets: &[&[u8]]) -> Option<usize> {
    if let Some(network) = NETWORKS.iter().find(|network| octets.starts_with(network)) {
        return Some(network.len());
    }
    let [first, second, ..] = octets else { return None };
    let number = core::str::from_utf8(second).ok().filter(|text| !text.starts_with(['0', '+']))?.parse::<u8>().ok()?;
    let is_own = match *first {
        b"172" => (16..=31).contains(&number),
        b"100" => (64..=127).contains(&number),
        _ => false,
    };
    is_own.then_some(2)
}

fn prefixes(digits: &[&[u8]]) -> Option<usize> {
    let text: Vec<u8> = digits.iter().take_while(|label| label.len() == 1).take(ADDRESS_DIGITS).map(|label| label[0]).collect();
    if let Some(prefix) = DIGITS.iter().find(|prefix| text.starts_with(prefix)) {
        return Some(prefix.len());
    }
    // The unspecified address and the loopback's.
    let (last, before) = text.split_last().filter(|_| text.len() == ADDRESS_DIGITS)?;
    (before.iter().all(|digit| *digit == b'0') && matches!(last, b'0' | b'1')).then_some(ADDRESS_DIGITS)
}

impl Own {
    /// What is said about it: that the zone begins here and has no other name.
    pub(super) fn records(self, question: &Question<'_>) -> Records {
        let name = question.written();
        // The zones' names are in capitals.
        let zone = question.labels();
        let zone = written(&zone[zone.len().saturating_sub(self.labels)..]).to_ascii_uppercase();
        let mut names = Names::after_question(name);
        let mut at = super::HEADER_BYTES + question.raw.len();
        let mut record = |owner: &[u8], kind: u16, lives: [u8; 4], numbers: &[u8]| {
            let owner = names.write(owner, at);
            let data = names.write(&zone, at + owner.len() + 10);
            let record = super::answer::record(&owner, kind, 1, lives, &[&data, numbers].concat());
            at += record.len();
            record
        };
        let beginning = [&[0], SOA_NUMBERS].concat();
        match question.kind {
            SOA if self.is_zone => Records { answers: vec![record(name, SOA, DAY, &beginning)], ..Records::default() },
            NS if self.is_zone => Records { answers: vec![record(name, NS, NOW, &[])], ..Records::default() },
            ANY if self.is_zone => {
                let answers = vec![record(name, SOA, DAY, &beginning), record(name, NS, NOW, &[])];
                Records { answers, ..Records::default() }
            }
            // Whoever asks where a name's zone begins shall not remember that it has none.
            kind => {
                let lives = if kind == SOA { NOW } else { DAY };
                Records { authority: vec![record(&zone, SOA, lives, &beginning)], ..Records::default() }
            }
        }
    }

    /// A signer's key is the parent's to tell, and that one's zone may not be asked.
    pub(super) fn is_the_parents(self, question: &Question<'_>) -> bool {
        self.is_zone && question.kind == DS
    }
}

/// A name as it stands in a message.
fn written(labels: &[&[u8]]) -> Vec<u8> {
    let mut name = Vec::new();
    for label in labels {
        name.push(u8::try_from(label.len()).unwrap_or(0));
        name.extend_from_slice(label);
    }
    name.push(0);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String};

    fn zone(name: &str) -> Option<(usize, bool)> {
        let raw = [written(&name.split('.').map(str::as_bytes).collect::<Vec<_>>()), vec![0, 12, 0, 1]].concat();
        own(&Question { raw: &raw, kind: 12, class: 1 }).map(|own| (own.labels, own.is_zone))
    }

    fn address(digits: &str) -> String {
        let digits: Vec<String> = digits.chars().rev().map(String::from).collect();
        format!("{}.ip6.arpa", digits.join("."))
    }

    #[test]
    fn each_zone_of_binds_list_is_known_and_none_beside_it() {
        let whole = |name: &str, labels| assert_eq!(zone(name), Some((labels, true)), "{name}");
        (16..=31).for_each(|second| whole(&format!("{second}.172.in-addr.arpa"), 4));
        (64..=127).for_each(|second| whole(&format!("{second}.100.In-Addr.ARPA"), 4));
        for name in ["10", "127", "0"] {
            whole(&format!("{name}.in-addr.arpa"), 3);
        }
        for name in ["2.0.192", "100.51.198", "113.0.203"] {
            whole(&format!("{name}.in-addr.arpa"), 5);
        }
        whole("255.255.255.255.in-addr.arpa", 6);
        for (digits, labels) in [("fd", 4), ("fe8", 5), ("feb", 5), ("20010db8", 10)] {
            whole(&address(digits), labels);
        }
        for last in ["0", "1"] {
            whole(&address(&format!("{}{last}", "0".repeat(31))), 34);
        }
        whole("home.arpa", 2);
        whole("resolver.arpa", 2);
        whole("EMPTY.as112.arpa", 3);
        assert_eq!(zone("1.0.31.172.in-addr.arpa"), Some((4, false)));
        assert_eq!(zone(&address("fe801")), Some((5, false)));
        let (few, more) = (address(&"0".repeat(31)), address(&format!("{}2", "0".repeat(31))));
        for name in ["15.172", "32.172", "63.100", "128.100", "016.172", "+16.172", "172", "255", "1.255"] {
            assert_eq!(zone(&format!("{name}.in-addr.arpa")), None, "{name}");
        }
        for name in [few.as_str(), &more, "c.e.f.ip6.arpa", "as112.arpa", "arpa", "ip6.arpa", "df.ip6.arpa", "home.arpa.org"] {
            assert_eq!(zone(name), None, "{name}");
        }
    }
}

//! Datagrams that grow: each is as long as is asked, and whole.

/// A datagram of so many bytes.
pub(super) type Made = fn(usize) -> Vec<u8>;

/// What it is of, what grows in it, and how it is made.
pub(super) const DATAGRAMS: [(&str, &str, Made); 17] = [
    ("dns", "questions that point to the first", |length| filled(DNS_QUESTIONS, b"\xc0\x0c\0\xff\0\x01", length)),
    ("dns", "questions that each point to the one before", dns_chain),
    ("dns", "records without end", |length| filled(DNS_RECORDS, b"\0\0\x29\x04\xd0\0\0\0\0\0\x04\0\x0a\0\0", length)),
    ("dns", "zeros", |length| filled(b"\x12\x34\x01\0\xff\xff\xff\xff\xff\xff\xff\xff", b"\0", length)),
    ("ntp", "extension fields", |length| filled(NTP, b"\x02\x04\0\x10aaaabbbbcccc", length)),
    ("ntp", "a control message's data", |length| filled(b"\x16\x02\0\x01\0\0\0\0\0\0\x0f\xf4", b"version,", length)),
    ("snmp", "bindings", snmp_bindings),
    ("snmp", "one name", snmp_name),
    ("snmp", "sequences in sequences", |length| filled(b"", b"\x30\x80", length)),
    ("tftp", "options", |length| filled(b"\0\x01file\0octet\0", b"blksize\x001428\0", length)),
    ("tftp", "a name without an end", |length| filled(b"\0\x02", b"../", length)),
    ("sip", "headers", |length| filled(SIP, b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n", length)),
    ("sip", "one header", |length| filled(b"REGISTER sip:a SIP/2.0\r\nContact: ", b"<sip:a>;q=1, \"", length)),
    ("sip", "a login's parts", |length| filled(b"REGISTER sip:a SIP/2.0\r\nAuthorization: Digest ", b"username=\"a\", ", length)),
    ("ssdp", "headers", |length| filled(b"M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n", b"ST: ssdp:all\r\n", length)),
    ("memcached", "keys", |length| filled(b"\0\x01\0\0\0\x01\0\0get ", b"a ", length)),
    ("memcached", "commands", |length| filled(b"\0\x01\0\0\0\x01\0\0", b"get a b\r\n", length)),
];

const DNS_QUESTIONS: &[u8] = b"\x12\x34\x01\0\xff\xff\0\0\0\0\0\0\x03www\x07example\0\0\xff\0\x01";
const DNS_RECORDS: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\xff\xff\x03www\x07example\0\0\xff\0\x01";
const SIP: &[u8] =
    b"OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n";
const NTP: &[u8] = b"\x23\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The same again and again behind a beginning.
fn filled(head: &[u8], unit: &[u8], length: usize) -> Vec<u8> {
    head.iter().chain(unit.iter().cycle()).take(length).copied().collect()
}

/// Each name of which is a pointer to the name before it: whoever follows all of each goes a long way.
fn dns_chain(length: usize) -> Vec<u8> {
    let mut bytes = b"\x12\x34\x01\0\xff\xff\0\0\0\0\0\0\x01a\0\0\xff\0\x01".to_vec();
    let mut last = 12;
    while bytes.len() < length {
        let [high, low] = u16::try_from(last).unwrap_or_default().to_be_bytes();
        last = bytes.len();
        bytes.extend([0xc0 | high, low, 0, 0xff, 0, 1]);
    }
    bytes.truncate(length);
    bytes
}

/// BER with a length of two bytes.
fn ber(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[tag, 0x82][..], &length, content].concat()
}

/// A request for these, and how long it is without them.
fn snmp(bindings: &[u8]) -> Vec<u8> {
    let request = [b"\x02\x02\x12\x34\x02\x01\0\x02\x01\0", &ber(0x30, bindings)[..]].concat();
    ber(0x30, &[b"\x02\x01\x01\x04\x06public", &ber(0xa0, &request)[..]].concat())
}

/// As many objects as there is room for; the first has a value that makes it as long as is asked.
fn snmp_bindings(length: usize) -> Vec<u8> {
    const OBJECT: &[u8] = b"\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\0\x05\0";
    let room = length.saturating_sub(snmp(b"").len());
    let (count, left) = (room / OBJECT.len(), room % OBJECT.len());
    let left = u8::try_from(left).unwrap_or_default();
    let value = vec![b'x'; usize::from(left)];
    let first = [b"\x30", &[OBJECT[1] + left][..], &OBJECT[2..12], b"\x04", &[left], &value].concat();
    snmp(&[first, OBJECT.repeat(count.saturating_sub(1))].concat())
}

/// One object with a name of so many parts.
fn snmp_name(length: usize) -> Vec<u8> {
    let of = |parts: usize| snmp(&ber(0x30, &[ber(6, &[&[0x2b][..], &vec![0x81; parts], &[1]].concat()), vec![5, 0]].concat()));
    of(length.saturating_sub(of(0).len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_as_long_as_is_asked() {
        for (service, what, made) in DATAGRAMS {
            for length in [1_024, 2_048, 4_096] {
                assert_eq!(made(length).len(), length, "{service}: {what}");
            }
        }
    }
}

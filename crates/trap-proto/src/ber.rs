//! ASN.1 in BER, as far as LDAP, SPNEGO and the remote desktop use it: definite lengths, one octet of tag.

use crate::exactly::Reader;
use alloc::vec::Vec;

/// `content` with its tag and length in front, in as few octets as can be.
pub(crate) fn ber(tag: u8, content: &[u8]) -> Vec<u8> {
    let bytes = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    let head: &[u8] = match bytes {
        [0, 0, 0, short @ 0..=0x7f] => &[short],
        [0, 0, 0, byte] => &[0x81, byte],
        [0, 0, high, low] => &[0x82, high, low],
        [one, two, three, four] => &[0x84, one, two, three, four],
    };
    [&[tag], head, content].concat()
}

/// Several values as one.
pub(crate) fn sequence(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    ber(tag, &parts.concat())
}

/// What the first bytes of a value say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// More bytes are needed.
    Open,
    /// Its tag, and how many bytes its head and its content have.
    Whole { tag: u8, head: usize, content: usize },
    /// No definite length of at most four octets.
    Broken,
}

/// Reads a value's head.
pub(crate) fn head(bytes: &[u8]) -> Head {
    let [tag, first, rest @ ..] = bytes else { return Head::Open };
    let octets = match first {
        0..=0x7f => return Head::Whole { tag: *tag, head: 2, content: usize::from(*first) },
        0x81..=0x84 => usize::from(first & 0x7f),
        _ => return Head::Broken,
    };
    let Some(length) = rest.get(..octets) else { return Head::Open };
    let content = length.iter().fold(0, |sum: usize, byte| sum << 8 | usize::from(*byte));
    Head::Whole { tag: *tag, head: 2 + octets, content }
}

/// Takes the next value off the front: its tag and content.
pub(crate) fn value<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let Head::Whole { tag, head, content } = head(reader.0) else { return None };
    reader.bytes(head)?;
    Some((tag, reader.bytes(content)?))
}

/// The same if it has this tag.
pub(crate) fn tagged<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    value(reader).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// A number of at most four octets, none of them a sign.
pub(crate) fn number(content: &[u8]) -> Option<u32> {
    (1..=4).contains(&content.len()).then(|| content.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// A number of at most four octets with its sign; none are nought, as in liblber.
pub(crate) fn signed(content: &[u8]) -> Option<i32> {
    let first = if content.first().is_some_and(|byte| *byte >= 0x80) { -1 } else { 0 };
    (content.len() <= 4).then(|| content.iter().fold(first, |sum: i32, byte| sum << 8 | i32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn lengths_are_written_and_read_in_every_size() {
        for bytes in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let written = ber(4, &vec![7; bytes]);
            let mut reader = Reader(&written);
            assert_eq!(value(&mut reader), Some((4, &vec![7; bytes][..])), "{bytes}");
            assert!(reader.0.is_empty());
            assert_eq!(value(&mut Reader(&written[..written.len() - 1])), None);
        }
        assert_eq!((head(b"\x30"), head(b"\x30\x80"), head(b"\x30\x82\x01")), (Head::Open, Head::Broken, Head::Open));
        assert_eq!((number(b"\x01\x02"), number(b""), number(b"12345")), (Some(0x102), None, None));
        assert_eq!(tagged(&mut Reader(b"\x02\x01\x05"), 4), None);
        let table: [(&[u8], Option<i32>); 7] = [
            (b"", Some(0)),
            (b"\x7f", Some(127)),
            (b"\xff", Some(-1)),
            (b"\0\xff", Some(255)),
            (b"\x80\0\0\0", Some(i32::MIN)),
            (b"\x7f\xff\xff\xff", Some(i32::MAX)),
            (b"\0\0\0\0\x01", None),
        ];
        table.iter().for_each(|(content, number)| assert_eq!(signed(content), *number, "{content:?}"));
    }
}

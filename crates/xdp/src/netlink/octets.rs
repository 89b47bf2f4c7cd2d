//! Netlink's octets: messages, and the attributes in them, written and read. Nothing here knows what they mean.

pub(crate) const REQUEST: u16 = 1;
pub(crate) const ACK: u16 = 4;
/// `NLM_F_DUMP`: all there are.
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const CREATE: u16 = 0x400;
const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_CREATE | NLM_F_EXCL`, acknowledged.
pub(crate) const NEW: u16 = REQUEST | ACK | CREATE | EXCLUSIVE;
/// `NLM_F_MULTI`: part of many, until one says that it is the last.
pub(crate) const PART: u16 = 2;
/// `NLMSG_ERROR`, which is an acknowledgement, too, and `NLMSG_DONE`.
pub(crate) const ERROR: u16 = 2;
pub(crate) const DONE: u16 = 3;
const NESTED: u16 = 1 << 15;
/// The two upper bits of an attribute's kind are flags.
const KIND_MASK: u16 = 0x3fff;

const HEADER_LEN: usize = 16;
const ATTRIBUTE_LEN: usize = 4;

/// A message: its header is filled in.
pub(crate) fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(HEADER_LEN + body.len()).unwrap_or(u32::MAX);
    let mut octets = len.to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend(sequence.to_ne_bytes());
    octets.extend([0; 4]);
    octets.extend(body);
    octets
}

/// An attribute.
pub(crate) fn attribute(kind: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(ATTRIBUTE_LEN + body.len()).unwrap_or(u16::MAX);
    let mut octets = [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), body].concat();
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// An attribute of attributes.
pub(crate) fn nested(kind: u16, inside: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | NESTED, &inside.concat())
}

/// An attribute of text.
pub(crate) fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

/// A message that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) body: &'a [u8],
}

/// The messages of a datagram, up to the first that makes no sense.
pub(crate) fn messages(mut octets: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = usize::try_from(u32_at(octets, 0)?).ok()?;
        let body = octets.get(HEADER_LEN..len)?;
        let message = Message { kind: u16_at(octets, 4)?, flags: u16_at(octets, 6)?, sequence: u32_at(octets, 8)?, body };
        octets = octets.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// What an [`ERROR`] says is wrong; `None`: it is an acknowledgement.
pub(crate) fn errno(body: &[u8]) -> Option<i32> {
    u32_at(body, 0).map(|errno| errno.cast_signed().wrapping_neg()).filter(|errno| *errno != 0)
}

/// Attributes, up to the first that makes no sense.
pub(crate) fn attributes(mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(octets, 0)?);
        let value = octets.get(ATTRIBUTE_LEN..len)?;
        let kind = u16_at(octets, 2)? & KIND_MASK;
        octets = octets.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The attribute of a kind among others.
pub(crate) fn find(octets: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(octets).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// The number that an attribute holds: of 1, 2, 4 or 8 octets.
pub(crate) fn value(attributes: &[u8], wanted: u16) -> Option<u64> {
    let octets = find(attributes, wanted)?;
    match *octets {
        [a] => Some(a.into()),
        [a, b] => Some(u16::from_ne_bytes([a, b]).into()),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
        _ => Some(u64::from_ne_bytes(octets.try_into().ok()?)),
    }
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|octets| u16::from_ne_bytes(*octets))
}

/// A number within a body.
pub(crate) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_whatever_their_neighbours_are() {
        let all = [attribute(1, &[7]), nested(2, &[attribute(9, &5_u32.to_ne_bytes())]), text(3, "lo")].concat();
        assert_eq!(value(&all, 1), Some(7));
        assert_eq!(find(&all, 2).and_then(|inside| value(inside, 9)), Some(5));
        assert_eq!(find(&all, 3), Some(&b"lo\0"[..]));
        assert_eq!(find(&all, 4), None);
    }

    #[test]
    fn damaged_attributes_end_the_search() {
        assert_eq!(find(&[0, 0, 1], 1), None);
        assert_eq!(find(&[0xff, 0xff, 1, 0, 9], 1), None, "longer than what is there");
        assert_eq!(find(&[0, 0, 1, 0, 0, 0, 2, 0], 2), None, "lengths of zero do not hold it up");
    }

    #[test]
    fn messages_come_out_as_they_went_in_and_an_error_is_told() {
        let sent = [message(ERROR, 0, 7, &(-libc::ENODEV).to_ne_bytes()), message(DONE, PART, 8, &[0; 4])].concat();
        let seen: Vec<_> = messages(&sent).map(|message| (message.kind, message.flags, message.sequence)).collect();
        assert_eq!(seen, [(ERROR, 0, 7), (DONE, PART, 8)]);
        assert_eq!(messages(&sent).map(|message| errno(message.body)).collect::<Vec<_>>(), [Some(libc::ENODEV), None]);
        assert_eq!(messages(&sent[..19]).count(), 0, "cut short");
        assert_eq!(messages(&[0; 32]).count(), 0, "shorter than its header");
    }
}

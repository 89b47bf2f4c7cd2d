//! Netlink messages and their attributes as octets, out and in. Nothing here knows what they mean.

use super::{
    side::Side,
    uapi::{BATCH_BEGIN, BATCH_END, SUBSYSTEM, flag, log},
};

/// The header of a message, and of nfnetlink behind it.
const HEADER_LEN: usize = 16;
const FAMILY_HEADER_LEN: usize = 4;
const ATTRIBUTE_HEADER_LEN: usize = 4;
/// `NLA_TYPE_MASK`: the two upper bits of an attribute's kind are flags.
const KIND_MASK: u16 = 0x3fff;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// Attributes that are being written.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        // An attribute's length is 16 bits; every caller bounds what it puts into one.
        let len = u16::try_from(ATTRIBUTE_HEADER_LEN + value.len()).unwrap_or(u16::MAX);
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn text(&mut self, kind: u16, text: &str) -> &mut Self {
        self.bytes(kind, &[text.as_bytes(), &[0]].concat())
    }

    /// A number in network order, as nf_tables wants all of them.
    pub(super) fn number(&mut self, kind: u16, number: u32) -> &mut Self {
        self.bytes(kind, &number.to_be_bytes())
    }

    pub(super) fn long(&mut self, kind: u16, number: u64) -> &mut Self {
        self.bytes(kind, &number.to_be_bytes())
    }

    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(kind | NESTED, &inner.0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(test)]
    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    kind: u16,
    flags: u16,
    family: u8,
    /// For a batch's marks the subsystem, for the log the group; elsewhere nobody reads it.
    resource: u16,
    attributes: Attributes,
}

impl Message {
    /// About one of our two tables.
    pub(super) fn new(side: Side, message: u16, flags: u16, fill: impl FnOnce(&mut Attributes)) -> Self {
        let kind = SUBSYSTEM << 8 | message;
        Self::of(kind, flags, side.family(), SUBSYSTEM, fill)
    }

    /// About a group of the kernel's packet log.
    pub(super) fn about_log(group: u16, fill: impl FnOnce(&mut Attributes)) -> Self {
        Self::of(log::SUBSYSTEM << 8 | log::CONFIG, flag::ACK, 0, group, fill)
    }

    fn of(kind: u16, flags: u16, family: u8, resource: u16, fill: impl FnOnce(&mut Attributes)) -> Self {
        let mut attributes = Attributes::default();
        fill(&mut attributes);
        Self { kind, flags: flags | flag::REQUEST, family, resource, attributes }
    }

    const fn mark(kind: u16) -> Self {
        Self { kind, flags: flag::REQUEST, family: 0, resource: SUBSYSTEM, attributes: Attributes(Vec::new()) }
    }

    /// Appends the message with this sequence number.
    pub(super) fn write(&self, sequence: u32, out: &mut Vec<u8>) {
        let len = HEADER_LEN + FAMILY_HEADER_LEN + self.attributes.len();
        // The messages of a batch are far below 4 GiB; see `batch::Batch`.
        out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes());
        out.extend(self.kind.to_ne_bytes());
        out.extend(self.flags.to_ne_bytes());
        out.extend(sequence.to_ne_bytes());
        out.extend([0; 4]);
        out.extend([self.family, 0]);
        out.extend(self.resource.to_be_bytes());
        out.extend(&self.attributes.0);
    }
}

/// Messages that take effect at once, or not at all.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<Message>);

impl Batch {
    pub(super) fn push(&mut self, message: Message) {
        self.0.push(message);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The octets, numbered from `first` on, and the number of the message whose answer comes last.
    pub(super) fn write(mut self, first: u32) -> (Vec<u8>, u32) {
        if let Some(last) = self.0.last_mut() {
            last.flags |= flag::ACK;
        }
        let mut out = Vec::new();
        let mut sequence = first;
        Message::mark(BATCH_BEGIN).write(sequence, &mut out);
        for message in &self.0 {
            sequence = sequence.wrapping_add(1);
            message.write(sequence, &mut out);
        }
        Message::mark(BATCH_END).write(sequence.wrapping_add(1), &mut out);
        (out, sequence)
    }
}

/// A message that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// Whatever follows the header.
    pub(super) body: &'a [u8],
}

impl<'a> Incoming<'a> {
    /// The attributes of an nfnetlink message.
    pub(super) fn attributes(&self) -> Parts<'a> {
        Parts(self.body.get(FAMILY_HEADER_LEN..).unwrap_or_default())
    }

    /// The error number of an `NLMSG_ERROR`, 0 for an acknowledgement.
    pub(super) fn errno(&self) -> i32 {
        let number = self.body.first_chunk().map_or(-libc::EPROTO, |number| i32::from_ne_bytes(*number));
        number.saturating_neg()
    }
}

/// The messages in what was received. What is cut short ends it.
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Incoming<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (header, _) = self.0.split_first_chunk::<HEADER_LEN>()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
        let len = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let body = self.0.get(HEADER_LEN..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Incoming {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            body,
        })
    }
}

/// Attributes that came. What is cut short ends them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([l0, l1, k0, k1], _) = self.0.split_first_chunk::<ATTRIBUTE_HEADER_LEN>()?;
        let len = usize::from(u16::from_ne_bytes([*l0, *l1]));
        let value = self.0.get(ATTRIBUTE_HEADER_LEN..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([*k0, *k1]) & KIND_MASK, value))
    }
}

impl<'a> Parts<'a> {
    pub(super) fn bytes(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find_map(|(found, value)| (found == kind).then_some(value))
    }

    pub(super) fn inside(self, kind: u16) -> Self {
        Self(self.bytes(kind).unwrap_or_default())
    }

    pub(super) fn text(self, kind: u16) -> Option<&'a str> {
        str::from_utf8(self.bytes(kind)?).ok().map(|text| text.trim_end_matches('\0'))
    }

    pub(super) fn number(self, kind: u16) -> Option<u32> {
        self.bytes(kind)?.first_chunk().map(|number| u32::from_be_bytes(*number))
    }

    pub(super) fn long(self, kind: u16) -> Option<u64> {
        self.bytes(kind)?.first_chunk().map(|number| u64::from_be_bytes(*number))
    }

    /// The same over the value of a nested attribute.
    pub(super) const fn of(value: &'a [u8]) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_numbers_are_in_network_order() {
        let mut attributes = Attributes::default();
        attributes.text(1, "ab").number(2, 5).nest(3, |inner| {
            inner.bytes(4, &[9]);
        });
        #[rustfmt::skip]
        let wanted = [
            7, 0, 1, 0, b'a', b'b', 0, 0,
            8, 0, 2, 0, 0, 0, 0, 5,
            12, 0, 3, 0x80, 5, 0, 4, 0, 9, 0, 0, 0,
        ];
        assert_eq!(attributes.0, wanted);
        let parts = Parts::of(&attributes.0);
        assert_eq!((parts.text(1), parts.number(2), parts.inside(3).bytes(4)), (Some("ab"), Some(5), Some(&[9][..])));
    }

    #[test]
    fn a_batch_is_framed_and_only_its_last_message_is_acknowledged() {
        let mut batch = Batch::default();
        batch.push(Message::new(Side::Ingress, 3, flag::CREATE, |_| ()));
        batch.push(Message::new(Side::Stack, 6, 0, |attributes| {
            attributes.number(1, 1);
        }));
        let (octets, last) = batch.write(7);
        let seen: Vec<_> = Messages(&octets).map(|message| (message.kind, message.flags, message.sequence)).collect();
        assert_eq!(seen, [(0x10, 1, 7), (0xa03, 0x401, 8), (0xa06, 5, 9), (0x11, 1, 10)]);
        assert_eq!(last, 9);
        assert_eq!(octets[16..20], [0, 0, 0, 10], "the mark names the subsystem");
        assert_eq!(octets[36..40], [5, 0, 0, 10], "the family is netdev");
        assert_eq!(octets[56..60], [1, 0, 0, 10], "the family is inet");
    }

    #[test]
    fn what_is_cut_short_ends_quietly() {
        let mut octets = Vec::new();
        Message::new(Side::Ingress, 3, 0, |attributes| {
            attributes.number(1, 7);
        })
        .write(1, &mut octets);
        for len in 0..octets.len() {
            assert_eq!(Messages(&octets[..len]).count(), 0);
        }
        assert_eq!(Parts::of(&[200, 0, 1, 0, 1]).count(), 0);
        assert_eq!(Parts::of(&[3, 0, 1, 0]).count(), 0, "shorter than its own header");
        assert_eq!(Messages(&[0; 16]).count(), 0, "a length of nothing does not loop");
    }
}

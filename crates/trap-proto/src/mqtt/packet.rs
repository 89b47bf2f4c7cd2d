//! Packets of MQTT: a kind, a length of one to four bytes, a body of which the beginning is kept.

use alloc::vec::Vec;

/// The most of one packet's body that is kept, in bytes; the rest of a longer one is heard and not looked at.
pub(super) const HELD_BYTES_MAX: usize = 4 * 1_024;
/// Bytes of a length.
const LENGTH_BYTES_MAX: usize = 4;

pub(super) const CONNECT: u8 = 1;
pub(super) const CONNACK: u8 = 2;
pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const PUBREC: u8 = 5;
pub(super) const PUBREL: u8 = 6;
pub(super) const PUBCOMP: u8 = 7;
pub(super) const SUBSCRIBE: u8 = 8;
pub(super) const SUBACK: u8 = 9;
pub(super) const UNSUBSCRIBE: u8 = 10;
pub(super) const UNSUBACK: u8 = 11;
pub(super) const PINGREQ: u8 = 12;
pub(super) const PINGRESP: u8 = 13;
pub(super) const DISCONNECT: u8 = 14;

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// The upper half of its first byte.
    pub(super) kind: u8,
    /// The lower half.
    pub(super) flags: u8,
    pub(super) body: Vec<u8>,
    /// It was longer than [`HELD_BYTES_MAX`].
    pub(super) is_cut: bool,
}

/// Collects one packet at a time.
#[derive(Default)]
pub(super) struct Packets {
    first: Option<u8>,
    length: usize,
    length_bytes: usize,
    /// The length is known, and so many bytes of the body are missing.
    missing: Option<usize>,
    body: Vec<u8>,
}

impl Packets {
    /// Takes one byte; the packet that it ends. An error is a length that never ends.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Packet>, ()> {
        let Some(missing) = self.missing else { return self.head(byte) };
        if self.body.len() < HELD_BYTES_MAX {
            self.body.push(byte);
        }
        self.missing = Some(missing - 1);
        Ok(if missing == 1 { self.whole() } else { None })
    }

    fn head(&mut self, byte: u8) -> Result<Option<Packet>, ()> {
        if self.first.is_none() {
            self.first = Some(byte);
            return Ok(None);
        }
        self.length |= usize::from(byte & 0x7f) << (7 * self.length_bytes);
        self.length_bytes += 1;
        match byte & 0x80 {
            0 if self.length == 0 => Ok(self.whole()),
            0 => {
                self.missing = Some(self.length);
                Ok(None)
            }
            _ if self.length_bytes == LENGTH_BYTES_MAX => Err(()),
            _ => Ok(None),
        }
    }

    fn whole(&mut self) -> Option<Packet> {
        let done = core::mem::take(self);
        let first = done.first?;
        Some(Packet { kind: first >> 4, flags: first & 0x0f, is_cut: done.length > done.body.len(), body: done.body })
    }

    /// Is the next byte the first of a packet?
    pub(super) const fn is_between(&self) -> bool {
        self.first.is_none()
    }

    /// No more bytes will come: the packet that was under way.
    pub(super) fn finish(&mut self) -> Option<Packet> {
        if self.body.is_empty() { None } else { self.whole() }
    }
}

/// Appends a packet. Its body is shorter than 16 KiB.
pub(super) fn write(kind: u8, flags: u8, body: &[u8], answer: &mut Vec<u8>) {
    answer.push(kind << 4 | flags);
    let mut length = body.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        answer.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    answer.extend_from_slice(body);
}

/// A text with its length, of at most 64 KiB.
pub(super) fn text(bytes: &[u8], to: &mut Vec<u8>) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(&bytes[..usize::from(length).min(bytes.len())]);
}

/// Reads a packet's body from its front.
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    pub(super) fn number(&mut self) -> Option<u16> {
        let bytes = self.bytes(2)?;
        Some(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]))
    }

    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.bytes(usize::from(length))
    }

    /// Version 5's properties: a length and so many bytes.
    pub(super) fn properties(&mut self) -> Option<&'a [u8]> {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return self.bytes(length);
            }
            if shift >= 28 {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Packet> {
        let mut packets = Packets::default();
        bytes.iter().filter_map(|byte| packets.push(*byte).unwrap()).collect()
    }

    #[test]
    fn packets_are_cut_by_their_lengths() {
        let found = read(b"\xc0\x00\x10\x03abc\x3d\x82\x00xy\xe0\x00");
        assert_eq!(
            found.iter().map(|packet| (packet.kind, packet.flags)).collect::<Vec<_>>(),
            [(12, 0), (1, 0), (3, 13), (14, 0)]
        );
        assert_eq!((found[1].body.as_slice(), found[2].body.as_slice()), (&b"abc"[..], &b"xy"[..]));
        let mut packets = Packets::default();
        assert!(b"\x30\xff\xff\xff".iter().all(|byte| packets.push(*byte) == Ok(None)));
        assert_eq!(packets.push(0xff), Err(()));
    }

    #[test]
    fn a_long_packet_costs_no_more_than_its_beginning() {
        let long = [&[0x30, 0xff, 0xff, 0x01][..], &[b'x'; 0x7fff]].concat();
        let found = read(&long);
        assert_eq!((found[0].body.len(), found[0].is_cut), (HELD_BYTES_MAX, true));
        let mut written = Vec::new();
        write(PUBLISH, 0, &[7; 300], &mut written);
        assert_eq!((&written[..4], written.len()), (&[0x30, 0xac, 2, 7][..], 303));
        assert_eq!(read(&written)[0].body, [7; 300]);
    }
}

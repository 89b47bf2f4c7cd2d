//! A foca packet, looked into before foca sees it.

use super::Ident;
use crate::frame::LIST_BYTES_MAX;
use alloc::vec::Vec;
use foca::{Codec, Header, Member, PostcardCodec};

/// A packet taken apart: a header, and unless the packet ends there, a count and as many members.
pub(super) struct Packet {
    pub(super) header: Header<Ident>,
    pub(super) members: Vec<Member<Ident>>,
    has_count: bool,
}

/// Takes a packet apart; `None` if it is none, or if anything follows the members.
pub(super) fn read(packet: &[u8]) -> Option<Packet> {
    let mut rest = packet;
    let header = PostcardCodec.decode_header(&mut rest).ok()?;
    let mut members = Vec::new();
    let has_count = !rest.is_empty();
    if has_count {
        let (count, mut tail) = rest.split_first_chunk().map(|(count, tail)| (u16::from_be_bytes(*count), tail))?;
        for _ in 0..count {
            members.push(PostcardCodec.decode_member(&mut tail).ok()?);
        }
        rest = tail;
    }
    rest.is_empty().then_some(Packet { header, members, has_count })
}

/// Puts a packet together again.
pub(super) fn write(packet: &Packet) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(LIST_BYTES_MAX);
    PostcardCodec.encode_header(&packet.header, &mut bytes).ok()?;
    if packet.has_count {
        bytes.extend_from_slice(&u16::try_from(packet.members.len()).ok()?.to_be_bytes());
        for member in &packet.members {
            PostcardCodec.encode_member(member, &mut bytes).ok()?;
        }
    }
    Some(bytes)
}

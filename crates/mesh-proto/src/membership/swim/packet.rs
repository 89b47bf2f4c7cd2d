//! A foca packet: on the wire without what both sides know, and looked into before foca sees it.

use super::Ident;
use crate::frame::LIST_BYTES_MAX;
use alloc::vec::Vec;
use core::net::SocketAddr;
use foca::{Codec, Header, Member, Message, PostcardCodec};
use serde::{Deserialize, Serialize};

/// A header without the identities of the two, which the envelope and the receiver itself know: half of a probe.
#[derive(Serialize, Deserialize)]
struct Brief {
    source: SocketAddr,
    source_incarnation: u64,
    refuted: u16,
    /// The first half of the receiver's short id, in case another now has its address.
    dest_tag: u32,
    dest: SocketAddr,
    dest_incarnation: u64,
    message: Message<Ident>,
}

fn tag(ident: &Ident) -> u32 {
    u32::try_from(ident.short().0 >> 32).unwrap_or_default()
}

/// A packet of the library as it goes on the wire, and its message; `None` if it is none.
pub(super) fn shorten(packet: &[u8]) -> Option<(Vec<u8>, Message<Ident>)> {
    let mut rest = packet;
    let Header::<Ident> { src, src_incarnation, dst, message } = PostcardCodec.decode_header(&mut rest).ok()?;
    let brief = Brief {
        source: src.addr,
        source_incarnation: src.incarnation,
        refuted: src_incarnation,
        dest_tag: tag(&dst),
        dest: dst.addr,
        dest_incarnation: dst.incarnation,
        message,
    };
    let mut bytes = postcard::to_extend(&brief, Vec::with_capacity(packet.len())).ok()?;
    bytes.extend_from_slice(rest);
    Some((bytes, brief.message))
}

/// What came from `source` for `me`, as the library wants it; `None` if it is none, or for somebody else.
///
/// The library drops what is for an earlier life of ours. But who knows us from before a restart learns of the new life by our answer
/// only; if all drop such packets, as after a restart of the whole cluster, all are declared down. That we were down once is no news.
pub(super) fn lengthen(bytes: &[u8], source: [u8; 32], me: &Ident) -> Option<Vec<u8>> {
    let (brief, rest) = postcard::take_from_bytes::<Brief>(bytes).ok()?;
    if brief.dest_tag != tag(me) {
        return None;
    }
    let is_for_earlier = brief.dest_incarnation < me.incarnation && !matches!(brief.message, Message::TurnUndead);
    let dest = Ident { node: me.node, addr: brief.dest, incarnation: brief.dest_incarnation };
    let header = Header {
        src: Ident { node: source, addr: brief.source, incarnation: brief.source_incarnation },
        src_incarnation: brief.refuted,
        dst: if is_for_earlier { *me } else { dest },
        message: brief.message,
    };
    let mut packet = Vec::with_capacity(bytes.len() + 2 * size_of::<Ident>());
    PostcardCodec.encode_header(&header, &mut packet).ok()?;
    packet.extend_from_slice(rest);
    Some(packet)
}

/// A packet taken apart: a header, and unless the packet ends there, a count and as many members.
pub(super) struct Packet {
    pub(super) header: Header<Ident>,
    pub(super) members: Vec<Member<Ident>>,
    has_count: bool,
}

impl Packet {
    /// News of one member.
    pub(super) fn of(header: Header<Ident>, member: Member<Ident>) -> Self {
        Self { header, members: [member].into(), has_count: true }
    }

    /// A header and nothing behind it.
    #[cfg(test)]
    pub(super) const fn bare(header: Header<Ident>) -> Self {
        Self { header, members: Vec::new(), has_count: false }
    }
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

//! The two answers, written over the packet that caused them: a SYN-ACK with a cookie, and a reset.
//!
//! Neither is larger than its cause: a SYN-ACK has the MSS option (RFC 9293, 3.7.1) only where the SYN had room for it.
//! Checksums are computed whole, because the packet's own may be left to the hardware (`CHECKSUM_PARTIAL`).

use super::segment::{ACK, RST, SYN, Segment, TCP, TCP_LEN, V4_LEN, V6_LEN};
use crate::Rewrite;

/// TTL and hop limit.
const HOPS: u8 = 64;
/// The maximum segment size that is announced, and a window of 44 or 45 of them: what Linux says on Ethernet.
const MSS_V4: u16 = 1_460;
const MSS_V6: u16 = 1_440;
const WINDOW_V4: u16 = 44 * MSS_V4;
const WINDOW_V6: u16 = 45 * MSS_V6;
/// Kind and length of the MSS option.
const OPTION_MSS: [u8; 2] = [2, 4];
const OPTION_MSS_LEN: u8 = 4;
/// The TCP header without options.
const HEADER_LEN: u8 = 20;
/// The shortest frame without its checksum (IEEE 802.3): a frame that was padded to it stays so.
const FRAME_LEN_MIN: usize = 60;
const MACS_LEN: usize = 12;
/// The bit of a MAC address that makes it a group's.
const MAC_GROUP: u8 = 1;
/// The IPv4 header, without options.
const V4_HEADER_LEN: u16 = 20;
/// IPv4: do not fragment.
const DONT_FRAGMENT: [u8; 4] = [0, 0, 0x40, 0];

/// Turns a SYN into the SYN-ACK with this cookie. `false`: something may be written, but it must not be sent.
#[inline(always)]
pub(super) fn greet(frame: &impl Rewrite, syn: &Segment, cookie: u32) -> bool {
    let (mss, window) = if syn.is_v4 { (MSS_V4, WINDOW_V4) } else { (MSS_V6, WINDOW_V6) };
    let [high, low] = mss.to_be_bytes();
    let has_room = syn.options_len >= usize::from(OPTION_MSS_LEN);
    let option = if has_room { u32::from_ne_bytes([OPTION_MSS[0], OPTION_MSS[1], high, low]) } else { 0 };
    let header_len = if has_room { HEADER_LEN + OPTION_MSS_LEN } else { HEADER_LEN };
    let header = Header { seq: cookie, ack: syn.seq.wrapping_add(1), flags: SYN | ACK, window, len: header_len, option };
    send(frame, syn, &header) && (!has_room || frame.write(syn.network + network_len(syn) + TCP_LEN, [option]))
}

/// Turns a segment into the reset that ends its connection: its octets are taken, and no more are wanted.
#[inline(always)]
pub(super) fn end(frame: &impl Rewrite, segment: &Segment) -> bool {
    let taken = u32::from(segment.payload_len) + u32::from(segment.is_fin());
    let ack = segment.seq.wrapping_add(taken);
    let header = Header { seq: segment.ack, ack, flags: RST | ACK, window: 0, len: HEADER_LEN, option: 0 };
    send(frame, segment, &header)
}

/// A TCP header of ours.
struct Header {
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    len: u8,
    option: u32,
}

#[inline(always)]
fn send(frame: &impl Rewrite, to: &Segment, header: &Header) -> bool {
    let network_len = network_len(to);
    turn_macs(frame)
        && write_network(frame, to, header.len)
        && frame.write(to.network + network_len, tcp_words(to, header))
        && frame.shorten((to.network + network_len + usize::from(header.len)).max(FRAME_LEN_MIN))
}

#[inline(always)]
const fn network_len(segment: &Segment) -> usize {
    if segment.is_v4 { V4_LEN } else { V6_LEN }
}

/// Back to where it came from, unless one of the two is a group.
#[inline(always)]
fn turn_macs(frame: &impl Rewrite) -> bool {
    let Some([a, b, c, d, e, f, g, h, i, j, k, l]) = frame.read::<MACS_LEN>(0) else { return false };
    let is_group = (a | g) & MAC_GROUP != 0;
    let words = [[g, h, i, j], [k, l, a, b], [c, d, e, f]].map(u32::from_ne_bytes);
    !is_group && frame.write(0, words)
}

#[inline(always)]
fn write_network(frame: &impl Rewrite, to: &Segment, tcp_len: u8) -> bool {
    if to.is_v4 {
        let [high, low] = (V4_HEADER_LEN + u16::from(tcp_len)).to_be_bytes();
        let first = u32::from_ne_bytes([0x45, 0, high, low]);
        let fragment = u32::from_ne_bytes(DONT_FRAGMENT);
        let (source, dest) = (to.dest[3], to.source[3]);
        let sum = add(add(add(add(halves(first), fragment), protocol_word([0, 0])), source), dest);
        frame.write(to.network, [first, fragment, protocol_word(checksum(sum)), source, dest])
    } else {
        let [high, low] = u16::from(tcp_len).to_be_bytes();
        let ([a, b, c, d], [e, f, g, h]) = (to.dest, to.source);
        let (first, second) = (u32::from_ne_bytes([0x60, 0, 0, 0]), u32::from_ne_bytes([high, low, TCP, HOPS]));
        frame.write(to.network, [first, second, a, b, c, d, e, f, g, h])
    }
}

/// The word of an IPv4 header with TTL, protocol and checksum.
#[inline(always)]
const fn protocol_word([a, b]: [u8; 2]) -> u32 {
    u32::from_ne_bytes([HOPS, TCP, a, b])
}

#[inline(always)]
fn tcp_words(to: &Segment, header: &Header) -> [u32; 5] {
    let ports = to.ports.rotate_left(16);
    let (seq, ack) = (header.seq.to_be(), header.ack.to_be());
    let [high, low] = header.window.to_be_bytes();
    let flags = u32::from_ne_bytes([(header.len / 4) << 4, header.flags, high, low]);
    let [len_high, len_low] = u16::from(header.len).to_be_bytes();
    // The pseudo header: addresses, protocol, length. The first words of an IPv4 address count in no checksum.
    let mut sum = halves(u32::from_ne_bytes([0, TCP, len_high, len_low]));
    sum = add(add(sum, to.source[3]), to.dest[3]);
    if !to.is_v4 {
        let ([a, b, c, _], [d, e, f, _]) = (to.source, to.dest);
        sum = add(add(add(add(add(add(sum, a), b), c), d), e), f);
    }
    sum = add(add(add(add(add(sum, ports), seq), ack), flags), header.option);
    let [a, b] = checksum(sum);
    [ports, seq, ack, flags, u32::from_ne_bytes([a, b, 0, 0])]
}

/// Adds a word to a sum of 16-bit halves (RFC 1071: their order in memory does not matter).
#[inline(always)]
const fn add(sum: u32, word: u32) -> u32 {
    sum + halves(word)
}

#[inline(always)]
const fn halves(word: u32) -> u32 {
    (word & 0xffff) + (word >> 16)
}

/// The checksum of a sum, as it stands in memory.
#[inline(always)]
const fn checksum(sum: u32) -> [u8; 2] {
    let [low, high, ..] = (!halves(halves(sum))).to_le_bytes();
    u16::from_le_bytes([low, high]).to_ne_bytes()
}

//! The handshake's part of a kernel made of plain values, and a frame that can be answered.

use super::{
    host::{HostKernel, Slice, Told},
    packet::{FIN, Packet},
};
use crate::{Cookies, Frame, Rewrite};
use alloc::{vec, vec::Vec};
use core::cell::{Cell, RefCell};
use honeymesh_xdp_abi::{CookieSettings, FloodMeter, KnockRecord};

/// A frame in memory that can be changed.
#[derive(Clone, Debug)]
pub struct Buffer(pub RefCell<Vec<u8>>);

impl Buffer {
    /// A copy of `frame`.
    #[must_use]
    pub fn of(frame: &[u8]) -> Self {
        Self(RefCell::new(frame.to_vec()))
    }
}

impl Frame for Buffer {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        Slice(&self.0.borrow()).read(offset)
    }
}

impl Rewrite for Buffer {
    fn write<const N: usize>(&self, offset: usize, words: [u32; N]) -> bool {
        let octets: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        match self.0.borrow_mut().get_mut(offset..offset + octets.len()) {
            Some(place) => {
                place.copy_from_slice(&octets);
                true
            }
            None => false,
        }
    }

    fn shorten(&self, len: usize) -> bool {
        self.0.borrow_mut().truncate(len);
        true
    }
}

/// A frame that is only read is never answered.
impl Rewrite for Slice<'_> {
    fn write<const N: usize>(&self, _: usize, _: [u32; N]) -> bool {
        false
    }

    fn shorten(&self, _: usize) -> bool {
        false
    }
}

/// What the handshake finds in a kernel made of plain values.
#[derive(Debug)]
pub struct HostCookies {
    /// How fast is a flood.
    pub settings: CookieSettings,
    /// The secret.
    pub key: [u64; 2],
    /// The one CPU's meter.
    pub meter: RefCell<FloodMeter>,
    /// Until when segments may prove a handshake.
    pub proofs_until_ns: Cell<u64>,
    /// How often it was asked whether a trap hears.
    pub traps_asked: Cell<u64>,
}

impl Default for HostCookies {
    /// A flood from the first SYN on, and a million answers a second.
    fn default() -> Self {
        Self {
            settings: CookieSettings { syn_cost_ns: crate::FLOOD_BURST_NS, answer_cost_ns: 1_000, guess_cost_ns: 1_000 },
            key: [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210],
            meter: RefCell::new(FloodMeter::EMPTY),
            proofs_until_ns: Cell::new(0),
            traps_asked: Cell::new(0),
        }
    }
}

impl Cookies for &HostKernel {
    fn handshake(&self) -> Option<(CookieSettings, [u64; 2])> {
        Some((self.cookies.settings, self.cookies.key))
    }

    fn has_trap(&self, index: u32) -> bool {
        self.cookies.traps_asked.set(self.cookies.traps_asked.get() + 1);
        self.traps.contains(&index)
    }

    fn meter<T>(&self, look: impl FnOnce(&mut FloodMeter) -> T) -> Option<T> {
        Some(look(&mut self.cookies.meter.borrow_mut()))
    }

    fn proofs_until_ns(&self) -> u64 {
        self.cookies.proofs_until_ns.get()
    }

    fn set_proofs_until_ns(&self, until_ns: u64) {
        self.cookies.proofs_until_ns.set(until_ns);
    }

    fn end_proofs(&self, until_ns: u64) {
        if self.cookies.proofs_until_ns.get() == until_ns {
            self.cookies.proofs_until_ns.set(0);
        }
    }

    fn tell_visit(&self, knock: KnockRecord, offset: usize, len: usize) -> bool {
        self.tell(Told::Visit { knock, offset, len })
    }
}

/// What a SYN-ACK answers: for tests that shake hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its sequence number: the cookie.
    pub seq: u32,
    /// What it acknowledges: the SYN's sequence number and one.
    pub ack: u32,
    /// Its flags.
    pub flags: u8,
}

impl Greeting {
    /// The sequence numbers and flags of a frame whose TCP header follows a network header without anything optional.
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Self> {
        let tcp = tcp_at(frame)?;
        let number = |at: usize| Some(u32::from_be_bytes(*frame.get(tcp + at..)?.first_chunk()?));
        Some(Self { seq: number(4)?, ack: number(8)?, flags: *frame.get(tcp + 13)? })
    }

    /// The segment with which the client of `syn` returns the cookie, with `payload`.
    #[must_use]
    pub fn returned(self, syn: &Packet, flags: u8, payload: &[u8]) -> Vec<u8> {
        with_numbers(syn, flags, self.ack, self.seq.wrapping_add(1), payload)
    }
}

/// The packet with other flags, numbers and payload.
#[must_use]
pub fn with_numbers(packet: &Packet, flags: u8, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 20];
    let plain = packet.build();
    let at = tcp_at(&plain).unwrap_or(plain.len());
    header[..4].copy_from_slice(plain.get(at..at + 4).unwrap_or(&[0; 4]));
    header[4..8].copy_from_slice(&seq.to_be_bytes());
    header[8..12].copy_from_slice(&ack.to_be_bytes());
    header[12..16].copy_from_slice(&[0x50, flags, 4, 0]);
    let mut copy = packet.clone();
    copy.layer4 = super::packet::Layer4::Raw(6, [&header[..], payload].concat());
    copy.build()
}

/// The packet, a SYN, with this sequence number and these words of TCP options, each of which begins with `MSS`.
#[must_use]
pub fn syn_with(packet: &Packet, seq: u32, option_words: u8) -> Vec<u8> {
    let options: Vec<u8> = (0..option_words).flat_map(|_| [2, 4, 5, 180]).collect();
    let mut frame = with_numbers(packet, super::packet::SYN, seq, 0, &options);
    if let Some(at) = tcp_at(&frame) {
        frame[at + 12] = 0x50 + (option_words << 4);
    }
    frame
}

fn tcp_at(frame: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        let kind = u16::from_be_bytes(*frame.get(at..)?.first_chunk()?);
        at += 2;
        match kind {
            0x8100 | 0x88a8 => at += 2,
            0x0800 => return Some(at + 20),
            0x86dd => return Some(at + 40),
            _ => return None,
        }
    }
}

/// Are the checksums of an IPv4 or IPv6 frame with TCP right? Summed octet pair by octet pair over the whole packet, with
/// nothing shared with the program.
#[must_use]
pub fn has_right_checksums(frame: &[u8]) -> bool {
    let Some(tcp) = tcp_at(frame) else { return false };
    let is_v4 = frame.get(tcp - 20).is_some_and(|first| *first == 0x45) && frame[tcp - 22..tcp - 20] == [8, 0];
    let (network, addresses) = if is_v4 { (tcp - 20, tcp - 8..tcp) } else { (tcp - 40, tcp - 32..tcp) };
    let len =
        usize::from(u16::from_be_bytes([frame[network + if is_v4 { 2 } else { 4 }], frame[network + if is_v4 { 3 } else { 5 }]]));
    let tcp_len = if is_v4 { len - 20 } else { len };
    let Some(segment) = frame.get(tcp..tcp + tcp_len) else { return false };
    let mut pseudo = frame[addresses].to_vec();
    pseudo.extend(u32::try_from(tcp_len).unwrap_or(0).to_be_bytes());
    pseudo.extend([0, 0, 0, 6]);
    pseudo.extend(segment);
    (!is_v4 || folded(&frame[network..tcp]) == 0xffff) && folded(&pseudo) == 0xffff
}

fn folded(octets: &[u8]) -> u64 {
    let mut sum = 0;
    for pair in octets.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
        sum = sum % 0x1_0000 + sum / 0x1_0000;
    }
    sum
}

/// The flags of a client that ends what it began.
pub const FIN_ACK: u8 = FIN | super::packet::ACK;

/// Frames of every kind that has to do with a handshake, for damage.
#[must_use]
pub fn handshake_frames() -> Vec<Vec<u8>> {
    let v4 = Packet::tcp("203.0.113.7", super::HERE4, 23, super::packet::SYN);
    let v6 = Packet::tcp("2001:db8:bad::7", super::HERE6, 23, super::packet::SYN);
    let mut frames = vec![];
    for packet in [v4.clone(), v4.vlans(&[0x8100]), v6.clone(), v6.vlans(&[0x88a8, 0x8100])] {
        frames.push(syn_with(&packet, 7, 0));
        frames.push(syn_with(&packet, 7, 5));
        frames.push(with_numbers(&packet, super::packet::ACK, 8, 1, b""));
        frames.push(with_numbers(&packet, super::packet::ACK | super::packet::PSH, 8, 0x1234_5678, b"GET / HTTP/1.1\r\n\r\n"));
        frames.push(with_numbers(&packet, FIN_ACK, 8, 0x1234_5678, b""));
    }
    frames
}

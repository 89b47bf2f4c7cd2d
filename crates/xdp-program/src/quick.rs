//! The short way: what nearly all packets are, judged by a program so small that it stays in the processor's caches beside a
//! network stack.
//!
//! It answers exactly as [`crate::filter`] would, or leaves the packet to it: whatever has VLAN tags, IPv4 options, extension
//! headers or fragments, every exact ban that may be in the hash table behind its lines, every prefix that may touch the source, and whole modes
//! (a lockdown, full bans that the kernel placed). So it is a shortcut and never an opinion of its own.

use crate::{
    Frame, Judgement, Kernel, Next, ban,
    bucket::Glance,
    frame::{ETHERNET_LEN, TYPE_IPV4, TYPE_IPV6},
    ip::{Ip, V4, V6},
    next, probe,
    transport::Payload,
};
use honeymesh_xdp_abi::Gates;

/// What every packet has to be asked for besides its own bans.
const SLOW: Gates = Gates(Gates::LOCKDOWN.0 | Gates::PLACED_ALL.0);
/// Where the word is whose second half is the type of a frame.
const HEAD_AT: usize = ETHERNET_LEN - 4;

/// The first step. Counts a verdict only if it is the last, and nothing at all if it leaves the packet to [`crate::filter`].
#[inline(always)]
pub fn quick(frame: &impl Frame, kernel: &impl Kernel) -> Next {
    // Whatever is shorter than this is not for this step: one look at the end for nearly all.
    let Some([head, words @ ..]) = frame.words::<6>(HEAD_AT) else { return Next::Filter };
    let [.., high, low] = head.to_ne_bytes();
    let judgement = match u16::from_be_bytes([high, low]) {
        TYPE_IPV4 => V4::plain(words, ETHERNET_LEN).and_then(|(ip, payload)| judge(&ip, payload, frame, kernel)),
        TYPE_IPV6 => V6::plain(frame, ETHERNET_LEN).and_then(|(ip, payload)| judge(&ip, payload, frame, kernel)),
        _ => None,
    };
    judgement.map_or(Next::Filter, |judgement| next(judgement, kernel))
}

/// `None`: it is not for this step.
#[inline(always)]
fn judge<I: Ip>(ip: &I, payload: Payload, frame: &impl Frame, kernel: &impl Kernel) -> Option<Judgement> {
    let gates = kernel.gates();
    if gates.any(SLOW) {
        return None;
    }
    if gates.has(I::BANS) {
        match ip.glance(kernel) {
            Glance::Nothing => {}
            Glance::Banned(hits) if gates.has(Gates::ENFORCING) => return Some(ban::exact(ip, hits, frame, kernel)),
            Glance::Banned(_) | Glance::Unsure => return None,
        }
    }
    if gates.has(I::NETS) && ip.is_touched(kernel, gates) {
        return None;
    }
    Some(probe::asked(payload, frame, kernel, gates))
}

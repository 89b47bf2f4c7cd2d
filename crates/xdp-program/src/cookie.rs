//! The program's own TCP handshake: under a flood of SYNs to dark ports it answers from the packet alone.
//!
//! While [`IN_FORCE`] is set, a trap's socket hears ([`Cookies::has_trap`]) and a CPU sees more SYNs to dark ports than a
//! flood's ([`honeymesh_xdp_abi::CookieSettings`]), it answers each with a SYN-ACK whose sequence number is a keyed hash of the connection: there is no socket and no
//! entry of any connection, on all 65,535 ports. Only an ACK that returns that number proves anything, and only for its
//! own addresses, ports and first sequence number: then user space is told, with the first octets if the segment has
//! some. A reset proves nothing, because the victim of a forged SYN sends one too.
//!
//! A SYN that is not plain (IPv4 options, fragments, IPv6 extension headers, data as in TCP Fast Open, FIN or URG
//! beside SYN) and one beyond the limit of answers is dropped and counted while the flood lasts. An answer is never
//! larger than what caused it, and never repeated: nothing is amplified.
//!
//! Whoever guesses cookies to forge a handshake has one hit in 2^31. Beyond a limit of wrong ones, none is believed.
//!
//! Segments that prove nothing go on to the network stack as ever.

mod flood;
mod outside;
mod reply;
mod secret;
mod segment;

pub use flood::{FLOOD_BURST_NS, RECORD_COST_NS};
pub use outside::{Cookies, Rewrite};
pub use secret::BUCKET_BITS;

use crate::{
    Judgement,
    frame::{self, Network},
    note,
};
use flood::Novelty;
use honeymesh_xdp_abi::{Counter, Gates, TRAP_V4, TRAP_V6};
use segment::Segment;

/// The gates that must all be open for a handshake.
pub(crate) const IN_FORCE: Gates = Gates(Gates::ENFORCING.0 | Gates::TRAPS.0 | Gates::COOKIES.0);

/// How much longer than a cookie lives the program goes on listening for it: so that a flood moves the end once a second
/// and not with each answer.
const LISTEN_MORE_NS: u64 = 1_000_000_000;

/// A SYN to a dark port, of a source that is neither silenced nor over the scan threshold: passed, or answered in a flood.
#[inline(always)]
pub(crate) fn syn<F: Rewrite, K: Cookies>(frame: &F, kernel: &K) -> Judgement {
    let Some((settings, key)) = kernel.handshake() else { return Judgement::Pass };
    let now_ns = kernel.now_ns();
    if kernel.meter(|meter| flood::is_flood(meter, settings, now_ns)) != Some(true) {
        return Judgement::Pass;
    }
    // Nobody would hear what is proved: then dark ports are closed ports, and the stack refuses.
    if !is_heard(frame, kernel) {
        return Judgement::Pass;
    }
    let Some(segment) = Segment::read(frame).filter(Segment::is_plain_syn) else {
        return Judgement::Drop(Counter::DroppedFlood);
    };
    if kernel.meter(|meter| flood::may_answer(meter, settings)) != Some(true) {
        return Judgement::Drop(Counter::DroppedFlood);
    }
    listen(kernel, now_ns);
    let cookie = secret::cookie(&segment, segment.seq, key, secret::bucket(now_ns));
    if reply::greet(frame, &segment, cookie) { Judgement::Answer } else { Judgement::Drop(Counter::DroppedFlood) }
}

/// Is there a trap for connections of this frame's family?
#[inline(always)]
fn is_heard<F: Rewrite, K: Cookies>(frame: &F, kernel: &K) -> bool {
    match frame::network(frame) {
        Network::V4(_) => kernel.has_trap(TRAP_V4),
        Network::V6(_) => kernel.has_trap(TRAP_V6),
        Network::Other | Network::Malformed => false,
    }
}

/// Has segments looked at for as long as a cookie made now is good.
#[inline(always)]
fn listen<K: Cookies>(kernel: &K, now_ns: u64) {
    let needed = now_ns.saturating_add(secret::LIFE_NS_MAX);
    if kernel.proofs_until_ns() < needed {
        kernel.set_proofs_until_ns(needed.saturating_add(LISTEN_MORE_NS));
    }
}

/// A segment that is no probe: passed, unless it proves a handshake with the program itself.
#[inline(always)]
pub(crate) fn segment<F: Rewrite, K: Cookies>(frame: &F, kernel: &K) -> Judgement {
    let now_ns = kernel.now_ns();
    let until_ns = kernel.proofs_until_ns();
    if until_ns < now_ns {
        kernel.end_proofs(until_ns);
        return Judgement::Pass;
    }
    let Some(segment) = Segment::read(frame).filter(Segment::is_plain_ack) else { return Judgement::Pass };
    let Some((settings, key)) = kernel.handshake() else { return Judgement::Pass };
    if !segment.is_dark(kernel) {
        return Judgement::Pass;
    }
    // Only what no socket takes can be a guess, so honest traffic does not use up what guesses there may be.
    if kernel.meter(|meter| flood::may_guess(meter, settings, now_ns)) != Some(true) {
        return note(kernel, Counter::GuessesLimited);
    }
    let cookie = segment.ack.wrapping_sub(1);
    let bucket = secret::bucket_of(cookie, now_ns);
    if secret::cookie(&segment, segment.seq.wrapping_sub(1), key, bucket) != cookie {
        kernel.meter(|meter| flood::guessed(meter, settings));
        return Judgement::Pass;
    }
    let has_payload = segment.payload_len > 0;
    let is_told = hear(&segment, cookie, now_ns, kernel);
    // The trap has ended since: what is told waits for the next one, and the stack refuses as on any closed port.
    if !kernel.has_trap(if segment.is_v4 { TRAP_V4 } else { TRAP_V6 }) {
        return Judgement::Pass;
    }
    let ends = has_payload || segment.is_fin();
    // First octets that could not be told are not answered: then they come again.
    if ends && is_told && kernel.meter(|meter| flood::may_answer(meter, settings)) == Some(true) && reply::end(frame, &segment) {
        return Judgement::Answer;
    }
    Judgement::Drop(Counter::Answered)
}

/// Counts a proof and tells user space, once. `false` if there was something to tell and it could not be told.
#[inline(always)]
fn hear<K: Cookies>(segment: &Segment, cookie: u32, now_ns: u64, kernel: &K) -> bool {
    let has_payload = segment.payload_len > 0;
    let novelty = kernel.meter(|meter| flood::novelty(meter, cookie, has_payload, now_ns)).unwrap_or(Novelty::TooMany);
    match novelty {
        Novelty::Told => return true,
        Novelty::TooMany => {
            kernel.count(Counter::KnocksLimited);
            return false;
        }
        Novelty::Handshake => kernel.count(Counter::CookiesProven),
        Novelty::Payload => {}
    }
    if !kernel.tell_visit(segment.knock(now_ns), segment.payload, segment.payload_len.into()) {
        kernel.count(Counter::KnocksLost);
        return false;
    }
    kernel.meter(|meter| flood::remember(meter, cookie, has_payload));
    if has_payload {
        kernel.count(Counter::CookiePayloads);
    }
    true
}

#[cfg(test)]
mod tests;

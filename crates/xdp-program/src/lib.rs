//! What the kernel decides about a packet.
//!
//! [`decide`] is the whole XDP program: generic over a [`Frame`] (bytes that may end anywhere) and a [`Kernel`] (tables,
//! sockets, clock, ring buffer), so that the same code runs in the kernel and, against plain maps, on the host. In the
//! kernel its steps are programs of their own: [`quick()`] for every frame and nearly always enough, [`filter`] for what it
//! leaves, [`probe()`] for what may be a probe, [`greet`] and [`listen`] for the few that are about a handshake.
//!
//! In order:
//! 1. Ethernet, at most two VLAN tags, IPv4 or IPv6. Anything else, and anything malformed, passes and is counted.
//! 2. Is the source banned: exactly (IPv4 address, IPv6 /64), or by a prefix? Only a match costs more: the entry's end
//!    (now the clock is read), IPv6 neighbour discovery and the allowlist (both pass), the drop.
//! 3. In a lockdown: is the source allowed, or does the packet belong to a connection? Otherwise it is dropped ([`lockdown`]).
//! 4. Is it a probe: TCP without ACK and RST, or UDP that cannot be an answer, to one of this host's own addresses, on a port
//!    where the kernel finds no socket? A silenced source's probe is dropped. Otherwise its distinct dark ports within the
//!    window are counted and told to user space; the probe that reaches the threshold places the silencing entry and is itself
//!    dropped. A port counts once, whatever the transports: honest clients fall back from one to the other.
//!
//! A served port is never closed to a source for what it sent from there: only full bans do that. While the
//! program only observes, everything passes and nothing is placed, but hits, knocks and scans are counted and told.
//!
//! 4. Is there a flood of SYNs to dark ports? Then the program shakes hands by itself ([`Cookies`]), and only an ACK that
//!    returns its cookie proves anything.
//!
//! If the operator wants dark ports silent, probes are dropped once they are counted. The second program, [`door()`], drops
//! whatever else would be answered; if dark ports are traps, it hands connections to them over.
//!
//! A port that is forwarded elsewhere (DNAT, as container engines do without a proxy) has no socket here and counts as
//! dark: sources that use several such ports belong on the allowlist.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "testing"))]
extern crate alloc;

mod ban;
pub mod bucket;
mod cookie;
mod frame;
mod ip;
mod kernel;
pub mod lockdown;
mod probe;
mod quick;
mod silent;
mod steer;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod transport;

pub use ban::NESTED_MAX;
pub use cookie::{BUCKET_BITS, Cookies, FLOOD_BURST_NS, RECORD_COST_NS, Rewrite};
pub use frame::{Frame, VLAN_TAGS_MAX};
pub use kernel::{Ban, Kernel, Scan, Tuple4, Tuple6};
pub use lockdown::Connections;
pub use quick::quick;
pub use steer::{Door, Onward, Steer, door};
pub use transport::EXTENSIONS_MAX;

use frame::Network;
use honeymesh_xdp_abi::{Counter, Gates};
use ip::{Ip, V4, V6};
use lockdown::Locked;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It goes on to the network stack.
    Pass,
    /// It is gone.
    Drop,
    /// It was turned into an answer, which goes back where it came from.
    Answer,
}

/// What comes after [`filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Nothing: this is the verdict, and it is counted.
    Done(Verdict),
    /// [`filter`]: only [`quick()`] says so.
    Filter,
    /// [`probe()`]: only the first steps say so.
    Probe,
    /// [`greet`], which has the verdict.
    Greet,
    /// [`listen`], which has the verdict.
    Listen,
}

/// Judges one frame. Counts exactly one verdict counter, and whatever else it learns on the way.
pub fn decide(frame: &impl Rewrite, kernel: &impl Cookies) -> Verdict {
    match quick(frame, kernel) {
        Next::Filter => go_on(filter(frame, kernel), frame, kernel),
        next => go_on(next, frame, kernel),
    }
}

fn go_on(next: Next, frame: &impl Rewrite, kernel: &impl Cookies) -> Verdict {
    let next = match next {
        Next::Probe => probe(frame, kernel),
        next => next,
    };
    match next {
        Next::Done(verdict) => verdict,
        Next::Filter | Next::Probe => pass(kernel),
        Next::Greet => greet(frame, kernel),
        Next::Listen => listen(frame, kernel),
    }
}

/// The whole first step, for what [`quick()`] leaves. Counts a verdict only if it is the last.
#[inline(always)]
pub fn filter(frame: &impl Frame, kernel: &impl Kernel) -> Next {
    let judgement = match frame::network(frame) {
        Network::V4(offset) => judge(V4::read(frame, offset), frame, kernel),
        Network::V6(offset) => judge(V6::read(frame, offset), frame, kernel),
        Network::Other => note(kernel, Counter::NotIp),
        Network::Malformed => note(kernel, Counter::Malformed),
    };
    next(judgement, kernel)
}

/// The step for what may be a probe of a dark port. Counts a verdict only if it is the last.
#[inline(always)]
pub fn probe(frame: &impl Frame, kernel: &impl Kernel) -> Next {
    let judgement = match frame::network(frame) {
        Network::V4(offset) => judge_probe(V4::read(frame, offset), frame, kernel),
        Network::V6(offset) => judge_probe(V6::read(frame, offset), frame, kernel),
        // The first step has not let these come here.
        Network::Other | Network::Malformed => Judgement::Pass,
    };
    next(judgement, kernel)
}

#[inline(always)]
fn next(judgement: Judgement, kernel: &impl Kernel) -> Next {
    match judgement {
        Judgement::Probe => Next::Probe,
        Judgement::Greet => Next::Greet,
        Judgement::Listen => Next::Listen,
        judgement => Next::Done(counted(judgement, kernel)),
    }
}

/// The step for a SYN to a dark port: in a flood it is answered. Counts one verdict counter.
#[inline(always)]
pub fn greet(frame: &impl Rewrite, kernel: &impl Cookies) -> Verdict {
    counted(cookie::syn(frame, kernel), kernel)
}

/// The step for a segment that may prove a handshake. Counts one verdict counter.
#[inline(always)]
pub fn listen(frame: &impl Rewrite, kernel: &impl Cookies) -> Verdict {
    counted(cookie::segment(frame, kernel), kernel)
}

/// The verdict on a packet that no step is left for: it passes.
#[inline(always)]
pub fn pass(kernel: &impl Kernel) -> Verdict {
    counted(Judgement::Pass, kernel)
}

#[inline(always)]
fn counted(judgement: Judgement, kernel: &impl Kernel) -> Verdict {
    match judgement {
        Judgement::Pass | Judgement::Probe | Judgement::Greet | Judgement::Listen => {
            kernel.count(Counter::Passed);
            Verdict::Pass
        }
        Judgement::Drop(counter) => {
            kernel.count(counter);
            Verdict::Drop
        }
        Judgement::Answer => {
            kernel.count(Counter::Answered);
            Verdict::Answer
        }
    }
}

/// What a packet deserves, and under which verdict counter it is dropped. Only an enforcing program has an answer, and what
/// leads to one.
#[derive(Clone, Copy)]
enum Judgement {
    Pass,
    Drop(Counter),
    Answer,
    /// It would pass, but may be a probe of a dark port.
    Probe,
    /// It would pass, but asks for a connection to a dark port: in a flood the program answers by itself.
    Greet,
    /// It would pass, but may prove a handshake with the program itself.
    Listen,
}

#[inline(always)]
fn note(kernel: &impl Kernel, why: Counter) -> Judgement {
    kernel.count(why);
    Judgement::Pass
}

#[inline(always)]
fn judge<I: Locked>(packet: Option<I>, frame: &impl Frame, kernel: &impl Kernel) -> Judgement {
    let Some(ip) = packet else { return note(kernel, Counter::Malformed) };
    let gates = lockdown::in_force(kernel, kernel.gates());
    if let Some(found) = ban::full(&ip, kernel, gates) {
        return enforced(ban::judge(&ip, found, frame, kernel), kernel, gates);
    }
    if gates.has(Gates::LOCKDOWN) {
        return lockdown::judge(&ip, frame, kernel);
    }
    probe::first(&ip, frame, kernel, gates)
}

#[inline(always)]
fn judge_probe<I: Ip>(packet: Option<I>, frame: &impl Frame, kernel: &impl Kernel) -> Judgement {
    let Some(ip) = packet else { return Judgement::Pass };
    let gates = kernel.gates();
    enforced(probe::judge(&ip, frame, kernel, gates), kernel, gates)
}

/// While only observing nothing is dropped.
#[inline(always)]
fn enforced(judgement: Judgement, kernel: &impl Kernel, gates: Gates) -> Judgement {
    match judgement {
        Judgement::Drop(_) if !gates.has(Gates::ENFORCING) => note(kernel, Counter::WouldDrop),
        judgement => judgement,
    }
}

//! Dark ports that answer nothing at all: what the network stack would answer is dropped before it gets there.
//!
//! A closed port answers TCP with a reset and UDP with an ICMP message, so both are dropped; a reset is answered by
//! nobody and passes. A segment with ACK, and a datagram, to a port from which this host itself sends passes, too: it may
//! belong to a connection that this host translates for others and has no socket for, or be an answer that comes late.

use crate::{
    Frame, Judgement, Kernel,
    ip::Ip,
    transport::{Payload, Tcp, Udp},
};
use honeymesh_xdp_abi::{Counter, Gates};

/// What the packet comes to if nothing else has dropped it. `Drop` means: if the program is enforcing.
#[inline(always)]
pub(crate) fn judge<I: Ip>(ip: &I, frame: &impl Frame, kernel: &impl Kernel, gates: Gates) -> Judgement {
    let Some(call) = Call::read(frame, ip.payload(frame)) else { return Judgement::Pass };
    if !gates.has(Gates::LOCAL) || !kernel.is_local(&ip.addresses().1) || kernel.is_excepted(call.dest_port()) {
        return Judgement::Pass;
    }
    if !call.is_probe() && is_sent_from(call.dest_port(), kernel) {
        return Judgement::Pass;
    }
    if call.is_served(ip, kernel) || ip.is_allowed(kernel) {
        return Judgement::Pass;
    }
    Judgement::Drop(Counter::DroppedDark)
}

/// A packet that a closed port would answer.
#[derive(Clone, Copy)]
enum Call {
    Tcp(Tcp),
    Udp(Udp),
}

impl Call {
    #[inline(always)]
    fn read(frame: &impl Frame, payload: Payload) -> Option<Self> {
        match Tcp::read(frame, payload) {
            Ok(Some(tcp)) if tcp.is_reset() => None,
            Ok(Some(tcp)) => Some(Self::Tcp(tcp)),
            Ok(None) => Udp::read(frame, payload).map(Self::Udp),
            Err(_) => None,
        }
    }

    #[inline(always)]
    const fn dest_port(self) -> u16 {
        match self {
            Self::Tcp(tcp) => tcp.dest_port,
            Self::Udp(udp) => udp.dest_port,
        }
    }

    /// Can it belong to no connection?
    #[inline(always)]
    const fn is_probe(self) -> bool {
        matches!(self, Self::Tcp(tcp) if tcp.is_probe())
    }

    #[inline(always)]
    fn is_served<I: Ip>(&self, ip: &I, kernel: &impl Kernel) -> bool {
        match self {
            Self::Tcp(tcp) => ip.is_served(kernel, tcp),
            Self::Udp(udp) => ip.is_bound(kernel, udp),
        }
    }
}

/// Is it one of the ports that this host sends from?
#[inline(always)]
fn is_sent_from(port: u16, kernel: &impl Kernel) -> bool {
    let [first, last] = kernel.ephemeral();
    let port = port as u32;
    first <= port && port <= last
}

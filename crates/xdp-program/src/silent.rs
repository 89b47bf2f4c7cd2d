//! Dark ports that answer nothing at all: what the network stack would answer is dropped before it gets there.
//!
//! A closed port answers TCP with a reset and UDP with an ICMP message, so both are dropped; a reset is answered by
//! nobody and passes. Where this host forwards packets for others, a segment with ACK and a datagram pass, too, to the ports that
//! hosts send from: they may belong to a connection that this host translates and has no socket for.

use crate::{Frame, Kernel, Onward, Tuple4, Tuple6, ip::Ip, probe::suspect::was_weighed, transport::Contact};
use honeymesh_xdp_abi::{AddressKey, Counter, FAMILY_V4, Gates, SourceKey};

/// Would a closed port of this host answer it? Then it is dropped.
#[inline(always)]
pub(crate) fn judge<I: Ip>(ip: &I, frame: &impl Frame, kernel: &impl Kernel, gates: Gates) -> Onward {
    let Ok(Some(contact)) = Contact::read(frame, ip.payload(frame), true) else { return Onward::Goes };
    if contact.is_reset() {
        return Onward::Goes;
    }
    let kind = match (contact.is_udp(), contact.is_unconnected()) {
        (true, _) => DATAGRAM,
        (false, true) => PROBE,
        (false, false) => TALK,
    };
    let (source, dest) = ip.addresses();
    let Contact { source_port, dest_port, .. } = contact;
    let suspect = if contact.is_syn() && gates.has(Gates::ORACLE) { Some(ip.source_key()) } else { None };
    weigh(&Call { family: I::FAMILY, kind, suspect, source, dest, source_port, dest_port }, kernel, gates)
}

/// TCP without ACK: it can belong to no connection.
const PROBE: u8 = 0;
/// TCP with ACK.
const TALK: u8 = 1;
/// UDP.
const DATAGRAM: u8 = 2;

/// What is known of a packet that a closed port would answer, whatever its family.
struct Call {
    family: u8,
    kind: u8,
    /// Whose reaction may be weighed.
    suspect: Option<SourceKey>,
    source: AddressKey,
    dest: AddressKey,
    source_port: u16,
    dest_port: u16,
}

/// A function of its own: both families and all ways that lead here share it, so that the kernel's verifier, which follows
/// every path, has to follow it but a few times.
#[inline(never)]
fn weigh(call: &Call, kernel: &impl Kernel, gates: Gates) -> Onward {
    if !gates.has(Gates::LOCAL) || !kernel.is_local(&call.dest) || kernel.is_excepted(call.dest_port) {
        return Onward::Goes;
    }
    if call.kind != PROBE && gates.has(Gates::FORWARDS) && may_be_translated(call.dest_port, kernel) {
        return Onward::Goes;
    }
    let passes = if call.family == FAMILY_V4 { passes4(call, kernel) } else { passes6(call, kernel) };
    if passes {
        return Onward::Goes;
    }
    // The first program drops every SYN to a dark port but those that the oracle lets through, and these are to be refused.
    if let Some(suspect) = &call.suspect
        && was_weighed(suspect, kernel)
    {
        return Onward::Goes;
    }
    kernel.count(Counter::Silenced);
    Onward::Dropped
}

/// Is there a socket, or may the source learn that there is none?
#[inline(always)]
fn passes4(call: &Call, kernel: &impl Kernel) -> bool {
    let ([.., source], [.., dest]) = (call.source.0, call.dest.0);
    let tuple = Tuple4 { source, dest, source_port: call.source_port.to_be(), dest_port: call.dest_port.to_be() };
    let is_served = if call.kind == DATAGRAM { kernel.is_bound4(&tuple) } else { kernel.is_served4(&tuple) };
    is_served || kernel.is_allowed4(source)
}

/// The same of IPv6.
#[inline(always)]
fn passes6(call: &Call, kernel: &impl Kernel) -> bool {
    let (source, dest) = (call.source.0, call.dest.0);
    let tuple = Tuple6 { source, dest, source_port: call.source_port.to_be(), dest_port: call.dest_port.to_be() };
    let is_served = if call.kind == DATAGRAM { kernel.is_bound6(&tuple) } else { kernel.is_served6(&tuple) };
    is_served || kernel.is_allowed6(source)
}

/// Is it one of the ports that hosts send from? A translated connection keeps its client's port where it can, and other systems than
/// this one end their range later.
#[inline(always)]
fn may_be_translated(port: u16, kernel: &impl Kernel) -> bool {
    let [first, _] = kernel.ephemeral();
    u32::from(port) >= first
}

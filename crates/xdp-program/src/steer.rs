//! The second program, [`door`]: it sees what the first one has let through, at the door of the network stack. A banned or
//! silenced source never comes this far, but for the SYNs that the oracle lets through.
//!
//! If dark ports are traps, the first packet of a connection to one carries the trap's socket on; from then on the kernel
//! finds the connection by itself. If dark ports are silent, what they would answer is dropped. Everything else goes on.

use crate::{
    Frame, Kernel,
    frame::{self, Network},
    ip::{Ip, V4, V6},
    probe::suspect,
    silent,
    transport::Contact,
};
use honeymesh_xdp_abi::{Counter, Gates, TRAP_V4, TRAP_V6};

/// A packet at the door of the network stack. Reads begin at its network header: what was before it may be gone already.
pub trait Door: Frame {
    /// What the network header is, as an EtherType. A first VLAN tag has been taken off.
    fn protocol(&self) -> u16;
}

/// What the steering needs besides what every decision needs.
pub trait Steer: Kernel {
    /// Gives the packet to the trap's socket at `index`. `false` if there is none (no trap runs), or the kernel refuses.
    fn assign(&self, index: u32) -> bool;
}

/// What becomes of a packet at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Onward {
    /// It goes on, perhaps with the trap's socket.
    Goes,
    /// It is gone.
    Dropped,
}

/// Judges one packet: steers it to the trap, or drops it, and counts either. Sources on the allowlist, and those whose
/// reactions are weighed, are answered by the stack as on any closed port.
#[inline(always)]
pub fn door(frame: &impl Door, kernel: &impl Steer) -> Onward {
    match frame::behind_tags(frame, frame.protocol(), 0) {
        Network::V4(offset) => judge(V4::read(frame, offset), frame, kernel, TRAP_V4),
        Network::V6(offset) => judge(V6::read(frame, offset), frame, kernel, TRAP_V6),
        Network::Other | Network::Malformed => Onward::Goes,
    }
}

#[inline(always)]
fn judge<I: Ip>(packet: Option<I>, frame: &impl Frame, kernel: &impl Steer, index: u32) -> Onward {
    let Some(ip) = packet else { return Onward::Goes };
    let gates = kernel.gates();
    if gates.has(Gates::SILENT) && gates.has(Gates::ENFORCING) {
        return silent::judge(&ip, frame, kernel, gates);
    }
    if let Ok(Some(tcp)) = Contact::read(frame, ip.payload(frame), false) {
        // Nearly every packet ends here, before anything was looked up.
        if tcp.is_syn() && gates.has(Gates::TRAPS) {
            steer(&ip, &tcp, kernel, gates, index);
        }
    }
    Onward::Goes
}

/// Gives the packet to the trap if it opens a connection to a dark port of this host.
#[inline(always)]
fn steer<I: Ip>(ip: &I, tcp: &Contact, kernel: &impl Steer, gates: Gates, index: u32) {
    let is_ours = !kernel.is_excepted(tcp.dest_port) && kernel.is_local(&ip.addresses().1);
    let is_offered = is_ours && !ip.is_served(kernel, tcp) && !ip.is_allowed(kernel);
    let is_suspect = || gates.has(Gates::ORACLE) && suspect::was_weighed(&ip.source_key(), kernel);
    if is_offered && !is_suspect() && kernel.assign(index) {
        kernel.count(Counter::Steered);
    }
}

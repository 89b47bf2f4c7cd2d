//! Is the packet a connection to a dark port, and does the trap take it?
//!
//! [`steer`] is the whole second program. It sees what the first one has let through, at the door of the network stack:
//! a banned or silenced source never comes this far. Whatever it decides, the packet goes on; a steered one only carries
//! the socket that shall take it. Everything but a connection's first packet is left alone: from then on the kernel
//! finds the connection by itself.

use crate::{
    Frame, Kernel,
    frame::{self, Network},
    ip::{Ip, V4, V6},
    transport::Tcp,
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

/// Gives the packet to the trap if it opens a connection to a dark port of this host, and counts that. Sources on the
/// allowlist are refused by the stack as on any closed port.
#[inline(always)]
pub fn steer(frame: &impl Door, kernel: &impl Steer) {
    match frame::behind_tags(frame, frame.protocol(), 0) {
        Network::V4(offset) => judge(V4::read(frame, offset), frame, kernel, TRAP_V4),
        Network::V6(offset) => judge(V6::read(frame, offset), frame, kernel, TRAP_V6),
        Network::Other | Network::Malformed => {}
    }
}

#[inline(always)]
fn judge<I: Ip>(packet: Option<I>, frame: &impl Frame, kernel: &impl Steer, index: u32) {
    let Some(ip) = packet else { return };
    let Ok(Some(tcp)) = Tcp::read(frame, ip.payload(frame)) else { return };
    // Nearly every packet ends here, before anything was asked.
    if !tcp.is_opening() || !kernel.gates().has(Gates::TRAPS) || kernel.is_excepted(tcp.dest_port) {
        return;
    }
    if !kernel.is_local(&ip.addresses().1) || ip.is_served(kernel, &tcp) || ip.is_allowed(kernel) {
        return;
    }
    if kernel.assign(index) {
        kernel.count(Counter::Steered);
    }
}

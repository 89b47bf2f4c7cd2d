//! Lockdown: who else gets in while only allowed sources and established connections do.
//!
//! What passes besides the allowlist, and why:
//! - TCP that a socket of this host other than a listener takes: an established connection, one that closes, a handshake
//!   that began before, and the answer to a connection that this host opens. A segment without ACK and RST belongs to no
//!   connection that stands, so it passes only while one is being opened (a SYN may not reuse a connection in `TIME_WAIT`).
//! - UDP from exactly the address and port that a socket of this host is connected to.
//! - ICMP errors (unreachable, packet too big, time exceeded, parameter problem): without them a connection that stands
//!   could hang for ever at a smaller MTU. The stack checks them against its sockets.
//! - What keeps the host on its link: everything that is not IP (ARP), IPv6 neighbour discovery, multicast listener queries
//!   of a neighbour (a switch that gets no report stops delivering neighbour discovery), and DHCP answers.
//!
//! Everything else is dropped: also UDP to unconnected sockets, pings, later fragments (their ports are unknown), IPv6
//! packets behind more extension headers than are followed, other protocols, and whatever is not for a socket of this host:
//! what it forwards or translates for others (containers, virtual machines, a network behind it) has its connections where
//! this program cannot see them, and a firewall that does not know keeps shut. Whose packets must pass all the same belongs
//! on the allowlist.
//!
//! Nothing is judged any further: strangers' packets are answered by nothing and told to nobody, they are only counted.

use crate::{
    Frame, Judgement, Kernel, Tuple4, Tuple6,
    ip::Ip,
    transport::{Contact, Payload},
};
use honeymesh_xdp_abi::{Counter, FOREVER, Gates};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// The kernel's number of a listening socket.
pub const STATE_LISTEN: u32 = 10;
/// No socket at all: a number that the kernel gives to none that can be found.
pub const STATE_NONE: u32 = 0;
const STATE_SYN_SENT: u32 = 2;
const STATE_SYN_RECEIVED: u32 = 3;
const STATE_NEW_SYN_RECEIVED: u32 = 12;

/// What a lockdown asks of the kernel: its sockets, and how long it holds.
pub trait Connections {
    /// When a lockdown ends, in nanoseconds of `CLOCK_BOOTTIME`; 0 if that cannot be read.
    fn lockdown_until_ns(&self) -> u64;
    /// The state of the TCP socket that takes this packet, by the kernel's number, or [`STATE_NONE`].
    fn tcp_state4(&self, tuple: &Tuple4) -> u32;
    /// As [`Connections::tcp_state4`].
    fn tcp_state6(&self, tuple: &Tuple6) -> u32;
    /// Is there a UDP socket that is connected to exactly this source?
    fn is_udp_peer4(&self, tuple: &Tuple4) -> bool;
    /// As [`Connections::is_udp_peer4`].
    fn is_udp_peer6(&self, tuple: &Tuple6) -> bool;
}

/// What a lockdown asks of a network header.
pub(crate) trait Locked: Ip {
    /// See [`Connections::tcp_state4`].
    fn tcp_state(&self, kernel: &impl Kernel, ports: Ports) -> u32;
    /// See [`Connections::is_udp_peer4`].
    fn is_udp_peer(&self, kernel: &impl Kernel, ports: Ports) -> bool;
    /// Is it a DHCP server's answer?
    fn is_lease(&self, ports: Ports) -> bool;
    /// Is it an ICMP error, or a multicast listener query of a neighbour?
    fn is_control(&self, protocol: u8, kind: u8) -> bool;
}

/// Source and destination port.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) source: u16,
    pub(crate) dest: u16,
}

/// The steps to take now: while a lockdown holds, bans are enforced whatever the mode before it was; once it is over, it is
/// as if there were none. The clock is read only for one that waits to be confirmed.
#[inline(always)]
pub(crate) fn in_force(kernel: &impl Kernel, gates: Gates) -> Gates {
    if !gates.has(Gates::LOCKDOWN) {
        return gates;
    }
    let until_ns = kernel.lockdown_until_ns();
    match until_ns == FOREVER || until_ns > kernel.now_ns() {
        true => gates.with(Gates::ENFORCING, true),
        false => gates.with(Gates::LOCKDOWN, false),
    }
}

/// The last word on a packet: whoever is let in is no scanner.
#[inline(always)]
pub(crate) fn judge<I: Locked>(ip: &I, frame: &impl Frame, kernel: &impl Kernel) -> Judgement {
    match lets_in(ip, frame, kernel) {
        true => Judgement::Pass,
        false => Judgement::Drop(Counter::DroppedLockdown),
    }
}

#[inline(always)]
fn lets_in<I: Locked>(ip: &I, frame: &impl Frame, kernel: &impl Kernel) -> bool {
    if ip.is_allowed(kernel) || ip.is_neighbour_discovery(frame) {
        return true;
    }
    let payload = ip.payload(frame);
    let Payload::At { protocol, offset, .. } = payload else { return false };
    if protocol == TCP {
        let tcp = Contact::read(frame, payload, false);
        return tcp.is_ok_and(|tcp| tcp.is_some_and(|tcp| is_connected(ip, &tcp, kernel)));
    }
    // The first four octets: two ports, or type and code.
    let Some([a, b, c, d]) = frame.read::<4>(offset) else { return false };
    if protocol != UDP {
        return ip.is_control(protocol, a);
    }
    let ports = Ports { source: u16::from_be_bytes([a, b]), dest: u16::from_be_bytes([c, d]) };
    ip.is_lease(ports) || ip.is_udp_peer(kernel, ports)
}

#[inline(always)]
fn is_connected<I: Locked>(ip: &I, tcp: &Contact, kernel: &impl Kernel) -> bool {
    match ip.tcp_state(kernel, Ports { source: tcp.source_port, dest: tcp.dest_port }) {
        STATE_NONE | STATE_LISTEN => false,
        STATE_SYN_SENT | STATE_SYN_RECEIVED | STATE_NEW_SYN_RECEIVED => true,
        _ => !tcp.is_unconnected(),
    }
}

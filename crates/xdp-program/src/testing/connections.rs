//! Sockets other than listeners, for tests of a lockdown.

use super::{HERE4, HERE6, host::HostKernel};
use crate::{
    Connections, Tuple4, Tuple6,
    lockdown::{STATE_LISTEN, STATE_NONE},
};
use core::net::IpAddr;
use honeymesh_xdp_abi::AddressKey;

/// What a socket is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// TCP, established.
    Established,
    /// TCP, this host has sent the SYN and waits.
    Opening,
    /// TCP, closed by this host and remembered for a while (`TIME_WAIT`).
    Closed,
    /// UDP, connected.
    Datagrams,
}

impl Stage {
    /// The kernel's number of the TCP state.
    const fn state(self) -> u32 {
        match self {
            Self::Established => 1,
            Self::Opening => 2,
            Self::Closed => 6,
            Self::Datagrams => STATE_NONE,
        }
    }
}

/// A socket of the host under test that is connected to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What it is doing.
    pub stage: Stage,
    /// To whom.
    pub peer: &'static str,
    /// To which port there.
    pub peer_port: u16,
    /// From which port here, on [`super::HERE4`] or [`super::HERE6`].
    pub port: u16,
}

/// Addresses and ports of a packet.
struct Flow {
    source: AddressKey,
    dest: AddressKey,
    source_port: u16,
    dest_port: u16,
}

impl Flow {
    fn v4(tuple: &Tuple4) -> Self {
        let key = |addr| AddressKey::v4(u32::from_be(addr));
        Self::new(key(tuple.source), key(tuple.dest), tuple.source_port, tuple.dest_port)
    }

    fn v6(tuple: &Tuple6) -> Self {
        Self::new(AddressKey(tuple.source), AddressKey(tuple.dest), tuple.source_port, tuple.dest_port)
    }

    fn new(source: AddressKey, dest: AddressKey, source_port: u16, dest_port: u16) -> Self {
        Self { source, dest, source_port: u16::from_be(source_port), dest_port: u16::from_be(dest_port) }
    }
}

impl Connection {
    fn takes(&self, flow: &Flow) -> bool {
        let here = if self.peer.contains(':') { HERE6 } else { HERE4 };
        let ports = (self.peer_port, self.port) == (flow.source_port, flow.dest_port);
        ports && key(self.peer) == Some(flow.source) && key(here) == Some(flow.dest)
    }
}

fn key(addr: &str) -> Option<AddressKey> {
    Some(match addr.parse().ok()? {
        IpAddr::V4(addr) => AddressKey::v4(addr.to_bits()),
        IpAddr::V6(addr) => AddressKey::v6(addr.to_bits()),
    })
}

impl HostKernel {
    fn tcp_state(&self, flow: &Flow) -> u32 {
        let mut tcp = self.connections.iter().filter(|one| one.stage != Stage::Datagrams && one.takes(flow));
        let otherwise = if self.served.contains(&flow.dest_port) { STATE_LISTEN } else { STATE_NONE };
        tcp.next().map_or(otherwise, |one| one.stage.state())
    }

    fn is_udp_peer(&self, flow: &Flow) -> bool {
        self.connections.iter().any(|one| one.stage == Stage::Datagrams && one.takes(flow))
    }
}

impl Connections for &HostKernel {
    fn lockdown_until_ns(&self) -> u64 {
        self.lockdown_until_ns.get()
    }

    fn tcp_state4(&self, tuple: &Tuple4) -> u32 {
        self.tcp_state(&Flow::v4(tuple))
    }

    fn tcp_state6(&self, tuple: &Tuple6) -> u32 {
        self.tcp_state(&Flow::v6(tuple))
    }

    fn is_udp_peer4(&self, tuple: &Tuple4) -> bool {
        self.is_udp_peer(&Flow::v4(tuple))
    }

    fn is_udp_peer6(&self, tuple: &Tuple6) -> bool {
        self.is_udp_peer(&Flow::v6(tuple))
    }
}

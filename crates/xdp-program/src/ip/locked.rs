//! What a lockdown asks of a network header.

use super::{V4, V6};
use crate::{
    Kernel, Tuple4, Tuple6,
    lockdown::{Locked, Ports},
};

const ICMP: u8 = 1;
const ICMP6: u8 = 58;
/// Destination unreachable (packet too big among its codes), time exceeded, parameter problem (RFC 792, RFC 1191).
const ERRORS4: [u8; 3] = [3, 11, 12];
/// Destination unreachable, packet too big, time exceeded, parameter problem (RFC 4443).
const ERRORS6: core::ops::RangeInclusive<u8> = 1..=4;
/// Multicast listener query (RFC 3810): from a neighbour's link-local address, with a hop limit of 1.
const LISTENER_QUERY: u8 = 130;
/// Ports of DHCP servers and clients (RFC 2131).
const DHCP4: (u16, u16) = (67, 68);
/// Ports of DHCPv6 servers and clients (RFC 8415).
const DHCP6: (u16, u16) = (547, 546);

impl V4 {
    #[inline(always)]
    const fn tuple(&self, ports: Ports) -> Tuple4 {
        let (source_port, dest_port) = (ports.source.to_be(), ports.dest.to_be());
        Tuple4 { source: self.source, dest: self.dest, source_port, dest_port }
    }
}

impl Locked for V4 {
    #[inline(always)]
    fn tcp_state(&self, kernel: &impl Kernel, ports: Ports) -> u32 {
        kernel.tcp_state4(&self.tuple(ports))
    }

    #[inline(always)]
    fn is_udp_peer(&self, kernel: &impl Kernel, ports: Ports) -> bool {
        kernel.is_udp_peer4(&self.tuple(ports))
    }

    #[inline(always)]
    fn is_lease(&self, ports: Ports) -> bool {
        (ports.source, ports.dest) == DHCP4
    }

    #[inline(always)]
    fn is_control(&self, protocol: u8, kind: u8) -> bool {
        protocol == ICMP && ERRORS4.contains(&kind)
    }
}

impl V6 {
    #[inline(always)]
    const fn tuple(&self, ports: Ports) -> Tuple6 {
        let (source_port, dest_port) = (ports.source.to_be(), ports.dest.to_be());
        Tuple6 { source: self.source, dest: self.dest, source_port, dest_port }
    }

    /// fe80::/10: no router forwards it.
    #[inline(always)]
    const fn is_neighbour(&self) -> bool {
        u32::from_be(self.source[0]) >> 22 == 0xfe80 >> 6
    }
}

impl Locked for V6 {
    #[inline(always)]
    fn tcp_state(&self, kernel: &impl Kernel, ports: Ports) -> u32 {
        kernel.tcp_state6(&self.tuple(ports))
    }

    #[inline(always)]
    fn is_udp_peer(&self, kernel: &impl Kernel, ports: Ports) -> bool {
        kernel.is_udp_peer6(&self.tuple(ports))
    }

    #[inline(always)]
    fn is_lease(&self, ports: Ports) -> bool {
        (ports.source, ports.dest) == DHCP6 && self.is_neighbour()
    }

    #[inline(always)]
    fn is_control(&self, protocol: u8, kind: u8) -> bool {
        let is_query = kind == LISTENER_QUERY && self.hop_limit == 1 && self.is_neighbour();
        protocol == ICMP6 && (ERRORS6.contains(&kind) || is_query)
    }
}

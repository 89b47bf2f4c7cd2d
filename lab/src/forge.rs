//! SYNs with a source that is not ours, for IPv4 and IPv6: what anybody on the internet can send.

use crate::topology::Host;
use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, sendto, socket};
use std::{
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    thread,
    time::Duration,
};

/// The pause between two packets: a fast scan, not a flood.
const PACE: Duration = Duration::from_micros(500);
/// TCP's number.
const TCP: u8 = 6;
/// Bytes of a TCP header without options.
const TCP_BYTES: u16 = 20;

/// Sends one SYN to each of `ports` of `target` with the source address `source`, from `host`.
///
/// # Errors
/// If this is not root, if the two addresses are not of one family, or if a packet cannot be sent.
pub fn forge_syns(host: &Host, source: IpAddr, target: IpAddr, ports: impl IntoIterator<Item = u16> + Send) -> Result<u32> {
    host.namespace.inside(|| {
        let family = if target.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        // With this protocol number the kernel takes the IP header from us.
        let raw = socket(family, SockType::Raw, SockFlag::empty(), SockProtocol::Raw).context("failed to open a raw socket")?;
        let to = SockaddrStorage::from(SocketAddr::new(target, 0));
        let mut sent = 0;
        for port in ports {
            let packet = syn(source, target, 40_000 + port % 20_000, port)?;
            sendto(raw.as_raw_fd(), &packet, &to, MsgFlags::empty()).context("failed to send a forged SYN")?;
            sent += 1;
            thread::sleep(PACE);
        }
        Ok(sent)
    })
}

/// A whole packet: IP header, TCP header with SYN, checksums right.
fn syn(source: IpAddr, target: IpAddr, source_port: u16, port: u16) -> Result<Vec<u8>> {
    let addresses = match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => [source.octets().to_vec(), target.octets().to_vec()].concat(),
        (IpAddr::V6(source), IpAddr::V6(target)) => [source.octets().to_vec(), target.octets().to_vec()].concat(),
        _ => anyhow::bail!("{source} and {target} are not of one family"),
    };
    let tcp = tcp_syn(&addresses, source_port, port);
    let mut packet = if target.is_ipv4() { ipv4_header(&addresses) } else { ipv6_header(&addresses) };
    packet.extend(tcp);
    Ok(packet)
}

fn tcp_syn(addresses: &[u8], source_port: u16, port: u16) -> Vec<u8> {
    let mut tcp = Vec::with_capacity(usize::from(TCP_BYTES));
    tcp.extend(source_port.to_be_bytes());
    tcp.extend(port.to_be_bytes());
    tcp.extend(0x5eed_0000_u32.to_be_bytes());
    tcp.extend([0; 4]);
    // Five words of header; SYN; a window of 1024, as scanners have.
    tcp.extend([0x50, 0x02, 0x04, 0x00, 0, 0, 0, 0]);
    let [high, low] = TCP_BYTES.to_be_bytes();
    let pseudo = [addresses, &[0, TCP, high, low], &tcp].concat();
    tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    tcp
}

fn ipv4_header(addresses: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + TCP_BYTES).to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 1, 0, 0, 64, TCP, 0, 0];
    header.extend(addresses);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

fn ipv6_header(addresses: &[u8]) -> Vec<u8> {
    let [high, low] = TCP_BYTES.to_be_bytes();
    [&[0x60, 0, 0, 0, high, low, TCP, 64], addresses].concat()
}

/// The internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_add_up() {
        // The worked example of RFC 1071, section 3.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        let packet = syn("198.51.100.10".parse().unwrap(), "198.18.1.10".parse().unwrap(), 40_001, 80).unwrap();
        assert_eq!((packet.len(), checksum(&packet[..20])), (40, 0), "a right header sums up to nothing");
        let pseudo = [&packet[12..20], &[0, TCP, 0, 20], &packet[20..]].concat();
        assert_eq!(checksum(&pseudo), 0);
    }

    #[test]
    fn both_families_carry_the_forged_source() {
        let packet = syn("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), 1, 2).unwrap();
        assert_eq!((packet.len(), packet[0] >> 4, packet[23]), (60, 6, 1));
        assert!(syn("2001:db8::1".parse().unwrap(), "198.18.1.10".parse().unwrap(), 1, 2).is_err());
    }
}

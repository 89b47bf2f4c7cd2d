//! What is known of an interface without touching it.
#![expect(unsafe_code, reason = "the driver's name has no safe binding")]

use super::netlink;
use crate::{
    AttachMode, bpf,
    netlink::octets::{REQUEST, attribute, find, message, text, value},
    system, wanted,
};
use honeymesh_xdp_abi::table;
use nix::{net::if_::if_nametoindex, sys::socket::SockProtocol};
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// An interface as the kernel describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// Its name.
    pub name: String,
    /// Does it exist? If not, nothing else is known.
    pub exists: bool,
    /// Is it switched on?
    pub is_up: bool,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// The driver's name, if there is one.
    pub driver: Option<String>,
    /// Can the driver run XDP? Asked of the kernel by netlink; `None`: it does not say (before 6.3).
    pub native: Option<bool>,
    /// Can the driver hand packets of several pages to XDP?
    pub native_large: Option<bool>,
    /// The XDP program that is on it.
    pub attached: Option<Attached>,
}

/// An XDP program on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its number.
    pub id: u32,
    /// How it sits there; `None`: in hardware, or several.
    pub mode: Option<AttachMode>,
    /// Its name; `None`: this process may not ask.
    pub name: Option<String>,
    /// Is it this program, of whatever version?
    pub is_ours: bool,
}

const RTM_GETLINK: u16 = 18;
const INTERFACE_HEADER_LEN: usize = 16;
const IFLA_MTU: u16 = 4;
const IFLA_XDP: u16 = 43;
const XDP_ATTACHED: u16 = 2;
const XDP_PROG_ID: u16 = 4;
const FLAG_UP: u32 = 1;

/// What names and patterns such as `veth*` stand for, each once: names that are there, and what nothing fits as it was
/// written.
#[must_use]
pub fn wanted_interfaces(wanted: &[String]) -> Vec<String> {
    let present = system::interface_names();
    let mut names: Vec<String> = Vec::new();
    for one in wanted {
        let fitting: Vec<String> = present.iter().filter(|name| wanted::means(one, name)).cloned().collect();
        let fitting = if fitting.is_empty() { vec![one.clone()] } else { fitting };
        names.extend(fitting.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
    names
}

/// What is known of the named interface.
#[must_use]
pub fn interface_facts(name: &str) -> InterfaceFacts {
    let mut facts = InterfaceFacts { name: name.into(), ..InterfaceFacts::default() };
    let Ok(index) = if_nametoindex(name) else { return facts };
    facts.exists = true;
    facts.driver = driver(name).ok();
    let features = driver_features(index).ok().flatten();
    facts.native = features.map(|bits| bits & XDP_BASIC != 0);
    facts.native_large = features.map(|bits| bits & XDP_RX_SG != 0);
    if let Ok(link) = link(index) {
        let flags = link.get(8..12).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_ne_bytes);
        let attributes = link.get(INTERFACE_HEADER_LEN..).unwrap_or_default();
        facts.is_up = flags & FLAG_UP != 0;
        facts.mtu = value(attributes, IFLA_MTU).and_then(|mtu| u32::try_from(mtu).ok());
        facts.attached = find(attributes, IFLA_XDP).and_then(attached);
    }
    facts
}

/// The kernel's description of one interface.
fn link(index: u32) -> io::Result<Vec<u8>> {
    let body = [&[0; 4][..], &index.to_ne_bytes(), &[0; 8]].concat();
    let answers = netlink::ask(SockProtocol::NetlinkRoute, &message(RTM_GETLINK, REQUEST, 0, &body))?;
    answers.into_iter().next().ok_or_else(|| io::Error::other("no answer"))
}

fn attached(xdp: &[u8]) -> Option<Attached> {
    let mode = match value(xdp, XDP_ATTACHED)? {
        0 => return None,
        1 => Some(AttachMode::Native),
        2 => Some(AttachMode::Generic),
        _ => None,
    };
    let id = value(xdp, XDP_PROG_ID).and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    let name = bpf::program_by_id(id).and_then(|program| bpf::program_info(program.as_fd())).ok().map(|info| info.name);
    Some(Attached { id, mode, is_ours: name.as_deref() == Some(table::PROGRAM), name })
}

const CTRL_FAMILY: u16 = 16;
const CTRL_GETFAMILY: u8 = 3;
const CTRL_ATTR_ID: u16 = 1;
const CTRL_ATTR_NAME: u16 = 2;
const NETDEV_DEV_GET: u8 = 1;
const DEV_IFINDEX: u16 = 1;
const DEV_XDP_FEATURES: u16 = 3;
/// `NETDEV_XDP_ACT_BASIC`: aborted, drop, pass and tx.
const XDP_BASIC: u64 = 1;
/// `NETDEV_XDP_ACT_RX_SG`.
const XDP_RX_SG: u64 = 1 << 5;
const GENERIC_HEADER_LEN: usize = 4;

/// Does the kernel tell what drivers can?
pub(super) fn driver_facts_work() -> io::Result<()> {
    family().map(|_| ())
}

/// The number of the netlink family `netdev`.
fn family() -> io::Result<u16> {
    let body = [&[CTRL_GETFAMILY, 1, 0, 0][..], &text(CTRL_ATTR_NAME, "netdev")].concat();
    let answers = netlink::ask(SockProtocol::NetlinkGeneric, &message(CTRL_FAMILY, REQUEST, 0, &body))?;
    let id = answers.first().and_then(|answer| value(answer.get(GENERIC_HEADER_LEN..)?, CTRL_ATTR_ID));
    id.and_then(|id| u16::try_from(id).ok()).ok_or_else(|| io::Error::other("no answer"))
}

fn driver_features(index: u32) -> io::Result<Option<u64>> {
    let body = [&[NETDEV_DEV_GET, 1, 0, 0][..], &attribute(DEV_IFINDEX, &index.to_ne_bytes())].concat();
    let answers = netlink::ask(SockProtocol::NetlinkGeneric, &message(family()?, REQUEST, 0, &body))?;
    Ok(answers.first().and_then(|answer| value(answer.get(GENERIC_HEADER_LEN..)?, DEV_XDP_FEATURES)))
}

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 3;

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

/// `struct ifreq` with a pointer in its union.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    info: *mut DriverInfo,
    rest: [u8; 16],
}

fn driver(interface: &str) -> io::Result<String> {
    let mut info = DriverInfo { command: ETHTOOL_GDRVINFO, driver: [0; 32], rest: [0; 160] };
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().take(libc::IFNAMSIZ - 1).zip(interface.bytes()) {
        *to = from;
    }
    let mut request = Request { name, info: &raw mut info, rest: [0; 16] };
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).or_else(|_| std::net::UdpSocket::bind(("::1", 0)))?;
    // SAFETY: the request is laid out as `struct ifreq`, and the driver's info lives through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let name = info.driver.split(|octet| *octet == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there_without_a_driver() {
        let facts = interface_facts("lo");
        assert!(facts.exists && facts.mtu.is_some() && facts.driver.is_none(), "{facts:?}");
        assert!(facts.native != Some(true));
        assert!(!interface_facts("hm-nope").exists);
    }

    #[test]
    fn patterns_become_names_and_what_fits_nothing_stays_as_it_is() {
        let names = wanted_interfaces(&["lo*".into(), "hm-nope*".into(), "lo".into()]);
        assert_eq!(names.iter().filter(|name| *name == "lo").count(), 1);
        assert_eq!(names.last().map(String::as_str), Some("hm-nope*"));
    }
}

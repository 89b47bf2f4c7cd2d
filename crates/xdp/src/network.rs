//! What this machine's network looks like: own addresses, links, gateways, resolvers.

mod parse;

/// How many routes and resolvers are in these texts; for tests only.
#[cfg(feature = "testing")]
pub(crate) fn found_in(text: &str) -> usize {
    parse::routes4(text).len() + parse::routes6(text).len() + parse::resolvers(text).len()
}

use crate::{Error, system};
use ipnet::IpNet;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use std::{fs, net::IpAddr};

/// Addresses and prefixes that must never be banned or that tell neighbours from strangers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// This machine's own addresses, loopback included.
    pub own: Vec<IpAddr>,
    /// The prefixes of its links, loopback left out.
    pub on_link: Vec<IpNet>,
    /// Its default gateways.
    pub gateways: Vec<IpAddr>,
    /// Its resolvers.
    pub resolvers: Vec<IpAddr>,
}

/// How much of a file is read: a routing table of a full-view router would be too long, and is cut.
const FILE_LEN_MAX: usize = 1 << 20;

// The thread's own network namespace, not the first thread's as in /proc/net.
const ROUTES4: &str = "/proc/thread-self/net/route";
const ROUTES6: &str = "/proc/thread-self/net/ipv6_route";
/// Where the resolvers are written down.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Linux's own choice, taken where the file cannot be read.
const PORT_RANGE_USUAL: [u32; 2] = [32_768, 60_999];

/// What this machine's network looks like now. What cannot be read is left empty.
#[must_use]
pub fn network_facts() -> NetworkFacts {
    let links: Vec<(IpAddr, IpNet)> = getifaddrs().into_iter().flatten().filter_map(|link| address(&link)).collect();
    let mut facts = NetworkFacts {
        own: links.iter().map(|(addr, _)| *addr).collect(),
        on_link: links.iter().filter(|(addr, _)| !addr.is_loopback()).map(|(_, net)| net.trunc()).collect(),
        gateways: routes().into_iter().filter_map(|route| route.gateway).collect(),
        resolvers: parse::resolvers(&read(RESOLV_CONF)),
    };
    for list in [&mut facts.own, &mut facts.gateways, &mut facts.resolvers] {
        list.sort_unstable();
        list.dedup();
    }
    facts.on_link.sort_unstable();
    facts.on_link.dedup();
    facts
}

/// The first and the last port that this machine sends from by itself, for both families.
pub(crate) fn ephemeral_ports() -> [u32; 2] {
    parse::port_range(&read(PORT_RANGE)).unwrap_or(PORT_RANGE_USUAL)
}

/// The interface of the default route, IPv4 first, the lowest metric first.
///
/// # Errors
/// [`Error::NoDefaultRoute`] names the interfaces there are.
pub fn default_route_interface() -> Result<String, Error> {
    let routes = routes();
    let best = routes.iter().min_by_key(|route| (route.is_v6, route.metric));
    best.map(|route| route.interface.clone()).ok_or_else(|| Error::NoDefaultRoute { present: system::interface_names() })
}

/// The default routes of both families.
fn routes() -> Vec<parse::DefaultRoute> {
    let mut routes = parse::routes4(&read(ROUTES4));
    routes.extend(parse::routes6(&read(ROUTES6)));
    routes
}

fn read(path: &str) -> String {
    let octets = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&octets[..octets.len().min(FILE_LEN_MAX)]).into_owned()
}

/// The address and prefix of one entry of getifaddrs(3).
fn address(link: &InterfaceAddress) -> Option<(IpAddr, IpNet)> {
    let (addr, mask) = (link.address.as_ref()?, link.netmask.as_ref()?);
    let (addr, mask) = match (addr.as_sockaddr_in(), addr.as_sockaddr_in6()) {
        (Some(v4), _) => (IpAddr::V4(v4.ip()), IpAddr::V4(mask.as_sockaddr_in()?.ip())),
        (_, Some(v6)) => (IpAddr::V6(v6.ip()), IpAddr::V6(mask.as_sockaddr_in6()?.ip())),
        _ => return None,
    };
    Some((addr, IpNet::with_netmask(addr, mask).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_our_own_and_no_link() {
        let facts = network_facts();
        assert!(facts.own.contains(&"127.0.0.1".parse().unwrap()), "{facts:?}");
        assert!(facts.on_link.iter().all(|net| !net.network().is_loopback()));
    }
}

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
use std::{fs, io, net::IpAddr};

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
/// Whether packets are forwarded for others, by family.
const FORWARDING: [&str; 2] = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"];
/// Linux's own choice, taken where the file cannot be read.
const PORT_RANGE_USUAL: [u32; 2] = [32_768, 60_999];

/// A part of the network that could not be looked at.
#[derive(Debug)]
pub struct Unseen {
    /// Which, in words.
    pub part: &'static str,
    /// Why.
    pub why: io::Error,
}

/// The part of [`Unseen`] without which nobody knows what is this machine's own.
pub const OWN_ADDRESSES: &str = "the own addresses";

/// What this machine's network looks like now. A part that cannot be looked at stays as it is `known`, and is told: a look that fails, as
/// where no descriptor is left, has seen nothing, which is not the same as seeing that there is nothing. (A file that is not there says that.)
#[must_use]
pub fn network_facts(known: &NetworkFacts) -> (NetworkFacts, Vec<Unseen>) {
    facts_of(known, getifaddrs().map_err(io::Error::from), [ROUTES4, ROUTES6], RESOLV_CONF)
}

fn facts_of(
    known: &NetworkFacts,
    links: io::Result<impl Iterator<Item = InterfaceAddress>>,
    routes: [&str; 2],
    resolvers: &str,
) -> (NetworkFacts, Vec<Unseen>) {
    let mut unseen = Vec::new();
    let mut facts = NetworkFacts::default();
    match links {
        Ok(links) => {
            let links: Vec<(IpAddr, IpNet)> = links.filter_map(|link| address(&link)).collect();
            facts.own = links.iter().map(|(addr, _)| *addr).collect();
            facts.on_link = links.iter().filter(|(addr, _)| !addr.is_loopback()).map(|(_, net)| net.trunc()).collect();
        }
        Err(why) => {
            (facts.own, facts.on_link) = (known.own.clone(), known.on_link.clone());
            unseen.push(Unseen { part: OWN_ADDRESSES, why });
        }
    }
    let families = [(parse::routes4 as fn(&str) -> Vec<_>, "the IPv4 gateways"), (parse::routes6, "the IPv6 gateways")];
    for ((path, (parse, part)), is_v6) in routes.into_iter().zip(families).zip([false, true]) {
        match look(path) {
            Ok(text) => facts.gateways.extend(parse(&text).into_iter().filter_map(|route| route.gateway)),
            Err(why) => {
                facts.gateways.extend(known.gateways.iter().filter(|gateway| gateway.is_ipv6() == is_v6));
                unseen.push(Unseen { part, why });
            }
        }
    }
    match look(resolvers) {
        Ok(text) => facts.resolvers = parse::resolvers(&text),
        Err(why) => {
            facts.resolvers.clone_from(&known.resolvers);
            unseen.push(Unseen { part: "the resolvers", why });
        }
    }
    for list in [&mut facts.own, &mut facts.gateways, &mut facts.resolvers] {
        list.sort_unstable();
        list.dedup();
    }
    facts.on_link.sort_unstable();
    facts.on_link.dedup();
    (facts, unseen)
}

/// The first and the last port that this machine sends from by itself, for both families.
pub(crate) fn ephemeral_ports() -> [u32; 2] {
    parse::port_range(&read(PORT_RANGE)).unwrap_or(PORT_RANGE_USUAL)
}

/// Does this machine forward packets for others, so that it may translate their connections to its own addresses? Where that cannot be
/// read it does, so that nobody is cut off.
pub(crate) fn forwards() -> bool {
    FORWARDING.iter().any(|path| look(path).map_or(true, |text| !matches!(text.trim(), "0" | "")))
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
    look(path).unwrap_or_default()
}

/// A file's text; none where there is no such file.
fn look(path: &str) -> io::Result<String> {
    let octets = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    Ok(String::from_utf8_lossy(&octets[..octets.len().min(FILE_LEN_MAX)]).into_owned())
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
        let (facts, unseen) = network_facts(&NetworkFacts::default());
        assert!(facts.own.contains(&"127.0.0.1".parse().unwrap()), "{facts:?}");
        assert!(facts.on_link.iter().all(|net| !net.network().is_loopback()));
        assert!(unseen.is_empty(), "{unseen:?}");
    }

    #[test]
    fn a_part_that_cannot_be_looked_at_stays_as_it_is_known_and_one_that_is_gone_goes() {
        let addrs = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let known = NetworkFacts {
            own: addrs(&["192.0.2.1"]),
            on_link: vec!["192.0.2.0/24".parse().unwrap()],
            gateways: addrs(&["192.0.2.254", "fe80::1"]),
            resolvers: addrs(&["192.0.2.53"]),
        };
        let no_links = || io::Result::Ok(std::iter::empty());
        // A directory cannot be read.
        let dir = "/proc";
        let (facts, unseen) =
            facts_of(&known, Err::<std::iter::Empty<_>, _>(io::Error::from_raw_os_error(libc::EMFILE)), [dir; 2], dir);
        assert_eq!(facts, known);
        let parts: Vec<_> = unseen.iter().map(|unseen| unseen.part).collect();
        assert_eq!(parts, [OWN_ADDRESSES, "the IPv4 gateways", "the IPv6 gateways", "the resolvers"]);
        let gone = "/proc/no such file";
        let (facts, unseen) = facts_of(&known, no_links(), [gone; 2], gone);
        assert!(facts == NetworkFacts::default() && unseen.is_empty(), "{facts:?} {unseen:?}");
        let (facts, unseen) = facts_of(&known, no_links(), [gone, dir], gone);
        assert_eq!((facts.gateways, unseen.len()), (addrs(&["fe80::1"]), 1), "of that family only");
    }
}

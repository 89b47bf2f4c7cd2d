//! What this machine's network looks like: own addresses, links, gateways, resolvers.

use crate::Error;
use ipnet::IpNet;
use std::net::IpAddr;

/// Addresses and prefixes that must never be banned or that tell neighbours from strangers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// This machine's own addresses.
    pub own: Vec<IpAddr>,
    /// The prefixes of its links.
    pub on_link: Vec<IpNet>,
    /// Its default gateways.
    pub gateways: Vec<IpAddr>,
    /// Its resolvers.
    pub resolvers: Vec<IpAddr>,
}

/// What this machine's network looks like now. What cannot be read is left empty.
#[must_use]
pub fn network_facts() -> NetworkFacts {
    NetworkFacts::default()
}

/// The interface of the default route, IPv4 first, the lowest metric first.
///
/// # Errors
/// [`Error::NoDefaultRoute`] names the interfaces there are.
pub fn default_route_interface() -> Result<String, Error> {
    Err(Error::NoDefaultRoute { present: Vec::new() })
}

//! The texts that tell of the network, parsed. Lines that make no sense are left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A default route that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DefaultRoute {
    pub(crate) interface: String,
    pub(crate) metric: u32,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) is_v6: bool,
}

/// `RTF_UP`.
const FLAG_UP: u32 = 1;
/// `RTF_REJECT`: unreachable by decree.
const FLAG_REJECT: u32 = 0x200;

/// `/proc/net/route`.
pub(crate) fn routes4(text: &str) -> Vec<DefaultRoute> {
    text.lines().skip(1).filter_map(route4).collect()
}

/// Interface, destination, gateway, flags, reference count, use, metric, mask; addresses as the hexadecimal number
/// that the machine sees in their octets, but the metric is decimal.
fn route4(line: &str) -> Option<DefaultRoute> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [interface, destination, gateway, flags, _, _, metric, mask, ..] = fields.as_slice() else { return None };
    let gateway = Ipv4Addr::from(hex(gateway)?.to_ne_bytes());
    let is_default = hex(destination)? == 0 && hex(mask)? == 0;
    if !is_default || !is_usable(hex(flags)?) {
        return None;
    }
    Some(DefaultRoute {
        interface: (*interface).into(),
        metric: metric.parse().ok()?,
        gateway: (!gateway.is_unspecified()).then_some(IpAddr::V4(gateway)),
        is_v6: false,
    })
}

/// `/proc/net/ipv6_route`.
pub(crate) fn routes6(text: &str) -> Vec<DefaultRoute> {
    text.lines().filter_map(route6).collect()
}

/// Destination, its length, source, its length, gateway, metric, reference count, use, flags, interface; all hexadecimal.
fn route6(line: &str) -> Option<DefaultRoute> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [destination, len, _, _, gateway, metric, _, _, flags, interface] = fields.as_slice() else { return None };
    let gateway = Ipv6Addr::from(u128::from_str_radix(gateway, 16).ok()?);
    let is_default = u128::from_str_radix(destination, 16).ok()? == 0 && hex(len)? == 0;
    if !is_default || !is_usable(hex(flags)?) || *interface == "lo" {
        return None;
    }
    Some(DefaultRoute {
        interface: (*interface).into(),
        metric: hex(metric)?,
        gateway: (!gateway.is_unspecified()).then_some(IpAddr::V6(gateway)),
        is_v6: true,
    })
}

const fn is_usable(flags: u32) -> bool {
    flags & FLAG_UP != 0 && flags & FLAG_REJECT == 0
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

/// `/etc/resolv.conf`: the `nameserver` lines, without a zone such as `%eth0`.
pub(crate) fn resolvers(text: &str) -> Vec<IpAddr> {
    let servers = text.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    let words = servers.filter(|rest| rest.starts_with([' ', '\t'])).filter_map(|rest| rest.split_whitespace().next());
    words.filter_map(|word| word.split('%').next()?.parse().ok()).collect()
}

/// The two ports of `ip_local_port_range`, in order.
pub(super) fn port_range(text: &str) -> Option<[u32; 2]> {
    let mut ports = text.split_whitespace().map(|word| word.parse::<u16>().ok().map(u32::from));
    let [first, last] = [ports.next()??, ports.next()??];
    (first <= last).then_some([first, last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ipv4_default_routes_are_found_with_gateway_and_metric() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            ppp0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n\
            eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
            eth1\t00000000\t0103A8C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n\
            nonsense\n";
        let routes = routes4(text);
        let told: Vec<_> = routes.iter().map(|route| (route.interface.as_str(), route.metric, route.gateway)).collect();
        assert_eq!(told, [("eth0", 100, Some("192.168.2.1".parse().unwrap())), ("ppp0", 50, None)]);
    }

    #[test]
    fn the_ipv6_default_routes_are_found_and_the_rejecting_one_is_not() {
        let zero = "0".repeat(32);
        let line = |len: &str, gateway: &str, flags: &str, interface: &str| {
            format!("{zero} {len} {zero} 00 {gateway} 00000400 00000001 00000000 {flags} {interface}\n")
        };
        let router = "fe800000000000000000000000000001";
        let text =
            [line("00", router, "00450003", "eth0"), line("00", &zero, "00200200", "lo"), line("40", &zero, "00000001", "eth0")]
                .concat();
        let routes = routes6(&text);
        assert_eq!(routes.len(), 1);
        assert_eq!((routes[0].metric, routes[0].gateway), (1_024, Some("fe80::1".parse().unwrap())));
    }

    #[test]
    fn resolvers_are_read_as_the_resolver_reads_them() {
        let text = "# nameserver 9.9.9.9\nnameserver 192.0.2.53\n  nameserver\tfe80::53%eth0 \nnameservers 1.1.1.1\nnameserver x\nsearch a\n";
        let told: Vec<String> = resolvers(text).iter().map(IpAddr::to_string).collect();
        assert_eq!(told, ["192.0.2.53", "fe80::53"]);
    }

    #[test]
    fn a_port_range_is_two_ports_in_order() {
        assert_eq!(port_range("32768\t60999\n"), Some([32_768, 60_999]));
        for text in ["", "1", "2 1", "a b", "1 65536"] {
            assert_eq!(port_range(text), None, "{text}");
        }
    }
}

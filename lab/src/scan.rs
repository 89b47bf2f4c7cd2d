//! nmap against a target, and what it concluded.

use crate::topology::Host;
use anyhow::{Context, Result};
use std::{collections::BTreeMap, net::IpAddr, process::Command, time::Duration};

/// How long a scan may take.
const SCAN_TIME_MAX: Duration = Duration::from_secs(90);

/// Left alone, nmap grows ever more patient with hosts that fall silent: minutes for a few hundred ports. These hosts are
/// microseconds away.
const HASTE: [&str; 4] = ["--max-retries", "1", "--min-rate", "500"];

/// Never finishes a handshake.
pub(crate) const HALF_OPEN: &str = "-sS";
/// Ordinary connections.
pub(crate) const CONNECT: &str = "-sT";

/// What nmap concluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// How many ports are in each state: `open`, `closed`, `filtered`.
    pub states: BTreeMap<String, u32>,
    /// The open ports.
    pub open: Vec<u16>,
    /// How long it took.
    pub took: Duration,
}

impl Scan {
    /// How many ports are in `state`.
    #[must_use]
    pub fn count(&self, state: &str) -> u32 {
        self.states.get(state).copied().unwrap_or(0)
    }
}

/// `nmap -sS`: half-open, never finishes a handshake. `ports` as nmap takes them: `80,1000-1099`.
///
/// # Errors
/// If nmap fails or says something new.
pub fn scan_half_open(host: &Host, target: IpAddr, ports: &str) -> Result<Scan> {
    scan(host, HALF_OPEN, target, ports)
}

/// `nmap -sT`: ordinary connections.
///
/// # Errors
/// If nmap fails or says something new.
pub fn scan_connect(host: &Host, target: IpAddr, ports: &str) -> Result<Scan> {
    scan(host, CONNECT, target, ports)
}

/// `nmap` of another kind, such as `-sX`, from `source`, an address of the host.
///
/// # Errors
/// If nmap fails or says something new.
pub fn scan_from(host: &Host, source: IpAddr, kind: &str, target: IpAddr, ports: &str) -> Result<Scan> {
    let mut nmap = Command::new("nmap");
    nmap.args(["-S", &source.to_string(), "-e", "eth0"]);
    finish(host, nmap, kind, target, ports)
}

fn scan(host: &Host, kind: &str, target: IpAddr, ports: &str) -> Result<Scan> {
    finish(host, Command::new("nmap"), kind, target, ports)
}

fn finish(host: &Host, mut nmap: Command, kind: &str, target: IpAddr, ports: &str) -> Result<Scan> {
    nmap.args(arguments(kind, target, ports)).args(["-oX", "-"]);
    let outcome = host.run(&mut nmap, SCAN_TIME_MAX)?.checked()?;
    let mut scan = parse(&outcome.stdout).with_context(|| format!("nmap said something new: {}", outcome.stdout))?;
    scan.took = outcome.took;
    Ok(scan)
}

fn arguments(kind: &str, target: IpAddr, ports: &str) -> Vec<String> {
    let family = target.is_ipv6().then_some("-6");
    let fixed = [kind].into_iter().chain(family).chain(["-n", "-Pn", "-T4"]).chain(HASTE).chain(["-p", ports]);
    fixed.map(str::to_owned).chain([target.to_string()]).collect()
}

/// The scan as one would type it.
pub(crate) fn nmap_words(kind: &str, target: IpAddr, ports: &str) -> String {
    format!("nmap {}", arguments(kind, target, ports).join(" "))
}

/// Reads the few elements of nmap's XML that are needed: `<port ...><state .../>` and `<extraports .../>`.
fn parse(xml: &str) -> Option<Scan> {
    let mut scan = Scan::default();
    for port in xml.split("<port ").skip(1) {
        let number = attribute(port, "portid")?.parse().ok()?;
        let state = attribute(port.split_once("<state ")?.1, "state")?;
        *scan.states.entry(state.clone()).or_default() += 1;
        if state == "open" {
            scan.open.push(number);
        }
    }
    for extra in xml.split("<extraports ").skip(1) {
        *scan.states.entry(attribute(extra, "state")?).or_default() += attribute(extra, "count")?.parse::<u32>().ok()?;
    }
    (!scan.states.is_empty()).then_some(scan)
}

fn attribute(element: &str, name: &str) -> Option<String> {
    let value = element.split_once(&format!("{name}=\""))?.1;
    Some(value.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nmaps_xml_is_understood() {
        let xml = r#"<nmaprun><host><ports><extraports state="filtered" count="97"><extrareasons reason="no-response"/></extraports>
            <port protocol="tcp" portid="80"><state state="open" reason="syn-ack"/><service name="http"/></port>
            <port protocol="tcp" portid="1000"><state state="closed" reason="reset"/></port>
            <port protocol="tcp" portid="1001"><state state="closed" reason="reset"/></port></ports></host></nmaprun>"#;
        let scan = parse(xml).unwrap();
        assert_eq!((scan.count("open"), scan.count("closed"), scan.count("filtered")), (1, 2, 97));
        assert_eq!(scan.open, [80]);
        assert_eq!(parse("<nmaprun></nmaprun>"), None, "no result is no success");
    }
}

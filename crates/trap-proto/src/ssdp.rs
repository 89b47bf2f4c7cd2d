//! A device that can be found by UPnP: miniupnpd's answers to `M-SEARCH` (UPnP Device Architecture 1.1).
//!
//! An answer that is not longer than the question is rarely possible: then there is none.

use crate::{
    BannerError, Era, Findings, Persona,
    datagram::{Datagram, Reply},
    service::checked_banner,
    text::hex,
};
use alloc::{
    format,
    string::{String, ToString},
};
use honeymesh_types::Signs;

/// Debian 13's; a machine says its kernel in the place of the 13.
const SERVER: &str = "Debian/13 UPnP/1.1 MiniUPnPd/2.3.9";
const LOCATION: &str = "http://192.168.1.1:5000/rootDesc.xml";
const DEVICE: &str = "uuid:5e2b7a0c-93d1-4c41-8a6f-0d1f7c64be11";
const ROOT: &str = "upnp:rootdevice";
/// What a search must begin with to be answered: the device and its parts.
const PARTS: [&str; 10] = [
    ROOT,
    "urn:schemas-upnp-org:device:InternetGatewayDevice:",
    "urn:schemas-upnp-org:device:WANConnectionDevice:",
    "urn:schemas-upnp-org:device:WANDevice:",
    "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:",
    "urn:schemas-upnp-org:service:WANIPConnection:",
    "urn:schemas-upnp-org:service:WANPPPConnection:",
    "urn:schemas-upnp-org:service:Layer3Forwarding:",
    "urn:schemas-upnp-org:service:WANIPv6FirewallControl:",
    "urn:schemas-upnp-org:service:DeviceProtection:",
];
/// Lines that are looked at.
const LINES_MAX: usize = 32;

/// A device that can be found by UPnP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssdp {
    server: String,
    location: String,
    device: String,
    /// When it was started; of nobody's machine it is not known.
    era: Option<Era>,
}

impl Default for Ssdp {
    /// Debian 13's miniupnpd at a router's usual address.
    fn default() -> Self {
        Self { server: SERVER.to_string(), location: LOCATION.to_string(), device: DEVICE.to_string(), era: None }
    }
}

impl Ssdp {
    /// With an operator's `SERVER` header.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(server: &str) -> Result<Self, BannerError> {
        Ok(Self { server: checked_banner(server)?, ..Self::default() })
    }

    /// On this machine: its device is no other's.
    pub(crate) fn of(self, persona: &Persona) -> Self {
        let digits = hex(&persona.key("ssdp")[..16]);
        let parts = [&digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..]];
        let device = format!("uuid:{}-{}-4{}-a{}-{}", parts[0], parts[1], parts[2], parts[3], parts[4]);
        Self { device, era: Some(persona.era()), ..self }
    }

    /// With another identity: where its description is said to be, and `uuid:…`.
    #[must_use]
    pub fn being(self, location: &str, device: &str) -> Self {
        Self { location: location.to_string(), device: device.to_string(), ..self }
    }

    /// A message and what is said to it.
    pub(crate) fn datagram(&self, datagram: &Datagram<'_>) -> Reply {
        let mut findings = Findings::default();
        let mut lines = datagram.bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).take(LINES_MAX);
        let first = lines.next().unwrap_or_default();
        if !first.starts_with(b"M-SEARCH") {
            if first.starts_with(b"NOTIFY ") || first.starts_with(b"HTTP/") {
                findings.note("request", b"announcement");
            } else {
                findings.signs |= Signs::MALFORMED;
            }
            return Reply::silent(findings);
        }
        findings.note("request", b"M-SEARCH");
        for line in lines {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii());
            match name.as_slice() {
                b"st" => findings.note("target", value),
                b"mx" => findings.note("mx", value),
                b"user-agent" => findings.note("user_agent", value),
                _ => {}
            }
        }
        let has_lines = datagram.bytes.windows(2).any(|end| end == b"\r\n");
        let target = findings.fields.get("target").cloned().unwrap_or_default();
        // It answers a search for everything with each of its parts: here with the first that fits, if one does.
        let target = if target == "ssdp:all" { ROOT.to_string() } else { target };
        if !has_lines || !PARTS.iter().any(|part| target.starts_with(part)) {
            return Reply::silent(findings);
        }
        let started = self.era.map_or(datagram.now, |era| era.booted(datagram.now)).0 / 1_000_000;
        let server = match self.era.filter(|_| self.server == SERVER) {
            Some(era) => SERVER.replacen("13", era.kernel(datagram.now).release, 1),
            None => self.server.clone(),
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nST: {target}\r\nUSN: {}::{target}\r\nEXT:\r\nSERVER: {server}\r\n\
             LOCATION: {}\r\nOPT: \"http://schemas.upnp.org/upnp/1/0/\"; ns=01\r\n01-NLS: {started}\r\n\
             BOOTID.UPNP.ORG: {started}\r\nCONFIGID.UPNP.ORG: 1337\r\n\r\n",
            self.device, self.location
        );
        Reply::fitting(findings, datagram, [answer.into_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Ssdp::default().datagram(&Datagram { bytes: text.as_bytes(), ..Datagram::default() })
    }

    #[test]
    fn a_search_is_taken_down_and_answered_only_if_the_answer_is_not_longer() {
        let search = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n";
        let short = reply(&format!("{search}\r\n"));
        assert!(short.answer.is_empty());
        assert_eq!((short.findings.fields["target"].as_str(), short.findings.signs), ("ssdp:all", Signs::empty()));
        let long = reply(&format!("{search}USER-AGENT: {}\r\n\r\n", "x".repeat(400)));
        assert!(String::from_utf8(long.answer).unwrap().contains("SERVER: Debian/13 UPnP/1.1 MiniUPnPd/2.3.9\r\n"));
        assert_eq!(reply("GET / HTTP/1.1\r\n\r\n").findings.signs, Signs::MALFORMED);
        assert_eq!(reply("HTTP/1.1 200 OK\r\n\r\n").findings.fields["request"], "announcement");
    }
}

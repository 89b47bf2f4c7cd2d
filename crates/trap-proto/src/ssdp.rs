//! A device that can be found by UPnP: miniupnpd's answers to `M-SEARCH` (UPnP Device Architecture 1.1).
//!
//! An answer that is not longer than the question is rarely possible: then there is none.

use crate::{
    BannerError, Findings, Persona,
    datagram::{Datagram, Reply},
    service::checked_banner,
    text::hex,
};
use alloc::{
    format,
    string::{String, ToString},
};
use honeymesh_types::Signs;

/// Debian 13's.
const SERVER: &str = "Debian/13 UPnP/1.1 MiniUPnPd/2.3.9";
const LOCATION: &str = "http://192.168.1.1:5000/rootDesc.xml";
const DEVICE: &str = "uuid:5e2b7a0c-93d1-4c41-8a6f-0d1f7c64be11";
const ROOT: &str = "upnp:rootdevice";
/// Lines that are looked at.
const LINES_MAX: usize = 32;

/// A device that can be found by UPnP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssdp {
    server: String,
    location: String,
    device: String,
}

impl Default for Ssdp {
    /// Debian 13's miniupnpd at a router's usual address.
    fn default() -> Self {
        Self { server: SERVER.to_string(), location: LOCATION.to_string(), device: DEVICE.to_string() }
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
        Self { device, ..self }
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
        if first != b"M-SEARCH * HTTP/1.1" {
            if first.starts_with(b"NOTIFY ") || first.starts_with(b"HTTP/") {
                findings.note("request", b"announcement");
            } else {
                findings.signs |= Signs::MALFORMED;
            }
            return Reply::silent(findings);
        }
        findings.note("request", b"M-SEARCH");
        let mut is_discovery = false;
        for line in lines {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii());
            match name.as_slice() {
                b"st" => findings.note("target", value),
                b"mx" => findings.note("mx", value),
                b"user-agent" => findings.note("user_agent", value),
                b"man" => is_discovery = value.eq_ignore_ascii_case(b"\"ssdp:discover\""),
                _ => {}
            }
        }
        let target = findings.fields.get("target").map(String::as_str).unwrap_or_default();
        if !is_discovery || !matches!(target, "ssdp:all" | ROOT) {
            return Reply::silent(findings);
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {ROOT}\r\nUSN: {}::{ROOT}\r\nEXT:\r\nSERVER: {}\r\n\
             LOCATION: {}\r\n\r\n",
            self.device, self.server, self.location
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

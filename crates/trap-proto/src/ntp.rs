//! A time server: ntpsec of Debian 13, which tells the time to clients and nothing else to anybody (RFC 5905).
//!
//! Control messages and `monlist`, which whoever wants to flood somebody sends, are taken down and not answered.

use crate::{
    Findings,
    datagram::{Datagram, Reply},
};
use alloc::{string::ToString, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// A packet without extensions, in octets.
const PACKET_BYTES: usize = 48;
/// Seconds from 1900 to 1970.
const ERA: u64 = 2_208_988_800;
/// How often the server asks its own, in seconds.
const POLLED_EVERY: u64 = 1_024;
/// What a clock may go wrong: 15 seconds in a million.
const DRIFT_PPM: u64 = 15;
/// Servers of the public pool, of which one is the server's own.
const UPSTREAMS: [[u8; 4]; 4] = [[162, 159, 200, 123], [162, 159, 200, 1], [185, 125, 190, 57], [94, 130, 49, 186]];
const STRATUM: u8 = 3;
/// Two to the minus 23 seconds.
const PRECISION: u8 = 0xe9;
/// To the root and back, and what may be wrong there, in 65,536ths of a second.
const ROOT_DELAY: u32 = 702;
const ROOT_DISPERSION: u32 = 1_180;

const CLIENT: u8 = 3;
const SERVER: u8 = 4;
const CONTROL: u8 = 6;
const PRIVATE: u8 = 7;
/// Codes of ntpdc's `monlist`.
const MONLIST: [u8; 2] = [20, 42];

/// A time server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ntp {
    upstream: [u8; 4],
}

impl Default for Ntp {
    /// One that follows a server of the public pool.
    fn default() -> Self {
        Self { upstream: UPSTREAMS[0] }
    }
}

impl Ntp {
    /// One of this machine's.
    pub(crate) fn of(persona: &crate::Persona) -> Self {
        Self::following(UPSTREAMS[usize::from(persona.key("ntp")[0]) % UPSTREAMS.len()])
    }

    /// One that follows another server.
    #[must_use]
    pub const fn following(upstream: [u8; 4]) -> Self {
        Self { upstream }
    }

    /// A packet and what is said to it.
    pub(crate) fn datagram(self, datagram: &Datagram<'_>) -> Reply {
        let mut findings = Findings::default();
        let Some(first) = datagram.bytes.first() else {
            return Reply::silent(findings);
        };
        let (version, mode) = (first >> 3 & 7, first & 7);
        findings.note("version", version.to_string().as_bytes());
        let asked_for = request(mode, datagram.bytes, &mut findings.signs);
        findings.note("request", asked_for.as_bytes());
        let asked = datagram.bytes.first_chunk::<PACKET_BYTES>();
        match asked {
            // What follows the time would be a proof of who asks, of which the server knows none. The first version had no modes.
            Some(packet)
                if datagram.bytes.len() == PACKET_BYTES
                    && (mode == CLIENT && (1..=4).contains(&version) || mode == 0 && version == 1) =>
            {
                Reply::fitting(findings, datagram, [self.time(packet, datagram.now)])
            }
            None if matches!(mode, CLIENT | SERVER) => {
                findings.signs |= Signs::MALFORMED;
                Reply::silent(findings)
            }
            _ => Reply::silent(findings),
        }
    }

    fn time(self, asked: &[u8; PACKET_BYTES], now: WallTime) -> Vec<u8> {
        let age = now.0 / 1_000_000 % POLLED_EVERY;
        let polled = WallTime(now.0.saturating_sub(age * 1_000_000 + u64::from(self.upstream[3]) * 997));
        let dispersion = ROOT_DISPERSION + u32::try_from(age * DRIFT_PPM * 65_536 / 1_000_000).unwrap_or(0);
        let mut packet = Vec::with_capacity(PACKET_BYTES);
        // No leap second; the client's version and how often it asks.
        packet.extend_from_slice(&[asked[0] & 0x38 | SERVER, STRATUM, asked[2], PRECISION]);
        packet.extend_from_slice(&ROOT_DELAY.to_be_bytes());
        packet.extend_from_slice(&dispersion.to_be_bytes());
        packet.extend_from_slice(&self.upstream);
        packet.extend_from_slice(&stamp(polled));
        packet.extend_from_slice(&asked[40..48]);
        packet.extend_from_slice(&stamp(now));
        // It takes some microseconds to answer.
        packet.extend_from_slice(&stamp(WallTime(now.0 + 17)));
        packet
    }
}

/// Seconds since 1900 and their fraction.
fn stamp(at: WallTime) -> [u8; 8] {
    let (seconds, micros) = (at.0 / 1_000_000 + ERA, at.0 % 1_000_000);
    ((seconds << 32) | ((micros << 32) / 1_000_000)).to_be_bytes()
}

fn request(mode: u8, bytes: &[u8], signs: &mut Signs) -> &'static str {
    match mode {
        1 | 2 => "symmetric",
        CLIENT => "client",
        SERVER => "server",
        5 => "broadcast",
        CONTROL => {
            *signs |= Signs::RULE;
            match bytes.get(1).map(|code| code & 31) {
                Some(1) => "control: status",
                Some(2) => "control: variables",
                Some(10) => "control: recent clients",
                _ => "control",
            }
        }
        PRIVATE => {
            *signs |= Signs::RULE;
            if bytes.get(3).is_some_and(|code| MONLIST.contains(code)) { "monlist" } else { "private" }
        }
        _ => "reserved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::NOW;

    fn reply(bytes: &[u8]) -> Reply {
        Ntp::default().datagram(&Datagram { bytes, now: NOW, ..Datagram::default() })
    }

    #[test]
    fn a_client_is_told_the_time() {
        let mut asked = [0_u8; PACKET_BYTES];
        (asked[0], asked[2]) = (0x23, 10);
        asked[40..].copy_from_slice(b"transmit");
        let answer = reply(&asked).answer;
        assert_eq!(answer[..4], [0x24, STRATUM, 10, PRECISION]);
        assert_eq!(&answer[24..32], b"transmit", "what it asked with comes back");
        let seconds = u64::from(u32::from_be_bytes(*answer[40..].first_chunk().unwrap()));
        assert_eq!(seconds - ERA, NOW.0 / 1_000_000);
        let polled = u64::from(u32::from_be_bytes(*answer[16..].first_chunk().unwrap()));
        assert!((0..=POLLED_EVERY).contains(&(seconds - polled)));
        assert!(reply(&[asked.as_slice(), &[0; 20]].concat()).answer.is_empty(), "a key that nobody knows");
    }

    #[test]
    fn what_would_flood_somebody_is_taken_down_and_not_answered() {
        let monlist = reply(&[0x17, 0, 3, 42, 0, 0, 0, 0]);
        assert_eq!((monlist.findings.fields["request"].as_str(), monlist.findings.signs), ("monlist", Signs::RULE));
        let variables = reply(&[0x16, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(variables.findings.fields["request"], "control: variables");
        assert!(monlist.answer.is_empty() && variables.answer.is_empty());
        let server = [&[0x24][..], &[0; 47]].concat();
        assert!(reply(&server).answer.is_empty(), "an answer is not answered");
        assert_eq!(reply(&[0x23; 12]).findings.signs, Signs::MALFORMED);
    }
}

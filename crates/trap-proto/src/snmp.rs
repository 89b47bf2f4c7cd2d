//! An SNMP agent: net-snmp's, with communities that everybody tries (RFC 1157, 3416, 3414), which may see nothing that there is.
//!
//! A value is longer than the empty place of the question, and nobody is sent more than he sent. So the agent is one whose administrator
//! gave those communities a view of their own, without anything in it: "no such object" is as long as that empty place, and is what
//! net-snmp says of everything outside a view. Other communities and SNMPv3 meet silence, as where they are unknown.

use crate::{
    Findings,
    datagram::{Datagram, Reply},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;
use honeymesh_types::Signs;

/// What everybody tries.
const COMMUNITIES: [&[u8]; 2] = [b"public", b"private"];
/// Variables of one message that are looked at.
const VARIABLES_MAX: usize = 64;
/// Names of variables that are noted.
const NAMES_MAX: usize = 8;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const OCTETS: u8 = 4;
const OBJECT: u8 = 6;
const GET: u8 = 0xa0;
const GET_NEXT: u8 = 0xa1;
const RESPONSE: u8 = 0xa2;
const SET: u8 = 0xa3;
const GET_BULK: u8 = 0xa5;

const NO_SUCH_NAME: u8 = 2;
const NO_ACCESS: u8 = 6;
const NO_SUCH_OBJECT: u8 = 0x80;
const END_OF_VIEW: u8 = 0x82;

/// An SNMP agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snmp;

/// One element: what it is, where its head and where its value is.
#[derive(Clone, Debug)]
struct Element {
    tag: u8,
    at: usize,
    value: Range<usize>,
}

/// A message of versions 1 and 2c, as places in its octets.
struct Message {
    version: u8,
    community: Range<usize>,
    pdu: Element,
    /// Error status and error index; of GetBulk: non-repeaters and repetitions.
    status: Element,
    index: Element,
    /// Name and value of each.
    bindings: Vec<(Element, Element)>,
}

impl Snmp {
    /// A message and what is said to it.
    pub(crate) fn datagram(self, datagram: &Datagram<'_>) -> Reply {
        let mut findings = Findings::default();
        let bytes = datagram.bytes;
        let Some((version, rest)) = version(bytes) else {
            findings.signs |= Signs::MALFORMED;
            return Reply::silent(findings);
        };
        findings.note(
            "version",
            match version {
                0 => b"1",
                1 => b"2c",
                3 => b"3",
                _ => b"unknown",
            },
        );
        if version == 3 {
            note_v3(bytes, rest, &mut findings);
            return Reply::silent(findings);
        }
        let Some(message) = message(bytes, version, rest) else {
            findings.signs |= Signs::MALFORMED;
            return Reply::silent(findings);
        };
        message.note(bytes, &mut findings);
        let is_known = version < 2 && COMMUNITIES.contains(&&bytes[message.community.clone()]);
        let answer = is_known.then(|| message.answer(bytes)).flatten();
        Reply::fitting(findings, datagram, answer)
    }
}

impl Message {
    fn note(&self, bytes: &[u8], findings: &mut Findings) {
        findings.note("community", &bytes[self.community.clone()]);
        findings.note(
            "request",
            match self.pdu.tag {
                GET => b"get",
                GET_NEXT => b"getnext",
                SET => b"set",
                GET_BULK => b"getbulk",
                RESPONSE => b"response",
                _ => b"other",
            },
        );
        let names: Vec<String> =
            self.bindings.iter().take(NAMES_MAX).map(|(name, _)| object_name(&bytes[name.value.clone()])).collect();
        findings.note("oid", names.join(" ").as_bytes());
        if self.pdu.tag != RESPONSE {
            // A community is a password that everybody shares.
            findings.signs |= Signs::CREDENTIALS;
        }
        if self.pdu.tag == SET {
            findings.signs |= Signs::RULE;
            if let Some((_, value)) = self.bindings.first() {
                findings.note("value", &bytes[value.value.clone()]);
            }
        }
        if self.pdu.tag == GET_BULK {
            findings.note("repetitions", number(&bytes[self.index.value.clone()]).to_string().as_bytes());
            findings.note("attempt", b"amplification");
            findings.signs |= Signs::RULE;
        }
    }

    /// In exactly as many octets, or fewer.
    fn answer(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let is_v1 = self.version == 0;
        let kept = |value: &Element| bytes[value.at..value.value.end].to_vec();
        match self.pdu.tag {
            SET if is_v1 => Some(self.respond(bytes, NO_SUCH_NAME, 1, kept)),
            SET => Some(self.respond(bytes, NO_ACCESS, 1, kept)),
            GET_BULK if number(&bytes[self.status.value.clone()]) == 0 && number(&bytes[self.index.value.clone()]) == 0 => {
                Some(self.empty(bytes, 0))
            }
            // The last one is blamed, as net-snmp does.
            GET | GET_NEXT | GET_BULK if is_v1 => {
                let last = u8::try_from(self.bindings.len()).unwrap_or(u8::MAX);
                Some(self.respond(bytes, if last > 0 { NO_SUCH_NAME } else { 0 }, last, kept))
            }
            GET => Some(self.respond(bytes, 0, 0, |_| [NO_SUCH_OBJECT, 0].to_vec())),
            GET_NEXT | GET_BULK => Some(self.respond(bytes, 0, 0, |_| [END_OF_VIEW, 0].to_vec())),
            _ => None,
        }
    }

    /// The same variables in a response, as briefly as they can be written, each with another value.
    fn respond(&self, bytes: &[u8], status: u8, index: u8, mut value: impl FnMut(&Element) -> Vec<u8>) -> Vec<u8> {
        let written = self.bindings.iter().map(|(name, old)| {
            let name = wrapped(OBJECT, &bytes[name.value.clone()]);
            wrapped(SEQUENCE, &[name, value(old)].concat())
        });
        let variables: Vec<Vec<u8>> = written.collect();
        self.written(bytes, status, index, &variables.concat())
    }

    /// A response without a variable.
    fn empty(&self, bytes: &[u8], status: u8) -> Vec<u8> {
        self.written(bytes, status, 0, &[])
    }

    fn written(&self, bytes: &[u8], status: u8, index: u8, variables: &[u8]) -> Vec<u8> {
        let id = &bytes[self.pdu.value.start..self.status.at];
        let numbers = [INTEGER, 1, status, INTEGER, 1, index];
        let pdu = wrapped(RESPONSE, &[id, &numbers, &wrapped(SEQUENCE, variables)].concat());
        let community = wrapped(OCTETS, &bytes[self.community.clone()]);
        wrapped(SEQUENCE, &[&[INTEGER, 1, self.version][..], &community, &pdu].concat())
    }
}

fn message(bytes: &[u8], version: u8, rest: Range<usize>) -> Option<Message> {
    let (community, rest) = element(bytes, rest, Some(OCTETS))?;
    let (pdu, _) = element(bytes, rest, None)?;
    let (_, rest) = element(bytes, pdu.value.clone(), Some(INTEGER))?;
    let (status, rest) = element(bytes, rest, Some(INTEGER))?;
    let (index, rest) = element(bytes, rest, Some(INTEGER))?;
    let (variables, _) = element(bytes, rest, Some(SEQUENCE))?;
    let (mut bindings, mut rest) = (Vec::new(), variables.value.clone());
    while !rest.is_empty() && bindings.len() < VARIABLES_MAX {
        let (binding, behind) = element(bytes, rest, Some(SEQUENCE))?;
        let (name, value) = element(bytes, binding.value, Some(OBJECT))?;
        let (value, _) = element(bytes, value, None)?;
        bindings.push((name, value));
        rest = behind;
    }
    Some(Message { version, community: community.value, pdu, status, index, bindings })
}

/// The version, and what stands behind it.
fn version(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let (whole, _) = element(bytes, 0..bytes.len(), Some(SEQUENCE))?;
    let (version, rest) = element(bytes, whole.value, Some(INTEGER))?;
    let [version] = bytes[version.value] else { return None };
    Some((version, rest))
}

/// Who asks, if it says so: what stands in SNMPv3's part about security (RFC 3414).
fn note_v3(bytes: &[u8], rest: Range<usize>, findings: &mut Findings) {
    let user = || {
        let (_, rest) = element(bytes, rest, Some(SEQUENCE))?;
        let (security, _) = element(bytes, rest, Some(OCTETS))?;
        let (inside, _) = element(bytes, security.value, Some(SEQUENCE))?;
        let (engine, rest) = element(bytes, inside.value, Some(OCTETS))?;
        let (_, rest) = element(bytes, rest, Some(INTEGER))?;
        let (_, rest) = element(bytes, rest, Some(INTEGER))?;
        let (user, _) = element(bytes, rest, Some(OCTETS))?;
        Some((engine.value, user.value))
    };
    match user() {
        Some((engine, user)) => {
            findings.note("request", if engine.is_empty() { b"discovery" } else { b"authenticated" });
            if !user.is_empty() {
                findings.note("username", &bytes[user]);
            }
        }
        None => findings.signs |= Signs::MALFORMED,
    }
}

/// The first element within `range`, of this kind if one is named, and what follows it there.
fn element(bytes: &[u8], range: Range<usize>, tag: Option<u8>) -> Option<(Element, Range<usize>)> {
    let inside = bytes.get(range.clone())?;
    let (found, length, head) = match *inside {
        [found, length @ 0..=0x7f, ..] => (found, usize::from(length), 2),
        [found, 0x81, length, ..] => (found, usize::from(length), 3),
        [found, 0x82, high, low, ..] => (found, usize::from(u16::from_be_bytes([high, low])), 4),
        _ => return None,
    };
    if inside.len() < head + length || tag.is_some_and(|tag| tag != found) {
        return None;
    }
    let start = range.start + head;
    Some((Element { tag: found, at: range.start, value: start..start + length }, start + length..range.end))
}

/// An element of at most 65,535 octets.
fn wrapped(tag: u8, value: &[u8]) -> Vec<u8> {
    let [.., high, low] = value.len().to_be_bytes();
    let head: &[u8] = match value.len() {
        0..=0x7f => &[tag, low],
        0x80..=0xff => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, value].concat()
}

fn number(value: &[u8]) -> u64 {
    value.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// `1.3.6.1.2.1.1.1.0`.
fn object_name(value: &[u8]) -> String {
    let Some((first, rest)) = value.split_first() else { return String::new() };
    let (mut name, mut number) = (format!("{}.{}", first / 40, first % 40), 0_u64);
    for byte in rest {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            name.push('.');
            name.push_str(&number.to_string());
            number = 0;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYS_DESCR: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 1, 0];
    const PRIVATE_MIB: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 1];

    fn asked(version: u8, community: &[u8], pdu: u8, numbers: [u8; 2], name: &[u8]) -> Vec<u8> {
        let binding = wrapped(SEQUENCE, &[&wrapped(OBJECT, name)[..], &[5, 0]].concat());
        let head = [INTEGER, 2, 0x12, 0x34, INTEGER, 1, numbers[0], INTEGER, 1, numbers[1]];
        let pdu = wrapped(pdu, &[&head[..], &wrapped(SEQUENCE, &binding)].concat());
        wrapped(SEQUENCE, &[&[INTEGER, 1, version][..], &wrapped(OCTETS, community), &pdu].concat())
    }

    fn reply(bytes: &[u8]) -> Reply {
        Snmp.datagram(&Datagram { bytes, ..Datagram::default() })
    }

    #[test]
    fn a_community_is_taken_down_as_a_try_and_only_known_ones_are_answered() {
        let known = asked(1, b"public", GET, [0, 0], SYS_DESCR);
        let told = reply(&known);
        let fields = ["version", "community", "request", "oid"].map(|name| told.findings.fields[name].clone());
        assert_eq!(fields, ["2c", "public", "get", "1.3.6.1.2.1.1.1.0"]);
        assert_eq!(told.findings.signs, Signs::CREDENTIALS);
        let expected = [
            &[SEQUENCE, 39, INTEGER, 1, 1, OCTETS, 6][..],
            b"public",
            &[RESPONSE, 26, INTEGER, 2, 0x12, 0x34, INTEGER, 1, 0, INTEGER, 1, 0, SEQUENCE, 14, SEQUENCE, 12, OBJECT, 8],
            SYS_DESCR,
            &[NO_SUCH_OBJECT, 0],
        ];
        assert_eq!(told.answer, expected.concat(), "outside of what may be seen");
        assert_eq!(told.answer.len(), known.len());
        let unknown = reply(&asked(1, b"cisco", GET, [0, 0], SYS_DESCR));
        assert!(unknown.answer.is_empty() && unknown.findings.fields["community"] == "cisco");
    }

    #[test]
    fn what_there_is_not_is_said_in_the_same_length() {
        let get = asked(1, b"public", GET, [0, 0], PRIVATE_MIB);
        let answer = reply(&get).answer;
        assert_eq!((answer.len(), answer[answer.len() - 2..].to_vec()), (get.len(), [NO_SUCH_OBJECT, 0].to_vec()));
        let next = reply(&asked(1, b"public", GET_NEXT, [0, 0], PRIVATE_MIB)).answer;
        assert_eq!(next[next.len() - 2..], [END_OF_VIEW, 0]);
        let old = asked(0, b"public", GET, [0, 0], PRIVATE_MIB);
        let answer = reply(&old).answer;
        assert_eq!((answer.len(), answer[13], answer[21], answer[24]), (old.len(), RESPONSE, NO_SUCH_NAME, 1));
        assert!(reply(&answer).answer.is_empty(), "a response is not answered");
        let broken = reply(&get[..get.len() - 1]);
        assert_eq!((broken.findings.signs, broken.answer.len()), (Signs::MALFORMED, 0));
    }

    #[test]
    fn writing_and_amplifying_are_hostile() {
        let bulk = reply(&asked(1, b"public", GET_BULK, [0, 100], SYS_DESCR));
        assert_eq!(
            (bulk.findings.fields["repetitions"].as_str(), bulk.findings.fields["attempt"].as_str()),
            ("100", "amplification")
        );
        assert!(bulk.findings.signs.contains(Signs::RULE));
        let set = reply(&asked(1, b"private", SET, [0, 0], SYS_DESCR));
        assert!(set.findings.signs.contains(Signs::RULE) && set.answer.contains(&NO_ACCESS));
    }

    #[test]
    fn version_3_meets_silence_and_says_who_asks() {
        let security = wrapped(SEQUENCE, b"\x04\0\x02\x01\0\x02\x01\0\x04\x05admin\x04\0\x04\0");
        let global = wrapped(SEQUENCE, b"\x02\x01\x01\x02\x02\x05\xc0\x04\x01\x04\x02\x01\x03");
        let message = wrapped(SEQUENCE, &[&b"\x02\x01\x03"[..], &global, &wrapped(OCTETS, &security)].concat());
        let reply = reply(&message);
        assert_eq!(
            (reply.findings.fields["username"].as_str(), reply.findings.fields["request"].as_str()),
            ("admin", "discovery")
        );
        assert!(reply.answer.is_empty());
    }
}

//! A name server that serves nobody here: BIND 9.20 of Debian 13, which refuses recursion (RFC 1035, 6891, 8914).
//!
//! What is asked for is taken down, and what only whoever wants to flood somebody asks for (ANY) is called so. Over TCP what did
//! not fit is told.

mod answer;
mod message;
mod names;
mod session;
mod zones;

use crate::{
    BannerError, Findings, Session,
    datagram::{Datagram, Reply},
    packets::ByPacket,
    service::checked_banner,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use answer::Head;
use honeymesh_types::{Signs, Transport, WallTime};
use message::{Edns, Question};

/// Debian 13's BIND.
const VERSION: &str = "9.20.30-1~deb13u1-Debian";
const HOST: &str = "ns1";
const HEADER_BYTES: usize = 12;
/// The longest name, in octets (RFC 1035).
const NAME_BYTES_MAX: usize = 255;

const NS: u16 = 2;
const SOA: u16 = 6;
const TXT: u16 = 16;
const OPT: u16 = 41;
const DS: u16 = 43;
const IXFR: u16 = 251;
const AXFR: u16 = 252;
/// Every type.
const ANY: u16 = 255;
/// The class of what a server says of itself.
const CHAOS: u16 = 3;

/// Set in answers.
const QR: u16 = 0x8000;

/// A name server that serves nobody here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    version: String,
    host: String,
    /// Makes the server's part of cookies.
    secret: [u8; 32],
    transports: &'static [Transport],
}

impl Default for Dns {
    /// Debian 13's BIND on a host `ns1`.
    fn default() -> Self {
        Self {
            version: VERSION.to_string(),
            host: HOST.to_string(),
            secret: [0; 32],
            transports: &[Transport::Udp, Transport::Tcp],
        }
    }
}

impl Dns {
    /// With an operator's version, which `version.bind` is answered with.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)?, ..Self::default() })
    }

    /// On another host, which `hostname.bind` is answered with.
    #[must_use]
    pub fn on_host(self, host: &str) -> Self {
        Self { host: host.to_string(), ..self }
    }

    /// With this secret behind its cookies (RFC 9018).
    #[must_use]
    pub(crate) fn keeping(self, secret: [u8; 32]) -> Self {
        Self { secret, ..self }
    }

    /// Over these transports.
    #[must_use]
    pub fn over(self, transports: &'static [Transport]) -> Self {
        Self { transports, ..self }
    }

    /// Over which transports it is spoken to.
    pub(crate) const fn transports(&self) -> &'static [Transport] {
        self.transports
    }

    /// A new connection over TCP.
    #[must_use]
    pub fn session(&self) -> impl Session + use<> {
        ByPacket::new(session::DnsSession::new(self.clone()))
    }

    /// A query and what is said to it.
    pub(crate) fn datagram(&self, datagram: &Datagram<'_>) -> Reply {
        let (findings, answers) = self.query(datagram.bytes, datagram.now);
        Reply::fitting(findings, datagram, answers)
    }

    /// What is found in a message, and the answers that there are, the fullest first.
    fn query(&self, message: &[u8], now: WallTime) -> (Findings, Vec<Vec<u8>>) {
        let mut findings = Findings::default();
        let Some((header, rest)) = message.split_first_chunk::<HEADER_BYTES>() else {
            findings.signs |= Signs::MALFORMED;
            return (findings, Vec::new());
        };
        let flags = u16::from_be_bytes([header[2], header[3]]);
        if flags & QR != 0 {
            findings.note("request", b"response");
            return (findings, Vec::new());
        }
        let opcode = flags >> 11 & 15;
        if opcode != 0 {
            findings.note("opcode", opcode_name(opcode).as_bytes());
        }
        let counts = [4, 6, 8, 10].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
        let read = message::read(rest, counts);
        if read.is_broken || opcode == 0 && read.question.is_none() {
            findings.signs |= Signs::MALFORMED;
        }
        if let Some(question) = read.question.as_ref().filter(|_| opcode == 0) {
            note(question, read.edns.as_ref(), &mut findings);
        }
        let head = Head { id: [header[0], header[1]], flags, now };
        (findings, head.answers(self, &read))
    }
}

fn note(question: &Question<'_>, edns: Option<&Edns<'_>>, findings: &mut Findings) {
    findings.note("qname", &question.name());
    findings.note("qtype", kind_name(question.kind).as_bytes());
    if question.class != 1 {
        findings.note("qclass", question.class.to_string().as_bytes());
    }
    if let Some(edns) = edns {
        findings.note("edns_size", edns.size.to_string().as_bytes());
    }
    if question.class != CHAOS && matches!(question.kind, ANY | AXFR | IXFR) {
        findings.note("attempt", if question.kind == ANY { b"amplification" } else { b"zone transfer" });
        findings.signs |= Signs::RULE;
    }
}

fn kind_name(kind: u16) -> String {
    let name = match kind {
        1 => "A",
        NS => "NS",
        5 => "CNAME",
        SOA => "SOA",
        12 => "PTR",
        15 => "MX",
        TXT => "TXT",
        28 => "AAAA",
        33 => "SRV",
        DS => "DS",
        46 => "RRSIG",
        48 => "DNSKEY",
        IXFR => "IXFR",
        AXFR => "AXFR",
        ANY => "ANY",
        _ => return format!("TYPE{kind}"),
    };
    name.to_string()
}

fn opcode_name(opcode: u16) -> String {
    match opcode {
        1 => "IQUERY".to_string(),
        2 => "STATUS".to_string(),
        4 => "NOTIFY".to_string(),
        5 => "UPDATE".to_string(),
        _ => opcode.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive;
    use proptest::prelude::*;

    fn query(name: &str, kind: u16, class: u16, more: &[u8]) -> Vec<u8> {
        let mut bytes = alloc::vec![0x12, 0x34, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, u8::from(!more.is_empty())];
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&class.to_be_bytes());
        bytes.extend_from_slice(more);
        bytes
    }

    /// EDNS with a buffer of 4,096 octets and so much padding.
    fn padded(padding: u8) -> Vec<u8> {
        let mut opt = alloc::vec![0, 0, 41, 16, 0, 0, 0, 0, 0, 0, padding + 4, 0, 12, 0, padding];
        opt.resize(opt.len() + usize::from(padding), 0);
        opt
    }

    fn reply(bytes: &[u8]) -> Reply {
        Dns::default().datagram(&Datagram { bytes, ..Datagram::default() })
    }

    #[test]
    fn recursion_is_refused_and_the_question_is_taken_down() {
        let asked = query("Example.com", ANY, 1, &padded(8));
        let reply = reply(&asked);
        let fields = ["qname", "qtype", "edns_size", "attempt"].map(|name| reply.findings.fields[name].clone());
        assert_eq!(fields, ["Example.com", "ANY", "4096", "amplification"]);
        assert_eq!(reply.findings.signs, Signs::RULE);
        assert_eq!(reply.answer[..12], [0x12, 0x34, 0x81, 5, 0, 1, 0, 0, 0, 0, 0, 1], "refused; RD stays, AD goes");
        assert_eq!(reply.answer[12..29], asked[12..29], "the question is said again");
        assert_eq!(reply.answer[29..], [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 18], "an extended error: prohibited");
        assert!(reply.answer.len() <= asked.len());
    }

    #[test]
    fn the_version_is_told_if_there_is_room_and_cut_short_if_not() {
        let short = reply(&query("version.bind", TXT, CHAOS, &[]));
        assert_eq!(short.answer[2..12], [0x87, 0, 0, 1, 0, 0, 0, 0, 0, 0], "truncated");
        let long = reply(&query("version.bind", TXT, CHAOS, &padded(40)));
        assert_eq!(long.answer[2..8], [0x85, 0, 0, 1, 0, 1]);
        assert!(long.answer.windows(VERSION.len()).any(|part| part == VERSION.as_bytes()));
        assert_eq!(short.findings.signs, Signs::empty());
        let host = Dns::default()
            .on_host("db7")
            .datagram(&Datagram { bytes: &query("hostname.bind", TXT, CHAOS, &padded(40)), ..Datagram::default() });
        assert!(host.answer.windows(4).any(|part| part == b"\x03db7"));
    }

    #[test]
    fn over_tcp_each_message_has_its_length_before_it() {
        let framed = |message: &[u8]| [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat();
        let talk = [framed(&query("version.bind", TXT, CHAOS, &[])), framed(&query("a.b", AXFR, 1, &[]))].concat();
        let heard = drive::whole(&mut Dns::default().session(), &talk);
        assert!(heard.answer.windows(VERSION.len()).any(|part| part == VERSION.as_bytes()));
        assert_eq!((heard.reports.len(), heard.findings.signs), (2, Signs::RULE));
        assert_eq!(drive::whole(&mut Dns::default().session(), b"GET / HTTP/1.1\r\n\r\n").findings.signs, Signs::MALFORMED);
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_connection_and_packets_do_not_matter(noise in drive::noise(), cuts in drive::cuts()) {
            let asked = query("a.b", ANY, 1, &noise[..noise.len().min(90)]);
            let talk = [&u16::try_from(asked.len()).unwrap().to_be_bytes()[..], &asked, &[0, 90], &noise].concat();
            drive::law(|| Dns::default().session(), &talk, &cuts)?;
        }
    }

    /// The client's part and the moment are there for everybody to read; what follows them only the server can make.
    #[test]
    fn the_servers_part_of_a_cookie_needs_its_secret() {
        let cookie = |secret: u8, client: u8| {
            let dns = Dns::default().keeping([secret; 32]);
            let opt = [&[0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 76, 0, 10, 0, 8][..], &[client; 8], &[0, 12, 0, 60], &[0; 60]].concat();
            let bytes = query("a.b", 1, 1, &opt);
            let answer = dns.datagram(&Datagram { bytes: &bytes, ..Datagram::default() }).answer;
            let at = answer.windows(4).position(|part| part == [0, 10, 0, 24]).unwrap() + 4;
            answer[at..at + 24].to_vec()
        };
        let own = cookie(7, 1);
        assert_eq!((&own[..8], &own[8..12], &own), (&[1; 8][..], &[1, 0, 0, 0][..], &cookie(7, 1)));
        for other in [cookie(8, 1), cookie(7, 2)] {
            assert_eq!(own[8..16], other[8..16]);
            assert_ne!(own[16..], other[16..]);
        }
    }

    #[test]
    fn what_is_no_query_gets_what_bind_says_or_nothing() {
        let plain = query("a.b", 1, 1, &[]);
        let with = |at: usize, byte: u8| {
            let mut bytes = plain.clone();
            bytes[at] = byte;
            reply(&bytes)
        };
        assert!(with(2, 0x81).answer.is_empty(), "a response is not answered");
        assert_eq!(with(2, 0x28).answer[2..4], [0xa8, 1], "UPDATE of what is no zone: format error");
        assert_eq!(with(2, 0x10).answer[2..4], [0x90, 4], "STATUS: not implemented");
        assert_eq!(with(5, 2).answer[2..4], [0x81, 1], "two questions: format error");
        assert_eq!(with(12, 0xc0).answer[2..4], [0x81, 1], "a pointer in a question");
        assert_eq!(reply(&plain[..11]).findings.signs, Signs::MALFORMED);
        assert_eq!(reply(&query("a.b", AXFR, 1, &[])).findings.fields["attempt"], "zone transfer");
    }
}

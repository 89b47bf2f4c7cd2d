//! What BIND says: its own zones in the class CHAOS, the private networks' names that it keeps to itself, and refusals.

use super::{
    ANY, AXFR, CHAOS, Dns, IXFR, NS, OPT, SOA, TXT,
    message::{Edns, Message, Question},
    zones::{self, DAY, Own, SOA_NUMBERS},
};
use crate::persona::derived;
use alloc::{vec, vec::Vec};
use honeymesh_types::WallTime;

const FORMERR: u16 = 1;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const NOTAUTH: u16 = 9;
/// Response, and what is copied of a query: opcode, recursion desired, checking disabled.
const QR: u16 = 0x8000;
const TC: u16 = 0x0200;
const AA: u16 = 0x0400;
const RD: u16 = 0x0100;
const COPIED: u16 = 0x7910;
const OPCODE: u16 = 0x7800;

/// Extended errors: the query is prohibited here (RFC 8914), and it is not for this server to answer.
const PROHIBITED: [u8; 6] = [0, 15, 0, 2, 0, 18];
const NOT_AUTHORITATIVE: &[u8] = b"\0\x0f\0\x14\0\x14recursion disabled";
/// The question's name, and where it begins in a message.
const ASKED: [u8; 2] = [0xc0, 12];
/// Who wrote BIND 9.20.
const AUTHORS: [&str; 21] = [
    "Danny Mayer",
    "Francis Dupont",
    "David Lawrence",
    "Michael Graff",
    "Damien Neil",
    "Matt Nelson",
    "Bob Halley",
    "Evan Hunt",
    "Mark Andrews",
    "Scott Mann",
    "James Brister",
    "Ben Cottrell",
    "JINMEI Tatuya",
    "Michael Sawyer",
    "John H. DuBois III",
    "Curtis Blackburn",
    "Aydin Mercan",
    "Jeremy C. Reed",
    "Witold Krecicki",
    "Andreas Gustafsson",
    "Brian Wellington",
];
/// What is copied from a query.
pub(super) struct Head {
    pub(super) id: [u8; 2],
    pub(super) flags: u16,
    pub(super) now: WallTime,
}

/// What an answer is made of.
#[derive(Default)]
struct Said {
    code: u16,
    flags: u16,
    answers: Vec<Vec<u8>>,
    authority: Vec<Vec<u8>>,
}

impl Head {
    /// The answers that there are, the fullest first.
    pub(super) fn answers(&self, dns: &Dns, message: &Message<'_>) -> Vec<Vec<u8>> {
        let (question, edns) = (message.question.as_ref(), message.edns.as_ref());
        let refused = |code| Said { code, ..Said::default() };
        if message.is_broken {
            return vec![self.write(&refused(FORMERR), question, None, &[])];
        }
        if edns.is_some_and(|edns| edns.is_wrong) {
            return vec![self.write(&refused(FORMERR), question, edns, &[])];
        }
        if edns.is_some_and(|edns| edns.version > 0) {
            return vec![self.write(&refused(0), question, edns, &[])];
        }
        match (self.flags >> 11 & 15, question) {
            (0, Some(question)) => self.query(dns, question, edns),
            (opcode @ (4 | 5), Some(question)) => self.told(dns, opcode, question, edns),
            (0, None) if edns.is_some_and(|edns| edns.cookie.is_some()) => self.fuller(dns, &refused(0), None, edns, &[&[]]),
            (0 | 4 | 5, None) => vec![self.write(&refused(FORMERR), None, edns, &[])],
            _ => {
                let head = Self { flags: self.flags & !RD, ..*self };
                vec![head.write(&refused(NOTIMP), None, edns, &[])]
            }
        }
    }

    fn query(&self, dns: &Dns, question: &Question<'_>, edns: Option<&Edns<'_>>) -> Vec<Vec<u8>> {
        let code = match (question.class, question.kind) {
            (0 | 254 | 255, _) | (_, OPT | 128..=250) => FORMERR,
            (2 | 5..=253 | 256.., _) | (_, 253 | 254) => NOTIMP,
            (_, AXFR | IXFR) => NOTAUTH,
            _ => REFUSED,
        };
        let own = zones::own(question).filter(|_| question.class == 1);
        if code == NOTAUTH && own.is_some_and(|own| own.is_zone) {
            return self.fuller(dns, &Said { code: REFUSED, ..Said::default() }, Some(question), edns, &[&PROHIBITED, &[]]);
        }
        let said = match own {
            _ if code != REFUSED => None,
            Some(own) => Some(private(question, own)),
            None if question.class == CHAOS => chaos(dns, question),
            None => None,
        };
        if let Some(said) = said {
            let reasons: &[&[u8]] =
                if own.is_some_and(|own| own.is_the_parents(question)) { &[&PROHIBITED, &[]] } else { &[&[]] };
            let cut = Said { code: said.code, flags: AA | TC, ..Said::default() };
            return [said, cut].iter().flat_map(|said| self.fuller(dns, said, Some(question), edns, reasons)).collect();
        }
        let both = [&PROHIBITED, NOT_AUTHORITATIVE].concat();
        let reasons: &[&[u8]] = match (code, question.class) {
            (REFUSED, CHAOS) => &[NOT_AUTHORITATIVE, &[]],
            (REFUSED, _) => &[&both, &PROHIBITED, &[]],
            _ => &[&[]],
        };
        self.fuller(dns, &Said { code, ..Said::default() }, Some(question), edns, reasons)
    }

    /// A zone has changed, or shall be changed.
    fn told(&self, dns: &Dns, opcode: u16, question: &Question<'_>, edns: Option<&Edns<'_>>) -> Vec<Vec<u8>> {
        let head = Self { flags: self.flags & OPCODE, ..*self };
        if matches!(question.class, 0 | 254 | 255) {
            return vec![head.write(&Said { code: FORMERR, ..Said::default() }, None, None, &[])];
        }
        let is_own = question.class == 1 && zones::own(question).is_some_and(|own| own.is_zone);
        let (code, flags, reasons): (_, _, &[&[u8]]) = match (is_own, opcode) {
            _ if question.kind != SOA => (FORMERR, 0, &[&[]]),
            (false, _) => (if question.class == CHAOS { NOTIMP } else { NOTAUTH }, 0, &[&[]]),
            (true, 4) => (0, AA, &[&[]]),
            (true, _) => (REFUSED, 0, &[&PROHIBITED, &[]]),
        };
        head.fuller(dns, &Said { code, flags, ..Said::default() }, Some(question), edns, reasons)
    }

    /// With all that belongs to EDNS, and with less and less of it.
    fn fuller(
        &self,
        dns: &Dns,
        said: &Said,
        question: Option<&Question<'_>>,
        edns: Option<&Edns<'_>>,
        reasons: &[&[u8]],
    ) -> Vec<Vec<u8>> {
        let Some(own) = edns else { return vec![self.write(said, question, None, &[])] };
        let cookie = own.cookie.map(|cookie| self.cookie(&dns.secret, cookie)).unwrap_or_default();
        let own = [&cookie, own.subnet.unwrap_or_default()].concat();
        let mut answers = Vec::new();
        for before in [own.as_slice(), &[]] {
            answers.extend(reasons.iter().map(|reason| self.write(said, question, edns, &[before, reason].concat())));
        }
        answers
    }

    /// The client's part and the server's, which only the server understands (RFC 9018).
    fn cookie(&self, secret: &[u8; 32], client: [u8; 8]) -> Vec<u8> {
        let [.., one, two, three, four] = (self.now.0 / 1_000_000).to_be_bytes();
        let mut cookie = [&[0, 10, 0, 24][..], &client, &[1, 0, 0, 0, one, two, three, four]].concat();
        let proof = derived(secret, &[&cookie]);
        cookie.extend_from_slice(&proof[..8]);
        cookie
    }

    fn write(&self, said: &Said, question: Option<&Question<'_>>, edns: Option<&Edns<'_>>, options: &[u8]) -> Vec<u8> {
        let flags = QR | self.flags & COPIED | said.flags | said.code;
        let count = |records: &[Vec<u8>]| u16::try_from(records.len()).unwrap_or(0);
        let counts = [u16::from(question.is_some()), count(&said.answers), count(&said.authority), u16::from(edns.is_some())];
        let mut answer = [&self.id[..], &flags.to_be_bytes()].concat();
        counts.iter().for_each(|count| answer.extend_from_slice(&count.to_be_bytes()));
        answer.extend_from_slice(question.map_or(&[][..], |question| question.raw));
        said.answers.iter().chain(&said.authority).for_each(|record| answer.extend_from_slice(record));
        if let Some(edns) = edns {
            // Its own buffer, and "bad version" where another one than 0 was spoken.
            let (bad, signed) = (u8::from(edns.version > 0), u8::from(edns.signed) << 7);
            answer.extend_from_slice(&[0, 0, 41, 4, 208, bad, 0, signed, 0]);
            answer.extend_from_slice(&u16::try_from(options.len()).unwrap_or(0).to_be_bytes());
            answer.extend_from_slice(options);
        }
        answer
    }
}

/// A record.
pub(super) fn record(name: &[u8], kind: u16, class: u16, lives: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(0).to_be_bytes();
    [name, &kind.to_be_bytes(), &class.to_be_bytes(), &lives, &length, data].concat()
}

/// What a name server tells about itself.
fn chaos(dns: &Dns, question: &Question<'_>) -> Option<Said> {
    let texts: Vec<&str> = match question.name().to_ascii_lowercase().as_slice() {
        b"version.bind" => vec![&dns.version],
        b"hostname.bind" => vec![&dns.host],
        b"authors.bind" => AUTHORS.into(),
        b"id.server" => Vec::new(),
        _ => return None,
    };
    let own = |kind, lives, data: &[u8]| record(&ASKED, kind, CHAOS, lives, data);
    let text = |text: &&str| {
        let bytes = &text.as_bytes()[..text.len().min(255)];
        own(TXT, [0; 4], &[&[u8::try_from(bytes.len()).unwrap_or(0)][..], bytes].concat())
    };
    let beginning = || own(SOA, DAY, &[&ASKED[..], b"\x0ahostmaster", &ASKED, SOA_NUMBERS].concat());
    let server = || own(NS, [0; 4], &ASKED);
    let answers: Vec<Vec<u8>> = match question.kind {
        TXT => texts.iter().map(text).collect(),
        SOA => vec![beginning()],
        NS => vec![server()],
        ANY => texts.iter().map(text).chain([beginning(), server()]).collect(),
        _ => Vec::new(),
    };
    let authority = if answers.is_empty() { vec![beginning()] } else { Vec::new() };
    Some(Said { flags: AA, answers, authority, ..Said::default() })
}

/// Whose address a private one is: nobody's.
fn private(question: &Question<'_>, own: Own) -> Said {
    let records = own.records(question);
    let code = if own.is_zone { 0 } else { NXDOMAIN };
    Said { code, flags: AA, answers: records.answers, authority: records.authority }
}

//! memcached over UDP: a frame before each command (`doc/protocol.txt`).
//!
//! What it is known for is not done: no answer is longer than the command, so `stats` and stored values meet silence. Nothing is
//! stored from one datagram to the next.

use super::Memcached;
use crate::{
    Session,
    datagram::{Datagram, Reply},
};
use alloc::vec::Vec;
use honeymesh_types::Signs;

/// Request, number of the datagram, how many there are, and two octets of nothing.
const FRAME_BYTES: usize = 8;
/// What servers say themselves: two of them would complain to each other for ever.
const SAID_BY_SERVERS: [&[u8]; 20] = [
    b"ERROR",
    b"CLIENT_ERROR",
    b"SERVER_ERROR",
    b"END",
    b"STORED",
    b"NOT_STORED",
    b"EXISTS",
    b"NOT_FOUND",
    b"DELETED",
    b"TOUCHED",
    b"OK",
    b"VERSION ",
    b"HD",
    b"EN",
    b"NF",
    b"NS",
    b"EX",
    b"VA ",
    b"MN",
    b"ME ",
];

impl Memcached {
    /// A datagram and what is said to it.
    pub(crate) fn datagram(&self, datagram: &Datagram<'_>) -> Reply {
        let mut session = self.session();
        let Some((frame, mut rest)) = datagram.bytes.split_first_chunk::<FRAME_BYTES>() else {
            return Reply::silent(crate::Findings { signs: Signs::MALFORMED, ..Default::default() });
        };
        let mut said = Vec::new();
        while !rest.is_empty() {
            let step = session.receive(rest, datagram.now, &mut said);
            rest = rest.get(step.taken..).unwrap_or_default();
            if step.flow == crate::Flow::Close || said.len() > datagram.bytes.len() {
                break;
            }
        }
        session.end();
        let mut findings = session.findings();
        if findings
            .fields
            .get("command")
            .is_some_and(|command| ["stats", "get", "gat", "mg"].iter().any(|verb| command.starts_with(verb)))
        {
            findings.note("attempt", b"amplification");
        }
        let is_single = frame[4..6] == [0, 1];
        let is_echo = SAID_BY_SERVERS.iter().any(|word| datagram.bytes[FRAME_BYTES..].starts_with(word));
        let is_said = is_single && !said.is_empty() && !is_echo;
        let answer = is_said.then(|| [&frame[..2], &[0, 0, 0, 1, 0, 0], said.as_slice()].concat());
        Reply::fitting(findings, datagram, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memcached() -> Memcached {
        Memcached::of(&crate::Persona::of([7; 32]))
    }

    fn reply(text: &[u8]) -> Reply {
        let bytes = [&[0xab, 0xcd, 0, 0, 0, 1, 0, 0], text].concat();
        memcached().datagram(&Datagram { bytes: &bytes, ..Datagram::default() })
    }

    #[test]
    fn short_answers_are_given_and_long_ones_are_not() {
        assert_eq!(reply(b"get a\r\n").answer, b"\xab\xcd\0\0\0\x01\0\0END\r\n");
        assert_eq!(reply(b"set a 0 0 5\r\nhello\r\n").answer, b"\xab\xcd\0\0\0\x01\0\0STORED\r\n");
        let stats = reply(b"stats\r\n");
        assert!(stats.answer.is_empty());
        let fields = ["command", "attempt"].map(|name| stats.findings.fields[name].as_str());
        assert_eq!(fields, ["stats", "amplification"]);
        assert_eq!(reply(b"flush_all\r\n").findings.signs, Signs::RULE);
        assert_eq!(reply(b"set a 0 0 5\r\nhello\r\n").findings.fields["value"], "hello");
    }

    #[test]
    fn what_servers_say_and_pieces_meet_silence() {
        assert_eq!(reply(b"no such command\r\n").answer, b"\xab\xcd\0\0\0\x01\0\0ERROR\r\n");
        assert!(reply(b"ERROR\r\n").answer.is_empty() && reply(b"END\r\n").answer.is_empty(), "what another server says");
        for said in ["HD", "EN O12345", "NF", "NS", "EX", "VA 1 s1", "MN", "ME a exp=-1"] {
            assert!(reply(alloc::format!("{said}\r\n").as_bytes()).answer.is_empty(), "{said}");
        }
        let piece = memcached().datagram(&Datagram { bytes: b"\0\x01\0\0\0\x02\0\0get a\r\n", ..Datagram::default() });
        assert!(piece.answer.is_empty() && piece.findings.fields["command"] == "get a");
        assert_eq!(
            memcached().datagram(&Datagram { bytes: b"stats\r\n", ..Datagram::default() }).findings.signs,
            Signs::MALFORMED
        );
    }
}

//! A VNC server that asks for a password and refuses it (RFB 3.8, RFC 6143; 3.7 and 3.3 as clients ask for them).
//!
//! Each connection gets a challenge of its own; what the stranger's password makes of it is kept with it, so that guesses can be
//! checked against it. The words of refusal are TigerVNC's.

use crate::{
    Findings, Flow, Pause, Session, Step,
    exactly::Exactly,
    pause::TIGERVNC_MS,
    text::{hex, random_bytes},
};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

const VERSION: &[u8; VERSION_BYTES] = b"RFB 003.008\n";
const VERSION_BYTES: usize = 12;
/// VNC authentication: the one kind that is offered.
const KIND: u8 = 2;
const CHALLENGE_BYTES: usize = 16;
const REASON: &[u8] = b"Authentication failed";

/// A VNC server that asks for a password and refuses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vnc;

impl Vnc {
    /// A new connection; `seed` makes the challenge.
    #[must_use]
    pub fn session(self, seed: u64) -> VncSession {
        let challenge = random_bytes(seed);
        VncSession {
            challenge,
            phase: Phase::Version,
            minor: 8,
            coming: Exactly::new(VERSION_BYTES),
            pause: Pause::default(),
            findings: Findings::default(),
        }
    }
}

/// What the stranger sends next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Version,
    Kind,
    Response,
    Over,
}

/// One connection to a VNC trap.
pub struct VncSession {
    challenge: [u8; CHALLENGE_BYTES],
    phase: Phase,
    minor: u8,
    coming: Exactly,
    pause: Pause,
    findings: Findings,
}

impl VncSession {
    fn byte(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        // Whoever speaks another protocol is not waited for.
        if self.phase == Phase::Over {
            return Flow::Close;
        }
        let Some(said) = self.coming.push(byte) else { return Flow::Continue };
        match self.phase {
            Phase::Version => self.version(&said, answer),
            Phase::Kind => self.kind(&said, answer),
            Phase::Response => self.response(&said, answer),
            Phase::Over => Flow::Close,
        }
    }

    fn version(&mut self, said: &[u8], answer: &mut Vec<u8>) -> Flow {
        self.findings.note("client", said.trim_ascii_end());
        let minor = said.strip_prefix(b"RFB 003.").and_then(|rest| rest.strip_suffix(b"\n"));
        self.minor = match minor {
            Some(b"007") => 7,
            // Apple's is 3.889 and means 3.8; every other unknown one is taken for 3.3, as the standard says.
            Some(b"008" | b"889") => 8,
            Some(digits) if digits.iter().all(u8::is_ascii_digit) => 3,
            _ => return self.broken(),
        };
        if self.minor == 3 {
            answer.extend_from_slice(&[0, 0, 0, KIND]);
            self.challenge(answer);
        } else {
            answer.extend_from_slice(&[1, KIND]);
            self.phase = Phase::Kind;
            self.coming.want(1);
        }
        Flow::Telling
    }

    fn kind(&mut self, said: &[u8], answer: &mut Vec<u8>) -> Flow {
        if said != [KIND] {
            return self.broken();
        }
        self.challenge(answer);
        Flow::Continue
    }

    fn challenge(&mut self, answer: &mut Vec<u8>) {
        answer.extend_from_slice(&self.challenge);
        self.phase = Phase::Response;
        self.coming.want(CHALLENGE_BYTES);
    }

    fn response(&mut self, said: &[u8], answer: &mut Vec<u8>) -> Flow {
        self.findings.note("challenge", hex(&self.challenge).as_bytes());
        self.findings.note("response", hex(said).as_bytes());
        self.findings.signs |= Signs::CREDENTIALS;
        self.pause = Pause::behind(answer, TIGERVNC_MS);
        answer.extend_from_slice(&[0, 0, 0, 1]);
        if self.minor == 8 {
            answer.extend_from_slice(&[0, 0, 0, 21]);
            answer.extend_from_slice(REASON);
        }
        self.phase = Phase::Over;
        Flow::Close
    }

    fn broken(&mut self) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        self.phase = Phase::Over;
        Flow::Close
    }
}

impl Session for VncSession {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(VERSION);
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        Step::by_byte_until_full(bytes, answer, usize::MAX, |byte, answer| self.byte(byte, answer))
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::{self, Heard};
    use proptest::prelude::*;

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut Vnc.session(7), bytes)
    }

    #[test]
    fn a_response_is_kept_with_its_challenge_in_every_version() {
        let challenge: [u8; 16] = random_bytes(7);
        let refused = [&[0, 0, 0, 1, 0, 0, 0, 21][..], REASON].concat();
        let table: [(&[u8], Vec<u8>); 4] = [
            (b"RFB 003.008\n\x02", [&[1, 2][..], &challenge, &refused].concat()),
            (b"RFB 003.889\n\x02", [&[1, 2][..], &challenge, &refused].concat()),
            (b"RFB 003.007\n\x02", [&[1, 2][..], &challenge, &[0, 0, 0, 1]].concat()),
            (b"RFB 003.003\n", [&[0, 0, 0, 2][..], &challenge, &[0, 0, 0, 1]].concat()),
        ];
        for (beginning, answer) in table {
            let heard = talk(&[beginning, &[0xab; 16]].concat());
            assert_eq!(heard.answer, [&VERSION[..], &answer].concat());
            assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::CREDENTIALS));
            assert_eq!((heard.pauses.len(), heard.pauses[0].1), (1, 100), "TigerVNC's wait");
            let fields = &heard.findings.fields;
            assert_eq!((&fields["challenge"], &fields["response"]), (&hex(&challenge), &"ab".repeat(16)));
        }
        assert_ne!(random_bytes::<16>(7), random_bytes::<16>(8), "each connection has its own");
    }

    #[test]
    fn what_is_no_vnc_client_is_left() {
        for bytes in [b"GET / HTTP/1.0\r\n\r\n".as_slice(), b"RFB 003.008\n\x01", b"RFB 3.8 xxx\n"] {
            let heard = talk(bytes);
            assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED));
        }
        let client = talk(b"RFB 003.008\n");
        assert_eq!((client.flow, client.findings.fields["client"].as_str()), (Flow::Telling, "RFB 003.008"));
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let version = prop_oneof![Just(b"RFB 003.008\n".to_vec()), Just(b"RFB 003.003\n".to_vec())];
        (version, proptest::collection::vec(1_u8..4, 0..40)).prop_map(|(version, rest)| [version, rest].concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(|| Vnc.session(7), &bytes, &cuts)?;
        }
    }
}

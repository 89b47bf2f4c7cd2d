//! An SSH server up to the key exchange: OpenSSH as Debian ships it, byte for byte as far as it goes.
//!
//! The version exchange, the `KEXINIT` and the answers to broken input were compared with a real sshd. The
//! key exchange itself is not answered yet: the connection closes where the stranger's part of it arrives.

mod kexinit;
mod packet;

use crate::{BannerError, Findings, Flow, Session, Step, service::checked_banner, text::random_bytes};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};
use packet::{Packet, Packets};

/// What Debian 12's sshd calls itself.
const IDENTIFICATION: &str = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10";
/// The longest identification line that OpenSSH reads before it gives up, in bytes.
const LINE_BYTES_MAX: usize = 8_192;
/// The part of it that is kept: RFC 4253's limit for the whole line.
const LINE_KEPT_BYTES_MAX: usize = 255;
/// Packets before the key exchange; a stranger that sends more has nothing to say.
const PACKETS_MAX: usize = 64;

const INVALID: &str = "Invalid SSH identification string.\r\n";
const MAJOR_DIFFERS: &str = "Protocol major versions differ.\r\n";

const MSG_DISCONNECT: u8 = 1;
const MSG_IGNORE: u8 = 2;
const MSG_UNIMPLEMENTED: u8 = 3;
const MSG_DEBUG: u8 = 4;
const MSG_KEXINIT: u8 = 20;

/// An SSH server up to the key exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    identification: String,
}

impl Default for Ssh {
    /// Debian 12's sshd.
    fn default() -> Self {
        Self { identification: IDENTIFICATION.to_string() }
    }
}

impl Ssh {
    /// With an operator's identification line (without its end), such as `SSH-2.0-OpenSSH_9.2p1 Debian-2`.
    ///
    /// # Errors
    /// Says why the text is no identification line.
    pub fn new(identification: &str) -> Result<Self, BannerError> {
        let identification = checked_banner(identification)?;
        match identification.strip_prefix("SSH-2.0-") {
            Some(software) if !software.is_empty() => Ok(Self { identification }),
            _ => Err(BannerError::NotSsh),
        }
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self, seed: u64) -> SshSession {
        SshSession {
            greeting: self.identification.clone() + "\r\n",
            cookie: random_bytes(seed),
            phase: Phase::Identification(Identification::default()),
            findings: Findings::default(),
        }
    }
}

/// One connection to an SSH trap.
pub struct SshSession {
    greeting: String,
    cookie: [u8; kexinit::COOKIE_BYTES],
    phase: Phase,
    findings: Findings,
}

enum Phase {
    Identification(Identification),
    Packets { packets: Packets, seen: usize, offered: bool },
    Over,
}

/// The stranger's first line so far, read as OpenSSH reads it: byte by byte.
#[derive(Default)]
struct Identification {
    kept: Vec<u8>,
    bytes: usize,
    /// A carriage return was seen: only a line feed may follow.
    ending: bool,
}

enum Heard {
    More,
    Line,
    Invalid,
}

impl Identification {
    fn push(&mut self, byte: u8) -> Heard {
        match byte {
            b'\n' => return Heard::Line,
            b'\r' => {
                self.ending = true;
                return Heard::More;
            }
            b'\0' => return Heard::Invalid,
            _ if self.ending => return Heard::Invalid,
            _ => self.bytes += 1,
        }
        if self.kept.len() < LINE_KEPT_BYTES_MAX {
            self.kept.push(byte);
        }
        if self.bytes > LINE_BYTES_MAX { Heard::Invalid } else { Heard::More }
    }

    /// What OpenSSH says about a whole line: nothing if it will do.
    fn objection(&self) -> Option<&'static str> {
        let text = self.kept.strip_prefix(b"SSH-");
        let Some((major, minor, software)) = text.and_then(version) else { return Some(INVALID) };
        match (major, minor) {
            _ if software.is_empty() => Some(INVALID),
            (b"2", _) | (b"1", b"99") => None,
            _ => Some(MAJOR_DIFFERS),
        }
    }
}

/// `2.0-software` in its three parts.
fn version(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    let dot = text.iter().position(|byte| *byte == b'.').filter(|dot| *dot < dash)?;
    let (major, minor) = (text.get(..dot)?, text.get(dot + 1..dash)?);
    let number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    (number(major) && number(minor)).then_some((major, minor, text.get(dash + 1..)?))
}

impl SshSession {
    fn identified(&mut self, answer: &mut Vec<u8>) -> Flow {
        let Phase::Identification(identification) = core::mem::replace(&mut self.phase, Phase::Over) else {
            return Flow::Close;
        };
        self.findings.note("client", &identification.kept);
        if let Some(objection) = identification.objection() {
            return self.broken(objection, answer);
        }
        answer.extend_from_slice(&kexinit::ours(self.cookie));
        self.phase = Phase::Packets { packets: Packets::default(), seen: 0, offered: false };
        Flow::Telling
    }

    fn broken(&mut self, last_words: &str, answer: &mut Vec<u8>) -> Flow {
        if let Phase::Identification(identification) = &self.phase {
            self.findings.note("client", &identification.kept);
        }
        self.findings.signs |= Signs::MALFORMED;
        answer.extend_from_slice(last_words.as_bytes());
        self.phase = Phase::Over;
        Flow::Close
    }

    /// A real server falls silent and closes on everything that does not belong here; so does this one.
    fn packet(&mut self, packet: &Packet) -> Flow {
        let Phase::Packets { seen, offered, .. } = &mut self.phase else { return Flow::Close };
        *seen += 1;
        if *seen > PACKETS_MAX {
            return self.broken("", &mut Vec::new());
        }
        match packet.kind() {
            Some(MSG_IGNORE | MSG_DEBUG | MSG_UNIMPLEMENTED) => Flow::Continue,
            Some(MSG_DISCONNECT) => Flow::Close,
            Some(MSG_KEXINIT) if !*offered => {
                *offered = true;
                self.offer(packet)
            }
            // The stranger's part of the key exchange: this is as far as the trap goes.
            Some(30..=49) if *offered => Flow::Close,
            _ => self.broken("", &mut Vec::new()),
        }
    }

    fn offer(&mut self, packet: &Packet) -> Flow {
        match kexinit::read(&packet.payload) {
            _ if packet.cut => Flow::Continue,
            Some(offer) => {
                offer.note(&mut self.findings);
                Flow::Telling
            }
            None => self.broken("", &mut Vec::new()),
        }
    }

    fn byte(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        match &mut self.phase {
            Phase::Over => Flow::Close,
            Phase::Identification(identification) => match identification.push(byte) {
                Heard::More => Flow::Continue,
                Heard::Line => self.identified(answer),
                Heard::Invalid => self.broken(INVALID, answer),
            },
            Phase::Packets { packets, .. } => match packets.push(byte) {
                Ok(None) => Flow::Continue,
                Ok(Some(packet)) => self.packet(&packet),
                Err(packet::Corrupt) => self.broken("", answer),
            },
        }
    }
}

impl Session for SshSession {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(self.greeting.as_bytes());
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        Step::by_byte(bytes, |byte| self.byte(byte, answer))
    }

    fn end(&mut self) {
        if let Phase::Identification(identification) = &self.phase
            && !identification.kept.is_empty()
        {
            self.findings.note("client", &identification.kept);
        }
        self.phase = Phase::Over;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::{self, said};
    use proptest::prelude::*;

    fn session() -> SshSession {
        Ssh::default().session(7)
    }

    #[test]
    fn it_greets_as_debians_sshd() {
        let heard = drive::whole(&mut session(), b"");
        assert_eq!(heard.answer, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n");
        let mut own = Vec::new();
        let _ = Ssh::new("SSH-2.0-dropbear_2022.83").unwrap().session(0).open(&mut own);
        assert_eq!(own, b"SSH-2.0-dropbear_2022.83\r\n");
        for bad in ["", "OpenSSH", "SSH-2.0-", "SSH-1.5-x", "SSH-2.0-a\r\nb", "SSH-2.0-ä"] {
            assert!(Ssh::new(bad).is_err(), "{bad:?}");
        }
    }

    /// Each line was sent to a real OpenSSH 9.2p1, which answered the same.
    #[test]
    fn first_lines_are_answered_as_openssh_does() {
        let long = [b"SSH-2.0-".as_slice(), &[b'A'; 8_000], b"\n"].concat();
        let table: [(&[u8], &str); 12] = [
            (b"SSH-2.0-test\r\n", ""),
            (b"SSH-2.0-test\n", ""),
            (b"SSH-1.99-x\n", ""),
            (&long, ""),
            (b"GET / HTTP/1.0\r\n\r\n", INVALID),
            (b"SSH-1.5-x\r\n", MAJOR_DIFFERS),
            (b"SSH-2.0-\r\n", INVALID),
            (b"SSH-2.0\r\n", INVALID),
            (b"SSH-2.0-a\rb\n", INVALID),
            (b"SSH-2.0-a\0\n", INVALID),
            (&[b'A'; 9_000], INVALID),
            (b"\n", INVALID),
        ];
        for (line, last_words) in table {
            let heard = drive::whole(&mut session(), line);
            let answer = heard.answer.strip_prefix(session().greeting.as_bytes()).unwrap();
            if last_words.is_empty() {
                assert_eq!((heard.flow, answer.get(5)), (Flow::Telling, Some(&MSG_KEXINIT)), "{line:?}");
                assert!(!heard.findings.signs.contains(Signs::MALFORMED));
            } else {
                assert_eq!((heard.flow, said(answer)), (Flow::Close, last_words.into()), "{line:?}");
                assert!(heard.findings.signs.contains(Signs::MALFORMED));
            }
        }
    }

    #[test]
    fn the_client_is_told_at_once_and_bounded() {
        let heard = drive::whole(&mut session(), b"SSH-2.0-Go\r\n");
        assert_eq!((heard.flow, heard.reports.len()), (Flow::Telling, 1));
        assert_eq!(heard.findings.fields["client"], "SSH-2.0-Go");
        let long = [b"SSH-2.0-".as_slice(), &[b'A'; 8_000], b"\n"].concat();
        assert_eq!(drive::whole(&mut session(), &long).findings.fields["client"].len(), LINE_KEPT_BYTES_MAX);
        let cut_off = drive::whole(&mut session(), b"SSH-2.0-libssh_0.1");
        assert_eq!(cut_off.findings.fields["client"], "SSH-2.0-libssh_0.1", "a line without an end is told at the end");
    }

    #[test]
    fn an_offer_becomes_fields_and_a_hassh() {
        let ours = kexinit::ours([9; 16]);
        let heard = drive::whole(&mut session(), &[b"SSH-2.0-test\r\n".as_slice(), &ours].concat());
        assert_eq!(heard.reports.len(), 2, "the client, then its offer");
        let fields = &heard.findings.fields;
        // The value that tshark and others give for Debian 12's sshd.
        assert_eq!(fields["hassh"], "425d29fe50d8e4f5e37efb6e24bcf660");
        assert!(fields["kex_algorithms"].starts_with("sntrup761x25519-sha512,"));
        assert_eq!(fields["compression"], "none,zlib@openssh.com");
    }

    /// Each sequence was sent to a real OpenSSH 9.2p1, which closed in silence (or waited, for the first).
    #[test]
    fn packets_that_do_not_belong_end_it_in_silence() {
        let empty = |kind: u8| [b"\0\0\0\x0c\x0a".as_slice(), &[kind], &[0; 10]].concat();
        let table: [(Vec<u8>, Flow, bool); 6] = [
            (empty(MSG_IGNORE), Flow::Telling, false),
            ([empty(MSG_IGNORE), empty(50)].concat(), Flow::Close, true),
            (empty(MSG_KEXINIT), Flow::Close, true),
            (empty(MSG_DISCONNECT), Flow::Close, false),
            (b"GET / HTTP/1.0\r\n\r\n".to_vec(), Flow::Close, true),
            (b"\0\0\0\x0d\x0a\x63\0\0\0\0\0\0\0\0\0\0\0".to_vec(), Flow::Close, true),
        ];
        let greeted = drive::whole(&mut session(), b"SSH-2.0-test\r\n").answer;
        for (bytes, flow, malformed) in table {
            let heard = drive::whole(&mut session(), &[b"SSH-2.0-test\r\n".as_slice(), &bytes].concat());
            assert_eq!((heard.flow, heard.answer == greeted), (flow, true), "{bytes:?}");
            assert_eq!(heard.findings.signs.contains(Signs::MALFORMED), malformed, "{bytes:?}");
        }
    }

    #[test]
    fn no_two_sessions_share_a_cookie() {
        let cookie = |seed| drive::whole(&mut Ssh::default().session(seed), b"SSH-2.0-x\n").answer[47..63].to_vec();
        assert_ne!(cookie(1), cookie(2));
        assert_eq!(cookie(1), cookie(1));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(
            lead in prop_oneof![Just(b"".to_vec()), Just(b"SSH-2.0-x\r\n".to_vec()), Just([b"SSH-2.0-x\r\n".as_slice(), &kexinit::ours([1; 16])].concat())],
            noise in drive::noise(),
            cuts in drive::cuts(),
        ) {
            drive::law(session, &[lead, noise].concat(), &cuts)?;
        }

        #[test]
        fn a_mutated_offer_does_not_break_it(at in 0_usize..1_130, byte: u8, cuts in drive::cuts()) {
            let mut offer = kexinit::ours([1; 16]);
            offer[at] = byte;
            drive::law(session, &[b"SSH-2.0-x\n".as_slice(), &offer].concat(), &cuts)?;
        }
    }
}

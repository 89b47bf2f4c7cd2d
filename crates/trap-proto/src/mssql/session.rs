//! One connection to an SQL Server trap.

use super::{
    Mssql,
    login::{self, Login},
};
use crate::{
    Findings, Flow, TlsManner,
    exactly::Exactly,
    ntlm::{self, Answer},
    packets::Packets,
    text::{random_bytes, safe_text},
    wide::wide,
};
use alloc::{format, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Kind, status, length with the head itself, connection, number, window.
const HEAD_BYTES: usize = 8;
/// The longest message before a login, in bytes of all its packets.
const MESSAGE_BYTES_MAX: usize = 16 * 1_024;
/// Names in errors, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// From this version on lines and counts are longer.
const TDS_7_2: u32 = 0x7209_0002;

const OLD_LOGIN: u8 = 0x02;
const LOGIN: u8 = 0x10;
const TOKEN: u8 = 0x11;
const PRELOGIN: u8 = 0x12;
/// The status of a message's last packet.
const LAST: u8 = 1;

/// How much is encrypted: nothing but the login, all, nothing because one side cannot; and a client that demands it.
const ENCRYPT_OFF: u8 = 0;
const ENCRYPT_ON: u8 = 1;
const ENCRYPT_NOT_SUPPORTED: u8 = 2;
const ENCRYPT_REQUIRED: u8 = 3;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    /// A packet of this kind; is it the message's last?
    Body {
        kind: u8,
        is_last: bool,
    },
}

/// One connection to an SQL Server trap.
pub(super) struct MssqlSession {
    mssql: Mssql,
    challenge: [u8; 8],
    /// TLS can be asked for.
    has_tls: bool,
    phase: Phase,
    coming: Exactly,
    message: Vec<u8>,
    /// Only after a challenge: the version of the login that began it.
    challenged: Option<u32>,
    /// How much is encrypted, once that is agreed upon.
    encryption: Option<u8>,
    /// The login came.
    is_logged_in: bool,
    findings: Findings,
}

impl MssqlSession {
    pub(super) fn new(mssql: Mssql, seed: u64, has_tls: bool) -> Self {
        Self {
            mssql,
            challenge: random_bytes(seed),
            has_tls,
            phase: Phase::Head,
            coming: Exactly::new(HEAD_BYTES),
            message: Vec::new(),
            challenged: None,
            encryption: None,
            is_logged_in: false,
            findings: Findings::default(),
        }
    }

    fn head(&mut self, head: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let [kind, status, high, low, ..] = *head else { return self.broken() };
        let is_known = matches!(kind, OLD_LOGIN | LOGIN | TOKEN | PRELOGIN);
        let bytes = usize::from(u16::from_be_bytes([high, low])).checked_sub(HEAD_BYTES);
        let Some(bytes) = bytes.filter(|bytes| is_known && self.message.len() + bytes <= MESSAGE_BYTES_MAX) else {
            return self.broken();
        };
        let is_last = status & LAST != 0;
        if bytes == 0 {
            return self.body(kind, is_last, &[], now, answer);
        }
        self.phase = Phase::Body { kind, is_last };
        self.coming.want(bytes);
        Flow::Continue
    }

    fn body(&mut self, kind: u8, is_last: bool, body: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.phase = Phase::Head;
        self.coming.want(HEAD_BYTES);
        self.message.extend_from_slice(body);
        if !is_last {
            return Flow::Continue;
        }
        let message = core::mem::take(&mut self.message);
        self.is_logged_in |= kind != PRELOGIN;
        match (kind, self.challenged) {
            (PRELOGIN, None) if self.encryption.is_none_or(|agreed| agreed == ENCRYPT_NOT_SUPPORTED) => {
                self.prelogin(&message, answer)
            }
            (LOGIN, None) => match login::login7(&message, &mut self.findings) {
                Some(login) if !login.token.is_empty() => self.challenge(&login, now, answer),
                Some(login) => self.login(&login, answer),
                None => self.broken(),
            },
            (OLD_LOGIN, None) => match login::old(&message, &mut self.findings) {
                Some(login) => self.login(&login, answer),
                None => self.broken(),
            },
            (TOKEN, Some(tds)) => self.answered(&message, tds, answer),
            _ => self.broken(),
        }
    }

    fn prelogin(&mut self, message: &[u8], answer: &mut Vec<u8>) -> Flow {
        let Some(asked) = login::options(message) else { return self.broken() };
        let (asked, encryption) = asked;
        let agreed = match encryption {
            Some(ENCRYPT_OFF) if self.has_tls => ENCRYPT_OFF,
            Some(ENCRYPT_ON | ENCRYPT_REQUIRED) if self.has_tls => ENCRYPT_ON,
            _ => ENCRYPT_NOT_SUPPORTED,
        };
        self.encryption = Some(agreed);
        packet(&self.mssql.prelogin(&asked, agreed), answer);
        if agreed == ENCRYPT_NOT_SUPPORTED { Flow::Telling } else { Flow::StartTls }
    }

    /// Name and password are there: refuse them.
    fn login(&mut self, login: &Login, answer: &mut Vec<u8>) -> Flow {
        self.findings.note("username", &login.username);
        self.findings.note("password", &login.password);
        self.findings.signs |= Signs::CREDENTIALS;
        let message = format!("Login failed for user '{}'.", safe_text(&login.username, NAME_BYTES_MAX));
        self.refuse(18_456, &message, login.tds, answer)
    }

    /// A Windows login begins: challenge it.
    fn challenge(&mut self, login: &Login, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let message = ntlm::find(&login.token).filter(|message| ntlm::kind(message) == Some(1));
        let Some(message) = message else {
            self.findings.signs |= Signs::CREDENTIALS;
            return self.refuse(
                17_806,
                "SSPI handshake failed while establishing a connection with integrated security; the connection has been closed.",
                login.tds,
                answer,
            );
        };
        ntlm::note_negotiate(message, &mut self.findings);
        let challenge = self.mssql.machine.challenge(message, self.challenge, now);
        let length = u16::try_from(challenge.len()).unwrap_or(u16::MAX);
        packet(&[&[0xed], &length.to_le_bytes()[..], &challenge].concat(), answer);
        self.challenged = Some(login.tds);
        Flow::Continue
    }

    fn answered(&mut self, token: &[u8], tds: u32, answer: &mut Vec<u8>) -> Flow {
        let message = ntlm::find(token).filter(|message| ntlm::kind(message) == Some(3));
        let Some((message, theirs)) = message.and_then(|message| Some((message, Answer::read(message)?))) else {
            return self.broken();
        };
        theirs.note(message, self.challenge, &mut self.findings);
        self.findings.signs |= Signs::CREDENTIALS;
        let said = "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.";
        self.refuse(18_452, said, tds, answer)
    }

    /// An error of severity 14, and the end of the answer.
    fn refuse(&mut self, number: u32, message: &str, tds: u32, answer: &mut Vec<u8>) -> Flow {
        let server = self.mssql.machine.netbios();
        let (text, name) =
            if tds == 0 { (message.as_bytes().to_vec(), server.as_bytes().to_vec()) } else { (wide(message), wide(&server)) };
        let unit = if tds == 0 { 1 } else { 2 };
        let units = |bytes: &[u8]| u16::try_from(bytes.len() / unit).unwrap_or(u16::MAX).to_le_bytes();
        let (line, count): (&[u8], &[u8]) = if tds >= TDS_7_2 { (&[1, 0, 0, 0], &[0; 8]) } else { (&[1, 0], &[0; 4]) };
        let error = [&number.to_le_bytes()[..], &[1, 14], &units(&text), &text, &units(&name)[..1], &name, &[0], line].concat();
        let length = u16::try_from(error.len()).unwrap_or(u16::MAX).to_le_bytes();
        packet(&[&[0xaa], &length[..], &error, &[0xfd, 2, 0, 0, 0], count].concat(), answer);
        Flow::Close
    }

    /// Real servers say nothing to what is no client of theirs.
    fn broken(&mut self) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        Flow::Close
    }
}

/// Appends an answer in one packet: a few hundred bytes at most.
fn packet(body: &[u8], answer: &mut Vec<u8>) {
    let [high, low] = u16::try_from(HEAD_BYTES + body.len()).unwrap_or(u16::MAX).to_be_bytes();
    answer.extend_from_slice(&[4, LAST, high, low, 0, 0, 1, 0]);
    answer.extend_from_slice(body);
}

impl Packets for MssqlSession {
    const REPLY_BYTES_MAX: usize = 1_024;
    const TLS: TlsManner = TlsManner::Tds;

    fn leaves_tls(&self) -> bool {
        self.is_logged_in && self.encryption == Some(ENCRYPT_OFF)
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Some(said) = self.coming.push(byte) else { return Flow::Continue };
        match self.phase {
            Phase::Head => self.head(&said, now, answer),
            Phase::Body { kind, is_last } => self.body(kind, is_last, &said, now, answer),
        }
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        drive::{self, Heard},
        wide::narrow,
    };
    use proptest::prelude::*;

    const NMAP: &[u8] = b"\x12\x01\x00\x34\0\0\0\0\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x0c\x03\0\x28\0\x04\xff\x08\0\x01\x55\0\0\0MSSQLServer\0\x48\x0f\0\0";

    /// Where it says how much it wants to be encrypted.
    const NMAP_ENCRYPTION_AT: usize = 8 + 0x1b;

    fn packet_of(kind: u8, body: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(8 + body.len()).unwrap().to_be_bytes();
        [&[kind, 1, high, low, 0, 0, 1, 0], body].concat()
    }

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut Mssql::default().session(7), bytes)
    }

    fn said(heard: &Heard) -> alloc::string::String {
        [0, 1].map(|odd| drive::said(&narrow(&heard.answer[odd..]))).concat()
    }

    #[test]
    fn a_prelogin_is_answered_as_sql_server_2022_does() {
        let heard = talk(NMAP);
        let expected =
            b"\x04\x01\0\x25\0\0\x01\0\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x01\x03\0\x1d\0\0\xff\x10\0\x10\x81\0\0\0\0";
        assert_eq!((heard.answer.as_slice(), heard.flow), (&expected[..], Flow::StartTls));
        for (asked, agreed, flow) in
            [(1, 1, Flow::StartTls), (3, 1, Flow::StartTls), (2, 2, Flow::Telling), (9, 2, Flow::Telling)]
        {
            let mut prelogin = NMAP.to_vec();
            prelogin[NMAP_ENCRYPTION_AT] = asked;
            let heard = talk(&prelogin);
            assert_eq!((heard.answer[35], heard.flow), (agreed, flow), "{asked}");
        }
        assert_eq!(Mssql::new("17.0.1000").unwrap().version, [17, 0, 3, 232, 0, 0]);
        assert!(Mssql::new("2022").is_err() && Mssql::new("300.0.1").is_err());
    }

    #[test]
    fn a_password_is_laid_open_and_refused_with_18456() {
        let heard = talk(&[NMAP, &packet_of(LOGIN, &login::tests::packet("sa", "hunter2", b""))].concat());
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::CREDENTIALS));
        assert_eq!(["username", "password"].map(|name| heard.findings.fields[name].as_str()), ["sa", "hunter2"]);
        assert_eq!(heard.answer[37 + 8 + 3..][..6], [0x18, 0x48, 0, 0, 1, 14], "18456, state 1, severity 14");
        assert!(said(&heard).contains("Login failed for user 'sa'."), "{}", said(&heard));
    }

    #[test]
    fn a_windows_login_answers_a_challenge() {
        let negotiate = packet_of(LOGIN, &login::tests::packet("", "", &ntlm::tests::negotiate()));
        let asked = talk(&negotiate);
        assert!(ntlm::find(&asked.answer).and_then(ntlm::kind) == Some(2));
        let theirs = packet_of(TOKEN, &ntlm::tests::answer("admin", "CORP", &[9; 40]));
        let heard = talk(&[negotiate, theirs].concat());
        assert!(heard.findings.fields["hash"].starts_with("admin::CORP:"), "{:?}", heard.findings.fields);
        assert!(said(&heard).contains("from an untrusted domain"), "{}", said(&heard));
    }

    #[test]
    fn an_old_login_comes_in_two_packets() {
        let name = |text: &[u8]| [text, &alloc::vec![0; 30 - text.len()], &[u8::try_from(text.len()).unwrap()]].concat();
        let body = [name(b""), name(b"sa"), name(b"letmein"), alloc::vec![0; 400]].concat();
        let first = [&[OLD_LOGIN, 0, 0, 208, 0, 0, 0, 0], &body[..200]].concat();
        let heard = talk(&[first, packet_of(OLD_LOGIN, &body[200..])].concat());
        assert_eq!(["username", "password"].map(|name| heard.findings.fields[name].as_str()), ["sa", "letmein"]);
        assert!(drive::said(&heard.answer).contains("Login failed for user 'sa'."));
    }

    #[test]
    fn what_is_no_client_is_left_before_its_packet_is_held() {
        for bytes in
            [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\x10\x01\xff\xff\0\0\0\0", b"\x10\x01\0\x07\0\0\0\0", b"\x11\x01\0\x08\0\0\0\0"]
        {
            let heard = talk(bytes);
            assert_eq!((heard.flow, heard.findings.signs, heard.answer.len()), (Flow::Close, Signs::MALFORMED, 0));
        }
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(NMAP.to_vec()),
            Just(packet_of(LOGIN, &login::tests::packet("sa", "x", b""))),
            Just(packet_of(LOGIN, &login::tests::packet("", "", &ntlm::tests::negotiate()))),
            Just(packet_of(TOKEN, &ntlm::tests::answer("a", "b", &[9; 40]))),
            proptest::collection::vec(any::<u8>(), 0..200).prop_map(|body| packet_of(LOGIN, &body)),
            proptest::collection::vec(any::<u8>(), 0..60).prop_map(|body| packet_of(PRELOGIN, &body)),
        ];
        proptest::collection::vec(word, 0..5).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(|| Mssql::default().session(7), &bytes, &cuts)?;
        }
    }
}

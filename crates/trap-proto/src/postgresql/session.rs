//! One connection to a PostgreSQL trap.

use super::startup::{self, Startup};
use crate::{Findings, Flow, Session, Step, TlsManner, exactly::Exactly, tls::HANDSHAKE};
use alloc::{format, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Length and nothing else.
const HEAD_BYTES: usize = 4;
/// Kind and length.
const MESSAGE_HEAD_BYTES: usize = 5;
/// The longest first packet and the longest password message, in bytes: the real server's limits.
const STARTUP_BYTES_MAX: u32 = 10_000;
const PASSWORD_BYTES_MAX: u32 = 65_535;
/// The longest packet of GSSAPI, in bytes: the real server's limit is four times that, and nobody's is so long.
const GSSAPI_BYTES_MAX: u32 = 16_384;
/// Names in errors, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// What the stranger sends next.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    StartupHead,
    Startup,
    GssapiHead,
    Gssapi,
    PasswordHead,
    Password,
    Over,
}

/// One connection to a PostgreSQL trap.
pub struct PostgresqlSession {
    phase: Phase,
    coming: Exactly,
    /// TLS was asked for, by a packet or by its first byte.
    tls: Option<Asked>,
    /// By its first byte, just now.
    is_asking: bool,
    user: Vec<u8>,
    findings: Findings,
}

/// How somebody asks for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    ByPacket,
    AtOnce,
}

/// One of the real server's errors.
struct Failure<'a> {
    code: &'a str,
    message: &'a [u8],
    /// What could be done about it.
    hint: &'a str,
    file: &'a str,
    line: &'a str,
    routine: &'a str,
}

impl<'a> Failure<'a> {
    /// From where it reads the first packet.
    const fn of_startup(code: &'a str, message: &'a [u8], line: &'a str) -> Self {
        Self { code, message, hint: "", file: "backend_startup.c", line, routine: "ProcessStartupPacket" }
    }

    /// From where it reads a password.
    const fn of_password(code: &'a str, message: &'a [u8], line: &'a str) -> Self {
        Self { code, message, hint: "", file: "auth.c", line, routine: "recv_password_packet" }
    }

    /// As an `ErrorResponse`.
    fn say(&self, answer: &mut Vec<u8>) {
        let fields: [(u8, &[u8]); 8] = [
            (b'S', b"FATAL"),
            (b'V', b"FATAL"),
            (b'C', self.code.as_bytes()),
            (b'M', self.message),
            (b'H', self.hint.as_bytes()),
            (b'F', self.file.as_bytes()),
            (b'L', self.line.as_bytes()),
            (b'R', self.routine.as_bytes()),
        ];
        let told = fields.into_iter().filter(|(_, text)| !text.is_empty());
        let body: Vec<u8> = told.flat_map(|(kind, text)| [&[kind], text, &[0]].concat()).collect();
        answer.push(b'E');
        // A few hundred bytes at most.
        answer.extend_from_slice(&u32::try_from(body.len() + 5).unwrap_or_default().to_be_bytes());
        answer.extend_from_slice(&body);
        answer.push(0);
    }
}

impl PostgresqlSession {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::StartupHead,
            coming: Exactly::new(HEAD_BYTES),
            tls: None,
            is_asking: false,
            user: Vec::new(),
            findings: Findings::default(),
        }
    }

    pub(super) const fn secured(mut self) -> Self {
        self.tls = Some(Asked::ByPacket);
        self
    }

    fn byte(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        if self.phase == Phase::Over {
            return Flow::Close;
        }
        if byte == HANDSHAKE && self.phase == Phase::StartupHead && self.coming.is_empty() && self.tls.is_none() {
            self.is_asking = true;
            return self.start_tls(Asked::AtOnce);
        }
        let Some(said) = self.coming.push(byte) else { return Flow::Continue };
        match self.phase {
            Phase::StartupHead => self.startup_head(&said),
            Phase::Startup => self.startup(&said, answer),
            Phase::GssapiHead => match length(&said) {
                Some(bytes @ 1..=GSSAPI_BYTES_MAX) => self.expect(Phase::Gssapi, bytes),
                _ => self.broken(),
            },
            // Its ticket is nobody's.
            Phase::Gssapi => self.close(),
            Phase::PasswordHead => self.password_head(&said, answer),
            Phase::Password => self.password(&said, answer),
            Phase::Over => Flow::Close,
        }
    }

    /// A length that cannot be one ends it without a word, as with the real server.
    fn startup_head(&mut self, head: &[u8]) -> Flow {
        match length(head) {
            Some(bytes @ 8..=STARTUP_BYTES_MAX) => self.expect(Phase::Startup, bytes - 4),
            _ => self.broken(),
        }
    }

    fn expect(&mut self, phase: Phase, bytes: u32) -> Flow {
        self.phase = phase;
        self.coming.want(usize::try_from(bytes).unwrap_or_default());
        Flow::Continue
    }

    fn startup(&mut self, packet: &[u8], answer: &mut Vec<u8>) -> Flow {
        match startup::read(packet, &mut self.findings) {
            Startup::Tls if self.tls.is_none() => {
                answer.push(b'S');
                self.start_tls(Asked::ByPacket)
            }
            Startup::Gssapi if self.tls.is_none() => {
                answer.push(b'G');
                self.expect(Phase::GssapiHead, 4)
            }
            // Inside TLS both are versions of the protocol like any other.
            Startup::Tls => self.unsupported(1_234, 5_679, answer),
            Startup::Gssapi => self.unsupported(1_234, 5_680, answer),
            Startup::Broken => self.broken(),
            Startup::Cancel => self.close(),
            Startup::Session { user, minor, options } => self.session(user, minor, &options, answer),
            Startup::Cut => {
                let message = b"invalid startup packet layout: expected terminator as last byte";
                Failure::of_startup("08P01", message, "807").say(answer);
                self.broken()
            }
            Startup::Replication(value) => {
                let message = [b"invalid value for parameter \"replication\": \"", &value[..], b"\""].concat();
                let hint = "Valid values are: \"false\", 0, \"true\", 1, \"database\".";
                Failure { hint, ..Failure::of_startup("22023", &message, "763") }.say(answer);
                self.broken()
            }
            Startup::Other(major, minor) => self.unsupported(major, minor, answer),
        }
    }

    fn unsupported(&mut self, major: u32, minor: u32, answer: &mut Vec<u8>) -> Flow {
        let message = &format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0");
        if major < 3 {
            // Whoever speaks so old a protocol is told in its words.
            answer.extend_from_slice(format!("EFATAL:  {message}\n\0").as_bytes());
        } else {
            Failure::of_startup("0A000", message.as_bytes(), "703").say(answer);
        }
        self.broken()
    }

    fn start_tls(&mut self, asked: Asked) -> Flow {
        self.tls = Some(asked);
        self.phase = Phase::StartupHead;
        self.coming.want(HEAD_BYTES);
        Flow::StartTls
    }

    fn session(&mut self, user: Vec<u8>, minor: u32, options: &[Vec<u8>], answer: &mut Vec<u8>) -> Flow {
        if user.is_empty() {
            Failure::of_startup("28000", b"no PostgreSQL user name specified in startup packet", "824").say(answer);
            return self.close();
        }
        self.user = user;
        if minor > 0 || !options.is_empty() {
            // NegotiateProtocolVersion: 3.0, and what is not known.
            let named = options.iter().flat_map(|name| name.iter().copied().chain([0])).collect::<Vec<u8>>();
            let lengths = [named.len() + 12, options.len()].map(|number| u32::try_from(number).unwrap_or_default().to_be_bytes());
            answer.extend_from_slice(&[&b"v"[..], &lengths[0], &[0, 3, 0, 0], &lengths[1], &named].concat());
        }
        // AuthenticationCleartextPassword.
        answer.extend_from_slice(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]);
        self.phase = Phase::PasswordHead;
        self.coming.want(MESSAGE_HEAD_BYTES);
        Flow::Telling
    }

    fn password_head(&mut self, head: &[u8], answer: &mut Vec<u8>) -> Flow {
        let kind = head.first().copied().unwrap_or_default();
        if kind != b'p' {
            let message = format!("expected password response, got message type {kind}");
            Failure::of_password("08P01", message.as_bytes(), "731").say(answer);
            return self.broken();
        }
        match length(head.get(1..).unwrap_or_default()) {
            Some(bytes @ 5..=PASSWORD_BYTES_MAX) => self.expect(Phase::Password, bytes - 4),
            Some(4) => self.unsized_password(answer),
            _ => self.broken(),
        }
    }

    fn unsized_password(&mut self, answer: &mut Vec<u8>) -> Flow {
        Failure::of_password("08P01", b"invalid password packet size", "752").say(answer);
        self.broken()
    }

    fn password(&mut self, said: &[u8], answer: &mut Vec<u8>) -> Flow {
        self.findings.note("username", &self.user);
        self.findings.note("password", said.strip_suffix(b"\0").unwrap_or(said));
        self.findings.signs |= Signs::CREDENTIALS;
        match said.split_last() {
            Some((0, b"")) => Failure::of_password("28P01", b"empty password returned by client", "770").say(answer),
            // It is one of C's strings.
            Some((0, password)) if !password.contains(&0) => {
                let user = self.user.get(..NAME_BYTES_MAX).unwrap_or(&self.user);
                let message = [b"password authentication failed for user \"", user, b"\""].concat();
                let failure = Failure::of_password("28P01", &message, "329");
                Failure { routine: "auth_failed", ..failure }.say(answer);
            }
            _ => return self.unsized_password(answer),
        }
        self.close()
    }

    fn broken(&mut self) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        self.close()
    }

    fn close(&mut self) -> Flow {
        self.phase = Phase::Over;
        Flow::Close
    }
}

fn length(head: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*head.first_chunk()?))
}

impl Session for PostgresqlSession {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        // At most one error in all, so there is always room.
        Step::by_byte_until_full(bytes, answer, usize::MAX, |byte, answer| self.byte(byte, answer))
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
    }

    fn said(&mut self) -> Option<Vec<u8>> {
        core::mem::take(&mut self.is_asking).then(Vec::new)
    }

    fn hears_tls(&self) -> bool {
        true
    }

    fn tls(&self) -> TlsManner {
        TlsManner::Postgresql
    }

    fn unread(&mut self) -> Vec<u8> {
        if self.tls == Some(Asked::AtOnce) { [HANDSHAKE].into() } else { Vec::new() }
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Postgresql,
        drive::{self, Heard, said},
    };
    use proptest::prelude::*;

    const SSL_REQUEST: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";

    fn packet(body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body].concat()
    }

    fn login(user: &str, password: &str) -> Vec<u8> {
        let startup = packet(format!("\0\u{3}\0\0user\0{user}\0database\0shop\0application_name\0psql\0\0").as_bytes());
        [startup, b"p".to_vec(), packet(format!("{password}\0").as_bytes())].concat()
    }

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut Postgresql.session(), bytes)
    }

    #[test]
    fn a_password_is_asked_for_taken_down_and_refused() {
        let heard = talk(&login("postgres", "hunter2"));
        assert!(heard.answer.starts_with(b"R\0\0\0\x08\0\0\0\x03E\0\0\0"), "{:?}", said(&heard.answer));
        let error =
            "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"postgres\"\0Fauth.c\0L329\0Rauth_failed\0\0";
        assert!(said(&heard.answer).ends_with(error));
        let length = u32::from_be_bytes(*heard.answer[10..].first_chunk().unwrap());
        assert_eq!(usize::try_from(length).unwrap(), heard.answer.len() - 10);
        let fields = ["username", "password", "database", "client"].map(|name| heard.findings.fields[name].as_str());
        assert_eq!(fields, ["postgres", "hunter2", "shop", "psql"]);
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::CREDENTIALS));
    }

    #[test]
    fn tls_is_there_for_whoever_asks_and_gssapi_comes_to_nothing() {
        let asked = talk(SSL_REQUEST);
        assert_eq!((asked.answer.as_slice(), asked.flow), (&b"S"[..], Flow::StartTls));
        let inside = talk(&[SSL_REQUEST, &login("postgres", "hunter2")].concat());
        assert_eq!((inside.findings.fields["password"].as_str(), inside.findings.signs), ("hunter2", Signs::CREDENTIALS));
        let mut session = Postgresql.session();
        let at_once = drive::whole(&mut session, &[HANDSHAKE]);
        assert_eq!((at_once.answer.len(), at_once.flow, session.unread()), (0, Flow::StartTls, alloc::vec![HANDSHAKE]));
        let ticket = talk(b"\0\0\0\x08\x04\xd2\x16\x30\0\0\0\x03abc");
        assert_eq!((ticket.answer.as_slice(), ticket.flow), (&b"G"[..], Flow::Close));
    }

    #[test]
    fn what_is_no_session_ends_as_with_the_real_server() {
        let other = talk(&packet(b"\xff\x53\x4d\x42xxxx"));
        assert!(
            said(&other.answer).contains("C0A000\0Munsupported frontend protocol 65363.19778: server supports 3.0 to 3.0\0F")
        );
        assert_eq!(
            said(&talk(&packet(b"\0\x02\0\0user\0a\0\0")).answer),
            "EFATAL:  unsupported frontend protocol 2.0: server supports 3.0 to 3.0\n\0"
        );
        assert_eq!(
            talk(&packet(b"\0\x03\0\x02user\0a\0_pq_.foo\x001\0\0")).answer,
            b"v\0\0\0\x15\0\x03\0\0\0\0\0\x01_pq_.foo\0R\0\0\0\x08\0\0\0\x03"
        );
        let cut = talk(&packet(b"\0\x03\0\0user"));
        assert!(said(&cut.answer).contains("Minvalid startup packet layout: expected terminator as last byte\0"));
        let nobody = talk(&packet(b"\0\x03\0\0database\0x\0\0"));
        assert!(said(&nobody.answer).contains("C28000\0Mno PostgreSQL user name specified in startup packet\0"));
        for bytes in [b"GET / HTTP/1.0\r\n".as_slice(), &[0xff; 8], &[0; 8], &SSL_REQUEST.repeat(4), &packet(b"\0\x03\0\0user")] {
            let heard = talk(bytes);
            assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED), "{bytes:?}");
        }
        let query = talk(&[packet(b"\0\x03\0\0user\0a\0\0"), b"Q\0\0\0\x05x".to_vec()].concat());
        assert!(said(&query.answer).contains("Mexpected password response, got message type 81\0"));
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(SSL_REQUEST.to_vec()),
            Just(login("a", "b")),
            Just(packet(b"\0\x03\0\0user\0a\0\0")),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(word, 0..6).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(|| Postgresql.session(), &bytes, &cuts)?;
        }
    }
}

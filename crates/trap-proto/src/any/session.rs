//! One connection to a port that serves nothing by itself.

use super::{
    Any,
    first::{self, Guess, Protocol},
    overheard::Overheard,
};
use crate::{ANSWER_BYTES_MAX, Findings, Flow, Patience, Pause, Session, Step, TlsManner, tls::HANDSHAKE};
use alloc::{boxed::Box, vec::Vec};
use honeymesh_types::WallTime;

/// After so many bytes without a line's end what was said is told.
const TOLD_AFTER_BYTES: usize = 256;
/// From then on it is told whenever so many more bytes came.
const TOLD_EVERY_BYTES: usize = 4_096;
/// The longest answer of what is played to one byte, in bytes: Redis' to a stored value.
const PLAYED_BYTES_MAX: usize = 20 * 1_024;

/// One connection to a port that serves nothing by itself.
pub struct AnySession {
    any: Any,
    seed: u64,
    /// When the stranger came, and how many before him.
    met: (WallTime, u64),
    phase: Phase,
    /// TLS was asked for: the bytes that were its first.
    tls: Option<Vec<u8>>,
    /// That was just now.
    is_asking: bool,
    /// Bytes that may be the first of TLS, however they were cut: they are said once it is known that they are not.
    held: Vec<u8>,
    /// What the last bytes said, if it is something else than they are.
    said: Option<Vec<u8>>,
    /// First bytes that were said as they are; what is played then hears them once more.
    first_said: Vec<u8>,
    pause: Pause,
    findings: Findings,
}

enum Phase {
    /// The first bytes, of which nothing is known yet.
    First(Vec<u8>),
    /// A trap that knows the protocol goes on.
    Played(Box<dyn Session>),
    /// Taken down in silence: bytes since the last report, and how many make the next.
    Silent { bytes: usize, told_after: usize, overheard: Box<Overheard> },
}

impl Phase {
    fn silent() -> Self {
        Self::Silent { bytes: 0, told_after: TOLD_AFTER_BYTES, overheard: Box::default() }
    }
}

impl AnySession {
    pub(super) fn new(any: Any, seed: u64) -> Self {
        Self {
            any,
            seed,
            met: (WallTime::default(), 0),
            phase: Phase::First(Vec::new()),
            tls: None,
            is_asking: false,
            held: Vec::new(),
            said: None,
            first_said: Vec::new(),
            pause: Pause::default(),
            findings: Findings::default(),
        }
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        match &mut self.phase {
            Phase::First(bytes) => {
                bytes.push(byte);
                match first::guess(bytes) {
                    Guess::Open => Flow::Continue,
                    Guess::Known(protocol) => self.known(protocol, now, answer),
                    Guess::Unknown => self.fall_silent(now, answer),
                }
            }
            Phase::Played(session) => {
                let flow = session.receive(&[byte], now, answer).flow;
                self.pause = session.pause();
                flow
            }
            Phase::Silent { bytes, told_after, overheard } => {
                *bytes += 1;
                let is_login = overheard.byte(byte, &mut self.findings);
                let is_line = byte == b'\n' && *told_after == TOLD_AFTER_BYTES;
                if *bytes < *told_after && !is_line && !is_login {
                    return Flow::Continue;
                }
                (*bytes, *told_after) = (0, TOLD_EVERY_BYTES);
                Flow::Telling
            }
        }
    }

    /// The protocol is known: from now on it is played, with what was said so far.
    fn known(&mut self, protocol: Protocol, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.findings.note("protocol", protocol.word().as_bytes());
        let silent = Phase::silent();
        let next = match protocol {
            Protocol::Tls if self.tls.is_none() => return self.start_tls(),
            // TLS inside TLS, and cameras, which nobody plays.
            Protocol::Tls | Protocol::Rtsp => silent,
            played => self.any.play(played.word(), self.seed, self.tls.is_some()).map_or(silent, Phase::Played),
        };
        let Phase::First(said) = core::mem::replace(&mut self.phase, next) else { return Flow::Close };
        let (came, before) = self.met;
        let opened = self.inner().map_or(Flow::Continue, |session| {
            session.meet(came, before);
            session.open(answer)
        });
        said.into_iter().fold(opened, |flow, byte| flow.and(self.byte(byte, now, answer)))
    }

    /// What comes inside TLS is recognised like what comes in the clear.
    fn start_tls(&mut self) -> Flow {
        let Phase::First(said) = core::mem::replace(&mut self.phase, Phase::First(Vec::new())) else { return Flow::Close };
        self.tls = Some(said);
        self.is_asking = true;
        Flow::StartTls
    }

    fn fall_silent(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let silent = Phase::silent();
        let Phase::First(said) = core::mem::replace(&mut self.phase, silent) else { return Flow::Close };
        said.into_iter().fold(Flow::Continue, |flow, byte| flow.and(self.byte(byte, now, answer)))
    }

    /// What these bytes say, if it is something else than they are.
    fn said_with(&mut self, taken: &[u8]) -> Option<Vec<u8>> {
        if core::mem::take(&mut self.is_asking) {
            self.held = Vec::new();
            return Some(Vec::new());
        }
        match &self.phase {
            Phase::First(bytes) if self.tls.is_none() && bytes.first() == Some(&HANDSHAKE) => {
                self.held.clone_from(bytes);
                Some(Vec::new())
            }
            _ if self.held.is_empty() => None,
            _ => Some([&core::mem::take(&mut self.held), taken].concat()),
        }
    }

    fn inner(&mut self) -> Option<&mut dyn Session> {
        match &mut self.phase {
            Phase::Played(session) => Some(session.as_mut()),
            _ => None,
        }
    }
}

impl Session for AnySession {
    fn meet(&mut self, now: WallTime, before: u64) {
        self.met = (now, before);
    }

    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        // Inside TLS that what is played has asked for.
        self.inner().map_or(Flow::Continue, |session| session.open(answer))
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - PLAYED_BYTES_MAX;
        let step =
            Step::by_byte_until_paused(bytes, answer, full, |byte, answer| (self.byte(byte, now, answer), self.pause.ms > 0));
        self.said = self.said_with(&bytes[..step.taken]);
        if let (Phase::First(bytes), None) = (&self.phase, &self.said) {
            self.first_said.clone_from(bytes);
        }
        step
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
    }

    fn patience(&self) -> Patience {
        match &self.phase {
            Phase::Played(session) => session.patience(),
            _ => Patience::default(),
        }
    }

    fn end(&mut self) {
        if let Some(session) = self.inner() {
            session.end();
        }
        // Bytes that were the beginning of nothing.
        let mut left = core::mem::take(&mut self.held);
        if !left.is_empty() {
            self.said.get_or_insert_default().append(&mut left);
        }
    }

    fn findings(&mut self) -> Findings {
        let mut findings = core::mem::take(&mut self.findings);
        if let Some(session) = self.inner() {
            let theirs = session.findings();
            findings.merge(theirs);
        }
        findings
    }

    fn hears_tls(&self) -> bool {
        true
    }

    fn unread(&mut self) -> Vec<u8> {
        self.tls.clone().unwrap_or_default()
    }

    fn resume(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let session = self.inner()?;
        let flow = session.resume(now, answer);
        self.pause = session.pause();
        flow
    }

    fn said(&mut self) -> Option<Vec<u8>> {
        self.said.take().or_else(|| {
            self.inner()?;
            let first = core::mem::take(&mut self.first_said);
            let session = self.inner()?;
            let mut said = session.said()?;
            if said.starts_with(&first) {
                said.drain(..first.len());
            }
            Some(said)
        })
    }

    fn tls(&self) -> TlsManner {
        match &self.phase {
            Phase::Played(session) => session.tls(),
            _ => TlsManner::Web,
        }
    }

    fn is_secret(&self) -> bool {
        matches!(&self.phase, Phase::Played(session) if session.is_secret())
    }

    fn has_heard_all(&self) -> bool {
        matches!(&self.phase, Phase::Played(session) if session.has_heard_all())
    }

    fn leaves_tls(&self) -> bool {
        matches!(&self.phase, Phase::Played(session) if session.leaves_tls())
    }

    fn purges(&mut self, behind: &[u8]) -> bool {
        self.inner().is_some_and(|session| session.purges(behind))
    }

    fn misses_tls(&mut self, head: &[u8], answer: &mut Vec<u8>) {
        if let Some(session) = self.inner() {
            session.misses_tls(head, answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::{self, Heard, said};
    use alloc::{format, string::String, vec};
    use honeymesh_types::Signs;
    use proptest::prelude::*;

    fn session() -> AnySession {
        Any::like(&[], &crate::Persona::of([7; 32])).session(7)
    }

    fn hear(bytes: &[u8]) -> Heard {
        drive::whole(&mut session(), bytes)
    }

    fn protocol(heard: &Heard) -> Option<&str> {
        heard.findings.fields.get("protocol").map(String::as_str)
    }

    #[test]
    fn nothing_is_said_to_whoever_says_nothing() {
        let heard = hear(b"");
        assert_eq!((heard.answer.len(), heard.reports.len(), heard.flow), (0, 0, Flow::Continue));
    }

    #[test]
    fn http_is_played_as_the_web_trap_plays_it() {
        let heard = hear(b"GET /shell?cmd=id HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(said(&heard.answer).starts_with("HTTP/1.1 404 Not Found"), "{}", said(&heard.answer));
        assert_eq!((protocol(&heard), heard.findings.fields["path"].as_str()), (Some("http"), "/shell?cmd=id"));
        assert_eq!((heard.flow, heard.reports.len()), (Flow::Telling, 1));
        assert_eq!(heard.reports[0].1, b"GET /shell?cmd=id HTTP/1.1\r\nHost: a\r\n\r\n", "from the first byte on");
        let login = hear(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YWRtaW46c2VjcmV0\r\n\r\n");
        assert_eq!(login.findings.signs, Signs::CREDENTIALS);
    }

    #[test]
    fn ssh_is_greeted_once_it_is_known() {
        let heard = hear(b"SSH-2.0-Go\r\n");
        assert!(said(&heard.answer).starts_with("SSH-2.0-OpenSSH"), "{}", said(&heard.answer));
        assert_eq!((protocol(&heard), heard.findings.fields["client"].as_str()), (Some("ssh"), "SSH-2.0-Go"));
    }

    #[test]
    fn who_greets_a_mail_server_or_negotiates_with_a_telnetd_meets_one() {
        let mail = hear(b"EHLO a\r\n");
        assert!(
            said(&mail.answer).split_once(' ').unwrap().1.contains(".localdomain ESMTP Postfix (Debian)\r\n")
                && said(&mail.answer).contains("250-PIPELINING")
        );
        assert_eq!((protocol(&mail), mail.findings.fields["client"].as_str()), (Some("smtp"), "a"));
        let login = hear(b"\xff\xfd\x03root\r\nxc3511\r\n");
        assert!(login.answer.starts_with(b"\xff\xfd\x01") && said(&login.answer).contains("Login incorrect"));
        assert_eq!((protocol(&login), login.findings.signs), (Some("telnet"), Signs::CREDENTIALS));
    }

    #[test]
    fn who_begins_with_tls_gets_it_and_is_recognised_again_inside() {
        let mut session = session();
        let heard = drive::whole(&mut session, &[0x16, 3, 1]);
        assert_eq!((heard.answer.len(), heard.flow, protocol(&heard)), (0, Flow::StartTls, Some("tls")));
        assert_eq!(session.unread(), [0x16, 3, 1]);
        let inside = drive::whole(&mut session, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((protocol(&inside), inside.findings.fields["path"].as_str()), (Some("http"), "/x"));
        let twice = hear(&[0x16, 3, 1, 0x16, 3, 1]);
        assert_eq!((twice.answer.len(), twice.flow), (0, Flow::StartTls), "none inside itself");
    }

    #[test]
    fn nothing_that_is_played_inside_tls_offers_it_again() {
        let inside = |talk: &[u8]| {
            let mut session = session();
            let _ = drive::begun(&mut session, &[&[0x16, 3, 1]]);
            drive::whole(&mut session, talk)
        };
        let mail = inside(b"EHLO a\r\n");
        assert!(said(&mail.answer).contains("250-SIZE") && !said(&mail.answer).contains("STARTTLS"), "{}", said(&mail.answer));
        assert_eq!(said(&inside(b"MAIL FROM:<a>\r\n").answer), said(&hear(b"MAIL FROM:<a>\r\n").answer));
        let database = inside(b"\0\0\0\x08\x04\xd2\x16\x2f");
        assert!(said(&database.answer).contains("unsupported frontend protocol 1234.5679"), "{}", said(&database.answer));
        // With the flag that asks for TLS, and no more than that.
        let login = b"\x20\0\0\x01\x05\xae\x0f\0\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let (open, secured) = (hear(login), inside(login));
        assert!(open.flow == Flow::StartTls && secured.flow == Flow::Close && said(&secured.answer).ends_with("Bad handshake"));
        let differing: Vec<u8> =
            open.answer.iter().zip(&secured.answer).map(|(one, other)| one ^ other).filter(|byte| *byte > 0).collect();
        assert_eq!(differing, [8], "the flag in the greeting");
        let prelogin = b"\x12\x01\0\x1a\0\0\0\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x08\0\x01\x55\0\0\0";
        assert_eq!((hear(prelogin).flow, inside(prelogin).flow), (Flow::StartTls, Flow::Telling));
        let desktop = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0";
        assert_eq!((hear(desktop).answer[15], inside(desktop).answer[15]), (1, 0));
    }

    #[test]
    fn what_is_played_may_ask_for_tls_and_goes_on_inside() {
        let mut session = session();
        let (asked, _) = drive::begun(&mut session, &[b"EHLO a\r\n", b"MAIL FROM:<a@b>\r\n", b"STARTTLS\r\n"]);
        assert!(asked.flow == Flow::StartTls && session.unread().is_empty() && session.purges(b"RSET\r\n"));
        let inside = drive::whole(&mut session, b"MAIL FROM:<a@b>\r\n");
        assert_eq!(said(&inside.answer), "250 2.1.0 Ok\r\n", "it begins anew");
    }

    #[test]
    fn what_begins_as_tls_is_said_if_it_is_none_and_not_if_it_is_however_it_is_cut() {
        for (talk, said) in [(&b"\x16\x03\x01"[..], &b""[..]), (b"\x16\x03GET", b"\x16\x03GET"), (b"\x16GET", b"\x16GET")] {
            for length in 1..=talk.len() {
                let (mut session, mut heard) = (session(), Vec::new());
                for piece in talk.chunks(length) {
                    let _ = session.receive(piece, drive::NOW, &mut Vec::new());
                    heard.extend(session.said().unwrap_or_else(|| piece.to_vec()));
                }
                assert_eq!(heard, said, "{talk:?} in pieces of {length}");
            }
        }
    }

    #[test]
    fn telephones_are_played_and_cameras_are_not_taken_for_the_web() {
        let options = |target: &str| {
            format!(
                "OPTIONS {target}\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:100@a>\r\n\
                 Call-ID: 9\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
        };
        let heard = hear(options("sip:100@a SIP/2.0").as_bytes());
        assert!(said(&heard.answer).starts_with("SIP/2.0 200 OK\r\n"), "{}", said(&heard.answer));
        assert_eq!((protocol(&heard), heard.findings.fields["method"].as_str()), (Some("sip"), "OPTIONS"));
        let register = options("sip:a SIP/2.0").replace("OPTIONS", "REGISTER");
        assert!(said(&hear(register.as_bytes()).answer).starts_with("SIP/2.0 401 Unauthorized\r\n"));
        for target in ["rtsp://a/live RTSP/1.0", "/ RTSP/1.0", "* RTSP/1.0"] {
            let camera = hear(options(target).as_bytes());
            assert_eq!((camera.answer.len(), protocol(&camera)), (0, Some("rtsp")), "{target}");
            assert!(camera.reports[0].1.starts_with(b"OPTIONS "), "{target}: it is taken down from its first byte on");
        }
        let web = hear(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(said(&web.answer).starts_with("HTTP/1.1 ") && protocol(&web) == Some("http"), "{}", said(&web.answer));
    }

    #[test]
    fn packets_of_windows_services_are_played_from_the_first_one_on() {
        let packet = [&[3, 0, 0, 11, 6, 0xe0][..], &[0; 5]].concat();
        let heard = hear(&packet);
        let confirm = [3, 0, 0, 11, 6, 0xd0, 0, 0, 0x12, 0x34, 0];
        assert_eq!((heard.answer.as_slice(), heard.reports.len(), protocol(&heard)), (&confirm[..], 1, Some("rdp")));
        let bind = hear(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0");
        assert_eq!((bind.answer.len(), protocol(&bind)), (14, Some("ldap")));
        let old =
            hear(b"\0\0\0\x2f\xffSMBr\0\0\0\0\x18\x01\x28\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0c\0\x02NT LM 0.12\0");
        assert!(old.answer[4..].starts_with(b"\xffSMBr") && protocol(&old) == Some("smb"));
        let sql = hear(b"\x12\x01\0\x0e\0\0\0\0\xff\0\0\0\0\0");
        assert_eq!((sql.answer[0], protocol(&sql)), (4, Some("mssql")));
        let mongo = hear(b"\x28\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x13\0\0\0\x10ping\0\x01\0\0\0\x00\0\0\0");
        assert_eq!(protocol(&mongo), Some("mongodb"));
    }

    #[test]
    fn stores_are_played_and_what_is_not_known_is_taken_down() {
        let redis = hear(b"*1\r\n$4\r\nPING\r\n");
        assert_eq!((redis.answer.as_slice(), protocol(&redis), redis.flow), (&b"+PONG\r\n"[..], Some("redis"), Flow::Telling));
        assert_eq!(said(&hear(b"version\r\n").answer), "VERSION 1.6.38\r\n");
        let many =
            hear(b"*9\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\nc\r\n$1\r\n3\r\n$1\r\nd\r\n$1\r\n4\r\n");
        assert_eq!((many.answer.as_slice(), protocol(&many)), (&b"+OK\r\n"[..], Some("redis")));
        assert_eq!(said(&hear(b"set a 0 0 1\r\nx\r\nget a\r\n").answer), "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n");
        let database = hear(b"\0\0\0\x08\x04\xd2\x16\x2f");
        assert_eq!((database.answer.as_slice(), protocol(&database)), (&b"S"[..], Some("postgresql")));
        let other = hear(b"\x00\x01\x02helo\nmore");
        assert_eq!((other.answer.len(), protocol(&other)), (0, None));
        assert_eq!(other.reports[0].1, b"\x00\x01\x02helo\n", "the first line is told at once");
        assert_eq!(other.reports[1].1, b"more");
        let long = hear(&vec![b'x'; 10_000]);
        let told: Vec<usize> = long.reports.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(
            told,
            [TOLD_AFTER_BYTES, TOLD_EVERY_BYTES, TOLD_EVERY_BYTES, 10_000 - TOLD_AFTER_BYTES - 2 * TOLD_EVERY_BYTES]
        );
    }

    /// What is played may put an answer off, and then again.
    #[test]
    fn what_is_played_waits_as_long_as_it_does_alone() {
        let (mut session, mut answer) = (session(), Vec::new());
        let step = session.receive(b"*3\r\n$5\r\nBLPOP\r\n$4\r\nnone\r\n$2\r\n25\r\n", drive::NOW, &mut answer);
        let mut waited = vec![session.pause().ms];
        while session.resume(drive::NOW, &mut answer).is_some() {
            waited.push(session.pause().ms);
        }
        assert_eq!((step.flow, waited, said(&answer).as_str()), (Flow::Telling, vec![10_000, 10_000, 5_000], "*-1\r\n"));
    }

    /// Names and passwords.
    type Logins<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn whoever_logs_in_before_he_is_asked_is_told_with_his_password() {
        let table: [(&[u8], Logins<'_>); 7] = [
            (b"root\r\nxc3511\r\nshell\r\n", &[("root", "xc3511")]),
            (b"USER anonymous\r\nPASS a b\r\n", &[("anonymous", "a b")]),
            (b"user x\r\npass 1\r\nUSER y\r\nPASS 2\r\n", &[("x", "1"), ("y", "2")]),
            (b"a01 LOGIN bob \"secret\"\r\n", &[("bob", "secret")]),
            (b"PASS lonely\r\n", &[("", "lonely")]),
            (b"hello\r\nroot\r\nxc3511\r\n", &[]),
            (b"USER x\r\nPASS\r\na LOGIN b\r\n", &[]),
        ];
        for (talk, expected) in table {
            let heard = hear(talk);
            let field = |found: &Findings, name: &str| found.fields.get(name).cloned().unwrap_or_default();
            let told: Vec<(String, String)> = heard
                .reports
                .iter()
                .filter(|(found, _)| found.signs == Signs::CREDENTIALS)
                .map(|(found, _)| (field(found, "username"), field(found, "password")))
                .collect();
            let expected: Vec<(String, String)> = expected.iter().map(|(name, word)| ((*name).into(), (*word).into())).collect();
            assert_eq!((told, heard.answer.len()), (expected, 0), "{}", said(talk));
        }
        let long = [b"USER x\r\nPASS ".as_slice(), &[b'a'; 600], b"\r\n"].concat();
        assert!(!hear(&long).findings.fields.contains_key("password"), "no line of that length is looked at");
    }

    #[test]
    fn a_web_browser_in_small_letters_is_no_memcached_client() {
        let heard = hear(b"get / http/1.1\r\n\r\n");
        assert!(said(&heard.answer).starts_with("HTTP/1.1 400 Bad Request\r\n"), "{}", said(&heard.answer));
        assert_eq!(protocol(&heard), Some("http"));
    }

    fn talk() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
            Just(b"POS".to_vec()),
            Just(b"PRI * HTTP/2.0\r\n".to_vec()),
            Just(b"SSH-2.0-Go\r\n".to_vec()),
            Just(b"\x16\x03\x01\x00\x09".to_vec()),
            Just(b"\x03\x00\x00\x13".to_vec()),
            Just(b"\x12\x01\0\x34\0\0".to_vec()),
            Just(b"\0\0\0\x20\xfeSMB\x40".to_vec()),
            Just(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0".to_vec()),
            Just(b"\x20\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0".to_vec()),
            Just(b"*1\r\n$4\r\nPING\r\n".to_vec()),
            Just(b"\0\0\0\x08\x04\xd2\x16\x2f\0\0\0\x10\0\x03\0\0user\0a\0\0".to_vec()),
            Just(b"\x22\0\0\x01\x05\xa6\x0f\0\0\0\0\x01\x21\0".to_vec()),
            Just(b"EHLO a\r\nVRFY b\r\n".to_vec()),
            Just(
                b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP a\r\nFrom: a\r\nTo: a\r\nCall-ID: 9\r\nCSeq: 1 OPTIONS\r\n\r\n"
                    .to_vec()
            ),
            Just(b"OPTIONS / RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec()),
            Just(b"set a 0 0 1\r\nx\r\nget a\r\n".to_vec()),
            Just(b"*10\r\n$4\r\n".to_vec()),
            Just(b"root\r\nxc3511\r\nUSER a\r\nPASS b\r\n".to_vec()),
            Just(b"\xff\xfd\x03root\r\na\r\nroot\r\nb\r\nbusybox;busybox;mount;mount\r\n".to_vec()),
            Just(vec![b'x'; 5_000]),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), talk()], cuts in drive::cuts()) {
            drive::law(session, &bytes, &cuts)?;
        }
    }
}

//! An FTP server that refuses every login: vsftpd, answer for answer.
//!
//! Every answer was compared with a real vsftpd 3.0.5 with Debian's configuration.

use crate::{ANSWER_BYTES_MAX, BannerError, Findings, Flow, Pause, Session, Step, pause, service::checked_banner};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};

/// What Debian 13's vsftpd says after `220 `.
const BANNER: &str = "(vsFTPd 3.0.5)";
/// The longest command line with its end, in bytes: vsftpd's own limit.
const LINE_BYTES_MAX: usize = 4_096;
/// Wrong passwords until the connection ends: vsftpd's own limit.
const LOGINS_MAX: usize = 3;
/// The longest single answer, in bytes.
const REPLY_BYTES_MAX: usize = 256;

const LOGIN_FIRST: &str = "530 Please login with USER and PASS.\r\n";
const FEATURES: &str = "211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n PASV\r\n REST STREAM\r\n SIZE\r\n TVFS\r\n211 End\r\n";

/// An FTP server that refuses every login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ftp {
    banner: String,
}

impl Default for Ftp {
    /// Debian 13's vsftpd.
    fn default() -> Self {
        Self { banner: BANNER.to_string() }
    }
}

impl Ftp {
    /// With an operator's text after `220 `.
    ///
    /// # Errors
    /// Says why the text is no banner.
    pub fn new(banner: &str) -> Result<Self, BannerError> {
        Ok(Self { banner: checked_banner(banner)? })
    }

    /// A new connection; `seed` makes its waits differ.
    #[must_use]
    pub fn session(&self, seed: u64) -> FtpSession {
        FtpSession {
            greeting: "220 ".to_string() + &self.banner + "\r\n",
            line: Vec::new(),
            user: None,
            logins: 0,
            seed,
            pause: Pause::default(),
            over: false,
            findings: Findings::default(),
        }
    }
}

/// One connection to an FTP trap.
pub struct FtpSession {
    greeting: String,
    /// The line so far.
    line: Vec<u8>,
    /// The last user name, until a password was refused.
    user: Option<Vec<u8>>,
    logins: usize,
    seed: u64,
    pause: Pause,
    over: bool,
    findings: Findings,
}

impl FtpSession {
    fn byte(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        if self.over {
            return Flow::Close;
        }
        if byte != b'\n' {
            self.line.push(byte);
            return if self.line.len() < LINE_BYTES_MAX { Flow::Continue } else { self.too_long(answer) };
        }
        let line = core::mem::take(&mut self.line);
        let (logins, at) = (self.logins, answer.len());
        let (reply, flow) = self.command(trim_returns(&line));
        if self.logins > logins {
            self.pause = Pause::behind(&answer[..at], pause::vsftpd_ms(self.seed, logins));
        }
        answer.extend_from_slice(reply.as_bytes());
        self.over = flow == Flow::Close;
        flow
    }

    fn too_long(&mut self, answer: &mut Vec<u8>) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        self.findings.note_first("command", &self.line);
        answer.extend_from_slice(b"500 Input line too long.\r\n");
        self.line = Vec::new();
        self.over = true;
        Flow::Close
    }

    fn command(&mut self, line: &[u8]) -> (&'static str, Flow) {
        let (verb, argument) = split_command(line);
        let verb = verb.to_ascii_uppercase();
        match verb.as_slice() {
            b"" if line.is_empty() => ("", Flow::Continue),
            b"USER" => self.user(argument),
            b"PASS" => self.password(argument),
            b"QUIT" => ("221 Goodbye.\r\n", Flow::Close),
            b"FEAT" => (FEATURES, Flow::Continue),
            b"OPTS" if argument.eq_ignore_ascii_case(b"UTF8 ON") => ("200 Always in UTF8 mode.\r\n", Flow::Continue),
            b"OPTS" => ("501 Option not understood.\r\n", Flow::Continue),
            b"GET" | b"POST" | b"HEAD" | b"OPTIONS" | b"CONNECT" => {
                let _ = self.unknown(&verb, line);
                self.findings.signs |= Signs::MALFORMED;
                ("500 HTTP protocol commands not allowed.\r\n", Flow::Close)
            }
            _ => self.unknown(&verb, line),
        }
    }

    fn user(&mut self, name: &[u8]) -> (&'static str, Flow) {
        self.findings.note("username", name);
        self.user = Some(name.to_vec());
        ("331 Please specify the password.\r\n", Flow::Continue)
    }

    fn password(&mut self, password: &[u8]) -> (&'static str, Flow) {
        self.findings.note("password", password);
        self.findings.signs |= Signs::CREDENTIALS;
        // vsftpd tells an empty name from a missing one no more than this.
        match self.user.take() {
            Some(name) if !name.is_empty() => self.findings.note("username", &name),
            _ => return ("503 Login with USER first.\r\n", Flow::Telling),
        }
        self.logins += 1;
        let flow = if self.logins < LOGINS_MAX { Flow::Telling } else { Flow::Close };
        ("530 Login incorrect.\r\n", flow)
    }

    /// A command that vsftpd knows only after a login, or not at all: it does not say which.
    fn unknown(&mut self, verb: &[u8], line: &[u8]) -> (&'static str, Flow) {
        self.findings.note("command", line);
        if !is_ftp_verb(verb) {
            self.findings.signs |= Signs::MALFORMED;
        }
        (LOGIN_FIRST, Flow::Continue)
    }
}

/// Three or four letters, as in every FTP command.
fn is_ftp_verb(verb: &[u8]) -> bool {
    matches!(verb.len(), 3 | 4) && verb.iter().all(u8::is_ascii_alphabetic)
}

fn trim_returns(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    &line[..end]
}

/// The verb up to the first space and the argument behind it.
fn split_command(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(space) => (&line[..space], &line[space + 1..]),
        None => (line, &[]),
    }
}

impl Session for FtpSession {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(self.greeting.as_bytes());
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - REPLY_BYTES_MAX;
        Step::by_byte_until_full(bytes, answer, full, |byte, answer| self.byte(byte, answer))
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
    }

    fn end(&mut self) {
        let line = core::mem::take(&mut self.line);
        if !line.is_empty() && !self.over {
            let _ = self.command(trim_returns(&line));
        }
        self.over = true;
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

    fn session() -> FtpSession {
        Ftp::default().session(7)
    }

    fn replies(bytes: &[u8]) -> String {
        said(&drive::whole(&mut session(), bytes).answer).replace("\r\n", "|")
    }

    /// Each conversation was held with a real vsftpd 3.0.5, which answered the same.
    #[test]
    fn commands_are_answered_as_vsftpd_does() {
        let first = "530 Please login with USER and PASS.|";
        let features = FEATURES.replace("\r\n", "|");
        let table: [(&[u8], String); 18] = [
            (b"SYST\r\n", first.into()),
            (b"FEAT\r\n", features.clone()),
            (b"feat x\n", features.clone()),
            (b"FEAT\r\r\n FEAT\r\nFEAT \r\n", [features.as_str(), first, &features].concat()),
            (b"AUTH TLS\r\n", first.into()),
            (b"OPTS UTF8 ON\r\n", "200 Always in UTF8 mode.|".into()),
            (b"opts foo\r\n", "501 Option not understood.|".into()),
            (b"HELP\r\n", first.into()),
            (b"\r\n\n", "".into()),
            (b"  \r\n", first.into()),
            (b"PASS x\r\n", "503 Login with USER first.|".into()),
            (b"USER\r\nPASS x\r\n", "331 Please specify the password.|503 Login with USER first.|".into()),
            (b"USER root\r\nNOOP\r\n", ["331 Please specify the password.|", first].concat()),
            (b"USER root\r\npass x\r\n", "331 Please specify the password.|530 Login incorrect.|".into()),
            (b"FOO\0BAR\r\n\xff\xf4\xff\xf2ABOR\r\nPUT / HTTP/1.0\r\n", first.repeat(3)),
            (b"GET / HTTP/1.0\r\nHost: a\r\n", "500 HTTP protocol commands not allowed.|".into()),
            (b"QUIT now\nNOOP\n", "221 Goodbye.|".into()),
            (
                b"USER a\r\nPASS b\r\nPASS c\r\n",
                "331 Please specify the password.|530 Login incorrect.|503 Login with USER first.|".into(),
            ),
        ];
        for (bytes, answer) in table {
            assert_eq!(replies(bytes), "220 (vsFTPd 3.0.5)|".to_string() + &answer, "{:?}", said(bytes));
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_with_vsftpd() {
        let line = |length: usize| [alloc::vec![b'A'; length].as_slice(), b"\r\n"].concat();
        assert!(replies(&line(4_094)).ends_with("|530 Please login with USER and PASS.|"));
        assert!(replies(&line(4_095)).ends_with("|500 Input line too long.|"));
        let heard = drive::whole(&mut session(), &[b'A'; 9_000]);
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED));
    }

    #[test]
    fn each_password_is_a_report_with_its_user() {
        let heard = drive::whole(&mut session(), b"USER root\r\nPASS toor\r\nUSER admin\r\nPASS a b\r\n");
        let told: Vec<_> = heard
            .reports
            .iter()
            .map(|(found, _)| (found.fields["username"].as_str(), found.fields["password"].as_str()))
            .collect();
        assert_eq!(told, [("root", "toor"), ("admin", "a b")]);
        assert_eq!(heard.reports[1].1, b"USER admin\r\nPASS a b\r\n", "a report has the bytes that made it");
        assert!(heard.reports.iter().all(|(found, _)| found.signs == Signs::CREDENTIALS));
    }

    #[test]
    fn the_third_wrong_password_ends_it() {
        let heard = drive::whole(&mut session(), &b"USER a\r\nPASS b\r\n".repeat(5));
        assert_eq!(heard.pauses.len(), 3, "each costs vsftpd's and PAM's wait: {:?}", heard.pauses);
        assert!(heard.pauses.iter().all(|(at, ms)| (2_000..4_000).contains(ms) && heard.answer[*at..].starts_with(b"530 ")));
        assert_eq!((heard.flow, heard.reports.len()), (Flow::Close, 3));
    }

    #[test]
    fn a_password_without_an_end_is_found_at_the_end() {
        let heard = drive::whole(&mut session(), b"USER root\r\nPASS half");
        assert_eq!(heard.findings.fields["password"], "half");
        assert!(heard.findings.signs.contains(Signs::CREDENTIALS));
    }

    #[test]
    fn another_protocol_is_malformed_and_a_command_after_login_is_not() {
        assert!(drive::whole(&mut session(), b"\x16\x03\x01\n").findings.signs.contains(Signs::MALFORMED));
        assert!(drive::whole(&mut session(), b"SYST\r\n").findings.signs.is_empty());
    }

    #[test]
    fn the_banner_can_be_changed_but_not_split() {
        let mut answer = Vec::new();
        let _ = Ftp::new("ProFTPD Server ready.").unwrap().session(7).open(&mut answer);
        assert_eq!(answer, b"220 ProFTPD Server ready.\r\n");
        assert_eq!(Ftp::new("a\r\n230 b"), Err(BannerError::Characters));
    }

    fn talk() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"USER ".to_vec()),
            Just(b"PASS ".to_vec()),
            Just(b"FEAT".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"QUIT".to_vec()),
            Just(alloc::vec![b'x'; 2_000]),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(noise in prop_oneof![drive::noise(), talk()], cuts in drive::cuts()) {
            drive::law(session, &noise, &cuts)?;
        }
    }

    #[test]
    fn a_flood_of_short_lines_is_answered_in_bounded_pieces() {
        let heard = drive::whole(&mut session(), &b"x\n".repeat(10_000));
        assert_eq!(heard.answer.len(), 20 + 10_000 * LOGIN_FIRST.len());
    }
}

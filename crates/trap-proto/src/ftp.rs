//! An FTP server that knows nobody but `anonymous`, who may bring what he likes: vsftpd, answer for answer.
//!
//! Every answer was compared with a real vsftpd 3.0.5: with Debian's configuration, and with an upload folder (`docs/traps/ftp.md`).

mod inside;
mod tree;

use crate::{
    ANSWER_BYTES_MAX, BannerError, Done, Errand, Findings, Flow, Pause, Persona, Session, Step, pause, service::checked_banner,
    shell::debian::numbers,
};
use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};
use inside::Inside;
pub(crate) use tree::LISTING_BYTES_MAX;
use tree::Owner;

/// What Debian 13's vsftpd says after `220 `.
const BANNER: &str = "(vsFTPd 3.0.5)";
/// The longest command line with its end, in bytes: vsftpd's own limit.
const LINE_BYTES_MAX: usize = 4_096;
/// Wrong passwords until the connection ends: vsftpd's own limit.
pub const FTP_TRIES_MAX: u8 = 3;
/// The longest single answer, in bytes: a path with every byte twice.
const REPLY_BYTES_MAX: usize = 4 * 1_024;
/// Whom vsftpd asks for no password of his own.
const NOBODY: [&[u8]; 2] = [b"ANONYMOUS", b"FTP"];
/// When the folders of nobody's machine were made, in seconds since 1970, and the numbers of its user `ftp` and of his group.
const NOBODYS: SetUp = SetUp { at: 1_759_276_800, user: 101, group: 103 };
/// Whoever is a user of the machine himself.
const FIRST_USER: u16 = 1_000;

const LOGIN_FIRST: &str = "530 Please login with USER and PASS.\r\n";
const FEATURES: &str = "211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n PASV\r\n REST STREAM\r\n SIZE\r\n TVFS\r\n211 End\r\n";
/// The same without active mode.
const PASSIVE_FEATURES: &str = "211-Features:\r\n EPSV\r\n MDTM\r\n PASV\r\n REST STREAM\r\n SIZE\r\n TVFS\r\n211 End\r\n";

/// An FTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ftp {
    banner: String,
    admits: Admits,
    set_up: SetUp,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admits {
    Nobody,
    Anonymous,
    /// Besides, whoever tries for so many a time.
    Try(u8),
}

/// What is seen behind the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SetUp {
    /// In seconds since 1970.
    at: u64,
    /// The numbers of the user `ftp` and of his group.
    user: u16,
    group: u16,
}

impl Default for Ftp {
    /// Debian 13's vsftpd, with an upload folder for everybody.
    fn default() -> Self {
        Self { banner: BANNER.to_string(), admits: Admits::Anonymous, set_up: NOBODYS }
    }
}

impl Ftp {
    /// The same on the machine that `persona` is.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        let (user, group) = numbers(persona, "ftp");
        Self { set_up: SetUp { at: persona.set_up("ftp"), user, group }, ..Self::default() }
    }

    /// The same with an operator's text after `220 `.
    ///
    /// # Errors
    /// Says why the text is no banner.
    pub fn saying(self, banner: &str) -> Result<Self, BannerError> {
        Ok(Self { banner: checked_banner(banner)?, ..self })
    }

    /// The same, but nobody is let in (0), or besides the nameless the `let_in`th try: 1 to [`FTP_TRIES_MAX`].
    #[must_use]
    pub fn letting_in(self, let_in: u8) -> Self {
        let admits = if let_in == 0 { Admits::Nobody } else { Admits::Try(let_in) };
        Self { admits, ..self }
    }

    /// Can anybody come so far that he needs a port for his data?
    #[must_use]
    pub const fn opens_ports(&self) -> bool {
        !matches!(self.admits, Admits::Nobody)
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
            admits: self.admits,
            set_up: self.set_up,
            inside: None,
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
    admits: Admits,
    set_up: SetUp,
    /// Once somebody is logged in. Hardly anybody ever is, and a session that waits is to be small.
    inside: Option<Box<Inside>>,
}

impl FtpSession {
    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.over {
            return Flow::Close;
        }
        if byte != b'\n' {
            self.line.push(byte);
            return if self.line.len() < LINE_BYTES_MAX { Flow::Continue } else { self.too_long(answer) };
        }
        let line = core::mem::take(&mut self.line);
        let flow = self.line(trim_returns(&line), now, answer);
        self.over = flow == Flow::Close;
        flow
    }

    fn line(&mut self, line: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.inside.is_some() {
            return self.inside(line, now, answer);
        }
        let (logins, at) = (self.logins, answer.len());
        let (reply, flow) = self.command(line);
        if self.logins > logins && self.inside.is_none() {
            self.pause = Pause::behind(&answer[..at], pause::vsftpd_ms(self.seed, logins));
        }
        answer.extend_from_slice(reply.as_bytes());
        flow
    }

    /// A command behind the login.
    fn inside(&mut self, line: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        // A space by itself is a command, which nobody knows; nothing at all is none.
        let (verb, argument) = if line == b" " { (line, &b""[..]) } else { split_command(line) };
        let verb = verb.to_ascii_uppercase();
        if matches!(verb.as_slice(), b"FEAT" | b"OPTS") || is_web(&verb) {
            let (reply, flow) = self.command(line);
            answer.extend_from_slice(reply.as_bytes());
            return flow;
        }
        let Some(inside) = &mut self.inside else { return Flow::Continue };
        inside.command((&verb, argument), now, &mut self.findings, answer)
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
            b"FEAT" if self.admits == Admits::Nobody => (FEATURES, Flow::Continue),
            b"FEAT" => (PASSIVE_FEATURES, Flow::Continue),
            b"OPTS" if argument.eq_ignore_ascii_case(b"UTF8 ON") => ("200 Always in UTF8 mode.\r\n", Flow::Continue),
            b"OPTS" => ("501 Option not understood.\r\n", Flow::Continue),
            verb if is_web(verb) => {
                let _ = self.unknown(verb, line);
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
        // vsftpd tells an empty name from a missing one no more than this.
        let Some(name) = self.user.take().filter(|name| !name.is_empty()) else {
            self.findings.signs |= Signs::CREDENTIALS;
            return ("503 Login with USER first.\r\n", Flow::Telling);
        };
        self.findings.note("username", &name);
        // Whoever says that he is nobody has tried nothing: he is told with what he does.
        if self.admits != Admits::Nobody && NOBODY.iter().any(|nobody| name.eq_ignore_ascii_case(nobody)) {
            return self.let_in(name, true, Flow::Continue);
        }
        self.findings.signs |= Signs::CREDENTIALS;
        self.logins += 1;
        if matches!(self.admits, Admits::Try(try_) if usize::from(try_) == self.logins) {
            return self.let_in(name, false, Flow::Telling);
        }
        let flow = if self.logins < usize::from(FTP_TRIES_MAX) { Flow::Telling } else { Flow::Close };
        ("530 Login incorrect.\r\n", flow)
    }

    fn let_in(&mut self, name: Vec<u8>, is_anonymous: bool, flow: Flow) -> (&'static str, Flow) {
        let (user, group) = if is_anonymous { (self.set_up.user, self.set_up.group) } else { (FIRST_USER, FIRST_USER) };
        let owner = Owner { user, group };
        self.inside = Some(Box::new(Inside::new(name, is_anonymous, owner, self.set_up.at)));
        ("230 Login successful.\r\n", flow)
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

/// What a browser says, and vsftpd hangs up on.
fn is_web(verb: &[u8]) -> bool {
    matches!(verb, b"GET" | b"POST" | b"HEAD" | b"OPTIONS" | b"CONNECT")
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

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        // A carrier that goes on without having done what was wanted has not done it.
        if self.inside.as_ref().is_some_and(|inside| inside.is_busy()) {
            let _ = self.done(Done::Failed, now, answer);
        }
        let full = answer.len() + ANSWER_BYTES_MAX - REPLY_BYTES_MAX;
        Step::by_byte_until_full(bytes, answer, full, |byte, answer| self.byte(byte, now, answer))
    }

    fn errand(&mut self) -> Option<Errand> {
        self.inside.as_mut().and_then(|inside| inside.errand())
    }

    fn done(&mut self, done: Done, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.inside.as_mut().map_or(Flow::Close, |inside| inside.done(done, now, &mut self.findings, answer))
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
    }

    fn end(&mut self) {
        let line = core::mem::take(&mut self.line);
        if !line.is_empty() && !self.over {
            let _ = self.line(trim_returns(&line), WallTime::default(), &mut Vec::new());
            let _ = self.pause();
        }
        self.over = true;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}

#[cfg(test)]
mod tests;

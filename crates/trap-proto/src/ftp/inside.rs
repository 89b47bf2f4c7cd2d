//! Behind the login: vsftpd with an upload folder, which takes everything, gives nothing back, and knows no active mode.
//!
//! As with `anon_upload_enable`, `anon_mkdir_write_enable`, `anon_other_write_enable`, `port_enable=NO` and `cmds_denied=STAT`: what is brought
//! cannot be read by others, so nobody can fetch anything; and a session does not know where its stranger is, which `STAT` would say.

use super::tree::{Listing, Owner, Tree};
use crate::{Done, Errand, Findings, Flow};
use alloc::{format, string::ToString, vec::Vec};
use core::net::{IpAddr, SocketAddr};
use honeymesh_types::{Signs, WallTime};

/// How long vsftpd waits for a connection of data (`accept_timeout`), in milliseconds.
const ACCEPT_MS: u32 = 60_000;

const DENIED: &str = "550 Permission denied.\r\n";
const NO_CONNECTION: &str = "425 Failed to establish connection.\r\n";
const NO_PORT: &str = "425 Use PORT or PASV first.\r\n";
const NO_FILE: &str = "553 Could not create file.\r\n";
const HELP: &str = "214-The following commands are recognized.\r
 ABOR ACCT ALLO APPE CDUP CWD  DELE EPRT EPSV FEAT HELP LIST MDTM MKD\r
 MODE NLST NOOP OPTS PASS PASV PORT PWD  QUIT REIN REST RETR RMD  RNFR\r
 RNTO SITE SIZE SMNT STAT STOR STOU STRU SYST TYPE USER XCUP XCWD XMKD\r
 XPWD XRMD\r
214 Help OK.\r\n";

/// Somebody who is logged in.
pub(super) struct Inside {
    is_anonymous: bool,
    user: Vec<u8>,
    tree: Tree,
    /// `EPSV ALL` was said.
    epsv_all: bool,
    /// A port is open for his data.
    has_port: bool,
    /// Where the next upload goes on.
    offset: u64,
    /// What is to be given another name.
    renamed: Option<Vec<u8>>,
    umask: u32,
    step: Step,
}

/// What is under way.
enum Step {
    Nothing,
    /// A port is wanted, for `EPSV` with that protocol, or for `PASV`.
    Port(Option<u8>),
    /// A connection is waited for.
    Meet(Transfer),
    /// Data is on its way.
    Move(Transfer),
}

enum Transfer {
    Upload { path: Vec<u8>, name: Vec<u8>, before: u64, is_unique: bool },
    Listing(Option<Vec<u8>>),
}

/// How something is brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Store,
    Append,
    Unique,
}

impl Inside {
    pub(super) fn new(user: Vec<u8>, is_anonymous: bool, owner: Owner, made: u64) -> Self {
        Self {
            is_anonymous,
            user,
            tree: Tree::new(owner, is_anonymous, made),
            epsv_all: false,
            has_port: false,
            offset: 0,
            renamed: None,
            umask: 0o77,
            step: Step::Nothing,
        }
    }

    /// Is it waited for something that the carrier does?
    pub(super) const fn is_busy(&self) -> bool {
        !matches!(self.step, Step::Nothing)
    }

    /// Answers a command, whose `verb` is in capital letters.
    pub(super) fn command(
        &mut self,
        (verb, argument): (&[u8], &[u8]),
        now: WallTime,
        findings: &mut Findings,
        answer: &mut Vec<u8>,
    ) -> Flow {
        // As the protocol has it, for names of files.
        let argument = &argument.iter().map(|byte| if *byte == 0 { b'\n' } else { *byte }).collect::<Vec<u8>>()[..];
        let reply = match verb {
            b"QUIT" => {
                answer.extend_from_slice(b"221 Goodbye.\r\n");
                return Flow::Close;
            }
            b"PASV" | b"P@SW" if !self.epsv_all => return self.wants_port(None),
            b"EPSV" => return self.extended(argument, answer),
            b"LIST" | b"NLST" => return self.list(argument, verb == b"LIST", now, answer),
            b"STOR" => return self.upload(argument, Way::Store, now, findings, answer),
            b"APPE" => return self.upload(argument, Way::Append, now, findings, answer),
            b"STOU" => return self.upload(argument, Way::Unique, now, findings, answer),
            b"PWD" | b"XPWD" => return self.here(answer),
            b"MKD" | b"XMKD" => return self.make_folder(argument, now, findings, answer),
            b"REST" => return self.restart(argument, answer),
            b"SIZE" | b"MDTM" => return self.about(verb, argument, answer),
            b"USER" => self.user(argument),
            b"PASS" => self.password(argument, findings),
            b"SITE" if !self.is_anonymous => return self.site(argument, findings, answer),
            b"DELE" | b"RMD" | b"XRMD" | b"RNFR" | b"RNTO" => self.change(verb, argument, findings),
            b"" if argument.is_empty() => "",
            _ => self.other(verb, argument, findings),
        };
        answer.extend_from_slice(reply.as_bytes());
        Flow::Continue
    }

    /// What is always answered the same.
    fn other(&mut self, verb: &[u8], argument: &[u8], findings: &mut Findings) -> &'static str {
        let is = |value: &[u8]| argument.eq_ignore_ascii_case(value);
        match verb {
            b"CWD" | b"XCWD" if self.tree.enter(argument) => "250 Directory successfully changed.\r\n",
            b"CDUP" | b"XCUP" if self.tree.enter(b"..") => "250 Directory successfully changed.\r\n",
            b"CWD" | b"XCWD" | b"CDUP" | b"XCUP" => "550 Failed to change directory.\r\n",
            b"NOOP" => "200 NOOP ok.\r\n",
            b"SYST" => "215 UNIX Type: L8\r\n",
            b"HELP" => HELP,
            b"TYPE" if is(b"I") || is(b"L8") || is(b"L 8") => "200 Switching to Binary mode.\r\n",
            b"TYPE" if is(b"A") || is(b"A N") => "200 Switching to ASCII mode.\r\n",
            b"TYPE" => "500 Unrecognised TYPE command.\r\n",
            b"STRU" if is(b"F") => "200 Structure set to F.\r\n",
            b"STRU" => "504 Bad STRU command.\r\n",
            b"MODE" if is(b"S") => "200 Mode set to S.\r\n",
            b"MODE" => "504 Bad MODE command.\r\n",
            b"ALLO" => "202 ALLO command ignored.\r\n",
            b"REIN" => "502 REIN not implemented.\r\n",
            b"ACCT" => "502 ACCT not implemented.\r\n",
            b"SMNT" => "502 SMNT not implemented.\r\n",
            b"ABOR" | b"\xff\xf4\xff\xf2ABOR" => "225 No transfer to ABOR.\r\n",
            b"RETR" => {
                findings.note("download", argument);
                self.offset = 0;
                if self.has_port { "550 Failed to open file.\r\n" } else { NO_PORT }
            }
            b"PASV" | b"PORT" | b"EPRT" | b"SITE" | b"STAT" | b"PBSZ" | b"PROT" => DENIED,
            _ => "500 Unknown command.\r\n",
        }
    }

    fn wants_port(&mut self, protocol: Option<u8>) -> Flow {
        self.has_port = false;
        self.step = Step::Port(protocol);
        Flow::Errand
    }

    fn extended(&mut self, argument: &[u8], answer: &mut Vec<u8>) -> Flow {
        if argument.eq_ignore_ascii_case(b"ALL") {
            self.epsv_all = true;
            answer.extend_from_slice(b"200 EPSV ALL ok.\r\n");
            return Flow::Continue;
        }
        match number(argument) {
            _ if argument.is_empty() => self.wants_port(Some(0)),
            protocol @ (1 | 2) => self.wants_port(Some(if protocol == 2 { 2 } else { 1 })),
            _ => {
                answer.extend_from_slice(BAD_PROTOCOL);
                Flow::Continue
            }
        }
    }

    fn here(&self, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(b"257 ");
        quote(&Tree::shown(self.tree.here()), answer);
        answer.extend_from_slice(b" is the current directory\r\n");
        Flow::Continue
    }

    fn make_folder(&mut self, name: &[u8], now: WallTime, findings: &mut Findings, answer: &mut Vec<u8>) -> Flow {
        findings.note("command", &[b"MKD ", name].concat());
        match self.tree.make_folder(name, now) {
            None => answer.extend_from_slice(b"550 Create directory operation failed.\r\n"),
            Some(path) => {
                answer.extend_from_slice(b"257 ");
                quote(&Tree::shown(&path), answer);
                answer.extend_from_slice(b" created\r\n");
            }
        }
        Flow::Continue
    }

    fn restart(&mut self, argument: &[u8], answer: &mut Vec<u8>) -> Flow {
        self.offset = number(argument);
        answer.extend_from_slice(format!("350 Restart position accepted ({}).\r\n", self.offset).as_bytes());
        Flow::Continue
    }

    fn about(&self, verb: &[u8], name: &[u8], answer: &mut Vec<u8>) -> Flow {
        let path = self.tree.found(name);
        let told = path.and_then(|path| match verb {
            b"SIZE" => self.tree.file(&path).map(|bytes| bytes.to_string()),
            _ => self.tree.written(&path),
        });
        let reply = match (told, verb) {
            (Some(told), _) => format!("213 {told}\r\n"),
            (None, b"SIZE") => "550 Could not get file size.\r\n".to_string(),
            (None, _) => "550 Could not get file modification time.\r\n".to_string(),
        };
        answer.extend_from_slice(reply.as_bytes());
        Flow::Continue
    }

    fn user(&self, name: &[u8]) -> &'static str {
        match self.is_anonymous {
            true => "530 Can't change from guest user.\r\n",
            false if name == self.user => "331 Any password will do.\r\n",
            false => "530 Can't change to another user.\r\n",
        }
    }

    /// A password that is not asked for any more is told all the same.
    fn password(&self, password: &[u8], findings: &mut Findings) -> &'static str {
        findings.note("username", &self.user);
        findings.note("password", password);
        "230 Already logged in.\r\n"
    }

    /// What takes something away, or gives it another name.
    fn change(&mut self, verb: &[u8], name: &[u8], findings: &mut Findings) -> &'static str {
        findings.note("command", &[verb, b" ", name].concat());
        match verb {
            b"DELE" if self.tree.remove_file(name) => "250 Delete operation successful.\r\n",
            b"DELE" => "550 Delete operation failed.\r\n",
            b"RNFR" => {
                self.renamed = self.tree.found(name);
                if self.renamed.is_some() { "350 Ready for RNTO.\r\n" } else { "550 RNFR command failed.\r\n" }
            }
            b"RNTO" => match self.renamed.take() {
                None => "503 RNFR required first.\r\n",
                Some(from) if self.tree.rename(&from, name) => "250 Rename successful.\r\n",
                Some(_) => "550 Rename failed.\r\n",
            },
            _ if self.tree.remove_folder(name) => "250 Remove directory operation successful.\r\n",
            _ => "550 Remove directory operation failed.\r\n",
        }
    }

    fn site(&mut self, argument: &[u8], findings: &mut Findings, answer: &mut Vec<u8>) -> Flow {
        findings.note("command", &[b"SITE ", argument].concat());
        let (word, rest) = split(argument);
        let reply = match word.to_ascii_uppercase().as_slice() {
            b"CHMOD" => match split(rest) {
                (_, b"") => "500 SITE CHMOD needs 2 arguments.\r\n".to_string(),
                (_, name) if self.tree.found(name).is_some() => "200 SITE CHMOD command ok.\r\n".to_string(),
                _ => "550 SITE CHMOD command failed.\r\n".to_string(),
            },
            b"UMASK" if rest.is_empty() => format!("200 Your current UMASK is 0{:02o}\r\n", self.umask),
            b"UMASK" => {
                let digits = rest.iter().take_while(|digit| matches!(digit, b'0'..=b'7')).take(6);
                self.umask = digits.fold(0, |all, digit| all * 8 + u32::from(digit - b'0')) & 0o777;
                format!("200 UMASK set to 0{:02o}\r\n", self.umask)
            }
            b"HELP" => "214 CHMOD UMASK HELP\r\n".to_string(),
            _ => "500 Unknown SITE command.\r\n".to_string(),
        };
        answer.extend_from_slice(reply.as_bytes());
        Flow::Continue
    }

    fn list(&mut self, argument: &[u8], is_long: bool, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if !self.has_port {
            answer.extend_from_slice(NO_PORT.as_bytes());
            return Flow::Continue;
        }
        let (options, filter) = match argument {
            [b'-', options @ ..] => split(options),
            filter => (&b""[..], filter),
        };
        let (folder, filter) = self.folder_and_filter(filter);
        let (is_long, with_dots) = (is_long || options.contains(&b'l'), options.contains(&b'a'));
        let wanted = Listing { folder, filter, is_long, with_dots, is_anonymous: self.is_anonymous };
        self.step = Step::Meet(Transfer::Listing(self.tree.list(&wanted, now)));
        Flow::Errand
    }

    /// A folder by itself; else what stands behind the last slash is a pattern.
    fn folder_and_filter<'a>(&self, filter: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        match filter.iter().rposition(|byte| *byte == b'/') {
            _ if filter.is_empty() => (b".", b""),
            _ if self.tree.is_there(filter) => (filter, b""),
            Some(0) => (b"/", &filter[1..]),
            Some(slash) => (&filter[..slash], &filter[slash + 1..]),
            None => (b".", filter),
        }
    }

    fn upload(&mut self, name: &[u8], way: Way, now: WallTime, findings: &mut Findings, answer: &mut Vec<u8>) -> Flow {
        let offset = core::mem::take(&mut self.offset);
        if !self.has_port {
            findings.note("upload", name);
            answer.extend_from_slice(NO_PORT.as_bytes());
            return Flow::Continue;
        }
        let name = if way == Way::Unique { self.unique(name) } else { name.to_vec() };
        let Some(path) = self.tree.writable(&name) else {
            findings.note("upload", &name);
            answer.extend_from_slice(NO_FILE.as_bytes());
            return Flow::Continue;
        };
        let before = match way {
            Way::Append => self.tree.file(&path).unwrap_or(0),
            Way::Store | Way::Unique => offset,
        };
        // It is there as soon as it was asked for.
        self.tree.write(&path, before, now);
        self.step = Step::Meet(Transfer::Upload { path, name, before, is_unique: way == Way::Unique });
        Flow::Errand
    }

    /// A name that nothing has yet.
    fn unique(&self, name: &[u8]) -> Vec<u8> {
        let base = if name.is_empty() { b"STOU" } else { name };
        if !name.is_empty() && self.tree.found(name).is_none() {
            return name.to_vec();
        }
        [base, format!(".{}", self.tree.free_number(base)).as_bytes()].concat()
    }

    /// [`Session::errand`](crate::Session::errand).
    pub(super) fn errand(&mut self) -> Option<Errand> {
        match &mut self.step {
            Step::Nothing => None,
            Step::Port(_) => Some(Errand::Listen),
            Step::Meet(_) => Some(Errand::Await { ms: ACCEPT_MS }),
            Step::Move(Transfer::Upload { .. }) => Some(Errand::Take),
            Step::Move(Transfer::Listing(listing)) => {
                Some(Errand::Give(listing.as_mut().map(core::mem::take).unwrap_or_default()))
            }
        }
    }

    /// [`Session::done`](crate::Session::done).
    pub(super) fn done(&mut self, done: Done, now: WallTime, findings: &mut Findings, answer: &mut Vec<u8>) -> Flow {
        match (core::mem::replace(&mut self.step, Step::Nothing), done) {
            (Step::Port(protocol), Done::Listening(at)) => {
                self.has_port = true;
                entered(protocol, at, answer);
                Flow::Continue
            }
            (Step::Meet(transfer), Done::Met) => {
                match &transfer {
                    Transfer::Upload { name, is_unique: true, .. } => {
                        answer.extend_from_slice(b"150 FILE: ");
                        name.iter().for_each(|byte| say(*byte, answer));
                        answer.extend_from_slice(b"\r\n");
                    }
                    Transfer::Upload { .. } => answer.extend_from_slice(b"150 Ok to send data.\r\n"),
                    Transfer::Listing(_) => answer.extend_from_slice(b"150 Here comes the directory listing.\r\n"),
                }
                self.step = Step::Move(transfer);
                Flow::Errand
            }
            (Step::Move(transfer), done) => {
                self.has_port = false;
                self.moved(transfer, done, now, findings, answer)
            }
            (Step::Meet(transfer), _) => {
                if let Transfer::Upload { path, .. } = transfer {
                    findings.note("upload", &Tree::shown(&path));
                }
                self.has_port = false;
                answer.extend_from_slice(NO_CONNECTION.as_bytes());
                Flow::Continue
            }
            (Step::Port(_), _) => {
                answer.extend_from_slice(NO_CONNECTION.as_bytes());
                Flow::Continue
            }
            (Step::Nothing, _) => Flow::Continue,
        }
    }

    fn moved(&mut self, transfer: Transfer, done: Done, now: WallTime, findings: &mut Findings, answer: &mut Vec<u8>) -> Flow {
        match transfer {
            Transfer::Listing(listing) => {
                answer.extend_from_slice(match (listing, done) {
                    (Some(_), Done::Given) => b"226 Directory send OK.\r\n".as_slice(),
                    (None, Done::Given) => b"226 Transfer done (but failed to open directory).\r\n",
                    _ => b"426 Failure writing network stream.\r\n",
                });
                Flow::Continue
            }
            Transfer::Upload { path, before, .. } => {
                let (bytes, is_whole) = match done {
                    Done::Taken { bytes, is_whole } => (bytes, is_whole),
                    _ => (0, false),
                };
                self.tree.write(&path, before.saturating_add(bytes), now);
                findings.signs |= Signs::UPLOAD;
                findings.note("username", &self.user);
                findings.note("upload", &Tree::shown(&path));
                findings.note("upload_bytes", bytes.to_string().as_bytes());
                let end: &[u8] =
                    if is_whole { b"226 Transfer complete.\r\n" } else { b"426 Failure reading network stream.\r\n" };
                answer.extend_from_slice(end);
                Flow::Telling
            }
        }
    }
}

const BAD_PROTOCOL: &[u8] = b"522 Bad network protocol.\r\n";

/// How an open port is told.
fn entered(protocol: Option<u8>, at: SocketAddr, answer: &mut Vec<u8>) {
    let port = at.port();
    let reply = match (protocol, at.ip().to_canonical()) {
        (Some(2), IpAddr::V4(_)) => return answer.extend_from_slice(BAD_PROTOCOL),
        (Some(_), _) => format!("229 Entering Extended Passive Mode (|||{port}|)\r\n"),
        (None, ip) => {
            let [a, b, c, d] = match ip {
                IpAddr::V4(v4) => v4.octets(),
                IpAddr::V6(_) => [0; 4],
            };
            format!("227 Entering Passive Mode ({a},{b},{c},{d},{},{}).\r\n", port >> 8, port & 0xff)
        }
    };
    answer.extend_from_slice(reply.as_bytes());
}

/// A path in quotation marks, those in it twice.
fn quote(path: &[u8], answer: &mut Vec<u8>) {
    answer.push(b'"');
    for byte in path {
        say(*byte, answer);
        if *byte == b'"' {
            answer.push(b'"');
        }
    }
    answer.push(b'"');
}

/// A byte of a name in an answer: what Telnet would take for a command stands twice, and a line's end for what it was sent as.
fn say(byte: u8, answer: &mut Vec<u8>) {
    match byte {
        b'\n' => answer.push(0),
        0xff => answer.extend_from_slice(&[0xff, 0xff]),
        byte => answer.push(byte),
    }
}

/// Up to the first space, and behind it.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (text, &[]),
    }
}

/// The number that a text begins with; 0 if it begins with none, or is beyond all files.
fn number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|digit| digit.is_ascii_digit());
    let number = digits.fold(0_u64, |all, digit| all.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    if number > i64::MAX as u64 { 0 } else { number }
}

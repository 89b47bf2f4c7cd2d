//! One connection to the mailbox server.

use super::arguments::{self, LITERAL_BYTES_MAX, Literal};
use crate::{
    Findings, Flow, TlsManner,
    dialogue::Dialogue,
    pause,
    sasl::{Exchange, Turn},
    text::safe_text,
    tls::DOVECOT_ALERT,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};

const CAPABILITIES: [&str; 2] = [
    "IMAP4rev1 LOGIN-REFERRALS ID ENABLE IDLE SASL-IR LITERAL+ STARTTLS AUTH=PLAIN AUTH=LOGIN",
    "IMAP4rev1 LOGIN-REFERRALS ID ENABLE IDLE SASL-IR LITERAL+ AUTH=PLAIN AUTH=LOGIN",
];
/// Commands that are none until Dovecot closes.
const ERRORS_MAX: usize = 3;
/// Logins in one connection: more shows no more.
const TRIES_MAX: usize = 100;
/// The longest tag that is repeated, in bytes.
const TAG_BYTES_MAX: usize = 128;

/// One connection to the mailbox server.
pub(super) struct ImapLogin {
    banner: String,
    seed: u64,
    is_tls: bool,
    /// Words of a command whose literals are still coming.
    words: Vec<Vec<u8>>,
    /// The literal that is coming: bytes that are missing, and those that came.
    announced: u64,
    literal: Vec<u8>,
    /// A literal was heard, so the next line goes on with the same command.
    goes_on: bool,
    exchange: Option<(Exchange, String)>,
    errors: usize,
    tries: usize,
    wait_ms: u32,
    findings: Findings,
}

impl ImapLogin {
    pub(super) fn new(banner: String, seed: u64, is_tls: bool) -> Self {
        Self {
            banner,
            seed,
            is_tls,
            words: Vec::new(),
            announced: 0,
            literal: Vec::new(),
            goes_on: false,
            exchange: None,
            errors: 0,
            tries: 0,
            wait_ms: 0,
            findings: Findings::default(),
        }
    }

    const fn capabilities(&self) -> &'static str {
        CAPABILITIES[self.is_tls as usize]
    }

    fn read(&mut self, line: &[u8], answer: &mut Vec<u8>) -> Flow {
        if !core::mem::take(&mut self.goes_on) {
            self.words.clear();
        }
        match arguments::read(line, &mut self.words) {
            Ok(Some(literal)) => self.announce(literal, answer),
            Ok(None) => {
                let words = core::mem::take(&mut self.words);
                let (reply, flow) = self.command(line, &words);
                answer.extend_from_slice(reply.as_bytes());
                flow
            }
            Err(_) => {
                let tag = core::mem::take(&mut self.words).into_iter().next().unwrap_or_default();
                let (reply, flow) = self.broken(line, &shown(&tag));
                answer.extend_from_slice(reply.as_bytes());
                flow
            }
        }
    }

    fn announce(&mut self, literal: Literal, answer: &mut Vec<u8>) -> Flow {
        self.literal.clear();
        self.goes_on = true;
        if literal.bytes > LITERAL_BYTES_MAX {
            self.findings.signs |= Signs::MALFORMED;
            answer.extend_from_slice(b"* BYE IMAP command line too large\r\n");
            return Flow::Close;
        }
        if !literal.at_once {
            answer.extend_from_slice(b"+ OK\r\n");
        }
        self.announced = literal.bytes;
        if literal.bytes == 0 {
            self.words.push(Vec::new());
        }
        Flow::Continue
    }

    fn command(&mut self, line: &[u8], words: &[Vec<u8>]) -> (String, Flow) {
        let [tag, command, arguments @ ..] = words else {
            let tag = words.first().map_or_else(|| "*".to_string(), |tag| shown(tag));
            return self.broken(line, &tag);
        };
        let tag = shown(tag);
        match (command.to_ascii_uppercase().as_slice(), arguments) {
            (b"LOGIN", [name, password]) => {
                self.findings.note("username", name);
                self.findings.note("password", password);
                self.tried(&tag)
            }
            (b"AUTHENTICATE", [mechanism]) => self.authenticate(tag, mechanism, None),
            (b"AUTHENTICATE", [mechanism, initial]) => self.authenticate(tag, mechanism, Some(initial)),
            (b"CAPABILITY", _) => {
                let listed = "Pre-login capabilities listed, post-login capabilities have more.";
                let capabilities = self.capabilities();
                (format!("* CAPABILITY {capabilities}\r\n{tag} OK {listed}\r\n"), Flow::Continue)
            }
            (b"ID", _) => {
                self.note_client(arguments);
                (format!("* ID (\"name\" \"Dovecot\")\r\n{tag} OK ID completed.\r\n"), Flow::Continue)
            }
            (b"STARTTLS", _) if self.is_tls => (format!("{tag} BAD TLS is already active.\r\n"), Flow::Continue),
            (b"STARTTLS", _) => (format!("{tag} OK Begin TLS negotiation now.\r\n"), Flow::StartTls),
            (b"NOOP", _) => (format!("{tag} OK NOOP completed.\r\n"), Flow::Continue),
            (b"ENABLE", _) => (format!("* ENABLED\r\n{tag} OK ENABLE ignored in non-authenticated state.\r\n"), Flow::Continue),
            (b"LOGOUT", _) => (format!("* BYE Logging out\r\n{tag} OK Logout completed.\r\n"), Flow::Close),
            _ => self.broken(line, &tag),
        }
    }

    /// What the client says of itself (RFC 2971).
    fn note_client(&mut self, arguments: &[Vec<u8>]) {
        self.findings.note("client", &arguments.join(&b' '));
    }

    fn broken(&mut self, line: &[u8], tag: &str) -> (String, Flow) {
        self.findings.note("command", line);
        self.findings.signs |= Signs::MALFORMED;
        self.errors += 1;
        if self.errors >= ERRORS_MAX {
            return ("* BYE Too many invalid IMAP commands.\r\n".to_string(), Flow::Close);
        }
        let tag = if line.is_ascii() { tag } else { "*" };
        (format!("{tag} BAD Error in IMAP command received by server.\r\n"), Flow::Continue)
    }

    fn tried(&mut self, tag: &str) -> (String, Flow) {
        self.findings.signs |= Signs::CREDENTIALS;
        self.tries += 1;
        self.wait_ms = pause::dovecot_ms(self.seed, self.tries);
        let flow = if self.tries < TRIES_MAX { Flow::Telling } else { Flow::Close };
        (format!("{tag} NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"), flow)
    }

    fn authenticate(&mut self, tag: String, name: &[u8], initial: Option<&[u8]>) -> (String, Flow) {
        let Some(mut exchange) = Exchange::begin(name) else {
            self.findings.note("mechanism", name);
            return (format!("{tag} NO [ALERT] Unsupported authentication mechanism.\r\n"), Flow::Continue);
        };
        let turn = exchange.open(initial, &mut self.findings);
        self.turn(exchange, tag, turn)
    }

    fn turn(&mut self, exchange: Exchange, tag: String, turn: Turn) -> (String, Flow) {
        match turn {
            Turn::Ask(challenge) => {
                self.exchange = Some((exchange, tag));
                (format!("+ {challenge}\r\n"), Flow::Continue)
            }
            Turn::Tried => self.tried(&tag),
            Turn::Aborted => (format!("{tag} BAD Authentication aborted by client.\r\n"), Flow::Continue),
            Turn::Broken => {
                self.findings.signs |= Signs::MALFORMED;
                (format!("{tag} NO [ALERT] Invalid base64 in response\r\n"), Flow::Continue)
            }
        }
    }
}

/// A tag as it is repeated.
fn shown(tag: &[u8]) -> String {
    safe_text(tag, TAG_BYTES_MAX)
}

impl Dialogue for ImapLogin {
    /// Dovecot's own limit before a login.
    const LINE_BYTES_MAX: usize = 8_192;
    const REPLY_BYTES_MAX: usize = 1_024;
    const TLS: TlsManner = TlsManner::Imap;
    const NO_TLS: &[u8] = &DOVECOT_ALERT;

    fn greet(&mut self, answer: &mut Vec<u8>) {
        answer.extend_from_slice(format!("* OK [CAPABILITY {}] {}\r\n", self.capabilities(), self.banner).as_bytes());
    }

    fn line(&mut self, line: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Some((mut exchange, tag)) = self.exchange.take() else { return self.read(line, answer) };
        let turn = exchange.take(line, &mut self.findings);
        let (reply, flow) = self.turn(exchange, tag, turn);
        answer.extend_from_slice(reply.as_bytes());
        flow
    }

    fn announced(&self) -> u64 {
        self.announced
    }

    fn piece(&mut self, byte: u8, last: bool, _answer: &mut Vec<u8>) -> Flow {
        self.literal.push(byte);
        if last {
            self.announced = 0;
            self.words.push(core::mem::take(&mut self.literal));
        }
        Flow::Continue
    }

    fn secured(&mut self) {
        self.is_tls = true;
    }

    fn wait_ms(&mut self) -> u32 {
        core::mem::take(&mut self.wait_ms)
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

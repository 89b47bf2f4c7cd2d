//! One connection to the mail server.

use super::{
    chunks::{self, Chunks, Piece},
    envelope::{Envelope, LETTER_BYTES_MAX, address, declared_size},
};
use crate::{
    Findings, Flow,
    dialogue::{Dialogue, split_word},
    pause::{self, POSTFIX_MS},
    sasl::{Exchange, Turn},
    text::{hex, random_bytes, safe_text},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};

/// Mistakes until Postfix closes.
const ERRORS_MAX: usize = 20;
/// Mistakes after which Postfix takes its time for each answer.
const ERRORS_SOFT_MAX: usize = 10;
/// What is repeated of a name, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// A piece of a letter that is longer than a letter may be.
const LETTER_BYTES_OVER: u64 = LETTER_BYTES_MAX + 1;
/// Letters in one connection: more shows no more.
const LETTERS_MAX: usize = 100;

const OK: &str = "250 2.0.0 Ok\r\n";
const HELP: &str =
    "214 2.0.0 Commands: AUTH BDAT DATA EHLO ETRN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY XCLIENT XFORWARD\r\n";
const OUT_OF_STEP: &str = "554 5.5.0 Error: SMTP protocol synchronization\r\n";

/// Behind these nothing may come before their answer, whoever greeted how (RFC 2920).
const LAST: [&[u8]; 5] = [b"EHLO", b"HELO", b"DATA", b"VRFY", b"NOOP"];
/// Behind these something may come at once, but only from who greeted with `EHLO`.
const PIPELINED: [&[u8]; 9] = [b"AUTH", b"MAIL", b"RCPT", b"RSET", b"HELP", b"ETRN", b"QUIT", b"STARTTLS", b"BDAT"];

/// What the next line is.
enum Phase {
    Command,
    Login(Exchange),
    Letter,
}

/// One connection to the mail server.
pub(super) struct Smtpd {
    banner: String,
    seed: u64,
    phase: Phase,
    envelope: Envelope,
    chunks: Chunks,
    greeted: bool,
    /// By `EHLO`.
    is_extended: bool,
    is_tls: bool,
    /// Bytes that came together with the line, behind it.
    behind: usize,
    /// The stranger did not wait: nothing is answered any more, and what came with it is still heard.
    out_of_step: bool,
    errors: usize,
    letters: usize,
    wait_ms: u32,
    /// A login goes on behind its first words.
    was_asked: bool,
    findings: Findings,
}

impl Smtpd {
    pub(super) fn new(banner: String, seed: u64, is_tls: bool) -> Self {
        Self {
            banner,
            seed,
            phase: Phase::Command,
            envelope: Envelope::default(),
            chunks: Chunks::default(),
            greeted: false,
            is_extended: false,
            is_tls,
            behind: 0,
            out_of_step: false,
            errors: 0,
            letters: 0,
            wait_ms: 0,
            was_asked: false,
            findings: Findings::default(),
        }
    }

    fn host(&self) -> &str {
        self.banner.split(' ').next().unwrap_or_default()
    }

    fn command(&mut self, line: &[u8], answer: &mut Vec<u8>) -> Flow {
        let (verb, argument) = split_word(line);
        let verb = verb.to_ascii_uppercase();
        if self.behind > 0 && self.must_wait(&verb) {
            return self.fall_out(line, answer);
        }
        let (reply, flow) = match verb.as_slice() {
            b"EHLO" | b"HELO" => (self.hello(&verb, argument), Flow::Continue),
            b"AUTH" => return self.auth(argument, answer),
            b"MAIL" => (self.mail(argument), Flow::Continue),
            b"RCPT" => (self.recipient(argument), Flow::Continue),
            b"DATA" => (self.data(), Flow::Continue),
            b"RSET" => {
                self.forget_letter();
                (OK.to_string(), Flow::Continue)
            }
            b"HELP" => (HELP.to_string(), Flow::Continue),
            b"ETRN" => {
                self.findings.note("command", line);
                (format!("459 <{}>: service unavailable\r\n", safe_text(argument, NAME_BYTES_MAX)), Flow::Continue)
            }
            b"NOOP" => (OK.to_string(), Flow::Continue),
            b"VRFY" => self.verify(argument),
            b"QUIT" => ("221 2.0.0 Bye\r\n".to_string(), Flow::Close),
            b"CONNECT" | b"GET" | b"POST" => {
                self.malformed(line);
                ("221 2.7.0 Error: I can break rules, too. Goodbye.\r\n".to_string(), Flow::Close)
            }
            // What begins with no letter is no command (`smtpd_forbidden_commands`).
            [first, ..] if first.is_ascii() && !first.is_ascii_alphabetic() => {
                self.malformed(line);
                ("221 2.7.0 Error: I can break rules, too. Goodbye.\r\n".to_string(), Flow::Close)
            }
            _ if core::str::from_utf8(line).is_err() => {
                self.malformed(line);
                ("500 5.5.2 Error: bad UTF-8 syntax\r\n".to_string(), Flow::Continue)
            }
            b"" => ("500 5.5.2 Error: bad syntax\r\n".to_string(), Flow::Continue),
            b"STARTTLS" => self.start_tls(argument),
            b"XCLIENT" | b"XFORWARD" => {
                self.findings.note("command", line);
                ("550 5.7.0 Error: insufficient authorization\r\n".to_string(), Flow::Continue)
            }
            b"BDAT" => return self.chunk(argument, answer),
            _ => {
                self.malformed(line);
                ("500 5.5.2 Error: command not recognized\r\n".to_string(), Flow::Continue)
            }
        };
        self.say(&reply, flow, answer)
    }

    /// Whether nothing may follow this command before its answer.
    fn must_wait(&self, verb: &[u8]) -> bool {
        LAST.contains(&verb) || (!self.is_extended && PIPELINED.contains(&verb))
    }

    /// Postfix answers no one who does not wait for it (`smtpd_forbid_unauth_pipelining`). What came with that is heard to its end.
    fn fall_out(&mut self, line: &[u8], answer: &mut Vec<u8>) -> Flow {
        self.findings.note("out_of_step", line);
        answer.extend_from_slice(OUT_OF_STEP.as_bytes());
        self.behind = 0;
        self.out_of_step = true;
        let _ = self.command(line, &mut Vec::new());
        // That is said at once, whatever it was.
        self.wait_ms = 0;
        Flow::Close
    }

    fn start_tls(&mut self, argument: &[u8]) -> (String, Flow) {
        match (self.is_tls, argument) {
            (_, [_, ..]) => ("501 5.5.4 Syntax: STARTTLS\r\n".to_string(), Flow::Continue),
            (true, []) => ("554 5.5.1 Error: TLS already active\r\n".to_string(), Flow::Continue),
            (false, []) => ("220 2.0.0 Ready to start TLS\r\n".to_string(), Flow::StartTls),
        }
    }

    /// Sends a reply, and ends it all after too many mistakes.
    fn say(&mut self, reply: &str, flow: Flow, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(reply.as_bytes());
        self.wait_ms += if self.errors >= ERRORS_SOFT_MAX { POSTFIX_MS } else { 0 };
        self.errors += usize::from(reply.starts_with('5'));
        if self.errors < ERRORS_MAX || flow == Flow::Close {
            return flow;
        }
        answer.extend_from_slice(format!("421 4.7.0 {} Error: too many errors\r\n", self.host()).as_bytes());
        Flow::Close
    }

    fn malformed(&mut self, line: &[u8]) {
        self.findings.note("command", line);
        self.findings.signs |= Signs::MALFORMED;
    }

    fn hello(&mut self, verb: &[u8], name: &[u8]) -> String {
        let is_extended = verb == b"EHLO";
        if name.is_empty() {
            return format!("501 Syntax: {} hostname\r\n", if is_extended { "EHLO" } else { "HELO" });
        }
        self.findings.note("client", name);
        self.greeted = true;
        self.is_extended = is_extended;
        self.forget_letter();
        let host = self.host();
        if !is_extended {
            return format!("250 {host}\r\n");
        }
        let start_tls = if self.is_tls { "" } else { "250-STARTTLS\r\n" };
        format!(
            "250-{host}\r\n250-PIPELINING\r\n250-SIZE {LETTER_BYTES_MAX}\r\n250-VRFY\r\n250-ETRN\r\n{start_tls}\
             250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n\
             250 CHUNKING\r\n"
        )
    }

    fn auth(&mut self, argument: &[u8], answer: &mut Vec<u8>) -> Flow {
        let (name, initial) = split_word(argument);
        if self.envelope.has_sender() {
            return self.say("503 5.5.1 Error: MAIL transaction in progress\r\n", Flow::Continue, answer);
        }
        if name.is_empty() || initial.contains(&b' ') {
            return self.say("501 5.5.4 Syntax: AUTH mechanism\r\n", Flow::Continue, answer);
        }
        let Some(mut exchange) = Exchange::begin(name) else {
            self.findings.note("mechanism", name);
            let name = String::from_utf8_lossy(name);
            let reply = format!("535 5.7.8 Error: authentication failed: Invalid authentication mechanism: '{name}'\r\n");
            return self.say(&reply, Flow::Continue, answer);
        };
        self.was_asked = false;
        let turn = exchange.open((!initial.is_empty()).then_some(initial), &mut self.findings);
        self.turn(exchange, turn, answer)
    }

    fn turn(&mut self, exchange: Exchange, turn: Turn, answer: &mut Vec<u8>) -> Flow {
        let (reply, flow) = match turn {
            Turn::Ask(challenge) => {
                self.phase = Phase::Login(exchange);
                answer.extend_from_slice(format!("334 {challenge}\r\n").as_bytes());
                self.was_asked = true;
                return Flow::Continue;
            }
            Turn::Aborted => ("501 5.7.0 Authentication aborted\r\n".to_string(), Flow::Continue),
            Turn::Tried => {
                self.wait_ms = pause::dovecot_ms(self.seed, self.errors);
                ("535 5.7.8 Error: authentication failed: (reason unavailable)\r\n".to_string(), Flow::Telling)
            }
            Turn::Broken => {
                self.findings.signs |= Signs::MALFORMED;
                let which = if self.was_asked { "continued" } else { "initial" };
                let why = format!("Invalid base64 data in {which} response");
                (format!("535 5.7.8 Error: authentication failed: {why}\r\n"), Flow::Continue)
            }
        };
        self.phase = Phase::Command;
        self.say(&reply, flow, answer)
    }

    fn mail(&mut self, argument: &[u8]) -> String {
        if self.envelope.has_sender() {
            return "503 5.5.1 Error: nested MAIL command\r\n".to_string();
        }
        if self.chunks.has_begun() {
            return "503 5.5.1 Error: MAIL after BDAT\r\n".to_string();
        }
        let Some(sender) = address(argument, b"from:") else {
            return "501 5.5.4 Syntax: MAIL FROM:<address>\r\n".to_string();
        };
        if declared_size(argument).is_some_and(|bytes| bytes > LETTER_BYTES_MAX) {
            return "552 5.3.4 Message size exceeds fixed limit\r\n".to_string();
        }
        self.findings.note("sender", sender);
        self.envelope.from(sender);
        "250 2.1.0 Ok\r\n".to_string()
    }

    fn recipient(&mut self, argument: &[u8]) -> String {
        if self.chunks.has_begun() {
            return "503 5.5.1 Error: RCPT after BDAT\r\n".to_string();
        }
        if !self.envelope.has_sender() {
            return "503 5.5.1 Error: need MAIL command\r\n".to_string();
        }
        let reply = match address(argument, b"to:") {
            None => "501 5.5.4 Syntax: RCPT TO:<address>\r\n",
            Some(b"") => "501 5.1.3 Bad recipient address syntax\r\n",
            Some(recipient) if self.envelope.to(recipient) => "250 2.1.5 Ok\r\n",
            Some(_) => "452 4.5.3 Error: too many recipients\r\n",
        };
        self.envelope.is_unnoted = true;
        reply.to_string()
    }

    fn data(&mut self) -> String {
        if self.chunks.has_begun() {
            return "503 5.5.1 Error: DATA after BDAT\r\n".to_string();
        }
        if !self.envelope.has_sender() {
            return "503 5.5.1 Error: need RCPT command\r\n".to_string();
        }
        if !self.envelope.has_recipients() {
            return "554 5.5.1 Error: no valid recipients\r\n".to_string();
        }
        self.phase = Phase::Letter;
        "354 End data with <CR><LF>.<CR><LF>\r\n".to_string()
    }

    /// Whoever asks for names looks for accounts.
    fn verify(&mut self, argument: &[u8]) -> (String, Flow) {
        if argument.is_empty() {
            return ("501 5.5.4 Syntax: VRFY address [SMTPUTF8]\r\n".to_string(), Flow::Continue);
        }
        self.findings.note("command", &[b"VRFY ", argument].concat());
        let safe = safe_text(argument, NAME_BYTES_MAX);
        (format!("252 2.0.0 {safe}\r\n"), Flow::Telling)
    }

    fn letter(&mut self, line: &[u8], answer: &mut Vec<u8>) -> Flow {
        if line != b"." {
            self.envelope.line(line);
            return Flow::Continue;
        }
        self.phase = Phase::Command;
        self.taken(false, answer)
    }

    /// A letter is whole.
    fn taken(&mut self, is_chunked: bool, answer: &mut Vec<u8>) -> Flow {
        let envelope = core::mem::take(&mut self.envelope);
        envelope.note(&mut self.findings);
        // Nobody honest sends mail through a machine that is no relay of his.
        self.findings.signs |= Signs::RULE;
        self.letters += 1;
        let queue = hex(&random_bytes::<5>(self.seed.wrapping_add(self.letters as u64))).to_ascii_uppercase();
        let bytes = if is_chunked { format!(" {} bytes", envelope.bytes()) } else { String::new() };
        let reply = if envelope.is_too_long() {
            "552 5.3.4 Error: message file too big\r\n".to_string()
        } else {
            format!("250 2.0.0 Ok:{bytes} queued as {queue}\r\n")
        };
        let flow = self.say(&reply, Flow::Telling, answer);
        if self.letters < LETTERS_MAX { flow } else { Flow::Close }
    }

    fn forget_letter(&mut self) {
        core::mem::take(&mut self.envelope).note_new(&mut self.findings);
        self.chunks = Chunks::default();
    }

    /// A piece of a letter is announced. What is wrong with that ends it: nobody knows where the next command would be.
    fn chunk(&mut self, argument: &[u8], answer: &mut Vec<u8>) -> Flow {
        match chunks::read(argument) {
            None => {
                self.malformed(&[b"BDAT ", argument].concat());
                self.say(chunks::SYNTAX, Flow::Close, answer)
            }
            Some((LETTER_BYTES_OVER.., _)) => self.say(chunks::TOO_LARGE, Flow::Close, answer),
            Some((bytes, is_last)) => {
                self.chunks.announce(bytes, is_last, &self.envelope);
                if bytes > 0 { Flow::Continue } else { self.chunk_ended(answer) }
            }
        }
    }

    fn chunk_ended(&mut self, answer: &mut Vec<u8>) -> Flow {
        match self.chunks.end(&mut self.envelope) {
            Piece::Said(reply) => self.say(&reply, Flow::Continue, answer),
            Piece::Letter => self.taken(true, answer),
        }
    }
}

impl Dialogue for Smtpd {
    /// Postfix's own limit.
    const LINE_BYTES_MAX: usize = 2_048;
    const REPLY_BYTES_MAX: usize = 1_024;
    /// Since CVE-2011-0411.
    const PURGES: bool = true;

    fn greet(&mut self, answer: &mut Vec<u8>) {
        answer.extend_from_slice(format!("220 {}\r\n", self.banner).as_bytes());
    }

    fn line(&mut self, line: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Flow {
        match core::mem::replace(&mut self.phase, Phase::Command) {
            Phase::Command => self.command(line, answer),
            Phase::Login(mut exchange) => {
                let turn = exchange.take(line, &mut self.findings);
                self.turn(exchange, turn, answer)
            }
            Phase::Letter => {
                self.phase = Phase::Letter;
                self.letter(line, answer)
            }
        }
    }

    fn announced(&self) -> u64 {
        self.chunks.missing()
    }

    fn piece(&mut self, byte: u8, last: bool, answer: &mut Vec<u8>) -> Flow {
        self.chunks.push(byte, &mut self.envelope);
        if last { self.chunk_ended(answer) } else { Flow::Continue }
    }

    fn finish(&mut self) {
        let is_chunked = self.chunks.has_begun() || self.chunks.missing() > 0;
        self.chunks.flush(&mut self.envelope);
        if matches!(self.phase, Phase::Letter) || (is_chunked && self.envelope.has_recipients()) {
            self.envelope.note(&mut self.findings);
            self.findings.signs |= Signs::RULE;
        }
    }

    fn behind(&mut self, bytes: usize) {
        self.behind = bytes;
    }

    fn hears_on(&self) -> bool {
        self.out_of_step
    }

    /// All that was said in the clear counts no more.
    fn secured(&mut self) {
        self.is_tls = true;
        self.greeted = false;
        self.is_extended = false;
        self.envelope = Envelope::default();
        self.chunks = Chunks::default();
    }

    fn wait_ms(&mut self) -> u32 {
        core::mem::take(&mut self.wait_ms)
    }

    fn findings(&mut self) -> &mut Findings {
        self.envelope.note_new(&mut self.findings);
        &mut self.findings
    }
}
